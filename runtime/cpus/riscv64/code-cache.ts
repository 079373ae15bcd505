// Decoded pages: what the interpreter walks instead of instruction words. A physical page of code has a slot in the state memory, filled
// entry by entry when execution first gets there. Code that changes is seen at once, as on QEMU: a page that has a slot never gets
// into a write cache, so every store to it comes by `wrote`, and so does DMA; `compare` finds what a restored snapshot changed and
// keeps what it did not. A slot remembers the bytes that it was decoded from.

import type { Mnemonic, RegisterWidth } from "../../../isa/riscv64/instructions.ts";
import { decode, instructionLength } from "../../../isa/riscv64/decode.ts";
import { expand, type ExpandedInstruction } from "../../../isa/riscv64/expand.ts";
import { csrNameOf } from "../../../isa/riscv64/registers.ts";
import type { GuestMemory } from "../../machine/cpu-contract.ts";
import { branchesOf, computationsOf, hasOperation, operationNumber, type OperationName } from "./operations.ts";
import { LOADS } from "./semantics/memory.ts";
import { accessName, type CsrChange } from "./semantics/privileged.ts";
import { ENTRIES_PER_PAGE, ENTRY, ENTRY_SHIFT, SLOT_BYTES, SLOTS, SLOTS_OFFSET } from "./state.ts";

const PAGE_SHIFT = 12;
const PAGE_BYTES = 1 << PAGE_SHIFT;
const REGISTER_BYTES = 8;

/** Undefined: the encoding is illegal. */
export function decodeInstruction(bits: number, width: RegisterWidth = 64): ExpandedInstruction | undefined {
  const decoded = DECODED[width];
  const key = instructionLength(bits) === 2 ? bits & 0xffff : bits >>> 0;
  let known = decoded.get(key);
  if (known === undefined) {
    const found = decode(key, width);
    known = (found && expand(found)) ?? null;
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
  /** The RAM offset of an entry's instruction. */
  readonly offsetOf: (entry: number) => number;
  /** Fills the entry in. */
  readonly decodeEntry: (entry: number) => void;
  /** The operation of an entry that stands under a breakpoint. */
  readonly operationUnder: (entry: number) => number;
  /** RAM changed. */
  readonly wrote: (ramOffset: number, length: number) => void;
  /** RAM may have changed anywhere. */
  readonly compare: () => void;
  /** Offsets within a page that a debugger wants to be asked about. */
  readonly setStops: (offsets: ReadonlySet<number>) => void;
  readonly clear: () => void;
}

/** `pageAdded`: no write cache may hold the page from now on; `pageDropped`: no cache of code may hold its slot any more. */
export function createCodeCache(memory: GuestMemory, pageAdded: () => void, pageDropped: () => void, width: RegisterWidth = 64): CodeCache {
  const { bytes, view } = memory;
  const first = memory.stateOffset + SLOTS_OFFSET;
  const slotOfPage = new Int16Array(memory.size >>> PAGE_SHIFT).fill(-1);
  const pageOfSlot = new Int32Array(SLOTS).fill(-1);
  const sources: Uint8Array[] = [];
  let nextSlot = 0;
  let stops: ReadonlySet<number> = new Set();

  const slotAddress = (slot: number): number => first + slot * SLOT_BYTES;

  function emptySlot(slot: number): void {
    const start = slotAddress(slot);
    bytes.fill(0, start, start + ENTRIES_PER_PAGE * ENTRY.bytes);
    // Behind the last halfword, where an instruction may begin that one of four bytes ends before.
    for (let n = ENTRIES_PER_PAGE; n < ENTRIES_PER_PAGE + 2; n++) {
      bytes.fill(0, start + n * ENTRY.bytes, start + (n + 1) * ENTRY.bytes);
      bytes[start + n * ENTRY.bytes] = PAGE_END;
    }
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

  function addPage(page: number): number {
    const slot = nextSlot;
    nextSlot = (nextSlot + 1) % SLOTS;
    const before = pageOfSlot[slot] ?? -1;
    if (before >= 0) {
      slotOfPage[before] = -1;
      pageDropped();
    }
    pageOfSlot[slot] = page;
    slotOfPage[page] = slot;
    takeSource(slot, page);
    emptySlot(slot);
    pageAdded();
    return slot;
  }

  function offsetOf(entry: number): number {
    const slot = Math.floor((entry - first) / SLOT_BYTES);
    return (pageOfSlot[slot] ?? 0) * PAGE_BYTES + ((entry - slotAddress(slot)) >>> ENTRY_SHIFT);
  }

  function operationOf(offset: number, instruction: ExpandedInstruction | undefined): Encoded {
    // What lies across the end of a page, or is illegal, is executed as a whole where all of it is known.
    if (instruction === undefined || (offset % PAGE_BYTES) + instruction.length > PAGE_BYTES) return { name: "cold" };
    return encode(instruction, offset % PAGE_BYTES, width);
  }

  function decoding(entry: number): { readonly encoded: Encoded; readonly length: number } {
    const offset = offsetOf(entry);
    const low = view.getUint16(offset, true);
    const isWhole = instructionLength(low) === 2 || (offset % PAGE_BYTES) + 4 <= PAGE_BYTES;
    const instruction = isWhole ? decodeInstruction(instructionLength(low) === 2 ? low : view.getUint32(offset, true), width) : undefined;
    return { encoded: operationOf(offset, instruction), length: instructionLength(low) };
  }

  return {
    pageAt(ramOffset) {
      const page = ramOffset >>> PAGE_SHIFT;
      const slot = slotOfPage[page] ?? -1;
      return slotAddress(slot >= 0 ? slot : addPage(page));
    },
    hasPage: (ramOffset) => (slotOfPage[ramOffset >>> PAGE_SHIFT] ?? -1) >= 0,
    offsetOf,
    decodeEntry(entry) {
      const { encoded, length } = decoding(entry);
      const { name, rd = 0, rs1 = 0, rs2 = 0, imm = 0 } = encoded;
      bytes[entry + ENTRY.rd] = rd * REGISTER_BYTES;
      bytes[entry + ENTRY.rs1] = rs1 * REGISTER_BYTES;
      bytes[entry + ENTRY.rs2] = rs2 * REGISTER_BYTES;
      view.setInt32(entry + ENTRY.imm, (imm << 8) | (length << ENTRY_SHIFT), true);
      const isStop = stops.size > 0 && stops.has(offsetOf(entry) % PAGE_BYTES);
      bytes[entry + ENTRY.operation] = isStop ? BREAKPOINT : operationNumber(name, width);
    },
    operationUnder: (entry) => operationNumber(decoding(entry).encoded.name, width),
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
      }
    },
    compare() {
      pageOfSlot.forEach((page, slot) => {
        if (page < 0 || isUnchanged(slot, page)) return;
        takeSource(slot, page);
        emptySlot(slot);
      });
    },
    setStops(offsets) {
      stops = offsets;
      pageOfSlot.forEach((page, slot) => {
        if (page >= 0) emptySlot(slot);
      });
    },
    clear() {
      slotOfPage.fill(-1);
      pageOfSlot.fill(-1);
      nextSlot = 0;
      pageDropped();
    },
  };
}

