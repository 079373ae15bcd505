// The second oracle, whole: every spec of ours on every target in QEMU gives the verdicts that it has as bytecode on the embedded machine.
// One test a target, so that one that is out of order is named.
import { test } from "node:test";
import { needsTools } from "../images/outside-tools.ts";
import { expectGoodBoard } from "./board-run.ts";

for (const target of ["x86_64", "riscv64", "aarch64"] as const) {
  const { skip } = needsTools(`qemu-system-${target}`);
  test(`specs on ${target}, compared with bytecode`, { skip, timeout: 280_000 }, () =>
    expectGoodBoard({
      target,
      specs: ["specs"],
      where: ["--target", `bytecode,${target}`, "--compare"],
      stderr: /^\n?Compare[^]* no test differs\n$/,
      // Portable specs are more than this.
      leastPassed: 2000,
    }),
  );
}
