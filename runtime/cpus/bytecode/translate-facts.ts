// What is known of a register's value where the translation stands: the range that it lies in, and, of a condition, which comparison it is.
// A comparison that a branch depends on narrows its operands' ranges behind it, so that a bounds check or a test for RAM that can only turn
// out one way costs nothing. All of it is found on the one way from a function's start to its end, without solving anything: what was learnt
// in a region is forgotten at its end, where other paths meet, and what a loop writes at the loop's start.

import type { Instruction, ScalarType } from "../../../isa/bytecode/module.ts";
import { SP_LOCAL, localOf, valueType } from "./translate-context.ts";
import type { Bits, FunctionWriter } from "./translate-context.ts";
import { addForms, constantForm, scaleForm } from "./translate-forms.ts";
import type { Form } from "./translate-forms.ts";
import { noteWrite } from "./translate-loops.ts";
import type { Loop, Pair } from "./translate-loops.ts";
import { I32 } from "../wasm/encoder.ts";

/**
 * The register is `base` plus a number from low to high, modulo 2^width: numbers are integers, not bit patterns, so that sums need no case for
 * wrapping around. RAM's base is its first address, a frame's the address of its first byte. The number is a multiple of `align`.
 */
export interface Range {
  readonly base: "none" | "ram" | "frame";
  readonly low: number;
  readonly high: number;
  /** A power of two up to 4096. */
  readonly align: number;
}

/** A register as it is between two writes of it. */
interface Version {
  readonly register: number;
  readonly version: number;
}

/** What a condition says if it is not 0; the opposite when negated. */
export interface Comparison {
  readonly relation: "less" | "at-most" | "equal";
  readonly signed: boolean;
  readonly negated: boolean;
  readonly type: ScalarType;
  readonly left: Version;
  readonly right: Version;
}

export interface Fact {
  readonly range?: Range | undefined;
  readonly comparison?: Comparison | undefined;
  /** The register is this one plus a constant: an access may use that instead, with the constant in it. */
  readonly origin?: (Version & { readonly plus: number }) | undefined;
  /** What the register was computed from by sums, in loops: a pointer may follow that. */
  readonly form?: Form | undefined;
  /** The register is an address in RAM: so many times an index, plus an offset from RAM's start. */
  readonly place?: { readonly index: Version; readonly times: number; readonly plus: number } | undefined;
}

/** An entry of the log: what was known before something was learnt of this version of the register. */
export interface Learnt extends Version {
  readonly before: Fact | undefined;
}

const MAX_ALIGN = 4096;

/** The largest power of two that divides a number, as far as it matters. */
function alignOf(value: number): number {
  let align = 1;
  while (align < MAX_ALIGN && value % (align * 2) === 0) align *= 2;
  return align;
}

function range(base: Range["base"], low: number, high: number, align = 1): Range | undefined {
  if (!Number.isSafeInteger(low) || !Number.isSafeInteger(high) || low > high) return undefined;
  return { base, low, high, align: low === high ? alignOf(low) : align };
}

/** The same values, written as numbers from `low` to `high`, if they all are there. */
export function within(known: Range | undefined, low: number, high: number, bits: Bits): Range | undefined {
  if (known === undefined) return undefined;
  for (const shift of [0, -(2 ** bits), 2 ** bits]) {
    if (known.low + shift < low || known.high + shift > high) continue;
    return range(known.base, known.low + shift, known.high + shift, shift === 0 ? known.align : Math.min(known.align, 2 ** bits));
  }
  return undefined;
}

// -------------------------------------------------------------------------------------------------------- facts of registers

export function factOf(f: FunctionWriter, register: number | undefined): Fact | undefined {
  return register === undefined ? undefined : f.facts[register];
}

/** A written register is another one from here on. */
export function forgetRegister(f: FunctionWriter, register: number): void {
  renew(f, register);
  const around = f.labels.at(-1);
  noteWrite(f.loops, localOf(f, register), f.step, around?.kind === "loop" ? f.at : undefined);
}

function renew(f: FunctionWriter, register: number): void {
  f.facts[register] = undefined;
  f.versions[localOf(f, register)] = versionOf(f, register) + 1;
}

