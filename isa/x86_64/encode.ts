// Encoder: a mnemonic and operands to bytes at the end of a growing buffer. The machine-code back end calls `emit` for every
// instruction, so forms are looked up by the classes of the operands in maps that are made once, and nothing is parsed. It takes
// the first form that fits, which by the table's order is the one that GNU as takes, and answers where displacement and immediate
// stand, for relocations. Operands that no form takes are a RangeError here: the compiler must not produce them.

import { findInstructions, writeForm } from "./instructions.ts";
import type { Instruction, Mnemonic } from "./instructions.ts";
import { hasUnsizedMemory, keyOf, keysOf, valueOf } from "./operands.ts";
import type { MemoryOperand, Mode, Operand, OperandPattern } from "./operands.ts";

export interface CodeBuffer {
  /** Longer than what is written; grows. */
  bytes: Uint8Array;
  length: number;
  /** What the processor will decode the next instruction as; boot code changes it on its way. */
  mode: Mode;
}

/** Prefixes that are not part of an operand. */
export interface Prefixes {
  readonly lock?: boolean;
  /** `rep` is also repe. */
  readonly repeat?: "rep" | "repne";
  /** For instructions whose memory operands are implied (movs, xlatb); others have it in the operand. */
  readonly segment?: number;
  /** For those and the loops: the width of rsi, rdi, rcx. */
  readonly addressWidth?: 16 | 32 | 64;
}

/** Offset in the buffer and bytes. */
export interface Field {
  readonly offset: number;
  readonly width: 1 | 2 | 4 | 8;
}

export interface Emitted {
  readonly start: number;
  readonly end: number;
  /** Of a memory operand, also the address of a bare one. */
  readonly displacement: Field | undefined;
  /** Also a branch's distance and a far pointer's offset. */
  readonly immediate: Field | undefined;
}

const NO_PREFIXES: Prefixes = {};

/** An instruction has at most 15 bytes (Intel SDM volume 2, 2.3.11); a form at its longest needs one less than a buffer's spare room. */
const MAX_LENGTH = 16;

const SEGMENT_PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65] as const;

export function createCodeBuffer(mode: Mode = 64, capacity = 256): CodeBuffer {
  return { bytes: new Uint8Array(Math.max(capacity, MAX_LENGTH)), length: 0, mode };
}

export function codeOf({ bytes, length }: CodeBuffer): Uint8Array {
  return bytes.slice(0, length);
}

/**
 * Appends an instruction.
 * @throws {RangeError} when no form takes the operands.
 */
export function emit(code: CodeBuffer, mnemonic: Mnemonic, operands: readonly Operand[], prefixes: Prefixes = NO_PREFIXES): Emitted {
  const form = selectForm(code.mode, mnemonic, operands, prefixes);
  if (typeof form === "string") throw new RangeError(`${mnemonic}: ${form}`);
  return emitForm(code, form, operands, prefixes);
}

/** One instruction's bytes; `emit` does without the copy. */
export function encode(mnemonic: Mnemonic, operands: readonly Operand[], mode: Mode = 64, prefixes: Prefixes = NO_PREFIXES): Uint8Array {
  const code = createCodeBuffer(mode, MAX_LENGTH);
  emit(code, mnemonic, operands, prefixes);
  return codeOf(code);
}

type Candidates = readonly Instruction[] | "unsized";

const candidatesByMode: Readonly<Record<Mode, Map<string, ReadonlyMap<number, Candidates>>>> = { 16: new Map(), 32: new Map(), 64: new Map() };

/** Whose memory operand is as wide as the mode when it says nothing. */
const STACK_WIDTH = /^(push|pop|call|jmp)$/;

function candidatesOf(mode: Mode, mnemonic: string): ReadonlyMap<number, Candidates> {
  const known = candidatesByMode[mode].get(mnemonic);
  if (known !== undefined) return known;
  const byKey = new Map<number, Instruction[]>();
  for (const form of findInstructions(mnemonic) ?? []) {
    if (!form.modes.includes(mode)) continue;
    for (const key of keysOf(form.operands)) {
      const forms = byKey.get(key);
      if (forms === undefined) byKey.set(key, [form]);
      else forms.push(form);
    }
  }
  const candidates = new Map<number, Candidates>();
  for (const [key, forms] of byKey) candidates.set(key, hasUnsizedMemory(key) ? chooseWidth(forms, mode, mnemonic) : forms);
  candidatesByMode[mode].set(mnemonic, candidates);
  return candidates;
}

