// A pack for riscv64 on QEMU: payloads start one another in any order, each with its own code in its own place and memory as new, and
// harts that sleep in one image wake in another. The machine is never reset.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { manifestText } from "../../compiler/images/identity.ts";
import { readImageFile } from "../../compiler/images/image-file.ts";
import { writePack, type PackResult } from "../../compiler/images/pack.ts";
import { assembleLoader } from "../../compiler/images/place-in-pack.ts";
import type { NativeImage, PackPlace } from "../../compiler/native/native-image.ts";
import { assemble } from "../../isa/riscv64/assemble.ts";
import { root } from "../../tools/project.mjs";
import { needsTools, runTool } from "./outside-tools.ts";
import { tinyImage, tinyManifest } from "./tiny-image.ts";

const BASE = 0x8000_0000n;
/** Read-only part of a payload; its initial contents follow. */
const CODE_SIZE = 4096;
const DATA_SIZE = 4096;
const MEMORY = 0x4000;
const PACK_END = BASE + 0x80_0000n;
const PACK: PackPlace = { start: BASE, end: PACK_END, load: BASE + 8n, cpus: PACK_END + 2048n };
const WRITABLE = PACK_END + 4096n;

/** Says `letter`, wakes the other hart, which says it too, and `!` where memory is not as new; then starts payload `next`, or ends the machine. */
function payload(letter: string, place: number, next: number | "end", size = DATA_SIZE): NativeImage {
  const text = `
    bnez    a0, other
    li      s1, WRITABLE
    mv      s2, a1
    lwu     t0, 0(s2)
    li      t1, 0xedfe0dd0          # the device tree
    bne     t0, t1, bad
    lw      t0, 0(s1)
    li      t1, 0x600d
    bne     t0, t1, bad
    sw      zero, 0(s1)             # stored in the file, so it must come back
    li      t0, CPUS
    ld      t1, 256(t0)
    bnez    t1, bad
    la      t1, woken               # where the other hart goes on
    sd      t1, 256(t0)
    fence
    li      t0, 0x2000004           # CLINT, msip of hart 1
    li      t1, 1
    sw      t1, 0(t0)
wait:
    lw      t0, 8(s1)
    beqz    t0, wait
    li      a0, ${letter.charCodeAt(0)}
    jal     say
    li      a0, NEXT
    bltz    a0, good
    li      t0, LOAD
    jr      t0
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
# Sleeps in the image that it came to first, and goes where the one that wakes it says.
other:
    li      t0, 8
    csrw    mie, t0
    li      s0, CPUS
1:  wfi
    li      t0, 0x2000004
    lw      t1, 0(t0)
    beqz    t1, 1b
    sw      zero, 0(t0)
    ld      t0, 256(s0)
    jr      t0
woken:
    li      a0, ${letter.toUpperCase().charCodeAt(0)}
    jal     say
    li      t0, WRITABLE
    li      t1, 1
    sw      t1, 8(t0)
    j       other
`;
  const constants = new Map(
    Object.entries({ WRITABLE, CPUS: PACK.cpus, LOAD: PACK.load, NEXT: next === "end" ? -1n : BigInt(next) }).map(([name, value]) => [name, value]),
  );
  const base = BASE + BigInt(4096 + place * (CODE_SIZE + 128 * 1024));
  const assembly = assemble(text, { origin: base, constants });
  if (!assembly.ok) assert.fail(JSON.stringify(assembly.problems));
  const bytes = new Uint8Array(CODE_SIZE + size);
  bytes.set(assembly.bytes);
  new DataView(bytes.buffer).setUint32(CODE_SIZE, 0x600d, true);
  return {
    ...tinyImage("riscv64"),
    base,
    bytes,
    writableOffset: CODE_SIZE,
    writableBase: WRITABLE,
    writableSize: Math.max(MEMORY, size),
    pack: PACK,
    entry: base,
  };
}

