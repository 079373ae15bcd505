// Floating-point instructions where the host's arithmetic is certain to give the same bits and to raise no flag that is not raised already:
// rounding is to nearest even, the result is finite and not tiny, and it is exact or fflags.NX is set. Whatever else it is, NaNs among it,
// goes by the guard to the soft float, which is exact always. Singles and doubles are given by one description each over their width.
// Manual: RISC-V Instruction Set Manual Volume I, 20191213, 11 and 12. How exactness is told without another rounding: Dekker 1971; Knuth,
// TAOCP 4.2.2; the error of a sum, and rounding to odd before a second rounding, as in softfloat/host-arithmetic.ts.

import type { RegisterWidth } from "../../../../isa/riscv64/by-width.ts";
import type { Mnemonic } from "../../../../isa/riscv64/instructions.ts";
import { I64 } from "../../wasm/encoder.ts";
import { MSTATUS } from "../hart.ts";
import { binary, choose, leaf, state, unary, type Expression, type UnaryName } from "./expressions.ts";
import type { Guarded, Shared } from "./guarded.ts";
import { and, both, either, isZero, narrow, or, wide, word } from "./terms.ts";

export type FloatName = Mnemonic | `${Mnemonic}.rtz`;
type Row = readonly [name: FloatName, meaning: Guarded];

// Everything that is a number is computed in doubles but for what rounds to a single.
const add = (a: Expression, b: Expression): Expression => binary("f64_add", a, b);
const sub = (a: Expression, b: Expression): Expression => binary("f64_sub", a, b);
const mul = (a: Expression, b: Expression): Expression => binary("f64_mul", a, b);
const equal = (a: Expression, b: Expression): Expression => binary("f64_eq", a, b);
const magnitude = (a: Expression): Expression => unary("f64_abs", a);

const cells = new DataView(new ArrayBuffer(8));
/** Numbers are written as the bits that they have in registers. */
function double(value: number): Expression {
  cells.setFloat64(0, value);
  return unary("f64_reinterpret_i64", wide(cells.getBigUint64(0)));
}

const ZERO = double(0);
const TRUE = word(1);
const isBelow = (a: Expression, limit: number): Expression => binary("f64_lt", a, double(limit));
const isAbove = (a: Expression, limit: number): Expression => binary("f64_gt", a, double(limit));
const isFinite = (a: Expression): Expression => isBelow(magnitude(a), Infinity);

// ------------------------------------------------------------------------------------------------------------------ conditions

/** Registers may be written without telling anybody. */
const isDirty = binary("i64_eq", and(state("mstatus"), wide(MSTATUS.FS)), wide(MSTATUS.FS));
/** A decoded entry has 7 in the low bits of its immediate if the mode is that of frm, which must be 0 then; else 0. */
const isNearest = isZero(and(binary("i64_shr_u", state("fcsr"), wide(5n)), leaf("imm", I64), wide(7n)));
const isNoted = narrow(and(state("fcsr"), wide(1n)));

// --------------------------------------------------------------------------------------------------------------------- formats

interface Format {
  readonly suffix: "s" | "d";
  /** Results above it in magnitude are not tiny, however they were rounded. */
  readonly leastNormal: number;
  /** The number that a register holds, as a double, which holds all singles. */
  readonly toDouble: (register: Expression) => Expression;
  /** The nearest number of the format, as a double again. */
  readonly round: (value: Expression) => Expression;
  /** Bits of the register for a number that the format has. */
  readonly toRegister: (value: Expression) => Expression;
  /** Whether registers hold numbers of the format: a single must be boxed (12.2). */
  readonly areHeld: (...registers: readonly [Expression, ...Expression[]]) => readonly Expression[];
  readonly signBit: bigint;
}

const BOX = 0xffff_ffff_0000_0000n;

