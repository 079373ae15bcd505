// 16550A UART with byte-wide registers (QEMU's serial_mm with regshift 0, as on the riscv `virt` board; COM1 on a PC).
// Manual: TI/National PC16550D data sheet, section 8 "Registers"; where that leaves room, QEMU 7.2's hw/char/serial.c decides,
// checked by tests/devices-qtest.isolated.test.ts. Output pin 0 is the interrupt.
//
// Simplified: a byte is sent the moment THR is written, so THRE and TEMT never read 0; the line is error-free, so PE, FE and BI are
// never set and the modem inputs never change (MSR stays DCD|DSR|CTS outside loopback). Bytes from the far end wait outside, as
// behind RTS/CTS, until the guest has room: only loopback overruns. While MCR.LOOP is set they wait too (data sheet 8.6.4: SIN is
// disconnected). The receive time-out interrupt comes 4 character times after the last FIFO access, by the divisor and `baudBase`.

import { defineDevice } from "./device.ts";
import type { Device, DeviceEnv, DeviceState, PureRead } from "./device.ts";

// Offsets, with the DLAB = 1 name where there are two.
const RBR_THR_DLL = 0;
const IER_DLM = 1;
const IIR_FCR = 2;
const LCR = 3;
const MCR = 4;
const LSR = 5;
const MSR = 6;
const SCR = 7;

const IER_RDI = 0x01;
const IER_THRI = 0x02;
const IER_RLSI = 0x04;
const IER_MSI = 0x08;

const IIR_MSI = 0x00;
const IIR_NO_INT = 0x01;
const IIR_THRI = 0x02;
const IIR_RDI = 0x04;
const IIR_RLSI = 0x06;
const IIR_CTI = 0x0c;
const IIR_ID_MASK = 0x06;
const IIR_CAUSE_MASK = 0x0f;
const IIR_FIFO_ENABLED = 0xc0;

const FCR_FE = 0x01;
const FCR_RFR = 0x02;
const FCR_XFR = 0x04;
/** FIFO enable, DMA mode and trigger level: what the register keeps; the reset bits clear themselves. */
const FCR_STICKY = 0xc9;
/** Receive trigger level by FCR bits 7:6 (data sheet 8.4). */
const TRIGGER_LEVELS: readonly number[] = [1, 4, 8, 14];

const LCR_STB = 0x04;
const LCR_PEN = 0x08;
const LCR_DLAB = 0x80;

const MCR_DTR = 0x01;
const MCR_RTS = 0x02;
const MCR_OUT1 = 0x04;
const MCR_OUT2 = 0x08;
const MCR_LOOP = 0x10;
const MCR_MASK = 0x1f;

const LSR_DR = 0x01;
const LSR_OE = 0x02;
const LSR_BI = 0x10;
const LSR_THRE = 0x20;
const LSR_TEMT = 0x40;
const LSR_ERRORS = 0x1e;

const MSR_CTS = 0x10;
const MSR_DSR = 0x20;
const MSR_RI = 0x40;
const MSR_DCD = 0x80;
const MSR_DELTAS = 0x0f;

const FIFO_SIZE = 16;
/** What is sent, made once: a byte of the console costs no more than it has to. */
const ONE_BYTE: readonly Uint8Array[] = Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte));
const TAG_RX_TIMEOUT = 0;
/** Bytes that were taken in and are forgotten together. */
const MUCH = 4096;
/** QEMU's riscv `virt` passes this; it stands for the UART's input clock divided by 16. */
const DEFAULT_BAUD_BASE = 399_193;

export type Uart16550Config = {
  /** Baud rate at divisor 1. */
  readonly baudBase?: number;
};

type State = {
  ier: number;
  iir: number;
  fcr: number;
  lcr: number;
  mcr: number;
  lsr: number;
  msr: number;
  scr: number;
  divisor: number;
  /** Receive buffer of the FIFO-less mode. */
  rbr: number;
  rxFifo: number[];
  rxTimeout: boolean;
  thrEmpty: boolean;
  /** One character on the line, in ticks. */
  characterTime: number;
  /** Sent by the far end, not yet taken in. */
  waiting: number[];
};

