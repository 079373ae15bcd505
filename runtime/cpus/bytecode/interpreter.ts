// The reference interpreter of guest bytecode: docs/bytecode.md, sections 1 to 5, statement by statement. It can switch CPUs between any
// two instructions, which translated code cannot, and it is the oracle that translated code is checked against. A function's body is
// prepared once into one closure per instruction (interpreter-operations.ts); this file holds what instructions have in common: time, poll
// points, traps, guards, the scheduler and the outcome. Modules must have been verified.

import { byteWidth, codeAddress, isThreadFunction, type ScalarType, type Signature } from "../../../isa/bytecode/module.ts";
import type { TrapClass } from "../../../isa/bytecode/instructions.ts";
import {
  RELAX_LIMIT,
  STACK_RESERVE,
  type Executor,
  type ExecutorFactory,
  type GuestStack,
  type LoadedImage,
  type MachineCore,
  type Outcome,
  type RunLimits,
  type TrapRecord,
} from "../../machine/cpu-contract.ts";
import { Cpu, HIGH, LOW, nextOf, resumeAt, type FrameKind, type PreparedFunction } from "./interpreter-cpu.ts";
import { prepareCode } from "./interpreter-operations.ts";
import type { CodeWatch, InterpreterCore, TrapDetails } from "./interpreter-site.ts";

/** Length of a turn by the two low bits of the scheduler's number. */
const TURN_MASKS = [7, 63, 255, 1023] as const;
/** Traps whose stacks are kept: a cleanup may trap while another trap is on its way to its report. */
const KEPT_TRAPS = 8;
const NO_RESULTS: readonly number[] = [];

class Interpreter implements Executor, InterpreterCore {
  readonly image: LoadedImage;
  readonly machine: MachineCore;
  readonly watch: CodeWatch | null;
  readonly functions: readonly PreparedFunction[];
  readonly cpus: readonly Cpu[];
  /** RAM's base as a number: fits, see the constructor. */
  readonly base: number;
  /** Instructions executed since the call; an instruction is added before it runs. */
  work = 0;
  /** The running CPU gives up when `work` reaches this; 0 at once. */
  stopAt = 0;
  /** The value of `work` from which a poll point has something to do besides interrupts. */
  private pollAt = 0;
  /** The value of `work` up to which the machine's clock has been moved. */
  private synced = 0;
  private outcome: Outcome | null = null;
  /** Whose turn it is. */
  private current: Cpu | null = null;
  /** Of the traps taken last, oldest first: their stacks are gone when the guest reports them. */
  private readonly trapStacks: { readonly pc: number; readonly stack: GuestStack }[] = [];
  /** A turn ended before its instructions were used up. */
  private turnEnded = false;
  private timeoutTaken = false;
  private limits: RunLimits = { deadline: Infinity, grace: 0, instructions: Infinity };
  private readonly trapVector: PreparedFunction | null;
  private readonly interruptVector: PreparedFunction | null;

  constructor(image: LoadedImage, machine: MachineCore, watch: CodeWatch | null = null) {
    this.watch = watch;
    const { memory } = machine;
    if (memory.base + BigInt(memory.size) >= 1n << 53n) throw new RangeError("the interpreter wants RAM below 2^53");
    this.image = image;
    this.machine = machine;
    this.base = Number(memory.base);
    this.functions = image.module.functions.map((source, index) => ({
      index,
      source,
      stackBytes: Math.ceil((64 + source.frameSize) / 16) * 16,
      code: null,
      start: 0,
    }));
    this.trapVector = this.functions[image.module.trapVector] ?? null;
    this.interruptVector = this.functions[image.module.interruptVector] ?? null;
    this.cpus = Array.from({ length: machine.cpuCount }, (_, id) => {
      const stack = image.stacks[id];
      if (stack === undefined) throw new RangeError(`the image has no stack for CPU ${id}`);
      return new Cpu(id, Number(stack.top - memory.base), Number(stack.limit - memory.base));
    });
  }

  instructions(): number {
    return this.work;
  }

