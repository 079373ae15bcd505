// The memory and port spaces of a machine, RAM aside: finds the region behind an address, lets `access.ts` judge and carry out the
// access, and keeps the last accesses for the failure report. Strict: nobody there, a straddled end or a refused width is a fault.
// Windows (a PCI host's) are resolved here, so that the log names the function behind them and only that function counts as touched.
// Base addresses are plain numbers: every region lies below 2^53, and a guest address above rounds to nothing mapped.

import { isWindow, type Interception, type Region, type Width, type WindowRegion } from "../devices/device.ts";
import { readHere, writeHere } from "./access.ts";
import type { Bus, BusResult } from "./cpu-contract.ts";

export interface Mapping {
  readonly space: "memory" | "port";
  readonly base: number;
  readonly device: number;
  readonly region: Region;
}

/** One access to a device as it was made: by a CPU, or by a device's DMA. */
export interface AccessRecord {
  /** Guest time in ns. */
  readonly time: number;
  readonly origin: "cpu" | "dma";
  readonly space: "memory" | "port";
  /** Guest physical address or port. */
  readonly address: bigint;
  /** Name of the device, or null: nobody is mapped there. */
  readonly device: string | null;
  readonly region: string | null;
  readonly offset: number;
  readonly width: number;
  readonly direction: "read" | "write";
  /** What was read or written; null for a read that faulted. */
  readonly value: number | bigint | null;
  readonly fault: boolean;
}

/** What the bus needs from the machine around it. */
export interface BusEnv {
  readonly now: () => number;
  /** Fires the events that are due: an access must see the devices as they are now. */
  readonly settle: () => void;
  /** Device `device` may have changed its state. */
  readonly touch: (device: number) => void;
  /** Device behind a region that a window resolved to, -1 if none is known. */
  readonly ownerOf: (region: Region) => number;
  readonly deviceName: (device: number) => string;
  /** Faults that the guest has asked for; absent: there are none on this machine. */
  readonly intercept?: (address: number, isWrite: boolean) => Interception | null;
}

export interface DeviceBus extends Bus {
  /** A write by a device to 1, 2 or 4 bytes of another device's registers (an MSI). Fires no events. */
  readonly dmaWrite: (address: bigint, width: 1 | 2 | 4, value: number) => boolean;
  /** The last accesses, oldest first. */
  readonly accesses: () => readonly AccessRecord[];
  readonly clearLog: () => void;
}

const LOG_SIZE = 32;

function flip(value: number | bigint, bits: bigint, width: Width): number | bigint {
  const flipped = BigInt.asUintN(8 * width, BigInt(value) ^ bits);
  return typeof value === "bigint" ? flipped : Number(flipped);
}

interface Slot {
  time: number;
  isDma: boolean;
  isPort: boolean;
  isWrite: boolean;
  isFault: boolean;
  address: bigint | number;
  device: number;
  region: string | null;
  offset: number;
  width: number;
  value: number | bigint | null;
}

interface Place {
  readonly start: number;
  readonly end: number;
  readonly device: number;
  readonly region: Region;
  readonly window: WindowRegion | null;
}

function asWindow(region: Region): WindowRegion | null {
  return isWindow(region) ? region : null;
}

/** A space as a sorted list with a last-hit cache; `find` gives the place that holds the address, or null. */
function createSpace(name: string, mappings: readonly Mapping[], deviceName: (device: number) => string): (address: number) => Place | null {
  const places = mappings
    .map(({ base, device, region }): Place => ({
      start: base,
      end: base + region.size,
      device,
      region,
      window: asWindow(region),
    }))
    .sort((a, b) => a.start - b.start);
  places.forEach((place, index) => {
    if (!Number.isSafeInteger(place.start) || place.start < 0 || !Number.isSafeInteger(place.end)) {
      throw new RangeError(`${deviceName(place.device)}.${place.region.name}: base ${place.start} does not fit the ${name} space`);
    }
    const before = places[index - 1];
    if (before !== undefined && before.end > place.start) {
      throw new Error(
        `${deviceName(before.device)}.${before.region.name} and ${deviceName(place.device)}.${place.region.name} overlap in ${name} space at 0x${place.start.toString(16)}`,
      );
    }
  });
  let last: Place | null = null;

  return (address) => {
    if (last !== null && address >= last.start && address < last.end) return last;
    let low = 0;
    let high = places.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const place = places[middle];
      if (place !== undefined && place.end <= address) low = middle + 1;
      else high = middle;
    }
    const place = places[low];
    if (place === undefined || address < place.start) return null;
    last = place;
    return place;
  };
}

