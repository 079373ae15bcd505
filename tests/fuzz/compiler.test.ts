// The compiler on broken programs: tokens of the library and of the shipped specs are dropped, doubled, swapped and replaced, and the
// result is compiled with all library modules. It may find errors but never throw; every diagnostic has a known code, a message in the
// house style and spans inside its text. What still compiles is lowered and must be valid bytecode.
// GUESTSPEC_FUZZ_SEED and GUESTSPEC_FUZZ_ROUNDS widen the search; a failure names the seed of its program.

import assert from "node:assert/strict";
import { test } from "node:test";
import { findCode } from "../../compiler/diagnostics/codes.ts";
import type { Diagnostic } from "../../grammar/diagnostic.ts";
import { scan } from "../../grammar/scanner.ts";
import { compileFiles, readText, specFiles } from "../fixtures/compile.ts";
import { createRandom, FUZZ_SEED, fuzzRounds, type Random } from "../fixtures/random.ts";

const ROUNDS = fuzzRounds(60);

/** Those of all targets. */
const library = specFiles("lib").filter((path) => path.split("/").length === 2);

/** Tokens that make a wrong program interesting: types where values belong, wide numbers, words with a meaning of their own. */
const SPICE: readonly string[] = [
  "0",
  "1",
  "-1",
  "255",
  "256",
  "0xffff_ffff_ffff_ffff",
  "true",
  '"text"',
  '"{x}"',
  'hex"00ff"',
  "10ms",
  "u8",
  "u64",
  "i8",
  "usize",
  "bool",
  "str",
  "[4]u8",
  "[]u8",
  "*u8",
  "fn()",
  "void",
  "x",
  "self",
  "machine",
  "machine.uart0.base",
  "peek.u32",
  "console",
  "runtime",
  "trap",
  "break",
  "return",
  "continue",
  "+",
  "<<",
  "/",
  "==",
  "<",
  "in",
  "and",
  "not",
  "~",
  "&",
  ".*",
  ".len",
  ".max",
  "as u8",
  "as *u8",
  "[0]",
  "[1..]",
  "[0; 3]",
  "[1, -1]",
  "0..5",
  "if true { 1 } else { 2 }",
  "edges(u8)",
  "sizeof(u64)",
  "()",
  "{ }",
  "{",
  "}",
  "(",
  ")",
  ";",
  "\n",
  "expect 1 == 1",
  "let y = 1",
  "var z: [3]u32",
  "defer { }",
  "cpu 1 { }",
  "on irq timer { }",
  "expect trap { }",
  "match 1 as u8 { 1 { } else { } }",
  "@slow",
  "const C = C",
  // As other languages have it.
  "&&",
  "||",
  "!",
  "->",
  "++",
  "->x",
  "? 1 : 2",
  "null",
  "[u8; 4]",
  "'c'",
  "=>",
  "let mut y = 1",
];

interface Piece {
  readonly start: number;
  readonly end: number;
  /** Name of the token's type: `Ident`, `Int`, `Plus`. */
  readonly kind: string;
}

interface Subject {
  readonly path: string;
  readonly text: string;
  readonly pieces: readonly Piece[];
}

function readSubject(path: string): Subject {
  const text = readText(path) ?? assert.fail(path);
  if (path.endsWith(".yaml"))
    return {
      path,
      text,
      pieces: [...text.matchAll(/\w+|[^\s\w]| +/g)].map(({ 0: word, index }) => ({
        start: index,
        end: index + word.length,
        kind: /^\w/.test(word) ? "word" : word,
      })),
    };
  const { tokens } = scan({ source: { path, text }, text, start: 0, end: text.length, offsets: null, isTemplate: false }, () => {});
  return {
    path,
    text,
    pieces: tokens.flatMap(({ startOffset, endOffset, tokenType }) =>
      endOffset >= startOffset ? [{ start: startOffset, end: endOffset + 1, kind: tokenType.name }] : [],
    ),
  };
}

const OPERATORS = [
  "Plus",
  "Minus",
  "Star",
  "Slash",
  "Percent",
  "Ampersand",
  "Bar",
  "Caret",
  "ShiftLeft",
  "ShiftRight",
  "EqualEqual",
  "NotEqual",
  "Less",
  "LessEqual",
  "Greater",
  "And",
  "Or",
];
const kindOf = (piece: Piece): string => (OPERATORS.includes(piece.kind) ? "operator" : piece.kind);

/** One to four changes. Half of the programs keep their syntax (a name for a name, a number for a number), the others keep nothing. */
function mutate({ text, pieces }: Subject, random: Random): string {
  const pick = (among: readonly Piece[]): Piece => among[random.below(among.length)] ?? { start: 0, end: 0, kind: "" };
  const wordOf = (piece: Piece): string => text.slice(piece.start, piece.end);
  const keepsSyntax = random.below(2) === 0;
  // From the end, so that the places before stay right.
  const places = Array.from({ length: 1 + random.below(4) }, () => pick(pieces)).toSorted((a, b) => b.start - a.start);
  let result = text;
  for (const place of places) {
    const own = wordOf(place);
    let replacement: string;
    if (keepsSyntax) replacement = wordOf(pick(pieces.filter((piece) => kindOf(piece) === kindOf(place))));
    else {
      const spice = SPICE[random.below(SPICE.length)] ?? "";
      const choices = ["", `${own} ${own}`, wordOf(pick(pieces)), spice, `${own} ${spice}`, `${spice} ${own}`];
      replacement = choices[random.below(choices.length)] ?? "";
    }
    result = keepsSyntax
      ? result.slice(0, place.start) + replacement + result.slice(place.end)
      : `${result.slice(0, place.start)} ${replacement} ${result.slice(place.end)}`;
  }
  return result;
}

