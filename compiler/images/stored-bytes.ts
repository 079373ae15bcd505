// Numbers and text as parts of an entry of the cache, and back: what the stored-*.ts files share. Entries are read as one buffer, and nothing
// of them is copied that can be used where it lies, because a run that finds all compiled does little else.

/** What was read lies anywhere within its file: words want a copy of their own. */
export function alignedCopy(stored: Uint8Array): ArrayBuffer {
  return Uint8Array.from(stored).buffer;
}

export function bytesOf({ buffer, byteOffset, byteLength }: Int32Array | Float64Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Of UTF-8, where it lies. */
export function textOf({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString("utf8");
}
