// Budgets and turns on a machine whose harts execute nothing: what is missing from a budget counts as executed.

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { riscvVirt } from "../../../tests/fixtures/machines.ts";
import { createMachine, type Machine } from "../../machine/machine.ts";
import { createHart, MENVCFG, type Hart } from "./hart.ts";
import { createRegisterFile, type RegisterFile } from "./registers.ts";
import { createSchedule, type Schedule } from "./schedule.ts";
import { createTimers, type Timers } from "./timers.ts";

interface World {
  readonly machine: Machine;
  readonly registers: RegisterFile;
  readonly harts: readonly Hart[];
  readonly timers: Timers;
  readonly schedule: Schedule;
  readonly execute: (instructions: number) => void;
}

/** Their memory goes back to the pool. */
const machines: Machine[] = [];
afterEach(() => {
  for (const machine of machines.splice(0)) machine.dispose();
});

function setUp(cpus: number, isTracing = false): World {
  const machine = createMachine(riscvVirt, { cpus, output: () => undefined });
  machines.push(machine);
  const registers = createRegisterFile(machine.memory, cpus);
  const harts = Array.from({ length: cpus }, (_, index) => createHart(index, registers.control(index)));
  for (const hart of harts) hart.run = "running";
  const timers = createTimers(machine, harts);
  const schedule = createSchedule(machine, registers, harts, timers, {
    isTracing,
    regionCount: () => 0,
    cachesFor: () => 0,
    hasWakeup: () => false,
    granted: () => undefined,
  });
  schedule.activate(schedule.hartAt(0));
  function execute(instructions: number): void {
    registers.setBudget(registers.budget() - instructions);
    schedule.sync(0);
  }
  return { machine, registers, harts, timers, schedule, execute };
}

test("a budget ends at the caller's limit, in instructions and in time", () => {
  const { machine, registers, harts, schedule, execute } = setUp(1);
  schedule.begin({ instructions: 100, until: Infinity });
  assert.equal(schedule.chooseHart(), harts[0]);
  assert.equal(schedule.grant(), true);
  assert.equal(registers.budget(), 100);
  execute(60);
  assert.deepEqual([machine.now(), harts[0]?.executed, schedule.total(), schedule.isLimitReached()], [60, 60, 60, false]);
  schedule.grant();
  assert.equal(registers.budget(), 40);
  execute(40);
  assert.equal(schedule.isLimitReached(), true);
  assert.equal(schedule.grant(), false);

  schedule.begin({ instructions: 1000, until: 130 });
  schedule.grant();
  assert.equal(registers.budget(), 30);
});

test("an instruction at hand is neither time nor counted", () => {
  const { machine, registers, schedule } = setUp(1);
  schedule.begin({ instructions: 100, until: Infinity });
  schedule.chooseHart();
  schedule.grant();
  registers.setBudget(registers.budget() - 8);
  assert.equal(schedule.executedBefore(), 7);
  schedule.sync(1);
  assert.equal(machine.now(), 7);
  schedule.sync(0);
  assert.equal(machine.now(), 8);
});

test("a trace wants every instruction for itself", () => {
  const { registers, schedule } = setUp(1, true);
  schedule.begin({ instructions: 100, until: Infinity });
  schedule.chooseHart();
  schedule.grant();
  assert.equal(registers.budget(), 1);
});

test("harts that run take turns; one alone has no end of its turn", () => {
  const { registers, harts, schedule, execute } = setUp(3);
  schedule.begin({ instructions: 1_000_000, until: Infinity });
  const order: number[] = [];
  for (let turn = 0; turn < 6; turn++) {
    const hart = schedule.chooseHart();
    assert.ok(hart !== null);
    order.push(hart.index);
    schedule.grant();
    assert.ok(registers.budget() >= 5_000 && registers.budget() < 15_000, `a turn of ${registers.budget()}`);
    execute(registers.budget());
    assert.equal(schedule.isTurnOver(), true);
  }
  assert.deepEqual(order, [1, 2, 0, 1, 2, 0]);

  for (const hart of harts.slice(1)) hart.run = "stopped";
  assert.equal(schedule.chooseHart(), harts[0]);
  schedule.grant();
  assert.ok(registers.budget() > 15_000);
  schedule.yieldTurn();
  assert.equal(schedule.isTurnOver(), false, "there is nobody to yield to");
  assert.equal(schedule.save().turnLeft, -1);
});

test("when all harts wait, time goes to the next event or to the caller's limit, and nowhere without either", () => {
  const { machine, harts, timers, schedule } = setUp(1);
  for (const hart of harts) hart.run = "waiting";
  schedule.begin({ instructions: 100, until: 500 });
  assert.equal(schedule.chooseHart(), null);
  assert.equal(schedule.idle(), false);
  for (const { csr } of harts) {
    csr.menvcfg = MENVCFG.STCE;
    csr.stimecmp = 7n;
  }
  timers.update();
  assert.equal(schedule.idle(), true);
  assert.equal(machine.now(), 500);
  schedule.begin({ instructions: 100, until: Infinity });
  assert.equal(schedule.idle(), true);
  assert.equal(machine.now(), 700);
});
