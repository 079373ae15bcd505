// `guestspec targets`: what specs can be compiled for and run on, and whether this computer can. A row for each machine and engine; what a
// machine has is told by `guestspec devices --machine NAME`.

import { hasNativeTarget } from "../../compiler/targets/index.ts";
import { capabilitiesOf, enginesOf, formatCapability, type MachineDescription } from "../../machines/description.ts";
import { listMachines } from "../../machines/load-machine.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { findQemu } from "../find-qemu.ts";
import type { Io } from "../io.ts";
import { DEFAULT_MACHINE, loadMachineDescription } from "../load-specs.ts";
import { commandTarget } from "../load-targets.ts";
import type { ParsedOptions } from "../options.ts";

interface EngineState {
  readonly engine: string;
  readonly isReady: boolean;
  readonly state: string;
}

async function stateOf(engine: string, machine: MachineDescription, env: Io["env"]): Promise<EngineState> {
  if (machine.boot !== null && !hasNativeTarget(machine.target)) {
    const state = engine === "embedded" ? "programs only, by `guestspec exec`" : "no compiler back end yet";
    return { engine, isReady: false, state };
  }
  if (engine === "embedded") return { engine, isReady: true, state: "ready" };
  const qemu = await findQemu(machine, env);
  if (qemu === null || !qemu.found) return { engine, isReady: false, state: qemu?.problem ?? "QEMU has no such board" };
  return { engine, isReady: true, state: `ready, ${qemu.binary} ${qemu.version}` };
}

function describe(machine: MachineDescription, engines: readonly EngineState[]) {
  return {
    target: machine.target,
    machine: machine.name,
    summary: machine.summary,
    engines,
    cpus: machine.cpus,
    ramBytes: machine.ram.size,
    provides: [...new Set(capabilitiesOf(machine).map(({ capability }) => formatCapability(capability)))].sort(),
    isDefault: machine.name === DEFAULT_MACHINE,
  };
}

async function describePackaged(name: string, env: Io["env"]) {
  const { machine } = await loadMachineDescription(name, null);
  return describe(machine, await Promise.all(enginesOf(machine).map((engine) => stateOf(engine, machine, env))));
}

/** The engines of guestspec.yaml, each a machine of its own. */
async function describeProject(io: Io) {
  const { readEngines } = await import("../project-engines.ts");
  const targets = await Promise.all(readEngines().map((config) => commandTarget(config, io)));
  return targets.map(({ machine, engine, unavailable }) => describe(machine, [{ engine, isReady: unavailable === null, state: unavailable ?? "ready" }]));
}

function alignColumns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}

export async function run(options: ParsedOptions, io: Io): Promise<ExitCode> {
  const machines = [...(await Promise.all(listMachines().map((name) => describePackaged(name, io.env)))), ...(await describeProject(io))];
  machines.sort((a, b) => Number(b.isDefault) - Number(a.isDefault) || a.target.localeCompare(b.target) || a.machine.localeCompare(b.machine));
  if (options.has("json")) {
    io.out(`${JSON.stringify({ version: 1, machines }, null, 2)}\n`);
    return EXIT.ok;
  }
  const rows = machines.flatMap(({ target, machine, summary, engines, isDefault }) =>
    engines.map(({ engine, state }) => [target, `${machine}${isDefault ? " (default)" : ""}`, engine, state, summary]),
  );
  io.out(alignColumns([["target", "machine", "engine", "state", "what it is"], ...rows]));
  io.out("\n`guestspec devices --machine NAME` tells what a machine has, `guestspec doctor` what this computer lacks\n");
  return EXIT.ok;
}
