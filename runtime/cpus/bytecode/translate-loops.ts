// Addresses that loops compute, as sums (`Form`, translate-forms.ts). What of them a loop leaves alone is worked out
// before the loop; what the loop counts is followed by a pointer, a local to which every step of the counter adds. The translator
// finds out by writing a function with loops twice: the first writing notes the accesses and how loops write registers, and is thrown away;
// then `planPointers` decides, and the second writing uses the pointers. Neither count nor order of anything that can be seen changes, for a
// pointer is arithmetic that cannot trap: the instructions that it replaces are counted where they stand, and V8 drops what nobody reads.

import { I64, OP } from "../wasm/encoder.ts";
import type { ByteWriter, ValueType } from "../wasm/encoder.ts";
import { isSameSum, scaleForm } from "./translate-forms.ts";
import type { Form, Term } from "./translate-forms.ts";
import type { Executed, RoundAccess } from "./translate-vectors.ts";

/** A sum of registers that a loop keeps in a local of 32 bits. */
export interface Pointer {
  readonly local: number;
  readonly terms: readonly Term[];
}

interface Step {
  readonly sum: Form;
  /** Where it stands, if that is in the loop itself and in no region of it. */
  readonly at: number | undefined;
}

/** How a loop writes a register: by what is added to it, or in ways that cannot be followed. */
type Writes = readonly Step[] | "other";

/** Two registers that a loop counts together: the address goes up by `times` what the index does. */
export interface Pair {
  readonly address: number;
  readonly index: number;
  readonly times: number;
}

export interface Loop {
  readonly at: number;
  readonly around: Loop | undefined;
  readonly writes: Map<number, Writes>;
  readonly pointers: Pointer[];
  /** The registers that it branches by with tables. */
  readonly tables: number[];
  /** Locals that are a place in RAM, or another constant, where it is entered. */
  readonly starts: { readonly places: readonly number[]; readonly numbers: readonly number[] };
  readonly pairs: Pair[];
}

/** An access to memory. */
interface Site {
  readonly form: Form;
  readonly loop: Loop;
  pointer?: Pointer;
}

/** Where a branch goes: to this wasm level, with so much pending. */
export interface Landing {
  readonly level: number;
  readonly pending: number;
}

/** A branch by a table on a register of the function with the loop: where it stands, and behind which regions it leads. */
export interface Dispatch {
  readonly writer: object;
  readonly at: number;
  readonly register: number;
  /** By value; the last one is for all other values. None if no round may be started without the table. */
  readonly landings: readonly Landing[];
  /** Those whose ends are still to be written: a branch goes there. */
  readonly ahead: Set<Landing>;
  /** Instructions from the loop's start to here. */
  readonly cost: number;
}

/** The code of one state, which a path that leads to it again may enter by a branch. */
export interface State {
  readonly behind: Landing;
  /** The wasm loop that starts with it. */
  readonly landing: Landing;
}

/** What ends the loop: it goes on while the counter is below the limit. Where it goes on at the limit too, that round is left to the ordinary loop. */
export interface Test {
  readonly counter: number;
  readonly step: number;
  /** Where the counter is stepped. */
  readonly at: number;
  readonly limit: { readonly register: number } | { readonly value: number };
  readonly signed: boolean;
  readonly type: ValueType;
}

/** A page that is marked before the rounds: that of this place in RAM, which goes up by `by` bytes a round. */
export interface Mark {
  readonly place: Form;
  readonly by: number;
}

/** A round without tests that is being written (translate-rounds.ts). */
export interface Round {
  readonly loop: Loop;
  /** How often each local had been written at its start. */
  readonly versions: readonly number[];
  isStraight: boolean;
  test: Test | undefined;
  /** Instructions that it counts. */
  cost: number;
  readonly marks: Mark[];
  /** What it executes; the access of the instruction at hand. */
  readonly executed: Executed[];
  access: RoundAccess | undefined;
}

/** What is noted of a wasm function's loops while it is written for the first time, and used while it is for the second. */
export interface LoopNotes {
  /** By the instruction that opens them: only the wasm function's own guest function has loops. */
  readonly loops: Map<number, Loop>;
  /** By the call that is executed in place, or the function itself, and the instruction. */
  readonly sites: Map<object, Map<number, Site>>;
  /** The second writing. */
  isPlanned: boolean;
  /** The table of the open loop, behind it; the state whose code is being written; instructions that paths of their own have added. */
  dispatch: Dispatch | undefined;
  state: State | undefined;
  /** A path starts a round by itself and goes past the table. */
  isEntering: boolean;
  added: number;
  /** The loop that is being written; the round of it that is, without tests. */
  open: Loop | undefined;
  round: Round | undefined;
  /** The local that counts such rounds, in the second writing. */
  rounds: number;
  /** Rounds as vectors: where their locals start, how many vectors some loop has, and the registers that the start of each loop reads. */
  readonly vectors: { first: number; used: number; read: ReadonlyMap<number, ReadonlySet<number>> | undefined };
}

