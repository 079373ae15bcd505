// Rounds without tests. A loop whose round is one straight line, and which counts a register up to a limit, knows before it starts how many
// rounds come, and its fuel says how many may: so many are made with nothing tested but their number. A page that a store walks through is
// marked once for all rounds that stay in it. What is left - the last test, the poll, a round that the fuel ends in - is for the ordinary loop
// behind them. A round is written to find out whether it is straight: whatever asks for fuel or branches in it says that it is not.

import type { Instruction, ScalarType } from "../../../isa/bytecode/module.ts";
import { FUEL_LOCAL, RAM_MEMORY, close, getRegister, openIf, valueType } from "./translate-context.ts";
import type { FunctionWriter } from "./translate-context.ts";
import { assume, decided, deduce, exactly, factOf, formOf, learnPairs, orderBehind } from "./translate-facts.ts";
import { readAtLoops } from "./translate-liveness.ts";
import { countedBy, pushSum } from "./translate-loops.ts";
import type { Form } from "./translate-forms.ts";
import type { Loop, Mark, Round, Test } from "./translate-loops.ts";
import { endOfRegion } from "./translate-paths.ts";
import { branchTo, labelAt, openRegion, pushLabel, writeAside } from "./translate-regions.ts";
import { writeVectors } from "./translate-vector-code.ts";
import { planVectors } from "./translate-vectors.ts";
import type { Bytes, RoundAccess, VectorPlan } from "./translate-vectors.ts";
import { I32, I64, OP, VOID } from "../wasm/encoder.ts";
import type { ValueType } from "../wasm/encoder.ts";

/** Writes an instruction. */
type Translate = (f: FunctionWriter, instruction: Instruction) => void;

/** A store that goes further in a round has too few of them in a page. */
const LONGEST_STRIDE = 128;
const PAGE_BYTES = 4096;

/** Instructions that no straight round has. */
const LEAVES_ROUND: ReadonlySet<string> = new Set(["loop", "br_table", "call", "call_indirect", "return", "unwind"]);

/** Whether it is worth writing a round of the loop at this instruction: one branch that may be its test, and nothing that leaves it. */
export function mayHaveRounds(f: FunctionWriter, loop: number): boolean {
  const round = f.fn.body.slice(loop + 1, endOfRegion(f, loop + 1));
  return round.filter(({ op }) => op === "br_if").length === 1 && !round.some(({ op }) => LEAVES_ROUND.has(op));
}

/** The test of a loop, if this branch is one that its counter alone decides. */
function testOf(f: FunctionWriter, loop: Loop, condition: number | undefined): Test | undefined {
  const comparison = factOf(f, condition)?.comparison;
  if (comparison === undefined || comparison.relation === "equal" || f.context.bits[comparison.type] < 32) return undefined;
  const order = orderBehind(f, comparison, false);
  if (order === undefined) return undefined;
  const counter = order.smaller.register;
  const counted = countedBy(loop, counter + f.firstRegister);
  if (counted === undefined || counted.by < 1 || counted.by >= 2 ** 31 || counted.at < f.at) return undefined;
  const value = exactly(f, order.larger.register);
  if (value === undefined && loop.writes.has(order.larger.register + f.firstRegister)) return undefined;
  return {
    counter,
    step: counted.by,
    at: counted.at,
    limit: value === undefined ? { register: order.larger.register } : { value },
    signed: comparison.signed,
    type: valueType(f.context, comparison.type),
  };
}

/** Writes one round, from the loop's start to the branch back to it. */
function writeRound(f: FunctionWriter, round: Round, translate: Translate): void {
  const { loop } = round;
  for (f.at = loop.at + 1; round.isStraight; f.at++) {
    const instruction = f.fn.body[f.at];
    if (instruction === undefined) throw new Error(`function ${f.fn.name}, instruction ${loop.at}: a loop without an end`);
    const { op, src } = instruction;
    if (f.dead) {
      // A region that is never run, as what follows a bounds check that holds; but not the loop itself.
      round.isStraight = f.skipped > 0 || labelAt(f, 0).at !== loop.at;
    } else if (op === "br") {
      round.cost = f.pending + 1;
      round.isStraight = round.test !== undefined && Number(instruction.imm[0]) === 0 && labelAt(f, 0).at === loop.at;
      return;
    } else if (op === "br_if" && decided(f, src[0]) === undefined) {
      round.test ??= testOf(f, loop, src[0]);
      round.isStraight = round.test !== undefined;
      f.pending += 1;
      assume(f, factOf(f, src[0])?.comparison, false);
      continue;
    } else if (op === "end") {
      round.isStraight = labelAt(f, 0).at !== loop.at;
    }
    if (f.at === round.test?.at && !f.dead) {
      // Sums are known modulo 2^32, the counter is counted exactly.
      const origin = deduce(f, instruction)?.origin;
      round.isStraight &&= origin?.register === round.test.counter && origin.plus === round.test.step;
    }
    if (!round.isStraight) return;
    if (f.dead) translate(f, instruction);
    else {
      const constants = src.map((register) => exactly(f, register));
      round.access = undefined;
      translate(f, instruction);
      round.executed.push({ at: f.at, instruction, constants, access: round.access });
    }
  }
}

