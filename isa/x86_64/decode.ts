// Decoder: bytes to a form of the table and its operands, as the encoder takes them. It is strict: a prefix or a REX bit without
// a meaning makes bytes unknown, and so does a SIB byte where none is needed, so that what is decoded encodes, by the same form, to
// the same bytes, but for prefixes in another order than the encoder's. The disassembler and the tests read it.

import { segmentMatters, SHORT_ADDRESSES, usualSegment } from "./encode.ts";
import type { Prefixes } from "./encode.ts";
import { listInstructions } from "./instructions.ts";
import type { Instruction } from "./instructions.ts";
import type { MemoryOperand, Mode, Operand, OperandClass, OperandPattern } from "./operands.ts";

export interface DecodedInstruction {
  readonly instruction: Instruction;
  readonly operands: readonly Operand[];
  readonly prefixes: Prefixes;
  /** Bytes. */
  readonly length: number;
}

/** Prefixes and opcode as they were read, before a form is known. */
interface Reader {
  readonly bytes: Uint8Array;
  readonly mode: Mode;
  readonly start: number;
  /** Behind the opcode. */
  readonly at: number;
  readonly segment: number | undefined;
  readonly hasOperandSize: boolean;
  readonly hasAddressSize: boolean;
  readonly hasLock: boolean;
  /** F2 or F3, or of VEX also 66; 0: none. */
  readonly prefix: 0 | 0x66 | 0xf2 | 0xf3;
  /** 40H to 4FH, in VEX its bits in that form; undefined: there is none. */
  readonly rex: number | undefined;
  readonly vex: { readonly register: number } | undefined;
  readonly map: 0 | 1 | 2 | 3;
  readonly opcode: number;
}

const SEGMENT_PREFIXES: ReadonlyMap<number, number> = new Map([
  [0x26, 0],
  [0x2e, 1],
  [0x36, 2],
  [0x3e, 3],
  [0x64, 4],
  [0x65, 5],
]);

const REGISTER_WIDTHS: Readonly<Partial<Record<OperandClass, 8 | 16 | 32 | 64>>> = { reg8: 8, reg16: 16, reg32: 32, reg64: 64 };

/** Intel SDM volume 2, 2.3.11. */
const MAX_LENGTH = 15;

/** Forms by mode, whether VEX, map and opcode; made at the first use. */
const formsByOpcode = new Map<number, readonly Instruction[]>();

const opcodeKey = (isVex: boolean, map: number, opcode: number): number => ((isVex ? 4 : 0) | map) * 256 + opcode;

function formsOf({ vex, map, opcode }: Reader): readonly Instruction[] {
  if (formsByOpcode.size === 0) {
    const lists = new Map<number, Instruction[]>();
    for (const form of listInstructions()) {
      if (form.isAlias) continue;
      const last = form.hasOpcodeRegister && form.suffix === undefined ? form.opcode + 7 : form.opcode;
      for (let code = form.opcode; code <= last; code++) {
        const key = opcodeKey(form.vex, form.map, code);
        const list = lists.get(key);
        if (list === undefined) lists.set(key, [form]);
        else list.push(form);
      }
    }
    // A whole ModRM byte is more than some of its bits.
    for (const [key, list] of lists) formsByOpcode.set(key, [...list.filter(hasSuffix), ...list.filter((form) => !hasSuffix(form))]);
  }
  return formsByOpcode.get(opcodeKey(vex !== undefined, map, opcode)) ?? [];
}

const hasSuffix = ({ suffix }: Instruction): boolean => suffix !== undefined;

/** The instruction at `offset`, or undefined when the table has none that is these bytes. */
export function decode(bytes: Uint8Array, offset = 0, mode: Mode = 64): DecodedInstruction | undefined {
  const reader = readOpcode(bytes, offset, mode);
  if (reader === undefined) return undefined;
  for (const form of formsOf(reader)) {
    const decoded = form.modes.includes(mode) && prefixesFit(form, reader) ? readForm(form, reader) : undefined;
    if (decoded !== undefined) return decoded;
  }
  return undefined;
}

