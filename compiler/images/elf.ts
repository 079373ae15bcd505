// ELF files of native images: what QEMU and other VMMs load with `-kernel`, and what gdb reads symbols and source lines from. The
// image's bytes stand in one piece at file offset 4096, so that headers of other boot protocols within it are where their loaders
// search (Multiboot: the first 8192 bytes); notes and debugging information follow and are not loaded. Nothing is loaded elsewhere
// than at the image's base, because loaders copy the whole span between far segments.

import { deflateSync } from "node:zlib";
import type { NativeImage, NativeSymbol } from "../native/native-image.ts";
import { createByteWriter, type ByteWriter } from "./byte-writer.ts";
import { debugAbbreviations, debugInfo, debugLines } from "./dwarf.ts";
import {
  ELF_MAGIC,
  ELF_TARGETS,
  ELFCLASS64,
  ELFDATA2LSB,
  ET_EXEC,
  EV_CURRENT,
  GUESTSPEC_NOTE,
  HEADER_SIZE,
  PF,
  PROGRAM_HEADER_SIZE,
  PT,
  SECTION_HEADER_SIZE,
  SHF,
  SHN_ABS,
  SHT,
  STB,
  STT,
  SYMBOL_SIZE,
  XEN_NOTE,
} from "./elf-format.ts";
import { manifestIdentity } from "./identity.ts";

export interface ElfOptions {
  /** JSON text. */
  readonly manifest: string;
  /** Name of the compile unit: the spec file. */
  readonly unit: string;
}

/** Where the image begins in the file, and the unit of its segments. */
const PAGE = 4096;

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

interface Segment {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly address: bigint;
  readonly fileSize: number;
  readonly memorySize: number;
  readonly align: number;
}

export function writeElf(image: NativeImage, options: ElfOptions): Uint8Array {
  const elfTarget = ELF_TARGETS[image.target];
  if (elfTarget === undefined) throw new Error(`there is no ELF file for target ${image.target}`);
  if (image.base % BigInt(PAGE) !== 0n) throw new Error(`an image at ${image.base.toString(16)} does not begin on a page`);
  const { base, bytes, memorySize, writableOffset } = image;
  const out = createByteWriter();
  out.zeros(PAGE);
  out.bytes(bytes);

  const writableAddress = base + BigInt(writableOffset);
  const writableInFile = Math.max(0, bytes.length - writableOffset);
  const readOnly = Math.min(writableOffset, bytes.length);
  const sections: Section[] = [
    { name: "", type: SHT.null, flags: 0, address: 0n, offset: 0, size: 0, align: 0 },
    { name: ".text", type: SHT.progbits, flags: SHF.alloc | SHF.execute, address: base, offset: PAGE, size: readOnly, align: PAGE },
    {
      name: ".data",
      type: SHT.progbits,
      flags: SHF.alloc | SHF.write,
      address: writableAddress,
      offset: PAGE + writableOffset,
      size: writableInFile,
      align: PAGE,
    },
    {
      name: ".bss",
      type: SHT.nobits,
      flags: SHF.alloc | SHF.write,
      address: writableAddress + BigInt(writableInFile),
      offset: PAGE + bytes.length,
      size: memorySize - writableOffset - writableInFile,
      align: 1,
    },
  ];
  const append = (name: string, type: number, align: number, contents: Uint8Array, more: Partial<Section> = {}): void => {
    out.align(align);
    sections.push({ name, type, flags: 0, address: 0n, offset: out.length, size: contents.length, align, ...more });
    out.bytes(contents);
  };
  const notes = writeNotes(image, options.manifest);
  append(".note.guestspec", SHT.note, 4, notes);
  const notesOffset = out.length - notes.length;
  append(".debug_info", SHT.progbits, 1, debugInfo(image, options.unit));
  append(".debug_abbrev", SHT.progbits, 1, debugAbbreviations());
  append(".debug_line", SHT.progbits, 1, debugLines(image));
  const { symbols, names, firstGlobal } = writeSymbols(image, sections);
  append(".symtab", SHT.symtab, 8, symbols, { link: sections.length + 1, info: firstGlobal, entrySize: SYMBOL_SIZE });
  append(".strtab", SHT.strtab, 1, names);
  const sectionTable = appendSectionHeaders(out, sections);

  const segments: readonly Segment[] = [
    { type: PT.load, flags: PF.read | PF.execute, offset: PAGE, address: base, fileSize: readOnly, memorySize: readOnly, align: PAGE },
    {
      type: PT.load,
      flags: PF.read | PF.write,
      offset: PAGE + writableOffset,
      address: writableAddress,
      fileSize: writableInFile,
      memorySize: memorySize - writableOffset,
      align: PAGE,
    },
    { type: PT.note, flags: PF.read, offset: notesOffset, address: 0n, fileSize: notes.length, memorySize: notes.length, align: 4 },
  ];
  const file = out.finish();
  file.set(writeHeaders({ ...elfTarget, entry: image.entry, segments, sectionTable, sectionCount: sections.length + 1 }), 0);
  return file;
}

