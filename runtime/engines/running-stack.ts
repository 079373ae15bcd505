// What is running when a guest on this machine begins to report a failure: the CPUs' executor, and on top of it those of device models
// that answer its accesses. Their calls under way, put together, go with the frame, for nobody knows them later.

import type { Executor, GuestStack } from "../machine/cpu-contract.ts";
import type { Frame } from "./frames.ts";
import type { ModelWatch } from "./guest-caller.ts";
import { trapClassName } from "./trap-names.ts";

export interface RunningStack extends ModelWatch {
  /** A call of the image begins. */
  begin(executor: Executor): void;
  annotate(frame: Frame): Frame;
}

/** An access that waits in the outer stack called the inner one. */
function joined(inner: GuestStack, outer: GuestStack | null): GuestStack {
  if (outer === null) return inner;
  const { length } = inner.pcs;
  const breaks = new Map<number, "interrupt" | "trap" | "access">(inner.breaks);
  breaks.set(length, "access");
  for (const [index, kind] of outer.breaks) breaks.set(length + index, kind);
  return { ...outer, pcs: [...inner.pcs, ...outer.pcs], breaks };
}

export function createRunningStack(): RunningStack {
  let running: { readonly executor: Executor; readonly answersAccess: boolean }[] = [];

  /** Of the executors from `depth` down to the CPUs', the topmost as `top` says it. */
  function stackFrom(depth: number, top: (executor: Executor) => GuestStack | null): GuestStack | null {
    const level = running[depth];
    if (level === undefined) return null;
    const own = top(level.executor);
    if (own === null || !level.answersAccess) return own;
    return joined(
      own,
      stackFrom(depth - 1, (executor) => executor.stack()),
    );
  }

  return {
    begin(executor) {
      running = [{ executor, answersAccess: false }];
    },
    enter(executor, answersAccess) {
      running.push({ executor, answersAccess });
    },
    leave() {
      running.pop();
    },
    annotate(frame) {
      if (frame.verb !== "failed" && frame.verb !== "trap") return frame;
      const top = running.length - 1;
      const stack = stackFrom(top, (executor) => (frame.verb === "failed" ? executor.stack() : executor.stackOfTrap(Number(frame.trap.pc), frame.cpu)));
      const told = stack === null ? frame : { ...frame, stack };
      // Where the others are says what was waited for.
      if (told.verb !== "trap" || trapClassName(told.trap.class) !== "timeout") return told;
      const others = running[top]?.executor.stacks().filter(({ cpu }) => cpu !== frame.cpu) ?? [];
      return others.length === 0 ? told : { ...told, others };
    },
  };
}
