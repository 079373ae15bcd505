// What runs load, as scripts instead of ES modules: the core, which every run loads, what runs of machine code load, and the compiler. The reason is V8's
// code cache: Node keeps one for ES modules too, but fills it when a module is compiled, when none of its functions is. A `vm.Script` gives
// its cache after it has run, with every function that it called. Measured on a run of one test: 80 ms with modules, 60 ms with the
// script. What other commands load stays modules, compiled whole for Node's cache, as they are too many for caches of their own.
// Each script has a cache of its own, so that no run reads what another kind of run needs.
//
// esbuild makes main.js, which is bin/main.ts, and one chunk of all that main.js shares with lazily loaded chunks. Neither imports
// anything else. They become one function that gives what the shared chunk exports and runs main.js; in place of the shared
// chunk, whose exports other chunks import, stands a module that hands on the same objects: there is one copy of everything. Other scripts
// are chunks one after the other (`SCRIPTS`), each of which is replaced by such a module as well.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

/**
 * Source of an expression: `{ exports, main, chunk }`, made once in each thread. `file` lies beside the module that holds the expression;
 * `scripts` are the other scripts, each with its chunks. `chunk` gives what a chunk exports, of whichever script it is.
 */
function loaderOf(file, scripts) {
  return `(globalThis[Symbol.for("guestspec.core")] ??= (() => {
  const { closeSync, fstatSync, openSync, readSync, renameSync, writeFileSync } = process.getBuiltinModule("node:fs");
  const { createRequire, enableCompileCache } = process.getBuiltinModule("node:module");
  const { Script } = process.getBuiltinModule("node:vm");
  const scriptOf = new Map(Object.entries(${JSON.stringify(scripts)}).flatMap(([script, chunks]) => chunks.map((chunk) => [chunk, script])));
  const chunks = new Map();
  // Not for every run: these modules take longer to load than most of ours.
  const setFlag = (flag) => process.getBuiltinModule("node:v8").setFlagsFromString(flag);
  // A worker has not run main.js, and any other command than a run would leave out what runs need.
  const isRun = () => process.argv[2] === "run" && process.getBuiltinModule("node:worker_threads").isMainThread;
  const require = createRequire(import.meta.url);
  // All files go through one buffer, one after the other: memory that is touched for the first time costs more than what is read into it.
  let buffer = Buffer.allocUnsafeSlow(1 << 20);
  const read = (path) => {
    const file = openSync(path);
    try {
      const { size } = fstatSync(file);
      if (buffer.length < size) buffer = Buffer.allocUnsafeSlow(size);
      let length = 0;
      for (let more = 1; more > 0 && length < size; length += more) more = readSync(file, buffer, length, size - length, length);
      return buffer.subarray(0, length);
    } finally {
      closeSync(file);
    }
  };
  // By file: scripts that run without a cache. What of them was compiled is known at the end.
  const uncached = new Map();
  const keepCaches = () => {
    for (const [cacheFile, script] of uncached)
      try {
        writeFileSync(\`\${cacheFile}.\${process.pid}\`, script.createCachedData());
        renameSync(\`\${cacheFile}.\${process.pid}\`, cacheFile);
      } catch {
        // The package belongs to somebody else: runs are just slower.
      }
  };
  let hasCompileCache = false;
  let loading = 0;
  const runScript = (name) => {
    const filename = \`\${import.meta.dirname}/\${name}\`;
    const cacheFile = \`\${filename}.\${process.version}.cache\`;
    const source = read(filename).latin1Slice();
    let cachedData;
    try {
      cachedData = read(cacheFile);
    } catch {
      // Never written: the first run does it.
    }
    // The cache is of the flags that it was taken with.
    if (loading > 0) setFlag("--lazy");
    const script = new Script(source, { filename, cachedData });
    if (loading > 0) setFlag("--no-lazy");
    if ((cachedData === undefined || script.cachedDataRejected || process.env.GUESTSPEC_PRIME === "1") && isRun()) {
      if (uncached.size === 0) process.once("exit", keepCaches);
      uncached.set(cacheFile, script);
    }
    return script.runInThisContext()(import.meta.url, require, load, chunk, () => exports);
  };
  const chunk = (name) => {
    const script = scriptOf.get(name);
    if (!chunks.has(name)) for (const [made, exported] of Object.entries(runScript(script))) chunks.set(made, exported);
    return chunks.get(name);
  };
  const load = async (specifier) => {
    const name = specifier.slice("./".length);
    if (scriptOf.has(name)) return chunk(name);
    // Of use for what is loaded from here on, and for nothing before.
    if (!hasCompileCache) enableCompileCache?.();
    hasCompileCache = true;
    // Node's cache holds what is compiled at once. Lazily compiled functions are in no cache, and every process compiles them.
    if (loading++ === 0) setFlag("--no-lazy");
    try {
      return await import(specifier);
    } finally {
      if (--loading === 0) setFlag("--lazy");
    }
  };
  const { exports, main } = runScript(${JSON.stringify(file)});
  return { exports, main, chunk };
})())`;
}

