// Disassembler: bytes to text that the assembler reads, also GNU as in Intel syntax where it knows the instruction. It names the
// operands' widths always, and writes what the table does not know as data. Reading the text again gives bytes of the same meaning,
// the same ones unless they were not the shortest: x86 has several encodings for many instructions, and no text for the others.
// Debug listings, failure texts and the gdb view use it.

import type { DisassembledLine, DisassembleOptions as CommonOptions } from "../assembly/instruction-set.ts";
import { decode } from "./decode.ts";
import type { DecodedInstruction } from "./decode.ts";
import type { FarOperand, MemoryOperand, Mode, Operand, OperandPattern, TargetOperand } from "./operands.ts";
import { addressRegisterName, registerName, SEGMENT_NAMES } from "./registers.ts";

export type { DisassembledLine } from "../assembly/instruction-set.ts";

export interface DisassembleOptions extends CommonOptions {
  /** 64 unless said. */
  readonly mode?: Mode;
}

type NameTarget = (distance: number) => string | undefined;

export function disassemble(bytes: Uint8Array, options: DisassembleOptions = {}): readonly DisassembledLine[] {
  const { mode = 64, address, symbolAt } = options;
  const lines: DisassembledLine[] = [];
  for (let offset = 0; offset < bytes.length;) {
    const start = offset;
    const nameTarget: NameTarget | undefined =
      address !== undefined && symbolAt !== undefined ? (distance) => symbolAt(address + BigInt(start) + BigInt(distance)) : undefined;
    const decoded = decode(bytes, offset, mode);
    const length = decoded?.length ?? 1;
    const text = decoded === undefined ? `.byte 0x${(bytes[offset] ?? 0).toString(16).padStart(2, "0")}` : writeInstruction(decoded, mode, nameTarget);
    lines.push({ offset, length, text });
    offset += length;
  }
  return lines;
}

/** `nameTarget` may give a name to a branch target, by its distance from the instruction. */
export function writeInstruction({ instruction, operands, prefixes }: DecodedInstruction, mode: Mode, nameTarget?: NameTarget): string {
  const words: string[] = [];
  if (prefixes.segment !== undefined) words.push(SEGMENT_NAMES[prefixes.segment] ?? "");
  const addressWidth = prefixes.addressWidth ?? operands.map(bareAddressWidth).find((width) => width !== undefined);
  if (addressWidth !== undefined && addressWidth !== mode) words.push(`addr${addressWidth}`);
  if (prefixes.lock === true) words.push("lock");
  if (prefixes.repeat !== undefined) words.push(prefixes.repeat === "rep" && instruction.allows.has("repe") ? "repe" : prefixes.repeat);
  words.push(instruction.mnemonic);
  const written = operands.map((operand, index) => writeOperand(operand, instruction.operands[index], mode, nameTarget)).join(", ");
  if (written !== "") words.push(written);
  return words.join(" ");
}

/** The address width of an address without registers, which would show it. */
function bareAddressWidth(operand: Operand): number | undefined {
  if (typeof operand !== "object" || operand.kind !== "mem" || operand.ripRelative === true) return undefined;
  return operand.base === undefined && operand.index === undefined ? operand.addressWidth : undefined;
}

const SIZE_WORDS = { 8: "byte", 16: "word", 32: "dword", 48: "fword", 64: "qword", 80: "tbyte", 128: "xmmword" } as const;

function writeOperand(operand: Operand, pattern: OperandPattern | undefined, mode: Mode, nameTarget: NameTarget | undefined): string {
  if (typeof operand !== "object") return writeNumber(operand);
  switch (operand.kind) {
    case "imm":
      return writeNumber(operand.value);
    case "mem":
      return writeMemory(operand, mode);
    case "target":
      return writeTarget(operand, pattern, mode, nameTarget);
    case "far":
      return writeFar(operand, mode);
    case "st":
      return pattern?.slot === "implied" ? "st" : registerName(operand);
    case "reg":
    case "sreg":
    case "cr":
    case "dr":
    case "xmm":
      return registerName(operand);
  }
}

const writeNumber = (value: number | bigint): string => (value < 0 ? `-${writeNumber(-value)}` : value < 10 ? String(value) : `0x${value.toString(16)}`);

function writeTarget({ distance }: TargetOperand, pattern: OperandPattern | undefined, mode: Mode, nameTarget: NameTarget | undefined): string {
  const size = pattern?.field === 16 && mode !== 16 ? "word ptr " : pattern?.field === 32 && mode === 16 ? "dword ptr " : "";
  return size + (nameTarget?.(distance) ?? (distance < 0 ? `. - ${-distance}` : `. + ${distance}`));
}

function writeFar({ selector, offset, width }: FarOperand, mode: Mode): string {
  const size = width === undefined || width === mode ? "" : width === 16 ? "word ptr " : "dword ptr ";
  return `${size}${writeNumber(selector)}:${writeNumber(offset)}`;
}

function writeMemory(memory: MemoryOperand, mode: Mode): string {
  const { width, far, base, index, scale = 1, disp = 0, segment, ripRelative, addressWidth = mode } = memory;
  const size = width === undefined ? "" : `${far === true && width !== 48 ? "far " : ""}${SIZE_WORDS[width]} ptr `;
  const terms: string[] = [];
  if (ripRelative === true) terms.push(addressWidth === 32 ? "eip" : "rip");
  if (base !== undefined) terms.push(addressRegisterName(base, addressWidth));
  // A lone register is a base, so an index says its scale also when it is 1.
  if (index !== undefined) terms.push(addressRegisterName(index, addressWidth) + (addressWidth === 16 ? "" : `*${scale}`));
  const isBare = terms.length === 0;
  const sum = isBare
    ? writeNumber(BigInt.asUintN(addressWidth, BigInt(disp)))
    : Number(disp) === 0
      ? terms.join(" + ")
      : `${terms.join(" + ")} ${writeOffset(disp)}`;
  const prefix = segment === undefined ? "" : `${SEGMENT_NAMES[segment]}:`;
  return `${size}${prefix}[${sum}]`;
}

const writeOffset = (value: number | bigint): string => (value < 0 ? `- ${writeNumber(-value)}` : `+ ${writeNumber(value)}`);
