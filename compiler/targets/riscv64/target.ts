// riscv64 as a native target: RV64IMAC, in machine or supervisor mode. This file has the registers, the beginning and end of functions,
// moves, branches and calls; what instructions become is in the lower-*.ts files beside it.

import { TRAP_CLASSES } from "../../../isa/bytecode/instructions.ts";
import type { Signature } from "../../../isa/bytecode/module.ts";
import { assemble } from "../../../isa/riscv64/assemble.ts";
import { encode } from "../../../isa/riscv64/encode.ts";
import { PSABI } from "../../../isa/riscv64/psabi.ts";
import { findCsr, findXRegister, X_REGISTERS } from "../../../isa/riscv64/registers.ts";
import { applyRelocation, type RelocationKind } from "../../../isa/riscv64/relocations.ts";
import type { MachineDescription } from "../../../machines/description.ts";
import { PORT_FUNCTIONS } from "../../native/target.ts";
import { CPU_BLOCK, GUARD_SPARE, signatureWord } from "../../native/abi.ts";
import type { Emission } from "../../native/emission.ts";
import { calling, outermost, type Frame } from "../../native/frame.ts";
import type { Comparison, Label } from "../../native/items.ts";
import type { Location, Writable } from "../../native/location.ts";
import type { NativeTarget } from "../../native/target.ts";
import { BOOT_HEADER } from "./boot-header.ts";
import { put } from "./compress.ts";
import { enc } from "./encoding.ts";
import { ARITHMETIC, branchOnNotZero, branchOnZero, orderedOperands } from "./lower-arithmetic.ts";
import { MEMORY } from "./lower-memory.ts";
import { lowerTrap, NO_VALUE, readTrap, trapHere } from "./lower-traps.ts";
import { addOffset, bring, canonical, GP, loadStack, loadValue, RA, SP, storeStack, T0, T1, T2, TP, ZERO } from "./values.ts";

const numberOf = (name: string): number => {
  const number = findXRegister(name);
  if (number === undefined) throw new Error(`isa/riscv64 has no register ${name}`);
  return number;
};

const ARGUMENTS = ["a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7"].map(numberOf);
const CHANGED = [...ARGUMENTS, ...["t4", "t5", "t6"].map(numberOf)];
const KEPT = ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11"].map(numberOf);

const STACK_OVERFLOW = TRAP_CLASSES.indexOf("stack_overflow");
const ACCESS_FAULT = TRAP_CLASSES.indexOf("access_fault");
const EXECUTE = 3;

function prologue(e: Emission, frame: Frame): void {
  if (frame.isChecked) {
    const overflow = e.cold(() => trapHere(e, { class: STACK_OVERFLOW, ...NO_VALUE }));
    put(e, enc.ld(T0, TP, CPU_BLOCK.stackLimit));
    addOffset(e, T1, SP, -frame.size);
    const { number, isLong } = e.branch();
    if (isLong) {
      e.word(enc.bgeu(T1, T0) | enc.distance(8));
      e.refer(overflow, "jal", number);
      e.word(enc.jal(ZERO));
    } else {
      e.refer(overflow, "branch", number);
      put(e, enc.bltu(T1, T0));
    }
    put(e, enc.addi(SP, T1, 0));
  } else if (frame.size !== 0) addOffset(e, SP, SP, -frame.size);
  if (frame.size !== 0) e.depth(frame.size);
  if (frame.returnAddress !== null) storeStack(e, RA, frame.returnAddress);
  for (const { register, offset } of frame.saved) storeStack(e, register, offset);
  if (frame.returnAddress !== null) e.kept(RA, frame.size - frame.returnAddress);
  for (const { register, offset } of frame.saved) e.kept(register, frame.size - offset);
  if (!frame.isLeaf) poll(e);
}

function epilogue(e: Emission, frame: Frame): void {
  if (frame.returnAddress !== null) loadStack(e, RA, frame.returnAddress);
  for (const { register, offset } of frame.saved) loadStack(e, register, offset);
  // What may be lost here besides results: t0 to t2.
  if (frame.size !== 0) {
    if (frame.size <= 2047) put(e, enc.addi(SP, SP, frame.size));
    else {
      loadValue(e, T0, BigInt(frame.size));
      put(e, enc.add(SP, SP, T0));
    }
    e.depth(0);
  }
  put(e, enc.jalr(ZERO, RA, 0));
}

