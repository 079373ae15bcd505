// What the interpreter's own decoder (emit-decode.ts) goes by: the instruction table, with what each row comes to as a decoded entry, as bytes
// that the interpreter's module brings along. All of it is asked of the decoder in TypeScript (isa/riscv64, encode.ts), which stays the one
// that is right and decodes what is seldom; a test compares both. A process whose guest runs cold code decodes some two thousand
// instructions: by calls to TypeScript that V8 has not compiled, that was a fifth of its time, and the making of TypeScript's tables a tenth.

import { findExpansion, type Expansion } from "../../../isa/riscv64/expand.ts";
import { packOperand } from "../../../isa/riscv64/encode.ts";
import type { Operand } from "../../../isa/riscv64/formats.ts";
import type { RegisterWidth } from "../../../isa/riscv64/by-width.ts";
import { instructionsOf, type Instruction } from "../../../isa/riscv64/instructions.ts";
import { csrNameOf, findCsr } from "../../../isa/riscv64/registers.ts";
import { byMostFixedBits, rowKey } from "../../../isa/riscv64/decode.ts";
import { isApart } from "./emit-operation.ts";
import { encodeInstruction } from "./encode.ts";
import { accessForm, FIXED_NUMBER, hasOperation, operationNumber, operationsOf } from "./operations.ts";
import { accessName, type CsrChange } from "./semantics/privileged.ts";
import { DECODER, ROW, ROW_KIND, TABLE_LIMIT } from "./state.ts";

const KEYS = 0xa0;
const RTZ = 1;
const PAGE_BYTES = 0x1000;
const CSR_NUMBERS = 0x1000;

/** In the order of the bytes of an entry of `DECODER.csrs`. */
const CSR_CHANGES: readonly CsrChange[] = ["read", "write", "set", "clear"];

/** A register of the row: {shift, mask, what is added}, which is the number itself where the word has no field for it. */
type RegisterField = readonly [shift: number, mask: number, added: number];

const constant = (number: number): RegisterField => [0, 0, number];

function fieldOf(operand: Operand | undefined): RegisterField {
  if (operand === undefined) return constant(0);
  const [[at, width] = [0, 0], more] = operand.bits;
  if (more !== undefined) throw new Error("a register lies in one field");
  return [at, (1 << width) - 1, operand.kind === "x8" || operand.kind === "f8" ? 8 : 0];
}

const isImmediate = (name: string): boolean => name === "imm" || name === "shamt" || name === "target";

function registersOf(row: Instruction, expansion: Expansion | undefined): readonly RegisterField[] {
  const operands = new Map(row.operands);
  return (["rd", "rs1", "rs2"] as const).map((name) => {
    const source = expansion?.[name] ?? name;
    return typeof source === "number" ? constant(source) : fieldOf(operands.get(source));
  });
}

const SIGNED: ReadonlySet<Operand["kind"]> = new Set<Operand["kind"]>(["signed", "target", "upper"]);

/** {pieces u8, shift that extends the sign u8, for each piece: at u8, width u8, from u8}. */
function immediateOf(row: Instruction, expansion: Expansion | undefined): readonly number[] {
  const found = row.operands.find(([name]) => isImmediate(name))?.[1];
  if (expansion?.imm !== undefined && expansion.imm !== 0) throw new Error(`${row.mnemonic}: an immediate that is given is 0`);
  if (found === undefined || expansion?.imm !== undefined) return [0, 0];
  const top = Math.max(...found.bits.map(([, width, from]) => from + width));
  return [found.bits.length, SIGNED.has(found.kind) ? 32 - top : 0, ...found.bits.flat()];
}

/** Where `encodeFloat` wants it. */
function thirdSource(row: Instruction): readonly number[] {
  const [at, mask] = fieldOf(row.operands.find(([name]) => name === "rs3")?.[1]);
  return mask === 0 ? [0, 0] : [1, 0, at, 5, 3];
}

interface Meaning {
  readonly kind: number;
  /** By what `ROW.operations` says. */
  readonly operations: readonly number[];
  readonly immediate: readonly number[];
}

