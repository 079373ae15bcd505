// The embedded engine: runs the cases of one image on the machine in this process. Boot once, snapshot; per suite and per table
// set-up once, snapshot; per case restore, reseed, call, judge. A case's result depends on the image, the run's seed and the case's
// name only, not on its neighbours, the executor or the worker, which is what lets the runner move cases around freely.

import type { ManifestCase, ManifestSuite, ManifestTest } from "../../compiler/images/manifest.ts";
import type { Failure, TestFinished, Verdict } from "../events.ts";
import type { ExecutorFactory } from "../machine/cpu-contract.ts";
import { ImageLoadError } from "../machine/load-image.ts";
import type { Snapshot } from "../machine/snapshot.ts";
import { caseName, deriveSeed } from "./case-id.ts";
import { createSourceLines } from "./code-frame.ts";
import { makeFailure, withRow, type ReportContext } from "./failure.ts";
import type { Phase } from "./frames.ts";
import { cpusNeeded, isPromised, unmetNeed } from "./needs.ts";
import { emptyResult, reproLine } from "./result.ts";
import { openSession, type CallLimits, type CallResult, type EngineImage, type Session } from "./session.ts";
import { judge, worst, type Judgement } from "./verdict.ts";

export type ExecutorChoice = "auto" | "interpreter" | "wasm";
export const EXECUTOR_CHOICES: readonly ExecutorChoice[] = ["auto", "interpreter", "wasm"];

/** Defaults of a test without `@timeout`. */
const DEFAULT_TIMEOUT_NS = 10_000_000_000;
export const DEFAULT_INSTRUCTIONS = 20_000_000;
/** Long enough for cleanups that wait for a device, short enough that a cleanup that loops costs nothing. */
const GRACE_NS = 5_000_000;
/** An explicit `@timeout` beyond the default number of instructions raises that too (1 instruction = 1 ns), up to here. */
const MOST_INSTRUCTIONS = 2_000_000_000;
/** Boot, and set-up and teardown of suites and tables. */
const HOOK_LIMITS: CallLimits = { timeoutNs: DEFAULT_TIMEOUT_NS, instructions: 2 * DEFAULT_INSTRUCTIONS, graceNs: GRACE_NS };

const CONSOLE_LIMIT = 64 * 1024;

/** Plain data: it travels to workers. */
export interface EngineOptions {
  readonly seed: bigint;
  readonly executor: ExecutorChoice;
  /** `--timeout`: instead of the default; `@timeout` of a test goes first. */
  readonly timeoutNs: number | null;
  readonly maxInstructions: number | null;
  /** Capabilities that `--require` promised, or `all`. */
  readonly required: readonly string[];
  /** What the repro line says behind the id. */
  readonly reproFlags: string;
}

export interface EngineHost {
  /** For code frames; null: the file cannot be read. */
  readText(path: string): string | null;
  /** For `wallMs`. */
  now(): number;
  /** CPU time of this process in ms: what work costs, whatever else the machine does. */
  cpuTime(): number;
  readonly interpreter: ExecutorFactory;
  /** Loaded when it pays. */
  loadWasm(): Promise<ExecutorFactory>;
}

/** Why a case is skipped without being run, or null. */
export function staticSkip(image: Pick<EngineImage, "machine">, test: ManifestTest, row: ManifestCase): string | null {
  return row.skip ?? unmetNeed(test, image.machine);
}

/** A case by its place in the manifest. Which opens and closes what is judged among the cases that `staticSkip` leaves. */
export interface WorkItem {
  readonly suite: number;
  readonly test: number;
  readonly case: number;
  /** The last one of its suite, or of its table's hooks: its engine runs the teardown and reports failures of that here. */
  readonly closesSuite: boolean;
  readonly closesTable: boolean;
  /** The first one of its suite: it tells a failed set-up in full. */
  readonly opensSuite: boolean;
}

export interface EmbeddedEngine {
  run(item: WorkItem): Promise<TestFinished>;
  dispose(): void;
}

/** A state that tests start from, or why there is none. */
type Level =
  | { readonly ok: true; readonly snapshot: Snapshot }
  | { readonly ok: false; readonly what: string; readonly judgement: Judgement; readonly text: Uint8Array };

