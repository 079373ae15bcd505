// A pack for riscv64 on QEMU: payloads start one another in any order, and each finds its memory as new and all harts at its entry.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { manifestText } from "../../compiler/images/identity.ts";
import { readImageFile } from "../../compiler/images/image-file.ts";
import { writePack, type PackResult } from "../../compiler/images/pack.ts";
import type { NativeImage } from "../../compiler/native/native-image.ts";
import { assemble } from "../../isa/riscv64/assemble.ts";
import { root } from "../../tools/project.mjs";
import { needsTools, runTool } from "./outside-tools.ts";
import { tinyImage, tinyManifest } from "./tiny-image.ts";

const BASE = 0x8000_0000n;
const WRITABLE = 4096;
const MEMORY = 0x4000;

/** Says `letter`, and `!` where memory is not as new; then starts payload `next`, or ends the machine. */
function payload(letter: string, next: number | "end", size = 2 * WRITABLE): NativeImage {
  const text = `
    # Every hart counts itself, and the first waits for the others.
    bnez    a0, other
    li      s0, ${BASE}
    li      s1, WRITABLE
    add     s1, s0, s1
    mv      s2, a2
    lw      t0, 0(s1)
    li      t1, 0x600d
    bne     t0, t1, bad
    sw      zero, 0(s1)             # stored in the file, so it must come back
    li      t2, MEMORY - 8
    add     t2, s0, t2
    ld      t0, 0(t2)
    bnez    t0, bad
    li      t0, -1
    sd      t0, 0(t2)               # zero at the start
wait:
    lw      t0, 8(s1)
    li      t1, HARTS
    bne     t0, t1, wait
    li      a0, ${letter.charCodeAt(0)}
    jal     say
    li      a0, NEXT
    bltz    a0, good
    jr      s2
good:
    li      t0, 0x100000
    li      t1, 0x5555
    sw      t1, 0(t0)
    j       .
bad:
    li      a0, '!'
    jal     say
    j       good
say:
    li      t0, 0x10000000
    sb      a0, 0(t0)
    ret
other:
    li      t0, ${BASE}
    li      t1, WRITABLE
    add     t0, t0, t1
    li      t1, 1
    addi    t0, t0, 8
    amoadd.w zero, t1, (t0)
1:  wfi
    j       1b
`;
  const constants = new Map(Object.entries({ WRITABLE, MEMORY, NEXT: next === "end" ? -1 : next, HARTS: 3 }).map(([name, value]) => [name, BigInt(value)]));
  const assembly = assemble(text, { origin: BASE, constants });
  if (!assembly.ok) assert.fail(JSON.stringify(assembly.problems));
  const bytes = new Uint8Array(size);
  bytes.set(assembly.bytes);
  new DataView(bytes.buffer).setUint32(WRITABLE, 0x600d, true);
  return { ...tinyImage("riscv64"), base: BASE, bytes, memorySize: Math.max(MEMORY, size), entry: BASE };
}

function pack(images: readonly NativeImage[], ramSize = 128 << 20): PackResult {
  const file = "lib/riscv64/pack.s";
  return writePack(
    images.map((image, index) => ({ image, manifest: manifestText(tinyManifest("riscv64", `suite ${index}`)) })),
    {
      target: { name: "riscv64", assemble },
      loader: { file, text: readFileSync(join(root, file), "utf8") },
      constants: new Map([
        ["IS_SUPERVISOR", 0n],
        ["machine_finisher0_base", 0x10_0000n],
      ]),
      ram: { base: BASE, size: ramSize },
    },
  );
}

function runPack(context: TestContext, images: readonly NativeImage[]): { readonly status: number | null; readonly stdout: string } {
  const result = pack(images);
  if (!result.ok) assert.fail(result.reason);
  const folder = mkdtempSync(join(tmpdir(), "guestspec-pack-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "pack.elf");
  writeFileSync(path, result.file);
  return runTool("qemu-system-riscv64", [
    "-M",
    "virt",
    "-smp",
    "4",
    "-m",
    "128",
    "-bios",
    "none",
    "-nodefaults",
    "-display",
    "none",
    "-serial",
    "stdio",
    "-kernel",
    path,
  ]);
}

test("payloads start one another, also themselves", needsTools("qemu-system-riscv64"), (context) => {
  const { status, stdout } = runPack(context, [payload("a", 2), payload("b", "end"), payload("c", 3), payload("d", 1)]);
  assert.deepEqual({ status, stdout }, { status: 0, stdout: "acdb" });
});

test("a number that no payload has ends the machine as crashed", needsTools("qemu-system-riscv64"), (context) => {
  const { status, stdout } = runPack(context, [payload("a", 2), payload("b", "end")]);
  assert.deepEqual({ status, stdout }, { status: 2, stdout: "a" });
});

test("sixteen payloads, 2 MiB together, take their turns", needsTools("qemu-system-riscv64"), (context) => {
  const letters = "abcdefghijklmnop";
  const { status, stdout } = runPack(
    context,
    Array.from(letters, (letter, index) => payload(letter, index === 15 ? "end" : index + 1, 128 * 1024)),
  );
  assert.deepEqual({ status, stdout }, { status: 0, stdout: letters });
});

test("a pack's file tells what is inside", () => {
  const result = pack([payload("a", 1), payload("b", "end")]);
  if (!result.ok) assert.fail(result.reason);
  const read = readImageFile(result.file);
  if (!read.ok) assert.fail(read.reason);
  assert.deepEqual(
    read.file.payloads.map(({ manifest }) => manifest.suites[0]?.name),
    ["suite 0", "suite 1"],
  );
  assert.equal(read.file.segments[1]?.address, result.base);
});

test("what cannot be one pack says why", () => {
  const reason = (result: PackResult): string => (result.ok ? "" : result.reason);
  assert.match(reason(pack([])), /at least one image/);
  assert.match(reason(pack([payload("a", 0), { ...payload("b", 0), machine: "other" }])), /for tiny and other do not go into one pack/);
  assert.match(reason(pack([payload("a", 0)], 32 << 20)), /do not fit into the RAM of tiny: \d+ MiB more are needed/);
});
