// What the integer instructions compute: rd from rs1, rs2, imm and pc. Manual: RISC-V Instruction Set Manual Volume I, 20191213,
// chapters 2, 5 and 7 (I, M); Bit-Manipulation ISA-extensions 1.0.0, 2 (Zba, Zbb, Zbs); Volume I, 20240411, "Zicond".
// Parametrised by the width of the registers: RV32 has the rows that RV64 does not add, with the same meaning.

import type { RegisterWidth } from "../../../../isa/riscv64/by-width.ts";
import type { Mnemonic } from "../../../../isa/riscv64/instructions.ts";
import { I32, I64, type ValueType } from "../../wasm/encoder.ts";
import { binary, bind, choose, constant, leaf, unary, type BinaryName, type Expression, type UnaryName } from "./expressions.ts";

export type Computations = ReadonlyMap<Mnemonic, Expression>;

type Two = (a: Expression, b: Expression) => Expression;
type One = (a: Expression) => Expression;

/** The operations of one width, by short names. */
function operationsOf(width: 32 | 64) {
  const type: ValueType = width === 64 ? I64 : I32;
  const two =
    (name: string): Two =>
    (a, b) =>
      binary(`${width === 64 ? "i64" : "i32"}_${name}` as BinaryName, a, b);
  const one =
    (name: string): One =>
    (a) =>
      unary(`${width === 64 ? "i64" : "i32"}_${name}` as UnaryName, a);
  const number = (value: bigint | number): Expression => constant(value, type);
  const not: One = (a) => two("xor")(a, number(-1));
  return {
    type,
    number,
    not,
    add: two("add"),
    sub: two("sub"),
    mul: two("mul"),
    divS: two("div_s"),
    divU: two("div_u"),
    remS: two("rem_s"),
    remU: two("rem_u"),
    and: two("and"),
    or: two("or"),
    xor: two("xor"),
    shl: two("shl"),
    shrS: two("shr_s"),
    shrU: two("shr_u"),
    rotl: two("rotl"),
    rotr: two("rotr"),
    eq: two("eq"),
    ltS: two("lt_s"),
    ltU: two("lt_u"),
    eqz: one("eqz"),
    clz: one("clz"),
    ctz: one("ctz"),
    popcnt: one("popcnt"),
  };
}

type Operations = ReturnType<typeof operationsOf>;

/** Division that never traps: by 0 gives all ones, and the one that overflows gives the dividend (Volume I, 7.2). */
function division(o: Operations, width: number, signed: boolean): Two {
  const lowest = o.number(-(1n << BigInt(width - 1)));
  if (!signed) return (a, b) => choose(o.eqz(b), o.number(-1), o.divU(a, b));
  return (a, b) => choose(o.eqz(b), o.number(-1), choose(both(o.eq(a, lowest), o.eq(b, o.number(-1))), lowest, o.divS(a, b)));
}

/** WebAssembly's signed remainder gives 0 where RISC-V wants it (the lowest number by -1), and traps by 0 only. */
function remainder(o: Operations, signed: boolean): Two {
  return (a, b) => choose(o.eqz(b), a, signed ? o.remS(a, b) : o.remU(a, b));
}

const both = (a: Expression, b: Expression): Expression => binary("i32_and", a, b);

/** The upper half of the unsigned product, by the four products of the halves. */
function highProduct(o: Operations, width: number): Two {
  const half = o.number(width / 2);
  const mask = o.number((1n << BigInt(width / 2)) - 1n);
  const low: One = (a) => o.and(a, mask);
  const high: One = (a) => o.shrU(a, half);
  return (a, b) =>
    bind(o.mul(high(a), low(b)), (hl) =>
      bind(o.add(o.shrU(o.mul(low(a), low(b)), half), low(hl)), (carry) =>
        bind(o.add(o.mul(low(a), high(b)), carry), (middle) => o.add(o.add(o.mul(high(a), high(b)), high(hl)), high(middle))),
      ),
    );
}

/** From the unsigned high product: minus the other operand for each operand that is signed and negative. */
function signedHighProduct(o: Operations, width: number, isSecondSigned: boolean): Two {
  const high = highProduct(o, width);
  const correction: Two = (a, b) => o.and(o.shrS(a, o.number(width - 1)), b);
  return (a, b) => {
    const first = o.sub(high(a, b), correction(a, b));
    return isSecondSigned ? o.sub(first, correction(b, a)) : first;
  };
}

