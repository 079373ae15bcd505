// Prepares a function body for the interpreter: one closure per instruction, with registers, branch targets and immediates resolved.
// An operation returns the index of the next instruction, so structure costs nothing at run time: `next` already lies behind
// `block`, `end` and the like. Memory has a fast path for RAM; whatever misses it is judged exactly, in BigInt, by `accessSlow`.

import { byteWidth, codeAddress, type BytecodeFunction, type Instruction, type ScalarType } from "../../../isa/bytecode/module.ts";
import { findInstruction, RMW_OPERATIONS, TRAP_CLASSES, TRAP_FIELDS, type TrapClass } from "../../../isa/bytecode/instructions.ts";
import type { Width } from "../../devices/device.ts";
import type { TrapRecord } from "../../machine/cpu-contract.ts";
import { NARROW, WIDE } from "./interpreter-arithmetic.ts";
import { HIGH, LOW, type Cpu, type Operation, type PreparedFunction } from "./interpreter-cpu.ts";
import { isThreadFunction, type Interpreter } from "./interpreter.ts";

/** Word offset in the frame of a narrow register, or of the low half of a wide one. */
const word = (register: number): number => 2 * register + LOW;

interface Label {
  readonly target: number;
  /** Code address of the `loop`: a branch to it is a poll point. */
  readonly loopPc: number | null;
}

interface Region {
  /** Index of the `else`, or of the `end`. */
  readonly elseAt: number;
  readonly endAt: number;
}

/** Everything that preparing one instruction needs. */
interface Site {
  readonly m: Interpreter;
  readonly fn: BytecodeFunction;
  readonly instruction: Instruction;
  readonly pc: number;
  readonly next: number;
  /** Where the region of an `if` goes on when the condition is 0. */
  readonly otherwise: number;
  label(depth: number): Label;
}

// --------------------------------------------------------------------------------------------------------------- structure

function matchRegions(body: readonly Instruction[]): Map<number, Region> {
  const regions = new Map<number, Region>();
  const open: { start: number; elseAt: number }[] = [];
  body.forEach((instruction, index) => {
    const structure = findInstruction(instruction.op)?.structure;
    if (structure === "open") open.push({ start: index, elseAt: -1 });
    else if (structure === "else") open[open.length - 1]!.elseAt = index;
    else if (structure === "end") {
      const { start, elseAt } = open.pop()!;
      const region = { elseAt: elseAt < 0 ? index : elseAt, endAt: index };
      regions.set(start, region);
      if (elseAt >= 0) regions.set(elseAt, region);
    }
  });
  return regions;
}

/** The first instruction that is executed, not just passed, when control arrives at `index`. */
function skipStructure(body: readonly Instruction[], regions: ReadonlyMap<number, Region>, index: number): number {
  for (let at = index; ; ) {
    const op = body[at]?.op;
    if (op === "block" || op === "loop" || op === "end") at += 1;
    else if (op === "else") at = regions.get(at)!.endAt + 1;
    else return at;
  }
}

/** Fills in the code of a function. */
export function prepareCode(m: Interpreter, prepared: PreparedFunction): void {
  const { body } = prepared.source;
  const regions = matchRegions(body);
  const arrive = (index: number): number => skipStructure(body, regions, index);
  const labels: Label[] = [];
  const code = body.map((instruction, index): Operation => {
    const structure = findInstruction(instruction.op)?.structure;
    if (structure === "open") {
      const isLoop = instruction.op === "loop";
      labels.push(isLoop ? { target: arrive(index + 1), loopPc: codeAddress(prepared.index, index) } : { target: arrive(regions.get(index)!.endAt + 1), loopPc: null });
    } else if (structure === "end") labels.pop();
    const region = regions.get(index);
    return prepareInstruction({
      m,
      fn: prepared.source,
      instruction,
      pc: codeAddress(prepared.index, index),
      next: arrive(index + 1),
      otherwise: region === undefined ? 0 : arrive(region.elseAt + 1),
      label: (depth) => labels[labels.length - 1 - depth]!,
    });
  });
  code.push(() => {
    throw new Error(`control reached the end of ${prepared.source.name}: the module was not verified`);
  });
  prepared.code = code;
  prepared.start = arrive(0);
}

