// Every reporter on the recorded run: against its golden file, and against the rules of its format.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Ajv } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import { REPORTER } from "../../bin/commands/option-rows.ts";
import { EVENT_VERSION, VERDICTS, type RunEvent } from "../../runtime/events.ts";
import { createReporter, REPORTER_NAMES } from "../../runtime/reporters/index.ts";
import { HIDDEN } from "../../runtime/reporters/terminal-text.ts";
import { createMemorySink, report } from "../fixtures/memory-sink.ts";
import { interleaveSuites, interruptRun, recordedRun } from "../fixtures/recorded-run.ts";
import { compareGolden } from "../goldens.ts";
import { ctrfSchema } from "./ctrf-schema.ts";
import { checkKtap, type KtapResult } from "./ktap-checker.ts";
import { checkTap } from "./tap-checker.ts";

const here = new URL("./", import.meta.url);

/** Broken off in the third suite, without `run-finished`: what a killed process leaves. */
function breakRun(): readonly RunEvent[] {
  return interruptRun(recordedRun).slice(0, -1);
}

const goldens: readonly (readonly [file: string, write: () => Promise<string>])[] = [
  ["human.txt.golden", () => report("human", recordedRun)],
  ["human-verbose.txt.golden", () => report("human", recordedRun, { verbose: true })],
  ["human-color.txt.golden", () => report("human", recordedRun, {}, createMemorySink({ color: true, isTty: true, columns: 100 }))],
  ["human-interrupted.txt.golden", () => report("human", interruptRun(recordedRun))],
  ["run.ktap.golden", () => report("ktap", recordedRun)],
  ["interrupted.ktap.golden", () => report("ktap", interruptRun(recordedRun))],
  ["kernel.ktap.golden", () => report("ktap-kernel", recordedRun)],
  ["run.ktap2.golden", () => report("ktap2", recordedRun)],
  ["run.tap14.golden", () => report("tap14", recordedRun)],
  ["run.tap13.golden", () => report("tap13", recordedRun)],
  // As JSON: consoles hold carriage returns, which version control would not keep.
  ["raw.json.golden", async () => `${JSON.stringify(await report("raw", recordedRun))}\n`],
  ["junit.xml.golden", () => report("junit", recordedRun)],
  ["ctrf.json.golden", () => report("ctrf", recordedRun)],
  ["run.ndjson.golden", () => report("ndjson", recordedRun)],
  ["trace.json.golden", () => report("trace", recordedRun)],
  ["github.txt.golden", () => report("github", recordedRun)],
  [
    "github-summary.md.golden",
    async () => {
      let summary = "";
      await report("github", recordedRun, { summary: { write: (text) => void (summary += text) } });
      return summary;
    },
  ],
];

for (const [file, write] of goldens)
  test(`the recorded run as ${file}`, async () => {
    compareGolden(`tests/report/${file}`, await write());
  });

test("the recorded run has every verdict and every kind of failure", () => {
  const results = recordedRun.filter((event) => event.type === "test-finished");
  assert.deepEqual(
    VERDICTS.filter((verdict) => !results.some((result) => result.verdict === verdict)),
    [],
  );
  const kinds = ["check", "assert", "fail", "trap", "timeout", "deadlock", "stack-overflow", "double-fault", "setup", "teardown", "hung", "error"];
  const seen = new Set<string>(results.flatMap(({ failures }) => failures.map(({ kind }) => kind)));
  assert.deepEqual(
    kinds.filter((kind) => !seen.has(kind)),
    [],
  );
});

test("every reporter in the table survives a run that broke off, and one that never began", async () => {
  for (const name of REPORTER_NAMES.filter((candidate) => candidate !== "tui")) {
    const broken = await report(name, breakRun());
    assert.ok(broken.length > 0, name);
    await report(name, []);
  }
});

test("the help of --reporter names every reporter", () => {
  const [names = ""] = REPORTER.help.split(";");
  assert.deepEqual(names.split(", "), REPORTER_NAMES);
});

