// The AST: the first narrow waist. The DSL parser and the YAML front end both build it, the formatter prints it, the compiler
// reads it; nothing else does. Nodes are plain readonly records with a `kind` and a span. It knows no target and resolves no name.

import type { Span } from "./source.ts";

export interface Name {
  readonly text: string;
  readonly span: Span;
}

/** A comment as written, for the formatter only. `ownLine`: nothing but white space stands before it. */
export interface Comment {
  readonly text: string;
  readonly span: Span;
  readonly ownLine: boolean;
}

/** One file. Recovery leaves out the declarations that did not parse. */
export interface File {
  readonly kind: "file";
  readonly span: Span;
  /** From `suite "name"`; absent in files that only hold code or tables. */
  readonly suite: SuiteHeader | null;
  readonly items: readonly Item[];
  readonly comments: readonly Comment[];
  /** Names of the declarations that recovery left out: an unknown name among them has its cause reported already. */
  readonly lost?: readonly string[];
}

/** `suite "name" [needs ..] [on ..]`, attributes before it. */
export interface SuiteHeader {
  readonly name: StringLiteral;
  readonly attributes: readonly Attribute[];
  readonly needs: readonly Need[];
  readonly on: readonly Name[];
  readonly span: Span;
}

export type Item =
  | UseItem
  | FnItem
  | ConstItem
  | VarItem
  | StructItem
  | InterfaceItem
  | EnumItem
  | RegsItem
  | TableItem
  | TestItem
  | FixtureItem
  | SuiteHookItem
  | TableHookItem;

/** `@slow`, `@tags(pci, mmio)`, `@timeout(5ms)`, `@covers("..")`. */
export interface Attribute {
  readonly kind: "attribute";
  readonly name: Name;
  readonly args: readonly Expr[];
  readonly span: Span;
}

/** `cpus(2)`, `pci(0x1b36:0x0005)`, `mmu`. A pci id is one `PciId` argument. */
export interface Need {
  readonly name: Name;
  readonly args: readonly (Expr | PciId)[];
  readonly span: Span;
}

export interface PciId {
  readonly kind: "pci-id";
  readonly vendor: bigint;
  readonly device: bigint;
  readonly span: Span;
}

/** `use pci`, `use "./sha1.gspec"`, `use "./a.gspec" as a`. A file without alias brings its names in unqualified; a lib module is a namespace. */
export interface UseItem {
  readonly kind: "use";
  readonly path: Name;
  readonly quoted: boolean;
  readonly alias: Name | null;
  readonly span: Span;
}

export interface Param {
  readonly name: Name;
  readonly type: TypeExpr;
}

export interface FnItem {
  readonly kind: "fn";
  readonly name: Name;
  readonly params: readonly Param[];
  readonly result: TypeExpr | null;
  readonly body: Block;
  /** `on TARGET` after the signature. */
  readonly on: readonly Name[];
  readonly span: Span;
}

/** `const NAME[: T] = expr`. Inside a struct or file. */
export interface ConstItem {
  readonly kind: "const";
  readonly name: Name;
  readonly type: TypeExpr | null;
  readonly value: Expr;
  readonly span: Span;
}

/** File-level `var name: T [= const expr]`: guest memory, fresh for every test. */
export interface VarItem {
  readonly kind: "var";
  readonly name: Name;
  readonly type: TypeExpr | null;
  readonly value: Expr | null;
  readonly shared: boolean;
  readonly span: Span;
}

/** `struct S: Base, Iface { a: T  b: T  fn method(self, ..) {..} }`; `self` is a `*S` parameter whose type is left out. */
export interface StructItem {
  readonly kind: "struct";
  readonly name: Name;
  /** What stands after the colon: the struct that it extends and the interfaces that it implements; absent without a colon. */
  readonly parents?: readonly NamedType[];
  /** `fake F: Iface { var contents: [32]u8  fn read(self, ..) {..} }`: its calls are logged, and methods may be left out. */
  readonly isFake?: true;
  readonly fields: readonly Param[];
  readonly methods: readonly FnItem[];
  readonly span: Span;
}

