// One bytecode function to machine code: places for its values, its frame, then one item after the other through the target's table.
// Calls are here because their moves are the same everywhere; what an instruction becomes is the target's.

import { SYS_ISAS, type BytecodeFunction, type Instruction, type Module, type ScalarType, type Signature } from "../../isa/bytecode/module.ts";
import { UNCHECKED_FRAME } from "./abi.ts";
import { allocateRegisters, type Allocation } from "./allocate-registers.ts";
import { Emission, type CodeRelocation, type EmissionContext, type LineMark } from "./emission.ts";
import type { Frame, FrameEvent } from "./frame.ts";
import type { ComputeItem, Items, Virtual } from "./items.ts";
import { findLiveness, type Interval, type Liveness } from "./liveness.ts";
import { LowerError } from "./lower-error.ts";
import { isSame, orderMoves, type Move } from "./parallel-moves.ts";
import { prepareItems } from "./prepare-items.ts";
import { createSpareTable } from "./spare-tables.ts";
import type { Location, NativeTarget, RegisterFile, Writable } from "./target.ts";

export interface NativeFunction {
  readonly code: Uint8Array;
  readonly relocations: readonly CodeRelocation[];
  readonly marks: readonly LineMark[];
  readonly frameEvents: readonly FrameEvent[];
  /** Bytes of stack that it takes, the return address not counted. */
  readonly frameSize: number;
}

export interface LowerContext {
  readonly target: NativeTarget;
  readonly module: Module;
  readonly isCompact: boolean;
}

/** Values that are never in a register: each use makes them again. */
const REMADE: ReadonlySet<string> = new Set(["const", "symbol_addr", "frame_addr", "func_addr"]);

/** Bytecode instructions that are calls: they change every register that callees need not keep. */
const CALLS: ReadonlySet<string> = new Set(["call", "call_indirect", "guard", "unwind", "asm"]);

/** The signature of what `guard` calls. */
const GUARDED: Signature = { params: ["addr"], results: [] };

/** What is another instruction set's is an illegal instruction here: a `sys` with its number, an `asm` with 0 (docs/bytecode.md, 1 and 2). */
function illegalValue({ op, imm }: Instruction, module: Module, target: string): bigint | null {
  if (op === "sys") return SYS_ISAS[Number(imm[0])] === target ? null : BigInt(imm[1] ?? 0);
  if (op === "asm") return module.assembly[Number(imm[0])]?.isa === target ? null : 0n;
  return null;
}

function signatureOf(module: Module, item: ComputeItem): Signature | null {
  if (item.op === "call") return module.functions[Number(item.imm[0])]?.signature ?? null;
  if (item.op === "call_indirect") return module.signatures[Number(item.imm[0])] ?? null;
  return null;
}

function stackArguments(signature: Signature, registers: RegisterFile): number {
  return Math.max(0, signature.params.length - registers.arguments.length);
}

/** What an instruction of `REMADE` makes; an address in the bytecode's frame still counts from that frame's start. */
function remake({ op, imm }: ComputeItem, type: ScalarType, target: NativeTarget): Location {
  const first = imm[0] ?? 0;
  switch (op) {
    case "const":
      return { kind: "constant", value: target.canonical(BigInt(first), type) };
    case "symbol_addr":
      return { kind: "symbol", symbol: Number(first), offset: Number(imm[1] ?? 0) };
    case "frame_addr":
      return { kind: "frame", offset: Number(first) };
    default:
      return { kind: "function", function: Number(first) };
  }
}

/** Counts from the stack pointer. */
function inFrame(location: Location, frame: Frame): Location {
  return location.kind === "frame" ? { kind: "frame", offset: frame.local + location.offset } : location;
}

/** Constants and addresses by virtual register, where each use makes them again. */
function remadeValues({ items, types, isLocal }: Items, target: NativeTarget): readonly (Location | undefined)[] {
  const remade = new Array<Location | undefined>(types.length).fill(undefined);
  for (let index = 0; index < items.length; index++) {
    const item = items[index];
    if (item?.kind !== "op" || !REMADE.has(item.op)) continue;
    const result = item.dst[0] ?? 0;
    if (isLocal[result] !== true) continue;
    remade[result] = remake(item, types[result] ?? "i64", target);
  }
  return remade;
}

