// Guest RAM with its dirty map in one WebAssembly.Memory of fixed size, so that translated code, the interpreter, DMA and restore
// all work on the same bytes. Layout: [0, size) RAM; [dirtyOffset, dirtyOffset + size / 4096) one byte per page, 1 = written since
// the last `takeDirtyPages`; from logOffset the last accesses to devices; [stateOffset, stateOffset + STATE_BYTES) for CPUs that keep
// registers and caches beside RAM, where generated code reaches them by the same base; the host gives it no memory before somebody writes.
// Memories are pooled by size: a fresh 16 MiB costs milliseconds of page faults, zeroing a few used pages nothing.

import { ACCESS_LOG_BYTES } from "./access-log.ts";
import type { GuestMemory } from "./cpu-contract.ts";

export const PAGE_SIZE = 4096;
const PAGE_SHIFT = 12;
const WASM_PAGE = 0x1_0000;
/** Room for the state of CPUs that run machine code, and for a byte for each page of RAM behind it. */
export const STATE_BYTES = 0x4a_0000;
/** Idle memories kept per size. */
const POOL_LIMIT = 4;

const pool = new Map<number, WebAssembly.Memory[]>();

export function pageCount(memory: GuestMemory): number {
  return memory.size >>> PAGE_SHIFT;
}

/** Where things lie in the memory of a machine with so much RAM, which generated code has baked in. */
export function memoryLayout(size: number): Pick<GuestMemory, "dirtyOffset" | "logOffset" | "stateOffset"> {
  const logOffset = Math.ceil((size + size / PAGE_SIZE) / PAGE_SIZE) * PAGE_SIZE;
  return { dirtyOffset: size, logOffset, stateOffset: logOffset + Math.ceil(ACCESS_LOG_BYTES / PAGE_SIZE) * PAGE_SIZE };
}

/** RAM of `size` bytes at guest address `base`, all zero, all clean. Give it back with `releaseMemory`. */
export function acquireMemory(base: bigint, size: number): GuestMemory {
  if (!Number.isInteger(size) || size <= 0 || size % WASM_PAGE !== 0 || size > 0x4000_0000) {
    throw new RangeError(`RAM of ${size} bytes: expected a multiple of 64 KiB up to 1 GiB`);
  }
  if (base < 0n || base % BigInt(PAGE_SIZE) !== 0n) throw new RangeError(`RAM at ${base}: expected a page-aligned address`);
  const { dirtyOffset, logOffset, stateOffset } = memoryLayout(size);
  const pages = Math.ceil((stateOffset + STATE_BYTES + size / PAGE_SIZE) / WASM_PAGE);
  const memory = pool.get(size)?.pop() ?? new WebAssembly.Memory({ initial: pages, maximum: pages });
  return {
    memory,
    base,
    size,
    dirtyOffset,
    logOffset,
    stateOffset,
    bytes: new Uint8Array(memory.buffer),
    view: new DataView(memory.buffer),
    readOnlyStart: 0,
    readOnlyEnd: 0,
    onHostWrite: null,
    onRestore: null,
  };
}

/** Puts memory back into the pool. `used` are the pages that may hold something besides zeros; nobody may keep a view. */
export function releaseMemory(memory: GuestMemory, used: Iterable<number>): void {
  for (const page of used) zeroPage(memory, page);
  memory.bytes.fill(0, memory.dirtyOffset, memory.dirtyOffset + pageCount(memory));
  const idle = pool.get(memory.size) ?? [];
  if (idle.length < POOL_LIMIT) idle.push(memory.memory);
  pool.set(memory.size, idle);
}

export function zeroPage(memory: GuestMemory, page: number): void {
  const start = page * PAGE_SIZE;
  memory.bytes.fill(0, start, start + PAGE_SIZE);
}

export function isZeroPage(memory: GuestMemory, page: number): boolean {
  return new Int32Array(memory.memory.buffer, page * PAGE_SIZE, PAGE_SIZE >>> 2).every((word) => word === 0);
}

export function copyPage(memory: GuestMemory, page: number): Uint8Array {
  const start = page * PAGE_SIZE;
  return memory.bytes.slice(start, start + PAGE_SIZE);
}

/** For every store that does not come from guest code: DMA, the loader, the host. `length` of at least 1, inside RAM. */
export function markDirty(memory: GuestMemory, offset: number, length: number): void {
  const first = memory.dirtyOffset + (offset >>> PAGE_SHIFT);
  const last = memory.dirtyOffset + ((offset + length - 1) >>> PAGE_SHIFT);
  for (let at = first; at <= last; at++) memory.bytes[at] = 1;
  memory.onHostWrite?.(offset, length);
}

/** Calls of `takeDirtyPages` until V8 has compiled its loop for good. */
const COLD_CALLS = 64;
let calls = 0;

/** Finds the dirty pages, in ascending order, into `into` and cleans the map; returns their number. */
export function takeDirtyPages(memory: GuestMemory, into: Uint32Array): number {
  const pages = pageCount(memory);
  return calls++ < COLD_CALLS ? searchPages(memory, pages, into) : scanPages(memory, pages, into);
}

/** The fastest once it is compiled: twice as fast as the search, which is ten times as fast before that. */
function scanPages(memory: GuestMemory, pages: number, into: Uint32Array): number {
  // A multiple of 16 pages by the 64 KiB granularity of RAM, so the map divides into groups of 8, which a double holds without BigInt.
  const groups = new Float64Array(memory.memory.buffer, memory.dirtyOffset, pages >>> 3);
  let count = 0;
  for (let group = 0; group < groups.length; group++) {
    if (groups[group] === 0) continue;
    for (let page = group * 8; page < group * 8 + 8; page++) {
      if (memory.bytes[memory.dirtyOffset + page] !== 0) into[count++] = page;
    }
    groups[group] = 0;
  }
  return count;
}

function searchPages(memory: GuestMemory, pages: number, into: Uint32Array): number {
  const map = new Uint8Array(memory.memory.buffer, memory.dirtyOffset, pages);
  let count = 0;
  for (let page = map.indexOf(1); page >= 0; page = map.indexOf(1, page + 1)) into[count++] = page;
  map.fill(0);
  return count;
}

/** The offset of `[address, address + length)` in RAM, or -1 if any byte of it lies outside. */
export function ramOffset(memory: GuestMemory, address: bigint, length: number): number {
  const offset = address - memory.base;
  if (offset < 0n || offset + BigInt(length) > BigInt(memory.size)) return -1;
  return Number(offset);
}
