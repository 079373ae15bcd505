// What the benchmarks share: peers measured in turn with the subject, so that a busy machine hits both; medians over the rounds; and
// a line a result in which the ratio is the figure to quote. Processes are compared by their CPU time (user and system, all their
// threads), which other work on the machine disturbs less than wall time.

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

export interface Comparison {
  readonly subject: number;
  readonly peer: number;
  /** Median of the ratios round by round. */
  readonly ratio: number;
}

/** Runs subject and peer in turn, `rounds` times after one warm-up. */
export function compare(rounds: number, subject: () => number, peer: () => number): Comparison {
  subject();
  peer();
  const pairs = Array.from({ length: rounds }, () => ({ subject: subject(), peer: peer() }));
  return {
    subject: median(pairs.map((pair) => pair.subject)),
    peer: median(pairs.map((pair) => pair.peer)),
    ratio: median(pairs.map((pair) => pair.subject / pair.peer)),
  };
}

export interface Cost {
  readonly wall: number;
  readonly cpu: number;
}

export interface ProcessOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
}

/** Node tells nobody what its children used; this shell does, to the millisecond. Its own work is not in the figures. */
const TIMED = 'TIMEFORMAT="%U %S"; exec 3>&2; time "$@" 2>&3';

/** Milliseconds of a whole process whose output goes into pipes, as under a CI server. Throws when it fails. */
export function timeProcess(command: string, args: readonly string[], options: ProcessOptions = {}): Cost {
  const start = performance.now();
  const result = spawnSync("bash", ["-c", TIMED, "bash", command, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...options.env },
    cwd: options.cwd,
    encoding: "utf8",
    maxBuffer: 64 * 2 ** 20,
  });
  const wall = performance.now() - start;
  if (result.error !== undefined) throw result.error;
  const [user = Number.NaN, system = Number.NaN] = (result.stderr.trim().split("\n").at(-1) ?? "").split(" ").map(Number);
  if (result.status !== 0 || Number.isNaN(user + system))
    throw new Error(`${command} ${args.join(" ")} ended with ${result.status}: ${result.stderr.slice(0, 400)}`);
  return { wall, cpu: (user + system) * 1000 };
}

export interface ProcessComparison {
  readonly cpu: Comparison;
  readonly wall: Comparison;
}

/** As `compare`, of processes. */
export function compareProcesses(rounds: number, subject: () => Cost, peer: () => Cost): ProcessComparison {
  subject();
  peer();
  const pairs = Array.from({ length: rounds }, () => ({ subject: subject(), peer: peer() }));
  const by = (kind: keyof Cost): Comparison => ({
    subject: median(pairs.map((pair) => pair.subject[kind])),
    peer: median(pairs.map((pair) => pair.peer[kind])),
    ratio: median(pairs.map((pair) => pair.subject[kind] / pair.peer[kind])),
  });
  return { cpu: by("cpu"), wall: by("wall") };
}

export function reportLine(name: string, text: string): void {
  process.stdout.write(`${name.padEnd(34)} ${text}\n`);
}
