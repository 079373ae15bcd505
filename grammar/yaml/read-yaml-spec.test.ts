// What trees of whole files show badly: exact 64-bit values, places in quoted scalars, big tables, and that several mistakes of one file
// are all reported.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Expr, File, TableItem } from "../ast.ts";
import type { Diagnostic } from "../diagnostic.ts";
import { positionAt, textOf } from "../source.ts";
import { parseYamlFile } from "./read-yaml-spec.ts";

function parse(text: string): { file: File; reports: Diagnostic[] } {
  const reports: Diagnostic[] = [];
  return { file: parseYamlFile({ path: "x.gspec.yaml", text }, (diagnostic) => reports.push(diagnostic)), reports };
}

function tableOf(text: string): TableItem {
  const { file, reports } = parse(text);
  assert.deepEqual(
    reports.map(({ message }) => message),
    [],
  );
  const table = file.items.find((item) => item.kind === "table");
  assert.ok(table !== undefined);
  return table;
}

function valueOf(expr: Expr | undefined): unknown {
  if (expr?.kind === "int") return expr.value;
  if (expr?.kind === "string") return expr.parts.map((part) => (part.kind === "text" ? part.text : "")).join("");
  if (expr?.kind === "unary") return `${expr.op}${String(valueOf(expr.operand))}`;
  return expr?.kind;
}

const placeOf = ({ labels: [{ span }] }: Diagnostic): string => {
  const { line, column } = positionAt(span.source, span.start);
  return `${line}:${column}`;
};

test("numbers stay exact and text stays text in every form of a row", () => {
  const head = "tables:\n  t:\n    columns: { a: u64, s: str }\n    rows:";
  const forms = [
    `${head}\n      - [0xffff_ffff_ffff_ffff, 0x10]\n      - [18446744073709551615, 'it''s']\n      - [-1, ~]\n      - [0b11, yes]\n`,
    `${head}\n      - { a: 0xffff_ffff_ffff_ffff, s: 0x10 }\n      - { a: 18446744073709551615, s: "it's" }\n      - { a: "-1", s: "~" }\n      - { a: '0b11', s: yes }\n`,
    `${head} |\n      | s    | a |\n      | 0x10 | 0xffff_ffff_ffff_ffff |\n      | it's | 18446744073709551615 |\n      | ~ | -1 |\n      | yes | 0b11 |\n`,
  ];
  for (const text of forms) {
    assert.deepEqual(
      tableOf(text).rows.map(({ cells }) => cells.map(valueOf)),
      [
        [0xffff_ffff_ffff_ffffn, "0x10"],
        [0xffff_ffff_ffff_ffffn, "it's"],
        ["-1", "~"],
        [3n, "yes"],
      ],
    );
  }
});

test("cells lie where they are written", () => {
  const table = tableOf("tables:\n  t:\n    columns: { a: u8, b: \"[2]u8\", c: str }\n    rows:\n      - [ 12, [1, 2], 'x y' ]\n");
  assert.deepEqual(
    table.rows[0]?.cells.map(({ span }) => textOf(span)),
    ["12", "[1, 2]", "x y"],
  );
});

describe("errors in code point into the file", () => {
  const test1 = (check: string): string => `suite: a\ntests:\n  - test: x\n    check: ${check}\n`;
  const cases: readonly (readonly [string, string, string])[] = [
    ["a plain scalar", "expect a ==", "4:23"],
    ["a block scalar", "|\n      expect a == 1\n      expect b ==", "6:18"],
    ["a folded scalar", ">-\n      expect a == 1\n      exepct b", "6:7"],
    ["single quotes", "'exepct b'", "4:13"],
    ["single quotes with a quote in them", "'expect ''a'' == b; exepct b'", "4:32"],
    ["double quotes with escapes", '"expect \\"a\\" == b; exepct b"', "4:32"],
    ["double quotes with a line break", '"expect a == b\\n exepct b"', "4:29"],
  ];
  for (const [name, check, place] of cases) {
    test(name, () => {
      const { reports } = parse(test1(check));
      assert.deepEqual(reports.map(placeOf), [place]);
    });
  }

  test("the code of a check may be written over several plain lines", () => {
    const { file, reports } = parse(test1("expect a\n      == 1"));
    assert.deepEqual(reports, []);
    const [item] = file.items;
    assert.ok(item?.kind === "test" && item.body.statements.length === 1);
  });
});

test("a table of 10,000 rows in a block scalar is read whole", () => {
  const rows = Array.from({ length: 10_000 }, (_, i) => `      | ${i} | 0x${(2n ** 64n - 1n - BigInt(i)).toString(16)} | row ${i} |\n`).join("");
  const table = tableOf(`tables:\n  t:\n    rows: |\n      | n: u32 | big: u64 | name |\n${rows}`);
  assert.equal(table.rows.length, 10_000);
  const last = table.rows.at(-1);
  assert.deepEqual(last?.cells.map(valueOf), [9999n, 2n ** 64n - 10_000n]);
  assert.equal(textOf(last?.name?.span ?? table.span), "row 9999");
});

test("anchors and aliases repeat nodes", () => {
  const table = tableOf("tables:\n  t:\n    columns: &c { a: u8 }\n    rows: [[&one 1], [*one]]\n  u: { columns: *c, rows: [[2]] }\n");
  assert.deepEqual(
    table.rows.map(({ cells }) => cells.map(valueOf)),
    [[1n], [1n]],
  );
});

test("every mistake of a file is reported in one run, and what is sound is kept", () => {
  const { file, reports } = parse(
    "suite: a\nsuit: b\ntests:\n  - test: x\n    chek: y\n  - test: z\n    check: exepct 1\n  - test: good\n    check: expect true\ntables:\n  t: { columns: { a: u8 }, rows: [[1, 2], [3]] }\n",
  );
  assert.deepEqual(reports.map(({ code }) => code).toSorted(), ["E0204", "E0302", "E0302", "E0305"]);
  assert.deepEqual(
    file.items.map((item) => (item.kind === "test" ? textOf(item.name.span) : item.kind)),
    ["table", "z", "good"],
  );
});
