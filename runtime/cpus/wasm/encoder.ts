// WebAssembly's binary format, as far as the translators of guest code need it: a growing byte buffer, LEB128, opcodes and sections
// (WebAssembly Core Specification 2.0, chapter 5 "Binary Format"; memory index in memargs by the multi-memory proposal;
// branch hints by the "metadata.code.branch_hint" custom section). Written by hand over a preallocated Uint8Array with integer
// opcodes, because a cold generator that builds strings and arrays costs more than V8's own baseline compiler.

/** Value types and the void block type. */
export const I32 = 0x7f;
export const I64 = 0x7e;
export const F32 = 0x7d;
export const F64 = 0x7c;
export const V128 = 0x7b;
export const VOID = 0x40;
/** Elements of tables. */
export const FUNCREF = 0x70;
export type ValueType = typeof I32 | typeof I64 | typeof F32 | typeof F64 | typeof V128;

export const OP = {
  unreachable: 0x00,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  end: 0x0b,
  br: 0x0c,
  br_if: 0x0d,
  br_table: 0x0e,
  return: 0x0f,
  call: 0x10,
  call_indirect: 0x11,
  return_call_indirect: 0x13,
  drop: 0x1a,
  select: 0x1b,
  local_get: 0x20,
  local_set: 0x21,
  local_tee: 0x22,
  global_get: 0x23,
  global_set: 0x24,
  i32_load: 0x28,
  i64_load: 0x29,
  i32_load8_u: 0x2d,
  i32_load16_u: 0x2f,
  i64_load8_s: 0x30,
  i64_load8_u: 0x31,
  i64_load16_s: 0x32,
  i64_load16_u: 0x33,
  i64_load32_s: 0x34,
  i64_load32_u: 0x35,
  i32_store: 0x36,
  i64_store: 0x37,
  f64_store: 0x39,
  i32_store8: 0x3a,
  i32_store16: 0x3b,
  i64_store8: 0x3c,
  i64_store16: 0x3d,
  i64_store32: 0x3e,
  i32_const: 0x41,
  i64_const: 0x42,
  i32_eqz: 0x45,
  i32_eq: 0x46,
  i32_ne: 0x47,
  i32_lt_s: 0x48,
  i32_lt_u: 0x49,
  i32_gt_s: 0x4a,
  i32_gt_u: 0x4b,
  i32_le_s: 0x4c,
  i32_le_u: 0x4d,
  i32_ge_s: 0x4e,
  i32_ge_u: 0x4f,
  i64_eqz: 0x50,
  i64_eq: 0x51,
  i64_ne: 0x52,
  i64_lt_s: 0x53,
  i64_lt_u: 0x54,
  i64_gt_s: 0x55,
  i64_gt_u: 0x56,
  i64_le_s: 0x57,
  i64_le_u: 0x58,
  i64_ge_s: 0x59,
  i64_ge_u: 0x5a,
  f32_eq: 0x5b,
  f32_ne: 0x5c,
  f32_lt: 0x5d,
  f32_gt: 0x5e,
  f32_le: 0x5f,
  f32_ge: 0x60,
  f64_eq: 0x61,
  f64_ne: 0x62,
  f64_lt: 0x63,
  f64_gt: 0x64,
  f64_le: 0x65,
  f64_ge: 0x66,
  i32_clz: 0x67,
  i32_ctz: 0x68,
  i32_popcnt: 0x69,
  i32_add: 0x6a,
  i32_sub: 0x6b,
  i32_mul: 0x6c,
  i32_div_s: 0x6d,
  i32_div_u: 0x6e,
  i32_rem_s: 0x6f,
  i32_rem_u: 0x70,
  i32_and: 0x71,
  i32_or: 0x72,
  i32_xor: 0x73,
  i32_shl: 0x74,
  i32_shr_s: 0x75,
  i32_shr_u: 0x76,
  i32_rotl: 0x77,
  i32_rotr: 0x78,
  i64_clz: 0x79,
  i64_ctz: 0x7a,
  i64_popcnt: 0x7b,
  i64_add: 0x7c,
  i64_sub: 0x7d,
  i64_mul: 0x7e,
  i64_div_s: 0x7f,
  i64_div_u: 0x80,
  i64_rem_s: 0x81,
  i64_rem_u: 0x82,
  i64_and: 0x83,
  i64_or: 0x84,
  i64_xor: 0x85,
  i64_shl: 0x86,
  i64_shr_s: 0x87,
  i64_shr_u: 0x88,
  i64_rotl: 0x89,
  i64_rotr: 0x8a,
  f32_abs: 0x8b,
  f32_neg: 0x8c,
  f32_sqrt: 0x91,
  f32_add: 0x92,
  f32_sub: 0x93,
  f32_mul: 0x94,
  f32_div: 0x95,
  f64_abs: 0x99,
  f64_neg: 0x9a,
  f64_trunc: 0x9d,
  f64_nearest: 0x9e,
  f64_sqrt: 0x9f,
  f64_add: 0xa0,
  f64_sub: 0xa1,
  f64_mul: 0xa2,
  f64_div: 0xa3,
  i32_wrap_i64: 0xa7,
  i32_trunc_f64_s: 0xaa,
  i32_trunc_f64_u: 0xab,
  i64_extend_i32_s: 0xac,
  i64_extend_i32_u: 0xad,
  i64_trunc_f64_s: 0xb0,
  i64_trunc_f64_u: 0xb1,
  f32_convert_i32_s: 0xb2,
  f32_convert_i32_u: 0xb3,
  f32_convert_i64_s: 0xb4,
  f32_convert_i64_u: 0xb5,
  f32_demote_f64: 0xb6,
  f64_convert_i32_s: 0xb7,
  f64_convert_i32_u: 0xb8,
  f64_convert_i64_s: 0xb9,
  f64_convert_i64_u: 0xba,
  f64_promote_f32: 0xbb,
  i32_reinterpret_f32: 0xbc,
  i64_reinterpret_f64: 0xbd,
  f32_reinterpret_i32: 0xbe,
  f64_reinterpret_i64: 0xbf,
  i32_extend8_s: 0xc0,
  i32_extend16_s: 0xc1,
  i64_extend8_s: 0xc2,
  i64_extend16_s: 0xc3,
  i64_extend32_s: 0xc4,
  /** Prefix of the bulk memory operations. */
  bulk: 0xfc,
  /** Prefix of the operations on vectors. */
  vector: 0xfd,
} as const;

