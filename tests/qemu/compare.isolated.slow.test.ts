// The second oracle, whole: every spec of ours on every target in QEMU gives the verdicts that it has as bytecode on the embedded machine.
// One run for all targets: what they are compared with is run once, and a target that is slow leaves no core idle.
import { test } from "node:test";
import { needsTools } from "../images/outside-tools.ts";
import { expectGoodBoard, type Target } from "./board-run.ts";

const skips = (["x86_64", "riscv64", "aarch64"] as const).map((target) => [target, needsTools(`qemu-system-${target}`).skip] as const);
const targets: readonly Target[] = skips.flatMap(([target, skip]) => (skip === false ? [target] : []));
for (const [target, skip] of skips) if (skip !== false) test(`specs on ${target}`, { skip });

test(`specs on ${targets.join(", ")}, compared with bytecode`, { skip: targets.length === 0 ? "there is no QEMU" : false, timeout: 900_000 }, () =>
  expectGoodBoard({
    targets,
    specs: ["specs"],
    where: ["--target", ["bytecode", ...targets].join(), "--compare"],
    stderr: /^\n?Compare[^]* no test differs\n$/,
    // Portable specs are more than this.
    leastPassed: 2000,
  }),
);