  call(functionIndex: number, args: readonly (number | bigint)[], limits: RunLimits): Outcome {
    const callee = this.functions[functionIndex];
    if (callee === undefined) throw new RangeError(`no function ${functionIndex}`);
    this.work = 0;
    this.synced = 0;
    this.outcome = null;
    this.timeoutTaken = false;
    this.trapStacks.length = 0;
    this.limits = limits;
    for (const cpu of this.cpus) cpu.reset();
    this.refresh();
    if (this.outcome === null) this.startCpu(this.cpus[0]!, callee, args);
    const outcome = this.schedule();
    this.sync(this.work);
    return outcome;
  }

  stack(): GuestStack | null {
    return this.current === null || this.current.depth < 0 ? null : this.current.stack(this.current.pc);
  }

  stackOfTrap(pc: number, cpu: number): GuestStack | null {
    return this.trapStacks.findLast((trap) => trap.pc === pc && trap.stack.cpu === cpu)?.stack ?? null;
  }

  stacks(): readonly GuestStack[] {
    return this.cpus.filter((cpu) => cpu.running && cpu.depth >= 0).map((cpu) => cpu.stack(this.placeOf(cpu)));
  }

  /** The instruction that a CPU is at: in front of a poll point it has executed that of the poll, and one that was stopped there goes nowhere. */
  private placeOf(cpu: Cpu): number {
    if (cpu === this.current && this.outcome?.kind === "hung") return this.outcome.pc & 0xffff;
    return cpu.pollPending ? cpu.pollPc & 0xffff : cpu.pc;
  }

  // ---------------------------------------------------------------------------------------------------- calls and returns

  /** The prepared form, made at first use: a short run does not pay for functions that it never calls. */
  private ready(prepared: PreparedFunction): PreparedFunction {
    if (prepared.code === null) prepareCode(this, prepared);
    return prepared;
  }

  private startCpu(cpu: Cpu, callee: PreparedFunction, args: readonly (number | bigint)[]): void {
    const pc = codeAddress(callee.index, 0);
    cpu.running = true;
    cpu.lines = this.machine.lines(cpu.id) & 7;
    if (!cpu.hasStackFor(callee)) {
      this.raise(cpu, "stack_overflow", pc, {});
      return;
    }
    this.enterFunction(cpu, callee, "entry", NO_RESULTS, 0);
    callee.source.signature.params.forEach((type, index) => this.writeRegister(cpu, index, type, args[index] ?? 0));
    cpu.pollPending = true;
    cpu.pollNext = callee.start;
    cpu.pollPc = pc;
  }

  enterFunction(cpu: Cpu, callee: PreparedFunction, kind: FrameKind, results: readonly number[], resume: number): void {
    cpu.push(this.ready(callee), kind, results, resume);
  }

  entryPoll(cpu: Cpu, callee: PreparedFunction): number {
    return this.poll(cpu, callee.start, codeAddress(callee.index, 0));
  }

  returnFrom(cpu: Cpu, values: readonly number[]): number {
    const frame = cpu.frames[cpu.depth]!;
    switch (frame.kind) {
      case "call": {
        const from = frame.base;
        cpu.popTo(cpu.depth - 1);
        for (let index = 0; index < values.length; index++) cpu.wide[cpu.base + frame.results[index]!] = cpu.wide[from + values[index]!]!;
        return nextOf(cpu.frames[cpu.depth]!.resume);
      }
      case "guard":
        return this.endGuard(cpu, 0);
      case "interrupt":
        cpu.popTo(cpu.depth - 1);
        this.setEnabled(cpu, true);
        return nextOf(cpu.frames[cpu.depth]!.resume);
      case "trap":
        return this.endGuard(cpu, cpu.narrow[cpu.base32 + 2 * values[0]! + LOW]!);
      case "entry":
        this.finishCpu(cpu, frame.prepared.source.signature, values);
        return 0;
    }
  }

  private finishCpu(cpu: Cpu, signature: Signature, values: readonly number[]): void {
    cpu.running = false;
    if (cpu.id === 0) this.stop({ kind: "returned", values: values.map((slot, index) => this.readRegister(cpu, slot, signature.results[index]!)) });
    else this.endTurn();
  }

  readRegister(cpu: Cpu, slot: number, type: ScalarType): number | bigint {
    if (byteWidth(type, this.image.module.layout) === 8) return cpu.wide[cpu.base + slot]!;
    return cpu.narrow[cpu.base32 + 2 * slot + LOW]! >>> 0;
  }

