// Random bytes and random instructions executed, in every mode, with and without translation: nothing of the host breaks, limits hold,
// and generated code, eagerly translated code and the cold path (which a run with a trace takes) come to the same state, RAM, time and counts.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import type { RegisterWidth } from "../../isa/riscv64/by-width.ts";
import { instructionsOf } from "../../isa/riscv64/instructions.ts";
import { findCsr } from "../../isa/riscv64/registers.ts";
import { createRandom, FUZZ_SEED, fuzzRounds, type Random } from "../fixtures/random.ts";
import { RAM, startGuest, type Guest, type GuestOptions } from "../fixtures/riscv64.ts";

const CODE_BYTES = 0x3000;
const STEPS = 3000;
const CSRS = [
  "mstatus",
  "mie",
  "mip",
  "sie",
  "satp",
  "mtvec",
  "stvec",
  "medeleg",
  "mideleg",
  "fcsr",
  "stimecmp",
  "menvcfg",
  "mepc",
  "sepc",
  "pmpcfg0",
  "pmpaddr0",
  "mcountinhibit",
  "time",
  "instret",
  "tselect",
  "tdata1",
  "tdata2",
  // RV64 has none of these.
  "stimecmph",
  "menvcfgh",
  "mcycleh",
  "pmpcfg1",
];

/** Half of it instructions of the table, whose operands are whatever the bits say. */
function code(random: Random, width: RegisterWidth): Uint8Array {
  const bytes = new Uint8Array(CODE_BYTES);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at + 4 <= CODE_BYTES;) {
    const kind = random.below(100);
    const row = random.pick(instructionsOf(width));
    if (kind < 70) view.setUint32(at, ((random.u32() & ~row.mask) | row.match) >>> 0, true);
    else if (kind < 85)
      view.setUint32(
        at,
        (((findCsr(random.pick(CSRS), width) ?? 0) << 20) |
          (random.below(32) << 15) |
          (random.pick([1, 2, 3, 5, 6, 7]) << 12) |
          (random.below(32) << 7) |
          0x73) >>>
          0,
        true,
      );
    else view.setUint32(at, random.u32(), true);
    at += kind < 70 ? row.length : random.pick([2, 4]);
  }
  return bytes;
}

function setup(random: Random, width: RegisterWidth): GuestOptions["setup"] {
  const anywhere = (): bigint => RAM + BigInt(random.below(CODE_BYTES / 2) * 2);
  const registers: Record<string, bigint> = { mtvec: anywhere() & ~3n, stvec: anywhere() & ~3n, pmpaddr0: (1n << 54n) - 1n, pmpcfg0: 0x1fn };
  for (let n = 1; n < 32; n++) registers[`x${n}`] = random.chance(60) ? anywhere() : (BigInt(random.u32()) << 32n) | BigInt(random.u32());
  registers["mstatus"] = BigInt(random.u32());
  // The code is its own page table too: whatever that translates to.
  if (random.chance(30)) registers["satp"] = (width === 64 ? 8n << 60n : 1n << 31n) | (RAM >> 12n);
  registers["medeleg"] = random.chance(50) ? 0xffffn : 0n;
  return { privilege: random.pick(["machine", "supervisor", "user"]), registers };
}

function stateOf({ machine, processor }: Guest): unknown {
  const names = ["pc", "privilege", "mstatus", "mcause", "mepc", "mtval", "scause", "sepc", "stval", "satp", "mip", "mie", "fcsr", "minstret"];
  const numbers = Array.from({ length: 32 }, (_, n) => [`x${n}`, `f${n}`]).flat();
  const ram = machine.readMemory(RAM, 0x10_0000) ?? new Uint8Array();
  return {
    registers: Object.fromEntries([...names, ...numbers].map((name) => [name, processor.readRegister(0, name).toString(16)])),
    ram: createHash("sha1").update(ram).digest("hex"),
    now: machine.now(),
    instructions: processor.instructions(),
  };
}

for (const width of [32, 64] as const) {
  test(`RV${width}: random code: limits hold, and both paths agree`, () => {
    const rounds = fuzzRounds(60);
    let executed = 0;
    for (let round = 0; round < rounds; round++) {
      const seed = FUZZ_SEED * 1000 + round;
      const make = (hooks: GuestOptions): Guest => {
        const random = createRandom(seed);
        return startGuest(code(random, width), { width, setup: setup(random, width), ...hooks });
      };
      const [expected, ...others] = [{ trace: () => undefined }, {}, { eagerness: "eager" } as const].map((options) => {
        const guest = make(options);
        const reasons = [7, 100, 1, STEPS].map((limit) => guest.run(limit).kind);
        const state = stateOf(guest);
        guest.dispose();
        return { reasons, state, instructions: guest.processor.instructions() };
      });
      for (const found of others) assert.deepEqual(found, expected, `GUESTSPEC_FUZZ_SEED=${FUZZ_SEED}, round ${round}`);
      executed += expected?.instructions ?? 0;
    }
    assert.ok(executed > rounds * 500, `${executed} instructions in ${rounds} rounds`);
  });
}
