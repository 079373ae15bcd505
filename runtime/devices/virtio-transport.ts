// What the transports of virtio share: features, status, queues, and the word between a device and its driver. virtio-mmio.ts and
// virtio-pci.ts are register layouts over one of these, and say how an interrupt gets out. Manual: Virtual I/O Device (VIRTIO) Version
// 1.2, 2.1 to 2.6; behaviour as QEMU 7.2's hw/virtio/virtio.c: a kick is served before DRIVER_OK too, a size counts at once.
// Rings and buffers outside RAM are a device error (NEEDS_RESET); QEMU lets them read as zeros.

import type { DeviceEnv, DeviceState } from "./device.ts";
import type { VirtioDevice, VirtioDeviceKind } from "./virtio-device.ts";
import { createVirtqueue, type RingAddresses, type VirtqueueState } from "./virtqueue.ts";

export const STATUS_DRIVER_OK = 0x04;
export const STATUS_FEATURES_OK = 0x08;
const STATUS_NEEDS_RESET = 0x40;
export const ISR_QUEUE = 0x1;
const ISR_CONFIG = 0x2;

const VIRTIO_RING_F_INDIRECT_DESC = 28n;
const VIRTIO_RING_F_EVENT_IDX = 29n;
export const VIRTIO_F_VERSION_1 = 32n;
export const VIRTIO_F_RING_RESET = 40n;
const TRANSPORT_FEATURES = [VIRTIO_RING_F_INDIRECT_DESC, VIRTIO_RING_F_EVENT_IDX, VIRTIO_F_VERSION_1, VIRTIO_F_RING_RESET].reduce(
  (features, bit) => features | (1n << bit),
  0n,
);

/** Queue numbers that a transport can select, and the longest ring. */
export const VIRTIO_QUEUE_MAX = 1024;
export const VIRTQUEUE_MAX_SIZE = 1024;

/** Who wants the driver: a queue, or the configuration. */
export type InterruptSource = number | "configuration";

export interface VirtioOutlets {
  readonly dma: DeviceEnv["dma"];
  readonly log: (message: string) => void;
  /** `isr` has the cause already. */
  readonly interrupt: (source: InterruptSource) => void;
}

export interface VirtioCore {
  readonly kind: VirtioDeviceKind;
  readonly device: VirtioDevice;
  readonly hostFeatures: bigint;
  readonly hasFeature: (bit: bigint) => boolean;
  /** The driver's choice; bits that were not offered are dropped and told. */
  readonly agree: (asked: bigint) => void;
  readonly status: () => number;
  /** Any status but 0, which is `resetByDriver`. */
  readonly setStatus: (value: number) => void;
  readonly isr: () => number;
  readonly acknowledge: (bits: number) => void;
  readonly generation: () => number;
  readonly hasQueue: (index: number) => boolean;
  /** Entries of the queue's ring; 0: there is no such queue. */
  readonly queueSize: (index: number) => number;
  readonly setQueueSize: (index: number, size: number) => void;
  readonly placeQueue: (index: number, size: number, rings: RingAddresses) => void;
  readonly resetQueue: (index: number) => void;
  readonly notify: (index: number) => void;
  /** Nothing is served while this holds: a PCI function that is no bus master. */
  readonly setDisabled: (value: boolean) => void;
  readonly fail: (message: string) => void;
  readonly resetByDriver: () => void;
  readonly reset: () => void;
  readonly save: () => DeviceState;
  readonly load: (state: DeviceState) => void;
}

type State = {
  readonly features: bigint;
  readonly status: number;
  readonly isr: number;
  readonly generation: number;
  readonly isBroken: boolean;
  readonly isDisabled: boolean;
  readonly queues: readonly VirtqueueState[];
  readonly device: DeviceState;
};

