// Aliases: the names under which people know common uses of an instruction (`cmp` is SUBS into the zero register). The assembler
// reads them, and the disassembler writes the one that the manual prefers, as objdump does. An alias has its own syntax; `expand`
// makes the instruction's operands of its own, `reduce` the other way round. The first that fits is written.
// Source: DDI 0487 (I.a), C6.2, "Alias conditions" of each instruction. `use` tells more: "always" is no alias to the manual but how
// the operand is written beside the stack pointer; "reading" is what only assemblers know.

import { checkOperand } from "./encode.ts";
import type { Operands } from "./encode.ts";
import { parseSyntax } from "./formats.ts";
import type { Shape, SyntaxPart } from "./formats.ts";
import { INSTRUCTIONS, resolveOperand } from "./instructions.ts";
import type { Instruction, Operand } from "./instructions.ts";
import { decodeLogicalImmediate } from "./logical-immediate.ts";
import type { RegisterWidth } from "./logical-immediate.ts";
import { movedByOne } from "./move-constant.ts";

export interface Alias {
  readonly mnemonic: string;
  readonly instruction: Instruction;
  readonly operands: readonly (readonly [name: string, operand: Operand])[];
  readonly syntax: readonly SyntaxPart[];
  readonly use: "preferred" | "always" | "reading";
  /** Undefined: this alias does not stand for such operands; a text says what is wrong with them. */
  readonly expand: (own: Operands) => Operands | string | undefined;
  readonly reduce: (real: Operands) => Operands | undefined;
}

type Values = Readonly<Record<string, number>>;
type Get = (name: string) => number;

interface AliasSpec {
  readonly form: string;
  /** A row's name, or what several have before their width. */
  readonly of: string;
  readonly fixed?: Values;
  /** Operands that have the value of another. */
  readonly same?: Readonly<Record<string, string>>;
  /** Operands of the alias that the instruction does not have, or writes otherwise. */
  readonly operands?: Readonly<Record<string, Shape>>;
  readonly when?: (real: Get, width: RegisterWidth) => boolean;
  readonly expand?: (own: Get, width: RegisterWidth) => Values | string;
  readonly reduce?: (real: Get, width: RegisterWidth) => Values | undefined;
  readonly use?: Alias["use"];
}

const ZR = 31;
const SP = 31;
const LSL = 0;
const UXTW = 2;
const UXTX = 3;

const wRegister: Shape = { kind: "w", bits: [[0, 5, 0]] };
const xRegister: Shape = { kind: "x", bits: [[0, 5, 0]] };
const inverted: Shape = { kind: "inverse-condition", bits: [[0, 4, 0]] };
const bitNumber: Shape = { kind: "amount", bits: [[0, 6, 0]] };
const fieldWidth: Shape = { kind: "field-width", bits: [[0, 7, 0]] };

/** Bitfield moves by what they do: where the field starts and how wide it is. */
const EXTRACT: Pick<AliasSpec, "operands" | "expand" | "reduce"> = {
  operands: { lsb: bitNumber, width: fieldWidth },
  expand: (own, width) =>
    own("lsb") + own("width") > width
      ? `a field of ${own("width")} bits from bit ${own("lsb")} leaves the register`
      : { immr: own("lsb"), imms: own("lsb") + own("width") - 1 },
  reduce: (real) => (real("imms") >= real("immr") ? { lsb: real("immr"), width: real("imms") - real("immr") + 1 } : undefined),
};
const INSERT: Pick<AliasSpec, "operands" | "expand" | "reduce"> = {
  operands: { lsb: bitNumber, width: fieldWidth },
  expand: (own, width) =>
    own("lsb") + own("width") > width
      ? `a field of ${own("width")} bits at bit ${own("lsb")} leaves the register`
      : { immr: -own("lsb") & (width - 1), imms: own("width") - 1 },
  reduce: (real, width) => (real("imms") < real("immr") ? { lsb: width - real("immr"), width: real("imms") + 1 } : undefined),
};
const SHIFT_LEFT: Pick<AliasSpec, "operands" | "expand" | "reduce"> = {
  operands: { amount: bitNumber },
  expand: (own, width) => ({ immr: -own("amount") & (width - 1), imms: width - 1 - own("amount") }),
  reduce: (real, width) => (real("imms") !== width - 1 && real("imms") + 1 === real("immr") ? { amount: width - 1 - real("imms") } : undefined),
};
const SHIFT_RIGHT: Pick<AliasSpec, "operands" | "expand" | "reduce"> = {
  operands: { amount: bitNumber },
  expand: (own, width) => ({ immr: own("amount"), imms: width - 1 }),
  reduce: (real, width) => (real("imms") === width - 1 ? { amount: real("immr") } : undefined),
};

