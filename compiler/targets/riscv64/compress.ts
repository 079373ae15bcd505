// Instruction words in half the room where the C extension has a form for them (Volume I, 20191213, 16): a third of an image's code. Only forms
// whose fields are final are here; branches, jumps and addresses are filled in by relocations later and stay as long as they are.

import type { Emission } from "../../native/emission.ts";

/** Writes an instruction, in its short form if it has one. Code that counts bytes uses `Emission.word`. */
export function put(e: Emission, word: number): void {
  const short = compress(word);
  if (short === null) e.word(word);
  else e.half(short);
}

const SP = 2;

/** x8 to x15 have a field of three bits (table 16.2). */
const isPopular = (register: number): boolean => register >= 8 && register <= 15;
/** Such a field, in bits 9:7 and in 4:2. */
const upper = (register: number): number => (register & 7) << 7;
const lower = (register: number): number => (register & 7) << 2;

/** Bits `high` to `low` of a value, moved to begin at bit `to`. */
const bits = (value: number, high: number, low: number, to: number): number => ((value >> low) & ((1 << (high - low + 1)) - 1)) << to;

/** The immediate of CI (16.2): bit 5 in 12, bits 4:0 in 6:2. */
const ci = (imm: number): number => bits(imm, 5, 5, 12) | bits(imm, 4, 0, 2);

const isSmall = (imm: number): boolean => imm >= -32 && imm <= 31;

const isScaled = (offset: number, size: number, limit: number): boolean => offset >= 0 && offset <= limit && offset % size === 0;

/** addi, with li, mv and the forms for the stack pointer (16.5). */
function compressAddi(rd: number, rs1: number, imm: number): number | null {
  if (rd === 0) return null;
  if (rs1 === 0) return isSmall(imm) ? 0x4001 | (rd << 7) | ci(imm) : null;
  if (imm === 0) return rd === rs1 ? null : 0x8002 | (rd << 7) | (rs1 << 2);
  if (rd === rs1 && isSmall(imm)) return 0x0001 | (rd << 7) | ci(imm);
  if (rd === SP && rs1 === SP && imm % 16 === 0 && imm >= -512 && imm <= 496) {
    return 0x6101 | bits(imm, 9, 9, 12) | bits(imm, 4, 4, 6) | bits(imm, 6, 6, 5) | bits(imm, 8, 7, 3) | bits(imm, 5, 5, 2);
  }
  if (rs1 === SP && isPopular(rd) && isScaled(imm, 4, 1020)) {
    return bits(imm, 5, 4, 11) | bits(imm, 9, 6, 7) | bits(imm, 2, 2, 6) | bits(imm, 3, 3, 5) | lower(rd);
  }
  return null;
}

function compressImmediate(funct3: number, rd: number, rs1: number, imm: number): number | null {
  if (funct3 === 0) return compressAddi(rd, rs1, imm);
  if (rd !== rs1 || rd === 0) return null;
  const shift = imm & 0x3f;
  switch (funct3) {
    case 1:
      return shift === 0 ? null : 0x0002 | (rd << 7) | ci(shift);
    case 5:
      return shift === 0 || !isPopular(rd) ? null : 0x8001 | ((imm & 0x400) === 0 ? 0 : 0x0400) | upper(rd) | ci(shift);
    case 7:
      return isSmall(imm) && isPopular(rd) ? 0x8801 | upper(rd) | ci(imm) : null;
    default:
      return null;
  }
}

/** Register operations, by opcode, funct7 and funct3 (16.5): the form, and whether operands may change places. */
const REGISTER_FORMS: ReadonlyMap<number, readonly [form: number, isCommutative: boolean]> = new Map([
  [registerKey(0x33, 0x20, 0), [0x8c01, false]],
  [registerKey(0x33, 0, 4), [0x8c21, true]],
  [registerKey(0x33, 0, 6), [0x8c41, true]],
  [registerKey(0x33, 0, 7), [0x8c61, true]],
  [registerKey(0x3b, 0x20, 0), [0x9c01, false]],
  [registerKey(0x3b, 0, 0), [0x9c21, true]],
]);

function registerKey(opcode: number, funct7: number, funct3: number): number {
  return (opcode << 10) | (funct7 << 3) | funct3;
}

