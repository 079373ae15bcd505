// The filter language: predicates and operators, errors that point at the character, and words without a language.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compileFilter, type FilterSubject } from "./filter-match.ts";
import { selectByWords } from "./filter-words.ts";
import { formatFilterError, parseFilter, PREDICATES, type FilterExpr } from "./filter.ts";

function subject(parts: Partial<FilterSubject> & Pick<FilterSubject, "test">): FilterSubject {
  const whole = {
    file: "specs/dev/edu.gspec",
    line: 10,
    endLine: 14,
    suite: "edu",
    row: null,
    rowLine: parts.line ?? 10,
    tags: [],
    target: "virt",
    engine: "wasm",
    needs: [],
    devices: ["edu"],
    covers: [],
    ...parts,
  };
  const row = whole.row === null ? "" : `[${whole.row}]`;
  return { id: `${whole.file}::${whole.suite}::${whole.test}${row}@${whole.target}/${whole.engine}`, ...whole };
}

const universe: readonly FilterSubject[] = [
  subject({ test: "identifies", tags: ["fast"], attributes: { speed: "normal", module: "edu", owner: "net team" } }),
  subject({ test: "factorial", row: "0", line: 20, endLine: 26, rowLine: 22 }),
  subject({ test: "factorial", row: "12 (max)", line: 20, endLine: 26, rowLine: 23 }),
  subject({
    test: "dma reads back",
    tags: ["slow", "dma"],
    attributes: { speed: "slow", module: "edu", no_leaks: "" },
    needs: ["pci", "cpus"],
    line: 30,
    endLine: 40,
    covers: ["edu.dma_cmd"],
  }),
  subject({
    test: "transmits",
    suite: "uart",
    file: "specs/uart.gspec",
    devices: ["ns16550"],
    statuses: ["last-failed"],
  }),
  subject({
    test: "digest",
    suite: "sha1",
    file: "specs/sha1/sha1.gspec",
    row: "abc",
    rowFile: "specs/sha1/vectors.yaml",
    rowLine: 7,
    devices: [],
    target: "virt32",
  }),
  subject({
    test: "digest",
    suite: "sha1",
    file: "specs/sha1/sha1.gspec",
    row: "empty",
    rowFile: "specs/sha1/vectors.yaml",
    rowLine: 8,
    devices: [],
    target: "virt32",
  }),
];

function select(text: string): string[] {
  const parsed = parseFilter(text);
  assert.ok(parsed.ok, `${text}: ${parsed.ok ? "" : parsed.message}`);
  const compiled = compileFilter(parsed.expr, universe);
  assert.ok(compiled.ok, `${text}: ${compiled.ok ? "" : compiled.message}`);
  return universe.filter(compiled.matches).map(({ test: name, row }) => (row === null ? name : `${name}[${row}]`));
}

function fault(text: string): string[] {
  const parsed = parseFilter(text);
  const error = parsed.ok ? compileFilter(parsed.expr, universe) : parsed;
  assert.ok(!error.ok, `${text} is taken`);
  return formatFilterError(text, error);
}

test("each predicate looks at its own field", () => {
  assert.deepEqual(select("test(dma)"), ["dma reads back"]);
  assert.deepEqual(select("suite(uart)"), ["transmits"]);
  assert.deepEqual(select("file(uart)"), ["transmits"]);
  assert.deepEqual(select("tag(slow)"), ["dma reads back"]);
  assert.deepEqual(select("target(=virt32)"), ["digest[abc]", "digest[empty]"]);
  assert.deepEqual(select("engine(wasm)").length, universe.length);
  assert.deepEqual(select("needs(cpus)"), ["dma reads back"]);
  assert.deepEqual(select("device(ns16550)"), ["transmits"]);
  assert.deepEqual(select("covers(dma_cmd)"), ["dma reads back"]);
  assert.deepEqual(select("row(abc)"), ["digest[abc]"]);
  assert.deepEqual(select("id(::uart::)"), ["transmits"]);
  assert.deepEqual(select("status(last-failed)"), ["transmits"]);
});

test("matchers: part, whole, regular expression, glob", () => {
  assert.deepEqual(select("target(=virt) and suite(edu) and test(~fact)"), ["factorial[0]", "factorial[12 (max)]"]);
  assert.deepEqual(select("test(/^d.*t$/)"), ["digest[abc]", "digest[empty]"]);
  assert.deepEqual(select("test(#d*)"), ["dma reads back", "digest[abc]", "digest[empty]"]);
  assert.deepEqual(select("row(#[!0-9]*)"), ["digest[abc]", "digest[empty]"]);
  assert.deepEqual(select("test(#{identifies,trans?its})"), ["identifies", "transmits"]);
  assert.deepEqual(select("row(=12 (max))"), ["factorial[12 (max)]"]);
  assert.deepEqual(select("row(/\\(max\\)/)"), ["factorial[12 (max)]"]);
  assert.deepEqual(select("row(12 \\(max)"), ["factorial[12 (max)]"]);
});

