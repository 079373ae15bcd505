// Generic ECAM host bridge: QEMU's `gpex`, as on its riscv `virt` board. Regions: [ECAM, 32-bit memory window, I/O window].
// Manual: PCI Express Base Specification, 7.2.2 (enhanced configuration access mechanism: bus << 20, device << 15, function << 12);
// PCI-to-PCI Bridge Architecture Specification 1.2, 9.1 (INTx swizzle). The bus carries one function a slot, on bus 0 only.
// Nobody answers in a window: all ones, writes vanish; absent functions and offsets from 0x100 of conventional functions: all ones.
// Input pin n is the INTx level of the function in slot n; output pins 0..3 are the four lines after the swizzle.
// Of overlapping BARs the one mapped last wins. Left out: bridges and further buses, multi-function slots, the 64-bit window.

import {
  defineDevice,
  isWindow,
  type Device,
  type DeviceState,
  type PciFunction,
  type Region,
  type Width,
  type WindowRegion,
  type WindowTarget,
} from "./device.ts";
import { createPciFunction } from "./pci.ts";

export interface PciHostConfig {
  /** Buses that the ECAM window covers, 1 MiB each. Default 256. */
  readonly buses?: number;
  /** PCI address of the first byte of the memory window; the machine file maps the window at the same CPU address. Default 0x40000000. */
  readonly memoryBase?: number;
  /** Default 0x40000000. */
  readonly memorySize?: number;
  /** Default 0x10000; the first byte of the window is port 0. */
  readonly ioSize?: number;
}

const BUS_SHIFT = 20;
const SLOT_SHIFT = 15;
const FUNCTION_SHIFT = 12;
const SLOTS = 32;
const CONFIG_SIZE = 0x100;
const INTX_LINES = 4;
const CLASS_BRIDGE_HOST = 0x0600;
const VENDOR_REDHAT = 0x1b36;
const DEVICE_GPEX = 0x0008;
/** What widths QEMU's default MemoryRegionOps take, and how it cuts them. */
const ANY_WIDTH = { valid: { min: 1, max: 8 }, impl: { min: 1, max: 4 } } as const;

/** A BAR that decodes now, by its function's slot. */
type Mapping = {
  readonly slot: number;
  readonly bar: number;
  readonly address: bigint;
};

type State = {
  readonly bridge: DeviceState;
  readonly inputs: number;
  readonly mappings: readonly Mapping[];
};

function allOnes(width: Width): number {
  return width === 4 ? 0xffffffff : 2 ** (width * 8) - 1;
}

function assertWithin(key: string, value: number, least: number, most: number): void {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new RangeError(`pci-host: ${key} is ${String(value)}, expected ${least}..${most}`);
  }
}

/** The line, 0..3, on which pin `pin` (1 = INTA) of the function in `slot` arrives. */
export function swizzleIntx(slot: number, pin: number): number {
  return (slot + pin - 1) % INTX_LINES;
}

