// Statements and blocks as canonical text, and signatures, which stubs have as functions do. A block stays on one line where the author had it
// so and it fits.

import type { AsmStmt, Block, IfStmt, MatchStmt, MethodSignature, Param, Stmt } from "../ast.ts";
import { type Element, PrintCore } from "./print-core.ts";
import { lineWidth, pad, printCondition, printExpr, printString, printType } from "./print-expressions.ts";

export class StatementPrinter extends PrintCore {
  protected params(params: readonly Param[]): string {
    return params
      .map(({ name, type }) => (type.span.start === name.span.start && name.text === "self" ? "self" : `${name.text}: ${printType(this.context, type)}`))
      .join(", ");
  }

  /** `end` is what stands behind it on its line. */
  protected signature({ name, params, result }: MethodSignature, end: string, indent: number): string {
    const tail = `${result === null ? "" : ` -> ${printType(this.context, result)}`}${end}`;
    const head = `fn ${name.text}(${this.params(params)})${tail}`;
    if (indent + head.length + 2 <= lineWidth || params.length === 0) return head;
    return `fn ${name.text}(\n${params.map((param) => `${pad(indent + 2)}${this.params([param])},\n`).join("")}${pad(indent)})${tail}`;
  }

  /** On one line where the author had it so and it fits. */
  protected block(block: Block, indent: number, column: number, mayBeFlat = true): string {
    if (block.statements.length === 0 && !this.hasCommentsBefore(block.span.end)) return "{}";
    if (mayBeFlat && block.statements.length > 0 && this.isOneLine(block.span)) {
      const flat = this.attempt(
        () => `{ ${block.statements.map((statement) => this.statement(statement, indent)).join("; ")} }`,
        (text) => !text.includes("\n") && column + text.length <= lineWidth,
      );
      if (flat !== null) return flat;
    }
    const elements = block.statements.map((statement): Element => ({
      start: statement.span.start,
      end: statement.span.end,
      print: () => this.statement(statement, indent + 2),
    }));
    return this.braces(elements, block.span, indent);
  }

  protected headed(head: string, body: Block, indent: number, mayBeFlat = true): string {
    const text = this.header(head, body.span.start, indent);
    return `${text} ${this.block(body, indent, indent + head.length + 1, mayBeFlat)}`;
  }

  protected statement(statement: Stmt, indent: number): string {
    const context = this.context;
    switch (statement.kind) {
      case "block":
        return this.block(statement, indent, indent);
      case "let": {
        const word = `${statement.shared ? "shared " : ""}${statement.mutable ? "var" : "let"}`;
        const head = `${word} ${statement.name.text}${statement.type === null ? "" : `: ${printType(context, statement.type)}`}`;
        return statement.value === null ? this.header(head, statement.span.end, indent) : this.withValue(`${head} = `, statement.value, indent);
      }
      case "assign": {
        const head = `${this.expr(statement.target, indent, indent)} ${statement.op ?? ""}= `;
        return this.withValue(head, statement.value, indent);
      }
      case "expr-stmt":
        return this.expr(statement.expr, indent, indent);
      case "if":
        return this.if(statement, indent);
      case "while":
        return this.headed(`while ${printCondition(context, statement.condition, indent, indent + 6, 2)}`, statement.body, indent);
      case "for": {
        const names = statement.index === null ? statement.name.text : `${statement.index.text}, ${statement.name.text}`;
        return this.headed(`for ${names} in ${printCondition(context, statement.source, indent, indent + names.length + 8, 2)}`, statement.body, indent);
      }
      case "match":
        return this.match(statement, indent);
      case "return":
        return statement.value === null ? "return" : this.withValue("return ", statement.value, indent);
      case "break":
      case "continue":
        return statement.kind;
      case "defer":
        return this.headed("defer", statement.body, indent);
      case "stub": {
        const head = this.signature({ ...statement, name: { text: printExpr(context, statement.target, indent, 0), span: statement.target.span } }, "", indent);
        return this.headed(`stub ${head}`, statement.body, indent);
      }
      case "user":
        return this.headed("user", statement.body, indent);
      case "check": {
        const tail =
          (statement.within === null ? "" : ` within ${printExpr(context, statement.within, indent, 0)}`) +
          (statement.message === null ? "" : `, ${printString(context, statement.message)}`);
        const head = `${statement.word} `;
        return this.header(head + this.expr(statement.condition, indent, indent + head.length, tail.length) + tail, statement.span.end, indent);
      }
      case "answer": {
        const answers = statement.answers.map((answer) => printExpr(context, answer, indent, 0)).join(", ");
        return this.header(`stub ${printExpr(context, statement.target, indent, 0)} returns ${answers}`, statement.span.end, indent);
      }
      case "expect-call": {
        const calls = statement.calls.map(({ callee, returns, times }) => {
          const answer = returns === null ? "" : ` returns ${printExpr(context, returns, indent, 0)}`;
          return `${printExpr(context, callee, indent, 0)}${answer}${times === null ? "" : ` times ${printExpr(context, times, indent, 0)}`}`;
        });
        const head = `${statement.word}${statement.negated ? " no" : ""} call `;
        const message = statement.message === null ? "" : `, ${printString(context, statement.message)}`;
        const flat = `${head}${calls.join(" then ")}${message}`;
        const wide = `${head}${calls.join(`\n${pad(indent + 2)}then `)}${message}`;
        return this.header(indent + flat.length <= lineWidth && this.isOneLine(statement.span) ? flat : wide, statement.span.end, indent);
      }
      case "expect-trap": {
        const trap = statement.trap === null ? "" : ` ${statement.trap.module === null ? "" : `${statement.trap.module.text}.`}${statement.trap.name.text}`;
        const fields =
          statement.fields.length === 0
            ? ""
            : `(${statement.fields.map(({ name, value }) => `${name.text}: ${printExpr(context, value, indent, 0)}`).join(", ")})`;
        const head = `${statement.word}${statement.negated ? " no" : ""} trap${trap}${fields}${statement.binding === null ? "" : ` as ${statement.binding.text}`}`;
        return this.headed(head, statement.body, indent) + (statement.message === null ? "" : `, ${printString(context, statement.message)}`);
      }
      case "expect-log": {
        const head = `${statement.word}${statement.negated ? " no" : ""} log ${printString(context, statement.pattern)}`;
        const body = this.headed(`${head}${statement.binding === null ? "" : ` as ${statement.binding.text}`}`, statement.body, indent);
        return body + (statement.message === null ? "" : `, ${printString(context, statement.message)}`);
      }
      case "word":
        return this.header(`${statement.word} ${printString(context, statement.message)}`, statement.span.end, indent);
      case "skip": {
        const condition =
          statement.condition === null ? "" : `${statement.unless ? "unless" : "if"} ${printExpr(context, statement.condition, indent, indent + 12)}, `;
        return this.header(`skip ${condition}${printString(context, statement.message)}`, statement.span.end, indent);
      }
      case "on-irq":
        return this.headed(`on irq ${printCondition(context, statement.irq, indent, 0)}`, statement.body, indent);
      case "cpu":
        return this.headed(`cpu ${printCondition(context, statement.cpu, indent, 0)}`, statement.body, indent);
      case "wait-until": {
        const tail =
          (statement.within === null ? "" : ` within ${printExpr(context, statement.within, indent, 0)}`) +
          (statement.message === null ? "" : `, ${printString(context, statement.message)}`);
        return this.header(`wait until ${this.expr(statement.condition, indent, indent + 11, tail.length)}${tail}`, statement.span.end, indent);
      }
      case "when-target": {
        const text = this.headed(`when target ${statement.targets.map(({ text: name }) => name).join(", ")}`, statement.consequent, indent);
        return statement.otherwise === null
          ? text
          : `${this.joinElse(text, statement.otherwise.span.start, indent)}${this.block(statement.otherwise, indent, indent + 7)}`;
      }
      case "asm":
        return this.asm(statement, indent);
    }
  }

