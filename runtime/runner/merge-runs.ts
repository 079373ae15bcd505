// Several recorded runs as one: the shards of a selection, or a run and the runs of its failures after it. Suites that are the same are put
// together, and of a test that several runs have the last result counts. The outcome is a stream like any other, so that every
// reporter can read it. Nothing is green by omission: what a run announced and did not deliver stays missing.

import {
  EVENT_VERSION,
  isGood,
  VERDICTS,
  type CoverageMeasured,
  type RunEvent,
  type RunFinished,
  type RunStarted,
  type TestFinished,
  type Verdict,
} from "../events.ts";
import { worst } from "../engines/verdict.ts";
import { countNoun } from "../reporters/quantities.ts";
import { createCounts, suiteKey } from "../reporters/tally.ts";
import { formatShard, parseShard } from "./shard.ts";

export interface RecordedRun {
  /** For people: a file's name. */
  readonly name: string;
  readonly started: RunStarted;
  readonly results: readonly TestFinished[];
  readonly coverage: readonly CoverageMeasured[];
  /** Null: it broke off. */
  readonly finished: RunFinished | null;
}

/** The last run of a stream: the live view writes several. Null: there is none. */
export function readRun(name: string, events: readonly RunEvent[]): RecordedRun | null {
  const at = events.findLastIndex(({ type }) => type === "run-started");
  const [started, ...rest] = at < 0 ? [] : events.slice(at);
  if (started?.type !== "run-started") return null;
  return {
    name,
    started,
    results: rest.filter((event) => event.type === "test-finished"),
    coverage: rest.filter((event) => event.type === "coverage-measured"),
    finished: rest.find((event) => event.type === "run-finished") ?? null,
  };
}

export interface MergedRun {
  readonly events: readonly RunEvent[];
  /** What a reader should know, each in one line. */
  readonly notes: readonly string[];
}

export type MergeResult = ({ readonly ok: true } & MergedRun) | { readonly ok: false; readonly message: string; readonly help: string | null };

/** Shards that nobody gave, as they are written. */
export function missingShards(runs: readonly RecordedRun[]): readonly string[] {
  const shards = runs.flatMap(({ started }) => (started.shard === undefined ? [] : (parseShard(started.shard) ?? [])));
  const given = new Set(shards.map(formatShard));
  const wanted = shards.flatMap(({ kind, parts }) => Array.from({ length: parts }, (_, index) => formatShard({ kind, part: index + 1, parts })));
  return [...new Set(wanted)].filter((shard) => !given.has(shard));
}

interface MergedSuite {
  readonly head: RunStarted["suites"][number];
  /** By id, in the order in which ids came. */
  readonly results: Map<string, TestFinished>;
  /** By shard, how many tests a run of it announced at most: shards add up, a run of what failed is a part of the run before it. */
  readonly announced: Map<string, number>;
}

function expectedOf({ results, announced }: MergedSuite): number {
  return Math.max(
    results.size,
    [...announced.values()].reduce((sum, tests) => sum + tests, 0),
  );
}

/** Rows of a test follow each other, tests stand in the order of the file, as far as lines tell. */
function orderResults(results: readonly TestFinished[]): readonly TestFinished[] {
  const tests = [...Map.groupBy(results, ({ test }) => test).values()];
  return tests.sort((a, b) => (a[0]?.line ?? 0) - (b[0]?.line ?? 0)).flat();
}

function planOf(results: readonly TestFinished[]): { readonly test: string; readonly rows: number | null }[] {
  return [...Map.groupBy(results, ({ test }) => test)].map(([test, rows]) => ({ test, rows: rows[0]?.row === null ? null : rows.length }));
}

/** Codes of the inputs that a good result of every test does not undo, the first that applies. */
const LASTING = { interrupted: 130, environment: 75, flaky: 7, outstanding: 5 } as const;

function exitCodeOf(runs: readonly RecordedRun[], counts: Readonly<Record<Verdict, number>>, promisedSkips: number, notRun: number): number {
  const given = new Set(runs.map(({ finished }) => finished?.exitCode));
  if (given.has(LASTING.interrupted)) return LASTING.interrupted;
  if (given.has(LASTING.environment)) return LASTING.environment;
  const isBad = VERDICTS.some((verdict) => counts[verdict] > 0 && !isGood(verdict));
  if (isBad || notRun > 0 || runs.some(({ finished }) => finished === null)) return 1;
  if (promisedSkips > 0) return 6;
  if (given.has(LASTING.flaky) && counts.flaky > 0) return LASTING.flaky;
  // What was still to run again may be what another of the runs ran.
  return runs.at(-1)?.finished?.exitCode === LASTING.outstanding ? LASTING.outstanding : 0;
}