/** Forms for a memory operand that does not say its width: those of the only width there is. */
function chooseWidth(forms: readonly Instruction[], mode: Mode, mnemonic: string): Candidates {
  const widthOf = (form: Instruction): number | undefined => form.operands.find(({ classes }) => classes.includes("mem"))?.memoryWidth;
  const chosen = STACK_WIDTH.test(mnemonic) ? forms.filter((form) => widthOf(form) === mode) : forms;
  return new Set(chosen.map(widthOf)).size > 1 ? "unsized" : chosen;
}

/** The form to use, or what is wrong. */
export function selectForm(mode: Mode, mnemonic: string, operands: readonly Operand[], prefixes: Prefixes = NO_PREFIXES): Instruction | string {
  const candidates = candidatesOf(mode, mnemonic).get(keyOf(operands));
  if (candidates === undefined) return explainKinds(mode, mnemonic);
  if (candidates === "unsized") return "the width of the memory operand is not known";
  for (let index = 0; index < candidates.length; index++) {
    const form = candidates[index];
    if (form !== undefined && fitsForm(form, operands, mode, prefixes)) return explainPrefixes(form, operands, mode, prefixes) ?? form;
  }
  return explainValues(candidates, operands, mode, prefixes);
}

/** Whether a form that takes operands of these classes takes their values. */
export function fitsForm(form: Instruction, operands: readonly Operand[], mode: Mode, prefixes: Prefixes): boolean {
  for (let index = 0; index < operands.length; index++) {
    const pattern = form.operands[index];
    const operand = operands[index];
    if (pattern === undefined || operand === undefined || !fits(pattern, operand, form, mode, prefixes)) return false;
  }
  return !needsRexAndForbidsIt(form, operands);
}

/** Without REX, byte registers 4..7 are ah, ch, dh and bh, so those go with nothing that needs one (volume 2, 2.2.1.2). */
function needsRexAndForbidsIt({ rexW }: Instruction, operands: readonly Operand[]): boolean {
  let forbids = false;
  let needs = rexW;
  for (const operand of operands) {
    if (typeof operand !== "object") continue;
    if (operand.kind === "mem") needs ||= (operand.base ?? 0) > 7 || (operand.index ?? 0) > 7;
    else if (operand.kind === "reg") {
      if (operand.high === true) forbids = true;
      else needs ||= operand.number > 7 || (operand.width === 8 && operand.number > 3);
    } else if (operand.kind !== "imm" && operand.kind !== "target" && operand.kind !== "far") needs ||= operand.number > 7;
  }
  return needs && forbids;
}

const REGISTER_COUNTS = { sreg: 6, cr: 16, dr: 8, xmm: 16, st: 8 } as const;

function fits(pattern: OperandPattern, operand: Operand, form: Instruction, mode: Mode, prefixes: Prefixes): boolean {
  if (typeof operand !== "object") return fitsImmediate(pattern, operand);
  switch (operand.kind) {
    case "reg": {
      const { number, width, high } = operand;
      if (high === true) return width === 8 && number > 3 && number < 8 && pattern.fixed === undefined;
      if (pattern.fixed !== undefined) return number === pattern.fixed;
      if (number === pattern.without) return false;
      return number >= 0 && number < (mode === 64 ? 16 : width === 8 ? 4 : 8);
    }
    case "sreg":
    case "cr":
    case "dr":
    case "xmm":
    case "st":
      if (pattern.fixed !== undefined) return operand.number === pattern.fixed;
      if (operand.number === pattern.without) return false;
      return operand.number >= 0 && operand.number < Math.min(REGISTER_COUNTS[operand.kind], mode === 64 ? 16 : 8);
    case "mem":
      return pattern.slot === "address" ? fitsBareAddress(operand, mode) : fitsMemory(operand, mode);
    case "imm":
      return operand.width === pattern.field && fitsImmediate(pattern, operand.value);
    case "target": {
      if (operand.width !== undefined ? operand.width !== pattern.field : pattern.field !== 8 && pattern.field !== (mode === 16 ? 16 : 32)) return false;
      if (pattern.field !== 8) return true;
      const distance = operand.distance - branchLength(form, mode, prefixes);
      return distance >= -128 && distance <= 127;
    }
    case "far":
      return (operand.width ?? mode) === pattern.field && operand.selector >= 0 && operand.selector <= 0xffff && fitsField(operand.offset, pattern.field);
  }
}

