// Bytes as hexadecimal digits, for the text form of bytecode, names of cases, failure reports and dumps. Beside the instruction sets
// because every stage from the compiler on may import from here. (`Uint8Array.toHex` comes with Node 25.)

/** Two digits for each byte. */
export function hexBytes(bytes: Iterable<number>): string[] {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0"));
}
