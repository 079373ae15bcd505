// Headers that boot loaders look for in an image's first bytes. Entry assembly reserves them, with their magic numbers and whatever
// only code can say (the jump of an Image header); here the sizes and addresses go in, which are known when everything is linked. They make
// the flat image bootable as it is.

import { flatMemorySize, type NativeImage } from "../native/native-image.ts";

interface BootHeader {
  readonly name: string;
  readonly magic: number;
  /** Where the magic number may stand in the image. */
  readonly offsets: { readonly first: number; readonly last: number; readonly step: number };
  /** `at`: offset of the magic number. */
  readonly fill: (view: DataView, at: number, image: NativeImage, ramBase: bigint) => void;
}

/** Multiboot specification 0.6.96, section 3.1. */
const MULTIBOOT_SEARCH = 8192;
/** Modules on pages, memory information, and addresses in the header, which loaders then take instead of the ELF headers. */
const MULTIBOOT_FLAGS = 0x0001_0003;
const MULTIBOOT_MAGIC = 0x1bad_b002;

const MULTIBOOT: BootHeader = {
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

const MIB2 = 0x20_0000n;

/** Linux, Documentation/arm64/booting.rst, "Call the kernel image": 64 bytes, the magic number at 56. */
const ARM64_IMAGE: BootHeader = {
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

/** Linux, Documentation/riscv/boot-image-header.rst: 64 bytes, the magic numbers at 48 ("RISCV", deprecated but looked for) and 56. */
const RISCV_IMAGE: BootHeader = {
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

const HEADERS: Readonly<Record<string, BootHeader>> = { x86_64: MULTIBOOT, aarch64: ARM64_IMAGE, riscv64: RISCV_IMAGE };

function findHeader({ magic, offsets }: BootHeader, view: DataView): number | null {
  for (let at = offsets.first; at <= Math.min(offsets.last, view.byteLength - 8); at += offsets.step) if (view.getUint32(at, true) === magic) return at;
  return null;
}

/**
 * Completes the header of an image that is alone, in its bytes: a copy of the image would have all its tables made, which whoever writes a flat
 * file does not want. Entry assembly that reserves no header is a mistake of the target.
 */
export function fillBootHeader(image: NativeImage, ramBase: bigint): NativeImage {
  const header = HEADERS[image.target];
  if (header === undefined) throw new Error(`no boot header is known for target ${image.target}`);
  const { bytes } = image;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const at = findHeader(header, view);
  if (at === null) throw new Error(`the entry assembly of ${image.target} reserves no ${header.name} header`);
  header.fill(view, at, image, ramBase);
  return image;
}
