// The virtio block device: a disk of 512-byte sectors, in memory of its own or in the store that the machine was given for it. Manual:
// Virtual I/O Device (VIRTIO) Version 1.2, 5.2; features, configuration and answers as QEMU 7.2's `virtio-blk` with one queue.
// Requests are served at the kick, one after the other. A discard is taken and changes nothing, as with QEMU's `discard=ignore`.
// Left out: SCSI commands (answered as unsupported), several queues, secure erase, lifetime, zones, topology and a geometry
// from a partition table, none of which QEMU offers here either.

import type { ByteStore, DeviceEnv, DeviceState } from "./device.ts";
import { createSparseStore } from "./sparse-store.ts";
import {
  gather,
  readConfigBytes,
  readPieces,
  scatter,
  sizeOf,
  sliceSegments,
  writePieces,
  type VirtioDevice,
  type VirtioDeviceKind,
  type VirtioTransport,
} from "./virtio-device.ts";
import type { DescriptorChain, Segment } from "./virtqueue.ts";

export type BlkConfig = {
  /** Bytes, of a disk that is in memory; whole sectors. */
  readonly size: number;
  readonly readOnly?: boolean;
  /** What GET_ID tells; at most 20 bytes count. */
  readonly serial?: string;
};

const VIRTIO_ID_BLOCK = 2;
const PCI_CLASS_STORAGE_SCSI = 0x0100;
const QUEUE_SIZE = 256;

const VIRTIO_BLK_F_RO = 5n;
const VIRTIO_BLK_F_FLUSH = 9n;
const VIRTIO_BLK_F_CONFIG_WCE = 11n;
/** SEG_MAX, GEOMETRY, BLK_SIZE, FLUSH, TOPOLOGY, CONFIG_WCE, DISCARD, WRITE_ZEROES. */
const FEATURES = [2n, 4n, 6n, VIRTIO_BLK_F_FLUSH, 10n, VIRTIO_BLK_F_CONFIG_WCE, 13n, 14n].reduce((features, bit) => features | (1n << bit), 0n);

const VIRTIO_BLK_T_IN = 0;
const VIRTIO_BLK_T_OUT = 1;
const VIRTIO_BLK_T_SCSI_CMD = 2;
const VIRTIO_BLK_T_FLUSH = 4;
const VIRTIO_BLK_T_GET_ID = 8;
const VIRTIO_BLK_T_DISCARD = 11;
const VIRTIO_BLK_T_WRITE_ZEROES = 13;
/** Of the legacy interface, and without effect. */
const VIRTIO_BLK_T_BARRIER = 0x8000_0000;

const VIRTIO_BLK_S_OK = 0;
const VIRTIO_BLK_S_IOERR = 1;
const VIRTIO_BLK_S_UNSUPP = 2;

const HEADER_SIZE = 16;
const RANGE_SIZE = 16;
const ID_SIZE = 20;
const SECTOR = 512;
const WRITE_ZEROES_FLAG_UNMAP = 1;
const MAX_RANGE_SECTORS = 0x3f_ffff;
/** Segments of a request beside its header and status. */
const SEG_MAX = 254;

/** Up to write_zeroes_may_unmap. */
const CONFIG_SIZE = 0x39;
const CONFIG_WCE = 0x20;
const GEOMETRY_HEADS = 16;
const GEOMETRY_SECTORS = 63;

type State = { readonly disk: DeviceState; readonly writeCache: boolean };

function describeDisk(size: number): Uint8Array {
  const config = new Uint8Array(CONFIG_SIZE);
  const view = new DataView(config.buffer);
  const sectors = size / SECTOR;
  const cylinders = Math.floor(sectors / (GEOMETRY_HEADS * GEOMETRY_SECTORS));
  view.setBigUint64(0x00, BigInt(sectors), true);
  view.setUint32(0x0c, SEG_MAX, true);
  view.setUint16(0x10, Math.min(Math.max(cylinders, 2), 16383), true);
  view.setUint8(0x12, GEOMETRY_HEADS);
  view.setUint8(0x13, GEOMETRY_SECTORS);
  view.setUint32(0x14, SECTOR, true);
  // num_queues, then discard and write zeroes: sectors, segments, alignment or whether they may unmap.
  view.setUint16(0x22, 1, true);
  view.setUint32(0x24, MAX_RANGE_SECTORS, true);
  view.setUint32(0x28, 1, true);
  view.setUint32(0x2c, 1, true);
  view.setUint32(0x30, MAX_RANGE_SECTORS, true);
  view.setUint32(0x34, 1, true);
  view.setUint8(0x38, 1);
  return config;
}

