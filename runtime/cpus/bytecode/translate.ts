// Guest bytecode -> one WebAssembly module: a wasm function per guest function, a local per register, guest RAM as memory 0.
// The result depends on where the loader put the image (`TranslationOptions`) and on nothing else, so one compiled module serves
// every machine of that image in every worker. Sections: types, imports, functions, table, global, exports, elements, hints for
// V8, code, data. Functions: imports, support functions, guest functions, one entry function per signature.
// Limits: CPU 0 only (a translation cannot preempt; machines with more CPUs run on the interpreter).

import type { Module, Signature } from "../../../isa/bytecode/module.ts";
import { valueType } from "./translate-context.ts";
import type { TranslationContext, TranslationOptions } from "./translate-context.ts";
import { translateFunction } from "./translate-function.ts";
import { createInlining } from "./translate-inlining.ts";
import { SUPPORT_COUNT, supportIndex, supportTypes, writeEntry, writeSupport } from "./translate-support.ts";
import { ByteWriter, EXTERNAL, FUNCREF, I32, I64, OP, SECTION, writeBranchHints, writeCompilationHints, writeHeader, writeSection } from "../wasm/encoder.ts";
import type { BranchHint, ValueType } from "../wasm/encoder.ts";
import { FUNCTION_ENTRY_BYTES, IMPORTS, buildSignatures, callBytes, enterName, isWide, layOutState } from "./wasm-state.ts";

export type { TranslationOptions } from "./translate-context.ts";

export const IMPORT_MODULE = "executor";
export const LIMIT_EXPORT = "limit";
/** The table of guest functions, by their index. */
export const FUNCTIONS_EXPORT = "functions";

const FUNC_TYPE = 0x60;

/** The types of the module, each once. */
class TypeTable {
  private readonly byKey = new Map<string, number>();
  readonly list: { readonly params: readonly ValueType[]; readonly results: readonly ValueType[] }[] = [];

  add(params: readonly ValueType[], results: readonly ValueType[]): number {
    const key = `${params.join()}>${results.join()}`;
    const known = this.byKey.get(key);
    if (known !== undefined) return known;
    this.byKey.set(key, this.list.length);
    this.list.push({ params, results });
    return this.list.length - 1;
  }

  write(w: ByteWriter): void {
    w.u32(this.list.length);
    for (const { params, results } of this.list) {
      w.byte(FUNC_TYPE);
      w.u32(params.length);
      for (const type of params) w.byte(type);
      w.u32(results.length);
      for (const type of results) w.byte(type);
    }
  }
}

/** The larger side of RAM around the read-only bytes, shrunk to multiples of 8: stores there need no further test. */
function writableRange(module: Module, options: TranslationOptions): readonly [number, number] {
  const { ramBase, ramSize, readOnlyStart, readOnlyEnd } = options;
  if (readOnlyStart >= readOnlyEnd) return [0, ramSize];
  const below = readOnlyStart & ~7;
  let above = (readOnlyEnd + 7) & ~7;
  // Starting at a page spares an addition per store, if the rest of the last page is but filling.
  const page = Math.min((readOnlyEnd + 4095) & ~4095, ramSize);
  const filling = module.symbols.every((symbol, index) => {
    const offset = Number((options.symbolAddress[index] ?? 0n) - ramBase);
    return offset >= page || offset + symbol.size <= readOnlyEnd;
  });
  if (filling) above = page;
  return below > ramSize - above ? [0, below] : [Math.min(above, ramSize), ramSize];
}

/** Signature entries and frame sizes of all functions, for calls through code addresses. */
function functionEntries(context: TranslationContext): Uint8Array {
  const { functions } = context.module;
  const bytes = new Uint8Array(functions.length * FUNCTION_ENTRY_BYTES);
  const view = new DataView(bytes.buffer);
  functions.forEach((fn, index) => {
    view.setUint32(index * FUNCTION_ENTRY_BYTES, context.signatures.ofFunction[index] ?? 0, true);
    view.setUint32(index * FUNCTION_ENTRY_BYTES + 4, callBytes(fn.frameSize), true);
  });
  return bytes;
}

/** Names of the functions, so that a disassembly or a profile of the module can be read. */
function writeNames(w: ByteWriter, module: Module, signatureCount: number): void {
  writeSection(w, SECTION.custom, (section) => {
    section.name("name");
    section.byte(1);
    const start = section.openSize();
    const names = [
      ...IMPORTS.map((entry) => entry.name),
      ...supportTypes(false).map((entry) => `support.${entry.name}`),
      ...module.functions.map((fn) => fn.name),
      ...Array.from({ length: signatureCount }, (_, n) => enterName(n)),
    ];
    section.u32(names.length);
    names.forEach((name, index) => {
      section.u32(index);
      section.name(name);
    });
    section.closeSize(start);
  });
}

