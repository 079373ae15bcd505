// What compilations keep of the guest library for the ones after them: of each function the bytecode that lowering made of it, with what that
// names, and what checking found it to reach. All of it is by name, so that it can be written down; objects of this program are found by
// the names (check/library-names.ts). Whoever has a function here neither parses its body nor checks nor lowers it. Whether what is kept still
// holds is the keeper's business (images/kept-library.ts).

import type { AssemblyBlock, DataSymbol, Signature } from "../isa/bytecode/module.ts";

/** What tests that call the function need, and what it calls. */
export interface KeptReach {
  readonly functions: readonly string[];
  /** Where each is written, in the function's own file. */
  readonly needs: readonly { readonly name: string; readonly args: readonly string[]; readonly start: number; readonly end: number }[];
}

/** As `Request` of lower/units.ts, of what has a name. */
export type KeptRequest =
  | { readonly kind: "function" | "symbol" | "list"; readonly name: string }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array; readonly align: number }
  | { readonly kind: "constant"; readonly symbol: DataSymbol }
  | { readonly kind: "signature"; readonly signature: Signature }
  | { readonly kind: "assembly"; readonly block: AssemblyBlock };

/** A unit whose numbers are places in its own lists. */
export interface KeptUnit {
  readonly signature: Signature;
  readonly instructionCount: number;
  /** A binary module of the function alone. */
  readonly code: Uint8Array;
  /** Offsets in the function's file. */
  readonly places: readonly number[];
  readonly requests: readonly KeptRequest[];
  readonly addressed: readonly number[];
}

export interface KeptFunction {
  /**
   * Modules that the function's module, and those that it uses, have asked for without a `use`, found or not: an image with the function depends on
   * them as if its body had been checked.
   */
  readonly modules: readonly string[];
  /** Null: it cannot be told by names. */
  readonly reach: KeptReach | null;
  /** Null: each image has its own, or the function names what has no name. Undefined: no image has had it yet. */
  readonly unit: KeptUnit | null | undefined;
}

/** Machine code of a unit. Compact images reach their data and each other's functions in a shorter way. */
export interface KeptCode {
  readonly code: Uint8Array;
  readonly facts: string;
  /** What its references are among the unit's requests, in the order in which they are counted; -1: a label. */
  readonly references: readonly number[];
  /** The same of its places. */
  readonly locations: readonly number[];
}

export type CodeForm = "compact" | "large";

export interface LibraryStore {
  /** By the function's name, `pci.find`; undefined: nothing is kept. */
  find(name: string): KeptFunction | undefined;
  keep(name: string, fn: KeptFunction): void;
  findCode(name: string, form: CodeForm): KeptCode | undefined;
  /** Of a function whose unit is kept. */
  keepCode(name: string, form: CodeForm, code: KeptCode): void;
}
