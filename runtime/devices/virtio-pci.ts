// Virtio over PCI: the transport of VIRTIO 1.x, with one of the devices of virtio-kinds.ts behind it. Manual: Virtual I/O Device (VIRTIO)
// Version 1.2, 4.1; layout and behaviour as QEMU 7.2's virtio-pci with `disable-legacy=on`: BAR 1 is MSI-X, BAR 4 has a page each for
// common configuration, ISR status, the device's configuration and notifications, and a capability opens BAR 4 to configuration space.
// A reset of the machine makes all registers as at power-on; in QEMU feature selectors and driver features stay.
// Left out: the legacy interface (a transitional function has an I/O BAR 0 and ids from 0x1000), notification data, shared memory.

import { defineDevice, type Device, type DeviceEnv, type DeviceState, type Region, type Width } from "./device.ts";
import { createPciFunction, PCI_COMMAND, type PciCapability, type PciFunctionKit } from "./pci.ts";
import { createMsix } from "./pci-msix.ts";
import { virtioKind, type VirtioKindConfig } from "./virtio-kinds.ts";
import { createVirtioCore, ISR_QUEUE, STATUS_DRIVER_OK, VIRTIO_QUEUE_MAX, type InterruptSource, type VirtioCore } from "./virtio-transport.ts";

const VENDOR_VIRTIO = 0x1af4;
/** Plus the virtio device id. */
const DEVICE_VIRTIO = 0x1040;
const REVISION = 1;
const MSIX_BAR = 1;
const MODERN_BAR = 4;

const PAGE = 0x1000;
const COMMON_CFG = 0;
const ISR_CFG = 1;
const DEVICE_CFG = 2;
const NOTIFY_CFG = 3;
const NOTIFY_MULTIPLIER = 4;

const PCI_CAP_ID_VNDR = 0x09;
const VIRTIO_PCI_CAP_COMMON_CFG = 1;
const VIRTIO_PCI_CAP_NOTIFY_CFG = 2;
const VIRTIO_PCI_CAP_ISR_CFG = 3;
const VIRTIO_PCI_CAP_DEVICE_CFG = 4;
const VIRTIO_PCI_CAP_PCI_CFG = 5;
const CAP_BAR = 4;
const CAP_OFFSET = 8;
const CAP_LENGTH = 12;
/** Behind a capability's common part: the notify multiplier, or the window's data. */
const CAP_EXTRA = 16;
const PCI_CFG_OFFSET = 0x84;
const MSIX_OFFSET = 0x98;

const DEVICE_FEATURE_SELECT = 0x00;
const DEVICE_FEATURE = 0x04;
const DRIVER_FEATURE_SELECT = 0x08;
const DRIVER_FEATURE = 0x0c;
const CONFIG_MSIX_VECTOR = 0x10;
const NUM_QUEUES = 0x12;
const DEVICE_STATUS = 0x14;
const CONFIG_GENERATION = 0x15;
const QUEUE_SELECT = 0x16;
const QUEUE_SIZE = 0x18;
const QUEUE_MSIX_VECTOR = 0x1a;
const QUEUE_ENABLE = 0x1c;
const QUEUE_NOTIFY_OFF = 0x1e;
const QUEUE_DESC = 0x20;
const QUEUE_DRIVER = 0x28;
const QUEUE_DEVICE = 0x30;
const QUEUE_RESET = 0x3a;
const VIRTIO_MSI_NO_VECTOR = 0xffff;

/** What the driver wrote for one queue. */
type QueueSetup = {
  readonly num: number;
  readonly isEnabled: boolean;
  readonly vector: number;
  readonly desc: bigint;
  readonly driver: bigint;
  readonly device: bigint;
};

const NO_SETUP: QueueSetup = { num: 0, isEnabled: false, vector: VIRTIO_MSI_NO_VECTOR, desc: 0n, driver: 0n, device: 0n };

interface AddressHalf {
  readonly field: "desc" | "driver" | "device";
  readonly shift: bigint;
}

const ADDRESS_REGISTERS: ReadonlyMap<number, AddressHalf> = new Map(
  (
    [
      [QUEUE_DESC, "desc"],
      [QUEUE_DRIVER, "driver"],
      [QUEUE_DEVICE, "device"],
    ] as const
  ).flatMap(([register, field]) => [
    [register, { field, shift: 0n }],
    [register + 4, { field, shift: 32n }],
  ]),
);

