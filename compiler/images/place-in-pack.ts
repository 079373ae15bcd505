// The part of packs (pack.ts) that needs the compiler: where the images of a run go, and the loader, which is assembled for the place where
// its pack begins.

import { formatProblem } from "../../isa/assembly/assemble.ts";
import type { MachineDescription } from "../../machines/description.ts";
import { imageSize, linkImage } from "../native/link.ts";
import type { PackPlace } from "../native/native-image.ts";
import type { PlaceImages } from "../native/place-alone.ts";
import type { NativeTarget } from "../native/target.ts";
import { PAGE } from "./elf-format.ts";
import { PACK_START, type PackLoader } from "./pack.ts";

/** Room for the loader's code; its table is behind it. */
const LOADER_SIZE = 2048;
const TABLE_HEADER_SIZE = 32;
const TABLE_ROW_SIZE = 32;
/** Where running images call the loader. */
const PACK_LOAD = 8;
/** The page before what images write: 2 KiB for the loader, then the CPU blocks. */
const SHARED_SIZE = PAGE;
const CPUS_OFFSET = 2048;
/** Where QEMU starts ELF files without a header it puts a device tree of 1 MiB at the start of RAM (hw/arm/boot.c, `arm_setup_direct_kernel_boot`). */
const TREE_SIZE = 0x20_0000n;

function packBase({ boot, ram, name }: Pick<MachineDescription, "boot" | "ram" | "name">): bigint {
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

const up = (value: number, align: number): number => Math.ceil(value / align) * align;

/** `text`: `lib/<target>/pack.s`. `constants`: names that it may use, those of the entry assembly. */
export function assembleLoader(
  { assemble }: Pick<NativeTarget, "assemble">,
  { file, text }: { readonly file: string; readonly text: string },
  constants: ReadonlyMap<string, bigint>,
  base: bigint,
): PackLoader {
  const assembly = assemble(text, { origin: base, constants: new Map([...constants, ["PACK_BASE", base]]) });
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