  private writeRegister(cpu: Cpu, slot: number, type: ScalarType, value: number | bigint): void {
    const width = byteWidth(type, this.image.module.layout);
    const bits = BigInt.asUintN(8 * width, BigInt(value));
    cpu.narrow[cpu.base32 + 2 * slot + LOW] = Number(bits & 0xffff_ffffn);
    cpu.narrow[cpu.base32 + 2 * slot + HIGH] = Number(bits >> 32n);
  }

  // ------------------------------------------------------------------------------------------------------ guards and traps

  enterGuard(cpu: Cpu, callee: PreparedFunction, result: number, resume: number): void {
    cpu.guards.push({ depth: cpu.depth, result, resume, enabled: cpu.enabled, vectorActive: cpu.vectorActive, limit: cpu.limit });
    cpu.vectorActive = false;
    this.enterFunction(cpu, callee, "guard", NO_RESULTS, resume);
  }

  private endGuard(cpu: Cpu, status: number): number {
    const guard = cpu.guards.pop()!;
    cpu.popTo(guard.depth);
    cpu.vectorActive = guard.vectorActive;
    cpu.limit = guard.limit;
    this.setEnabled(cpu, guard.enabled);
    cpu.narrow[cpu.base32 + 2 * guard.result + LOW] = status;
    return nextOf(guard.resume);
  }

  unwind(cpu: Cpu, status: number, pc: number): number {
    if (cpu.guards.length > 0) return this.endGuard(cpu, status);
    return this.raise(cpu, "unreachable", pc, { value: BigInt(status >>> 0) });
  }

  raise(cpu: Cpu, trapClass: TrapClass, pc: number, details: TrapDetails): number {
    // The access that faults may have ended the machine on its way: then nothing of the trap happens.
    if (this.outcome !== null) return 0;
    const trap: TrapRecord = {
      class: trapClass,
      pc,
      address: details.address ?? 0n,
      access: details.access ?? 0,
      width: details.width ?? 0,
      value: details.value ?? 0n,
      sp: this.machine.memory.base + BigInt(cpu.sp),
      cpu: cpu.id,
    };
    const vector = this.trapVector;
    if (cpu.vectorActive) return this.stop({ kind: "double-fault", trap, first: cpu.trap ?? trap });
    if (vector === null || cpu.guards.length === 0) return this.stop({ kind: "unhandled-trap", trap });
    cpu.limit = cpu.baseLimit - STACK_RESERVE;
    if (!cpu.hasStackFor(vector)) return this.stop({ kind: "double-fault", trap, first: trap });
    this.work += 1;
    cpu.trap = trap;
    this.trapStacks.push({ pc, stack: cpu.stack(pc & 0xffff) });
    if (this.trapStacks.length > KEPT_TRAPS) this.trapStacks.shift();
    cpu.vectorActive = true;
    this.setEnabled(cpu, false);
    this.enterFunction(cpu, vector, "trap", NO_RESULTS, resumeAt(0, pc & 0xffff));
    return this.entryPoll(cpu, vector);
  }

  functionAt(address: bigint): PreparedFunction | null {
    const index = Number(address >> 16n) - 1;
    return (address & 0xffffn) === 0n ? (this.functions[index] ?? null) : null;
  }

  // ------------------------------------------------------------------------------------------------- time and poll points

  /** Moves the machine's clock to the time at which the instruction with this count starts. */
  private sync(work: number): void {
    if (work === this.synced) return;
    this.machine.advance(work - this.synced);
    this.synced = work;
  }

  now(): number {
    return this.machine.now() + (this.work - 1 - this.synced);
  }

  beginAccess(): void {
    this.sync(this.work - 1);
    if (this.machine.nextEvent() <= this.machine.now()) this.machine.fireEvents();
  }

  refresh(): void {
    const { machine } = this;
    for (const cpu of this.cpus) {
      cpu.lines = machine.lines(cpu.id) & 7;
      this.updateInterruptible(cpu);
      if (cpu.sleeping && (cpu.lines & cpu.mask) !== 0) this.wake(cpu);
    }
    const exit = machine.exitRequest();
    if (exit !== null) this.stop({ kind: "exit", exit });
    this.planPoll();
  }

