// Where things are in an image and what the guest library is told of it, on a module of a few lines and an entry assembly of one: the
// order of sections, alignment, signature words, relocations, and images that cannot be made.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseText } from "../../isa/bytecode/text.ts";
import { riscv64 } from "../targets/riscv64/target.ts";
import type { ScalarType } from "../../isa/bytecode/module.ts";
import { CPU_BLOCK_SIZE, signatureNumber, signatureWord } from "./abi.ts";
import { assembleEntry, LinkError, MAX_CPUS, STACK_RESERVE, STACK_SIZE } from "./entry.ts";
import { linkImage, type LinkOptions } from "./link.ts";
import { lowerModule, type LoweredModule } from "./lower-module.ts";
import { COMMAND_LINE_SIZE, flatMemorySize, type NativeImage } from "./native-image.ts";

const BASE = 0x8000_0000n;

const PROGRAM = `
export "main" = @main
data @"native.image" size 96 align 8 writable
data @"native.cpus" size ${MAX_CPUS * CPU_BLOCK_SIZE} align 8 writable
data @"native.kept" size 8 align 8 writable { bytes "0102030405060708" }
data @"text" size 5 align 1 readonly { bytes "68656c6c6f" }
data @"table" size 24 align 8 readonly {
  addr 0 data @"text" +2
  addr 8 func @second
  addr 16 data @"zero" -8
}
data @"start" size 4 align 4 writable { bytes "2a" }
data @"zero" size 100 align 64 writable
func @main () -> (addr) {
  reg %0:addr
  %0 = func_addr @first
  call @second
  return %0
}
func @first (i32, i64) -> (i8) {
  reg %2:i8
  return %2
}
func @second () -> () {
  return
}
func @third () -> () {
  return
}`;

const ENTRY = "guest_start:\n  la t0, main\n  la t1, native.cpus\n  la t2, guest_stacks\nguest_poll:\n  ret";

const lower = (program = PROGRAM): LoweredModule => lowerModule(parseText(`gbc 1 addr64 little\n${program}`, { fileName: "link" }), riscv64);

function link(options: Partial<LinkOptions> & { readonly lowered?: LoweredModule; readonly entryText?: string } = {}): NativeImage {
  const { lowered = lower(), entryText = ENTRY, ...rest } = options;
  return linkImage(lowered, { machine: "test", base: BASE, entry: assembleEntry(riscv64, { file: "entry.s", text: entryText }, new Map()), ...rest });
}

function addressOf(image: NativeImage, name: string): bigint {
  const found = image.symbols.find((symbol) => symbol.name === name);
  assert.ok(found !== undefined, name);
  return found.address;
}

/** A place in the file by its address. */
function viewAt(image: NativeImage, address: bigint): DataView {
  const offset = address < image.writableBase ? Number(address - image.base) : Number(address - image.writableBase) + image.writableOffset;
  return new DataView(image.bytes.buffer, image.bytes.byteOffset + offset);
}

const wordAt = (image: NativeImage, address: bigint): bigint => viewAt(image, address).getBigUint64(0, true);

test("entry, functions, read-only data, kept data, other data, zero data, stacks", () => {
  const image = link();
  const order = ["guest_start", "main", "first", "second", "third", "text", "table", "native.image", "native.kept", "start", "zero", "native.cpus"];
  const addresses = order.map((name) => addressOf(image, name));
  assert.deepEqual(
    addresses.toSorted((a, b) => Number(a - b)),
    addresses,
  );
  assert.equal(addresses[0], BASE);
  assert.equal(image.entry, BASE);
  const writable = BASE + BigInt(image.writableOffset);
  assert.equal(image.writableOffset % 4096, 0);
  assert.equal(image.writableBase, writable);
  assert.ok(addressOf(image, "table") + 24n <= writable && addressOf(image, "native.image") >= writable + BigInt(COMMAND_LINE_SIZE));
  assert.equal(addressOf(image, "zero") % 64n, 0n);
  const fileEnd = BASE + BigInt(image.bytes.length);
  assert.ok(addressOf(image, "start") < fileEnd && addressOf(image, "zero") >= fileEnd, "zeros are not in the file");
  assert.equal(flatMemorySize(image) % 4096, 0);
  assert.ok(flatMemorySize(image) >= Number(addressOf(image, "native.cpus") - BASE) + MAX_CPUS * (CPU_BLOCK_SIZE + STACK_SIZE + STACK_RESERVE));
});

