// The instruction table of A64: one row a form of an instruction, and everything that knows an encoding reads it (encode.ts,
// decode.ts, assemble.ts, disassemble.ts). `match` gives the fixed bits; the mask follows from the format, since every bit that no
// operand takes is fixed. Mnemonics have several forms, so every row has a name: the mnemonic, what distinguishes the form (`imm`,
// `shifted`, `ext`, `pre`), and the width of the register where the table has the form for several (`add-imm-x`, `ldr-post-d`).
//
// Here: the integer instructions of Armv8.0 with the system instructions of EL0 to EL3, LSE atomics, RCpc loads, CRC32, SB, and
// of floating point what tests and the saving of its registers need: scalar single and double precision, loads and stores of all
// widths, MOVI of zero, CNT and ADDV (a population count). Left out: the rest of SIMD, half precision but for its conversions, SVE,
// SME, pointer authentication (but for its hints), MTE, LDGM and its like, LORegion ordering, flag manipulation, WFET, TME.
// Encodings: Arm Architecture Reference Manual DDI 0487 (I.a), C4.1 (encoding index), C6.2 (base), C7.2 (floating point).

import { FORMATS, parseSyntax } from "./formats.ts";
import type { BitPiece, Format, FormatName, NamesOf, OperandKind, Shape, ShapeKind, SyntaxPart } from "./formats.ts";
import type { RegisterKind } from "./registers.ts";
import { REGISTER_KINDS } from "./registers.ts";

export type Feature = "base" | "fp" | "lse" | "rcpc" | "crc32" | "sb";

interface Row<Name extends string, F extends FormatName> {
  readonly name: Name;
  readonly mnemonic: string;
  readonly format: F;
  readonly match: number;
  /** What the format's `r` and `g` are. */
  readonly r?: RegisterKind;
  readonly g?: RegisterKind;
  /** Logarithm of the datum's size. */
  readonly scale?: number;
}

type Sizes = Pick<Row<string, FormatName>, "r" | "g" | "scale">;

const row = <Name extends string, F extends FormatName>(name: Name, mnemonic: string, format: F, match: number, sizes: Sizes = {}): Row<Name, F> => ({
  name,
  mnemonic,
  format,
  match,
  ...sizes,
});

/** Bit 31, `sf`: the 64-bit form. */
const SF = 0x8000_0000;
/** Bit 22, N: set in the 64-bit forms of bitfield moves and EXTR. */
const SF_N = SF | (1 << 22);

/** The 32-bit and the 64-bit form. */
const wx = <Name extends string, F extends FormatName>(name: Name, mnemonic: string, format: F, match: number, forX = SF) => [
  row<`${Name}-w`, F>(`${name}-w`, mnemonic, format, match, { r: "w" }),
  row<`${Name}-x`, F>(`${name}-x`, mnemonic, format, match | forX, { r: "x" }),
];

const logical = <Name extends string>(name: Name, match: number) => wx(`${name}-shifted`, name, "logical-shifted", match);

/** The base of addition or subtraction by immediate, and bits of its two other forms. */
const SHIFTED = 0x0a00_0000;
const EXTENDED = 0x0a20_0000;

const addition = <Name extends "add" | "sub">(name: Name, match: number) => [
  ...wx(`${name}-imm`, name, "add-imm", match),
  ...wx(`${name}-shifted`, name, "add-shifted", match ^ (0x1000_0000 | SHIFTED)),
  row<`${Name}-ext-w`, "add-ext-w">(`${name}-ext-w`, name, "add-ext-w", match ^ (0x1000_0000 | EXTENDED), { r: "w" }),
  row<`${Name}-ext-x`, "add-ext-x">(`${name}-ext-x`, name, "add-ext-x", (match ^ (0x1000_0000 | EXTENDED)) | SF, { r: "x" }),
  row<`${Name}-ext64-x`, "add-ext64-x">(`${name}-ext64-x`, name, "add-ext64-x", (match ^ (0x1000_0000 | EXTENDED)) | SF, { r: "x" }),
];

const additionWithFlags = <Name extends "adds" | "subs">(name: Name, match: number) => [
  ...wx(`${name}-imm`, name, "adds-imm", match),
  ...wx(`${name}-shifted`, name, "add-shifted", match ^ (0x1000_0000 | SHIFTED)),
  row<`${Name}-ext-w`, "adds-ext-w">(`${name}-ext-w`, name, "adds-ext-w", match ^ (0x1000_0000 | EXTENDED), { r: "w" }),
  row<`${Name}-ext-x`, "adds-ext-x">(`${name}-ext-x`, name, "adds-ext-x", (match ^ (0x1000_0000 | EXTENDED)) | SF, { r: "x" }),
  row<`${Name}-ext64-x`, "adds-ext64-x">(`${name}-ext64-x`, name, "adds-ext64-x", (match ^ (0x1000_0000 | EXTENDED)) | SF, { r: "x" }),
];

