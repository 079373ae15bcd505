// A file with a suite: fixtures, hooks, and tests with all their cases. Every case gets its name here, at compile time, so that
// listing and selecting never run a guest and an id means the same on every target.

import { literalText, type Expr, type FixtureItem, type Name, type TestItem, type TestSource } from "../../grammar/ast.ts";
import { positionAt, textOf, type Span } from "../../grammar/source.ts";
import {
  createBody,
  createLocal,
  type Attributes,
  type CheckedNeed,
  type ConstValue,
  type FunctionBody,
  type Global,
  type Guess,
  type HCase,
  type HExpr,
  type HRow,
  type HSource,
  type HTable,
  type Local,
} from "../hir.ts";
import { ERROR, VOID, type Type } from "../types.ts";
import { checkAttributes, checkNeeds } from "./attributes.ts";
import { checkBody } from "./blocks.ts";
import { renderCaseName, showValue } from "./case-names.ts";
import { evaluateInteger, intValue, itemsOf } from "./constants.ts";
import { errorExpr, fail, failTwice, moduleContext, suggest, type Context } from "./context.ts";
import { coerce, defaultType, guessFromList, quote, settleLiterals } from "./convert.ts";
import { checkTargetName } from "./elsewhere.ts";
import { createGlobal } from "./on-demand.ts";
import { createReach, useReach } from "./reach.ts";
import type { CheckedSuite, CheckedTest } from "./runnable.ts";
import { isLost, lookUp, spanOfSymbol, type Module, type Reach } from "./scope.ts";
import { tableOf } from "./tables.ts";
import { checkConstant } from "./values.ts";

/** Checks the tests of a file; null when it has no suite. */
export function checkSuite(context: Context, module: Module): CheckedSuite | null {
  const { file } = module;
  const reach = createReach();
  const inner: Context = { ...moduleContext(context, module), reach };
  const tests = file.items.filter((item) => item.kind === "test");
  const [first] = tests;
  if (file.suite === null) {
    if (first === undefined) return null;
    // A header that did not parse has been reported, and a key that is missing in YAML.
    if (!module.source.path.endsWith(".yaml") && !/^\s*suite\s+(?!setup|teardown)/m.test(module.source.text)) {
      fail(inner, first.name.span, "E0701", "a test needs a suite", { label: "in a file without a suite", help: 'begin the file with `suite "name"`' });
    }
  }
  const name = file.suite === null ? "" : plainText(inner, file.suite.name);
  const common = {
    attributes: checkAttributes(inner, file.suite?.attributes ?? []),
    needs: checkNeeds(inner, file.suite?.needs ?? []),
    on: (file.suite?.on ?? []).map((target) => {
      checkTargetName(inner, target.text, target.span);
      return target.text;
    }),
  };
  const fixture = checkFixture(
    inner,
    module,
    file.items.filter((item) => item.kind === "fixture"),
  );
  const tables = [...module.names.values()].flatMap((symbol) => (symbol.kind === "table" ? (tableOf(inner, symbol) ?? []) : []));
  for (const item of file.items) {
    if (item.kind !== "table-hook") continue;
    const table = tables.find((candidate) => candidate.name === item.table.text);
    if (table === undefined) {
      const names = [...module.names].flatMap(([tableName, symbol]) => (symbol.kind === "table" ? [tableName] : []));
      // A table that is too wrong to use has been reported.
      if (!names.includes(item.table.text) && !isLost(inner.scope, item.table.text)) {
        fail(inner, item.table.span, "E0708", `there is no table \`${item.table.text}\` in this file`, { help: suggest(item.table.text, names) });
      }
    } else table[item.when] = hookBody({ ...inner, reach: reachOfTable(module, table) }, `table ${item.when} for ${item.table.text}`, item);
  }
  const hook = (when: "setup" | "teardown"): FunctionBody | null => {
    const items = file.items.filter((item) => item.kind === "suite-hook" && item.when === when);
    const [first, second] = items;
    if (second !== undefined)
      fail(inner, headOf(second.span), "E0707", `a suite has one \`suite ${when}\``, {
        label: "the second one",
        related: [{ span: headOf(first?.span ?? second.span), text: "the first one" }],
      });
    return first?.kind === "suite-hook" ? hookBody(inner, `suite ${when}`, first) : null;
  };
  const checked = tests.map((test) => checkTest(inner, test, common));
  checkTestNames(inner, tests);
  return {
    name,
    span: file.suite?.span ?? file.span,
    path: module.source.path,
    tests: checked,
    setup: hook("setup"),
    teardown: hook("teardown"),
    fixtureSetup: fixture.setup,
    fixtureTeardown: fixture.teardown,
    fixtureVars: fixture.vars,
    tables,
    reach,
  };
}

