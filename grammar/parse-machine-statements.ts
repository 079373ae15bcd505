// Rules for statements that are about the machine: interrupts, other CPUs, the unprivileged mode, waiting, targets, and their assembler text.

import type { AsmOperand, Block, Expr, Stmt } from "./ast.ts";
import { nearestName } from "./nearest-name.ts";
import type { Rule } from "./parse-core.ts";
import { StatementStartParser } from "./parse-statement-starts.ts";
import * as T from "./tokens.ts";

const asmOperandKinds = ["in", "out", "inout", "clobber"] as const satisfies readonly AsmOperand["kind"][];
const asmWords = "`in`, `out`, `inout` or `clobber`";

export abstract class MachineStatementParser extends StatementStartParser {
  // ---- Machine ----

  readonly onIrq: Rule<Stmt> = this.RULE("onIrq", (): Stmt => {
    const { startOffset } = this.need(0, T.OnWord);
    this.needWord(0, "irq");
    const irq = this.condition(0);
    const body = this.subrule(0, this.block);
    return { kind: "on-irq", irq, body, span: this.spanFrom(startOffset) };
  });

  readonly cpuBlock: Rule<Stmt> = this.RULE("cpuBlock", (): Stmt => {
    const { startOffset } = this.need(0, T.CpuWord);
    const cpu = this.condition(0);
    const body = this.subrule(0, this.block);
    return { kind: "cpu", cpu, body, span: this.spanFrom(startOffset) };
  });

  readonly userBlock: Rule<Stmt> = this.RULE("userBlock", (): Stmt => {
    const { startOffset } = this.need(0, T.UserWord);
    const body = this.subrule(0, this.block);
    return { kind: "user", body, span: this.spanFrom(startOffset) };
  });

  readonly waitUntil: Rule<Stmt> = this.RULE("waitUntil", (): Stmt => {
    const { startOffset } = this.need(0, T.WaitWord);
    this.needWord(0, "until");
    const condition = this.subrule(0, this.expr);
    const { within, message } = this.checkTail();
    return { kind: "wait-until", condition, within, message, span: this.spanFrom(startOffset) };
  });

  readonly whenTarget: Rule<Stmt> = this.RULE("whenTarget", (): Stmt => {
    const { startOffset } = this.need(0, T.WhenWord);
    this.needWord(0, "target");
    const targets = [this.needName(1, "a target")];
    this.repeat(
      0,
      () => this.isNext(T.Comma),
      () => {
        this.consume(0, T.Comma);
        targets.push(this.needName(2, "a target"));
      },
    );
    const body = this.subrule(0, this.block);
    let otherwise: Block | null = null;
    this.when(0, this.isNext(T.Else), () => {
      this.consume(0, T.Else);
      otherwise = this.subrule(1, this.block);
    });
    return { kind: "when-target", targets, consequent: body, otherwise, span: this.spanFrom(startOffset) };
  });

  readonly asm: Rule<Stmt> = this.RULE("asm", (): Stmt => {
    const { startOffset } = this.need(0, T.AsmWord);
    const target = this.needName(0, "a target");
    const operands: AsmOperand[] = [];
    this.when(1, this.isNext(T.LParen), () => {
      const open = this.peek(1);
      this.consume(0, T.LParen);
      this.bracketed(() => {
        this.commaList(0, T.RParen, () => operands.push(this.subrule(0, this.asmOperand)));
        this.needClose(0, T.RParen, open);
      });
    });
    const text = this.need(1, T.RawText, "`{` and assembler text");
    const { source, start, end } = this.spanOf(text);
    const textSpan = { source, start: start + 1, end: end - 1 };
    return { kind: "asm", target, operands, text: text.image.slice(1, -1), textSpan, span: this.spanFrom(startOffset) };
  });

  readonly asmOperand: Rule<AsmOperand> = this.RULE("asmOperand", (): AsmOperand => {
    const { startOffset } = this.peek(1);
    const word = this.needAnyWord(0, asmWords);
    const kind = asmOperandKinds.find((known) => known === word.text);
    if (!this.RECORDING_PHASE && kind === undefined) {
      const near = nearestName(word.text, asmOperandKinds);
      throw this.faultAt(
        this.peek(0),
        "E0201",
        `expected ${asmWords}, found \`${word.text}\``,
        "not an operand",
        near === undefined ? {} : { help: `did you mean \`${near}\`?` },
      );
    }
    const register = this.needName(0, "a register");
    let value: Expr | null = null;
    this.when(0, kind !== "clobber", () => {
      this.need(0, T.Equal, "`=` and what it holds");
      value = this.subrule(0, this.expr);
    });
    const span = this.spanFrom(startOffset);
    if (value === null || kind === undefined || kind === "clobber") return { kind: "clobber", register, span };
    return { kind, register, value, span };
  });
}
