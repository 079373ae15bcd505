// The header of a RISC-V `Image`, as of a Linux kernel: what loaders of RISC-V boards take besides ELF files.

import type { BootHeader } from "../../native/boot-header.ts";
import { flatMemorySize } from "../../native/native-image.ts";

/** Linux, Documentation/riscv/boot-image-header.rst: 64 bytes, the magic numbers at 48 ("RISCV", deprecated but looked for) and 56. */
export const BOOT_HEADER: BootHeader = {
  name: "RISC-V Image",
  magic: 0x0543_5352,
  offsets: { first: 56, last: 56, step: 4 },
  fill(view, _at, image, ramBase) {
    view.setBigUint64(8, image.base - ramBase, true);
    view.setBigUint64(16, BigInt(flatMemorySize(image)), true);
    view.setBigUint64(24, 0n, true);
    view.setUint32(32, 0x0000_0002, true); // version 0.2
    view.setBigUint64(48, 0x56_4353_4952n, true);
  },
};