const DATA_PROCESSING = [
  row("adr", "adr", "adr", 0x1000_0000),
  row("adrp", "adrp", "adrp", 0x9000_0000),
  ...addition("add", 0x1100_0000),
  ...additionWithFlags("adds", 0x3100_0000),
  ...addition("sub", 0x5100_0000),
  ...additionWithFlags("subs", 0x7100_0000),
  ...wx("and-imm", "and", "logical-imm", 0x1200_0000),
  ...wx("orr-imm", "orr", "logical-imm", 0x3200_0000),
  ...wx("eor-imm", "eor", "logical-imm", 0x5200_0000),
  ...wx("ands-imm", "ands", "ands-imm", 0x7200_0000),
  ...logical("and", 0x0a00_0000),
  ...logical("bic", 0x0a20_0000),
  ...logical("orr", 0x2a00_0000),
  ...logical("orn", 0x2a20_0000),
  ...logical("eor", 0x4a00_0000),
  ...logical("eon", 0x4a20_0000),
  ...logical("ands", 0x6a00_0000),
  ...logical("bics", 0x6a20_0000),
  ...wx("movn", "movn", "move-wide", 0x1280_0000),
  ...wx("movz", "movz", "move-wide", 0x5280_0000),
  ...wx("movk", "movk", "move-wide", 0x7280_0000),
  ...wx("sbfm", "sbfm", "bitfield", 0x1300_0000, SF_N),
  ...wx("bfm", "bfm", "bitfield", 0x3300_0000, SF_N),
  ...wx("ubfm", "ubfm", "bitfield", 0x5300_0000, SF_N),
  ...wx("extr", "extr", "extract", 0x1380_0000, SF_N),

  ...wx("adc", "adc", "rd-rn-rm", 0x1a00_0000),
  ...wx("adcs", "adcs", "rd-rn-rm", 0x3a00_0000),
  ...wx("sbc", "sbc", "rd-rn-rm", 0x5a00_0000),
  ...wx("sbcs", "sbcs", "rd-rn-rm", 0x7a00_0000),
  ...wx("ccmn-reg", "ccmn", "compare-reg", 0x3a40_0000),
  ...wx("ccmp-reg", "ccmp", "compare-reg", 0x7a40_0000),
  ...wx("ccmn-imm", "ccmn", "compare-imm", 0x3a40_0800),
  ...wx("ccmp-imm", "ccmp", "compare-imm", 0x7a40_0800),
  ...wx("csel", "csel", "select", 0x1a80_0000),
  ...wx("csinc", "csinc", "select", 0x1a80_0400),
  ...wx("csinv", "csinv", "select", 0x5a80_0000),
  ...wx("csneg", "csneg", "select", 0x5a80_0400),

  ...wx("rbit", "rbit", "rd-rn", 0x5ac0_0000),
  ...wx("rev16", "rev16", "rd-rn", 0x5ac0_0400),
  row("rev-w", "rev", "rd-rn", 0x5ac0_0800, { r: "w" }),
  row("rev32-x", "rev32", "rd-rn", 0xdac0_0800, { r: "x" }),
  row("rev-x", "rev", "rd-rn", 0xdac0_0c00, { r: "x" }),
  ...wx("clz", "clz", "rd-rn", 0x5ac0_1000),
  ...wx("cls", "cls", "rd-rn", 0x5ac0_1400),
  ...wx("udiv", "udiv", "rd-rn-rm", 0x1ac0_0800),
  ...wx("sdiv", "sdiv", "rd-rn-rm", 0x1ac0_0c00),
  ...wx("lslv", "lslv", "rd-rn-rm", 0x1ac0_2000),
  ...wx("lsrv", "lsrv", "rd-rn-rm", 0x1ac0_2400),
  ...wx("asrv", "asrv", "rd-rn-rm", 0x1ac0_2800),
  ...wx("rorv", "rorv", "rd-rn-rm", 0x1ac0_2c00),
  ...wx("madd", "madd", "rd-rn-rm-ra", 0x1b00_0000),
  ...wx("msub", "msub", "rd-rn-rm-ra", 0x1b00_8000),
  row("smaddl", "smaddl", "multiply-long", 0x9b20_0000),
  row("smsubl", "smsubl", "multiply-long", 0x9b20_8000),
  row("umaddl", "umaddl", "multiply-long", 0x9ba0_0000),
  row("umsubl", "umsubl", "multiply-long", 0x9ba0_8000),
  row("smulh", "smulh", "multiply-high", 0x9b40_7c00),
  row("umulh", "umulh", "multiply-high", 0x9bc0_7c00),
];