/** Pointers that a loop may have: each takes a register of the host for as long as the loop runs. */
const MAX_POINTERS = 6;

export function createLoopNotes(): LoopNotes {
  return {
    loops: new Map(),
    sites: new Map(),
    isPlanned: false,
    dispatch: undefined,
    state: undefined,
    isEntering: false,
    added: 0,
    open: undefined,
    round: undefined,
    rounds: 0,
    vectors: { first: 0, used: 0, read: undefined },
  };
}

// -------------------------------------------------------------------------------------------------- what loops do, as it is written

export function openLoop(notes: LoopNotes, at: number, starts: Loop["starts"]): Loop {
  const loop = notes.loops.get(at) ?? { at, around: notes.open, writes: new Map(), pointers: [], tables: [], starts, pairs: [] };
  notes.loops.set(at, loop);
  notes.open = loop;
  notes.dispatch = undefined;
  notes.state = undefined;
  return loop;
}

export function closeLoop(notes: LoopNotes): void {
  notes.open = notes.open?.around;
  notes.dispatch = undefined;
  notes.state = undefined;
}

/** Notes that a register is written: `step` is what is added to it, if that is all. */
export function noteWrite(notes: LoopNotes, local: number, step: Form | undefined, at: number | undefined): void {
  if (notes.isPlanned) return;
  for (let loop = notes.open; loop !== undefined; loop = loop.around) {
    const before = loop.writes.get(local);
    if (step === undefined || before === "other") loop.writes.set(local, "other");
    else loop.writes.set(local, [...(before ?? []), { sum: step, at: loop === notes.open ? at : undefined }]);
  }
}

/** Notes a branch by a table: it is a state machine's if the register is written by the loop, which the first writing knows at its end. */
export function noteTable(notes: LoopNotes, form: Form | undefined): number | undefined {
  const [term] = form?.terms ?? [];
  if (notes.open === undefined || term === undefined || form?.terms.length !== 1 || form.plus !== 0 || term.times !== 1) return undefined;
  if (!notes.isPlanned) notes.open.tables.push(term.local);
  return term.local;
}

/** A table has been written: the loop is about this one, unless it stands in a state of another, or branches by what no round has left behind. */
export function noteDispatch(notes: LoopNotes, dispatch: Dispatch): void {
  const { dispatch: around } = notes;
  const isInState = around !== undefined && around.landings.length > 0 && around.ahead.size > 0;
  if (around === undefined || (dispatch.landings.length > 0 && !isInState)) notes.dispatch = dispatch;
}

/** The pointer that an access in a loop uses; the first writing has none and notes the access. */
export function pointerAt(notes: LoopNotes, writer: object, at: number, form: Form): Pointer | undefined {
  if (notes.open === undefined) return undefined;
  const sites = notes.sites.get(writer) ?? new Map<number, Site>();
  if (notes.isPlanned) {
    const pointer = sites.get(at)?.pointer;
    // On a path of its own more may be known, or less.
    return pointer !== undefined && isSameSum(pointer.terms, form.terms) ? pointer : undefined;
  }
  notes.sites.set(writer, sites);
  sites.set(at, { form, loop: notes.open });
  return undefined;
}

// --------------------------------------------------------------------------------------------------------------- the decision

/** Whether the loop leaves all registers of a form alone. */
function isInvariant(loop: Loop, form: Form): boolean {
  return form.terms.every((term) => !loop.writes.has(term.local));
}

/** Whether the loop only adds to the registers of a form, so that a pointer can do the same. A step that has to be multiplied is not worth it. */
function isFollowed(loop: Loop, { terms }: Form): boolean {
  return terms.every(({ local, times }) => {
    const writes = loop.writes.get(local) ?? [];
    return writes !== "other" && writes.every(({ sum }) => scaleForm(sum, times) !== undefined && (sum.terms.length === 0 || times === 1));
  });
}

/** Instructions that the sum takes wherever it is computed; an addition of the constant is part of the access. */
function costOf({ terms }: Form): number {
  return terms.length - 1 + terms.filter((term) => term.times !== 1).length;
}

/** Where a pointer for this access would be made: before this loop, which it follows, or which leaves it alone. */
function placeOf({ form, loop: innermost }: Site): Loop | undefined {
  let inside: Loop | undefined;
  for (let loop: Loop | undefined = innermost; loop !== undefined; loop = loop.around) {
    if (!isInvariant(loop, form)) return isFollowed(loop, form) ? loop : inside;
    inside = loop;
  }
  return inside;
}

