// Tells the story of a failure: what was expected, what came, where, and what the machine did last. The guest sends site numbers,
// values and bytes; the manifest, the module and the sources turn them into the `Failure` of the event stream. Pure but for
// reading sources through `SourceLines`, so that every engine, and a replay, builds the same report from the same frames.

import type { ManifestCase, Site, SiteOperand } from "../../compiler/images/manifest.ts";
import type { DataLayout } from "../../isa/bytecode/module.ts";
import type { CodeFrame, Failure, FailureValue } from "../events.ts";
import { calledInLibrary, callersOfCheck, callersOfTrap, stackOfTrap } from "./call-chain.ts";
import { frameAt } from "./code-frame.ts";
import { diffValues } from "./diff.ts";
import type { FrameTrap } from "./frames.ts";
import type { ReportContext, ToldStack } from "./report-context.ts";
import { trapClassName, trapName } from "./trap-names.ts";
import { formatAddress, formatBrief, formatDuration, formatHex, formatType, formatValue, type ContentsAt, type SlotValue } from "./values.ts";

/** A check that failed, as its frames told it. */
export interface FailedCheck {
  readonly site: number;
  readonly cpu: number;
  readonly values: ReadonlyMap<number, SlotValue>;
  /** What `expect trap` got instead; class 0: no trap. */
  readonly came: FrameTrap | null;
  readonly message: string | null;
  /** What has called what when it failed; null: nobody knows. */
  readonly stack: ToldStack;
}

const EMPTY: Omit<Failure, "kind" | "message"> = {
  note: null,
  frame: null,
  related: [],
  values: [],
  details: [],
  hints: [],
  trap: null,
  cpu: 0,
  accesses: [],
  interrupts: [],
};

export function makeFailure(kind: Failure["kind"], message: string, rest: Partial<Omit<Failure, "kind" | "message">> = {}): Failure {
  return { ...EMPTY, ...rest, kind, message };
}

const ACCESSES = ["", "read", "write", "execute"] as const;

/** `write of 4 bytes`, or nothing for a trap without an access. */
function describeAccess(trap: Pick<FrameTrap, "access" | "width">): string {
  const access = ACCESSES[trap.access] ?? "";
  if (access === "") return "";
  return trap.width === 0 ? access : `${access} of ${trap.width} byte${trap.width === 1 ? "" : "s"}`;
}

/** An index as somebody wrote it; one that came of a subtraction below zero is plainer in hex. */
function formatIndex(index: bigint): string {
  return index < 1n << 32n ? String(index) : formatAddress(index);
}

/** One line: `access_fault: write of 4 bytes at 0xdead_0000`, `bounds: index 5`. */
export function summariseTrap({ manifest }: ReportContext, trap: FrameTrap): string {
  const access = describeAccess(trap);
  const name = trapName(manifest.target, trap);
  if (trapClassName(trap.class) === "bounds") return `${name}: index ${formatIndex(trap.value)}`;
  if (access !== "") return `${name}: ${access} at ${formatAddress(trap.address)}`;
  return trap.value === 0n ? name : `${name}, value ${formatAddress(trap.value)}`;
}

/** Where a code address is in the sources, as reports show it. */
function symbolise(context: ReportContext, pc: bigint): { readonly function: string | null; readonly frame: CodeFrame | null; readonly place: string | null } {
  const place = context.code.locate(pc);
  if (place === null) return { function: null, frame: null, place: null };
  const { function: name, source } = place;
  if (source === null) return { function: name, frame: null, place: null };
  const { path, line, column } = source;
  return { function: name, frame: frameAt(context.sources, { path, line, column, length: 0 }, ""), place: `${path}:${line}` };
}

function trapRecord(context: ReportContext, trap: FrameTrap): NonNullable<Failure["trap"]> {
  return {
    class: trapName(context.manifest.target, trap),
    pc: formatAddress(trap.pc),
    function: symbolise(context, trap.pc).function,
    address: trap.access === 0 ? "" : formatAddress(trap.address),
    access: describeAccess(trap),
  };
}

