// QEMUs that are started before anybody knows what they are to run: up to where QEMU has been linked, has read its options and waits for
// its machine to be made (`-preconfig`). That is half of its start, and happens while this process compiles, or waits for somebody to
// change a file. The boot file is opened only behind it, so that it may be written until then. What does not come up this way
// - a QEMU without the option, a program that is none - is no error: the machine is started as all others are.

import { accessSync, closeSync, constants, mkdtempSync, openSync, readSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, delimiter, join } from "node:path";
import { CONTROL, describeCommand, startGuestProcess, type GuestProcess } from "./guest-process.ts";
import type { QemuCommandOf, QemuShape } from "./qemu-shape.ts";
import { speakQmp, type Qmp, type QmpSocket } from "./qmp.ts";
import { within } from "./within.ts";

/** A machine that is there from now on, begun earlier. */
export interface Spare {
  readonly process: GuestProcess;
  readonly qmp: Qmp;
  /** Makes the machine, with this as its boot file. */
  go(imagePath: string, onOutput: (bytes: Uint8Array) => void): void;
}

export interface Spares {
  /** Starts one, unless one waits: for the first machine of a run. */
  prepare(shape: QemuShape, command: QemuCommandOf): void;
  /** A folder for boot files of such a machine is to be gone too if this process vanishes; told before there are any. */
  shelter(shape: QemuShape, command: QemuCommandOf, folder: string): void;
  /** The one that was started with the same options, once it is known to wait; null: start one yourself. */
  take(shape: QemuShape, command: QemuCommandOf): Promise<Spare | null>;
  /** Starts one for each kind that was asked for since the last time, and gives up the others: for the next run of this process. */
  refill(): void;
  /** Ends all that nobody has taken. */
  close(): void;
}

interface Waiting {
  readonly folder: string;
  readonly file: string;
  readonly program: string;
  readonly process: GuestProcess;
  readonly socket: QmpSocket;
  receive: (bytes: Uint8Array) => void;
}

/** The program of others, by any other name, might do anything with options that it does not know. */
const QEMU_NAME = /^qemu-system-/;
/** Until then one is waited for: on a busy machine it may take seconds. */
const PATIENCE_MS = 10_000;

/** A socket that QEMU is born with: nothing to look for, nothing to connect. */
const WAITS = ["-preconfig", "-chardev", `socket,id=guestspec-control,fd=${CONTROL}`, "-mon", "chardev=guestspec-control,mode=control"] as const;

function pathOf(binary: string): string | null {
  const paths = binary.includes("/") ? [binary] : (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, binary));
  for (const path of paths) {
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not here.
    }
  }
  return null;
}

/** Changes when QEMU is built anew. Null: a script, which may start one program today and another tomorrow, or nothing at all. */
function identify(binary: string): string | null {
  const path = QEMU_NAME.test(basename(binary)) ? pathOf(binary) : null;
  if (path === null) return null;
  try {
    const file = openSync(path, "r");
    const start = Buffer.alloc(2);
    try {
      readSync(file, start, 0, start.length, 0);
    } finally {
      closeSync(file);
    }
    const { dev, ino, size, mtimeMs } = statSync(path);
    return start.toString("latin1") === "#!" ? null : `${dev} ${ino} ${size} ${mtimeMs}`;
  } catch {
    return null;
  }
}

/** `most`: at once, when this process waits. */
export function createSpares(most: number): Spares {
  const waiting = new Map<string, Waiting>();
  /** What the last run has asked for. */
  const asked = new Map<string, () => void>();

  const keyOf = (shape: QemuShape, command: QemuCommandOf): string => describeCommand(command({ ...shape, imagePath: "", args: [] }));

  function start(key: string, shape: QemuShape, command: QemuCommandOf): void {
    const program = identify(command({ ...shape, imagePath: "", args: [] }).binary);
    if (program === null) return;
    const folder = mkdtempSync(join(tmpdir(), "guestspec-"));
    const file = join(folder, "boot0");
    const guest = startGuestProcess(command({ ...shape, imagePath: file, args: WAITS }), {
      folder,
      hasControl: true,
      onOutput: (bytes) => spare.receive(bytes),
    });
    // The host has no descriptors left: it may have some when the machine is wanted.
    if (guest.control === null) {
      rmSync(folder, { recursive: true, force: true });
      return;
    }
    const spare: Waiting = { folder, file, program, process: guest, socket: speakQmp(guest.control), receive: () => undefined };
    waiting.set(key, spare);
    if (waiting.size === 1) process.on("exit", close);
    void guest.exited.then(() => {
      rmSync(folder, { recursive: true, force: true });
      if (waiting.get(key) === spare) drop(key);
    });
  }

  function drop(key: string): void {
    waiting.delete(key);
    if (waiting.size === 0) process.off("exit", close);
  }

  function end(key: string, spare: Waiting): void {
    // Where it was taken, the next one may be waiting in its place by now.
    if (waiting.get(key) === spare) drop(key);
    spare.process.kill();
    rmSync(spare.folder, { recursive: true, force: true });
  }

  function close(): void {
    for (const [key, spare] of waiting) end(key, spare);
  }

  return {
    prepare(shape, command) {
      if (waiting.size === 0) start(keyOf(shape, command), shape, command);
    },
    shelter: (shape, command, folder) => waiting.get(keyOf(shape, command))?.process.uses(folder),
    async take(shape, command) {
      const key = keyOf(shape, command);
      asked.set(key, () => start(key, shape, command));
      const spare = waiting.get(key);
      if (spare === undefined) return null;
      drop(key);
      const isSame = spare.program === identify(command({ ...shape, imagePath: "", args: [] }).binary);
      if (!isSame || (await within(spare.socket.isReady, PATIENCE_MS)) !== true) {
        end(key, spare);
        return null;
      }
      const { qmp } = spare.socket;
      return {
        process: spare.process,
        qmp,
        go(imagePath, onOutput) {
          symlinkSync(imagePath, spare.file);
          spare.receive = onOutput;
          void qmp.refusesMachine().then((isRefused) => isRefused && spare.process.kill());
        },
      };
    },
    refill() {
      // A run that did not come so far, for a mistake in a spec, says nothing about the next one.
      if (asked.size === 0) return;
      for (const [key, spare] of waiting) if (!asked.has(key)) end(key, spare);
      for (const [key, startOne] of asked) if (!waiting.has(key) && waiting.size < most) startOne();
      asked.clear();
    },
    close,
  };
}