/** Widths of all native layouts: addresses have 64 bits. */
export function bitsOf(type: ScalarType): 8 | 16 | 32 | 64 {
  switch (type) {
    case "i8":
      return 8;
    case "i16":
      return 16;
    case "i32":
      return 32;
    case "i64":
    case "addr":
      return 64;
  }
}

/** By virtual register; good until the next call. */
interface Hints {
  /** Machine registers. */
  readonly hints: Int32Array;
  /** Virtual registers. */
  readonly partners: Int32Array;
}

const NO_HINT = -1;

const hintTable = createSpareTable(NO_HINT);
const partnerTable = createSpareTable(NO_HINT);

/** Where a value would like to be: in the register that a call or the function's end wants it in, or where its copy is. */
function findHints(fn: BytecodeFunction, module: Module, { items, types }: Items, registers: RegisterFile): Hints {
  const hints = hintTable(types.length);
  const partners = partnerTable(types.length);
  /** The first of what wants a value decides. */
  const hintAll = (values: readonly Virtual[], first: number, machines: readonly number[]): void => {
    for (let index = first; index < values.length; index++) {
      const register = values[index] ?? 0;
      if (hints[register] === NO_HINT) hints[register] = machines[index - first] ?? NO_HINT;
    }
  };
  hintAll([...fn.signature.params.keys()], 0, registers.arguments);
  for (let index = 0; index < items.length; index++) {
    const item = items[index];
    if (item?.kind !== "op") continue;
    const { op, src, dst } = item;
    if (op === "return") hintAll(src, 0, registers.results);
    else if (op === "call" || op === "call_indirect") {
      if (signatureOf(module, item) === null) continue;
      hintAll(src, op === "call" ? 0 : 1, registers.arguments);
      hintAll(dst, 0, registers.results);
    } else {
      const from = src[0];
      const to = dst[0];
      if (from === undefined || to === undefined) continue;
      if (op === "copy" || op === "zext" || op === "trunc") {
        partners[to] = from;
        if (partners[from] === NO_HINT) partners[from] = to;
        // Two-address instructions are shortest when the result takes the first operand's place.
      } else if (partners[to] === NO_HINT) partners[to] = from;
    }
  }
  return { hints, partners };
}

const orNull = (hint: number | undefined): number | null => (hint === undefined || hint === NO_HINT ? null : hint);

/** What frame and registers depend on, found in one walk over the items. */
interface Survey {
  /** Positions of the items that change registers as calls do. */
  readonly calls: readonly number[];
  /** Stack slots for what does not fit into registers at any call. */
  readonly outgoing: number;
  /** Kept registers that assembly in this function names: not for values, and saved. */
  readonly named: ReadonlySet<number>;
}

function surveyItems({ items }: Items, module: Module, target: NativeTarget): Survey {
  const { registers } = target;
  const calls: number[] = [];
  let outgoing = 0;
  let named: Set<number> | null = null;
  for (let index = 0; index < items.length; index++) {
    const item = items[index];
    if (item?.kind !== "op" || !CALLS.has(item.op)) continue;
    calls.push(2 * index);
    const signature = signatureOf(module, item);
    if (signature !== null)
      outgoing = Math.max(outgoing, stackArguments(signature, registers) + Math.max(0, signature.results.length - registers.results.length));
    const block = item.op === "asm" ? module.assembly[Number(item.imm[0])] : undefined;
    if (block === undefined) continue;
    for (const name of [...block.inputs, ...block.outputs, ...block.clobbers]) {
      const register = target.registerNumber(name);
      if (register !== undefined && registers.kept.includes(register)) (named ??= new Set()).add(register);
    }
  }
  return { calls, outgoing, named: named ?? NO_REGISTERS };
}

