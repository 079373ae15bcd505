// Golden tests: an input file and what must come of it stand side by side in a folder (`x.gspec`, `x.ast`). Every such test goes through
// here. `GUESTSPEC_BLESS=1` rewrites the expected files, to be read in the diff; with `CI` set that is refused, so that no run
// can bless what it should judge.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { describe, test } from "node:test";
import { decodeText } from "../grammar/text-check.ts";
import { root } from "../tools/project.mjs";

export interface GoldenInput {
  /** From the project's root, with `/`: the same on every machine. */
  readonly path: string;
  readonly text: string;
}

interface GoldenFolder {
  readonly name: string;
  /** From the project's root. */
  readonly folder: string;
  /** Endings of the inputs; the longest that fits is replaced by `expected`. */
  readonly inputs: readonly string[];
  readonly expected: string;
  readonly produce: (input: GoldenInput) => string | Promise<string>;
}

function isBlessing(): boolean {
  const isAsked = process.env["GUESTSPEC_BLESS"] === "1";
  if (isAsked && process.env["CI"] !== undefined && process.env["CI"] !== "" && process.env["CI"] !== "false") {
    throw new Error("goldens are not rewritten where CI is set");
  }
  return isAsked;
}

/** Compares with the file, or rewrites it when blessing. */
export function compareGolden(path: string, actual: string): void {
  const file = join(root, path);
  if (isBlessing()) {
    if (!existsSync(file) || readFileSync(file, "utf8") !== actual) writeFileSync(file, actual);
    return;
  }
  assert.ok(existsSync(file), `${path} is missing; GUESTSPEC_BLESS=1 writes it`);
  assert.equal(actual, readFileSync(file, "utf8"), `${path} differs; GUESTSPEC_BLESS=1 rewrites it`);
}

/** The folder's inputs, sorted, with their text. */
export function goldenInputs(folder: string, endings: readonly string[]): readonly GoldenInput[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => endings.some((ending) => name.endsWith(ending)))
    .toSorted()
    .map((name) => {
      const file = join(root, folder, name);
      return { path: relative(root, file).split(sep).join("/"), text: decodeText(readFileSync(file)) };
    });
}

/** One test for each input, and one that finds expected files whose input is gone. */
export function goldenFolder({ name, folder, inputs, expected, produce }: GoldenFolder): void {
  const endings = inputs.toSorted((a, b) => b.length - a.length);
  void describe(name, () => {
    const found = goldenInputs(folder, endings);
    const wanted = new Set<string>();
    for (const input of found) {
      const ending = endings.find((candidate) => input.path.endsWith(candidate)) ?? "";
      const golden = input.path.slice(0, input.path.length - ending.length) + expected;
      wanted.add(golden);
      void test(input.path.slice(folder.length + 1), async () => compareGolden(golden, await produce(input)));
    }
    void test("every expected file has its input", () => {
      assert.ok(found.length > 0, `${folder} has no inputs`);
      const orphans = goldenInputs(folder, [expected])
        .filter(({ path }) => !wanted.has(path))
        .map(({ path }) => path);
      assert.deepEqual(orphans, []);
    });
  });
}
