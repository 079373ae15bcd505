// aarch64 as a native target: A64 instructions of Armv8.0 at EL1. This file has the registers, the beginning and end of functions,
// moves, branches and calls; what instructions become is in the lower-*.ts files beside it. Sections are those of the Arm
// Architecture Reference Manual, DDI 0487 (I.a).

import { TRAP_CLASSES } from "../../../isa/bytecode/instructions.ts";
import type { Signature } from "../../../isa/bytecode/module.ts";
import { assemble } from "../../../isa/aarch64/assemble.ts";
import { PSABI } from "../../../isa/aarch64/psabi.ts";
import { findRegister, registerName } from "../../../isa/aarch64/registers.ts";
import { applyRelocation, type RelocationKind } from "../../../isa/aarch64/relocations.ts";
import type { MachineDescription } from "../../../machines/description.ts";
import { PORT_FUNCTIONS } from "../../native/target.ts";
import { CPU_BLOCK, GUARD_SPARE, signatureNumber } from "../../native/abi.ts";
import type { Emission } from "../../native/emission.ts";
import { calling, outermost, type Frame } from "../../native/frame.ts";
import type { Label } from "../../native/items.ts";
import type { Location, Writable } from "../../native/location.ts";
import type { NativeTarget } from "../../native/target.ts";
import { BOOT_HEADER } from "./boot-header.ts";
import { CONDITION, enc } from "./encoding.ts";
import { ARITHMETIC, branchCompare, branchOn, branchZero, jump } from "./lower-arithmetic.ts";
import { MEMORY } from "./lower-memory.ts";
import { lowerTrap, readTrap, trapHere } from "./lower-traps.ts";
import { addOffset, bring, canonical, CPU, FUEL_REGISTER, loadStack, loadValue, LR, SP, storeStack, T0, T1, T2, ZERO } from "./values.ts";

const numbersFrom = (first: number, last: number): readonly number[] => Array.from({ length: last - first + 1 }, (_, index) => first + index);

const ARGUMENTS = numbersFrom(0, 7);
/** x13 and x14 are scratch of single instructions. */
const CHANGED = numbersFrom(0, 12);
const KEPT = [...numbersFrom(19, 27), 29];

const STACK_OVERFLOW = TRAP_CLASSES.indexOf("stack_overflow");
const ACCESS_FAULT = TRAP_CLASSES.indexOf("access_fault");
const EXECUTE = 3;

/** What lies below the stack limit is enough for a frame of this size, and an interrupt, before the frame is refused. */
const TAKEN_AT_ONCE = 512;

/** One register and where it is kept, or two neighbours. */
type Slots = readonly { readonly register: number; readonly offset: number }[];

function keptSlots(frame: Frame): readonly Slots[] {
  const slots = [...frame.saved, ...(frame.returnAddress === null ? [] : [{ register: LR, offset: frame.returnAddress }])];
  const groups: { register: number; offset: number }[][] = [];
  for (const slot of slots) {
    const last = groups.at(-1);
    if (last?.length === 1 && last[0]?.offset === slot.offset - 8) last.push(slot);
    else groups.push([slot]);
  }
  return groups;
}

const LARGEST_PAIR_OFFSET = 504;
/** How far a pair, or a single register, may move the stack pointer while it is stored or loaded. */
const LARGEST_PAIR_STEP = 504;
const LARGEST_STEP = 248;

/** Whether the frame is taken and given back by the access to what is kept at its lower end. */
function movesWith(frame: Frame, [first, second]: Slots): boolean {
  return first?.offset === 0 && frame.size <= (second === undefined ? LARGEST_STEP : LARGEST_PAIR_STEP);
}

function keepSlots(e: Emission, [first, second]: Slots, isLoad: boolean): void {
  if (first === undefined) return;
  if (second !== undefined && first.offset <= LARGEST_PAIR_OFFSET) {
    e.word((isLoad ? enc.ldp : enc.stp)(first.register, second.register, SP, first.offset));
    return;
  }
  for (const slot of second === undefined ? [first] : [first, second]) (isLoad ? loadStack : storeStack)(e, slot.register, slot.offset);
}

/** Takes a frame that may be touched at once, and stores what is kept in it. */
function takeFrame(e: Emission, frame: Frame): void {
  const groups = keptSlots(frame);
  const [lowest, ...others] = groups;
  if (lowest === undefined || !movesWith(frame, lowest)) {
    addOffset(e, SP, SP, -frame.size);
    e.depth(frame.size);
    for (const slots of groups) keepSlots(e, slots, false);
    tellKept(e, frame);
    return;
  }
  const [first, second] = lowest;
  if (first === undefined) return;
  e.word(second === undefined ? enc.storePre(first.register, SP, -frame.size) : enc.stpPre(first.register, second.register, SP, -frame.size));
  e.depth(frame.size);
  for (const slots of others) keepSlots(e, slots, false);
  tellKept(e, frame);
}

function tellKept(e: Emission, frame: Frame): void {
  for (const { register, offset } of keptSlots(frame).flat()) e.kept(register, frame.size - offset);
}

function giveFrameBack(e: Emission, frame: Frame): void {
  const groups = keptSlots(frame);
  const [lowest, ...others] = groups;
  if (lowest === undefined || !movesWith(frame, lowest)) {
    for (const slots of groups) keepSlots(e, slots, true);
    addOffset(e, SP, SP, frame.size);
    e.depth(0);
    return;
  }
  for (const slots of others) keepSlots(e, slots, true);
  const [first, second] = lowest;
  if (first === undefined) return;
  e.word(second === undefined ? enc.loadPost(first.register, SP, frame.size) : enc.ldpPost(first.register, second.register, SP, frame.size));
  e.depth(0);
}

