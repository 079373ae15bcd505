// Places a module in the RAM of a machine, as docs/bytecode.md says: read-only symbols in pages of their own, writable ones, those
// that are all zero, one stack per CPU above its reserve for the trap vector, then free memory. Relocates, and fills the symbol
// `boot_info` through which a guest learns what it runs on. The RAM must be zero before, as at power-on.

import { byteWidth, codeAddress, type DataLayout, type DataSymbol, type Module } from "../../isa/bytecode/module.ts";
import { STACK_RESERVE, type GuestMemory, type LoadedImage } from "./cpu-contract.ts";
import { markDirty, PAGE_SIZE } from "./memory.ts";

const STACK_ALIGN = 16;
const BOOT_INFO_SYMBOL = "boot_info";

/** A `LoadedImage` with what only the machine and the runner need. */
export interface PlacedImage extends LoadedImage {
  readonly heapStart: bigint;
  readonly heapEnd: bigint;
  /** Byte offset in RAM of `boot_info`, or -1 if the module has none. */
  readonly bootInfo: number;
}

interface PlacementOptions {
  readonly cpus: number;
  /** Bytes of each stack, the reserve not counted. */
  readonly stackSize: number;
  readonly seed: bigint;
}

/** The image does not fit this machine: not a fault of the tool, so the message is for the user. */
export class ImageLoadError extends Error {
  override readonly name = "ImageLoadError";
}

function alignUp(value: number, align: number): number {
  return Math.ceil(value / align) * align;
}

function kibibytes(bytes: number): string {
  return `${Math.ceil(bytes / 1024)} KiB`;
}

function writeInteger(memory: GuestMemory, layout: DataLayout, offset: number, width: 4 | 8, value: bigint): void {
  const little = layout.endian === "little";
  if (width === 8) memory.view.setBigUint64(offset, BigInt.asUintN(64, value), little);
  else memory.view.setUint32(offset, Number(BigInt.asUintN(32, value)), little);
  markDirty(memory, offset, width);
}

function addressWidth(layout: DataLayout): 4 | 8 {
  const width = byteWidth("addr", layout);
  if (width !== 4 && width !== 8) throw new Error(`addresses of ${width} bytes`);
  return width;
}

function relocate(memory: GuestMemory, module: Module, symbol: DataSymbol, at: number, addresses: readonly bigint[]): void {
  const width = addressWidth(module.layout);
  for (const relocation of symbol.relocations) {
    if (relocation.offset < 0 || relocation.offset + width > symbol.size) {
      throw new Error(`symbol ${symbol.name}: relocation at ${relocation.offset} lies outside its ${symbol.size} bytes`);
    }
    let value: bigint;
    if (relocation.kind === "data") {
      const address = addresses[relocation.symbol];
      if (address === undefined) throw new Error(`symbol ${symbol.name}: relocation against symbol ${relocation.symbol}, which does not exist`);
      value = address + BigInt(relocation.addend);
    } else {
      if (module.functions[relocation.function] === undefined) {
        throw new Error(`symbol ${symbol.name}: relocation against function ${relocation.function}, which does not exist`);
      }
      value = BigInt(codeAddress(relocation.function, 0));
    }
    writeInteger(memory, module.layout, at + relocation.offset, width, value);
  }
}

function bootInfoSize(layout: DataLayout): number {
  return 4 * layout.addressBytes + 4 + 4 + 8;
}

/** Rewrites the seed that the guest sees. */
export function writeBootSeed(memory: GuestMemory, image: PlacedImage, seed: bigint): void {
  if (image.bootInfo < 0) return;
  const { layout } = image.module;
  writeInteger(memory, layout, image.bootInfo + bootInfoSize(layout) - 8, 8, seed);
}

