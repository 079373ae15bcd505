// What the QEMU engine is told of a run: its command lines, from machine files and options, and the boot files of the images that a
// machine takes. Loaded when a run has tests for QEMU.

import { manifestText } from "../compiler/images/identity.ts";
import { writePack } from "../compiler/images/pack.ts";
import { entryConstants } from "../compiler/native/entry.ts";
import { findNativeTarget } from "../compiler/targets/index.ts";
import { ACCELERATORS, qemuCommand, type Accelerator } from "../machines/qemu-command.ts";
import type { EngineImage } from "../runtime/engines/session.ts";
import type { QemuOptions } from "../runtime/engines/qemu/qemu-machine.ts";
import { ImageLoadError } from "../runtime/machine/load-image.ts";
import { ISOLATIONS, type Isolation } from "../runtime/engines/serial/serial-machine.ts";
import { CommandError } from "./errors.ts";
import { EXIT } from "./exit-codes.ts";
import { LIB_FOLDER, readText } from "./load-specs.ts";
import { duration, type ParsedOptions } from "./options.ts";
import type { RunTarget } from "./load-targets.ts";

function readIsolation(options: ParsedOptions): Isolation {
  return ISOLATIONS.find((name) => name === options.value("isolate")) ?? "suite";
}

function readAccelerator(options: ParsedOptions): Accelerator {
  return ACCELERATORS.find((name) => name === options.value("accel")) ?? "tcg";
}

export function readQemuOptions(options: ParsedOptions, targets: readonly RunTarget[]): QemuOptions {
  const accelerator = readAccelerator(options);
  const hangAfter = duration(options, "hang-after");
  return {
    isolation: readIsolation(options),
    hangAfterMs: hangAfter === null ? null : hangAfter / 1e6,
    command({ machine, cpus, imagePath, args }) {
      const binary = targets.find((target) => target.engine === "qemu" && target.machine.name === machine.name)?.binary ?? null;
      if (binary === null) throw new Error(`${machine.name} is to run in QEMU, which it does not`);
      const result = qemuCommand(machine, {
        cpus,
        accelerator,
        isDeterministic: accelerator === "tcg",
        image: imagePath,
        commandLine: ["host=serial", ...options.values("append")].join(" "),
        extraArguments: [...args, ...options.values("qemu-arg")],
        binary,
      });
      if (!result.ok) throw new CommandError(EXIT.usage, result.problem);
      return result.command;
    },
  };
}

/** A pack of the images, the first of which it starts. */
export async function makeBootFile(images: readonly EngineImage[]): Promise<Uint8Array> {
  const [first] = images;
  const target = first === undefined ? undefined : findNativeTarget(first.machine.target);
  if (first === undefined || target === undefined) throw new Error("no images for machine code");
  const { machine } = first;
  const file = `${LIB_FOLDER}${target.name}/pack.s`;
  const text = readText(file);
  if (text === null) throw new CommandError(EXIT.environment, `${file} is missing: the installation is incomplete`);
  const payloads = images.map(({ native, manifest }) => {
    if (native === undefined) throw new Error(`an image for ${machine.name} has no machine code`);
    return { image: native, manifest: manifestText(manifest) };
  });
  const pack = writePack(payloads, { target, loader: { file, text }, constants: entryConstants(target, machine), ram: machine.ram });
  if (!pack.ok) throw new ImageLoadError(pack.reason);
  return pack.file;
}
