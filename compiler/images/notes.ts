// The notes of our ELF files: where PVH loaders enter, and what a host has to know of what is inside. elf-format.ts names them,
// image-file.ts reads them back.

import { createByteWriter, type ByteWriter } from "./byte-writer.ts";
import { GUESTSPEC_NOTE, XEN_NOTE } from "./elf-format.ts";
import { manifestIdentity } from "./identity.ts";

export interface NoteFacts {
  readonly target: string;
  readonly entry: bigint;
  /** JSON texts: one, or those of a pack's images in their order. */
  readonly manifests: readonly string[];
}

export function writeNotes({ target, entry, manifests }: NoteFacts): Uint8Array {
  const out = createByteWriter();
  if (target === "x86_64") {
    // First, because some loaders look at one note only; 8 bytes, as QEMU reads it from a 64-bit file (hw/i386/x86.c).
    const address = createByteWriter();
    address.u64(entry);
    appendNote(out, XEN_NOTE.owner, XEN_NOTE.physicalEntry32, address.finish());
  }
  const encoder = new TextEncoder();
  for (const manifest of manifests) {
    // What a run boots itself has none, and Node's module takes longer to load than such a file to write.
    const { deflateSync } = process.getBuiltinModule("node:zlib");
    appendNote(out, GUESTSPEC_NOTE.owner, GUESTSPEC_NOTE.manifest, deflateSync(manifest, { level: 9 }));
    appendNote(out, GUESTSPEC_NOTE.owner, GUESTSPEC_NOTE.identity, encoder.encode(manifestIdentity(manifest)));
  }
  return out.finish();
}

/** System V ABI, chapter 5, "Note Section": words of 4 bytes also in 64-bit files, as every tool reads them. */
function appendNote(out: ByteWriter, owner: string, type: number, description: Uint8Array): void {
  out.u32(owner.length + 1);
  out.u32(description.length);
  out.u32(type);
  out.text(owner);
  out.align(4);
  out.bytes(description);
  out.align(4);
}
