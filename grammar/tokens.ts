// The tokens of the DSL, each declared once: first stage of text -> tokens -> AST. The scanner makes them, the parser's rules
// consume them, and the lists of words below feed "did you mean" help, the docs and the editors' grammars.
// Few words are reserved. All others are contextual: the scanner gives them as `Ident`, and the parser turns one into a keyword
// token only where a statement or a declaration starts and its neighbour shows that it is meant (`cpu 1 {` against `cpu.start()`).

import { createToken, EOF, type IToken, Lexer, type TokenType } from "chevrotain";

/** Literal characters of a string token; the offsets are those of the characters without quotes and hole marks. */
export interface TextValue {
  readonly text: string;
  readonly start: number;
  readonly end: number;
  /** Format of the hole that ends where this text begins (`StrMiddle` and `StrTail` only). */
  readonly format: string | null;
}

export interface Token extends IToken {
  readonly endOffset: number;
  /** A line break stands between the token before and this one. */
  readonly newline: boolean;
  readonly value: bigint | Uint8Array | TextValue | null;
}

const all: TokenType[] = [];

function declare(name: string, label: string, categories: TokenType[] = []): TokenType {
  const token = createToken({ name, label, pattern: Lexer.NA, categories });
  all.push(token);
  return token;
}

// ---- Categories: what a rule may ask for ----

/** Any word at all, reserved or not: what may stand after a dot or before a field's colon. */
export const Word = declare("Word", "a name");
export const BinaryOperator = declare("BinaryOperator", "an operator");
export const AssignOperator = declare("AssignOperator", "`=`");

// ---- Names and literals ----

export const Ident = declare("Ident", "a name", [Word]);
export const Int = declare("Int", "a number");
export const Duration = declare("Duration", "a duration");
export const Bytes = declare("Bytes", "a byte string");
/** A string without holes. */
export const Str = declare("Str", "a string");
/** `"text{` .. `}text{` .. `}text"`: the pieces around the holes of a string. */
export const StrHead = declare("StrHead", "a string");
export const StrMiddle = declare("StrMiddle", "`}`");
export const StrTail = declare("StrTail", "`}` and the rest of the string");
/** Text between brackets that the target's assembler reads. */
export const RawText = declare("RawText", "assembler text");
/** The braces of a function with all that is between them, where bodies are read later. */
export const Body = declare("Body", "a body");

// ---- Reserved words ----

const reservedList: [string, TokenType][] = [];

function reserved(text: string, categories: TokenType[] = []): TokenType {
  const token = declare(text.charAt(0).toUpperCase() + text.slice(1), `\`${text}\``, [Word, ...categories]);
  reservedList.push([text, token]);
  return token;
}

export const Let = reserved("let");
export const Var = reserved("var");
export const Const = reserved("const");
export const Fn = reserved("fn");
export const Struct = reserved("struct");
export const Enum = reserved("enum");
export const If = reserved("if");
export const Else = reserved("else");
export const While = reserved("while");
export const For = reserved("for");
export const In = reserved("in", [BinaryOperator]);
export const Match = reserved("match");
export const Return = reserved("return");
export const Break = reserved("break");
export const Continue = reserved("continue");
export const Expect = reserved("expect");
export const Assert = reserved("assert");
export const And = reserved("and", [BinaryOperator]);
export const Or = reserved("or", [BinaryOperator]);
export const Not = reserved("not");
export const True = reserved("true");
export const False = reserved("false");

export const reservedWords: ReadonlyMap<string, TokenType> = new Map(reservedList);

// ---- Contextual words: keywords only where a statement or a declaration starts ----

function contextual(text: string): TokenType {
  return declare(`${text.charAt(0).toUpperCase()}${text.slice(1)}Word`, `\`${text}\``, [Word]);
}

export const AsmWord = contextual("asm");
export const CpuWord = contextual("cpu");
export const DeferWord = contextual("defer");
export const FailWord = contextual("fail");
export const FakeWord = contextual("fake");
export const FixtureWord = contextual("fixture");
export const InfoWord = contextual("info");
export const InterfaceWord = contextual("interface");
export const OnWord = contextual("on");
export const RegsWord = contextual("regs");
export const SharedWord = contextual("shared");
export const SkipWord = contextual("skip");
export const StubWord = contextual("stub");
export const SuiteWord = contextual("suite");
export const TableWord = contextual("table");
export const TestWord = contextual("test");
export const UseWord = contextual("use");
export const UserWord = contextual("user");
export const WarnWord = contextual("warn");
export const WaitWord = contextual("wait");
export const WhenWord = contextual("when");
/** `litmus`, `device` and the like: read as far as needed to say that they come later. */
export const LaterWord = declare("LaterWord", "a declaration", [Word]);

// ---- Punctuation ----

function mark(name: string, text: string, categories: TokenType[] = []): TokenType {
  return declare(name, `\`${text}\``, categories);
}

