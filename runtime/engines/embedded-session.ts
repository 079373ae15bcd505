// The session of the embedded engine: a machine in this process. Snapshots are its states, so that isolation costs the pages that a
// test dirtied. Which executor runs a call is chosen here: the interpreter is there at once and runs everything, the translation to
// WebAssembly is loaded when it pays; results are the same.

import type { Executor, ExecutorFactory, RunLimits } from "../machine/cpu-contract.ts";
import type { PlacedImage } from "../machine/load-image.ts";
import { createMachine } from "../machine/machine.ts";
import type { Snapshot } from "../machine/snapshot.ts";
import type { Phase } from "./frames.ts";
import { createGuestCaller } from "./guest-caller.ts";
import { createGuestConsole } from "./guest-console.ts";
import { HOOK_LIMITS, type CallLimits } from "./limits.ts";
import { after, type MaybePromise } from "./maybe-promise.ts";
import { bytecodeOf, type CallResult, type EngineImage, type Session } from "./session.ts";
import { readTranscript } from "./transcript.ts";

/** The executor for the next call; all sessions of an image ask one chooser, which counts what they execute. */
export interface ExecutorChooser {
  readonly oracle: ExecutorFactory;
  choose(cpus: number): MaybePromise<ExecutorFactory>;
  count(factory: ExecutorFactory, executed: number): void;
}

/** Errors of the translating executor that say nothing about the guest; by name, for its module is loaded late. */
const REPEATABLE: ReadonlySet<string> = new Set(["NeedsInterpreterError", "HostStackError"]);

/** Throws `ImageLoadError` if the image does not fit the machine. */
export function openEmbeddedSession(image: EngineImage, cpus: number, seed: bigint, chooser: ExecutorChooser): Session<Snapshot> {
  const guestConsole = createGuestConsole(() => machine);
  const machine = createMachine(image.machine, {
    cpus,
    seed,
    callGuest: (code, args, stack) => callGuest(code, args, stack),
    output(bytes, device) {
      if (device === image.machine.console) guestConsole.push(bytes);
    },
  });
  const placed: PlacedImage = machine.loadImage(bytecodeOf(image));
  const executors = new Map<string, Executor>();
  const { entry } = image.manifest;
  const callGuest = createGuestCaller(placed, machine, chooser.oracle);

  function executorOf(factory: ExecutorFactory): Executor {
    let executor = executors.get(factory.name);
    if (executor === undefined) {
      executor = factory.create(placed, machine);
      executors.set(factory.name, executor);
    }
    return executor;
  }

  function execute(factory: ExecutorFactory, functionIndex: number, args: readonly number[], callLimits: CallLimits, phase: Phase): CallResult {
    const { timeoutNs, instructions, graceNs } = callLimits;
    const executor = executorOf(factory);
    guestConsole.begin();
    const { start } = guestConsole;
    const limits: RunLimits = { deadline: start + timeoutNs, grace: graceNs, instructions };
    const outcome = executor.call(functionIndex, args, limits);
    const { frames, text } = guestConsole.take(true);
    const executed = executor.instructions();
    chooser.count(factory, executed);
    return {
      outcome,
      transcript: readTranscript(frames, phase),
      text,
      limits: { timeoutNs, instructions, graceNs, elapsedNs: machine.now() - start, executed },
      log: () => guestConsole.log(),
    };
  }

  return {
    // Always by the interpreter: boot is short, and it cannot be repeated.
    boot: () => execute(chooser.oracle, entry.boot, [], HOOK_LIMITS, "setup"),
    call: (snapshot, { role, args, seed: callSeed, limits, phase, onStart }) =>
      after(chooser.choose(cpus), (factory) => {
        onStart?.();
        machine.restore(snapshot, { seed: callSeed });
        try {
          return execute(factory, entry[role], args, limits, phase);
        } catch (error) {
          // From a snapshot a call is repeatable: what the translation cannot run is run again by the interpreter.
          if (factory === chooser.oracle || !(error instanceof Error) || !REPEATABLE.has(error.name)) throw error;
          machine.restore(snapshot, { seed: callSeed });
          return execute(chooser.oracle, entry[role], args, limits, phase);
        }
      }),
    keep: () => machine.snapshot(),
    dispose: () => machine.dispose(),
  };
}