/**
 * `guest_enter` compares the stack pointer and counts down: a call is a ninth of what both take in place, and most of an image is
 * beginnings of functions. What is kept for the caller is stored before, the return address among it. Large frames must not be touched
 * before they are known to fit.
 */
function prologue(e: Emission, frame: Frame): void {
  if (!frame.isLeaf && frame.size <= TAKEN_AT_ONCE) {
    takeFrame(e, frame);
    call(e, { label: "guest_enter" });
    return;
  }
  if (!frame.isChecked) {
    takeFrame(e, frame);
    return;
  }
  const overflow = e.cold(() => trapHere(e, { class: STACK_OVERFLOW, access: 0, width: 0 }));
  e.word(enc.loadScaled[64](T0, CPU, CPU_BLOCK.stackLimit / 8));
  addOffset(e, T1, SP, -frame.size, T2);
  e.word(enc.subs.x(ZERO, T1, T0));
  branchOn(e, CONDITION.lo, overflow);
  e.word(enc.addImm.x(SP, T1, 0));
  e.depth(frame.size);
  for (const slots of keptSlots(frame)) keepSlots(e, slots, false);
  tellKept(e, frame);
  if (!frame.isLeaf) poll(e);
}

function epilogue(e: Emission, frame: Frame): void {
  giveFrameBack(e, frame);
  e.word(enc.ret);
}

/** In a leaf the return address is still in x30: x15 is the link there, and counting is done in place. */
function poll(e: Emission): void {
  if (!e.frame.isLeaf) {
    call(e, { label: "guest_loop" });
    return;
  }
  const back = e.label();
  const empty = e.cold(() => {
    e.refer(back, "adr21");
    e.word(enc.adr(T2));
    e.relocate("branch26", { kind: "label", name: "guest_poll" });
    e.word(enc.b);
  });
  e.word(enc.subsImm.x(FUEL_REGISTER, FUEL_REGISTER, 1));
  branchOn(e, CONDITION.mi, empty);
  e.bind(back);
}

function move(e: Emission, to: Writable, from: Location): void {
  if (to.kind === "register") bring(e, to.register, from);
  else if (from.kind === "register") storeStack(e, from.register, to.offset);
  else if (from.kind === "constant" && from.value === 0n) storeStack(e, ZERO, to.offset);
  else {
    bring(e, T1, from);
    storeStack(e, T1, to.offset);
  }
}

function call(e: Emission, callee: { readonly function: number } | { readonly label: string }): void {
  e.relocate("branch26", "function" in callee ? { kind: "function", function: callee.function } : { kind: "label", name: callee.label });
  e.word(enc.bl);
}

/** `guest_check_code` compares the word before the address in x16 with signature x17, and leaves the address in x15 if it may be called. */
function checkCode(e: Emission, address: Location, signature: Signature): void {
  bring(e, T0, address);
  loadValue(e, T1, BigInt(signatureNumber(signature)));
  call(e, { label: "guest_check_code" });
  branchOn(
    e,
    CONDITION.ne,
    e.cold(() => trapHere(e, { class: ACCESS_FAULT, access: EXECUTE, width: 0 }, { base: T0, offset: 0 })),
  );
}

function branchIf(e: Emission, condition: Location, isZero: boolean, label: Label): void {
  let register = T0;
  if (condition.kind === "register") register = condition.register;
  else bring(e, T0, condition);
  branchZero(e, register, "i32", isZero, label);
}

/** A chain of comparisons: tables are rare and short. */
function branchTable(e: Emission, index: Location, labels: readonly Label[]): void {
  bring(e, T0, index);
  labels.slice(0, -1).forEach((label, value) => {
    if (value < 1 << 12) e.word(enc.subsImm.w(ZERO, T0, value));
    else {
      loadValue(e, T1, BigInt(value));
      e.word(enc.subs.w(ZERO, T0, T1));
    }
    branchOn(e, CONDITION.eq, label);
  });
  const last = labels.at(-1);
  if (last !== undefined) jump(e, last);
}

function registerNumber(name: string): number | undefined {
  return findRegister("xsp", name) ?? findRegister("w", name);
}

/** Nothing beyond the machine's own constants: one entry serves all boards at EL1. */
function entryConstants(_machine: MachineDescription, _constants: ReadonlyMap<string, bigint>): ReadonlyMap<string, bigint> {
  return new Map();
}

export const aarch64 = {
  name: "aarch64",
  registers: {
    names: numbersFrom(0, 31).map((number) => registerName("xsp", number)),
    arguments: ARGUMENTS,
    results: ARGUMENTS,
    changed: CHANGED,
    kept: KEPT,
    scratch: T0,
  },
  branches: "short",
  alignment: 4,
  returnAddressBytes: PSABI.pushed,
  returnRegister: LR,
  // The record of a guard is as entry.s says.
  entryFrames: [
    outermost("start", "tables_address"),
    outermost("no_stack", "vectors"),
    calling(
      "guest_guard",
      "end_guard",
      128 + GUARD_SPARE,
      [29, LR, ...numbersFrom(19, 27)].map((register, index) => [register, 128 + GUARD_SPARE - 8 * index]),
    ),
  ],
  libraryOperations: {
    ...PORT_FUNCTIONS,
  },
  entryFunctions: ["platform.doze_user"],
  entryConstants,
  registerNumber,
  prologue,
  epilogue,
  move,
  call,
  checkCode,
  codeRegister: T2,
  callChecked: (e) => e.word(enc.blr(T2)),
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
  loadDisassembler: async () => (await import("../../../isa/aarch64/disassemble.ts")).disassemble,
  readTrap,
  bootHeader: BOOT_HEADER,
} as const satisfies NativeTarget;
