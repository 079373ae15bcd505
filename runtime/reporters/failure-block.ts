// The story of one failed test in at most twenty lines: message, code frame with carets, operand values in columns, details, trap,
// last accesses and interrupts, console, hints, and the line that reproduces it. Made of the event alone. Colour only underlines: the
// block reads the same without it, in ASCII. What does not fit is shortened in a fixed order and each cut says how much it left out.
import { isGood, type CodeFrame, type Failure, type FailureValue, type TestFinished } from "../events.ts";
import { briefCaller, describeCaller } from "./callers.ts";
import { paintFor, type Paint, type Style } from "./paint.ts";
import { countNoun, formatGuestTime, formatWallTime, groupDigits } from "./quantities.ts";
import { VERDICT_STYLE } from "./tally.ts";
import { displayWidth, printable, printableLines } from "./terminal-text.ts";

export interface FailureBlockOptions {
  readonly paint: Paint;
  /** Width to cut source lines to; Infinity for files. */
  readonly columns: number;
  /** Everything, however long. */
  readonly isFull: boolean;
}

const LINE_BUDGET = 20;
const LABEL_WIDTH = 8;
const VALUE_COLUMN_LIMIT = 36;

/** A part of the block that may be shortened. */
interface Section {
  readonly name: SectionName;
  /** Stands before the first line that is left. */
  readonly label: readonly [text: string, style: Style] | null;
  readonly lines: readonly string[];
  /** Which end survives a cut. */
  readonly keep: "head" | "tail";
  /** What one line is, for the line that stands for those cut; null: a cut leaves no trace. */
  readonly noun: readonly [singular: string, plural: string] | null;
  /** Of a frame: lines of context go before those that carry the message, the last ones first. */
  readonly isPinned?: readonly boolean[];
}

type SectionName =
  | "message"
  | "note"
  | "frame"
  | "callers"
  | "caller"
  | "related"
  | "values"
  | "details"
  | "trap"
  | "accesses"
  | "interrupts"
  | "infos"
  | "console"
  | "hints"
  | "others"
  | "rerun";

/** A limit: not even the line that says what was cut. */
const GONE = -1;

/** In this order sections are cut to these numbers of lines until the block fits. */
const CUTS: readonly (readonly [SectionName, number])[] = [
  ["infos", 2],
  ["note", 3],
  ["console", 5],
  ["accesses", 5],
  ["interrupts", 2],
  ["details", 6],
  ["others", 2],
  ["callers", 8],
  ["related", 5],
  ["frame", 5],
  ["frame", 4],
  ["related", 3],
  ["frame", 3],
  ["values", 6],
  ["console", 2],
  ["accesses", 3],
  ["callers", 4],
  ["details", 4],
  ["infos", 1],
  ["interrupts", 1],
  ["others", 1],
  ["values", 4],
  ["hints", 1],
  ["accesses", 2],
  ["note", 1],
  ["others", 0],
  ["infos", 0],
  ["details", 2],
  ["interrupts", 0],
  ["values", 2],
  ["console", 1],
  ["accesses", 1],
  ["infos", GONE],
  ["details", 0],
  ["related", GONE],
  ["callers", 2],
  ["values", 1],
];

interface FrameLine {
  readonly text: string;
  /** Survives when the frame is shortened. */
  readonly isPinned: boolean;
}

/** Shifts a long source line so that the marked columns (0-based, in cells) stay in view. */
function windowOf(text: string, from: number, to: number, width: number): { readonly text: string; readonly shift: number } {
  if (text.length <= width) return { text, shift: 0 };
  if (to <= width - 3) return { text: `${text.slice(0, width - 3)}...`, shift: 0 };
  const start = Math.max(0, Math.min(from - 10, text.length - width + 3));
  const rest = text.slice(start);
  return { text: `...${rest.length > width - 3 ? `${rest.slice(0, width - 6)}...` : rest}`, shift: start - 3 };
}

