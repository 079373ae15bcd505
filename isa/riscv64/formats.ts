// Instruction formats of RV64 and RV32: which operands an instruction has, where their bits lie in the word, what values they may take
// and how they are written. A row of instructions.ts names one of these; encoder, decoder, assembler and disassembler know
// nothing else about operands. Bit layouts: RISC-V Instruction Set Manual Volume I, 20191213, 2.2 (base formats), 2.3 (immediate
// variants), 8 (A), 9.1 (Zicsr), 11 (F), 16.2 (compressed formats), 16.8 (compressed listings); Zicbop: CMO extensions 1.0, 4.
//
// Syntax notation: an operand's name stands for its text, [..] may be left out when reading and is always written unless the
// operand has an `implied` value and holds it, `sp` is itself.

/** Instruction bits [at+width-1 : at] hold value bits [from+width-1 : from]. */
export type BitPiece = readonly [at: number, width: number, from: number];

export type OperandKind =
  | "x" // integer register
  | "f" // floating-point register
  | "x8" // x8..x15, in three bits
  | "f8" // f8..f15, in three bits
  | "signed"
  | "unsigned"
  | "upper" // the 20 bits that lui and auipc take; sign-extended to 20 bits where the field is narrower
  | "target" // byte distance from the instruction
  | "csr"
  | "rounding" // rounding mode
  | "fence" // subset of i, o, r, w
  | "order" // aq and rl, written as a suffix of the mnemonic
  | "ignored"; // software writes 0, hardware ignores it; has no text

export interface Operand {
  readonly kind: OperandKind;
  readonly bits: readonly BitPiece[];
  /** Values that are another instruction or reserved. */
  readonly without?: readonly number[];
  /** The value when it is not given. */
  readonly implied?: number;
}

export interface Format {
  readonly syntax: string;
  readonly operands: Readonly<Record<string, Operand>>;
}

const x = (at: number, without: readonly number[] = []) => ({ kind: "x", bits: [[at, 5, 0]], without }) as const;
const f = (at: number) => ({ kind: "f", bits: [[at, 5, 0]] }) as const;
const x8 = (at: number) => ({ kind: "x8", bits: [[at, 3, 0]] }) as const;
const f8 = (at: number) => ({ kind: "f8", bits: [[at, 3, 0]] }) as const;
const unsigned = (bits: readonly BitPiece[], without: readonly number[] = []) => ({ kind: "unsigned", bits, without }) as const;
const signed = (bits: readonly BitPiece[], without: readonly number[] = []) => ({ kind: "signed", bits, without }) as const;
const target = (bits: readonly BitPiece[]) => ({ kind: "target", bits }) as const;
const ignored = (at: number, width: number) => ({ kind: "ignored", bits: [[at, width, 0]], implied: 0 }) as const;
const rounding = (implied: number) =>
  // 5 and 6 are reserved (Volume I, 11.2).
  ({ kind: "rounding", bits: [[12, 3, 0]], without: [5, 6], implied }) as const;

const RNE = 0;
const DYN = 7;

const csr = { kind: "csr", bits: [[20, 12, 0]] } as const;
const order = { kind: "order", bits: [[25, 2, 0]], implied: 0 } as const;

const immI = signed([[20, 12, 0]]);
const immS = signed([
  [25, 7, 5],
  [7, 5, 0],
]);
const immCI: readonly BitPiece[] = [
  [12, 1, 5],
  [2, 5, 0],
];
/** Bit 12 has to be 0: what is shifted by 32 and more is reserved for custom extensions (Volume I, 16.5). */
const shamtCI32: readonly BitPiece[] = [[2, 5, 0]];
const offsetCLW = unsigned([
  [10, 3, 3],
  [6, 1, 2],
  [5, 1, 6],
]);
const offsetCLD = unsigned([
  [10, 3, 3],
  [5, 2, 6],
]);
const offsetLWSP = unsigned([
  [12, 1, 5],
  [4, 3, 2],
  [2, 2, 6],
]);
const offsetLDSP = unsigned([
  [12, 1, 5],
  [5, 2, 3],
  [2, 3, 6],
]);
const offsetSWSP = unsigned([
  [9, 4, 2],
  [7, 2, 6],
]);
const offsetSDSP = unsigned([
  [10, 3, 3],
  [7, 3, 6],
]);

