// Blocks and bodies. Blocks that run elsewhere than where they stand (handlers, cpu blocks, trap bodies, deferred blocks) become
// closures: bodies of their own that reach the variables around them through memory. What a statement is by its kind, the rules above
// say (statements.ts), which the context carries: so those whose statements hold blocks can ask for them here.

import type { Block, CpuStmt, Stmt } from "../../grammar/ast.ts";
import type { Span } from "../../grammar/source.ts";
import { createBody, type FunctionBody, type HBlock, type HStmt, type Local } from "../hir.ts";
import { U32, VOID } from "../types.ts";
import { evaluateInteger } from "./constants.ts";
import { fail, failTwice, nested, type Context } from "./context.ts";
import { quote } from "./convert.ts";
import { jumps, leaves } from "./leaving.ts";
import { innerScope } from "./scope.ts";
import { checkAs } from "./values.ts";

/** Checks a function's block into its body. Parameters are in scope; a result must be returned on every path. */
export function checkBody(context: Context, body: FunctionBody, block: Block): void {
  const scope = innerScope(context.scope);
  for (const param of body.params) scope.names.set(param.name, { kind: "local", local: param });
  body.block = checkBlock({ ...context, scope, body, inLoop: false }, block);
  // A `return` may be among the statements that did not parse.
  if (body.result.kind !== "void" && body.result.kind !== "error" && block.broken !== true && !leaves(body.block)) {
    const { source, end } = block.span;
    fail(context, body.span, "E0512", `\`${body.name}\` does not return ${quote(body.result)} on every path`, {
      related: [{ span: { source, start: end - 1, end }, text: "the end is reached without `return`" }],
    });
  }
}

export function checkBlock(context: Context, block: Block): HBlock {
  const inner: Context = { ...context, scope: innerScope(context.scope, block.broken === true ? block.span : null), cleanups: { any: false } };
  const statements: HStmt[] = [];
  for (let i = 0; i < block.statements.length; i++) {
    const statement = block.statements[i];
    if (statement === undefined) continue;
    if (statement.kind === "cpu") {
      const group: CpuStmt[] = [statement];
      for (let next = block.statements[i + 1]; next?.kind === "cpu"; next = block.statements[i + 1]) {
        group.push(next);
        i++;
      }
      statements.push(checkCpus(inner, group));
    } else {
      statements.push(...checkStatement(inner, statement));
      const next = block.statements[i + 1];
      if (next !== undefined && jumps(statement)) {
        fail(context, next.span, "W0402", "this is never reached", { label: "behind a jump", related: [{ span: statement.span, text: "always leaves" }] });
      }
    }
  }
  for (const symbol of inner.scope.names.values()) {
    if (symbol.kind === "local" && !symbol.local.used && !symbol.local.name.startsWith("_")) {
      fail(context, symbol.local.span, "W0401", `\`${symbol.local.name}\` is never used`, { help: "remove it, or begin its name with `_`" });
    }
  }
  return { statements, hasCleanups: inner.cleanups.any };
}

export function declareLocal(context: Context, local: Local): void {
  const before = context.scope.names.get(local.name);
  if (before?.kind === "local") {
    failTwice(context, local.span, `\`${local.name}\``, before.local.span, "in this block");
  }
  context.scope.names.set(local.name, { kind: "local", local });
}

export function bodyOf(context: Context): FunctionBody {
  if (context.body === null) throw new Error("a statement outside of a body");
  return context.body;
}

/** A block that runs on its own: another CPU, a handler, under a guard, or later. */
export function checkClosure(context: Context, name: string, block: Block): FunctionBody {
  const parent = bodyOf(context);
  const body = createBody(`${parent.name}.${name}`, block.span, parent, VOID);
  body.block = checkBlock({ ...context, body, inLoop: false }, block);
  return body;
}

export function checkStatement(context: Context, statement: Stmt): readonly HStmt[] {
  return nested(context, statement.span, [], () => context.rules.statement(context, statement));
}

export function checkCpus(context: Context, group: readonly CpuStmt[]): HStmt {
  const seen = new Map<bigint, Span>();
  const blocks = group.map((statement) => {
    const cpu = checkAs(context, statement.cpu, U32);
    const number = evaluateInteger(cpu, context.target.layout);
    if (number !== null) {
      context.inferred.cpus = Math.max(context.inferred.cpus, Number(number) + 1);
      const before = seen.get(number);
      if (before !== undefined) {
        fail(context, statement.cpu.span, "E0409", `cpu ${number} has two blocks that run at the same time`, {
          related: [{ span: before, text: "the first one" }],
          help: "a statement between the blocks makes them run one after the other",
        });
      }
      seen.set(number, statement.cpu.span);
    }
    return { cpu, body: checkClosure(context, `cpu${number ?? ""}`, statement.body) };
  });
  return { kind: "cpus", blocks, span: group[0]?.span ?? context.scope.module.file.span };
}
