// Snapshots as files: a guest's whole state with what it was made of, so that another process can go on with it (docs/adr/0032). Bytes
// in, bytes out; the host's files are the caller's. A reader believes nothing: length, digest, version and machine are compared before
// the first byte of state is looked at, and what does not fit is a value with a code (snapshot-codes.ts).
//
//   offset 0   magic, 8 bytes        16  length of the body, u32
//          8   format, u32           20  SHA-256 of bytes 0..19, header and body
//         12   length of header, u32 52  header: JSON; then the body: deflated sections, in the header's order (all little-endian)

import type { MachineDescription } from "../../machines/description.ts";
import { PAGE_SIZE } from "../machine/memory.ts";
import type { PageContents } from "../machine/snapshot.ts";
import type { GuestContents } from "./guest.ts";
import { decodePlainData, encodePlainData, type PlainData } from "./plain-data.ts";
import type { SnapshotProblem } from "./snapshot-codes.ts";

/** As PNG's: a byte that is no ASCII, a name, and line ends of both kinds, which a transfer as text changes. */
const MAGIC = Uint8Array.from([0x89, 0x47, 0x53, 0x4e, 0x0d, 0x0a, 0x1a, 0x0a]);
/** Of the file, and of what it holds of a CPU, where that changes between two versions: 2 since harts have triggers. */
export const SNAPSHOT_FORMAT = 2;
const AT = { format: 8, headerLength: 12, bodyLength: 16, digest: 20, header: 52 } as const;
const PAGE_RECORD = 4 + PAGE_SIZE;
/** RAM is mostly text, code and tables: little is gained by more effort, and a kernel's is 100 MB. */
const DEFLATE_LEVEL = 3;

/** A file that the guest was made of: a reset loads it again. */
export interface SnapshotInput {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** What a guest was made of and where it is. */
export interface SnapshotAbout {
  /** The version of the tool that wrote it. */
  readonly writtenBy: string;
  /** As `--machine` takes it. */
  readonly machine: string;
  /** Of the machine's description. */
  readonly machineKey: string;
  readonly cpus: number;
  readonly seed: bigint;
  readonly commandLine: string | null;
  /** Since power-on, of all CPUs. */
  readonly instructions: number;
  /** Guest time in ns. */
  readonly time: number;
  /** Bytes that the console has printed, since the first power-on. */
  readonly consoleBytes: number;
}

export interface SnapshotFile {
  readonly about: SnapshotAbout;
  readonly image: SnapshotInput;
  readonly firmware: SnapshotInput | null;
  readonly initrd: SnapshotInput | null;
  readonly contents: GuestContents;
}

const INPUTS = ["image", "firmware", "initrd"] as const;

interface Section {
  readonly name: "state" | "pages" | (typeof INPUTS)[number];
  readonly bytes: number;
  /** Of an input: the file's name. */
  readonly file?: string;
}

type Header = Omit<SnapshotAbout, "seed"> & { readonly seed: string; readonly sections: readonly Section[] };

// Asked for where they are needed: `exec` loads this file each time, and few snapshots are taken.
const zlib = () => process.getBuiltinModule("node:zlib");
const sha256 = () => process.getBuiltinModule("node:crypto").createHash("sha256");

/** Equal for machines that a snapshot cannot tell apart. */
export function machineKeyOf(description: MachineDescription): string {
  // Names and summaries are for people.
  return sha256()
    .update(encodePlainData({ ...description, name: "", summary: "" }))
    .digest("hex");
}

function writePages(pages: readonly PageContents[]): Uint8Array {
  const bytes = Buffer.alloc(pages.length * PAGE_RECORD);
  pages.forEach(({ page, bytes: contents }, index) => {
    bytes.writeUInt32LE(page, index * PAGE_RECORD);
    bytes.set(contents, index * PAGE_RECORD + 4);
  });
  return bytes;
}

function readPages(bytes: Uint8Array): readonly PageContents[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length / PAGE_RECORD }, (_, index) => {
    const at = index * PAGE_RECORD;
    return { page: view.getUint32(at, true), bytes: bytes.subarray(at + 4, at + PAGE_RECORD) };
  });
}

