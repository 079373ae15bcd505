// Enforces docs/architecture.md's layering over the import statements of every source: who may import whom, what may only
// be imported as a type, what must be loaded lazily, which files go round in circles, and that nothing below
// runtime/{machine,cpus,devices} can see the host's time, randomness or API. TypeScript 7 has no JavaScript API, so a
// scan of the statements has to do. Unit tests beside their sources are exempt: they may build what they test with any part.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { posix } from "node:path";
import { test } from "node:test";
import { bundledFolders, listFiles, root } from "../tools/project.mjs";

interface Layer {
  readonly folder: string;
  /** Path prefixes, its own folder included. */
  readonly mayImport: readonly string[];
  /** Path prefixes that may come in by `import type` only. */
  readonly mayImportTypes?: readonly string[];
  /** Neither host time nor host randomness nor any host API. */
  readonly isDeterministic?: boolean;
}

const emulated = ["runtime/machine", "runtime/cpus", "runtime/devices", "runtime/events.ts", "isa", "machines"];

/** The first layer whose folder holds the file decides, so the narrow ones stand before the wide ones. */
const layers: readonly Layer[] = [
  { folder: "grammar", mayImport: ["grammar"] },
  { folder: "isa", mayImport: ["isa"] },
  { folder: "machines", mayImport: ["machines"] },
  { folder: "compiler", mayImport: ["compiler", "grammar", "isa", "machines"] },
  { folder: "runtime/devices", mayImport: ["runtime/devices"], isDeterministic: true },
  { folder: "runtime/machine", mayImport: emulated, isDeterministic: true },
  { folder: "runtime/cpus", mayImport: emulated, isDeterministic: true },
  // The table of reporters loads the TUI, one of them, when it is asked for.
  { folder: "runtime/reporters", mayImport: ["runtime/reporters", "runtime/tui", "runtime/events.ts"] },
  // The TUI is a reporter too, and shows the same failure block as the human one.
  { folder: "runtime/tui", mayImport: ["runtime/tui", "runtime/reporters", "runtime/events.ts"] },
  {
    folder: "runtime",
    mayImport: ["runtime", "isa", "machines"],
    mayImportTypes: ["compiler/images/manifest.ts", "compiler/native/native-image.ts"],
  },
  { folder: "bin", mayImport: ["bin", "grammar", "isa", "machines", "compiler", "runtime"] },
];

/** Import nothing of ours and know nothing of the project, so every layer may use them. */
const leaves: readonly string[] = ["grammar/nearest-name.ts", "grammar/error-numbers.ts"];

/**
 * Files that import each other in a circle, by type or by value: whoever learns one has to learn all of them. This list may only
 * shrink; where something below needs what stands above, it is handed down as data (`Rules` of compiler/check/context.ts).
 */
const circles: readonly (readonly string[])[] = [["runtime/cpus/bytecode/translate-context.ts", "runtime/cpus/bytecode/translate-facts.ts"]];

/** Loaded with `import()` wherever they are used, because loading them costs more than a run may take. */
const lazyFolders = ["runtime/tui", "runtime/engines/qemu", "runtime/engines/command/command-engine.ts", "runtime/engines/command/command-process.ts"];
const lazyPackages = ["ink", "react"];

interface Import {
  readonly target: string;
  readonly line: number;
  readonly isType: boolean;
  readonly isDynamic: boolean;
}