/** Operations on vectors, behind their prefix. */
export const VECTOR = {
  v128_load: 0x00,
  v128_load8x8_u: 0x02,
  v128_load16x4_u: 0x04,
  v128_load32x2_u: 0x06,
  v128_load8_splat: 0x07,
  v128_load16_splat: 0x08,
  v128_load32_splat: 0x09,
  v128_load64_splat: 0x0a,
  v128_store: 0x0b,
  v128_const: 0x0c,
  i8x16_shuffle: 0x0d,
  i8x16_splat: 0x0f,
  i16x8_splat: 0x10,
  i32x4_splat: 0x11,
  i64x2_splat: 0x12,
  i8x16_extract_lane_s: 0x15,
  i8x16_extract_lane_u: 0x16,
  i16x8_extract_lane_u: 0x19,
  i32x4_extract_lane: 0x1b,
  i64x2_extract_lane: 0x1d,
  f64x2_replace_lane: 0x22,
  i8x16_eq: 0x23,
  i8x16_ne: 0x24,
  i8x16_lt_s: 0x25,
  i8x16_lt_u: 0x26,
  i8x16_le_s: 0x29,
  i8x16_le_u: 0x2a,
  i16x8_eq: 0x2d,
  i16x8_ne: 0x2e,
  i16x8_lt_s: 0x2f,
  i16x8_lt_u: 0x30,
  i16x8_le_s: 0x33,
  i16x8_le_u: 0x34,
  i32x4_eq: 0x37,
  i32x4_ne: 0x38,
  i32x4_lt_s: 0x39,
  i32x4_lt_u: 0x3a,
  i32x4_le_s: 0x3d,
  i32x4_le_u: 0x3e,
  v128_not: 0x4d,
  v128_and: 0x4e,
  v128_or: 0x50,
  v128_xor: 0x51,
  v128_bitselect: 0x52,
  v128_load8_lane: 0x54,
  v128_load16_lane: 0x55,
  v128_load32_lane: 0x56,
  v128_load64_lane: 0x57,
  v128_store16_lane: 0x59,
  v128_store32_lane: 0x5a,
  v128_store64_lane: 0x5b,
  v128_load32_zero: 0x5c,
  v128_load64_zero: 0x5d,
  i8x16_neg: 0x61,
  i8x16_shl: 0x6b,
  i8x16_shr_s: 0x6c,
  i8x16_shr_u: 0x6d,
  i8x16_add: 0x6e,
  i8x16_sub: 0x71,
  i16x8_neg: 0x81,
  i16x8_extend_low_i8x16_u: 0x89,
  i16x8_shl: 0x8b,
  i16x8_shr_s: 0x8c,
  i16x8_shr_u: 0x8d,
  i16x8_add: 0x8e,
  i16x8_sub: 0x91,
  i16x8_mul: 0x95,
  i32x4_neg: 0xa1,
  i32x4_extend_low_i16x8_u: 0xa9,
  i32x4_shl: 0xab,
  i32x4_shr_s: 0xac,
  i32x4_shr_u: 0xad,
  i32x4_add: 0xae,
  i32x4_sub: 0xb1,
  i32x4_mul: 0xb5,
  i64x2_neg: 0xc1,
  i64x2_extend_low_i32x4_u: 0xc9,
  i64x2_shl: 0xcb,
  i64x2_shr_s: 0xcc,
  i64x2_shr_u: 0xcd,
  i64x2_add: 0xce,
  i64x2_sub: 0xd1,
  i64x2_mul: 0xd5,
  i64x2_eq: 0xd6,
  i64x2_ne: 0xd7,
  i64x2_lt_s: 0xd8,
  i64x2_le_s: 0xda,
} as const;

