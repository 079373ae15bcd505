// What a guest looks like to a person: addresses with the symbol that they belong to, instructions as they are traced, and where all CPUs
// stand when a run ends before the guest does.

import { findSymbol, type ProgramSymbol } from "../machine/read-program.ts";
import { PRIVILEGES, type CpuState } from "../machine/processor.ts";
import type { Guest } from "./guest.ts";
import type { EmbeddedTarget } from "./processors.ts";

const PER_LINE = 4;
/** The number that RISC-V gives a mode: user 0, supervisor 1, machine 3. */
const MODE_NUMBERS = [3n, 1n, 0n] as const;

const hex = (value: bigint): string => `0x${value.toString(16)}`;

/** `0x80000010 <start+0x10>`. */
export function describeAddress(symbols: readonly ProgramSymbol[], address: bigint): string {
  const symbol = findSymbol(symbols, address);
  if (symbol === undefined) return hex(address);
  const distance = address - symbol.address;
  return `${hex(address)} <${symbol.name}${distance === 0n ? "" : `+${hex(distance)}`}>`;
}

export function describeInstruction(symbols: readonly ProgramSymbol[], cpu: number, pc: bigint, text: string): string {
  return `cpu${cpu} ${describeAddress(symbols, pc)}: ${text}`;
}

/** Between the instructions of a trace: what keeps the next one from being the one behind. */
export function describeTrap(symbols: readonly ProgramSymbol[], cpu: number, pc: bigint, name: string, value: bigint): string {
  return `cpu${cpu} ${describeAddress(symbols, pc)}: takes ${name}${value === 0n ? "" : `, ${hex(value)}`}`;
}

const STATE_TEXT: Readonly<Record<CpuState, string>> = { running: "", waiting: ", waits for an interrupt", suspended: ", suspended", stopped: ", not started" };

/** One CPU: where it is, and its registers unless it was never started. */
function describeCpu(guest: Guest, target: EmbeddedTarget, cpu: number): readonly string[] {
  const { processor, symbols } = guest;
  const read = (name: string): bigint => processor.readRegister(cpu, name);
  const state = processor.cpuState(cpu);
  const mode = PRIVILEGES[MODE_NUMBERS.findIndex((number) => number === read("privilege"))] ?? "unknown";
  const head = `cpu${cpu}: ${describeAddress(symbols, read("pc"))}, ${mode} mode, ${processor.instructions(cpu)} instructions${STATE_TEXT[state]}`;
  if (state === "stopped") return [head];
  const cells = [...target.registers, ...target.controlRegisters].map(
    (name) =>
      `${name.padEnd(7)} ${read(name)
        .toString(16)
        .padStart(target.registerBits / 4, "0")}`,
  );
  const lines = Array.from({ length: Math.ceil(cells.length / PER_LINE) }, (_, line) => `  ${cells.slice(line * PER_LINE, (line + 1) * PER_LINE).join("  ")}`);
  return [head, ...lines];
}

export function describeCpus(guest: Guest, target: EmbeddedTarget): string {
  return Array.from({ length: guest.processor.cpuCount }, (_, cpu) => describeCpu(guest, target, cpu))
    .flat()
    .join("\n");
}
