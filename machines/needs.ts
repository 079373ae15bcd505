// Whether a machine has what a test asks for. The compiler leaves out of an image what its machine cannot run; each run asks again,
// because one image serves machines that differ. The answer is the reason of the skip, in the user's words.

import { capabilitiesOf, formatCapability, guestConstants, type Capability, type MachineDescription } from "./description.ts";

/** A capability with its arguments as written: { name: "cpus", args: ["2"] }. */
export interface Need {
  readonly name: string;
  readonly args: readonly string[];
}

export function formatNeed(need: Need): string {
  return need.args.length === 0 ? need.name : `${need.name}(${need.args.join(", ")})`;
}

/** Spelling apart: `0X1B36:0x5` and `0x1b36:0x0005` are the same device, `0x2` and `2` the same number. */
export function normaliseArgument(argument: string): string {
  return argument
    .toLowerCase()
    .replaceAll("_", "")
    .replace(/\s+/g, "")
    .replace(/0x0*(?=[0-9a-f])/g, "0x")
    .replace(/(?<![:\w])0x[0-9a-f]+(?![:\w])/g, (number) => `${BigInt(number)}`);
}

/** The number of CPUs that a test asks for, NaN for an argument that is no number. */
export function cpusNeeded(needs: readonly Need[]): number {
  return Math.max(1, ...needs.filter(({ name }) => name === "cpus").map(({ args }) => Number((args[0] ?? "1").replaceAll("_", ""))));
}

/** Whether a capability is what a need without or with an argument means. */
export function isMetBy(need: Need, capability: Capability): boolean {
  if (capability.name !== need.name) return false;
  if (need.args.length === 0) return true;
  return capability.argument !== null && normaliseArgument(capability.argument) === normaliseArgument(need.args.join(","));
}

/** `device(uart1)`, or one property of it: `device(uart1.port)`. */
function hasDevice(machine: MachineDescription, name: string): boolean {
  return machine.devices.some((device) => device.name === name) || guestConstants(machine).some((constant) => constant.name === name);
}

function isProvided(need: Need, machine: MachineDescription): boolean {
  if (need.name === "cpus") return cpusNeeded([need]) <= machine.cpus.max;
  if (need.name === "ram") return Number(need.args[0]) <= machine.ram.size;
  if (need.name === "device") return hasDevice(machine, need.args[0] ?? "");
  return capabilitiesOf(machine).some(({ capability }) => isMetBy(need, capability));
}

export interface NeedReport {
  readonly need: string;
  readonly met: boolean;
  /** What the machine has instead, or the device that meets it. */
  readonly detail: string;
}

export function checkNeed(need: Need, machine: MachineDescription): NeedReport {
  const met = isProvided(need, machine);
  const report = (detail: string): NeedReport => ({ need: formatNeed(need), met, detail });
  if (need.name === "cpus") return report(`${machine.name} has up to ${machine.cpus.max} CPUs`);
  if (need.name === "ram") return report(`${machine.name} has ${machine.ram.size} bytes`);
  if (need.name === "device") return report(met ? `provided by ${machine.name}` : `${machine.name} has no ${need.args[0] ?? ""}`);
  const found = capabilitiesOf(machine).filter(({ capability }) => capability.name === need.name);
  if (met) return report(`provided by ${found.find(({ capability }) => isMetBy(need, capability))?.device ?? machine.name}`);
  if (found.length === 0) return report(`${machine.name} has no ${need.name}`);
  // Several devices of a kind are told once.
  const texts = new Set(found.map(({ capability }) => formatCapability(capability)));
  return report(`${machine.name} has ${[...texts].join(", ")}`);
}

/** The reason of a skip, or null. */
export function unmetReason(need: Need, machine: MachineDescription): string | null {
  const { need: text, met, detail } = checkNeed(need, machine);
  return met ? null : `needs ${text}: ${detail}`;
}
