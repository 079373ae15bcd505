// The instruction table of x86: one row a form, and everything that knows an encoding reads it (encode.ts, decode.ts, assemble.ts,
// disassemble.ts). A row says mnemonic, operands, encoding and flags. `N` stands for 16, 32 and 64, each a form of its own. Rows of
// a mnemonic stand in the order in which the encoder tries them, which is GNU as' choice; rows of equal bytes in the decoder's.
//
// Encoding, in the manual's notation (Intel SDM volume 2, 3.1.1.1): opcode bytes, `/r` a ModRM byte with a register, `/0`..`/7` one
// with these bits, `+r` a register in the low bits of the last byte, `REX.W`, leading 66, F2 and F3 prefixes that are part of the
// opcode, and `VEX.66.0F38.W0`. `o16`, `o32`, `a16`.. stand for the size prefix where the mode needs it. Immediates come last,
// their fields as wide as the operand's name says. Flags: `64`, `32`, `16` (modes; absent: all, or 64-bit mode only with REX.W),
// `legacy` (not 64-bit mode), `lock`, `rep` and `repe` (the prefix may be written), `segment` and `address` (that override has
// a meaning although no operand shows it), `alias` (another way to write a form; never decoded).
// Encodings: Intel SDM volume 2, chapters 3 to 5 (instruction pages), appendix A (opcode maps), B.17 (floating point).
// Left out: BCD and bounds checks, MMX, SSE3 and later vectors, AVX, VMX and SVM but the hypercalls, TSX, MPX, CET, SGX, AMX.

import { isPatternName, PATTERNS } from "./operands.ts";
import type { OperandPattern, Slot } from "./operands.ts";

type Row = readonly [mnemonic: string, operands: string, encoding: string, flags?: string];

/** Condition codes by number (volume 1, appendix B), each with its other names. */
export const CONDITIONS = [
  ["o"],
  ["no"],
  ["b", "c", "nae"],
  ["ae", "nb", "nc"],
  ["e", "z"],
  ["ne", "nz"],
  ["be", "na"],
  ["a", "nbe"],
  ["s"],
  ["ns"],
  ["p", "pe"],
  ["np", "po"],
  ["l", "nge"],
  ["ge", "nl"],
  ["le", "ng"],
  ["g", "nle"],
] as const;
export type Condition = (typeof CONDITIONS)[number][0];

/** By the digit of opcode 80..83, and eight times the digit is the first opcode. */
const ARITHMETIC = ["add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"] as const;
const SHIFTS = [
  ["rol", 0],
  ["ror", 1],
  ["rcl", 2],
  ["rcr", 3],
  ["shl", 4],
  ["shr", 5],
  ["sar", 7],
] as const;
const BIT_TESTS = [
  ["bt", 4, ""],
  ["bts", 5, "lock"],
  ["btr", 6, "lock"],
  ["btc", 7, "lock"],
] as const;
/** Of D8 (32 bits) and DC (64 bits), and for the popping forms the last byte behind DE, with st(i) the destination. */
const FLOAT_ARITHMETIC = [
  ["fadd", 0, "C0"],
  ["fmul", 1, "C8"],
  ["fsub", 4, "E8"],
  ["fsubr", 5, "E0"],
  ["fdiv", 6, "F8"],
  ["fdivr", 7, "F0"],
] as const;
const VECTOR_ARITHMETIC = [
  ["sqrt", "51"],
  ["add", "58"],
  ["mul", "59"],
  ["sub", "5C"],
  ["min", "5D"],
  ["div", "5E"],
  ["max", "5F"],
] as const;
const VECTOR_LOGIC = [
  ["and", "54"],
  ["andn", "55"],
  ["or", "56"],
  ["xor", "57"],
] as const;
const INTEGER_VECTORS = [
  ["punpcklqdq", "6C"],
  ["pcmpeqb", "74"],
  ["pcmpeqw", "75"],
  ["pcmpeqd", "76"],
  ["paddq", "D4"],
  ["pand", "DB"],
  ["pandn", "DF"],
  ["por", "EB"],
  ["pxor", "EF"],
  ["psubb", "F8"],
  ["psubw", "F9"],
  ["psubd", "FA"],
  ["psubq", "FB"],
  ["paddb", "FC"],
  ["paddw", "FD"],
  ["paddd", "FE"],
] as const;

const hex = (byte: number): string => byte.toString(16).padStart(2, "0").toUpperCase();

const arithmeticRows = ARITHMETIC.flatMap((mnemonic, digit): readonly Row[] => {
  const flags = mnemonic === "cmp" ? "" : "lock";
  return [
    [mnemonic, "rm8, r8", `${hex(8 * digit)} /r`, flags],
    [mnemonic, "rmN, rN", `${hex(8 * digit + 1)} /r`, flags],
    [mnemonic, "r8, rm8", `${hex(8 * digit + 2)} /r`],
    [mnemonic, "rN, rmN", `${hex(8 * digit + 3)} /r`],
    [mnemonic, "rmN, imm8/N", `83 /${digit}`, flags],
    [mnemonic, "al, imm8", hex(8 * digit + 4)],
    [mnemonic, "aN, immN", hex(8 * digit + 5)],
    [mnemonic, "rm8, imm8", `80 /${digit}`, flags],
    [mnemonic, "rmN, immN", `81 /${digit}`, flags],
  ];
});

const shiftRows = SHIFTS.flatMap(([mnemonic, digit]): readonly Row[] => [
  [mnemonic, "rm8, 1", `D0 /${digit}`],
  [mnemonic, "rmN, 1", `D1 /${digit}`],
  [mnemonic, "rm8, cl", `D2 /${digit}`],
  [mnemonic, "rmN, cl", `D3 /${digit}`],
  [mnemonic, "rm8, imm8", `C0 /${digit}`],
  [mnemonic, "rmN, imm8", `C1 /${digit}`],
]);

const bitTestRows = BIT_TESTS.flatMap(([mnemonic, digit, flags]): readonly Row[] => [
  [mnemonic, "rmN, rN", `0F ${hex(0x83 + 8 * digit)} /r`, flags],
  [mnemonic, "rmN, imm8", `0F BA /${digit}`, flags],
]);