/** Classes whose failure has a kind, and a sentence, of its own. */
const TRAP_KINDS: ReadonlyMap<string, { readonly kind: Failure["kind"]; readonly sentence: string }> = new Map([
  ["stack_overflow", { kind: "stack-overflow", sentence: "the stack overflowed" }],
  ["timeout", { kind: "timeout", sentence: "the time limit was reached" }],
]);

/** What stands under the place of a trap where its class alone does not say it. */
const LABELS: Readonly<Record<string, (trap: FrameTrap) => string>> = {
  stack_overflow: () => "this call did not fit",
  timeout: () => "was running here",
  bounds: ({ value }) => `index ${formatIndex(value)} is beyond the end`,
};

/** A trap that nobody expected. */
export function describeTrap(context: ReportContext, trap: FrameTrap, cpu: number, phase: string, stack: ToldStack = null): Failure {
  const special = TRAP_KINDS.get(trapClassName(trap.class));
  const calls = stackOfTrap(context, stack, trap.pc, cpu);
  // Where in the library a limit is noticed is no business of whoever has called it.
  const called = special?.kind === "timeout" && calls !== null ? calledInLibrary(context, calls) : null;
  const told = called ?? trap.pc;
  const { frame, function: name } = symbolise(context, told);
  const where = name === null ? "" : ` in ${name}`;
  const during = phase === "body" ? "" : ` during ${phase}`;
  const message = special === undefined ? `unexpected trap ${summariseTrap(context, trap)}${where}${during}` : `${special.sentence}${where}${during}`;
  const label = LABELS[trapClassName(trap.class)]?.(trap) ?? trapName(context.manifest.target, trap);
  return makeFailure(special?.kind ?? "trap", message, {
    frame: frame === null ? null : { ...frame, label },
    trap: trapRecord(context, trap),
    cpu,
    ...callersOfTrap(context, calls, told),
  });
}

interface SlotOperand {
  readonly slot: number;
  readonly operand: SiteOperand;
  readonly value: SlotValue;
}

interface Sides {
  readonly left: SlotOperand;
  readonly right: SlotOperand;
}

/** The operands that the condition consists of. Those inside another one, and the register round a field, explain it only. */
function outermost(operands: readonly SlotOperand[]): readonly SlotOperand[] {
  return operands.filter(({ slot, operand: { start, end } }) =>
    operands.every((other) => {
      const { start: otherStart, end: otherEnd } = other.operand;
      if (other.slot === slot || otherStart > start || otherEnd < end) return true;
      return otherStart === start && otherEnd === end && slot < other.slot;
    }),
  );
}

const COMPARISONS = new Set(["==", "!=", "<", "<=", ">", ">="]);

function sidesOf(site: Site, operands: readonly SlotOperand[]): Sides | null {
  const [left, right, ...others] = outermost(operands).toSorted((a, b) => a.operand.start - b.operand.start);
  if (!COMPARISONS.has(site.operator ?? "") || left === undefined || right === undefined || others.length > 0) return null;
  return { left, right };
}

/** Checks of one value, which the others only describe. */
const SHOWS_VALUE: ReadonlySet<string> = new Set(["in", "not in", "matches", "near", "is-error"]);

/** The part after "expected <text>": what came instead. */
function describeMismatch(context: ReportContext, site: Site, check: FailedCheck): string {
  const known = operandsOf(site, check);
  const brief = (each: SlotOperand): string => formatBrief(each.value, each.operand.type, context.layout, contentsOf(each, known));
  const sides = sidesOf(site, known);
  if (sides === null) {
    const [first, ...others] = outermost(known).filter(({ operand }) => !operand.literal);
    const isMember = SHOWS_VALUE.has(site.operator ?? "");
    return first === undefined || (others.length > 0 && !isMember) ? "" : `, got ${brief(first)}`;
  }
  const { left, right } = sides;
  if (isExpectedFirst(sides)) return `, got ${brief(right)}`;
  if (right.operand.literal) return `, got ${brief(left)}`;
  return `, got ${brief(left)}${site.operator === "==" ? ", not" : " and"} ${brief(right)}`;
}

