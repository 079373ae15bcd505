// Packs: one bootable file with several images of one machine, so that a VMM which takes tens of milliseconds to start does it once
// for all of them (docs/native.md, 9). The loader is the target's own assembly; here it is put together with the table that it reads
// and the images' bytes, above the memory that the images use.

import type { NativeImage } from "../native/native-image.ts";
import type { NativeTarget } from "../native/target.ts";
import { formatProblem } from "../../isa/assembly/assemble.ts";
import { createByteWriter } from "./byte-writer.ts";
import { PAGE, PF, STB, STT } from "./elf-format.ts";
import { writeElf, type LoadSegment } from "./elf.ts";
import { writeNotes } from "./notes.ts";

export interface PackPayload {
  readonly image: NativeImage;
  /** JSON text. */
  readonly manifest: string;
}

export interface PackOptions {
  readonly target: Pick<NativeTarget, "name" | "assemble">;
  /** `lib/<target>/pack.s`. */
  readonly loader: { readonly file: string; readonly text: string };
  /** Names that the loader may use, those of the entry assembly. */
  readonly constants: ReadonlyMap<string, bigint>;
  readonly ram: { readonly base: bigint; readonly size: number };
}

export type PackResult = { readonly ok: true; readonly file: Uint8Array; readonly base: bigint } | { readonly ok: false; readonly reason: string };

/** The images' heap: they find RAM from the end of their memory to the pack. */
const HEAP_SIZE = 16 * 1024 * 1024;
/** At the end of RAM, where firmware and VMMs put device trees and ACPI tables. */
const RAM_RESERVE = 20 * 1024 * 1024;
/** Behind the pack's bytes: zero at power-on, and kept by a reset of the machine, because nothing is loaded there. */
const SCRATCH_SIZE = 64;
const TABLE_HEADER_SIZE = 24;
const TABLE_ROW_SIZE = 32;

const up = (value: number, align: number): number => Math.ceil(value / align) * align;

export function packBase(images: readonly NativeImage[]): bigint {
  const ends = images.map(({ base, memorySize }) => Number(base) + memorySize);
  return BigInt(up(Math.max(...ends) + HEAP_SIZE, 2 * 1024 * 1024));
}

export function writePack(payloads: readonly PackPayload[], { target, loader, constants, ram }: PackOptions): PackResult {
  const [first] = payloads;
  if (first === undefined) return { ok: false, reason: "a pack needs at least one image" };
  const { base: imageBase, machine } = first.image;
  const stranger = payloads.find(({ image }) => image.machine !== machine || image.base !== imageBase);
  if (stranger !== undefined) return { ok: false, reason: `images for ${machine} and ${stranger.image.machine} do not go into one pack` };

  const images = payloads.map(({ image }) => image);
  const base = packBase(images);
  const code = assembleLoader(target, loader, new Map([...constants, ["PACK_BASE", base], ["IMAGE_BASE", imageBase]]), base);
  const bytes = joinPack(code.bytes, images, base);
  const end = base + BigInt(bytes.length + SCRATCH_SIZE);
  const limit = ram.base + BigInt(ram.size - RAM_RESERVE);
  if (end > limit) {
    const missing = up(Number(end - limit), 1024 * 1024) / (1024 * 1024);
    return { ok: false, reason: `${payloads.length} images of ${bytes.length} bytes do not fit into the RAM of ${machine}: ${missing} MiB more are needed` };
  }
  const segments: LoadSegment[] = [
    { address: base, bytes, memorySize: bytes.length, flags: PF.read | PF.write | PF.execute, parts: loaderParts(code.bytes.length, bytes.length) },
  ];
  if (code.boot !== null) {
    const { boot } = code;
    segments.unshift({
      address: imageBase,
      bytes: boot,
      memorySize: boot.length,
      flags: PF.read | PF.execute,
      parts: [{ name: ".boot", size: boot.length, isCode: true }],
    });
  }
  const entry = base + BigInt(code.start);
  const file = writeElf({
    target: target.name,
    entry,
    segments,
    notes: writeNotes({ target: target.name, entry, manifests: payloads.map(({ manifest }) => manifest) }),
    symbols: [...code.labels].map(([name, offset]) => ({ name, binding: STB.global, type: STT.notype, address: base + BigInt(offset), size: 0 })),
    debugSections: [],
  });
  return { ok: true, file, base };
}

function loaderParts(codeSize: number, size: number): LoadSegment["parts"] {
  return [
    { name: ".text", size: codeSize, isCode: true },
    { name: ".payloads", size: size - codeSize, isCode: false },
  ];
}

interface LoaderCode {
  readonly bytes: Uint8Array;
  readonly labels: ReadonlyMap<string, number>;
  /** Offset of `pack_start`. */
  readonly start: number;
  /** What stands where the images run, for machines that begin there whatever the file says. */
  readonly boot: Uint8Array | null;
}

function assembleLoader(
  target: PackOptions["target"],
  { file, text }: PackOptions["loader"],
  constants: ReadonlyMap<string, bigint>,
  base: bigint,
): LoaderCode {
  const assembly = target.assemble(text, { origin: base, constants });
  if (!assembly.ok) throw new Error(assembly.problems.map((problem) => `${file}:${formatProblem(problem)}`).join("\n"));
  const { bytes, labels } = assembly;
  const label = (name: string): number => {
    const offset = labels.get(name);
    if (offset === undefined) throw new Error(`${file} has no label ${name}`);
    return offset;
  };
  if (label("pack_load") !== 0) throw new Error(`${file} does not begin with pack_load`);
  if (label("pack_table") !== bytes.length || bytes.length % 8 !== 0) throw new Error(`${file} does not end with an aligned pack_table`);
  const boot = labels.has("pack_boot") ? bytes.slice(label("pack_boot"), label("pack_boot_end")) : null;
  return { bytes, labels, start: label("pack_start"), boot };
}

/** Loader, table (words of 8 bytes), images, each on 16 bytes and filled up with zeros. */
function joinPack(loader: Uint8Array, images: readonly NativeImage[], base: bigint): Uint8Array {
  const out = createByteWriter();
  const sizes = images.map(({ bytes }) => up(bytes.length, 16));
  const firstImage = up(loader.length + TABLE_HEADER_SIZE + images.length * TABLE_ROW_SIZE, 16);
  const total = up(firstImage + sizes.reduce((sum, size) => sum + size, 0), PAGE);
  out.bytes(loader);
  out.u64(images.length);
  out.u64(images[0]?.base ?? 0n);
  out.u64(base + BigInt(total));
  let at = firstImage;
  images.forEach(({ memorySize, entry }, index) => {
    const size = sizes[index] ?? 0;
    out.u64(base + BigInt(at));
    out.u64(size);
    out.u64(Math.max(memorySize, size));
    out.u64(entry);
    at += size;
  });
  for (const { bytes } of images) {
    out.align(16);
    out.bytes(bytes);
  }
  out.align(PAGE);
  return out.finish();
}