const conditionalRows = CONDITIONS.flatMap(([condition], number): readonly Row[] => [
  [`j${condition}`, "rel8", hex(0x70 + number)],
  [`j${condition}`, "rel16", `o16 0F ${hex(0x80 + number)}`, "legacy"],
  [`j${condition}`, "rel32", `o32 0F ${hex(0x80 + number)}`],
  [`set${condition}`, "rm8", `0F ${hex(0x90 + number)} /0`],
  [`cmov${condition}`, "rN, rmN", `0F ${hex(0x40 + number)} /r`],
]);

const floatRows = FLOAT_ARITHMETIC.flatMap(([mnemonic, digit, last]): readonly Row[] => [
  [mnemonic, "m32", `D8 /${digit}`],
  [mnemonic, "m64", `DC /${digit}`],
  [`${mnemonic}p`, "st, st0", `DE ${last}+r`],
]);

const vectorRows: readonly Row[] = [
  ...VECTOR_ARITHMETIC.flatMap(([name, opcode]): readonly Row[] => [
    [`${name}ss`, "xmm, xm32", `F3 0F ${opcode} /r`],
    [`${name}sd`, "xmm, xm64", `F2 0F ${opcode} /r`],
    [`${name}ps`, "xmm, xm128", `0F ${opcode} /r`],
    [`${name}pd`, "xmm, xm128", `66 0F ${opcode} /r`],
  ]),
  ...VECTOR_LOGIC.flatMap(([name, opcode]): readonly Row[] => [
    [`${name}ps`, "xmm, xm128", `0F ${opcode} /r`],
    [`${name}pd`, "xmm, xm128", `66 0F ${opcode} /r`],
  ]),
  ...INTEGER_VECTORS.map(([name, opcode]): Row => [name, "xmm, xm128", `66 0F ${opcode} /r`]),
];

