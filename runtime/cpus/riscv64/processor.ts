// The riscv64 or riscv32 CPUs of a machine: joins registers, caches, interpreter and cold path, and decides who runs for how long. The interpreter
// gets a budget of instructions: up to the next event, the end of the hart's turn, the caller's limit. What it leaves of it becomes guest
// time whenever somebody looks (`sync`); what happens on the cold path may make the budget another one (`settle`). A run with a trace
// executes everything on the cold path: the same instructions from the same description without generated code, which tests compare.
// Both widths are one source: what differs follows from `width` where it differs.
// RV64IMAFDC or RV32IMAFDC, Zicsr, Zifencei, Zba, Zbb, Zbs, Zicond, Zihintpause, Sstc, Svinval, Svadu, Sdtrig; M, S and U modes. Left out: the hypervisor
// extension, Zbc, Zicbom and Zicboz, Zawrs, performance counters besides cycle and instret.

import type { MachineCore } from "../../machine/cpu-contract.ts";
import type { CreateProcessor, CpuSetup, Privilege, Processor, ProcessorHooks, ProcessorState, StopReason } from "../../machine/processor.ts";
import type { RegisterWidth } from "../../../isa/riscv64/instructions.ts";
import { instructionLength } from "../../../isa/riscv64/decode.ts";
import { asTrap, CAUSE, createMemoryAccess } from "./access.ts";
import { createCodeCache, decodeInstruction, type CodeCache } from "./code-cache.ts";
import { INTERRUPT, type CsrEnvironment } from "./csrs.ts";
import { createDeviceAccess, type DeviceOutcome } from "./device-access.ts";
import { createDeviceMirror } from "./device-mirror.ts";
import { execute, type ExecuteEnvironment } from "./execute.ts";
import { createHart, loadHart, MODE, MSTATUS, resetHart, saveHart, type Hart, type Mode } from "./hart.ts";
import type { Door, InterpreterOptions } from "./emit-body.ts";
import { isApart } from "./emit-operation.ts";
import { INTERPRETER_IMPORTS, writeInterpreter, writeOperations } from "./interpreter.ts";
import { createNamedRegisters } from "./named-registers.ts";
import { createTranslator, EAGERNESS, REGIONS_BEGIN, type ColdSite, type EagernessName, type Translator } from "./regions/translator.ts";
import { operationNumber, operationsOf, type Operation } from "./operations.ts";
import { createRegisterFile } from "./registers.ts";
import { ENTRY, MAX_HARTS, REGION_CACHE, STORABLE, STORABLE_OFFSET } from "./state.ts";
import { dueInterrupt, enterTrap, hasWakeup } from "./traps.ts";
import { createTimers } from "./timers.ts";
import { firesAt } from "./triggers.ts";

/** Instructions of a turn, on average: half of it to one and a half. */
const TURN = 10_000;
/** Accesses of an instruction to devices until it is one of those that meet devices. */
const DEVICE_AFTER = 8;
/** V8 takes better code for a function only when it is entered anew. So budgets are small for a while after a region was made; later they only cost. */
const YOUNG_BUDGET = 1_000_000;
const MAX_BUDGET = 16_000_000;
const YOUNG = 64_000_000;

const MODES: Readonly<Record<Privilege, Mode>> = { machine: MODE.machine, supervisor: MODE.supervisor, user: MODE.user };

/** Interrupt lines of the machine (cpu-contract.ts) as bits of mip. */
const LINE_BITS = [INTERRUPT.MSI, INTERRUPT.MTI, INTERRUPT.MEI, INTERRUPT.SEI] as const;

const PAGE_BYTES = 0x1000n;
/** Of both widths. */
const COLD = operationNumber("cold");

/** Modules of machines with the same layout are the same. */
const modules = new Map<string, WebAssembly.Module>();

/** What the interpreter consists of: a host knows better ways than to write all of it anew. */
export interface InterpreterMaker {
  readonly interpreter: (options: InterpreterOptions) => WebAssembly.Module;
  /** All operations apart. Null: they are written one by one when they are needed. */
  readonly operations: (options: InterpreterOptions) => WebAssembly.Module | null;
}

const WRITER: InterpreterMaker = {
  interpreter: (options) => new WebAssembly.Module(writeInterpreter(options)),
  operations: () => null,
};

