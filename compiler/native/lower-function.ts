// One bytecode function to machine code: items are prepared, values get their places, the frame follows from these, and then the code is
// written (write-function.ts), anew as long as branches want another form.

import { SYS_ISAS, type BytecodeFunction, type Instruction, type Module } from "../../isa/bytecode/module.ts";
import { UNCHECKED_FRAME } from "./abi.ts";
import { allocateRegisters, type Allocation } from "./allocate-registers.ts";
import { CALLS, signatureOf, stackArguments } from "./call-signatures.ts";
import { Emission, type CodeRelocation, type EmissionContext, type LineMark } from "./emission.ts";
import { findHints, orNull } from "./find-hints.ts";
import type { Frame, FrameEvent } from "./frame.ts";
import type { Items } from "./items.ts";
import { findLiveness, type Interval, type Liveness } from "./liveness.ts";
import { inRegister, type Location } from "./location.ts";
import { LowerError } from "./lower-error.ts";
import { bitsOf } from "./operands.ts";
import { prepareItems } from "./prepare-items.ts";
import { inFrame, remadeValues } from "./remade-values.ts";
import type { NativeTarget } from "./target.ts";
import { writeFunction } from "./write-function.ts";

export interface NativeFunction {
  readonly code: Uint8Array;
  readonly relocations: readonly CodeRelocation[];
  readonly marks: readonly LineMark[];
  readonly frameEvents: readonly FrameEvent[];
  /** Bytes of stack that it takes, the return address not counted. */
  readonly frameSize: number;
}

export interface LowerContext {
  readonly target: NativeTarget;
  readonly module: Module;
  readonly isCompact: boolean;
}

/** What is another instruction set's is an illegal instruction here: a `sys` with its number, an `asm` with 0 (docs/bytecode.md, 1 and 2). */
function illegalValue({ op, imm }: Instruction, module: Module, target: string): bigint | null {
  if (op === "sys") return SYS_ISAS[Number(imm[0])] === target ? null : BigInt(imm[1] ?? 0);
  if (op === "asm") return module.assembly[Number(imm[0])]?.isa === target ? null : 0n;
  return null;
}

/** What frame and registers depend on, found in one walk over the items. */
interface Survey {
  /** Positions of the items that change registers as calls do. */
  readonly calls: readonly number[];
  /** Stack slots for what does not fit into registers at any call. */
  readonly outgoing: number;
  /** Kept registers that assembly in this function names: not for values, and saved. */
  readonly named: ReadonlySet<number>;
}

function surveyItems({ items }: Items, module: Module, target: NativeTarget): Survey {
  const { registers } = target;
  const calls: number[] = [];
  let outgoing = 0;
  let named: Set<number> | null = null;
  for (let index = 0; index < items.length; index++) {
    const item = items[index];
    if (item?.kind !== "op" || !CALLS.has(item.op)) continue;
    calls.push(2 * index);
    const signature = signatureOf(module, item);
    if (signature !== null)
      outgoing = Math.max(outgoing, stackArguments(signature, registers) + Math.max(0, signature.results.length - registers.results.length));
    const block = item.op === "asm" ? module.assembly[Number(item.imm[0])] : undefined;
    if (block === undefined) continue;
    for (const name of [...block.inputs, ...block.outputs, ...block.clobbers]) {
      const register = target.registerNumber(name);
      if (register !== undefined && registers.kept.includes(register)) (named ??= new Set()).add(register);
    }
  }
  return { calls, outgoing, named: named ?? NO_REGISTERS };
}

const NO_REGISTERS: ReadonlySet<number> = new Set();

function makeFrame(fn: BytecodeFunction, target: NativeTarget, allocation: Allocation, survey: Survey): Frame {
  const isLeaf = survey.calls.length === 0;
  const outgoing = 8 * survey.outgoing;
  const local = Math.ceil((outgoing + 8 * allocation.slots) / 16) * 16;
  let at = local + Math.ceil(fn.frameSize / 16) * 16;
  const saved = [...new Set([...allocation.used, ...survey.named])].map((register) => {
    at += 8;
    return { register, offset: at - 8 };
  });
  let returnAddress: number | null = null;
  if (!isLeaf && target.returnAddressBytes === 0) {
    returnAddress = at;
    at += 8;
  }
  const pushed = target.returnAddressBytes;
  const size = Math.ceil((at + pushed) / 16) * 16 - pushed;
  // A leaf without anything to keep needs no frame, not even for the alignment that calls want.
  const needed = isLeaf && at === 0 ? 0 : size;
  return { size: needed, outgoing, local, saved, returnAddress, incoming: needed + pushed, isLeaf, isChecked: !isLeaf || needed > UNCHECKED_FRAME };
}

function intervalsToPlace({ intervals }: Liveness, remade: readonly (Location | undefined)[]): readonly Interval[] {
  const wanted: Interval[] = [];
  for (let register = 0; register < intervals.length; register++) {
    const interval = intervals[register];
    if (interval !== undefined && remade[register] === undefined) wanted.push(interval);
  }
  return wanted.sort((a, b) => a.start - b.start || a.end - b.end);
}

function locate(code: Items, remade: readonly (Location | undefined)[], allocation: Allocation, frame: Frame): readonly Location[] {
  return code.types.map((type, register): Location => {
    const made = remade[register];
    if (made !== undefined) return inFrame(made, frame);
    const machine = allocation.registerOf[register] ?? -1;
    if (machine >= 0) return inRegister(machine, bitsOf(type) < 64);
    const slot = allocation.slotOf[register] ?? -1;
    // A value that is never read has no place of its own; what writes it may write here.
    return slot < 0 ? { kind: "constant", value: 0n } : { kind: "slot", offset: frame.outgoing + 8 * slot };
  });
}

export function lowerFunction(fn: BytecodeFunction, context: LowerContext): NativeFunction {
  const { target, module, isCompact } = context;
  const { registers } = target;
  const code = prepareItems(fn, (instruction) => illegalValue(instruction, module, target.name));
  const liveness = findLiveness(code);
  const remade = remadeValues(code, target);
  const survey = surveyItems(code, module, target);
  const { hints, partners } = findHints(fn, module, code, registers);
  const allocation = allocateRegisters({
    intervals: intervalsToPlace(liveness, remade),
    virtuals: code.types.length,
    calls: survey.calls,
    registers,
    without: survey.named,
    hintOf: (register) => orNull(hints[register]),
    partnerOf: (register) => orNull(partners[register]),
  });
  const frame = makeFrame(fn, target, allocation, survey);
  const locations = locate(code, remade, allocation, frame);
  const emission: EmissionContext = { target, module, frame, types: code.types, locations, labels: code.labels, isCompact };
  const flipped = new Set<number>();
  for (;;) {
    const e = new Emission(emission, flipped);
    try {
      writeFunction(e, target, { fn, code, liveness, allocation });
    } catch (error) {
      throw error instanceof LowerError ? error.at({ function: fn.name, location: e.at }) : error;
    }
    const { code: bytes, flips, problem } = e.resolve();
    if (flips.length === 0) {
      if (problem !== undefined) throw new Error(`${fn.name}: ${problem}`);
      return { code: bytes, relocations: e.relocations, marks: e.marks, frameEvents: e.frameEvents, frameSize: frame.size };
    }
    for (const branch of flips) flipped.add(branch);
  }
}
