// The configuration-space kit that every PCI function is built from: type-0 header, BARs, one MSI capability, INTx, bus-master DMA.
// Source of truth: PCI Local Bus Specification 3.0, chapter 6 (configuration space, 6.2.5 base addresses, 6.8.1 MSI), with the write masks
// that QEMU 7.2 shows (command 0x0507, cache line size and interrupt line writable, everything after the header that no
// capability owns is plain storage). MSI-X is in pci-msix.ts. Left out: expansion ROM, MSI masking, PCI Express capabilities, power management;
// a DMA whose range is only partly RAM is done in aligned 4-byte pieces, unreadable ones as zeros.

import type { DeviceEnv, DeviceState, PciBar, PciFunction, Width } from "./device.ts";

const PCI_VENDOR_ID = 0x00;
const PCI_DEVICE_ID = 0x02;
export const PCI_COMMAND = 0x04;
const PCI_COMMAND_IO = 0x0001;
const PCI_COMMAND_MEMORY = 0x0002;
const PCI_COMMAND_MASTER = 0x0004;
const PCI_COMMAND_SERR = 0x0100;
const PCI_COMMAND_INTX_DISABLE = 0x0400;
const PCI_STATUS = 0x06;
const PCI_STATUS_INTERRUPT = 0x0008;
const PCI_STATUS_CAP_LIST = 0x0010;
const PCI_REVISION_ID = 0x08;
const PCI_CLASS_PROG = 0x09;
const PCI_CLASS_DEVICE = 0x0a;
const PCI_CACHE_LINE_SIZE = 0x0c;
const PCI_BASE_ADDRESS_0 = 0x10;
const PCI_BASE_ADDRESS_SPACE_IO = 0x1;
const PCI_BASE_ADDRESS_MEM_TYPE_64 = 0x4;
const PCI_BASE_ADDRESS_MEM_PREFETCH = 0x8;
const PCI_SUBSYSTEM_VENDOR_ID = 0x2c;
const PCI_SUBSYSTEM_ID = 0x2e;
const PCI_CAPABILITY_LIST = 0x34;
const PCI_INTERRUPT_LINE = 0x3c;
const PCI_INTERRUPT_PIN = 0x3d;
const PCI_CAP_ID_MSI = 0x05;
const PCI_MSI_FLAGS = 2;
const PCI_MSI_FLAGS_ENABLE = 0x0001;
const PCI_MSI_FLAGS_QMASK = 0x000e;
const PCI_MSI_FLAGS_QSIZE = 0x0070;
const PCI_MSI_FLAGS_64BIT = 0x0080;
const PCI_MSI_ADDRESS_LO = 4;
const PCI_MSI_ADDRESS_HI = 8;
const PCI_MSI_DATA_64 = 12;

const CONFIG_SIZE = 0x100;
const HEADER_SIZE = 0x40;
/** Bytes of an MSI capability with 64-bit addresses and without mask bits. */
const MSI_CAP_SIZE = 14;
const COMMAND_MASK = PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE;
/** What QEMU gives to functions that name no subsystem: Red Hat's vendor number and its device 0x1100. */
const SUBSYSTEM_VENDOR_QEMU = 0x1af4;
const SUBSYSTEM_QEMU = 0x1100;

export interface PciFunctionOptions {
  readonly vendor: number;
  readonly device: number;
  readonly revision?: number;
  /** Base class and subclass, as the word at 0x0a. */
  readonly classCode: number;
  readonly programmingInterface?: number;
  /** 1 = INTA .. 4 = INTD, 0 (the default) = none. */
  readonly interruptPin?: number;
  readonly bars?: readonly (PciBar | null)[];
  /** `vectors` is a power of two, 1..32. */
  readonly msi?: { readonly offset: number; readonly vectors: number };
  /** In the order of the list. */
  readonly capabilities?: readonly PciCapability[];
  /** Before a read, and after a write, of configuration space by the guest. */
  readonly beforeConfigRead?: (offset: number, width: Width) => void;
  readonly afterConfigWrite?: (offset: number, width: Width) => void;
}

/** Bytes of configuration space that a model owns; the kit links it to the others. */
export interface PciCapability {
  readonly offset: number;
  /** Id first; the second byte is the link. */
  readonly bytes: Uint8Array;
  /** Bits that the guest may change, byte by byte; absent: none. */
  readonly writable?: Uint8Array;
}

