// The cold path: executes one instruction as a whole, in TypeScript, from the same description that the interpreter is generated from.
// Every instruction can come here (one that lies across two pages, one whose load misses the translation cache, one whose guard says
// no), and some always do: most control registers, waits, fences of translations, floating-point arithmetic in odd rounding modes.
// Manual: RISC-V Instruction Set Manual Volume I, 20191213; Volume II, 20211203, 3.3 and 4.2.

import type { RegisterWidth } from "../../../isa/riscv64/by-width.ts";
import { csrNameOf } from "../../../isa/riscv64/registers.ts";
import type { ExpandedInstruction } from "../../../isa/riscv64/expand.ts";
import { CAUSE, raise, type MemoryAccess } from "./access.ts";
import { markFloatDirty, mayAccess, readCsr, writeCsr, type CsrEnvironment } from "./csrs.ts";
import { floatState, MODE, MSTATUS, type Hart } from "./hart.ts";
import { branchesOf, computationsOf } from "./operations.ts";
import type { RegisterFile } from "./registers.ts";
import { evaluate } from "./semantics/evaluate.ts";
import { ATOMICS, LOADS, LOADS_RESERVED, STORES, STORES_CONDITIONAL, type LoadMeaning } from "./semantics/memory.ts";
import { boxSingle, FLOAT_OPERATIONS, type RoundingMode } from "./softfloat/operations.ts";
import { returnFromMachine, returnFromSupervisor } from "./traps.ts";

/** What an instruction may ask of the CPU around it. */
export interface ExecuteEnvironment {
  readonly registers: RegisterFile;
  readonly memory: MemoryAccess;
  readonly csrs: CsrEnvironment;
  /** The firmware has answered the call of supervisor mode: where it goes on; null: it traps. */
  readonly environmentCall: (hart: Hart, next: bigint) => bigint | null;
  /** Takes an exception; where execution goes on. */
  readonly trap: (hart: Hart, cause: number, value: bigint) => bigint;
  readonly modeChanged: (hart: Hart) => void;
  readonly wait: (hart: Hart) => void;
  /** The hart gives up the rest of its turn. */
  readonly yieldTurn: () => void;
}

/** To what a register of the hart holds, an address among them. */
const wrap = ({ width }: Hart, value: bigint): bigint => BigInt.asUintN(width, value);
const signExtend = (value: bigint, bits: number): bigint => BigInt.asUintN(64, BigInt.asIntN(bits, value));

type Handler = (env: ExecuteEnvironment, hart: Hart, instruction: ExpandedInstruction, pc: bigint, bits: number) => bigint | undefined;

function illegal(bits: number): never {
  return raise(CAUSE.illegalInstruction, BigInt(bits >>> 0));
}

const addressOf = (env: ExecuteEnvironment, hart: Hart, { rs1, imm }: ExpandedInstruction): bigint =>
  wrap(hart, env.registers.x(hart.index, rs1) + BigInt(imm));

// ---------------------------------------------------------------------------------------------------------- control registers

type CsrChange = (old: bigint, operand: bigint) => bigint;

/** `isImmediate`: rs1's number is the operand, and is in `imm`. A clear or set of nothing is no write (Volume I, 9.1). */
function accessCsr(change: CsrChange, isImmediate: boolean, alwaysWrites: boolean): Handler {
  return (env, hart, { rd, rs1, imm, csr }, _pc, bits) => {
    const operand = isImmediate ? BigInt(imm) : env.registers.x(hart.index, rs1);
    const isWrite = alwaysWrites || (isImmediate ? imm : rs1) !== 0;
    if (!mayAccess(hart, csr, isWrite)) illegal(bits);
    // csrrw to x0 does not read, which here has no effects.
    const old = readCsr(hart, csr, env.csrs);
    if (isWrite) {
      // What devices hold of mip is not written back into the bits of software (Volume II, 3.1.9).
      const base = isPendingRegister(csr) ? hart.csr.mip : old;
      writeCsr(hart, csr, wrap(hart, change(base, operand)), env.csrs);
    }
    env.registers.setX(hart.index, rd, old);
    return undefined;
  };
}

