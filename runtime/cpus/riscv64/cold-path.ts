// The cold path: what generated code leaves to TypeScript, by the interpreter's doors (interpreter.ts) or from within a region. One whole
// instruction is executed, faults, devices and traps included; then time, interrupts and other harts are looked at (`settle`), which may
// make the budget another one or end the interpreter's call. Without generated code, as a run with a trace wants it, every instruction
// goes this way, by the same description of the instructions; tests compare the two.

import type { RegisterWidth } from "../../../isa/riscv64/by-width.ts";
import { instructionLength } from "../../../isa/riscv64/decode.ts";
import type { MachineCore } from "../../machine/cpu-contract.ts";
import type { EnvironmentCall, ProcessorHooks } from "../../machine/processor.ts";
import { asTrap, CAUSE, type MemoryAccess } from "./access.ts";
import { decodeInstruction, type CodeCache } from "./code-cache.ts";
import type { CsrEnvironment } from "./csrs.ts";
import { OUTCOME, type DeviceAccess, type DeviceOutcome } from "./device-access.ts";
import type { DeviceMirror } from "./device-mirror.ts";
import { execute, type ExecuteEnvironment } from "./execute.ts";
import type { Hart } from "./hart.ts";
import type { Doors } from "./interpreter-instance.ts";
import { ACCESS_FORM, FIXED_NUMBER } from "./operations.ts";
import type { RegisterFile } from "./registers.ts";
import type { ColdSite, Translator } from "./regions/translator.ts";
import type { Schedule } from "./schedule.ts";
import { DECODER, DECODER_OFFSET, ENTRY } from "./state.ts";
import type { Stops } from "./stops.ts";
import type { Timers } from "./timers.ts";
import { dueInterrupt, enterTrap, hasWakeup } from "./traps.ts";
import { firesAt } from "./triggers.ts";

/** Accesses of an instruction to devices until it is one of those that meet devices. */
const DEVICE_AFTER = 8;
const PAGE_BYTES = 0x1000n;

/** The processor's parts that an instruction may reach. */
export interface ColdPathParts {
  readonly machine: MachineCore;
  readonly width: RegisterWidth;
  readonly registers: RegisterFile;
  readonly access: MemoryAccess;
  readonly code: CodeCache;
  readonly csrs: CsrEnvironment;
  readonly devices: DeviceAccess;
  readonly mirror: DeviceMirror;
  readonly timers: Timers;
  readonly schedule: Schedule;
  readonly stops: Stops;
  /** It comes to be after the doors. */
  readonly translator: () => Translator;
  readonly prepareOperation: (number: number) => void;
  /** The firmware's answer, if there is one. */
  readonly environmentCall: ((cpu: number) => EnvironmentCall) | undefined;
  readonly trapped: ProcessorHooks["trapped"];
}

export interface ColdPath {
  readonly doors: Doors;
  /**
   * An instruction within a region, which has its budget taken already; 1: the region may go on as if nothing had been. Behind a load or store
   * it knows where, and the pc need not say so.
   */
  readonly executeCold: (site: ColdSite) => number;
  /** The same for a load or store at a physical address beside RAM that translation and protection allow; `value` is what it stores, up to 4 bytes. */
  readonly accessSite: (site: ColdSite, physical: number, value: number) => number;
  /**
   * One instruction from its bytes, faults of the fetch included. Such a fault counts as an instruction: a handler that cannot be fetched
   * either must not run for ever.
   */
  readonly executeUncached: (hart: Hart) => void;
  readonly takeInterrupt: (hart: Hart) => void;
  /** Carries out an access to a device. */
  readonly accessDevice: <T>(run: () => T) => T;
  /** A write to mtime moves the harts' own timers, and what they read as time; true: there was one. */
  readonly followCounter: () => boolean;
  readonly modeChanged: (hart: Hart) => void;
  /** Translations, code or the mode have changed: a region that is under way could be wrong. */
  readonly endRegion: () => void;
}

