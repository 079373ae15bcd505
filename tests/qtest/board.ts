// Our side of the QEMU oracle: the device models at the addresses of QEMU's riscv `virt` board, wired as there, without a CPU.
// Accesses are cut as QEMU's qtest commands are (`address_space_rw`): into pieces that alignment and `valid.max` allow; a piece
// that the region refuses, or that nobody answers, reads 0. A CPU's access of that shape would be a bus fault instead.

import { clint } from "../../runtime/devices/clint.ts";
import { isWindow, type Device, type DeviceEnv, type MachineExit, type Region, type Width } from "../../runtime/devices/device.ts";
import { goldfishRtc } from "../../runtime/devices/goldfish-rtc.ts";
import { plic } from "../../runtime/devices/plic.ts";
import { busRead, busWrite, makeTestEnv } from "../fixtures/device-env.ts";
import type { TestEnv } from "../fixtures/device-env.ts";
import { testFinisher } from "../../runtime/devices/test-finisher.ts";
import { uart16550 } from "../../runtime/devices/uart-16550.ts";
import { createDma } from "../../runtime/machine/dma.ts";

export const FINISHER = 0x10_0000;
export const RTC = 0x10_1000;
export const MSWI = 0x200_0000;
export const MTIMER = 0x200_4000;
export const PLIC = 0xc00_0000;
export const UART = 0x1000_0000;
export const RAM = 0x8000_0000;
const RAM_SIZE = 0x10_0000;

export function isMemory(address: bigint): boolean {
  return address >= BigInt(RAM) && address < BigInt(RAM + RAM_SIZE);
}

/** QEMU gets `-smp 3`: scripts use harts 0 and 1, qemu.ts needs the last for itself. */
export const HARTS = 3;
export const UART_SOURCE = 10;
export const RTC_SOURCE = 11;
/** 2020-01-01T00:00:00Z, as QEMU's `-rtc base=` gets it. */
export const EPOCH_NANOSECONDS = 1_577_836_800_000_000_000n;

interface Mapping {
  readonly base: bigint;
  readonly region: Region;
}

/** Something with registers for `Board.add`: the model, its base addresses in the order of its regions, and where its pins go. */
export interface Part {
  readonly create: (env: DeviceEnv) => Device;
  readonly bases: readonly number[];
  readonly irq?: (pin: number, level: boolean) => void;
}

export interface Board {
  readonly add: (part: Part) => Device;
  /** Input pin of the PLIC. */
  readonly plicInput: (source: number, level: boolean) => void;
  readonly read: (address: bigint, width: Width) => bigint;
  readonly write: (address: bigint, width: Width, value: bigint) => void;
  readonly advance: (ticks: number) => void;
  /** Ticks until the next event of any device, or null. */
  readonly nextEvent: () => number | null;
  readonly now: () => number;
  readonly receive: (bytes: Uint8Array) => void;
  readonly output: () => readonly number[];
  readonly reset: () => void;
  readonly exits: readonly MachineExit[];
  readonly plicLevel: (context: number) => boolean;
  readonly softwareLevel: (hart: number) => boolean;
  readonly timerLevel: (hart: number) => boolean;
}

/** The largest power of two that is at most `n`. */
const powerBelow = (n: number): number => 2 ** Math.floor(Math.log2(n));

function asWidth(bytes: number): Width {
  if (bytes === 1 || bytes === 2 || bytes === 4 || bytes === 8) return bytes;
  throw new RangeError(`${bytes} is no width`);
}