function versionOf(f: FunctionWriter, register: number): number {
  return f.versions[localOf(f, register)] ?? 0;
}

function current(f: FunctionWriter, register: number): Version {
  return { register, version: versionOf(f, register) };
}

export function learn(f: FunctionWriter, register: number | undefined, fact: Fact | undefined): void {
  if (
    register === undefined ||
    fact === undefined ||
    (fact.range === undefined && fact.comparison === undefined && fact.origin === undefined && fact.form === undefined && fact.place === undefined)
  )
    return;
  f.learnt.push({ ...current(f, register), before: f.facts[register] });
  f.facts[register] = fact;
}

/** Forgets what was learnt since the region was opened: on other ways to its end it does not hold. */
export function forgetSince(f: FunctionWriter, length: number): void {
  while (f.learnt.length > length) {
    const entry = f.learnt.pop();
    if (entry !== undefined) f.facts[entry.register] = versionOf(f, entry.register) === entry.version ? entry.before : undefined;
  }
}

/** Forgets the registers that the loop at this instruction writes: at its start they may be what its last round left. */
export function forgetWritten(f: FunctionWriter, loop: number): void {
  const { body } = f.fn;
  let depth = 0;
  for (let at = loop; at < body.length; at++) {
    const instruction = body[at];
    if (instruction === undefined) continue;
    const { op } = instruction;
    if (op === "block" || op === "loop" || op === "if") depth += 1;
    else if (op === "end") depth -= 1;
    if (depth === 0) return;
    for (const register of instruction.dst) renew(f, register);
  }
}

export function rangeOf(f: FunctionWriter, register: number | undefined): Range | undefined {
  return factOf(f, register)?.range;
}

/** The range of an address, also where it follows from its index's. */
export function placeOf(f: FunctionWriter, register: number | undefined): Range | undefined {
  const fact = factOf(f, register);
  const { place } = fact ?? {};
  if (fact?.range !== undefined || place === undefined || versionOf(f, place.index.register) !== place.index.version) return fact?.range;
  const index = unsignedRange(f, place.index.register, "addr");
  const ends = [index.low * place.times + place.plus, index.high * place.times + place.plus];
  return range("ram", Math.min(...ends), Math.max(...ends), Math.min(alignOf(place.times), alignOf(place.plus)));
}

/** Registers that are constants where a loop is entered: places in RAM, and others. */
export function startsOf(f: FunctionWriter): Loop["starts"] {
  const places: number[] = [];
  const numbers: number[] = [];
  f.facts.forEach((fact, register) => {
    const known = fact?.range;
    if (known === undefined || known.low !== known.high || f.fn.registers[register] !== "addr") return;
    if (known.base === "ram") places.push(localOf(f, register));
    else if (known.base === "none") numbers.push(localOf(f, register));
  });
  return { places, numbers };
}

/** How far an address is from a multiple of its index, before a loop that counts both; undefined unless they are constants. */
export function distanceOf(f: FunctionWriter, { address, index, times }: Pair): number | undefined {
  const [place, start] = [rangeOf(f, address - f.firstRegister), exactly(f, index - f.firstRegister)];
  if (place?.base !== "ram" || place.low !== place.high || start === undefined) return undefined;
  return place.low - start * times;
}

/** At a loop's start, and where a path stands there: an address that is counted with an index is known by it. */
export function learnPairs(f: FunctionWriter, { pairs }: Loop): void {
  for (const pair of pairs) {
    const plus = f.distances.get(pair);
    if (plus !== undefined) learnPair(f, pair, plus);
  }
}

function learnPair(f: FunctionWriter, pair: Pair, plus: number): void {
  const [address, index] = [pair.address - f.firstRegister, pair.index - f.firstRegister];
  const origin = pair.times === 1 ? { ...current(f, index), plus: plus + f.context.ramBase } : undefined;
  learn(f, address, { origin, place: { index: current(f, index), times: pair.times, plus } });
}

/** The register as an unsigned number; all that its type holds, if no more is known. Ends beyond 2^53 are inexact and no number is there. */
function unsignedRange(f: FunctionWriter, register: number | undefined, type: ScalarType): Range {
  const bits = f.context.bits[type];
  const known = within(rangeOf(f, register), 0, 2 ** bits - 1, bits);
  return known !== undefined && known.base === "none" ? known : { base: "none", low: 0, high: 2 ** bits - 1, align: 1 };
}