export function createColdPath(parts: ColdPathParts): ColdPath {
  const { machine, width, registers, access, code, csrs, devices, mirror, timers, schedule, stops, translator, prepareOperation } = parts;
  const { activeHart, sync } = schedule;
  const { memory } = machine;
  const forms = memory.stateOffset + DECODER_OFFSET + DECODER.forms;
  /** The instruction at hand has accessed a device. */
  let touchedDevice = false;
  /** Counts whatever could make a region wrong that is under way. */
  let epoch = 0;

  function endRegion(): void {
    epoch += 1;
  }

  function modeChanged(hart: Hart): void {
    epoch += 1;
    const set = access.cachesFor(hart);
    if (hart.index === registers.active()) registers.setTlb(set);
  }

  function followCounter(): boolean {
    if (!timers.hasCounterMoved()) return false;
    timers.update();
    return true;
  }

  function accessDevice<T>(run: () => T): T {
    touchedDevice = true;
    const result = run();
    followCounter();
    return result;
  }

  const environment: ExecuteEnvironment = {
    registers,
    memory: access,
    csrs,
    environmentCall(hart, next) {
      const here = registers.pc(hart.index);
      switch (parts.environmentCall?.(hart.index) ?? "trap") {
        case "handled":
          return next;
        case "moved":
          return registers.pc(hart.index);
        case "stop":
          stops.stop({ kind: "request" });
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
      schedule.yieldTurn();
    },
    yieldTurn: schedule.yieldTurn,
  };

  function takeTrap(hart: Hart, cause: number, isInterrupt: boolean, value: bigint): void {
    const pc = registers.pc(hart.index);
    parts.trapped?.(hart.index, { pc, cause, isInterrupt, value });
    registers.setPc(hart.index, enterTrap(hart, cause, isInterrupt, value, pc));
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
    if (hit !== null) stops.stop({ kind: "watchpoint", cpu: hart.index, pc: registers.pc(hart.index), ...hit });
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
    if (stops.reason() !== null || hart.run !== "running" || machine.exitRequest() !== null || schedule.isTurnOver()) return false;
    takeInterrupt(hart);
    // What this hart did may wake others, which then share the time with it.
    schedule.wakeHarts();
    return schedule.grant();
  }

  function takeInterrupt(hart: Hart): void {
    const isPossible = hart.csr.mie !== 0n && (machine.lines(hart.index) !== 0 || hart.csr.mip !== 0n || timers.isDue(hart));
    const isPending = isPossible && hasWakeup(hart, csrs);
    registers.setQuiet(!isPending);
    if (!isPending) return;
    const cause = dueInterrupt(hart, csrs);
    if (cause !== null) takeTrap(hart, cause, true, 0n);
  }

  /** What nearly all accesses are: true if all goes on as it was, but for a budget that may have become smaller. */
  function isUneventful(outcome: DeviceOutcome): boolean {
    if (outcome !== OUTCOME.done || stops.reason() !== null || schedule.hasConsequences()) return false;
    mirror.refresh();
    return true;
  }

  /** What an access has led to, the pc being behind it; as `settle`. */
  function finishAccess(outcome: DeviceOutcome): boolean {
    sync(1);
    followCounter();
    if (outcome !== OUTCOME.done) takeTrap(activeHart(), outcome === OUTCOME.loadFault ? CAUSE.loadAccess : CAUSE.storeAccess, false, devices.faultAddress());
    return settle();
  }

  /** Of the instruction itself. */
  function operationAt(entry: number): number {
    const operation = memory.bytes[entry + ENTRY.operation] ?? 0;
    const isCover = operation === FIXED_NUMBER.region || operation === FIXED_NUMBER.breakpoint;
    return isCover ? code.operationUnder(entry) : operation;
  }

  /**
   * The load or store of the entry was one to a device. It is counted in the entry, where loads have no rs2 and stores no rd; before that
   * field is full, the place is known for it.
   */
  function noteDevice(entry: number): void {
    const { bytes } = memory;
    const form = bytes[forms + operationAt(entry)] ?? 0;
    if (form === 0) return;
    const isLoad = (form & ACCESS_FORM.isStore) === 0;
    const field = entry + (isLoad ? ENTRY.rs2 : ENTRY.rd);
    const times = (bytes[field] ?? 0) + 1;
    bytes[field] = times;
    if (times === DEVICE_AFTER) translator().learnDevice(code.offsetOf(entry), isLoad);
  }

  const doors: Doors = {
    cold(entry) {
      const hart = activeHart();
      if (hart.triggers.executes.length === 0) {
        schedule.tellTime();
        const outcome = devices.runEntry(entry);
        if (outcome !== OUTCOME.unknown) {
          noteDevice(entry);
          return isUneventful(outcome) || finishAccess(outcome) ? 1 : 0;
        }
      }
      sync(1);
      if (pullTrigger(hart)) return settle() ? 1 : 0;
      const offset = code.offsetOf(entry);
      touchedDevice = false;
      executeOne(hart, memory.view.getUint16(offset, true), () => {
        const isInPage = (registers.pc(hart.index) & (PAGE_BYTES - 1n)) + 4n <= PAGE_BYTES;
        return isInPage ? memory.view.getUint16(offset + 2, true) : secondHalf(hart);
      });
      if (touchedDevice) noteDevice(entry);
      else if (operationAt(entry) === FIXED_NUMBER["device-load"]) translator().forgetDevice(offset);
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
      // The decoder has made ready what the bytes say. What the code cache makes of it, it has not: a load that meets devices, which may
      // stand under the region or the stop that the entry names.
      prepareOperation(code.decodeEntry(entry));
      prepareOperation(memory.view.getUint8(entry + ENTRY.operation));
      return 1;
    },
    prepare(number) {
      prepareOperation(number);
      return 1;
    },
    breakpoint(entry) {
      const hart = activeHart();
      const pc = registers.pc(hart.index);
      if (stops.isBreakpoint(hart, pc, schedule.executedBefore())) {
        stops.stop({ kind: "breakpoint", cpu: hart.index, pc });
        return -1;
      }
      return firesAt(hart, pc) ? FIXED_NUMBER.cold : code.operationUnder(entry);
    },
    region(entry) {
      // Code that the region itself executed may have set a stop in front of it.
      if (!code.mayHaveRegions()) {
        doors.decode(entry);
        return memory.bytes[entry + ENTRY.operation] ?? 0;
      }
      const under = code.operationUnder(entry);
      translator().remember(entry, under);
      return under;
    },
    hot(entry, arrivals = 0, from = entry) {
      translator().hot(entry, arrivals, from);
      return 0;
    },
  };

  function goOn(mayRun: boolean, before: number): number {
    if (mayRun) return epoch === before ? 1 : 0;
    schedule.withdraw();
    return 0;
  }

  function executeCold({ instruction, bits }: ColdSite): number {
    sync(1);
    const hart = activeHart();
    const before = epoch;
    trapping(hart, () => executeDecoded(hart, instruction, bits));
    return goOn(settle(), before);
  }

  return {
    doors,
    executeCold,
    accessSite(site, physical, value) {
      const { access: found } = site;
      if (found === null || (physical & (found.form.width - 1)) !== 0) return executeCold(site);
      const before = epoch;
      schedule.tellTime();
      const outcome = devices.accessAt(found, physical, value);
      // A device may have written over the region's own code.
      if (epoch === before && isUneventful(outcome)) return 1;
      if (outcome === OUTCOME.done) devices.stepOver(found.length);
      return goOn(finishAccess(outcome), before);
    },
    executeUncached,
    takeInterrupt,
    accessDevice,
    followCounter,
    modeChanged,
    endRegion,
  };
}
