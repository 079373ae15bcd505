// From positional words and -E filters to the selected cases: shared by run, list and why, so that all three mean the same.

import { caseId } from "../runtime/engines/case-id.ts";
import { engineOf } from "../runtime/engines/session.ts";
import { printable } from "../runtime/reporters/terminal-text.ts";
import { listCases, type PlannedCase } from "../runtime/runner/plan.ts";
import { CommandError, usageError } from "./errors.ts";
import { EXIT } from "./exit-codes.ts";
import { findSpecs, type FoundSpecs } from "./find-specs.ts";
import type { Io } from "./io.ts";
import { loadSpecs, type LoadedImage } from "./load-specs.ts";
import type { Narrowed } from "./narrow-selection.ts";
import type { ParsedOptions } from "./options.ts";
import type { RunTarget } from "./load-targets.ts";

/** With one of these less may be selected than words and filters say: narrow-selection.ts. */
const NARROWING_OPTIONS = ["quarantine-verify", "last-failed", "failed-first", "only-changed", "shard"] as const;

export interface Selection {
  readonly files: readonly string[];
  /** In the order of `images`; empty for the default one. */
  readonly targets: readonly RunTarget[];
  readonly images: readonly LoadedImage[];
  /** Every case of the files. */
  readonly universe: readonly PlannedCase[];
  /** May be empty when it was narrowed. */
  readonly selected: readonly PlannedCase[];
  readonly narrowed: Omit<Narrowed, "selected">;
}

/** Told on the way. */
export interface SelectionObserver {
  /** What the run is for, before images are loaded for it; not if that is what it usually is for. */
  readonly onTargets?: (targets: readonly RunTarget[]) => Promise<void>;
  /** The images of the files, before tests are selected from them. */
  readonly onImages?: (images: readonly LoadedImage[]) => void;
}

const LEFT_OUT = "left out by the filter";

const NOT_NARROWED: Selection["narrowed"] = { whyNothing: null, outstanding: [], rank: null, shard: null };

/** What any of the words selects. */
async function selectAny(words: readonly string[], universe: readonly PlannedCase[]): Promise<readonly PlannedCase[]> {
  // An id names one case, even where it is part of longer ids. It may be copied from a report, which shows control characters as escapes.
  const byId = new Map([...universe.map((subject) => [printable(subject.id), subject] as const), ...universe.map((subject) => [subject.id, subject] as const)]);
  const exact = new Set<unknown>(words.flatMap((word) => byId.get(word) ?? []));
  const others = words.filter((word) => !byId.has(word));
  if (others.length > 0) {
    const { selectByWords } = await import("../runtime/runner/filter-words.ts");
    const selection = selectByWords(others, universe);
    if (!selection.ok) throw new CommandError(EXIT.nothingSelected, selection.message, selection.help, null, selection.word);
    for (const subject of selection.selected) exact.add(subject);
  }
  return universe.filter((subject) => exact.has(subject));
}

async function selectFrom({ places, words }: FoundSpecs, universe: readonly PlannedCase[]): Promise<readonly PlannedCase[]> {
  // Whole files and folders are in the universe because they were asked for.
  const isWhole = places.every((place) => !place.includes(":") || universe.some(({ file }) => file === place));
  const placed = isWhole ? universe : await selectAny(places, universe);
  return words.length === 0 ? placed : selectAny(words, placed);
}

/** `selected` narrowed by a filter expression; `universe` tells slips from filters that just select nothing. */
export async function applyFilter(text: string, selected: readonly PlannedCase[], universe: readonly PlannedCase[]): Promise<readonly PlannedCase[]> {
  const { formatFilterError, parseFilter } = await import("../runtime/runner/filter.ts");
  const { compileFilter } = await import("../runtime/runner/filter-match.ts");
  const parsed = parseFilter(text);
  const filter = parsed.ok ? compileFilter(parsed.expr, universe) : parsed;
  if (filter.ok) return selected.filter((subject) => filter.matches(subject));
  const [first = "", ...rest] = formatFilterError(text, filter);
  throw usageError([first.replace(/^error: /, ""), ...rest].join("\n"));
}