function formatFrame(frame: CodeFrame, heading: string, { paint, columns }: FailureBlockOptions, style: Style): FrameLine[] {
  const gutter = Math.max(2, ...frame.lines.map(({ number }) => String(number).length));
  const place = `${printable(frame.path)}:${frame.line}:${frame.column}`;
  const result: FrameLine[] = [
    {
      text: `  ${" ".repeat(gutter)}${paint.dim("-->")} ${place}${heading === "" ? "" : `  ${heading}`}`,
      isPinned: true,
    },
  ];
  const width = Math.max(20, columns - gutter - 6);
  for (const { number, text } of frame.lines) {
    const isMarked = number === frame.line;
    // Columns count UTF-16 units of the source from 1; on screen tabs and wide characters take more than one cell.
    const before = displayWidth(printable(text.slice(0, Math.max(0, frame.column - 1))));
    const marked = text.slice(Math.max(0, frame.column - 1), Math.max(frame.column, frame.endColumn - 1));
    const length = Math.max(1, displayWidth(printable(marked)));
    const shown = isMarked ? windowOf(printable(text), before, before + length, width) : windowOf(printable(text), 0, 0, width);
    const bar = `  ${paint.dim(`${String(number).padStart(gutter)} |`)}`;
    result.push({ text: `${bar} ${shown.text}`.trimEnd(), isPinned: isMarked });
    if (!isMarked) continue;
    const carets = "^".repeat(Math.min(length, Math.max(1, width - (before - shown.shift))));
    const note = frame.label === "" ? "" : ` ${printable(frame.label)}`;
    result.push({
      text: `  ${" ".repeat(gutter)} ${paint.dim("|")} ${" ".repeat(Math.max(0, before - shown.shift))}${paint[style](carets + note)}`,
      isPinned: true,
    });
  }
  return result;
}

function formatValues(values: readonly FailureValue[], paint: Paint): string[] {
  const rows = values.map(({ text, value, type }) => ({
    text: printable(text),
    value: printable(value),
    type: printable(type),
  }));
  const widthOf = (texts: readonly string[]): number => Math.min(VALUE_COLUMN_LIMIT, Math.max(0, ...texts.map(displayWidth)));
  const pad = (text: string, width: number): string => text + " ".repeat(Math.max(0, width - displayWidth(text)));
  const textWidth = widthOf(rows.map(({ text }) => text));
  const valueWidth = widthOf(rows.map(({ value }) => value));
  return rows.map(({ text, value, type }) =>
    `    ${pad(text, textWidth)} = ${pad(value, type === "" ? 0 : valueWidth)}${type === "" ? "" : `  ${paint.dim(type)}`}`.trimEnd(),
  );
}

function formatTrap({ trap, cpu }: Failure): string[] {
  if (trap === null) return [];
  const where = trap.function === null ? "" : ` in ${printable(trap.function)}`;
  const access = trap.access === "" ? "" : `, ${printable(trap.access)}`;
  const address = trap.address === "" ? "" : ` at ${printable(trap.address)}`;
  return [`${printable(trap.class)} at pc ${printable(trap.pc)}${where}${access}${address}, cpu ${cpu}`];
}

function briefly(failure: Failure): string {
  const place = failure.frame === null ? "" : ` (${printable(failure.frame.path)}:${failure.frame.line}${printable(briefCaller(failure.callers))})`;
  return `${printable(failure.message)}${place}`;
}

function section(name: SectionName, lines: readonly string[], more: Partial<Section> = {}): Section {
  return { name, label: null, lines, keep: "head", noun: null, ...more };
}

function frameSection(name: SectionName, lines: readonly FrameLine[]): Section {
  return section(
    name,
    lines.map(({ text }) => text),
    { isPinned: lines.map(({ isPinned }) => isPinned) },
  );
}

