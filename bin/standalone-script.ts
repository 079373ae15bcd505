// What a standalone script is told of its machine: QEMU's command line for every accelerator, the statuses that QEMU ends with, and what to
// install. The script itself is compiler/images/standalone.ts; here machine files and images come together.

import { IMAGE_PLACE, writeStandalone } from "../compiler/images/standalone.ts";
import type { CompiledNative } from "../compiler/native/index.ts";
import { ACCELERATORS, qemuCommand } from "../machines/qemu-command.ts";
import { usageError } from "./errors.ts";
import { QEMU_PACKAGES } from "./find-qemu.ts";
import type { NativeMachine } from "./load-native.ts";

export function standaloneScript({ path, manifest }: CompiledNative, machine: NativeMachine, image: Uint8Array): string {
  const { qemu, exit } = machine;
  if (qemu === null || exit === null) throw usageError(`${machine.name} is no board of QEMU's, so there is no script that runs it`);
  const accelerators = ACCELERATORS.map((name) => {
    const result = qemuCommand(machine, { image: IMAGE_PLACE, binary: "", accelerator: name });
    if (!result.ok) throw new Error(result.problem);
    return { name, args: result.command.args };
  });
  return writeStandalone({
    name: path,
    suite: manifest.suites[0]?.name ?? "",
    tests: manifest.suites.reduce((sum, { tests }) => sum + tests.length, 0),
    machine: machine.name,
    image,
    qemu: qemu.binary,
    packageName: QEMU_PACKAGES[qemu.binary] ?? `qemu-system-${qemu.binary}`,
    accelerators,
    exit,
  });
}
