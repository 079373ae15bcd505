// Which straight rounds of a loop can be made several at a time, and how. What a round computes is read from the instructions that it executes
// (translate-rounds.ts finds them): values that the loop leaves alone, that it counts, that it loads, that it computes from those, and registers
// that it only adds to. A plan says what the lanes of vectors hold, in the order of the round; it exists only if nobody can tell the order of
// accesses, and it pays. Of registers it has those only that a round takes over from the one before:
// where somebody reads another one behind the loop, the last round is made alone.

import type { Instruction, ScalarType } from "../../../isa/bytecode/module.ts";
import { isSameSum } from "./translate-forms.ts";
import type { Form } from "./translate-forms.ts";

export type Bytes = 1 | 2 | 4 | 8;

/** An access of a round. Its place in RAM is `form` modulo 2^32, as it is at the round's start, and lies between `first` and `last`. */
export interface RoundAccess {
  readonly form: Form;
  /** By how much it moves in a round; undefined if that is not known. */
  readonly stride: number | undefined;
  readonly range: { readonly first: number; readonly last: number } | undefined;
  readonly bytes: Bytes;
}

/** An instruction that a round executes. */
export interface Executed {
  readonly at: number;
  readonly instruction: Instruction;
  /** The operands that are constants, as integers that have them as their low bits. */
  readonly constants: readonly (number | undefined)[];
  readonly access: RoundAccess | undefined;
}

/** What the planner has to know of the loop. */
export interface RoundFacts {
  readonly executed: readonly Executed[];
  readonly bits: { readonly [type in ScalarType]: number };
  readonly typeOf: (register: number) => ScalarType;
  /** How the loop counts a register. */
  readonly countedBy: (register: number) => { readonly by: number; readonly at: number } | undefined;
}

interface Known {
  /** Bits of its type. */
  readonly bits: number;
  /** How many of them are asked for: lanes hold these, extended by zeros. 0 if nobody asks. */
  wanted: number;
}

export type Value = Known &
  (
    | { readonly kind: "constant"; readonly value: bigint }
    /** A register that the loop leaves alone. */
    | { readonly kind: "register"; readonly register: number }
    | { readonly kind: "counted"; readonly register: number; readonly by: number; readonly plus: number }
    /** What the round before left in a register, in ways that cannot be followed. */
    | { readonly kind: "carried"; readonly register: number }
    | { readonly kind: "load"; readonly access: RoundAccess }
    | { readonly kind: "result"; readonly op: Operation; readonly operands: readonly Value[] }
    | { readonly kind: "other" }
  );

/** A register that a round only adds to, or the like: any order gives the same. */
export interface Reduction {
  readonly register: number;
  readonly bits: number;
  readonly op: "add" | "and" | "or" | "xor";
}

/** What a vector round does, in this order. */
export type Action =
  | { readonly kind: "compute"; readonly value: Value }
  | { readonly kind: "store"; readonly access: RoundAccess; readonly value: Value }
  | { readonly kind: "reduce"; readonly reduction: Reduction; readonly op: "add" | "sub" | "and" | "or" | "xor"; readonly value: Value };

export interface VectorPlan {
  /** Bytes of a lane, and how many there are: so many rounds are one. */
  readonly lane: Bytes;
  readonly lanes: number;
  readonly actions: readonly Action[];
  /** Values that are the same, or counted, in all rounds, and that the actions use. */
  readonly inputs: readonly Value[];
  readonly reductions: readonly Reduction[];
  /** Registers that are counted. */
  readonly counted: readonly { readonly register: number; readonly by: number }[];
  /** Registers that a round writes before it reads them. Vectors do not. */
  readonly temporaries: readonly number[];
  /** Accesses whose places must not meet in any of the rounds. */
  readonly apart: readonly (readonly [RoundAccess, RoundAccess])[];
}

/** How lanes compute a result. */
interface Rule {
  /** In instructions of the host; `wide` for lanes of 64 bits, where it is not the same. 0 for what is there already. */
  readonly cost: number;
  readonly wide?: number;
  /** The second operand has to be a constant; of the first one all bits are asked for, or the low ones that the result is asked for. */
  readonly byConstant?: "all" | "low";
}

