// What the CPUs of a machine and the machine say to each other. An executor (reference interpreter, WebAssembly translation)
// runs guest code; the machine owns memory, bus, time and interrupt lines. Both executors share this file so that they can be
// swapped test by test: the same machine, the same calls, the same outcome, the same instruction count.

import type { Module } from "../../isa/bytecode/module.ts";
import type { TrapClass } from "../../isa/bytecode/instructions.ts";
import type { MachineExit, PureRead, TimeCounter, Width } from "../devices/device.ts";

/**
 * RAM, in one fixed WebAssembly.Memory so that translated code addresses it directly: byte i of RAM is byte i of the memory.
 * Behind the RAM lies one byte per 4 KiB page, set to 1 by every store to the page (`dirtyOffset`): restore copies only those.
 */
export interface GuestMemory {
  readonly memory: WebAssembly.Memory;
  readonly base: bigint;
  readonly size: number;
  readonly dirtyOffset: number;
  /** The last accesses to devices (access-log.ts). */
  readonly logOffset: number;
  /** Bytes that belong to whoever runs machine code (memory.ts); their contents are left over from earlier machines. */
  readonly stateOffset: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** End of the read-only data (byte offset into RAM): guest stores in [readOnlyStart, readOnlyEnd) trap `protection`. */
  readOnlyStart: number;
  readOnlyEnd: number;
  /** Told of every store that does not come from guest code (DMA, a loader), after it: CPUs that cache decoded code look there. */
  onHostWrite: ((offset: number, length: number) => void) | null;
  /** Told of every page that goes back to what a snapshot holds. */
  onRestore: ((page: number) => void) | null;
}

export type BusResult = number | bigint | null;

export type NarrowWidth = Exclude<Width, 8>;
/** What `Bus.readNumber` gives for a bus fault: no value is negative. */
export const NO_ANSWER = -1;

/** Everything that is not RAM. Values up to 4 bytes are numbers, 8 bytes bigint; null or false is a bus fault. */
export interface Bus {
  readonly read: (address: bigint | number, width: Width) => BusResult;
  readonly write: (address: bigint | number, width: Width, value: number | bigint) => boolean;
  /** The same for up to 4 bytes below 2^53, without anything but numbers: an unsigned value, or `NO_ANSWER`. */
  readonly readNumber: (address: number, width: NarrowWidth) => number;
  /** `value` is unsigned, and no wider than `width`; of 8 bytes it is below 2^53. */
  readonly writeNumber: (address: number, width: Width, value: number) => boolean;
  readonly portRead: (port: number, width: NarrowWidth) => number | null;
  readonly portWrite: (port: number, width: NarrowWidth, value: number) => boolean;
  /**
   * What a read of memory space would give, if that changes nothing at all and nobody waits for it; the access is not made. Holds until
   * `changes` moves. One object, which the next call fills anew.
   */
  readonly foresee: (address: number, width: Width) => Foreseen | null;
}

/** A read that changes nothing: whoever makes it without the bus has to note it in the log. */
export interface Foreseen {
  readonly kind: PureRead;
  /** Of a constant: 8 bytes as a bigint, less as a number. */
  readonly value: number | bigint;
  /** The device, if what it answers depends on nothing but itself; -1: on a window that may lead elsewhere, or somebody between. */
  readonly device: number;
  /** For the record in the access log: `WHAT`, and the offset within the region. */
  readonly what: number;
  readonly offset: number;
}

/** Time and interrupts as executors see them. */
export interface MachineCore {
  readonly memory: GuestMemory;
  readonly bus: Bus;
  readonly cpuCount: number;
  /** Guest time in ns at the last `advance`. Executors keep their own count since then and add it in before any device access. */
  readonly now: () => number;
  /** Moves time on by executed instructions or idle ns, without firing events. */
  readonly advance: (ns: number) => void;
  /** Absolute time of the next device event, Infinity if none. */
  readonly nextEvent: () => number;
  /** Fires every event due at or before now. */
  readonly fireEvents: () => void;
  /** Moves whenever a device may have come to answer otherwise than before. */
  readonly changes: () => number;
  /** The same of one device. */
  readonly changesOf: (device: number) => number;
  /** Interrupt lines of a CPU, bit n = cause n. */
  readonly lines: (cpu: number) => number;
  /** Moves with whatever a device does that concerns CPUs: a line, an event to come, the counter of time, the end of the run. */
  readonly stirs: () => number;
  /** Set when a device ended the machine; executors stop at the end of the current instruction. */
  readonly exitRequest: () => MachineExit | null;
  /** The counter that CPUs read as their time, if a device keeps one. */
  readonly counter?: TimeCounter;
  /** Seeded 32-bit scheduler randomness; a stream of its own. */
  readonly scheduleRandom: () => number;
}