function prepareInstruction(site: Site): Operation {
  const { op } = site.instruction;
  const prepare = PREPARE[op] ?? (NARROW[op] === undefined ? undefined : prepareArithmetic);
  if (prepare === undefined) throw new Error(`the interpreter has no instruction ${op}`);
  return prepare(site);
}

/** Names of the instructions that this engine runs; a test compares it with the table. */
export function implementedInstructions(): readonly string[] {
  return [...Object.keys(PREPARE), ...Object.keys(NARROW)];
}

// ------------------------------------------------------------------------------------------------------------------ pieces

const bitsOf = ({ m }: Site, type: ScalarType | undefined): 8 | 16 | 32 | 64 => (byteWidth(type ?? "addr", m.image.module.layout) * 8) as 8 | 16 | 32 | 64;
const maskOf = (bits: number): number => (bits === 32 ? -1 : (1 << bits) - 1);

function prepareArithmetic(site: Site): Operation {
  const { instruction, next, m, pc } = site;
  const { op, type } = instruction;
  const d = instruction.dst[0]!;
  const a = instruction.src[0]!;
  const b = instruction.src[1] ?? a;
  const bits = bitsOf(site, type);
  const divideError = (cpu: Cpu): number => m.raise(cpu, "divide_error", pc, {});
  if (bits === 64) return WIDE[op]!({ d, d32: word(d), a, b, next, divideError });
  return NARROW[op]!({ d: word(d), a: word(a), b: word(b), bits, mask: maskOf(bits), shift: 32 - bits, next, divideError });
}

/** Sets a register of any width to a value known now. */
function setConstant(register: number, value: bigint, bits: number, next: number): Operation {
  const unsigned = BigInt.asUintN(bits, value);
  const low = Number(unsigned & 0xffff_ffffn) | 0;
  const high = Number(unsigned >> 32n) | 0;
  const at = 2 * register;
  return (cpu) => {
    cpu.narrow[cpu.base32 + at + LOW] = low;
    cpu.narrow[cpu.base32 + at + HIGH] = high;
    return next;
  };
}

function writeNarrow(cpu: Cpu, register: number, value: number): void {
  cpu.narrow[cpu.base32 + word(register)] = value;
}

function readNarrow(cpu: Cpu, register: number): number {
  return cpu.narrow[cpu.base32 + word(register)]!;
}

/** The bits of a register, exactly. */
function readBits(cpu: Cpu, register: number, bits: number): bigint {
  return bits === 64 ? cpu.wide[cpu.base + register]! : BigInt(readNarrow(cpu, register) >>> 0);
}

function writeBits(cpu: Cpu, register: number, bits: number, value: number | bigint): void {
  if (bits === 64) cpu.wide[cpu.base + register] = BigInt(value);
  else writeNarrow(cpu, register, Number(value) & maskOf(bits));
}

// ------------------------------------------------------------------------------------------------------------------ memory

type Locate = (cpu: Cpu) => number;

/**
 * The offset into RAM of an access, or -1 if it is not certainly wholly in RAM. 64-bit addresses are computed as doubles: RAM ends below
 * 2^53, so a result inside RAM is exact, and everything else takes the exact path.
 */
function makeLocate({ m }: Site, register: number, offset: number, width: number): Locate {
  const { base } = m;
  const last = m.machine.memory.size - width;
  const low = word(register);
  const high = 2 * register + HIGH;
  if (m.image.module.layout.addressBytes === 4) {
    return (cpu) => {
      const at = ((cpu.narrow[cpu.base32 + low]! + offset) >>> 0) - base;
      return at >= 0 && at <= last ? at : -1;
    };
  }
  return (cpu) => {
    const at = (cpu.narrow[cpu.base32 + high]! >>> 0) * 0x1_0000_0000 + (cpu.narrow[cpu.base32 + low]! >>> 0) + offset - base;
    return at >= 0 && at <= last ? at : -1;
  };
}

/** What an access that missed the fast path is: a RAM offset, a trap that was raised, or a device access at `address`. */
type Resolved = { readonly kind: "ram"; readonly at: number } | { readonly kind: "device"; readonly address: bigint } | { readonly kind: "fault"; readonly address: bigint };

