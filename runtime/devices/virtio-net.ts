// The virtio network device: frames out by `output`, a call each, and in by `receive`; the machine joins the devices of one hub. Manual:
// Virtual I/O Device (VIRTIO) Version 1.2, 5.1; features and behaviour as QEMU 7.2's `virtio-net` on a hub, which knows no
// offloads: MAC, MRG_RXBUF, STATUS, the control queue with its filters (virtio-net-filter.ts), GUEST_ANNOUNCE without announcements.
// Choices of ours: a frame waits at its receiver until that is ready and has buffers, where QEMU lets the second of them wait at the sender;
// of WAITING frames the newest are dropped. num_buffers is 1 without MRG_RXBUF (5.1.6.4.1), which QEMU 7.2 does not write.
// Left out: checksum and segmentation offloads, several queue pairs, RSS, MTU, a link that goes down.

import type { DeviceEnv, DeviceState } from "./device.ts";
import { gather, readConfigBytes, scatter, sizeOf, sliceSegments, type VirtioDevice, type VirtioDeviceKind, type VirtioTransport } from "./virtio-device.ts";
import { createNetFilter, MAC_SIZE } from "./virtio-net-filter.ts";
import { VIRTIO_F_VERSION_1 } from "./virtio-transport.ts";
import type { DescriptorChain, Virtqueue } from "./virtqueue.ts";

export type NetConfig = {
  /** `52:54:00:12:34:56`. */
  readonly mac: string;
  /** The hub that the device is on: the machine gives each frame to all others there. */
  readonly hub: number;
};

const VIRTIO_ID_NET = 1;
const PCI_CLASS_NETWORK_ETHERNET = 0x0200;
const QUEUE_RECEIVE = 0;
const QUEUE_TRANSMIT = 1;
const QUEUE_CONTROL = 2;
const QUEUE_SIZES = [256, 256, 64];

const VIRTIO_NET_F_MRG_RXBUF = 15n;
const VIRTIO_NET_F_CTRL_VLAN = 19n;
const VIRTIO_NET_F_CTRL_MAC_ADDR = 23n;
/** CTRL_GUEST_OFFLOADS, MAC, MRG_RXBUF, STATUS, CTRL_VQ, CTRL_RX, CTRL_VLAN, CTRL_RX_EXTRA, GUEST_ANNOUNCE, CTRL_MAC_ADDR. */
const FEATURES = [2n, 5n, VIRTIO_NET_F_MRG_RXBUF, 16n, 17n, 18n, VIRTIO_NET_F_CTRL_VLAN, 20n, 21n, VIRTIO_NET_F_CTRL_MAC_ADDR].reduce(
  (features, bit) => features | (1n << bit),
  0n,
);

const VIRTIO_NET_S_LINK_UP = 1;
const CONFIG_SIZE = 8;
const CONFIG_STATUS = 6;
/** With num_buffers, which VIRTIO 1 and MRG_RXBUF have. */
const LONG_HEADER = 12;
const SHORT_HEADER = 10;
const NUM_BUFFERS = 10;
/** QEMU's buffer for a frame; longer ones are dropped. */
const LONGEST_FRAME = 4096 + 65536;
const LONGEST_COMMAND = 0x1_0000;
const WAITING = 256;

type State = { readonly filter: DeviceState; readonly waiting: readonly Uint8Array[] };

function parseMac(text: string): Uint8Array {
  const bytes = text.split(":").map((part) => (/^[0-9a-f]{2}$/i.test(part) ? Number.parseInt(part, 16) : Number.NaN));
  if (bytes.length !== MAC_SIZE || bytes.some(Number.isNaN))
    throw new RangeError(`virtio-net: mac is ${JSON.stringify(text)}, expected six bytes like 52:54:00:12:34:56`);
  return Uint8Array.from(bytes);
}