/** `interface I { fn method(self, ..) -> T }`: what its implementations can do. */
export interface InterfaceItem {
  readonly kind: "interface";
  readonly name: Name;
  readonly methods: readonly MethodSignature[];
  readonly span: Span;
}

export interface MethodSignature {
  readonly name: Name;
  readonly params: readonly Param[];
  readonly result: TypeExpr | null;
  readonly span: Span;
}

/** `enum E: u8 { A, B = 4 }`; the type defaults to u32. */
export interface EnumItem {
  readonly kind: "enum";
  readonly name: Name;
  readonly type: TypeExpr | null;
  readonly members: readonly { readonly name: Name; readonly value: Expr | null }[];
  readonly span: Span;
}

export type AccessWord = "ro" | "wo" | "rw" | "w1c" | "w1s" | "rc";

/** `regs R { lsr: u8 @5 ro reset = 0x60 { thre: 5, mode: 7..6 rw } }`. */
export interface RegsItem {
  readonly kind: "regs";
  readonly name: Name;
  readonly registers: readonly RegisterDecl[];
  readonly span: Span;
}

export interface RegisterDecl {
  readonly name: Name;
  readonly type: TypeExpr;
  /** Repetition: `msip: [8]u32 @0` is written through the array type. */
  readonly offset: Expr;
  readonly access: AccessWord | null;
  readonly reset: Expr | null;
  readonly fields: readonly FieldDecl[];
  readonly span: Span;
}

/** Bits `high..low` inclusive, or one bit. */
export interface FieldDecl {
  readonly name: Name;
  readonly high: Expr;
  readonly low: Expr | null;
  readonly access: AccessWord | null;
  readonly span: Span;
}

/** Inline table, `table more like pairs from "x.gspec.yaml"`, or `table t (a: u8) from "x.gspec.yaml"`. */
export interface TableItem {
  readonly kind: "table";
  readonly name: Name;
  readonly columns: readonly Param[] | null;
  readonly like: Name | null;
  readonly from: StringLiteral | null;
  /** Name of the table inside the YAML file when it has several: `from "x.yaml" table NAME`. */
  readonly fromTable: Name | null;
  readonly rows: readonly TableRow[];
  readonly span: Span;
}

export interface TableRow {
  readonly cells: readonly Expr[];
  /** `as "wraps"`. */
  readonly name: StringLiteral | null;
  readonly attributes: readonly Attribute[];
  /** `xfail "why"` / `skip "why"` after the cells. */
  readonly mark: Mark | null;
  readonly span: Span;
}

export interface Mark {
  readonly kind: "xfail" | "skip";
  readonly reason: StringLiteral;
  readonly span: Span;
}

/** `for x in SOURCE`; the source is a table, an array, a range or a compile-time call such as `edges(u64)`. */
export interface TestSource {
  readonly name: Name;
  readonly source: Expr;
  /** From YAML: the body sees the table's columns by their own names, and `name` is the row. */
  readonly unpack?: boolean;
}

export interface TestItem {
  readonly kind: "test";
  readonly name: StringLiteral;
  readonly sources: readonly TestSource[];
  readonly needs: readonly Need[];
  readonly on: readonly Name[];
  readonly attributes: readonly Attribute[];
  /** `xfail "why"` in the header. */
  readonly mark: Mark | null;
  readonly body: Block;
  readonly span: Span;
}

/** `fixture { var ..  setup {..} teardown {..} }`: fresh for every test of the file's suite. */
export interface FixtureItem {
  readonly kind: "fixture";
  readonly vars: readonly VarItem[];
  readonly setup: Block | null;
  readonly teardown: Block | null;
  readonly span: Span;
}

export interface SuiteHookItem {
  readonly kind: "suite-hook";
  readonly when: "setup" | "teardown";
  readonly body: Block;
  readonly span: Span;
}

/** `table setup for pairs {..}`. */
export interface TableHookItem {
  readonly kind: "table-hook";
  readonly when: "setup" | "teardown";
  readonly table: Name;
  readonly body: Block;
  readonly span: Span;
}

// ---- Types ----

export interface NamedType {
  readonly kind: "named-type";
  readonly module: Name | null;
  readonly name: Name;
  readonly span: Span;
}

