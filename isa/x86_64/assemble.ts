// Assembler: the text of `asm x86_64 {}` blocks, of the guest library's entry and vector code and of tests, to bytes. Syntax is Intel's
// in lower case, as GNU as reads it after `.intel_syntax noprefix`, with three differences: a bare label is no memory operand (write
// `[label]` or `offset label`), far pointers in memory may be `far dword ptr` and `far tbyte ptr`, and `word ptr` or `dword ptr`
// before a branch target is the width of its distance. The passes, expressions, labels and common directives are isa/assembly's.
// A jump that may be short is short until its label turns out to be too far; then all is read again with that one long.
// Directives beside the common ones: .code16 .code32 .code64 .word .short .hword .int .long. Left out: sections, strings, macros.

import { assembleText } from "../assembly/assemble.ts";
import type { AssembleOptions as CommonOptions, Assembly } from "../assembly/instruction-set.ts";
import { putAddress, readWhole, resolverAt, unknownName } from "../assembly/output.ts";
import type { AssemblyRules, Output as OutputOf, Scope, SizedStatement as SizedStatementOf, SizeStatement } from "../assembly/output.ts";
import { AssemblyError, splitOperands } from "../assembly/text.ts";
import type { Notation, Token, Value } from "../assembly/text.ts";
import { createCodeBuffer, emitForm, selectForm } from "./encode.ts";
import type { Emitted, Field, Prefixes } from "./encode.ts";
import { findInstructions, listInstructions, MNEMONIC_ALIASES } from "./instructions.ts";
import type { Instruction } from "./instructions.ts";
import { readOperand } from "./operand-text.ts";
import type { ReadOperand } from "./operand-text.ts";
import type { MemoryOperand, Mode, Operand, TargetOperand } from "./operands.ts";
import { findRegister, SEGMENT_NAMES } from "./registers.ts";
import { applyRelocation, RELOCATION_REACHES } from "./relocations.ts";
import type { RelocationKind } from "./relocations.ts";

export { formatProblem } from "../assembly/assemble.ts";
export type { Assembly, AssemblyProblem } from "../assembly/instruction-set.ts";

export interface AssembleOptions extends CommonOptions {
  /** Of the first instruction; 64 unless said. `.code16`, `.code32` and `.code64` change it. */
  readonly mode?: Mode;
}

type Output = OutputOf<RelocationKind>;
type SizedStatement = SizedStatementOf<RelocationKind>;

const NOTATION: Notation = { hash: "comment", marks: "[]" };

/** What one reading of the text knows beside its scope. */
interface Reading {
  mode: Mode;
  /** Jumps that have turned out to be long, by their place in the text; grows until a reading adds none. */
  readonly longJumps: Set<string>;
}

export function assemble(text: string, { mode = 64, ...options }: AssembleOptions = {}): Assembly<RelocationKind> {
  const longJumps = new Set<string>();
  for (;;) {
    const before = longJumps.size;
    const assembly = assembleText(rulesFor({ mode, longJumps }), text, options);
    if (longJumps.size === before) return assembly;
  }
}

function rulesFor(reading: Reading): AssemblyRules<RelocationKind> {
  const change = (mode: Mode): SizeStatement<RelocationKind> => {
    return (_head, [extra]) => {
      if (extra !== undefined) throw new AssemblyError(extra, `unexpected \`${extra.text}\``);
      reading.mode = mode;
      return undefined;
    };
  };
  return {
    notation: NOTATION,
    isRegister: (name) => findRegister(name) !== undefined || name === "rip" || name === "eip",
    addressAdvice: "`lea` with `[rip + label]` for addresses",
    dataWidths: { ".word": 2, ".short": 2, ".hword": 2, ".int": 4, ".long": 4 },
    alignTakes: "bytes",
    relocations: RELOCATION_REACHES,
    applyRelocation,
    dataRelocations: { 4: "absolute32", 8: "absolute64" },
    pad,
    directives: { ".code16": change(16), ".code32": change(32), ".code64": change(64) },
    sizeInstruction: (head, rest, _offset, scope) => sizeInstruction(head, rest, scope, reading),
  };
}

/** The no-operation of one byte means the same in every mode. */
function pad({ bytes }: Output, offset: number, length: number): void {
  bytes.fill(0x90, offset, offset + length);
}

