// Reporter for node:test: a line for each file, failures with their cause where they happen and once more, cut, at the end, then
// `N passed, N failed` (and `, N skipped`) as the last line. Under tools/test.mjs, which adds up several runs, counts and failures go to
// descriptor 3 as JSON instead, and the caller prints them.
import { writeSync } from "node:fs";
import { relative } from "node:path";
import { inspect } from "node:util";

const countsDescriptor = Number(process.env.GUESTSPEC_TEST_COUNTS ?? 0);
delete process.env.GUESTSPEC_TEST_COUNTS;

export function closingLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

/** Servers keep the last 100 lines of a log. What is printed behind the closing list (lint, and what npm says of a failure) needs some. */
const LIST_LINES = 85;
const MOST_LINES = 15;
const LONGEST_LINE = 300;

const cutLine = (line) => (line.length <= LONGEST_LINE ? line : `${line.slice(0, LONGEST_LINE)}... and ${line.length - LONGEST_LINE} more characters`);

/** The first lines, which say what was expected, and the last ones, which a tool that was run wrote last. */
export function cutText(text, most) {
  const lines = text.trim().split("\n");
  if (lines.length <= most) return lines.map(cutLine);
  const last = Math.floor(most / 3);
  const first = Math.max(1, most - last - 1);
  return [...lines.slice(0, first), ...(most < 3 ? [] : [`... ${lines.length - first - last} more lines ...`]), ...lines.slice(lines.length - last)].map(
    cutLine,
  );
}

/** Lines of node:assert that every failure of a kind has. */
const SAYS_NOTHING = /^(?:AssertionError \[ERR_ASSERTION\]: Expected values to be [a-z -]*equal:|\+ actual - expected|\s*)$/;

/** What a failure's own lines are, if there are any. */
function ownLines(message) {
  const lines = message.split("\n").filter((line) => !SAYS_NOTHING.test(line));
  return lines.length === 0 ? message : lines.join("\n");
}

/** The closing list of failures `{ name, place, message }`: so much of each that the end of a log is enough to understand them. */
export function failureList(failures) {
  const most = Math.max(1, Math.min(MOST_LINES, Math.floor(LIST_LINES / failures.length) - 2));
  const told = failures.slice(0, Math.floor(LIST_LINES / (most + 2)));
  const texts = told.map(({ name, place: where, message }) => `FAILED ${name}\n${indent([where, ...cutText(ownLines(message), most)].join("\n"))}\n`);
  const others = failures.length - told.length;
  return `${failures.length} failure${failures.length === 1 ? "" : "s"}:\n${texts.join("")}${others === 0 ? "" : `... and ${others} more, above\n`}`;
}

function place({ file, line }) {
  if (file === undefined) return "";
  const path = relative(process.cwd(), file);
  return line === undefined ? path : `${path}:${line}`;
}

/** The error a test threw, without node:test's wrapping and without stack lines that lie in Node itself. */
function explain(error) {
  const cause = error.code === "ERR_TEST_FAILURE" && error.cause !== undefined ? error.cause : error;
  if (typeof cause === "string") return cause;
  const text = cause instanceof Error ? (cause.stack ?? cause.message) : inspect(cause, { depth: 6 });
  return text
    .split("\n")
    .filter((line) => !/^\s+at .*\(?node:/.test(line))
    .join("\n");
}

/** Without the calls, of which the test's own is the place. */
const withoutCalls = (text) => text.replace(/(?:\n\s+at [^\n]*)+\s*$/, "");

const indent = (text) => text.replace(/^(?=.)/gm, "    ");

/** Node's own counts, which it sends as diagnostics. */
const isSummary = (message) => /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/.test(message);

/** A suite or parent test fails with each of its children; only the innermost failure counts and says anything new. */
function isOnlyAnEcho({ details }) {
  return details.error?.failureType === "subtestsFailed";
}

export default async function* closingLineReporter(source) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const failures = [];
  const parents = [];
  let file = { path: undefined, passed: 0, failed: 0, skipped: 0, milliseconds: 0 };

  const fileLine = () => {
    if (file.path === undefined) return "";
    const verdict = file.failed > 0 ? "not ok" : "ok    ";
    return `${verdict} ${file.path} (${closingLine(file)}, ${Math.round(file.milliseconds)} ms)\n`;
  };

  for await (const { type, data } of source) {
    switch (type) {
      case "test:start":
        parents.length = data.nesting;
        parents[data.nesting] = data.name;
        break;
      case "test:pass":
      case "test:fail": {
        const path = data.file === undefined ? "(no file)" : relative(process.cwd(), data.file);
        if (path !== file.path) {
          yield fileLine();
          file = { path, passed: 0, failed: 0, skipped: 0, milliseconds: 0 };
        }
        if (data.nesting === 0) file.milliseconds += data.details.duration_ms ?? 0;
        if (isOnlyAnEcho(data) || (data.details.type === "suite" && type === "test:pass")) break;
        const isTodo = data.todo !== undefined && data.todo !== false;
        const isSkip = data.skip !== undefined && data.skip !== false;
        const outcome = isSkip || isTodo ? "skipped" : type === "test:pass" ? "passed" : "failed";
        counts[outcome] += 1;
        file[outcome] += 1;
        if (outcome === "failed") {
          const name = [...parents.slice(0, data.nesting), data.name].join(" > ");
          const text = explain(data.details.error);
          failures.push({ name, place: place(data), message: withoutCalls(text) });
          yield `FAILED ${name}\n    ${place(data)}\n${indent(cutText(text, 120).join("\n"))}\n`;
        }
        break;
      }
      case "test:stderr":
      case "test:stdout":
        yield data.message;
        break;
      case "test:diagnostic":
        // Among the others: what a test reports, and errors thrown after their test had ended.
        if (!isSummary(data.message)) yield `    # ${data.message}\n`;
        break;
      default:
        break;
    }
  }
  yield fileLine();
  if (countsDescriptor > 0) {
    writeSync(countsDescriptor, JSON.stringify({ counts, failures }));
    return;
  }
  if (failures.length > 0) yield `\n${failureList(failures)}\n`;
  yield `${closingLine(counts)}\n`;
}
