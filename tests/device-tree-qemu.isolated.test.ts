// The oracle for device trees: QEMU writes the one of its `virt` board, and ours must have the same nodes with the same properties, byte
// for byte. What differs on purpose is listed here, each with its reason, and a line that is not needed any more fails too.
// Without QEMU it is skipped; with GUESTSPEC_REQUIRE=qemu that is a failure.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { describeBoard } from "../runtime/machine/device-tree.ts";
import { EMBEDDED_TARGETS } from "../runtime/exec/processors.ts";
import { encodeValue, flattenTree, unflattenTree, type TreeNode } from "../runtime/machine/flattened-tree.ts";
import type { MachineDescription } from "../machines/description.ts";
import { riscv32Virt, riscvVirt } from "./fixtures/machines.ts";
import { skipWithoutQemu } from "./fixtures/riscv64-qemu.ts";

/** By path of a node, or of a property behind its node. */
const DIFFERENCES: readonly (readonly [path: RegExp, reason: string, target?: string])[] = [
  [/^\/pmu$/, "no events are counted but cycles and instructions, which need no such node"],
  [/^\/platform-bus@4000000$/, "no device is put there by a command line"],
  [/^\/chosen:linux,initrd-(start|end)$/, "two cells, which hold addresses above 4 GiB as well; kernels take either"],
  [/^\/chosen:rng-seed$/, "random on both sides"],
  [/^\/cpus\/cpu@\d:mmu-type$/, "QEMU's CPU has Sv57 and says Sv48", "riscv64"],
  [/^\/cpus\/cpu@\d:riscv,isa$/, "the hypervisor extension and Zbc are not here, Zicond, Svadu and Svinval are; Sdtrig is, and QEMU 7.2 does not say so"],
  [/^\/soc\/plic@c000000:riscv,ndev$/, "QEMU 7.2 counts source 0, which does not exist"],
  [/^\/soc\/pci@30000000:ranges$/, "no window above 4 GiB"],
];

/** Every node with `null`, every property with its bytes. */
function flattenPaths(node: TreeNode, path = ""): ReadonlyMap<string, string | null> {
  const here = path === "" ? "/" : path;
  return new Map([
    [here, null],
    ...Object.entries(node.properties).map(([name, value]): [string, string] => [`${here}:${name}`, Buffer.from(encodeValue(value)).toString("hex")]),
    ...node.children.flatMap((child) => [...flattenPaths(child, `${path}/${child.name}`)]),
  ]);
}

function dumpTree(machine: MachineDescription, cpus: number): TreeNode {
  const folder = mkdtempSync(join(tmpdir(), "guestspec-tree-"));
  try {
    const path = join(folder, "virt.dtb");
    const args = ["-M", `virt,dumpdtb=${path}`, "-m", `${machine.ram.size >> 20}`, "-smp", `${cpus}`, "-bios", "none", "-nodefaults", "-display", "none"];
    // The command line needs a kernel, and the kernel need not be one.
    const file = join(folder, "kernel");
    writeFileSync(file, "wait");
    const ended = spawnSync(`qemu-system-${machine.qemu?.binary}`, [...args, "-kernel", file, "-initrd", file, "-append", "console=ttyS0 quiet"], {
      encoding: "utf8",
      timeout: 30_000,
      killSignal: "SIGKILL",
    });
    assert.equal(ended.status, 0, ended.stderr);
    return unflattenTree(readFileSync(path));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

for (const [machine, cpus] of [
  [riscvVirt, 1],
  [riscvVirt, 3],
  [riscv32Virt, 1],
  [riscv32Virt, 2],
] as const) {
  test(`the tree of ${machine.name} with ${cpus} CPUs is QEMU's`, { skip: skipWithoutQemu }, () => {
    const theirs = flattenPaths(dumpTree(machine, cpus));
    const board = describeBoard(machine, {
      cpus,
      cpuProperties: EMBEDDED_TARGETS[machine.target]?.cpuProperties ?? {},
      commandLine: "console=ttyS0 quiet",
      initrd: { start: 0x8200_0000n, end: 0x8200_0004n },
      seed: 1n,
    });
    const ours = flattenPaths(unflattenTree(flattenTree(board)));
    const differences = DIFFERENCES.filter(([, , target = machine.target]) => target === machine.target);
    const used = new Set<RegExp>();
    const unexplained: string[] = [];
    for (const path of new Set([...theirs.keys(), ...ours.keys()])) {
      if (theirs.has(path) && ours.has(path) && theirs.get(path) === ours.get(path)) continue;
      const node = path.split(":")[0] ?? path;
      const known = differences.find(([pattern]) => pattern.test(path) || pattern.test(node));
      if (known !== undefined) used.add(known[0]);
      else unexplained.push(`${path}: QEMU ${theirs.has(path) ? theirs.get(path) : "has none"}, ours ${ours.has(path) ? ours.get(path) : "has none"}`);
    }
    assert.deepEqual(unexplained, []);
    assert.deepEqual(
      differences.filter(([pattern]) => !used.has(pattern)).map(([pattern]) => String(pattern)),
      [],
      "listed, and equal",
    );
    assert.ok(ours.size > 100, `${ours.size} nodes and properties`);
  });
}