const ROWS = [
  // Moves (volume 2, 4.3 MOV). In 64-bit mode bare addresses of 64 bits are written `movabs`, and chosen for `mov` when nothing else fits.
  ["mov", "al, moffs8", "A0", "legacy"],
  ["mov", "ax, moffs16", "o16 A1", "legacy"],
  ["mov", "eax, moffs32", "o32 A1", "legacy"],
  ["mov", "moffs8, al", "A2", "legacy"],
  ["mov", "moffs16, ax", "o16 A3", "legacy"],
  ["mov", "moffs32, eax", "o32 A3", "legacy"],
  ["mov", "rm8, r8", "88 /r"],
  ["mov", "rmN, rN", "89 /r"],
  ["mov", "r8, rm8", "8A /r"],
  ["mov", "rN, rmN", "8B /r"],
  ["mov", "r8, imm8", "B0+r"],
  ["mov", "r16, imm16", "o16 B8+r"],
  ["mov", "r32, imm32", "o32 B8+r"],
  ["mov", "rm8, imm8", "C6 /0"],
  ["mov", "rmN, immN", "C7 /0"],
  ["movabs", "r64, imm64", "REX.W B8+r"],
  ["movabs", "al, moffs8", "A0", "64"],
  ["movabs", "aN, moffsN", "A1", "64"],
  ["movabs", "moffs8, al", "A2", "64"],
  ["movabs", "moffsN, aN", "A3", "64"],
  ["mov", "r64, imm64", "REX.W B8+r", "alias"],
  ["mov", "al, moffs8", "A0", "64 alias"],
  ["mov", "aN, moffsN", "A1", "64 alias"],
  ["mov", "moffs8, al", "A2", "64 alias"],
  ["mov", "moffsN, aN", "A3", "64 alias"],
  ["mov", "m16, sreg", "8C /r"],
  ["mov", "r16, sreg", "o16 8C /r"],
  ["mov", "r32, sreg", "o32 8C /r"],
  ["mov", "r64, sreg", "8C /r", "64 alias"],
  ["mov", "sreg-cs, m16", "8E /r"],
  ["mov", "sreg-cs, r16", "8E /r", "16"],
  ["mov", "sreg-cs, r32", "8E /r", "32 64"],
  ["mov", "sreg-cs, r16", "8E /r", "32 64 alias"],
  ["mov", "sreg-cs, r32", "8E /r", "16 alias"],
  ["mov", "sreg-cs, r64", "8E /r", "64 alias"],
  ["mov", "r64, cr", "0F 20 /r", "64"],
  ["mov", "r32, cr", "0F 20 /r", "legacy"],
  ["mov", "cr, r64", "0F 22 /r", "64"],
  ["mov", "cr, r32", "0F 22 /r", "legacy"],
  ["mov", "r64, dr", "0F 21 /r", "64"],
  ["mov", "r32, dr", "0F 21 /r", "legacy"],
  ["mov", "dr, r64", "0F 23 /r", "64"],
  ["mov", "dr, r32", "0F 23 /r", "legacy"],
  ["movzx", "rN, rm8", "0F B6 /r"],
  ["movzx", "r32, rm16", "o32 0F B7 /r"],
  ["movzx", "r64, rm16", "REX.W 0F B7 /r"],
  ["movsx", "rN, rm8", "0F BE /r"],
  ["movsx", "r32, rm16", "o32 0F BF /r"],
  ["movsx", "r64, rm16", "REX.W 0F BF /r"],
  ["movsx", "r64, rm32", "REX.W 63 /r", "alias"],
  ["movsxd", "r64, rm32", "REX.W 63 /r"],
  ["movsxd", "r32, rm32", "o32 63 /r", "64"],
  ["movsxd", "r16, rm32", "o16 63 /r", "64"],
  ["movbe", "rN, mN", "0F 38 F0 /r"],
  ["movbe", "mN, rN", "0F 38 F1 /r"],
  ["movnti", "m32, r32", "0F C3 /r"],
  ["movnti", "m64, r64", "REX.W 0F C3 /r"],
  ["lea", "rN, m", "8D /r"],
  // 90 alone is nop, and F3 90 pause (volume 2, 4.3 NOP).
  ["nop", "", "90"],
  ["pause", "", "F3 90"],
  ["nop", "rmN", "0F 1F /0"],
  ["xchg", "r16, ax", "o16 90+r", "32 64"],
  ["xchg", "ax, r16", "o16 90+r", "32 64 alias"],
  ["xchg", "r16-ax, ax", "o16 90+r", "16"],
  ["xchg", "ax, r16-ax", "o16 90+r", "16 alias"],
  ["xchg", "r32, eax", "o32 90+r", "16"],
  ["xchg", "eax, r32", "o32 90+r", "16 alias"],
  ["xchg", "r32-eax, eax", "o32 90+r", "32 64"],
  ["xchg", "eax, r32-eax", "o32 90+r", "32 64 alias"],
  ["xchg", "r64-rax, rax", "REX.W 90+r"],
  ["xchg", "rax, r64-rax", "REX.W 90+r", "alias"],
  ["xchg", "rm8, r8", "86 /r", "lock"],
  ["xchg", "rmN, rN", "87 /r", "lock"],
  ["xchg", "r8, m8", "86 /r", "alias"],
  ["xchg", "rN, mN", "87 /r", "alias"],
  ["bswap", "r32", "o32 0F C8+r"],
  ["bswap", "r64", "REX.W 0F C8+r"],
  ["xadd", "rm8, r8", "0F C0 /r", "lock"],
  ["xadd", "rmN, rN", "0F C1 /r", "lock"],
  ["cmpxchg", "rm8, r8", "0F B0 /r", "lock"],
  ["cmpxchg", "rmN, rN", "0F B1 /r", "lock"],
  ["cmpxchg8b", "m64", "0F C7 /1", "lock"],
  ["cmpxchg16b", "m128", "REX.W 0F C7 /1", "lock"],

  // Stack. Operands are as wide as the mode unless a prefix halves or doubles them; 64-bit mode has no 32-bit ones (volume 1, 6.2.2).
  ["push", "r64", "50+r", "64"],
  ["push", "r16", "o16 50+r"],
  ["push", "r32", "o32 50+r", "legacy"],
  ["push", "rm64", "FF /6", "64"],
  ["push", "rm16", "o16 FF /6"],
  ["push", "rm32", "o32 FF /6", "legacy"],
  ["push", "imm8/64", "6A", "64"],
  ["push", "imm32/64", "68", "64"],
  ["push", "imm8/32", "6A", "32"],
  ["push", "imm32", "68", "32"],
  ["push", "imm8/16", "6A", "16"],
  ["push", "imm16", "68", "16"],
  ["pushw", "imm8/16", "o16 6A"],
  ["pushw", "imm16", "o16 68"],
  ["pushd", "imm8/32", "o32 6A", "legacy"],
  ["pushd", "imm32", "o32 68", "legacy"],
  ["push", "es", "06", "legacy"],
  ["push", "cs", "0E", "legacy"],
  ["push", "ss", "16", "legacy"],
  ["push", "ds", "1E", "legacy"],
  ["push", "fs", "0F A0"],
  ["push", "gs", "0F A8"],
  ["pop", "r64", "58+r", "64"],
  ["pop", "r16", "o16 58+r"],
  ["pop", "r32", "o32 58+r", "legacy"],
  ["pop", "rm64", "8F /0", "64"],
  ["pop", "rm16", "o16 8F /0"],
  ["pop", "rm32", "o32 8F /0", "legacy"],
  ["pop", "es", "07", "legacy"],
  ["pop", "ss", "17", "legacy"],
  ["pop", "ds", "1F", "legacy"],
  ["pop", "fs", "0F A1"],
  ["pop", "gs", "0F A9"],
  ["pushf", "", "9C"],
  ["pushfw", "", "o16 9C"],
  ["pushfd", "", "o32 9C", "legacy"],
  ["pushfq", "", "9C", "64 alias"],
  ["popf", "", "9D"],
  ["popfw", "", "o16 9D"],
  ["popfd", "", "o32 9D", "legacy"],
  ["popfq", "", "9D", "64 alias"],
  ["pusha", "", "60", "legacy"],
  ["pushaw", "", "o16 60", "legacy"],
  ["pushad", "", "o32 60", "legacy"],
  ["popa", "", "61", "legacy"],
  ["popaw", "", "o16 61", "legacy"],
  ["popad", "", "o32 61", "legacy"],
  ["enter", "imm16, imm8", "C8"],
  ["leave", "", "C9"],

  // Arithmetic and logic; add, or, adc, sbb, and, sub, xor, cmp and the shifts are above.
  ["test", "rm8, r8", "84 /r"],
  ["test", "rmN, rN", "85 /r"],
  ["test", "al, imm8", "A8"],
  ["test", "aN, immN", "A9"],
  ["test", "rm8, imm8", "F6 /0"],
  ["test", "rmN, immN", "F7 /0"],
  ["test", "r8, m8", "84 /r", "alias"],
  ["test", "rN, mN", "85 /r", "alias"],
  ["inc", "r16", "o16 40+r", "legacy"],
  ["inc", "r32", "o32 40+r", "legacy"],
  ["inc", "rm8", "FE /0", "lock"],
  ["inc", "rmN", "FF /0", "lock"],
  ["dec", "r16", "o16 48+r", "legacy"],
  ["dec", "r32", "o32 48+r", "legacy"],
  ["dec", "rm8", "FE /1", "lock"],
  ["dec", "rmN", "FF /1", "lock"],
  ["not", "rm8", "F6 /2", "lock"],
  ["not", "rmN", "F7 /2", "lock"],
  ["neg", "rm8", "F6 /3", "lock"],
  ["neg", "rmN", "F7 /3", "lock"],
  ["mul", "rm8", "F6 /4"],
  ["mul", "rmN", "F7 /4"],
  ["imul", "rm8", "F6 /5"],
  ["imul", "rmN", "F7 /5"],
  ["imul", "rN, rmN", "0F AF /r"],
  ["imul", "rN, rmN, imm8/N", "6B /r"],
  ["imul", "rN, rmN, immN", "69 /r"],
  ["imul", "rrN, imm8/N", "6B /r", "alias"],
  ["imul", "rrN, immN", "69 /r", "alias"],
  ["div", "rm8", "F6 /6"],
  ["div", "rmN", "F7 /6"],
  ["idiv", "rm8", "F6 /7"],
  ["idiv", "rmN", "F7 /7"],
  ["shld", "rmN, rN, imm8", "0F A4 /r"],
  ["shld", "rmN, rN, cl", "0F A5 /r"],
  ["shrd", "rmN, rN, imm8", "0F AC /r"],
  ["shrd", "rmN, rN, cl", "0F AD /r"],
  ["bsf", "rN, rmN", "0F BC /r"],
  ["bsr", "rN, rmN", "0F BD /r"],
  ["tzcnt", "rN, rmN", "F3 0F BC /r"],
  ["lzcnt", "rN, rmN", "F3 0F BD /r"],
  ["popcnt", "rN, rmN", "F3 0F B8 /r"],
  ["cbw", "", "o16 98"],
  ["cwde", "", "o32 98"],
  ["cdqe", "", "REX.W 98"],
  ["cwd", "", "o16 99"],
  ["cdq", "", "o32 99"],
  ["cqo", "", "REX.W 99"],
  ["adcx", "r32, rm32", "66 0F 38 F6 /r"],
  ["adcx", "r64, rm64", "66 REX.W 0F 38 F6 /r"],
  ["adox", "r32, rm32", "F3 0F 38 F6 /r"],
  ["adox", "r64, rm64", "F3 REX.W 0F 38 F6 /r"],
  ["crc32", "r32, rm8", "F2 0F 38 F0 /r"],
  ["crc32", "r32, rm16", "F2 o16 0F 38 F1 /r"],
  ["crc32", "r32, rm32", "F2 o32 0F 38 F1 /r"],
  ["crc32", "r64, rm8", "F2 REX.W 0F 38 F0 /r"],
  ["crc32", "r64, rm64", "F2 REX.W 0F 38 F1 /r"],

  // BMI1 and BMI2.
  ["andn", "rN, vN, rmN", "VEX.0F38 F2 /r"],
  ["bextr", "rN, rmN, vN", "VEX.0F38 F7 /r"],
  ["blsr", "vN, rmN", "VEX.0F38 F3 /1"],
  ["blsmsk", "vN, rmN", "VEX.0F38 F3 /2"],
  ["blsi", "vN, rmN", "VEX.0F38 F3 /3"],
  ["bzhi", "rN, rmN, vN", "VEX.0F38 F5 /r"],
  ["mulx", "rN, vN, rmN", "VEX.F2.0F38 F6 /r"],
  ["pdep", "rN, vN, rmN", "VEX.F2.0F38 F5 /r"],
  ["pext", "rN, vN, rmN", "VEX.F3.0F38 F5 /r"],
  ["rorx", "rN, rmN, imm8", "VEX.F2.0F3A F0 /r"],
  ["sarx", "rN, rmN, vN", "VEX.F3.0F38 F7 /r"],
  ["shlx", "rN, rmN, vN", "VEX.66.0F38 F7 /r"],
  ["shrx", "rN, rmN, vN", "VEX.F2.0F38 F7 /r"],

  // Control flow. Near branches of 64-bit mode are 64 bits wide whatever the prefixes (volume 1, 6.3.7).
  ["jmp", "rel8", "EB"],
  ["jmp", "rel16", "o16 E9", "legacy"],
  ["jmp", "rel32", "o32 E9"],
  ["jmp", "rm64", "FF /4", "64"],
  ["jmp", "rm16", "o16 FF /4", "legacy"],
  ["jmp", "rm32", "o32 FF /4", "legacy"],
  ["jmp", "ptr16:16", "o16 EA", "legacy"],
  ["jmp", "ptr16:32", "o32 EA", "legacy"],
  ["jmp", "m16:16", "o16 FF /5"],
  ["jmp", "m16:32", "o32 FF /5"],
  ["jmp", "m16:64", "REX.W FF /5"],
  ["jcxz", "rel8", "a16 E3", "legacy"],
  ["jecxz", "rel8", "a32 E3"],
  ["jrcxz", "rel8", "a64 E3", "64"],
  ["loopne", "rel8", "E0", "address"],
  ["loope", "rel8", "E1", "address"],
  ["loop", "rel8", "E2", "address"],
  ["call", "rel16", "o16 E8", "legacy"],
  ["call", "rel32", "o32 E8"],
  ["call", "rm64", "FF /2", "64"],
  ["call", "rm16", "o16 FF /2", "legacy"],
  ["call", "rm32", "o32 FF /2", "legacy"],
  ["call", "ptr16:16", "o16 9A", "legacy"],
  ["call", "ptr16:32", "o32 9A", "legacy"],
  ["call", "m16:16", "o16 FF /3"],
  ["call", "m16:32", "o32 FF /3"],
  ["call", "m16:64", "REX.W FF /3"],
  ["ret", "", "C3"],
  ["ret", "imm16", "C2"],
  ["retw", "", "o16 C3", "legacy"],
  ["retd", "", "o32 C3", "legacy"],
  ["retf", "", "CB"],
  ["retf", "imm16", "CA"],
  ["retfw", "", "o16 CB"],
  ["retfw", "imm16", "o16 CA"],
  ["retfd", "", "o32 CB", "legacy"],
  ["retfd", "imm16", "o32 CA", "legacy"],
  ["retfq", "", "REX.W CB"],
  ["retfq", "imm16", "REX.W CA"],
  ["iret", "", "CF"],
  ["iretw", "", "o16 CF"],
  ["iretd", "", "o32 CF"],
  ["iretq", "", "REX.W CF"],
  ["int3", "", "CC"],
  ["int", "3", "CC", "alias"],
  ["int", "imm8", "CD"],
  ["int1", "", "F1"],
  ["into", "", "CE", "legacy"],
  ["ud0", "rN, rmN", "0F FF /r"],
  ["ud1", "rN, rmN", "0F B9 /r"],
  ["ud2", "", "0F 0B"],
  ["endbr64", "", "F3 0F 1E FA"],
  ["endbr32", "", "F3 0F 1E FB"],

  // Flags.
  ["clc", "", "F8"],
  ["stc", "", "F9"],
  ["cmc", "", "F5"],
  ["cli", "", "FA"],
  ["sti", "", "FB"],
  ["cld", "", "FC"],
  ["std", "", "FD"],
  ["sahf", "", "9E"],
  ["lahf", "", "9F"],

  // Strings and ports.
  ["movsb", "", "A4", "rep segment address"],
  ["movsw", "", "o16 A5", "rep segment address"],
  ["movsd", "", "o32 A5", "rep segment address"],
  ["movsq", "", "REX.W A5", "rep segment address"],
  ["cmpsb", "", "A6", "repe segment address"],
  ["cmpsw", "", "o16 A7", "repe segment address"],
  ["cmpsd", "", "o32 A7", "repe segment address"],
  ["cmpsq", "", "REX.W A7", "repe segment address"],
  ["stosb", "", "AA", "rep address"],
  ["stosw", "", "o16 AB", "rep address"],
  ["stosd", "", "o32 AB", "rep address"],
  ["stosq", "", "REX.W AB", "rep address"],
  ["lodsb", "", "AC", "rep segment address"],
  ["lodsw", "", "o16 AD", "rep segment address"],
  ["lodsd", "", "o32 AD", "rep segment address"],
  ["lodsq", "", "REX.W AD", "rep segment address"],
  ["scasb", "", "AE", "repe address"],
  ["scasw", "", "o16 AF", "repe address"],
  ["scasd", "", "o32 AF", "repe address"],
  ["scasq", "", "REX.W AF", "repe address"],
  ["insb", "", "6C", "rep address"],
  ["insw", "", "o16 6D", "rep address"],
  ["insd", "", "o32 6D", "rep address"],
  ["outsb", "", "6E", "rep segment address"],
  ["outsw", "", "o16 6F", "rep segment address"],
  ["outsd", "", "o32 6F", "rep segment address"],
  ["xlatb", "", "D7", "segment address"],
  ["in", "al, imm8", "E4"],
  ["in", "ax, imm8", "o16 E5"],
  ["in", "eax, imm8", "o32 E5"],
  ["in", "al, dx", "EC"],
  ["in", "ax, dx", "o16 ED"],
  ["in", "eax, dx", "o32 ED"],
  ["out", "imm8, al", "E6"],
  ["out", "imm8, ax", "o16 E7"],
  ["out", "imm8, eax", "o32 E7"],
  ["out", "dx, al", "EE"],
  ["out", "dx, ax", "o16 EF"],
  ["out", "dx, eax", "o32 EF"],

  // Descriptor tables and segments. In the 16-bit operand size lgdt and lidt load 24 bits of the base (volume 2, 3.3 LGDT).
  ["sgdtw", "m", "o16 0F 01 /0", "legacy"],
  ["sgdtd", "m", "o32 0F 01 /0", "legacy"],
  ["sgdt", "m", "0F 01 /0", "64"],
  ["sgdt", "m", "0F 01 /0", "legacy alias"],
  ["sidtw", "m", "o16 0F 01 /1", "legacy"],
  ["sidtd", "m", "o32 0F 01 /1", "legacy"],
  ["sidt", "m", "0F 01 /1", "64"],
  ["sidt", "m", "0F 01 /1", "legacy alias"],
  ["lgdtw", "m", "o16 0F 01 /2", "legacy"],
  ["lgdtd", "m", "o32 0F 01 /2", "legacy"],
  ["lgdt", "m", "0F 01 /2", "64"],
  ["lgdt", "m", "0F 01 /2", "legacy alias"],
  ["lidtw", "m", "o16 0F 01 /3", "legacy"],
  ["lidtd", "m", "o32 0F 01 /3", "legacy"],
  ["lidt", "m", "0F 01 /3", "64"],
  ["lidt", "m", "0F 01 /3", "legacy alias"],
  ["sldt", "m16", "0F 00 /0"],
  ["sldt", "r16", "o16 0F 00 /0"],
  ["sldt", "r32", "o32 0F 00 /0"],
  ["sldt", "r64", "0F 00 /0", "64 alias"],
  ["str", "m16", "0F 00 /1"],
  ["str", "r16", "o16 0F 00 /1"],
  ["str", "r32", "o32 0F 00 /1"],
  ["str", "r64", "0F 00 /1", "64 alias"],
  ["lldt", "rm16", "0F 00 /2"],
  ["ltr", "rm16", "0F 00 /3"],
  ["verr", "rm16", "0F 00 /4"],
  ["verw", "rm16", "0F 00 /5"],
  ["lar", "r16, rm16", "o16 0F 02 /r"],
  ["lar", "r32, r32", "o32 0F 02 /r"],
  ["lar", "r32, m16", "o32 0F 02 /r"],
  ["lar", "r64, r64", "REX.W 0F 02 /r"],
  ["lar", "r64, m16", "REX.W 0F 02 /r"],
  ["lsl", "r16, rm16", "o16 0F 03 /r"],
  ["lsl", "r32, r32", "o32 0F 03 /r"],
  ["lsl", "r32, m16", "o32 0F 03 /r"],
  ["lsl", "r64, r64", "REX.W 0F 03 /r"],
  ["lsl", "r64, m16", "REX.W 0F 03 /r"],
  ["lss", "r16, m16:16", "o16 0F B2 /r"],
  ["lss", "r32, m16:32", "o32 0F B2 /r"],
  ["lfs", "r16, m16:16", "o16 0F B4 /r"],
  ["lfs", "r32, m16:32", "o32 0F B4 /r"],
  ["lgs", "r16, m16:16", "o16 0F B5 /r"],
  ["lgs", "r32, m16:32", "o32 0F B5 /r"],
  ["swapgs", "", "0F 01 F8", "64"],
  ["rdfsbase", "r32", "F3 0F AE /0", "64"],
  ["rdfsbase", "r64", "F3 REX.W 0F AE /0"],
  ["rdgsbase", "r32", "F3 0F AE /1", "64"],
  ["rdgsbase", "r64", "F3 REX.W 0F AE /1"],
  ["wrfsbase", "r32", "F3 0F AE /2", "64"],
  ["wrfsbase", "r64", "F3 REX.W 0F AE /2"],
  ["wrgsbase", "r32", "F3 0F AE /3", "64"],
  ["wrgsbase", "r64", "F3 REX.W 0F AE /3"],

  // System.
  ["smsw", "m16", "0F 01 /4"],
  ["smsw", "r16", "o16 0F 01 /4"],
  ["smsw", "r32", "o32 0F 01 /4"],
  ["smsw", "r64", "REX.W 0F 01 /4"],
  ["lmsw", "rm16", "0F 01 /6"],
  ["clts", "", "0F 06"],
  ["hlt", "", "F4"],
  ["cpuid", "", "0F A2"],
  ["rdmsr", "", "0F 32"],
  ["wrmsr", "", "0F 30"],
  ["rdtsc", "", "0F 31"],
  ["rdtscp", "", "0F 01 F9"],
  ["rdpmc", "", "0F 33"],
  ["rdpid", "r64", "F3 0F C7 /7", "64"],
  ["rdpid", "r32", "F3 0F C7 /7", "legacy"],
  ["rdrand", "rN", "0F C7 /6"],
  ["rdseed", "rN", "0F C7 /7"],
  ["syscall", "", "0F 05"],
  ["sysret", "", "0F 07", "legacy"],
  ["sysretd", "", "0F 07", "64"],
  ["sysretq", "", "REX.W 0F 07"],
  ["sysenter", "", "0F 34"],
  ["sysexit", "", "0F 35", "legacy"],
  ["sysexitd", "", "0F 35", "64"],
  ["sysexitq", "", "REX.W 0F 35"],
  ["vmcall", "", "0F 01 C1"],
  ["vmmcall", "", "0F 01 D9"],
  ["clac", "", "0F 01 CA"],
  ["stac", "", "0F 01 CB"],
  ["monitor", "", "0F 01 C8"],
  ["mwait", "", "0F 01 C9"],
  ["xgetbv", "", "0F 01 D0"],
  ["rdpkru", "", "0F 01 EE"],
  ["wrpkru", "", "0F 01 EF"],
  ["xsetbv", "", "0F 01 D1"],
  ["invd", "", "0F 08"],
  ["wbinvd", "", "0F 09"],
  ["invlpg", "m8", "0F 01 /7"],
  ["invpcid", "r64, m", "66 0F 38 82 /r", "64"],
  ["invpcid", "r32, m", "66 0F 38 82 /r", "legacy"],
  ["clflush", "m8", "0F AE /7"],
  ["clflushopt", "m8", "66 0F AE /7"],
  ["clwb", "m8", "66 0F AE /6"],
  ["prefetchnta", "m8", "0F 18 /0"],
  ["prefetcht0", "m8", "0F 18 /1"],
  ["prefetcht1", "m8", "0F 18 /2"],
  ["prefetcht2", "m8", "0F 18 /3"],
  ["prefetchw", "m8", "0F 0D /1"],
  ["lfence", "", "0F AE E8"],
  ["mfence", "", "0F AE F0"],
  ["sfence", "", "0F AE F8"],
  ["fxsave", "m", "0F AE /0"],
  ["fxsave64", "m", "REX.W 0F AE /0"],
  ["fxrstor", "m", "0F AE /1"],
  ["fxrstor64", "m", "REX.W 0F AE /1"],
  ["xsave", "m", "0F AE /4"],
  ["xsave64", "m", "REX.W 0F AE /4"],
  ["xrstor", "m", "0F AE /5"],
  ["xrstor64", "m", "REX.W 0F AE /5"],
  ["xsaveopt", "m", "0F AE /6"],
  ["xsaveopt64", "m", "REX.W 0F AE /6"],

  // SSE and SSE2.
  ["ldmxcsr", "m32", "0F AE /2"],
  ["stmxcsr", "m32", "0F AE /3"],
  ["movups", "xmm, xm128", "0F 10 /r"],
  ["movups", "xm128, xmm", "0F 11 /r"],
  ["movupd", "xmm, xm128", "66 0F 10 /r"],
  ["movupd", "xm128, xmm", "66 0F 11 /r"],
  ["movaps", "xmm, xm128", "0F 28 /r"],
  ["movaps", "xm128, xmm", "0F 29 /r"],
  ["movapd", "xmm, xm128", "66 0F 28 /r"],
  ["movapd", "xm128, xmm", "66 0F 29 /r"],
  ["movdqa", "xmm, xm128", "66 0F 6F /r"],
  ["movdqa", "xm128, xmm", "66 0F 7F /r"],
  ["movdqu", "xmm, xm128", "F3 0F 6F /r"],
  ["movdqu", "xm128, xmm", "F3 0F 7F /r"],
  ["movss", "xmm, xm32", "F3 0F 10 /r"],
  ["movss", "xm32, xmm", "F3 0F 11 /r"],
  ["movsd", "xmm, xm64", "F2 0F 10 /r"],
  ["movsd", "xm64, xmm", "F2 0F 11 /r"],
  ["movd", "xmm, rm32", "66 0F 6E /r"],
  ["movd", "rm32, xmm", "66 0F 7E /r"],
  ["movq", "xmm, xm64", "F3 0F 7E /r"],
  ["movq", "xm64, xmm", "66 0F D6 /r"],
  ["movq", "xmm, rm64", "66 REX.W 0F 6E /r"],
  ["movq", "rm64, xmm", "66 REX.W 0F 7E /r"],
  ["ucomiss", "xmm, xm32", "0F 2E /r"],
  ["ucomisd", "xmm, xm64", "66 0F 2E /r"],
  ["comiss", "xmm, xm32", "0F 2F /r"],
  ["comisd", "xmm, xm64", "66 0F 2F /r"],
  ["cvtsi2ss", "xmm, rm32", "F3 0F 2A /r"],
  ["cvtsi2ss", "xmm, rm64", "F3 REX.W 0F 2A /r"],
  ["cvtsi2sd", "xmm, rm32", "F2 0F 2A /r"],
  ["cvtsi2sd", "xmm, rm64", "F2 REX.W 0F 2A /r"],
  ["cvttss2si", "r32, xm32", "F3 0F 2C /r"],
  ["cvttss2si", "r64, xm32", "F3 REX.W 0F 2C /r"],
  ["cvttsd2si", "r32, xm64", "F2 0F 2C /r"],
  ["cvttsd2si", "r64, xm64", "F2 REX.W 0F 2C /r"],
  ["cvtss2si", "r32, xm32", "F3 0F 2D /r"],
  ["cvtss2si", "r64, xm32", "F3 REX.W 0F 2D /r"],
  ["cvtsd2si", "r32, xm64", "F2 0F 2D /r"],
  ["cvtsd2si", "r64, xm64", "F2 REX.W 0F 2D /r"],
  ["cvtss2sd", "xmm, xm32", "F3 0F 5A /r"],
  ["cvtsd2ss", "xmm, xm64", "F2 0F 5A /r"],
  ["pshufd", "xmm, xm128, imm8", "66 0F 70 /r"],
  ["pmovmskb", "r32, xmm", "66 0F D7 /r"],

  // x87.
  ["fld", "m32", "D9 /0"],
  ["fld", "m64", "DD /0"],
  ["fld", "m80", "DB /5"],
  ["fld", "st", "D9 C0+r"],
  ["fst", "m32", "D9 /2"],
  ["fst", "m64", "DD /2"],
  ["fst", "st", "DD D0+r"],
  ["fstp", "m32", "D9 /3"],
  ["fstp", "m64", "DD /3"],
  ["fstp", "m80", "DB /7"],
  ["fstp", "st", "DD D8+r"],
  ["fild", "m16", "DF /0"],
  ["fild", "m32", "DB /0"],
  ["fild", "m64", "DF /5"],
  ["fistp", "m16", "DF /3"],
  ["fistp", "m32", "DB /3"],
  ["fistp", "m64", "DF /7"],
  ["fxch", "st", "D9 C8+r"],
  ["fucomip", "st0, st", "DF E8+r"],
  ["fchs", "", "D9 E0"],
  ["fabs", "", "D9 E1"],
  ["fld1", "", "D9 E8"],
  ["fldz", "", "D9 EE"],
  ["fsqrt", "", "D9 FA"],
  ["fnop", "", "D9 D0"],
  ["fwait", "", "9B"],
  ["fninit", "", "DB E3"],
  ["fnclex", "", "DB E2"],
  ["fnstcw", "m16", "D9 /7"],
  ["fldcw", "m16", "D9 /5"],
  ["fnstsw", "ax", "DF E0"],
  ["fnstsw", "m16", "DD /7"],
] as const satisfies readonly Row[];