/**
 * Scripts beside the core: each holds the chunks in which these sources are and what those import, but for what an earlier one holds. What
 * others use too is a script of its own, so that whoever needs it loads nothing else.
 */
const SCRIPTS = [
  ["targets", ["bin/load-targets.ts", "compiler/images/stored-native.ts", "runtime/exec/processors.ts"]],
  ["qemu", ["bin/qemu-run.ts", "runtime/engines/qemu/spares.ts", "runtime/engines/qemu/fleet.ts"]],
  ["encoder", ["runtime/cpus/wasm/encoder.ts"]],
  ["riscv-isa", ["isa/riscv64/registers.ts", "isa/riscv64/decode.ts"]],
  ["riscv", ["runtime/exec/riscv-processor.ts"]],
  ["compiler", ["compiler/index.ts", "bin/open-library.ts"]],
  [
    "back-end",
    [
      "compiler/native/index.ts",
      "compiler/native/frame.ts",
      "compiler/native/target.ts",
      "isa/assembly/address.ts",
      "compiler/images/stored-lowered.ts",
      "compiler/images/stored-entry.ts",
      "compiler/images/place-in-pack.ts",
    ],
  ],
  ["x86_64", ["compiler/targets/x86_64/target.ts", "isa/x86_64/machine-language.ts"]],
  ["riscv64", ["compiler/targets/riscv64/target.ts", "isa/riscv64/machine-language.ts"]],
  ["aarch64", ["compiler/targets/aarch64/target.ts", "isa/aarch64/machine-language.ts"]],
];

const stub = (build, file, scripts) => `// Generated by tools/build.mjs: the entry that bin/guestspec starts.
// Build ${build}
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  console.error(\`guestspec needs Node 22.18 or newer, this is \${process.versions.node}; \\\`npm ci\\\` in its folder fetches one\`);
  process.exit(75);
}
await ${loaderOf(file, scripts)}.main();
`;

/** `a`, `a as b` of an import or export clause as entries of an object pattern or literal. */
function listNames(clause, format) {
  return clause
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .map((part) => format(...part.split(/\s+as\s+/)));
}

