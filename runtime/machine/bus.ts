// The memory and port spaces of a machine, RAM aside: finds the region behind an address, lets `access.ts` judge and carry out the
// access, and keeps the last accesses for the failure report. Strict: nobody there, a straddled end or a refused width is a fault.
// Windows (a PCI host's) are resolved here, so that the log names the function behind them and only that function counts as touched.
// Base addresses are plain numbers: every region lies below 2^53, and a guest address above rounds to nothing mapped.

import { isWindow, type Interception, type Region, type Width, type WindowRegion } from "../devices/device.ts";
import { isDirect, levelRegion, pureReadHere, readHere, truncate, writeHere, type LevelRegion } from "./access.ts";
import { WHAT, type AccessLog } from "./access-log.ts";
import { NO_ANSWER, type Bus, type BusResult, type Foreseen, type NarrowWidth } from "./cpu-contract.ts";

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
  /** Somebody wants to see every access. */
  readonly isIntercepting?: () => boolean;
  /** The device whose counter CPUs know, -1 if there is none. */
  readonly counterDevice?: number;
}

export interface DeviceBus extends Bus {
  /** A write by a device to 1, 2 or 4 bytes of another device's registers (an MSI). Fires no events. */
  readonly dmaWrite: (address: bigint, width: 1 | 2 | 4, value: number) => boolean;
  /** The last accesses, oldest first. */
  readonly accesses: () => readonly AccessRecord[];
  readonly clearLog: () => void;
}

function flip(value: number | bigint, bits: bigint, width: Width): number | bigint {
  const flipped = BigInt.asUintN(8 * width, BigInt(value) ^ bits);
  return typeof value === "bigint" ? flipped : Number(flipped);
}

/** Where accesses end. Number 0 is nobody. */
interface Target {
  readonly number: number;
  readonly device: number;
  readonly region: LevelRegion;
}

interface Place {
  readonly start: number;
  readonly end: number;
  readonly target: Target;
  readonly window: WindowRegion | null;
}

function asWindow(region: Region): WindowRegion | null {
  return isWindow(region) ? region : null;
}

/** Places that were found last, by the page of the address: guests go back and forth between a few devices. */
const RECENT = 64;

/** A space as a sorted list behind a cache; `find` gives the place that holds the address, or null. */
function createSpace(
  name: string,
  mappings: readonly Mapping[],
  targetOf: (region: Region, device: number) => Target,
  deviceName: (device: number) => string,
): (address: number) => Place | null {
  const places = mappings
    .map(({ base, device, region }): Place => ({
      start: base,
      end: base + region.size,
      target: targetOf(region, device),
      window: asWindow(region),
    }))
    .sort((a, b) => a.start - b.start);
  const describe = ({ device, region }: Target): string => `${deviceName(device)}.${region.name}`;
  places.forEach((place, index) => {
    if (!Number.isSafeInteger(place.start) || place.start < 0 || !Number.isSafeInteger(place.end)) {
      throw new RangeError(`${describe(place.target)}: base ${place.start} does not fit the ${name} space`);
    }
    const before = places[index - 1];
    if (before !== undefined && before.end > place.start) {
      throw new Error(`${describe(before.target)} and ${describe(place.target)} overlap in ${name} space at 0x${place.start.toString(16)}`);
    }
  });
  const recent: (Place | null)[] = new Array<Place | null>(RECENT).fill(null);

  return (address) => {
    const index = ((address >>> 12) ^ (address >>> 20)) & (RECENT - 1);
    const known = recent[index] ?? null;
    if (known !== null && address >= known.start && address < known.end) return known;
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
    recent[index] = place;
    return place;
  };
}

