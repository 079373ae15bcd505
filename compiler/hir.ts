// The checked program: every name resolved, every expression typed, every literal adapted, every test's cases known. The checker
// makes it from the AST, lowering reads it; it still speaks the language's concepts, not instructions. Locals know whether they
// must live in memory (captured by a handler or cpu block, address taken, shared), which is all that lowering needs to place them.

import type { ArithmeticOp, CompareOp, Need } from "../grammar/ast.ts";
import type { Span } from "../grammar/source.ts";
import type { SysIsa } from "../isa/bytecode/module.ts";
import type { SystemRegisters } from "../isa/machine-language.ts";
import type { Register, RegisterField, RegsType, StructField, StructType, Type } from "./types.ts";

export interface Local {
  readonly name: string;
  readonly type: Type;
  readonly mutable: boolean;
  readonly span: Span;
  /** The function or closure that owns it. */
  readonly owner: FunctionBody;
  /** Lives in the owner's frame: captured by a closure, address taken, shared, or an aggregate. */
  inMemory: boolean;
  /** Accesses are volatile: another CPU or a handler sees them. */
  readonly shared: boolean;
  /** What gave it its type, for want of another: a message about that type shows it. */
  readonly guessedFrom?: Guess;
  used: boolean;
}

/** An untyped number that a variable begins with, or that what a loop or a test goes over does. */
export interface Guess {
  readonly kind: "value" | "range" | "list";
  readonly span: Span;
}

export interface Global {
  readonly name: string;
  readonly type: Type;
  readonly span: Span;
  readonly initial: ConstValue | null;
  readonly shared: boolean;
  /** Set again before every test (fixture variables). */
  readonly perTest: boolean;
  /** The compiler's own data, which no code changes. */
  readonly isConstant?: true;
}

/** A function, a test body, or a closure (handler, cpu block, trap body, deferred block). */
export interface FunctionBody {
  readonly name: string;
  /** For closures: the body around it, whose frame it reads. */
  readonly parent: FunctionBody | null;
  params: readonly Local[];
  result: Type;
  block: HBlock;
  /** Where the whole is written, for traps at entry. */
  readonly span: Span;
  /** A closure inside it reaches variables of its parents, so it must keep its own environment in memory. */
  keepsEnvironment: boolean;
  /** A variable of a body around it that it reaches. */
  captures?: Local;
  /** A closure that is called as a function is, with parameters and a result. */
  isStub?: true;
  /** A fake's method that the fake leaves out. */
  isUnanswered?: true;
  /** A fake's method: where in the fake its calls are logged. */
  log?: CallLog;
  /** A test's body: its frame is there for as long as what stands in it. */
  isTest?: true;
  /** A library function's, until it is checked (`completeBody`). */
  check?: (() => void) | undefined;
}

/** Whoever wants the block of a library function, or what checking it finds, sees to it that it is checked. */
export function completeBody(body: FunctionBody): void {
  const { check } = body;
  if (check === undefined) return;
  body.check = undefined;
  check();
}

export interface HFunction {
  readonly name: string;
  readonly span: Span;
  /** Filled when its signature is resolved. */
  type: { readonly params: readonly Type[]; readonly result: Type };
  /** Filled when its body is checked. */
  body: FunctionBody | null;
  /** What is called while it is stubbed; only functions that some stub names have it. */
  stub?: StubPoint;
  /** The function itself, whatever stub it has. */
  readonly realOf?: HFunction;
}

/** Calls that are answered, or expected, or both. */
export interface Answer {
  readonly point: StubPoint;
  /** The value whose method it is: others are not meant. A pointer. */
  readonly self: HExpr | null;
  /** By parameter; null: any. */
  readonly matches: readonly (HExpr | null)[];
  /** None: what stood before answers. One: it answers every call. */
  readonly answers: readonly HExpr[];
  readonly times: { readonly min: HExpr; readonly max: HExpr } | null;
  /** The state of one execution of the statement: ANSWER_WORDS, then `matches` and `answers`. */
  readonly state: StructType;
  /** Stands for the function that answers. */
  readonly body: FunctionBody;
  readonly text: string;
  readonly span: Span;
}

/** A log in a fake: offsets of the method's own and of that of all calls, which has names. */
export interface CallLog {
  readonly method: string;
  readonly offset: number;
  readonly record: StructType;
  readonly allOffset: number;
  readonly allRecord: StructType;
}

