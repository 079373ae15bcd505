// The forms in which a run is told as KTAP or TAP, as data: strict KTAP 1; the same in four blanks, as the kernel writes it; the KTAP 2 draft with
// its metadata; TAP 14; and TAP 13, which has no subtests. What a verdict, a name and a result line look like is asked here by ktap.ts, which
// nests, and by tap13.ts, which does not.
import { isGood, type RunStarted, type TestFinished, type Verdict } from "../events.ts";
import { summariseFailure } from "./failure-block.ts";
import { formatJson } from "./json-text.ts";
import { printable } from "./terminal-text.ts";

export interface KtapDialect {
  readonly version: string;
  /** Each block begins with the version line. */
  readonly repeatsVersion: boolean;
  readonly indent: string;
  /** How a block tells its name: a line inside it, a line of its parent before it, or KTAP 2's metadata. */
  readonly naming: "inside" | "before" | "metadata";
  /** TAP: a hyphen before the description, escapes in it, two directives only, YAML behind a result. */
  readonly isTap: boolean;
}

const KTAP: KtapDialect = { version: "KTAP version 1", repeatsVersion: true, indent: "  ", naming: "inside", isTap: false };

export const DIALECTS = {
  ktap: KTAP,
  kernel: { ...KTAP, indent: "    " },
  ktap2: { ...KTAP, version: "KTAP version 2", naming: "metadata" },
  tap14: { version: "TAP version 14", repeatsVersion: false, indent: "    ", naming: "before", isTap: true },
  tap13: { version: "TAP version 13", repeatsVersion: false, indent: "", naming: "before", isTap: true },
} as const satisfies Record<string, KtapDialect>;

const CONTROLS = /[\p{Cc}\u2028\u2029]+/gu;

/** Controls are blanks; what would turn the order of the line is shown as by other reports. */
export function oneLine(text: string): string {
  return printable(text.replace(CONTROLS, " ").trim());
}

/** Descriptions of KTAP end at `#` or the line's end, and there is no escape. A leading `- ` would be taken for TAP's separator. */
export function sanitiseName(name: string): string {
  const clean = oneLine(name.replace(/#/g, "%23")).replace(/^-(?=\s|$)/, "%2d");
  return clean === "" ? "(unnamed)" : clean;
}

function escapeName(name: string): string {
  const clean = oneLine(name).replace(/[\\#]/g, "\\$&");
  return clean === "" ? "(unnamed)" : clean;
}

export function nameIn(dialect: KtapDialect, name: string): string {
  return dialect.isTap ? escapeName(name) : sanitiseName(name);
}

/** Who wrote the document; logs of others have no seed. */
export function formatTool({ tool, seed }: Pick<RunStarted, "tool" | "seed">): string {
  return `# ${oneLine(tool)}${seed === "" ? "" : `, seed ${oneLine(seed)}`}`;
}

export interface Outcome {
  readonly verdict: Verdict;
  readonly reason: string | null;
}

/** kunit.py takes the last ` # SKIP` of a line for its directive (kunit_parser.py, TEST_RESULT_SKIP), so that a reason could turn a failure into a skip. */
const LATER_DIRECTIVE = /#(?=\s*(?:SKIP|TODO|XFAIL|TIMEOUT|ERROR))/gi;

/** What follows `#` on a result line; `""`: nothing. XFAIL stands on `ok` lines, as the kernel's kselftest.h prints it. */
function directiveOf({ verdict, reason }: Outcome): string {
  const words = reason === null ? "" : oneLine(reason).replace(LATER_DIRECTIVE, "%23");
  const text = words === "" ? "" : ` ${words}`;
  switch (verdict) {
    case "skip":
      return `SKIP${text}`;
    case "xfail":
      return `XFAIL${text}`;
    case "timeout":
      return `TIMEOUT${text}`;
    case "hung":
      return `TIMEOUT hung, ended by the host${text}`;
    case "error":
      return `ERROR${text}`;
    case "xpass":
      return `passed, but was expected to fail${words === "" ? "" : `: ${words}`}`;
    case "crash":
      return `crashed${text}`;
    case "nondeterministic":
      return `not deterministic${text}`;
    case "flaky":
      return `flaky${text}`;
    case "fail":
    case "pass":
      return "";
  }
}

/** TAP has no other; what is lost the YAML block tells. An expected failure is `not ok`, and its TODO makes it good. */
function tapDirectiveOf({ verdict, reason }: Outcome): string {
  const text = reason === null ? "" : ` ${oneLine(reason).replace(/[\\#]/g, "\\$&")}`;
  return verdict === "skip" ? `SKIP${text}` : verdict === "xfail" ? `TODO${text}` : "";
}

export function formatResultLine(dialect: KtapDialect, number: number, name: string, outcome: Outcome): string {
  const isOk = isGood(outcome.verdict) && !(dialect.isTap && outcome.verdict === "xfail");
  const directive = dialect.isTap ? tapDirectiveOf(outcome) : directiveOf(outcome);
  return `${isOk ? "ok" : "not ok"} ${number} ${dialect.isTap ? "- " : ""}${nameIn(dialect, name)}${directive === "" ? "" : ` # ${directive}`}`;
}

/** The YAML block of TAP, behind a result that is not simply good. Strings as JSON writes them are YAML. */
export function formatYaml(test: TestFinished): readonly string[] {
  if (isGood(test.verdict) && test.verdict !== "flaky") return [];
  const [first] = test.failures;
  const place = first?.frame ?? { path: test.file, line: test.line };
  const rows: readonly (readonly [string, string])[] = [
    ["message", formatJson(summariseFailure(test))],
    ["severity", test.verdict === "error" || test.verdict === "crash" || test.verdict === "hung" ? "error" : "fail"],
    ["verdict", test.verdict],
    ...(test.reason === null ? [] : [["reason", formatJson(test.reason)] as const]),
    ["file", formatJson(place.path)],
    ["line", String(place.line)],
    ["duration_ms", String(test.wallMs)],
    ["rerun", formatJson(test.repro)],
  ];
  return ["  ---", ...rows.map(([key, value]) => `  ${key}: ${value}`), "  ..."];
}

/** KTAP 2: who a result is, before it; the header comes first. */
export function formatMetadata(name: string, rest: Readonly<Record<string, string>>): readonly string[] {
  return [`#:ktap_test: ${sanitiseName(name)}`, ...Object.entries(rest).map(([key, value]) => `#:${key}: ${oneLine(value)}`)];
}
