// What the benchmarks share: peers measured in turn with the subject, so that a busy machine hits both; medians over the rounds; and
// a line a result in which the ratio is the figure to quote. Processes are compared by their CPU time (user and system, all their
// threads), which other work on the machine disturbs less than wall time.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

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
  return summarise(Array.from({ length: rounds }, () => ({ subject: subject(), peer: peer() })));
}

/** The same of something that takes part of a process which goes on running. */
export async function compareParts(rounds: number, subject: () => Promise<Cost>, peer: () => Cost): Promise<ProcessComparison> {
  const pairs: CostPair[] = [];
  for (let round = 0; round < rounds; round++) pairs.push({ subject: await subject(), peer: peer() });
  return summarise(pairs);
}

interface CostPair {
  readonly subject: Cost;
  readonly peer: Cost;
}

function summarise(pairs: readonly CostPair[]): ProcessComparison {
  const by = (kind: keyof Cost): Comparison => ({
    subject: median(pairs.map((pair) => pair.subject[kind])),
    peer: median(pairs.map((pair) => pair.peer[kind])),
    ratio: median(pairs.map((pair) => pair.subject[kind] / pair.peer[kind])),
  });
  return { cpu: by("cpu"), wall: by("wall") };
}

/** Linux counts the CPU time of a process in hundredths of a second. */
const TICK_MS = 10;

/** Milliseconds of CPU time that a running process and those of its children that have ended have used. NaN where there is no /proc. */
export function cpuOf(pid: number): number {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return Number.NaN;
  }
  // utime, stime, cutime, cstime (proc_pid_stat(5)), counted behind the name, which may hold anything.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) * TICK_MS;
}

export function reportLine(name: string, text: string): void {
  process.stdout.write(`${name.padEnd(34)} ${text}\n`);
}
