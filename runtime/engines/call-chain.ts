// How a failing check or a trap was reached: code addresses of the calls under way, as a machine or an unwinder gives them, become the
// callers that a report names. What a reader wants is the way through his own files up to his test: code of the library is left out, blocks
// belong to the function in which they stand, and recursion is told once. The same whatever engine the addresses come from.

import type { Site } from "../../compiler/images/manifest.ts";
import { LIBRARY_PREFIX } from "../../isa/bytecode/module.ts";
import type { Caller } from "../events.ts";
import type { GuestStack } from "../machine/cpu-contract.ts";
import { frameAt } from "./code-frame.ts";
import type { CodePlace } from "./code-map.ts";
import type { ReportContext, ToldStack } from "./report-context.ts";

/** So many calls at each end of a long chain are told. */
const TOLD_AT_EACH_END = 16;
/** Functions that call each other in turn, at most, are seen as recursion. */
const LONGEST_CYCLE = 4;

type PlacedCaller = Extract<Caller, { readonly kind: "call" | "interrupt" | "trap" | "access" }>;

/** Code of the user's files, and how it was left. */
interface Stop {
  readonly index: number;
  readonly function: string;
  readonly path: string;
  readonly line: number;
  readonly column: number;
}

export type Callers = { readonly callers?: readonly Caller[] };

const NONE: Callers = {};

