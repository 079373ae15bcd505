// How one load or store reaches one region of registers: the only implementation of Region's `valid`, `impl` and `unaligned`.
// The machine's bus calls it for the CPU and for DMA, and has looked through windows before, so that a BAR sees the same
// accesses wherever it is reached from. The rules are those of QEMU's MemoryRegionOps
// (QEMU documentation, "The memory API", section "MMIO Operations"): refuse by `valid`, then split or widen to `impl`.
// `null` and `false` mean that nobody answered: the bus turns that into a fault, and the model has seen nothing.

import type { PureRead, Region, Width } from "../devices/device.ts";

/** A region with every member that any has, so that all are of one shape: code that reads them is then several times as fast. */
export interface LevelRegion extends Omit<Region, "impl" | "unaligned" | "pureRead" | "read64" | "write64" | "writeSmall64" | "isRefused"> {
  /** The widths, or-ed, in which an aligned access is one call of `read` or `write`, and answered; of 8 bytes a write of `writeSmall64`. */
  readonly direct: number;
  readonly impl: Region["impl"] | undefined;
  readonly unaligned: Region["unaligned"] | undefined;
  readonly pureRead: Region["pureRead"] | undefined;
  readonly read64: Region["read64"] | undefined;
  readonly write64: Region["write64"] | undefined;
  readonly writeSmall64: Region["writeSmall64"] | undefined;
  readonly isRefused: Region["isRefused"] | undefined;
}

/** What decides whether an access is let through, and how the model sees it. */
type AccessRules = Pick<Region, "size" | "valid"> & { readonly impl?: Region["impl"] | undefined; readonly unaligned?: boolean | undefined };

const NO_MEMBERS = {
  impl: undefined,
  unaligned: undefined,
  pureRead: undefined,
  read64: undefined,
  write64: undefined,
  writeSmall64: undefined,
  isRefused: undefined,
};

export function levelRegion(region: Region): LevelRegion {
  const { name, size, valid, read, write, ...optional } = region;
  const isDirect = (width: Width): boolean => region.isRefused === undefined && accessValid(region, 0, width) && implWidth(region, width) === width;
  const widths = region.writeSmall64 === undefined ? NARROW : ALL_WIDTHS;
  const direct = widths.reduce((sum, width) => (isDirect(width) ? sum | width : sum), 0);
  return { name, size, valid, read, write, direct, ...NO_MEMBERS, ...optional };
}

const NARROW: readonly Width[] = [1, 2, 4];
const ALL_WIDTHS: readonly Width[] = [...NARROW, 8];

/** Whether such an access is one call of the model; else `readHere` and `writeHere` know what it is. */
export function isDirect(region: LevelRegion, offset: number, width: number): boolean {
  return (region.direct & width) !== 0 && (offset & (width - 1)) === 0 && offset + width <= region.size;
}

/** True if the bus lets an access of this shape through to the region. */
function accessValid(region: AccessRules, offset: number, width: Width): boolean {
  if (width < region.valid.min || width > region.valid.max) return false;
  if (offset < 0 || offset + width > region.size) return false;
  return region.unaligned === true || offset % width === 0;
}

/**
 * The width in which the model sees the access. A model gets a widened access at the guest's own offset, aligned or not,
 * and parts of a split one in ascending order.
 */
function implWidth(region: AccessRules, width: Width): Width {
  const { min, max } = region.impl ?? region.valid;
  if (width > max) return max;
  return width < min ? min : width;
}

function read64(region: LevelRegion, offset: number): bigint {
  if (region.read64 === undefined) throw new Error(`region ${region.name} takes 8-byte accesses but has no read64`);
  return BigInt.asUintN(64, region.read64(offset));
}

function write64(region: LevelRegion, offset: number, value: bigint): void {
  if (region.write64 === undefined) throw new Error(`region ${region.name} takes 8-byte accesses but has no write64`);
  region.write64(offset, value);
}

/** Of a number, the low `width` bytes, unsigned. */
export function truncate(value: number, width: Width): number {
  return width >= 4 ? value >>> 0 : value & ((1 << (width * 8)) - 1);
}

/** A read of a region that is no window, or a window with nothing behind it there: of 8 bytes a bigint, else an unsigned number; null is a bus fault. */
export function readHere(region: LevelRegion, offset: number, width: Width): number | bigint | null {
  if (!accessValid(region, offset, width)) return null;
  const value = readParts(region, offset, width);
  return region.isRefused?.() === true ? null : value;
}

/** What the model says of such a read; null also where it would see another one than the guest makes. */
export function pureReadHere(region: LevelRegion, offset: number, width: Width): PureRead | null {
  if (region.pureRead === undefined || !accessValid(region, offset, width) || implWidth(region, width) !== width) return null;
  return region.pureRead(offset, width);
}

/** Reads in the widths that the model sees. */
function readParts(region: LevelRegion, offset: number, width: Width): number | bigint {
  const step = implWidth(region, width);
  if (width === 8) {
    if (step === 8) return read64(region, offset);
    let value = 0n;
    for (let i = 0; i < 8; i += step) value |= BigInt(truncate(region.read(offset + i, step), step)) << BigInt(i * 8);
    return value;
  }
  if (step === 8) return truncate(Number(BigInt.asUintN(32, read64(region, offset))), width);
  if (step >= width) return truncate(region.read(offset, step), width);
  let value = 0;
  for (let i = 0; i < width; i += step) value |= truncate(region.read(offset + i, step), step) << (i * 8);
  return value >>> 0;
}

/** Writes the low `width` bytes of `value`; false is a bus fault. */
export function writeHere(region: LevelRegion, offset: number, width: Width, value: number | bigint): boolean {
  if (!accessValid(region, offset, width)) return false;
  writeParts(region, offset, width, value);
  return region.isRefused?.() !== true;
}

function writeParts(region: LevelRegion, offset: number, width: Width, value: number | bigint): void {
  const step = implWidth(region, width);
  if (width === 8) {
    const wide = BigInt.asUintN(64, BigInt(value));
    if (step === 8) {
      write64(region, offset, wide);
    } else {
      for (let i = 0; i < 8; i += step) {
        region.write(offset + i, step, Number(BigInt.asUintN(step * 8, wide >> BigInt(i * 8))));
      }
    }
    return;
  }
  const narrow = truncate(typeof value === "bigint" ? Number(BigInt.asUintN(32, value)) : value, width);
  if (step === 8) {
    write64(region, offset, BigInt(narrow));
  } else if (step >= width) {
    region.write(offset, step, narrow);
  } else {
    for (let i = 0; i < width; i += step) region.write(offset + i, step, truncate(narrow >>> (i * 8), step));
  }
}
