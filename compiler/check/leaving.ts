// Whether control can reach the end of a checked block. A function with a result has to return on every path; an endless loop without
// `break`, a `skip` and an intrinsic that never comes back count as leaving too.

import type { Stmt } from "../../grammar/ast.ts";
import type { HBlock, HStmt } from "../hir.ts";
import { asInteger } from "./constants.ts";
import { findIntrinsic } from "./intrinsics.ts";

/** Control never reaches the end of the block. */
export function leaves(block: HBlock): boolean {
  return block.statements.some(statementLeaves);
}

/**
 * Goes elsewhere whatever happens, as it is written: by `return`, `break` or `continue`. Not what `when target` leaves of it here, and not a
 * loop without end, which may be there for its time limit.
 */
export function jumps(statement: Stmt): boolean {
  const { kind } = statement;
  if (kind === "return" || kind === "break" || kind === "continue") return true;
  if (kind === "block") return statement.statements.some(jumps);
  return kind === "if" && statement.otherwise !== null && jumps(statement.consequent) && jumps(statement.otherwise);
}

function statementLeaves(statement: HStmt): boolean {
  switch (statement.kind) {
    case "return":
      return true;
    case "block":
      return leaves(statement.block);
    case "if":
      return statement.otherwise !== null && leaves(statement.consequent) && leaves(statement.otherwise);
    case "match":
      return statement.arms.every((arm) => leaves(arm.body)) && (statement.otherwise === null || leaves(statement.otherwise));
    case "while":
      return statement.condition.kind === "const" && asInteger(statement.condition.value) === 1n && !breaks(statement.body);
    case "word":
      return statement.word === "skip";
    case "expr":
      return statement.expr.kind === "intrinsic" && findIntrinsic(statement.expr.name)?.ends === true;
    case "let":
    case "assign":
    case "update":
    case "for-range":
    case "for-each":
    case "break":
    case "continue":
    case "defer":
    case "stub":
    case "answer":
    case "expect-call":
    case "user":
    case "check":
    case "expect-trap":
    case "expect-log":
    case "print":
    case "on-irq":
    case "asm":
    case "cpus":
      return false;
  }
}

function breaks(block: HBlock): boolean {
  return block.statements.some((statement) => {
    if (statement.kind === "break") return true;
    if (statement.kind === "block") return breaks(statement.block);
    if (statement.kind === "if") return breaks(statement.consequent) || (statement.otherwise !== null && breaks(statement.otherwise));
    if (statement.kind === "match") return statement.arms.some((arm) => breaks(arm.body)) || (statement.otherwise !== null && breaks(statement.otherwise));
    return false;
  });
}
