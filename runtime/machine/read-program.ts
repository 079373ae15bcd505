// Reads what `exec` boots: ELF files of either word size, Linux boot images by their RISC-V header, and anything else as raw bytes. Gives
// where bytes go and what names addresses have; who places them (boot.ts) knows the board. Files come from anywhere, so
// every offset is checked, and what is wrong with a file is a value for the user.
// Manuals: System V ABI, generic part, chapters 4 and 5; Linux, Documentation/riscv/boot-image-header.rst.

export interface ProgramSegment {
  /** Physical. */
  readonly address: bigint;
  readonly bytes: Uint8Array;
  /** With the zeros behind the bytes. */
  readonly memorySize: number;
  /** How many of the bytes, from the first, are the file's own headers and the notes behind them: what says who built it, and no code. */
  readonly headerBytes: number;
}

export interface ProgramSymbol {
  readonly name: string;
  readonly address: bigint;
  /** 0: unknown. */
  readonly size: number;
}

export type Program =
  | {
      readonly kind: "elf";
      /** As `e_machine` numbers it. */
      readonly machine: number;
      readonly addressBits: 32 | 64;
      readonly entry: bigint;
      readonly segments: readonly ProgramSegment[];
      /** Functions, objects and labels, by address. */
      readonly symbols: readonly ProgramSymbol[];
    }
  /** `textOffset`: from the start of RAM; `memorySize`: what the running kernel covers. */
  | { readonly kind: "linux"; readonly bytes: Uint8Array; readonly textOffset: bigint; readonly memorySize: bigint }
  | { readonly kind: "raw"; readonly bytes: Uint8Array };

export type ReadProgram = { readonly ok: true; readonly program: Program } | { readonly ok: false; readonly problem: string };

export const EM_RISCV = 243;

const ELF_MAGIC = 0x7f45_4c46;
const CLASS_32 = 1;
const CLASS_64 = 2;
const LITTLE_ENDIAN = 1;
const ET_EXEC = 2;
const ET_DYN = 3;
const PT_LOAD = 1;
const PT_NOTE = 4;
/** Between headers and notes, and between notes. */
const NOTE_ALIGN = 8;
const SHT_SYMTAB = 2;
const STT_SECTION = 3;
const STT_FILE = 4;

/** "RSC\x05" at 56; its older place at 48 holds "RISCV\0\0\0". */
const LINUX_MAGIC = 0x0543_5352;
const LINUX_MAGIC_AT = 56;
const LINUX_HEADER_SIZE = 64;

/** Sizes and places of fields: [32 bits, 64 bits]. */
interface Layout {
  readonly headerSize: number;
  readonly wordBytes: 4 | 8;
  readonly entry: number;
  readonly programHeaders: number;
  readonly sectionHeaders: number;
  readonly counts: number;
  readonly programHeaderSize: number;
  readonly sectionHeaderSize: number;
  readonly symbolSize: number;
  /** Within a program header. */
  readonly segment: { readonly offset: number; readonly address: number; readonly fileSize: number; readonly memorySize: number };
  /** Within a section header. */
  readonly section: { readonly offset: number; readonly size: number; readonly link: number };
  /** Within a symbol. */
  readonly symbol: { readonly value: number; readonly size: number; readonly info: number; readonly section: number };
}

const LAYOUT_32: Layout = {
  headerSize: 52,
  wordBytes: 4,
  entry: 24,
  programHeaders: 28,
  sectionHeaders: 32,
  counts: 42,
  programHeaderSize: 32,
  sectionHeaderSize: 40,
  symbolSize: 16,
  segment: { offset: 4, address: 12, fileSize: 16, memorySize: 20 },
  section: { offset: 16, size: 20, link: 24 },
  symbol: { value: 4, size: 8, info: 12, section: 14 },
};

const LAYOUT_64: Layout = {
  headerSize: 64,
  wordBytes: 8,
  entry: 24,
  programHeaders: 32,
  sectionHeaders: 40,
  counts: 54,
  programHeaderSize: 56,
  sectionHeaderSize: 64,
  symbolSize: 24,
  segment: { offset: 8, address: 24, fileSize: 32, memorySize: 40 },
  section: { offset: 24, size: 32, link: 40 },
  symbol: { value: 8, size: 16, info: 4, section: 6 },
};