function checkDiagnostic(diagnostic: Diagnostic, text: string): void {
  assert.ok(findCode(diagnostic.code) !== undefined, `unknown code ${diagnostic.code}`);
  assert.match(diagnostic.message, /^[^A-Z\s]|^[A-Z]+\b/, `message begins with a capital: ${diagnostic.message}`);
  // A program's own word is quoted.
  assert.doesNotMatch(diagnostic.message, text.includes("undefined") ? /\[object|NaN|\.$/ : /undefined|\[object|NaN|\.$/, diagnostic.message);
  for (const { span } of [...diagnostic.labels, ...(diagnostic.fix === undefined ? [] : [diagnostic.fix])]) {
    assert.ok(
      span.start >= 0 && span.start <= span.end && span.end <= span.source.text.length,
      `${diagnostic.code}: span ${span.start}..${span.end} of ${span.source.text.length}`,
    );
  }
}

/** A program that names every library module, the mutated one among them. */
function compileWith(path: string, text: string): { readonly compiled: boolean } {
  const all = "fuzz/all.gspec";
  const uses = library.map((file) => `use ${file.slice("lib/".length, -".gspec".length)}`).join("\n");
  const spec = `suite "all"\n${uses}\ntest "runs" { expect 1 == 1 }\n`;
  const isSpec = !path.startsWith("lib/");
  const { diagnostics, images } = compileFiles(isSpec ? [path, all] : [all], { texts: { [path]: text, [all]: spec } });
  for (const diagnostic of diagnostics) checkDiagnostic(diagnostic, text);
  const wrong = diagnostics.some(({ severity }) => severity === "error");
  assert.equal(images.length === 0, wrong);
  return { compiled: !wrong };
}

const subjects = [...library, ...specFiles("specs"), ...specFiles("tests/errors/check")].map(readSubject);

test("mutated programs are reported, never thrown at", () => {
  let compiled = 0;
  for (let seed = FUZZ_SEED; seed < FUZZ_SEED + ROUNDS; seed++) {
    const random = createRandom(seed);
    const subject = subjects[random.below(subjects.length)];
    assert.ok(subject !== undefined);
    try {
      if (compileWith(subject.path, mutate(subject, random)).compiled) compiled++;
    } catch (error) {
      // The library is part of the tool: when it lacks what lowering calls, the tool is broken and says so.
      if (subject.path.startsWith("lib/") && error instanceof Error && error.message.startsWith("the guest library has no ")) continue;
      throw new Error(`seed ${seed}, a change of ${subject.path} (GUESTSPEC_FUZZ_SEED=${seed} GUESTSPEC_FUZZ_ROUNDS=1)`, { cause: error });
    }
  }
  // A search whose programs are all wrong, or all right, sees only half of the compiler.
  if (ROUNDS >= 60) assert.ok(compiled > 0 && compiled < ROUNDS, `${compiled} of ${ROUNDS} compiled`);
});

/** What programs write, and people do not: each is compiled or refused, quickly and without a throw. */
const EXTREMES: Readonly<Record<string, (n: number) => string>> = {
  parentheses: (n) => `const A = ${"(".repeat(n)}1${")".repeat(n)}`,
  "a long sum": (n) => `const A = ${Array.from({ length: n }, () => "1").join(" + ")}`,
  blocks: (n) => `fn f() { ${"{".repeat(n)}${"}".repeat(n)} }`,
  "else if": (n) => `fn f() { ${Array.from({ length: n }, () => "if true { }").join(" else ")} }`,
  pointers: (n) => `var p: ${"*".repeat(n)}u8`,
  negations: (n) => `const A = ${"not ".repeat(n)}true`,
  members: (n) => `const A = u32${".max".repeat(n)}`,
  closures: (n) => `fn f() { ${"defer { ".repeat(n)}${"}".repeat(n)} }`,
  "constants in reverse": (n) => `${Array.from({ length: n }, (_, i) => `const C${i} = C${i + 1} + 1`).join("\n")}\nconst C${n} = 0`,
  "structs in structs": (n) =>
    `${Array.from({ length: n }, (_, i) => `struct S${i} { a: S${i + 1}  b: S${i + 1} }`).join("\n")}\nstruct S${n} { a: u8 }\nvar s: S0`,
  squares: (n) => `const C0 = 1 << 4000\n${Array.from({ length: n }, (_, i) => `const C${i + 1} = C${i} * C${i}`).join("\n")}`,
  "large arrays": (n) => `var a: [${n}_000_000]u8 = [1; ${n}_000_000]\nvar b = [[1; 1000]; ${n}]\nvar c: [${n}][${n}][${n}]u64`,
};

for (const [name, write] of Object.entries(EXTREMES)) {
  test(`extreme programs: ${name}`, () => {
    for (const n of [100, 5000]) compileWith("fuzz/extreme.gspec", `suite "extreme"\n${write(n)}\ntest "runs" { expect 1 == 1 }\n`);
  });
}

test("the library itself compiles", () => {
  const [first] = subjects;
  assert.ok(first !== undefined && compileWith(first.path, first.text).compiled);
});
