// What runs a case, whatever the machine: boot once and keep that; per suite and per table set-up once and keep that; per case go
// back, reseed, call, judge. A case's result depends on the image, the run's seed and the case's name only, not on its neighbours or
// the worker, which is what lets the runner move cases around freely. Machines behind a line are given calls ahead: several cases
// may be under way here, but what belongs to one is sent before anything of the next.

import type { ManifestCase, ManifestSuite, ManifestTest } from "../../compiler/images/manifest.ts";
import type { Failure, TestFinished, Verdict } from "../events.ts";
import { ImageLoadError } from "../machine/load-image.ts";
import { caseName, deriveSeed } from "./case-id.ts";
import { createSourceLines } from "./code-frame.ts";
import { mapBytecode, mapNative } from "./code-map.ts";
import { deviationOf } from "./deviations.ts";
import type { Edges } from "./edges.ts";
import { makeFailure, withRow } from "./failure.ts";
import type { Phase } from "./frames.ts";
import { HOOK_LIMITS, limitsOf, type CallLimits } from "./limits.ts";
import { after, together, type MaybePromise } from "./maybe-promise.ts";
import { cpusNeeded, isPromised, touchesConsole, unmetNeed } from "./needs.ts";
import type { ReportContext } from "./report-context.ts";
import { emptyResult, reproLine } from "./result.ts";
import { bytecodeOf, engineOf, type CallResult, type EngineImage, type EntryCall, type EntryRole, type Session } from "./session.ts";
import { slownessOf, speedOf } from "./speed.ts";
import { createUnwinder } from "./unwind.ts";
import { judge, worst, type Judgement } from "./verdict.ts";

/** Plain data: it travels to workers. */
export interface CaseOptions {
  readonly seed: bigint;
  /** `--timeout`: instead of the default; `@timeout` of a test goes first. */
  readonly timeoutNs: number | null;
  readonly maxInstructions: number | null;
  /** Capabilities that `--require` promised, or `all`. */
  readonly required: readonly string[];
  /** What the repro line says behind the id. */
  readonly reproFlags: string;
}

/** A machine came up, on the host's clock. */
export interface BootSpan {
  readonly startMs: number;
  readonly durationMs: number;
}

export interface CaseHost {
  /** For code frames; null: the file cannot be read. */
  readText(path: string): string | null;
  /** For `wallMs`. */
  now(): number;
}

/** A case by its place in the manifest. Its edges are judged among the cases that `staticSkip` leaves. */
export interface WorkItem extends Edges {
  readonly suite: number;
  readonly test: number;
  readonly case: number;
}

export interface CaseEngine {
  /** `onStart`: the machine begins with the case itself. `wallStartMs` of the result is the host's clock; the runner knows when the run began. */
  run(item: WorkItem, onStart?: () => void): Promise<TestFinished>;
  dispose(): void;
}

/** A state that tests start from, or why there is none. */
type Level<State> =
  | { readonly ok: true; readonly state: State }
  | { readonly ok: false; readonly what: string; readonly judgement: Judgement; readonly text: Uint8Array; readonly skip: string | null };

interface Hook {
  readonly judgement: Judgement;
  readonly text: Uint8Array;
  /** Why it skips what comes after it. */
  readonly skip: string | null;
  /** The guest is there for the next call. */
  readonly hasReturned: boolean;
}

interface Opened<State> {
  readonly session: Session<State>;
  boot: Level<State> | null;
  suite: { readonly index: number; readonly level: Level<State> } | null;
  table: { readonly suite: number; readonly hooks: number; readonly level: Level<State> } | null;
}

type CaseResult = Partial<TestFinished>;

/** What a case has set in motion. */
interface Issued {
  readonly result: MaybePromise<CaseResult>;
  readonly teardowns: readonly MaybePromise<Judgement>[];
}

/** They are checks themselves. */
const CHECKING_ATTRIBUTES = ["exits", "no_leaks", "no_warnings"];
const CONSOLE_LIMIT = 64 * 1024;
const EXCUSED: ReadonlySet<Verdict> = new Set(["crash", "hung", "timeout", "fail"]);

const decoder = new TextDecoder();