const BRANCHES_AND_SYSTEM = [
  row("b", "b", "branch", 0x1400_0000),
  row("bl", "bl", "branch", 0x9400_0000),
  row("b-cond", "b.", "branch-condition", 0x5400_0000),
  ...wx("cbz", "cbz", "branch-zero", 0x3400_0000),
  ...wx("cbnz", "cbnz", "branch-zero", 0x3500_0000),
  row("tbz-w", "tbz", "branch-bit-w", 0x3600_0000),
  row("tbz-x", "tbz", "branch-bit-x", 0x3600_0000),
  row("tbnz-w", "tbnz", "branch-bit-w", 0x3700_0000),
  row("tbnz-x", "tbnz", "branch-bit-x", 0x3700_0000),
  row("br", "br", "register", 0xd61f_0000),
  row("blr", "blr", "register", 0xd63f_0000),
  row("ret", "ret", "return", 0xd65f_0000),
  row("eret", "eret", "none", 0xd69f_03e0),
  row("drps", "drps", "none", 0xd6bf_03e0),

  row("udf", "udf", "udf", 0x0000_0000),
  row("svc", "svc", "exception", 0xd400_0001),
  row("hvc", "hvc", "exception", 0xd400_0002),
  row("smc", "smc", "exception", 0xd400_0003),
  row("brk", "brk", "exception", 0xd420_0000),
  row("hlt", "hlt", "exception", 0xd440_0000),
  row("dcps1", "dcps1", "debug-exception", 0xd4a0_0001),
  row("dcps2", "dcps2", "debug-exception", 0xd4a0_0002),
  row("dcps3", "dcps3", "debug-exception", 0xd4a0_0003),

  row("hint", "hint", "hint", 0xd503_201f),
  row("clrex", "clrex", "clrex", 0xd503_305f),
  row("dsb", "dsb", "barrier", 0xd503_309f),
  row("dmb", "dmb", "barrier", 0xd503_30bf),
  row("isb", "isb", "isb", 0xd503_30df),
  row("msr-imm", "msr", "msr-imm", 0xd500_401f),
  row("msr-bit", "msr", "msr-bit", 0xd500_401f),
  row("msr", "msr", "msr", 0xd500_0000),
  row("mrs", "mrs", "mrs", 0xd520_0000),
  row("sys", "sys", "sys", 0xd508_0000),
  row("sysl", "sysl", "sysl", 0xd528_0000),
];

/** Loads and stores of one register (C4.1, "Loads and Stores"): bits 31:22 of the forms, and what makes them unscaled, pre- and post-indexed, by register. */
const memory = <Name extends string, Unscaled extends string, R extends RegisterKind>(name: Name, unscaled: Unscaled, r: R, scale: number, match: number) => [
  row<`${Name}-imm-${R}`, "ls-imm">(`${name}-imm-${r}`, name, "ls-imm", match | 0x0100_0000, { r, scale }),
  row<`${Unscaled}-${R}`, "ls-unscaled">(`${unscaled}-${r}`, unscaled, "ls-unscaled", match, { r }),
  row<`${Name}-post-${R}`, "ls-post">(`${name}-post-${r}`, name, "ls-post", match | 0x0400, { r }),
  row<`${Name}-pre-${R}`, "ls-pre">(`${name}-pre-${r}`, name, "ls-pre", match | 0x0c00, { r }),
  row<`${Name}-reg-${R}`, "ls-reg">(`${name}-reg-${r}`, name, "ls-reg", match | 0x0020_0800, { r, scale }),
  row<`${Name}-ext-${R}`, "ls-ext">(`${name}-ext-${r}`, name, "ls-ext", match | 0x0020_0800, { r, scale }),
];

const pair = <Name extends string, R extends RegisterKind>(name: Name, r: R, scale: number, match: number) => [
  row<`${Name}-imm-${R}`, "pair-imm">(`${name}-imm-${r}`, name, "pair-imm", match | 0x0100_0000, { r, scale }),
  row<`${Name}-post-${R}`, "pair-post">(`${name}-post-${r}`, name, "pair-post", match | 0x0080_0000, { r, scale }),
  row<`${Name}-pre-${R}`, "pair-pre">(`${name}-pre-${r}`, name, "pair-pre", match | 0x0180_0000, { r, scale }),
];

/** The same of a byte, a halfword, a word and a doubleword; bits 31:30 are the size. */
const ofAllSizes = <Name extends string, F extends FormatName>(name: Name, format: F, match: number) => [
  row<`${Name}b-w`, F>(`${name}b-w`, `${name}b`, format, match, { r: "w" }),
  row<`${Name}h-w`, F>(`${name}h-w`, `${name}h`, format, match | 0x4000_0000, { r: "w" }),
  row<`${Name}-w`, F>(`${name}-w`, name, format, match | 0x8000_0000, { r: "w" }),
  row<`${Name}-x`, F>(`${name}-x`, name, format, match | 0xc000_0000, { r: "x" }),
];

const exclusivePair = <Name extends string, F extends FormatName>(name: Name, format: F, match: number) => wx(name, name, format, match, 0x4000_0000);

