// What several targets and engines make of the same tests, side by side: totals for each, and every test on which they disagree with
// what each of them said. A skip is no opinion, and an expected failure beside a pass is a deviation that the spec declares; any
// other difference is somebody's fault.

import type { TestFinished, Verdict } from "../events.ts";
import { formatFailureBlock } from "./failure-block.ts";
import { paintFor } from "./paint.ts";
import { countNoun } from "./quantities.ts";
import { VERDICT_STYLE } from "./tally.ts";

export interface Comparison {
  add(result: TestFinished): void;
  /** Tests whose verdicts differ and should not. */
  differences(): number;
  format(options: { readonly color: boolean; readonly columns: number }): string[];
}

/** Worst first, as totals are read. */
const SHOWN: readonly Verdict[] = ["pass", "flaky", "xfail", "fail", "timeout", "hung", "crash", "nondeterministic", "error", "xpass", "skip"];

function placeOf({ target, engine }: Pick<TestFinished, "target" | "engine">): string {
  return `${target}/${engine}`;
}

/** The id without where it ran. */
function caseOf({ id }: TestFinished): string {
  return id.slice(0, id.lastIndexOf("@"));
}

function isDifference(results: readonly TestFinished[]): boolean {
  const opinions = new Set(results.map(({ verdict }) => verdict).filter((verdict) => verdict !== "skip"));
  if (opinions.size < 2) return false;
  return !(opinions.size === 2 && opinions.has("pass") && opinions.has("xfail"));
}

function isDeclared(results: readonly TestFinished[]): boolean {
  const verdicts = new Set(results.map(({ verdict }) => verdict));
  return verdicts.has("pass") && verdicts.has("xfail") && !isDifference(results);
}

export function createComparison(): Comparison {
  const places: string[] = [];
  const cases = new Map<string, TestFinished[]>();

  function differing(): readonly (readonly [string, readonly TestFinished[]])[] {
    return [...cases].filter(([, results]) => isDifference(results));
  }

  function formatTotals(): string[] {
    const all = [...cases.values()].flat();
    const rows = SHOWN.map(
      (verdict) => [verdict, places.map((place) => all.filter((result) => result.verdict === verdict && placeOf(result) === place).length)] as const,
    );
    const width = Math.max(...places.map((place) => place.length));
    const line = (name: string, cells: readonly string[]): string =>
      `  ${name.padEnd(8)}${cells.map((cell) => `  ${cell.padStart(width)}`).join("")}`.trimEnd();
    return [line("", places), ...rows.filter(([, counts]) => counts.some((count) => count > 0)).map(([verdict, counts]) => line(verdict, counts.map(String)))];
  }

  return {
    add(result) {
      const place = placeOf(result);
      if (!places.includes(place)) places.push(place);
      const known = cases.get(caseOf(result));
      if (known === undefined) cases.set(caseOf(result), [result]);
      else known.push(result);
    },
    differences: () => differing().length,
    format({ color, columns }) {
      const paint = paintFor(color);
      const different = differing();
      const declared = [...cases.values()].filter(isDeclared).length;
      const lines = [paint.bold(`Compare  ${countNoun(cases.size, "test")} on ${countNoun(places.length, "engine")}`), ...formatTotals()];
      if (declared > 0) lines.push(`  ${countNoun(declared, "deviation")} declared by specs`);
      lines.push(
        `  ${different.length === 0 ? "no test differs" : `${countNoun(different.length, "test")} ${different.length === 1 ? "differs" : "differ"}:`}`,
      );
      for (const [name, results] of different) {
        const verdicts = results.map((result) => `${placeOf(result)} ${paint[VERDICT_STYLE[result.verdict]](result.verdict)}`);
        lines.push("", paint.bold(name), `  ${verdicts.join(", ")}`);
        const failed = results.filter(({ failures }) => failures.length > 0);
        for (const result of failed)
          lines.push(...formatFailureBlock(result, { paint, columns, isFull: false }).map((line) => (line === "" ? "" : `  ${line}`)));
      }
      return lines;
    },
  };
}