type State = {
  readonly pci: DeviceState;
  readonly msix: DeviceState;
  readonly core: DeviceState;
  readonly deviceFeatureSelect: number;
  readonly driverFeatureSelect: number;
  readonly driverFeatures: readonly number[];
  readonly queueSelect: number;
  readonly configVector: number;
  readonly setups: readonly { readonly queue: number; readonly setup: QueueSetup }[];
};

function vendorCapability(offset: number, type: number, page: number | null, extra: number | null): PciCapability {
  const bytes = new Uint8Array(extra === null ? CAP_EXTRA : CAP_EXTRA + 4);
  const view = new DataView(bytes.buffer);
  bytes[0] = PCI_CAP_ID_VNDR;
  bytes[2] = bytes.length;
  bytes[3] = type;
  if (page !== null) {
    bytes[CAP_BAR] = MODERN_BAR;
    view.setUint32(CAP_OFFSET, page * PAGE, true);
    view.setUint32(CAP_LENGTH, PAGE, true);
  }
  if (extra !== null) view.setUint32(CAP_EXTRA, extra, true);
  return { offset, bytes };
}

/** The window into BAR 4 (4.1.4.9): where, how much, and the data. */
function windowCapability(): PciCapability {
  const capability = vendorCapability(PCI_CFG_OFFSET, VIRTIO_PCI_CAP_PCI_CFG, null, 0);
  const writable = new Uint8Array(capability.bytes.length);
  writable[CAP_BAR] = 0xff;
  writable.fill(0xff, CAP_OFFSET);
  return { ...capability, writable };
}

const CAPABILITIES: readonly PciCapability[] = [
  windowCapability(),
  vendorCapability(0x70, VIRTIO_PCI_CAP_NOTIFY_CFG, NOTIFY_CFG, NOTIFY_MULTIPLIER),
  vendorCapability(0x60, VIRTIO_PCI_CAP_DEVICE_CFG, DEVICE_CFG, null),
  vendorCapability(0x50, VIRTIO_PCI_CAP_ISR_CFG, ISR_CFG, null),
  vendorCapability(0x40, VIRTIO_PCI_CAP_COMMON_CFG, COMMON_CFG, null),
];