const LOADS_AND_STORES = [
  ...memory("strb", "sturb", "w", 0, 0x3800_0000),
  ...memory("ldrb", "ldurb", "w", 0, 0x3840_0000),
  ...memory("ldrsb", "ldursb", "x", 0, 0x3880_0000),
  ...memory("ldrsb", "ldursb", "w", 0, 0x38c0_0000),
  ...memory("strh", "sturh", "w", 1, 0x7800_0000),
  ...memory("ldrh", "ldurh", "w", 1, 0x7840_0000),
  ...memory("ldrsh", "ldursh", "x", 1, 0x7880_0000),
  ...memory("ldrsh", "ldursh", "w", 1, 0x78c0_0000),
  ...memory("str", "stur", "w", 2, 0xb800_0000),
  ...memory("ldr", "ldur", "w", 2, 0xb840_0000),
  ...memory("ldrsw", "ldursw", "x", 2, 0xb880_0000),
  ...memory("str", "stur", "x", 3, 0xf800_0000),
  ...memory("ldr", "ldur", "x", 3, 0xf840_0000),
  row("sttrb-w", "sttrb", "ls-unscaled", 0x3800_0800, { r: "w" }),
  row("ldtrb-w", "ldtrb", "ls-unscaled", 0x3840_0800, { r: "w" }),
  row("ldtrsb-x", "ldtrsb", "ls-unscaled", 0x3880_0800, { r: "x" }),
  row("ldtrsb-w", "ldtrsb", "ls-unscaled", 0x38c0_0800, { r: "w" }),
  row("sttrh-w", "sttrh", "ls-unscaled", 0x7800_0800, { r: "w" }),
  row("ldtrh-w", "ldtrh", "ls-unscaled", 0x7840_0800, { r: "w" }),
  row("ldtrsh-x", "ldtrsh", "ls-unscaled", 0x7880_0800, { r: "x" }),
  row("ldtrsh-w", "ldtrsh", "ls-unscaled", 0x78c0_0800, { r: "w" }),
  row("sttr-w", "sttr", "ls-unscaled", 0xb800_0800, { r: "w" }),
  row("ldtr-w", "ldtr", "ls-unscaled", 0xb840_0800, { r: "w" }),
  row("ldtrsw-x", "ldtrsw", "ls-unscaled", 0xb880_0800, { r: "x" }),
  row("sttr-x", "sttr", "ls-unscaled", 0xf800_0800, { r: "x" }),
  row("ldtr-x", "ldtr", "ls-unscaled", 0xf840_0800, { r: "x" }),
  row("ldr-literal-w", "ldr", "ls-literal", 0x1800_0000, { r: "w" }),
  row("ldr-literal-x", "ldr", "ls-literal", 0x5800_0000, { r: "x" }),
  row("ldrsw-literal-x", "ldrsw", "ls-literal", 0x9800_0000, { r: "x" }),
  row("prfm-imm", "prfm", "prefetch-imm", 0xf980_0000, { scale: 3 }),
  row("prfum", "prfum", "prefetch-unscaled", 0xf880_0000),
  row("prfm-reg", "prfm", "prefetch-reg", 0xf8a0_0800, { scale: 3 }),
  row("prfm-ext", "prfm", "prefetch-ext", 0xf8a0_0800, { scale: 3 }),
  row("prfm-literal", "prfm", "prefetch-literal", 0xd800_0000),

  ...pair("stp", "w", 2, 0x2800_0000),
  ...pair("ldp", "w", 2, 0x2840_0000),
  ...pair("ldpsw", "x", 2, 0x6840_0000),
  ...pair("stp", "x", 3, 0xa800_0000),
  ...pair("ldp", "x", 3, 0xa840_0000),
  row("stnp-w", "stnp", "pair-imm", 0x2800_0000, { r: "w", scale: 2 }),
  row("ldnp-w", "ldnp", "pair-imm", 0x2840_0000, { r: "w", scale: 2 }),
  row("stnp-x", "stnp", "pair-imm", 0xa800_0000, { r: "x", scale: 3 }),
  row("ldnp-x", "ldnp", "pair-imm", 0xa840_0000, { r: "x", scale: 3 }),

  ...ofAllSizes("stxr", "store-exclusive", 0x0800_7c00),
  ...ofAllSizes("stlxr", "store-exclusive", 0x0800_fc00),
  ...ofAllSizes("ldxr", "ls-base", 0x085f_7c00),
  ...ofAllSizes("ldaxr", "ls-base", 0x085f_fc00),
  ...ofAllSizes("stlr", "ls-base", 0x089f_fc00),
  ...ofAllSizes("ldar", "ls-base", 0x08df_fc00),
  ...exclusivePair("stxp", "store-exclusive-pair", 0x8820_0000),
  ...exclusivePair("stlxp", "store-exclusive-pair", 0x8820_8000),
  ...exclusivePair("ldxp", "pair-base", 0x887f_0000),
  ...exclusivePair("ldaxp", "pair-base", 0x887f_8000),
];

const MEMORY_ORDERS = [
  { order: "", acquires: false, releases: false },
  { order: "a", acquires: true, releases: false },
  { order: "l", acquires: false, releases: true },
  { order: "al", acquires: true, releases: true },
] as const;
type MemoryOrder = (typeof MEMORY_ORDERS)[number]["order"];

