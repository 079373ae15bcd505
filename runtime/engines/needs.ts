// Whether a test can run on the machine of a run: machines/needs.ts judges each need, here they are asked for a test as the manifest
// has it. The compiler has checked that the names exist; whether this machine has them is asked for each run, so that one image
// serves machines that differ.

import type { ManifestTest } from "../../compiler/images/manifest.ts";
import { capabilitiesOf, type MachineDescription } from "../../machines/description.ts";
import { checkNeed, formatNeed, isMetBy, normaliseArgument, unmetReason, type NeedReport } from "../../machines/needs.ts";

export { cpusNeeded, formatNeed, isMetBy } from "../../machines/needs.ts";

/** Each need of a test against a machine: what `why` prints. */
export function checkNeeds(test: ManifestTest, machine: MachineDescription): readonly NeedReport[] {
  return test.needs.map((need) => checkNeed(need, machine));
}

function findUnmetNeed(test: ManifestTest, machine: MachineDescription): string | null {
  if (test.on.length > 0 && !test.on.includes(machine.target)) return `is for ${test.on.join(", ")}, this is ${machine.target}`;
  return test.needs.map((need) => unmetReason(need, machine)).find((reason) => reason !== null) ?? null;
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
  return required.some(
    (name) => name === "all" || test.needs.some((need) => need.name === name || normaliseArgument(formatNeed(need)) === normaliseArgument(name)),
  );
}

/** Whether a test may touch the device that the console is, by what it needs. */
export function touchesConsole(test: Pick<ManifestTest, "needs">, machine: MachineDescription): boolean {
  const { console: name } = machine;
  return test.needs.some(
    (need) =>
      (need.name === "device" && need.args[0]?.split(".")[0] === name) ||
      capabilitiesOf(machine).some(({ capability, device }) => device === name && isMetBy(need, capability)),
  );
}
