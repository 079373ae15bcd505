// Assembler: the text of `asm riscv64 {}` blocks, of the guest library's entry and vector code and of tests, to bytes. It does
// what is written, for RV64 unless told otherwise: no compression, no relaxation, no branch is made longer. The passes, expressions, labels and common directives
// are isa/assembly's; here are instructions, read by the table, and what RISC-V decides.
// Directives beside the common ones: .half .word .dword .option (for what holds anyway). Left out: sections, strings, macros, %hi
// and %lo (use `la`), `.option rvc`.

import { assembleText } from "../assembly/assemble.ts";
import type { AssembleOptions, Assembly, Relocation } from "../assembly/instruction-set.ts";
import { putAddress, putWord, readConstant, readWhole, resolverAt, unknownName } from "../assembly/output.ts";
import type { AssemblyRules, Output as OutputOf, Scope, SizedStatement as SizedStatementOf } from "../assembly/output.ts";
import { AssemblyError, readExpression, readStatements, splitOperands } from "../assembly/text.ts";
import type { Notation, Token, Value } from "../assembly/text.ts";
import { byWidth, type RegisterWidth } from "./by-width.ts";
import { checkOperand, encode, findOperandValue, packOperands } from "./encode.ts";
import { MEMORY_ORDERS } from "./formats.ts";
import type { FormatName, Operand, SyntaxPart } from "./formats.ts";
import { findInstruction, instructionsOf, syntaxOf } from "./instructions.ts";
import type { Instruction } from "./instructions.ts";
import { COMPUTED_PSEUDO_INSTRUCTIONS, loadConstant, pseudoInstructionsOf, TAIL_REGISTER } from "./pseudo.ts";
import type { PseudoInstruction } from "./pseudo.ts";
import { csrsOf, findFRegister, findXRegister } from "./registers.ts";
import { applyRelocation, RELOCATION_REACHES } from "./relocations.ts";
import type { RelocationKind } from "./relocations.ts";

export { formatProblem } from "../assembly/assemble.ts";
export type { AssembleOptions, Assembly, AssemblyProblem } from "../assembly/instruction-set.ts";

type Output = OutputOf<RelocationKind>;
type SizedStatement = SizedStatementOf<RelocationKind>;

const NOTATION: Notation = { hash: "comment", marks: "" };

const isRegister = (name: string): boolean => findXRegister(name) !== undefined || findFRegister(name) !== undefined;

const createRules = (width: RegisterWidth): AssemblyRules<RelocationKind> => ({
  notation: NOTATION,
  isRegister,
  addressAdvice: "`la` for addresses",
  dataWidths: { ".half": 2, ".word": 4, ".dword": 8 },
  alignTakes: "exponent",
  relocations: RELOCATION_REACHES,
  applyRelocation,
  dataRelocations: { 4: "absolute32", 8: "absolute64" },
  pad,
  directives: { ".option": checkOption },
  sizeInstruction: (head, rest, _offset, scope) => sizeStatement(width, head, rest, scope),
});

const rulesOf = byWidth(createRules);

export function assemble(text: string, options: AssembleOptions = {}, width: RegisterWidth = 64): Assembly<RelocationKind> {
  return assembleText(rulesOf(width), text, options);
}

function checkOption(head: Token, [what]: readonly Token[]): undefined {
  if (what !== undefined && /^(norvc|norelax|nopic|push|pop)$/.test(what.text)) return;
  throw new AssemblyError(what ?? head, `\`.option ${what?.text ?? ""}\` is not supported`, "compressed instructions are written by their `c.` names");
}

/** nop and c.nop, after bytes up to an even address. */
function pad(output: Output, offset: number, length: number): void {
  let at = offset + (length & 1);
  if (((offset + length - at) & 2) !== 0) {
    putWord(output, at, 2, encode("c.nop", {}));
    at += 2;
  }
  for (; at < offset + length; at += 4) putWord(output, at, 4, encode("addi", { rd: 0, rs1: 0, imm: 0 }));
}

