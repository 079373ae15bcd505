// ELF files and their boot headers, read back by our own reader, which must also survive every damage; other readers and loaders
// judge them in tests/images.
import assert from "node:assert/strict";
import { test } from "node:test";
import { bootableTinyImage, TINY_MACHINES, tinyImage, tinyManifest, type TinyTarget } from "../../tests/images/tiny-image.ts";
import { createRandom, FUZZ_SEED, fuzzRounds } from "../../tests/fixtures/random.ts";
import { writeNativeElf } from "./native-elf.ts";
import { manifestIdentity, manifestText } from "./identity.ts";
import { readImageFile } from "./image-file.ts";

const TARGETS = Object.keys(TINY_MACHINES) as TinyTarget[];

function writeTiny(target: TinyTarget): Uint8Array {
  return writeNativeElf(bootableTinyImage(target), { manifest: manifestText(tinyManifest(target)), unit: "tiny.gspec" });
}

for (const target of TARGETS) {
  test(`what is written for ${target} is read back`, () => {
    const image = tinyImage(target);
    const result = readImageFile(writeTiny(target));
    if (!result.ok) assert.fail(result.reason);
    const { file } = result;
    assert.equal(file.target, target);
    assert.equal(file.entry, image.entry);
    assert.equal(file.pvhEntry, target === "x86_64" ? image.entry : null);
    assert.deepEqual(file.segments, [
      { address: image.base, fileSize: 4096, memorySize: 4096 },
      { address: image.base + 4096n, fileSize: 4096, memorySize: image.writableSize },
    ]);
    const manifest = tinyManifest(target);
    assert.deepEqual(file.payloads, [{ manifest, identity: manifestIdentity(manifestText(manifest)) }]);
  });
}

test("equal images give equal files", () => {
  for (const target of TARGETS) assert.deepEqual(writeTiny(target), writeTiny(target));
});

test("what is no image of ours is refused with a reason", () => {
  const elf = writeTiny("riscv64");
  const changed = (at: number, value: number): Uint8Array => elf.with(at, value);
  const cases: readonly (readonly [Uint8Array, RegExp])[] = [
    [tinyImage("riscv64").bytes, /no ELF file; flat images carry no manifest/],
    [new Uint8Array(0), /no ELF file/],
    [elf.subarray(0, 40), /ends within the ELF header/],
    [elf.subarray(0, 13_000), /cut off: a segment ends behind the file/],
    [changed(4, 1), /no 64-bit/],
    [changed(18, 3), /ELF number 3, is none/],
    [changed(18, 62), /for riscv64, its code for x86_64/],
  ];
  for (const [bytes, reason] of cases) {
    const result = readImageFile(bytes);
    assert.ok(!result.ok);
    assert.match(result.reason, reason);
  }
  const other = writeNativeElf(tinyImage("riscv64"), { manifest: JSON.stringify({ version: 99, target: "riscv64" }), unit: "" });
  const result = readImageFile(other);
  assert.match(result.ok ? "" : result.reason, /version 99/);
});

test("no damage makes the reader throw", () => {
  const random = createRandom(FUZZ_SEED);
  for (const target of TARGETS) {
    const elf = writeTiny(target);
    const behindImage = 8192 + 8192;
    for (let round = 0; round < fuzzRounds(300); round++) {
      const bytes = elf.slice();
      // Headers and notes are where it can go wrong.
      const at = random.chance(50) ? random.below(240) : behindImage + random.below(bytes.length - behindImage);
      bytes[at] = random.u32();
      readImageFile(bytes);
      readImageFile(bytes.subarray(0, random.below(bytes.length)));
    }
  }
});

test("boot headers tell sizes and addresses", () => {
  const filled = (target: TinyTarget): DataView => {
    const before = tinyImage(target).bytes;
    const { bytes } = bootableTinyImage(target);
    const headerSize = 64;
    assert.deepEqual(bytes.subarray(headerSize), before.subarray(headerSize));
    return new DataView(bytes.buffer);
  };
  const multiboot = filled("x86_64");
  const words = Array.from({ length: 8 }, (_, index) => multiboot.getUint32(4 * index, true));
  assert.equal((words[0] ?? 0) + (words[1] ?? 0) + (words[2] ?? 0), 2 ** 32);
  assert.deepEqual(words.slice(3), [0x10_0000, 0x10_0000, 0x10_2000, 0x11_2000, 0x10_0020]);
  const riscv = filled("riscv64");
  assert.deepEqual([riscv.getBigUint64(8, true), riscv.getBigUint64(16, true), riscv.getUint32(32, true)], [0n, 0x1_2000n, 2]);
  assert.equal(Buffer.from(riscv.buffer, 48, 12).toString("latin1"), "RISCV\0\0\0RSC\x05");
  const arm = filled("aarch64");
  assert.deepEqual([arm.getBigUint64(8, true), arm.getBigUint64(16, true), arm.getBigUint64(24, true)], [0n, 0x1_2000n, 2n]);
});

test("entry assembly without a header is a mistake of the target", () => {
  for (const target of TARGETS) assert.throws(() => bootableTinyImage(target, { hasBootHeader: false }), /reserves no .* header/);
  assert.throws(() => writeNativeElf({ ...tinyImage("x86_64"), target: "vax" }, { manifest: "{}", unit: "" }), /target vax/);
});
