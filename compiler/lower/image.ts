// A suite to an image: its tests and hooks behind the guest runtime's entry points, the tables that the runtime walks when the
// image runs by itself, and the manifest. The runtime is library code (lib/runtime.gspec); this file only fills in its variables.

import { positionAt, type Span } from "../../grammar/source.ts";
import { LIBRARY_PREFIX, type Module } from "../../isa/bytecode/module.ts";
import { cpusNeeded } from "../../machines/needs.ts";
import { intValue } from "../check/constants.ts";
import { libraryFunction, libraryVariable } from "../check/library-names.ts";
import type { ConstValue, FunctionBody, Global, HFunction, HSuite, HTest } from "../hir.ts";
import { MANIFEST_VERSION, type Manifest, type ManifestCase, type ManifestSuite, type ManifestTest } from "../images/manifest.ts";
import type { Program } from "../program.ts";
import { isAggregate, sizeOf, type StructType, type Type } from "../types.ts";
import { FunctionBuilder } from "./function-builder.ts";
import { lowerFunction } from "./function.ts";
import { loadFrom, scaled } from "./guest-memory.ts";
import { ModuleBuilder } from "./module-builder.ts";
import { lowerInitial } from "./statements.ts";
import { endStubs, keepStubs, resetSequence, stubFunctions } from "./stubs.ts";
import type { LoweringCache, Origin } from "./units.ts";

/** Why an image that runs by itself leaves a test with `@exits` out: the tests behind it would never come. */
const ENDS_MACHINE = "ends the machine: runs only under a host";

export interface ImageTarget {
  readonly target: string;
  readonly machine: string;
  readonly native: NativeFacts | null;
}

/** What an image that becomes machine code has in another way. */
export interface NativeFacts {
  /** Functions of the library that stand for instructions, by `op` or `op.type`. */
  readonly libraryOperations: ReadonlyMap<string, string>;
  /** Functions of the library that entry assembly calls, `platform.start`. */
  readonly entryFunctions: readonly string[];
}

const NO_OPERATIONS: ReadonlyMap<string, string> = new Map();

export interface LoweredImage {
  readonly module: Module;
  readonly manifest: Manifest;
  /** By function: what it has in common with other images of the compilation. */
  readonly origins: readonly (Origin | null)[];
}

export function lowerImage(program: Program, suite: HSuite, target: ImageTarget, cache: LoweringCache): LoweredImage {
  const { context } = program;
  const langItem = (name: string): HFunction => {
    const known = cache.langItems.get(name);
    if (known !== undefined) return known;
    const entry = libraryFunction(context, name);
    if (entry === null) throw new Error(`the guest library has no ${name}`);
    cache.langItems.set(name, entry.function);
    return entry.function;
  };
  const builder = new ModuleBuilder(context.target.layout, lowerFunction, langItem, target.native?.libraryOperations ?? NO_OPERATIONS, cache);
  stubFunctions(builder, suite);
  const runtime = new RuntimeTables(program, builder);
  runtime.fill(suite);
  const index = (name: string): number => builder.functionOfDeclared(langItem(name));
  const entry = {
    boot: index("runtime.boot"),
    suiteSetup: index("runtime.suite_setup"),
    suiteTeardown: index("runtime.suite_teardown"),
    runCase: index("runtime.run_case"),
    tableSetup: index("runtime.table_setup"),
    tableTeardown: index("runtime.table_teardown"),
    main: index("runtime.main"),
  };
  builder.exportFunction("main", entry.main);
  builder.exportFunction("boot", entry.boot);
  builder.exportFunction("run_case", entry.runCase);
  for (const name of target.native?.entryFunctions ?? []) builder.exportFunction(name, index(name));
  const module = builder.finish({ trap: index("runtime.on_trap"), interrupt: index("irq.on_interrupt") });
  runtime.fillSites();
  runtime.fillVariables();
  const fileIndex = (span: Span): number => builder.file(span.source);
  const manifestSuite: ManifestSuite = {
    name: suite.name,
    file: fileIndex(suite.span),
    hasSetup: suite.setup !== null,
    // What its set-up left to be undone is undone with the teardown.
    hasTeardown: suite.teardown !== null || suite.setup !== null,
    tests: suite.tests.map((test, i) => manifestTest(suite, test, i, fileIndex)),
  };
  return {
    module,
    manifest: {
      version: MANIFEST_VERSION,
      target: target.target,
      machine: target.machine,
      files: builder.filePaths(),
      suites: [manifestSuite],
      sites: builder.sites,
      entry,
    },
    origins: builder.originsOfFunctions(),
  };
}

