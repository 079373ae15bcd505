// Goldfish RTC against QEMU's: time, its latch, the alarm to the nanosecond, and the interrupt (seen as the PLIC's pending bit).

import { EPOCH_NANOSECONDS, PLIC, RTC, RTC_SOURCE } from "./board.ts";
import { createRandom } from "../fixtures/random.ts";
import { pass, read, readAllWidths, reset, settle, write } from "./script.ts";
import type { QtestScript, Step } from "./script.ts";

const [TIME_LOW, TIME_HIGH, ALARM_LOW, ALARM_HIGH, IRQ_ENABLED, CLEAR_ALARM, ALARM_STATUS, CLEAR_INTERRUPT] = [0, 4, 8, 12, 16, 20, 24, 28].map(
  (offset) => RTC + offset,
) as [number, number, number, number, number, number, number, number];
const interrupt = read(PLIC + 0x1000);
const CLAIM = PLIC + 0x20_0004;

const enableInterrupt: readonly Step[] = [write(PLIC + 4 * RTC_SOURCE, 1), write(PLIC + 0x2000, 1 << RTC_SOURCE), write(PLIC + 0x20_0000, 0)];
const acknowledge: readonly Step[] = [read(CLAIM), write(CLAIM, RTC_SOURCE), interrupt];
const time: readonly Step[] = [read(TIME_LOW), read(TIME_HIGH)];
const alarm = (at: bigint): Step[] => [write(ALARM_HIGH, at >> 32n), write(ALARM_LOW, at)];
const state: readonly Step[] = [ALARM_LOW, ALARM_HIGH, IRQ_ENABLED, ALARM_STATUS].map((register) => read(register));

function random(seed: number): QtestScript {
  const { below, chance, pick, u32 } = createRandom(seed);
  const steps: Step[] = [...enableInterrupt];
  const actions: readonly (() => Step[])[] = [
    () => alarm(EPOCH_NANOSECONDS + BigInt(below(1_000_000))),
    () => [write(TIME_LOW, (EPOCH_NANOSECONDS & 0xffff_ffffn) + BigInt(below(1_000_000)))],
    () => [write(TIME_HIGH, (EPOCH_NANOSECONDS >> 32n) - BigInt(below(2)))],
    () => [write(IRQ_ENABLED, u32())],
    () => [write(CLEAR_ALARM, 0)],
    () => [write(CLEAR_INTERRUPT, 0)],
    () => [settle],
    () => [settle, pass(100 * below(10_000) + 100)],
    () => [read(CLAIM), write(CLAIM, RTC_SOURCE)],
  ];
  for (let i = 0; i < 100; i++) {
    steps.push(...pick(actions)());
    steps.push(read(RTC + 4 * below(9)));
    if (chance(50)) steps.push(...state, interrupt);
  }
  return { name: `rtc: random accesses, seed ${seed}`, steps: [...steps, settle, ...time, ...state] };
}

export const scripts: readonly QtestScript[] = [
  { name: "rtc: power-on values, all widths, past the end", steps: readAllWidths(RTC, 0x30) },
  {
    name: "rtc: time runs, TIME_HIGH is latched",
    steps: [read(TIME_HIGH), ...time, pass(8_000_000_000), read(TIME_HIGH), ...time],
  },
  {
    name: "rtc: time is set in halves",
    steps: [write(TIME_HIGH, 0x0123_4567), ...time, write(TIME_LOW, 0xffff_fff0), ...time, pass(100), ...time],
  },
  {
    name: "rtc: alarm in the future",
    steps: [
      ...enableInterrupt,
      write(IRQ_ENABLED, 0xff),
      ...alarm(EPOCH_NANOSECONDS + 123_457n),
      ...state,
      interrupt,
      settle,
      ...time,
      ...state,
      ...acknowledge,
      write(CLEAR_INTERRUPT, 1),
      ...state,
      interrupt,
    ],
  },
  {
    name: "rtc: alarm in the past, enabled afterwards",
    steps: [
      ...enableInterrupt,
      ...alarm(EPOCH_NANOSECONDS - 1n),
      ...state,
      interrupt,
      write(IRQ_ENABLED, 1),
      interrupt,
      write(IRQ_ENABLED, 0),
      ...acknowledge,
      write(IRQ_ENABLED, 1),
      ...acknowledge,
    ],
  },
  {
    name: "rtc: alarm cancelled",
    steps: [write(IRQ_ENABLED, 1), ...alarm(EPOCH_NANOSECONDS + 5000n), write(CLEAR_ALARM, 0), ...state, pass(10_000), ...state, interrupt],
  },
  {
    name: "rtc: setting the time leaves an armed alarm where it is",
    steps: [
      write(IRQ_ENABLED, 1),
      ...alarm(EPOCH_NANOSECONDS + 50_000n),
      write(TIME_LOW, (EPOCH_NANOSECONDS & 0xffff_ffffn) + 40_000n),
      settle,
      ...time,
      ...state,
      interrupt,
    ],
  },
  {
    name: "rtc: an alarm 2^63 ns ahead",
    steps: [write(IRQ_ENABLED, 1), ...alarm(2n ** 64n - 1n), ...state, settle, pass(100), ...state, interrupt],
  },
  { name: "rtc: reset", steps: [write(IRQ_ENABLED, 1), ...alarm(EPOCH_NANOSECONDS), reset, ...state, interrupt] },
  ...[1, 2, 3].map(random),
];
