// fw_cfg against QEMU's: every key, the directory and its files byte by byte and in wider reads, the DMA interface with its signature,
// and requests that cannot be met.

import { fwCfg } from "../../runtime/devices/fw-cfg.ts";
import { createRandom } from "../fixtures/random.ts";
import { HARTS, RAM } from "./board.ts";
import { read, readAllWidths, reset, write, type QtestScript, type Step } from "./script.ts";

const DATA = 0x1010_0000;
const SELECTOR = DATA + 8;
const DMA = DATA + 0x10;
const REQUEST = RAM + 0x8000;
const BUFFER = RAM + 0x9000;
const FILE_DIR = 0x19;
const DIRECTORY_SIZE = 4 + 3 * 64;

const swap = (value: number, bytes: 2 | 4): number =>
  Number(BigInt.asUintN(8 * bytes, bytes === 2 ? swapBig(BigInt(value)) >> 48n : swapBig(BigInt(value)) >> 32n));

function swapBig(value: bigint): bigint {
  let swapped = 0n;
  for (let i = 0n; i < 8n; i++) swapped |= ((value >> (8n * i)) & 0xffn) << (8n * (7n - i));
  return swapped;
}

const select = (key: number): Step => write(SELECTOR, swap(key, 2), 2);
const next = (width: 1 | 2 | 4 | 8): Step => read(DATA, width);
const bytes = (count: number): Step[] => Array.from({ length: count }, () => next(1));

/** Fills the request, sends its address as one write or two, and looks at what became of request and buffer. */
function transfer(control: number, length: number, address: number | bigint, halves = false): Step[] {
  return [
    write(REQUEST, swap(control, 4)),
    write(REQUEST + 4, swap(length, 4)),
    write(REQUEST + 8, swapBig(BigInt(address)), 8),
    ...(halves ? [write(DMA, swap(0, 4)), write(DMA + 4, swap(REQUEST, 4))] : [write(DMA, swapBig(BigInt(REQUEST)), 8)]),
    read(REQUEST),
  ];
}

const SELECT = 8;
const READ = 2;
const SKIP = 4;
const WRITE = 16;

function script(name: string, steps: readonly Step[]): QtestScript {
  return { name, steps, extend: (board) => void board.add({ create: (env) => fwCfg.create({ cpus: HARTS }, env), bases: [DATA] }) };
}

function random(seed: number): QtestScript {
  const { below, chance, pick } = createRandom(seed);
  const steps: Step[] = [];
  for (let i = 0; i < 150; i++) {
    const key = pick([0, 1, 2, 5, FILE_DIR, 0x20, 0x22, 0x23, 0x3f, 0x4001, 0x8000, 0xffff, below(0x40)]);
    const action = below(6);
    if (action === 0) steps.push(select(key));
    else if (action === 1) steps.push(...Array.from({ length: below(6) }, () => next(pick([1, 2, 4, 8] as const))));
    else if (action === 2) steps.push(...transfer((chance(50) ? (key << 16) | SELECT : 0) | pick([READ, SKIP, WRITE, 0]), below(40), BUFFER, chance(50)));
    else if (action === 3) steps.push(...Array.from({ length: 5 }, (_, index) => read(BUFFER + 8 * index, 8)));
    else if (action === 4) steps.push(write(BUFFER + 8 * below(5), 0x1122_3344_5566_7788n, 8));
    else steps.push(read(DATA + below(8), 1));
  }
  return script(`fw_cfg: random accesses, seed ${seed}`, steps);
}

export const scripts: readonly QtestScript[] = [
  script("fw_cfg: every key", [...bytes(6), ...Array.from({ length: 0x42 }, (_, key) => [select(key), ...bytes(20)]).flat()]),
  script("fw_cfg: the directory and its files", [
    select(FILE_DIR),
    ...bytes(DIRECTORY_SIZE + 2),
    ...[0x20, 0x21, 0x22, 0x23].flatMap((key) => [select(key), ...bytes(6)]),
  ]),
  script("fw_cfg: wider reads", [
    ...([2, 4, 8] as const).flatMap((width) => [select(FILE_DIR), ...Array.from({ length: 30 }, () => next(width))]),
    select(0),
    next(1),
    next(8),
    select(0x4000),
    next(4),
    select(0x8000),
    next(4),
  ]),
  script("fw_cfg: registers", [...readAllWidths(DMA, 8), write(DATA, 1, 1), write(SELECTOR, 0x1900, 2), next(4), reset, next(4)]),
  script("fw_cfg: DMA", [
    ...transfer((FILE_DIR << 16) | SELECT | READ, DIRECTORY_SIZE, BUFFER),
    ...Array.from({ length: DIRECTORY_SIZE / 4 }, (_, index) => read(BUFFER + 4 * index)),
    ...transfer(SELECT | SKIP, 2, 0, true),
    next(2),
    ...transfer(SELECT | READ, 8, BUFFER),
    read(BUFFER, 8),
    ...transfer(READ, 4, BUFFER),
    read(BUFFER, 8),
    ...transfer(SELECT | WRITE, 4, BUFFER),
    ...transfer(SELECT | WRITE, 0, BUFFER),
    ...transfer(SELECT | READ, 4, 0x100),
    ...transfer(SELECT, 4, BUFFER),
    next(1),
  ]),
  random(1),
  random(2),
];