/** What follows an operation on vectors: an address with or without a lane, a lane alone, or sixteen bytes. */
export function vectorImmediates(op: number): { readonly isAccess: boolean; readonly bytes: number } {
  if (op <= VECTOR.v128_store || op === VECTOR.v128_load32_zero || op === VECTOR.v128_load64_zero) return { isAccess: true, bytes: 0 };
  if (op >= VECTOR.v128_load8_lane && op <= VECTOR.v128_store64_lane) return { isAccess: true, bytes: 1 };
  if (op === VECTOR.v128_const || op === VECTOR.i8x16_shuffle) return { isAccess: false, bytes: 16 };
  return { isAccess: false, bytes: op >= VECTOR.i8x16_extract_lane_s && op <= VECTOR.f64x2_replace_lane ? 1 : 0 };
}

export const BULK_MEMORY_COPY = 10;
export const BULK_MEMORY_FILL = 11;

export const SECTION = {
  custom: 0,
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  global: 6,
  export: 7,
  element: 9,
  code: 10,
  data: 11,
} as const;

export const EXTERNAL = { function: 0, table: 1, memory: 2, global: 3 } as const;

const utf8 = new TextEncoder();

/** Bytes of a size field that is patched after its contents are known: LEB128 padded to its maximum. */
const PADDED_U32 = 5;

/** No single write below needs more room than this, `append` and `name` aside. */
const SLACK = 32;

/**
 * Every method is flat on purpose: a module is mostly written by code that V8 has not optimised yet, where each call inside a call costs
 * more than the bytes that it writes.
 */
