// Rounds of a loop as vectors, as planned (translate-vectors.ts): before the straight rounds that are made one by one, of which they take away as many
// as they make. Each lane is a round. Lanes hold what registers of that many bits would, extended by zeros, as everywhere in
// this translation; operations are in translate-vector-operations.ts. What the rounds count, or leave alone, is made a vector once before them.

import { isSameSum } from "./translate-forms.ts";
import { close, getRegister, localOf, openIf, valueType } from "./translate-context.ts";
import type { FunctionWriter } from "./translate-context.ts";
import { openRegion } from "./translate-regions.ts";
import { pushSum } from "./translate-loops.ts";
import type { Pointer } from "./translate-loops.ts";
import { EXTEND, FIRST_LANE, LOAD_ALL, LOAD_EXTENDED, LOAD_LANE, LOAD_SPLAT, OPERATIONS, SCALAR, SPLAT, STORE_ALL } from "./translate-vector-operations.ts";
import type { Row } from "./translate-vector-operations.ts";
import { toBytes } from "./translate-vectors.ts";
import type { Action, Bytes, Reduction, RoundAccess, Value, VectorPlan } from "./translate-vectors.ts";
import { I64, OP, VECTOR, VOID } from "../wasm/encoder.ts";

/** Locals of 32 bits that a loop of vector rounds has: how many are to come, and pointers. */
export const VECTOR_SCALARS = 8;
const VECTOR_BYTES = 16;

/** The places of accesses whose addresses are the same sum but for a constant. */
interface Group {
  readonly local: number;
  readonly reference: RoundAccess;
  readonly accesses: Set<RoundAccess>;
  /** From its pointer to where the reference access starts in the first lane. */
  readonly back: number;
}

function accessesOf(actions: readonly Action[]): RoundAccess[] {
  return actions.flatMap((action) => {
    if (action.kind === "store") return [action.access];
    return action.kind === "compute" && action.value.kind === "load" ? [action.value.access] : [];
  });
}

class VectorWriter {
  private readonly f: FunctionWriter;
  private readonly plan: VectorPlan;
  private readonly rounds: number;
  private readonly leavesOne: boolean;
  private readonly locals = new Map<Value, number>();
  private readonly masks = new Map<number, number>();
  /** What counted values are stepped by. */
  private readonly steps = new Map<Value, number>();
  private readonly sums = new Map<Reduction, number>();
  private readonly groups: Group[] = [];
  /** What is left to be made. */
  private readonly left: number;
  private nextVector: number;

  constructor(f: FunctionWriter, plan: VectorPlan, rounds: number, leavesOne: boolean) {
    this.f = f;
    this.leavesOne = leavesOne;
    this.plan = plan;
    this.rounds = rounds;
    this.left = f.loops.vectors.first;
    this.nextVector = f.loops.vectors.first + VECTOR_SCALARS;
  }

  private vector(): number {
    const local = this.nextVector;
    this.nextVector += 1;
    const { vectors } = this.f.loops;
    vectors.used = Math.max(vectors.used, this.nextVector - vectors.first - VECTOR_SCALARS);
    return local;
  }

  private op(table: Row): void {
    const op = table[this.plan.lane];
    if (op === undefined) throw new Error(`function ${this.f.fn.name}, instruction ${this.f.at}: no operation for lanes of ${this.plan.lane} bytes`);
    this.f.w.vector(op);
  }

  private localOfValue(value: Value): number {
    const local = this.locals.get(value);
    if (local === undefined) throw new Error(`function ${this.f.fn.name}: a vector that is not there`);
    return local;
  }

  // ------------------------------------------------------------------------------------------------------------- before the rounds

