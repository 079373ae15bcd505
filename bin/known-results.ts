// What a run knows of its results before it begins and says about them after its end, beyond what the engines do: the quarantine, results
// that are taken from earlier runs, and the promises of the must-run matrix. Loaded when one of them has a say.

import { join } from "node:path";
import { cacheFolder } from "../compiler/images/cache.ts";
import type { TestFinished } from "../runtime/events.ts";
import type { EngineOptions } from "../runtime/engines/embedded.ts";
import type { PlannedCase } from "../runtime/runner/plan.ts";
import { RUN_OPTIONS } from "./commands/option-rows.ts";
import type { Io } from "./io.ts";
import { homeFolder } from "./places.ts";
import { buildStamp, type LoadedImage } from "./load-specs.ts";
import type { ParsedOptions } from "./options.ts";
import { readProjectRun } from "./project-run.ts";
import { judgeQuarantined, readQuarantine, reviewQuarantine, skipQuarantined, type Quarantine } from "./quarantine.ts";

export interface KnownResults {
  readonly settled: ReadonlyMap<string, TestFinished>;
  readonly adjust: (result: TestFinished) => TestFinished;
  /** Promises that the results break, each as a line. */
  brokenPromises(results: ReadonlyMap<string, TestFinished>): readonly string[];
  /** After the run: lines for people, and whether one of them is a failure of its own. */
  review(results: ReadonlyMap<string, TestFinished>): { readonly lines: readonly string[]; readonly isBad: boolean };
}

export interface KnownRequest {
  readonly options: ParsedOptions;
  readonly io: Io;
  readonly images: readonly LoadedImage[];
  readonly universe: readonly PlannedCase[];
  readonly selected: readonly PlannedCase[];
  readonly engine: EngineOptions;
}

const NO_QUARANTINE = "none";

/** `--quarantine FILE`, or the project's. */
export function findQuarantine(options: ParsedOptions): Quarantine | null {
  const path = options.value("quarantine") ?? readProjectRun(RUN_OPTIONS).quarantine;
  return path === null || path === NO_QUARANTINE ? null : readQuarantine(path);
}

export async function prepareResults({ options, io, images, universe, selected, engine }: KnownRequest): Promise<KnownResults> {
  const quarantine = findQuarantine(options);
  const isVerifying = options.has("quarantine-verify");
  const skipped = quarantine === null || isVerifying ? new Map<string, TestFinished>() : skipQuarantined(quarantine, selected, images);

  const stamp = buildStamp();
  const wantsReuse = options.has("reuse");
  const whyNoReuse = io.isCi ? "in CI every test runs" : stamp === null ? "a guestspec that runs from its sources may be another one each time" : null;
  if (wantsReuse && whyNoReuse !== null) io.err(`note: --reuse does nothing: ${whyNoReuse}\n`);
  const cache =
    wantsReuse && whyNoReuse === null && stamp !== null
      ? (await import("./result-cache.ts")).openResultCache({
          folder: join(cacheFolder({ env: io.env, home: homeFolder(io.env) }), "results"),
          stamp,
          images,
          engine,
        })
      : null;
  const settled = new Map([...(cache?.known(selected) ?? []), ...skipped]);

  const { findBrokenPromises, readPromises } = await import("./must-run.ts");
  const promises = options.has("must-run") ? readPromises(readProjectRun(RUN_OPTIONS).mustRun) : [];

  return {
    settled,
    adjust: quarantine !== null && isVerifying ? judgeQuarantined(quarantine, selected) : (result) => result,
    brokenPromises: (results) => findBrokenPromises(promises, universe, results),
    review(results) {
      const lines: string[] = [];
      if (cache?.keep(selected, results) === false) lines.push("note: results cannot be kept for --reuse; `guestspec doctor` says why");
      const verified = quarantine !== null && isVerifying ? reviewQuarantine(quarantine, universe, results, options.positionals.length === 0) : [];
      return { lines: [...lines, ...verified], isBad: verified.length > 0 };
    },
  };
}
