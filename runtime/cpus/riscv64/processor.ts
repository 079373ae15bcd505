// The riscv64 or riscv32 CPUs of a machine: joins registers, caches, the generated interpreter, its cold path (cold-path.ts), regions of translated
// code and the harts' schedule (schedule.ts), and is what users of a processor see of all of it: runs, steps, registers, breakpoints, saved states.
// Both widths are one source: what differs follows from `width` where it differs.
// RV64IMAFDC or RV32IMAFDC, Zicsr, Zifencei, Zba, Zbb, Zbs, Zicond, Zihintpause, Sstc, Svinval, Svadu, Sdtrig; M, S and U modes. Left out: the hypervisor
// extension, Zbc, Zicbom and Zicboz, Zawrs, performance counters besides cycle and instret.

import type { MachineCore } from "../../machine/cpu-contract.ts";
import type { CreateProcessor, CpuSetup, Privilege, Processor, ProcessorHooks, ProcessorLimits, ProcessorState, StopReason } from "../../machine/processor.ts";
import type { RegisterWidth } from "../../../isa/riscv64/by-width.ts";
import { instructionLength } from "../../../isa/riscv64/decode.ts";
import { createMemoryAccess } from "./access.ts";
import { createCodeCache, type CodeCache } from "./code-cache.ts";
import { createColdPath } from "./cold-path.ts";
import { INTERRUPT, type CsrEnvironment } from "./csrs.ts";
import { createDeviceAccess } from "./device-access.ts";
import { createDeviceMirror } from "./device-mirror.ts";
import { createHart, isAsleep, loadHart, MODE, MSTATUS, resetHart, saveHart, type Hart, type Mode } from "./hart.ts";
import { createInterpreterFactory, WRITER, type InterpreterMaker } from "./interpreter-instance.ts";
import { createNamedRegisters } from "./named-registers.ts";
import { createTranslator, EAGERNESS, REGIONS_BEGIN, type EagernessName, type Translator } from "./regions/translator.ts";
import { createRegisterFile } from "./registers.ts";
import { createSchedule } from "./schedule.ts";
import { MAX_HARTS, REGION_CACHE, STORABLE, STORABLE_OFFSET } from "./state.ts";
import { createStops } from "./stops.ts";
import { createTimers } from "./timers.ts";
import { hasWakeup, transferOf } from "./traps.ts";

/** `ra` (Volume I, 25, the calling convention). */
const LINK = 1;

const MODES: Readonly<Record<Privilege, Mode>> = { machine: MODE.machine, supervisor: MODE.supervisor, user: MODE.user };

/** Interrupt lines of the machine (cpu-contract.ts) as bits of mip. */
const LINE_BITS = [INTERRUPT.MSI, INTERRUPT.MTI, INTERRUPT.MEI, INTERRUPT.SEI] as const;

const PAGE_BYTES = 0x1000;

export interface RiscvOptions {
  readonly width: RegisterWidth;
  /** When code is translated, which shows in nothing but time. */
  readonly eagerness?: EagernessName;
  readonly maker?: InterpreterMaker;
}

export interface RiscvProcessor extends Processor {
  /** Regions of translated code that there are. */
  readonly regions: () => number;
}

export const createRiscv64: CreateProcessor = (machine, hooks = {}) => createRiscv(machine, hooks, { width: 64 });

