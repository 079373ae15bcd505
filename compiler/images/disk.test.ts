// Disks as BIOSes and our boot sector see them; tests/command boots one.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { assemble } from "../../isa/x86_64/assemble.ts";
import { root } from "../../tools/project.mjs";
import type { NativeImage } from "../native/native-image.ts";
import { SECTOR, writeDisk } from "./disk.ts";

const LOADER = { file: "lib/x86_64/disk-boot.s", text: readFileSync(join(root, "lib/x86_64/disk-boot.s"), "utf8") };

function imageOf(size: number, rest: Partial<NativeImage> = {}): NativeImage {
  const bytes = Uint8Array.from({ length: size }, (_, at) => at % 251);
  return {
    target: "x86_64",
    machine: "x86-pc",
    layout: { addressBytes: 8, endian: "little" },
    base: 0x10_0000n,
    bytes,
    readonlySize: 4096,
    writableOffset: 4096,
    writableBase: 0x10_1000n,
    writableSize: size,
    pack: null,
    entry: 0x10_0020n,
    labels: new Map(),
    symbols: [],
    lines: [],
    files: [],
    frames: [],
    codeStart: 0x10_0000n,
    codeEnd: 0x10_1000n,
    commandLineOffset: 4096,
    ...rest,
  };
}

test("the image follows the boot sector, on a disk of whole cylinders", () => {
  const image = imageOf(600_000);
  const disk = writeDisk(image, { assemble }, LOADER);
  assert.equal(disk.length % (16 * 63 * SECTOR), 0);
  assert.deepEqual([disk[510], disk[511]], [0x55, 0xaa]);
  assert.deepEqual(disk.subarray(SECTOR, SECTOR + image.bytes.length), image.bytes);
  assert.ok(disk.subarray(SECTOR + image.bytes.length).every((byte) => byte === 0));
});

test("a loader that is wrong, or too long, is told with its place", () => {
  assert.throws(
    () => writeDisk(imageOf(8192), { assemble }, { file: "boot.s", text: ".code16\nmov ax, nowhere\n" }),
    /^Error: boot\.s:2:9: `nowhere` is an address/,
  );
  assert.throws(() => writeDisk(imageOf(8192), { assemble }, { file: "boot.s", text: ".zero 511\n" }), /boot\.s has 511 bytes, the boot sector room for 510/);
});

test("an image of a pack is none for a disk", () => {
  assert.throws(() => writeDisk(imageOf(8192, { writableBase: 0x50_0000n }), { assemble }, LOADER), /no flat image/);
});
