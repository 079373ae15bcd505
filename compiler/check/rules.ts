// The rules by kind of expression and of statement, for the context of a program (context.ts says why they are carried there). Of the
// imports in this folder the rest makes an order without circles: names and constants, conversions, values, types, declarations on
// demand, expressions, blocks, statements, whole declarations, suites. tests/layers.test.ts keeps it.

import type { Rules } from "./context.ts";
import { checkExpressionKind } from "./expressions.ts";
import { checkStatementKind } from "./statements.ts";

export const RULES: Rules = { expression: checkExpressionKind, statement: checkStatementKind };
