// fw_cfg: QEMU's way to hand numbered and named blobs to firmware, in its memory-mapped form: selector, data, DMA.
// Manual: QEMU docs/specs/fw_cfg.rst; where hw/nvram/fw_cfg.c of QEMU 7.2 says more it decides, checked by
// tests/devices-qtest.isolated.test.ts. All of it is big-endian, but for the data register, which gives bytes in their order in memory.
// Blobs cannot be written by the guest, as none of QEMU's can on boards without ACPI. Left out: reads of the selector fault in QEMU.

import { defineDevice, type Device, type DeviceEnv, type DeviceState, type Region, type Width, type WindowRegion, type WindowTarget } from "./device.ts";

const DATA = 0x00;
const DATA_SIZE = 8;
const SELECTOR = 0x08;
const SELECTOR_SIZE = 2;
const DMA = 0x10;
const DMA_SIZE = 8;
const SIZE = 0x18;

// Keys (fw_cfg.rst, "Firmware Configuration Items").
const SIGNATURE = 0x00;
const ID = 0x01;
const UUID = 0x02;
const NB_CPUS = 0x05;
const FILE_DIR = 0x19;
const FILE_FIRST = 0x20;
/** Keys of the board's own CPU architecture; there are none. */
const ARCH_LOCAL = 0x8000;
/** Writing was allowed with this bit once; it selects the same blob. */
const WRITE_CHANNEL = 0x4000;

const ID_TRADITIONAL = 1;
const ID_DMA = 2;
const DMA_SIGNATURE = 0x51454d5520434647n; // "QEMU CFG"

// Of the control word.
const CONTROL_ERROR = 0x01;
const CONTROL_READ = 0x02;
const CONTROL_SKIP = 0x04;
const CONTROL_SELECT = 0x08;
const CONTROL_WRITE = 0x10;

const FILE_NAME_SIZE = 56;
const CHUNK = 4096;

export type FwCfgConfig = {
  readonly cpus: number;
};

interface NamedFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** What every board of QEMU's names, in the order of names, which is that of keys. */
const FILES: readonly NamedFile[] = [
  { name: "bios-geometry", bytes: new Uint8Array() },
  { name: "bootorder", bytes: new Uint8Array() },
  // No waiting: -1.
  { name: "etc/boot-fail-wait", bytes: new Uint8Array(4).fill(0xff) },
];

function directory(files: readonly NamedFile[]): Uint8Array {
  const bytes = new Uint8Array(4 + files.length * (8 + FILE_NAME_SIZE));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, files.length);
  files.forEach(({ name, bytes: contents }, index) => {
    const at = 4 + index * (8 + FILE_NAME_SIZE);
    view.setUint32(at, contents.length);
    view.setUint16(at + 4, FILE_FIRST + index);
    bytes.set(
      Array.from(name, (letter) => letter.charCodeAt(0)),
      at + 8,
    );
  });
  return bytes;
}

function blobs(config: FwCfgConfig): ReadonlyMap<number, Uint8Array> {
  return new Map([
    [SIGNATURE, Uint8Array.of(0x51, 0x45, 0x4d, 0x55)],
    [ID, Uint8Array.of(ID_TRADITIONAL | ID_DMA, 0, 0, 0)],
    [UUID, new Uint8Array(16)],
    [NB_CPUS, Uint8Array.of(config.cpus & 0xff, config.cpus >> 8)],
    [FILE_DIR, directory(FILES)],
    ...FILES.map(({ bytes }, index): [number, Uint8Array] => [FILE_FIRST + index, bytes]),
  ]);
}

interface State {
  readonly key: number;
  /** Bytes of the blob that have been read. */
  readonly at: number;
  /** The upper half of a control block's address waits for the lower one. */
  readonly dmaHigh: number;
}

const initialState: State = { key: SIGNATURE, at: 0, dmaHigh: 0 };

function swap16(value: number): number {
  return ((value & 0xff) << 8) | ((value >>> 8) & 0xff);
}

function swap32(value: number): number {
  return ((swap16(value) << 16) | swap16(value >>> 16)) >>> 0;
}

function swap64(value: bigint): bigint {
  return (BigInt(swap32(Number(value & 0xffff_ffffn))) << 32n) | BigInt(swap32(Number(value >> 32n)));
}

