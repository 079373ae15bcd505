// Native images as disks, for machines that start from nothing else: the target's boot sector (lib/<target>/disk-boot.s) and, from the
// second sector on, the image's bytes as a flat file has them. There is no file system and no partition table; BIOSes that look at
// the sector's signature only start it (docs/native.md, 10).

import { formatProblem } from "../../isa/assembly/assemble.ts";
import { flatMemorySize, type NativeImage } from "../native/native-image.ts";
import type { NativeTarget } from "../native/target.ts";

export const SECTOR = 512;
/** Where the BIOS puts the first sector. */
const BOOT_ADDRESS = 0x7c00n;
/** The sector's last two bytes. */
const SIGNATURE = 0xaa55;
/** Cylinders of 16 heads and 63 sectors: emulators that ask for a geometry take whole ones (ATA, before LBA). */
const CYLINDER = 16 * 63 * SECTOR;

export interface DiskLoader {
  /** For messages: `lib/x86_64/disk-boot.s`. */
  readonly file: string;
  readonly text: string;
}

/** The disk's bytes; the image's first is at offset `SECTOR`. */
export function writeDisk(image: NativeImage, target: Pick<NativeTarget, "assemble">, { file, text }: DiskLoader): Uint8Array {
  // The sector loads the bytes as they are, which those of a pack are not made for; asking refuses them.
  flatMemorySize(image);
  const sectors = Math.ceil(image.bytes.length / SECTOR);
  const constants = new Map([
    ["IMAGE_BASE", image.base],
    ["IMAGE_ENTRY", image.entry],
    ["IMAGE_SECTORS", BigInt(sectors)],
  ]);
  const loader = target.assemble(text, { origin: BOOT_ADDRESS, constants });
  if (!loader.ok) throw new Error(loader.problems.map((problem) => `${file}:${formatProblem(problem)}`).join("\n"));
  if (loader.bytes.length > SECTOR - 2) throw new Error(`${file} has ${loader.bytes.length} bytes, the boot sector room for ${SECTOR - 2}`);
  const disk = new Uint8Array(Math.ceil(((1 + sectors) * SECTOR) / CYLINDER) * CYLINDER);
  disk.set(loader.bytes);
  new DataView(disk.buffer).setUint16(SECTOR - 2, SIGNATURE, true);
  disk.set(image.bytes, SECTOR);
  return disk;
}
