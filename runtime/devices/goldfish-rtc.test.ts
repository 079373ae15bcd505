// The goldfish RTC against the Goldfish hardware guide: time in latched halves, alarms, interrupts, reset and saved state.

import assert from "node:assert/strict";
import { test } from "node:test";

import type { Device } from "./device.ts";
import { goldfishRtc } from "./goldfish-rtc.ts";
import { busRead, makeTestEnv, registersOf } from "../../tests/fixtures/device-env.ts";
import type { Registers, TestEnv } from "../../tests/fixtures/device-env.ts";

const TIME_LOW = 0x00;
const TIME_HIGH = 0x04;
const ALARM_LOW = 0x08;
const ALARM_HIGH = 0x0c;
const IRQ_ENABLED = 0x10;
const CLEAR_ALARM = 0x14;
const ALARM_STATUS = 0x18;
const CLEAR_INTERRUPT = 0x1c;

/** 2020-01-01T00:00:00Z. */
const EPOCH = 1_577_836_800_000_000_000n;

function makeRtc(): { env: TestEnv; device: Device; r: Registers; time: () => bigint; setAlarm: (at: bigint) => void } {
  const env = makeTestEnv();
  const device = env.connect(goldfishRtc.create({ epochNanoseconds: EPOCH.toString() }, env));
  const r = registersOf(device);
  return {
    env,
    device,
    r,
    time() {
      const low = r.read(TIME_LOW);
      return (BigInt(r.read(TIME_HIGH)) << 32n) | BigInt(low);
    },
    setAlarm(at) {
      r.write(ALARM_HIGH, Number(at >> 32n));
      r.write(ALARM_LOW, Number(at & 0xffff_ffffn));
    },
  };
}

test("time is the epoch plus virtual nanoseconds", () => {
  const { env, time } = makeRtc();
  assert.equal(time(), EPOCH);
  env.advance(3_600_000_000_123);
  assert.equal(time(), EPOCH + 3_600_000_000_123n);
});

test("TIME_HIGH is latched by a read of TIME_LOW", () => {
  const { env, r } = makeRtc();
  assert.equal(r.read(TIME_HIGH), 0);
  r.read(TIME_LOW);
  const before = r.read(TIME_HIGH);
  env.advance(2 ** 33);
  assert.equal(r.read(TIME_HIGH), before);
  r.read(TIME_LOW);
  assert.equal(r.read(TIME_HIGH), before + 2);
});

test("time can be set in halves and runs on", () => {
  const { env, r, time } = makeRtc();
  r.write(TIME_HIGH, 0x1234_5678);
  r.write(TIME_LOW, 0xffff_fff0);
  env.advance(0x20);
  assert.equal(time(), 0x1234_5679_0000_0010n);
});

test("an alarm runs, fires on the nanosecond, and interrupts when enabled", () => {
  const { env, r, setAlarm } = makeRtc();
  r.write(IRQ_ENABLED, 0xff);
  assert.equal(r.read(IRQ_ENABLED), 1);
  setAlarm(EPOCH + 1000n);
  assert.equal(r.read(ALARM_STATUS), 1);
  assert.deepEqual([r.read(ALARM_LOW), r.read(ALARM_HIGH)], [Number((EPOCH + 1000n) & 0xffff_ffffn), Number(EPOCH >> 32n)]);
  env.advance(999);
  assert.equal(env.level(0), false);
  env.advance(1);
  assert.equal(env.level(0), true);
  assert.equal(r.read(ALARM_STATUS), 0);
  r.write(CLEAR_INTERRUPT, 0);
  assert.equal(env.level(0), false);
});

test("an alarm in the past fires at once, and shows when the interrupt is enabled later", () => {
  const { env, r, setAlarm } = makeRtc();
  setAlarm(EPOCH);
  assert.equal(r.read(ALARM_STATUS), 0);
  assert.equal(env.level(0), false);
  r.write(IRQ_ENABLED, 1);
  assert.equal(env.level(0), true);
  r.write(IRQ_ENABLED, 0);
  assert.equal(env.level(0), false);
});

test("CLEAR_ALARM stops a running alarm", () => {
  const { env, r, setAlarm } = makeRtc();
  r.write(IRQ_ENABLED, 1);
  setAlarm(EPOCH + 1000n);
  r.write(CLEAR_ALARM, 0);
  assert.equal(r.read(ALARM_STATUS), 0);
  env.advance(10_000);
  assert.equal(env.level(0), false);
});

test("an alarm beyond the end of time is armed and never fires", () => {
  const { env, r, setAlarm } = makeRtc();
  setAlarm(EPOCH + 2n ** 60n);
  assert.equal(r.read(ALARM_STATUS), 1);
  assert.equal(env.nextEvent(), null);
});

test("write-only and absent registers read 0 and are told; other widths fault", () => {
  const { env, device, r } = makeRtc();
  for (const offset of [CLEAR_ALARM, CLEAR_INTERRUPT, 0x20]) assert.equal(r.read(offset), 0);
  r.write(ALARM_STATUS, 1);
  assert.equal(r.read(ALARM_STATUS), 0);
  assert.equal(env.logs.length, 4);
  const region = device.regions[0];
  assert.ok(region);
  for (const width of [1, 2, 8] as const) assert.equal(busRead(region, 0, width), null);
  assert.equal(busRead(region, 0x24, 4), null);
});

test("reset returns to the epoch's clock without alarm or interrupt", () => {
  const { env, device, r, time, setAlarm } = makeRtc();
  r.write(IRQ_ENABLED, 1);
  setAlarm(EPOCH);
  r.write(TIME_HIGH, 0);
  setAlarm(EPOCH + 5n);
  device.reset();
  assert.equal(env.level(0), false);
  assert.equal(env.nextEvent(), null);
  assert.equal(r.read(IRQ_ENABLED), 0);
  assert.equal(time(), EPOCH);
});

test("an epoch that a number cannot hold exactly is refused", () => {
  assert.throws(() => goldfishRtc.create({ epochNanoseconds: 1_577_836_800_000_000_000 }, makeTestEnv()), /write it as a string/);
  assert.throws(() => goldfishRtc.create({ epochNanoseconds: "yesterday" }, makeTestEnv()), SyntaxError);
});
