// The oracle for encodings: every row of the table, over edge values of every operand, is assembled by us and by GNU as, and the
// bytes must be the same; objdump must read them as we do; and our disassembly of every halfword and of many words must
// assemble, by GNU as, to what it was made from. Without GNU binutils it is skipped with the reason; with
// GUESTSPEC_REQUIRE=binutils in the environment that is a failure. The report counts the forms, and no difference is allowed.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { assemble, formatProblem } from "./assemble.ts";
import { decode } from "./decode.ts";
import type { DecodedInstruction } from "./decode.ts";
import { disassembleWord, writeInstruction } from "./disassemble.ts";
import { checkOperand, packOperands, rangeOf } from "./encode.ts";
import type { Operand } from "./formats.ts";
import { instructionsOf } from "./instructions.ts";
import type { RegisterWidth } from "./by-width.ts";
import type { Instruction } from "./instructions.ts";
import { loadConstant, pseudoInstructionsOf } from "./pseudo.ts";
import { csrNameOf, csrsOf } from "./registers.ts";
import { isRequired } from "../../tests/fixtures/required.ts";

const PREFIX = "riscv64-linux-gnu-";
// The newest set that Debian 12's binutils 2.40 knows.
const EXTENSIONS = "imafdch_zicsr_zifencei_zihintpause_zicbom_zicbop_zicboz_zawrs_zba_zbb_zbc_zbs_svinval";

const version = spawnSync(`${PREFIX}as`, ["--version"], { encoding: "utf8" });
const problem = version.error === undefined && version.status === 0 ? null : `${PREFIX}as cannot be run (Debian package binutils-riscv64-linux-gnu)`;
const options = { skip: problem !== null && !isRequired("binutils") ? problem : false };

/** One instruction for GNU as. */
interface Line {
  readonly text: string;
  readonly length: number;
}

/** A table row with operands, its text and our encoding. */
interface Case extends Line {
  readonly row: Instruction;
  readonly values: ReadonlyMap<string, number>;
  readonly word: number;
  /** What GNU as is given, where it does not know our text. */
  readonly gnuText: string;
}

function run(program: string, args: readonly string[]): string {
  const result = spawnSync(PREFIX + program, args, { encoding: "utf8", maxBuffer: 1 << 28 });
  if (result.error !== undefined) throw result.error;
  return result.status === 0 ? result.stdout : assert.fail(`${program}: ${result.stderr.slice(0, 4000)}`);
}

interface GnuResult {
  readonly bytes: Uint8Array;
  readonly listing: ReadonlyMap<number, string>;
}

