// Control registers, environment calls and returns from traps where they change nothing but cells: the registers have no effect beside
// their value, no interrupt can become due by the change (cell `quiet`), translation is not touched, and nobody outside answers calls.
// Manual: RISC-V Instruction Set Manual Volume I, 20191213, 9.1; Volume II, 20211203, 3.1.6, 3.1.7, 3.3.2, 4.1.1. Everything else, and
// every access that is illegal, is the cold path's (csrs.ts, traps.ts), from which the masks come. Control registers have zeros above the
// width of registers, which RV32's own cells of 64 bits have not.

import type { RegisterWidth } from "../../../../isa/riscv64/by-width.ts";
import type { CsrName } from "../../../../isa/riscv64/registers.ts";
import { I64 } from "../../wasm/encoder.ts";
import { COUNTER, MSTATUS_TRANSLATION, MSTATUS_WRITABLE, SSTATUS, UXL } from "../csrs.ts";
import { fixedStatus, MODE, MSTATUS, statusDirty } from "../hart.ts";
import type { CsrField, StateName } from "../state.ts";
import { binary, choose, leaf, state, unary, type Expression } from "./expressions.ts";
import type { Guarded } from "./guarded.ts";
import { and, both, either, isZero, narrow, or, wide, word } from "./terms.ts";

const shiftLeft = (a: Expression, count: bigint): Expression => binary("i64_shl", a, wide(count));
const shiftRight = (a: Expression, count: bigint): Expression => binary("i64_shr_u", a, wide(count));
const without = (a: Expression, mask: bigint): Expression => and(a, wide(~mask));
const widen = (a: Expression): Expression => unary("i64_extend_i32_u", a);

const mstatus = state("mstatus");
const mode = state("mode");
const isQuiet = state("quiet");
const isMode = (name: keyof typeof MODE): Expression => binary("i32_eq", mode, word(MODE[name]));
const hasMode = (least: number): Expression => (least === MODE.machine ? isMode("machine") : binary("i32_ge_u", mode, word(least)));
const isClear = (bits: bigint): Expression => isZero(and(mstatus, wide(bits)));

// ---------------------------------------------------------------------------------------------------------- control registers

/** What an access makes of the value that was there. `read`: a set or clear of nothing (Volume I, 9.1). */
const CHANGES = {
  read: undefined,
  write: (_old: Expression, operand: Expression) => operand,
  set: (old: Expression, operand: Expression) => or(old, operand),
  clear: (old: Expression, operand: Expression) => and(old, binary("i64_xor", operand, wide(-1n))),
} as const;
export type CsrChange = keyof typeof CHANGES;

/** One of rs1 and the immediate is 0: decoded entries have x0 beside an immediate, and 0 beside a register. */
const operandOf = (width: RegisterWidth): Expression => cut(or(leaf("rs1", I64), leaf("imm", I64)), width);

const cut = (value: Expression, width: RegisterWidth): Expression => (width === 64 ? value : and(value, wide(0xffff_ffffn)));
const toRegister = (value: Expression, width: RegisterWidth): Expression => (width === 64 ? value : unary("i64_extend32_s", value));

interface Row {
  readonly csr: CsrName;
  readonly changes: readonly CsrChange[];
  /** The least mode that may access it. */
  readonly least: number;
  readonly guard?: Expression;
  readonly read: Expression;
  readonly write?: { readonly to: StateName; readonly value: (value: Expression) => Expression; readonly guard?: (value: Expression) => Expression };
}

function plain(csr: CsrField & CsrName, least: number, value: (value: Expression) => Expression): Row {
  return { csr, changes: ["read", "write"], least, read: state(csr), write: { to: csr, value } };
}

const anything = (value: Expression): Expression => value;
const even = (value: Expression): Expression => without(value, 1n);
/** Direct and vectored; other modes are not written. */
const vectorOf =
  (csr: "mtvec" | "stvec") =>
  (value: Expression): Expression =>
    choose(isZero(and(value, wide(2n))), value, state(csr));

/** mstatus as it is written: there is no mode 2, for which MPP keeps what it had. */
const statusOf =
  (width: RegisterWidth) =>
  (value: Expression): Expression => {
    const isReserved = binary("i64_eq", and(value, wide(MSTATUS.MPP)), wide(2n << 11n));
    const kept = choose(isReserved, or(without(value, MSTATUS.MPP), and(mstatus, wide(MSTATUS.MPP))), value);
    return or(and(kept, wide(MSTATUS_WRITABLE)), wide(fixedStatus({ width })));
  };

