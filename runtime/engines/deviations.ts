// Known faults of an engine, which specs declare: `@deviates("qemu", "7.2..8.0", "reason")`. On that engine, in these versions, the test
// is expected to fail, so that two engines can be compared without the same difference being looked into again and again; and as
// an expected failure that passes is told, so is a fault that is gone.

import type { ManifestTest } from "../../compiler/images/manifest.ts";

/** A line of the manifest's attribute `deviates`: engine, versions, reason. */
const DEVIATION = /^(\S+) (\S+) (.*)$/;

function partsOf(version: string): readonly number[] {
  return version.split(".").map((part) => parseInt(part, 10));
}

/** By as many parts as the bound has: 7.2.22 is neither below nor above 7.2. */
function compareTo(version: readonly number[], bound: readonly number[]): number {
  for (const [index, part] of bound.entries()) {
    const difference = (version[index] ?? 0) - part;
    if (difference !== 0) return difference;
  }
  return 0;
}

/** `7.2`, `7.2..8.0`, `7.2..`: both ends belong to it. */
export function isWithinVersions(version: string, range: string): boolean {
  const [low = "", high = low] = range.split("..");
  const own = partsOf(version);
  return compareTo(own, partsOf(low)) >= 0 && (high === "" || compareTo(own, partsOf(high)) <= 0);
}

/** Why the test is expected to fail on an engine, or null. */
export function deviationOf(test: Pick<ManifestTest, "attributes">, engine: string, version: string | undefined): string | null {
  if (version === undefined) return null;
  for (const line of test.attributes.deviates?.split("\n") ?? []) {
    const [, name, range = "", reason = ""] = DEVIATION.exec(line) ?? [];
    if (name === engine && isWithinVersions(version, range)) return `${engine} ${version} deviates: ${reason}`;
  }
  return null;
}