/** A chunk as statements of a function. */
function asStatements(text) {
  return text
    .replace(/\bimport\.meta\.url\b/g, "__url")
    .replace(/\bimport\((?=["'`.])/g, "__import(")
    .replace(/^const require = [^\n]*/, "")
    .replace(/\n\/\/# sourceMappingURL=[^\n]*\n?$/, "\n");
}

const EXPORTS = /\nexport \{([^}]*)\};\n/;

function assertClosed(name, text) {
  const left = /^import\b[^\n]*|^export\b[^\n]*|\bimport(?:\.meta|\()[^\n]*/m.exec(text);
  if (left !== null) throw new Error(`${name} is part of a script and cannot hold: ${left[0].slice(0, 120)}`);
  // Read as latin1, which is free; esbuild escapes what is beyond ASCII.
  const foreign = /\P{ASCII}/u.exec(text);
  if (foreign !== null) throw new Error(`${name} holds the character ${JSON.stringify(foreign[0])}`);
}

const hashOf = (text) => createHash("sha256").update(text).digest("hex").slice(0, 8);

/** A source map of parts: [line at which it begins, path of the file that it was]. */
const mapOf = (parts, read) => ({
  version: 3,
  sections: parts.map(([line, path]) => ({ offset: { line, column: 0 }, map: JSON.parse(read(`${path}.map`)) })),
});

const staticImports = ({ imports }) => imports.filter(({ kind, external }) => kind === "import-statement" && external !== true).map(({ path }) => path);

/** The chunks of each script in an order in which each comes after what it imports. */
function assignChunks(outputs, core) {
  const taken = new Set([core]);
  return SCRIPTS.flatMap(([name, sources]) => {
    const chunks = [];
    const open = new Set();
    const add = (path) => {
      if (open.has(path)) throw new Error(`the chunk ${path} imports itself`);
      if (taken.has(path)) return;
      open.add(path);
      for (const imported of staticImports(outputs[path])) add(imported);
      open.delete(path);
      taken.add(path);
      chunks.push(path);
    };
    for (const source of sources) {
      const holds =
        Object.keys(outputs).find((path) => outputs[path].entryPoint === source) ?? Object.keys(outputs).find((path) => source in (outputs[path].inputs ?? {}));
      if (holds !== undefined) add(holds);
    }
    return chunks.length === 0 ? [] : [{ name, chunks }];
  });
}

/** Chunks as a script, a function that gives what each exports. */
function writeChunkScript(root, { name, chunks }, core) {
  const read = (path) => readFileSync(join(root, path), "utf8");
  const own = new Set(chunks.map((path) => basename(path)));
  const exports = new Map();
  const parts = [];
  let text = `(function (__url, require, __import, __chunk, __core) {const __own = {};`;
  for (const path of chunks) {
    const source = read(path);
    const names = listNames(EXPORTS.exec(source)?.[1] ?? "", (local, exported = local) => [local, exported]);
    exports.set(
      path,
      names.map(([, exported]) => exported),
    );
    const object = names.map(([local, exported]) => (local === exported ? local : `${exported}: ${local}`)).join(", ");
    const body = asStatements(source)
      .replace(EXPORTS, "\n")
      .replace(/^import (?:\{([^}]*)\} from )?"\.\/([^"]*)";$/gm, (statement, clause, file) => {
        const from = file === basename(core) ? "__core()" : own.has(file) ? `__own["${file}"]` : `__chunk("${file}")`;
        const pattern = listNames(clause ?? "", (exported, local) => (local === undefined ? exported : `${exported}: ${local}`)).join(", ");
        // Lines are those that the source map knows.
        return `const {${pattern}} = ${from};${"\n".repeat(statement.split("\n").length - 1)}`;
      });
    text += `__own["${basename(path)}"] = (() => {`;
    parts.push([text.split("\n").length - 1, path]);
    text += `${body}return { ${object} };})();`;
  }
  text += "return __own;})\n";
  assertClosed(name, text);
  const file = `${name}-${hashOf(text)}.js`;
  writeFileSync(join(root, "dist", file), `${text}//# sourceMappingURL=${file}.map\n`);
  writeFileSync(join(root, "dist", `${file}.map`), JSON.stringify(mapOf(parts, read)));
  return { file, exports };
}

/**
 * Turns main.js and the chunk that it shares with others into a script in `dist`. Gives the paths that are new, the ones that are
 * gone, and the text of the stub by the name of the build, which the caller writes when everything else is in place.
 */
export function makeCoreScript(root, metafile) {
  const main = metafile.outputs["dist/main.js"];
  const shared = main.imports.filter(({ kind }) => kind === "import-statement").map(({ path }) => path);
  if (shared.length > 1) throw new Error(`main.js imports ${shared.join(" and ")}: something that is no part of the core is imported without import()`);
  const [chunk] = shared;
  const read = (path) => readFileSync(join(root, path), "utf8");

  const chunkText = chunk === undefined ? "" : read(chunk);
  const names = chunk === undefined ? [] : listNames(EXPORTS.exec(chunkText)?.[1] ?? "", (local, exported = local) => [local, exported]);
  const core = asStatements(chunkText).replace(EXPORTS, "\n");
  const body = asStatements(read("dist/main.js")).replace(/^import (?:\{([^}]*)\} from )?"[^"]*";$/gm, (_statement, clause) =>
    clause === undefined ? "" : `/*${clause}*/`.replace(/[^\n]/g, " "),
  );
  const renamed = listNames(/^import \{([^}]*)\} from "\.\/chunk/m.exec(read("dist/main.js"))?.[1] ?? "", (exported, local = exported) => [exported, local]);
  const localOf = new Map(names.map(([local, exported]) => [exported, local]));
  const constants = renamed.filter(([exported, local]) => localOf.get(exported) !== local).map(([exported, local]) => `${local} = ${localOf.get(exported)}`);
  const binding = constants.length === 0 ? "" : `const ${constants.join(", ")};`;
  const object = names.map(([local, exported]) => (local === exported ? local : `${exported}: ${local}`)).join(", ");

  const head = `(function (__url, require, __import) {${core}`;
  const script = `${head}return { exports: { ${object} }, main: async () => {${binding}${body}} };})\n`;
  assertClosed("main.js", script);
  const file = `main-${hashOf(script)}.js`;
  const map = mapOf([...(chunk === undefined ? [] : [[0, chunk]]), [head.split("\n").length - 1, "dist/main.js"]], read);
  writeFileSync(join(root, "dist", file), `${script}//# sourceMappingURL=${file}.map\n`);
  writeFileSync(join(root, "dist", `${file}.map`), JSON.stringify(map));
  const others = chunk === undefined ? [] : assignChunks(metafile.outputs, chunk).map((script) => writeChunkScript(root, script, chunk));
  const scripts = Object.fromEntries(others.map(({ file: name, exports }) => [name, [...exports.keys()].map((path) => basename(path))]));
  const loader = loaderOf(file, scripts);
  const handOn = (path, exported, from) => {
    writeFileSync(join(root, path), `// Generated by tools/build.mjs.\nexport const { ${exported.join(", ")} } = ${loader}.${from};\n`);
    rmSync(join(root, `${path}.map`));
  };
  const replaced = others.flatMap(({ exports }) => [...exports]);
  for (const [path, exported] of replaced) handOn(path, exported, `chunk("${basename(path)}")`);
  if (chunk !== undefined) {
    handOn(
      chunk,
      names.map(([, name]) => name),
      "exports",
    );
  }
  return {
    added: [file, ...Object.keys(scripts)].flatMap((name) => [`dist/${name}`, `dist/${name}.map`]),
    removed: ["dist/main.js", "dist/main.js.map", `${chunk}.map`, ...replaced.map(([path]) => `${path}.map`)],
    stub: (build) => stub(build, file, scripts),
  };
}

