// `guestspec run`: selects, plans, runs, reports. On a terminal the same process may run again: what failed, or what another filter
// selects. ^C ends after the tests that run now, a second one at once; both still write every report. A third one just exits. What else can
// go wrong around a run, and what is left then, is told in docs/events.md.

import { isGood, type CoverageMeasured, type RunEvent, type RunFinished, type TestFinished } from "../../runtime/events.ts";
import type { EngineOptions } from "../../runtime/engines/embedded.ts";
import type { Spares } from "../../runtime/engines/qemu/spares.ts";
import { engineHost } from "../../runtime/engines/host.ts";
import type { Comparison } from "../../runtime/reporters/compare.ts";
import type { compileFilter as compileFilterType } from "../../runtime/runner/filter-match.ts";
import type { parseFilter as parseFilterType } from "../../runtime/runner/filter.ts";
import { makePlan, type PlannedCase } from "../../runtime/runner/plan.ts";
import { startRun, type OutsideRequest, type RunHandle, type RunSummary } from "../../runtime/runner/runner.ts";
import { isCommandError, usageError, type CommandError } from "../errors.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Coverage } from "../coverage.ts";
import type { Io } from "../io.ts";
import { leaveWord } from "../last-words.ts";
import type { KnownRequest, KnownResults } from "../known-results.ts";
import { projectHas, type LoadedImage } from "../load-specs.ts";
import type { RunTarget } from "../load-targets.ts";
import { duration, wholeNumber, type ParsedOptions } from "../options.ts";
import { openReporters } from "../reporters.ts";
import { appendHistory } from "../run-history.ts";
import { checkRequired, readEngineOptions, readJobs, readRepeatOptions } from "../run-options.ts";
import { applyFilter, selectTests, type Selection, type SelectionObserver } from "../select-tests.ts";
import type { UnbegunRun } from "../unbegun-run.ts";
import { toolVersion } from "../version.ts";

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

/** What tests that run when the run's time is over may still take. */
const RUN_TIMEOUT_GRACE_MS = 2000;