interface Hook {
  readonly judgement: Judgement;
  readonly text: Uint8Array;
}

interface Booted {
  readonly session: Session;
  readonly boot: Level;
  suite: { readonly index: number; readonly level: Level } | null;
  table: { readonly suite: number; readonly hooks: number; readonly level: Level } | null;
}

/** From here on a translation to WebAssembly earns back its cost of some ten milliseconds. */
const WASM_CASES = 50;
const WASM_INSTRUCTIONS = 300_000;

const decoder = new TextDecoder();

function cutConsole(bytes: Uint8Array): string {
  if (bytes.length <= CONSOLE_LIMIT) return decoder.decode(bytes);
  const half = CONSOLE_LIMIT / 2;
  const left = bytes.length - CONSOLE_LIMIT;
  return `${decoder.decode(bytes.subarray(0, half))}\n[.. ${left} bytes left out ..]\n${decoder.decode(bytes.subarray(-half))}`;
}

/** The row's `@timeout` before the test's, and that before `--timeout`. */
export function limitsOf(test: ManifestTest, row: ManifestCase | null, options: Pick<EngineOptions, "timeoutNs" | "maxInstructions">): CallLimits {
  const written = row?.timeout ?? test.timeout;
  const timeoutNs = written ?? options.timeoutNs ?? DEFAULT_TIMEOUT_NS;
  const isExplicit = written !== null || options.timeoutNs !== null;
  const wanted = isExplicit ? Math.min(MOST_INSTRUCTIONS, Math.max(DEFAULT_INSTRUCTIONS, timeoutNs)) : DEFAULT_INSTRUCTIONS;
  return { timeoutNs, instructions: options.maxInstructions ?? wanted, graceNs: GRACE_NS };
}

/** Errors of the translating executor that say nothing about the guest; by name, for its module is loaded late. */
const REPEATABLE: ReadonlySet<string> = new Set(["NeedsInterpreterError", "HostStackError"]);

const EXCUSED: ReadonlySet<Verdict> = new Set(["crash", "hung", "timeout", "fail"]);

