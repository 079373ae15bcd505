// The `test-finished` event of a case before anything is known of how it went: who it is, and nothing else. The engine fills it in; the
// runner does for cases whose worker died, and a run that cannot begin for what stands in their place.

import type { ManifestCase, ManifestSuite, ManifestTest } from "../../compiler/images/manifest.ts";
import type { TestFinished } from "../events.ts";
import { caseId } from "./case-id.ts";
import { engineOf, type EngineImage } from "./session.ts";

/** Whose a result is. */
export type ResultHead = Pick<TestFinished, "id" | "file" | "line" | "suite" | "test" | "row" | "target" | "engine" | "tags">;

/** Of which nothing is known but whose it is. */
export function untouchedResult({ id, file, line, suite, test, row, target, engine, tags }: ResultHead): TestFinished {
  // By name: what a rest of properties is copied by takes longer than all else that a result needs.
  return {
    type: "test-finished",
    id,
    file,
    line,
    suite,
    test,
    row,
    target,
    engine,
    verdict: "pass",
    reason: null,
    promised: false,
    checks: 0,
    failures: [],
    infos: [],
    console: "",
    tags,
    guestNs: 0,
    instructions: 0,
    wallMs: 0,
    wallStartMs: 0,
    wallWorker: 0,
    repro: "",
  };
}

export function emptyResult(image: Pick<EngineImage, "manifest" | "engine">, suite: ManifestSuite, test: ManifestTest, row: ManifestCase): TestFinished {
  const { manifest } = image;
  const engine = engineOf(image);
  return untouchedResult({
    id: caseId(manifest, suite, test, row, engine),
    file: manifest.files[suite.file] ?? "?",
    line: test.line,
    suite: suite.name,
    test: test.name,
    row: row.name,
    target: manifest.target,
    engine,
    tags: row.tags === undefined ? test.tags : [...test.tags, ...row.tags],
  });
}

/** The command that runs one case alone. Ids always stand in quotes: they hold brackets, which some shells expand. */
export function reproLine(id: string, flags: string): string {
  return `guestspec run '${id.replaceAll("'", `'\\''`)}'${flags}`;
}