const commentsAndStrings = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`/g;
const blank = (text: string): string => text.replace(/[^\n]/g, " ");

function withoutComments(source: string): string {
  return source.replace(commentsAndStrings, (match) => (match.startsWith("/") ? blank(match) : match));
}

function withoutCommentsAndStrings(source: string): string {
  return source.replace(commentsAndStrings, blank);
}

function findImports(source: string): Import[] {
  const text = withoutComments(source);
  const statements =
    /^[ \t]*(?:import\s+(type\s)?(?:[\w$*{},\s]+?\sfrom\s*)?|export\s+(type\s)?(?:\{[^}]*\}|\*(?:\s+as\s+\w+)?)\s*from\s*)["']([^"'\n]+)["']/gm;
  const calls = /\bimport\(\s*["']([^"'\n]+)["']\s*\)/g;
  const lineOf = (index: number): number => text.slice(0, index).split("\n").length;
  return [
    ...[...text.matchAll(statements)].map((match) => ({
      target: match[3] ?? "",
      line: lineOf(match.index),
      isType: match[1] !== undefined || match[2] !== undefined,
      isDynamic: false,
    })),
    ...[...text.matchAll(calls)].map((match) => ({
      target: match[1] ?? "",
      line: lineOf(match.index),
      // `import("./x.ts").Name` in a type position: no such file is loaded, but the sources use `import type` for that.
      isType: false,
      isDynamic: true,
    })),
  ];
}

function isWithin(path: string, prefixes: readonly string[]): boolean {
  return prefixes.some((prefix) => path === prefix || path.startsWith(`${prefix}/`));
}

const hostAccess: readonly (readonly [RegExp, string])[] = [
  [/\bnew Date\b|\bDate\./, "Date"],
  [/\bMath\.random\b/, "Math.random"],
  [/\b(setTimeout|setInterval|setImmediate|queueMicrotask)\(/, "host timers"],
  [/\bperformance\./, "performance"],
  [/\bprocess\./, "process"],
  [/\bcrypto\./, "crypto"],
  [/\bfetch\(/, "fetch"],
];

/** What is wrong with one source, as `path:line: sentence`. */
function findViolations(path: string, source: string): string[] {
  const layer = layers.find(({ folder }) => isWithin(path, [folder]));
  if (layer === undefined) return [`${path}:1: no layer holds this file`];
  const violations: string[] = [];
  for (const { target, line, isType, isDynamic } of findImports(source)) {
    const report = (sentence: string): void => void violations.push(`${path}:${line}: ${sentence}`);
    if (target.startsWith(".")) {
      const resolved = posix.normalize(posix.join(posix.dirname(path), target));
      // Compiled from schemas/ by the build; data, and as such below every layer.
      if (isWithin(resolved, ["generated/validators"])) continue;
      if (leaves.includes(path)) report("a leaf must not import anything of ours");
      if (leaves.includes(resolved)) continue;
      const isAllowed = isWithin(resolved, layer.mayImport) || (isType && isWithin(resolved, layer.mayImportTypes ?? []));
      if (!isAllowed) report(`${layer.folder} must not import ${isType ? "types of " : ""}${resolved}`);
      const isStaticLoad = !isType && !isDynamic;
      if (isStaticLoad && isWithin(resolved, lazyFolders) && !isWithin(path, lazyFolders)) report(`${resolved} must be loaded by import()`);
      continue;
    }
    if (layer.isDeterministic === true && !isType) report(`${layer.folder} must not use ${target}`);
    if (!isType && !isDynamic && lazyPackages.some((name) => isWithin(target, [name])) && !isWithin(path, lazyFolders))
      report(`${target} must be loaded by import()`);
  }
  if (layer.isDeterministic === true) {
    const lines = withoutCommentsAndStrings(source).split("\n");
    for (const [index, text] of lines.entries())
      for (const [pattern, name] of hostAccess) if (pattern.test(text)) violations.push(`${path}:${index + 1}: ${layer.folder} must not use ${name}`);
  }
  return violations;
}

/** Groups of files each of which leads to all others of its group by imports that load at once (Tarjan's strongly connected components). */
function findCircles(importsOf: ReadonlyMap<string, readonly string[]>): readonly (readonly string[])[] {
  const found: string[][] = [];
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const open: string[] = [];
  const visit = (path: string): number => {
    const number = order.size;
    order.set(path, number);
    lowest.set(path, number);
    open.push(path);
    for (const next of importsOf.get(path) ?? []) {
      const reached = order.has(next) ? (open.includes(next) ? order.get(next) : undefined) : visit(next);
      if (reached !== undefined) lowest.set(path, Math.min(lowest.get(path) ?? number, reached));
    }
    const low = lowest.get(path) ?? number;
    if (low === number) found.push(open.splice(open.indexOf(path)));
    return low;
  };
  for (const path of importsOf.keys()) if (!order.has(path)) visit(path);
  return found.filter(({ length }) => length > 1).map((circle) => circle.sort());
}

const sources = listFiles(bundledFolders, (path) => /\.tsx?$/.test(path) && !/\.test\.tsx?$/.test(path)).map(
  (path) => [path, readFileSync(`${root}/${path}`, "utf8")] as const,
);

test("every source keeps to its layer", () => {
  assert.ok(sources.length > 0);
  const violations = sources.flatMap(([path, text]) => findViolations(path, text));
  assert.deepEqual(violations, []);
});

test("imports make no circles but the known ones", () => {
  const importsOf = new Map(
    sources.map(([path, text]) => {
      const targets = findImports(text).filter(({ target, isDynamic }) => target.startsWith(".") && !isDynamic);
      return [path, targets.map(({ target }) => posix.normalize(posix.join(posix.dirname(path), target)))] as const;
    }),
  );
  const written = findCircles(importsOf).map((circle) => circle.join("\n"));
  assert.deepEqual(written.sort(), circles.map((circle) => [...circle].sort().join("\n")).sort());
});

test("a circle is found however long it is, and only as far as it goes round", () => {
  const imports = { a: ["b"], b: ["c", "d"], c: ["a"], d: ["e"], e: [], f: ["f", "a"], g: ["h"], h: ["g"] };
  assert.deepEqual(findCircles(new Map(Object.entries(imports))), [
    ["a", "b", "c"],
    ["g", "h"],
  ]);
});

test("an import against the layering is found, however it is written", () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ["grammar/a.ts", 'import { b } from "../compiler/b.ts";', "grammar must not import compiler/b.ts"],
    ["grammar/a.ts", 'import type { B } from "../compiler/b.ts";', "grammar must not import types of compiler/b.ts"],
    ["isa/a.ts", 'export * from "../grammar/b.ts";', "isa must not import grammar/b.ts"],
    ["compiler/a.ts", 'import {\n  b,\n  c,\n} from "../runtime/b.ts";', "compiler must not import runtime/b.ts"],
    ["compiler/a.ts", 'import "../bin/b.ts";', "compiler must not import bin/b.ts"],
    ["runtime/runner/a.ts", 'const b = await import("../../compiler/b.ts");', "runtime must not import compiler/b.ts"],
    ["runtime/runner/a.ts", 'import { Manifest } from "../../compiler/images/manifest.ts";', "runtime must not import compiler/images/manifest.ts"],
    ["runtime/devices/a.ts", 'import { b } from "../cpus/b.ts";', "runtime/devices must not import runtime/cpus/b.ts"],
    ["runtime/devices/a.ts", 'import { b } from "../machine/b.ts";', "runtime/devices must not import runtime/machine/b.ts"],
    ["runtime/devices/a.ts", 'import { hash } from "node:crypto";', "runtime/devices must not use node:crypto"],
    ["runtime/devices/a.ts", "const now = Date.now();", "runtime/devices must not use Date"],
    ["runtime/machine/a.ts", "const x = Math.random();", "runtime/machine must not use Math.random"],
    ["runtime/cpus/a.ts", "setTimeout(() => step(), 1);", "runtime/cpus must not use host timers"],
    ["runtime/reporters/a.ts", 'import { b } from "../runner/b.ts";', "runtime/reporters must not import runtime/runner/b.ts"],
    ["bin/main.ts", 'import { App } from "../runtime/tui/app.tsx";', "runtime/tui/app.tsx must be loaded by import()"],
    ["bin/main.ts", 'import { render } from "ink";', "ink must be loaded by import()"],
    ["runtime/runner/a.ts", 'import { startFleet } from "../engines/qemu/fleet.ts";', "runtime/engines/qemu/fleet.ts must be loaded by import()"],
    ["grammar/nearest-name.ts", 'import { b } from "./b.ts";', "a leaf must not import anything of ours"],
    ["elsewhere/a.ts", "", "no layer holds this file"],
  ];
  for (const [path, source, sentence] of cases) assert.deepEqual(findViolations(path, source), [`${path}:1: ${sentence}`], `${path} with ${source}`);
});

test("imports along the layering, comments and strings are left alone", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["compiler/a.ts", 'import { b } from "../grammar/b.ts";\nimport { c } from "./c.ts";'],
    ["compiler/a.ts", 'import { validate } from "../generated/validators/table.mjs";'],
    ["runtime/runner/a.ts", 'import type { Manifest } from "../../compiler/images/manifest.ts";'],
    ["runtime/devices/a.ts", '// import { b } from "../cpus/b.ts"; Date.now()\nconst s = "Math.random";'],
    ["runtime/devices/goldfish-rtc.ts", 'import { defineDevice } from "./device.ts";'],
    ["runtime/machine/access.ts", 'import { isWindow } from "../devices/device.ts";'],
    ["machines/a.ts", 'import { nearestName } from "../grammar/nearest-name.ts";'],
    ["bin/main.ts", 'const { App } = await import("../runtime/tui/app.tsx");'],
    ["runtime/tui/app.tsx", 'import { render } from "ink";\nimport { shorten } from "./shorten.ts";'],
  ];
  for (const [path, source] of cases) assert.deepEqual(findViolations(path, source), [], `${path} with ${source}`);
});
