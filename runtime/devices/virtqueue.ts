// The device's end of a split virtqueue in guest memory: what every virtio device model pops buffers from and pushes them to.
// Manual: Virtual I/O Device (VIRTIO) Version 1.2, 2.7 (split virtqueues), 2.7.5.3 (indirect descriptors), 2.7.7 and 2.7.10
// (notification suppression, event index). A malformed ring is a value (`error`): the transport turns it into DEVICE_NEEDS_RESET
// under the conditions of QEMU 7.2. Buffers are served one at a time, so a queue never has more than one in flight.
// As in QEMU an available index that runs ahead by more than the ring's size is followed all the same.
// Left out: packed virtqueues, indirect tables within indirect tables (their flag is not looked at).

import type { DeviceEnv } from "./device.ts";

const VRING_DESC_F_NEXT = 0x1;
const VRING_DESC_F_WRITE = 0x2;
const VRING_DESC_F_INDIRECT = 0x4;
const VRING_AVAIL_F_NO_INTERRUPT = 0x1;
const DESC_SIZE = 16;
const USED_ELEM_SIZE = 8;

export interface Segment {
  readonly address: bigint;
  readonly length: number;
}

export interface DescriptorChain {
  readonly head: number;
  /** In order; the device reads these. */
  readonly readable: readonly Segment[];
  readonly writable: readonly Segment[];
}

export type PopResult =
  | { readonly kind: "chain"; readonly chain: DescriptorChain }
  | { readonly kind: "empty" }
  | { readonly kind: "error"; readonly message: string };

export interface RingAddresses {
  readonly desc: bigint;
  readonly avail: bigint;
  readonly used: bigint;
}

export type VirtqueueState = {
  readonly size: number;
  readonly desc: bigint;
  readonly avail: bigint;
  readonly used: bigint;
  readonly lastAvail: number;
  readonly usedIndex: number;
  readonly signalledUsed: number;
  readonly signalledUsedValid: boolean;
};

export interface Virtqueue {
  /** Entries of the ring; 0 for a queue that the device does not have. */
  readonly size: () => number;
  readonly setSize: (size: number) => void;
  /** Takes the ring's parts; null, or which of them is not in memory. */
  readonly setRings: (rings: RingAddresses) => string | null;
  /** False until the driver has placed the ring. */
  readonly isPlaced: () => boolean;
  readonly pop: () => PopResult;
  /** Gives a chain back with `written` bytes in its writable part; null, or what went wrong. */
  readonly push: (head: number, written: number) => string | null;
  /** True if the driver wants an interrupt for what was pushed since the last call. */
  readonly shouldNotify: () => boolean;
  readonly reset: () => void;
  readonly save: () => VirtqueueState;
  readonly load: (state: VirtqueueState) => void;
}

interface Descriptor {
  readonly address: bigint;
  readonly length: number;
  readonly flags: number;
  readonly next: number;
}

