// Instruction words for the back end: fixed bits from the table of isa/aarch64, fields put in place without checks or lookups, for a
// compile encodes some hundred thousand of them. Whoever calls keeps immediates in range; the encodings as such are checked where the
// table is. Registers are numbers; 31 is the zero register or the stack pointer as the manual has it for each instruction.

import { packOperand } from "../../../isa/aarch64/encode.ts";
import { findInstruction, type InstructionName } from "../../../isa/aarch64/instructions.ts";

function fixedBits(name: InstructionName): number {
  const row = findInstruction(name);
  if (row === undefined) throw new Error(`isa/aarch64 has no ${name}`);
  return row.match;
}

export type TwoRegisters = (rd: number, rn: number) => number;
export type ThreeRegisters = (rd: number, rn: number, rm: number) => number;
export type Immediate = (rd: number, rn: number, imm: number) => number;
export type Memory = (rt: number, base: number, offset: number) => number;

const two = (name: InstructionName): TwoRegisters => {
  const match = fixedBits(name);
  return (rd, rn) => match | rd | (rn << 5);
};

const three = (name: InstructionName): ThreeRegisters => {
  const match = fixedBits(name);
  return (rd, rn, rm) => match | rd | (rn << 5) | (rm << 16);
};

const four = (name: InstructionName): ((rd: number, rn: number, rm: number, ra: number) => number) => {
  const match = fixedBits(name);
  return (rd, rn, rm, ra) => match | rd | (rn << 5) | (rm << 16) | (ra << 10);
};

/** Twelve bits, of additions; 13 bits as `encodeLogicalImmediate` gives them. */
const immediate = (name: InstructionName): Immediate => {
  const match = fixedBits(name);
  return (rd, rn, imm) => match | rd | (rn << 5) | (imm << 10);
};

const bitfield = (name: InstructionName): ((rd: number, rn: number, immr: number, imms: number) => number) => {
  const match = fixedBits(name);
  return (rd, rn, immr, imms) => match | rd | (rn << 5) | (immr << 16) | (imms << 10);
};

/** The last operand extended from a narrower width first. */
const extended = (name: InstructionName): ((rd: number, rn: number, rm: number, extend: number) => number) => {
  const match = fixedBits(name);
  return (rd, rn, rm, extend) => match | rd | (rn << 5) | (rm << 16) | (extend << 13);
};

const conditional = (name: InstructionName): ((rd: number, rn: number, rm: number, condition: number) => number) => {
  const match = fixedBits(name);
  return (rd, rn, rm, condition) => match | rd | (rn << 5) | (rm << 16) | (condition << 12);
};

/** An offset in units of the datum; the caller has divided it. */
const scaled = (name: InstructionName): Memory => {
  const match = fixedBits(name);
  return (rt, base, units) => match | rt | (base << 5) | (units << 10);
};

/** A signed offset of nine bits. */
const unscaled = (name: InstructionName): Memory => {
  const match = fixedBits(name);
  return (rt, base, offset) => match | rt | (base << 5) | ((offset & 0x1ff) << 12);
};

/** Two registers of eight bytes at a signed multiple of eight. */
const pair = (name: InstructionName): ((rt: number, rt2: number, base: number, offset: number) => number) => {
  const match = fixedBits(name);
  return (rt, rt2, base, offset) => match | rt | (rt2 << 10) | (base << 5) | (((offset >> 3) & 0x7f) << 15);
};

const exclusive = (name: InstructionName): ThreeRegisters => {
  const match = fixedBits(name);
  return (status, rt, base) => match | rt | (base << 5) | (status << 16);
};

const wide = (name: InstructionName): ((rd: number, imm: number, halfword: number) => number) => {
  const match = fixedBits(name);
  return (rd, imm, halfword) => match | rd | (imm << 5) | (halfword << 21);
};

const targetOf = (name: InstructionName) => {
  const operand = findInstruction(name)?.operands.find(([each]) => each === "target");
  if (operand === undefined) throw new Error(`${name} has no target`);
  return operand[1];
};

const SHORT_TARGET = targetOf("b-cond");
const BIT_TARGET = targetOf("tbz-w");
const ADR_TARGET = targetOf("adr");

const B = fixedBits("b");
const BL = fixedBits("bl");
const B_COND = fixedBits("b-cond");
const TBZ = fixedBits("tbz-w");
const TBNZ = fixedBits("tbnz-w");
const BLR = fixedBits("blr");
const BR = fixedBits("br");
const RET = fixedBits("ret");
const BRK = fixedBits("brk");
const DMB = fixedBits("dmb");
const ADR = fixedBits("adr");
const ADRP = fixedBits("adrp");
const MRS = fixedBits("mrs");
const MSR = fixedBits("msr");

const compareZero = (name: InstructionName): ((rt: number) => number) => {
  const match = fixedBits(name);
  return (rt) => match | rt;
};

/** Conditions of C1.2.4; the inverse of one differs in bit 0. */
export const CONDITION = { eq: 0, ne: 1, hs: 2, lo: 3, mi: 4, pl: 5, hi: 8, ls: 9, ge: 10, lt: 11, gt: 12, le: 13 } as const;

export const EXTEND = { uxtx: 3, sxtb: 4, sxth: 5 } as const;

/** Each instruction of a 32-bit and a 64-bit register. */
const both = <T>(make: (name: InstructionName) => T, word: InstructionName, wideName: InstructionName): { readonly w: T; readonly x: T } => ({
  w: make(word),
  x: make(wideName),
});