export const FORMATS = {
  none: { syntax: "", operands: {} },

  // Integer, 32 bits.
  R: { syntax: "rd, rs1, rs2", operands: { rd: x(7), rs1: x(15), rs2: x(20) } },
  "R-unary": { syntax: "rd, rs1", operands: { rd: x(7), rs1: x(15) } },
  I: { syntax: "rd, rs1, imm", operands: { rd: x(7), rs1: x(15), imm: immI } },
  "I-shift": { syntax: "rd, rs1, shamt", operands: { rd: x(7), rs1: x(15), shamt: unsigned([[20, 6, 0]]) } },
  "I-shift-w": { syntax: "rd, rs1, shamt", operands: { rd: x(7), rs1: x(15), shamt: unsigned([[20, 5, 0]]) } },
  "I-load": { syntax: "rd, [imm](rs1)", operands: { rd: x(7), rs1: x(15), imm: immI } },
  S: { syntax: "rs2, [imm](rs1)", operands: { rs2: x(20), rs1: x(15), imm: immS } },
  B: {
    syntax: "rs1, rs2, target",
    operands: {
      rs1: x(15),
      rs2: x(20),
      target: target([
        [31, 1, 12],
        [25, 6, 5],
        [8, 4, 1],
        [7, 1, 11],
      ]),
    },
  },
  U: { syntax: "rd, imm", operands: { rd: x(7), imm: { kind: "upper", bits: [[12, 20, 0]] } } },
  J: {
    syntax: "rd, target",
    operands: {
      rd: x(7),
      target: target([
        [31, 1, 20],
        [21, 10, 1],
        [20, 1, 11],
        [12, 8, 12],
      ]),
    },
  },
  // Reserved fields of a fence are ignored, not illegal (Volume I, 2.7 and 3).
  fence: {
    syntax: "pred, succ",
    operands: {
      pred: { kind: "fence", bits: [[24, 4, 0]] },
      succ: { kind: "fence", bits: [[20, 4, 0]] },
      fm: ignored(28, 4),
      rd: ignored(7, 5),
      rs1: ignored(15, 5),
    },
  },
  "fence.i": { syntax: "", operands: { imm: ignored(20, 12), rd: ignored(7, 5), rs1: ignored(15, 5) } },
  csr: { syntax: "rd, csr, rs1", operands: { rd: x(7), csr, rs1: x(15) } },
  "csr-imm": { syntax: "rd, csr, imm", operands: { rd: x(7), csr, imm: unsigned([[15, 5, 0]]) } },
  lr: { syntax: "rd, (rs1)", operands: { rd: x(7), rs1: x(15), order } },
  amo: { syntax: "rd, rs2, (rs1)", operands: { rd: x(7), rs2: x(20), rs1: x(15), order } },
  "R-fence": { syntax: "rs1, rs2", operands: { rs1: x(15), rs2: x(20) } },
  "R-load": { syntax: "rd, (rs1)", operands: { rd: x(7), rs1: x(15) } },
  "R-store": { syntax: "rs2, (rs1)", operands: { rs2: x(20), rs1: x(15) } },
  "cache-block": { syntax: "(rs1)", operands: { rs1: x(15) } },
  prefetch: { syntax: "[imm](rs1)", operands: { rs1: x(15), imm: signed([[25, 7, 5]]) } },

  // Floating point, 32 bits.
  "F-load": { syntax: "rd, [imm](rs1)", operands: { rd: f(7), rs1: x(15), imm: immI } },
  "F-store": { syntax: "rs2, [imm](rs1)", operands: { rs2: f(20), rs1: x(15), imm: immS } },
  "F-R4": {
    syntax: "rd, rs1, rs2, rs3[, rm]",
    operands: { rd: f(7), rs1: f(15), rs2: f(20), rs3: f(27), rm: rounding(DYN) },
  },
  "F-R-rm": { syntax: "rd, rs1, rs2[, rm]", operands: { rd: f(7), rs1: f(15), rs2: f(20), rm: rounding(DYN) } },
  "F-R": { syntax: "rd, rs1, rs2", operands: { rd: f(7), rs1: f(15), rs2: f(20) } },
  "F-unary-rm": { syntax: "rd, rs1[, rm]", operands: { rd: f(7), rs1: f(15), rm: rounding(DYN) } },
  "F-compare": { syntax: "rd, rs1, rs2", operands: { rd: x(7), rs1: f(15), rs2: f(20) } },
  "F-to-x-rm": { syntax: "rd, rs1[, rm]", operands: { rd: x(7), rs1: f(15), rm: rounding(DYN) } },
  "F-from-x-rm": { syntax: "rd, rs1[, rm]", operands: { rd: f(7), rs1: x(15), rm: rounding(DYN) } },
  "F-to-x": { syntax: "rd, rs1", operands: { rd: x(7), rs1: f(15) } },
  "F-from-x": { syntax: "rd, rs1", operands: { rd: f(7), rs1: x(15) } },
  // Conversions that never round hold rm all the same; assemblers write 0 (Volume I, 12.5).
  "F-unary-exact": { syntax: "rd, rs1[, rm]", operands: { rd: f(7), rs1: f(15), rm: rounding(RNE) } },
  "F-from-x-exact": { syntax: "rd, rs1[, rm]", operands: { rd: f(7), rs1: x(15), rm: rounding(RNE) } },

  // Compressed, 16 bits. `without` lists what Volume I, 16.8 marks as reserved or as another instruction; HINTs stay in,
  // because hardware executes them as nothing.
  "C-addi4spn": {
    syntax: "rd, sp, imm",
    operands: {
      rd: x8(2),
      imm: unsigned(
        [
          [11, 2, 4],
          [7, 4, 6],
          [6, 1, 2],
          [5, 1, 3],
        ],
        [0],
      ),
    },
  },
  "C-lw": { syntax: "rd, [imm](rs1)", operands: { rd: x8(2), rs1: x8(7), imm: offsetCLW } },
  "C-ld": { syntax: "rd, [imm](rs1)", operands: { rd: x8(2), rs1: x8(7), imm: offsetCLD } },
  "C-fld": { syntax: "rd, [imm](rs1)", operands: { rd: f8(2), rs1: x8(7), imm: offsetCLD } },
  "C-flw": { syntax: "rd, [imm](rs1)", operands: { rd: f8(2), rs1: x8(7), imm: offsetCLW } },
  "C-sw": { syntax: "rs2, [imm](rs1)", operands: { rs2: x8(2), rs1: x8(7), imm: offsetCLW } },
  "C-sd": { syntax: "rs2, [imm](rs1)", operands: { rs2: x8(2), rs1: x8(7), imm: offsetCLD } },
  "C-fsw": { syntax: "rs2, [imm](rs1)", operands: { rs2: f8(2), rs1: x8(7), imm: offsetCLW } },
  "C-fsd": { syntax: "rs2, [imm](rs1)", operands: { rs2: f8(2), rs1: x8(7), imm: offsetCLD } },
  "C-imm": { syntax: "rd, imm", operands: { rd: x(7), imm: signed(immCI) } },
  "C-addiw": { syntax: "rd, imm", operands: { rd: x(7, [0]), imm: signed(immCI) } },
  "C-addi16sp": {
    syntax: "sp, imm",
    operands: {
      imm: signed(
        [
          [12, 1, 9],
          [6, 1, 4],
          [5, 1, 6],
          [3, 2, 7],
          [2, 1, 5],
        ],
        [0],
      ),
    },
  },
  "C-lui": { syntax: "rd, imm", operands: { rd: x(7, [2]), imm: { kind: "upper", bits: immCI, without: [0] } } },
  "C-shift": { syntax: "rd, shamt", operands: { rd: x8(7), shamt: unsigned(immCI, [0]) } },
  "C-shift-w": { syntax: "rd, shamt", operands: { rd: x8(7), shamt: unsigned(shamtCI32, [0]) } },
  "C-shift64": { syntax: "rd", operands: { rd: x8(7) } },
  "C-andi": { syntax: "rd, imm", operands: { rd: x8(7), imm: signed(immCI) } },
  "C-arith": { syntax: "rd, rs2", operands: { rd: x8(7), rs2: x8(2) } },
  "C-j": {
    syntax: "target",
    operands: {
      target: target([
        [12, 1, 11],
        [11, 1, 4],
        [9, 2, 8],
        [8, 1, 10],
        [7, 1, 6],
        [6, 1, 7],
        [3, 3, 1],
        [2, 1, 5],
      ]),
    },
  },
  "C-branch": {
    syntax: "rs1, target",
    operands: {
      rs1: x8(7),
      target: target([
        [12, 1, 8],
        [10, 2, 3],
        [5, 2, 6],
        [3, 2, 1],
        [2, 1, 5],
      ]),
    },
  },
  "C-slli": { syntax: "rd, shamt", operands: { rd: x(7), shamt: unsigned(immCI, [0]) } },
  "C-slli-w": { syntax: "rd, shamt", operands: { rd: x(7), shamt: unsigned(shamtCI32, [0]) } },
  "C-slli64": { syntax: "rd", operands: { rd: x(7) } },
  "C-lwsp": { syntax: "rd, [imm](sp)", operands: { rd: x(7, [0]), imm: offsetLWSP } },
  "C-ldsp": { syntax: "rd, [imm](sp)", operands: { rd: x(7, [0]), imm: offsetLDSP } },
  "C-flwsp": { syntax: "rd, [imm](sp)", operands: { rd: f(7), imm: offsetLWSP } },
  "C-fldsp": { syntax: "rd, [imm](sp)", operands: { rd: f(7), imm: offsetLDSP } },
  "C-swsp": { syntax: "rs2, [imm](sp)", operands: { rs2: x(2), imm: offsetSWSP } },
  "C-sdsp": { syntax: "rs2, [imm](sp)", operands: { rs2: x(2), imm: offsetSDSP } },
  "C-fswsp": { syntax: "rs2, [imm](sp)", operands: { rs2: f(2), imm: offsetSWSP } },
  "C-fsdsp": { syntax: "rs2, [imm](sp)", operands: { rs2: f(2), imm: offsetSDSP } },
  "C-jr": { syntax: "rs1", operands: { rs1: x(7, [0]) } },
  "C-move": { syntax: "rd, rs2", operands: { rd: x(7), rs2: x(2, [0]) } },
} as const satisfies Readonly<Record<string, Format>>;

