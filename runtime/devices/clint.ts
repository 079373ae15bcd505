// CLINT: software interrupts and the timer of RISC-V harts, in the layout of SiFive's CLINT that QEMU's ACLINT keeps.
// Manuals: SiFive FU540-C000 manual, chapter 9; RISC-V ACLINT specification 1.0; Privileged ISA 3.2.1 (mtime, mtimecmp).
// Two regions, as in QEMU: MSWI at base (0x4000 bytes, 4-byte registers) and MTIMER at base + 0x4000 (0x8000 bytes, 4 or 8 bytes),
// so `mtime` is at base + 0xbff8. Output pins: 2*hart software interrupt, 2*hart+1 timer interrupt.
//
// mtime counts 10 MHz: one count is 100 ticks. MTIP rises exactly when mtime reaches mtimecmp, as the Privileged ISA defines it
// (QEMU's host timer may come up to one count later); at power-on both are 0, hence MTIP is high until mtimecmp is written, as in QEMU.
// As there too, MTIP is not taken back when mtime wraps at 2^64.

import { defineDevice } from "./device.ts";
import type { Device, DeviceEnv, DeviceState, Region } from "./device.ts";

const MSWI_SIZE = 0x4000;
const MTIMER_SIZE = 0x8000;
const MTIMECMP = 0x0000;
const MTIME = 0x7ff8;

const TICKS_PER_COUNT = 100;
const MAX_HARTS = 4095;

/** Counts and an offset of this size are exact in numbers. */
const SMALL = 1n << 50n;
const WORD = 2 ** 32;

const softwarePin = (hart: number): number => 2 * hart;
const timerPin = (hart: number): number => 2 * hart + 1;

export type ClintConfig = {
  readonly harts: number;
};

type State = {
  msip: boolean[];
  /** What is below 2^53 as numbers: guests set timers often, and arithmetic with a BigInt costs ten times as much. */
  mtimecmp: (number | bigint)[];
  /** mtime = counts of the clock + this, modulo 2^64: what a write to mtime changes. */
  timeOffset: bigint;
};

function initialState(harts: number): State {
  return {
    msip: Array.from({ length: harts }, () => false),
    mtimecmp: Array.from({ length: harts }, () => 0),
    timeOffset: 0n,
  };
}

const narrowed = (value: bigint): number | bigint => (value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value);
const low = (value: bigint): number => Number(BigInt.asUintN(32, value));
const high = (value: bigint): number => Number(BigInt.asUintN(32, value >> 32n));
const withLow = (value: bigint, part: number): bigint => ((value >> 32n) << 32n) | BigInt(part);
const withHigh = (value: bigint, part: number): bigint => (BigInt(part) << 32n) | BigInt.asUintN(32, value);