export type TypeExpr =
  | NamedType
  | { readonly kind: "array-type"; readonly length: Expr; readonly element: TypeExpr; readonly span: Span }
  | { readonly kind: "slice-type"; readonly element: TypeExpr; readonly span: Span }
  | { readonly kind: "pointer-type"; readonly target: TypeExpr; readonly span: Span }
  | { readonly kind: "fn-type"; readonly params: readonly TypeExpr[]; readonly result: TypeExpr | null; readonly span: Span };

// ---- Statements ----

export interface Block {
  readonly kind: "block";
  readonly statements: readonly Stmt[];
  /** A statement in it did not parse, was reported and is left out: what follows from that needs no further report. */
  readonly broken?: boolean;
  readonly span: Span;
}

export type Stmt =
  | Block
  | LetStmt
  | AssignStmt
  | ExprStmt
  | IfStmt
  | WhileStmt
  | ForStmt
  | MatchStmt
  | ReturnStmt
  | { readonly kind: "break"; readonly span: Span }
  | { readonly kind: "continue"; readonly span: Span }
  | DeferStmt
  | StubStmt
  | AnswerStmt
  | ExpectCallStmt
  | CheckStmt
  | ExpectTrapStmt
  | ExpectLogStmt
  | WordStmt
  | SkipStmt
  | OnIrqStmt
  | CpuStmt
  | WaitUntilStmt
  | WhenTargetStmt
  | UserStmt
  | AsmStmt;

/** `let x[: T] = e` (cannot be assigned again), `var x: T [= e]`, `shared var` (visible to cpu blocks and handlers, volatile). */
export interface LetStmt {
  readonly kind: "let";
  readonly mutable: boolean;
  readonly shared: boolean;
  readonly name: Name;
  readonly type: TypeExpr | null;
  readonly value: Expr | null;
  readonly span: Span;
}

/** `place op= value`; op is "" for plain assignment, else the binary operator. */
export interface AssignStmt {
  readonly kind: "assign";
  readonly target: Expr;
  readonly op: ArithmeticOp | null;
  readonly value: Expr;
  readonly span: Span;
}

export interface ExprStmt {
  readonly kind: "expr-stmt";
  readonly expr: Expr;
  readonly span: Span;
}

export interface IfStmt {
  readonly kind: "if";
  readonly condition: Expr;
  readonly consequent: Block;
  readonly otherwise: Block | IfStmt | null;
  readonly span: Span;
}

export interface WhileStmt {
  readonly kind: "while";
  readonly condition: Expr;
  readonly body: Block;
  readonly span: Span;
}

/** `for x in a..b`, over arrays, slices and tables; `for i, x in xs` names the index too. */
export interface ForStmt {
  readonly kind: "for";
  readonly index: Name | null;
  readonly name: Name;
  readonly source: Expr;
  readonly body: Block;
  readonly span: Span;
}

/** `match e { 1, 2 { } 3..5 { } Color.red { } else { } }`. */
export interface MatchStmt {
  readonly kind: "match";
  readonly value: Expr;
  readonly arms: readonly { readonly patterns: readonly Expr[]; readonly body: Block; readonly span: Span }[];
  readonly otherwise: Block | null;
  readonly span: Span;
  /** Something within it does not parse: an arm may be left out. */
  readonly broken?: boolean;
}

export interface ReturnStmt {
  readonly kind: "return";
  readonly value: Expr | null;
  readonly span: Span;
}

export interface DeferStmt {
  readonly kind: "defer";
  readonly body: Block;
  readonly span: Span;
}

/** `stub fn read_sensor(id: u8) -> u16 {..}`: runs instead of the function, or method `Struct.method`. */
export interface StubStmt {
  readonly kind: "stub";
  /** A name, `module.name`, `Struct.method`. */
  readonly target: Expr;
  readonly params: readonly Param[];
  readonly result: TypeExpr | null;
  readonly body: Block;
  readonly span: Span;
}

/** `stub read_sensor returns 1, 2`, `stub fake.read returns 0`: one value answers every call, several answer one call each. */
export interface AnswerStmt {
  readonly kind: "answer";
  readonly target: Expr;
  readonly answers: readonly Expr[];
  readonly span: Span;
}

