// Snapshot files of `guestspec exec` on the host: read with everything that can be wrong said in words and a code, and written so that
// whoever reads the file meanwhile, or after a crash, finds the old one or the new one. What is in them is runtime/exec's part.

import { renameSync, rmSync, writeFileSync } from "node:fs";
import type { MachineDescription } from "../machines/description.ts";
import type { Guest } from "../runtime/exec/guest.ts";
import type { SnapshotProblem } from "../runtime/exec/snapshot-codes.ts";
import {
  checkContents,
  checkMachine,
  machineKeyOf,
  readSnapshot,
  writeSnapshot,
  type SnapshotFile,
  type SnapshotInput,
} from "../runtime/exec/snapshot-file.ts";
import { CommandError, describeHostError } from "./errors.ts";
import { EXIT } from "./exit-codes.ts";
import { readBytes } from "./read-text.ts";
import { toolVersion } from "./version.ts";

/** What a guest is made of, as the command line or a snapshot says it. */
export interface GuestSource {
  /** As `--machine` takes it. */
  readonly machine: string;
  readonly cpus: number;
  readonly seed: bigint;
  readonly image: SnapshotInput;
  readonly firmware: SnapshotInput | null;
  readonly initrd: SnapshotInput | null;
  readonly commandLine: string | null;
}

function asError({ code, message, help }: SnapshotProblem): CommandError {
  return new CommandError(EXIT.usage, message, help, code);
}

export function readSnapshotFile(path: string): SnapshotFile {
  const read = readSnapshot(readBytes(path), path, toolVersion());
  if (!read.ok) throw asError(read.problem);
  return read.snapshot;
}

/** Throws unless the snapshot was taken of this machine. */
export function requireMachine({ about }: SnapshotFile, description: MachineDescription, path: string): void {
  const problem = checkMachine(about, description, path);
  if (problem !== null) throw asError(problem);
}

/** Makes a guest that has not run yet what the snapshot's was. */
export function continueFrom({ contents }: SnapshotFile, guest: Guest, path: string): void {
  const problem = checkContents(contents, guest.contents(), guest.machine.deviceNames, path);
  if (problem !== null) throw asError(problem);
  guest.setContents(contents);
}

/** Writes the file; says what is in it. */
export function writeSnapshotFile(path: string, guest: Guest, source: GuestSource, consoleBytes: number): string {
  const { machine, processor } = guest;
  const contents = guest.contents();
  const { commandLine, image, firmware, initrd, cpus, seed } = source;
  const instructions = processor.instructions();
  const bytes = writeSnapshot({
    about: {
      writtenBy: toolVersion(),
      machine: source.machine,
      machineKey: machineKeyOf(machine.description),
      cpus,
      seed,
      commandLine,
      instructions,
      time: machine.now(),
      consoleBytes,
    },
    image,
    firmware,
    initrd,
    contents,
  });
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, bytes);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw new CommandError(EXIT.environment, `cannot write ${path}: ${describeHostError(error)}`);
  }
  const size = bytes.length.toLocaleString("en-US");
  return `snapshot after ${instructions.toLocaleString("en-US")} instructions in ${path}: ${contents.machine.pages.length.toLocaleString("en-US")} pages, ${size} bytes`;
}
