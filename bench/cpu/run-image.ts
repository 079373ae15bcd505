// One image of bench/cpu on the embedded board of a width, in a process of its own: prints the status that the guest ended with, its instructions, and
// the CPU time of a first run and of a second one, which finds everything translated. Started by cpu.bench.ts.

import { readFileSync } from "node:fs";
import { riscv32Virt, riscvVirt } from "../../tests/fixtures/machines.ts";
import { riscvProcessor } from "../../runtime/exec/riscv-processor.ts";
import { prepareBoot } from "../../runtime/machine/boot.ts";
import { createMachine } from "../../runtime/machine/machine.ts";
import { readProgram } from "../../runtime/machine/read-program.ts";

const [path = "", width = "64"] = process.argv.slice(2);
const found = readProgram(readFileSync(path));
if (!found.ok) throw new Error(found.problem);
const { program } = found;

function run(): { readonly status: number; readonly instructions: number; readonly cpu: number } {
  const machine = createMachine(width === "32" ? riscv32Virt : riscvVirt, { cpus: 1, output: () => undefined });
  const prepared = prepareBoot(machine, { image: { name: path, program }, cpuProperties: {}, seed: 0n });
  if (!prepared.ok) throw new Error(prepared.problem);
  const processor = riscvProcessor(width === "32" ? 32 : 64)(machine);
  processor.reset(prepared.boot.setups);
  const start = process.cpuUsage();
  const reason = processor.run({ instructions: Number.MAX_SAFE_INTEGER, until: Infinity });
  const { user, system } = process.cpuUsage(start);
  if (reason.kind !== "exit") throw new Error(`the guest ended with ${reason.kind}`);
  const instructions = processor.instructions();
  machine.dispose();
  return { status: reason.exit.code, instructions, cpu: (user + system) / 1000 };
}

const first = run();
const second = run();
if (first.status !== second.status || first.instructions !== second.instructions) throw new Error("two runs differ");
process.stdout.write(`${JSON.stringify({ ...first, warm: second.cpu })}\n`);
