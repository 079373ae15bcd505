// `guestspec run`: selects, plans, runs, reports. On a terminal the same process may run again: what failed, or what another filter
// selects. ^C ends after the tests that run now, a second one at once; both still write every report. A third one just exits.

import { isGood, type RunEvent, type RunFinished, type TestFinished } from "../../runtime/events.ts";
import { engineHost } from "../../runtime/engines/host.ts";
import type { Comparison } from "../../runtime/reporters/compare.ts";
import type { compileFilter as compileFilterType } from "../../runtime/runner/filter-match.ts";
import type { parseFilter as parseFilterType } from "../../runtime/runner/filter.ts";
import { makePlan, type PlannedCase } from "../../runtime/runner/plan.ts";
import { startRun, type OutsideRequest, type RunHandle, type RunSummary } from "../../runtime/runner/runner.ts";
import { isCommandError } from "../errors.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import type { RunTarget } from "../load-targets.ts";
import { wholeNumber, type ParsedOptions } from "../options.ts";
import { openReporters } from "../reporters.ts";
import { appendHistory } from "../run-history.ts";
import { readEngineOptions, readJobs } from "../run-options.ts";
import { applyFilter, selectTests } from "../select-tests.ts";
import { toolVersion } from "../version.ts";

export function exitCodeOf({ counts, interrupted, promisedSkips, isEnvironmentAtFault }: RunSummary): ExitCode {
  if (interrupted) return EXIT.interrupted;
  if (isEnvironmentAtFault) return EXIT.environment;
  if (Object.entries(counts).some(([verdict, count]) => count > 0 && !isGood(verdict as keyof typeof counts))) return EXIT.testsFailed;
  return promisedSkips > 0 ? EXIT.promisedSkipped : EXIT.ok;
}

export async function run(options: ParsedOptions, io: Io): Promise<ExitCode> {
  const engine = readEngineOptions(options);
  const jobs = readJobs(options);
  const failFast = wholeNumber(options, "fail-fast", 1);
  const { targets, images, universe, selected } = await selectTests(options, io);
  const outside = await outsideRequest(options, targets);

  let handle: RunHandle | null = null;
  let interruptions = 0;
  /** What runs next in this process, if anything. */
  let following: readonly PlannedCase[] | null = null;
  let failed = new Set<string>();
  const results: Pick<TestFinished, "id" | "verdict" | "wallMs">[] = [];

  function interrupt(): void {
    interruptions++;
    following = null;
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

  const reporters = await openReporters(options, io, actions);
  const comparison = options.has("compare") ? (await import("../../runtime/reporters/compare.ts")).createComparison() : null;
  // They stay to the end: a second ^C while reports are written must not end the process by the signal, without our status.
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);

  function emit(event: RunEvent): void {
    if (event.type === "test-finished") {
      results.push({ id: event.id, verdict: event.verdict, wallMs: event.wallMs });
      if (!isGood(event.verdict)) failed.add(event.id);
      comparison?.add(event);
    }
    for (const reporter of reporters.all) reporter.handle(event);
  }

  let finished: RunFinished | null = null;
  try {
    for (let cases: readonly PlannedCase[] | null = selected; cases !== null; cases = following) {
      following = null;
      rerunWanted = false;
      pendingFilter = null;
      failed = new Set();
      handle = startRun(
        {
          images,
          outside,
          plan: makePlan(images, cases, options.has("shuffle") ? engine.seed : null),
          deselected: universe.length - cases.length,
          engine,
          host: engineHost,
          jobs,
          failFast,
          tool: `guestspec ${toolVersion()}`,
          isLive: reporters.isLive,
          exitCodeOf,
        },
        emit,
      );
      finished = await handle.finished;
      if (interruptions > 0) break;
      following = await nextCases();
    }
  } finally {
    await reporters.finish();
    if (comparison !== null) writeComparison(comparison, reporters.isForPeople, io);
    appendHistory(results, io);
  }
  if (finished === null) throw new Error("nothing has run");
  const { exitCode } = finished;
  if (exitCode === EXIT.ok && comparison !== null && comparison.differences() > 0) return EXIT.testsFailed;
  return Object.values(EXIT).find((code) => code === exitCode) ?? EXIT.internal;

  async function nextCases(): Promise<readonly PlannedCase[] | null> {
    if (pendingFilter !== null) {
      const text: string = pendingFilter;
      if (text.trim() === "") return selected;
      try {
        return await applyFilter(text, selected, universe);
      } catch (error) {
        if (isCommandError(error)) return null;
        throw error;
      }
    }
    if (!rerunWanted || failed.size === 0) return null;
    const again = failed;
    return selected.filter(({ id }) => again.has(id));
  }
}

/** Only what the run needs is loaded. */
async function outsideRequest(options: ParsedOptions, targets: readonly RunTarget[]): Promise<OutsideRequest> {
  const request: { -readonly [Engine in keyof OutsideRequest]: OutsideRequest[Engine] } = {};
  if (targets.some(({ engine }) => engine === "qemu")) {
    const { makeBootFile, readQemuOptions } = await import("../qemu-run.ts");
    request.qemu = { qemu: readQemuOptions(options, targets), bootFile: makeBootFile };
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