test("attributes have names, values and, as speeds, an order", () => {
  assert.deepEqual(select("attr(no_leaks)"), ["dma reads back"]);
  assert.deepEqual(select("attr(owner=net*)"), ["identifies"]);
  assert.deepEqual(select("attr(owner = net team)"), ["identifies"]);
  assert.deepEqual(select("suite(edu) and attr(owner!=net team)"), ["factorial[0]", "factorial[12 (max)]", "dma reads back"]);
  assert.deepEqual(select("attr(speed<normal)"), ["dma reads back"]);
  assert.deepEqual(select("attr(speed>=slow)"), ["identifies", "dma reads back"]);
  assert.deepEqual(select("attr(speed=very_slow)"), [], "a speed that nobody has now is no slip");
  assert.match(fault("attr(owner=nat team)").join(), /did you mean `owner=net team`/);
  assert.match(fault("attr(module<edu)").join(), /`module` has no order/);
  assert.match(fault("attr(speed<fast)").join(), /there is no speed `fast`.*very_slow < slow < normal/);
  assert.match(fault("attr(=x)").join(), /needs the name of an attribute/);
});

test("in paths `*` stops at `/` and `**` does not", () => {
  assert.deepEqual(select("file(#specs/*.gspec)"), ["transmits"]);
  assert.equal(select("file(#specs/**/*.gspec)").length, universe.length);
  assert.equal(select("file(#**/edu.gspec)").length, 4);
});

test("operators, in words and in signs, bind as they should", () => {
  const same: readonly (readonly [string, string])[] = [
    ["tag(fast) or tag(slow) and tag(dma)", "tag(fast) | (tag(slow) & tag(dma))"],
    ["not tag(slow) and suite(edu)", "(!tag(slow)) & suite(edu)"],
    ["suite(edu) - tag(slow) - tag(fast)", "(suite(edu) and not tag(slow)) and not tag(fast)"],
    ["suite(edu) - tag(slow) + suite(uart)", "(suite(edu) - tag(slow)) or suite(uart)"],
    ["not not tag(slow)", "tag(slow)"],
    ["all() - suite(edu)", "!suite(edu)"],
    ["none() || tag(fast)&&all()", "tag(fast)"],
  ];
  for (const [left, right] of same) assert.deepEqual(select(left), select(right), left);
  assert.deepEqual(select("suite(edu) - test(factorial) - tag(slow)"), ["identifies"]);
});

test("errors point at the character and say what to do", () => {
  assert.deepEqual(fault("tag(slow) and tset(x)"), [
    "error: there is no predicate `tset`",
    "  | tag(slow) and tset(x)",
    "  |               ^^^^",
    "  = help: did you mean `test`?",
  ]);
  assert.deepEqual(fault("tag(slwo)"), ["error: tag(..) matches nothing: no test has it", "  | tag(slwo)", "  |     ^^^^", "  = help: did you mean `slow`?"]);
  assert.deepEqual(fault("tag(fast) and (suite(edu) or tag(slow)"), [
    "error: this `(` is never closed",
    "  | tag(fast) and (suite(edu) or tag(slow)",
    "  |               ^",
    "  = help: add `)`",
  ]);
  assert.match(fault("test(/a(b/)").join("\n"), /not a regular expression: unterminated group\n.*\n {2}\| {6}\^{5}\n/);
});

test("every other slip is an error too", () => {
  const slips: readonly (readonly [string, RegExp])[] = [
    ["", /the filter is empty/],
    ["  ", /the filter ends too early|the filter is empty/],
    ["tag(slow) and", /ends too early/],
    ["tag(slow) tag(fast)", /expected `and`, `or` or `-` between two predicates, found `tag`/],
    ["tag(slow))", /this `\)` has no `\(`/],
    ["tag", /`tag` needs a value in parentheses/],
    ["edu", /`edu` needs a value in parentheses[\s\S]*test\(edu\)/],
    ["tag()", /tag\(\.\.\) needs a value/],
    ["tag(=)", /needs a value/],
    ["all(x)", /all\(\) takes no value/],
    ["test(/abc)", /regular expression is never closed/],
    ["test(/a/i)", /text behind the regular expression/],
    ["test(#[a)", /this `\[` is never closed/],
    ["test(#{a,b)", /this `\{` is never closed/],
    ["test(dma", /never closed/],
    ["and tag(slow)", /expected a predicate, `not` or `\(`, found `and`/],
    ["tag(slow) , tag(fast)", /found `,`/],
    ["status(failed-last)", /known: last-failed, not-run, new, flaky, slow|did you mean/],
    ["not device(pl011)", /device\(\.\.\) matches nothing[\s\S]*known: edu, ns16550/],
  ];
  for (const [text, pattern] of slips) assert.match(fault(text).join("\n"), pattern, text);
});

test("a status that no test has right now is no slip", () => {
  assert.deepEqual(select("status(slow)"), []);
});

test("an empty list of tests makes no value wrong", () => {
  const parsed = parseFilter("tag(anything)");
  assert.ok(parsed.ok && compileFilter(parsed.expr, []).ok);
});

