// Guest bytecode as data: the shape that every reader shares (text and binary forms, verifier, interpreter, wasm translation,
// machine-code back ends). Nothing here knows JavaScript values beyond plain numbers, a host pointer or an engine: a module says
// its data layout, and everything else is instructions over typed registers and guest memory. docs/bytecode.md is normative.

/** Register types. `addr` is 4 or 8 bytes by the module's layout. Registers hold bits; signedness belongs to operations. */
export type ScalarType = "i8" | "i16" | "i32" | "i64" | "addr";

export interface DataLayout {
  readonly addressBytes: 4 | 8;
  readonly endian: "little" | "big";
}

/** One instruction; which fields mean what is said by its row in `instructions.ts`. */
export interface Instruction {
  readonly op: string;
  /** The width that the operation works at, where the row has types. */
  readonly type?: ScalarType;
  /** Target type of a conversion. */
  readonly to?: ScalarType;
  readonly dst: readonly number[];
  readonly src: readonly number[];
  /** Immediates, in the row's order: integers (bigint for constants), indices, depths. */
  readonly imm: readonly (number | bigint)[];
  /** Index into `Module.locations`, or -1. Every instruction that can trap has one. */
  readonly at: number;
}

export interface Signature {
  readonly params: readonly ScalarType[];
  readonly results: readonly ScalarType[];
}

export interface BytecodeFunction {
  readonly name: string;
  readonly signature: Signature;
  /** Types of all registers; the parameters are the first ones. Registers start as zero. */
  readonly registers: readonly ScalarType[];
  /** Bytes of guest stack that the function addresses with `frame_addr`; 16-byte aligned, contents undefined at entry. */
  readonly frameSize: number;
  readonly body: readonly Instruction[];
}

/** The value of `addr` bytes at `offset` becomes the address of a symbol (plus addend) or the code address of a function. */
export type Relocation =
  | { readonly kind: "data"; readonly offset: number; readonly symbol: number; readonly addend: number }
  | { readonly kind: "function"; readonly offset: number; readonly function: number };

/** A named piece of guest memory. `bytes` may be shorter than `size`: the rest is zero. Multi-byte contents are in layout order. */
export interface DataSymbol {
  readonly name: string;
  readonly size: number;
  readonly align: number;
  readonly writable: boolean;
  readonly bytes: Uint8Array;
  readonly relocations: readonly Relocation[];
}

/** A place in a source file: what a trap or a debugger shows. Line and column from 1. */
export interface SourceLocation {
  readonly file: number;
  readonly line: number;
  readonly column: number;
}

/** Machine code of one instruction set, written in the source as text: what an `asm` instruction executes. */
export interface AssemblyBlock {
  readonly isa: SysIsa;
  readonly bytes: Uint8Array;
  /** Registers of that instruction set, one for each operand of the instruction; each once. */
  readonly inputs: readonly string[];
  /** One for each result. A register may be both. */
  readonly outputs: readonly string[];
  /** Further registers that the code changes, inputs among them where they do not keep their value. */
  readonly clobbers: readonly string[];
  /** Whether the code reads or writes memory: no access is kept back or moved past it. */
  readonly memory: boolean;
  /** The source of the bytes from an offset on, as an index into `Module.locations`; ascending. */
  readonly lines: readonly { readonly offset: number; readonly location: number }[];
}

export interface Module {
  readonly version: number;
  readonly layout: DataLayout;
  readonly functions: readonly BytecodeFunction[];
  readonly symbols: readonly DataSymbol[];
  /** Signatures that `call_indirect` names. */
  readonly signatures: readonly Signature[];
  readonly files: readonly string[];
  readonly locations: readonly SourceLocation[];
  /** What `asm` instructions name. */
  readonly assembly: readonly AssemblyBlock[];
  /** Functions by role: `main`, and whatever else the image manifest names. */
  readonly exports: readonly { readonly name: string; readonly function: number }[];
  /** Called at a trap, signature () -> i32; -1: a trap is fatal. */
  readonly trapVector: number;
  /** Called at an interrupt, signature (i32 cause) -> (); -1: interrupts are never taken. */
  readonly interruptVector: number;
}

export const BYTECODE_VERSION = 1;

/** In `Module.files`, the guest library's files begin with this wherever it is installed: equal sources give equal images. */
export const LIBRARY_PREFIX = "guestspec/lib/";

/** A code address: what `func_addr` gives and traps report. Bits 31:16 the function's index plus one, bits 15:0 the instruction. */
export function codeAddress(functionIndex: number, instruction: number): number {
  return (functionIndex + 1) * 0x1_0000 + instruction;
}

/** The function at a code address, -1 if none begins there. */
export function functionOfAddress(address: bigint): number {
  return (address & 0xffffn) === 0n ? Number(address >> 16n) - 1 : -1;
}

export function byteWidth(type: ScalarType, layout: DataLayout): 1 | 2 | 4 | 8 {
  switch (type) {
    case "i8":
      return 1;
    case "i16":
      return 2;
    case "i32":
      return 4;
    case "i64":
      return 8;
    case "addr":
      return layout.addressBytes;
  }
}

/** `(addr) -> ()`: what `guard` and `cpu_start` call. */
export function isThreadFunction({ params, results }: Signature): boolean {
  return params.length === 1 && params[0] === "addr" && results.length === 0;
}

export const SYS_ISAS = ["bytecode", "x86_64", "riscv64", "aarch64"] as const;

export type SysIsa = (typeof SYS_ISAS)[number];