/** A test that passes, in a table and by itself, and says something: what nearly every run does. */
const PRIMER = `suite "primer"

table rows (value: u32) {
  1
  2
}

test "passes" { expect 1 as u32 + 1 == 2 }

test "rows {r.value}" for r in rows {
  info "value {r.value}"
  expect r.value != 0
}
`;

/** What is run for the caches, each of which keeps what earlier runs have called. The first is what nearly every run is. */
const PRIMING_RUNS = [[], ["--target", "riscv64", "--engine", "embedded"], ["--target", "riscv64", "--engine", "qemu"]];

/** Targets that none of these runs compiles for. */
const OTHER_TARGETS = ["x86_64", "aarch64"];

/** Runs of a spec that has changed, for the caches of the compiler, of which the runs above load nothing. The first one fills those that targets share. */
const COMPILING_RUNS = [["--target", "riscv64", "--engine", "embedded"], ...OTHER_TARGETS.map((target) => ["--target", target, "--engine", "qemu"])];

/**
 * Fills the code caches by the runs that they should serve best: those whose specs are compiled already. What the runs have kept of the library
 * and the machines stays beside the bundle, as a compiler brings its standard library along: a first run on another machine finds it.
 */
export async function prime(root) {
  const dist = join(root, "dist");
  const folder = mkdtempSync(join(tmpdir(), "guestspec-build-"));
  const dropCache = () => {
    for (const name of readdirSync(dist)) if (name.endsWith(".cache")) rmSync(join(dist, name));
  };
  const bundle = join(dist, "guestspec.mjs");
  const options = { cwd: folder, stdio: "ignore", env: { ...process.env, XDG_CACHE_HOME: folder, CI: "true" } };
  try {
    writeFileSync(join(folder, "primer.gspec"), PRIMER);
    const others = spawn(process.execPath, [bundle, "list", "--target", OTHER_TARGETS.join(","), "primer.gspec"], options);
    const othersEnd = new Promise((resolve) => others.once("close", resolve).once("error", resolve));
    for (let round = 0; round < 2; round++) {
      dropCache();
      // Whether it works is for the tests to find out; a bundle that does not is still the one that was asked for.
      for (const run of PRIMING_RUNS)
        spawnSync(process.execPath, [bundle, "run", ...run, "primer.gspec"], { ...options, env: { ...options.env, GUESTSPEC_PRIME: "1" } });
    }
    await othersEnd;
    for (const [index, run] of COMPILING_RUNS.entries()) {
      writeFileSync(join(folder, "primer.gspec"), `${PRIMER}// ${index}\n`);
      spawnSync(process.execPath, [bundle, "run", ...run, "primer.gspec"], options);
    }
    const { PACKAGED } = await import("../compiler/images/cache.ts");
    const cache = join(folder, "guestspec");
    const kept = existsSync(cache) ? readdirSync(cache).filter((name) => name.startsWith(PACKAGED)) : [];
    mkdirSync(join(dist, "kept"), { recursive: true });
    for (const name of kept) copyFileSync(join(cache, name), join(dist, "kept", name));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