export class ByteWriter {
  bytes: Uint8Array<ArrayBuffer>;
  length = 0;
  private limit: number;

  constructor(capacity: number) {
    this.bytes = new Uint8Array(capacity + SLACK);
    this.limit = capacity;
  }

  /** Makes room for `count` bytes more, and some. */
  private grow(count: number): void {
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.length + count + SLACK));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
    this.limit = grown.length - SLACK;
  }

  byte(value: number): void {
    if (this.length > this.limit) this.grow(1);
    this.bytes[this.length++] = value;
  }

  u32(value: number): void {
    if (this.length > this.limit) this.grow(5);
    let rest = value >>> 0;
    while (rest >= 0x80) {
      this.bytes[this.length++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.bytes[this.length++] = rest;
  }

  name(text: string): void {
    const bytes = utf8.encode(text);
    this.u32(bytes.length);
    this.append(bytes);
  }

  append(bytes: Uint8Array): void {
    if (this.length + bytes.length > this.limit) this.grow(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** Leaves room for a size; `closeSize` with its result fills it in. */
  openSize(): number {
    if (this.length > this.limit) this.grow(PADDED_U32);
    this.length += PADDED_U32;
    return this.length;
  }

  closeSize(start: number): void {
    let size = this.length - start;
    for (let at = start - PADDED_U32; at < start; at++) {
      this.bytes[at] = at < start - 1 ? (size & 0x7f) | 0x80 : size;
      size >>>= 7;
    }
  }

  view(): Uint8Array<ArrayBuffer> {
    return this.bytes.subarray(0, this.length);
  }

  /** An opcode with one index: locals, globals, calls, branches. */
  op(opcode: number, index: number): void {
    if (this.length > this.limit) this.grow(6);
    const { bytes } = this;
    let at = this.length;
    bytes[at++] = opcode;
    let rest = index;
    while (rest >= 0x80) {
      bytes[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    bytes[at++] = rest;
    this.length = at;
  }

  localGet(index: number): void {
    this.op(OP.local_get, index);
  }

  localSet(index: number): void {
    this.op(OP.local_set, index);
  }

  localTee(index: number): void {
    this.op(OP.local_tee, index);
  }

  call(index: number): void {
    this.op(OP.call, index);
  }

  i32Const(value: number): void {
    if (this.length > this.limit) this.grow(6);
    const { bytes } = this;
    let at = this.length;
    bytes[at++] = OP.i32_const;
    let rest = value | 0;
    while (rest < -64 || rest > 63) {
      bytes[at++] = (rest & 0x7f) | 0x80;
      rest >>= 7;
    }
    bytes[at++] = rest & 0x7f;
    this.length = at;
  }

  /** Numbers have to be safe integers; bigints may be any 64 bits. */
  i64Const(value: bigint | number): void {
    if (this.length > this.limit) this.grow(11);
    const { bytes } = this;
    bytes[this.length++] = OP.i64_const;
    let rest = typeof value === "bigint" ? Number(BigInt.asIntN(64, value)) : value;
    if (!Number.isSafeInteger(rest)) {
      this.wide(BigInt.asIntN(64, BigInt(value)));
      return;
    }
    while (rest < -64 || rest > 63) {
      const low = rest % 0x80;
      // The low seven bits of a two's complement number.
      bytes[this.length++] = (low < 0 ? low + 0x80 : low) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    bytes[this.length++] = rest & 0x7f;
  }

  private wide(value: bigint): void {
    let rest = value;
    while (rest < -64n || rest > 63n) {
      this.bytes[this.length++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.bytes[this.length++] = Number(rest & 0x7fn);
  }

  /** `local.get local; opcode`. */
  withLocal(local: number, opcode: number): void {
    this.op(OP.local_get, local);
    this.bytes[this.length++] = opcode;
  }

  /** `local.get a; local.get b; opcode`. */
  withLocals(a: number, b: number, opcode: number): void {
    this.op(OP.local_get, a);
    this.op(OP.local_get, b);
    this.bytes[this.length++] = opcode;
  }

  /** `i32.const value; opcode`. */
  withConst(value: number, opcode: number): void {
    this.i32Const(value);
    this.bytes[this.length++] = opcode;
  }

  /** A load or store. The alignment is only a hint and always given as 1, which promises nothing. */
  memory(opcode: number, memory: number, offset: number): void {
    if (this.length > this.limit) this.grow(16);
    const { bytes } = this;
    let at = this.length;
    bytes[at++] = opcode;
    if (memory === 0) {
      bytes[at++] = 0;
    } else {
      // Bit 6 of the alignment field: a memory index follows.
      bytes[at++] = 0x40;
      bytes[at++] = memory;
    }
    let rest = offset;
    while (rest >= 0x80) {
      bytes[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    bytes[at++] = rest;
    this.length = at;
  }

  /** An operation on vectors; lanes, or sixteen bytes, follow as bytes. */
  vector(op: number): void {
    this.byte(OP.vector);
    this.u32(op);
  }

  /** One that accesses memory 0. */
  vectorMemory(op: number, offset: number): void {
    this.vector(op);
    this.byte(0);
    this.u32(offset);
  }
}

/** A branch hint: the offset of an `if` or `br_if` from the start of its function's body, and whether it is likely taken. */
export interface BranchHint {
  readonly offset: number;
  readonly likely: boolean;
}

/** Writes one section; the size is filled in behind the contents. */
export function writeSection(into: ByteWriter, id: number, contents: (section: ByteWriter) => void): void {
  into.byte(id);
  const start = into.openSize();
  contents(into);
  into.closeSize(start);
}

export function writeHeader(into: ByteWriter): void {
  into.append(Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00));
}

/** The branch-hint section; it has to stand before the code section. */
export function writeBranchHints(into: ByteWriter, hints: ReadonlyMap<number, readonly BranchHint[]>): void {
  writeSection(into, SECTION.custom, (section) => {
    section.name("metadata.code.branch_hint");
    section.u32(hints.size);
    for (const [functionIndex, list] of hints) {
      section.u32(functionIndex);
      section.u32(list.length);
      for (const hint of list) {
        section.u32(hint.offset);
        section.u32(1);
        section.byte(hint.likely ? 1 : 0);
      }
    }
  });
}

/**
 * Which of the module's own functions V8 compiles with its optimizing compiler before their first call instead of when they have run for a
 * while: it cannot replace code that is running, so that a long loop would stay in the baseline compiler's code to its end. Custom section
 * "compilationHints" (V8 up to 13.6), between the function and the code section; others ignore it. A byte a function: bits 1:0 when to
 * compile, 3:2 the first compiler, 5:4 the last; 0 is V8's own choice, 2 the optimizing compiler.
 */
export function writeCompilationHints(into: ByteWriter, optimized: readonly boolean[]): void {
  writeSection(into, SECTION.custom, (section) => {
    section.name("compilationHints");
    section.u32(optimized.length);
    for (const isOptimized of optimized) section.byte(isOptimized ? (2 << 2) | (2 << 4) : 0);
  });
}

/**
 * The local declarations at the start of a body, as runs of one type. Behind them stand runs of the types in `later`, so far empty: the results are
 * where their lengths are, one byte each, for a body that finds out what it uses while it is written.
 */
export function writeLocals(w: ByteWriter, types: readonly ValueType[], later: readonly ValueType[] = []): number[] {
  const runs: { type: ValueType; count: number }[] = [];
  for (const type of types) {
    const last = runs.at(-1);
    if (last !== undefined && last.type === type) last.count += 1;
    else runs.push({ type, count: 1 });
  }
  w.u32(runs.length + later.length);
  for (const run of runs) {
    w.u32(run.count);
    w.byte(run.type);
  }
  return later.map((type) => {
    w.byte(0);
    w.byte(type);
    return w.length - 2;
  });
}
