// A function whose values have their places, as machine code: prologue, one item after the other through the target's table, and what stands
// behind. Calls are here because their moves are the same everywhere; what any other instruction becomes is the target's. It may be
// asked to write the same function again, with other forms of branches (emission.ts).

import type { BytecodeFunction, Signature } from "../../isa/bytecode/module.ts";
import type { Allocation } from "./allocate-registers.ts";
import { signatureOf, stackArguments } from "./call-signatures.ts";
import type { Emission } from "./emission.ts";
import type { ComputeItem, Items, Virtual } from "./items.ts";
import type { Liveness } from "./liveness.ts";
import { inRegister, type Location, type Writable } from "./location.ts";
import { LowerError } from "./lower-error.ts";
import { bitsOf } from "./operands.ts";
import { isSame, orderMoves, type Move } from "./parallel-moves.ts";
import { inFrame, remake } from "./remade-values.ts";
import type { NativeTarget } from "./target.ts";

/** What is known of a function when its code is written, beside what the emission knows. */
export interface PlacedFunction {
  readonly fn: BytecodeFunction;
  readonly code: Items;
  readonly liveness: Liveness;
  readonly allocation: Allocation;
}

/** The signature of what `guard` calls. */
const GUARDED: Signature = { params: ["addr"], results: [] };

function asWritable(location: Location): Writable | null {
  return location.kind === "register" || location.kind === "slot" ? location : null;
}

export function writeFunction(e: Emission, target: NativeTarget, { fn, code, liveness, allocation }: PlacedFunction): void {
  const { registers } = target;
  const isPlaced = (register: Virtual): boolean => (allocation.registerOf[register] ?? -1) >= 0 || (allocation.slotOf[register] ?? -1) >= 0;
  e.mark(code.items[0]?.at ?? -1);
  e.at = code.items[0]?.at ?? -1;
  target.prologue(e, e.frame);
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
        writeOperation(e, target, fn, item);
    }
  }
  e.writeColds();
}

function incomingSlot(e: Emission, index: number): Writable {
  return { kind: "slot", offset: e.frame.incoming + 8 * index };
}

function writeOperation(e: Emission, target: NativeTarget, fn: BytecodeFunction, item: ComputeItem): void {
  const { module, frame } = e;
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
      writeReturn(e, target, fn, item);
      return;
    case "call": {
      const signature = signatureOf(module, item);
      if (signature === null) throw new Error(`${fn.name} calls a function that is not there`);
      passArguments(e, target, signature, item.src);
      target.call(e, { function: Number(item.imm[0]) });
      takeResults(e, target, signature, item.dst);
      return;
    }
    case "call_indirect": {
      const signature = signatureOf(module, item);
      if (signature === null) throw new Error(`${fn.name} names a signature that is not there`);
      const [callee = 0, ...args] = item.src;
      target.checkCode(e, e.location(callee), signature);
      passArguments(e, target, signature, args);
      target.callChecked(e);
      takeResults(e, target, signature, item.dst);
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
      takeResults(e, target, signature, item.dst);
      return;
    }
    case "unwind": {
      passArguments(e, target, { params: ["i32"], results: [] }, item.src);
      target.call(e, { label: "guest_unwind" });
      return;
    }
    case "asm":
      writeAssembly(e, target, item);
      return;
    default: {
      const lower = target.lower[item.op];
      if (lower === undefined) throw new LowerError(item.op);
      lower(e, item);
    }
  }
}

function writeReturn(e: Emission, target: NativeTarget, fn: BytecodeFunction, item: ComputeItem): void {
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

function passArguments(e: Emission, target: NativeTarget, signature: Signature, args: readonly Virtual[]): void {
  const { registers } = target;
  const moves = signature.params.map((_type, index): Move => {
    const register = registers.arguments[index];
    const to: Writable = register === undefined ? { kind: "slot", offset: 8 * (index - registers.arguments.length) } : { kind: "register", register };
    return { to, from: e.location(args[index] ?? 0) };
  });
  orderMoves(moves, registers.scratch, (to, from) => target.move(e, to, from));
}

function takeResults(e: Emission, target: NativeTarget, signature: Signature, results: readonly Virtual[]): void {
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
function writeAssembly(e: Emission, target: NativeTarget, item: ComputeItem): void {
  const { module } = e;
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
