// `guestspec build`: images as files. A .gbc boots by itself on any engine for guest bytecode and prints KTAP; the manifest beside
// it tells a host what is inside.

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import { encodeModule } from "../../isa/bytecode/binary.ts";
import { CommandError, describeHostError } from "../errors.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { findSpecFiles } from "../find-specs.ts";
import type { Io } from "../io.ts";
import { loadSpecs } from "../load-specs.ts";
import type { ParsedOptions } from "../options.ts";

/** `specs/pci.gspec` -> `specs/pci`, `sha1.gspec.yaml` -> `sha1.yaml`; what lies outside the working directory goes by its name only. */
function outputName(path: string): string {
  const name = path.replace(/\.gspec(?=(\.yaml)?$)/, "");
  return isAbsolute(name) || name.startsWith("..") ? (name.split("/").at(-1) ?? name) : name;
}

function writeOutput(path: string, contents: Uint8Array | string): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, contents);
  } catch (error) {
    throw new CommandError(EXIT.environment, `cannot write ${path}: ${describeHostError(error)}`);
  }
}

export async function run(options: ParsedOptions, io: Io): Promise<ExitCode> {
  const files = findSpecFiles(options.positionals);
  const folder = options.value("output") ?? "build";
  const { images } = await loadSpecs(files, { machine: options.value("machine"), useCache: !options.has("no-cache") }, io);
  if (images.length === 0) throw new CommandError(EXIT.nothingSelected, "there is no suite to build an image from");
  const written = new Map<string, string>();
  for (const { path, module, manifest } of images) {
    const base = join(folder, `${outputName(path)}.${manifest.target}`).replaceAll("\\", "/");
    const other = written.get(base);
    if (other !== undefined) throw new CommandError(EXIT.usage, `${other} and ${path} would both be written to ${base}.gbc`);
    written.set(base, path);
    writeOutput(`${base}.gbc`, encodeModule(module));
    writeOutput(`${base}.json`, `${JSON.stringify(manifest, null, 2)}\n`);
    io.out(`${base}.gbc\n`);
  }
  return EXIT.ok;
}