function branchLength({ operandSize, addressSize, map, operands }: Instruction, mode: Mode, { addressWidth }: Prefixes): number {
  const address = addressSize ?? addressWidth ?? mode;
  const size = operandSize !== undefined && (mode === 16) !== (operandSize === 16) ? 1 : 0;
  return (address === mode ? 0 : 1) + size + map + 1 + (operands[0]?.field ?? 0) / 8;
}

const fitsField = (value: number, bits: number): boolean => Number.isInteger(value) && value >= -(2 ** (bits - 1)) && value < 2 ** bits;

function fitsImmediate({ field, extended, fixed }: OperandPattern, value: number | bigint): boolean {
  if (fixed !== undefined) return Number(value) === fixed;
  if (field === undefined || extended === undefined) return false;
  if (extended === 64)
    return typeof value === "bigint" ? fitsLongImmediate(value, field) : Number.isSafeInteger(value) && (field === 64 || isSigned(value, field));
  if (typeof value === "bigint" && (value < -0x8000_0000n || value > 0xffff_ffffn)) return false;
  const number = Number(value);
  if (!fitsField(number, extended)) return false;
  if (field === extended) return true;
  const signed = number >= 2 ** (extended - 1) ? number - 2 ** extended : number;
  return isSigned(signed, field);
}

const isSigned = (value: number, bits: number): boolean => value >= -(2 ** (bits - 1)) && value < 2 ** (bits - 1);

function fitsLongImmediate(value: bigint, field: number): boolean {
  if (value < -(1n << 63n) || value >= 1n << 64n) return false;
  return field === 64 || BigInt.asIntN(field, value) === BigInt.asIntN(64, value);
}

/** Base and index of 16-bit addresses by ModRM's last bits (volume 2, table 2-1). */
export const SHORT_ADDRESSES: readonly (readonly [base: number, index: number | undefined])[] = [
  [3, 6],
  [3, 7],
  [5, 6],
  [5, 7],
  [6, undefined],
  [7, undefined],
  [5, undefined],
  [3, undefined],
];

function findShortAddress({ base, index }: MemoryOperand): number {
  return SHORT_ADDRESSES.findIndex(([first, second]) => (base === first && index === second) || (base === second && index === first));
}

function fitsMemory(memory: MemoryOperand, mode: Mode): boolean {
  const address = memory.addressWidth ?? mode;
  const { base, index, segment } = memory;
  if (segment !== undefined && (segment < 0 || segment > 5)) return false;
  if (mode === 64 ? address === 16 : address === 64) return false;
  const count = mode === 64 ? 16 : 8;
  if ((base ?? 0) >= count || (index ?? 0) >= count || (base ?? 0) < 0 || (index ?? 0) < 0) return false;
  if (memory.ripRelative === true && (mode !== 64 || base !== undefined || index !== undefined)) return false;
  if (address === 16) {
    if ((memory.scale ?? 1) !== 1) return false;
    if ((base !== undefined || index !== undefined) && findShortAddress(memory) < 0) return false;
  } else if (index === 4) return false;
  return fitsDisplacement(memory.disp ?? 0, address, memory.displacementWidth);
}

function fitsDisplacement(disp: number | bigint, address: 16 | 32 | 64, forced: number | undefined): boolean {
  if (typeof disp === "number" && !Number.isInteger(disp)) return false;
  // Addresses wrap, so a displacement may be written as what it is modulo the address width.
  if (address === 64) {
    const signed = typeof disp === "bigint" && disp >= 1n << 63n ? disp - (1n << 64n) : disp;
    if (signed < -0x8000_0000 || signed > 0x7fff_ffff) return false;
  } else if (disp < -(2 ** (address - 1)) || disp >= 2 ** address) return false;
  if (forced === undefined) return true;
  if (forced === 8) {
    const small = signedDisplacement(disp, address);
    return small >= -128 && small <= 127;
  }
  return forced === (address === 16 ? 16 : 32);
}

