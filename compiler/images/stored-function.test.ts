// A stored function comes back as what was stored, with its own numbers, and is the same bytes whatever its image called them.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { NativeFunction } from "../native/lower-function.ts";
import { hashFunction, loadFunction, storeFunction, type NamedPlace } from "./stored-function.ts";

/** With the numbers that an image has for two functions and a symbol, and for two places. */
function makeFunction([first, second, symbol]: readonly [number, number, number], [early, late]: readonly [number, number]): NativeFunction {
  return {
    code: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
    frameSize: 48,
    relocations: [
      { offset: 0, kind: "call", to: { kind: "function", function: second }, addend: 0 },
      { offset: 1, kind: "high", to: { kind: "symbol", symbol }, addend: -8 },
      { offset: 2, kind: "call", to: { kind: "label", name: "guest_poll" }, addend: 0 },
      { offset: 3, kind: "call", to: { kind: "function", function: first }, addend: 2 ** 32 },
      { offset: 4, kind: "low", to: { kind: "function", function: second }, addend: 4 },
    ],
    marks: [
      { offset: 0, location: late },
      { offset: 2, location: -1 },
      { offset: 4, location: early },
      { offset: 6, location: late },
    ],
    frameEvents: [
      { offset: 1, kind: "depth", bytes: 48 },
      { offset: 2, kind: "kept", register: 5, below: 16 },
      { offset: 6, kind: "leave" },
      { offset: 8, kind: "stay" },
      { offset: 8, kind: "outermost" },
    ],
  };
}

const PLACES: readonly NamedPlace[] = [
  { path: "guestspec/lib/cpu.gspec", line: 3, column: 1 },
  { path: "specs/a.gspec", line: 70, column: 12 },
];

test("what is loaded is what was stored, its names counted by use", () => {
  const fn = makeFunction([7, 90, 90], [0, 1]);
  const stored = storeFunction(fn, (location) => PLACES[location]);
  assert.deepEqual(stored.references, [
    { kind: "function", function: 90 },
    { kind: "symbol", symbol: 90 },
    { kind: "label", name: "guest_poll" },
    { kind: "function", function: 7 },
  ]);
  const loaded = loadFunction(stored);
  assert.deepEqual(loaded.fn, makeFunction([3, 0, 1], [1, 0]));
  assert.equal(loaded.references, 4);
  assert.deepEqual(loaded.places, PLACES.toReversed());
});

test("numbers of an image leave no trace, all else does", () => {
  const hashOf = (fn: NativeFunction, places: readonly NamedPlace[] = PLACES): string => hashFunction(storeFunction(fn, (location) => places[location]));
  const usual = makeFunction([1, 2, 3], [0, 1]);
  assert.equal(hashOf(makeFunction([2, 1, 2], [0, 1])), hashOf(usual));
  assert.equal(hashOf(makeFunction([1, 2, 3], [1, 0]), PLACES.toReversed()), hashOf(usual));
  const others: readonly NativeFunction[] = [
    makeFunction([1, 1, 3], [0, 1]),
    { ...usual, code: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 9) },
    { ...usual, frameSize: 32 },
    { ...usual, relocations: usual.relocations.slice(1) },
    { ...usual, marks: usual.marks.slice(1) },
    { ...usual, frameEvents: usual.frameEvents.slice(1) },
  ];
  const moved = PLACES.map((place) => ({ ...place, line: place.line + 1 }));
  const hashes = [...others.map((fn) => hashOf(fn)), hashOf(usual, moved), hashOf(usual)];
  assert.equal(new Set(hashes).size, hashes.length);
});