export function createBus(mappings: readonly Mapping[], log: AccessLog, env: BusEnv): DeviceBus {
  /** By their numbers; those behind windows as they are met. */
  const targets: (Target | null)[] = [null];
  const targetsByRegion = new Map<Region, Target>();

  function targetOf(region: Region, device: number): Target {
    let target = targetsByRegion.get(region);
    if (target === undefined) {
      target = { number: targets.length, device, region: levelRegion(region) };
      targets.push(target);
      targetsByRegion.set(region, target);
    }
    return target;
  }

  const spaceOf = (space: "memory" | "port"): ((address: number) => Place | null) =>
    createSpace(
      space,
      mappings.filter((mapping) => mapping.space === space),
      targetOf,
      (device) => env.deviceName(device),
    );
  const findMemory = spaceOf("memory");
  const findPort = spaceOf("port");

  /** Where the access under way goes; set by `locate`, so that the hot path allocates nothing. */
  const here: { target: Target | null; offset: number } = { target: null, offset: 0 };

  function locate(place: Place | null, address: number): void {
    if (place === null) {
      here.target = null;
      here.offset = 0;
      return;
    }
    here.target = place.target;
    here.offset = address - place.start;
    if (place.window !== null) lookThrough(place.window, place.target.device);
  }

  function lookThrough(window: WindowRegion, host: number): void {
    const found = window.resolve(here.offset);
    if (found === null) return;
    const owner = env.ownerOf(found.region);
    here.target = targetOf(found.region, owner >= 0 ? owner : host);
    here.offset = found.offset;
    const inner = asWindow(found.region);
    if (inner !== null) lookThrough(inner, here.target.device);
  }

  const begin = (flags: number, address: bigint | number, width: number, value: number | bigint): number =>
    log.begin(flags | width | ((here.target?.number ?? 0) << WHAT.targetShift), env.now(), address, here.offset, value);

  function read(isPort: boolean, address: bigint | number, at: number, width: Width): BusResult {
    locate(isPort ? findPort(at) : findMemory(at), at);
    const serial = begin(isPort ? WHAT.port : 0, address, width, 0);
    const { target, offset } = here;
    if (target === null) return null;
    const intercepted = isPort ? null : (env.intercept?.(at, false) ?? null);
    if (intercepted?.kind === "refuse") return null;
    const answer = readHere(target.region, offset, width);
    if (answer === null) return null;
    const value = intercepted?.kind === "flip" ? flip(answer, intercepted.bits, width) : answer;
    env.touch(target.device);
    log.answer(serial, value);
    return value;
  }

  function write(isDma: boolean, isPort: boolean, address: bigint | number, at: number, width: Width, value: number | bigint): boolean {
    locate(isPort ? findPort(at) : findMemory(at), at);
    const serial = begin(WHAT.write | (isDma ? WHAT.dma : 0) | (isPort ? WHAT.port : 0), address, width, value);
    const { target, offset } = here;
    if (target === null) return false;
    const intercepted = isDma || isPort ? null : (env.intercept?.(at, true) ?? null);
    if (intercepted?.kind === "refuse") return false;
    if (intercepted?.kind !== "drop") {
      const arriving = intercepted?.kind === "flip" ? flip(value, intercepted.bits, width) : value;
      if (!writeHere(target.region, offset, width, arriving)) return false;
    }
    env.touch(target.device);
    log.accept(serial);
    return true;
  }

  // What nearly all accesses are, in a few calls: one of a CPU to a device that sees it as it is, of up to four bytes, which nobody intercepts.

  function readNumber(at: number, width: NarrowWidth): number {
    env.settle();
    locate(findMemory(at), at);
    const { target, offset } = here;
    if (target === null || !isDirect(target.region, offset, width) || env.isIntercepting?.() === true) return Number(read(false, at, at, width) ?? NO_ANSWER);
    const serial = log.note(width | (target.number << WHAT.targetShift), env.now(), at, offset, 0);
    const value = truncate(target.region.read(offset, width), width);
    env.touch(target.device);
    log.answer(serial, value);
    return value;
  }

  function writeNumber(at: number, width: Width, value: number): boolean {
    env.settle();
    locate(findMemory(at), at);
    const { target, offset } = here;
    if (target === null || !isDirect(target.region, offset, width) || env.isIntercepting?.() === true) {
      return write(false, false, at, at, width, width === 8 ? BigInt(value) : value);
    }
    log.note(WHAT.write | width | (target.number << WHAT.targetShift), env.now(), at, offset, value);
    if (width === 8) target.region.writeSmall64?.(offset, value);
    else target.region.write(offset, width, value);
    env.touch(target.device);
    return true;
  }

  type Mutable<T> = { -readonly [key in keyof T]: T[key] };
  const foreseen: Mutable<Foreseen> = { kind: "constant", value: 0, device: -1, what: 0, offset: 0 };

  function foresee(address: number, width: Width): Foreseen | null {
    if (env.isIntercepting?.() === true) return null;
    const place = findMemory(address);
    locate(place, address);
    const { target, offset } = here;
    if (target === null) return null;
    const { region } = target;
    // As `readNumber`: what is polled is asked for anew after each byte that is sent.
    const isSimple = width !== 8 && isDirect(region, offset, width);
    const kind = isSimple ? (region.pureRead?.(offset, width) ?? null) : pureReadHere(region, offset, width);
    if (kind === null || (kind !== "constant" && target.device !== env.counterDevice)) return null;
    const value = kind !== "constant" ? 0 : isSimple ? truncate(region.read(offset, width), width) : readHere(region, offset, width);
    if (value === null) return null;
    foreseen.kind = kind;
    foreseen.value = value;
    foreseen.device = place?.window === null && env.isIntercepting === undefined ? target.device : -1;
    foreseen.what = width | (target.number << WHAT.targetShift);
    foreseen.offset = offset;
    return foreseen;
  }

  function valueOf(value: bigint, what: number): number | bigint | null {
    if ((what & (WHAT.fault | WHAT.write)) === WHAT.fault) return null;
    return (what & WHAT.width) === 8 ? value : Number(value);
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
    readNumber,
    writeNumber,
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
    foresee,
    accesses: () =>
      log.records().map(({ time, address, value, offset, what }): AccessRecord => {
        const target = targets[what >>> WHAT.targetShift] ?? null;
        return {
          time,
          origin: (what & WHAT.dma) !== 0 ? "dma" : "cpu",
          space: (what & WHAT.port) !== 0 ? "port" : "memory",
          address,
          device: target === null ? null : env.deviceName(target.device),
          region: target === null ? null : target.region.name,
          offset,
          width: what & WHAT.width,
          direction: (what & WHAT.write) !== 0 ? "write" : "read",
          value: valueOf(value, what),
          fault: (what & WHAT.fault) !== 0,
        };
      }),
    clearLog: () => log.clear(),
  };
}
