// Assembler: the text of `asm aarch64 {}` blocks, of the guest library's entry and vector code and of tests, to bytes. Every form of
// a mnemonic in the table and among the aliases is tried in their order, and the first that takes the operands is written; when none
// does, the one that got furthest tells what is wrong. Passes, expressions, labels and common directives are isa/assembly's.
// Directives beside the common ones: .inst .hword .word .long .xword .dword. Addresses: `adr`, or `adrp` with `:lo12:symbol` in an
// addition or a load. Left out: sections, strings, macros, literal pools (`ldr x0, =value`), relocation functions but :lo12:,
// shorthands of GNU as that are no aliases to the manual (`bic` with an immediate, `cmp` with a negative one).

import { assembleText } from "../assembly/assemble.ts";
import type { AssembleOptions, Assembly } from "../assembly/instruction-set.ts";
import { putAddress, putWord, resolverAt, unknownName } from "../assembly/output.ts";
import type { AssemblyRules, Output as OutputOf, SizedStatement } from "../assembly/output.ts";
import { AssemblyError, readExpression } from "../assembly/text.ts";
import type { Token, Value } from "../assembly/text.ts";
import { checkOperand, encode, findOperandValue, packOperands } from "./encode.ts";
import type { Operands } from "./encode.ts";
import { bitmaskWidth, namedKind } from "./formats.ts";
import type { FormatName, SyntaxPart } from "./formats.ts";
import { findFloat8, findWideField, isWideKind } from "./immediates.ts";
import { INSTRUCTIONS, isRegisterKind } from "./instructions.ts";
import type { Instruction, Operand } from "./instructions.ts";
import { encodeLogicalImmediate } from "./logical-immediate.ts";
import { listAliases } from "./pseudo.ts";
import { isRegister, SYSTEM_REGISTERS } from "./registers.ts";
import { applyRelocation, LOW12_KINDS, RELOCATION_REACHES } from "./relocations.ts";
import type { RelocationKind } from "./relocations.ts";

export { formatProblem } from "../assembly/assemble.ts";
export type { AssembleOptions, Assembly, AssemblyProblem } from "../assembly/instruction-set.ts";

type Output = OutputOf<RelocationKind>;

const RULES: AssemblyRules<RelocationKind> = {
  notation: { hash: "immediate", marks: "[]!" },
  isRegister,
  addressAdvice: "`adr` for addresses",
  dataWidths: { ".hword": 2, ".word": 4, ".long": 4, ".xword": 8, ".dword": 8, ".inst": 4 },
  alignTakes: "exponent",
  relocations: RELOCATION_REACHES,
  applyRelocation,
  dataRelocations: { 4: "absolute32", 8: "absolute64" },
  pad,
  directives: {},
  sizeInstruction,
};

export function assemble(text: string, options: AssembleOptions = {}): Assembly<RelocationKind> {
  return assembleText(RULES, text, options);
}

/** nop, after bytes up to a multiple of 4. */
function pad(output: Output, offset: number, length: number): void {
  const nop = encode("hint", { imm: 0 });
  for (let at = offset + (-offset & 3); at + 4 <= offset + length; at += 4) putWord(output, at, 4, nop);
}

/** A way to write an instruction: by the table or by an alias. */
interface Form {
  readonly mnemonic: string;
  readonly instruction: Instruction;
  readonly operands: ReadonlyMap<string, Operand>;
  readonly syntax: readonly SyntaxPart[];
  readonly expand: (own: Operands) => Operands | string | undefined;
}

const listForms = (): readonly Form[] => [
  ...INSTRUCTIONS.map((instruction) => ({
    mnemonic: instruction.mnemonic,
    instruction,
    operands: new Map(instruction.operands),
    syntax: instruction.syntax,
    expand: (own: Operands) => own,
  })),
  ...listAliases().map(({ mnemonic, instruction, operands, syntax, expand }) => ({ mnemonic, instruction, operands: new Map(operands), syntax, expand })),
];

let forms: ReadonlyMap<string, readonly Form[]> | null = null;