/** t0 is the link: in a leaf the return address is still in ra. */
function poll(e: Emission): void {
  put(e, enc.addi(GP, GP, -1));
  e.word(enc.bge(GP, ZERO) | enc.distance(8));
  e.relocate("jal", { kind: "label", name: "guest_poll" });
  e.word(enc.jal(T0));
}

function move(e: Emission, to: Writable, from: Location): void {
  if (to.kind === "register") {
    bring(e, to.register, from);
    return;
  }
  if (from.kind === "register") storeStack(e, from.register, to.offset);
  else if (from.kind === "constant" && from.value === 0n) storeStack(e, ZERO, to.offset);
  else {
    bring(e, T1, from);
    storeStack(e, T1, to.offset);
  }
}

function call(e: Emission, callee: { readonly function: number } | { readonly label: string }): void {
  e.relocate("jal", "function" in callee ? { kind: "function", function: callee.function } : { kind: "label", name: callee.label });
  e.word(enc.jal(RA));
}

/** `guest_check_code` answers in t1 whether the word before the address in t0 is the one given in t1; t2 is the link. */
function checkCode(e: Emission, address: Location, signature: Signature): void {
  bring(e, T0, address);
  loadValue(e, T1, BigInt.asIntN(32, BigInt(signatureWord(signature))));
  e.relocate("jal", { kind: "label", name: "guest_check_code" });
  e.word(enc.jal(T2));
  branchOnNotZero(
    e,
    T1,
    e.cold(() => trapHere(e, { class: ACCESS_FAULT, access: EXECUTE, width: 0 }, { base: T0, offset: 0 })),
  );
  // The moves of arguments use t0 and t1.
  put(e, enc.addi(T2, T0, 0));
}

function jump(e: Emission, label: Label): void {
  e.refer(label, "jal");
  e.word(enc.jal(ZERO));
}

function branchIf(e: Emission, condition: Location, isZero: boolean, label: Label): void {
  let register = T0;
  if (condition.kind === "register") register = condition.register;
  else bring(e, T0, condition);
  if (isZero) branchOnZero(e, register, label);
  else branchOnNotZero(e, register, label);
}

/** Each with its operands' order, and the branch that goes the other way. */
const COMPARISONS = {
  eq: { branch: enc.beq, inverse: enc.bne, swapped: false, signed: false },
  ne: { branch: enc.bne, inverse: enc.beq, swapped: false, signed: false },
  lt_s: { branch: enc.blt, inverse: enc.bge, swapped: false, signed: true },
  ge_s: { branch: enc.bge, inverse: enc.blt, swapped: false, signed: true },
  gt_s: { branch: enc.blt, inverse: enc.bge, swapped: true, signed: true },
  le_s: { branch: enc.bge, inverse: enc.blt, swapped: true, signed: true },
  lt_u: { branch: enc.bltu, inverse: enc.bgeu, swapped: false, signed: false },
  ge_u: { branch: enc.bgeu, inverse: enc.bltu, swapped: false, signed: false },
  gt_u: { branch: enc.bltu, inverse: enc.bgeu, swapped: true, signed: false },
  le_u: { branch: enc.bgeu, inverse: enc.bltu, swapped: true, signed: false },
} as const;

function branchCompare(e: Emission, { op, type, left, right }: Comparison, label: Label): void {
  const { branch, inverse, swapped, signed } = COMPARISONS[op];
  const ordered = orderedOperands(e, left, right, type, signed);
  const [first, second] = swapped ? [ordered[1], ordered[0]] : ordered;
  const { number, isLong } = e.branch();
  if (isLong) {
    put(e, inverse(first, second) | enc.distance(8));
    e.refer(label, "jal", number);
    e.word(enc.jal(ZERO));
    return;
  }
  e.refer(label, "branch", number);
  put(e, branch(first, second));
}

