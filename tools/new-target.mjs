// `npm run new:target NAME`: the folders of a new native target from tools/target-skeleton, and its lines in the lists that name the
// targets. The result type-checks and takes part in every test that loops over targets; what is left to write raises a `LowerError`.
// docs/howto/add-a-target-in-one-folder.md goes on from there.
//   node tools/new-target.mjs NAME [--root DIRECTORY]
// Nothing is written unless everything can be.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { listFiles, root as checkout } from "./project.mjs";

const SKELETON = "tools/target-skeleton";
const ENDING = ".skeleton";

/** Lists that name the targets: what is written before the first text that a pattern finds. */
const LISTS = [
  { file: "compiler/targets/names.ts", before: /(?<=NATIVE_TARGET_NAMES = \[[^\]]*)(?=\])/, line: ', "@NAME@"' },
  {
    file: "compiler/targets/index.ts",
    before: /(?<=LOADERS: [^\n]*\n(?:  [^\n]*\n)*)(?=\};)/,
    line: '  @NAME@: async () => (await import("./@NAME@/target.ts")).@NAME@,\n',
  },
  { file: "compiler/index.ts", before: /(?<=const TARGETS: [^=]*= \[[^\]]*)(?=\])/, line: ', "@NAME@"', unless: /const TARGETS: [^=]*= \[[^\]]*"@NAME@"/ },
  { file: "isa/bytecode/module.ts", before: /(?<=SYS_ISAS = \[[^\]]*)(?=\])/, line: ', "@NAME@"' },
  { file: "isa/machine-language.ts", before: /(?<=TARGET_PREFIXES: [^\n]*\n(?:  [^\n]*\n)*)(?=\]\);)/, line: '  ["@NAME@", "@NAME@"],\n' },
  {
    file: "isa/machine-language.ts",
    before: /(?<=LOADERS: [^\n]*\n(?:  [^\n]*\n)*)(?=\]\);)/,
    line: '  ["@NAME@", async () => (await import("./@NAME@/machine-language.ts")).@CONSTANT@],\n',
  },
  {
    file: "runtime/engines/trap-names.ts",
    before: /(?=import type \{ FrameTrap)/,
    line: 'import { EXCEPTIONS as @CONSTANT@ } from "../../isa/@NAME@/traps.ts";\n',
  },
  {
    file: "runtime/engines/trap-names.ts",
    before: /(?<=EXCEPTION_NAMES: [^\n]*\n(?:  [^\n]*\n)*)(?=\]\);)/,
    line: '  ["@NAME@", new Map(@CONSTANT@.map(({ code, name }) => [code, name]))],\n',
  },
  { file: "isa/psabi.ts", before: /(?=\nexport interface Psabi)/, line: 'import { PSABI as @CONSTANT@ } from "./@NAME@/psabi.ts";\n' },
  { file: "isa/psabi.ts", before: /(?<=PSABIS: [^\n]*\n(?:  [^\n]*\n)*)(?=\};)/, line: "  @NAME@: @CONSTANT@,\n" },
  {
    file: "runtime/engines/unwind.ts",
    before: /(?=import type \{ NativeImage)/,
    line: 'import { ENTRY_STACK as @CONSTANT@ } from "../../isa/@NAME@/entry-stack.ts";\n',
  },
  { file: "runtime/engines/unwind.ts", before: /(?<=ENTRY_STACKS: [^\n]*\n(?:  [^\n]*\n)*)(?=\};)/, line: "  @NAME@: @CONSTANT@,\n" },
  { file: "bin/load-native.ts", before: /(?<=TARGET_MACHINES: [^\n]*\n(?:  [^\n]*\n)*)(?=\};)/, line: '  @NAME@: "@NAME@-virt",\n' },
  { file: "tests/fixtures/native-run.ts", before: /(?<=MACHINES: [^\n]*\{[^}]*?)(?= \};)/, line: ', @NAME@: "@NAME@-virt"' },
];

class UsageError extends Error {}

function readArguments(args) {
  const at = args.indexOf("--root");
  const root = at === -1 ? checkout : args[at + 1];
  const names = at === -1 ? args : args.toSpliced(at, 2);
  if (root === undefined || names.length !== 1 || names[0].startsWith("-")) throw new UsageError("usage: npm run new:target NAME [-- --root DIRECTORY]");
  if (!/^[a-z][a-z0-9_]*$/.test(names[0])) throw new UsageError(`a target's name has small letters, digits and _, like mips64: "${names[0]}" is none`);
  return { name: names[0], root };
}

function fill(text, name) {
  return text.replaceAll("@NAME@", name).replaceAll("@CONSTANT@", name.toUpperCase());
}

/** Path and text of every file of the skeleton. */
function newFiles(name) {
  const files = listFiles([SKELETON], (path) => path.endsWith(ENDING));
  return files.map((path) => ({
    path: path.slice(SKELETON.length + 1, -ENDING.length).replace("NAME", name),
    text: fill(readFileSync(join(checkout, path), "utf8"), name),
  }));
}

function changedFiles(name, root) {
  const texts = new Map();
  for (const { file, before, line, unless } of LISTS) {
    const path = join(root, file);
    const text = texts.get(file) ?? (existsSync(path) ? readFileSync(path, "utf8") : undefined);
    if (text === undefined) throw new UsageError(`${path} is not there: --root is the folder of a checkout`);
    if (unless !== undefined && new RegExp(fill(unless.source, name)).test(text)) continue;
    if (!before.test(text)) throw new UsageError(`${file} has no list that ${before} finds; tools/new-target.mjs has to follow it`);
    texts.set(
      file,
      text.replace(before, () => fill(line, name)),
    );
  }
  return [...texts].map(([path, text]) => ({ path, text }));
}

try {
  const { name, root } = readArguments(process.argv.slice(2));
  const created = newFiles(name);
  const taken = created.find(({ path }) => existsSync(join(root, path)));
  if (taken !== undefined) throw new UsageError(`${taken.path} is there already`);
  const changed = changedFiles(name, root);
  for (const { path, text } of [...created, ...changed]) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  for (const { path } of created) console.log(`new      ${path}`);
  for (const { path } of changed) console.log(`changed  ${path}`);
  console.log(`\nGo on with docs/howto/add-a-target-in-one-folder.md, step 2.`);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
