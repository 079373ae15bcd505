// Test finisher against QEMU's sifive_test: which writes end the machine, and with what status.

import { FINISHER } from "./board.ts";
import { exit, read, readAllWidths, write } from "./script.ts";
import type { QtestScript, Step } from "./script.ts";

const endings: readonly (readonly [name: string, step: Step])[] = [
  ["PASS", write(FINISHER, 0x5555)],
  ["PASS ignores the code", write(FINISHER, 0x0007_5555)],
  ["PASS in two bytes", write(FINISHER, 0x5555, 2)],
  ["FAIL", write(FINISHER, 0x0001_3333)],
  ["FAIL with a wide code", write(FINISHER, 0xab12_3333)],
  ["FAIL without code", write(FINISHER, 0x3333, 2)],
  ["8 bytes, cut in two", write(FINISHER, 0x7777_0000_002a_3333n, 8)],
];

export const scripts: readonly QtestScript[] = [
  {
    name: "finisher: what does not end the machine",
    steps: [
      write(FINISHER, 0),
      write(FINISHER, 0x1_0000),
      write(FINISHER + 4, 0x5555),
      write(FINISHER + 2, 0x5555, 2),
      write(FINISHER, 0x55, 1),
      write(FINISHER + 0xffc, 0x5555),
      write(FINISHER + 0x1000, 0x5555),
      ...readAllWidths(FINISHER, 8),
      read(FINISHER + 0xffc),
    ],
  },
  ...endings.map(([name, step]) => ({ name: `finisher: ${name}`, steps: [step, exit] })),
  { name: "finisher: RESET", qemuArguments: ["-no-reboot"], steps: [write(FINISHER, 0x7777), exit] },
];
