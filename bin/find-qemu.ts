// The QEMUs of this computer: which there are, their versions, accelerators and firmware. Asked by `doctor` and `targets` only; an
// engine starts what `qemuBinary` names and reports what comes of it. Each question is one short process, and all of them run at once.

import { accessSync, constants, existsSync } from "node:fs";
import { arch } from "node:os";
import { join } from "node:path";
import { qemuBinary } from "../machines/qemu-command.ts";
import type { MachineDescription } from "../machines/description.ts";

export type QemuState =
  | { readonly found: true; readonly binary: string; readonly version: string }
  | { readonly found: false; readonly binary: string; readonly problem: string };

export type QemuFacts =
  | {
      readonly ok: true;
      readonly accelerators: readonly string[];
      /** Named by machine files and in none of QEMU's data folders. */
      readonly missingFirmware: readonly string[];
    }
  | { readonly ok: false; readonly problem: string };

/** Debian's packages, by the end of `qemu-system-..`; other systems have similar names. */
export const QEMU_PACKAGES: Readonly<Record<string, string>> = {
  x86_64: "qemu-system-x86",
  aarch64: "qemu-system-arm",
  riscv64: "qemu-system-misc",
  riscv32: "qemu-system-misc",
};

/** What QEMU calls the computer's own instruction set. */
const HOST_ARCHITECTURES: Readonly<Record<string, string>> = { x64: "x86_64", arm64: "aarch64", riscv64: "riscv64" };

/** `-bios none`. */
const NO_FIRMWARE = "none";

const ANSWER_TIMEOUT_MS = 20_000;

type Answer = { readonly ok: true; readonly stdout: string } | { readonly ok: false; readonly problem: string };

async function ask(binary: string, args: readonly string[], env: Readonly<Record<string, string | undefined>>): Promise<Answer> {
  // Its modules cost more to load than a test without QEMU takes.
  const { execFile } = await import("node:child_process");
  return new Promise((resolve) => {
    execFile(binary, [...args], { env: { ...env }, timeout: ANSWER_TIMEOUT_MS }, (error, stdout) => {
      if (error === null) resolve({ ok: true, stdout });
      else if (error.code === "ENOENT") resolve({ ok: false, problem: "not found" });
      else resolve({ ok: false, problem: error.message.split("\n")[0] ?? "" });
    });
  });
}

function linesOf(answer: Answer): readonly string[] {
  if (!answer.ok) return [];
  return answer.stdout
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

/** Null: no QEMU has such a board. */
export async function findQemu(machine: MachineDescription, env: Readonly<Record<string, string | undefined>>): Promise<QemuState | null> {
  const binary = qemuBinary(machine, env);
  if (machine.qemu === null || binary === null) return null;
  const answer = await ask(binary, ["--version"], env);
  if (answer.ok) {
    const version = /^QEMU emulator version (\S+)/.exec(answer.stdout)?.[1];
    return version === undefined ? { found: false, binary, problem: `${binary} is no QEMU` } : { found: true, binary, version };
  }
  const packageName = QEMU_PACKAGES[machine.qemu.binary];
  const advice = packageName === undefined ? "" : ` (Debian: ${packageName})`;
  return { found: false, binary, problem: `${binary}: ${answer.problem}${advice}` };
}

/** `tcg`, `kvm`, or why the latter cannot be used though QEMU has it. */
function describeAccelerator(name: string, target: string): string {
  if (name === "kvm") {
    if (HOST_ARCHITECTURES[arch()] !== target) return "kvm (for other computers)";
    try {
      accessSync("/dev/kvm", constants.R_OK | constants.W_OK);
    } catch {
      return "kvm (but /dev/kvm cannot be opened)";
    }
  }
  return name;
}

/** More of a QEMU that was found, for the machines of one target. */
export async function askQemu(binary: string, machines: readonly MachineDescription[], env: Readonly<Record<string, string | undefined>>): Promise<QemuFacts> {
  const [accelerators, folders] = await Promise.all([ask(binary, ["-accel", "help"], env), ask(binary, ["-L", "help"], env)]);
  const failed = [accelerators, folders].find((answer) => !answer.ok);
  if (failed?.ok === false) return { ok: false, problem: failed.problem };
  const target = machines[0]?.qemu?.binary ?? "";
  const names = linesOf(accelerators)
    .slice(1)
    .filter((line) => /^[a-z]+$/.test(line));
  const wanted = machines.map(({ qemu }) => qemu?.firmware ?? NO_FIRMWARE).filter((name) => name !== NO_FIRMWARE);
  const missing = [...new Set(wanted)].filter((name) => !linesOf(folders).some((folder) => existsSync(join(folder, name))));
  return { ok: true, accelerators: names.map((name) => describeAccelerator(name, target)), missingFirmware: missing };
}