const NO_REGISTERS: ReadonlySet<number> = new Set();

function makeFrame(fn: BytecodeFunction, target: NativeTarget, allocation: Allocation, survey: Survey): Frame {
  const isLeaf = survey.calls.length === 0;
  const outgoing = 8 * survey.outgoing;
  const local = Math.ceil((outgoing + 8 * allocation.slots) / 16) * 16;
  let at = local + Math.ceil(fn.frameSize / 16) * 16;
  const saved = [...new Set([...allocation.used, ...survey.named])].map((register) => {
    at += 8;
    return { register, offset: at - 8 };
  });
  let returnAddress: number | null = null;
  if (!isLeaf && target.returnAddressBytes === 0) {
    returnAddress = at;
    at += 8;
  }
  const pushed = target.returnAddressBytes;
  const size = Math.ceil((at + pushed) / 16) * 16 - pushed;
  // A leaf without anything to keep needs no frame, not even for the alignment that calls want.
  const needed = isLeaf && at === 0 ? 0 : size;
  return { size: needed, outgoing, local, saved, returnAddress, incoming: needed + pushed, isLeaf, isChecked: !isLeaf || needed > UNCHECKED_FRAME };
}

function intervalsToPlace({ intervals }: Liveness, remade: readonly (Location | undefined)[]): readonly Interval[] {
  const wanted: Interval[] = [];
  for (let register = 0; register < intervals.length; register++) {
    const interval = intervals[register];
    if (interval !== undefined && remade[register] === undefined) wanted.push(interval);
  }
  return wanted.sort((a, b) => a.start - b.start || a.end - b.end);
}

/** There are few, and each function has hundreds of values. */
const narrowRegisters: Writable[] = [];
const wideRegisters: Writable[] = [];

function inRegister(register: number, isNarrow: boolean): Writable {
  return ((isNarrow ? narrowRegisters : wideRegisters)[register] ??= { kind: "register", register, isNarrow });
}

function locate(code: Items, remade: readonly (Location | undefined)[], allocation: Allocation, frame: Frame): readonly Location[] {
  return code.types.map((type, register): Location => {
    const made = remade[register];
    if (made !== undefined) return inFrame(made, frame);
    const machine = allocation.registerOf[register] ?? -1;
    if (machine >= 0) return inRegister(machine, bitsOf(type) < 64);
    const slot = allocation.slotOf[register] ?? -1;
    // A value that is never read has no place of its own; what writes it may write here.
    return slot < 0 ? { kind: "constant", value: 0n } : { kind: "slot", offset: frame.outgoing + 8 * slot };
  });
}

export function lowerFunction(fn: BytecodeFunction, context: LowerContext): NativeFunction {
  const { target, module, isCompact } = context;
  const { registers } = target;
  const code = prepareItems(fn, (instruction) => illegalValue(instruction, module, target.name));
  const liveness = findLiveness(code);
  const remade = remadeValues(code, target);
  const survey = surveyItems(code, module, target);
  const { hints, partners } = findHints(fn, module, code, registers);
  const allocation = allocateRegisters({
    intervals: intervalsToPlace(liveness, remade),
    virtuals: code.types.length,
    calls: survey.calls,
    registers,
    without: survey.named,
    hintOf: (register) => orNull(hints[register]),
    partnerOf: (register) => orNull(partners[register]),
  });
  const frame = makeFrame(fn, target, allocation, survey);
  const locations = locate(code, remade, allocation, frame);
  const emission: EmissionContext = { target, module, frame, types: code.types, locations, labels: code.labels, isCompact };
  const flipped = new Set<number>();
  for (;;) {
    const e = new Emission(emission, flipped);
    try {
      writeFunction(e, fn, code, liveness, allocation);
    } catch (error) {
      throw error instanceof LowerError ? error.at({ function: fn.name, location: e.at }) : error;
    }
    const { code: bytes, flips, problem } = e.resolve();
    if (flips.length === 0) {
      if (problem !== undefined) throw new Error(`${fn.name}: ${problem}`);
      return { code: bytes, relocations: e.relocations, marks: e.marks, frameEvents: e.frameEvents, frameSize: frame.size };
    }
    for (const branch of flips) flipped.add(branch);
  }
}

