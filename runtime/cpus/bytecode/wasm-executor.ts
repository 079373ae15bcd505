// Runs translated guest code on CPU 0: the other side of translate.ts. One WebAssembly instance serves every call on its machine. Code
// counts instructions down in its own local; here the count becomes guest time whenever somebody looks at it (`sync`), and here is
// decided how far the code may run before it has to poll again (`grant`). Traps, unwinding and the end of a run are thrown as three
// preallocated objects and caught by the innermost guard or by `call`; guest stack limits bound the depth of the host's stack.
// Limit: one CPU. `cpu_start` of another CPU that exists ends in a NeedsInterpreterError.

import { TRAP_CLASSES, TRAP_FIELDS } from "../../../isa/bytecode/instructions.ts";
import type { TrapClass } from "../../../isa/bytecode/instructions.ts";
import { byteWidth, codeAddress } from "../../../isa/bytecode/module.ts";
import type { Module } from "../../../isa/bytecode/module.ts";
import {
  RELAX_LIMIT,
  STACK_RESERVE,
  type Executor,
  type ExecutorFactory,
  type LoadedImage,
  type MachineCore,
  type Outcome,
  type RunLimits,
  type TrapRecord,
} from "../../machine/cpu-contract.ts";
import { compileImage, compilePlainly, sameOptions, translationOptions } from "./compiled-image.ts";
import type { CompileWasm, CompiledImage } from "./compiled-image.ts";
import { IMPORT_MODULE, LIMIT_EXPORT } from "./translate.ts";
import { createMemoryImports } from "./wasm-memory.ts";
import { CELL, buildSignatures, callBytes, enterName, layOutState } from "./wasm-state.ts";
import type { ImportName } from "./wasm-state.ts";

/** Fuel is an i32; a grant leaves room for what straight-line code spends before it polls. */
const MAX_GRANT = 0x4000_0000;

/** The guest started a second CPU, which a translation cannot run. The run has to be repeated on the interpreter. */
export class NeedsInterpreterError extends Error {
  constructor() {
    super("the guest started another CPU: translated code serves CPU 0 only, run this on the interpreter");
    this.name = "NeedsInterpreterError";
  }
}

/** The host's stack ended before the guest's. Says nothing about the guest: the run has to be repeated on the interpreter. */
export class HostStackError extends Error {
  constructor(cause: unknown) {
    super("the host's stack is too small for the guest's depth of calls", { cause });
    this.name = "HostStackError";
  }
}

// Thrown through translated code; compared by identity. What they carry is in the executor's state.
const TRAPPED = { reason: "trap taken" } as const;
const UNWOUND = { reason: "unwind" } as const;
const STOPPED = { reason: "machine stopped" } as const;

type Enter = (functionIndex: number) => void;

function isEnter(value: unknown): value is Enter {
  return typeof value === "function";
}