function sectionsOf(failure: Failure, options: FailureBlockOptions): Section[] {
  const { paint } = options;
  const frame = failure.frame === null ? [] : formatFrame(failure.frame, "", options, "red");
  const related = failure.related.flatMap(({ text, frame: place }) => formatFrame(place, printable(text), options, "yellow"));
  const { callers, caller } = callersOf(failure, options);
  return [
    section("message", [`  ${paint.red("x")} ${paint.bold(printable(failure.message))}`]),
    section("note", printableLines(failure.note ?? ""), { label: ["note", "cyan"], noun: ["more line", "more lines"] }),
    frameSection("frame", frame),
    section("callers", callers, { noun: ["more caller", "more callers"] }),
    frameSection("caller", caller),
    frameSection("related", related),
    section("values", formatValues(failure.values, paint), { noun: ["more value", "more values"] }),
    section(
      "details",
      failure.details.map((line) => `    ${printable(line)}`),
      { noun: ["more line", "more lines"] },
    ),
    section("trap", formatTrap(failure), { label: ["trap", "red"] }),
    section("accesses", failure.accesses.map(printable), {
      label: ["access", "cyan"],
      keep: "tail",
      noun: ["earlier access", "earlier accesses"],
    }),
    section("interrupts", failure.interrupts.map(printable), {
      label: ["irq", "cyan"],
      keep: "tail",
      noun: ["earlier interrupt", "earlier interrupts"],
    }),
    section("hints", failure.hints.flatMap(printableLines), {
      label: ["hint", "green"],
      noun: ["more line", "more lines"],
    }),
  ];
}

/** The callers in lines; the outermost one by its code, for that is the line of the test. */
function callersOf(failure: Failure, options: FailureBlockOptions): { readonly callers: readonly string[]; readonly caller: readonly FrameLine[] } {
  const all = failure.callers ?? [];
  const framed = all.find((caller) => "frame" in caller && caller.frame !== null);
  const frame = framed !== undefined && "frame" in framed ? framed.frame : null;
  const ends = frame === null ? [] : all.filter(({ kind }) => kind === "end");
  const listed = all.filter((caller) => frame === null || (caller !== framed && caller.kind !== "end"));
  return {
    callers: listed.map((caller) => `    ${printable(describeCaller(caller))}`),
    caller:
      frame === null || framed === undefined
        ? []
        : formatFrame(frame, printable([framed, ...ends].map((caller) => describeCaller(caller, false)).join(", ")), options, "yellow"),
  };
}

/** Context goes first, what is far from the marked line before what is near. */
function shortenFrame({ lines, isPinned = [] }: Section, limit: number): readonly string[] {
  const pins = isPinned.flatMap((pin, index) => (pin ? [index] : []));
  const farness = (index: number): number => Math.min(...pins.map((pin) => Math.abs(pin - index)));
  const context = lines.map((_line, index) => index).filter((index) => isPinned[index] !== true);
  const gone = new Set(context.toSorted((left, right) => farness(right) - farness(left) || left - right).slice(0, Math.max(0, lines.length - limit)));
  return lines.filter((_line, index) => !gone.has(index)).slice(0, Math.max(limit, 3));
}

function shorten(whole: Section, limit: number, paint: Paint): readonly string[] {
  const { lines, noun, keep } = whole;
  if (limit === GONE) return [];
  if (whole.isPinned !== undefined) return shortenFrame(whole, limit);
  // A cut pays only when it saves more than the line that says so.
  const removed = lines.length - limit;
  if (removed <= (noun === null ? 0 : 1)) return lines;
  const rest = noun === null ? [] : [paint.dim(`${whole.label === null ? "    " : ""}... ${countNoun(removed, ...noun)} (-v shows all)`)];
  return keep === "head" ? [...lines.slice(0, limit), ...rest] : [...rest, ...lines.slice(removed)];
}

function render({ label, lines }: Section, paint: Paint): readonly string[] {
  if (label === null) return lines;
  const [text, style] = label;
  return lines.map((line, index) => `  ${paint[style]((index === 0 ? text : "").padEnd(LABEL_WIDTH))} ${line}`);
}

