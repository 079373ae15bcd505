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

/** Longer times have no unit of their own: they are told in seconds. */
const SECONDS_IN: readonly (readonly [names: RegExp, seconds: bigint])[] = [
  [/^m(in(ute)?s?)?$/, 60n],
  [/^h(rs?|ours?)?$/, 3600n],
  [/^d(ays?)?$/, 86400n],
];

/** For a suffix that is no unit, behind this number: what it is called here, if it is one of other languages. */
export function helpForSuffix(suffix: string, value: bigint): string {
  const longer = SECONDS_IN.find(([names]) => names.test(suffix));
  if (longer !== undefined) return `time is told in seconds: \`${value * longer[1]}s\`${suffix === "m" ? `, and sizes in units of 1024: \`${value}MiB\`` : ""}`;
  if (/^([iu](8|16|32|64|size)|[ul]{1,3}|[ul]{1,2}z)$/i.test(suffix)) return "a number takes its type from its place, or by `as`: `1 as u32`";
  const time = /^(n|u|m)(sec|secs)$/.exec(suffix);
  if (time !== null) return `did you mean \`${time[1] ?? ""}s\`?`;
  if (/^(sec|secs)$/.test(suffix)) return "did you mean `s`?";
  const size = /^([kmgt])b?$/i.exec(suffix);
  if (size !== null) return `did you mean \`${(size[1] ?? "").toUpperCase()}iB\`?`;
  return didYouMean(suffix, units, `the units are ${units.map((unit) => `\`${unit}\``).join(", ")}`);
}
