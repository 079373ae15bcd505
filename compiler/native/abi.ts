// Numbers that compiled code, entry assembly and the guest library agree on (docs/native.md, 3 to 6). The library has them as
// structs, assembly as constants; the linker refuses an image whose library says otherwise.

import type { ScalarType, Signature } from "../../isa/bytecode/module.ts";

/** Offsets in a CPU block. */
export const CPU_BLOCK = { self: 0, id: 8, stackLimit: 16, guard: 24, trap: 32 } as const;
export const CPU_BLOCK_SIZE = 256;

/** Frames up to this need no check of the stack limit in functions that call nothing. */
export const UNCHECKED_FRAME = 256;

/** An image is compact when its code and constants are surely less than this, and code can name all of them with short distances. */
export const COMPACT_SIZE = 1 << 19;

/** Bytes of machine code for an instruction of the bytecode: more than on any target on average. */
export const CODE_PER_INSTRUCTION = 16;

/** Stack between who enters a guard and what it guards, for the report of a trap: the stack of what trapped stays as it was. */
export const GUARD_SPARE = 1024;

/** How many loops and calls a CPU makes between two polls. */
export const FUEL = 65536;

/** Digits of a signature's number, from 1: the types, and what stands between parameters and results. */
const SIGNATURE_DIGITS: Readonly<Record<ScalarType | ">", number>> = { i8: 1, i16: 2, i32: 3, i64: 4, addr: 5, ">": 6 };
/** All signatures of up to five types have a number of their own, below this: six digits to the base of 6. */
const LONG_SIGNATURES = 55_987;

/** Of 16 bits, by the signature alone: code that has it in it is the same in every image. Longer ones share what is left. */
export function signatureNumber({ params, results }: Signature): number {
  const digits = [...params, ">" as const, ...results].map((type) => SIGNATURE_DIGITS[type]);
  if (digits.length <= 6) return digits.reduce((number, digit) => 6 * number + digit, 0);
  // FNV-1a.
  const hash = digits.reduce((sum, digit) => Math.imul(sum ^ digit, 0x0100_0193) >>> 0, 0x811c_9dc5);
  return LONG_SIGNATURES + (hash % (0x1_0000 - LONG_SIGNATURES));
}

/** The word before a function whose address is taken. */
export function signatureWord(signature: Signature): number {
  return (0x6a51_0000 | signatureNumber(signature)) >>> 0;
}

/** What a trap instruction carries, of 8 bits; see `trapPayload`. */
export interface SoftwareTrap {
  /** Number of the class. */
  readonly class: number;
  /** 0 none, 1 read, 2 write, 3 execute. */
  readonly access: number;
  /** Bytes of the access; 0 and 1 are told alike. */
  readonly width: number;
}

/** A trap instruction that was read back. */
export interface TrapData {
  readonly payload: number;
  /** Bytes behind the instruction that carry it and are none. */
  readonly dataLength: number;
}

/** Null: at this offset is another instruction. */
export type ReadTrap = (code: DataView, offset: number) => TrapData | null;

/** Class in bits 3:0, access in 5:4, log2 of the width in 7:6. */
export function trapPayload({ class: trapClass, access, width }: SoftwareTrap): number {
  return trapClass | (access << 4) | (Math.max(0, Math.log2(width || 1)) << 6);
}

/** Bits 31:16 of the 32-bit payloads, and bits 15:8 of the 16-bit one. */
export const TRAP_MARK = { word: 0x4753, half: 0xd7 } as const;
