// `guestspec devices`: the device models, where the machine has them, and the constants by which specs know the machine. Of boards of
// QEMU's only the models that they have are told, those that QEMU alone models among them.

import { BOARD_MODELS, OTHER } from "../../machines/board-models.ts";
import { enginesOf, formatCapability, guestConstants, type MachineDescription } from "../../machines/description.ts";
import { deviceModels } from "../../runtime/devices/index.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import { loadMachineDescription, machineOption } from "../load-specs.ts";
import type { ParsedOptions } from "../options.ts";

/** `uart0.base` and `uart0.irq` on one line; `timebase`, which has no device, on its own. */
function constantsByDevice(machine: MachineDescription): ReadonlyMap<string, readonly { readonly name: string; readonly value: bigint }[]> {
  const groups = new Map<string, { name: string; value: bigint }[]>();
  for (const { name, value } of guestConstants(machine)) {
    const [device = "", property = ""] = name.split(".");
    const group = groups.get(device) ?? [];
    group.push({ name: property, value });
    groups.set(device, group);
  }
  return groups;
}

function instancesOf(machine: MachineDescription, model: string) {
  return machine.devices
    .filter((device) => device.model === model)
    .map((device) => ({
      name: device.name,
      at: device.at.flatMap(({ address, port }) => [
        ...(address === null ? [] : [`0x${address.toString(16)}`]),
        ...(port === null ? [] : [`port 0x${port.toString(16)}`]),
      ]),
      slot: device.pci === null ? null : `${device.pci.bus} slot ${device.pci.slot}${device.pci.function === 0 ? "" : ` function ${device.pci.function}`}`,
      provides: device.provides.map(formatCapability),
    }));
}

export async function run(options: ParsedOptions, io: Io): Promise<ExitCode> {
  const { machine } = await loadMachineDescription(await machineOption(options), null);
  const isEmbedded = enginesOf(machine).includes("embedded");
  const rows = [...deviceModels, ...(isEmbedded ? [] : [...BOARD_MODELS, OTHER])]
    .map(({ name, summary, manual }) => ({ model: name, summary, manual, instances: instancesOf(machine, name) }))
    .filter(({ instances }) => isEmbedded || instances.length > 0)
    .sort((a, b) => a.model.localeCompare(b.model));
  if (options.has("json")) {
    const constants = Object.fromEntries(guestConstants(machine).map(({ name, value }) => [name, `0x${value.toString(16)}`]));
    io.out(`${JSON.stringify({ version: 1, machine: machine.name, models: rows, constants }, null, 2)}\n`);
    return EXIT.ok;
  }
  for (const { model, summary, manual, instances } of rows) {
    io.out(`${model}: ${summary}\n  manual: ${manual}\n`);
    for (const { name, at, slot, provides } of instances) {
      const capabilities = provides.length === 0 ? "" : `; provides ${provides.join(", ")}`;
      io.out(`  ${machine.name}: ${name} at ${[...at, ...(slot === null ? [] : [slot])].join(", ")}${capabilities}\n`);
    }
    if (instances.length === 0) io.out(`  ${machine.name} has none\n`);
  }
  const own = machine.provides.map(formatCapability);
  if (own.length > 0) io.out(`\n${machine.name} itself provides ${own.join(", ")}\n`);
  io.out(`\nconstants of ${machine.name}, in specs:\n`);
  for (const [device, constants] of constantsByDevice(machine)) {
    const told = constants.map(({ name, value }) => `${name === "" ? "" : `.${name}`} = ${value < 256n ? value : `0x${value.toString(16)}`}`);
    io.out(`  machine.${device}${told.join(", ")}\n`);
  }
  return EXIT.ok;
}