const RULES = {
  add: { cost: 1 },
  sub: { cost: 1 },
  mul: { cost: 1, wide: 7 },
  and: { cost: 1 },
  or: { cost: 1 },
  xor: { cost: 1 },
  not: { cost: 1 },
  neg: { cost: 1 },
  shl: { cost: 1, byConstant: "low" },
  shr_u: { cost: 1, byConstant: "all" },
  shr_s: { cost: 1, wide: 3, byConstant: "all" },
  rotl: { cost: 3, byConstant: "all" },
  rotr: { cost: 3, byConstant: "all" },
  trunc: { cost: 0 },
  zext: { cost: 0 },
  sext: { cost: 2, wide: 4 },
} as const satisfies { readonly [op: string]: Rule };

export type Operation = keyof typeof RULES;

const rules: ReadonlyMap<string, Rule> = new Map(Object.entries(RULES));
const isOperation = (op: string): op is Operation => rules.has(op);

/** Instructions with a result and no other effect, which lanes cannot compute. A round may have them where the result is not asked for. */
const PURE: ReadonlySet<string> = new Set(
  "select symbol_addr frame_addr func_addr clz ctz popcnt bswap mulh_u mulh_s div_s div_u rem_s rem_u eq ne lt_s lt_u le_s le_u".split(" "),
);
/** Structure of a straight round: nothing is executed. */
const STRUCTURE: ReadonlySet<string> = new Set(["block", "end", "if", "else", "br_if"]);
const REDUCTIONS: ReadonlySet<string> = new Set(["add", "sub", "and", "or", "xor"]);

/** Vectors that a round may hold at once, and tests for accesses that may meet; more is no gain. */
const MOST_VALUES = 24;
const MOST_TESTS = 4;
/** A vector round has to take less than this part of the rounds that it stands for. */
const WORTH = 0.75;
const VECTOR_BYTES = 16;

class Planner {
  private readonly facts: RoundFacts;
  /** What registers hold, as far as the round has been read. */
  private readonly registers = new Map<number, Value>();
  private readonly written = new Set<number>();
  private readonly constants = new Map<string, Value>();
  private readonly stores: { readonly access: RoundAccess; readonly value: Value }[] = [];
  /** Accesses and results in their order. */
  private readonly order: (Value | { readonly kind: "store"; readonly access: RoundAccess; readonly value: Value })[] = [];
  private readonly carried: { readonly kind: "carried"; readonly register: number; readonly bits: number; wanted: number }[] = [];
  private readonly counters = new Map<number, number>();

  constructor(facts: RoundFacts) {
    this.facts = facts;
    for (const { instruction } of facts.executed) for (const register of instruction.dst) this.written.add(register);
  }

  private constant(bits: number, value: bigint): Value {
    const key = `${bits} ${BigInt.asUintN(bits, value)}`;
    const known = this.constants.get(key) ?? { kind: "constant", value: BigInt.asUintN(bits, value), bits, wanted: 0 };
    this.constants.set(key, known);
    return known;
  }

  private bitsOf(register: number): number {
    return this.facts.bits[this.facts.typeOf(register)];
  }

  private read(register: number, constant: number | undefined): Value {
    const bits = this.bitsOf(register);
    const known = this.registers.get(register) ?? this.firstRead(register, bits);
    this.registers.set(register, known);
    return constant === undefined ? known : this.constant(bits, BigInt(constant));
  }

  /** A register as a round finds it. */
  private firstRead(register: number, bits: number): Value {
    if (!this.written.has(register)) return { kind: "register", register, bits, wanted: 0 };
    const counted = this.facts.countedBy(register);
    if (counted !== undefined) {
      this.counters.set(register, counted.by);
      return { kind: "counted", register, by: counted.by, plus: 0, bits, wanted: 0 };
    }
    const carried = { kind: "carried", register, bits, wanted: 0 } as const;
    this.carried.push(carried);
    return carried;
  }

  /** Reads the round; false if it does something that vectors do not. */
  private readRound(): boolean {
    for (const { at, instruction, constants, access } of this.facts.executed) {
      const { op, src, dst } = instruction;
      if (STRUCTURE.has(op)) continue;
      const [result] = dst;
      const operands = src.map((register, n) => this.read(register, constants[n]));
      const [, second] = operands;
      if (op === "store") {
        if (access === undefined || second === undefined) return false;
        const store = { kind: "store", access, value: second } as const;
        this.stores.push(store);
        this.order.push(store);
        continue;
      }
      if (result === undefined || dst.length !== 1) return false;
      // Where a counter is stepped it goes on as one, however that is written.
      const counter = this.registers.get(result);
      if (counter?.kind === "counted" && counter.register === result && this.facts.countedBy(result)?.at === at) {
        this.registers.set(result, { ...counter, plus: counter.plus + counter.by, wanted: 0 });
        continue;
      }
      const value = this.valueOf(instruction, operands, access);
      if (value === undefined) return false;
      if (op !== "copy") this.order.push(value);
      this.registers.set(result, value);
    }
    return true;
  }