export const enc = {
  add: both(three, "add-shifted-w", "add-shifted-x"),
  sub: both(three, "sub-shifted-w", "sub-shifted-x"),
  and: both(three, "and-shifted-w", "and-shifted-x"),
  orr: both(three, "orr-shifted-w", "orr-shifted-x"),
  orn: both(three, "orn-shifted-w", "orn-shifted-x"),
  eor: both(three, "eor-shifted-w", "eor-shifted-x"),
  subs: both(three, "subs-shifted-w", "subs-shifted-x"),
  addImm: both(immediate, "add-imm-w", "add-imm-x"),
  subImm: both(immediate, "sub-imm-w", "sub-imm-x"),
  addsImm: both(immediate, "adds-imm-w", "adds-imm-x"),
  subsImm: both(immediate, "subs-imm-w", "subs-imm-x"),
  andImm: both(immediate, "and-imm-w", "and-imm-x"),
  orrImm: both(immediate, "orr-imm-w", "orr-imm-x"),
  eorImm: both(immediate, "eor-imm-w", "eor-imm-x"),
  andsImm: both(immediate, "ands-imm-w", "ands-imm-x"),
  /** The stack pointer can be the first operand of these. */
  subExt64: extended("sub-ext64-x"),
  addExt64: extended("add-ext64-x"),
  subsExt64: extended("subs-ext64-x"),
  subsExt: extended("subs-ext-w"),
  lslv: both(three, "lslv-w", "lslv-x"),
  lsrv: both(three, "lsrv-w", "lsrv-x"),
  asrv: both(three, "asrv-w", "asrv-x"),
  rorv: both(three, "rorv-w", "rorv-x"),
  udiv: both(three, "udiv-w", "udiv-x"),
  sdiv: both(three, "sdiv-w", "sdiv-x"),
  madd: both(four, "madd-w", "madd-x"),
  msub: both(four, "msub-w", "msub-x"),
  smaddl: four("smaddl"),
  umaddl: four("umaddl"),
  smulh: three("smulh"),
  umulh: three("umulh"),
  ubfm: both(bitfield, "ubfm-w", "ubfm-x"),
  sbfm: both(bitfield, "sbfm-w", "sbfm-x"),
  bfm: both(bitfield, "bfm-w", "bfm-x"),
  extr: both(bitfield, "extr-w", "extr-x"),
  rbit: both(two, "rbit-w", "rbit-x"),
  clz: both(two, "clz-w", "clz-x"),
  rev: both(two, "rev-w", "rev-x"),
  rev16: two("rev16-w"),
  csel: both(conditional, "csel-w", "csel-x"),
  csinc: both(conditional, "csinc-w", "csinc-x"),
  movz: both(wide, "movz-w", "movz-x"),
  movn: both(wide, "movn-w", "movn-x"),
  movk: both(wide, "movk-w", "movk-x"),
  loadScaled: { 8: scaled("ldrb-imm-w"), 16: scaled("ldrh-imm-w"), 32: scaled("ldr-imm-w"), 64: scaled("ldr-imm-x") },
  loadUnscaled: { 8: unscaled("ldurb-w"), 16: unscaled("ldurh-w"), 32: unscaled("ldur-w"), 64: unscaled("ldur-x") },
  storeScaled: { 8: scaled("strb-imm-w"), 16: scaled("strh-imm-w"), 32: scaled("str-imm-w"), 64: scaled("str-imm-x") },
  storeUnscaled: { 8: unscaled("sturb-w"), 16: unscaled("sturh-w"), 32: unscaled("stur-w"), 64: unscaled("stur-x") },
  loadLiteral: both(compareZero, "ldr-literal-w", "ldr-literal-x"),
  loadAcquire: { 8: two("ldarb-w"), 16: two("ldarh-w"), 32: two("ldar-w"), 64: two("ldar-x") },
  storeRelease: { 8: two("stlrb-w"), 16: two("stlrh-w"), 32: two("stlr-w"), 64: two("stlr-x") },
  loadExclusive: { 8: two("ldaxrb-w"), 16: two("ldaxrh-w"), 32: two("ldaxr-w"), 64: two("ldaxr-x") },
  storeExclusive: { 8: exclusive("stlxrb-w"), 16: exclusive("stlxrh-w"), 32: exclusive("stlxr-w"), 64: exclusive("stlxr-x") },
  ldp: pair("ldp-imm-x"),
  stp: pair("stp-imm-x"),
  ldpPost: pair("ldp-post-x"),
  stpPre: pair("stp-pre-x"),
  loadPost: unscaled("ldr-post-x"),
  storePre: unscaled("str-pre-x"),
  cbz: both(compareZero, "cbz-w", "cbz-x"),
  cbnz: both(compareZero, "cbnz-w", "cbnz-x"),
  /** Bit 0..31 of a register. */
  tbz: (rt: number, bit: number): number => TBZ | rt | (bit << 19),
  tbnz: (rt: number, bit: number): number => TBNZ | rt | (bit << 19),
  bCond: (condition: number): number => B_COND | condition,
  b: B,
  bl: BL,
  br: (rn: number): number => BR | (rn << 5),
  blr: (rn: number): number => BLR | (rn << 5),
  ret: RET | (30 << 5),
  brk: (imm: number): number => BRK | (imm << 5),
  /** DMB ISH is enough among CPUs, but not for devices: full system. */
  dmb: DMB | (15 << 8),
  adr: (rd: number): number => ADR | rd,
  adrp: (rd: number): number => ADRP | rd,
  mrs: (rt: number, system: number): number => MRS | rt | (system << 5),
  msr: (system: number, rt: number): number => MSR | rt | (system << 5),
  /** Distances to put into instructions that are written by hand. */
  shortDistance: (bytes: number): number => packOperand(SHORT_TARGET, bytes),
  bitDistance: (bytes: number): number => packOperand(BIT_TARGET, bytes),
  adrDistance: (bytes: number): number => packOperand(ADR_TARGET, bytes),
} as const;
