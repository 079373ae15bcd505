// The plan: every case of the images as a subject that filters select from, and the selected ones in the order of the run. Order is by
// file, suite, test, row, or shuffled at each of these levels by the run's seed, never across them: rows of a test stay together.

import type { ManifestTest } from "../../compiler/images/manifest.ts";
import { capabilitiesOf, type MachineDescription } from "../../machines/description.ts";
import { staticSkip, type WorkItem } from "../engines/case-engine.ts";
import { caseId } from "../engines/case-id.ts";
import { createRandomStream, STREAM_ORDER } from "../machine/random.ts";
import { findEdges } from "../engines/edges.ts";
import { formatNeed, isMetBy } from "../engines/needs.ts";
import { speedOf, type Speed } from "../engines/speed.ts";
import { engineOf, type EngineImage } from "../engines/session.ts";
import type { FilterSubject } from "./filter-match.ts";

/** A case of the plan: a filter's subject, and where it is in which image. */
export interface PlannedCase extends FilterSubject {
  readonly image: number;
  readonly suiteIndex: number;
  readonly testIndex: number;
  readonly caseIndex: number;
}

/** A unit of work: a case with what its place among the selected ones means. */
export interface PlannedWork extends WorkItem {
  readonly image: number;
  readonly id: string;
}

export interface PlannedSuite {
  readonly name: string;
  readonly file: string;
  readonly target: string;
  readonly engine: string;
  readonly tests: number;
  /** Selected tests in order, with the number of their selected rows; null: a test without rows. */
  readonly plan: readonly { readonly test: string; readonly rows: number | null }[];
}

export interface RunPlan {
  readonly suites: readonly PlannedSuite[];
  readonly work: readonly PlannedWork[];
  /** For each unit of work the index of its suite. */
  readonly suiteOf: readonly number[];
}

function devicesOf(test: ManifestTest, machine: MachineDescription): string[] {
  const devices = capabilitiesOf(machine).flatMap(({ capability, device }) => {
    if (device === null) return [];
    return test.needs.some((need) => isMetBy(need, capability)) ? [device] : [];
  });
  return [...new Set(devices)];
}

/** `specs/kunit/eeprom-buffer.gspec` is module `eeprom-buffer`. */
function moduleOf(file: string): string {
  return file.slice(file.lastIndexOf("/") + 1).replace(/\.gspec(\.yaml)?$/, "");
}

/** Those that have one value; the speed's own words are its value, and tags and limits are told elsewhere. */
function attributesOf(test: ManifestTest, speed: Speed, file: string): Readonly<Record<string, string>> {
  const { slow: _slow, very_slow: _verySlow, deviates: _deviates, ...others } = test.attributes;
  return { speed: speed.name, module: moduleOf(file), ...others };
}

/** All cases of the images, in the order of the files. What does not depend on the row is made once a test, which may have ten thousand of them. */
export function listCases(images: readonly EngineImage[]): PlannedCase[] {
  const cases: PlannedCase[] = [];
  for (const [image, contents] of images.entries()) {
    const { manifest, machine } = contents;
    const { files, target } = manifest;
    const engine = engineOf(contents);
    for (const [suiteIndex, suite] of manifest.suites.entries()) {
      const file = files[suite.file] ?? "?";
      for (const [testIndex, test] of suite.tests.entries()) {
        const needs = test.needs.map(formatNeed);
        const devices = devicesOf(test, machine);
        const ownSpeed = speedOf(test, null);
        const ownAttributes = attributesOf(test, ownSpeed, file);
        let caseIndex = 0;
        for (const row of test.cases) {
          const speed = row.tags === undefined ? ownSpeed : speedOf(test, row);
          const planned: PlannedCase = {
            id: caseId(manifest, suite, test, row, engine),
            file,
            line: test.line,
            endLine: test.endLine,
            suite: suite.name,
            test: test.name,
            row: row.name,
            rowLine: row.line,
            tags: row.tags === undefined ? test.tags : [...test.tags, ...row.tags],
            target,
            engine,
            needs,
            devices,
            attributes: speed === ownSpeed ? ownAttributes : attributesOf(test, speed, file),
            covers: row.covers === undefined ? test.covers : [...test.covers, ...row.covers],
            image,
            suiteIndex,
            testIndex,
            caseIndex: caseIndex++,
          };
          cases.push(row.file === test.file ? planned : { ...planned, rowFile: files[row.file] ?? "?" });
        }
      }
    }
  }
  return cases;
}

