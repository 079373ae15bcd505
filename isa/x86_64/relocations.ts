// Places in assembled bytes that depend on where a symbol is. The assembler patches those that it can resolve with the same
// function that the image linker uses for the rest, so there is one reading of every field. As in ELF, `place` is the field's own
// address and the addend carries the way from the field to the end of the instruction, from which the processor counts.
// The kinds are R_X86_64_64, 32, 32S, 16, PC32, PC16 and PC8 of the System V AMD64 ABI, 4.4.1.

import { distanceBetween, putAddress64, viewOf, type Address } from "../assembly/address.ts";
import type { RelocationReach } from "../assembly/output.ts";

/** `absolute32s` is sign-extended to 64 bits, `absolute32` zero-extended. */
export const RELOCATION_REACHES = {
  absolute64: "address",
  absolute32: "address",
  absolute32s: "address",
  absolute16: "address",
  relative32: "distance",
  relative16: "distance",
  relative8: "distance",
} as const satisfies Readonly<Record<string, RelocationReach>>;

export type RelocationKind = keyof typeof RELOCATION_REACHES;

const FIELDS: Readonly<Record<RelocationKind, { readonly bytes: 1 | 2 | 4 | 8; readonly isSigned: boolean }>> = {
  absolute64: { bytes: 8, isSigned: false },
  absolute32: { bytes: 4, isSigned: false },
  absolute32s: { bytes: 4, isSigned: true },
  absolute16: { bytes: 2, isSigned: false },
  relative32: { bytes: 4, isSigned: true },
  relative16: { bytes: 2, isSigned: true },
  relative8: { bytes: 1, isSigned: true },
};

/**
 * Puts a symbol's address, addend included, into the field at `offset`, whose own address is `place`.
 * The answer tells what is wrong when it does not fit: "is 5000 bytes away, can be -128..127".
 */
export function applyRelocation(bytes: Uint8Array, kind: RelocationKind, offset: number, place: Address, target: Address): string | undefined {
  const { bytes: width, isSigned } = FIELDS[kind];
  if (width === 8) {
    putAddress64(viewOf(bytes), offset, target);
    return undefined;
  }
  const isDistance = RELOCATION_REACHES[kind] === "distance";
  // Addresses wrap at 64 bits, so the top of the address space is also reached by negative numbers.
  const value = isDistance ? distanceBetween(place, target) : isSigned && typeof target === "bigint" ? BigInt.asIntN(64, target) : target;
  const range = 2 ** (8 * width);
  const least = isSigned ? -range / 2 : 0;
  const most = least + range - 1;
  if (value < least || value > most) {
    return isDistance
      ? `is ${value} bytes away, can be ${least}..${most}`
      : `is at 0x${BigInt.asUintN(64, BigInt(value)).toString(16)}, which does not fit ${8 * width} bits`;
  }
  const field = Number(value);
  for (let byte = 0; byte < width; byte++) bytes[offset + byte] = field >>> (8 * byte);
  return undefined;
}
