// What a virtio device and its transport are to each other: the transport (virtio-mmio.ts) negotiates features, holds the queues and
// raises interrupts; the device (virtio-console.ts) serves queues and has a configuration space. Manual: Virtual I/O Device (VIRTIO)
// Version 1.2, chapter 2 (basic facilities of a device).

import type { DeviceEnv, DeviceState, Width } from "./device.ts";
import type { DescriptorChain, Virtqueue } from "./virtqueue.ts";

/** The transport as the device sees it. */
export interface VirtioTransport {
  readonly queues: readonly Virtqueue[];
  readonly dma: DeviceEnv["dma"];
  readonly log: (message: string) => void;
  /** Used buffer notification, unless the driver does not want one. */
  readonly interrupt: (queue: Virtqueue) => void;
  /** A device error: nothing is served until the driver resets the device. */
  readonly fail: (message: string) => void;
  readonly isBroken: () => boolean;
  /** The next chain that the driver made available; null: there is none, or it is malformed, which fails the device. */
  readonly pop: (queue: Virtqueue) => DescriptorChain | null;
  /** Gives a chain back. */
  readonly push: (queue: Virtqueue, head: number, written: number) => void;
}

export interface VirtioDevice {
  /** Placed queues only, and none of a broken device. */
  readonly notify: (queue: Virtqueue, index: number) => void;
  readonly readConfig: (offset: number, width: Width) => number;
  readonly writeConfig: (offset: number, width: Width, value: number) => void;
  /** Bytes from the far end. */
  readonly receive: (bytes: Uint8Array) => void;
  /** Power-on state; a driver's reset leaves the device's own state alone. */
  readonly reset: () => void;
  readonly save: () => DeviceState;
  readonly load: (state: DeviceState) => void;
}

/** A kind of device: what the transport has to know before there is one. */
export interface VirtioDeviceKind {
  readonly id: number;
  /** Feature bits of the device; the transport adds its own. */
  readonly features: bigint;
  /** Ring sizes until the driver sets one. */
  readonly queueSizes: readonly number[];
  readonly create: (transport: VirtioTransport) => VirtioDevice;
}
