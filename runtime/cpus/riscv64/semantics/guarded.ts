// Instructions that are simple nearly always: a guard says that they are this time, and then their effects are expressions like those of
// any other. Where the guard is false nothing has happened, and the instruction is executed as a whole on the cold path, which needs no
// guard and is what the descriptions are tested against.

import type { StateName } from "../state.ts";
import type { Expression } from "./expressions.ts";

export interface Guarded {
  /** i32. It may read what it likes; absent: the effects hold always. */
  readonly guard?: Expression;
  readonly result?: { readonly file: "x"; readonly value: Expression };
  /** All values are computed before anything is written. */
  readonly writes?: readonly (readonly [StateName, Expression])[];
  /** The mode in which execution goes on, and where; reservations end there. */
  readonly transfer?: { readonly mode: Expression; readonly target: Expression };
}
