// The oracle for encodings: every row of the table, in every mode that has it, over edge values of every operand. Our assembler and
// GNU as make the same bytes of the same text; objdump reads the bytes of every form, also of those that no text chooses, as
// our disassembly says; and decoding gives back form and operands. Without GNU binutils for x86 it is skipped with the reason;
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
import { writeInstruction } from "./disassemble.ts";
import { codeOf, createCodeBuffer, emitForm, fitsForm, selectForm, usualSegment } from "./encode.ts";
import type { Prefixes } from "./encode.ts";
import { listInstructions, MNEMONIC_ALIASES, writeForm } from "./instructions.ts";
import type { Instruction } from "./instructions.ts";
import { valueOf } from "./operands.ts";
import type { MemoryOperand, Mode, Operand, OperandClass, OperandPattern } from "./operands.ts";
import { isRequired } from "../../tests/fixtures/required.ts";

const MODES = [64, 32, 16] as const;

function findProblem(): string | null {
  const version = spawnSync("as", ["--version"], { encoding: "utf8" });
  if (version.error !== undefined || version.status !== 0) return "as cannot be run (Debian package binutils)";
  return /x86_64|i[3-6]86/.test(version.stdout) ? null : "as is not for x86 (Debian package binutils-x86-64-linux-gnu on other hosts)";
}

const problem = findProblem();
const options = { skip: problem !== null && !isRequired("binutils") ? problem : false };

function run(program: string, args: readonly string[]): string {
  const result = spawnSync(program, args, { encoding: "utf8", maxBuffer: 1 << 29 });
  if (result.error !== undefined) throw result.error;
  return result.status === 0 ? result.stdout : assert.fail(`${program}: ${result.stderr.slice(0, 4000)}`);
}

