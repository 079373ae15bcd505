// `guestspec parse` on logs of every shape that consoles give, each with its golden: the tree of verdicts, read strictly, and what leniency
// changes. The logs follow what kunit_tool's parser is tested with, and go on where it gives up. What we write must come back as it was.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import type { RunEvent, TestFinished } from "../../runtime/events.ts";
import { createKtapRun, type KtapRun } from "../../runtime/ktap/ktap-events.ts";
import { createKtapParser } from "../../runtime/ktap/ktap-parser.ts";
import { oneLine } from "../../runtime/reporters/ktap-dialects.ts";
import { report } from "../fixtures/memory-sink.ts";
import { interruptRun, recordedRun } from "../fixtures/recorded-run.ts";
import { goldenFolder, goldenInputs } from "../goldens.ts";

function open(file: string, isLenient = false): KtapRun {
  return createKtapRun({ file, tool: "guestspec", isLenient, now: () => 0, date: () => "2026-01-01T00:00:00.000Z" });
}

interface Parsed {
  readonly events: readonly RunEvent[];
  readonly exitCode: number;
}

function parse(text: string, file: string, isLenient = false): Parsed {
  const run = open(file, isLenient);
  const events = text
    .replace(/\n$/, "")
    .split("\n")
    .flatMap((line) => run.push(line));
  const end = run.end();
  return { events: [end.started, ...events, ...end.events, end.finished], exitCode: end.finished.exitCode };
}

function testsOf(events: readonly RunEvent[]): readonly TestFinished[] {
  return events.filter((event) => event.type === "test-finished");
}

function showTest(test: TestFinished): string[] {
  const name = `${test.test}${test.row === null ? "" : `[${test.row}]`}`;
  const notes = [
    test.reason ?? "",
    ...test.tags.map((tag) => `@${tag}`),
    test.guestNs === 0 ? "" : `${test.guestNs / 1e6} ms`,
    test.wallMs === 0 ? "" : `wall ${test.wallMs} ms`,
  ];
  const shown = notes.filter((note) => note !== "").join(", ");
  return [
    `  ${test.verdict.padEnd(7)} ${name} (line ${test.line})${shown === "" ? "" : `: ${shown}`}`,
    ...test.failures.flatMap(({ kind, message, frame, details }) => [
      `          ${kind}: ${message}${frame === null ? "" : ` at ${frame.path}:${frame.line}`}`,
      ...details.map((line) => `            ${line}`),
    ]),
    ...test.infos.map(({ line, text }) => `          info: ${text} (line ${line})`),
    ...(test.console === "" ? [] : test.console.trimEnd().split("\n")).map((line) => `          | ${line}`),
  ];
}

function show({ events, exitCode }: Parsed): string {
  const lines = events.flatMap((event) => {
    if (event.type === "suite-started")
      return [`${event.suite} (${event.target}/${event.engine}), ${event.tests} of ${event.plan.map(({ test, rows }) => `${test}:${rows ?? "-"}`).join(" ")}`];
    return event.type === "test-finished" ? showTest(event) : [];
  });
  return [...lines, `exit ${exitCode}`].map((line) => `${line.trimEnd()}\n`).join("");
}

goldenFolder({
  name: "logs",
  folder: "tests/ktap/logs",
  inputs: [".console"],
  expected: ".tree",
  produce({ path, text }) {
    const file = path.split("/").at(-1) ?? path;
    const strict = show(parse(text, file));
    const lenient = show(parse(text, file, true));
    return strict === lenient ? strict : `${strict}\nlenient:\n${lenient}`;
  },
});

const logs = goldenInputs("tests/ktap/logs", [".console"]);

describe("whatever is cut off", () => {
  for (const { path, text } of logs.filter(({ text: log }) => parse(log, "x.log").exitCode === 0 && /^[^\n]*TAP version|\n[^\n]*TAP version/.test(log))) {
    // Without plans nobody can tell that something is missing.
    if (/missing-plan|kernel-output|two-documents/.test(path)) continue;
    test(`${path} is not green before its last result`, () => {
      const lines = text.trimEnd().split("\n");
      const last = lines.findLastIndex((line) => /\b(?:not )?ok \d|1\.\.0/.test(line));
      for (let length = 0; length < last; length++) assert.equal(parse(lines.slice(0, length).join("\n"), "x.log").exitCode, 1, `${length} lines`);
      assert.equal(parse(lines.slice(0, last + 1).join("\n"), "x.log").exitCode, 0);
    });
  }
});

