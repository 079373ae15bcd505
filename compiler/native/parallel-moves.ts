// Moves that happen at once, as a call's arguments do: each source is read before its register is written. Moves whose target nobody
// still needs go first; what is left are cycles, each broken by the scratch register. Assembly may want an operand in that very
// register: it gets it when no cycle needs it any more.

import type { Location, Writable } from "./location.ts";

export interface Move {
  readonly to: Writable;
  readonly from: Location;
}

export function isSame(a: Location, b: Location): boolean {
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

/** Whether another of the moves wants what is at the place. */
function isWanted(moves: readonly Move[], place: Location, reader: number): boolean {
  for (let other = 0; other < moves.length; other++) {
    const from = moves[other]?.from;
    if (other !== reader && from !== undefined && isSame(from, place)) return true;
  }
  return false;
}

/** Whether each move can be done as it stands, one after the other: nearly all lists are so. */
function isInOrder(moves: readonly Move[], scratch: number): boolean {
  for (let one = 0; one < moves.length; one++) {
    const { to, from } = moves[one] ?? {};
    if (to === undefined || from === undefined || (to.kind === "register" && to.register === scratch)) return false;
    // A register that is read twice is read from the first target.
    if (isWanted(moves, to, one) || (from.kind === "register" && isWanted(moves, from, one))) return false;
  }
  return true;
}

/** Calls `move` in an order that loses nothing. Slots written are never among the slots read. */
export function orderMoves(moves: readonly Move[], scratch: number, move: (to: Writable, from: Location) => void): void {
  if (moves.length < 2 || isInOrder(moves, scratch)) {
    for (const { to, from } of moves) if (!isSame(to, from)) move(to, from);
  } else orderTangled(moves, scratch, move);
}

function orderTangled(moves: readonly Move[], scratch: number, move: (to: Writable, from: Location) => void): void {
  const held: Writable = { kind: "register", register: scratch };
  const pending: Move[] = [];
  let intoScratch: Move | null = null;
  for (const each of moves) {
    if (isSame(each.to, each.from)) continue;
    if (!isSame(each.to, held)) pending.push(each);
    else intoScratch ??= each;
  }

  /** Those who still want what was at `place` find it at `other`. */
  function redirect(place: Location, other: Writable): void {
    for (let index = 0; index < pending.length; index++) {
      const each = pending[index];
      if (each !== undefined && isSame(each.from, place)) pending[index] = { to: each.to, from: other };
    }
    if (intoScratch !== null && isSame(intoScratch.from, place)) intoScratch = { to: held, from: other };
  }

  function findReady(): number {
    for (let index = 0; index < pending.length; index++) {
      const to = pending[index]?.to;
      if (to !== undefined && !isWanted(pending, to, index) && !(intoScratch !== null && isSame(intoScratch.from, to))) return index;
    }
    return -1;
  }

  function hold(place: Location): void {
    move(held, place);
    redirect(place, held);
  }

  while (pending.length > 0 || intoScratch !== null) {
    const ready = findReady();
    if (ready >= 0) {
      const next = pending[ready];
      pending.splice(ready, 1);
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