/** Tests over a table reach what its hooks reach. */
function reachOfTable(module: Module, table: HTable): Reach {
  const symbol = module.names.get(table.name);
  if (symbol?.kind !== "table") throw new Error(`table ${table.name} is not declared in its file`);
  return symbol.reach;
}

function hookBody(context: Context, name: string, item: { readonly body: TestItem["body"]; readonly span: TestItem["span"] }): FunctionBody {
  const body = createBody(name, item.span, null, VOID);
  checkBody(context, body, item.body);
  return body;
}

function checkFixture(
  context: Context,
  module: Module,
  items: readonly FixtureItem[],
): { readonly vars: readonly Global[]; readonly setup: FunctionBody | null; readonly teardown: FunctionBody | null } {
  const [first, second] = items;
  if (first === undefined) return { vars: [], setup: null, teardown: null };
  if (second !== undefined)
    fail(context, headOf(second.span), "E0707", "a suite has one fixture", {
      label: "the second one",
      related: [{ span: headOf(first.span), text: "the first one" }],
    });
  const vars = items
    .flatMap((fixture) => fixture.vars)
    .flatMap((item) => {
      const global = createGlobal(context, item, true, "");
      const before = module.names.get(item.name.text);
      if (before !== undefined) failTwice(context, item.name.span, `\`${item.name.text}\``, spanOfSymbol(before));
      if (global === null) {
        // Its uses are no mistakes of their own.
        if (before === undefined) module.names.set(item.name.text, { kind: "global", item, module, state: "done", global: null, reach: createReach() });
        return [];
      }
      module.names.set(item.name.text, { kind: "global", item, module, state: "done", global, reach: createReach() });
      return [global];
    });
  const part = (when: "setup" | "teardown"): FunctionBody | null => {
    const block = first[when];
    return block === null ? null : hookBody(context, `fixture ${when}`, { body: block, span: block.span });
  };
  return { vars, setup: part("setup"), teardown: part("teardown") };
}

function plainText(context: Context, literal: TestItem["name"]): string {
  const hole = literal.parts.find((part) => part.kind === "hole");
  if (hole !== undefined)
    fail(context, hole.span, "E0523", "there is nothing to fill in here", {
      label: "a hole",
      help: "only the name of a test with `for` takes values; a literal brace is written twice: `{{`",
    });
  return literalText(literal);
}

// ---- Tests ----

/** Every case has a name and a place in the plan; more than this is a loop inside a test. */
const MAX_CASES = 1_000_000;

function failTooMany(context: Context, span: Span, count: bigint): void {
  fail(context, span, "E0705", `${count} cases are too many for one test`, { label: `at most ${MAX_CASES}`, help: "loop inside the test instead" });
}

interface Common {
  readonly attributes: Attributes;
  readonly needs: readonly CheckedNeed[];
  readonly on: readonly string[];
}

/** The words before the block of an item. */
function headOf(span: Span): Span {
  const brace = textOf(span).indexOf("{");
  return brace <= 0 ? span : { ...span, end: span.start + textOf(span).slice(0, brace).trimEnd().length };
}

/** One value that a `for` of the test can take, with what its row says. */
interface Candidate {
  readonly value: ConstValue;
  readonly row: HRow | null;
}

