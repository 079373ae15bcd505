// Wires between devices and CPUs: shared inputs, edges, restored levels, and the log of changes.

import { test } from "node:test";
import assert from "node:assert/strict";
import { createInterruptFabric, type InterruptFabric, type Wire } from "./interrupt-fabric.ts";

const UART = 0;
const RTC = 1;
const PLIC = 2;

function setUp(wires: readonly Wire[], react?: (fabric: InterruptFabric, pin: number, level: boolean) => void) {
  const delivered: string[] = [];
  let time = 0;
  const fabric: InterruptFabric = createInterruptFabric(
    wires,
    2,
    (device, pin, level) => {
      delivered.push(`${device}.${pin}=${level ? 1 : 0}`);
      react?.(fabric, pin, level);
    },
    () => time++,
  );
  return { fabric, delivered };
}

test("a pin reaches a CPU line, and only that line of that CPU", () => {
  const { fabric } = setUp([{ device: PLIC, pin: 0, target: { kind: "cpu", cpu: 1, line: 2 } }]);
  fabric.drive(PLIC, 0, true);
  assert.equal(fabric.lines(0), 0);
  assert.equal(fabric.lines(1), 0b100);
  fabric.drive(PLIC, 0, false);
  assert.equal(fabric.lines(1), 0);
});

test("a shared input is the OR of its pins and hears of changes only", () => {
  const { fabric, delivered } = setUp([
    { device: UART, pin: 0, target: { kind: "device", device: PLIC, pin: 10 } },
    { device: RTC, pin: 0, target: { kind: "device", device: PLIC, pin: 10 } },
  ]);
  fabric.drive(UART, 0, true);
  fabric.drive(UART, 0, true);
  fabric.drive(RTC, 0, true);
  fabric.drive(UART, 0, false);
  assert.deepEqual(delivered, ["2.10=1"]);
  assert.equal(fabric.inputLevel(PLIC, 10), true);
  fabric.drive(RTC, 0, false);
  assert.deepEqual(delivered, ["2.10=1", "2.10=0"]);
});

test("a pin that the target lowers again while it is raised ends low everywhere", () => {
  const { fabric, delivered } = setUp(
    [
      { device: UART, pin: 0, target: { kind: "device", device: PLIC, pin: 1 } },
      { device: UART, pin: 0, target: { kind: "device", device: PLIC, pin: 2 } },
    ],
    (inner, pin, level) => {
      if (pin === 1 && level) inner.drive(UART, 0, false);
    },
  );
  fabric.drive(UART, 0, true);
  assert.equal(fabric.inputLevel(PLIC, 1), false);
  assert.equal(fabric.inputLevel(PLIC, 2), false);
  assert.deepEqual(delivered, ["2.1=1", "2.1=0"]);
});

test("an edge wire tells of every rise and of no fall", () => {
  const { fabric, delivered } = setUp([{ device: UART, pin: 3, target: { kind: "device", device: PLIC, pin: 64 }, edge: true }]);
  for (let pulse = 0; pulse < 2; pulse++) {
    fabric.drive(UART, 3, true);
    fabric.drive(UART, 3, false);
  }
  assert.deepEqual(delivered, ["2.64=1", "2.64=1"]);
  assert.throws(
    () =>
      setUp([
        { device: UART, pin: 0, target: { kind: "device", device: PLIC, pin: 1 }, edge: true },
        { device: RTC, pin: 0, target: { kind: "device", device: PLIC, pin: 1 } },
      ]),
    /both edge- and level-triggered/,
  );
});

test("levels restore without a word to the devices", () => {
  const { fabric, delivered } = setUp([
    { device: UART, pin: 0, target: { kind: "device", device: PLIC, pin: 10 } },
    { device: PLIC, pin: 0, target: { kind: "cpu", cpu: 0, line: 2 } },
  ]);
  fabric.drive(UART, 0, true);
  fabric.drive(PLIC, 0, true);
  const levels = fabric.save();
  fabric.drive(UART, 0, false);
  fabric.drive(PLIC, 0, false);
  delivered.length = 0;
  fabric.load(levels);
  assert.deepEqual(delivered, []);
  assert.equal(fabric.lines(0), 0b100);
  fabric.drive(UART, 0, false);
  assert.deepEqual(delivered, ["2.10=0"]);
  fabric.reset();
  assert.deepEqual([...fabric.save()], [0, 0]);
  assert.equal(fabric.lines(0), 0);
});

test("unwired pins go nowhere; wires to absent CPUs are refused; changes are logged, the last 32", () => {
  const { fabric } = setUp([{ device: PLIC, pin: 0, target: { kind: "cpu", cpu: 0, line: 2 } }]);
  fabric.drive(RTC, 5, true);
  assert.deepEqual(fabric.interrupts(), []);
  for (let i = 0; i < 20; i++) {
    fabric.drive(PLIC, 0, true);
    fabric.drive(PLIC, 0, false);
  }
  const log = fabric.interrupts();
  assert.equal(log.length, 32);
  assert.deepEqual(log.at(-1), {
    time: 39,
    device: PLIC,
    pin: 0,
    target: { kind: "cpu", cpu: 0, line: 2 },
    level: false,
  });
  assert.throws(() => setUp([{ device: PLIC, pin: 0, target: { kind: "cpu", cpu: 2, line: 2 } }]), RangeError);
});
