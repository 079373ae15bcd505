// The operations of the interpreter: which instructions it carries out itself, and under which number a decoded entry names them. What
// is not here, or reached seldom, is `cold` and executed by execute.ts, which also executes what a guard turns away.
// Branches and jumps have two forms: near ones stay in their page, where the distance in decoded entries is known beforehand.

import { byWidth, type RegisterWidth } from "../../../isa/riscv64/by-width.ts";
import type { Mnemonic } from "../../../isa/riscv64/instructions.ts";
import { describeBranches } from "./semantics/control.ts";
import type { Expression } from "./semantics/expressions.ts";
import type { Guarded } from "./semantics/guarded.ts";
import { describeFloat, type FloatName } from "./semantics/float.ts";
import { describeInteger } from "./semantics/integer.ts";
import { ATOMICS, LOADS, LOADS_RESERVED, STORES, STORES_CONDITIONAL, type AtomicMeaning, type LoadMeaning, type StoreMeaning } from "./semantics/memory.ts";
import { describeAccesses, TRANSFERS, type accessName } from "./semantics/privileged.ts";

export const computationsOf: (width: RegisterWidth) => ReadonlyMap<Mnemonic, Expression> = byWidth(describeInteger);
export const branchesOf: (width: RegisterWidth) => ReadonlyMap<Mnemonic, Expression> = byWidth(describeBranches);
const describedFloats = byWidth(describeFloat);
/** Names are looked for that may be no instruction's. */
export const findFloat = (name: string, width: RegisterWidth): Guarded | undefined =>
  isFloat(name) ? (describedFloats(width) as ReadonlyMap<string, Guarded>).get(name) : undefined;

export type Operation =
  /** Not decoded yet. The number is 0, so that cleared memory means it. */
  | { readonly kind: "undecoded" }
  /** The same, and the code cache has to be asked what it is: not only what the bytes say. */
  | { readonly kind: "asked" }
  /** Behind the last instruction of a page. */
  | { readonly kind: "page-end" }
  | { readonly kind: "cold" }
  /** A debugger may want to stop here; what is meant stands elsewhere. */
  | { readonly kind: "breakpoint" }
  /** A region begins here; what is meant stands elsewhere. */
  | { readonly kind: "region" }
  | { readonly kind: "nothing" }
  /** A load into an integer register that was seen to meet devices: the entry has its `accessForm` where other instructions have rs2. */
  | { readonly kind: "device-load" }
  | { readonly kind: "compute"; readonly value: Expression }
  | { readonly kind: "load"; readonly meaning: LoadMeaning }
  | { readonly kind: "store"; readonly meaning: StoreMeaning }
  | { readonly kind: "atomic"; readonly meaning: AtomicMeaning }
  | { readonly kind: "load-reserved"; readonly width: 4 | 8 }
  | { readonly kind: "store-conditional"; readonly width: 4 | 8 }
  | { readonly kind: "branch"; readonly taken: Expression; readonly isNear: boolean }
  | { readonly kind: "jump"; readonly isNear: boolean; readonly hasLink: boolean }
  | { readonly kind: "jump-register"; readonly hasLink: boolean }
  | { readonly kind: "guarded"; readonly meaning: Guarded };

/** The first operations, the same for both widths: one knows their numbers without anything else. */
export const FIXED_NUMBER = { undecoded: 0, "page-end": 1, cold: 2, breakpoint: 3, region: 4, nothing: 5, "device-load": 6, asked: 7 } as const;
type FixedName = keyof typeof FIXED_NUMBER;
const FIXED = Object.keys(FIXED_NUMBER) as readonly FixedName[];
/** "jr", which comes behind them. */
export const JUMP_REGISTER = FIXED.length;

export type OperationName = Mnemonic | FixedName | `${Mnemonic}.far` | "j" | "j.far" | "jr" | FloatName | ReturnType<typeof accessName>;

/** Operations of which a name tells that it may be among them: what the others of a width compute need not be worked out to find one. */
interface Group {
  readonly mayHave: (name: string) => boolean;
  readonly rows: (width: RegisterWidth) => ReadonlyMap<string, Operation>;
}

type Row = readonly [OperationName, Operation];
const always = (): boolean => true;
const guarded = ([name, meaning]: readonly [OperationName, Guarded]): Row => [name, { kind: "guarded", meaning }];
const isFloat = (name: string): boolean => name.startsWith("f");