function meaningOf(row: Instruction, expansion: Expansion | undefined, width: RegisterWidth): Meaning {
  const mnemonic = expansion?.as ?? row.mnemonic;
  const has = (wanted: string): boolean => row.operands.some(([name]) => name === wanted);
  const encoded = (rd: number, changes: { readonly imm?: number; readonly rm?: number; readonly csr?: number }): string =>
    encodeInstruction({ mnemonic, rd, rs1: 1, rs2: 1, rs3: 0, imm: 0, csr: 0, rm: 0, length: row.length, ...changes }, 0, width).name;
  const four = (changes: { readonly imm?: number; readonly rm?: number }): readonly number[] =>
    [1, 0].flatMap((rd) => [encoded(rd, {}), encoded(rd, changes)]).map((name) => numberOf(name, width));
  if (has("csr")) {
    const change = encoded(1, { csr: findCsr("mstatus", width) ?? 0, imm: 1 }).split(" ")[0];
    const index = CSR_CHANGES.findIndex((name) => name === change);
    return { kind: ROW_KIND.csr, operations: [index, index, index, index], immediate: immediateOf(row, expansion) };
  }
  if (has("rm")) return { kind: ROW_KIND.rounding, operations: four({ rm: RTZ }), immediate: thirdSource(row) };
  if (has("target")) return { kind: ROW_KIND.relative, operations: four({ imm: PAGE_BYTES }), immediate: immediateOf(row, expansion) };
  return { kind: ROW_KIND.plain, operations: four({}), immediate: immediateOf(row, expansion) };
}

function numberOf(name: string, width: RegisterWidth): number {
  if (!hasOperation(name, width)) throw new Error(`no operation ${name}`);
  return operationNumber(name, width);
}

const NOTHING_FITS: Meaning = { kind: ROW_KIND.plain, operations: [0, 1, 2, 3].map(() => FIXED_NUMBER.cold), immediate: [0, 0] };
const NO_REGISTERS: readonly RegisterField[] = [constant(0), constant(0), constant(0)];

/** The table's bytes, which belong at `DECODER_OFFSET` in the state memory. */
export function writeDecodeTable(width: RegisterWidth): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(TABLE_LIMIT);
  const view = new DataView(bytes.buffer);
  let end: number = DECODER.rows;
  const immediates = new Map<string, number[]>();

  function writeRow(mask: number, match: number, registers: readonly RegisterField[], { kind, operations, immediate }: Meaning): void {
    view.setUint32(end + ROW.mask, mask, true);
    view.setUint32(end + ROW.match, match, true);
    bytes.set(operations, end + ROW.operations);
    registers.forEach((field, index) => bytes.set(field, end + ROW.registers + index * 3));
    bytes[end + ROW.kind] = kind;
    const key = immediate.join();
    const users = immediates.get(key) ?? [];
    users.push(end + ROW.immediate);
    immediates.set(key, users);
    end += ROW.bytes;
  }

  // The first row is for what cannot be decoded where it lies; and so ends every list.
  const writeEnd = (): void => {
    writeRow(0, 0, NO_REGISTERS, NOTHING_FITS);
  };
  writeEnd();
  const groups = Map.groupBy(instructionsOf(width), ({ match }) => rowKey(match));
  for (let key = 0; key < KEYS; key++) {
    const group = groups.get(key);
    view.setUint16(DECODER.index + key * 2, group === undefined ? DECODER.rows : end, true);
    if (group === undefined) continue;
    for (const row of byMostFixedBits(group)) {
      for (const [, operand] of row.operands) {
        // A mode of rounding that is none is met by nothing of what the row does.
        if (operand.kind === "rounding") continue;
        const taken = operand.bits.reduce((mask, [at, bits]) => mask | (((1 << bits) - 1) << at), 0);
        for (const value of operand.without ?? []) {
          writeRow((row.mask | taken) >>> 0, (row.match | packOperand(operand, value)) >>> 0, NO_REGISTERS, NOTHING_FITS);
        }
      }
      const expansion = findExpansion(row.mnemonic);
      const isIllegal = row.mnemonic === "c.unimp";
      writeRow(row.mask, row.match, registersOf(row, expansion), isIllegal ? NOTHING_FITS : meaningOf(row, expansion, width));
    }
    writeEnd();
  }

  for (const [key, users] of immediates) {
    for (const user of users) view.setUint16(user, end, true);
    const form = key.split(",").map(Number);
    bytes.set(form, end);
    end += form.length;
  }

  let entry = DECODER.csrs;
  for (let number = 0; number < CSR_NUMBERS; number++) {
    const name = csrNameOf(number, width);
    if (name === undefined) continue;
    const accesses = CSR_CHANGES.map((change) => accessName(name, change)).map((access) =>
      hasOperation(access, width) ? operationNumber(access, width) : FIXED_NUMBER.cold,
    );
    if (accesses.every((operation) => operation === FIXED_NUMBER.cold)) continue;
    view.setUint16(entry, number, true);
    bytes.set(accesses, entry + 2);
    entry += DECODER.csrBytes;
  }
  view.setUint16(entry, DECODER.noCsr, true);
  if (entry + DECODER.csrBytes > DECODER.rows || end > TABLE_LIMIT) throw new Error("the decoder's table has no room");

  operationsOf(width).forEach((operation, number) => {
    bytes[DECODER.forms + number] = accessForm(operation);
    bytes[DECODER.ready + number] = isApart(operation) ? 0 : 1;
  });
  return bytes.slice(0, end);
}
