// `guestspec run`: selects, plans, runs, reports, and judges. What may happen meanwhile has files of its own: interruptions.ts, further rounds
// on a terminal in run-rounds.ts, the way of events to the reports in run-events.ts. What else can go wrong around a run, and what is left
// then, is told in docs/events.md.

import { isGood, type CoverageMeasured, type RunEvent, type RunFinished, type TestFinished } from "../../runtime/events.ts";
import type { EngineOptions } from "../../runtime/engines/embedded.ts";
import type { Spares } from "../../runtime/engines/qemu/spares.ts";
import { engineHost } from "../../runtime/engines/host.ts";
import type { Comparison } from "../../runtime/reporters/compare.ts";
import { makePlan } from "../../runtime/runner/plan.ts";
import { startRun, type OutsideRequest, type RunRequest, type RunSummary } from "../../runtime/runner/runner.ts";
import { isCommandError, usageError, type CommandError } from "../errors.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Coverage } from "../coverage.ts";
import type { ExpectedTimes } from "../expected-times.ts";
import { createInterruptions } from "../interruptions.ts";
import type { Io } from "../io.ts";
import { leaveWord } from "../last-words.ts";
import type { KnownRequest, KnownResults } from "../known-results.ts";
import { projectHas, type LoadedImage } from "../load-specs.ts";
import type { RunTarget } from "../load-targets.ts";
import { wholeNumber, type ParsedOptions } from "../options.ts";
import { openReporters, type Reporters } from "../reporters.ts";
import { createRunEvents } from "../run-events.ts";
import { appendHistory } from "../run-history.ts";
import { checkRequired, DEFAULT_SEED, readEngineOptions, readJobs, readRepeatOptions, type RepeatOptions } from "../run-options.ts";
import type { RunToRecord } from "../run-record.ts";
import { createRounds, type Round } from "../run-rounds.ts";
import { selectTests, type Selection, type SelectionObserver } from "../select-tests.ts";
import type { UnbegunRun } from "../unbegun-run.ts";
import { toolVersion } from "../version.ts";
import type { ForeignResults } from "../with-ktap.ts";

/** Runs that somebody may want to look at again. */
const RECORDED: ReadonlySet<ExitCode> = new Set([EXIT.testsFailed, EXIT.flaky, EXIT.environment]);

/** What decides over the exit code beside the run itself. */
export interface Judgement {
  readonly flakyFails: boolean;
  /** Of `--must-run`. */
  readonly brokenPromises: number;
  /** `--last-failed`: earlier failures that are not part of this run. */
  readonly outstanding: number;
}

export function exitCodeOf(
  { counts, interrupted, promisedSkips, isEnvironmentAtFault }: RunSummary,
  { flakyFails, brokenPromises, outstanding }: Judgement,
): ExitCode {
  if (interrupted) return EXIT.interrupted;
  if (isEnvironmentAtFault) return EXIT.environment;
  if (Object.entries(counts).some(([verdict, count]) => count > 0 && !isGood(verdict as keyof typeof counts))) return EXIT.testsFailed;
  if (promisedSkips > 0 || brokenPromises > 0) return EXIT.promisedSkipped;
  if (flakyFails && counts.flaky > 0) return EXIT.flaky;
  return outstanding > 0 ? EXIT.outstanding : EXIT.ok;
}

/** Machines that were started before their turn; null: nobody has asked for any. */
export interface StartedAhead {
  spares: Spares | null;
}

export interface RunContext {
  /** Sees every event that reporters see. */
  readonly observe?: (event: RunEvent) => void;
  /** The images of the files, before tests are selected from them. */
  readonly onImages?: (images: readonly LoadedImage[]) => void;
  /** Only tests that are made of one of these files; absolute paths. */
  readonly touchedBy?: ReadonlySet<string>;
  /** Only tests with these ids. */
  readonly only?: ReadonlySet<string>;
  /** The process goes on after the run: signals are its own again. */
  readonly isFollowed?: boolean;
  /** Of a process that goes on: machines for its next run. */
  readonly ahead?: StartedAhead;
}

/** What a change has left of a selection. */
async function selectTouched(selection: Selection, { touchedBy, only }: RunContext): Promise<Selection> {
  if (only === undefined && touchedBy === undefined) return selection;
  const touched = touchedBy === undefined ? null : (await import("../changed-files.ts")).imagesMadeOf(touchedBy, selection.images);
  const selected = selection.selected.filter(({ id, image }) => only?.has(id) ?? touched?.has(image));
  const whyNothing = selected.length > 0 ? null : only === undefined ? "no selected test is made of it" : "the tests that failed are no more";
  return { ...selection, selected, narrowed: { ...selection.narrowed, whyNothing: selection.narrowed.whyNothing ?? whyNothing } };
}