function signedRange(f: FunctionWriter, register: number | undefined, type: ScalarType): Range {
  const bits = f.context.bits[type];
  const known = within(rangeOf(f, register), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1, bits);
  return known !== undefined && known.base === "none" ? known : { base: "none", low: -(2 ** (bits - 1)), high: 2 ** (bits - 1) - 1, align: 1 };
}

/** Whether the register can be 0, or -1, as a divisor. */
export function divisorMayBe(f: FunctionWriter, register: number | undefined, type: ScalarType, value: 0 | -1): boolean {
  const known = signedRange(f, register, type);
  return known.low <= value && value <= known.high;
}

/** A condition's value where it is known. */
export function decided(f: FunctionWriter, register: number | undefined): boolean | undefined {
  const known = unsignedRange(f, register, "i8");
  return known.low > 0 ? true : known.high === 0 ? false : undefined;
}

// ---------------------------------------------------------------------------------------------------------------- comparisons

interface Order {
  readonly smaller: Version;
  readonly larger: Version;
  /** What is between them at least. */
  readonly gap: 0 | 1;
}

function orderOf(comparison: Comparison, truth: boolean): Order {
  const { left, right } = comparison;
  const gap = comparison.relation === "less" ? 1 : 0;
  return truth ? { smaller: left, larger: right, gap } : { smaller: right, larger: left, gap: gap === 1 ? 0 : 1 };
}

/** The comparison's result, if the ranges of its operands leave but one. */
function evaluate(f: FunctionWriter, comparison: Comparison): boolean | undefined {
  const of = comparison.signed ? signedRange : unsignedRange;
  const left = of(f, comparison.left.register, comparison.type);
  const right = of(f, comparison.right.register, comparison.type);
  if (comparison.relation === "equal") {
    if (left.high < right.low || right.high < left.low) return comparison.negated;
    return left.low === left.high && right.low === right.high && Number.isSafeInteger(left.low) ? !comparison.negated : undefined;
  }
  const gap = comparison.relation === "less" ? 1 : 0;
  if (left.high + gap <= right.low) return !comparison.negated;
  return right.high < left.low + gap ? comparison.negated : undefined;
}

function narrow(f: FunctionWriter, { register }: Version, known: Range, low: number, high: number): void {
  if (low <= known.low && high >= known.high) return;
  const narrowed = range("none", Math.max(low, known.low), Math.min(high, known.high), known.align);
  if (narrowed !== undefined) learn(f, register, { ...factOf(f, register), range: narrowed });
}

/** Whether a comparison's operands are still what was compared. */
function isCurrent(f: FunctionWriter, { left, right }: Comparison): boolean {
  return left.version === versionOf(f, left.register) && right.version === versionOf(f, right.register);
}

/** Which of its operands is the smaller one where a condition holds, or does not; of comparisons for equality neither is. */
export function orderBehind(f: FunctionWriter, comparison: Comparison, holds: boolean): Order | undefined {
  return comparison.relation === "equal" || !isCurrent(f, comparison) ? undefined : orderOf(comparison, holds !== comparison.negated);
}

/** Learns that a condition, as it was when it was computed, holds or does not. */
export function assume(f: FunctionWriter, comparison: Comparison | undefined, holds: boolean): void {
  if (comparison === undefined || !isCurrent(f, comparison)) return;
  const { left, right, signed, type } = comparison;
  const truth = holds !== comparison.negated;
  const of = signed ? signedRange : unsignedRange;
  if (comparison.relation === "equal") {
    if (!truth) return;
    const [a, b] = [of(f, left.register, type), of(f, right.register, type)];
    narrow(f, left, a, b.low, b.high);
    narrow(f, right, b, a.low, a.high);
    return;
  }
  const { smaller, larger, gap } = orderOf(comparison, truth);
  const [a, b] = [of(f, smaller.register, type), of(f, larger.register, type)];
  narrow(f, smaller, a, a.low, b.high - gap);
  narrow(f, larger, b, a.low + gap, b.high);
}

// ---------------------------------------------------------------------------------------------- what an instruction's result is

