// QEMU's educational PCI device (1234:11e8, "edu"): identification, liveness, a factorial unit, interrupts by INTx or MSI, and a DMA
// engine with a 4 KiB buffer. Source of truth: QEMU 7.2, docs/specs/edu.txt, and that version's behaviour.
// Choices of ours: the factorial, a host thread in QEMU, takes 10 us plus 1 ns a factor of virtual time. A DMA outside the buffer,
// at which QEMU 7.2 aborts, moves nothing, says so, and ends like any other (interrupt included); all 4096 documented bytes of
// the buffer work, where QEMU 7.2 aborts on the last one too. A DMA takes 100 ms exactly; QEMU's timer counts whole ms.

import { defineDevice, type Device, type DeviceState, type Region, type Width } from "./device.ts";
import { createPciFunction } from "./pci.ts";

export interface EduConfig {
  /** Bits of a bus address that the DMA engine drives. Default 0x0fffffff (28 bits). */
  readonly dmaMask?: bigint | number;
}

const EDU_ID = 0x00;
const EDU_LIVENESS = 0x04;
const EDU_FACTORIAL = 0x08;
const EDU_STATUS = 0x20;
const EDU_IRQ_STATUS = 0x24;
const EDU_IRQ_RAISE = 0x60;
const EDU_IRQ_ACK = 0x64;
const EDU_DMA_SRC = 0x80;
const EDU_DMA_DST = 0x88;
const EDU_DMA_COUNT = 0x90;
const EDU_DMA_CMD = 0x98;

const EDU_ID_VALUE = 0x010000ed;
const EDU_STATUS_COMPUTING = 0x01;
const EDU_STATUS_IRQFACT = 0x80;
const EDU_DMA_RUN = 0x1n;
/** Set: from the device's buffer to memory. */
const EDU_DMA_TO_PCI = 0x2n;
const EDU_DMA_IRQ = 0x4n;
const FACT_IRQ = 0x00000001;
const DMA_IRQ = 0x00000100;

const DMA_START = 0x40000n;
const DMA_SIZE = 4096;
const DMA_TICKS = 100_000_000;
const FACTORIAL_WAKE_TICKS = 10_000;

const MMIO_SIZE = 0x100000;
/** Registers from here on take 4 and 8 bytes, those before 4 only; what else reaches the device reads all ones. */
const WIDE_REGISTERS = 0x80;

const VENDOR_QEMU = 0x1234;
const DEVICE_EDU = 0x11e8;
const REVISION = 0x10;
const CLASS_OTHERS = 0x00ff;
const MSI_OFFSET = 0x40;

const EVENT_FACTORIAL = 0;
const EVENT_DMA = 1;

const ALL_ONES = 0xffff_ffff_ffff_ffffn;

type State = {
  readonly pci: DeviceState;
  readonly liveness: number;
  readonly factorial: number;
  readonly status: number;
  readonly irqStatus: number;
  readonly dmaSrc: bigint;
  readonly dmaDst: bigint;
  readonly dmaCount: bigint;
  readonly dmaCmd: bigint;
  readonly buffer: Uint8Array;
};

/** n! modulo 2^32; from 34 on the factors hold 32 twos. */
function factorialModulo32(n: number): number {
  if (n >= 34) return 0;
  let product = 1;
  for (let factor = 2; factor <= n; factor++) product = Math.imul(product, factor);
  return product >>> 0;
}

