// GDB's remote target: waits for one debugger on the loopback interface, answers it while the guest stands still, and lets the guest run
// when it says so. A connection that ends lets the guest go on alone, as QEMU does. What packets mean is gdb-commands.ts's part.
// Only this computer can connect: a debugger may read and write all of the guest, and nobody is asked for a password.

import { createServer, type AddressInfo, type Socket } from "node:net";
import { runGuest, type ConsoleHost, type GuestEnd, type RunOptions } from "../exec/run-guest.ts";
import type { Guest, GuestStop } from "../exec/guest.ts";
import { createGdbCommands, type MonitorCommands } from "./gdb-commands.ts";
import { createPacketReader, writePacket, type GdbInput } from "./gdb-packets.ts";
import type { DebugFeature } from "./riscv-registers.ts";

const LOOPBACK = "127.0.0.1";

export interface GdbOptions {
  /** 0: any that is free. */
  readonly port: number;
  readonly architecture: string;
  readonly features: readonly DebugFeature[];
  /** The port is open. */
  readonly onListening: (port: number) => void;
  readonly time: RunOptions["time"];
  readonly monitor?: MonitorCommands;
}

/** The connection, as far as the guest's loop needs it. */
interface Debugger {
  readonly send: (text: string) => void;
  /** The next input, or null when the connection is gone, or the user wants to stop. */
  readonly next: () => Promise<GdbInput | null>;
  /** Whether input or the end of the connection waits: the guest has to stop for it. */
  readonly isWaiting: () => boolean;
  readonly close: () => void;
}

const POLL_MS = 20;

function attach(socket: Socket, host: ConsoleHost): Debugger {
  const read = createPacketReader();
  const inputs: GdbInput[] = [];
  let isOpen = true;
  let wake: () => void = () => undefined;
  socket.setNoDelay(true);
  socket.on("data", (bytes: Buffer) => {
    inputs.push(...read(bytes.toString("latin1")));
    wake();
  });
  const onEnd = (): void => {
    isOpen = false;
    wake();
  };
  socket.on("close", onEnd).on("error", onEnd);
  return {
    send: (text) => void socket.write(Buffer.from(text, "latin1")),
    async next() {
      for (;;) {
        const input = inputs.shift();
        if (input !== undefined) return input;
        if (!isOpen || host.isStopped()) return null;
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        await Promise.race([promise, host.wait(POLL_MS)]);
      }
    },
    isWaiting: () => inputs.length > 0 || !isOpen,
    close: () => socket.destroy(),
  };
}

const SIGNAL_TRAP = "05";
const SIGNAL_INTERRUPT = "02";

/** A stop reply packet. */
function describeStop(stop: GuestStop | GuestEnd, cpu: number): string {
  const thread = `thread:${(cpu + 1).toString(16)};`;
  switch (stop.kind) {
    case "poweroff":
      return `W${(stop.code & 0xff).toString(16).padStart(2, "0")}`;
    case "watchpoint":
      return `T${SIGNAL_TRAP}${stop.access === "read" ? "rwatch" : "watch"}:${stop.address.toString(16)};${thread}`;
    case "stopped":
    case "request":
      return `T${SIGNAL_INTERRUPT}${thread}`;
    case "breakpoint":
    case "limit":
    case "idle":
    case "reset":
      return `T${SIGNAL_TRAP}${thread}`;
  }
}

/** Serves one debugger until it goes; null: the guest is to go on without one. */
async function serve(guest: Guest, connection: Debugger, options: GdbOptions, host: ConsoleHost): Promise<GuestEnd | null> {
  const commands = createGdbCommands(guest, options.architecture, options.features, options.monitor);
  let acknowledges = true;
  let last = "";

  const send = (text: string): void => {
    last = writePacket(text);
    connection.send(last);
  };

  /** Runs until something stops it; input of the debugger does, whatever it is. */
  async function goOn(): Promise<GuestEnd> {
    const end = await runGuest(guest, { time: options.time, instructions: Infinity }, { ...host, isStopped: () => host.isStopped() || connection.isWaiting() });
    if (end.kind === "breakpoint" || end.kind === "watchpoint") commands.select(end.cpu);
    return end;
  }

  for (;;) {
    const input = await connection.next();
    if (input === null) return host.isStopped() ? { kind: "stopped" } : null;
    if (input.kind === "repeat") connection.send(last);
    if (input.kind === "damaged" && acknowledges) connection.send("-");
    if (input.kind === "interrupt") send(describeStop({ kind: "stopped" }, commands.selected()));
    if (input.kind !== "packet") continue;
    if (acknowledges) connection.send("+");
    const answer = commands.answer(input.text);
    switch (answer.kind) {
      case "reply":
        send(answer.text);
        break;
      case "no-acknowledgements":
        send("OK");
        acknowledges = false;
        break;
      case "continue": {
        const end = await goOn();
        // The interrupt that stopped the guest is answered by its stop; a connection that is gone has nobody to answer.
        if (end.kind === "stopped" && !host.isStopped()) break;
        send(describeStop(end, commands.selected()));
        if (end.kind === "poweroff") return end;
        break;
      }
      case "step": {
        commands.select(answer.cpu);
        const stop = guest.step(answer.cpu);
        if (stop?.kind === "reset") guest.restart();
        send(describeStop(stop ?? { kind: "limit" }, answer.cpu));
        if (stop?.kind === "poweroff") return stop;
        break;
      }
      case "detach":
        send("OK");
        return null;
      case "kill":
        return { kind: "stopped" };
    }
  }
}

/** The guest stands still until a debugger comes. Throws what the host says if the port cannot be had. */
export async function debugGuest(guest: Guest, options: GdbOptions, host: ConsoleHost): Promise<GuestEnd> {
  let arrived: Socket | null = null;
  const server = createServer((socket) => {
    // One at a time.
    if (arrived === null) arrived = socket;
    else socket.destroy();
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(options.port, LOOPBACK, resolve);
  });
  options.onListening((server.address() as AddressInfo).port);
  try {
    while (arrived === null) {
      if (host.isStopped()) return { kind: "stopped" };
      await host.wait(POLL_MS);
    }
    const connection = attach(arrived, host);
    const end = await serve(guest, connection, options, host);
    if (end !== null) {
      // The last packet has to be out before the connection goes.
      await host.wait(POLL_MS);
      connection.close();
      return end;
    }
    connection.close();
    guest.setBreakpoints([]);
    guest.processor.setWatchpoints([]);
    return await runGuest(guest, { time: options.time, instructions: Infinity }, host);
  } finally {
    server.close();
  }
}
