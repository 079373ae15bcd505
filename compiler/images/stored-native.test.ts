// Native images in the cache: whole or not at all, and as long as nothing has changed.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { tinyImage } from "../../tests/images/tiny-image.ts";
import { openCache } from "./cache.ts";
import { hashFile } from "./file-hashes.ts";
import { readEntry, writeEntry } from "./stored-entry.ts";
import { readNative, writeNative } from "./stored-native.ts";

test("machine code comes back as it was, for the same list of specs only", (context) => {
  const folder = mkdtempSync(join(tmpdir(), "guestspec-cache-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const cache = openCache({ env: { XDG_CACHE_HOME: folder }, home: "/nowhere", stamp: "1" });
  const library = join(folder, "lib.gspec");
  writeFileSync(library, "lib");
  const image = tinyImage("riscv64");
  const columns = image.lines.flatMap(({ address, file, line, column }) => [Number(address - image.codeStart), file, line, column]);
  const native = { ...image, lineTable: Int32Array.from(columns) };
  const images = [
    { path: "a.gspec", native, manifest: '{"version":1}', dependencies: ["a.gspec", "b.gspec"] },
    { path: "c.gspec", native: { ...native, base: native.base + 4096n }, manifest: "{}", dependencies: [] },
  ];
  assert.ok(writeNative(cache, ["a.gspec", "c.gspec"], "m", images, [{ path: library, hash: hashFile(library) }]));
  const found = readNative(cache, ["a.gspec", "c.gspec"], "m") ?? [];
  const withoutBytes = (each: (typeof found)[number]) => ({
    ...each,
    native: { ...each.native, bytes: each.native.bytes.length, frames: null, lineTable: null },
  });
  assert.deepEqual(found.map(withoutBytes), images.map(withoutBytes));
  assert.ok(found.every((image) => Buffer.compare(image.native.bytes, native.bytes) === 0));
  assert.equal(readNative(cache, ["a.gspec"], "m"), null);
  assert.equal(readNative(cache, ["c.gspec", "a.gspec"], "m"), null);
  assert.equal(readNative(cache, ["a.gspec", "c.gspec"], "other machine"), null);
  writeFileSync(library, "changed");
  assert.equal(readNative(cache, ["a.gspec", "c.gspec"], "m"), null);
});

test("an assembled entry is kept for one machine, until its text changes", (context) => {
  const folder = mkdtempSync(join(tmpdir(), "guestspec-cache-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const cache = openCache({ env: { XDG_CACHE_HOME: folder }, home: "/nowhere", stamp: "1" });
  const path = join(folder, "entry.s");
  writeFileSync(path, "nop");
  const relocations = [{ offset: 4, kind: "call", symbol: "platform.start", addend: 2n ** 40n }];
  const entry = { file: "lib/riscv64/entry.s", bytes: Uint8Array.of(1, 2, 3), relocations, labels: new Map([["guest_start", 0]]) };
  assert.ok(writeEntry(cache, { path, hash: hashFile(path) }, "m", entry));
  const found = readEntry(cache, { path }, "m");
  assert.deepEqual(found && { ...found, bytes: Uint8Array.from(found.bytes) }, entry);
  assert.equal(readEntry(cache, { path }, "other machine"), null);
  writeFileSync(path, "ret");
  assert.equal(readEntry(cache, { path }, "m"), null);
});