  /** Finds the pointers; false if there are too many. */
  findGroups(): boolean {
    const { lanes, actions } = this.plan;
    const accesses = accessesOf(actions);
    for (const access of accesses) {
      if (this.groups.some((group) => group.accesses.has(access))) continue;
      const alike = accesses.filter((other) => isSameSum(other.form.terms, access.form.terms));
      const reference = alike.reduce((first, other) => (((other.form.plus - first.form.plus) | 0) < 0 ? other : first));
      const back = Math.max(0, -(access.stride ?? 0)) * (lanes - 1);
      this.groups.push({ local: this.left + 1 + this.groups.length, reference, accesses: new Set(alike), back });
    }
    return this.groups.length < VECTOR_SCALARS;
  }

  private groupOf(access: RoundAccess): Group {
    const group = this.groups.find(({ accesses }) => accesses.has(access));
    if (group === undefined) throw new Error(`function ${this.f.fn.name}: an access without a pointer`);
    return group;
  }

  /** Pushes where the access starts in the first round. */
  private pushStart({ form }: RoundAccess): void {
    if (form.terms.length > 0) pushSum(this.f.w, form);
    else this.f.w.i32Const(form.plus | 0);
  }

  /** Pushes the first place of all rounds, or what is behind the last. */
  private pushEnd(access: RoundAccess, end: "first" | "behind"): void {
    const { w } = this.f;
    const stride = access.stride ?? 0;
    this.pushStart(access);
    if (end === "behind") w.withConst(access.bytes, OP.i32_add);
    if (stride === 0 || stride > 0 === (end === "first")) return;
    w.localGet(this.rounds);
    w.withConst(1, OP.i32_sub);
    w.withConst(stride, OP.i32_mul);
    w.byte(OP.i32_add);
  }

  /** Opens an `if` for accesses that are found apart; the result is how many there are. */
  openApart(): number {
    const { w } = this.f;
    for (const [one, other] of this.plan.apart) {
      this.pushEnd(one, "behind");
      this.pushEnd(other, "first");
      w.byte(OP.i32_le_u);
      this.pushEnd(other, "behind");
      this.pushEnd(one, "first");
      w.byte(OP.i32_le_u);
      w.byte(OP.i32_or);
      openIf(this.f, VOID);
    }
    return this.plan.apart.length;
  }

  private pushConstant(value: bigint): void {
    const { w } = this.f;
    const { lane } = this.plan;
    if (lane === 8) w.i64Const(BigInt.asIntN(64, value));
    else w.i32Const(Number(BigInt.asIntN(32, value)));
    this.op(SPLAT);
  }

  /** Pushes a register in all lanes. */
  private pushRegister(register: number): void {
    const { f, plan } = this;
    const isWide = valueType(f.context, f.fn.registers[register] ?? "i32") === I64;
    getRegister(f, register);
    if (plan.lane === 8 && !isWide) f.w.byte(OP.i64_extend_i32_u);
    else if (plan.lane < 8 && isWide) f.w.byte(OP.i32_wrap_i64);
    this.op(SPLAT);
  }

  /** Pushes a vector whose lanes go up by a constant. */
  private pushLadder(from: number, by: number): void {
    const { w } = this.f;
    const { lane, lanes } = this.plan;
    w.vector(VECTOR.v128_const);
    for (let n = 0; n < lanes; n++) {
      const value = BigInt.asUintN(64, BigInt(from) + BigInt(by) * BigInt(n));
      for (let byte = 0; byte < lane; byte++) w.byte(Number((value >> BigInt(8 * byte)) & 0xffn));
    }
  }

  /** Cuts what is on the stack to so many bits. */
  private cut(bits: number): void {
    if (bits >= this.plan.lane * 8) return;
    this.f.w.localGet(this.masks.get(bits) ?? 0);
    this.f.w.vector(VECTOR.v128_and);
  }