/** A chain of comparisons: tables are rare and short. */
function branchTable(e: Emission, index: Location, labels: readonly Label[]): void {
  bring(e, T0, index);
  labels.slice(0, -1).forEach((label, value) => {
    loadValue(e, T1, BigInt(value));
    const next = e.label();
    const { number, isLong } = e.branch();
    if (isLong) {
      e.word(enc.bne(T0, T1) | enc.distance(8));
      e.refer(label, "jal", number);
      e.word(enc.jal(ZERO));
    } else {
      e.refer(label, "branch", number);
      put(e, enc.beq(T0, T1));
    }
    e.bind(next);
  });
  const last = labels.at(-1);
  if (last !== undefined) jump(e, last);
}

/** The CSRs of the mode that images run in, under one name for both (Volume II, 2.2), and bits of theirs. */
function entryConstants(_machine: MachineDescription, constants: ReadonlyMap<string, bigint>): ReadonlyMap<string, bigint> {
  const isSupervisor = (constants.get("supervisor") ?? 0n) !== 0n;
  const prefix = isSupervisor ? "s" : "m";
  const csr = (name: string): bigint => BigInt(findCsr(`${prefix}${name}`) ?? 0);
  const trapReturn = isSupervisor ? "sret" : "mret";
  return new Map<string, bigint>([
    ["IS_SUPERVISOR", isSupervisor ? 1n : 0n],
    ["X_STATUS", csr("status")],
    ["X_IE", csr("ie")],
    ["X_IP", csr("ip")],
    ["X_TVEC", csr("tvec")],
    ["X_SCRATCH", csr("scratch")],
    ["X_EPC", csr("epc")],
    ["X_CAUSE", csr("cause")],
    ["X_TVAL", csr("tval")],
    ["TRAP_RETURN", BigInt(encode(trapReturn, {}))],
    ["STATUS_IE", isSupervisor ? 0x2n : 0x8n],
    // MPP and SPP: the mode before the trap, 0 for user mode.
    ["STATUS_PP", isSupervisor ? 0x100n : 0x1800n],
    // What shifts its upper bit to the sign.
    ["PP_SIGN", isSupervisor ? 55n : 51n],
    // As in lib/riscv64/platform.gspec.
    ["USER_DOZES", 0x4753_5952n],
    ["SOFTWARE", isSupervisor ? 0x2n : 0x8n],
    ["CLINT", constants.get("clint0.base") ?? 0n],
    // Linux boot protocol: from the start of RAM. Over SBI the firmware is there.
    ["TEXT_OFFSET", isSupervisor ? 0x20_0000n : 0n],
  ]);
}

export const riscv64 = {
  name: "riscv64",
  registers: { names: X_REGISTERS.map(({ name }) => name), arguments: ARGUMENTS, results: ARGUMENTS, changed: CHANGED, kept: KEPT, scratch: T0 },
  branches: "short",
  alignment: 2,
  returnAddressBytes: PSABI.pushed,
  returnRegister: RA,
  // The record of a guard is as entry.s says.
  entryFrames: [
    outermost("start", "hart_start"),
    outermost("no_stack", "guest_guard"),
    calling(
      "guest_guard",
      "end_guard",
      144 + GUARD_SPARE,
      [RA, ...KEPT].map((register, index) => [register, 144 + GUARD_SPARE - 8 * index]),
    ),
  ],
  libraryOperations: {
    ...PORT_FUNCTIONS,
    "atomic_rmw.i8": "native.atomic_rmw8",
    "atomic_rmw.i16": "native.atomic_rmw16",
    "atomic_cas.i8": "native.atomic_cas8",
    "atomic_cas.i16": "native.atomic_cas16",
  },
  entryFunctions: ["platform.doze_user"],
  entryConstants,
  registerNumber: findXRegister,
  prologue,
  epilogue,
  move,
  call,
  checkCode,
  codeRegister: T2,
  callChecked: (e) => put(e, enc.jalr(RA, T2, 0)),
  jump,
  branchIf,
  branchCompare,
  branchTable,
  poll,
  lower: { ...ARITHMETIC, ...MEMORY, trap: lowerTrap },
  canonical,
  absolute: "absolute64",
  applyRelocation: (bytes, kind, offset, place, target) => applyRelocation(bytes, kind as RelocationKind, offset, place, target),
  assemble,
  loadDisassembler: async () => (await import("../../../isa/riscv64/disassemble.ts")).disassemble,
  readTrap,
  bootHeader: BOOT_HEADER,
} as const satisfies NativeTarget;
