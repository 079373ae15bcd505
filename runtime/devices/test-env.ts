// A device's whole world for tests: a `DeviceEnv` that a test drives by hand and looks into afterwards, and the bus's side
// of an access (`busRead`, `busWrite`, over machine/access.ts), so that a device model is tested without a machine or a
// CPU. `fork` copies clock, pins, RAM and random state as a machine snapshot does; with `save` and `load` it lets one check
// that a restored device goes on exactly alike.

import { accessRead, accessWrite } from "../machine/access.ts";
import type { WindowRegion } from "../machine/access.ts";
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
  connect<D extends Device>(device: D): D;
  /** Lets virtual time pass and delivers due events in time order (same time: in the order of scheduling). */
  advance(ticks: number): void;
  /** Ticks until the next pending event, or null. */
  nextEvent(): number | null;
  /** The present level of an output pin. */
  level(pin: number): boolean;
  /** Every call of `irq`, repeats included, since the start or the last `takeIrqs`. */
  readonly irqs: readonly IrqChange[];
  takeIrqs(): readonly IrqChange[];
  readonly outputBytes: readonly number[];
  outputText(): string;
  readonly exits: readonly MachineExit[];
  readonly logs: readonly string[];
  readonly ram: Uint8Array;
  readonly ramBase: bigint;
  /** DMA writes that hit `busWindow`, in order. */
  readonly busWrites: readonly BusWrite[];
  /** A copy of clock, pending events, pins, RAM and random state, with empty records and no device connected. */
  fork(): TestEnv;
}

interface PendingEvent {
  readonly tag: number;
  readonly at: number;
  readonly order: number;
}

interface EnvState {
  now: number;
  order: number;
  random: number;
  readonly events: Map<number, PendingEvent>;
  readonly pins: Map<number, boolean>;
  readonly ram: Uint8Array;
}

function assertTicks(what: string, ticks: number): void {
  if (!Number.isSafeInteger(ticks) || ticks < 0) throw new RangeError(`${what}: ${ticks} is no count of ticks`);
}

function makeEnv(options: TestEnvOptions, state: EnvState): TestEnv {
  const ramBase = options.ramBase ?? 0x8000_0000n;
  const window = options.busWindow;
  const outputBytes: number[] = [];
  const exits: MachineExit[] = [];
  const logs: string[] = [];
  const busWrites: BusWrite[] = [];
  let irqs: IrqChange[] = [];
  let connected: Device | null = null;

  function ramOffset(address: bigint, length: number): number | null {
    const offset = address - ramBase;
    if (offset < 0n || offset + BigInt(length) > BigInt(state.ram.length)) return null;
    return Number(offset);
  }

  function firstEvent(): PendingEvent | null {
    let first: PendingEvent | null = null;
    for (const event of state.events.values()) {
      if (first === null || event.at < first.at || (event.at === first.at && event.order < first.order)) first = event;
    }
    return first;
  }

  return {
    irq(pin, level) {
      state.pins.set(pin, level);
      irqs.push({ pin, level });
    },
    clock: {
      now: () => state.now,
      schedule(tag, delay) {
        assertTicks("schedule", delay);
        assertTicks("schedule", state.now + delay);
        state.events.set(tag, { tag, at: state.now + delay, order: state.order++ });
      },
      cancel(tag) {
        state.events.delete(tag);
      },
    },
    dma: {
      read(address, into) {
        const offset = ramOffset(address, into.length);
        if (offset === null) return false;
        into.set(state.ram.subarray(offset, offset + into.length));
        return true;
      },
      write(address, from) {
        const offset = ramOffset(address, from.length);
        if (offset !== null) {
          state.ram.set(from, offset);
          return true;
        }
        const width = from.length;
        if (window === undefined || (width !== 1 && width !== 2 && width !== 4)) return false;
        const register = address - window.base;
        if (register < 0n || register + BigInt(width) > BigInt(window.size)) return false;
        let value = 0;
        for (let i = width - 1; i >= 0; i--) value = ((value << 8) | (from[i] ?? 0)) >>> 0;
        busWrites.push({ address, width, value });
        return true;
      },
    },
    output(bytes) {
      outputBytes.push(...bytes);
    },
    exit(exit) {
      exits.push(exit);
    },
    log(message) {
      logs.push(message);
    },
    random() {
      // xorshift32 (Marsaglia 2003, "Xorshift RNGs"): full period over the nonzero 32-bit words, one word of state.
      let x = state.random;
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      state.random = x >>> 0;
      return state.random;
    },
    connect(device) {
      connected = device;
      return device;
    },
    advance(ticks) {
      assertTicks("advance", ticks);
      const end = state.now + ticks;
      assertTicks("advance", end);
      for (let event = firstEvent(); event !== null && event.at <= end; event = firstEvent()) {
        state.events.delete(event.tag);
        state.now = event.at;
        if (connected?.onEvent === undefined)
          throw new Error(`event ${event.tag} fired, but no device with onEvent is connected`);
        connected.onEvent(event.tag);
      }
      state.now = end;
    },
    nextEvent() {
      const event = firstEvent();
      return event === null ? null : event.at - state.now;
    },
    level: (pin) => state.pins.get(pin) ?? false,
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
    ram: state.ram,
    ramBase,
    busWrites,
    fork() {
      return makeEnv(options, {
        now: state.now,
        order: state.order,
        random: state.random,
        events: new Map(state.events),
        pins: new Map(state.pins),
        ram: state.ram.slice(),
      });
    },
  };
}

export function makeTestEnv(options: TestEnvOptions = {}): TestEnv {
  const seed = (options.seed ?? 1) >>> 0;
  return makeEnv(options, {
    now: 0,
    order: 0,
    random: seed === 0 ? 0x9e37_79b9 : seed,
    events: new Map(),
    pins: new Map(),
    ram: new Uint8Array(options.ramSize ?? 0x1_0000),
  });
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
  const window = region as Partial<WindowRegion>;
  const target = window.resolve?.(offset) ?? null;
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
  read(offset: number, width?: 1 | 2 | 4): number;
  write(offset: number, value: number, width?: 1 | 2 | 4): void;
  read64(offset: number): bigint;
  write64(offset: number, value: bigint): void;
}

/** Accessors for region `index` of a device, with `width` bytes (default 4) where a call does not say. */
export function registersOf(device: Device, index = 0, defaultWidth: 1 | 2 | 4 = 4): Registers {
  const region = device.regions[index];
  if (region === undefined) throw new Error(`the device has no region ${index}`);
  return registersOfRegion(region, defaultWidth);
}

/** The same for a region that no `regions` list holds, such as a PCI BAR. */
export function registersOfRegion(region: Region, defaultWidth: 1 | 2 | 4 = 4): Registers {
  const load = (offset: number, width: Width): bigint => {
    const value = busRead(region, offset, width);
    if (value === null) throw new Error(`bus fault: ${width}-byte read of ${region.name}+0x${offset.toString(16)}`);
    return value;
  };
  const store = (offset: number, width: Width, value: bigint): void => {
    if (!busWrite(region, offset, width, value)) {
      throw new Error(`bus fault: ${width}-byte write of ${region.name}+0x${offset.toString(16)}`);
    }
  };
  return {
    read: (offset, width = defaultWidth) => Number(load(offset, width)),
    write: (offset, value, width = defaultWidth) => store(offset, width, BigInt(value)),
    read64: (offset) => load(offset, 8),
    write64: (offset, value) => store(offset, 8, value),
  };
}
