// `--watch`: runs, then waits for a file that the tests are made of to change, and runs those that it touches; on a terminal also for keys.
// What is watched are the folders of the specs and of what they use, because editors replace files rather than write them. A run that
// is under way is finished first. Loaded by `--watch`.

import { lstatSync, readFileSync, statSync, watch as watchFolder, type FSWatcher } from "node:fs";
import { dirname, resolve } from "node:path";
import { hashBytes } from "../compiler/images/content-hash.ts";
import { isGood, type RunEvent } from "../runtime/events.ts";
import { countNoun } from "../runtime/reporters/quantities.ts";
import { run, type StartedAhead } from "./commands/run.ts";
import { isCommandError, usageError } from "./errors.ts";
import { EXIT, type ExitCode } from "./exit-codes.ts";
import { findSpecs } from "./find-specs.ts";
import type { Io } from "./io.ts";
import { LIB_FOLDER, PROJECT_FILE } from "./places.ts";
import type { ParsedOptions } from "./options.ts";

/** Editors write in several steps, and a checkout many files: a change has settled when nothing more came for so long, */
const QUIET_MS = 20;
/** or since so long something always did. */
const SETTLE_MS = 200;
/** What specs, tables, machines and the library are written in. */
const SOURCE = /\.(gspec|ya?ml|s)$/;

type Wish = { readonly kind: "all" | "failed" | "quit" } | { readonly kind: "changed"; readonly files: ReadonlySet<string> };

const KEYS: Readonly<Record<string, Wish["kind"] & ("all" | "failed" | "quit")>> = {
  "\r": "all",
  "\n": "all",
  a: "all",
  f: "failed",
  q: "quit",
  "\x03": "quit",
  "\x04": "quit",
};

/** Removed, or not there yet: a state like another; and so is what cannot be read, as a link that leads nowhere. */
function hashOf(path: string): string | null {
  try {
    return hashBytes(readFileSync(path));
  } catch {
    return isThere(path) ? "unreadable" : null;
  }
}

function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return false;
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** Tells of files whose contents have changed. */
function createFileWatch(): { follow(paths: readonly string[]): void; changed(): Promise<ReadonlySet<string>>; readonly size: number; close(): void } {
  const watchers = new Map<string, FSWatcher>();
  const hashes = new Map<string, string | null>();
  const pending = new Set<string>();
  let timer: NodeJS.Timeout | null = null;
  let firstMs = 0;
  let tell: ((files: ReadonlySet<string>) => void) | null = null;

  function settle(): void {
    timer = null;
    const files = new Set<string>();
    for (const path of pending) {
      const hash = hashOf(path);
      if (hashes.get(path) === hash) continue;
      hashes.set(path, hash);
      files.add(path);
    }
    pending.clear();
    if (files.size === 0 || tell === null) {
      for (const path of files) known.add(path);
      return;
    }
    const given = tell;
    tell = null;
    given(files);
  }
  /** Changed while nobody asked. */
  const known = new Set<string>();

  return {
    follow(paths) {
      for (const path of paths) if (!hashes.has(path)) hashes.set(path, hashOf(path));
      for (const folder of new Set(paths.map((path) => (isFolder(path) ? path : dirname(path))))) {
        if (watchers.has(folder) || !isFolder(folder)) continue;
        const watcher = watchFolder(folder, (_, name) => {
          if (name === null || !SOURCE.test(name)) return;
          pending.add(resolve(folder, name));
          const now = performance.now();
          if (timer === null) firstMs = now;
          else clearTimeout(timer);
          timer = setTimeout(settle, Math.max(0, Math.min(QUIET_MS, firstMs + SETTLE_MS - now)));
        });
        // A folder that goes away is no longer followed.
        watcher.on("error", () => {
          watcher.close();
          watchers.delete(folder);
        });
        watchers.set(folder, watcher);
      }
    },
    changed: () =>
      new Promise((done) => {
        if (known.size > 0) {
          const files = new Set(known);
          known.clear();
          done(files);
        } else tell = done;
      }),
    get size() {
      return watchers.size;
    },
    close() {
      if (timer !== null) clearTimeout(timer);
      for (const watcher of watchers.values()) watcher.close();
    },
  };
}

