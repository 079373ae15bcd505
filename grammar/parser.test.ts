// Behaviour of the parser that trees of whole files show badly: its own grammar's soundness, spans, literals, recovery, pieces of a
// text, and that any tree prints to text that parses to it.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { BinaryOp, Expr, File, Stmt, TypeExpr } from "./ast.ts";
import type { Diagnostic } from "./diagnostic.ts";
import { printExpr } from "./format/print-expressions.ts";
import { ItemParser } from "./parse-items.ts";
import { parseExpression, parseFile, parseLiteral, parseNeeds, parseStatements, parseTemplate, parseTypeExpression } from "./parser.ts";
import { printAst } from "./print-ast.ts";
import { type Source, textOf } from "./source.ts";
import { decodeText } from "./text-check.ts";

function sourceOf(text: string): Source {
  return { path: "test.gspec", text };
}

function parse(text: string): { file: File; reports: Diagnostic[] } {
  const reports: Diagnostic[] = [];
  return { file: parseFile(sourceOf(text), (diagnostic) => reports.push(diagnostic)), reports };
}

function expression(text: string): Expr {
  const expr = parseExpression(sourceOf(text), { start: 0, end: text.length }, (diagnostic) => assert.fail(`${text}: ${diagnostic.message}`));
  assert.ok(expr !== null);
  return expr;
}

function statementsOf(text: string): readonly Stmt[] {
  const { file, reports } = parse(`test "t" {\n${text}\n}`);
  assert.deepEqual(
    reports.map(({ message }) => message),
    [],
  );
  const [item] = file.items;
  assert.ok(item?.kind === "test");
  return item.body.statements;
}

test("the grammar passes Chevrotain's own validation", () => {
  assert.doesNotThrow(() => new ItemParser({ isValidating: true }));
});

describe("integers", () => {
  const values: readonly [string, bigint][] = [
    ["0", 0n],
    ["1_000", 1000n],
    ["0xffff_ffff_ffff_ffff", 0xffff_ffff_ffff_ffffn],
    ["18446744073709551615", 18446744073709551615n],
    ["0b1010", 10n],
    ["0o17", 15n],
    ["'A'", 65n],
    ["'\\n'", 10n],
    ["'\\''", 39n],
    ["'é'", 0xe9n],
    ["'\\u{1f600}'", 0x1f600n],
    ["64KiB", 65536n],
    ["2GiB", 2147483648n],
    ["9007199254740993", 9007199254740993n],
  ];
  for (const [text, value] of values) {
    test(text, () => {
      const expr = expression(text);
      assert.ok(expr.kind === "int");
      assert.equal(expr.value, value);
      assert.equal(expr.text, text);
    });
  }

  test("durations are nanoseconds", () => {
    for (const [text, value] of [
      ["10ms", 10_000_000n],
      ["5us", 5000n],
      ["200ns", 200n],
      ["1s", 1_000_000_000n],
    ] as const) {
      const expr = expression(text);
      assert.ok(expr.kind === "duration");
      assert.equal(expr.nanoseconds, value);
    }
  });

  test("the fast path for cells reads what the parser reads, or nothing", () => {
    for (const text of [
      "0",
      "42",
      "-1",
      "0xff",
      "0xFFFF_FFFF_FFFF_FFFF",
      "0x1fffffffffffff",
      "0x20000000000001",
      "1_000",
      "true",
      "false",
      'hex"00 ff"',
      "123456789012345",
    ]) {
      const fast = parseLiteral(sourceOf(text), 0, text.length);
      assert.ok(fast !== null, text);
      assert.equal(printAst(fast), printAst(expression(text)), text);
      assert.deepEqual([fast.span.start, fast.span.end], [0, text.length]);
    }
    for (const text of ["", "-", "0x", "1.5", "0b11", "10ms", "a", "1 + 1", "truey", "--1", "- 1", "99999999999999999999", 'hex"0"', "'A'"]) {
      assert.equal(parseLiteral(sourceOf(text), 0, text.length), null, text);
    }
  });
});

