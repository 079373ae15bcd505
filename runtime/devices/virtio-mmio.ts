// Virtio over MMIO, version 2: the transport, with one of the devices of virtio-kinds.ts behind it or none.
// Manual: Virtual I/O Device (VIRTIO) Version 1.2, 4.2 (MMIO transport). Register behaviour as QEMU 7.2's virtio-mmio with
// force-legacy=false; what it shares with PCI is in virtio-transport.ts.
// QueueReset, which QEMU offers but its MMIO transport lacks, works as specified once RING_RESET is negotiated.
// Left out: the legacy interface (version 1), shared memory regions.

import { defineDevice, type Device, type DeviceEnv, type DeviceState, type Region, type Width } from "./device.ts";
import type { VirtioDeviceKind } from "./virtio-device.ts";
import { virtioKind, type VirtioKindConfig } from "./virtio-kinds.ts";
import { createVirtioCore, STATUS_FEATURES_OK, VIRTIO_F_RING_RESET, VIRTIO_QUEUE_MAX, VIRTQUEUE_MAX_SIZE } from "./virtio-transport.ts";

export type VirtioMmioConfig = VirtioKindConfig | { readonly device: "none" };

const MAGIC_VALUE = 0x000;
const VERSION = 0x004;
const DEVICE_ID = 0x008;
const VENDOR_ID = 0x00c;
const DEVICE_FEATURES = 0x010;
const DEVICE_FEATURES_SEL = 0x014;
const DRIVER_FEATURES = 0x020;
const DRIVER_FEATURES_SEL = 0x024;
const QUEUE_SEL = 0x030;
const QUEUE_NUM_MAX = 0x034;
const QUEUE_NUM = 0x038;
const QUEUE_READY = 0x044;
const QUEUE_NOTIFY = 0x050;
const INTERRUPT_STATUS = 0x060;
const INTERRUPT_ACK = 0x064;
const STATUS = 0x070;
const QUEUE_DESC_LOW = 0x080;
const QUEUE_DESC_HIGH = 0x084;
const QUEUE_DRIVER_LOW = 0x090;
const QUEUE_DRIVER_HIGH = 0x094;
const QUEUE_DEVICE_LOW = 0x0a0;
const QUEUE_DEVICE_HIGH = 0x0a4;
const SHM_LEN_LOW = 0x0b0;
const SHM_LEN_HIGH = 0x0b4;
const QUEUE_RESET = 0x0c0;
const CONFIG_GENERATION = 0x0fc;
const CONFIG = 0x100;
const REGION_SIZE = 0x200;

const VIRT_MAGIC = 0x74726976;
const VIRT_VERSION = 2;
/** "QEMU", read as little-endian bytes. */
const VIRT_VENDOR = 0x554d4551;

/** What the driver wrote for one queue, until QueueReady hands it to the queue. */
type QueueSetup = {
  readonly num: number;
  readonly ready: boolean;
  readonly desc: bigint;
  readonly driver: bigint;
  readonly device: bigint;
};

const NO_SETUP: QueueSetup = { num: 0, ready: false, desc: 0n, driver: 0n, device: 0n };

interface AddressHalf {
  readonly field: "desc" | "driver" | "device";
  readonly high: boolean;
}

const ADDRESS_REGISTERS: ReadonlyMap<number, AddressHalf> = new Map([
  [QUEUE_DESC_LOW, { field: "desc", high: false }],
  [QUEUE_DESC_HIGH, { field: "desc", high: true }],
  [QUEUE_DRIVER_LOW, { field: "driver", high: false }],
  [QUEUE_DRIVER_HIGH, { field: "driver", high: true }],
  [QUEUE_DEVICE_LOW, { field: "device", high: false }],
  [QUEUE_DEVICE_HIGH, { field: "device", high: true }],
]);

const WRITE_ONLY: ReadonlySet<number> = new Set([
  DEVICE_FEATURES_SEL,
  DRIVER_FEATURES,
  DRIVER_FEATURES_SEL,
  QUEUE_SEL,
  QUEUE_NUM,
  QUEUE_NOTIFY,
  INTERRUPT_ACK,
  ...ADDRESS_REGISTERS.keys(),
]);

const READ_ONLY: ReadonlySet<number> = new Set([
  MAGIC_VALUE,
  VERSION,
  DEVICE_ID,
  VENDOR_ID,
  DEVICE_FEATURES,
  QUEUE_NUM_MAX,
  INTERRUPT_STATUS,
  CONFIG_GENERATION,
]);

