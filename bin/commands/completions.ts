// `guestspec completions SHELL`: the script that makes a shell complete guestspec's commands, options and values.

import { didYouMean } from "../../grammar/nearest-name.ts";
import { listMachines } from "../../machines/load-machine.ts";
import { REPORTER_NAMES } from "../../runtime/reporters/index.ts";
import { COMPLETION_SCRIPTS, type CompletionTable } from "../completion-scripts.ts";
import { usageError } from "../errors.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import { TARGET_MACHINES } from "../load-native.ts";
import { ENGINE_CHOICES } from "../load-targets.ts";
import type { ParsedOptions } from "../options.ts";
import { STAGES } from "./show.ts";
import { COMMANDS } from "./table.ts";

/** What commands take beside paths. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  completions: Object.keys(COMPLETION_SCRIPTS),
  config: ["show"],
  show: STAGES,
};

export function completionTable(): CompletionTable {
  return {
    commands: COMMANDS.map(({ name, summary, options }) => ({ name, summary, options, words: WORDS[name] ?? [] })),
    values: {
      reporter: REPORTER_NAMES,
      target: [...Object.keys(TARGET_MACHINES), "all"],
      engine: ENGINE_CHOICES,
      machine: listMachines(),
      seed: ["random"],
      require: ["all"],
    },
  };
}

export function run(options: ParsedOptions, io: Io): Promise<ExitCode> {
  const [shell = ""] = options.positionals;
  const format = COMPLETION_SCRIPTS[shell];
  if (format === undefined) {
    const known = Object.keys(COMPLETION_SCRIPTS);
    throw usageError(`there is no completion for \`${shell}\``, didYouMean(shell, known, `shells: ${known.join(", ")}`));
  }
  io.out(format(completionTable()));
  return Promise.resolve(EXIT.ok);
}