type Deduce = (f: FunctionWriter, i: Instruction, bits: Bits) => Fact | undefined;

function typed(deduce: (f: FunctionWriter, i: Instruction, type: ScalarType, bits: Bits) => Range | undefined): Deduce {
  return (f, i, bits) => (i.type === undefined ? undefined : { range: deduce(f, i, i.type, bits) });
}

function compares(relation: Comparison["relation"], signed: boolean, negated: boolean): Deduce {
  return (f, i) => {
    const [left, right] = i.src;
    if (left === undefined || right === undefined || i.type === undefined) return undefined;
    // A condition compared with 0 is the condition or its opposite.
    const inner = relation === "equal" && i.type === "i8" && rangeOf(f, right)?.low === 0 && rangeOf(f, right)?.high === 0 ? factOf(f, left) : undefined;
    const comparison: Comparison =
      inner?.comparison !== undefined
        ? { ...inner.comparison, negated: inner.comparison.negated !== !negated }
        : { relation, signed, negated, type: i.type, left: current(f, left), right: current(f, right) };
    const result = evaluate(f, { relation, signed, negated, type: i.type, left: current(f, left), right: current(f, right) });
    return { comparison, range: result === undefined ? range("none", 0, 1) : range("none", Number(result), Number(result)) };
  };
}

/** The constant that a register is, a place in RAM included. */
export function exactly(f: FunctionWriter, register: number | undefined): number | undefined {
  const known = rangeOf(f, register);
  if (known === undefined || known.low !== known.high || known.base === "frame") return undefined;
  return known.base === "ram" ? f.context.ramBase + known.low : known.low;
}

/** What the register was computed from, if that is still what it was; else the register itself. */
export function formOf(f: FunctionWriter, register: number | undefined): Form | undefined {
  if (register === undefined) return undefined;
  const plus = exactly(f, register);
  if (plus !== undefined) return constantForm(plus);
  const form = factOf(f, register)?.form;
  if (form !== undefined && form.terms.every((term) => (f.versions[term.local] ?? 0) === term.version)) return form;
  const type = valueType(f.context, f.fn.registers[register] ?? "i32");
  return { terms: [{ local: localOf(f, register), version: versionOf(f, register), times: 1, type }], plus: 0 };
}

/** A register plus a constant. */
function originOf(f: FunctionWriter, i: Instruction): Fact["origin"] {
  const [left, right] = i.src;
  const plus = exactly(f, left) ?? exactly(f, right);
  const register = exactly(f, left) === undefined ? left : right;
  if (register === undefined || plus === undefined) return undefined;
  const inner = validOrigin(f, register);
  return inner === undefined ? { ...current(f, register), plus } : { ...inner, plus: inner.plus + plus };
}

/** What the register was computed from, if that is still what it was. */
export function validOrigin(f: FunctionWriter, register: number | undefined): Fact["origin"] {
  const origin = factOf(f, register)?.origin;
  return origin !== undefined && origin.version === versionOf(f, origin.register) ? origin : undefined;
}

function sumForm(f: FunctionWriter, i: Instruction, sign: 1 | -1, bits: Bits): Form | undefined {
  if (f.loops.open === undefined) return undefined;
  const [left, right] = [formOf(f, i.src[0]), formOf(f, i.src[1])];
  return left === undefined || right === undefined ? undefined : formed(addForms(left, right, sign), bits);
}

/** A form of a result of so many bits; narrow ones wrap where locals do not. */
function formed(form: Form | undefined, bits: Bits): Form | undefined {
  return bits < 32 ? undefined : form;
}

/** What an instruction adds to its result, if that is all it does to it. */
export function stepOf(f: FunctionWriter, register: number | undefined, fact: Fact | undefined): Form | undefined {
  if (f.loops.open === undefined || register === undefined || fact?.form === undefined) return undefined;
  const local = localOf(f, register);
  const own = fact.form.terms.find((term) => term.local === local);
  if (own?.times !== 1) return undefined;
  return { ...fact.form, terms: fact.form.terms.filter((term) => term !== own) };
}

const sum =
  (sign: 1 | -1): Deduce =>
  (f, i, bits) => ({ origin: sign > 0 ? originOf(f, i) : undefined, form: sumForm(f, i, sign, bits), range: sumRange(f, i, sign) });

