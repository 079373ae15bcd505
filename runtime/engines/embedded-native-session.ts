// The session of the embedded engine for machine code: the image runs on the emulated board, and is driven over its console as under QEMU
// (docs/native.md, 8), but in this process and in virtual time. States are snapshots of board and CPUs, so isolation costs what a
// test dirtied, and a run that spins, waits for nothing or never answers ends at an exact instruction.

import { createGuest, type Guest, type GuestState, type GuestStop } from "../exec/guest.ts";
import type { EmbeddedTarget } from "../exec/processors.ts";
import { createFrameReader, type Phase } from "./frames.ts";
import { HOOK_LIMITS, type CallLimits } from "./limits.ts";
import { readMachineLog, type MachineLog } from "./machine-log.ts";
import { after, type MaybePromise } from "./maybe-promise.ts";
import { callLine, roundsOf } from "./serial/host-lines.ts";
import { parseSerialFrame, PROTOCOL_VERSION, type SerialFrame } from "./serial/serial-frames.ts";
import type { CallResult, EngineImage, Session } from "./session.ts";
import { readTranscript } from "./transcript.ts";
import type { CallOutcome } from "./verdict.ts";

/**
 * The guest keeps its limits itself, by its clock and in rounds of loops and calls. Whoever does not get back to its run-time, with
 * interrupts off in a loop of its own, is stopped when all of that must be over.
 */
const INSTRUCTIONS_PER_ROUND = 16;
const LATE_NS = 100_000_000;

const RS = 0x1e;
/** Frames that tell of something wrong. */
const ALARMS = new Set(["f", "t"].map((verb) => verb.charCodeAt(0)));

const utf8 = new TextEncoder();

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
  let lastByte = 0;
  let start = 0;
  let log: MachineLog | null = null;

  const reader = createFrameReader((content) => {
    const frame = parseSerialFrame(content);
    if (frame === null) return false;
    said ??= frame;
    running().processor.requestStop();
    return true;
  });

  function running(): Guest {
    if (guest === null) throw new Error("the machine is called before it is switched on");
    return guest;
  }

  function onOutput(bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (lastByte === RS && ALARMS.has(byte) && log === null) log = readMachineLog(running().machine, start);
      lastByte = byte;
    }
    reader.push(bytes);
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
      output: onOutput,
    });
    if (!created.ok) throw new Error(created.problem);
    ({ guest } = created);
  }

  /** Where each CPU is. */
  function placeOf(cpu: number): number {
    return Number(running().processor.readRegister(cpu, "pc"));
  }

  function toOutcome(stop: GuestStop, wanted: SerialFrame["verb"], isHook: boolean): CallOutcome {
    if (said !== null) {
      switch (said.verb) {
        case "unhandled":
          return { kind: "told-trap", trap: said.trap, cpu: said.cpu, details: [] };
        case "double-fault":
          return { kind: "told-double-fault", trap: said.trap, first: said.first, cpu: said.cpu, details: [] };
        case "gave-up":
          return { kind: "lost", verdict: "crash", message: `the guest's run-time gave up: ${said.text}`, details: [] };
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
        return { kind: "deadlock", pc: placeOf(0) };
      case "limit":
        return { kind: "hung", pc: placeOf(0) };
      case "request":
      case "breakpoint":
      case "watchpoint":
        throw new Error(`the machine stopped for a ${stop.kind} that nobody made`);
    }
  }

  function execute(wanted: "ready" | "called", isHook: boolean, callLimits: CallLimits, phase: Phase): CallResult {
    const { machine, processor, run } = running();
    const { timeoutNs, instructions, graceNs } = callLimits;
    const rounds = roundsOf(instructions);
    const before = processor.instructions();
    const stop = run({ instructions: rounds * INSTRUCTIONS_PER_ROUND, until: start + timeoutNs + graceNs + LATE_NS });
    const outcome = toOutcome(stop, wanted, isHook);
    const { frames, text } = reader.take(true);
    const executed = processor.instructions() - before;
    return {
      outcome,
      transcript: readTranscript(frames, phase),
      text,
      limits: { timeoutNs, instructions: rounds, graceNs, elapsedNs: said?.verb === "called" ? said.ns : machine.now() - start, executed },
      log: () => log ?? readMachineLog(machine, start),
    };
  }

  function prepare(): void {
    reader.take(true);
    said = null;
    lastByte = 0;
    log = null;
    start = running().machine.now();
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
      receive(utf8.encode(callLine(call)));
      return execute("called", call.role !== "runCase", call.limits, call.phase);
    },
    keep: () => running().save(),
    dispose: () => guest?.dispose(),
  };
}
