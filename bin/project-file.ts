// `guestspec.yaml` in the working directory: what a project says about all its specs. So far that is one key, `tags`, because a tag that
// is declared nowhere is an error (docs/adr/0005). Loaded only where the file exists, for it brings the YAML reader with it.

import { isMap, isScalar, isSeq, LineCounter, parseDocument } from "yaml";
import { nearestName } from "../grammar/nearest-name.ts";
import { CommandError } from "./errors.ts";
import { EXIT } from "./exit-codes.ts";
import { PROJECT_FILE } from "./load-specs.ts";

export interface Project {
  /** Declared beside the built-in ones. */
  readonly tags: readonly string[];
}

const KEYS = ["tags"];
const TAG = /^[A-Za-z_][A-Za-z0-9_]*$/;

function projectError(line: number | null, message: string, help: string | null = null): CommandError {
  return new CommandError(EXIT.compile, `${PROJECT_FILE}${line === null ? "" : `:${line}`}: ${message}`, help);
}

export function parseProject(text: string): Project {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const lineAt = (node: unknown): number | null => {
    const range = typeof node === "object" && node !== null && "range" in node && Array.isArray(node.range) ? node.range : null;
    const start: unknown = range?.[0];
    return typeof start === "number" ? lines.linePos(start).line : null;
  };
  const [broken] = document.errors;
  if (broken !== undefined) throw projectError(broken.linePos?.[0].line ?? null, broken.message.split("\n")[0] ?? broken.message);
  const { contents } = document;
  if (contents === null) return { tags: [] };
  if (!isMap(contents)) throw projectError(lineAt(contents), "expected a map", "for example `tags: [crypto, storage]`");
  const tags: string[] = [];
  for (const { key, value } of contents.items) {
    const name = isScalar(key) ? String(key.value) : "";
    if (!KEYS.includes(name)) {
      const near = nearestName(name, KEYS);
      throw projectError(lineAt(key), `unknown key \`${name}\``, near === undefined ? `it has ${KEYS.map((known) => `\`${known}\``).join(", ")}` : `did you mean \`${near}\`?`);
    }
    if (!isSeq(value)) throw projectError(lineAt(value) ?? lineAt(key), "`tags` is a list", "for example `tags: [crypto, storage]`");
    for (const item of value.items) {
      const tag = isScalar(item) ? String(item.value) : "";
      if (!TAG.test(tag)) throw projectError(lineAt(item), `\`${tag}\` is no tag`, "a tag consists of letters, digits and `_`");
      tags.push(tag);
    }
  }
  return { tags };
}
