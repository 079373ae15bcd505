// What targets ask of an operand whatever their instructions are: whether it is a constant, and what is known of an address. A constant's
// value is as a register of the target holds it, since it was made so when it got its place (remade-values.ts).

import type { ScalarType } from "../../isa/bytecode/module.ts";
import type { Emission } from "./emission.ts";
import type { Virtual } from "./items.ts";

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

/** The value of a constant operand, else null. */
export function constantOf(e: Emission, register: Virtual): bigint | null {
  const from = e.location(register);
  return from.kind === "constant" ? from.value : null;
}

/** The greatest power of two, up to a page, that divides an address or an offset. */
export function alignmentOf(value: number): number {
  return value === 0 ? 4096 : Math.min(4096, value & -value);
}
