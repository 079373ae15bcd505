// Disassembler: words to text that the assembler reads back to the same words, as does GNU as where it knows the instruction.
// Aliases are written as the manual prefers them, unless they are not wanted; what the table does not know, and what has no text
// that comes back as it was, is written as data. Debug listings, failure texts and the gdb view use it.

import type { DisassembledLine, DisassembleOptions } from "../assembly/instruction-set.ts";
import { decode } from "./decode.ts";
import type { DecodedInstruction } from "./decode.ts";
import type { Operands } from "./encode.ts";
import { bitmaskWidth, namedKind } from "./formats.ts";
import type { OperandKind, SyntaxPart } from "./formats.ts";
import { isRegisterKind } from "./instructions.ts";
import type { Instruction, Operand } from "./instructions.ts";
import { isWideKind, wideConstant, writeFloat8 } from "./immediates.ts";
import { decodeLogicalImmediate, encodeLogicalImmediate } from "./logical-immediate.ts";
import { listAliases } from "./pseudo.ts";
import type { Alias } from "./pseudo.ts";
import { registerName, writeSystemRegister } from "./registers.ts";

export type { DisassembledLine, DisassembleOptions } from "../assembly/instruction-set.ts";

export interface WriteOptions {
  /** False: instructions by their own names only. */
  readonly withAliases?: boolean;
  /** The name of what is at a distance. */
  readonly nameTarget?: ((distance: number) => string | undefined) | undefined;
}

export function disassemble(bytes: Uint8Array, { address, symbolAt }: DisassembleOptions = {}): readonly DisassembledLine[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const lines: DisassembledLine[] = [];
  let offset = 0;
  for (; offset + 4 <= bytes.length; offset += 4) {
    const place = address === undefined ? undefined : address + BigInt(offset);
    const nameTarget = place !== undefined && symbolAt !== undefined ? (distance: number) => symbolAt(place + BigInt(distance)) : undefined;
    lines.push({ offset, length: 4, text: disassembleWord(view.getUint32(offset, true), { nameTarget }) });
  }
  for (; offset < bytes.length; offset++) lines.push({ offset, length: 1, text: `.byte ${hex(view.getUint8(offset), 2)}` });
  return lines;
}

export function disassembleWord(word: number, options: WriteOptions = {}): string {
  const decoded = decode(word);
  return (decoded && writeInstruction(decoded, options)) ?? `.inst ${hex(word >>> 0, 8)}`;
}

const aliasesOf = Map.groupBy(
  listAliases().filter(({ use }) => use !== "reading"),
  ({ instruction }) => instruction,
);

/** Undefined: it has no text that says everything. */
export function writeInstruction({ instruction, operands }: DecodedInstruction, { withAliases = true, nameTarget }: WriteOptions = {}): string | undefined {
  if (instruction.operands.some(([name, operand]) => !isCanonical(operand, operands.get(name) ?? 0))) return undefined;
  for (const alias of aliasesOf.get(instruction) ?? []) {
    if (!withAliases && alias.use !== "always") continue;
    const own = alias.reduce(operands);
    if (own !== undefined) return writeForm(alias, own, nameTarget);
  }
  return writeForm(instruction, operands, nameTarget);
}

/** The rotation of a logical immediate has bits that small elements do not use. */
function isCanonical({ kind }: Operand, value: number): boolean {
  const width = bitmaskWidth(kind);
  const decoded = width === undefined ? undefined : decodeLogicalImmediate(value, width);
  return width === undefined || (decoded !== undefined && encodeLogicalImmediate(decoded, width) === value);
}

/** By an instruction's own syntax or an alias', and that one's operands. */
export function writeForm({ mnemonic, syntax, operands: kinds }: Instruction | Alias, values: Operands, nameTarget?: WriteOptions["nameTarget"]): string {
  const operands = new Map(kinds);
  const valueOf = (name: string): readonly [Operand, number] => {
    const operand = operands.get(name);
    const value = values.get(name);
    if (operand === undefined || value === undefined) throw new Error(`${mnemonic} has no operand ${name}`);
    return [operand, value];
  };
  const isImplied = (part: SyntaxPart): boolean => {
    if (part.part === "optional") return part.parts.every(isImplied);
    if (part.part !== "operand") return true;
    const [operand, value] = valueOf(part.name);
    return operand.implied === value;
  };
  const writePart = (part: SyntaxPart): string => {
    switch (part.part) {
      case "literal":
        return part.text;
      case "space":
        return " ";
      case "operand":
        return writeOperand(...valueOf(part.name), nameTarget);
      case "next": {
        const [operand, value] = valueOf(part.name);
        return writeOperand(operand, value + 1, nameTarget);
      }
      case "optional":
        return isImplied(part) ? "" : part.parts.map(writePart).join("");
    }
  };
  const text = syntax.map(writePart).join("");
  const condition = mnemonic.endsWith(".") ? writeOperand(...valueOf("cond"), nameTarget) : "";
  return `${mnemonic}${condition} ${text}`.trim();
}

const decimal = (value: number): string => String(value);

/** Kinds that are written neither by name nor, as what has no name, in hexadecimal. */
const WRITERS: Readonly<Partial<Record<OperandKind, (value: number, operand: Operand, nameTarget: WriteOptions["nameTarget"]) => string>>> = {
  unsigned: decimal,
  signed: decimal,
  by12: decimal,
  hex: (value) => hex(value, 1),
  target: (value, _operand, nameTarget) => nameTarget?.(value) ?? writeDistance(value),
  page: (value) => writeDistance(4096 * value),
  scaled: (value, { scale }) => String(value === 0 ? 0 : scale),
  float8: writeFloat8,
  system: writeSystemRegister,
};

function writeOperand(operand: Operand, value: number, nameTarget: WriteOptions["nameTarget"]): string {
  const { kind } = operand;
  if (isRegisterKind(kind)) return registerName(kind, value);
  if (isWideKind(kind)) return `0x${wideConstant(kind, value).toString(16)}`;
  const width = bitmaskWidth(kind);
  if (width !== undefined) return `0x${(decodeLogicalImmediate(value, width) ?? 0n).toString(16)}`;
  return WRITERS[kind]?.(value, operand, nameTarget) ?? namedKind(kind)?.names.get(value) ?? `#${hex(value, 1)}`;
}

const writeDistance = (distance: number): string => (distance < 0 ? `. - ${-distance}` : `. + ${distance}`);
const hex = (value: number, digits: number): string => `0x${value.toString(16).padStart(digits, "0")}`;
