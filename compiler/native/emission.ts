// One function's machine code while it is written: bytes, labels, references to what the linker will place, the line table, and the
// cold ends (traps, polls) that go behind the function. Targets write through this and nothing else. Branches are written twice: what
// the first pass shows to be too far, or near enough, is written in its other form in the next.

import type { Module, ScalarType } from "../../isa/bytecode/module.ts";
import type { Frame, FrameEvent } from "./frame.ts";
import type { Label, Virtual } from "./items.ts";
import type { Location } from "./location.ts";

/** Something that a module has a number for. */
export type NumberedReference = { readonly kind: "function"; readonly function: number } | { readonly kind: "symbol"; readonly symbol: number };

/** Something that the linker places. */
export type Reference =
  | NumberedReference
  /** A label of the entry assembly. */
  | { readonly kind: "label"; readonly name: string };

export function numberOf(to: NumberedReference): number {
  return to.kind === "function" ? to.function : to.symbol;
}

/** The same reference where things have other numbers. */
export function renumberReference(to: Reference, renumber: (to: NumberedReference) => number): Reference {
  switch (to.kind) {
    case "function":
      return { kind: "function", function: renumber(to) };
    case "symbol":
      return { kind: "symbol", symbol: renumber(to) };
    case "label":
      return to;
  }
}

export interface CodeRelocation {
  readonly offset: number;
  /** As the ISA's `applyRelocation` names it. */
  readonly kind: string;
  readonly to: Reference;
  readonly addend: number;
}

export interface LineMark {
  readonly offset: number;
  /** Index into the module's locations, -1: none. */
  readonly location: number;
}

interface LabelUse {
  readonly offset: number;
  readonly kind: string;
  readonly label: Label;
  /** Number of the branch, for its form; -1: it has one form only. */
  readonly branch: number;
}

/** What writing code has to know of the target it is for. */
export interface BranchForms {
  /** Branches are tried in this form first. */
  readonly branches: "short" | "long";
  /** Where the long form is tried first: whether the short one reaches this far, however instructions between shrink. */
  readonly isNear?: (distance: number) => boolean;
  jump(e: Emission, label: Label): void;
  /** Fills in a field of an instruction; gives what is wrong when it cannot hold the distance. */
  applyRelocation(bytes: Uint8Array, kind: string, offset: number, place: number, target: number): string | undefined;
}

export interface EmissionContext {
  readonly target: BranchForms;
  readonly module: Module;
  readonly frame: Frame;
  readonly types: readonly ScalarType[];
  readonly locations: readonly Location[];
  /** Labels of the items; further ones are numbered from here. */
  readonly labels: number;
  /** Code and constants of the whole image are less than `COMPACT_SIZE`. */
  readonly isCompact: boolean;
}

interface CodeBuffer {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView;
}

/** Functions are written one after the other, each until it is resolved: they can share the memory. */
let spare: CodeBuffer = createBuffer(4096);

function createBuffer(size: number): CodeBuffer {
  const bytes = new Uint8Array(size);
  return { bytes, view: new DataView(bytes.buffer) };
}

/** Bytes, on any target. */
const LONGEST_JUMP = 5;

export class Emission {
  private readonly target: BranchForms;
  readonly module: Module;
  readonly frame: Frame;
  readonly isCompact: boolean;
  readonly relocations: CodeRelocation[] = [];
  readonly marks: LineMark[] = [];
  readonly frameEvents: FrameEvent[] = [];
  /** Location of the item being lowered, for cold ends. */
  at = -1;
  private readonly types: readonly ScalarType[];
  private readonly locations: readonly Location[];
  private buffer = spare;
  private size = 0;
  private readonly bound: number[] = [];
  private readonly uses: LabelUse[] = [];
  private nextLabel: number;
  /** Where the frame is given back. */
  private wayOut: Label | null = null;
  private branches = 0;
  private flagsOf = -1;
  /** The offset at which they are so. */
  private flagsFrom = -1;
  /** Branches whose form is not the target's first choice. */
  private readonly flipped: ReadonlySet<number>;
  private colds: (() => void)[] = [];

  constructor(context: EmissionContext, flipped: ReadonlySet<number>) {
    this.target = context.target;
    this.module = context.module;
    this.frame = context.frame;
    this.isCompact = context.isCompact;
    this.types = context.types;
    this.locations = context.locations;
    this.nextLabel = context.labels;
    this.flipped = flipped;
  }

  get offset(): number {
    return this.size;
  }

  location(register: Virtual): Location {
    const found = this.locations[register];
    if (found === undefined) throw new Error(`virtual register ${register} has no place`);
    return found;
  }

  typeOf(register: Virtual): ScalarType {
    return this.types[register] ?? "i64";
  }

