// `asm TARGET (..) {..}`: operands are checked like assignments into and out of registers; the text goes to the target's assembler,
// whose problems become diagnostics at their place in the block. What is left is bytes, which lowering only has to carry on.
// The text may name constants of the program; labels, registers and mnemonics are the assembler's own.

import type { AsmOperand, Expr, Stmt } from "../../grammar/ast.ts";
import { textOf, type Span } from "../../grammar/source.ts";
import type { AssemblyProblem } from "../../isa/assembly/instruction-set.ts";
import type { MachineLanguage, NamedRegister } from "../../isa/machine-language.ts";
import type { AsmOperand as CheckedOperand, HExpr, HPlace, HStmt } from "../hir.ts";
import type { Type } from "../types.ts";
import { asInteger } from "./constants.ts";
import { fail, suggest, type Context } from "./context.ts";
import { defaultType, quote } from "./convert.ts";
import { checkTargetName, constantElsewhere } from "./elsewhere.ts";
import { constantOf } from "./on-demand.ts";
import { checkPlace } from "./places.ts";
import { failAbsent, useReach } from "./reach.ts";
import { lookUp, lookUpInModule, type Symbol } from "./scope.ts";
import { checkExpr, requireReadable } from "./values.ts";

type AsmStmt = Stmt & { kind: "asm" };

export function checkAsm(context: Context, statement: AsmStmt): readonly HStmt[] {
  const { target } = statement;
  checkTargetName(context, target.text, target.span);
  if (!context.modules.targets.includes(target.text)) return [];
  const { language } = context.target;
  if (target.text !== context.target.name || language === null) {
    const same = target.text === context.target.name;
    failAbsent(context, target.span, "E0603", `\`asm ${target.text}\` cannot be assembled for target \`${context.target.name}\``, {
      label: same ? "there is no assembler for it" : `compiled for \`${context.target.name}\``,
      help: same ? undefined : `put it into \`when target ${target.text} { .. }\``,
    });
    // Registers are that target's to judge, values are not: what the block uses is used.
    for (const operand of statement.operands) if (operand.kind !== "clobber") checkValue(context, operand);
    return [];
  }
  const { operands, clobbers, memory } = checkOperands(context, language, statement.operands);
  const assembled = assemble(context, language, statement);
  if (operands === null || assembled === null) return [];
  return [{ kind: "asm", isa: language.isa, ...assembled, operands, clobbers, memory, span: statement.span }];
}

// ---- Operands ----

interface Operands {
  /** Null: one of them is wrong, which is reported. */
  readonly operands: readonly CheckedOperand[] | null;
  readonly clobbers: readonly string[];
  readonly memory: boolean;
}

function checkOperands(context: Context, language: MachineLanguage, written: readonly AsmOperand[]): Operands {
  const operands: CheckedOperand[] = [];
  const clobbers: string[] = [];
  const inputs = new Map<string, Span>();
  const outputs = new Map<string, Span>();
  const changed = new Map<string, Span>();
  let memory = false;
  let isWrong = false;
  for (const operand of written) {
    const { kind, register } = operand;
    if (kind === "clobber" && register.text === "memory") {
      memory = true;
      continue;
    }
    const value = operand.kind === "clobber" ? null : checkValue(context, operand);
    const known = checkRegister(context, language, operand);
    if (known === null || (kind !== "clobber" && value === null)) {
      isWrong = true;
      continue;
    }
    const { name } = known;
    if (kind === "in" || kind === "inout") isWrong = !takeOnce(context, inputs, operand, name, "is given two values") || isWrong;
    if (kind === "out" || kind === "inout") isWrong = !takeOnce(context, outputs, operand, name, "has two results") || isWrong;
    if (kind === "clobber") {
      if (takeOnce(context, changed, operand, name, "is clobbered twice")) clobbers.push(name);
    } else if (kind === "in" && value !== null) operands.push({ kind, register: name, value: value.expr });
    else if (kind !== "in" && value?.place !== undefined) operands.push({ kind, register: name, place: value.place });
  }
  for (const [name, span] of changed) {
    const result = outputs.get(name);
    if (result !== undefined) {
      fail(context, span, "E0605", `register \`${name}\` is a result: it need not be clobbered`, { related: [{ span: result, text: "the result" }] });
      isWrong = true;
    }
  }
  return { operands: isWrong ? null : operands, clobbers, memory };
}

function takeOnce(context: Context, taken: Map<string, Span>, operand: AsmOperand, name: string, what: string): boolean {
  const before = taken.get(name);
  if (before === undefined) {
    taken.set(name, operand.register.span);
    return true;
  }
  fail(context, operand.register.span, "E0605", `register \`${name}\` ${what}`, {
    label: operand.register.text === name ? "" : `\`${operand.register.text}\` is \`${name}\``,
    related: [{ span: before, text: "the first one" }],
  });
  return false;
}

function checkRegister(context: Context, language: MachineLanguage, { kind, register }: AsmOperand): NamedRegister | null {
  const known = language.findRegister(register.text);
  if (known === undefined) {
    fail(context, register.span, "E0604", `${language.isa} has no register \`${register.text}\``, {
      label: "unknown register",
      help:
        suggest(register.text, kind === "clobber" ? [...language.operandRegisters, "memory"] : language.operandRegisters) ??
        `operands are in ${language.operandRegisters.slice(0, 4).join(", ")} and so on`,
    });
    return null;
  }
  if (known.use === "operand" || (known.use === "clobber" && kind === "clobber")) return known;
  if (known.use === "reserved") {
    fail(context, register.span, "E0604", `register \`${register.text}\` is not free for \`asm\``, { label: known.holds ?? "taken" });
  } else {
    fail(context, register.span, "E0604", `register \`${register.text}\` cannot be an operand`, {
      label: "holds no 64-bit integer",
      help: "move the value in the text, and say `clobber` for this register",
    });
  }
  return null;
}

