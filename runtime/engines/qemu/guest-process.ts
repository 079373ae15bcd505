// A virtual machine as a process: its standard input and output are the guest's serial line, what it says on standard error is kept for
// reports. It outlives nobody: it has its own process group, and a small shell beside it kills it when this process is gone, by whatever
// end, also one that no handler of ours would see. Loaded only when such a machine is wanted.

import { spawn, type ChildProcess } from "node:child_process";
import type { Duplex, Readable, Writable } from "node:stream";
import { quoteForShell } from "../case-id.ts";

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: string | null;
  /** The end of standard error. */
  readonly stderr: string;
}

export interface GuestProcess {
  /** For reports and to try by hand. */
  readonly command: string;
  readonly pid: number | null;
  /** The other end of its descriptor 4, if that was asked for. */
  readonly control: Duplex | null;
  send(text: string): void;
  /** At once, with all that it has started. */
  kill(): void;
  /** Uses files of this folder as well, which is removed as its own is if this process vanishes. */
  uses(folder: string): void;
  /** Resolves after the last output was delivered. */
  readonly exited: Promise<ProcessExit>;
}

export interface GuestCommand {
  readonly binary: string;
  readonly args: readonly string[];
}

export interface GuestProcessOptions {
  /** Also for the machine's own temporary files. Removed by the shell if this process vanishes. */
  readonly folder: string;
  /** Descriptor 4 of the machine is a socket to this process. */
  readonly hasControl?: boolean;
  onOutput(bytes: Uint8Array): void;
}

const STDERR_KEPT = 16 * 1024;
const LIFELINE = 3;
/** Of `hasControl`. */
export const CONTROL = 4;
/** The shell's words for a command that does not exist or cannot be run. */
const SHELL_EXITS: ReadonlySet<number> = new Set([126, 127]);

/**
 * Descriptor 3 is a pipe whose other end this process holds. An empty line on it says that the machine has ended, any other one names a
 * further folder; its end, that this process is gone. The machine takes the shell's place, so its pid and exit status are the child's own.
 * What is being killed may still make a file in the folder, which then cannot be removed at once.
 */
const WATCHED =
  `(set -- "$0"; while read -r line; do [ -n "$line" ] || exit 0; set -- "$@" "$line"; done; ` +
  `kill -9 $$; rm -rf "$@" || { sleep 1; rm -rf "$@"; }) <&3 >/dev/null 2>&1 & exec "$@" 3<&-`;

export function describeCommand({ binary, args }: GuestCommand): string {
  return [binary, ...args].map(quoteForShell).join(" ");
}

/**
 * A group of its own (`detached`), so that the machine and the shell beside it end together, and no ^C of a terminal reaches them. A QEMU
 * killed while it opens a `snapshot=on` drive leaves the overlay behind, which it makes in $TMPDIR.
 */
function startProcess({ binary, args }: GuestCommand, { folder, hasControl }: GuestProcessOptions): ChildProcess {
  return spawn("/bin/sh", ["-c", WATCHED, folder, binary, ...args], {
    // Pipes of Node are sockets (libuv, uv_spawn).
    stdio: ["pipe", "pipe", "pipe", "pipe", ...(hasControl === true ? (["pipe"] as const) : [])],
    detached: true,
    env: { ...process.env, TMPDIR: folder },
  });
}

/** What there is where the host has no descriptors left (EMFILE, ENFILE): a child without streams, which will tell why. */
function neverStarted(command: string, child: ChildProcess): GuestProcess {
  return {
    command,
    pid: null,
    control: null,
    send: () => undefined,
    uses: () => undefined,
    kill: () => undefined,
    exited: new Promise((resolve) => {
      child.on("error", ({ message }) => resolve({ code: null, signal: null, stderr: `${message}\n` }));
    }),
  };
}

export function startGuestProcess(command: GuestCommand, options: GuestProcessOptions): GuestProcess {
  const child = startProcess(command, options);
  // The types know nothing of it.
  if ((child.stdio as unknown) === undefined) return neverStarted(describeCommand(command), child);
  const stdin = child.stdin as Writable;
  const stdout = child.stdout as Readable;
  const stderr = child.stderr as Readable;
  const lifeline = child.stdio[LIFELINE] as unknown as Writable & Readable;
  const control = (child.stdio[CONTROL] ?? null) as Duplex | null;
  let said = Buffer.alloc(0);
  let isDead = false;

  stdout.on("data", (bytes: Buffer) => options.onOutput(bytes));
  stderr.on("data", (bytes: Buffer) => {
    said = Buffer.concat([said, bytes]).subarray(-STDERR_KEPT);
  });
  // Written to after its end, or ended with lines unread: the exit tells why.
  for (const stream of [stdin, stdout, stderr, lifeline]) stream.on("error", () => undefined);
  lifeline.resume();
  child.on("exit", () => {
    isDead = true;
    lifeline.end("\n");
  });

  const exited = new Promise<ProcessExit>((resolve) => {
    let problem = "";
    // Without a process there is no exit.
    child.on("error", (error) => {
      problem = `${error.message}\n`;
      if (child.pid === undefined) resolve({ code: null, signal: null, stderr: problem });
    });
    child.on("close", (code, signal) => resolve({ code, signal, stderr: `${said.toString("utf8")}${problem}` }));
  });

  return {
    command: describeCommand(command),
    pid: child.pid ?? null,
    control,
    send(text) {
      if (!isDead) stdin.write(text);
    },
    kill() {
      if (child.pid === undefined || isDead) return;
      try {
        process.kill(-child.pid, "SIGKILL");
      } catch (error) {
        // It has ended, and nobody has told us yet.
        if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
      }
    },
    uses(folder) {
      if (!isDead) lifeline.write(`${folder}\n`);
    },
    exited,
  };
}

/** The command could not be run at all. */
export function isMissingCommand({ code, stderr }: ProcessExit): boolean {
  return code === null || (SHELL_EXITS.has(code) && /not found|Permission denied|cannot execute/i.test(stderr));
}
