// One start of a VMM: its files in a folder of their own, its console followed while it runs, and nothing left of it afterwards. Silence
// on the console is what tells that it hangs, for such a VMM has no other word for us.

import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MachineDescription } from "../../../machines/description.ts";
import { describeCommand, startGuestProcess, type ProcessExit } from "../qemu/guest-process.ts";
import { fillCommand, type CommandConfig } from "./command-config.ts";

export type CommandEnd =
  /** By itself. */
  | { readonly kind: "exited"; readonly exit: ProcessExit }
  /** Nothing came from the console for so long. */
  | { readonly kind: "silent"; readonly afterMs: number }
  /** Its reader has what it wants, or does not want it. */
  | { readonly kind: "stopped" };

export interface CommandRunning {
  /** For reports and to try by hand. */
  readonly command: string;
  /** After the last output was delivered and all is gone. */
  readonly ended: Promise<CommandEnd>;
  /** What it says itself, which is not the guest's. */
  said(): string;
  stop(): void;
}

/** A file that a VMM writes is looked at this often. */
const POLL_MS = 50;
const SAID_KEPT = 8 * 1024;
const CHUNK = 64 * 1024;

/** Hands on what a file has grown by. */
function followFile(path: string, onOutput: (bytes: Uint8Array) => void): () => void {
  let offset = 0;
  const buffer = Buffer.alloc(CHUNK);
  return () => {
    let file: number;
    try {
      file = openSync(path, "r");
    } catch (error) {
      // The VMM makes it when it wants to.
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
      throw error;
    }
    try {
      for (let read = readSync(file, buffer, 0, CHUNK, offset); read > 0; read = readSync(file, buffer, 0, CHUNK, offset)) {
        offset += read;
        onOutput(Uint8Array.from(buffer.subarray(0, read)));
      }
    } finally {
      closeSync(file);
    }
  };
}

export function startCommand(
  config: CommandConfig,
  machine: Pick<MachineDescription, "ram">,
  image: Uint8Array,
  onOutput: (bytes: Uint8Array) => void,
): CommandRunning {
  const folder = mkdtempSync(join(tmpdir(), "guestspec-"));
  const removeFolder = (): void => rmSync(folder, { recursive: true, force: true });
  process.on("exit", removeFolder);
  const start = fillCommand(config, machine, folder);
  writeFileSync(start.imagePath, image);
  for (const { path, text } of start.files) writeFileSync(path, text);

  let end: CommandEnd | null = null;
  let lastWord = Date.now();
  let said = "";
  const take = (bytes: Uint8Array): void => {
    lastWord = Date.now();
    if (end?.kind !== "stopped") onOutput(bytes);
  };
  const look = start.consolePath === null ? null : followFile(start.consolePath, take);
  const child = startGuestProcess(start, {
    folder,
    onOutput(bytes) {
      if (look === null) take(bytes);
      else said = `${said}${Buffer.from(bytes).toString("latin1")}`.slice(-SAID_KEPT);
    },
  });
  function stop(why: CommandEnd): void {
    end ??= why;
    child.kill();
  }
  const timer = setInterval(() => {
    look?.();
    if (end === null && Date.now() - lastWord > config.timeoutMs) stop({ kind: "silent", afterMs: config.timeoutMs });
  }, POLL_MS);

  async function waitForEnd(): Promise<CommandEnd> {
    const exit = await child.exited;
    clearInterval(timer);
    if (end === null || end.kind === "silent") look?.();
    said += exit.stderr;
    removeFolder();
    process.off("exit", removeFolder);
    return end ?? { kind: "exited", exit };
  }
  return { command: describeCommand(start), ended: waitForEnd(), said: () => said, stop: () => stop({ kind: "stopped" }) };
}