const movesWide = (kind: "movz32" | "movz64" | "movn32" | "movn64"): Pick<AliasSpec, "operands" | "expand" | "reduce"> => ({
  operands: { value: { kind, bits: [[0, kind.endsWith("32") ? 17 : 18, 0]] } },
  expand: (own) => ({ imm: own("value") & 0xffff, shift: 16 * (own("value") >> 16) }),
  reduce: (real) => {
    const isZeroElsewhere = real("imm") === 0 && real("shift") !== 0;
    // MOVN of 0xffff in 32 bits makes what MOVZ makes too.
    return isZeroElsewhere || (kind === "movn32" && real("imm") === 0xffff) ? undefined : { value: real("imm") | ((real("shift") / 16) << 16) };
  },
});

const systemOperation = (form: string, kind: Shape["kind"]): AliasSpec => ({
  form,
  of: "sys",
  ...(!form.includes("rt") && { fixed: { rt: ZR } }),
  operands: { op: { kind, bits: [[0, 14, 0]] } },
  expand: (own) => ({ op1: own("op") >> 11, crn: (own("op") >> 7) & 15, crm: (own("op") >> 3) & 15, op2: own("op") & 7 }),
  reduce: (real) => ({ op: (real("op1") << 11) | (real("crn") << 7) | (real("crm") << 3) | real("op2") }),
});

const hint = (form: string, imm: number): AliasSpec => ({ form, of: "hint", fixed: { imm } });

const isMovedByOne = (real: Get, width: RegisterWidth): boolean => {
  const value = decodeLogicalImmediate(real("bitmask"), width);
  return value !== undefined && movedByOne(value, width) !== undefined;
};

/** Beside the stack pointer LSL is the natural extension, and left out when it does nothing (C6.2, ADD (extended register)). */
const besideStackPointer = (mnemonic: string, isFlagSetting: boolean): readonly AliasSpec[] =>
  (
    [
      ["-ext-w", UXTW],
      ["-ext64-x", UXTX],
    ] as const
  ).map(([suffix, extend]) => ({
    form: `${mnemonic} rd, rn, rm{, lsl #amount}`,
    of: mnemonic + suffix,
    fixed: { extend },
    when: (real) => real("rn") === SP || (!isFlagSetting && real("rd") === SP),
    use: "always",
  }));

/** CMP and CMN of an extended register. */
const comparison = (mnemonic: string, of: string): readonly AliasSpec[] => [
  { form: `${mnemonic} rn, rm{, lsl #amount}`, of: `${of}-ext-w`, fixed: { rd: ZR, extend: UXTW }, when: (real) => real("rn") === SP },
  { form: `${mnemonic} rn, rm{, lsl #amount}`, of: `${of}-ext64-x`, fixed: { rd: ZR, extend: UXTX }, when: (real) => real("rn") === SP },
  { form: `${mnemonic} rn, rm, extend{ #amount}`, of: `${of}-ext`, fixed: { rd: ZR } },
  { form: `${mnemonic} rn, rm, extend{ #amount}`, of: `${of}-ext64`, fixed: { rd: ZR } },
];

/** Atomic operations whose result nobody wants; none has acquire semantics. */
const STORING_ATOMICS: readonly AliasSpec[] = ["add", "clr", "eor", "set", "smax", "smin", "umax", "umin"].flatMap((operation) =>
  ["", "l"].flatMap((order) =>
    ["", "b", "h"].map((size) => ({ form: `st${operation}${order}${size} rs, [rn]`, of: `ld${operation}${order}${size}`, fixed: { rt: ZR } })),
  ),
);

/** `ldr x0, [x1, #-8]`: an offset that no scaled form has is an unscaled one. */
const unscaled = (): readonly AliasSpec[] =>
  INSTRUCTIONS.flatMap(({ name, mnemonic }) => {
    const [, access, rest] = /^(ld|st|prf)u(r.*|m)$/.exec(mnemonic) ?? [];
    if (access === undefined || rest === undefined) return [];
    return { form: `${access}${rest} ${access === "prf" ? "prefetch" : "rt"}, [rn{, #imm}]`, of: name, use: "reading" };
  });

