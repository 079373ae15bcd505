// Functions, data and entry assembly to one image (docs/native.md, 6): places them, fills in addresses, tells the guest library where
// everything is, and keeps names and source lines for those who look at the image from outside. What is read only and what is written
// have an address each; in a pack they are far apart (docs/native.md, 9).

import { TEXT_START } from "../../isa/assembly/instruction-set.ts";
import type { DataSymbol } from "../../isa/bytecode/module.ts";
import type { Reference } from "./emission.ts";
import type { FrameEvent } from "./frame.ts";
import { LinkError, MAX_CPUS, STACK_RESERVE, STACK_SIZE, type AssembledEntry } from "./entry.ts";
import type { LoweredModule } from "./lower-module.ts";
import {
  COMMAND_LINE_SIZE,
  LINE_COLUMNS,
  linesOf,
  PAGE_SIZE,
  type LinkedImage,
  type NativeFrame,
  type NativeLine,
  type NativeSymbol,
  type PackPlace,
  type SymbolFrame,
} from "./native-image.ts";

export interface LinkOptions {
  readonly machine: string;
  readonly entry: AssembledEntry;
  /** Of what is read only. */
  readonly base: bigint;
  /** Of what is written; absent: the next page behind. */
  readonly writableBase?: bigint;
  /** Absent: the image is alone. */
  readonly pack?: PackPlace;
}

/** Library modules whose variables keep their values from test to test: they are what sets the others back. */
const KEPT_MODULES: readonly string[] = ["native.", "platform.", "agent.", "args."];

/** The variable that the linker fills in. */
const IMAGE_SYMBOL = "native.image";
/** In a pack all images have it at one place, because CPUs that sleep look at theirs whatever image comes. */
const CPUS_SYMBOL = "native.cpus";

function alignUp(value: number, align: number): number {
  return Math.ceil(value / align) * align;
}

function isKept(symbol: DataSymbol): boolean {
  return KEPT_MODULES.some((prefix) => symbol.name.startsWith(prefix));
}

function isZero(symbol: DataSymbol): boolean {
  return symbol.name !== IMAGE_SYMBOL && symbol.bytes.length === 0 && symbol.relocations.length === 0;
}

/** Offsets of everything: below `writable` from the start of what is read only, else, less that, from the start of what is written. */
interface Layout {
  readonly functions: readonly number[];
  readonly symbols: readonly number[];
  readonly codeStart: number;
  readonly codeEnd: number;
  readonly readonlyStart: number;
  readonly readonlyEnd: number;
  readonly writable: number;
  readonly commandLine: number;
  readonly restoredStart: number;
  readonly restoredEnd: number;
  readonly fileEnd: number;
  readonly zeroEnd: number;
  readonly stacks: number;
  readonly end: number;
}

function layOut({ target, module, functions, addressed }: LoweredModule, entry: AssembledEntry, hasOwnCpus: boolean): Layout {
  let at = alignUp(entry.bytes.length, 16);
  const codeStart = at;
  const functionOffsets = functions.map(({ code }, index) => {
    // The word before a function whose address is taken is read as one.
    at = addressed.has(index) ? alignUp(at + 4, Math.max(4, target.alignment)) : alignUp(at, target.alignment);
    const offset = at;
    at += code.length;
    return offset;
  });
  const codeEnd = at;
  const symbolOffsets = new Array<number>(module.symbols.length).fill(0);
  const place = (matches: (symbol: DataSymbol) => boolean): void => {
    module.symbols.forEach((symbol, index) => {
      if (!matches(symbol)) return;
      at = alignUp(at, symbol.align);
      symbolOffsets[index] = at;
      at += symbol.size;
    });
  };
  const readonlyStart = (at = alignUp(at, 16));
  place((symbol) => !symbol.writable);
  const readonlyEnd = at;
  const writable = (at = alignUp(at, PAGE_SIZE));
  const commandLine = at;
  at += COMMAND_LINE_SIZE;
  place((symbol) => symbol.writable && isKept(symbol) && !isZero(symbol));
  const restoredStart = (at = alignUp(at, 16));
  place((symbol) => symbol.writable && !isKept(symbol) && !isZero(symbol));
  const fileEnd = (at = alignUp(at, 16));
  place((symbol) => symbol.writable && !isKept(symbol) && isZero(symbol));
  const restoredEnd = at;
  at = alignUp(at, 256);
  place((symbol) => symbol.writable && isKept(symbol) && isZero(symbol) && (hasOwnCpus || symbol.name !== CPUS_SYMBOL));
  const zeroEnd = (at = alignUp(at, 16));
  const stacks = (at = alignUp(at, PAGE_SIZE));
  at += MAX_CPUS * (STACK_SIZE + STACK_RESERVE);
  const end = alignUp(at, PAGE_SIZE);
  return {
    functions: functionOffsets,
    symbols: symbolOffsets,
    codeStart,
    codeEnd,
    readonlyStart,
    readonlyEnd,
    writable,
    commandLine,
    restoredStart,
    restoredEnd,
    fileEnd,
    zeroEnd,
    stacks,
    end,
  };
}

