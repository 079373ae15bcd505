// The numbers of ELF that the writer and the reader of images share (System V ABI, generic part, chapters 4 and 5; the names are its).
// Only 64-bit little-endian files are written and read. What a note of ours holds is said here too: it is how a file that left
// its manifest behind still knows its tests.

export const ELF_MAGIC = [0x7f, 0x45, 0x4c, 0x46] as const;
export const ELFCLASS64 = 2;
export const ELFDATA2LSB = 1;
export const EV_CURRENT = 1;
export const ET_EXEC = 2;

/** The unit of segments. */
export const PAGE = 4096;

/**
 * Where loaded contents begin in a file. Behind the 8192 bytes that are searched for a Multiboot header, so that it is not found in
 * an ELF file: QEMU would take Multiboot, refuse a 64-bit file whose header has no addresses, and copy all of the image's memory through
 * fw_cfg (6 ms for each MiB). By the PVH note it loads just the segments. Flat files are Multiboot files.
 */
export const FILE_START = 8192;

export const HEADER_SIZE = 64;
export const PROGRAM_HEADER_SIZE = 56;
export const SECTION_HEADER_SIZE = 64;
export const SYMBOL_SIZE = 24;

export const PT = { load: 1, note: 4, gnuStack: 0x6474e551 } as const;
export const PF = { execute: 1, write: 2, read: 4 } as const;
export const SHT = { null: 0, progbits: 1, symtab: 2, strtab: 3, note: 7, nobits: 8 } as const;
export const SHF = { write: 1, alloc: 2, execute: 4 } as const;
export const STB = { local: 0, global: 1 } as const;
export const STT = { notype: 0, object: 1, function: 2 } as const;
export const SHN_ABS = 0xfff1;

/** Notes by owner and type. */
export const GUESTSPEC_NOTE = {
  owner: "guestspec",
  /** The manifest's JSON in zlib's format. */
  manifest: 1,
  /** Text: the manifest's hash, whose first 8 digits an image says when it is ready for a host (docs/native.md, 8). */
  identity: 2,
} as const;

/** The PVH boot protocol's entry: where a VMM starts the image in 32-bit protected mode (Xen, docs/misc/pvh.pandoc and xen/include/public/elfnote.h). */
export const XEN_NOTE = { owner: "Xen", physicalEntry32: 18 } as const;
