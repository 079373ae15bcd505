// Runs a plan and writes its events. Tests start in this thread at once, because most runs end before a worker thread would have
// started; when what is left is worth it, workers take over. Wherever a test runs, results leave in the order of the plan, so that
// the recorded stream depends on plan and seed only.

import type { ManifestTest } from "../../compiler/images/manifest.ts";
import { EVENT_VERSION, type Boot, type RunEvent, type RunFinished, type TestFinished } from "../events.ts";
import type { BootSpan, CaseEngine } from "../engines/case-engine.ts";
import { createEmbeddedEngine, type EngineHost, type EngineOptions } from "../engines/embedded.ts";
import { makeFailure } from "../engines/failure.ts";
import { DEFAULT_INSTRUCTIONS, limitsOf } from "../engines/limits.ts";
import type { CommandRequest } from "../engines/command/command-engine.ts";
import type { Fleet, FleetOptions, FleetUnit } from "../engines/qemu/fleet.ts";
import { emptyResult, reproLine } from "../engines/result.ts";
import { engineOf, type EngineImage } from "../engines/session.ts";
import { isDeterministicEngine, isSettled, mergeAttempts, ONE_ATTEMPT, runRepeatedly, type AttemptPolicy } from "./attempts.ts";
import { createRelease, type Release } from "./release.ts";
import type { PlannedWork, RunPlan } from "./plan.ts";
import { createWorkQueue } from "./work-queue.ts";
import { createWorkerNeed, WORKER_POLICY, type WorkerPolicy } from "./worker-need.ts";
import type { Batch, PoolOptions, WorkerPool } from "./worker-pool.ts";

/** What tests in other processes need beside them, by what runs them. */
export interface OutsideRequest {
  readonly qemu?: Pick<FleetOptions, "qemu" | "bootFile">;
  /** The project's own engines. */
  readonly command?: CommandRequest;
}

export interface RunRequest {
  readonly images: readonly EngineImage[];
  /** Absent: all tests run in this process. */
  readonly outside?: OutsideRequest;
  readonly plan: RunPlan;
  readonly deselected: number;
  readonly engine: EngineOptions;
  readonly host: EngineHost;
  /** Most worker threads; 1: none. */
  readonly jobs: number;
  /** Stop after so many failed tests; null: never. */
  readonly failFast: number | null;
  /** How often tests run; by default once. */
  readonly attempts?: AttemptPolicy;
  /** Results that are known without running: those of a quarantine, or of a cache. By id. */
  readonly settled?: ReadonlyMap<string, TestFinished>;
  /** Last word on a result that a machine gave. */
  adjust?(result: TestFinished): TestFinished;
  /** Expected wall time of tests by id: the longest suites begin first. Results leave in the order of the plan all the same. */
  readonly expectedMs?: ReadonlyMap<string, number>;
  /** Of the selected tests these are the part `slice:1/4`. */
  readonly shard?: string;
  /** `guestspec 0.1.0` */
  readonly tool: string;
  /** When they pay; by default as measured. */
  readonly workerPolicy?: WorkerPolicy;
  /** Somebody watches: live events are wanted. */
  readonly isLive: boolean;
  exitCodeOf(summary: RunSummary): number;
}

export interface RunSummary {
  readonly counts: RunFinished["counts"];
  readonly notRun: number;
  readonly interrupted: boolean;
  readonly promisedSkips: number;
  /** An engine did not start. */
  readonly isEnvironmentAtFault: boolean;
}

export interface RunControl {
  /** Ends the run after the tests that run now. */
  interrupt(): void;
  /** As `interrupt`, but the run does not count as interrupted: another one follows. */
  stop(): void;
  /** Ends workers at once; what they were at has no result. */
  abandon(): Promise<void>;
  /** The process is about to end: lets out what results there are. */
  breakOff(): void;
  /** Asks for a `test-status` of each running test. */
  requestStatus(): void;
}