const READABLE: ReadonlySet<number> = new Set([...READ_ONLY, QUEUE_READY, STATUS, SHM_LEN_LOW, SHM_LEN_HIGH, QUEUE_RESET]);

type State = {
  readonly deviceFeaturesSel: number;
  readonly driverFeaturesSel: number;
  readonly driverFeatures: readonly number[];
  readonly queueSel: number;
  readonly setups: readonly { readonly queue: number; readonly setup: QueueSetup }[];
  readonly core: DeviceState;
};

function createRegion(read: Region["read"], write: Region["write"]): Region {
  return {
    name: "virtio-mmio",
    size: REGION_SIZE,
    valid: { min: 1, max: 8 },
    impl: { min: 1, max: 4 },
    read,
    write,
    // What is no register is complained of.
    pureRead: (offset, width) => (width === 4 && READABLE.has(offset) ? "constant" : null),
  };
}

/** A transport without device shows its magic, version and vendor, and reads as zero elsewhere, device ID included (4.2.2.2). */
function createEmptyTransport(): Device {
  const registers = new Map([
    [MAGIC_VALUE, VIRT_MAGIC],
    [VERSION, VIRT_VERSION],
    [VENDOR_ID, VIRT_VENDOR],
  ]);
  const truncate = (value: number, width: Width): number => (width === 4 ? value : value & (2 ** (width * 8) - 1));
  return {
    regions: [
      createRegion(
        (offset, width) => truncate(registers.get(offset) ?? 0, width),
        () => {},
      ),
    ],
    reset() {},
    save: () => null,
    load() {},
  };
}

