// A native image as the bytes of a file, in each of the forms that machines start from: what `guestspec build --format` writes, and what
// engines give to their VMMs. Loaded when such a file is wanted.

import { writeDisk } from "../compiler/images/disk.ts";
import { manifestText } from "../compiler/images/identity.ts";
import type { Manifest } from "../compiler/images/manifest.ts";
import { writeNativeElf } from "../compiler/images/native-elf.ts";
import type { NativeImage } from "../compiler/native/native-image.ts";
import { loadNativeTarget } from "../compiler/targets/index.ts";
import { usageError } from "./errors.ts";
import { LIB_FOLDER } from "./places.ts";
import { readText } from "./read-text.ts";

export type ImageFormat = "elf" | "flat" | "disk";

export interface EncodableImage {
  readonly native: NativeImage;
  readonly manifest: Manifest;
  /** The spec's. */
  readonly path: string;
}

export async function encodeImage({ native, manifest, path }: EncodableImage, format: ImageFormat): Promise<Uint8Array> {
  switch (format) {
    case "elf":
      return writeNativeElf(native, { manifest: manifestText(manifest), unit: path });
    case "flat":
      return native.bytes;
    case "disk":
      return encodeDisk(native);
  }
}

/** With the boot sector of its target from the library. */
async function encodeDisk(image: NativeImage): Promise<Uint8Array> {
  const file = `${image.target}/disk-boot.s`;
  const text = readText(`${LIB_FOLDER}${file}`);
  const target = await loadNativeTarget(image.target);
  if (text === null || target === null) throw usageError(`images of ${image.target} do not start from disks`, "those of x86_64 do");
  return writeDisk(image, target, { file: `lib/${file}`, text });
}