export const edu = defineDevice<EduConfig>({
  name: "edu",
  summary: "educational PCI device: factorial, interrupts by INTx and MSI, DMA (QEMU edu)",
  manual: "QEMU 7.2, docs/specs/edu.txt",
  create(config, env): Device {
    const dmaMask = BigInt(config.dmaMask ?? 0x0fff_ffffn);
    if (dmaMask < 0n || dmaMask > ALL_ONES) throw new RangeError(`edu: dmaMask ${String(dmaMask)} is no 64-bit mask`);
    let liveness = 0;
    let factorial = 0;
    let status = 0;
    let irqStatus = 0;
    let dmaSrc = 0n;
    let dmaDst = 0n;
    let dmaCount = 0n;
    let dmaCmd = 0n;
    const buffer = new Uint8Array(DMA_SIZE);

    function raiseIrq(bits: number): void {
      irqStatus = (irqStatus | bits) >>> 0;
      if (irqStatus === 0) return;
      if (pci.msiEnabled()) pci.sendMsi(0);
      else pci.setIntx(true);
    }

    function lowerIrq(bits: number): void {
      irqStatus = (irqStatus & ~bits) >>> 0;
      if (irqStatus === 0 && !pci.msiEnabled()) pci.setIntx(false);
    }

    function readRegister(offset: number, width: Width): bigint {
      if (width !== 4 && !(width === 8 && offset >= WIDE_REGISTERS)) return ALL_ONES;
      switch (offset) {
        case EDU_ID:
          return BigInt(EDU_ID_VALUE);
        case EDU_LIVENESS:
          return BigInt(liveness);
        case EDU_FACTORIAL:
          return BigInt(factorial);
        case EDU_STATUS:
          return BigInt(status);
        case EDU_IRQ_STATUS:
          return BigInt(irqStatus);
        case EDU_DMA_SRC:
          return dmaSrc;
        case EDU_DMA_DST:
          return dmaDst;
        case EDU_DMA_COUNT:
          return dmaCount;
        case EDU_DMA_CMD:
          return dmaCmd;
        default:
          return ALL_ONES;
      }
    }

    function writeRegister(offset: number, width: Width, value: bigint): void {
      if (width !== 4 && !(width === 8 && offset >= WIDE_REGISTERS)) return;
      if (offset >= WIDE_REGISTERS) writeDmaRegister(offset, value);
      else writeNarrowRegister(offset, Number(value));
    }

    function writeNarrowRegister(offset: number, value: number): void {
      switch (offset) {
        case EDU_LIVENESS:
          liveness = ~value >>> 0;
          break;
        case EDU_FACTORIAL:
          if ((status & EDU_STATUS_COMPUTING) !== 0) break;
          factorial = value;
          status |= EDU_STATUS_COMPUTING;
          env.clock.schedule(EVENT_FACTORIAL, FACTORIAL_WAKE_TICKS + value);
          break;
        case EDU_STATUS:
          status = (status & ~EDU_STATUS_IRQFACT) | (value & EDU_STATUS_IRQFACT);
          break;
        case EDU_IRQ_RAISE:
          raiseIrq(value);
          break;
        case EDU_IRQ_ACK:
          lowerIrq(value);
          break;
      }
    }

    /** The DMA registers stand still while a transfer runs. */
    function writeDmaRegister(offset: number, value: bigint): void {
      if ((dmaCmd & EDU_DMA_RUN) !== 0n) return;
      switch (offset) {
        case EDU_DMA_SRC:
          dmaSrc = value;
          break;
        case EDU_DMA_DST:
          dmaDst = value;
          break;
        case EDU_DMA_COUNT:
          dmaCount = value;
          break;
        case EDU_DMA_CMD:
          if ((value & EDU_DMA_RUN) === 0n) break;
          dmaCmd = value;
          env.clock.schedule(EVENT_DMA, DMA_TICKS);
          break;
      }
    }

    /** The part of the buffer that the transfer names on the device's side, or null if it is not all there. */
    function bufferPart(address: bigint): Uint8Array | null {
      const start = address - DMA_START;
      if (start < 0n || dmaCount === 0n || start + dmaCount > BigInt(DMA_SIZE)) {
        env.log(`edu: DMA of 0x${dmaCount.toString(16)} bytes at 0x${address.toString(16)} is outside the buffer (0x40000..0x40fff); nothing is moved`);
        return null;
      }
      return buffer.subarray(Number(start), Number(start + dmaCount));
    }

    function clampAddress(address: bigint): bigint {
      const clamped = address & dmaMask;
      if (clamped !== address) env.log(`edu: clamping DMA address 0x${address.toString(16)} to 0x${clamped.toString(16)}`);
      return clamped;
    }

    function finishDma(): void {
      if ((dmaCmd & EDU_DMA_RUN) === 0n) return;
      const toMemory = (dmaCmd & EDU_DMA_TO_PCI) !== 0n;
      const part = bufferPart(toMemory ? dmaSrc : dmaDst);
      if (part !== null) {
        const address = clampAddress(toMemory ? dmaDst : dmaSrc);
        const complete = toMemory ? pci.dmaWrite(address, part) : pci.dmaRead(address, part);
        if (!complete) env.log(`edu: DMA at 0x${address.toString(16)} found no memory for all of its 0x${dmaCount.toString(16)} bytes`);
      }
      dmaCmd &= ~EDU_DMA_RUN;
      if ((dmaCmd & EDU_DMA_IRQ) !== 0n) raiseIrq(DMA_IRQ);
    }

    function finishFactorial(): void {
      factorial = factorialModulo32(factorial);
      status &= ~EDU_STATUS_COMPUTING;
      if ((status & EDU_STATUS_IRQFACT) !== 0) raiseIrq(FACT_IRQ);
    }

    const mmio: Region = {
      name: "edu-mmio",
      size: MMIO_SIZE,
      valid: { min: 4, max: 8 },
      read: (offset, width) => Number(BigInt.asUintN(32, readRegister(offset, width))),
      write: (offset, width, value) => writeRegister(offset, width, BigInt(value)),
      read64: (offset) => readRegister(offset, 8),
      write64: (offset, value) => writeRegister(offset, 8, value),
      pureRead: () => "constant",
    };

    const pci = createPciFunction(
      {
        vendor: VENDOR_QEMU,
        device: DEVICE_EDU,
        revision: REVISION,
        classCode: CLASS_OTHERS,
        interruptPin: 1,
        bars: [{ kind: "memory32", region: mmio }],
        msi: { offset: MSI_OFFSET, vectors: 1 },
      },
      env,
    );

    return {
      regions: [],
      pci: pci.fn,
      reset(): void {
        env.clock.cancel(EVENT_FACTORIAL);
        env.clock.cancel(EVENT_DMA);
        pci.reset();
        liveness = 0;
        factorial = 0;
        status = 0;
        irqStatus = 0;
        dmaSrc = 0n;
        dmaDst = 0n;
        dmaCount = 0n;
        dmaCmd = 0n;
        buffer.fill(0);
      },
      onEvent(tag: number): void {
        if (tag === EVENT_FACTORIAL) finishFactorial();
        else finishDma();
      },
      save: () => ({
        pci: pci.save(),
        liveness,
        factorial,
        status,
        irqStatus,
        dmaSrc,
        dmaDst,
        dmaCount,
        dmaCmd,
        buffer: buffer.slice(),
      }),
      load(state: DeviceState): void {
        const saved = state as State;
        pci.load(saved.pci);
        ({ liveness, factorial, status, irqStatus, dmaSrc, dmaDst, dmaCount, dmaCmd } = saved);
        buffer.set(saved.buffer);
      },
    };
  },
});