/** In all orders and sizes; `acquire` and `release` are bits of the word. */
function atomic<Name extends string>(name: Name, match: number, acquire: number, release: number) {
  return MEMORY_ORDERS.flatMap(({ order, acquires, releases }) =>
    ofAllSizes<`${Name}${MemoryOrder}`, "atomic">(`${name}${order}`, "atomic", match | (acquires ? acquire : 0) | (releases ? release : 0)),
  );
}

/** Atomic memory operations: A is bit 23, R bit 22. */
const readModifyWrite = <Name extends string>(name: Name, match: number) => atomic(name, match, 1 << 23, 1 << 22);

const LSE = [
  ...readModifyWrite("ldadd", 0x3820_0000),
  ...readModifyWrite("ldclr", 0x3820_1000),
  ...readModifyWrite("ldeor", 0x3820_2000),
  ...readModifyWrite("ldset", 0x3820_3000),
  ...readModifyWrite("ldsmax", 0x3820_4000),
  ...readModifyWrite("ldsmin", 0x3820_5000),
  ...readModifyWrite("ldumax", 0x3820_6000),
  ...readModifyWrite("ldumin", 0x3820_7000),
  ...readModifyWrite("swp", 0x3820_8000),
  ...atomic("cas", 0x08a0_7c00, 1 << 22, 1 << 15),
  ...exclusivePair("casp", "compare-swap-pair", 0x0820_7c00),
  ...exclusivePair("caspa", "compare-swap-pair", 0x0860_7c00),
  ...exclusivePair("caspl", "compare-swap-pair", 0x0820_fc00),
  ...exclusivePair("caspal", "compare-swap-pair", 0x0860_fc00),
];

const RCPC = ofAllSizes("ldapr", "ls-base", 0x38bf_c000);

const SB = [row("sb", "sb", "none", 0xd503_30ff)];

const CRC32 = [
  row("crc32b", "crc32b", "crc", 0x1ac0_4000, { r: "w" }),
  row("crc32h", "crc32h", "crc", 0x1ac0_4400, { r: "w" }),
  row("crc32w", "crc32w", "crc", 0x1ac0_4800, { r: "w" }),
  row("crc32x", "crc32x", "crc", 0x9ac0_4c00, { r: "x" }),
  row("crc32cb", "crc32cb", "crc", 0x1ac0_5000, { r: "w" }),
  row("crc32ch", "crc32ch", "crc", 0x1ac0_5400, { r: "w" }),
  row("crc32cw", "crc32cw", "crc", 0x1ac0_5800, { r: "w" }),
  row("crc32cx", "crc32cx", "crc", 0x9ac0_5c00, { r: "x" }),
];

/** Bits 23:22 of floating-point data processing. */
const DOUBLE = 1 << 22;
const HALF = 3 << 22;

const sd = <Name extends string, F extends FormatName>(name: Name, mnemonic: string, format: F, match: number) => [
  row<`${Name}-s`, F>(`${name}-s`, mnemonic, format, match, { r: "s" }),
  row<`${Name}-d`, F>(`${name}-d`, mnemonic, format, match | DOUBLE, { r: "d" }),
];

/** Between integers and floating point; the name's suffix is destination, source. */
const toInteger = <Name extends string>(name: Name, match: number) => [
  row<`${Name}-w-s`, "convert">(`${name}-w-s`, name, "convert", match, { r: "w", g: "s" }),
  row<`${Name}-w-d`, "convert">(`${name}-w-d`, name, "convert", match | DOUBLE, { r: "w", g: "d" }),
  row<`${Name}-x-s`, "convert">(`${name}-x-s`, name, "convert", match | SF, { r: "x", g: "s" }),
  row<`${Name}-x-d`, "convert">(`${name}-x-d`, name, "convert", match | SF | DOUBLE, { r: "x", g: "d" }),
];

const fromInteger = <Name extends string>(name: Name, match: number) => [
  row<`${Name}-s-w`, "convert">(`${name}-s-w`, name, "convert", match, { r: "s", g: "w" }),
  row<`${Name}-d-w`, "convert">(`${name}-d-w`, name, "convert", match | DOUBLE, { r: "d", g: "w" }),
  row<`${Name}-s-x`, "convert">(`${name}-s-x`, name, "convert", match | SF, { r: "s", g: "x" }),
  row<`${Name}-d-x`, "convert">(`${name}-d-x`, name, "convert", match | SF | DOUBLE, { r: "d", g: "x" }),
];

