// Results of earlier runs for tests that nothing has changed for (`--reuse`). A result of the embedded engine depends on the image, the
// machine, the seed and the limits, and on this build of the tool; with the same of all of these a good one need not be got again. Only
// good ones are kept: whoever looks at a failure wants to see it happen. Loaded by `--reuse`.

import { readdirSync, readFileSync, renameSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hashBytes } from "../compiler/images/content-hash.ts";
import { makeFolder } from "../compiler/images/make-folder.ts";
import { manifestText } from "../compiler/images/identity.ts";
import { encodeModule } from "../isa/bytecode/binary.ts";
import type { TestFinished } from "../runtime/events.ts";
import type { EngineOptions } from "../runtime/engines/embedded.ts";
import { engineOf, type EngineImage } from "../runtime/engines/session.ts";
import { isDeterministicEngine } from "../runtime/runner/attempts.ts";
import type { PlannedCase } from "../runtime/runner/plan.ts";

const KEPT_FILES = 400;

export interface ResultCache {
  /** Results that need not be got again, by id. */
  known(cases: readonly PlannedCase[]): ReadonlyMap<string, TestFinished>;
  /** Adds those of this run that are worth it. False: the folder cannot be written, so that nothing is gained. */
  keep(cases: readonly PlannedCase[], results: ReadonlyMap<string, TestFinished>): boolean;
}

export interface ResultCacheOptions {
  readonly folder: string;
  /** Of this build of the tool. */
  readonly stamp: string;
  readonly images: readonly EngineImage[];
  readonly engine: EngineOptions;
}

/** Bigints are numbers of the machine's description and the like: told apart by their sign of type. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => (typeof part === "bigint" ? `${part}n` : part));
}

function readResults(path: string): ReadonlyMap<string, TestFinished> {
  try {
    return new Map(Object.entries(JSON.parse(readFileSync(path, "utf8")) as Readonly<Record<string, TestFinished>>));
  } catch {
    // Not there, or torn by a process that was killed: as good as none.
    return new Map();
  }
}

function isWorthKeeping({ verdict, attempts, cached }: TestFinished): boolean {
  return (verdict === "pass" || verdict === "xfail") && attempts === undefined && cached === undefined;
}

export function openResultCache({ folder, stamp, images, engine }: ResultCacheOptions): ResultCache {
  const paths = new Map<number, string | null>();
  const { seed, timeoutNs, maxInstructions, required, reproFlags } = engine;

  /** Null: its results depend on more than we know. */
  function pathOf(index: number): string | null {
    let path = paths.get(index);
    if (path === undefined) {
      const image = images[index];
      const isKnown = image !== undefined && isDeterministicEngine(engineOf(image)) && image.unavailable === undefined;
      path = !isKnown
        ? null
        : join(
            folder,
            `${hashBytes(
              canonical([
                stamp,
                hashBytes(image.module === undefined ? (image.native?.bytes ?? "") : encodeModule(image.module)),
                manifestText(image.manifest),
                image.machine,
                image.reproFlags ?? "",
                seed,
                timeoutNs,
                maxInstructions,
                required,
                reproFlags,
              ]),
            )}.json`,
          );
      paths.set(index, path);
    }
    return path;
  }

  function prune(): void {
    const files = readdirSync(folder).map((name) => join(folder, name));
    if (files.length <= KEPT_FILES) return;
    const oldest = files.map((path) => ({ path, time: statSync(path).mtimeMs })).sort((a, b) => a.time - b.time);
    for (const { path } of oldest.slice(0, files.length - KEPT_FILES)) unlinkSync(path);
  }

  return {
    known(cases) {
      const known = new Map<string, TestFinished>();
      for (const [image, own] of Map.groupBy(cases, (planned) => planned.image)) {
        const path = pathOf(image);
        if (path === null) continue;
        const results = readResults(path);
        for (const { id } of own) {
          const result = results.get(id);
          // It took no time of this run.
          if (result !== undefined) known.set(id, { ...result, wallMs: 0, wallStartMs: 0, wallWorker: 0, cached: true });
        }
      }
      return known;
    },
    keep(cases, results) {
      try {
        for (const [image, own] of Map.groupBy(cases, (planned) => planned.image)) {
          const path = pathOf(image);
          const fresh = own.flatMap(({ id }) => results.get(id) ?? []).filter(isWorthKeeping);
          if (path === null || fresh.length === 0) continue;
          const all = new Map([...readResults(path), ...fresh.map((result) => [result.id, result] as const)]);
          makeFolder(folder);
          const temporary = `${path}.${process.pid}`;
          writeFileSync(temporary, JSON.stringify(Object.fromEntries(all)));
          renameSync(temporary, path);
          prune();
        }
        return true;
      } catch {
        return false;
      }
    },
  };
}
