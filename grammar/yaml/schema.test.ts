// schemas/table.schema.json is a copy of the reader's rules for editors: both know the same keys, and agree on what is a spec file.

import assert from "node:assert/strict";
import { Ajv2020 } from "ajv/dist/2020.js";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parse } from "yaml";
import { goldenInputs } from "../../tests/goldens.ts";
import type { Diagnostic } from "../diagnostic.ts";
import { fileKeys, parseYamlFile, tableKeys, testKeys } from "./read-yaml-spec.ts";
import { rowKeys } from "./yaml-rows.ts";

interface Schema {
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly oneOf?: readonly Schema[];
  readonly $defs?: Readonly<Record<string, Schema>>;
}

const schema: Schema = JSON.parse(readFileSync(join(import.meta.dirname, "../../schemas/table.schema.json"), "utf8"));
// The options of tools/build-validators.mjs that bear on what is valid.
const validate = new Ajv2020({ allErrors: true, strict: true, strictTypes: false, strictRequired: false, allowUnionTypes: true }).compile(schema);

function codesOf(text: string): readonly string[] {
  const list: Diagnostic[] = [];
  parseYamlFile({ path: "x.gspec.yaml", text }, (diagnostic) => list.push(diagnostic));
  return list.map(({ code }) => code);
}

test("the keys are the same", () => {
  const keys = (part: Schema | undefined): string[] => Object.keys(part?.properties ?? {}).toSorted();
  assert.deepEqual(keys(schema), [...fileKeys].toSorted());
  assert.deepEqual(keys(schema.$defs?.["test"]), [...testKeys].toSorted());
  assert.deepEqual(keys(schema.$defs?.["table"]), [...tableKeys].toSorted());
  assert.deepEqual(keys(schema.$defs?.["row"]?.oneOf?.[1]), [...rowKeys].toSorted());
});

describe("both accept", () => {
  for (const folder of ["tests/yaml", "specs"]) {
    for (const { path, text } of goldenInputs(folder, [".gspec.yaml"])) {
      test(path, () => {
        assert.deepEqual(codesOf(text), []);
        assert.ok(validate(parse(text)), JSON.stringify(validate.errors?.[0]));
      });
    }
  }
});

describe("both refuse", () => {
  const head = "suite: a\ntests:\n  - test: x\n    check: expect true\n";
  const bad: readonly (readonly [string, string])[] = [
    ["an unknown key of the file", `${head}suites: b\n`],
    ["an unknown key of a test", `${head}    chek: y\n`],
    ["tests without a suite", head.replace("suite: a\n", "")],
    ["neither tests nor tables", "suite: a\n"],
    ["a test without check", "suite: a\ntests:\n  - test: x\n"],
    ["tests as a map", "suite: a\ntests: { test: x, check: y }\n"],
    ["a table without rows", "tables: { t: { columns: { a: u8 } } }\n"],
    ["a column that is no name", `${head}    columns: { 'a b': u8 }\n    rows: [[1]]\n`],
    ["rows and a matrix", `${head}    columns: { a: u8 }\n    rows: [[1]]\n    matrix: { a: [1] }\n`],
    ["exclude without a matrix", `${head}    exclude: [{ a: 1 }]\n`],
    ["an empty exclude", `${head}    matrix: { a: [1] }\n    exclude: [{}]\n`],
    ["xfail and skip", `${head}    xfail: a\n    skip: b\n`],
    ["a scalar for a table", "tables: { t: 1 }\n"],
  ];
  for (const [name, text] of bad) {
    test(name, () => {
      assert.notDeepEqual(codesOf(text), []);
      assert.equal(validate(parse(text)), false);
    });
  }
});
