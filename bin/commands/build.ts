// `guestspec build`: images as files. A .gbc boots by itself on any engine for guest bytecode, an image of a native target in QEMU or
// another VMM; each prints KTAP. The manifest beside it tells a host what is inside; a script made by --standalone needs no host at all.

import { chmodSync, writeFileSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import { makeFolder } from "../../compiler/images/make-folder.ts";
import type { Manifest } from "../../compiler/images/manifest.ts";
import { encodeModule } from "../../isa/bytecode/binary.ts";
import type { ImageKind } from "../../machines/description.ts";
import { CommandError, describeHostError, usageError } from "../errors.ts";
import type { ImageFormat } from "../encode-image.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { findReadableSpecs } from "../find-specs.ts";
import type { Io } from "../io.ts";
import { findMachine, isNative, loadNativeImages, type NativeMachine } from "../load-native.ts";
import { loadSpecs, machineOption } from "../load-specs.ts";
import type { ParsedOptions } from "../options.ts";

/** One image's files: the path without an ending, and what is written behind which ending, the one to tell of first. */
interface BuiltImage {
  readonly path: string;
  readonly manifest: Manifest;
  readonly outputs: readonly { readonly ending: string; readonly contents: Uint8Array | string; readonly isProgram?: true }[];
}

/** `specs/pci.gspec` -> `specs/pci`, `sha1.gspec.yaml` -> `sha1.yaml`; what lies outside the working directory goes by its name only. */
function outputName(path: string): string {
  const name = path.replace(/\.gspec(?=(\.yaml)?$)/, "");
  return isAbsolute(name) || name.startsWith("..") ? (name.split("/").at(-1) ?? name) : name;
}

function writeOutput(path: string, contents: Uint8Array | string, isProgram: boolean): void {
  try {
    makeFolder(dirname(path));
    writeFileSync(path, contents);
    if (isProgram) chmodSync(path, 0o755);
  } catch (error) {
    throw new CommandError(EXIT.environment, `cannot write ${path}: ${describeHostError(error)}`);
  }
}

const ENDINGS: Readonly<Record<ImageFormat, string>> = { elf: "", flat: ".bin", disk: ".img" };

/** What a machine's loader takes by itself. */
const USUAL_FORMAT: Readonly<Record<ImageKind, ImageFormat>> = { elf: "elf", "image-header": "flat" };

async function buildNative(files: readonly string[], machine: NativeMachine, options: ParsedOptions, io: Io): Promise<readonly BuiltImage[]> {
  const format = (options.value("format") ?? USUAL_FORMAT[machine.boot.image]) as ImageFormat;
  const { encodeImage } = await import("../encode-image.ts");
  const built: BuiltImage[] = [];
  for (const image of await loadNativeImages(files, machine, io)) {
    const contents = await encodeImage(image, format);
    const outputs: BuiltImage["outputs"][number][] = [{ ending: ENDINGS[format], contents }];
    if (options.has("standalone")) {
      if (format === "disk") throw usageError("`--standalone` is for images that QEMU loads by itself", "leave out `--format disk`");
      const { standaloneScript } = await import("../standalone-script.ts");
      outputs.unshift({ ending: ".sh", contents: standaloneScript(image, machine, contents), isProgram: true });
    }
    built.push({ path: image.path, manifest: image.manifest, outputs });
  }
  return built;
}

async function buildBytecode(files: readonly string[], options: ParsedOptions, io: Io): Promise<readonly BuiltImage[]> {
  for (const name of ["format", "standalone"]) if (options.has(name)) throw usageError(`\`--${name}\` is for images of native targets`, "name one by --target");
  const { images } = await loadSpecs(files, { machine: await machineOption(options), useCache: !options.has("no-cache") }, io);
  return images.map(({ path, module, manifest }) => ({ path, manifest, outputs: [{ ending: ".gbc", contents: encodeModule(module) }] }));
}

function readTargets(options: ParsedOptions): readonly (string | null)[] {
  const targets = options.values("target").flatMap((value) => value.split(","));
  return targets.length === 0 ? [null] : [...new Set(targets)];
}

export async function run(options: ParsedOptions, io: Io): Promise<ExitCode> {
  const { files, problem } = findReadableSpecs(options.positionals);
  if (problem !== null && files.length === 0) throw problem;
  if (problem !== null) io.err(`error: ${problem.message}\n`);
  const folder = options.value("output") ?? "build";
  const machines = [];
  for (const target of readTargets(options)) machines.push(await findMachine(target, await machineOption(options)));
  const built: BuiltImage[] = [];
  for (const machine of machines) built.push(...(isNative(machine) ? await buildNative(files, machine, options, io) : await buildBytecode(files, options, io)));
  if (built.length === 0) throw new CommandError(EXIT.nothingSelected, "there is no suite to build an image from");
  const written = new Map<string, string>();
  for (const { path, manifest, outputs } of built) {
    const base = join(folder, `${outputName(path)}.${manifest.target}`).replaceAll("\\", "/");
    const other = written.get(base);
    if (other !== undefined) throw new CommandError(EXIT.usage, `${other} and ${path} would both be written to ${base}${outputs[0]?.ending ?? ""}`);
    written.set(base, path);
    for (const { ending, contents, isProgram } of outputs) writeOutput(`${base}${ending}`, contents, isProgram === true);
    writeOutput(`${base}.json`, `${JSON.stringify(manifest, null, 2)}\n`, false);
    io.out(`${base}${outputs[0]?.ending ?? ""}\n`);
  }
  return problem?.exitCode ?? EXIT.ok;
}