interface PrefixWord {
  readonly prefixes: Prefixes;
  readonly modes?: readonly Mode[];
}

const PREFIX_WORDS: Readonly<Record<string, PrefixWord>> = {
  lock: { prefixes: { lock: true } },
  rep: { prefixes: { repeat: "rep" } },
  repe: { prefixes: { repeat: "rep" } },
  repz: { prefixes: { repeat: "rep" } },
  repne: { prefixes: { repeat: "repne" } },
  repnz: { prefixes: { repeat: "repne" } },
  addr16: { prefixes: { addressWidth: 16 }, modes: [32] },
  addr32: { prefixes: { addressWidth: 32 }, modes: [16, 64] },
  ...Object.fromEntries(SEGMENT_NAMES.map((name, segment) => [name, { prefixes: { segment }, ...(segment < 4 && { modes: [16, 32] }) }])),
};

function sizeInstruction(first: Token, rest: readonly Token[], scope: Scope, reading: Reading): SizedStatement {
  const { mode, longJumps } = reading;
  let prefixes: Prefixes = {};
  let head = first;
  let tokens = rest;
  for (;;) {
    const word = PREFIX_WORDS[head.text.toLowerCase()];
    const [next] = tokens;
    if (word === undefined || next === undefined) break;
    if (word.modes?.includes(mode) === false) throw new AssemblyError(head, `\`${head.text}\` means nothing in ${mode}-bit mode`);
    prefixes = { ...prefixes, ...word.prefixes };
    head = next;
    tokens = tokens.slice(1);
  }

  const mnemonic = head.text.toLowerCase();
  const forms = findInstructions(mnemonic);
  if (forms === undefined) throw unknownName(head, "instruction", [...new Set(listInstructions().map((row) => row.mnemonic)), ...MNEMONIC_ALIASES.keys()]);
  const isBranch = forms.some(({ operands: [pattern] }) => pattern?.slot === "relative");
  const read = splitOperands(tokens).map((operand) => readOperand(operand, { head, start: operand[0] ?? head, scope, mode, isBranch }));
  const own = read.some(({ operand }) => isBare(operand)) ? withoutAddressWidth(prefixes) : prefixes;
  const place = `${head.line}:${head.column}`;
  const isLong = longJumps.has(place);
  const selected = select(mnemonic, mode, read, own, (operand) => widen(withAddressWidth(operand, prefixes, mode), mode, isLong && hasLongForm(forms)));
  if (typeof selected === "string") throw new AssemblyError(head, `\`${mnemonic}\` ${selected}`);
  const { form, operands } = selected;

  const code = createCodeBuffer(mode, 16);
  const { end: length } = emitForm(code, form, operands, own);
  return {
    length,
    write: (output, offset) => {
      const values = read.map(({ expression, at }) => expression && readWhole(expression, at, resolverAt(offset, output.scope)));
      const settled = operands.map((operand, index) => settle(operand, values[index], read[index]?.at ?? head));
      const buffer = createCodeBuffer(mode, 16);
      const emitted = emitForm(buffer, form, settled, own);
      const mayGrow = !isLong && hasLongForm(forms) && isJump(operands[0]) && operands[0].width === undefined;
      if (mayGrow && !reaches(form, values[0], output, offset + length)) {
        longJumps.add(place);
        return;
      }
      output.bytes.set(buffer.bytes.subarray(0, length), offset);
      for (const [index, value] of values.entries()) {
        const operand = settled[index];
        const field = fieldOf(operand, emitted);
        if (value === undefined || field === undefined || isSettled(value, operand)) continue;
        const kind = relocationOf(operand, form, index, field, mode);
        const at = read[index]?.at ?? head;
        if (kind === undefined) throw new AssemblyError(at, "an address does not fit this operand");
        const way = RELOCATION_REACHES[kind] === "distance" ? emitted.end - field.offset : 0;
        putAddress(output, kind, offset + field.offset, { ...value, constant: value.constant - BigInt(way) }, at);
      }
    },
  };
}

interface Selected {
  readonly form: Instruction;
  readonly operands: readonly Operand[];
}