const FP = [
  ...memory("str", "stur", "b", 0, 0x3c00_0000),
  ...memory("ldr", "ldur", "b", 0, 0x3c40_0000),
  ...memory("str", "stur", "h", 1, 0x7c00_0000),
  ...memory("ldr", "ldur", "h", 1, 0x7c40_0000),
  ...memory("str", "stur", "s", 2, 0xbc00_0000),
  ...memory("ldr", "ldur", "s", 2, 0xbc40_0000),
  ...memory("str", "stur", "d", 3, 0xfc00_0000),
  ...memory("ldr", "ldur", "d", 3, 0xfc40_0000),
  ...memory("str", "stur", "q", 4, 0x3c80_0000),
  ...memory("ldr", "ldur", "q", 4, 0x3cc0_0000),
  row("ldr-literal-s", "ldr", "ls-literal", 0x1c00_0000, { r: "s" }),
  row("ldr-literal-d", "ldr", "ls-literal", 0x5c00_0000, { r: "d" }),
  row("ldr-literal-q", "ldr", "ls-literal", 0x9c00_0000, { r: "q" }),
  ...pair("stp", "s", 2, 0x2c00_0000),
  ...pair("ldp", "s", 2, 0x2c40_0000),
  ...pair("stp", "d", 3, 0x6c00_0000),
  ...pair("ldp", "d", 3, 0x6c40_0000),
  ...pair("stp", "q", 4, 0xac00_0000),
  ...pair("ldp", "q", 4, 0xac40_0000),
  row("stnp-s", "stnp", "pair-imm", 0x2c00_0000, { r: "s", scale: 2 }),
  row("ldnp-s", "ldnp", "pair-imm", 0x2c40_0000, { r: "s", scale: 2 }),
  row("stnp-d", "stnp", "pair-imm", 0x6c00_0000, { r: "d", scale: 3 }),
  row("ldnp-d", "ldnp", "pair-imm", 0x6c40_0000, { r: "d", scale: 3 }),
  row("stnp-q", "stnp", "pair-imm", 0xac00_0000, { r: "q", scale: 4 }),
  row("ldnp-q", "ldnp", "pair-imm", 0xac40_0000, { r: "q", scale: 4 }),

  ...sd("fmov-reg", "fmov", "rd-rn", 0x1e20_4000),
  ...sd("fabs", "fabs", "rd-rn", 0x1e20_c000),
  ...sd("fneg", "fneg", "rd-rn", 0x1e21_4000),
  ...sd("fsqrt", "fsqrt", "rd-rn", 0x1e21_c000),
  ...sd("frintn", "frintn", "rd-rn", 0x1e24_4000),
  ...sd("frintp", "frintp", "rd-rn", 0x1e24_c000),
  ...sd("frintm", "frintm", "rd-rn", 0x1e25_4000),
  ...sd("frintz", "frintz", "rd-rn", 0x1e25_c000),
  ...sd("frinta", "frinta", "rd-rn", 0x1e26_4000),
  ...sd("frintx", "frintx", "rd-rn", 0x1e27_4000),
  ...sd("frinti", "frinti", "rd-rn", 0x1e27_c000),
  row("fcvt-d-s", "fcvt", "convert", 0x1e22_c000, { r: "d", g: "s" }),
  row("fcvt-h-s", "fcvt", "convert", 0x1e23_c000, { r: "h", g: "s" }),
  row("fcvt-s-d", "fcvt", "convert", 0x1e22_4000 | DOUBLE, { r: "s", g: "d" }),
  row("fcvt-h-d", "fcvt", "convert", 0x1e23_c000 | DOUBLE, { r: "h", g: "d" }),
  row("fcvt-s-h", "fcvt", "convert", 0x1e22_4000 | HALF, { r: "s", g: "h" }),
  row("fcvt-d-h", "fcvt", "convert", 0x1e22_c000 | HALF, { r: "d", g: "h" }),
  ...sd("fmul", "fmul", "rd-rn-rm", 0x1e20_0800),
  ...sd("fdiv", "fdiv", "rd-rn-rm", 0x1e20_1800),
  ...sd("fadd", "fadd", "rd-rn-rm", 0x1e20_2800),
  ...sd("fsub", "fsub", "rd-rn-rm", 0x1e20_3800),
  ...sd("fmax", "fmax", "rd-rn-rm", 0x1e20_4800),
  ...sd("fmin", "fmin", "rd-rn-rm", 0x1e20_5800),
  ...sd("fmaxnm", "fmaxnm", "rd-rn-rm", 0x1e20_6800),
  ...sd("fminnm", "fminnm", "rd-rn-rm", 0x1e20_7800),
  ...sd("fnmul", "fnmul", "rd-rn-rm", 0x1e20_8800),
  ...sd("fmadd", "fmadd", "rd-rn-rm-ra", 0x1f00_0000),
  ...sd("fmsub", "fmsub", "rd-rn-rm-ra", 0x1f00_8000),
  ...sd("fnmadd", "fnmadd", "rd-rn-rm-ra", 0x1f20_0000),
  ...sd("fnmsub", "fnmsub", "rd-rn-rm-ra", 0x1f20_8000),
  ...sd("fcmp", "fcmp", "fp-compare", 0x1e20_2000),
  ...sd("fcmp-zero", "fcmp", "fp-compare-zero", 0x1e20_2008),
  ...sd("fcmpe", "fcmpe", "fp-compare", 0x1e20_2010),
  ...sd("fcmpe-zero", "fcmpe", "fp-compare-zero", 0x1e20_2018),
  ...sd("fccmp", "fccmp", "compare-reg", 0x1e20_0400),
  ...sd("fccmpe", "fccmpe", "compare-reg", 0x1e20_0410),
  ...sd("fcsel", "fcsel", "select", 0x1e20_0c00),
  ...sd("fmov-imm", "fmov", "fp-imm", 0x1e20_1000),
  row("fmov-w-s", "fmov", "convert", 0x1e26_0000, { r: "w", g: "s" }),
  row("fmov-s-w", "fmov", "convert", 0x1e27_0000, { r: "s", g: "w" }),
  row("fmov-x-d", "fmov", "convert", 0x9e66_0000, { r: "x", g: "d" }),
  row("fmov-d-x", "fmov", "convert", 0x9e67_0000, { r: "d", g: "x" }),
  ...fromInteger("scvtf", 0x1e22_0000),
  ...fromInteger("ucvtf", 0x1e23_0000),
  ...toInteger("fcvtns", 0x1e20_0000),
  ...toInteger("fcvtnu", 0x1e21_0000),
  ...toInteger("fcvtas", 0x1e24_0000),
  ...toInteger("fcvtau", 0x1e25_0000),
  ...toInteger("fcvtps", 0x1e28_0000),
  ...toInteger("fcvtpu", 0x1e29_0000),
  ...toInteger("fcvtms", 0x1e30_0000),
  ...toInteger("fcvtmu", 0x1e31_0000),
  ...toInteger("fcvtzs", 0x1e38_0000),
  ...toInteger("fcvtzu", 0x1e39_0000),
  row("movi-zero-d", "movi", "move-zero", 0x2f00_e400, { r: "d" }),
  row("movi-zero-2d", "movi", "move-zero", 0x6f00_e400, { r: "v2d" }),
  row("cnt-8b", "cnt", "rd-rn", 0x0e20_5800, { r: "v8b" }),
  row("addv-8b", "addv", "convert", 0x0e31_b800, { r: "b", g: "v8b" }),
];