function stopAt(index: number, place: CodePlace | null): Stop | null {
  const source = place?.source ?? null;
  if (place === null || source === null || source.path.startsWith(LIBRARY_PREFIX) || DISPATCHER.test(place.function)) return null;
  // Of functions of one name all but the first have a number.
  return { index, function: place.function.replace(/#\d+$/, ""), ...source };
}

/** Blocks that run elsewhere or later are functions of their own: `walk.trap`. */
const BLOCK = /^(.*)\.(defer|irq|log|trap|user|cpu)\d*$/;
const BLOCK_NAMES: Readonly<Record<string, string>> = {
  defer: "the deferred block of",
  irq: "the interrupt handler of",
  log: "the watched block of",
  trap: "the guarded block of",
  user: "the user block of",
  cpu: "the cpu block of",
};

/** What stands in front of a function that has stubs, and in a user's file only by its place. */
const DISPATCHER = /: stub or itself$/;
const STUB = /^.*\.stub (.*)$/;

function nameOf(name: string): string {
  const stubbed = STUB.exec(name)?.[1];
  if (stubbed !== undefined) return `the stub of ${stubbed}`;
  const [, outer, kind] = BLOCK.exec(name) ?? [];
  return outer === undefined || kind === undefined ? name : `${BLOCK_NAMES[kind]} ${nameOf(outer)}`;
}

/** `walk` and `walk.trap`: a block is a function of its own to the machine only. */
function isBlockOf(inner: string, outer: string): boolean {
  return inner.startsWith(`${outer}.`);
}

function isTestLine({ manifest, test }: ReportContext, path: string, line: number): boolean {
  return test !== undefined && path === manifest.files[test.file] && line >= test.line && line <= test.endLine;
}

function isInTest(context: ReportContext, { path, line }: Stop): boolean {
  return isTestLine(context, path, line);
}

/** The kind of break between two places of a stack, the outermost if there are several. */
function breakBetween(stack: GuestStack, inner: number, outer: number): Exclude<PlacedCaller["kind"], "call"> | null {
  for (let index = outer; index > inner; index--) {
    const kind = stack.breaks.get(index);
    if (kind !== undefined) return kind;
  }
  return null;
}

/** `origin`: what failed; null: it is in the library. `stops`: from the innermost caller outwards. */
function callersFrom(context: ReportContext, stack: GuestStack, origin: Stop | null, stops: readonly Stop[]): Callers {
  const callers: PlacedCaller[] = [];
  let inner = origin;
  let hasReached = origin !== null && isInTest(context, origin);
  for (const stop of stops) {
    const broken = breakBetween(stack, inner?.index ?? -1, stop.index);
    // An interrupt's handler may stand in the test itself: where it came is worth telling all the same.
    if (hasReached && broken !== "interrupt") {
      if (![...stack.breaks].some(([index, kind]) => kind === "interrupt" && index > stop.index)) break;
      continue;
    }
    const isTest = isInTest(context, stop);
    const last = callers.at(-1);
    if (broken === null && inner !== null && isBlockOf(inner.function, stop.function)) {
      if (last !== undefined) callers[callers.length - 1] = { ...last, name: isTest ? testName(context) : nameOf(stop.function) };
    } else {
      const { path, line, column } = stop;
      callers.push({ kind: broken ?? "call", name: isTest ? testName(context) : nameOf(stop.function), path, line, column, frame: null });
    }
    inner = stop;
    hasReached = isTest;
  }
  const ends = hasReached ? [] : endOf(stack);
  if (callers.length === 0 && ends.length === 0) return NONE;
  return { callers: [...cut(fold(withFrame(context, callers))), ...ends] };
}

function testName({ test }: ReportContext): string {
  return `test "${test?.name ?? ""}"`;
}

/** What is to be said where the chain ends short of the test. */
function endOf({ lost, cpu }: GuestStack): readonly Caller[] {
  if (lost !== null) return [{ kind: "end", text: lost }];
  return cpu === 0 ? [] : [{ kind: "end", text: `on cpu ${cpu}` }];
}

/** The line of the outermost caller: what it did is in the test, or nearest to it. */
function withFrame({ sources }: ReportContext, callers: readonly PlacedCaller[]): readonly PlacedCaller[] {
  const outermost = callers.at(-1);
  if (outermost === undefined) return callers;
  const { path, line, column } = outermost;
  const frame = frameAt(sources, { path, line, column, length: 0 }, "");
  if (frame === null) return callers;
  return [...callers.slice(0, -1), { ...outermost, frame: { ...frame, lines: frame.lines.filter(({ number }) => number === line) } }];
}

/** How many callers from `start` on repeat the names of the first `period`, those included. */
function repeats(callers: readonly PlacedCaller[], start: number, period: number): number {
  let end = start + period;
  while (end < callers.length && callers[end]?.kind === "call" && callers[end]?.name === callers[end - period]?.name) end++;
  return end - start;
}

/** Recursion: one round of it, and how many calls more. */
function fold(callers: readonly PlacedCaller[]): readonly Caller[] {
  const folded: Caller[] = [];
  for (let at = 0; at < callers.length;) {
    const periods = Array.from({ length: LONGEST_CYCLE }, (_, index) => index + 1);
    const period = periods.find((length) => repeats(callers, at, length) >= Math.max(2 * length + 1, 4)) ?? 0;
    if (period === 0) {
      folded.push(...callers.slice(at, ++at));
      continue;
    }
    const round = callers.slice(at, at + period);
    const count = repeats(callers, at, period);
    // The outermost one has the frame, and stays.
    const isLast = at + count === callers.length;
    folded.push(...round, { kind: "more", calls: count - period - (isLast ? 1 : 0), names: round.map(({ name }) => name) });
    if (isLast) folded.push(...callers.slice(-1));
    at += count;
  }
  return folded;
}

function cut(callers: readonly Caller[]): readonly Caller[] {
  if (callers.length <= 2 * TOLD_AT_EACH_END + 1) return callers;
  const left = callers.slice(TOLD_AT_EACH_END, -TOLD_AT_EACH_END);
  const calls = left.reduce((sum, caller) => sum + (caller.kind === "more" ? caller.calls : 1), 0);
  return [...callers.slice(0, TOLD_AT_EACH_END), { kind: "more", calls, names: [] }, ...callers.slice(-TOLD_AT_EACH_END)];
}

function stopsOf({ code }: ReportContext, { pcs }: GuestStack): readonly Stop[] {
  return pcs.flatMap((pc, index) => stopAt(index, code.locate(BigInt(pc))) ?? []);
}

/** The reporting functions are called where the check stands: whatever is further in is theirs. */
export function callersOfCheck(context: ReportContext, told: ToldStack, site: Pick<Site, "file" | "line">, cpu: number): Callers {
  const stack = told !== null && "words" in told ? (context.unwind?.ofReport(told, cpu) ?? null) : told;
  if (stack === null) return NONE;
  const path = context.manifest.files[site.file];
  const [origin, ...stops] = stopsOf(context, stack);
  if (origin === undefined) return stack.lost === null || path === undefined || isTestLine(context, path, site.line) ? NONE : { callers: endOf(stack) };
  // A leak, or a call that never came, is told when its function is over.
  if (origin.path !== path || origin.line !== site.line) return NONE;
  return callersFrom(context, stack, origin, stops);
}

/** Of a trap and of its callers one after the other: unwound once. */
export function stackOfTrap({ unwind }: ReportContext, told: ToldStack, pc: bigint, cpu: number): GuestStack | null {
  return told !== null && "words" in told ? (unwind?.ofTrap(told, Number(pc), cpu) ?? null) : told;
}

export function callersOfTrap(context: ReportContext, stack: GuestStack | null, told: bigint): Callers {
  if (stack === null) return NONE;
  const stops = stopsOf(context, stack);
  const [first, ...others] = stops;
  const isTold = first !== undefined && (first.index === 0 || BigInt(stack.pcs[first.index] ?? -1) === told);
  return isTold ? callersFrom(context, stack, first, others) : callersFrom(context, stack, null, stops);
}

/** Functions that no spec calls by name: what some statements become on machine code. */
const RUN_TIME = /^(native|platform)\./;

/**
 * Of code of the library the function that the user's code has called, wherever further in it was: `time.sleep`, on each target. Where it has
 * called none by name, as in `wait until`, the user's own place.
 */
export function calledInLibrary({ code }: ReportContext, { pcs, breaks }: GuestStack): bigint | null {
  let called: bigint | null = null;
  for (const [index, pc] of pcs.entries()) {
    const place = code.locate(BigInt(pc));
    const path = place?.source?.path;
    if (place === null || path === undefined || breaks.has(index)) return null;
    if (!path.startsWith(LIBRARY_PREFIX)) return called ?? (index === 0 ? null : BigInt(pc));
    called = RUN_TIME.test(place.function) ? null : BigInt(pc);
  }
  return null;
}

/** So many places of a CPU that is told of in one line. */
const TOLD_IN_LINE = 4;

/** Where a CPU is, and how it got there: `check (a.gspec:4), called from test "x" (a.gspec:9)`. Null: in no code that anybody knows. */
export function describeStack(context: ReportContext, stack: GuestStack): string | null {
  const stops = stopsOf(context, stack);
  const places = stops.map((stop) => ({ ...stop, name: isInTest(context, stop) ? testName(context) : nameOf(stop.function) }));
  // A block stands in its function.
  const told = places.filter(({ name, function: inner }, index) => places[index - 1]?.name !== name && !isBlockOf(places[index - 1]?.function ?? "", inner));
  if (told.length > 0) {
    const text = told.slice(0, TOLD_IN_LINE).map(({ name, path, line }) => `${name} (${path}:${line})`);
    return `${text.join(", called from ")}${told.length > TOLD_IN_LINE ? ", .." : ""}`;
  }
  const place = stack.pcs[0] === undefined ? null : context.code.locate(BigInt(stack.pcs[0]));
  if (place === null || place.source === null) return null;
  return `${place.function} (${place.source.path}:${place.source.line})`;
}
