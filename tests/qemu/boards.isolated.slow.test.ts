// The boards beside the one that a target means: specs of devices and CPUs pass on them. What touches neither is the same on all boards
// of a target, and compared with bytecode on the first (compare.isolated.slow.test.ts).
import { test } from "node:test";
import { needsTools } from "../images/outside-tools.ts";
import { expectGoodBoard } from "./board-run.ts";

const BOARDS = [
  { target: "x86_64", machine: "x86-pc" },
  { target: "x86_64", machine: "x86-microvm" },
  { target: "riscv64", machine: "riscv-virt-sbi" },
  { target: "aarch64", machine: "arm64-virt-gicv3" },
] as const;

for (const { target, machine } of BOARDS) {
  const { skip } = needsTools(`qemu-system-${target}`);
  test(`specs on ${machine}`, { skip, timeout: 280_000 }, () =>
    expectGoodBoard({
      targets: [target],
      specs: [`specs/${target}`, "specs/devices", "specs/interrupts", "specs/kvm-unit-tests", "specs/traps", "specs/smp/start.gspec"],
      where: ["--target", target, "--machine", machine],
      stderr: /^$/,
      leastPassed: 250,
    }),
  );
}
