// virtio-mmio against QEMU's, version 2, with a console behind it: transport registers, feature negotiation, queue set-up, split rings
// in RAM as the device leaves them, broken rings, and chr-testdev's exit. QEMU puts its first device into the last of the
// board's eight transports; the others are without device. What the console prints is not compared here (a unit test has it).

import { virtioMmio } from "../../runtime/devices/virtio-mmio.ts";
import { RAM } from "./board.ts";
import { createRandom } from "../fixtures/random.ts";
import { exit, read, readAllWidths, reset, write } from "./script.ts";
import type { QtestScript, Step } from "./script.ts";

const EMPTY = 0x1000_1000;
const CONSOLE = 0x1000_8000;
const EMPTY_SOURCE = 1;
const CONSOLE_SOURCE = 8;
const PLIC_PRIORITY = 0xc00_0000;
const PLIC_ENABLE = 0xc00_2000;

const RECEIVE = 0;
const TRANSMIT = 1;
const VERSION_1 = 1;
const EVENT_IDX = 0x2000_0000;
const BUFFERS = RAM + 0x9000;
const TABLE = RAM + 0x8000;

/** Descriptors, available and used ring of a queue. */
const ring = (queue: number) => {
  const base = RAM + 0x1_0000 + queue * 0x4000;
  return { desc: base, avail: base + 0x1000, used: base + 0x2000 };
};

const register = (offset: number): Step => read(CONSOLE + offset);
const set = (offset: number, value: number): Step => write(CONSOLE + offset, value);

function script(name: string, steps: readonly Step[], { testdev = false }: { readonly testdev?: boolean } = {}): QtestScript {
  return {
    name,
    steps: [
      ...[EMPTY_SOURCE, CONSOLE_SOURCE].map((source) => write(PLIC_PRIORITY + 4 * source, 1)),
      write(PLIC_ENABLE, (1 << EMPTY_SOURCE) | (1 << CONSOLE_SOURCE)),
      ...steps,
    ],
    watch: "plic",
    qemuArguments: [
      ["-global", "virtio-mmio.force-legacy=false"],
      ["-device", "virtio-serial-device,max_ports=1", "-device", "virtconsole,chardev=far"],
      ["-chardev", testdev ? "testdev,id=far" : "null,id=far"],
    ].flat(),
    extend(board) {
      board.add({ create: (env) => virtioMmio.create({ device: "none" }, env), bases: [EMPTY] });
      board.add({
        create: (env) => virtioMmio.create({ device: "console", backend: testdev ? "chr-testdev" : "output" }, env),
        bases: [CONSOLE],
        irq: (_pin, level) => board.plicInput(CONSOLE_SOURCE, level),
      });
    },
  };
}

const negotiate = (low: number, high: number): Step[] => [set(0x24, 0), set(0x20, low), set(0x24, 1), set(0x20, high), set(0x70, 0xb), register(0x70)];

function place(queue: number, size: number, ready = 1): Step[] {
  const { desc, avail, used } = ring(queue);
  return [
    set(0x30, queue),
    register(0x34),
    set(0x38, size),
    ...[
      [0x80, desc],
      [0x90, avail],
      [0xa0, used],
    ].flatMap(([offset = 0, address = 0]) => [set(offset, address), set(offset + 4, 0)]),
    set(0x44, ready),
    register(0x44),
  ];
}

const start = (low: number, high: number, size = 8): Step[] => [
  set(0x70, 0),
  set(0x70, 3),
  ...negotiate(low, high),
  ...place(RECEIVE, size),
  ...place(TRANSMIT, size),
  set(0x70, 0xf),
];

interface Descriptor {
  readonly address: number;
  readonly length: number;
  readonly flags: number;
  readonly next: number;
}

const describe = (table: number, index: number, { address, length, flags, next }: Descriptor): Step[] => [
  write(table + 16 * index, address, 8),
  write(table + 16 * index + 8, length),
  write(table + 16 * index + 12, flags, 2),
  write(table + 16 * index + 14, next, 2),
];