function initialState(): State {
  return {
    ier: 0,
    iir: IIR_NO_INT,
    fcr: 0,
    lcr: 0,
    mcr: MCR_OUT2,
    lsr: LSR_THRE | LSR_TEMT,
    msr: MSR_DCD | MSR_DSR | MSR_CTS,
    scr: 0,
    // 9600 baud, 10 bits, until the guest says otherwise: QEMU's power-on values.
    divisor: 12,
    rbr: 0,
    rxFifo: [],
    rxTimeout: false,
    thrEmpty: false,
    characterTime: Math.floor(1e9 / 9600) * 10,
    waiting: [],
  };
}

/** Ticks for one character; single precision, because QEMU computes it so and the time-out is visible to the tick. */
function characterTicks(baudBase: number, divisor: number, lcr: number): number {
  const bits = 1 + (lcr & 3) + 5 + ((lcr & LCR_STB) !== 0 ? 2 : 1) + ((lcr & LCR_PEN) !== 0 ? 1 : 0);
  const baud = divisor === 0 ? 3500 : Math.fround(Math.fround(baudBase) / divisor);
  return Math.trunc(Math.fround(Math.fround(1e9 / baud) * bits));
}

function create(config: Uart16550Config, env: DeviceEnv): Device {
  const baudBase = config.baudBase ?? DEFAULT_BAUD_BASE;
  if (!Number.isFinite(baudBase) || baudBase <= 0) throw new RangeError(`uart-16550: baudBase ${baudBase} is not positive`);
  let s = initialState();
  /** How many of those that wait have been taken in: bytes come in one by one. */
  let taken = 0;

  const hasFifo = (): boolean => (s.fcr & FCR_FE) !== 0;
  const triggerLevel = (): number => TRIGGER_LEVELS[s.fcr >> 6] ?? 1;

  /** The highest-priority cause (data sheet 8.5, table IV). */
  function cause(): number {
    if ((s.ier & IER_RLSI) !== 0 && (s.lsr & LSR_ERRORS) !== 0) return IIR_RLSI;
    if ((s.ier & IER_RDI) !== 0) {
      if (s.rxTimeout) return IIR_CTI;
      if ((s.lsr & LSR_DR) !== 0 && (!hasFifo() || s.rxFifo.length >= triggerLevel())) return IIR_RDI;
    }
    if ((s.ier & IER_THRI) !== 0 && s.thrEmpty) return IIR_THRI;
    if ((s.ier & IER_MSI) !== 0 && (s.msr & MSR_DELTAS) !== 0) return IIR_MSI;
    return IIR_NO_INT;
  }

  /** A pin that stays low, as IIR says, is not driven again: most guests that poll have it so. One that stays high is, which QEMU's PLIC sees. */
  function updateInterrupt(): void {
    const id = cause();
    if (id === IIR_NO_INT && (s.iir & IIR_CAUSE_MASK) === IIR_NO_INT) return;
    s.iir = (s.iir & ~IIR_CAUSE_MASK) | id;
    env.irq(0, id !== IIR_NO_INT);
  }

  function armTimeout(): void {
    env.clock.schedule(TAG_RX_TIMEOUT, s.characterTime * 4);
  }

  /** Those from `start` on, `count` of them: without a FIFO one. */
  function takeIn(bytes: ArrayLike<number>, start: number, count: number): void {
    if (hasFifo()) {
      for (let at = start; at < start + count; at++) {
        // An overrun loses the new character, the FIFO stays as it is (data sheet 8.3, bit 1).
        if (s.rxFifo.length < FIFO_SIZE) s.rxFifo.push(bytes[at] ?? 0);
        else s.lsr |= LSR_OE;
      }
      armTimeout();
    } else {
      if ((s.lsr & LSR_DR) !== 0) s.lsr |= LSR_OE;
      s.rbr = bytes[start] ?? 0;
    }
    s.lsr |= LSR_DR;
    updateInterrupt();
  }

  /** How many bytes the far end may send now. It stops at the trigger level, so that the guest sees one interrupt per level. */
  function room(): number {
    if (!hasFifo()) return (s.lsr & LSR_DR) === 0 ? 1 : 0;
    const held = s.rxFifo.length;
    if (held >= FIFO_SIZE) return 0;
    return held <= triggerLevel() ? triggerLevel() - held : 1;
  }

  function acceptWaiting(): void {
    while (taken < s.waiting.length && (s.mcr & MCR_LOOP) === 0) {
      const count = Math.min(room(), s.waiting.length - taken);
      if (count === 0) return;
      const start = taken;
      taken += count;
      takeIn(s.waiting, start, count);
    }
    if (taken > 0 && (taken === s.waiting.length || taken >= MUCH)) {
      s.waiting.splice(0, taken);
      taken = 0;
    }
  }

  function transmit(byte: number): void {
    s.lsr &= ~LSR_TEMT;
    if ((s.ier & IER_THRI) !== 0) {
      // The line falls and rises again: whoever sees edges sees one.
      s.thrEmpty = false;
      updateInterrupt();
    }
    s.thrEmpty = true;
    updateInterrupt();
    if ((s.mcr & MCR_LOOP) !== 0) takeIn(ONE_BYTE[byte] ?? [byte], 0, 1);
    else env.output(ONE_BYTE[byte] ?? Uint8Array.of(byte));
    s.lsr |= LSR_TEMT;
  }

  function setDivisor(divisor: number): void {
    s.divisor = divisor;
    s.characterTime = characterTicks(baudBase, s.divisor, s.lcr);
  }

  function readRbr(): number {
    let value: number;
    if (hasFifo()) {
      // Guests that poll have one byte in it, and to shift an array costs as much as the rest of this.
      value = (s.rxFifo.length === 1 ? s.rxFifo.pop() : s.rxFifo.shift()) ?? 0;
      if (s.rxFifo.length === 0) s.lsr &= ~(LSR_DR | LSR_BI);
      else armTimeout();
      s.rxTimeout = false;
    } else {
      value = s.rbr;
      s.lsr &= ~(LSR_DR | LSR_BI);
    }
    updateInterrupt();
    acceptWaiting();
    return value;
  }

  function readIir(): number {
    const value = s.iir;
    // Reading IIR is what acknowledges THRE, but only when THRE is what it shows (data sheet 8.5, table IV).
    if ((value & IIR_ID_MASK) === IIR_THRI) {
      s.thrEmpty = false;
      updateInterrupt();
    }
    return value;
  }

  function readLsr(): number {
    const value = s.lsr;
    if ((value & (LSR_BI | LSR_OE)) !== 0) {
      s.lsr &= ~(LSR_BI | LSR_OE);
      updateInterrupt();
    }
    return value;
  }

  function readMsr(): number {
    if ((s.mcr & MCR_LOOP) !== 0) {
      // The four modem outputs are wired to the four inputs (data sheet 8.6.4).
      return (
        ((s.mcr & MCR_RTS) !== 0 ? MSR_CTS : 0) |
        ((s.mcr & MCR_DTR) !== 0 ? MSR_DSR : 0) |
        ((s.mcr & MCR_OUT1) !== 0 ? MSR_RI : 0) |
        ((s.mcr & MCR_OUT2) !== 0 ? MSR_DCD : 0)
      );
    }
    const value = s.msr;
    if ((value & MSR_DELTAS) !== 0) {
      s.msr &= ~MSR_DELTAS;
      updateInterrupt();
    }
    return value;
  }

  function writeIer(value: number): void {
    const changed = (s.ier ^ value) & 0x0f;
    s.ier = value & 0x0f;
    // Enabling THRI while THR is empty interrupts at once, even after IIR was read: drivers rely on it to start sending.
    if ((changed & IER_THRI) !== 0) s.thrEmpty = (s.ier & IER_THRI) !== 0 && (s.lsr & LSR_THRE) !== 0;
    if (changed !== 0) updateInterrupt();
  }

  function writeFcr(value: number): void {
    // Turning the FIFOs on or off empties them (data sheet 8.4, bit 0).
    const reset = ((value ^ s.fcr) & FCR_FE) !== 0 ? FCR_RFR | FCR_XFR : value;
    if ((reset & FCR_RFR) !== 0) {
      s.lsr &= ~(LSR_DR | LSR_BI);
      env.clock.cancel(TAG_RX_TIMEOUT);
      s.rxTimeout = false;
      s.rxFifo = [];
    }
    if ((reset & FCR_XFR) !== 0) {
      s.lsr |= LSR_THRE;
      s.thrEmpty = true;
    }
    s.fcr = value & FCR_STICKY;
    s.iir = hasFifo() ? s.iir | IIR_FIFO_ENABLED : s.iir & ~IIR_FIFO_ENABLED;
    updateInterrupt();
    acceptWaiting();
  }

  function read(offset: number): number {
    switch (offset) {
      case RBR_THR_DLL:
        return (s.lcr & LCR_DLAB) !== 0 ? s.divisor & 0xff : readRbr();
      case IER_DLM:
        return (s.lcr & LCR_DLAB) !== 0 ? s.divisor >> 8 : s.ier;
      case IIR_FCR:
        return readIir();
      case LCR:
        return s.lcr;
      case MCR:
        return s.mcr;
      case LSR:
        return readLsr();
      case MSR:
        return readMsr();
      case SCR:
        return s.scr;
      default:
        throw new RangeError(`uart-16550: no register at ${offset}`);
    }
  }

  /** Which of these reads has an effect is told by the functions above. */
  function pureRead(offset: number): PureRead | null {
    switch (offset) {
      case RBR_THR_DLL:
        return (s.lcr & LCR_DLAB) !== 0 ? "constant" : null;
      case IIR_FCR:
        return (s.iir & IIR_ID_MASK) !== IIR_THRI ? "constant" : null;
      case LSR:
        return (s.lsr & (LSR_BI | LSR_OE)) === 0 ? "constant" : null;
      case MSR:
        return (s.mcr & MCR_LOOP) !== 0 || (s.msr & MSR_DELTAS) === 0 ? "constant" : null;
      default:
        return "constant";
    }
  }

  function write(offset: number, value: number): void {
    switch (offset) {
      case RBR_THR_DLL:
        if ((s.lcr & LCR_DLAB) !== 0) setDivisor((s.divisor & 0xff00) | value);
        else transmit(value);
        return;
      case IER_DLM:
        if ((s.lcr & LCR_DLAB) !== 0) setDivisor((s.divisor & 0x00ff) | (value << 8));
        else writeIer(value);
        return;
      case IIR_FCR:
        writeFcr(value);
        return;
      case LCR:
        s.lcr = value;
        setDivisor(s.divisor);
        return;
      case MCR:
        s.mcr = value & MCR_MASK;
        acceptWaiting();
        return;
      case LSR:
      case MSR:
        env.log(`guest error: write of 0x${value.toString(16)} to the read-only ${offset === LSR ? "LSR" : "MSR"}`);
        return;
      case SCR:
        s.scr = value;
        return;
      default:
        throw new RangeError(`uart-16550: no register at ${offset}`);
    }
  }

  return {
    regions: [
      {
        name: "uart-16550",
        size: 8,
        // Wider accesses reach one register, with zeros above it, as serial_mm does.
        valid: { min: 1, max: 8 },
        read: (offset) => read(offset),
        write: (offset, _width, value) => write(offset, value & 0xff),
        pureRead,
        read64: (offset) => BigInt(read(offset)),
        write64: (offset, value) => write(offset, Number(value & 0xffn)),
      },
    ],
    reset() {
      env.clock.cancel(TAG_RX_TIMEOUT);
      s = initialState();
      taken = 0;
      env.irq(0, false);
    },
    save: (): DeviceState => ({ ...s, rxFifo: s.rxFifo.slice(), waiting: s.waiting.slice(taken) }),
    load(state) {
      const saved = state as State;
      s = { ...saved, rxFifo: saved.rxFifo.slice(), waiting: saved.waiting.slice() };
      taken = 0;
    },
    onEvent() {
      if (s.rxFifo.length === 0) return;
      s.rxTimeout = true;
      updateInterrupt();
    },
    receive(bytes) {
      for (const byte of bytes) s.waiting.push(byte);
      acceptWaiting();
    },
  };
}

export const uart16550 = defineDevice<Uart16550Config>({
  name: "uart-16550",
  summary: "16550A UART, byte-wide registers",
  manual: "PC16550D data sheet, section 8; QEMU hw/char/serial.c",
  create,
  // 3.6864 MHz, the usual crystal, of which 115200 baud is a 32nd.
  describe: () => ({ node: "serial", compatible: ["ns16550a"], properties: { "clock-frequency": 3_686_400 }, aperture: 0x100 }),
});
