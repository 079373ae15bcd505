// virtio over PCI against QEMU's, modern only: configuration space with its capabilities, common configuration, queues, ISR status and
// INTx up to the PLIC, MSI-X into RAM with masks and pending bits, and the window into BAR 4. What the devices behind do is compared
// over MMIO; here one block device and one entropy device give the transport something to carry.

import { pciHost } from "../../runtime/devices/pci-host.ts";
import { virtioPci } from "../../runtime/devices/virtio-pci.ts";
import { createRandom } from "../fixtures/random.ts";
import { RAM } from "./board.ts";
import { pass, read, readAllWidths, reset, write, type QtestScript, type Step } from "./script.ts";

const ECAM = 0x3000_0000;
const MEMORY = 0x4000_0000;
const IO = 0x300_0000;
const INTX_SOURCE = 32;
const RNG = 1;
const BLK = 2;
const BAR = MEMORY;
const MSIX = MEMORY + 0x10_0000;
const COMMON = BAR;
const ISR = BAR + 0x1000;
const DEVICE = BAR + 0x2000;
const NOTIFY = BAR + 0x3000;
const RING = RAM + 0x1_0000;
const REQUEST = RAM + 0x9000;
const MESSAGES = RAM + 0xb000;

const config = (slot: number, register: number): number => ECAM + slot * 0x8000 + register;

function script(name: string, steps: readonly Step[], watch: "plic" | null = "plic"): QtestScript {
  return {
    name: `virtio-pci: ${name}`,
    steps: [...[0, 1, 2, 3].map((line) => write(0xc00_0000 + 4 * (INTX_SOURCE + line), 1)), write(0xc00_2004, 0xf), ...steps],
    ...(watch === null ? {} : { watch }),
    qemuArguments: [
      ["-device", "virtio-rng-pci,addr=1,disable-legacy=on"],
      ["-drive", "if=none,id=disk,format=raw,file.driver=null-co,file.size=64K,file.read-zeroes=on,snapshot=on"],
      ["-device", "virtio-blk-pci,addr=2,disable-legacy=on,drive=disk,num-queues=1"],
    ].flat(),
    extend(board) {
      const host = board.add({
        create: (env) => pciHost.create({}, env),
        bases: [ECAM, MEMORY, IO],
        irq: (pin, level) => board.plicInput(INTX_SOURCE + pin, level),
      });
      for (const [slot, kind] of [
        [RNG, { device: "rng" }],
        [BLK, { device: "blk", size: 0x1_0000 }],
      ] as const) {
        const { pci } = board.add({ create: (env) => virtioPci.create(kind, env), bases: [], irq: (_pin, level) => host.input?.(slot, level) });
        if (pci !== undefined) host.attach?.(slot, pci);
      }
    },
  };
}

/** BARs of one function at their places, decoding, bus mastering. */
const place = (slot: number): readonly Step[] => [
  write(config(slot, 0x14), MSIX),
  write(config(slot, 0x20), BAR),
  write(config(slot, 0x24), 0),
  write(config(slot, 0x04), 6, 2),
];

const common = (offset: number, width: 1 | 2 | 4): Step => read(COMMON + offset, width);
const set = (offset: number, value: number, width: 1 | 2 | 4): Step => write(COMMON + offset, value, width);

const readCommon: readonly Step[] = [
  ...[0, 4, 8, 0xc, 0x20, 0x24, 0x28, 0x2c, 0x30, 0x34].map((offset) => common(offset, 4)),
  ...[0x10, 0x12, 0x16, 0x18, 0x1a, 0x1c, 0x1e, 0x38, 0x3a].map((offset) => common(offset, 2)),
  ...[0x14, 0x15].map((offset) => common(offset, 1)),
];

function start(features = 0, vectors?: { readonly config: number; readonly queue: number }): Step[] {
  return [
    set(0x14, 0, 1),
    set(0x14, 3, 1),
    set(0x08, 0, 4),
    set(0x0c, features, 4),
    set(0x08, 1, 4),
    set(0x0c, 1, 4),
    set(0x14, 0xb, 1),
    ...(vectors === undefined ? [] : [set(0x10, vectors.config, 2), common(0x10, 2)]),
    set(0x16, 0, 2),
    set(0x18, 8, 2),
    ...(vectors === undefined ? [] : [set(0x1a, vectors.queue, 2), common(0x1a, 2)]),
    ...[RING, RING + 0x1000, RING + 0x2000].flatMap((address, n) => [set(0x20 + 8 * n, address, 4), set(0x24 + 8 * n, 0, 4)]),
    set(0x1c, 1, 2),
    set(0x14, 0xf, 1),
    ...readCommon,
  ];
}