export interface ImageSize {
  /** Whole pages. */
  readonly readonly: number;
  /** Initial contents of what is written. */
  readonly data: number;
  /** Memory of what is written, whole pages. */
  readonly writable: number;
}

/** What an image in a pack takes. */
export function imageSize(lowered: LoweredModule, entry: AssembledEntry): ImageSize {
  const { writable, fileEnd, end } = layOut(lowered, entry, false);
  return { readonly: writable, data: fileEnd - writable, writable: end - writable };
}

export function linkImage(lowered: LoweredModule, { machine, entry, base: baseAddress, writableBase: writableAddress, pack }: LinkOptions): LinkedImage {
  const { target, module, functions, names, addressed, numberOf } = lowered;
  const layout = layOut(lowered, entry, pack === undefined);
  // Addresses of images are far below 2^53.
  const base = Number(baseAddress);
  const writableBase = writableAddress === undefined ? base + layout.writable : Number(writableAddress);
  const addressAt = (offset: number): number => (offset < layout.writable ? base + offset : writableBase + offset - layout.writable);
  const functionAddress = (index: number): number => base + (layout.functions[index] ?? 0);
  const symbolAddresses = module.symbols.map(({ name }, index) =>
    pack !== undefined && name === CPUS_SYMBOL ? Number(pack.cpus) : addressAt(layout.symbols[index] ?? 0),
  );

  // Names for assembly.
  const exported = new Map(module.exports.map(({ name, function: index }) => [name, index]));
  const symbolNames = new Map(module.symbols.map(({ name }, index) => [name, index]));
  const marks = new Map<string, number>(
    Object.entries({
      [TEXT_START]: base,
      guest_image: base,
      guest_code_start: base + layout.codeStart,
      guest_code_end: base + layout.codeEnd,
      guest_zero_start: addressAt(layout.fileEnd),
      guest_zero_end: addressAt(layout.zeroEnd),
      guest_stacks: addressAt(layout.stacks),
      guest_image_end: addressAt(layout.end),
    }),
  );
  const named = (name: string): number => {
    const label = entry.labels.get(name);
    if (label !== undefined) return base + label;
    const mark = marks.get(name);
    if (mark !== undefined) return mark;
    const fn = exported.get(name);
    if (fn !== undefined) return functionAddress(fn);
    const symbol = symbolNames.get(name);
    if (symbol !== undefined) return symbolAddresses[symbol] ?? 0;
    throw new LinkError(`${entry.file} and compiled code name \`${name}\`, which is neither a label, an exported function nor a variable of the image`);
  };
  const addressOf = (index: number, to: Reference): number => {
    switch (to.kind) {
      case "function":
        return functionAddress(numberOf(index, to));
      case "symbol":
        return symbolAddresses[numberOf(index, to)] ?? 0;
      case "label":
        return named(to.name);
    }
  };

  // Bytes.
  const bytes = new Uint8Array(layout.fileEnd);
  const view = new DataView(bytes.buffer);
  const patch = (kind: string, offset: number, to: number, addend: number, what: string): void => {
    const problem = target.applyRelocation(bytes, kind, offset, addressAt(offset), to + addend);
    if (problem !== undefined) throw new LinkError(`${what}: a reference ${problem}`);
  };
  bytes.set(entry.bytes, 0);
  for (const { offset, kind, symbol, addend } of entry.relocations) patch(kind, offset, named(symbol), Number(addend), `${entry.file}: ${symbol}`);
  functions.forEach(({ code, relocations }, index) => {
    const start = layout.functions[index] ?? 0;
    const name = names[index] ?? "";
    bytes.set(code, start);
    const word = addressed.get(index);
    if (word !== undefined) view.setUint32(start - 4, word, true);
    for (let each = 0; each < relocations.length; each++) {
      const relocation = relocations[each];
      if (relocation !== undefined) patch(relocation.kind, start + relocation.offset, addressOf(index, relocation.to), relocation.addend, name);
    }
  });
  module.symbols.forEach((symbol, index) => {
    if (symbol.writable && isZero(symbol)) return;
    const start = layout.symbols[index] ?? 0;
    bytes.set(symbol.bytes, start);
    for (const relocation of symbol.relocations) {
      const isData = relocation.kind === "data";
      const to = isData ? (symbolAddresses[relocation.symbol] ?? 0) : functionAddress(relocation.function);
      patch(target.absolute, start + relocation.offset, to, isData ? relocation.addend : 0, symbol.name);
    }
  });
  const image = symbolNames.get(IMAGE_SYMBOL);
  if (image === undefined) throw new LinkError(`the guest library of ${target.name} does not use \`${IMAGE_SYMBOL}\``);
  const readonlyEnd = base + layout.writable;
  const fields = [
    base,
    base + layout.codeStart,
    base + layout.codeEnd,
    base + layout.readonlyStart,
    readonlyEnd,
    addressAt(layout.restoredStart),
    addressAt(layout.restoredEnd),
    addressAt(layout.end),
    addressAt(layout.commandLine),
    Number(pack?.start ?? base),
    Number(pack?.end ?? readonlyEnd),
    Number(pack?.load ?? 0),
  ];
  fields.forEach((field, index) => view.setBigUint64((layout.symbols[image] ?? 0) + 8 * index, BigInt(field), true));

  // Made when somebody looks: most runs have no failure that asks for a line.
  let symbols: readonly NativeSymbol[] | null = null;
  let lines: readonly NativeLine[] | null = null;
  let lineTable: Int32Array | null = null;
  const codeStart = BigInt(base + layout.codeStart);
  let frames: readonly NativeFrame[] | null = null;
  return {
    target: target.name,
    machine,
    layout: module.layout,
    base: baseAddress,
    bytes,
    readonlySize: layout.readonlyEnd,
    writableOffset: layout.writable,
    writableBase: BigInt(writableBase),
    writableSize: layout.end - layout.writable,
    pack: pack ?? null,
    entry: BigInt(named("guest_start")),
    labels: new Map([...entry.labels].map(([name, offset]) => [name, BigInt(base + offset)])),
    get symbols() {
      return (symbols ??= listSymbols(lowered, entry, base, functionAddress, symbolAddresses));
    },
    get lines() {
      return (lines ??= linesOf(this.lineTable, codeStart));
    },
    get lineTable() {
      return (lineTable ??= makeLineTable(lowered, layout));
    },
    get frames() {
      return (frames ??= listFrames(lowered, entry, base, functionAddress));
    },
    files: module.files,
    codeStart,
    codeEnd: BigInt(base + layout.codeEnd),
    commandLineOffset: layout.commandLine,
  };
}

