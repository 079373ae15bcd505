// Moves that happen at once, as a call's arguments do: each source is read before its register is written. Moves whose target nobody
// still needs go first; what is left are cycles, each broken by the scratch register. Assembly may want an operand in that very
// register: it gets it when no cycle needs it any more.

import type { Location, Writable } from "./target.ts";

export interface Move {
  readonly to: Writable;
  readonly from: Location;
}

function isSame(a: Location, b: Location): boolean {
  if (a.kind === "register") return b.kind === "register" && a.register === b.register;
  return a.kind === "slot" && b.kind === "slot" && a.offset === b.offset;
}

/** A move in whose cycle the place `without` is not; there may be none. Only moves that block each other are asked about. */
function findCycle(moves: readonly Move[], without: Location | null): Move | undefined {
  return moves.find((start) => {
    let at: Move | undefined = start;
    for (let steps = 0; steps < moves.length && at !== undefined; steps++) {
      if (without !== null && isSame(at.to, without)) return false;
      const { from }: Move = at;
      at = moves.find(({ to }) => isSame(to, from));
      if (at === start) return true;
    }
    return false;
  });
}

/** Calls `move` in an order that loses nothing. Slots written are never among the slots read. */
export function orderMoves(moves: readonly Move[], scratch: number, move: (to: Writable, from: Location) => void): void {
  const held: Writable = { kind: "register", register: scratch };
  const pending = moves.filter(({ to, from }) => !isSame(to, from) && !isSame(to, held));
  let intoScratch = moves.find(({ to, from }) => isSame(to, held) && !isSame(from, held)) ?? null;

  /** Those who still want what was at `place` find it at `other`. */
  function redirect(place: Location, other: Writable): void {
    pending.forEach((each, index) => {
      if (isSame(each.from, place)) pending[index] = { to: each.to, from: other };
    });
    if (intoScratch !== null && isSame(intoScratch.from, place)) intoScratch = { to: held, from: other };
  }

  function hold(place: Location): void {
    move(held, place);
    redirect(place, held);
  }

  while (pending.length > 0 || intoScratch !== null) {
    const isRead = (place: Location, reader: number): boolean =>
      pending.some(({ from }, other) => other !== reader && isSame(from, place)) || (intoScratch !== null && isSame(intoScratch.from, place));
    const ready = pending.findIndex(({ to }, index) => !isRead(to, index));
    if (ready >= 0) {
      const [next] = pending.splice(ready, 1);
      if (next === undefined) continue;
      move(next.to, next.from);
      // It stays there, so that what is in the way of others is free earlier.
      if (next.to.kind === "register" && next.from.kind === "register") redirect(next.from, next.to);
      continue;
    }
    const cycle = findCycle(pending, intoScratch?.from ?? null);
    if (cycle !== undefined) hold(cycle.to);
    else if (intoScratch !== null) {
      const { from }: Move = intoScratch;
      intoScratch = null;
      hold(from);
    } else throw new Error("moves block each other without a cycle");
  }
}
