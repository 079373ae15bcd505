// The embedded riscv64 and riscv32 CPUs beside QEMU: images of bench/cpu, each run to its end here (in a fresh process, translation included), by QEMU's
// TCG, and by QEMU with -icount, which counts instructions as exactly as we do. Speed is QEMU's CPU time by ours: more is better, 1 is
// QEMU. What QEMU needs to start is taken off, measured in the same round; so is what Node needs. All have to end with the same status.
// The same source, compiled for this computer by gcc -O2, tells what no translator gets past where it only waits for its own results.
// A ratio far below the recorded one (bench/cpu/recorded.json) fails: `npm run bench:cpu`, with --record to record anew.

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { median, reportLine, timeProcess } from "./measure.ts";

const folder = fileURLToPath(new URL("cpu/", import.meta.url));
const recordedPath = join(folder, "recorded.json");
const ROUNDS = 3;
/** Machines differ, and are busy: only what is slower than by half is a regression. */
const MARGIN = 0.5;

/** Each with what the design wants of its ratio to TCG; `native`, what it is compiled with for this computer: as build.sh has it. */
const WORKLOADS = [
  { name: "alu", what: "xorshift, no memory", target: 1.5, native: ["-DALU", "-DCOUNT=100000000ul"] },
  { name: "sieve", what: "byte sieve", target: 1.2, native: ["-DSIEVE", "-DCOUNT=40ul"] },
  { name: "copy", what: "1 MiB copy", target: 1.7, native: ["-DCOPY", "-DCOUNT=800ul"] },
  { name: "calls", what: "recursive calls", target: 3, native: ["-DCALLS", "-DCOUNT=38ul"] },
  { name: "mix", what: "list, matrix, states, CRC", target: 1.7, native: ["-DMIX", "-DCOUNT=100000ul"] },
  { name: "reads", what: "UART and CLINT reads", target: 6, native: null },
  { name: "writes", what: "UART and PLIC accesses with effects", target: 2, native: null },
  { name: "timers", what: "mtimecmp writes", target: 20, native: null },
  { name: "ecalls", what: "ecall round trips", target: 20, native: null },
] as const;

/** What is special about the narrower registers shows in a few of them. */
const TARGETS = [
  { width: 64, images: ".", prefix: "", workloads: WORKLOADS },
  { width: 32, images: "rv32", prefix: "rv32 ", workloads: WORKLOADS.filter(({ name }) => name === "alu" || name === "calls" || name === "mix") },
] as const;
type Width = (typeof TARGETS)[number]["width"];

interface Embedded {
  readonly status: number;
  readonly instructions: number;
  readonly cpu: number;
  readonly warm: number;
}

function runEmbedded(image: string, width: Width): Embedded {
  const result = spawnSync(process.execPath, [...process.execArgv, join(folder, "run-image.ts"), image, `${width}`], { encoding: "utf8" });
  if (result.status !== 0) throw new Error(`${image}: ${result.stderr}`);
  return JSON.parse(result.stdout) as Embedded;
}

const BARE = ["-M", "virt", "-bios", "none", "-display", "none", "-serial", "none", "-monitor", "none", "-nodefaults", "-no-user-config"];
/** The guest's status is no failure; it goes to standard output. */
const TELL_STATUS = '"$@" >/dev/null; echo $? >"$STATUS"';

const scratch = mkdtempSync(join(tmpdir(), "guestspec-bench-"));
const statusFile = join(scratch, "status");

function runQemu(qemu: string, image: string, ...more: readonly string[]): { readonly status: number; readonly cpu: number } {
  const { cpu } = timeProcess("bash", ["-c", TELL_STATUS, "bash", qemu, ...BARE, ...more, "-kernel", image], { env: { STATUS: statusFile } });
  return { status: Number(readFileSync(statusFile, "utf8")), cpu };
}

const native = join(scratch, "native");

/** The workload for this computer; false: there is no gcc. */
function compileNative(defines: readonly string[]): boolean {
  const main = "unsigned long work(void); int main(void) { return (int)work(); }";
  const sources = ["-x", "c", join(folder, "workloads.c"), "-"];
  const compiled = spawnSync("gcc", ["-O2", "-fno-tree-loop-distribute-patterns", ...defines, "-o", native, ...sources], { input: main, encoding: "utf8" });
  if (compiled.error !== undefined) return false;
  if (compiled.status !== 0) throw new Error(compiled.stderr);
  return true;
}

