// Where things lie that commands look for: the package's own folders, and the project's file.

import { userInfo } from "node:os";
import { fileURLToPath } from "node:url";

export const LIB_FOLDER = fileURLToPath(new URL("../lib/", import.meta.url));
export const MACHINES_FOLDER = fileURLToPath(new URL("../machines/", import.meta.url));
/** Nobody has it, so that a cache there is one that cannot be written, which is told together with what to do. */
const NO_HOME = "/nonexistent";

/**
 * The user's, by HOME, or else by the system's list of users. In a container with a user of its own there may be neither; an empty HOME, which
 * is none, would put the cache into the working directory.
 */
export function homeFolder(env: Readonly<Record<string, string | undefined>>): string {
  if (env.HOME !== undefined && env.HOME !== "") return env.HOME;
  try {
    return userInfo().homedir || NO_HOME;
  } catch {
    return NO_HOME;
  }
}

/** In the working directory; mostly there is none. */
export const PROJECT_FILE = "guestspec.yaml";
