// What a user waits for: a cold process with one test against `node -e 0`, the cost of a further test over ten thousand rows, and
// listing and running a YAML table of ten thousand rows. Runs the shipped bundle as users do; CPU times, wall times behind them.

import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { generateYamlTable } from "./generate-spec.ts";
import { compareProcesses, median, reportLine, timeProcess, type Cost, type ProcessComparison } from "./measure.ts";

const guestspec = fileURLToPath(new URL("../bin/guestspec", import.meta.url));
const specs = fileURLToPath(new URL("../specs/", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "guestspec-bench-"));
const env = { XDG_CACHE_HOME: join(directory, "cache"), CI: "true", NO_COLOR: "1" };

const run = (...args: readonly string[]): Cost => timeProcess(guestspec, args, { env });
const node = (): Cost => timeProcess(process.execPath, ["-e", "0"]);

function report(name: string, { cpu, wall }: ProcessComparison, peer: string, target = ""): void {
  reportLine(
    name,
    `${cpu.ratio.toFixed(2)}x ${peer} (${cpu.subject.toFixed(0)} ms of CPU to ${cpu.peer.toFixed(0)}; wall ${wall.subject.toFixed(0)} ms${target})`,
  );
}

try {
  const one = join(directory, "one.gspec");
  writeFileSync(one, 'suite "one"\n\ntest "adds" { expect 1 as u32 + 1 == 2 }\n');
  const rows = (count: number): string => {
    const path = join(directory, `rows-${count}.gspec.yaml`);
    writeFileSync(path, generateYamlTable(count));
    return path;
  };
  const few = rows(100);
  const many = rows(10_000);

  report(
    "one test, compiled before",
    compareProcesses(21, () => run("run", one), node),
    "`node -e 0`",
    ", target 60",
  );
  let edits = 0;
  report(
    "one test, just edited",
    compareProcesses(
      9,
      () => {
        appendFileSync(one, `// ${edits++}\n`);
        return run("run", one);
      },
      node,
    ),
    "`node -e 0`",
  );
  report(
    "one test, compiled now with all of the library",
    compareProcesses(9, () => run("run", "--no-cache", one), node),
    "`node -e 0`",
  );
  report(
    "--help",
    compareProcesses(9, () => run("--help"), node),
    "`node -e 0`",
  );

  report(
    "list 10,000 YAML rows",
    compareProcesses(
      5,
      () => run("list", "--no-cache", many),
      () => run("list", "--no-cache", one),
    ),
    "listing one test",
    ", target 1,000",
  );
  report(
    "run 10,000 YAML rows",
    compareProcesses(
      5,
      () => run("run", "--no-cache", many),
      () => run("run", "--no-cache", one),
    ),
    "running one test",
    ", target 5,000",
  );
  report(
    "run 10,000 rows, compiled before",
    compareProcesses(
      5,
      () => run("run", many),
      () => run("run", one),
    ),
    "running one test",
  );
  report(
    "the same, default jobs to one job",
    compareProcesses(
      5,
      () => run("run", many),
      () => run("run", "--jobs", "1", many),
    ),
    "--jobs 1",
  );
  const marginal = Array.from({ length: 5 }, () => ((run("run", many).cpu - run("run", few).cpu) * 1000) / 9_900);
  reportLine("a further test", `${median(marginal).toFixed(0)} us of CPU, everything included (target 100)`);

  report(
    "the shipped specs, compiled before",
    compareProcesses(
      3,
      () => run("run", specs),
      () => run("run", "--jobs", "1", specs),
    ),
    "--jobs 1",
  );
} finally {
  rmSync(directory, { recursive: true, force: true });
}
