// Instructions that are simple nearly always: a guard says that they are this time, and then their effects are expressions like those of
// any other. Where the guard is false nothing has happened, and the instruction is executed as a whole on the cold path, which needs no
// guard and is what the descriptions are tested against.

import type { StateName } from "../state.ts";
import type { Expression, Leaf } from "./expressions.ts";

/** A value that guard and effects have in common: it is computed before the guard, so nothing in it may trap. */
export interface Shared {
  readonly name: symbol;
  /** May use those before it. */
  readonly value: Expression;
}

export interface Guarded {
  readonly shared?: readonly Shared[];
  /** i32. It may read what it likes; absent: the effects hold always. */
  readonly guard?: Expression;
  /** `f`: all 64 bits of a floating-point register. */
  readonly result?: { readonly file: "x" | "f"; readonly value: Expression };
  /** All values are computed before anything is written. */
  readonly writes?: readonly (readonly [StateName, Expression])[];
  /** The mode in which execution goes on, and where; reservations end there. */
  readonly transfer?: { readonly mode: Expression; readonly target: Expression };
}

function collectLeaves(expression: Expression, into: Set<Leaf>): void {
  switch (expression.kind) {
    case "leaf":
      into.add(expression.leaf);
      return;
    case "constant":
    case "bound":
      return;
    case "unary":
      return collectLeaves(expression.a, into);
    case "binary":
      collectLeaves(expression.a, into);
      return collectLeaves(expression.b, into);
    case "choose":
      for (const part of [expression.test, expression.chosen, expression.otherwise]) collectLeaves(part, into);
      return;
    case "bind":
      collectLeaves(expression.value, into);
      return collectLeaves(expression.body, into);
  }
}

const known = new WeakMap<Guarded, ReadonlySet<Leaf>>();

/** What the instruction stands on. */
export function leavesOf(meaning: Guarded): ReadonlySet<Leaf> {
  const found = known.get(meaning);
  if (found !== undefined) return found;
  const { shared = [], guard, result, writes = [], transfer } = meaning;
  const leaves = new Set<Leaf>();
  for (const { value } of shared) collectLeaves(value, leaves);
  for (const part of [guard, result?.value, transfer?.mode, transfer?.target]) if (part !== undefined) collectLeaves(part, leaves);
  for (const [, value] of writes) collectLeaves(value, leaves);
  known.set(meaning, leaves);
  return leaves;
}
