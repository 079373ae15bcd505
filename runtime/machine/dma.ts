// What a device reaches by DMA: bytes of RAM, or one register of another device (an MSI is such a write). A transfer that leaves RAM
// is refused as a whole, so that a model never sees half of one.

import type { DeviceEnv } from "../devices/device.ts";

export interface DmaSpace {
  /** Guest physical address of the first byte of `ram`. */
  readonly base: bigint;
  readonly ram: Uint8Array;
  /** A write of 1, 2 or 4 bytes outside RAM; false: nobody is there. */
  readonly writeRegister: (address: bigint, width: 1 | 2 | 4, value: number) => boolean;
  /** Bytes of RAM that were written. */
  readonly wrote?: (offset: number, length: number) => void;
}

export function createDma({ base, ram, writeRegister, wrote }: DmaSpace): DeviceEnv["dma"] {
  function offsetOf(address: bigint, length: number): number {
    const offset = address - base;
    return offset >= 0n && offset + BigInt(length) <= BigInt(ram.length) ? Number(offset) : -1;
  }

  return {
    read(address, into) {
      const offset = offsetOf(address, into.length);
      if (offset < 0) return false;
      into.set(ram.subarray(offset, offset + into.length));
      return true;
    },
    write(address, from) {
      const width = from.length;
      const offset = offsetOf(address, width);
      if (offset >= 0) {
        ram.set(from, offset);
        if (width > 0) wrote?.(offset, width);
        return true;
      }
      if (width !== 1 && width !== 2 && width !== 4) return false;
      let value = 0;
      for (let i = width - 1; i >= 0; i--) value = ((value << 8) | (from[i] ?? 0)) >>> 0;
      return writeRegister(address, width, value);
    },
  };
}
