// Listings of machine code: source lines stand before their code, and what a trap instruction carries is data, not code.
import assert from "node:assert/strict";
import { test } from "node:test";
import { trapPayload } from "../native/abi.ts";
import { disassemble as disassembleRiscv } from "../../isa/riscv64/disassemble.ts";
import { tinyImage, tinyManifest, type TinyTarget } from "../../tests/images/tiny-image.ts";
import { readTrap as readTrapRiscv } from "../targets/riscv64/lower-traps.ts";
import { describeImage } from "./describe-image.ts";
import { loadNativeTarget } from "../targets/index.ts";
import { imageFunctions, listFunctions, listSymbols } from "./listing.ts";
import { readImageFile } from "./image-file.ts";
import { writeNativeElf } from "./native-elf.ts";
import { manifestText } from "./identity.ts";

const readSource = (path: string): string | null => (path === "tiny.gspec" ? 'suite "tiny"\n\n  ends()  // here\n' : null);

test("functions with the lines that they come from", () => {
  const image = tinyImage("riscv64");
  const functions = imageFunctions(image);
  const text = listFunctions(functions, { image, disassemble: disassembleRiscv, readTrap: readTrapRiscv, readSource });
  assert.equal(
    text,
    `80000040 <tiny.say>:
  ; guestspec/lib/tiny.gspec:7
    80000040:  b7020010          lui t0, 0x10000
    80000044:  13032005          addi t1, zero, 82
    80000048:  23806200          sb t1, 0(t0)

8000004c <ends: {it}!>:
  ; tiny.gspec:3  ends()  // here
    8000004c:  b7021000          lui t0, 0x100
    80000050:  37530000          lui t1, 0x5
    80000054:  13035355          addi t1, t1, 1365
    80000058:  23a06200          sw t1, 0(t0)
    8000005c:  6f000000          jal zero, 0x8000005c
`,
  );
});

const PAYLOAD = trapPayload({ class: 4, access: 1, width: 4 });

/** A trap instruction as the target's back end writes it, then its smallest other instruction. */
const TRAPS: Readonly<Record<TinyTarget, { readonly bytes: readonly number[]; readonly text: readonly RegExp[] }>> = {
  riscv64: {
    bytes: [0x73, 0x10, 0x00, 0xc0, PAYLOAD, 0, 0x53, 0x47, 0x13, 0, 0, 0],
    text: [/; trap: misaligned read of 4$/, /\.4byte 0x47530094$/, /addi zero, zero, 0$/],
  },
  x86_64: { bytes: [0x0f, 0xb9, 0x65, PAYLOAD, 0x90], text: [/ud1 .*; trap: misaligned read of 4$/, /nop$/] },
  // brk #0xd794
  aarch64: { bytes: [0x80, 0xf2, 0x3a, 0xd4, 0x1f, 0x20, 0x03, 0xd5], text: [/brk .*; trap: misaligned read of 4$/, /nop$/] },
};

for (const [target, { bytes, text }] of Object.entries(TRAPS) as [TinyTarget, (typeof TRAPS)[TinyTarget]][]) {
  test(`a trap of ${target} and what it carries`, async () => {
    const image = tinyImage(target);
    const code = new Uint8Array(bytes);
    image.bytes.set(code, 512);
    const symbol = { name: "traps", address: image.base + 512n, size: code.length, kind: "function" as const };
    const native = await loadNativeTarget(target);
    assert.ok(native !== null);
    const { readTrap } = native;
    const [, ...lines] = listFunctions([symbol], { image, disassemble: await native.loadDisassembler(), readTrap, readSource })
      .trimEnd()
      .split("\n");
    assert.equal(lines.length, text.length, lines.join("\n"));
    text.forEach((pattern, index) => assert.match(lines[index] ?? "", pattern));
  });
}

test("symbols with their parts of the image", () => {
  assert.equal(
    listSymbols(tinyImage("aarch64")),
    `address     size  part    name
40200040       c  code    tiny.say
4020004c      10  code    ends: {it}!
40201000      10  data    tiny.data
`,
  );
});

test("what is in an image file", () => {
  const result = readImageFile(writeNativeElf(tinyImage("x86_64"), { manifest: manifestText(tinyManifest("x86_64")), unit: "tiny.gspec" }));
  if (!result.ok) assert.fail(result.reason);
  const { identity } = result.file.payloads[0] ?? assert.fail("no payload");
  assert.equal(
    describeImage(result.file),
    `target  x86_64
entry   0x100020, by PVH
loads   4096 bytes at 0x100000, 4096 in memory
loads   4096 bytes at 0x101000, 69632 in memory

tiny ${identity.slice(0, 8)}
  tiny.gspec: tiny  (1 case)
    ends  (#slow)
`,
  );
});
