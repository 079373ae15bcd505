// The cache: an entry is found again, and only as long as everything it was made from is the same.
import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { generateModule } from "../../tests/fixtures/generate-module.ts";
import { bytecodeVirt } from "../../tests/fixtures/machines.ts";
import { checksumBytes, hashBytes } from "./content-hash.ts";
import { cacheFolder, openCache, PACKAGED, type CachedImage, type Dependency } from "./cache.ts";
import { hashFile } from "./file-hashes.ts";

function makeFolder(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "guestspec-cache-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function makeCache(context: TestContext, stamp = "1") {
  const folder = makeFolder(context);
  return { folder, cache: openCache({ env: { XDG_CACHE_HOME: folder }, home: "/nowhere", stamp }) };
}

const entry: CachedImage = { path: "a.gspec", module: generateModule(11), manifest: '{"version":1}', dependencies: ["a.gspec"] };

function dependOn(...paths: readonly string[]): Dependency[] {
  return paths.map((path) => ({ path, hash: hashFile(path) }));
}

test("an entry is found until a dependency changes, goes or appears", (context) => {
  const { folder, cache } = makeCache(context);
  const [spec, library, missing] = [join(folder, "a.gspec"), join(folder, "lib.gspec"), join(folder, "later.gspec")];
  writeFileSync(spec, "suite");
  writeFileSync(library, "lib");
  const store = (): boolean => cache.writeSpec("a.gspec", "m", entry, dependOn(spec, library, missing));
  assert.ok(store());
  assert.deepEqual(structuredClone(cache.readSpec("a.gspec", "m")), entry);
  assert.equal(cache.readSpec("b.gspec", "m"), null);
  assert.equal(cache.readSpec("a.gspec", "other machine"), null);

  writeFileSync(library, "changed");
  assert.equal(cache.readSpec("a.gspec", "m"), null);
  store();
  writeFileSync(missing, "");
  assert.equal(cache.readSpec("a.gspec", "m"), null);
  store();
  assert.deepEqual(structuredClone(cache.readSpec("a.gspec", "m")), entry);
  rmSync(spec);
  assert.equal(cache.readSpec("a.gspec", "m"), null);
});

test("a module comes back as it was, decoded piece by piece, also in a worker", (context) => {
  const { cache } = makeCache(context);
  for (let seed = 0; seed < 40; seed++) {
    const module = generateModule(seed);
    cache.writeSpec("a.gspec", "m", { ...entry, module }, []);
    const found = cache.readSpec("a.gspec", "m");
    assert.ok(found !== null && found !== "no suite");
    assert.deepEqual(structuredClone(found.module), module);
  }
});

test("another build of the tool has another cache", (context) => {
  const { folder, cache } = makeCache(context);
  cache.writeSpec("a.gspec", "m", "no suite", []);
  assert.equal(cache.readSpec("a.gspec", "m"), "no suite");
  assert.equal(openCache({ env: { XDG_CACHE_HOME: folder }, home: "", stamp: "2" }).readSpec("a.gspec", "m"), null);
});

test("a damaged entry is none", (context) => {
  const { cache } = makeCache(context);
  cache.writeSpec("a.gspec", "m", entry, []);
  const [name] = readdirSync(cache.folder);
  assert.ok(name !== undefined);
  const path = join(cache.folder, name);
  const bytes = readFileSync(path);
  for (const damaged of [bytes.subarray(0, 40), bytes.subarray(0, -1), Buffer.alloc(0), Buffer.concat([bytes, Buffer.of(0)])]) {
    writeFileSync(path, damaged);
    assert.equal(cache.readSpec("a.gspec", "m"), null);
  }
});

test("when there is too much, what was not used for longest goes", (context) => {
  const folder = makeFolder(context);
  const open = (): ReturnType<typeof openCache> =>
    openCache({ env: { XDG_CACHE_HOME: folder }, home: "/nowhere", stamp: "1", limits: { entries: 6, bytes: 2 ** 30 } });
  const cache = open();
  const names = ["a", "b", "c", "d", "e", "f"];
  for (const [index, name] of names.entries()) {
    const known = new Set(readdirSync(folder, { recursive: true, encoding: "utf8" }));
    cache.writeParts([name], { parts: [name], paths: [] }, []);
    // Each as old as the hours that it would have been there.
    const added = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".bin") && !known.has(path));
    const time = Date.now() / 1000 - 86_400 + 3600 * index;
    for (const path of added) utimesSync(join(folder, path), time, time);
  }
  assert.deepEqual(cache.readParts(["a"])?.parts.map(String), ["a"]);
  // In a process that has looked at the folder, and in one that has not.
  cache.writeParts(["g"], { parts: ["g"], paths: [] }, []);
  assert.deepEqual(
    [...names, "g"].filter((name) => open().readParts([name]) !== null),
    ["a", "e", "f", "g"],
  );
  for (const name of ["h", "i", "j"]) open().writeParts([name], { parts: [name], paths: [] }, []);
  assert.equal(open().size().entries, 4);
});

