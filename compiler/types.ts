// The types of the language after checking, their layout in guest memory, and how they read in messages. Types are interned
// where identity matters (struct, enum, regs are their declaration's object), so that equality is cheap and recursion is safe.

import type { DataLayout, ScalarType } from "../isa/bytecode/module.ts";
import type { ValueType } from "./images/manifest.ts";
import type { AccessWord } from "../grammar/ast.ts";
import type { Span } from "../grammar/source.ts";

export type Bits = 8 | 16 | 32 | 64;

export interface StructType {
  readonly kind: "struct";
  readonly name: string;
  /** The table whose rows these are. */
  readonly table?: string;
  readonly declared: Span;
  /** Filled when all declarations are known; a row type has its table's columns. */
  fields: readonly StructField[];
  size: number;
  align: number;
  /** The struct that it extends, whose value is its first field, `base`. */
  base?: StructType;
  /** What it says to implement, that of its base apart. */
  interfaces?: readonly InterfaceType[];
  /** Of a fake: the logs of its calls, in its last field. */
  calls?: StructType;
}

/** The field of a struct that holds what it extends. It comes first, so that a pointer to a struct is one to its base. */
export const BASE_FIELD = "base";

/** The field of a fake that holds the logs of its calls. */
export const CALLS_FIELD = "calls";

/** `*Iface`: where a value is, and where the methods of its struct are. The interface itself has no values. */
export interface InterfaceType {
  readonly kind: "interface";
  readonly name: string;
  readonly declared: Span;
  /** In the order of the method tables. Filled with the signatures. */
  methods: readonly InterfaceMethod[];
}

export interface InterfaceMethod {
  readonly name: string;
  /** `self` apart. */
  readonly params: readonly Type[];
  readonly result: Type;
  readonly declared: Span;
  /** Where the parameters are declared. */
  readonly places: readonly Span[];
}

export interface StructField {
  readonly name: string;
  readonly type: Type;
  readonly offset: number;
  readonly declared: Span;
}

export interface EnumType {
  readonly kind: "enum";
  readonly name: string;
  readonly declared: Span;
  base: IntType;
  members: ReadonlyMap<string, bigint>;
}

export interface RegisterField {
  readonly name: string;
  readonly high: number;
  readonly low: number;
  readonly access: AccessWord;
  readonly declared: Span;
}

export interface Register {
  readonly name: string;
  readonly type: IntType;
  /** Elements when declared with an array type, else null. */
  readonly count: number | null;
  readonly offset: number;
  readonly access: AccessWord;
  readonly reset: bigint | null;
  readonly fields: readonly RegisterField[];
  readonly declared: Span;
}

export interface RegsType {
  readonly kind: "regs";
  readonly name: string;
  readonly declared: Span;
  registers: ReadonlyMap<string, Register>;
}

export interface IntType {
  readonly kind: "int";
  readonly name: string;
  readonly signed: boolean;
  /** "address" for usize. */
  readonly bits: Bits | "address";
}

export interface FnType {
  readonly kind: "fn";
  readonly params: readonly Type[];
  readonly result: Type;
}

export type Type =
  | IntType
  | { readonly kind: "bool" }
  | { readonly kind: "str" }
  | { readonly kind: "void" }
  /** An integer literal or constant expression that has not met a context yet. */
  | { readonly kind: "comptime-int"; readonly duration: boolean }
  | { readonly kind: "array"; readonly length: number; readonly element: Type }
  | { readonly kind: "slice"; readonly element: Type }
  | { readonly kind: "pointer"; readonly target: Type }
  | StructType
  | InterfaceType
  | EnumType
  | RegsType
  | FnType
  /** The type of an expression that did not check: silences what follows. */
  | { readonly kind: "error" };

const int = (name: string, signed: boolean, bits: Bits | "address"): IntType => ({ kind: "int", name, signed, bits });

export const U8 = int("u8", false, 8);
export const U16 = int("u16", false, 16);
export const U32 = int("u32", false, 32);
export const U64 = int("u64", false, 64);
export const I8 = int("i8", true, 8);
const I16 = int("i16", true, 16);
export const I32 = int("i32", true, 32);
export const I64 = int("i64", true, 64);
export const USIZE = int("usize", false, "address");
export const BOOL: Type = { kind: "bool" };
export const STR: Type = { kind: "str" };
export const VOID: Type = { kind: "void" };
export const ERROR: Type = { kind: "error" };
export const COMPTIME_INT: Type = { kind: "comptime-int", duration: false };
export const DURATION: Type = { kind: "comptime-int", duration: true };

