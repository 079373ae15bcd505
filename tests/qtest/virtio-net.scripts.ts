// virtio-net against QEMU's, over MMIO, two devices on one hub: configuration, the control queue with every command and its errors, and frames
// from one to the other through filters and buffers of all sizes. Left out is what our model does its own way (runtime/devices/virtio-net.ts):
// frames that a receiver is not ready for, the flags of the used ring, and num_buffers without MRG_RXBUF.

import type { Device } from "../../runtime/devices/device.ts";
import { virtioMmio } from "../../runtime/devices/virtio-mmio.ts";
import { RAM } from "./board.ts";
import { pass, read, readAllWidths, write, type QtestScript, type Step } from "./script.ts";
import { createMmioDriver } from "./virtio-driver.ts";

/** QEMU hands out transports from the last one down. */
const TRANSPORTS = [0x1000_8000, 0x1000_7000] as const;
const SOURCES = [8, 7] as const;
const MACS = ["52:54:00:12:34:56", "52:54:00:12:34:57"] as const;
const RECEIVE = 0;
const TRANSMIT = 1;
const CONTROL = 2;
const COMMAND = RAM + 0x9000;
const ANSWER = RAM + 0x9800;
const OUTGOING = RAM + 0xa000;
const INCOMING = RAM + 0xc000;

// One device at a time has its rings in RAM under a driver; the sender's lie further up.
const receiver = createMmioDriver(TRANSPORTS[0]);
const sender = createMmioDriver(TRANSPORTS[1], RAM + 0x4_0000);

function script(name: string, steps: readonly Step[]): QtestScript {
  return {
    name: `virtio-net: ${name}`,
    steps: [...SOURCES.map((source) => write(0xc00_0000 + 4 * source, 1)), write(0xc00_2000, (1 << SOURCES[0]) | (1 << SOURCES[1])), ...steps],
    watch: "plic",
    qemuArguments: ["-global", "virtio-mmio.force-legacy=false"].concat(
      MACS.flatMap((mac, n) => ["-netdev", `hubport,id=net${n},hubid=0`, "-device", `virtio-net-device,netdev=net${n},mac=${mac}`]),
    ),
    extend(board) {
      const devices: Device[] = [];
      MACS.forEach((mac, n) => {
        const base = TRANSPORTS[n];
        const source = SOURCES[n];
        if (base === undefined || source === undefined) return;
        devices.push(
          board.add({
            create: (env) => virtioMmio.create({ device: "net", mac, hub: 0 }, { ...env, output: (frame) => devices[1 - n]?.receive?.(frame) }),
            bases: [base],
            irq: (_pin, level) => board.plicInput(source, level),
          }),
        );
      });
    },
  };
}

const start = (features: number): readonly Step[] => [
  ...receiver.start({ features, queues: [RECEIVE, TRANSMIT, CONTROL], size: 8 }),
  ...sender.start({ features: 0, queues: [RECEIVE, TRANSMIT, CONTROL], size: 8 }),
];

const put = (address: number, bytes: readonly number[]): Step[] => bytes.map((byte, n) => write(address + n, byte, 1));
/** QEMU sends from its main loop, and not while its CPUs are stopped. */
const sendTime = pass(100_000);

function order(index: number, bytes: readonly number[]): Step[] {
  return [
    ...put(COMMAND, bytes),
    write(ANSWER, 0xee, 1),
    ...receiver.describe(CONTROL, 0, { address: COMMAND, length: bytes.length, flags: 1, next: 1 }),
    ...receiver.describe(CONTROL, 1, { address: ANSWER, length: 1, flags: 2, next: 0 }),
    ...receiver.offer(CONTROL, index, 0),
    receiver.kick(CONTROL),
    receiver.register("isr"),
    receiver.register("status"),
    read(ANSWER, 1),
    read(receiver.used(CONTROL) + 2, 2),
    read(receiver.used(CONTROL) + 4 + 8 * (index % 8), 8),
    ...[0, 4].map((offset) => read(receiver.configuration + offset)),
    receiver.acknowledge(3),
  ];
}

const BROADCAST = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
const OWN = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
const OTHER = [2, 0, 0, 0, 0, 9];
const GROUP = [1, 0, 0x5e, 0, 0, 1];

const frameTo = (destination: readonly number[], length = 60, type: readonly number[] = [0x88, 0xb5, 0, 0]): number[] =>
  [...destination, 2, 0, 0, 0, 0, 1, ...type, ...Array.from({ length }, (_, n) => n & 0xff)].slice(0, length);

const accept = (index: number, length: number): Step[] => [
  ...receiver.describe(RECEIVE, index % 8, { address: INCOMING + 0x200 * (index % 8), length, flags: 2, next: 0 }),
  ...receiver.offer(RECEIVE, index, index % 8),
  receiver.kick(RECEIVE),
];

function send(index: number, frame: readonly number[]): Step[] {
  return [
    ...put(OUTGOING, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ...frame]),
    ...sender.describe(TRANSMIT, 0, { address: OUTGOING, length: 12 + frame.length, flags: 0, next: 0 }),
    ...sender.offer(TRANSMIT, index, 0),
    sender.kick(TRANSMIT),
    sendTime,
    read(sender.used(TRANSMIT) + 2, 2),
    read(sender.used(TRANSMIT) + 4 + 8 * (index % 8), 8),
    sender.register("isr"),
    sender.acknowledge(3),
    ...look,
  ];
}

