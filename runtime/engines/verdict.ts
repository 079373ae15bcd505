// From how a call ended and what the guest said to a verdict and its failures. A guest is believed only as far as its frames are
// whole: a case that did not report its end has not passed, whatever it printed. Severity never goes down.

import { TRAP_CLASSES } from "../../isa/bytecode/instructions.ts";
import type { MachineExit } from "../devices/device.ts";
import { VERDICTS, type Failure, type Verdict } from "../events.ts";
import type { GuestStack, Outcome, TrapRecord } from "../machine/cpu-contract.ts";
import { calledInLibrary, callersOfTrap, describeStack } from "./call-chain.ts";
import { describeCheck, describePc, describeTrap, makeFailure, summariseTrap } from "./failure.ts";
import type { FrameTrap } from "./frames.ts";
import type { ReportContext, ToldStack } from "./report-context.ts";
import type { Transcript } from "./transcript.ts";
import { trapClassName } from "./trap-names.ts";
import { formatDuration } from "./values.ts";

export interface Judgement {
  readonly verdict: Verdict;
  readonly failures: readonly Failure[];
}

/** Which limit a `timeout` trap means, for its message. */
export interface LimitsInForce {
  readonly timeoutNs: number;
  readonly instructions: number;
  readonly graceNs: number;
  /** Guest time and instructions that the call took. */
  readonly elapsedNs: number;
  /** 0 where nobody counts them. */
  readonly executed: number;
}

/** Endings that only machines outside of this process have: the guest tells them in frames, or the process is seen to be gone. */
export type OutsideOutcome =
  | { readonly kind: "exit"; readonly exit: MachineExit; readonly details: readonly string[] }
  | { readonly kind: "told-trap"; readonly trap: FrameTrap; readonly cpu: number; readonly details: readonly string[] }
  | { readonly kind: "told-double-fault"; readonly trap: FrameTrap; readonly first: FrameTrap; readonly cpu: number; readonly details: readonly string[] }
  /** No end of the call within a wall-clock limit; `pcs` where each CPU was then, none if nobody could be asked. */
  | { readonly kind: "silent"; readonly afterMs: number; readonly pcs: readonly bigint[]; readonly details: readonly string[] }
  /** The machine is gone or useless for a reason of its own. */
  | { readonly kind: "lost"; readonly verdict: "crash" | "error"; readonly message: string; readonly details: readonly string[] };

export type CallOutcome = Outcome | OutsideOutcome;

export function worst(verdicts: readonly Verdict[]): Verdict {
  return VERDICTS.find((verdict) => verdicts.includes(verdict)) ?? "pass";
}

