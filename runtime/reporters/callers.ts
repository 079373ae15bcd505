// How a report words the callers of what failed (runtime/events.ts). Text reports all say the same, each with its own layout around it.

import type { Caller, Failure } from "../events.ts";
import { groupDigits } from "./quantities.ts";

const WORDS = {
  call: "called from",
  interrupt: "in an interrupt that came in",
  trap: "while a trap was handled that was taken in",
  access: "to answer an access made in",
} as const;

/** `called from outer (spec.gspec:8:3)`; `hasPlace` false: the place stands beside it. */
export function describeCaller(caller: Caller, hasPlace = true): string {
  switch (caller.kind) {
    case "call":
    case "interrupt":
    case "trap":
    case "access":
      return `${WORDS[caller.kind]} ${caller.name}${hasPlace ? ` (${caller.path}:${caller.line}:${caller.column})` : ""}`;
    case "more": {
      const calls = `... ${groupDigits(caller.calls)} more ${caller.calls === 1 ? "call" : "calls"}`;
      return caller.names.length === 0 ? calls : `${calls} of ${caller.names.join(", ")}`;
    }
    case "end":
      return caller.text;
  }
}

/** Behind the place of a failure in a list: `, from spec.gspec:13`. */
export function briefCaller(callers: Failure["callers"]): string {
  const outermost = (callers ?? []).findLast((caller) => caller.kind === "call");
  return outermost === undefined || outermost.kind !== "call" ? "" : `, from ${outermost.path}:${outermost.line}`;
}
