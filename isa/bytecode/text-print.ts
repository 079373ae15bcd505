// Prints guest bytecode as text: docs/bytecode.md, section 7. What `guestspec show`, goldens and failure texts read. Nothing is left
// out, so text-parse.ts gives an equal module; depths stay numbers and nesting is shown by indentation.

import { hexBytes } from "../hex.ts";
import { findInstruction, RMW_OPERATIONS, TRAP_CLASSES, TRAP_FIELDS, type ImmediateKind } from "./instructions.ts";
import { SYS_ISAS, type AssemblyBlock, type BytecodeFunction, type DataSymbol, type Instruction, type Module, type Signature } from "./module.ts";

/** Immediates written behind the registers: they belong to the operand (an offset) or are the point of the line (a depth). */
export const TRAILING_IMMEDIATES: ReadonlySet<ImmediateKind> = new Set<ImmediateKind>(["depth", "depths", "offset"]);

/** The names of immediates that are indices. */
export const IMMEDIATE_NAMES: { readonly [kind in ImmediateKind]?: readonly string[] } = {
  "trap-class": TRAP_CLASSES,
  rmw: RMW_OPERATIONS,
  "trap-field": TRAP_FIELDS,
  isa: SYS_ISAS,
};

const BARE_NAME = /^[A-Za-z_$.][A-Za-z0-9_$.]*$/;

type Names = (index: number) => string;

/** References by name where the name is unambiguous, by `#index` where it is not (so that every module can be printed). */
function makeNames(entries: readonly { readonly name: string }[]): Names {
  const seen = new Map<string, number>();
  for (const { name } of entries) seen.set(name, (seen.get(name) ?? 0) + 1);
  return (index) => {
    const name = entries[index]?.name;
    return name === undefined || seen.get(name) !== 1 ? `#${index}` : printName(name);
  };
}

function printName(name: string): string {
  return "@" + (BARE_NAME.test(name) ? name : JSON.stringify(name));
}

export function printSignature(signature: Signature): string {
  return `(${signature.params.join(", ")}) -> (${signature.results.join(", ")})`;
}

function printImmediate(kind: ImmediateKind, value: number | bigint, functions: Names, symbols: Names): string {
  switch (kind) {
    case "function":
      return functions(Number(value));
    case "symbol":
      return symbols(Number(value));
    case "signature":
      return `sig${value}`;
    case "assembly":
      return `asm${value}`;
    case "offset":
      return value < 0 ? String(value) : `+${value}`;
    case "constant":
    case "u32":
    case "depth":
    case "depths":
      return String(value);
    case "trap-class":
    case "rmw":
    case "trap-field":
    case "isa":
      return IMMEDIATE_NAMES[kind]?.[Number(value)] ?? String(value);
  }
}

function printOperation(instruction: Instruction, functions: Names, symbols: Names): string {
  const row = findInstruction(instruction.op);
  const name = [instruction.op, instruction.type, instruction.to].filter((part) => part !== undefined).join(".");
  const before: string[] = [];
  const after: string[] = [];
  instruction.imm.forEach((value, index) => {
    const kind = row?.imm[Math.min(index, row.imm.length - 1)] ?? "u32";
    if (kind === "offset" && Number(value) === 0) return;
    (TRAILING_IMMEDIATES.has(kind) ? after : before).push(printImmediate(kind, value, functions, symbols));
  });
  const operands = [...before, ...instruction.src.map((register) => `%${register}`), ...after].join(", ");
  const results = instruction.dst.map((register) => `%${register}`).join(", ");
  return (results === "" ? "" : `${results} = `) + name + (operands === "" ? "" : ` ${operands}`);
}

/** One instruction on its own, without location: for listings and failure texts. */
export function printInstruction(module: Module, instruction: Instruction): string {
  return printOperation(instruction, makeNames(module.functions), makeNames(module.symbols));
}

function* printFunctionLines(module: Module, fn: BytecodeFunction, functions: Names, symbols: Names): Iterable<string> {
  const frame = fn.frameSize === 0 ? "" : ` frame ${fn.frameSize}`;
  yield `func ${printName(fn.name)} ${printSignature(fn.signature)}${frame} {`;
  const locals = fn.registers.slice(fn.signature.params.length);
  for (let start = 0; start < locals.length; start += 8) {
    const first = fn.signature.params.length + start;
    yield (
      "  reg " +
      locals
        .slice(start, start + 8)
        .map((type, index) => `%${first + index}:${type}`)
        .join(", ")
    );
  }
  let depth = 1;
  for (const instruction of fn.body) {
    const structure = findInstruction(instruction.op)?.structure;
    if (structure === "else" || structure === "end") depth = Math.max(1, depth - 1);
    const text = "  ".repeat(depth) + printOperation(instruction, functions, symbols);
    yield instruction.at < 0 ? text : `${text.padEnd(44)} ;@${instruction.at}${describeLocation(module, instruction.at)}`;
    if (structure === "open" || structure === "else") depth += 1;
  }
  yield "}";
}