/** What shows after a kick: interrupt status, status, generation, the used ring. */
const observe: readonly Step[] = [
  register(0x60),
  register(0x70),
  register(0xfc),
  ...Array.from({ length: 10 }, (_, index) => read(ring(TRANSMIT).used + 8 * index, 8)),
];

/** Puts `head` into slot `index` of the transmit queue's available ring and moves its index. */
const offer = (index: number, head: number, sizes: readonly number[] = [8]): Step[] => [
  ...sizes.map((size) => write(ring(TRANSMIT).avail + 4 + 2 * (index % size), head, 2)),
  write(ring(TRANSMIT).avail + 2, index + 1, 2),
];

const kick: readonly Step[] = [set(0x50, TRANSMIT), ...observe];
const one: Descriptor = { address: BUFFERS, length: 1, flags: 0, next: 0 };

/** Each on a device just started: one mistake of the driver, or a shape that is none. */
const shapes: readonly { readonly name: string; readonly steps: readonly Step[] }[] = [
  { name: "one buffer", steps: [...describe(ring(TRANSMIT).desc, 2, one), ...offer(0, 2)] },
  { name: "a chain", steps: [...describe(ring(TRANSMIT).desc, 0, { ...one, flags: 1, next: 5 }), ...describe(ring(TRANSMIT).desc, 5, one), ...offer(0, 0)] },
  {
    name: "a writable part",
    steps: [...describe(ring(TRANSMIT).desc, 0, { ...one, flags: 1, next: 5 }), ...describe(ring(TRANSMIT).desc, 5, { ...one, flags: 2 }), ...offer(0, 0)],
  },
  { name: "nothing", steps: [] },
  { name: "nothing, and no wish for interrupts", steps: [write(ring(TRANSMIT).avail, 1, 2)] },
  {
    name: "an index ahead of the ring",
    steps: [...Array.from({ length: 8 }, (_, index) => describe(ring(TRANSMIT).desc, index, one)).flat(), ...offer(10, 0)],
  },
  { name: "a head out of range", steps: offer(0, 8) },
  { name: "no bytes", steps: [...describe(ring(TRANSMIT).desc, 0, { ...one, length: 0 }), ...offer(0, 0)] },
  { name: "a loop", steps: [...describe(ring(TRANSMIT).desc, 0, { ...one, flags: 1 }), ...offer(0, 0)] },
  { name: "a next out of range", steps: [...describe(ring(TRANSMIT).desc, 0, { ...one, flags: 1, next: 8 }), ...offer(0, 0)] },
  {
    name: "wrong order",
    steps: [...describe(ring(TRANSMIT).desc, 0, { ...one, flags: 3, next: 1 }), ...describe(ring(TRANSMIT).desc, 1, one), ...offer(0, 0)],
  },
  {
    name: "an indirect table",
    steps: [
      ...describe(ring(TRANSMIT).desc, 3, { address: TABLE, length: 32, flags: 4, next: 0 }),
      ...describe(TABLE, 0, { ...one, flags: 1, next: 1 }),
      ...describe(TABLE, 1, { ...one, length: 9 }),
      ...offer(0, 3),
    ],
  },
  { name: "an indirect table of odd size", steps: [...describe(ring(TRANSMIT).desc, 3, { address: TABLE, length: 24, flags: 4, next: 0 }), ...offer(0, 3)] },
];