/** What runs next in this process. */
interface Round {
  readonly cases: readonly PlannedCase[];
  readonly engine: EngineOptions;
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

async function runSelected(options: ParsedOptions, io: Io, context: RunContext, ahead: StartedAhead): Promise<ExitCode> {
  const { observe, onImages } = context;
  await checkRequired(options);
  const engine = readEngineOptions(options);
  const jobs = readJobs(options);
  const failFast = wholeNumber(options, "fail-fast", 1);
  const repeat = readRepeatOptions(options);
  async function tellUnbegun(error: CommandError | null, unbegun: UnbegunRun): Promise<void> {
    if (options.values("reporter").length === 0 && io.env.GITHUB_ACTIONS !== "true") return;
    await (await import("../unbegun-run.ts")).reportUnbegun(error, unbegun, options, io);
  }
  /** Reports tell also why there is nothing to report. */
  async function whetherItBegins<Result>(prepare: () => Promise<Result>): Promise<Result> {
    try {
      return await prepare();
    } catch (error) {
      if (isCommandError(error)) await tellUnbegun(error, { seed: engine.seed, exitCode: error.exitCode, deselected: 0 });
      throw error;
    }
  }
  const observer: SelectionObserver = {
    ...(onImages === undefined ? {} : { onImages }),
    onTargets: (wanted) => startAhead(options, wanted, ahead),
  };
  const { targets, images, universe, selected, narrowed } = await whetherItBegins(async () => selectTouched(await selectTests(options, io, observer), context));
  const judgement: Omit<Judgement, "brokenPromises"> = { flakyFails: repeat.flakyFails, outstanding: narrowed.outstanding.length };
  if (narrowed.whyNothing !== null) {
    io.err(`${narrowed.whyNothing}\n`);
    tellOutstanding(narrowed.outstanding, io);
    const exitCode = narrowed.outstanding.length > 0 ? EXIT.outstanding : EXIT.ok;
    const shard = narrowed.shard === null ? {} : { shard: narrowed.shard };
    await tellUnbegun(null, { seed: engine.seed, exitCode, deselected: universe.length, ...shard });
    return exitCode;
  }
  const [outside, known] = await whetherItBegins(async (): Promise<[OutsideRequest, KnownResults | null]> => [
    await outsideRequest(options, targets, io, ahead),
    await knownResults({ options, io, images, universe, selected, engine }),
  ]);
  const times = options.has("longest-first") || options.has("times") ? (await import("../expected-times.ts")).openTimes(options, io) : null;

  let handle: RunHandle | null = null;
  let interruptions = 0;
  let failed = new Set<string>();
  const results = new Map<string, TestFinished>();

  function interrupt(): void {
    interruptions++;
    if (interruptions > 2) process.exit(EXIT.interrupted);
    if (interruptions === 2) void handle?.abandon();
    else handle?.interrupt();
  }

  const actions = {
    interrupt,
    rerunFailed(): void {
      // Taken when the run ends: until then more may fail.
      rerunWanted = true;
    },
    setFilter(text: string): string | null {
      pendingFilter = text;
      const problem = checkFilter(text);
      if (problem !== null) return problem;
      handle?.stop();
      return null;
    },
    requestStatus: () => handle?.requestStatus(),
  };
  let rerunWanted = false;
  let pendingFilter: string | null = null;
  /** Filters are compiled before they are needed, so that a bad one is refused while it is still on screen. */
  const { parseFilter, compileFilter } = reportersWantFilters(options, io) ? await loadFilterLanguage() : NO_FILTERS;
  function checkFilter(text: string): string | null {
    if (text.trim() === "") return null;
    const parsed = parseFilter(text);
    const filter = parsed.ok ? compileFilter(parsed.expr, universe) : parsed;
    if (!filter.ok) {
      pendingFilter = null;
      return filter.message;
    }
    if (selected.some((subject) => filter.matches(subject))) return null;
    pendingFilter = null;
    return "the filter selects no test";
  }

  const logs = options.values("with-ktap");
  const foreign = logs.length === 0 ? null : await (await import("../with-ktap.ts")).readForeignResults(logs, options.has("lenient"));
  const coverage = options.has("coverage") ? await openRunCoverage(options, images) : null;
  const reporters = await openReporters(options, io, actions);
  const comparison = options.has("compare") ? (await import("../../runtime/reporters/compare.ts")).createComparison() : null;
  // They stay to the end: a second ^C while reports are written must not end the process by the signal, without our status.
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  // The terminal was closed. Elsewhere it may be ignored on purpose (nohup), which a handler would undo.
  if (io.stdoutIsTty) process.on("SIGHUP", interrupt);

  const runTimeout = duration(options, "run-timeout");
  const clock = runTimeout === null ? null : setTimeout(() => endOfTime(), runTimeout / 1e6);
  /** As two ^C with time for what runs now in between. */
  function endOfTime(): void {
    io.err(`the run's time limit of ${options.value("run-timeout")} is reached\n`);
    interrupt();
    setTimeout(interrupt, RUN_TIMEOUT_GRACE_MS).unref();
  }

  let measured: CoverageMeasured | null = null;
  /** Events of a round that nobody wants to read about unless it fails. */
  let held: RunEvent[] | null = null;

  /** Of the round that runs, for whoever wants to look at it later. */
  const recordWhen = options.value("record") ?? "failed";
  let recorded: RunEvent[] = [];

  function emit(event: RunEvent): void {
    if (event.type === "run-finished" && coverage !== null) tell((measured = coverage.total()));
    if (event.type === "run-started") recorded = [];
    if (recordWhen !== "never" && event.type !== "test-running" && event.type !== "test-status") recorded.push(event);
    observe?.(event);
    if (event.type === "test-finished") {
      results.set(event.id, event);
      if (!isGood(event.verdict)) failed.add(event.id);
      comparison?.add(event);
    }
    if (foreign === null) tell(event);
    else for (const each of foreign.join(event)) tell(each);
    if (event.type === "test-finished" && coverage !== null) tell(coverage.takeTest(event.id));
  }

  function tell(event: RunEvent): void {
    if (held !== null) held.push(event);
    else reporters.handle(event);
  }

  function tellHeld(): void {
    const events = held ?? [];
    held = null;
    for (const event of events) reporters.handle(event);
  }

  let finished: RunFinished | null = null;
  let isRemembered = true;
  const unsay = leaveWord(async () => {
    handle?.breakOff();
    tellHeld();
    await reporters.finish();
  });
  try {
    let round: Round | null = { cases: selected, engine };
    for (let number = 1; round !== null; number++) {
      const { cases, engine: current }: Round = round;
      rerunWanted = false;
      pendingFilter = null;
      failed = new Set();
      held = repeat.rounds > 1 && !reporters.isLive ? [] : null;
      handle = startRun(
        {
          images,
          outside,
          plan: makePlan(images, cases, options.has("shuffle") ? current.seed : null, {
            ...(known === null ? {} : { isSettled: (id: string) => known.settled.has(id) }),
            ...(narrowed.rank === null ? {} : { rank: narrowed.rank }),
          }),
          deselected: universe.length - cases.length,
          // Coverage counts instructions, which the interpreter does, in the thread that reads the counts.
          engine: coverage === null ? current : { ...current, executor: "interpreter" },
          host: coverage === null ? engineHost : { ...engineHost, interpreter: coverage.factory },
          jobs: coverage === null ? jobs : 1,
          failFast,
          attempts: repeat,
          ...(known === null ? {} : { settled: known.settled, adjust: known.adjust }),
          ...(times === null ? {} : { expectedMs: times.expectedMs }),
          ...(narrowed.shard === null ? {} : { shard: narrowed.shard }),
          tool: `guestspec ${toolVersion()}`,
          isLive: reporters.isLive,
          exitCodeOf: (summary) => exitCodeOf(summary, { ...judgement, brokenPromises: known?.brokenPromises(results).length ?? 0 }),
        },
        emit,
      );
      finished = await handle.finished;
      finished = foreign?.finish(finished) ?? finished;
      const isLast = interruptions > 0 || number >= repeat.rounds || finished.exitCode === EXIT.testsFailed || finished.exitCode === EXIT.environment;
      if (held !== null && !isLast) io.err(`round ${number}, seed ${current.seed}: ${finished.counts.pass} passed\n`);
      if (isLast) tellHeld();
      if (interruptions > 0) break;
      round = isLast ? await nextRound(current) : { cases, engine: readEngineOptions(options, BigInt.asUintN(64, current.seed + 1n)) };
    }
  } finally {
    if (clock !== null) clearTimeout(clock);
    tellHeld();
    await reporters.finish();
    unsay();
    if (context.isFollowed === true) for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.off(name, interrupt);
    if (comparison !== null) writeComparison(comparison, reporters.isForPeople, io);
    rememberRun();
  }
  if (finished === null) throw new Error("nothing has run");
  tellOutstanding(narrowed.outstanding, io);
  for (const line of known?.brokenPromises(results) ?? []) io.err(`${line}\n`);
  const review = known?.review(results) ?? null;
  for (const line of review?.lines ?? []) io.err(`${line}\n`);
  const { exitCode: told } = finished;
  const exitCode = finished.interrupted ? EXIT.interrupted : (reporters.fault ?? Object.values(EXIT).find((code) => code === told) ?? EXIT.internal);
  if (recordWhen === "always" || (recordWhen === "failed" && RECORDED.has(exitCode))) await keepRun(exitCode);
  if (exitCode === EXIT.ok && review?.isBad === true) return EXIT.testsFailed;
  if (exitCode === EXIT.ok && comparison !== null && comparison.differences() > 0) return EXIT.testsFailed;
  if (measured !== null && (await isBelow(options, measured, io)) && exitCode === EXIT.ok) return EXIT.testsFailed;
  return exitCode;

  async function keepRun(code: ExitCode): Promise<void> {
    const { writeRecord } = await import("../run-record.ts");
    try {
      const folder = await writeRecord({ options, events: recorded, images, targets, exitCode: code }, io);
      if (recordWhen === "always") io.err(`recorded in ${folder}\n`);
    } catch (error) {
      // What nobody has asked for must not change how the run ends.
      if (recordWhen === "always" || !isCommandError(error)) throw error;
      // It goes to the same place as the history, which has warned.
      if (isRemembered) io.err(`note: ${error.message}\n`);
    }
  }

  function rememberRun(): void {
    const notRun = selected.filter(({ id }) => !results.has(id)).map(({ id }) => id);
    const ran = [...results.values()].filter(({ cached }) => cached !== true);
    isRemembered = appendHistory(ran, notRun, io);
    times?.write(ran);
  }

  /** What somebody at the terminal has asked for meanwhile. */
  async function nextRound(current: EngineOptions): Promise<Round | null> {
    if (pendingFilter !== null) {
      const text: string = pendingFilter;
      if (text.trim() === "") return { cases: selected, engine: current };
      try {
        return { cases: await applyFilter(text, selected, universe), engine: current };
      } catch (error) {
        if (isCommandError(error)) return null;
        throw error;
      }
    }
    if (!rerunWanted || failed.size === 0) return null;
    const again = failed;
    return { cases: selected.filter(({ id }) => again.has(id)), engine: current };
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

interface FilterLanguage {
  readonly parseFilter: typeof parseFilterType;
  readonly compileFilter: typeof compileFilterType;
}

const NO_FILTERS: FilterLanguage = {
  parseFilter: () => ({ ok: false, message: "this run takes no filter", column: 1, length: 1, help: null }),
  compileFilter: () => ({ ok: false, message: "this run takes no filter", column: 1, length: 1, help: null }),
};

async function loadFilterLanguage(): Promise<FilterLanguage> {
  const { parseFilter } = await import("../../runtime/runner/filter.ts");
  const { compileFilter } = await import("../../runtime/runner/filter-match.ts");
  return { parseFilter, compileFilter };
}

/** Only the live view has a prompt. */
function reportersWantFilters(options: ParsedOptions, io: Io): boolean {
  const given = options.values("reporter");
  return given.length === 0 ? io.stdoutIsTty && !io.isCi : given.some((name) => name === "tui");
}