export async function run(options: ParsedOptions, io: Io, context: RunContext = {}): Promise<ExitCode> {
  if (options.has("watch") && context.isFollowed !== true) return (await import("../watch.ts")).watch(options, io);
  const ahead = context.ahead ?? { spares: null };
  try {
    return await runSelected(options, io, context, ahead);
  } finally {
    if (context.ahead === undefined) ahead.spares?.close();
  }
}

/** Reports tell also why there is nothing to report. */
async function tellUnbegun(error: CommandError | null, unbegun: UnbegunRun, options: ParsedOptions, io: Io): Promise<void> {
  if (options.values("reporter").length === 0 && io.env.GITHUB_ACTIONS !== "true") return;
  await (await import("../unbegun-run.ts")).reportUnbegun(error, unbegun, options, io);
}

export function tellMistake(mistake: CommandError, options: ParsedOptions, io: Io): Promise<void> {
  return tellUnbegun(mistake, { seed: DEFAULT_SEED, exitCode: mistake.exitCode, deselected: 0 }, options, io);
}

/** No test is left to run, which is no mistake. */
async function tellNothing(whyNothing: string, { universe, narrowed }: Selection, seed: bigint, options: ParsedOptions, io: Io): Promise<ExitCode> {
  io.err(`${whyNothing}\n`);
  tellOutstanding(narrowed.outstanding, io);
  const exitCode = narrowed.outstanding.length > 0 ? EXIT.outstanding : EXIT.ok;
  const shard = narrowed.shard === null ? {} : { shard: narrowed.shard };
  await tellUnbegun(null, { seed, exitCode, deselected: universe.length, ...shard }, options, io);
  return exitCode;
}

interface RunSettings {
  readonly engine: EngineOptions;
  readonly jobs: number;
  readonly failFast: number | null;
  readonly repeat: RepeatOptions;
}

/** All that is known before the first test runs. */
interface PreparedRun {
  readonly settings: RunSettings;
  readonly selection: Selection;
  readonly outside: OutsideRequest;
  readonly known: KnownResults | null;
  readonly foreign: ForeignResults | null;
  readonly coverage: Coverage | null;
  readonly times: ExpectedTimes | null;
}

async function readSettings(options: ParsedOptions): Promise<RunSettings> {
  await checkRequired(options);
  const engine = readEngineOptions(options);
  return { engine, jobs: readJobs(options), failFast: wholeNumber(options, "fail-fast", 1), repeat: readRepeatOptions(options) };
}

async function runSelected(options: ParsedOptions, io: Io, context: RunContext, ahead: StartedAhead): Promise<ExitCode> {
  async function whetherItBegins<Result>(seed: bigint, prepare: () => Promise<Result>): Promise<Result> {
    try {
      return await prepare();
    } catch (error) {
      if (isCommandError(error)) await tellUnbegun(error, { seed, exitCode: error.exitCode, deselected: 0 }, options, io);
      throw error;
    }
  }
  // The seed may be what is wrong.
  const settings = await whetherItBegins(DEFAULT_SEED, () => readSettings(options));
  const { engine } = settings;
  const observer: SelectionObserver = {
    ...(context.onImages === undefined ? {} : { onImages: context.onImages }),
    onTargets: (wanted) => startAhead(options, wanted, ahead),
  };
  const selection = await whetherItBegins(engine.seed, async () => selectTouched(await selectTests(options, io, observer), context));
  const { targets, images, universe, selected, narrowed } = selection;
  if (narrowed.whyNothing !== null) return tellNothing(narrowed.whyNothing, selection, engine.seed, options, io);
  const logs = options.values("with-ktap");
  const prepared = await whetherItBegins(engine.seed, async () => ({
    settings,
    selection,
    outside: await outsideRequest(options, targets, io, ahead),
    known: await knownResults({ options, io, images, universe, selected, engine }),
    foreign: logs.length === 0 ? null : await (await import("../with-ktap.ts")).readForeignResults(logs, options.has("lenient")),
    coverage: options.has("coverage") ? await openRunCoverage(options, images) : null,
  }));
  const times = options.has("longest-first") || options.has("times") ? (await import("../expected-times.ts")).openTimes(options, io) : null;
  return runRounds({ ...prepared, times }, options, io, context);
}

