// PCI against QEMU's gpex, pci-testdev and edu on the `virt` board: configuration space, BARs in both windows, the registers behind
// them, INTx up to the PLIC's pins, MSI into RAM, and edu's DMA. The factorial is a host thread in QEMU, so
// scripts only look at it when it is surely done on both sides.

import type { Device } from "../../runtime/devices/device.ts";
import { edu } from "../../runtime/devices/edu.ts";
import { pciHost } from "../../runtime/devices/pci-host.ts";
import { pciTestdev } from "../../runtime/devices/pci-testdev.ts";
import { PLIC, RAM } from "./board.ts";
import type { Board, Part } from "./board.ts";
import { createRandom } from "../fixtures/random.ts";
import { awaitBits, pass, read, readAllWidths, reset, write } from "./script.ts";
import type { QtestScript, Step } from "./script.ts";

const ECAM = 0x3000_0000;
const MEMORY = 0x4000_0000;
const IO = 0x300_0000;
const INTX_SOURCE = 32;
const TESTDEV = 1;
const EDU = 2;
/** Where the scripts map the BARs. */
const TESTDEV_MMIO = MEMORY;
const TESTDEV_IO = 0xc000;
const EDU_MMIO = MEMORY + 0x10_0000;
const BUFFER = 0x4_0000;

const config = (slot: number, register: number): number => ECAM + slot * 0x8000 + register;

function addPci(board: Board, membar: number): void {
  const host = board.add({
    create: (env) => pciHost.create({}, env),
    bases: [ECAM, MEMORY, IO],
    irq: (pin, level) => board.plicInput(INTX_SOURCE + pin, level),
  });
  const addFunction = (slot: number, create: Part["create"]): Device => {
    const device = board.add({ create, bases: [], irq: (_pin, level) => host.input?.(slot, level) });
    if (device.pci === undefined) throw new Error(`the device in slot ${slot} is no PCI function`);
    host.attach?.(slot, device.pci);
    return device;
  };
  addFunction(TESTDEV, (env) => pciTestdev.create({ membar }, env));
  addFunction(EDU, (env) => edu.create({ dmaMask: 0xffff_ffff }, env));
}

interface ScriptOptions {
  readonly watch?: "plic";
  readonly membar?: number;
}

function script(name: string, steps: readonly Step[], { watch, membar = 0 }: ScriptOptions = {}): QtestScript {
  return {
    name,
    steps,
    ...(watch === undefined ? {} : { watch }),
    qemuArguments: [
      ["-device", membar === 0 ? "pci-testdev" : `pci-testdev,membar=${membar}`],
      ["-device", "edu,dma_mask=0xffffffff"],
    ].flat(),
    extend: (board) => addPci(board, membar),
  };
}

/** What firmware does: the BARs at their places, decoding and bus mastering on. */
const enumerate: readonly Step[] = [
  write(config(TESTDEV, 0x10), TESTDEV_MMIO),
  write(config(TESTDEV, 0x14), TESTDEV_IO),
  write(config(TESTDEV, 0x04), 0x7, 2),
  write(config(EDU, 0x10), EDU_MMIO),
  write(config(EDU, 0x04), 0x7, 2),
];

/** Lets the INTx sources through to hart 0's machine-mode context. */
const enableInterrupts: readonly Step[] = [
  ...[0, 1, 2, 3].map((line) => write(PLIC + 4 * (INTX_SOURCE + line), 1)),
  write(PLIC + 0x2000 + 4 * (INTX_SOURCE / 32), 0xf),
];
const claimAndComplete: readonly Step[] = [read(PLIC + 0x20_0004), write(PLIC + 0x20_0004, INTX_SOURCE + EDU)];

const SLOTS = [0, TESTDEV, EDU];

function maskSteps(slot: number): Step[] {
  const steps: Step[] = [];
  for (let register = 0; register < 0x100; register += 4) {
    for (const value of [0xffff_ffff, 0, 0x5555_5555, 0xaaaa_aaaa, 0]) steps.push(write(config(slot, register), value), read(config(slot, register)));
  }
  for (let register = 0; register < 0x60; register++) steps.push(write(config(slot, register), 0xa5, 1), read(config(slot, register & ~3)));
  return steps;
}