function inFolder<Result>(action: (file: (name: string) => string) => Result): Result {
  const folder = mkdtempSync(join(tmpdir(), "guestspec-binutils-"));
  try {
    return action((name) => join(folder, name));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Room for one instruction each, so that one wrong length does not move the others. */
const SLOT = 16;

/** The bytes that GNU as makes of every line, in a slot filled up with 0. */
function gnuAssemble(mode: Mode, lines: readonly string[]): Uint8Array {
  return gnuAssembleText(
    mode,
    lines.flatMap((line) => [line, `.balign ${SLOT}, 0`]),
  );
}

function gnuAssembleText(mode: Mode, lines: readonly string[]): Uint8Array {
  return inFolder((file) => {
    writeFileSync(file("forms.s"), `${[".intel_syntax noprefix", `.code${mode}`, ...lines].join("\n")}\n`);
    run("as", ["-W", mode === 64 ? "--64" : "--32", "-o", file("forms.o"), file("forms.s")]);
    run("objcopy", ["-O", "binary", "-j", ".text", file("forms.o"), file("forms.bin")]);
    return readFileSync(file("forms.bin"));
  });
}

/** objdump's reading by offset. */
function gnuDisassemble(mode: Mode, bytes: Uint8Array): ReadonlyMap<number, string> {
  return inFolder((file) => {
    writeFileSync(file("forms.bin"), bytes);
    const machine = mode === 64 ? ["-m", "i386:x86-64"] : mode === 32 ? ["-m", "i386"] : ["-m", "i8086"];
    const dump = run("objdump", ["-D", "-w", "-z", "--no-show-raw-insn", "-b", "binary", ...machine, "-M", "intel", file("forms.bin")]);
    return new Map([...dump.matchAll(/^ *([0-9a-f]+):\t(.*)$/gm)].map(([, address = "", text = ""]) => [parseInt(address, 16), text.trim()]));
  });
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

const numbersTo = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);

function addressShapes(mode: Mode): readonly Omit<MemoryOperand, "kind">[] {
  const count = mode === 64 ? 16 : 8;
  const registers = numbersTo(count);
  const disps = [1, -1, 127, -128, 128, -129, 0x7fff_ffff, -0x8000_0000, 0x1234_5678];
  const long = (addressWidth?: 32): Omit<MemoryOperand, "kind">[] => {
    const width = addressWidth === undefined ? {} : { addressWidth };
    return [
      ...registers.flatMap((base) => [
        { base, ...width },
        { base, disp: 8, ...width },
      ]),
      ...registers
        .filter((index) => index !== 4)
        .flatMap((index) => [
          { index, scale: 4 as const, ...width },
          { index, scale: 1 as const, disp: 64, ...width },
        ]),
      ...registers.map((base) => ({ base, index: (base + 5) % count === 4 ? 5 : (base + 5) % count, scale: ([1, 2, 4, 8] as const)[base % 4] ?? 1, ...width })),
      ...disps.map((disp) => ({ base: 3, disp, ...width })),
      ...disps.map((disp) => ({ base: 5, index: 3, scale: 8 as const, disp, ...width })),
    ];
  };
  const short = (addressWidth?: 16): Omit<MemoryOperand, "kind">[] => {
    const width = addressWidth === undefined ? {} : { addressWidth };
    const pairs = [
      { base: 3, index: 6 },
      { base: 3, index: 7 },
      { base: 5, index: 6 },
      { base: 5, index: 7 },
      { base: 6 },
      { base: 7 },
      { base: 5 },
      { base: 3 },
    ];
    return [...pairs.flatMap((pair) => [0, 5, -128, 128, 0x7fff, -0x8000].map((disp) => ({ ...pair, disp, ...width }))), { disp: 0x1234, ...width }];
  };
  const segments = [0, 1, 2, 3, 4, 5].map((segment) => ({ base: 3, segment }));
  // Of the width that is not the mode's own; 5 and the counts of registers have no common divisor.
  const some = <Shape>(shapes: readonly Shape[]): readonly Shape[] => shapes.filter((_, index) => index % 5 === 0);
  if (mode === 16) return [...short(), ...some(long(32)), { disp: 0x1234, addressWidth: 32 }, ...segments, { base: 5, segment: 3 }];
  if (mode === 32) return [...long(), { disp: 0x1234_5678 }, { disp: -1 }, ...some(short(16)), ...segments, { base: 5, segment: 3 }, { disp: 16, segment: 4 }];
  return [
    ...long(),
    ...some(long(32)),
    { disp: 0x1234 },
    { disp: -4 },
    { ripRelative: true, disp: 0x1000 },
    { ripRelative: true },
    { ripRelative: true, disp: -8, addressWidth: 32 },
    { disp: 0x28, segment: 4 },
    ...segments,
    { base: 5, segment: 3 },
  ];
}

/** Zero, the ends, the ends of shorter forms, and single bits. */
function numberEdges(bits: 8 | 16 | 32 | 64, field: number): readonly (number | bigint)[] {
  const edges = [7, 8, 15, 16, 31, 32, 63, 64]
    .filter((bit) => bit <= bits)
    .flatMap((bit) => {
      const power = 1n << BigInt(bit);
      return [power - 1n, power, -power, -power - 1n];
    });
  const [least, most] = [-(1n << BigInt(bits - 1)), (1n << BigInt(bits)) - 1n];
  const fitting = [0n, 1n, 9n, 10n, 0x12n, 0x1234n, 0x1234_5678n, 0x1122_3344_5566_7788n, ...edges].filter((value) => {
    const isInField = field === bits || BigInt.asIntN(field, value) === BigInt.asIntN(bits, value);
    return value >= least && value <= most && isInField;
  });
  return fitting.map((value) => (value >= -0x8000_0000n && value <= 0xffff_ffffn ? Number(value) : value));
}

/** Those of 8 bits fit whatever the length of the instruction, the others only the longer fields. */
const DISTANCES = {
  8: [2, 5, 100, -100, -120, 125],
  16: [0x1000, -0x1000, 0x7ff0, -0x7ff0, 300],
  32: [0x1000, -0x1000, 0x12_3456, -0x1234_5678, 300],
} as const;

function edgesOf(pattern: OperandPattern, mode: Mode): readonly Operand[] {
  return pattern.classes.flatMap((name): readonly Operand[] => edgesOfClass(name, pattern, mode));
}

function edgesOfClass(name: OperandClass, pattern: OperandPattern, mode: Mode): readonly Operand[] {
  const count = mode === 64 ? 16 : 8;
  const number = (all: number): readonly number[] => (pattern.fixed === undefined ? numbersTo(all).filter((one) => one !== pattern.without) : [pattern.fixed]);
  switch (name) {
    case "reg8":
      return [
        ...number(count)
          .filter((one) => mode === 64 || one < 4)
          .map((one): Operand => ({ kind: "reg", width: 8, number: one })),
        ...(pattern.fixed === undefined ? [4, 5, 6, 7].map((one): Operand => ({ kind: "reg", width: 8, number: one, high: true })) : []),
      ];
    case "reg16":
    case "reg32":
    case "reg64":
      return number(count).map((one) => ({ kind: "reg", width: name === "reg16" ? 16 : name === "reg32" ? 32 : 64, number: one }));
    case "sreg":
      return number(6).map((one) => ({ kind: name, number: one }));
    case "cr":
      return [0, 2, 3, 4, ...(mode === 64 ? [8] : [])].map((one) => ({ kind: name, number: one }));
    case "dr":
    case "st":
      return number(8).map((one) => ({ kind: name, number: one }));
    case "xmm":
      return number(count).map((one) => ({ kind: name, number: one }));
    case "imm":
      return pattern.fixed !== undefined ? [pattern.fixed] : numberEdges(pattern.extended ?? 8, pattern.field ?? 8);
    case "target": {
      const { field } = pattern;
      if (field !== 8 && field !== 16 && field !== 32) return [];
      const isForced = field !== 8 && field !== (mode === 16 ? 16 : 32);
      return DISTANCES[field].map((distance) => ({ kind: "target", distance, ...(isForced && { width: field }) }));
    }
    case "far":
      return [
        { kind: "far", selector: 8, offset: 0x1234, width: pattern.field === 16 ? 16 : 32 },
        { kind: "far", selector: 0xffff, offset: pattern.field === 16 ? 0xffff : 0xffff_ffff, width: pattern.field === 16 ? 16 : 32 },
      ];
    case "mem":
      // Where a width is needed, the operand says it, so that every text has one.
      if (pattern.memoryWidth !== undefined) return [];
      return addressShapes(mode).map((shape) => ({ kind: "mem", ...shape }));
    case "mem8":
    case "mem16":
    case "mem32":
    case "mem64":
    case "mem80":
    case "mem128":
    case "far32":
    case "far48":
    case "far80": {
      const { memoryWidth: width, slot } = pattern;
      if (width === undefined) return [];
      const far = name.startsWith("far") ? { far: true as const } : {};
      if (slot !== "address") return addressShapes(mode).map((shape): Operand => ({ kind: "mem", width, ...far, ...shape }));
      const bare = mode === 64 ? [0x1122_3344_5566_7788n, 0x8000_0000n] : mode === 32 ? [0, 0x1234_5678, 0xffff_ffff] : [0, 0x1234, 0xffff];
      return [...bare.map((disp): Operand => ({ kind: "mem", width, disp })), { kind: "mem", width, disp: bare[1] ?? 0, segment: 4 }];
    }
    case "none":
      return [];
  }
}

interface Case {
  readonly form: Instruction;
  readonly mode: Mode;
  readonly operands: readonly Operand[];
  readonly prefixes: Prefixes;
  /** Of this form. */
  readonly bytes: Uint8Array;
  readonly text: string;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

function casesOf(form: Instruction, mode: Mode, noise: () => number): readonly Case[] {
  const choices = form.operands.map((pattern) => edgesOf(pattern, mode));
  const pick = <T>(values: readonly T[]): T => values[noise() % values.length] ?? assert.fail("nothing to pick");
  const combinations = choices.flatMap((values, varied) => values.map((value) => choices.map((others, index) => (index === varied ? value : pick(others)))));
  if (choices.length === 0) combinations.push([]);
  // Prefixes do not depend on the operands, so a few combinations show them.
  const cases = combinations.flatMap((operands, index) =>
    (index % 8 === 0 ? prefixesOf(form, operands, mode) : [{}]).map((prefixes) => ({ operands, prefixes })),
  );
  return cases.flatMap(({ operands, prefixes }) => {
    if (!fitsForm(form, operands, mode, prefixes)) return [];
    const code = createCodeBuffer(mode);
    emitForm(code, form, operands, prefixes);
    return [
      { form, mode, operands, prefixes, bytes: codeOf(code), text: writeInstruction({ instruction: form, operands, prefixes, length: code.length }, mode) },
    ];
  });
}

function prefixesOf({ allows }: Instruction, operands: readonly Operand[], mode: Mode): readonly Prefixes[] {
  const [first] = operands;
  const isMemory = typeof first === "object" && first.kind === "mem";
  return [
    {},
    ...(allows.has("lock") && isMemory ? [{ lock: true }] : []),
    ...(allows.has("rep") || allows.has("repe") ? [{ repeat: "rep" as const }] : []),
    ...(allows.has("repe") ? [{ repeat: "repne" as const }] : []),
    ...(allows.has("segment") ? [{ segment: 4 }, { segment: mode === 64 ? 5 : 0 }] : []),
    ...(allows.has("address") ? [{ addressWidth: mode === 32 ? (16 as const) : (32 as const) }] : []),
  ];
}

/** What GNU as is given where it writes our text in another way. */
function forGnu({ form, mode, operands, text }: Case): string {
  const [first] = operands;
  const last = operands.at(-1);
  const size = (width: number): string => (width === 16 ? "data16" : "data32");
  if (typeof first === "object" && first.kind === "target" && form.operands[0]?.field !== 8) {
    const sized = /^(\S+) d?word ptr (.*)$/.exec(text);
    if (sized !== null) return `${size(form.operands[0]?.field ?? 0)} ${sized[1]} ${sized[2]}`;
  }
  if (typeof first === "object" && first.kind === "far" && first.width !== mode)
    return `l${form.mnemonic}${first.width === 16 ? "w" : "d"} ${first.selector}, ${first.offset}`;
  if (typeof last === "object" && last.kind === "mem" && last.far === true) {
    if (last.width === 80) return `rex.w ${text.replace("far tbyte", "fword")}`;
    // Without `far`, a near pointer of this width is meant.
    if (last.width === 32 && mode === 32 && form.operands.length === 1) return `data16 ${text.replace("far dword", "fword")}`;
    return text.replace("far dword", "dword");
  }
  return text;
}

/** What GNU as makes of a text that we mean otherwise, for a reason. */
function isKnownToDiffer({ mode, operands, text }: Case): boolean {
  // GNU as has a bare address of 32 bits in 64-bit mode in two forms, and chooses among them by the register.
  if (mode === 64 && operands.some((operand) => isBare(operand) && operand.addressWidth === 32)) return true;
  // GNU as takes this for a far pointer and has no name for the near one.
  if (mode === 16 && /^(addr32 )?(jmp|call) dword ptr (\w\w:)?\[/.test(text)) return true;
  // GNU as makes the one-byte nop of the accumulator's exchange with itself, we leave that name to `nop`.
  return text === (mode === 16 ? "xchg ax, ax" : mode === 32 ? "xchg eax, eax" : "xchg rax, rax");
}

const isBare = (operand: Operand): operand is MemoryOperand =>
  typeof operand === "object" && operand.kind === "mem" && operand.base === undefined && operand.index === undefined && operand.ripRelative !== true;

/** Operands as every reader has them: immediates unsigned in the operand's width, the usual segment and field widths unsaid. */
function readAs(operand: Operand, pattern: OperandPattern | undefined, mode: Mode): Operand {
  if (typeof operand !== "object" || operand.kind === "imm")
    return pattern?.extended === undefined ? operand : BigInt.asUintN(pattern.extended, BigInt(valueOf(operand)));
  if (operand.kind === "target") return { kind: "target", distance: operand.distance };
  if (operand.kind !== "mem") return operand;
  const { displacementWidth: _, segment, addressWidth = mode, disp = 0, ...rest } = operand;
  const isUsual = segment === undefined || segment === usualSegment(operand, mode);
  const bits = isBare(operand) && pattern?.slot === "address" ? addressWidth : addressWidth === 16 ? 16 : 32;
  const signed = pattern?.slot === "address" ? BigInt.asUintN(bits, BigInt(disp)) : BigInt.asIntN(bits, BigInt(disp));
  return { ...rest, disp: signed, ...(!isUsual && { segment }), ...(addressWidth !== mode && { addressWidth }) };
}

const plainNumbers = (text: string): string => text.replace(/\b(0x[0-9a-f]+|\d+)\b/g, (number) => String(BigInt(number)));

function writeRead(instruction: Instruction, operands: readonly Operand[], prefixes: Prefixes, mode: Mode): string {
  const shown = operands.map((operand, index) => readAs(operand, instruction.operands[index], mode));
  return plainNumbers(writeInstruction({ instruction, operands: shown, prefixes, length: 0 }, mode));
}

function ourReading({ form, mode, operands, prefixes }: Case): string {
  const text = writeRead(form, operands, prefixes, mode)
    .replace(/(?:d?word ptr )?\. ([+-]) (\d+)$/, ".$1$2")
    .replace(/ ?([,+-]) ?/g, "$1")
    .replace("far ", "");
  // objdump does not show these, and the sizes of far pointers in the instruction by digits only.
  if (form.operands.some(({ slot }) => slot === "address" || slot === "pointer")) return text.replace(/(addr\d+ |\w+ ptr )/g, "");
  return operands.some(isBare) ? text.replace(/\baddr\d+ /, "") : text;
}

/** objdump's names of string instructions with their operands, to our names: `movs BYTE PTR es:[rdi],BYTE PTR fs:[rsi]`. */
function nameString(text: string, mode: Mode): string {
  const match = /^(.*?)\b(movs|cmps|stos|lods|scas|ins|outs|xlat)\s+(.*)$/.exec(text);
  if (match === null) return text;
  const [, before = "", stem = "", operands = ""] = match;
  const size = /(byte|word|dword|qword) ptr/.exec(operands)?.[1]?.[0] ?? "";
  const segment = /\b(cs|ss|es|fs|gs):\[[er]?(?:si|bx)/.exec(operands)?.[1];
  const register = /\[([a-z]+)\]/.exec(operands)?.[1] ?? "";
  const width = register.startsWith("r") ? 64 : register.startsWith("e") ? 32 : 16;
  // The destination is always in es.
  return `${segment === undefined ? "" : `${segment} `}${width === mode ? "" : `addr${width} `}${before}${stem}${size}`;
}

function theirReading(listed: string, { form, mode, operands }: Case, offset: number): string {
  let text = listed
    .toLowerCase()
    .replace(/\s*#.*$/, "")
    .replace(/\s+/g, " ")
    .trim();
  text = text
    .replace(/^repz /, "repe ")
    .replace(/^repnz /, "repne ")
    .replace("oword ptr", "xmmword ptr");
  text = text
    .replace(/\brex\.w[rxb]* (jmp|call) fword/, "$1 tbyte")
    .replace(/\[([re]ip)\+0xffffffff(\w{8})\]/, (_, pointer: string, low: string) => `[${pointer}-${2 ** 32 - parseInt(low, 16)}]`);
  // A data segment prefix before an indirect branch has another meaning with control-flow enforcement.
  text = text.replace(/^notrack (.*)\[/, "$1ds:[");
  text = nameString(text, mode);
  const [target] = form.operands;
  if (target?.slot === "relative") {
    // The 16-bit operand size wraps the target at 64 kilobytes.
    const bits = target.field === 16 || (target.field === 8 && mode === 16) ? 16 : mode === 64 ? 64 : 32;
    text = text.replace(/^(jmp|call)[wd] /, "$1 ").replace(/ (0x[0-9a-f]+)$/, (_, address: string) => {
      const distance = BigInt.asIntN(bits, BigInt(address) - BigInt(offset));
      return distance < 0n ? ` .${distance}` : ` .+${distance}`;
    });
  }
  text = text
    .replace(/\b([c-g]s):(-?0x[0-9a-f]+)/, (_, segment: string, address: string) => (segment === "ds" ? `[${address}]` : `${segment}:[${address}]`))
    .replace("[eiz*1+", "[");
  // A segment prefix without a meaning in 64-bit mode stands before the mnemonic.
  text = text.replace(/^(.*?)\b(cs|ds|es|ss) (.*)\[/, "$1$3$2:[");
  if (form.mnemonic === "movabs") text = text.replace(/^addr32 mov /, "movabs ");
  text = text.replace(/ ?([,+-]) ?/g, "$1").replace(/\+0x0\b/, "");
  if (operands.some(isBare)) text = text.replace(/\baddr\d+ /, "");
  return plainNumbers(text);
}

test("GNU binutils for x86 is there to compare with", options, () => {
  assert.equal(problem, null);
});

for (const mode of MODES) {
  test(`every form of ${mode}-bit mode: our bytes are GNU as', our reading is objdump's`, options, (context) => {
    const noise = makeNoise(0x2545f491 + mode);
    const forms = listInstructions().filter(({ modes }) => modes.includes(mode));
    const cases = forms.flatMap((form) => casesOf(form, mode, noise));
    const covered = new Set(cases.map(({ form }) => form));
    assert.deepEqual(forms.filter((form) => !covered.has(form)).map(writeForm), []);

    const wrong: string[] = [];
    const shared = cases.filter((one) => !isKnownToDiffer(one));
    const gnu = gnuAssemble(mode, shared.map(forGnu));
    const chosen = new Set<Instruction>();
    for (const [index, one] of shared.entries()) {
      const assembly = assemble(one.text, { mode });
      if (!assembly.ok) {
        wrong.push(`${one.text}: ${assembly.problems.map(formatProblem).join("; ")}`);
        continue;
      }
      const theirs = gnu.subarray(index * SLOT, index * SLOT + assembly.bytes.length);
      const rest = gnu.subarray(index * SLOT + assembly.bytes.length, (index + 1) * SLOT);
      if (hex(assembly.bytes) !== hex(theirs) || rest.some((byte) => byte !== 0))
        wrong.push(`${one.text}: ${hex(assembly.bytes)}, GNU as: ${hex(gnu.subarray(index * SLOT, (index + 1) * SLOT))}`);
      const form = selectForm(mode, one.form.mnemonic, one.operands, one.prefixes);
      if (typeof form !== "string") chosen.add(form);
    }
    const unlike = wrong.length;

    const own = cases.filter(({ form }) => !form.isAlias);
    // Behind every instruction a nop, since objdump reads an fwait together with what follows.
    const image = Buffer.concat(own.flatMap(({ bytes }) => [bytes, Buffer.of(0x90)]));
    const listing = gnuDisassemble(mode, image);
    let offset = 0;
    for (const one of own) {
      const decoded = decode(image, offset, mode);
      const round = explainRound(one, decoded);
      if (round !== undefined) wrong.push(`${one.text} (${hex(one.bytes)}): ${round}`);
      const listed = listing.get(offset);
      const ours = ourReading(decoded === undefined || round !== undefined ? one : { ...one, form: decoded.instruction });
      const theirs = listed === undefined ? "nothing" : theirReading(listed, one, offset);
      if (ours !== theirs) wrong.push(`${ours} (${hex(one.bytes)}): objdump reads ${theirs}`);
      offset += one.bytes.length + 1;
    }
    assert.deepEqual(wrong.slice(0, 40), [], `${wrong.length} differences, ${unlike} of them in bytes`);
    context.diagnostic(
      `${forms.length} forms, ${chosen.size} of them chosen by GNU as too; ${shared.length} instructions compared with GNU as, ${own.length} with objdump and decoded, 0 differences`,
    );
  });
}

for (const mode of MODES) {
  test(`random bytes in ${mode}-bit mode: what we take for an instruction objdump reads the same`, options, (context) => {
    const noise = makeNoise(0x6c078965 + mode);
    const opcodes = listInstructions().map(({ vex, map, opcode }) => {
      if (vex) return [0xc4, 0xe0 | map, 0x78, opcode];
      return [...(map === 0 ? [] : map === 1 ? [0x0f] : [0x0f, map === 2 ? 0x38 : 0x3a]), opcode];
    });
    const prefixes = [0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x64, 0x2e, 0x40, 0x41, 0x44, 0x48, 0x4d, 0x4f];
    const slots = Array.from({ length: 60_000 }, (_, index) => {
      const before = numbersTo(noise() % 3).map(() => prefixes[noise() % prefixes.length] ?? 0);
      const opcode = opcodes[index % opcodes.length] ?? [];
      // A bit of the opcode or of VEX may be another.
      const changed = noise() % 4 === 0 ? opcode.map((byte) => byte ^ (noise() % 8 === 0 ? 1 << (noise() % 8) : 0)) : opcode;
      return [...before, ...changed, ...numbersTo(SLOT).map(() => noise() & 0xff)].slice(0, SLOT);
    });
    const read = slots.flatMap((slot) => {
      const decoded = decode(Uint8Array.from(slot), 0, mode);
      return decoded === undefined ? [] : [{ decoded, bytes: Uint8Array.from(slot.slice(0, decoded.length)) }];
    });
    const listing = gnuDisassemble(mode, Buffer.concat(read.flatMap(({ bytes }) => [bytes, Buffer.of(0x90)])));
    const wrong: string[] = [];
    let offset = 0;
    for (const { decoded, bytes } of read) {
      const { instruction: form, operands } = decoded;
      const one: Case = { form, mode, operands, prefixes: decoded.prefixes, bytes, text: writeInstruction(decoded, mode) };
      const listed = listing.get(offset);
      const theirs = listed === undefined ? "nothing" : theirReading(listed, one, offset);
      if (ourReading(one) !== theirs) wrong.push(`${ourReading(one)} (${hex(bytes)}): objdump reads ${theirs}`);
      const code = createCodeBuffer(mode);
      emitForm(code, form, operands, decoded.prefixes);
      const again = decode(codeOf(code), 0, mode);
      if (again === undefined || writeInstruction(again, mode) !== one.text) wrong.push(`${one.text} (${hex(bytes)}): encodes to ${hex(codeOf(code))}`);
      offset += bytes.length + 1;
    }
    assert.deepEqual(wrong.slice(0, 40), [], `${wrong.length} differences`);
    context.diagnostic(`${slots.length} byte sequences, ${read.length} of them instructions, read alike`);
  });
}

/** What people write otherwise than the disassembler does. */
const WRITTEN = [
  ...[...MNEMONIC_ALIASES.keys()].flatMap((name) => {
    if (name.startsWith("j") || name.startsWith("loop")) return [`${name} . + 2`];
    if (name.startsWith("set")) return [`${name} byte ptr [rax]`, `${name} r9b`];
    if (name.startsWith("cmov")) return [`${name} eax, [rcx]`];
    // Not GNU as' name of int1.
    return name === "icebp" ? [] : [name === "sal" ? "sal eax, 3" : name];
  }),
  "mov rax, [rbx]",
  "mov [rbx], al",
  "movzx eax, word ptr [rbx]",
  "push [rax]",
  "call [rax]",
  "pop [rip + 8]",
  "mov rax, ds:[rbx]",
  "mov eax, fs:0x28",
  "mov eax, [0x1234]",
  "mov rax, [0x1122334455667788]",
  "lea rax, [rbx + rsp]",
  "lea rax, [rcx*8]",
  "lea rax, [8*rcx + rbx - 4 + 12]",
  "lea rax, [rbx + 0xffffffffffffffff]",
  "test rax, [rbx]",
  "xchg rax, [rbx]",
  "xchg rax, r9",
  "imul eax, 3",
  "imul rax, 300",
  "int 3",
  "movsx rax, ecx",
  "mov ds, ax",
  "mov rax, fs",
  "sldt rax",
  "str rcx",
  "pushfq",
  "popfq",
  "lock xchg [rax], ecx",
  "repz cmpsb",
  "repnz scasb",
  "rep fs lodsb",
  "jmp far ptr [rax]",
  "fld st",
  "xlat",
  "cmpxchg16b [rax]",
  "lgdt [rax]",
  "invlpg [rax]",
  "mov eax, 'A'",
  "add rsp, -(8 * 4)",
  "mov byte ptr [rax], ~0x0f & 0xff",
] as const;

test("what people write otherwise is what GNU as makes of it", options, () => {
  const gnu = gnuAssemble(64, WRITTEN);
  for (const [index, text] of WRITTEN.entries()) {
    const assembly = assemble(text);
    if (!assembly.ok) return assert.fail(`${text}: ${assembly.problems.map(formatProblem).join("; ")}`);
    assert.equal(hex(assembly.bytes).padEnd(2 * SLOT, "0"), hex(gnu.subarray(index * SLOT, (index + 1) * SLOT)), text);
  }
});

test("programs with labels: GNU as makes the same jumps long", options, (context) => {
  const noise = makeNoise(0x51ed270b);
  let jumps = 0;
  for (const mode of MODES) {
    for (let program = 0; program < 8; program++) {
      const count = 60;
      const lines = numbersTo(count).flatMap((label) => {
        jumps++;
        const target = Math.min(count - 1, Math.max(0, label + (noise() % 9) - 4));
        const branch = ["jmp", "je", "jg", "call", "jnc"][noise() % 5] ?? "jmp";
        return [`label${label}: ${branch} label${target}`, `.skip ${noise() % 45}`];
      });
      // Without alignment, since then there is one shortest program.
      const assembly = assemble(lines.join("\n"), { mode });
      if (!assembly.ok) return assert.fail(assembly.problems.map(formatProblem).join("\n"));
      const gnu = gnuAssembleText(mode, lines);
      assert.equal(hex(assembly.bytes), hex(gnu.subarray(0, assembly.bytes.length)));
      assert.ok(gnu.subarray(assembly.bytes.length).every((byte) => byte === 0x90));
    }
  }
  context.diagnostic(`${jumps} jumps, alike`);
});

/** Undefined when decoding gives the case's form and operands. */
function explainRound({ form, mode, operands, prefixes, bytes }: Case, decoded: DecodedInstruction | undefined): string | undefined {
  if (decoded === undefined) return "does not decode";
  if (decoded.length !== bytes.length) return `decodes to ${decoded.length} bytes`;
  const code = createCodeBuffer(mode);
  emitForm(code, decoded.instruction, decoded.operands, decoded.prefixes);
  if (hex(codeOf(code)) !== hex(bytes)) return `decodes to what is ${hex(codeOf(code))}`;
  // The width of the mode need not be said: iretd is iret where that is 32 bits.
  const isShorterName = form.mnemonic === `${decoded.instruction.mnemonic}${mode === 16 ? "w" : "d"}`;
  if (decoded.instruction !== form && !isShorterName) return `decodes to ${writeForm(decoded.instruction)}`;
  const ours = writeRead(decoded.instruction, operands, prefixes, mode);
  const theirs = writeRead(decoded.instruction, decoded.operands, decoded.prefixes, mode);
  return ours === theirs ? undefined : `decodes to ${theirs}`;
}