function resolve({ m }: Site, cpu: Cpu, register: number, offset: number, width: number): Resolved {
  const bits = m.image.module.layout.addressBytes * 8;
  const { base, size } = m.machine.memory;
  const address = BigInt.asUintN(bits, readBits(cpu, register, bits) + BigInt(offset));
  const end = address + BigInt(width);
  if (address >= base && end <= base + BigInt(size)) return { kind: "ram", at: Number(address - base) };
  const wraps = end > 1n << BigInt(bits);
  const overlaps = address < base + BigInt(size) && end > base;
  return wraps || overlaps ? { kind: "fault", address } : { kind: "device", address };
}

/** Reads or writes RAM at an offset in the layout's byte order; one pair for each width. */
interface RamAccess {
  read(cpu: Cpu, register: number, at: number): void;
  write(cpu: Cpu, register: number, at: number): void;
}

function ramAccess({ m }: Site, bits: 8 | 16 | 32 | 64): RamAccess {
  const { bytes, view } = m.machine.memory;
  const little = m.image.module.layout.endian === "little";
  switch (bits) {
    case 8:
      return {
        read: (cpu, register, at) => writeNarrow(cpu, register, bytes[at]!),
        write: (cpu, register, at) => void (bytes[at] = readNarrow(cpu, register)),
      };
    case 16:
      return {
        read: (cpu, register, at) => writeNarrow(cpu, register, view.getUint16(at, little)),
        write: (cpu, register, at) => view.setUint16(at, readNarrow(cpu, register), little),
      };
    case 32:
      return {
        read: (cpu, register, at) => writeNarrow(cpu, register, view.getInt32(at, little)),
        write: (cpu, register, at) => view.setInt32(at, readNarrow(cpu, register), little),
      };
    case 64:
      return {
        read: (cpu, register, at) => void (cpu.wide[cpu.base + register] = view.getBigUint64(at, little)),
        write: (cpu, register, at) => view.setBigUint64(at, cpu.wide[cpu.base + register]!, little),
      };
  }
}

/** Marks the pages of a store; true if it may not be done because it touches read-only data. */
function isProtected(m: Interpreter, at: number, width: number): boolean {
  const { memory } = m.machine;
  return at < memory.readOnlyEnd && at + width > memory.readOnlyStart;
}

function markPages(m: Interpreter, at: number, length: number): void {
  const { bytes, dirtyOffset } = m.machine.memory;
  const last = (at + length - 1) >>> 12;
  for (let page = at >>> 12; page <= last; page++) bytes[dirtyOffset + page] = 1;
}

interface AccessPlan {
  readonly bits: 8 | 16 | 32 | 64;
  readonly width: Width;
  readonly register: number;
  readonly offset: number;
  readonly isVolatile: boolean;
}

function planAccess(site: Site): AccessPlan {
  const { instruction } = site;
  const bits = bitsOf(site, instruction.type);
  return {
    bits,
    width: (bits / 8) as Width,
    register: instruction.src[0]!,
    offset: Number(instruction.imm[0] ?? 0),
    isVolatile: instruction.op.endsWith("_volatile"),
  };
}

/** Low bits of the effective address; alignment needs no more. */
function misalignment(cpu: Cpu, plan: AccessPlan): number {
  return (readNarrow(cpu, plan.register) + plan.offset) & (plan.width - 1);
}

function effectiveAddress({ m }: Site, cpu: Cpu, plan: AccessPlan): bigint {
  const bits = m.image.module.layout.addressBytes * 8;
  return BigInt.asUintN(bits, readBits(cpu, plan.register, bits) + BigInt(plan.offset));
}

function raiseAt(site: Site, cpu: Cpu, trapClass: TrapClass, address: bigint, access: 1 | 2, width: number): number {
  return site.m.raise(cpu, trapClass, site.pc, { address, access, width });
}

