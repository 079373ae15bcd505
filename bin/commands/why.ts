// `guestspec why TEST`: everything that decides whether and how a test runs, each with where it comes from. Nothing is ever silently
// not run, and this is where one asks.

import type { EngineOptions } from "../../runtime/engines/embedded.ts";
import { printable } from "../../runtime/reporters/terminal-text.ts";
import { limitsOf } from "../../runtime/engines/limits.ts";
import { staticSkip } from "../../runtime/engines/case-engine.ts";
import { deriveSeed } from "../../runtime/engines/case-id.ts";
import { checkNeeds, cpusNeeded, isPromised } from "../../runtime/engines/needs.ts";
import { formatDuration } from "../../runtime/engines/values.ts";
import type { PlannedCase } from "../../runtime/runner/plan.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import type { LoadedImage } from "../load-specs.ts";
import type { ParsedOptions } from "../options.ts";
import { checkRequired, readEngineOptions } from "../run-options.ts";
import { selectTests } from "../select-tests.ts";

/** Told in full up to here; beyond it a word was too wide to be a question. */
const TOLD = 5;

function explain(planned: PlannedCase, image: LoadedImage, engine: EngineOptions): string[] {
  const test = image.manifest.suites[planned.suiteIndex]?.tests[planned.testIndex];
  const row = test?.cases[planned.caseIndex];
  if (test === undefined || row === undefined) throw new Error(`${planned.id} is not in its manifest`);
  const { machine } = image;
  const lines: string[] = [];
  const say = (name: string, text: string): void => void lines.push(`  ${name.padEnd(9)} ${text}`);

  say("test", `${planned.file}:${test.line}-${test.endLine}`);
  if (row.name !== null) say("row", `\`${row.name}\`, ${image.manifest.files[row.file] ?? "?"}:${row.line}`);
  if (planned.tags.length > 0) say("tags", planned.tags.join(", "));
  if (planned.covers.length > 0) say("covers", planned.covers.join(", "));
  say("machine", `${machine.name} (${machine.summary}), ${cpusNeeded(test.needs)} CPU${cpusNeeded(test.needs) === 1 ? "" : "s"}`);
  say("engine", image.unavailable === undefined ? planned.engine : `${planned.engine}: ${image.unavailable}`);
  if (test.on.length > 0) say("on", `${test.on.join(", ")}; this is ${machine.target}`);
  const needs = checkNeeds(test, machine);
  if (needs.length === 0) say("needs", "nothing");
  for (const { need, met, detail } of needs) say("needs", `${need}: ${met ? "met" : "NOT MET"}, ${detail}`);
  if (machine.qemu !== null && needs.some(({ met }) => !met))
    say("help", `a machine file that extends ${machine.name} may add it (docs/howto/test-a-device-of-your-qemu.md)`);
  const { timeoutNs, instructions } = limitsOf(test, row, engine);
  const origin = (row.timeout ?? test.timeout) !== null ? "@timeout" : engine.timeoutNs !== null ? "--timeout" : "default";
  say("limits", `${formatDuration(timeoutNs)} of guest time (${origin}), ${instructions.toLocaleString("en")} instructions`);
  say("seed", `run ${engine.seed}, machine 0x${deriveSeed(engine.seed, planned.id.slice(0, planned.id.lastIndexOf("@"))).toString(16)}`);
  if (row.xfail !== null) say("xfail", `expected to fail: ${row.xfail}`);
  if (isPromised(test, engine.required)) say("required", `a skip would end the run with exit code ${EXIT.promisedSkipped}`);
  const skip = staticSkip(image, test, row);
  say("result", skip === null ? "would run" : `would be skipped: ${skip}`);
  return lines;
}

export async function run(options: ParsedOptions, io: Io): Promise<ExitCode> {
  await checkRequired(options);
  const engine = readEngineOptions(options);
  const { images, selected } = await selectTests(options, io);
  for (const planned of selected.slice(0, TOLD)) {
    const image = images[planned.image];
    if (image === undefined) throw new Error(`${planned.id} has no image`);
    io.out(`${printable(planned.id)}\n${explain(planned, image, engine).join("\n")}\n\n`);
  }
  if (selected.length > TOLD) io.out(`and ${selected.length - TOLD} more; \`guestspec list\` lists them\n`);
  return EXIT.ok;
}
