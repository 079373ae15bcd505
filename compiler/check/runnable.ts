// The last step of checking a suite, when all bodies are checked: which of its tests can run on the machine compiled for. What the
// others reach is left out of the image and may name what does not exist here; what these reach must exist. Needs that code
// implies become needs of the test, so that reports give them as the reason.

import type { Diagnostic } from "../../grammar/diagnostic.ts";
import type { Span } from "../../grammar/source.ts";
import type { FunctionBody, HFunction, HSuite, HTest } from "../hir.ts";
import { fail, type Context } from "./context.ts";
import { closeReach, createReach, failUnskippable } from "./reach.ts";
import { functionsOf, type Reach } from "./scope.ts";
import { parentsOf } from "./structs.ts";

/** A test whose code is checked, and whether it can run not yet known. */
export interface CheckedTest extends Omit<HTest, "unmet"> {
  /** What its code reaches, its rows and the holes of its names included; the suite's hooks apart. */
  readonly reach: Reach;
}

export interface CheckedSuite extends Omit<HSuite, "tests" | "stubs" | "logged" | "hasLogs"> {
  readonly tests: readonly CheckedTest[];
  /** What hooks and fixture reach. */
  readonly reach: Reach;
}

export function finishSuite(context: Context, suite: CheckedSuite): HSuite {
  const told = new Set<Diagnostic>();
  const stubs = new Set<HFunction>();
  const logs = new Map<HFunction, Span>();
  let usesFakes = false;
  const { reach: ofHooks, ...common } = suite;
  const tests = suite.tests.map(({ reach: own, ...test }): HTest => {
    const reach = closeReach(ofHooks, own);
    const needs = [...test.needs, ...inferredNeeds(test, reach)];
    const unmet = reasonOf(context, { ...test, needs });
    if (unmet === null) {
      for (const diagnostic of reach.absent) told.add(diagnostic);
      for (const fn of reach.stubs) stubs.add(fn);
      usesFakes ||= [...reach.functions].some(({ owner }) => owner !== null && parentsOf(owner)?.isFake === true);
      for (const [fn, span] of reach.logs) if (!logs.has(fn)) logs.set(fn, span);
    }
    return { ...test, needs, unmet };
  });
  for (const diagnostic of told) context.report(diagnostic);
  for (const [fn, span] of logs) if (!stubs.has(fn)) failUnstubbed(context, fn, span);
  const runs = tests.filter(({ unmet }) => unmet === null);
  for (const table of suite.tables) {
    if (runs.some((test) => test.table === table)) continue;
    table.setup = null;
    table.teardown = null;
  }
  const hook = (body: FunctionBody | null): FunctionBody | null => (runs.length === 0 ? null : body);
  return {
    ...common,
    tests,
    setup: hook(suite.setup),
    teardown: hook(suite.teardown),
    fixtureSetup: hook(suite.fixtureSetup),
    fixtureTeardown: hook(suite.fixtureTeardown),
    stubs: [...stubs],
    logged: new Set(logs.keys()),
    hasLogs: logs.size > 0 || usesFakes,
  };
}

function failUnstubbed(context: Context, fn: HFunction, span: Span): void {
  fail(context, span, "E0554", `\`${fn.name}\` has no log: no test of this suite stubs it`, {
    label: "calls are logged while a stub stands",
    related: [{ span: fn.span, text: "declared here" }],
    help: `to log the calls of the function itself, stub it with itself: \`stub fn ${fn.name}(..) { return real(..) }\``,
  });
}

/** The library's modules, and functions of others, that every image has whatever its tests reach. */
const IN_EVERY_IMAGE = ["runtime", "report", "irq.on_interrupt"] as const;

/** What every image has must exist: nothing there can be skipped. */
export function finishLibrary(context: Context): void {
  const always = createReach();
  for (const name of IN_EVERY_IMAGE) {
    const [moduleName = "", only] = name.split(".");
    const module = context.modules.lib(moduleName);
    if (module === null) continue;
    for (const entry of functionsOf(module)) if (only === undefined || entry.item.name.text === only) always.functions.add(entry);
  }
  const { needs, absent } = closeReach(always);
  for (const diagnostic of absent) context.report(diagnostic);
  for (const [text, need] of needs) if (context.target.unmetNeed(need) !== null) failUnskippable(context, need.span, text);
}

/** A test of another target has not been checked: what it needs is not known here. */
function inferredNeeds(test: Pick<HTest, "needs">, reach: Reach): HTest["needs"] {
  return [...reach.needs.values()].filter(({ name, args }) => !test.needs.some((need) => need.name === name && need.args.join() === args.join()));
}

function reasonOf(context: Context, { on, needs }: Pick<HTest, "on" | "needs">): string | null {
  if (on.length > 0 && !on.includes(context.target.name)) return `only on ${on.join(", ")}`;
  return needs.map((need) => context.target.unmetNeed(need)).find((reason) => reason !== null) ?? null;
}
