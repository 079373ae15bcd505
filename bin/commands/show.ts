// `guestspec show STAGE FILE`: what the compiler makes of a file at each of its waists. Everything but wasm is text that tools and
// people read; wasm is summarised, and written as a binary with -o. Machine code is shown with the lines that it comes from, and
// image files tell what is inside.

import { writeFileSync } from "node:fs";
import { compile, type Image } from "../../compiler/index.ts";
import type { Diagnostic } from "../../grammar/diagnostic.ts";
import { didYouMean, nearestName } from "../../grammar/nearest-name.ts";
import { printFunction, printText } from "../../isa/bytecode/text.ts";
import { LIBRARY_PREFIX, type Module } from "../../isa/bytecode/module.ts";
import type { MachineDescription } from "../../machines/description.ts";
import { CommandError, describeHostError, usageError } from "../errors.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { findSpecFiles } from "../find-specs.ts";
import type { Io } from "../io.ts";
import { findMachine, isNative, loadNativeImages, loadTarget } from "../load-native.ts";
import { machineOption, printDiagnostics, readProjectWords } from "../load-specs.ts";
import { LIB_FOLDER } from "../places.ts";
import { readBytes, readText } from "../read-text.ts";
import type { ParsedOptions } from "../options.ts";

export const STAGES = ["ast", "plan", "bytecode", "wasm", "asm", "symbols", "image"] as const;
type Stage = (typeof STAGES)[number];
/** Those of the compiled bytecode, and those of machine code. */
type BytecodeStage = "plan" | "bytecode" | "wasm";
type NativeStage = "asm" | "symbols";

async function failOn(diagnostics: readonly Diagnostic[], io: Io): Promise<void> {
  await printDiagnostics(diagnostics, io);
  if (diagnostics.some(({ severity }) => severity === "error")) throw new CommandError(EXIT.compile, "");
}

async function showAst(path: string, io: Io): Promise<string> {
  const text = readText(path);
  if (text === null) throw usageError(`there is no file \`${path}\``);
  const source = { path, text };
  const diagnostics: Diagnostic[] = [];
  const report = (diagnostic: Diagnostic): void => void diagnostics.push(diagnostic);
  const { printAst } = await import("../../grammar/print-ast.ts");
  const file = path.endsWith(".yaml")
    ? (await import("../../grammar/yaml/read-yaml-spec.ts")).parseYamlFile(source, report)
    : (await import("../../grammar/parser.ts")).parseFile(source, report);
  await failOn(diagnostics, io);
  return printAst(file, { positions: true });
}

function showBytecode(module: Module, name: string | null): string {
  if (name === null) return printText(module);
  const index = module.functions.findIndex((candidate) => candidate.name === name);
  if (index >= 0) return `${printFunction(module, index)}\n`;
  throw noFunction(
    name,
    module.functions.map((candidate) => candidate.name),
  );
}

function noFunction(name: string, names: readonly string[]): Error {
  const last = name.split(".").at(-1) ?? name;
  const nearest = names.find((candidate) => candidate.split(".").at(-1) === last) ?? nearestName(name, names);
  return usageError(`the image has no function \`${name}\``, nearest === undefined ? null : `did you mean \`${nearest}\`?`);
}

/** Translated for the machine as a run would, with one CPU. */
async function translateImage(module: Module, machine: MachineDescription): Promise<Uint8Array> {
  const { createMachine } = await import("../../runtime/machine/machine.ts");
  const { translate } = await import("../../runtime/cpus/bytecode/translate.ts");
  const { translationOptions } = await import("../../runtime/cpus/bytecode/compiled-image.ts");
  const board = createMachine(machine, { cpus: 1 });
  const placed = board.loadImage(module);
  return translate(module, translationOptions(placed, board));
}

const WASM_SECTIONS = ["custom", "type", "import", "function", "table", "memory", "global", "export", "start", "element", "code", "data", "data count"];

/** Reads an unsigned LEB128 number; returns it and the offset behind it. */
function readLeb(bytes: Uint8Array, start: number): readonly [value: number, end: number] {
  let value = 0;
  for (let at = start, scale = 1; ; at++, scale *= 128) {
    const byte = bytes[at] ?? 0;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return [value, at + 1];
  }
}

function summariseWasm(bytes: Uint8Array, module: Module): string {
  const lines = [`; ${bytes.length} bytes of WebAssembly for ${module.functions.length} guest functions; -o FILE writes them`];
  for (let at = 8; at < bytes.length;) {
    const id = bytes[at] ?? 0;
    const [size, start] = readLeb(bytes, at + 1);
    lines.push(`${(WASM_SECTIONS[id] ?? `section ${id}`).padEnd(10)}  ${String(size).padStart(8)} bytes at ${start}`);
    at = start + size;
  }
  return `${lines.join("\n")}\n`;
}