/** The verdict of a test that is expected to fail; null: the expectation changes nothing. */
export function verdictWithExcuse(verdict: Verdict): Verdict | null {
  if (EXCUSED.has(verdict)) return "xfail";
  return verdict === "pass" ? "xpass" : null;
}

function joinBytes(first: Uint8Array, second: Uint8Array): Uint8Array {
  const joined = new Uint8Array(first.length + second.length);
  joined.set(first);
  joined.set(second, first.length);
  return joined;
}

export function cutConsole(bytes: Uint8Array): string {
  if (bytes.length === 0) return "";
  if (bytes.length <= CONSOLE_LIMIT) return decoder.decode(bytes);
  const half = CONSOLE_LIMIT / 2;
  const left = bytes.length - CONSOLE_LIMIT;
  return `${decoder.decode(bytes.subarray(0, half))}\n[.. ${left} bytes left out ..]\n${decoder.decode(bytes.subarray(-half))}`;
}

/** Why a case is skipped without being run, or null. */
export function staticSkip(image: Pick<EngineImage, "machine" | "unavailable">, test: ManifestTest, row: ManifestCase): string | null {
  return row.skip ?? unmetNeed(test, image.machine) ?? image.unavailable ?? null;
}

/** `--require` takes engines too: `qemu` promises that it is there. */
export function isPromisedBy(image: EngineImage, test: ManifestTest, required: readonly string[]): boolean {
  return isPromised(test, required) || (image.unavailable !== undefined && required.includes(engineOf(image)));
}

