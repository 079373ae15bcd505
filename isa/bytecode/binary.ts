// The binary form of guest bytecode (`.gbc`): docs/bytecode.md, section 8. What an image file holds and caches store. Decoding
// takes bytes from anywhere: it gives a module of the right shape or an error with its offset, never throws, and allocates no more
// than the input can fill. Whether the module makes sense is the verifier's question.

import { findInstruction, findOpcode, type ImmediateKind, type InstructionRow } from "./instructions.ts";
import {
  BYTECODE_VERSION,
  SYS_ISAS,
  type AssemblyBlock,
  type BytecodeFunction,
  type DataLayout,
  type DataSymbol,
  type Instruction,
  type Module,
  type Relocation,
  type ScalarType,
  type Signature,
  type SourceLocation,
} from "./module.ts";

export class BytecodeFormatError extends Error {
  /** Byte offset of what is wrong. */
  readonly offset: number;
  constructor(message: string, offset: number) {
    super(`${message} at byte ${offset}`);
    this.name = "BytecodeFormatError";
    this.offset = offset;
  }
}

export type DecodeResult = { readonly module: Module; readonly error?: undefined } | { readonly module?: undefined; readonly error: BytecodeFormatError };

const MAGIC = [0x67, 0x62, 0x63, 0x00] as const;
const TYPES: readonly ScalarType[] = ["i8", "i16", "i32", "i64", "addr"];

const SECTION = { files: 1, locations: 2, signatures: 3, symbols: 4, functions: 5, exports: 6, vectors: 7, assembly: 8 } as const;

// ---------------------------------------------------------------------------------------------------------------- encoding

class Writer {
  private bytes = new Uint8Array(1024);
  private length = 0;
  private readonly encoder = new TextEncoder();

  private reserve(count: number): void {
    if (this.length + count <= this.bytes.length) return;
    const bytes = new Uint8Array(Math.max(this.length + count, this.bytes.length * 2));
    bytes.set(this.bytes.subarray(0, this.length));
    this.bytes = bytes;
  }