  /** Everything that the rounds use and do not change but by counting. */
  private writeInputs(): void {
    const { w } = this.f;
    const { inputs, reductions, actions, lane, lanes } = this.plan;
    const widths = new Set([...inputs, ...actions.map(({ value }) => value)].map(({ wanted }) => wanted).filter((wanted) => wanted < lane * 8));
    for (const bits of widths) {
      const local = this.vector();
      this.masks.set(bits, local);
      this.pushConstant((1n << BigInt(bits)) - 1n);
      w.localSet(local);
    }
    for (const value of inputs) {
      const local = this.vector();
      this.locals.set(value, local);
      if (value.kind === "constant") this.pushConstant(BigInt.asUintN(value.wanted, value.value));
      else if (value.kind === "register") this.pushRegister(value.register);
      else if (value.kind === "counted") {
        this.pushRegister(value.register);
        this.pushLadder(value.plus, value.by);
        this.op(OPERATIONS.add);
      }
      if (value.kind !== "constant") this.cut(value.wanted);
      w.localSet(local);
      if (value.kind !== "counted") continue;
      const step = this.vector();
      this.steps.set(value, step);
      this.pushConstant(BigInt(value.by * lanes));
      w.localSet(step);
    }
    for (const reduction of reductions) {
      const local = this.vector();
      this.sums.set(reduction, local);
      this.pushConstant(reduction.op === "and" ? -1n : 0n);
      w.localSet(local);
    }
  }

  // --------------------------------------------------------------------------------------------------------------------- a round

  private load(value: Value & { readonly kind: "load" }): void {
    const { w } = this.f;
    const { lane, lanes } = this.plan;
    const { access } = value;
    const group = this.groupOf(access);
    const stride = access.stride ?? 0;
    const bytes = toBytes(Math.min(access.bytes * 8, value.wanted));
    const offset = ((access.form.plus - group.reference.form.plus) | 0) + group.back;
    if (stride === 0) {
      w.localGet(group.local);
      w.vectorMemory(LOAD_SPLAT[bytes] ?? 0, offset);
      if (bytes < lane) this.extend(bytes);
      return;
    }
    if (stride === bytes) {
      w.localGet(group.local);
      const extended = lane === 2 * bytes ? LOAD_EXTENDED[bytes] : undefined;
      w.vectorMemory(extended ?? LOAD_ALL[bytes * lanes] ?? 0, offset);
      if (extended === undefined) this.extend(bytes);
      return;
    }
    // The pointer and the lanes so far: an access of a lane takes both.
    const into = this.localOfValue(value);
    for (let n = 0; n < lanes; n++) {
      w.localGet(group.local);
      if (n === 0) w.vectorMemory(LOAD_SPLAT[bytes] ?? 0, offset);
      else {
        w.localGet(into);
        w.vectorMemory(LOAD_LANE[bytes] ?? 0, offset + stride * n);
        w.byte(n);
      }
      if (n < lanes - 1) w.localSet(into);
    }
    this.extend(bytes);
  }

  /** Makes the first lanes of so many bytes all lanes. */
  private extend(bytes: Bytes): void {
    for (let from = bytes; from < this.plan.lane; from = from === 1 ? 2 : from === 2 ? 4 : 8) if (from !== 8) this.f.w.vector(EXTEND[from]);
  }

  private shift(op: "shl" | "shr_u" | "shr_s", by: number): void {
    if (by === 0) return;
    this.f.w.i32Const(by);
    this.op(OPERATIONS[op]);
  }

  /** Fills lanes with the sign of what they hold, if that is narrower. */
  private extendSign(bits: number, by: number): void {
    const unused = this.plan.lane * 8 - bits;
    this.shift("shl", unused);
    this.shift("shr_s", unused + by);
  }

