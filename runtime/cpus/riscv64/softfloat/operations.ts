// The outside of the soft float: what each floating-point instruction that computes does, by its mnemonic in `isa/riscv64`, for a CPU to
// wire as data. Operands and results are whole 64-bit registers: binary32 numbers live in the low half under ones (NaN boxing, Volume I,
// 12.2), and every rule about that is applied here. Loads, stores and moves of bits are the CPU's own.

import { add, divide, multiply, multiplyAdd, sqrt, subtract } from "./arithmetic.ts";
import { classify, injectNegatedSign, injectSign, injectXoredSign, isEqual, isLess, isLessOrEqual, maximum, minimum } from "./compare.ts";
import { convertFormat, fromInteger, INT32, INT64, toInteger, UINT32, UINT64, type IntegerFormat } from "./convert.ts";
import { BINARY32, BINARY64, INEXACT, RNE, type FloatFormat, type FloatResult, type RoundingMode } from "./format.ts";
import * as host from "./host-arithmetic.ts";

export { RDN, RMM, RNE, RTZ, RUP, type FloatResult, type RoundingMode } from "./format.ts";

/** What a register holds: a number of one format (an f register), or an integer (an x register). */
export type Contents = "single" | "double" | "integer";

export interface FloatOperation {
  readonly operands: readonly Contents[];
  readonly result: Contents;
  /** The exact definition. Registers as unsigned 64-bit values; flags are those that the instruction raises. */
  readonly compute: (mode: RoundingMode, a: bigint, b: bigint, c: bigint) => FloatResult;
  /** The same, by the host's arithmetic where that is certain to agree. */
  readonly run: (mode: RoundingMode, a: bigint, b: bigint, c: bigint) => FloatResult;
}

const UPPER_ONES = 0xffff_ffff_0000_0000n;

export const boxSingle = (bits: bigint): bigint => UPPER_ONES | bits;

/** The binary32 number in a register, the canonical NaN if what is there is none. */
export function unboxSingle(register: bigint): bigint {
  return (register & UPPER_ONES) === UPPER_ONES ? register & 0xffff_ffffn : BINARY32.canonicalNan;
}

interface Precision {
  readonly contents: "single" | "double";
  readonly suffix: "s" | "d";
  readonly format: FloatFormat;
}

const SINGLE: Precision = { contents: "single", suffix: "s", format: BINARY32 };
const DOUBLE: Precision = { contents: "double", suffix: "d", format: BINARY64 };

const toBits = (contents: Contents, register: bigint): bigint => (contents === "single" ? unboxSingle(register) : register);

function toRegister(contents: Contents, result: FloatResult): FloatResult {
  return contents === "single" ? { bits: boxSingle(result.bits), flags: result.flags } : result;
}

type Compute = (mode: RoundingMode, a: bigint, b: bigint, c: bigint) => FloatResult;
type HostCompute = (a: number, b: number, c: number) => host.HostResult;

// The bits of a number, by way of memory.
const cells = new BigUint64Array(1);
const doubles = new Float64Array(cells.buffer);
const singleCells = new Uint32Array(1);
const singles = new Float32Array(singleCells.buffer);

/** Registers that hold no boxed single become NaN, which sends them to the exact path. */
function toNumber(contents: Contents, register: bigint): number {
  if (contents === "double") {
    cells[0] = register;
    return doubles[0]!;
  }
  if (register < UPPER_ONES) return NaN;
  singleCells[0] = Number(register & 0xffff_ffffn);
  return singles[0]!;
}

function fromNumber(contents: Contents, value: number): bigint {
  if (contents === "double") {
    doubles[0] = value;
    return cells[0]!;
  }
  singles[0] = value;
  return boxSingle(BigInt(singleCells[0]!));
}

/** The exact definition between registers. */
function defineExact(operands: readonly Contents[], result: Contents, exact: Compute): FloatOperation {
  const [first = "integer", second = "integer", third = "integer"] = operands;
  const compute: Compute = (mode, a, b, c) => toRegister(result, exact(mode, toBits(first, a), toBits(second, b), toBits(third, c)));
  return { operands, result, compute, run: compute };
}

function withHost(operation: FloatOperation, onHost: HostCompute): FloatOperation {
  const { operands, result, compute } = operation;
  const [first = "integer", second = "integer", third = "integer"] = operands;
  const arity = operands.length;
  return {
    ...operation,
    run(mode, a, b, c) {
      const found = onHost(toNumber(first, a), arity > 1 ? toNumber(second, b) : 0, arity > 2 ? toNumber(third, c) : 0);
      return isUsable(mode, found) ? fromHost(result, found) : compute(mode, a, b, c);
    },
  };
}

/** The sign of a zero depends on the mode; any other result that is exact in one mode is the result in all. */
function isUsable(mode: RoundingMode, found: host.HostResult): found is NonNullable<host.HostResult> {
  return found !== undefined && (mode === RNE || (found.isExact && found.value !== 0));
}

function fromHost(result: Contents, { value, isExact }: NonNullable<host.HostResult>): FloatResult {
  return { bits: fromNumber(result, value), flags: isExact ? 0 : INEXACT };
}

function defineToInteger({ contents, format }: Precision, integer: IntegerFormat): FloatOperation {
  const operation = defineExact([contents], "integer", (mode, a) => toInteger(format, integer, mode, a));
  return {
    ...operation,
    run(mode, a, b, c) {
      const found = host.toWhole(toNumber(contents, a), mode);
      if (found === undefined || (found.value < 0 && !integer.isSigned)) return operation.compute(mode, a, b, c);
      return { bits: BigInt.asUintN(64, BigInt(found.value)), flags: found.isExact ? 0 : INEXACT };
    },
  };
}

