// The oracle for register behaviour: plays every script of tests/qtest/ on our device models and on QEMU's, and compares all that
// shows. Without QEMU it is skipped with the reason; with GUESTSPEC_REQUIRE=qemu in the environment that is a failure.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, test } from "node:test";

import { FINISHER, HARTS, makeBoard, RTC } from "./qtest/board.ts";
import type { Board } from "./qtest/board.ts";
import { OvershootError, qemuProblem, startQemu } from "./qtest/qemu.ts";
import type { PinLevels, Qemu } from "./qtest/qemu.ts";
import { describeStep } from "./qtest/script.ts";
import type { AccessStep, QtestScript, Step, Watch } from "./qtest/script.ts";
import { isRequired } from "./fixtures/required.ts";

const hex = (value: bigint): string => `0x${value.toString(16)}`;

/** Virtual time until our side has no event left. */
function ticksToQuiet(board: Board): number {
  const before = board.now();
  for (let delay = board.nextEvent(); delay !== null; delay = board.nextEvent()) board.advance(delay);
  return board.now() - before;
}

interface WatchedPin {
  readonly name: string;
  /** QEMU's number. */
  readonly index: number;
  /** Ours. */
  readonly level: boolean;
}

function watchedPins(watch: Watch, board: Board): readonly WatchedPin[] {
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

/** What a thread of QEMU may take, at most. */
const THREAD_MS = 20_000;

type OtherStep = Exclude<Step, AccessStep>;

/** Does a step on both sides; returns what differs, or null. */
async function playStep(step: OtherStep, board: Board, qemu: Qemu): Promise<string | null> {
  switch (step.kind) {
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
    case "await": {
      const end = Date.now() + THREAD_MS;
      while (((await qemu.read(step.address, 4)) & step.mask) !== step.bits) if (Date.now() > end) return `QEMU did not come to it within ${THREAD_MS} ms`;
      return null;
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

const isAccess = (step: Step): step is AccessStep => step.kind === "read" || step.kind === "write";

type Range = readonly [start: bigint, end: bigint];

/** What a write to these has begun QEMU may go on with after its answer, in bottom halves and threads: registers of virtio, BARs. */
const GOING_ON: readonly Range[] = [
  [0x300_0000n, 0x301_0000n],
  [0x1000_1000n, 0x1000_9000n],
  [0x4000_0000n, 0x8000_0000n],
  [0x4_0000_0000n, 0x8_0000_0000n],
];
/** Configuration space has a window to the registers of virtio's functions. */
const ECAM: Range = [0x3000_0000n, 0x4000_0000n];

/** So many questions wait for their answers at most. */
const LONGEST_GO = 400;

type Go = { readonly accesses: AccessStep[] } | { readonly step: OtherStep };

/**
 * Accesses in a row go out together: to wait for each answer takes several times as long as all that either side does. Waited for are the
 * answers to writes that QEMU goes on with and to those that may end it, and the console has turns of QEMU's loop in between.
 */
function goesOf({ steps, qemuArguments = [] }: QtestScript): readonly Go[] {
  const hasConsole = steps.some(({ kind }) => kind === "send" || kind === "output");
  const ranges = qemuArguments.some((argument) => argument.startsWith("virtio")) ? [...GOING_ON, ECAM] : GOING_ON;
  const isAlone = ({ address }: AccessStep): boolean => hasConsole || address === BigInt(FINISHER);
  const isLast = (step: AccessStep): boolean =>
    isAlone(step) || (step.kind === "write" && ranges.some(([start, end]) => step.address >= start && step.address < end));
  const goes: Go[] = [];
  let open: AccessStep[] | null = null;
  for (const step of steps) {
    if (!isAccess(step)) {
      goes.push({ step });
      open = null;
      continue;
    }
    if (open === null || isAlone(step) || open.length === LONGEST_GO) goes.push({ accesses: (open = []) });
    open.push(step);
    if (isLast(step)) open = null;
  }
  return goes;
}

/** Pins whose levels differ; before its first movement QEMU does not tell one. */
function comparePins(ours: readonly WatchedPin[], theirs: PinLevels): readonly string[] {
  return ours
    .filter(({ index, level }) => (theirs.get(index) ?? level) !== level)
    .map(({ name, level }) => `${name}: ${level ? "low" : "high"} in QEMU, not in the model`);
}

/** What differs, for each step. */
async function playGo(go: Go, watch: Watch | undefined, board: Board, qemu: Qemu): Promise<readonly (readonly string[])[]> {
  const watched = (): readonly WatchedPin[] => (watch === undefined ? [] : watchedPins(watch, board));
  if ("step" in go) {
    const difference = await playStep(go.step, board, qemu);
    return [[...(difference === null ? [] : [difference]), ...comparePins(watched(), qemu.pins())]];
  }
  const ours = go.accesses.map((step) => {
    if (step.kind === "write") board.write(step.address, step.width, step.value);
    return { value: step.kind === "read" ? board.read(step.address, step.width) : null, pins: watched() };
  });
  const done = qemu.access(go.accesses);
  // QEMU 7.2's finisher leaves before it answers, so this write may fail; the exit step that follows compares how.
  if (board.exits.length > 0) {
    await Promise.allSettled([done]);
    return [];
  }
  const theirs = await done;
  return ours.map(({ value, pins }, index) => {
    const answer = theirs[index];
    assert.ok(answer !== undefined);
    // What follows the last answer at once is its step's.
    const moved = comparePins(pins, index === ours.length - 1 ? qemu.pins() : answer.pins);
    if (value === null || value === answer.value) return moved;
    return [`QEMU reads ${hex(answer.value ?? 0n)}, the model ${hex(value)}`, ...moved];
  });
}

async function play(script: QtestScript): Promise<void> {
  const board = makeBoard();
  script.extend?.(board);
  const qemu = await startQemu(script);
  try {
    board.advance(qemu.startTime);
    // qemu.ts looked at the RTC's clock, which latches TIME_HIGH.
    board.read(BigInt(RTC), 4);
    let start = 0;
    for (const go of goesOf(script)) {
      const steps = await playGo(go, script.watch, board, qemu);
      const at = steps.findIndex((differences) => differences.length > 0);
      if (at >= 0) {
        const before = script.steps.slice(Math.max(0, start + at - 12), start + at).map((earlier) => `  ${describeStep(earlier)}`);
        const step = describeStep(script.steps[start + at] ?? assert.fail());
        assert.fail([`step ${start + at}, ${step}: ${(steps[at] ?? []).join("; ")}`, "after", ...before].join("\n"));
      }
      start += "step" in go ? 1 : go.accesses.length;
    }
    // Behind an exit of the model nothing is compared.
    assert.equal(
      board.exits.length > 0,
      script.steps.some(({ kind }) => kind === "exit"),
      "the model exits where the script does",
    );
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

// A script mostly waits for answers: four at a time keep one core busy.
describe("scripts", { concurrency: 4 }, () => {
  for (const script of scripts) test(script.name, { skip: problem ?? false }, () => playWhole(script));
});
