// What an operand can be, as plain data that the back end builds, the decoder returns and the assembler reads from text, and
// the patterns by which the rows of instructions.ts say what they take. Every operand belongs to one class and every pattern takes
// a few, so the encoder finds a row by the classes alone and looks at values only to choose among the rows left.
// Names of patterns are the manual's (Intel SDM volume 2, chapter 3, 3.1.1.3), with `imm8/64` for "8 bits, sign-extended to 64".

/** What the code segment's descriptor says: real mode and 16-bit segments, 32-bit segments, 64-bit mode. */
export type Mode = 16 | 32 | 64;

export interface RegisterOperand {
  readonly kind: "reg";
  readonly width: 8 | 16 | 32 | 64;
  /** 0..15. Of the byte registers, 4..7 are spl, bpl, sil and dil, or with `high` ah, ch, dh and bh. */
  readonly number: number;
  readonly high?: true;
}

export interface SpecialRegisterOperand {
  readonly kind: "sreg" | "cr" | "dr" | "xmm" | "st";
  readonly number: number;
}

export interface MemoryOperand {
  readonly kind: "mem";
  /** Bits accessed; absent where another operand says it or the instruction has one width only. */
  readonly width?: MemoryWidth;
  /** A far pointer, 16 bits of selector behind an offset; it says its width. One of 48 bits is nothing else. */
  readonly far?: true;
  /** Number of a general register of the address width. */
  readonly base?: number;
  readonly index?: number;
  /** 1 unless said. */
  readonly scale?: 1 | 2 | 4 | 8;
  /** Signed; with ripRelative counted from the end of the instruction. 0 unless said. */
  readonly disp?: number | bigint;
  /** Keeps the displacement's field this wide, for a relocation. */
  readonly displacementWidth?: 8 | 16 | 32 | 64;
  /** Number of a segment register; left out of the encoding where it is the one used anyway. */
  readonly segment?: number;
  readonly ripRelative?: true;
  /** The mode's own unless said. */
  readonly addressWidth?: 16 | 32 | 64;
}

export type MemoryWidth = 8 | 16 | 32 | 48 | 64 | 80 | 128;

/** An immediate whose field must have a width, for a relocation. Other immediates are plain numbers. */
export interface ImmediateOperand {
  readonly kind: "imm";
  readonly value: number | bigint;
  readonly width: 8 | 16 | 32 | 64;
}

/** A branch target, by its distance from the first byte of the instruction. */
export interface TargetOperand {
  readonly kind: "target";
  readonly distance: number;
  /** Bits of the field; the shortest that fits unless said. */
  readonly width?: 8 | 16 | 32;
}

/** A far branch target of the modes that have one in the instruction. */
export interface FarOperand {
  readonly kind: "far";
  readonly selector: number;
  readonly offset: number;
  /** Bits of the offset; the mode's own unless said. */
  readonly width?: 16 | 32;
}

export type Operand = number | bigint | RegisterOperand | SpecialRegisterOperand | MemoryOperand | ImmediateOperand | TargetOperand | FarOperand;

const CLASSES = [
  "none",
  "reg8",
  "reg16",
  "reg32",
  "reg64",
  "sreg",
  "cr",
  "dr",
  "xmm",
  "st",
  "imm",
  "target",
  "far",
  "mem",
  "mem8",
  "mem16",
  "mem32",
  "mem64",
  "mem80",
  "mem128",
  "far32",
  "far48",
  "far80",
] as const;
export type OperandClass = (typeof CLASSES)[number];

const classNumbers = Object.fromEntries(CLASSES.map((name, number) => [name, number])) as Readonly<Record<OperandClass, number>>;

/** Bits of one class in a key. */
const CLASS_BITS = 5;
const MEMORY_CLASSES: Readonly<Record<MemoryWidth, OperandClass>> = {
  8: "mem8",
  16: "mem16",
  32: "mem32",
  48: "far48",
  64: "mem64",
  80: "mem80",
  128: "mem128",
};
const REGISTER_CLASSES = { 8: "reg8", 16: "reg16", 32: "reg32", 64: "reg64" } as const;