function pack(images: readonly NativeImage[], ramSize = 128 << 20): PackResult {
  const file = "lib/riscv64/pack.s";
  const constants = new Map([
    ["IS_SUPERVISOR", 0n],
    ["machine_finisher0_base", 0x10_0000n],
  ]);
  const loader = assembleLoader({ assemble }, { file, text: readFileSync(join(root, file), "utf8") }, constants, PACK.start);
  return writePack(
    images.map((image, index) => ({ image, manifest: manifestText(tinyManifest("riscv64", `suite ${index}`)) })),
    { loader, ram: { base: BASE, size: ramSize } },
  );
}

function runPack(context: TestContext, images: readonly NativeImage[]): { readonly status: number | null; readonly stdout: string } {
  const result = pack(images);
  if (!result.ok) assert.fail(result.reason);
  const folder = mkdtempSync(join(tmpdir(), "guestspec-pack-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "pack.elf");
  writeFileSync(path, result.file);
  const machine = "-M virt -smp 2 -m 128 -bios none -nodefaults -no-reboot -display none -serial stdio -kernel";
  return runTool("qemu-system-riscv64", [...machine.split(" "), path]);
}

test("payloads start one another, also themselves, and harts follow", needsTools("qemu-system-riscv64"), (context) => {
  const { status, stdout } = runPack(context, [payload("a", 0, 2), payload("b", 1, "end"), payload("c", 2, 3), payload("d", 3, 1)]);
  assert.deepEqual({ status, stdout }, { status: 0, stdout: "AaCcDdBb" });
});

test("some of the images that were placed together, in another order", needsTools("qemu-system-riscv64"), (context) => {
  const { status, stdout } = runPack(context, [payload("d", 3, 1), payload("a", 0, "end")]);
  assert.deepEqual({ status, stdout }, { status: 0, stdout: "DdAa" });
});

test("a number that no payload has ends the machine as crashed", needsTools("qemu-system-riscv64"), (context) => {
  const { status, stdout } = runPack(context, [payload("a", 0, 2), payload("b", 1, "end")]);
  assert.deepEqual({ status, stdout }, { status: 2, stdout: "Aa" });
});

test("sixteen payloads, 2 MiB together, take their turns", needsTools("qemu-system-riscv64"), (context) => {
  const letters = "abcdefghijklmnop";
  const { status, stdout } = runPack(
    context,
    Array.from(letters, (letter, index) => payload(letter, index, index === 15 ? "end" : index + 1, 128 * 1024)),
  );
  assert.deepEqual({ status, stdout }, { status: 0, stdout: Array.from(letters, (letter) => letter.toUpperCase() + letter).join("") });
});

test("a pack's file tells what is inside, and loads nothing twice", () => {
  const [a, b, c] = [payload("a", 0, 1, 128 * 1024), payload("b", 1, "end"), payload("c", 3, "end")];
  const result = pack([a, b, c]);
  if (!result.ok) assert.fail(result.reason);
  assert.equal(result.base, BASE);
  const read = readImageFile(result.file);
  if (!read.ok) assert.fail(read.reason);
  assert.deepEqual(
    read.file.payloads.map(({ manifest }) => manifest.suites[0]?.name),
    ["suite 0", "suite 1", "suite 2"],
  );
  // What follows without a gap is one segment.
  assert.deepEqual(
    read.file.segments.map(({ address, fileSize }) => [address, fileSize]),
    [
      [BASE, 4096 + CODE_SIZE + 128 * 1024 + CODE_SIZE + DATA_SIZE],
      [c.base, CODE_SIZE + DATA_SIZE],
    ],
  );
});

test("what cannot be one pack says why", () => {
  const reason = (result: PackResult): string => (result.ok ? "" : result.reason);
  assert.match(reason(pack([])), /at least one image/);
  assert.match(reason(pack([payload("a", 0, 0)], 25 << 20)), /do not fit into the RAM of tiny: \d+ MiB more are needed/);
  assert.throws(() => pack([payload("a", 0, 0), { ...payload("b", 1, 0), writableBase: 0n }]), /not placed together/);
});