function operandsOf(site: Site, check: FailedCheck): SlotOperand[] {
  return site.operands.flatMap((operand, slot) => {
    const value = check.values.get(slot);
    return value === undefined ? [] : [{ slot, operand, value }];
  });
}

function messageOf(context: ReportContext, site: Site, check: FailedCheck): string {
  switch (site.kind) {
    case "expect-trap": {
      const wanted = site.expectedTrap ?? "trap";
      if (check.came === null || check.came.class === 0) return `expected ${wanted}, but nothing trapped`;
      return `expected ${wanted}, got ${summariseTrap(context, check.came)}`;
    }
    case "fail":
      return check.message === null || check.message === "" ? "failed" : check.message;
    case "expect-log": {
      const hits = check.values.get(0);
      const count = hits?.kind === "number" ? Number(hits.value) : 0;
      return `expected ${site.text}, but ${count === 0 ? "no line matched" : count === 1 ? "a line matched" : `${count} lines matched`}`;
    }
    case "warn":
      return `unexpected warning: ${check.message ?? site.text}`;
    case "alloc":
      return `memory of ${site.text}: ${check.message ?? "misused"}`;
    case "release":
      return `${site.text}: ${check.message ?? "refused"}`;
    case "expect":
    case "assert":
    case "wait":
      return `expected ${site.text}${describeMismatch(context, site, check)}`;
    case "skip":
    case "info":
    case "xfail":
      return site.text;
  }
}

function siteFrame(context: ReportContext, site: Site, label: string): CodeFrame | null {
  const path = context.manifest.files[site.file];
  if (path === undefined) return null;
  return frameAt(context.sources, { path, line: site.line, column: site.column, length: site.end - site.start }, label);
}

const SITE_KINDS: Readonly<Record<Site["kind"], Failure["kind"]>> = {
  expect: "check",
  "expect-trap": "check",
  wait: "check",
  assert: "assert",
  fail: "fail",
  skip: "check",
  info: "check",
  xfail: "check",
  alloc: "check",
  release: "check",
  "expect-log": "check",
  warn: "check",
};

/** What the guest says of them is the message itself, not a note below it. */
const TELLS_ITSELF: ReadonlySet<Site["kind"]> = new Set(["fail", "warn", "alloc", "release"]);

export function describeCheck(context: ReportContext, check: FailedCheck, phase: string): Failure {
  const site = context.manifest.sites[check.site];
  if (site === undefined) return makeFailure("error", `the guest named site ${check.site}, which the image does not have`, { cpu: check.cpu });
  const { layout } = context;
  const known = operandsOf(site, check);
  const values: FailureValue[] = known
    .filter(({ operand }) => !operand.literal && operand.part === undefined)
    .map((each) => ({
      text: each.operand.text,
      value: formatValue(each.value, each.operand.type, layout, contentsOf(each, known)),
      type: formatType(each.operand.type),
    }));
  const sides = sidesOf(site, known);
  const difference =
    site.operator === "near"
      ? describeDistance(known)
      : sides === null || site.operator !== "=="
        ? { details: [], hints: [] }
        : compareSides(sides, known, layout);
  const message = messageOf(context, site, check);
  const came = check.came !== null && check.came.class !== 0 ? check.came : null;
  const trapPlace = came === null ? null : symbolise(context, came.pc);
  // What became of memory is told when the test is over, and is its doing all the same.
  const isOfBody = phase === "body" || site.kind === "alloc";
  const kind = isOfBody ? SITE_KINDS[site.kind] : phaseKind(phase, SITE_KINDS[site.kind]);
  return makeFailure(kind, isOfBody ? message : `${message} (in ${phase})`, {
    note: TELLS_ITSELF.has(site.kind) ? null : check.message,
    frame: siteFrame(context, site, labelOf(context, site, check, sides)),
    related: trapPlace === null || trapPlace.frame === null ? [] : [{ text: "trapped here", frame: trapPlace.frame }],
    values,
    details: difference.details,
    hints: difference.hints,
    trap: came === null ? null : trapRecord(context, came),
    cpu: check.cpu,
    ...callersOfCheck(context, check.stack, site, check.cpu),
  });
}