export type FormatName = keyof typeof FORMATS;

/** RV32 shifts by five bits. */
export const NARROW_FORMATS: Readonly<Partial<Record<FormatName, FormatName>>> = {
  "I-shift": "I-shift-w",
  "C-shift": "C-shift-w",
  "C-slli": "C-slli-w",
};

export const ROUNDING_MODES = ["rne", "rtz", "rdn", "rup", "rmm", undefined, undefined, "dyn"] as const;
export type RoundingMode = NonNullable<(typeof ROUNDING_MODES)[number]>;

export const MEMORY_ORDERS = ["", "rl", "aq", "aqrl"] as const;
export type MemoryOrder = (typeof MEMORY_ORDERS)[number];

/** Bits of a fence's predecessor and successor sets, highest first. */
export const FENCE_LETTERS = ["i", "o", "r", "w"] as const;

/** What a syntax string says, in order. */
export type SyntaxPart =
  | { readonly part: "operand"; readonly name: string }
  | { readonly part: "punctuation"; readonly text: string }
  | { readonly part: "register"; readonly name: string }
  | { readonly part: "optional"; readonly parts: readonly SyntaxPart[] };

export function parseSyntax(format: Format): readonly SyntaxPart[] {
  const pieces = format.syntax.match(/[a-z][a-z0-9]*|[[\](),]/g) ?? [];
  const open: SyntaxPart[][] = [[]];
  for (const piece of pieces) {
    const parts = open[open.length - 1] ?? [];
    if (piece === "[") open.push([]);
    else if (piece === "]") open[open.length - 2]?.push({ part: "optional", parts: open.pop() ?? [] });
    else if (/^[(),]$/.test(piece)) parts.push({ part: "punctuation", text: piece });
    else if (piece in format.operands) parts.push({ part: "operand", name: piece });
    else parts.push({ part: "register", name: piece });
  }
  return open[0] ?? [];
}
