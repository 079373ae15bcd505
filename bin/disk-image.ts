// A native image as a disk, with the boot sector of its target from the library: what `guestspec build --format disk` writes, and what
// engines give to machines that start from nothing else. Loaded when such a disk is wanted.

import { writeDisk } from "../compiler/images/disk.ts";
import type { NativeImage } from "../compiler/native/native-image.ts";
import { findNativeTarget } from "../compiler/targets/index.ts";
import { usageError } from "./errors.ts";
import { LIB_FOLDER, readText } from "./load-specs.ts";

export function encodeDisk(image: NativeImage): Uint8Array {
  const file = `${image.target}/disk-boot.s`;
  const text = readText(`${LIB_FOLDER}${file}`);
  const target = findNativeTarget(image.target);
  if (text === null || target === undefined) throw usageError(`images of ${image.target} do not start from disks`, "x86_64 does");
  return writeDisk(image, target, { file: `lib/${file}`, text });
}