function sizeStatement(width: RegisterWidth, head: Token, rest: readonly Token[], scope: Scope): SizedStatement {
  const name = head.text.toLowerCase();
  const operands = splitOperands(rest);
  const computed = sizeComputed(width, name, head, operands, scope);
  if (computed !== undefined) return computed;

  const expansion = pseudoInstructions[width].get(name)?.find((row) => row.operands.length === operands.length);
  if (expansion !== undefined) {
    const [mnemonic, ...tokens] = expandPseudo(expansion, operands, head);
    if (mnemonic === undefined) throw new Error(`${name} expands to nothing`);
    return sizeInstruction(width, mnemonic.text, head, tokens);
  }
  return sizeInstruction(width, name, head, rest);
}

const formsOf = (width: RegisterWidth): ReadonlyMap<string, readonly PseudoInstruction[]> => Map.groupBy(pseudoInstructionsOf(width), (row) => row.mnemonic);
const pseudoInstructions = { 32: formsOf(32), 64: formsOf(64) } as const;

function expandPseudo(row: PseudoInstruction, operands: readonly (readonly Token[])[], head: Token): readonly Token[] {
  const given = new Map(row.operands.map((name, index) => [name, operands[index] ?? []]));
  const [statement] = readStatements(row.expansion, NOTATION).statements;
  return (statement?.tokens ?? []).flatMap((token) => given.get(token.text) ?? [{ ...token, line: head.line, column: head.column }]);
}

function sizeInstruction(width: RegisterWidth, name: string, head: Token, tokens: readonly Token[]): SizedStatement {
  const { row, order } = findMnemonic(width, name, head);
  return {
    length: row.length,
    write: (output, offset) => writeInstruction(width, row, order, head, tokens, output, offset),
  };
}

/** Atomics carry their memory order behind the name: amoadd.w.aqrl. */
function findMnemonic(width: RegisterWidth, name: string, head: Token): { readonly row: Instruction; readonly order: number } {
  const row = findInstruction(name, width);
  if (row !== undefined) return { row, order: 0 };
  const suffix = /^(.*)\.(aq|rl|aqrl)$/.exec(name);
  const ordered = suffix?.[1] === undefined ? undefined : findInstruction(suffix[1], width);
  if (ordered?.operands.some(([, operand]) => operand.kind === "order") === true) {
    return { row: ordered, order: MEMORY_ORDERS.findIndex((order) => order === suffix?.[2]) };
  }
  const forms = pseudoInstructions[width].get(name);
  if (forms !== undefined) {
    const written = forms.map((form) => `\`${[form.mnemonic, form.operands.join(", ")].join(" ").trim()}\``);
    throw new AssemblyError(head, `\`${name}\` does not take these operands`, `it is written ${written.join(" or ")}`);
  }
  throw unknownName(head, "instruction", allMnemonics(width));
}

