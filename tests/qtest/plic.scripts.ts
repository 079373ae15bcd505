// PLIC against QEMU's sifive_plic: every register of the sources and contexts, the claim order, and the output pins.

import { PLIC } from "./board.ts";
import { createRandom } from "../fixtures/random.ts";
import { input, read, readAllWidths, reset, write } from "./script.ts";
import type { QtestScript, Step } from "./script.ts";

const SOURCES = 95;
const CONTEXTS = 6;
const priority = (source: number): number => PLIC + 4 * source;
const PENDING = PLIC + 0x1000;
const enable = (context: number, word = 0): number => PLIC + 0x2000 + 0x80 * context + 4 * word;
const threshold = (context: number): number => PLIC + 0x20_0000 + 0x1000 * context;
const claim = (context: number): number => threshold(context) + 4;
const pending = (): Step[] => [0, 1, 2, 3].map((word) => read(PENDING + 4 * word));

function random(seed: number): QtestScript {
  const { below, chance, pick, u32 } = createRandom(seed);
  const steps: Step[] = [];
  const actions: readonly (() => Step[])[] = [
    () => [write(priority(1 + below(SOURCES)), u32())],
    () => [write(enable(below(4), below(3)), u32())],
    () => [write(threshold(below(4)), chance(70) ? below(3) : u32())],
    () => [input(below(SOURCES + 1), chance(70))],
    () => [read(claim(below(4)))],
    () => [write(claim(below(4)), below(SOURCES + 10))],
    () => [read(PENDING + 4 * below(4))],
    () => [write(PENDING + 4 * below(3), u32())],
    () => [read(PLIC + 4 * below(1024)), read(enable(below(8), below(32)))],
  ];
  for (let i = 0; i < 600; i++) steps.push(...pick(actions)());
  return { name: `plic: random accesses, seed ${seed}`, watch: "plic", steps };
}

export const scripts: readonly QtestScript[] = [
  {
    name: "plic: priorities",
    steps: Array.from({ length: SOURCES + 1 }, (_, source) => [write(priority(source), source * 0x101), read(priority(source))]).flat(),
  },
  {
    name: "plic: enables, thresholds and absent registers",
    steps: [
      ...Array.from({ length: CONTEXTS + 1 }, (_, context) =>
        [0, 1, 2, 3, 31].flatMap((word) => [write(enable(context, word), 0xffff_fff0 + context), read(enable(context, word))]),
      ).flat(),
      ...Array.from({ length: CONTEXTS + 2 }, (_, context) => [
        write(threshold(context), 0xfff0 + context),
        read(threshold(context)),
        read(claim(context)),
        read(claim(context) + 4),
      ]).flat(),
      read(PLIC + 0x400),
      read(PLIC + 0x1ffc),
      read(PLIC + 0x1f_fffc),
      read(PLIC + 0x5f_fffc),
      read(PLIC + 0x60_0000),
    ],
  },
  {
    name: "plic: other widths",
    steps: [
      write(priority(1), 5),
      write(priority(2), 6),
      write(priority(1), 0, 1),
      write(priority(1), 0, 2),
      ...readAllWidths(PLIC, 16),
      write(priority(1), 0x2_0000_0003n, 8),
      read(priority(1), 8),
      read(priority(1) + 2, 4),
    ],
  },
  {
    name: "plic: latching, claim, completion",
    watch: "plic",
    steps: [
      write(priority(3), 2),
      write(priority(4), 2),
      write(priority(40), 3),
      write(enable(0), 0x18),
      write(enable(0, 1), 0x100),
      write(enable(1), 0x10),
      write(threshold(0), 0),
      input(3, true),
      ...pending(),
      input(3, false),
      ...pending(),
      input(4, true),
      input(40, true),
      ...pending(),
      read(claim(0)),
      read(claim(0)),
      ...pending(),
      input(40, true),
      ...pending(),
      read(claim(0)),
      read(claim(0)),
      write(claim(0), 40),
      write(claim(1), 3),
      ...pending(),
      read(claim(0)),
      input(4, true),
      write(claim(0), 0),
      write(claim(0), 96),
      write(claim(0), 0xffff_ffff),
      read(claim(1)),
      write(claim(0), 4),
      read(claim(1)),
    ],
  },
  {
    name: "plic: thresholds and priorities move the pins at once, enables with the next event",
    watch: "plic",
    steps: [
      input(7, true),
      write(priority(7), 3),
      write(enable(0), 0x80),
      write(enable(1), 0x80),
      write(threshold(0), 3),
      write(threshold(0), 2),
      write(priority(7), 0),
      write(priority(7), 1),
      write(threshold(0), 0),
      write(enable(0), 0),
      input(8, false),
      input(8, true),
      read(claim(1)),
    ],
  },
  {
    name: "plic: reset",
    watch: "plic",
    steps: [
      input(9, true),
      write(priority(9), 1),
      write(enable(0), 0x200),
      write(threshold(0), 0),
      reset,
      ...pending(),
      read(priority(9)),
      read(enable(0)),
      read(threshold(0)),
      read(claim(0)),
    ],
  },
  ...[1, 2, 3, 4].map(random),
];
