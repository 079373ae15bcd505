// `npm test`: runs every test and prints one closing line, `N passed, N failed`, for all.
// Most tests share a process for each core (200 tests take 0.6 s that way against 8 s with one process a file); those that start
// terminals, QEMU or the whole tool (`*.isolated.test.ts`) have a process each. One more of these processes than there are cores runs at a
// time, longest first by test-seconds.mjs, so that none is left alone at the end.
//   node tools/test.mjs [--fast] [path or part of a path ...] [options of `node --test` ...]
// --fast leaves out *.isolated.test.ts and *.slow.test.ts.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { closingLine, failureList } from "./closing-line-reporter.mjs";
import { listFiles, nodeBinary, root, sourceFolders } from "./project.mjs";
import { secondsOf } from "./test-seconds.mjs";

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
/** Isolated tests wait for other processes for about half of their time, in which one more can work. */
const workers = cores + 1;

/** Tests of the whole tool start the bundle, which has to be of these sources, with one cache for all of them, which is of this run only. */
function prepareTool() {
  const cache = mkdtempSync(join(tmpdir(), "guestspec-test-cache-"));
  process.on("exit", () => rmSync(cache, { recursive: true, force: true }));
  process.env.GUESTSPEC_TEST_CACHE = cache;
  if (!existsSync(join(root, "bin", "main.ts"))) return;
  const { status, signal } = spawnSync(nodeBinary(), [join(root, "tools", "build.mjs"), "--if-stale"], { cwd: root, stdio: "inherit" });
  if (status === 0) return;
  console.error(`the bundle cannot be made: tools/build.mjs ended with ${signal ?? status}`);
  process.exit(1);
}
if (selected.some(isIsolated)) prepareTool();

/** Runs the files in one process and gives the counts and the failures; a run that ends without counts is one more failure. */
function run(files) {
  return new Promise((resolve, reject) => {
    const command = [
      "--disable-warning=ExperimentalWarning",
      "--import=./tools/tsx-hook.mjs",
      "--import=./tools/fuzz-seed.mjs",
      "--test",
      "--test-isolation=none",
      "--test-timeout=300000",
      // What a test that ran out of time has left open, a tool that does not end for one, would keep its process for ever.
      "--test-force-exit",
      "--test-reporter=./tools/closing-line-reporter.mjs",
      "--test-reporter-destination=stdout",
      ...nodeOptions,
      ...files,
    ];
    const child = spawn(nodeBinary(), command, {
      cwd: root,
      stdio: ["ignore", "inherit", "pipe", "pipe"],
      env: {
        ...process.env,
        GUESTSPEC_TEST_COUNTS: "3",
        NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(root, "node_modules", ".cache", "node"),
      },
    });
    const forward = (signal) => {
      queue.length = 0;
      child.kill(signal);
    };
    process.on("SIGINT", forward).on("SIGTERM", forward);
    let written = "";
    let lastWords = "";
    child.stderr.setEncoding("utf8").on("data", (chunk) => {
      process.stderr.write(chunk);
      lastWords = `${lastWords}${chunk}`.slice(-10_000);
    });
    child.stdio[3].setEncoding("utf8").on("data", (chunk) => (written += chunk));
    child.on("error", reject);
    child.on("close", (code, signal) => {
      process.off("SIGINT", forward).off("SIGTERM", forward);
      const { counts, failures } = written === "" ? { counts: { passed: 0, failed: 0, skipped: 0 }, failures: [] } : JSON.parse(written);
      if (code !== 0 && counts.failed === 0) {
        counts.failed = 1;
        const name = `the test process ended with ${signal ?? `code ${code}`} of its own accord`;
        failures.push({ name, place: files.length === 1 ? files[0] : `${files.length} files, ${files[0]} to ${files.at(-1)}`, message: lastWords });
        console.log(`FAILED ${name}`);
      }
      resolve({ counts, failures });
    });
  });
}

const longestFirst = (paths) => paths.toSorted((a, b) => secondsOf(b) - secondsOf(a));
const sum = (paths) => paths.reduce((seconds, path) => seconds + secondsOf(path), 0);

/** Parts that take about as long as each other, one for each core: each file goes where least is yet. In a part they keep their order. */
function deal(paths) {
  const parts = Array.from({ length: Math.min(cores, paths.length) }, () => []);
  for (const path of longestFirst(paths)) parts.reduce((least, part) => (sum(part) < sum(least) ? part : least)).push(path);
  return parts.map((part) => part.toSorted());
}

const queue = [...deal(selected.filter((path) => !isIsolated(path))), ...selected.filter(isIsolated).map((path) => [path])];
queue.sort((a, b) => sum(b) - sum(a));

const total = { passed: 0, failed: 0, skipped: 0 };
const allFailures = [];
async function work() {
  for (let files = queue.shift(); files !== undefined; files = queue.shift()) {
    const { counts, failures } = await run(files);
    for (const outcome of Object.keys(total)) total[outcome] += counts[outcome];
    allFailures.push(...failures);
  }
}
await Promise.all(Array.from({ length: workers }, work));
if (allFailures.length > 0) console.log(`\n${failureList(allFailures)}`);
console.log(closingLine(total));
process.exitCode = total.failed > 0 ? 1 : 0;