type VectorSuffix = "ss" | "sd" | "ps" | "pd";

export type Mnemonic =
  | (typeof ROWS)[number][0]
  | (typeof ARITHMETIC)[number]
  | (typeof SHIFTS)[number][0]
  | (typeof BIT_TESTS)[number][0]
  | `${"j" | "set" | "cmov"}${Condition}`
  | `${(typeof FLOAT_ARITHMETIC)[number][0]}${"" | "p"}`
  | `${(typeof VECTOR_ARITHMETIC)[number][0]}${VectorSuffix}`
  | `${(typeof VECTOR_LOGIC)[number][0]}${"ps" | "pd"}`
  | (typeof INTEGER_VECTORS)[number][0];

/** Other names of mnemonics. */
export const MNEMONIC_ALIASES: ReadonlyMap<string, string> = new Map<string, string>([
  ...CONDITIONS.flatMap(([name, ...others]) =>
    others.flatMap((other) => ["j", "set", "cmov"].map((prefix): [string, string] => [prefix + other, prefix + name])),
  ),
  ["sal", "shl"],
  ["loopz", "loope"],
  ["loopnz", "loopne"],
  ["xlat", "xlatb"],
  ["icebp", "int1"],
  ["ud2a", "ud2"],
]);

export interface Instruction {
  readonly mnemonic: Mnemonic;
  readonly operands: readonly OperandPattern[];
  /** In which modes it exists. */
  readonly modes: readonly (16 | 32 | 64)[];
  /** 66 where this is not the mode's own; absent: no such prefix. REX.W stands for 64. */
  readonly operandSize: 16 | 32 | undefined;
  readonly addressSize: 16 | 32 | 64 | undefined;
  readonly rexW: boolean;
  /** A prefix that is part of the opcode. */
  readonly prefix: 0 | 0x66 | 0xf2 | 0xf3;
  /** Which bytes stand before the opcode: none, 0F, 0F 38, 0F 3A. */
  readonly map: 0 | 1 | 2 | 3;
  readonly opcode: number;
  /** A second opcode byte where a ModRM byte would be. */
  readonly suffix: number | undefined;
  /** The low three bits of the last opcode byte are a register. */
  readonly hasOpcodeRegister: boolean;
  readonly modrm: "none" | "reg" | 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7;
  readonly vex: boolean;
  /** What may be written before it. */
  readonly allows: ReadonlySet<Allowance>;
  readonly isAlias: boolean;
}

