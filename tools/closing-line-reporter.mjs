// Reporter for node:test: a line for each file, failures with their cause where they happen and by name at the end, then `N passed, N failed`
// (and `, N skipped`) as the last line. Under tools/test.mjs, which adds up several runs, counts and names go to descriptor 3 as JSON
// instead, and the caller prints them.
import { writeSync } from "node:fs";
import { relative } from "node:path";
import { inspect } from "node:util";

const countsDescriptor = Number(process.env.GUESTSPEC_TEST_COUNTS ?? 0);
delete process.env.GUESTSPEC_TEST_COUNTS;

export function closingLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
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
  const lines = text.split("\n").filter((line) => !/^\s+at .*\(?node:/.test(line));
  const longest = 120;
  if (lines.length <= longest) return lines.join("\n");
  return [...lines.slice(0, longest), `... and ${lines.length - longest} more lines`].join("\n");
}

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
          failures.push(`FAILED ${name}\n    ${place(data)}\n`);
          yield `${failures.at(-1)}${indent(explain(data.details.error))}\n`;
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
  if (failures.length > 1) yield `\n${failures.length} failures:\n${failures.join("")}\n`;
  yield `${closingLine(counts)}\n`;
}