test("what came with the tool is found by the build that made it, behind what the user's own compilations have kept, and never written", (context) => {
  const { folder: made, cache: build } = makeCache(context);
  const source = join(made, "entry.s");
  writeFileSync(source, "nop");
  build.ofPackage.writeParts(["library"], { parts: ["shipped"], paths: [] }, []);
  build.ofPackage.writeParts(["entry"], { parts: ["shipped"], paths: [] }, dependOn(source));
  build.writeMachine("key", bytecodeVirt);
  build.writeParts(["own"], { parts: ["no"], paths: [] }, []);
  const names = readdirSync(build.folder).filter((name) => name.startsWith(PACKAGED));
  assert.equal(names.length, 3);

  const home = makeFolder(context);
  const open = (stamp = "1") => openCache({ env: { XDG_CACHE_HOME: home }, home: "", stamp, packaged: build.folder });
  const read = (key: string, cache = open()): string | undefined => cache.ofPackage.readParts([key])?.parts.map(String).join();
  assert.deepEqual([read("library"), read("entry"), read("other")], ["shipped", "shipped", undefined]);
  assert.deepEqual(open().readMachine("key"), bytecodeVirt);
  assert.equal(open().readParts(["own"]), null);
  assert.deepEqual([read("library", open("2")), open("2").readMachine("key")], [undefined, null]);
  writeFileSync(source, "nop; nop");
  assert.equal(read("entry"), undefined);

  open().ofPackage.writeParts(["library"], { parts: ["grown"], paths: [] }, []);
  assert.equal(read("library"), "grown");
  assert.equal(read("library", build), "shipped");
  for (const name of names) writeFileSync(join(build.folder, name), "torn");
  assert.equal(open().readMachine("key"), null);
});

test("images belong to the package that made them: a copy of it may have another library", (context) => {
  const home = makeFolder(context);
  const open = (packaged: string) => openCache({ env: { XDG_CACHE_HOME: home }, home: "", stamp: "1", packaged });
  open("/a/dist/kept/").writeSpec("a.gspec", "m", "no suite", []);
  assert.equal(open("/a/dist/kept/").readSpec("a.gspec", "m"), "no suite");
  assert.equal(open("/b/dist/kept/").readSpec("a.gspec", "m"), null);
});

test("machines keep their 64-bit numbers", (context) => {
  const { cache } = makeCache(context);
  const machine = { ...bytecodeVirt, ram: { ...bytecodeVirt.ram, base: 0xffff_ffff_ffff_f000n } };
  assert.ok(cache.writeMachine("key", machine));
  assert.deepEqual(cache.readMachine("key"), machine);
  assert.equal(cache.readMachine("other"), null);
});

test("a folder that cannot be written is no error, and is explained", (context) => {
  const folder = makeFolder(context);
  writeFileSync(join(folder, "guestspec"), "a file where the folder should be");
  const cache = openCache({ env: { XDG_CACHE_HOME: folder }, home: "", stamp: "1" });
  assert.equal(cache.writeSpec("a.gspec", "m", entry, []), false);
  assert.equal(cache.readSpec("a.gspec", "m"), null);
  assert.match(cache.problem() ?? "", /EEXIST|ENOTDIR/);
  assert.deepEqual(cache.size(), { entries: 0, bytes: 0 });
  chmodSync(folder, 0o700);
});

test("a checksum tells a damaged file: a bit, a byte that is gone, two words that changed places", () => {
  const bytes = Uint8Array.from({ length: 83 }, (_, index) => (index * 37 + (index >> 2)) & 255);
  const whole = checksumBytes(bytes);
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = bytes.slice();
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.notEqual(checksumBytes(flipped), whole, `bit ${bit}`);
  }
  for (let length = 0; length < bytes.length; length++) assert.notEqual(checksumBytes(bytes.subarray(0, length)), whole, `${length} bytes`);
  assert.notEqual(checksumBytes(Uint8Array.from([...bytes, 0])), whole);
  const words = Buffer.from(bytes);
  words.copyWithin(0, 8, 16);
  words.set(bytes.subarray(0, 8), 8);
  assert.notEqual(checksumBytes(words), whole);
  // Where it lies does not matter.
  assert.equal(checksumBytes(Uint8Array.from([1, 2, 3, ...bytes]).subarray(3)), whole);
});

test("hashes tell apart what differs in a bit, a length or an order", () => {
  const texts = ["", "a", "b", "ab", "ba", "a\0", "a".repeat(16), "a".repeat(17), `${"a".repeat(16)}\0`, "x".repeat(1000), `${"x".repeat(999)}y`];
  assert.equal(new Set(texts.map(hashBytes)).size, texts.length);
  for (const text of texts) assert.match(hashBytes(text), /^[0-9a-f]{32}$/);
  const flips = new Set<string>();
  for (let bit = 0; bit < 8 * 100; bit++) {
    const bytes = new Uint8Array(100);
    bytes[bit >> 3] = 1 << (bit & 7);
    flips.add(hashBytes(bytes));
    // The same bytes at another place in their buffer.
    const shifted = new Uint8Array(103);
    shifted.set(bytes, 3);
    assert.equal(hashBytes(shifted.subarray(3)), hashBytes(bytes));
  }
  assert.equal(flips.size, 800);
});

test("the folder follows XDG_CACHE_HOME, else the home", () => {
  assert.equal(cacheFolder({ env: { XDG_CACHE_HOME: "/x" }, home: "/h" }), join("/x", "guestspec"));
  assert.equal(cacheFolder({ env: { XDG_CACHE_HOME: "" }, home: "/h" }), join("/h", ".cache", "guestspec"));
});