/** Cuts start from the whole section each time, so that a second cut does not count the first one's note. */
function fit(sections: readonly Section[], paint: Paint): readonly Section[] {
  let fitted = sections;
  for (const [name, limit] of CUTS) {
    if (fitted.reduce((sum, { lines }) => sum + lines.length, 0) < LINE_BUDGET) break;
    fitted = fitted.map((current, index) => {
      const whole = sections[index];
      return current.name === name && whole !== undefined ? { ...current, lines: shorten(whole, limit, paint) } : current;
    });
  }
  return fitted;
}

function verdictLine(test: TestFinished, paint: Paint): string {
  const style = VERDICT_STYLE[test.verdict];
  // Where guests run in another program, nobody counts their instructions.
  const instructions = test.instructions === 0 && test.guestNs > 0 ? "" : ` ${groupDigits(test.instructions)} instructions,`;
  const times = `${formatGuestTime(test.guestNs)} guest,${instructions} ${formatWallTime(test.wallMs)}`;
  return `${paint[style](paint.bold(test.verdict.toUpperCase()))} ${paint.bold(printable(test.id))}  ${paint.dim(times)}`;
}

/** What stands in place of a failure's message when a test fails without one. */
function reasonLines(test: TestFinished, paint: Paint): string[] {
  if (test.failures.length > 0) return [];
  const reason = test.reason === null ? "" : `: ${printable(test.reason)}`;
  const place = `${printable(test.file)}:${test.line}`;
  if (test.verdict === "xpass") return [`  ${paint.red("x")} ${paint.bold(`passed, but was expected to fail${reason}`)} (${place})`];
  if (isGood(test.verdict)) return test.reason === null ? [] : [`  ${printable(test.reason)} (${place})`];
  return [`  ${paint.red("x")} ${paint.bold(`ended as ${test.verdict}${reason}`)} (${place})`];
}

/** The block without its first line: for reports that have the test's name elsewhere. */
export function formatFailures(test: TestFinished, options: FailureBlockOptions): string[] {
  const { paint, isFull } = options;
  const [first, ...others] = test.failures;
  const sections: Section[] = [section("message", reasonLines(test, paint))];
  if (first !== undefined) sections.push(...sectionsOf(first, options));
  if (isFull) for (const other of others) sections.push(...sectionsOf(other, options));
  else sections.push(section("others", others.map(briefly), { label: ["also", "red"], noun: ["more failure", "more failures"] }));
  sections.push(
    section(
      "infos",
      test.infos.map(({ file, line, text, severity }) => `${severity === undefined ? "" : `${severity}: `}${printable(text)} (${printable(file)}:${line})`),
      {
        label: ["info", "cyan"],
        keep: "tail",
        noun: ["earlier info", "earlier infos"],
      },
    ),
    section(
      "console",
      printableLines(test.console).map((line) => `| ${line}`),
      {
        label: ["console", "cyan"],
        keep: "tail",
        noun: ["earlier line", "earlier lines"],
      },
    ),
    section("rerun", test.repro === "" ? [] : [printable(test.repro)], { label: ["rerun", "bold"] }),
  );
  const shown = isFull ? sections : fit(sections, paint);
  return shown.flatMap((part) => render(part, paint));
}

export function formatFailureBlock(test: TestFinished, options: FailureBlockOptions): string[] {
  return [verdictLine(test, options.paint), ...formatFailures(test, options)];
}

/** The failure in one line, for lists: its message and place. */
export function summariseFailure(test: TestFinished): string {
  const [first] = test.failures;
  if (first !== undefined) return test.failures.length === 1 ? briefly(first) : `${briefly(first)} and ${countNoun(test.failures.length - 1, "more failure")}`;
  const [line] = reasonLines(test, paintFor(false));
  return (line ?? "").replace(/^ {2}(x )?/, "");
}