/** Fisher-Yates. */
function createShuffle(seed: bigint): <T>(items: readonly T[]) => T[] {
  const { next } = createRandomStream(seed, STREAM_ORDER);
  return (items) => {
    const result = [...items];
    for (let at = result.length - 1; at > 0; at--) {
      const other = next() % (at + 1);
      const item = result[at];
      const swapped = result[other];
      if (item !== undefined && swapped !== undefined) [result[at], result[other]] = [swapped, item];
    }
    return result;
  };
}

function groupBy<T>(items: readonly T[], key: (item: T) => unknown): T[][] {
  return [...Map.groupBy(items, key).values()];
}

function describeRows(rows: readonly PlannedCase[]): { test: string; rows: number | null } {
  const [first] = rows;
  return { test: first?.test ?? "", rows: (first?.row ?? null) === null ? null : rows.length };
}

export interface PlanOrder {
  /** Has a result already, and so opens and closes nothing. */
  readonly isSettled?: (id: string) => boolean;
  /** Lower goes first: images, suites, tests and rows by their lowest, else as they stand. */
  readonly rank?: (id: string) => number;
}

function createRanking(rank: (id: string) => number): (groups: readonly PlannedCase[][]) => PlannedCase[][] {
  const lowest = (group: readonly PlannedCase[]): number => Math.min(...group.map(({ id }) => rank(id)));
  return (groups) =>
    groups
      .map((group) => ({ group, at: lowest(group) }))
      .sort((a, b) => a.at - b.at)
      .map(({ group }) => group);
}

/** `shuffleSeed` null: in the order of the files. */
export function makePlan(
  images: readonly EngineImage[],
  selected: readonly PlannedCase[],
  shuffleSeed: bigint | null,
  { isSettled = () => false, rank }: PlanOrder = {},
): RunPlan {
  const shuffle = shuffleSeed === null ? <T>(items: readonly T[]): T[] => [...items] : createShuffle(shuffleSeed);
  const ranked = rank === undefined ? (groups: PlannedCase[][]): PlannedCase[][] => groups : createRanking(rank);
  const rankedRows = rank === undefined ? (rows: PlannedCase[]): PlannedCase[] => rows : (rows: PlannedCase[]) => ranked(rows.map((row) => [row])).flat();
  const suites: PlannedSuite[] = [];
  const work: PlannedWork[] = [];
  const suiteOf: number[] = [];
  for (const imageCases of ranked(shuffle(groupBy(selected, ({ image }) => image)))) {
    for (const suiteCases of ranked(shuffle(groupBy(imageCases, ({ suiteIndex }) => suiteIndex)))) {
      const tests = ranked(shuffle(groupBy(suiteCases, ({ testIndex }) => testIndex))).map((rows) => rankedRows(shuffle(rows)));
      const ordered = tests.flat();
      const [first] = ordered;
      const image = first === undefined ? undefined : images[first.image];
      if (first === undefined || image === undefined) continue;
      suites.push({ name: first.suite, file: first.file, target: first.target, engine: first.engine, tests: ordered.length, plan: tests.map(describeRows) });

      const testOf = (planned: PlannedCase): ManifestTest | undefined => image.manifest.suites[planned.suiteIndex]?.tests[planned.testIndex];
      const runnable = ordered.filter((planned) => {
        const test = testOf(planned);
        const row = test?.cases[planned.caseIndex];
        return test !== undefined && row !== undefined && !isSettled(planned.id) && staticSkip(image, test, row) === null;
      });
      const edgesOf = findEdges(runnable, (planned) => testOf(planned)?.tableHooks ?? null);
      for (const planned of ordered) {
        work.push({
          image: planned.image,
          id: planned.id,
          suite: planned.suiteIndex,
          test: planned.testIndex,
          case: planned.caseIndex,
          ...edgesOf(planned),
        });
        suiteOf.push(suites.length - 1);
      }
    }
  }
  return { suites, work, suiteOf };
}
