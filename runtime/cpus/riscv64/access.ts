// Loads, stores and instruction fetches as a whole: translation, protection, then RAM or the bus. What generated code does itself is the
// part of this that a translation cache answers; here the caches are filled, and everything else happens: devices, faults, accesses
// that are misaligned or cross a page (which QEMU's `virt` carries out in RAM), watchpoints.

import type { Width } from "../../devices/device.ts";
import type { MachineCore } from "../../machine/cpu-contract.ts";
import { markDirty, ramOffset } from "../../machine/memory.ts";
import type { Watchpoint } from "../../machine/processor.ts";
import type { CodeCache } from "./code-cache.ts";
import { MODE, MPP_SHIFT, MSTATUS, type Hart, type Mode } from "./hart.ts";
import { checkProtection, type Access, type ProtectionAnswer } from "./protection.ts";
import { deviceIndex, EMPTY_BYTE, REGION_CACHE, TLB, TLB_SET_COUNT, TLB_SETS, tlbOffset } from "./state.ts";
import { translate, type PhysicalMemory } from "./translation.ts";
import { firesOn, watchesPage } from "./triggers.ts";

/** Exception codes (Volume II, table 3.6). */
export const CAUSE = {
  instructionAccess: 1,
  illegalInstruction: 2,
  breakpoint: 3,
  loadMisaligned: 4,
  loadAccess: 5,
  storeMisaligned: 6,
  storeAccess: 7,
  callFromUser: 8,
  instructionPage: 12,
  loadPage: 13,
  storePage: 15,
} as const;

const ACCESS_FAULT: Readonly<Record<Access, number>> = { execute: CAUSE.instructionAccess, read: CAUSE.loadAccess, write: CAUSE.storeAccess };
const PAGE_FAULT: Readonly<Record<Access, number>> = { execute: CAUSE.instructionPage, read: CAUSE.loadPage, write: CAUSE.storePage };

const PAGE_BYTES = 0x1000n;
const PAGE_MASK = PAGE_BYTES - 1n;

/** Thrown out of an instruction that traps; one object, since there is one at a time. */
export interface Trap {
  cause: number;
  value: bigint;
}
const trap: Trap = { cause: 0, value: 0n };

export function raise(cause: number, value: bigint): never {
  trap.cause = cause;
  trap.value = value;
  throw trap;
}

export function asTrap(thrown: unknown): Trap {
  if (thrown !== trap) throw thrown;
  return trap;
}

/** Where an access goes: an offset in RAM, or -1 and the bus. */
interface Place {
  readonly address: bigint;
  readonly offset: number;
}

export interface WatchHit {
  readonly address: bigint;
  readonly access: "read" | "write";
}

export interface MemoryAccess {
  readonly read: (hart: Hart, address: bigint, width: Width) => bigint;
  readonly write: (hart: Hart, address: bigint, width: Width, value: bigint) => void;
  /** For atomics: reads, and writes what `combine` makes of it; aligned, and faults are those of a store. */
  readonly update: (hart: Hart, address: bigint, width: 4 | 8, combine: (old: bigint) => bigint | null) => bigint;
  /** 16 bits of code. */
  readonly fetchHalf: (hart: Hart, address: bigint) => number;
  /** Decoded page for the virtual address, entered into the hart's code cache. */
  readonly fetchPage: (hart: Hart, address: bigint) => number | null;
  /** Without a trace; null: nothing is there, or the mode may not. */
  readonly peek: (hart: Hart, address: bigint) => bigint | null;
  /** The set of caches that fits the hart's mode. */
  readonly cachesFor: (hart: Hart) => number;
  readonly flush: (hart: Hart) => void;
  /** As `flush`, but for what M-mode sees, whose addresses are physical. */
  readonly flushTranslated: (hart: Hart) => void;
  readonly flushWrites: () => void;
  readonly flushCode: () => void;
  readonly forgetRegions: () => void;
  /** Something is entered into the set of caches at this address. */
  readonly noteUse: (caches: number) => void;
  readonly setWatchpoints: (watchpoints: readonly Watchpoint[]) => void;
  /** Of a debugger's or of the hart's own. */
  readonly isWatching: (hart: Hart) => boolean;
  readonly takeWatchHit: () => WatchHit | null;
}

