// Which accesses of a loop get a pointer, where it is made, and which share one. That a pointer is right is for the conformance table and for generated
// programs to show; here it is that there is one, which no result can tell.

import assert from "node:assert/strict";
import { test } from "node:test";
import { I64 } from "../wasm/encoder.ts";
import { closeLoop, createLoopNotes, findPairs, noteWrite, openLoop, planPointers, pointerAt } from "./translate-loops.ts";
import { constantForm } from "./translate-forms.ts";
import type { Form } from "./translate-forms.ts";
import type { LoopNotes } from "./translate-loops.ts";

const NOTHING = { places: [], numbers: [] };
const OUTER = 10;
const INNER = 20;
const WRITER = {};
/** Locals. */
const [I, K, ROW] = [2, 3, 4];

function sum(plus: number, ...terms: readonly (readonly [local: number, times: number])[]): Form {
  return { terms: terms.map(([local, times]) => ({ local, version: 0, times, type: I64 })), plus };
}

/** An inner loop that counts K in an outer one that counts I, and accesses in the inner one. */
function loops(forms: readonly Form[], within: (notes: LoopNotes) => void = () => undefined): LoopNotes {
  const notes = createLoopNotes();
  openLoop(notes, OUTER, NOTHING);
  noteWrite(notes, K, undefined, undefined);
  openLoop(notes, INNER, NOTHING);
  forms.forEach((form, at) => pointerAt(notes, WRITER, at, form));
  within(notes);
  noteWrite(notes, K, constantForm(1), 30);
  closeLoop(notes);
  noteWrite(notes, I, constantForm(1), 40);
  closeLoop(notes);
  return notes;
}

function pointersOf(notes: LoopNotes): Readonly<Record<"outer" | "inner", number>> {
  return { outer: notes.loops.get(OUTER)?.pointers.length ?? 0, inner: notes.loops.get(INNER)?.pointers.length ?? 0 };
}

test("an element of a row is followed by the loop over the row", () => {
  const notes = loops([sum(0x1000, [I, 384], [K, 4])]);
  assert.equal(planPointers(notes, 50), 1);
  assert.deepEqual(pointersOf(notes), { outer: 0, inner: 1 });
});

test("what the inner loop leaves alone is followed by the outer one", () => {
  const notes = loops([sum(0x1000, [I, 384], [ROW, 4])]);
  assert.equal(planPointers(notes, 50), 1);
  assert.deepEqual(pointersOf(notes), { outer: 1, inner: 0 });
});

test("arrays that are indexed alike share a pointer, and a constant costs none", () => {
  const notes = loops([sum(0x1000, [K, 4]), sum(0x8000, [K, 4]), sum(0x8008, [K, 4]), sum(0x9000, [K, 1]), sum(0xa000)]);
  assert.equal(planPointers(notes, 50), 1);
});

test("a register that becomes something else is not followed", () => {
  const notes = loops([sum(0x1000, [ROW, 4], [K, 8])], (inner) => noteWrite(inner, ROW, undefined, 25));
  assert.equal(planPointers(notes, 50), 0);
});

test("on a path that knows another sum, the access has no pointer", () => {
  const form = sum(0x1000, [I, 384], [K, 4]);
  const notes = loops([form]);
  planPointers(notes, 50);
  openLoop(notes, OUTER, NOTHING);
  openLoop(notes, INNER, NOTHING);
  assert.equal(pointerAt(notes, WRITER, 0, form)?.local, 50);
  assert.equal(pointerAt(notes, WRITER, 0, sum(0x1000, [ROW, 1])), undefined);
});

test("an address is paired with an index if nothing can come between their steps", () => {
  const paired = (isStraight: boolean): boolean => {
    const notes = createLoopNotes();
    openLoop(notes, OUTER, { places: [ROW], numbers: [I] });
    noteWrite(notes, I, constantForm(1), 11);
    noteWrite(notes, ROW, constantForm(8), 13);
    closeLoop(notes);
    return findPairs(notes, () => isStraight);
  };
  assert.equal(paired(true), true);
  assert.equal(paired(false), false);
});
