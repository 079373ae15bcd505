// The A64 disassembler: aliases, names of branch targets, and what is no instruction.

import assert from "node:assert/strict";
import { test } from "node:test";

import { assemble } from "./assemble.ts";
import { disassemble, disassembleWord } from "./disassemble.ts";

test("aliases are written where the manual prefers them, and real names on demand", () => {
  const words: readonly (readonly [number, string, string])[] = [
    [0xaa0103e0, "mov x0, x1", "orr x0, xzr, x1"],
    [0x910003fd, "mov x29, sp", "add x29, sp, #0"],
    [0xf100041f, "cmp x0, #1", "subs xzr, x0, #1"],
    [0xd37df020, "lsl x0, x1, #3", "ubfm x0, x1, #61, #60"],
    [0x1a9f07e0, "cset w0, ne", "csinc w0, wzr, wzr, eq"],
    [0x9b027c20, "mul x0, x1, x2", "madd x0, x1, x2, xzr"],
    [0xd503201f, "nop", "hint #0x0"],
    [0xd50b7e23, "dc civac, x3", "sys #3, c7, c14, #1, x3"],
    [0x92800000, "mov x0, #0xffffffffffffffff", "movn x0, #0x0"],
    [0x54000040, "b.eq . + 8", "b.eq . + 8"],
    [0x8b2263ff, "add sp, sp, x2", "add sp, sp, x2"],
  ];
  for (const [word, alias, real] of words) {
    assert.equal(disassembleWord(word), alias);
    assert.equal(disassembleWord(word, { withAliases: false }), real);
  }
});

test("what has no text is data of its length", () => {
  assert.equal(disassembleWord(0xffffffff), ".inst 0xffffffff");
  // A rotation beyond the element: the same as another word, so its text would come back as that one.
  assert.equal(disassembleWord(0x1203f020 | (0x20 << 16)), ".inst 0x1223f020");
  assert.deepEqual(disassemble(Uint8Array.of(0x1f, 0x20, 0x03, 0xd5, 0x7b)), [
    { offset: 0, length: 4, text: "nop" },
    { offset: 4, length: 1, text: ".byte 0x7b" },
  ]);
});

test("branch targets take names", () => {
  const assembly = assemble("loop: subs x0, x0, #1\n b.ne loop\n cbz x1, done\n nop\n done: ret");
  assert.ok(assembly.ok);
  const names = new Map([...assembly.labels].map(([name, offset]) => [0x4000_0000n + BigInt(offset), name]));
  const lines = disassemble(assembly.bytes, { address: 0x4000_0000n, symbolAt: (address) => names.get(address) });
  assert.deepEqual(
    lines.map(({ text }) => text),
    ["subs x0, x0, #1", "b.ne loop", "cbz x1, done", "nop", "ret"],
  );
});
