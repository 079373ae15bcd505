// The oracle for encodings: every row of the table, over edge values of every operand, is assembled by us and by GNU as, by its own
// name and by its alias, and the bytes must be the same; objdump must read them as we do, with aliases and without; and our
// disassembly of many words must assemble, by GNU as, to what it was made from. Without GNU binutils it is skipped with the reason;
// with GUESTSPEC_REQUIRE=binutils in the environment that is a failure. The report counts the forms, and no difference is allowed.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { assemble, formatProblem } from "./assemble.ts";
import { decode } from "./decode.ts";
import type { DecodedInstruction } from "./decode.ts";
import { disassembleWord, writeForm, writeInstruction } from "./disassemble.ts";
import { checkOperand, packOperands } from "./encode.ts";
import type { Operands } from "./encode.ts";
import { bitmaskWidth, namedKind } from "./formats.ts";
import { findWideField, isWideKind, wideConstant } from "./immediates.ts";
import { INSTRUCTIONS, isRegisterKind } from "./instructions.ts";
import type { Instruction, Operand } from "./instructions.ts";
import { decodeLogicalImmediate, encodeLogicalImmediate } from "./logical-immediate.ts";
import { listAliases } from "./pseudo.ts";
import type { Alias } from "./pseudo.ts";
import { SYSTEM_REGISTERS, systemRegisterNumber } from "./registers.ts";
import { isRequired } from "../../tests/fixtures/required.ts";

const PREFIX = "aarch64-linux-gnu-";
// The newest set that Debian 12's binutils 2.40 knows, and what it does not include.
const ARCH = "armv8.8-a+sve+sme+crypto+memtag+sb+ssbs+predres+rng+flagm+profile";

const version = spawnSync(`${PREFIX}as`, ["--version"], { encoding: "utf8" });
const problem = version.error === undefined && version.status === 0 ? null : `${PREFIX}as cannot be run (Debian package binutils-aarch64-linux-gnu)`;
const options = { skip: problem !== null && !isRequired("binutils") ? problem : false };

function run(program: string, args: readonly string[]): string {
  const result = spawnSync(PREFIX + program, args, { encoding: "utf8", maxBuffer: 1 << 28 });
  if (result.error !== undefined) throw result.error;
  return result.status === 0 ? result.stdout : assert.fail(`${program}: ${result.stderr.replace(/^.*Warning.*\n/gm, "").slice(0, 4000)}`);
}

/** Where the text is linked to, so that ADRP reaches all its pages without going below zero. */
const ORIGIN = 0x4_0000_0000;

interface GnuResult {
  readonly words: readonly number[];
  /** By word, as objdump writes them: with aliases, or without. */
  readonly listing: readonly string[];
}