function asWritable(location: Location): Writable | null {
  return location.kind === "register" || location.kind === "slot" ? location : null;
}

function writeFunction(e: Emission, fn: BytecodeFunction, code: Items, liveness: Liveness, allocation: Allocation): void {
  const { target, frame } = e;
  const { registers } = target;
  const isPlaced = (register: Virtual): boolean => (allocation.registerOf[register] ?? -1) >= 0 || (allocation.slotOf[register] ?? -1) >= 0;
  e.mark(code.items[0]?.at ?? -1);
  e.at = code.items[0]?.at ?? -1;
  target.prologue(e, frame);
  const arriving: Move[] = [];
  fn.signature.params.forEach((type, index) => {
    if (!isPlaced(index)) return;
    const to = asWritable(e.location(index));
    const register = registers.arguments[index];
    if (to === null) return;
    const isNarrow = bitsOf(type) < 64;
    arriving.push({ to, from: register === undefined ? incomingSlot(e, index - registers.arguments.length) : inRegister(register, isNarrow) });
  });
  orderMoves(arriving, registers.scratch, (to, from) => target.move(e, to, from));
  for (const register of liveness.zeroAtEntry) {
    const to = asWritable(e.location(register));
    if (to !== null && isPlaced(register)) target.move(e, to, { kind: "constant", value: 0n });
  }
  for (let index = 0; index < code.items.length; index++) {
    const item = code.items[index];
    if (item === undefined) continue;
    e.at = item.at;
    e.mark(item.at);
    switch (item.kind) {
      case "label":
        e.bind(item.label);
        if (item.isLoop) target.poll(e);
        break;
      case "jump":
        target.jump(e, item.label);
        break;
      case "branch":
        target.branchIf(e, e.location(item.condition), item.unless, item.label);
        break;
      case "compare-branch":
        target.branchCompare(e, item.comparison, item.label);
        break;
      case "table":
        target.branchTable(e, e.location(item.index), item.labels);
        break;
      case "op":
        writeOperation(e, fn, item);
    }
  }
  e.writeColds();
}

function incomingSlot(e: Emission, index: number): Writable {
  return { kind: "slot", offset: e.frame.incoming + 8 * index };
}

function writeOperation(e: Emission, fn: BytecodeFunction, item: ComputeItem): void {
  const { target, module, frame } = e;
  switch (item.op) {
    case "const":
    case "symbol_addr":
    case "frame_addr":
    case "func_addr": {
      const result = item.dst[0] ?? 0;
      const to = asWritable(e.location(result));
      if (to !== null) target.move(e, to, inFrame(remake(item, e.typeOf(result), target), frame));
      return;
    }
    case "copy": {
      const to = asWritable(e.location(item.dst[0] ?? 0));
      const from = e.location(item.src[0] ?? 0);
      if (to !== null && !isSame(to, from)) target.move(e, to, from);
      return;
    }
    case "return":
      writeReturn(e, fn, item);
      return;
    case "call": {
      const signature = signatureOf(module, item);
      if (signature === null) throw new Error(`${fn.name} calls a function that is not there`);
      passArguments(e, signature, item.src);
      target.call(e, { function: Number(item.imm[0]) });
      takeResults(e, signature, item.dst);
      return;
    }
    case "call_indirect": {
      const signature = signatureOf(module, item);
      if (signature === null) throw new Error(`${fn.name} names a signature that is not there`);
      const [callee = 0, ...args] = item.src;
      target.checkCode(e, e.location(callee), signature);
      passArguments(e, signature, args);
      target.callChecked(e);
      takeResults(e, signature, item.dst);
      return;
    }
    case "guard": {
      const [callee = 0, argument = 0] = item.src;
      target.checkCode(e, e.location(callee), GUARDED);
      const signature: Signature = { params: ["addr", "addr"], results: ["i32"] };
      const [first = 0, second = 0] = target.registers.arguments;
      const checked: Location = { kind: "register", register: target.codeRegister };
      const moves: Move[] = [
        { to: { kind: "register", register: first }, from: checked },
        { to: { kind: "register", register: second }, from: e.location(argument) },
      ];
      orderMoves(moves, target.registers.scratch, (to, from) => target.move(e, to, from));
      target.call(e, { label: "guest_guard" });
      takeResults(e, signature, item.dst);
      return;
    }
    case "unwind": {
      passArguments(e, { params: ["i32"], results: [] }, item.src);
      target.call(e, { label: "guest_unwind" });
      return;
    }
    case "asm":
      writeAssembly(e, item);
      return;
    default: {
      const lower = target.lower[item.op];
      if (lower === undefined) throw new LowerError(item.op);
      lower(e, item);
    }
  }
}

