// Which images a change touches. An image is made of its spec, of what that uses, of the guest library and of its machine's file; git
// knows which of these differ from a commit. Loaded by `--only-changed`.

import { execFileSync } from "node:child_process";
import { realpathSync } from "node:fs";
import { resolve } from "node:path";
import { CommandError, describeHostError, usageError } from "./errors.ts";
import { EXIT } from "./exit-codes.ts";
import type { LoadedImage } from "./load-specs.ts";

function git(...args: readonly string[]): string {
  try {
    return execFileSync("git", [...args], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], maxBuffer: 2 ** 28 });
  } catch (error) {
    const { code, stderr } = error as { readonly code?: unknown; readonly stderr?: unknown };
    if (code === "ENOENT") throw new CommandError(EXIT.environment, "`--only-changed` asks git what has changed, and there is no git");
    const [said = describeHostError(error)] = typeof stderr === "string" ? stderr.trim().split("\n") : [];
    throw usageError(`\`--only-changed\`: git says: ${said.replace(/^fatal: /, "")}`);
  }
}

/** Absolute paths. Against a commit: what is committed since, staged, edited, and new. */
function listChangedFiles(commit: string): readonly string[] {
  const root = git("rev-parse", "--show-toplevel").trimEnd();
  if (commit.startsWith("-")) throw usageError(`\`--only-changed\` takes a commit, not \`${commit}\``);
  const since = git("rev-parse", "--verify", `${commit}^{commit}`).trimEnd();
  const named = (text: string, base: string): string[] => text.split("\0").flatMap((path) => (path === "" ? [] : [resolve(base, path)]));
  return [...named(git("diff", "--name-only", "-z", since, "--"), root), ...named(git("-C", root, "ls-files", "--others", "--exclude-standard", "-z"), root)];
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}

/** Numbers of the images that are made of one of the files. */
export function imagesMadeOf(files: ReadonlySet<string>, images: readonly LoadedImage[]): ReadonlySet<number> {
  const real = new Set([...files].map(realPath));
  /** Images share most of what they are made of. */
  const known = new Map<string, boolean>();
  const isTouched = (path: string): boolean => {
    let touched = known.get(path);
    if (touched === undefined) {
      const own = realPath(path);
      touched = path.endsWith("/") ? [...real].some((file) => file.startsWith(`${own}/`)) : real.has(own);
      known.set(path, touched);
    }
    return touched;
  };
  return new Set(images.flatMap(({ madeOf }, index) => (madeOf.some(isTouched) ? [index] : [])));
}

export function selectChanged(commit: string, images: readonly LoadedImage[]): ReadonlySet<number> {
  return imagesMadeOf(new Set(listChangedFiles(commit)), images);
}
