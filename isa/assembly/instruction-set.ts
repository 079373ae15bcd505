// The outside face of an instruction set's text tools, the same for all of them, so that the compiler and the debug listings hold
// them in one record. Every isa/NAME/assemble.ts, relocations.ts and disassemble.ts has these functions with its own relocation
// kinds; what a kind means is known to that instruction set and to nobody else.

import type { Address } from "./address.ts";

export interface AssemblyProblem {
  readonly line: number;
  readonly column: number;
  readonly length: number;
  readonly message: string;
  readonly help?: string;
}

export interface AssembleOptions {
  /** Address of the first byte, for `.8byte label` and for branches to a number. */
  readonly origin?: bigint;
  /** Constants that the text may use by name. */
  readonly constants?: ReadonlyMap<string, bigint>;
  /** Names that may stay open and become relocations; absent: every name must be known. */
  readonly isOutsideSymbol?: (name: string) => boolean;
  /** Without an origin: addresses of labels become relocations of `TEXT_START`, so that the bytes can be put anywhere. */
  readonly isRelocatable?: boolean;
}

/** The symbol of the first byte, in relocations. No label can have this name. */
export const TEXT_START = ".";

/** A place in the bytes that depends on where a symbol is. */
export interface Relocation<Kind extends string = string> {
  /** Byte offset of the field's instruction or datum. */
  readonly offset: number;
  readonly kind: Kind;
  readonly symbol: string;
  readonly addend: bigint;
}

export type Assembly<Kind extends string = string> =
  | {
      readonly ok: true;
      readonly bytes: Uint8Array;
      /** Byte offsets. */
      readonly labels: ReadonlyMap<string, number>;
      readonly relocations: readonly Relocation<Kind>[];
      /** Which source line the bytes from an offset on come from. */
      readonly lines: readonly { readonly offset: number; readonly line: number }[];
    }
  | { readonly ok: false; readonly problems: readonly AssemblyProblem[] };

/**
 * Puts a symbol's address, addend included, into the field at `offset`, whose own address is `place`.
 * The answer tells what is wrong when it does not fit: "is 5000 bytes away, can be -4096..4094".
 */
export type ApplyRelocation<Kind extends string> = (bytes: Uint8Array, kind: Kind, offset: number, place: Address, target: Address) => string | undefined;

export interface DisassembledLine {
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
  readonly text: string;
}

export interface DisassembleOptions {
  /** Where the first byte is; needed for `symbolAt` only. */
  readonly address?: bigint;
  /** The name of a branch target, which otherwise is written as a distance from the instruction. */
  readonly symbolAt?: (address: bigint) => string | undefined;
}

export type Disassemble = (bytes: Uint8Array, options?: DisassembleOptions) => readonly DisassembledLine[];

export interface InstructionSet {
  readonly assemble: (text: string, options?: AssembleOptions) => Assembly;
  /**
   * Written as a method, whose parameters TypeScript compares both ways, so that a function of an instruction set's own kinds is
   * one: a kind that arrives here was given by the same record's `assemble` or back end.
   */
  applyRelocation(bytes: Uint8Array, kind: string, offset: number, place: Address, target: Address): string | undefined;
  readonly disassemble: Disassemble;
}
