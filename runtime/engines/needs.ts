// Whether a machine has what a test asks for. The compiler has checked that the names exist; whether this machine has them is asked
// here, for each run, so that one image serves machines that differ. The answer is the reason of the skip, in the user's words.

import type { ManifestNeed, ManifestTest } from "../../compiler/images/manifest.ts";
import { capabilitiesOf, formatCapability, type Capability, type MachineDescription } from "../../machines/description.ts";

export function formatNeed(need: ManifestNeed): string {
  return need.args.length === 0 ? need.name : `${need.name}(${need.args.join(", ")})`;
}

/** Spelling apart: `0X1B36:0x5` and `0x1b36:0x0005` are the same device. */
function normalise(argument: string): string {
  return argument
    .toLowerCase()
    .replaceAll("_", "")
    .replace(/\s+/g, "")
    .replace(/0x0*(?=[0-9a-f])/g, "0x");
}

/** The number of CPUs that a test asks for, NaN for an argument that is no number. */
export function cpusNeeded(needs: readonly ManifestNeed[]): number {
  return Math.max(1, ...needs.filter(({ name }) => name === "cpus").map(({ args }) => Number((args[0] ?? "1").replaceAll("_", ""))));
}

/** Whether a capability is what a need without or with an argument means. */
export function isMetBy(need: ManifestNeed, capability: Capability): boolean {
  if (capability.name !== need.name) return false;
  if (need.args.length === 0) return true;
  return capability.argument !== null && normalise(capability.argument) === normalise(need.args.join(","));
}

function isProvided(need: ManifestNeed, machine: MachineDescription): boolean {
  if (need.name === "cpus") return cpusNeeded([need]) <= machine.cpus.max;
  if (need.name === "ram") return Number(need.args[0]) <= machine.ram.size;
  return capabilitiesOf(machine).some(({ capability }) => isMetBy(need, capability));
}

export interface NeedReport {
  readonly need: string;
  readonly met: boolean;
  /** What the machine has instead, or the device that meets it. */
  readonly detail: string;
}

function checkNeed(need: ManifestNeed, machine: MachineDescription): NeedReport {
  const met = isProvided(need, machine);
  if (need.name === "cpus") return { need: formatNeed(need), met, detail: `${machine.name} has up to ${machine.cpus.max} CPUs` };
  if (need.name === "ram") return { need: formatNeed(need), met, detail: `${machine.name} has ${machine.ram.size} bytes` };
  const found = capabilitiesOf(machine).filter(({ capability }) => capability.name === need.name);
  const device = found.find(({ capability }) => isMetBy(need, capability))?.device ?? null;
  const detail = met
    ? device === null
      ? `provided by ${machine.name}`
      : `provided by ${device}`
    : found.length === 0
      ? `${machine.name} has no ${need.name}`
      : `${machine.name} has ${found.map(({ capability }) => formatCapability(capability)).join(", ")}`;
  return { need: formatNeed(need), met, detail };
}

/** Each need of a test against a machine: what `why` prints. */
export function checkNeeds(test: ManifestTest, machine: MachineDescription): readonly NeedReport[] {
  return test.needs.map((need) => checkNeed(need, machine));
}

function findUnmetNeed(test: ManifestTest, machine: MachineDescription): string | null {
  if (test.on.length > 0 && !test.on.includes(machine.target)) return `is for ${test.on.join(", ")}, this is ${machine.target}`;
  const unmet = test.needs.find((need) => !isProvided(need, machine));
  if (unmet === undefined) return null;
  const { need, detail } = checkNeed(unmet, machine);
  return `needs ${need}: ${detail}`;
}

/** Each row of a test asks again. */
const answers = new WeakMap<ManifestTest, { readonly machine: MachineDescription; readonly reason: string | null }>();

/** Why the test cannot run here, or null. */
export function unmetNeed(test: ManifestTest, machine: MachineDescription): string | null {
  const known = answers.get(test);
  if (known?.machine === machine) return known.reason;
  const reason = findUnmetNeed(test, machine);
  answers.set(test, { machine, reason });
  return reason;
}

/** Whether `--require` promised that the test runs. `all` promises every test. */
export function isPromised(test: ManifestTest, required: readonly string[]): boolean {
  return required.some((name) => name === "all" || test.needs.some((need) => need.name === name || normalise(formatNeed(need)) === normalise(name)));
}