/** The reader's part of `;@N`: which place it is, so that nobody has to look into the table. */
function describeLocation(module: Module, at: number): string {
  const location = module.locations[at];
  return location === undefined ? "" : ` ${location.line}:${location.column}`;
}

/** One function as in `printText`, without its module. */
export function printFunction(module: Module, index: number): string {
  const fn = module.functions[index];
  if (fn === undefined) throw new RangeError(`no function ${index}`);
  return [...printFunctionLines(module, fn, makeNames(module.functions), makeNames(module.symbols))].join("\n") + "\n";
}

function* chunksOf(bytes: Uint8Array): Iterable<Uint8Array> {
  for (let start = 0; start < bytes.length; start += 32) yield bytes.subarray(start, start + 32);
}

const printBytes = (chunk: Uint8Array): string => `  bytes "${hexBytes(chunk).join("")}"`;

/** Registers are in quotes: their names are another language's. */
function* printAssemblyLines(index: number, block: AssemblyBlock, withLines: boolean): Iterable<string> {
  const registers = (word: string, names: readonly string[]): string =>
    names.length === 0 ? "" : ` ${word} ${names.map((name) => JSON.stringify(name)).join(", ")}`;
  const lists = registers("in", block.inputs) + registers("out", block.outputs) + registers("clobber", block.clobbers);
  yield `assembly asm${index} ${block.isa}${lists}${block.memory ? " memory" : ""} {`;
  for (const chunk of chunksOf(block.bytes)) yield printBytes(chunk);
  if (withLines) for (const { offset, location } of block.lines) yield `  line ${offset} ${location}`;
  yield "}";
}

/** One assembly block as in `printText`, without its module and, if told so, without where its lines are. */
export function printAssembly(module: Module, index: number, withLines = true): string {
  const block = module.assembly[index];
  if (block === undefined) throw new RangeError(`no assembly block ${index}`);
  return [...printAssemblyLines(index, block, withLines)].join("\n") + "\n";
}

function* printSymbolLines(symbol: DataSymbol, functions: Names, symbols: Names): Iterable<string> {
  const head = `data ${printName(symbol.name)} size ${symbol.size} align ${symbol.align} ${symbol.writable ? "writable" : "readonly"}`;
  if (symbol.bytes.length === 0 && symbol.relocations.length === 0) {
    yield head;
    return;
  }
  yield head + " {";
  for (const chunk of chunksOf(symbol.bytes)) {
    const ascii = [...chunk].map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".")).join("");
    yield `${printBytes(chunk)} ; ${ascii}`;
  }
  for (const relocation of symbol.relocations) {
    if (relocation.kind === "function") {
      yield `  addr ${relocation.offset} func ${functions(relocation.function)}`;
    } else {
      const addend = relocation.addend === 0 ? "" : relocation.addend < 0 ? ` ${relocation.addend}` : ` +${relocation.addend}`;
      yield `  addr ${relocation.offset} data ${symbols(relocation.symbol)}${addend}`;
    }
  }
  yield "}";
}

/** The whole module. `parseText` of the result gives an equal module. */
export function printText(module: Module): string {
  const functions = makeNames(module.functions);
  const symbols = makeNames(module.symbols);
  const lines: string[] = [`gbc ${module.version} addr${module.layout.addressBytes * 8} ${module.layout.endian}`];
  if (module.trapVector >= 0) lines.push(`trap_vector ${functions(module.trapVector)}`);
  if (module.interruptVector >= 0) lines.push(`interrupt_vector ${functions(module.interruptVector)}`);
  for (const entry of module.exports) lines.push(`export ${JSON.stringify(entry.name)} = ${functions(entry.function)}`);
  module.signatures.forEach((signature, index) => lines.push(`signature sig${index} ${printSignature(signature)}`));
  module.assembly.forEach((block, index) => lines.push("", ...printAssemblyLines(index, block, true)));
  for (const symbol of module.symbols) lines.push("", ...printSymbolLines(symbol, functions, symbols));
  for (const fn of module.functions) lines.push("", ...printFunctionLines(module, fn, functions, symbols));
  lines.push("", "files {", ...module.files.map((file) => `  ${JSON.stringify(file)}`), "}");
  lines.push("locations {");
  module.locations.forEach((place, index) => lines.push(`  ${place.file}:${place.line}:${place.column} ; @${index}`));
  lines.push("}");
  return lines.join("\n") + "\n";
}