function compressRegisters(opcode: number, word: number, rd: number, rs1: number, rs2: number): number | null {
  const funct7 = word >>> 25;
  const funct3 = (word >> 12) & 7;
  if (opcode === 0x33 && funct7 === 0 && funct3 === 0) {
    if (rd === 0 || rs2 === 0) return null;
    if (rs1 === 0) return 0x8002 | (rd << 7) | (rs2 << 2);
    if (rd === rs1) return 0x9002 | (rd << 7) | (rs2 << 2);
    return rd === rs2 ? 0x9002 | (rd << 7) | (rs1 << 2) : null;
  }
  const [form, isCommutative] = REGISTER_FORMS.get(registerKey(opcode, funct7, funct3)) ?? [0, false];
  if (form === 0 || !isPopular(rd)) return null;
  if (rd === rs1 && isPopular(rs2)) return form | upper(rd) | lower(rs2);
  return isCommutative && rd === rs2 && isPopular(rs1) ? form | upper(rd) | lower(rs1) : null;
}

/** Of lw, ld, sw, sd: with an unscaled offset of popular registers, `value` in bits 4:2 (16.3). */
function compressPopular(form: number, isDouble: boolean, value: number, base: number, offset: number): number | null {
  if (!isPopular(value) || !isPopular(base) || !isScaled(offset, isDouble ? 8 : 4, isDouble ? 248 : 124)) return null;
  const split = isDouble ? bits(offset, 7, 6, 5) : bits(offset, 2, 2, 6) | bits(offset, 6, 6, 5);
  return form | bits(offset, 5, 3, 10) | split | upper(base) | lower(value);
}

function compressLoad(funct3: number, rd: number, rs1: number, offset: number): number | null {
  if (funct3 !== 2 && funct3 !== 3) return null;
  const isDouble = funct3 === 3;
  if (rs1 === SP && rd !== 0) {
    if (isDouble && isScaled(offset, 8, 504)) return 0x6002 | (rd << 7) | bits(offset, 5, 5, 12) | bits(offset, 4, 3, 5) | bits(offset, 8, 6, 2);
    if (!isDouble && isScaled(offset, 4, 252)) return 0x4002 | (rd << 7) | bits(offset, 5, 5, 12) | bits(offset, 4, 2, 4) | bits(offset, 7, 6, 2);
  }
  return compressPopular(isDouble ? 0x6000 : 0x4000, isDouble, rd, rs1, offset);
}

function compressStore(funct3: number, rs2: number, rs1: number, offset: number): number | null {
  if (funct3 !== 2 && funct3 !== 3) return null;
  const isDouble = funct3 === 3;
  if (rs1 === SP) {
    if (isDouble && isScaled(offset, 8, 504)) return 0xe002 | (rs2 << 2) | bits(offset, 5, 3, 10) | bits(offset, 8, 6, 7);
    if (!isDouble && isScaled(offset, 4, 252)) return 0xc002 | (rs2 << 2) | bits(offset, 5, 2, 9) | bits(offset, 7, 6, 7);
  }
  return compressPopular(isDouble ? 0xe000 : 0xc000, isDouble, rs2, rs1, offset);
}

/** The 16 bits that do the same, or null. */
export function compress(word: number): number | null {
  const opcode = word & 0x7f;
  const rd = (word >> 7) & 31;
  const funct3 = (word >> 12) & 7;
  const rs1 = (word >> 15) & 31;
  const rs2 = (word >> 20) & 31;
  const imm = word >> 20;
  switch (opcode) {
    case 0x03:
      return compressLoad(funct3, rd, rs1, imm);
    case 0x13:
      return compressImmediate(funct3, rd, rs1, imm);
    // addiw
    case 0x1b:
      return funct3 === 0 && rd === rs1 && rd !== 0 && isSmall(imm) ? 0x2001 | (rd << 7) | ci(imm) : null;
    case 0x23:
      return compressStore(funct3, rs2, rs1, ((word >> 25) << 5) | rd);
    case 0x33:
    case 0x3b:
      return compressRegisters(opcode, word, rd, rs1, rs2);
    // lui
    case 0x37: {
      const high = word >> 12;
      return rd !== 0 && rd !== SP && high !== 0 && isSmall(high) ? 0x6001 | (rd << 7) | ci(high) : null;
    }
    // jalr without an offset: a return, an indirect call
    case 0x67:
      return imm === 0 && rs1 !== 0 && rd <= 1 ? (rd === 0 ? 0x8002 : 0x9002) | (rs1 << 7) : null;
    default:
      return null;
  }
}
