// Every arithmetic, comparing and converting instruction on edge operands in every width, against a model in BigInt that is written
// from docs/bytecode.md alone. Operands come from memory through a loop, so that no executor can fold them; a second set of
// programs has them as constants, so that an executor that folds is checked too.

import { byteWidth, type DataLayout, type ScalarType } from "../../../../isa/bytecode/module.ts";
import { encodeCells, hexOf, type Cells, type ConformanceCase } from "./case.ts";

const TYPES: readonly ScalarType[] = ["i8", "i16", "i32", "i64", "addr"];

const signed = (value: bigint, bits: number): bigint => BigInt.asIntN(bits, value);
const unsigned = (value: bigint, bits: number): bigint => BigInt.asUintN(bits, value);
const truth = (value: boolean): bigint => (value ? 1n : 0n);

function countBits(value: bigint): number {
  return value.toString(2).replaceAll("0", "").length;
}

function leadingZeros(value: bigint, bits: number): number {
  return value === 0n ? bits : bits - value.toString(2).length;
}

function trailingZeros(value: bigint, bits: number): number {
  let count = 0;
  while (count < bits && ((value >> BigInt(count)) & 1n) === 0n) count += 1;
  return count;
}

function swapBytes(value: bigint, bits: number): bigint {
  let result = 0n;
  for (let at = 0; at < bits; at += 8) result = (result << 8n) | ((value >> BigInt(at)) & 0xffn);
  return result;
}

function rotateLeft(value: bigint, count: bigint, bits: number): bigint {
  return (value << count) | (value >> (BigInt(bits) - count));
}

type Binary = (a: bigint, b: bigint, bits: number) => bigint;

/** Operands are unsigned; results are taken modulo the width of the result. Division by 0 is not asked for here. */
const BINARY: Readonly<Record<string, Binary>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div_s: (a, b, bits) => signed(a, bits) / signed(b, bits),
  div_u: (a, b) => a / b,
  rem_s: (a, b, bits) => signed(a, bits) % signed(b, bits),
  rem_u: (a, b) => a % b,
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shl: (a, b, bits) => a << (b % BigInt(bits)),
  shr_s: (a, b, bits) => signed(a, bits) >> (b % BigInt(bits)),
  shr_u: (a, b, bits) => a >> (b % BigInt(bits)),
  rotl: (a, b, bits) => rotateLeft(a, b % BigInt(bits), bits),
  rotr: (a, b, bits) => rotateLeft(a, (BigInt(bits) - (b % BigInt(bits))) % BigInt(bits), bits),
  mulh_u: (a, b, bits) => (a * b) >> BigInt(bits),
  mulh_s: (a, b, bits) => (signed(a, bits) * signed(b, bits)) >> BigInt(bits),
  eq: (a, b) => truth(a === b),
  ne: (a, b) => truth(a !== b),
  lt_s: (a, b, bits) => truth(signed(a, bits) < signed(b, bits)),
  lt_u: (a, b) => truth(a < b),
  le_s: (a, b, bits) => truth(signed(a, bits) <= signed(b, bits)),
  le_u: (a, b) => truth(a <= b),
};

const COMPARISONS: ReadonlySet<string> = new Set(["eq", "ne", "lt_s", "lt_u", "le_s", "le_u"]);
const DIVISIONS: ReadonlySet<string> = new Set(["div_s", "div_u", "rem_s", "rem_u"]);

const UNARY: Readonly<Record<string, (a: bigint, bits: number) => bigint>> = {
  copy: (a) => a,
  not: (a) => ~a,
  neg: (a) => -a,
  clz: (a, bits) => BigInt(leadingZeros(a, bits)),
  ctz: (a, bits) => BigInt(trailingZeros(a, bits)),
  popcnt: (a) => BigInt(countBits(a)),
  bswap: (a, bits) => swapBytes(a, bits),
};

function edges(bits: number): readonly bigint[] {
  const width = BigInt(bits);
  const top = 1n << (width - 1n);
  const values = [
    0n,
    1n,
    2n,
    7n,
    width - 1n,
    width,
    width + 1n,
    top - 1n,
    top,
    top + 1n,
    -1n,
    -2n,
    0x5555_5555_5555_5555n,
    0x1234_5678_9abc_def0n,
    0x8000_0001n,
    0xffff_ffffn,
    0x1_0000_0000n,
  ];
  return [...new Set(values.map((value) => unsigned(value, bits)))];
}

const bitsOf = (type: ScalarType, layout: DataLayout): number => byteWidth(type, layout) * 8;
const tableText = (name: string, cells: Cells, layout: DataLayout, access: string): string => {
  const bytes = encodeCells([cells], layout);
  return `data @${name} size ${bytes.length} align 8 ${access}${access === "readonly" ? ` { bytes "${hexOf(bytes)}" }` : ""}`;
};