function create(config: ClintConfig, env: DeviceEnv): Device {
  const { harts } = config;
  if (!Number.isInteger(harts) || harts < 1 || harts > MAX_HARTS) {
    throw new RangeError(`clint: harts must be 1..${MAX_HARTS}, not ${String(harts)}`);
  }
  let s = initialState(harts);

  const counts = (): bigint => BigInt(Math.floor(env.clock.now() / TICKS_PER_COUNT));

  /** The offset as a signed number, if it is a small one; else NaN. Guests read mtime in loops, and a number costs them a tenth of a BigInt. */
  let smallOffset = 0;

  function noteOffset(): void {
    const offset = BigInt.asIntN(64, s.timeOffset);
    smallOffset = -SMALL <= offset && offset <= SMALL ? Number(offset) : NaN;
  }

  /** mtime, or -1 if it is no small number. */
  function smallTime(): number {
    const time = Math.floor(env.clock.now() / TICKS_PER_COUNT) + smallOffset;
    return time >= 0 ? time : -1;
  }

  function mtime(): bigint {
    const time = smallTime();
    return time >= 0 ? BigInt(time) : BigInt.asUintN(64, counts() + s.timeOffset);
  }

  function updateTimer(hart: number): void {
    const compare = s.mtimecmp[hart] ?? 0;
    const time = smallTime();
    const left = typeof compare === "number" && time >= 0 ? compare - time : Number(BigInt(compare) - mtime());
    if (left <= 0) {
      env.clock.cancel(hart);
      env.irq(timerPin(hart), true);
      return;
    }
    env.irq(timerPin(hart), false);
    // Inexact only where it is far beyond the clock's range, and a time there never comes.
    const due = (Math.floor(env.clock.now() / TICKS_PER_COUNT) + left) * TICKS_PER_COUNT;
    if (due > Number.MAX_SAFE_INTEGER) env.clock.cancel(hart);
    else env.clock.schedule(hart, due - env.clock.now());
  }

  function updateTimers(): void {
    for (let hart = 0; hart < harts; hart++) updateTimer(hart);
  }

  function setMtimecmp(hart: number, value: number | bigint): void {
    s.mtimecmp[hart] = value;
    updateTimer(hart);
  }

  function setMtime(value: bigint): void {
    s.timeOffset = BigInt.asUintN(64, value - counts());
    noteOffset();
    updateTimers();
  }

  /** The hart whose mtimecmp holds this offset of MTIMER, or null. */
  function hartAt(offset: number): number | null {
    const hart = (offset - MTIMECMP) >> 3;
    return hart < harts ? hart : null;
  }

  function logNoRegister(region: string, verb: string, offset: number): void {
    env.log(`guest error: ${verb} of ${region} offset 0x${offset.toString(16)}: no register there`);
  }

  const mswi: Region = {
    name: "clint-mswi",
    size: MSWI_SIZE,
    valid: { min: 4, max: 4 },
    read(offset) {
      const level = s.msip[offset >> 2];
      if (level === undefined) logNoRegister("MSWI", "read", offset);
      return level === true ? 1 : 0;
    },
    pureRead: (offset) => (offset >> 2 < harts ? "constant" : null),
    write(offset, _width, value) {
      const hart = offset >> 2;
      if (hart >= harts) {
        logNoRegister("MSWI", "write", offset);
        return;
      }
      // Bit 0 only; the other bits are hardwired to 0 (ACLINT 1.0, section 3.1).
      const level = (value & 1) !== 0;
      s.msip[hart] = level;
      env.irq(softwarePin(hart), level);
    },
  };

  /** The 64-bit register that holds this offset, or null. */
  function read64(offset: number): bigint | null {
    const hart = hartAt(offset);
    if (hart !== null) return BigInt(s.mtimecmp[hart] ?? 0);
    return (offset & ~7) === MTIME ? mtime() : null;
  }

  function write64(offset: number, value: bigint): void {
    const hart = hartAt(offset);
    if (hart !== null) setMtimecmp(hart, narrowed(value));
    else setMtime(value);
  }

  const mtimer: Region = {
    name: "clint-mtimer",
    size: MTIMER_SIZE,
    valid: { min: 4, max: 8 },
    read(offset) {
      const time = (offset & ~7) === MTIME ? smallTime() : -1;
      if (time >= 0) return (offset & 4) === 0 ? time % WORD : Math.floor(time / WORD);
      const register = read64(offset);
      if (register === null) {
        logNoRegister("MTIMER", "read", offset);
        return 0;
      }
      return (offset & 4) === 0 ? low(register) : high(register);
    },
    write(offset, _width, value) {
      const register = read64(offset);
      if (register === null) logNoRegister("MTIMER", "write", offset);
      else write64(offset, (offset & 4) === 0 ? withLow(register, value) : withHigh(register, value));
    },
    pureRead(offset, width) {
      if ((offset & ~7) !== MTIME) return hartAt(offset) === null ? null : "constant";
      return width === 4 && (offset & 4) !== 0 ? "counter-high" : "counter";
    },
    read64(offset) {
      const register = read64(offset);
      if (register === null) logNoRegister("MTIMER", "read", offset);
      return register ?? 0n;
    },
    writeSmall64(offset, value) {
      const hart = hartAt(offset);
      if (hart !== null) setMtimecmp(hart, value);
      else mtimer.write64?.(offset, BigInt(value));
    },
    write64(offset, value) {
      if (read64(offset) === null) logNoRegister("MTIMER", "write", offset);
      else write64(offset, value);
    },
  };

  return {
    regions: [mswi, mtimer],
    reset() {
      s = initialState(harts);
      // mtime restarts from 0 (ACLINT 1.0, section 2.1), whatever the clock says.
      setMtime(0n);
      for (let hart = 0; hart < harts; hart++) env.irq(softwarePin(hart), false);
    },
    save: (): DeviceState => ({ msip: s.msip.slice(), mtimecmp: s.mtimecmp.map(BigInt), timeOffset: s.timeOffset }),
    load(state) {
      const saved = state as { readonly msip: readonly boolean[]; readonly mtimecmp: readonly bigint[]; readonly timeOffset: bigint };
      s = { msip: saved.msip.slice(), mtimecmp: saved.mtimecmp.map(narrowed), timeOffset: saved.timeOffset };
      noteOffset();
    },
    onEvent(hart) {
      env.irq(timerPin(hart), true);
    },
    counter: { read: mtime, nsPerCount: TICKS_PER_COUNT, offset: () => s.timeOffset },
  };
}

export const clint = defineDevice<ClintConfig>({
  name: "clint",
  summary: "RISC-V core-local interruptor: software interrupts and the machine timer",
  manual: "SiFive FU540-C000 manual, chapter 9; RISC-V ACLINT 1.0; QEMU hw/intc/riscv_aclint.c",
  create,
  describe: () => ({ node: "clint", compatible: ["sifive,clint0", "riscv,clint0"], aperture: 0x1_0000 }),
});