export function classOf(operand: Operand): OperandClass {
  if (typeof operand !== "object") return "imm";
  switch (operand.kind) {
    case "reg":
      return REGISTER_CLASSES[operand.width];
    case "mem": {
      const { width, far } = operand;
      if (width === undefined) return "mem";
      if (far === true && width === 32) return "far32";
      return far === true && width === 80 ? "far80" : MEMORY_CLASSES[width];
    }
    case "sreg":
    case "cr":
    case "dr":
    case "xmm":
    case "st":
    case "imm":
    case "target":
    case "far":
      return operand.kind;
  }
}

/** One number for the classes of all operands, first lowest. */
export function keyOf(operands: readonly Operand[]): number {
  let key = 0;
  for (let index = operands.length - 1; index >= 0; index--) key = (key << CLASS_BITS) | classNumbers[classOf(operands[index] ?? 0)];
  return key;
}

/** The keys of all operands that patterns take. */
export function keysOf(patterns: readonly OperandPattern[]): readonly number[] {
  return patterns.reduceRight<readonly number[]>(
    (keys, { classes }) => keys.flatMap((key) => classes.map((name) => (key << CLASS_BITS) | classNumbers[name])),
    [0],
  );
}

/** Whether a key has a memory operand that does not say its width. */
export function hasUnsizedMemory(key: number): boolean {
  for (let rest = key; rest !== 0; rest >>>= CLASS_BITS) if ((rest & ((1 << CLASS_BITS) - 1)) === classNumbers.mem) return true;
  return false;
}

/** Where an operand goes. */
export type Slot =
  | "reg" // ModRM bits 5:3
  | "rm" // ModRM bits 7:6 and 2:0, with SIB and displacement
  | "reg+rm" // a register in both: imul with two operands
  | "opcode" // the low bits of the last opcode byte
  | "vvvv" // the register in VEX
  | "immediate"
  | "relative"
  | "address" // a bare address behind the opcode
  | "pointer" // offset and selector behind the opcode
  | "implied"; // nowhere

export interface OperandPattern {
  readonly name: string;
  readonly classes: readonly OperandClass[];
  readonly slot: Slot;
  /** Of a fixed register or value. */
  readonly fixed?: number;
  /** A register number that has another meaning here. */
  readonly without?: number;
  /** Bits of an immediate's, target's or far offset's field. */
  readonly field?: 8 | 16 | 32 | 64;
  /** Bits of the operand that an immediate is extended to. */
  readonly extended?: 8 | 16 | 32 | 64;
  /** Bits of a memory operand; absent when any will do. */
  readonly memoryWidth?: MemoryWidth;
}

type Shape = Omit<OperandPattern, "name" | "slot"> & { readonly slot: Slot | "by-encoding" };

const register = (width: 8 | 16 | 32 | 64): Shape => ({ classes: [REGISTER_CLASSES[width]], slot: "by-encoding" });
const fixed = (width: 8 | 16 | 32 | 64, number: number): Shape => ({ classes: [REGISTER_CLASSES[width]], slot: "implied", fixed: number });
const memory = (memoryWidth: MemoryWidth): Shape => ({ classes: ["mem", MEMORY_CLASSES[memoryWidth]], slot: "rm", memoryWidth });
const registerOrMemory = (width: 8 | 16 | 32 | 64): Shape => ({
  classes: [REGISTER_CLASSES[width], "mem", MEMORY_CLASSES[width]],
  slot: "rm",
  memoryWidth: width,
});
const xmmOrMemory = (memoryWidth: 32 | 64 | 128): Shape => ({ classes: ["xmm", "mem", MEMORY_CLASSES[memoryWidth]], slot: "rm", memoryWidth });
const address = (memoryWidth: 8 | 16 | 32 | 64): Shape => ({ classes: ["mem", MEMORY_CLASSES[memoryWidth]], slot: "address", memoryWidth });
const immediate = (field: 8 | 16 | 32 | 64, extended: 8 | 16 | 32 | 64): Shape => ({ classes: ["imm"], slot: "immediate", field, extended });
const relative = (field: 8 | 16 | 32): Shape => ({ classes: ["target"], slot: "relative", field });

