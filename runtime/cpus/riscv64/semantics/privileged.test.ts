// Single instructions in random states, three times: generated code, the cold path alone (which a run with a trace takes), and for what the
// guards let through the descriptions themselves.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { RegisterWidth } from "../../../../isa/riscv64/by-width.ts";
import { findCsr } from "../../../../isa/riscv64/registers.ts";
import { createRandom, FUZZ_SEED, fuzzRounds, type Random } from "../../../../tests/fixtures/random.ts";
import { RAM, startGuest, type Guest } from "../../../../tests/fixtures/riscv64.ts";
import { statusDirty } from "../hart.ts";
import { CSR_FIELDS, stateCell } from "../state.ts";
import { evaluate, type Leaves } from "./evaluate.ts";
import type { Leaf } from "./expressions.ts";
import type { Guarded } from "./guarded.ts";
import { describeAccesses, TRANSFERS } from "./privileged.ts";

const RD = 10;
const RS1 = 11;
const CSRRW = 0x1073;
const CSRRS = 0x2073;
const CSRRC = 0x3073;
const SYSTEM = { ecall: 0x73, mret: 0x3020_0073, sret: 0x1020_0073 } as const;
const OPCODES = { read: CSRRS, write: CSRRW, set: CSRRS, clear: CSRRC } as const;

/** All modes may go everywhere. */
const OPEN = { pmpaddr0: (1n << 54n) - 1n, pmpcfg0: 0x1fn };

const WIDTHS = [32, 64] as const;
/** Not among what a state is made of: it would interrupt by time. */
const FIELDS = CSR_FIELDS.filter((field) => field !== "stimecmp" && field !== "menvcfg" && field !== "satp");

interface Trial {
  readonly bits: number;
  readonly leaves: Record<string, bigint>;
}

function drawTrial(random: Random, name: string): Trial {
  const wide = (): bigint => (BigInt(random.u32()) << 32n) | BigInt(random.u32());
  const leaves: Record<string, bigint> = { pc: RAM, rs1: random.chance(50) ? wide() : BigInt(random.below(64)), imm: 0n };
  for (const field of FIELDS) leaves[field] = random.chance(70) ? wide() : 0n;
  if (random.chance(60)) leaves["mie"] = 0n;
  if (random.chance(60)) leaves["mstatus"] = (leaves["mstatus"] ?? 0n) & ~(1n << 17n);
  if (random.chance(60)) leaves["mstatus"] = (leaves["mstatus"] ?? 0n) | (3n << 13n);
  leaves["mode"] = BigInt(random.pick([0, 1, 3]));
  const [first = "", csr = ""] = name.split(" ");
  if (csr === "") return { bits: SYSTEM[first as keyof typeof SYSTEM], leaves };
  const isImmediate = random.chance(30);
  const change = first as keyof typeof OPCODES;
  const operand = change === "read" ? 0 : isImmediate ? 1 + random.below(31) : RS1;
  if (change === "read" || isImmediate) leaves["rs1"] = 0n;
  if (isImmediate) leaves["imm"] = BigInt(operand);
  const number = findCsr(csr) ?? assert.fail(csr);
  const rd = change === "write" && random.chance(30) ? 0 : RD;
  return { bits: ((number << 20) | (operand << 15) | (rd << 7) | OPCODES[change] | (isImmediate ? 0x4000 : 0)) >>> 0, leaves };
}

/** Puts a CPU into the state; what registers do not take as it is becomes what they hold. */
function prepare({ machine, processor }: Guest, { bits, leaves }: Trial): void {
  const code = new Uint8Array(8);
  new DataView(code.buffer).setUint32(0, bits, true);
  machine.writeMemory(RAM, code);
  processor.writeRegister(0, "pc", RAM);
  processor.writeRegister(0, "a0", 0x1234n);
  processor.writeRegister(0, "a1", leaves["rs1"] ?? 0n);
  for (const field of FIELDS) processor.writeRegister(0, field, leaves[field] ?? 0n);
  processor.writeRegister(0, "privilege", leaves["mode"] ?? 0n);
}

function stateOf({ processor }: Guest): Record<string, bigint> {
  const names = ["pc", "a0", "zero", ...FIELDS];
  return { ...Object.fromEntries(names.map((name) => [name, processor.readRegister(0, name)])), mode: processor.readRegister(0, "privilege") };
}

/** As cells have them for a run of one instruction; while a counter is inhibited nobody asks where it counts from. */
function countsOf({ machine, processor }: Guest): Partial<Record<Leaf, bigint>> {
  const executed = BigInt(processor.instructions());
  return {
    cycleBase: processor.readRegister(0, "mcycle") - executed,
    instretBase: processor.readRegister(0, "minstret") - executed,
    instructionsEnd: executed + 1n,
    timeEnd: BigInt(machine.now()) + 1n,
    timeOffset: 0n,
    countLength: 100n,
    remaining: 1n,
  };
}

/** SD is no bit of the register: it follows from FS. */
const withoutSummary = (state: Record<string, bigint>, width: RegisterWidth): Record<string, bigint> => ({
  ...state,
  mstatus: (state["mstatus"] ?? 0n) & ~statusDirty({ width }),
});