function create(config: VirtioKindConfig, env: DeviceEnv): Device {
  const kind = virtioKind(config, env);
  let deviceFeatureSelect = 0;
  let driverFeatureSelect = 0;
  let driverFeatures = [0, 0];
  let queueSelect = 0;
  let configVector = VIRTIO_MSI_NO_VECTOR;
  const setups = new Map<number, QueueSetup>();

  const msix = createMsix({ offset: MSIX_OFFSET, vectors: kind.pciVectors, bar: MSIX_BAR }, () => pci);
  const core: VirtioCore = createVirtioCore(kind, {
    dma: {
      read: (address, into) => pci.isBusMaster() && env.dma.read(address, into),
      write: (address, from) => pci.isBusMaster() && env.dma.write(address, from),
    },
    log,
    interrupt,
  });
  const { device } = core;

  function log(message: string): void {
    env.log(`virtio-pci: ${message}`);
  }

  function setupOf(queue: number): QueueSetup {
    return setups.get(queue) ?? NO_SETUP;
  }

  function change(fields: Partial<QueueSetup>): void {
    setups.set(queueSelect, { ...setupOf(queueSelect), ...fields });
  }

  function interrupt(source: InterruptSource): void {
    const vector = source === "configuration" ? configVector : setupOf(source).vector;
    if (!msix.isEnabled()) driveIntx();
    else if (vector !== VIRTIO_MSI_NO_VECTOR) msix.notify(vector);
  }

  function driveIntx(): void {
    pci.setIntx((core.isr() & ISR_QUEUE) !== 0);
  }

  /** An impossible vector reads back as none: so a driver learns of it (4.1.5.1.2). */
  function takeVector(vector: number): number {
    return msix.use(vector) ? vector : VIRTIO_MSI_NO_VECTOR;
  }

  function resetByDriver(): void {
    core.resetByDriver();
    queueSelect = 0;
    configVector = VIRTIO_MSI_NO_VECTOR;
    setups.clear();
    msix.unuseAll();
    pci.setIntx(false);
  }

  /** With DRIVER_OK the device looks at all queues at once, as QEMU does over PCI. */
  function writeStatus(value: number): void {
    if (value === 0) {
      resetByDriver();
      return;
    }
    const begins = (value & ~core.status() & STATUS_DRIVER_OK) !== 0;
    core.setStatus(value);
    if (begins) kind.queueSizes.forEach((_, index) => core.notify(index));
  }

  function enableQueue(value: number): void {
    if (value !== 1) {
      core.fail(`wrong value for queue_enable ${value}`);
      return;
    }
    const { num, desc, driver, device: used } = setupOf(queueSelect);
    core.placeQueue(queueSelect, num, { desc, avail: driver, used });
    change({ isEnabled: true });
  }

  function readCommon(offset: number): number {
    const half = ADDRESS_REGISTERS.get(offset);
    const setup = setupOf(queueSelect);
    if (half !== undefined) return Number((setup[half.field] >> half.shift) & 0xffff_ffffn);
    switch (offset) {
      case DEVICE_FEATURE_SELECT:
        return deviceFeatureSelect;
      case DEVICE_FEATURE:
        return deviceFeatureSelect <= 1 ? Number((core.hostFeatures >> BigInt(32 * deviceFeatureSelect)) & 0xffff_ffffn) : 0;
      case DRIVER_FEATURE_SELECT:
        return driverFeatureSelect;
      case DRIVER_FEATURE:
        return driverFeatures[driverFeatureSelect] ?? 0;
      case CONFIG_MSIX_VECTOR:
        return configVector;
      case NUM_QUEUES:
        return kind.queueSizes.length;
      case DEVICE_STATUS:
        return core.status();
      case CONFIG_GENERATION:
        return core.generation();
      case QUEUE_SELECT:
        return queueSelect;
      case QUEUE_SIZE:
        return core.queueSize(queueSelect);
      case QUEUE_MSIX_VECTOR:
        return setup.vector;
      case QUEUE_ENABLE:
        return setup.isEnabled ? 1 : 0;
      case QUEUE_NOTIFY_OFF:
        return queueSelect;
      default:
        return 0;
    }
  }

  function writeCommon(offset: number, value: number): void {
    const half = ADDRESS_REGISTERS.get(offset);
    if (half !== undefined) {
      const kept = setupOf(queueSelect)[half.field] & ~(0xffff_ffffn << half.shift);
      change({ [half.field]: kept | (BigInt(value) << half.shift) });
      return;
    }
    switch (offset) {
      case DEVICE_FEATURE_SELECT:
        deviceFeatureSelect = value;
        break;
      case DRIVER_FEATURE_SELECT:
        driverFeatureSelect = value;
        break;
      case DRIVER_FEATURE:
        if (driverFeatureSelect > 1) break;
        driverFeatures[driverFeatureSelect] = value;
        core.agree((BigInt(driverFeatures[1] ?? 0) << 32n) | BigInt(driverFeatures[0] ?? 0));
        break;
      case CONFIG_MSIX_VECTOR:
        configVector = takeVector(value);
        break;
      case DEVICE_STATUS:
        writeStatus(value & 0xff);
        break;
      case QUEUE_SELECT:
        if (value < VIRTIO_QUEUE_MAX) queueSelect = value;
        break;
      case QUEUE_SIZE:
        change({ num: value });
        core.setQueueSize(queueSelect, value);
        break;
      case QUEUE_MSIX_VECTOR:
        change({ vector: takeVector(value) });
        break;
      case QUEUE_ENABLE:
        enableQueue(value);
        break;
      case QUEUE_RESET:
        if (value !== 1) break;
        core.resetQueue(queueSelect);
        change({ isEnabled: false });
        break;
      default:
        log(`write to read-only or unknown common configuration 0x${offset.toString(16)}`);
    }
  }

  const truncate = (value: number, width: Width): number => (width >= 4 ? value : value & (2 ** (8 * width) - 1));

  const modern: Region = {
    name: "virtio-pci",
    size: 4 * PAGE,
    valid: { min: 1, max: 8 },
    impl: { min: 1, max: 4 },
    read(offset, width) {
      const at = offset % PAGE;
      switch (Math.floor(offset / PAGE)) {
        case COMMON_CFG:
          return truncate(readCommon(at), width);
        case ISR_CFG: {
          // A look takes the cause back, and the interrupt with it (4.1.4.5).
          const isr = core.isr();
          core.acknowledge(isr);
          pci.setIntx(false);
          return isr;
        }
        case DEVICE_CFG:
          return device.readConfig(at, width);
        default:
          return 0;
      }
    },
    pureRead: (offset) => (Math.floor(offset / PAGE) === ISR_CFG ? null : "constant"),
    write(offset, width, value) {
      const at = offset % PAGE;
      switch (Math.floor(offset / PAGE)) {
        case COMMON_CFG:
          writeCommon(at, value);
          break;
        case DEVICE_CFG:
          device.writeConfig(at, width, value);
          break;
        case NOTIFY_CFG:
          core.notify(Math.floor(at / NOTIFY_MULTIPLIER));
          break;
      }
    },
  };

  /** The window of the last capability: where it leads, null if it leads nowhere. */
  function windowTarget(): { readonly offset: number; readonly width: 1 | 2 | 4 } | null {
    const length = pci.getConfig(PCI_CFG_OFFSET + CAP_LENGTH, 4);
    if (length !== 1 && length !== 2 && length !== 4) return null;
    const offset = (pci.getConfig(PCI_CFG_OFFSET + CAP_OFFSET, 4) & -length) >>> 0;
    return offset < modern.size ? { offset, width: length } : null;
  }

  const isWindowData = (offset: number, width: Width): boolean => offset < PCI_CFG_OFFSET + CAP_EXTRA + 4 && offset + width > PCI_CFG_OFFSET + CAP_EXTRA;

  const pci: PciFunctionKit = createPciFunction(
    {
      vendor: VENDOR_VIRTIO,
      device: DEVICE_VIRTIO + kind.id,
      revision: REVISION,
      classCode: kind.pciClass,
      interruptPin: 1,
      bars: [null, { kind: "memory32", region: msix.region }, null, null, { kind: "memory64", prefetchable: true, region: modern }],
      capabilities: [msix.capability, ...CAPABILITIES],
      beforeConfigRead(offset, width) {
        const target = isWindowData(offset, width) ? windowTarget() : null;
        if (target !== null) pci.setConfig(PCI_CFG_OFFSET + CAP_EXTRA, target.width, modern.read(target.offset, target.width));
      },
      afterConfigWrite(offset, width) {
        if (offset <= PCI_COMMAND && offset + width > PCI_COMMAND) {
          core.setDisabled(!pci.isBusMaster());
          if (!pci.isBusMaster() && (core.status() & STATUS_DRIVER_OK) !== 0) core.setStatus(core.status() & ~STATUS_DRIVER_OK);
        }
        msix.afterConfigWrite(offset, width);
        const target = isWindowData(offset, width) ? windowTarget() : null;
        if (target !== null) modern.write(target.offset, target.width, pci.getConfig(PCI_CFG_OFFSET + CAP_EXTRA, target.width));
      },
    },
    env,
  );

  return {
    regions: [],
    pci: pci.fn,
    reset() {
      pci.reset();
      msix.reset();
      core.reset();
      deviceFeatureSelect = 0;
      driverFeatureSelect = 0;
      driverFeatures = [0, 0];
      queueSelect = 0;
      configVector = VIRTIO_MSI_NO_VECTOR;
      setups.clear();
    },
    ...(device.receive === undefined ? {} : { receive: device.receive }),
    save: (): State => ({
      pci: pci.save(),
      msix: msix.save(),
      core: core.save(),
      deviceFeatureSelect,
      driverFeatureSelect,
      driverFeatures: [...driverFeatures],
      queueSelect,
      configVector,
      setups: [...setups].map(([queue, setup]) => ({ queue, setup })),
    }),
    load(state) {
      const saved = state as State;
      pci.load(saved.pci);
      msix.load(saved.msix);
      core.load(saved.core);
      ({ deviceFeatureSelect, driverFeatureSelect, queueSelect, configVector } = saved);
      driverFeatures = [...saved.driverFeatures];
      setups.clear();
      for (const { queue, setup } of saved.setups) setups.set(queue, setup);
    },
  };
}

export const virtioPci = defineDevice<VirtioKindConfig>({
  name: "virtio-pci",
  summary: "virtio over PCI (modern), with a console, rng, blk or net device",
  manual: "Virtual I/O Device (VIRTIO) Version 1.2, 4.1",
  create,
});
