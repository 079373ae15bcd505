// Page tables and physical memory protection on QEMU and on the embedded CPU: random tables with every kind of entry, random protection,
// and accesses in S and U mode, of which each leaves its cause, address and value; the tables themselves are compared afterwards, for
// accessed and dirty bits. Loads and stores are made from M-mode under MPRV; for a fetch the mode is entered, and an `ecall` comes back.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { RegisterWidth } from "../../isa/riscv64/by-width.ts";
import { createRandom, FUZZ_SEED, fuzzRounds, type Random } from "../fixtures/random.ts";
import { assembleAt, RAM } from "../fixtures/riscv64.ts";
import { EXECUTIONS, FINISH, runEmbedded, runOnQemu, skipWithoutQemu } from "../fixtures/riscv64-qemu.ts";

const CASES = 0x10_0000;
const RESULTS = 0x20_0000;
const TABLES = 0x30_0000;
const TARGETS = 0x40_0000;
const TARGET_PAGES = 64;
const MEMORY = 0x50_0000;
const CASE_BYTES = 64;
const RESULT_BYTES = 32;
const PAGE = 0x1000;
const ECALL = 0x73;

const KINDS = ["load", "store", "fetch", "load-byte", "store-register"] as const;

const MPP_SUPERVISOR = 1 << 11;
const MPRV = 1 << 17;
const SUM = 1 << 18;
const MXR = 1 << 19;

/** A register's load and store; what RV32 has in a field of 8 bytes is its lower half. */
const MOVES = { 32: ["lw", "sw"], 64: ["ld", "sd"] } as const;

/** Fields of a case: mstatus bits, address, kind, satp, pmpcfg0, pmpaddr0..2. */
const programOf = ([load, store]: readonly [string, string]): string => `
    la t0, handler
    csrw mtvec, t0
    li s0, ${RAM + BigInt(CASES)}
    li s1, ${RAM + BigInt(RESULTS)}
  next:
    ${load} s2, 0(s0)
    beqz s2, end
    ${load} a1, 8(s0)
    ${load} a2, 16(s0)
    ${load} t1, 24(s0)
    csrw satp, t1
    csrw pmpcfg0, zero
    ${load} t1, 40(s0)
    csrw pmpaddr0, t1
    ${load} t1, 48(s0)
    csrw pmpaddr1, t1
    ${load} t1, 56(s0)
    csrw pmpaddr2, t1
    li t1, -1
    csrw pmpaddr3, t1
    ${load} t1, 32(s0)
    csrw pmpcfg0, t1
    sfence.vma
    li t0, 0xe1800
    csrc mstatus, t0
    li a5, 0
    li a6, 0
    li a7, -1
    li t0, 1
    li t2, 2
    li t3, 3
    beq a2, t2, fetch
    csrs mstatus, s2
    beqz a2, load
    beq a2, t0, store
    beq a2, t3, load_byte
    ${store} s2, 0(a1)
    j done
  load:
    lw a5, 0(a1)
    j done
  load_byte:
    lb a5, 3(a1)
    j done
  store:
    sw s2, 0(a1)
    j done
  fetch:
    li t0, ${MPRV}
    not t0, t0
    and t0, t0, s2
    csrs mstatus, t0
    csrw mepc, a1
    mret
    .align 2
  handler:
    csrr a7, mcause
    csrr a6, mtval
    la t0, done
    csrw mepc, t0
    li t0, 0x1800
    csrs mstatus, t0
    mret
  done:
    li t0, 0xe1800
    csrc mstatus, t0
    ${store} a7, 0(s1)
    ${store} a6, 8(s1)
    ${store} a5, 16(s1)
    addi s1, s1, ${RESULT_BYTES}
    addi s0, s0, ${CASE_BYTES}
    j next
  end:
    csrw satp, zero
    ${FINISH}`;

interface Case {
  readonly mstatus: number;
  readonly address: bigint;
  readonly kind: number;
  readonly satp: bigint;
  readonly pmpcfg: bigint;
  readonly pmpaddr: readonly bigint[];
}

function compareOn(width: RegisterWidth, random: Random, memory: Uint8Array, cases: readonly Case[]): void {
  const view = new DataView(memory.buffer);
  memory.set(assembleAt(programOf(MOVES[width]), RAM, width));
  for (let page = 0; page < TARGET_PAGES; page++) {
    for (let at = 0; at < PAGE; at += 4) view.setUint32(TARGETS + page * PAGE + at, at % 0x40 === 0 ? ECALL : random.u32(), true);
  }
  cases.forEach(({ mstatus, address, kind, satp, pmpcfg, pmpaddr }, n) => {
    const words = [BigInt(mstatus), address, BigInt(kind), satp, pmpcfg, ...pmpaddr];
    words.forEach((word, place) => view.setBigUint64(CASES + n * CASE_BYTES + place * 8, BigInt.asUintN(width, word), true));
  });
  const expected = runOnQemu(memory, width);
  for (const eagerness of EXECUTIONS) compareResults(width, cases, expected, runEmbedded(memory, width, eagerness), eagerness);
}

