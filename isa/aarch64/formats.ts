// Instruction formats of A64: which operands an instruction has, where their bits lie in the word, what values they may take and
// how they are written. A row of instructions.ts names one of these and the widths of its registers; encoder, decoder, assembler
// and disassembler know nothing else about operands. Bit layouts: DDI 0487 (I.a), C4.1; what operands mean: C6.2, C7.2.
//
// Syntax notation: an operand's name stands for its text and `rt+1` for the register after it; {..} may be left out when reading
// and is left out when its operands have their `implied` values; `#` need not be written; all else is itself.

import { SYSTEM_OPERATIONS } from "./system-operations.ts";
import type { SystemOperationKind } from "./system-operations.ts";
import type { RegisterKind, SystemRegisterName } from "./registers.ts";

/** Instruction bits [at+width-1 : at] hold value bits [from+width-1 : from]. */
export type BitPiece = readonly [at: number, width: number, from: number];

export type OperandKind =
  | RegisterKind
  | "unsigned"
  | "hex" // unsigned, and written in hexadecimal
  | "signed"
  | "target" // byte distance from the instruction
  | "page" // distance in pages of 4096 bytes from the instruction's page
  | "by12" // 0 or 12, in one bit
  | "scaled" // whether an index is multiplied by the datum's size; written as its logarithm
  | "bitmask32" // N, immr and imms of a logical immediate (see logical-immediate.ts)
  | "bitmask64"
  | "float8" // sign, 3 bits of exponent, 4 of fraction
  | "condition"
  | "shift"
  | "extend"
  | "index64" // how a 64-bit index register is used
  | "index32" // how a 32-bit one is extended
  | "system" // system register
  | "pstate" // field of the processor state that MSR (immediate) sets
  | "pstate-bit" // the same, of one bit
  | "barrier"
  | "isb"
  | "prefetch"
  | "cn" // c0..c15 of SYS
  // Of aliases only.
  | "inverse-condition"
  | "movz32" // a constant that one movz makes: bits 15:0, and in 17:16 which halfword of the register
  | "movz64"
  | "movn32"
  | "movn64"
  | `${SystemOperationKind}-register`
  | "ic-none"
  | "tlbi-none";

/** What a row's `r`, `g` and `scale` make of a shape (see `resolveOperand`). */
export type ShapeKind =
  | OperandKind
  | "r" // a register of the row's width, 31 is zero
  | "rsp" // the same, 31 is the stack pointer
  | "g" // a register of the row's other width
  | "amount" // a bit number of `r`
  | "field-width" // 1..width of `r`
  | "halfword" // 0, 16, 32, 48 as far as `r` has it
  | "bitmask"
  | "offset" // unsigned, in units of the datum
  | "pair-offset"; // signed, in units of the datum

export interface Shape {
  readonly kind: ShapeKind;
  readonly bits: readonly BitPiece[];
  /** Values that are another instruction or reserved. */
  readonly without?: readonly number[];
  /** The value when it is not given. */
  readonly implied?: number;
  readonly least?: number;
  /** May be written `:lo12:symbol`. */
  readonly isLow12?: true;
}

export interface Format {
  readonly syntax: string;
  readonly operands: Readonly<Record<string, Shape>>;
}

const r = (at: number) => ({ kind: "r", bits: [[at, 5, 0]] }) as const;
const rsp = (at: number) => ({ kind: "rsp", bits: [[at, 5, 0]] }) as const;
const g = (at: number) => ({ kind: "g", bits: [[at, 5, 0]] }) as const;
const w = (at: number) => ({ kind: "w", bits: [[at, 5, 0]] }) as const;
const x = (at: number) => ({ kind: "x", bits: [[at, 5, 0]] }) as const;
/** An even register, whose odd neighbour belongs to it. */
const even = (at: number) => ({ kind: "r", bits: [[at + 1, 4, 1]] }) as const;
const base = { kind: "xsp", bits: [[5, 5, 0]] } as const;
const unsigned = (at: number, width: number) => ({ kind: "unsigned", bits: [[at, width, 0]] }) as const;
const hex = (at: number, width: number) => ({ kind: "hex", bits: [[at, width, 0]] }) as const;
const amount = (at: number) => ({ kind: "amount", bits: [[at, 6, 0]] }) as const;
const shiftAmount = { kind: "amount", bits: [[10, 6, 0]], implied: 0 } as const;