interface Column {
  readonly name: string;
  readonly type: ScalarType;
  readonly values: readonly bigint[];
}

/** A function that runs `operation` over the rows of its operand tables and stores the results into @<name>_out. */
function tableFunction(name: string, operands: readonly Column[], result: ScalarType, operation: string, layout: DataLayout): string {
  const count = operands[0]?.values.length ?? 0;
  const text: string[] = [];
  const columns = [...operands, { name: "out", type: result, values: new Array<bigint>(count).fill(0n) }];
  for (const column of columns) text.push(tableText(`${name}_${column.name}`, column, layout, column.name === "out" ? "writable" : "readonly"));
  // %0 rows left, %1 one, %2 flag, %3 zero; then for each column its pointer, step and value.
  const pointer = (index: number): number => 4 + 3 * index;
  text.push(`func @${name} () -> () {`, "reg %0:i32, %1:i32, %2:i8, %3:i32");
  columns.forEach((column, index) => text.push(`reg %${pointer(index)}:addr, %${pointer(index) + 1}:addr, %${pointer(index) + 2}:${column.type}`));
  text.push(`%0 = const.i32 ${count}`, "%1 = const.i32 1");
  columns.forEach((column, index) => {
    text.push(`%${pointer(index)} = symbol_addr @${name}_${column.name}`, `%${pointer(index) + 1} = const.addr ${byteWidth(column.type, layout)}`);
  });
  text.push("loop");
  operands.forEach((column, index) => text.push(`%${pointer(index) + 2} = load.${column.type} %${pointer(index)}`));
  const out = operands.length;
  text.push(`%${pointer(out) + 2} = ${operation} ${operands.map((_, index) => `%${pointer(index) + 2}`).join(", ")}`);
  text.push(`store.${result} %${pointer(out)}, %${pointer(out) + 2}`);
  columns.forEach((_, index) => text.push(`%${pointer(index)} = add.addr %${pointer(index)}, %${pointer(index) + 1}`));
  text.push("%0 = sub.i32 %0, %1", "%2 = ne.i32 %0, %3", "br_if %2, 0", "end", "return", "}");
  return text.join("\n");
}

interface Plan {
  readonly name: string;
  readonly operands: readonly Column[];
  readonly result: ScalarType;
  readonly operation: string;
  readonly results: readonly bigint[];
}

/** One case for one instruction: a function for each plan (type or pair of types), all called by @main. */
function tableCase(name: string, plans: (layout: DataLayout) => readonly Plan[]): ConformanceCase {
  return {
    name: `operation ${name}`,
    program: (layout) =>
      [
        "func @main () -> () {",
        ...plans(layout).map((plan) => `call @${plan.name}`),
        "return",
        "}",
        ...plans(layout).map((plan) => tableFunction(plan.name, plan.operands, plan.result, plan.operation, layout)),
      ].join("\n"),
    expect: ({ layout }) => ({
      outcome: "returned",
      memory: Object.fromEntries(plans(layout).map((plan) => [`${plan.name}_out`, [{ type: plan.result, values: plan.results }]])),
      instructions: plans(layout).reduce((sum, plan) => {
        const columns = plan.operands.length + 1;
        return sum + 1 + 2 + 2 * columns + plan.results.length * (plan.operands.length + 2 + columns + 3) + 1;
      }, 1),
    }),
  };
}

function pairs(op: string, bits: number): readonly (readonly [bigint, bigint])[] {
  const values = edges(bits);
  return values.flatMap((a) => values.filter((b) => b !== 0n || !DIVISIONS.has(op)).map((b) => [a, b] as const));
}

const binaryCases = Object.entries(BINARY).map(([op, model]) =>
  tableCase(op, (layout) =>
    TYPES.map((type) => {
      const bits = bitsOf(type, layout);
      const rows = pairs(op, bits);
      const result: ScalarType = COMPARISONS.has(op) ? "i8" : type;
      return {
        name: `${op}_${type}`,
        operands: [
          { name: "a", type, values: rows.map(([a]) => a) },
          { name: "b", type, values: rows.map(([, b]) => b) },
        ],
        result,
        operation: `${op}.${type}`,
        results: rows.map(([a, b]) => unsigned(model(a, b, bits), bitsOf(result, layout))),
      };
    }),
  ),
);

