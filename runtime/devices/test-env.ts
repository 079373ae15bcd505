// A device's whole world for tests: a `DeviceEnv` that a test drives by hand and looks into afterwards, and the bus's side of an
// access (`busRead`, `busWrite`), so that a device model is tested without a machine or a CPU. Clock, randomness and the rules of
// accesses are the machine's own; RAM, pins and the far end of DMA are records that a test reads. `fork` copies what a machine
// snapshot copies; with `save` and `load` it lets one check that a restored device goes on exactly alike.

import { accessRead, accessWrite, isWindow } from "../machine/access.ts";
import { createClock, type ClockState } from "../machine/clock.ts";
import { createDma } from "../machine/dma.ts";
import { createRandomStream, STREAM_DEVICES } from "../machine/random.ts";
import type { Device, DeviceEnv, MachineExit, Region, Width } from "./device.ts";

export interface TestEnvOptions {
  /** Guest physical address of the first byte of RAM. */
  readonly ramBase?: bigint;
  readonly ramSize?: number;
  readonly seed?: number;
  /** A window that takes 1/2/4-byte DMA writes as another device's registers would (an MSI frame). */
  readonly busWindow?: { readonly base: bigint; readonly size: number };
}

export interface IrqChange {
  readonly pin: number;
  readonly level: boolean;
}

export interface BusWrite {
  readonly address: bigint;
  readonly width: number;
  readonly value: number;
}

export interface TestEnv extends DeviceEnv {
  /** The device that gets `onEvent`; a model under test is created with this env and then connected. Returns it. */
  readonly connect: <D extends Device>(device: D) => D;
  /** Lets virtual time pass and delivers due events in time order (same time: in the order of scheduling). */
  readonly advance: (ticks: number) => void;
  /** Ticks until the next pending event, or null. */
  readonly nextEvent: () => number | null;
  /** The present level of an output pin. */
  readonly level: (pin: number) => boolean;
  /** Every call of `irq`, repeats included, since the start or the last `takeIrqs`. */
  readonly irqs: readonly IrqChange[];
  readonly takeIrqs: () => readonly IrqChange[];
  readonly outputBytes: readonly number[];
  readonly outputText: () => string;
  readonly exits: readonly MachineExit[];
  readonly logs: readonly string[];
  readonly ram: Uint8Array;
  readonly ramBase: bigint;
  /** DMA writes that hit `busWindow`, in order. */
  readonly busWrites: readonly BusWrite[];
  /** A copy of clock, pending events, pins, RAM and random state, with empty records and no device connected. */
  readonly fork: () => TestEnv;
}

interface EnvState {
  readonly clock: ClockState;
  readonly random: Uint32Array;
  readonly pins: ReadonlyMap<number, boolean>;
  readonly ram: Uint8Array;
}

function makeEnv(options: TestEnvOptions, from: EnvState | null): TestEnv {
  const ramBase = options.ramBase ?? 0x8000_0000n;
  const window = options.busWindow;
  const ram = from?.ram.slice() ?? new Uint8Array(options.ramSize ?? 0x1_0000);
  const pins = new Map(from?.pins);
  const outputBytes: number[] = [];
  const exits: MachineExit[] = [];
  const logs: string[] = [];
  const busWrites: BusWrite[] = [];
  let irqs: IrqChange[] = [];
  let connected: Device | null = null;

  const random = createRandomStream(BigInt(options.seed ?? 1), STREAM_DEVICES);
  const clock = createClock((_device, tag) => {
    if (connected?.onEvent === undefined)
      throw new Error(`event ${tag} fired, but no device with onEvent is connected`);
    connected.onEvent(tag);
  });
  if (from !== null) {
    random.load(from.random);
    clock.load(from.clock);
  }

  function writeRegister(address: bigint, width: 1 | 2 | 4, value: number): boolean {
    const offset = window === undefined ? -1n : address - window.base;
    if (window === undefined || offset < 0n || offset + BigInt(width) > BigInt(window.size)) return false;
    busWrites.push({ address, width, value });
    return true;
  }

  return {
    irq(pin, level) {
      pins.set(pin, level);
      irqs.push({ pin, level });
    },
    clock: {
      now: clock.now,
      schedule: (tag, delay) => clock.schedule(0, tag, delay),
      cancel: (tag) => clock.cancel(0, tag),
    },
    dma: createDma({ base: ramBase, ram, writeRegister }),
    output(bytes) {
      outputBytes.push(...bytes);
    },
    exit(exit) {
      exits.push(exit);
    },
    log(message) {
      logs.push(message);
    },
    random: random.next,
    connect(device) {
      connected = device;
      return device;
    },
    advance(ticks) {
      const end = clock.now() + ticks;
      if (ticks < 0 || !Number.isSafeInteger(end)) throw new RangeError(`${ticks} is no count of ticks`);
      clock.advance(ticks);
      clock.fire();
    },
    nextEvent() {
      const next = clock.nextEvent();
      return next === Infinity ? null : next - clock.now();
    },
    level: (pin) => pins.get(pin) ?? false,
    get irqs() {
      return irqs;
    },
    takeIrqs() {
      const taken = irqs;
      irqs = [];
      return taken;
    },
    outputBytes,
    outputText: () => new TextDecoder("latin1").decode(Uint8Array.from(outputBytes)),
    exits,
    logs,
    ram,
    ramBase,
    busWrites,
    fork: () => makeEnv(options, { clock: clock.save(), random: random.save(), pins, ram }),
  };
}