const isPendingRegister = (csr: number): boolean => csrNameOf(csr) === "mip" || csrNameOf(csr) === "sip";

// ------------------------------------------------------------------------------------------------------------- floating point

const DYNAMIC = 7;
const RESERVED_MODES = 5;

function requireFloat(hart: Hart, bits: number): void {
  if (floatState(hart) === 0) illegal(bits);
}

function roundingMode(hart: Hart, rm: number, bits: number): RoundingMode {
  const mode = rm === DYNAMIC ? Number((hart.csr.fcsr >> 5n) & 7n) : rm;
  if (mode >= RESERVED_MODES) illegal(bits);
  return mode as RoundingMode;
}

/** The number of operands is that of registers read; the last of a fused operation is rs3. */
function computeFloat(name: string): Handler | undefined {
  const operation = FLOAT_OPERATIONS.get(name);
  if (operation === undefined) return undefined;
  return (env, hart, { rd, rs1, rs2, rs3, rm }, _pc, bits) => {
    requireFloat(hart, bits);
    const { registers } = env;
    const mode = roundingMode(hart, rm, bits);
    const [first, ...others] = operation.operands.map((contents, n) => {
      const register = [rs1, rs2, rs3][n] ?? 0;
      return contents === "integer" ? registers.x(hart.index, register) : registers.f(hart.index, register);
    });
    const result = operation.run(mode, first ?? 0n, others[0] ?? 0n, others[1] ?? 0n);
    hart.csr.fcsr |= BigInt(result.flags);
    if (operation.result === "integer") registers.setX(hart.index, rd, result.bits);
    else registers.setF(hart.index, rd, result.bits);
    if (operation.result !== "integer" || result.flags !== 0) markFloatDirty(hart);
    return undefined;
  };
}

function moveToInteger(extend: (bits: bigint) => bigint): Handler {
  return (env, hart, { rd, rs1 }, _pc, bits) => {
    requireFloat(hart, bits);
    env.registers.setX(hart.index, rd, extend(env.registers.f(hart.index, rs1)));
    return undefined;
  };
}

function moveFromInteger(box: (bits: bigint) => bigint): Handler {
  return (env, hart, { rd, rs1 }, _pc, bits) => {
    requireFloat(hart, bits);
    env.registers.setF(hart.index, rd, box(env.registers.x(hart.index, rs1)));
    markFloatDirty(hart);
    return undefined;
  };
}

const low32 = (value: bigint): bigint => BigInt.asUintN(32, value);

// --------------------------------------------------------------------------------------------------------------------- memory

function load({ width, signed, isFloat = false }: LoadMeaning): Handler {
  return (env, hart, instruction, _pc, bits) => {
    if (isFloat) requireFloat(hart, bits);
    const value = env.memory.read(hart, addressOf(env, hart, instruction), width);
    if (isFloat) {
      env.registers.setF(hart.index, instruction.rd, width === 4 ? boxSingle(value) : value);
      markFloatDirty(hart);
    } else env.registers.setX(hart.index, instruction.rd, signed ? signExtend(value, width * 8) : value);
    return undefined;
  };
}

function loadReserved(width: 4 | 8): Handler {
  return (env, hart, { rd, rs1 }) => {
    const address = env.registers.x(hart.index, rs1);
    if ((address & BigInt(width - 1)) !== 0n) raise(CAUSE.loadMisaligned, address);
    const value = env.memory.read(hart, address, width);
    env.registers.reserve(address, value);
    env.registers.setX(hart.index, rd, signExtend(value, width * 8));
    return undefined;
  };
}

