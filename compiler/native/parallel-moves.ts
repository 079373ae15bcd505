// Moves that happen at once, as a call's arguments do: each source is read before its register is written. Moves whose target nobody
// still needs go first; what is left are cycles, each broken by the scratch register.

import type { Location, Writable } from "./target.ts";

export interface Move {
  readonly to: Writable;
  readonly from: Location;
}

function isSame(a: Location, b: Location): boolean {
  if (a.kind === "register") return b.kind === "register" && a.register === b.register;
  return a.kind === "slot" && b.kind === "slot" && a.offset === b.offset;
}

/** Calls `move` in an order that loses nothing. Slots written are never among the slots read. */
export function orderMoves(moves: readonly Move[], scratch: number, move: (to: Writable, from: Location) => void): void {
  const pending = moves.filter(({ to, from }) => !isSame(to, from));
  while (pending.length > 0) {
    const ready = pending.findIndex(({ to }, index) => !pending.some(({ from }, other) => other !== index && isSame(from, to)));
    if (ready >= 0) {
      const [next] = pending.splice(ready, 1);
      if (next !== undefined) move(next.to, next.from);
      continue;
    }
    const [first] = pending;
    if (first === undefined) return;
    const held: Writable = { kind: "register", register: scratch };
    move(held, first.to);
    pending.forEach((each, index) => {
      if (isSame(each.from, first.to)) pending[index] = { to: each.to, from: held };
    });
  }
}