/** The step of a register that a loop counts by a constant, once a round, in the loop itself. */
export function countedBy(loop: Loop, local: number): { readonly by: number; readonly at: number } | undefined {
  const writes = loop.writes.get(local);
  if (writes === undefined || writes === "other" || writes.length !== 1) return undefined;
  const [step] = writes;
  return step?.at === undefined || step.sum.terms.length > 0 ? undefined : { by: step.sum.plus, at: step.at };
}

/** Finds what loops count together: by constants, from constants, with nothing between the two steps that could leave one of them out. */
export function findPairs(notes: LoopNotes, isStraight: (from: number, to: number) => boolean): boolean {
  for (const loop of notes.loops.values()) {
    for (const address of loop.starts.places) {
      const step = countedBy(loop, address);
      const index = loop.starts.numbers.find((local) => {
        const other = countedBy(loop, local);
        return (
          step !== undefined &&
          other !== undefined &&
          other.by > 0 &&
          step.by % other.by === 0 &&
          isStraight(Math.min(step.at, other.at), Math.max(step.at, other.at))
        );
      });
      const by = index === undefined ? undefined : countedBy(loop, index)?.by;
      if (index !== undefined && by !== undefined && step !== undefined) loop.pairs.push({ address, index, times: step.by / by });
    }
  }
  return [...notes.loops.values()].some((loop) => loop.pairs.length > 0);
}

/** Whether a loop is a state machine: it branches by a table on what it wrote a round before. */
export function isMachine(loop: Loop): boolean {
  return loop.tables.some((local) => loop.writes.get(local) === "other");
}

/** Gives the accesses that are worth it their pointers, in locals from `firstLocal` on; the result is how many. */
export function planPointers(notes: LoopNotes, firstLocal: number): number {
  const groups = new Map<string, { readonly loop: Loop; readonly sites: Site[] }>();
  for (const site of [...notes.sites.values()].flatMap((sites) => [...sites.values()])) {
    if (site.form.terms.length === 0 || costOf(site.form) === 0) continue;
    const loop = placeOf(site);
    if (loop === undefined) continue;
    const key = `${loop.at} ${site.form.terms.map((term) => `${term.local}*${term.times}`).join(" ")}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { loop, sites: [site] });
    else group.sites.push(site);
  }
  let count = 0;
  const worth = ({ loop, sites }: { readonly loop: Loop; readonly sites: readonly Site[] }): number =>
    sites.reduce((sum, { form }) => sum + costOf(form), 0) - (sites[0] !== undefined && isInvariant(loop, sites[0].form) ? 0 : 1);
  for (const group of [...groups.values()].filter((each) => worth(each) > 0).sort((a, b) => worth(b) - worth(a))) {
    const { loop, sites } = group;
    const terms = sites[0]?.form.terms;
    if (terms === undefined || loop.pointers.length >= MAX_POINTERS) continue;
    const pointer: Pointer = { local: firstLocal + count, terms };
    count += 1;
    loop.pointers.push(pointer);
    for (const site of sites) site.pointer = pointer;
  }
  notes.isPlanned = true;
  return count;
}

// ------------------------------------------------------------------------------------------------------------------- the code

function pushTerm(w: ByteWriter, { local, type, times }: Term): void {
  w.localGet(local);
  if (type === I64) w.byte(OP.i32_wrap_i64);
  if (times !== 1) w.withConst(times, OP.i32_mul);
}

/** Pushes a sum of at least one register. */
export function pushSum(w: ByteWriter, { terms, plus }: Form): void {
  const [first, ...rest] = terms;
  if (first === undefined) throw new Error("a sum without a register");
  pushTerm(w, first);
  addSum(w, { terms: rest, plus });
}

/** Adds a sum to what is on the stack. */
function addSum(w: ByteWriter, { terms, plus }: Form): void {
  for (const term of terms) {
    pushTerm(w, term);
    w.byte(OP.i32_add);
  }
  if (plus !== 0) w.withConst(plus, OP.i32_add);
}

/** Before a loop: its pointers as its first round wants them. */
export function writePointers(w: ByteWriter, loop: Loop): void {
  for (const { local, terms } of loop.pointers) {
    pushSum(w, { terms, plus: 0 });
    w.localSet(local);
  }
}

/** Behind a step of a register: the pointers that follow it make theirs. */
export function writeSteps(w: ByteWriter, notes: LoopNotes, register: number, step: Form): void {
  for (let loop = notes.open; loop !== undefined; loop = loop.around) {
    for (const { local, terms } of loop.pointers) {
      const term = terms.find((each) => each.local === register);
      const scaled = term === undefined ? undefined : scaleForm(step, term.times);
      if (scaled === undefined) continue;
      w.localGet(local);
      addSum(w, scaled);
      w.localSet(local);
    }
  }
}
