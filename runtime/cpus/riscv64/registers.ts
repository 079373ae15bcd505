// The registers that generated code uses, as TypeScript sees them: a view of the state memory in which the running hart's block is at
// its fixed place and the others are parked (state.ts).

import type { RegisterWidth } from "../../../isa/riscv64/by-width.ts";
import type { GuestMemory } from "../../machine/cpu-contract.ts";
import { BLOCK_BYTES, CELL, CSR_FIELDS, csrCell, NO_RESERVATION, parkedBlock, TLB, tlbOffset, type CsrField } from "./state.ts";

export interface RegisterFile {
  /** The hart whose block is active. */
  readonly active: () => number;
  readonly activate: (hart: number) => void;
  /** Unsigned, of the registers' width. */
  readonly x: (hart: number, register: number) => bigint;
  readonly setX: (hart: number, register: number, value: bigint) => void;
  readonly f: (hart: number, register: number) => bigint;
  readonly setF: (hart: number, register: number, value: bigint) => void;
  readonly pc: (hart: number) => bigint;
  readonly setPc: (hart: number, value: bigint) => void;
  /** Control registers and mode of a hart, live. */
  readonly control: (hart: number) => ControlCells;
  /** Cells of the active block. */
  readonly budget: () => number;
  readonly setBudget: (value: number) => void;
  readonly setQuiet: (value: boolean) => void;
  /** What counters are read from (`CELL.instructionsEnd` and those after it). */
  readonly setCounts: (instructionsEnd: number, timeEnd: number, timeOffset: bigint, countLength: number) => void;
  /** The set of translation caches (`TLB_SETS`) in which the active hart looks. */
  readonly setTlb: (set: number) => void;
  /** Address of that set. */
  readonly tlb: () => number;
  readonly reservation: () => { readonly address: bigint; readonly value: bigint };
  readonly reserve: (address: bigint, value: bigint) => void;
  readonly dropReservation: (hart: number) => void;
  readonly save: (hart: number) => Uint8Array;
  readonly load: (hart: number, block: Uint8Array) => void;
  readonly clear: () => void;
}

/**
 * Control registers and mode of one hart. A class, so that all harts of all machines have one shape: code that reads these would otherwise
 * have to find out each time which one it has.
 */
export class ControlCells {
  private readonly wide: BigUint64Array;
  private readonly words: Int32Array;
  private readonly turn: { readonly active: number };
  private readonly parked: number;
  private readonly hart: number;

  constructor(wide: BigUint64Array, words: Int32Array, turn: { readonly active: number }, hart: number) {
    this.wide = wide;
    this.words = words;
    this.turn = turn;
    this.hart = hart;
    this.parked = parkedBlock(hart);
  }

  private at(cell: number): number {
    return this.hart === this.turn.active ? cell : this.parked + cell;
  }

  get(cell: number): bigint {
    return this.wide[this.at(cell) >>> 3] ?? 0n;
  }

  set(cell: number, value: bigint): void {
    this.wide[this.at(cell) >>> 3] = value;
  }

  get mode(): number {
    return this.words[this.at(CELL.mode) >>> 2] ?? 0;
  }

  set mode(value: number) {
    this.words[this.at(CELL.mode) >>> 2] = value;
  }
}

/** The same by name. */
export type CsrRecord = Record<CsrField, bigint>;

const CSR_ACCESSORS: object = Object.defineProperties(
  {},
  Object.fromEntries(
    CSR_FIELDS.map((field): readonly [CsrField, PropertyDescriptor & ThisType<{ readonly cells: ControlCells }>] => {
      const cell = csrCell(field);
      return [
        field,
        {
          get() {
            return this.cells.get(cell);
          },
          set(value: bigint) {
            this.cells.set(cell, value);
          },
        },
      ];
    }),
  ),
);

export function nameCells(cells: ControlCells): CsrRecord {
  return Object.assign(Object.create(CSR_ACCESSORS) as CsrRecord, { cells });
}