function prepareLoad(site: Site): Operation {
  const plan = planAccess(site);
  const { m, next } = site;
  const { register, offset, width, isVolatile } = plan;
  const d = site.instruction.dst[0]!;
  const locate = makeLocate(site, register, offset, width);
  const { read } = ramAccess(site, plan.bits);
  const slow: Operation = (cpu) => {
    const found = resolve(site, cpu, register, offset, width);
    if (found.kind === "ram") {
      read(cpu, d, found.at);
      return next;
    }
    if (found.kind === "fault") return raiseAt(site, cpu, "access_fault", found.address, 1, width);
    m.beginAccess();
    const value = m.machine.bus.read(found.address, width);
    m.refresh();
    if (value === null) return raiseAt(site, cpu, "access_fault", found.address, 1, width);
    writeBits(cpu, d, plan.bits, value);
    return next;
  };
  return (cpu) => {
    if (isVolatile && misalignment(cpu, plan) !== 0) return raiseAt(site, cpu, "misaligned", effectiveAddress(site, cpu, plan), 1, width);
    const at = locate(cpu);
    if (at < 0) return slow(cpu);
    read(cpu, d, at);
    return next;
  };
}

function prepareStore(site: Site): Operation {
  const plan = planAccess(site);
  const { m, next } = site;
  const { register, offset, width, isVolatile } = plan;
  const value = site.instruction.src[1]!;
  const locate = makeLocate(site, register, offset, width);
  const { write } = ramAccess(site, plan.bits);
  const { memory } = m.machine;
  const { bytes, dirtyOffset } = memory;
  const store = (cpu: Cpu, at: number): number => {
    if (isProtected(m, at, width)) return raiseAt(site, cpu, "protection", memory.base + BigInt(at), 2, width);
    write(cpu, value, at);
    bytes[dirtyOffset + (at >>> 12)] = 1;
    bytes[dirtyOffset + ((at + width - 1) >>> 12)] = 1;
    return next;
  };
  const slow: Operation = (cpu) => {
    const found = resolve(site, cpu, register, offset, width);
    if (found.kind === "ram") return store(cpu, found.at);
    if (found.kind === "fault") return raiseAt(site, cpu, "access_fault", found.address, 2, width);
    m.beginAccess();
    const bits = readBits(cpu, value, plan.bits);
    const accepted = m.machine.bus.write(found.address, width, width === 8 ? bits : Number(bits));
    m.refresh();
    return accepted ? next : raiseAt(site, cpu, "access_fault", found.address, 2, width);
  };
  return (cpu) => {
    if (isVolatile && misalignment(cpu, plan) !== 0) return raiseAt(site, cpu, "misaligned", effectiveAddress(site, cpu, plan), 2, width);
    const at = locate(cpu);
    return at < 0 ? slow(cpu) : store(cpu, at);
  };
}

/** Atomics: what to do with the aligned RAM location. Interpreted instructions are atomic by themselves. */
function prepareAtomic(site: Site, access: 1 | 2, act: (cpu: Cpu, at: number, plan: AccessPlan, ram: RamAccess) => void): Operation {
  const plan: AccessPlan = { ...planAccess(site), offset: 0 };
  const { m, next } = site;
  const { width, register } = plan;
  const ram = ramAccess(site, plan.bits);
  return (cpu) => {
    if (misalignment(cpu, plan) !== 0) return raiseAt(site, cpu, "misaligned", effectiveAddress(site, cpu, plan), access, width);
    const found = resolve(site, cpu, register, 0, width);
    if (found.kind !== "ram") return raiseAt(site, cpu, "access_fault", found.address, access, width);
    if (access === 2 && isProtected(m, found.at, width)) return raiseAt(site, cpu, "protection", m.machine.memory.base + BigInt(found.at), 2, width);
    act(cpu, found.at, plan, ram);
    if (access === 2) markPages(m, found.at, width);
    return next;
  };
}

const RMW: Readonly<Record<(typeof RMW_OPERATIONS)[number], (old: bigint, operand: bigint) => bigint>> = {
  add: (old, operand) => old + operand,
  sub: (old, operand) => old - operand,
  and: (old, operand) => old & operand,
  or: (old, operand) => old | operand,
  xor: (old, operand) => old ^ operand,
  swap: (_old, operand) => operand,
};

function ramBits({ m }: Site, at: number, bits: number): bigint {
  const { view } = m.machine.memory;
  const little = m.image.module.layout.endian === "little";
  if (bits === 64) return view.getBigUint64(at, little);
  return BigInt(bits === 32 ? view.getUint32(at, little) : bits === 16 ? view.getUint16(at, little) : view.getUint8(at));
}

