// Slots for models that the guest brings along: what is called for which access, and what becomes of it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { guestModels } from "./guest-models.ts";
import { busRead, busWrite, makeTestEnv, type TestEnv } from "../../tests/fixtures/device-env.ts";
import type { Device, Region } from "./device.ts";

const READ = 0x00;
const WRITE = 0x08;
const EVENT = 0x10;
const OBJECT = 0x18;
const LINE = 0x30;
const TIMER = 0x38;
const REFUSE = 0xf00;
const SLOT_BYTES = 64;
const SLOT_SIZE = 0x1000;
const SLOT = 1;

interface Models {
  readonly env: TestEnv;
  readonly device: Device;
  readonly control: Region;
  readonly slots: Region;
  readonly calls: (readonly [code: bigint, ...args: bigint[]])[];
}

/** With functions at 0x10000 (read), 0x20000 (write) and 0x30000 (event) in slot 1; `answer` is what they do. */
function makeModels(answer: (code: bigint) => bigint | null = () => 0n): Models {
  const calls: (readonly [bigint, ...bigint[]])[] = [];
  const env = makeTestEnv({
    callGuest(code, args) {
      calls.push([code, ...args]);
      return answer(code);
    },
  });
  const device = env.connect(guestModels.create({ slots: 4, slotSize: SLOT_SIZE }, env));
  device.reset();
  env.takeIrqs();
  const [control, slots] = device.regions;
  assert.ok(control !== undefined && slots !== undefined);
  const set = (offset: number, value: bigint): boolean => busWrite(control, SLOT * SLOT_BYTES + offset, 8, value);
  assert.ok(set(READ, 0x1_0000n) && set(WRITE, 0x2_0000n) && set(EVENT, 0x3_0000n) && set(OBJECT, 0x8000_0000n));
  return { env, device, control, slots, calls };
}

test("an access calls the slot's function with object, offset, width and value", () => {
  const { slots, calls } = makeModels(() => 0x1234_5678_9abc_def0n);
  assert.equal(busRead(slots, SLOT_SIZE + 8, 2), 0xdef0n);
  assert.equal(busRead(slots, SLOT_SIZE + 8, 8), 0x1234_5678_9abc_def0n);
  assert.ok(busWrite(slots, SLOT_SIZE + 5, 1, 0xabn));
  assert.ok(busWrite(slots, SLOT_SIZE, 8, 0xffff_ffff_ffff_fff0n));
  assert.deepEqual(calls, [
    [0x1_0000n, 0x8000_0000n, 8n, 2n],
    [0x1_0000n, 0x8000_0000n, 8n, 8n],
    [0x2_0000n, 0x8000_0000n, 5n, 1n, 0xabn],
    [0x2_0000n, 0x8000_0000n, 0n, 8n, 0xffff_ffff_ffff_fff0n],
  ]);
});

test("an empty slot, a function that does not return, and a model in its own window are bus faults", () => {
  const { slots, env } = makeModels();
  assert.equal(busRead(slots, 0, 4), null);
  assert.equal(busWrite(slots, 3 * SLOT_SIZE, 4, 1n), false);
  assert.match(env.logs.join("\n"), /no model is attached to slot 0\nno model is attached to slot 3/);
  const broken = makeModels(() => null);
  assert.equal(busRead(broken.slots, SLOT_SIZE, 4), null);
  assert.match(broken.env.logs.join("\n"), /slot 1 did not return/);
  const inner: (bigint | number | null)[] = [];
  const own: Models = makeModels(() => {
    inner.push(busRead(own.slots, SLOT_SIZE, 4));
    return 7n;
  });
  busRead(own.slots, SLOT_SIZE, 4);
  assert.deepEqual(inner, [null]);
  assert.match(own.env.logs.join("\n"), /slot 1 was accessed by itself/);
});

test("a model can refuse the access that it answers, and only that one", () => {
  let refuses = true;
  const models: Models = makeModels(() => {
    if (refuses) busWrite(models.control, REFUSE, 8, 1n);
    return 5n;
  });
  assert.equal(busRead(models.slots, SLOT_SIZE, 4), null);
  assert.equal(busWrite(models.slots, SLOT_SIZE, 4, 1n), false);
  refuses = false;
  assert.equal(busRead(models.slots, SLOT_SIZE, 4), 5n);
});

