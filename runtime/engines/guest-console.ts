// The console of a machine in this process while a call is under way: frames and text are told apart as they come, and when a frame begins
// that tells of something wrong the machine's log is taken, because what comes after it is the report itself.

import type { Machine } from "../machine/machine.ts";
import { createFrameReader, type Frame, type FrameReader } from "./frames.ts";
import { readMachineLog, type MachineLog } from "./machine-log.ts";

export interface GuestConsole {
  push(bytes: Uint8Array): void;
  /** A call begins now. */
  begin(): void;
  /** Guest time at which it began. */
  readonly start: number;
  take: FrameReader["take"];
  /** When the guest began to report its first failure, else now. */
  log(): MachineLog;
}

const RS = 0x1e;
/** Frames that tell of something wrong. */
const ALARMS = new Set(["f", "t"].map((verb) => verb.charCodeAt(0)));

/** `machine`: asked when there is output. `takeOther`: frames that are no reports. `annotate`: as the frame reader takes it. */
export function createGuestConsole(machine: () => Machine, takeOther?: (content: Uint8Array) => boolean, annotate?: (frame: Frame) => Frame): GuestConsole {
  const reader = createFrameReader(takeOther, annotate);
  let lastByte = 0;
  let start = 0;
  let log: MachineLog | null = null;
  return {
    push(bytes) {
      for (let at = 0; at < bytes.length; at++) {
        const byte = bytes[at] ?? 0;
        if (lastByte === RS && ALARMS.has(byte)) log ??= readMachineLog(machine(), start);
        lastByte = byte;
      }
      reader.push(bytes);
    },
    begin() {
      reader.take(true);
      lastByte = 0;
      log = null;
      start = machine().now();
    },
    get start() {
      return start;
    },
    take: (isEnd) => reader.take(isEnd),
    log: () => log ?? readMachineLog(machine(), start),
  };
}