export const BUILTIN_TYPES: ReadonlyMap<string, Type> = new Map<string, Type>([
  ...[U8, U16, U32, U64, I8, I16, I32, I64, USIZE].map((type) => [type.name, type] as const),
  ["bool", BOOL],
  ["str", STR],
]);

export function sameType(a: Type, b: Type): boolean {
  if (a === b) return true;
  switch (a.kind) {
    case "int":
      return b.kind === "int" && a.name === b.name;
    case "bool":
    case "str":
    case "void":
    case "error":
      return a.kind === b.kind;
    case "comptime-int":
      return b.kind === "comptime-int";
    case "array":
      return b.kind === "array" && a.length === b.length && sameType(a.element, b.element);
    case "slice":
      return b.kind === "slice" && sameType(a.element, b.element);
    case "pointer":
      return b.kind === "pointer" && sameType(a.target, b.target);
    case "fn":
      return (
        b.kind === "fn" &&
        a.params.length === b.params.length &&
        a.params.every((param, i) => sameType(param, b.params[i] ?? ERROR)) &&
        sameType(a.result, b.result)
      );
    case "struct":
    case "interface":
    case "enum":
    case "regs":
      return false;
  }
}

export function showType(type: Type): string {
  switch (type.kind) {
    case "int":
    case "struct":
    case "enum":
    case "regs":
      return type.name;
    case "bool":
    case "str":
      return type.kind;
    case "void":
      return "nothing";
    case "error":
      return "?";
    case "comptime-int":
      return type.duration ? "duration" : "integer";
    case "array":
      return `[${type.length}]${showType(type.element)}`;
    case "slice":
      return `[]${showType(type.element)}`;
    case "pointer":
      return `*${showType(type.target)}`;
    case "interface":
      return `*${type.name}`;
    case "fn":
      return `fn(${type.params.map(showType).join(", ")})${type.result.kind === "void" ? "" : ` -> ${showType(type.result)}`}`;
  }
}

/** Bits of an integer type on this layout. */
export function bitsOf(type: IntType, layout: DataLayout): Bits {
  return type.bits === "address" ? (layout.addressBytes === 8 ? 64 : 32) : type.bits;
}

interface IntegerRange {
  readonly min: bigint;
  readonly max: bigint;
}

const SIGNED_RANGES = new Map<number, IntegerRange>();
const UNSIGNED_RANGES = new Map<number, IntegerRange>();

export function integerRange(type: IntType, layout: DataLayout): IntegerRange {
  const bits = bitsOf(type, layout);
  const ranges = type.signed ? SIGNED_RANGES : UNSIGNED_RANGES;
  let range = ranges.get(bits);
  if (range === undefined) {
    const width = BigInt(bits);
    range = type.signed ? { min: -(1n << (width - 1n)), max: (1n << (width - 1n)) - 1n } : { min: 0n, max: (1n << width) - 1n };
    ranges.set(bits, range);
  }
  return range;
}

/** The value of `value` cut to the type's width, in its signedness. */
export function wrapInteger(value: bigint, type: IntType, layout: DataLayout): bigint {
  const bits = bitsOf(type, layout);
  return type.signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
}

export interface SizeAlign {
  readonly size: number;
  readonly align: number;
}

/** Size and natural alignment in guest memory, in bytes. */
export function sizeOf(type: Type, layout: DataLayout): SizeAlign {
  const word = layout.addressBytes;
  switch (type.kind) {
    case "int": {
      const bytes = bitsOf(type, layout) / 8;
      return { size: bytes, align: bytes };
    }
    case "bool":
      return { size: 1, align: 1 };
    case "enum":
      return sizeOf(type.base, layout);
    case "pointer":
    case "fn":
      return { size: word, align: word };
    case "str":
    case "slice":
    case "regs":
    case "interface":
      return { size: 2 * word, align: word };
    case "array": {
      const element = sizeOf(type.element, layout);
      return { size: element.size * type.length, align: element.align };
    }
    case "struct":
      return { size: type.size, align: type.align };
    case "comptime-int":
      return { size: 8, align: 8 };
    case "void":
    case "error":
      return { size: 0, align: 1 };
  }
}