/** Writes a round for a loop that has just been opened, and goes back to the loop's start: what was learnt is forgotten, with what the round wrote. */
function tryRound(f: FunctionWriter, loop: Loop, translate: Translate): Round {
  const round: Round = { loop, versions: [...f.versions], isStraight: true, test: undefined, cost: 0, marks: [], executed: [], access: undefined };
  writeAside(f, () => {
    pushLabel(f, { kind: "loop", level: f.depth });
    f.loops.round = round;
    writeRound(f, round, translate);
    f.loops.round = undefined;
  });
  learnPairs(f, loop);
  return round;
}

/** By how much an address moves in a round; undefined if that is not known, or if it is not what the round's start tells. */
function strideOf(round: Round, { terms }: Form): number | undefined {
  let by = 0;
  for (const { local, version, times } of terms) {
    const counted = round.loop.writes.has(local) ? countedBy(round.loop, local)?.by : 0;
    if (counted === undefined || version !== (round.versions[local] ?? 0)) return undefined;
    by += counted * times;
  }
  return by;
}

/** Whether the page of a store is marked before the rounds that are being written. It goes to this address plus a constant, from RAM's start on. */
export function isMarkedBefore(f: FunctionWriter, address: number | undefined, plus: number): boolean {
  const { round } = f.loops;
  const form = round === undefined ? undefined : formOf(f, address);
  if (round === undefined || form === undefined || form.terms.length === 0) return false;
  const by = strideOf(round, form);
  if (by === undefined || Math.abs(by) > LONGEST_STRIDE) return false;
  round.marks.push({ place: { terms: form.terms, plus: form.plus + plus }, by });
  return true;
}

/** Notes where in RAM the instruction at hand accesses: at this address plus a constant, from RAM's start on, and within this range. */
export function noteAccess(f: FunctionWriter, round: Round, address: number | undefined, plus: number, bytes: Bytes, range: RoundAccess["range"]): void {
  const form = formOf(f, address);
  if (form === undefined) return;
  round.access = { form: { terms: form.terms, plus: form.plus + plus }, stride: strideOf(round, form), range, bytes };
}

/** The registers that a loop's start reads. */
function readAt(f: FunctionWriter, loop: Loop): ReadonlySet<number> {
  const { vectors } = f.loops;
  vectors.read ??= readAtLoops(f.fn);
  const read = vectors.read.get(loop.at);
  if (read === undefined) throw new Error(`function ${f.fn.name}, instruction ${loop.at}: no such loop`);
  return read;
}

/** How a loop's rounds are made as vectors; undefined if they are not. */
function planRounds(f: FunctionWriter, loop: Loop, { executed }: Round): VectorPlan | undefined {
  const { module, bits, options } = f.context;
  // Places are compared modulo 2^32, and which one comes first by the sign.
  if (module.layout.endian === "big" || options.ramSize > 2 ** 31) return undefined;
  const typeOf = (register: number): ScalarType => f.fn.registers[register] ?? "i32";
  return planVectors({ executed, bits, typeOf, countedBy: (register) => countedBy(loop, register + f.firstRegister) });
}

function pushLimit(f: FunctionWriter, { limit, type }: Test): void {
  if ("register" in limit) getRegister(f, limit.register);
  else if (type === I64) f.w.i64Const(limit.value);
  else f.w.i32Const(limit.value | 0);
}

/** Pushes whether the loop goes on and its fuel lasts for a round. */
function pushGoesOn(f: FunctionWriter, test: Test, cost: number): void {
  const { w } = f;
  getRegister(f, test.counter);
  pushLimit(f, test);
  if (test.type === I64) w.byte(test.signed ? OP.i64_lt_s : OP.i64_lt_u);
  else w.byte(test.signed ? OP.i32_lt_s : OP.i32_lt_u);
  w.localGet(FUEL_LOCAL);
  w.withConst(cost, OP.i32_ge_s);
  w.byte(OP.i32_and);
}

