// The must-run matrix: which tests a project promises to run where. A run that was green because half of it was skipped, or because a
// target was never named, is what this is against. Judged from the results, after the run. Loaded by `--must-run`.

import { compileFilter } from "../runtime/runner/filter-match.ts";
import { formatFilterError, parseFilter } from "../runtime/runner/filter.ts";
import type { PlannedCase } from "../runtime/runner/plan.ts";
import type { TestFinished } from "../runtime/events.ts";
import { CommandError, usageError } from "./errors.ts";
import { EXIT } from "./exit-codes.ts";
import { PROJECT_FILE } from "./places.ts";
import type { MustRun } from "./project-run.ts";

function isAt(planned: Pick<PlannedCase, "target" | "engine">, place: string): boolean {
  return place === planned.target || place === planned.engine || place === `${planned.target}/${planned.engine}`;
}

/** The id without where it ran. */
function caseOf(id: string): string {
  return id.slice(0, id.lastIndexOf("@"));
}

type Ran = Pick<TestFinished, "verdict" | "reason">;

export interface RunPromise extends MustRun {
  readonly matches: (planned: PlannedCase) => boolean;
}

/** Throws a CommandError at the first filter that is none. Values are not judged: a run of one file knows only its own. */
function compileRule(rule: MustRun): RunPromise {
  const parsed = parseFilter(rule.filter);
  const filter = parsed.ok ? compileFilter(parsed.expr, []) : parsed;
  if (filter.ok) return { ...rule, matches: (planned) => filter.matches(planned) };
  const [first = "", ...rest] = formatFilterError(rule.filter, filter);
  throw new CommandError(EXIT.compile, [first.replace(/^error:/, `${PROJECT_FILE}:${rule.line}: must-run:`), ...rest].join("\n"));
}

/** Broken promises, each as a line for people. */
export function findBrokenPromises(promises: readonly RunPromise[], universe: readonly PlannedCase[], results: ReadonlyMap<string, Ran>): readonly string[] {
  const broken: string[] = [];
  for (const { filter, on, line, matches } of promises) {
    const wanted = universe.filter(matches);
    for (const place of on.length === 0 ? [null] : on) {
      const there = place === null ? wanted : wanted.filter((planned) => isAt(planned, place));
      const where = place === null ? "" : ` on ${place}`;
      if (there.length === 0) {
        broken.push(`${PROJECT_FILE}:${line}: this run has no test of ${filter}${where}`);
        continue;
      }
      for (const name of new Set(there.map(({ id }) => caseOf(id)))) {
        // Anywhere is enough, unless a place is named.
        const runs = there.filter(({ id }) => caseOf(id) === name).map(({ id }) => results.get(id));
        if (runs.some((result) => result !== undefined && result.verdict !== "skip")) continue;
        const skipped = runs.find((result) => result !== undefined);
        broken.push(
          `${PROJECT_FILE}:${line}: ${name}${where} ${skipped === undefined ? "did not run" : `was skipped: ${skipped.reason ?? "no reason given"}`}`,
        );
      }
    }
  }
  return broken;
}

/** The rules of the project, of which there must be some. */
export function readPromises(rules: readonly MustRun[]): readonly RunPromise[] {
  if (rules.length === 0)
    throw usageError(`\`--must-run\` needs a list \`must-run\` in ${PROJECT_FILE}`, "such as: must-run: [{ filter: tag(smoke), on: [riscv64] }]");
  return rules.map(compileRule);
}