function writeInstruction(width: RegisterWidth, row: Instruction, order: number, head: Token, tokens: readonly Token[], output: Output, offset: number): void {
  const values = new Map<string, number>();
  const kinds = new Map(row.operands);
  let at = 0;
  let last = head;
  let relocation: Relocation<RelocationKind> | undefined;
  const usage = (): string => `it is written \`${`${row.mnemonic} ${writeSyntax(syntaxOf(row))}`.trim()}\``;
  const take = (): Token | undefined => {
    const token = tokens[at];
    if (token !== undefined) {
      at++;
      last = token;
    }
    return token;
  };

  const readPart = (part: SyntaxPart): void => {
    switch (part.part) {
      case "punctuation":
      case "register": {
        const wanted = part.part === "register" ? part.name : part.text;
        const token = tokens[at];
        const isIt = part.part === "register" && token !== undefined ? findXRegister(token.text) === findXRegister(wanted) : token?.text === wanted;
        if (!isIt) {
          const found = token === undefined ? "" : `, found \`${token.text}\``;
          throw new AssemblyError(token ?? last, `\`${wanted}\` expected${found}`, usage());
        }
        take();
        return;
      }
      case "operand": {
        const operand = kinds.get(part.name);
        if (operand === undefined) throw new Error(`${row.mnemonic} has no operand ${part.name}`);
        values.set(part.name, readOperand(part.name, operand));
        return;
      }
      case "optional":
        if (isThere(part.parts)) for (const inner of part.parts) readPart(inner);
    }
  };

  /** A part that starts with punctuation is there when that is; an immediate before "(" is when no "(register)" follows at once. */
  const isThere = (parts: readonly SyntaxPart[]): boolean => {
    const [first] = parts;
    if (first?.part === "punctuation") return tokens[at]?.text === first.text;
    return !(tokens[at]?.text === "(" && isRegister(tokens[at + 1]?.text ?? "") && tokens[at + 2]?.text === ")");
  };

  const readOperand = (name: string, operand: Operand): number => {
    const start = tokens[at];
    if (start === undefined) throw new AssemblyError(last, `${describeKind(operand)} is missing`, usage());
    const named = start.kind === "name" || operand.kind === "fence" ? findOperandValue(operand, start.text, width) : undefined;
    if (named !== undefined) {
      take();
      return checked(name, operand, named, start);
    }
    switch (operand.kind) {
      case "x":
      case "x8":
      case "f":
      case "f8":
      case "rounding":
      case "fence":
        throw new AssemblyError(start, `${describeKind(operand)} expected, found \`${start.text}\``, usage());
      case "csr":
        if (start.kind === "name" && !output.scope.constants.has(start.text)) {
          throw unknownName(
            start,
            "control and status register",
            csrsOf(width).map((csr) => csr.name),
          );
        }
        break;
      case "signed":
      case "unsigned":
      case "upper":
      case "target":
      case "order":
      case "ignored":
    }
    const { value, end } = readExpression(tokens, at, last, resolverAt(offset, output.scope));
    at = end;
    last = tokens[end - 1] ?? last;
    if (operand.kind === "target") return readTarget(name, operand, value, start);
    if (value.base !== undefined) {
      throw new AssemblyError(start, `${name} must be a number, not an address`, "`la` puts an address into a register");
    }
    return checked(name, operand, value.constant, start);
  };

  const readTarget = (name: string, operand: Operand, value: Value, start: Token): number => {
    if (value.base?.kind === "here") return checked(name, operand, value.constant - BigInt(offset), start);
    if (value.base?.kind === "outside") {
      relocation = { offset, kind: targetRelocation(row), symbol: value.base.symbol, addend: value.constant };
      return 0;
    }
    if (output.origin === undefined) {
      throw new AssemblyError(start, "a branch goes to a label or to `. + distance`, not to a number");
    }
    return checked(name, operand, value.constant - output.origin - BigInt(offset), start);
  };

  for (const part of syntaxOf(row)) readPart(part);
  const extra = tokens[at];
  if (extra !== undefined) throw new AssemblyError(extra, `unexpected \`${extra.text}\``, usage());
  if (kinds.has("order")) values.set("order", order);
  if (relocation !== undefined) output.relocations.push(relocation);
  putWord(output, offset, row.length, packOperands(row, values));
}

function checked(name: string, operand: Operand, value: number | bigint, at: Token): number {
  const problem = checkOperand(operand, value);
  if (problem !== undefined) throw new AssemblyError(at, `${name} ${problem}`);
  return Number(value);
}

const TARGET_RELOCATIONS: Readonly<Partial<Record<FormatName, RelocationKind>>> = {
  B: "branch",
  J: "jal",
  "C-branch": "c.branch",
  "C-j": "c.j",
};

function targetRelocation(row: Instruction): RelocationKind {
  const kind = TARGET_RELOCATIONS[row.format];
  if (kind === undefined) throw new Error(`${row.mnemonic} has a target but no relocation`);
  return kind;
}