export const PATTERNS = {
  r8: register(8),
  r16: register(16),
  r32: register(32),
  r64: register(64),
  rm8: registerOrMemory(8),
  rm16: registerOrMemory(16),
  rm32: registerOrMemory(32),
  rm64: registerOrMemory(64),
  // One register written once that the encoding names twice.
  rr16: { classes: ["reg16"], slot: "reg+rm" },
  rr32: { classes: ["reg32"], slot: "reg+rm" },
  rr64: { classes: ["reg64"], slot: "reg+rm" },
  // 90 alone is nop and not an exchange of rax with itself, which would clear the upper half of rax in its 32-bit form.
  "r16-ax": { classes: ["reg16"], slot: "by-encoding", without: 0 },
  "r32-eax": { classes: ["reg32"], slot: "by-encoding", without: 0 },
  "r64-rax": { classes: ["reg64"], slot: "by-encoding", without: 0 },
  v32: { classes: ["reg32"], slot: "vvvv" },
  v64: { classes: ["reg64"], slot: "vvvv" },
  al: fixed(8, 0),
  ax: fixed(16, 0),
  eax: fixed(32, 0),
  rax: fixed(64, 0),
  cl: fixed(8, 1),
  dx: fixed(16, 2),
  es: { classes: ["sreg"], slot: "implied", fixed: 0 },
  cs: { classes: ["sreg"], slot: "implied", fixed: 1 },
  ss: { classes: ["sreg"], slot: "implied", fixed: 2 },
  ds: { classes: ["sreg"], slot: "implied", fixed: 3 },
  fs: { classes: ["sreg"], slot: "implied", fixed: 4 },
  gs: { classes: ["sreg"], slot: "implied", fixed: 5 },
  "1": { classes: ["imm"], slot: "implied", fixed: 1 },
  "3": { classes: ["imm"], slot: "implied", fixed: 3 },
  // Any width: the instruction looks at the address only, or has a width that no keyword names.
  m: { classes: ["mem", "mem8", "mem16", "mem32", "far48", "mem64", "mem80", "mem128"], slot: "rm" },
  m8: memory(8),
  m16: memory(16),
  m32: memory(32),
  m64: memory(64),
  m80: memory(80),
  m128: memory(128),
  "m16:16": { classes: ["far32"], slot: "rm", memoryWidth: 32 },
  "m16:32": { classes: ["far48"], slot: "rm", memoryWidth: 48 },
  "m16:64": { classes: ["far80"], slot: "rm", memoryWidth: 80 },
  moffs8: address(8),
  moffs16: address(16),
  moffs32: address(32),
  moffs64: address(64),
  imm8: immediate(8, 8),
  imm16: immediate(16, 16),
  imm32: immediate(32, 32),
  imm64: immediate(64, 64),
  "imm8/16": immediate(8, 16),
  "imm8/32": immediate(8, 32),
  "imm8/64": immediate(8, 64),
  "imm32/64": immediate(32, 64),
  rel8: relative(8),
  rel16: relative(16),
  rel32: relative(32),
  "ptr16:16": { classes: ["far"], slot: "pointer", field: 16 },
  "ptr16:32": { classes: ["far"], slot: "pointer", field: 32 },
  sreg: { classes: ["sreg"], slot: "reg" },
  "sreg-cs": { classes: ["sreg"], slot: "reg", without: 1 },
  cr: { classes: ["cr"], slot: "reg" },
  dr: { classes: ["dr"], slot: "reg" },
  xmm: { classes: ["xmm"], slot: "by-encoding" },
  xm32: xmmOrMemory(32),
  xm64: xmmOrMemory(64),
  xm128: xmmOrMemory(128),
  st: { classes: ["st"], slot: "opcode" },
  st0: { classes: ["st"], slot: "implied", fixed: 0 },
} as const satisfies Readonly<Record<string, Shape>>;

export type PatternName = keyof typeof PATTERNS;

export const isPatternName = (name: string): name is PatternName => Object.hasOwn(PATTERNS, name);

/** An immediate's value wherever it comes from. */
export function valueOf(operand: number | bigint | ImmediateOperand): number | bigint {
  return typeof operand === "object" ? operand.value : operand;
}

// What the back end writes most.

export const reg = (width: 8 | 16 | 32 | 64, number: number): RegisterOperand => ({ kind: "reg", width, number });
export const xmm = (number: number): SpecialRegisterOperand => ({ kind: "xmm", number });
export const mem = (width: MemoryWidth, place: Omit<MemoryOperand, "kind" | "width">): MemoryOperand => ({ kind: "mem", width, ...place });
export const imm = (width: 8 | 16 | 32 | 64, value: number | bigint): ImmediateOperand => ({ kind: "imm", width, value });
export const target = (distance: number, width?: 8 | 16 | 32): TargetOperand => ({ kind: "target", distance, ...(width !== undefined && { width }) });