/** `device` runs an access to the bus at the right time, and looks afterwards what it has changed. */
export function createMemoryAccess(machine: MachineCore, harts: readonly Hart[], code: () => CodeCache, device: <T>(access: () => T) => T): MemoryAccess {
  const { memory, bus } = machine;
  const { view, bytes, stateOffset } = memory;
  let watchpoints: readonly Watchpoint[] = [];
  let watchHit: WatchHit | null = null;

  const physical: PhysicalMemory = {
    read(address, width) {
      const offset = ramOffset(memory, address, width);
      return offset < 0 ? null : readRam(offset, width);
    },
    write(address, width, value) {
      const offset = ramOffset(memory, address, width);
      if (offset >= 0) writeRam(offset, width, value);
    },
  };

  function readRam(offset: number, width: Width): bigint {
    switch (width) {
      case 1:
        return BigInt(view.getUint8(offset));
      case 2:
        return BigInt(view.getUint16(offset, true));
      case 4:
        return BigInt(view.getUint32(offset, true));
      case 8:
        return view.getBigUint64(offset, true);
    }
  }

  function writeRam(offset: number, width: Width, value: bigint): void {
    switch (width) {
      case 1:
        view.setUint8(offset, Number(value & 0xffn));
        break;
      case 2:
        view.setUint16(offset, Number(value & 0xffffn), true);
        break;
      case 4:
        view.setUint32(offset, Number(value & 0xffff_ffffn), true);
        break;
      case 8:
        view.setBigUint64(offset, value, true);
        break;
    }
    // Tells the code cache as well: to the machine this is a store from outside.
    markDirty(memory, offset, width);
  }

  // ---------------------------------------------------------------------------------------------------------------- caches

  /** The mode in which loads and stores are made (Volume II, 3.1.6.3). */
  function dataMode(hart: Hart): Mode {
    const { mstatus } = hart.csr;
    if (hart.mode !== MODE.machine || (mstatus & MSTATUS.MPRV) === 0n) return hart.mode;
    const field = (mstatus & MSTATUS.MPP) >> MPP_SHIFT;
    return field === 3n ? MODE.machine : field === 1n ? MODE.supervisor : MODE.user;
  }

  function setOf(hart: Hart): number {
    if (hart.mode === MODE.user) return TLB_SETS.user;
    if (hart.mode === MODE.supervisor) return TLB_SETS.supervisor;
    return (hart.csr.mstatus & MSTATUS.MPRV) === 0n ? TLB_SETS.machine : TLB_SETS.modified;
  }

  /** Sets that may hold something: at first all, since the memory may have been another machine's. Most guests use one or two, and a test that begins empties three. */
  const mayHold = new Uint8Array(harts.length * TLB_SET_COUNT).fill(1);

  function clearSets(hart: number, first: number, end: number): void {
    for (let set = first; set < end; set++) {
      const number = hart * TLB_SET_COUNT + set;
      if (mayHold[number] === 0) continue;
      mayHold[number] = 0;
      const start = stateOffset + tlbOffset(hart, set);
      bytes.fill(EMPTY_BYTE, start, start + TLB.bytes);
    }
  }

  function clearEverywhere(part: number, entries: number): void {
    for (let number = 0; number < mayHold.length; number++) {
      if (mayHold[number] === 0) continue;
      const start = stateOffset + tlbOffset(0, number) + part;
      bytes.fill(EMPTY_BYTE, start, start + entries * TLB.entryBytes);
    }
  }

  function enter(hart: Hart, part: number, index: number, page: bigint, value: number): void {
    const set = stateOffset + tlbOffset(hart.index, setOf(hart));
    access.noteUse(set);
    const entry = set + part + index * TLB.entryBytes;
    view.setBigUint64(entry + TLB.tag, page, true);
    view.setUint32(entry + TLB.addend, value, true);
  }

  /**
   * As generated code computes it. Streams a megabyte apart must not share an entry, nor the first pages of two megabytes: code, data and stack
   * begin at round addresses.
   */
  function dataIndex(address: bigint): number {
    const low = Number(address & 0xffff_ffffn);
    return ((low >>> 12) ^ (low >>> 17)) & (TLB.entries - 1);
  }

  function remember(hart: Hart, address: bigint, offset: number, access: "read" | "write"): void {
    const page = address & ~PAGE_MASK;
    if (isWatchedPage(hart, page) || (access === "write" && code().hasPage(offset))) return;
    const addend = (offset - Number(address & 0xffff_ffffn)) >>> 0;
    enter(hart, access === "read" ? TLB.read : TLB.write, dataIndex(address), page, addend);
  }

  /** The same for a page beside RAM, as device-access.ts finds it. */
  function rememberDevice(hart: Hart, address: bigint, physicalAddress: bigint, access: "read" | "write"): void {
    const page = address & ~PAGE_MASK;
    const number = Number(physicalAddress >> 12n);
    if (isWatchedPage(hart, page) || number > 0xffff_ffff) return;
    enter(hart, access === "read" ? TLB.deviceRead : TLB.deviceWrite, deviceIndex(Number(address & 0xffff_ffffn)), page, number);
  }

  // ------------------------------------------------------------------------------------------------------------ translation

  function locate(
    hart: Hart,
    address: bigint,
    width: number,
    access: Access,
    mode: Mode,
  ): Place & { readonly answer: ProtectionAnswer; readonly isWritable: boolean } {
    const found = translate(hart, physical, address, access, mode);
    switch (found.kind) {
      case "page-fault":
        return raise(PAGE_FAULT[access], address);
      case "access-fault":
        return raise(ACCESS_FAULT[access], address);
      case "physical": {
        const answer = checkProtection(hart, found.address, width, access, mode);
        if (!answer.isAllowed) raise(ACCESS_FAULT[access], address);
        return { address: found.address, offset: ramOffset(memory, found.address, width), answer, isWritable: found.isWritable };
      }
    }
  }

  function isWatchedPage(hart: Hart, page: bigint): boolean {
    return watchesPage(hart, page, PAGE_MASK) || watchpoints.some((point) => point.address < page + PAGE_BYTES && point.address + BigInt(point.length) > page);
  }

  function watch(address: bigint, width: number, access: "read" | "write"): void {
    if (watchpoints.length === 0) return;
    const end = address + BigInt(width);
    const hit = watchpoints.find(
      (point) => (point.access === "both" || point.access === access) && point.address < end && point.address + BigInt(point.length) > address,
    );
    if (hit !== undefined) watchHit ??= { address, access };
  }

  /** Before translation: of what an access may raise, this comes first (Volume II, table 3.7). */
  function pullTrigger(hart: Hart, address: bigint, width: number, access: "read" | "write" | "update"): void {
    if (hart.triggers.data.length === 0) return;
    const hit = firesOn(hart, address, width, access);
    if (hit !== undefined) raise(CAUSE.breakpoint, hit);
  }

  const isAligned = (address: bigint, width: number): boolean => (Number(address & 7n) & (width - 1)) === 0;
  const crossesPage = (address: bigint, width: number): boolean => Number(address & PAGE_MASK) + width > Number(PAGE_BYTES);

  /** Both places of an access across pages, found before anything is done. */
  function locateBytes(hart: Hart, address: bigint, width: number, access: "read" | "write"): readonly Place[] {
    const mode = dataMode(hart);
    const split = Number(PAGE_BYTES - (address & PAGE_MASK));
    const low = locate(hart, address, split, access, mode);
    const next = BigInt.asUintN(hart.width, address + BigInt(split));
    const high = locate(hart, next, width - split, access, mode);
    return Array.from({ length: width }, (_, n) => {
      const [part, at] = n < split ? [low, n] : [high, n - split];
      return { address: part.address + BigInt(at), offset: part.offset < 0 ? -1 : part.offset + at };
    });
  }

  function readPlace({ address, offset }: Place, width: Width, virtual: bigint): bigint {
    if (offset >= 0) return readRam(offset, width);
    const value = device(() => bus.read(address, width));
    return value === null ? raise(CAUSE.loadAccess, virtual) : BigInt(value);
  }

  function writePlace({ address, offset }: Place, width: Width, value: bigint, virtual: bigint): void {
    if (offset >= 0) return writeRam(offset, width, value);
    const data = width === 8 ? value : Number(BigInt.asUintN(width * 8, value));
    if (!device(() => bus.write(address, width, data))) raise(CAUSE.storeAccess, virtual);
  }

  const access: MemoryAccess = {
    read(hart, address, width) {
      pullTrigger(hart, address, width, "read");
      watch(address, width, "read");
      if (crossesPage(address, width)) {
        return locateBytes(hart, address, width, "read").reduceRight((value, place) => (value << 8n) | readPlace(place, 1, address), 0n);
      }
      const place = locate(hart, address, width, "read", dataMode(hart));
      if (place.answer.isWholePage) {
        if (place.offset >= 0) remember(hart, address, place.offset, "read");
        else rememberDevice(hart, address, place.address, "read");
      }
      return readPlace(place, width, address);
    },
    write(hart, address, width, value) {
      pullTrigger(hart, address, width, "write");
      watch(address, width, "write");
      if (crossesPage(address, width)) {
        locateBytes(hart, address, width, "write").forEach((place, n) => writePlace(place, 1, (value >> BigInt(8 * n)) & 0xffn, address));
        return;
      }
      const place = locate(hart, address, width, "write", dataMode(hart));
      if (place.answer.isWholePage && place.isWritable) {
        if (place.offset >= 0) remember(hart, address, place.offset, "write");
        else rememberDevice(hart, address, place.address, "write");
      }
      writePlace(place, width, value, address);
    },
    update(hart, address, width, combine) {
      pullTrigger(hart, address, width, "update");
      if (!isAligned(address, width)) raise(CAUSE.storeMisaligned, address);
      watch(address, width, "write");
      const place = locate(hart, address, width, "write", dataMode(hart));
      // It reads as well, which a page that may be written always allows; protection may not.
      if (!checkProtection(hart, place.address, width, "read", dataMode(hart)).isAllowed) raise(CAUSE.storeAccess, address);
      if (place.offset < 0) raise(CAUSE.storeAccess, address);
      const old = readRam(place.offset, width);
      const value = combine(old);
      if (value !== null) writeRam(place.offset, width, value);
      if (place.answer.isWholePage && place.isWritable) remember(hart, address, place.offset, "write");
      return old;
    },
    fetchHalf(hart, address) {
      const place = locate(hart, address, 2, "execute", hart.mode);
      if (place.offset < 0) raise(CAUSE.instructionAccess, address);
      return view.getUint16(place.offset, true);
    },
    fetchPage(hart, address) {
      const place = locate(hart, address, 2, "execute", hart.mode);
      if (place.offset < 0) raise(CAUSE.instructionAccess, address);
      if (!place.answer.isWholePage) return null;
      const page = code().pageAt(place.offset);
      enter(hart, TLB.code, Number((address >> 12n) & BigInt(TLB.codeEntries - 1)), address & ~PAGE_MASK, page);
      return page;
    },
    peek(hart, address) {
      const found = translate(hart, physical, address, "read", hart.mode, true);
      if (found.kind === "physical") return found.address;
      const executable = translate(hart, physical, address, "execute", hart.mode, true);
      return executable.kind === "physical" ? executable.address : null;
    },
    cachesFor(hart) {
      const set = setOf(hart);
      // What it holds may be of another previous mode.
      if (set === TLB_SETS.modified) clearSets(hart.index, set, set + 1);
      return set;
    },
    flush(hart) {
      clearSets(hart.index, 0, TLB_SET_COUNT);
    },
    flushTranslated(hart) {
      clearSets(hart.index, 0, TLB_SETS.machine);
    },
    flushWrites: () => clearEverywhere(TLB.write, TLB.entries),
    flushCode() {
      clearEverywhere(TLB.code, TLB.codeEntries);
      access.forgetRegions();
    },
    noteUse(caches) {
      mayHold[(caches - stateOffset - tlbOffset(0, 0)) / TLB.bytes] = 1;
    },
    forgetRegions: () => clearEverywhere(REGION_CACHE.start, REGION_CACHE.entries),
    setWatchpoints(points) {
      watchpoints = points;
      for (const hart of harts) access.flush(hart);
    },
    isWatching: ({ triggers }) => watchpoints.length > 0 || triggers.data.length > 0,
    takeWatchHit() {
      const hit = watchHit;
      watchHit = null;
      return hit;
    },
  };
  // Checked once: the offsets of the state are those of views of four and eight bytes.
  if (stateOffset % 8 !== 0 || bytes.length < stateOffset) throw new RangeError("the machine's memory has no room for the CPU's state");
  return access;
}
