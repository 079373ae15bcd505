// Reads the KTAP that our images print, against the plan that their manifest tells. Each result line must be the next of the plan,
// by level, number and name; one that is a result of the plan, but not the next, means that something is missing or that a test
// printed it, and ends the reading. Everything between two result lines belongs to the second one's case. Documents without such a plan
// are runtime/ktap's; what a line is, both are told by ktap-line.ts.

import { readKtapLine, type Directive } from "../../ktap/ktap-line.ts";
import type { ExpectedResult } from "./expected-results.ts";

export interface KtapResult {
  /** Its index among the expected ones. */
  readonly index: number;
  readonly isOk: boolean;
  readonly directive: Directive | null;
  /** Diagnostics of the result's level, without `# `, in their order. */
  readonly diagnostics: readonly string[];
  /** All other lines. */
  readonly text: string;
}

export interface KtapReader {
  /** The results that these bytes complete. */
  push(bytes: Uint8Array): readonly KtapResult[];
  /** Diagnostics and text since the last result. */
  rest(): Pick<KtapResult, "diagnostics" | "text">;
  /** The version line has come: the image runs. */
  readonly isStarted: boolean;
  /** Index of the result that must come next. */
  readonly next: number;
  readonly isComplete: boolean;
  /** Why no more is read, or null. */
  readonly problem: string | null;
}

interface ResultLine {
  readonly level: number;
  readonly isOk: boolean;
  readonly number: number;
  readonly name: string;
  readonly directive: KtapResult["directive"];
}

/** Null: at no level of KTAP. */
function levelOf(line: string): number | null {
  const width = /^ */.exec(line)?.[0].length ?? 0;
  return width % 2 === 0 ? width / 2 : null;
}

function readResultLine(line: string): ResultLine | null {
  const level = levelOf(line);
  const read = readKtapLine(line.trimStart());
  if (level === null || read.kind !== "result" || read.number === null) return null;
  return { level, isOk: read.isOk, number: read.number, name: read.name, directive: read.directive };
}

/** A name as it comes back from a line of KTAP, which knows no leading hyphens. */
function nameInLine(name: string): string {
  const read = readKtapLine(`ok 1 ${name}`);
  return read.kind === "result" ? read.name : name;
}

function isVersion(line: string): boolean {
  const read = readKtapLine(line.trimStart());
  return read.kind === "version" && read.family === "ktap" && read.version === 1;
}

function readPlan(line: string): { readonly level: number; readonly count: number } | null {
  const level = levelOf(line);
  const read = readKtapLine(line.trimStart());
  return level === null || read.kind !== "plan" ? null : { level, count: read.count };
}

/** Lines of at most so many characters; a guest that prints without an end must not take the host's memory. */
const MAX_LINE = 64 * 1024;
const MAX_TEXT = 128 * 1024;

export function createKtapReader(plan: readonly ExpectedResult[]): KtapReader {
  const expected = plan.map((result) => ({ ...result, name: nameInLine(result.name) }));
  const decoder = new TextDecoder();
  let partial = "";
  let isStarted = false;
  let next = 0;
  let problem: string | null = null;
  let lines: string[] = [];
  let size = 0;

  const isSame = (line: ResultLine, { level, number, name }: ExpectedResult): boolean => line.level === level && line.number === number && line.name === name;
  const countAt = (level: number): number =>
    expected.filter((result, index) => result.level === level && (level < 2 || parentOf(index) === parentOf(next))).length;
  /** The first result of a lower level behind one. */
  function parentOf(index: number): number {
    const level = expected[index]?.level ?? 0;
    return expected.findIndex((result, at) => at > index && result.level < level);
  }

  /** What was collected, split for a result of a level. */
  function collected(level: number): Pick<KtapResult, "diagnostics" | "text"> {
    const mark = `${"  ".repeat(level)}# `;
    const isOurs = (line: string): boolean => line.startsWith(mark) || isVersion(line) || readPlan(line) !== null;
    const diagnostics = lines.filter((line) => line.startsWith(mark)).map((line) => line.slice(mark.length));
    const text = lines.filter((line) => !isOurs(line));
    return { diagnostics, text: text.length === 0 ? "" : `${text.join("\n")}\n` };
  }

  function collect(line: string): void {
    size += line.length + 1;
    if (size <= MAX_TEXT) lines.push(line);
  }

  function readLine(line: string): KtapResult | null {
    if (!isStarted) {
      isStarted = isVersion(line) && !line.startsWith(" ");
      return null;
    }
    const planned = readPlan(line);
    const awaited = expected[next];
    if (planned !== null && awaited !== undefined && planned.level === awaited.level && isVersion(lines.at(-1) ?? "")) {
      const count = countAt(awaited.level);
      if (planned.count !== count) problem = `the image says that it has ${planned.count} results here, its manifest has ${count}`;
    }
    const result = readResultLine(line);
    if (result === null || awaited === undefined || !expected.some((known) => isSame(result, known))) {
      collect(line);
      return null;
    }
    if (!isSame(result, awaited)) {
      problem = `a result came out of turn: \`${line.trim()}\``;
      return null;
    }
    const own = collected(awaited.level);
    lines = [];
    size = 0;
    return { index: next++, isOk: result.isOk, directive: result.directive, ...own };
  }

  return {
    push(bytes) {
      const results: KtapResult[] = [];
      partial += decoder.decode(bytes, { stream: true });
      for (;;) {
        const end = partial.indexOf("\n");
        if ((end === -1 && partial.length <= MAX_LINE) || problem !== null || next === expected.length) return results;
        const line = end === -1 ? partial : partial.slice(0, end).replace(/\r$/, "");
        partial = end === -1 ? "" : partial.slice(end + 1);
        const result = readLine(line);
        if (result !== null) results.push(result);
      }
    },
    rest: () => collected(expected[next]?.level ?? 0),
    get isStarted() {
      return isStarted;
    },
    get next() {
      return next;
    },
    get isComplete() {
      return next === expected.length;
    },
    get problem() {
      return problem;
    },
  };
}
