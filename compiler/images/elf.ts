// The container itself: segments, notes, symbols and sections to the bytes of an ELF file, for single images (native-elf.ts) and packs
// (pack.ts). Loaded contents come first in the file, in the order given; notes and debugging information follow and are not
// loaded.

import { PSABIS } from "../../isa/psabi.ts";
import { createByteWriter, type ByteWriter } from "./byte-writer.ts";
import {
  ELF_MAGIC,
  ELFCLASS64,
  ELFDATA2LSB,
  ET_EXEC,
  EV_CURRENT,
  FILE_START,
  HEADER_SIZE,
  PAGE,
  PF,
  PROGRAM_HEADER_SIZE,
  PT,
  SECTION_HEADER_SIZE,
  SHF,
  SHN_ABS,
  SHT,
  STB,
  SYMBOL_SIZE,
} from "./elf-format.ts";

export interface ElfContents {
  readonly target: string;
  readonly entry: bigint;
  readonly segments: readonly LoadSegment[];
  readonly notes: Uint8Array;
  readonly symbols: readonly ElfSymbol[];
  /** Not loaded. */
  readonly debugSections: readonly { readonly name: string; readonly bytes: Uint8Array }[];
}

export interface LoadSegment {
  /** On a page. */
  readonly address: bigint;
  readonly bytes: Uint8Array;
  /** What lies behind the bytes is zero. */
  readonly memorySize: number;
  /** Of PF. */
  readonly flags: number;
  /** Names for parts of the bytes, in order, none left out. */
  readonly parts: readonly { readonly name: string; readonly size: number; readonly isCode: boolean }[];
}

export interface ElfSymbol {
  readonly name: string;
  /** Of STB and STT. */
  readonly binding: number;
  readonly type: number;
  readonly address: bigint;
  readonly size: number;
}

interface Section {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly address: bigint;
  /** In the file; for SHT_NOBITS nothing is there. */
  readonly offset: number;
  readonly size: number;
  readonly align: number;
  readonly link?: number;
  readonly info?: number;
  readonly entrySize?: number;
}

interface ProgramHeader {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly address: bigint;
  readonly fileSize: number;
  readonly memorySize: number;
  readonly align: number;
}

export function writeElf({ target, entry, segments, notes, symbols, debugSections }: ElfContents): Uint8Array {
  const psabi = PSABIS[target];
  if (psabi === undefined) throw new Error(`there is no ELF file for target ${target}`);
  const out = createByteWriter();
  out.zeros(FILE_START);
  const sections: Section[] = [{ name: "", type: SHT.null, flags: 0, address: 0n, offset: 0, size: 0, align: 0 }];
  const headers: ProgramHeader[] = [];
  for (const segment of segments) {
    out.align(PAGE);
    sections.push(...sectionsOf(segment, out.length));
    headers.push(loadHeader(segment, out.length));
    out.bytes(segment.bytes);
  }
  const append = (name: string, type: number, align: number, contents: Uint8Array, more: Partial<Section> = {}): void => {
    out.align(align);
    sections.push({ name, type, flags: 0, address: 0n, offset: out.length, size: contents.length, align, ...more });
    out.bytes(contents);
  };
  append(".note.guestspec", SHT.note, 4, notes);
  headers.push({ type: PT.note, flags: PF.read, offset: out.length - notes.length, address: 0n, fileSize: notes.length, memorySize: notes.length, align: 4 });
  for (const { name, bytes } of debugSections) append(name, SHT.progbits, 1, bytes);
  const table = writeSymbols(symbols, sections);
  append(".symtab", SHT.symtab, 8, table.symbols, { link: sections.length + 1, info: table.firstGlobal, entrySize: SYMBOL_SIZE });
  append(".strtab", SHT.strtab, 1, table.names);
  const sectionTable = appendSectionHeaders(out, sections);
  const file = out.finish();
  file.set(writeHeaders({ machine: psabi.machine, flags: psabi.flags, entry, headers, sectionTable, sectionCount: sections.length + 1 }), 0);
  return file;
}

function loadHeader({ address, bytes, memorySize, flags }: LoadSegment, offset: number): ProgramHeader {
  if (address % BigInt(PAGE) !== 0n) throw new Error(`a segment at ${address.toString(16)} does not begin on a page`);
  return { type: PT.load, flags, offset, address, fileSize: bytes.length, memorySize, align: PAGE };
}

