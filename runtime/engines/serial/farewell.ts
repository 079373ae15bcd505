// What the last frame of a machine that cannot go on means for the call that was under way, whichever engine made the machine.

import type { CallOutcome } from "../verdict.ts";
import type { SerialFrame } from "./serial-frames.ts";

/** Frames after which nothing comes. */
export type Farewell = SerialFrame & { readonly verb: "unhandled" | "double-fault" | "gave-up" };

export function outcomeOfFarewell(frame: Farewell): CallOutcome {
  switch (frame.verb) {
    case "unhandled":
      return { kind: "told-trap", trap: frame.trap, cpu: frame.cpu, details: [] };
    case "double-fault":
      return { kind: "told-double-fault", trap: frame.trap, first: frame.first, cpu: frame.cpu, details: [] };
    case "gave-up":
      return { kind: "lost", verdict: "crash", message: `the guest's run-time gave up: ${frame.text}`, details: [] };
  }
}
