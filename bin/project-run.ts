// What guestspec.yaml says about runs: `profiles`, sets of options under a name; `quarantine`, the file of tests that may fail; and
// `must-run`, which tests have to run where. Read with every mistake at its line and column. Loaded when the file has one of these keys.

import { isMap, isScalar, isSeq, LineCounter, parseDocument, type Node, type Scalar } from "yaml";
import { createFieldReader, formatMachineError, suggest, type FieldReader } from "../machines/yaml-fields.ts";
import { CommandError } from "./errors.ts";
import { EXIT } from "./exit-codes.ts";
import { PROJECT_FILE } from "./places.ts";
import { readText } from "./read-text.ts";
import { parseDuration, type OptionRow } from "./options.ts";

export interface ProfileOption {
  /** As `ParsedOptions` has them; none: the option is switched off, whatever a profile below says. */
  readonly values: readonly string[];
  readonly line: number;
}

export interface MustRun {
  readonly filter: string;
  /** Targets, engines, or `target/engine`; none: anywhere. */
  readonly on: readonly string[];
  readonly line: number;
}

export interface ProjectRun {
  readonly profiles: ReadonlyMap<string, ReadonlyMap<string, ProfileOption>>;
  readonly quarantine: string | null;
  readonly mustRun: readonly MustRun[];
}

export const DEFAULT_PROFILE = "default";
const NAME = /^[a-z][a-z0-9_-]*$/;

interface Entry {
  readonly key: Scalar;
  readonly name: string;
  readonly value: Node | null;
}

function entriesOf(reader: FieldReader, node: Node | null, what: string): readonly Entry[] {
  if (!isMap(node)) {
    reader.complain(node, `${what}: expected a mapping`);
    return [];
  }
  return node.items.flatMap(({ key, value }): Entry[] => (isScalar(key) ? [{ key, name: String(key.value), value: value as Node | null }] : []));
}

/** Words of a flag in YAML. */
const FLAGS: Readonly<Record<string, readonly string[]>> = { true: [""], false: [] };

function readOption(reader: FieldReader, row: OptionRow, { key, value }: Entry, what: string): readonly string[] {
  const nodes = isSeq(value) ? (value.items as Node[]) : [value];
  if (isSeq(value) && row.multiple === undefined) {
    reader.complain(value, `${what}: takes one value, not a list`);
    return [];
  }
  return nodes.flatMap((node): readonly string[] => {
    const text = reader.readScalar(node ?? key, what);
    if (text === null) return [];
    if (row.value === undefined) {
      const flag = FLAGS[text];
      if (flag === undefined) reader.complain(node, `${what}: expected true or false, found "${text}"`);
      return flag ?? [];
    }
    // An option whose value may be left out is a flag too.
    if (text === "false") return [];
    if (row.implied !== undefined && text === "true") return [row.implied];
    if (row.choices !== undefined && !row.choices.includes(text))
      reader.complain(node, `${what}: "${text}" is not ${row.choices.join(", ")}${suggest(text, row.choices)}`);
    if (row.isDuration === true && parseDuration(text) === null) reader.complain(node, `${what}: "${text}" is no duration such as 500us, 10ms, 2s or 20m`);
    return [text];
  });
}

function readMustRun(reader: FieldReader, node: Node | null, lineOf: (node: Node) => number): readonly MustRun[] {
  if (!isSeq(node)) {
    reader.complain(node, "must-run: expected a list, such as [{ filter: tag(smoke), on: [riscv64] }]");
    return [];
  }
  return (node.items as Node[]).flatMap((item): MustRun[] => {
    const fields = reader.readFields(item, "must-run", ["filter"], ["on"]);
    const filter = reader.readText(fields?.get("filter"), "must-run.filter");
    if (fields === null || filter === null) return [];
    const on = reader.readOneOrMore(fields.get("on")).flatMap((place) => reader.readScalar(place, "must-run.on") ?? []);
    return [{ filter, on, line: lineOf(item) }];
  });
}

/** `rows`: the options that a profile may set. Throws a CommandError that tells every mistake at its place. */
export function parseProjectRun(text: string, rows: readonly OptionRow[]): ProjectRun {
  const reader = createFieldReader(text, PROJECT_FILE);
  const lines = new LineCounter();
  parseDocument(text, { lineCounter: lines });
  const lineOf = (node: Node): number => lines.linePos(node.range?.[0] ?? 0).line;
  const profiles = new Map<string, ReadonlyMap<string, ProfileOption>>();
  let quarantine: string | null = null;
  let mustRun: readonly MustRun[] = [];
  for (const { key, name, value } of reader.root === null ? [] : entriesOf(reader, reader.root, PROJECT_FILE)) {
    if (name === "quarantine") quarantine = reader.readScalar(value ?? key, "quarantine");
    else if (name === "must-run") mustRun = readMustRun(reader, value, lineOf);
    else if (name === "profiles") {
      for (const profile of entriesOf(reader, value, "profiles")) {
        const what = `profiles.${profile.name}`;
        if (!NAME.test(profile.name)) reader.complain(profile.key, `profiles: "${profile.name}" is not a name like ci`);
        const options = new Map<string, ProfileOption>();
        for (const entry of entriesOf(reader, profile.value, what)) {
          const row = rows.find((one) => one.name === entry.name);
          if (row === undefined) {
            const known = rows.map((one) => one.name);
            reader.complain(entry.key, `${what}: \`run\` has no option "${entry.name}"${suggest(entry.name, known)}`);
          } else options.set(row.name, { values: readOption(reader, row, entry, `${what}.${row.name}`), line: lineOf(entry.key) });
        }
        profiles.set(profile.name, options);
      }
    }
  }
  if (reader.errors.length > 0) throw new CommandError(EXIT.compile, reader.errors.map(formatMachineError).join("\n"));
  return { profiles, quarantine, mustRun };
}

const NOTHING: ProjectRun = { profiles: new Map(), quarantine: null, mustRun: [] };

/** Of the project in the working directory. */
export function readProjectRun(rows: readonly OptionRow[]): ProjectRun {
  const text = readText(PROJECT_FILE);
  return text === null ? NOTHING : parseProjectRun(text, rows);
}
