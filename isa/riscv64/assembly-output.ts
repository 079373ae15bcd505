// What the assembler's two passes share: the length of a statement and how it writes itself, what names stand for, and the
// bytes with the places that an address goes into.

import { AssemblyError, readExpression } from "./assembly-text.ts";
import type { ResolveName, Token, Value } from "./assembly-text.ts";
import { findFRegister, findXRegister } from "./registers.ts";
import { applyRelocation } from "./relocations.ts";
import type { Relocation, RelocationKind } from "./relocations.ts";

/** A statement whose length is known after the first pass; the second calls `write`. */
export interface SizedStatement {
  readonly length: number;
  readonly write: (output: Output, offset: number) => void;
}

export interface Output {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly relocations: Relocation[];
  readonly scope: Scope;
  /** Address of the first byte. */
  readonly origin: bigint | undefined;
}

/** Every name that the text may use. */
export interface Scope {
  readonly labels: Map<string, number>;
  readonly numberedLabels: { readonly number: string; readonly offset: number }[];
  readonly constants: Map<string, bigint>;
  readonly isOutsideSymbol: ((name: string) => boolean) | undefined;
}

export const isRegister = (name: string): boolean => findXRegister(name) !== undefined || findFRegister(name) !== undefined;

/** Names as the second pass knows them, for a statement at this offset. */
export function resolverAt(here: number, scope: Scope): ResolveName {
  const at = (offset: number): Value => ({ constant: BigInt(offset), base: { kind: "here" } });
  return (token) => {
    if (token.kind === "local") return at(findNumberedLabel(token, here, scope));
    if (token.text === ".") return at(here);
    const label = scope.labels.get(token.text);
    if (label !== undefined) return at(label);
    const constant = scope.constants.get(token.text);
    if (constant !== undefined) return { constant };
    if (isRegister(token.text)) throw new AssemblyError(token, `a value expected, found register \`${token.text}\``);
    if (scope.isOutsideSymbol?.(token.text) === true) {
      return { constant: 0n, base: { kind: "outside", symbol: token.text } };
    }
    throw unknownName(token, "name", [...scope.labels.keys(), ...scope.constants.keys()]);
  };
}

/** `1b` is the last `1:` at or before this statement, `1f` the next one after its start. */
function findNumberedLabel(token: Token, here: number, scope: Scope): number {
  const number = token.text.slice(0, -1);
  const isBack = token.text.endsWith("b");
  const found = isBack
    ? scope.numberedLabels.findLast((label) => label.number === number && label.offset <= here)
    : scope.numberedLabels.find((label) => label.number === number && label.offset > here);
  if (found === undefined) throw new AssemblyError(token, `no label \`${number}:\` ${isBack ? "before" : "after"} this`);
  return found.offset;
}

/** Names that the first pass knows: constants defined so far. Lengths may depend on nothing else. */
function constantResolver(constants: ReadonlyMap<string, bigint>): ResolveName {
  return (token) => {
    const constant = token.kind === "name" ? constants.get(token.text) : undefined;
    if (constant !== undefined) return { constant };
    throw new AssemblyError(
      token,
      `\`${token.text}\` is not a constant defined before this`,
      "the length of this statement depends on it, so labels do not work here; use `la` for addresses",
    );
  };
}

export function readConstant(tokens: readonly Token[], after: Token, scope: Scope): bigint {
  return readWhole(tokens, after, constantResolver(scope.constants)).constant;
}

export function readWhole(tokens: readonly Token[], after: Token, resolve: ResolveName): Value {
  const { value, end } = readExpression(tokens, 0, after, resolve);
  const extra = tokens[end];
  if (extra !== undefined) throw new AssemblyError(extra, `unexpected \`${extra.text}\``);
  return value;
}

/** Patches a field with an address, or leaves a relocation where the address is not known yet. */
export function putAddress(output: Output, kind: RelocationKind, offset: number, value: Value, at: Token): void {
  const { origin } = output;
  if (value.base?.kind === "outside") {
    output.relocations.push({ offset, kind, symbol: value.base.symbol, addend: value.constant });
    return;
  }
  const isDistance = kind !== "absolute32" && kind !== "absolute64";
  const isLabel = value.base !== undefined;
  if (origin === undefined && isDistance !== isLabel) {
    throw new AssemblyError(at, "this needs to know at which address the code will be", "give the assembler an origin");
  }
  const start = origin ?? 0n;
  const target = isLabel ? start + value.constant : value.constant;
  const problem = applyRelocation(output.bytes, kind, offset, start + BigInt(offset), target);
  if (problem !== undefined) throw new AssemblyError(at, `\`${at.text}\` ${problem}`);
}

export function putWord(output: Output, offset: number, length: 2 | 4, word: number): void {
  if (length === 4) output.view.setUint32(offset, word, true);
  else output.view.setUint16(offset, word, true);
}

export function unknownName(token: Token, what: string, known: readonly string[]): AssemblyError {
  const near = nearestName(token.text, known);
  return new AssemblyError(token, `unknown ${what} \`${token.text}\``, near === undefined ? undefined : `did you mean \`${near}\`?`);
}

/** The name that differs least, if it differs little. */
function nearestName(name: string, known: readonly string[]): string | undefined {
  const most = Math.max(1, Math.floor(name.length / 3));
  const ranked = known.map((candidate) => ({ candidate, distance: editDistance(name.toLowerCase(), candidate) })).toSorted((a, b) => a.distance - b.distance);
  const [best] = ranked;
  return best !== undefined && best.distance <= most ? best.candidate : undefined;
}

/** Insertions, deletions, replacements and swaps of neighbours. */
function editDistance(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    for (let j = 1; j <= to.length; j++) {
      const cost = from[i - 1] === to[j - 1] ? 0 : 1;
      let best = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + cost);
      if (i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]) {
        best = Math.min(best, (beforeLast[j - 2] ?? 0) + 1);
      }
      row.push(best);
    }
    beforeLast = last;
    last = row;
  }
  return last[to.length] ?? 0;
}
