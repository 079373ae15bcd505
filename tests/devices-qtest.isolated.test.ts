// The oracle for register behaviour: plays every script of tests/qtest/ on our device models and on QEMU's, and compares all that
// shows. Without QEMU it is skipped with the reason; with GUESTSPEC_REQUIRE=qemu in the environment that is a failure.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, test } from "node:test";

import { HARTS, isMemory, makeBoard, RTC } from "./qtest/board.ts";
import type { Board } from "./qtest/board.ts";
import { OvershootError, qemuProblem, startQemu } from "./qtest/qemu.ts";
import type { Qemu } from "./qtest/qemu.ts";
import { describeStep } from "./qtest/script.ts";
import type { QtestScript, Step, Watch } from "./qtest/script.ts";
import { isRequired } from "./fixtures/required.ts";

const hex = (value: bigint): string => `0x${value.toString(16)}`;

/** Virtual time until our side has no event left. */
function ticksToQuiet(board: Board): number {
  const before = board.now();
  for (let delay = board.nextEvent(); delay !== null; delay = board.nextEvent()) board.advance(delay);
  return board.now() - before;
}

/** QEMU's pin number and our level, for every pin that the script watches. */
function watchedPins(watch: Watch, board: Board): { readonly name: string; readonly index: number; readonly level: boolean }[] {
  // The last hart is qemu.ts's own clockwork.
  const harts = Array.from({ length: HARTS - 1 }, (_, hart) => hart);
  switch (watch) {
    case "plic":
      // QEMU's PLIC has its supervisor pins first, then the machine-mode ones.
      return harts.flatMap((hart) => [
        { name: `hart ${hart} machine external`, index: HARTS + hart, level: board.plicLevel(2 * hart) },
        { name: `hart ${hart} supervisor external`, index: hart, level: board.plicLevel(2 * hart + 1) },
      ]);
    case "mtimer":
      return harts.map((hart) => ({ name: `hart ${hart} timer`, index: hart, level: board.timerLevel(hart) }));
    case "mswi":
      return harts.map((hart) => ({ name: `hart ${hart} software`, index: hart, level: board.softwareLevel(hart) }));
  }
}

/** Does a step on both sides; returns what differs, or null. */
async function playStep(step: Step, board: Board, qemu: Qemu): Promise<string | null> {
  switch (step.kind) {
    case "read": {
      const [ours, theirs] = [board.read(step.address, step.width), await qemu.read(step.address, step.width)];
      return ours === theirs ? null : `QEMU reads ${hex(theirs)}, the model ${hex(ours)}`;
    }
    case "write": {
      const exitsBefore = board.exits.length;
      board.write(step.address, step.width, step.value);
      const done = qemu.write(step.address, step.width, step.value);
      // QEMU 7.2's finisher leaves before it answers, so this write may fail; the exit step that follows compares how.
      if (board.exits.length > exitsBefore) await Promise.allSettled([done]);
      else await done;
      return null;
    }
    case "pass": {
      board.advance(step.nanoseconds);
      if (board.nextEvent() !== null) throw new Error(`script error: an event is left after ${describeStep(step)}`);
      await qemu.pass(step.nanoseconds);
      return null;
    }
    case "settle": {
      const ticks = ticksToQuiet(board);
      if (ticks === 0) return null;
      const start = await qemu.read(0x200_bff8n, 8);
      const count = BigInt(Math.floor(board.now() / 100) - Math.floor((board.now() - ticks) / 100));
      await qemu.settle(start + count);
      const reached = (await qemu.read(0x200_bff8n, 8)) - start;
      return reached === count ? null : `QEMU settles after ${reached} timer counts, the model after ${count}`;
    }
    case "input":
      board.plicInput(step.source, step.level);
      await qemu.drivePlic(step.source, step.level);
      return null;
    case "send":
      board.receive(Uint8Array.from(step.bytes));
      await qemu.send(Uint8Array.from(step.bytes));
      return null;
    case "output": {
      const ours = board.output();
      const theirs = await qemu.output(ours.length);
      return ours.join() === theirs.join() ? null : `QEMU sent [${theirs.join(" ")}], the model [${ours.join(" ")}]`;
    }
    case "reset":
      board.reset();
      await qemu.reset();
      return null;
    case "exit": {
      const [ours, theirs] = [board.exits[0], await qemu.exited()];
      if (ours === undefined) return `QEMU exited with ${theirs.code}, the model did not`;
      if (ours.kind === "reset") return theirs.reason === "guest-reset" ? null : `QEMU shut down for ${theirs.reason}, the model was reset`;
      // What leaves a process is the low byte.
      return theirs.code === (ours.code & 0xff) ? null : `QEMU exited with ${theirs.code}, the model with ${ours.code}`;
    }
  }
}