// The first operations are those of every width.
const PAGE_END = operationNumber("page-end");
const BREAKPOINT = operationNumber("breakpoint");

interface Encoded {
  readonly name: OperationName;
  readonly rd?: number;
  readonly rs1?: number;
  readonly rs2?: number;
  readonly imm?: number;
}

/** Ordering needs nothing where harts take turns, and changed code is seen by itself. */
const NOTHING: ReadonlySet<Mnemonic> = new Set<Mnemonic>(["fence", "fence.tso", "fence.i", "prefetch.i", "prefetch.r", "prefetch.w"]);

interface CsrForm {
  readonly change: CsrChange;
  /** The operand is in `imm`, not in rs1. */
  readonly isImmediate: boolean;
}

const CSR_FORMS: ReadonlyMap<Mnemonic, CsrForm> = new Map<Mnemonic, CsrForm>([
  ["csrrw", { change: "write", isImmediate: false }],
  ["csrrs", { change: "set", isImmediate: false }],
  ["csrrc", { change: "clear", isImmediate: false }],
  ["csrrwi", { change: "write", isImmediate: true }],
  ["csrrsi", { change: "set", isImmediate: true }],
  ["csrrci", { change: "clear", isImmediate: true }],
]);

function encodeAccess({ rd, rs1, imm, csr }: ExpandedInstruction, { change, isImmediate }: CsrForm, width: RegisterWidth): Encoded {
  const csrName = csrNameOf(csr, width);
  if (csrName === undefined) return { name: "cold" };
  // A set or clear of nothing is no write (Volume I, 9.1).
  const isRead = change !== "write" && (isImmediate ? imm : rs1) === 0;
  const name = accessName(csrName, isRead ? "read" : change);
  // A read into x0 may be illegal all the same.
  if (!hasOperation(name, width) || (isRead && rd === 0)) return { name: "cold" };
  return isImmediate ? { name, rd, imm } : { name, rd, rs1 };
}

/** How the interpreter gets an instruction at this offset of its page. */
function encode(instruction: ExpandedInstruction, pageOffset: number, width: RegisterWidth): Encoded {
  const { mnemonic, rd, rs1, rs2, imm } = instruction;
  if (NOTHING.has(mnemonic)) return { name: "nothing" };
  const target = pageOffset + imm;
  const isNear = target >= 0 && target < PAGE_BYTES;
  const distance = isNear ? imm << ENTRY_SHIFT : imm;
  if (mnemonic === "jal") {
    if (rd === 0) return { name: isNear ? "j" : "j.far", imm: distance };
    return { name: isNear ? "jal" : "jal.far", rd, imm: distance };
  }
  if (mnemonic === "jalr") return { name: rd === 0 ? "jr" : "jalr", rd, rs1, imm };
  if (branchesOf(width).has(mnemonic)) return { name: isNear ? mnemonic : `${mnemonic}.far`, rs1, rs2, imm: distance };
  const access = CSR_FORMS.get(mnemonic);
  if (access !== undefined) return encodeAccess(instruction, access, width);
  if (!hasOperation(mnemonic, width)) return { name: "cold" };
  // What is written to x0 goes nowhere.
  if (computationsOf(width).has(mnemonic) && rd === 0) return { name: "nothing" };
  const load = LOADS.get(mnemonic);
  if (load !== undefined && load.isFloat !== true && rd === 0) return { name: "cold" };
  return { name: mnemonic, rd, rs1, rs2, imm };
}
