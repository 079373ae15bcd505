// Machine code for people: the functions of a native image by our own disassemblers, each line of the sources before the code made of it.
// What a trap instruction carries is written out, because it is data where a disassembler sees code (docs/native.md, 5). Behind
// `guestspec show asm` and `show symbols`.

import type { Disassemble, DisassembledLine } from "../../isa/assembly/instruction-set.ts";
import { TRAP_CLASSES } from "../../isa/bytecode/instructions.ts";
import type { ReadTrap, TrapData } from "../native/abi.ts";
import type { NativeImage, NativeLine, NativeSymbol } from "../native/native-image.ts";

const TRAP_ACCESSES = ["", "read", "write", "execute"] as const;

/** `misaligned read of 4`. */
function describeTrap(payload: number): string {
  const name = TRAP_CLASSES[payload & 0xf] ?? `class ${payload & 0xf}`;
  const access = TRAP_ACCESSES[(payload >> 4) & 3];
  if (access === undefined || access === "") return name;
  return access === "execute" ? `${name} ${access}` : `${name} ${access} of ${1 << ((payload >> 6) & 3)}`;
}

function hex(value: bigint | number, digits = 0): string {
  return value.toString(16).padStart(digits, "0");
}

function byteText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => hex(byte, 2)).join("");
}

export interface ListingOptions {
  readonly image: NativeImage;
  readonly disassemble: Disassemble;
  /** What a trap instruction at an offset carries, or null. */
  readonly readTrap: ReadTrap;
  /** The text of a source file as the image names it, or null. */
  readonly readSource: (path: string) => string | null;
}

/** Functions of the image in order; those of assembly run to the next name. */
export function imageFunctions({ symbols, codeEnd }: NativeImage): readonly NativeSymbol[] {
  const functions = symbols.filter(({ kind }) => kind === "function");
  return functions.flatMap((symbol, index) => {
    const next = functions[index + 1]?.address ?? codeEnd;
    const size = symbol.size > 0 ? symbol.size : Number(next - symbol.address);
    return size > 0 ? [{ ...symbol, size }] : [];
  });
}

export function listFunctions(functions: readonly NativeSymbol[], options: ListingOptions): string {
  const list = createLister(options);
  return functions.map(list).join("\n");
}

function createLister({ image, disassemble, readTrap, readSource }: ListingOptions): (symbol: NativeSymbol) => string {
  const texts = new Map<number, readonly string[] | null>();
  const names = new Map(image.symbols.filter(({ kind }) => kind === "function").map(({ name, address }) => [address, name]));

  function sourceLine({ file, line }: NativeLine): string {
    let lines = texts.get(file);
    if (lines === undefined) {
      lines = readSource(image.files[file] ?? "")?.split("\n") ?? null;
      texts.set(file, lines);
    }
    const text = lines?.[line - 1];
    return `  ; ${image.files[file] ?? "?"}:${line}${text === undefined ? "" : `  ${text.trim()}`}`;
  }

  /** Instructions up to and including the next trap; data behind it would be read as the start of something else. */
  function* disassembleUntilTrap(bytes: Uint8Array, address: bigint): Generator<DisassembledLine & { readonly trap: TrapData | null }> {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const symbolAt = (target: bigint): string => names.get(target) ?? `0x${hex(target)}`;
    for (const line of disassemble(bytes, { address, symbolAt })) {
      const trap = readTrap(view, line.offset);
      yield { ...line, trap };
      if (trap !== null && trap.dataLength > 0) return;
    }
  }

  return ({ name, address, size }) => {
    const start = Number(address - image.base);
    const bytes = image.bytes.subarray(start, start + size);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const marks = image.lines.filter((line) => line.address >= address && line.address < address + BigInt(size));
    const out = [`${hex(address, 8)} <${name}>:`];
    const add = (offset: number, length: number, text: string): void =>
      void out.push(`    ${hex(address + BigInt(offset), 8)}:  ${byteText(bytes.subarray(offset, offset + length)).padEnd(16)}  ${text}`);
    let shown = "";
    let nextMark = 0;
    const showSource = (at: bigint): void => {
      let mark: NativeLine | undefined;
      for (; (marks[nextMark]?.address ?? at + 1n) <= at; nextMark++) mark = marks[nextMark];
      if (mark === undefined || mark.file < 0 || `${mark.file}:${mark.line}` === shown) return;
      shown = `${mark.file}:${mark.line}`;
      out.push(sourceLine(mark));
    };
    for (let from = 0; from < bytes.length;) {
      const piece = from;
      for (const { offset, length, text, trap } of disassembleUntilTrap(bytes.subarray(piece), address + BigInt(piece))) {
        const at = piece + offset;
        showSource(address + BigInt(at));
        add(at, length, trap === null ? text : `${text}  ; trap: ${describeTrap(trap.payload)}`);
        from = at + length;
        if (trap === null || trap.dataLength === 0) continue;
        add(from, trap.dataLength, `.4byte 0x${hex(view.getUint32(from, true), 8)}`);
        from += trap.dataLength;
      }
    }
    return `${out.join("\n")}\n`;
  };
}

/** Every name with its place: code, read-only data, data, and what is not in the file. */
export function listSymbols(image: NativeImage): string {
  const end = image.base + BigInt(image.bytes.length);
  const writable = image.base + BigInt(image.writableOffset);
  const partOf = (address: bigint): string => {
    if (address < image.codeEnd) return "code";
    if (address < writable) return "rodata";
    return address < end ? "data" : "zero";
  };
  const rows = image.symbols.map(({ name, address, size }) => `${hex(address, 8)}  ${hex(size).padStart(6)}  ${partOf(address).padEnd(6)}  ${name}\n`);
  return [`address     size  part    name\n`, ...rows].join("");
}
