// Packs: one bootable file with several images of one machine, so that a VMM which takes tens of milliseconds to start does it once
// for all of them (docs/native.md, 9). Everything that is read only stays where it is loaded, each image's at an address of its own;
// what is written has one place for all, and the loader, the target's own assembly, fills it.

import { formatProblem } from "../../isa/assembly/assemble.ts";
import type { MachineDescription } from "../../machines/description.ts";
import type { PlaceImages } from "../native/index.ts";
import { imageSize, linkImage } from "../native/link.ts";
import type { PackPlace, RunnableImage } from "../native/native-image.ts";
import type { NativeTarget } from "../native/target.ts";
import { createByteWriter } from "./byte-writer.ts";
import { PAGE, PF, STB, STT } from "./elf-format.ts";
import { writeElf, type LoadSegment } from "./elf.ts";
import { writeNotes } from "./notes.ts";

export interface PackPayload {
  /** Linked by `placeInPack`. */
  readonly image: RunnableImage;
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

/** The images' heap, at least. */
const HEAP_SIZE = 16 * 1024 * 1024;
/** At the end of RAM, where firmware and VMMs put device trees and ACPI tables. */
const RAM_RESERVE = 2 * 1024 * 1024;
/** Room for the loader's code; its table is behind it. */
const LOADER_SIZE = 2048;
const TABLE_HEADER_SIZE = 32;
const TABLE_ROW_SIZE = 32;
/** The entry, and where running images call the loader. */
const PACK_START = 0;
const PACK_LOAD = 8;
/** The page before what images write: 2 KiB for the loader, then the CPU blocks. */
const SHARED_SIZE = PAGE;
const CPUS_OFFSET = 2048;
/** Where QEMU starts ELF files without a header it puts a device tree of 1 MiB at the start of RAM (hw/arm/boot.c, `arm_setup_direct_kernel_boot`). */
const TREE_SIZE = 0x20_0000n;

const up = (value: number, align: number): number => Math.ceil(value / align) * align;

export function packBase({ boot, ram, name }: Pick<MachineDescription, "boot" | "ram" | "name">): bigint {
  if (boot === null) throw new Error(`${name} does not say where images go`);
  const lowest = ram.base + TREE_SIZE;
  return boot.image === "image-header" && boot.base < lowest ? lowest : boot.base;
}

/** All images of a run, beside each other in the order given; any of them can be put into a pack then. */
export const placeInPack: PlaceImages = (modules, machine, entry) => {
  const base = packBase(machine);
  let at = base + BigInt(up(LOADER_SIZE + TABLE_HEADER_SIZE + modules.length * TABLE_ROW_SIZE, PAGE));
  const bases = modules.map((lowered) => {
    const { readonly, data } = imageSize(lowered, entry);
    const start = at;
    at += BigInt(up(readonly + data, PAGE));
    return start;
  });
  const pack: PackPlace = { start: base, end: at, load: base + BigInt(PACK_LOAD), cpus: at + BigInt(CPUS_OFFSET) };
  const writableBase = at + BigInt(SHARED_SIZE);
  return modules.map((lowered, index) => linkImage(lowered, { machine: machine.name, entry, base: bases[index] ?? base, writableBase, pack }));
};

function isSamePack({ pack, writableBase, machine }: RunnableImage, other: RunnableImage): boolean {
  return pack !== null && pack.start === other.pack?.start && pack.end === other.pack.end && writableBase === other.writableBase && machine === other.machine;
}

/** A pack of images that were placed together, in any order and not necessarily all; the first is started by the boot loader. */
export function writePack(payloads: readonly PackPayload[], { target, loader, constants, ram }: PackOptions): PackResult {
  const [first] = payloads;
  if (first === undefined) return { ok: false, reason: "a pack needs at least one image" };
  const images = payloads.map(({ image }) => image);
  const { pack, machine, writableBase } = first.image;
  if (pack === null || !images.every((image) => isSamePack(image, first.image)))
    throw new Error("images that were not placed together do not go into one pack");

  const base = pack.start;
  const memoryEnd = Number(writableBase) + Math.max(...images.map(({ writableSize }) => writableSize)) + HEAP_SIZE;
  const limit = Number(ram.base) + ram.size - RAM_RESERVE;
  if (memoryEnd > limit) {
    const missing = up(memoryEnd - limit, 1024 * 1024) / (1024 * 1024);
    return {
      ok: false,
      reason: `${payloads.length} images of ${pack.end - pack.start} bytes do not fit into the RAM of ${machine}: ${missing} MiB more are needed`,
    };
  }
  const code = assembleLoader(target, loader, new Map([...constants, ["PACK_BASE", base]]), base);
  const room = writeLoader(code.bytes, images, pack);
  const entry = base + BigInt(PACK_START);
  const file = writeElf({
    target: target.name,
    entry,
    segments: joinSegments([
      { address: base, bytes: room, name: ".loader" },
      ...images.map(({ base: address, bytes }, index) => ({ address, bytes, name: `.payload${index}` })),
    ]),
    notes: writeNotes({ target: target.name, entry, manifests: payloads.map(({ manifest }) => manifest) }),
    symbols: [...code.labels].map(([name, offset]) => ({ name, binding: STB.global, type: STT.notype, address: base + BigInt(offset), size: 0 })),
    debugSections: [],
  });
  return { ok: true, file, base };
}

interface LoaderCode {
  readonly bytes: Uint8Array;
  readonly labels: ReadonlyMap<string, number>;
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
  const places = { pack_start: PACK_START, pack_load: PACK_LOAD, pack_table: bytes.length };
  for (const [label, offset] of Object.entries(places)) {
    if (labels.get(label) !== offset) throw new Error(`${file}: ${label} is at ${labels.get(label) ?? "no place"}, not at ${offset}`);
  }
  if (bytes.length % 8 !== 0 || bytes.length > LOADER_SIZE)
    throw new Error(`${file} has ${bytes.length} bytes, which is no multiple of 8 or more than ${LOADER_SIZE}`);
  return { bytes, labels };
}

/** The loader, and its table: words of 8 bytes. */
function writeLoader(loader: Uint8Array, images: readonly RunnableImage[], pack: PackPlace): Uint8Array {
  const out = createByteWriter();
  out.bytes(loader);
  out.u64(images.length);
  out.u64(images[0]?.writableBase ?? 0n);
  out.u64(pack.end);
  out.u64(pack.cpus);
  for (const { base, bytes, writableOffset, writableSize, entry } of images) {
    out.u64(base + BigInt(writableOffset));
    out.u64(bytes.length - writableOffset);
    out.u64(writableSize);
    out.u64(entry);
  }
  out.align(PAGE);
  return out.finish();
}

interface Piece {
  readonly address: bigint;
  readonly bytes: Uint8Array;
  readonly name: string;
}

/** Pieces in one segment where nothing is between them, each filled up to whole pages. */
function joinSegments(pieces: readonly Piece[]): readonly LoadSegment[] {
  const segments: { address: bigint; end: bigint; pieces: Piece[] }[] = [];
  for (const piece of [...pieces].sort((a, b) => Number(a.address - b.address))) {
    const end = piece.address + BigInt(up(piece.bytes.length, PAGE));
    const last = segments.at(-1);
    if (last?.end === piece.address) {
      last.pieces.push(piece);
      last.end = end;
    } else segments.push({ address: piece.address, end, pieces: [piece] });
  }
  return segments.map(({ address, end, pieces: joined }): LoadSegment => {
    const bytes = new Uint8Array(Number(end - address));
    for (const piece of joined) bytes.set(piece.bytes, Number(piece.address - address));
    const parts = joined.map((piece) => ({ name: piece.name, size: up(piece.bytes.length, PAGE), isCode: true }));
    return { address, bytes, memorySize: bytes.length, flags: PF.read | PF.execute, parts };
  });
}