/** A function that stubs replace. */
export interface StubPoint {
  readonly function: HFunction;
  /** Five words: the stub's code (0: none) and environment; whether those from before the test's body are kept, and they. */
  readonly slot: Global;
  /** A call in the log: `sequence` among all logged calls, then the arguments. */
  readonly record: StructType;
  /** The calls as a slice, and for how many there is room. */
  readonly log: Global;
}

export interface HBlock {
  readonly statements: readonly HStmt[];
  /** Pushes cleanups (defer, on irq) that must be popped at its end. */
  readonly hasCleanups: boolean;
}

export type HStmt =
  | { readonly kind: "block"; readonly block: HBlock }
  | { readonly kind: "let"; readonly local: Local; readonly value: HExpr | null; readonly span: Span }
  | { readonly kind: "assign"; readonly target: HPlace; readonly value: HExpr; readonly span: Span }
  /** `place op= value`: the place is evaluated once. */
  | { readonly kind: "update"; readonly target: HPlace; readonly op: ArithmeticOp; readonly value: HExpr; readonly span: Span }
  | { readonly kind: "expr"; readonly expr: HExpr; readonly span: Span }
  | { readonly kind: "if"; readonly condition: HExpr; readonly consequent: HBlock; readonly otherwise: HBlock | null }
  | { readonly kind: "while"; readonly condition: HExpr; readonly body: HBlock; readonly span: Span }
  | {
      readonly kind: "for-range";
      readonly local: Local;
      readonly start: HExpr;
      readonly end: HExpr;
      readonly inclusive: boolean;
      readonly body: HBlock;
      readonly span: Span;
    }
  | { readonly kind: "for-each"; readonly local: Local; readonly index: Local | null; readonly source: HExpr; readonly body: HBlock; readonly span: Span }
  | {
      readonly kind: "match";
      readonly value: HExpr;
      readonly arms: readonly { readonly ranges: readonly MatchRange[]; readonly body: HBlock }[];
      readonly otherwise: HBlock | null;
    }
  | { readonly kind: "return"; readonly value: HExpr | null; readonly span: Span }
  | { readonly kind: "break"; readonly span: Span }
  | { readonly kind: "continue"; readonly span: Span }
  | { readonly kind: "defer"; readonly body: FunctionBody; readonly span: Span }
  | { readonly kind: "answer"; readonly answer: Answer; readonly span: Span }
  /** Checked when the block around it ends. */
  | {
      readonly kind: "expect-call";
      readonly word: "expect" | "assert";
      readonly calls: readonly Answer[];
      readonly message: Text | null;
      /** Stands for the function that checks. */
      readonly check: FunctionBody;
      readonly span: Span;
    }
  | { readonly kind: "stub"; readonly point: StubPoint; readonly body: FunctionBody; readonly span: Span }
  /** In user mode, by the library's `user.run`; null: the target has none, and no test that runs gets here. */
  | { readonly kind: "user"; readonly run: HFunction | null; readonly body: FunctionBody; readonly span: Span }
  | {
      readonly kind: "check";
      readonly word: "expect" | "assert";
      readonly condition: HExpr;
      readonly within: HExpr | null;
      readonly waits: boolean;
      readonly message: Text | null;
      readonly span: Span;
      readonly conditionSpan: Span;
    }
  | {
      readonly kind: "expect-trap";
      readonly word: "expect" | "assert";
      readonly negated: boolean;
      /** A class of any target, or the own number of an exception of this one; null: any trap will do. */
      readonly trap: { readonly kind: "class" | "exception"; readonly number: number } | null;
      readonly expectedText: string;
      readonly fields: readonly { readonly field: TrapFieldName; readonly value: HExpr }[];
      readonly binding: Local | null;
      readonly body: FunctionBody;
      readonly message: Text | null;
      readonly span: Span;
    }
  | {
      readonly kind: "expect-log";
      readonly word: "expect" | "assert";
      readonly negated: boolean;
      readonly pattern: HExpr;
      /** How many lines matched. */
      readonly binding: Local | null;
      readonly body: FunctionBody;
      readonly message: Text | null;
      readonly span: Span;
    }
  | { readonly kind: "word"; readonly word: "fail" | "info" | "warn" | "skip"; readonly message: Text; readonly span: Span }
  | { readonly kind: "print"; readonly text: Text; readonly span: Span }
  | { readonly kind: "on-irq"; readonly source: HExpr; readonly body: FunctionBody; readonly span: Span }
  /** `inout` is read before and assigned after. Register names are canonical. */
  | {
      readonly kind: "asm";
      readonly isa: SysIsa;
      readonly bytes: Uint8Array;
      readonly operands: readonly AsmOperand[];
      readonly clobbers: readonly string[];
      readonly memory: boolean;
      readonly lines: readonly { readonly offset: number; readonly span: Span }[];
      readonly span: Span;
    }
  | { readonly kind: "cpus"; readonly blocks: readonly { readonly cpu: HExpr; readonly body: FunctionBody }[]; readonly span: Span };