/** What the kit gives to the model of a function. */
export interface PciFunctionKit {
  /** Configuration space past its write masks, for capabilities that a model owns. */
  readonly getConfig: (offset: number, width: Width) => number;
  readonly setConfig: (offset: number, width: Width, value: number) => void;
  readonly isBusMaster: () => boolean;
  /** A message of MSI-X: a write of 4 bytes by the function. */
  readonly sendMessage: (address: bigint, data: number) => void;
  readonly fn: PciFunction;
  /** The level of the function's INTx line; the pin follows unless the guest set INTX_DISABLE. */
  readonly setIntx: (level: boolean) => void;
  readonly msiEnabled: () => boolean;
  /** Sends MSI vector `vector`; nothing happens while MSI or bus mastering is off. */
  readonly sendMsi: (vector: number) => void;
  /** DMA as bus master: false, with zeros for what could not be read, if any byte found no memory. */
  readonly dmaRead: (address: bigint, into: Uint8Array) => boolean;
  readonly dmaWrite: (address: bigint, from: Uint8Array) => boolean;
  readonly reset: () => void;
  readonly save: () => DeviceState;
  readonly load: (state: DeviceState) => void;
}

type State = {
  readonly config: Uint8Array;
  readonly intx: boolean;
};

function get(bytes: Uint8Array, offset: number, width: number): number {
  let value = 0;
  for (let i = 0; i < width; i++) value |= (bytes[offset + i] ?? 0) << (i * 8);
  return value >>> 0;
}

function set(bytes: Uint8Array, offset: number, width: number, value: number): void {
  for (let i = 0; i < width; i++) bytes[offset + i] = value >>> (i * 8);
}

/** BARs are numbered by their first register; a 64-bit one also takes the next. */
function barRegister(bar: number): number {
  return PCI_BASE_ADDRESS_0 + bar * 4;
}

function checkBars(bars: readonly (PciBar | null)[]): void {
  bars.forEach((bar, index) => {
    if (bar === null) return;
    const { size, name } = bar.region;
    const smallest = bar.kind === "io" ? 4 : 16;
    if (size < smallest || !Number.isInteger(Math.log2(size)) || (bar.kind !== "memory64" && size > 2 ** 31)) {
      throw new Error(`BAR ${index} (${name}): ${size} bytes is not a size that a BAR can have`);
    }
    const last = bar.kind === "memory64" ? index + 1 : index;
    if (last > 5 || (bar.kind === "memory64" && bars[index + 1])) {
      throw new Error(`BAR ${index} (${name}): no register for its high half`);
    }
  });
}