function digestOf(file: Buffer): Buffer {
  return sha256().update(file.subarray(0, AT.digest)).update(file.subarray(AT.header)).digest();
}

export function writeSnapshot({ about, contents, ...inputs }: SnapshotFile): Uint8Array {
  const { pages, ...machine } = contents.machine;
  const parts: (readonly [Omit<Section, "bytes">, Uint8Array])[] = [
    [{ name: "state" }, Buffer.from(encodePlainData({ ...contents, machine }))],
    [{ name: "pages" }, writePages(pages)],
  ];
  for (const name of INPUTS) {
    const input = inputs[name];
    if (input !== null) parts.push([{ name, file: input.name }, input.bytes]);
  }
  const sections = parts.map(([section, bytes]): Section => ({ ...section, bytes: bytes.length }));
  const head: Header = { ...about, seed: String(about.seed), sections };
  const header = Buffer.from(JSON.stringify(head));
  const body = zlib().deflateSync(Buffer.concat(parts.map(([, bytes]) => bytes)), { level: DEFLATE_LEVEL });
  const file = Buffer.concat([Buffer.alloc(AT.header), header, body]);
  file.set(MAGIC);
  file.writeUInt32LE(SNAPSHOT_FORMAT, AT.format);
  file.writeUInt32LE(header.length, AT.headerLength);
  file.writeUInt32LE(body.length, AT.bodyLength);
  file.set(digestOf(file), AT.digest);
  return file;
}

export type ReadSnapshot = { readonly ok: true; readonly snapshot: SnapshotFile } | { readonly ok: false; readonly problem: SnapshotProblem };

const REWRITE = "a run is the same every time: write the snapshot anew with the command that made it";

function fail(code: SnapshotProblem["code"], message: string, help: string | null = null): { readonly ok: false; readonly problem: SnapshotProblem } {
  return { ok: false, problem: { code, message, help } };
}

const count = (bytes: number): string => `${bytes.toLocaleString("en-US")} byte${bytes === 1 ? "" : "s"}`;

function describeStart(bytes: Uint8Array): string {
  if (bytes.length === 0) return "the file is empty";
  const start = Buffer.from(bytes.subarray(0, MAGIC.length)).toString("latin1");
  if (start.startsWith("\x7fELF")) return "this is an ELF file";
  return `this begins with ${/^[\x20-\x7e]+$/.test(start) ? JSON.stringify(start) : Buffer.from(start, "latin1").toString("hex")}`;
}

