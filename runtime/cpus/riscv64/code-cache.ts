// Decoded pages: what the interpreter walks instead of instruction words. A physical page of code has a slot in the state memory, filled
// entry by entry when execution first gets there. Code that changes is seen at once, as on QEMU: a page that has a slot never gets
// into a write cache, so every store to it comes by `wrote`, and so does DMA; `compare` finds what a restored snapshot changed and
// keeps what it did not. A slot remembers the bytes that it was decoded from.

import type { RegisterWidth } from "../../../isa/riscv64/by-width.ts";
import { instructionLength } from "../../../isa/riscv64/decode.ts";
import { expand, type ExpandedInstruction } from "../../../isa/riscv64/expand.ts";
import type { GuestMemory } from "../../machine/cpu-contract.ts";
import type { Decode } from "./interpreter-instance.ts";
import { FIXED_NUMBER, isIntegerLoad } from "./operations.ts";
import { DECODER, DECODER_OFFSET, ENTRIES_PER_PAGE, ENTRY, ENTRY_SHIFT, SLOT_BYTES, SLOT_INFO, SLOTS, SLOTS_OFFSET } from "./state.ts";

const PAGE_SHIFT = 12;
const PAGE_BYTES = 1 << PAGE_SHIFT;

/** Undefined: the encoding is illegal. */
export function decodeInstruction(bits: number, width: RegisterWidth = 64): ExpandedInstruction | undefined {
  const decoded = DECODED[width];
  const key = instructionLength(bits) === 2 ? bits & 0xffff : bits >>> 0;
  let known = decoded.get(key);
  if (known === undefined) {
    known = expand(key, width) ?? null;
    if (decoded.size >= DECODED_LIMIT) decoded.clear();
    decoded.set(key, known);
  }
  return known ?? undefined;
}

/** Words repeat: a table of them costs less than taking them apart again. */
const DECODED: Readonly<Record<RegisterWidth, Map<number, ExpandedInstruction | null>>> = { 32: new Map(), 64: new Map() };
const DECODED_LIMIT = 0x1_0000;

export interface CodeCache {
  /** Address of the decoded page that holds this RAM offset; makes it if need be. */
  readonly pageAt: (ramOffset: number) => number;
  readonly hasPage: (ramOffset: number) => boolean;
  /** Numbers of the pages that have decoded code. */
  readonly pages: () => readonly number[];
  /** The RAM offset of an entry's instruction. */
  readonly offsetOf: (entry: number) => number;
  /** Fills the entry in; the number of the operation that it stands for. */
  readonly decodeEntry: (entry: number) => number;
  /** The operation of an entry that stands under a breakpoint. */
  readonly operationUnder: (entry: number) => number;
  /** RAM changed. */
  readonly wrote: (ramOffset: number, length: number) => void;
  /** RAM may have changed anywhere. */
  readonly compare: () => void;
  /** A page of RAM was given other contents, or the same; `compareRestored` looks which. */
  readonly restored: (page: number) => void;
  readonly compareRestored: () => void;
  /** Offsets within a page that a debugger wants to be asked about. */
  readonly setStops: (offsets: ReadonlySet<number>) => void;
  /** Regions would run past the places where a debugger wants to be asked. */
  readonly mayHaveRegions: () => boolean;
  /** The entry at this RAM offset is decoded anew, here, when it is needed. */
  readonly forgetEntry: (ramOffset: number) => void;
  readonly clear: () => void;
}

export interface CodeCacheEvents {
  readonly decode: Decode;
  /** No write cache may hold the page from now on. */
  readonly pageAdded: (ramOffset: number) => void;
  /** No cache of code may hold its slot any more. */
  readonly pageDropped: () => void;
  /** What was translated of this part of RAM is void. */
  readonly changed: (ramOffset: number, length: number) => void;
  readonly cleared: () => void;
  /** A region begins here. */
  readonly hasRegion: (ramOffset: number) => boolean;
  /** The load or store here was seen to meet devices. */
  readonly isDevice: (ramOffset: number) => boolean;
}