async function showNative(stage: NativeStage, file: string, machine: MachineDescription, name: string | null, io: Io): Promise<string> {
  if (!isNative(machine)) throw usageError(`images for ${machine.name} are bytecode`, "name a target of machine code by --target");
  const [image] = await loadNativeImages([file], machine, io);
  if (image === undefined) throw withoutSuite(file);
  const { imageFunctions, listFunctions, listSymbols } = await import("../../compiler/images/listing.ts");
  if (stage === "symbols") return listSymbols(image.native);
  const functions = imageFunctions(image.native);
  const wanted = name === null ? functions : functions.filter((candidate) => candidate.name === name);
  if (name !== null && wanted.length === 0)
    throw noFunction(
      name,
      functions.map((candidate) => candidate.name),
    );
  const readSource = (path: string): string | null => readText(path.startsWith(LIBRARY_PREFIX) ? `${LIB_FOLDER}${path.slice(LIBRARY_PREFIX.length)}` : path);
  const { loadDisassembler, readTrap } = await loadTarget(machine);
  return listFunctions(wanted, { image: image.native, disassemble: await loadDisassembler(), readTrap, readSource });
}

async function showImage(path: string): Promise<string> {
  const bytes = readBytes(path);
  const { readImageFile } = await import("../../compiler/images/image-file.ts");
  const { describeImage } = await import("../../compiler/images/describe-image.ts");
  const result = readImageFile(bytes);
  if (!result.ok) throw usageError(`${path} cannot be shown: ${result.reason}`);
  return describeImage(result.file);
}

function withoutSuite(file: string): Error {
  return new CommandError(EXIT.nothingSelected, `${file} has no suite, so it makes no image`);
}

async function showStage(
  stage: BytecodeStage,
  image: Image,
  machine: MachineDescription,
  name: string | null,
  options: ParsedOptions,
): Promise<string | Uint8Array> {
  switch (stage) {
    case "plan":
      return `${JSON.stringify(image.manifest, null, 2)}\n`;
    case "bytecode":
      return showBytecode(image.module, name);
    case "wasm": {
      const bytes = await translateImage(image.module, machine);
      return options.value("output") === null ? summariseWasm(bytes, image.module) : bytes;
    }
  }
}

/** The bytecode as the machine's images are made from it: a native target's calls its library where the bytecode machine has instructions. */
async function compileSpec(file: string, machine: MachineDescription, io: Io): Promise<Image> {
  let images: readonly Image[];
  if (isNative(machine)) images = await loadNativeImages([file], machine, io);
  else {
    const compilation = compile([file], { machine, readFile: readText, libDirectory: LIB_FOLDER, ...(await readProjectWords()) });
    await failOn(compilation.diagnostics, io);
    ({ images } = compilation);
  }
  const [image] = images;
  if (image === undefined) throw withoutSuite(file);
  return image;
}

async function showSpec(stage: Exclude<Stage, "image">, path: string, name: string | null, options: ParsedOptions, io: Io): Promise<string | Uint8Array> {
  const [file = path, ...others] = findSpecFiles([path]);
  if (others.length > 0) throw usageError(`\`${path}\` is a folder; name one file`);
  if (stage === "ast") return showAst(file, io);
  const machine = await findMachine(options.value("target"), await machineOption(options));
  if (stage === "asm" || stage === "symbols") return showNative(stage, file, machine, name, io);
  if (stage === "wasm" && isNative(machine)) throw usageError(`images for ${machine.name} do not become WebAssembly`);
  const image = await compileSpec(file, machine, io);
  return showStage(stage, image, machine, name, options);
}

export async function run(options: ParsedOptions, io: Io): Promise<ExitCode> {
  const [wanted = "", path = "", positional = null] = options.positionals;
  const stage = STAGES.find((name) => name === wanted);
  if (stage === undefined) throw usageError(`there is no stage \`${wanted}\``, didYouMean(wanted, STAGES, `stages: ${STAGES.join(", ")}`));
  const name = options.value("function") ?? positional;
  if (name !== null && stage !== "bytecode" && stage !== "asm") throw usageError("a function is named for bytecode and asm only");
  const contents = stage === "image" ? await showImage(path) : await showSpec(stage, path, name, options, io);
  const output = options.value("output");
  if (output === null) {
    io.out(typeof contents === "string" ? contents : "");
    return EXIT.ok;
  }
  try {
    writeFileSync(output, contents);
  } catch (error) {
    throw new CommandError(EXIT.environment, `cannot write ${output}: ${describeHostError(error)}`);
  }
  return EXIT.ok;
}