function checkTest(from: Context, item: TestItem, common: Common): CheckedTest {
  const reach = createReach();
  const context: Context = { ...from, reach };
  const attributes = checkAttributes(context, item.attributes);
  const needs = [...common.needs, ...checkNeeds(context, item.needs)];
  const on = item.on.map((target) => {
    checkTargetName(context, target.text, target.span);
    return target.text;
  });
  const name = templateText(item);
  const body = createBody(name, item.span, null, VOID);
  body.isTest = true;
  const sources: { readonly source: HSource; readonly candidates: readonly Candidate[]; readonly table: HTable | null }[] = [];
  const params: Local[] = [];
  for (const written of item.sources) {
    const before = params.find((param) => param.name === written.name.text);
    if (before !== undefined) failTwice(context, written.name.span, `\`${written.name.text}\``, before.span);
    const source = checkSource(context, written, body);
    if (source !== null) sources.push(source);
    // A source that is wrong still declares its variable, so that its uses are no mistakes of their own.
    params.push(...(source?.source.locals ?? namesOf(context, written).map((name) => createLocal(body, name.text, ERROR, name.span))));
  }
  body.params = params;
  if (item.sources.length === 0) plainText(context, item.name);
  const inferred = { cpus: 0, checks: false };
  const targets = on.length > 0 ? on : common.on;
  const isElsewhere = targets.length > 0 && !targets.includes(context.target.name);
  // A test of another target speaks of that target's functions and registers; here it is only listed, with the reason why it is skipped.
  if (!isElsewhere) checkBody({ ...context, inferred }, body, item.body);
  const flags = { ...common.attributes.flags, ...attributes.flags };
  if (!inferred.checks && !isElsewhere && flags.exits === undefined && flags.no_leaks === undefined && flags.no_warnings === undefined)
    fail(context, item.name.span, "W0701", "this test checks nothing", { label: "can only pass", help: "add an `expect`, or say with `skip` why it is empty" });
  const empty = sources.find(({ source }) => source.values.length === 0);
  const emptyReason =
    empty === undefined ? null : empty.table === null ? "the values of its `for` are an empty list or range" : `table \`${empty.table.name}\` has no rows`;
  // Elsewhere rows that speak of that target's names are left out.
  if (emptyReason !== null && !isElsewhere) fail(context, item.name.span, "W0702", "this test has no cases", { label: "is skipped", notes: [emptyReason] });
  if (inferred.cpus > 1 && !needs.some((need) => need.name === "cpus")) needs.push({ name: "cpus", args: [String(inferred.cpus)], span: item.span });
  const mark = item.mark === null ? null : { kind: item.mark.kind, reason: plainText(context, item.mark.reason) };
  const broken = sources.length < item.sources.length;
  return {
    name,
    span: item.span,
    line: positionAt(item.span.source, item.span.start).line,
    endLine: positionAt(item.span.source, item.span.end).line,
    tags: [...new Set([...common.attributes.tags, ...attributes.tags])],
    attributes: flags,
    covers: [...common.attributes.covers, ...attributes.covers],
    needs,
    on: targets,
    timeout: attributes.timeout ?? common.attributes.timeout,
    reach,
    sources: sources.map(({ source }) => source),
    body,
    cases: broken ? [] : emptyReason === null ? expandCases(context, item, sources, mark) : [caseWithoutRow(item, null, emptyReason.replaceAll("`", ""))],
    table: sources.find(({ table }) => table !== null && (table.setup !== null || table.teardown !== null))?.table ?? null,
  };
}

/** The name as written, without its quotes: the same for all cases. */
function templateText(item: TestItem): string {
  return item.name.parts.map((part) => (part.kind === "text" ? part.text : textOf(part.span))).join("");
}