type FieldToPlace = Omit<StructField, "offset">;

/** Lays fields out in order at their natural alignment. */
export function layOutFields(
  fields: readonly FieldToPlace[],
  layout: DataLayout,
): { readonly fields: readonly StructField[]; readonly size: number; readonly align: number } {
  let offset = 0;
  let align = 1;
  const placed = fields.map((field) => {
    const shape = sizeOf(field.type, layout);
    offset = Math.ceil(offset / shape.align) * shape.align;
    align = Math.max(align, shape.align);
    const at = offset;
    offset += shape.size;
    return { ...field, offset: at };
  });
  return { fields: placed, size: Math.ceil(offset / align) * align, align };
}

/** A struct that the compiler makes; `declared` is what it is made for. */
export function makeStruct(name: string, declared: Span, fields: readonly FieldToPlace[], layout: DataLayout): StructType {
  return { kind: "struct", name, declared, ...layOutFields(fields, layout) };
}

/**
 * The registers that a value of the type takes: none for void, one for scalars, two for slices (address, length), interfaces
 * (address, method table) and register blocks (base, space: 0 memory, 1 ports). Arrays and structs live in memory and travel as one address.
 */
export function registersOf(type: Type): readonly ScalarType[] {
  switch (type.kind) {
    case "int":
    case "bool":
    case "enum":
    case "pointer":
    case "fn":
    case "comptime-int":
      return [scalarOf(type)];
    case "str":
    case "slice":
    case "interface":
      return ["addr", "addr"];
    case "regs":
      return ["addr", "i32"];
    case "array":
    case "struct":
      return ["addr"];
    case "void":
    case "error":
      return [];
  }
}

/** The register type of a one-register value. */
export function scalarOf(type: Type): ScalarType {
  switch (type.kind) {
    case "int":
      return type.bits === "address" ? "addr" : (`i${type.bits}` as const);
    case "bool":
      return "i8";
    case "enum":
      return scalarOf(type.base);
    case "comptime-int":
      return "i64";
    case "pointer":
    case "fn":
    case "array":
    case "struct":
    case "str":
    case "slice":
    case "interface":
    case "regs":
    case "void":
    case "error":
      return "addr";
  }
}

/** What an index or a loop reaches in values of the type; null: they have no elements. */
export function elementOf(type: Type): Type | null {
  if (type.kind === "array" || type.kind === "slice") return type.element;
  return type.kind === "str" ? U8 : null;
}

export function isAggregate(type: Type): boolean {
  return type.kind === "array" || type.kind === "struct";
}

/** How the host is to print a value of the type. */
export function valueTypeOf(type: Type, layout: DataLayout): ValueType {
  switch (type.kind) {
    case "int":
      return { kind: "int", signed: type.signed, bits: bitsOf(type, layout) };
    case "comptime-int":
      return type.duration ? { kind: "duration" } : { kind: "int", signed: true, bits: 64 };
    case "bool":
    case "str":
      return { kind: type.kind };
    case "enum":
      return {
        kind: "enum",
        name: type.name,
        bits: bitsOf(type.base, layout),
        members: [...type.members].map(([name, value]) => [name, String(value)] as const),
      };
    case "pointer":
    case "interface":
    case "fn":
    case "regs":
      return { kind: "pointer", bits: layout.addressBytes === 8 ? 64 : 32 };
    case "array":
    case "slice": {
      // An array is where it stands, a slice somewhere else: in a struct they are of different sizes.
      if (type.kind === "slice" && sameType(type.element, U8)) return { kind: "bytes" };
      return {
        kind: "array",
        element: valueTypeOf(type.element, layout),
        length: type.kind === "array" ? type.length : null,
        stride: sizeOf(type.element, layout).size,
      };
    }
    case "struct":
      return {
        kind: "struct",
        name: type.name,
        size: type.size,
        fields: type.fields.map((field) => ({ name: field.name, offset: field.offset, type: valueTypeOf(field.type, layout) })),
      };
    case "void":
    case "error":
      return { kind: "bytes" };
  }
}
