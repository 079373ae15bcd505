// Runs images by themselves in VMMs that the project describes: each start prints the KTAP of its suite, whose lines are counted against the
// plan. What is missing or garbled costs one test; the others are run by another start, from the next test on.

import type { ManifestCase, ManifestSuite, ManifestTest } from "../../../compiler/images/manifest.ts";
import type { Failure, TestFinished } from "../../events.ts";
import { cutConsole, isPromisedBy, staticSkip, verdictWithExcuse, type BootSpan, type CaseHost, type CaseOptions } from "../case-engine.ts";
import { createSourceLines } from "../code-frame.ts";
import { mapNative } from "../code-map.ts";
import { makeFailure, withRow } from "../failure.ts";
import { limitsOf } from "../limits.ts";
import type { Fleet, FleetUnit } from "../qemu/fleet.ts";
import { isMissingCommand } from "../qemu/guest-process.ts";
import type { ReportContext } from "../report-context.ts";
import { emptyResult, reproLine } from "../result.ts";
import { engineOf, type EngineImage } from "../session.ts";
import { judge, worst, type CallOutcome } from "../verdict.ts";
import type { CommandConfig } from "./command-config.ts";
import { startCommand, type CommandEnd, type CommandRunning } from "./command-process.ts";
import { expectedResults, selectionWord, type ExpectedResult } from "./expected-results.ts";
import { createKtapReader, type KtapReader, type KtapResult } from "./ktap-reader.ts";
import { readKtapStory } from "./ktap-transcript.ts";

export interface CommandRequest {
  readonly engines: readonly CommandConfig[];
  /** The bytes of a file with the image that an engine boots, its built-in command line set. */
  bootFile(image: EngineImage, engine: CommandConfig, commandLine: string): Promise<Uint8Array>;
}

export interface CommandRunOptions extends CommandRequest {
  readonly images: readonly EngineImage[];
  /** In the order of the plan. */
  readonly units: readonly FleetUnit[];
  readonly cases: CaseOptions;
  readonly host: CaseHost;
  /** Most VMMs at once. */
  readonly jobs: number;
  mayStart(): boolean;
  onRunning(index: number, lane: number): void;
  onResult(index: number, result: TestFinished, lane: number): void;
  /** The image of a VMM has begun to print. */
  onBoot(image: number, span: BootSpan, lane: number): void;
  /** The VMM did not start. */
  onRefusal(): void;
}

/** A case that is wanted, with its place in the plan. */
interface Wanted {
  readonly index: number;
  readonly test: ManifestTest;
  readonly row: ManifestCase;
}

interface Group {
  readonly image: EngineImage;
  readonly suite: ManifestSuite;
  readonly engine: CommandConfig;
  readonly wanted: readonly Wanted[];
}

interface Lane {
  readonly number: number;
  running: CommandRunning | null;
  current: number;
}

/** A result that waits for the lines of what it belongs to: they may say more. */
interface Held {
  readonly wanted: Wanted;
  readonly result: TestFinished;
}

function groupUnits({ units, images, engines }: CommandRunOptions): readonly Group[] {
  return [...Map.groupBy(units, ({ image, suite }) => `${image} ${suite}`).values()].map((group): Group => {
    const [first] = group;
    const image = images[first?.image ?? -1];
    const suite = image?.manifest.suites[first?.suite ?? -1];
    const engine = engines.find(({ name }) => image !== undefined && name === engineOf(image));
    if (image === undefined || suite === undefined || engine === undefined) throw new Error(`the plan names image ${first?.image}, which no engine runs`);
    const wanted = group.flatMap(({ index, test, case: at }): Wanted[] => {
      const own = suite.tests[test];
      const row = own?.cases[at];
      return own === undefined || row === undefined ? [] : [{ index, test: own, row }];
    });
    return { image, suite, engine, wanted };
  });
}

/** Why a case cannot run on such an engine, though it could elsewhere. */
function skipReason(image: EngineImage, { test, row }: Wanted): string | null {
  const reason = staticSkip(image, test, row);
  if (reason !== null || test.attributes.exits === undefined) return reason;
  return `ends its machine on purpose, and engine ${engineOf(image)} cannot tell how`;
}

