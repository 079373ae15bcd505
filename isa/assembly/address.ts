// Addresses of guest memory for what fills them into fields: as numbers where that is exact, which the linker's always are and which
// is several times as fast, else as bigints.

export type Address = number | bigint;

/** Addresses wrap at 64 bits, so that the top of the address space is near its bottom. */
export function distanceBetween(place: Address, target: Address): Address {
  if (typeof place === "number" && typeof target === "number") return target - place;
  return BigInt.asIntN(64, BigInt(target) - BigInt(place));
}

export function putAddress64(view: DataView, offset: number, target: Address): void {
  if (typeof target === "bigint") {
    view.setBigUint64(offset, BigInt.asUintN(64, target), true);
    return;
  }
  view.setUint32(offset, target, true);
  view.setInt32(offset + 4, Math.floor(target / 2 ** 32), true);
}