  private planPoll(): void {
    const { limits, machine } = this;
    const grace = this.timeoutTaken ? limits.grace : 0;
    const time = Math.min(machine.nextEvent(), limits.deadline + grace);
    this.pollAt = Math.min(this.synced + (time - machine.now()), limits.instructions + grace);
  }

  setEnabled(cpu: Cpu, enabled: boolean): void {
    cpu.enabled = enabled;
    this.updateInterruptible(cpu);
  }

  updateInterruptible(cpu: Cpu): void {
    cpu.interruptible = cpu.enabled && this.interruptVector !== null && (cpu.lines & cpu.mask) !== 0;
  }

  /** A poll point at `pc`; gives the instruction to go on with, `next` or a vector's first. */
  poll(cpu: Cpu, next: number, pc: number): number {
    return this.work >= this.pollAt || cpu.interruptible ? this.pollSlow(cpu, next, pc) : next;
  }

  private pollSlow(cpu: Cpu, next: number, pc: number): number {
    this.fireDueEvents();
    if (this.outcome !== null) return next;
    if (this.hardLimitReached()) return this.stop({ kind: "hung", pc });
    if (this.timeoutDue()) {
      const first = this.cpus[0]!;
      if (cpu === first) {
        this.timeoutTaken = true;
        this.planPoll();
        return this.raise(cpu, "timeout", pc, {});
      }
      if (first.sleeping) this.wake(first);
    }
    this.planPoll();
    return cpu.interruptible ? this.takeInterrupt(cpu, next, pc) : next;
  }

  private takeInterrupt(cpu: Cpu, next: number, pc: number): number {
    const vector = this.interruptVector!;
    const cause = 31 - Math.clz32(cpu.lines & cpu.mask & -(cpu.lines & cpu.mask));
    this.setEnabled(cpu, false);
    if (!cpu.hasStackFor(vector)) return this.raise(cpu, "stack_overflow", pc, {});
    this.work += 1;
    this.enterFunction(cpu, vector, "interrupt", NO_RESULTS, resumeAt(next, pc & 0xffff));
    this.writeRegister(cpu, 0, "i32", cause);
    return this.entryPoll(cpu, vector);
  }

  private fireDueEvents(): void {
    this.sync(this.work);
    if (this.machine.nextEvent() > this.machine.now()) return;
    this.machine.fireEvents();
    this.refresh();
  }

  private hardLimitReached(): boolean {
    const { deadline, instructions, grace } = this.limits;
    return this.machine.now() >= deadline + grace || this.work >= instructions + grace;
  }

  /** CPU 0 has to take the timeout trap, and can. The clock is in step. */
  private timeoutDue(): boolean {
    if (this.timeoutTaken || this.cpus[0]!.vectorActive) return false;
    return this.machine.now() >= this.limits.deadline || this.work >= this.limits.instructions;
  }

  wait(cpu: Cpu, next: number, pc: number): number {
    this.fireDueEvents();
    if (this.outcome !== null) return next;
    if ((cpu.lines & cpu.mask) !== 0 || (cpu.id === 0 && this.timeoutDue())) return this.pollSlow(cpu, next, pc);
    cpu.sleeping = true;
    return this.suspend(cpu, next, pc);
  }

  relax(cpu: Cpu, next: number, pc: number): number {
    return this.doze(cpu, next, pc, -1);
  }

  doze(cpu: Cpu, next: number, pc: number, until: number): number {
    cpu.relaxed = true;
    cpu.dozesUntil = until;
    return this.suspend(cpu, next, pc);
  }

  /** Ends the CPU's turn in front of a poll point. */
  private suspend(cpu: Cpu, next: number, pc: number): number {
    cpu.pollPending = true;
    cpu.pollNext = next;
    cpu.pollPc = pc;
    this.endTurn();
    return next;
  }

  // ------------------------------------------------------------------------------------------------------------- CPUs

  private wake(cpu: Cpu): void {
    cpu.sleeping = false;
    this.endTurn();
  }

  private endTurn(): void {
    this.turnEnded = true;
    this.stopAt = 0;
  }

