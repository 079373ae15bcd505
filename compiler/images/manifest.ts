// The manifest: what an image says about itself to whoever runs it. It lists the tests and cases with their ids, needs and limits,
// and the sites (checks, messages) that the guest names by number in its report frames, so that guests stay small and the host
// can tell the whole story. Plain JSON data; versioned; written beside the image by `guestspec build`.

export const MANIFEST_VERSION = 1;

export interface Manifest {
  readonly version: number;
  readonly target: string;
  readonly machine: string;
  /** Source files by the index that sites and tests use: as the user gave them, with `/`; the library's with LIBRARY_PREFIX. */
  readonly files: readonly string[];
  readonly suites: readonly ManifestSuite[];
  readonly sites: readonly Site[];
  /** Exported functions of the module (indices), by role. */
  readonly entry: {
    /** () -> (): console, drivers, interrupt controller; the snapshot is taken when it returns. */
    readonly boot: number;
    /** (suite: i32) -> (i32 ok) */
    readonly suiteSetup: number;
    readonly suiteTeardown: number;
    /** (test: i32, row: i32) -> (): setup, body, teardown, cleanup of one case; reports in frames. */
    readonly runCase: number;
    /** (table-hook index: i32) -> (i32 ok) */
    readonly tableSetup: number;
    readonly tableTeardown: number;
    /** () -> (): everything, as a stand-alone image: KTAP on the console, then the machine's exit. */
    readonly main: number;
  };
}

export interface ManifestSuite {
  readonly name: string;
  readonly file: number;
  readonly hasSetup: boolean;
  readonly hasTeardown: boolean;
  readonly tests: readonly ManifestTest[];
}

export interface ManifestTest {
  /** The first argument of `runCase`. */
  readonly index: number;
  readonly name: string;
  readonly file: number;
  readonly line: number;
  readonly endLine: number;
  readonly tags: readonly string[];
  /** Attributes other than tags, `covers` and limits, by name, as written: `slow`, `isolated`, `exits` (a code, or `reset`: how the test ends the machine). */
  readonly attributes: Readonly<Record<string, string>>;
  readonly covers: readonly string[];
  readonly needs: readonly ManifestNeed[];
  /** Names of targets the test is for; empty: all. */
  readonly on: readonly string[];
  /** Guest time in ns; null: the default. */
  readonly timeout: number | null;
  /** Index of the table hooks that apply, or null. */
  readonly tableHooks: number | null;
  readonly parameterised: boolean;
  readonly cases: readonly ManifestCase[];
}

/** A capability with its arguments as written: { name: "cpus", args: ["2"] }. */
export interface ManifestNeed {
  readonly name: string;
  readonly args: readonly string[];
}

export interface ManifestCase {
  /** The second argument of `runCase`. */
  readonly row: number;
  /** The name of the row in its test; null for a test without sources. */
  readonly name: string | null;
  /** Where the row stands; the test's own line when it has none. */
  readonly file: number;
  readonly line: number;
  readonly xfail: string | null;
  readonly skip: string | null;
  /** What the row's attributes add to its test's, or set instead; left out where they say nothing. */
  readonly tags?: readonly string[];
  readonly covers?: readonly string[];
  readonly timeout?: number;
}

/** How the host prints an operand. Integers carry their width; memory comes as bytes in the module's byte order. */
export type ValueType =
  /** `errors`: below zero it is one of Linux's error numbers. */
  | { readonly kind: "int"; readonly signed: boolean; readonly bits: 8 | 16 | 32 | 64; readonly errors?: true }
  | { readonly kind: "bool" }
  | { readonly kind: "enum"; readonly name: string; readonly bits: 8 | 16 | 32 | 64; readonly members: readonly (readonly [name: string, value: string])[] }
  | { readonly kind: "pointer"; readonly bits: 32 | 64 }
  | { readonly kind: "duration" }
  | { readonly kind: "str" }
  | { readonly kind: "bytes" }
  | { readonly kind: "array"; readonly element: ValueType; readonly length: number | null; readonly stride: number }
  | {
      readonly kind: "struct";
      readonly name: string;
      readonly size: number;
      readonly fields: readonly { readonly name: string; readonly offset: number; readonly type: ValueType }[];
    }
  | {
      readonly kind: "register";
      readonly name: string;
      readonly bits: 8 | 16 | 32 | 64;
      readonly fields: readonly { readonly name: string; readonly high: number; readonly low: number }[];
    };

export interface SiteOperand {
  /** The source text of the operand, on one line. */
  readonly text: string;
  readonly type: ValueType;
  readonly start: number;
  readonly end: number;
  /** A literal: its value is not worth printing. */
  readonly literal: boolean;
  /** What a text or list inside another operand holds; it is shown with that. */
  readonly part?: { readonly of: number; readonly path: string };
}

export interface Site {
  readonly kind: "expect" | "assert" | "expect-trap" | "fail" | "skip" | "info" | "wait" | "xfail" | "alloc" | "release" | "expect-log" | "warn";
  readonly file: number;
  readonly line: number;
  readonly column: number;
  /** UTF-16 offsets of the whole statement's condition in the file. */
  readonly start: number;
  readonly end: number;
  readonly text: string;
  /** Comparison operator of the top of the condition: `==`, `in`, ..., or null. */
  readonly operator: string | null;
  readonly operands: readonly SiteOperand[];
  /** What `expect trap` asked for, as written. */
  readonly expectedTrap: string | null;
}
