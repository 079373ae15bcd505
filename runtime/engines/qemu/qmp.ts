// What a running QEMU is asked beside the guest's line: why it ends, which its exit status does not tell (a reset under `-no-reboot` and a
// power-off with code 0 look the same), and where the CPUs are that do not answer. QEMU Machine Protocol: one JSON object a line, a
// greeting first, events in between (QEMU documentation, "QEMU Machine Protocol Specification").

import { connect } from "node:net";

export interface Qmp {
  /** The reason of the SHUTDOWN event, if there was one. */
  readonly shutdownReason: string | null;
  /** The program counter of each CPU; empty: QEMU does not say. */
  programCounters(): Promise<readonly bigint[]>;
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
  const ended = Promise.withResolvers<void>();
  const isConnected = await new Promise<boolean>((resolve) => {
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
  });
  if (!isConnected) return null;
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

  function ask(command: object): Promise<Message | null> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(null), ANSWER_MS);
      waiting.push((message) => {
        clearTimeout(timer);
        resolve(message);
      });
      socket.write(`${JSON.stringify(command)}\n`);
    });
  }

  // Events come only after that.
  await ask({ execute: "qmp_capabilities" });
  return {
    get shutdownReason() {
      return shutdownReason;
    },
    async programCounters() {
      const answer = await ask({ execute: "human-monitor-command", arguments: { "command-line": "info registers -a" } });
      if (typeof answer?.return !== "string") return [];
      return [...answer.return.matchAll(PROGRAM_COUNTERS)].map(([, digits]) => BigInt(`0x${digits}`));
    },
    ended: ended.promise,
  };
}
