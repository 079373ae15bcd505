// x86_64 as a native target: long mode, general registers only, images below 2 GiB. This file has the registers, the beginning and end
// of functions, moves, branches and calls; what instructions become is in the lower-*.ts files beside it. rax, rcx, rdx and r11 hold
// nothing from one instruction to the next: shifts, divisions, ports and cmpxchg want three of them by name.

import { TRAP_CLASSES } from "../../../isa/bytecode/instructions.ts";
import type { Signature } from "../../../isa/bytecode/module.ts";
import { assemble } from "../../../isa/x86_64/assemble.ts";
import { PSABI } from "../../../isa/x86_64/psabi.ts";
import { findRegister, R64_NAMES } from "../../../isa/x86_64/registers.ts";
import { applyRelocation, RELOCATION_REACHES, type RelocationKind } from "../../../isa/x86_64/relocations.ts";
import type { MachineDescription } from "../../../machines/description.ts";
import { CPU_BLOCK, GUARD_SPARE, signatureWord } from "../../native/abi.ts";
import type { Emission } from "../../native/emission.ts";
import { calling, outermost, type Frame } from "../../native/frame.ts";
import type { Comparison, Label } from "../../native/items.ts";
import type { Location, Writable } from "../../native/location.ts";
import type { NativeTarget } from "../../native/target.ts";
import { BOOT_HEADER } from "./boot-header.ts";
import {
  beginMove32,
  call,
  callRegister,
  conditionNumber,
  jump,
  jumpIf,
  OPCODES,
  pop,
  push,
  ret,
  withMemory,
  withMemoryOnly,
  withOne,
  BRANCH_KINDS,
} from "./encoding.ts";
import { ARITHMETIC, compareValues, testCondition } from "./lower-arithmetic.ts";
import { MEMORY } from "./lower-memory.ts";
import { lowerTrap, readTrap, trapAtAccess, trapHere } from "./lower-traps.ts";
import { apply, bring, canonical, R11, R15, RAX, RDX, RSP, stackSlot, moveRegister, storeStack } from "./values.ts";

function numberOf(name: string): number {
  const register = findRegister(name);
  if (register?.kind !== "reg" || register.high === true) throw new Error(`isa/x86_64 has no general register ${name}`);
  return register.number;
}

// System V AMD64 ABI, 3.2.3, but for results beyond the second.
const ARGUMENTS = ["rdi", "rsi", "rdx", "rcx", "r8", "r9"].map(numberOf);
const RESULTS = ["rax", "rdx", "rcx", "rsi", "rdi", "r8"].map(numberOf);
const CHANGED = ["rdi", "rsi", "r8", "r9", "r10"].map(numberOf);
const KEPT = ["rbx", "rbp", "r12", "r13", "r14"].map(numberOf);

const STACK_OVERFLOW = TRAP_CLASSES.indexOf("stack_overflow");
const ACCESS_FAULT = TRAP_CLASSES.indexOf("access_fault");
const EXECUTE = 3;

const BELOW = conditionNumber("b");
const NOT_EQUAL = conditionNumber("ne");
const EQUAL = conditionNumber("e");
const SIGN = conditionNumber("s");

/** Larger frames are compared before the stack pointer goes there: the reserve below the limit has room for smaller ones. */
const LARGE_FRAME = 4096;

const LIMIT = { kind: "block", offset: CPU_BLOCK.stackLimit } as const;

/**
 * Kept registers are pushed, for that is short: they are at the frame's upper end, in any order. Functions that call compare the stack
 * and count their fuel in `guest_enter`, which costs them five bytes instead of forty.
 */
function prologue(e: Emission, frame: Frame): void {
  frame.saved.forEach(({ register }, index) => {
    push(e, register);
    e.depth(8 * (index + 1));
    e.kept(register, 8 * (index + 2));
  });
  const rest = frame.size - 8 * frame.saved.length;
  if (rest > LARGE_FRAME) {
    const overflow = e.cold(() => trapHere(e, STACK_OVERFLOW));
    moveRegister(e, R11, RSP);
    apply(e, OPCODES.sub, 64, R11, { kind: "immediate", value: rest });
    jumpIf(e, BELOW, overflow);
    withMemory(e, OPCODES.cmp.toRegister[64], R11, LIMIT);
    jumpIf(e, BELOW, overflow);
    moveRegister(e, RSP, R11);
  } else moveStack(e, -rest);
  if (rest !== 0) e.depth(frame.size);
  if (!frame.isLeaf) call(e, { label: "guest_enter" });
  else if (frame.isChecked && rest <= LARGE_FRAME) {
    withMemory(e, OPCODES.cmp.toRegister[64], RSP, LIMIT);
    jumpIf(
      e,
      BELOW,
      e.cold(() => trapHere(e, STACK_OVERFLOW)),
    );
  }
}