function manifestTest(suite: HSuite, test: HTest, index: number, fileIndex: (span: Span) => number): ManifestTest {
  return {
    index,
    name: test.name,
    file: fileIndex(test.span),
    line: test.line,
    endLine: test.endLine,
    tags: test.tags,
    attributes: test.attributes,
    covers: test.covers,
    needs: test.needs.map(({ name, args }) => ({ name, args })),
    on: test.on,
    timeout: test.timeout,
    tableHooks: test.table === null ? null : suite.tables.indexOf(test.table),
    parameterised: hasRows(test),
    cases: test.cases.map((each) => ({
      row: each.row,
      name: each.name,
      file: fileIndex(each.span),
      line: positionAt(each.span.source, each.span.start).line,
      xfail: each.xfail,
      skip: each.skip,
      ...(each.attributes.length === 0 ? {} : rowAttributes(test, each.attributes)),
    })),
  };
}

/** A test over nothing is one case, which is skipped. */
function hasRows(test: HTest): boolean {
  return test.cases.some(({ name }) => name !== null);
}

/** Of several rows the longest time counts. */
function rowAttributes(test: HTest, attributes: HTest["cases"][number]["attributes"]): Pick<ManifestCase, "tags" | "covers" | "timeout"> {
  const tags = [...new Set(attributes.flatMap((each) => each.tags))].filter((tag) => !test.tags.includes(tag));
  const covers = attributes.flatMap((each) => each.covers);
  const timeouts = attributes.flatMap(({ timeout }) => timeout ?? []);
  return {
    ...(tags.length === 0 ? {} : { tags }),
    ...(covers.length === 0 ? {} : { covers }),
    ...(timeouts.length === 0 ? {} : { timeout: Math.max(...timeouts) }),
  };
}

/** Modules of the library whose variables belong to the test that uses them. */
const TEST_STATE: readonly string[] = ["model"].map((name) => `${LIBRARY_PREFIX}${name}.gspec`);

function isTestState(path: string): boolean {
  return !path.startsWith(LIBRARY_PREFIX) || TEST_STATE.includes(path);
}

/** Known only when everything is lowered. */
const LATE_VARIABLES: readonly string[] = ["report.sites", "report.operand_texts", "report.texts", "runtime.variables"];

/** Why an image that runs by itself leaves a case out; a host judges needs and targets before it calls. */
function reasonAlone(test: HTest, skip: string | null): string | null {
  if (skip !== null) return skip;
  return test.attributes.exits === undefined ? test.unmet : ENDS_MACHINE;
}

/** Fills the runtime's variables (`runtime.tests`, `report.sites`, ...) whose types the library declares: fields are found by name. */
class RuntimeTables {
  private readonly program: Program;
  private readonly builder: ModuleBuilder;
  private readonly wrapped = new Map<FunctionBody, HFunction>();
  private readonly texts = new TextBlob();
  /** Of the runtime's lists, by name. */
  private readonly elements = new Map<string, Type>();

  constructor(program: Program, builder: ModuleBuilder) {
    this.program = program;
    this.builder = builder;
  }

