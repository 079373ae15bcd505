// ELF files of both word sizes, made by hand field by field, Linux headers and raw bytes; every truncation of a file is refused in words.
import assert from "node:assert/strict";
import { test } from "node:test";
import { findSymbol, readProgram } from "./read-program.ts";

/** One segment of four bytes in twelve of memory at 0x8000_0000, with the symbols `start` and `data`. */
function makeElf(is64: boolean): Uint8Array {
  const word = is64 ? 8 : 4;
  const [headerSize, programSize, sectionSize, symbolSize] = is64 ? [64, 56, 64, 24] : [52, 32, 40, 16];
  const names = "\0start\0data\0$x\0";
  const at = { program: headerSize, code: headerSize + programSize, symbols: 0, names: 0, sections: 0 };
  at.symbols = at.code + 8;
  at.names = at.symbols + 4 * symbolSize;
  at.sections = at.names + 16;
  const bytes = new Uint8Array(at.sections + 3 * sectionSize);
  const view = new DataView(bytes.buffer);
  const put = (offset: number, value: number): void => (is64 ? view.setBigUint64(offset, BigInt(value), true) : view.setUint32(offset, value, true));
  bytes.set([0x7f, 0x45, 0x4c, 0x46, is64 ? 2 : 1, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, 243, true);
  put(24, 0x8000_0000);
  put(24 + word, at.program);
  put(24 + 2 * word, at.sections);
  [headerSize, programSize, 1, sectionSize, 3].forEach((value, index) => view.setUint16(28 + 3 * word + 2 * index, value, true));
  view.setUint32(at.program, 1, true);
  put(at.program + (is64 ? 8 : 4), at.code);
  put(at.program + (is64 ? 24 : 12), 0x8000_0000);
  put(at.program + (is64 ? 32 : 16), 4);
  put(at.program + (is64 ? 40 : 20), 12);
  bytes.set([1, 2, 3, 4], at.code);
  [
    [1, 0x8000_0000, 4, 2],
    [7, 0x8000_0008, 0, 1],
    [12, 0x8000_0000, 0, 0],
  ].forEach(([name = 0, value = 0, size = 0, type = 0], index) => {
    const symbol = at.symbols + (index + 1) * symbolSize;
    view.setUint32(symbol, name, true);
    put(symbol + (is64 ? 8 : 4), value);
    put(symbol + (is64 ? 16 : 8), size);
    bytes[symbol + (is64 ? 4 : 12)] = type;
    view.setUint16(symbol + (is64 ? 6 : 14), 1, true);
  });
  bytes.set(new TextEncoder().encode(names), at.names);
  const section = (index: number, type: number, offset: number, size: number, link: number): void => {
    const start = at.sections + index * sectionSize;
    view.setUint32(start + 4, type, true);
    put(start + (is64 ? 24 : 16), offset);
    put(start + (is64 ? 32 : 20), size);
    view.setUint32(start + (is64 ? 40 : 24), link, true);
  };
  section(1, 2, at.symbols, 4 * symbolSize, 2);
  section(2, 3, at.names, names.length, 0);
  return bytes;
}

test("a segment from the file's start on begins with its headers", () => {
  const bytes = makeElf(true);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(64 + 8, 0n, true);
  view.setBigUint64(64 + 32, 124n, true);
  view.setBigUint64(64 + 40, 124n, true);
  const read = readProgram(bytes);
  assert.ok(read.ok && read.program.kind === "elf");
  assert.deepEqual(
    read.program.segments.map(({ headerBytes, bytes: { length } }) => [headerBytes, length]),
    [[120, 124]],
  );
});

test("the notes behind the headers belong to them", () => {
  const bytes = makeElf(true);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(64 + 8, 0n, true);
  view.setBigUint64(64 + 32, 124n, true);
  view.setBigUint64(64 + 40, 124n, true);
  // The same file with a second program header, for a note of four bytes behind both.
  const note = new Uint8Array(bytes.length + 56);
  note.set(bytes.subarray(0, 120));
  note.set(bytes.subarray(120), 176);
  const longer = new DataView(note.buffer);
  longer.setUint16(56, 2, true);
  longer.setUint16(60, 0, true);
  longer.setUint32(120, 4, true);
  longer.setBigUint64(120 + 8, 176n, true);
  longer.setBigUint64(120 + 32, 4n, true);
  longer.setBigUint64(64 + 32, 180n, true);
  longer.setBigUint64(64 + 40, 180n, true);
  const headerBytesOf = (file: Uint8Array): readonly number[] => {
    const read = readProgram(file);
    assert.ok(read.ok && read.program.kind === "elf");
    return read.program.segments.map(({ headerBytes }) => headerBytes);
  };
  assert.deepEqual(headerBytesOf(note), [180]);
  longer.setBigUint64(120 + 8, 184n, true);
  assert.deepEqual(headerBytesOf(note), [176], "a note that does not follow at once");
});

for (const is64 of [false, true]) {
  test(`an ELF file of ${is64 ? 64 : 32} bits`, () => {
    const read = readProgram(makeElf(is64));
    assert.ok(read.ok);
    assert.deepEqual(read.program, {
      kind: "elf",
      machine: 243,
      addressBits: is64 ? 64 : 32,
      entry: 0x8000_0000n,
      segments: [{ address: 0x8000_0000n, bytes: Uint8Array.of(1, 2, 3, 4), memorySize: 12, headerBytes: 0 }],
      symbols: [
        { name: "start", address: 0x8000_0000n, size: 4 },
        { name: "data", address: 0x8000_0008n, size: 0 },
      ],
    });
    const { symbols } = read.program;
    assert.equal(findSymbol(symbols, 0x7fff_ffffn), undefined);
    assert.equal(findSymbol(symbols, 0x8000_0003n)?.name, "start");
    assert.equal(findSymbol(symbols, 0x8000_0004n), undefined);
    assert.equal(findSymbol(symbols, 0x9000_0000n)?.name, "data");
  });

  test(`an ELF file of ${is64 ? 64 : 32} bits that ends early is refused`, () => {
    const bytes = makeElf(is64);
    for (let length = 6; length < bytes.length; length++) {
      const read = readProgram(bytes.subarray(0, length));
      assert.ok(!read.ok, `${length} bytes`);
      assert.match(read.problem, /^an ELF file /);
    }
  });
}

test("what is no program is told", () => {
  const problemOf = (bytes: Uint8Array): string => {
    const read = readProgram(bytes);
    return read.ok ? assert.fail("it is one") : read.problem;
  };
  const changed = (at: number, value: number): Uint8Array => {
    const bytes = makeElf(true);
    bytes[at] = value;
    return bytes;
  };
  assert.equal(problemOf(new Uint8Array()), "an empty file");
  assert.equal(problemOf(changed(4, 3)), "an ELF file of class 3; there are 1 and 2");
  assert.equal(problemOf(changed(5, 2)), "a big-endian ELF file; RISC-V's are little-endian");
  assert.equal(problemOf(changed(16, 1)), "an ELF file of type 1; one that is linked (2 or 3) can be loaded");
  assert.equal(problemOf(changed(64, 0)), "an ELF file without anything to load");
  assert.equal(problemOf(Uint8Array.of(0x1f, 0x8b, 8)), "compressed by gzip; unpack it first");
  assert.equal(problemOf(Buffer.from('suite "add"\n\ntest "sum" {\n  expect 1 + 1 == 2\n}\n')), "text, and no program");
});

test("anything else is raw bytes", () => {
  const bytes = Uint8Array.of(1, 2, 3);
  assert.deepEqual(readProgram(bytes), { ok: true, program: { kind: "raw", bytes } });
});
