// Facts about this checkout that every tool needs: where it is, which folders hold sources, which Node runs them.
// Only `node:` imports and only old syntax: set-up loads this file on the machine's own Node, before anything is installed.
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));

/** Folders whose files end up in the bundle. */
export const bundledFolders = ["grammar", "isa", "machines", "compiler", "runtime", "bin"];
/** Folders that are type-checked and searched for tests. */
export const sourceFolders = [...bundledFolders, "tests", "bench", "tools"];

/** The oldest Node that strips types without a flag and has the module hooks the tests use. */
const oldestNode = [22, 18];

export function isNodeCurrent(version = process.versions.node) {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1]);
}

/** The pinned Node if set-up fetched one, else the Node that is running now. */
export function nodeBinary() {
  const linked = join(root, "node_modules", ".bin", process.platform === "win32" ? "node.exe" : "node");
  return existsSync(linked) ? linked : process.execPath;
}

/** Paths relative to the root, sorted, of all files below the folders given; hidden and installed ones left out. */
export function listFiles(folders, accepts = () => true) {
  const found = [];
  const walk = (folder) => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      if (entry.name.startsWith(".") || entry.name === "node_modules") continue;
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) walk(path);
      else if (accepts(path)) found.push(path);
    }
  };
  for (const folder of folders) if (existsSync(join(root, folder))) walk(folder);
  return found.sort();
}

/** Modification time in ms of a path relative to the root; a missing file is infinitely old. */
export function modified(path) {
  return statSync(join(root, path), { throwIfNoEntry: false })?.mtimeMs ?? -Infinity;
}
