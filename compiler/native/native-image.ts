// A linked program for one machine: bytes for one address, and what debuggers, reports and file formats want to know of them.
// The linker makes it, compiler/images writes files from it, and hosts find source lines for addresses in it. Plain data.

export interface NativeImage {
  readonly target: string;
  readonly machine: string;
  /** The address it is linked for and loaded at. */
  readonly base: bigint;
  /** What a file holds, from `base` on. */
  readonly bytes: Uint8Array;
  /** With zero-initialised data, stacks and save areas: the first free address is `base + memorySize`. */
  readonly memorySize: number;
  /** Offset of the first writable byte, a multiple of 4096. */
  readonly writableOffset: number;
  readonly entry: bigint;
  /** Labels of the entry assembly by name, absolute. */
  readonly labels: ReadonlyMap<string, bigint>;
  /** In ascending order of address. */
  readonly symbols: readonly NativeSymbol[];
  /** In ascending order of address; a line holds until the next. */
  readonly lines: readonly NativeLine[];
  readonly files: readonly string[];
  readonly codeStart: bigint;
  readonly codeEnd: bigint;
  /** Offset in `bytes` of the built-in command line: `COMMAND_LINE_SIZE` bytes, zero-terminated. */
  readonly commandLineOffset: number;
}

export const COMMAND_LINE_SIZE = 1024;

export interface NativeSymbol {
  readonly name: string;
  readonly address: bigint;
  readonly size: number;
  readonly kind: "function" | "object";
}

export interface NativeLine {
  readonly address: bigint;
  /** Index into `files`; -1: no source. */
  readonly file: number;
  readonly line: number;
  readonly column: number;
}