/** 0xff for every byte that is not zero: a carry into bit 7 of each byte, which never leaves it, tells of its lower bits. */
function orCombine(o: Operations, width: number): One {
  const repeat = (byte: number): Expression =>
    o.number(
      BigInt(
        `0x${byte
          .toString(16)
          .padStart(2, "0")
          .repeat(width / 8)}`,
      ),
    );
  return (a) => bind(o.and(o.shrU(o.or(a, o.add(o.and(a, repeat(0x7f)), repeat(0x7f))), o.number(7)), repeat(1)), (set) => o.mul(set, o.number(0xff)));
}

/** Halves, bytes within them, and so on change places. */
function reverseBytes(o: Operations, width: number): One {
  const swap =
    (distance: number): One =>
    (a) => {
      const unit = `${"00".repeat(distance / 8)}${"ff".repeat(distance / 8)}`;
      const mask = o.number(BigInt(`0x${unit.repeat(width / (2 * distance))}`));
      return bind(a, (value) => o.or(o.and(o.shrU(value, o.number(distance)), mask), o.shl(o.and(value, mask), o.number(distance))));
    };
  const inWord: One = (a) => swap(16)(swap(8)(a));
  return width === 64 ? (a) => o.rotl(inWord(a), o.number(32)) : inWord;
}

const IMMEDIATE_FORMS: readonly (readonly [Mnemonic, Mnemonic])[] = [
  ["addi", "add"],
  ["slti", "slt"],
  ["sltiu", "sltu"],
  ["xori", "xor"],
  ["ori", "or"],
  ["andi", "and"],
  ["slli", "sll"],
  ["srli", "srl"],
  ["srai", "sra"],
  ["addiw", "addw"],
  ["slliw", "sllw"],
  ["srliw", "srlw"],
  ["sraiw", "sraw"],
  ["rori", "ror"],
  ["roriw", "rorw"],
  ["bclri", "bclr"],
  ["bexti", "bext"],
  ["binvi", "binv"],
  ["bseti", "bset"],
];

export function describeInteger(width: RegisterWidth): Computations {
  const o = operationsOf(width);
  const rs1 = leaf("rs1", o.type);
  const rs2 = leaf("rs2", o.type);
  const imm = leaf("imm", o.type);
  /** A comparison's 0 or 1 in a register. */
  const flag: One = (a) => (width === 64 ? unary("i64_extend_i32_u", a) : a);
  const min =
    (isLess: Two): Two =>
    (a, b) =>
      choose(isLess(a, b), a, b);
  const bit: One = (index) => o.shl(o.number(1), index);

  const two: Partial<Record<Mnemonic, Two>> = {
    add: o.add,
    sub: o.sub,
    sll: o.shl,
    slt: (a, b) => flag(o.ltS(a, b)),
    sltu: (a, b) => flag(o.ltU(a, b)),
    xor: o.xor,
    srl: o.shrU,
    sra: o.shrS,
    or: o.or,
    and: o.and,
    mul: o.mul,
    mulh: signedHighProduct(o, width, true),
    mulhsu: signedHighProduct(o, width, false),
    mulhu: highProduct(o, width),
    div: division(o, width, true),
    divu: division(o, width, false),
    rem: remainder(o, true),
    remu: remainder(o, false),
    sh1add: (a, b) => o.add(o.shl(a, o.number(1)), b),
    sh2add: (a, b) => o.add(o.shl(a, o.number(2)), b),
    sh3add: (a, b) => o.add(o.shl(a, o.number(3)), b),
    andn: (a, b) => o.and(a, o.not(b)),
    orn: (a, b) => o.or(a, o.not(b)),
    xnor: (a, b) => o.not(o.xor(a, b)),
    min: min(o.ltS),
    minu: min(o.ltU),
    max: (a, b) => choose(o.ltS(a, b), b, a),
    maxu: (a, b) => choose(o.ltU(a, b), b, a),
    rol: o.rotl,
    ror: o.rotr,
    bclr: (a, b) => o.and(a, o.not(bit(b))),
    bext: (a, b) => o.and(o.shrU(a, b), o.number(1)),
    binv: (a, b) => o.xor(a, bit(b)),
    bset: (a, b) => o.or(a, bit(b)),
    "czero.eqz": (a, b) => choose(o.eqz(b), o.number(0), a),
    "czero.nez": (a, b) => choose(o.eqz(b), a, o.number(0)),
  };
  const one: Partial<Record<Mnemonic, One>> = {
    clz: o.clz,
    ctz: o.ctz,
    cpop: o.popcnt,
    "sext.b": unaryOf(width, "extend8_s"),
    "sext.h": unaryOf(width, "extend16_s"),
    "zext.h": (a) => o.and(a, o.number(0xffff)),
    "orc.b": orCombine(o, width),
    rev8: reverseBytes(o, width),
  };
  const upper = o.shl(imm, o.number(12));
  const rows = new Map<Mnemonic, Expression>([
    ["lui", upper],
    ["auipc", o.add(leaf("pc", o.type), upper)],
  ]);
  if (width === 64) addWordForms(o, two, one);
  for (const [mnemonic, meaning] of entries(two)) rows.set(mnemonic, meaning(rs1, rs2));
  for (const [mnemonic, meaning] of entries(one)) rows.set(mnemonic, meaning(rs1));
  for (const [mnemonic, of] of IMMEDIATE_FORMS) {
    const meaning = two[of];
    if (meaning !== undefined) rows.set(mnemonic, meaning(rs1, imm));
  }
  if (width === 64) rows.set("slli.uw", o.shl(o.and(rs1, o.number(0xffff_ffff)), imm));
  return rows;
}