export function makeBoard(): Board {
  const mappings: Mapping[] = [];
  const devices: Device[] = [];
  const envs: TestEnv[] = [];
  const exits: MachineExit[] = [];
  const output: number[] = [];
  const dma = createDma({
    base: BigInt(RAM),
    ram: new Uint8Array(RAM_SIZE),
    writeRegister(address, width, value) {
      const mapping = find(address);
      return mapping !== undefined && busWrite(mapping.region, Number(address - mapping.base), width, BigInt(value));
    },
  });
  /** RAM's side of an access, little-endian. */
  const word = new DataView(new ArrayBuffer(8));
  const bytesOf = (width: Width): Uint8Array => new Uint8Array(word.buffer, 0, width);

  function find(address: bigint): Mapping | undefined {
    const mapping = mappings.find(({ base, region }) => address >= base && address < base + BigInt(region.size));
    if (mapping === undefined || !isWindow(mapping.region)) return mapping;
    const target = mapping.region.resolve(Number(address - mapping.base));
    return target === null ? mapping : { base: address - BigInt(target.offset), region: target.region };
  }

  /** The pieces of one qtest access. */
  function pieces(address: bigint, width: Width): { readonly offset: number; readonly width: Width; readonly mapping: Mapping | undefined }[] {
    const found: { offset: number; width: Width; mapping: Mapping | undefined }[] = [];
    for (let done = 0; done < width;) {
      const mapping = find(address + BigInt(done));
      const offset = mapping === undefined ? 0 : Number(address + BigInt(done) - mapping.base);
      const aligned = offset === 0 ? 8 : offset & -offset;
      const piece = asWidth(mapping === undefined ? 1 : powerBelow(Math.min(width - done, mapping.region.valid.max, aligned)));
      found.push({ offset: done, width: piece, mapping });
      done += piece;
    }
    return found;
  }

  function add(part: Part): Device {
    const env = makeTestEnv();
    const device = env.connect(
      part.create({
        ...env,
        dma,
        irq: (pin, level) => part.irq?.(pin, level),
        output: (bytes) => output.push(...bytes),
        exit: (request) => exits.push(request),
      }),
    );
    device.regions.forEach((region, index) => {
      const base = part.bases[index];
      if (base === undefined) throw new RangeError(`no base for region ${region.name}`);
      mappings.push({ base: BigInt(base), region });
    });
    envs.push(env);
    devices.push(device);
    return device;
  }

  const clintPins = new Map<number, boolean>();
  const plicPins = new Map<number, boolean>();
  const interrupts = add({
    create: (env) => plic.create({ sources: 95, contexts: 2 * HARTS }, env),
    bases: [PLIC],
    irq: (pin, level) => plicPins.set(pin, level),
  });
  const plicInput = (source: number, level: boolean): void => interrupts.input?.(source, level);
  add({
    create: (env) => clint.create({ harts: HARTS }, env),
    bases: [MSWI, MTIMER],
    irq: (pin, level) => clintPins.set(pin, level),
  });
  const uart = add({
    create: (env) => uart16550.create({}, env),
    bases: [UART],
    irq: (_pin, level) => plicInput(UART_SOURCE, level),
  });
  add({
    create: (env) => goldfishRtc.create({ epochNanoseconds: EPOCH_NANOSECONDS }, env),
    bases: [RTC],
    irq: (_pin, level) => plicInput(RTC_SOURCE, level),
  });
  add({ create: (env) => testFinisher.create({}, env), bases: [FINISHER] });
  for (const device of devices) device.reset();

  function nextEvent(): number | null {
    const delays = envs.map((env) => env.nextEvent()).filter((delay) => delay !== null);
    return delays.length === 0 ? null : Math.min(...delays);
  }

  return {
    add,
    plicInput,
    read(address, width) {
      word.setBigUint64(0, 0n);
      if (isMemory(address)) {
        dma.read(address, bytesOf(width));
        return word.getBigUint64(0, true);
      }
      let value = 0n;
      for (const piece of pieces(address, width)) {
        if (piece.mapping === undefined) continue;
        const offset = Number(address - piece.mapping.base) + piece.offset;
        value |= (busRead(piece.mapping.region, offset, piece.width) ?? 0n) << BigInt(8 * piece.offset);
      }
      return value;
    },
    write(address, width, value) {
      if (isMemory(address)) {
        word.setBigUint64(0, value, true);
        dma.write(address, bytesOf(width));
        return;
      }
      for (const piece of pieces(address, width)) {
        if (piece.mapping === undefined) continue;
        const offset = Number(address - piece.mapping.base) + piece.offset;
        busWrite(piece.mapping.region, offset, piece.width, value >> BigInt(8 * piece.offset));
      }
    },
    advance(ticks) {
      // Every device has a clock of its own: they move together from event to event.
      for (let left = ticks; left > 0;) {
        const step = Math.min(left, nextEvent() ?? left);
        for (const env of envs) env.advance(step);
        left -= step;
      }
      for (const env of envs) env.advance(0);
    },
    nextEvent,
    now: () => envs[0]?.clock.now() ?? 0,
    receive: (bytes) => uart.receive?.(bytes),
    output: () => output,
    reset() {
      for (const device of devices) device.reset();
    },
    exits,
    plicLevel: (context) => plicPins.get(context) ?? false,
    softwareLevel: (hart) => clintPins.get(2 * hart) ?? false,
    timerLevel: (hart) => clintPins.get(2 * hart + 1) ?? false,
  };
}