const SINGLE: Format = {
  suffix: "s",
  leastNormal: 2 ** -126,
  toDouble: (register) => unary("f64_promote_f32", unary("f32_reinterpret_i32", narrow(register))),
  round: (value) => unary("f64_promote_f32", unary("f32_demote_f64", value)),
  toRegister: (value) => or(unary("i64_extend_i32_u", unary("i32_reinterpret_f32", unary("f32_demote_f64", value))), wide(BOX)),
  areHeld: (...registers) => [binary("i64_ge_u", and(...registers), wide(BOX))],
  signBit: 1n << 31n,
};

const DOUBLE: Format = {
  suffix: "d",
  leastNormal: 2 ** -1022,
  toDouble: (register) => unary("f64_reinterpret_i64", register),
  round: (value) => value,
  toRegister: (value) => unary("i64_reinterpret_f64", value),
  areHeld: () => [],
  signBit: 1n << 63n,
};

const FS1 = leaf("fs1", I64);
const FS2 = leaf("fs2", I64);
const FS3 = leaf("fs3", I64);

/** Gives a value a name, so that it is computed once. */
type Share = (value: Expression) => Expression;

/** The description that `describe` makes with shared values. */
function sharing(describe: (share: Share) => Omit<Guarded, "shared">): Guarded {
  const shared: Shared[] = [];
  const meaning = describe((value) => {
    const name = Symbol("shared");
    shared.push({ name, value });
    return { kind: "bound", type: value.type, name };
  });
  return { shared, ...meaning };
}

// ------------------------------------------------------------------------------------------------------------------ arithmetic

/** What an operation comes to in doubles, and when the result, rounded to the format, is that and is exact. */
interface Outcome {
  readonly value: Expression;
  readonly isExact: (result: Expression) => Expression;
  /** Results may be tiny without being exact. */
  readonly mayBeTiny: boolean;
}

/** Singles are rounded twice, which is harmless after one operation on singles (Figueroa 1995). */
function rounded(format: Format, share: Share, held: readonly Expression[], { value, isExact, mayBeTiny }: Outcome): Omit<Guarded, "shared"> {
  const result = share(format.round(value));
  const isRounded = mayBeTiny ? both(isNoted, isAbove(magnitude(result), format.leastNormal)) : isNoted;
  return {
    guard: both(isDirty, isNearest, ...held, isFinite(result), either(isExact(result), isRounded)),
    result: { file: "f", value: format.toRegister(result) },
  };
}

/** `a + b - sum`, exactly, unless something overflows on the way, which makes it a NaN (TwoSum). */
function sumError(share: Share, a: Expression, b: Expression, sum: Expression): Expression {
  const seen = share(sub(sum, a));
  return share(add(sub(a, sub(sum, seen)), sub(b, seen)));
}

/** Doubles that end with so many zeros have half the digits: products of two such are exact as long as they are not tiny. */
const areShort = (first: Expression, ...rest: readonly Expression[]): Expression => isZero(and(or(bitsOf(first), ...rest.map(bitsOf)), wide((1n << 27n) - 1n)));
const bitsOf = (a: Expression): Expression => unary("i64_reinterpret_f64", a);

type Two = (format: Format, share: Share, a: Expression, b: Expression) => Outcome;

const sum: Two = (_format, share, a, b) => {
  const value = share(add(a, b));
  const error = sumError(share, a, b, value);
  // What is tiny is a multiple of the least number, and so exact.
  return { value, isExact: (result) => both(equal(error, ZERO), equal(result, value)), mayBeTiny: false };
};

const difference: Two = (format, share, a, b) => sum(format, share, a, share(unary("f64_neg", b)));

const product: Two = (format, share, a, b) => {
  const value = share(mul(a, b));
  const isZeroTimes = (result: Expression): Expression => both(equal(result, ZERO), either(equal(a, ZERO), equal(b, ZERO)));
  return {
    value,
    // As a double, that of singles is.
    isExact: (result) =>
      format === SINGLE ? equal(result, value) : either(both(areShort(a, b), isAbove(magnitude(result), format.leastNormal)), isZeroTimes(result)),
    mayBeTiny: true,
  };
};

