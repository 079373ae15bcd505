// A foreign log as a run: every top result with results below it is a suite, what is below it tests, what is below those rows; deeper levels are
// part of a row's name. Results without such a place belong to a suite named as the log. So every reporter tells of a kernel's console as
// of a run of our own, and of our own KTAP as of the run that it came from.

import { makeFailure } from "../engines/failure.ts";
import { worst } from "../engines/verdict.ts";
import { EVENT_VERSION, isGood, VERDICTS, type RunEvent, type RunFinished, type RunStarted, type TestFinished, type Verdict } from "../events.ts";
import { createCounts } from "../reporters/tally.ts";
import { dedent, readFailures } from "./ktap-failures.ts";
import { isBad, type KtapNode } from "./ktap-node.ts";
import { createKtapParser, type KtapStep } from "./ktap-parser.ts";
import { KTAP_PROBLEMS, type KtapProblem, type KtapProblemName } from "./ktap-problems.ts";

export interface KtapRunOptions {
  /** The log's path, as reports name it. */
  readonly file: string;
  /** `guestspec 0.1.0` */
  readonly tool: string;
  /** Problems of the document are told and do not fail. */
  readonly isLenient: boolean;
  now(): number;
  /** ISO 8601. */
  date(): string;
}

export interface KtapRun {
  /** Suites that this line completed, with all that belongs to them. */
  push(line: string): readonly RunEvent[];
  end(): { readonly events: readonly RunEvent[]; readonly started: RunStarted; readonly finished: RunFinished };
}

type Head = Pick<TestFinished, "suite" | "file" | "target" | "engine">;

/** No leniency makes these green: nothing was tested, or not what was wanted. */
const ALWAYS_BAD: ReadonlySet<KtapProblemName> = new Set(["no-document", "no-results", "bail-out", "executor-error"]);

/** Where a group failed and nothing in it did. */
const ITSELF = "(itself)";
const PROTOCOL = "KTAP protocol";
const OWN = /^(guestspec \d\S*?)(?:, seed (.*))?$/;
const OWN_XPASS = "passed, but was expected to fail";
const OWN_HUNG = "hung, ended by the host";
/** What our reporter writes for verdicts without a directive. */
const OWN_WORDS: readonly (readonly [string, Verdict])[] = [
  ["crashed", "crash"],
  ["not deterministic", "nondeterministic"],
  ["flaky", "flaky"],
  [OWN_XPASS, "xpass"],
];
const OWN_WORD = new RegExp(`^(?:${[...OWN_WORDS.map(([word]) => word), OWN_HUNG].join("|")}):? ?`);
const OWN_VERDICT = /^verdict: (\w+)$/;
const OWN_REASON = /^reason: (".*")$/;
const OWN_INFO = /^info: (.*) \((.+):(\d+)\)$/;
const OWN_RERUN = /^rerun +(.*)$/;
const SPEED = /(?:^|\.)speed: (slow|very_slow)$/;
const MAX_PROBLEMS = 50;

/** `#` as our own reporter escapes it, in names and where it would begin a directive. */
function ownText(text: string): string {
  return text.replaceAll("%23", "#");
}

/** Our own names have a leading `-` escaped as well; see sanitiseName of the reporter. */
function ownName(name: string): string {
  return ownText(name).replace(/^%2d/, "-");
}

function ownReason(lines: KtapNode["lines"]): string | null {
  const [written] = lines.flatMap(({ kind, text }) => (kind === "yaml" ? (OWN_REASON.exec(text)?.[1] ?? []) : []));
  return written === undefined ? null : String(JSON.parse(written));
}

function withoutExtension(file: string): string {
  const name = file.split("/").at(-1) ?? file;
  return name.replace(/(?<=.)\.[^.]*$/, "");
}

function seconds(text: string | undefined): number {
  const value = Number(/^(\d+(?:\.\d+)?)s$/.exec(text ?? "")?.[1] ?? 0);
  return Number.isFinite(value) ? value : 0;
}

/** Results are told apart by name, so a name that comes again gets a number. `scope`: within what. */
function createNames(): (name: string, scope?: string) => string {
  const uses = new Map<string, number>();
  return (name, scope = "") => {
    const key = `${scope}\0${name}`;
    const count = (uses.get(key) ?? 0) + 1;
    uses.set(key, count);
    return count === 1 ? name : `${name} (${count})`;
  };
}