function checkSource(
  context: Context,
  written: TestSource,
  body: FunctionBody,
): { readonly source: HSource; readonly candidates: readonly Candidate[]; readonly table: HTable | null } | null {
  const { source } = written;
  const local = (name: string, type: Type, span = written.name.span, guessedFrom?: Guess): Local => {
    const made = createLocal(body, name, type, span, { guessedFrom });
    made.used = true;
    return made;
  };
  if (source.kind === "name") {
    const symbol = lookUp(context.scope, source.name);
    if (symbol?.kind === "table") {
      const table = tableOf(context, symbol);
      useReach(context, symbol.reach, source.span);
      if (table === null) return null;
      const { row } = table;
      const locals =
        written.unpack === true && row.kind === "struct"
          ? row.fields.map((field) => local(field.name, field.type, field.declared))
          : [local(written.name.text, row)];
      return {
        source: { element: row, values: table.rows.map((each) => each.value), locals },
        candidates: table.rows.map((each) => ({ value: each.value, row: each })),
        table,
      };
    }
  }
  if (source.kind === "range") {
    const first = rangeEnd(context, source.start);
    if (first.kind === "error") return null;
    const second = rangeEnd(context, source.end);
    const isUntyped = first.type.kind === "comptime-int" && second.type.kind === "comptime-int";
    const [low, high] = settleLiterals(context, [first, second] as const);
    const type = low.type.kind === "int" ? low.type : high.type;
    if (type.kind !== "int") return null;
    const start = evaluateInteger(coerce(context, low, type), context.target.layout);
    const end = evaluateInteger(coerce(context, high, type), context.target.layout);
    if (start === null || end === null) return null;
    const last = source.inclusive ? end : end - 1n;
    if (last - start >= BigInt(MAX_CASES)) {
      failTooMany(context, source.span, last - start + 1n);
      return null;
    }
    const values: ConstValue[] = [];
    for (let value = start; value <= last; value++) values.push(intValue(value));
    return {
      source: {
        element: type,
        values,
        locals: [local(written.name.text, type, written.name.span, isUntyped ? { kind: "range", span: first.span } : undefined)],
      },
      candidates: values.map((value) => ({ value, row: null })),
      table: null,
    };
  }
  const constant = checkConstant(context, source, null, "what a test's `for` goes over", "a table, a list of constants, or a range");
  if (constant === null) return null;
  const typed = defaultType(context, constant.expr);
  const { type } = typed;
  if (typed.kind === "error") return null;
  if (type.kind !== "array" && type.kind !== "slice") {
    fail(context, source.span, "E0705", `a test's \`for\` takes a table, a list or a range, found ${quote(constant.type)}`, {
      label: `this is ${quote(constant.type)}`,
    });
    return null;
  }
  const items = itemsOf(constant.value, type);
  if (items === null) {
    failTooMany(context, source.span, BigInt(type.kind === "array" ? type.length : 0));
    return null;
  }
  return {
    source: { element: type.element, values: items, locals: [local(written.name.text, type.element, written.name.span, guessFromList(source))] },
    candidates: items.map((value) => ({ value, row: null })),
    table: null,
  };
}

/** The variables that a source declares. */
function namesOf(context: Context, { name, source, unpack }: TestSource): readonly Name[] {
  const symbol = unpack === true && source.kind === "name" ? lookUp(context.scope, source.name) : undefined;
  const columns = symbol?.kind === "table" ? symbol.item.columns : null;
  return columns === null ? [name] : columns.map((column) => column.name);
}

/** One end of a range of cases; wrong ones are reported and of type error. */
function rangeEnd(context: Context, end: Expr | null): HExpr {
  const span = end?.span ?? context.scope.module.file.span;
  // An open end has been reported by the parser.
  const constant = end === null ? null : checkConstant(context, end, null, "what a test's `for` goes over");
  if (constant === null) return errorExpr(span);
  if (constant.type.kind === "int" || constant.type.kind === "comptime-int") return constant.expr;
  fail(context, span, "E0705", `a range holds integers, found ${quote(constant.type)}`, { label: `this is ${quote(constant.type)}` });
  return errorExpr(span);
}

/** Shared by the many cases whose rows say nothing. */
const NO_ATTRIBUTES: readonly Attributes[] = [];

