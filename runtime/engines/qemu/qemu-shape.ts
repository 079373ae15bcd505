// What tells one QEMU of a run from another before it has an image, and the command that starts one: for the machines of a run, and for those
// that are started before their turn.

import type { MachineDescription } from "../../../machines/description.ts";
import type { GuestCommand } from "./guest-process.ts";

export interface QemuShape {
  readonly machine: MachineDescription;
  readonly cpus: number;
}

export interface QemuStart extends QemuShape {
  readonly imagePath: string;
  /** Behind the machine's own. */
  readonly args: readonly string[];
}

export type QemuCommandOf = (start: QemuStart) => GuestCommand;