  fill(suite: HSuite): void {
    const nothing = this.builder.runtime("runtime.nothing");
    const fnOf = (body: FunctionBody | null): ConstValue => ({ kind: "function", function: body === null ? nothing : this.wrap(body) });
    const reset = this.synthesize(`${suite.name}: fixture variables`, suite.span, (b) => this.resetFixture(b, suite));
    this.set("runtime.suite", {
      name: text(suite.name),
      setup: fnOf(suite.setup),
      teardown: fnOf(suite.teardown),
      fixture_reset: { kind: "function", function: reset },
      fixture_setup: fnOf(suite.fixtureSetup),
      fixture_teardown: suite.stubs.length === 0 ? fnOf(suite.fixtureTeardown) : { kind: "function", function: this.teardownWithStubs(suite) },
    });
    const names = this.texts;
    const cases: ConstValue[] = [];
    const tests = suite.tests.map((test) => {
      const first = cases.length;
      for (const each of test.cases) {
        cases.push(
          this.record("runtime.cases", {
            row: intValue(BigInt(each.row)),
            name: names.add(each.name),
            xfail: names.add(each.xfail),
            skip: names.add(reasonAlone(test, each.skip)),
          }),
        );
      }
      const body = this.synthesize(
        `${test.name}: case`,
        test.span,
        (b) => {
          if (test.unmet !== null) return;
          keepStubs(b, suite);
          this.dispatch(b, test);
          if (test.attributes.exits !== undefined) b.call(this.builder.functionOfDeclared(this.builder.runtime("runtime.await_end")), [], []);
        },
        ["addr"],
      );
      return this.record("runtime.tests", {
        name: text(test.name),
        body: { kind: "function", function: body },
        first_case: intValue(BigInt(first)),
        case_count: intValue(BigInt(test.cases.length)),
        cpus: intValue(BigInt(cpusNeeded(test.needs))),
        no_warnings: intValue(test.attributes.no_warnings === undefined ? 0n : 1n),
        no_leaks: intValue(test.attributes.no_leaks === undefined ? 0n : 1n),
        parameterised: intValue(hasRows(test) ? 1n : 0n),
        table: intValue(test.table === null ? 0xffff_ffffn : BigInt(suite.tables.indexOf(test.table))),
      });
    });
    const tables = suite.tables.map((table) => this.record("runtime.tables", { setup: fnOf(table.setup), teardown: fnOf(table.teardown) }));
    this.set("runtime.tests", { kind: "list", items: tests });
    this.set("runtime.cases", { kind: "list", items: cases });
    this.set("runtime.tables", { kind: "list", items: tables });
    for (const name of LATE_VARIABLES) this.set(name, { kind: "zero" });
  }

  /** The sites are known when everything is lowered: where each stands and what it says, for images that run by themselves. */
  fillSites(): void {
    const operands: ConstValue[] = [];
    const files = this.builder.filePaths();
    const sites = this.builder.sites.map((site) => {
      const first = operands.length;
      for (const operand of site.operands) operands.push(this.texts.add(operand.text));
      return this.record("report.sites", {
        text: this.texts.add(`${files[site.file] ?? ""}:${site.line}:${site.column}: ${site.text}`),
        first_operand: intValue(BigInt(first)),
        operand_count: intValue(BigInt(site.operands.length)),
      });
    });
    this.set("report.sites", { kind: "list", items: sites });
    this.set("report.operand_texts", { kind: "list", items: operands });
    this.set("report.texts", { kind: "bytes", bytes: this.texts.bytes() });
  }

  /**
   * The specs' own variables, and those of library modules that hold what a test has made: an image that runs by itself has no snapshots and
   * sets them back before every test.
   */
  fillVariables(): void {
    const own = this.builder.variables().filter(({ span }) => isTestState(span.source.path));
    const ranges = own.map((global) =>
      this.record("runtime.variables", { start: { kind: "address", global }, length: intValue(BigInt(sizeOf(global.type, this.builder.layout).size)) }),
    );
    this.set("runtime.variables", { kind: "list", items: ranges });
  }

  private variable(name: string): Global {
    const global = libraryVariable(this.program.context, name);
    if (global === null) throw new Error(`the guest library has no variable ${name}`);
    return global;
  }

  private set(name: string, value: ConstValue | Readonly<Record<string, ConstValue>>): void {
    const global = this.variable(name);
    const constant = isConstValue(value) ? value : structValue(global.type, value);
    const index = this.builder.symbolOf(global);
    this.builder.replaceSymbol(index, this.builder.constantSymbol(global.name, global.type, constant, true));
  }

  /** An element of one of the runtime's lists. */
  private record(list: string, fields: Readonly<Record<string, ConstValue>>): ConstValue {
    let element = this.elements.get(list);
    if (element === undefined) {
      const { type } = this.variable(list);
      if (type.kind !== "slice") throw new Error(`${list} is no slice`);
      this.elements.set(list, (element = type.element));
    }
    return structValue(element, fields);
  }

  /** A body without name in the program as something that a table can point to. */
  private wrap(body: FunctionBody): HFunction {
    const known = this.wrapped.get(body);
    if (known !== undefined) return known;
    const fn: HFunction = { name: body.name, span: body.span, type: { params: body.params.map((param) => param.type), result: body.result }, body };
    this.wrapped.set(body, fn);
    return fn;
  }

  /** A function made here, not in the language. */
  private synthesize(name: string, span: Span, lower: (b: FunctionBuilder) => void, params: readonly "addr"[] = []): HFunction {
    const body: FunctionBody = {
      name,
      parent: null,
      params: [],
      result: { kind: "void" },
      block: { statements: [], hasCleanups: false },
      span,
      keepsEnvironment: false,
    };
    this.builder.functionMade(body, () => {
      const b = new FunctionBuilder(this.builder, name, { params, results: [] }, body, span);
      lower(b);
      b.emit("return");
      return b.finish();
    });
    return { name, span, type: { params: [], result: { kind: "void" } }, body };
  }