/** A frame of eight bytes, which only aligns the stack, is an unimportant push. */
function moveStack(e: Emission, bytes: number): void {
  if (bytes === 0) return;
  if (bytes === -8) push(e, RAX);
  else apply(e, bytes < 0 ? OPCODES.sub : OPCODES.add, 64, RSP, { kind: "immediate", value: Math.abs(bytes) });
}

function epilogue(e: Emission, frame: Frame): void {
  moveStack(e, frame.size - 8 * frame.saved.length);
  e.depth(8 * frame.saved.length);
  [...frame.saved].reverse().forEach(({ register }, index) => {
    pop(e, register);
    e.depth(8 * (frame.saved.length - index - 1));
  });
  ret(e);
}

function poll(e: Emission): void {
  const back = e.label();
  const empty = e.cold(() => {
    call(e, { label: "guest_poll" });
    jump(e, back);
  });
  withOne(e, OPCODES.dec[64], R15);
  jumpIf(e, SIGN, empty);
  e.bind(back);
}

/** Moves around calls: r11 is the only register that none of them is about. */
function move(e: Emission, to: Writable, from: Location): void {
  if (to.kind === "register") {
    bring(e, to.register, from);
    return;
  }
  if (from.kind === "register") storeStack(e, from.register, to.offset);
  else if (from.kind === "constant" && BigInt.asIntN(32, from.value) === BigInt.asIntN(64, from.value)) {
    withMemoryOnly(e, OPCODES.mov.immediate[64], stackSlot(to.offset), 4);
    e.word(Number(BigInt.asIntN(32, from.value)));
  } else {
    bring(e, R11, from);
    storeStack(e, R11, to.offset);
  }
}

/** `guest_check_code` compares the word before the address in rax with edx: not zero when it is another or the address no code. */
function checkCode(e: Emission, address: Location, signature: Signature): void {
  bring(e, RAX, address);
  beginMove32(e, RDX);
  e.word(signatureWord(signature));
  call(e, { label: "guest_check_code" });
  jumpIf(
    e,
    NOT_EQUAL,
    e.cold(() => trapAtAccess(e, { class: ACCESS_FAULT, access: EXECUTE, width: 0 })),
  );
}

function branchIf(e: Emission, condition: Location, isZero: boolean, label: Label): void {
  testCondition(e, condition);
  jumpIf(e, isZero ? EQUAL : NOT_EQUAL, label);
}

function branchCompare(e: Emission, comparison: Comparison, label: Label): void {
  jumpIf(e, compareValues(e, comparison), label);
}

/** A chain of comparisons: tables are rare and short. */
function branchTable(e: Emission, index: Location, labels: readonly Label[]): void {
  bring(e, RAX, index);
  labels.slice(0, -1).forEach((label, value) => {
    apply(e, OPCODES.cmp, 32, RAX, { kind: "immediate", value });
    jumpIf(e, EQUAL, label);
  });
  const last = labels.at(-1);
  if (last !== undefined) jump(e, last);
}

const REACH_OF_BRANCH: Readonly<Record<string, { readonly kind: RelocationKind; readonly bytes: number }>> = {
  [BRANCH_KINDS.short]: { kind: "relative8", bytes: 1 },
  [BRANCH_KINDS.long]: { kind: "relative32", bytes: 4 },
};

function isRelocation(kind: string): kind is RelocationKind {
  return Object.hasOwn(RELOCATION_REACHES, kind);
}

function relocate(bytes: Uint8Array, kind: string, offset: number, place: number, target: number): string | undefined {
  const branch = REACH_OF_BRANCH[kind];
  if (branch !== undefined) return applyRelocation(bytes, branch.kind, offset, place, target - branch.bytes);
  if (!isRelocation(kind)) throw new Error(`x86_64 has no relocation ${kind}`);
  return applyRelocation(bytes, kind, offset, place, target);
}