function caseWithoutRow(item: TestItem, xfail: string | null, skip: string | null): HCase {
  return { row: 0, name: null, span: item.span, xfail, skip, attributes: NO_ATTRIBUTES };
}

function expandCases(
  context: Context,
  item: TestItem,
  sources: readonly { readonly source: HSource; readonly candidates: readonly Candidate[] }[],
  mark: { readonly kind: "xfail" | "skip"; readonly reason: string } | null,
): readonly HCase[] {
  const marked = (kind: "xfail" | "skip", chosen: readonly Candidate[]): string | null =>
    (mark?.kind === kind ? mark.reason : null) ?? chosen.map(({ row }) => row?.[kind] ?? null).find((reason) => reason !== null) ?? null;
  if (sources.length === 0) return [caseWithoutRow(item, marked("xfail", []), marked("skip", []))];
  const total = sources.reduce((product, { candidates }) => product * candidates.length, 1);
  if (total > MAX_CASES) {
    failTooMany(context, item.name.span, BigInt(total));
    return [];
  }
  const hasHoles = item.name.parts.some((part) => part.kind === "hole");
  const used = new Map<string, number>();
  // A hole that is wrong is told once, by the first case.
  let canName = true;
  return Array.from({ length: total }, (_, row): HCase => {
    const chosen = chooseRow(sources, row);
    const rowNames = chosen.flatMap(({ row: tableRow }) => (tableRow?.name === null || tableRow === null ? [] : [tableRow.name]));
    let name: string;
    if (rowNames.length > 0 && rowNames.length === chosen.length) name = rowNames.join(", ");
    else if (hasHoles) {
      const rendered = canName
        ? renderCaseName(
            context,
            item.name,
            sources.map(({ source }, i) => ({ source, value: chosen[i]?.value ?? intValue(0n) })),
          )
        : null;
      if (rendered === null) canName = false;
      name = rendered ?? "?";
    } else name = sources.map(({ source }, i) => describeChoice(context, source, chosen[i])).join(", ");
    const before = used.get(name) ?? 0;
    used.set(name, before + 1);
    const tableRow = chosen.find((candidate) => candidate.row !== null)?.row ?? null;
    const attributes = chosen.flatMap((candidate) => candidate.row?.attributes ?? []);
    return {
      row,
      name: before === 0 ? name : `${name} #${before + 1}`,
      span: tableRow?.span ?? item.span,
      xfail: marked("xfail", chosen),
      skip: marked("skip", chosen),
      attributes: attributes.length === 0 ? NO_ATTRIBUTES : attributes,
    };
  });
}

/** The combination behind a case's number; the last source turns fastest. Lowering reads the number in the same way. */
function chooseRow(sources: readonly { readonly candidates: readonly Candidate[] }[], row: number): readonly Candidate[] {
  const chosen: Candidate[] = [];
  let rest = row;
  for (let i = sources.length - 1; i >= 0; i--) {
    const candidates = sources[i]?.candidates ?? [];
    const pick = candidates[rest % candidates.length];
    if (pick !== undefined) chosen.unshift(pick);
    rest = Math.floor(rest / candidates.length);
  }
  return chosen;
}

function describeChoice(context: Context, source: HSource, chosen: Candidate | undefined): string {
  if (chosen === undefined) return "";
  if (chosen.row !== null) return chosen.row.name ?? chosen.row.cells.map((cell) => textOf(cell)).join(", ");
  return `${source.locals[0]?.name ?? ""}=${showValue(context, source.element, chosen.value, null)}`;
}

function checkTestNames(context: Context, tests: readonly TestItem[]): void {
  const seen = new Map<string, TestItem>();
  for (const test of tests) {
    const name = templateText(test);
    const before = seen.get(name);
    if (before !== undefined) {
      fail(context, test.name.span, "E0702", `two tests are called "${name}"`, {
        label: "the second one",
        related: [{ span: before.name.span, text: "the first one" }],
        notes: ["a test's name is part of its id"],
      });
    }
    seen.set(name, test);
  }
}