test("each slot has a line and a timer", () => {
  const { env, control, calls } = makeModels();
  busWrite(control, SLOT * SLOT_BYTES + LINE, 8, 1n);
  assert.equal(env.level(SLOT), true);
  busWrite(control, SLOT * SLOT_BYTES + TIMER, 8, 500n);
  env.advance(499);
  assert.deepEqual(calls, []);
  env.advance(1);
  assert.deepEqual(calls, [[0x3_0000n, 0x8000_0000n]]);
  busWrite(control, SLOT * SLOT_BYTES + TIMER, 8, 500n);
  busWrite(control, SLOT * SLOT_BYTES + TIMER, 8, (1n << 64n) - 1n);
  assert.equal(env.nextEvent(), null);
});

test("control has 8-byte registers only, which read back and survive a snapshot", () => {
  const { device, control } = makeModels();
  assert.equal(busRead(control, SLOT * SLOT_BYTES + OBJECT, 4), null);
  const state = device.save();
  device.reset();
  assert.equal(busRead(control, SLOT * SLOT_BYTES + OBJECT, 8), 0n);
  device.load(state);
  assert.equal(busRead(control, SLOT * SLOT_BYTES + OBJECT, 8), 0x8000_0000n);
});

test("faults count the accesses that they are about, and act once", () => {
  const { device, control } = makeModels();
  const fault = (number: number, words: readonly bigint[]): void => {
    for (const [i, word] of words.entries()) assert.ok(busWrite(control, 0x800 + 32 * number + 8 * i, 8, word));
  };
  const { intercept } = device;
  assert.ok(intercept !== undefined);
  assert.equal(intercept(0x1000, false), undefined);
  fault(0, [0x1000n, 2n, 0n, 0n]);
  fault(1, [0x1000n, 1n, 0x101n, 0xffn]);
  fault(2, [0x1000n, 2n, 0x201n, 0n]);
  assert.equal(intercept(0x1004, false), null);
  assert.deepEqual(
    [false, false, false, true, true, true].map((isWrite) => intercept(0x1000, isWrite)),
    [null, { kind: "refuse" }, null, { kind: "flip", bits: 0xffn }, { kind: "drop" }, undefined],
  );
  assert.equal(busRead(control, 0x800, 8), 0x1000n);
});

test("it says whether a fault waits for an access, after a restore too", () => {
  const { device, control } = makeModels();
  assert.equal(device.isIntercepting?.(), false);
  const idle = device.save();
  // Of an interrupt first, which waits for no access.
  askOfInterrupts(control, 1n, 2n, 0n);
  assert.equal(device.isIntercepting?.(), false);
  for (const [i, word] of [0x1000n, 1n, 1n, 0n].entries()) assert.ok(busWrite(control, 0x820 + 8 * i, 8, word));
  assert.equal(device.isIntercepting?.(), true);
  const waiting = device.save();
  assert.deepEqual(device.intercept?.(0x1000, true), { kind: "refuse" });
  assert.equal(device.isIntercepting?.(), false);
  device.load(waiting);
  assert.equal(device.isIntercepting?.(), true);
  device.load(idle);
  assert.equal(device.isIntercepting?.(), false);
});

/** Fault 0: of line 9. */
function askOfInterrupts(control: Region, nth: bigint, action: bigint, data: bigint): void {
  const FAULT = 0x800;
  assert.ok(busWrite(control, FAULT, 8, 9n) && busWrite(control, FAULT + 0x18, 8, data) && busWrite(control, FAULT + 0x10, 8, (action << 8n) | 2n));
  assert.ok(busWrite(control, FAULT + 8, 8, nth));
}

test("the nth rise of a line is lost, and no other", () => {
  const { device, control, env } = makeModels();
  assert.equal(device.interceptInterrupt?.(9, true), undefined);
  askOfInterrupts(control, 2n, 2n, 0n);
  const seen = [true, false, true, false, true].map((level) => device.interceptInterrupt?.(9, level));
  assert.deepEqual(seen, [false, false, true, undefined, undefined]);
  assert.equal(device.interceptInterrupt?.(8, true), undefined);
  assert.deepEqual(env.lateLines, []);
});

test("a rise comes late, also after a restore, and not if the line has fallen by then", () => {
  const { device, control, env } = makeModels();
  askOfInterrupts(control, 1n, 3n, 500n);
  assert.equal(device.interceptInterrupt?.(9, true), true);
  device.load(device.save());
  env.advance(499);
  assert.deepEqual(env.lateLines, []);
  env.advance(1);
  assert.deepEqual(env.lateLines, [9]);
  askOfInterrupts(control, 1n, 3n, 500n);
  assert.equal(device.interceptInterrupt?.(9, true), true);
  assert.equal(device.interceptInterrupt?.(9, false), false);
  env.advance(1000);
  assert.deepEqual(env.lateLines, [9]);
});
