// What tests/riscv64 cannot compare with QEMU 7.2, which lacks it or differs: Svade, tables outside of RAM, locked protection in M-mode.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { RegisterWidth } from "../../../isa/riscv64/by-width.ts";
import { RAM, startGuest } from "../../../tests/fixtures/riscv64.ts";
import { acquireMemory } from "../../machine/memory.ts";
import { createHart, MENVCFG, MODE, type Hart } from "./hart.ts";
import { checkProtection, hasLocks } from "./protection.ts";
import { createRegisterFile } from "./registers.ts";
import { translate, type PhysicalMemory } from "./translation.ts";

const TABLE = 0x1000n;
const VALID_READ_WRITE = 7n;
const ACCESSED = 0x40n;
const DIRTY = 0x80n;

function loneHart(width: RegisterWidth = 64): Hart {
  const registers = createRegisterFile(acquireMemory(0n, 0x1_0000), 1, width);
  registers.clear();
  return createHart(0, registers.control(0), width);
}

/** One table of Sv39 whose first entry is a gigabyte from 0, and whose second is a table that is nowhere. */
function world(flags: bigint) {
  const entries = new Map([
    [TABLE, flags],
    [TABLE + 8n, (1n << 40n) | 1n],
  ]);
  const memory: PhysicalMemory = {
    read: (address) => (address < 0x10_0000n ? (entries.get(address) ?? 0n) : null),
    write: (address, _width, value) => void entries.set(address, value),
  };
  const hart = loneHart();
  hart.csr.satp = (8n << 60n) | (TABLE >> 12n);
  hart.pmpcfg[0] = 0x1f;
  hart.pmpaddr[0] = (1n << 54n) - 1n;
  return { hart, memory, entries };
}

test("accessed and dirty bits: written while menvcfg.ADUE is set, else a page fault", () => {
  const { hart, memory, entries } = world(VALID_READ_WRITE);
  const at = (access: "read" | "write") => translate(hart, memory, 0x123n, access, MODE.supervisor);
  hart.csr.menvcfg &= ~MENVCFG.ADUE;
  assert.equal(at("read").kind, "page-fault");
  entries.set(TABLE, VALID_READ_WRITE | ACCESSED);
  assert.deepEqual(at("read"), { kind: "physical", address: 0x123n, isWritable: false });
  assert.equal(at("write").kind, "page-fault");
  hart.csr.menvcfg |= MENVCFG.ADUE;
  assert.deepEqual(at("write"), { kind: "physical", address: 0x123n, isWritable: true });
  assert.equal(entries.get(TABLE), VALID_READ_WRITE | ACCESSED | DIRTY);
});

test("a quiet walk writes nothing", () => {
  const { hart, memory, entries } = world(VALID_READ_WRITE);
  assert.equal(translate(hart, memory, 0n, "write", MODE.supervisor, true).kind, "physical");
  assert.equal(entries.get(TABLE), VALID_READ_WRITE);
});

test("a table outside of RAM, or that protection closes, is an access fault", () => {
  const { hart, memory } = world(VALID_READ_WRITE | ACCESSED);
  assert.equal(translate(hart, memory, 1n << 30n, "read", MODE.supervisor).kind, "access-fault");
  hart.pmpcfg[0] = 0;
  assert.equal(translate(hart, memory, 0n, "read", MODE.supervisor).kind, "access-fault");
});

test("Sv32 walks two levels of words to addresses of 34 bits", () => {
  const entries = new Map([
    [TABLE + 4n * 0x201n, (0x2n << 10n) | 1n],
    [0x2000n + 4n * 3n, (0x3f_ffffn << 10n) | VALID_READ_WRITE | ACCESSED],
    [TABLE + 4n, (0x10_0400n << 10n) | VALID_READ_WRITE | ACCESSED],
    [TABLE + 8n, (0x10_0401n << 10n) | VALID_READ_WRITE | ACCESSED],
  ]);
  const widths = new Set<number>();
  const memory: PhysicalMemory = {
    read(address, width) {
      widths.add(width);
      return entries.get(address) ?? 0n;
    },
    write: (address, _width, value) => void entries.set(address, value),
  };
  const hart = loneHart(32);
  hart.csr.satp = (1n << 31n) | (0x1ffn << 22n) | (TABLE >> 12n);
  hart.pmpcfg[0] = 0x1f;
  hart.pmpaddr[0] = (1n << 32n) - 1n;
  const at = (address: bigint, access: "read" | "write" = "read") => translate(hart, memory, address, access, MODE.supervisor);
  assert.deepEqual(at(0x8040_3123n), { kind: "physical", address: 0x3_ffff_f123n, isWritable: false });
  // A page of 4 MiB, and one that does not begin where it could.
  assert.deepEqual(at(0x7f_f004n, "write"), { kind: "physical", address: 0x1_007f_f004n, isWritable: true });
  assert.equal(entries.get(TABLE + 4n), (0x10_0400n << 10n) | VALID_READ_WRITE | ACCESSED | DIRTY);
  assert.equal(at(0x80_0000n).kind, "page-fault");
  assert.deepEqual([...widths], [4]);
  hart.csr.satp = TABLE >> 12n;
  assert.deepEqual(at(0xffff_fffcn), { kind: "physical", address: 0xffff_fffcn, isWritable: true });
});

test("a locked entry binds machine mode, an open one does not", () => {
  const hart = loneHart();
  hart.pmpaddr[0] = (0x8000n >> 2n) | 0x1ffn;
  const may = (access: "read" | "write") => checkProtection(hart, 0x8000n, 8, access, MODE.machine).isAllowed;
  hart.pmpcfg[0] = 0x19;
  assert.deepEqual([may("read"), may("write")], [true, true]);
  hart.pmpcfg[0] = 0x99;
  hart.hasLocks = hasLocks(hart);
  assert.deepEqual([may("read"), may("write")], [true, false]);
  assert.deepEqual(checkProtection(hart, 0x9000n, 8, "write", MODE.machine), { isAllowed: true, isWholePage: true });
});

test("a store to a page that a guest has locked traps in machine mode, and the lock stays", () => {
  const guest = startGuest(
    `la t0, handler\n csrw mtvec, t0\n li t0, ${(0x8010_0000n >> 2n) | 0x1ffn}\n csrw pmpaddr0, t0\n li t0, 0x99\n csrw pmpcfg0, t0\n csrw pmpcfg0, zero\n csrr a1, pmpcfg0\n` +
      `li s0, 0x80100000\n ld a0, 0(s0)\n sd a0, 0(s0)\n j .\n .align 2\nhandler: csrr a2, mcause\n csrr a3, mtval\n j .`,
  );
  guest.run(60);
  assert.deepEqual([guest.register("a1"), guest.register("a2"), guest.register("a3")], [0x99n, 7n, RAM + 0x10_0000n]);
});