const isOfMemory = (step: Step | undefined): boolean => (step?.kind === "read" || step?.kind === "write") && isMemory(step.address);

/** Accesses to memory in a row go out together, which is most of them: QEMU takes them one after the other, and they do nothing to a device. */
function endOfGo(steps: readonly Step[], start: number): number {
  let end = start + 1;
  if (isOfMemory(steps[start])) while (isOfMemory(steps[end])) end += 1;
  return end;
}

async function play(script: QtestScript): Promise<void> {
  const board = makeBoard();
  script.extend?.(board);
  const qemu = await startQemu(script);
  try {
    board.advance(qemu.startTime);
    // qemu.ts looked at the RTC's clock, which latches TIME_HIGH.
    board.read(BigInt(RTC), 4);
    for (let start = 0, end = 0; start < script.steps.length; start = end) {
      end = endOfGo(script.steps, start);
      const answers = await Promise.all(script.steps.slice(start, end).map((step) => playStep(step, board, qemu)));
      const differences = answers.map((difference, offset) => ({ difference, index: start + offset }));
      for (const { name, index: pin, level } of script.watch === undefined ? [] : watchedPins(script.watch, board)) {
        const theirs = qemu.pin(pin);
        // Before its first movement QEMU does not tell a level.
        if (theirs !== undefined && theirs !== level) {
          differences.push({ difference: `${name}: ${theirs ? "high" : "low"} in QEMU, not in the model`, index: end - 1 });
        }
      }
      const found = differences.filter(({ difference }) => difference !== null);
      const index = found[0]?.index;
      if (index !== undefined) {
        const before = script.steps.slice(Math.max(0, index - 12), index).map((earlier) => `  ${describeStep(earlier)}`);
        const told = found.flatMap((one) => (one.index === index ? [one.difference] : []));
        assert.fail([`step ${index}, ${describeStep(script.steps[index] ?? assert.fail())}: ${told.join("; ")}`, "after", ...before].join("\n"));
      }
    }
  } finally {
    qemu.close();
  }
}

const ATTEMPTS = 3;

/** A script is played anew where QEMU could not be stopped in time. */
async function playWhole(script: QtestScript): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await play(script);
      return;
    } catch (error) {
      if (!(error instanceof OvershootError) || attempt === ATTEMPTS) throw error;
    }
  }
}

const problem = qemuProblem();
const files = readdirSync(new URL("qtest/", import.meta.url))
  .filter((name) => name.endsWith(".scripts.ts"))
  .toSorted();

test("QEMU is there to compare with", { skip: problem !== null && !isRequired("qemu") ? problem : false }, () => {
  assert.equal(problem, null);
});

const scripts: QtestScript[] = [];
for (const file of files) {
  const module = (await import(new URL(`qtest/${file}`, import.meta.url).href)) as { readonly scripts: readonly QtestScript[] };
  scripts.push(...module.scripts);
}

// A script mostly waits for answers: two at a time keep one core busy.
describe("scripts", { concurrency: 2 }, () => {
  for (const script of scripts) test(script.name, { skip: problem ?? false }, () => playWhole(script));
});