function setRamBits({ m }: Site, at: number, bits: number, value: bigint): void {
  const { view } = m.machine.memory;
  const little = m.image.module.layout.endian === "little";
  if (bits === 64) view.setBigUint64(at, value, little);
  else if (bits === 32) view.setUint32(at, Number(value), little);
  else if (bits === 16) view.setUint16(at, Number(value), little);
  else view.setUint8(at, Number(value));
}

function prepareRmw(site: Site): Operation {
  const { instruction } = site;
  const combine = RMW[RMW_OPERATIONS[Number(instruction.imm[0])]!];
  return prepareAtomic(site, 2, (cpu, at, { bits }) => {
    const old = ramBits(site, at, bits);
    setRamBits(site, at, bits, BigInt.asUintN(bits, combine(old, readBits(cpu, instruction.src[1]!, bits))));
    writeBits(cpu, instruction.dst[0]!, bits, old);
  });
}

function prepareCas(site: Site): Operation {
  const { dst, src } = site.instruction;
  return prepareAtomic(site, 2, (cpu, at, { bits }) => {
    const old = ramBits(site, at, bits);
    if (old === readBits(cpu, src[1]!, bits)) setRamBits(site, at, bits, readBits(cpu, src[2]!, bits));
    writeBits(cpu, dst[0]!, bits, old);
  });
}

/** `mem_copy` and `mem_fill`: a range in RAM, or the trap that it is. */
function prepareBulk(site: Site, act: (cpu: Cpu, to: number, from: number, length: number) => void): Operation {
  const { m, next, pc } = site;
  const { src, op } = site.instruction;
  const bits = m.image.module.layout.addressBytes * 8;
  const { memory } = m.machine;
  const fail = (cpu: Cpu, trapClass: TrapClass, address: bigint, access: 1 | 2, value: bigint): number => m.raise(cpu, trapClass, pc, { address, access, width: 1, value });
  const isOutside = (address: bigint, length: bigint): boolean => address < memory.base || address + length > memory.base + BigInt(memory.size);
  return (cpu) => {
    const to = readBits(cpu, src[0]!, bits);
    const length = readBits(cpu, src[2]!, bits);
    if (length === 0n) return next;
    const from = op === "mem_copy" ? readBits(cpu, src[1]!, bits) : to;
    if (op === "mem_copy" && isOutside(from, length)) return fail(cpu, "access_fault", from, 1, length);
    if (isOutside(to, length)) return fail(cpu, "access_fault", to, 2, length);
    const at = Number(to - memory.base);
    const count = Number(length);
    if (isProtected(m, at, count)) return fail(cpu, "protection", to, 2, length);
    act(cpu, at, Number(from - memory.base), count);
    markPages(m, at, count);
    m.work += Math.ceil(count / 8);
    return next;
  };
}

function preparePortIn(site: Site): Operation {
  const { m, next, instruction } = site;
  const bits = bitsOf(site, instruction.type);
  const width = (bits / 8) as 1 | 2 | 4;
  return (cpu) => {
    const port = readNarrow(cpu, instruction.src[0]!);
    m.beginAccess();
    const value = m.machine.bus.portRead(port, width);
    m.refresh();
    if (value === null) return raiseAt(site, cpu, "access_fault", BigInt(port), 1, width);
    writeBits(cpu, instruction.dst[0]!, bits, value);
    return next;
  };
}

function preparePortOut(site: Site): Operation {
  const { m, next, instruction } = site;
  const width = (bitsOf(site, instruction.type) / 8) as 1 | 2 | 4;
  return (cpu) => {
    const port = readNarrow(cpu, instruction.src[0]!);
    m.beginAccess();
    const accepted = m.machine.bus.portWrite(port, width, readNarrow(cpu, instruction.src[1]!) >>> 0);
    m.refresh();
    return accepted ? next : raiseAt(site, cpu, "access_fault", BigInt(port), 2, width);
  };
}

// ----------------------------------------------------------------------------------------------------------------- control

/** Takes a branch: a jump, or for a loop a poll point and then its start. */
function branchTo({ m }: Site, label: Label): Operation {
  const { target, loopPc } = label;
  return loopPc === null ? () => target : (cpu) => m.poll(cpu, target, loopPc);
}

