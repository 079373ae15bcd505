// What the benchmarks share: medians over several runs, peers measured in turn with the subject (so that a busy machine hits both),
// and one line a result in which the ratio is the figure to quote.

import { spawnSync } from "node:child_process";

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

/** Milliseconds of one call. */
export function time(run: () => void): number {
  const start = performance.now();
  run();
  return performance.now() - start;
}

/** Runs subject and peer in turn, `rounds` times after one warm-up; the median of each, and of the ratios round by round. */
export function compare(rounds: number, subject: () => number, peer: () => number): { readonly subject: number; readonly peer: number; readonly ratio: number } {
  subject();
  peer();
  const pairs = Array.from({ length: rounds }, () => ({ subject: subject(), peer: peer() }));
  return {
    subject: median(pairs.map((pair) => pair.subject)),
    peer: median(pairs.map((pair) => pair.peer)),
    ratio: median(pairs.map((pair) => pair.subject / pair.peer)),
  };
}

/** Wall milliseconds of a whole process; throws when it does not end with the expected status. */
export function timeProcess(command: string, args: readonly string[], options: { readonly status?: number; readonly env?: NodeJS.ProcessEnv; readonly cwd?: string } = {}): number {
  const start = performance.now();
  const result = spawnSync(command, args, { stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, ...options.env }, cwd: options.cwd });
  const ms = performance.now() - start;
  if (result.status !== (options.status ?? 0)) throw new Error(`${command} ${args.join(" ")} ended with ${result.status}: ${result.stderr.toString().slice(0, 400)}`);
  return ms;
}

export function reportLine(name: string, text: string): void {
  process.stdout.write(`${name.padEnd(34)} ${text}\n`);
}