  /** The operands on one line, the text as the author has it. */
  protected asm(statement: AsmStmt, indent: number): string {
    const operands = statement.operands.map((operand) => {
      const head = `${operand.kind} ${operand.register.text}`;
      return operand.kind === "clobber" ? head : `${head} = ${printExpr(this.context, operand.value, indent, 0)}`;
    });
    const list = operands.length === 0 ? "" : ` (${operands.join(", ")})`;
    return this.header(`asm ${statement.target.text}${list}`, statement.textSpan.start - 1, indent) + ` {${statement.text}}`;
  }

  /** `} else `, with what comments stand before the else. */
  protected joinElse(text: string, until: number, indent: number): string {
    const comments = this.takeBefore(until);
    if (comments.length === 0) return `${text} else `;
    return `${text}\n${comments.map((comment) => `${pad(indent)}${comment.text}\n`).join("")}${pad(indent)}else `;
  }

  /** A chain with `else` is flat as a whole or not at all. */
  protected if(statement: IfStmt, indent: number, mayBeFlat = statement.otherwise === null || this.isOneLine(statement.span)): string {
    const text = this.headed(`if ${printCondition(this.context, statement.condition, indent, indent + 3, 2)}`, statement.consequent, indent, mayBeFlat);
    const { otherwise } = statement;
    if (otherwise === null) return text;
    const joined = this.joinElse(text, otherwise.span.start, indent);
    return joined + (otherwise.kind === "if" ? this.if(otherwise, indent, mayBeFlat) : this.block(otherwise, indent, indent + 7, mayBeFlat));
  }

  protected match(statement: MatchStmt, indent: number): string {
    const brace = this.braceAfter(statement.value.span.end);
    const head = this.header(`match ${printCondition(this.context, statement.value, indent, indent + 6, 2)}`, brace, indent);
    const elements: Element[] = statement.arms.map((arm): Element => ({
      start: arm.span.start,
      end: arm.span.end,
      print: () => this.headed(arm.patterns.map((pattern) => printCondition(this.context, pattern, indent + 2, indent + 2)).join(", "), arm.body, indent + 2),
    }));
    const { otherwise } = statement;
    if (otherwise !== null) {
      const start = this.source.text.lastIndexOf("else", otherwise.span.start);
      elements.push({ start, end: otherwise.span.end, print: () => this.headed("else", otherwise, indent + 2) });
    }
    return `${head} ${this.braces(
      elements.toSorted((a, b) => a.start - b.start),
      { ...statement.span, start: brace },
      indent,
    )}`;
  }
}