  private valueOf({ op, dst, imm }: Instruction, operands: readonly Value[], access: RoundAccess | undefined): Value | undefined {
    const bits = this.bitsOf(dst[0] ?? 0);
    if (op === "const") return this.constant(bits, BigInt(imm[0] ?? 0));
    if (op === "copy") return operands[0];
    if (op === "load") return access === undefined ? undefined : { kind: "load", access, bits, wanted: 0 };
    if (isOperation(op)) return { kind: "result", op, operands, bits, wanted: 0 };
    return PURE.has(op) ? { kind: "other", bits, wanted: 0 } : undefined;
  }

  /** Asks for the low bits of a value; false if lanes cannot have them. */
  private want(value: Value, bits: number): boolean {
    if (value.wanted >= bits) return true;
    value.wanted = bits;
    if (value.kind === "carried" || value.kind === "other") return false;
    if (value.kind === "load") return value.access.stride !== undefined;
    if (value.kind !== "result") return true;
    const { op, operands } = value;
    const rule: Rule = RULES[op];
    const [first, second] = operands;
    if (first === undefined) return false;
    if (rule.byConstant !== undefined) {
      // Counts are reduced to the width of the type; where less than that is asked for, all of it may be shifted out.
      if (second?.kind !== "constant" || (rule.byConstant === "low" && second.value % BigInt(value.bits) >= bits)) return false;
      return this.want(first, rule.byConstant === "low" ? bits : value.bits);
    }
    return operands.every((operand) => this.want(operand, Math.min(bits, operand.bits)));
  }

  /** How a register that is carried from round to round is reduced, link by link; undefined if it is not. */
  private reduce(carried: Value & { readonly kind: "carried" }): Action[] | undefined {
    const { register, bits } = carried;
    const actions: Action[] = [];
    let link = this.registers.get(register);
    let op: Reduction["op"] | undefined;
    const links: { readonly op: "add" | "sub" | "and" | "or" | "xor"; readonly value: Value }[] = [];
    while (link !== undefined && link !== carried) {
      if (link.kind !== "result" || !REDUCTIONS.has(link.op) || link.bits !== bits) return undefined;
      const [left, right] = link.operands;
      if (left === undefined || right === undefined) return undefined;
      const isLeft = this.leadsTo(left, carried);
      if (isLeft === this.leadsTo(right, carried) || (!isLeft && link.op === "sub")) return undefined;
      const kind = link.op === "sub" ? "add" : link.op;
      if (kind !== "add" && kind !== "and" && kind !== "or" && kind !== "xor") return undefined;
      if (op !== undefined && op !== kind) return undefined;
      op = kind;
      links.push({ op: link.op === "sub" ? "sub" : kind, value: isLeft ? right : left });
      link = isLeft ? left : right;
    }
    if (op === undefined || link === undefined) return undefined;
    const reduction: Reduction = { register, bits, op };
    for (const { op: each, value } of links) actions.push({ kind: "reduce", reduction, op: each, value });
    return actions;
  }

  private leadsTo(value: Value, carried: Value, seen = new Set<Value>()): boolean {
    if (value === carried) return true;
    // What is used twice is looked at once.
    if (value.kind !== "result" || seen.has(value)) return false;
    seen.add(value);
    return value.operands.some((operand) => this.leadsTo(operand, carried, seen));
  }

