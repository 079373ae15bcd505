// Guest speed: the same workloads on the reference interpreter, on the WebAssembly translation as a run uses it, and in C at -O2 (where
// there is a compiler). Times are of the guest's run only; the checksums of guest and C must agree.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { interpreterFactory } from "../runtime/cpus/bytecode/interpreter.ts";
import { createWasmFactory } from "../runtime/cpus/bytecode/wasm-executor.ts";
import { compileWithBranchHints } from "../runtime/engines/compile-wasm.ts";
import { createMachine } from "../runtime/machine/machine.ts";
import { compileSpecs } from "../tests/fixtures/compile.ts";
import { bytecodeVirt } from "../tests/fixtures/machines.ts";
import { median, reportLine } from "./measure.ts";

const wasmFactory = createWasmFactory(compileWithBranchHints);
const [image] = compileSpecs(["bench/workloads.gspec"]);

const LIMITS = { deadline: Number.MAX_SAFE_INTEGER, grace: 1, instructions: Number.MAX_SAFE_INTEGER };

function runGuest(factory: typeof interpreterFactory, test: number): { readonly seconds: number; readonly instructions: number; readonly checksum: string } {
  let console = "";
  const vm = createMachine(bytecodeVirt, { output: (bytes) => (console += Buffer.from(bytes).toString("latin1")) });
  if (image === undefined) throw new Error("no image");
  const executor = factory.create(vm.loadImage(image.module), vm);
  executor.call(image.manifest.entry.boot, [], LIMITS);
  const start = performance.now();
  executor.call(image.manifest.entry.runCase, [test, 0], LIMITS);
  const seconds = (performance.now() - start) / 1e3;
  const instructions = executor.instructions();
  vm.dispose();
  return { seconds, instructions, checksum: /m 0x0*([0-9a-f]+)/.exec(console)?.[1] ?? "none" };
}

const directory = mkdtempSync(join(tmpdir(), "guestspec-bench-"));
const binary = join(directory, "workloads");
const compiled = spawnSync("gcc", ["-O2", "-o", binary, fileURLToPath(new URL("./workloads.c", import.meta.url))]);
const hasC = compiled.status === 0;
if (!hasC) reportLine("native C", "left out: gcc is not there or failed");

try {
  for (const [index, [name, label]] of (
    [
      ["xorshift", "xorshift 30M"],
      ["sieve", "sieve 1Mi x10"],
      ["fib", "fib 32"],
    ] as const
  ).entries()) {
    const rounds = Array.from({ length: 3 }, () => {
      const wasm = runGuest(wasmFactory, index);
      const native = hasC ? spawnSync(binary, [name], { encoding: "utf8" }).stdout.trim().split(" ") : null;
      if (native !== null && native[1] !== wasm.checksum) throw new Error(`${label}: guest ${wasm.checksum}, C ${native[1]}`);
      return { wasm, native: native === null ? Number.NaN : Number(native[0]) };
    });
    const interpreted = runGuest(interpreterFactory, index);
    const wasm = median(rounds.map((round) => round.wasm.seconds));
    const instructions = rounds[0]?.wasm.instructions ?? 0;
    if (instructions !== interpreted.instructions)
      throw new Error(`${label}: ${instructions} instructions translated, ${interpreted.instructions} interpreted`);
    const mips = (seconds: number): string => (instructions / seconds / 1e6).toFixed(0);
    const toC = hasC ? `${median(rounds.map((round) => round.native / round.wasm.seconds)).toFixed(2)}x the speed of gcc -O2, ` : "";
    reportLine(label, `${toC}${(interpreted.seconds / wasm).toFixed(0)}x the interpreter's (${mips(wasm)} and ${mips(interpreted.seconds)} MIPS)`);
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