export interface RunHandle extends RunControl {
  readonly finished: Promise<RunFinished>;
}

/** The number of this thread among the workers. */
const HERE = 0;
/** The event loop gets its turn at least this often, for ^C, the live view and workers' answers. */
const TURN_MS = 12;
/** A test that may execute more than this, seconds of wall time, runs in a worker. */
const LONG_INSTRUCTIONS = 200_000_000;
/** What a batch should last: long enough to hide the round trip, short enough for an even end. */
const BATCH_MS = 25;
const MAX_BATCH = 400;
/** Wall time that the slowest executor may need for so many instructions, with room to spare. */
const HANG_BASE_MS = 30_000;
const HANG_MS_PER_INSTRUCTION = 1 / 5000;

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Reads a clock for the fields whose name says that they differ between runs. */
function isoNow(): string {
  return new Date().toISOString();
}

function hangLimit(request: RunRequest): number {
  let most = DEFAULT_INSTRUCTIONS;
  for (const { manifest } of request.images) {
    for (const test of manifest.suites.flatMap(({ tests }) => tests)) {
      for (const row of [null, ...test.cases.filter(({ timeout }) => timeout !== undefined)])
        most = Math.max(most, limitsOf(test, row, request.engine).instructions);
    }
  }
  return HANG_BASE_MS + most * HANG_MS_PER_INSTRUCTION;
}