type AnyRow =
  | (typeof DATA_PROCESSING)[number]
  | (typeof BRANCHES_AND_SYSTEM)[number]
  | (typeof LOADS_AND_STORES)[number]
  | (typeof LSE)[number]
  | (typeof RCPC)[number]
  | (typeof SB)[number]
  | (typeof CRC32)[number]
  | (typeof FP)[number];

export type InstructionName = AnyRow["name"];

/** A shape with what the row makes of it. */
export interface Operand {
  readonly kind: OperandKind;
  readonly bits: readonly BitPiece[];
  readonly without: readonly number[];
  readonly implied: number | undefined;
  readonly least: number;
  readonly most: number;
  /** Every value is a multiple of this. */
  readonly step: number;
  /** Logarithm of the datum's size, for `scaled` and `isLow12`. */
  readonly scale: number;
  readonly isLow12: boolean;
}

export interface Instruction {
  readonly name: InstructionName;
  /** Ends in "." where a condition follows. */
  readonly mnemonic: string;
  readonly feature: Feature;
  readonly format: FormatName;
  readonly match: number;
  /** Bits that `match` fixes. */
  readonly mask: number;
  readonly operands: readonly (readonly [name: string, operand: Operand])[];
  readonly syntax: readonly SyntaxPart[];
  /** Of `r`. */
  readonly width: 32 | 64;
}

type FormatOf<M extends InstructionName> = AnyRow extends infer U ? (U extends Row<infer N, infer F> ? (M extends N ? F : never) : never) : never;
type ShapesOf<M extends InstructionName> = (typeof FORMATS)[FormatOf<M>]["operands"];
type ValueOf<S> = S extends { readonly kind: infer K } ? (K extends keyof NamesOf ? number | NamesOf[K] : number) : never;
type Implied = { readonly implied: number };

/** The operands of an instruction by name; those with an implied value may be left out. */
export type OperandsOf<M extends InstructionName> = {
  readonly [N in keyof ShapesOf<M> as ShapesOf<M>[N] extends Implied ? never : N]: ValueOf<ShapesOf<M>[N]>;
} & {
  readonly [N in keyof ShapesOf<M> as ShapesOf<M>[N] extends Implied ? N : never]?: ValueOf<ShapesOf<M>[N]>;
};

/** Drops the bits that a 32-bit register has no use for; they are fixed to 0 then. */
const narrowed = (bits: readonly BitPiece[]): readonly BitPiece[] => bits.map(([at, width, from]) => [at, width - 1, from]);
const scaledBy = (bits: readonly BitPiece[], scale: number): readonly BitPiece[] => bits.map(([at, width, from]) => [at, width, from + scale]);

interface Resolved {
  readonly kind: OperandKind;
  readonly bits: readonly BitPiece[];
  readonly least?: number;
  readonly most?: number;
}