/** One word a line. */
function gnuAssemble(lines: readonly string[], listing?: "aliases" | "no-aliases"): GnuResult {
  const folder = mkdtempSync(join(tmpdir(), "guestspec-binutils-"));
  try {
    const [source = "", object = "", linked = "", image = ""] = ["forms.s", "forms.o", "forms.elf", "forms.bin"].map((name) => join(folder, name));
    writeFileSync(source, `.globl _start\n_start:\n${lines.join("\n")}\n`);
    run("as", [`-march=${ARCH}`, "-o", object, source]);
    run("ld", [`-Ttext=0x${ORIGIN.toString(16)}`, "-o", linked, object]);
    run("objcopy", ["-O", "binary", "-j", ".text", linked, image]);
    const bytes = readFileSync(image);
    const words = Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readUInt32LE(4 * index));
    if (listing === undefined) return { words, listing: [] };
    const dump = run("objdump", ["-d", "-z", "-M", listing, linked]);
    const texts = [...dump.matchAll(/^ *[0-9a-f]+:\t[0-9a-f ]+\t(.*)$/gm)].map(([, text = ""]) => text);
    return { words, listing: texts };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Every register and name; of numbers the ends, zero, and every single bit, so that no bit can be in the wrong place. */
function edgeValues(operand: Operand): readonly number[] {
  const { kind, least, most, step } = operand;
  const bits = Array.from({ length: 26 }, (_, bit) => 2 ** bit);
  const width = bitmaskWidth(kind);
  if (width !== undefined) {
    return Array.from({ length: 1 << 13 }, (_, field) => field).filter((field) => {
      const value = decodeLogicalImmediate(field, width);
      return value !== undefined && encodeLogicalImmediate(value, width) === field;
    });
  }
  const values =
    kind === "system"
      ? [...SYSTEM_REGISTERS.map(({ number }) => number), systemRegisterNumber(3, 7, 15, 15, 7), systemRegisterNumber(2, 7, 15, 0, 1)]
      : isRegisterKind(kind) || namedKind(kind) !== undefined || kind === "float8"
        ? [...Array.from({ length: 256 }, (_, index) => index), ...(namedKind(kind)?.names.keys() ?? [])]
        : [0, least, most, least + step, most - step, ...bits, ...bits.map((bit) => -bit), ...bits.map((bit) => 3 * bit)];
  if (isWideKind(kind)) {
    return values.filter((field) => checkOperand(operand, field) === undefined && findWideField(kind, wideConstant(kind, field)) === field);
  }
  return [...new Set(values.map((value) => (kind === "by12" ? Math.sign(value) * 12 : value)))].filter((value) => checkOperand(operand, value) === undefined);
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

interface Case {
  readonly decoded: DecodedInstruction;
  readonly word: number;
}

/** Every edge value of every operand, beside others at random; often register 31, which is where aliases are. */
function combinationsOf(operands: readonly (readonly [string, Operand])[], noise: () => number): readonly Operands[] {
  const choices = operands.map(([name, operand]) => [name, operand, edgeValues(operand)] as const);
  const pick = (operand: Operand, values: readonly number[]): number =>
    isRegisterKind(operand.kind) && noise() % 3 === 0 && operand.most === 31 ? 31 : (values[noise() % values.length] ?? 0);
  const combinations: Operands[] = [];
  for (const [varied, , values] of choices) {
    for (const value of values) combinations.push(new Map(choices.map(([name, operand, others]) => [name, name === varied ? value : pick(operand, others)])));
  }
  return choices.length === 0 ? [new Map()] : combinations;
}

function casesOf(row: Instruction, noise: () => number): readonly Case[] {
  return combinationsOf(row.operands, noise).map((values) => {
    const word = packOperands(row, values);
    const decoded = decode(word);
    assert.ok(decoded !== undefined, `${row.name}: 0x${word.toString(16)} does not decode`);
    assert.equal(decoded.instruction.name, row.name);
    assert.deepEqual(decoded.operands, values, row.name);
    return { decoded, word };
  });
}

interface AliasCase extends Case {
  readonly alias: Alias;
  readonly text: string;
}

/** Those combinations that the alias stands for. */
function aliasCasesOf(alias: Alias, noise: () => number): readonly AliasCase[] {
  return combinationsOf(alias.operands, noise).flatMap((own) => {
    const real = alias.expand(own);
    if (real === undefined || typeof real === "string") return [];
    const word = packOperands(alias.instruction, real);
    const decoded = decode(word);
    assert.equal(decoded?.instruction.name, alias.instruction.name);
    return decoded === undefined ? [] : [{ alias, decoded, word, text: writeForm(alias, own) }];
  });
}

/** objdump 2.40 takes what is CONSTRAINED UNPREDICTABLE of LDPSW for undefined, and of no other pair. */
function isUnreadable({ instruction, operands }: DecodedInstruction): boolean {
  const [rt, rt2, rn] = ["rt", "rt2", "rn"].map((name) => operands.get(name));
  return instruction.mnemonic === "ldpsw" && (rt === rt2 || (instruction.format !== "pair-imm" && (rt === rn || rt2 === rn)));
}

const hex = (word: number): string => word.toString(16).padStart(8, "0");

/** What our text and objdump's have in common: distances for addresses, numbers in one base, no comments. */
function comparable(text: string, row: Instruction, offset: number): string {
  const [bare = ""] = text.replaceAll("\t", " ").split(/ +(?:\/\/|<)/);
  const isOurs = / \. [+-] /.test(bare);
  const isTarget = row.operands.some(([, { kind }]) => kind === "target" || kind === "page");
  const placed = isTarget && !isOurs ? bare.replace(/\b([0-9a-f]+)$/, (address) => writeDistance(row, BigInt(`0x${address}`), offset)) : bare;
  return placed
    .replaceAll(", ", ",")
    .replace(/-?\d+\.\d+(e[+-]\d+)?/g, (number) => String(Number(number)))
    .replace(/\b0x[0-9a-f]+/g, (number) => String(BigInt(number)))
    .toLowerCase();
}

function writeDistance(row: Instruction, address: bigint, offset: number): string {
  const place = BigInt(ORIGIN + offset);
  const distance = Number(row.format === "adrp" ? address - (place & ~0xfffn) : address - place);
  return distance < 0 ? `. - ${-distance}` : `. + ${distance}`;
}

test("GNU binutils is there to compare with", options, () => {
  assert.equal(problem, null);
});

/** Assembles texts by both, and gives the differences of both from the words. */
function compareWords(texts: readonly string[], words: readonly number[], theirs: readonly number[]): readonly string[] {
  const assembly = assemble(texts.join("\n"), { origin: BigInt(ORIGIN) });
  if (!assembly.ok) {
    return assert.fail(
      assembly.problems
        .slice(0, 20)
        .map((each) => `${texts[each.line - 1]}: ${formatProblem(each)}`)
        .join("\n"),
    );
  }
  const ours = new DataView(assembly.bytes.buffer);
  assert.equal(ours.byteLength, 4 * words.length);
  assert.equal(theirs.length, words.length);
  return words.flatMap((word, index) => {
    const again = ours.getUint32(4 * index, true);
    const differences: string[] = [];
    if (again !== word) differences.push(`${texts[index]}: ${hex(word)}, our assembler ${hex(again)}`);
    if (theirs[index] !== word) differences.push(`${texts[index]}: ${hex(word)}, GNU as ${hex(theirs[index] ?? 0)}`);
    return differences;
  });
}

function compareListing({ instruction }: DecodedInstruction, text: string, listed = "nothing", index: number): readonly string[] {
  return comparable(text, instruction, 4 * index) === comparable(listed, instruction, 4 * index)
    ? []
    : [`${text} (${instruction.name}): objdump reads ${listed}`];
}

function requireNone(differences: readonly string[]): void {
  assert.deepEqual(differences.slice(0, 60), [], `${differences.length} differences`);
}

test("every form: our bytes are GNU as', our text is objdump's", options, (context) => {
  const noise = makeNoise(0x2545f491);
  const cases = INSTRUCTIONS.flatMap((row) => casesOf(row, noise));
  const texts = cases.map(({ decoded }) => writeInstruction(decoded, { withAliases: false }) ?? assert.fail(decoded.instruction.name));
  const gnu = gnuAssemble(texts, "no-aliases");
  requireNone([
    ...compareWords(
      texts,
      cases.map(({ word }) => word),
      gnu.words,
    ),
    ...cases.flatMap(({ decoded }, index) => (isUnreadable(decoded) ? [] : compareListing(decoded, texts[index] ?? "", gnu.listing[index], index))),
  ]);
  context.diagnostic(`${INSTRUCTIONS.length} forms, ${cases.length} instructions compared with GNU as and objdump, 0 differences`);
});

test("every alias: GNU as reads it as we do, and objdump writes the one that we write", options, (context) => {
  const noise = makeNoise(0x85ebca6b);
  const cases = listAliases().flatMap((alias) => aliasCasesOf(alias, noise));
  const words = cases.map(({ word }) => word);
  const covered = new Set(cases.map(({ alias }) => alias));
  assert.deepEqual(
    listAliases()
      .filter((alias) => !covered.has(alias))
      .map(({ mnemonic }) => mnemonic),
    [],
  );
  const texts = cases.map(({ text }) => text);
  const gnu = gnuAssemble(texts, "aliases");
  const written = cases.map(({ decoded }) => writeInstruction(decoded) ?? assert.fail(decoded.instruction.name));
  // What only assemblers read may be another form of the mnemonic, when that takes the operands too; then both must choose it.
  const meant = cases.map(({ alias, word }, index) => (alias.use === "reading" ? (gnu.words[index] ?? 0) : word));
  requireNone([
    ...compareWords(texts, meant, gnu.words),
    ...compareWords(written, words, gnuAssemble(written).words),
    ...cases.flatMap(({ decoded }, index) =>
      meant[index] !== words[index] || isUnreadable(decoded) ? [] : compareListing(decoded, written[index] ?? "", gnu.listing[index], index),
    ),
  ]);
  const unwritten = cases.filter(({ alias, text }, index) => alias.use === "preferred" && text === written[index]);
  assert.equal(
    new Set(unwritten.map(({ alias }) => alias)).size,
    listAliases().filter(({ use }) => use === "preferred").length,
    "every preferred alias is written",
  );
  context.diagnostic(`${listAliases().length} aliases, ${cases.length} instructions compared with GNU as and objdump, 0 differences`);
});

/** Words of every row, the same with one fixed bit wrong, and any others. */
function manyWords(noise: () => number): readonly number[] {
  const words: number[] = [];
  for (const row of INSTRUCTIONS) {
    const anyOf = (): number => (noise() & ~row.mask) | row.match;
    for (let index = 0; index < 50; index++) words.push(anyOf() >>> 0);
    for (let bit = 0; bit < 32; bit++) if ((row.mask >>> bit) & 1) words.push((anyOf() ^ (1 << bit)) >>> 0);
  }
  for (let index = 0; index < 20_000; index++) words.push(noise());
  return words;
}

test("our disassembly of many words assembles, by us and by GNU as, to the same words", options, (context) => {
  const words = manyWords(makeNoise(0x9e3779b9));
  const texts = words.map((word) => disassembleWord(word));
  requireNone(compareWords(texts, words, gnuAssemble(texts).words));
  const data = texts.filter((text) => text.startsWith(".inst")).length;
  context.diagnostic(`${words.length} words disassembled and assembled again (${data} as data), 0 differences`);
});

/** Instructions of our mnemonics that are other extensions', and words that objdump 2.40 reads more generously than the manual. */
function isLeftOut(listed: string): boolean {
  const [mnemonic = "", operands = ""] = listed.split("\t");
  // SIMD, half precision and SVE; conversions to fixed point.
  if (/\b[vzp]\d+\b|\bh\d+/.test(operands) || /^([su]cvtf|fcvtz[su])$/.test(mnemonic)) return true;
  // Bits that the diagrams of C6.2 have as (1): they should be one, and nobody promises anything when they are not.
  if (/^((ld|st)a?l?x[rp][bh]?|ldar[bh]?|stlr[bh]?|ldapr[bh]?|[su]mulh|cas.*)$/.test(mnemonic)) return true;
  return /^(msr|mrs)\t.*\b(s0_|allint)|^fcmpe?\t.*#0\.0/.test(listed) || /^(cnt|movi)$/.test(mnemonic);
}

test("what we take for an instruction is what objdump takes for one, and it reads the same", options, (context) => {
  const words = manyWords(makeNoise(0x6c078965));
  const { listing } = gnuAssemble(
    words.map((word) => `.inst ${word}`),
    "aliases",
  );
  const ours = new Set([...INSTRUCTIONS, ...listAliases()].map(({ mnemonic }) => mnemonic));
  let both = 0;
  const differences = words.flatMap((word, index) => {
    const decoded = decode(word);
    const listed = listing[index] ?? "";
    if (decoded === undefined) return ours.has(listed.split("\t")[0] ?? "") && !isLeftOut(listed) ? [`${hex(word)} is data: objdump reads ${listed}`] : [];
    both++;
    const text = writeInstruction(decoded);
    // System registers that we leave out have names there.
    if (text === undefined || isUnreadable(decoded) || /\bs[23]_\d_c/.test(text)) return [];
    return compareListing(decoded, text, listed, index);
  });
  requireNone(differences);
  context.diagnostic(`${words.length} words, ${both} of them instructions, read alike`);
});