/** `expect call f(1, _) returns 2 times 1..3 then g(), "message"`; `expect no call f`. */
export interface ExpectCallStmt {
  readonly kind: "expect-call";
  readonly word: "expect" | "assert";
  readonly negated: boolean;
  /** Each after the one before. */
  readonly calls: readonly ExpectedCall[];
  readonly message: StringLiteral | null;
  readonly span: Span;
}

export interface ExpectedCall {
  /** A path, or a call of one: arguments, of which `_` is any. */
  readonly callee: Expr;
  readonly returns: Expr | null;
  /** A number or a range. */
  readonly times: Expr | null;
  readonly span: Span;
}

/** `user { .. }`: runs in user mode. */
export interface UserStmt {
  readonly kind: "user";
  readonly body: Block;
  readonly span: Span;
}

/** `expect e [within d] [, "message"]`, `assert ..`. */
export interface CheckStmt {
  readonly kind: "check";
  readonly word: "expect" | "assert";
  readonly condition: Expr;
  readonly within: Expr | null;
  readonly message: StringLiteral | null;
  readonly span: Span;
}

/** `expect [no] trap [class[(field: expr, ..)]] [as t] {..}`; `assert trap` too. */
export interface ExpectTrapStmt {
  readonly kind: "expect-trap";
  readonly word: "expect" | "assert";
  readonly negated: boolean;
  /** Null: any trap. */
  readonly trap: { readonly module: Name | null; readonly name: Name } | null;
  readonly fields: readonly { readonly name: Name; readonly value: Expr }[];
  readonly binding: Name | null;
  readonly body: Block;
  readonly message: StringLiteral | null;
  readonly span: Span;
}

/** `expect [no] log "pattern" [as n] {..}`; `assert log` too. */
export interface ExpectLogStmt {
  readonly kind: "expect-log";
  readonly word: "expect" | "assert";
  readonly negated: boolean;
  readonly pattern: StringLiteral;
  readonly binding: Name | null;
  readonly body: Block;
  readonly message: StringLiteral | null;
  readonly span: Span;
}

/** `fail "..."`, `info "..."`, `warn "..."`. */
export interface WordStmt {
  readonly kind: "word";
  readonly word: "fail" | "info" | "warn";
  readonly message: StringLiteral;
  readonly span: Span;
}

/** `skip "why"`, `skip if c, "why"`, `skip unless c, "why"`. */
export interface SkipStmt {
  readonly kind: "skip";
  readonly condition: Expr | null;
  readonly unless: boolean;
  readonly message: StringLiteral;
  readonly span: Span;
}

/** `on irq NAME {..}` or `on irq plic(10) {..}`: handler until the block ends. */
export interface OnIrqStmt {
  readonly kind: "on-irq";
  readonly irq: Expr;
  readonly body: Block;
  readonly span: Span;
}

/** `cpu 1 {..}`; neighbouring ones run at the same time. */
export interface CpuStmt {
  readonly kind: "cpu";
  readonly cpu: Expr;
  readonly body: Block;
  readonly span: Span;
}

/** `wait until e within 10ms [, "message"]`: an assert that polls; without `within` it polls until the test's time limit. */
export interface WaitUntilStmt {
  readonly kind: "wait-until";
  readonly condition: Expr;
  readonly within: Expr | null;
  readonly message: StringLiteral | null;
  readonly span: Span;
}

/** `when target x86_64, i386 {..} else {..}`, decided at compile time. */
export interface WhenTargetStmt {
  readonly kind: "when-target";
  readonly targets: readonly Name[];
  readonly consequent: Block;
  readonly otherwise: Block | null;
  readonly span: Span;
}

/** `asm x86_64 (in rax = a, out rdx = b, clobber rcx) {..}`: the text is read by the target's assembler. */
export interface AsmStmt {
  readonly kind: "asm";
  readonly target: Name;
  readonly operands: readonly AsmOperand[];
  /** As written between the braces, and where. */
  readonly text: string;
  readonly textSpan: Span;
  readonly span: Span;
}

/** `value` is what an input is given, and the place of an output; a clobber has none. `clobber memory` names no register. */
export type AsmOperand =
  | { readonly kind: "in" | "out" | "inout"; readonly register: Name; readonly value: Expr; readonly span: Span }
  | { readonly kind: "clobber"; readonly register: Name; readonly span: Span };

