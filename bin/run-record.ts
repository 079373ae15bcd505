// A run kept as a folder with everything that a report of a bug needs: its events, its options with what they came from, versions, the
// identities of its images, and of what failed the images themselves and the specs. Written after a run that was not green (`--record`
// says when), into the user's cache, where the last few are kept. `guestspec replay` reads it. Loaded when there is one to write or read.

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { arch, platform, release } from "node:os";
import { join, resolve } from "node:path";
import { cacheFolder } from "../compiler/images/cache.ts";
import { hashBytes } from "../compiler/images/content-hash.ts";
import { manifestIdentity, manifestText } from "../compiler/images/identity.ts";
import { makeFolder } from "../compiler/images/make-folder.ts";
import { isGood, type RunEvent, type TestFinished } from "../runtime/events.ts";
import { bytecodeOf, engineOf } from "../runtime/engines/session.ts";
import { formatJson } from "../runtime/reporters/json-text.ts";
import { RUN_OPTIONS } from "./commands/option-rows.ts";
import { CommandError, describeHostError } from "./errors.ts";
import { EXIT, type ExitCode } from "./exit-codes.ts";
import { findQemu } from "./find-qemu.ts";
import type { Io } from "./io.ts";
import { homeFolder } from "./places.ts";
import { buildStamp, type LoadedImage } from "./load-specs.ts";
import { readText } from "./read-text.ts";
import type { RunTarget } from "./load-targets.ts";
import type { ParsedOptions } from "./options.ts";
import { toolVersion } from "./version.ts";

const RECORD_VERSION = 1;
const KEPT_RUNS = 10;
/** Images of failed tests that are kept; in a run where everything fails the first few say it all. */
const KEPT_IMAGES = 8;

export interface RecordedImage {
  readonly file: string;
  readonly target: string;
  readonly machine: string;
  readonly engine: string;
  /** Of its manifest: tells it from others, and is what the guest says when it is ready. */
  readonly identity: string;
  /** In the folder; null: none of its tests failed, or there were too many. */
  readonly kept: { readonly file: string; readonly sha256: string } | null;
}

export interface RunRecord {
  readonly version: number;
  readonly id: string;
  /** `guestspec 0.1.0` */
  readonly tool: string;
  /** Of a build its stamp, null when run from sources. */
  readonly build: string | null;
  readonly node: string;
  readonly host: string;
  readonly folder: string;
  /** Behind `guestspec run`. */
  readonly arguments: readonly string[];
  /** Those that are set, from wherever. */
  readonly options: Readonly<Record<string, { readonly values: readonly string[]; readonly origin: string }>>;
  /** Variables that the tool reads. */
  readonly environment: Readonly<Record<string, string>>;
  readonly seed: string;
  readonly engines: readonly { readonly engine: string; readonly target: string; readonly machine: string; readonly version: string | null }[];
  readonly images: readonly RecordedImage[];
  readonly exitCode: number;
  readonly tests: number;
  /** Ids of what did not pass. */
  readonly failed: readonly string[];
}

export interface RunToRecord {
  readonly options: ParsedOptions;
  readonly events: readonly RunEvent[];
  readonly images: readonly LoadedImage[];
  readonly targets: readonly RunTarget[];
  readonly exitCode: ExitCode;
}

export function runsFolder(io: Io): string {
  return join(cacheFolder({ env: io.env, home: homeFolder(io.env) }), "runs", hashBytes(process.cwd()));
}

/** Sorts by time. */
function newId(events: readonly RunEvent[]): string {
  const started = events.find((event) => event.type === "run-started")?.startedAt ?? new Date().toISOString();
  const time = started.replace(/Z$/, "").replace(/[-:]/g, "").replace("T", "-");
  return `${time}-${hashBytes(`${started} ${process.pid}`).slice(0, 4)}`;
}

function optionsSet(options: ParsedOptions): RunRecord["options"] {
  return Object.fromEntries(
    RUN_OPTIONS.flatMap(({ name }) => {
      const origin = options.origin(name);
      return origin === null ? [] : [[name, { values: options.values(name), origin }]];
    }),
  );
}

const VARIABLES = /^(GUESTSPEC_|QEMU_|NO_COLOR$|FORCE_COLOR$|CI$|TERM$|LANG$)/;

async function enginesOf(images: readonly LoadedImage[], targets: readonly RunTarget[], io: Io): Promise<RunRecord["engines"]> {
  const engines = new Map<string, RunRecord["engines"][number]>();
  for (const image of images) {
    const { machine } = image;
    const engine = engineOf(image);
    const key = `${engine} ${machine.name}`;
    if (engines.has(key)) continue;
    const binary = targets.find((target) => target.machine.name === machine.name && target.engine === engine)?.binary ?? null;
    const state =
      engine === "qemu" && binary !== null && machine.qemu !== null ? await findQemu(machine, { ...io.env, [`QEMU_${machine.qemu.binary}`]: binary }) : null;
    engines.set(key, { engine, target: machine.target, machine: machine.name, version: state?.found === true ? state.version : null });
  }
  return [...engines.values()];
}

