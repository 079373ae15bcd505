// What a guest said in one call, put in order: phases, failed checks with their values, traps, skips, infos, the end. Frames that
// make no sense here (a value without a check) are ignored rather than fatal: a broken guest is reported by what is missing.

import type { GuestStack } from "../machine/cpu-contract.ts";
import type { Frame, FrameTrap, Phase, StackWords } from "./frames.ts";
import type { SlotValue } from "./values.ts";
import type { FailedCheck } from "./failure.ts";
import type { ToldStack } from "./report-context.ts";

export type TranscriptEvent = { readonly kind: "check"; readonly phase: Phase; readonly check: FailedCheck } | TrapEvent;

interface TrapEvent {
  readonly kind: "trap";
  readonly phase: Phase;
  readonly trap: FrameTrap;
  readonly cpu: number;
  readonly stack: ToldStack;
  /** Where the other CPUs were, of a limit that was reached. */
  readonly others?: readonly GuestStack[];
}

export interface Transcript {
  readonly events: readonly TranscriptEvent[];
  readonly skip: { readonly site: number; readonly message: string | null } | null;
  readonly infos: readonly { readonly site: number; readonly message: string | null; readonly severity?: "warning" }[];
  /** Where the guest was when it stopped talking. */
  readonly phase: Phase;
  /** CPUs whose blocks went on when the test had ended. */
  readonly leftRunning: readonly number[];
  /** Null: the case never ended. */
  readonly checks: number | null;
}

interface OpenCheck extends FailedCheck {
  readonly values: Map<number, SlotValue>;
  came: FrameTrap | null;
  message: string | null;
  stack: ToldStack;
}

/** A long stack comes in several frames. */
function joinWords(before: ToldStack, { start, words }: StackWords): ToldStack {
  if (before === null) return { start, words };
  return "words" in before ? { start: before.start, words: new Map([...before.words, ...words]) } : before;
}

export function readTranscript(frames: readonly Frame[], firstPhase: Phase): Transcript {
  const events: TranscriptEvent[] = [];
  const infos: { site: number; message: string | null; severity?: "warning" }[] = [];
  const leftRunning = new Set<number>();
  let skip: { site: number; message: string | null } | null = null;
  let phase: Phase = firstPhase;
  let checks: number | null = null;
  /** What following frames belong to. */
  let check: OpenCheck | null = null;
  /** What words of the stack belong to. */
  let told: { stack: ToldStack } | null = null;
  let remark: { site: number; message: string | null; severity?: "warning" } | null = null;

  for (const frame of frames) {
    switch (frame.verb) {
      case "phase":
        phase = frame.phase;
        check = remark = null;
        break;
      case "failed":
        check = { site: frame.site, cpu: frame.cpu, values: new Map(), came: null, message: null, stack: frame.stack ?? null };
        remark = null;
        told = check;
        events.push({ kind: "check", phase, check });
        break;
      case "calls":
        if (told !== null) told.stack = joinWords(told.stack, frame.words);
        break;
      case "value":
        check?.values.set(frame.slot, { kind: "number", value: frame.value });
        break;
      case "bytes":
        check?.values.set(frame.slot, { kind: "memory", length: frame.length, bytes: frame.bytes });
        break;
      case "came":
        if (check !== null) check.came = frame.trap;
        break;
      case "message":
        if (check !== null) check.message = frame.text;
        else if (remark !== null) remark.message = frame.text;
        break;
      case "skip":
        skip = remark = { site: frame.site, message: null };
        check = null;
        break;
      case "info":
        remark = { site: frame.site, message: null };
        infos.push(remark);
        check = null;
        break;
      case "warning":
        infos.push((remark = { site: frame.site, message: null, severity: "warning" as const }));
        check = null;
        break;
      case "trap": {
        const event: { stack: ToldStack } & TrapEvent = {
          kind: "trap",
          phase,
          trap: frame.trap,
          cpu: frame.cpu,
          stack: frame.stack ?? null,
          ...(frame.others === undefined ? {} : { others: frame.others }),
        };
        told = event;
        events.push(event);
        check = remark = null;
        break;
      }
      case "left-running":
        leftRunning.add(frame.cpu);
        check = remark = null;
        break;
      case "aborted":
        check = remark = null;
        break;
      case "end":
        checks = frame.checks;
        check = remark = null;
        break;
    }
  }
  return { events, skip, infos, phase, leftRunning: [...leftRunning], checks };
}