  private reserve(size: number): void {
    const { bytes } = this.buffer;
    if (this.size + size <= bytes.length) return;
    const grown = new Uint8Array(Math.max(2 * bytes.length, this.size + size));
    grown.set(bytes);
    this.buffer = spare = { bytes: grown, view: new DataView(grown.buffer) };
  }

  word(value: number): void {
    this.reserve(4);
    this.buffer.view.setUint32(this.size, value >>> 0, true);
    this.size += 4;
  }

  half(value: number): void {
    this.reserve(2);
    this.buffer.view.setUint16(this.size, value, true);
    this.size += 2;
  }

  byte(value: number): void {
    this.reserve(1);
    this.buffer.bytes[this.size++] = value;
  }

  append(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.buffer.bytes.set(bytes, this.size);
    this.size += bytes.length;
  }

  /** The processor's flags tell of the value in this register; of no use for targets without flags. */
  tellFlags(register: number): void {
    this.flagsOf = register;
    this.flagsFrom = this.size;
  }

  hasFlags(register: number): boolean {
    return this.flagsFrom === this.size && this.flagsOf === register;
  }

  label(): Label {
    return this.nextLabel++;
  }

  bind(label: Label): void {
    this.flagsFrom = -1;
    this.bound[label] = this.size;
  }

  /** The instruction at the current offset has a field of this kind for the distance to a label; call before writing it. */
  refer(label: Label, kind: string, branch = -1): void {
    this.uses.push({ offset: this.size, kind, label, branch });
  }

  /** The number of a branch that is about to be written, and whether it takes the form that reaches farther. */
  branch(): { readonly number: number; readonly isLong: boolean } {
    const number = this.branches++;
    return { number, isLong: (this.target.branches === "long") !== this.flipped.has(number) };
  }

  /** The instruction at the current offset has a field of this kind for the linker; call before writing it. */
  relocate(kind: string, to: Reference, addend = 0): void {
    this.relocations.push({ offset: this.size, kind, to, addend });
  }

  /** What follows comes from this place of the source. */
  mark(location: number): void {
    const last = this.marks.at(-1);
    if (last?.location === location) return;
    if (last?.offset === this.size) this.marks.pop();
    this.marks.push({ offset: this.size, location });
  }

  /** The function has taken so many bytes of stack by now (`FrameEvent`). */
  depth(bytes: number): void {
    this.frameEvents.push({ offset: this.size, kind: "depth", bytes });
  }

  /** The caller's register is in memory by now, so many bytes below where its stack pointer was. */
  kept(register: number, below: number): void {
    this.frameEvents.push({ offset: this.size, kind: "kept", register, below });
  }

  /** A return, whose code gives back what was taken. Where that is longer than any jump, the function's other returns go there. */
  leaving(write: () => void): void {
    if (this.wayOut !== null) {
      this.target.jump(this, this.wayOut);
      return;
    }
    const start = this.size;
    const label = this.label();
    this.bind(label);
    this.frameEvents.push({ offset: this.size, kind: "leave" });
    write();
    this.frameEvents.push({ offset: this.size, kind: "stay" });
    if (this.size - start > LONGEST_JUMP) this.wayOut = label;
  }

  /** Code for behind the function, reached by a label. It belongs to the place of the source where it is asked for. */
  cold(write: () => void): Label {
    const label = this.label();
    const { at } = this;
    this.colds.push(() => {
      this.bind(label);
      this.at = at;
      this.mark(at);
      write();
    });
    return label;
  }

  writeColds(): void {
    while (this.colds.length > 0) {
      const colds = this.colds;
      this.colds = [];
      for (const write of colds) write();
    }
  }

  /** Fills in the distances to labels. Returns the branches that want their other form; if there are none the code is final. */
  resolve(): { readonly code: Uint8Array; readonly flips: readonly number[]; readonly problem: string | undefined } {
    const code = this.buffer.bytes.slice(0, this.size);
    const flips: number[] = [];
    let problem: string | undefined;
    for (const { offset, kind, label, branch } of this.uses) {
      const target = this.bound[label];
      if (target === undefined) throw new Error(`label ${label} is nowhere`);
      const distance = target - offset;
      const isFlipped = this.flipped.has(branch);
      if (branch >= 0 && !isFlipped && this.target.branches === "long" && this.target.isNear?.(distance) === true) flips.push(branch);
      const wrong = this.target.applyRelocation(code, kind, offset, offset, target);
      if (wrong === undefined) continue;
      if (branch >= 0 && !isFlipped && this.target.branches === "short") flips.push(branch);
      else problem ??= `a label ${wrong}`;
    }
    return { code, flips, problem };
  }
}
