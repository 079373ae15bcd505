// A machine description as QEMU's command line: the smallest configuration that has the described devices and nothing else, with the
// console on the process's own stdin and stdout. Pure, so that engines, `guestspec doctor` and standalone scripts agree on it, and
// tests can read it. What each board needs stands in its YAML file; here is only what all boards share.

import type { MachineDescription } from "./description.ts";

export const ACCELERATORS = ["tcg", "kvm", "hvf"] as const;
export type Accelerator = (typeof ACCELERATORS)[number];

export interface QemuOptions {
  /** The machine's default if absent. */
  readonly cpus?: number;
  /** Bytes of RAM; the machine's if absent. */
  readonly memory?: number;
  /** Default `tcg`. */
  readonly accelerator?: Accelerator;
  /** Virtual time counts instructions and skips idle time: one image, one run. TCG only. */
  readonly isDeterministic?: boolean;
  readonly image: string;
  /** Words for the guest (docs/native.md, 7). */
  readonly commandLine?: string;
  /** After everything else, so that they win where QEMU takes the last of several. */
  readonly extraArguments?: readonly string[];
  /** What `qemuBinary` says, or another. */
  readonly binary: string;
}

export interface QemuCommand {
  readonly binary: string;
  readonly args: readonly string[];
}

export type QemuCommandResult = { readonly ok: true; readonly command: QemuCommand } | { readonly ok: false; readonly problem: string };

/** Chardev that the console's device names in its `qemu:` arguments. */
const CONSOLE = "console";

/** The world of guests begins here, as on the embedded machine; `clock=vm` lets it pass with guest time. */
const CLOCK = "base=2026-01-01T00:00:00,clock=vm";

/** A nanosecond an instruction, idle time skipped, and the generator behind RDRAND, `rng-seed` and virtio-rng seeded. */
const DETERMINISTIC = ["-icount", "shift=0,sleep=off", "-seed", "0"] as const;

const MIB = 2 ** 20;

/** The program that makes this board: what the variable `QEMU_x86_64` names, else `qemu-system-x86_64`. Null: QEMU has no such board. */
export function qemuBinary(machine: MachineDescription, env: Readonly<Record<string, string | undefined>>): string | null {
  if (machine.qemu === null) return null;
  const named = env[`QEMU_${machine.qemu.binary}`];
  return named === undefined || named === "" ? `qemu-system-${machine.qemu.binary}` : named;
}

function findProblem(machine: MachineDescription, options: QemuOptions): string | null {
  const { min, max } = machine.cpus;
  const cpus = options.cpus ?? machine.cpus.default;
  const memory = options.memory ?? machine.ram.size;
  if (!Number.isInteger(cpus) || cpus < min || cpus > max) return `${machine.name} has ${min} to ${max} CPUs, not ${cpus}`;
  if (memory <= 0 || memory % MIB !== 0) return `QEMU's RAM comes in whole MiB, not in ${memory} bytes`;
  if (options.isDeterministic === true && (options.accelerator ?? "tcg") !== "tcg") {
    return `instructions can be counted under tcg only, not under ${options.accelerator}`;
  }
  return null;
}

export function qemuCommand(machine: MachineDescription, options: QemuOptions): QemuCommandResult {
  const { qemu } = machine;
  if (qemu === null) return { ok: false, problem: `${machine.name} is not a board of QEMU's` };
  const problem = findProblem(machine, options);
  if (problem !== null) return { ok: false, problem };
  const accelerator = options.accelerator ?? "tcg";
  const properties = Object.entries(qemu.properties).map(([name, value]) => `,${name}=${value}`);
  const args = [
    ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
    ["-M", `${qemu.machine}${properties.join("")}`],
    ["-accel", accelerator],
    ["-cpu", accelerator === "tcg" ? qemu.cpu : "host"],
    ["-smp", String(options.cpus ?? machine.cpus.default)],
    ["-m", `${(options.memory ?? machine.ram.size) / MIB}M`],
    qemu.firmware === null ? [] : ["-bios", qemu.firmware],
    ["-rtc", CLOCK],
    options.isDeterministic === true ? DETERMINISTIC : [],
    // At a terminal, Ctrl-C is a byte for the guest as on a serial line; through pipes, as engines have it, nothing changes.
    ["-chardev", `stdio,id=${CONSOLE},signal=off`],
    qemu.arguments,
    ...machine.devices.map((device) => device.qemu),
    ["-kernel", options.image],
    options.commandLine === undefined || options.commandLine === "" ? [] : ["-append", options.commandLine],
    options.extraArguments ?? [],
  ];
  return { ok: true, command: { binary: options.binary, args: args.flat() } };
}
