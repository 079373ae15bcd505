// `npm test`: runs every test and prints one closing line, `N passed, N failed`, for all.
// Most tests share a process for each core (200 tests take 0.6 s that way against 8 s with one process a file); then those that start
// terminals, QEMU or the whole tool (`*.isolated.test.ts`) get a process each, as many at a time as there are cores.
//   node tools/test.mjs [--fast] [path or part of a path ...] [options of `node --test` ...]
// --fast leaves out *.isolated.test.ts and *.slow.test.ts.
import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { closingLine } from "./closing-line-reporter.mjs";
import { listFiles, nodeBinary, root, sourceFolders } from "./project.mjs";

const args = process.argv.slice(2);
const isFast = args.includes("--fast");
const nodeOptions = args.filter((arg) => arg.startsWith("-") && arg !== "--fast");
const filters = args.filter((arg) => !arg.startsWith("-")).map((arg) => arg.replace(/^\.\//, ""));

const isIsolated = (path) => /\.isolated(\.slow)?\.test\.tsx?$/.test(path);
const isSlow = (path) => /\.slow(\.isolated)?\.test\.tsx?$/.test(path);

const all = listFiles([...sourceFolders, "editors"], (path) => /\.test\.tsx?$/.test(path));
const unmatched = filters.filter((filter) => !all.some((path) => path.includes(filter)));
if (unmatched.length > 0) {
  console.error(`no test file matches ${unmatched.map((filter) => `"${filter}"`).join(", ")}`);
  process.exit(2);
}
const selected = all
  .filter((path) => filters.length === 0 || filters.some((filter) => path.includes(filter)))
  .filter((path) => !isFast || (!isIsolated(path) && !isSlow(path)));

const cores = availableParallelism();

/** Runs the files and gives the counts and the failures' names; a run that ends without counts is one more failure. */
function run({ files, isolation }) {
  return new Promise((resolve, reject) => {
    const command = [
      "--disable-warning=ExperimentalWarning",
      "--import=./tools/tsx-hook.mjs",
      "--import=./tools/fuzz-seed.mjs",
      "--test",
      `--test-isolation=${isolation}`,
      ...(isolation === "process" ? [`--test-concurrency=${cores}`] : []),
      "--test-timeout=300000",
      "--test-reporter=./tools/closing-line-reporter.mjs",
      "--test-reporter-destination=stdout",
      ...nodeOptions,
      ...files,
    ];
    const child = spawn(nodeBinary(), command, {
      cwd: root,
      stdio: ["ignore", "inherit", "inherit", "pipe"],
      env: {
        ...process.env,
        GUESTSPEC_TEST_COUNTS: "3",
        NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(root, "node_modules", ".cache", "node"),
      },
    });
    const forward = (signal) => child.kill(signal);
    process.on("SIGINT", forward).on("SIGTERM", forward);
    let written = "";
    child.stdio[3].setEncoding("utf8").on("data", (chunk) => (written += chunk));
    child.on("error", reject);
    child.on("close", (code, signal) => {
      process.off("SIGINT", forward).off("SIGTERM", forward);
      const { counts, failures } = written === "" ? { counts: { passed: 0, failed: 0, skipped: 0 }, failures: [] } : JSON.parse(written);
      if (code !== 0 && counts.failed === 0) {
        counts.failed = 1;
        failures.push(`FAILED the test process ended with ${signal ?? `code ${code}`} of its own accord (${files.length} files, isolation ${isolation})\n`);
        console.log(failures.at(-1));
      }
      resolve({ counts, failures });
    });
  });
}

/** Neighbours, which take about as long, go to different processes. */
const deal = (files) => Array.from({ length: Math.min(cores, files.length) }, (_, index) => files.filter((_file, place) => place % cores === index));

const total = { passed: 0, failed: 0, skipped: 0 };
const allFailures = [];
const goes = [
  deal(selected.filter((path) => !isIsolated(path))).map((files) => ({ files, isolation: "none" })),
  [{ files: selected.filter(isIsolated), isolation: "process" }].filter(({ files }) => files.length > 0),
];
for (const go of goes) {
  for (const { counts, failures } of await Promise.all(go.map(run))) {
    for (const outcome of Object.keys(total)) total[outcome] += counts[outcome];
    allFailures.push(...failures);
  }
}
if (allFailures.length > 1) console.log(`\n${allFailures.length} failures:\n${allFailures.join("")}`);
console.log(closingLine(total));
process.exitCode = total.failed > 0 ? 1 : 0;
