// From paths to a checked program: reads the spec files, everything they `use`, and the guest library, declares all names, then
// checks all bodies. The library's files are modules like any other; only their place (lib/NAME.gspec) makes them namespaces. Nobody
// changes them between two runs, though, and a spec needs few of their functions: bodies are parsed and checked when they are asked for.

import type { File } from "../grammar/ast.ts";
import type { Diagnostic, Report } from "../grammar/diagnostic.ts";
import { parseFile, parseFileOnDemand, READ_AS_MEANT } from "../grammar/parser.ts";
import { positionAt, type Source, type Span } from "../grammar/source.ts";
import { LIBRARY_PREFIX } from "../isa/bytecode/module.ts";
import { fail, failTwice, moduleContext, suggest, type Context, type ModuleTable, type TargetFacts } from "./check/context.ts";
import { checkFunctions, checkUnusedDeclarations, declareNames, deferFunctions, resolveSignatures } from "./check/declarations.ts";
import { completeFakes } from "./check/fakes.ts";
import { INTRINSIC_NAMESPACES } from "./check/intrinsics.ts";
import { resolveParents } from "./check/interfaces.ts";
import { consult, recallReach } from "./check/library-names.ts";
import { RULES } from "./check/rules.ts";
import { finishLibrary, finishSuite, type CheckedSuite } from "./check/runnable.ts";
import { createModule, moduleScope, spanOfSymbol, type FnEntry, type Module } from "./check/scope.ts";
import { checkSuite } from "./check/suite.ts";
import type { HSuite } from "./hir.ts";
import type { LibraryStore } from "./library-store.ts";
import { joinPath } from "./paths.ts";

export interface ProgramOptions {
  readonly target: TargetFacts;
  readonly targets: readonly string[];
  readonly readFile: (path: string) => string | null;
  /** Directory of the guest library, with a trailing slash. */
  readonly libDirectory: string;
  /** Names of its modules, asked for only to suggest one. */
  readonly libraryModules: () => readonly string[];
  /** Folders below it whose modules stand in for the shared ones, those of the machine before the target's: `riscv64-sbi`, `riscv64`. */
  readonly libraryPath: readonly string[];
  /** All such folders, asked for only when something is missing. */
  readonly libraryFolders: () => readonly string[];
  readonly projectTags: () => readonly string[];
  readonly projectAttributes: () => readonly string[];
  /** The image is going to be machine code. */
  readonly isNative: boolean;
  /** Reads `*.gspec.yaml`; given by the caller so that a program without YAML does not load its reader. */
  readonly parseYaml: (source: Source, report: Report) => File;
  /** All of the library's modules in reach are checked, not only what the specs need. */
  readonly checksLibrary: boolean;
  /** What earlier compilations have kept of the library. */
  readonly library: LibraryStore | null;
  /** What other compilations of the same process have parsed; read and filled in. */
  readonly parsed: ParsedFiles;
}

/** By path as messages name it: what a text was parsed to. Trees never change. */
export type ParsedFiles = Map<string, ParsedFile>;

interface ParsedFile {
  readonly source: Source;
  readonly file: File;
  readonly diagnostics: readonly Diagnostic[];
}

export interface Program {
  readonly modules: ReadonlyMap<string, Module>;
  readonly suites: readonly { readonly module: Module; readonly suite: HSuite }[];
  /** What was found so far: bodies of library functions are read and checked when something needs them, the last by lowering. */
  readonly diagnostics: () => readonly Diagnostic[];
  readonly context: Context;
  /** Paths that each module reads, itself included. */
  readonly dependenciesOf: (module: Module) => readonly string[];
}

/** The library's modules that the compiler itself refers to, used or not. */
const RUNTIME_MODULES: readonly string[] = ["runtime", "report", "format", "text", "console", "heap", "irq", "cpu", "trap", "time"];

/** Those that code for a native target calls without naming them. */
const NATIVE_MODULES: readonly string[] = ["native", "platform", "agent"];

/** For a name that no module has. */
function helpWithModule(name: string, modules: readonly string[]): string | undefined {
  return INTRINSIC_NAMESPACES.has(name) ? `\`${name}\` is part of the language: leave the line out` : suggest(name, modules);
}