function groupThousands(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** Time and instructions run together; idle time sets them apart. */
function describeLimit(limits: LimitsInForce): string {
  if (limits.elapsedNs >= limits.timeoutNs) return `the limit of ${formatDuration(limits.timeoutNs)} of guest time was reached`;
  // Machine code counts rounds of loops and calls only.
  if (limits.executed === 0) return `the limit of ${groupThousands(limits.instructions)} rounds of loops and calls was reached`;
  return `the limit of ${groupThousands(limits.instructions)} instructions was reached`;
}

function toFrameTrap(trap: TrapRecord): FrameTrap {
  return { class: TRAP_CLASSES.indexOf(trap.class), pc: BigInt(trap.pc), address: trap.address, access: trap.access, width: trap.width, value: trap.value };
}

/** Where the CPUs beside one were. */
function describeOthers(context: ReportContext, stacks: readonly GuestStack[], cpu: number): readonly string[] {
  return stacks.flatMap((stack) => {
    const place = stack.cpu === cpu ? null : describeStack(context, stack);
    return place === null ? [] : [`cpu ${stack.cpu} was in ${place}`];
  });
}

/** Of a machine that was stopped: CPU 0 and how it got there, and where the others were. */
function describeStopped(context: ReportContext, pc: number, stacks: readonly GuestStack[], label: string) {
  const first = stacks.find(({ cpu }) => cpu === 0) ?? null;
  const told = (first === null ? null : calledInLibrary(context, first)) ?? BigInt(pc);
  const { text, frame } = describePc(context, told, label);
  return { text, rest: { frame, details: describeOthers(context, stacks, 0), ...callersOfTrap(context, first, told) } };
}

/** A trap that ended a phase, told by the guest or seen by the machine. */
function judgeTrap(
  context: ReportContext,
  trap: FrameTrap,
  cpu: number,
  phase: string,
  limits: LimitsInForce,
  stack: ToldStack = null,
  others: readonly GuestStack[] = [],
): Judgement {
  const failure = describeTrap(context, trap, cpu, phase, stack);
  if (trapClassName(trap.class) !== "timeout") return { verdict: "crash", failures: [failure] };
  const message = failure.message.replace("the time limit was reached", describeLimit(limits));
  return { verdict: "timeout", failures: [{ ...failure, message, details: [...failure.details, ...describeOthers(context, others, cpu)] }] };
}

/** How a test that is to end the machine (`@exits`) ended, against what it promised; null: it ended as any other. */
function judgeExit(outcome: CallOutcome, transcript: Transcript, expected: string | null): Judgement | null {
  if (expected === null || transcript.skip !== null) return null;
  const promise = expected === "reset" ? "reset the machine" : `power the machine off with code ${expected}`;
  // A failed check or a trap may have ended it before.
  if (outcome.kind === "returned" && transcript.events.length > 0) return null;
  if (outcome.kind === "returned") return { verdict: "fail", failures: [makeFailure("error", `the test was expected to ${promise}, but it ended`)] };
  if (outcome.kind !== "exit" || transcript.phase !== "body") return null;
  const { kind, code } = outcome.exit;
  if (expected === (kind === "reset" ? "reset" : String(code))) return { verdict: "pass", failures: [] };
  const did = kind === "reset" ? "reset it" : `powered it off with code ${code}`;
  return { verdict: "fail", failures: [makeFailure("error", `the test was expected to ${promise}, but it ${did}`)] };
}

function judgeDoubleFault(context: ReportContext, trap: FrameTrap, before: FrameTrap, cpu: number, phase: string, stack: ToldStack = null): Judgement {
  const second = describeTrap(context, trap, cpu, phase);
  const first = describeTrap(context, before, cpu, phase, stack);
  const message = `double fault${phase === "body" ? "" : ` during ${phase}`}: ${summariseTrap(context, trap)} while handling ${summariseTrap(context, before)}`;
  const related = second.frame === null ? [] : [{ text: "then, in the handler", frame: second.frame }];
  return { verdict: "crash", failures: [{ ...first, kind: "double-fault", message, related }] };
}

function judgeOutcome(context: ReportContext, outcome: CallOutcome, transcript: Transcript, limits: LimitsInForce): Judgement | null {
  const during = transcript.phase === "body" ? "" : ` during ${transcript.phase}`;
  switch (outcome.kind) {
    case "returned":
      return null;
    case "exit": {
      const { kind, code } = outcome.exit;
      const what = kind === "reset" ? "reset the machine" : `powered the machine off with code ${code}`;
      const details = "details" in outcome ? outcome.details : [];
      return { verdict: "crash", failures: [makeFailure("error", `the guest ${what}${during}, before the test had ended`, { details })] };
    }
    case "unhandled-trap": {
      return judgeTrap(context, toFrameTrap(outcome.trap), outcome.trap.cpu, transcript.phase, limits);
    }
    case "told-trap": {
      const { verdict, failures } = judgeTrap(context, outcome.trap, outcome.cpu, transcript.phase, limits);
      return { verdict, failures: failures.map((failure) => ({ ...failure, details: [...failure.details, ...outcome.details] })) };
    }
    case "double-fault":
      return judgeDoubleFault(context, toFrameTrap(outcome.trap), toFrameTrap(outcome.first), outcome.trap.cpu, transcript.phase, outcome.stack ?? null);
    case "told-double-fault": {
      const { verdict, failures } = judgeDoubleFault(context, outcome.trap, outcome.first, outcome.cpu, transcript.phase);
      return { verdict, failures: failures.map((failure) => ({ ...failure, details: [...failure.details, ...outcome.details] })) };
    }
    case "deadlock": {
      const { text, rest } = describeStopped(context, outcome.pc, outcome.stacks ?? [], "waits here");
      const message = `deadlock${during}: every CPU waits and no device event is pending, ${text}`;
      return { verdict: "hung", failures: [makeFailure("deadlock", message, rest)] };
    }
    case "hung": {
      const { text, rest } = describeStopped(context, outcome.pc, outcome.stacks ?? [], "was running here");
      const message = `hung${during}: still running ${formatDuration(limits.graceNs)} after ${describeLimit(limits)}, ${text}`;
      return { verdict: "hung", failures: [makeFailure("hung", message, rest)] };
    }
    case "silent": {
      const [place, ...others] = outcome.pcs.map((pc) => describePc(context, pc, "was running here"));
      const where = place === undefined ? "" : `, ${place.text}`;
      const elsewhere = others.map(({ text, frame }, index) => `cpu ${index + 1} was ${text}${frame === null ? "" : ` (${frame.path}:${frame.line})`}`);
      const message = `hung${during}: no end after ${formatDuration(outcome.afterMs * 1e6)} of wall time, the machine was stopped${where}`;
      return { verdict: "hung", failures: [makeFailure("hung", message, { frame: place?.frame ?? null, details: [...elsewhere, ...outcome.details] })] };
    }
    case "lost":
      return { verdict: outcome.verdict, failures: [makeFailure("error", `${outcome.message}${during}`, { details: outcome.details })] };
  }
}

const NOTHING_TOLD: Judgement = { verdict: "pass", failures: [] };

/** The failures that the guest told itself. */
function judgeTranscript(context: ReportContext, transcript: Transcript, limits: LimitsInForce): Judgement {
  if (transcript.events.length === 0) return NOTHING_TOLD;
  const judgements = transcript.events.map((event): Judgement => {
    if (event.kind === "trap") return judgeTrap(context, event.trap, event.cpu, event.phase, limits, event.stack, event.others);
    return { verdict: "fail", failures: [describeCheck(context, event.check, event.phase)] };
  });
  const [first, ...others] = judgements.flatMap(({ failures }) => failures);
  const details = transcript.leftRunning.map((cpu) => `cpu ${cpu} had not ended its block when the test ended, and was left running`);
  const failures = first === undefined ? [] : [{ ...first, details: [...first.details, ...details] }, ...others];
  return { verdict: worst(judgements.map(({ verdict }) => verdict)), failures };
}

/** `expectsEnd`: false for set-up and teardown of a suite or table, which report failures only. `exits`: the test's `@exits`. */
export function judge(
  context: ReportContext,
  outcome: CallOutcome,
  transcript: Transcript,
  limits: LimitsInForce,
  expectsEnd: boolean,
  exits: string | null = null,
): Judgement {
  const told = judgeTranscript(context, transcript, limits);
  const ended = judgeExit(outcome, transcript, exits) ?? judgeOutcome(context, outcome, transcript, limits);
  if (ended !== null) return { verdict: worst([told.verdict, ended.verdict]), failures: [...told.failures, ...ended.failures] };
  if (expectsEnd && transcript.checks === null) {
    const failure = makeFailure(
      "error",
      `the guest returned during ${transcript.phase} without reporting the end of the test: its memory or console may be damaged`,
    );
    return { verdict: worst([told.verdict, "crash"]), failures: [...told.failures, failure] };
  }
  if (told.failures.length > 0) return told;
  return { verdict: transcript.skip === null ? "pass" : "skip", failures: [] };
}