interface HeaderFacts {
  readonly machine: number;
  readonly flags: number;
  readonly entry: bigint;
  readonly segments: readonly Segment[];
  readonly sectionTable: number;
  /** The last one names the others. */
  readonly sectionCount: number;
}

/** The ELF header and the program headers behind it. */
function writeHeaders({ machine, flags, entry, segments, sectionTable, sectionCount }: HeaderFacts): Uint8Array {
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
  out.u16(segments.length);
  out.u16(SECTION_HEADER_SIZE);
  out.u16(sectionCount);
  out.u16(sectionCount - 1);
  for (const segment of segments) {
    out.u32(segment.type);
    out.u32(segment.flags);
    out.u64(segment.offset);
    out.u64(segment.address);
    out.u64(segment.address);
    out.u64(segment.fileSize);
    out.u64(segment.memorySize);
    out.u64(segment.align);
  }
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

/** `pci.find` is `pci_find` as well, `5!: case` is `5_case`: for debuggers, which read other characters as part of an expression. */
function plainName(name: string): string {
  return name.replace(/\W+/g, "_");
}

function writeSymbols(image: NativeImage, sections: readonly Section[]): SymbolTable {
  const symbols = createByteWriter();
  const names = createByteWriter();
  names.u8(0);
  symbols.zeros(SYMBOL_SIZE);
  const isLoaded = (section: Section): boolean => (section.flags & SHF.alloc) !== 0;
  const sectionOf = (address: bigint): number => {
    const index = sections.findIndex((section) => isLoaded(section) && address >= section.address && address < section.address + BigInt(section.size));
    return index < 0 ? SHN_ABS : index;
  };
  const known = new Set<string>();
  const add = (name: string, binding: number, type: number, address: bigint, size: number): void => {
    known.add(name);
    symbols.u32(names.length);
    symbols.u8((binding << 4) | type);
    symbols.u8(0);
    symbols.u16(sectionOf(address));
    symbols.u64(address);
    symbols.u64(size);
    names.text(name);
  };
  // Local ones come first. Without a type, so that listings prefer the functions of the same addresses.
  const proper = new Set(image.symbols.map(({ name }) => name));
  for (const { name, address, kind } of image.symbols) {
    const plain = plainName(name);
    if (kind === "function" && !proper.has(plain) && !known.has(plain)) add(plain, STB.local, STT.notype, address, 0);
  }
  const firstGlobal = symbols.length / SYMBOL_SIZE;
  for (const symbol of image.symbols) add(symbol.name, STB.global, symbolType(symbol), symbol.address, symbol.size);
  for (const [label, address] of image.labels) if (!known.has(label)) add(label, STB.global, STT.notype, address, 0);
  return { symbols: symbols.finish(), names: names.finish(), firstGlobal };
}

function symbolType({ kind }: NativeSymbol): number {
  return kind === "function" ? STT.function : STT.object;
}

function writeNotes(image: NativeImage, manifest: string): Uint8Array {
  const out = createByteWriter();
  if (image.target === "x86_64") {
    // First, because some loaders look at one note only; 8 bytes, as QEMU reads it from a 64-bit file (hw/i386/x86.c). Multiboot
    // enters at the same place: both leave the CPU in 32-bit protected mode, and eax tells which of them it was.
    const entry = createByteWriter();
    entry.u64(image.entry);
    appendNote(out, XEN_NOTE.owner, XEN_NOTE.physicalEntry32, entry.finish());
  }
  appendNote(out, GUESTSPEC_NOTE.owner, GUESTSPEC_NOTE.manifest, deflateSync(manifest, { level: 9 }));
  appendNote(out, GUESTSPEC_NOTE.owner, GUESTSPEC_NOTE.identity, new TextEncoder().encode(manifestIdentity(manifest)));
  return out.finish();
}

/** System V ABI, chapter 5, "Note Section": words of 4 bytes also in 64-bit files, as every tool reads them. */
function appendNote(out: ByteWriter, owner: string, type: number, description: Uint8Array): void {
  out.u32(owner.length + 1);
  out.u32(description.length);
  out.u32(type);
  out.text(owner);
  out.align(4);
  out.bytes(description);
  out.align(4);
}