function fillBootInfo(memory: GuestMemory, image: PlacedImage, options: PlacementOptions): void {
  const { layout } = image.module;
  const addr = addressWidth(layout);
  const fields: readonly (readonly [4 | 8, bigint])[] = [
    [addr, memory.base],
    [addr, BigInt(memory.size)],
    [addr, image.heapStart],
    [addr, image.heapEnd],
    [4, BigInt(options.cpus)],
    [4, 0n],
    [8, options.seed],
  ];
  let offset = image.bootInfo;
  for (const [width, value] of fields) {
    writeInteger(memory, layout, offset, width, value);
    offset += width;
  }
}

export function placeImage(memory: GuestMemory, module: Module, options: PlacementOptions): PlacedImage {
  const { symbols, layout } = module;
  const offsets = new Array<number>(symbols.length).fill(0);
  let end = 0;

  function place(matches: (symbol: DataSymbol) => boolean): void {
    symbols.forEach((symbol, index) => {
      if (!matches(symbol)) return;
      if (symbol.bytes.length > symbol.size) throw new Error(`symbol ${symbol.name}: ${symbol.bytes.length} bytes for a size of ${symbol.size}`);
      // RAM starts at a page, so up to a page the alignment of an offset is that of the address.
      if (symbol.align > PAGE_SIZE && memory.base % BigInt(symbol.align) !== 0n) {
        throw new ImageLoadError(`symbol ${symbol.name} wants an alignment of ${symbol.align} bytes, more than RAM at 0x${memory.base.toString(16)} has`);
      }
      const offset = alignUp(end, symbol.align);
      offsets[index] = offset;
      end = offset + symbol.size;
    });
  }

  const isZero = (symbol: DataSymbol): boolean => symbol.bytes.length === 0 && symbol.relocations.length === 0;
  place((symbol) => !symbol.writable);
  memory.readOnlyStart = 0;
  memory.readOnlyEnd = end = alignUp(end, PAGE_SIZE);
  place((symbol) => symbol.writable && !isZero(symbol));
  place((symbol) => symbol.writable && isZero(symbol));

  const stacks: { top: bigint; limit: bigint }[] = [];
  end = alignUp(end, STACK_ALIGN);
  for (let cpu = 0; cpu < options.cpus; cpu++) {
    const limit = end + STACK_RESERVE;
    end = limit + alignUp(options.stackSize, STACK_ALIGN);
    stacks.push({ limit: memory.base + BigInt(limit), top: memory.base + BigInt(end) });
  }
  end = alignUp(end, PAGE_SIZE);
  if (end > memory.size) {
    const stackBytes = options.cpus * (STACK_RESERVE + options.stackSize);
    throw new ImageLoadError(
      `the image needs ${kibibytes(end)} of RAM (${kibibytes(end - stackBytes)} data, ${kibibytes(stackBytes)} stacks), the machine has ${kibibytes(memory.size)}`,
    );
  }
  const highest = memory.base + BigInt(memory.size);
  if (layout.addressBytes === 4 && highest > 1n << 32n) throw new ImageLoadError("RAM of this machine lies beyond the image's 32-bit addresses");

  const symbolAddress = offsets.map((offset) => memory.base + BigInt(offset));
  symbols.forEach((symbol, index) => {
    const offset = offsets[index] ?? 0;
    if (symbol.bytes.length > 0) {
      memory.bytes.set(symbol.bytes, offset);
      markDirty(memory, offset, symbol.bytes.length);
    }
    relocate(memory, module, symbol, offset, symbolAddress);
  });

  const bootIndex = symbols.findIndex((symbol) => symbol.name === BOOT_INFO_SYMBOL);
  const bootSymbol = symbols[bootIndex];
  if (bootSymbol !== undefined && (!bootSymbol.writable || bootSymbol.size < bootInfoSize(layout))) {
    throw new ImageLoadError(`symbol ${BOOT_INFO_SYMBOL} must be writable and have at least ${bootInfoSize(layout)} bytes`);
  }
  const image: PlacedImage = {
    module,
    symbolAddress,
    stacks,
    heapStart: memory.base + BigInt(end),
    heapEnd: highest,
    bootInfo: bootSymbol === undefined ? -1 : (offsets[bootIndex] ?? -1),
  };
  if (image.bootInfo >= 0) fillBootInfo(memory, image, options);
  return image;
}