const WITHOUT_WIDTH: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  ...[...LOADS].map(([name, meaning]): Row => [name, { kind: "load", meaning }]),
  ...[...STORES].map(([name, meaning]): Row => [name, { kind: "store", meaning }]),
  ...[...ATOMICS].map(([name, meaning]): Row => [name, { kind: "atomic", meaning }]),
  ...[...LOADS_RESERVED].map(([name, width]): Row => [name, { kind: "load-reserved", width }]),
  ...[...STORES_CONDITIONAL].map(([name, width]): Row => [name, { kind: "store-conditional", width }]),
  ["jal", { kind: "jump", isNear: true, hasLink: true }],
  ["jal.far", { kind: "jump", isNear: false, hasLink: true }],
  ["j", { kind: "jump", isNear: true, hasLink: false }],
  ["j.far", { kind: "jump", isNear: false, hasLink: false }],
  ["jalr", { kind: "jump-register", hasLink: true }],
]);

const FIRST: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  ...FIXED.map((kind): Row => [kind, { kind }]),
  ["jr", { kind: "jump-register", hasLink: false }],
]);

/** In the order of their numbers. */
const GROUPS: readonly Group[] = [
  { mayHave: always, rows: () => FIRST },
  { mayHave: always, rows: () => WITHOUT_WIDTH },
  {
    mayHave: (name) => name.startsWith("b"),
    rows: byWidth(
      (width) =>
        new Map(
          [...branchesOf(width)].flatMap(([name, taken]): readonly Row[] => [
            [name, { kind: "branch", taken, isNear: true }],
            [`${name}.far`, { kind: "branch", taken, isNear: false }],
          ]),
        ),
    ),
  },
  {
    mayHave: (name) => !isFloat(name),
    rows: byWidth((width) => new Map([...computationsOf(width)].map(([name, value]): Row => [name, { kind: "compute", value }]))),
  },
  { mayHave: (name) => name.includes(" "), rows: byWidth((width) => new Map([...describeAccesses(width)].map(guarded))) },
  { mayHave: always, rows: byWidth(() => new Map([...TRANSFERS].map(guarded))) },
  { mayHave: isFloat, rows: byWidth((width) => new Map([...describedFloats(width)].map(guarded))) },
];

function listOperations(width: RegisterWidth): readonly (readonly [string, Operation])[] {
  return GROUPS.flatMap((group) => [...group.rows(width)]);
}

/** Undefined: the interpreter leaves it to others. */
export function findOperation(name: string, width: RegisterWidth): Operation | undefined {
  for (const group of GROUPS) {
    const found = group.mayHave(name) ? group.rows(width).get(name) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

interface Numbered {
  readonly operations: readonly Operation[];
  readonly numbers: ReadonlyMap<string, number>;
}

function numberOperations(width: RegisterWidth): Numbered {
  const list = listOperations(width);
  if (list.length > 256) throw new Error("an operation's number has eight bits");
  return { operations: list.map(([, operation]) => operation), numbers: new Map(list.map(([name], index) => [name, index])) };
}

const numbered = byWidth(numberOperations);

export const operationsOf = (width: RegisterWidth): readonly Operation[] => numbered(width).operations;

/** What `device-load` has to know of a load: the power of its width above a bit for its sign, and a bit that says that it is there. */
export const DEVICE_FORM = { isSigned: 1, powerShift: 1, power: 0x06, isThere: 0x80 } as const;

/** More bits of what any load or store does. */
export const ACCESS_FORM = { isStore: 0x40, isFloat: 0x20 } as const;

/** What the operation accesses, in a byte; 0 if it is no load or store. */
export function accessForm(operation: Operation): number {
  if (operation.kind !== "load" && operation.kind !== "store") return 0;
  const { width, isFloat = false } = operation.meaning;
  const isSigned = operation.kind === "load" && operation.meaning.signed;
  const flags = (isSigned ? DEVICE_FORM.isSigned : 0) | (operation.kind === "store" ? ACCESS_FORM.isStore : 0) | (isFloat ? ACCESS_FORM.isFloat : 0);
  return DEVICE_FORM.isThere | (Math.log2(width) << DEVICE_FORM.powerShift) | flags;
}

/** Of an `accessForm`: a load that `device-load` can stand for, whose form it then is. */
export const isIntegerLoad = (form: number): boolean => form !== 0 && (form & (ACCESS_FORM.isStore | ACCESS_FORM.isFloat)) === 0;

export function operationNumber(name: OperationName, width: RegisterWidth = 64): number {
  const number = numbered(width).numbers.get(name);
  if (number === undefined) throw new Error(`no operation ${name}`);
  return number;
}

export function hasOperation(name: string, width: RegisterWidth = 64): name is OperationName {
  return findOperation(name, width) !== undefined;
}