/** An immediate that depends on labels has the widest field that the instruction offers, but 64 bits only where `movabs` asks for them. */
function select(mnemonic: string, mode: Mode, read: readonly ReadOperand[], prefixes: Prefixes, adjust: (operand: Operand) => Operand): Selected | string {
  let problem = "";
  for (const width of mnemonic === "movabs" ? ([64] as const) : ([32, 16, 8] as const)) {
    const operands = read.map(({ operand, expression }): Operand => {
      const isOpen = expression !== undefined && typeof operand === "object" && operand.kind === "imm";
      return isOpen ? { ...operand, width } : adjust(operand);
    });
    const form = selectForm(mode, MNEMONIC_ALIASES.get(mnemonic) ?? mnemonic, operands, prefixes);
    if (typeof form !== "string") return { form, operands };
    if (problem === "") problem = form;
  }
  return problem;
}

const isBare = (operand: Operand): operand is MemoryOperand =>
  typeof operand === "object" && operand.kind === "mem" && operand.base === undefined && operand.index === undefined && operand.ripRelative !== true;

/** `addr32` before an instruction whose address has no register to show its width. */
function withAddressWidth(operand: Operand, { addressWidth }: Prefixes, mode: Mode): Operand {
  if (addressWidth === undefined || !isBare(operand)) return operand;
  const { displacementWidth, ...rest } = operand;
  return { ...rest, addressWidth, ...(displacementWidth !== undefined && { displacementWidth: addressWidth === 16 || mode === 16 ? addressWidth : 32 }) };
}

function withoutAddressWidth(prefixes: Prefixes): Prefixes {
  const { addressWidth: _addressWidth, ...rest } = prefixes;
  return rest;
}

const isJump = (operand: Operand | undefined): operand is TargetOperand => typeof operand === "object" && operand.kind === "target";

const hasLongForm = (forms: readonly Instruction[]): boolean => forms.some(({ operands: [pattern] }) => pattern?.slot === "relative" && pattern.field !== 8);

function widen(operand: Operand, mode: Mode, isLong: boolean): Operand {
  return isLong && isJump(operand) && operand.width === undefined ? { ...operand, width: mode === 16 ? 16 : 32 } : operand;
}

/** Numbers that turned out not to be addresses (differences of labels) go into the operand itself. */
function settle(operand: Operand, value: Value | undefined, at: Token): Operand {
  if (value === undefined || value.base !== undefined || typeof operand !== "object") return operand;
  if (operand.kind === "imm") {
    const bits = BigInt(operand.width);
    if (value.constant < -(1n << (bits - 1n)) || value.constant >= 1n << bits)
      throw new AssemblyError(at, `value is ${value.constant}, which does not fit ${bits} bits`);
    return { ...operand, value: value.constant };
  }
  if (operand.kind === "mem") return { ...operand, disp: value.constant };
  return operand;
}

function isSettled({ base }: Value, operand: Operand | undefined): boolean {
  return base === undefined && typeof operand === "object" && (operand.kind === "imm" || operand.kind === "mem");
}

function fieldOf(operand: Operand | undefined, { displacement, immediate }: Emitted): Field | undefined {
  return typeof operand === "object" && operand.kind === "mem" ? displacement : immediate;
}

/** Whether a short form's distance, from the end of the instruction, fits it; where a symbol outside will be nobody knows. */
function reaches(form: Instruction, value: Value | undefined, { origin }: Output, end: number): boolean {
  if (value === undefined || form.operands[0]?.field !== 8) return true;
  if (value.base?.kind === "outside") return false;
  const distance = value.constant - BigInt(end) - (value.base === undefined ? (origin ?? 0n) : 0n);
  return BigInt.asIntN(8, distance) === distance;
}

const ABSOLUTE: Readonly<Record<Field["width"], RelocationKind | undefined>> = { 1: undefined, 2: "absolute16", 4: "absolute32", 8: "absolute64" };
const RELATIVE: Readonly<Record<Field["width"], RelocationKind | undefined>> = { 1: "relative8", 2: "relative16", 4: "relative32", 8: undefined };

function relocationOf(operand: Operand | undefined, form: Instruction, index: number, { width }: Field, mode: Mode): RelocationKind | undefined {
  if (typeof operand !== "object") return undefined;
  if (operand.kind === "target" || (operand.kind === "mem" && operand.ripRelative === true)) return RELATIVE[width];
  const isExtended = operand.kind === "mem" ? (operand.addressWidth ?? mode) === 64 : form.operands[index]?.extended === 64;
  return isExtended && width === 4 ? "absolute32s" : ABSOLUTE[width];
}
