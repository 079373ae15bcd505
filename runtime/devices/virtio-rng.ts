// The virtio entropy device: fills what the driver offers with random bytes, of the machine's seed like all chance here. Manual: Virtual
// I/O Device (VIRTIO) Version 1.2, 5.4; behaviour as QEMU 7.2's `virtio-rng` without a rate limit: nothing before DRIVER_OK, buffers are
// filled to their end, one interrupt for all that a kick finds. It has no configuration. A buffer that the device may not write
// comes back empty at once, and one of no bytes is a mistake at once; in QEMU both wait for the next one with room.

import type { DeviceEnv } from "./device.ts";
import { readConfigBytes, sizeOf, writePieces, type VirtioDevice, type VirtioDeviceKind, type VirtioTransport } from "./virtio-device.ts";
import type { Virtqueue } from "./virtqueue.ts";

const VIRTIO_ID_RNG = 4;
const QUEUE_REQUEST = 0;
const QUEUE_SIZE = 8;
const PCI_CLASS_OTHERS = 0x00ff;
const NO_CONFIG = new Uint8Array(0);

function createRng(random: DeviceEnv["random"], transport: VirtioTransport): VirtioDevice {
  /** Four bytes a draw, the rest of the last one thrown away. */
  function fillRandom(bytes: Uint8Array): void {
    let word = 0;
    for (let i = 0; i < bytes.length; i++) {
      word = i % 4 === 0 ? random() : word >>> 8;
      bytes[i] = word;
    }
  }

  function serve(queue: Virtqueue): void {
    if (!transport.isDriverOk() || transport.isBroken() || !queue.isPlaced()) return;
    let served = 0;
    for (let chain = transport.pop(queue); chain !== null; chain = transport.pop(queue)) {
      if (!writePieces(transport.dma, chain.writable, fillRandom)) {
        transport.fail("an entropy buffer is not in memory");
        return;
      }
      transport.push(queue, chain.head, sizeOf(chain.writable));
      served++;
    }
    if (served > 0) transport.interrupt(queue);
  }

  return {
    notify: serve,
    readConfig: (offset, width) => readConfigBytes(NO_CONFIG, offset, width),
    writeConfig() {},
    start() {
      const queue = transport.queues[QUEUE_REQUEST];
      if (queue !== undefined) serve(queue);
    },
    reset() {},
    save: () => null,
    load() {},
  };
}

export function virtioRng(env: DeviceEnv): VirtioDeviceKind {
  return {
    id: VIRTIO_ID_RNG,
    features: 0n,
    queueSizes: [QUEUE_SIZE],
    pciClass: PCI_CLASS_OTHERS,
    pciVectors: 2,
    create: (transport) => createRng(env.random, transport),
  };
}
