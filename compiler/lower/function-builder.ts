// One function under construction: registers, frame, structured labels and the instruction list. Temporaries live until their
// statement ends and are then taken again; locals keep their registers. Labels are levels of open regions, turned into depths
// at the branch, so that no caller counts nesting.

import { noteDecision, type DecisionKind } from "./coverage-notes.ts";
import type { Span } from "../../grammar/source.ts";
import type { BytecodeFunction, Instruction, ScalarType, Signature } from "../../isa/bytecode/module.ts";
import type { FunctionBody, Local } from "../hir.ts";
import { one } from "../short-lists.ts";
import type { ModuleBuilder } from "./module-builder.ts";

/** The registers of a value, by `registersOf(type)`. */
export type Value = readonly number[];

export type Place =
  | { readonly kind: "registers"; readonly registers: Value }
  | { readonly kind: "memory"; readonly base: number; readonly offset: number; readonly shared: boolean };

export interface LoopLabels {
  readonly breakTo: number;
  readonly continueTo: number;
  /** Cleanups pushed outside of the loop. */
  readonly cleanups: number;
}

/** A node of the runtime's list, which runs at an abort or trap too; or a call on the usual ways out only. */
export type PendingCleanup =
  | { readonly kind: "node"; readonly offset: number }
  | { readonly kind: "call"; readonly function: number; readonly args: readonly number[] };

export interface Emit {
  readonly type?: ScalarType;
  readonly to?: ScalarType;
  readonly dst?: readonly number[];
  readonly src?: readonly number[];
  readonly imm?: readonly (number | bigint)[];
}

/** Not a < b is b <= a. */
const OPPOSITES: { readonly [op: string]: { readonly op: string; readonly swaps: boolean } } = {
  eq: { op: "ne", swaps: false },
  ne: { op: "eq", swaps: false },
  lt_u: { op: "le_u", swaps: true },
  lt_s: { op: "le_s", swaps: true },
  le_u: { op: "lt_u", swaps: true },
  le_s: { op: "lt_s", swaps: true },
};

export class FunctionBuilder {
  readonly module: ModuleBuilder;
  readonly body: FunctionBody | null;
  readonly locals = new Map<Local, Value>();
  /** Addresses of aggregate parameters that stay where the caller has them. */
  readonly references = new Map<Local, number>();
  readonly loops: LoopLabels[] = [];
  /** What is to be done at the end of blocks, and not yet done on this path. */
  readonly cleanups: PendingCleanup[] = [];
  /** The closure's environment: the frame of the body around it. */
  environment: number | null = null;
  /** Where an aggregate result goes. */
  resultAddress: number | null = null;
  span: Span;
  private readonly name: string;
  private readonly signature: Signature;
  private readonly registers: ScalarType[] = [];
  private readonly code: Instruction[] = [];
  private readonly free = new Map<ScalarType, number[]>();
  private temporaries: number[] = [];
  private frameSize = 0;
  /** Its address is taken: a closure's environment, even one that captures nothing. */
  private needsFrame = false;
  private level = 0;

  constructor(module: ModuleBuilder, name: string, signature: Signature, body: FunctionBody | null, span: Span) {
    this.module = module;
    this.name = name;
    this.signature = signature;
    this.body = body;
    this.span = span;
    this.registers.push(...signature.params);
  }

  /** What is emitted next decides: it stands at the decision's own place, not at that of what was worked out last. */
  decide(kind: DecisionKind, span: Span): void {
    this.span = span;
    const { notes } = this.module;
    if (notes !== null) noteDecision(notes, kind, span);
  }

  emit(op: string, fields: Emit = {}): void {
    const { libraryOperations, typedOperations } = this.module;
    if (libraryOperations.size > 0) {
      const name = libraryOperations.get(op) ?? (typedOperations.has(op) ? libraryOperations.get(`${op}.${fields.type}`) : undefined);
      if (name !== undefined) {
        this.callInstead(name, fields);
        return;
      }
    }
    this.push(op, fields);
  }

  /** The library's function gets the operands; a choice among operations, which is an immediate, comes last. */
  private callInstead(name: string, { dst = [], src = [], imm = [] }: Emit): void {
    const choices = imm.map((value) => this.constant("i32", BigInt(value)));
    this.push("call", { dst, src: [...src, ...choices], imm: [this.module.functionOfDeclared(this.module.runtime(name))] });
  }

  private push(op: string, fields: Emit): void {
    const { type, to, dst = NOTHING, src = NOTHING, imm = NOTHING } = fields;
    const at = this.module.location(this.span);
    // Written out, because this is where compilers spend their time.
    if (to !== undefined) this.code.push(type === undefined ? { op, to, dst, src, imm, at } : { op, type, to, dst, src, imm, at });
    else this.code.push(type === undefined ? { op, dst, src, imm, at } : { op, type, dst, src, imm, at });
  }

  /** A register that lives as long as the function. */
  keep(type: ScalarType): number {
    this.registers.push(type);
    return this.registers.length - 1;
  }

  /** A register for the rest of the current statement. */
  temp(type: ScalarType): number {
    const register = this.free.get(type)?.pop() ?? this.keep(type);
    this.temporaries.push(register);
    return register;
  }

  /** Runs the lowering of one statement and takes its temporaries back. */
  statement(lower: () => void): void {
    const outer = this.temporaries;
    this.temporaries = [];
    lower();
    for (const register of this.temporaries) {
      const type = this.registers[register];
      if (type === undefined) continue;
      const list = this.free.get(type);
      if (list === undefined) this.free.set(type, [register]);
      else list.push(register);
    }
    this.temporaries = outer;
  }

