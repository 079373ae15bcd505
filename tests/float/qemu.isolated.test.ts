// The oracle for RISC-V's own rules: QEMU executes every instruction of the table over the same registers in all five rounding modes, and
// results and flags must be the same bits. One bare-metal program, by our assembler, finds its operands in RAM and leaves its results
// there; RAM is a file that both sides see. Without QEMU it is skipped; with GUESTSPEC_REQUIRE=qemu that is a failure.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { assemble, formatProblem } from "../../isa/riscv64/assemble.ts";
import { floatCases, groupByOperands, showCase, type FloatCase } from "../fixtures/float-cases.ts";
import { FUZZ_SEED, fuzzRounds } from "../fixtures/random.ts";
import { RDN, RMM, RNE, RTZ, RUP, type FloatOperation, type RoundingMode } from "../../runtime/cpus/riscv64/softfloat/operations.ts";
import { skipWithoutQemu } from "../fixtures/riscv64-qemu.ts";

const QEMU = "qemu-system-riscv64";

const MODES: readonly RoundingMode[] = [RNE, RTZ, RDN, RUP, RMM];
const RAM_BASE = 0x8000_0000;
const CASES_OFFSET = 0x10_0000;
const CASE_BYTES = 3 * 8;
const RESULT_BYTES = 2 * 8;

interface Plan {
  readonly mnemonic: string;
  readonly operation: FloatOperation;
  readonly cases: readonly FloatCase[];
  readonly casesAt: number;
  readonly resultsAt: number;
}

/** Where everything lies in RAM, as offsets, and how much there is. */
function planMemory(rounds: number): { readonly plans: readonly Plan[]; readonly size: number } {
  const groups = [...groupByOperands().values()].map((rows) => {
    const cases = [...floatCases(rows[0]?.[1].operands ?? [], rounds, FUZZ_SEED)];
    return { rows, cases };
  });
  let at = CASES_OFFSET;
  const take = (bytes: number): number => (at += bytes) - bytes;
  const plans: Plan[] = [];
  for (const { rows, cases } of groups) {
    const casesAt = take(cases.length * CASE_BYTES);
    for (const [mnemonic, operation] of rows) {
      plans.push({ mnemonic, operation, cases, casesAt, resultsAt: take(cases.length * MODES.length * RESULT_BYTES) });
    }
  }
  // QEMU writes its device tree, a mebibyte with filling, over the last megabytes of RAM.
  return { plans, size: (Math.ceil(at / 2 ** 20) + 4) * 2 ** 20 };
}

function codeOf({ mnemonic, operation: { operands, result }, cases, casesAt, resultsAt }: Plan, index: number): string {
  const given = operands.map((contents, place) => (contents === "integer" ? "a0" : `fa${place}`));
  const target = result === "integer" ? "a1" : "fa3";
  const steps = MODES.map(
    (mode) => `
      li t0, ${mode << 5}
      csrw fcsr, t0
      ${mnemonic} ${[target, ...given].join(", ")}
      csrr t1, fflags
      ${result === "integer" ? "sd a1" : "fsd fa3"}, ${mode * RESULT_BYTES}(s1)
      sd t1, ${mode * RESULT_BYTES + 8}(s1)`,
  );
  return `
    li s0, ${RAM_BASE + casesAt}
    li s1, ${RAM_BASE + resultsAt}
    li s2, ${cases.length}
    loop${index}:
      fld fa0, 0(s0)
      fld fa1, 8(s0)
      fld fa2, 16(s0)
      ld a0, 0(s0)
      ${steps.join("\n")}
      addi s0, s0, ${CASE_BYTES}
      addi s1, s1, ${MODES.length * RESULT_BYTES}
      addi s2, s2, -1
      bnez s2, loop${index}`;
}

function programOf(plans: readonly Plan[]): Uint8Array {
  const text = `
    li t0, 0x6000
    csrs mstatus, t0
    ${plans.map(codeOf).join("\n")}
    li t0, 0x100000
    li t1, 0x5555
    sw t1, 0(t0)
    j .`;
  const assembly = assemble(text, { origin: BigInt(RAM_BASE) });
  if (!assembly.ok) assert.fail(assembly.problems.map(formatProblem).join("\n"));
  return assembly.bytes;
}

test("QEMU gives the same results and flags in all rounding modes", { skip: skipWithoutQemu }, () => {
  const { plans, size } = planMemory(fuzzRounds(4000));
  const program = programOf(plans);
  assert.ok(program.length <= CASES_OFFSET);
  const memory = new Uint8Array(size);
  memory.set(program);
  const written = new DataView(memory.buffer);
  for (const { cases, casesAt } of plans)
    cases.forEach((registers, index) => registers.forEach((register, place) => written.setBigUint64(casesAt + index * CASE_BYTES + place * 8, register, true)));
  const folder = mkdtempSync(join(tmpdir(), "guestspec-float-"));
  try {
    const path = join(folder, "ram");
    writeFileSync(path, memory);
    const args = ["-machine", "virt,memory-backend=ram", "-object", `memory-backend-file,id=ram,size=${size},mem-path=${path},share=on`];
    const ended = spawnSync(QEMU, [...args, "-m", `${size >> 20}M`, "-bios", "none", "-nodefaults", "-display", "none", "-nographic"], {
      timeout: 120_000,
      killSignal: "SIGKILL",
      encoding: "utf8",
    });
    assert.equal(ended.status, 0, `QEMU ended with ${ended.status ?? ended.signal}: ${ended.stderr}`);
    compareResults(plans, readFileSync(path));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

function compareResults(plans: readonly Plan[], bytes: Buffer): void {
  const differences: string[] = [];
  let compared = 0;
  for (const { mnemonic, operation, cases, resultsAt } of plans) {
    cases.forEach((registers, index) => {
      for (const mode of MODES) {
        const at = resultsAt + (index * MODES.length + mode) * RESULT_BYTES;
        const expected = { bits: bytes.readBigUInt64LE(at), flags: Number(bytes.readBigUInt64LE(at + 8)) };
        const found = operation.run(mode, ...registers);
        compared++;
        if (expected.bits === found.bits && expected.flags === found.flags) continue;
        const show = ({ bits, flags }: typeof expected): string => `${bits.toString(16)} with flags ${flags}`;
        differences.push(`${mnemonic} ${showCase(operation.operands, registers)} in mode ${mode}: QEMU ${show(expected)}, ours ${show(found)}`);
      }
    });
  }
  assert.ok(compared > 500_000, `${compared} results were compared`);
  assert.equal(differences.length, 0, `${differences.length} of ${compared} differ:\n${differences.slice(0, 20).join("\n")}`);
}
