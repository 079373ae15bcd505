// How much of a run's code was reached, in numbers: for the summary that people read, and for the limits of `--coverage`.
import type { CoverageMeasured } from "../events.ts";
import { groupDigits } from "./quantities.ts";

export const COVERAGE_KINDS = ["lines", "branches", "registers", "fields"] as const;
export type CoverageKind = (typeof COVERAGE_KINDS)[number];

export interface Share {
  readonly reached: number;
  readonly of: number;
}

export function coverageTotals({ files, registers }: CoverageMeasured): Readonly<Record<CoverageKind, Share>> {
  const share = (counts: readonly number[]): Share => ({ reached: counts.filter((count) => count > 0).length, of: counts.length });
  const all = registers.flatMap((block) => block.registers);
  return {
    lines: share(files.flatMap(({ lines }) => lines.map(({ hits }) => hits))),
    branches: share(files.flatMap(({ branches }) => branches.map(({ hits }) => hits))),
    registers: share(all.map(({ reads, writes }) => reads + writes)),
    fields: share(all.flatMap(({ fields }) => fields.map(({ reads, writes }) => reads + writes))),
  };
}

/** Nothing of nothing is all of it. Rounded down: 100 means every one. */
export function percentOf({ reached, of }: Share): number {
  return of === 0 ? 100 : Math.floor((reached / of) * 1000) / 10;
}

/** `lines 52 of 57 (91.2 %), branches ..`; what there is none of is left out. */
export function describeCoverage(event: CoverageMeasured): string {
  const totals = coverageTotals(event);
  return COVERAGE_KINDS.filter((kind) => totals[kind].of > 0)
    .map((kind) => `${kind} ${groupDigits(totals[kind].reached)} of ${groupDigits(totals[kind].of)} (${percentOf(totals[kind]).toFixed(1)} %)`)
    .join(", ");
}
