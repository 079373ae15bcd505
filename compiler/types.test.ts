// Sizes and layouts as C compilers of the same data models have them, and how types read in messages.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { DataLayout } from "../isa/bytecode/module.ts";
import {
  BOOL,
  COMPTIME_INT,
  DURATION,
  ERROR,
  I8,
  I64,
  STR,
  U8,
  U16,
  U32,
  U64,
  USIZE,
  VOID,
  integerRange,
  isAggregate,
  layOutFields,
  registersOf,
  sameType,
  scalarOf,
  showType,
  sizeOf,
  valueTypeOf,
  wrapInteger,
  type EnumType,
  type StructType,
  type Type,
} from "./types.ts";

const wide: DataLayout = { addressBytes: 8, endian: "little" };
const narrow: DataLayout = { addressBytes: 4, endian: "big" };
const source = { path: "types.gspec", text: "" };
const declared = { source, start: 0, end: 0 };

function struct(name: string, fields: readonly (readonly [string, Type])[], layout = wide): StructType {
  return {
    kind: "struct",
    name,
    declared,
    ...layOutFields(
      fields.map(([field, type]) => ({ name: field, type, declared })),
      layout,
    ),
  };
}

const color: EnumType = {
  kind: "enum",
  name: "Color",
  declared,
  base: U8,
  members: new Map([
    ["red", 0n],
    ["blue", 4n],
  ]),
};
const array = (length: number, element: Type): Type => ({ kind: "array", length, element });
const slice = (element: Type): Type => ({ kind: "slice", element });
const pointer = (target: Type): Type => ({ kind: "pointer", target });

describe("sizes and alignment", () => {
  test("integers are as wide as their names, usize as wide as an address", () => {
    assert.deepEqual(
      [U8, U16, U32, U64, I8, I64, USIZE].map((type) => sizeOf(type, wide).size),
      [1, 2, 4, 8, 1, 8, 8],
    );
    assert.deepEqual(sizeOf(USIZE, narrow), { size: 4, align: 4 });
  });

  test("slices, strings and register blocks are two words", () => {
    for (const type of [slice(U64), STR, { kind: "regs", name: "Uart", declared, registers: new Map() } satisfies Type]) {
      assert.deepEqual(sizeOf(type, wide), { size: 16, align: 8 });
      assert.deepEqual(sizeOf(type, narrow), { size: 8, align: 4 });
    }
  });

  test("arrays repeat their elements, enums are their integers, bool is a byte", () => {
    assert.deepEqual(sizeOf(array(3, U16), wide), { size: 6, align: 2 });
    assert.deepEqual(sizeOf(color, wide), { size: 1, align: 1 });
    assert.deepEqual(sizeOf(BOOL, wide), { size: 1, align: 1 });
  });

  test("fields stand at their natural alignment and the end is padded", () => {
    const type = struct("Mixed", [
      ["a", U8],
      ["b", U32],
      ["c", U16],
      ["d", pointer(U8)],
    ]);
    assert.deepEqual(
      type.fields.map(({ name, offset }) => `${name}@${offset}`),
      ["a@0", "b@4", "c@8", "d@16"],
    );
    assert.deepEqual([type.size, type.align], [24, 8]);
    const small = struct(
      "Mixed",
      [
        ["a", U8],
        ["b", U32],
        ["c", U16],
        ["d", pointer(U8)],
      ],
      narrow,
    );
    assert.deepEqual(
      small.fields.map(({ offset }) => offset),
      [0, 4, 8, 12],
    );
    assert.equal(small.size, 16);
  });

  test("nothing takes no room", () => {
    assert.deepEqual(sizeOf(VOID, wide), { size: 0, align: 1 });
    assert.deepEqual(struct("Empty", []).size, 0);
  });
});

describe("integers", () => {
  test("ranges follow width and sign", () => {
    assert.deepEqual(integerRange(I8, wide), { min: -128n, max: 127n });
    assert.deepEqual(integerRange(U64, wide), { min: 0n, max: 0xffff_ffff_ffff_ffffn });
    assert.equal(integerRange(USIZE, narrow).max, 0xffff_ffffn);
  });

  test("values are cut to the width in the type's sign", () => {
    assert.equal(wrapInteger(200n, I8, wide), -56n);
    assert.equal(wrapInteger(-1n, U16, wide), 0xffffn);
    assert.equal(wrapInteger(1n << 32n, USIZE, narrow), 0n);
    assert.equal(wrapInteger(1n << 32n, USIZE, wide), 1n << 32n);
  });
});

