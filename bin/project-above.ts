// The project's file of a folder above: it counts only where it lies, and whoever starts the tool further down would lose profiles, tags and the
// quarantine without a word. So it is told, up to the root of the repository.

import { existsSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { PROJECT_FILE } from "./places.ts";

/** Relative to `folder`; null: `folder` has its own, or none above it has one. */
export function findProjectAbove(folder: string): string | null {
  for (let at = folder; ; at = dirname(at)) {
    const path = join(at, PROJECT_FILE);
    if (existsSync(path)) return at === folder ? null : relative(folder, path);
    if (existsSync(join(at, ".git")) || dirname(at) === at) return null;
  }
}

/** Both lines of it. */
export function warnOfProjectAbove(folder: string): string | null {
  const path = findProjectAbove(folder);
  if (path === null) return null;
  const above = dirname(path);
  const here = relative(join(folder, above), folder);
  return `warning: ${path} is not read: a project's file counts for runs that start beside it\n  = help: go to ${above} and name \`${here}\`\n`;
}
