// Constants mean what the same expressions mean in the guest: generated expressions are worked out twice, when compiling and by guest code
// on variables, in guests of both widths and byte orders. The rest are cases that a user would recognise.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { DataLayout } from "../../isa/bytecode/module.ts";
import { compileFiles } from "../../tests/fixtures/compile.ts";
import { createRandom, type Random } from "../../tests/fixtures/random.ts";
import { runImages, testsOf } from "../../tests/specs/run-all.ts";
import type { ConstValue } from "../hir.ts";
import type { Image } from "../index.ts";
import { BOOL, U32, U8, type Type } from "../types.ts";
import { arithmetic, equalConst, intValue } from "./constants.ts";

function compileText(text: string, layout?: DataLayout): readonly Image[] {
  const { diagnostics, images } = compileFiles(["constants.gspec"], { texts: { "constants.gspec": text }, ...(layout === undefined ? {} : { layout }) });
  assert.deepEqual(
    diagnostics.map(({ code, message, labels: [{ span }] }) => `${code} ${message}: ${span.source.text.slice(span.start, span.end)}`),
    [],
  );
  return images;
}

async function runText(text: string, layout?: DataLayout): Promise<void> {
  const events = testsOf(await runImages(compileText(text, layout), { executor: "interpreter" }));
  const bad = events.flatMap(({ id, verdict, failures }) => (verdict === "pass" ? [] : [`${id}: ${verdict} ${JSON.stringify(failures[0])}`]));
  assert.deepEqual(bad, []);
  assert.ok(events.length > 0);
}

// ---- Generated expressions ----

const TYPES = ["u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64", "usize"] as const;
type TypeName = (typeof TYPES)[number];

/** An expression of a type, with a place for each leaf: a literal in the constant, a variable in the guest. */
interface Generated {
  readonly type: TypeName | "bool";
  readonly write: (leaf: (value: bigint, type: TypeName) => string) => string;
}

function limitsOf(type: TypeName): { readonly min: bigint; readonly max: bigint } {
  // What a 32-bit guest's usize holds too.
  const bits = type === "usize" ? 32n : BigInt(type.slice(1));
  return type.startsWith("i") ? { min: -(1n << (bits - 1n)), max: (1n << (bits - 1n)) - 1n } : { min: 0n, max: (1n << bits) - 1n };
}

function generateLeaf(random: Random, type: TypeName): Generated {
  const { min, max } = limitsOf(type);
  const edges = [min, max, 0n, 1n, max >> 1n, min + 1n];
  const value =
    random.below(2) === 0
      ? (edges[random.below(edges.length)] ?? 0n)
      : min + (((BigInt(random.below(0x7fff_ffff)) << 32n) | BigInt(random.below(0x7fff_ffff))) % (max - min + 1n));
  return { type, write: (leaf) => leaf(value, type) };
}

const OPERATORS = ["+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>"];
const COMPARISONS = ["==", "!=", "<", "<=", ">", ">="];

function generate(random: Random, type: TypeName, depth: number): Generated {
  if (depth === 0) return generateLeaf(random, type);
  const inner = (of: TypeName = type): Generated => generate(random, of, depth - 1);
  const pick = random.below(8);
  if (pick < 4) {
    const operator = OPERATORS[random.below(OPERATORS.length)] ?? "+";
    const [left, right] = [inner(), inner()];
    // A divisor of zero would trap in the guest, and -1 is told apart by its own cases.
    const guarded = operator === "/" || operator === "%";
    return { type, write: (leaf) => `(${left.write(leaf)} ${operator} ${guarded ? `(${right.write(leaf)} | 1)` : right.write(leaf)})` };
  }
  if (pick === 4) {
    const operand = inner();
    const operator = random.below(2) === 0 ? "-" : "~";
    return { type, write: (leaf) => `(${operator}${operand.write(leaf)})` };
  }
  if (pick === 5) {
    const operand = inner(TYPES[random.below(TYPES.length)] ?? "u8");
    return { type, write: (leaf) => `(${operand.write(leaf)} as ${type})` };
  }
  if (pick === 6) {
    const operand = generateTruth(random, depth - 1);
    return { type, write: (leaf) => `(${operand.write(leaf)} as ${type})` };
  }
  const [condition, then, otherwise] = [generateTruth(random, depth - 1), inner(), inner()];
  return { type, write: (leaf) => `(if ${condition.write(leaf)} { ${then.write(leaf)} } else { ${otherwise.write(leaf)} })` };
}