/** Made for the first text. */
function formsByMnemonic(): ReadonlyMap<string, readonly Form[]> {
  return (forms ??= Map.groupBy(listForms(), ({ mnemonic }) => mnemonic));
}

interface Found {
  readonly forms: readonly Form[];
  /** Operands that the mnemonic tells. */
  readonly given: Operands;
}

function sizeInstruction(head: Token, rest: readonly Token[], offset: number): SizedStatement<RelocationKind> {
  if (offset % 4 !== 0) throw new AssemblyError(head, "an instruction must be at a multiple of 4 bytes", "`.balign 4` goes there");
  const found = findForms(head);
  return { length: 4, write: (output, at) => writeInstruction(found, head, rest, output, at) };
}

function findForms(head: Token): Found {
  const name = head.text.toLowerCase();
  const known = formsByMnemonic();
  const forms = known.get(name);
  if (forms !== undefined) return { forms, given: new Map() };
  // b.eq
  const [, stem = "", suffix = ""] = /^(.*\.)(.*)$/.exec(name) ?? [];
  const conditional = known.get(stem);
  const cond = findOperandValue({ kind: "condition" }, suffix);
  if (conditional !== undefined && cond !== undefined) return { forms: conditional, given: new Map([["cond", cond]]) };
  if (conditional !== undefined) throw new AssemblyError(head, `\`${suffix}\` is no condition`);
  throw unknownName(head, "instruction", [...known.keys()]);
}

interface Address {
  readonly kind: RelocationKind;
  readonly value: Value;
  readonly at: Token;
}

interface Reading {
  readonly word: number;
  readonly addresses: readonly Address[];
}

function writeInstruction({ forms, given }: Found, head: Token, tokens: readonly Token[], output: Output, offset: number): void {
  let furthest: AssemblyError | undefined;
  let mostRead = -1;
  for (const form of forms) {
    const progress = { tokens: 0 };
    try {
      const { word, addresses } = readForm(form, given, head, tokens, output, offset, progress);
      putWord(output, offset, 4, word);
      for (const { kind, value, at } of addresses) putAddress(output, kind, offset, value, at);
      return;
    } catch (error) {
      if (!(error instanceof AssemblyError)) throw error;
      if (progress.tokens <= mostRead) continue;
      mostRead = progress.tokens;
      furthest = error;
    }
  }
  if (furthest === undefined) throw new Error(`${head.text} has no form`);
  throw furthest;
}