/** Selects each kind through a BAR at `base`, and writes to and around its register in every width. */
function testdevSteps(base: number, otherBase: number, firstOffset: number): Step[] {
  const steps: Step[] = [];
  for (const kind of [0, 1, 2, 3, 0, 255, 2]) {
    steps.push(write(base, kind, 1), ...readAllWidths(base, 0x30), ...readAllWidths(otherBase, 0x10));
    for (const value of [0xfa, 0xce, 0, 0x11]) {
      for (let offset = firstOffset - 1; offset <= firstOffset + 4; offset++) {
        steps.push(write(base + offset, value, 1), write(otherBase + (offset & 0xff), value, 1), read(base + 0x0c));
      }
      for (const width of [2, 4, 8] as const) {
        for (let offset = (firstOffset & ~7) - 8; offset < firstOffset + 8; offset += width) {
          steps.push(write(base + offset, BigInt(value) * 0x0101_0101_0101_0101n, width), read(base + 0x0c));
        }
      }
    }
  }
  return steps;
}

/** QEMU computes in a thread of its own: bit 0 of the status says that it does. */
const factorialTime: readonly Step[] = [pass(100_000), pass(100_000), pass(100_000), awaitBits(EDU_MMIO + 0x20, 1, 0)];
const edu32 = (offset: number): Step => read(EDU_MMIO + offset);
const eduWrite = (offset: number, value: number): Step => write(EDU_MMIO + offset, value);

function dmaSteps(source: number, destination: number, count: number, command: number): Step[] {
  const registers = [0x80, 0x88, 0x90, 0x98];
  return [
    ...[source, destination, count, command].map((value, index) => write(EDU_MMIO + (registers[index] ?? 0), value, 8)),
    ...registers.map((offset) => read(EDU_MMIO + offset, 8)),
    // Frozen while it runs.
    write(EDU_MMIO + 0x80, 0x123, 8),
    eduWrite(0x98, 7),
    ...registers.map((offset) => read(EDU_MMIO + offset, 8)),
    pass(101_000_000),
    ...registers.map((offset) => read(EDU_MMIO + offset, 8)),
    edu32(0x24),
  ];
}

const DATA = RAM + 0x8000;
const dataSteps = (address: number, count: number): Step[] => Array.from({ length: count / 8 }, (_, index) => read(address + 8 * index, 8));

function random(seed: number): QtestScript {
  const { below, chance, pick, u32 } = createRandom(seed);
  const steps: Step[] = [];
  const value = (): number => pick([0, 1, 2, 3, 4, 7, 0xff, 0xfa, 0xce, 0xffff, 0xffff_ffff, 0x400, 0x407, MEMORY, MEMORY + 0x10_0000, 0xc000, 0xc100, u32()]);
  const places: readonly (() => number)[] = [
    () => config(pick([0, 1, 1, 2, 2, 3]), pick([below(0x110), 0x10 + below(16), 4, 0x40 + below(16), below(0x1000)])),
    () => MEMORY + pick([0, 0x10_0000, 0x20_0000]) + pick([below(0x30), 0x7f0 + below(32), 0x80 + below(0x30), below(0x1000)]),
    () => IO + pick([0xc000, 0xc100, 0]) + pick([below(0x30), 0x80 + below(16), below(0x100)]),
  ];
  for (let i = 0; i < 1500; i++) {
    if (chance(5)) {
      steps.push(
        write(config(EDU, 0x10), pick([MEMORY, MEMORY + 0x10_0000])),
        write(config(EDU, 0x04), pick([7, 3, 0x407]), 2),
        write(config(TESTDEV, 0x10), pick([MEMORY, MEMORY + 0x10_0000, MEMORY + 0x20_0000])),
        write(config(TESTDEV, 0x14), pick([0xc000, 0xc100, 0])),
        write(config(TESTDEV, 0x18), pick([MEMORY, 0x5000_0000])),
        write(config(TESTDEV, 0x1c), 0),
        write(config(TESTDEV, 0x04), pick([7, 3, 2, 1]), 2),
      );
    }
    const width = pick([1, 2, 4, 4, 4, 8] as const);
    const address = pick(places)() & -width;
    const inEdu = address & 0xf_ffff;
    // Not the registers that start something in time: the scripts above have those.
    const startsSomething = address >= MEMORY && (inEdu === 0x08 || inEdu === 0x98 || (width === 8 && inEdu === 0));
    if (chance(50) && !startsSomething) {
      steps.push(write(address, (BigInt(value()) << 32n) | BigInt(value()), width));
    } else {
      steps.push(read(address, width));
    }
  }
  return script(`pci: random accesses, seed ${seed}`, steps, { watch: "plic", membar: 0x1_0000 });
}

