// Functions, data and entry assembly to one image at one address (docs/native.md, 6): places them, fills in addresses, tells the guest
// library where everything is, and keeps names and source lines for those who look at the image from outside.

import type { DataSymbol, Module, ScalarType } from "../../isa/bytecode/module.ts";
import { CPU_BLOCK_SIZE, FUEL, signatureWord } from "./abi.ts";
import type { CodeRelocation, Reference } from "./emission.ts";
import { lowerFunction, type NativeFunction } from "./lower-function.ts";
import { COMMAND_LINE_SIZE, type NativeImage, type NativeLine, type NativeSymbol } from "./native-image.ts";
import type { NativeTarget } from "./target.ts";

export interface EntryAssembly {
  /** For messages: `lib/riscv64/entry.s`. */
  readonly file: string;
  readonly text: string;
}

export interface LinkOptions {
  readonly target: NativeTarget;
  readonly machine: string;
  readonly base: bigint;
  readonly entry: EntryAssembly;
  /** Names that the entry assembly may use beside those of `ENTRY_CONSTANTS`. */
  readonly constants: ReadonlyMap<string, bigint>;
}

/** The image cannot be made: it is too large for a jump, or the entry assembly is wrong. Not a user's mistake in a spec. */
export class LinkError extends Error {
  override readonly name = "LinkError";
}

const PAGE = 4096;
const MAX_CPUS = 8;
const STACK_SIZE = 64 * 1024;
const STACK_RESERVE = 16 * 1024;

export const ENTRY_CONSTANTS: ReadonlyMap<string, bigint> = new Map(
  Object.entries({ CPU_BLOCK_SIZE, FUEL, MAX_CPUS, STACK_SIZE, STACK_RESERVE, STACK_STEP: STACK_SIZE + STACK_RESERVE }).map(([name, value]) => [name, BigInt(value)]),
);

/** Library modules whose variables keep their values from test to test: they are what sets the others back. */
const KEPT_MODULES: readonly string[] = ["native.", "platform.", "agent.", "args."];

/** The variable that the linker fills in. */
const IMAGE_SYMBOL = "native.image";

interface Section {
  readonly start: number;
  readonly end: number;
}

function alignUp(value: number, align: number): number {
  return Math.ceil(value / align) * align;
}

/** Functions whose addresses are taken: by code, or by data. */
function addressedFunctions(module: Module): ReadonlySet<number> {
  const found = new Set<number>();
  for (const { body } of module.functions) for (const { op, imm } of body) if (op === "func_addr") found.add(Number(imm[0]));
  for (const { relocations } of module.symbols) for (const relocation of relocations) if (relocation.kind === "function") found.add(relocation.function);
  return found;
}

function isKept(symbol: DataSymbol): boolean {
  return KEPT_MODULES.some((prefix) => symbol.name.startsWith(prefix));
}

function isZero(symbol: DataSymbol): boolean {
  return symbol.name !== IMAGE_SYMBOL && symbol.bytes.length === 0 && symbol.relocations.length === 0;
}

