// What a virtio device and its transport are to each other: the transport (virtio-mmio.ts, virtio-pci.ts, over virtio-transport.ts)
// negotiates features, holds the queues and raises interrupts; the device (virtio-console.ts, -rng, -blk, -net) serves queues and has a
// configuration space. Neither knows which of the other kind it has. Manual: Virtual I/O Device (VIRTIO) Version 1.2, chapter 2.

import type { DeviceEnv, DeviceState, Width } from "./device.ts";
import type { DescriptorChain, Segment, Virtqueue } from "./virtqueue.ts";

/** The transport as the device sees it. */
export interface VirtioTransport {
  readonly queues: readonly Virtqueue[];
  readonly dma: DeviceEnv["dma"];
  readonly log: (message: string) => void;
  /** Whether driver and device have agreed on the feature with this number. */
  readonly hasFeature: (bit: bigint) => boolean;
  readonly isDriverOk: () => boolean;
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
  readonly receive?: (bytes: Uint8Array) => void;
  /** The driver has written the features that it wants. */
  readonly agree?: () => void;
  /** The driver has set DRIVER_OK, perhaps again. */
  readonly start?: () => void;
  /** The driver's reset, for devices with a state that it touches. */
  readonly resetByDriver?: () => void;
  /** Power-on state. */
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
  /** Class of a PCI function that carries the device (base class and subclass). */
  readonly pciClass: number;
  /** MSI-X vectors of such a function: QEMU's default. */
  readonly pciVectors: number;
  readonly create: (transport: VirtioTransport) => VirtioDevice;
}

function allOnes(width: Width): number {
  return width === 4 ? 0xffff_ffff : 2 ** (width * 8) - 1;
}

/** An access to a configuration space; what does not lie in it whole reads all ones, as in QEMU. */
export function readConfigBytes(config: Uint8Array, offset: number, width: Width): number {
  if (offset + width > config.length) return allOnes(width);
  let value = 0;
  for (let i = 0; i < width; i++) value |= (config[offset + i] ?? 0) << (i * 8);
  return value >>> 0;
}

/** Longest piece of guest memory that is copied at once: a length in a descriptor is the guest's word, and may be 4 GiB. */
const PIECE = 4096;

export function sizeOf(segments: readonly Segment[]): number {
  return segments.reduce((sum, { length }) => sum + length, 0);
}

/** The part of a chain from byte `start` to byte `end`. */
export function sliceSegments(segments: readonly Segment[], start: number, end = Infinity): readonly Segment[] {
  const parts: Segment[] = [];
  let at = 0;
  for (const { address, length } of segments) {
    const from = Math.max(start - at, 0);
    const to = Math.min(end - at, length);
    if (to > from) parts.push({ address: address + BigInt(from), length: to - from });
    at += length;
  }
  return parts;
}

/** Hands all bytes of the segments on, piece by piece; false as soon as some are not in memory. */
export function readPieces(dma: DeviceEnv["dma"], segments: readonly Segment[], take: (bytes: Uint8Array) => void): boolean {
  for (const { address, length } of segments) {
    for (let done = 0; done < length; done += PIECE) {
      const bytes = new Uint8Array(Math.min(PIECE, length - done));
      if (!dma.read(address + BigInt(done), bytes)) return false;
      take(bytes);
    }
  }
  return true;
}

/** Fills the segments piece by piece; false as soon as a piece is not in memory. */
export function writePieces(dma: DeviceEnv["dma"], segments: readonly Segment[], fill: (bytes: Uint8Array) => void): boolean {
  for (const { address, length } of segments) {
    for (let done = 0; done < length; done += PIECE) {
      const bytes = new Uint8Array(Math.min(PIECE, length - done));
      fill(bytes);
      if (!dma.write(address + BigInt(done), bytes)) return false;
    }
  }
  return true;
}

/** The first `limit` bytes of the segments, or fewer if there are no more; null if some are not in memory. */
export function gather(dma: DeviceEnv["dma"], segments: readonly Segment[], limit: number): Uint8Array | null {
  const wanted = sliceSegments(segments, 0, limit);
  const bytes = new Uint8Array(sizeOf(wanted));
  let at = 0;
  const isComplete = readPieces(dma, wanted, (piece) => {
    bytes.set(piece, at);
    at += piece.length;
  });
  return isComplete ? bytes : null;
}

/** Writes as many of the bytes as the segments hold; how many those are, or null if some place is not in memory. */
export function scatter(dma: DeviceEnv["dma"], segments: readonly Segment[], bytes: Uint8Array): number | null {
  let at = 0;
  const isComplete = writePieces(dma, sliceSegments(segments, 0, bytes.length), (piece) => {
    piece.set(bytes.subarray(at, at + piece.length));
    at += piece.length;
  });
  return isComplete ? at : null;
}