/** Neither translation nor interrupts change by it. */
const isHarmless = (value: Expression): Expression =>
  both(isQuiet, isZero(and(or(binary("i64_xor", mstatus, value), and(mstatus, wide(MSTATUS.MPRV))), wide(MSTATUS_TRANSLATION))));

const isDirty = binary("i64_eq", and(mstatus, wide(MSTATUS.FS)), wide(MSTATUS.FS));
const summary = (width: RegisterWidth): Expression => choose(isDirty, wide(statusDirty({ width })), wide(0n));

function floatPart(csr: CsrName, shift: bigint, mask: bigint): Row {
  return {
    csr,
    changes: ["read", "write"],
    least: MODE.user,
    // Off would be illegal, and what is not dirty would become so.
    guard: isDirty,
    read: and(shiftRight(state("fcsr"), shift), wide(mask)),
    write: { to: "fcsr", value: (value) => or(without(state("fcsr"), mask << shift), shiftLeft(and(value, wide(mask)), shift)) },
  };
}

const listRows = (width: RegisterWidth): readonly Row[] => [
  plain("sscratch", MODE.supervisor, anything),
  plain("sepc", MODE.supervisor, even),
  plain("scause", MODE.supervisor, anything),
  plain("stval", MODE.supervisor, anything),
  plain("stvec", MODE.supervisor, vectorOf("stvec")),
  plain("mscratch", MODE.machine, anything),
  plain("mepc", MODE.machine, even),
  plain("mcause", MODE.machine, anything),
  plain("mtval", MODE.machine, anything),
  plain("mtvec", MODE.machine, vectorOf("mtvec")),
  {
    csr: "sstatus",
    changes: ["read", "write", "set", "clear"],
    least: MODE.supervisor,
    read: or(and(mstatus, wide(SSTATUS | UXL)), summary(width)),
    write: { to: "mstatus", value: (value) => or(without(mstatus, SSTATUS), and(value, wide(SSTATUS))), guard: isHarmless },
  },
  {
    csr: "mstatus",
    changes: ["read", "write", "set", "clear"],
    least: MODE.machine,
    read: or(mstatus, summary(width)),
    write: { to: "mstatus", value: statusOf(width), guard: isHarmless },
  },
  floatPart("fflags", 0n, 0x1fn),
  floatPart("frm", 5n, 7n),
  floatPart("fcsr", 0n, 0xffn),
  ...COUNTERS,
];

/** Each of the modes above has to have opened a counter to those below (Volume II, 3.1.11, 4.1.5). */
function isOpen(bit: number): Expression {
  const flag = (csr: "mcounteren" | "scounteren"): Expression => narrow(and(shiftRight(state(csr), BigInt(bit)), wide(1n)));
  const isOpenToUser = either(binary("i32_ne", mode, word(MODE.user)), flag("scounteren"));
  return either(isMode("machine"), both(flag("mcounteren"), isOpenToUser));
}

const isCounting = (bit: number): Expression => isZero(and(state("mcountinhibit"), wide(1n << BigInt(bit))));
const remaining = leaf("remaining", I64);
const countFrom = (base: "cycleBase" | "instretBase"): Expression => binary("i64_add", state(base), binary("i64_sub", state("instructionsEnd"), remaining));
const counts = binary("i64_div_u", binary("i64_sub", state("timeEnd"), remaining), state("countLength"));

function counter(csr: CsrName, least: number, guard: Expression, read: Expression): Row {
  return { csr, changes: ["read"], least, guard, read };
}

const COUNTERS: readonly Row[] = [
  counter("cycle", MODE.user, both(isOpen(COUNTER.cycle), isCounting(COUNTER.cycle)), countFrom("cycleBase")),
  counter("time", MODE.user, isOpen(COUNTER.time), binary("i64_add", counts, state("timeOffset"))),
  counter("instret", MODE.user, both(isOpen(COUNTER.instret), isCounting(COUNTER.instret)), countFrom("instretBase")),
  counter("mcycle", MODE.machine, isCounting(COUNTER.cycle), countFrom("cycleBase")),
  counter("minstret", MODE.machine, isCounting(COUNTER.instret), countFrom("instretBase")),
];

export const accessName = (csr: CsrName, change: CsrChange): `${CsrChange} ${CsrName}` => `${change} ${csr}`;

