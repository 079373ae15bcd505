// `--disk FILE` of `guestspec exec`: files of the host as bytes for the guest's disks. What a guest writes goes to memory and is gone with the
// machine, unless the user says `,save`: a run that is repeated begins where the first one did.

import { closeSync, fstatSync, fsyncSync, openSync, readSync, writeSync } from "node:fs";
import { basename } from "node:path";
import type { ByteStore } from "../runtime/devices/device.ts";
import { createSparseStore } from "../runtime/devices/sparse-store.ts";
import type { Disk } from "../runtime/exec/attach-disks.ts";
import { CommandError, describeHostError, readError, usageError } from "./errors.ts";
import { EXIT } from "./exit-codes.ts";

const SECTOR = 512;
const SERIAL_LENGTH = 20;

type Mode = "memory" | "ro" | "save";

export interface OpenDisks {
  readonly disks: readonly Disk[];
  readonly close: () => void;
}

/** `FILE`, `FILE,ro` or `FILE,save`; any other comma belongs to the name. */
function parseDisk(text: string): { readonly path: string; readonly mode: Mode } {
  const match = /^(.+),(ro|save)$/.exec(text);
  return match === null ? { path: text, mode: "memory" } : { path: match[1] ?? "", mode: match[2] === "ro" ? "ro" : "save" };
}

function onHost<T>(what: string, path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new CommandError(EXIT.environment, `cannot ${what} ${path}: ${describeHostError(error)}`);
  }
}

function fileStore(file: number, path: string, size: number): ByteStore {
  function write(offset: number, from: Uint8Array): void {
    onHost("write", path, () => {
      for (let done = 0; done < from.length;) done += writeSync(file, from, done, from.length - done, offset + done);
    });
  }
  return {
    size,
    read(offset, into) {
      onHost("read", path, () => {
        for (let done = 0; done < into.length;) {
          const count = readSync(file, into, done, into.length - done, offset + done);
          if (count === 0) throw new Error("it has become shorter");
          done += count;
        }
      });
    },
    write,
    fill: (offset, length) => write(offset, new Uint8Array(length)),
    flush: () => onHost("write", path, () => fsyncSync(file)),
  };
}

function openFile(path: string, mode: Mode): number {
  try {
    return openSync(path, mode === "save" ? "r+" : "r");
  } catch (error) {
    throw readError(path, error);
  }
}

function openDisk(text: string): { readonly file: number; readonly disk: Disk } {
  const { path, mode } = parseDisk(text);
  const file = openFile(path, mode);
  try {
    const status = onHost("read", path, () => fstatSync(file));
    if (!status.isFile()) throw usageError(`\`--disk ${text}\`: ${path} is no file`);
    if (status.size === 0 || status.size % SECTOR !== 0) {
      throw usageError(`\`--disk ${text}\`: a disk has whole sectors of ${SECTOR} bytes, and ${path} has ${status.size.toLocaleString("en-US")} bytes`);
    }
    const store = fileStore(file, path, status.size);
    const serial = basename(path).slice(0, SERIAL_LENGTH);
    return { file, disk: { serial, isReadOnly: mode === "ro", store: mode === "memory" ? createSparseStore(status.size, store) : store } };
  } catch (error) {
    closeSync(file);
    throw error;
  }
}

export function openDisks(texts: readonly string[]): OpenDisks {
  const opened: { readonly file: number; readonly disk: Disk }[] = [];
  const close = (): void => {
    for (const { file } of opened.splice(0)) closeSync(file);
  };
  try {
    for (const text of texts) opened.push(openDisk(text));
  } catch (error) {
    close();
    throw error;
  }
  return { disks: opened.map(({ disk }) => disk), close };
}
