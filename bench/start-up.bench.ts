// What a user waits for: a cold process with one test against `node -e 0`, the cost of a further test over ten thousand rows, and
// listing and running a YAML table of ten thousand rows. Runs the shipped bundle as users do.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { generateYamlTable } from "./generate-spec.ts";
import { compare, median, reportLine, timeProcess } from "./measure.ts";

const guestspec = fileURLToPath(new URL("../bin/guestspec", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "guestspec-bench-"));
const env = { XDG_CACHE_HOME: join(directory, "cache"), CI: "true" };

try {
  const one = join(directory, "one.gspec");
  writeFileSync(one, 'suite "one"\n\ntest "adds" { expect 1 as u32 + 1 == 2 }\n');
  const run = (...args: readonly string[]): number => timeProcess(guestspec, args, { env });
  const node = (): number => timeProcess(process.execPath, ["-e", "0"]);

  const hot = compare(15, () => run("run", one), node);
  reportLine("one test, compiled before", `${hot.subject.toFixed(0)} ms (target 60), ${hot.ratio.toFixed(2)}x \`node -e 0\` (${hot.peer.toFixed(0)} ms)`);
  const cold = compare(9, () => run("run", "--no-cache", one), node);
  reportLine("one test, compiled now", `${cold.subject.toFixed(0)} ms, ${cold.ratio.toFixed(2)}x \`node -e 0\``);
  const help = compare(9, () => run("--help"), node);
  reportLine("--help", `${help.subject.toFixed(0)} ms, ${help.ratio.toFixed(2)}x \`node -e 0\``);

  const rows = (count: number): string => {
    const path = join(directory, `rows-${count}.gspec.yaml`);
    writeFileSync(path, generateYamlTable(count));
    return path;
  };
  const few = rows(100);
  const many = rows(10_000);
  const list = compare(5, () => run("list", "--no-cache", many), node);
  reportLine("list 10,000 YAML rows", `${list.subject.toFixed(0)} ms (target 1,000), ${list.ratio.toFixed(1)}x \`node -e 0\``);
  const all = compare(5, () => run("run", "--no-cache", many), node);
  reportLine("run 10,000 YAML rows", `${all.subject.toFixed(0)} ms (target 5,000), ${all.ratio.toFixed(1)}x \`node -e 0\``);
  const marginal = Array.from({ length: 5 }, () => ((run("run", many) - run("run", few)) * 1000) / 9_900);
  reportLine("a further test", `${median(marginal).toFixed(0)} us (target 100), everything included`);
} finally {
  rmSync(directory, { recursive: true, force: true });
}
