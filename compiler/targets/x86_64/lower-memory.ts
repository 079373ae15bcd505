// Memory, atomics, ports and the CPU's own state on x86-64. Volatile accesses are one instruction of exactly their width, behind a
// check of the alignment that the bytecode wants and this processor need not make. Loads and stores are ordered enough for sequential
// consistency, but for a store before a load (Intel SDM volume 3, 9.2.2): atomic stores are exchanges, which are always locked.

import { RMW_OPERATIONS, TRAP_CLASSES } from "../../../isa/bytecode/instructions.ts";
import type { ScalarType } from "../../../isa/bytecode/module.ts";
import { CPU_BLOCK } from "../../native/abi.ts";
import type { Emission } from "../../native/emission.ts";
import type { ComputeItem, Virtual } from "../../native/items.ts";
import { bitsOf, constantOf } from "../../native/operands.ts";
import {
  conditionNumber,
  immediate,
  jumpIf,
  lock,
  memoryFence,
  OPCODES,
  portAccess,
  withMemory,
  withMemoryOnly,
  withOne,
  withRegister,
  type Memory,
  type Width,
} from "./encoding.ts";
import { trapAtAccess, trapWithValue } from "./lower-traps.ts";
import { address, apply, bring, finish, moveRegister, normalise, operand, R11, RAX, RCX, RDX, read, resultRegister, type Address } from "./values.ts";

type Lower = (e: Emission, item: ComputeItem) => void;

const READ = 1;
const WRITE = 2;
const MISALIGNED = TRAP_CLASSES.indexOf("misaligned");
const ILLEGAL_INSTRUCTION = TRAP_CLASSES.indexOf("illegal_instruction");
const NOT_ZERO = conditionNumber("ne");

const typeOf = (item: ComputeItem): ScalarType => item.type ?? "i64";
const dst = (item: ComputeItem): Virtual => item.dst[0] ?? 0;
const src = (item: ComputeItem, index: number): Virtual => item.src[index] ?? 0;

/** Traps unless the address is a multiple of the width. rax is lost. */
function checkAlignment(e: Emission, { at, alignment }: Address, width: number, access: number): void {
  if (alignment >= width) return;
  const misaligned = e.cold(() => trapAtAccess(e, { class: MISALIGNED, access, width }, at));
  let register = RAX;
  if (at.kind === "base" && at.offset % width === 0) register = at.base;
  else withMemory(e, OPCODES.lea[64], RAX, at);
  withOne(e, OPCODES.testImmediate[8], register);
  e.byte(width - 1);
  jumpIf(e, NOT_ZERO, misaligned);
}

/** A load that leaves the canonical value. */
function loadFrom(e: Emission, type: ScalarType, register: number, at: Memory): void {
  const bits = bitsOf(type);
  withMemory(e, bits === 8 ? OPCODES.movzx8 : bits === 16 ? OPCODES.movzx16 : OPCODES.mov.load[bits], register, at);
}

function load(isVolatile: boolean): Lower {
  return (e, item) => {
    const type = typeOf(item);
    const from = address(e, src(item, 0), Number(item.imm[0] ?? 0), RCX);
    if (isVolatile) checkAlignment(e, from, bitsOf(type) / 8, READ);
    const rd = resultRegister(e, dst(item));
    loadFrom(e, type, rd, from.at);
    finish(e, dst(item), rd);
  };
}

function storeTo(e: Emission, width: Width, value: Virtual, at: Memory): void {
  const from = operand(e, value, width, RDX);
  if (from.kind === "immediate") {
    withMemoryOnly(e, OPCODES.mov.immediate[width], at, Math.min(width, 32) / 8);
    immediate(e, width, from.value);
    return;
  }
  let register = RDX;
  if (from.kind === "register") register = from.register;
  else withMemory(e, OPCODES.mov.load[64], RDX, from.at);
  withMemory(e, OPCODES.mov.store[width], register, at);
}

function store(isVolatile: boolean): Lower {
  return (e, item) => {
    const width = bitsOf(typeOf(item));
    const to = address(e, src(item, 0), Number(item.imm[0] ?? 0), RCX);
    if (isVolatile) checkAlignment(e, to, width / 8, WRITE);
    storeTo(e, width, src(item, 1), to.at);
  };
}

/** The place of an atomic, checked. */
function atomicPlace(e: Emission, item: ComputeItem, access: number): Memory {
  const at = address(e, src(item, 0), 0, RCX);
  checkAlignment(e, at, bitsOf(typeOf(item)) / 8, access);
  return at.at;
}

const atomicLoad: Lower = (e, item) => {
  const at = atomicPlace(e, item, READ);
  const rd = resultRegister(e, dst(item));
  loadFrom(e, typeOf(item), rd, at);
  finish(e, dst(item), rd);
};