/** `name` is how messages call the file, `version` the one of this tool. */
export function readSnapshot(bytes: Uint8Array, name: string, version: string): ReadSnapshot {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const begins = file.subarray(0, MAGIC.length);
  if (file.length === 0 || !begins.equals(MAGIC.subarray(0, begins.length))) {
    return fail("E0901", `${name} is no snapshot: expected a file that begins with ${Buffer.from(MAGIC).toString("hex")}, but ${describeStart(bytes)}`);
  }
  if (file.length < AT.header) return fail("E0903", `${name} is damaged: expected a header of ${count(AT.header)}, found ${count(file.length)}`);
  const format = file.readUInt32LE(AT.format);
  if (format !== SNAPSHOT_FORMAT) {
    return fail("E0902", `${name} has format ${format}: guestspec ${version} reads format ${SNAPSHOT_FORMAT}`, REWRITE);
  }
  const headerEnd = AT.header + file.readUInt32LE(AT.headerLength);
  const expected = headerEnd + file.readUInt32LE(AT.bodyLength);
  if (file.length !== expected) return fail("E0903", `${name} is damaged: expected ${count(expected)}, found ${count(file.length)}`);
  const written = file.subarray(AT.digest, AT.header);
  const found = digestOf(file);
  if (!found.equals(written)) {
    const short = (digest: Buffer): string => `${digest.toString("hex").slice(0, 16)}..`;
    return fail("E0903", `${name} is damaged: expected contents with the SHA-256 digest ${short(written)}, found ${short(found)}`);
  }
  // From here on the bytes are those that somebody wrote with this format.
  const { sections, seed, ...rest } = JSON.parse(file.toString("utf8", AT.header, headerEnd)) as Header;
  const about: SnapshotAbout = { ...rest, seed: BigInt(seed) };
  if (about.writtenBy !== version) return fail("E0902", `${name} was written by guestspec ${about.writtenBy}: this is ${version}`, REWRITE);
  const length = sections.reduce((sum, section) => sum + section.bytes, 0);
  const inflated = zlib().inflateSync(file.subarray(headerEnd), { maxOutputLength: Math.max(length, 1) });
  const body = new Uint8Array(inflated.buffer, inflated.byteOffset, inflated.length);
  let at = 0;
  const read = new Map<Section["name"], { readonly file: string; readonly bytes: Uint8Array }>();
  for (const section of sections) read.set(section.name, { file: section.file ?? "", bytes: body.subarray(at, (at += section.bytes)) });
  const inputOf = (input: (typeof INPUTS)[number]): SnapshotInput | null => {
    const section = read.get(input);
    return section === undefined ? null : { name: section.file, bytes: section.bytes };
  };
  const image = inputOf("image");
  const state = read.get("state");
  const pages = read.get("pages");
  if (image === null || state === undefined || pages === undefined) throw new Error(`${name} lacks a section: there are ${[...read.keys()].join(", ")}`);
  const kept = decodePlainData(new TextDecoder().decode(state.bytes)) as unknown as GuestContents;
  const contents: GuestContents = { ...kept, machine: { ...kept.machine, pages: readPages(pages.bytes) } };
  return { ok: true, snapshot: { about, image, firmware: inputOf("firmware"), initrd: inputOf("initrd"), contents } };
}

/** Null: the snapshot was taken of this machine. */
export function checkMachine({ machine, machineKey }: SnapshotAbout, description: MachineDescription, name: string): SnapshotProblem | null {
  const key = machineKeyOf(description);
  if (key === machineKey) return null;
  const short = (digest: string): string => `${digest.slice(0, 16)}..`;
  const message = `${name} was taken of ${machine}, whose description has the digest ${short(machineKey)}: ${description.name} has ${short(key)}`;
  return { code: "E0904", message, help: machine === description.name ? "its description has changed since: write the snapshot anew" : null };
}

/** How state is built, its values apart: fields by name, and what kind of value each is. Lists grow and shrink, and count as one. */
function shapeOf(value: PlainData): string {
  if (value === null || typeof value !== "object") return value === null ? "null" : typeof value;
  if (value instanceof Uint8Array) return `bytes[${value.length}]`;
  if (value instanceof Uint32Array) return `words[${value.length}]`;
  return Array.isArray(value) ? "list" : `{${Object.keys(value).toSorted().join(", ")}}`;
}

/** Null: `found` can be loaded where `fresh`, the state of a guest that has not run yet, comes from. */
export function checkContents(found: GuestContents, fresh: GuestContents, deviceNames: readonly string[], name: string): SnapshotProblem | null {
  const problem = (what: string, expected: string, was: string): SnapshotProblem => ({
    code: "E0905",
    message: `${name} does not fit: expected ${what} with ${expected}, found ${was}`,
    help: REWRITE,
  });
  const rows: (readonly [what: string, fresh: unknown, found: unknown])[] = [
    ["the CPUs", fresh.processor, found.processor],
    ["firmware", fresh.firmware, found.firmware],
    ["wires", fresh.machine.state.pins, found.machine.state.pins],
    ...deviceNames.map((device, index) => [device, fresh.machine.state.devices[index], found.machine.state.devices[index] ?? null] as const),
  ];
  for (const [what, expected, was] of rows) {
    const [wanted, got] = [shapeOf(expected as PlainData), shapeOf(was as PlainData)];
    if (wanted !== got) return problem(what, wanted, got);
  }
  const [devices, cpus] = [found.machine.state.devices.length, found.toldAt.length];
  if (devices !== deviceNames.length) return problem("the machine", `${deviceNames.length} devices`, String(devices));
  return cpus === fresh.toldAt.length ? null : problem("the machine", `${fresh.toldAt.length} CPUs`, String(cpus));
}