/** A quotient is exact if its product with the divisor is the dividend, and that product is exact. */
const quotient: Two = (format, share, a, b) => ({
  value: share(binary("f64_div", a, b)),
  isExact(result) {
    const isProduct = equal(mul(result, b), a);
    if (format === SINGLE) return isProduct;
    return either(both(isProduct, areShort(result, b), isAbove(magnitude(a), format.leastNormal)), both(equal(result, ZERO), equal(a, ZERO)));
  },
  mayBeTiny: true,
});

const root = (format: Format, share: Share, a: Expression): Outcome => ({
  value: share(unary("f64_sqrt", a)),
  isExact(result) {
    const isSquare = equal(mul(result, result), a);
    return format === SINGLE ? isSquare : either(both(isSquare, areShort(result), isAbove(a, format.leastNormal)), equal(a, ZERO));
  },
  mayBeTiny: false,
});

/** The sum rounded to odd, so that a later rounding cannot take it for a tie (Boldo and Melquiond 2008), and whether it is exact. */
function addToOdd(share: Share, a: Expression, b: Expression): { readonly value: Expression; readonly isExact: Expression } {
  const value = share(add(a, b));
  const error = sumError(share, a, b, value);
  const isExact = equal(error, ZERO);
  const bits = share(bitsOf(value));
  // As integers, magnitudes grow upwards: to the neighbour on the side of the error.
  const isAway = binary("i32_eq", binary("f64_gt", error, ZERO), binary("f64_gt", value, ZERO));
  const neighbour = binary("i64_add", bits, choose(isAway, wide(1n), wide(-1n)));
  const isKept = either(isExact, narrow(and(bits, wide(1n))));
  return { value: share(unary("f64_reinterpret_i64", choose(isKept, bits, neighbour))), isExact };
}

/** Halves of a double's digits (Veltkamp). */
function split(share: Share, a: Expression): { readonly high: Expression; readonly low: Expression } {
  const scaled = share(mul(a, double(2 ** 27 + 1)));
  const high = share(sub(scaled, sub(scaled, a)));
  return { high, low: share(sub(a, high)) };
}

/** `a * b - product`, exactly, where nothing is tiny (Dekker). */
function productError(share: Share, a: Expression, b: Expression, value: Expression): Expression {
  const x = split(share, a);
  const y = split(share, b);
  return share(sub(mul(x.low, y.low), sub(sub(sub(value, mul(x.high, y.high)), mul(x.low, y.high)), mul(x.high, y.low))));
}

/** Products of two, and their errors, are far from both ends. */
const isModerate = (a: Expression): Expression => both(binary("f64_ge", magnitude(a), double(2 ** -450)), binary("f64_le", magnitude(a), double(2 ** 450)));

/** `a * b + c`, rounded once. */
function fused(format: Format, share: Share, a: Expression, b: Expression, c: Expression): Outcome & { readonly condition: readonly Expression[] } {
  const value = share(mul(a, b));
  if (format === SINGLE) {
    const odd = addToOdd(share, value, c);
    return { value: odd.value, isExact: (result) => both(odd.isExact, equal(result, odd.value)), mayBeTiny: true, condition: [] };
  }
  const low = productError(share, a, b, value);
  const lowSum = share(add(c, low));
  const highSum = share(add(value, lowSum));
  const rest = addToOdd(share, sumError(share, c, low, lowSum), sumError(share, value, lowSum, highSum));
  const total = share(add(highSum, rest.value));
  const error = sumError(share, highSum, rest.value, total);
  return {
    value: total,
    isExact: () => both(rest.isExact, equal(error, ZERO)),
    mayBeTiny: false,
    condition: [isModerate(a), isModerate(b), either(isModerate(c), equal(c, ZERO))],
  };
}

/** Which of product and addend are negated (11.6). */
const FUSED = [
  ["fmadd", false, false],
  ["fmsub", false, true],
  ["fnmsub", true, false],
  ["fnmadd", true, true],
] as const;

