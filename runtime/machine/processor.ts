// What a machine's CPUs are when they run machine code, whatever the instruction set: all of them together are one `Processor`, beside a
// `MachineCore` that owns memory, bus, devices, wires and time. Loaders, the command `exec`, the gdb stub, the built-in firmware and
// the engine program against this file; runtime/cpus/<isa> implements it. (Images of guest bytecode have their own contract,
// cpu-contract.ts: those are called function by function, these are switched on and run.)
//
// Time: one instruction, of whichever CPU, is one ns of guest time, as with QEMU's `-icount shift=0`; when every CPU waits, time goes to
// the next event at once. CPUs take turns of a fixed number of instructions, whose order and first lengths come from
// `MachineCore.scheduleRandom`. Limits are exact: the run stops behind the very instruction that they name.

import type { MachineExit } from "../devices/device.ts";
import type { MachineCore } from "./cpu-contract.ts";

/** From most to least privileged. What a target lacks it refuses. */
export const PRIVILEGES = ["machine", "supervisor", "user"] as const;
export type Privilege = (typeof PRIVILEGES)[number];

/** How a CPU starts: at power-on, or when firmware starts it. What is not named is as the manual says for reset. */
export interface CpuSetup {
  readonly pc: bigint;
  readonly privilege: Privilege;
  /** By name, as `writeRegister` takes them: `{ a0: 0n, a1: 0x83e0_0000n }`. */
  readonly registers?: Readonly<Record<string, bigint>>;
  /** It does not run before `startCpu`. */
  readonly isStopped?: boolean;
}

export interface ProcessorLimits {
  /** Instructions of all CPUs together, from this call on. */
  readonly instructions: number;
  /** Absolute guest time in ns at which the run stops; Infinity: never. */
  readonly until: number;
}

export type StopReason =
  /** The limit was reached; the next `run` goes on there. */
  | { readonly kind: "limit" }
  /** A device ended the machine. */
  | { readonly kind: "exit"; readonly exit: MachineExit }
  /** Every CPU waits or is stopped, and no event will come: a deadlock, unless bytes arrive from outside. */
  | { readonly kind: "idle" }
  /** `requestStop`, or the firmware hook, wanted it. */
  | { readonly kind: "request" }
  /** The instruction at `pc` has not been executed. */
  | { readonly kind: "breakpoint"; readonly cpu: number; readonly pc: bigint }
  /** The instruction before `pc` has made the access. */
  | { readonly kind: "watchpoint"; readonly cpu: number; readonly pc: bigint; readonly address: bigint; readonly access: "read" | "write" };

export interface Watchpoint {
  /** Virtual address, as the guest uses it. */
  readonly address: bigint;
  readonly length: number;
  readonly access: "read" | "write" | "both";
}

export type CpuState =
  | "running"
  /** In a wait instruction. */
  | "waiting"
  /** Waits likewise, because firmware was asked for it (`suspendCpu`). */
  | "suspended"
  /** Not started, or stopped by firmware. */
  | "stopped";

/** Plain data: survives structuredClone. RAM, devices and time are in the machine's own snapshot. */
export type ProcessorState = { readonly [key: string]: ProcessorStateValue };
export type ProcessorStateValue = number | bigint | string | boolean | null | Uint8Array | readonly ProcessorStateValue[] | ProcessorState;

/** What an environment call came to. */
export type EnvironmentCall =
  /** It was carried out: execution goes on behind it. */
  | "handled"
  /** Registers, or the CPU's state, were replaced: execution goes on at the pc that is there now. */
  | "moved"
  /** Carried out, and the run ends with `request`. */
  | "stop"
  /** Not for us: the CPU takes the exception. */
  | "trap";

export interface ProcessorHooks {
  /** A built-in firmware: takes the environment calls of supervisor mode, before the CPU traps. */
  readonly environmentCall?: (cpu: number) => EnvironmentCall;
  /** Before each instruction, which then runs some hundred times slower. `bits` are 16 or 32. */
  readonly trace?: (cpu: number, pc: bigint, bits: number) => void;
  /** A CPU takes an exception or an interrupt: in front of or at `pc`, by what its target numbers so. */
  readonly trapped?: (cpu: number, trap: { readonly pc: bigint; readonly cause: number; readonly isInterrupt: boolean; readonly value: bigint }) => void;
}

export interface Processor {
  readonly cpuCount: number;
  /** Power-on; one setup for each CPU, or one for all of them. Caches are emptied, counts start at 0. */
  readonly reset: (setups: readonly CpuSetup[]) => void;
  /** Runs all CPUs until something ends it. Events that are due when it returns for a limit have not been fired. */
  readonly run: (limits: ProcessorLimits) => StopReason;
  /** Executes one instruction of one CPU, breakpoints ignored; null: it was executed, and nothing else happened. */
  readonly step: (cpu: number) => StopReason | null;
  /** Instructions executed since reset: by one CPU, or by all. */
  readonly instructions: (cpu?: number) => number;
  /** Ends the run behind the current instruction. May be called from a device's output; without a run it does nothing. */
  readonly requestStop: () => void;

  /** Registers by their names in the manual and the ABI, `pc`, `privilege` (the number that the manual gives it), control registers. */
  readonly readRegister: (cpu: number, name: string) => bigint;
  /** Takes effect as if the most privileged mode had written it: fixed bits stay. Throws RangeError for a name that is none. */
  readonly writeRegister: (cpu: number, name: string, value: bigint) => void;
  readonly cpuState: (cpu: number) => CpuState;
  /** Starts a stopped CPU. */
  readonly startCpu: (cpu: number, setup: CpuSetup) => void;
  /** The CPU does nothing any more until `startCpu`. */
  readonly stopCpu: (cpu: number) => void;
  /** The CPU waits, as in its wait instruction, until an interrupt is pending that it has enabled. */
  readonly suspendCpu: (cpu: number) => void;
  /** Forgets translations of addresses, as the fence that the target has for it; of one CPU or of all. */
  readonly flushTranslations: (cpu?: number) => void;

  /** The physical address behind a virtual one in the mode the CPU is in, or null. Changes nothing, fills no table's bits. */
  readonly translate: (cpu: number, address: bigint) => bigint | null;
  /** Virtual addresses; all of them, replacing those before. The first instruction of a `run` does not stop at its own. */
  readonly setBreakpoints: (addresses: readonly bigint[]) => void;
  readonly setWatchpoints: (watchpoints: readonly Watchpoint[]) => void;
  /** RAM was changed from outside (a debugger, a loader): forget what was decoded of it. DMA and guest stores are seen by themselves. */
  readonly invalidateCode: () => void;

  /** Beside `Machine.snapshot`; `load` beside `Machine.restore`, after it. */
  readonly save: () => ProcessorState;
  readonly load: (state: ProcessorState) => void;
}

/** All CPUs of the machine, stopped until `reset`. */
export type CreateProcessor = (machine: MachineCore, hooks?: ProcessorHooks) => Processor;