function createNet(ownMac: Uint8Array, output: DeviceEnv["output"], transport: VirtioTransport): VirtioDevice {
  const filter = createNetFilter(ownMac);
  /** Frames that the driver has no buffers for yet, oldest first. */
  let waiting: readonly Uint8Array[] = [];

  const isMergeable = (): boolean => transport.hasFeature(VIRTIO_NET_F_MRG_RXBUF);
  const headerSize = (): number => (isMergeable() || transport.hasFeature(VIRTIO_F_VERSION_1) ? LONG_HEADER : SHORT_HEADER);

  function transmit(queue: Virtqueue): void {
    if (!transport.isDriverOk()) return;
    for (let chain = transport.pop(queue); chain !== null; chain = transport.pop(queue)) {
      if (chain.readable.length < 1) {
        transport.fail("virtio-net header not in first element");
        return;
      }
      const data = sliceSegments(chain.readable, headerSize());
      const size = sizeOf(data);
      if (size > 0 && size <= LONGEST_FRAME) {
        const frame = gather(transport.dma, data, size);
        if (frame === null) {
          transport.fail("a transmit buffer is not in memory");
          return;
        }
        output(frame);
      } else transport.log(`a frame of ${size} bytes is dropped`);
      transport.push(queue, chain.head, 0);
      transport.interrupt(queue);
    }
  }

  /** Chains for header and frame: one, or with MRG_RXBUF as many as it takes. Null: not enough yet, or the device has failed. */
  function takeBuffers(queue: Virtqueue, size: number): readonly DescriptorChain[] | null {
    const before = queue.save();
    const chains: DescriptorChain[] = [];
    for (let room = 0; room < size;) {
      const chain = transport.pop(queue);
      if (chain === null) {
        // They stay the driver's until there are enough.
        if (!transport.isBroken()) queue.load(before);
        return null;
      }
      if (chain.writable.length < 1) {
        transport.fail("virtio-net receive queue contains no in buffers");
        return null;
      }
      chains.push(chain);
      room += sizeOf(chain.writable);
      if (isMergeable() || room >= size) continue;
      // Without MRG_RXBUF the frame has to fit into one, and the buffer waits for one that does.
      transport.log(`a frame of ${size - headerSize()} bytes is dropped: the buffer has ${room}`);
      queue.load(before);
      return [];
    }
    return chains;
  }

  /** False: the frame has to wait. */
  function deliver(queue: Virtqueue, frame: Uint8Array): boolean {
    if (!filter.accepts(frame)) return true;
    const header = new Uint8Array(headerSize());
    const chains = takeBuffers(queue, header.length + frame.length);
    if (chains === null) return false;
    if (chains.length === 0) return true;
    if (header.length === LONG_HEADER) new DataView(header.buffer).setUint16(NUM_BUFFERS, chains.length, true);
    const bytes = new Uint8Array(header.length + frame.length);
    bytes.set(header);
    bytes.set(frame, header.length);
    let at = 0;
    const written: number[] = [];
    for (const { writable } of chains) {
      const count = scatter(transport.dma, writable, bytes.subarray(at));
      if (count === null) {
        transport.fail("a receive buffer is not in memory");
        return false;
      }
      written.push(count);
      at += count;
    }
    chains.forEach(({ head }, index) => transport.push(queue, head, written[index] ?? 0));
    transport.interrupt(queue);
    return true;
  }

  function deliverWaiting(): void {
    const queue = transport.queues[QUEUE_RECEIVE];
    while (queue !== undefined && waiting[0] !== undefined && transport.isDriverOk() && !transport.isBroken() && queue.isPlaced()) {
      if (!deliver(queue, waiting[0])) return;
      waiting = waiting.slice(1);
    }
  }

  function control(queue: Virtqueue): void {
    for (let chain = transport.pop(queue); chain !== null; chain = transport.pop(queue)) {
      if (sizeOf(chain.writable) < 1 || sizeOf(chain.readable) < 2) {
        transport.fail("virtio-net ctrl missing headers");
        return;
      }
      const bytes = gather(transport.dma, chain.readable, LONGEST_COMMAND);
      const answer = bytes === null ? 0 : filter.command(bytes);
      if (bytes === null || scatter(transport.dma, chain.writable, Uint8Array.of(answer)) === null) {
        transport.fail("a control buffer is not in memory");
        return;
      }
      transport.push(queue, chain.head, 1);
      transport.interrupt(queue);
    }
  }

  function configuration(): Uint8Array {
    const config = new Uint8Array(CONFIG_SIZE);
    config.set(filter.mac());
    config[CONFIG_STATUS] = VIRTIO_NET_S_LINK_UP;
    return config;
  }

  return {
    notify(queue, index) {
      if (index === QUEUE_RECEIVE) deliverWaiting();
      else if (index === QUEUE_TRANSMIT) transmit(queue);
      else if (index === QUEUE_CONTROL) control(queue);
    },
    readConfig: (offset, width) => readConfigBytes(configuration(), offset, width),
    /** A driver of before VIRTIO 1 sets the address here (5.1.4). */
    writeConfig(offset, width, value) {
      if (offset + width > CONFIG_SIZE || transport.hasFeature(VIRTIO_F_VERSION_1) || transport.hasFeature(VIRTIO_NET_F_CTRL_MAC_ADDR)) return;
      const config = configuration();
      for (let i = 0; i < width; i++) config[offset + i] = value >>> (8 * i);
      filter.setMac(config.slice(0, MAC_SIZE));
    },
    receive(frame) {
      if (waiting.length >= WAITING) {
        transport.log(`a frame of ${frame.length} bytes is dropped: ${WAITING} others wait`);
        return;
      }
      waiting = [...waiting, frame.slice()];
      deliverWaiting();
    },
    agree: () => filter.passVlans(!transport.hasFeature(VIRTIO_NET_F_CTRL_VLAN)),
    start: deliverWaiting,
    resetByDriver: () => filter.reset(),
    reset() {
      filter.reset();
      waiting = [];
    },
    save: (): State => ({ filter: filter.save(), waiting: waiting.map((frame) => frame.slice()) }),
    load(state) {
      const saved = state as State;
      filter.load(saved.filter);
      waiting = saved.waiting.map((frame) => frame.slice());
    },
  };
}

export function virtioNet({ mac }: NetConfig, env: DeviceEnv): VirtioDeviceKind {
  const ownMac = parseMac(mac);
  return {
    id: VIRTIO_ID_NET,
    features: FEATURES,
    queueSizes: QUEUE_SIZES,
    pciClass: PCI_CLASS_NETWORK_ETHERNET,
    pciVectors: 4,
    create: (transport) => createNet(ownMac, env.output, transport),
  };
}