function listSymbols(
  { target, module, functions, names }: LoweredModule,
  entry: AssembledEntry,
  base: number,
  functionAddress: (index: number) => number,
  symbolAddresses: readonly number[],
): readonly NativeSymbol[] {
  const symbols: (Omit<NativeSymbol, "address"> & { readonly address: number })[] = [];
  for (const [name, offset] of entry.labels) {
    const events = target.entryFrames.find(({ from }) => from === name)?.events ?? [];
    const depth = events.find((event) => event.kind === "depth")?.bytes;
    const frame = depth === undefined ? {} : { frame: frameOf(target, depth, events) };
    symbols.push({ name, address: base + offset, size: 0, kind: "function", ...frame });
  }
  functions.forEach((fn, index) =>
    symbols.push({
      name: names[index] ?? "",
      address: functionAddress(index),
      size: fn.code.length,
      kind: "function",
      frame: frameOf(target, fn.frameSize, fn.frameEvents),
    }),
  );
  module.symbols.forEach(({ name, size }, index) => symbols.push({ name, address: symbolAddresses[index] ?? 0, size, kind: "object" }));
  return symbols.sort((a, b) => a.address - b.address).map(({ address, ...symbol }): NativeSymbol => ({ ...symbol, address: BigInt(address) }));
}

function frameOf({ returnRegister, returnAddressBytes }: LoweredModule["target"], bytes: number, events: readonly FrameEvent[]): SymbolFrame {
  if (returnRegister === null) return { bytes, returnBelow: returnAddressBytes };
  const kept = events.find((event) => event.kind === "kept" && event.register === returnRegister);
  return { bytes, returnBelow: kept?.kind === "kept" ? kept.below : 0 };
}

function listFrames(
  { target, functions }: LoweredModule,
  { file, labels }: AssembledEntry,
  base: number,
  functionAddress: (index: number) => number,
): readonly NativeFrame[] {
  const placeOf = (label: string): number => {
    const offset = labels.get(label);
    if (offset === undefined) throw new LinkError(`${file} has no label ${label}, where a frame of ${target.name} begins or ends`);
    return offset;
  };
  const frames: NativeFrame[] = [
    ...target.entryFrames.map(({ from, to, events }): NativeFrame => ({ address: BigInt(base + placeOf(from)), size: placeOf(to) - placeOf(from), events })),
    ...functions.map(({ code, frameEvents }, index): NativeFrame => ({ address: BigInt(functionAddress(index)), size: code.length, events: frameEvents })),
  ];
  return frames.sort((a, b) => Number(a.address - b.address));
}

function makeLineTable({ functions, placeOf }: LoweredModule, layout: Layout): Int32Array {
  const table = new Int32Array(LINE_COLUMNS * functions.reduce((sum, { marks }) => sum + marks.length, 0));
  let at = 0;
  functions.forEach(({ marks }, index) => {
    const start = (layout.functions[index] ?? 0) - layout.codeStart;
    for (const { offset, location } of marks) {
      const place = placeOf(index, location);
      table[at] = start + offset;
      table[at + 1] = place?.file ?? -1;
      table[at + 2] = place?.line ?? 0;
      table[at + 3] = place?.column ?? 0;
      at += LINE_COLUMNS;
    }
  });
  return table;
}