function apply(
  { result, writes = [], transfer }: Guarded,
  leaves: Leaves,
  before: Record<string, bigint>,
  hasTarget: boolean,
  width: RegisterWidth,
): Record<string, bigint> {
  const after: Record<string, bigint> = { ...before, pc: RAM + 4n };
  for (const [name, value] of writes) {
    assert.equal(stateCell(name).isWord, false);
    after[name] = evaluate(value, leaves);
  }
  if (result !== undefined && hasTarget) after["a0"] = BigInt.asUintN(width, evaluate(result.value, leaves));
  if (transfer === undefined) return after;
  return { ...after, pc: evaluate(transfer.target, leaves), mode: evaluate(transfer.mode, leaves) };
}

for (const width of WIDTHS) {
  test(`RV${width}: control registers, calls and returns: generated code, cold path and description agree`, () => {
    const rounds = fuzzRounds(60);
    const options = { width, setup: { registers: OPEN } };
    const fast = startGuest(new Uint8Array(8), options);
    const slow = startGuest(new Uint8Array(8), { ...options, trace: () => undefined });
    for (const [name, meaning] of [...describeAccesses(width), ...TRANSFERS]) {
      const random = createRandom(FUZZ_SEED);
      let guarded = 0;
      for (let round = 0; round < rounds; round++) {
        const trial = drawTrial(random, name);
        for (const guest of [fast, slow]) prepare(guest, trial);
        const before = withoutSummary(stateOf(fast), width);
        const isQuiet = ((before["mie"] ?? 0n) & (before["mip"] ?? 0n)) === 0n;
        const leaves: Leaves = { ...trial.leaves, ...before, ...countsOf(fast), quiet: isQuiet ? 1n : 0n, answered: 0n } satisfies Partial<
          Record<Leaf | "a0" | "zero", bigint>
        >;
        // An interrupt that the instruction lets in is taken before the next one, which may be after the limit.
        for (const guest of [fast, slow]) guest.run(isQuiet ? 1 : 2);
        const shown = `${name} 0x${trial.bits.toString(16)} in round ${round}`;
        const after = withoutSummary(stateOf(fast), width);
        assert.deepEqual(after, withoutSummary(stateOf(slow), width), shown);
        assert.equal(after["zero"], 0n, shown);
        if (!isQuiet || (meaning.guard !== undefined && evaluate(meaning.guard, leaves) === 0n)) continue;
        guarded++;
        assert.deepEqual(after, apply(meaning, leaves, before, ((trial.bits >>> 7) & 31) === RD, width), shown);
      }
      assert.ok(guarded > rounds / 20, `${name}: the guard let ${guarded} of ${rounds} through`);
    }
    fast.dispose();
    slow.dispose();
  });
}

test("a call is answered outside in supervisor mode, and an interrupt is taken behind the return that lets it in", () => {
  let calls = 0;
  const guest = startGuest("ecall\n ecall\n j .", {
    setup: { privilege: "supervisor", registers: OPEN },
    environmentCall: () => {
      calls++;
      return "handled";
    },
  });
  guest.run(3);
  assert.deepEqual([calls, guest.register("pc")], [2, RAM + 8n]);

  const text =
    "la t0, handler\n csrw mtvec, t0\n li t0, 2\n csrw mip, t0\n csrw mie, t0\n li t0, 0x80\n csrw mstatus, t0\n la t0, after\n csrw mepc, t0\n mret\nafter: j .\n .align 2\nhandler: j .";
  for (const trace of [undefined, () => undefined]) {
    const other = startGuest(text, { setup: { registers: OPEN }, ...(trace && { trace }) });
    other.run(20);
    assert.equal(other.register("mcause"), (1n << 63n) | 1n);
    assert.equal(other.register("privilege"), 3n);
  }
});

test("counters in loops that get hot are exact to the instruction: inhibited, moved, and of harts in turns", () => {
  const program = `
    li s0, 0x200bff8
    li s3, 2500
  loop:
    csrr t0, instret
    add s1, s1, t0
    andi t1, s3, 3
    csrr t2, time
    bnez t1, 1f
    csrr t3, mcycle
    xor s2, s2, t3
    csrr t4, minstret
    add s2, s2, t4
  1:
    add s4, s4, t2
    csrr t5, cycle
    add s5, s5, t5
    andi t1, s3, 255
    bnez t1, 2f
    csrw minstret, s3
    slli t6, s3, 4
    sd t6, 0(s0)
    andi t1, s3, 256
    srli t1, t1, 8
    csrw mcountinhibit, t1
  2:
    addi s3, s3, -1
    bnez s3, loop
    j .`;
  for (const cpus of [1, 2]) {
    const guests = [startGuest(program, { cpus }), startGuest(program, { cpus, trace: () => undefined })];
    const [first, second] = guests.map((guest) => {
      for (const limit of [999, 1, 20_000, 60_000]) guest.run(limit);
      return Array.from({ length: cpus }, (_, cpu) =>
        ["pc", "s1", "s2", "s3", "s4", "s5", "minstret", "mcycle", "time"].map((name) => guest.processor.readRegister(cpu, name)),
      );
    });
    assert.deepEqual(first, second, `${cpus} harts`);
    assert.ok((first?.[0]?.[5] ?? 0n) > 0n);
    for (const guest of guests) guest.dispose();
  }
});
