// Units behind numbers, and what people write who are used to others. literals.ts multiplies by them, so that nobody behind it sees one.

import { didYouMean } from "./nearest-name.ts";

export const nanosecondsOf: ReadonlyMap<string, bigint> = new Map([
  ["ns", 1n],
  ["us", 1000n],
  ["ms", 1000_000n],
  ["s", 1000_000_000n],
]);
export const bytesOf: ReadonlyMap<string, bigint> = new Map([
  ["KiB", 1n << 10n],
  ["MiB", 1n << 20n],
  ["GiB", 1n << 30n],
  ["TiB", 1n << 40n],
]);
const units = [...nanosecondsOf.keys(), ...bytesOf.keys()];

/** For a suffix that is no unit: what it is called here, if it is one of other languages. */
export function helpForSuffix(suffix: string): string {
  if (/^([iu](8|16|32|64|size)|[ul]{1,3}|[ul]{1,2}z)$/i.test(suffix)) return "a number takes its type from its place, or by `as`: `1 as u32`";
  const time = /^(n|u|m)(sec|secs)$/.exec(suffix);
  if (time !== null) return `did you mean \`${time[1] ?? ""}s\`?`;
  if (/^(sec|secs)$/.test(suffix)) return "did you mean `s`?";
  const size = /^([kmgt])b?$/i.exec(suffix);
  if (size !== null) return `did you mean \`${(size[1] ?? "").toUpperCase()}iB\`?`;
  return didYouMean(suffix, units, `the units are ${units.map((unit) => `\`${unit}\``).join(", ")}`);
}