function runNative(): { readonly status: number; readonly cpu: number } {
  const { cpu } = timeProcess("bash", ["-c", TELL_STATUS, "bash", native], { env: { STATUS: statusFile } });
  return { status: Number(readFileSync(statusFile, "utf8")), cpu };
}

/** li t0, 0x100000; li t1, 0x5555; sw t1, 0(t0): the finisher says pass. */
function writeEmpty(): string {
  const path = join(scratch, "empty.bin");
  writeFileSync(
    path,
    Uint8Array.from([0x0010_02b7, 0x0000_5337, 0x5553_0313, 0x0062_a023].flatMap((word) => [word & 255, (word >>> 8) & 255, (word >>> 16) & 255, word >>> 24])),
  );
  return path;
}

type Workload = (typeof WORKLOADS)[number];

/** The ratio to TCG, which is reported. */
function compareWith(qemu: string, empty: string, { width, images, prefix }: (typeof TARGETS)[number], workload: Workload): number {
  const { name, what, target, native: defines } = workload;
  const image = join(folder, images, `${name}.elf`);
  const hasNative = width === 64 && defines !== null && compileNative(defines);
  const rounds = Array.from({ length: ROUNDS }, () => {
    const ours = runEmbedded(image, width);
    // In the same round, since a busy machine makes it dearer as well.
    const start = runQemu(qemu, empty).cpu;
    const tcg = runQemu(qemu, image);
    const counted = runQemu(qemu, image, "-icount", "shift=0,sleep=off");
    if (tcg.status !== (ours.status & 0xff) || counted.status !== tcg.status)
      throw new Error(`${name} ends with ${ours.status} here, with ${tcg.status} in QEMU`);
    const limit = hasNative ? runNative() : null;
    if (limit !== null && limit.status !== tcg.status) throw new Error(`${name} ends with ${limit.status} natively, with ${tcg.status} in QEMU`);
    return { ours, tcg: tcg.cpu - start, counted: counted.cpu - start, limit: limit?.cpu ?? Number.NaN };
  });
  const of = (value: (round: (typeof rounds)[number]) => number): number => median(rounds.map(value));
  const ratio = of((round) => round.tcg / round.ours.cpu);
  const mips = of(({ ours }) => ours.instructions / ours.cpu / 1000);
  reportLine(
    `${prefix}${name}: ${what}`,
    `${ratio.toFixed(2)}x TCG (target ${target}), ${of((round) => round.tcg / round.ours.warm).toFixed(2)}x once translated, ${of((round) => round.counted / round.ours.cpu).toFixed(2)}x with -icount; ` +
      `${of(({ ours }) => ours.cpu).toFixed(0)} ms to ${of((round) => round.tcg).toFixed(0)}, ${mips.toFixed(0)} MIPS, ` +
      `translation ${of(({ ours }) => Math.max(ours.cpu - ours.warm, 0)).toFixed(0)} ms` +
      (hasNative ? `; native gcc -O2 ${of((round) => round.tcg / round.limit).toFixed(2)}x TCG` : ""),
  );
  return ratio;
}

try {
  const empty = writeEmpty();
  const recorded = existsSync(recordedPath) ? (JSON.parse(readFileSync(recordedPath, "utf8")) as Record<string, number>) : {};
  const ratios: Record<string, number> = { ...recorded };
  for (const target of TARGETS) {
    const qemu = process.env[`QEMU_riscv${target.width}`] ?? `qemu-system-riscv${target.width}`;
    if (spawnSync(qemu, ["--version"]).status !== 0) {
      reportLine(`riscv${target.width} CPU`, `left out: no ${qemu} here`);
      continue;
    }
    runQemu(qemu, empty);
    for (const workload of target.workloads) {
      const key = `${target.prefix}${workload.name}`;
      const ratio = compareWith(qemu, empty, target, workload);
      ratios[key] = Number(ratio.toFixed(2));
      const least = (recorded[key] ?? 0) * MARGIN;
      if (ratio < least) {
        reportLine("", `regression: ${ratio.toFixed(2)} is less than half of the recorded ${recorded[key]}`);
        process.exitCode = 1;
      }
    }
  }
  if (process.argv.includes("--record")) writeFileSync(recordedPath, `${JSON.stringify(ratios, null, 2)}\n`);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
