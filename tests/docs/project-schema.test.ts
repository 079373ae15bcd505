// schemas/project.schema.json lists the options of `run`, for editors that complete guestspec.yaml: the same table as the command line.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { RUN_OPTIONS } from "../../bin/commands/option-rows.ts";
import type { OptionRow } from "../../bin/options.ts";
import { root } from "../../tools/project.mjs";
import { compareGolden } from "../goldens.ts";

const path = "schemas/project.schema.json";

function propertyOf({ help, value, implied, choices, multiple }: OptionRow): object {
  if (value === undefined) return { description: help, type: "boolean" };
  const types = ["string", "number", ...(implied === undefined && choices === undefined ? [] : ["boolean"]), ...(multiple === undefined ? [] : ["array"])];
  return {
    description: help,
    type: types,
    ...(choices === undefined ? {} : { enum: [...choices, ...(implied === undefined ? [] : [true]), false] }),
    ...(multiple === undefined ? {} : { items: { description: help, type: ["string", "number"] } }),
  };
}

test("a profile may have every option of run, and the schema says what each is", () => {
  const schema = JSON.parse(readFileSync(join(root, path), "utf8")) as { $defs: { Profile: { properties: object } } };
  const properties = Object.fromEntries(RUN_OPTIONS.map((row) => [row.name, propertyOf(row)]));
  const wanted = { ...schema, $defs: { Profile: { ...schema.$defs.Profile, properties } } };
  // The formatter decides how it is written.
  if (process.env["GUESTSPEC_BLESS"] === "1" && JSON.stringify(wanted) !== JSON.stringify(schema)) compareGolden(path, `${JSON.stringify(wanted, null, 2)}\n`);
  else assert.deepEqual(schema, wanted);
});
