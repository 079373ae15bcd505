// virtio-blk against QEMU's, over MMIO: configuration space, requests of every kind and shape, their status, their length in the used
// ring and the data. QEMU's disk is null-co under a temporary overlay: zeros that can be written, as our disk in memory.

import { virtioMmio } from "../../runtime/devices/virtio-mmio.ts";
import { createRandom } from "../fixtures/random.ts";
import { RAM } from "./board.ts";
import { pass, read, readAllWidths, reset, write, type QtestScript, type Step } from "./script.ts";
import { createMmioDriver } from "./virtio-driver.ts";

const TRANSPORT = 0x1000_8000;
const SOURCE = 8;
const HEADER = RAM + 0x9000;
const STATUS = RAM + 0x9100;
const DATA = RAM + 0xa000;
const SERIAL = "qtest-disk";
/** The host's file, which QEMU reads and writes in threads of its own, has answered by then. */
const ANSWER_TIME = pass(100_000);

const driver = createMmioDriver(TRANSPORT);

function script(name: string, steps: readonly Step[], readOnly = false): QtestScript {
  const drive = "if=none,id=disk,format=raw,file.driver=null-co,file.size=64K,file.read-zeroes=on";
  return {
    name: `virtio-blk: ${name}`,
    steps: [write(0xc00_0000 + 4 * SOURCE, 1), write(0xc00_2000, 1 << SOURCE), ...steps],
    watch: "plic",
    qemuArguments: [
      ["-global", "virtio-mmio.force-legacy=false"],
      ["-drive", `${drive},${readOnly ? "readonly" : "snapshot"}=on`, "-device", `virtio-blk-device,drive=disk,serial=${SERIAL}`],
    ].flat(),
    extend(board) {
      board.add({
        create: (env) => virtioMmio.create({ device: "blk", size: 0x1_0000, readOnly, serial: SERIAL }, env),
        bases: [TRANSPORT],
        irq: (_pin, level) => board.plicInput(SOURCE, level),
      });
    },
  };
}

interface Piece {
  readonly address: number;
  readonly length: number;
  readonly isWritable: boolean;
}

interface Request {
  readonly kind: number;
  readonly sector?: bigint;
  readonly data?: readonly Piece[];
  readonly headerLength?: number;
  readonly statusLength?: number;
}

/** Offers the request as the `index`th chain, kicks, and looks at all that may have changed. */
function request(index: number, { kind, sector = 0n, data = [], headerLength = 16, statusLength = 1 }: Request): Step[] {
  const pieces: readonly Piece[] = [
    ...(headerLength === 0 ? [] : [{ address: HEADER, length: headerLength, isWritable: false }]),
    ...data.filter(({ isWritable }) => !isWritable),
    ...data.filter(({ isWritable }) => isWritable),
    ...(statusLength === 0 ? [] : [{ address: STATUS, length: statusLength, isWritable: true }]),
  ];
  return [
    write(HEADER, kind),
    write(HEADER + 4, 0),
    write(HEADER + 8, sector, 8),
    write(STATUS, 0xeeee_eeee_eeee_eeeen, 8),
    ...pieces.flatMap(({ address, length, isWritable }, n) =>
      driver.describe(0, n, { address, length, flags: (isWritable ? 2 : 0) | (n + 1 < pieces.length ? 1 : 0), next: n + 1 }),
    ),
    ...driver.offer(0, index, 0),
    driver.kick(0),
    ANSWER_TIME,
    driver.register("isr"),
    driver.register("status"),
    read(STATUS, 8),
    read(driver.used(0), 4),
    read(driver.used(0) + 4 + 8 * (index % 8), 8),
    driver.acknowledge(3),
  ];
}

const ALL_FEATURES = 0x1000_6e54;
const start = (features = ALL_FEATURES): readonly Step[] => driver.start({ features, queues: [0], size: 8 });
const look = (bytes: number): Step[] => Array.from({ length: bytes / 8 }, (_, n) => read(DATA + 8 * n, 8));
const fill = (bytes: number, seed: bigint): Step[] => Array.from({ length: bytes / 8 }, (_, n) => write(DATA + 8 * n, seed * BigInt(n + 1), 8));
const piece = (isWritable: boolean, length: number, address = DATA): Piece => ({ address, length, isWritable });

const range = (sector: bigint, count: number, flags: number): Step[] => [write(DATA, sector, 8), write(DATA + 8, count), write(DATA + 12, flags)];

function clearing(kind: number): readonly Step[] {
  const cases: readonly (readonly [bigint, number, number, number])[] = [
    [0n, 8, 0, 16],
    [120n, 8, 1, 16],
    [120n, 9, 0, 16],
    [0n, 1, 2, 16],
    [0n, 0x3f_ffff, 0, 16],
    [0n, 0x40_0000, 0, 16],
    [128n, 0, 0, 16],
    [0n, 1, 0, 17],
    [0n, 1, 0, 32],
  ];
  return cases.flatMap(([sector, count, flags, length], index) => [...range(sector, count, flags), ...request(index, { kind, data: [piece(false, length)] })]);
}