export type AsmOperand =
  | { readonly kind: "in"; readonly register: string; readonly value: HExpr }
  | { readonly kind: "out" | "inout"; readonly register: string; readonly place: HPlace };

export interface MatchRange {
  readonly low: bigint;
  readonly high: bigint;
}

export type TrapFieldName = "address" | "access" | "width" | "value" | "pc";

/** Text with holes, printed piece by piece by the guest's formatter. */
export interface Text {
  readonly parts: readonly (
    | { readonly kind: "text"; readonly text: string }
    | { readonly kind: "value"; readonly expr: HExpr; readonly format: string | null }
  )[];
  readonly span: Span;
}

interface Typed {
  readonly type: Type;
  readonly span: Span;
}

/** Something with an address or a register behind it. */
export type HPlace = Typed &
  (
    | { readonly kind: "local"; readonly local: Local }
    | { readonly kind: "global"; readonly global: Global }
    | { readonly kind: "deref"; readonly pointer: HExpr }
    | { readonly kind: "field"; readonly object: HExpr; readonly field: StructField }
    | { readonly kind: "index"; readonly object: HExpr; readonly index: HExpr }
    | { readonly kind: "register"; readonly block: HExpr; readonly regs: RegsType; readonly register: Register; readonly index: HExpr | null }
    | {
        readonly kind: "register-field";
        readonly block: HExpr;
        readonly regs: RegsType;
        readonly register: Register;
        readonly index: HExpr | null;
        readonly field: RegisterField;
      }
    /** A register of the CPU that only instructions of its own reach: `riscv.csr.mstatus`. A `u64`. */
    | { readonly kind: "system-register"; readonly name: string; readonly number: number; readonly registers: SystemRegisters }
  );

const PLACES: ReadonlySet<string> = new Set<HPlace["kind"]>(["local", "global", "deref", "field", "index", "register", "register-field", "system-register"]);

export function isPlace(expr: HExpr): expr is HPlace {
  return PLACES.has(expr.kind);
}

