// Which hart runs, and for how long. The interpreter gets a budget of instructions: up to the next event, the end of the hart's turn, the
// caller's limit. What it leaves of it becomes guest time whenever somebody looks (`sync`). Turns exist only while several harts run; their
// lengths come from the machine's seed. Time moves nowhere else: what happens between two looks happens at the time of the second.

import type { MachineCore } from "../../machine/cpu-contract.ts";
import type { ProcessorLimits } from "../../machine/processor.ts";
import { isAsleep, type Hart } from "./hart.ts";
import type { RegisterFile } from "./registers.ts";
import type { Timers } from "./timers.ts";

/** Instructions of a turn, on average: half of it to one and a half. */
const TURN = 10_000;
/** V8 takes better code for a function only when it is entered anew. So budgets are a part of what was executed since the last region was made. */
const BUDGET_PART = 1 / 4;
const LEAST_BUDGET = 60_000;
const MAX_BUDGET = 16_000_000;

/** What it asks of the processor's other parts. */
export interface ScheduleHost {
  readonly isTracing: boolean;
  /** Regions of translated code that there are. */
  readonly regionCount: () => number;
  /** The set of translation caches that fits the hart's mode. */
  readonly cachesFor: (hart: Hart) => number;
  readonly hasWakeup: (hart: Hart) => boolean;
  /** A budget was granted. */
  readonly granted: () => void;
}

export interface SavedSchedule {
  readonly active: number;
  /** -1: the hart runs alone. */
  readonly turnLeft: number;
  readonly total: number;
}

export interface Schedule {
  readonly begin: (limits: ProcessorLimits) => void;
  readonly isLimitReached: () => boolean;
  readonly hartAt: (index: number) => Hart;
  readonly activeHart: () => Hart;
  readonly activate: (hart: Hart) => void;
  readonly wakeHarts: () => void;
  /** The hart that runs now, or null if all wait. */
  readonly chooseHart: () => Hart | null;
  /** All harts wait: time goes to whatever comes next; false: nothing will. */
  readonly idle: () => boolean;
  /** Brings time and counts up to the budget; `current` instructions of it have begun but are not done. */
  readonly sync: (current: 0 | 1) => void;
  /** Brings time, and no count, up to the instruction at hand, which has begun: what a device may ask for, at a fraction of the price. */
  readonly tellTime: () => void;
  /** Sets the budget to what may be executed until somebody has to look; false: nothing. */
  readonly grant: () => boolean;
  /** Takes what is left of it. */
  readonly withdraw: () => void;
  /** Somebody else may run now, or an event is due. */
  readonly isTurnOver: () => boolean;
  /** Whether a device has done something since the budget was granted that anybody has to act on. An event to come just makes the budget smaller. */
  readonly hasConsequences: () => boolean;
  /** The active hart gives up the rest of its turn, if there are others. */
  readonly yieldTurn: () => void;
  /** Of one instruction. */
  readonly beginStep: () => void;
  readonly endTurn: () => void;
  /** By the active hart, the instruction at hand left out, whose budget is taken. */
  readonly executedBefore: () => number;
  readonly total: () => number;
  /** Instructions in all, those among them that a state which was loaded knows nothing of: what work has been, and no guest sees. */
  readonly lifetime: () => number;
  readonly reset: () => void;
  readonly save: () => SavedSchedule;
  /** The hart that was active is to be activated by the caller, when all of it is loaded. */
  readonly load: (saved: SavedSchedule) => void;
}