function compareResults(width: RegisterWidth, cases: readonly Case[], expected: Uint8Array, got: Uint8Array, eagerness: string): void {
  const read = (bytes: Uint8Array, offset: number): bigint => new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(offset, true);
  const counts = new Map<bigint, number>();
  cases.forEach((given, n) => {
    const [wanted, found] = [expected, got].map((bytes) => [0, 8, 16].map((at) => read(bytes, RESULTS + n * RESULT_BYTES + at)));
    counts.set(wanted?.[0] ?? 0n, (counts.get(wanted?.[0] ?? 0n) ?? 0) + 1);
    const text = { ...given, kind: KINDS[given.kind], number: n };
    assert.deepEqual(
      found,
      wanted,
      `seed ${FUZZ_SEED}, ${eagerness}, cause, address, value: ${JSON.stringify(text, (_key, value: unknown) => (typeof value === "bigint" ? `0x${value.toString(16)}` : value))}`,
    );
  });
  for (let offset = TABLES; offset < MEMORY; offset += 8) assert.equal(read(got, offset), read(expected, offset), `RAM + 0x${offset.toString(16)}`);
  // A comparison of nothing but faults would show little.
  const plain = counts.get((1n << BigInt(width)) - 1n) ?? 0;
  assert.ok(plain > cases.length / 20 && plain < cases.length, `${plain} of ${cases.length} accesses without a trap`);
}

function modeBits(random: Random, kind: number): number {
  const bits = (random.chance(60) ? MPP_SUPERVISOR : 0) | (random.chance(50) ? SUM : 0) | (random.chance(30) ? MXR : 0);
  return bits | (KINDS[kind] === "fetch" ? 0 : MPRV) | MPRV;
}

/** Of a page table's entry, mostly valid. */
const flags = (random: Random): number => (random.chance(80) ? random.below(256) | 1 : random.below(256)) | (random.chance(70) ? 0x41 : 0);

/** Code is at every 64th byte; what is stored leaves it alone. */
const intoBlock = (kind: number): bigint => (KINDS[kind] === "fetch" ? 0n : 0x20n);

const OPEN = { pmpcfg: 0x1fn << 24n, pmpaddr: [0n, 0n, 0n] };

test("page tables mean what they mean to QEMU: Sv39, Sv48, Sv57", { skip: skipWithoutQemu }, () => {
  const random = createRandom(FUZZ_SEED);
  const memory = new Uint8Array(MEMORY);
  const view = new DataView(memory.buffer);
  const page = (n: number): bigint => (RAM + BigInt(TABLES + n * PAGE)) >> 12n;
  const put = (table: number, index: number, pte: bigint): void => view.setBigUint64(TABLES + table * PAGE + index * 8, pte, true);
  const target = (): bigint => ((RAM + BigInt(TARGETS)) >> 12n) + BigInt(random.below(TARGET_PAGES));
  const leaf = (ppn: bigint): bigint => (ppn << 10n) | BigInt(flags(random)) | (random.chance(4) ? 1n << BigInt(54 + random.below(10)) : 0n);
  const next = (table: number): bigint => (page(table) << 10n) | 1n;
  // Tables: 0 Sv39's root, 1 and 2 below it, 3 Sv48's root, 4 Sv57's.
  put(0, 0, next(1));
  put(0, 1, leaf(RAM >> 12n));
  put(0, 2, leaf((RAM >> 12n) + 1n));
  put(0, 3, next(1) | (random.chance(50) ? 0x40n : 0x10n));
  // A table outside RAM is left out: the manual wants an access fault (Volume II, 4.3.2), QEMU gives a page fault.
  put(1, 0, next(2));
  for (let n = 1; n < 64; n++) put(1, n, leaf(random.chance(70) ? (RAM + BigInt(TARGETS)) >> 12n : target()));
  for (let n = 0; n < 512; n++) put(2, n, leaf(target()));
  put(3, 0, next(0));
  put(3, 511, next(0));
  put(4, 0, next(3));
  put(4, 511, next(3));

  const roots = [
    { satp: (8n << 60n) | page(0), bits: 39 },
    { satp: (9n << 60n) | page(3), bits: 48 },
    { satp: (10n << 60n) | page(4), bits: 57 },
  ];
  const cases = Array.from({ length: fuzzRounds(1500) }, (): Case => {
    const { satp, bits } = random.pick(roots);
    const kind = random.below(KINDS.length);
    const offset = BigInt(random.below(PAGE / 0x40) * 0x40);
    let address = offset | intoBlock(kind);
    if (random.chance(75)) address |= BigInt(random.below(512)) << 12n;
    else if (random.chance(60)) address |= (BigInt(1 + random.below(64)) << 21n) | (BigInt(random.below(64)) << 12n);
    else address |= (BigInt(random.below(6)) << 30n) | BigInt(TARGETS + random.below(TARGET_PAGES) * PAGE);
    if (bits > 39 && random.chance(20)) address |= ((1n << 64n) - 1n) ^ ((1n << BigInt(bits - 9)) - 1n);
    if (random.chance(3)) address ^= 1n << BigInt(bits - 1 + random.below(5));
    return { mstatus: modeBits(random, kind), address: BigInt.asUintN(64, address), kind, satp, ...OPEN };
  });
  compareOn(64, random, memory, cases);
});

