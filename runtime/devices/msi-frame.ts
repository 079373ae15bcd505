// MSI frame: turns the memory writes of message-signalled interrupts into wire pulses, in the layout of Arm's GICv2m frame.
// Manual: Arm Server Base System Architecture (ARM-DEN-0029) 2.2, appendix "GICv2m architecture"; QEMU's hw/intc/arm_gicv2m.c.
// A write of interrupt number `base`+n to MSI_SETSPI_NS drives output pin n high and low again: edge-triggered by nature.
// `base` is the number as the controller behind counts it (SPI numbers from 32 with a GIC, source numbers with a PLIC). As in QEMU the
// implementation-defined identification registers read 0; there is no secure frame (SBSA leaves it out too).

import { defineDevice } from "./device.ts";
import type { Device, DeviceEnv } from "./device.ts";

const MSI_TYPER = 0x008;
const MSI_SETSPI_NS = 0x040;
const MSI_IIDR = 0xfcc;
const FIRST_ID_REGISTER = 0xfd0;

/** ProductID in bits 31:20: "Q", as QEMU's frame has it, so that a driver's quirk table sees the same part. */
const IIDR_PRODUCT = 0x51 << 20;
/** MSI_TYPER gives both numbers ten bits. */
const MAX_NUMBER = 0x3ff;

export type MsiFrameConfig = {
  /** The interrupt number that pulses pin 0. */
  readonly base: number;
  readonly count: number;
};

function create(config: MsiFrameConfig, env: DeviceEnv): Device {
  const { base, count } = config;
  if (!Number.isInteger(base) || base < 0 || !Number.isInteger(count) || count < 1 || base + count - 1 > MAX_NUMBER) {
    throw new RangeError(`msi-frame: base ${String(base)} and count ${String(count)} must lie within 0..${MAX_NUMBER}`);
  }

  function read(offset: number, width: number): number {
    if (width !== 4) {
      env.log(`guest error: ${width}-byte read; the frame has 4-byte registers`);
      return 0;
    }
    if (offset === MSI_TYPER) return ((base << 16) | count) >>> 0;
    if (offset === MSI_IIDR) return IIDR_PRODUCT;
    if (offset >= FIRST_ID_REGISTER) return 0;
    env.log(`guest error: read of offset 0x${offset.toString(16)}: no register there`);
    return 0;
  }

  function write(offset: number, width: number, value: number): void {
    if (width !== 2 && width !== 4) {
      env.log(`guest error: ${width}-byte write; MSI_SETSPI_NS takes 2 or 4 bytes`);
      return;
    }
    if (offset !== MSI_SETSPI_NS) {
      env.log(`guest error: write to offset 0x${offset.toString(16)}: no writable register there`);
      return;
    }
    const pin = (value & MAX_NUMBER) - base;
    if (pin < 0 || pin >= count) {
      env.log(`guest error: MSI for interrupt ${value & MAX_NUMBER}, outside ${base}..${base + count - 1}`);
      return;
    }
    env.irq(pin, true);
    env.irq(pin, false);
  }

  return {
    regions: [{ name: "msi-frame", size: 0x1000, valid: { min: 1, max: 8 }, impl: { min: 1, max: 4 }, read, write }],
    reset() {
      for (let pin = 0; pin < count; pin++) env.irq(pin, false);
    },
    save: () => null,
    load() {},
  };
}

export const msiFrame = defineDevice<MsiFrameConfig>({
  name: "msi-frame",
  summary: "GICv2m-style MSI frame: memory writes become interrupt pulses",
  manual: "Arm SBSA 2.2, GICv2m; QEMU hw/intc/arm_gicv2m.c",
  create,
});