const SAID_LINES = 6;

/** Last words of the VMM, without what drives terminals. */
function lastWords(running: CommandRunning): readonly string[] {
  const lines = running
    .said()
    // eslint-disable-next-line no-control-regex -- escape sequences are made of them
    .replaceAll(/\x1b(?:[[(][0-9;?]*[ -/]*[@-~]|[=>78])|[^\n\x20-\x7e]/g, "")
    .split("\n")
    .map((line) => line.trimEnd())
    .filter((line) => line !== "");
  return [`command  ${running.command}`, ...lines.slice(-SAID_LINES).map((line) => `it said  ${line}`)];
}

function describeExit(end: CommandEnd): string {
  if (end.kind !== "exited") return "was stopped";
  const { code, signal } = end.exit;
  return signal === null ? `ended with status ${code}` : `was ended by ${signal}`;
}

/** How the case that was awaited ended, when its result is not going to come. */
function lostOutcome(reader: KtapReader, end: CommandEnd, name: string, details: readonly string[]): CallOutcome {
  if (reader.problem !== null) return { kind: "lost", verdict: "crash", message: `the console cannot be believed: ${reader.problem}`, details };
  if (end.kind === "silent") return { kind: "silent", afterMs: end.afterMs, pcs: [], details };
  return { kind: "lost", verdict: "crash", message: `${name} ${describeExit(end)} before the test had its result`, details };
}

export function startCommandRun(options: CommandRunOptions): Fleet {
  const waiting = [...groupUnits(options)];
  const lanes: Lane[] = Array.from({ length: Math.max(1, Math.min(options.jobs, waiting.length)) }, (_, index) => ({
    number: index + 1,
    running: null,
    current: -1,
  }));
  let isEnding = false;

  const mayGoOn = (): boolean => !isEnding && options.mayStart();

  function finish({ image, suite }: Group, { test, row }: Wanted, result: Partial<TestFinished>): TestFinished {
    const base = { ...emptyResult(image, suite, test, row), ...result };
    return {
      ...base,
      wallStartMs: options.host.now() - base.wallMs,
      promised: base.verdict === "skip" && isPromisedBy(image, test, options.cases.required),
      repro: reproLine(base.id, `${image.reproFlags ?? ""}${options.cases.reproFlags}`),
    };
  }

  function report(lane: Lane, result: TestFinished, { index }: Wanted): void {
    if (!isEnding) options.onResult(index, result, lane.number);
  }

  /** `told`: what came between the result before and this one; `line`: null if it never came. */
  function judgeCase(
    group: Group,
    context: ReportContext,
    wanted: Wanted,
    told: Pick<KtapResult, "diagnostics" | "text">,
    line: KtapResult | null,
    outcome: CallOutcome,
  ): Partial<TestFinished> {
    const { test, row } = wanted;
    const { transcript, remarks } = readKtapStory(group.image.manifest, told.diagnostics, line !== null);
    const limits = limitsOf(test, row, options.cases);
    const own = judge(context, outcome, transcript, { ...limits, elapsedNs: limits.timeoutNs, executed: 0 }, true);
    const failures: Failure[] = own.failures.map((failure, index) => {
      // Which of the limits that the image sets by itself, it does not say; those of the test it does not know.
      const told =
        failure.kind === "timeout"
          ? { ...failure, message: failure.message.replace(/^the limit of .* was reached/, "the image's own time limit was reached") }
          : failure;
      return index === 0 ? withRow(context, told, row, test.file, test.line) : told;
    });
    let { verdict } = own;
    let reason: string | null = null;
    let infos = remarks;
    const isXfail = line?.directive?.kind === "XFAIL";
    if (line !== null && verdict === "pass") {
      // The sign of a test that is expected to fail is the other way round.
      if (line.directive?.kind === "SKIP") {
        verdict = "skip";
        reason = line.directive.reason === "" ? (remarks.at(-1) ?? "") : line.directive.reason;
        infos = line.directive.reason === "" ? remarks.slice(0, -1) : remarks;
      } else if (line.isOk === isXfail) {
        verdict = "fail";
        failures.push(
          makeFailure("fail", isXfail ? "the guest says that it failed as expected, without saying how" : "the guest says `not ok` without saying why"),
        );
      }
    }
    const excused = row.xfail === null ? null : verdictWithExcuse(verdict);
    if (excused !== null) [verdict, reason] = [excused, row.xfail];
    const file = group.image.manifest.files[test.file] ?? "?";
    return {
      verdict,
      reason,
      failures,
      infos: infos.map((text) => ({ file, line: test.line, text })),
      console: cutConsole(new TextEncoder().encode(told.text)),
    };
  }

  /** A summary that is not good though all below it are: what runs before or after the cases failed. */
  function withSummary({ wanted, result }: Held, line: KtapResult, expected: ExpectedResult): Held {
    const what = expected.level === 0 ? "set-up or teardown of the suite" : "set-up or teardown of the table";
    const failure = makeFailure("teardown", `${what} failed: the guest says \`not ok\` for \`${expected.name}\``, { details: line.diagnostics });
    return { wanted, result: { ...result, verdict: worst([result.verdict, "fail"]), failures: [...result.failures, failure] } };
  }

  /** One start of the VMM. Gives the cases that it left, less the one that it was lost with. */
  async function runOnce(lane: Lane, group: Group, context: ReportContext, left: readonly Wanted[]): Promise<readonly Wanted[]> {
    const { image, suite, engine } = group;
    const { host } = options;
    const waitingFor = new Map(left.map((wanted) => [wanted.row, wanted]));
    const expected = expectedResults(suite);
    const words = [selectionWord(suite, (_test, row) => waitingFor.has(row)), `seed=${options.cases.seed}`];
    const contents = await options.bootFile(image, engine, words.filter((word) => word !== null).join(" "));
    if (!mayGoOn()) return [];
    const reader = createKtapReader(expected);
    const startMs = host.now();
    let since = startMs;
    let held: Held | null = null;
    /** A bad result at a level explains those above it. */
    let hasBad = false;
    let isGood = true;

    const release = (): void => {
      if (held !== null) report(lane, held.result, held.wanted);
      held = null;
    };
    const announce = (): void => {
      const [next] = expected.slice(reader.next).flatMap((result) => (result.case === null ? [] : (waitingFor.get(result.case.row) ?? [])));
      lane.current = next?.index ?? -1;
      if (lane.current >= 0) options.onRunning(lane.current, lane.number);
    };
    const take = (line: KtapResult): void => {
      const awaited = expected[line.index];
      if (awaited === undefined) return;
      if (awaited.case === null) {
        if (!line.isOk && !hasBad && held !== null) held = withSummary(held, line, awaited);
        if (awaited.level === 0) isGood = line.isOk;
        return;
      }
      const wanted = waitingFor.get(awaited.case.row);
      hasBad ||= !line.isOk;
      if (wanted === undefined) return;
      waitingFor.delete(awaited.case.row);
      release();
      const wallMs = host.now() - since;
      since = host.now();
      held = { wanted, result: finish(group, wanted, { ...judgeCase(group, context, wanted, line, line, { kind: "returned", values: [] }), wallMs }) };
      announce();
    };

    const running = startCommand(engine, image.machine, contents, (bytes) => {
      const wasStarted = reader.isStarted;
      const lines = [...reader.push(bytes)];
      if (reader.isStarted && !wasStarted) options.onBoot(options.images.indexOf(image), { startMs, durationMs: host.now() - startMs }, lane.number);
      for (const line of lines) take(line);
      // A status that means something is waited for.
      if (reader.problem !== null || (reader.isComplete && engine.exit === null)) running.stop();
    });
    lane.running = running;
    announce();
    const end = await running.ended;
    lane.running = null;
    lane.current = -1;
    if (isEnding) return [];
    if (reader.isComplete) {
      held = withStatus(held, end, isGood, group);
      release();
      return [];
    }
    const details = lastWords(running);
    if (!reader.isStarted) {
      release();
      return refuse(lane, group, [...waitingFor.values()], end, details);
    }
    const [lost, ...others] = inOrder(suite, [...waitingFor.values()]);
    // Every case has its result, the suite has none: what is left is its teardown.
    if (lost === undefined) held = withEndLost(held, reader, end, engine.name, details);
    release();
    if (lost === undefined) return [];
    const outcome = lostOutcome(reader, end, engine.name, details);
    report(lane, finish(group, lost, { ...judgeCase(group, context, lost, reader.rest(), null, outcome), wallMs: host.now() - since }), lost);
    return others;
  }

  /** The status of a VMM that passes it on must say what the console said. */
  function withStatus(held: Held | null, end: CommandEnd, isGood: boolean, { engine }: Group): Held | null {
    if (held === null || engine.exit === null) return held;
    const wanted = isGood ? engine.exit.good : engine.exit.failed;
    if (end.kind === "exited" && end.exit.code === wanted) return held;
    const how = end.kind === "silent" ? `did not end within ${end.afterMs / 1000} s` : describeExit(end);
    const failure = makeFailure("error", `${engine.name} ${how} after all results, expected status ${wanted}`);
    return { ...held, result: { ...held.result, verdict: worst([held.result.verdict, "error"]), failures: [...held.result.failures, failure] } };
  }

  function withEndLost(held: Held | null, reader: KtapReader, end: CommandEnd, name: string, details: readonly string[]): Held | null {
    if (held === null) return null;
    const how = reader.problem ?? (end.kind === "silent" ? `${name} said nothing for ${end.afterMs / 1000} s` : `${name} ${describeExit(end)}`);
    const failure = makeFailure("teardown", `the suite did not come to its end: ${how}`, { details });
    return { ...held, result: { ...held.result, verdict: worst([held.result.verdict, "crash"]), failures: [...held.result.failures, failure] } };
  }

  /** Nothing that an image prints came: another start would be no better. */
  function refuse(lane: Lane, group: Group, wanted: readonly Wanted[], end: CommandEnd, details: readonly string[]): readonly Wanted[] {
    const { name, packages, timeoutMs } = group.engine;
    const isMissing = end.kind === "exited" && isMissingCommand(end.exit);
    const advice = isMissing && packages.length > 0 ? ` (Debian: apt install ${packages.join(" ")})` : "";
    const how = end.kind === "silent" ? `said nothing for ${timeoutMs / 1000} s` : describeExit(end);
    options.onRefusal();
    wanted.forEach((one, at) => {
      const failure = makeFailure("error", `${name} ${how}, and the image's console was empty${advice}`, at === 0 ? { details } : {});
      report(lane, finish(group, one, { verdict: "error", failures: [failure] }), one);
    });
    return [];
  }

  async function runGroup(lane: Lane, group: Group): Promise<void> {
    const { image, suite, wanted } = group;
    const { native, manifest } = image;
    if (native === undefined) throw new Error(`an image for ${engineOf(image)} has no machine code`);
    const context: ReportContext = {
      manifest,
      layout: native.layout,
      code: mapNative(native),
      sources: createSourceLines((path) => options.host.readText(path)),
    };
    const runnable: Wanted[] = [];
    for (const one of wanted) {
      const reason = skipReason(image, one);
      if (reason === null) runnable.push(one);
      else report(lane, finish(group, one, { verdict: "skip", reason }), one);
    }
    let left = inOrder(suite, runnable);
    while (left.length > 0 && mayGoOn()) left = await runOnce(lane, group, context, left);
  }

  async function runLane(lane: Lane): Promise<void> {
    for (let group = waiting.shift(); group !== undefined && mayGoOn(); group = waiting.shift()) await runGroup(lane, group);
  }

  return {
    done: Promise.all(lanes.map(runLane)).then(() => undefined),
    running: () => lanes.flatMap(({ number, current }) => (current < 0 ? [] : [{ worker: number, index: current }])),
    async terminate() {
      isEnding = true;
      await Promise.all(
        lanes.map(async ({ running }) => {
          running?.stop();
          await running?.ended;
        }),
      );
    },
  };
}

/** As the image runs them. */
function inOrder(suite: ManifestSuite, wanted: readonly Wanted[]): readonly Wanted[] {
  const order = new Map(suite.tests.flatMap(({ cases }) => cases).map((row, at) => [row, at]));
  return wanted.toSorted((a, b) => (order.get(a.row) ?? 0) - (order.get(b.row) ?? 0));
}