function random(seed: number): QtestScript {
  const { below, chance, pick, u32 } = createRandom(seed);
  const steps: Step[] = [];
  let offered = 0;
  for (let i = 0; i < 400; i++) {
    const action = below(12);
    if (action === 0) {
      if (chance(40)) steps.push(set(0x70, 0));
      steps.push(...negotiate(pick([0, EVENT_IDX, 0x3000_0004, 0x7000_0004]), pick([0, 1, 1, 1, 0x101])));
      for (const queue of [RECEIVE, TRANSMIT, pick([2, 3, 4])]) if (chance(75)) steps.push(...place(queue, pick([4, 8, 8, 0, 1025, 3]), chance(75) ? 1 : 0));
      steps.push(set(0x70, pick([0xf, 0xf, 7, 0xb])));
    } else if (action < 7) {
      for (let left = 1 + below(3); left > 0; left--) {
        const head = below(8);
        if (chance(15)) {
          steps.push(...describe(ring(TRANSMIT).desc, head, { address: TABLE, length: pick([16, 32, 32, 24]), flags: 4, next: 0 }));
          for (const index of [0, 1])
            steps.push(...describe(TABLE, index, { address: BUFFERS + below(64), length: 1 + below(8), flags: index === 0 ? below(2) : 0, next: 1 }));
        } else {
          steps.push(
            ...describe(ring(TRANSMIT).desc, head, {
              address: BUFFERS + below(64),
              length: chance(97) ? 1 + below(9) : 0,
              flags: pick([0, 0, 0, 1, 2, 3]),
              next: below(9),
            }),
          );
        }
        steps.push(...offer(offered, chance(98) ? head : 200, [8, 4, 3, 32, 128]), write(ring(TRANSMIT).avail, below(3) === 0 ? 1 : 0, 2));
        if (chance(10)) steps.push(write(ring(TRANSMIT).avail + 4 + 2 * 8, offered + below(3), 2));
        offered++;
      }
      if (chance(60)) steps.push(set(0x64, 3));
      steps.push(...kick);
    } else if (action === 7) {
      steps.push(set(0x64, pick([1, 2, 3])), set(0x50, pick([0, 1, 4, 1023, 1024])), ...observe);
    } else {
      const width = pick([1, 2, 4, 4, 8] as const);
      // The ring addresses are only given sense by `place`: QEMU lets a ring lie anywhere.
      const offset = pick([() => below(0x80), () => 0xa8 + below(0x178)])() & -width;
      const value = (BigInt(u32()) << 32n) | BigInt(pick([0, 1, 2, 3, 8, 0xff, u32()]));
      const skips = offset <= 0x30 && offset + width > 0x30;
      steps.push(chance(50) && !skips ? write(CONSOLE + offset, value, width) : read(CONSOLE + offset, width));
    }
  }
  return script(`virtio-mmio: random use, seed ${seed}`, steps);
}

