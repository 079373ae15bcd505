// What an image that runs by itself is going to print, line by line: the plan that its KTAP is counted against. lib/runtime.gspec prints
// it (`main`); the manifest knows tests, rows and their order, so a line that does not fit is not believed.

import type { ManifestCase, ManifestSuite, ManifestTest } from "../../../compiler/images/manifest.ts";

/** A result line: of a case, or of what it belongs to. */
export interface ExpectedResult {
  /** KTAP's nesting: two blanks each. */
  readonly level: number;
  /** Among those of its parent, from 1. */
  readonly number: number;
  readonly name: string;
  /** Null: the summary of a test's rows, or of the suite. */
  readonly case: { readonly test: ManifestTest; readonly row: ManifestCase } | null;
}

/** As `put_name` of lib/runtime.gspec writes it. */
function printedName(name: string): string {
  return name.replaceAll("#", "%23").replaceAll("\n", "%0a");
}

export function expectedResults(suite: ManifestSuite): readonly ExpectedResult[] {
  const results: ExpectedResult[] = [];
  suite.tests.forEach((test, index) => {
    const [first] = test.cases;
    if (!test.parameterised && first !== undefined) {
      results.push({ level: 1, number: index + 1, name: printedName(test.name), case: { test, row: first } });
      return;
    }
    test.cases.forEach((row, at) => results.push({ level: 2, number: at + 1, name: printedName(row.name ?? ""), case: { test, row } }));
    results.push({ level: 1, number: index + 1, name: printedName(test.name), case: null });
  });
  results.push({ level: 0, number: 1, name: printedName(suite.name), case: null });
  return results;
}

/** Room for the word in the image's command line. */
const MAX_WORD = 700;

/**
 * The word `case=..` of an image's command line (docs/native.md, 7) that selects these cases, in the order of the manifest. Where that would
 * be too long the shortest gaps are closed: what runs without being wanted is not looked at.
 */
export function selectionWord(suite: ManifestSuite, isWanted: (test: ManifestTest, row: ManifestCase) => boolean): string | null {
  const all = suite.tests.flatMap((test) => test.cases.map((row) => ({ test, row })));
  const ranges: { first: number; last: number }[] = [];
  all.forEach(({ test, row }, at) => {
    if (!isWanted(test, row)) return;
    const open = ranges.at(-1);
    if (open?.last === at - 1) open.last = at;
    else ranges.push({ first: at, last: at });
  });
  const place = (at: number): string => `${all[at]?.test.index ?? 0}:${all[at]?.row.row ?? 0}`;
  const spell = (): string => `case=${ranges.map(({ first, last }) => (first === last ? place(first) : `${place(first)}-${place(last)}`)).join(",")}`;
  while (spell().length > MAX_WORD) {
    const gaps = ranges.slice(1).map(({ first }, index) => first - (ranges[index]?.last ?? 0));
    const at = gaps.indexOf(Math.min(...gaps));
    const [next] = ranges.splice(at + 1, 1);
    const before = ranges[at];
    if (next !== undefined && before !== undefined) before.last = next.last;
  }
  return ranges.length === 1 && ranges[0]?.first === 0 && ranges[0].last === all.length - 1 ? null : spell();
}