interface Disk {
  readonly store: ByteStore;
  readonly isReadOnly: boolean;
  readonly serial: Uint8Array;
  readonly clear: () => void;
  readonly save: () => DeviceState;
  readonly load: (state: DeviceState) => void;
}

function createBlk(disk: Disk, transport: VirtioTransport): VirtioDevice {
  const { store, isReadOnly } = disk;
  const config = describeDisk(store.size);
  const setWriteCache = (isOn: boolean): void => void (config[CONFIG_WCE] = isOn ? 1 : 0);
  const hasWriteCache = (): boolean => config[CONFIG_WCE] !== 0;
  setWriteCache(true);

  function isInRange(sector: bigint, bytes: number): boolean {
    return bytes % SECTOR === 0 && sector + BigInt(bytes / SECTOR) <= BigInt(store.size / SECTOR);
  }

  /** Without a write cache a write has lasted when it is answered. */
  function settle(): void {
    if (!hasWriteCache()) store.flush();
  }

  /** Status of a read or write, null if a buffer is not in memory. */
  function transfer(sector: bigint, segments: readonly Segment[], isWrite: boolean): number | null {
    if (!isInRange(sector, sizeOf(segments)) || (isWrite && isReadOnly)) return VIRTIO_BLK_S_IOERR;
    let at = Number(sector) * SECTOR;
    const move = isWrite ? readPieces : writePieces;
    const isComplete = move(transport.dma, segments, (bytes) => {
      if (isWrite) store.write(at, bytes);
      else store.read(at, bytes);
      at += bytes.length;
    });
    if (isWrite) settle();
    return isComplete ? VIRTIO_BLK_S_OK : null;
  }

  /** Discard and write zeroes (5.2.6): one range a request, as the configuration says. */
  function clearRange(type: number, data: readonly Segment[]): number | null {
    if ((type & VIRTIO_BLK_T_OUT) === 0 || sizeOf(data) > RANGE_SIZE) return VIRTIO_BLK_S_UNSUPP;
    const bytes = gather(transport.dma, data, RANGE_SIZE);
    if (bytes === null || bytes.length < RANGE_SIZE) {
      transport.fail("virtio-blk discard/write_zeroes header too short");
      return null;
    }
    const view = new DataView(bytes.buffer);
    const sector = view.getBigUint64(0, true);
    const sectors = view.getUint32(8, true);
    const flags = view.getUint32(12, true);
    const isZeroing = type === VIRTIO_BLK_T_WRITE_ZEROES;
    if (sectors > MAX_RANGE_SECTORS || !isInRange(sector, sectors * SECTOR)) return VIRTIO_BLK_S_IOERR;
    if ((flags & ~WRITE_ZEROES_FLAG_UNMAP) !== 0 || (!isZeroing && flags !== 0)) return VIRTIO_BLK_S_UNSUPP;
    if (!isZeroing) return VIRTIO_BLK_S_OK;
    if (isReadOnly) return VIRTIO_BLK_S_IOERR;
    store.fill(Number(sector) * SECTOR, sectors * SECTOR);
    settle();
    return VIRTIO_BLK_S_OK;
  }

  /** A driver that sends one all the same finds an error in the SCSI answer, if there is room for one (VIRTIO 0.9.5, appendix D). */
  function refuseScsi({ readable, writable }: DescriptorChain): number {
    const answer = writable.at(-2);
    if (readable.length < 2 || writable.length < 3 || answer === undefined) return VIRTIO_BLK_S_IOERR;
    scatter(transport.dma, [answer], Uint8Array.of(255, 0, 0, 0));
    return VIRTIO_BLK_S_UNSUPP;
  }

  /** Status of a request, null if the device has failed over it. */
  function perform(chain: DescriptorChain, header: DataView): number | null {
    const type = (header.getUint32(0, true) & ~VIRTIO_BLK_T_BARRIER) >>> 0;
    const sector = header.getBigUint64(8, true);
    const outgoing = sliceSegments(chain.readable, HEADER_SIZE);
    const incoming = sliceSegments(chain.writable, 0, sizeOf(chain.writable) - 1);
    // As in QEMU the direction is a bit beside the command, also where it means nothing.
    switch ((type & ~VIRTIO_BLK_T_OUT) >>> 0) {
      case VIRTIO_BLK_T_IN: {
        const isWrite = type === VIRTIO_BLK_T_OUT;
        const status = transfer(sector, isWrite ? outgoing : incoming, isWrite);
        if (status === null) transport.fail("a data buffer is not in memory");
        return status;
      }
      case VIRTIO_BLK_T_FLUSH:
        store.flush();
        return VIRTIO_BLK_S_OK;
      case VIRTIO_BLK_T_SCSI_CMD:
        return refuseScsi(chain);
      case VIRTIO_BLK_T_GET_ID:
        scatter(transport.dma, incoming, disk.serial.subarray(0, ID_SIZE));
        return VIRTIO_BLK_S_OK;
      case VIRTIO_BLK_T_DISCARD & ~VIRTIO_BLK_T_OUT:
      case VIRTIO_BLK_T_WRITE_ZEROES & ~VIRTIO_BLK_T_OUT:
        return clearRange(type, outgoing);
      default:
        return VIRTIO_BLK_S_UNSUPP;
    }
  }

  /** False if the device has failed. */
  function serve(chain: DescriptorChain): boolean {
    const { readable, writable } = chain;
    const status = writable.at(-1);
    if (readable.length < 1 || status === undefined) {
      transport.fail("virtio-blk missing headers");
      return false;
    }
    const header = gather(transport.dma, readable, HEADER_SIZE);
    if (header === null || header.length < HEADER_SIZE) {
      transport.fail("virtio-blk request outhdr too short");
      return false;
    }
    const result = perform(chain, new DataView(header.buffer));
    if (result === null) return false;
    if (scatter(transport.dma, [{ address: status.address + BigInt(status.length - 1), length: 1 }], Uint8Array.of(result)) === null) {
      transport.fail("a status byte is not in memory");
      return false;
    }
    return true;
  }

  return {
    notify(queue) {
      for (let chain = transport.pop(queue); chain !== null; chain = transport.pop(queue)) {
        if (!serve(chain)) return;
        // All that the driver lets the device write, whatever came of it, as in QEMU.
        transport.push(queue, chain.head, sizeOf(chain.writable));
        transport.interrupt(queue);
      }
    },
    readConfig: (offset, width) => readConfigBytes(config, offset, width),
    writeConfig(offset, width, value) {
      if (offset + width > CONFIG_SIZE || offset > CONFIG_WCE || offset + width <= CONFIG_WCE) return;
      setWriteCache(((value >>> (8 * (CONFIG_WCE - offset))) & 0xff) !== 0);
    },
    start() {
      // A driver that cannot choose gets a cache if it can flush it (5.2.5.2).
      if (!transport.hasFeature(VIRTIO_BLK_F_CONFIG_WCE)) setWriteCache(transport.hasFeature(VIRTIO_BLK_F_FLUSH));
    },
    resetByDriver: () => setWriteCache(true),
    reset() {
      setWriteCache(true);
      disk.clear();
    },
    save: (): State => ({ disk: disk.save(), writeCache: hasWriteCache() }),
    load(state) {
      const saved = state as State;
      disk.load(saved.disk);
      setWriteCache(saved.writeCache);
    },
  };
}

function openDisk({ size, readOnly = false, serial = "" }: BlkConfig, store: ByteStore | null): Disk {
  // A C string: its end counts, if there is room for it.
  const common = { isReadOnly: readOnly, serial: new TextEncoder().encode(`${serial}\0`) };
  if (store !== null) return { ...common, store, clear() {}, save: () => null, load() {} };
  if (!Number.isInteger(size) || size < SECTOR || size % SECTOR !== 0)
    throw new RangeError(`virtio-blk: size is ${String(size)}, expected whole sectors of 512`);
  const memory = createSparseStore(size);
  return { ...common, store: memory, clear: memory.clear, save: memory.save, load: memory.load };
}

export function virtioBlk(config: BlkConfig, env: DeviceEnv): VirtioDeviceKind {
  const disk = openDisk(config, env.store);
  return {
    id: VIRTIO_ID_BLOCK,
    features: FEATURES | (disk.isReadOnly ? 1n << VIRTIO_BLK_F_RO : 0n),
    queueSizes: [QUEUE_SIZE],
    pciClass: PCI_CLASS_STORAGE_SCSI,
    pciVectors: 2,
    create: (transport) => createBlk(disk, transport),
  };
}
