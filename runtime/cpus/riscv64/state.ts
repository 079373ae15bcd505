// Where the CPU's state lies in the machine's memory, behind RAM and dirty map: offsets from `GuestMemory.stateOffset`, which generated
// code and TypeScript share. The registers of the hart that runs are always at the same place, so that generated code addresses them
// by constants; `parkedBlock` holds those of the others, and a change of turn copies one kilobyte each way.

/** Of the block of registers that is active. */
export const CELL = {
  /** 32 integer registers; the first stays 0. */
  x: 0,
  /** 32 floating-point registers, narrower values boxed. */
  f: 256,
  /** i64. */
  pc: 512,
  /** i32: instructions until the interpreter returns. */
  budget: 520,
  /** i32: address of the active hart's translation caches. */
  tlb: 524,
  /** i32: 3 if floating-point registers may be written without telling anybody (mstatus.FS is Dirty). */
  floatState: 528,
  /** i64: address of the reservation, or `NO_RESERVATION`; beside it the value that was read. */
  reservation: 536,
  reserved: 544,
} as const;

export const BLOCK_BYTES = 0x400;
export const MAX_HARTS = 8;

/** An address that no aligned access has. */
export const NO_RESERVATION = 1n;

export const parkedBlock = (hart: number): number => (hart + 1) * BLOCK_BYTES;

/** Virtual page to RAM offset, for reads and for writes: {tag i64, addend i32, unused}. Hit: page and alignment equal the tag. */
export const TLB = {
  entries: 256,
  entryBytes: 16,
  tag: 0,
  addend: 8,
  read: 0,
  write: 0x1000,
  /** Virtual page to decoded page: {tag i64, address i32, unused}. */
  code: 0x2000,
  codeEntries: 64,
  bytes: 0x2400,
} as const;

/** Every byte of an empty entry: no page has all ones as its tag, since the tag of an access has zeros below its page. */
export const EMPTY_BYTE = 0xff;

/** Sets of caches that a hart has, so that a change of mode empties none: U, S, M with MPRV, M. */
export const TLB_SETS = { user: 0, supervisor: 1, modified: 2, machine: 3 } as const;
export const TLB_SET_COUNT = 4;

export const tlbOffset = (hart: number, set: number): number => 0x4000 + (hart * TLB_SET_COUNT + set) * TLB.bytes;

/**
 * Decoded pages: an entry of 8 bytes for every halfword, so that a position in the code is a position here, and two behind the last
 * for what runs off the page: {operation u8, rd u8, rs1 u8, rs2 u8, step u8, imm i24}. Registers are given as byte offsets.
 * `step` is the distance to the next instruction's entry.
 */
export const ENTRY = { operation: 0, rd: 1, rs1: 2, rs2: 3, step: 4, imm: 4, bytes: 8 } as const;
export const ENTRIES_PER_PAGE = 2048;
export const SLOT_BYTES = (ENTRIES_PER_PAGE + 4) * ENTRY.bytes;
export const SLOTS = 256;
export const SLOTS_OFFSET = 0x5_0000;
/** Entry bytes per code byte, as a shift. */
export const ENTRY_SHIFT = 2;