test("page tables mean what they mean to QEMU: Sv32", { skip: skipWithoutQemu }, () => {
  const random = createRandom(FUZZ_SEED);
  const memory = new Uint8Array(MEMORY);
  const view = new DataView(memory.buffer);
  const page = (n: number): number => Number((RAM + BigInt(TABLES + n * PAGE)) >> 12n);
  const targets = Number((RAM + BigInt(TARGETS)) >> 12n);
  const target = (): number => targets + random.below(TARGET_PAGES);
  // Physical addresses have 34 bits, of which QEMU 7.2 keeps 32: those above 4 GiB are left to the unit test.
  const leaf = (ppn: number): number => ppn * 0x400 + flags(random);
  const put = (table: number, index: number, pte: number): void => view.setUint32(TABLES + table * PAGE + index * 4, pte, true);
  const next = (table: number): number => page(table) * 0x400 + 1;
  put(0, 0, next(1));
  put(0, 1, leaf(targets));
  put(0, 2, leaf(targets + 1));
  put(0, 3, next(1) + (random.chance(50) ? 0x40 : 0x10));
  for (let n = 4; n < 64; n++) put(0, n, leaf(random.chance(70) ? targets : target()));
  for (let n = 0; n < 1024; n++) put(1, n, leaf(target()));

  const satp = (1n << 31n) | BigInt(page(0));
  const cases = Array.from({ length: fuzzRounds(1500) }, (): Case => {
    const kind = random.below(KINDS.length);
    let address = BigInt(random.below(PAGE / 0x40) * 0x40) | intoBlock(kind);
    if (random.chance(60)) address |= BigInt(random.below(1024)) << 12n;
    else address |= (BigInt(1 + random.below(65)) << 22n) | (BigInt(random.below(TARGET_PAGES)) << 12n);
    if (random.chance(3)) address |= 1n << 31n;
    // Now and then without translation, and with an ASID of any number.
    const mode = random.chance(3) ? 0n : satp;
    return { mstatus: mode === 0n ? MPRV | MPP_SUPERVISOR : modeBits(random, kind), address, kind, satp: mode | (BigInt(random.below(512)) << 22n), ...OPEN };
  });
  compareOn(32, random, memory, cases);
});

for (const width of [32, 64] as const) {
  test(`RV${width}: physical memory protection means what it means to QEMU`, { skip: skipWithoutQemu }, () => {
    const random = createRandom(FUZZ_SEED + 1);
    const memory = new Uint8Array(MEMORY);
    const start = RAM + BigInt(TARGETS);
    const entry = (): bigint => (start >> 2n) + BigInt(random.below((4 * PAGE) >> 2)) - BigInt(PAGE >> 2);
    const withOnes = (address: bigint): bigint => address | ((1n << BigInt(random.below(12))) - 1n);
    const opener = 0x1fn << 24n;
    // With all entries off QEMU 7.2 makes an mret to S- or U-mode an illegal instruction, which the manual does not know (Volume II, 3.7.1).
    const withEntry = (config: bigint): bigint => ((config & 0x1818_1818n) === 0n ? config | opener : config);
    const configs = Array.from({ length: 60 }, () => ({
      // Three random entries without lock and with legal permissions, and mostly one that opens the rest.
      pmpcfg: withEntry(
        [0, 1, 2].reduce(
          (all, n) => all | (BigInt(random.pick([0, 1, 3, 4, 5, 7]) | (random.below(4) << 3)) << BigInt(8 * n)),
          random.chance(80) ? opener : 0n,
        ),
      ),
      pmpaddr: [withOnes(entry()), withOnes(entry()), random.chance(50) ? withOnes(entry()) : entry()],
    }));
    const cases = Array.from({ length: fuzzRounds(1500) }, (_, n): Case => {
      const kind = random.below(KINDS.length);
      const address = start + BigInt(random.below((3 * PAGE) / 8) * 8 - PAGE / 2);
      const aligned = (KINDS[kind] === "fetch" ? address & ~0x3fn : address & ~0x20n) | intoBlock(kind);
      const config = configs[Math.floor((n * configs.length) / fuzzRounds(1500))] ?? configs[0]!;
      return { mstatus: modeBits(random, kind), address: aligned, kind, satp: 0n, ...config };
    });
    compareOn(width, random, memory, cases);
  });
}
