// Headers that boot loaders look for in an image's first bytes. Entry assembly reserves them, with their magic numbers and whatever
// only code can say (the jump of an Image header); here the sizes and addresses go in, which are known when everything is linked. They make
// the flat image bootable as it is. Which header it is, is the target's (`compiler/targets/NAME/boot-header.ts`).

import type { NativeImage } from "./native-image.ts";

export interface BootHeader {
  readonly name: string;
  readonly magic: number;
  /** Where the magic number may stand in the image. */
  readonly offsets: { readonly first: number; readonly last: number; readonly step: number };
  /** `at`: offset of the magic number. */
  readonly fill: (view: DataView, at: number, image: NativeImage, ramBase: bigint) => void;
}

function findHeader({ magic, offsets }: BootHeader, view: DataView): number | null {
  for (let at = offsets.first; at <= Math.min(offsets.last, view.byteLength - 8); at += offsets.step) if (view.getUint32(at, true) === magic) return at;
  return null;
}

/**
 * Completes the header of an image that is alone, in its bytes: a copy of the image would have all its tables made, which whoever writes a flat
 * file does not want. Entry assembly that reserves no header is a mistake of the target.
 */
export function fillBootHeader(image: NativeImage, header: BootHeader | null, ramBase: bigint): NativeImage {
  if (header === null) return image;
  const { bytes } = image;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const at = findHeader(header, view);
  if (at === null) throw new Error(`the entry assembly of ${image.target} reserves no ${header.name} header`);
  header.fill(view, at, image, ramBase);
  return image;
}