export const scripts: readonly QtestScript[] = [
  script("virtio-mmio: a transport without device", [
    ...readAllWidths(EMPTY, 0x120),
    ...[0x14, 0x20, 0x24, 0x30, 0x38, 0x44, 0x50, 0x64, 0x70, 0x80, 0x100].map((offset) => write(EMPTY + offset, 0xffff_ffff)),
    ...readAllWidths(EMPTY, 0x120, [4]),
    read(EMPTY + 0x200),
  ]),
  script("virtio-mmio: registers at power-on, every width", [...readAllWidths(CONSOLE, 0x120), read(CONSOLE + 0x1fc), read(CONSOLE + 0x200)]),
  script(
    "virtio-mmio: narrow and wide writes",
    ([1, 2, 8] as const).flatMap((width) =>
      [0x14, 0x24, 0x30, 0x44, 0x70].flatMap((offset) => [
        write(CONSOLE + (offset & -width), 0x0101_0101_0101_0101n, width),
        ...readAllWidths(CONSOLE, 0x80, [4]),
      ]),
    ),
  ),
  script("virtio-mmio: feature selectors and negotiation", [
    ...[0, 1, 2, 0xffff_ffff, 0].flatMap((select) => [set(0x14, select), register(0x10)]),
    set(0x14, 1),
    set(0x70, 0),
    register(0x10),
    ...[0, 1, 3, 0xb, 0xf, 0x8b, 0x1ff, 0].flatMap((status) => [set(0x70, status), register(0x70)]),
    ...negotiate(0xffff_ffff, 0xffff_ffff),
    set(0x70, 0),
    reset,
    register(0x10),
  ]),
  script("virtio-mmio: queue registers", [
    ...[0, 1, 2, 3, 4, 31, 1023, 1024, 0xffff_ffff].flatMap((queue) => [set(0x30, queue), register(0x34), register(0x44)]),
    ...negotiate(0, VERSION_1),
    ...[0, 1, 2, 4].flatMap((queue) => place(queue, 8)),
    ...[0, 1, 2, 4].flatMap((queue) => [set(0x30, queue), set(0x44, 0), register(0x44), set(0x44, 7), register(0x44)]),
    set(0x70, 0),
    ...[0, 1, 2, 4].flatMap((queue) => [set(0x30, queue), register(0x44)]),
  ]),
  script("virtio-mmio: console configuration and emergency writes", [
    ...readAllWidths(CONSOLE + 0x100, 0x20),
    ...[1, 2, 4].flatMap((width) =>
      [0x100, 0x104, 0x108, 0x10c].flatMap((offset) => [
        write(CONSOLE + offset, 0x4141_4141, width as 1 | 2 | 4),
        ...readAllWidths(CONSOLE + 0x100, 0x10, [4]),
      ]),
    ),
    write(CONSOLE + 0x108, 0, 4),
    write(CONSOLE + 0x10a, 0x42, 1),
    ...readAllWidths(CONSOLE + 0x100, 0x10, [1, 4]),
  ]),
  ...shapes.flatMap(({ name, steps }) =>
    [
      { features: "virtio 1", low: 0, high: VERSION_1 },
      { features: "event index", low: EVENT_IDX, high: VERSION_1 },
      { features: "no feature", low: 0, high: 0 },
    ].map(({ features, low, high }) =>
      script(`virtio-mmio: transmit ${name}, ${features}`, [
        ...start(low, high),
        ...steps,
        ...kick,
        ...kick,
        set(0x64, 1),
        ...describe(ring(TRANSMIT).desc, 7, one),
        ...offer(11, 7),
        ...kick,
        ...start(low, high),
        register(0xfc),
      ]),
    ),
  ),
  script("virtio-mmio: event index, one interrupt for several buffers", [
    ...start(EVENT_IDX, VERSION_1),
    ...describe(ring(TRANSMIT).desc, 0, one),
    ...Array.from({ length: 20 }, (_, index) => [
      ...(index % 5 === 0 ? [write(ring(TRANSMIT).avail + 4 + 16, index + 3, 2)] : []),
      ...offer(index, 0),
      ...kick,
      read(ring(TRANSMIT).used + 4 + 64, 2),
      set(0x64, 1),
    ]).flat(),
  ]),
  script("virtio-mmio: the receive queue takes buffers in silence", [
    ...start(0, VERSION_1),
    ...describe(ring(RECEIVE).desc, 0, { ...one, length: 16, flags: 2 }),
    write(ring(RECEIVE).avail + 2, 1, 2),
    set(0x50, RECEIVE),
    ...observe,
    read(ring(RECEIVE).used, 8),
  ]),
  ...[1, 2, 3, 4].map(random),
  ...["0q", "3q", " 12 q", "1x7q", "q", "127q"].map((text) =>
    script(
      `chr-testdev: ${JSON.stringify(text)}`,
      [
        ...start(0, VERSION_1),
        ...Array.from(text).flatMap((letter, index) => [
          write(BUFFERS + index, letter.charCodeAt(0), 1),
          ...describe(ring(TRANSMIT).desc, index, { ...one, address: BUFFERS + index }),
          ...offer(index, index),
          set(0x50, TRANSMIT),
        ]),
        exit,
      ],
      { testdev: true },
    ),
  ),
];
