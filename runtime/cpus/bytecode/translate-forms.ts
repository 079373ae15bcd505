// Sums of registers times constants, plus a constant: what the translator knows of how an address was computed. They are numbers modulo 2^32, as an
// index of RAM needs no more, and compared by what they are made of, not by what they come to. Pointers follow them through loops
// (translate-loops.ts), and rounds that are made several at a time tell from them how far an access moves (translate-vectors.ts).

import type { ValueType } from "../wasm/encoder.ts";

/** A register as it is between two writes of it, times a constant. Locals, not registers: callees that are written in place have theirs. */
export interface Term {
  readonly local: number;
  readonly version: number;
  readonly times: number;
  readonly type: ValueType;
}

/** The sum of the terms and the constant, modulo 2^32: an index of RAM needs no more. Terms are in the order of their locals. */
export interface Form {
  readonly terms: readonly Term[];
  readonly plus: number;
}

/** Longer sums are a register of their own again. */
const MAX_TERMS = 4;

export function constantForm(plus: number): Form {
  return { terms: [], plus };
}

function checked(terms: readonly Term[], plus: number): Form | undefined {
  if (terms.length > MAX_TERMS || !Number.isSafeInteger(plus)) return undefined;
  return terms.every((term) => Number.isSafeInteger(term.times)) ? { terms, plus } : undefined;
}

/** The sum of one form and a multiple of another. */
export function addForms(left: Form, right: Form, times: 1 | -1): Form | undefined {
  const terms: Term[] = [...left.terms];
  for (const term of right.terms) {
    const same = terms.findIndex((each) => each.local === term.local);
    const known = terms[same];
    if (known === undefined) terms.push({ ...term, times: term.times * times });
    else if (known.times + term.times * times === 0) terms.splice(same, 1);
    else terms[same] = { ...known, times: known.times + term.times * times };
  }
  terms.sort((a, b) => a.local - b.local);
  return checked(terms, left.plus + right.plus * times);
}

export function scaleForm(form: Form, by: number): Form | undefined {
  if (by === 0) return constantForm(0);
  return checked(
    form.terms.map((term) => ({ ...term, times: term.times * by })),
    form.plus * by,
  );
}

/** Whether two sums have the same terms: all that is between them is a constant. */
export function isSameSum(left: readonly Term[], right: readonly Term[]): boolean {
  return left.length === right.length && left.every((term, n) => term.local === right[n]?.local && term.times === right[n]?.times);
}