/** A flush as the `index`th request: the shortest that there is. */
function flush(index: number): Step[] {
  return [
    write(REQUEST, 4, 8),
    write(REQUEST + 8, 0, 8),
    write(REQUEST + 16, 0xff, 1),
    ...[
      [REQUEST, 16, 1, 1],
      [REQUEST + 16, 1, 2, 0],
    ].flatMap(([address = 0, length = 0, flags = 0, next = 0], n) => [
      write(RING + 16 * n, address, 8),
      write(RING + 16 * n + 8, length),
      write(RING + 16 * n + 12, flags, 2),
      write(RING + 16 * n + 14, next, 2),
    ]),
    write(RING + 0x1004 + 2 * (index % 8), 0, 2),
    write(RING + 0x1002, index + 1, 2),
    write(NOTIFY, 0, 2),
    pass(100_000),
    read(REQUEST + 16, 1),
    read(RING + 0x2000, 4),
  ];
}

const claim: readonly Step[] = [read(0xc20_0004), write(0xc20_0004, INTX_SOURCE + BLK)];
const entry = (vector: number): Step[] => [
  write(MSIX + 16 * vector, MESSAGES + 8 * vector),
  write(MSIX + 16 * vector + 4, 0),
  write(MSIX + 16 * vector + 8, 0xcafe_0000 + vector),
];
const mask = (vector: number, value: number): Step => write(MSIX + 16 * vector + 12, value);
const messages: readonly Step[] = [read(MESSAGES), read(MESSAGES + 8), read(MSIX + 0x800), write(MESSAGES, 0), write(MESSAGES + 8, 0)];
const window = (offset: number, length: number): Step[] => [write(config(BLK, 0x88), 4, 1), write(config(BLK, 0x8c), offset), write(config(BLK, 0x90), length)];

function random(seed: number): QtestScript {
  const { below, chance, pick } = createRandom(seed);
  const steps: Step[] = [...place(BLK)];
  let index = 0;
  for (let i = 0; i < 250; i++) {
    if (chance(6)) {
      steps.push(write(RING + 0x1000, 0, 8));
      steps.push(...start(pick([0, 0x2000_0000, 0x1000_0a00]), chance(50) ? { config: pick([0, 1, 2, 0xffff]), queue: pick([0, 1, 2, 0xffff]) } : undefined));
      index = 0;
    } else if (chance(10)) {
      steps.push(write(config(BLK, 0x9a), pick([0, 0x8000, 0xc000, 0x4000]), 2), read(config(BLK, 0x98)), read(config(BLK, 0x04)));
    } else if (chance(15)) steps.push(...entry(pick([0, 1])), mask(pick([0, 1]), pick([0, 0, 1])), ...messages);
    else if (chance(20)) steps.push(...flush(index++), read(ISR, 1), ...messages);
    else if (chance(30)) {
      const [offset, width] = pick([
        [0x00, 4],
        [0x08, 4],
        [0x10, 2],
        [0x16, 2],
        [0x1a, 2],
        [0x3c, 4],
      ] as const);
      steps.push(set(offset, pick([0, 1, 2, 3, 0xffff, below(2000)]), width), ...readCommon);
    } else {
      const width = pick([1, 2, 4, 8] as const);
      steps.push(read(pick([COMMON, ISR, DEVICE, NOTIFY, MSIX, config(BLK, 0)]) + (below(0x100) & -width), width));
    }
    if (chance(2)) steps.push(set(0x14, 0, 1), ...readCommon);
  }
  return script(`random use, seed ${seed}`, steps);
}

