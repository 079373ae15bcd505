// Moves at once against a model: every register and slot holds a name of its own before, and must hold that of its source after.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom, type Random } from "../../tests/fixtures/random.ts";
import { orderMoves, type Move } from "./parallel-moves.ts";
import type { Location, Writable } from "./location.ts";

const SCRATCH = 0;
const REGISTERS = [1, 2, 3, 4, 5, 6];

const register = (number: number): Writable => ({ kind: "register", register: number });
const slot = (offset: number): Writable => ({ kind: "slot", offset });
const constant = (value: bigint): Location => ({ kind: "constant", value });

function placeName(place: Location): string {
  switch (place.kind) {
    case "register":
      return `r${place.register}`;
    case "slot":
      return `s${place.offset}`;
    case "constant":
      return `#${place.value}`;
    case "symbol":
    case "function":
    case "frame":
      throw new Error(`no test moves what is a ${place.kind}`);
  }
}

/** Carries out what `orderMoves` says. */
function play(moves: readonly Move[], scratch = SCRATCH): { readonly after: ReadonlyMap<string, string>; readonly count: number } {
  const contents = new Map<string, string>();
  let count = 0;
  orderMoves(moves, scratch, (to, from) => {
    count += 1;
    contents.set(placeName(to), contents.get(placeName(from)) ?? placeName(from));
  });
  return { after: contents, count };
}

function check(moves: readonly Move[], scratch = SCRATCH): void {
  const { after } = play(moves, scratch);
  for (const { to, from } of moves) {
    const found = after.get(placeName(to)) ?? placeName(to);
    assert.equal(found, placeName(from), `${placeName(to)} of ${moves.map((move) => `${placeName(move.to)}=${placeName(move.from)}`).join(" ")}`);
  }
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const left = [...items];
  const result: T[] = [];
  while (left.length > 0) result.push(...left.splice(random.below(left.length), 1));
  return result;
}

test("moves that do not meet need no more than themselves", () => {
  const moves = [
    { to: register(1), from: slot(8) },
    { to: slot(0), from: register(2) },
    { to: register(3), from: constant(5n) },
  ];
  assert.equal(play(moves).count, 3);
  check(moves);
});

test("a move to where the value is already is left out", () => {
  assert.equal(play([{ to: register(1), from: register(1) }]).count, 0);
});

test("a chain is walked from its end", () => {
  const moves = [
    { to: register(2), from: register(1) },
    { to: register(3), from: register(2) },
    { to: register(4), from: register(3) },
  ];
  assert.equal(play(moves).count, 3);
  check(moves);
});

test("each cycle costs one move more", () => {
  const moves = [
    { to: register(1), from: register(2) },
    { to: register(2), from: register(1) },
    { to: register(3), from: register(4) },
    { to: register(4), from: register(5) },
    { to: register(5), from: register(3) },
  ];
  assert.equal(play(moves).count, 7);
  check(moves);
});

test("one source for many", () => {
  check([2, 3, 4].map((number) => ({ to: register(number), from: register(1) })));
  check([
    { to: register(1), from: register(2) },
    { to: register(2), from: register(1) },
    { to: register(3), from: register(1) },
    { to: slot(0), from: register(2) },
  ]);
});

test("an operand in the scratch register comes when no cycle needs it, and before its source is written", () => {
  const swap = [
    { to: register(1), from: register(2) },
    { to: register(2), from: register(1) },
  ];
  check([{ to: register(SCRATCH), from: register(3) }, ...swap]);
  check([{ to: register(SCRATCH), from: register(1) }, ...swap]);
  check([{ to: register(SCRATCH), from: register(3) }, { to: register(3), from: register(4) }, ...swap]);
  check([{ to: register(SCRATCH), from: register(3) }, { to: register(3), from: register(1) }, ...swap]);
  check([{ to: register(SCRATCH), from: constant(1n) }, ...swap]);
});

test("random moves, permutations among them", () => {
  const random = createRandom(7);
  for (let round = 0; round < 3000; round++) {
    const scratch = random.chance(30) ? random.pick(REGISTERS) : SCRATCH;
    const targets = shuffled(REGISTERS, random).slice(0, 1 + random.below(REGISTERS.length));
    const isPermutation = random.chance(50);
    const sources = isPermutation ? shuffled(targets, random) : targets.map(() => random.pick(REGISTERS));
    const moves = targets.map((number, index): Move => {
      const from = random.chance(isPermutation ? 0 : 30) ? random.pick<Location>([slot(8 * index), constant(BigInt(index))]) : register(sources[index] ?? 0);
      return { to: register(number), from };
    });
    const arguments_ = random.chance(40) ? [{ to: slot(1000), from: register(random.pick(REGISTERS)) }] : [];
    // No value lives in the scratch register.
    const all = [...moves, ...arguments_].filter(({ from }) => from.kind !== "register" || from.register !== scratch);
    check(shuffled(all, random), scratch);
  }
});
