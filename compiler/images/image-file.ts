// Reads image files back: what machine code is inside, for which machine, and the manifests that were written into it, so that a
// file which has travelled alone can be listed, run and reported on. Takes bytes from anywhere: whatever is wrong with
// them is an answer with a reason, never an exception.

import { inflateSync } from "node:zlib";
import { PSABIS } from "../../isa/psabi.ts";
import { ELF_MAGIC, ELFCLASS64, ELFDATA2LSB, GUESTSPEC_NOTE, HEADER_SIZE, PROGRAM_HEADER_SIZE, PT, XEN_NOTE } from "./elf-format.ts";
import { manifestIdentity } from "./identity.ts";
import { MANIFEST_VERSION, type Manifest } from "./manifest.ts";

export interface ImagePayload {
  readonly manifest: Manifest;
  /** 32 hexadecimal digits. */
  readonly identity: string;
}

export interface ImageFile {
  readonly target: string;
  readonly entry: bigint;
  readonly segments: readonly ImageSegment[];
  /** Where PVH loaders enter; null: the file has no such note. */
  readonly pvhEntry: bigint | null;
  /** One, or those of a pack in their order. */
  readonly payloads: readonly ImagePayload[];
}

export interface ImageSegment {
  readonly address: bigint;
  readonly fileSize: number;
  readonly memorySize: number;
}

export type ImageFileResult = { readonly ok: true; readonly file: ImageFile } | { readonly ok: false; readonly reason: string };

class UnreadableImage extends Error {}

function refuse(reason: string): never {
  throw new UnreadableImage(reason);
}

export function isElf(bytes: Uint8Array): boolean {
  return ELF_MAGIC.every((byte, index) => bytes[index] === byte);
}

export function readImageFile(bytes: Uint8Array): ImageFileResult {
  try {
    return { ok: true, file: readElf(bytes) };
  } catch (error) {
    if (error instanceof UnreadableImage) return { ok: false, reason: error.message };
    throw error;
  }
}

function readElf(bytes: Uint8Array): ImageFile {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!isElf(bytes)) refuse("it is no ELF file; flat images carry no manifest");
  if (bytes.length < HEADER_SIZE) refuse("it ends within the ELF header");
  if (bytes[4] !== ELFCLASS64 || bytes[5] !== ELFDATA2LSB) refuse("it is no 64-bit little-endian ELF file");
  const machine = view.getUint16(18, true);
  const [target] = Object.entries(PSABIS).find(([, row]) => row.machine === machine) ?? [];
  if (target === undefined) refuse(`its machine, ELF number ${machine}, is none that images are made for`);
  const headers = programHeaders(view);
  const notes = headers.filter(({ type }) => type === PT.note).flatMap((header) => readNotes(bytes.subarray(header.offset, header.offset + header.fileSize)));
  const pvh = notes.find(({ owner, type }) => owner === XEN_NOTE.owner && type === XEN_NOTE.physicalEntry32);
  return {
    target,
    entry: view.getBigUint64(24, true),
    segments: headers.filter(({ type }) => type === PT.load).map(({ address, fileSize, memorySize }) => ({ address, fileSize, memorySize })),
    pvhEntry: pvh === undefined ? null : readWord(pvh.description),
    payloads: readPayloads(notes, target),
  };
}

interface ProgramHeader extends ImageSegment {
  readonly type: number;
  readonly offset: number;
}

function programHeaders(view: DataView): readonly ProgramHeader[] {
  const table = Number(view.getBigUint64(32, true));
  const count = view.getUint16(56, true);
  const inFile = (offset: number, size: number): boolean => Number.isSafeInteger(offset + size) && offset + size <= view.byteLength;
  if (view.getUint16(54, true) !== PROGRAM_HEADER_SIZE || !inFile(table, count * PROGRAM_HEADER_SIZE)) refuse("its program headers are outside of the file");
  return Array.from({ length: count }, (_, index) => {
    const at = table + index * PROGRAM_HEADER_SIZE;
    const header = {
      type: view.getUint32(at, true),
      offset: Number(view.getBigUint64(at + 8, true)),
      address: view.getBigUint64(at + 24, true),
      fileSize: Number(view.getBigUint64(at + 32, true)),
      memorySize: Number(view.getBigUint64(at + 40, true)),
    };
    if (!inFile(header.offset, header.fileSize)) refuse("it is cut off: a segment ends behind the file");
    return header;
  });
}

interface Note {
  readonly owner: string;
  readonly type: number;
  readonly description: Uint8Array;
}

function readNotes(bytes: Uint8Array): readonly Note[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const up = (size: number): number => Math.ceil(size / 4) * 4;
  const notes: Note[] = [];
  for (let at = 0; at + 12 <= bytes.length;) {
    const [ownerSize, size, type] = [view.getUint32(at, true), view.getUint32(at + 4, true), view.getUint32(at + 8, true)];
    const start = at + 12 + up(ownerSize);
    if (start + size > bytes.length) refuse("a note ends behind its segment");
    const owner = new TextDecoder("latin1").decode(bytes.subarray(at + 12, at + 12 + ownerSize)).replace(/\0+$/, "");
    notes.push({ owner, type, description: bytes.subarray(start, start + size) });
    at = start + up(size);
  }
  return notes;
}

function readWord(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length === 8) return view.getBigUint64(0, true);
  return bytes.length === 4 ? BigInt(view.getUint32(0, true)) : refuse("the PVH note holds no address");
}

/** Every manifest is followed by its identity. */
function readPayloads(notes: readonly Note[], target: string): readonly ImagePayload[] {
  const own = notes.filter(({ owner }) => owner === GUESTSPEC_NOTE.owner);
  const manifests = own.filter(({ type }) => type === GUESTSPEC_NOTE.manifest);
  const identities = own.filter(({ type }) => type === GUESTSPEC_NOTE.identity);
  if (manifests.length === 0) refuse("it holds no manifest, so it was not made by guestspec");
  return manifests.map(({ description }, index) => {
    const text = inflate(description);
    const identity = new TextDecoder().decode(identities[index]?.description);
    if (identity !== manifestIdentity(text)) refuse("its manifest is not the one that it was built with");
    const manifest = parseManifest(text);
    if (manifest.target !== target) refuse(`its manifest is for ${manifest.target}, its code for ${target}`);
    return { manifest, identity };
  });
}

function inflate(bytes: Uint8Array): string {
  try {
    return inflateSync(bytes).toString("utf8");
  } catch {
    return refuse("its manifest is damaged");
  }
}

function parseManifest(text: string): Manifest {
  let manifest: Manifest;
  try {
    manifest = JSON.parse(text) as Manifest;
  } catch {
    return refuse("its manifest is no JSON");
  }
  if (manifest?.version !== MANIFEST_VERSION) refuse(`its manifest is of version ${manifest?.version}, this guestspec reads ${MANIFEST_VERSION}`);
  return manifest;
}