function prepareBranchIf(site: Site): Operation {
  const { m, instruction, next } = site;
  const condition = word(instruction.src[0]!);
  const { target, loopPc } = site.label(Number(instruction.imm[0]));
  if (loopPc === null) return (cpu) => (cpu.narrow[cpu.base32 + condition]! !== 0 ? target : next);
  return (cpu) => (cpu.narrow[cpu.base32 + condition]! !== 0 ? m.poll(cpu, target, loopPc) : next);
}

function prepareBranchTable(site: Site): Operation {
  const { instruction } = site;
  const branches = instruction.imm.map((depth) => branchTo(site, site.label(Number(depth))));
  const last = branches.length - 1;
  return (cpu) => branches[Math.min(readNarrow(cpu, instruction.src[0]!) >>> 0, last)]!(cpu);
}

/** Calls with the registers `args` of the running frame as parameters. */
function callFunction(site: Site, cpu: Cpu, callee: PreparedFunction, args: readonly number[]): number {
  const { m, instruction, next, pc } = site;
  if (!cpu.hasStackFor(callee)) return m.raise(cpu, "stack_overflow", pc, {});
  const from = cpu.base;
  m.enterFunction(cpu, callee, "call", instruction.dst, next);
  for (let index = 0; index < args.length; index++) cpu.wide[cpu.base + index] = cpu.wide[from + args[index]!]!;
  return m.entryPoll(cpu, callee);
}

function prepareCall(site: Site): Operation {
  const { m, instruction } = site;
  const callee = m.functions[Number(instruction.imm[0])]!;
  return (cpu) => callFunction(site, cpu, callee, instruction.src);
}

function raiseExecute(site: Site, cpu: Cpu, address: bigint): number {
  return site.m.raise(cpu, "access_fault", site.pc, { address, access: 3 });
}

function prepareCallIndirect(site: Site): Operation {
  const { m, instruction } = site;
  const { module } = m.image;
  const signature = module.signatures[Number(instruction.imm[0])]!;
  const args = instruction.src.slice(1);
  const isEqual = (a: readonly ScalarType[], b: readonly ScalarType[]): boolean => a.length === b.length && a.every((type, index) => type === b[index]);
  return (cpu) => {
    const address = readBits(cpu, instruction.src[0]!, module.layout.addressBytes * 8);
    const callee = m.functionAt(address);
    if (callee === null) return raiseExecute(site, cpu, address);
    const found = callee.source.signature;
    if (!isEqual(found.params, signature.params) || !isEqual(found.results, signature.results)) return raiseExecute(site, cpu, address);
    return callFunction(site, cpu, callee, args);
  };
}

function prepareGuard(site: Site): Operation {
  const { m, instruction, next, pc } = site;
  const [target = 0, argument = 0] = instruction.src;
  return (cpu) => {
    const address = readBits(cpu, target, m.image.module.layout.addressBytes * 8);
    const callee = m.functionAt(address);
    if (callee === null || !isThreadFunction(callee.source.signature)) return raiseExecute(site, cpu, address);
    if (!cpu.hasStackFor(callee)) return m.raise(cpu, "stack_overflow", pc, {});
    const from = cpu.base;
    m.enterGuard(cpu, callee, instruction.dst[0]!, next);
    cpu.wide[cpu.base] = cpu.wide[from + argument]!;
    return m.entryPoll(cpu, callee);
  };
}

function trapField(trap: TrapRecord | null, field: (typeof TRAP_FIELDS)[number]): bigint {
  if (trap === null) return 0n;
  switch (field) {
    case "class":
      return BigInt(TRAP_CLASSES.indexOf(trap.class));
    case "pc":
    case "access":
    case "width":
      return BigInt(trap[field]);
    case "address":
    case "value":
    case "sp":
      return trap[field];
  }
}

// ------------------------------------------------------------------------------------------------------------------- table

/** For an instruction without operands that is never reached: control passes it, see `skipStructure`. */
const structural = (site: Site): Operation => () => site.next;

