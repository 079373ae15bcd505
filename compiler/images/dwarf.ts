// Debugging information for gdb and lldb on a VMM's gdb stub: the line table (`.debug_line`), one compile unit with a subprogram
// for each function (`.debug_info`, `.debug_abbrev`). Written after DWARF 4, which every debugger in use reads, and only as far as it says something that we know: there are no types and no variables.

import type { NativeImage, NativeLine, NativeSymbol } from "../native/native-image.ts";
import { createByteWriter, type ByteWriter } from "./byte-writer.ts";

/** What the sections are written from. */
export type DebugInput = Pick<NativeImage, "files" | "codeStart" | "codeEnd" | "symbols" | "lines">;

function functionsOf({ symbols }: DebugInput): readonly NativeSymbol[] {
  // Labels of assembly are functions without a size.
  return symbols.filter(({ kind, size }) => kind === "function" && size > 0);
}

/** DWARF 4, chapter 7. */
const TAG = { compileUnit: 0x11, subprogram: 0x2e } as const;
const AT = {
  name: 0x03,
  stmtList: 0x10,
  lowPc: 0x11,
  highPc: 0x12,
  language: 0x13,
  compDir: 0x1b,
  producer: 0x25,
  declFile: 0x3a,
  declLine: 0x3b,
  external: 0x3f,
} as const;
const FORM = { addr: 0x01, data2: 0x05, data8: 0x07, string: 0x08, udata: 0x0f, secOffset: 0x17, flagPresent: 0x19 } as const;
const VERSION = 4;
/** The language decides how a debugger reads expressions; C's are the most useful ones for registers and memory. */
const LANG_C99 = 0x0c;

const ABBREVIATIONS = [
  {
    code: 1,
    tag: TAG.compileUnit,
    hasChildren: true,
    attributes: [
      [AT.producer, FORM.string],
      [AT.language, FORM.data2],
      [AT.name, FORM.string],
      [AT.compDir, FORM.string],
      [AT.stmtList, FORM.secOffset],
      [AT.lowPc, FORM.addr],
      [AT.highPc, FORM.data8],
    ],
  },
  {
    code: 2,
    tag: TAG.subprogram,
    hasChildren: false,
    attributes: [
      [AT.name, FORM.string],
      [AT.external, FORM.flagPresent],
      [AT.lowPc, FORM.addr],
      [AT.highPc, FORM.data8],
      [AT.declFile, FORM.udata],
      [AT.declLine, FORM.udata],
    ],
  },
  {
    // Assembly without a line of its own.
    code: 3,
    tag: TAG.subprogram,
    hasChildren: false,
    attributes: [
      [AT.name, FORM.string],
      [AT.external, FORM.flagPresent],
      [AT.lowPc, FORM.addr],
      [AT.highPc, FORM.data8],
    ],
  },
] as const;

export function debugAbbreviations(): Uint8Array {
  const out = createByteWriter();
  for (const { code, tag, hasChildren, attributes } of ABBREVIATIONS) {
    out.uleb(code);
    out.uleb(tag);
    out.u8(hasChildren ? 1 : 0);
    for (const [attribute, form] of attributes) {
      out.uleb(attribute);
      out.uleb(form);
    }
    out.uleb(0);
    out.uleb(0);
  }
  out.u8(0);
  return out.finish();
}

/** A section's contents behind its length, which the first word gives (DWARF 4, 7.4: the 32-bit format). */
function withLength(write: (out: ByteWriter) => void): Uint8Array {
  const out = createByteWriter();
  out.withLength(write);
  return out.finish();
}

/** Of one function; code that has no line must not inherit that of its neighbour. */
export interface LineSequence {
  readonly symbol: NativeSymbol;
  readonly lines: readonly NativeLine[];
}

export function lineSequences(input: DebugInput): readonly LineSequence[] {
  const { lines } = input;
  let at = 0;
  return functionsOf(input).map((symbol) => {
    const end = symbol.address + BigInt(symbol.size);
    while ((lines[at]?.address ?? end) < symbol.address) at++;
    const own: NativeLine[] = [];
    for (let line = lines[at]; line !== undefined && line.address < end; line = lines[++at]) own.push(line);
    return { symbol, lines: own };
  });
}

