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

let viewed: Uint8Array = new Uint8Array(0);
let view: DataView = new DataView(viewed.buffer);

/** A view of the bytes. Fields of one image are filled in one after the other, hundreds of thousands in a run, and a view is more than a field. */
export function viewOf(bytes: Uint8Array): DataView {
  if (bytes !== viewed) {
    viewed = bytes;
    view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
  return view;
}