const specs = (): readonly AliasSpec[] => [
  { form: "mov rd, rn", of: "add-imm", fixed: { imm: 0, shift: 0 }, when: (real) => real("rd") === SP || real("rn") === SP },
  ...besideStackPointer("add", false),
  ...besideStackPointer("sub", false),
  { form: "cmn rn, #imm{, lsl #shift}", of: "adds-imm", fixed: { rd: ZR } },
  { form: "cmn rn, rm{, shift #amount}", of: "adds-shifted", fixed: { rd: ZR } },
  ...comparison("cmn", "adds"),
  ...besideStackPointer("adds", true),
  { form: "cmp rn, #imm{, lsl #shift}", of: "subs-imm", fixed: { rd: ZR } },
  { form: "cmp rn, rm{, shift #amount}", of: "subs-shifted", fixed: { rd: ZR } },
  ...comparison("cmp", "subs"),
  ...besideStackPointer("subs", true),
  { form: "neg rd, rm{, shift #amount}", of: "sub-shifted", fixed: { rn: ZR } },
  { form: "negs rd, rm{, shift #amount}", of: "subs-shifted", fixed: { rn: ZR } },
  { form: "ngc rd, rm", of: "sbc", fixed: { rn: ZR } },
  { form: "ngcs rd, rm", of: "sbcs", fixed: { rn: ZR } },

  { form: "mov rd, rm", of: "orr-shifted", fixed: { rn: ZR, shift: LSL, amount: 0 } },
  { form: "mov rd, #value", of: "movz-w", ...movesWide("movz32") },
  { form: "mov rd, #value", of: "movz-x", ...movesWide("movz64") },
  { form: "mov rd, #value", of: "movn-w", ...movesWide("movn32") },
  { form: "mov rd, #value", of: "movn-x", ...movesWide("movn64") },
  // MOVZ and MOVN cannot write the stack pointer.
  { form: "mov rd, #bitmask", of: "orr-imm", fixed: { rn: ZR }, when: (real, width) => real("rd") === SP || !isMovedByOne(real, width) },
  { form: "mvn rd, rm{, shift #amount}", of: "orn-shifted", fixed: { rn: ZR } },
  { form: "tst rn, #bitmask", of: "ands-imm", fixed: { rd: ZR } },
  { form: "tst rn, rm{, shift #amount}", of: "ands-shifted", fixed: { rd: ZR } },

  { form: "asr rd, rn, #amount", of: "sbfm", ...SHIFT_RIGHT },
  { form: "sxtb rd, rn", of: "sbfm", fixed: { immr: 0, imms: 7 }, operands: { rn: wRegister } },
  { form: "sxth rd, rn", of: "sbfm", fixed: { immr: 0, imms: 15 }, operands: { rn: wRegister } },
  { form: "sxtw rd, rn", of: "sbfm-x", fixed: { immr: 0, imms: 31 }, operands: { rn: wRegister } },
  { form: "sbfiz rd, rn, #lsb, #width", of: "sbfm", ...INSERT },
  { form: "sbfx rd, rn, #lsb, #width", of: "sbfm", ...EXTRACT },
  { form: "lsl rd, rn, #amount", of: "ubfm", ...SHIFT_LEFT },
  { form: "lsr rd, rn, #amount", of: "ubfm", ...SHIFT_RIGHT },
  { form: "uxtb rd, rn", of: "ubfm-w", fixed: { immr: 0, imms: 7 } },
  { form: "uxth rd, rn", of: "ubfm-w", fixed: { immr: 0, imms: 15 } },
  { form: "ubfiz rd, rn, #lsb, #width", of: "ubfm", ...INSERT },
  { form: "ubfx rd, rn, #lsb, #width", of: "ubfm", ...EXTRACT },
  { form: "bfc rd, #lsb, #width", of: "bfm", fixed: { rn: ZR }, ...INSERT },
  { form: "bfi rd, rn, #lsb, #width", of: "bfm", ...INSERT },
  { form: "bfxil rd, rn, #lsb, #width", of: "bfm", ...EXTRACT },
  { form: "ror rd, rn, #lsb", of: "extr", same: { rm: "rn" } },
  { form: "lsl rd, rn, rm", of: "lslv" },
  { form: "lsr rd, rn, rm", of: "lsrv" },
  { form: "asr rd, rn, rm", of: "asrv" },
  { form: "ror rd, rn, rm", of: "rorv" },

  { form: "cset rd, cond", of: "csinc", fixed: { rn: ZR, rm: ZR }, operands: { cond: inverted } },
  { form: "cinc rd, rn, cond", of: "csinc", same: { rm: "rn" }, operands: { cond: inverted } },
  { form: "csetm rd, cond", of: "csinv", fixed: { rn: ZR, rm: ZR }, operands: { cond: inverted } },
  { form: "cinv rd, rn, cond", of: "csinv", same: { rm: "rn" }, operands: { cond: inverted } },
  { form: "cneg rd, rn, cond", of: "csneg", same: { rm: "rn" }, operands: { cond: inverted } },

  { form: "mul rd, rn, rm", of: "madd", fixed: { ra: ZR } },
  { form: "mneg rd, rn, rm", of: "msub", fixed: { ra: ZR } },
  { form: "smull rd, rn, rm", of: "smaddl", fixed: { ra: ZR } },
  { form: "smnegl rd, rn, rm", of: "smsubl", fixed: { ra: ZR } },
  { form: "umull rd, rn, rm", of: "umaddl", fixed: { ra: ZR } },
  { form: "umnegl rd, rn, rm", of: "umsubl", fixed: { ra: ZR } },

  // C6.2, HINT.
  hint("nop", 0),
  hint("yield", 1),
  hint("wfe", 2),
  hint("wfi", 3),
  hint("sev", 4),
  hint("sevl", 5),
  hint("xpaclri", 7),
  hint("pacia1716", 8),
  hint("pacib1716", 10),
  hint("autia1716", 12),
  hint("autib1716", 14),
  hint("esb", 16),
  hint("psb csync", 17),
  hint("tsb csync", 18),
  hint("csdb", 20),
  hint("clearbhb", 22),
  hint("paciaz", 24),
  hint("paciasp", 25),
  hint("pacibz", 26),
  hint("pacibsp", 27),
  hint("autiaz", 28),
  hint("autiasp", 29),
  hint("autibz", 30),
  hint("autibsp", 31),
  hint("bti", 32),
  hint("bti c", 34),
  hint("bti j", 36),
  hint("bti jc", 38),
  { form: "ssbb", of: "dsb", fixed: { barrier: 0 } },
  { form: "pssbb", of: "dsb", fixed: { barrier: 4 } },
  systemOperation("ic op", "ic-none"),
  systemOperation("ic op, rt", "ic-register"),
  systemOperation("dc op, rt", "dc-register"),
  systemOperation("at op, rt", "at-register"),
  systemOperation("tlbi op", "tlbi-none"),
  systemOperation("tlbi op, rt", "tlbi-register"),

  ...STORING_ATOMICS,

  { form: "rev64 rd, rn", of: "rev-x", use: "reading" },
  // Bit 31 of the instruction is bit 5 of the bit's number, not the register's width.
  { form: "tbz rt, #bit, target", of: "tbz-w", operands: { rt: xRegister }, use: "reading" },
  { form: "tbnz rt, #bit, target", of: "tbnz-w", operands: { rt: xRegister }, use: "reading" },
  ...unscaled(),
];