const condition = { kind: "condition", bits: [[12, 4, 0]] } as const;
const add12 = { kind: "unsigned", bits: [[10, 12, 0]], isLow12: true } as const;
const by12 = { kind: "by12", bits: [[22, 1, 0]], implied: 0 } as const;
const bitmask = { kind: "bitmask", bits: [[10, 13, 0]] } as const;
const shift = { kind: "shift", bits: [[22, 2, 0]], implied: 0 } as const;
// ROR is reserved for additions (C6.2, ADD (shifted register)).
const addShift = { kind: "shift", bits: [[22, 2, 0]], implied: 0, without: [3] } as const;
const extendAmount = { kind: "unsigned", bits: [[10, 3, 0]], implied: 0, without: [5, 6, 7] } as const;
const UXTX = 3;
const SXTX = 7;
const extend32 = { kind: "extend", bits: [[13, 3, 0]], without: [UXTX, SXTX] } as const;
const extend64 = { kind: "extend", bits: [[13, 3, 0]], without: [0, 1, 2, 4, 5, 6] } as const;
const extendAny = { kind: "extend", bits: [[13, 3, 0]] } as const;
const target19 = { kind: "target", bits: [[5, 19, 2]] } as const;
const target14 = { kind: "target", bits: [[5, 14, 2]] } as const;
const offset = { kind: "offset", bits: [[10, 12, 0]], implied: 0, isLow12: true } as const;
const offset9 = { kind: "signed", bits: [[12, 9, 0]], implied: 0 } as const;
const step9 = { kind: "signed", bits: [[12, 9, 0]] } as const;
const pairOffset = { kind: "pair-offset", bits: [[15, 7, 0]], implied: 0 } as const;
const pairStep = { kind: "pair-offset", bits: [[15, 7, 0]] } as const;
const index64 = { kind: "index64", bits: [[13, 3, 0]], implied: UXTX } as const;
const index32 = { kind: "index32", bits: [[13, 3, 0]] } as const;
const scaled = { kind: "scaled", bits: [[12, 1, 0]], implied: 0 } as const;
const pstateBits = [
  [16, 3, 3],
  [5, 3, 0],
] as const;
const prefetch = { kind: "prefetch", bits: [[0, 5, 0]] } as const;