export const scripts: readonly QtestScript[] = [
  script(
    "pci: configuration space at power-on, every width",
    SLOTS.flatMap((slot) => readAllWidths(config(slot, 0), 0x108)),
  ),
  script("pci: write masks of configuration space", SLOTS.flatMap(maskSteps)),
  script("pci: write masks of a function with a 64-bit BAR", maskSteps(TESTDEV), { membar: 0x10_0000 }),
  script(
    "pci: absent functions, buses and extended configuration space",
    [config(3, 0), config(31, 0), ECAM + 0x1000, config(TESTDEV, 0x1000), ECAM + 0x10_0000, ECAM + 0xff0_0000, config(0, 0x100), config(EDU, 0xff8)].flatMap(
      (address) => [write(address, 0x1234_5678), ...readAllWidths(address, 8)],
    ),
  ),
  script("pci: reset", [
    ...enumerate,
    ...maskSteps(EDU).slice(0, 60),
    write(config(0, 0x3c), 5, 1),
    eduWrite(4, 7),
    reset,
    ...SLOTS.flatMap((slot) => readAllWidths(config(slot, 0), 0x40, [4])),
    ...enumerate,
    edu32(4),
  ]),
  script("pci: windows follow the BARs and the command register", [
    ...readAllWidths(TESTDEV_MMIO, 8),
    ...readAllWidths(IO + TESTDEV_IO, 8),
    ...enumerate,
    write(TESTDEV_MMIO, 0, 1),
    ...[0, 1, 2, 3, 7].flatMap((command) => [
      write(config(TESTDEV, 0x04), command, 2),
      ...readAllWidths(TESTDEV_MMIO, 8),
      ...readAllWidths(IO + TESTDEV_IO, 8),
    ]),
    read(TESTDEV_MMIO + 0xffc),
    read(TESTDEV_MMIO + 0x1000),
    read(IO + TESTDEV_IO + 0xfc),
    read(IO + TESTDEV_IO + 0x100),
    ...[0x4010_0000, 0x4020_0000, 0x7fff_f000, 0xffff_f000, 0, 0x2000].flatMap((address) => [
      write(config(TESTDEV, 0x10), address),
      ...[0x4000_0000, 0x4010_0000, 0x4020_0000, 0x7fff_f000].map((at) => read(at + 4)),
    ]),
    ...[0xc100, 0xff00, 0, 0x1_0000].flatMap((port) => [write(config(TESTDEV, 0x14), port), ...[0, 0xc000, 0xc100, 0xff00].map((at) => read(IO + at + 4))]),
  ]),
  script("pci-testdev: memory BAR", [...enumerate, ...testdevSteps(TESTDEV_MMIO, IO + TESTDEV_IO, 2048)]),
  script("pci-testdev: port BAR", [...enumerate, ...testdevSteps(IO + TESTDEV_IO, TESTDEV_MMIO, 131)]),
  script("edu: identification, liveness, unknown registers, widths", [
    ...enumerate,
    edu32(0x00),
    edu32(0x04),
    eduWrite(0x04, 0x1234_5678),
    edu32(0x04),
    ...readAllWidths(EDU_MMIO, 0xb0),
    ...readAllWidths(EDU_MMIO + BUFFER, 0x10),
    ...[1, 2, 4, 8].flatMap((width) =>
      [0x04, 0x80, 0x84, 0x88, 0x90, 0xa0].flatMap((offset) => [
        write(EDU_MMIO + offset, 0x1122_3344_5566_7788n, width as 1 | 2 | 4 | 8),
        ...readAllWidths(EDU_MMIO + offset, 8, [4, 8]),
      ]),
    ),
  ]),
  // No pins are watched: QEMU's thread raises its interrupt in its own time, often before the write is answered.
  script("edu: factorial, with and without its interrupt", [
    ...enumerate,
    ...enableInterrupts,
    ...[0, 1, 5, 12, 13, 20, 33, 34, 50].flatMap((n) => [eduWrite(0x08, n), ...factorialTime, edu32(0x20), edu32(0x08), edu32(0x24)]),
    eduWrite(0x20, 0xffff_ffff),
    edu32(0x20),
    eduWrite(0x08, 7),
    ...factorialTime,
    // The thread interrupts when it has done with the status.
    awaitBits(EDU_MMIO + 0x24, 1, 1),
    edu32(0x20),
    edu32(0x08),
    edu32(0x24),
    ...claimAndComplete,
    eduWrite(0x64, 1),
    ...claimAndComplete,
    ...claimAndComplete,
    eduWrite(0x20, 0),
    edu32(0x20),
  ]),
  script(
    "edu: INTx up to the PLIC, with status bit and INTX_DISABLE",
    [
      ...enumerate,
      ...enableInterrupts,
      ...[0, 1, 0x8000_0000, 0xff].flatMap((bits) => [eduWrite(0x60, bits), edu32(0x24), read(config(EDU, 0x04))]),
      ...claimAndComplete,
      write(config(EDU, 0x04), 0x407, 2),
      read(config(EDU, 0x04)),
      ...claimAndComplete,
      ...claimAndComplete,
      write(config(EDU, 0x04), 0x007, 2),
      ...claimAndComplete,
      ...[0x0f, 0x8000_0000, 0xf0].flatMap((bits) => [eduWrite(0x64, bits), edu32(0x24), read(config(EDU, 0x04))]),
      ...claimAndComplete,
      ...claimAndComplete,
    ],
    { watch: "plic" },
  ),
  script(
    "edu: MSI into RAM, lost without bus mastering, and INTx falls when MSI is enabled",
    [
      ...enumerate,
      ...enableInterrupts,
      eduWrite(0x60, 1),
      write(config(EDU, 0x44), DATA),
      write(config(EDU, 0x4c), 0xbeef, 2),
      write(config(EDU, 0x42), 0x0071, 2),
      read(config(EDU, 0x40)),
      read(config(EDU, 0x04)),
      read(DATA),
      eduWrite(0x60, 2),
      read(DATA),
      edu32(0x24),
      write(DATA, 0),
      write(config(EDU, 0x04), 0x3, 2),
      eduWrite(0x60, 4),
      read(DATA),
      write(config(EDU, 0x04), 0x7, 2),
      eduWrite(0x64, 0xff),
      read(DATA),
      eduWrite(0x60, 8),
      read(DATA),
      write(config(EDU, 0x42), 0, 2),
      read(config(EDU, 0x04)),
      eduWrite(0x64, 0xff),
      eduWrite(0x60, 8),
      ...claimAndComplete,
    ],
    { watch: "plic" },
  ),
  script(
    "edu: DMA to the buffer and back, interrupts, frozen registers",
    [
      ...enumerate,
      ...enableInterrupts,
      ...Array.from({ length: 16 }, (_, index) => write(DATA + 8 * index, 0x0102_0304_0506_0708n * BigInt(index + 1), 8)),
      eduWrite(0x98, 2),
      read(EDU_MMIO + 0x98, 8),
      ...dmaSteps(DATA, BUFFER, 64, 1),
      ...dmaSteps(BUFFER + 4, DATA + 0x1000, 32, 7),
      ...dataSteps(DATA + 0xff8, 48),
      ...claimAndComplete,
      eduWrite(0x64, 0x100),
      // QEMU 7.2 ends with a hardware error when a DMA touches the last byte of the buffer.
      ...dmaSteps(DATA + 3, BUFFER + 4094, 1, 5),
      ...dmaSteps(BUFFER, DATA + 0x2000, 4095, 3),
      ...dataSteps(DATA + 0x2000, 128),
      ...dataSteps(DATA + 0x2fc0, 80),
    ],
    { watch: "plic" },
  ),
  script("edu: DMA without bus mastering, or from where nothing is, reads zeros", [
    ...enumerate,
    ...Array.from({ length: 8 }, (_, index) => write(DATA + 8 * index, 0x5555_6666_7777_8888n, 8)),
    ...dmaSteps(DATA, BUFFER, 64, 1),
    write(config(EDU, 0x04), 3, 2),
    ...dmaSteps(DATA, BUFFER + 8, 5, 1),
    ...dmaSteps(BUFFER, DATA, 64, 3),
    write(config(EDU, 0x04), 7, 2),
    ...dmaSteps(0x5000, BUFFER + 32, 3, 1),
    ...dmaSteps(BUFFER, DATA + 0x100, 64, 3),
    ...dataSteps(DATA, 64),
    ...dataSteps(DATA + 0x100, 64),
  ]),
  ...[1, 2, 3, 4].map(random),
];