function readOpcode(bytes: Uint8Array, start: number, mode: Mode): Reader | undefined {
  let at = start;
  let segment: number | undefined;
  let hasOperandSize = false;
  let hasAddressSize = false;
  let hasLock = false;
  let prefix: Reader["prefix"] = 0;
  for (; ; at++) {
    const byte = bytes[at] ?? 0;
    const override = SEGMENT_PREFIXES.get(byte);
    if (override !== undefined && segment === undefined) segment = override;
    else if (byte === 0x66 && !hasOperandSize) hasOperandSize = true;
    else if (byte === 0x67 && !hasAddressSize) hasAddressSize = true;
    else if (byte === 0xf0 && !hasLock) hasLock = true;
    else if ((byte === 0xf2 || byte === 0xf3) && prefix === 0) prefix = byte;
    else break;
  }
  const common = { bytes, mode, start, segment, hasOperandSize, hasAddressSize, hasLock };
  const first = bytes[at] ?? 0;

  // In the other modes C4 is les, whose ModRM byte never has its two highest bits set (volume 2, 2.3.5).
  if (first === 0xc4 && (mode === 64 || (bytes[at + 1] ?? 0) >= 0xc0)) {
    const [second = 0, third = 0, opcode] = bytes.subarray(at + 1, at + 4);
    const map = second & 0x1f;
    const isLong = (third & 4) !== 0;
    if (opcode === undefined || (map !== 2 && map !== 3) || isLong || hasOperandSize || hasLock || prefix !== 0) return undefined;
    return {
      ...common,
      at: at + 4,
      prefix: ([0, 0x66, 0xf3, 0xf2] as const)[third & 3] ?? 0,
      rex: 0x40 | ((third >> 4) & 8) | (~(second >> 5) & 7),
      vex: { register: ~(third >> 3) & 15 },
      map,
      opcode,
    };
  }

  const rex = mode === 64 && (first & 0xf0) === 0x40 ? first : undefined;
  if (rex !== undefined) at++;
  let map: 0 | 1 | 2 | 3 = 0;
  let opcode = bytes[at++];
  if (opcode === 0x0f) {
    map = 1;
    opcode = bytes[at++];
    if (opcode === 0x38 || opcode === 0x3a) {
      map = opcode === 0x38 ? 2 : 3;
      opcode = bytes[at++];
    }
  }
  return opcode === undefined ? undefined : { ...common, at, prefix, rex, vex: undefined, map, opcode };
}

function prefixesFit(form: Instruction, { mode, hasOperandSize, hasAddressSize, prefix, rex = 0, vex }: Reader): boolean {
  const operandSize = (mode === 16) === hasOperandSize ? 32 : 16;
  if (((rex & 8) !== 0) !== form.rexW) return false;
  if (vex !== undefined) return form.prefix === prefix;
  if (form.operandSize !== undefined ? form.operandSize !== operandSize : hasOperandSize !== (form.prefix === 0x66)) return false;
  if (form.prefix === 0xf2 || form.prefix === 0xf3) {
    if (prefix !== form.prefix) return false;
  } else if (prefix !== 0 && !form.allows.has("repe") && !(prefix === 0xf3 && form.allows.has("rep"))) return false;
  if (form.addressSize !== undefined) return form.addressSize === addressWidthOf(mode, hasAddressSize);
  return true;
}

function addressWidthOf(mode: Mode, hasAddressSize: boolean): 16 | 32 | 64 {
  if (!hasAddressSize) return mode;
  return mode === 32 ? 16 : 32;
}