describe("spans", () => {
  test("a node's span is its source text, parentheses included", () => {
    const expr = expression("  (a + b) * f(c)[1].d as u8  ");
    assert.equal(textOf(expr.span), "(a + b) * f(c)[1].d as u8");
    assert.ok(expr.kind === "binary");
    assert.equal(textOf(expr.left.span), "(a + b)");
    assert.equal(textOf(expr.right.span), "f(c)[1].d as u8");
    assert.equal(textOf(expr.opSpan), "*");
  });

  test("the parts of a string lie where they are written", () => {
    const expr = expression('"a\\n{x + 1:x}b"');
    assert.ok(expr.kind === "string");
    assert.deepEqual(
      expr.parts.map((part) => textOf(part.span)),
      ["a\\n", "{x + 1:x}", "b"],
    );
    const [first, hole] = expr.parts;
    assert.ok(first?.kind === "text" && hole?.kind === "hole");
    assert.equal(first.text, "a\n");
    assert.equal(textOf(hole.expr.span), "x + 1");
  });
});

describe("a statement ends", () => {
  const kinds = (text: string): string =>
    statementsOf(text)
      .map(({ kind }) => kind)
      .join(" ");

  test("before a line that begins like a new one", () => {
    for (const mark of ["(b)", "[b]", "-b", "&b"]) assert.equal(kinds(`f()\n${mark}`), "expr-stmt expr-stmt", mark);
    for (const more of ["+ b", "/ b", "== b", "and b", ".b", "as_is"])
      assert.equal(kinds(`f()\n${more}`), more === "as_is" ? "expr-stmt expr-stmt" : "expr-stmt", more);
  });

  test("not inside brackets", () => {
    assert.equal(kinds("f(a\n - b,\n [c]\n [0])"), "expr-stmt");
  });

  test("at `;`, and before a keyword on the same line", () => {
    assert.equal(kinds("a = 1; b = 2"), "assign assign");
    assert.equal(kinds("a = 1  let r = b  if r == 1 {} f()"), "assign let if expr-stmt");
    assert.deepEqual(
      parse('test "t" { expect a == b c }').reports.map(({ code }) => code),
      ["E0201"],
    );
  });

  test("`return` takes its operand from its own line", () => {
    const [first, second] = statementsOf("return\nf()");
    assert.ok(first?.kind === "return" && first.value === null && second?.kind === "expr-stmt");
  });
});

