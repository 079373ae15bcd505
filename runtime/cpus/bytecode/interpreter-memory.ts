// Memory and device instructions of the interpreter. RAM has a fast path; whatever misses it is judged exactly, in BigInt, by `resolve`.
// Every store marks its pages, device accesses run with the machine's clock in step, and interpreted instructions are atomic by themselves.

import { RMW_OPERATIONS, type TrapClass } from "../../../isa/bytecode/instructions.ts";
import type { Width } from "../../devices/device.ts";
import { HIGH, type Cpu, type Operation } from "./interpreter-cpu.ts";
import { bitsOf, readBits, readNarrow, word, writeBits, writeNarrow, type InterpreterCore, type Site } from "./interpreter-site.ts";

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
type Resolved =
  | { readonly kind: "ram"; readonly at: number }
  | { readonly kind: "device"; readonly address: bigint }
  | { readonly kind: "fault"; readonly address: bigint };

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
  readonly read: (cpu: Cpu, register: number, at: number) => void;
  readonly write: (cpu: Cpu, register: number, at: number) => void;
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

/** A store there would touch read-only data. */
function isProtected(m: InterpreterCore, at: number, width: number): boolean {
  const { memory } = m.machine;
  return at < memory.readOnlyEnd && at + width > memory.readOnlyStart;
}

function markPages(m: InterpreterCore, at: number, length: number): void {
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
  markPages(m, at, bits / 8);
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
  const fail = (cpu: Cpu, trapClass: TrapClass, address: bigint, access: 1 | 2, value: bigint): number =>
    m.raise(cpu, trapClass, pc, { address, access, width: 1, value });
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

/** How each instruction that reaches memory or a device is prepared. */
export const PREPARE_MEMORY: Readonly<Record<string, (site: Site) => Operation>> = {
  load: prepareLoad,
  store: prepareStore,
  load_volatile: prepareLoad,
  store_volatile: prepareStore,
  port_in: preparePortIn,
  port_out: preparePortOut,
  atomic_load: (site) => prepareAtomic(site, 1, (cpu, at, _plan, ram) => ram.read(cpu, site.instruction.dst[0]!, at)),
  atomic_store: (site) => prepareAtomic(site, 2, (cpu, at, { bits }) => setRamBits(site, at, bits, readBits(cpu, site.instruction.src[1]!, bits))),
  atomic_rmw: prepareRmw,
  atomic_cas: prepareCas,
  fence:
    ({ next }) =>
    () =>
      next,
  mem_copy: (site) => prepareBulk(site, (_cpu, to, from, length) => void site.m.machine.memory.bytes.copyWithin(to, from, from + length)),
  mem_fill: (site) =>
    prepareBulk(site, (cpu, to, _from, length) => void site.m.machine.memory.bytes.fill(readNarrow(cpu, site.instruction.src[1]!), to, to + length)),
};
