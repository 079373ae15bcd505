// The machine's logs as lines of a failure report: last device accesses, interrupt wires, and what devices said about the guest's
// mistakes. Times count from the start of the test, which is what its author can reason about. The guest reports over the console,
// so the log is taken when a report begins, and the accesses that carry the report itself are left out.

import type { InterruptEvent, Machine } from "../machine/machine.ts";
import type { MachineDescription } from "../../machines/description.ts";
import type { AccessRecord } from "../machine/bus.ts";
import { formatAddress, formatDuration, formatHex } from "./values.ts";

export interface MachineLog {
  readonly accesses: readonly string[];
  readonly interrupts: readonly string[];
  readonly messages: readonly string[];
}

const SHOWN = 8;
const SHOWN_MESSAGES = 4;
const RS = 0x1e;

function formatTime(time: number, start: number): string {
  return formatDuration(Math.max(0, time - start)).padStart(10);
}

/** Devices of which one window is mapped: it needs no name. */
function singleWindows(description: MachineDescription): ReadonlySet<string> {
  return new Set(description.devices.filter(({ at, pci }) => pci === null && at.length === 1).map(({ name }) => name));
}

function formatAccess(access: AccessRecord, start: number, single: ReadonlySet<string>): string {
  const { device, region, offset, width, direction, value, fault, origin, space } = access;
  const named = region === null || device === null || single.has(device) ? "" : `.${region}`;
  const place = device === null ? `${space === "port" ? "port " : ""}${formatAddress(access.address)}` : `${device}${named}+0x${offset.toString(16)}`;
  const result = fault ? (device === null ? "nothing there" : "refused") : value === null ? "?" : formatHex(BigInt(value), width * 8);
  const who = origin === "dma" ? "dma " : "";
  return `${formatTime(access.time, start)}  ${`${who}${direction}`.padEnd(5)}  ${place}  width ${width} ${fault ? ":" : "="} ${result}`;
}

function formatInterrupt(event: InterruptEvent, start: number): string {
  return `${formatTime(event.time, start)}  ${event.device} pin ${event.pin} -> ${event.target} ${event.level ? "high" : "low"}`;
}

const LF = 0x0a;
const STAR = 0x2a;

/** The byte that an access sends out of the console, or -1. */
function sentByte(access: AccessRecord, consoleDevice: string): number {
  const isSending = access.device === consoleDevice && access.direction === "write" && access.offset === 0 && access.width === 1;
  return isSending && access.value !== null ? Number(access.value) : -1;
}

/** Where a frame that began before the log does ends: behind its `*`, two digits and LF. 0 if there is none. */
function endOfCutFrame(accesses: readonly AccessRecord[], consoleDevice: string): number {
  const sent: number[] = [];
  for (const [index, access] of accesses.entries()) {
    const byte = sentByte(access, consoleDevice);
    if (byte === RS) return 0;
    if (byte === LF) return sent.at(-3) === STAR || (sent.length < 3 && index + 1 < accesses.length) ? index + 1 : 0;
    if (byte >= 0) sent.push(byte);
  }
  return 0;
}

/** Leaves out the accesses that carry report frames, each with the look at the console's status before it. */
function withoutFrames(accesses: readonly AccessRecord[], consoleDevice: string): readonly AccessRecord[] {
  const kept: AccessRecord[] = [];
  let isInFrame = false;
  for (const access of accesses.slice(endOfCutFrame(accesses, consoleDevice))) {
    const byte = sentByte(access, consoleDevice);
    if (byte === RS) {
      isInFrame = true;
      const before = kept.at(-1);
      if (before?.device === consoleDevice && before.direction === "read") kept.pop();
    } else if (!isInFrame || access.device !== consoleDevice) kept.push(access);
    if (byte === LF) isInFrame = false;
  }
  return kept;
}

export function readMachineLog(machine: Pick<Machine, "accesses" | "interrupts" | "messages" | "description">, start: number): MachineLog {
  const single = singleWindows(machine.description);
  return {
    accesses: withoutFrames(machine.accesses(), machine.description.console)
      .slice(-SHOWN)
      .map((access) => formatAccess(access, start, single)),
    interrupts: machine
      .interrupts()
      .slice(-SHOWN)
      .map((event) => formatInterrupt(event, start)),
    messages: machine
      .messages()
      .slice(-SHOWN_MESSAGES)
      .map(({ time, device, text }) => `${formatTime(time, start)}  ${device}: ${text}`),
  };
}