  byte(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  unsigned(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} cannot be encoded as unsigned`);
    let rest = value;
    while (rest >= 0x80) {
      this.byte((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.byte(rest);
  }

  signed(value: bigint): void {
    let rest = value;
    for (;;) {
      const low = Number(rest & 0x7fn);
      rest >>= 7n;
      if ((rest === 0n && low < 0x40) || (rest === -1n && low >= 0x40)) {
        this.byte(low);
        return;
      }
      this.byte(low | 0x80);
    }
  }

  string(text: string): void {
    const bytes = this.encoder.encode(text);
    this.unsigned(bytes.length);
    this.raw(bytes);
  }

  type(type: ScalarType): void {
    this.byte(TYPES.indexOf(type));
  }

  list<T>(items: readonly T[], write: (item: T) => void): void {
    this.unsigned(items.length);
    for (const item of items) write(item);
  }

  section(id: number, isEmpty: boolean, write: (into: Writer) => void): void {
    if (isEmpty) return;
    const contents = new Writer();
    write(contents);
    this.byte(id);
    this.unsigned(contents.length);
    this.raw(contents.finish());
  }

  finish(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }
}

function writeSignature(out: Writer, signature: Signature): void {
  out.list(signature.params, (type) => out.type(type));
  out.list(signature.results, (type) => out.type(type));
}

function writeSymbol(out: Writer, symbol: DataSymbol): void {
  out.string(symbol.name);
  out.unsigned(symbol.size);
  out.unsigned(symbol.align);
  out.byte(symbol.writable ? 1 : 0);
  out.unsigned(symbol.bytes.length);
  out.raw(symbol.bytes);
  out.list(symbol.relocations, (relocation) => {
    out.byte(relocation.kind === "data" ? 0 : 1);
    out.unsigned(relocation.offset);
    out.unsigned(relocation.kind === "data" ? relocation.symbol : relocation.function);
    if (relocation.kind === "data") out.signed(BigInt(relocation.addend));
  });
}

function writeRegisters(out: Writer, registers: readonly number[], row: readonly string[], op: string): void {
  if (row.includes("...")) out.unsigned(registers.length);
  else if (registers.length !== row.length) throw new RangeError(`${op} with ${registers.length} registers, expected ${row.length}`);
  for (const register of registers) out.unsigned(register);
}

function writeInstruction(out: Writer, instruction: Instruction): void {
  const { op, type, to, dst, src, imm, at } = instruction;
  const row = findInstruction(op);
  if (row === undefined) throw new RangeError(`unknown instruction '${op}'`);
  out.byte(row.code);
  if (row.types !== undefined) {
    if (type === undefined) throw new RangeError(`${op} lacks its type`);
    out.type(type);
  }
  if (row.dst.includes("U")) {
    if (to === undefined) throw new RangeError(`${op} lacks its target type`);
    out.type(to);
  }
  writeRegisters(out, dst, row.dst, op);
  writeRegisters(out, src, row.src, op);
  if (row.imm[0] === "depths") out.list(imm, (depth) => out.unsigned(Number(depth)));
  else {
    row.imm.forEach((kind, index) => {
      const value = imm[index] ?? 0;
      if (isSigned(kind)) out.signed(BigInt(value));
      else out.unsigned(Number(value));
    });
  }
  out.unsigned(at + 1);
}

const isSigned = (kind: ImmediateKind): boolean => kind === "constant" || kind === "offset";

function writeFunction(out: Writer, fn: BytecodeFunction): void {
  out.string(fn.name);
  writeSignature(out, fn.signature);
  out.unsigned(fn.frameSize);
  out.list(fn.registers.slice(fn.signature.params.length), (type) => out.type(type));
  out.list(fn.body, (instruction) => writeInstruction(out, instruction));
}

function writeAssembly(out: Writer, block: AssemblyBlock): void {
  out.byte(SYS_ISAS.indexOf(block.isa));
  for (const names of [block.inputs, block.outputs, block.clobbers]) out.list(names, (name) => out.string(name));
  out.byte(block.memory ? 1 : 0);
  out.unsigned(block.bytes.length);
  out.raw(block.bytes);
  out.list(block.lines, ({ offset, location }) => {
    out.unsigned(offset);
    out.unsigned(location);
  });
}

/** Encodes a verified module. */
export function encodeModule(module: Module): Uint8Array {
  const out = new Writer();
  for (const byte of MAGIC) out.byte(byte);
  out.unsigned(module.version);
  out.byte((module.layout.addressBytes === 8 ? 1 : 0) | (module.layout.endian === "big" ? 2 : 0));
  const section = <T>(id: number, items: readonly T[], write: (into: Writer, item: T) => void): void =>
    out.section(id, items.length === 0, (into) => into.list(items, (item) => write(into, item)));
  section(SECTION.files, module.files, (into, file) => into.string(file));
  section(SECTION.locations, module.locations, (into, place) => {
    into.unsigned(place.file);
    into.unsigned(place.line);
    into.unsigned(place.column);
  });
  section(SECTION.signatures, module.signatures, writeSignature);
  section(SECTION.symbols, module.symbols, writeSymbol);
  section(SECTION.functions, module.functions, writeFunction);
  section(SECTION.exports, module.exports, (into, entry) => {
    into.string(entry.name);
    into.unsigned(entry.function);
  });
  out.section(SECTION.vectors, module.trapVector < 0 && module.interruptVector < 0, (into) => {
    into.unsigned(module.trapVector + 1);
    into.unsigned(module.interruptVector + 1);
  });
  section(SECTION.assembly, module.assembly, writeAssembly);
  return out.finish();
}

// ---------------------------------------------------------------------------------------------------------------- decoding

/** Throws at bytes that are no UTF-8. */
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

class Reader {
  private readonly bytes: Uint8Array;
  position: number;
  end: number;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.position = 0;
    this.end = bytes.length;
  }

  fail(message: string, offset = this.position): never {
    throw new BytecodeFormatError(message, offset);
  }

  byte(): number {
    const value = this.position < this.end ? this.bytes[this.position] : undefined;
    if (value === undefined) this.fail("the bytes end too early");
    this.position += 1;
    return value;
  }

  unsigned(): number {
    const start = this.position;
    // Nearly all of them.
    const first = this.bytes[start] ?? 0x80;
    if (first < 0x80 && start < this.end) {
      this.position = start + 1;
      return first;
    }
    let value = 0;
    for (let scale = 1; ; scale *= 0x80) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (value > Number.MAX_SAFE_INTEGER || scale > 2 ** 49) this.fail("an integer is too large", start);
      if (byte < 0x80) {
        if (byte === 0 && scale > 1) this.fail("an integer is longer than needed", start);
        return value;
      }
    }
  }

  signed(): bigint {
    const start = this.position;
    let value = 0n;
    let previous = 0;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) {
        const isPadding = shift > 0n && ((byte === 0 && (previous & 0x40) === 0) || (byte === 0x7f && (previous & 0x40) !== 0));
        if (isPadding) this.fail("an integer is longer than needed", start);
        const signed = (byte & 0x40) === 0 ? value : value - (1n << (shift + 7n));
        if (signed < -(1n << 63n) || signed >= 1n << 64n) this.fail("an integer is too large", start);
        return signed;
      }
      if (shift >= 63n) this.fail("an integer is too large", start);
      previous = byte;
    }
  }

  /** The count of a list whose elements take at least one byte each. */
  count(): number {
    const start = this.position;
    const count = this.unsigned();
    if (count > this.end - this.position) this.fail("a list is longer than the rest of the bytes", start);
    return count;
  }

  list<T>(read: () => T): T[] {
    const items: T[] = [];
    for (let left = this.count(); left > 0; left--) items.push(read());
    return items;
  }

  raw(): Uint8Array {
    const length = this.count();
    this.position += length;
    return this.bytes.slice(this.position - length, this.position);
  }

  string(): string {
    const start = this.position;
    const bytes = this.raw();
    try {
      return utf8.decode(bytes);
    } catch {
      return this.fail("a string is not UTF-8", start);
    }
  }

  type(): ScalarType {
    const type = TYPES[this.byte()];
    if (type === undefined) this.fail("unknown type", this.position - 1);
    return type;
  }

  signature(): Signature {
    const params = this.list(() => this.type());
    return { params, results: this.list(() => this.type()) };
  }

  /** A byte that only has these bits. */
  flags(mask: number): number {
    const value = this.byte();
    if ((value & ~mask) !== 0) this.fail("unknown flags", this.position - 1);
    return value;
  }
}

function readLayout(input: Reader): DataLayout {
  const flags = input.flags(3);
  return { addressBytes: (flags & 1) === 0 ? 4 : 8, endian: (flags & 2) === 0 ? "little" : "big" };
}

function readSymbol(input: Reader): DataSymbol {
  const name = input.string();
  const size = input.unsigned();
  const align = input.unsigned();
  const writable = input.flags(1) === 1;
  const bytes = input.raw();
  const relocations = input.list((): Relocation => {
    const isFunction = input.flags(1) === 1;
    const offset = input.unsigned();
    const index = input.unsigned();
    return isFunction ? { kind: "function", offset, function: index } : { kind: "data", offset, symbol: index, addend: readOffset(input) };
  });
  return { name, size, align, writable, bytes, relocations };
}

function readOffset(input: Reader): number {
  const start = input.position;
  const value = input.signed();
  if (value < -0x8000_0000n || value > 0x7fff_ffffn) input.fail("an offset does not fit 32 bits", start);
  return Number(value);
}

/** Shared by all instructions that have none. */
const NONE: readonly never[] = [];

function readRegisters(input: Reader, row: readonly string[]): readonly number[] {
  switch (row.length) {
    case 0:
      return NONE;
    case 1:
      if (row[0] !== "...") return [input.unsigned()];
      break;
    case 2:
      if (row[1] !== "...") return [input.unsigned(), input.unsigned()];
      break;
  }
  return row.includes("...") ? input.list(() => input.unsigned()) : row.map(() => input.unsigned());
}

function readImmediates(input: Reader, row: InstructionRow): readonly (number | bigint)[] {
  if (row.imm.length === 0) return NONE;
  if (row.imm[0] === "depths") return input.list(() => input.unsigned());
  return row.imm.map((kind) => (kind === "constant" ? input.signed() : kind === "offset" ? readOffset(input) : input.unsigned()));
}

function readInstruction(input: Reader): Instruction {
  const row = findOpcode(input.byte());
  if (row === undefined) return input.fail("unknown opcode", input.position - 1);
  const op = row.name;
  const type = row.types === undefined ? undefined : input.type();
  const to = row.dst[0] === "U" ? input.type() : undefined;
  const dst = readRegisters(input, row.dst);
  const src = readRegisters(input, row.src);
  const imm = readImmediates(input, row);
  const at = input.unsigned() - 1;
  // Spelled out: objects of four shapes, in place of merging parts into each of the many thousands.
  if (to !== undefined) return type === undefined ? { op, to, dst, src, imm, at } : { op, type, to, dst, src, imm, at };
  return type === undefined ? { op, dst, src, imm, at } : { op, type, dst, src, imm, at };
}

function readFunction(input: Reader): BytecodeFunction {
  const name = input.string();
  const signature = input.signature();
  const frameSize = input.unsigned();
  const registers = [...signature.params, ...input.list(() => input.type())];
  return { name, signature, registers, frameSize, body: input.list(() => readInstruction(input)) };
}

function readAssembly(input: Reader): AssemblyBlock {
  const isa = SYS_ISAS[input.byte()];
  if (isa === undefined) return input.fail("unknown instruction set", input.position - 1);
  const names = (): string[] => input.list(() => input.string());
  const inputs = names();
  const outputs = names();
  const clobbers = names();
  const memory = input.flags(1) === 1;
  const bytes = input.raw();
  const lines = input.list(() => ({ offset: input.unsigned(), location: input.unsigned() }));
  return { isa, bytes, inputs, outputs, clobbers, memory, lines };
}

function readModule(input: Reader): Module {
  for (const byte of MAGIC) if (input.byte() !== byte) input.fail("not guest bytecode: wrong magic", input.position - 1);
  const version = input.unsigned();
  if (version !== BYTECODE_VERSION) input.fail(`version ${version} is not ${BYTECODE_VERSION}`, MAGIC.length);
  const layout = readLayout(input);
  let files: readonly string[] = [];
  let locations: readonly SourceLocation[] = [];
  let signatures: readonly Signature[] = [];
  let symbols: readonly DataSymbol[] = [];
  let functions: readonly BytecodeFunction[] = [];
  let exports: readonly { readonly name: string; readonly function: number }[] = [];
  let vectors: readonly [number, number] = [-1, -1];
  let assembly: readonly AssemblyBlock[] = [];
  const sections: Readonly<Record<number, () => void>> = {
    [SECTION.files]: () => void (files = input.list(() => input.string())),
    [SECTION.locations]: () => void (locations = input.list(() => ({ file: input.unsigned(), line: input.unsigned(), column: input.unsigned() }))),
    [SECTION.signatures]: () => void (signatures = input.list(() => input.signature())),
    [SECTION.symbols]: () => void (symbols = input.list(() => readSymbol(input))),
    [SECTION.functions]: () => void (functions = input.list(() => readFunction(input))),
    [SECTION.exports]: () => void (exports = input.list(() => ({ name: input.string(), function: input.unsigned() }))),
    [SECTION.vectors]: () => void (vectors = [input.unsigned() - 1, input.unsigned() - 1]),
    [SECTION.assembly]: () => void (assembly = input.list(() => readAssembly(input))),
  };
  const total = input.end;
  let previous = 0;
  while (input.position < total) {
    const start = input.position;
    const id = input.byte();
    const read = sections[id];
    if (read === undefined) input.fail(`unknown section ${id}`, start);
    if (id <= previous) input.fail(`section ${id} is not in ascending order`, start);
    previous = id;
    const length = input.count();
    input.end = input.position + length;
    read();
    if (input.position !== input.end) input.fail(`section ${id} has bytes left over`);
    input.end = total;
  }
  const [trapVector, interruptVector] = vectors;
  return { version, layout, functions, symbols, signatures, files, locations, assembly, exports, trapVector, interruptVector };
}

/** Decodes any bytes. The module has the right shape but is not verified. */
export function decodeModule(bytes: Uint8Array): DecodeResult {
  try {
    return { module: readModule(new Reader(bytes)) };
  } catch (error) {
    if (error instanceof BytecodeFormatError) return { error };
    throw error;
  }
}