function describeKind(operand: Operand): string {
  switch (operand.kind) {
    case "x":
      return "an integer register";
    case "x8":
      return "an integer register (s0, s1, a0..a5)";
    case "f":
      return "a floating-point register";
    case "f8":
      return "a floating-point register (fs0, fs1, fa0..fa5)";
    case "csr":
      return "a control and status register";
    case "rounding":
      return "a rounding mode (rne, rtz, rdn, rup, rmm, dyn)";
    case "fence":
      return "a set of accesses (letters of `iorw` in this order, or 0)";
    case "target":
      return "a branch target";
    case "signed":
    case "unsigned":
    case "upper":
    case "order":
    case "ignored":
      return "a number";
  }
}

function writeSyntax(parts: readonly SyntaxPart[]): string {
  const write = (part: SyntaxPart): string => {
    switch (part.part) {
      case "punctuation":
        return part.text === "," ? ", " : part.text;
      case "register":
      case "operand":
        return part.name;
      case "optional":
        return `[${part.parts.map(write).join("")}]`;
    }
  };
  return parts.map(write).join("");
}

function sizeComputed(width: RegisterWidth, name: string, head: Token, operands: readonly (readonly Token[])[], scope: Scope): SizedStatement | undefined {
  if (!isComputed(name)) return undefined;
  const wanted = COMPUTED_PSEUDO_INSTRUCTIONS[name];
  if (operands.length !== wanted.length || operands.some((operand) => operand.length === 0)) {
    throw new AssemblyError(head, `\`${name}\` does not take these operands`, `it is written \`${name} ${wanted.join(", ")}\``);
  }
  const [first = [], second = []] = operands;
  switch (name) {
    case "li": {
      const rd = readXRegister(first);
      const value = readConstant(second, head, scope);
      if (value < -(1n << BigInt(width - 1)) || value >= 1n << BigInt(width)) {
        throw new AssemblyError(second[0] ?? head, `value is ${value}, which does not fit ${width} bits`);
      }
      const words = loadConstant(rd, value, width);
      return {
        length: 4 * words.length,
        write: (output, offset) => {
          for (const [index, word] of words.entries()) putWord(output, offset + 4 * index, 4, word);
        },
      };
    }
    case "la":
    case "lla": {
      const rd = readXRegister(first);
      return auipcPair(second, head, encode("auipc", { rd, imm: 0 }), encode("addi", { rd, rs1: rd, imm: 0 }));
    }
    case "call": {
      return auipcPair(first, head, encode("auipc", { rd: "ra", imm: 0 }), encode("jalr", { rd: "ra", rs1: "ra", imm: 0 }));
    }
    case "tail": {
      const via = TAIL_REGISTER;
      return auipcPair(first, head, encode("auipc", { rd: via, imm: 0 }), encode("jalr", { rd: "zero", rs1: via, imm: 0 }));
    }
  }
}

const isComputed = (name: string): name is keyof typeof COMPUTED_PSEUDO_INSTRUCTIONS => Object.hasOwn(COMPUTED_PSEUDO_INSTRUCTIONS, name);

function readXRegister(tokens: readonly Token[]): number {
  const [token, extra] = tokens;
  if (token === undefined) throw new Error("an operand without tokens");
  const register = findXRegister(token.text);
  if (register === undefined) throw new AssemblyError(token, `an integer register expected, found \`${token.text}\``);
  if (extra !== undefined) throw new AssemblyError(extra, `unexpected \`${extra.text}\``);
  return register;
}

function auipcPair(tokens: readonly Token[], head: Token, auipc: number, second: number): SizedStatement {
  return {
    length: 8,
    write: (output, offset) => {
      putWord(output, offset, 4, auipc);
      putWord(output, offset + 4, 4, second);
      const value = readWhole(tokens, head, resolverAt(offset, output.scope));
      putAddress(output, "auipc_pair", offset, value, tokens[0] ?? head);
    },
  };
}

function allMnemonics(width: RegisterWidth): readonly string[] {
  return [
    ...instructionsOf(width).map((row) => row.mnemonic),
    ...pseudoInstructionsOf(width).map((row) => row.mnemonic),
    ...Object.keys(COMPUTED_PSEUDO_INSTRUCTIONS),
  ];
}
