// What is left of a selection when only a part of it is wanted: what has not succeeded yet, what a change touches, one shard of several.
// Loaded when one of these options is given. Unlike a filter, each of them may leave nothing, and that is an answer and no mistake.

import { existsSync } from "node:fs";
import type { PlannedCase } from "../runtime/runner/plan.ts";
import { countNoun } from "../runtime/reporters/quantities.ts";
import { formatShard, parseShard, takeShard } from "../runtime/runner/shard.ts";
import { usageError } from "./errors.ts";
import type { Io } from "./io.ts";
import type { LoadedImage } from "./load-specs.ts";
import type { ParsedOptions } from "./options.ts";
import { forgetTests, isOutstanding, readHistory, type RunHistory } from "./run-history.ts";

export interface Narrowed {
  readonly selected: readonly PlannedCase[];
  /** What left nothing, for people; null: something is left. */
  readonly whyNothing: string | null;
  /** With `--last-failed`: tests that failed or did not run earlier, and are not selected now. */
  readonly outstanding: readonly string[];
  /** `--failed-first`: lower goes first. */
  readonly rank: ((id: string) => number) | null;
  /** `slice:1/4` */
  readonly shard: string | null;
}

/** `file::suite::test@target/engine` without the case: what a universe says about where it looked. */
function placeOf(id: string): { readonly file: string; readonly where: string } {
  return { file: id.slice(0, id.indexOf("::")), where: id.slice(id.lastIndexOf("@")) };
}

/** Tests that the history waits for and that can still be run; the others are forgotten. */
function findOutstanding(history: RunHistory, selected: ReadonlySet<string>, universe: readonly PlannedCase[], io: Io): readonly string[] {
  const known = new Set(universe.map(({ id }) => id));
  const looked = new Set(universe.map(({ id }) => `${placeOf(id).file}${placeOf(id).where}`));
  const gone: string[] = [];
  const outstanding: string[] = [];
  for (const [id, entry] of history) {
    if (selected.has(id) || !isOutstanding(entry)) continue;
    const { file, where } = placeOf(id);
    const exists = known.has(id) || (!looked.has(`${file}${where}`) && existsSync(file));
    (exists ? outstanding : gone).push(id);
  }
  forgetTests(gone, io);
  return outstanding;
}

function readShard(options: ParsedOptions): ReturnType<typeof parseShard> {
  const text = options.value("shard");
  if (text === null) return null;
  const shard = parseShard(text);
  if (shard === null) throw usageError(`${options.spelled("shard")} takes slice:M/N or hash:M/N with M from 1 to N, not \`${text}\``);
  return shard;
}

export async function narrowSelection(
  given: readonly PlannedCase[],
  universe: readonly PlannedCase[],
  images: readonly LoadedImage[],
  options: ParsedOptions,
  io: Io,
): Promise<Narrowed> {
  const shard = readShard(options);
  let selected = given;
  let whyNothing: string | null = null;
  const narrow = (rest: readonly PlannedCase[], why: () => string): void => {
    if (selected.length > 0 && rest.length === 0) whyNothing = why();
    selected = rest;
  };

  const changed = options.value("only-changed");
  if (changed !== null) {
    const { selectChanged } = await import("./changed-files.ts");
    const touched = selectChanged(changed, images);
    narrow(
      selected.filter(({ image }) => touched.has(image)),
      () => `nothing that the selected tests are made of differs from ${changed}`,
    );
  }

  if (options.has("quarantine-verify")) {
    const { findQuarantine } = await import("./known-results.ts");
    const { entryOf } = await import("./quarantine.ts");
    const quarantine = findQuarantine(options);
    if (quarantine === null) throw usageError("there is no quarantine to verify", "name its file by --quarantine, or by `quarantine` in guestspec.yaml");
    narrow(
      selected.filter((planned) => entryOf(quarantine, planned) !== null),
      () => `none of ${countNoun(selected.length, "selected test")} is in quarantine`,
    );
  }

  const wantsHistory = options.has("last-failed") || options.has("failed-first");
  const history: RunHistory = wantsHistory ? readHistory(io) : new Map();
  const isDue = (id: string): boolean => {
    const entry = history.get(id);
    return entry === undefined || isOutstanding(entry);
  };
  if (options.has("last-failed"))
    narrow(
      selected.filter(({ id }) => isDue(id)),
      () => `nothing to run again: of ${countNoun(selected.length, "selected test")} each was good when it last ran`,
    );

  if (shard !== null) {
    const whole = selected.length;
    narrow(takeShard(selected, shard), () => `shard ${formatShard(shard)} has none of ${countNoun(whole, "selected test")}`);
  }
  const outstanding = options.has("last-failed") ? findOutstanding(history, new Set(selected.map(({ id }) => id)), universe, io) : [];
  const failedFirst = (id: string): number => {
    const entry = history.get(id);
    if (entry === undefined) return 1;
    return isOutstanding(entry) ? 0 : 2;
  };
  return {
    selected,
    whyNothing,
    outstanding,
    rank: options.has("failed-first") ? failedFirst : null,
    shard: shard === null ? null : formatShard(shard),
  };
}