const look: readonly Step[] = [
  receiver.register("isr"),
  receiver.register("status"),
  read(receiver.used(RECEIVE) + 2, 2),
  ...Array.from({ length: 8 }, (_, n) => read(receiver.used(RECEIVE) + 4 + 8 * n, 8)),
  receiver.acknowledge(3),
];

const MRG_RXBUF = 0x8000;
const CTRL_VLAN = 0x8_0000;
const ALL = 0x10bf_8024;

const ORDERS: readonly (readonly number[])[] = [
  ...[0, 1, 2, 3, 4, 5, 6, 255].flatMap((command) => [
    [0, command, 1],
    [0, command, 0],
    [0, command],
  ]),
  [0, 0, 1, 7, 7],
  [1, 1, ...OTHER],
  [1, 1, ...OTHER, 0],
  [1, 1, 2, 0, 0],
  [1, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  [1, 0, 1, 0, 0, 0, ...OTHER, 1, 0, 0, 0, ...GROUP],
  [1, 0, 1, 0, 0, 0, ...OTHER, 2, 0, 0, 0, ...GROUP],
  [1, 0, 2, 0, 0, 0, ...OTHER],
  [1, 0, 1, 0],
  [1, 0, 1, 0, 0, 0, ...OTHER],
  [1, 0, 65, 0, 0, 0, ...Array.from({ length: 65 }, () => OTHER).flat(), 0, 0, 0, 0],
  [1, 2],
  ...[0, 1, 2].flatMap((command) => [
    [2, command, 5, 0],
    [2, command, 0xff, 0x0f],
    [2, command, 0, 0x10],
    [2, command, 5],
  ]),
  [3, 0],
  [3, 1],
  [4, 0, 1, 0],
  [4, 0, 2, 0],
  [5, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  [5, 0, 2, 0, 0, 0, 0, 0, 0, 0],
  [5, 0, 0, 0],
  [5, 1, 0, 0, 0, 0, 0, 0, 0, 0],
  [9, 0],
];

function filterSteps(features: number, orders: readonly (readonly number[])[]): Step[] {
  const frames = [
    ...[OWN, BROADCAST, OTHER, GROUP].map((to) => frameTo(to)),
    ...[5, 6].map((vlan) => frameTo(OWN, 60, [0x81, 0, 0x20, vlan])),
    frameTo(BROADCAST, 60, [0x81, 0, 0, 5]),
  ];
  return [
    ...start(features),
    ...orders.flatMap((bytes, index) => order(index, bytes)),
    ...frames.flatMap((_, index) => accept(index, 0x200)),
    ...frames.flatMap((frame, index) => send(index, frame)),
  ];
}

export const scripts: readonly QtestScript[] = [
  script("registers and configuration at power-on, every width", readAllWidths(TRANSPORTS[0], 0x110)),
  script("the address in configuration space, with and without VIRTIO 1", [
    ...start(ALL),
    ...readAllWidths(receiver.configuration, 12),
    write(receiver.configuration + 1, 0x99, 1),
    ...readAllWidths(receiver.configuration, 8, [4]),
  ]),
  ...[ALL, 0].map((features) =>
    script(`the control queue, features 0x${features.toString(16)}`, [...start(features), ...ORDERS.flatMap((bytes, index) => order(index, bytes))]),
  ),
  ...(
    [
      ["promiscuous", 0, []],
      ["for the device and all", 0, [[0, 0, 0]]],
      [
        "all multicast",
        0,
        [
          [0, 0, 0],
          [0, 1, 1],
        ],
      ],
      [
        "all unicast",
        0,
        [
          [0, 0, 0],
          [0, 2, 1],
        ],
      ],
      [
        "no multicast, no unicast",
        0,
        [
          [0, 0, 0],
          [0, 3, 1],
          [0, 4, 1],
        ],
      ],
      [
        "no broadcast",
        0,
        [
          [0, 0, 0],
          [0, 5, 1],
        ],
      ],
      [
        "tables",
        0,
        [
          [0, 0, 0],
          [1, 0, 1, 0, 0, 0, ...OTHER, 1, 0, 0, 0, ...GROUP],
        ],
      ],
      [
        "VLANs",
        CTRL_VLAN,
        [
          [0, 0, 0],
          [2, 0, 5, 0],
        ],
      ],
    ] as const
  ).map(([name, features, orders]) => script(`filters: ${name}`, filterSteps(features, orders))),
  ...[14, 15, 60, 300].map((length) =>
    script(`a frame of ${length} bytes`, [
      ...start(0),
      ...accept(0, 0x200),
      ...send(0, frameTo(BROADCAST, length)),
      ...Array.from({ length: length + 4 }, (_, n) => read(INCOMING + 12 + n, 1)),
      ...Array.from({ length: 10 }, (_, n) => read(INCOMING + n, 1)),
    ]),
  ),
  script("a frame over several buffers", [
    ...start(MRG_RXBUF),
    ...[0, 1, 2, 3].flatMap((index) => accept(index, 50)),
    ...send(0, frameTo(BROADCAST, 120)),
    ...[0, 1, 2].flatMap((n) => Array.from({ length: 50 }, (_, at) => read(INCOMING + 0x200 * n + at, 1))),
  ]),
  script("a frame that does not fit", [...start(0), ...accept(0, 50), ...send(0, frameTo(BROADCAST, 120)), ...send(1, frameTo(BROADCAST, 30))]),
  script("a command without answer", [
    ...start(0),
    ...receiver.describe(CONTROL, 0, { address: COMMAND, length: 4, flags: 0, next: 0 }),
    ...receiver.offer(CONTROL, 0, 0),
    receiver.kick(CONTROL),
    receiver.register("status"),
    receiver.register("isr"),
  ]),
];