describe("recovery", () => {
  test("a statement that does not parse costs itself only", () => {
    const { file, reports } = parse('test "t" {\n  let a = 1\n  let = 2\n  expect a == )\n  expect a == 1\n}\nfn f() {}');
    assert.deepEqual(
      reports.map(({ code }) => code),
      ["E0201", "E0202"],
    );
    const [item, fn] = file.items;
    assert.ok(item?.kind === "test" && fn?.kind === "fn");
    assert.deepEqual(
      item.body.statements.map(({ kind }) => kind),
      ["let", "check"],
    );
    assert.equal(item.body.broken, true);
    assert.equal(fn.body.broken, undefined);
  });

  test("a misspelt declaration gives one report and keeps its neighbours", () => {
    const { file, reports } = parse('fn a() {}\ntset "x" {\n  if y { z() }\n}\nfn b() {}');
    assert.deepEqual(
      reports.map(({ code, help }) => [code, help]),
      [["E0203", "did you mean `test`?"]],
    );
    assert.deepEqual(
      file.items.map((item) => (item.kind === "fn" ? item.name.text : "")),
      ["a", "b"],
    );
  });

  test("the names of lost declarations are kept", () => {
    const { file, reports } = parse("fn lost(a) {}\nconst ALSO\nstruct S { a u8 }\nfn kept() {}");
    assert.equal(reports.length, 3);
    assert.deepEqual(file.lost, ["lost", "ALSO"]);
    // A struct keeps the members that parsed.
    assert.deepEqual(
      file.items.map(({ kind }) => kind),
      ["struct", "fn"],
    );
  });

  test("so are those behind an unknown first word", () => {
    const { file, reports } = parse("pub fn one() {}\nint two(int a) { return a; }\nstatic u32 three = 1\nfn kept() {}");
    assert.deepEqual(
      reports.map(({ code, help }) => [code, help?.slice(0, 17)]),
      [
        ["E0203", "all that a file d"],
        ["E0203", "did you mean `fn`"],
        ["E0203", "did you mean `var"],
      ],
    );
    assert.deepEqual(file.lost, ["one", "two", "three"]);
  });

  test("what is no text is refused as a whole", () => {
    const reportsOf = (text: string): readonly unknown[] => parse(text).reports.map(({ code, labels, help }) => [code, labels[0].span.start, help]);
    assert.deepEqual(reportsOf('suite "a"\n\0\0'), [["E0115", 10, undefined]]);
    const decoded = (...bytes: readonly number[]): string => decodeText(Uint8Array.from(bytes));
    const suite = [...Buffer.from('suite "')];
    assert.deepEqual(reportsOf(decoded(0xff, 0xfe, 0x73, 0, 0x75, 0)), [["E0115", 0, "it looks like UTF-16: save it as UTF-8"]]);
    assert.deepEqual(reportsOf(decoded(...suite, 0xe9, 0x22)), [["E0115", 7, undefined]]);
    // The character that decoders put for such bytes, written as such; then behind the half of a character.
    assert.deepEqual(reportsOf(decoded(...suite, 0xef, 0xbf, 0xbd, 0x22)), []);
    assert.deepEqual(reportsOf(decoded(...suite, 0xef, 0xbf, 0xbd, 0xf0, 0x9f, 0xef, 0xbf, 0xbd, 0x22)), [["E0115", 8, undefined]]);
    assert.deepEqual(reportsOf('\ufeffsuite "\u00e9"'), []);
  });

  test("an open block ends at the next declaration, with one report", () => {
    const { file, reports } = parse('test "a" {\n  if x {\n    while y {\n      f(\n\ntest "b" { expect true }');
    assert.deepEqual(
      reports.map(({ code }) => code),
      ["E0202", "E0205"],
    );
    assert.deepEqual(
      file.items.map(({ kind }) => kind),
      ["test", "test"],
    );
  });

  test("a method is a member where its line is not indented too", () => {
    const { file, reports } = parse("struct S {\nx: u8\nfn m(self) {\nself.x = 1\n}\n}\nfn f() {}");
    assert.deepEqual(reports, []);
    assert.deepEqual(
      file.items.map(({ kind }) => kind),
      ["struct", "fn"],
    );
  });

  test("no text makes the parser throw or hang", () => {
    const pieces = [
      "test",
      '"a"',
      "{",
      "}",
      "(",
      ")",
      "[",
      "]",
      "let",
      "x",
      "=",
      "1",
      ",",
      ":",
      "expect",
      "==",
      "\n",
      '"{',
      "fn",
      "table",
      "@",
      "if",
      "else",
      ".",
      "..",
      "struct",
      "regs",
      "match",
      ";",
      "not",
      "in",
      "as",
      "trap",
      "asm",
      "cpu",
      "\u0000",
      "'",
      'hex"',
      "//",
      "/*",
      "->",
    ];
    let seed = 12345;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return (seed >>> 16) % below;
    };
    for (let i = 0; i < 2000; i++) {
      const text = Array.from({ length: 1 + random(40) }, () => pieces[random(pieces.length)]).join(random(4) === 0 ? "" : " ");
      const { file, reports } = parse(text);
      for (const { labels } of reports) {
        for (const { span } of labels)
          assert.ok(span.start >= 0 && span.start <= span.end && span.end <= text.length, `${JSON.stringify(text)}: ${span.start}..${span.end}`);
      }
      assert.ok(file.kind === "file");
    }
  });
});

describe("pieces of a text, as YAML cells are", () => {
  const text = "check: |\n      expect a == 1\n      // why\n      expect b\ntype: '[4]u8'\nneeds: cpus(2), pci(0x1b36:0x0005)\nname: n {a:x} \"q\"";

  test("statements keep the offsets of the whole text", () => {
    const start = text.indexOf("expect a");
    const block = parseStatements(sourceOf(text), { start, end: text.indexOf("type:") }, (diagnostic) => assert.fail(diagnostic.message));
    assert.deepEqual(
      block.statements.map(({ span }) => textOf(span)),
      ["expect a == 1", "expect b"],
    );
  });

  test("types, needs and templates", () => {
    const fail = (diagnostic: Diagnostic): never => assert.fail(diagnostic.message);
    const at = (piece: string): { start: number; end: number } => ({ start: text.indexOf(piece), end: text.indexOf(piece) + piece.length });
    assert.equal(parseTypeExpression(sourceOf(text), at("[4]u8"), fail)?.kind, "array-type");
    assert.deepEqual(
      parseNeeds(sourceOf(text), at("cpus(2), pci(0x1b36:0x0005)"), fail)?.map(({ name }) => name.text),
      ["cpus", "pci"],
    );
    const template = parseTemplate(sourceOf(text), at('n {a:x} "q"'), fail);
    assert.deepEqual(
      template?.parts.map((part) => textOf(part.span)),
      ["n ", "{a:x}", ' "q"'],
    );
  });

  test("what is left over after an expression is an error inside the range", () => {
    const reports: Diagnostic[] = [];
    assert.equal(
      parseExpression(sourceOf("a: 1 2, b"), { start: 3, end: 6 }, (diagnostic) => reports.push(diagnostic)),
      null,
    );
    assert.deepEqual(
      reports.map(({ code, labels }) => [code, labels[0].span.start]),
      [["E0201", 5]],
    );
  });

  test("cooked text reports at the place of its characters", () => {
    const reports: Diagnostic[] = [];
    const source = sourceOf("x: 'a ''b' ");
    const cooked = { text: "a 'b", offsets: Int32Array.from([4, 5, 6, 8, 9]) };
    assert.equal(
      parseExpression(source, { start: 4, end: 9, cooked }, (diagnostic) => reports.push(diagnostic)),
      null,
    );
    assert.deepEqual(
      reports.map(({ code, labels }) => [code, labels[0].span.start]),
      [["E0107", 6]],
    );
  });
});

