// Guest speed: the same workloads on the reference interpreter, on the WebAssembly translation as a run uses it, and in C at -O2 (where
// there is a compiler). Times are the guest thread's CPU time of the guest's run only; the checksums of guest and C must agree. The first
// run of a workload has V8's compilation in it and is told apart: what is compared are the ones after it.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { interpreterFactory } from "../runtime/cpus/bytecode/interpreter.ts";
import { createWasmFactory } from "../runtime/cpus/bytecode/wasm-executor.ts";
import { compileWithHints } from "../runtime/engines/compile-wasm.ts";
import { createMachine } from "../runtime/machine/machine.ts";
import { compileSpecs } from "../tests/fixtures/compile.ts";
import { bytecodeVirt } from "../tests/fixtures/machines.ts";
import { median, reportLine } from "./measure.ts";

const ROUNDS = 5;
/** Rows of each test: a short one for the interpreter, the one that is measured, and how often the latter makes its C function loop. */
const SHORT = 0;
const LONG = 1;
const WORKLOADS = [
  { label: "xorshift", times: 60_000_000 },
  { label: "sieve", times: 20 },
  { label: "copy", times: 800 },
  { label: "fib", times: 36 },
  { label: "CRC-32", times: 300 },
  { label: "matrix", times: 96 },
  { label: "list", times: 30_000 },
  { label: "scanner", times: 400_000 },
  { label: "heap sort", times: 6 },
] as const;

const wasmFactory = createWasmFactory(compileWithHints);
const [image] = compileSpecs(["bench/workloads.gspec"]);
if (image === undefined) throw new Error("no image");
const { module, manifest } = image;

const LIMITS = { deadline: Number.MAX_SAFE_INTEGER, grace: 1, instructions: Number.MAX_SAFE_INTEGER };

/** Seconds of CPU time of this thread: V8's other threads compile meanwhile. Node has it from 23.9 on; before, it is the clock. */
function threadSeconds(): number {
  if (typeof process.threadCpuUsage !== "function") return performance.now() / 1e3;
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1e6;
}

interface GuestRun {
  readonly seconds: number;
  readonly instructions: number;
  readonly checksum: string;
}

function runGuest(factory: typeof interpreterFactory, test: number, row: number): GuestRun {
  let console = "";
  const vm = createMachine(bytecodeVirt, { output: (bytes) => (console += Buffer.from(bytes).toString("latin1")) });
  const executor = factory.create(vm.loadImage(module), vm);
  executor.call(manifest.entry.boot, [], LIMITS);
  const start = threadSeconds();
  executor.call(manifest.entry.runCase, [test, row], LIMITS);
  const seconds = threadSeconds() - start;
  const instructions = executor.instructions();
  vm.dispose();
  return { seconds, instructions, checksum: /m 0x0*([0-9a-f]+)/.exec(console)?.[1] ?? "none" };
}

const directory = mkdtempSync(join(tmpdir(), "guestspec-bench-"));
/** What gcc gains by vectors is told apart. */
function compileC(name: string, ...options: readonly string[]): string | undefined {
  const binary = join(directory, name);
  const compiled = spawnSync("gcc", ["-O2", ...options, "-o", binary, fileURLToPath(new URL("./workloads.c", import.meta.url))]);
  return compiled.status === 0 ? binary : undefined;
}

const binary = compileC("workloads");
const scalarBinary = compileC("workloads-without-vectors", "-fno-tree-vectorize");
const hasC = binary !== undefined && scalarBinary !== undefined;
if (!hasC) reportLine("native C", "left out: gcc is not there or failed");

function runNative(program: string, workload: number, times: number): { readonly seconds: number; readonly checksum: string } {
  const [seconds, checksum] = spawnSync(program, [String(workload), String(times)], { encoding: "utf8" })
    .stdout.trim()
    .split(" ");
  return { seconds: Number(seconds), checksum: checksum ?? "none" };
}

/** `bench/executors.bench.ts NAME ...` measures those only. */
const wanted = process.argv.slice(2);
try {
  for (const [index, { label, times }] of WORKLOADS.entries()) {
    if (wanted.length > 0 && !wanted.includes(label)) continue;
    const first = runGuest(wasmFactory, index, LONG);
    const rounds = Array.from({ length: ROUNDS }, () => {
      const wasm = runGuest(wasmFactory, index, LONG);
      const [native, scalar] = hasC ? [runNative(binary, index, times), runNative(scalarBinary, index, times)] : [null, null];
      if (native !== null && native.checksum !== wasm.checksum) throw new Error(`${label}: guest ${wasm.checksum}, C ${native.checksum}`);
      return { wasm, native: native?.seconds ?? Number.NaN, scalar: scalar?.seconds ?? Number.NaN };
    });
    const interpreted = runGuest(interpreterFactory, index, SHORT);
    const short = runGuest(wasmFactory, index, SHORT);
    if (short.instructions !== interpreted.instructions || short.checksum !== interpreted.checksum)
      throw new Error(
        `${label}: ${short.instructions} instructions and ${short.checksum} translated, ${interpreted.instructions} and ${interpreted.checksum} interpreted`,
      );
    const wasm = median(rounds.map((round) => round.wasm.seconds));
    const native = median(rounds.map((round) => round.native));
    const rate = (run: GuestRun, seconds = run.seconds): number => run.instructions / seconds / 1e6;
    const fast = rate(first, wasm);
    const toC = hasC
      ? `${median(rounds.map((round) => round.native / round.wasm.seconds)).toFixed(2)}x the speed of gcc -O2 (first run ${(native / first.seconds).toFixed(2)}, to gcc without vectors ${median(rounds.map((round) => round.scalar / round.wasm.seconds)).toFixed(2)}), `
      : "";
    reportLine(label, `${toC}${(fast / rate(interpreted)).toFixed(0)}x the interpreter's (${fast.toFixed(0)} and ${rate(interpreted).toFixed(0)} MIPS)`);
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