const atomicStore: Lower = (e, item) => {
  const at = atomicPlace(e, item, WRITE);
  bring(e, RDX, e.location(src(item, 1)));
  withMemory(e, OPCODES.xchg[bitsOf(typeOf(item))], RDX, at);
};

const LOGIC = { and: OPCODES.and, or: OPCODES.or, xor: OPCODES.xor } as const;

const atomicRmw: Lower = (e, item) => {
  const type = typeOf(item);
  const width = bitsOf(type);
  const operation = RMW_OPERATIONS[Number(item.imm[0])] ?? "add";
  const at = atomicPlace(e, item, WRITE);
  const value = e.location(src(item, 1));
  switch (operation) {
    case "add":
    case "sub":
      bring(e, RDX, value);
      if (operation === "sub") withOne(e, OPCODES.neg[64], RDX);
      lock(e);
      withMemory(e, OPCODES.xadd[width], RDX, at);
      if (width === 32) withRegister(e, OPCODES.mov.load[32], RDX, RDX);
      normalise(e, RDX, type);
      finish(e, dst(item), RDX);
      return;
    case "swap":
      bring(e, RDX, value);
      withMemory(e, OPCODES.xchg[width], RDX, at);
      finish(e, dst(item), RDX);
      return;
    case "and":
    case "or":
    case "xor": {
      // Compare and exchange until nobody was faster; rax has the old value.
      const second = operand(e, src(item, 1), width === 64 ? 64 : 32, R11);
      loadFrom(e, type, RAX, at);
      const again = e.label();
      e.bind(again);
      moveRegister(e, RDX, RAX);
      apply(e, LOGIC[operation], width === 64 ? 64 : 32, RDX, second);
      lock(e);
      withMemory(e, OPCODES.cmpxchg[width], RDX, at);
      jumpIf(e, NOT_ZERO, again);
      finish(e, dst(item), RAX);
    }
  }
};

const atomicCas: Lower = (e, item) => {
  const type = typeOf(item);
  const at = atomicPlace(e, item, WRITE);
  const value = read(e, src(item, 2), RDX);
  bring(e, RAX, e.location(src(item, 1)));
  lock(e);
  withMemory(e, OPCODES.cmpxchg[bitsOf(type)], value, at);
  finish(e, dst(item), RAX);
};

const cpuId: Lower = (e, item) => {
  const rd = resultRegister(e, dst(item));
  withMemory(e, OPCODES.mov.load[32], rd, { kind: "block", offset: CPU_BLOCK.id });
  finish(e, dst(item), rd);
};

const trapInfo: Lower = (e, item) => {
  const rd = resultRegister(e, dst(item));
  withMemory(e, OPCODES.mov.load[64], rd, { kind: "block", offset: CPU_BLOCK.trap + 8 * Number(item.imm[0]) });
  finish(e, dst(item), rd);
};

type PortWidth = 8 | 16 | 32;
const portWidth = (type: ScalarType): PortWidth => {
  const bits = bitsOf(type);
  if (bits === 64) throw new Error("ports have no 64-bit accesses");
  return bits;
};

/** A port below 256 is part of the instruction, others are in dx. */
function portOf(e: Emission, port: Virtual): number | "dx" {
  const constant = constantOf(e, port);
  if (constant !== null && constant < 256n) return Number(constant);
  bring(e, RDX, e.location(port));
  return "dx";
}

const portIn: Lower = (e, item) => {
  const width = portWidth(typeOf(item));
  portAccess(e, "in", width, portOf(e, src(item, 0)));
  const rd = resultRegister(e, dst(item));
  if (width === 32) moveRegister(e, rd, RAX);
  else withRegister(e, width === 8 ? OPCODES.movzx8 : OPCODES.movzx16, rd, RAX);
  finish(e, dst(item), rd);
};

const portOut: Lower = (e, item) => {
  bring(e, RAX, e.location(src(item, 1)));
  portAccess(e, "out", portWidth(typeOf(item)), portOf(e, src(item, 0)));
};

/** Special registers are reached by assembly in the guest library; every `sys` is another target's. */
const sys: Lower = (e, item) => trapWithValue(e, ILLEGAL_INSTRUCTION, BigInt(item.imm[1] ?? 0));

export const MEMORY: Readonly<Record<string, Lower>> = {
  load: load(false),
  store: store(false),
  load_volatile: load(true),
  store_volatile: store(true),
  atomic_load: atomicLoad,
  atomic_store: atomicStore,
  atomic_rmw: atomicRmw,
  atomic_cas: atomicCas,
  fence: (e) => memoryFence(e),
  port_in: portIn,
  port_out: portOut,
  cpu_id: cpuId,
  trap_info: trapInfo,
  sys,
};