/** Succeeds if the reservation is of this address and memory still holds what was read: a change of turn drops it, DMA changes memory. */
function storeConditional(width: 4 | 8): Handler {
  return (env, hart, { rd, rs1, rs2 }) => {
    const { registers } = env;
    const address = registers.x(hart.index, rs1);
    const reservation = registers.reservation();
    registers.dropReservation(hart.index);
    let failed = 1n;
    const value = registers.x(hart.index, rs2);
    if (reservation.address === address || (address & BigInt(width - 1)) !== 0n) {
      env.memory.update(hart, address, width, (old) => {
        if (old !== BigInt.asUintN(width * 8, reservation.value)) return null;
        failed = 0n;
        return value;
      });
    }
    registers.setX(hart.index, rd, failed);
    return undefined;
  };
}

// --------------------------------------------------------------------------------------------------------------------- system

function requireMode(hart: Hart, isAllowed: boolean, bits: number): void {
  if (hart.mode === MODE.user || !isAllowed) illegal(bits);
}

/** Of supervisors these can be taken away (Volume II, 3.1.6.5). */
const supervisorMay = (hart: Hart, trapBit: bigint): boolean => hart.mode === MODE.machine || (hart.csr.mstatus & trapBit) === 0n;

const fenceTranslations: Handler = (env, hart, _instruction, _pc, bits) => {
  requireMode(hart, supervisorMay(hart, MSTATUS.TVM), bits);
  env.csrs.flush(hart);
  return undefined;
};

const nothing: Handler = () => undefined;

const SYSTEM: Readonly<Record<string, Handler>> = {
  csrrw: accessCsr((_old, operand) => operand, false, true),
  csrrs: accessCsr((old, operand) => old | operand, false, false),
  csrrc: accessCsr((old, operand) => old & ~operand, false, false),
  csrrwi: accessCsr((_old, operand) => operand, true, true),
  csrrsi: accessCsr((old, operand) => old | operand, true, false),
  csrrci: accessCsr((old, operand) => old & ~operand, true, false),
  ecall(env, hart, { length }, pc) {
    const answered = hart.mode === MODE.supervisor ? env.environmentCall(hart, wrap(hart, pc + BigInt(length))) : null;
    // Not thrown: of all traps this one is meant, and often.
    return answered ?? env.trap(hart, CAUSE.callFromUser + hart.mode, 0n);
  },
  ebreak: (_env, _hart, _instruction, pc) => raise(CAUSE.breakpoint, pc),
  mret(env, hart, _instruction, _pc, bits) {
    if (hart.mode !== MODE.machine) illegal(bits);
    const target = returnFromMachine(hart);
    env.registers.dropReservation(hart.index);
    env.modeChanged(hart);
    return target;
  },
  sret(env, hart, _instruction, _pc, bits) {
    requireMode(hart, supervisorMay(hart, MSTATUS.TSR), bits);
    const target = returnFromSupervisor(hart);
    env.registers.dropReservation(hart.index);
    env.modeChanged(hart);
    return target;
  },
  wfi(env, hart, _instruction, _pc, bits) {
    requireMode(hart, supervisorMay(hart, MSTATUS.TW), bits);
    env.wait(hart);
    return undefined;
  },
  "sfence.vma": fenceTranslations,
  "sinval.vma": fenceTranslations,
  "sfence.w.inval"(_env, hart, _instruction, _pc, bits) {
    requireMode(hart, true, bits);
    return undefined;
  },
  "sfence.inval.ir"(_env, hart, _instruction, _pc, bits) {
    requireMode(hart, true, bits);
    return undefined;
  },
  pause(env) {
    env.yieldTurn();
    return undefined;
  },
  fence: nothing,
  "fence.tso": nothing,
  "fence.i": nothing,
  "prefetch.i": nothing,
  "prefetch.r": nothing,
  "prefetch.w": nothing,
  "fmv.x.w": moveToInteger((value) => signExtend(value, 32)),
  "fmv.x.d": moveToInteger((value) => value),
  "fmv.w.x": moveFromInteger((value) => boxSingle(low32(value))),
  "fmv.d.x": moveFromInteger((value) => value),
  jal(env, hart, { rd, imm, length }, pc) {
    env.registers.setX(hart.index, rd, wrap(hart, pc + BigInt(length)));
    return wrap(hart, pc + BigInt(imm));
  },
  jalr(env, hart, instruction, pc) {
    const target = addressOf(env, hart, instruction) & ~1n;
    env.registers.setX(hart.index, instruction.rd, wrap(hart, pc + BigInt(instruction.length)));
    return target;
  },
};

