// The session of the embedded engine for machine code: the image runs on the emulated board, and is driven over its console as under QEMU
// (docs/native.md, 8), but in this process and in virtual time. States are snapshots of board and CPUs, so isolation costs what a
// test dirtied, and a run that spins, waits for nothing or never answers ends at an exact instruction.

import { createGuest, type Guest, type GuestState, type GuestStop } from "../exec/guest.ts";
import type { EmbeddedTarget } from "../exec/processors.ts";
import type { GuestStack } from "../machine/cpu-contract.ts";
import type { Phase } from "./frames.ts";
import { createGuestConsole } from "./guest-console.ts";
import { HOOK_LIMITS, type CallLimits } from "./limits.ts";
import { after, type MaybePromise } from "./maybe-promise.ts";
import { callLine, lineBytes, roundsOf } from "./serial/host-lines.ts";
import { outcomeOfFarewell } from "./serial/farewell.ts";
import { parseSerialFrame, PROTOCOL_VERSION, type SerialFrame } from "./serial/serial-frames.ts";
import type { CallResult, EngineImage, Session } from "./session.ts";
import { readTranscript } from "./transcript.ts";
import { trapClassName } from "./trap-names.ts";
import type { CallOutcome } from "./verdict.ts";

/**
 * The guest keeps its limits itself, by its clock and in rounds of loops and calls. Whoever does not get back to its run-time, with
 * interrupts off in a loop of its own, is stopped when all of that must be over.
 */
const INSTRUCTIONS_PER_ROUND = 16;
const LATE_NS = 100_000_000;

/** `loadTarget`: the CPUs of the image's instruction set. Throws if the image does not fit the machine. */
export function openNativeSession(
  image: EngineImage,
  cpus: number,
  seed: bigint,
  loadTarget: (target: string) => Promise<EmbeddedTarget>,
): Session<GuestState> {
  const { native, machine: description } = image;
  if (native === undefined) throw new Error(`an image for ${description.name} has no machine code`);
  let guest: Guest | null = null;
  let said: SerialFrame | null = null;

  const guestConsole = createGuestConsole(
    () => running().machine,
    (content) => {
      const frame = parseSerialFrame(content);
      if (frame === null) return false;
      said ??= frame;
      running().processor.requestStop();
      return true;
    },
    (frame) => (cpus > 1 && frame.verb === "trap" && trapClassName(frame.trap.class) === "timeout" ? { ...frame, others: places() } : frame),
  );

  function running(): Guest {
    if (guest === null) throw new Error("the machine is called before it is switched on");
    return guest;
  }

  async function powerOn(): Promise<void> {
    const { load, cpuProperties } = await loadTarget(description.target);
    const created = createGuest({
      description,
      cpus,
      seed,
      createProcessor: await load(),
      boot: {
        image: { name: image.manifest.files[0] ?? "image", program: { kind: "raw", bytes: native?.bytes ?? new Uint8Array() } },
        commandLine: "host=serial",
        cpuProperties,
      },
      output: (bytes) => guestConsole.push(bytes),
    });
    if (!created.ok) throw new Error(created.problem);
    ({ guest } = created);
  }

  /** Where each CPU is. */
  function placeOf(cpu: number): number {
    return Number(running().processor.readRegister(cpu, "pc"));
  }

  /** Of the CPUs beside the first: what their stacks hold is not looked at. */
  function places(): readonly GuestStack[] {
    return Array.from({ length: cpus - 1 }, (_, index) => ({ cpu: index + 1, pcs: [placeOf(index + 1)], breaks: new Map(), lost: null }));
  }

  function toOutcome(stop: GuestStop, wanted: SerialFrame["verb"], isHook: boolean): CallOutcome {
    if (said !== null) {
      switch (said.verb) {
        case "unhandled":
        case "double-fault":
        case "gave-up":
          return outcomeOfFarewell(said);
        case "called":
          if (wanted === "called") return { kind: "returned", values: isHook ? [said.value] : [] };
          break;
        case "ready":
          if (wanted === "ready" && said.version === PROTOCOL_VERSION) return { kind: "returned", values: [] };
          if (wanted === "called") return { kind: "lost", verdict: "crash", message: "the guest started anew", details: [] };
          break;
        case "kept":
          break;
      }
      return { kind: "lost", verdict: "crash", message: `the guest said \`${said.verb}\` when it was to say \`${wanted}\``, details: [] };
    }
    switch (stop.kind) {
      case "poweroff":
        return { kind: "exit", exit: { kind: "poweroff", code: stop.code }, details: [] };
      case "reset":
        return { kind: "exit", exit: { kind: "reset", code: 0 }, details: [] };
      case "idle":
        return { kind: "deadlock", pc: placeOf(0), stacks: places() };
      case "limit":
        return { kind: "hung", pc: placeOf(0), stacks: places() };
      case "request":
      case "breakpoint":
      case "watchpoint":
        throw new Error(`the machine stopped for a ${stop.kind} that nobody made`);
    }
  }

  function execute(wanted: "ready" | "called", isHook: boolean, callLimits: CallLimits, phase: Phase): CallResult {
    const { machine, processor, run } = running();
    const { start } = guestConsole;
    const { timeoutNs, instructions, graceNs } = callLimits;
    const rounds = roundsOf(instructions);
    const before = processor.instructions();
    const stop = run({ instructions: rounds * INSTRUCTIONS_PER_ROUND, until: start + timeoutNs + graceNs + LATE_NS });
    const outcome = toOutcome(stop, wanted, isHook);
    const { frames, text } = guestConsole.take(true);
    const executed = processor.instructions() - before;
    return {
      outcome,
      transcript: readTranscript(frames, phase),
      text,
      limits: { timeoutNs, instructions: rounds, graceNs, elapsedNs: said?.verb === "called" ? said.ns : machine.now() - start, executed },
      log: () => guestConsole.log(),
    };
  }

  function prepare(): void {
    said = null;
    guestConsole.begin();
  }

  return {
    boot: (): MaybePromise<CallResult> =>
      after(powerOn(), () => {
        prepare();
        return execute("ready", false, HOOK_LIMITS, "setup");
      }),
    call(state, call) {
      const { restore, receive } = running();
      call.onStart?.();
      restore(state, call.seed);
      prepare();
      receive(lineBytes(callLine(call)));
      return execute("called", call.role !== "runCase", call.limits, call.phase);
    },
    keep: () => running().save(),
    dispose: () => guest?.dispose(),
  };
}
