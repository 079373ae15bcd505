// Goldfish RTC: nanoseconds since 1970 with one alarm, the clock of the riscv `virt` board.
// Manual: Android emulator "Goldfish virtual hardware guide", section VI (Goldfish real-time clock); QEMU 7.2's
// hw/rtc/goldfish_rtc.c for what that leaves open. Output pin 0 is the interrupt: alarm happened and IRQ_ENABLED.
//
// The time is `epochNanoseconds` plus virtual time, never the host's: equal runs see equal times. As in QEMU, a write to
// TIME_* does not move an alarm that is already armed, ALARM_HIGH takes effect with the next ALARM_LOW, and an alarm more
// than 2^63 ns ahead of the clock counts as past. Unlike QEMU's, a reset of the machine takes the time back to the epoch.

import { defineDevice } from "./device.ts";
import type { Device, DeviceEnv, DeviceState } from "./device.ts";

const TIME_LOW = 0x00;
const TIME_HIGH = 0x04;
const ALARM_LOW = 0x08;
const ALARM_HIGH = 0x0c;
const IRQ_ENABLED = 0x10;
const CLEAR_ALARM = 0x14;
const ALARM_STATUS = 0x18;
const CLEAR_INTERRUPT = 0x1c;

const TAG_ALARM = 0;

/** Registers whose reads change nothing; one of TIME_LOW latches the upper half. */
const PURE: ReadonlySet<number> = new Set([TIME_HIGH, ALARM_LOW, ALARM_HIGH, IRQ_ENABLED, ALARM_STATUS]);

export type GoldfishRtcConfig = {
  /** Nanoseconds since 1970-01-01T00:00Z at power-on; a string or bigint where a number is too small. */
  readonly epochNanoseconds: bigint | string | number;
};

type State = {
  /** time = clock + this, modulo 2^64. */
  timeOffset: bigint;
  /** The high half, latched by a read of TIME_LOW. */
  timeHigh: number;
  alarm: bigint;
  alarmRunning: boolean;
  irqPending: boolean;
  irqEnabled: boolean;
};

function parseEpoch(value: bigint | string | number): bigint {
  if (typeof value === "number" && !Number.isSafeInteger(value)) {
    throw new RangeError(`goldfish-rtc: epochNanoseconds ${value} is not exact; write it as a string`);
  }
  return BigInt.asUintN(64, BigInt(value));
}

const withLow = (value: bigint, part: number): bigint => ((value >> 32n) << 32n) | BigInt(part);
const withHigh = (value: bigint, part: number): bigint => (BigInt(part) << 32n) | BigInt.asUintN(32, value);
const low = (value: bigint): number => Number(BigInt.asUintN(32, value));
const high = (value: bigint): number => Number(BigInt.asUintN(32, value >> 32n));

function create(config: GoldfishRtcConfig, env: DeviceEnv): Device {
  const epoch = parseEpoch(config.epochNanoseconds);
  const initialState = (): State => ({
    timeOffset: epoch,
    timeHigh: 0,
    alarm: 0n,
    alarmRunning: false,
    irqPending: false,
    irqEnabled: false,
  });
  let s = initialState();

  const time = (): bigint => BigInt.asUintN(64, s.timeOffset + BigInt(env.clock.now()));

  function setTime(value: bigint): void {
    s.timeOffset = BigInt.asUintN(64, value - BigInt(env.clock.now()));
  }

  function updateInterrupt(): void {
    env.irq(0, s.irqPending && s.irqEnabled);
  }

  function clearAlarm(): void {
    env.clock.cancel(TAG_ALARM);
    s.alarmRunning = false;
  }

  function fire(): void {
    s.alarmRunning = false;
    s.irqPending = true;
    updateInterrupt();
  }

  function armAlarm(): void {
    const now = time();
    if (s.alarm <= now) {
      clearAlarm();
      fire();
      return;
    }
    s.alarmRunning = true;
    // When the alarm is due on the virtual clock, as the signed number that QEMU's timers take.
    const due = BigInt.asIntN(64, s.alarm - s.timeOffset);
    const delay = due - BigInt(env.clock.now());
    if (delay <= 0n) env.clock.schedule(TAG_ALARM, 0);
    else if (due > BigInt(Number.MAX_SAFE_INTEGER)) env.clock.cancel(TAG_ALARM);
    else env.clock.schedule(TAG_ALARM, Number(delay));
  }

  function logNoRegister(verb: string, offset: number): void {
    env.log(`guest error: ${verb} offset 0x${offset.toString(16)}: no such register`);
  }

  function read(offset: number): number {
    switch (offset) {
      case TIME_LOW: {
        const now = time();
        s.timeHigh = high(now);
        return low(now);
      }
      case TIME_HIGH:
        return s.timeHigh;
      case ALARM_LOW:
        return low(s.alarm);
      case ALARM_HIGH:
        return high(s.alarm);
      case IRQ_ENABLED:
        return s.irqEnabled ? 1 : 0;
      case ALARM_STATUS:
        return s.alarmRunning ? 1 : 0;
      default:
        logNoRegister("read of", offset);
        return 0;
    }
  }

  function write(offset: number, value: number): void {
    switch (offset) {
      case TIME_LOW:
        setTime(withLow(time(), value));
        return;
      case TIME_HIGH:
        setTime(withHigh(time(), value));
        return;
      case ALARM_LOW:
        s.alarm = withLow(s.alarm, value);
        armAlarm();
        return;
      case ALARM_HIGH:
        s.alarm = withHigh(s.alarm, value);
        return;
      case IRQ_ENABLED:
        s.irqEnabled = (value & 1) !== 0;
        updateInterrupt();
        return;
      case CLEAR_ALARM:
        clearAlarm();
        return;
      case CLEAR_INTERRUPT:
        s.irqPending = false;
        updateInterrupt();
        return;
      default:
        logNoRegister("write to", offset);
    }
  }

  return {
    regions: [
      {
        name: "goldfish-rtc",
        size: 0x24,
        valid: { min: 4, max: 4 },
        read,
        write: (offset, _width, value) => write(offset, value),
        pureRead: (offset) => (PURE.has(offset) ? "constant" : null),
      },
    ],
    reset() {
      env.clock.cancel(TAG_ALARM);
      s = initialState();
      env.irq(0, false);
    },
    save: (): DeviceState => ({ ...s }),
    load(state) {
      s = { ...(state as State) };
    },
    onEvent: fire,
  };
}

export const goldfishRtc = defineDevice<GoldfishRtcConfig>({
  name: "goldfish-rtc",
  summary: "Goldfish real-time clock: nanoseconds and one alarm",
  manual: "Goldfish virtual hardware guide, section VI; QEMU hw/rtc/goldfish_rtc.c",
  create,
  describe: () => ({ node: "rtc", compatible: ["google,goldfish-rtc"], aperture: 0x1000 }),
});