// ------------------------------------------------------------------------------------------------------------------- the table

function findHandler(name: ExpandedInstruction["mnemonic"], width: RegisterWidth): Handler | undefined {
  // First, since it needs no description of anything.
  const system = SYSTEM[name];
  if (system !== undefined) return system;
  const computation = computationsOf(width).get(name);
  if (computation !== undefined) {
    return (env, hart, { rd, rs1, rs2, imm }, pc) => {
      const { registers } = env;
      const leaves = { rs1: registers.x(hart.index, rs1), rs2: registers.x(hart.index, rs2), imm: BigInt(imm), pc };
      registers.setX(hart.index, rd, evaluate(computation, leaves));
      return undefined;
    };
  }
  const taken = branchesOf(width).get(name);
  if (taken !== undefined) {
    return (env, hart, { rs1, rs2, imm }, pc) => {
      const leaves = { rs1: env.registers.x(hart.index, rs1), rs2: env.registers.x(hart.index, rs2) };
      return evaluate(taken, leaves) !== 0n ? wrap(hart, pc + BigInt(imm)) : undefined;
    };
  }
  const loadMeaning = LOADS.get(name);
  if (loadMeaning !== undefined) return load(loadMeaning);
  const store = STORES.get(name);
  if (store !== undefined) {
    const { width: bytes, isFloat = false } = store;
    return (env, hart, instruction, _pc, bits) => {
      if (isFloat) requireFloat(hart, bits);
      const { registers } = env;
      const value = isFloat ? registers.f(hart.index, instruction.rs2) : registers.x(hart.index, instruction.rs2);
      env.memory.write(hart, addressOf(env, hart, instruction), bytes, value);
      return undefined;
    };
  }
  const atomic = ATOMICS.get(name);
  if (atomic !== undefined) {
    const { width: bytes, stored } = atomic;
    return (env, hart, { rd, rs1, rs2 }) => {
      const { registers } = env;
      const operand = registers.x(hart.index, rs2);
      const old = env.memory.update(hart, registers.x(hart.index, rs1), bytes, (found) => evaluate(stored, { old: found, rs2: operand }));
      registers.setX(hart.index, rd, signExtend(old, bytes * 8));
      return undefined;
    };
  }
  const reserved = LOADS_RESERVED.get(name);
  if (reserved !== undefined) return loadReserved(reserved);
  const conditional = STORES_CONDITIONAL.get(name);
  if (conditional !== undefined) return storeConditional(conditional);
  return computeFloat(name);
}

const HANDLERS: Readonly<Record<RegisterWidth, Map<string, Handler | null>>> = { 32: new Map(), 64: new Map() };

/** Undefined for an instruction that this CPU does not have. */
export function handlerOf(name: ExpandedInstruction["mnemonic"], width: RegisterWidth = 64): Handler | undefined {
  const handlers = HANDLERS[width];
  let handler = handlers.get(name);
  if (handler === undefined) {
    handler = findHandler(name, width) ?? null;
    handlers.set(name, handler);
  }
  return handler ?? undefined;
}

/** The pc behind the instruction; throws the trap that it takes. */
export function execute(env: ExecuteEnvironment, hart: Hart, instruction: ExpandedInstruction | undefined, pc: bigint, bits: number): bigint {
  const handler = instruction === undefined ? undefined : handlerOf(instruction.mnemonic, hart.width);
  if (instruction === undefined || handler === undefined) return illegal(bits);
  return handler(env, hart, instruction, pc, bits) ?? wrap(hart, pc + BigInt(instruction.length));
}