  plan(): VectorPlan | undefined {
    if (!this.readRound()) return undefined;
    const reducing: Action[] = [];
    for (const carried of this.carried) {
      const actions = this.reduce(carried);
      if (actions === undefined) return undefined;
      reducing.push(...actions);
    }
    if (this.stores.length === 0 && reducing.length === 0) return undefined;
    for (const { access, value } of this.stores) {
      if (access.stride !== access.bytes || !this.want(value, access.bytes * 8)) return undefined;
    }
    for (const action of reducing) if (action.kind === "reduce" && !this.want(action.value, action.reduction.bits)) return undefined;
    const actions: Action[] = [];
    for (const item of this.order) {
      if (item.kind === "store") actions.push(item);
      else if ((item.kind === "load" || item.kind === "result") && item.wanted > 0) actions.push({ kind: "compute", value: item });
    }
    actions.push(...reducing);
    const inputs = new Set<Value>();
    for (const { kind, value } of actions)
      for (const each of kind === "compute" && value.kind === "result" ? value.operands : [value]) if (each.wanted > 0 && isInput(each)) inputs.add(each);
    const widest = Math.max(...[...inputs, ...actions.map(({ value }) => value)].map(({ wanted }) => wanted));
    const lane = toBytes(widest);
    const lanes = VECTOR_BYTES / lane;
    if (actions.length + inputs.size > MOST_VALUES) return undefined;
    const apart = this.independence(actions, lanes);
    if (apart === undefined) return undefined;
    if (lane === 1 && actions.some(({ value }) => value.kind === "result" && value.op === "mul")) return undefined;
    const reductions = [...new Set(reducing.flatMap((action) => (action.kind === "reduce" ? [action.reduction] : [])))];
    const counted = [...this.counters].map(([register, by]) => ({ register, by }));
    const temporaries = [...this.written].filter((register) => !this.counters.has(register) && !reductions.some((each) => each.register === register));
    return isWorth(actions, lane, lanes) ? { lane, lanes, actions, inputs: [...inputs], reductions, counted, temporaries, apart } : undefined;
  }

  /** The pairs of accesses that must be found apart before the rounds; undefined if two of them do meet. */
  private independence(actions: readonly Action[], lanes: number): VectorPlan["apart"] | undefined {
    const accesses = actions.flatMap((action) => {
      if (action.kind === "store") return [{ access: action.access, isStore: true }];
      return action.kind === "compute" && action.value.kind === "load" ? [{ access: action.value.access, isStore: false }] : [];
    });
    const apart: (readonly [RoundAccess, RoundAccess])[] = [];
    for (const [n, earlier] of accesses.entries())
      for (const later of accesses.slice(n + 1)) {
        if (!earlier.isStore && !later.isStore) continue;
        const meeting = meet(earlier.access, later.access, lanes);
        if (meeting === "yes") return undefined;
        if (meeting === "perhaps") apart.push([earlier.access, later.access]);
      }
    return apart.length > MOST_TESTS ? undefined : apart;
  }
}

const isInput = ({ kind }: Value): boolean => kind === "constant" || kind === "register" || kind === "counted";

/** The bytes that so many bits take. */
export function toBytes(bits: number): Bytes {
  return bits > 32 ? 8 : bits > 16 ? 4 : bits > 8 ? 2 : 1;
}

/**
 * Whether the later of two accesses of a round meets the earlier one of a round that comes up to `lanes` - 1 later: vectors turn these two
 * around, and no others.
 */
function meet(earlier: RoundAccess, later: RoundAccess, lanes: number): "no" | "yes" | "perhaps" {
  if (isSameSum(earlier.form.terms, later.form.terms) && earlier.stride !== undefined) {
    for (let distance = 1; distance < lanes; distance++) {
      const between = (earlier.form.plus - later.form.plus + earlier.stride * distance) | 0;
      if (between < later.bytes && -between < earlier.bytes) return "yes";
    }
    return "no";
  }
  const [a, b] = [earlier.range, later.range];
  if (a !== undefined && b !== undefined && (a.last + earlier.bytes <= b.first || b.last + later.bytes <= a.first)) return "no";
  return "perhaps";
}

/** Estimates a vector round against the rounds that it stands for, in instructions of the host. */
function isWorth(actions: readonly Action[], lane: Bytes, lanes: number): boolean {
  let vector = 0;
  let scalar = 0;
  for (const action of actions) {
    const [alone, together] = costsOf(action, lane, lanes);
    scalar += alone;
    vector += together;
  }
  return vector <= WORTH * scalar * lanes;
}

function costsOf(action: Action, lane: Bytes, lanes: number): readonly [alone: number, together: number] {
  const { value } = action;
  if (action.kind === "store") return [1, action.access.bytes < lane ? 2 : 1];
  if (action.kind === "compute" && value.kind === "load") {
    const { stride, bytes } = value.access;
    const loaded = Math.min(bytes, toBytes(value.wanted));
    // Each extension doubles the width.
    return [1, (stride === loaded || stride === 0 ? 1 : lanes) + Math.log2(lane / loaded)];
  }
  if (action.kind === "compute" && value.kind === "result") {
    const { cost, wide }: Rule = RULES[value.op];
    return [Math.min(cost, 1), (lane === 8 ? (wide ?? cost) : cost) + (value.wanted < lane * 8 && cost > 0 ? 1 : 0)];
  }
  return [1, 1];
}

export function planVectors(facts: RoundFacts): VectorPlan | undefined {
  return new Planner(facts).plan();
}
