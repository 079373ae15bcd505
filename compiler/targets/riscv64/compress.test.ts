// Every short form against the instruction that it stands for, by the decoder of isa/riscv64, which is compared with GNU binutils.

import assert from "node:assert/strict";
import { test } from "node:test";
import { disassemble } from "../../../isa/riscv64/disassemble.ts";
import { compress } from "./compress.ts";
import { enc } from "./encoding.ts";

function textOf(value: number, bytes: 2 | 4): string {
  const view = new DataView(new ArrayBuffer(bytes));
  if (bytes === 2) view.setUint16(0, value, true);
  else view.setUint32(0, value, true);
  return disassemble(new Uint8Array(view.buffer))[0]?.text ?? "";
}

/** What a short instruction does, in the words of the long one. */
const MEANINGS: Readonly<Record<string, (operands: readonly string[]) => string>> = {
  "c.addi": ([rd, imm]) => `addi ${rd}, ${rd}, ${imm}`,
  "c.addi16sp": ([rd, imm]) => `addi ${rd}, ${rd}, ${imm}`,
  "c.addi4spn": ([rd, sp, imm]) => `addi ${rd}, ${sp}, ${imm}`,
  "c.addiw": ([rd, imm]) => `addiw ${rd}, ${rd}, ${imm}`,
  "c.li": ([rd, imm]) => `addi ${rd}, zero, ${imm}`,
  "c.lui": ([rd, imm]) => `lui ${rd}, ${imm}`,
  "c.mv": ([rd, rs]) => `addi ${rd}, ${rs}, 0`,
  "c.slli": ([rd, imm]) => `slli ${rd}, ${rd}, ${imm}`,
  "c.srli": ([rd, imm]) => `srli ${rd}, ${rd}, ${imm}`,
  "c.srai": ([rd, imm]) => `srai ${rd}, ${rd}, ${imm}`,
  "c.andi": ([rd, imm]) => `andi ${rd}, ${rd}, ${imm}`,
  "c.add": ([rd, rs]) => `add ${rd}, ${rd}, ${rs}`,
  "c.sub": ([rd, rs]) => `sub ${rd}, ${rd}, ${rs}`,
  "c.xor": ([rd, rs]) => `xor ${rd}, ${rd}, ${rs}`,
  "c.or": ([rd, rs]) => `or ${rd}, ${rd}, ${rs}`,
  "c.and": ([rd, rs]) => `and ${rd}, ${rd}, ${rs}`,
  "c.subw": ([rd, rs]) => `subw ${rd}, ${rd}, ${rs}`,
  "c.addw": ([rd, rs]) => `addw ${rd}, ${rd}, ${rs}`,
  "c.lw": ([rd, at]) => `lw ${rd}, ${at}`,
  "c.ld": ([rd, at]) => `ld ${rd}, ${at}`,
  "c.sw": ([rs, at]) => `sw ${rs}, ${at}`,
  "c.sd": ([rs, at]) => `sd ${rs}, ${at}`,
  "c.lwsp": ([rd, at]) => `lw ${rd}, ${at}`,
  "c.ldsp": ([rd, at]) => `ld ${rd}, ${at}`,
  "c.swsp": ([rs, at]) => `sw ${rs}, ${at}`,
  "c.sdsp": ([rs, at]) => `sd ${rs}, ${at}`,
  "c.jr": ([rs]) => `jalr zero, 0(${rs})`,
  "c.jalr": ([rs]) => `jalr ra, 0(${rs})`,
};

const used = new Set<string>();

/** Operands that commute, and copies, have several spellings. */
function normal(text: string): string {
  const commuting = /^(add|and|or|xor|addw) (\w+), (\w+), (\w+)$/.exec(text);
  if (commuting !== null) {
    const [, name = "", rd = "", ...operands] = commuting;
    if (name === "add" && operands.includes("zero")) return `addi ${rd}, ${operands.find((operand) => operand !== "zero") ?? "zero"}, 0`;
    return `${name} ${rd}, ${operands.sort().join(", ")}`;
  }
  const jump = /^jalr (\w+), (?:0\((\w+)\)|(\w+), 0)$/.exec(text);
  return jump === null ? text : `jalr ${jump[1]}, ${jump[2] ?? jump[3]}`;
}

function check(word: number): void {
  const short = compress(word);
  if (short === null) return;
  const [name = "", rest = ""] = textOf(short, 2).split(/ (.*)/);
  const meaning = MEANINGS[name];
  assert.ok(meaning !== undefined, `${textOf(word, 4)} became ${name}`);
  used.add(name);
  assert.equal(normal(meaning(rest.split(", "))), normal(textOf(word, 4)));
}

const REGISTERS = Array.from({ length: 32 }, (_none, register) => register);
const SOME = [0, 1, 2, 3, 7, 8, 9, 15, 16, 31];
const IMMEDIATES = [
  ...Array.from({ length: 140 }, (_none, index) => index - 70),
  112,
  120,
  124,
  128,
  240,
  248,
  252,
  256,
  496,
  504,
  508,
  512,
  1016,
  1020,
  1024,
  2047,
  -256,
  -496,
  -512,
  -528,
  -2048,
];

test("immediates", () => {
  for (const rd of REGISTERS) {
    for (const rs1 of new Set([rd, ...SOME])) {
      for (const imm of IMMEDIATES) {
        check(enc.addi(rd, rs1, imm));
        check(enc.addiw(rd, rs1, imm));
        check(enc.andi(rd, rs1, imm));
        check(enc.xori(rd, rs1, imm));
        check(enc.jalr(rd, rs1, imm));
      }
      for (const shift of [0, 1, 5, 31, 32, 33, 63]) {
        check(enc.slli(rd, rs1, shift));
        check(enc.srli(rd, rs1, shift));
        check(enc.srai(rd, rs1, shift));
      }
    }
    for (const upper of [0, 1, 5, 31, 32, 0xfffff, 0xfffe0, 0xfffdf, 0x80000]) check(enc.lui(rd, upper));
  }
});

test("registers", () => {
  const operations = [enc.add, enc.sub, enc.and, enc.or, enc.xor, enc.addw, enc.subw, enc.sll, enc.mul, enc.slt];
  for (const rd of REGISTERS)
    for (const rs1 of new Set([rd, ...SOME])) for (const rs2 of new Set([rd, ...SOME])) for (const operation of operations) check(operation(rd, rs1, rs2));
});

test("memory", () => {
  for (const value of REGISTERS) {
    for (const base of SOME) {
      for (const offset of IMMEDIATES) {
        for (const load of [enc.lw, enc.ld, enc.lwu, enc.lb]) check(load(value, base, offset));
        for (const store of [enc.sw, enc.sd, enc.sb]) check(store(value, base, offset));
      }
    }
  }
});

test("all forms are used", () => assert.deepEqual([...used].sort(), Object.keys(MEANINGS).sort()));

test("what a relocation fills in stays long", () => {
  assert.equal(compress(enc.addi(10, 10, 0)), null);
  for (const word of [enc.auipc(10), enc.jal(0), enc.jal(1), enc.beq(8, 0), enc.unimp]) assert.equal(compress(word), null);
});