export const LCurly = mark("LCurly", "{");
export const RCurly = mark("RCurly", "}");
export const LParen = mark("LParen", "(");
export const RParen = mark("RParen", ")");
export const LSquare = mark("LSquare", "[");
export const RSquare = mark("RSquare", "]");
export const Comma = mark("Comma", ",");
export const Semi = mark("Semi", ";");
export const Colon = mark("Colon", ":");
export const Dot = mark("Dot", ".");
export const DotStar = mark("DotStar", ".*");
export const DotDot = mark("DotDot", "..", [BinaryOperator]);
export const DotDotEqual = mark("DotDotEqual", "..=", [BinaryOperator]);
export const At = mark("At", "@");
export const Hash = mark("Hash", "#");
export const Arrow = mark("Arrow", "->");
export const Tilde = mark("Tilde", "~");
export const Equal = mark("Equal", "=", [AssignOperator]);
export const Plus = mark("Plus", "+", [BinaryOperator]);
export const Minus = mark("Minus", "-", [BinaryOperator]);
export const Star = mark("Star", "*", [BinaryOperator]);
export const Slash = mark("Slash", "/", [BinaryOperator]);
export const Percent = mark("Percent", "%", [BinaryOperator]);
export const Ampersand = mark("Ampersand", "&", [BinaryOperator]);
export const Bar = mark("Bar", "|", [BinaryOperator]);
export const Caret = mark("Caret", "^", [BinaryOperator]);
export const ShiftLeft = mark("ShiftLeft", "<<", [BinaryOperator]);
export const ShiftRight = mark("ShiftRight", ">>", [BinaryOperator]);
export const EqualEqual = mark("EqualEqual", "==", [BinaryOperator]);
export const NotEqual = mark("NotEqual", "!=", [BinaryOperator]);
export const Less = mark("Less", "<", [BinaryOperator]);
export const LessEqual = mark("LessEqual", "<=", [BinaryOperator]);
export const Greater = mark("Greater", ">", [BinaryOperator]);
export const GreaterEqual = mark("GreaterEqual", ">=", [BinaryOperator]);
export const PlusEqual = mark("PlusEqual", "+=", [AssignOperator]);
export const MinusEqual = mark("MinusEqual", "-=", [AssignOperator]);
export const StarEqual = mark("StarEqual", "*=", [AssignOperator]);
export const SlashEqual = mark("SlashEqual", "/=", [AssignOperator]);
export const PercentEqual = mark("PercentEqual", "%=", [AssignOperator]);
export const AmpersandEqual = mark("AmpersandEqual", "&=", [AssignOperator]);
export const BarEqual = mark("BarEqual", "|=", [AssignOperator]);
export const CaretEqual = mark("CaretEqual", "^=", [AssignOperator]);
export const ShiftLeftEqual = mark("ShiftLeftEqual", "<<=", [AssignOperator]);
export const ShiftRightEqual = mark("ShiftRightEqual", ">>=", [AssignOperator]);

export const EndOfFile = EOF;

/** What the parser's constructor wants. */
export const vocabulary: TokenType[] = all;

// ---- Lists of words, for help and for editors ----

/** Words that start a declaration of a file. */
export const itemWords = ["suite", "use", "fn", "const", "var", "shared", "struct", "interface", "fake", "enum", "regs", "table", "test", "fixture"] as const;

/** Declarations that the grammar knows of and that come later; each maps to what to write meanwhile. */
export const laterWords: ReadonlyMap<string, string> = new Map([
  ["litmus", "write the CPUs' code in `cpu` blocks of a test and check the outcome after them"],
  ["device", "a struct that implements `model.Device` is a device model: `model.attach(&it)` puts it on the bus"],
  ["fault", "the library injects faults: `fault.refuse_read(address, 3)` makes the third read there a bus fault"],
  ["link", "functions from object files cannot be linked yet"],
  ["extern", "functions from object files cannot be called yet"],
]);

/** Words that start a statement. */
export const statementWords = [
  "let",
  "var",
  "shared",
  "if",
  "while",
  "for",
  "match",
  "return",
  "break",
  "continue",
  "defer",
  "stub",
  "expect",
  "assert",
  "fail",
  "skip",
  "info",
  "warn",
  "on",
  "cpu",
  "user",
  "wait",
  "when",
  "asm",
  "else",
] as const;

/** Words with a meaning at one place inside a declaration, statement or expression. */
export const innerWords = [
  "needs",
  "like",
  "from",
  "as",
  "at",
  "matches",
  "near",
  "by",
  "is",
  "error",
  "within",
  "call",
  "returns",
  "times",
  "then",
  "until",
  "unless",
  "target",
  "irq",
  "trap",
  "log",
  "no",
  "ports",
  "setup",
  "teardown",
  "xfail",
  "reset",
  "ro",
  "wo",
  "rw",
  "w1c",
  "w1s",
  "rc",
  "out",
  "inout",
  "clobber",
] as const;

/** The first token of a text: all of it, or what stands before its first value. */
export function isText(token: Token): boolean {
  return token.tokenType === Str || token.tokenType === StrHead;
}