/** Builds a function: its configuration space for the host bridge, and for the model the lines that go out. */
export function createPciFunction(options: PciFunctionOptions, env: DeviceEnv): PciFunctionKit {
  const bars = options.bars ?? [];
  const interruptPin = options.interruptPin ?? 0;
  const msi = options.msi;
  checkBars(bars);

  const powerOn = new Uint8Array(CONFIG_SIZE);
  const writable = new Uint8Array(CONFIG_SIZE);
  set(powerOn, PCI_VENDOR_ID, 2, options.vendor);
  set(powerOn, PCI_DEVICE_ID, 2, options.device);
  set(writable, PCI_COMMAND, 2, COMMAND_MASK);
  set(powerOn, PCI_REVISION_ID, 1, options.revision ?? 0);
  set(powerOn, PCI_CLASS_PROG, 1, options.programmingInterface ?? 0);
  set(powerOn, PCI_CLASS_DEVICE, 2, options.classCode);
  set(writable, PCI_CACHE_LINE_SIZE, 1, 0xff);
  set(powerOn, PCI_SUBSYSTEM_VENDOR_ID, 2, SUBSYSTEM_VENDOR_QEMU);
  set(powerOn, PCI_SUBSYSTEM_ID, 2, SUBSYSTEM_QEMU);
  set(writable, PCI_INTERRUPT_LINE, 1, 0xff);
  set(powerOn, PCI_INTERRUPT_PIN, 1, interruptPin);
  writable.fill(0xff, HEADER_SIZE);

  bars.forEach((bar, index) => {
    if (bar === null) return;
    const register = barRegister(index);
    const flags =
      (bar.kind === "io" ? PCI_BASE_ADDRESS_SPACE_IO : 0) |
      (bar.kind === "memory64" ? PCI_BASE_ADDRESS_MEM_TYPE_64 : 0) |
      (bar.prefetchable === true ? PCI_BASE_ADDRESS_MEM_PREFETCH : 0);
    const mask = BigInt.asUintN(64, -BigInt(bar.region.size));
    set(powerOn, register, 4, flags);
    set(writable, register, 4, Number(mask & 0xffffffffn));
    if (bar.kind === "memory64") set(writable, register + 4, 4, Number(mask >> 32n));
  });

  const capabilities = options.capabilities ?? [];
  const listed = [...(msi === undefined ? [] : [msi.offset]), ...capabilities.map(({ offset }) => offset)];
  if (listed.length > 0) set(powerOn, PCI_STATUS, 2, PCI_STATUS_CAP_LIST);
  set(powerOn, PCI_CAPABILITY_LIST, 1, listed[0] ?? 0);
  for (const { offset, bytes, writable: mask } of capabilities) {
    powerOn.set(bytes, offset);
    writable.fill(0, offset, offset + bytes.length);
    if (mask !== undefined) writable.set(mask, offset);
  }
  listed.forEach((offset, index) => set(powerOn, offset + 1, 1, listed[index + 1] ?? 0));

  if (msi !== undefined) {
    set(powerOn, msi.offset, 1, PCI_CAP_ID_MSI);
    const flags = PCI_MSI_FLAGS_64BIT | (Math.log2(msi.vectors) << 1);
    set(powerOn, msi.offset + PCI_MSI_FLAGS, 2, flags);
    writable.fill(0, msi.offset, msi.offset + MSI_CAP_SIZE);
    set(writable, msi.offset + PCI_MSI_FLAGS, 2, PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE);
    set(writable, msi.offset + PCI_MSI_ADDRESS_LO, 4, 0xfffffffc);
    set(writable, msi.offset + PCI_MSI_ADDRESS_HI, 4, 0xffffffff);
    set(writable, msi.offset + PCI_MSI_DATA_64, 2, 0xffff);
  }

  const config = powerOn.slice();
  let intx = false;

  function command(): number {
    return get(config, PCI_COMMAND, 2);
  }

  function driveIntx(): void {
    env.irq(0, intx && (command() & PCI_COMMAND_INTX_DISABLE) === 0);
  }

  function setIntx(level: boolean): void {
    if (interruptPin === 0) throw new Error("a function without interrupt pin cannot drive INTx");
    intx = level;
    const status = get(config, PCI_STATUS, 2) & ~PCI_STATUS_INTERRUPT;
    set(config, PCI_STATUS, 2, level ? status | PCI_STATUS_INTERRUPT : status);
    driveIntx();
  }

  function msiEnabled(): boolean {
    return msi !== undefined && (get(config, msi.offset + PCI_MSI_FLAGS, 2) & PCI_MSI_FLAGS_ENABLE) !== 0;
  }

  /** Enabled, the guest gets no more vectors than the function asked for. */
  function clampMsiVectors(offset: number): void {
    const flags = get(config, offset + PCI_MSI_FLAGS, 2);
    const asked = (flags & PCI_MSI_FLAGS_QMASK) >> 1;
    const allocated = Math.min((flags & PCI_MSI_FLAGS_QSIZE) >> 4, asked);
    set(config, offset + PCI_MSI_FLAGS, 2, (flags & ~PCI_MSI_FLAGS_QSIZE) | (allocated << 4));
  }

  function busMaster(): boolean {
    return (command() & PCI_COMMAND_MASTER) !== 0;
  }

  function sendMessage(address: bigint, data: number, what: string): void {
    const message = new Uint8Array(4);
    set(message, 0, 4, data);
    if (!env.dma.write(address, message)) env.log(`${what} to 0x${address.toString(16)} found no target`);
  }

  /** Runs `transfer` over the naturally aligned pieces of up to 4 bytes that make up the range. */
  function inPieces(address: bigint, length: number, transfer: (at: bigint, start: number, end: number) => boolean): boolean {
    let complete = true;
    for (let start = 0; start < length;) {
      const at = BigInt.asUintN(64, address + BigInt(start));
      const end = Math.min(start + 4 - Number(at & 3n), length);
      if (!transfer(at, start, end)) complete = false;
      start = end;
    }
    return complete;
  }

  const fn: PciFunction = {
    bars,
    interruptPin,
    readConfig(offset: number, width: Width): number {
      options.beforeConfigRead?.(offset, width);
      return get(config, offset, width);
    },
    writeConfig(offset: number, width: Width, value: number): void {
      const before = command();
      for (let i = 0; i < width && offset + i < CONFIG_SIZE; i++) {
        const mask = writable[offset + i] ?? 0;
        config[offset + i] = ((config[offset + i] ?? 0) & ~mask) | ((value >>> (i * 8)) & mask);
      }
      if (((before ^ command()) & PCI_COMMAND_INTX_DISABLE) !== 0 && intx) driveIntx();
      if (msi !== undefined && offset < msi.offset + MSI_CAP_SIZE && offset + width > msi.offset && msiEnabled()) {
        // A function whose MSI is enabled must not use INTx (PCI 3.0, 6.8.3.3).
        if (intx) setIntx(false);
        clampMsiVectors(msi.offset);
      }
      options.afterConfigWrite?.(offset, width);
    },
    barAddress(index: number): bigint | null {
      const bar = bars[index];
      if (!bar) return null;
      const enable = bar.kind === "io" ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
      if ((command() & enable) === 0) return null;
      const register = barRegister(index);
      const { size } = bar.region;
      if (bar.kind === "memory64") {
        const raw = (BigInt(get(config, register + 4, 4)) << 32n) | BigInt(get(config, register, 4));
        const address = raw & BigInt.asUintN(64, -BigInt(size));
        return address + BigInt(size) >= 1n << 64n ? null : address;
      }
      // The top of the address space is what a BAR holds while the guest is sizing it, and decodes nothing.
      const address = Math.floor(get(config, register, 4) / size) * size;
      return address + size - 1 >= 0xffffffff ? null : BigInt(address);
    },
  };

  return {
    fn,
    setIntx,
    msiEnabled,
    sendMsi(vector: number): void {
      if (msi === undefined || !msiEnabled()) return;
      if (!busMaster()) {
        env.log(`MSI vector ${vector} lost: bus mastering is off`);
        return;
      }
      const { offset } = msi;
      const allocated = 1 << ((get(config, offset + PCI_MSI_FLAGS, 2) & PCI_MSI_FLAGS_QSIZE) >> 4);
      const address = (BigInt(get(config, offset + PCI_MSI_ADDRESS_HI, 4)) << 32n) | BigInt(get(config, offset + PCI_MSI_ADDRESS_LO, 4));
      const data = (get(config, offset + PCI_MSI_DATA_64, 2) & ~(allocated - 1)) | (vector & (allocated - 1));
      sendMessage(address, data, `MSI vector ${vector}`);
    },
    sendMessage(address, data) {
      if (busMaster()) sendMessage(address, data, "an MSI-X message");
      else env.log("an MSI-X message is lost: bus mastering is off");
    },
    getConfig: (offset, width) => get(config, offset, width),
    setConfig: (offset, width, value) => set(config, offset, width, value),
    isBusMaster: busMaster,
    dmaRead(address: bigint, into: Uint8Array): boolean {
      if (!busMaster()) {
        env.log("DMA read lost: bus mastering is off");
        into.fill(0);
        return false;
      }
      if (env.dma.read(address, into)) return true;
      return inPieces(address, into.length, (at, start, end) => {
        const piece = into.subarray(start, end);
        if (env.dma.read(at, piece)) return true;
        piece.fill(0);
        return false;
      });
    },
    dmaWrite(address: bigint, from: Uint8Array): boolean {
      if (!busMaster()) {
        env.log("DMA write lost: bus mastering is off");
        return false;
      }
      if (env.dma.write(address, from)) return true;
      return inPieces(address, from.length, (at, start, end) => env.dma.write(at, from.subarray(start, end)));
    },
    reset(): void {
      config.set(powerOn);
      intx = false;
      if (interruptPin !== 0) env.irq(0, false);
    },
    save(): DeviceState {
      return { config: config.slice(), intx };
    },
    load(state: DeviceState): void {
      const saved = state as State;
      config.set(saved.config);
      intx = saved.intx;
    },
  };
}
