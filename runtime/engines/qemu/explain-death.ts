// Why a machine under QEMU is gone, as the outcome of the call that was at the front: from what the guest said last, from QEMU's exit
// status and from what it wrote on standard error. The status is the code of the exit, whichever device made it: one board may have
// several that end QEMU, each with a rule of its own for what becomes of the guest's number.

import type { CallOutcome } from "../verdict.ts";
import { outcomeOfFarewell } from "../serial/farewell.ts";
import type { Death } from "../serial/serial-link.ts";
import { isMissingCommand } from "./guest-process.ts";

/** QEMU begins its complaints with the name it was started by. */
const COMPLAINT = /^\S*qemu\S*: (?!warning)/m;
const STDERR_LINES = 12;
const LINE_LENGTH = 160;

function lastLines(text: string, count: number): readonly string[] {
  const lines = text.replace(/\s+$/, "").split(/\r?\n/);
  if (lines.length === 1 && lines[0] === "") return [];
  return lines.slice(-count).map((line) => (line.length > LINE_LENGTH ? `.. ${line.slice(-LINE_LENGTH)}` : line));
}

function titled(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [title, ...lines.map((line) => `  ${line}`)];
}

function stderrOf({ exit }: Death): readonly string[] {
  return titled("QEMU said:", lastLines(exit.stderr, STDERR_LINES));
}

/** QEMU did not get as far as running a guest: wrong options, a missing program. Nothing of that gets better by another try. */
export function isRefusal({ cause, exit, text, frames }: Death): boolean {
  if (cause.kind !== "exited" || text.length > 0 || frames.length > 0) return false;
  return isMissingCommand(exit) || (exit.code === 1 && COMPLAINT.test(exit.stderr));
}

function explainExit(death: Death): CallOutcome {
  const { exit } = death;
  const details = stderrOf(death);
  const command = `started as: ${exit.command}`;
  if (isRefusal(death)) {
    const said = lastLines(exit.stderr, 1)[0] ?? `it ended with status ${exit.code}`;
    return { kind: "lost", verdict: "error", message: `QEMU did not start: ${said}`, details: [...stderrOf(death), command] };
  }
  if (exit.signal !== null) return { kind: "lost", verdict: "crash", message: `QEMU was ended by ${exit.signal}`, details: [...details, command] };
  const status = exit.code ?? 0;
  if (COMPLAINT.test(exit.stderr) && status === 1) return { kind: "lost", verdict: "crash", message: "QEMU gave up", details: [...details, command] };
  const isReset = status === 0 && exit.isReset === true;
  return { kind: "exit", exit: { kind: isReset ? "reset" : "poweroff", code: status }, details };
}

export function explainDeath(death: Death): CallOutcome {
  const { cause } = death;
  switch (cause.kind) {
    case "exited":
      return explainExit(death);
    case "said":
      return outcomeOfFarewell(cause.frame);
    case "silent":
      return { kind: "silent", afterMs: cause.afterMs, pcs: cause.pcs, details: stderrOf(death) };
    case "flooded":
      return { kind: "lost", verdict: "crash", message: `the guest flooded the console (${cause.bytes} bytes) and was stopped`, details: [] };
    case "disorder":
      return { kind: "lost", verdict: "crash", message: cause.what, details: [] };
    case "closed":
      return { kind: "lost", verdict: "error", message: "the machine was stopped with the run", details: [] };
  }
}