  /** What the test's body has stubbed ends before the teardown. */
  private teardownWithStubs(suite: HSuite): HFunction {
    const { fixtureTeardown: body } = suite;
    return this.synthesize(`${suite.name}: stubs end`, body?.span ?? suite.span, (b) => {
      endStubs(b, suite);
      if (body !== null) b.call(this.builder.functionOf(body), [], []);
    });
  }

  private resetFixture(b: FunctionBuilder, suite: HSuite): void {
    resetSequence(b, suite);
    for (const global of suite.fixtureVars) {
      const { size } = sizeOf(global.type, this.builder.layout);
      const initial =
        global.initial === null || global.initial.kind === "zero" ? null : this.builder.dataSymbol(`${global.name}.initial`, global.type, global.initial);
      b.statement(() => lowerInitial(b, this.builder.symbolOf(global), size, initial));
    }
  }

  /** Splits the case's number into one index per source (the last turns fastest), loads the values and calls the body. */
  private dispatch(b: FunctionBuilder, test: HTest): void {
    let rest = 0;
    const args: (readonly number[])[] = [];
    for (const source of [...test.sources].reverse()) {
      if (source.values.length === 0) return;
      const count = b.constant("addr", BigInt(source.values.length));
      const index = b.binary("rem_u", "addr", rest, count);
      rest = b.binary("div_u", "addr", rest, count);
      const symbol = this.builder.dataSymbol(
        `${test.name}.values`,
        { kind: "array", length: source.values.length, element: source.element },
        { kind: "list", items: source.values },
      );
      const at = b.binary("add", "addr", b.symbolAddress(symbol), scaled(b, index, sizeOf(source.element, this.builder.layout).size));
      args.unshift(sourceArguments(b, source.element, source.locals, at));
    }
    b.call(this.builder.functionOf(test.body), [], args.flat());
  }
}

function sourceArguments(b: FunctionBuilder, element: Type, locals: HTest["sources"][number]["locals"], at: number): readonly number[] {
  const [only] = locals;
  if (element.kind !== "struct" || (locals.length === 1 && only?.type === element)) return isAggregate(element) ? [at] : loadFrom(b, element, at, 0);
  return element.fields.flatMap((field) => loadFrom(b, field.type, at, field.offset));
}

function isConstValue(value: ConstValue | Readonly<Record<string, ConstValue>>): value is ConstValue {
  return typeof (value as { readonly kind?: unknown }).kind === "string";
}

function structValue(type: Type, fields: Readonly<Record<string, ConstValue>>): ConstValue {
  if (type.kind !== "struct") throw new Error(`a runtime table of ${type.kind} is no struct`);
  return { kind: "struct", fields: fieldsInOrder(type, fields) };
}

function fieldsInOrder(type: StructType, fields: Readonly<Record<string, ConstValue>>): readonly ConstValue[] {
  let found = 0;
  const values = type.fields.map(({ name }): ConstValue => {
    const value = fields[name];
    if (value !== undefined) found++;
    return value ?? { kind: "zero" };
  });
  const names = Object.keys(fields);
  if (found !== names.length) throw new Error(`${type.name} has not all of the fields ${names.join(", ")}`);
  return values;
}

const encoder = new TextEncoder();

function text(value: string): ConstValue {
  return { kind: "bytes", bytes: encoder.encode(value) };
}

/** Many short texts in one symbol: each is four bytes of length (little-endian), then its bytes; offset 0 means none. */
class TextBlob {
  private readonly known = new Map<string, ConstValue>();
  private all = new Uint8Array(4096);
  private size = 4;

  add(value: string | null): ConstValue {
    if (value === null) return intValue(0n);
    const before = this.known.get(value);
    if (before !== undefined) return before;
    const at = this.size;
    // No UTF-16 unit takes more than three bytes.
    const most = at + 4 + 3 * value.length;
    if (most > this.all.length) {
      const grown = new Uint8Array(2 * most);
      grown.set(this.all);
      this.all = grown;
    }
    const { written } = encoder.encodeInto(value, this.all.subarray(at + 4));
    new DataView(this.all.buffer).setUint32(at, written, true);
    this.size = at + 4 + written;
    const offset = intValue(BigInt(at));
    this.known.set(value, offset);
    return offset;
  }

  bytes(): Uint8Array {
    return this.all.slice(0, this.size);
  }
}