// ---- Trees -> text -> trees ----

describe("printed expressions", () => {
  const empty: Source = sourceOf("");
  const span = { source: empty, start: 0, end: 0 };
  let seed = 1;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 16) % below;
  };
  const pick = <E>(list: readonly E[]): E => {
    const chosen = list[random(list.length)];
    assert.ok(chosen !== undefined);
    return chosen;
  };
  const name = (text: string): Expr => ({ kind: "name", name: text, span });
  const operators: readonly BinaryOp[] = ["+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>", "==", "!=", "<", "<=", ">", ">=", "and", "or", "in", "not in"];
  const types: readonly TypeExpr[] = [
    { kind: "named-type", module: null, name: { text: "u8", span }, span },
    { kind: "named-type", module: { text: "pci", span }, name: { text: "Device", span }, span },
    { kind: "pointer-type", target: { kind: "slice-type", element: { kind: "named-type", module: null, name: { text: "u8", span }, span }, span }, span },
  ];
  const range = (depth: number): Expr => ({ kind: "range", start: any(depth), end: any(depth), inclusive: random(2) === 0, span });

  function any(depth: number): Expr {
    if (depth === 0) return pick<Expr>([name("a"), name("within"), { kind: "int", value: 7n, text: "7", span }, { kind: "bool", value: true, span }]);
    const inner = (): Expr => any(depth - 1);
    switch (random(13)) {
      case 0:
      case 1:
      case 2:
      case 3: {
        const op = pick(operators);
        return {
          kind: "binary",
          op,
          left: inner(),
          right: (op === "in" || op === "not in") && random(2) === 0 ? range(depth - 1) : inner(),
          opSpan: span,
          span,
        };
      }
      case 4:
        return { kind: "unary", op: pick(["-", "~", "not", "&"] as const), operand: inner(), span };
      case 5:
        return { kind: "call", callee: inner(), args: [inner(), inner()], span };
      case 6:
        return { kind: "member", object: inner(), name: { text: pick(["x", "in", "max"]), span }, span };
      case 7:
        return { kind: "index", object: inner(), index: inner(), span };
      case 8:
        return { kind: "slice", object: inner(), start: random(2) === 0 ? null : inner(), end: random(2) === 0 ? null : inner(), span };
      case 9:
        return { kind: "cast", operand: inner(), type: pick(types), span };
      case 10:
        return { kind: "regs-at", block: inner(), address: inner(), space: pick(["memory", "ports"] as const), span };
      case 11:
        return { kind: "if-expr", condition: inner(), consequent: inner(), otherwise: inner(), span };
      default:
        return pick<Expr>([
          { kind: "array", elements: [inner(), inner()], span },
          { kind: "deref", pointer: inner(), span },
          { kind: "struct-literal", type: { module: null, name: { text: "P", span } }, fields: [{ name: { text: "if", span }, value: inner() }], span },
          {
            kind: "string",
            parts: [
              { kind: "text", text: 'a"{}\n', span },
              { kind: "hole", expr: inner(), format: "x", span },
            ],
            span,
          },
        ]);
    }
  }

  test("parse to the tree they came from, whatever the operators", () => {
    for (let i = 0; i < 3000; i++) {
      const tree = any(1 + random(4));
      const text = printExpr({ source: empty, comments: [] }, tree, 0, 0);
      const back = expression(text);
      assert.equal(printAst(back), printAst(tree), text);
    }
  });
});