function create(config: FwCfgConfig, env: DeviceEnv): Device {
  if (!Number.isInteger(config.cpus) || config.cpus < 1 || config.cpus > 0xffff)
    throw new RangeError(`fw-cfg: cpus must be 1..65535, not ${String(config.cpus)}`);
  const known = blobs(config);
  let s = initialState;

  function select(key: number): void {
    s = { ...s, key, at: 0 };
  }

  function selected(): Uint8Array {
    const blob = (s.key & ARCH_LOCAL) !== 0 ? undefined : known.get(s.key & ~WRITE_CHANNEL);
    return blob ?? new Uint8Array();
  }

  function skip(count: number): void {
    s = { ...s, at: Math.min(s.at + count, Math.max(s.at, selected().length)) };
  }

  /** The next bytes; zeros behind the end, where the place does not move. */
  function take(count: number): Uint8Array {
    const bytes = new Uint8Array(count);
    const blob = selected();
    bytes.set(blob.subarray(s.at, s.at + count));
    skip(count);
    return bytes;
  }

  function readData(width: Width): bigint {
    return take(width).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
  }

  /** Memory for as long as there is some; a blob's end is followed by zeros. */
  function copyOut(address: bigint, length: number): boolean {
    for (let done = 0; done < length; done += CHUNK) {
      if (!env.dma.write(BigInt.asUintN(64, address + BigInt(done)), take(Math.min(CHUNK, length - done)))) return false;
    }
    return true;
  }

  function transfer(block: bigint): void {
    const request = new Uint8Array(16);
    const answer = new Uint8Array(4);
    const finish = (status: number): void => {
      new DataView(answer.buffer).setUint32(0, status);
      if (!env.dma.write(block, answer)) env.log(`guest error: no memory at 0x${block.toString(16)} for the DMA's status`);
    };
    if (!env.dma.read(block, request)) return finish(CONTROL_ERROR);
    const view = new DataView(request.buffer);
    const control = view.getUint32(0);
    const length = view.getUint32(4);
    if ((control & CONTROL_SELECT) !== 0) select(control >>> 16);
    if ((control & CONTROL_READ) !== 0) return finish(copyOut(view.getBigUint64(8), length) ? 0 : CONTROL_ERROR);
    // A write that is refused moves on all the same.
    if ((control & (CONTROL_WRITE | CONTROL_SKIP)) !== 0) skip(length);
    finish((control & CONTROL_WRITE) !== 0 && length > 0 ? CONTROL_ERROR : 0);
  }

  const data: Region = {
    name: "fw-cfg-data",
    size: DATA_SIZE,
    valid: { min: 1, max: 8 },
    read: (_offset, width) => Number(readData(width)),
    read64: () => readData(8),
    write() {
      env.log("guest error: blobs are written by DMA, if at all");
    },
    write64() {
      env.log("guest error: blobs are written by DMA, if at all");
    },
  };

  const selector: Region = {
    name: "fw-cfg-selector",
    size: SELECTOR_SIZE,
    valid: { min: 2, max: 2 },
    read: () => 0,
    pureRead: () => "constant",
    write(_offset, _width, value) {
      select(swap16(value));
    },
  };

  /** Bytes [offset, offset + width) of the signature as it lies in memory. */
  function readSignature(offset: number, width: Width): bigint {
    return BigInt.asUintN(8 * width, swap64(DMA_SIGNATURE) >> BigInt(8 * offset));
  }

  const dma: Region = {
    name: "fw-cfg-dma",
    size: DMA_SIZE,
    valid: { min: 1, max: 8 },
    read: (offset, width) => Number(readSignature(offset, width)),
    read64: () => readSignature(0, 8),
    pureRead: () => "constant",
    write(offset, width, value) {
      if (width !== 4) {
        env.log(`guest error: ${width}-byte write to the DMA address, which takes 4 or 8 bytes`);
        return;
      }
      if (offset === 0) {
        s = { ...s, dmaHigh: swap32(value) };
        return;
      }
      const block = (BigInt(s.dmaHigh) << 32n) | BigInt(swap32(value));
      s = { ...s, dmaHigh: 0 };
      transfer(block);
    },
    write64(_offset, value) {
      s = { ...s, dmaHigh: 0 };
      transfer(swap64(value));
    },
  };

  function resolve(offset: number): WindowTarget | null {
    if (offset === DATA) return { region: data, offset };
    if (offset >= SELECTOR && offset < SELECTOR + SELECTOR_SIZE) return { region: selector, offset: offset - SELECTOR };
    return offset >= DMA ? { region: dma, offset: offset - DMA } : null;
  }

  // Between the registers QEMU has nothing at all, nor within the data register: accesses of no width are valid there.
  const registers: WindowRegion = { name: "fw-cfg", size: SIZE, valid: { min: 8, max: 1 }, read: () => 0, write() {}, resolve };

  return {
    regions: [registers],
    reset() {
      s = initialState;
    },
    save: (): DeviceState => ({ ...s }),
    load(state) {
      s = { ...(state as unknown as State) };
    },
  };
}

export const fwCfg = defineDevice<FwCfgConfig>({
  name: "fw-cfg",
  summary: "named blobs from the machine: CPU count, boot order",
  manual: "QEMU docs/specs/fw_cfg.rst; hw/nvram/fw_cfg.c",
  create,
  describe: () => ({ node: "fw-cfg", compatible: ["qemu,fw-cfg-mmio"], properties: { "dma-coherent": true }, isOutsideSoc: true }),
});