/** `open`: a machine with so many CPUs. */
export function createCaseEngine<State>(image: EngineImage, options: CaseOptions, host: CaseHost, open: (cpus: number) => Session<State>): CaseEngine {
  const { manifest, native } = image;
  const unwind = native === undefined ? undefined : createUnwinder(native);
  const context: ReportContext = {
    manifest,
    layout: (native ?? bytecodeOf(image)).layout,
    code: native === undefined ? mapBytecode(bytecodeOf(image)) : mapNative(native),
    sources: createSourceLines((path) => host.readText(path)),
    ...(unwind === undefined ? {} : { unwind }),
  };
  const opened = new Map<number, Opened<State>>();
  const reproFlags = `${image.reproFlags ?? ""}${options.reproFlags}`;
  let shared: { readonly test: ManifestTest; readonly limits: CallLimits; readonly isAlone: boolean } | null = null;
  /** The case before, until all that it calls is on its way. */
  let issuing: Promise<unknown> | null = null;

  function withLog(failures: readonly Failure[], result: CallResult): readonly Failure[] {
    const [first, ...others] = failures;
    if (first === undefined) return failures;
    const { accesses, interrupts, messages } = result.log();
    return [{ ...first, accesses, interrupts, details: [...first.details, ...messages.map((line) => `guest error${line}`)] }, ...others];
  }

  /** Set-up or teardown: not ok when it failed, trapped, or said so. */
  function judgeHook(result: CallResult, phase: Phase): Hook {
    const { verdict, failures } = judge(context, result.outcome, result.transcript, result.limits, false);
    const isRefused = result.outcome.kind === "returned" && result.outcome.values.length > 0 && Number(result.outcome.values[0]) === 0;
    const hasReturned = result.outcome.kind === "returned";
    const { skip } = result.transcript;
    if (failures.length === 0 && isRefused && skip !== null && phase.endsWith("setup"))
      return { judgement: { verdict: "skip", failures: [] }, text: result.text, skip: messageOf(skip.site, skip.message), hasReturned };
    const told =
      failures.length === 0 && isRefused ? [makeFailure(phase.endsWith("setup") ? "setup" : "teardown", `${phase} failed without saying why`)] : failures;
    const judgement = { verdict: isRefused ? worst([verdict, "fail"]) : verdict, failures: withLog(told, result) };
    return { judgement, text: result.text, skip: null, hasReturned };
  }

  function levelAfter(session: Session<State>, what: string, { judgement, text, skip }: Hook): Level<State> {
    if (judgement.failures.length > 0 || skip !== null) return { ok: false, what, judgement, text, skip };
    return { ok: true, state: session.keep() };
  }

  /** A level above another one. A set-up that did not hold is taken down at once, from the state that it left, and reports that too. */
  function raiseLevel(session: Session<State>, what: string, setup: Hook, teardown: ((from: State) => MaybePromise<Hook>) | null): MaybePromise<Level<State>> {
    const level = levelAfter(session, what, setup);
    if (level.ok || teardown === null || !setup.hasReturned) return level;
    return after(teardown(session.keep()), ({ judgement, text }): Level<State> => {
      if (judgement.failures.length === 0) return { ...level, text: joinBytes(level.text, text) };
      const all = { verdict: worst([level.judgement.verdict, judgement.verdict]), failures: [...level.judgement.failures, ...judgement.failures] };
      return { ...level, what: level.skip === null ? what : what.replace("setup", "teardown"), judgement: all, text: joinBytes(level.text, text), skip: null };
    });
  }

  function callHook(session: Session<State>, from: State, seedName: string, role: EntryRole, argument: number, phase: Phase): MaybePromise<Hook> {
    const result = session.call(from, { role, args: [argument], seed: deriveSeed(options.seed, seedName), limits: HOOK_LIMITS, phase, isAlone: true });
    return after(result, (done) => judgeHook(done, phase));
  }

  function openMachine(cpus: number): Opened<State> {
    let entry = opened.get(cpus);
    if (entry === undefined) {
      entry = { session: open(cpus), boot: null, suite: null, table: null };
      opened.set(cpus, entry);
    }
    return entry;
  }

  function bootLevel(entry: Opened<State>): MaybePromise<Level<State>> {
    if (entry.boot !== null) return entry.boot;
    return after(entry.session.boot(), (result) => {
      const boot = judgeHook(result, "setup");
      const judgement = boot.judgement.failures.length === 0 ? boot.judgement : { ...boot.judgement, verdict: "error" as const };
      return (entry.boot = levelAfter(entry.session, "the image did not boot", { ...boot, judgement }));
    });
  }

  function suiteLevel(entry: Opened<State>, index: number, suite: ManifestSuite, below: Level<State>): MaybePromise<Level<State>> {
    if (!below.ok || !suite.hasSetup) return below;
    if (entry.suite?.index === index) return entry.suite.level;
    const name = `${manifest.files[suite.file]}::${suite.name}`;
    const { session } = entry;
    const teardown = suite.hasTeardown
      ? (from: State) => callHook(session, from, `suite teardown ${suite.name}`, "suiteTeardown", index, "suite teardown")
      : null;
    return after(callHook(session, below.state, name, "suiteSetup", index, "suite setup"), (hook) =>
      after(raiseLevel(session, "suite setup failed", hook, teardown), (level) => {
        entry.suite = { index, level };
        return level;
      }),
    );
  }

  function tableLevel(entry: Opened<State>, index: number, hooks: number | null, below: Level<State>): MaybePromise<Level<State>> {
    if (!below.ok || hooks === null) return below;
    if (entry.table?.suite === index && entry.table.hooks === hooks) return entry.table.level;
    const { session } = entry;
    const teardown = (from: State): MaybePromise<Hook> => callHook(session, from, `table teardown ${hooks}`, "tableTeardown", hooks, "table teardown");
    return after(callHook(session, below.state, `table ${hooks}`, "tableSetup", hooks, "table setup"), (hook) =>
      after(raiseLevel(session, "table setup failed", hook, teardown), (level) => {
        entry.table = { suite: index, hooks, level };
        return level;
      }),
    );
  }

  /** Teardowns that are due after this case. They start from the state that their set-up left. */
  function callTeardowns(
    entry: Opened<State>,
    item: WorkItem,
    suite: ManifestSuite,
    hooks: number | null,
    suiteState: Level<State>,
    tableState: Level<State>,
  ): MaybePromise<Judgement>[] {
    const judgements: MaybePromise<Judgement>[] = [];
    const add = (from: State, name: string, role: EntryRole, argument: number, phase: Phase): void =>
      void judgements.push(after(callHook(entry.session, from, name, role, argument, phase), ({ judgement }) => judgement));
    if (item.closesTable && hooks !== null && tableState.ok) add(tableState.state, `table teardown ${hooks}`, "tableTeardown", hooks, "table teardown");
    if (item.closesSuite && suite.hasTeardown && suiteState.ok)
      add(suiteState.state, `suite teardown ${suite.name}`, "suiteTeardown", item.suite, "suite teardown");
    return judgements;
  }

  function failedLevel(level: Level<State> & { ok: false }, isFirst: boolean): CaseResult {
    if (level.skip !== null) return { verdict: "skip", reason: level.skip };
    const [head, ...others] = level.judgement.failures;
    const message = head === undefined ? level.what : `${level.what}: ${head.message}`;
    const kind: Failure["kind"] = level.judgement.verdict === "error" ? "error" : "setup";
    if (isFirst && head !== undefined)
      return { verdict: level.judgement.verdict, failures: [{ ...head, kind, message }, ...others], console: cutConsole(level.text) };
    // The story once; the others say only why they did not run, and the time that they waited was not theirs.
    return { verdict: level.judgement.verdict, failures: [makeFailure(kind, message)], console: "", wallMs: 0 };
  }

  function messageOf(site: number, message: string | null): string {
    return message ?? manifest.sites[site]?.text ?? "";
  }

  /** What is no failure, and deserves a look all the same. */
  function warningsOf(verdict: Verdict, { transcript, limits }: CallResult, test: ManifestTest, row: ManifestCase): TestFinished["infos"] {
    const texts: string[] = [];
    if (verdict === "pass" && transcript.checks === 0 && CHECKING_ATTRIBUTES.every((name) => test.attributes[name] === undefined))
      texts.push("passed without having checked anything");
    const slowness = slownessOf(limits.elapsedNs, limits.executed);
    if (slowness !== null && test.timeout === null && row.timeout === undefined && speedOf(test, row).factor === 1)
      texts.push(`took ${slowness}: mark it @slow, or give it a @timeout`);
    return texts.map((text) => ({ file: manifest.files[test.file] ?? "?", line: test.line, text, severity: "warning" }));
  }

  function judgeCase(result: CallResult, test: ManifestTest, row: ManifestCase): CaseResult {
    const { transcript } = result;
    const own = judge({ ...context, test }, result.outcome, transcript, result.limits, true, test.attributes.exits ?? null);
    let { verdict } = own;
    let reason: string | null = null;
    if (verdict === "skip" && transcript.skip !== null) reason = messageOf(transcript.skip.site, transcript.skip.message);
    const excuse = row.xfail ?? deviationOf(test, engineOf(image), image.engineVersion);
    const excused = excuse === null ? null : verdictWithExcuse(verdict);
    if (excused !== null) [verdict, reason] = [excused, excuse];
    const failures = own.failures.map((failure, index) => (index === 0 ? withRow(context, failure, row, test.file, test.line) : failure));
    return {
      verdict,
      reason,
      checks: transcript.checks ?? 0,
      failures: withLog(failures, result),
      infos: [
        ...transcript.infos.flatMap(({ site, message, severity }) => {
          const place = manifest.sites[site];
          return place === undefined
            ? []
            : [{ file: manifest.files[place.file] ?? "?", line: place.line, text: messageOf(site, message), ...(severity === undefined ? {} : { severity }) }];
        }),
        ...warningsOf(verdict, result, test, row),
      ],
      console: cutConsole(result.text),
      guestNs: result.limits.elapsedNs,
      instructions: result.limits.executed,
      ...(result.wallMs === undefined ? {} : { wallMs: result.wallMs }),
    };
  }

  /** What the rows of a test have in common; they come one after the other. */
  function sharedOf(test: ManifestTest): NonNullable<typeof shared> {
    if (shared?.test !== test)
      shared = { test, limits: limitsOf(test, null, options), isAlone: cpusNeeded(test.needs) > 1 || touchesConsole(test, image.machine) };
    return shared;
  }

  /** Sends the case off, with what must come before and after it. */
  function issue(item: WorkItem, suite: ManifestSuite, test: ManifestTest, row: ManifestCase, onStart: (() => void) | undefined): MaybePromise<Issued> {
    const skip = staticSkip(image, test, row);
    if (skip !== null) return { result: { verdict: "skip", reason: skip }, teardowns: [] };
    const entry = openMachine(cpusNeeded(test.needs));
    return after(bootLevel(entry), (boot) =>
      after(suiteLevel(entry, item.suite, suite, boot), (suiteState) =>
        after(tableLevel(entry, item.suite, test.tableHooks, suiteState), (level): Issued => {
          // A table's set-up that did not hold has been taken down with it; the suite below still is to be.
          if (!level.ok) {
            const result = failedLevel(level, level === suiteState ? item.opensSuite : item.opensTable);
            return { result, teardowns: callTeardowns(entry, item, suite, test.tableHooks, suiteState, level) };
          }
          const call: EntryCall = {
            role: "runCase",
            args: [test.index, row.row],
            seed: deriveSeed(options.seed, caseName(manifest, suite, test, row)),
            limits: row.timeout === undefined && row.tags === undefined ? sharedOf(test).limits : limitsOf(test, row, options),
            phase: "setup",
            isAlone: sharedOf(test).isAlone,
          };
          const called = entry.session.call(level.state, onStart === undefined ? call : { ...call, onStart });
          const result = after(called, (done) => judgeCase(done, test, row));
          return { result, teardowns: callTeardowns(entry, item, suite, test.tableHooks, suiteState, level) };
        }),
      ),
    );
  }

  function merge(result: CaseResult, teardowns: readonly Judgement[]): CaseResult {
    const failed = teardowns.filter(({ failures }) => failures.length > 0);
    if (failed.length === 0) return result;
    return {
      ...result,
      verdict: worst([result.verdict ?? "pass", ...failed.map(({ verdict }) => verdict)]),
      failures: [...(result.failures ?? []), ...failed.flatMap(({ failures }) => failures)],
    };
  }

  /** In the order in which cases come, each after all of the one before is on its way. */
  function issueInTurn(item: WorkItem, suite: ManifestSuite, test: ManifestTest, row: ManifestCase, onStart: (() => void) | undefined): MaybePromise<Issued> {
    const issued = issuing === null ? issue(item, suite, test, row, onStart) : issuing.then(() => issue(item, suite, test, row, onStart));
    // A case that could not be sent off is told by its own result; the next one does not care.
    issuing = issued instanceof Promise ? issued.catch(() => undefined) : null;
    return issued;
  }

  function dispose(): void {
    for (const { session } of opened.values()) session.dispose();
    opened.clear();
  }

  return {
    async run(item, onStart) {
      const suite = manifest.suites[item.suite];
      const test = suite?.tests[item.test];
      const row = test?.cases[item.case];
      if (suite === undefined || test === undefined || row === undefined) throw new Error(`the manifest has no case ${item.suite}/${item.test}/${item.case}`);
      const started = host.now();
      let result: CaseResult;
      try {
        const turn = issueInTurn(item, suite, test, row, onStart);
        const issued = turn instanceof Promise ? await turn : turn;
        const { teardowns: due } = issued;
        const ended = due.length === 0 ? issued.result : after(issued.result, (done) => after(together(due), (teardowns) => merge(done, teardowns)));
        result = ended instanceof Promise ? await ended : ended;
      } catch (error) {
        // One broken case must not cost the others: their machines are made anew.
        dispose();
        const message = error instanceof Error ? error.message : String(error);
        const isUsers = error instanceof ImageLoadError;
        const trace = error instanceof Error && process.env.GUESTSPEC_DEBUG === "1" ? (error.stack ?? "").split("\n").slice(1) : [];
        result = { verdict: "error", failures: [makeFailure("error", isUsers ? message : `internal error: ${message}`, { details: trace })] };
      }
      const ended = host.now();
      const wallMs = result.wallMs ?? ended - started;
      const base = emptyResult(image, suite, test, row);
      // Filled in rather than spread into another object: that is most of what a result costs.
      return Object.assign(base, result, {
        wallMs,
        // Behind a line it was sent ahead of its turn: its own time ends where its result comes.
        wallStartMs: ended - wallMs,
        promised: result.verdict === "skip" && isPromisedBy(image, test, options.required),
        repro: reproLine(base.id, reproFlags),
      });
    },
    dispose,
  };
}