export function createSchedule(machine: MachineCore, registers: RegisterFile, harts: readonly Hart[], timers: Timers, host: ScheduleHost): Schedule {
  const cpuCount = harts.length;
  /** Fields of a record on purpose: variables that closures share would be boxed anew with every change. */
  const spending = {
    /** The budget at the last `sync`: what is missing from it in the cell has been executed since. */
    granted: 0,
    total: 0,
    limitLeft: 0,
    until: 0,
    /** Of the active hart; Infinity while it is the only one that runs. */
    turnLeft: 0,
    /** Time at which the budget is spent. */
    end: 0,
    /** When it was granted, or devices were looked at since then; below it interrupt lines. */
    stirs: 0,
    lifetime: 0,
    /** Of the translator, and the lifetime when the last of them came to be. */
    regions: 0,
    madeAt: 0,
  };
  const grantedLines = new Int32Array(cpuCount);

  function hartAt(index: number): Hart {
    const hart = harts[index];
    if (hart === undefined) throw new RangeError(`no CPU ${index}: there are ${cpuCount}`);
    return hart;
  }

  const activeHart = (): Hart => hartAt(registers.active());
  const nextEvent = (): number => Math.min(machine.nextEvent(), timers.next());
  const moveTo = (time: number): void => machine.advance(time - machine.now());
  const hasOthers = (): boolean => harts.some((hart) => hart.run === "running" && hart.index !== registers.active());

  function drawTurn(): void {
    spending.turnLeft = TURN / 2 + (machine.scheduleRandom() % TURN);
  }

  function largestBudget(): number {
    const count = host.regionCount();
    if (count !== spending.regions) {
      spending.regions = count;
      spending.madeAt = spending.lifetime;
    }
    return Math.min(Math.max(Math.floor((spending.lifetime - spending.madeAt) * BUDGET_PART), LEAST_BUDGET), MAX_BUDGET);
  }

  function activate(hart: Hart): void {
    if (hart.index !== registers.active()) {
      registers.activate(hart.index);
      // What others do from here on could break it.
      registers.dropReservation(hart.index);
    }
    registers.setTlb(host.cachesFor(hart));
  }

  function wakeHarts(): void {
    for (const hart of harts) if (isAsleep(hart) && host.hasWakeup(hart)) hart.run = "running";
  }

  function tellCounts(): void {
    registers.setCounts(activeHart().executed + spending.granted, spending.end, timers.counterOffset(), timers.countNs());
  }

  /** False: something is due now. */
  function endBefore(event: number): boolean {
    const excess = spending.end - event;
    const left = registers.budget() - excess;
    if (left <= 0) return false;
    registers.setBudget(left);
    spending.granted -= excess;
    spending.end = event;
    tellCounts();
    return true;
  }

  function haveLinesMoved(): boolean {
    for (let cpu = 0; cpu < cpuCount; cpu++) if (machine.lines(cpu) !== grantedLines[cpu]) return true;
    return false;
  }

  return {
    begin({ instructions, until }) {
      spending.limitLeft = instructions;
      spending.until = until;
    },
    isLimitReached: () => spending.limitLeft <= 0 || machine.now() >= spending.until,
    hartAt,
    activeHart,
    activate,
    wakeHarts,
    chooseHart() {
      wakeHarts();
      const active = activeHart();
      if (active.run === "running" && spending.turnLeft > 0) return active;
      for (let n = 1; n <= cpuCount; n++) {
        const hart = hartAt((active.index + n) % cpuCount);
        if (hart.run !== "running") continue;
        activate(hart);
        spending.turnLeft = Infinity;
        if (hasOthers()) drawTurn();
        return hart;
      }
      return null;
    },
    idle() {
      const next = nextEvent();
      if (next === Infinity) return false;
      machine.advance(Math.max(Math.min(next, spending.until) - machine.now(), 0));
      return true;
    },
    sync(current) {
      const executed = spending.granted - registers.budget() - current;
      if (executed === 0) return;
      spending.granted -= executed;
      spending.total += executed;
      spending.lifetime += executed;
      spending.limitLeft -= executed;
      spending.turnLeft -= executed;
      activeHart().executed += executed;
      moveTo(spending.end - registers.budget() - current);
    },
    tellTime: () => moveTo(spending.end - registers.budget() - 1),
    grant() {
      if (spending.turnLeft === Infinity && hasOthers()) drawTurn();
      const now = machine.now();
      spending.stirs = machine.stirs();
      for (let cpu = 0; cpu < cpuCount; cpu++) grantedLines[cpu] = machine.lines(cpu);
      const wanted = Math.min(spending.limitLeft, spending.until - now, nextEvent() - now, spending.turnLeft, host.isTracing ? 1 : largestBudget());
      spending.granted = Math.max(wanted, 0);
      spending.end = now + spending.granted;
      registers.setBudget(spending.granted);
      host.granted();
      tellCounts();
      return spending.granted > 0;
    },
    withdraw() {
      registers.setBudget(0);
      spending.granted = 0;
    },
    isTurnOver: () => spending.turnLeft <= 0 || nextEvent() <= machine.now(),
    hasConsequences() {
      const stirs = machine.stirs();
      if (stirs === spending.stirs) return false;
      if (machine.exitRequest() !== null || haveLinesMoved() || timers.hasCounterMoved()) return true;
      const event = machine.nextEvent();
      if (event < spending.end && !endBefore(event)) return true;
      spending.stirs = stirs;
      return false;
    },
    yieldTurn() {
      if (hasOthers()) spending.turnLeft = 0;
    },
    beginStep() {
      spending.turnLeft = 1;
    },
    endTurn() {
      spending.turnLeft = 0;
    },
    executedBefore: () => activeHart().executed + spending.granted - registers.budget() - 1,
    total: () => spending.total,
    lifetime: () => spending.lifetime,
    reset() {
      spending.total = 0;
      spending.granted = 0;
    },
    save: () => ({
      active: registers.active(),
      turnLeft: spending.turnLeft === Infinity ? -1 : spending.turnLeft,
      total: spending.total,
    }),
    load({ turnLeft, total }) {
      spending.turnLeft = turnLeft < 0 ? Infinity : turnLeft;
      spending.total = total;
    },
  };
}
