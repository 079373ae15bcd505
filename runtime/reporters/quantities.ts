// Numbers as reports print them: guest time in ns from nanoseconds to seconds, wall time in ms, digit groups, counted nouns.
// The locale of the machine has no say, so that two machines print one report.

export function groupDigits(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ",");
}

function threeDigits(value: number): string {
  if (value >= 99.95) return value.toFixed(0);
  return value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}

const UNITS = [
  [1e9, "s"],
  [1e6, "ms"],
  [1e3, "us"],
] as const;

/** `850 ns`, `12.3 us`, `4.56 ms`, `1.20 s`. */
export function formatGuestTime(ns: number): string {
  for (const [size, unit] of UNITS) if (ns >= size * 0.9995) return `${threeDigits(ns / size)} ${unit}`;
  return `${Math.round(ns)} ns`;
}

/** `0.41 ms`, `12.3 ms`, `1.24 s`, `2 min 03 s`. */
export function formatWallTime(ms: number): string {
  if (ms < 999.5) return `${threeDigits(ms)} ms`;
  if (ms < 59_950) return `${threeDigits(ms / 1000)} s`;
  const seconds = Math.round(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${String(seconds % 60).padStart(2, "0")} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

/** `1 test`, `1,204 tests`. */
export function countNoun(count: number, singular: string, plural = `${singular}s`): string {
  return `${groupDigits(count)} ${count === 1 ? singular : plural}`;
}
