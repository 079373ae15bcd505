// Where the CPU's state lies in the machine's memory, behind RAM and dirty map: offsets from `GuestMemory.stateOffset`, which generated
// code and TypeScript share. The registers of the hart that runs are always at the same place, so that generated code addresses them
// by constants; `parkedBlock` holds those of the others, and a change of turn copies one kilobyte each way.

/** Control registers that are stored as they are read, their fixed bits apart (Volume II, 2.2); i64 each. Of mip those bits that software wrote. */
export const CSR_FIELDS = [
  "mstatus",
  "medeleg",
  "mideleg",
  "mie",
  "mip",
  "mtvec",
  "mcounteren",
  "mcountinhibit",
  "menvcfg",
  "mscratch",
  "mepc",
  "mcause",
  "mtval",
  "stvec",
  "scounteren",
  "senvcfg",
  "sscratch",
  "sepc",
  "scause",
  "stval",
  "stimecmp",
  "satp",
  "fcsr",
] as const;
export type CsrField = (typeof CSR_FIELDS)[number];

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
  /** i32: address of the first of the hart's sets of translation caches. */
  caches: 528,
  /** i64: address of the reservation, or `NO_RESERVATION`; beside it the value that was read. */
  reservation: 536,
  reserved: 544,
  /** i32: the privilege mode, by its number in the manual. */
  mode: 552,
  /** i32: 1 if no interrupt that the hart has enabled is pending, so that no change of mode or status lets one in. TypeScript keeps it. */
  quiet: 556,
  /** i32: bit n is set if environment calls of mode n are answered by somebody outside, before they trap. */
  answered: 560,
  /** The control registers, in the order of `CSR_FIELDS`. */
  csr: 576,
  /** i64: mcycle and minstret count from here; while inhibited they stand still at it. */
  cycleBase: 768,
  instretBase: 776,
  /** i64: instructions of the hart, and guest time, when the budget will be spent: less by what is left of it is how things are. */
  instructionsEnd: 784,
  timeEnd: 792,
  /** i64: what is to be added to counts of guest time for the time that CPUs read, and the length of a count in ns. */
  timeOffset: 800,
  countLength: 808,
} as const;

export const csrCell = (field: CsrField): number => CELL.csr + CSR_FIELDS.indexOf(field) * 8;

/** Cells of 32 and of 64 bits, by which descriptions of instructions name them; control registers are the others. */
export const STATE_WORDS = ["mode", "quiet", "answered"] as const;
export const STATE_LONGS = ["cycleBase", "instretBase", "instructionsEnd", "timeEnd", "timeOffset", "countLength"] as const;
export type StateName = CsrField | (typeof STATE_WORDS)[number] | (typeof STATE_LONGS)[number];

export interface StateCell {
  readonly cell: number;
  readonly isWord: boolean;
}

const STATE_CELLS: ReadonlyMap<string, StateCell> = new Map([
  ...CSR_FIELDS.map((name): readonly [StateName, StateCell] => [name, { cell: csrCell(name), isWord: false }]),
  ...STATE_LONGS.map((name): readonly [StateName, StateCell] => [name, { cell: CELL[name], isWord: false }]),
  ...STATE_WORDS.map((name): readonly [StateName, StateCell] => [name, { cell: CELL[name], isWord: true }]),
]);

export const isStateName = (name: string): name is StateName => STATE_CELLS.has(name);

export function stateCell(name: StateName): StateCell {
  const cell = STATE_CELLS.get(name);
  if (cell === undefined) throw new Error(`no cell ${name}`);
  return cell;
}

export const BLOCK_BYTES = 0x400;
export const MAX_HARTS = 8;

/** An address that no aligned access has. */
export const NO_RESERVATION = 1n;

export const parkedBlock = (hart: number): number => (hart + 1) * BLOCK_BYTES;

/**
 * Registers of devices whose reads change nothing (device-mirror.ts), by physical address; a table of `perWidth` entries for each width:
 * {address i64, value i64, offset f64, what i32, shift i32, isUsed i32}. `offset` and `what` are for the access log; a `shift` of 0 or
 * more says that the value is a mask for the counter of time, shifted so far to the right; who takes the value sets `isUsed`.
 */
export const MIRROR = {
  start: 0x2400,
  end: 0x3400,
  perWidth: 16,
  entries: 64,
  entryBytes: 64,
  address: 0,
  value: 8,
  offset: 16,
  what: 24,
  shift: 28,
  isUsed: 32,
} as const;