function readForm(form: Instruction, reader: Reader): DecodedInstruction | undefined {
  const { bytes, mode, start, hasAddressSize, hasLock, prefix, rex = 0, vex } = reader;
  const addressWidth = addressWidthOf(mode, hasAddressSize);
  let at = reader.at;
  // Bits R, X, B of REX that mean something here.
  let meant = 0;
  let needsRex = false;

  const modrm = form.modrm === "none" ? form.suffix : bytes[at];
  let memory: MemoryOperand | undefined;
  if (form.suffix !== undefined) {
    const last = bytes[at++];
    if (last === undefined || (form.hasOpcodeRegister ? last & 0xf8 : last) !== form.suffix) return undefined;
  } else if (form.modrm !== "none") {
    if (modrm === undefined) return undefined;
    if (typeof form.modrm === "number" && ((modrm >> 3) & 7) !== form.modrm) return undefined;
    if (modrm < 0xc0) {
      const read = readMemory(reader, at, addressWidth);
      if (read === undefined) return undefined;
      memory = read.memory;
      at = read.end;
      meant |= (memory.index === undefined ? 0 : 2) | (memory.base === undefined ? 0 : 1);
      // The encoder leaves out the segment that is used anyway.
      if (memory.segment === usualSegment(memory, mode)) return undefined;
    } else at++;
  }
  const isBare = form.operands.some(({ slot }) => slot === "address");

  const readRegister = (pattern: OperandPattern, number: number): Operand | undefined => {
    const [kind = "none"] = pattern.classes;
    if (number === pattern.without) return undefined;
    if (kind === "reg8") {
      if (number > 3 && number < 8 && reader.rex === undefined) return { kind: "reg", width: 8, number, high: true };
      needsRex ||= number > 3;
    }
    const width = REGISTER_WIDTHS[kind];
    if (width !== undefined) return { kind: "reg", width, number };
    if (kind === "sreg") return number < 6 ? { kind, number } : undefined;
    if (kind === "dr" || kind === "st") return number < 8 ? { kind, number } : undefined;
    return kind === "cr" || kind === "xmm" ? { kind, number } : undefined;
  };

  const readOperand = (pattern: OperandPattern): Operand | undefined => {
    switch (pattern.slot) {
      case "implied": {
        const [kind] = pattern.classes;
        return kind === "imm" ? pattern.fixed : readRegister(pattern, pattern.fixed ?? 0);
      }
      case "reg":
        meant |= 4;
        return readRegister(pattern, (((modrm ?? 0) >> 3) & 7) | ((rex & 4) << 1));
      case "rm": {
        if (memory !== undefined) {
          const { memoryWidth, classes } = pattern;
          if (!classes.some((name) => name.startsWith("mem") || name.startsWith("far"))) return undefined;
          const isFar = classes[0]?.startsWith("far") === true;
          return { ...memory, ...(memoryWidth !== undefined && { width: memoryWidth }), ...(isFar && { far: true }) };
        }
        if (/^(mem|far)/.test(pattern.classes[0] ?? "")) return undefined;
        meant |= 1;
        return readRegister(pattern, ((modrm ?? 0) & 7) | ((rex & 1) << 3));
      }
      case "reg+rm":
        return undefined;
      case "opcode":
        if (form.suffix !== undefined) return readRegister(pattern, (bytes[reader.at] ?? 0) & 7);
        meant |= 1;
        return readRegister(pattern, (reader.opcode & 7) | ((rex & 1) << 3));
      case "vvvv":
        return readRegister(pattern, vex?.register ?? 0);
      case "immediate":
        return readImmediate(pattern);
      case "relative": {
        const value = readNumber(pattern.field ?? 8, "signed");
        return value === undefined ? undefined : { kind: "target", distance: at - start + Number(value) };
      }
      case "address": {
        const disp = readNumber(addressWidth, "unsigned");
        if (disp === undefined || pattern.memoryWidth === undefined) return undefined;
        return { kind: "mem", width: pattern.memoryWidth, disp, ...placeOf(reader, addressWidth) };
      }
      case "pointer": {
        const width = pattern.field === 16 ? 16 : 32;
        const offset = readNumber(width, "unsigned");
        const selector = readNumber(16, "unsigned");
        return offset === undefined || selector === undefined ? undefined : { kind: "far", selector: Number(selector), offset: Number(offset), width };
      }
    }
  };

  const readNumber = (width: 8 | 16 | 32 | 64, sign: "signed" | "unsigned"): number | bigint | undefined => {
    const value = readLittle(bytes, at, width, sign);
    at += width / 8;
    return value;
  };
  const readImmediate = ({ field = 8, extended }: OperandPattern): number | bigint | undefined => readNumber(field, field === extended ? "unsigned" : "signed");

  const operands: Operand[] = [];
  for (const pattern of form.operands) {
    const operand = readOperand(pattern);
    if (operand === undefined) return undefined;
    operands.push(operand);
  }

  if ((rex & 7 & ~meant) !== 0 || (vex !== undefined && !form.operands.some(({ slot }) => slot === "vvvv") && vex.register !== 0)) return undefined;
  if (reader.rex === 0x40 && !needsRex && vex === undefined) return undefined;
  if (mode !== 64 && ((rex & 15) !== 0 || (vex?.register ?? 0) > 7)) return undefined;
  if (at - start > MAX_LENGTH || at > bytes.length) return undefined;

  const hasMemory = memory !== undefined || isBare;
  if (reader.segment !== undefined && !hasMemory && !(form.allows.has("segment") && segmentMatters(reader.segment, mode))) return undefined;
  if (hasAddressSize && !hasMemory && form.addressSize === undefined && !form.allows.has("address")) return undefined;
  if (hasLock && !(form.allows.has("lock") && memory !== undefined && form.operands[0]?.slot === "rm")) return undefined;
  const repeats = vex === undefined && prefix !== 0 && form.prefix === 0;
  const prefixes: Prefixes = {
    ...(hasLock && { lock: true }),
    ...(repeats && { repeat: prefix === 0xf3 ? ("rep" as const) : ("repne" as const) }),
    ...(reader.segment !== undefined && !hasMemory && { segment: reader.segment }),
    ...(hasAddressSize && !hasMemory && form.addressSize === undefined && { addressWidth }),
  };
  return { instruction: form, operands, prefixes, length: at - start };
}

