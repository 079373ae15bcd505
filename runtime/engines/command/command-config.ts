// What the `command` engine is told of a VMM: an entry under `engines:` of guestspec.yaml, read and checked by bin/project-engines.ts, as
// plain data, and how the words in braces are filled in for one start. docs/engines.md describes the keys.

import { join } from "node:path";
import type { MachineDescription } from "../../../machines/description.ts";

export const COMMAND_IMAGES = ["elf", "flat", "disk"] as const;
export type CommandImage = (typeof COMMAND_IMAGES)[number];

export interface CommandConfig {
  /** As `--engine` has it. */
  readonly name: string;
  readonly target: string;
  /** Name or path of the machine file that images are compiled for. */
  readonly machine: string;
  readonly image: CommandImage;
  readonly cpus: number;
  /** Devices of the machine file that this VMM does not have. */
  readonly without: readonly string[];
  /** The program, and its arguments. */
  readonly command: readonly [string, ...string[]];
  readonly environment: Readonly<Record<string, string>>;
  /** Written for each start; the name is the word that stands for the path. */
  readonly files: Readonly<Record<string, string>>;
  /** A path with words in braces; null: standard output. */
  readonly consoleFile: string | null;
  /** What the process's exit status says; null: nothing, it is ended when the last result has come. */
  readonly exit: { readonly good: number; readonly failed: number } | null;
  /** Wall time without a word on the console after which it has hung. */
  readonly timeoutMs: number;
  /** Debian's, to tell whoever lacks it. */
  readonly packages: readonly string[];
}

/** Words in braces that every entry has; the names of its `files` come to them. */
export const PLACEHOLDERS = ["dir", "image", "cpus", "ram_mib"] as const;

const PLACEHOLDER = /\{([a-z][a-z0-9_]*)\}/g;

/** The words in braces of a text, each with its offset. Other braces are just text, such as those of JSON. */
export function placeholdersIn(text: string): readonly { readonly word: string; readonly at: number }[] {
  return [...text.matchAll(PLACEHOLDER)].map((match) => ({ word: match[1] ?? "", at: match.index }));
}

/** One start of the VMM, in a folder of its own. */
export interface CommandStart {
  readonly binary: string;
  readonly args: readonly string[];
  readonly imagePath: string;
  readonly files: readonly { readonly path: string; readonly text: string }[];
  readonly consolePath: string | null;
}

export function fillCommand(config: CommandConfig, machine: Pick<MachineDescription, "ram">, folder: string): CommandStart {
  const imagePath = join(folder, "image");
  const paths = new Map(Object.keys(config.files).map((name) => [name, join(folder, name)]));
  const values = new Map<string, string>([
    ...paths,
    ["dir", folder],
    ["image", imagePath],
    ["cpus", String(config.cpus)],
    ["ram_mib", String(machine.ram.size / 2 ** 20)],
  ]);
  const fill = (text: string): string => text.replace(PLACEHOLDER, (written, word: string) => values.get(word) ?? written);
  const [binary, ...args] = config.command.map(fill);
  const variables = Object.entries(config.environment).map(([name, value]) => `${name}=${fill(value)}`);
  const words = [...(variables.length === 0 ? [] : ["env", ...variables]), binary ?? "", ...args];
  return {
    binary: words[0] ?? "",
    args: words.slice(1),
    imagePath,
    files: Object.entries(config.files).map(([name, text]) => ({ path: paths.get(name) ?? "", text: fill(text) })),
    consolePath: config.consoleFile === null ? null : fill(config.consoleFile),
  };
}

/** The machine as this VMM has it: of the devices that it lacks only the places are left, which the guest library names. */
export function machineOf(config: CommandConfig, machine: MachineDescription): MachineDescription {
  return {
    ...machine,
    name: config.name,
    summary: `${machine.name} by ${config.command[0]}`,
    cpus: { min: 1, max: config.cpus, default: config.cpus },
    devices: machine.devices.map((device) => (config.without.includes(device.name) ? { ...device, provides: [] } : device)),
    qemu: null,
  };
}
