// The options of `run` as values, with their defaults. `why` reads them too, to tell what a run would do.

import { availableParallelism } from "node:os";
import { ARGUMENTS, CAPABILITIES } from "../compiler/plan/capabilities.ts";
import { didYouMean } from "../grammar/nearest-name.ts";
import { normaliseArgument } from "../machines/needs.ts";
import type { AttemptPolicy } from "../runtime/runner/attempts.ts";
import { EXECUTOR_CHOICES, type EngineOptions } from "../runtime/engines/embedded.ts";
import { quoteForShell } from "../runtime/engines/case-id.ts";
import { usageError } from "./errors.ts";
import { duration, seedNumber, wholeNumber, type ParsedOptions } from "./options.ts";

/** Fixed, so that two runs are the same unless somebody asks for another one. */
export const DEFAULT_SEED = 0n;

function randomSeed(): bigint {
  // 32 bits: short enough to type again.
  const [seed = 0] = crypto.getRandomValues(new Uint32Array(1));
  return BigInt(seed);
}

function readSeed(options: ParsedOptions): bigint {
  if (options.value("seed") === "random") return randomSeed();
  // Shuffling the same way every time would find nothing.
  return seedNumber(options, " or `random`") ?? (options.has("shuffle") ? randomSeed() : DEFAULT_SEED);
}

/** Flags that a single test's result depends on, wherever it runs; order and number of tests do not matter to it. */
function reproFlags(options: ParsedOptions, seed: bigint): string {
  const flags = [` --seed ${seed}`];
  for (const name of ["timeout", "max-instructions"]) {
    const value = options.value(name);
    if (value !== null) flags.push(` --${name} ${quoteForShell(value)}`);
  }
  return flags.join("");
}

/** How often tests run, and what a flaky one is worth. */
export interface RepeatOptions extends AttemptPolicy {
  /** Rounds with one seed after the other, until a test fails; 1: one round. */
  readonly rounds: number;
  readonly flakyFails: boolean;
}

export function readRepeatOptions(options: ParsedOptions): RepeatOptions {
  const repeat = wholeNumber(options, "repeat", 1);
  const retries = wholeNumber(options, "retries", 0) ?? 0;
  const untilFail = options.has("until-fail");
  if (retries > 0 && (untilFail || repeat !== null)) throw usageError("`--retries` hides what `--repeat` and `--until-fail` look for", "give one of them");
  if (options.has("reuse") && (untilFail || (repeat ?? 1) > 1))
    throw usageError("`--reuse` runs less, `--repeat` and `--until-fail` run more", "give one of them");
  if (options.has("reuse") && options.has("coverage")) throw usageError("`--reuse` runs less, `--coverage` measures what runs", "give one of them");
  return {
    repeat: untilFail ? 1 : (repeat ?? 1),
    retries,
    rounds: untilFail ? (repeat ?? Infinity) : 1,
    // Who repeats a test wants to know.
    flakyFails: (options.value("flaky") ?? (repeat === null ? "pass" : "fail")) === "fail",
  };
}

/** Null: the text may be required; else what may help whoever wrote it. */
async function slipInRequired(text: string): Promise<{ readonly help: string | null } | null> {
  const [name = ""] = text.split("(", 1);
  const rest = text.slice(name.length);
  const capability = CAPABILITIES.find((known) => known.name === name);
  const others = ["all", "embedded", "qemu"];
  if (capability === undefined && !others.includes(name) && !(await import("./project-engines.ts")).readEngines().some((engine) => engine.name === name))
    return { help: didYouMean(name, [...CAPABILITIES.map((known) => known.name), ...others], null) };
  if (rest === "") return null;
  const { wanted, example, form } = ARGUMENTS[capability?.argument ?? "none"];
  if (example === "") return { help: `\`${name}\` takes no argument` };
  const argument = /^\((.*)\)$/.exec(rest)?.[1];
  return argument !== undefined && form.test(normaliseArgument(argument)) ? null : { help: `\`${name}\` takes ${wanted}, for example \`${name}(${example})\`` };
}

/** A slip in a promise would be a promise that nobody keeps. */
export async function checkRequired(options: ParsedOptions): Promise<void> {
  for (const text of options.values("require")) {
    const slip = await slipInRequired(text);
    if (slip === null) continue;
    throw usageError(`${options.spelled("require")} takes what tests need, such as pci or cpus(2), an engine, or all, not \`${text}\``, slip.help);
  }
}

export function readEngineOptions(options: ParsedOptions, seed = readSeed(options)): EngineOptions {
  const executor = EXECUTOR_CHOICES.find((choice) => choice === options.value("executor")) ?? "auto";
  return {
    seed,
    executor,
    timeoutNs: duration(options, "timeout"),
    maxInstructions: wholeNumber(options, "max-instructions", 1),
    required: options.values("require"),
    reproFlags: reproFlags(options, seed),
  };
}

export function readJobs(options: ParsedOptions): number {
  return wholeNumber(options, "jobs", 1) ?? Math.min(16, availableParallelism());
}
