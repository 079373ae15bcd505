// The oracle that is no emulator: the host's own floating-point unit, through its C compiler and <fenv.h>, computes the same cases in the
// four rounding modes that C knows. x86-64 judges tininess after rounding as RISC-V does; other hosts need not. NaNs are made canonical
// here, and what IEEE 754 leaves to the implementation (infinity times zero plus a NaN, integers out of range) is QEMU's part to tell.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { floatCases, showCase, type FloatCase } from "../fixtures/float-cases.ts";
import { FUZZ_SEED, fuzzRounds } from "../fixtures/random.ts";
import { BINARY32, BINARY64, isNan } from "../../runtime/cpus/riscv64/softfloat/format.ts";
import {
  boxSingle,
  FLOAT_OPERATIONS,
  RDN,
  RNE,
  RTZ,
  RUP,
  unboxSingle,
  type Contents,
  type FloatOperation,
} from "../../runtime/cpus/riscv64/softfloat/operations.ts";
import { isRequired } from "../fixtures/required.ts";

const hasCompiler = spawnSync("gcc", ["--version"]).status === 0;
const skip =
  process.arch !== "x64" ? "only x86-64 judges tininess as RISC-V does" : hasCompiler || isRequired("gcc") ? false : "gcc cannot be run (Debian package gcc)";

/** In the order of the modes' numbers. */
const MODES = [RNE, RTZ, RDN, RUP] as const;

/** What each instruction is in C, over `a`, `b` and `c` of its operands' type. */
const IN_C: ReadonlyMap<string, string> = new Map([
  ...(["s", "d"] as const).flatMap((suffix): (readonly [string, string])[] => {
    const f = suffix === "s" ? "f" : "";
    return [
      [`fadd.${suffix}`, "a + b"],
      [`fsub.${suffix}`, "a - b"],
      [`fmul.${suffix}`, "a * b"],
      [`fdiv.${suffix}`, "a / b"],
      [`fsqrt.${suffix}`, `sqrt${f}(a)`],
      [`fmadd.${suffix}`, `fma${f}(a, b, c)`],
      [`fmsub.${suffix}`, `fma${f}(a, b, -c)`],
      [`fnmsub.${suffix}`, `fma${f}(-a, b, c)`],
      [`fnmadd.${suffix}`, `fma${f}(-a, b, -c)`],
      [`feq.${suffix}`, "a == b"],
      [`flt.${suffix}`, "a < b"],
      [`fle.${suffix}`, "a <= b"],
      [`fcvt.${suffix}.w`, "(int32_t)a"],
      [`fcvt.${suffix}.wu`, "(uint32_t)a"],
      [`fcvt.${suffix}.l`, "(int64_t)a"],
    ];
  }),
  ["fcvt.s.d", "a"],
  ["fcvt.d.s", "a"],
]);

const TYPES = { single: "float", double: "double", integer: "uint64_t" } as const;

function sourceOf(rows: readonly Row[]): string {
  const functions = rows.map(({ operation: { operands, result } }, index) => {
    const type = TYPES[operands[0] ?? "integer"];
    return `static void run${index}(const uint64_t *in, uint64_t *out) {
  volatile ${type} a, b, c; volatile ${TYPES[result]} r; uint64_t bits = 0;
  memcpy((void *)&a, in, sizeof a); memcpy((void *)&b, in + 1, sizeof b); memcpy((void *)&c, in + 2, sizeof c);
  feclearexcept(FE_ALL_EXCEPT);
  r = ${IN_C.get(rows[index]?.mnemonic ?? "") ?? ""};
  int raised = fetestexcept(FE_ALL_EXCEPT);
  memcpy(&bits, (void *)&r, sizeof r);
  out[0] = bits;
  out[1] = (raised & FE_INEXACT ? 1 : 0) | (raised & FE_UNDERFLOW ? 2 : 0) | (raised & FE_OVERFLOW ? 4 : 0) | (raised & FE_DIVBYZERO ? 8 : 0) | (raised & FE_INVALID ? 16 : 0);
}`;
  });
  return `#include <fenv.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
${functions.join("\n")}
static void (*const operations[])(const uint64_t *, uint64_t *) = { ${rows.map((_row, index) => `run${index}`).join(", ")} };
static const int modes[] = { FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD };
int main(void) {
  uint64_t in[4], out[8];
  while (fread(in, sizeof in, 1, stdin) == 1) {
    for (int mode = 0; mode < 4; mode++) {
      fesetround(modes[mode]);
      operations[in[3]](in, out + 2 * mode);
    }
    fesetround(FE_TONEAREST);
    if (fwrite(out, sizeof out, 1, stdout) != 1) return 1;
  }
  return fflush(stdout) != 0;
}
`;
}