export function createVirtioCore(kind: VirtioDeviceKind, outlets: VirtioOutlets): VirtioCore {
  const { dma, log } = outlets;
  const hostFeatures = kind.features | TRANSPORT_FEATURES;
  let features = 0n;
  let status = 0;
  let isr = 0;
  let generation = 0;
  /** Set by a malformed ring until the driver resets the device. */
  let isBroken = false;
  let isDisabled = false;

  const hasFeature = (bit: bigint): boolean => ((features >> bit) & 1n) !== 0n;
  const queues = kind.queueSizes.map((size) => createVirtqueue(dma, size, () => hasFeature(VIRTIO_RING_F_EVENT_IDX)));
  const device = kind.create({
    queues,
    dma,
    log,
    hasFeature,
    isDriverOk: () => (status & STATUS_DRIVER_OK) !== 0,
    interrupt(queue) {
      if (!queue.shouldNotify()) return;
      isr |= ISR_QUEUE;
      outlets.interrupt(queues.indexOf(queue));
    },
    fail,
    isBroken: () => isBroken || isDisabled,
    pop(queue) {
      if (isBroken || isDisabled) return null;
      const result = queue.pop();
      if (result.kind === "chain") return result.chain;
      if (result.kind === "error") fail(result.message);
      return null;
    },
    push(queue, head, written) {
      const message = queue.push(head, written);
      if (message !== null) fail(message);
    },
  });

  function fail(message: string): void {
    log(message);
    isBroken = true;
    if (!hasFeature(VIRTIO_F_VERSION_1)) return;
    status |= STATUS_NEEDS_RESET;
    if ((status & STATUS_DRIVER_OK) === 0) return;
    generation = (generation + 1) >>> 0;
    isr |= ISR_QUEUE | ISR_CONFIG;
    outlets.interrupt("configuration");
  }

  function setQueueSize(index: number, size: number): void {
    const queue = queues[index];
    if (queue === undefined) return;
    if (size > 0 && size <= VIRTQUEUE_MAX_SIZE) queue.setSize(size);
    else log(`a size of ${size} for queue ${index} is out of range; it keeps ${queue.size()} entries`);
  }

  function resetByDriver(): void {
    features = 0n;
    status = 0;
    isr = 0;
    isBroken = false;
    for (const queue of queues) queue.reset();
    device.resetByDriver?.();
  }

  return {
    kind,
    device,
    hostFeatures,
    hasFeature,
    agree(asked) {
      features = asked & hostFeatures;
      if (asked !== features) log(`the driver asked for features 0x${(asked & ~hostFeatures).toString(16)}, which were not offered`);
      device.agree?.();
    },
    status: () => status,
    setStatus(value) {
      status = value;
      if ((value & STATUS_DRIVER_OK) !== 0) device.start?.();
    },
    isr: () => isr,
    acknowledge(bits) {
      isr &= ~bits;
    },
    generation: () => generation,
    hasQueue: (index) => queues[index] !== undefined,
    queueSize: (index) => queues[index]?.size() ?? 0,
    setQueueSize,
    placeQueue(index, size, rings) {
      setQueueSize(index, size);
      const message = queues[index]?.setRings(rings) ?? null;
      if (message !== null) fail(message);
    },
    resetQueue: (index) => queues[index]?.reset(),
    notify(index) {
      const queue = queues[index];
      if (queue !== undefined && !isBroken && !isDisabled && queue.isPlaced()) device.notify(queue, index);
    },
    setDisabled(value) {
      isDisabled = value;
    },
    fail,
    resetByDriver,
    reset() {
      resetByDriver();
      generation = 0;
      isDisabled = false;
      device.reset();
    },
    save: (): State => ({
      features,
      status,
      isr,
      generation,
      isBroken,
      isDisabled,
      queues: queues.map((queue) => queue.save()),
      device: device.save(),
    }),
    load(state) {
      const saved = state as State;
      ({ features, status, isr, generation, isBroken, isDisabled } = saved);
      saved.queues.forEach((queue, index) => queues[index]?.load(queue));
      device.load(saved.device);
    },
  };
}
