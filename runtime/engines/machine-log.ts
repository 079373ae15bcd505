// The machine's logs as lines of a failure report: last device accesses, interrupt wires, and what devices said about the guest's
// mistakes. Times count from the start of the test, which is what its author can reason about. The guest reports over the console,
// so the log is taken when a report begins, and the accesses that carry the report itself are left out.

import type { InterruptEvent, Machine } from "../machine/machine.ts";
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

function formatAccess(access: AccessRecord, start: number): string {
  const { device, region, offset, width, direction, value, fault, origin, space } = access;
  // A device with one window needs no window's name.
  const named = region === null || region === "base" || region === device ? "" : `.${region}`;
  const place = device === null ? `${space === "port" ? "port " : ""}${formatAddress(access.address)}` : `${device}${named}+${offset.toString(16)}`;
  const result = fault ? (device === null ? "nothing there" : "refused") : value === null ? "?" : formatHex(BigInt(value), width * 8);
  const who = origin === "dma" ? "dma " : "";
  return `${formatTime(access.time, start)}  ${`${who}${direction}`.padEnd(5)}  ${place}  width ${width} ${fault ? ":" : "="} ${result}`;
}

function formatInterrupt(event: InterruptEvent, start: number): string {
  return `${formatTime(event.time, start)}  ${event.device} pin ${event.pin} -> ${event.target} ${event.level ? "high" : "low"}`;
}

/** Cuts off the accesses that carry the report: from the console's last RS on, with the look at its status before. */
function withoutReport(accesses: readonly AccessRecord[], consoleDevice: string): readonly AccessRecord[] {
  const start = accesses.findLastIndex(
    ({ device, direction, value, width }) => device === consoleDevice && direction === "write" && width === 1 && Number(value) === RS,
  );
  if (start < 0) return accesses;
  const before = accesses[start - 1];
  const isPoll = before !== undefined && before.device === consoleDevice && before.direction === "read";
  return accesses.slice(0, isPoll ? start - 1 : start);
}

export function readMachineLog(machine: Pick<Machine, "accesses" | "interrupts" | "messages" | "description">, start: number): MachineLog {
  return {
    accesses: withoutReport(machine.accesses(), machine.description.console).slice(-SHOWN).map((access) => formatAccess(access, start)),
    interrupts: machine.interrupts().slice(-SHOWN).map((event) => formatInterrupt(event, start)),
    messages: machine.messages().slice(-SHOWN_MESSAGES).map(({ time, device, text }) => `${formatTime(time, start)}  ${device}: ${text}`),
  };
}