export const pciHost = defineDevice<PciHostConfig>({
  name: "pci-host",
  summary: "generic PCI host bridge: ECAM, memory and I/O windows, INTx swizzle (QEMU gpex)",
  manual: "PCI Express Base Specification 7.2.2; PCI-to-PCI Bridge Architecture Specification 1.2, 9.1",
  // Windows and the routing of INTx come from the machine's file.
  describe: () => ({
    node: "pci",
    compatible: ["pci-host-ecam-generic"],
    properties: { device_type: "pci", "#address-cells": 3, "#size-cells": 2, "#interrupt-cells": 1, "linux,pci-domain": 0, "dma-coherent": true },
  }),
  create(config, env): Device {
    const { buses = 256, memoryBase = 0x40000000, memorySize = 0x40000000, ioSize = 0x10000 } = config;
    assertWithin("buses", buses, 1, 256);
    assertWithin("memoryBase", memoryBase, 0, 0xffff_ffff);
    assertWithin("memorySize", memorySize, 1, 2 ** 32 - memoryBase);
    assertWithin("ioSize", ioSize, 1, 2 ** 32);

    const bridge = createPciFunction({ vendor: VENDOR_REDHAT, device: DEVICE_GPEX, classCode: CLASS_BRIDGE_HOST }, env);
    const functions = new Array<PciFunction | null>(SLOTS).fill(null);
    functions[0] = bridge.fn;
    /** Bit n: the function in slot n asserts its INTx. */
    let inputs = 0;
    /** Last mapped first. Only a write to configuration space changes what a function decodes. */
    let mappings: readonly Mapping[] = [];

    function updateMappings(slot: number, fn: PciFunction): void {
      fn.bars.forEach((_, bar) => {
        const address = fn.barAddress(bar);
        const old = mappings.find((mapping) => mapping.slot === slot && mapping.bar === bar);
        if (address === (old?.address ?? null)) return;
        const others = mappings.filter((mapping) => mapping !== old);
        mappings = address === null ? others : [{ slot, bar, address }, ...others];
      });
    }

    function slotOf(offset: number): number {
      return (offset >>> SLOT_SHIFT) & (SLOTS - 1);
    }

    function functionAt(offset: number): PciFunction | null {
      if (offset >>> BUS_SHIFT !== 0 || ((offset >>> FUNCTION_SHIFT) & 7) !== 0) return null;
      return functions[slotOf(offset)] ?? null;
    }

    const ecam: Region = {
      name: "ecam",
      size: buses * 2 ** BUS_SHIFT,
      ...ANY_WIDTH,
      read(offset, width) {
        const register = offset & 0xfff;
        const fn = functionAt(offset);
        return fn === null || register >= CONFIG_SIZE ? allOnes(width) : fn.readConfig(register, width);
      },
      write(offset, width, value) {
        const register = offset & 0xfff;
        const fn = functionAt(offset);
        if (fn === null || register >= CONFIG_SIZE) return;
        fn.writeConfig(register, width, value);
        updateMappings(slotOf(offset), fn);
      },
    };

    function resolve(space: "memory" | "io", address: number): WindowTarget | null {
      for (const mapping of mappings) {
        const bar = functions[mapping.slot]?.bars[mapping.bar];
        if (!bar || (bar.kind === "io") !== (space === "io") || mapping.address > 0xffffffffn) continue;
        const offset = address - Number(mapping.address);
        if (offset < 0 || offset >= bar.region.size) continue;
        // An empty window hides nothing.
        if (isWindow(bar.region) && bar.region.resolve(offset) === null) continue;
        return { region: bar.region, offset };
      }
      return null;
    }

    function createWindow(name: string, space: "memory" | "io", base: number, size: number): WindowRegion {
      return {
        name,
        size,
        ...ANY_WIDTH,
        resolve: (offset) => resolve(space, base + offset),
        read: (_offset, width) => allOnes(width),
        write() {},
      };
    }

    function lineLevel(line: number): boolean {
      return functions.some((fn, slot) => fn !== null && fn.interruptPin !== 0 && (inputs & (1 << slot)) !== 0 && swizzleIntx(slot, fn.interruptPin) === line);
    }

    return {
      regions: [ecam, createWindow("pci-memory", "memory", memoryBase, memorySize), createWindow("pci-io", "io", 0, ioSize)],
      attach(slot: number, fn: PciFunction): void {
        if (!Number.isInteger(slot) || slot < 1 || slot >= SLOTS) throw new Error(`pci-host: no slot ${slot}, expected 1..${SLOTS - 1}`);
        if (functions[slot] !== null) throw new Error(`pci-host: slot ${slot} is taken`);
        functions[slot] = fn;
      },
      input(pin: number, level: boolean): void {
        const fn = functions[pin];
        if (!fn || fn.interruptPin === 0) throw new Error(`pci-host: slot ${pin} has no interrupt pin`);
        inputs = (level ? inputs | (1 << pin) : inputs & ~(1 << pin)) >>> 0;
        const line = swizzleIntx(pin, fn.interruptPin);
        env.irq(line, lineLevel(line));
      },
      reset(): void {
        bridge.reset();
        inputs = 0;
        mappings = [];
        for (let line = 0; line < INTX_LINES; line++) env.irq(line, false);
      },
      save: () => ({ bridge: bridge.save(), inputs, mappings }),
      load(state: DeviceState): void {
        const saved = state as State;
        bridge.load(saved.bridge);
        inputs = saved.inputs;
        mappings = saved.mappings;
      },
    };
  },
});
