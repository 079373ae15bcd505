// The header of an arm64 `Image`, as of a Linux kernel: what loaders of AArch64 boards take besides ELF files.

import type { BootHeader } from "../../native/boot-header.ts";
import { flatMemorySize } from "../../native/native-image.ts";

const MIB2 = 0x20_0000n;

/** Linux, Documentation/arm64/booting.rst, "Call the kernel image": 64 bytes, the magic number at 56. */
export const BOOT_HEADER: BootHeader = {
  name: "arm64 Image",
  magic: 0x644d_5241,
  offsets: { first: 56, last: 56, step: 4 },
  fill(view, _at, image) {
    view.setBigUint64(8, image.base % MIB2, true);
    view.setBigUint64(16, BigInt(flatMemorySize(image)), true);
    // Little-endian, pages of 4 KiB, as near to the start of RAM as possible.
    view.setBigUint64(24, 0b0010n, true);
  },
};
