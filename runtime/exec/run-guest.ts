// Runs a guest for as long as somebody wants it to: in slices, so that the host's events come in between (typed bytes, an interrupt, a
// debugger), and in one of two times. Virtual time is as fast as the host can; wall time holds guest time back to the host's clock, for
// guests that people type into. Which instructions are executed does not depend on slices, but on when bytes arrive it does.

import type { Guest, GuestStop } from "./guest.ts";

/** The host as a running guest needs it. */
export interface ConsoleHost {
  /** ms, from anywhere on. */
  readonly now: () => number;
  /** Comes back earlier when something was typed or the user wants to stop. */
  readonly wait: (ms: number) => Promise<void>;
  /** What was typed since the last call. */
  readonly takeInput: () => Uint8Array;
  /** Whether more may come. */
  readonly hasInput: () => boolean;
  /** Called between slices, when the guest stands still and can be looked at as a whole. */
  readonly atStandstill?: () => void;
  /** The user wants to stop. */
  readonly isStopped: () => boolean;
}

export interface RunOptions {
  readonly time: "virtual" | "wall";
  /** Instructions after which the run ends; Infinity: never. */
  readonly instructions: number;
}

/** `stopped`: by the user; `idle`: every CPU waits, and nothing will ever come. */
export type GuestEnd = Exclude<GuestStop, { readonly kind: "reset" | "request" }> | { readonly kind: "stopped" };

/** Some ten ms of work: a pause that nobody notices who types. */
const SLICE = 2_000_000;
const NS_PER_MS = 1_000_000;
/** Guest time may be ahead by this much before we wait. */
const SLACK_MS = 5;
const IDLE_WAIT_MS = 1000;

export async function runGuest(guest: Guest, options: RunOptions, host: ConsoleHost): Promise<GuestEnd> {
  const { machine, processor } = guest;
  let left = options.instructions;
  /** Host time, in ms, at which guest time was zero; moved when the guest slept for longer than it was held back for. */
  let origin = host.now() - machine.now() / NS_PER_MS;
  const behind = (): number => (host.now() - origin) * NS_PER_MS;

  for (;;) {
    host.atStandstill?.();
    if (host.isStopped()) return { kind: "stopped" };
    const typed = host.takeInput();
    if (typed.length > 0) guest.receive(typed);
    const before = processor.instructions();
    const until = options.time === "wall" ? Math.max(machine.now() + 1, behind() + SLACK_MS * NS_PER_MS) : Infinity;
    const stop = guest.run({ instructions: Math.min(left, SLICE), until });
    left -= processor.instructions() - before;
    switch (stop.kind) {
      case "limit":
        if (left <= 0) return stop;
        break;
      case "reset":
        guest.restart();
        origin = host.now();
        break;
      case "idle":
        if (!host.hasInput()) return stop;
        await host.wait(IDLE_WAIT_MS);
        origin = host.now() - machine.now() / NS_PER_MS;
        break;
      case "request":
        break;
      case "poweroff":
      case "breakpoint":
      case "watchpoint":
        return stop;
    }
    const ahead = options.time === "wall" ? machine.now() / NS_PER_MS - (host.now() - origin) : 0;
    await host.wait(ahead > 0 ? ahead : 0);
  }
}