function collectSuites(runs: readonly RecordedRun[]): { readonly suites: readonly MergedSuite[]; readonly repeated: number } {
  const suites = new Map<string, MergedSuite>();
  let repeated = 0;
  let workers = 0;
  for (const { started, results } of runs) {
    for (const head of started.suites) {
      const key = suiteKey({ ...head, suite: head.name });
      const suite: MergedSuite = suites.get(key) ?? { head, results: new Map(), announced: new Map() };
      suites.set(key, suite);
      const shard = started.shard ?? "";
      suite.announced.set(shard, Math.max(head.tests, suite.announced.get(shard) ?? 0));
    }
    let most = -1;
    for (const result of results) {
      const suite = suites.get(suiteKey(result));
      if (suite === undefined) throw new Error(`${result.id} is of a suite that its run did not announce`);
      if (suite.results.has(result.id)) repeated++;
      most = Math.max(most, result.wallWorker);
      suite.results.set(result.id, { ...result, wallWorker: result.wallWorker + workers });
    }
    workers += most + 1;
  }
  return { suites: [...suites.values()], repeated };
}

export function mergeRuns(runs: readonly RecordedRun[]): MergeResult {
  const [first] = runs;
  if (first === undefined) throw new Error("there is nothing to merge");
  const other = runs.find(({ started }) => started.seed !== first.started.seed);
  if (other !== undefined)
    return {
      ok: false,
      message: `${first.name} has seed ${first.started.seed} and ${other.name} seed ${other.started.seed}: they are not parts of one run`,
      help: "report each by itself, with `guestspec replay FILE`",
    };
  const { suites, repeated } = collectSuites(runs);
  const counts = createCounts();
  for (const { results } of suites) for (const { verdict } of results.values()) counts[verdict]++;
  const all = suites.flatMap(({ results }) => [...results.values()]);
  const expected = suites.reduce((sum, suite) => sum + expectedOf(suite), 0);
  const notRun = expected - all.length;
  const promisedSkips = all.filter(({ verdict, promised }) => promised && verdict === "skip").length;
  const tools = [...new Set(runs.map(({ started }) => started.tool))];
  const ends = runs.flatMap(({ finished }) => (finished === null ? [] : [finished.finishedAt])).sort();
  const starts = runs.map(({ started }) => started.startedAt).sort();
  const broken = runs.filter(({ finished }) => finished === null).map(({ name }) => name);
  const events: RunEvent[] = [
    {
      type: "run-started",
      version: EVENT_VERSION,
      tool: first.started.tool,
      seed: first.started.seed,
      targets: [...new Set(runs.flatMap(({ started }) => started.targets))],
      suites: suites.map((suite) => ({ ...suite.head, tests: expectedOf(suite) })),
      tests: expected,
      deselected: Math.max(0, Math.max(...runs.map(({ started }) => started.deselected + started.tests)) - expected),
      startedAt: starts[0] ?? first.started.startedAt,
    },
  ];
  for (const { head, results } of suites) {
    const ordered = orderResults([...results.values()]);
    const own = { suite: head.name, file: head.file, target: head.target, engine: head.engine };
    if (ordered.length === 0) continue;
    events.push({ type: "suite-started", ...own, tests: ordered.length, plan: planOf(ordered) }, ...ordered, {
      type: "suite-finished",
      ...own,
      verdict: worst(ordered.map(({ verdict }) => verdict)),
      wallMs: ordered.reduce((sum, { wallMs }) => sum + wallMs, 0),
    });
  }
  events.push({
    type: "run-finished",
    counts,
    notRun,
    interrupted: runs.some(({ finished }) => finished?.interrupted === true),
    exitCode: exitCodeOf(runs, counts, promisedSkips, notRun),
    wallMs: runs.reduce((sum, { finished }) => sum + (finished?.wallMs ?? 0), 0),
    wallBoots: runs.flatMap(({ finished }) => finished?.wallBoots ?? []),
    finishedAt: ends.at(-1) ?? first.started.startedAt,
  });
  const notes = [
    ...(repeated === 0 ? [] : [`${countNoun(repeated, "result")} of tests that an earlier file has too; the last one counts`]),
    ...(tools.length === 1 ? [] : [`the runs are of several versions: ${tools.join(", ")}`]),
    ...broken.map((name) => `${name} broke off: its run has no end`),
    ...(runs.some(({ coverage }) => coverage.length > 0) ? ["coverage is not merged"] : []),
  ];
  return { ok: true, events, notes };
}
