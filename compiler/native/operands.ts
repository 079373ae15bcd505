// What targets ask of an operand whatever their instructions are: whether it is a constant, and what is known of an address. A constant's
// value is as a register of the target holds it, since it was made so when it got its place (lower-function.ts).

import type { Emission } from "./emission.ts";
import type { Virtual } from "./items.ts";

/** The value of a constant operand, else null. */
export function constantOf(e: Emission, register: Virtual): bigint | null {
  const from = e.location(register);
  return from.kind === "constant" ? from.value : null;
}

/** The greatest power of two, up to a page, that divides an address or an offset. */
export function alignmentOf(value: number): number {
  return value === 0 ? 4096 : Math.min(4096, value & -value);
}