function describeAccess({ least, guard, read, write }: Row, change: CsrChange, width: RegisterWidth): Guarded {
  const conditions = [...(least === MODE.user ? [] : [hasMode(least)]), ...(guard === undefined ? [] : [guard])];
  const made = CHANGES[change]?.(read, operandOf(width));
  const writes: (readonly [StateName, Expression])[] = [];
  if (made !== undefined && write !== undefined) {
    const value = write.value(made);
    writes.push([write.to, value]);
    if (write.guard !== undefined) conditions.push(write.guard(value));
  }
  const [first, ...rest] = conditions;
  return { ...(first === undefined ? {} : { guard: both(first, ...rest) }), result: { file: "x", value: toRegister(read, width) }, writes };
}

/** By what the access does to which register; a decoded entry has the operand, and rd. */
export function describeAccesses(width: RegisterWidth): ReadonlyMap<`${CsrChange} ${CsrName}`, Guarded> {
  const accessesOf = (row: Row) => row.changes.map((change) => [accessName(row.csr, change), describeAccess(row, change, width)] as const);
  return new Map(listRows(width).flatMap(accessesOf));
}

// ------------------------------------------------------------------------------------------------------------ traps and returns

/** What a bit of mstatus says, at the place of another one above or below it. */
const moved = (from: bigint, distance: number): Expression =>
  distance > 0 ? shiftLeft(and(mstatus, wide(from)), BigInt(distance)) : shiftRight(and(mstatus, wide(from)), BigInt(-distance));

/** With MPRV the caches depend on MPP as well, which all of these change. */
const isSimple = both(isQuiet, isClear(MSTATUS.MPRV));

function describeCall(): Guarded {
  const cause = widen(binary("i32_add", mode, word(8)));
  const isDelegated = both(binary("i32_le_u", mode, word(MODE.supervisor)), narrow(and(binary("i64_shr_u", state("medeleg"), cause), wide(1n))));
  const toSupervisor = (value: Expression, before: Expression): Expression => choose(isDelegated, value, before);
  const toMachine = (value: Expression, before: Expression): Expression => choose(isDelegated, before, value);
  const pc = leaf("pc", I64);
  const vector = choose(isDelegated, state("stvec"), state("mtvec"));
  const inSupervisor = or(without(mstatus, MSTATUS.SPIE | MSTATUS.SIE | MSTATUS.SPP), moved(MSTATUS.SIE, 4), shiftLeft(widen(mode), 8n));
  const inMachine = or(without(mstatus, MSTATUS.MPIE | MSTATUS.MIE | MSTATUS.MPP), moved(MSTATUS.MIE, 4), shiftLeft(widen(mode), 11n));
  return {
    guard: both(isSimple, binary("i32_xor", both(binary("i32_shr_u", state("answered"), mode), word(1)), word(1))),
    writes: [
      ["scause", toSupervisor(cause, state("scause"))],
      ["sepc", toSupervisor(pc, state("sepc"))],
      ["stval", toSupervisor(wide(0n), state("stval"))],
      ["mcause", toMachine(cause, state("mcause"))],
      ["mepc", toMachine(pc, state("mepc"))],
      ["mtval", toMachine(wide(0n), state("mtval"))],
      ["mstatus", choose(isDelegated, inSupervisor, inMachine)],
    ],
    transfer: { mode: choose(isDelegated, word(MODE.supervisor), word(MODE.machine)), target: without(vector, 3n) },
  };
}

const RETURN_FROM_MACHINE: Guarded = {
  guard: both(isSimple, isMode("machine")),
  writes: [["mstatus", or(without(mstatus, MSTATUS.MIE | MSTATUS.MPP), moved(MSTATUS.MPIE, -4), wide(MSTATUS.MPIE))]],
  transfer: { mode: narrow(shiftRight(and(mstatus, wide(MSTATUS.MPP)), 11n)), target: state("mepc") },
};

const RETURN_FROM_SUPERVISOR: Guarded = {
  guard: both(isSimple, isClear(MSTATUS.TSR), hasMode(MODE.supervisor)),
  writes: [["mstatus", or(without(mstatus, MSTATUS.SIE | MSTATUS.SPP), moved(MSTATUS.SPIE, -4), wide(MSTATUS.SPIE))]],
  transfer: { mode: narrow(shiftRight(and(mstatus, wide(MSTATUS.SPP)), 8n)), target: state("sepc") },
};

export const TRANSFERS: ReadonlyMap<"ecall" | "mret" | "sret", Guarded> = new Map([
  ["ecall", describeCall()],
  ["mret", RETURN_FROM_MACHINE],
  ["sret", RETURN_FROM_SUPERVISOR],
]);
