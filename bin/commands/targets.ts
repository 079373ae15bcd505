// `guestspec targets`: what specs can be compiled for and run on.

import { capabilitiesOf, formatCapability } from "../../machines/description.ts";
import { listMachines } from "../../machines/load-machine.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import { DEFAULT_MACHINE, loadMachineDescription } from "../load-specs.ts";
import type { ParsedOptions } from "../options.ts";

export async function run(options: ParsedOptions, io: Io): Promise<ExitCode> {
  const rows = [];
  for (const name of listMachines()) {
    const { machine } = await loadMachineDescription(name, null);
    rows.push({
      target: machine.target,
      machine: machine.name,
      summary: machine.summary,
      engines: ["embedded"],
      cpus: machine.cpus,
      ramBytes: machine.ram.size,
      provides: [...new Set(capabilitiesOf(machine).map(({ capability }) => formatCapability(capability)))].sort(),
      isDefault: machine.name === DEFAULT_MACHINE,
    });
  }
  if (options.has("json")) {
    io.out(`${JSON.stringify({ version: 1, machines: rows }, null, 2)}\n`);
    return EXIT.ok;
  }
  for (const { target, machine, summary, engines, cpus, ramBytes, provides, isDefault } of rows) {
    io.out(`${target}\n  ${machine}${isDefault ? " (default)" : ""}: ${summary}\n`);
    io.out(`  engine ${engines.join(", ")}; ${cpus.min} to ${cpus.max} CPUs, ${ramBytes / 2 ** 20} MiB of RAM\n`);
    io.out(`  specs may need cpus(1 to ${cpus.max}), ram(up to ${ramBytes / 2 ** 20}MiB), ${provides.join(", ")}\n`);
  }
  return EXIT.ok;
}
