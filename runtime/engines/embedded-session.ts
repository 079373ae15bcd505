// The session of the embedded engine: a machine in this process. Snapshots are its states, so that isolation costs the pages that a
// test dirtied. Which executor runs a call is chosen here: the interpreter is there at once and runs everything, the translation to
// WebAssembly is loaded when it pays; results are the same.

import type { Executor, ExecutorFactory, GuestStack, Outcome, RunLimits } from "../machine/cpu-contract.ts";
import type { PlacedImage } from "../machine/load-image.ts";
import { createMachine } from "../machine/machine.ts";
import type { Snapshot } from "../machine/snapshot.ts";
import type { Phase } from "./frames.ts";
import { createGuestCaller } from "./guest-caller.ts";
import { createGuestConsole } from "./guest-console.ts";
import { createRunningStack } from "./running-stack.ts";
import { HOOK_LIMITS, type CallLimits } from "./limits.ts";
import { after, type MaybePromise } from "./maybe-promise.ts";
import { bytecodeOf, type CallResult, type EngineImage, type Session } from "./session.ts";
import { readTranscript, type TranscriptEvent } from "./transcript.ts";

/** The executor for the next call; all sessions of an image ask one chooser, which counts what they execute. */
export interface ExecutorChooser {
  readonly oracle: ExecutorFactory;
  choose(cpus: number): MaybePromise<ExecutorFactory>;
  count(factory: ExecutorFactory, executed: number): void;
}

/** Errors of the translating executor that say nothing about the guest; by name, for its module is loaded late. */
const REPEATABLE: ReadonlySet<string> = new Set(["NeedsInterpreterError", "HostStackError"]);

/** What the interpreter executes in less than a second; a test that reaches its usual limit has less. */
const REPEATED_INSTRUCTIONS = 30_000_000;
const NOT_REPEATED = `callers are not known: more than ${REPEATED_INSTRUCTIONS / 1e6} million instructions to run again (\`--executor interpreter\` tells)`;

/** It has a failure whose callers somebody wants to know. */
function hasStory({ transcript, outcome }: CallResult): boolean {
  return transcript.events.length > 0 || outcome.kind === "deadlock" || outcome.kind === "hung" || outcome.kind === "double-fault";
}

/** Where each CPU stood when it was stopped, or how the trap was reached that was being handled. */
function withStacks(outcome: Outcome, executor: Executor): Outcome {
  if (outcome.kind === "deadlock" || outcome.kind === "hung") return { ...outcome, stacks: executor.stacks() };
  if (outcome.kind !== "double-fault") return outcome;
  const { pc, cpu } = outcome.first;
  return { ...outcome, stack: executor.stackOfTrap(pc, cpu) };
}

function withoutStacks(result: CallResult): CallResult {
  const events = result.transcript.events.map((event): TranscriptEvent => {
    if (event.kind === "trap") return { ...event, stack: lostStack(event.cpu, Number(event.trap.pc)) };
    return { ...event, check: { ...event.check, stack: lostStack(event.check.cpu, null) } };
  });
  return { ...result, transcript: { ...result.transcript, events } };
}

function lostStack(cpu: number, pc: number | null): GuestStack {
  return { cpu, pcs: pc === null ? [] : [pc], breaks: new Map(), lost: NOT_REPEATED };
}

/** Throws `ImageLoadError` if the image does not fit the machine. */
export function openEmbeddedSession(image: EngineImage, cpus: number, seed: bigint, chooser: ExecutorChooser): Session<Snapshot> {
  const running = createRunningStack();
  const guestConsole = createGuestConsole(
    () => machine,
    undefined,
    (frame) => running.annotate(frame),
  );
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
  const callGuest = createGuestCaller(placed, machine, chooser.oracle, running);

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
    running.begin(executor);
    guestConsole.begin();
    const { start } = guestConsole;
    const limits: RunLimits = { deadline: start + timeoutNs, grace: graceNs, instructions };
    const outcome = withStacks(executor.call(functionIndex, args, limits), executor);
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
        const run = (executor: ExecutorFactory): CallResult => {
          machine.restore(snapshot, { seed: callSeed });
          return execute(executor, entry[role], args, limits, phase);
        };
        if (factory === chooser.oracle) return run(factory);
        let result: CallResult;
        try {
          result = run(factory);
        } catch (error) {
          // From a snapshot a call is repeatable: what the translation cannot run is run again by the interpreter.
          if (!(error instanceof Error) || !REPEATABLE.has(error.name)) throw error;
          return run(chooser.oracle);
        }
        // So is a failure, to tell how it was reached: the translation has its calls on the host's stack.
        if (!hasStory(result)) return result;
        return result.limits.executed <= REPEATED_INSTRUCTIONS ? run(chooser.oracle) : withoutStacks(result);
      }),
    keep: () => machine.snapshot(),
    dispose: () => machine.dispose(),
  };
}