export function createCodeCache(memory: GuestMemory, events: CodeCacheEvents): CodeCache {
  const { bytes, view } = memory;
  const first = memory.stateOffset + SLOTS_OFFSET;
  const forms = memory.stateOffset + DECODER_OFFSET + DECODER.forms;
  const slotOfPage = new Int16Array(memory.size >>> PAGE_SHIFT).fill(-1);
  const pageOfSlot = new Int32Array(SLOTS).fill(-1);
  const sources: Uint8Array[] = [];
  const restored = new Set<number>();
  let nextSlot = 0;
  let stops: ReadonlySet<number> = new Set();

  const slotAddress = (slot: number): number => first + slot * SLOT_BYTES;

  function emptySlot(slot: number): void {
    const start = slotAddress(slot);
    bytes.fill(0, start, start + ENTRIES_PER_PAGE * ENTRY.bytes);
    // Behind the last halfword, where an instruction may begin that one of four bytes ends before.
    for (let n = ENTRIES_PER_PAGE; n < ENTRIES_PER_PAGE + 2; n++) {
      bytes.fill(0, start + n * ENTRY.bytes, start + (n + 1) * ENTRY.bytes);
      bytes[start + n * ENTRY.bytes] = FIXED_NUMBER["page-end"];
    }
  }

  /** Whether all entries have to be asked for: some may be stops, and regions begin at others. */
  function setAsks(slot: number, asks: boolean): void {
    view.setUint32(slotAddress(slot) + SLOT_INFO.asks, asks ? 1 : 0, true);
  }

  function takeSource(slot: number, page: number): void {
    const source = (sources[slot] ??= new Uint8Array(PAGE_BYTES));
    source.set(bytes.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES));
  }

  function isUnchanged(slot: number, page: number): boolean {
    const source = sources[slot];
    if (source === undefined) return false;
    const old = new Int32Array(source.buffer);
    const now = new Int32Array(memory.memory.buffer, page * PAGE_BYTES, PAGE_BYTES / 4);
    for (let n = 0; n < old.length; n++) if (old[n] !== now[n]) return false;
    return true;
  }

  function compareSlot(slot: number): void {
    const page = pageOfSlot[slot] ?? -1;
    if (page < 0 || isUnchanged(slot, page)) return;
    takeSource(slot, page);
    emptySlot(slot);
    events.changed(page * PAGE_BYTES, PAGE_BYTES);
  }

  function addPage(page: number): number {
    const slot = nextSlot;
    nextSlot = (nextSlot + 1) % SLOTS;
    const before = pageOfSlot[slot] ?? -1;
    if (before >= 0) {
      slotOfPage[before] = -1;
      events.pageDropped();
      events.changed(before * PAGE_BYTES, PAGE_BYTES);
    }
    pageOfSlot[slot] = page;
    slotOfPage[page] = slot;
    takeSource(slot, page);
    emptySlot(slot);
    view.setUint32(slotAddress(slot) + SLOT_INFO.ramOffset, page * PAGE_BYTES, true);
    setAsks(slot, stops.size > 0);
    events.pageAdded(page * PAGE_BYTES);
    return slot;
  }

  function offsetOf(entry: number): number {
    const slot = slotOf(entry);
    return (pageOfSlot[slot] ?? 0) * PAGE_BYTES + ((entry - slotAddress(slot)) >>> ENTRY_SHIFT);
  }

  const slotOf = (entry: number): number => Math.floor((entry - first) / SLOT_BYTES);

  /** Fills `into` in; the operation, and what it is where it meets devices. */
  function decode(entry: number, into: number): number {
    const number = events.decode(entry, slotAddress(slotOf(entry)), into);
    const access = bytes[forms + number] ?? 0;
    if (!isIntegerLoad(access) || !events.isDevice(offsetOf(entry))) return number;
    bytes[into + ENTRY.rs2] = access;
    return (bytes[into + ENTRY.operation] = FIXED_NUMBER["device-load"]);
  }

  return {
    pageAt(ramOffset) {
      const page = ramOffset >>> PAGE_SHIFT;
      const slot = slotOfPage[page] ?? -1;
      return slotAddress(slot >= 0 ? slot : addPage(page));
    },
    hasPage: (ramOffset) => (slotOfPage[ramOffset >>> PAGE_SHIFT] ?? -1) >= 0,
    pages() {
      const found: number[] = [];
      // Slots are taken in their order, and only all of them are given up.
      for (let slot = 0; slot < SLOTS; slot++) {
        const page = pageOfSlot[slot] ?? -1;
        if (page < 0) break;
        found.push(page);
      }
      return found;
    },
    offsetOf,
    decodeEntry(entry) {
      const number = decode(entry, entry);
      const isStop = stops.size > 0 && stops.has(offsetOf(entry) % PAGE_BYTES);
      const isRegion = stops.size === 0 && events.hasRegion(offsetOf(entry));
      if (isStop || isRegion) bytes[entry + ENTRY.operation] = isStop ? FIXED_NUMBER.breakpoint : FIXED_NUMBER.region;
      return number;
    },
    operationUnder: (entry) => decode(entry, slotAddress(slotOf(entry)) + SLOT_INFO.spare),
    wrote(ramOffset, length) {
      const last = (ramOffset + length - 1) >>> PAGE_SHIFT;
      for (let page = ramOffset >>> PAGE_SHIFT; page <= last; page++) {
        const slot = slotOfPage[page] ?? -1;
        if (slot < 0) continue;
        const start = Math.max(ramOffset - page * PAGE_BYTES, 0);
        const end = Math.min(ramOffset + length - page * PAGE_BYTES, PAGE_BYTES);
        sources[slot]?.set(bytes.subarray(page * PAGE_BYTES + start, page * PAGE_BYTES + end), start);
        // From the halfword before, which may be the first half of an instruction.
        const from = Math.max((start >>> 1) - 1, 0);
        const to = (end + 1) >>> 1;
        bytes.fill(0, slotAddress(slot) + from * ENTRY.bytes, slotAddress(slot) + to * ENTRY.bytes);
        // It may as well be a jump of two bytes, and a region that begins with it still be right.
        if (events.hasRegion(page * PAGE_BYTES + from * 2)) bytes[slotAddress(slot) + from * ENTRY.bytes + ENTRY.operation] = FIXED_NUMBER.asked;
        events.changed(page * PAGE_BYTES + start, end - start);
      }
    },
    compare() {
      for (let slot = 0; slot < SLOTS; slot++) compareSlot(slot);
    },
    restored(page) {
      const slot = slotOfPage[page] ?? -1;
      if (slot >= 0) restored.add(slot);
    },
    compareRestored() {
      for (const slot of restored) compareSlot(slot);
      restored.clear();
    },
    setStops(offsets) {
      stops = offsets;
      pageOfSlot.forEach((page, slot) => {
        if (page < 0) return;
        emptySlot(slot);
        setAsks(slot, true);
      });
    },
    mayHaveRegions: () => stops.size === 0,
    forgetEntry(ramOffset) {
      const slot = slotOfPage[ramOffset >>> PAGE_SHIFT] ?? -1;
      if (slot >= 0) bytes[slotAddress(slot) + ((ramOffset % PAGE_BYTES) << ENTRY_SHIFT) + ENTRY.operation] = FIXED_NUMBER.asked;
    },
    clear() {
      slotOfPage.fill(-1);
      pageOfSlot.fill(-1);
      nextSlot = 0;
      events.pageDropped();
      events.cleared();
    },
  };
}