/** One round, or as many as are asked for; then what is to be told and kept of them. */
async function runRounds(prepared: PreparedRun, options: ParsedOptions, io: Io, context: RunContext): Promise<ExitCode> {
  const { settings, selection, known, foreign, coverage, times } = prepared;
  const { selected, narrowed } = selection;
  const { repeat } = settings;
  const interruptions = createInterruptions(options, io);
  const rounds = await createRounds(selection, interruptions, reportersWantFilters(options, io));
  const reporters = await openReporters(options, io, rounds.actions);
  const comparison = options.has("compare") ? (await import("../../runtime/reporters/compare.ts")).createComparison() : null;
  const recordWhen = options.value("record") ?? "failed";
  const events = createRunEvents({ reporters, coverage, foreign, comparison, observe: context.observe ?? null, isRecorded: recordWhen !== "never" });
  const { results } = events;
  const requestOf = createRequests(prepared, reporters, results);
  interruptions.listen();

  let finished: RunFinished | null = null;
  let isRemembered = true;
  const unsay = leaveWord(async () => {
    interruptions.current?.breakOff();
    events.tellHeld();
    await reporters.finish();
  });
  try {
    let round: Round | null = { cases: selected, engine: settings.engine };
    for (let number = 1; round !== null; number++) {
      const { cases, engine }: Round = round;
      rounds.begin();
      const isHeld = repeat.rounds > 1 && !reporters.isLive;
      events.beginRound(isHeld);
      const handle = startRun(requestOf(round, options), events.emit);
      interruptions.current = handle;
      finished = await handle.finished;
      finished = foreign?.finish(finished) ?? finished;
      const isLast = interruptions.happened || number >= repeat.rounds || finished.exitCode === EXIT.testsFailed || finished.exitCode === EXIT.environment;
      if (isHeld && !isLast) io.err(`round ${number}, seed ${engine.seed}: ${finished.counts.pass} passed\n`);
      if (isLast) events.tellHeld();
      if (interruptions.happened) break;
      round = isLast ? await rounds.next(engine, events.failed) : { cases, engine: readEngineOptions(options, BigInt.asUintN(64, engine.seed + 1n)) };
    }
  } finally {
    interruptions.stopClock();
    events.tellHeld();
    await reporters.finish();
    unsay();
    if (context.isFollowed === true) interruptions.stopListening();
    if (comparison !== null) writeComparison(comparison, reporters.isForPeople, io);
    const ran = [...results.values()].filter(({ cached }) => cached !== true);
    const notRun = selected.filter(({ id }) => !results.has(id)).map(({ id }) => id);
    isRemembered = appendHistory(ran, notRun, io);
    times?.write(ran);
  }
  if (finished === null) throw new Error("nothing has run");
  tellOutstanding(narrowed.outstanding, io);
  for (const line of known?.brokenPromises(results) ?? []) io.err(`${line}\n`);
  const review = known?.review(results) ?? null;
  for (const line of review?.lines ?? []) io.err(`${line}\n`);
  const { exitCode: told } = finished;
  const exitCode = finished.interrupted ? EXIT.interrupted : (reporters.fault ?? Object.values(EXIT).find((code) => code === told) ?? EXIT.internal);
  if (recordWhen === "always" || (recordWhen === "failed" && RECORDED.has(exitCode))) {
    const { images, targets } = selection;
    await keepRun({ options, events: events.recorded, images, targets, exitCode }, recordWhen === "always", isRemembered, io);
  }
  const isBadWithoutTests = review?.isBad === true || (comparison !== null && comparison.differences() > 0);
  const isCoveredTooLittle = events.measured !== null && (await isBelow(options, events.measured, io));
  return exitCode === EXIT.ok && (isBadWithoutTests || isCoveredTooLittle) ? EXIT.testsFailed : exitCode;
}

/** What the runner is asked for in a round. */
function createRequests(
  { settings, selection, outside, known, coverage, times }: PreparedRun,
  { isLive }: Reporters,
  results: ReadonlyMap<string, TestFinished>,
): (round: Round, options: ParsedOptions) => RunRequest {
  const { repeat, failFast } = settings;
  const { images, universe, narrowed } = selection;
  const judgement: Omit<Judgement, "brokenPromises"> = { flakyFails: repeat.flakyFails, outstanding: narrowed.outstanding.length };
  return ({ cases, engine }, options) => ({
    images,
    outside,
    plan: makePlan(images, cases, options.has("shuffle") ? engine.seed : null, {
      ...(known === null ? {} : { isSettled: (id: string) => known.settled.has(id) }),
      ...(narrowed.rank === null ? {} : { rank: narrowed.rank }),
    }),
    deselected: universe.length - cases.length,
    // Coverage counts instructions, which the interpreter does, in the thread that reads the counts.
    engine: coverage === null ? engine : { ...engine, executor: "interpreter" },
    host: coverage === null ? engineHost : { ...engineHost, interpreter: coverage.factory },
    jobs: coverage === null ? settings.jobs : 1,
    failFast,
    attempts: repeat,
    ...(known === null ? {} : { settled: known.settled, adjust: known.adjust }),
    ...(times === null ? {} : { expectedMs: times.expectedMs }),
    ...(narrowed.shard === null ? {} : { shard: narrowed.shard }),
    tool: `guestspec ${toolVersion()}`,
    isLive,
    exitCodeOf: (summary) => exitCodeOf(summary, { ...judgement, brokenPromises: known?.brokenPromises(results).length ?? 0 }),
  });
}