export function makeTestEnv(options: TestEnvOptions = {}): TestEnv {
  return makeEnv(options, null);
}

/**
 * The same region, but every value that the model answers is checked: `access.ts` would truncate one that is out of range,
 * and a test would never see it.
 */
function checked(region: Region): Region {
  const { read64 } = region;
  const where = (offset: number, width: number): string => `${region.name}+0x${offset.toString(16)}, ${width} bytes`;
  const strict: Region = {
    ...region,
    read(offset, width) {
      const value = region.read(offset, width);
      if (!Number.isInteger(value) || value < 0 || value >= 2 ** (8 * Math.min(width, 4))) {
        throw new RangeError(`${where(offset, width)}: ${value} does not fit`);
      }
      return value;
    },
    write: (offset, width, value) => region.write(offset, width, value),
    ...(read64 !== undefined && {
      read64(offset: number): bigint {
        const value = region.read64?.(offset) ?? 0n;
        if (value < 0n || value >> 64n !== 0n) throw new RangeError(`${where(offset, 8)}: ${value} is no u64`);
        return value;
      },
    }),
    ...(region.write64 !== undefined && {
      write64: (offset: number, value: bigint) => region.write64?.(offset, value),
    }),
  };
  return strict;
}

/** The region that an access ends in: windows are followed as `access.ts` does, so that BARs are checked too. */
function destination(region: Region, offset: number): { readonly region: Region; readonly offset: number } {
  const target = isWindow(region) ? region.resolve(offset) : null;
  return target === null ? { region: checked(region), offset } : destination(target.region, target.offset);
}

/** A load as the machine's bus makes it: the value, or null for a bus fault. Throws if the model answers out of range. */
export function busRead(region: Region, offset: number, width: Width): bigint | null {
  const to = destination(region, offset);
  const value = accessRead(to.region, to.offset, width);
  return value === null ? null : BigInt(value);
}

/** A store as the machine's bus makes it; false for a bus fault. */
export function busWrite(region: Region, offset: number, width: Width, value: bigint): boolean {
  const to = destination(region, offset);
  const masked = BigInt.asUintN(8 * width, value);
  return accessWrite(to.region, to.offset, width, width === 8 ? masked : Number(masked));
}

/** Register access for unit tests, through the bus rules; a bus fault throws, so tests of faults use `busRead`/`busWrite`. */
export interface Registers {
  readonly read: (offset: number, width?: 1 | 2 | 4) => number;
  readonly write: (offset: number, value: number, width?: 1 | 2 | 4) => void;
  readonly read64: (offset: number) => bigint;
  readonly write64: (offset: number, value: bigint) => void;
}

/** Accessors for region `index` of a device, with `width` bytes (default 4) where a call does not say. */
export function registersOf(device: Device, index = 0, defaultWidth: 1 | 2 | 4 = 4): Registers {
  const region = device.regions[index];
  if (region === undefined) throw new Error(`the device has no region ${index}`);
  const where = (offset: number): string => `${region.name}+0x${offset.toString(16)}`;
  const load = (offset: number, width: Width): bigint => {
    const value = busRead(region, offset, width);
    if (value === null) throw new Error(`bus fault: ${width}-byte read of ${where(offset)}`);
    return value;
  };
  const store = (offset: number, width: Width, value: bigint): void => {
    if (!busWrite(region, offset, width, value)) throw new Error(`bus fault: ${width}-byte write of ${where(offset)}`);
  };
  return {
    read: (offset, width = defaultWidth) => Number(load(offset, width)),
    write: (offset, value, width = defaultWidth) => store(offset, width, BigInt(value)),
    read64: (offset) => load(offset, 8),
    write64: (offset, value) => store(offset, 8, value),
  };
}