  frame(size: number, align: number): number {
    const offset = Math.ceil(this.frameSize / align) * align;
    this.frameSize = offset + size;
    return offset;
  }

  /** Opens a region; the label is its level. */
  open(op: "block" | "loop" | "if", condition?: number): number {
    this.emit(op, condition === undefined ? {} : { src: one(condition) });
    return this.level++;
  }

  otherwise(): void {
    this.emit("else");
  }

  close(): void {
    this.level--;
    this.emit("end");
  }

  branch(label: number): void {
    this.emit("br", { imm: one(this.level - 1 - label) });
  }

  /** Branches to the n-th label, to `beyond` when there is none. */
  branchTable(index: number, labels: readonly number[], beyond: number): void {
    this.emit("br_table", { src: [index], imm: [...labels, beyond].map((label) => this.level - 1 - label) });
  }

  branchIf(condition: number, label: number): void {
    this.emit("br_if", { src: one(condition), imm: one(this.level - 1 - label) });
  }

  /** Runs what `body` emits for the indices 0 .. count - 1; a branch to `done` leaves early. */
  countedLoop(count: number, body: (index: number, done: number) => void): void {
    const index = this.temp("addr");
    this.emit("const", { type: "addr", dst: [index], imm: [0n] });
    const done = this.open("block");
    const again = this.open("loop");
    this.branchIf(this.binary("le_u", "addr", count, index), done);
    body(index, done);
    this.copy("addr", index, this.binary("add", "addr", index, this.constant("addr", 1n)));
    this.branch(again);
    this.close();
    this.close();
  }

  constant(type: ScalarType, value: bigint): number {
    const dst = this.temp(type);
    this.emit("const", { type, dst: one(dst), imm: [value] });
    return dst;
  }

  binary(op: string, type: ScalarType, left: number, right: number): number {
    const dst = this.temp(COMPARING.has(op) ? "i8" : type);
    this.emit(op, { type, dst: one(dst), src: [left, right] });
    return dst;
  }

  unary(op: string, type: ScalarType, operand: number): number {
    const dst = this.temp(type);
    this.emit(op, { type, dst: one(dst), src: one(operand) });
    return dst;
  }

  copy(type: ScalarType, dst: number, src: number): void {
    if (dst !== src) this.emit("copy", { type, dst: one(dst), src: one(src) });
  }

  isZero(register: number): number {
    return this.binary("eq", "i8", register, this.constant("i8", 0n));
  }

  /**
   * The opposite of a condition that nothing else uses. If it was compared just now, it is the opposite comparison: two instructions less
   * in every loop and check.
   */
  opposite(condition: number): number {
    const last = this.code.at(-1);
    const inverse = last?.dst[0] === condition && this.temporaries.includes(condition) ? OPPOSITES[last.op] : undefined;
    if (last === undefined || inverse === undefined) return this.isZero(condition);
    const [left = 0, right = 0] = last.src;
    this.code[this.code.length - 1] = { ...last, op: inverse.op, src: inverse.swaps ? [right, left] : last.src };
    return condition;
  }

  /** Changes a register's width; `signed` says how it grows. */
  convert(register: number, from: ScalarType, to: ScalarType, signed: boolean): number {
    if (from === to) return register;
    const width = (type: ScalarType): number => (type === "addr" ? this.module.layout.addressBytes : Number(type.slice(1)) / 8);
    const dst = this.temp(to);
    const op = width(to) > width(from) ? (signed ? "sext" : "zext") : width(to) < width(from) ? "trunc" : "zext";
    this.emit(op, { type: from, to, dst: one(dst), src: one(register) });
    return dst;
  }

  symbolAddress(symbol: number, offset = 0): number {
    const dst = this.temp("addr");
    this.emit("symbol_addr", { dst: one(dst), imm: [symbol, offset] });
    return dst;
  }

  frameAddress(offset: number): number {
    this.needsFrame = true;
    const dst = this.temp("addr");
    this.emit("frame_addr", { dst: one(dst), imm: one(offset) });
    return dst;
  }

  functionAddress(index: number): number {
    const dst = this.temp("addr");
    this.emit("func_addr", { dst: one(dst), imm: one(index) });
    return dst;
  }

  /** The code address of a closure; its environment is this function's frame. */
  closureAddress(body: FunctionBody): number {
    return this.functionAddress(this.module.functionOf(body));
  }

  call(index: number, results: readonly ScalarType[], args: readonly number[]): Value {
    const dst = results.map((type) => this.temp(type));
    this.emit("call", { dst, src: args, imm: one(index) });
    return dst;
  }

  /** Calls a function of the library by its name; all its parameters are one register each. */
  callRuntime(name: string, args: readonly number[], results: readonly ScalarType[] = []): Value {
    return this.call(this.module.functionOfDeclared(this.module.runtime(name)), results, args);
  }

  finish(): BytecodeFunction {
    return {
      name: this.name,
      signature: this.signature,
      registers: this.registers,
      frameSize: Math.ceil(Math.max(this.frameSize, this.needsFrame ? 1 : 0) / 16) * 16,
      body: this.code,
    };
  }
}

const NOTHING: readonly number[] = [];

const COMPARING: ReadonlySet<string> = new Set(["eq", "ne", "lt_s", "lt_u", "le_s", "le_u"]);