/** Translates a verified module. The bytes are a complete WebAssembly binary. */
export function translate(module: Module, options: TranslationOptions): Uint8Array<ArrayBuffer> {
  if (options.ramBase + BigInt(options.ramSize) >= 1n << 53n) throw new RangeError("the translator wants RAM below 2^53");
  const signatures = buildSignatures(module);
  const wideAddress = module.layout.addressBytes === 8;
  const types = new TypeTable();
  const [writableStart, writableEnd] = writableRange(module, options);
  const firstFunction = IMPORTS.length + SUPPORT_COUNT;
  const guestTypes: number[] = [];
  const context: TranslationContext = {
    module,
    options,
    signatures,
    state: layOutState(module, signatures),
    wideAddress,
    bits: { i8: 8, i16: 16, i32: 32, i64: 64, addr: wideAddress ? 64 : 32 },
    ramBase: Number(options.ramBase),
    writableStart,
    writableEnd,
    inlining: createInlining(module, (type) => (isWide(type, module.layout) ? I64 : I32)),
    support: supportIndex,
    firstFunction,
    typeOf: (signature) => guestTypes[signature] ?? 0,
  };
  const importTypes = IMPORTS.map((entry) =>
    types.add(
      Array.from({ length: entry.params }, () => I32),
      entry.result ? [I32] : [],
    ),
  );
  const supports = supportTypes(wideAddress).map((entry) => types.add(entry.params, entry.results));
  const enterType = types.add([I32], []);
  const values = (list: Signature["params"]): ValueType[] => list.map((type) => valueType(context, type));
  for (const { params, results } of signatures.list) guestTypes.push(types.add([I32, I32, ...values(params)], [...values(results), I32]));

  const instructions = module.functions.reduce((sum, fn) => sum + fn.body.length, 0);
  const code = new ByteWriter(0x1000 + instructions * 24);
  const hints = new Map<number, readonly BranchHint[]>();
  const functionCount = SUPPORT_COUNT + module.functions.length + signatures.list.length;
  const optimized = Array.from({ length: functionCount }, () => false);
  writeSection(code, SECTION.code, (section) => {
    section.u32(functionCount);
    writeSupport(section, context);
    for (let index = 0; index < module.functions.length; index++) {
      const { hints: list, hasLoops } = translateFunction(context, section, index);
      if (list.length > 0) hints.set(firstFunction + index, list);
      optimized[SUPPORT_COUNT + index] = hasLoops;
    }
    signatures.list.forEach((signature, index) => writeEntry(section, context, signature, context.typeOf(index)));
  });

  const w = new ByteWriter(code.length + 0x1000 + module.functions.length * 48);
  writeHeader(w);
  writeSection(w, SECTION.type, (section) => types.write(section));
  writeSection(w, SECTION.import, (section) => {
    section.u32(IMPORTS.length + 2);
    IMPORTS.forEach((entry, index) => {
      section.name(IMPORT_MODULE);
      section.name(entry.name);
      section.byte(EXTERNAL.function);
      section.u32(importTypes[index] ?? 0);
    });
    for (const [name, pages] of [
      ["ram", 1],
      ["state", context.state.pages],
    ] as const) {
      section.name(IMPORT_MODULE);
      section.name(name);
      section.byte(EXTERNAL.memory);
      section.byte(0);
      section.u32(pages);
    }
  });
  writeSection(w, SECTION.function, (section) => {
    section.u32(functionCount);
    for (const type of supports) section.u32(type);
    for (const signature of signatures.ofFunction) section.u32(context.typeOf(signature));
    for (let n = 0; n < signatures.list.length; n++) section.u32(enterType);
  });
  writeSection(w, SECTION.table, (section) => {
    section.u32(1);
    section.byte(FUNCREF);
    section.byte(1);
    section.u32(module.functions.length);
    section.u32(module.functions.length);
  });
  writeSection(w, SECTION.global, (section) => {
    section.u32(1);
    section.byte(I32);
    section.byte(1);
    section.i32Const(0);
    section.byte(OP.end);
  });
  writeSection(w, SECTION.export, (section) => {
    section.u32(signatures.list.length + 2);
    section.name(LIMIT_EXPORT);
    section.byte(EXTERNAL.global);
    section.u32(0);
    section.name(FUNCTIONS_EXPORT);
    section.byte(EXTERNAL.table);
    section.u32(0);
    signatures.list.forEach((_, index) => {
      section.name(enterName(index));
      section.byte(EXTERNAL.function);
      section.u32(firstFunction + module.functions.length + index);
    });
  });
  writeSection(w, SECTION.element, (section) => {
    section.u32(1);
    section.u32(0);
    section.i32Const(0);
    section.byte(OP.end);
    section.u32(module.functions.length);
    module.functions.forEach((_, index) => section.u32(firstFunction + index));
  });
  writeCompilationHints(w, optimized);
  if (hints.size > 0) writeBranchHints(w, hints);
  w.append(code.view());
  writeSection(w, SECTION.data, (section) => {
    section.u32(1);
    section.u32(2);
    section.u32(1);
    section.i32Const(context.state.functions);
    section.byte(OP.end);
    const entries = functionEntries(context);
    section.u32(entries.length);
    section.append(entries);
  });
  writeNames(w, module, signatures.list.length);
  return w.view().slice();
}