export const scripts: readonly QtestScript[] = [
  script(
    "configuration space at power-on, every width",
    [RNG, BLK].flatMap((slot) => readAllWidths(config(slot, 0), 0x110)),
  ),
  script(
    "write masks of configuration space",
    Array.from({ length: 0x40 }, (_, n) => 4 * n)
      // Not the command register and what it starts, nor the window's data.
      .filter((register) => register !== 4 && register !== 0x94)
      .flatMap((register) => [0xffff_ffff, 0, 0x5555_5555].flatMap((value) => [write(config(RNG, register), value), read(config(RNG, register))])),
  ),
  script("every page of BAR 4, every width", [
    ...place(BLK),
    ...[COMMON, ISR, DEVICE, NOTIFY].flatMap((page) => readAllWidths(page, 0x48)),
    read(BAR + 0x4000),
  ]),
  script("the MSI-X BAR, every width", [
    ...place(BLK),
    ...readAllWidths(MSIX, 0x30),
    ...readAllWidths(MSIX + 0x7f8, 0x18),
    ...([1, 2, 4, 8] as const).flatMap((width) => [
      ...Array.from({ length: 6 }, (_, n) => write(MSIX + 8 * n, 0x1122_3344_5566_7788n, width)),
      write(MSIX + 0x800, 0xff, width),
      ...readAllWidths(MSIX, 0x30, [4]),
      ...readAllWidths(MSIX + 0x800, 8, [4]),
    ]),
    reset,
    ...place(BLK),
    ...readAllWidths(MSIX, 0x30, [4]),
  ]),
  script("common configuration", [
    ...place(BLK),
    ...readCommon,
    ...[0, 1, 2, 0xffff_ffff].flatMap((select) => [set(0, select, 4), ...readCommon, set(8, select, 4), set(0xc, 0xffff_ffff, 4), ...readCommon]),
    ...[0, 1, 3, 0xb, 0xf, 0x8b].flatMap((status) => [set(0x14, status, 1), ...readCommon]),
    ...[0, 1, 2, 0xfffe, 0xffff].flatMap((vector) => [set(0x10, vector, 2), set(0x1a, vector, 2), ...readCommon]),
    ...[0, 1, 1023, 1024].flatMap((queue) => [set(0x16, queue, 2), ...readCommon]),
    set(0x16, 0, 2),
    ...[0, 1, 8, 1024, 1025, 0xffff].flatMap((size) => [set(0x18, size, 2), ...readCommon]),
    set(0x14, 0, 1),
    ...readCommon,
  ]),
  ...[0, 0x2000_0000].map((features) =>
    script(`a request with INTx, features 0x${features.toString(16)}`, [
      ...place(BLK),
      ...start(features),
      ...flush(0),
      read(config(BLK, 4)),
      ...claim,
      read(ISR, 1),
      read(ISR, 1),
      read(config(BLK, 4)),
      ...claim,
      ...claim,
      write(config(BLK, 4), 0x406, 2),
      ...flush(1),
      read(config(BLK, 4)),
      write(config(BLK, 4), 6, 2),
      ...claim,
      set(0x14, 0, 1),
      read(ISR, 1),
      ...claim,
      ...claim,
    ]),
  ),
  script("a broken ring interrupts for its configuration too", [
    ...place(BLK),
    ...start(),
    write(RING + 0x1004, 9, 2),
    write(RING + 0x1002, 1, 2),
    write(NOTIFY, 0, 2),
    common(0x14, 1),
    common(0x15, 1),
    read(config(BLK, 4)),
    read(ISR, 1),
  ]),
  script("a wrong value for queue_enable", [...place(BLK), ...start(), set(0x1c, 0, 2), common(0x1c, 2), common(0x14, 1), read(ISR, 1)]),
  script("MSI-X: a vector each, masked by itself, and by the function", [
    ...place(BLK),
    ...entry(0),
    ...entry(1),
    write(config(BLK, 0x9a), 0x8000, 2),
    ...start(0, { config: 0, queue: 1 }),
    ...flush(0),
    ...messages,
    mask(1, 0),
    ...messages,
    ...flush(1),
    ...messages,
    write(config(BLK, 0x9a), 0xc000, 2),
    ...flush(2),
    ...messages,
    write(config(BLK, 0x9a), 0x8000, 2),
    ...messages,
    mask(0, 0),
    write(RING + 0x1004 + 6, 9, 2),
    write(RING + 0x1002, 4, 2),
    write(NOTIFY, 0, 2),
    ...messages,
    read(ISR, 1),
    ...start(0, { config: 0xffff, queue: 0xffff }),
    write(RING + 0x1000, 0, 8),
    ...flush(0),
    ...messages,
    ...start(0, { config: 2, queue: 7 }),
  ]),
  script("MSI-X: vectors of a reset device are nobody's", [
    ...place(BLK),
    ...entry(0),
    ...entry(1),
    mask(1, 0),
    write(config(BLK, 0x9a), 0x8000, 2),
    ...start(0, { config: 0, queue: 1 }),
    set(0x14, 0, 1),
    ...readCommon,
    ...start(0),
    write(RING + 0x1000, 0, 8),
    ...flush(0),
    ...messages,
  ]),
  script("without bus mastering nothing is served", [
    ...place(BLK),
    ...start(),
    write(config(BLK, 4), 2, 2),
    common(0x14, 1),
    ...flush(0),
    write(config(BLK, 4), 6, 2),
    common(0x14, 1),
    ...flush(0),
  ]),
  script("the window into BAR 4", [
    ...place(BLK),
    ...[
      [0x00, 4],
      [0x12, 2],
      [0x14, 1],
      [0x2000, 4],
      [0x2010, 2],
      [0x2015, 4],
      [0x1000, 1],
      [0x3000, 4],
      [0x5000, 4],
      [0, 3],
      [0, 0],
    ].flatMap(([offset = 0, length = 0]) => [...window(offset, length), read(config(BLK, 0x94)), read(config(BLK, 0x94), 1), read(config(BLK, 0x90))]),
    ...window(0, 4),
    write(config(BLK, 0x94), 1),
    common(0, 4),
    ...window(0x14, 1),
    write(config(BLK, 0x94), 0xff03),
    common(0x14, 1),
    ...window(0x16, 2),
    write(config(BLK, 0x94), 1, 2),
    common(0x16, 2),
  ]),
  // QEMU keeps feature selectors and driver features.
  script("reset", [
    ...place(BLK),
    ...start(0, { config: 0, queue: 1 }),
    reset,
    ...readAllWidths(config(BLK, 0), 0x100, [4]),
    ...place(BLK),
    ...readCommon.slice(10),
  ]),
  ...[1, 2, 3].map(random),
];
