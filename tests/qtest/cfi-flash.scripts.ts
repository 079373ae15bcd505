// NOR flash against QEMU's: identifiers and query table at every width, programming, erasing, the write buffer, status, and command
// sequences that are none. Both banks of the board.

import { cfiFlash } from "../../runtime/devices/cfi-flash.ts";
import { createRandom } from "../fixtures/random.ts";
import { read, readAllWidths, reset, write, type QtestScript, type Step } from "./script.ts";

const BANK = 0x2000_0000;
const SECOND = 0x2200_0000;
const BLOCK = 0x4_0000;

const command = (value: number, offset = 0): Step => write(BANK + offset, value | (value << 16));
const status: readonly Step[] = [read(BANK), read(BANK, 2), read(BANK, 1), read(BANK, 8)];
const array = command(0xff);

function script(name: string, steps: readonly Step[]): QtestScript {
  return {
    name,
    steps,
    extend(board) {
      for (const base of [BANK, SECOND]) board.add({ create: (env) => cfiFlash.create({}, env), bases: [base] });
    },
  };
}

function random(seed: number): QtestScript {
  const { below, chance, pick, u32 } = createRandom(seed);
  const commands = [0x00, 0x10, 0x20, 0x40, 0x50, 0x60, 0x70, 0x90, 0x98, 0xd0, 0xe8, 0xf0, 0xff, 0x01, 0x28];
  const steps: Step[] = [];
  for (let i = 0; i < 200; i++) {
    const width = pick([1, 2, 4, 8] as const);
    const place = BANK + pick([0, BLOCK, 2 * BLOCK - 16]) + width * below(4);
    steps.push(chance(45) ? read(place, width) : write(place, chance(80) ? pick(commands) * (chance(50) ? 0x1_0001 : 1) : u32(), width));
  }
  return script(`cfi-flash: random accesses, seed ${seed}`, steps);
}

export const scripts: readonly QtestScript[] = [
  script("cfi-flash: identifiers and query", [
    ...readAllWidths(BANK, 16),
    command(0x90),
    ...readAllWidths(BANK, 16),
    array,
    command(0x98),
    ...readAllWidths(BANK, 4 * 0x54, [4, 8]),
    ...readAllWidths(BANK + 0x40, 16),
    command(0x70),
    ...readAllWidths(BANK + 0x40, 8),
    array,
    read(BANK + 0x40),
  ]),
  script("cfi-flash: programming and erasing", [
    command(0x40),
    write(BANK + 0x100, 0x1234_5678),
    ...status,
    array,
    read(BANK + 0x100),
    command(0x10),
    write(BANK + 0x104, 0x9abc, 2),
    command(0x40),
    write(BANK + 0x100, 0xff00_ff00),
    array,
    read(BANK + 0x100, 8),
    command(0x20, BLOCK + 0x1000),
    ...status,
    command(0xd0, BLOCK + 0x1000),
    ...status,
    command(0x50),
    ...[BLOCK - 4, BLOCK, BLOCK + 0x1000, 2 * BLOCK - 4, 2 * BLOCK].map((offset) => read(BANK + offset)),
    command(0x70),
    ...status,
    reset,
    read(BANK),
    command(0x70),
    ...status,
  ]),
  script("cfi-flash: write buffer and locks", [
    command(0xe8),
    ...status,
    command(2),
    ...[0, 4, 8].map((offset) => write(BANK + 0x200 + offset, 0x1111_1111 * (1 + offset))),
    ...status,
    command(0xd0),
    array,
    ...[0, 4, 8, 12].map((offset) => read(BANK + 0x200 + offset)),
    command(0x60),
    command(0x01),
    ...status,
    command(0x60),
    command(0xd0),
    ...status,
    array,
    write(SECOND, 0x40_0040),
    write(SECOND + 8, 0xcafe_f00d),
    write(SECOND, 0xff),
    read(SECOND + 8),
    read(BANK + 8),
  ]),
  script("cfi-flash: sequences that are none", [
    command(0xaa),
    read(BANK),
    command(0x20),
    command(0x55),
    read(BANK),
    command(0xe8),
    command(0),
    write(BANK + 0x10, 7),
    command(0x12),
    read(BANK + 0x10),
    command(0x60),
    command(0xaa),
    read(BANK),
    command(0x98),
    command(0x90),
    read(BANK + 0x40),
  ]),
  random(1),
  random(2),
  random(3),
];