function* arithmetic(format: Format): Generator<Row> {
  const { suffix, toDouble, areHeld } = format;
  const negated = (share: Share, a: Expression, isNegated: boolean): Expression => (isNegated ? share(unary("f64_neg", a)) : a);
  for (const [name, compute] of [
    ["fadd", sum],
    ["fsub", difference],
    ["fmul", product],
    ["fdiv", quotient],
  ] as const) {
    yield [
      `${name}.${suffix}`,
      sharing((share) => rounded(format, share, areHeld(FS1, FS2), compute(format, share, share(toDouble(FS1)), share(toDouble(FS2))))),
    ];
  }
  yield [`fsqrt.${suffix}`, sharing((share) => rounded(format, share, areHeld(FS1), root(format, share, share(toDouble(FS1)))))];
  for (const [name, isProductNegated, isAddendNegated] of FUSED) {
    yield [
      `${name}.${suffix}`,
      sharing((share) => {
        const a = negated(share, share(toDouble(FS1)), isProductNegated);
        const outcome = fused(format, share, a, share(toDouble(FS2)), negated(share, share(toDouble(FS3)), isAddendNegated));
        return rounded(format, share, [...areHeld(FS1, FS2, FS3), ...outcome.condition], outcome);
      }),
    ];
  }
}

// --------------------------------------------------------------------------------------------- comparisons, signs, moves of bits

const toFlag = (a: Expression): Expression => unary("i64_extend_i32_u", a);

function* comparisons({ suffix, toDouble, areHeld, signBit }: Format): Generator<Row> {
  const [a, b] = [toDouble(FS1), toDouble(FS2)];
  // NaNs raise flags, or come out canonical.
  const guard = both(isDirty, ...areHeld(FS1, FS2), equal(a, a), equal(b, b));
  for (const [name, comparison] of [
    ["feq", "f64_eq"],
    ["flt", "f64_lt"],
    ["fle", "f64_le"],
  ] as const) {
    yield [`${name}.${suffix}`, { guard, result: { file: "x", value: toFlag(binary(comparison, a, b)) } }];
  }
  // What compares equal is the same, or zeros of which the minimum is the negative one.
  const lesser = (equals: Expression, x: Expression, y: Expression): Expression => choose(binary("f64_lt", a, b), x, choose(binary("f64_lt", b, a), y, equals));
  yield [`fmin.${suffix}`, { guard, result: { file: "f", value: lesser(or(FS1, FS2), FS1, FS2) } }];
  yield [`fmax.${suffix}`, { guard, result: { file: "f", value: lesser(and(FS1, FS2), FS2, FS1) } }];

  const sign = and(FS2, wide(signBit));
  const unsigned = and(FS1, wide(~signBit));
  const flipped = binary("i64_xor", sign, wide(signBit));
  const guardOfSigns = both(isDirty, ...areHeld(FS1, FS2));
  for (const [name, value] of [
    ["fsgnj", or(unsigned, sign)],
    ["fsgnjn", or(unsigned, flipped)],
    ["fsgnjx", binary("i64_xor", FS1, sign)],
  ] as const) {
    yield [`${name}.${suffix}`, { guard: guardOfSigns, result: { file: "f", value } }];
  }
}

const RS1 = leaf("rs1", I64);

const MOVES: readonly (readonly [Mnemonic, NonNullable<Guarded["result"]>])[] = [
  ["fmv.x.w", { file: "x", value: unary("i64_extend32_s", FS1) }],
  ["fmv.x.d", { file: "x", value: FS1 }],
  ["fmv.w.x", { file: "f", value: or(RS1, wide(BOX)) }],
  ["fmv.d.x", { file: "f", value: RS1 }],
];

// ----------------------------------------------------------------------------------------------------------------- conversions

interface Integer {
  readonly name: "w" | "wu" | "l" | "lu";
  /** The double next to rs1, and whether it is rs1. */
  readonly toDouble: Expression;
  readonly isExact?: Expression;
  /** What is in this range is an integer of this kind, once it is whole. */
  readonly least: number;
  readonly beyond: number;
  readonly toRegister: (whole: Expression) => Expression;
}

