// Selecting without the filter language: `edu` (part of an id), `specs/dev` or `specs/dev/edu.gspec` (files), `edu.gspec:12` (the test or
// row at that line, which editors and failure reports print), `eeprom*.writes*[wraps]` (suite, test and row by wildcards). Words add up. A word that selects nothing is an error.
import { didYouMean } from "../../grammar/nearest-name.ts";
import { compileGlob } from "./filter.ts";
import type { FilterSubject } from "./filter-match.ts";

export type WordSelection =
  | { readonly ok: true; readonly selected: readonly FilterSubject[] }
  | { readonly ok: false; readonly word: string; readonly message: string; readonly help: string | null };

function normalise(path: string): string {
  return path
    .replaceAll("\\", "/")
    .replace(/^(\.\/+)+/, "")
    .replace(/\/+$/, "");
}

/** Whether `path` names the file, a folder above it, or its last parts. */
function namesFile(path: string, file: string): boolean {
  const wanted = normalise(path);
  const whole = normalise(file);
  return wanted === "." || wanted === "" || whole === wanted || whole.startsWith(`${wanted}/`) || whole.endsWith(`/${wanted}`);
}

function filesOf(universe: readonly FilterSubject[]): string[] {
  return [...new Set(universe.flatMap(({ file, rowFile }) => (rowFile === undefined ? [file] : [file, rowFile])))];
}

/** The rows at the line, else the tests round it. */
function selectAtLine(files: ReadonlySet<string>, line: number, universe: readonly FilterSubject[]): FilterSubject[] {
  const rows = universe.filter(
    ({ file, rowFile, rowLine, line: testLine }) => files.has(rowFile ?? file) && rowLine === line && (rowFile !== undefined || rowLine !== testLine),
  );
  if (rows.length > 0) return rows;
  return universe.filter((subject) => files.has(subject.file) && subject.line <= line && line <= subject.endLine);
}

function explainLine(word: string, files: ReadonlySet<string>, line: number, universe: readonly FilterSubject[]): WordSelection {
  const tests = universe.filter(({ file }) => files.has(file));
  const [nearest] = tests.toSorted((left, right) => Math.abs(left.line - line) - Math.abs(right.line - line));
  const help = nearest === undefined ? null : `the nearest test is \`${nearest.test}\` at ${nearest.file}:${nearest.line}`;
  return { ok: false, word, message: `there is no test at ${word}`, help };
}

/** `suite.test[row]` with wildcards, as KUnit has it: without `.test` all tests of the suites, without `[row]` all rows of the tests. */
function selectByGlob(word: string, universe: readonly FilterSubject[]): readonly FilterSubject[] {
  if (!/[*?]/.test(word) || word.includes("::") || word.includes("/")) return [];
  const [, names = word, row] = /^(.*?)(?:\[(.*)\])?$/s.exec(word) ?? [];
  const dot = names.indexOf(".");
  const matches = (glob: string): ((text: string) => boolean) => {
    const pattern = compileGlob(glob.replace(/[[\]{}]/g, "\\$&"), false, 0, glob.length);
    return (text) => pattern.test(text);
  };
  const isSuite = matches(dot < 0 ? names : names.slice(0, dot));
  const isTest = dot < 0 ? () => true : matches(names.slice(dot + 1));
  const isRow = row === undefined ? () => true : matches(row);
  return universe.filter((subject) => isSuite(subject.suite) && isTest(subject.test) && (row === undefined || (subject.row !== null && isRow(subject.row))));
}

function selectByWord(word: string, universe: readonly FilterSubject[]): WordSelection {
  const [, path, digits] = /^(.+?):(\d+)(?::\d+)?$/.exec(word) ?? [];
  if (path !== undefined && digits !== undefined) {
    const files = new Set(filesOf(universe).filter((file) => namesFile(path, file)));
    if (files.size > 0) {
      const line = Number(digits);
      const selected = selectAtLine(files, line, universe);
      return selected.length > 0 ? { ok: true, selected } : explainLine(word, files, line, universe);
    }
  }
  const byGlob = selectByGlob(word, universe);
  if (byGlob.length > 0) return { ok: true, selected: byGlob };
  const named = new Set(filesOf(universe).filter((file) => namesFile(word, file)));
  const inFiles = universe.filter(({ file }) => named.has(file));
  if (inFiles.length > 0) return { ok: true, selected: inFiles };
  const selected = universe.filter(({ id }) => id.includes(word));
  if (selected.length > 0) return { ok: true, selected };
  const names = new Set(universe.flatMap(({ file, suite, test }) => [test, suite, file]));
  return { ok: false, word, message: `no test matches \`${word}\``, help: didYouMean(word, names, null) };
}

/** In the order of the universe, each once; without words everything. */
export function selectByWords(words: readonly string[], universe: readonly FilterSubject[]): WordSelection {
  if (words.length === 0) return { ok: true, selected: universe };
  const chosen = new Set<FilterSubject>();
  for (const word of words) {
    const selection = selectByWord(word, universe);
    if (!selection.ok) return selection;
    for (const subject of selection.selected) chosen.add(subject);
  }
  return { ok: true, selected: universe.filter((subject) => chosen.has(subject)) };
}
