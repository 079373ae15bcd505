// The ELF file of one native image: what QEMU and other VMMs load with `-kernel`, and what gdb reads symbols and source lines from. Nothing
// is loaded elsewhere than at the image's base, because some loaders copy the whole span between far segments. The manifest is in a
// note, so that the file alone is enough to list its tests and to report on them.

import type { NativeImage } from "../native/native-image.ts";
import { debugAbbreviations, debugInfo, debugLines, lineSequences } from "./dwarf.ts";
import { debugFrames } from "./dwarf-frames.ts";
import { PF, STB, STT } from "./elf-format.ts";
import { writeElf, type ElfSymbol, type LoadSegment } from "./elf.ts";
import { writeNotes } from "./notes.ts";

export interface NativeElfOptions {
  /** JSON text. */
  readonly manifest: string;
  /** Name of the compile unit: the spec file. */
  readonly unit: string;
}

export function writeNativeElf(image: NativeImage, { manifest, unit }: NativeElfOptions): Uint8Array {
  const sequences = lineSequences(image);
  return writeElf({
    target: image.target,
    entry: image.entry,
    segments: imageSegments(image),
    notes: writeNotes({ target: image.target, entry: image.entry, manifests: [manifest] }),
    symbols: elfSymbols(image),
    debugSections: [
      { name: ".debug_info", bytes: debugInfo(image, sequences, unit) },
      { name: ".debug_abbrev", bytes: debugAbbreviations() },
      { name: ".debug_line", bytes: debugLines(image, sequences) },
      { name: ".debug_frame", bytes: debugFrames(image) },
    ],
  });
}

function imageSegments({ base, bytes, readonlySize, writableOffset, writableBase, writableSize, codeEnd }: NativeImage): readonly LoadSegment[] {
  const readOnly = bytes.subarray(0, readonlySize);
  const writable = bytes.subarray(writableOffset);
  const codeSize = Number(codeEnd - base);
  return [
    {
      address: base,
      bytes: readOnly,
      memorySize: readOnly.length,
      flags: PF.read | PF.execute,
      parts: [
        { name: ".text", size: codeSize, isCode: true },
        { name: ".rodata", size: readOnly.length - codeSize, isCode: false },
      ],
    },
    {
      address: writableBase,
      bytes: writable,
      memorySize: writableSize,
      flags: PF.read | PF.write,
      parts: [{ name: ".data", size: writable.length, isCode: false }],
    },
  ];
}

/** `pci.find` is `pci_find` as well, `5!: case` is `5_case`: for debuggers, which read other characters as part of an expression. */
function plainName(name: string): string {
  return name.replace(/\W+/g, "_");
}

function elfSymbols({ symbols, labels }: NativeImage): readonly ElfSymbol[] {
  const known = new Set(symbols.map(({ name }) => name));
  const named = symbols.map(({ name, address, size, kind }): ElfSymbol => ({
    name,
    binding: STB.global,
    type: kind === "function" ? STT.function : STT.object,
    address,
    size,
  }));
  const more: ElfSymbol[] = [];
  const add = (name: string, binding: number, address: bigint): void => {
    if (known.has(name)) return;
    known.add(name);
    // Without a type, so that listings prefer the functions of the same addresses.
    more.push({ name, binding, type: STT.notype, address, size: 0 });
  };
  for (const { name, address, kind } of symbols) if (kind === "function") add(plainName(name), STB.local, address);
  for (const [label, address] of labels) add(label, STB.global, address);
  return [...named, ...more];
}