/** What is wrong with a file; caught in `readProgram`. */
class ProgramError extends Error {}

function readElf(bytes: Uint8Array): Program {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const kind = bytes[4];
  if (kind !== CLASS_32 && kind !== CLASS_64) throw new ProgramError(`an ELF file of class ${kind ?? "none"}; there are 1 and 2`);
  if (bytes[5] !== LITTLE_ENDIAN) throw new ProgramError("a big-endian ELF file; RISC-V's are little-endian");
  const layout = kind === CLASS_32 ? LAYOUT_32 : LAYOUT_64;
  if (bytes.length < layout.headerSize) throw new ProgramError(`an ELF file that ends within its header, after ${bytes.length} bytes`);
  const type = view.getUint16(16, true);
  if (type !== ET_EXEC && type !== ET_DYN) throw new ProgramError(`an ELF file of type ${type}; one that is linked (2 or 3) can be loaded`);
  const word = (at: number): bigint => (layout.wordBytes === 8 ? view.getBigUint64(at, true) : BigInt(view.getUint32(at, true)));
  /** Where a table lies: checked against the file, so that nothing behind it needs to be. */
  const tableAt = (offset: bigint, size: number, what: string): number => {
    if (offset + BigInt(size) > BigInt(bytes.length))
      throw new ProgramError(`an ELF file whose ${what} ends at ${offset + BigInt(size)}, behind its ${bytes.length} bytes`);
    return Number(offset);
  };

  const segments: ProgramSegment[] = [];
  const segmentCount = view.getUint16(layout.counts + 2, true);
  const segmentsAt = tableAt(word(layout.programHeaders), segmentCount * layout.programHeaderSize, "program headers");
  const headersEnd = endOfNotes(Math.max(layout.headerSize, segmentsAt + segmentCount * layout.programHeaderSize));
  /** Notes that follow at once: compilers put the identity of the build there, unless they are told not to. */
  function endOfNotes(headers: number): number {
    const notes = Array.from({ length: segmentCount }, (_, index) => segmentsAt + index * layout.programHeaderSize)
      .filter((at) => view.getUint32(at, true) === PT_NOTE)
      .map((at) => ({ start: word(at + layout.segment.offset), size: word(at + layout.segment.fileSize) }))
      .toSorted((a, b) => (a.start < b.start ? -1 : 1));
    let end = headers;
    for (const { start, size } of notes) if (start >= BigInt(end) && start < BigInt(end + NOTE_ALIGN)) end = tableAt(start + size, 0, "notes");
    return end;
  }
  for (let index = 0; index < segmentCount; index++) {
    const at = segmentsAt + index * layout.programHeaderSize;
    if (view.getUint32(at, true) !== PT_LOAD) continue;
    const fileSize = word(at + layout.segment.fileSize);
    const memorySize = word(at + layout.segment.memorySize);
    if (memorySize < fileSize || memorySize > BigInt(Number.MAX_SAFE_INTEGER))
      throw new ProgramError(`an ELF file with a segment of ${fileSize} bytes in ${memorySize} bytes of memory`);
    if (memorySize === 0n) continue;
    const offset = tableAt(word(at + layout.segment.offset), Number(fileSize), `segment ${index}`);
    segments.push({
      address: word(at + layout.segment.address),
      bytes: bytes.subarray(offset, offset + Number(fileSize)),
      memorySize: Number(memorySize),
      headerBytes: offset === 0 ? Math.min(headersEnd, Number(fileSize)) : 0,
    });
  }
  if (segments.length === 0) throw new ProgramError("an ELF file without anything to load");

  return {
    kind: "elf",
    machine: view.getUint16(18, true),
    addressBits: kind === CLASS_32 ? 32 : 64,
    entry: word(layout.entry),
    segments,
    symbols: readSymbols(bytes, view, layout, word, tableAt),
  };
}