/** Leaves the smaller one, without sign, of the number of rounds and what is on the stack as such a number. */
function limitRounds(f: FunctionWriter, rounds: number, type: ValueType): void {
  const { w } = f;
  const other = type === I64 ? f.temp64 : f.temp32b;
  w.localTee(other);
  if (type === I64) w.byte(OP.i32_wrap_i64);
  w.localGet(rounds);
  w.localGet(other);
  w.localGet(rounds);
  if (type === I64) w.byte(OP.i64_extend_i32_u);
  w.byte(type === I64 ? OP.i64_lt_u : OP.i32_lt_u);
  w.byte(OP.select);
  w.localSet(rounds);
}

/** Rounds up to the limit: at least one, for the loop goes on. */
function limitByCounter(f: FunctionWriter, test: Test, rounds: number): void {
  const { w } = f;
  const isWide = test.type === I64;
  const plus = (value: number, op32: number, op64: number): void => {
    if (isWide) {
      w.i64Const(value);
      w.byte(op64);
    } else w.withConst(value, op32);
  };
  pushLimit(f, test);
  getRegister(f, test.counter);
  w.byte(isWide ? OP.i64_sub : OP.i32_sub);
  if (test.step > 1) {
    plus(1, OP.i32_sub, OP.i64_sub);
    plus(test.step, OP.i32_div_u, OP.i64_div_u);
    plus(1, OP.i32_add, OP.i64_add);
  }
  limitRounds(f, rounds, test.type);
}

/** Marks the page of a store, and limits the rounds to those that store there. */
function markBefore(f: FunctionWriter, { place, by }: Mark, rounds: number): void {
  const { w } = f;
  pushSum(w, place);
  w.localTee(f.temp32);
  w.withConst(12, OP.i32_shr_u);
  w.i32Const(1);
  w.memory(OP.i32_store8, RAM_MEMORY, f.context.options.dirtyOffset);
  if (by === 0) return;
  w.localGet(f.temp32);
  if (by > 0) w.withConst(-1, OP.i32_xor);
  w.withConst(PAGE_BYTES - 1, OP.i32_and);
  if (Math.abs(by) > 1) w.withConst(Math.abs(by), OP.i32_div_u);
  w.withConst(1, OP.i32_add);
  limitRounds(f, rounds, I32);
}

/** Rounds without tests, before the ordinary loop; nothing if it has none. */
export function writeRounds(f: FunctionWriter, loop: Loop, translate: Translate): void {
  if (!f.loops.isPlanned || !mayHaveRounds(f, loop.at)) return;
  const { w } = f;
  const { rounds } = f.loops;
  const hints = f.hints.length;
  const start = w.length;
  const round = tryRound(f, loop, translate);
  const { test, isStraight, cost, marks } = round;
  w.length = start;
  f.hints.length = hints;
  if (!isStraight || test === undefined) return;
  const walks = marks.some(({ by }) => by !== 0);
  if (walks) openRegion(f, OP.loop);
  const walkLevel = f.depth;
  pushGoesOn(f, test, cost);
  openIf(f, VOID);
  w.localGet(FUEL_LOCAL);
  w.withConst(cost, OP.i32_div_u);
  w.localSet(rounds);
  limitByCounter(f, test, rounds);
  for (const mark of marks) markBefore(f, mark, rounds);
  w.localGet(FUEL_LOCAL);
  w.localGet(rounds);
  w.withConst(cost, OP.i32_mul);
  w.byte(OP.i32_sub);
  w.localSet(FUEL_LOCAL);
  const plan = planRounds(f, loop, round);
  // Vectors leave a round to those that are made one by one if somebody reads what a round leaves behind.
  const leavesOne = plan?.temporaries.some((register) => readAt(f, loop).has(register)) === true;
  const mayBeDone = plan !== undefined && writeVectors(f, plan, rounds, leavesOne) && !leavesOne;
  if (mayBeDone) {
    w.localGet(rounds);
    openIf(f, VOID);
  }
  const level = openRegion(f, OP.loop);
  if (!tryRound(f, loop, translate).isStraight) throw new Error(`function ${f.fn.name}, instruction ${loop.at}: a round that was straight is not`);
  w.localGet(rounds);
  w.withConst(1, OP.i32_sub);
  w.localTee(rounds);
  w.op(OP.br_if, f.depth - level);
  close(f);
  if (mayBeDone) close(f);
  if (walks) branchTo(f, walkLevel);
  close(f);
  if (walks) close(f);
}
