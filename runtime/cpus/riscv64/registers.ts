// The registers that generated code uses, as TypeScript sees them: a view of the state memory in which the running hart's block is at
// its fixed place and the others are parked (state.ts).

import type { GuestMemory } from "../../machine/cpu-contract.ts";
import { BLOCK_BYTES, CELL, NO_RESERVATION, parkedBlock } from "./state.ts";

export interface RegisterFile {
  /** The hart whose block is active. */
  readonly active: () => number;
  readonly activate: (hart: number) => void;
  readonly x: (hart: number, register: number) => bigint;
  readonly setX: (hart: number, register: number, value: bigint) => void;
  readonly f: (hart: number, register: number) => bigint;
  readonly setF: (hart: number, register: number, value: bigint) => void;
  readonly pc: (hart: number) => bigint;
  readonly setPc: (hart: number, value: bigint) => void;
  readonly setFloatState: (hart: number, value: number) => void;
  /** Cells of the active block. */
  readonly budget: () => number;
  readonly setBudget: (value: number) => void;
  readonly setTlb: (address: number) => void;
  readonly reservation: () => { readonly address: bigint; readonly value: bigint };
  readonly reserve: (address: bigint, value: bigint) => void;
  readonly dropReservation: (hart: number) => void;
  readonly save: (hart: number) => Uint8Array;
  readonly load: (hart: number, block: Uint8Array) => void;
  readonly clear: () => void;
}

export function createRegisterFile(memory: GuestMemory, hartCount: number): RegisterFile {
  const { stateOffset, bytes } = memory;
  const wide = new BigUint64Array(memory.memory.buffer, stateOffset, ((hartCount + 1) * BLOCK_BYTES) / 8);
  const words = new Int32Array(memory.memory.buffer, stateOffset, ((hartCount + 1) * BLOCK_BYTES) / 4);
  let active = 0;

  const blockOf = (hart: number): number => (hart === active ? 0 : parkedBlock(hart));
  const read = (hart: number, cell: number): bigint => wide[(blockOf(hart) + cell) >>> 3] ?? 0n;
  const write = (hart: number, cell: number, value: bigint): void => {
    wide[(blockOf(hart) + cell) >>> 3] = value;
  };

  return {
    active: () => active,
    activate(hart) {
      if (hart === active) return;
      bytes.copyWithin(stateOffset + parkedBlock(active), stateOffset, stateOffset + BLOCK_BYTES);
      active = hart;
      bytes.copyWithin(stateOffset, stateOffset + parkedBlock(hart), stateOffset + parkedBlock(hart) + BLOCK_BYTES);
    },
    x: (hart, register) => read(hart, CELL.x + register * 8),
    setX(hart, register, value) {
      if (register !== 0) write(hart, CELL.x + register * 8, value);
    },
    f: (hart, register) => read(hart, CELL.f + register * 8),
    setF: (hart, register, value) => write(hart, CELL.f + register * 8, value),
    pc: (hart) => read(hart, CELL.pc),
    setPc: (hart, value) => write(hart, CELL.pc, value),
    setFloatState(hart, value) {
      words[(blockOf(hart) + CELL.floatState) >>> 2] = value;
    },
    budget: () => words[CELL.budget >>> 2] ?? 0,
    setBudget(value) {
      words[CELL.budget >>> 2] = value;
    },
    setTlb(address) {
      words[CELL.tlb >>> 2] = address;
    },
    reservation: () => ({ address: wide[CELL.reservation >>> 3] ?? NO_RESERVATION, value: wide[CELL.reserved >>> 3] ?? 0n }),
    reserve(address, value) {
      wide[CELL.reservation >>> 3] = address;
      wide[CELL.reserved >>> 3] = value;
    },
    dropReservation: (hart) => write(hart, CELL.reservation, NO_RESERVATION),
    save: (hart) => bytes.slice(stateOffset + blockOf(hart), stateOffset + blockOf(hart) + BLOCK_BYTES),
    load: (hart, block) => bytes.set(block, stateOffset + blockOf(hart)),
    clear() {
      active = 0;
      wide.fill(0n);
      for (let hart = 0; hart < hartCount; hart++) write(hart, CELL.reservation, NO_RESERVATION);
    },
  };
}