export interface TrapRecord {
  readonly class: TrapClass;
  readonly pc: number;
  readonly address: bigint;
  readonly access: 0 | 1 | 2 | 3;
  readonly width: number;
  readonly value: bigint;
  readonly sp: bigint;
  readonly cpu: number;
}

/** Calls that were under way on a CPU. */
export interface GuestStack {
  readonly cpu: number;
  /** Code addresses, innermost first: where the CPU is, then where each function was left for the one before. */
  readonly pcs: readonly number[];
  /** By index into `pcs`: not a call left the function there, but an interrupt, a trap, or an access that a device model answers. */
  readonly breaks: ReadonlyMap<number, "interrupt" | "trap" | "access">;
  /** Why nothing is known beyond the last of them; null: it is the outermost. */
  readonly lost: string | null;
}

export type Outcome =
  | { readonly kind: "returned"; readonly values: readonly (number | bigint)[] }
  | { readonly kind: "exit"; readonly exit: MachineExit }
  | { readonly kind: "unhandled-trap"; readonly trap: TrapRecord }
  /** `stack`: of the first of them. */
  | { readonly kind: "double-fault"; readonly trap: TrapRecord; readonly first: TrapRecord; readonly stack?: GuestStack | null }
  | { readonly kind: "deadlock"; readonly pc: number; readonly stacks?: readonly GuestStack[] }
  /** The grace after the time limit ran out too. */
  | { readonly kind: "hung"; readonly pc: number; readonly stacks?: readonly GuestStack[] };

export interface RunLimits {
  /** Guest time (absolute ns) at which CPU 0 takes the `timeout` trap. */
  readonly deadline: number;
  /** Further ns until the machine is stopped. */
  readonly grace: number;
  /** The same limits in executed instructions, so that idle time and work are bounded apart. Counted from the call. */
  readonly instructions: number;
}

/** Bytes below each stack's limit in which the trap vector runs after a stack overflow. */
export const STACK_RESERVE = 8192;

/** Most ns that guest time jumps at one `relax`, so that a polling loop soon looks again. */
export const RELAX_LIMIT = 1000;

/** Where the loader put things; the same for every executor of an image. */
export interface LoadedImage {
  readonly module: Module;
  /** Guest address of each data symbol. */
  readonly symbolAddress: readonly bigint[];
  /** Per CPU: initial SP (exclusive top) and limit; `STACK_RESERVE` lies below the limit. */
  readonly stacks: readonly { readonly top: bigint; readonly limit: bigint }[];
}

export interface Executor {
  /** Calls an exported or indexed function on CPU 0 from an idle machine and runs all CPUs until it returns or the machine stops. */
  readonly call: (functionIndex: number, args: readonly (number | bigint)[], limits: RunLimits) => Outcome;
  /** Instructions executed by the last `call`, all CPUs together. Equal between executors. */
  readonly instructions: () => number;
  /** What has called what, while a device is being accessed; null: this executor does not know. */
  readonly stack: () => GuestStack | null;
  /** The same of a CPU's last trap at a place, which has been unwound when the guest reports it. */
  readonly stackOfTrap: (pc: number, cpu: number) => GuestStack | null;
  /** Of each CPU that runs or sleeps, now or when the last call was stopped; none: this executor does not know. */
  readonly stacks: () => readonly GuestStack[];
}

export interface ExecutorFactory {
  readonly name: "interpreter" | "wasm";
  readonly create: (image: LoadedImage, machine: MachineCore) => Executor;
}