  private compute(value: Value & { readonly kind: "result" }): void {
    const { w } = this.f;
    const { op, operands, bits, wanted } = value;
    const [first, second] = operands;
    if (first === undefined) throw new Error(`function ${this.f.fn.name}: an operation without operands`);
    const by = second?.kind === "constant" ? Number(second.value % BigInt(bits)) : 0;
    w.localGet(this.localOfValue(first));
    switch (op) {
      case "trunc":
      case "zext":
        if (first.wanted > wanted) this.cut(wanted);
        return;
      case "sext":
        if (first.bits < wanted) this.extendSign(first.bits, 0);
        break;
      case "shl":
      case "shr_u":
        this.shift(op, by);
        break;
      case "shr_s":
        this.extendSign(bits, by);
        break;
      case "rotl":
      case "rotr": {
        const left = op === "rotl" ? by : (bits - by) % bits;
        this.shift("shl", left);
        if (left === 0) break;
        w.localGet(this.localOfValue(first));
        this.shift("shr_u", bits - left);
        w.vector(VECTOR.v128_or);
        break;
      }
      case "not":
      case "neg":
        this.op(OPERATIONS[op]);
        break;
      case "add":
      case "sub":
      case "mul":
      case "and":
      case "or":
      case "xor":
        if (second !== undefined) w.localGet(this.localOfValue(second));
        this.op(OPERATIONS[op]);
        break;
    }
    this.cut(wanted);
  }

  private store({ access, value }: Action & { readonly kind: "store" }): void {
    const { w } = this.f;
    const { lane, lanes } = this.plan;
    const group = this.groupOf(access);
    w.localGet(group.local);
    w.localGet(this.localOfValue(value));
    if (access.bytes < lane) {
      // The low bytes of all lanes, side by side.
      w.localGet(this.localOfValue(value));
      w.vector(VECTOR.i8x16_shuffle);
      for (let n = 0; n < VECTOR_BYTES; n++) w.byte((Math.floor(n / access.bytes) * lane + (n % access.bytes)) % VECTOR_BYTES);
    }
    w.vectorMemory(STORE_ALL[access.bytes * lanes] ?? 0, ((access.form.plus - group.reference.form.plus) | 0) + group.back);
    if (access.bytes < lane) w.byte(0);
  }

  private act(action: Action): void {
    const { w } = this.f;
    const { value } = action;
    switch (action.kind) {
      case "compute": {
        const local = this.locals.get(value) ?? this.vector();
        this.locals.set(value, local);
        if (value.kind === "load") this.load(value);
        else if (value.kind === "result") this.compute(value);
        w.localSet(local);
        return;
      }
      case "store":
        this.store(action);
        return;
      case "reduce": {
        const sum = this.sums.get(action.reduction) ?? 0;
        w.localGet(sum);
        w.localGet(this.localOfValue(value));
        this.op(OPERATIONS[action.op]);
        w.localSet(sum);
      }
    }
  }

  // -------------------------------------------------------------------------------------------------------------------- all of them

  write(): void {
    const { f, plan } = this;
    const { w } = f;
    const { lanes, actions } = plan;
    for (const { local, reference, back } of this.groups) {
      this.pushStart(reference);
      if (back !== 0) w.withConst(back, OP.i32_sub);
      w.localSet(local);
    }
    this.writeInputs();
    w.localGet(this.rounds);
    if (this.leavesOne) w.withConst(1, OP.i32_sub);
    w.withConst(Math.log2(lanes), OP.i32_shr_u);
    w.localTee(this.left);
    w.withConst(lanes, OP.i32_mul);
    w.localSet(f.temp32);
    w.localGet(this.rounds);
    w.localGet(f.temp32);
    w.byte(OP.i32_sub);
    w.localSet(this.rounds);
    this.stepRegisters();
    const level = openRegion(f, OP.loop);
    for (const action of actions) this.act(action);
    for (const [value, step] of this.steps) {
      const local = this.localOfValue(value);
      w.localGet(local);
      w.localGet(step);
      this.op(OPERATIONS.add);
      this.cut(value.wanted);
      w.localSet(local);
    }
    for (const { local, reference } of this.groups) {
      if ((reference.stride ?? 0) === 0) continue;
      w.localGet(local);
      w.withConst((reference.stride ?? 0) * lanes, OP.i32_add);
      w.localSet(local);
    }
    w.localGet(this.left);
    w.withConst(1, OP.i32_sub);
    w.localTee(this.left);
    w.op(OP.br_if, f.depth - level);
    close(f);
    for (const [reduction, local] of this.sums) this.fold(reduction, local);
  }

