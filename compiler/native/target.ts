// What a native target is: one record, `satisfies NativeTarget`, in compiler/targets/<isa>/target.ts. The shared back end allocates
// registers and drives; a target says which registers there are, how values move, how functions begin and end, and how each bytecode
// instruction is encoded. docs/native.md, 3, has the conventions that all of them keep.

import type { AssembleOptions, Assembly, Disassemble } from "../../isa/assembly/instruction-set.ts";
import type { ScalarType, Signature } from "../../isa/bytecode/module.ts";
import type { MachineDescription } from "../../machines/description.ts";
import type { TargetName } from "../targets/names.ts";
import type { ReadTrap } from "./abi.ts";
import type { BootHeader } from "./boot-header.ts";
import type { BranchForms, Emission } from "./emission.ts";
import type { EntryFrame, Frame } from "./frame.ts";
import type { Comparison, ComputeItem, Label } from "./items.ts";
import type { Location, Writable } from "./location.ts";

export interface RegisterFile {
  readonly names: readonly string[];
  readonly arguments: readonly number[];
  readonly results: readonly number[];
  /** Registers for values, those that calls change first; in the order in which they are taken. */
  readonly changed: readonly number[];
  readonly kept: readonly number[];
  /** Not for values: for the moves around calls. */
  readonly scratch: number;
}

/** `libraryOperations` of targets whose CPUs have no ports. */
export const PORT_FUNCTIONS: Readonly<Record<string, string>> = {
  "port_in.i8": "platform.port_in8",
  "port_in.i16": "platform.port_in16",
  "port_in.i32": "platform.port_in32",
  "port_out.i8": "platform.port_out8",
  "port_out.i16": "platform.port_out16",
  "port_out.i32": "platform.port_out32",
};

export interface NativeTarget extends BranchForms {
  readonly name: TargetName;
  readonly registers: RegisterFile;
  /** Bytes of the shortest instruction word: functions are aligned to it, those whose address is taken at least to 4. */
  readonly alignment: number;
  /** Instructions, as `op` or `op.type`, that are functions of the guest library here, beside those of docs/native.md, 2. */
  readonly libraryOperations: Readonly<Record<string, string>>;
  /** Functions of the guest library that its entry assembly calls, beside those that all call. */
  readonly entryFunctions: readonly string[];
  /** Names that its entry assembly may use, from the machine's description and constants. */
  entryConstants(machine: MachineDescription, constants: ReadonlyMap<string, bigint>): ReadonlyMap<string, bigint>;
  /** The number of a register by the name that assembly has for it, whatever the width. */
  registerNumber(name: string): number | undefined;
  /** What a call instruction itself leaves on the stack. */
  readonly returnAddressBytes: number;
  /** The register that a call leaves its return address in; null: none. */
  readonly returnRegister: number | null;
  /** For debuggers and for callers of failures: parts of the entry assembly that call. */
  readonly entryFrames: readonly EntryFrame[];
  /** Saved registers and the return address are at the frame's upper end. */
  prologue(e: Emission, frame: Frame): void;
  /** Gives the frame back and returns. */
  epilogue(e: Emission, frame: Frame): void;
  move(e: Emission, to: Writable, from: Location): void;
  /** Calls a function, or a label of the entry assembly. */
  call(e: Emission, callee: { readonly function: number } | { readonly label: string }): void;
  /**
   * Takes the code address in a location to where `callChecked` finds it, and traps `access_fault` (execute) unless a function of this
   * signature begins there.
   */
  checkCode(e: Emission, address: Location, signature: Signature): void;
  /** The register that `checkCode` leaves the address in. */
  readonly codeRegister: number;
  callChecked(e: Emission): void;
  branchIf(e: Emission, condition: Location, isZero: boolean, label: Label): void;
  branchCompare(e: Emission, comparison: Comparison, label: Label): void;
  branchTable(e: Emission, index: Location, labels: readonly Label[]): void;
  /** Counts down at a loop's start. */
  poll(e: Emission): void;
  /** By name of the bytecode instruction. */
  readonly lower: Readonly<Record<string, (e: Emission, item: ComputeItem) => void>>;
  /** Data behind one another, for relocations in `bytes`: absolute addresses of 8 bytes. */
  readonly absolute: string;
  /** How a register holds a constant of a type. */
  canonical(value: bigint, type: ScalarType): bigint;
  readonly assemble: (text: string, options: AssembleOptions) => Assembly;
  /** Loaded when a listing is asked for: it brings tables that nothing else needs. */
  readonly loadDisassembler: () => Promise<Disassemble>;
  readonly readTrap: ReadTrap;
  /** Of flat images; null: loaders of this target's boards know none. */
  readonly bootHeader: BootHeader | null;
}