export const FORMATS = {
  none: { syntax: "", operands: {} },

  // Data processing.
  "rd-rn": { syntax: "rd, rn", operands: { rd: r(0), rn: r(5) } },
  "rd-rn-rm": { syntax: "rd, rn, rm", operands: { rd: r(0), rn: r(5), rm: r(16) } },
  "rd-rn-rm-ra": { syntax: "rd, rn, rm, ra", operands: { rd: r(0), rn: r(5), rm: r(16), ra: r(10) } },
  "multiply-long": { syntax: "rd, rn, rm, ra", operands: { rd: x(0), rn: w(5), rm: w(16), ra: x(10) } },
  "multiply-high": { syntax: "rd, rn, rm", operands: { rd: x(0), rn: x(5), rm: x(16) } },
  crc: { syntax: "rd, rn, rm", operands: { rd: w(0), rn: w(5), rm: r(16) } },
  "add-imm": { syntax: "rd, rn, #imm{, lsl #shift}", operands: { rd: rsp(0), rn: rsp(5), imm: add12, shift: by12 } },
  "adds-imm": { syntax: "rd, rn, #imm{, lsl #shift}", operands: { rd: r(0), rn: rsp(5), imm: add12, shift: by12 } },
  "logical-imm": { syntax: "rd, rn, #bitmask", operands: { rd: rsp(0), rn: r(5), bitmask } },
  "ands-imm": { syntax: "rd, rn, #bitmask", operands: { rd: r(0), rn: r(5), bitmask } },
  "move-wide": { syntax: "rd, #imm{, lsl #shift}", operands: { rd: r(0), imm: hex(5, 16), shift: { kind: "halfword", bits: [[21, 2, 4]], implied: 0 } } },
  bitfield: { syntax: "rd, rn, #immr, #imms", operands: { rd: r(0), rn: r(5), immr: amount(16), imms: amount(10) } },
  extract: { syntax: "rd, rn, rm, #lsb", operands: { rd: r(0), rn: r(5), rm: r(16), lsb: amount(10) } },
  adr: {
    syntax: "rd, target",
    operands: {
      rd: x(0),
      target: {
        kind: "target",
        bits: [
          [29, 2, 0],
          [5, 19, 2],
        ],
      },
    },
  },
  adrp: {
    syntax: "rd, page",
    operands: {
      rd: x(0),
      page: {
        kind: "page",
        bits: [
          [29, 2, 0],
          [5, 19, 2],
        ],
      },
    },
  },
  "logical-shifted": { syntax: "rd, rn, rm{, shift #amount}", operands: { rd: r(0), rn: r(5), rm: r(16), shift, amount: shiftAmount } },
  "add-shifted": { syntax: "rd, rn, rm{, shift #amount}", operands: { rd: r(0), rn: r(5), rm: r(16), shift: addShift, amount: shiftAmount } },
  "add-ext-w": {
    syntax: "rd, rn, rm, extend{ #amount}",
    operands: { rd: rsp(0), rn: rsp(5), rm: w(16), extend: extendAny, amount: extendAmount },
  },
  "add-ext-x": {
    syntax: "rd, rn, rm, extend{ #amount}",
    operands: { rd: rsp(0), rn: rsp(5), rm: w(16), extend: extend32, amount: extendAmount },
  },
  "add-ext64-x": {
    syntax: "rd, rn, rm, extend{ #amount}",
    operands: { rd: rsp(0), rn: rsp(5), rm: x(16), extend: extend64, amount: extendAmount },
  },
  "adds-ext-w": {
    syntax: "rd, rn, rm, extend{ #amount}",
    operands: { rd: r(0), rn: rsp(5), rm: w(16), extend: extendAny, amount: extendAmount },
  },
  "adds-ext-x": {
    syntax: "rd, rn, rm, extend{ #amount}",
    operands: { rd: r(0), rn: rsp(5), rm: w(16), extend: extend32, amount: extendAmount },
  },
  "adds-ext64-x": {
    syntax: "rd, rn, rm, extend{ #amount}",
    operands: { rd: r(0), rn: rsp(5), rm: x(16), extend: extend64, amount: extendAmount },
  },
  "compare-reg": { syntax: "rn, rm, #nzcv, cond", operands: { rn: r(5), rm: r(16), nzcv: unsigned(0, 4), cond: condition } },
  "compare-imm": { syntax: "rn, #imm, #nzcv, cond", operands: { rn: r(5), imm: unsigned(16, 5), nzcv: unsigned(0, 4), cond: condition } },
  select: { syntax: "rd, rn, rm, cond", operands: { rd: r(0), rn: r(5), rm: r(16), cond: condition } },

  // Branches, exceptions.
  branch: { syntax: "target", operands: { target: { kind: "target", bits: [[0, 26, 2]] } } },
  // The condition is part of the mnemonic.
  "branch-condition": { syntax: "target", operands: { cond: { kind: "condition", bits: [[0, 4, 0]] }, target: target19 } },
  "branch-zero": { syntax: "rt, target", operands: { rt: r(0), target: target19 } },
  "branch-bit-w": { syntax: "rt, #bit, target", operands: { rt: w(0), bit: unsigned(19, 5), target: target14 } },
  "branch-bit-x": {
    syntax: "rt, #bit, target",
    operands: {
      rt: x(0),
      bit: {
        kind: "unsigned",
        bits: [
          [31, 1, 5],
          [19, 5, 0],
        ],
        least: 32,
      },
      target: target14,
    },
  },
  register: { syntax: "rn", operands: { rn: x(5) } },
  return: { syntax: "{rn}", operands: { rn: { kind: "x", bits: [[5, 5, 0]], implied: 30 } } },
  exception: { syntax: "#imm", operands: { imm: hex(5, 16) } },
  "debug-exception": { syntax: "{#imm}", operands: { imm: { kind: "hex", bits: [[5, 16, 0]], implied: 0 } } },
  udf: { syntax: "#imm", operands: { imm: hex(0, 16) } },

  // System.
  hint: { syntax: "#imm", operands: { imm: hex(5, 7) } },
  clrex: { syntax: "{#imm}", operands: { imm: { kind: "unsigned", bits: [[8, 4, 0]], implied: 15 } } },
  barrier: { syntax: "barrier", operands: { barrier: { kind: "barrier", bits: [[8, 4, 0]] } } },
  isb: { syntax: "{barrier}", operands: { barrier: { kind: "isb", bits: [[8, 4, 0]], implied: 15 } } },
  "msr-imm": { syntax: "field, #imm", operands: { field: { kind: "pstate", bits: pstateBits }, imm: unsigned(8, 4) } },
  "msr-bit": { syntax: "field, #imm", operands: { field: { kind: "pstate-bit", bits: pstateBits }, imm: unsigned(8, 1) } },
  sys: {
    syntax: "#op1, crn, crm, #op2{, rt}",
    operands: {
      op1: unsigned(16, 3),
      crn: { kind: "cn", bits: [[12, 4, 0]] },
      crm: { kind: "cn", bits: [[8, 4, 0]] },
      op2: unsigned(5, 3),
      rt: { kind: "x", bits: [[0, 5, 0]], implied: 31 },
    },
  },
  sysl: {
    syntax: "rt, #op1, crn, crm, #op2",
    operands: {
      rt: x(0),
      op1: unsigned(16, 3),
      crn: { kind: "cn", bits: [[12, 4, 0]] },
      crm: { kind: "cn", bits: [[8, 4, 0]] },
      op2: unsigned(5, 3),
    },
  },
  mrs: { syntax: "rt, system", operands: { rt: x(0), system: { kind: "system", bits: [[5, 16, 0]], least: 0x8000 } } },
  msr: { syntax: "system, rt", operands: { system: { kind: "system", bits: [[5, 16, 0]], least: 0x8000 }, rt: x(0) } },

  // Loads and stores.
  "ls-imm": { syntax: "rt, [rn{, #imm}]", operands: { rt: r(0), rn: base, imm: offset } },
  "ls-unscaled": { syntax: "rt, [rn{, #imm}]", operands: { rt: r(0), rn: base, imm: offset9 } },
  "ls-pre": { syntax: "rt, [rn, #imm]!", operands: { rt: r(0), rn: base, imm: step9 } },
  "ls-post": { syntax: "rt, [rn], #imm", operands: { rt: r(0), rn: base, imm: step9 } },
  "ls-reg": { syntax: "rt, [rn, rm{, extend{ #scaled}}]", operands: { rt: r(0), rn: base, rm: x(16), extend: index64, scaled } },
  "ls-ext": { syntax: "rt, [rn, rm, extend{ #scaled}]", operands: { rt: r(0), rn: base, rm: w(16), extend: index32, scaled } },
  "ls-literal": { syntax: "rt, target", operands: { rt: r(0), target: target19 } },
  "prefetch-imm": { syntax: "prefetch, [rn{, #imm}]", operands: { prefetch, rn: base, imm: offset } },
  "prefetch-unscaled": { syntax: "prefetch, [rn{, #imm}]", operands: { prefetch, rn: base, imm: offset9 } },
  "prefetch-reg": { syntax: "prefetch, [rn, rm{, extend{ #scaled}}]", operands: { prefetch, rn: base, rm: x(16), extend: index64, scaled } },
  "prefetch-ext": { syntax: "prefetch, [rn, rm, extend{ #scaled}]", operands: { prefetch, rn: base, rm: w(16), extend: index32, scaled } },
  "prefetch-literal": { syntax: "prefetch, target", operands: { prefetch, target: target19 } },
  "pair-imm": { syntax: "rt, rt2, [rn{, #imm}]", operands: { rt: r(0), rt2: r(10), rn: base, imm: pairOffset } },
  "pair-pre": { syntax: "rt, rt2, [rn, #imm]!", operands: { rt: r(0), rt2: r(10), rn: base, imm: pairStep } },
  "pair-post": { syntax: "rt, rt2, [rn], #imm", operands: { rt: r(0), rt2: r(10), rn: base, imm: pairStep } },
  "ls-base": { syntax: "rt, [rn]", operands: { rt: r(0), rn: base } },
  "pair-base": { syntax: "rt, rt2, [rn]", operands: { rt: r(0), rt2: r(10), rn: base } },
  "store-exclusive": { syntax: "rs, rt, [rn]", operands: { rs: w(16), rt: r(0), rn: base } },
  "store-exclusive-pair": { syntax: "rs, rt, rt2, [rn]", operands: { rs: w(16), rt: r(0), rt2: r(10), rn: base } },
  atomic: { syntax: "rs, rt, [rn]", operands: { rs: r(16), rt: r(0), rn: base } },
  "compare-swap-pair": { syntax: "rs, rs+1, rt, rt+1, [rn]", operands: { rs: even(16), rt: even(0), rn: base } },

  // Floating point.
  convert: { syntax: "rd, rn", operands: { rd: r(0), rn: g(5) } },
  "fp-compare": { syntax: "rn, rm", operands: { rn: r(5), rm: r(16) } },
  "fp-compare-zero": { syntax: "rn, #0.0", operands: { rn: r(5) } },
  "fp-imm": { syntax: "rd, #imm", operands: { rd: r(0), imm: { kind: "float8", bits: [[13, 8, 0]] } } },
  "move-zero": { syntax: "rd, #0", operands: { rd: r(0) } },
} as const satisfies Readonly<Record<string, Format>>;

