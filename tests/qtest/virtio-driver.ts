// A driver's steps for scripts of virtio devices over MMIO: set-up, descriptors, kicks. Rings lie in RAM from 0x1_0000 on unless
// said otherwise, a queue every 0x4000 bytes; virtio-mmio.scripts.ts takes the same steps one by one.

import { RAM } from "./board.ts";
import { read, write, type Step } from "./script.ts";

export interface Descriptor {
  readonly address: number;
  readonly length: number;
  readonly flags: number;
  readonly next: number;
}

export interface Start {
  /** The low 32 bits; VIRTIO 1 is always among the others. */
  readonly features: number;
  readonly queues: readonly number[];
  readonly size: number;
  readonly status?: number;
}

export interface RingDriver {
  readonly start: (options: Start) => readonly Step[];
  readonly setStatus: (value: number) => Step;
  readonly register: (name: "isr" | "status") => Step;
  readonly acknowledge: (bits: number) => Step;
  readonly describe: (queue: number, index: number, descriptor: Descriptor) => readonly Step[];
  /** Puts `head` into place `index` of the available ring, of 8 entries, and moves its index. */
  readonly offer: (queue: number, index: number, head: number) => readonly Step[];
  readonly kick: (queue: number) => Step;
  readonly used: (queue: number) => number;
  readonly configuration: number;
}

const RING_SIZE = 8;

/** `rings`: where the first queue's lie. */
export function createMmioDriver(base: number, rings = RAM + 0x1_0000): RingDriver {
  const ring = (queue: number): { readonly desc: number; readonly avail: number; readonly used: number } => {
    const desc = rings + queue * 0x4000;
    return { desc, avail: desc + 0x1000, used: desc + 0x2000 };
  };
  const set = (offset: number, value: number): Step => write(base + offset, value);

  function place(queue: number, size: number): Step[] {
    const { desc, avail, used } = ring(queue);
    const addresses: readonly (readonly [number, number])[] = [
      [0x80, desc],
      [0x90, avail],
      [0xa0, used],
    ];
    return [set(0x30, queue), set(0x38, size), ...addresses.flatMap(([offset, address]) => [set(offset, address), set(offset + 4, 0)]), set(0x44, 1)];
  }

  return {
    start: ({ features, queues, size, status = 0xf }) => [
      set(0x70, 0),
      set(0x70, 3),
      set(0x24, 0),
      set(0x20, features),
      set(0x24, 1),
      set(0x20, 1),
      set(0x70, 0xb),
      read(base + 0x70),
      ...queues.flatMap((queue) => place(queue, size)),
      set(0x70, status),
    ],
    setStatus: (value) => set(0x70, value),
    register: (name) => read(base + (name === "isr" ? 0x60 : 0x70)),
    acknowledge: (bits) => set(0x64, bits),
    describe(queue, index, { address, length, flags, next }) {
      const at = ring(queue).desc + 16 * index;
      return [write(at, address, 8), write(at + 8, length), write(at + 12, flags, 2), write(at + 14, next, 2)];
    },
    offer: (queue, index, head) => [write(ring(queue).avail + 4 + 2 * (index % RING_SIZE), head, 2), write(ring(queue).avail + 2, index + 1, 2)],
    kick: (queue) => set(0x50, queue),
    used: (queue) => ring(queue).used,
    configuration: base + 0x100,
  };
}