function unaryOf(width: RegisterWidth, name: "extend8_s" | "extend16_s"): One {
  return (a) => unary(width === 64 ? `i64_${name}` : `i32_${name}`, a);
}

function entries<T>(table: Readonly<Partial<Record<Mnemonic, T>>>): readonly (readonly [Mnemonic, T])[] {
  return Object.entries(table) as readonly (readonly [Mnemonic, T])[];
}

/** RV64's own: 32-bit operations whose results are sign-extended, and those that zero-extend rs1. */
function addWordForms(o: Operations, two: Partial<Record<Mnemonic, Two>>, one: Partial<Record<Mnemonic, One>>): void {
  const w = operationsOf(32);
  const low: One = (a) => unary("i32_wrap_i64", a);
  const extend: One = (a) => unary("i64_extend_i32_s", a);
  const word =
    (meaning: Two): Two =>
    (a, b) =>
      extend(meaning(low(a), low(b)));
  const unsignedWord: One = (a) => o.and(a, o.number(0xffff_ffff));
  /** Operands that are computed are used once each, so that 32-bit halves need no names; divisions use theirs several times. */
  const named =
    (meaning: Two): Two =>
    (a, b) =>
      extend(bind(low(a), (x) => bind(low(b), (y) => meaning(x, y))));
  Object.assign(two, {
    addw: word(w.add),
    subw: word(w.sub),
    sllw: word(w.shl),
    srlw: word(w.shrU),
    sraw: word(w.shrS),
    mulw: word(w.mul),
    divw: named(division(w, 32, true)),
    divuw: named(division(w, 32, false)),
    remw: named(remainder(w, true)),
    remuw: named(remainder(w, false)),
    rolw: word(w.rotl),
    rorw: word(w.rotr),
    "add.uw": (a, b) => o.add(unsignedWord(a), b),
    "sh1add.uw": (a, b) => o.add(o.shl(unsignedWord(a), o.number(1)), b),
    "sh2add.uw": (a, b) => o.add(o.shl(unsignedWord(a), o.number(2)), b),
    "sh3add.uw": (a, b) => o.add(o.shl(unsignedWord(a), o.number(3)), b),
  } satisfies Partial<Record<Mnemonic, Two>>);
  Object.assign(one, {
    clzw: (a) => unary("i64_extend_i32_u", w.clz(low(a))),
    ctzw: (a) => unary("i64_extend_i32_u", w.ctz(low(a))),
    cpopw: (a) => unary("i64_extend_i32_u", w.popcnt(low(a))),
  } satisfies Partial<Record<Mnemonic, One>>);
}