/** A group that failed by itself. */
function failsAlone(node: KtapNode): boolean {
  return isBad(node) && !node.children.some(isBad);
}

/** Rows of a test, at whatever depth. */
function rowsOf(node: KtapNode, path: string): (readonly [row: string, node: KtapNode])[] {
  const rows = node.children.flatMap((child) => {
    const name = path === "" ? child.name : `${path}/${child.name}`;
    return child.children.length === 0 ? [[name, child] as const] : rowsOf(child, name);
  });
  if (node.children.length > 0 && failsAlone(node)) rows.push([path === "" ? ITSELF : `${path} ${ITSELF}`, { ...node, children: [] }]);
  return rows;
}

export function createKtapRun(options: KtapRunOptions): KtapRun {
  const { file, isLenient } = options;
  const parser = createKtapParser();
  const startedAt = options.date();
  const since = options.now();
  const suites: RunStarted["suites"][number][] = [];
  const counts = createCounts();
  const problems: KtapProblem[] = [];
  const leaves: KtapNode[] = [];
  const uniqueSuite = createNames();
  let problemCount = 0;
  let own: { readonly tool: string; readonly seed: string } | null = null;

  function readOwn(): void {
    const [, tool, seed = ""] = parser.header.flatMap((line) => OWN.exec(line) ?? []);
    own = tool === undefined ? null : { tool, seed };
  }

  const nameOf = (name: string): string => (name === "" ? "(unnamed)" : own === null ? name : ownName(name));
  const foreignHead = (suite: string): Head => ({ suite, file, target: "log", engine: parser.format });

  /** Our own KTAP tells which file a suite is of, and where it ran. */
  function headOf({ name, header }: KtapNode): Head {
    const tell = (key: string): string | undefined => header.find((line) => line.startsWith(`${key}: `))?.slice(key.length + 2);
    const [, target, engine] = /^([^/]+)\/(.+)$/.exec(tell("target") ?? "") ?? [];
    const path = tell("file");
    if (own === null || target === undefined || engine === undefined || path === undefined) return foreignHead(nameOf(name));
    const full = nameOf(name);
    const [start, end] = [`${path}::`, `@${target}/${engine}`];
    const suite = full.startsWith(start) && full.endsWith(end) ? full.slice(start.length, -end.length) : full;
    return { suite, file: path, target, engine };
  }

  function verdictOf({ state, isOk, directive, data, lines }: KtapNode): Verdict {
    // What TAP has no word for stands in the YAML of our reports.
    const written = own === null ? undefined : lines.flatMap(({ kind, text }) => (kind === "yaml" ? (OWN_VERDICT.exec(text)?.[1] ?? []) : [])).at(-1);
    const told = VERDICTS.find((verdict) => verdict === written);
    if (told !== undefined) return told;
    if (state === "crashed") return "crash";
    if (state === "missing") return "error";
    if (state === "empty") return isLenient ? "skip" : "error";
    switch (directive?.kind) {
      case "SKIP":
        return "skip";
      case "XFAIL":
        return "xfail";
      case "XPASS":
        return "xpass";
      case "TODO":
        return isOk ? "pass" : "xfail";
      case "TIMEOUT":
        return own !== null && directive.reason.startsWith(OWN_HUNG) ? "hung" : "timeout";
      case "ERROR":
        return "error";
      case undefined:
        return OWN_WORDS.find(([word]) => own !== null && data.startsWith(word))?.[1] ?? (isOk ? "pass" : "fail");
    }
  }

  function reasonOf({ state, directive, data, lines }: KtapNode, verdict: Verdict): string | null {
    if (state === "empty") return "no tests ran";
    const text = own === null ? (directive?.reason ?? "") : (ownReason(lines) ?? ownText(directive?.reason ?? data)).replace(OWN_WORD, "");
    return text === "" || verdict === "pass" || verdict === "fail" ? null : text;
  }

  function messageOf(node: KtapNode, isGroup: boolean): string {
    const { state, data, directive } = node;
    if (state === "crashed") return data === "" ? "its result never came" : `no result: ${data}`;
    if (state === "missing") return data === "" ? "not run: the results end before it" : `not run: ${data}`;
    if (state === "empty") return "no tests ran";
    if (directive?.kind === "TIMEOUT") return "timed out";
    const more = data === "" ? "" : ` # ${data}`;
    return isGroup ? `\`not ok\`${more}, though nothing in it failed` : `\`${node.isOk ? "ok" : "not ok"}\`${more}`;
  }

  function failuresOf(node: KtapNode, verdict: Verdict, isGroup: boolean): Pick<TestFinished, "failures" | "console"> {
    // The YAML of our own reports says once more what stands above it.
    const { failures, rest } = readFailures(own === null ? node.lines : node.lines.filter(({ kind }) => kind !== "yaml"));
    const printed = (lines: KtapNode["lines"]): string => dedent(lines.map(({ kind, text }) => (kind === "text" ? text : `# ${text}`))).join("\n");
    const toConsole = (lines: KtapNode["lines"]): string => (lines.length === 0 ? "" : `${printed(lines)}\n`);
    if (isGood(verdict)) return { failures: verdict === "xfail" ? failures : [], console: toConsole(verdict === "xfail" ? rest : node.lines) };
    // What our own reports say of a test without failures is made of its verdict.
    if (own !== null && failures.every(({ message }) => message.startsWith(OWN_XPASS) || message.startsWith("ended as "))) return { failures: [], console: "" };
    if (failures.length > 0 && node.state === "told") return { failures, console: toConsole(rest) };
    const kinds: Partial<Record<Verdict, "timeout" | "hung" | "error">> = { timeout: "timeout", hung: "hung", error: "error", crash: "error" };
    const { told = [], text = [] } = Object.groupBy(rest, ({ kind }) => (kind === "text" ? "text" : "told"));
    const details = told.map((line) => line.text);
    return { failures: [...failures, makeFailure(kinds[verdict] ?? "fail", messageOf(node, isGroup), { details })], console: toConsole(text) };
  }

  function testOf(head: Head, test: string, row: string | null, node: KtapNode, isGroup = false): TestFinished {
    const verdict = verdictOf(node);
    const told = failuresOf(node, verdict, isGroup);
    const ownInfos = own === null ? [] : node.lines.flatMap(({ text }) => readInfo(text));
    const isFixed = node.directive?.kind === "TODO" && node.isOk;
    const line = head.file === file ? node.line : (told.failures[0]?.frame?.line ?? 1);
    return {
      type: "test-finished",
      id: `${head.file}::${head.suite}::${test}${row === null ? "" : `[${row}]`}@${head.target}/${head.engine}`,
      ...head,
      line,
      test,
      row,
      verdict,
      reason: reasonOf(node, verdict),
      promised: false,
      checks: 0,
      failures: told.failures,
      infos: isFixed ? [{ file: head.file, line, text: "marked TODO, and passes" }, ...ownInfos] : ownInfos,
      console: own === null ? told.console : "",
      tags: node.lines.some(({ text }) => SPEED.test(text)) ? ["slow"] : [],
      guestNs: Math.round(node.seconds * 1e9),
      instructions: 0,
      wallMs: seconds(node.metadata.get("ktap_duration")) * 1000,
      wallStartMs: 0,
      wallWorker: 0,
      repro: own === null ? "" : (node.lines.flatMap(({ text }) => OWN_RERUN.exec(text)?.[1] ?? []).at(-1) ?? ""),
    };
  }

  function readInfo(text: string): TestFinished["infos"] {
    const [, said, path, line] = OWN_INFO.exec(text) ?? [];
    return said === undefined || path === undefined ? [] : [{ file: path, line: Number(line), text: said }];
  }

  function testsOf(
    head: Head,
    nodes: readonly KtapNode[],
  ): { readonly tests: readonly TestFinished[]; readonly plan: { test: string; rows: number | null }[] } {
    const unique = createNames();
    const plan: { test: string; rows: number | null }[] = [];
    const tests = nodes.flatMap((node) => {
      const test = unique(nameOf(node.name));
      if (node.children.length === 0) {
        plan.push({ test, rows: null });
        return [testOf(head, test, null, node)];
      }
      const uniqueRow = createNames();
      const rows = rowsOf(node, "").map(([row, of]) => testOf(head, test, uniqueRow(nameOf(row)), of, row.endsWith(ITSELF)));
      plan.push({ test, rows: rows.length });
      return rows;
    });
    return { tests, plan };
  }

  function suiteOf(given: Head, { tests, plan }: ReturnType<typeof testsOf>): readonly RunEvent[] {
    suites.push({ name: given.suite, file: given.file, target: given.target, engine: given.engine, tests: tests.length });
    for (const { verdict } of tests) counts[verdict]++;
    const verdict = worst(tests.map((test) => test.verdict));
    const wallMs = tests.reduce((sum, test) => sum + test.wallMs, 0);
    return [{ type: "suite-started", ...given, tests: tests.length, plan }, ...tests, { type: "suite-finished", ...given, verdict, wallMs }];
  }

  function uniqueHead(head: Head): Head {
    return { ...head, suite: uniqueSuite(head.suite, `${head.file}\0${head.target}\0${head.engine}`) };
  }

  /** A top result with others below it. */
  function takeSuite(node: KtapNode): readonly RunEvent[] {
    const head = uniqueHead(headOf(node));
    const { tests, plan } = testsOf(head, node.children);
    if (!failsAlone(node)) return suiteOf(head, { tests, plan });
    const alone = testOf(head, ITSELF, null, node, true);
    return suiteOf(head, { tests: [...tests, alone], plan: [...plan, { test: ITSELF, rows: null }] });
  }

  function take({ nodes, problems: found }: KtapStep): readonly RunEvent[] {
    problemCount += found.length;
    problems.push(...found.slice(0, Math.max(0, MAX_PROBLEMS - problems.length)));
    return nodes.flatMap((node) => {
      if (node.children.length > 0) return takeSuite(node);
      leaves.push(node);
      return [];
    });
  }

  /** What the document did against its format, as one result. */
  function protocolTest(head: Head): TestFinished | null {
    if (problems.length === 0) return null;
    const isFatal = problems.some(({ name }) => ALWAYS_BAD.has(name));
    const names = [...new Set(problems.map(({ name }) => name))].join(", ");
    const base = testOf(head, PROTOCOL, null, {
      name: PROTOCOL,
      isOk: true,
      directive: isLenient && !isFatal ? { kind: "SKIP", reason: `${problemCount} problem${problemCount === 1 ? "" : "s"} of the document: ${names}` } : null,
      data: "",
      state: "told",
      line: Math.max(1, problems[0]?.line ?? 1),
      children: [],
      header: [],
      lines: [],
      metadata: new Map(),
      seconds: 0,
    });
    if (isLenient && !isFatal) {
      return { ...base, infos: problems.map(({ name, message, line }) => ({ file: head.file, line: Math.max(1, line), text: `${name}: ${message}` })) };
    }
    const untold = problemCount - problems.length;
    const failures = problems.map(({ name, message, line, context }, at) => {
      const text = context.at(-1) ?? "";
      const column = text.length - text.trimStart().length + 1;
      const lines = context.map((shown, index) => ({ number: line - context.length + 1 + index, text: shown }));
      const frame = context.length === 0 ? null : { path: head.file, line, column, endColumn: Math.max(column, text.trimEnd().length) + 1, label: "", lines };
      const details = at === problems.length - 1 && untold > 0 ? [`and ${untold} more problems`] : [];
      return makeFailure("error", `${name}: ${message}`, { frame, details, hints: [KTAP_PROBLEMS[name]] });
    });
    return { ...base, verdict: "error", failures };
  }

  return {
    push(line) {
      const step = parser.push(line);
      if (step.isStart) own = null;
      if (step.nodes.length > 0 && own === null) readOwn();
      return take(step);
    },
    end() {
      const step = parser.end();
      if (step.nodes.length > 0 && own === null) readOwn();
      const events = [...take(step)];
      const head = uniqueHead(foreignHead(withoutExtension(file)));
      const { tests, plan } = testsOf(head, leaves);
      const protocol = protocolTest(head);
      if (tests.length > 0 || protocol !== null) {
        const all = protocol === null ? tests : [...tests, protocol];
        events.push(...suiteOf(head, { tests: all, plan: protocol === null ? plan : [...plan, { test: PROTOCOL, rows: null }] }));
      }
      const isRed = Object.entries(counts).some(([verdict, count]) => count > 0 && !isGood(verdict as Verdict));
      const started: RunStarted = {
        type: "run-started",
        version: EVENT_VERSION,
        tool: own?.tool ?? options.tool,
        seed: own?.seed ?? "",
        targets: [...new Set(suites.map(({ target }) => target))],
        suites,
        tests: suites.reduce((sum, suite) => sum + suite.tests, 0),
        deselected: 0,
        startedAt,
      };
      const finished: RunFinished = {
        type: "run-finished",
        counts,
        notRun: 0,
        interrupted: false,
        exitCode: isRed ? 1 : 0,
        wallMs: options.now() - since,
        wallBoots: [],
        finishedAt: options.date(),
      };
      return { events, started, finished };
    },
  };
}