export function loadProgram(paths: readonly string[], options: ProgramOptions): Program {
  const files: ParsedFile[] = [];
  const checked: Diagnostic[] = [];
  const report: Report = (diagnostic) => checked.push(diagnostic);
  const modules = new Map<string, Module>();
  const missing = new Set<string>();
  const uses = new Map<Module, Set<Module>>();
  const queue: Module[] = [];

  const parse = (source: Source): ParsedFile => {
    const known = options.parsed.get(source.path);
    if (known?.source.text === source.text) return known;
    const found: Diagnostic[] = [];
    const file = source.path.endsWith(".yaml")
      ? options.parseYaml(source, (diagnostic) => found.push(diagnostic))
      : source.path.startsWith(LIBRARY_PREFIX)
        ? parseFileOnDemand(source, (diagnostic) => found.push(diagnostic))
        : parseFile(source, (diagnostic) => found.push(diagnostic));
    const parsed = { source, file, diagnostics: found };
    options.parsed.set(source.path, parsed);
    return parsed;
  };
  const load = (path: string, libName: string | null, folder = ""): Module | null => {
    const known = modules.get(path);
    if (known !== undefined) return known;
    if (missing.has(path)) return null;
    const text = options.readFile(path);
    if (text === null) {
      missing.add(path);
      return null;
    }
    // The library is named apart from where it is installed: images and reports are the same on every machine.
    const parsed = parse({ path: libName === null ? path : `${LIBRARY_PREFIX}${folder}${libName}.gspec`, text });
    files.push(parsed);
    const module = createModule(parsed.source, parsed.file, libName);
    modules.set(path, module);
    uses.set(module, new Set());
    queue.push(module);
    return module;
  };
  // lib/riscv64/timer.gspec goes before lib/timer.gspec.
  const lib = (name: string): Module | null => {
    if (!/^[a-z][a-z0-9_]*$/.test(name)) return null;
    for (const folder of options.libraryPath) {
      const module = load(`${options.libDirectory}${folder}/${name}.gspec`, name, `${folder}/`);
      if (module !== null) return module;
    }
    return load(`${options.libDirectory}${name}.gspec`, name);
  };
  /** By module and name: specs for several targets ask for the same again and again. */
  const owners = new Map<string, readonly string[]>();
  function elsewhere(module: string, name: string | null): readonly string[] {
    const key = name === null ? module : `${module}.${name}`;
    const known = owners.get(key);
    if (known !== undefined) return known;
    const declares = name === null ? null : new RegExp(`^(?:shared )?(?:fn|const|var|struct|enum|regs|table) ${name}\\b`, "m");
    const found = options.libraryFolders().filter((folder) => {
      if (options.libraryPath.includes(folder)) return false;
      const text = options.readFile(`${options.libDirectory}${folder}/${module}.gspec`);
      return text !== null && (declares === null || declares.test(text));
    });
    owners.set(key, found);
    return found;
  }
  const table: ModuleTable = {
    lib: (name) => {
      const module = lib(name);
      if (module !== null) settle();
      return module;
    },
    libNames: () => [...new Set([...modules.values()].flatMap((module) => module.libName ?? []).concat(options.libraryModules()))],
    elsewhere,
    targets: options.targets,
    file: (from, path) => {
      const module = load(joinPath(from.source.path, path), null);
      if (module !== null) {
        uses.get(from)?.add(module);
        settle();
      }
      return module;
    },
    projectTags: options.projectTags,
    projectAttributes: options.projectAttributes,
  };
  const nesting = { depth: 0, isTold: false };
  const base = (module: Module): Context => ({
    target: options.target,
    report,
    modules: table,
    scope: moduleScope(module),
    rules: RULES,
    body: null,
    inLoop: false,
    cleanups: { any: false },
    nesting,
    inferred: { cpus: 0, checks: false },
    reach: null,
  });

  const recall = (entry: FnEntry): boolean => {
    const kept = options.library?.find(entry.function.name);
    if (kept === undefined || kept.reach === null) return false;
    const context = base(entry.module);
    consult(context, kept.modules);
    recallReach(context, entry, kept.reach);
    return true;
  };
  const declared: Module[] = [];
  /** Declares what was loaded since, until nothing new is used; a module's bodies are checked later. */
  function settle(): void {
    const fresh: Module[] = [];
    for (let module = queue.shift(); module !== undefined; module = queue.shift()) {
      const context = base(module);
      declareNames(context, module);
      for (const item of module.file.items) if (item.kind === "use") use(context, module, item);
      fresh.push(module);
    }
    // A signature may name a type of any module that is used: all names come first, then what structs extend.
    for (const module of fresh) resolveParents(moduleContext(base(module), module), module);
    for (const module of fresh) {
      resolveSignatures(base(module), module);
      declared.push(module);
    }
    for (const module of fresh) completeFakes(base(module), module);
    for (const module of fresh) if (module.libName !== null) deferFunctions(base(module), module, recall);
  }

  function use(context: Context, module: Module, item: File["items"][number] & { kind: "use" }): void {
    const target = item.quoted ? load(joinPath(module.source.path, item.path.text), null) : lib(item.path.text);
    // What another target has may be used in tests for it.
    if (target === null && !item.quoted && table.elsewhere(item.path.text, null).length > 0) return;
    if (target === null) {
      fail(
        context,
        item.path.span,
        "E0406",
        item.quoted ? `there is no file \`${item.path.text}\`` : `there is no module \`${item.path.text}\` in the library`,
        {
          help: item.quoted ? undefined : helpWithModule(item.path.text, table.libNames()),
          ...(item.quoted ? { notes: [`looked for ${joinPath(module.source.path, item.path.text)}`] } : {}),
        },
      );
      return;
    }
    if (item.alias === null && !item.quoted && module.names.get(item.path.text)?.kind === "namespace") return;
    const name = item.alias ?? (item.quoted ? null : item.path);
    const before = name === null ? undefined : module.names.get(name.text);
    if (name !== null && before !== undefined) {
      failTwice(context, name.span, `\`${name.text}\``, spanOfSymbol(before));
      return;
    }
    uses.get(module)?.add(target);
    if (item.alias === null && item.quoted) module.opened.push(target);
    else module.names.set(item.alias?.text ?? item.path.text, { kind: "namespace", module: target, span: item.span });
  }

  const specs = paths.flatMap((path) => load(path, null) ?? []);
  for (const name of RUNTIME_MODULES) lib(name);
  if (options.isNative) for (const name of NATIVE_MODULES) lib(name);
  settle();
  const suites: { module: Module; suite: CheckedSuite }[] = [];
  for (const module of specs) {
    const suite = checkSuite(base(module), module);
    if (suite !== null) suites.push({ module, suite });
  }
  // Checking bodies may load library modules that nothing named before: `declared` grows while this runs.
  for (let i = 0; i < declared.length; i++) {
    const module = declared[i];
    if (module === undefined || (module.libName !== null && !options.checksLibrary)) continue;
    const context = moduleContext(base(module), module);
    checkFunctions(context, module);
    checkUnusedDeclarations(context, module);
  }
  const [first] = specs;
  if (first !== undefined) finishLibrary(base(first));
  const finished = suites.map(({ module, suite }) => ({ module, suite: finishSuite(base(module), suite) }));
  return {
    modules,
    suites: finished,
    diagnostics: () => withoutEchoes([...files.flatMap(({ diagnostics }) => diagnostics), ...checked], modules),
    context: base(
      specs[0] ??
        [...modules.values()][0] ??
        createModule(
          { path: "", text: "" },
          { kind: "file", span: { source: { path: "", text: "" }, start: 0, end: 0 }, suite: null, items: [], comments: [] },
          null,
        ),
    ),
    dependenciesOf: (module) => reach(module, uses),
  };
}

