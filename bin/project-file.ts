// `guestspec.yaml` in the working directory: what a project says about all its specs. Two keys are read here, `tags` and `attributes`, because a word that
// is declared nowhere is an error (docs/adr/0005). Its shape is schemas/project.schema.json, checked by the validator that Ajv makes
// of it at build time; this file turns what that finds into places in the YAML. Loaded only where the file exists.

import { isMap, isNode, isScalar, LineCounter, parseDocument, type Document, type Node } from "yaml";
import { validate } from "../generated/validators/project.mjs";
import { didYouMean } from "../grammar/nearest-name.ts";
import { CommandError } from "./errors.ts";
import { EXIT } from "./exit-codes.ts";
import { PROJECT_FILE } from "./places.ts";

export interface Project {
  /** Declared beside the built-in ones. */
  readonly tags: readonly string[];
  /** Likewise; they take no argument or a text. */
  readonly attributes: readonly string[];
}

function projectError(line: number | null, message: string, help: string | null = null): CommandError {
  return new CommandError(EXIT.compile, `${PROJECT_FILE}${line === null ? "" : `:${line}`}: ${message}`, help);
}

/** The key of a map at a path, or the value there. */
function nodeAt(document: Document, path: readonly string[], key: string | null): Node | null {
  const at = path.length === 0 ? document.contents : document.getIn(path, true);
  if (key === null) return isNode(at) ? at : null;
  const pair = isMap(at) ? at.items.find((item) => isScalar(item.key) && item.key.value === key) : undefined;
  return isNode(pair?.key) ? pair.key : null;
}

export function parseProject(text: string): Project {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const [broken] = document.errors;
  if (broken !== undefined) throw projectError(broken.linePos?.[0].line ?? null, broken.message.split("\n")[0] ?? broken.message);
  const data = (document.toJS() ?? {}) as Partial<Project>;
  if (validate(data)) return { tags: data.tags ?? [], attributes: data.attributes ?? [] };
  const [error] = validate.errors ?? [];
  if (error === undefined) throw new Error("a refused document without an error");
  const unknown = error.keyword === "additionalProperties" ? String(error.params.additionalProperty) : null;
  const node = nodeAt(document, error.instancePath.split("/").slice(1), unknown);
  const start = node?.range?.[0];
  const line = start === undefined ? null : lines.linePos(start).line;
  const schema = error.parentSchema as { readonly description?: string; readonly properties?: object };
  if (unknown !== null) {
    const known = Object.keys(schema.properties ?? {});
    throw projectError(line, `unknown key \`${unknown}\``, didYouMean(unknown, known, `it has ${known.map((name) => `\`${name}\``).join(", ")}`));
  }
  throw projectError(line, `expected ${schema.description ?? "something else"}`, isScalar(node) ? `found \`${String(node.value)}\`` : null);
}
