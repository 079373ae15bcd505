// Identity of a test case: `file::suite::test[row]@target/engine`. The id selects, it is in every report and in the repro line, and
// with the run's seed it makes the seed of the machine, so that a case behaves the same alone, among others and on any worker.

import type { Manifest, ManifestCase, ManifestSuite, ManifestTest } from "../../compiler/images/manifest.ts";

/** The part that does not depend on where it runs. */
export function caseName(manifest: Manifest, suite: ManifestSuite, test: ManifestTest, row: ManifestCase): string {
  const file = manifest.files[suite.file] ?? "?";
  return `${file}::${suite.name}::${test.name}${row.name === null ? "" : `[${row.name}]`}`;
}

export function caseId(manifest: Manifest, suite: ManifestSuite, test: ManifestTest, row: ManifestCase, engine: string): string {
  return `${caseName(manifest, suite, test, row)}@${manifest.target}/${engine}`;
}

/** 64 bits out of the run's seed and a name: two FNV-1a hashes over the UTF-16 units, the second from another offset. */
export function deriveSeed(seed: bigint, name: string): bigint {
  let low = 0x811c_9dc5 ^ Number(seed & 0xffff_ffffn);
  let high = 0x9747_b28c ^ Number((seed >> 32n) & 0xffff_ffffn);
  for (let at = 0; at < name.length; at++) {
    const unit = name.charCodeAt(at);
    low = Math.imul(low ^ unit, 0x0100_0193);
    high = Math.imul(high ^ (unit + at), 0x0100_0193);
  }
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

/** Quoted for a POSIX shell, and only if it must be. */
export function quoteForShell(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