test("a suite is told when its line comes, not later", () => {
  const run = open("x.log");
  const seen = ["KTAP version 1", "1..2", "  KTAP version 1", "  # Subtest: s", "  1..1", "  ok 1 t", "ok 1 s"].map((line) => run.push(line).length);
  assert.deepEqual(seen, [0, 0, 0, 0, 0, 0, 3]);
});

test("lines that are no KTAP change nothing but the text that is kept", () => {
  const noise = ["", "random text", "    more # text", "okay", "1.2.3", "not okay", "[  0.1] x", "KTAP version one"];
  const chosen = logs.filter(({ path: name }) => /all-passed\.|failure\.|deep/.test(name));
  assert.ok(chosen.length >= 3, `${chosen.length} logs`);
  for (const { path, text } of chosen) {
    const noisy = text
      .split("\n")
      .flatMap((line, at) => [line, noise[at % noise.length] ?? ""])
      .join("\n");
    const verdicts = (log: string): string[] => testsOf(parse(log, path).events).map(({ id, verdict }) => `${verdict} ${id}`);
    assert.notEqual(verdicts(text).length, 0, path);
    assert.deepEqual(verdicts(noisy), verdicts(text), path);
  }
});

test("an unreadable pile of lines ends in an error, not in a crash of ours", () => {
  const words = [
    "KTAP version 1",
    "TAP version 13",
    "1..2",
    "ok 1 a",
    "not ok 2 b # SKIP",
    "# Subtest: x",
    "#:ktap_test: y",
    "Bail out!",
    "  ---",
    "  ...",
    "text",
    "Oops",
  ];
  let state = 1;
  const next = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
  for (let round = 0; round < 400; round++) {
    const lines = Array.from({ length: next(40) }, () => `${" ".repeat(next(4) * 2)}${"# ".repeat(next(8) === 0 ? 1 : 0)}${words[next(words.length)] ?? ""}`);
    const { events } = parse(lines.join("\n"), "x.log");
    const ids = testsOf(events).map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length, lines.join("\n"));
    const planned = events.reduce((sum, event) => sum + (event.type === "suite-started" ? event.tests : 0), 0);
    assert.equal(planned, ids.length, lines.join("\n"));
  }
});

test("a parser keeps no more than it must", () => {
  const parser = createKtapParser();
  parser.push("KTAP version 1");
  for (let at = 0; at < 20_000; at++) parser.push(`noise ${at}`);
  const { nodes } = parser.push("ok 1 x");
  assert.equal(nodes.length, 1);
  assert.ok((nodes[0]?.lines.length ?? 0) <= 4096);
});

const ROUND_TRIPS: readonly (readonly [name: string, events: readonly RunEvent[]])[] = [
  ["the recorded run", recordedRun],
  ["an interrupted run", interruptRun(recordedRun)],
];

for (const dialect of ["ktap", "ktap-kernel", "ktap2", "tap14"])
  for (const [name, events] of ROUND_TRIPS)
    test(`${name} comes back from our ${dialect}: ids, verdicts, reasons`, async () => {
      // What a line cannot hold as such comes back as it was shown.
      const tell = ({ id, verdict, reason }: TestFinished): string => `${verdict} ${id}: ${reason ?? ""}`;
      const back = parse(await report(dialect, events), "run.ktap");
      const wanted = testsOf(events).map((event) => oneLine(tell(event)));
      const found = testsOf(back.events).map((event) => oneLine(tell(event)));
      // What an interruption left out is told as such.
      assert.deepEqual(found.slice(0, wanted.length), wanted);
      assert.deepEqual(
        testsOf(back.events)
          .slice(wanted.length)
          .filter(({ reason }) => reason !== "not run"),
        [],
      );
      assert.equal(back.exitCode, 1);
      const [start] = back.events;
      assert.deepEqual(start?.type === "run-started" ? [start.tool, start.seed] : [], ["guestspec 0.1.0", "7f3a"]);
    });

test("the formats that begin with a plan take a foreign log", async () => {
  const { events } = parse(readFileSync(new URL("logs/panic.console", import.meta.url), "utf8"), "panic.log");
  for (const name of ["ktap", "junit", "ctrf", "github", "human", "ndjson"]) assert.match(await report(name, events), /writes/, name);
});