/** The bytes of an image as a file, and how that file ends. */
async function encode(image: LoadedImage): Promise<{ readonly bytes: Uint8Array; readonly ending: string }> {
  const { native, manifest, path } = image;
  if (native === undefined) return { bytes: (await import("../isa/bytecode/binary.ts")).encodeModule(bytecodeOf(image)), ending: ".gbc" };
  // What comes from the cache has names and lines, but nothing to unwind by.
  const whole = { native: { ...native, frames: native.frames ?? [] }, manifest, path };
  return { bytes: await (await import("./encode-image.ts")).encodeImage(whole, "elf"), ending: "" };
}

function fileName(path: string): string {
  return path.replace(/[^A-Za-z0-9._-]+/g, "_");
}

/** The specs of an image that are in the project: the library is part of the tool. */
function sourcesOf(image: LoadedImage): readonly string[] {
  return image.manifest.files.filter((path) => !path.startsWith("/") && !path.startsWith("lib/") && existsSync(path));
}

/** Puts an image, its manifest and its specs into the record's folder. */
async function keepImage(image: LoadedImage, folder: string): Promise<RecordedImage["kept"]> {
  const { bytes, ending } = await encode(image);
  const name = `${fileName(image.path)}.${image.machine.target}`;
  makeFolder(join(folder, "images"));
  writeFileSync(join(folder, "images", `${name}${ending}`), bytes);
  writeFileSync(join(folder, "images", `${name}.json`), `${JSON.stringify(image.manifest)}\n`);
  for (const path of sourcesOf(image)) {
    makeFolder(join(folder, "specs"));
    writeFileSync(join(folder, "specs", fileName(path)), readFileSync(path));
  }
  return { file: `images/${name}${ending}`, sha256: createHash("sha256").update(bytes).digest("hex") };
}

/** Gives the folder. A folder that cannot be written is the environment's fault. */
export async function writeRecord(run: RunToRecord, io: Io): Promise<string> {
  const { events, images } = run;
  const id = newId(events);
  const folder = join(runsFolder(io), id);
  const temporary = `${folder}.${process.pid}`;
  const results = events.filter((event) => event.type === "test-finished");
  const failed = results.filter(({ verdict }) => !isGood(verdict) || verdict === "flaky");
  const imagesOf = (some: readonly TestFinished[]): ReadonlySet<string> => new Set(some.map(({ target, engine, file }) => `${target} ${engine} ${file}`));
  const nameOf = (image: LoadedImage): string => `${image.machine.target} ${engineOf(image)} ${image.path}`;
  const withResults = imagesOf(results);
  const withFailures = imagesOf(failed);
  try {
    makeFolder(temporary);
    const recorded: RecordedImage[] = [];
    // A filter may have left out all tests of an image.
    for (const image of images.filter((one) => withResults.has(nameOf(one)))) {
      const { target, name: machine } = image.machine;
      const identity = manifestIdentity(manifestText(image.manifest));
      const isKept = recorded.filter(({ kept }) => kept !== null).length < KEPT_IMAGES && withFailures.has(nameOf(image));
      recorded.push({ file: image.path, target, machine, engine: engineOf(image), identity, kept: isKept ? await keepImage(image, temporary) : null });
    }
    const started = events.find((event) => event.type === "run-started");
    const record: RunRecord = {
      version: RECORD_VERSION,
      id,
      tool: `guestspec ${toolVersion()}`,
      build: buildStamp(),
      node: process.version,
      host: `${platform()} ${release()} ${arch()}`,
      folder: process.cwd(),
      arguments: run.options.given,
      options: optionsSet(run.options),
      environment: Object.fromEntries(Object.entries(io.env).filter((entry): entry is [string, string] => VARIABLES.test(entry[0]) && entry[1] !== undefined)),
      seed: started?.seed ?? "0",
      engines: await enginesOf(images, run.targets, io),
      images: recorded,
      exitCode: run.exitCode,
      tests: results.length,
      failed: failed.map(({ id: test }) => test),
    };
    writeFileSync(join(temporary, "run.json"), `${JSON.stringify(record, null, 2)}\n`);
    writeFileSync(join(temporary, "events.ndjson"), events.map((event) => `${formatJson(event)}\n`).join(""));
    // In one step: a folder that is there is complete.
    renameSync(temporary, folder);
    prune(runsFolder(io));
    return folder;
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    throw new CommandError(EXIT.environment, `cannot keep the run in ${folder}: ${describeHostError(error)}`);
  }
}

function prune(folder: string): void {
  const runs = listRecords(folder);
  for (const name of runs.slice(0, Math.max(0, runs.length - KEPT_RUNS))) rmSync(join(folder, name), { recursive: true, force: true });
}

/** Ids, the oldest first. */
export function listRecords(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => existsSync(join(folder, name, "run.json")))
    .sort();
}

/** By the id of a run of this folder or the beginning of one, or by the path of a run's folder. Null: there is none. */
export function findRecord(name: string | null, io: Io): string | null {
  if (name !== null && existsSync(join(name, "run.json"))) return resolve(name);
  const folder = runsFolder(io);
  const ids = listRecords(folder).filter((id) => name === null || id.startsWith(name));
  const id = ids.at(-1);
  return id === undefined ? null : join(folder, id);
}

export function readRecord(folder: string): RunRecord {
  const path = join(folder, "run.json");
  const data = JSON.parse(readText(path) ?? "null") as RunRecord | null;
  if (data === null || data.version !== RECORD_VERSION)
    throw new CommandError(EXIT.usage, `${path} is of another version of guestspec; this one reads version ${RECORD_VERSION}`);
  return data;
}