// ---- Expressions ----

export type UnaryOp = "-" | "~" | "not" | "&";
export type ArithmeticOp = "+" | "-" | "*" | "/" | "%" | "&" | "|" | "^" | "<<" | ">>";
export type CompareOp = "==" | "!=" | "<" | "<=" | ">" | ">=";
export type BinaryOp = ArithmeticOp | CompareOp | "and" | "or" | "in" | "not in" | "matches" | "near" | "by";

/** Part of a text: literal characters (escapes resolved) or `{expr[:format]}`. Formats: x (hex), d, b, s (text). */
export type StringPart =
  | { readonly kind: "text"; readonly text: string; readonly span: Span }
  | { readonly kind: "hole"; readonly expr: Expr; readonly format: string | null; readonly span: Span };

export interface StringLiteral {
  readonly kind: "string";
  readonly parts: readonly StringPart[];
  readonly span: Span;
}

/** The text of a string without its holes. */
export function literalText(literal: StringLiteral): string {
  return literal.parts.map((part) => (part.kind === "text" ? part.text : "")).join("");
}

export type Expr =
  | { readonly kind: "int"; readonly value: bigint; readonly text: string; readonly span: Span }
  /** `10ms`: nanoseconds. */
  | { readonly kind: "duration"; readonly nanoseconds: bigint; readonly text: string; readonly span: Span }
  | { readonly kind: "bool"; readonly value: boolean; readonly span: Span }
  /** `hex"2aae"`: [N]u8. */
  | { readonly kind: "bytes"; readonly value: Uint8Array; readonly span: Span }
  | StringLiteral
  | { readonly kind: "name"; readonly name: string; readonly span: Span }
  | { readonly kind: "unary"; readonly op: UnaryOp; readonly operand: Expr; readonly span: Span }
  | { readonly kind: "binary"; readonly op: BinaryOp; readonly left: Expr; readonly right: Expr; readonly opSpan: Span; readonly span: Span }
  /** `a..b`, exclusive; `a..=b`, inclusive. Open ends only in slices. */
  | { readonly kind: "range"; readonly start: Expr | null; readonly end: Expr | null; readonly inclusive: boolean; readonly span: Span }
  | { readonly kind: "call"; readonly callee: Expr; readonly args: readonly Expr[]; readonly span: Span }
  | { readonly kind: "member"; readonly object: Expr; readonly name: Name; readonly span: Span }
  | { readonly kind: "deref"; readonly pointer: Expr; readonly span: Span }
  | { readonly kind: "index"; readonly object: Expr; readonly index: Expr; readonly span: Span }
  | { readonly kind: "slice"; readonly object: Expr; readonly start: Expr | null; readonly end: Expr | null; readonly span: Span }
  | { readonly kind: "cast"; readonly operand: Expr; readonly type: TypeExpr; readonly span: Span }
  /** `x is error`, `x is not error`, `x is error ENOENT`. */
  | { readonly kind: "is-error"; readonly operand: Expr; readonly negated: boolean; readonly name: Name | null; readonly span: Span }
  /** `Block at address`, `Block in ports p`. */
  | { readonly kind: "regs-at"; readonly block: Expr; readonly address: Expr; readonly space: "memory" | "ports"; readonly span: Span }
  | { readonly kind: "array"; readonly elements: readonly Expr[]; readonly span: Span }
  /** `[value; count]`. */
  | { readonly kind: "array-fill"; readonly element: Expr; readonly count: Expr; readonly span: Span }
  /** `Point { x: 1, y: 2 }`; fields left out are zero. */
  | {
      readonly kind: "struct-literal";
      readonly type: { readonly module: Name | null; readonly name: Name };
      readonly fields: readonly { readonly name: Name; readonly value: Expr }[];
      readonly span: Span;
    }
  /** A type used as a value: `i32.max`, `edges(u64)`, `[4]u8` in calls, `sizeof(T)`. Named types stay `name`. */
  | { readonly kind: "type-value"; readonly type: TypeExpr; readonly span: Span }
  | { readonly kind: "if-expr"; readonly condition: Expr; readonly consequent: Expr; readonly otherwise: Expr; readonly span: Span };
