// What code reaches beyond its own text: functions, needs of the machine that a use of its constants implies, and things of the library
// that this target lacks. One image serves all tests of a suite, but not all of them run on every machine: what only tests reach that
// are skipped here is no mistake. Functions are checked after the tests, so a reach is closed over them when everything is checked,
// but for the library's: those are checked because they are reached.

import type { Span } from "../../grammar/source.ts";
import { formatNeed } from "../../machines/needs.ts";
import type { CheckedNeed } from "../hir.ts";
import { fail, type Context, type Extra } from "./context.ts";
import type { Reach } from "./scope.ts";

export function createReach(): Reach {
  return { needs: new Map(), absent: new Set(), functions: new Set(), stubs: new Set(), logs: new Map() };
}

/** Asked once for every function that a test reaches, most of which have nothing but functions. */
function include(into: Reach, from: Reach): void {
  for (const entry of from.functions) into.functions.add(entry);
  if (from.needs.size + from.absent.size + from.stubs.size + from.logs.size === 0) return;
  for (const [text, need] of from.needs) if (!into.needs.has(text)) into.needs.set(text, need);
  for (const diagnostic of from.absent) into.absent.add(diagnostic);
  for (const fn of from.stubs) into.stubs.add(fn);
  for (const [fn, span] of from.logs) if (!into.logs.has(fn)) into.logs.set(fn, span);
}

/** Uses what `from` was worked out for: a constant, a variable, a table. */
export function useReach(context: Context, from: Reach, span: Span): void {
  if (context.reach !== null) {
    include(context.reach, from);
    return;
  }
  for (const [text] of from.needs) failUnskippable(context, span, text);
  for (const diagnostic of from.absent) context.report(diagnostic);
}

/** Code that only runs where the need is met. */
export function addNeed(context: Context, need: CheckedNeed): void {
  const text = formatNeed(need);
  if (context.reach === null) failUnskippable(context, need.span, text);
  else if (!context.reach.needs.has(text)) context.reach.needs.set(text, need);
}

export function failUnskippable(context: Context, span: Span, need: string): void {
  fail(context, span, "E0414", `this needs ${need}, which the machine does not have`, {
    label: "holds for the whole file",
    help: "only what a test reaches can be skipped with it: a function, a constant, a variable or a table",
  });
}

/** Reports what exists for other targets only: at once, or where a test that runs reaches it. */
export function failAbsent(context: Context, span: Span, code: string, message: string, extra: Extra): void {
  const { reach } = context;
  fail(reach === null ? context : { report: (diagnostic) => void reach.absent.add(diagnostic) }, span, code, message, extra);
}

/** Everything reached, through functions too. */
export function closeReach(...from: readonly Reach[]): Reach {
  const all = createReach();
  for (const reach of from) include(all, reach);
  // Entries that are added while this runs come up too.
  for (const entry of all.functions) {
    const { findReach } = entry;
    entry.findReach = undefined;
    findReach?.();
    include(all, entry.reach);
  }
  return all;
}