const getFrom =
  (values: Operands): Get =>
  (name) => {
    const value = values.get(name);
    if (value === undefined) throw new Error(`no operand ${name}`);
    return value;
  };

function defineAlias(spec: AliasSpec, instruction: Instruction): Alias {
  const { form, fixed = {}, same = {}, when, use = "preferred" } = spec;
  const { width } = instruction;
  const [mnemonic = "", text = ""] = form.split(/ (.*)/);
  const known: ReadonlyMap<string, Operand> = new Map<string, Operand>([
    ...instruction.operands,
    ...Object.entries(spec.operands ?? {}).map(([name, shape]) => [name, resolveOperand(shape, { r: width === 32 ? "w" : "x" })] as const),
  ]);
  const syntax = parseSyntax(text, Object.fromEntries(known));
  const named = new Set(text.match(/[a-z][a-z0-9]*/g));
  const operands = [...known].filter(([name]) => named.has(name));
  const isOfInstruction = (name: string): boolean => instruction.operands.some(([each]) => each === name);

  const expand = (own: Operands): Operands | string | undefined => {
    const computed = spec.expand?.(getFrom(own), width) ?? {};
    if (typeof computed === "string") return computed;
    const real = new Map<string, number>([...[...own].filter(([name]) => isOfInstruction(name)), ...Object.entries(fixed), ...Object.entries(computed)]);
    for (const [name, other] of Object.entries(same)) real.set(name, getFrom(real)(other));
    return when?.(getFrom(real), width) === false ? undefined : real;
  };

  const reduce = (real: Operands): Operands | undefined => {
    if (Object.entries(fixed).some(([name, value]) => real.get(name) !== value)) return undefined;
    if (Object.entries(same).some(([name, other]) => real.get(name) !== real.get(other))) return undefined;
    if (when?.(getFrom(real), width) === false) return undefined;
    const computed = spec.reduce === undefined ? {} : spec.reduce(getFrom(real), width);
    if (computed === undefined) return undefined;
    const own = new Map<string, number>();
    for (const [name, operand] of operands) {
      const value = computed[name] ?? getFrom(real)(name);
      if (checkOperand(operand, value) !== undefined) return undefined;
      own.set(name, value);
    }
    return own;
  };

  return { mnemonic, instruction, operands, syntax, use, expand, reduce };
}

const rowsOf = (name: string): readonly Instruction[] => {
  const rows = INSTRUCTIONS.filter((row) => row.name === name || row.name === `${name}-w` || row.name === `${name}-x`);
  if (rows.length === 0) throw new Error(`an alias of ${name}, which is no instruction`);
  return rows;
};

let aliases: readonly Alias[] | null = null;

/** Made when somebody reads or writes assembly: whoever compiles need not. */
export function listAliases(): readonly Alias[] {
  return (aliases ??= specs().flatMap((spec) => rowsOf(spec.of).map((instruction) => defineAlias(spec, instruction))));
}