test("the library is told where everything is", () => {
  const image = link();
  const fields = Array.from({ length: 12 }, (_, index) => wordAt(image, addressOf(image, "native.image") + 8n * BigInt(index)));
  const [start, codeStart, codeEnd, readonlyStart, readonlyEnd, restoredStart, restoredEnd, end, commandLine, packStart, packEnd, load] = fields;
  assert.equal(start, BASE);
  assert.deepEqual([codeStart, codeEnd], [image.codeStart, image.codeEnd]);
  assert.ok(readonlyStart !== undefined && readonlyStart <= addressOf(image, "text") && readonlyStart >= image.codeEnd);
  assert.equal(readonlyEnd, image.writableBase);
  assert.equal(restoredStart, addressOf(image, "start"), "what is kept is before");
  assert.equal(restoredEnd, addressOf(image, "zero") + 100n, "and behind");
  assert.equal(end, BASE + BigInt(flatMemorySize(image)));
  assert.equal(commandLine, BASE + BigInt(image.commandLineOffset));
  assert.deepEqual([packStart, packEnd, load], [BASE, readonlyEnd, 0n]);
});

test("relocations are absolute addresses", () => {
  const image = link();
  const table = addressOf(image, "table");
  assert.equal(wordAt(image, table), addressOf(image, "text") + 2n);
  assert.equal(wordAt(image, table + 8n), addressOf(image, "second"));
  assert.equal(wordAt(image, table + 16n), addressOf(image, "zero") - 8n);
  assert.equal(viewAt(image, addressOf(image, "start")).getUint32(0, true), 42);
});

test("functions whose address is taken, and no others, have their signature's word before them", () => {
  const lowered = lower();
  const image = link({ lowered });
  const word = (name: string): number => viewAt(image, addressOf(image, name) - 4n).getUint32(0, true);
  assert.equal(word("first"), signatureWord({ params: ["i32", "i64"], results: ["i8"] }));
  assert.equal(word("second"), signatureWord({ params: [], results: [] }));
  assert.notEqual(word("third") >>> 16, 0x6a51);
  for (const name of ["first", "second"]) assert.equal(addressOf(image, name) % 4n, 0n);
});

test("signatures have numbers of 16 bits, all short ones their own", () => {
  const types: readonly ScalarType[] = ["i8", "i16", "i32", "i64", "addr"];
  const lists = (length: number): readonly (readonly ScalarType[])[] =>
    length === 0 ? [[]] : lists(length - 1).flatMap((list) => types.map((type) => [...list, type]));
  const numbers = [0, 1, 2, 3, 4, 5].flatMap((length) =>
    lists(length).flatMap((list) => Array.from({ length: length + 1 }, (_, at) => signatureNumber({ params: list.slice(0, at), results: list.slice(at) }))),
  );
  assert.equal(new Set(numbers).size, numbers.length);
  const long = signatureNumber({ params: ["i64", "i64", "i64", "i64", "i64", "addr"], results: ["addr"] });
  assert.ok(long <= 0xffff && !numbers.includes(long));
  assert.notEqual(long, signatureNumber({ params: ["i64", "i64", "i64", "i64", "i64", "addr"], results: [] }));
});

test("what is written may be elsewhere", () => {
  const writableBase = 0x8100_0000n;
  const image = link({ writableBase });
  assert.ok(addressOf(image, "start") >= writableBase && addressOf(image, "text") < BASE + BigInt(image.writableOffset));
  assert.equal(wordAt(image, addressOf(image, "table") + 16n), addressOf(image, "zero") - 8n);
  assert.throws(() => flatMemorySize(image), /is no flat image/);
});

test("the line table names the places of functions", () => {
  const image = link();
  const places = image.lines.filter(({ file }) => file >= 0);
  // Only what may trap has a place in a hand-written module: here the call.
  assert.deepEqual([...new Set(places.map(({ line }) => line))], [PROGRAM.split("\n").indexOf("  call @second") + 2]);
  assert.ok(places.every(({ address }) => address >= addressOf(image, "main") && address < addressOf(image, "first")));
  assert.deepEqual(
    image.lines.map(({ address }) => address),
    image.lines.map(({ address }) => address).toSorted((a, b) => Number(a - b)),
  );
});

test("an image that cannot be made says why", () => {
  const cases: readonly (readonly [() => unknown, RegExp])[] = [
    [() => link({ entryText: `${ENTRY}\n  la t0, no.such_thing\n` }), /^entry\.s and compiled code name `no\.such_thing`, which is neither/],
    [() => link({ entryText: "guest_start:\n  frobnicate t0\n" }), /^entry\.s:2:3: /],
    [() => link({ entryText: ENTRY.replace("guest_start", "somewhere") }), /`guest_start`/],
    [() => link({ lowered: lower(PROGRAM.replace("native.image", "native.other")) }), /does not use `native\.image`/],
  ];
  for (const [make, message] of cases) assert.throws(make, (error) => error instanceof LinkError && message.test(error.message));
});

test("a call that does not reach is an error with the caller's name", () => {
  const lowered = lower();
  const functions = lowered.functions.map((fn, index) => (index === 1 ? { ...fn, code: new Uint8Array(2 ** 21) } : fn));
  assert.throws(
    () => link({ lowered: { ...lowered, functions } }),
    (error) => error instanceof LinkError && error.message.startsWith("main: a reference "),
  );
});