function writeReturn(e: Emission, fn: BytecodeFunction, item: ComputeItem): void {
  const { target } = e;
  const { registers } = target;
  const moves = item.src.map((register, index): Move => {
    const result = registers.results[index];
    const to: Writable =
      result === undefined
        ? incomingSlot(e, stackArguments(fn.signature, registers) + index - registers.results.length)
        : { kind: "register", register: result };
    return { to, from: e.location(register) };
  });
  orderMoves(moves, registers.scratch, (to, from) => target.move(e, to, from));
  e.leaving(() => target.epilogue(e, e.frame));
}

function passArguments(e: Emission, signature: Signature, args: readonly Virtual[]): void {
  const { target } = e;
  const { registers } = target;
  const moves = signature.params.map((_type, index): Move => {
    const register = registers.arguments[index];
    const to: Writable = register === undefined ? { kind: "slot", offset: 8 * (index - registers.arguments.length) } : { kind: "register", register };
    return { to, from: e.location(args[index] ?? 0) };
  });
  orderMoves(moves, registers.scratch, (to, from) => target.move(e, to, from));
}

function takeResults(e: Emission, signature: Signature, results: readonly Virtual[]): void {
  const { target } = e;
  const { registers } = target;
  const first = stackArguments(signature, registers);
  const moves = results.flatMap((result, index): Move[] => {
    const to = asWritable(e.location(result));
    if (to === null) return [];
    const register = registers.results[index];
    if (register === undefined) return [{ to, from: { kind: "slot", offset: 8 * (first + index - registers.results.length) } }];
    return [{ to, from: inRegister(register, bitsOf(e.typeOf(result)) < 64) }];
  });
  orderMoves(moves, registers.scratch, (to, from) => target.move(e, to, from));
}

/** Operands to the registers that the assembly names, its bytes, and its results to theirs. */
function writeAssembly(e: Emission, item: ComputeItem): void {
  const { target, module } = e;
  const block = module.assembly[Number(item.imm[0])];
  if (block === undefined) throw new Error("an asm instruction names a block that is not there");
  const register = (name: string): Writable => {
    const number = target.registerNumber(name);
    if (number === undefined) throw new Error(`${target.name} has no register ${name}`);
    return { kind: "register", register: number };
  };
  const inputs = block.inputs.map((name, index): Move => ({ to: register(name), from: e.location(item.src[index] ?? 0) }));
  orderMoves(inputs, target.registers.scratch, (to, from) => target.move(e, to, from));
  const start = e.offset;
  let at = 0;
  for (const { offset, location } of block.lines) {
    e.append(block.bytes.subarray(at, offset));
    at = offset;
    e.mark(location);
  }
  e.append(block.bytes.subarray(at));
  if (e.offset - start !== block.bytes.length) throw new Error("an asm block's lines are out of order");
  const outputs = block.outputs.flatMap((name, index): Move[] => {
    const to = asWritable(e.location(item.dst[index] ?? 0));
    return to === null ? [] : [{ to, from: register(name) }];
  });
  orderMoves(outputs, target.registers.scratch, (to, from) => target.move(e, to, from));
}
