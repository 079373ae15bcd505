// Images of a run, compiled bit by bit: only what has changed is compiled, and what comes out is, to the byte, what a compilation of everything
// gives. Specs with warnings, modules that specs share and what the cache has lost are compiled again; one spec of a list is not.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { openCache, type ImageCache } from "../compiler/images/cache.ts";
import { loadMachine } from "../machines/load-machine.ts";
import { root } from "../tools/project.mjs";
import type { Io } from "./io.ts";
import { isNative, loadRunImages, type NativeMachine, type RunnableNative } from "./load-native.ts";

const SHARED = `fn twice(n: u32) -> u32 { return 2 * n }\n`;
const FIRST = `suite "first"
use "shared.gspec"
fn half(n: u32) -> u32 { return n / 2 }
test "halves" { expect half(10) == 5 }
test "doubles" { expect twice(4) == 8 }
`;
const WARNED = `suite "warned"
test "unused" {
  let spare = 3
  expect 1 + 1 == 2
}
`;

interface Bench {
  readonly machine: NativeMachine;
  /** Writes a file of the specs' folder; gives its path. */
  write(name: string, text: string): string;
  /** Images for packs, with the cache and without, which must be the same; and how many specs the first compiled. */
  load(files: readonly string[]): Promise<{ readonly images: readonly RunnableNative[]; readonly compiled: number }>;
  readonly cache: ImageCache;
}

function createIo(statuses: string[]): Io {
  const base = { env: {}, stdoutIsTty: false, outColor: false, errColor: false, isCi: false, columns: () => 80 };
  return { ...base, out() {}, err: (text) => assert.match(text, /W\d+/), status: (text) => void (text === null || statuses.push(text)) };
}

async function loadCounted(files: readonly string[], machine: NativeMachine, cache: ImageCache | null) {
  const statuses: string[] = [];
  const images = await loadRunImages(files, machine, "packed", "key", cache, createIo(statuses));
  const compiled = statuses.reduce((sum, text) => sum + Number(/^compiling (\d+) spec/.exec(text)?.[1] ?? NaN), 0);
  return { images, compiled };
}

function createBench(context: TestContext, name: string): Bench {
  const result = loadMachine(name);
  assert.ok(result?.ok === true && isNative(result.machine));
  const { machine } = result;
  const folder = mkdtempSync(join(tmpdir(), "guestspec-native-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const cache = openCache({ env: { XDG_CACHE_HOME: folder }, home: "/nowhere", stamp: "1" });
  return {
    machine,
    cache,
    write(file, text) {
      const path = join(folder, file);
      writeFileSync(path, text);
      return path;
    },
    async load(files) {
      const found = await loadCounted(files, machine, cache);
      const whole = await loadCounted(files, machine, null);
      assert.equal(whole.compiled, files.length);
      compare(found.images, whole.images);
      return found;
    },
  };
}

function compare(images: readonly RunnableNative[], wholes: readonly RunnableNative[]): void {
  assert.deepEqual(
    images.map(({ path }) => path),
    wholes.map(({ path }) => path),
  );
  images.forEach((image, index) => {
    const whole = wholes[index];
    assert.ok(whole !== undefined);
    const { bytes, symbols, lines, frames: _frames, ...rest } = image.native;
    assert.equal(Buffer.compare(bytes, whole.native.bytes), 0, image.path);
    assert.ok(symbols.length > 100 && lines.length > 1000);
    assert.deepEqual(symbols, whole.native.symbols);
    assert.deepEqual(lines, whole.native.lines);
    for (const [key, value] of Object.entries(rest)) if (key !== "lineTable") assert.deepEqual(value, whole.native[key as "base"], key);
    assert.deepEqual(image.manifest, whole.manifest);
    assert.deepEqual(image.dependencies, whole.dependencies);
  });
}

for (const name of ["riscv-virt", "x86-q35", "arm64-virt"]) {
  test(`${name}: what has changed is compiled, and the images are those of a whole compilation`, async (context) => {
    const bench = createBench(context, name);
    const shared = bench.write("shared.gspec", SHARED);
    const files = [bench.write("first.gspec", FIRST), shared, bench.write("stubs.gspec", readFileSync(join(root, "specs/isolation/stubs.gspec"), "utf8"))];
    const first = await bench.load(files);
    assert.deepEqual([first.images.length, first.compiled], [2, 3]);
    // As it was, from the list's own entry.
    assert.equal((await bench.load(files)).compiled, 0);
    // Longer than before, so that the other image lies elsewhere.
    bench.write("first.gspec", `${FIRST}test "more" {\n${"  expect half(twice(21)) == 21\n".repeat(150)}}\n`);
    const edited = await bench.load(files);
    assert.deepEqual(
      edited.images.map(({ isCached }) => isCached),
      [false, true],
    );
    assert.equal(edited.compiled, 1);
    // Other lists of the same specs.
    assert.equal((await bench.load(files.slice(2))).compiled, 0);
    assert.equal((await bench.load(files.toReversed())).compiled, 0);
  });
}

test("a module takes those along that use it", async (context) => {
  const bench = createBench(context, "riscv-virt");
  bench.write("shared.gspec", SHARED);
  const files = [bench.write("first.gspec", FIRST), bench.write("other.gspec", FIRST.replace('use "shared.gspec"\n', SHARED).replace('"first"', '"other"'))];
  assert.equal((await bench.load(files)).compiled, 2);
  bench.write("shared.gspec", SHARED.replace("2 * n", "n + n"));
  assert.equal((await bench.load(files)).compiled, 1);
});

test("a spec with a warning is compiled each time, the others are not", async (context) => {
  const bench = createBench(context, "riscv-virt");
  bench.write("shared.gspec", SHARED);
  const files = [bench.write("first.gspec", FIRST), bench.write("warned.gspec", WARNED)];
  assert.equal((await bench.load(files)).compiled, 2);
  assert.equal((await bench.load(files)).compiled, 1);
  assert.equal((await bench.load(files)).compiled, 1);
});

test("functions are kept once, and specs whose functions are gone are compiled again", async (context) => {
  const bench = createBench(context, "riscv-virt");
  const files = ["one", "two"].map((name) => bench.write(`${name}.gspec`, `suite "${name}"\ntest "counts" { expect 1 + 1 == 2 }\n`));
  /** What depends on no file, the library's bytecode apart: it has two parts, a pack of machine code has four. */
  const packs = (): readonly { readonly path: string; readonly size: number }[] =>
    readdirSync(bench.cache.folder)
      .map((file) => join(bench.cache.folder, file))
      .filter((path) => readFileSync(path, "latin1").split("\n", 1)[0]?.includes('"dependencies":[]'))
      .filter((path) => /"sizes":\[(?:\d+,){3}\d+\]/.test(readFileSync(path, "latin1").split("\n", 1)[0] ?? ""))
      .map((path) => ({ path, size: statSync(path).size }))
      .toSorted((a, b) => b.size - a.size);
  await bench.load(files.slice(0, 1));
  await bench.load(files);
  const [all, own] = packs();
  assert.ok(all !== undefined && own !== undefined && packs().length === 2);
  assert.ok(own.size < all.size / 10, `the second spec added ${own.size} bytes to ${all.size}`);
  unlinkSync(all.path);
  assert.equal((await bench.load(files.slice(1))).compiled, 1);
});
