// Control and status registers on QEMU and on the embedded CPU, in machine mode, of both widths: each is written with numbers that have an
// edge, set, cleared and read back after each; an access that is illegal leaves a mark. What differs on purpose is left out with its reason.

import assert from "node:assert/strict";
import { test } from "node:test";
import { csrIsReadOnly, csrsOf, type CsrName } from "../../isa/riscv64/registers.ts";
import type { RegisterWidth } from "../../isa/riscv64/by-width.ts";
import { assembleAt, RAM } from "../fixtures/riscv64.ts";
import { FINISH, runEmbedded, runOnQemu, skipWithoutQemu } from "../fixtures/riscv64-qemu.ts";

const RESULTS = 0x20_0000;
const MEMORY = 0x30_0000;
const ILLEGAL = 0x5a5;
const STORES = { 32: "sw", 64: "sd" } as const;
const READS = 4;

const LEFT_OUT: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/^(mtvec|mepc)$/, "the program needs them"],
  [
    /^(h(status|edeleg|ideleg|ie|timedelta|counteren|geie|vien|victl|envcfg|stateen\d|tval|ip|vip|viprio\d|tinst|gatp|context|geip)|vs\w+|mtinst|mtval2)$/,
    "the hypervisor extension",
  ],
  [/^m?(cycle|instret|time)h?$/, "they count; what counting means is told by unit tests"],
  [/^m?hpm(event|counter)/, "QEMU keeps what is written to counters that count nothing, and has 16 of them"],
  [/^(pmpaddr|pmpcfg)(?!\d$|1[56]$)/, "as their neighbours"],
  [/^(tselect|tdata\d|tinfo|tcontrol|mcontext|scontext)$/, "debug triggers have a test of their own"],
];

/** Bits that are not compared. */
const NOT_COMPARED: readonly (readonly [pattern: RegExp, bits: bigint, reason: string])[] = [
  [/^[ms]status$/, (0xffn << 32n) | 0x600n, "QEMU has the hypervisor extension, VS without the vector extension, and lets UXL and SXL be written"],
  [/^mstatush$/, 0xc0n, "the hypervisor extension"],
  [/^misa$/, 0x80n, "the hypervisor extension"],
  [/^medeleg$/, 0xf0_0c00n, "the hypervisor extension, and calls from machine mode, which have nowhere to go"],
  [/^(mideleg|mie|mip)$/, 0x3444n, "the hypervisor extension, and overflows of counters"],
  [/^sepc$/, 1n, "bit 0 is 0 (Volume II, 4.1.7)"],
  [/^[ms]counteren$/, 0xffff_ffff_0000_0000n, "they have 32 bits (3.1.11)"],
  [/^menvcfg$/, 3n << 61n, "QEMU 7.2 has Svpbmt there, and no Svadu"],
  [/^menvcfgh$/, 3n << 29n, "the same"],
  [/^pmpaddr/, 0x3ffn << 54n, "an address has 56 bits"],
  [/^mcountinhibit$/, ~5n, "cycle and instret are what counts"],
];

const notCompared = (name: CsrName): bigint => NOT_COMPARED.find(([pattern]) => pattern.test(name))?.[1] ?? 0n;

/**
 * RV32's that can be written: QEMU lets a set by a register of 0 pass as no write, which the manual does not (Volume I, 9.1). A program of
 * RV64 finds that the upper halves among them are illegal.
 */
const NUMBERS = csrsOf(32).filter(({ name, number }) => !csrIsReadOnly(number) && !LEFT_OUT.some(([pattern]) => pattern.test(name)));

/** Locks would stay, QEMU keeps reserved bits, and reserved is also what may be written and not read. */
const LEGAL_PROTECTION = 0x1d1d_1d1d_1d1d_1d1dn;

const valuesOf = (width: RegisterWidth, name: CsrName): readonly bigint[] =>
  [0n, 1n, 3n, 0x1ffn, 0x7fff_ffffn, 0x8000_0000n, 0xaaaa_5555_aaaa_5555n, (1n << 64n) - 1n].map((value) =>
    BigInt.asUintN(width, name.startsWith("pmpcfg") ? value & LEGAL_PROTECTION : value),
  );

const programOf = (width: RegisterWidth): string => `
    la t0, handler
    csrw mtvec, t0
    li t0, 0x6000
    csrs mstatus, t0
    li s1, ${RAM + BigInt(RESULTS)}
    j main
    .align 2
  handler:
    csrr t1, mepc
    addi t1, t1, 4
    csrw mepc, t1
    li t1, ${ILLEGAL}
    mret
  main:
${NUMBERS.flatMap(({ name, number }) =>
  valuesOf(width, name).map((value) =>
    [
      `csrw ${number}, zero`,
      `li t0, ${value}`,
      ...[`csrrw t1, ${number}, t0`, `csrrs t1, ${number}, t0`, `csrrc t1, ${number}, t0`, `csrrs t1, ${number}, zero`].flatMap((text, n) => [
        "li t1, 0",
        text,
        `${STORES[width]} t1, ${n * 8}(s1)`,
      ]),
      `addi s1, s1, ${READS * 8}`,
    ].join("\n"),
  ),
).join("\n")}
  ${FINISH}`;

for (const width of [32, 64] as const) {
  test(`RV${width}: control registers hold what QEMU's hold`, { skip: skipWithoutQemu }, () => {
    const memory = new Uint8Array(MEMORY);
    const program = assembleAt(programOf(width), RAM, width);
    assert.ok(program.length < RESULTS, `${program.length} bytes`);
    memory.set(program);
    const [wanted, found] = [runOnQemu(memory, width), runEmbedded(memory, width)].map((bytes) => new DataView(bytes.buffer, bytes.byteOffset + RESULTS));
    const differences: string[] = [];
    let at = 0;
    for (const { name } of NUMBERS) {
      const bad: string[] = [];
      for (const value of valuesOf(width, name)) {
        const [theirs, ours] = [wanted, found].map((view) =>
          Array.from({ length: READS }, (_, n) => ((view?.getBigUint64(at + n * 8, true) ?? 0n) & ~notCompared(name)).toString(16)).join(" "),
        );
        if (theirs !== ours) bad.push(`  ${value.toString(16)}: QEMU ${theirs}, ours ${ours}`);
        at += READS * 8;
      }
      if (bad.length > 0) differences.push(`${name}\n${bad.slice(0, 3).join("\n")}`);
    }
    assert.deepEqual(differences, [], differences.join("\n"));
  });
}