function createTransport(kind: VirtioDeviceKind, env: DeviceEnv): Device {
  let deviceFeaturesSel = 0;
  let driverFeaturesSel = 0;
  let driverFeatures = [0, 0];
  let queueSel = 0;
  const setups = new Map<number, QueueSetup>();
  const core = createVirtioCore(kind, { dma: env.dma, log, interrupt: driveIrq });
  const { device } = core;

  function log(message: string): void {
    env.log(`virtio-mmio: ${message}`);
  }

  function driveIrq(): void {
    env.irq(0, core.isr() !== 0);
  }

  /** The driver's reset, by writing 0 to Status. Selectors and what was written for the queues stay, as in QEMU. */
  function resetByDriver(): void {
    core.resetByDriver();
    queueSel = 0;
    for (const [index, setup] of setups) setups.set(index, { ...setup, ready: false });
    env.irq(0, false);
  }

  function writeStatus(value: number): void {
    if ((value & STATUS_FEATURES_OK) !== 0 && (core.status() & STATUS_FEATURES_OK) === 0) {
      core.agree((BigInt(driverFeatures[1] ?? 0) << 32n) | BigInt(driverFeatures[0] ?? 0));
    }
    if ((value & 0xff) === 0) resetByDriver();
    else core.setStatus(value & 0xff);
  }

  function selectedSetup(): QueueSetup {
    return setups.get(queueSel) ?? NO_SETUP;
  }

  /** The size counts at once, for a ring in use too, and once more when the queue is made ready after a reset. */
  function writeQueueNum(value: number): void {
    setups.set(queueSel, { ...selectedSetup(), num: value });
    core.setQueueSize(queueSel, value);
  }

  function writeQueueReady(value: number): void {
    const setup = selectedSetup();
    setups.set(queueSel, { ...setup, ready: value !== 0 });
    if (value !== 0) core.placeQueue(queueSel, setup.num, { desc: setup.desc, avail: setup.driver, used: setup.device });
  }

  function resetQueue(value: number): void {
    if (!core.hasFeature(VIRTIO_F_RING_RESET) || value !== 1) {
      log("write to QueueReset without VIRTIO_F_RING_RESET, or of another value than 1");
      return;
    }
    core.resetQueue(queueSel);
    setups.set(queueSel, { ...selectedSetup(), ready: false });
  }

  function readRegister(offset: number): number {
    switch (offset) {
      case MAGIC_VALUE:
        return VIRT_MAGIC;
      case VERSION:
        return VIRT_VERSION;
      case DEVICE_ID:
        return kind.id;
      case VENDOR_ID:
        return VIRT_VENDOR;
      case DEVICE_FEATURES:
        return Number((core.hostFeatures >> BigInt(32 * deviceFeaturesSel)) & 0xffffffffn);
      case QUEUE_NUM_MAX:
        return core.hasQueue(queueSel) ? VIRTQUEUE_MAX_SIZE : 0;
      case QUEUE_READY:
        return selectedSetup().ready ? 1 : 0;
      case INTERRUPT_STATUS:
        return core.isr();
      case STATUS:
        return core.status();
      case CONFIG_GENERATION:
        return core.generation();
      case SHM_LEN_LOW:
      case SHM_LEN_HIGH:
        // Length -1: the shared memory region does not exist (4.2.2).
        return 0xffffffff;
      case QUEUE_RESET:
        return 0;
      default:
        log(`read of ${WRITE_ONLY.has(offset) ? "write-only" : "unknown"} register 0x${offset.toString(16)}`);
        return 0;
    }
  }

  function writeRegister(offset: number, value: number): void {
    const half = ADDRESS_REGISTERS.get(offset);
    if (half !== undefined) {
      const setup = selectedSetup();
      const old = setup[half.field];
      const part = BigInt(value);
      const address = half.high ? (part << 32n) | (old & 0xffffffffn) : (old & ~0xffffffffn) | part;
      setups.set(queueSel, { ...setup, [half.field]: address });
      return;
    }
    switch (offset) {
      case DEVICE_FEATURES_SEL:
        deviceFeaturesSel = value === 0 ? 0 : 1;
        break;
      case DRIVER_FEATURES_SEL:
        driverFeaturesSel = value === 0 ? 0 : 1;
        break;
      case DRIVER_FEATURES:
        driverFeatures[driverFeaturesSel] = value;
        break;
      case QUEUE_SEL:
        if (value < VIRTIO_QUEUE_MAX) queueSel = value;
        break;
      case QUEUE_NUM:
        writeQueueNum(value);
        break;
      case QUEUE_READY:
        writeQueueReady(value);
        break;
      case QUEUE_NOTIFY:
        core.notify(value);
        break;
      case INTERRUPT_ACK:
        core.acknowledge(value);
        driveIrq();
        break;
      case STATUS:
        writeStatus(value);
        break;
      case QUEUE_RESET:
        resetQueue(value);
        break;
      default:
        log(`write to ${READ_ONLY.has(offset) ? "read-only" : "unknown"} register 0x${offset.toString(16)}`);
    }
  }

  return {
    regions: [
      createRegion(
        (offset, width) => {
          if (offset >= CONFIG) return device.readConfig(offset - CONFIG, width);
          if (width === 4) return readRegister(offset);
          log(`${width}-byte read of register 0x${offset.toString(16)}`);
          return 0;
        },
        (offset, width, value) => {
          if (offset >= CONFIG) device.writeConfig(offset - CONFIG, width, value);
          else if (width === 4) writeRegister(offset, value);
          else log(`${width}-byte write to register 0x${offset.toString(16)}`);
        },
      ),
    ],
    reset(): void {
      core.reset();
      deviceFeaturesSel = 0;
      driverFeaturesSel = 0;
      driverFeatures = [0, 0];
      queueSel = 0;
      setups.clear();
      env.irq(0, false);
    },
    ...(device.receive === undefined ? {} : { receive: device.receive }),
    save: (): State => ({
      deviceFeaturesSel,
      driverFeaturesSel,
      driverFeatures: [...driverFeatures],
      queueSel,
      setups: [...setups].map(([queue, setup]) => ({ queue, setup })),
      core: core.save(),
    }),
    load(state: DeviceState): void {
      const saved = state as State;
      ({ deviceFeaturesSel, driverFeaturesSel, queueSel } = saved);
      driverFeatures = [...saved.driverFeatures];
      setups.clear();
      for (const { queue, setup } of saved.setups) setups.set(queue, setup);
      core.load(saved.core);
    },
  };
}

export const virtioMmio = defineDevice<VirtioMmioConfig>({
  name: "virtio-mmio",
  summary: "virtio MMIO transport, version 2, with a console, rng, blk or net device, or none",
  manual: "Virtual I/O Device (VIRTIO) Version 1.2, 4.2",
  describe: () => ({ node: "virtio_mmio", compatible: ["virtio,mmio"], aperture: 0x1000 }),
  create: (config, env) => (config.device === "none" ? createEmptyTransport() : createTransport(virtioKind(config, env), env)),
});