/** A conversion between types of 64 bits. */
function copyWide({ instruction, next }: Site): Operation {
  const [a = 0] = instruction.src;
  const [d = 0] = instruction.dst;
  return (cpu) => {
    cpu.wide[cpu.base + d] = cpu.wide[cpu.base + a]!;
    return next;
  };
}

const PREPARE: Readonly<Record<string, (site: Site) => Operation>> = {
  block: structural,
  loop: structural,
  else: structural,
  end: structural,
  if: ({ instruction, next, otherwise }) => {
    const condition = word(instruction.src[0]!);
    return (cpu) => (cpu.narrow[cpu.base32 + condition]! !== 0 ? next : otherwise);
  },
  br: (site) => branchTo(site, site.label(Number(site.instruction.imm[0]))),
  br_if: prepareBranchIf,
  br_table: prepareBranchTable,
  return: ({ m, instruction }) => (cpu) => m.returnFrom(cpu, instruction.src),
  call: prepareCall,
  call_indirect: prepareCallIndirect,
  guard: prepareGuard,
  unwind: ({ m, instruction, pc }) => (cpu) => m.unwind(cpu, readNarrow(cpu, instruction.src[0]!), pc),
  trap: ({ m, instruction, pc }) => {
    const trapClass = TRAP_CLASSES[Number(instruction.imm[0])]!;
    return (cpu) => m.raise(cpu, trapClass, pc, { value: cpu.wide[cpu.base + instruction.src[0]!]! });
  },

  const: (site) => setConstant(site.instruction.dst[0]!, BigInt(site.instruction.imm[0]!), bitsOf(site, site.instruction.type), site.next),
  select: (site) => {
    const { instruction, next } = site;
    const [condition = 0, yes = 0, no = 0] = instruction.src;
    const [d = 0] = instruction.dst;
    if (bitsOf(site, instruction.type) === 64) {
      return (cpu) => {
        cpu.wide[cpu.base + d] = cpu.wide[cpu.base + (readNarrow(cpu, condition) !== 0 ? yes : no)]!;
        return next;
      };
    }
    return (cpu) => {
      writeNarrow(cpu, d, readNarrow(cpu, readNarrow(cpu, condition) !== 0 ? yes : no));
      return next;
    };
  },
  zext: (site) => {
    const { instruction, next } = site;
    const from = bitsOf(site, instruction.type);
    const [a = 0] = instruction.src;
    const [d = 0] = instruction.dst;
    if (from === 64) return copyWide(site);
    return (cpu) => {
      cpu.narrow[cpu.base32 + 2 * d + LOW] = readNarrow(cpu, a);
      cpu.narrow[cpu.base32 + 2 * d + HIGH] = 0;
      return next;
    };
  },
  sext: (site) => {
    const { instruction, next } = site;
    const from = bitsOf(site, instruction.type);
    if (from === 64) return copyWide(site);
    const to = bitsOf(site, instruction.to);
    const shift = 32 - from;
    const mask = to === 64 ? -1 : maskOf(to);
    const [a = 0] = instruction.src;
    const [d = 0] = instruction.dst;
    return (cpu) => {
      const value = (readNarrow(cpu, a) << shift) >> shift;
      cpu.narrow[cpu.base32 + 2 * d + LOW] = value & mask;
      cpu.narrow[cpu.base32 + 2 * d + HIGH] = value >> 31;
      return next;
    };
  },
  trunc: (site) => {
    const { instruction, next } = site;
    const to = bitsOf(site, instruction.to);
    if (to === 64) return copyWide(site);
    const mask = maskOf(to);
    const [a = 0] = instruction.src;
    const [d = 0] = instruction.dst;
    return (cpu) => {
      writeNarrow(cpu, d, readNarrow(cpu, a) & mask);
      return next;
    };
  },
  symbol_addr: (site) => {
    const { m, instruction, next } = site;
    const address = m.image.symbolAddress[Number(instruction.imm[0])]! + BigInt(instruction.imm[1] ?? 0);
    return setConstant(instruction.dst[0]!, address, m.image.module.layout.addressBytes * 8, next);
  },
  frame_addr: (site) => {
    const { m, instruction, next } = site;
    const offset = m.base + Number(instruction.imm[0]);
    const [d = 0] = instruction.dst;
    return (cpu) => {
      const address = offset + cpu.sp;
      cpu.narrow[cpu.base32 + 2 * d + LOW] = address | 0;
      cpu.narrow[cpu.base32 + 2 * d + HIGH] = Math.floor(address / 0x1_0000_0000);
      return next;
    };
  },
  func_addr: ({ m, instruction, next }) =>
    setConstant(instruction.dst[0]!, BigInt(codeAddress(Number(instruction.imm[0]), 0)), m.image.module.layout.addressBytes * 8, next),

  load: prepareLoad,
  store: prepareStore,
  load_volatile: prepareLoad,
  store_volatile: prepareStore,
  port_in: preparePortIn,
  port_out: preparePortOut,
  atomic_load: (site) => prepareAtomic(site, 1, (cpu, at, _plan, ram) => ram.read(cpu, site.instruction.dst[0]!, at)),
  atomic_store: (site) => prepareAtomic(site, 2, (cpu, at, _plan, ram) => ram.write(cpu, site.instruction.src[1]!, at)),
  atomic_rmw: prepareRmw,
  atomic_cas: prepareCas,
  fence: structural,
  mem_copy: (site) => prepareBulk(site, (_cpu, to, from, length) => void site.m.machine.memory.bytes.copyWithin(to, from, from + length)),
  mem_fill: (site) =>
    prepareBulk(site, (cpu, to, _from, length) => void site.m.machine.memory.bytes.fill(readNarrow(cpu, site.instruction.src[1]!), to, to + length)),

  cpu_id: ({ instruction, next }) => (cpu) => (writeNarrow(cpu, instruction.dst[0]!, cpu.id), next),
  cpu_count: ({ m, instruction, next }) => (cpu) => (writeNarrow(cpu, instruction.dst[0]!, m.cpus.length), next),
  cpu_start: ({ m, instruction, next }) => {
    const bits = m.image.module.layout.addressBytes * 8;
    const [id = 0, target = 0, argument = 0] = instruction.src;
    return (cpu) => (writeNarrow(cpu, instruction.dst[0]!, m.start(readNarrow(cpu, id) >>> 0, readBits(cpu, target, bits), readBits(cpu, argument, bits))), next);
  },
  cpu_state: ({ m, instruction, next }) => (cpu) => {
    const other = m.cpus[readNarrow(cpu, instruction.src[0]!) >>> 0];
    writeNarrow(cpu, instruction.dst[0]!, other === undefined ? 2 : other.running ? 1 : 0);
    return next;
  },
  irq_enable: ({ m, instruction, next, pc }) => (cpu) => {
    writeNarrow(cpu, instruction.dst[0]!, cpu.enabled ? 1 : 0);
    m.setEnabled(cpu, true);
    return m.poll(cpu, next, pc);
  },
  irq_disable: ({ m, instruction, next }) => (cpu) => {
    writeNarrow(cpu, instruction.dst[0]!, cpu.enabled ? 1 : 0);
    m.setEnabled(cpu, false);
    return next;
  },
  irq_pending: ({ instruction, next }) => (cpu) => (writeNarrow(cpu, instruction.dst[0]!, cpu.lines), next),
  irq_mask: ({ m, instruction, next }) => (cpu) => {
    const mask = readNarrow(cpu, instruction.src[0]!) & 7;
    writeNarrow(cpu, instruction.dst[0]!, cpu.mask);
    cpu.mask = mask;
    m.updateInterruptible(cpu);
    return next;
  },
  wait: ({ m, next, pc }) => (cpu) => m.wait(cpu, next, pc),
  relax: ({ m, next, pc }) => (cpu) => m.relax(cpu, next, pc),
  time: ({ m, instruction, next }) => (cpu) => {
    cpu.wide[cpu.base + instruction.dst[0]!] = BigInt(m.now());
    return next;
  },
  trap_info: ({ instruction, next }) => {
    const field = TRAP_FIELDS[Number(instruction.imm[0])]!;
    return (cpu) => {
      cpu.wide[cpu.base + instruction.dst[0]!] = trapField(cpu.trap, field);
      return next;
    };
  },
  sys: ({ m, instruction, pc }) => {
    const value = BigInt(instruction.imm[1]!);
    return (cpu) => m.raise(cpu, "illegal_instruction", pc, { value });
  },
};