export function createRiscv(
  machine: MachineCore,
  hooks: ProcessorHooks,
  { width, eagerness: wanted = "normal", maker = WRITER }: RiscvOptions,
): RiscvProcessor {
  const eagerness = EAGERNESS[wanted];
  const { memory, cpuCount } = machine;
  if (cpuCount > MAX_HARTS) throw new RangeError(`${cpuCount} harts: at most ${MAX_HARTS}`);
  const registers = createRegisterFile(memory, cpuCount, width, hooks.environmentCall === undefined ? 0 : 1 << MODE.supervisor);
  const harts = Array.from({ length: cpuCount }, (_, index) => createHart(index, registers.control(index), width));

  const timers = createTimers(machine, harts);
  const storable = memory.stateOffset + STORABLE_OFFSET;

  const csrs: CsrEnvironment = {
    deviceInterrupts(hart) {
      const lines = machine.lines(hart.index);
      let bits = timers.isDue(hart) ? INTERRUPT.STI : 0n;
      if (lines !== 0) LINE_BITS.forEach((bit, line) => (bits |= (lines & (1 << line)) !== 0 ? bit : 0n));
      return bits;
    },
    time: timers.time,
    flush(hart) {
      access.flush(hart);
      cold.modeChanged(hart);
    },
    triggersChanged(hart) {
      stops.update();
      csrs.flush(hart);
    },
    timerChanged: timers.update,
    executed: (hart) => hart.executed,
  };
  const access = createMemoryAccess(
    machine,
    harts,
    () => code,
    (run) => cold.accessDevice(run),
  );
  const mirror = createDeviceMirror(machine);
  const devices = createDeviceAccess(memory, machine.bus, width, mirror.note);
  const code: CodeCache = createCodeCache(memory, {
    pageAdded(ramOffset) {
      cold.endRegion();
      access.flushWrites();
      memory.bytes[storable + ramOffset / PAGE_BYTES] = STORABLE.no;
    },
    pageDropped: access.flushCode,
    changed: (offset, length) => translator.changed(offset, length),
    cleared: () => translator.clear(),
    hasRegion: (offset) => translator.hasRegion(offset),
    isDevice: (offset) => translator.isDevice(offset),
    decode: (entry, slot, into) => interpreter.decode(entry, slot, into),
  });
  const stops = createStops(harts, code);
  const schedule = createSchedule(machine, registers, harts, timers, {
    isTracing: hooks.trace !== undefined,
    regionCount: () => translator.regionCount(),
    cachesFor: access.cachesFor,
    hasWakeup: (hart) => hasWakeup(hart, csrs),
    granted: mirror.refresh,
  });
  const { hartAt, activeHart } = schedule;

  const options = { stateOffset: memory.stateOffset, dirtyOffset: memory.dirtyOffset, logOffset: memory.logOffset, width, heat: eagerness.heat };
  const table = new WebAssembly.Table({ element: "anyfunc", initial: REGIONS_BEGIN });
  const factory = createInterpreterFactory(memory, table, options, maker);
  const cold = createColdPath({
    machine,
    width,
    registers,
    access,
    code,
    csrs,
    devices,
    mirror,
    timers,
    schedule,
    stops,
    translator: () => translator,
    prepareOperation: factory.prepareOperation,
    environmentCall: hooks.environmentCall,
    trapped: hooks.trapped,
  });
  const interpreter = factory.instantiate(cold.doors);
  const named = createNamedRegisters(registers, csrs, cold.modeChanged);

  function isBare(): boolean {
    const hart = activeHart();
    return hart.mode === MODE.machine && !hart.hasLocks && (hart.csr.mstatus & MSTATUS.MPRV) === 0n && !access.isWatching(hart);
  }

  const translator: Translator = createTranslator(
    {
      memory,
      code,
      table,
      chain: new WebAssembly.Table({ element: "anyfunc", initial: REGION_CACHE.entries }),
      absent: interpreter.absent,
      executeCold: cold.executeCold,
      accessDevice: cold.accessSite,
      siteOf: devices.siteOf,
      pc: () => registers.pc(registers.active()),
      link: () => registers.x(registers.active(), LINK),
      tlb: registers.tlb,
      noteUse: access.noteUse,
      mode: () => activeHart().mode,
      lifetime: schedule.lifetime,
      transferOf: (mnemonic) => transferOf(activeHart(), mnemonic),
      isBare,
      forgetRegions() {
        cold.endRegion();
        access.forgetRegions();
      },
    },
    options,
    eagerness,
  );
  memory.onHostWrite = (offset, length) => code.wrote(offset, length);
  memory.onRestore = (page) => code.restored(page);

  function fireEvents(): void {
    machine.fireEvents();
    // A device may have written mtime.
    cold.followCounter();
  }

  function trace(hart: Hart): void {
    const pc = registers.pc(hart.index);
    const offset = ramAt(hart, pc);
    if (offset < 0) return;
    const low = memory.view.getUint16(offset, true);
    const second = instructionLength(low) === 2 ? -1 : ramAt(hart, pc + 2n);
    hooks.trace?.(hart.index, pc, second < 0 ? low : (low | (memory.view.getUint16(second, true) << 16)) >>> 0);
  }

  function ramAt(hart: Hart, address: bigint): number {
    const physical = access.peek(hart, address);
    const offset = physical === null ? -1 : Number(physical - memory.base);
    return offset >= 0 && offset + 2 <= memory.size ? offset : -1;
  }

  function runHart(hart: Hart): void {
    cold.takeInterrupt(hart);
    if (!schedule.grant()) return;
    if (hooks.trace === undefined) interpreter.run();
    else {
      trace(hart);
      cold.executeUncached(hart);
    }
    schedule.sync(0);
    schedule.withdraw();
  }

  /** What ends a run before anything else happens. */
  function reasonToStop(): StopReason | null {
    const exit = machine.exitRequest();
    if (exit !== null) return { kind: "exit", exit };
    return stops.reason() ?? (schedule.isLimitReached() ? { kind: "limit" } : null);
  }

  function begin(limits: ProcessorLimits, ignoresBreakpoints: boolean): void {
    // Between runs somebody may have begun to look for pages that become dirty.
    memory.bytes.fill(STORABLE.undirtied, storable, storable + memory.size / PAGE_BYTES);
    for (const page of code.pages()) memory.bytes[storable + page] = STORABLE.no;
    schedule.begin(limits);
    stops.begin(ignoresBreakpoints);
    timers.update();
  }

  function setUp(hart: Hart, setup: CpuSetup): void {
    registers.setPc(hart.index, BigInt.asUintN(width, setup.pc) & ~1n);
    hart.mode = MODES[setup.privilege];
    for (const [name, value] of Object.entries(setup.registers ?? {})) named.write(hart, name, value);
    hart.run = setup.isStopped === true ? "stopped" : "running";
    cold.modeChanged(hart);
  }

  function forgetCaches(): void {
    for (const hart of harts) access.flush(hart);
  }

  function reset(setups: readonly CpuSetup[]): void {
    registers.clear();
    mirror.clear();
    code.clear();
    forgetCaches();
    schedule.reset();
    for (const hart of harts) {
      resetHart(hart);
      const setup = setups[hart.index] ?? (setups.length === 1 ? setups[0] : undefined);
      if (setup !== undefined) setUp(hart, setup);
    }
    stops.update();
    schedule.activate(hartAt(cpuCount > 1 ? machine.scheduleRandom() % cpuCount : 0));
    schedule.endTurn();
  }

  reset([]);

  return {
    cpuCount,
    regions: translator.regionCount,
    reset,
    run(limits) {
      begin(limits, false);
      for (;;) {
        const reason = reasonToStop();
        if (reason !== null) return reason;
        if (machine.nextEvent() <= machine.now()) fireEvents();
        else {
          if (timers.next() <= machine.now()) timers.findNext();
          const hart = schedule.chooseHart();
          if (hart !== null) runHart(hart);
          else if (!schedule.idle()) return { kind: "idle" };
        }
      }
    },
    step(cpu) {
      const hart = hartAt(cpu);
      begin({ instructions: 1, until: Infinity }, true);
      if (machine.nextEvent() <= machine.now()) fireEvents();
      if (isAsleep(hart) && hasWakeup(hart, csrs)) hart.run = "running";
      if (hart.run !== "running") return { kind: "idle" };
      schedule.activate(hart);
      schedule.beginStep();
      runHart(hart);
      schedule.endTurn();
      const reason = reasonToStop();
      return reason?.kind === "limit" ? null : reason;
    },
    instructions: (cpu) => (cpu === undefined ? schedule.total() : hartAt(cpu).executed),
    requestStop: () => stops.stop({ kind: "request" }),
    readRegister: (cpu, name) => named.read(hartAt(cpu), name),
    writeRegister: (cpu, name, value) => named.write(hartAt(cpu), name, value),
    cpuState: (cpu) => hartAt(cpu).run,
    startCpu(cpu, setup) {
      setUp(hartAt(cpu), setup);
    },
    stopCpu(cpu) {
      hartAt(cpu).run = "stopped";
    },
    suspendCpu(cpu) {
      hartAt(cpu).run = "suspended";
    },
    flushTranslations(cpu) {
      if (cpu === undefined) forgetCaches();
      else access.flush(hartAt(cpu));
    },
    translate: (cpu, address) => access.peek(hartAt(cpu), BigInt.asUintN(width, address)),
    setBreakpoints(addresses) {
      stops.setBreakpoints(new Set(addresses.map((address) => BigInt.asUintN(width, address))));
    },
    setWatchpoints: access.setWatchpoints,
    invalidateCode: () => code.compare(),
    save: (): ProcessorState => ({
      ...schedule.save(),
      harts: harts.map(saveHart),
      blocks: harts.map((hart) => registers.save(hart.index)),
    }),
    load(state) {
      const saved = state as { active: number; turnLeft: number; total: number; harts: readonly ProcessorState[]; blocks: readonly Uint8Array[] };
      registers.activate(saved.active);
      code.compareRestored();
      let haveTriggersChanged = false;
      harts.forEach((hart, index) => {
        // What M-mode may do with an address depends on protection alone.
        const { isProtectionSame, areTriggersSame } = loadHart(hart, saved.harts[index]);
        if (isProtectionSame && areTriggersSame) access.flushTranslated(hart);
        else access.flush(hart);
        haveTriggersChanged ||= !areTriggersSame;
        const block = saved.blocks[index];
        if (block !== undefined) registers.load(index, block);
      });
      if (haveTriggersChanged) stops.update();
      schedule.load(saved);
      schedule.activate(activeHart());
      timers.update();
    },
  };
}
