// Constants and addresses that never wait in a register: each use makes them again, which is as short on all targets as to fetch them. A
// location stands for such a value from register allocation on, so that instructions with immediate operands take it as it is.

import type { ScalarType } from "../../isa/bytecode/module.ts";
import type { Frame } from "./frame.ts";
import type { ComputeItem, Items } from "./items.ts";
import type { Location } from "./location.ts";
import type { NativeTarget } from "./target.ts";

/** Instructions that make such values. */
const REMADE: ReadonlySet<string> = new Set(["const", "symbol_addr", "frame_addr", "func_addr"]);

/** What an instruction of `REMADE` makes; an address in the bytecode's frame still counts from that frame's start. */
export function remake({ op, imm }: ComputeItem, type: ScalarType, target: NativeTarget): Location {
  const first = imm[0] ?? 0;
  switch (op) {
    case "const":
      return { kind: "constant", value: target.canonical(BigInt(first), type) };
    case "symbol_addr":
      return { kind: "symbol", symbol: Number(first), offset: Number(imm[1] ?? 0) };
    case "frame_addr":
      return { kind: "frame", offset: Number(first) };
    default:
      return { kind: "function", function: Number(first) };
  }
}

/** Counts from the stack pointer. */
export function inFrame(location: Location, frame: Frame): Location {
  return location.kind === "frame" ? { kind: "frame", offset: frame.local + location.offset } : location;
}

/** Constants and addresses by virtual register, where each use makes them again. */
export function remadeValues({ items, types, isLocal }: Items, target: NativeTarget): readonly (Location | undefined)[] {
  const remade = new Array<Location | undefined>(types.length).fill(undefined);
  for (let index = 0; index < items.length; index++) {
    const item = items[index];
    if (item?.kind !== "op" || !REMADE.has(item.op)) continue;
    const result = item.dst[0] ?? 0;
    if (isLocal[result] !== true) continue;
    remade[result] = remake(item, types[result] ?? "i64", target);
  }
  return remade;
}