/** The form of a product by a constant. */
function productForm(f: FunctionWriter, i: Instruction, bits: Bits): Form | undefined {
  if (f.loops.open === undefined) return undefined;
  const [left, right] = [formOf(f, i.src[0]), formOf(f, i.src[1])];
  if (left === undefined || right === undefined) return undefined;
  if (right.terms.length === 0) return formed(scaleForm(left, right.plus), bits);
  return left.terms.length === 0 ? formed(scaleForm(right, left.plus), bits) : undefined;
}

function sumRange(f: FunctionWriter, i: Instruction, sign: 1 | -1): Range | undefined {
  const [left, right] = [rangeOf(f, i.src[0]), rangeOf(f, i.src[1])];
  if (left === undefined || right === undefined) return undefined;
  if (right.base !== "none" && (sign < 0 || left.base !== "none")) return undefined;
  const base = left.base === "none" ? right.base : left.base;
  const [low, high] = sign > 0 ? [left.low + right.low, left.high + right.high] : [left.low - right.high, left.high - right.low];
  return range(base, low, high, Math.min(left.align, right.align));
}

function product(left: Range | undefined, right: Range | undefined): Range | undefined {
  if (left === undefined || right === undefined || left.base !== "none" || right.base !== "none") return undefined;
  const ends = [left.low * right.low, left.low * right.high, left.high * right.low, left.high * right.high];
  return range("none", Math.min(...ends), Math.max(...ends), Math.min(left.align * right.align, MAX_ALIGN));
}

function constantOf(f: FunctionWriter, register: number | undefined, type: ScalarType): number | undefined {
  const known = unsignedRange(f, register, type);
  return known.low === known.high ? known.low : undefined;
}

const shiftLeft: Deduce = (f, i, bits) => {
  const type = i.type ?? "i64";
  const count = constantOf(f, i.src[1], type);
  if (count === undefined) return undefined;
  const by = 2 ** (count % bits);
  const form = f.loops.open !== undefined ? formOf(f, i.src[0]) : undefined;
  return {
    form: form === undefined ? undefined : formed(scaleForm(form, by), bits),
    range: product(rangeOf(f, i.src[0]) ?? unsignedRange(f, i.src[0], type), range("none", by, by)),
  };
};

const shiftRight = typed((f, i, type, bits) => {
  const count = constantOf(f, i.src[1], type);
  if (count === undefined) return undefined;
  const known = unsignedRange(f, i.src[0], type);
  // The end of the 64-bit range is inexact here, but a power of two.
  return range("none", Math.floor(known.low / 2 ** (count % bits)), Math.floor(known.high / 2 ** (count % bits)));
});

const and = typed((f, i, type) => {
  const [left, right] = [unsignedRange(f, i.src[0], type), unsignedRange(f, i.src[1], type)];
  const mask = left.low === left.high ? left : right;
  return range("none", 0, Math.min(left.high, right.high), mask.low === mask.high ? mask.align : 1);
});

/** Or and exclusive or: no bit above the highest of both. A 0 changes nothing, which is how alternatives of a `match` begin. */
const or: Deduce = (f, i) => {
  if (i.type === undefined) return undefined;
  const [left, right] = [unsignedRange(f, i.src[0], i.type), unsignedRange(f, i.src[1], i.type)];
  if (left.high === 0) return factOf(f, i.src[1]);
  if (right.high === 0) return factOf(f, i.src[0]);
  const most = Math.max(left.high, right.high);
  return most < 2 ** 32 ? { range: range("none", 0, 2 ** (32 - Math.clz32(most)) - 1) } : undefined;
};

const remainder = typed((f, i, type) => {
  const [dividend, divisor] = [unsignedRange(f, i.src[0], type), unsignedRange(f, i.src[1], type)];
  return range("none", 0, Math.min(dividend.high, Math.max(divisor.high - 1, 0)));
});

const quotient = typed((f, i, type) => {
  const divisor = constantOf(f, i.src[1], type);
  if (divisor === undefined || divisor === 0) return undefined;
  const dividend = unsignedRange(f, i.src[0], type);
  return range("none", Math.floor(dividend.low / divisor), Math.floor(dividend.high / divisor));
});