function gnuAssemble(width: RegisterWidth, lines: readonly Line[], wants?: "listing"): GnuResult {
  const folder = mkdtempSync(join(tmpdir(), "guestspec-binutils-"));
  try {
    const source = join(folder, "forms.s");
    const object = join(folder, "forms.o");
    const image = join(folder, "forms.bin");
    // GNU as compresses what it can unless it is told not to.
    const text = lines.map((line, index) =>
      line.length === lines[index - 1]?.length ? line.text : `.option ${line.length === 2 ? "rvc" : "norvc"}\n${line.text}`,
    );
    writeFileSync(source, `${text.join("\n")}\n`);
    run("as", ["-mno-relax", `-march=rv${width}${EXTENSIONS}`, `-mabi=${width === 64 ? "lp64d" : "ilp32d"}`, "-mpriv-spec=1.12", "-o", object, source]);
    run("objcopy", ["-O", "binary", "-j", ".text", object, image]);
    const listing = new Map<number, string>();
    if (wants === "listing") {
      const dump = run("objdump", ["-d", "-z", "-M", "no-aliases,priv-spec=1.12", object]);
      for (const [, address = "", instruction = ""] of dump.matchAll(/^ *([0-9a-f]+):\t[0-9a-f ]+\t(.*)$/gm)) {
        listing.set(parseInt(address, 16), instruction);
      }
    }
    return { bytes: readFileSync(image), listing };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Every register, mode and set; of numbers the ends, zero, and every single bit, so that no bit can be in the wrong place. */
function edgeValues(width: RegisterWidth, operand: Operand): readonly number[] {
  const { least, most, step } = rangeOf(operand);
  const every = Array.from({ length: Math.min(33, most - least + 1) }, (_, index) => least + index);
  switch (operand.kind) {
    case "x":
    case "f":
    case "x8":
    case "f8":
    case "rounding":
    case "fence":
    case "order":
      return every;
    case "csr":
      return [0, 0x123, 0x555, 0xaaa, 0xfff, ...csrsOf(width).map(({ number }) => number)];
    case "ignored":
      return [0];
    case "signed":
    case "unsigned":
    case "upper":
    case "target": {
      const bits = Array.from({ length: 21 }, (_, bit) => 2 ** bit);
      const values = [0, least, most, least + step, most - step, ...bits, ...bits.map((bit) => -bit), 0xfffe0, 0xfffff];
      return [...new Set(values.filter((value) => checkOperand(operand, value) === undefined))];
    }
  }
}

/** A repeatable stream of 32-bit numbers (xorshift), for combinations that nobody thought of. */
function makeNoise(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

function casesOf(width: RegisterWidth, row: Instruction, noise: () => number): readonly Case[] {
  const choices = row.operands.map(
    ([name, operand]) => [name, edgeValues(width, operand).filter((value) => checkOperand(operand, value) === undefined)] as const,
  );
  const pick = (values: readonly number[]): number => values[noise() % values.length] ?? 0;
  const combinations: ReadonlyMap<string, number>[] = [];
  for (const [varied, values] of choices) {
    for (const value of values) {
      combinations.push(new Map(choices.map(([name, others]) => [name, name === varied ? value : pick(others)])));
    }
  }
  if (choices.length === 0) combinations.push(new Map());
  return combinations.flatMap((values) => {
    const word = packOperands(row, values);
    // Where the words of another row lie inside this one's (fence w, 0 is pause), they are that row's.
    if (decode(word, width)?.instruction !== row) return [];
    const text = writeInstruction({ instruction: row, operands: values }, undefined, width);
    assert.ok(text !== undefined, row.mnemonic);
    const assembly = assemble(text, {}, width);
    if (!assembly.ok) return assert.fail(`${text}: ${assembly.problems.map(formatProblem).join("; ")}`);
    const ours = new DataView(assembly.bytes.buffer);
    assert.equal(assembly.bytes.length, row.length, text);
    assert.equal(row.length === 4 ? ours.getUint32(0, true) : ours.getUint16(0, true), word, `${text}: our assembler`);
    return [{ row, values, word, text, length: row.length, gnuText: forGnu(width, row, values, text) }];
  });
}

const x = (values: ReadonlyMap<string, number>, name: string): string => `x${values.get(name) ?? 0}`;
const f = (values: ReadonlyMap<string, number>, name: string): string => `f${values.get(name) ?? 0}`;

/** CSRs that binutils 2.40 has no name for. */
const UNKNOWN_TO_GNU =
  /^(scountinhibit|mtopei|mtopi|miselect|mireg|mvien|mvip|stopei|stopi|siselect|sireg|vstopei|vstopi|vsiselect|vsireg|hvien|hvictl|hviprio[12]|mn(scratch|epc|cause|status))$/;

/** binutils 2.40 lacks these; `.insn` still checks where GNU puts the fields. */
function forGnu(width: RegisterWidth, row: Instruction, values: ReadonlyMap<string, number>, text: string): string {
  const csr = values.get("csr");
  const name = csr === undefined ? undefined : csrNameOf(csr, width);
  if (name !== undefined && csr !== undefined && UNKNOWN_TO_GNU.test(name)) return text.replace(name, String(csr));
  if (row.extension === "Zicond") {
    const funct3 = row.mnemonic === "czero.eqz" ? 5 : 7;
    return `.insn r OP, ${funct3}, 7, ${x(values, "rd")}, ${x(values, "rs1")}, ${x(values, "rs2")}`;
  }
  const [pred = 1, succ = 1] = [values.get("pred"), values.get("succ")];
  if (row.mnemonic === "fence" && (pred === 0 || succ === 0)) return `.insn i MISC_MEM, 0, x0, x0, ${pred * 16 + succ}`;
  const rm = values.get("rm") ?? 0;
  if (row.format === "F-unary-exact" && rm !== 0) return `.insn r OP_FP, ${rm}, 0x21, ${f(values, "rd")}, ${f(values, "rs1")}, x0`;
  if (row.format === "F-from-x-exact" && rm !== 0) {
    const from = row.mnemonic === "fcvt.d.wu" ? "x1" : "x0";
    return `.insn r OP_FP, ${rm}, 0x69, ${f(values, "rd")}, ${x(values, "rs1")}, ${from}`;
  }
  return text;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).reverse().toString("hex");

/** What objdump writes in another way, although it is told to use no aliases. */
const OBJDUMP_ALIASES: Readonly<Record<string, string>> = { "c.nop": "c.addi zero,0" };

/** Undefined when objdump's line says what our text says: distances for addresses, numbers in any base. */
function compareText(width: RegisterWidth, row: Instruction, text: string, listed: string | undefined, offset: number): string | undefined {
  if (listed === undefined) return `${text}: objdump does not show it`;
  const [mnemonic = "", operands = ""] = listed.split(/ [#<]/)[0]?.split("\t") ?? [];
  let theirs = `${mnemonic} ${operands}`.trim();
  if (row.operands.some(([, operand]) => operand.kind === "target")) {
    theirs = theirs.replace(/([0-9a-f]+)$/, (address) => {
      const distance = BigInt.asIntN(width, BigInt(`0x${address}`) - BigInt(offset));
      return distance < 0n ? `.${distance}` : `.+${distance}`;
    });
  }
  const ours = OBJDUMP_ALIASES[text] ?? text.replace(/\. ([+-]) (\d+)$/, ".$1$2").replaceAll(", ", ",");
  return decimal(ours) === decimal(theirs) ? undefined : `${text}: objdump reads ${listed}`;
}

const decimal = (text: string): string => text.replace(/\b0x[0-9a-f]+/g, (number) => String(Number(number)));

const WIDTHS = [32, 64] as const;

/** Text for GNU as of what one width has. */
const LINES_OF_WIDTH: Readonly<Record<RegisterWidth, readonly string[]>> = {
  32: ["rdcycleh a0", "rdtimeh a0", "rdinstreth a0", "c.jal . + 8", "c.flwsp fa0, (sp)", "li a0, 0xffffffff", "li a0, -0x80000000"],
  64: ["negw a0, a1", "sext.w a0, a1", "zext.w a0, a1", "sd a0, (sp)", "c.ldsp a0, (sp)", "ld a0, -8(sp)"],
};

test("GNU binutils is there to compare with", options, () => {
  assert.equal(problem, null);
});

for (const width of WIDTHS) {
  test(`RV${width}: every form: our bytes are GNU as', our text is objdump's`, options, (context) => {
    const noise = makeNoise(0x2545f491);
    const cases = instructionsOf(width).flatMap((row) => casesOf(width, row, noise));
    const covered = new Set(cases.map(({ row }) => row.mnemonic));
    assert.deepEqual(
      instructionsOf(width).filter(({ mnemonic }) => !covered.has(mnemonic)),
      [],
    );

    const gnu = gnuAssemble(
      width,
      cases.map(({ gnuText, length }) => ({ text: gnuText, length })),
      "listing",
    );
    const wrong: string[] = [];
    let offset = 0;
    let read = 0;
    for (const { row, word, text, length, gnuText } of cases) {
      const theirs = hex(gnu.bytes.subarray(offset, offset + length));
      const ours = word.toString(16).padStart(2 * length, "0");
      if (ours !== theirs) wrong.push(`${text}: ${ours}, GNU as: ${theirs}`);
      if (gnuText === text) {
        read++;
        const difference = compareText(width, row, text, gnu.listing.get(offset), offset);
        if (difference !== undefined) wrong.push(difference);
      }
      offset += length;
    }
    assert.deepEqual(wrong.slice(0, 40), [], `${wrong.length} differences`);
    assert.equal(gnu.bytes.length, offset);
    const indirect = cases.filter(({ text, gnuText }) => text !== gnuText).length;
    context.diagnostic(
      `${instructionsOf(width).length} forms, ${cases.length} instructions compared with GNU as (${indirect} as .insn or by CSR number), ${read} with objdump, 0 differences`,
    );
  });
}

for (const width of WIDTHS) {
  test(`RV${width}: our disassembly of every halfword and of many words assembles, by GNU as, to the same bytes`, options, (context) => {
    const noise = makeNoise(0x9e3779b9);
    const words: { readonly word: number; readonly length: number }[] = [];
    for (let word = 0; word < 0x10000; word++) if ((word & 3) !== 3) words.push({ word, length: 2 });
    for (const row of instructionsOf(width)) {
      if (row.length !== 4) continue;
      for (let index = 0; index < 50; index++) words.push({ word: ((noise() & ~row.mask) | row.match) >>> 0, length: 4 });
    }
    for (let index = 0; index < 10_000; index++) words.push({ word: (noise() | 3) >>> 0, length: 4 });

    const lines = words.map(({ word, length }) => {
      const text = disassembleWord(word, undefined, width);
      const decoded = decode(word, width);
      const gnuText = decoded === undefined || text.startsWith(".") ? text : forGnu(width, decoded.instruction, decoded.operands, text);
      return { text: gnuText, length };
    });
    const gnu = gnuAssemble(width, lines);
    const wrong: string[] = [];
    let offset = 0;
    for (const [index, { word, length }] of words.entries()) {
      const theirs = hex(gnu.bytes.subarray(offset, offset + length));
      const ours = word.toString(16).padStart(2 * length, "0");
      if (ours !== theirs) wrong.push(`${lines[index]?.text}: ${ours}, GNU as: ${theirs}`);
      offset += length;
    }
    assert.deepEqual(wrong.slice(0, 40), [], `${wrong.length} differences`);
    const data = lines.filter(({ text }) => /^\.(word|half)/.test(text)).length;
    context.diagnostic(`${words.length} words disassembled and assembled again (${data} as data), 0 differences`);
  });
}

/** What objdump 2.40 reads as an instruction and we do not, or the other way round. */
function isKnownDisagreement(width: RegisterWidth, ours: Instruction | undefined, listed: string): boolean {
  if (ours !== undefined) return ours.extension === "Zicond" || /^F-(unary|from-x)-exact$/.test(ours.format);
  // RV32: a shift by 32 and more. A reserved rounding mode; instructions of withdrawn privileged versions; the reserved c.addi16sp sp, 0.
  return (width === 32 && /^\S+i\t.*,0x[23][0-9a-f]$/.test(listed)) || /,unknown$|^(uret|hret|sfence\.vm)\b|^c\.addi16sp\tsp,0$/.test(listed);
}

/** Whether GNU uses our text: not for what binutils 2.40 lacks, nor for CSRs that we leave out and it names. */
function hasSharedText(width: RegisterWidth, { instruction, operands }: DecodedInstruction, text: string): boolean {
  const csr = operands.get("csr");
  return forGnu(width, instruction, operands, text) === text && (csr === undefined || csrNameOf(csr, width) !== undefined);
}

for (const width of WIDTHS) {
  test(`RV${width}: what we take for an instruction is what objdump takes for one, and it reads the same`, options, (context) => {
    const noise = makeNoise(0x6c078965);
    const words: { readonly word: number; readonly length: number }[] = [];
    for (let word = 0; word < 0x10000; word++) if ((word & 3) !== 3) words.push({ word, length: 2 });
    // Words of every row, the same with one fixed bit wrong, and others. Those of the longer lengths (bits 4:2 set) are left out.
    const add = (word: number): void => {
      if ((word & 0x1f) !== 0x1f) words.push({ word: word >>> 0, length: 4 });
    };
    for (const row of instructionsOf(width).filter(({ length }) => length === 4)) {
      const anyOf = (): number => (noise() & ~row.mask) | row.match;
      for (let index = 0; index < 30; index++) add(anyOf());
      for (let bit = 2; bit < 32; bit++) if ((row.mask >>> bit) & 1) add(anyOf() ^ (1 << bit));
    }
    for (let index = 0; index < 10_000; index++) add(noise() | 3);

    const { listing } = gnuAssemble(
      width,
      words.map(({ word, length }) => ({ text: `.insn ${length}, ${word}`, length })),
      "listing",
    );
    const wrong: string[] = [];
    let offset = 0;
    let both = 0;
    for (const { word, length } of words) {
      const listed = listing.get(offset) ?? "";
      const text = disassembleWord(word, undefined, width);
      const decoded = text.startsWith(".") ? undefined : decode(word, width);
      const isTheirs = !listed.startsWith(".");
      if (isTheirs !== (decoded !== undefined)) {
        if (!isKnownDisagreement(width, decoded?.instruction, listed)) wrong.push(`${text}: objdump reads ${listed}`);
      } else if (decoded !== undefined && hasSharedText(width, decoded, text)) {
        both++;
        const difference = compareText(width, decoded.instruction, text, listed, offset);
        if (difference !== undefined) wrong.push(difference);
      }
      offset += length;
    }
    assert.deepEqual(wrong.slice(0, 40), [], `${wrong.length} differences`);
    context.diagnostic(`${words.length} words, ${both} of them instructions, read alike`);
  });
}

for (const width of WIDTHS) {
  test(`RV${width}: pseudo-instructions and small programs are what GNU as makes of them`, options, () => {
    // GNU as leaves `la`, `call` and the difference of two labels to the linker, so those are checked in assemble.test.ts only.
    const text = [
      ...LINES_OF_WIDTH[width],
      "nop",
      "mv a0, a1",
      "not a0, a1",
      "neg a0, a1",
      "zext.b a0, a1",
      "seqz a0, a1",
      "snez a0, a1",
      "sltz a0, a1",
      "sgtz a0, a1",
      "sgt a0, a1, a2",
      "sgtu a0, a1, a2",
      "beqz a0, . + 8",
      "bnez a0, . + 8",
      "blez a0, . + 8",
      "bgez a0, . + 8",
      "bltz a0, . + 8",
      "bgtz a0, . + 8",
      "bgt a0, a1, . + 8",
      "ble a0, a1, . + 8",
      "bgtu a0, a1, . + 8",
      "bleu a0, a1, . + 8",
      "j . + 8",
      "jal . + 8",
      "jr a0",
      "jalr a0",
      "ret",
      "csrr a0, mepc",
      "csrw mepc, a0",
      "csrs mie, a0",
      "csrc mie, a0",
      "csrwi mie, 3",
      "csrsi mie, 31",
      "csrci mie, 0",
      "rdcycle a0",
      "rdtime a0",
      "rdinstret a0",
      "frcsr a0",
      "fscsr a0",
      "frrm a0",
      "fsrm a0",
      "frflags a0",
      "fsflags a0",
      "fence",
      "sfence.vma",
      "sfence.vma a0",
      "hfence.vvma",
      "hfence.gvma",
      "scall",
      "sbreak",
      "unimp",
      "fmv.s fa0, fa1",
      "fabs.s fa0, fa1",
      "fneg.s fa0, fa1",
      "fgt.s a0, fa1, fa2",
      "fge.s a0, fa1, fa2",
      "fmv.d fa0, fa1",
      "fabs.d fa0, fa1",
      "fneg.d fa0, fa1",
      "fgt.d a0, fa1, fa2",
      "fge.d a0, fa1, fa2",
      "lw a0, (a1)",
      "sw a0, (sp)",
      "flw ft0, (t0)",
      "c.lw a0, (a1)",
      "c.lwsp a0, (sp)",
      "add x1, x2, x31",
      "mv fp, s0",
      "1: j 1f",
      "beqz a0, 1b",
      "1: bnez a0, 1b",
      "loop: addi a0, a0, -1; bnez a0, loop # comment",
      "j done",
      "done:",
      "li a0, 0x12345678",
      "li a0, 'A'",
      "li a0, 0x7fffffff",
      "li a0, (1 << 20) | 3",
      ".equ SIZE, 24",
      "addi sp, sp, -SIZE",
      "lw ra, SIZE - 8(sp)",
      ".half 65535",
      ".byte 1, -1",
      ".balign 8",
      ".word 1, 2",
      ".dword -1",
      ".zero 4",
      ".align 3",
    ];
    const pseudoNames = pseudoInstructionsOf(width).map(({ mnemonic }) => mnemonic);
    assert.deepEqual(
      pseudoNames.filter((name) => !text.some((line) => line.split(" ")[0] === name)),
      [],
    );

    // c.* need rvc; everything else is to stay 32 bits long.
    const lines = text.map((line) => ({ text: line, length: line.startsWith("c.") ? 2 : 4 }));
    const assembly = assemble(text.join("\n"), {}, width);
    if (!assembly.ok) assert.fail(assembly.problems.map(formatProblem).join("\n"));
    const gnu = gnuAssemble(width, lines);
    for (const [index, { offset, line }] of assembly.lines.entries()) {
      const end: number = assembly.lines[index + 1]?.offset ?? assembly.bytes.length;
      assert.equal(hex(assembly.bytes.subarray(offset, end)), hex(gnu.bytes.subarray(offset, end)), text[line - 1]);
    }
    assert.equal(assembly.bytes.length, gnu.bytes.length);
  });
}

for (const width of WIDTHS) {
  test(`RV${width}: li takes no more instructions than GNU as'`, options, (context) => {
    const noise = makeNoise(0xdeadbeef);
    const random = (): bigint => (BigInt(noise()) << 32n) | BigInt(noise());
    const values = [0n, -1n, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn, (1n << 63n) - 1n, 1n << 63n, 0x7fff_f800n, 0x8000_1000n];
    for (let bit = 0n; bit < 64n; bit++) values.push(1n << bit, (1n << bit) - 1n, -(1n << bit), random() >> bit);
    const wanted = values.map((value) => BigInt.asIntN(width, value));
    const marked = wanted.map((value) => ({ text: `li a0, ${value}\nebreak`, length: 4 }));
    const { bytes } = gnuAssemble(width, marked);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = 0;
    let shorter = 0;
    for (const value of wanted) {
      const start = at;
      while (view.getUint32(at, true) !== 0x00100073) at += 4;
      const theirs = (at - start) / 4;
      const ours = loadConstant(10, value, width).length;
      assert.ok(ours <= theirs, `li a0, ${value}: ${ours}, GNU as ${theirs}`);
      if (ours < theirs) shorter++;
      at += 4;
    }
    context.diagnostic(`${wanted.length} constants, ${shorter} shorter than GNU as'`);
  });
}