export type FormatName = keyof typeof FORMATS;

export const CONDITIONS = ["eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le", "al", "nv"] as const;
export const SHIFTS = ["lsl", "lsr", "asr", "ror"] as const;
const EXTENDS = ["uxtb", "uxth", "uxtw", "uxtx", "sxtb", "sxth", "sxtw", "sxtx"] as const;

type Names = readonly (readonly [name: string, value: number])[];

const listed = (names: readonly string[]): Names => names.map((name, value) => [name, value]);

const INVERSE_CONDITIONS: Names = CONDITIONS.slice(0, 14).map((name, value) => [name, value ^ 1]);
const INDEXES_64 = [
  ["lsl", UXTX],
  ["sxtx", SXTX],
] as const satisfies Names;
const INDEXES_32 = [
  ["uxtw", 2],
  ["sxtw", 6],
] as const satisfies Names;

/** op1 and op2 of MSR (immediate), C5.2. */
const PSTATE_FIELDS = [
  ["daifset", 0o36],
  ["daifclr", 0o37],
] as const satisfies Names;
const PSTATE_BITS = [
  ["uao", 0o03],
  ["pan", 0o04],
  ["spsel", 0o05],
  ["ssbs", 0o31],
  ["dit", 0o32],
] as const satisfies Names;