/** Where the table for accesses of 2 ** `power` bytes begins. */
export const mirrorTable = (power: number): number => MIRROR.start + power * MIRROR.perWidth * MIRROR.entryBytes;

/** Of a physical address, below 2^53; as generated code computes it. */
export function mirrorEntry(address: number, width: 1 | 2 | 4 | 8): number {
  const low = address | 0;
  return mirrorTable(31 - Math.clz32(width)) + ((low ^ (low >>> 2) ^ (low >>> 12)) & (MIRROR.perWidth - 1)) * MIRROR.entryBytes;
}

/** An address that leads to another entry than this. */
export const emptyMirrorAddress = (entry: number): number => ((entry - MIRROR.start) % (MIRROR.perWidth * MIRROR.entryBytes) === 0 ? 1 : 0);

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
  /**
   * Virtual page of a device to the number of the physical one: {tag i64, number u32, unused}. Apart, since RAM and devices begin at round
   * addresses and would throw each other out.
   */
  deviceRead: 0x4400,
  deviceWrite: 0x4600,
  deviceEntries: 32,
  bytes: 0x4800,
} as const;

/**
 * Within a set of translation caches, so that whatever empties those empties it: virtual pc to the region that begins there: {tag i64,
 * index in the table of functions i32, the operation that stands under it i32}. A pc has two places, of neighbours.
 */
export const REGION_CACHE = { start: 0x2400, entries: 512, entryBytes: 16, tag: 0, index: 8, under: 12 } as const;

/** The place of a device's page in its caches, by the lower half of the address. */
export const deviceIndex = (address: number): number => ((address >>> 12) ^ (address >>> 20) ^ (address >>> 25)) & (TLB.deviceEntries - 1);

/** Every byte of an empty entry: no page has all ones as its tag, since the tag of an access has zeros below its page. */
export const EMPTY_BYTE = 0xff;

/** Sets of caches that a hart has, so that a change of mode empties none: U, S, M with MPRV, M. But for the third they are modes. M comes last. */
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
/**
 * Behind the entries: where the page is in RAM, and whether the code cache wants to be asked what any of its entries is, since the bytes do
 * not say it all; i32 each. Then an entry that belongs to no instruction.
 */
export const SLOT_INFO = {
  ramOffset: (ENTRIES_PER_PAGE + 2) * ENTRY.bytes,
  asks: (ENTRIES_PER_PAGE + 2) * ENTRY.bytes + 4,
  spare: (ENTRIES_PER_PAGE + 3) * ENTRY.bytes,
} as const;
export const SLOTS = 256;
export const SLOTS_OFFSET = 0x9_4000;
/** Behind them the decoder's table (decode-table.ts). */
export const DECODER_OFFSET = SLOTS_OFFSET + Math.ceil((SLOTS * SLOT_BYTES) / 0x1000) * 0x1000;
export const TABLE_LIMIT = 0x4000;
/** Its parts: lists of rows by their key, u16 each; by operations' numbers what they access, and whether their code is there; control registers; rows. */
export const DECODER = {
  index: 0,
  /** `accessForm` of each operation. */
  forms: 0x180,
  /** Not 0: an entry may name the operation. */
  ready: 0x280,
  /** {number u16, operations that read, write, set and clear it: u8 each}, up to one that is `noCsr`. */
  csrs: 0x380,
  csrBytes: 6,
  noCsr: 0xffff,
  rows: 0x480,
} as const;
/**
 * A row: a word that is `match` under `mask` is this; its three registers as {shift, mask, what is added}; where the immediate's pieces are
 * described. Of its operations, u8 each, the second and fourth are for targets in other pages and rounding towards zero, the last two for an
 * rd of x0; of one that accesses control registers they are what is done.
 */
export const ROW = { mask: 0, match: 4, operations: 8, registers: 12, kind: 21, immediate: 22, bytes: 24 } as const;
export const ROW_KIND = { plain: 0, relative: 1, csr: 2, rounding: 3 } as const;
/**
 * Behind all else a byte for each page of RAM, for code that addresses RAM physically: whether it may store there without asking anybody.
 */
export const STORABLE_OFFSET = DECODER_OFFSET + TABLE_LIMIT;
/** Code lies in the page; it is known to be dirty, and may be stored to; it may be stored to by whoever marks it as dirty. */
export const STORABLE = { no: 0, yes: 1, undirtied: 2 } as const;
/** Entry bytes per code byte, as a shift. */
export const ENTRY_SHIFT = 2;