function readSymbols(
  bytes: Uint8Array,
  view: DataView,
  layout: Layout,
  word: (at: number) => bigint,
  tableAt: (offset: bigint, size: number, what: string) => number,
): readonly ProgramSymbol[] {
  const symbols: ProgramSymbol[] = [];
  const sectionCount = view.getUint16(layout.counts + 6, true);
  const sectionsAt = sectionCount === 0 ? 0 : tableAt(word(layout.sectionHeaders), sectionCount * layout.sectionHeaderSize, "section headers");
  const decoder = new TextDecoder();
  for (let index = 0; index < sectionCount; index++) {
    const at = sectionsAt + index * layout.sectionHeaderSize;
    if (view.getUint32(at + 4, true) !== SHT_SYMTAB) continue;
    const size = Number(word(at + layout.section.size));
    const table = tableAt(word(at + layout.section.offset), size, "symbol table");
    const link = view.getUint32(at + layout.section.link, true);
    if (link >= sectionCount) throw new ProgramError(`an ELF file whose symbols have their names in section ${link} of ${sectionCount}`);
    const strings = sectionsAt + link * layout.sectionHeaderSize;
    const namesSize = Number(word(strings + layout.section.size));
    const names = tableAt(word(strings + layout.section.offset), namesSize, "names of symbols");
    for (let symbol = table; symbol + layout.symbolSize <= table + size; symbol += layout.symbolSize) {
      const type = (bytes[symbol + layout.symbol.info] ?? 0) & 15;
      const nameAt = view.getUint32(symbol, true);
      if (type === STT_SECTION || type === STT_FILE || view.getUint16(symbol + layout.symbol.section, true) === 0 || nameAt === 0 || nameAt >= namesSize)
        continue;
      const end = bytes.indexOf(0, names + nameAt);
      const name = decoder.decode(bytes.subarray(names + nameAt, end < 0 ? names + namesSize : end));
      // RISC-V's mapping symbols tell code from data, and what the linker relaxes.
      if (/^\$[xd]|^\.L/.test(name)) continue;
      symbols.push({ name, address: word(symbol + layout.symbol.value), size: Number(word(symbol + layout.symbol.size)) });
    }
  }
  return symbols.toSorted((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
}

/** Instructions do not happen to be printable line after line; a source or a spec that is taken for a program would hang. */
function isText(bytes: Uint8Array): boolean {
  const start = bytes.subarray(0, 512);
  return start.length >= 16 && start.every((byte) => byte === 0x09 || byte === 0x0a || byte === 0x0d || (byte >= 0x20 && byte < 0x7f));
}

function readAny(bytes: Uint8Array): Program {
  if (bytes.length === 0) throw new ProgramError("an empty file");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length >= 6 && view.getUint32(0) === ELF_MAGIC) return readElf(bytes);
  if (bytes.length >= LINUX_HEADER_SIZE && view.getUint32(LINUX_MAGIC_AT, true) === LINUX_MAGIC) {
    return { kind: "linux", bytes, textOffset: view.getBigUint64(8, true), memorySize: view.getBigUint64(16, true) };
  }
  // A boot loader would unpack it; taken as raw code it would only crash.
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) throw new ProgramError("compressed by gzip; unpack it first");
  if (isText(bytes)) throw new ProgramError("text, and no program");
  return { kind: "raw", bytes };
}

/** `problem` goes on from "FILE is". */
export function readProgram(bytes: Uint8Array): ReadProgram {
  try {
    return { ok: true, program: readAny(bytes) };
  } catch (error) {
    if (error instanceof ProgramError) return { ok: false, problem: error.message };
    throw error;
  }
}

/** The symbol that an address belongs to: the last one that begins at or before it, unless it is known to have ended. */
export function findSymbol(symbols: readonly ProgramSymbol[], address: bigint): ProgramSymbol | undefined {
  let low = 0;
  let high = symbols.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((symbols[middle]?.address ?? 0n) <= address) low = middle + 1;
    else high = middle;
  }
  const found = symbols[low - 1];
  return found === undefined || (found.size > 0 && address >= found.address + BigInt(found.size)) ? undefined : found;
}