const INTEGERS: readonly Integer[] = [
  {
    name: "w",
    toDouble: unary("f64_convert_i32_s", narrow(RS1)),
    least: -(2 ** 31),
    beyond: 2 ** 31,
    toRegister: (whole) => unary("i64_extend_i32_s", unary("i32_trunc_f64_s", whole)),
  },
  {
    name: "wu",
    toDouble: unary("f64_convert_i32_u", narrow(RS1)),
    least: 0,
    beyond: 2 ** 32,
    toRegister: (whole) => unary("i64_extend_i32_s", unary("i32_trunc_f64_u", whole)),
  },
  {
    name: "l",
    toDouble: unary("f64_convert_i64_s", RS1),
    isExact: binary("i64_le_u", binary("i64_add", RS1, wide(1n << 53n)), wide(1n << 54n)),
    least: -(2 ** 63),
    beyond: 2 ** 63,
    toRegister: (whole) => unary("i64_trunc_f64_s", whole),
  },
  {
    name: "lu",
    toDouble: unary("f64_convert_i64_u", RS1),
    isExact: binary("i64_le_u", RS1, wide(1n << 53n)),
    least: 0,
    beyond: 2 ** 64,
    toRegister: (whole) => unary("i64_trunc_f64_u", whole),
  },
];

function* conversions(format: Format): Generator<Row> {
  const { suffix, toDouble, areHeld } = format;
  for (const integer of INTEGERS) {
    const exact = integer.isExact ?? TRUE;
    yield [
      `fcvt.${suffix}.${integer.name}`,
      sharing((share) => {
        const value = share(integer.toDouble);
        // Singles of what doubles do not hold would be rounded twice.
        return rounded(format, share, format === SINGLE ? [exact] : [], { value, isExact: (result) => both(exact, equal(result, value)), mayBeTiny: false });
      }),
    ];
    for (const [ending, rounding, conditions] of [
      ["", "f64_nearest", [isNearest]],
      [".rtz", "f64_trunc", []],
    ] as const satisfies readonly (readonly [string, UnaryName, readonly Expression[]])[]) {
      yield [
        `fcvt.${integer.name}.${suffix}${ending}`,
        sharing((share) => {
          const value = share(toDouble(FS1));
          const whole = share(unary(rounding, value));
          const isInRange = both(binary("f64_ge", whole, double(integer.least)), isBelow(whole, integer.beyond));
          return {
            guard: both(isDirty, ...conditions, ...areHeld(FS1), isInRange, either(isNoted, equal(whole, value))),
            result: { file: "x", value: integer.toRegister(whole) },
          };
        }),
      ];
    }
  }
}

const BETWEEN_FORMATS: readonly Row[] = [
  [
    "fcvt.s.d",
    sharing((share) => {
      const value = share(DOUBLE.toDouble(FS1));
      return rounded(SINGLE, share, [], { value, isExact: (result) => equal(result, value), mayBeTiny: true });
    }),
  ],
  [
    "fcvt.d.s",
    sharing((share) => {
      const value = share(SINGLE.toDouble(FS1));
      return { guard: both(isDirty, isNearest, ...SINGLE.areHeld(FS1), equal(value, value)), result: { file: "f", value: DOUBLE.toRegister(value) } };
    }),
  ],
];

/** What registers of 64 bits add. */
const ONLY_64 = /^fcvt\.(lu?\.[sd]|[sd]\.lu?)|^fmv\.(x\.d|d\.x)/;

/** With `.rtz`: the rounding mode is in the instruction, and towards zero. All others are for the two modes of `isNearest`. */
export function describeFloat(width: RegisterWidth): ReadonlyMap<FloatName, Guarded> {
  const rows = [
    ...[SINGLE, DOUBLE].flatMap((format) => [...arithmetic(format), ...comparisons(format), ...conversions(format)]),
    ...BETWEEN_FORMATS,
    ...MOVES.map(([name, result]): Row => [name, { guard: isDirty, result }]),
  ];
  return new Map(rows.filter(([name]) => width === 64 || !ONLY_64.test(name)));
}