/** `isWanted`: somebody has asked for it. `isRemembered`: the history could be written. */
async function keepRun(run: RunToRecord, isWanted: boolean, isRemembered: boolean, io: Io): Promise<void> {
  const { writeRecord } = await import("../run-record.ts");
  try {
    const folder = await writeRecord(run, io);
    if (isWanted) io.err(`recorded in ${folder}\n`);
  } catch (error) {
    // What nobody has asked for must not change how the run ends.
    if (isWanted || !isCommandError(error)) throw error;
    // It goes to the same place as the history, which has warned.
    if (isRemembered) io.err(`note: ${error.message}\n`);
  }
}

/** Behind every report: it is about tests that none of them has. */
function tellOutstanding(outstanding: readonly string[], io: Io): void {
  const [first, ...others] = outstanding;
  if (first === undefined) return;
  const what = others.length === 0 ? `${first} has` : `${first} and ${others.length} more have`;
  io.err(`${what} still to run again: guestspec run --last-failed\n`);
}

async function openRunCoverage(options: ParsedOptions, images: readonly LoadedImage[]): Promise<Coverage> {
  if (options.has("reuse")) throw usageError("`--coverage` counts in tests that run, and `--reuse` leaves tests out", "give one of them");
  if (options.value("executor") === "wasm") throw usageError("`--coverage` is counted by the interpreter", "leave out `--executor wasm`");
  const { openCoverage, readCoverageLimits } = await import("../coverage.ts");
  readCoverageLimits(options);
  return openCoverage(images);
}

async function isBelow(options: ParsedOptions, measured: CoverageMeasured, io: Io): Promise<boolean> {
  const { describeShortfall } = await import("../coverage.ts");
  const lines = describeShortfall(options, measured);
  for (const line of lines) io.err(`${line}\n`);
  return lines.length > 0;
}

/** Null: nothing is known of any result, as for most runs. */
async function knownResults(request: KnownRequest): Promise<KnownResults | null> {
  const { options } = request;
  const isWanted = ["quarantine", "quarantine-verify", "must-run", "reuse"].some((name) => options.has(name)) || projectHas("quarantine");
  return isWanted ? (await import("../known-results.ts")).prepareResults(request) : null;
}

/** QEMU starts beside this process, which reads or compiles the specs meanwhile. */
async function startAhead(options: ParsedOptions, targets: readonly RunTarget[], ahead: StartedAhead): Promise<void> {
  if (!targets.some(({ engine }) => engine === "qemu")) return;
  const { prepareSpare } = await import("../qemu-run.ts");
  ahead.spares = await prepareSpare(options, targets, ahead.spares);
}

/** Only what the run needs is loaded. */
async function outsideRequest(options: ParsedOptions, targets: readonly RunTarget[], io: Io, { spares }: StartedAhead): Promise<OutsideRequest> {
  if (options.has("append") && !targets.some(({ engine }) => engine === "qemu"))
    throw usageError("`--append` is for guests in QEMU, and none is", "the embedded machine has no command line");
  const request: { -readonly [Engine in keyof OutsideRequest]: OutsideRequest[Engine] } = {};
  if (targets.some(({ engine }) => engine === "qemu")) {
    const { bootFileMaker, readQemuOptions } = await import("../qemu-run.ts");
    const qemu = readQemuOptions(options, targets);
    request.qemu = { qemu: spares === null ? qemu : { ...qemu, spares }, bootFile: bootFileMaker(options, targets, io) };
  }
  if (targets.some(({ command }) => command !== undefined)) request.command = (await import("../command-run.ts")).commandRequest(targets);
  return request;
}

/** Behind a report that people read, and beside one that programs read. */
function writeComparison(comparison: Comparison, isForPeople: boolean, io: Io): void {
  const lines = comparison.format({ color: isForPeople ? io.outColor : io.errColor, columns: io.columns() });
  const text = `\n${lines.join("\n")}\n`;
  if (isForPeople) io.out(text);
  else io.err(text);
}

/** Only the live view has a prompt. */
function reportersWantFilters(options: ParsedOptions, io: Io): boolean {
  const given = options.values("reporter");
  return given.length === 0 ? io.stdoutIsTty && !io.isCi : given.some((name) => name === "tui");
}