function reach(start: Module, uses: ReadonlyMap<Module, ReadonlySet<Module>>): readonly string[] {
  const seen = new Set<Module>([start]);
  for (const module of seen) for (const next of uses.get(module) ?? []) seen.add(next);
  return [...seen].filter((module) => module.libName === null).map((module) => module.source.path);
}

/**
 * Leaves out what other mistakes explain. Warnings of files with errors: what looks unused or unchecked there may be used by what did
 * not parse or check. Missing fields, registers and members of declarations that did not parse in whole. Names and types on a line that did not
 * parse: what was read of it is a part, or a guess.
 */
function withoutEchoes(diagnostics: readonly Diagnostic[], modules: ReadonlyMap<string, Module>): readonly Diagnostic[] {
  const wrong = new Set(diagnostics.filter(({ severity }) => severity === "error").map(({ labels }) => labels[0].span.source));
  const ofReading = diagnostics.filter(({ code }) => isOfReading(code));
  const unread = ofReading.map(({ labels }) => labels[0].span);
  const isInside = (inner: Span, outer: Span): boolean => inner.source === outer.source && outer.start <= inner.start && inner.start <= outer.end;
  const lineOf = ({ source, start }: Span): string => `${source.path}:${positionAt(source, start).line}`;
  const unreadLines = new Set(ofReading.filter(({ code }) => !READ_AS_MEANT.has(code)).map(({ labels }) => lineOf(labels[0].span)));
  const isExplained = ({ code, labels: [place, declared] }: Diagnostic): boolean => {
    if (unread.length === 0) return false;
    if (!isOfReading(code) && unreadLines.has(lineOf(place.span))) return true;
    if (!MISSING_PARTS.has(code) || declared === undefined) return false;
    const item = modules.get(declared.span.source.path)?.file.items.find(({ span }) => isInside(declared.span, span));
    return item !== undefined && unread.some((span) => isInside(span, item.span));
  };
  return diagnostics.filter((diagnostic) => (diagnostic.severity === "error" ? !isExplained(diagnostic) : !wrong.has(diagnostic.labels[0].span.source)));
}

/** Of the scanner, the parser or the reader of YAML. */
function isOfReading(code: string): boolean {
  return /^E0[123]/.test(code);
}

/** A field, method, register or member that its declaration, the second label, does not have. */
const MISSING_PARTS: ReadonlySet<string> = new Set(["E0407", "E0411", "E0412"]);