export function createVirtqueue(dma: DeviceEnv["dma"], defaultSize: number, hasEventIndex: () => boolean): Virtqueue {
  const powerOn: VirtqueueState = {
    size: defaultSize,
    desc: 0n,
    avail: 0n,
    used: 0n,
    lastAvail: 0,
    usedIndex: 0,
    signalledUsed: 0,
    signalledUsedValid: false,
  };
  let state = powerOn;

  function read(address: bigint, length: number): DataView | null {
    const bytes = new Uint8Array(length);
    return dma.read(address, bytes) ? new DataView(bytes.buffer) : null;
  }

  function readDescriptor(table: bigint, index: number): Descriptor | null {
    const view = read(table + BigInt(index * DESC_SIZE), DESC_SIZE);
    if (view === null) return null;
    return {
      address: view.getBigUint64(0, true),
      length: view.getUint32(8, true),
      flags: view.getUint16(12, true),
      next: view.getUint16(14, true),
    };
  }

  function write16(address: bigint, value: number): boolean {
    return dma.write(address, Uint8Array.of(value & 0xff, (value >>> 8) & 0xff));
  }

  function error(message: string): PopResult {
    return { kind: "error", message };
  }

  /** Follows a chain from its head to its end. */
  function walk(head: number): PopResult {
    let table = state.desc;
    let entries = state.size;
    let descriptor = readDescriptor(table, head);
    if (descriptor !== null && (descriptor.flags & VRING_DESC_F_INDIRECT) !== 0) {
      if (descriptor.length === 0 || descriptor.length % DESC_SIZE !== 0) return error("invalid size for indirect buffer table");
      table = descriptor.address;
      entries = descriptor.length / DESC_SIZE;
      descriptor = readDescriptor(table, 0);
    }
    const readable: Segment[] = [];
    const writable: Segment[] = [];
    for (;;) {
      if (descriptor === null) return error("a descriptor is not in memory");
      const { address, length, flags, next } = descriptor;
      if (length === 0) return error("zero sized buffers are not allowed");
      if ((flags & VRING_DESC_F_WRITE) !== 0) writable.push({ address, length });
      else if (writable.length > 0) return error("incorrect order for descriptors");
      else readable.push({ address, length });
      if (readable.length + writable.length > entries) return error("looped descriptor");
      if ((flags & VRING_DESC_F_NEXT) === 0) return { kind: "chain", chain: { head, readable, writable } };
      if (next >= entries) return error(`desc next is ${next}`);
      descriptor = readDescriptor(table, next);
    }
  }

  return {
    size: () => state.size,
    setSize(size: number): void {
      state = { ...state, size };
    },
    setRings(rings: RingAddresses): string | null {
      state = { ...state, ...rings };
      if (state.desc === 0n) return null;
      const event = hasEventIndex() ? 2 : 0;
      if (read(state.desc, state.size * DESC_SIZE) === null) return "cannot map desc";
      if (read(state.used, 4 + state.size * USED_ELEM_SIZE + event) === null) return "cannot map used";
      if (read(state.avail, 4 + state.size * 2 + event) === null) return "cannot map avail";
      return null;
    },
    isPlaced: () => state.size !== 0 && state.desc !== 0n,
    pop(): PopResult {
      const index = read(state.avail + 2n, 2)?.getUint16(0, true);
      if (index === undefined) return error("the available ring is not in memory");
      if (index === state.lastAvail) return { kind: "empty" };
      const head = read(state.avail + 4n + BigInt((state.lastAvail % state.size) * 2), 2)?.getUint16(0, true);
      if (head === undefined) return error("the available ring is not in memory");
      if (head >= state.size) return error(`the driver says index ${head} is available`);
      state = { ...state, lastAvail: (state.lastAvail + 1) & 0xffff };
      if (hasEventIndex() && !write16(state.used + 4n + BigInt(state.size * USED_ELEM_SIZE), state.lastAvail)) {
        return error("the used ring is not in memory");
      }
      return walk(head);
    },
    push(head: number, written: number): string | null {
      const element = new DataView(new ArrayBuffer(USED_ELEM_SIZE));
      element.setUint32(0, head, true);
      element.setUint32(4, written, true);
      const slot = state.used + 4n + BigInt((state.usedIndex % state.size) * USED_ELEM_SIZE);
      const usedIndex = (state.usedIndex + 1) & 0xffff;
      if (!dma.write(slot, new Uint8Array(element.buffer)) || !write16(state.used + 2n, usedIndex)) {
        return "the used ring is not in memory";
      }
      // 2^15 pushes on, the index has come round behind the last notified one, and the comparison below would mislead.
      const isStale = ((usedIndex - state.signalledUsed) << 16) >> 16 < 1;
      state = { ...state, usedIndex, signalledUsedValid: state.signalledUsedValid && !isStale };
      return null;
    },
    shouldNotify(): boolean {
      if (!hasEventIndex()) {
        const flags = read(state.avail, 2)?.getUint16(0, true) ?? 0;
        return (flags & VRING_AVAIL_F_NO_INTERRUPT) === 0;
      }
      const { usedIndex, signalledUsed, signalledUsedValid } = state;
      state = { ...state, signalledUsed: usedIndex, signalledUsedValid: true };
      if (!signalledUsedValid) return true;
      const usedEvent = read(state.avail + 4n + BigInt(state.size * 2), 2)?.getUint16(0, true) ?? 0;
      return ((usedIndex - usedEvent - 1) & 0xffff) < ((usedIndex - signalledUsed) & 0xffff);
    },
    reset(): void {
      state = powerOn;
    },
    save: () => state,
    load(saved: VirtqueueState): void {
      state = { ...saved };
    },
  };
}