function write(expr: FilterExpr): string {
  switch (expr.kind) {
    case "predicate":
      return `${expr.name}(${expr.matcher === "exact" ? "=" : ""}${expr.value.replace(/[\\()]/g, "\\$&")})`;
    case "constant":
      return expr.value ? "all()" : "none()";
    case "not":
      return `not (${write(expr.operand)})`;
    case "and":
    case "or":
      return `(${write(expr.left)}) ${expr.kind} (${write(expr.right)})`;
    case "minus":
      return `(${write(expr.left)}) - (${write(expr.right)})`;
  }
}

const { tree } = fc.letrec<{ tree: FilterExpr }>((tie) => ({
  tree: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.record({
      kind: fc.constant("predicate" as const),
      name: fc.constantFrom(...PREDICATES.filter((name) => name !== "attr")),
      matcher: fc.constantFrom("exact" as const, "substring" as const),
      value: fc.string({ minLength: 1, maxLength: 8 }).map((text) => `a${text.trim()}z`),
      test: fc.constant(() => true),
      column: fc.constant(1),
      length: fc.constant(1),
    }),
    fc.record({ kind: fc.constant("constant" as const), value: fc.boolean() }),
    fc.record({ kind: fc.constant("not" as const), operand: tie("tree") }),
    fc.record({
      kind: fc.constantFrom("and" as const, "or" as const, "minus" as const),
      left: tie("tree"),
      right: tie("tree"),
    }),
  ),
}));

test("what is written out is read back the same, whatever the values hold", () => {
  fc.assert(
    fc.property(tree, (expr) => {
      const parsed = parseFilter(write(expr));
      assert.ok(parsed.ok, `${write(expr)}: ${parsed.ok ? "" : parsed.message}`);
      assert.equal(write(parsed.expr), write(expr));
    }),
  );
});

test("no text makes the reader throw, and every error lies within the text", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(fc.constantFrom("tag", "(", ")", "and", "-", "!", "/", "#", "=", "x", " ", "\\", "[", "{")).map((parts) => parts.join("")),
      ),
      (text) => {
        const parsed = parseFilter(text);
        if (parsed.ok) return;
        assert.ok(parsed.column >= 1 && parsed.column <= text.length + 1, `${JSON.stringify(text)}: column ${parsed.column}`);
        assert.ok(parsed.length >= 1 && parsed.message !== "");
      },
    ),
    { numRuns: 1000 },
  );
});

// --- Words

function words(...list: string[]): string[] {
  const selection = selectByWords(list, universe);
  assert.ok(selection.ok, selection.ok ? "" : selection.message);
  return selection.selected.map(({ test: name, row }) => (row === null ? name : `${name}[${row}]`));
}

test("words are files, folders, lines and parts of ids, and add up", () => {
  assert.equal(words().length, universe.length);
  assert.deepEqual(words("specs/uart.gspec"), ["transmits"]);
  assert.deepEqual(words("./specs/dev/").length, 4);
  assert.deepEqual(words("uart.gspec"), ["transmits"]);
  assert.deepEqual(words("dma"), ["dma reads back"]);
  assert.deepEqual(words("edu::factorial[0]"), ["factorial[0]"]);
  assert.deepEqual(words("dma", "identifies"), ["identifies", "dma reads back"]);
});

test("a word with wildcards names suite, test and row", () => {
  assert.deepEqual(words("ed*"), ["identifies", "factorial[0]", "factorial[12 (max)]", "dma reads back"]);
  assert.deepEqual(words("sha?.digest"), ["digest[abc]", "digest[empty]"]);
  assert.deepEqual(words("*.*[empty]"), ["digest[empty]"]);
  assert.deepEqual(words("edu.factorial[*(max)]"), ["factorial[12 (max)]"]);
  assert.deepEqual(words("*.d*"), ["dma reads back", "digest[abc]", "digest[empty]"]);
  assert.ok(!selectByWords(["edu.nothing*"], universe).ok);
});

test("a line selects the row on it, else the test round it", () => {
  assert.deepEqual(words("specs/dev/edu.gspec:23"), ["factorial[12 (max)]"]);
  assert.deepEqual(words("edu.gspec:20"), ["factorial[0]", "factorial[12 (max)]"]);
  assert.deepEqual(words("edu.gspec:35:7"), ["dma reads back"]);
  assert.deepEqual(words("vectors.yaml:8"), ["digest[empty]"]);
});

test("a word that selects nothing is an error with the nearest", () => {
  assert.deepEqual(selectByWords(["identfies"], universe), {
    ok: false,
    word: "identfies",
    message: "no test matches `identfies`",
    help: "did you mean `identifies`?",
  });
  assert.deepEqual(selectByWords(["edu.gspec:28"], universe), {
    ok: false,
    word: "edu.gspec:28",
    message: "there is no test at edu.gspec:28",
    help: "the nearest test is `dma reads back` at specs/dev/edu.gspec:30",
  });
});
