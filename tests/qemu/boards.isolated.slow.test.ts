// The boards beside the one that a target means: specs of devices and CPUs pass on them. What touches neither is the same on all boards
// of a target, and compared with bytecode on the first (compare.isolated.slow.test.ts). Of kvm-unit-tests those are run that are about
// what the board has beside its CPUs.
import { test } from "node:test";
import { needsTools } from "../images/outside-tools.ts";
import { expectGoodBoard } from "./board-run.ts";

const BOARDS = [
  { target: "x86_64", machine: "x86-pc", kvmUnitTests: ["apic", "ioapic"] },
  { target: "x86_64", machine: "x86-microvm", kvmUnitTests: ["apic", "ioapic"] },
  { target: "riscv64", machine: "riscv-virt-sbi", kvmUnitTests: ["riscv-access", "sbi"] },
  { target: "aarch64", machine: "arm64-virt-gicv3", kvmUnitTests: ["gic", "psci", "timer"] },
] as const;

for (const { target, machine, kvmUnitTests } of BOARDS) {
  const { skip } = needsTools(`qemu-system-${target}`);
  test(`specs on ${machine}`, { skip, timeout: 280_000 }, () =>
    expectGoodBoard({
      targets: [target],
      specs: [
        `specs/${target}`,
        "specs/devices",
        "specs/interrupts",
        "specs/traps",
        "specs/smp/start.gspec",
        ...kvmUnitTests.map((name) => `specs/kvm-unit-tests/${name}.gspec`),
      ],
      where: ["--target", target, "--machine", machine],
      stderr: /^$/,
      leastPassed: 250,
    }),
  );
}
