// Descriptions with some of their leaves known: what follows from those alone is computed, and what they decide is decided. Regions are
// translated for one mode, by which most of a call to the environment falls away.

import { I32, I64 } from "../../wasm/encoder.ts";
import { evaluate, type Leaves } from "./evaluate.ts";
import { binary, choose, COMPARISON, constant, unary, type BinaryName, type Expression } from "./expressions.ts";
import type { Guarded } from "./guarded.ts";

type Constant = Extract<Expression, { readonly kind: "constant" }>;

const isConstant = (expression: Expression): expression is Constant => expression.kind === "constant";
const isZero = (expression: Expression): boolean => isConstant(expression) && expression.value === 0n;

/** Operations that leave the other operand as it is if one is 0. */
const NEUTRAL: ReadonlySet<BinaryName> = new Set(["i32_or", "i64_or", "i32_add", "i64_add", "i32_xor", "i64_xor"]);
const CONJUNCTIONS: ReadonlySet<BinaryName> = new Set(["i32_and", "i64_and"]);
/** Operations of floating point are the host's: nothing of theirs is known beforehand. */
const isInteger = ({ type }: Expression): boolean => type === I32 || type === I64;

/** 0 or 1. */
function isTruth(expression: Expression): boolean {
  if (isConstant(expression)) return expression.value === 0n || expression.value === 1n;
  if (expression.kind === "binary" && CONJUNCTIONS.has(expression.name)) return isTruth(expression.a) && isTruth(expression.b);
  return (expression.kind === "unary" || expression.kind === "binary") && COMPARISON.test(expression.name);
}

function simplify(name: BinaryName, a: Expression, b: Expression): Expression {
  if (isConstant(a) && isConstant(b) && isInteger(a)) return constant(evaluate(binary(name, a, b), {}), binary(name, a, b).type);
  if (NEUTRAL.has(name)) {
    if (isZero(a)) return b;
    if (isZero(b)) return a;
  }
  if (CONJUNCTIONS.has(name)) {
    if (isZero(a)) return a;
    if (isZero(b)) return b;
    if (isConstant(a) && a.value === 1n && isTruth(b)) return b;
    if (isConstant(b) && b.value === 1n && isTruth(a)) return a;
  }
  return binary(name, a, b);
}

export function specialise(expression: Expression, known: Leaves): Expression {
  switch (expression.kind) {
    case "leaf": {
      const value = known[expression.leaf];
      return value === undefined ? expression : constant(value, expression.type);
    }
    case "constant":
    case "bound":
      return expression;
    case "unary": {
      const a = specialise(expression.a, known);
      const whole = unary(expression.name, a);
      return isConstant(a) && isInteger(a) && isInteger(whole) ? constant(evaluate(whole, {}), whole.type) : whole;
    }
    case "binary":
      return simplify(expression.name, specialise(expression.a, known), specialise(expression.b, known));
    case "choose": {
      const test = specialise(expression.test, known);
      if (isConstant(test)) return specialise(test.value === 0n ? expression.otherwise : expression.chosen, known);
      return choose(test, specialise(expression.chosen, known), specialise(expression.otherwise, known));
    }
    case "bind":
      return { ...expression, value: specialise(expression.value, known), body: specialise(expression.body, known) };
  }
}

/** Writes of what is there already are left out, and so is a guard that holds. */
export function specialiseGuarded(meaning: Guarded, known: Leaves): Guarded {
  const { shared, guard, result, writes, transfer } = meaning;
  const test = guard && specialise(guard, known);
  const holds = test === undefined || (isConstant(test) && test.value !== 0n);
  return {
    ...(shared && { shared: shared.map(({ name, value }) => ({ name, value: specialise(value, known) })) }),
    ...(holds ? {} : { guard: test }),
    ...(result && { result: { file: result.file, value: specialise(result.value, known) } }),
    ...(writes && {
      writes: writes
        .map(([name, value]) => [name, specialise(value, known)] as const)
        .filter(([name, value]) => !(value.kind === "leaf" && value.leaf === name)),
    }),
    ...(transfer && { transfer: { mode: specialise(transfer.mode, known), target: specialise(transfer.target, known) } }),
  };
}