/** `plannedCases`: how many cases of the image this process is going to run. */
export function createEmbeddedEngine(image: EngineImage, options: EngineOptions, host: EngineHost, plannedCases: number): EmbeddedEngine {
  const { manifest, module } = image;
  const context: ReportContext = { manifest, module, sources: createSourceLines((path) => host.readText(path)) };
  const booted = new Map<number, Booted>();
  const oracle = host.interpreter;
  let translator: ExecutorFactory | null = null;
  let interpreted = 0;

  async function chooseExecutor(cpus: number): Promise<ExecutorFactory> {
    // Interleaving of CPUs is defined by the interpreter's scheduler; the translation runs one CPU.
    const isWorth = options.executor === "wasm" || (options.executor === "auto" && (plannedCases > WASM_CASES || interpreted > WASM_INSTRUCTIONS));
    if (cpus > 1 || !isWorth) return oracle;
    return (translator ??= await host.loadWasm());
  }

  function call(session: Session, factory: ExecutorFactory, index: number, args: readonly number[], limits: CallLimits, phase: Phase): CallResult {
    const result = session.call(factory, index, args, limits, phase);
    if (factory.name === "interpreter") interpreted += result.limits.executed;
    return result;
  }

  /** From a snapshot, which makes a call repeatable: what the translation cannot run is run again on the interpreter. */
  function callFrom(
    entry: Booted,
    snapshot: Snapshot,
    seedName: string,
    factory: ExecutorFactory,
    index: number,
    args: readonly number[],
    limits: CallLimits,
    phase: Phase,
  ): CallResult {
    const seed = deriveSeed(options.seed, seedName);
    entry.session.restore(snapshot, seed);
    try {
      return call(entry.session, factory, index, args, limits, phase);
    } catch (error) {
      if (factory.name === "interpreter" || !(error instanceof Error) || !REPEATABLE.has(error.name)) throw error;
      entry.session.restore(snapshot, seed);
      return call(entry.session, oracle, index, args, limits, phase);
    }
  }

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
    const told =
      failures.length === 0 && isRefused ? [makeFailure(phase.endsWith("setup") ? "setup" : "teardown", `${phase} failed without saying why`)] : failures;
    return { judgement: { verdict: isRefused ? worst([verdict, "fail"]) : verdict, failures: withLog(told, result) }, text: result.text };
  }

  function levelAfter(session: Session, what: string, { judgement, text }: Hook): Level {
    if (judgement.failures.length > 0) return { ok: false, what, judgement, text };
    return { ok: true, snapshot: session.snapshot() };
  }

  /** Always booted by the interpreter: boot is short, and it cannot be repeated. */
  function open(cpus: number): Booted {
    let entry = booted.get(cpus);
    if (entry === undefined) {
      const session = openSession(image, cpus, options.seed);
      const boot = judgeHook(call(session, oracle, manifest.entry.boot, [], HOOK_LIMITS, "setup"), "setup");
      const judgement = boot.judgement.failures.length === 0 ? boot.judgement : { ...boot.judgement, verdict: "error" as const };
      entry = { session, boot: levelAfter(session, "the image did not boot", { ...boot, judgement }), suite: null, table: null };
      booted.set(cpus, entry);
    }
    return entry;
  }

  function suiteLevel(entry: Booted, factory: ExecutorFactory, index: number, suite: ManifestSuite): Level {
    if (!entry.boot.ok || !suite.hasSetup) return entry.boot;
    if (entry.suite?.index !== index) {
      const name = `${manifest.files[suite.file]}::${suite.name}`;
      const result = callFrom(entry, entry.boot.snapshot, name, factory, manifest.entry.suiteSetup, [index], HOOK_LIMITS, "suite setup");
      entry.suite = { index, level: levelAfter(entry.session, "suite setup failed", judgeHook(result, "suite setup")) };
    }
    return entry.suite.level;
  }

  function tableLevel(entry: Booted, factory: ExecutorFactory, index: number, hooks: number | null, below: Level): Level {
    if (!below.ok || hooks === null) return below;
    if (entry.table?.suite !== index || entry.table.hooks !== hooks) {
      const result = callFrom(entry, below.snapshot, `table ${hooks}`, factory, manifest.entry.tableSetup, [hooks], HOOK_LIMITS, "table setup");
      entry.table = { suite: index, hooks, level: levelAfter(entry.session, "table setup failed", judgeHook(result, "table setup")) };
    }
    return entry.table.level;
  }

  /** Failures of teardowns that are due after this case. They start from the state that their set-up left. */
  function runTeardowns(entry: Booted, factory: ExecutorFactory, item: WorkItem, suite: ManifestSuite, test: ManifestTest): Judgement[] {
    const judgements: Judgement[] = [];
    const below = suiteLevel(entry, factory, item.suite, suite);
    if (item.closesTable && test.tableHooks !== null) {
      const level = tableLevel(entry, factory, item.suite, test.tableHooks, below);
      if (level.ok) {
        const name = `table teardown ${test.tableHooks}`;
        const result = callFrom(entry, level.snapshot, name, factory, manifest.entry.tableTeardown, [test.tableHooks], HOOK_LIMITS, "table teardown");
        judgements.push(judgeHook(result, "table teardown").judgement);
      }
    }
    if (item.closesSuite && suite.hasTeardown && below.ok) {
      const name = `suite teardown ${suite.name}`;
      const result = callFrom(entry, below.snapshot, name, factory, manifest.entry.suiteTeardown, [item.suite], HOOK_LIMITS, "suite teardown");
      judgements.push(judgeHook(result, "suite teardown").judgement);
    }
    return judgements;
  }

  function failedLevel(level: Level & { ok: false }, opensSuite: boolean): Pick<TestFinished, "verdict" | "failures" | "console"> {
    const [first] = level.judgement.failures;
    const message = first === undefined ? level.what : `${level.what}: ${first.message}`;
    const kind: Failure["kind"] = level.judgement.verdict === "error" ? "error" : "setup";
    const [head, ...others] = level.judgement.failures;
    if (opensSuite && head !== undefined)
      return { verdict: level.judgement.verdict, failures: [{ ...head, kind, message }, ...others], console: cutConsole(level.text) };
    // The story once; the others of the suite say only why they did not run.
    return { verdict: level.judgement.verdict, failures: [makeFailure(kind, message)], console: "" };
  }

  function messageOf(site: number, message: string | null): string {
    return message ?? manifest.sites[site]?.text ?? "";
  }

  function runCase(
    entry: Booted,
    factory: ExecutorFactory,
    level: Level & { ok: true },
    item: WorkItem,
    suite: ManifestSuite,
    test: ManifestTest,
    row: ManifestCase,
  ): Partial<TestFinished> {
    const name = caseName(manifest, suite, test, row);
    const result = callFrom(entry, level.snapshot, name, factory, manifest.entry.runCase, [test.index, row.row], limitsOf(test, row, options), "setup");
    const { transcript } = result;
    const own = judge(context, result.outcome, transcript, result.limits, true, test.attributes.exits ?? null);
    let { verdict } = own;
    let reason: string | null = null;
    if (verdict === "skip" && transcript.skip !== null) reason = messageOf(transcript.skip.site, transcript.skip.message);
    if (row.xfail !== null) {
      if (EXCUSED.has(verdict)) [verdict, reason] = ["xfail", row.xfail];
      else if (verdict === "pass") [verdict, reason] = ["xpass", row.xfail];
    }
    const failures = own.failures.map((failure, index) => (index === 0 ? withRow(context, failure, row, test.file, test.line) : failure));
    return {
      verdict,
      reason,
      checks: transcript.checks ?? 0,
      failures: withLog(failures, result),
      infos: transcript.infos.flatMap(({ site, message }) => {
        const place = manifest.sites[site];
        return place === undefined ? [] : [{ file: manifest.files[place.file] ?? "?", line: place.line, text: messageOf(site, message) }];
      }),
      console: cutConsole(result.text),
      guestNs: result.limits.elapsedNs,
      instructions: result.limits.executed,
    };
  }

  async function execute(item: WorkItem, suite: ManifestSuite, test: ManifestTest, row: ManifestCase): Promise<Partial<TestFinished>> {
    const skip = staticSkip(image, test, row);
    if (skip !== null) return { verdict: "skip", reason: skip };
    const cpus = cpusNeeded(test.needs);
    const factory = await chooseExecutor(cpus);
    const entry = open(cpus);
    const level = tableLevel(entry, factory, item.suite, test.tableHooks, suiteLevel(entry, factory, item.suite, suite));
    if (!level.ok) return failedLevel(level, item.opensSuite);
    const result = runCase(entry, factory, level, item, suite, test, row);
    return merge(result, runTeardowns(entry, factory, item, suite, test));
  }

  function merge(result: Partial<TestFinished>, teardowns: readonly Judgement[]): Partial<TestFinished> {
    const failed = teardowns.filter(({ failures }) => failures.length > 0);
    if (failed.length === 0) return result;
    return {
      ...result,
      verdict: worst([result.verdict ?? "pass", ...failed.map(({ verdict }) => verdict)]),
      failures: [...(result.failures ?? []), ...failed.flatMap(({ failures }) => failures)],
    };
  }

  function dispose(): void {
    for (const { session } of booted.values()) session.dispose();
    booted.clear();
  }

  return {
    async run(item) {
      const suite = manifest.suites[item.suite];
      const test = suite?.tests[item.test];
      const row = test?.cases[item.case];
      if (suite === undefined || test === undefined || row === undefined) throw new Error(`the manifest has no case ${item.suite}/${item.test}/${item.case}`);
      const started = host.now();
      const base = emptyResult(manifest, suite, test, row);
      let result: Partial<TestFinished>;
      try {
        result = await execute(item, suite, test, row);
      } catch (error) {
        // One broken case must not cost the others: their machines are made anew.
        dispose();
        const message = error instanceof Error ? error.message : String(error);
        const isUsers = error instanceof ImageLoadError;
        const trace = error instanceof Error && process.env.GUESTSPEC_DEBUG === "1" ? (error.stack ?? "").split("\n").slice(1) : [];
        result = { verdict: "error", failures: [makeFailure("error", isUsers ? message : `internal error: ${message}`, { details: trace })] };
      }
      const merged = { ...base, ...result };
      return {
        ...merged,
        promised: merged.verdict === "skip" && isPromised(test, options.required),
        wallMs: host.now() - started,
        repro: reproLine(base.id, options.reproFlags),
      };
    },
    dispose,
  };
}