export function startRun(request: RunRequest, emit: (event: RunEvent) => void): RunHandle {
  const { plan, images, host } = request;
  const { work } = plan;
  const started = host.now();
  const release: Release = createRelease(plan, request.failFast ?? Infinity, emit);
  const casesOf = new Map<number, number>();
  for (const { image } of work) casesOf.set(image, (casesOf.get(image) ?? 0) + 1);
  /** Runs outside of this process; what only is skipped does not. */
  function isOutside({ image }: PlannedWork): boolean {
    const contents = images[image];
    return contents !== undefined && engineOf(contents) !== "embedded" && contents.unavailable === undefined;
  }
  const attempts = request.attempts ?? ONE_ATTEMPT;
  const settled = request.settled ?? new Map<string, TestFinished>();
  const { expectedMs } = request;
  const expect = (unit: PlannedWork): number => expectedMs?.get(unit.id) ?? 0;
  const queue = createWorkQueue(work, (unit) => isOutside(unit) || settled.has(unit.id), expectedMs === undefined ? undefined : expect);
  let fleet: Fleet | null = null;
  let isEnvironmentAtFault = false;
  let isStopping = false;
  let isInterrupted = false;
  let pool: WorkerPool | null = null;
  let active: { readonly image: number; readonly engine: CaseEngine } | null = null;
  let inlineIndex = -1;
  const boots: Boot[] = [];
  /** This thread is one of the jobs, unless it has a screen to keep alive. */
  const workerCount = request.isLive ? request.jobs : request.jobs - 1;

  /** Engines tell times of the host's clock; events, those of the run. */
  function addResult(index: number, result: TestFinished, worker: number): void {
    const adjusted = request.adjust?.(result) ?? result;
    release.add(index, { ...adjusted, wallStartMs: Math.max(0, result.wallStartMs - started), wallWorker: worker });
  }

  function addBoot(image: number, { startMs, durationMs }: BootSpan, worker: number): void {
    const contents = images[image];
    if (contents === undefined) return;
    const { manifest, machine } = contents;
    boots.push({ engine: engineOf(contents), worker, target: manifest.target, machine: machine.name, startMs: Math.max(0, startMs - started), durationMs });
  }

  function engineFor(image: number): CaseEngine {
    if (active?.image === image) return active.engine;
    active?.engine.dispose();
    const contents = images[image];
    if (contents === undefined) throw new Error(`the plan names image ${image}`);
    const onBoot = (span: BootSpan): void => addBoot(image, span, HERE);
    active = { image, engine: createEmbeddedEngine(contents, request.engine, host, casesOf.get(image) ?? 0, onBoot) };
    return active.engine;
  }

  function mayGoOn(): boolean {
    return !isStopping && !release.isStopped;
  }

  function hasWork(): boolean {
    return queue.left > 0 && mayGoOn();
  }

  function announce(unit: PlannedWork, worker: number): void {
    if (request.isLive) emit({ type: "test-running", id: unit.id, title: titleOf(unit), worker });
  }

  function titleOf(unit: PlannedWork): string {
    const suite = images[unit.image]?.manifest.suites[unit.suite];
    const test = suite?.tests[unit.test];
    const row = test?.cases[unit.case]?.name ?? null;
    return `${suite?.name}: ${test?.name}${row === null ? "" : ` [${row}]`}`;
  }

  function takeBatch(worker: number, size: number): Batch | null {
    const taken = hasWork() ? queue.take(worker, size) : null;
    if (taken === null) return null;
    const units = taken.indices.flatMap((index) => {
      const unit = work[index];
      if (unit === undefined) return [];
      const { suite, test, case: caseIndex, opensSuite, opensTable, closesSuite, closesTable } = unit;
      return [{ suite, test, case: caseIndex, opensSuite, opensTable, closesSuite, closesTable, index }];
    });
    return { image: taken.image, units };
  }

  /** The result of a test that took its worker with it. */
  function lostResult(index: number, how: "died" | "hung", message: string): TestFinished {
    const unit = work[index];
    const image = unit === undefined ? undefined : images[unit.image];
    const suite = image?.manifest.suites[unit?.suite ?? -1];
    const test = suite?.tests[unit?.test ?? -1];
    const row = test?.cases[unit?.case ?? -1];
    if (unit === undefined || image === undefined || suite === undefined || test === undefined || row === undefined)
      throw new Error(`a worker lost unit ${index}, which the plan does not have`);
    const text = how === "hung" ? `the test did not answer and its worker was stopped: ${message}` : `the worker died: ${message}`;
    const verdict = how === "hung" ? "hung" : "error";
    return {
      ...emptyResult(image, suite, test, row),
      verdict,
      failures: [makeFailure(verdict, text)],
      wallStartMs: host.now(),
      repro: reproLine(unit.id, `${image.reproFlags ?? ""}${request.engine.reproFlags} --jobs 1`),
    };
  }

  /** Of tests whose rows have no limits of their own. */
  const longTests = new Map<ManifestTest, boolean>();

  function isLong(unit: PlannedWork | undefined): boolean {
    const test = unit === undefined ? undefined : images[unit.image]?.manifest.suites[unit.suite]?.tests[unit.test];
    const row = unit === undefined ? undefined : test?.cases[unit.case];
    if (test === undefined || row === undefined) return false;
    const mayExecute = (): boolean => limitsOf(test, row, request.engine).instructions > LONG_INSTRUCTIONS;
    if (row.timeout !== undefined || row.tags !== undefined) return mayExecute();
    let known = longTests.get(test);
    if (known === undefined) longTests.set(test, (known = mayExecute()));
    return known;
  }

  /** `most`: as many as there is work for. */
  async function startWorkers(meanMs: number, most: number): Promise<void> {
    if (pool !== null) return;
    const { startPool } = await import("./worker-pool.ts");
    const batchSize = Math.max(1, Math.min(MAX_BATCH, Math.floor(BATCH_MS / Math.max(meanMs, 0.01))));
    const options: PoolOptions = {
      workers: Math.max(1, Math.min(workerCount, queue.left, most)),
      engine: request.engine,
      hangMs: hangLimit(request) * attempts.repeat,
      now: () => performance.now(),
      repeat: attempts.repeat,
      plannedCases: (image) => Math.ceil((casesOf.get(image) ?? 0) / request.jobs),
      imageAt(image) {
        const contents = images[image];
        if (contents === undefined) throw new Error(`the plan names image ${image}`);
        return contents;
      },
      nextBatch: (worker) => takeBatch(worker, Math.min(batchSize, Math.ceil(queue.left / request.jobs / 2))),
      onResult: addResult,
      onBoot: addBoot,
      onLost: (index, how, message, worker) => addResult(index, lostResult(index, how, message), worker),
      onRunning(index, worker) {
        const unit = work[index];
        if (unit !== undefined) announce(unit, worker);
      },
    };
    pool = startPool(options);
    // Looked at below when they have work; if none ever started, this thread has run everything and nothing is lost.
    pool.done.catch(() => undefined);
  }

  async function runNext(): Promise<void> {
    const index = queue.take(HERE, 1)?.indices[0] ?? -1;
    const unit = work[index];
    if (unit === undefined) return;
    inlineIndex = index;
    announce(unit, HERE);
    addResult(index, await runRepeatedly(engineFor(unit.image), unit, attempts.repeat, true), HERE);
    inlineIndex = -1;
  }

  /** Machines elsewhere take tests suite by suite, in the order in which these come. */
  function longestFirst<Unit extends PlannedWork>(units: readonly Unit[]): readonly Unit[] {
    if (expectedMs === undefined) return units;
    const groups = [...Map.groupBy(units, ({ image, suite }) => `${image} ${suite}`).values()];
    const weighed = groups.map((group) => ({ group, ms: group.reduce((sum, unit) => sum + expect(unit), 0) }));
    return weighed.sort((a, b) => b.ms - a.ms).flatMap(({ group }) => group);
  }

  /** All of it, then again what has not run often enough, on new machines: a retry right behind its failure meets the same host. */
  async function runRounds(units: readonly FleetUnit[], start: (round: Pick<FleetOptions, "units" | "onResult">) => Fleet): Promise<void> {
    const collected = new Map<number, TestFinished[]>();
    const engineName = (index: number): string => images[work[index]?.image ?? -1]?.engine ?? "embedded";
    const lanes = new Map<number, number>();
    const merge = (index: number): void =>
      addResult(index, mergeAttempts(collected.get(index) ?? [], isDeterministicEngine(engineName(index))), lanes.get(index) ?? HERE);
    let left = units;
    do {
      fleet = start({
        units: left,
        onResult(index, result, lane) {
          const results = [...(collected.get(index) ?? []), result];
          collected.set(index, results);
          lanes.set(index, lane);
          if (isSettled(results, attempts)) merge(index);
        },
      });
      await fleet.done;
      left = left.filter(({ index }) => collected.has(index) && !isSettled(collected.get(index) ?? [], attempts));
    } while (left.length > 0 && mayGoOn());
    // Interrupted between two runs: what there is counts.
    for (const { index } of left) merge(index);
  }

  /** After the tests of this process, which would keep it from answering machines in time. */
  async function runOutside(): Promise<void> {
    const units = longestFirst(work.flatMap((unit, index) => (isOutside(unit) && !settled.has(unit.id) ? [{ ...unit, index }] : [])));
    const [forQemu, forCommands] = [true, false].map((wanted) => units.filter(({ image }) => (images[image]?.engine === "qemu") === wanted));
    const common = {
      images,
      cases: request.engine,
      host,
      jobs: request.jobs,
      mayStart: mayGoOn,
      onRunning(index: number, worker: number): void {
        const unit = work[index];
        if (unit !== undefined) announce(unit, worker);
      },
      onBoot: addBoot,
      onRefusal(): void {
        isEnvironmentAtFault = true;
      },
    };
    const { qemu, command } = request.outside ?? {};
    if (forQemu !== undefined && forQemu.length > 0 && mayGoOn()) {
      if (qemu === undefined) throw new Error("the plan has tests for QEMU, and nobody said how to start it");
      const { startFleet } = await import("../engines/qemu/fleet.ts");
      await runRounds(forQemu, (round) => startFleet({ ...common, ...qemu, ...round }));
    }
    if (forCommands !== undefined && forCommands.length > 0 && mayGoOn()) {
      if (command === undefined) throw new Error("the plan has tests for an engine of the project, and nobody said how to start it");
      const { startCommandRun } = await import("../engines/command/command-engine.ts");
      await runRounds(forCommands, (round) => startCommandRun({ ...common, ...command, ...round }));
    }
    fleet = null;
  }

  async function runHere(): Promise<void> {
    let turn = host.now();
    const need = createWorkerNeed(host, request.workerPolicy ?? WORKER_POLICY);
    // The screen of a live view and its keys must not wait for a test.
    while (hasWork() && !(request.isLive && pool?.isReady === true)) {
      if (isLong(work[queue.peek(HERE)])) {
        // Nothing else happens in this thread while a test runs, not even ^C; only a worker can be stopped.
        await startWorkers(BATCH_MS, workerCount);
        break;
      }
      await runNext();
      const now = host.now();
      if (now - turn > TURN_MS) {
        await nextTurn();
        turn = host.now();
      }
      const judged = pool === null && request.jobs > 1 ? need.judge(queue.left) : null;
      // A live view's thread stops running tests once workers do.
      if (judged !== null) await startWorkers(judged.meanMs, judged.workers + (request.isLive ? 1 : 0));
    }
    active?.engine.dispose();
    active = null;
    if (pool === null) return;
    // Not ready and nothing left: this thread was faster than they could start.
    if (pool.isReady || hasWork()) await pool.done;
    await pool.terminate();
  }

  async function run(): Promise<RunFinished> {
    emit({
      type: "run-started",
      version: EVENT_VERSION,
      tool: request.tool,
      seed: String(request.engine.seed),
      targets: [...new Set(plan.suites.map(({ target }) => target))],
      suites: plan.suites.map(({ name, file, target, engine, tests }) => ({ name, file, target, engine, tests })),
      tests: work.length,
      deselected: request.deselected,
      ...(request.shard === undefined ? {} : { shard: request.shard }),
      startedAt: isoNow(),
    });
    try {
      if (settled.size > 0) {
        for (const [index, unit] of work.entries()) {
          const known = settled.get(unit.id);
          if (known !== undefined) release.add(index, known);
        }
      }
      await runHere();
      await runOutside();
    } catch (error) {
      // A bug. What has a result keeps it, and nothing is left running: threads would keep the process alive.
      isStopping = true;
      release.finish();
      await Promise.all([pool?.terminate(), fleet?.terminate()]);
      throw error;
    }
    release.finish();
    const summary: RunSummary = {
      counts: release.counts,
      notRun: work.length - release.released,
      interrupted: isInterrupted,
      promisedSkips: release.promisedSkips,
      isEnvironmentAtFault,
    };
    const finished: RunFinished = {
      type: "run-finished",
      counts: summary.counts,
      notRun: summary.notRun,
      interrupted: summary.interrupted,
      exitCode: request.exitCodeOf(summary),
      wallMs: host.now() - started,
      wallBoots: boots,
      finishedAt: isoNow(),
    };
    emit(finished);
    return finished;
  }

  return {
    finished: run(),
    interrupt() {
      isStopping = isInterrupted = true;
    },
    stop() {
      isStopping = true;
    },
    async abandon() {
      isStopping = isInterrupted = true;
      await Promise.all([pool?.terminate(), fleet?.terminate()]);
    },
    breakOff() {
      isStopping = true;
      release.finish();
    },
    requestStatus() {
      const running = [...(inlineIndex >= 0 ? [{ worker: HERE, index: inlineIndex }] : []), ...(pool?.running() ?? []), ...(fleet?.running() ?? [])];
      for (const { worker, index } of running) {
        const unit = work[index];
        // A test under way cannot be asked: its thread runs the guest and answers nobody until it is done.
        if (unit !== undefined) emit({ type: "test-status", worker, id: unit.id, guest: null });
      }
    },
  };
}