/** `answered`: the modes whose environment calls somebody answers, as `CELL.answered` has them. */
export function createRegisterFile(memory: GuestMemory, hartCount: number, width: RegisterWidth = 64, answered = 0): RegisterFile {
  const { stateOffset, bytes } = memory;
  const wide = new BigUint64Array(memory.memory.buffer, stateOffset, ((hartCount + 1) * BLOCK_BYTES) / 8);
  const words = new Int32Array(memory.memory.buffer, stateOffset, ((hartCount + 1) * BLOCK_BYTES) / 4);
  const turn = { active: 0 };

  const blockOf = (hart: number): number => (hart === turn.active ? 0 : parkedBlock(hart));
  const read = (hart: number, cell: number): bigint => wide[(blockOf(hart) + cell) >>> 3] ?? 0n;
  const write = (hart: number, cell: number, value: bigint): void => {
    wide[(blockOf(hart) + cell) >>> 3] = value;
  };

  /** Of the active block: a whole number as 64 bits, without a BigInt on the way. */
  const setLong = (cell: number, value: number): void => {
    words[cell >>> 2] = value;
    words[(cell >>> 2) + 1] = Math.floor(value / 0x1_0000_0000);
  };
  const setWord = (hart: number, cell: number, value: number): void => {
    words[(blockOf(hart) + cell) >>> 2] = value;
  };

  return {
    active: () => turn.active,
    activate(hart) {
      if (hart === turn.active) return;
      bytes.copyWithin(stateOffset + parkedBlock(turn.active), stateOffset, stateOffset + BLOCK_BYTES);
      turn.active = hart;
      bytes.copyWithin(stateOffset, stateOffset + parkedBlock(hart), stateOffset + parkedBlock(hart) + BLOCK_BYTES);
    },
    x: (hart, register) => BigInt.asUintN(width, read(hart, CELL.x + register * 8)),
    setX(hart, register, value) {
      // RV32 keeps its words sign-extended, as RV64 does.
      if (register !== 0) write(hart, CELL.x + register * 8, width === 64 ? value : BigInt.asUintN(64, BigInt.asIntN(width, value)));
    },
    f: (hart, register) => read(hart, CELL.f + register * 8),
    setF: (hart, register, value) => write(hart, CELL.f + register * 8, value),
    pc: (hart) => read(hart, CELL.pc),
    setPc: (hart, value) => write(hart, CELL.pc, value),
    control: (hart) => new ControlCells(wide, words, turn, hart),
    budget: () => words[CELL.budget >>> 2] ?? 0,
    setBudget(value) {
      words[CELL.budget >>> 2] = value;
    },
    setQuiet(value) {
      words[CELL.quiet >>> 2] = value ? 1 : 0;
    },
    setCounts(instructionsEnd, timeEnd, timeOffset, countLength) {
      setLong(CELL.instructionsEnd, instructionsEnd);
      setLong(CELL.timeEnd, timeEnd);
      wide[CELL.timeOffset >>> 3] = timeOffset;
      setLong(CELL.countLength, countLength);
    },
    setTlb(set) {
      const caches = stateOffset + tlbOffset(turn.active, 0);
      words[CELL.caches >>> 2] = caches;
      words[CELL.tlb >>> 2] = caches + set * TLB.bytes;
    },
    tlb: () => words[CELL.tlb >>> 2] ?? 0,
    reservation: () => ({ address: wide[CELL.reservation >>> 3] ?? NO_RESERVATION, value: wide[CELL.reserved >>> 3] ?? 0n }),
    reserve(address, value) {
      wide[CELL.reservation >>> 3] = address;
      wide[CELL.reserved >>> 3] = value;
    },
    dropReservation: (hart) => write(hart, CELL.reservation, NO_RESERVATION),
    save: (hart) => bytes.slice(stateOffset + blockOf(hart), stateOffset + blockOf(hart) + BLOCK_BYTES),
    load(hart, block) {
      bytes.set(block, stateOffset + blockOf(hart));
      setWord(hart, CELL.answered, answered);
    },
    clear() {
      turn.active = 0;
      wide.fill(0n);
      for (let hart = 0; hart < hartCount; hart++) {
        write(hart, CELL.reservation, NO_RESERVATION);
        setWord(hart, CELL.answered, answered);
      }
    },
  };
}