/** One key, or null where there is no terminal to press it on. The terminal is as before afterwards. */
function readKey(signal: AbortSignal): Promise<Wish> | null {
  const { stdin } = process;
  if (!stdin.isTTY) return null;
  return new Promise((done) => {
    const end = (): void => {
      stdin.off("data", press);
      stdin.setRawMode(false);
      stdin.pause();
    };
    const press = (chunk: Buffer): void => {
      const kind = KEYS[chunk.toString("latin1").charAt(0)];
      if (kind === undefined) return;
      end();
      done({ kind });
    };
    stdin.setRawMode(true);
    stdin.resume();
    stdin.on("data", press);
    signal.addEventListener("abort", end, { once: true });
  });
}

/** ^C and SIGTERM while nothing runs. */
function readSignal(abort: AbortSignal): Promise<Wish> {
  return new Promise((done) => {
    const quit = (): void => done({ kind: "quit" });
    for (const name of ["SIGINT", "SIGTERM"] as const) {
      process.once(name, quit);
      abort.addEventListener("abort", () => void process.off(name, quit), { once: true });
    }
  });
}

function nameFiles(files: ReadonlySet<string>): string {
  const [first = "", ...others] = [...files].map((path) => (path.startsWith(`${process.cwd()}/`) ? path.slice(process.cwd().length + 1) : path));
  return others.length === 0 ? first : `${first} and ${countNoun(others.length, "more file")}`;
}

export async function watch(options: ParsedOptions, io: Io): Promise<ExitCode> {
  if (io.isCi) throw usageError("`--watch` waits for somebody to change files, and in CI nobody does");
  for (const name of ["until-fail", "shard"]) if (options.has(name)) throw usageError(`\`--watch\` and \`--${name}\` do not go together`);
  const files = createFileWatch();
  /** Failed when they last ran. */
  const failed = new Set<string>();
  const observe = (event: RunEvent): void => {
    if (event.type !== "test-finished") return;
    if (isGood(event.verdict)) failed.delete(event.id);
    else failed.add(event.id);
  };
  const ahead: StartedAhead = { spares: null };
  const follow = (paths: readonly string[]): void => files.follow(paths.map((path) => resolve(path)));

  /** What is wrong with the command line shows at once; later a file that it names may be gone for a moment, or until a branch is back. */
  let hasRun = false;
  async function runOnce(wish: Wish): Promise<ExitCode> {
    try {
      // Watched before the run looks at them, so that no change falls between.
      const broken: string[] = [];
      const { files: specs } = findSpecs(options.positionals, (path) => broken.push(path));
      follow([...specs, ...broken, PROJECT_FILE]);
      return await run(options, io, {
        observe,
        isFollowed: true,
        ahead,
        onImages: (images) => follow(images.flatMap(({ madeOf }) => madeOf.filter((path) => !path.startsWith(LIB_FOLDER) || path === LIB_FOLDER))),
        ...(wish.kind === "changed" ? { touchedBy: wish.files } : {}),
        ...(wish.kind === "failed" ? { only: new Set(failed) } : {}),
      });
    } catch (error) {
      // A spec that does not compile is what one is about to mend.
      if (!isCommandError(error) || (error.exitCode === EXIT.usage && !hasRun)) throw error;
      if (error.message !== "") io.err(`error: ${error.message}\n`);
      if (error.help !== null) io.err(`  = help: ${error.help}\n`);
      return error.exitCode;
    } finally {
      hasRun = true;
    }
  }

  try {
    let wish: Wish = { kind: "all" };
    for (;;) {
      const exitCode = await runOnce(wish);
      if (exitCode === EXIT.interrupted) return exitCode;
      ahead.spares?.refill();
      const keys = process.stdin.isTTY ? `: enter runs all${failed.size === 0 ? "" : `, f the ${countNoun(failed.size, "failed test")}`}, q quits` : "";
      const done = new AbortController();
      const key = readKey(done.signal);
      const change = files.changed().then((changed): Wish => ({ kind: "changed", files: changed }));
      const asked = Promise.race([change, readSignal(done.signal), ...(key === null ? [] : [key])]);
      // Said last: whoever reads it may send a signal at once.
      io.err(`\nwatching ${countNoun(files.size, "folder")}${keys}\n`);
      wish = await asked;
      done.abort();
      if (wish.kind === "quit") return exitCode;
      if (wish.kind === "failed" && failed.size === 0) wish = { kind: "all" };
      // Of a spec that has changed all tests run again, as far as they are still there.
      if (wish.kind === "changed") for (const id of failed) if (wish.files.has(resolve(id.slice(0, id.indexOf("::"))))) failed.delete(id);
      if (wish.kind === "changed") io.err(`${nameFiles(wish.files)} changed\n\n`);
    }
  } finally {
    files.close();
    ahead.spares?.close();
  }
}