function defineFromInteger({ contents, format }: Precision, integer: IntegerFormat): FloatOperation {
  const operation = defineExact(["integer"], contents, (mode, a) => fromInteger(format, integer, mode, a));
  // To binary32 a double that is rounded already would be rounded once more, and doubles do not hold twice 64 bits.
  if (contents === "single") return operation;
  return {
    ...operation,
    run(mode, a, b, c) {
      const found = host.fromWhole(integer.isSigned ? BigInt.asIntN(integer.width, a) : BigInt.asUintN(integer.width, a));
      return isUsable(mode, found) ? fromHost(contents, found) : operation.compute(mode, a, b, c);
    },
  };
}

/** The operations that exist in each format alike, as rows `name, exact definition, on the host (binary32, binary64)`. */
type ArithmeticRow = readonly [name: string, arity: 1 | 2 | 3, exact: (format: FloatFormat) => Compute, single: HostCompute, double: HostCompute];

const ARITHMETIC: readonly ArithmeticRow[] = [
  ["fadd", 2, (f) => (mode, a, b) => add(f, mode, a, b), host.addSingles, host.addDoubles],
  ["fsub", 2, (f) => (mode, a, b) => subtract(f, mode, a, b), host.subtractSingles, host.subtractDoubles],
  ["fmul", 2, (f) => (mode, a, b) => multiply(f, mode, a, b), host.multiplySingles, host.multiplyDoubles],
  ["fdiv", 2, (f) => (mode, a, b) => divide(f, mode, a, b), host.divideSingles, host.divideDoubles],
  ["fsqrt", 1, (f) => (mode, a) => sqrt(f, mode, a), host.sqrtSingle, host.sqrtDouble],
  // The product is negated by negating a factor, which is exact (Volume I, 11.6).
  ["fmadd", 3, (f) => (mode, a, b, c) => multiplyAdd(f, mode, a, b, c), host.multiplyAddSingles, host.multiplyAddDoubles],
  [
    "fmsub",
    3,
    (f) => (mode, a, b, c) => multiplyAdd(f, mode, a, b, c ^ f.signBit),
    (a, b, c) => host.multiplyAddSingles(a, b, -c),
    (a, b, c) => host.multiplyAddDoubles(a, b, -c),
  ],
  [
    "fnmsub",
    3,
    (f) => (mode, a, b, c) => multiplyAdd(f, mode, a ^ f.signBit, b, c),
    (a, b, c) => host.multiplyAddSingles(-a, b, c),
    (a, b, c) => host.multiplyAddDoubles(-a, b, c),
  ],
  [
    "fnmadd",
    3,
    (f) => (mode, a, b, c) => multiplyAdd(f, mode, a ^ f.signBit, b, c ^ f.signBit),
    (a, b, c) => host.multiplyAddSingles(-a, b, -c),
    (a, b, c) => host.multiplyAddDoubles(-a, b, -c),
  ],
];

type PairRow = readonly [name: string, compute: (format: FloatFormat, a: bigint, b: bigint) => FloatResult, result: "number" | "integer"];

const PAIRS: readonly PairRow[] = [
  ["fmin", minimum, "number"],
  ["fmax", maximum, "number"],
  ["fsgnj", injectSign, "number"],
  ["fsgnjn", injectNegatedSign, "number"],
  ["fsgnjx", injectXoredSign, "number"],
  ["feq", isEqual, "integer"],
  ["flt", isLess, "integer"],
  ["fle", isLessOrEqual, "integer"],
];

const INTEGERS: readonly (readonly [suffix: string, format: IntegerFormat])[] = [
  ["w", INT32],
  ["wu", UINT32],
  ["l", INT64],
  ["lu", UINT64],
];

function* operationsOf(precision: Precision): Generator<readonly [string, FloatOperation]> {
  const { contents, suffix, format } = precision;
  for (const [name, arity, exact, single, double] of ARITHMETIC) {
    const operands = Array.from({ length: arity }, () => contents);
    yield [`${name}.${suffix}`, withHost(defineExact(operands, contents, exact(format)), contents === "single" ? single : double)];
  }
  for (const [name, compute, result] of PAIRS) {
    yield [`${name}.${suffix}`, defineExact([contents, contents], result === "number" ? contents : "integer", (_mode, a, b) => compute(format, a, b))];
  }
  for (const [name, integer] of INTEGERS) {
    yield [`fcvt.${name}.${suffix}`, defineToInteger(precision, integer)];
    yield [`fcvt.${suffix}.${name}`, defineFromInteger(precision, integer)];
  }
  yield [`fclass.${suffix}`, defineExact([contents], "integer", (_mode, a) => classify(format, a))];
}

/** By mnemonic. RV32 has the same ones but for `l` and `lu`, and takes the low half of integers. */
export const FLOAT_OPERATIONS: ReadonlyMap<string, FloatOperation> = new Map([
  ...operationsOf(SINGLE),
  ...operationsOf(DOUBLE),
  [
    "fcvt.s.d",
    withHost(
      defineExact(["double"], "single", (mode, a) => convertFormat(BINARY64, BINARY32, mode, a)),
      host.singleOfDouble,
    ),
  ],
  ["fcvt.d.s", defineExact(["single"], "double", (mode, a) => convertFormat(BINARY32, BINARY64, mode, a))],
]);
