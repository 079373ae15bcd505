// Parallel NOR flash with Intel's command set: two chips of 16 bits side by side behind a 32-bit bus, as on QEMU's riscv `virt` board.
// Manual: JEDEC JESD68.01 (common flash interface), Intel StrataFlash memory (290667), table 4 (commands); where QEMU 7.2's
// hw/block/pflash_cfi01.c differs it decides, checked by tests/devices-qtest.isolated.test.ts: contents are zero at first,
// programming sets bits as well as clearing them, a block is erased with the first of its two writes, nothing takes time, locks do not lock.
// A reset is power-on with blank chips; QEMU keeps contents over its resets. Left out: misaligned reads, which QEMU allows while the array is read, and images from the host.

import { defineDevice, type Device, type DeviceEnv, type DeviceState, type Width } from "./device.ts";

const PROGRAM = 0x40;
const PROGRAM_ALTERNATE = 0x10;
const BLOCK_ERASE = 0x20;
const CLEAR_STATUS = 0x50;
const BLOCK_LOCK = 0x60;
const READ_STATUS = 0x70;
const READ_IDENTIFIER = 0x90;
const CFI_QUERY = 0x98;
const WRITE_TO_BUFFER = 0xe8;
const READ_ARRAY = 0xff;

// Second writes.
const CONFIRM = 0xd0;
const SET_LOCK = 0x01;

const STATUS_READY = 0x80;
const STATUS_PROGRAM_ERROR = 0x10;

const CHIP_BYTES = 2;
const BANK_BYTES = 4;
const MANUFACTURER_INTEL = 0x89;
const DEVICE_28F128J3 = 0x18;
/** Of contents in memory and in snapshots; just as long as both chips' write buffers. */
const PAGE = 4096;

export type CfiFlashConfig = {
  /** Default 32 MiB. */
  readonly size?: number;
  /** Of the whole bank. Default 256 KiB. */
  readonly blockSize?: number;
};

/** What one chip answers to a query; the rest is zero (JESD68.01, 2.4). */
function cfiTable(size: number, blockSize: number): ReadonlyMap<number, number> {
  const blocks = size / blockSize;
  const chipBlock = blockSize / (BANK_BYTES / CHIP_BYTES);
  const text = (at: number, letters: string): (readonly [number, number])[] => Array.from(letters, (letter, index) => [at + index, letter.charCodeAt(0)]);
  return new Map([
    ...text(0x10, "QRY"),
    [0x13, 0x01], // Intel's extended command set
    [0x15, 0x31], // whose table is there
    [0x1b, 0x45], // Vcc 4.5 V
    [0x1c, 0x55], // to 5.5 V
    [0x1f, 0x07], // typical times, as powers of two: 128 us to program
    [0x20, 0x07],
    [0x21, 0x0a], // 1 s to erase a block
    [0x23, 0x04], // at most 16 times as much
    [0x24, 0x04],
    [0x25, 0x04],
    [0x27, Math.log2(size / (BANK_BYTES / CHIP_BYTES))],
    [0x28, 0x02], // x8 and x16
    [0x2a, 0x0b], // 2 KiB of write buffer
    [0x2c, 0x01], // one region of equal blocks
    [0x2d, (blocks - 1) & 0xff],
    [0x2e, (blocks - 1) >> 8],
    [0x2f, (chipBlock >> 8) & 0xff],
    [0x30, chipBlock >> 16],
    ...text(0x31, "PRI10"),
    [0x3f, 0x01], // protection fields
  ]);
}

/** `command` 0: the array is read. `cycle`: writes of the command under way that have come. */
interface State {
  command: number;
  cycle: number;
  status: number;
  /** Writes to the buffer that are left, less one. */
  left: number;
  /** Of the page that the write buffer will replace, or null while there is none. */
  bufferPage: number | null;
}

type SavedState = State & { readonly buffer: Uint8Array; readonly pages: readonly { readonly number: number; readonly bytes: Uint8Array }[] };

const initialState = (): State => ({ command: 0, cycle: 0, status: STATUS_READY, left: 0, bufferPage: null });