  /** Registers, and pointers that follow them, as the rounds leave them; how many there are is in the temporary. */
  private stepRegisters(): void {
    const { f } = this;
    const { w } = f;
    for (const { register, by } of this.plan.counted) {
      const isWide = valueType(f.context, f.fn.registers[register] ?? "i32") === I64;
      getRegister(f, register);
      w.localGet(f.temp32);
      if (isWide) {
        w.byte(OP.i64_extend_i32_u);
        w.i64Const(by);
        w.byte(OP.i64_mul);
        w.byte(OP.i64_add);
      } else {
        w.withConst(by, OP.i32_mul);
        w.byte(OP.i32_add);
      }
      w.localSet(localOf(f, register));
    }
    for (const { pointer, by } of steppedPointers(f, this.plan) ?? []) {
      w.localGet(pointer.local);
      w.localGet(f.temp32);
      w.withConst(by, OP.i32_mul);
      w.byte(OP.i32_add);
      w.localSet(pointer.local);
    }
  }

  /** Adds all lanes to the register. */
  private fold({ register, bits, op }: Reduction, sum: number): void {
    const { f, plan } = this;
    const { w } = f;
    const isWide = bits === 64;
    for (let by = VECTOR_BYTES / 2; by >= plan.lane; by /= 2) {
      w.localGet(sum);
      w.localGet(sum);
      w.localGet(sum);
      w.vector(VECTOR.i8x16_shuffle);
      for (let n = 0; n < VECTOR_BYTES; n++) w.byte((n + by) % VECTOR_BYTES);
      this.op(OPERATIONS[op]);
      w.localSet(sum);
    }
    getRegister(f, register);
    w.localGet(sum);
    this.op(FIRST_LANE);
    w.byte(0);
    if (plan.lane === 8 && !isWide) w.byte(OP.i32_wrap_i64);
    w.byte(SCALAR[op][isWide ? 1 : 0]);
    if (bits < 32) w.withConst(2 ** bits - 1, OP.i32_and);
    w.localSet(localOf(f, register));
  }
}

/** Pointers of the open loops that the rounds step, and by how much in each; undefined if that is not known. */
function steppedPointers(f: FunctionWriter, plan: VectorPlan): { readonly pointer: Pointer; readonly by: number }[] | undefined {
  const stepped: { readonly pointer: Pointer; readonly by: number }[] = [];
  const { open } = f.loops;
  for (let loop = open; loop !== undefined; loop = loop.around)
    for (const pointer of loop.pointers) {
      let by = 0;
      for (const { local, times } of pointer.terms) {
        const counted = plan.counted.find(({ register }) => register + f.firstRegister === local);
        if (counted !== undefined) by += counted.by * times;
        else if (open?.writes.has(local) === true) return undefined;
      }
      if (by !== 0) stepped.push({ pointer, by });
    }
  return stepped;
}

/** Vector rounds that are worth what is done before and behind them. */
const FEWEST = 2;

/** Writes vector rounds for as many of the rounds as they can make, if that pays; one at least is left if asked for. The result is whether there are any. */
export function writeVectors(f: FunctionWriter, plan: VectorPlan, rounds: number, leavesOne: boolean): boolean {
  if (steppedPointers(f, plan) === undefined) return false;
  const writer = new VectorWriter(f, plan, rounds, leavesOne);
  if (!writer.findGroups()) return false;
  f.w.localGet(rounds);
  f.w.withConst(FEWEST * plan.lanes, leavesOne ? OP.i32_gt_u : OP.i32_ge_u);
  openIf(f, VOID);
  const tests = writer.openApart();
  writer.write();
  for (let n = 0; n < tests; n++) close(f);
  close(f);
  return true;
}