export type HExpr =
  | HPlace
  | (Typed &
      (
        | { readonly kind: "const"; readonly value: ConstValue }
        | { readonly kind: "function"; readonly function: HFunction }
        | { readonly kind: "unary"; readonly op: "-" | "~" | "not"; readonly operand: HExpr }
        | { readonly kind: "arithmetic"; readonly op: ArithmeticOp; readonly left: HExpr; readonly right: HExpr }
        | { readonly kind: "compare"; readonly op: CompareOp; readonly left: HExpr; readonly right: HExpr }
        | { readonly kind: "logic"; readonly op: "and" | "or"; readonly left: HExpr; readonly right: HExpr }
        /** Membership in a range, or in a list of values (array, slice). */
        | {
            readonly kind: "in-range";
            readonly value: HExpr;
            readonly start: HExpr;
            readonly end: HExpr;
            readonly inclusive: boolean;
            readonly negated: boolean;
          }
        | { readonly kind: "in-list"; readonly value: HExpr; readonly list: HExpr; readonly negated: boolean }
        /** Text against a pattern with wildcards. */
        | { readonly kind: "matches"; readonly left: HExpr; readonly right: HExpr }
        /** No further off than the tolerance, to either side. */
        | { readonly kind: "near"; readonly left: HExpr; readonly right: HExpr; readonly tolerance: HExpr }
        /** A number or address that is an error number below zero; null: any. */
        | { readonly kind: "is-error"; readonly value: HExpr; readonly number: bigint | null; readonly negated: boolean }
        | { readonly kind: "convert"; readonly operand: HExpr }
        /** [N]T as []T. */
        | { readonly kind: "array-to-slice"; readonly operand: HExpr }
        | { readonly kind: "call"; readonly function: HFunction; readonly args: readonly HExpr[] }
        | { readonly kind: "call-indirect"; readonly callee: HExpr; readonly args: readonly HExpr[] }
        /** A pointer to a struct as the interface that it implements. */
        | { readonly kind: "to-interface"; readonly operand: HExpr; readonly table: Global }
        /** A method of an interface, by its place in the method table. */
        | { readonly kind: "call-method"; readonly object: HExpr; readonly slot: number; readonly args: readonly HExpr[] }
        | { readonly kind: "intrinsic"; readonly name: string; readonly args: readonly HExpr[] }
        | { readonly kind: "length"; readonly object: HExpr }
        | { readonly kind: "slice-pointer"; readonly object: HExpr }
        | { readonly kind: "slice-of"; readonly object: HExpr; readonly start: HExpr | null; readonly end: HExpr | null }
        /** Of a place, or of a temporary aggregate (`self` of a method called on a result). */
        | { readonly kind: "address-of"; readonly place: HExpr }
        | { readonly kind: "array"; readonly elements: readonly HExpr[] }
        | { readonly kind: "array-fill"; readonly element: HExpr }
        | { readonly kind: "struct"; readonly fields: readonly { readonly field: StructField; readonly value: HExpr }[] }
        | { readonly kind: "regs-at"; readonly address: HExpr; readonly space: HExpr }
        | { readonly kind: "if"; readonly condition: HExpr; readonly consequent: HExpr; readonly otherwise: HExpr }
        | { readonly kind: "error" }
      ));

/** The expression with its direct operands replaced. */
export function mapOperands(expr: HExpr, map: (operand: HExpr) => HExpr): HExpr {
  switch (expr.kind) {
    case "local":
    case "global":
    case "system-register":
    case "const":
    case "function":
    case "error":
      return expr;
    case "deref":
      return { ...expr, pointer: map(expr.pointer) };
    case "field":
    case "length":
    case "slice-pointer":
      return { ...expr, object: map(expr.object) };
    case "index":
      return { ...expr, object: map(expr.object), index: map(expr.index) };
    case "register":
    case "register-field":
      return { ...expr, block: map(expr.block), index: expr.index && map(expr.index) };
    case "unary":
    case "convert":
    case "array-to-slice":
    case "to-interface":
      return { ...expr, operand: map(expr.operand) };
    case "arithmetic":
    case "compare":
    case "logic":
    case "matches":
      return { ...expr, left: map(expr.left), right: map(expr.right) };
    case "near":
      return { ...expr, left: map(expr.left), right: map(expr.right), tolerance: map(expr.tolerance) };
    case "is-error":
      return { ...expr, value: map(expr.value) };
    case "in-range":
      return { ...expr, value: map(expr.value), start: map(expr.start), end: map(expr.end) };
    case "in-list":
      return { ...expr, value: map(expr.value), list: map(expr.list) };
    case "call":
    case "intrinsic":
      return { ...expr, args: expr.args.map(map) };
    case "call-method":
      return { ...expr, object: map(expr.object), args: expr.args.map(map) };
    case "call-indirect":
      return { ...expr, callee: map(expr.callee), args: expr.args.map(map) };
    case "slice-of":
      return { ...expr, object: map(expr.object), start: expr.start && map(expr.start), end: expr.end && map(expr.end) };
    case "address-of":
      return { ...expr, place: map(expr.place) };
    case "array":
      return { ...expr, elements: expr.elements.map(map) };
    case "array-fill":
      return { ...expr, element: map(expr.element) };
    case "struct":
      return { ...expr, fields: expr.fields.map(({ field, value }) => ({ field, value: map(value) })) };
    case "regs-at":
      return { ...expr, address: map(expr.address), space: map(expr.space) };
    case "if":
      return { ...expr, condition: map(expr.condition), consequent: map(expr.consequent), otherwise: map(expr.otherwise) };
  }
}