const BARRIERS = [
  ["oshld", 1],
  ["oshst", 2],
  ["osh", 3],
  ["nshld", 5],
  ["nshst", 6],
  ["nsh", 7],
  ["ishld", 9],
  ["ishst", 10],
  ["ish", 11],
  ["ld", 13],
  ["st", 14],
  ["sy", 15],
] as const satisfies Names;

/** pldl1keep: type, level of cache, policy (C6.2, PRFM). */
const PREFETCHES: Names = ["pld", "pli", "pst"].flatMap((type, typeNumber) =>
  [1, 2, 3].flatMap((level) =>
    ["keep", "strm"].map((policy, policyNumber) => [`${type}l${level}${policy}`, (typeNumber << 3) | ((level - 1) << 1) | policyNumber] as const),
  ),
);

const systemOperations = (kind: SystemOperationKind, takesRegister: boolean): Names =>
  SYSTEM_OPERATIONS.filter((row) => row.kind === kind && row.takesRegister === takesRegister).map(({ name, number }) => [name, number]);

/** Operands that are written by name; `isOpen` ones may be any other number that fits too. */
const NAMED_KINDS: readonly { readonly kind: OperandKind; readonly names: Names; readonly isOpen?: true }[] = [
  { kind: "condition", names: [...listed(CONDITIONS), ["hs", 2], ["lo", 3]] },
  { kind: "inverse-condition", names: [...INVERSE_CONDITIONS, ["hs", 3], ["lo", 2]] },
  { kind: "shift", names: listed(SHIFTS) },
  { kind: "extend", names: listed(EXTENDS) },
  { kind: "index64", names: INDEXES_64 },
  { kind: "index32", names: INDEXES_32 },
  { kind: "pstate", names: PSTATE_FIELDS },
  { kind: "pstate-bit", names: PSTATE_BITS },
  { kind: "barrier", names: BARRIERS, isOpen: true },
  { kind: "isb", names: [["sy", 15]], isOpen: true },
  { kind: "prefetch", names: PREFETCHES, isOpen: true },
  { kind: "cn", names: Array.from({ length: 16 }, (_, number) => [`c${number}`, number] as const) },
  { kind: "at-register", names: systemOperations("at", true) },
  { kind: "dc-register", names: systemOperations("dc", true) },
  { kind: "ic-register", names: systemOperations("ic", true) },
  { kind: "ic-none", names: systemOperations("ic", false) },
  { kind: "tlbi-register", names: systemOperations("tlbi", true) },
  { kind: "tlbi-none", names: systemOperations("tlbi", false) },
];

