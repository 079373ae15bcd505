// The short way of loads and stores to devices: what the cold path does for one, when translation and protection have been settled before.
// A page that lies beside RAM gets an entry in caches of its own beside those of RAM (state.ts): whatever empties these forgets it too.
// Up to 4 bytes all is numbers, since one BigInt costs as much as the whole access.

import type { ExpandedInstruction } from "../../../isa/riscv64/expand.ts";
import type { RegisterWidth } from "../../../isa/riscv64/by-width.ts";
import type { Mnemonic } from "../../../isa/riscv64/instructions.ts";
import type { Width } from "../../devices/device.ts";
import { NO_ANSWER, type Bus, type GuestMemory } from "../../machine/cpu-contract.ts";
import { ACCESS_FORM, accessForm, DEVICE_FORM, FIXED_NUMBER } from "./operations.ts";
import { LOADS, STORES } from "./semantics/memory.ts";
import { BLOCK_BYTES, CELL, DECODER, DECODER_OFFSET, deviceIndex, ENTRY, ENTRY_SHIFT, TLB } from "./state.ts";

interface Form {
  readonly isStore: boolean;
  readonly width: 1 | 2 | 4 | 8;
  /** Of a load narrower than the register: how far its sign is from bit 31; -1 if zeros go above. */
  readonly signShift: number;
}

/** Null: not for here. Floating-point registers are seldom meant for devices. */
function formOf(access: number): Form | null {
  if (access === 0 || (access & ACCESS_FORM.isFloat) !== 0) return null;
  const width = WIDTHS[(access & DEVICE_FORM.power) >>> DEVICE_FORM.powerShift] ?? 8;
  return { isStore: (access & ACCESS_FORM.isStore) !== 0, width, signShift: width < 8 && (access & DEVICE_FORM.isSigned) !== 0 ? 32 - 8 * width : -1 };
}

const WIDTHS = [1, 2, 4, 8] as const;

/** By the `accessForm` of an operation, which a `device-load` has in its entry. */
const FORMS: readonly (Form | null)[] = Array.from({ length: 256 }, (_, access) => formOf(access));

function formOfMnemonic(mnemonic: Mnemonic): Form | null {
  const [load, store] = [LOADS.get(mnemonic), STORES.get(mnemonic)];
  if (load !== undefined) return formOf(accessForm({ kind: "load", meaning: load }));
  return store === undefined ? null : formOf(accessForm({ kind: "store", meaning: store }));
}

export const OUTCOME = {
  /** Not an access to a page that is known for a device's; nothing has happened. */
  unknown: 0,
  done: 1,
  /** Nobody answered: an access fault. */
  loadFault: 2,
  storeFault: 3,
} as const;
export type DeviceOutcome = (typeof OUTCOME)[keyof typeof OUTCOME];

const PAGE_MASK = 0xfff;
const REGISTER_BYTES = 8;
const WORD = 2 ** 32;
/** The upper halves of what is below 2^53 are below this. */
const SMALL_HIGH = 2 ** 21;
const WIDTH_MASK = { 1: 0xff, 2: 0xffff, 4: -1, 8: 0 } as const;

/** Of the sum that has `low` as its lower half, with a signed number. */
const upperHalf = (high: number, low: number, added: number): number => (high + (added >> 31) + (low >>> 0 < added >>> 0 ? 1 : 0)) | 0;

/** What a load or store is to do, registers as byte offsets; `data` is the one that is loaded or stored. */
export interface DeviceSite {
  readonly form: Form;
  readonly base: number;
  readonly data: number;
  readonly imm: number;
  readonly length: number;
}

export interface DeviceAccess {
  /** Carries out the load or store at the pc, a decoded entry, if it is to a device; the pc goes to the next instruction if it is done. */
  readonly runEntry: (entry: number) => DeviceOutcome;
  /** Null: no load or store, or none for here. */
  readonly siteOf: (instruction: ExpandedInstruction) => DeviceSite | null;
  /** The same for an instruction that was looked at before, at an aligned address; `value` is what it stores, up to 4 bytes. The pc stays. */
  readonly accessAt: (site: DeviceSite, physical: number, value: number) => DeviceOutcome;
  readonly stepOver: (length: number) => void;
  /** The virtual address that faulted last. */
  readonly faultAddress: () => bigint;
}