const ALLOWANCES = ["lock", "rep", "repe", "segment", "address"] as const;
export type Allowance = (typeof ALLOWANCES)[number];

/** Accumulators and immediates by operand size; an immediate of 64 bits is 32 sign-extended, but for movabs, which says imm64. */
const SIZED_NAMES: Readonly<Record<16 | 32 | 64, Readonly<Record<string, string>>>> = {
  16: { aN: "ax", immN: "imm16" },
  32: { aN: "eax", immN: "imm32" },
  64: { aN: "rax", immN: "imm32/64" },
};

function expandRow([mnemonic, operands, encoding, flags = ""]: Row): readonly Row[] {
  if (!operands.includes("N")) return [[mnemonic, operands, encoding, flags]];
  const sizes = encoding.startsWith("VEX") ? ([32, 64] as const) : ([16, 32, 64] as const);
  return sizes.map((size) => {
    const sized = operands.replace(/\w*(?:\/?N)/g, (name) => SIZED_NAMES[size][name] ?? name.replace("N", String(size)));
    return [mnemonic, sized, size === 64 ? `REX.W ${encoding}` : encoding.startsWith("VEX") ? encoding : `o${size} ${encoding}`, flags];
  });
}

function completeRow([mnemonic, operands, encoding, flags = ""]: Row): Instruction {
  const wrong = (what: string): Error => new Error(`${mnemonic} ${operands}: ${what}`);
  const words = flags.split(" ").filter((word) => word !== "");
  const draft: { -readonly [K in keyof Instruction]: Instruction[K] } = {
    mnemonic: mnemonic as Mnemonic,
    operands: [],
    modes: [],
    operandSize: undefined,
    addressSize: undefined,
    rexW: false,
    prefix: 0,
    map: 0,
    opcode: -1,
    suffix: undefined,
    hasOpcodeRegister: false,
    modrm: "none",
    vex: false,
    allows: new Set(ALLOWANCES.filter((allowance) => words.includes(allowance))),
    isAlias: words.includes("alias"),
  };

  const readByte = (byte: number): void => {
    if (draft.opcode >= 0) draft.suffix = byte;
    else if (!draft.vex && draft.map === 0 && byte === 0x0f) draft.map = 1;
    else if (!draft.vex && draft.map === 1 && byte === 0x38) draft.map = 2;
    else if (!draft.vex && draft.map === 0 && draft.prefix === 0 && (byte === 0x66 || byte === 0xf2 || byte === 0xf3)) draft.prefix = byte;
    else draft.opcode = byte;
  };
  for (const word of encoding.split(" ")) {
    if (word === "o16" || word === "o32") draft.operandSize = word === "o16" ? 16 : 32;
    else if (word === "a16" || word === "a32" || word === "a64") draft.addressSize = word === "a16" ? 16 : word === "a32" ? 32 : 64;
    else if (word === "REX.W") draft.rexW = true;
    else if (word === "/r") draft.modrm = "reg";
    else if (/^\/[0-7]$/.test(word)) draft.modrm = Number(word.slice(1)) as 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7;
    else if (word.startsWith("VEX.")) {
      draft.vex = true;
      draft.prefix = word.includes(".66") ? 0x66 : word.includes(".F2") ? 0xf2 : word.includes(".F3") ? 0xf3 : 0;
      draft.map = word.includes("0F3A") ? 3 : 2;
    } else if (/^[0-9A-F]{2}(\+r)?$/.test(word)) {
      readByte(parseInt(word, 16));
      if (word.endsWith("+r")) draft.hasOpcodeRegister = true;
    } else throw wrong(`encoding "${word}"`);
  }

  const modes = ([16, 32, 64] as const).filter((mode) => words.includes(String(mode)) || (mode !== 64 && words.includes("legacy")));
  draft.modes = modes.length > 0 ? modes : draft.rexW ? [64] : [16, 32, 64];
  draft.operands = placeOperands(operands, draft, wrong);
  return draft;
}

