// Notations as the instruction sets have them; what only one of them writes is tested with its assembler.

import assert from "node:assert/strict";
import { test } from "node:test";

import { readExpression, readStatements, splitOperands } from "./text.ts";
import type { Notation, Token } from "./text.ts";

const HASH_IS_COMMENT: Notation = { hash: "comment", marks: "[]" };
const HASH_IS_IMMEDIATE: Notation = { hash: "immediate", marks: "[]{}!" };

const written = (tokens: readonly Token[]): string => tokens.map(({ text }) => text).join(" ");

function statements(text: string, notation: Notation): readonly string[] {
  const read = readStatements(text, notation);
  assert.deepEqual(read.problems, []);
  return read.statements.map(({ labels, tokens }) => labels.map((label) => `${label.text}: `).join("") + written(tokens));
}

test("brackets, size words and prefixes are tokens", () => {
  assert.deepEqual(statements("1: mov qword ptr [rax+rcx*8+16], rbx # store\n lock cmpxchg [rdi], rsi; jmp 1f", HASH_IS_COMMENT), [
    "1: mov qword ptr [ rax + rcx * 8 + 16 ] , rbx",
    "lock cmpxchg [ rdi ] , rsi",
    "jmp 1f",
  ]);
});

test("where `#` marks an immediate, it starts a comment at the start of a line only", () => {
  assert.deepEqual(statements("  # loads\n ldr x0, [x1, #16]! // next\n# end\nb.eq 1b", HASH_IS_IMMEDIATE), ["ldr x0 , [ x1 , # 16 ] !", "b.eq 1b"]);
});

test("operands are split outside parentheses, brackets and braces", () => {
  const [statement] = readStatements("x0, [x1, x2], {a, b}, (1, 2)", HASH_IS_IMMEDIATE).statements;
  assert.deepEqual(splitOperands(statement?.tokens ?? []).map(written), ["x0", "[ x1 , x2 ]", "{ a , b }", "( 1 , 2 )"]);
});

test("a mark that the notation does not have is a problem where it stands", () => {
  assert.deepEqual(readStatements("nop\n add [1]", { hash: "comment", marks: "" }).problems, [{ line: 2, column: 6, length: 1, message: "unexpected `[`" }]);
});

test("operators bind as in C", () => {
  const value = (text: string): bigint => {
    const tokens = readStatements(text, HASH_IS_COMMENT).statements[0]?.tokens ?? [];
    const after: Token = { kind: "name", text: "", line: 1, column: 1 };
    return readExpression(tokens, 0, after, () => assert.fail("no names here")).value.constant;
  };
  assert.equal(value("1 | 2 + 3 * 4 << 1"), 29n);
  assert.equal(value("~0 & 0xff ^ 0b1"), 0xfen);
  assert.equal(value("-(7 - 10) % 2 + 'A'"), 66n);
});
