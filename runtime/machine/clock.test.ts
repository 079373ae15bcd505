// Virtual time: events fire at their own time and in order, also for late polls and restored states.

import { test } from "node:test";
import assert from "node:assert/strict";
import fc from "fast-check";
import { createClock, type VirtualClock } from "./clock.ts";

interface Fired {
  readonly device: number;
  readonly tag: number;
  readonly at: number;
}

function recording(react?: (clock: VirtualClock, device: number, tag: number) => void): {
  clock: VirtualClock;
  fired: Fired[];
} {
  const fired: Fired[] = [];
  const clock = createClock((device, tag) => {
    fired.push({ device, tag, at: clock.now() });
    react?.(clock, device, tag);
  });
  return { clock, fired };
}

test("fires what is due, at its own time, and nothing else", () => {
  const { clock, fired } = recording();
  clock.schedule(0, 1, 100);
  clock.schedule(1, 1, 50);
  clock.schedule(0, 2, 101);
  assert.equal(clock.nextEvent(), 50);
  clock.advance(100);
  clock.fire();
  assert.deepEqual(fired, [
    { device: 1, tag: 1, at: 50 },
    { device: 0, tag: 1, at: 100 },
  ]);
  assert.equal(clock.now(), 100);
  assert.equal(clock.nextEvent(), 101);
});

test("events of one time fire in the order of scheduling", () => {
  const { clock, fired } = recording();
  for (const device of [3, 1, 2]) clock.schedule(device, 0, 10);
  clock.advance(10);
  clock.fire();
  assert.deepEqual(
    fired.map((event) => event.device),
    [3, 1, 2],
  );
});

test("scheduling a tag again replaces it; cancel removes it; the last event leaves Infinity", () => {
  const { clock, fired } = recording();
  clock.schedule(0, 7, 10);
  clock.schedule(0, 7, 30);
  clock.schedule(0, 8, 20);
  clock.cancel(0, 8);
  clock.cancel(0, 9);
  clock.advance(29);
  clock.fire();
  assert.deepEqual(fired, []);
  clock.advance(1);
  clock.fire();
  assert.deepEqual(fired, [{ device: 0, tag: 7, at: 30 }]);
  assert.equal(clock.nextEvent(), Infinity);
});

test("a periodic device does not drift when polled late", () => {
  const { clock, fired } = recording((late, device, tag) => late.schedule(device, tag, 10));
  clock.schedule(0, 0, 10);
  clock.advance(35);
  clock.fire();
  assert.deepEqual(
    fired.map((event) => event.at),
    [10, 20, 30],
  );
  assert.equal(clock.now(), 35);
  assert.equal(clock.nextEvent(), 40);
});

test("a device that reschedules itself without delay is an error, not a hang", () => {
  const { clock } = recording((again, device, tag) => again.schedule(device, tag, 0));
  clock.schedule(4, 2, 5);
  clock.advance(5);
  assert.throws(() => clock.fire(), /device 4 schedules event 2 without end at time 5/);
  assert.equal(clock.now(), 5);
});

test("delays that are no count of ticks are refused", () => {
  const { clock } = recording();
  assert.throws(() => clock.schedule(0, 0, -1), RangeError);
  assert.throws(() => clock.schedule(0, 0, 1.5), RangeError);
  assert.throws(() => clock.schedule(0, 0, 2 ** 53), RangeError);
  assert.throws(() => clock.schedule(0, -1, 1), RangeError);
});

test("save and load bring back time, pending events and their order", () => {
  const { clock, fired } = recording();
  clock.schedule(2, 0, 10);
  clock.schedule(1, 0, 10);
  clock.advance(5);
  const state = structuredClone(clock.save());
  clock.advance(100);
  clock.fire();
  clock.schedule(9, 9, 1);
  fired.length = 0;
  clock.load(state);
  assert.equal(clock.now(), 5);
  assert.deepEqual(clock.save(), state);
  clock.advance(5);
  clock.fire();
  assert.deepEqual(
    fired.map((event) => event.device),
    [2, 1],
  );
});

test("the heap agrees with a sorted list under any mix of schedule, cancel and time", () => {
  const command = fc.oneof(
    fc.record({ kind: fc.constant("schedule" as const), device: fc.nat(3), tag: fc.nat(3), delay: fc.nat(20) }),
    fc.record({ kind: fc.constant("cancel" as const), device: fc.nat(3), tag: fc.nat(3) }),
    fc.record({ kind: fc.constant("advance" as const), ns: fc.nat(8) }),
  );
  fc.assert(
    fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
      const { clock, fired } = recording();
      const model: { device: number; tag: number; at: number; order: number }[] = [];
      const expected: Fired[] = [];
      let now = 0;
      let order = 0;
      const drop = (device: number, tag: number): void => {
        const index = model.findIndex((event) => event.device === device && event.tag === tag);
        if (index >= 0) model.splice(index, 1);
      };
      for (const step of commands) {
        if (step.kind === "schedule") {
          clock.schedule(step.device, step.tag, step.delay);
          drop(step.device, step.tag);
          model.push({ device: step.device, tag: step.tag, at: now + step.delay, order: order++ });
        } else if (step.kind === "cancel") {
          clock.cancel(step.device, step.tag);
          drop(step.device, step.tag);
        } else {
          clock.advance(step.ns);
          now += step.ns;
          clock.fire();
          model.sort((a, b) => a.at - b.at || a.order - b.order);
          while (model[0] !== undefined && model[0].at <= now) {
            const { device, tag, at } = model.shift() ?? { device: -1, tag: -1, at: -1 };
            expected.push({ device, tag, at });
          }
        }
        assert.equal(clock.nextEvent(), Math.min(...model.map((event) => event.at)));
      }
      assert.deepEqual(fired, expected);
    }),
  );
});
