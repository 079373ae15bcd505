// The Multiboot header, by which loaders of PCs take a flat image: they want to be told everything in it.

import type { BootHeader } from "../../native/boot-header.ts";
import { flatMemorySize } from "../../native/native-image.ts";

/** Multiboot specification 0.6.96, section 3.1. */
const MULTIBOOT_SEARCH = 8192;
/** Modules on pages, memory information, and addresses in the header, which loaders then take instead of the ELF headers. */
const MULTIBOOT_FLAGS = 0x0001_0003;
const MULTIBOOT_MAGIC = 0x1bad_b002;

export const BOOT_HEADER: BootHeader = {
  name: "Multiboot",
  magic: MULTIBOOT_MAGIC,
  offsets: { first: 0, last: MULTIBOOT_SEARCH - 32, step: 4 },
  // A flat file is loaded by these addresses alone. The end of zeroed memory matters as well: loaders put the command line behind it.
  fill(view, at, image) {
    const { base, bytes, entry } = image;
    const start = Number(base);
    const words = [
      MULTIBOOT_FLAGS,
      -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS),
      start + at,
      start,
      start + bytes.length,
      start + flatMemorySize(image),
      Number(entry),
    ];
    for (const [index, word] of words.entries()) view.setUint32(at + 4 + 4 * index, word >>> 0, true);
  },
};
