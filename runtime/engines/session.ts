// One machine with one image, booted once. Snapshots are its levels: after boot, after a suite's set-up, after a table's; each test
// starts from the deepest level that applies, so isolation costs the pages the test dirtied. A session knows calls and snapshots
// only; what a call means for a verdict is embedded.ts.

import type { Manifest } from "../../compiler/images/manifest.ts";
import type { Module } from "../../isa/bytecode/module.ts";
import type { MachineDescription } from "../../machines/description.ts";
import type { Executor, ExecutorFactory, Outcome, RunLimits } from "../machine/cpu-contract.ts";
import type { PlacedImage } from "../machine/load-image.ts";
import { createMachine } from "../machine/machine.ts";
import type { Snapshot } from "../machine/snapshot.ts";
import { createFrameReader, type Phase } from "./frames.ts";
import { readMachineLog, type MachineLog } from "./machine-log.ts";
import { readTranscript, type Transcript } from "./transcript.ts";
import type { LimitsInForce } from "./verdict.ts";

export interface EngineImage {
  readonly module: Module;
  readonly manifest: Manifest;
  readonly machine: MachineDescription;
}

/** A limit in guest time and one in instructions; `grace` is what cleanups get beyond them. */
export interface CallLimits {
  readonly timeoutNs: number;
  readonly instructions: number;
  readonly graceNs: number;
}

export interface CallResult {
  readonly outcome: Outcome;
  readonly transcript: Transcript;
  readonly text: Uint8Array;
  readonly limits: LimitsInForce;
  /** The logs when the guest began to report its first failure, else at the end. */
  log(): MachineLog;
}

export interface Session {
  call(factory: ExecutorFactory, functionIndex: number, args: readonly number[], limits: CallLimits, phase: Phase): CallResult;
  snapshot(): Snapshot;
  restore(snapshot: Snapshot, seed: bigint): void;
  dispose(): void;
}

const RS = 0x1e;
/** Frames that tell of something wrong. */
const ALARMS = new Set(["f", "t"].map((verb) => verb.charCodeAt(0)));

/** Throws `ImageLoadError` if the image does not fit the machine. */
export function openSession(image: EngineImage, cpus: number, seed: bigint): Session {
  const reader = createFrameReader();
  let lastByte = 0;
  let start = 0;
  let log: MachineLog | null = null;
  const machine = createMachine(image.machine, {
    cpus,
    seed,
    output(bytes, device) {
      if (device !== image.machine.console) return;
      for (const byte of bytes) {
        if (lastByte === RS && ALARMS.has(byte) && log === null) log = readMachineLog(machine, start);
        lastByte = byte;
      }
      reader.push(bytes);
    },
  });
  const placed: PlacedImage = machine.loadImage(image.module);
  const executors = new Map<string, Executor>();

  function executorOf(factory: ExecutorFactory): Executor {
    let executor = executors.get(factory.name);
    if (executor === undefined) {
      executor = factory.create(placed, machine);
      executors.set(factory.name, executor);
    }
    return executor;
  }

  return {
    call(factory, functionIndex, args, { timeoutNs, instructions, graceNs }, phase) {
      const executor = executorOf(factory);
      reader.take(true);
      lastByte = 0;
      log = null;
      start = machine.now();
      const limits: RunLimits = { deadline: start + timeoutNs, grace: graceNs, instructions };
      const outcome = executor.call(functionIndex, args, limits);
      const { frames, text } = reader.take(true);
      return {
        outcome,
        transcript: readTranscript(frames, phase),
        text,
        limits: { timeoutNs, instructions, graceNs, elapsedNs: machine.now() - start, executed: executor.instructions() },
        log: () => log ?? readMachineLog(machine, start),
      };
    },
    snapshot: () => machine.snapshot(),
    restore: (snapshot, newSeed) => machine.restore(snapshot, { seed: newSeed }),
    dispose: () => machine.dispose(),
  };
}