function readForm(form: Form, given: Operands, head: Token, tokens: readonly Token[], output: Output, offset: number, progress: { tokens: number }): Reading {
  const values = new Map(given);
  const addresses: Address[] = [];
  let at = 0;
  let last = head;
  const usage = (): string => `it is written \`${`${form.mnemonic}${given.size > 0 ? "cond" : ""} ${writeSyntax(form.syntax)}`.trim()}\``;
  const take = (): void => {
    last = tokens[at] ?? last;
    at++;
    progress.tokens = at;
  };
  const operandOf = (name: string): Operand => {
    const operand = form.operands.get(name);
    if (operand === undefined) throw new Error(`${form.mnemonic} has no operand ${name}`);
    return operand;
  };

  const readPart = (part: SyntaxPart): void => {
    switch (part.part) {
      case "space":
        return;
      case "literal":
        return readLiteral(part.text);
      case "operand":
        values.set(part.name, readOperand(part.name, operandOf(part.name)));
        return;
      case "next": {
        const token = tokens[at];
        const value = readOperand(part.name, operandOf(part.name), true);
        if (value !== (values.get(part.name) ?? 0) + 1) throw new AssemblyError(token ?? last, `the register after \`${part.name}\` expected`, usage());
        return;
      }
      case "optional":
        if (isThere(part.parts)) for (const inner of part.parts) readPart(inner);
        else for (const inner of part.parts) imply(inner);
    }
  };

  const readLiteral = (text: string): void => {
    const token = tokens[at];
    if (text === "#") {
      // As GNU as has it: the sign of an immediate may be left out.
      if (token?.text === "#") take();
      return;
    }
    const wanted = text === "0.0" ? "0" : text;
    if (token?.text.toLowerCase() !== wanted) {
      const found = token === undefined ? "" : `, found \`${token.text}\``;
      throw new AssemblyError(token ?? last, `\`${text}\` expected${found}`, usage());
    }
    take();
    if (text === "0.0" && /^\.0+$/.test(tokens[at]?.text ?? "")) take();
  };

  /** What starts with punctuation is there when that is; an immediate when anything is that does not end the part around it. */
  const isThere = (parts: readonly SyntaxPart[]): boolean => {
    const first = parts.find(({ part }) => part !== "space");
    const token = tokens[at];
    if (first?.part === "literal" && first.text !== "#") return token?.text === first.text;
    return token !== undefined && token.text !== "]" && token.text !== ",";
  };

  const imply = (part: SyntaxPart): void => {
    if (part.part === "optional") for (const inner of part.parts) imply(inner);
    if (part.part !== "operand") return;
    const { implied } = operandOf(part.name);
    if (implied === undefined) throw new Error(`${form.mnemonic}: ${part.name} may be left out and has no value then`);
    values.set(part.name, implied);
  };

  const readOperand = (name: string, operand: Operand, isNext = false): number => {
    const start = tokens[at];
    if (start === undefined) throw new AssemblyError(last, `${describe(operand)} is missing`, usage());
    const named = start.kind === "name" ? findOperandValue(operand, start.text) : undefined;
    if (named !== undefined) {
      take();
      return isNext ? named : checked(name, operand, named, start);
    }
    const { kind } = operand;
    if (isRegisterKind(kind) || (namedKind(kind)?.isOpen === false && !output.scope.constants.has(start.text))) {
      throw new AssemblyError(start, `${describe(operand)} expected, found \`${start.text}\``, usage());
    }
    if (kind === "system") {
      throw unknownName(
        start,
        "system register",
        SYSTEM_REGISTERS.map((register) => register.name),
      );
    }
    if (kind === "float8") return readFloat(name, start);
    if (operand.isLow12 && start.text === ":") return readLow12(operand, start);
    if (namedKind(kind) !== undefined && start.text === "#") take();
    const value = readValue();
    if (kind === "page") return readPage(value, start);
    if (kind === "target") {
      addresses.push({ kind: targetRelocation(form.instruction.format), value, at: start });
      return 0;
    }
    if (value.base !== undefined) {
      throw new AssemblyError(start, `${name} must be a number, not an address`, "`adr` puts an address into a register, or `adrp` and `:lo12:`");
    }
    return readNumber(name, operand, value.constant, start);
  };

  const readValue = (): Value => {
    const { value, end } = readExpression(tokens, at, last, resolverAt(offset, output.scope));
    last = tokens[end - 1] ?? last;
    at = end;
    progress.tokens = at;
    return value;
  };

  const readNumber = (name: string, operand: Operand, value: bigint, start: Token): number => {
    const { kind, scale } = operand;
    const width = bitmaskWidth(kind);
    if (width !== undefined) {
      const field = encodeLogicalImmediate(value, width);
      if (field === undefined) throw new AssemblyError(start, `${showNumber(value)} is no repeated run of ones, which logical immediates are`);
      return field;
    }
    if (isWideKind(kind)) {
      const field = findWideField(kind, value);
      if (field === undefined) throw new AssemblyError(start, `one instruction cannot make ${showNumber(value)}`, "`movz` and `movk` write 16 bits each");
      return field;
    }
    if (kind !== "scaled") return checked(name, operand, value, start);
    // For bytes, whose logarithm is 0, what is written says that there is a shift, by nothing.
    if (value === BigInt(scale)) return 1;
    if (value === 0n) return 0;
    throw new AssemblyError(start, `the index can be shifted by 0 or ${scale}, not by ${value}`);
  };

  const readPage = (value: Value, start: Token): number => {
    // Whole pages away is known without knowing where that is.
    const distance = value.constant - BigInt(offset);
    if (value.base?.kind === "here" && distance % 4096n === 0n) return checked("page", operandOf("page"), distance / 4096n, start);
    addresses.push({ kind: "page21", value, at: start });
    return 0;
  };

  const readLow12 = (operand: Operand, start: Token): number => {
    for (const wanted of [":", "lo12", ":"]) readLiteral(wanted);
    const kind = LOW12_KINDS[form.instruction.name.startsWith("add") ? 0 : operand.scale];
    if (kind === undefined) throw new Error(`${form.instruction.name} has a datum of 2^${operand.scale} bytes`);
    addresses.push({ kind, value: readValue(), at: tokens[at - 1] ?? start });
    return 0;
  };

  /** Digits and a fraction; the tokens of an expression know no decimal point. */
  const readFloat = (name: string, start: Token): number => {
    let text = "";
    while (tokens[at] !== undefined && /^[-+\d.]/.test(tokens[at]?.text ?? "")) {
      text += tokens[at]?.text ?? "";
      take();
    }
    const field = text === "" ? undefined : findFloat8(Number(text));
    if (field === undefined) throw new AssemblyError(start, `${name} is \`${text}\`, must be 16/16 to 31/16 times a power of two from 2^-3 to 2^4`, usage());
    return field;
  };

  for (const part of form.syntax) readPart(part);
  const extra = tokens[at];
  if (extra !== undefined) throw new AssemblyError(extra, `unexpected \`${extra.text}\``, usage());
  const real = form.expand(values);
  if (typeof real === "string") throw new AssemblyError(tokens.at(-1) ?? head, real);
  if (real === undefined) throw new AssemblyError(head, `\`${form.mnemonic}\` does not take these operands`);
  return { word: packOperands(form.instruction, real), addresses };
}

