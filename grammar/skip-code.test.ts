// Where brackets close: past everything in which a bracket is none.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isAsm, matchingEnd, pastBraces } from "./skip-code.ts";

/** Each body, with what follows it: the search ends just behind the body. */
const bodies: readonly (readonly [what: string, body: string])[] = [
  ["nested blocks", "{ if a { b() } else { c() } }"],
  ["a comment", "{ // closes nothing: }\n }"],
  ["a character", "{ let a = '}' }"],
  ["an escaped quote", "{ let a = '\\'' }"],
  ["a string", '{ info "}" }'],
  ["an escaped quote in a string", '{ info "\\"}" }'],
  ["code in a hole", '{ info "a {f("}")} b" }'],
  ["doubled braces in a string", '{ info "{{ }" }'],
  ["assembler text, whose quote is none of ours", "{ asm riscv64 { li a0, ' } }"],
  ["operands of assembler text", '{ asm riscv64 (in a0 = f(")")) { nop } }'],
  ["a word that begins as `asm`", "{ asmx riscv64 { } }"],
];

for (const [what, body] of bodies) {
  test(`braces are counted past ${what}`, () => {
    const text = `fn f() ${body} }}`;
    assert.equal(pastBraces(text, 7, text.length), 7 + body.length);
  });
}

for (const text of ["{", "{ { }", '{ "}', '{ "{f(" }', "{ ' }", "{ asm riscv64 ( }", "{ // }"]) {
  test(`nothing closes ${text}`, () => assert.equal(pastBraces(text, 0, text.length), null));
}

test("the search stops at the end of its range", () => {
  assert.equal(pastBraces("{ } }", 0, 2), null);
  assert.equal(matchingEnd("(a)", 0, 2, "(", ")"), null);
});

test("brackets of one kind are matched past strings and comments", () => {
  const text = '(a, ")", (b) // )\n) )';
  assert.equal(matchingEnd(text, 0, text.length, "(", ")"), text.indexOf("\n") + 2);
});

test("`asm` begins assembler text when a target and a bracket follow on its line", () => {
  const judge = (text: string): boolean => isAsm(text, 3, text.length);
  for (const text of ["asm riscv64 {", "asm riscv64(", "asm\triscv64  {"]) assert.equal(judge(text), true, text);
  for (const text of ["asm {", "asm = 1", "asm riscv64", "asm riscv64\n{", "asmx {"]) assert.equal(judge(text), false, text);
});
