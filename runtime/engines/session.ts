// What an engine is to those who run cases: a machine with one image, booted once, whose entry points can be called and whose states
// can be kept and called from. The machine in this process answers at once, one behind a serial line later; what a call means for a
// verdict is case-engine.ts, and the same for both.

import type { Manifest } from "../../compiler/images/manifest.ts";
import type { RunnableImage } from "../../compiler/native/native-image.ts";
import type { Module } from "../../isa/bytecode/module.ts";
import type { MachineDescription } from "../../machines/description.ts";
import type { Phase } from "./frames.ts";
import type { CallLimits } from "./limits.ts";
import type { MachineLog } from "./machine-log.ts";
import type { MaybePromise } from "./maybe-promise.ts";
import type { Transcript } from "./transcript.ts";
import type { CallOutcome, LimitsInForce } from "./verdict.ts";

/** Plain data: it travels to workers. */
export interface EngineImage {
  /** Guest bytecode. Absent: only the machine code made of it is there. */
  readonly module?: Module;
  readonly manifest: Manifest;
  readonly machine: MachineDescription;
  /** `embedded`, `qemu`, or a VMM of the project by its name. Absent: the embedded one. */
  readonly engine?: string;
  /** The machine code made of the module, for engines that run such. */
  readonly native?: RunnableImage;
  /** Of an engine that is another program, if somebody asks. */
  readonly engineVersion?: string;
  /** Why its engine is not there, and what would bring it: its tests are skipped with that reason. */
  readonly unavailable?: string;
  /** What a command line needs to have it among others: ` --target riscv64`. */
  readonly reproFlags?: string;
}

export function bytecodeOf({ module, manifest }: Pick<EngineImage, "module" | "manifest">): Module {
  if (module === undefined) throw new Error(`the image of ${manifest.files[0]} has machine code only`);
  return module;
}

export function engineOf(image: Pick<EngineImage, "engine">): string {
  return image.engine ?? "embedded";
}

/** Entry points by their role in the manifest. */
export type EntryRole = Exclude<keyof Manifest["entry"], "boot" | "main">;

export interface EntryCall {
  readonly role: EntryRole;
  readonly args: readonly number[];
  readonly seed: bigint;
  readonly limits: CallLimits;
  /** The phase it begins in. */
  readonly phase: Phase;
  /** Nothing is sent ahead behind it: it may look at the console's receiver, where that would lie, or leave a CPU running. */
  readonly isAlone: boolean;
  /** Told when a machine that is given calls ahead gets to this one. */
  readonly onStart?: () => void;
}

export interface CallResult {
  readonly outcome: CallOutcome;
  readonly transcript: Transcript;
  readonly text: Uint8Array;
  readonly limits: LimitsInForce;
  /** What the call took on the host's clock, where that is not the time from the call to its result. */
  readonly wallMs?: number;
  /** The logs when the guest began to report its first failure, else at the end. */
  log(): MachineLog;
}

export interface Session<State> {
  /** From power-on to where the first state can be kept; first, and once. */
  boot(): MaybePromise<CallResult>;
  /** Several may be on their way; they run in the order in which they were made. */
  call(from: State, call: EntryCall): MaybePromise<CallResult>;
  /** What the last call that has ended left behind; asked for before the next one is made. */
  keep(): State;
  dispose(): void;
}
