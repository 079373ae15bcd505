// The lines that a host sends to a machine behind a serial line: docs/native.md, section 8. Numbers are hexadecimal without prefix,
// lines end with LF. The other direction is serial-frames.ts.

import type { EntryCall, EntryRole } from "../session.ts";

const ENTRY_NUMBERS: Readonly<Record<EntryRole, number>> = { suiteSetup: 0, suiteTeardown: 1, tableSetup: 2, tableTeardown: 3, runCase: 4 };

/** Calls of a loop's start or of a function between two polls of the guest. */
const FUEL = 65_536;
/**
 * Machine code counts rounds of loops and calls, not instructions, and waits for the host's time by looping where the embedded machine
 * skips idle time: so it gets more of its unit than that gets instructions.
 */
const ROUNDS_PER_INSTRUCTION = 4;

/** What a limit in instructions is to machine code, in rounds of loops and calls. */
export function roundsOf(instructions: number): number {
  return instructions * ROUNDS_PER_INSTRUCTION;
}

/** A line as it is sent. All of them are ASCII, and a test has one each: an encoder costs several times as much. */
export function lineBytes(line: string): Uint8Array {
  const bytes = new Uint8Array(line.length);
  for (let at = 0; at < line.length; at++) bytes[at] = line.charCodeAt(at);
  return bytes;
}

const hex = (value: number | bigint): string => value.toString(16);

export function callLine({ role, args, seed, limits }: EntryCall): string {
  const [a = 0, b = 0] = args;
  const polls = Math.ceil(roundsOf(limits.instructions) / FUEL);
  return `c ${ENTRY_NUMBERS[role]} ${hex(a)} ${hex(b)} ${hex(BigInt.asUintN(64, seed))} ${hex(limits.timeoutNs)} ${hex(polls)}\n`;
}

export function keepLine(level: number): string {
  return `k ${hex(level)}\n`;
}

export function restoreLine(level: number): string {
  return `r ${hex(level)}\n`;
}

export function loadLine(payload: number): string {
  return `l ${hex(payload)}\n`;
}