const unaryCases = Object.entries(UNARY).map(([op, model]) =>
  tableCase(op, (layout) =>
    TYPES.map((type) => {
      const bits = bitsOf(type, layout);
      const values = edges(bits);
      return {
        name: `${op}_${type}`,
        operands: [{ name: "a", type, values }],
        result: type,
        operation: `${op}.${type}`,
        results: values.map((value) => unsigned(model(value, bits), bits)),
      };
    }),
  ),
);

const CONVERSIONS: Readonly<
  Record<string, { readonly allowed: (from: number, to: number) => boolean; readonly model: (value: bigint, from: number) => bigint }>
> = {
  zext: { allowed: (from, to) => from <= to, model: (value) => value },
  sext: { allowed: (from, to) => from <= to, model: signed },
  trunc: { allowed: (from, to) => from >= to, model: (value) => value },
};

const conversionCases = Object.entries(CONVERSIONS).map(([op, { allowed, model }]) =>
  tableCase(op, (layout) =>
    TYPES.flatMap((type) =>
      TYPES.filter((to) => allowed(bitsOf(type, layout), bitsOf(to, layout))).map((to) => {
        const bits = bitsOf(type, layout);
        const values = edges(bits);
        return {
          name: `${op}_${type}_${to}`,
          operands: [{ name: "a", type, values }],
          result: to,
          operation: `${op}.${type}.${to}`,
          results: values.map((value) => unsigned(model(value, bits), bitsOf(to, layout))),
        };
      }),
    ),
  ),
);

const selectCase = tableCase("select", (layout) =>
  TYPES.map((type) => {
    const values = edges(bitsOf(type, layout));
    const conditions = [0n, 1n, 2n, 0x80n, 0xffn];
    const rows = values.flatMap((value, index) => conditions.map((condition) => ({ condition, value, other: values[(index + 1) % values.length] ?? 0n })));
    return {
      name: `select_${type}`,
      operands: [
        { name: "c", type: "i8" as const, values: rows.map((row) => row.condition) },
        { name: "a", type, values: rows.map((row) => row.value) },
        { name: "b", type, values: rows.map((row) => row.other) },
      ],
      result: type,
      operation: `select.${type}`,
      results: rows.map((row) => (row.condition === 0n ? row.other : row.value)),
    };
  }),
);

/** The same operations on constants: for each type three pairs, results one after the other. */
const constantCases = Object.entries(BINARY).map(([op, model]): ConformanceCase => {
  const rows = (layout: DataLayout, type: ScalarType): readonly (readonly [bigint, bigint])[] => {
    const bits = bitsOf(type, layout);
    const top = 1n << BigInt(bits - 1);
    return [
      [top, unsigned(-1n, bits)],
      [unsigned(0x1234_5678_9abc_def1n, bits), 3n],
      [unsigned(-7n, bits), unsigned(BigInt(bits) + 2n, bits)],
    ];
  };
  const resultOf = (type: ScalarType): ScalarType => (COMPARISONS.has(op) ? "i8" : type);
  return {
    name: `operation ${op} on constants`,
    program: (layout) =>
      [
        ...TYPES.map((type) => `data @out_${type} size ${3 * byteWidth(resultOf(type), layout)} align 8 writable`),
        "func @main () -> () {",
        "reg %0:addr, %1:i8, %2:i8, %3:i8, %4:i16, %5:i16, %6:i16, %7:i32, %8:i32, %9:i32, %10:i64, %11:i64, %12:i64, %13:addr, %14:addr, %15:addr",
        ...TYPES.flatMap((type, index) => {
          const first = 1 + 3 * index;
          const result = resultOf(type);
          const target = result === type ? first + 2 : 3;
          return [
            `%0 = symbol_addr @out_${type}`,
            ...rows(layout, type).flatMap(([a, b], row) => [
              `%${first} = const.${type} ${signed(a, bitsOf(type, layout))}`,
              `%${first + 1} = const.${type} ${b}`,
              `%${target} = ${op}.${type} %${first}, %${first + 1}`,
              `store.${result} %0, %${target}, +${row * byteWidth(result, layout)}`,
            ]),
          ];
        }),
        "return",
        "}",
      ].join("\n"),
    expect: ({ layout }) => ({
      outcome: "returned",
      instructions: TYPES.length * 13 + 1,
      memory: Object.fromEntries(
        TYPES.map((type) => {
          const bits = bitsOf(type, layout);
          const result = resultOf(type);
          return [`out_${type}`, [{ type: result, values: rows(layout, type).map(([a, b]) => unsigned(model(a, b, bits), bitsOf(result, layout))) }]];
        }),
      ),
    }),
  };
});

export const operationCases: readonly ConformanceCase[] = [...binaryCases, ...unaryCases, ...conversionCases, selectCase, ...constantCases];