const signedDisplacement = (disp: number | bigint, address: 16 | 32 | 64): number => {
  const low = typeof disp === "bigint" ? Number(BigInt.asIntN(32, disp)) : disp | 0;
  return address === 16 ? (low << 16) >> 16 : low;
};

function fitsBareAddress({ base, index, disp = 0, ripRelative, addressWidth, displacementWidth }: MemoryOperand, mode: Mode): boolean {
  const address = addressWidth ?? mode;
  if (base !== undefined || index !== undefined || ripRelative === true) return false;
  if (mode === 64 ? address === 16 : address === 64) return false;
  if (displacementWidth !== undefined && displacementWidth !== address) return false;
  return disp >= -(2 ** (address - 1)) && BigInt(disp) < 1n << BigInt(address);
}

/** Appends a form that `selectForm` gave for these operands. */
export function emitForm(code: CodeBuffer, form: Instruction, operands: readonly Operand[], prefixes: Prefixes = NO_PREFIXES): Emitted {
  const { mode } = code;
  const start = code.length;
  if (start + MAX_LENGTH > code.bytes.length) grow(code);
  const bytes = code.bytes;
  let at = start;

  let memory: MemoryOperand | undefined;
  let slotReg: number = typeof form.modrm === "number" ? form.modrm : 0;
  let slotRm = 0;
  let slotOpcode = 0;
  let slotVvvv = 0;
  let needsRex = false;
  for (let index = 0; index < operands.length; index++) {
    const operand = operands[index];
    const slot = form.operands[index]?.slot;
    if (operand === undefined || typeof operand !== "object") continue;
    if (operand.kind === "mem") {
      memory = operand;
      continue;
    }
    if (operand.kind === "imm" || operand.kind === "target" || operand.kind === "far") continue;
    const { number } = operand;
    if (operand.kind === "reg" && operand.width === 8 && number > 3 && operand.high !== true) needsRex = true;
    if (slot === "reg" || slot === "reg+rm") slotReg = number;
    if (slot === "rm" || slot === "reg+rm") slotRm = number;
    else if (slot === "opcode") slotOpcode = number;
    else if (slot === "vvvv") slotVvvv = number;
  }

  const segment = memory === undefined ? prefixes.segment : memory.segment === usualSegment(memory, mode) ? undefined : memory.segment;
  const address = form.addressSize ?? memory?.addressWidth ?? prefixes.addressWidth ?? mode;
  if (segment !== undefined) bytes[at++] = SEGMENT_PREFIXES[segment] ?? 0;
  if (address !== mode) bytes[at++] = 0x67;
  if (form.operandSize !== undefined && (mode === 16) !== (form.operandSize === 16)) bytes[at++] = 0x66;
  if (form.prefix !== 0 && !form.vex) bytes[at++] = form.prefix;
  if (prefixes.repeat !== undefined) bytes[at++] = prefixes.repeat === "rep" ? 0xf3 : 0xf2;
  if (prefixes.lock === true) bytes[at++] = 0xf0;

  const low = memory === undefined ? slotRm | slotOpcode : (memory.base ?? 0);
  const rex = (form.rexW ? 8 : 0) | ((slotReg >> 3) << 2) | (((memory?.index ?? 0) >> 3) << 1) | (low >> 3);
  if (form.vex) {
    bytes[at++] = 0xc4;
    bytes[at++] = ((~rex & 7) << 5) | form.map;
    bytes[at++] = ((rex & 8) << 4) | ((~slotVvvv & 15) << 3) | (form.prefix === 0x66 ? 1 : form.prefix === 0xf3 ? 2 : form.prefix === 0xf2 ? 3 : 0);
  } else {
    if (rex !== 0 || needsRex) bytes[at++] = 0x40 | rex;
    if (form.map > 0) bytes[at++] = 0x0f;
    if (form.map > 1) bytes[at++] = form.map === 2 ? 0x38 : 0x3a;
  }
  const inSuffix = form.suffix !== undefined;
  bytes[at++] = form.opcode | (inSuffix ? 0 : slotOpcode & 7);
  if (form.suffix !== undefined) bytes[at++] = form.suffix | (slotOpcode & 7);

  let displacement: Field | undefined;
  if (form.modrm !== "none") {
    const middle = (slotReg & 7) << 3;
    if (memory === undefined) bytes[at++] = 0xc0 | middle | (slotRm & 7);
    else {
      const written = writeAddress(bytes, at, middle, memory, mode, address);
      at += written.length;
      if (written.displacement !== 0) displacement = { offset: at - written.displacement, width: written.displacement };
    }
  } else if (memory !== undefined) {
    const width = address === 64 ? 8 : address === 32 ? 4 : 2;
    writeLittle(bytes, at, memory.disp ?? 0, width);
    displacement = { offset: at, width };
    at += width;
  }

  let immediate: Field | undefined;
  for (let index = 0; index < operands.length; index++) {
    const pattern = form.operands[index];
    const operand = operands[index];
    if (pattern?.field === undefined || operand === undefined) continue;
    const width = FIELD_BYTES[pattern.field];
    if (typeof operand !== "object" || operand.kind === "imm") writeLittle(bytes, at, valueOf(operand), width);
    else if (operand.kind === "target") writeLittle(bytes, at, operand.distance - (at + width - start), width);
    else if (operand.kind === "far") {
      writeLittle(bytes, at, operand.offset, width);
      writeLittle(bytes, at + width, operand.selector, 2);
      immediate = { offset: at, width };
      at += width + 2;
      continue;
    } else continue;
    immediate ??= { offset: at, width };
    at += width;
  }

  code.length = at;
  return { start, end: at, displacement, immediate };
}

