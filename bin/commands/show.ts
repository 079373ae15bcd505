// `guestspec show STAGE FILE`: what the compiler makes of a file at each of its waists. Everything but wasm is text that tools and
// people read; wasm is summarised, and written as a binary with -o.

import { writeFileSync } from "node:fs";
import { compile, type Image } from "../../compiler/index.ts";
import type { Diagnostic } from "../../grammar/diagnostic.ts";
import { nearestName } from "../../grammar/nearest-name.ts";
import { printFunction, printText } from "../../isa/bytecode/text.ts";
import type { Module } from "../../isa/bytecode/module.ts";
import type { MachineDescription } from "../../machines/description.ts";
import { CommandError, describeHostError, usageError } from "../errors.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { findSpecFiles } from "../find-specs.ts";
import type { Io } from "../io.ts";
import { LIB_FOLDER, loadMachineDescription, printDiagnostics, readText, readProjectTags } from "../load-specs.ts";
import type { ParsedOptions } from "../options.ts";

const STAGES = ["ast", "plan", "bytecode", "wasm"] as const;
type Stage = (typeof STAGES)[number];

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
  const names = module.functions.map((candidate) => candidate.name);
  const last = name.split(".").at(-1) ?? name;
  const nearest = names.find((candidate) => candidate.split(".").at(-1) === last) ?? nearestName(name, names);
  throw usageError(`the image has no function \`${name}\``, nearest === undefined ? null : `did you mean \`${nearest}\`?`);
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

async function showStage(stage: Exclude<Stage, "ast">, image: Image, machine: MachineDescription, options: ParsedOptions): Promise<string | Uint8Array> {
  switch (stage) {
    case "plan":
      return `${JSON.stringify(image.manifest, null, 2)}\n`;
    case "bytecode":
      return showBytecode(image.module, options.value("function"));
    case "wasm": {
      const bytes = await translateImage(image.module, machine);
      return options.value("output") === null ? summariseWasm(bytes, image.module) : bytes;
    }
  }
}

export async function run(options: ParsedOptions, io: Io): Promise<ExitCode> {
  const [wanted = "", path = ""] = options.positionals;
  const stage = STAGES.find((name) => name === wanted);
  if (stage === undefined) {
    const nearest = nearestName(wanted, STAGES);
    throw usageError(`there is no stage \`${wanted}\``, nearest === undefined ? `stages: ${STAGES.join(", ")}` : `did you mean \`${nearest}\`?`);
  }
  if (stage !== "bytecode" && options.has("function")) throw usageError("`--function` is for bytecode only");
  const [file = path, ...others] = findSpecFiles([path]);
  if (others.length > 0) throw usageError(`\`${path}\` is a folder; name one file`);
  let contents: string | Uint8Array;
  if (stage === "ast") contents = await showAst(file, io);
  else {
    const { machine } = await loadMachineDescription(options.value("machine"), null);
    const { diagnostics, images } = compile([file], { machine, readFile: readText, libDirectory: LIB_FOLDER, tags: await readProjectTags() });
    await failOn(diagnostics, io);
    const [image] = images;
    if (image === undefined) throw new CommandError(EXIT.nothingSelected, `${file} has no suite, so it makes no image`);
    contents = await showStage(stage, image, machine, options);
  }
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
