// Calls out of words of a stack, on an image of a few functions: what is on the way to the outermost code, and what is not believed.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { NativeSymbol } from "../../compiler/native/native-image.ts";
import type { StackWords } from "./frames.ts";
import { createUnwinder } from "./unwind.ts";

const BASE = 0x1000;
const STACK = 0x9000;

function symbol(name: string, offset: number, size: number, frame?: NativeSymbol["frame"]): NativeSymbol {
  const rest = frame === undefined ? {} : { frame };
  return { name, address: BigInt(BASE + offset), size, kind: "function", ...rest };
}

/** Entry assembly below 0x100; each function is 0x40 bytes long. Frames are 32 bytes, with the return address 8 below the caller's stack. */
const FRAME = { bytes: 32, returnBelow: 8 };
const symbols = [
  symbol("start", 0, 0),
  symbol("interrupt", 0x40, 0),
  symbol("guest_guard", 0x80, 0, { bytes: 64, returnBelow: 64 }),
  symbol("native.tell_calls", 0x100, 0x40, FRAME),
  symbol("report.failed", 0x140, 0x40, FRAME),
  symbol("helper", 0x180, 0x40, FRAME),
  symbol("test", 0x1c0, 0x40, FRAME),
  symbol("leaf", 0x200, 0x40, { bytes: 0, returnBelow: 0 }),
  symbol("handler", 0x240, 0x40, FRAME),
];
const image = { target: "riscv64", base: BigInt(BASE), symbols, codeStart: BigInt(BASE + 0x100) };
const offsets: Readonly<Record<string, number>> = Object.fromEntries(symbols.map(({ name, address }) => [name, Number(address) - BASE]));

/** A place in a function, behind a call. */
function inside(name: string): number {
  return (offsets[name] ?? 0) + 0x20;
}

function unwinder(): NonNullable<ReturnType<typeof createUnwinder>> {
  const made = createUnwinder(image);
  assert.ok(made !== undefined);
  return made;
}

function told(start: number, words: Readonly<Record<number, string>>): StackWords {
  return { start, words: new Map(Object.entries(words).map(([at, name]) => [Number(at), inside(name)])) };
}

function namesOf(pcs: readonly number[]): readonly string[] {
  return pcs.map((pc) => symbols.findLast(({ address }) => Number(address) <= pc)?.name ?? "?");
}

const REPORT = { [STACK + 24]: "report.failed", [STACK + 56]: "helper", [STACK + 88]: "test" };

test("from the report outwards, each by its frame", () => {
  const stack = unwinder().ofReport(told(STACK, { ...REPORT, [STACK + 120]: "start" }), 2);
  assert.deepEqual([namesOf(stack?.pcs ?? []), stack?.lost, stack?.cpu], [["report.failed", "helper", "test"], null, 2]);
});

test("old words beside the frames' own are passed over", () => {
  const words = { [STACK]: "leaf", [STACK + 8]: "helper", ...REPORT, [STACK + 64]: "handler", [STACK + 72]: "test", [STACK + 120]: "start" };
  assert.deepEqual(namesOf(unwinder().ofReport(told(STACK, words), 0)?.pcs ?? []), ["report.failed", "helper", "test"]);
});

test("a return address that is gone ends the chain, with a word", () => {
  const stack = unwinder().ofReport(told(STACK, { [STACK + 24]: "report.failed", [STACK + 56]: "helper", [STACK + 120]: "start" }), 0);
  assert.deepEqual([namesOf(stack?.pcs ?? []), stack?.lost], [["report.failed", "helper"], "the stack does not say more"]);
});

test("one that was overwritten with an address of data leads nowhere", () => {
  const words = new Map([...told(STACK, REPORT).words, [STACK + 88, 0x4000]]);
  const stack = unwinder().ofReport({ start: STACK, words }, 0);
  assert.deepEqual([namesOf(stack?.pcs ?? []), stack?.lost], [["report.failed", "helper"], "the stack does not say more"]);
});

test("nobody's words are nobody's calls", () => {
  assert.equal(unwinder().ofReport({ start: STACK, words: new Map() }, 0), null);
  assert.deepEqual(unwinder().ofTrap({ start: STACK, words: new Map() }, BASE + inside("helper"), 0)?.lost, "the stack does not say more");
});

test("a stack that calls itself in a circle comes to an end", () => {
  const words = new Map(Array.from({ length: 4000 }, (_, index) => [STACK + 24 + 8 * index, inside("report.failed")]));
  assert.equal(unwinder().ofReport({ start: STACK, words }, 0)?.lost, "the stack does not say more");
});

test("words that fork the way at each of hundreds of interrupts come to an end", { timeout: 20_000 }, () => {
  const words = Array.from({ length: 10_000 }, (_, index) => [STACK + 8 * index, (["helper", "interrupt"] as const)[index % 4]] as const);
  const forking = new Map(words.flatMap(([at, name]) => (name === undefined ? [] : [[at, inside(name)]])));
  assert.equal(unwinder().ofTrap({ start: STACK, words: forking }, BASE + inside("helper"), 0)?.lost, "the stack does not say more");
});

test("an interrupt's frame leads to what it interrupted, also to a leaf whose return address is in its register", () => {
  const words = told(STACK, {
    [STACK + 24]: "report.failed",
    [STACK + 56]: "handler",
    [STACK + 88]: "interrupt",
    // The frame of the interrupt is 288 bytes from STACK + 96 on: ra at 8, pc at 256.
    [STACK + 96 + 8]: "helper",
    [STACK + 96 + 256]: "leaf",
    [STACK + 96 + 288 + 24]: "test",
    [STACK + 96 + 288 + 56]: "start",
  });
  const stack = unwinder().ofReport(words, 0);
  assert.deepEqual(namesOf(stack?.pcs ?? []), ["report.failed", "handler", "leaf", "helper", "test"]);
  assert.deepEqual([...(stack?.breaks ?? [])], [[2, "interrupt"]]);
});

test("a trap's calls go to the guard that it has ended", () => {
  const sp = STACK + 288;
  const words = told(STACK, { [sp + 24]: "test", [sp + 56]: "guest_guard" });
  const stack = unwinder().ofTrap(words, BASE + inside("helper"), 0);
  assert.deepEqual([namesOf(stack?.pcs ?? []), stack?.lost], [["helper", "test"], null]);
});

test("a trap that the library found further in is told of the code that it blames", () => {
  const sp = STACK + 288;
  const words = told(STACK, { [sp + 8]: "handler", [sp + 104]: "test", [sp + 136]: "guest_guard" });
  assert.deepEqual(namesOf(unwinder().ofTrap(words, BASE + inside("helper"), 0)?.pcs ?? []), ["helper", "test"]);
});

test("targets without machine code of ours have no unwinder", () => {
  assert.equal(createUnwinder({ ...image, target: "riscv32" }), undefined);
});