  /** Ends the run. The first reason counts. Gives any instruction index: it will not be run. */
  private stop(outcome: Outcome): number {
    this.outcome ??= outcome;
    this.endTurn();
    return 0;
  }

  /** `cpu_start`. */
  start(id: number, address: bigint, argument: bigint): number {
    const cpu = this.cpus[id];
    if (cpu === undefined) return 1;
    if (cpu.running) return 2;
    const callee = this.functionAt(address);
    if (callee === null || !isThreadFunction(callee.source.signature)) return 3;
    cpu.reset();
    this.startCpu(cpu, callee, [argument]);
    this.endTurn();
    return 0;
  }

  private schedule(): Outcome {
    while (this.outcome === null) {
      const ready = this.cpus.filter((cpu) => cpu.running && !cpu.sleeping);
      if (ready.length === 0) this.idle();
      else this.runTurn(ready);
    }
    return this.outcome;
  }

  private runTurn(ready: readonly Cpu[]): void {
    let candidates: readonly Cpu[] = ready.filter((cpu) => !cpu.relaxed);
    if (candidates.length === 0) {
      this.skipTime(ready);
      candidates = ready;
      this.clearRelaxed();
    }
    let cpu = candidates[0]!;
    this.stopAt = Infinity;
    if (ready.length > 1) {
      const random = this.machine.scheduleRandom() >>> 0;
      cpu = candidates[(random >>> 16) % candidates.length]!;
      this.stopAt = this.work + 1 + ((random >>> 2) & TURN_MASKS[(random & 3) as 0 | 1 | 2 | 3]);
    }
    this.turnEnded = false;
    this.current = cpu;
    if (cpu.pollPending) {
      cpu.pollPending = false;
      cpu.pc = this.pollSlow(cpu, cpu.pollNext, cpu.pollPc);
    }
    while (this.work < this.stopAt) {
      this.work += 1;
      cpu.pc = cpu.code[cpu.pc]!(cpu);
    }
    if (!this.turnEnded) this.clearRelaxed();
  }

  private clearRelaxed(): void {
    for (const cpu of this.cpus) cpu.relaxed = false;
  }

  /** Every ready CPU has relaxed: time goes to the next event, not too far. */
  private skipTime(ready: readonly Cpu[]): void {
    this.sync(this.work);
    const now = this.machine.now();
    let end = this.machine.nextEvent();
    for (const { dozesUntil } of ready) end = Math.min(end, dozesUntil < 0 ? now + RELAX_LIMIT : Math.min(dozesUntil, this.nextLimit()));
    if (end > now) this.machine.advance(end - now);
  }

  /** Where time stops for those who sleep. */
  private nextLimit(): number {
    const { deadline, grace } = this.limits;
    return this.timeoutTaken || this.cpus[0]!.vectorActive ? deadline + grace : deadline;
  }

  /** Every CPU sleeps or is stopped. */
  private idle(): void {
    const { machine, limits } = this;
    const first = this.cpus[0]!;
    this.sync(this.work);
    const event = machine.nextEvent();
    if (event === Infinity) {
      this.stop({ kind: "deadlock", pc: first.pollPc });
      return;
    }
    const isTimeoutOpen = !this.timeoutTaken && !first.vectorActive;
    const limit = isTimeoutOpen ? limits.deadline : limits.deadline + limits.grace;
    const time = Math.min(event, limit);
    if (time > machine.now()) machine.advance(time - machine.now());
    if (event <= machine.now()) machine.fireEvents();
    this.refresh();
    if (this.outcome !== null || this.cpus.some((cpu) => cpu.running && !cpu.sleeping)) return;
    if (this.hardLimitReached()) this.stop({ kind: "hung", pc: first.pollPc });
    else if (this.timeoutDue()) this.wake(first);
  }
}

/** For those who watch every instruction, as coverage does: the same interpreter, its code wrapped. */
export function watchedInterpreterFactory(watch: CodeWatch): ExecutorFactory {
  return { name: "interpreter", create: (image, machine) => new Interpreter(image, machine, watch) };
}

export const interpreterFactory: ExecutorFactory = {
  name: "interpreter",
  create: (image, machine) => new Interpreter(image, machine),
};