const FIELD_BYTES = { 8: 1, 16: 2, 32: 4, 64: 8 } as const;

function grow(code: CodeBuffer): void {
  const bytes = new Uint8Array(2 * code.bytes.length);
  bytes.set(code.bytes);
  code.bytes = bytes;
}

function writeLittle(bytes: Uint8Array, at: number, value: number | bigint, width: 1 | 2 | 4 | 8): void {
  if (width === 8) {
    const long = BigInt(value);
    writeLittle(bytes, at, Number(BigInt.asUintN(32, long)), 4);
    writeLittle(bytes, at + 4, Number(BigInt.asUintN(32, long >> 32n)), 4);
    return;
  }
  // Bit operations take numbers modulo 2^32, also those that are 2^32 too large.
  const low = typeof value === "bigint" ? Number(BigInt.asIntN(32, value)) : value | 0;
  for (let byte = 0; byte < width; byte++) bytes[at + byte] = low >> (8 * byte);
}

/** The stack segment for addresses from rsp and rbp, else the data segment (volume 1, 3.7.4). */
export function usualSegment({ base, index, addressWidth }: MemoryOperand, mode: Mode): number {
  const [ds, ss] = [3, 2];
  if ((addressWidth ?? mode) === 16) return base === 5 || index === 5 ? ss : ds;
  return base === 4 || base === 5 ? ss : ds;
}

/** 64-bit mode has no bases but those of fs and gs (volume 1, 3.3.4); elsewhere ds, which is used anyway, need not be said. */
export function segmentMatters(segment: number, mode: Mode): boolean {
  return mode === 64 ? segment > 3 : segment !== 3;
}

interface AddressLength {
  readonly length: number;
  readonly displacement: 0 | 1 | 2 | 4;
}

