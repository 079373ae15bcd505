// Where things lie that commands look for: the package's own folders, and the project's file.

import { fileURLToPath } from "node:url";

export const LIB_FOLDER = fileURLToPath(new URL("../lib/", import.meta.url));
export const MACHINES_FOLDER = fileURLToPath(new URL("../machines/", import.meta.url));
/** In the working directory; mostly there is none. */
export const PROJECT_FILE = "guestspec.yaml";
