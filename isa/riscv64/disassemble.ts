// Disassembler: bytes to text that the assembler reads back to the same bytes, also GNU as where it knows the instruction.
// Instructions are written by their own names, never as pseudo-instructions, so that the text says what is in memory;
// what the table does not know is written as data. Debug listings, failure texts and the gdb view use it.

import type { DisassembledLine, DisassembleOptions } from "../assembly/instruction-set.ts";
import { decode, instructionLength } from "./decode.ts";
import type { DecodedInstruction } from "./decode.ts";
import { FENCE_LETTERS, MEMORY_ORDERS, ROUNDING_MODES } from "./formats.ts";
import type { Operand, SyntaxPart } from "./formats.ts";
import { syntaxOf } from "./instructions.ts";
import type { RegisterWidth } from "./by-width.ts";
import { csrNameOf, F_REGISTERS, X_REGISTERS } from "./registers.ts";

export type { DisassembledLine, DisassembleOptions } from "../assembly/instruction-set.ts";

export function disassemble(bytes: Uint8Array, options: DisassembleOptions = {}, width: RegisterWidth = 64): readonly DisassembledLine[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const lines: DisassembledLine[] = [];
  for (let offset = 0; offset < bytes.length;) {
    const left = bytes.length - offset;
    const line = left < 2 ? { length: 1, text: `.byte ${hex(view.getUint8(offset), 2)}` } : disassembleAt(view, offset, options, width);
    lines.push({ offset, ...line });
    offset += line.length;
  }
  return lines;
}

function disassembleAt(view: DataView, offset: number, options: DisassembleOptions, width: RegisterWidth): { length: number; text: string } {
  const low = view.getUint16(offset, true);
  const length = instructionLength(low);
  if (length > view.byteLength - offset) return { length: 2, text: `.half ${hex(low, 4)}` };
  const { address, symbolAt } = options;
  const nameTarget = address !== undefined && symbolAt !== undefined ? (distance: number) => symbolAt(address + BigInt(offset) + BigInt(distance)) : undefined;
  return { length, text: disassembleWord(length === 2 ? low : view.getUint32(offset, true), nameTarget, width) };
}

type NameTarget = (distance: number) => string | undefined;

/** One instruction. `nameTarget` may give a name to a branch target, by its distance from the instruction. */
export function disassembleWord(bits: number, nameTarget?: NameTarget, width: RegisterWidth = 64): string {
  const decoded = decode(bits, width);
  const text = decoded && writeInstruction(decoded, nameTarget, width);
  if (text !== undefined) return text;
  return instructionLength(bits) === 4 ? `.word ${hex(bits >>> 0, 8)}` : `.half ${hex(bits & 0xffff, 4)}`;
}

/** Undefined when the operands hold something that has no text. */
export function writeInstruction({ instruction, operands }: DecodedInstruction, nameTarget?: NameTarget, width: RegisterWidth = 64): string | undefined {
  const kinds = new Map(instruction.operands);
  let mnemonic: string = instruction.mnemonic;
  for (const [name, operand] of instruction.operands) {
    const value = operands.get(name) ?? 0;
    if (operand.kind === "ignored" && value !== 0) return undefined;
    if (operand.kind === "order" && value !== 0) mnemonic += `.${MEMORY_ORDERS[value]}`;
  }

  const write = (part: SyntaxPart): string => {
    switch (part.part) {
      case "punctuation":
        return part.text === "," ? ", " : part.text;
      case "register":
        return part.name;
      case "operand": {
        const operand = kinds.get(part.name);
        const value = operands.get(part.name);
        if (operand === undefined || value === undefined) throw new Error(`${mnemonic} has no operand ${part.name}`);
        const name = operand.kind === "target" ? nameTarget?.(value) : undefined;
        return name ?? writeOperand(operand, value, width);
      }
      case "optional":
        return part.parts.some((inner) => inner.part === "operand" && isImplied(inner.name)) ? "" : part.parts.map(write).join("");
    }
  };
  const isImplied = (name: string): boolean => {
    const implied = kinds.get(name)?.implied;
    return implied !== undefined && implied === operands.get(name);
  };
  const text = syntaxOf(instruction).map(write).join("");
  return text === "" ? mnemonic : `${mnemonic} ${text}`;
}

function writeOperand(operand: Operand, value: number, width: RegisterWidth): string {
  switch (operand.kind) {
    case "x":
    case "x8":
      return X_REGISTERS[value]?.abiName ?? `x${value}`;
    case "f":
    case "f8":
      return F_REGISTERS[value]?.abiName ?? `f${value}`;
    case "csr":
      return csrNameOf(value, width) ?? hex(value, 3);
    case "upper":
      return hex(value, 1);
    case "target":
      return value < 0 ? `. - ${-value}` : `. + ${value}`;
    case "rounding":
      return ROUNDING_MODES[value] ?? String(value);
    case "fence":
      return value === 0 ? "0" : FENCE_LETTERS.filter((_, index) => (value & (8 >> index)) !== 0).join("");
    case "order":
      return MEMORY_ORDERS[value] ?? String(value);
    case "signed":
    case "unsigned":
    case "ignored":
      return String(value);
  }
}

const hex = (value: number, digits: number): string => `0x${value.toString(16).padStart(digits, "0")}`;