export interface NamedKind {
  readonly numbers: ReadonlyMap<string, number>;
  readonly names: ReadonlyMap<number, string>;
  readonly isOpen: boolean;
}

const namedKinds: ReadonlyMap<OperandKind, NamedKind> = new Map(
  NAMED_KINDS.map(({ kind, names, isOpen = false }) => {
    // The first name of a value is the one that is written.
    const written = new Map(names.toReversed().map(([name, value]) => [value, name]));
    return [kind, { numbers: new Map(names), names: written, isOpen }];
  }),
);

export function namedKind(kind: OperandKind): NamedKind | undefined {
  return namedKinds.get(kind);
}

export type ConditionName = (typeof CONDITIONS)[number] | "hs" | "lo";

/** The width of a logical immediate's register; undefined for other kinds. */
export function bitmaskWidth(kind: OperandKind): 32 | 64 | undefined {
  if (kind === "bitmask32") return 32;
  return kind === "bitmask64" ? 64 : undefined;
}

/** What `encode` takes for an operand beside its number. */
export interface NamesOf {
  readonly condition: ConditionName;
  readonly shift: (typeof SHIFTS)[number];
  readonly extend: (typeof EXTENDS)[number];
  readonly index64: (typeof INDEXES_64)[number][0];
  readonly index32: (typeof INDEXES_32)[number][0];
  readonly system: SystemRegisterName;
  readonly pstate: (typeof PSTATE_FIELDS)[number][0];
  readonly "pstate-bit": (typeof PSTATE_BITS)[number][0];
  readonly barrier: (typeof BARRIERS)[number][0];
}

/** What a syntax string says, in order. */
export type SyntaxPart =
  | { readonly part: "operand"; readonly name: string }
  /** The register after that operand's. */
  | { readonly part: "next"; readonly name: string }
  /** Punctuation, words, and numbers that are always the same. */
  | { readonly part: "literal"; readonly text: string }
  | { readonly part: "space" }
  | { readonly part: "optional"; readonly parts: readonly SyntaxPart[] };

export function parseSyntax(syntax: string, operands: Readonly<Record<string, unknown>>): readonly SyntaxPart[] {
  const pieces = syntax.match(/[a-z][a-z0-9]*\+1|[a-z][a-z0-9]*|0\.0|0|[{}[\]#,!]| /g) ?? [];
  const open: SyntaxPart[][] = [[]];
  for (const piece of pieces) {
    const parts = open[open.length - 1] ?? [];
    if (piece === "{") open.push([]);
    else if (piece === "}") open[open.length - 2]?.push({ part: "optional", parts: open.pop() ?? [] });
    else if (piece === " ") parts.push({ part: "space" });
    else if (piece.endsWith("+1")) parts.push({ part: "next", name: piece.slice(0, -2) });
    else if (piece in operands) parts.push({ part: "operand", name: piece });
    else parts.push({ part: "literal", text: piece });
  }
  return open[0] ?? [];
}