/** A compiled test: its cases are known before anything runs. */
export interface HTest {
  readonly name: string;
  readonly span: Span;
  readonly line: number;
  readonly endLine: number;
  readonly tags: readonly string[];
  readonly attributes: Readonly<Record<string, string>>;
  readonly covers: readonly string[];
  /** Those written, and those that its code turned out to have. */
  readonly needs: readonly CheckedNeed[];
  readonly on: readonly string[];
  /** Why it cannot run on the machine compiled for: its code stays out of the image. */
  readonly unmet: string | null;
  readonly timeout: number | null;
  readonly sources: readonly HSource[];
  readonly body: FunctionBody;
  readonly cases: readonly HCase[];
  /** The table (HTable) whose hooks run around it. */
  readonly table: HTable | null;
}

/** Values that a test's variable takes; a table's are structs, unpacked into its columns where `locals` has several. */
export interface HSource {
  readonly element: Type;
  readonly values: readonly ConstValue[];
  readonly locals: readonly Local[];
}

export interface HCase {
  readonly row: number;
  readonly name: string | null;
  readonly span: Span;
  readonly xfail: string | null;
  readonly skip: string | null;
  /** What its rows say beside what their test says; mostly nothing. */
  readonly attributes: readonly Attributes[];
}

export interface HTable {
  readonly name: string;
  readonly row: Type;
  readonly rows: readonly HRow[];
  setup: FunctionBody | null;
  teardown: FunctionBody | null;
}

export interface HRow {
  readonly value: ConstValue;
  readonly name: string | null;
  readonly span: Span;
  readonly xfail: string | null;
  readonly skip: string | null;
  /** Where each cell is written, to show "expected value from here". */
  readonly cells: readonly Span[];
  readonly attributes: Attributes | null;
}

export interface HSuite {
  readonly name: string;
  readonly span: Span;
  readonly path: string;
  readonly tests: readonly HTest[];
  readonly setup: FunctionBody | null;
  readonly teardown: FunctionBody | null;
  readonly fixtureSetup: FunctionBody | null;
  readonly fixtureTeardown: FunctionBody | null;
  readonly fixtureVars: readonly Global[];
  readonly tables: readonly HTable[];
  /** What its hooks and the tests that run stub. */
  readonly stubs: readonly HFunction[];
  /** Those whose calls are asked for. */
  readonly logged: ReadonlySet<HFunction>;
  /** Some calls are logged: of stubs or of fakes. */
  readonly hasLogs: boolean;
}

export type ConstValue =
  /** Integers, bool (0 or 1), enums and addresses. */
  | { readonly kind: "int"; readonly value: bigint }
  /** The bytes of a str, [N]u8 or []u8. */
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  /** Elements of an array or slice. */
  | { readonly kind: "list"; readonly items: readonly ConstValue[] }
  /** One value a field, in the struct's order. */
  | { readonly kind: "struct"; readonly fields: readonly ConstValue[] }
  | { readonly kind: "function"; readonly function: HFunction }
  /** Where a variable lies; made by lowering only. */
  | { readonly kind: "address"; readonly global: Global }
  /** All bytes zero, for whatever type. */
  | { readonly kind: "zero" };

export interface Attributes {
  readonly tags: readonly string[];
  readonly covers: readonly string[];
  readonly timeout: number | null;
  /** The others by name with their text: `slow`, `very_slow` and `isolated`, which are tags too, `exits` with the code, `deviates` with a line for each that is written, the project's own. */
  readonly flags: Readonly<Record<string, string>>;
}

export interface CheckedNeed {
  readonly name: string;
  readonly args: readonly string[];
  readonly span: Need["span"];
}

export function createBody(name: string, span: Span, parent: FunctionBody | null, result: Type): FunctionBody {
  return { name, parent, params: [], result, block: { statements: [], hasCleanups: false }, span, keepsEnvironment: false };
}

export function createLocal(
  body: FunctionBody,
  name: string,
  type: Type,
  span: Span,
  options: { readonly mutable?: boolean; readonly shared?: boolean; readonly guessedFrom?: Guess | undefined } = {},
): Local {
  const { shared = false, guessedFrom } = options;
  const local: Local = { name, type, mutable: options.mutable ?? false, span, owner: body, inMemory: shared, shared, used: false };
  return guessedFrom === undefined ? local : { ...local, guessedFrom };
}
