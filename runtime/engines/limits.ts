// How long a call may take: in guest time, in instructions, and what its cleanups get beyond that. The row's word goes before the
// test's, the test's before the command line's, and that before the default; the last two are longer for tests marked as slow. Every
// engine takes its limits from here, each in the unit in which it can count.

import type { ManifestCase, ManifestTest } from "../../compiler/images/manifest.ts";
import { speedOf } from "./speed.ts";

/** A limit in guest time and one in instructions; `grace` is what cleanups get beyond them. */
export interface CallLimits {
  readonly timeoutNs: number;
  readonly instructions: number;
  readonly graceNs: number;
}

/** `--timeout` and `--max-instructions`. */
export interface LimitOptions {
  readonly timeoutNs: number | null;
  readonly maxInstructions: number | null;
}

/** Defaults of a test without `@timeout`. */
export const DEFAULT_TIMEOUT_NS = 10_000_000_000;
export const DEFAULT_INSTRUCTIONS = 20_000_000;
/** Long enough for cleanups that wait for a device, short enough that a cleanup that loops costs nothing. */
const GRACE_NS = 5_000_000;
/** An explicit `@timeout` beyond the default number of instructions raises that too (1 instruction = 1 ns), up to here. */
const MOST_INSTRUCTIONS = 2_000_000_000;
/** Boot, and set-up and teardown of suites and tables. */
export const HOOK_LIMITS: CallLimits = { timeoutNs: DEFAULT_TIMEOUT_NS, instructions: 2 * DEFAULT_INSTRUCTIONS, graceNs: GRACE_NS };

export function limitsOf(test: ManifestTest, row: ManifestCase | null, options: LimitOptions): CallLimits {
  const written = row?.timeout ?? test.timeout;
  const { factor } = speedOf(test, row);
  // A time that the spec gives is meant as it stands.
  const timeoutNs = written ?? factor * (options.timeoutNs ?? DEFAULT_TIMEOUT_NS);
  const isExplicit = written !== null || options.timeoutNs !== null;
  const usual = factor * DEFAULT_INSTRUCTIONS;
  const wanted = isExplicit ? Math.min(MOST_INSTRUCTIONS, Math.max(usual, timeoutNs)) : usual;
  return { timeoutNs, instructions: options.maxInstructions ?? wanted, graceNs: GRACE_NS };
}