/** `unit`: the name of the compile unit. */
export function debugInfo({ codeStart, codeEnd }: DebugInput, sequences: readonly LineSequence[], unit: string): Uint8Array {
  return withLength((out) => {
    out.u16(VERSION);
    out.u32(0); // offset in .debug_abbrev
    out.u8(8);
    out.uleb(1);
    out.text("guestspec");
    out.u16(LANG_C99);
    out.text(unit);
    // Not the folder of this build, so that equal sources give equal images: a debugger started where the specs are finds them.
    out.text(".");
    out.u32(0); // offset in .debug_line
    out.u64(codeStart);
    out.u64(codeEnd - codeStart);
    for (const { symbol, lines } of sequences) {
      const first = lines.find(({ file }) => file >= 0);
      out.uleb(first === undefined ? 3 : 2);
      out.text(symbol.name);
      out.u64(symbol.address);
      out.u64(symbol.size);
      if (first === undefined) continue;
      out.uleb(first.file + 1);
      out.uleb(first.line);
    }
    out.u8(0);
  });
}

/** DWARF 4, 6.2.5: the state machine's opcodes. */
const LNS = { copy: 1, advancePc: 2, advanceLine: 3, setFile: 4, setColumn: 5 } as const;
const LNE = { endSequence: 1, setAddress: 2 } as const;
const STANDARD_OPCODE_LENGTHS = [0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1] as const;
const OPCODE_BASE = STANDARD_OPCODE_LENGTHS.length + 1;
const LINE_BASE = -5;
const LINE_RANGE = 14;

export function debugLines({ files }: DebugInput, sequences: readonly LineSequence[]): Uint8Array {
  return withLength((out) => {
    out.u16(VERSION);
    const headerLength = out.length;
    out.u32(0);
    out.u8(1); // minimum_instruction_length: addresses count bytes on every target
    out.u8(1); // maximum_operations_per_instruction
    out.u8(1); // default_is_stmt
    out.u8(LINE_BASE & 0xff);
    out.u8(LINE_RANGE);
    out.u8(OPCODE_BASE);
    for (const length of STANDARD_OPCODE_LENGTHS) out.u8(length);
    out.u8(0); // no include directories
    for (const name of files) {
      out.text(name);
      out.uleb(0);
      out.uleb(0);
      out.uleb(0);
    }
    out.u8(0);
    out.patchU32(headerLength, out.length - headerLength - 4);
    for (const sequence of sequences) writeSequence(out, sequence);
  });
}

function writeExtended(out: ByteWriter, opcode: number, operand: bigint | null): void {
  out.u8(0);
  out.uleb(operand === null ? 1 : 9);
  out.u8(opcode);
  if (operand !== null) out.u64(operand);
}

function writeSequence(out: ByteWriter, { symbol, lines }: LineSequence): void {
  const [first] = lines;
  if (first === undefined) return;
  writeExtended(out, LNE.setAddress, first.address);
  let [address, file, line, column] = [first.address, 1, 1, 0];
  for (const row of lines) {
    // Line 0 is code without a source (DWARF 4, 6.2.2).
    const hasSource = row.file >= 0;
    if (hasSource && row.file + 1 !== file) {
      file = row.file + 1;
      out.u8(LNS.setFile);
      out.uleb(file);
    }
    const newColumn = hasSource ? row.column : 0;
    if (newColumn !== column) {
      column = newColumn;
      out.u8(LNS.setColumn);
      out.uleb(column);
    }
    const newLine = hasSource ? row.line : 0;
    appendRow(out, Number(row.address - address), newLine - line);
    [address, line] = [row.address, newLine];
  }
  out.u8(LNS.advancePc);
  out.uleb(symbol.address + BigInt(symbol.size) - address);
  writeExtended(out, LNE.endSequence, null);
}

/** In one byte where a special opcode reaches (DWARF 4, 6.2.5.1). */
function appendRow(out: ByteWriter, addressDelta: number, lineDelta: number): void {
  const special = lineDelta - LINE_BASE + LINE_RANGE * addressDelta + OPCODE_BASE;
  if (lineDelta >= LINE_BASE && lineDelta < LINE_BASE + LINE_RANGE && special <= 255) {
    out.u8(special);
    return;
  }
  if (addressDelta !== 0) {
    out.u8(LNS.advancePc);
    out.uleb(addressDelta);
  }
  if (lineDelta !== 0) {
    out.u8(LNS.advanceLine);
    out.sleb(lineDelta);
  }
  out.u8(LNS.copy);
}