/** What earlier runs know of the tests; read only when a filter asks for it. */
async function withStatuses(universe: readonly PlannedCase[], io: Io): Promise<readonly PlannedCase[]> {
  const { statusesOf } = await import("./run-history.ts");
  const statuses = statusesOf(
    universe.map(({ id }) => id),
    io,
  );
  return universe.map((planned) => ({ ...planned, statuses: statuses.get(planned.id) ?? [] }));
}

/** The files' images for each target of the run, target by target. */
async function loadImages(
  files: readonly string[],
  options: ParsedOptions,
  io: Io,
  { onTargets }: SelectionObserver,
): Promise<Pick<Selection, "targets" | "images">> {
  // The default loads nothing that knows of other machines.
  if (["target", "engine", "machine"].every((name) => options.value(name) === null))
    return { targets: [], images: (await loadSpecs(files, { machine: null, useCache: !options.has("no-cache") }, io)).images };
  const { readRunTargets, loadForTarget } = await import("./load-targets.ts");
  const targets = await readRunTargets(options, io);
  await onTargets?.(targets);
  const images: LoadedImage[] = [];
  for (const target of targets) images.push(...(await loadForTarget(files, target, options, io)));
  return { targets, images };
}

/** The images with what the filter leaves out as skips, as a spec would say it. */
function skipOthers(images: readonly LoadedImage[], placed: readonly PlannedCase[], kept: ReadonlySet<PlannedCase>): readonly LoadedImage[] {
  const left = new Set(placed.filter((planned) => !kept.has(planned)).map(({ id }) => id));
  return images.map((image) => {
    const { manifest } = image;
    const suites = manifest.suites.map((suite) => ({
      ...suite,
      tests: suite.tests.map((test) => ({
        ...test,
        cases: test.cases.map((row) => (left.has(caseId(manifest, suite, test, row, engineOf(image))) ? { ...row, skip: row.skip ?? LEFT_OUT } : row)),
      })),
    }));
    return { ...image, manifest: { ...manifest, suites } };
  });
}

/** Throws when nothing is left: nothing is ever silently not run. */
export async function selectTests(options: ParsedOptions, io: Io, observer: SelectionObserver = {}): Promise<Selection> {
  const found = findSpecs(options.positionals);
  const { files } = found;
  if (files.length === 0) {
    const where = found.places.length === 0 ? "below the working directory" : `in ${found.places.join(", ")}`;
    const [word] = found.words;
    const help = word === undefined ? 'a file NAME.gspec that begins with `suite "NAME"` is a spec' : null;
    throw new CommandError(EXIT.nothingSelected, `there are no specs (*.gspec, *.gspec.yaml) ${where}`, help, null, word);
  }
  const { targets, images: loaded } = await loadImages(files, options, io, observer);
  observer.onImages?.(loaded);
  let images = loaded;
  let universe: readonly PlannedCase[] = listCases(images);
  if (universe.length === 0)
    throw new CommandError(
      EXIT.nothingSelected,
      `no tests in ${files.length === 1 ? files[0] : `${files.length} files`}`,
      'a spec with tests begins with: suite "name"',
    );
  if (options.values("filter").some((text) => text.includes("status"))) universe = await withStatuses(universe, io);
  const placed = await selectFrom(found, universe);
  let selected = placed;
  for (const text of options.values("filter")) selected = await applyFilter(text, selected, universe);
  if (selected.length === 0) throw new CommandError(EXIT.nothingSelected, `the filter selects none of ${universe.length} tests`);
  if (options.value("filter-action") === "skip") {
    images = skipOthers(images, placed, new Set(selected));
    selected = placed;
  }
  if (NARROWING_OPTIONS.every((name) => !options.has(name))) return { files, targets, images, universe, selected, narrowed: NOT_NARROWED };
  const { narrowSelection } = await import("./narrow-selection.ts");
  const { selected: rest, ...narrowed } = await narrowSelection(selected, universe, images, options, io);
  return { files, targets, images, universe, selected: rest, narrowed };
}
