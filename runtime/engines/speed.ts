// How fast a test is, from the fastest that it claims to be to the slowest: marks of the spec (`@slow`, `@very_slow`), which lengthen its
// limits, and what is said of a test that is slow without the mark. All in guest time and instructions, so that no verdict and
// no warning depends on the host.

import type { ManifestCase, ManifestTest } from "../../compiler/images/manifest.ts";

/** From slow to fast, with how much longer than a normal one such a test may take. */
const SPEEDS = [
  { name: "very_slow", factor: 12 },
  { name: "slow", factor: 3 },
  { name: "normal", factor: 1 },
] as const;

export type Speed = (typeof SPEEDS)[number];

const NORMAL: Speed = SPEEDS[2];

/** Marks are tags too, and a row's add to its test's: the slowest counts. */
export function speedOf(test: Pick<ManifestTest, "tags">, row: Pick<ManifestCase, "tags"> | null): Speed {
  return SPEEDS.find(({ name }) => test.tags.includes(name) || row?.tags?.includes(name)) ?? NORMAL;
}

/** Beyond one of these a test should say that it is slow; both are a fifth of the default limits. */
const SLOW_NS = 2_000_000_000;
const SLOW_INSTRUCTIONS = 4_000_000;

/** What a test that is slow without saying so took, in words; null: it may. */
export function slownessOf(elapsedNs: number, executed: number): string | null {
  if (elapsedNs >= SLOW_NS) return `${Number((elapsedNs / 1e9).toFixed(2))} s of guest time`;
  return executed >= SLOW_INSTRUCTIONS ? `${(executed / 1e6).toFixed(1)} million instructions` : null;
}