function generateTruth(random: Random, depth: number): Generated {
  const of = TYPES[random.below(TYPES.length)] ?? "u8";
  const below = Math.max(0, depth - 1);
  const value = (): Generated => generate(random, of, below);
  const [a, b, c] = [value(), value(), value()];
  switch (random.below(5)) {
    case 0:
      return { type: "bool", write: (leaf) => `(${a.write(leaf)} in ${b.write(leaf)}..${c.write(leaf)})` };
    case 1:
      return { type: "bool", write: (leaf) => `(${a.write(leaf)} not in [${b.write(leaf)}, ${c.write(leaf)}])` };
    case 2: {
      const [left, right] = [generateTruth(random, 0), generateTruth(random, 0)];
      const operator = random.below(2) === 0 ? "and" : "or";
      return { type: "bool", write: (leaf) => `(${left.write(leaf)} ${operator} not ${right.write(leaf)})` };
    }
    default: {
      const operator = COMPARISONS[random.below(COMPARISONS.length)] ?? "==";
      return { type: "bool", write: (leaf) => `(${a.write(leaf)} ${operator} ${b.write(leaf)})` };
    }
  }
}

function writeProgram(seed: number, count: number): string {
  const random = createRandom(seed);
  const lines: string[] = ['suite "constants"', ""];
  const tests: string[] = [];
  let leaves = 0;
  for (let i = 0; i < count; i++) {
    const expression = random.below(5) === 0 ? generateTruth(random, 3) : generate(random, TYPES[random.below(TYPES.length)] ?? "u8", 3);
    const literal = (value: bigint, type: TypeName): string => `(${value} as ${type})`;
    const variable = (value: bigint, type: TypeName): string => {
      const name = `v${leaves++}`;
      lines.push(`var ${name}: ${type} = ${value}`);
      return name;
    };
    lines.push(`const C${i}: ${expression.type} = ${expression.write(literal)}`);
    tests.push(`test "${i}" { expect C${i} == ${expression.write(variable)} }`);
  }
  return [...lines, "", ...tests, ""].join("\n");
}