function create(config: CfiFlashConfig, env: DeviceEnv): Device {
  const { size = 32 << 20, blockSize = 256 << 10 } = config;
  if (!Number.isInteger(Math.log2(size)) || !Number.isInteger(Math.log2(blockSize)) || blockSize < PAGE || blockSize > size) {
    throw new RangeError(`cfi-flash: size ${String(size)} and blockSize ${String(blockSize)} must be powers of two, a block at least ${PAGE} bytes`);
  }
  const table = cfiTable(size, blockSize);
  let s = initialState();
  /** Pages that were written; the others are zero. */
  const pages = new Map<number, Uint8Array>();
  /** Means something while there is a `bufferPage`. */
  const buffer = new Uint8Array(PAGE);

  function pageAt(offset: number): Uint8Array {
    const number = Math.floor(offset / PAGE);
    let page = pages.get(number);
    if (page === undefined) pages.set(number, (page = new Uint8Array(PAGE)));
    return page;
  }

  /** Accesses are aligned, so none leaves its page. */
  function readArray(offset: number, width: Width): number {
    const page = pages.get(Math.floor(offset / PAGE));
    let value = 0;
    for (let i = width - 1; i >= 0; i--) value = value * 256 + (page?.[(offset + i) % PAGE] ?? 0);
    return value;
  }

  function put(page: Uint8Array, offset: number, width: Width, value: number): void {
    for (let i = 0; i < width; i++) page[(offset + i) % PAGE] = value >>> (8 * i);
  }

  /** The first write says which page is meant; QEMU 7.2 has no buffer for a single one. */
  function fillBuffer(offset: number, width: Width, value: number): void {
    const page = Math.floor(offset / PAGE);
    if (s.bufferPage === null && s.left > 0) {
      s.bufferPage = page;
      buffer.set(pages.get(page) ?? new Uint8Array(PAGE));
    }
    if (s.bufferPage === page) put(buffer, offset, width, value);
    else s.status |= STATUS_PROGRAM_ERROR;
    s.status |= STATUS_READY;
    if (s.left === 0) s.cycle = 3;
    else s.left--;
  }

  function confirmBuffer(command: number): void {
    const page = s.bufferPage;
    s.bufferPage = null;
    if (command !== CONFIRM || (s.status & STATUS_PROGRAM_ERROR) !== 0 || page === null) return readArrayAgain();
    pageAt(page * PAGE).set(buffer);
    s.cycle = 0;
    s.status |= STATUS_READY;
  }

  function eraseBlock(offset: number): void {
    const start = offset - (offset % blockSize);
    for (let at = start; at < start + blockSize; at += PAGE) pageAt(at).fill(0xff);
    s.status |= STATUS_READY;
  }

  function identifier(offset: number): number {
    const word = (offset / BANK_BYTES) & 0xff;
    return word === 0 ? MANUFACTURER_INTEL : word === 1 ? DEVICE_28F128J3 : 0;
  }

  /** Both chips answer alike, each with its half of the bank. */
  const fromBothChips = (answer: number): number => answer | (answer << 16);

  function read(offset: number, width: Width): number {
    const narrow = width === 4 ? 0xffff_ffff : 2 ** (8 * width) - 1;
    const word = offset - (offset % BANK_BYTES);
    switch (s.command) {
      case 0:
        return readArray(offset, width);
      case READ_IDENTIFIER:
        return (fromBothChips(identifier(word)) & narrow) >>> 0;
      case CFI_QUERY:
        return (fromBothChips(table.get(word / BANK_BYTES) ?? 0) & narrow) >>> 0;
      default:
        return width > CHIP_BYTES ? fromBothChips(s.status) : s.status;
    }
  }

  function readArrayAgain(): void {
    s.command = 0;
    s.cycle = 0;
  }

  function refuse(command: number): void {
    env.log(`guest error: 0x${command.toString(16)} is no command, or not in this place`);
    readArrayAgain();
  }

  function begin(command: number, offset: number): void {
    switch (command) {
      case READ_STATUS:
      case READ_IDENTIFIER:
        s.command = command;
        return;
      case 0x00:
      case 0xf0: // AMD's chips would read the array
      case READ_ARRAY:
        return readArrayAgain();
      case CLEAR_STATUS:
        s.status = 0;
        return readArrayAgain();
      case BLOCK_ERASE:
        eraseBlock(offset);
        break;
      case WRITE_TO_BUFFER:
        s.status |= STATUS_READY;
        break;
      case PROGRAM:
      case PROGRAM_ALTERNATE:
      case BLOCK_LOCK:
      case CFI_QUERY:
        break;
      default:
        return refuse(command);
    }
    s.command = command;
    s.cycle = 1;
  }

  /** The second write: data to program, a count, or a confirmation. */
  function goOn(offset: number, width: Width, value: number): void {
    const command = value & 0xff;
    switch (s.command) {
      case PROGRAM:
      case PROGRAM_ALTERNATE:
        put(pageAt(offset), offset, width, value);
        s.status |= STATUS_READY;
        s.cycle = 0;
        return;
      case WRITE_TO_BUFFER:
        s.left = value & 0xffff;
        s.cycle = 2;
        return;
      case BLOCK_ERASE:
      case BLOCK_LOCK:
        if (command === CONFIRM || (command === SET_LOCK && s.command === BLOCK_LOCK)) {
          s.cycle = 0;
          s.status |= STATUS_READY;
        } else if (command === READ_ARRAY) readArrayAgain();
        else refuse(command);
        return;
      case CFI_QUERY:
        // Other commands leave the chips in query mode.
        if (command === READ_ARRAY) readArrayAgain();
        return;
      default:
        return refuse(command);
    }
  }

  function write(offset: number, width: Width, value: number): void {
    switch (s.cycle) {
      case 0:
        return begin(value & 0xff, offset);
      case 1:
        return goOn(offset, width, value);
      case 2:
        return fillBuffer(offset, width, value);
      default:
        return confirmBuffer(value & 0xff);
    }
  }

  return {
    regions: [{ name: "cfi-flash", size, valid: { min: 1, max: 8 }, impl: { min: 1, max: 4 }, read, write, pureRead: () => "constant" }],
    reset() {
      s = initialState();
      pages.clear();
      buffer.fill(0);
    },
    save: (): DeviceState => ({
      ...s,
      buffer: buffer.slice(),
      pages: [...pages].toSorted(([a], [b]) => a - b).map(([number, bytes]) => ({ number, bytes: bytes.slice() })),
    }),
    load(state) {
      const { pages: saved, buffer: savedBuffer, ...rest } = state as unknown as SavedState;
      s = { ...rest };
      buffer.set(savedBuffer);
      pages.clear();
      for (const { number, bytes } of saved) pages.set(number, bytes.slice());
    },
  };
}

export const cfiFlash = defineDevice<CfiFlashConfig>({
  name: "cfi-flash",
  summary: "NOR flash",
  manual: "Intel StrataFlash; JEDEC CFI 1.5; QEMU hw/block/pflash_cfi01.c",
  create,
  describe: () => ({ node: "flash", compatible: ["cfi-flash"], properties: { "bank-width": BANK_BYTES }, isOutsideSoc: true }),
});