/** Vector by which user mode goes back to a guard of the kernel; lib/x86_64/irq.gspec knows it too. */
const UNWIND_VECTOR = 0xf0n;

/** How many places the table of the entry assembly has for windows. */
const WINDOWS = 8;
const PAGE = 4096n;

interface Window {
  readonly start: bigint;
  readonly end: bigint;
}

/**
 * The pages where devices answer, which the run-time maps at start. Those that touch are one; where BARs of PCI functions will be is
 * nothing yet.
 */
function deviceWindows({ devices }: MachineDescription): readonly Window[] {
  const pages = devices
    .flatMap(({ at, provides }) => at.filter(({ region }) => region !== "memory" || !provides.some(({ name }) => name === "pci")))
    .flatMap(({ address, size }): Window[] =>
      address === null ? [] : [{ start: (address / PAGE) * PAGE, end: ((address + BigInt(size) + PAGE - 1n) / PAGE) * PAGE }],
    )
    .sort((a, b) => (a.start < b.start ? -1 : 1));
  const joined: Window[] = [];
  for (const { start, end } of pages) {
    const last = joined.at(-1);
    if (last !== undefined && start <= last.end) joined[joined.length - 1] = { start: last.start, end: end > last.end ? end : last.end };
    else joined.push({ start, end });
  }
  return joined;
}

function entryConstants(machine: MachineDescription, constants: ReadonlyMap<string, bigint>): ReadonlyMap<string, bigint> {
  const windows = deviceWindows(machine);
  if (windows.length > WINDOWS) throw new Error(`${machine.name} has devices in more than ${WINDOWS} places, which lib/x86_64/entry.s has no room for`);
  const named = Array.from({ length: WINDOWS }, (_, index): readonly [string, bigint][] => {
    const { start, end } = windows[index] ?? { start: 0n, end: 0n };
    return [
      [`WINDOW_${index}_START`, start],
      [`WINDOW_${index}_SIZE`, end - start],
    ];
  });
  const pci = (name: string): bigint => constants.get(`pci0.${name}`) ?? 0n;
  return new Map([
    ["UNWIND_VECTOR", UNWIND_VECTOR],
    ["PCI_ECAM", pci("ecam")],
    ["PCI_MEMORY_START", pci("memory")],
    ["PCI_MEMORY_SIZE", pci("memory_size")],
    ...named.flat(),
  ]);
}

export const x86_64 = {
  name: "x86_64",
  registers: { names: R64_NAMES, arguments: ARGUMENTS, results: RESULTS, changed: CHANGED, kept: KEPT, scratch: R11 },
  branches: "short",
  alignment: 1,
  returnAddressBytes: PSABI.pushed,
  returnRegister: null,
  // The record of a guard is as entry.s says: eleven words, the first of them kept registers.
  entryFrames: [
    outermost("guest_start", "enter_long_mode"),
    outermost("other_protected", "gdt"),
    outermost("guest_vector", "guest_guard"),
    calling(
      "guest_guard",
      "end_guard",
      88 + GUARD_SPARE,
      ["rbp", "rbx", "r12", "r13", "r14"].map((name, index) => [numberOf(name), 16 + GUARD_SPARE + 8 * index]),
    ),
  ],
  libraryOperations: {},
  entryFunctions: ["irq.on_vector", "bars.find_page"],
  entryConstants,
  registerNumber: (name) => {
    const register = findRegister(name);
    return register?.kind === "reg" && register.high !== true ? register.number : undefined;
  },
  prologue,
  epilogue,
  move,
  call,
  checkCode,
  codeRegister: RAX,
  callChecked: (e) => callRegister(e, RAX),
  jump,
  branchIf,
  branchCompare,
  branchTable,
  poll,
  lower: { ...ARITHMETIC, ...MEMORY, trap: lowerTrap },
  canonical,
  absolute: "absolute64",
  applyRelocation: relocate,
  assemble,
  loadDisassembler: async () => (await import("../../../isa/x86_64/disassemble.ts")).disassemble,
  readTrap,
  bootHeader: BOOT_HEADER,
} as const satisfies NativeTarget;