test("what turns the order of a line is in no report as such, and JSON and XML keep it", async () => {
  const hidden = new RegExp(HIDDEN.source, "u");
  assert.match(JSON.stringify(recordedRun), hidden);
  // `raw` is what guests printed.
  for (const name of REPORTER_NAMES.filter((candidate) => candidate !== "tui" && candidate !== "raw"))
    assert.doesNotMatch(await report(name, recordedRun), hidden, name);
  const lines = (await report("ndjson", recordedRun)).trimEnd().split("\n");
  assert.deepEqual(
    lines.map((line) => JSON.parse(line) as RunEvent),
    recordedRun,
  );
  assert.match(await report("junit", recordedRun), /<testcase name="a \| table ` &lt;b&gt;cell&lt;\/b&gt;\[\]\]&gt; \[31mred\[0m &#x202e;deb&#x202c;\]/);
});

test("a reason cannot turn a failure into a skip for kunit.py", async () => {
  const skips = (await report("ktap", recordedRun)).split("\n").filter((line) => /^ *(not )?ok .* # SKIP/.test(line));
  assert.deepEqual(
    skips.filter((line) => !/^ *ok \d+ [^#]+ # SKIP/.test(line)),
    [],
  );
});

test("live events leave no trace in any report", async () => {
  const [first, ...rest] = recordedRun;
  assert.ok(first !== undefined);
  const live: RunEvent[] = [
    { type: "test-running", id: "x", title: "x", worker: 1 },
    { type: "test-status", worker: 1, id: "x", guest: { pc: "0x0", guestNs: 1, console: "" } },
  ];
  for (const name of REPORTER_NAMES.filter((candidate) => candidate !== "tui"))
    assert.equal(await report(name, [first, ...live, ...rest]), await report(name, recordedRun), name);
});

// --- KTAP

function flatten(results: readonly KtapResult[]): KtapResult[] {
  return results.flatMap((result) => [result, ...flatten(result.children)]);
}

test("KTAP is strict version 1, also when the run is interrupted or broken off", async () => {
  for (const events of [recordedRun, interruptRun(recordedRun), breakRun()]) {
    const suites = checkKtap(await report("ktap", events));
    assert.equal(suites.length, 7);
    assert.ok(suites.some(({ isOk }) => !isOk));
  }
});

test("the kernel's KTAP is the same but for its blanks", async () => {
  const kernel = await report("ktap-kernel", recordedRun);
  assert.deepEqual(checkKtap(kernel, { version: 1, step: 4 }), checkKtap(await report("ktap", recordedRun)));
});

test("KTAP 2 has its metadata, and the tree of KTAP 1", async () => {
  for (const events of [recordedRun, interruptRun(recordedRun), breakRun()])
    assert.deepEqual(checkKtap(await report("ktap2", events), { version: 2, step: 2 }), checkKtap(await report("ktap", events)));
  assert.match(await report("ktap2", recordedRun), /^ {2}#:ktap_test: add\n {2}#:ktap_duration: 0\.000021s\n/m);
});

test("TAP 14 nests as KTAP does; TAP 13 has every case in one list", async () => {
  const shape = (points: readonly { readonly children: readonly object[] }[]): number[] => points.map(({ children }) => children.length);
  for (const events of [recordedRun, interruptRun(recordedRun), breakRun()]) {
    const nested = checkTap(await report("tap14", events), 14);
    assert.deepEqual(shape(nested), shape(checkKtap(await report("ktap", events))));
    const flat = checkTap(await report("tap13", events), 13);
    assert.equal(flat.length, recordedRun.filter(({ type }) => type === "test-finished").length);
    assert.ok(flat.some(({ isGood }) => !isGood));
  }
  const [alu] = checkTap(await report("tap14", recordedRun), 14);
  const borrow = alu?.children[1];
  assert.deepEqual(
    borrow?.children.map(({ isGood, directive }) => [isGood, directive]),
    [
      [true, null],
      [false, null],
      [true, "TODO"],
    ],
  );
  assert.ok(borrow.children[1]?.yaml.includes("verdict: fail"));
});

test("KTAP shows rows as subtests and each verdict by its directive", async () => {
  const suites = checkKtap(await report("ktap", recordedRun));
  const alu = suites[0];
  assert.deepEqual(
    alu?.children.map(({ name, isOk, children }) => [name, isOk, children.length]),
    [
      ["add", true, 0],
      ["sub and borrow", false, 3],
      ["div", true, 0],
    ],
  );
  const all = flatten(suites);
  const directiveOf = (name: string): string | null | undefined => all.find((result) => result.name === name)?.directive;
  assert.equal(directiveOf("carry chain"), "XFAIL");
  assert.equal(directiveOf("factorial ends"), "TIMEOUT");
  assert.equal(directiveOf("holds the host"), "TIMEOUT");
  assert.equal(directiveOf("engine fails"), "ERROR");
  assert.equal(directiveOf("must run"), "SKIP");
  assert.equal(directiveOf("other machine"), "SKIP");
  const bugs = all.find(({ name }) => name === "known bug");
  assert.deepEqual([bugs?.isOk, bugs?.directive], [false, null]);
});

test("KTAP of suites that run at the same time is that of suites one after the other", async () => {
  assert.equal(await report("ktap", interleaveSuites(recordedRun)), await report("ktap", recordedRun));
});

test("KTAP is written as results come", async () => {
  const sink = createMemorySink();
  const cut = recordedRun.slice(0, 5);
  const [{ createKtapReporter }, { DIALECTS }] = await Promise.all([
    import("../../runtime/reporters/ktap.ts"),
    import("../../runtime/reporters/ktap-dialects.ts"),
  ]);
  const reporter = createKtapReporter(sink, DIALECTS.ktap);
  for (const event of cut) reporter.handle(event);
  assert.match(sink.text, /^ {4}not ok 2 wraps below zero$/m);
});

test("what KTAP does not reach is never green by omission", async () => {
  const suite = { suite: "s", file: "s.gspec", target: "virt", engine: "wasm" };
  const events: RunEvent[] = [
    {
      type: "run-started",
      version: EVENT_VERSION,
      tool: "t",
      seed: "1",
      targets: ["virt"],
      suites: [{ name: "s", file: "s.gspec", target: "virt", engine: "wasm", tests: 3 }],
      tests: 3,
      deselected: 0,
      startedAt: "2026-01-01T00:00:00Z",
    },
    {
      type: "suite-started",
      ...suite,
      tests: 3,
      plan: [
        { test: "a", rows: null },
        { test: "b", rows: 2 },
      ],
    },
  ];
  const [result] = checkKtap(await report("ktap", events));
  assert.equal(result?.isOk, false);
  assert.deepEqual(
    result?.children.map(({ isOk, directive }) => [isOk, directive]),
    [
      [false, "ERROR"],
      [false, "ERROR"],
    ],
  );
});

// --- JUnit

function lint(xml: string): { status: number | null; stderr: string } {
  const { status, stderr, error } = spawnSync("xmllint", ["--noout", "--schema", fileURLToPath(new URL("junit.xsd", here)), "-"], {
    input: xml,
    encoding: "utf8",
  });
  if (error !== undefined) throw error;
  return { status, stderr };
}

const hasXmllint = spawnSync("xmllint", ["--version"]).error === undefined;

test("JUnit validates, also when interrupted or broken off", { skip: hasXmllint ? false : "xmllint is not installed" }, async () => {
  for (const events of [recordedRun, interruptRun(recordedRun), breakRun(), []]) {
    const { status, stderr } = lint(await report("junit", events));
    assert.equal(status, 0, stderr);
  }
});

test("JUnit counts what it contains", async () => {
  const xml = await report("junit", recordedRun);
  const count = (pattern: RegExp): number => [...xml.matchAll(pattern)].length;
  const [, tests, failures, errors, skipped] = /<testsuites name="guestspec" tests="(\d+)" failures="(\d+)" errors="(\d+)" skipped="(\d+)"/.exec(xml) ?? [];
  assert.deepEqual([tests, failures, errors, skipped].map(Number), [count(/<testcase /g), count(/<failure /g), count(/<error /g), count(/<skipped /g)]);
  const sum = (name: string): number =>
    [...xml.matchAll(new RegExp(`<testsuite .*? ${name}="(\\d+)"`, "g"))].reduce((total, match) => total + Number(match[1]), 0);
  assert.equal(sum("tests"), Number(tests));
  assert.equal(sum("errors"), Number(errors));
});

test("an incomplete run is an error in JUnit", async () => {
  assert.match(await report("junit", breakRun()), /<error type="interrupted" message="the run broke off: 19 tests not run"\/>/);
  assert.match(await report("junit", interruptRun(recordedRun)), /<error type="interrupted" message="interrupted: 19 tests not run"\/>/);
  assert.doesNotMatch(await report("junit", recordedRun), /type="interrupted"/);
});

test("runs before the one that counts are marked in JUnit as Surefire does", async () => {
  const xml = await report("junit", recordedRun);
  const caseOf = (name: string): string => new RegExp(`<testcase name="${name}[^]*?</testcase>`).exec(xml)?.[0] ?? "";
  const flaky = caseOf("second try");
  assert.match(flaky, /<flakyError type="hung" message="no answer for 20 s"\/>/);
  assert.doesNotMatch(flaky, /<(failure|error|rerun)/);
  assert.match(flaky, /<property name="attempts" value="hung, pass"\/>/);
  assert.match(caseOf("not twice the same"), /<error type="nondeterministic"[^]*<rerunFailure type="fail"/);
  // All runs alike: nothing has to be said but how many.
  assert.doesNotMatch(caseOf("unchanged"), /<(failure|error|rerun|flaky)/);
});

// --- HTML

test("the page of HTML holds records by the line, and nothing that could end their element or ask for a file", async () => {
  const html = await report("html", recordedRun);
  const [, records = ""] = /<script type="application\/x-ndjson" id="records">\n([^]*?)<\/script>/.exec(html) ?? [];
  const types = records
    .trimEnd()
    .split("\n")
    .map((line) => (JSON.parse(line) as { type: string }).type);
  const count = (type: string): number => types.filter((each) => each === type).length;
  const results = recordedRun.filter((event) => event.type === "test-finished");
  assert.deepEqual([types[0], types.at(-1), count("suite"), count("test")], ["run", "end", 7, results.length]);
  assert.doesNotMatch(records, /</);
  assert.doesNotMatch(html, /\b(src|srcset|action)=|href="(?!#)|@import url|url\(/);
  assert.match(html, /<noscript><pre>[^]*14 failures:[^]*Summary {2}30 tests[^]*<\/pre><\/noscript>\n<\/body>\n<\/html>\n$/);
});

test("coverage is a part of the page when there is some", async () => {
  const withCoverage = await report("html", recordedRun);
  assert.match(withCoverage, /<section id="coverage"[^]*2 of 3[^]*<span class="miss">[^]*return b<\/span>/);
  assert.match(withCoverage, /never: else/);
  assert.match(withCoverage, /status\.irq_enable<\/th>.*never touched/);
  const without = recordedRun.filter(({ type }) => type !== "coverage-measured");
  assert.doesNotMatch(await report("html", without), /<section id="coverage"/);
});

// --- Trace

interface Slice {
  readonly ph: string;
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  readonly ts?: number;
  readonly dur?: number;
  readonly cat?: string;
}

test("a trace has a slice for each test and boot, on the thread of its worker", async () => {
  const slices = JSON.parse(await report("trace", recordedRun)) as readonly Slice[];
  const results = recordedRun.filter((event) => event.type === "test-finished");
  const tests = slices.filter(({ ph, cat }) => ph === "X" && cat !== "boot");
  assert.equal(tests.length, results.length);
  assert.deepEqual(
    tests.map(({ ts, dur }) => [ts, dur]),
    results.map(({ wallStartMs, wallMs }) => [wallStartMs, wallMs].map((ms) => Math.round(ms * 1e6) / 1000)),
  );
  assert.equal(slices.filter(({ cat }) => cat === "boot").length, 2);
  const threads = new Set(slices.filter(({ name }) => name === "thread_name").map(({ tid }) => tid));
  assert.ok(slices.every(({ ph, tid }) => ph !== "X" || threads.has(tid)));
  assert.equal(threads.size, new Set(results.map(({ engine, wallWorker }) => `${engine} ${wallWorker}`)).size);
});

test("a trace is there as results come, but for its last bracket", async () => {
  const sink = createMemorySink();
  const reporter = await createReporter("trace", sink);
  for (const event of recordedRun.slice(0, 6)) reporter?.handle(event);
  assert.equal((JSON.parse(`${sink.text}]`) as readonly Slice[]).filter(({ ph }) => ph === "X").length, 4);
});

// --- CTRF

test("CTRF validates, also when interrupted or broken off", async () => {
  const validate = new Ajv({ strict: true, allErrors: true }).compile(ctrfSchema);
  for (const events of [recordedRun, interruptRun(recordedRun), breakRun(), []]) {
    const document: unknown = JSON.parse(await report("ctrf", events));
    assert.ok(validate(document), JSON.stringify(validate.errors));
  }
});

test("CTRF ids are unique and the same in every run", async () => {
  const ids = (text: string): string[] => (JSON.parse(text) as { results: { tests: { id: string }[] } }).results.tests.map(({ id }) => id);
  const first = ids(await report("ctrf", recordedRun));
  assert.equal(new Set(first).size, first.length);
  assert.deepEqual(ids(await report("ctrf", interruptRun(recordedRun))), first.slice(0, 11));
});

// --- NDJSON and its schema

const schema = JSON.parse(readFileSync(new URL("../../schemas/run-events.schema.json", here), "utf8")) as {
  readonly $defs: Readonly<Record<string, { readonly properties?: object; readonly required?: readonly string[] }>>;
};

test("each line of NDJSON is an event by the schema", async () => {
  const validate = new Ajv2020({
    strict: true,
    strictTypes: false,
    strictRequired: false,
    allErrors: true,
    discriminator: true,
    allowUnionTypes: true,
  }).compile(schema);
  const lines = (await report("ndjson", recordedRun)).trimEnd().split("\n");
  assert.equal(lines.length, recordedRun.length);
  for (const line of lines) {
    const event: unknown = JSON.parse(line);
    assert.ok(validate(event), `${line}\n${JSON.stringify(validate.errors)}`);
  }
  const result = recordedRun.find((event) => event.type === "test-finished");
  assert.ok(!validate({ ...result, verdict: "ok" }), "an unknown verdict");
  assert.ok(!validate({ ...result, surprise: 1 }), "an unknown key");
  assert.ok(!validate({ type: "test-running", id: "x", title: "x", worker: 1 }), "a live event");
});

test("the schema has the fields of runtime/events.ts, no more and no fewer", () => {
  const source = readFileSync(new URL("../../runtime/events.ts", here), "utf8");
  const interfaces = [...source.matchAll(/^export interface (\w+) \{\n([\s\S]*?)^\}/gm)];
  assert.ok(interfaces.length >= 8);
  for (const [, name = "", body = ""] of interfaces) {
    const fields = [...body.matchAll(/^ {2}readonly (\w+)(\??):/gm)];
    const definition = schema.$defs[name];
    assert.ok(definition !== undefined, `the schema lacks ${name}`);
    assert.deepEqual(
      Object.keys(definition.properties ?? {}),
      fields.map(([, field]) => field),
      name,
    );
    const required = fields.filter(([, , optional]) => optional === "").map(([, field]) => field);
    assert.deepEqual(definition.required, required, name);
  }
  assert.deepEqual((schema.$defs.Verdict as { enum?: unknown } | undefined)?.enum, VERDICTS);
});