describe("equality of types", () => {
  test("built-in types are equal by their parts", () => {
    assert.ok(sameType(array(4, slice(U8)), array(4, slice(U8))));
    assert.ok(!sameType(array(4, U8), array(5, U8)));
    assert.ok(!sameType(slice(U8), slice(I8)));
    assert.ok(sameType({ kind: "fn", params: [U8], result: BOOL }, { kind: "fn", params: [U8], result: BOOL }));
    assert.ok(!sameType({ kind: "fn", params: [U8], result: BOOL }, { kind: "fn", params: [U8, U8], result: BOOL }));
  });

  test("declared types are equal by declaration, not by contents", () => {
    const one = struct("Point", [["x", U32]]);
    const other = struct("Point", [["x", U32]]);
    assert.ok(sameType(pointer(one), pointer(one)));
    assert.ok(!sameType(one, other));
  });

  test("usize is no fixed width", () => assert.ok(!sameType(USIZE, U64)));
});

describe("types in messages", () => {
  const shown: readonly (readonly [Type, string])[] = [
    [array(4, pointer(U8)), "[4]*u8"],
    [slice(STR), "[]str"],
    [{ kind: "fn", params: [U32, slice(U8)], result: BOOL }, "fn(u32, []u8) -> bool"],
    [{ kind: "fn", params: [], result: VOID }, "fn()"],
    [color, "Color"],
    [VOID, "nothing"],
    [COMPTIME_INT, "integer"],
    [DURATION, "duration"],
    [ERROR, "?"],
  ];
  for (const [type, text] of shown) test(text, () => assert.equal(showType(type), text));
});

describe("registers of values", () => {
  test("scalars take one, slices two, nothing none", () => {
    assert.deepEqual(registersOf(U16), ["i16"]);
    assert.deepEqual(registersOf(color), ["i8"]);
    assert.deepEqual(registersOf(USIZE), ["addr"]);
    assert.deepEqual(registersOf(STR), ["addr", "addr"]);
    assert.deepEqual(registersOf(VOID), []);
    assert.equal(scalarOf(BOOL), "i8");
  });

  test("arrays and structs travel as one address", () => {
    for (const type of [array(4, U8), struct("Point", [["x", U32]])]) {
      assert.ok(isAggregate(type));
      assert.deepEqual(registersOf(type), ["addr"]);
    }
    assert.ok(!isAggregate(slice(U8)));
  });
});

describe("how the host prints values", () => {
  test("slices of bytes are told from other slices, and an array's elements stand in it", () => {
    assert.deepEqual(valueTypeOf(slice(U8), wide), { kind: "bytes" });
    assert.deepEqual(valueTypeOf(array(4, U8), wide), { kind: "array", element: { kind: "int", signed: false, bits: 8 }, length: 4, stride: 1 });
    assert.deepEqual(valueTypeOf(slice(I8), wide), { kind: "array", element: { kind: "int", signed: true, bits: 8 }, length: null, stride: 1 });
  });

  test("structs carry their layout, enums their names, addresses the guest's width", () => {
    assert.deepEqual(
      valueTypeOf(
        struct("Pair", [
          ["a", U8],
          ["b", color],
        ]),
        wide,
      ),
      {
        kind: "struct",
        name: "Pair",
        size: 2,
        fields: [
          { name: "a", offset: 0, type: { kind: "int", signed: false, bits: 8 } },
          {
            name: "b",
            offset: 1,
            type: {
              kind: "enum",
              name: "Color",
              bits: 8,
              members: [
                ["red", "0"],
                ["blue", "4"],
              ],
            },
          },
        ],
      },
    );
    assert.deepEqual(valueTypeOf(pointer(U8), narrow), { kind: "pointer", bits: 32 });
    assert.deepEqual(valueTypeOf(DURATION, wide), { kind: "duration" });
  });
});
