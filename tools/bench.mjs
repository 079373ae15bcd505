// `npm run bench`: runs every bench/*.bench.ts, one process each and one after the other, because two at once on a small
// machine measure each other. Arguments select files by a part of their path.
import { spawnSync } from "node:child_process";
import { listFiles, nodeBinary, root } from "./project.mjs";

const filters = process.argv.slice(2);
const files = listFiles(["bench"], (path) => path.endsWith(".bench.ts"));
const selected = files.filter((path) => filters.length === 0 || filters.some((filter) => path.includes(filter)));
if (selected.length === 0) {
  console.error(filters.length === 0 ? "there are no benchmarks in bench/" : `no benchmark matches ${filters.join(", ")}`);
  process.exit(2);
}

let failed = 0;
for (const path of selected) {
  console.log(`\n# ${path}`);
  const flags = ["--disable-warning=ExperimentalWarning", "--import=./tools/tsx-hook.mjs", path];
  const { status, signal, error } = spawnSync(nodeBinary(), flags, { cwd: root, stdio: "inherit" });
  if (error !== undefined) throw error;
  if (status === 0) continue;
  console.error(`${path} ended with ${signal ?? `code ${status}`}`);
  failed += 1;
}
process.exitCode = failed > 0 ? 1 : 0;
