// `npm test`: runs every test in two goes and prints one closing line, `N passed, N failed`, for both.
// Most tests share one process (200 tests take 0.6 s that way against 8 s with one process a file); those that start
// terminals, QEMU or the whole tool (`*.isolated.test.ts`) get a process each.
//   node tools/test.mjs [--fast] [path or part of a path ...] [options of `node --test` ...]
// --fast leaves out *.isolated.test.ts and *.slow.test.ts.
import { spawn } from "node:child_process";
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

/** Runs the files and gives their counts; a run that ends without counts is one more failure. */
function run(files, isolation) {
  return new Promise((resolve, reject) => {
    const command = [
      "--disable-warning=ExperimentalWarning",
      "--import=./tools/tsx-hook.mjs",
      "--import=./tools/fuzz-seed.mjs",
      "--test",
      `--test-isolation=${isolation}`,
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
      const counts = written === "" ? { passed: 0, failed: 0, skipped: 0 } : JSON.parse(written);
      if (code !== 0 && counts.failed === 0) {
        console.log(`FAILED the test process ended with ${signal ?? `code ${code}`} of its own accord (${files.length} files, isolation ${isolation})`);
        counts.failed = 1;
      }
      resolve(counts);
    });
  });
}

const total = { passed: 0, failed: 0, skipped: 0 };
const runs = [
  [selected.filter((path) => !isIsolated(path)), "none"],
  [selected.filter(isIsolated), "process"],
];
for (const [files, isolation] of runs) {
  if (files.length === 0) continue;
  const counts = await run(files, isolation);
  for (const outcome of Object.keys(total)) total[outcome] += counts[outcome];
}
console.log(closingLine(total));
process.exitCode = total.failed > 0 ? 1 : 0;
