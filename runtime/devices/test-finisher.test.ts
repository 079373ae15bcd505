// The SiFive test finisher: which writes end the machine, with which code, and that nothing else does.

import assert from "node:assert/strict";
import { test } from "node:test";

import { busRead, busWrite, makeTestEnv, registersOf } from "../../tests/fixtures/device-env.ts";
import { testFinisher } from "./test-finisher.ts";

for (const [name, value, exit] of [
  ["PASS", 0x5555, { kind: "poweroff", code: 0 }],
  ["PASS ignores the code", 0x0009_5555, { kind: "poweroff", code: 0 }],
  ["FAIL", 0x0001_3333, { kind: "poweroff", code: 1 }],
  ["FAIL with a wide code", 0xffff_3333, { kind: "poweroff", code: 0xffff }],
  ["FAIL without code", 0x3333, { kind: "poweroff", code: 0 }],
  ["RESET", 0x7777, { kind: "reset", code: 0 }],
] as const) {
  test(name, () => {
    const env = makeTestEnv();
    registersOf(testFinisher.create({}, env)).write(0, value);
    assert.deepEqual(env.exits, [exit]);
  });
}

test("a two-byte write is a command without code", () => {
  const env = makeTestEnv();
  registersOf(testFinisher.create({}, env)).write(0, 0x5555, 2);
  assert.deepEqual(env.exits, [{ kind: "poweroff", code: 0 }]);
});

test("other values and offsets end nothing and are told", () => {
  const env = makeTestEnv();
  const r = registersOf(testFinisher.create({}, env));
  r.write(0, 0x1234);
  r.write(4, 0x5555);
  r.write(2, 0x5555, 2);
  assert.deepEqual(env.exits, []);
  assert.equal(env.logs.length, 3);
});

test("reads give 0; bytes and 8-byte accesses fault", () => {
  const env = makeTestEnv();
  const device = testFinisher.create({}, env);
  const region = device.regions[0];
  assert.ok(region);
  assert.equal(busRead(region, 0, 4), 0n);
  assert.equal(busRead(region, 0xffe, 2), 0n);
  assert.equal(busRead(region, 0, 1), null);
  assert.equal(busRead(region, 0, 8), null);
  assert.equal(busWrite(region, 0, 1, 0x55n), false);
  assert.equal(busWrite(region, 0x1000, 4, 0x5555n), false);
  assert.deepEqual(env.exits, []);
});
