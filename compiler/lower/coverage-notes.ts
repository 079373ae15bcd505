// What coverage wants to know of a program beside its code: where decisions are and what their ways are called, and which register of which `regs`
// block an access means. Lowering writes it down by place in the source, because there, and in the locations of instructions, compiler and
// engines meet. Nobody asks for it in an ordinary compilation.

import { positionAt, type Span } from "../../grammar/source.ts";
import type { HPlace } from "../hir.ts";
import type { RegsType } from "../types.ts";

/** What a decision is called, with its two ways: that into the code that follows it, and the other one. */
export const DECISION_WAYS = {
  if: ["true", "false"],
  while: ["body", "end"],
  for: ["body", "end"],
  and: ["right side", "left side is false"],
  or: ["right side", "left side is true"],
} as const;

export type DecisionKind = keyof typeof DECISION_WAYS;

export interface RegisterNote {
  readonly regs: RegsType;
  readonly register: string;
  /** Null: all of it. */
  readonly field: string | null;
}

export interface CoverageNotes {
  /** By `placeKey`. */
  readonly decisions: Map<string, DecisionKind>;
  readonly registers: Map<string, RegisterNote>;
}

export function createCoverageNotes(): CoverageNotes {
  return { decisions: new Map(), registers: new Map() };
}

export function placeKey(path: string, line: number, column: number): string {
  return `${path}:${line}:${column}`;
}

function keyOf({ source, start }: Span): string {
  const { line, column } = positionAt(source, start);
  return placeKey(source.path, line, column);
}

export function noteDecision(notes: CoverageNotes, kind: DecisionKind, span: Span): void {
  notes.decisions.set(keyOf(span), kind);
}

/** A read stands at the place itself, a write at its statement, which begins with the place. */
export function noteRegister(notes: CoverageNotes, place: HPlace & { readonly kind: "register" | "register-field" }): void {
  const field = place.kind === "register-field" ? place.field.name : null;
  notes.registers.set(keyOf(place.span), { regs: place.regs, register: place.register.name, field });
}