function random(seed: number): QtestScript {
  const { below, chance, pick, u32 } = createRandom(seed);
  const steps: Step[] = [...start()];
  for (let index = 0; index < 60; index++) {
    const isWrite = chance(50);
    const sectors = pick([1, 1, 2, 3]);
    const bytes = sectors * 512;
    const cut = 8 * (1 + below(bytes / 8 - 1));
    if (isWrite) steps.push(...fill(bytes, BigInt(u32())));
    steps.push(
      ...request(index, {
        kind: isWrite ? 1 : 0,
        sector: BigInt(pick([below(128), below(8), 126, 127])),
        data: chance(30) ? [piece(!isWrite, cut), piece(!isWrite, bytes - cut, DATA + cut)] : [piece(!isWrite, bytes)],
      }),
      ...(isWrite ? [] : look(bytes)),
    );
  }
  return script(`random reads and writes, seed ${seed}`, steps);
}

export const scripts: readonly QtestScript[] = [
  script("registers and configuration at power-on, every width", readAllWidths(TRANSPORT, 0x150)),
  script("registers and configuration of a read-only disk", readAllWidths(TRANSPORT, 0x150, [4]), true),
  script("the write cache in configuration space", [
    ...start(),
    // A write takes with it what QEMU knows of the other bytes since it was last read.
    read(driver.configuration),
    ...([1, 2, 4] as const).flatMap((width) =>
      [0x00, 0x1c, 0x20, 0x22].flatMap((offset) =>
        [0, 0x0101_0101].flatMap((value) => [write(driver.configuration + offset, value, width), ...readAllWidths(driver.configuration, 0x38, [4])]),
      ),
    ),
    write(driver.configuration + 0x20, 0, 1),
    ...start(0x200),
    read(driver.configuration + 0x20),
    ...start(0),
    read(driver.configuration + 0x20),
    driver.setStatus(0),
    read(driver.configuration + 0x20),
    reset,
    read(driver.configuration + 0x20),
  ]),
  ...([ALL_FEATURES, ALL_FEATURES | 0x2000_0000] as const).map((features) =>
    script(`requests of every kind, features 0x${features.toString(16)}`, [
      ...start(features),
      ...[0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 12, 14, 16, 0x8000_0000, 0x8000_0001, 0xffff_ffff].flatMap((kind, index) => [
        ...fill(512, 0x0102_0304_0506_0708n),
        ...request(index, { kind, sector: 1n, data: [piece(false, 512), piece(true, 512, DATA + 512)] }),
        ...look(1024),
      ]),
    ]),
  ),
  script("the name, in buffers of several sizes", [
    ...start(),
    ...[1, 8, 10, 11, 19, 20, 21, 32].flatMap((length, index) => [...fill(40, 0n), ...request(index, { kind: 8, data: [piece(true, length)] }), ...look(40)]),
  ]),
  script("SCSI commands with and without room for an answer", [
    ...start(),
    ...request(0, { kind: 2, data: [piece(false, 16), piece(true, 96, DATA + 64), piece(true, 16, DATA + 192)] }),
    ...look(256),
    ...request(1, { kind: 2, data: [piece(true, 96, DATA + 64), piece(true, 16, DATA + 192)] }),
    ...request(2, { kind: 2 }),
  ]),
  script("sizes and places that a disk has not", [
    ...start(),
    ...[0, 1].flatMap((kind) =>
      (
        [
          [127n, 512],
          [127n, 1024],
          [128n, 512],
          [0xffff_ffff_ffff_ffffn, 512],
          [0x0080_0000_0000_0000n, 512],
          [0n, 511],
          [0n, 513],
        ] as const
      ).flatMap(([sector, length], index) => request(7 * kind + index, { kind, sector, data: [piece(kind === 0, length)] })),
    ),
    ...request(14, { kind: 0 }),
    ...request(15, { kind: 1 }),
    ...request(16, { kind: 0, sector: 128n }),
    ...request(17, { kind: 0, sector: 129n }),
  ]),
  script("discard", [...start(), ...fill(512, 3n), ...clearing(11), ...request(9, { kind: 0, data: [piece(true, 512)] }), ...look(512)]),
  script("write zeroes", [...start(), ...clearing(13)]),
  script("zeroes are there afterwards", [
    ...start(),
    ...fill(1536, 0x1111_2222_3333_4444n),
    ...request(0, { kind: 1, sector: 4n, data: [piece(false, 1536)] }),
    ...range(5n, 1, 0),
    ...request(1, { kind: 13, data: [piece(false, 16)] }),
    ...request(2, { kind: 0, sector: 4n, data: [piece(true, 1536)] }),
    ...look(1536),
  ]),
  ...(["write", "zeroes", "discard", "flush", "read"] as const).map((name, n) =>
    script(
      `a read-only disk: ${name}`,
      [
        ...start(),
        ...range(0n, 1, 0),
        ...request(0, { kind: [1, 13, 11, 4, 0][n] ?? 0, data: n === 3 ? [] : [piece(n === 4, n === 1 || n === 2 ? 16 : 512)] }),
      ],
      true,
    ),
  ),
  ...[
    { name: "no header", shape: { kind: 0, headerLength: 0 } },
    { name: "a short header", shape: { kind: 0, headerLength: 15 } },
    { name: "no status", shape: { kind: 0, statusLength: 0 } },
    { name: "a short range", shape: { kind: 13, data: [piece(false, 15)] } },
  ].map(({ name, shape }) => script(name, [...start(), ...request(0, shape), ...request(1, { kind: 4 }), ...start(), ...request(0, { kind: 4 })])),
  script("a status of several bytes", [
    ...start(),
    ...request(0, { kind: 0, data: [piece(true, 512)], statusLength: 5 }),
    ...request(1, { kind: 4, statusLength: 8 }),
  ]),
  ...[1, 2].map(random),
];