/** What address size and segment prefixes say of a memory operand. */
function placeOf({ hasAddressSize, segment }: Reader, addressWidth: 16 | 32 | 64): Pick<MemoryOperand, "addressWidth" | "segment"> {
  return { ...(hasAddressSize && { addressWidth }), ...(segment !== undefined && { segment }) };
}

function readLittle(bytes: Uint8Array, at: number, width: 8 | 16 | 32 | 64, sign: "signed" | "unsigned"): number | bigint | undefined {
  if (at + width / 8 > bytes.length) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (width) {
    case 8:
      return sign === "signed" ? view.getInt8(at) : view.getUint8(at);
    case 16:
      return sign === "signed" ? view.getInt16(at, true) : view.getUint16(at, true);
    case 32:
      return sign === "signed" ? view.getInt32(at, true) : view.getUint32(at, true);
    case 64:
      return sign === "signed" ? view.getBigInt64(at, true) : view.getBigUint64(at, true);
  }
}

const SCALES = [1, 2, 4, 8] as const;

/** ModRM, SIB and displacement (volume 2, 2.1.5 and 2.2.1). */
function readMemory(reader: Reader, start: number, addressWidth: 16 | 32 | 64): { readonly memory: MemoryOperand; readonly end: number } | undefined {
  const { bytes, mode, rex = 0 } = reader;
  const modrm = bytes[start] ?? 0;
  const mod = modrm >> 6;
  const last = modrm & 7;
  const wide = addressWidth === 16 ? 16 : 32;
  let at = start + 1;
  let place: Pick<MemoryOperand, "base" | "index" | "scale" | "ripRelative"> = {};
  let isBare = false;

  if (addressWidth === 16) {
    isBare = mod === 0 && last === 6;
    const [base, index] = SHORT_ADDRESSES[last] ?? [];
    if (!isBare) place = { ...(base !== undefined && { base }), ...(index !== undefined && { index }) };
  } else if (last === 4) {
    const sib = bytes[at++];
    if (sib === undefined) return undefined;
    const index = ((sib >> 3) & 7) | ((rex & 2) << 2);
    const base = (sib & 7) | ((rex & 1) << 3);
    isBare = mod === 0 && (sib & 7) === 5;
    // Only rsp and r12, and in 64-bit mode a bare address, cannot do without.
    const isNeedless = isBare ? mode !== 64 : (sib & 7) !== 4;
    if (index === 4 && (sib >> 6 !== 0 || isNeedless)) return undefined;
    place = { ...(!isBare && { base }), ...(index !== 4 && { index, scale: SCALES[(sib >> 6) & 3] ?? 1 }) };
  } else {
    isBare = mod === 0 && last === 5;
    if (!isBare) place = { base: last | ((rex & 1) << 3) };
    else if (mode === 64) place = { ripRelative: true };
  }

  const width = isBare || mod === 2 ? wide : mod === 1 ? 8 : 0;
  const disp = width === 0 ? 0 : readLittle(bytes, at, width, "signed");
  if (disp === undefined) return undefined;
  at += width / 8;
  const small = Number(disp);
  // The encoder would take the shorter field.
  const isLong = mod === 2 && small >= -128 && small <= 127;
  const isNeedless = mod === 1 && small === 0 && !((place.base ?? 0) % 8 === 5 && (addressWidth !== 16 || place.index === undefined));
  const displacementWidth = isLong ? wide : isNeedless ? 8 : undefined;
  return {
    memory: {
      kind: "mem",
      ...place,
      ...(small !== 0 && { disp: small }),
      ...(displacementWidth !== undefined && { displacementWidth }),
      ...placeOf(reader, addressWidth),
    },
    end: at,
  };
}