/** Gives every operand its slot: what says itself where it goes first, then registers, to where the encoding has room. */
function placeOperands(operands: string, { modrm, hasOpcodeRegister }: Instruction, wrong: (what: string) => Error): readonly OperandPattern[] {
  const names = operands === "" ? [] : operands.split(", ");
  const shapes = names.map((name) => (isPatternName(name) ? PATTERNS[name] : undefined));
  const taken = new Set<Slot>(shapes.flatMap((shape) => (shape === undefined || shape.slot === "by-encoding" ? [] : [shape.slot])));
  const free = (slot: Slot): boolean => {
    const isFree = !taken.has(slot);
    taken.add(slot);
    return isFree;
  };
  return names.map((name, index): OperandPattern => {
    const shape = shapes[index];
    if (shape === undefined) throw wrong(`operand "${name}"`);
    if (shape.slot !== "by-encoding") return { name, ...shape, slot: shape.slot };
    if (hasOpcodeRegister && free("opcode")) return { name, ...shape, slot: "opcode" };
    if (modrm === "reg" && free("reg")) return { name, ...shape, slot: "reg" };
    if (modrm !== "none" && free("rm")) return { name, ...shape, slot: "rm" };
    throw wrong(`no room for "${name}"`);
  });
}

const ALL_ROWS: readonly Row[] = [...arithmeticRows, ...shiftRows, ...bitTestRows, ...conditionalRows, ...ROWS, ...vectorRows, ...floatRows];

const rowsByMnemonic: ReadonlyMap<string, readonly Row[]> = Map.groupBy(ALL_ROWS, ([mnemonic]) => mnemonic);

/** Read when somebody looks: reading all is 4 % of the main thread's time in a run of one edited test, and most are only for assembly text. */
const formsOfRow = new Map<Row, readonly Instruction[]>();

function formsOf(row: Row): readonly Instruction[] {
  let forms = formsOfRow.get(row);
  if (forms === undefined) formsOfRow.set(row, (forms = expandRow(row).map(completeRow)));
  return forms;
}

/** All of them, in the order of the table. */
export function listInstructions(): readonly Instruction[] {
  return ALL_ROWS.flatMap(formsOf);
}

/** The forms of a mnemonic or of its other names, in the order of preference. */
export function findInstructions(mnemonic: string): readonly Instruction[] | undefined {
  return rowsByMnemonic.get(MNEMONIC_ALIASES.get(mnemonic) ?? mnemonic)?.flatMap(formsOf);
}

/** "add rm32, imm8/32", for messages. */
export function writeForm({ mnemonic, operands }: Instruction): string {
  return [mnemonic, operands.map(({ name }) => name).join(", ")].join(" ").trim();
}