interface Checked {
  readonly expr: HExpr;
  readonly place?: HPlace;
}

function checkValue(context: Context, operand: Exclude<AsmOperand, { kind: "clobber" }>): Checked | null {
  return operand.kind === "in" ? checkInput(context, operand.value) : checkOutput(context, operand.value, operand.kind);
}

function checkInput(context: Context, expr: Expr): Checked | null {
  const value = defaultType(context, checkExpr(context, expr));
  return fitsRegister(context, value) ? { expr: value } : null;
}

function checkOutput(context: Context, expr: Expr, kind: "out" | "inout"): Checked | null {
  const place = checkPlace(context, expr, "assign");
  if (place === null || !fitsRegister(context, place)) return null;
  if (kind === "inout") requireReadable(context, place);
  return { expr: place, place };
}

function fitsRegister(context: Context, expr: HExpr): boolean {
  if (expr.kind === "error" || expr.type.kind === "error") return false;
  if (isRegisterType(expr.type)) return true;
  fail(context, expr.span, "E0605", `an operand of \`asm\` is an integer, a \`bool\` or a pointer, found ${quote(expr.type)}`, {
    label: `this is ${quote(expr.type)}`,
    help: operandHelp(expr.type),
  });
  return false;
}

const isRegisterType = (type: Type): boolean => type.kind === "int" || type.kind === "bool" || type.kind === "pointer";

function operandHelp(type: Type): string | undefined {
  if (type.kind === "slice" || type.kind === "str") return "its two words are `.ptr` and `.len`";
  if (type.kind === "struct" || type.kind === "array") return "give its address: `&`";
  if (type.kind === "fn" || type.kind === "regs") return "its address is `as usize`";
  return type.kind === "enum" ? `convert it with \`as ${type.base.name}\`` : undefined;
}

// ---- Text ----

type Assembled = Pick<HStmt & { kind: "asm" }, "bytes" | "lines">;

function assemble(context: Context, language: MachineLanguage, statement: AsmStmt): Assembled | null {
  const { text, textSpan } = statement;
  const assembly = language.assemble(text, { constants: constantsNamed(context, language, text, textSpan) });
  const spanOf = placesIn(text, textSpan);
  if (!assembly.ok) {
    for (const problem of assembly.problems) {
      fail(context, spanOf(problem), "E0606", problem.message, { label: `in the ${language.isa} assembler`, help: problem.help });
    }
    return null;
  }
  if (assembly.bytes.length === 0) {
    fail(context, textSpan, "E0606", "this block holds no instruction", { label: "nothing to execute", help: "remove it, or write one: `nop`" });
    return null;
  }
  const lines = assembly.lines.map(({ offset, line }) => ({ offset, span: spanOf({ line, column: firstColumn(text, line), length: 1 }) }));
  return { bytes: assembly.bytes, lines };
}

function firstColumn(text: string, line: number): number {
  return (text.split("\n")[line - 1]?.search(/\S/) ?? 0) + 1;
}

/** From the assembler's lines and columns to places in the source. In a YAML cell lines lost their indent: there it is the whole text. */
function placesIn(text: string, span: Span): (at: Pick<AssemblyProblem, "line" | "column" | "length">) => Span {
  if (textOf(span) !== text) return () => span;
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return ({ line, column, length }) => {
    const start = span.start + (starts[line - 1] ?? 0) + column - 1;
    return { source: span.source, start, end: Math.min(start + length, span.end) };
  };
}

/** A name that is no label of the text: `PAGE`, `machine.uart0.base`, `pci.VENDOR`. */
const NAMES = /[A-Za-z_][\w.]*(?![\w.]|\s*:)/g;

function constantsNamed(context: Context, language: MachineLanguage, text: string, at: Span): ReadonlyMap<string, bigint> {
  const found = new Map<string, bigint>();
  const withoutComments = text.replace(/\/\/.*/g, "");
  for (const [name] of withoutComments.matchAll(NAMES)) {
    if (found.has(name) || language.findRegister(name) !== undefined) continue;
    const value = constantNamed(context, name, at);
    if (value !== null) found.set(name, value);
  }
  return found;
}

function constantNamed(context: Context, name: string, at: Span): bigint | null {
  const [first = "", ...rest] = name.split(".");
  const symbol = lookUp(context.scope, first);
  if (symbol === undefined) return first === "machine" ? machineConstant(context, rest.join("."), at) : null;
  const [member] = rest;
  if (member === undefined) return integerOf(context, symbol, at);
  if (rest.length > 1) return null;
  if (symbol.kind === "namespace") return integerOf(context, lookUpInModule(symbol.module, member), at);
  return symbol.kind === "type" && symbol.type.kind === "enum" ? (symbol.type.members.get(member) ?? null) : null;
}

function integerOf(context: Context, symbol: Symbol | undefined, at: Span): bigint | null {
  if (symbol?.kind !== "const") return null;
  const { value } = constantOf(context, symbol, at);
  useReach(context, symbol.reach, at);
  return asInteger(value);
}

function machineConstant(context: Context, path: string, at: Span): bigint | null {
  return context.target.constants.get(path) ?? constantElsewhere(context, path, at);
}