const showNumber = (value: bigint): string => (value < 0n ? String(value) : `0x${value.toString(16)}`);

function checked(name: string, operand: Operand, value: number | bigint, at: Token): number {
  const problem = checkOperand(operand, value);
  if (problem !== undefined) throw new AssemblyError(at, `${name} ${problem}`);
  return Number(value);
}

const TARGET_RELOCATIONS: Readonly<Partial<Record<FormatName, RelocationKind>>> = {
  branch: "branch26",
  "branch-condition": "branch19",
  "branch-zero": "branch19",
  "branch-bit-w": "branch14",
  "branch-bit-x": "branch14",
  "ls-literal": "branch19",
  "prefetch-literal": "branch19",
  adr: "adr21",
};

function targetRelocation(format: FormatName): RelocationKind {
  const kind = TARGET_RELOCATIONS[format];
  if (kind === undefined) throw new Error(`${format} has a target but no relocation`);
  return kind;
}

const REGISTER_DESCRIPTIONS: Readonly<Record<string, string>> = {
  w: "a 32-bit register (w0..w30, wzr)",
  x: "a 64-bit register (x0..x30, xzr)",
  wsp: "a 32-bit register (w0..w30, wsp)",
  xsp: "a 64-bit register (x0..x30, sp)",
};

const DESCRIPTIONS: Readonly<Partial<Record<Operand["kind"], string>>> = {
  condition: "a condition",
  "inverse-condition": "a condition other than `al`",
  shift: "a shift (lsl, lsr, asr, ror)",
  extend: "an extension (uxtb .. sxtx)",
  index64: "`lsl` or `sxtx`",
  index32: "`uxtw` or `sxtw`",
  system: "a system register",
  pstate: "`daifset` or `daifclr`",
  "pstate-bit": "a field of the processor state",
  target: "an address",
  page: "an address",
};

function describe({ kind }: Operand): string {
  if (isRegisterKind(kind)) return REGISTER_DESCRIPTIONS[kind] ?? `a register (${kind}0..)`;
  const named = namedKind(kind);
  return DESCRIPTIONS[kind] ?? (named === undefined ? "a number" : `a name such as \`${named.numbers.keys().next().value ?? ""}\``);
}

function writeSyntax(parts: readonly SyntaxPart[]): string {
  const write = (part: SyntaxPart): string => {
    switch (part.part) {
      case "space":
        return " ";
      case "literal":
        return part.text;
      case "operand":
        return part.name;
      case "next":
        return `${part.name}+1`;
      case "optional":
        return `{${part.parts.map(write).join("")}}`;
    }
  };
  return parts.map(write).join("");
}