function moduleOf({ stateOffset, dirtyOffset, width, heat }: InterpreterOptions, part: string, compile: () => WebAssembly.Module): WebAssembly.Module {
  const key = `${stateOffset},${dirtyOffset},${width},${heat},${part}`;
  let module = modules.get(key);
  if (module === undefined) {
    module = compile();
    modules.set(key, module);
  }
  return module;
}

function asRun(value: unknown): () => void {
  if (typeof value !== "function") throw new Error("the interpreter has no entry");
  return value as () => void;
}

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
export const createRiscv32: CreateProcessor = (machine, hooks = {}) => createRiscv(machine, hooks, { width: 32 });

export function createRiscv(
  machine: MachineCore,
  hooks: ProcessorHooks,
  { width, eagerness: wanted = "normal", maker = WRITER }: RiscvOptions,
): RiscvProcessor {
  const operations = operationsOf(width);
  const eagerness = EAGERNESS[wanted];
  const { memory, cpuCount } = machine;
  if (cpuCount > MAX_HARTS) throw new RangeError(`${cpuCount} harts: at most ${MAX_HARTS}`);
  const registers = createRegisterFile(memory, cpuCount, width, hooks.environmentCall === undefined ? 0 : 1 << MODE.supervisor);
  const harts = Array.from({ length: cpuCount }, (_, index) => createHart(index, registers.control(index), width));

  function hartAt(index: number): Hart {
    const hart = harts[index];
    if (hart === undefined) throw new RangeError(`no CPU ${index}: there are ${cpuCount}`);
    return hart;
  }

  const activeHart = (): Hart => hartAt(registers.active());

  // ------------------------------------------------------------------------------------------------------------ time and limits

  /** Fields of a record on purpose: variables that closures share would be boxed anew with every change. */
  const spending = {
    /** The budget at the last `sync`: what is missing from it in the cell has been executed since. */
    granted: 0,
    total: 0,
    limitLeft: 0,
    until: 0,
    /** Of the active hart; Infinity while it is the only one that runs. */
    turnLeft: 0,
    /** What the budget was granted for: the next event, and (below) interrupt lines as they were. */
    event: 0,
    /** Of the translator, and until when the last of them is young. */
    regions: 0,
    youngUntil: 0,
  };
  let stop: StopReason | null = null;
  let ignoresBreakpoints = false;
  /** Instructions of each hart when the run began. */
  const before = new Float64Array(cpuCount);
  const timers = createTimers(machine, harts);

  /** Brings time and counts up to the budget; `current` instructions of it have begun but are not done. */
  function sync(current: 0 | 1): void {
    const executed = spending.granted - registers.budget() - current;
    if (executed === 0) return;
    spending.granted -= executed;
    spending.total += executed;
    spending.limitLeft -= executed;
    spending.turnLeft -= executed;
    activeHart().executed += executed;
    machine.advance(executed);
  }

  const nextEvent = (): number => Math.min(machine.nextEvent(), timers.next());

  const grantedLines = new Int32Array(cpuCount);

  function isYoung(): boolean {
    const count = translator.regionCount();
    if (count !== spending.regions) {
      spending.regions = count;
      spending.youngUntil = spending.total + YOUNG;
    }
    return spending.total < spending.youngUntil;
  }

  /** Sets the budget to what may be executed until somebody has to look; false: nothing. */
  function grant(): boolean {
    if (spending.turnLeft === Infinity && hasOthers()) drawTurn();
    spending.event = nextEvent();
    for (let cpu = 0; cpu < cpuCount; cpu++) grantedLines[cpu] = machine.lines(cpu);
    const wanted = Math.min(
      spending.limitLeft,
      spending.until - machine.now(),
      spending.event - machine.now(),
      spending.turnLeft,
      hooks.trace === undefined ? (isYoung() ? YOUNG_BUDGET : MAX_BUDGET) : 1,
    );
    spending.granted = Math.max(wanted, 0);
    registers.setBudget(spending.granted);
    mirror.refresh();
    const { executed } = activeHart();
    registers.setCounts(executed + spending.granted, machine.now() + spending.granted, timers.counterOffset(), timers.countNs());
    return spending.granted > 0;
  }

  /** Whether a device has done something since then that anybody has to act on. */
  function hasConsequences(): boolean {
    if (stop !== null || nextEvent() !== spending.event || machine.exitRequest() !== null) return true;
    for (let cpu = 0; cpu < cpuCount; cpu++) if (machine.lines(cpu) !== grantedLines[cpu]) return true;
    return false;
  }

  // -------------------------------------------------------------------------------------------------------------------- the parts

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
      modeChanged(hart);
    },
    triggersChanged(hart) {
      updateStops();
      csrs.flush(hart);
    },
    timerChanged: timers.update,
    executed: (hart) => hart.executed,
  };

  /** A write to mtime moves the harts' own timers, and what they read as time; true: there was one. */
  function followCounter(): boolean {
    if (!timers.hasCounterMoved()) return false;
    timers.update();
    return true;
  }

  function device<T>(run: () => T): T {
    touchedDevice = true;
    const result = run();
    followCounter();
    return result;
  }

  const storable = memory.stateOffset + STORABLE_OFFSET;
  /** The instruction at hand has accessed a device. */
  let touchedDevice = false;
  /** Counts whatever could make a region wrong that is under way: translations, code, the mode. */
  let epoch = 0;

  const access = createMemoryAccess(machine, harts, () => code, device);
  const mirror = createDeviceMirror(machine);
  const devices = createDeviceAccess(memory, machine.bus, width, mirror.note);
  const code: CodeCache = createCodeCache(
    memory,
    {
      pageAdded(ramOffset) {
        epoch += 1;
        access.flushWrites();
        memory.bytes[storable + ramOffset / Number(PAGE_BYTES)] = STORABLE.no;
      },
      pageDropped: access.flushCode,
      changed: (offset, length) => translator.changed(offset, length),
      cleared: () => translator.clear(),
      hasRegion: (offset) => translator.hasRegion(offset),
      isDevice: (offset) => translator.isDevice(offset),
    },
    width,
  );
  const named = createNamedRegisters(registers, csrs, modeChanged);

  function modeChanged(hart: Hart): void {
    epoch += 1;
    const set = access.cachesFor(hart);
    if (hart.index === registers.active()) registers.setTlb(set);
  }

  const environment: ExecuteEnvironment = {
    registers,
    memory: access,
    csrs,
    environmentCall(hart, next) {
      const here = registers.pc(hart.index);
      switch (hooks.environmentCall?.(hart.index) ?? "trap") {
        case "handled":
          return next;
        case "moved":
          return registers.pc(hart.index);
        case "stop":
          requestStop();
          return next;
        case "trap":
          registers.setPc(hart.index, here);
          return null;
      }
    },
    trap(hart, cause, value) {
      takeTrap(hart, cause, false, value);
      return registers.pc(hart.index);
    },
    modeChanged,
    wait(hart) {
      hart.run = "waiting";
      // Firmware may wait in a loop with an interrupt pending that it never takes.
      if (hasOthers()) spending.turnLeft = 0;
    },
    yieldTurn() {
      if (hasOthers()) spending.turnLeft = 0;
    },
  };

  function requestStop(): void {
    stop ??= { kind: "request" };
  }

  // --------------------------------------------------------------------------------------------------------- one cold instruction

  function takeTrap(hart: Hart, cause: number, isInterrupt: boolean, value: bigint): void {
    registers.setPc(hart.index, enterTrap(hart, cause, isInterrupt, value, registers.pc(hart.index)));
    registers.dropReservation(hart.index);
    modeChanged(hart);
  }

  /** Executes the instruction at the hart's pc; `low` are its first 16 bits. */
  function executeOne(hart: Hart, low: number, high: () => number): void {
    trapping(hart, () => {
      const bits = instructionLength(low) === 2 ? low : (low | (high() << 16)) >>> 0;
      executeDecoded(hart, decodeInstruction(bits, width), bits);
    });
  }

  function executeDecoded(hart: Hart, instruction: ReturnType<typeof decodeInstruction>, bits: number): void {
    registers.setPc(hart.index, execute(environment, hart, instruction, registers.pc(hart.index), bits));
  }

  function trapping(hart: Hart, run: () => void): void {
    try {
      run();
    } catch (thrown) {
      const { cause, value } = asTrap(thrown);
      takeTrap(hart, cause, false, value);
    }
    const hit = access.takeWatchHit();
    if (hit !== null) stop ??= { kind: "watchpoint", cpu: hart.index, pc: registers.pc(hart.index), ...hit };
  }

  /** A trigger of the hart's own stands in front of the instruction at its pc: the trap is taken in its place, and counts as one. */
  function pullTrigger(hart: Hart): boolean {
    if (hart.triggers.executes.length === 0 || !firesAt(hart, registers.pc(hart.index))) return false;
    takeTrap(hart, CAUSE.breakpoint, false, 0n);
    return true;
  }

  const secondHalf = (hart: Hart): number => access.fetchHalf(hart, BigInt.asUintN(width, registers.pc(hart.index) + 2n));

  /** False: the page cannot be executed from, or protection cuts it, and no decoded page of it is kept. */
  function findPage(hart: Hart): boolean {
    try {
      return access.fetchPage(hart, registers.pc(hart.index)) !== null;
    } catch (thrown) {
      asTrap(thrown);
      return false;
    }
  }

  /**
   * One instruction from its bytes, faults of the fetch included. Such a fault counts as an instruction: a handler that cannot be fetched
   * either must not run for ever.
   */
  function executeUncached(hart: Hart): void {
    registers.setBudget(registers.budget() - 1);
    sync(1);
    if (pullTrigger(hart)) return;
    let low: number;
    try {
      low = access.fetchHalf(hart, registers.pc(hart.index));
    } catch (thrown) {
      const { cause, value } = asTrap(thrown);
      takeTrap(hart, cause, false, value);
      return;
    }
    executeOne(hart, low, () => secondHalf(hart));
  }

  /** After an instruction that may have changed anything: false if the interpreter has to return. */
  function settle(): boolean {
    sync(0);
    const hart = activeHart();
    if (stop !== null || hart.run !== "running" || machine.exitRequest() !== null || spending.turnLeft <= 0 || nextEvent() <= machine.now()) return false;
    takeInterrupt(hart);
    // What this hart did may wake others, which then share the time with it.
    wakeHarts();
    return grant();
  }

  function takeInterrupt(hart: Hart): void {
    const isPossible = hart.csr.mie !== 0n && (machine.lines(hart.index) !== 0 || hart.csr.mip !== 0n || timers.isDue(hart));
    const isPending = isPossible && hasWakeup(hart, csrs);
    registers.setQuiet(!isPending);
    if (!isPending) return;
    const cause = dueInterrupt(hart, csrs);
    if (cause !== null) takeTrap(hart, cause, true, 0n);
  }

  function finishAccess(hart: Hart, outcome: Exclude<DeviceOutcome, "unknown">): 0 | 1 {
    const isMoved = followCounter();
    if (outcome === "done" && !isMoved && !hasConsequences()) {
      mirror.refresh();
      return 1;
    }
    if (outcome !== "done") takeTrap(hart, outcome === "load-fault" ? CAUSE.loadAccess : CAUSE.storeAccess, false, devices.faultAddress());
    return settle() ? 1 : 0;
  }

  /** Of the instruction itself. */
  function kindOf(entry: number): Operation["kind"] | undefined {
    const operation = operations[memory.bytes[entry + ENTRY.operation] ?? 0];
    const isCover = operation?.kind === "region" || operation?.kind === "breakpoint";
    return isCover ? operations[code.operationUnder(entry)]?.kind : operation?.kind;
  }

  /**
   * The load or store of the entry was one to a device. It is counted in the entry, where loads have no rs2 and stores no rd; before that
   * field is full, the place is known for it.
   */
  function noteDevice(entry: number, offset: number): void {
    const { bytes } = memory;
    const kind = kindOf(entry);
    if (kind !== "load" && kind !== "store") return;
    const field = entry + (kind === "load" ? ENTRY.rs2 : ENTRY.rd);
    const times = (bytes[field] ?? 0) + 1;
    bytes[field] = times;
    if (times === DEVICE_AFTER) translator.learnDevice(offset);
  }

  const doors: { readonly [door in Door]: (entry: number, arrivals?: number, from?: number) => number } = {
    cold(entry) {
      sync(1);
      const hart = activeHart();
      if (pullTrigger(hart)) return settle() ? 1 : 0;
      const offset = code.offsetOf(entry);
      const outcome = devices.runEntry(entry);
      if (outcome !== "unknown") {
        noteDevice(entry, offset);
        return finishAccess(hart, outcome);
      }
      touchedDevice = false;
      executeOne(hart, memory.view.getUint16(offset, true), () => {
        const isInPage = (registers.pc(hart.index) & (PAGE_BYTES - 1n)) + 4n <= PAGE_BYTES;
        return isInPage ? memory.view.getUint16(offset + 2, true) : secondHalf(hart);
      });
      if (touchedDevice) noteDevice(entry, offset);
      else if (kindOf(entry) === "device-load") translator.forgetDevice(offset);
      return settle() ? 1 : 0;
    },
    page() {
      if (registers.budget() === 0) return 0;
      const hart = activeHart();
      if (findPage(hart)) return 1;
      executeUncached(hart);
      return settle() ? 1 : 0;
    },
    decode(entry) {
      prepareOperation(code.decodeEntry(entry));
      prepareOperation(memory.view.getUint8(entry + ENTRY.operation));
      return 1;
    },
    breakpoint(entry) {
      const hart = activeHart();
      const pc = registers.pc(hart.index);
      // The budget has been charged for the instruction already.
      const executed = hart.executed + spending.granted - registers.budget() - 1;
      if (!ignoresBreakpoints && executed !== before[hart.index] && breakpoints.has(pc)) {
        stop ??= { kind: "breakpoint", cpu: hart.index, pc };
        return -1;
      }
      return firesAt(hart, pc) ? COLD : code.operationUnder(entry);
    },
    region(entry) {
      // Code that the region itself executed may have set a stop in front of it.
      if (!code.mayHaveRegions()) {
        doors.decode(entry);
        return memory.bytes[entry + ENTRY.operation] ?? 0;
      }
      const under = code.operationUnder(entry);
      translator.remember(entry, under);
      return under;
    },
    hot(entry, arrivals = 0, from = entry) {
      translator.hot(entry, arrivals, from);
      return 0;
    },
  };

  /** An instruction within a region, which has its budget taken already; 1: the region may go on as if nothing had been. */
  function executeCold({ instruction, bits, access: site }: ColdSite): number {
    sync(1);
    const hart = activeHart();
    const before = epoch;
    const outcome = site === null ? "unknown" : devices.runSite(site);
    if (outcome !== "unknown") return goOn(finishAccess(hart, outcome) === 1, before);
    trapping(hart, () => executeDecoded(hart, instruction, bits));
    return goOn(settle(), before);
  }

  function goOn(mayRun: boolean, before: number): number {
    if (mayRun) return epoch === before ? 1 : 0;
    spending.granted = 0;
    registers.setBudget(0);
    return 0;
  }

  function isBare(): boolean {
    const hart = activeHart();
    return hart.mode === MODE.machine && !hart.hasLocks && (hart.csr.mstatus & MSTATUS.MPRV) === 0n && !access.isWatching(hart);
  }

  let breakpoints: ReadonlySet<bigint> = new Set();
  /** Offsets in pages at which the code cache asks, for debuggers and harts. */
  let stops: ReadonlySet<number> = new Set();

  function updateStops(): void {
    const addresses = [...breakpoints, ...harts.flatMap(({ triggers }) => triggers.executes.map(({ address }) => address))];
    const offsets = new Set(addresses.map((address) => Number(address & (PAGE_BYTES - 1n))));
    if (offsets.size === stops.size && [...offsets].every((offset) => stops.has(offset))) return;
    stops = offsets;
    code.setStops(stops);
  }

  const options = { stateOffset: memory.stateOffset, dirtyOffset: memory.dirtyOffset, logOffset: memory.logOffset, width, heat: eagerness.heat };
  const table = new WebAssembly.Table({ element: "anyfunc", initial: REGIONS_BEGIN });
  const apart = new WebAssembly.Table({ element: "anyfunc", initial: operations.length });
  const { exports } = new WebAssembly.Instance(
    moduleOf(options, "run", () => maker.interpreter(options)),
    { [INTERPRETER_IMPORTS]: { ...doors, memory: memory.memory, regions: table, apart } },
  );

  function instantiate(operations: WebAssembly.Module | null): WebAssembly.Exports | null {
    return operations && new WebAssembly.Instance(operations, { [INTERPRETER_IMPORTS]: { memory: memory.memory, regions: table } }).exports;
  }
  /** All operations apart, if the host has them. */
  let known: WebAssembly.Exports | null = null;

  /** No entry names an operation before its function is there. */
  function prepareOperation(number: number): void {
    const operation = operations[number];
    if (operation === undefined || !isApart(operation) || apart.get(number) !== null) return;
    known ??= instantiate(maker.operations(options));
    const write = (): WebAssembly.Module => new WebAssembly.Module(writeOperations(options, [number]));
    const found = known ?? instantiate(moduleOf(options, `${number}`, write));
    apart.set(number, found?.[`${number}`]);
  }

  const translator: Translator = createTranslator(
    {
      memory,
      code,
      table,
      chain: new WebAssembly.Table({ element: "anyfunc", initial: REGION_CACHE.entries }),
      absent: exports["absent"],
      executeCold,
      siteOf: devices.siteOf,
      pc: () => registers.pc(registers.active()),
      tlb: registers.tlb,
      mode: () => activeHart().mode,
      targetOf(mnemonic) {
        const { csr, mode } = activeHart();
        if (mnemonic !== "ecall") return mnemonic === "mret" ? csr.mepc : csr.sepc;
        const isDelegated = mode !== MODE.machine && ((csr.medeleg >> BigInt(CAUSE.callFromUser + mode)) & 1n) !== 0n;
        return (isDelegated ? csr.stvec : csr.mtvec) & ~3n;
      },
      isBare,
      forgetRegions() {
        epoch += 1;
        access.forgetRegions();
      },
    },
    options,
    eagerness,
  );
  const interpret = asRun(exports["run"]);
  memory.onHostWrite = (offset, length) => code.wrote(offset, length);
  memory.onRestore = (page) => code.restored(page);

  function fireEvents(): void {
    machine.fireEvents();
    // A device may have written mtime.
    followCounter();
  }

  // ------------------------------------------------------------------------------------------------------------------ whose turn

  const hasOthers = (): boolean => harts.some((hart) => hart.run === "running" && hart.index !== registers.active());

  function drawTurn(): void {
    spending.turnLeft = TURN / 2 + (machine.scheduleRandom() % TURN);
  }

  function activate(hart: Hart): void {
    if (hart.index !== registers.active()) {
      registers.activate(hart.index);
      // What others do from here on could break it.
      registers.dropReservation(hart.index);
    }
    registers.setTlb(access.cachesFor(hart));
  }

  function wakeHarts(): void {
    for (const hart of harts) if (hart.run === "waiting" && hasWakeup(hart, csrs)) hart.run = "running";
  }

  /** The hart that runs now, or null if all wait. */
  function chooseHart(): Hart | null {
    wakeHarts();
    const active = activeHart();
    if (active.run === "running" && spending.turnLeft > 0) return active;
    for (let n = 1; n <= cpuCount; n++) {
      const hart = hartAt((active.index + n) % cpuCount);
      if (hart.run !== "running") continue;
      activate(hart);
      spending.turnLeft = Infinity;
      if (hasOthers()) drawTurn();
      return hart;
    }
    return null;
  }

  /** Nobody runs: time goes to whatever comes next. */
  function idle(): StopReason | null {
    const next = nextEvent();
    if (next === Infinity) return { kind: "idle" };
    machine.advance(Math.max(Math.min(next, spending.until) - machine.now(), 0));
    return null;
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
    takeInterrupt(hart);
    if (!grant()) return;
    if (hooks.trace === undefined) interpret();
    else {
      trace(hart);
      executeUncached(hart);
    }
    sync(0);
    registers.setBudget(0);
    spending.granted = 0;
  }

  /** What ends a run before anything else happens. */
  function reasonToStop(): StopReason | null {
    const exit = machine.exitRequest();
    if (exit !== null) return { kind: "exit", exit };
    if (stop !== null) return stop;
    return spending.limitLeft <= 0 || machine.now() >= spending.until ? { kind: "limit" } : null;
  }

  function begin(instructions: number, end: number): void {
    // Between runs somebody may have begun to look for pages that become dirty.
    memory.bytes.fill(STORABLE.undirtied, storable, storable + memory.size / Number(PAGE_BYTES));
    for (const page of code.pages()) memory.bytes[storable + page] = STORABLE.no;
    spending.limitLeft = instructions;
    spending.until = end;
    stop = null;
    for (const hart of harts) before[hart.index] = hart.executed;
    timers.update();
  }

  function setUp(hart: Hart, setup: CpuSetup): void {
    registers.setPc(hart.index, BigInt.asUintN(width, setup.pc) & ~1n);
    hart.mode = MODES[setup.privilege];
    for (const [name, value] of Object.entries(setup.registers ?? {})) named.write(hart, name, value);
    hart.run = setup.isStopped === true ? "stopped" : "running";
    modeChanged(hart);
  }

  function forgetCaches(): void {
    for (const hart of harts) access.flush(hart);
  }

  function reset(setups: readonly CpuSetup[]): void {
    registers.clear();
    mirror.clear();
    code.clear();
    forgetCaches();
    spending.total = 0;
    spending.granted = 0;
    for (const hart of harts) {
      resetHart(hart);
      const setup = setups[hart.index] ?? (setups.length === 1 ? setups[0] : undefined);
      if (setup !== undefined) setUp(hart, setup);
    }
    updateStops();
    if (cpuCount > 1) activate(hartAt(machine.scheduleRandom() % cpuCount));
    else activate(hartAt(0));
    spending.turnLeft = 0;
  }

  reset([]);

  return {
    cpuCount,
    regions: translator.regionCount,
    reset,
    run(limits) {
      begin(limits.instructions, limits.until);
      for (;;) {
        const reason = reasonToStop();
        if (reason !== null) return reason;
        if (machine.nextEvent() <= machine.now()) fireEvents();
        else {
          if (timers.next() <= machine.now()) timers.findNext();
          const hart = chooseHart();
          if (hart !== null) runHart(hart);
          else {
            const ended = idle();
            if (ended !== null) return ended;
          }
        }
      }
    },
    step(cpu) {
      const hart = hartAt(cpu);
      begin(1, Infinity);
      if (machine.nextEvent() <= machine.now()) fireEvents();
      if (hart.run === "waiting" && hasWakeup(hart, csrs)) hart.run = "running";
      if (hart.run !== "running") return { kind: "idle" };
      activate(hart);
      spending.turnLeft = 1;
      ignoresBreakpoints = true;
      runHart(hart);
      ignoresBreakpoints = false;
      spending.turnLeft = 0;
      const reason = reasonToStop();
      return reason?.kind === "limit" ? null : reason;
    },
    instructions: (cpu) => (cpu === undefined ? spending.total : hartAt(cpu).executed),
    requestStop,
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
      hartAt(cpu).run = "waiting";
    },
    flushTranslations(cpu) {
      if (cpu === undefined) forgetCaches();
      else access.flush(hartAt(cpu));
    },
    translate: (cpu, address) => access.peek(hartAt(cpu), BigInt.asUintN(width, address)),
    setBreakpoints(addresses) {
      breakpoints = new Set(addresses.map((address) => BigInt.asUintN(width, address)));
      updateStops();
    },
    setWatchpoints: access.setWatchpoints,
    invalidateCode: () => code.compare(),
    save: (): ProcessorState => ({
      active: registers.active(),
      turnLeft: spending.turnLeft === Infinity ? -1 : spending.turnLeft,
      total: spending.total,
      harts: harts.map(saveHart),
      blocks: harts.map((hart) => registers.save(hart.index)),
    }),
    load(state) {
      const saved = state as { active: number; turnLeft: number; total: number; harts: readonly ProcessorState[]; blocks: readonly Uint8Array[] };
      registers.activate(saved.active);
      code.compareRestored();
      harts.forEach((hart, index) => {
        // What M-mode may do with an address depends on protection alone.
        const { isProtectionSame, areTriggersSame } = loadHart(hart, saved.harts[index]);
        if (isProtectionSame && areTriggersSame) access.flushTranslated(hart);
        else access.flush(hart);
        const block = saved.blocks[index];
        if (block !== undefined) registers.load(index, block);
      });
      updateStops();
      spending.turnLeft = saved.turnLeft < 0 ? Infinity : saved.turnLeft;
      spending.total = saved.total;
      activate(activeHart());
      timers.update();
    },
  };
}
