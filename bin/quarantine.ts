// The quarantine: tests that may fail for a known reason, in a file of the project, each with its filter and its reason. A run skips them and
// says why; `--quarantine-verify` runs them alone, as tests that are expected to fail, so that those that pass again are found. Loaded
// when a run has a quarantine.

import { readFileSync } from "node:fs";
import { isSeq, LineCounter, parseDocument, type Node } from "yaml";
import { createFieldReader, formatMachineError } from "../machines/yaml-fields.ts";
import { isGood, type TestFinished } from "../runtime/events.ts";
import { verdictWithExcuse } from "../runtime/engines/case-engine.ts";
import { emptyResult } from "../runtime/engines/result.ts";
import { compileFilter, type FilterSubject } from "../runtime/runner/filter-match.ts";
import { parseFilter } from "../runtime/runner/filter.ts";
import type { PlannedCase } from "../runtime/runner/plan.ts";
import { CommandError, readError } from "./errors.ts";
import { EXIT } from "./exit-codes.ts";
import type { LoadedImage } from "./load-specs.ts";

export interface QuarantineEntry {
  readonly filter: string;
  readonly reason: string;
  readonly line: number;
  readonly matches: (subject: FilterSubject) => boolean;
}

export interface Quarantine {
  readonly path: string;
  readonly entries: readonly QuarantineEntry[];
}

/** Throws a CommandError that tells every mistake at its place. */
function parseQuarantine(text: string, path: string): Quarantine {
  const reader = createFieldReader(text, path);
  const lines = new LineCounter();
  parseDocument(text, { lineCounter: lines });
  const { root } = reader;
  if (root !== null && !isSeq(root)) reader.complain(root, "expected a list, such as: - { filter: suite(edu), reason: 'issue 7' }");
  const entries = (isSeq(root) ? (root.items as Node[]) : []).flatMap((item): QuarantineEntry[] => {
    const fields = reader.readFields(item, "quarantine", ["filter", "reason"], []);
    const filter = reader.readText(fields?.get("filter"), "filter");
    const reason = reader.readText(fields?.get("reason"), "reason");
    if (filter === null || reason === null) return [];
    const parsed = parseFilter(filter);
    // Without a universe no value counts as a slip: a run of one file must not complain about the entries for others.
    const compiled = parsed.ok ? compileFilter(parsed.expr, []) : parsed;
    if (!compiled.ok) {
      reader.complain(fields?.get("filter")?.value ?? null, `filter: ${compiled.message}${compiled.help === null ? "" : `; ${compiled.help}`}`);
      return [];
    }
    return [{ filter, reason, line: lines.linePos(item.range?.[0] ?? 0).line, matches: (subject) => compiled.matches(subject) }];
  });
  if (reader.errors.length > 0) throw new CommandError(EXIT.compile, reader.errors.map(formatMachineError).join("\n"));
  return { path, entries };
}

export function readQuarantine(path: string): Quarantine {
  try {
    return parseQuarantine(readFileSync(path, "utf8"), path);
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw readError(`the quarantine ${path}`, error);
  }
}

/** The first entry that holds a test; null: none does. */
export function entryOf({ entries }: Quarantine, subject: FilterSubject): QuarantineEntry | null {
  return entries.find((entry) => entry.matches(subject)) ?? null;
}

/** Skipped, with the reason; and never one that `--require` promised, because that is what a quarantine is for. */
export function skipQuarantined(quarantine: Quarantine, cases: readonly PlannedCase[], images: readonly LoadedImage[]): ReadonlyMap<string, TestFinished> {
  const skipped = new Map<string, TestFinished>();
  for (const planned of cases) {
    const entry = entryOf(quarantine, planned);
    const image = images[planned.image];
    const suite = image?.manifest.suites[planned.suiteIndex];
    const test = suite?.tests[planned.testIndex];
    const row = test?.cases[planned.caseIndex];
    if (entry === null || image === undefined || suite === undefined || test === undefined || row === undefined) continue;
    skipped.set(planned.id, { ...emptyResult(image, suite, test, row), verdict: "skip", reason: `in quarantine: ${entry.reason}` });
  }
  return skipped;
}

/** What a test in quarantine is expected to do is to fail. */
export function judgeQuarantined(quarantine: Quarantine, cases: readonly PlannedCase[]): (result: TestFinished) => TestFinished {
  const reasons = new Map(cases.map((planned) => [planned.id, entryOf(quarantine, planned)?.reason ?? null]));
  return (result) => {
    const reason = reasons.get(result.id) ?? null;
    const verdict = verdictWithExcuse(result.verdict);
    return reason === null || verdict === null ? result : { ...result, verdict, reason };
  };
}

/** Entries that hold nothing back any more, as lines for people. `isWhole`: the universe is the whole project. */
export function reviewQuarantine(
  { path, entries }: Quarantine,
  cases: readonly PlannedCase[],
  results: ReadonlyMap<string, Pick<TestFinished, "verdict">>,
  isWhole: boolean,
): readonly string[] {
  return entries.flatMap(({ filter, line, matches }) => {
    const held = cases.filter((planned) => matches(planned));
    const place = `${path}:${line}: ${filter}`;
    if (held.length === 0) return isWhole ? [`${place} is no test of the project: remove it`] : [];
    const verdicts = held.map(({ id }) => results.get(id)?.verdict ?? "skip");
    const passed = verdicts.filter((verdict) => verdict === "xpass").length;
    if (passed === 0) return [];
    const failing = verdicts.filter((verdict) => verdict === "xfail" || !isGood(verdict)).length - passed;
    return [`${place}: ${passed} of ${held.length} ${passed === 1 ? "passes" : "pass"} now${failing <= 0 ? ": remove it" : ""}`];
  });
}