describe("constants and the guest agree", () => {
  for (const layout of [
    { addressBytes: 8, endian: "little" },
    { addressBytes: 4, endian: "big" },
  ] as const satisfies readonly DataLayout[]) {
    test(`on generated expressions, ${layout.addressBytes * 8}-bit ${layout.endian}-endian`, async () => {
      await runText(writeProgram(7, 150), layout);
    });
  }

  test("on the edges of division", async () => {
    await runText(`suite "division"
const MIN: i32 = i32.min / -1
const REST: i32 = i32.min % -1
const DOWN: i8 = -7 / 2
const LEFT: i8 = -7 % 2
var min: i32 = i32.min
var minus: i32 = -1
var seven: i8 = -7
var two: i8 = 2
test "they wrap and round towards zero" {
  expect DOWN == seven / two and DOWN == -3
  expect LEFT == seven % two and LEFT == -1
  expect MIN == min / minus and MIN == i32.min
  expect REST == min % minus and REST == 0
}
`);
  });

  test("on arrays, slices, strings and structs", async () => {
    await runText(`suite "data"
struct Pair { a: u16  b: [3]u8 }
const EMPTY = Pair { }
const FULL = Pair { a: 0x1234, b: [1, 2, 3] }
const ZEROS: [5]u32 = [0; 5]
const LIST: []u32 = [0; 5]
const TEXT = "grün"
const LENGTH = TEXT.len
const THIRD = FULL.b[2]
const SAME = EMPTY == Pair { a: 0, b: [0, 0, 0] }
const MEMBER = 3 in FULL.b
table rows (p: Pair, n: u32) {
  Pair { a: 1 }, 1
  FULL, 2
}
var three: usize = 3
test "what is left out is zero" { expect EMPTY.a == 0 and EMPTY.b == [0, 0, 0] and SAME }
test "fields and elements" { expect THIRD == 3 and FULL.b[three - 1] == THIRD and MEMBER }
test "a slice of zeros keeps its length" { expect LIST.len == 5 and LIST == ZEROS }
test "the length of a string is in bytes" { expect LENGTH == 5 and TEXT == "grün" }
test "rows {r.n}" for r in rows { expect (r.p == FULL) == (r.n == 2) }
test "zero {z}" for z in [0; 3] { expect z == 0 }
`);
  });

  test("on literals without a type", async () => {
    await runText(`suite "literals"
var low: u8 = 0xfc
test "a complement takes the width of its place" {
  let mask: u8 = ~3
  expect mask == low and low & ~0xf == 0xf0 and (~3 | low) == 0xfc
}
test "comparisons are exact up to 64 bits" {
  expect 0xffff_ffff_ffff_ffff > 1
  expect -1 < 1
  expect 0x8000_0000_0000_0000 in 1..0xffff_ffff_ffff_ffff
  expect 0xffff_ffff_ffff_ffff in [1, 0xffff_ffff_ffff_ffff]
  expect [1, 0xffff_ffff_ffff_ffff] == [1, 0xffff_ffff_ffff_ffff]
  expect -2 not in [2, -1]
}
test "intermediate values may be wide" {
  expect (1 << 80) >> 78 == 4
  let kib: u16 = 3 * 1024 * 1024 / 1024
  expect kib == 3072
}
`);
  });
});

describe("arithmetic", () => {
  test("has no result where the guest would trap", () => {
    assert.equal(arithmetic("/", 1n, 0n, 32, false), null);
    assert.equal(arithmetic("%", 1n, 0n, null, true), null);
  });

  test("counts a shift modulo the width, as the instructions do", () => {
    assert.equal(arithmetic("<<", 1n, 33n, 32, false), 2n);
    assert.equal(arithmetic(">>", -8n, 1n, 8, true), -4n);
    assert.equal(arithmetic(">>", 0x80n, 7n, 8, false), 1n);
  });

  test("refuses shifts of untyped integers that nobody means", () => {
    assert.equal(arithmetic("<<", 1n, 5000n, null, true), null);
    assert.equal(arithmetic("<<", 1n, -1n, null, true), null);
  });
});

describe("equality of constants", () => {
  const zero: ConstValue = { kind: "zero" };
  const list = (...values: readonly bigint[]): ConstValue => ({ kind: "list", items: values.map(intValue) });
  const bytes: Type = { kind: "array", length: 2, element: U8 };

  test("knows that zero stands for any type", () => {
    assert.ok(equalConst(zero, intValue(0n), U32));
    assert.ok(equalConst(zero, list(0n, 0n), bytes));
    assert.ok(!equalConst(list(0n, 1n), zero, bytes));
    assert.ok(equalConst(zero, intValue(0n), BOOL));
  });

  test("compares bytes and lists alike", () => {
    assert.ok(equalConst({ kind: "bytes", bytes: Uint8Array.of(1, 2) }, list(1n, 2n), bytes));
    assert.ok(!equalConst({ kind: "bytes", bytes: Uint8Array.of(1, 2) }, list(1n, 3n), bytes));
  });

  test("tells slices of different lengths apart", () => {
    const slice: Type = { kind: "slice", element: U8 };
    assert.ok(!equalConst(list(1n), list(1n, 0n), slice));
    assert.ok(equalConst(zero, list(), slice));
  });
});
