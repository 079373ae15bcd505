// CLINT against QEMU's ACLINT: software interrupts, both halves and the whole of the timer registers, and when the timer pins move.

import { MSWI, MTIMER } from "./board.ts";
import { createRandom } from "../fixtures/random.ts";
import { pass, read, readAllWidths, reset, settle, write } from "./script.ts";
import type { QtestScript, Step } from "./script.ts";

const MTIME = MTIMER + 0x7ff8;
const timecmp = (hart: number): number => MTIMER + 8 * hart;

/** Accesses at one moment: what the pins do at once. */
function randomMoment(seed: number): QtestScript {
  const { below, chance, pick, u32 } = createRandom(seed);
  const steps: Step[] = [];
  const actions: readonly (() => Step[])[] = [
    () => [write(timecmp(below(2)), below(2000), 8)],
    () => [write(timecmp(below(2)), below(2000))],
    () => [write(timecmp(below(2)) + 4, below(2))],
    () => [write(timecmp(below(2)), (BigInt(u32()) << 32n) | BigInt(u32()), 8)],
    () => [write(MTIME, below(2000), chance(50) ? 4 : 8)],
    () => [write(MTIME + 4, below(2))],
  ];
  for (let i = 0; i < 200; i++) {
    steps.push(...pick(actions)(), read(timecmp(below(2)), pick([4, 8])), read(MTIME + 4 * below(2)), read(MTIME, 8));
  }
  return { name: `clint: random timer accesses at one moment, seed ${seed}`, watch: "mtimer", steps };
}

/**
 * Timers that run out. A timer is only ever moved to another time ahead: one that is put into the past stays armed inside QEMU, where
 * no guest can see it, but this harness would (QEMU's clock jumps to it).
 */
function randomTimers(seed: number): QtestScript {
  const { below, chance } = createRandom(seed);
  const steps: Step[] = [];
  for (let i = 0; i < 25; i++) {
    const start = below(5000);
    steps.push(write(MTIME, start, 8));
    for (let writes = 1 + below(4); writes > 0; writes--) {
      const [hart, at] = [below(2), start + 1 + below(3000)];
      steps.push(...(chance(50) ? [write(timecmp(hart), at, 8)] : [write(timecmp(hart) + 4, 0), write(timecmp(hart), at)]));
    }
    // Compare values of earlier rounds reach up to 8000 counts of 100 ns ahead.
    steps.push(chance(50) ? settle : pass(800_000), read(MTIME, 8));
  }
  return { name: `clint: random timers, seed ${seed}`, watch: "mtimer", steps };
}

export const scripts: readonly QtestScript[] = [
  {
    name: "clint: msip registers",
    steps: [0, 1, 0xffff_fffe, 0xffff_ffff].flatMap((value) => [write(MSWI, value), write(MSWI + 4, ~value >>> 0), ...readAllWidths(MSWI, 16)]),
  },
  {
    name: "clint: msip pins",
    watch: "mswi",
    steps: [write(MSWI, 1), write(MSWI + 4, 1), write(MSWI + 4, 2), write(MSWI + 0x40, 1), write(MSWI, 0, 1), write(MSWI, 0, 2), write(MSWI, 0, 8)],
  },
  {
    name: "clint: offsets without a register",
    steps: [
      write(MSWI + 0x3ffc, 1),
      read(MSWI + 0x3ffc),
      write(MTIMER + 0x100, 5, 8),
      read(MTIMER + 0x100, 8),
      read(MTIMER + 0x7ff0, 8),
      read(MTIMER + 0x7ff4),
      read(MTIMER + 0x8000),
    ],
  },
  {
    name: "clint: mtimecmp in whole and in halves",
    steps: [
      write(timecmp(0), 0x1122_3344_5566_7788n, 8),
      ...readAllWidths(timecmp(0), 16),
      write(timecmp(0), 0xdead_beef),
      write(timecmp(1) + 4, 0xcafe_f00d),
      ...readAllWidths(timecmp(0), 16, [4, 8]),
      write(timecmp(0), 0xff, 1),
      write(timecmp(0), 0xffff, 2),
      read(timecmp(0), 8),
    ],
  },
  {
    name: "clint: mtime in whole and in halves",
    steps: [
      read(MTIME, 8),
      pass(1_000_000),
      ...readAllWidths(MTIME, 8),
      write(MTIME, 0x1_0000_0000n, 8),
      read(MTIME, 8),
      write(MTIME, 0xffff_fff0),
      pass(10_000),
      ...readAllWidths(MTIME, 8, [4, 8]),
      write(MTIME + 4, 7),
      read(MTIME, 8),
    ],
  },
  {
    name: "clint: the timer pin follows mtimecmp and mtime",
    watch: "mtimer",
    steps: [
      write(timecmp(0), 50, 8),
      write(timecmp(1), 80, 8),
      settle,
      read(MTIME, 8),
      write(timecmp(0), 81, 8),
      write(timecmp(1), 80, 8),
      settle,
      read(MTIME, 8),
      write(MTIME, 10, 8),
      write(MTIME, 500, 8),
      write(timecmp(0), 501, 8),
      write(timecmp(1), 502, 8),
      pass(200),
      write(timecmp(0), 400, 8),
      write(timecmp(1) + 4, 1),
      write(timecmp(1) + 4, 0),
      write(timecmp(1), 0xffff_ffff_ffff_ffffn, 8),
      write(timecmp(1), 0, 8),
    ],
  },
  {
    name: "clint: reset",
    watch: "mtimer",
    steps: [
      write(timecmp(0), 50, 8),
      write(timecmp(1), 60, 8),
      pass(10_000),
      write(timecmp(0), 0, 8),
      write(timecmp(1), 0, 8),
      reset,
      read(MTIME, 8),
      read(timecmp(0), 8),
      read(MSWI),
    ],
  },
  ...[1, 2].map(randomMoment),
  ...[3, 4].map(randomTimers),
];