/** ModRM, SIB and displacement (volume 2, 2.1.5 and 2.2.1). */
function writeAddress(bytes: Uint8Array, start: number, middle: number, memory: MemoryOperand, mode: Mode, address: 16 | 32 | 64): AddressLength {
  const { base, index, scale = 1, displacementWidth } = memory;
  const disp = signedDisplacement(memory.disp ?? 0, address);
  const wide = address === 16 ? 2 : 4;
  let at = start;
  let size: 0 | 1 | 2 | 4;

  if (base === undefined && index === undefined) {
    size = wide;
    if (address === 16) bytes[at++] = middle | 6;
    // ModRM's own way to write a bare displacement is rip-relative in 64-bit mode.
    else if (mode !== 64 || memory.ripRelative === true) bytes[at++] = middle | 5;
    else {
      bytes[at++] = middle | 4;
      bytes[at++] = 0x25;
    }
  } else if (base === undefined && address !== 16) {
    size = 4;
    bytes[at++] = middle | 4;
    bytes[at++] = (SCALES[scale] << 6) | (((index ?? 4) & 7) << 3) | 5;
  } else {
    const last = address === 16 ? findShortAddress(memory) : index !== undefined ? 4 : (base ?? 0) & 7;
    // Without displacement, these bits mean a bare displacement.
    const needsDisplacement = address === 16 ? last === 6 : ((base ?? 0) & 7) === 5;
    if (displacementWidth !== undefined) size = displacementWidth === 8 ? 1 : wide;
    else if (disp === 0 && !needsDisplacement) size = 0;
    else size = disp >= -128 && disp <= 127 ? 1 : wide;
    bytes[at++] = (size === 0 ? 0 : size === 1 ? 0x40 : 0x80) | middle | last;
    if (address !== 16 && last === 4) bytes[at++] = (SCALES[scale] << 6) | (((index ?? 4) & 7) << 3) | ((base ?? 0) & 7);
  }
  for (let byte = 0; byte < size; byte++) bytes[at++] = disp >> (8 * byte);
  return { length: at - start, displacement: size };
}

const SCALES = { 1: 0, 2: 1, 4: 2, 8: 3 } as const;

function explainKinds(mode: Mode, mnemonic: string): string {
  const forms = findInstructions(mnemonic);
  if (forms === undefined) return "no such instruction";
  const here = forms.filter((form) => form.modes.includes(mode) && !form.isAlias);
  if (here.length === 0) return `does not exist in ${mode}-bit mode`;
  return `does not take these operands; it is written ${here.map((form) => `\`${writeForm(form)}\``).join(" or ")}`;
}

function explainValues(candidates: readonly Instruction[], operands: readonly Operand[], mode: Mode, prefixes: Prefixes): string {
  // The last form is the one that takes most.
  const form = candidates.at(-1);
  const index = operands.findIndex((operand, place) => {
    const pattern = form?.operands[place];
    return form !== undefined && pattern !== undefined && !fits(pattern, operand, form, mode, prefixes);
  });
  const operand = operands[index];
  const pattern = form?.operands[index];
  if (operand === undefined || pattern === undefined) return "ah, bh, ch and dh do not go with what needs a REX prefix";
  const place = `operand ${index + 1}`;
  if (typeof operand !== "object" || operand.kind === "imm") return `${place} is ${valueOf(operand)}, which does not fit ${pattern.name}`;
  switch (operand.kind) {
    case "mem":
      return `${place} is no address that ${mode}-bit mode can encode`;
    case "target":
      return `${place} is ${operand.distance} bytes away, which does not fit ${pattern.name}`;
    case "far":
      return `${place} is ${operand.selector}:${operand.offset}, which does not fit ${pattern.name}`;
    case "reg":
    case "sreg":
    case "cr":
    case "dr":
    case "xmm":
    case "st":
      return `${place} is register ${operand.number}, which does not fit ${pattern.name} in ${mode}-bit mode`;
  }
}

function explainPrefixes({ allows }: Instruction, operands: readonly Operand[], mode: Mode, prefixes: Prefixes): string | undefined {
  if (prefixes === NO_PREFIXES) return undefined;
  const [destination] = operands;
  const isMemory = typeof destination === "object" && destination.kind === "mem";
  if (prefixes.lock === true && !(allows.has("lock") && isMemory)) return "lock does not go with this";
  if (prefixes.repeat === "rep" && !allows.has("rep") && !allows.has("repe")) return "rep does not go with this";
  if (prefixes.repeat === "repne" && !allows.has("repe")) return "repne does not go with this";
  if (prefixes.segment !== undefined && !(allows.has("segment") && segmentMatters(prefixes.segment, mode))) return "a segment prefix does not go with this";
  if (prefixes.addressWidth !== undefined && !allows.has("address")) return "an address size prefix does not go with this";
  return undefined;
}
