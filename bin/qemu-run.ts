// What the QEMU engine is told of a run: its command lines, from machine files and options, and the boot files of the images that a
// machine takes. Loaded when a run has tests for QEMU. The compiler is not, unless a pack's loader has to be assembled: each machine's is
// kept in the cache.

import type { ImageCache } from "../compiler/images/cache.ts";
import { hashBytes } from "../compiler/images/content-hash.ts";
import { writePack, type PackLoader } from "../compiler/images/pack.ts";
import { ACCELERATORS, qemuCommand, type Accelerator } from "../machines/qemu-command.ts";
import type { EngineImage } from "../runtime/engines/session.ts";
import type { QemuOptions } from "../runtime/engines/qemu/qemu-machine.ts";
import type { Spares } from "../runtime/engines/qemu/spares.ts";
import { ImageLoadError } from "../runtime/machine/load-image.ts";
import { ISOLATIONS, type Isolation } from "../runtime/engines/serial/serial-machine.ts";
import { CommandError } from "./errors.ts";
import { EXIT } from "./exit-codes.ts";
import { isNative, type NativeMachine } from "./load-native.ts";
import { machineKeyOf, openImageCache } from "./load-specs.ts";
import { LIB_FOLDER } from "./places.ts";
import { readText } from "./read-text.ts";
import type { Io } from "./io.ts";
import { duration, type ParsedOptions } from "./options.ts";
import { readJobs } from "./run-options.ts";
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

/**
 * Starts QEMU for the first of the targets, up to where it waits for an image. Arguments and machine files of the user may name files,
 * which QEMU would open long before a run, or hold while nothing runs: with those there is none.
 */
export async function prepareSpare(options: ParsedOptions, targets: readonly RunTarget[], spares: Spares | null): Promise<Spares | null> {
  const target = targets.find(({ engine, unavailable }) => engine === "qemu" && unavailable === null);
  const isOurs = targets.every(({ engine, machine, source }) => engine !== "qemu" || machine.name === source);
  if (target === undefined || !isOurs || options.has("qemu-arg")) return spares;
  const started = spares ?? (await import("../runtime/engines/qemu/spares.ts")).createSpares(readJobs(options));
  const { machine } = target;
  const { command } = readQemuOptions(options, targets);
  started.prepare({ machine, cpus: Math.min(machine.cpus.max, 1) }, command);
  return started;
}

/** Makes packs of images, the first of which they start. */
export function bootFileMaker(options: ParsedOptions, targets: readonly RunTarget[], io: Io): (images: readonly EngineImage[]) => Promise<Uint8Array> {
  return async (images) => {
    const payloads = images.map(({ native, machine }) => {
      if (native === undefined) throw new Error(`an image for ${machine.name} has no machine code`);
      return { image: native };
    });
    const machine = images[0]?.machine;
    const pack = payloads[0]?.image.pack ?? null;
    if (machine === undefined || pack === null || !isNative(machine)) throw new Error("no images for a pack");
    const source = targets.find((target) => target.machine.name === machine.name)?.source ?? machine.name;
    const loader = await loadLoader(machine, pack.start, source, options.has("no-cache") ? null : openImageCache(io));
    const result = writePack(payloads, { loader, ram: machine.ram });
    if (!result.ok) throw new ImageLoadError(result.reason);
    return result.file;
  };
}

/** `source`: the machine's name or file, as it was asked for. */
async function loadLoader(machine: NativeMachine, base: bigint, source: string, cache: ImageCache | null): Promise<PackLoader> {
  const file = `${LIB_FOLDER}${machine.target}/pack.s`;
  const key = ["pack loader", file, machineKeyOf(source, cache?.hashes) ?? "", base.toString(16)];
  const [bytes, labels] = cache?.ofPackage.readParts(key)?.parts ?? [];
  if (bytes !== undefined && labels !== undefined) return { bytes, labels: new Map(JSON.parse(Buffer.from(labels).toString("utf8")) as [string, number][]) };
  const text = readText(file);
  if (text === null) throw new CommandError(EXIT.environment, `${file} is missing: the installation is incomplete`);
  const { loadNativeTarget } = await import("../compiler/targets/index.ts");
  const { entryConstants } = await import("../compiler/native/entry.ts");
  const { assembleLoader } = await import("../compiler/images/place-in-pack.ts");
  const target = await loadNativeTarget(machine.target);
  if (target === null) throw new Error(`there is no back end for ${machine.target}`);
  const loader = assembleLoader(target, { file, text }, entryConstants(target, machine), base);
  cache?.ofPackage.writeParts(key, { parts: [loader.bytes, JSON.stringify([...loader.labels])], paths: [] }, [{ path: file, hash: hashBytes(text) }]);
  return loader;
}
