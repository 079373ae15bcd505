// What the assemblers' two passes share: the length of a statement and how it writes itself, what names stand for, and the
// bytes with the places that an address goes into. What only an instruction set can know comes in its `Dialect` (what text
// means) and its `AssemblyRules` (what bytes mean).

import { nearestName } from "../../grammar/nearest-name.ts";
import { TEXT_START, type ApplyRelocation, type Relocation } from "./instruction-set.ts";
import { AssemblyError, readExpression } from "./text.ts";
import type { Notation, ResolveName, Token, Value } from "./text.ts";

export interface Dialect {
  readonly notation: Notation;
  readonly isRegister: (name: string) => boolean;
  /** How an address gets into a register, to stand behind "labels do not work here; use ". */
  readonly addressAdvice: string;
  /** Data directives beside those whose names tell their widths (`.word` is 2 bytes on x86). */
  readonly dataWidths: Readonly<Record<string, 1 | 2 | 4 | 8>>;
  /** What `.align` takes, which GNU as has differently for every target. */
  readonly alignTakes: "bytes" | "exponent";
}

/**
 * What a relocation's field says of its target: how far it is (known as soon as both are in one text), where it is, or something
 * that takes both addresses (the distance of two pages).
 */
export type RelocationReach = "distance" | "address" | "both";

export interface AssemblyRules<Kind extends string> extends Dialect {
  readonly relocations: Readonly<Record<Kind, RelocationReach>>;
  readonly applyRelocation: ApplyRelocation<Kind>;
  /** The kinds of plain data; a narrower datum holds no address. */
  readonly dataRelocations: Readonly<Record<4 | 8, Kind>>;
  /** Fills what an alignment skips, which may be executed. */
  readonly pad: (output: Output<Kind>, offset: number, length: number) => void;
  /** Directives of this instruction set alone, by name. */
  readonly directives: Readonly<Record<string, SizeStatement<Kind>>>;
  readonly sizeInstruction: SizeStatement<Kind>;
}

/** The first pass over one statement, whose `head` is its first token; undefined: it takes no room. */
export type SizeStatement<Kind extends string> = (head: Token, rest: readonly Token[], offset: number, scope: Scope) => SizedStatement<Kind> | undefined;

/** A statement whose length is known after the first pass; the second calls `write`. */
export interface SizedStatement<Kind extends string> {
  readonly length: number;
  readonly write: (output: Output<Kind>, offset: number) => void;
}

export interface Output<Kind extends string> {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly relocations: Relocation<Kind>[];
  readonly rules: AssemblyRules<Kind>;
  readonly scope: Scope;
  /** Address of the first byte. */
  readonly origin: bigint | undefined;
  readonly isRelocatable: boolean;
}

/** Every name that the text may use. */
export interface Scope {
  readonly dialect: Dialect;
  readonly labels: Map<string, number>;
  readonly numberedLabels: { readonly number: string; readonly offset: number }[];
  readonly constants: Map<string, bigint>;
  readonly isOutsideSymbol: ((name: string) => boolean) | undefined;
}

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
    if (scope.dialect.isRegister(token.text)) throw new AssemblyError(token, `a value expected, found register \`${token.text}\``);
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
function constantResolver({ constants, dialect }: Scope): ResolveName {
  return (token) => {
    const constant = token.kind === "name" ? constants.get(token.text) : undefined;
    if (constant !== undefined) return { constant };
    throw new AssemblyError(
      token,
      `\`${token.text}\` is not a constant defined before this`,
      `the length of this statement depends on it, so labels do not work here; use ${dialect.addressAdvice}`,
    );
  };
}

export function readConstant(tokens: readonly Token[], after: Token, scope: Scope): bigint {
  return readWhole(tokens, after, constantResolver(scope)).constant;
}

export function readWhole(tokens: readonly Token[], after: Token, resolve: ResolveName): Value {
  const { value, end } = readExpression(tokens, 0, after, resolve);
  const extra = tokens[end];
  if (extra !== undefined) throw new AssemblyError(extra, `unexpected \`${extra.text}\``);
  return value;
}

/** Patches a field with an address, or leaves a relocation where the address is not known yet. */
export function putAddress<Kind extends string>(output: Output<Kind>, kind: Kind, offset: number, value: Value, at: Token): void {
  const { origin, isRelocatable, rules } = output;
  if (value.base?.kind === "outside") {
    output.relocations.push({ offset, kind, symbol: value.base.symbol, addend: value.constant });
    return;
  }
  const reach = rules.relocations[kind];
  const isLabel = value.base !== undefined;
  if (origin === undefined && reach !== (isLabel ? "distance" : "address")) {
    if (isLabel && isRelocatable) {
      output.relocations.push({ offset, kind, symbol: TEXT_START, addend: value.constant });
      return;
    }
    throw new AssemblyError(at, "this needs to know at which address the code will be", "give the assembler an origin");
  }
  const start = origin ?? 0n;
  const target = isLabel ? start + value.constant : value.constant;
  const problem = rules.applyRelocation(output.bytes, kind, offset, start + BigInt(offset), target);
  if (problem !== undefined) throw new AssemblyError(at, `\`${at.text}\` ${problem}`);
}

export function putWord(output: Pick<Output<never>, "view">, offset: number, length: 2 | 4, word: number): void {
  if (length === 4) output.view.setUint32(offset, word, true);
  else output.view.setUint16(offset, word, true);
}

export function unknownName(token: Token, what: string, known: readonly string[]): AssemblyError {
  const near = nearestName(token.text, known);
  return new AssemblyError(token, `unknown ${what} \`${token.text}\``, near === undefined ? undefined : `did you mean \`${near}\`?`);
}
