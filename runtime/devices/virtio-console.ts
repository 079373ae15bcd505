// The virtio console: a byte stream in and out, through two queues, and single bytes through its configuration space. What leaves it goes
// to a backend: out of the machine, or to chr-testdev. Manual: Virtual I/O Device (VIRTIO) Version 1.2, 5.3; behaviour as QEMU 7.2's
// `-device virtio-serial-device,max_ports=1 -device virtconsole`: a kick of the transmit queue interrupts even if it was empty.
// Left out: F_SIZE, multiport (control queues 2 and 3 exist; nothing is served there).

import { createChrTestdev } from "./chr-testdev.ts";
import type { DeviceEnv, DeviceState, Width } from "./device.ts";
import { readConfigBytes, readPieces, type VirtioDevice, type VirtioDeviceKind, type VirtioTransport } from "./virtio-device.ts";
import type { DescriptorChain, Virtqueue } from "./virtqueue.ts";

export type ConsoleConfig = {
  readonly backend: "chr-testdev" | "output";
};

const VIRTIO_ID_CONSOLE = 3;
const VIRTIO_CONSOLE_F_EMERG_WRITE = 1n << 2n;
const QUEUE_RECEIVE = 0;
const QUEUE_TRANSMIT = 1;
/** Receive, transmit, control receive, control transmit. */
const QUEUE_SIZES = [128, 128, 32, 32];

const CONSOLE_CONFIG_SIZE = 12;
const CONSOLE_CONFIG_MAX_NR_PORTS = 4;
const CONSOLE_CONFIG_EMERG_WR = 8;

const PCI_CLASS_COMMUNICATION_OTHER = 0x0780;

type State = {
  readonly config: Uint8Array;
  readonly pending: Uint8Array;
  readonly backend: DeviceState;
};

interface Backend {
  readonly write: (bytes: Uint8Array) => void;
  readonly reset: () => void;
  readonly save: () => DeviceState;
  readonly load: (state: DeviceState) => void;
}

function createBackend(name: ConsoleConfig["backend"], env: DeviceEnv): Backend {
  switch (name) {
    case "chr-testdev":
      return createChrTestdev(env);
    case "output":
      return { write: (bytes) => env.output(bytes), reset() {}, save: () => null, load() {} };
    default:
      throw new RangeError(`virtio-console: backend is ${JSON.stringify(name)}, expected chr-testdev or output`);
  }
}

function createConsole(backend: Backend, transport: VirtioTransport): VirtioDevice {
  const config = new Uint8Array(CONSOLE_CONFIG_SIZE);
  /** Bytes from the host that wait for a receive buffer. */
  let pending = new Uint8Array(0);
  initialiseConfig();

  function initialiseConfig(): void {
    config.fill(0);
    config[CONSOLE_CONFIG_MAX_NR_PORTS] = 1;
  }

  function transmit(queue: Virtqueue): void {
    while (!transport.isBroken()) {
      const chain = transport.pop(queue);
      if (chain === null) break;
      if (readPieces(transport.dma, chain.readable, backend.write)) transport.push(queue, chain.head, 0);
      else transport.fail("a transmit buffer is not in memory");
    }
    // Also after a kick without buffers, and after a malformed one.
    transport.interrupt(queue);
  }

  /** Fills the chain's writable part from `pending`; how many bytes went there, or null if it is not in memory. */
  function fillChain(chain: DescriptorChain): number | null {
    let filled = 0;
    for (const { address, length } of chain.writable) {
      const part = pending.subarray(filled, filled + length);
      if (part.length === 0) break;
      if (!transport.dma.write(address, part)) return null;
      filled += part.length;
    }
    return filled;
  }

  function deliverPending(): void {
    const queue = transport.queues[QUEUE_RECEIVE];
    if (queue === undefined || transport.isBroken() || !queue.isPlaced() || pending.length === 0) return;
    let delivered = 0;
    while (pending.length > 0 && !transport.isBroken()) {
      const chain = transport.pop(queue);
      if (chain === null) break;
      const filled = fillChain(chain);
      if (filled === null) {
        transport.fail("a receive buffer is not in memory");
        return;
      }
      pending = pending.slice(filled);
      delivered += filled;
      transport.push(queue, chain.head, filled);
    }
    if (delivered > 0 && !transport.isBroken()) transport.interrupt(queue);
  }

  /** Only emerg_wr keeps what is written, and any value but 0 in it is a byte for the console (5.3.4). */
  function writeConfig(offset: number, width: Width, value: number): void {
    if (offset + width > CONSOLE_CONFIG_SIZE) return;
    for (let i = 0; i < width; i++) {
      if (offset + i >= CONSOLE_CONFIG_EMERG_WR) config[offset + i] = value >>> (i * 8);
    }
    if (readConfigBytes(config, CONSOLE_CONFIG_EMERG_WR, 4) === 0) return;
    backend.write(config.slice(CONSOLE_CONFIG_EMERG_WR, CONSOLE_CONFIG_EMERG_WR + 1));
    config.fill(0, CONSOLE_CONFIG_EMERG_WR);
  }

  return {
    notify(queue, index) {
      if (index === QUEUE_RECEIVE) deliverPending();
      else if (index === QUEUE_TRANSMIT) transmit(queue);
      else transport.log(`queue ${index} was kicked, but without multiport nothing is served there`);
    },
    readConfig: (offset, width) => readConfigBytes(config, offset, width),
    writeConfig,
    receive(bytes) {
      const joined = new Uint8Array(pending.length + bytes.length);
      joined.set(pending);
      joined.set(bytes, pending.length);
      pending = joined;
      deliverPending();
    },
    reset() {
      initialiseConfig();
      pending = new Uint8Array(0);
      backend.reset();
    },
    save: (): State => ({ config: config.slice(), pending: pending.slice(), backend: backend.save() }),
    load(state) {
      const saved = state as State;
      config.set(saved.config);
      pending = saved.pending.slice();
      backend.load(saved.backend);
    },
  };
}

export function virtioConsole({ backend }: ConsoleConfig, env: DeviceEnv): VirtioDeviceKind {
  const far = createBackend(backend, env);
  return {
    id: VIRTIO_ID_CONSOLE,
    features: VIRTIO_CONSOLE_F_EMERG_WRITE,
    queueSizes: QUEUE_SIZES,
    pciClass: PCI_CLASS_COMMUNICATION_OTHER,
    pciVectors: 2,
    create: (transport) => createConsole(far, transport),
  };
}