export function linkImage(module: Module, { target, machine, base, entry, constants }: LinkOptions): NativeImage {
  const signatures = new Map<string, number>();
  const signatureNumber = (params: readonly ScalarType[], results: readonly ScalarType[]): number => {
    const key = `${params.join()}>${results.join()}`;
    let number = signatures.get(key);
    if (number === undefined) signatures.set(key, (number = signatures.size + 1));
    return number;
  };
  const functions = module.functions.map((fn) => lowerFunction(fn, { target, module, signatureNumber }));
  const addressed = addressedFunctions(module);

  const assembly = target.assemble(entry.text, {
    origin: base,
    constants: new Map([...ENTRY_CONSTANTS, ...constants]),
    isOutsideSymbol: () => true,
  });
  if (!assembly.ok) {
    throw new LinkError(assembly.problems.map(({ line, column, message, help }) => `${entry.file}:${line}:${column}: ${message}${help === undefined ? "" : ` (${help})`}`).join("\n"));
  }

  // Places.
  let at = alignUp(assembly.bytes.length, 16);
  const codeStart = at;
  const functionOffsets = functions.map(({ code }, index) => {
    at = alignUp(addressed.has(index) ? at + 4 : at, Math.max(4, target.alignment));
    const offset = at;
    at += code.length;
    return offset;
  });
  const codeEnd = at;
  const symbolOffsets = new Array<number>(module.symbols.length).fill(0);
  const place = (matches: (symbol: DataSymbol) => boolean): Section => {
    const start = at;
    module.symbols.forEach((symbol, index) => {
      if (!matches(symbol)) return;
      at = alignUp(at, symbol.align);
      symbolOffsets[index] = at;
      at += symbol.size;
    });
    return { start, end: at };
  };
  at = alignUp(at, 16);
  const readonly = place((symbol) => !symbol.writable);
  const writableStart = (at = alignUp(at, PAGE));
  const commandLine = at;
  at += COMMAND_LINE_SIZE;
  place((symbol) => symbol.writable && isKept(symbol) && !isZero(symbol));
  at = alignUp(at, 16);
  const restored = place((symbol) => symbol.writable && !isKept(symbol) && !isZero(symbol));
  const fileEnd = (at = alignUp(at, 16));
  const restoredZero = place((symbol) => symbol.writable && !isKept(symbol) && isZero(symbol));
  at = alignUp(at, 256);
  place((symbol) => symbol.writable && isKept(symbol) && isZero(symbol));
  const zeroEnd = (at = alignUp(at, 16));
  const stacks = (at = alignUp(at, PAGE));
  at += MAX_CPUS * (STACK_SIZE + STACK_RESERVE);
  const memorySize = alignUp(at, PAGE);

  // Names for assembly.
  const exported = new Map(module.exports.map(({ name, function: index }) => [name, index]));
  const symbolNames = new Map(module.symbols.map(({ name }, index) => [name, index]));
  const marks = new Map<string, number>(
    Object.entries({
      guest_image: 0,
      guest_code_start: codeStart,
      guest_code_end: codeEnd,
      guest_file_end: fileEnd,
      guest_zero_start: fileEnd,
      guest_zero_end: zeroEnd,
      guest_stacks: stacks,
      guest_image_end: memorySize,
    }),
  );
  const named = (name: string): number => {
    const label = assembly.labels.get(name) ?? marks.get(name);
    if (label !== undefined) return label;
    const fn = exported.get(name);
    if (fn !== undefined) return functionOffsets[fn] ?? 0;
    const symbol = symbolNames.get(name);
    if (symbol !== undefined) return symbolOffsets[symbol] ?? 0;
    throw new LinkError(`${entry.file} and compiled code name \`${name}\`, which is neither a label, an exported function nor a variable of the image`);
  };
  const offsetOf = (to: Reference): number => {
    switch (to.kind) {
      case "function":
        return functionOffsets[to.function] ?? 0;
      case "symbol":
        return symbolOffsets[to.symbol] ?? 0;
      case "label":
        return named(to.name);
    }
  };

  // Bytes.
  const bytes = new Uint8Array(fileEnd);
  const view = new DataView(bytes.buffer);
  const patch = (kind: string, offset: number, to: number, addend: bigint, what: () => string): void => {
    const problem = target.applyRelocation(bytes, kind, offset, base + BigInt(offset), base + BigInt(to) + addend);
    if (problem !== undefined) throw new LinkError(`${what()}: a reference ${problem}`);
  };
  bytes.set(assembly.bytes, 0);
  functions.forEach(({ code }, index) => {
    const offset = functionOffsets[index] ?? 0;
    bytes.set(code, offset);
    const signature = module.functions[index]?.signature;
    if (addressed.has(index) && signature !== undefined) view.setUint32(offset - 4, signatureWord(signatureNumber(signature.params, signature.results)), true);
  });
  for (const { offset, kind, symbol, addend } of assembly.relocations) patch(kind, offset, named(symbol), addend, () => `${entry.file}: ${symbol}`);
  functions.forEach(({ relocations }, index) => relocateFunction(relocations, functionOffsets[index] ?? 0, module.functions[index]?.name ?? ""));
  function relocateFunction(relocations: readonly CodeRelocation[], start: number, name: string): void {
    for (const { offset, kind, to, addend } of relocations) patch(kind, start + offset, offsetOf(to), addend, () => name);
  }
  module.symbols.forEach((symbol, index) => {
    if (symbol.writable && isZero(symbol)) return;
    const start = symbolOffsets[index] ?? 0;
    bytes.set(symbol.bytes, start);
    for (const relocation of symbol.relocations) {
      const to = relocation.kind === "data" ? (symbolOffsets[relocation.symbol] ?? 0) : (functionOffsets[relocation.function] ?? 0);
      patch(target.absolute, start + relocation.offset, to, relocation.kind === "data" ? BigInt(relocation.addend) : 0n, () => symbol.name);
    }
  });
  const image = symbolNames.get(IMAGE_SYMBOL);
  if (image === undefined) throw new LinkError(`the guest library of ${target.name} does not use \`${IMAGE_SYMBOL}\``);
  const fields = [0, codeStart, codeEnd, readonly.start, writableStart, restored.start, restoredZero.end, memorySize, commandLine];
  fields.forEach((field, index) => view.setBigUint64((symbolOffsets[image] ?? 0) + 8 * index, base + BigInt(field), true));

  return {
    target: target.name,
    machine,
    base,
    bytes,
    memorySize,
    writableOffset: writableStart,
    entry: base + BigInt(named("guest_start")),
    labels: new Map([...assembly.labels].map(([name, offset]) => [name, base + BigInt(offset)])),
    symbols: listSymbols(module, base, functions, functionOffsets, symbolOffsets, assembly.labels),
    lines: listLines(module, base, functions, functionOffsets),
    files: module.files,
    codeStart: base + BigInt(codeStart),
    codeEnd: base + BigInt(codeEnd),
    commandLineOffset: commandLine,
  };
}

function listSymbols(
  module: Module,
  base: bigint,
  functions: readonly NativeFunction[],
  functionOffsets: readonly number[],
  symbolOffsets: readonly number[],
  labels: ReadonlyMap<string, number>,
): readonly NativeSymbol[] {
  const all: NativeSymbol[] = [
    ...[...labels].map(([name, offset]): NativeSymbol => ({ name, address: base + BigInt(offset), size: 0, kind: "function" })),
    ...functions.map(
      ({ code }, index): NativeSymbol => ({
        name: module.functions[index]?.name ?? "",
        address: base + BigInt(functionOffsets[index] ?? 0),
        size: code.length,
        kind: "function",
      }),
    ),
    ...module.symbols.map(
      ({ name, size }, index): NativeSymbol => ({ name, address: base + BigInt(symbolOffsets[index] ?? 0), size, kind: "object" }),
    ),
  ];
  return all.sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
}

function listLines(module: Module, base: bigint, functions: readonly NativeFunction[], offsets: readonly number[]): readonly NativeLine[] {
  return functions.flatMap(({ marks }, index) =>
    marks.map(({ offset, location }): NativeLine => {
      const place = module.locations[location];
      const address = base + BigInt((offsets[index] ?? 0) + offset);
      return place === undefined ? { address, file: -1, line: 0, column: 0 } : { address, file: place.file, line: place.line, column: place.column };
    }),
  );
}