function phaseKind(phase: string, fallback: Failure["kind"]): Failure["kind"] {
  if (phase.endsWith("setup")) return "setup";
  return phase.endsWith("teardown") || phase === "cleanup" ? "teardown" : fallback;
}

/** How far off a value is, and how much of that is too much. */
function describeDistance(operands: readonly SlotOperand[]): { details: readonly string[]; hints: readonly string[] } {
  const [value, center, tolerance] = operands.map(({ value: slot, operand: { type } }) => {
    if (slot.kind !== "number") return 0n;
    return type.kind === "int" && type.signed ? BigInt.asIntN(type.bits, slot.value) : slot.value;
  });
  if (value === undefined || center === undefined || tolerance === undefined) return { details: [], hints: [] };
  const isTime = operands[0]?.operand.type.kind === "duration";
  const show = (number: bigint): string => (isTime ? formatDuration(number) : String(number));
  const off = value > center ? value - center : center - value;
  return { details: [`off by ${value > center ? "+" : "-"}${show(off)}, ${show(off - tolerance)} more than allowed`], hints: [] };
}

/** A literal on the left is what was expected, unless the right side is one as well; otherwise the right side is. */
function isExpectedFirst({ left, right }: Sides): boolean {
  return left.operand.literal && !right.operand.literal;
}

function compareSides(sides: Sides, known: readonly SlotOperand[], layout: DataLayout): { details: readonly string[]; hints: readonly string[] } {
  const [expected, got] = isExpectedFirst(sides) ? [sides.left, sides.right] : [sides.right, sides.left];
  const contents = { expected: contentsOf(expected, known), got: contentsOf(got, known) };
  return diffValues(expected.value, got.value, got.operand.type, layout, contents);
}

/** Texts and lists inside a struct are addresses there: the guest has sent what they hold as operands of their own. */
function contentsOf({ slot }: SlotOperand, known: readonly SlotOperand[]): ContentsAt {
  return (path) => known.find(({ operand: { part } }) => part?.of === slot && part.path === path)?.value ?? null;
}

/** What stands under the carets. */
function labelOf(context: ReportContext, site: Site, check: FailedCheck, sides: Sides | null): string {
  if (site.kind === "expect-trap")
    return check.came === null || check.came.class === 0 ? "nothing trapped here" : `${trapName(context.manifest.target, check.came)} came`;
  if (sides === null) return "";
  const got = isExpectedFirst(sides) ? sides.right : sides.left;
  if (site.operator !== "==") return "";
  const text = formatBrief(got.value, got.operand.type, context.layout, contentsOf(got, operandsOf(site, check)));
  return text.length <= 40 ? `was ${text}` : "";
}

/** Adds where the row of a parameterised test stands, for a row that is not on the failing line itself. */
export function withRow(context: ReportContext, failure: Failure, row: ManifestCase, testFile: number, testLine: number): Failure {
  if (row.name === null || (row.file === testFile && row.line === testLine)) return failure;
  const path = context.manifest.files[row.file];
  if (path === undefined) return failure;
  if (failure.frame !== null && failure.frame.path === path && failure.frame.line === row.line) return failure;
  const frame = frameAt(context.sources, { path, line: row.line, column: 0, length: 0 }, "");
  if (frame === null) return failure;
  const own = { ...frame, lines: frame.lines.filter(({ number }) => number === row.line) };
  return { ...failure, related: [...failure.related, { text: "the row", frame: own }] };
}

/** Where a CPU stands, as a sentence's end and as a code frame. */
export function describePc(context: ReportContext, pc: number | bigint, label: string): { readonly text: string; readonly frame: CodeFrame | null } {
  const { function: name, place, frame } = symbolise(context, BigInt(pc));
  if (name === null) return { text: `at pc ${pc > 0xffff_ffff ? formatAddress(BigInt(pc)) : formatHex(BigInt(pc), 32)}`, frame: null };
  if (frame === null) return { text: place === null ? `in ${name}` : `in ${name} (${place})`, frame };
  return { text: `in ${name}`, frame: { ...frame, label } };
}
