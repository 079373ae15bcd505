// A machine of one shape - board and number of CPUs - under QEMU, with all images of a run that fit it in one boot file. Ties the line,
// the process and QEMU's own protocol together; what is done with it is serial-machine.ts.

import { join } from "node:path";
import type { BootSpan } from "../case-engine.ts";
import { DEFAULT_TIMEOUT_NS } from "../limits.ts";
import { openLink, type LineExit } from "../serial/serial-link.ts";
import { createSerialMachine, type Isolation, type SerialMachine } from "../serial/serial-machine.ts";
import type { EntryCall } from "../session.ts";
import { explainDeath, isRefusal } from "./explain-death.ts";
import { startGuestProcess, type GuestProcess } from "./guest-process.ts";
import type { QemuCommandOf, QemuShape } from "./qemu-shape.ts";
import { connectQmp, type Qmp } from "./qmp.ts";
import type { Spares } from "./spares.ts";
import { within } from "./within.ts";

export interface QemuOptions {
  readonly isolation: Isolation;
  /** `--hang-after`; null: by each call's limit. */
  readonly hangAfterMs: number | null;
  readonly command: QemuCommandOf;
  /** Machines that were begun before. */
  readonly spares?: Spares;
}

export interface QemuMachineHost {
  /** For sockets. */
  readonly folder: string;
  /** The path of a file that boots these images, the first one first. */
  bootFile(images: readonly number[]): Promise<string>;
  /** For the spans of boots. */
  now(): number;
  /** `image`: what it began with. */
  onBoot(image: number, span: BootSpan): void;
  onRefusal(): void;
}

/** Starting takes a tenth of a second, and on a busy machine seconds. */
const START_MS = 30_000;
const LEAST_HANG_MS = 20_000;
/** Guest time that runs slower than the host's by more than this is called a hang. */
const SLOWEST = 2;
/** After its process is gone QEMU's last words come at once, if at all. */
const LAST_WORDS_MS = 500;

let sockets = 0;

function hangLimitMs(call: EntryCall | null, hangAfterMs: number | null): number {
  if (call === null) return Math.max(START_MS, hangAfterMs ?? 0);
  return hangAfterMs ?? Math.max(LEAST_HANG_MS, (SLOWEST * Math.max(call.limits.timeoutNs, DEFAULT_TIMEOUT_NS)) / 1e6);
}

export function openQemuMachine(shape: QemuShape, images: readonly number[], options: QemuOptions, host: QemuMachineHost): SerialMachine {
  let wasSpare = false;
  return createSerialMachine(images, {
    isolation: options.isolation,
    limitMs: (call) => hangLimitMs(call, options.hangAfterMs),
    explain: explainDeath,
    isRefusal(death) {
      // What one that was begun before does not like is tried again in the usual way, whose complaint counts.
      const isRefused = !wasSpare && isRefusal(death);
      if (isRefused) host.onRefusal();
      return isRefused;
    },
    async open(payloads, first, onDeath) {
      options.spares?.shelter(shape, options.command, host.folder);
      const imagePath = await host.bootFile(payloads);
      const startMs = host.now();
      const spare = (await options.spares?.take(shape, options.command)) ?? null;
      wasSpare = spare !== null;
      const socket = join(host.folder, `qmp${++sockets}`);
      let qmp: Promise<Qmp | null> | null = spare === null ? null : Promise.resolve(spare.qmp);
      const connected = (): Promise<Qmp | null> => (qmp ??= connectQmp(socket));

      function start(onOutput: (bytes: Uint8Array) => void): GuestProcess {
        if (spare === null) {
          const command = options.command({ ...shape, imagePath, args: ["-qmp", `unix:${socket},server=on,wait=off`] });
          return startGuestProcess(command, { folder: host.folder, onOutput });
        }
        try {
          spare.go(imagePath, onOutput);
        } catch (error) {
          // Taken, it is nobody else's to end.
          spare.process.kill();
          throw error;
        }
        return spare.process;
      }

      async function exitOf({ exited, command }: GuestProcess): Promise<LineExit> {
        const exit = await exited;
        const told = await within(qmp ?? Promise.resolve(null), LAST_WORDS_MS);
        if (told !== null) await within(told.ended, LAST_WORDS_MS);
        const isReset = told === null ? null : told.shutdownReason === "guest-reset";
        return { ...exit, command, isReset };
      }

      return openLink(
        (onOutput) => {
          const child = start(onOutput);
          return { send: (text) => child.send(text), kill: () => child.kill(), exited: exitOf(child) };
        },
        {
          ...first,
          onAnswer(answer) {
            host.onBoot(payloads[0] ?? -1, { startMs, durationMs: host.now() - startMs });
            // Its socket is there by now. Until it answers a reset cannot be told from a power-off, so the guest waits for it.
            void connected().then(() => first.onAnswer(answer));
          },
        },
        { onDeath, locate: async () => (await (await connected())?.programCounters()) ?? [] },
      );
    },
  });
}