function sectionsOf(segment: LoadSegment, offset: number): readonly Section[] {
  const access = SHF.alloc | ((segment.flags & PF.write) === 0 ? 0 : SHF.write);
  const sections: Section[] = [];
  let at = 0;
  for (const { name, size, isCode } of segment.parts) {
    const flags = access | (isCode ? SHF.execute : 0);
    if (size > 0)
      sections.push({ name, type: SHT.progbits, flags, address: segment.address + BigInt(at), offset: offset + at, size, align: at === 0 ? PAGE : 1 });
    at += size;
  }
  if (at !== segment.bytes.length) throw new Error(`the parts of a segment are ${at} bytes, it has ${segment.bytes.length}`);
  const zeros = segment.memorySize - at;
  if (zeros > 0)
    sections.push({ name: ".bss", type: SHT.nobits, flags: access, address: segment.address + BigInt(at), offset: offset + at, size: zeros, align: 1 });
  return sections;
}

interface HeaderFacts {
  readonly machine: number;
  readonly flags: number;
  readonly entry: bigint;
  readonly headers: readonly ProgramHeader[];
  readonly sectionTable: number;
  /** The last one names the others. */
  readonly sectionCount: number;
}

/** The ELF header and the program headers behind it. */
function writeHeaders({ machine, flags, entry, headers, sectionTable, sectionCount }: HeaderFacts): Uint8Array {
  const out = createByteWriter();
  for (const byte of ELF_MAGIC) out.u8(byte);
  out.u8(ELFCLASS64);
  out.u8(ELFDATA2LSB);
  out.u8(EV_CURRENT);
  out.zeros(9);
  out.u16(ET_EXEC);
  out.u16(machine);
  out.u32(EV_CURRENT);
  out.u64(entry);
  out.u64(HEADER_SIZE);
  out.u64(sectionTable);
  out.u32(flags);
  out.u16(HEADER_SIZE);
  out.u16(PROGRAM_HEADER_SIZE);
  out.u16(headers.length);
  out.u16(SECTION_HEADER_SIZE);
  out.u16(sectionCount);
  out.u16(sectionCount - 1);
  for (const header of headers) {
    out.u32(header.type);
    out.u32(header.flags);
    out.u64(header.offset);
    out.u64(header.address);
    out.u64(header.address);
    out.u64(header.fileSize);
    out.u64(header.memorySize);
    out.u64(header.align);
  }
  if (out.length > FILE_START) throw new Error(`${headers.length} program headers have no room before the image`);
  return out.finish();
}

function appendSectionHeaders(out: ByteWriter, sections: readonly Section[]): number {
  const names = createByteWriter();
  const nameOffsets = [...sections.map(({ name }) => name), ".shstrtab"].map((name) => {
    const offset = names.length;
    names.text(name);
    return offset;
  });
  const nameSection: Section = { name: ".shstrtab", type: SHT.strtab, flags: 0, address: 0n, offset: out.length, size: names.length, align: 1 };
  out.bytes(names.finish());
  out.align(8);
  const table = out.length;
  for (const [index, section] of [...sections, nameSection].entries()) {
    out.u32(nameOffsets[index] ?? 0);
    out.u32(section.type);
    out.u64(section.flags);
    out.u64(section.address);
    out.u64(section.offset);
    out.u64(section.size);
    out.u32(section.link ?? 0);
    out.u32(section.info ?? 0);
    out.u64(section.align);
    out.u64(section.entrySize ?? 0);
  }
  return table;
}

interface SymbolTable {
  readonly symbols: Uint8Array;
  readonly names: Uint8Array;
  /** Index of the first global symbol. */
  readonly firstGlobal: number;
}

/** Local ones come first (System V ABI, chapter 4, "Symbol Table"). */
function writeSymbols(all: readonly ElfSymbol[], sections: readonly Section[]): SymbolTable {
  const symbols = createByteWriter();
  const names = createByteWriter();
  names.u8(0);
  symbols.zeros(SYMBOL_SIZE);
  const sectionAt = (address: bigint): number => {
    const index = sections.findIndex(
      (section) => (section.flags & SHF.alloc) !== 0 && address >= section.address && address < section.address + BigInt(section.size),
    );
    return index < 0 ? SHN_ABS : index;
  };
  const locals = all.filter(({ binding }) => binding === STB.local);
  for (const { name, binding, type, address, size } of [...locals, ...all.filter((symbol) => symbol.binding !== STB.local)]) {
    symbols.u32(names.length);
    symbols.u8((binding << 4) | type);
    symbols.u8(0);
    symbols.u16(sectionAt(address));
    symbols.u64(address);
    symbols.u64(size);
    names.text(name);
  }
  return { symbols: symbols.finish(), names: names.finish(), firstGlobal: locals.length + 1 };
}