/** `noteRead` hears of reads that were answered. */
export function createDeviceAccess(
  { memory, stateOffset }: GuestMemory,
  bus: Bus,
  registerWidth: RegisterWidth,
  noteRead: (physical: number, width: Width) => void,
): DeviceAccess {
  const forms = stateOffset + DECODER_OFFSET + DECODER.forms;
  const bytes = new Uint8Array(memory.buffer);
  const state = new Int32Array(memory.buffer, stateOffset, BLOCK_BYTES / 4);
  const wide = new BigUint64Array(memory.buffer, stateOffset, BLOCK_BYTES / 8);
  const all = new Int32Array(memory.buffer);
  const low = (cell: number): number => state[cell >>> 2] ?? 0;
  const fault = { low: 0, high: 0 };

  /** Of the active hart's pc. */
  function stepOver(length: number): void {
    const at = CELL.pc >>> 2;
    const next = low(CELL.pc) + length;
    state[at] = next;
    if (registerWidth === 64 && (state[at] ?? 0) >>> 0 < length) state[at + 1] = (state[at + 1] ?? 0) + 1;
  }

  /** `data`: the register as a byte offset. */
  function store(data: number, physical: number, width: Width, value: number): boolean {
    if (width === 8) {
      const high = low(CELL.x + data + 4) >>> 0;
      if (high >= SMALL_HIGH) return bus.write(physical, width, wide[(CELL.x + data) >>> 3] ?? 0n);
      return bus.writeNumber(physical, width, high * WORD + (low(CELL.x + data) >>> 0));
    }
    return bus.writeNumber(physical, width, value >>> 0);
  }

  function load(data: number, physical: number, width: Width, signShift: number): boolean {
    const rd = CELL.x + data;
    if (width === 8) {
      const value = bus.read(physical, width);
      if (value === null) return false;
      wide[rd >>> 3] = BigInt(value);
    } else {
      const value = bus.readNumber(physical, width);
      if (value === NO_ANSWER) return false;
      const word = signShift < 0 ? value | 0 : (value << signShift) >> signShift;
      state[rd >>> 2] = word;
      state[(rd >>> 2) + 1] = signShift < 0 ? 0 : word >> 31;
    }
    noteRead(physical, width);
    return true;
  }

  const highOf = (base: number, address: number, imm: number): number => (registerWidth === 32 ? 0 : upperHalf(low(CELL.x + base + 4), address, imm));

  function faultAt(isStore: boolean, base: number, imm: number): DeviceOutcome {
    fault.low = low(CELL.x + base) + imm;
    fault.high = highOf(base, fault.low | 0, imm);
    return isStore ? OUTCOME.storeFault : OUTCOME.loadFault;
  }

  function run({ isStore, width, signShift }: Form, base: number, data: number, imm: number): DeviceOutcome {
    const address = (low(CELL.x + base) + imm) | 0;
    if ((address & (width - 1)) !== 0) return OUTCOME.unknown;
    const slot = (low(CELL.tlb) + (isStore ? TLB.deviceWrite : TLB.deviceRead) + deviceIndex(address) * TLB.entryBytes) >>> 2;
    if (all[slot] !== (address & ~PAGE_MASK) || all[slot + 1] !== highOf(base, address, imm)) return OUTCOME.unknown;
    const physical = ((all[slot + (TLB.addend >>> 2)] ?? 0) >>> 0) * (PAGE_MASK + 1) + (address & PAGE_MASK);
    const value = isStore ? low(CELL.x + data) & WIDTH_MASK[width] : 0;
    const isAnswered = isStore ? store(data, physical, width, value) : load(data, physical, width, signShift);
    return isAnswered ? OUTCOME.done : faultAt(isStore, base, imm);
  }

  return {
    runEntry(entry) {
      const fields = all[entry >>> 2] ?? 0;
      const operation = fields & 0xff;
      const isDeviceLoad = operation === FIXED_NUMBER["device-load"];
      const form = FORMS[isDeviceLoad ? (fields >>> (8 * ENTRY.rs2)) & 0xff : (bytes[forms + operation] ?? 0)] ?? null;
      if (form === null) return OUTCOME.unknown;
      const packed = all[(entry + ENTRY.imm) >>> 2] ?? 0;
      const data = (fields >>> (8 * (form.isStore ? ENTRY.rs2 : ENTRY.rd))) & 0xff;
      const outcome = run(form, (fields >>> (8 * ENTRY.rs1)) & 0xff, data, packed >> 8);
      if (outcome === OUTCOME.done) stepOver((packed & 0xff) >>> ENTRY_SHIFT);
      return outcome;
    },
    siteOf({ mnemonic, rd, rs1, rs2, imm, length }) {
      const form = formOfMnemonic(mnemonic);
      // What is loaded into x0 goes nowhere.
      if (form === null || (!form.isStore && rd === 0)) return null;
      return { form, base: rs1 * REGISTER_BYTES, data: (form.isStore ? rs2 : rd) * REGISTER_BYTES, imm, length };
    },
    accessAt({ form: { isStore, width, signShift }, base, data, imm }, physical, value) {
      const isAnswered = isStore ? store(data, physical, width, value) : load(data, physical, width, signShift);
      return isAnswered ? OUTCOME.done : faultAt(isStore, base, imm);
    },
    stepOver,
    faultAddress: () => (BigInt(fault.high >>> 0) << 32n) | BigInt(fault.low >>> 0),
  };
}
