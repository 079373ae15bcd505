// chr-testdev's packets, as QEMU's backends/testdev.c reads them: a decimal argument, a letter, blanks before either.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createChrTestdev, exitStatus } from "./chr-testdev.ts";
import { makeTestEnv } from "../../tests/fixtures/device-env.ts";

function codesOf(...writes: readonly string[]): number[] {
  const env = makeTestEnv();
  const backend = createChrTestdev(env);
  for (const text of writes) backend.write(new TextEncoder().encode(text));
  assert.ok(env.exits.every(({ kind }) => kind === "poweroff"));
  return env.exits.map(({ code }) => code);
}

test("an argument and q exit with the argument twice plus one", () => {
  assert.deepEqual(codesOf("3q"), [7]);
  assert.deepEqual(codesOf("0q"), [1]);
  assert.deepEqual(codesOf("q"), [1]);
  assert.deepEqual(codesOf("127q"), [255]);
});

test("blanks may stand before the argument and before the letter, also cut into pieces", () => {
  assert.deepEqual(codesOf(" \t\r\n\v\f12 \nq"), [25]);
  assert.deepEqual(codesOf(" ", "1", "2", " ", "q"), [25]);
});

test("other letters are dropped with their argument, and the next packet counts", () => {
  assert.deepEqual(codesOf("5x7q"), [15]);
  assert.deepEqual(codesOf("1Q-2q"), [5]);
});

test("a packet has one argument: a second one is taken for the letter", () => {
  assert.deepEqual(codesOf("1 2q"), [1]);
});

test("nothing happens before the letter has come", () => {
  assert.deepEqual(codesOf("42"), []);
  assert.deepEqual(codesOf("   "), []);
});

test("the argument is a 32-bit int", () => {
  assert.deepEqual(codesOf("4294967297q"), [3]);
});

test("a full buffer without a letter is dropped and reported", () => {
  const env = makeTestEnv();
  const backend = createChrTestdev(env);
  backend.write(new TextEncoder().encode(" ".repeat(32) + "6q"));
  assert.deepEqual(env.exits, [{ kind: "poweroff", code: 13 }]);
  assert.match(env.logs.join(), /32 bytes without a packet/);
});

test("save and load carry a packet begun; reset drops it", () => {
  const env = makeTestEnv();
  const first = createChrTestdev(env);
  first.write(new TextEncoder().encode("4"));
  const second = createChrTestdev(env);
  second.load(structuredClone(first.save()));
  second.write(new TextEncoder().encode("2q"));
  first.reset();
  first.write(new TextEncoder().encode("2q"));
  assert.deepEqual(
    env.exits.map(({ code }) => code),
    [85, 5],
  );
});

test("the status is a byte", () => {
  assert.deepEqual([0, 1, 3, 127, 128].map(exitStatus), [1, 3, 7, 255, 1]);
});
