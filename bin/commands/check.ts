// `guestspec check`: compiles everything and runs nothing. Always anew: the point is the diagnostics, as text for people or as JSON
// for editors.

import { compile } from "../../compiler/index.ts";
import { loadMachineLanguage } from "../../isa/machine-language.ts";
import { formatJson } from "../../runtime/reporters/json-text.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { CommandError } from "../errors.ts";
import { findReadableSpecs } from "../find-specs.ts";
import type { Io } from "../io.ts";
import { loadMachineDescription, machineOption, printDiagnostics, readProjectWords } from "../load-specs.ts";
import { LIB_FOLDER } from "../places.ts";
import { readText } from "../read-text.ts";
import type { ParsedOptions } from "../options.ts";

export async function run(options: ParsedOptions, io: Io): Promise<ExitCode> {
  const { files, problem } = findReadableSpecs(options.positionals);
  if (files.length === 0)
    throw (
      problem ??
      new CommandError(EXIT.nothingSelected, "there are no specs (*.gspec, *.gspec.yaml) here", 'a file NAME.gspec that begins with `suite "NAME"` is a spec')
    );
  if (problem !== null) io.err(`error: ${problem.message}\n`);
  const { machine } = await loadMachineDescription(await machineOption(options), null);
  const language = await loadMachineLanguage(machine.target);
  const { diagnostics, images } = compile(files, { machine, language, readFile: readText, libDirectory: LIB_FOLDER, ...(await readProjectWords()) });
  const isWrong = diagnostics.some(({ severity }) => severity === "error");
  const exitCode = isWrong ? EXIT.compile : (problem?.exitCode ?? EXIT.ok);
  if (options.has("json")) {
    const { diagnosticsAsJson } = await import("../../compiler/diagnostics/render.ts");
    io.out(`${formatJson(diagnosticsAsJson(diagnostics), 2)}\n`);
    return exitCode;
  }
  await printDiagnostics(diagnostics, io);
  if (isWrong) return exitCode;
  const cases = images.reduce(
    (sum, { manifest }) => sum + manifest.suites.flatMap(({ tests }) => tests).reduce((total, test) => total + test.cases.length, 0),
    0,
  );
  io.out(`${files.length} file${files.length === 1 ? "" : "s"} checked, ${cases} test${cases === 1 ? "" : "s"}\n`);
  return exitCode;
}
