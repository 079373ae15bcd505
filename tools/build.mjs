// Bundles bin/main.ts into dist/. All that every run loads is one script with a code cache (core-script.mjs); what only some runs load
// (parser, YAML, compiler, TUI, other commands) is `import()`ed from chunks of its own. Measured for a run of one compiled test:
// 62 ms, against 80 ms as one ES module, 107 ms in the chunks that esbuild makes by itself and 207 ms unbundled.
// Whitespace is kept, because Node prints the whole source line of an uncaught error.
//
// Sources name other files of the package by `new URL("<relative path>", import.meta.url)`. The bundle lies elsewhere, so
// these are rewritten here: `./x.worker.ts` becomes an entry point of its own, everything else (lib/, machines/, schemas/,
// package.json) points at the same file of the package, one level above dist/.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { makeCoreScript, prime } from "./core-script.mjs";
import { bundledFolders, listFiles, modified, root } from "./project.mjs";

const isWorker = (path) => path.endsWith(".worker.ts");
const isBundled = (path) => /\.(ts|tsx)$/.test(path) && !/\.(test|bench)\.tsx?$/.test(path);

function isStale() {
  const built = modified("dist/guestspec.mjs");
  const inputs = [
    ...listFiles(bundledFolders, isBundled),
    ...listFiles(["generated/validators"]),
    "tools/build.mjs",
    "tools/core-script.mjs",
    "tools/write-interpreters.ts",
    ...listFiles(["machines"], (path) => path.endsWith(".yaml")),
    "package-lock.json",
  ];
  return inputs.some((path) => modified(path) > built);
}

/** What every run loads, main.ts itself apart. Their modules go into one chunk: see `sources`. */
const core = listFiles(["bin"], (path) => ["bin/commands/table.ts", "bin/options.ts"].includes(path)).map((path) => join(root, path));

/** The files that some source loads by `import()`, and workers: each of them starts a chunk. */
function findLazyFiles() {
  const lazy = listFiles(bundledFolders, isBundled).flatMap((path) => {
    const imports = readFileSync(join(root, path), "utf8").matchAll(/\bimport\(\s*"(\.[^"]+)"\s*\)/g);
    return [...imports].map(([, target]) => resolve(root, dirname(path), target));
  });
  return new Set([...lazy, ...listFiles(bundledFolders, isWorker).map((path) => join(root, path))]);
}

/** Named imports of Node's own modules as plain constants: Node makes an ES module of each one that is imported, 3 ms in all. */
function withoutBuiltinImports(source) {
  return source.replace(/^import (\{[^{}]*\}) from "(node:[a-z0-9_/]+)";/gm, (statement, names, module) => {
    const values = names.replace(/\btype \w+,?/g, "").replace(/(\w+) as (\w+)/g, "$1: $2");
    return /\w/.test(values) ? `const ${values} = process.getBuiltinModule("${module}");` : statement.replace("import", "import type");
  });
}

// esbuild splits by which entries reach a module, so that modules that a run shares with other commands end up in dozens of chunks,
// at a millisecond each. An import of the core in each lazily loaded file makes the core reachable from everywhere, whole: one chunk.
const sources = {
  name: "sources",
  setup(build) {
    const lazy = findLazyFiles();
    build.onLoad({ filter: /\.tsx?$/ }, ({ path }) => {
      if (path.includes("node_modules")) return undefined;
      const source = readFileSync(path, "utf8");
      const rewritten = source.replace(/new URL\(\s*(["'`])(\.[^"'`$]*)\1,\s*import\.meta\.url,?\s*\)/g, (_match, _quote, target) => {
        const absolute = resolve(dirname(path), target);
        const slash = target.endsWith("/") ? "/" : "";
        const url = isWorker(target)
          ? `./${basename(target, ".ts")}.js`
          : `../${relative(root, absolute).replaceAll("\\", "/")}${slash}`.replace(/\/{2,}$/, "/");
        return `new URL("${url}", import.meta.url)`;
      });
      const lean = withoutBuiltinImports(rewritten);
      const contents = lazy.has(path) ? [lean, ...core.map((file) => `import ${JSON.stringify(file)};`)].join("\n") : lean;
      return { contents, loader: path.endsWith(".tsx") ? "tsx" : "ts" };
    });
  },
};

const withoutDevtools = {
  name: "without-devtools",
  setup(build) {
    // Ink loads it when DEV=true and the package react-devtools-core is installed, which it is not.
    build.onResolve({ filter: /^\.\/devtools\.js$/ }, ({ path }) => ({ path, external: true }));
  },
};

/** What the bundle reads and would otherwise make in each process: interpreters, and the machines' constants. Gives the paths. */
async function shipMade() {
  if (!existsSync(join(root, "tools", "write-interpreters.ts"))) return [];
  const { writeInterpreters } = await import("./write-interpreters.ts");
  const { listMachines } = await import("../machines/load-machine.ts");
  const { CONSTANTS_FILE, noteConstants } = await import("../machines/packaged-constants.ts");
  return [...writeInterpreters(), [CONSTANTS_FILE, noteConstants(listMachines())]].map(([file, contents]) => {
    writeFileSync(join(root, "dist", file), contents);
    return `dist/${file}`;
  });
}

async function bundle() {
  const { build } = await import("esbuild");
  const { devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const workers = listFiles(bundledFolders, isWorker);
  let metafile;
  try {
    ({ metafile } = await build({
      absWorkingDir: root,
      entryPoints: ["bin/main.ts", ...workers],
      entryNames: "[name]",
      chunkNames: "[name]-[hash]",
      outdir: "dist",
      bundle: true,
      splitting: true,
      format: "esm",
      platform: "node",
      target: "node22",
      jsx: "automatic",
      minifySyntax: true,
      sourcemap: "linked",
      sourcesContent: false,
      define: { "process.env.NODE_ENV": '"production"' },
      banner: {
        js: 'const require = process.getBuiltinModule("node:module").createRequire(import.meta.url);',
      },
      // Development aids such as the disassembler are found when installed, and are no part of the product.
      external: Object.keys(devDependencies),
      plugins: [sources, withoutDevtools],
      logLevel: "warning",
      metafile: true,
    }));
  } catch (error) {
    // esbuild has printed its diagnostics.
    if (!Array.isArray(error.errors)) throw error;
    process.exit(1);
  }
  const { added, removed, stub } = makeCoreScript(root, metafile);
  const outputs = new Set([...Object.keys(metafile.outputs), ...added, ...(await shipMade())]);
  for (const path of removed) outputs.delete(path);
  // Chunks of earlier builds go only now, so that there is never a moment without a bundle.
  for (const path of listFiles(["dist"])) if (!outputs.has(path)) rmSync(join(root, path));
  // Last, because its time stamp says that the build is complete.
  writeFileSync(join(root, "dist", "guestspec.mjs"), stub(nameBuild(outputs)));
  if (core.length > 0) await prime(root);
}

/** Changes with whatever the bundle consists of. */
function nameBuild(outputs) {
  const hash = createHash("sha256");
  for (const path of [...outputs].filter((output) => !output.endsWith(".map")).sort()) hash.update(`${path}\0`).update(readFileSync(join(root, path)));
  return hash.digest("hex").slice(0, 32);
}

if (!process.argv.includes("--if-stale") || isStale()) await bundle();