export function createBus(mappings: readonly Mapping[], env: BusEnv): DeviceBus {
  const findMemory = createSpace(
    "memory",
    mappings.filter((mapping) => mapping.space === "memory"),
    (device) => env.deviceName(device),
  );
  const findPort = createSpace(
    "port",
    mappings.filter((mapping) => mapping.space === "port"),
    (device) => env.deviceName(device),
  );

  const log: Slot[] = Array.from({ length: LOG_SIZE }, () => ({
    time: 0,
    isDma: false,
    isPort: false,
    isWrite: false,
    isFault: false,
    address: 0n,
    device: -1,
    region: null,
    offset: 0,
    width: 0,
    value: null,
  }));
  let logged = 0;

  // Where the access under way goes; set by `locate`, so that the hot path allocates nothing.
  let device = -1;
  let region: Region | null = null;
  let offset = 0;

  function locate(place: Place | null, address: number): void {
    if (place === null) {
      device = -1;
      region = null;
      offset = 0;
      return;
    }
    device = place.device;
    region = place.region;
    offset = address - place.start;
    let window = place.window;
    while (window !== null) {
      const target = window.resolve(offset);
      if (target === null) return;
      region = target.region;
      offset = target.offset;
      const owner = env.ownerOf(region);
      if (owner >= 0) device = owner;
      window = asWindow(region);
    }
  }

  function record(isDma: boolean, isPort: boolean, address: bigint | number, width: number): Slot {
    const slot = log[logged % LOG_SIZE];
    if (slot === undefined) throw new Error("the access log has no slots");
    logged++;
    slot.time = env.now();
    slot.isDma = isDma;
    slot.isPort = isPort;
    slot.address = address;
    slot.device = device;
    slot.region = region === null ? null : region.name;
    slot.offset = offset;
    slot.width = width;
    return slot;
  }

  function read(isPort: boolean, address: bigint | number, at: number, width: Width): BusResult {
    locate(isPort ? findPort(at) : findMemory(at), at);
    // Logged before it is carried out: an access that the model makes meanwhile (DMA) comes after its cause.
    const slot = record(false, isPort, address, width);
    const serial = logged;
    slot.isWrite = false;
    slot.isFault = true;
    slot.value = null;
    if (region === null) return null;
    const touched = device;
    const intercepted = isPort ? null : (env.intercept?.(at, false) ?? null);
    if (intercepted?.kind === "refuse") return null;
    const answer = readHere(region, offset, width);
    if (answer === null) return null;
    const value = intercepted?.kind === "flip" ? flip(answer, intercepted.bits, width) : answer;
    env.touch(touched);
    if (logged - serial < LOG_SIZE) {
      slot.isFault = false;
      slot.value = value;
    }
    return value;
  }

  function write(isDma: boolean, isPort: boolean, address: bigint | number, at: number, width: Width, value: number | bigint): boolean {
    locate(isPort ? findPort(at) : findMemory(at), at);
    const slot = record(isDma, isPort, address, width);
    const serial = logged;
    slot.isWrite = true;
    slot.isFault = true;
    slot.value = value;
    if (region === null) return false;
    const touched = device;
    const intercepted = isDma || isPort ? null : (env.intercept?.(at, true) ?? null);
    if (intercepted?.kind === "refuse") return false;
    if (intercepted?.kind !== "drop") {
      const arriving = intercepted?.kind === "flip" ? flip(value, intercepted.bits, width) : value;
      if (!writeHere(region, offset, width, arriving)) return false;
    }
    env.touch(touched);
    if (logged - serial < LOG_SIZE) slot.isFault = false;
    return true;
  }

  return {
    read(address, width) {
      env.settle();
      return read(false, address, Number(address), width);
    },
    write(address, width, value) {
      env.settle();
      return write(false, false, address, Number(address), width, value);
    },
    portRead(port, width) {
      env.settle();
      const value = read(true, port, port, width);
      return value === null ? null : Number(value);
    },
    portWrite(port, width, value) {
      env.settle();
      return write(false, true, port, port, width, value);
    },
    dmaWrite: (address, width, value) => write(true, false, address, Number(address), width, value),
    accesses() {
      const count = Math.min(logged, LOG_SIZE);
      return Array.from({ length: count }, (_, index): AccessRecord => {
        const slot = log[(logged - count + index) % LOG_SIZE];
        if (slot === undefined) throw new Error("the access log has no slots");
        return {
          time: slot.time,
          origin: slot.isDma ? "dma" : "cpu",
          space: slot.isPort ? "port" : "memory",
          address: BigInt(slot.address),
          device: slot.device < 0 ? null : env.deviceName(slot.device),
          region: slot.region,
          offset: slot.offset,
          width: slot.width,
          direction: slot.isWrite ? "write" : "read",
          value: slot.value,
          fault: slot.isFault,
        };
      });
    },
    clearLog() {
      logged = 0;
    },
  };
}