interface Row {
  readonly mnemonic: string;
  readonly operation: FloatOperation;
  readonly cases: readonly FloatCase[];
}

const isNanRegister = (contents: Contents, register: bigint): boolean =>
  contents === "single" ? isNan(BINARY32, unboxSingle(register)) : contents === "double" && isNan(BINARY64, register);

/** C has no boxes: what is in none is the canonical NaN already. */
const unbox = (contents: Contents, register: bigint): bigint => (contents === "single" ? unboxSingle(register) : register);

/** As the instruction would leave it in a register. */
function canonical(contents: Contents, bits: bigint): bigint {
  if (contents === "integer") return bits & 1n;
  const register = contents === "single" ? boxSingle(bits) : bits;
  if (!isNanRegister(contents, register)) return register;
  return contents === "single" ? boxSingle(BINARY32.canonicalNan) : BINARY64.canonicalNan;
}

test("the host's floating-point unit gives the same results and flags", { skip }, () => {
  const rows: Row[] = [...IN_C.keys()].map((mnemonic) => {
    const operation = FLOAT_OPERATIONS.get(mnemonic) ?? assert.fail(`no ${mnemonic}`);
    const all = [...floatCases(operation.operands, fuzzRounds(4000), FUZZ_SEED + 1)];
    // Infinity times zero plus a NaN: invalid or not, as the implementation likes.
    const cases = operation.operands.length < 3 ? all : all.filter(([, , c]) => !isNanRegister(operation.operands[2] ?? "integer", c));
    return { mnemonic, operation, cases };
  });
  const total = rows.reduce((sum, { cases }) => sum + cases.length, 0);
  const input = new DataView(new ArrayBuffer(total * 32));
  let at = 0;
  rows.forEach(({ operation, cases }, index) => {
    for (const registers of cases) {
      registers.forEach((register, place) => input.setBigUint64(at + place * 8, unbox(operation.operands[place] ?? "integer", register), true));
      input.setBigUint64(at + 24, BigInt(index), true);
      at += 32;
    }
  });
  const folder = mkdtempSync(join(tmpdir(), "guestspec-float-"));
  let output: Buffer;
  try {
    const [source, program] = [join(folder, "float.c"), join(folder, "float")];
    writeFileSync(source, sourceOf(rows));
    const flags = ["-O1", "-frounding-math", "-ftrapping-math", "-fno-builtin", "-ffp-contract=off"];
    const compiled = spawnSync("gcc", [...flags, "-o", program, source, "-lm"], { encoding: "utf8" });
    assert.equal(compiled.status, 0, compiled.stderr);
    const ended = spawnSync(program, { input: new Uint8Array(input.buffer), maxBuffer: total * 64 + 1, timeout: 120_000, killSignal: "SIGKILL" });
    assert.equal(ended.status, 0, ended.stderr.toString());
    output = ended.stdout;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  assert.equal(output.length, total * 64);
  const differences: string[] = [];
  let from = 0;
  for (const { mnemonic, operation, cases } of rows) {
    for (const registers of cases) {
      for (const mode of MODES) {
        const bits = canonical(operation.result, output.readBigUInt64LE(from));
        const flags = Number(output.readBigUInt64LE(from + 8));
        from += 16;
        const found = operation.run(mode, ...registers);
        if (found.bits === bits && found.flags === flags) continue;
        differences.push(
          `${mnemonic} ${showCase(operation.operands, registers)} in mode ${mode}: host ${bits.toString(16)} with flags ${flags}, ours ${found.bits.toString(16)} with flags ${found.flags}`,
        );
      }
    }
  }
  assert.ok(total > 100_000, `${total} cases were compared`);
  assert.equal(differences.length, 0, `${differences.length} of ${total * MODES.length} differ:\n${differences.slice(0, 20).join("\n")}`);
});
