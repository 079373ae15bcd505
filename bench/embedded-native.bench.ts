// riscv64 without QEMU: what the first test of a cold process costs beside an empty Node and beside the same test as bytecode, and what a
// further test costs in a process that runs, beside a further test of bytecode. A further test is the difference between two runs
// whose lists of tests differ, so that start, boot and loading are in neither. (A boot in QEMU as the peer: native.bench.ts.)

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compareProcesses, median, reportLine, timeProcess, type Cost } from "./measure.ts";

const guestspec = fileURLToPath(new URL("../bin/guestspec", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "guestspec-bench-"));
const env = { XDG_CACHE_HOME: join(folder, "cache"), CI: "true", NO_COLOR: "1" };

const FEW = 200;
const MANY = 6200;
const ROUNDS = 5;

function write(name: string, rows: number): string {
  const path = join(folder, `${name}.gspec`);
  writeFileSync(path, `suite "${name}"\n\ntest "{n} is half of its double" for n in 0 as u32..${rows} { expect n * 2 == n + n }\n`);
  return path;
}

type Target = "riscv64" | "bytecode";
const run = (target: Target, path: string): Cost => timeProcess(guestspec, ["run", "--target", target, "--engine", "embedded", "--jobs", "1", path], { env });

try {
  const [one, few, many] = [write("one", 1), write("few", FEW), write("many", MANY)];

  for (const [peer, cost] of [
    ["`node -e 0`", () => timeProcess(process.execPath, ["-e", "0"])],
    ["the same as bytecode", () => run("bytecode", one)],
  ] as const) {
    const { cpu, wall } = compareProcesses(9, () => run("riscv64", one), cost);
    reportLine(
      "first test, compiled before",
      `${cpu.ratio.toFixed(2)}x ${peer} (${cpu.subject.toFixed(0)} ms of CPU; wall ${wall.subject.toFixed(0)} ms, target 70)`,
    );
  }

  /** In us of CPU. */
  const further = (target: Target): number => ((run(target, many).cpu - run(target, few).cpu) * 1000) / (MANY - FEW);
  // Compiled by then, and in the cache.
  for (const target of ["riscv64", "bytecode"] as const) further(target);
  const pairs = Array.from({ length: ROUNDS }, () => ({ native: further("riscv64"), bytecode: further("bytecode") }));
  const us = median(pairs.map(({ native }) => native));
  const ratio = median(pairs.map(({ native, bytecode }) => native / bytecode));
  reportLine("a further test", `${ratio.toFixed(2)}x one of bytecode (${us.toFixed(0)} us of CPU, everything included; target 100)`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
