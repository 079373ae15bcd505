// What a running QEMU is asked beside the guest's line: why it ends, which its exit status does not tell (a reset under `-no-reboot` and a
// power-off with code 0 look the same), and where the CPUs are that do not answer. QEMU Machine Protocol: one JSON object a line, a
// greeting first, events in between (QEMU documentation, "QEMU Machine Protocol Specification").

import { connect } from "node:net";
import type { Duplex } from "node:stream";
import { within } from "./within.ts";

export interface Qmp {
  /** The reason of the SHUTDOWN event, if there was one. */
  readonly shutdownReason: string | null;
  /** The program counter of each CPU; empty: QEMU does not say. */
  programCounters(): Promise<readonly bigint[]>;
  /** Tells a QEMU that waits for it (`-preconfig`) to go on. True: it does not; one that ends meanwhile tells by its exit. */
  refusesMachine(): Promise<boolean>;
  /** Resolves when QEMU has closed its end. */
  readonly ended: Promise<void>;
}

interface Message {
  readonly event?: string;
  readonly data?: { readonly reason?: string };
  readonly return?: unknown;
  readonly error?: { readonly desc: string };
}

const ANSWER_MS = 1000;
/** In `info registers -a` of each target, once for each CPU, as its cpu.c prints it. */
const PROGRAM_COUNTERS = /\b(?:pc\s+|PC=|RIP=)([0-9a-f]{8,16})\b/g;

/** Null: nobody listens there. */
export async function connectQmp(path: string): Promise<Qmp | null> {
  const socket = connect(path);
  const isConnected = await new Promise<boolean>((resolve) => {
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
  });
  if (!isConnected) return null;
  const { qmp, isReady } = speakQmp(socket);
  await within(isReady, ANSWER_MS);
  return qmp;
}

export interface QmpSocket {
  readonly qmp: Qmp;
  /** Resolves when it has answered for the first time; false: it never will. */
  readonly isReady: Promise<boolean>;
}

export function speakQmp(socket: Duplex): QmpSocket {
  const ended = Promise.withResolvers<void>();
  let shutdownReason: string | null = null;
  const waiting: ((message: Message | null) => void)[] = [];

  socket.on("error", () => socket.destroy());
  socket.on("close", () => {
    for (const answer of waiting.splice(0)) answer(null);
    ended.resolve();
  });
  socket.setEncoding("utf8");
  let unfinished = "";
  // Not `node:readline`, which takes longer to load than a run takes to be planned.
  socket.on("data", (text: string) => {
    const lines = `${unfinished}${text}`.split("\n");
    unfinished = lines.pop() ?? "";
    for (const line of lines) {
      const message = JSON.parse(line) as Message;
      if (message.event === "SHUTDOWN") shutdownReason = message.data?.reason ?? "";
      if (message.return !== undefined || message.error !== undefined) waiting.shift()?.(message);
    }
  });

  /** Null: there is no answer any more. */
  function ask(command: object): Promise<Message | null> {
    return new Promise((resolve) => {
      waiting.push(resolve);
      socket.write(`${JSON.stringify(command)}\n`);
    });
  }

  async function begin(): Promise<boolean> {
    const answer = await ask({ execute: "qmp_capabilities" });
    return answer?.return !== undefined;
  }

  return {
    // Events come only after that.
    isReady: begin(),
    qmp: {
      get shutdownReason() {
        return shutdownReason;
      },
      async programCounters() {
        const answer = await within(ask({ execute: "human-monitor-command", arguments: { "command-line": "info registers -a" } }), ANSWER_MS);
        if (typeof answer?.return !== "string") return [];
        return [...answer.return.matchAll(PROGRAM_COUNTERS)].map(([, digits]) => BigInt(`0x${digits}`));
      },
      async refusesMachine() {
        const answer = await ask({ execute: "x-exit-preconfig" });
        return answer?.error !== undefined;
      },
      ended: ended.promise,
    },
  };
}