/** An executor of an image on a machine that places it as it was compiled. */
export function createWasmExecutor(image: LoadedImage, machine: MachineCore, compiled: CompiledImage): Executor {
  const { module } = image;
  const { memory } = machine;
  const { base, size } = memory;
  if (!sameOptions(compiled.options, translationOptions(image, machine))) {
    throw new Error("the image was compiled for another placement in memory");
  }
  const stack = image.stacks[0];
  if (stack === undefined) throw new RangeError("the image has no stack for CPU 0");
  const top = Number(stack.top - base);
  const baseLimit = Number(stack.limit - base);
  if (baseLimit < STACK_RESERVE || top > size || top % 16 !== 0) throw new RangeError("the stack of CPU 0 does not fit into RAM");

  const signatures = buildSignatures(module);
  const layout = layOutState(module, signatures);
  const stateMemory = new WebAssembly.Memory({ initial: layout.pages, maximum: layout.pages });
  const cells = new Int32Array(stateMemory.buffer);
  const wideCells = new BigUint64Array(stateMemory.buffer);
  const FUEL = CELL.fuel / 4;
  const SP = CELL.sp / 4;
  const ADDRESS = CELL.address / 8;
  const VALUE = CELL.value / 8;
  const ARGS = CELL.args / 8;

  const frames = module.functions.map((fn) => callBytes(fn.frameSize));
  const { trapVector, interruptVector } = module;

  // ------------------------------------------------------------------------------------------------------- state of a run

  let limits: RunLimits = { deadline: Infinity, grace: 0, instructions: Infinity };
  let count = 0;
  /** Fuel at the last `sync`: what is missing from it in the cell has been executed since. */
  let granted = 0;
  let outcome: Outcome | null = null;
  let timeoutTaken = false;
  let guards = 0;
  let vectorActive = false;
  let enabled = false;
  let mask = 7;
  let limit = baseLimit;
  let lastTrap: TrapRecord | null = null;
  /** SP at which the trap vector starts, as an offset into RAM. */
  let trapSp = 0;
  let unwindStatus = 0;

  // ---------------------------------------------------------------------------------------------------- time and poll points

  function cell(index: number): number {
    return cells[index] ?? 0;
  }

  function wideCell(index: number): bigint {
    return wideCells[index] ?? 0n;
  }

  /** Brings machine time and count up to the fuel in the cell. */
  function sync(): void {
    const fuel = cell(FUEL);
    const executed = granted - fuel;
    if (executed === 0) return;
    granted = fuel;
    count += executed;
    machine.advance(executed);
  }

  /** Counts an instruction, or the entry of a vector. */
  function spend(cost: number): void {
    cells[FUEL] = cell(FUEL) - cost;
  }

  function interruptible(): boolean {
    return enabled && interruptVector >= 0 && (machine.lines(0) & mask & 7) !== 0;
  }

  /** Sets the fuel to what may run until a poll point has something to do. */
  function grant(): void {
    sync();
    let fuel = -1;
    if (!interruptible()) {
      const grace = timeoutTaken ? limits.grace : 0;
      const time = Math.min(machine.nextEvent(), limits.deadline + grace) - machine.now();
      const room = Math.min(time, limits.instructions + grace - count, MAX_GRANT);
      if (room > 0) fuel = Math.ceil(room) - 1;
    }
    cells[FUEL] = fuel;
    granted = fuel;
  }

  function stop(reason: Outcome): never {
    outcome ??= reason;
    throw STOPPED;
  }

  function stopAtExit(): void {
    const exit = machine.exitRequest();
    if (exit !== null) stop({ kind: "exit", exit });
  }

  function fireDueEvents(): void {
    sync();
    if (machine.nextEvent() > machine.now()) return;
    machine.fireEvents();
    stopAtExit();
  }

  function hardLimitReached(): boolean {
    return machine.now() >= limits.deadline + limits.grace || count >= limits.instructions + limits.grace;
  }

  function timeoutDue(): boolean {
    if (timeoutTaken || vectorActive) return false;
    return machine.now() >= limits.deadline || count >= limits.instructions;
  }

  function poll(sp: number, pc: number): void {
    fireDueEvents();
    if (hardLimitReached()) stop({ kind: "hung", pc });
    if (timeoutDue()) {
      timeoutTaken = true;
      raise("timeout", pc, sp);
    }
    if (interruptible()) takeInterrupt(sp, pc);
    grant();
  }

  function takeInterrupt(sp: number, pc: number): void {
    const lines = machine.lines(0) & mask & 7;
    enabled = false;
    if (sp - (frames[interruptVector] ?? 0) < limit) raise("stack_overflow", pc, sp);
    spend(1);
    grant();
    wideCells[ARGS] = BigInt(31 - Math.clz32(lines & -lines));
    cells[SP] = sp;
    enterInterrupt(interruptVector);
    enabled = true;
  }

  function wait(sp: number, pc: number): void {
    fireDueEvents();
    while ((machine.lines(0) & mask & 7) === 0 && !timeoutDue()) {
      const event = machine.nextEvent();
      if (event === Infinity) stop({ kind: "deadlock", pc });
      const jump = Math.min(event, nextLimit()) - machine.now();
      if (jump > 0) machine.advance(jump);
      if (event <= machine.now()) {
        machine.fireEvents();
        stopAtExit();
      }
      if ((machine.lines(0) & mask & 7) === 0 && hardLimitReached()) stop({ kind: "hung", pc });
    }
    poll(sp, pc);
  }

  function relax(sp: number, pc: number): void {
    sync();
    const jump = Math.min(machine.nextEvent() - machine.now(), RELAX_LIMIT);
    if (jump > 0) machine.advance(jump);
    poll(sp, pc);
  }

  function doze(sp: number, pc: number): void {
    sync();
    const until = Math.min(Number(BigInt.asUintN(64, wideCell(VALUE))), nextLimit());
    const jump = Math.min(machine.nextEvent(), until) - machine.now();
    if (jump > 0) machine.advance(jump);
    poll(sp, pc);
  }

  /** Where time stops for who sleeps. */
  function nextLimit(): number {
    return timeoutTaken || vectorActive ? limits.deadline + limits.grace : limits.deadline;
  }

  // ------------------------------------------------------------------------------------------------------ guards and traps

  function setLimit(value: number): void {
    if (value === limit) return;
    limit = value;
    limitGlobal.value = value;
  }

  /** Takes a trap, or stops the machine. The cost of the trapping instruction has been counted. */
  function raise(trapClass: TrapClass, pc: number, sp: number, address = 0n, access: 0 | 1 | 2 | 3 = 0, width = 0, value = 0n): never {
    const trap: TrapRecord = { class: trapClass, pc, address, access, width, value, sp: base + BigInt(sp), cpu: 0 };
    if (vectorActive) stop({ kind: "double-fault", trap, first: lastTrap ?? trap });
    if (trapVector < 0 || guards === 0) stop({ kind: "unhandled-trap", trap });
    if (sp - (frames[trapVector] ?? 0) < baseLimit - STACK_RESERVE) stop({ kind: "double-fault", trap, first: trap });
    spend(1);
    lastTrap = trap;
    trapSp = sp;
    throw TRAPPED;
  }

  /** Runs the trap vector for the trap just taken; gives the status of the guard that the trap ends. */
  function runTrapVector(): number {
    vectorActive = true;
    enabled = false;
    setLimit(baseLimit - STACK_RESERVE);
    cells[SP] = trapSp;
    grant();
    try {
      enterTrap(trapVector);
    } catch (thrown) {
      if (thrown !== UNWOUND) throw thrown;
      return unwindStatus;
    }
    return Number(BigInt.asIntN(32, wideCell(ARGS)));
  }

  /** The function at a code address, or -1. */
  function functionAt(address: bigint): number {
    const index = Number(address >> 16n) - 1;
    return (address & 0xffffn) === 0n && index >= 0 && index < module.functions.length ? index : -1;
  }

  /** The cost of `guard` has been counted. */
  function guard(sp: number, pc: number): number {
    const address = wideCell(ADDRESS);
    const callee = functionAt(address);
    if (callee < 0 || signatures.ofFunction[callee] !== signatures.guarded) raise("access_fault", pc, sp, address, 3, 0);
    if (sp - (frames[callee] ?? 0) < limit) raise("stack_overflow", pc, sp);
    const before = { vectorActive, enabled, limit, guards };
    guards += 1;
    vectorActive = false;
    wideCells[ARGS] = wideCell(VALUE);
    cells[SP] = sp;
    let status = 0;
    try {
      enterGuarded(callee);
    } catch (thrown) {
      if (thrown === TRAPPED) status = runTrapVector();
      else if (thrown === UNWOUND) status = unwindStatus;
      else throw thrown;
    }
    guards = before.guards;
    vectorActive = before.vectorActive;
    enabled = before.enabled;
    setLimit(before.limit);
    grant();
    return status;
  }

  function unwind(sp: number, pc: number, status: number): void {
    spend(1);
    if (guards === 0) raise("unreachable", pc, sp, 0n, 0, 0, BigInt(status >>> 0));
    unwindStatus = status;
    throw UNWOUND;
  }

  /** Everything that a device access does before and after: it may fire events, end the machine, and change what is due when. */
  function beginAccess(): void {
    sync();
    if (machine.nextEvent() <= machine.now()) machine.fireEvents();
  }

  function endAccess(): void {
    if (machine.exitRequest() !== null) {
      spend(1);
      stopAtExit();
    }
    grant();
  }

  // ------------------------------------------------------------------------------------------------------ CPU instructions

  function trapField(field: number): bigint {
    const name = TRAP_FIELDS[field];
    if (lastTrap === null || name === undefined) return 0n;
    switch (name) {
      case "class":
        return BigInt(TRAP_CLASSES.indexOf(lastTrap.class));
      case "pc":
      case "access":
      case "width":
        return BigInt(lastTrap[name]);
      case "address":
      case "value":
      case "sp":
        return lastTrap[name];
    }
  }

  const imports: { readonly [name in ImportName]: (...args: number[]) => number | void } = {
    poll,
    ...createMemoryImports(machine, module.layout, { cells, wideCells }, { spend, grant, beginAccess, endAccess, raise }),
    trap(sp, pc, number) {
      spend(1);
      const trapClass = TRAP_CLASSES[number];
      if (trapClass === undefined) throw new Error(`no trap class ${number}`);
      raise(trapClass, pc, sp, 0n, 0, 0, wideCell(VALUE));
    },
    bad_code_address(sp, pc) {
      spend(1);
      raise("access_fault", pc, sp, wideCell(ADDRESS), 3, 0);
    },
    guard,
    unwind,
    renew_fuel: grant,
    irq_enable(sp, pc) {
      const before = enabled;
      enabled = true;
      poll(sp, pc);
      return before ? 1 : 0;
    },
    irq_disable() {
      const before = enabled;
      enabled = false;
      return before ? 1 : 0;
    },
    irq_pending: () => machine.lines(0) & 7,
    irq_mask(value) {
      const before = mask;
      mask = value & 7;
      grant();
      return before;
    },
    wait,
    relax,
    doze,
    time() {
      wideCells[VALUE] = BigInt(machine.now() + granted - cell(FUEL));
    },
    trap_info(field) {
      wideCells[VALUE] = trapField(field);
    },
    cpu_start(cpu) {
      const number = cpu >>> 0;
      if (number === 0) return 2;
      if (number >= machine.cpuCount) return 1;
      throw new NeedsInterpreterError();
    },
    cpu_state(cpu) {
      const number = cpu >>> 0;
      if (number === 0) return 1;
      return number < machine.cpuCount ? 0 : 2;
    },
  };

  // -------------------------------------------------------------------------------------------------------------- instance

  const { exports } = new WebAssembly.Instance(compiled.wasm, { [IMPORT_MODULE]: { ...imports, ram: memory.memory, state: stateMemory } });
  const enters = signatures.list.map((_, index): Enter => {
    const enter = exports[enterName(index)];
    if (!isEnter(enter)) throw new Error("the compiled image has no such entry: it was made of another module");
    return enter;
  });
  const entryOf = (functionIndex: number): Enter => {
    const enter = enters[signatures.ofFunction[functionIndex] ?? -1];
    if (enter === undefined) throw new RangeError(`no function ${functionIndex}`);
    return enter;
  };
  const unused: Enter = () => {
    throw new Error("the module has no such vector");
  };
  const enterGuarded = entryOfSignature(signatures.guarded);
  const enterTrap = trapVector < 0 ? unused : entryOf(trapVector);
  const enterInterrupt = interruptVector < 0 ? unused : entryOf(interruptVector);
  const exportedLimit = exports[LIMIT_EXPORT];
  if (!(exportedLimit instanceof WebAssembly.Global)) throw new Error("the compiled image has no stack limit");
  const limitGlobal: WebAssembly.Global = exportedLimit;
  limitGlobal.value = baseLimit;

  function entryOfSignature(signature: number): Enter {
    return enters[signature] ?? unused;
  }

  function reset(runLimits: RunLimits): void {
    limits = runLimits;
    count = 0;
    granted = 0;
    cells[FUEL] = 0;
    outcome = null;
    timeoutTaken = false;
    guards = 0;
    vectorActive = false;
    enabled = false;
    mask = 7;
    setLimit(baseLimit);
    lastTrap = null;
  }

  function returned(functionIndex: number): Outcome {
    const results = module.functions[functionIndex]?.signature.results ?? [];
    const values = results.map((type, n) => {
      const wide = byteWidth(type, module.layout) === 8;
      return wide ? wideCell(ARGS + n) : cell((ARGS + n) * 2) >>> 0;
    });
    return { kind: "returned", values };
  }

  function run(functionIndex: number, args: readonly (number | bigint)[]): Outcome {
    const enter = entryOf(functionIndex);
    stopAtExit();
    if (top - (frames[functionIndex] ?? 0) < limit) raise("stack_overflow", codeAddress(functionIndex, 0), top);
    module.functions[functionIndex]?.signature.params.forEach((type, n) => {
      wideCells[ARGS + n] = BigInt.asUintN(byteWidth(type, module.layout) * 8, BigInt(args[n] ?? 0));
    });
    cells[SP] = top;
    grant();
    enter(functionIndex);
    return returned(functionIndex);
  }

  return {
    call(functionIndex, args, runLimits) {
      reset(runLimits);
      try {
        return run(functionIndex, args);
      } catch (thrown) {
        if (thrown === STOPPED && outcome !== null) return outcome;
        if (thrown instanceof RangeError && thrown.message.includes("call stack")) throw new HostStackError(thrown);
        throw thrown;
      } finally {
        sync();
      }
    },
    instructions: () => count,
    // Calls are on the host's stack.
    stack: () => null,
    stackOfTrap: () => null,
    stacks: () => [],
  };
}

/** A factory that compiles each image once, for all machines that place it alike. */
export function createWasmFactory(compile: CompileWasm = compilePlainly): ExecutorFactory {
  const compiled = new WeakMap<Module, CompiledImage>();
  return {
    name: "wasm",
    create(image, machine) {
      let entry = compiled.get(image.module);
      if (entry === undefined || !sameOptions(entry.options, translationOptions(image, machine))) {
        entry = compileImage(image, machine, compile);
        compiled.set(image.module, entry);
      }
      return createWasmExecutor(image, machine, entry);
    },
  };
}

export const wasmFactory: ExecutorFactory = createWasmFactory();