type RelativeKind = Exclude<ShapeKind, OperandKind>;

const bitNumber = (bits: readonly BitPiece[], { r }: Required<Sizes>): Resolved => ({ kind: "unsigned", bits: r === "w" ? narrowed(bits) : bits });

const RELATIVE_KINDS: Readonly<Record<RelativeKind, (bits: readonly BitPiece[], sizes: Required<Sizes>) => Resolved>> = {
  r: (bits, { r }) => ({ kind: r, bits }),
  rsp: (bits, { r }) => ({ kind: r === "w" ? "wsp" : "xsp", bits }),
  g: (bits, { g }) => ({ kind: g, bits }),
  amount: bitNumber,
  halfword: bitNumber,
  "field-width": (bits, { r }) => ({ kind: "unsigned", bits, least: 1, most: r === "w" ? 32 : 64 }),
  bitmask: (bits, { r }) => (r === "w" ? { kind: "bitmask32", bits: narrowed(bits) } : { kind: "bitmask64", bits }),
  offset: (bits, { scale }) => ({ kind: "unsigned", bits: scaledBy(bits, scale) }),
  "pair-offset": (bits, { scale }) => ({ kind: "signed", bits: scaledBy(bits, scale) }),
};
const isRelative = (kind: ShapeKind): kind is RelativeKind => Object.hasOwn(RELATIVE_KINDS, kind);

export function resolveOperand(shape: Shape, { r = "x", g = "x", scale = 0 }: Sizes): Operand {
  const resolved: Resolved = isRelative(shape.kind) ? RELATIVE_KINDS[shape.kind](shape.bits, { r, g, scale }) : { kind: shape.kind, bits: shape.bits };
  const { kind, bits, least, most } = resolved;
  const top = Math.max(...bits.map(([, width, from]) => from + width));
  const step = kind === "by12" ? 12 : 2 ** Math.min(...bits.map(([, , from]) => from));
  const isSigned = kind === "signed" || kind === "target" || kind === "page";
  const unsignedMost = kind === "by12" ? 12 : 2 ** top - step;
  return {
    kind,
    bits,
    without: shape.without ?? [],
    implied: shape.implied,
    least: shape.least ?? least ?? (isSigned ? -(2 ** (top - 1)) : 0),
    most: most ?? (isSigned ? 2 ** (top - 1) - step : unsignedMost),
    step,
    scale,
    isLow12: shape.isLow12 === true,
  };
}

const REGISTERS: ReadonlySet<string> = new Set(REGISTER_KINDS);
export const isRegisterKind = (kind: OperandKind): kind is RegisterKind => REGISTERS.has(kind);

/** What the row's format makes of it is worked out when somebody looks: the compiler wants the fixed bits of a few rows and starts anew for each edit. */
class CompleteRow implements Instruction {
  readonly name: InstructionName;
  readonly mnemonic: string;
  readonly feature: Feature;
  readonly format: FormatName;
  readonly match: number;
  readonly #sizes: Sizes;
  #operands: Instruction["operands"] | null = null;
  #mask: number | null = null;
  #syntax: Instruction["syntax"] | null = null;

  constructor(feature: Feature, row: AnyRow) {
    this.name = row.name;
    this.mnemonic = row.mnemonic;
    this.feature = feature;
    this.format = row.format;
    this.match = row.match >>> 0;
    this.#sizes = row;
  }

  get #ofFormat(): Format {
    return FORMATS[this.format];
  }

  get operands(): Instruction["operands"] {
    return (this.#operands ??= Object.entries(this.#ofFormat.operands).map(([key, shape]) => [key, resolveOperand(shape, this.#sizes)] as const));
  }

  get mask(): number {
    return (this.#mask ??= this.#fixed());
  }

  #fixed(): number {
    let taken = 0;
    for (const [, operand] of this.operands) for (const [at, width] of operand.bits) taken |= (2 ** width - 1) << at;
    return ~taken >>> 0;
  }

  get syntax(): Instruction["syntax"] {
    return (this.#syntax ??= parseSyntax(this.#ofFormat.syntax, this.#ofFormat.operands));
  }

  get width(): Instruction["width"] {
    return this.#sizes.r === "w" ? 32 : 64;
  }
}

const of = (feature: Feature, rows: readonly AnyRow[]): readonly Instruction[] => rows.map((each) => new CompleteRow(feature, each));

export const INSTRUCTIONS: readonly Instruction[] = [
  ...of("base", [...DATA_PROCESSING, ...BRANCHES_AND_SYSTEM, ...LOADS_AND_STORES]),
  ...of("lse", LSE),
  ...of("rcpc", RCPC),
  ...of("sb", SB),
  ...of("crc32", CRC32),
  ...of("fp", FP),
];

const byName = new Map<string, Instruction>(INSTRUCTIONS.map((each) => [each.name, each]));

export function findInstruction(name: string): Instruction | undefined {
  return byName.get(name);
}