const count = typed((_f, _i, _type, bits) => range("none", 0, bits));

const constant = typed((_f, i, _type, bits) => {
  const value = BigInt(i.imm[0] ?? 0);
  const number = Number(bits === 64 ? BigInt.asIntN(64, value) : BigInt.asUintN(bits, value));
  return range("none", number, number);
});

/** What is in one or the other. */
export function union(left: Range | undefined, right: Range | undefined): Range | undefined {
  if (left === undefined || right === undefined || left.base !== right.base) return undefined;
  return range(left.base, Math.min(left.low, right.low), Math.max(left.high, right.high), Math.min(left.align, right.align));
}

const select = (f: FunctionWriter, i: Instruction): Fact => ({ range: union(rangeOf(f, i.src[1]), rangeOf(f, i.src[2])) });

const truncate = (f: FunctionWriter, i: Instruction): Fact | undefined => {
  const known = rangeOf(f, i.src[0]);
  const form = f.loops.open !== undefined ? formed(formOf(f, i.src[0]), f.context.bits[i.to ?? "i8"]) : undefined;
  return { form, range: known?.base === "none" || i.type === i.to ? known : undefined };
};

/** An extended number is the same one modulo 2^32, unless it was narrower; a register of that kind is extended by zeros already. */
function extended(f: FunctionWriter, i: Instruction, bits: Bits, signed: boolean): Form | undefined {
  if (f.loops.open === undefined) return undefined;
  const form = formOf(f, i.src[0]);
  if (bits >= 32) return form;
  const isRegister = form?.terms.length === 1 && form.terms[0]?.times === 1 && form.plus === 0;
  return isRegister && !signed ? formed(form, f.context.bits[i.to ?? "i8"]) : undefined;
}

const symbolAddress = (f: FunctionWriter, i: Instruction): Fact | undefined => {
  const symbol = f.context.options.symbolAddress[Number(i.imm[0])];
  if (symbol === undefined) return undefined;
  const offset = Number(symbol) + Number(i.imm[1]) - f.context.ramBase;
  return { range: range("ram", offset, offset) };
};

/** The stack pointer never changes while a wasm function is active. */
function frameForm(f: FunctionWriter, offset: number): Form {
  return { terms: [{ local: SP_LOCAL, version: 0, times: 1, type: I32 }], plus: f.context.ramBase + offset - f.below };
}

const DEDUCE: { readonly [op: string]: Deduce } = {
  const: constant,
  copy: (f, i) => (f.loops.open !== undefined ? { ...factOf(f, i.src[0]), form: formOf(f, i.src[0]) } : factOf(f, i.src[0])),
  select,
  zext: (f, i, bits) => ({ form: extended(f, i, bits, false), range: unsignedRange(f, i.src[0], i.type ?? "i64") }),
  sext: (f, i, bits) => ({ form: extended(f, i, bits, true), range: signedRange(f, i.src[0], i.type ?? "i64") }),
  trunc: truncate,
  symbol_addr: symbolAddress,
  frame_addr: (f, i) => ({ form: frameForm(f, Number(i.imm[0])), range: range("frame", Number(i.imm[0]), Number(i.imm[0])) }),
  add: sum(1),
  sub: sum(-1),
  mul: (f, i, bits) => ({ form: productForm(f, i, bits), range: product(rangeOf(f, i.src[0]), rangeOf(f, i.src[1])) }),
  div_u: quotient,
  rem_u: remainder,
  and,
  or,
  xor: or,
  shl: shiftLeft,
  shr_u: shiftRight,
  clz: count,
  ctz: count,
  popcnt: count,
  eq: compares("equal", false, false),
  ne: compares("equal", false, true),
  lt_u: compares("less", false, false),
  lt_s: compares("less", true, false),
  le_u: compares("at-most", false, false),
  le_s: compares("at-most", true, false),
};

const deductions = new Map(Object.entries(DEDUCE));

/** What will be known of an instruction's result; to be asked before it is written, for the result may be one of its operands. */
export function deduce(f: FunctionWriter, i: Instruction): Fact | undefined {
  return deductions.get(i.op)?.(f, i, i.type === undefined ? 64 : f.context.bits[i.type]);
}
