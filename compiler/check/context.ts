// What every part of the checker shares: where diagnostics go, the layout and machine compiled for, the body being checked and
// the scope. A `Context` is immutable but for what it points to; a nested block or closure gets a changed copy.

import type { Diagnostic, Label, Report } from "../../grammar/diagnostic.ts";
import { didYouMean } from "../../grammar/nearest-name.ts";
import type { Expr, Stmt } from "../../grammar/ast.ts";
import type { Span } from "../../grammar/source.ts";
import type { DataLayout } from "../../isa/bytecode/module.ts";
import type { MachineLanguage } from "../../isa/machine-language.ts";
import type { FunctionBody, HExpr, HStmt } from "../hir.ts";
import { ERROR, type Type } from "../types.ts";
import { moduleScope, type Module, type Reach, type Scope } from "./scope.ts";

/** What the checker must know of the machine that the image is for. */
export interface TargetFacts {
  readonly name: string;
  readonly layout: DataLayout;
  /** `uart0.base` and the like, for `machine.uart0.base`. */
  readonly constants: ReadonlyMap<string, bigint>;
  /** Its assembler and register names; null on the bytecode, and where the caller did not load one. */
  readonly language: MachineLanguage | null;
  /** The constants of all machines of the package, a machine's after the other's; asked for when one is missing. The first that has it counts. */
  readonly constantsElsewhere: () => Iterable<ReadonlyMap<string, bigint>>;
  /** Why the machine does not meet a need, or null. */
  readonly unmetNeed: (need: { readonly name: string; readonly args: readonly string[] }) => string | null;
}

/**
 * What each kind of expression and statement means (rules.ts). These rules stand above everything that is asked for by them, and yet are
 * needed below: an operand has operands, a statement has blocks, the length of an array type is an expression.
 */
export interface Rules {
  readonly expression: (context: Context, expr: Expr, expected: Type | null) => HExpr;
  readonly statement: (context: Context, statement: Stmt) => readonly HStmt[];
}

export interface Context {
  readonly rules: Rules;
  readonly target: TargetFacts;
  readonly report: Report;
  readonly modules: ModuleTable;
  readonly scope: Scope;
  /** Null at file level, where only constants are. */
  readonly body: FunctionBody | null;
  readonly inLoop: boolean;
  /** Set when the block pushes a cleanup. */
  readonly cleanups: { any: boolean };
  /** How deep the checker is in nested code, over all that is checked on demand; shared by every context of a program. */
  readonly nesting: { depth: number; isTold: boolean };
  /** What a test turns out to need, and whether anything in it can fail. */
  readonly inferred: { cpus: number; checks: boolean };
  /** What the code being checked reaches; null where no test can be skipped for it (types, enums, register blocks). */
  readonly reach: Reach | null;
}

export interface ModuleTable {
  readonly lib: (name: string) => Module | null;
  readonly libNames: () => readonly string[];
  /** Folders of other targets whose library has this module or, in it, this name. */
  readonly elsewhere: (module: string, name: string | null) => readonly string[];
  readonly targets: readonly string[];
  /** The module of a file named in another one's `use` or `from`. */
  readonly file: (from: Module, path: string) => Module | null;
  /** Tags that the project declares beside the built-in ones. */
  readonly projectTags: () => readonly string[];
  /** Attributes that the project declares, which take no argument or a text. */
  readonly projectAttributes: () => readonly string[];
}

/** A module of the library that the code being checked names. */
export function libraryModule({ modules, scope }: Pick<Context, "modules" | "scope">, name: string): Module | null {
  scope.module.consulted.add(name);
  return modules.lib(name);
}

export interface Extra {
  readonly label?: string;
  readonly related?: readonly Label[];
  readonly notes?: readonly string[];
  readonly help?: string | undefined;
  readonly fix?: Diagnostic["fix"] | undefined;
}

/** Reports an error at a span. */
export function fail(context: Pick<Context, "report">, span: Span, code: string, message: string, extra: Extra = {}): void {
  const diagnostic: Diagnostic = {
    code,
    severity: code.startsWith("W") ? "warning" : "error",
    message,
    labels: [{ span, text: extra.label ?? "" }, ...(extra.related ?? [])],
    ...(extra.notes === undefined ? {} : { notes: extra.notes }),
    ...(extra.help === undefined ? {} : { help: extra.help }),
    ...(extra.fix === undefined ? {} : { fix: extra.fix }),
  };
  context.report(diagnostic);
}

/** Reports a second declaration of a name: "`x` is declared twice", `where` completes it ("in `Mode`"). */
export function failTwice(context: Pick<Context, "report">, span: Span, what: string, before: Span, where?: string): void {
  fail(context, span, "E0409", `${what} is declared twice${where === undefined ? "" : ` ${where}`}`, {
    related: [{ span: before, text: "first declared here" }],
  });
}

/**
 * Deeper code than this is refused, long before the host's stack ends here or in lowering: the same program must compile on
 * every host.
 */
const MAX_NESTING = 400;

/** Checks something nested, or reports that it is too deep and gives `otherwise`. */
export function nested<R>(context: Context, span: Span, otherwise: R, check: () => R): R {
  const { nesting } = context;
  if (nesting.depth >= MAX_NESTING) {
    // Its neighbours are as deep: one report is enough.
    if (!nesting.isTold)
      fail(context, span, "E0529", "this is nested too deeply", {
        label: `${MAX_NESTING} levels down`,
        help: "give parts of it names, with `let`, `const` or functions; each operator of a chain such as `a + b + c` is a level",
      });
    nesting.isTold = true;
    return otherwise;
  }
  nesting.depth++;
  try {
    return check();
  } finally {
    nesting.depth--;
    if (nesting.depth === 0) nesting.isTold = false;
  }
}

/** "`a`, `b` and `c`". */
export function listNames(names: Iterable<string>): string {
  const quoted = [...names].map((name) => `\`${name}\``);
  const last = quoted.pop();
  return quoted.length === 0 ? (last ?? "") : `${quoted.join(", ")} and ${last ?? ""}`;
}

/** `1 argument`, `2 arguments`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** "did you mean `x`?" or nothing. */
export function suggest(name: string, candidates: Iterable<string>): string | undefined {
  return didYouMean(name, candidates, undefined);
}

/** Stands for an expression that did not check. */
export function errorExpr(span: Span, type: Type = ERROR): HExpr {
  return { kind: "error", type, span };
}

/** The context of a module's file level. */
export function moduleContext(context: Context, module: Module): Context {
  return { ...context, scope: moduleScope(module), body: null, inLoop: false, cleanups: { any: false }, inferred: { cpus: 0, checks: false } };
}
