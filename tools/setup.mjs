// Brings a checkout to where it can run and be tested: packages, a new enough Node, generated validators, the bundle.
// Called by npm before start, test and bench, by `npm ci` itself (prepare), and by the launcher when dist/ is missing.
// It runs on the machine's own Node, however old (18 on), so it uses node: imports only. When nothing is to do it
// costs one look at the modification times.
import { spawnSync } from "node:child_process";
import { existsSync, linkSync, lstatSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { isNodeCurrent, modified, nodeBinary, root } from "./project.mjs";

const isNested = process.env.GUESTSPEC_SETUP === "nested";
const isPrepare = process.env.npm_lifecycle_event === "prepare";
const lockFile = join(root, ".setup.lock");

function fail(message) {
  console.error(`guestspec set-up: ${message}`);
  process.exit(1);
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

/** One set-up at a time in a checkout: two `npm ci` at once would delete each other's files. */
function takeLock() {
  for (;;) {
    try {
      writeFileSync(lockFile, String(process.pid), { flag: "wx" });
      process.on("exit", () => rmSync(lockFile, { force: true }));
      for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(130));
      return;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    const owner = existsSync(lockFile) ? Number(readFileSync(lockFile, "utf8")) : 0;
    // An empty file belongs to a set-up that has created it and not yet written its id.
    const isStale = owner !== 0 ? !isAlive(owner) : Date.now() - modified(".setup.lock") > 5000;
    if (isStale) rmSync(lockFile, { force: true });
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  }
}

function run(command, args, options = {}) {
  const result = spawnSync(command, args, {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, GUESTSPEC_SETUP: "nested" },
    ...options,
  });
  if (result.error) fail(`cannot run ${command}: ${result.error.message}`);
  if (result.status !== 0) fail(`\`${[command, ...args].join(" ")}\` ended with ${result.signal ?? result.status}`);
}

let hasAnnounced = false;
function installPackages(folder, ...extra) {
  // `npm ci` empties the folder first: behind a link that is somebody else's.
  if (lstatSync(join(root, folder, "node_modules"), { throwIfNoEntry: false })?.isSymbolicLink() === true) {
    fail(`${join(folder, "node_modules")} is a link: run \`npm ci\` where it leads to, or remove it here`);
  }
  if (!hasAnnounced) console.error("guestspec: setting up (first run only) ...");
  hasAnnounced = true;
  const flags = ["ci", "--no-audit", "--no-fund", "--loglevel=error", ...extra];
  run("npm", flags, { cwd: join(root, folder), shell: process.platform === "win32" });
}

function fetchedNode() {
  const packages = join(root, "tools", "node", "node_modules");
  if (!existsSync(packages)) return undefined;
  return readdirSync(packages)
    .filter((name) => name.startsWith("node-"))
    .map((name) => join(packages, name, "bin", process.platform === "win32" ? "node.exe" : "node"))
    .find((path) => existsSync(path));
}

/** npm puts node_modules/.bin first on PATH, so every later script line that says `node` gets this one. */
function linkNode() {
  const folder = join(root, "node_modules", ".bin");
  const link = join(folder, process.platform === "win32" ? "node.exe" : "node");
  // A fetched Node may be running this very script, after `npm ci` has removed the link to it.
  const isFetched = process.execPath.startsWith(join(root, "tools", "node"));
  if ((isNodeCurrent() && !isFetched) || existsSync(link)) return;
  const isOutdated = modified("tools/node/package-lock.json") > modified("tools/node/node_modules/.package-lock.json");
  if (fetchedNode() === undefined || isOutdated) installPackages("tools/node", "--ignore-scripts");
  const binary = fetchedNode();
  if (binary === undefined) {
    const host = `${process.platform} ${process.arch}`;
    fail(`Node ${process.versions.node} is too old, and there is no packaged one for ${host}: install Node 24`);
  }
  mkdirSync(folder, { recursive: true });
  rmSync(link, { force: true });
  if (process.platform === "win32") linkSync(binary, link);
  else symlinkSync(relative(folder, binary), link);
}

if (!isNested) {
  takeLock();
  // Inside `prepare` npm has just installed the packages itself.
  if (!isPrepare && modified("package-lock.json") > modified("node_modules/.package-lock.json")) installPackages(".");
  linkNode();
  if (existsSync(join(root, "node_modules", "esbuild"))) {
    run(nodeBinary(), [join(root, "tools", "build-validators.mjs"), "--if-stale"]);
    run(nodeBinary(), [join(root, "tools", "build.mjs"), "--if-stale"]);
  } else if (!existsSync(join(root, "dist", "guestspec.mjs"))) {
    fail("the development packages are left out (--omit=dev) and dist/ is not built: run `npm ci` without that flag");
  }
}
