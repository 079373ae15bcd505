// The filter language of `-E`: predicates over tests, joined by `and or not - ( )` or `& | + !`. This file is its reader: a scanner and
// a Pratt parser by hand, because the text comes from a command line and its errors must point at the character. What a filter
// means for a list of tests is filter-match.ts; words without a language (`edu.gspec:12`) are filter-words.ts.
//
//   tag(=slow) - device(edu)      suite(#pci*) and not row(/^0x/)      file(#specs/**/edu.gspec) | covers(~dma)
import { didYouMean, nearestName } from "../../grammar/nearest-name.ts";

export const PREDICATES = ["test", "suite", "file", "tag", "target", "engine", "needs", "device", "covers", "attr", "row", "id", "status"] as const;
export type PredicateName = (typeof PREDICATES)[number];

/** Values of `status(..)`, known although no test may have them at the moment. */
export const STATUSES = ["last-failed", "not-run", "new", "flaky", "slow"] as const;

export type MatcherKind = "exact" | "substring" | "regexp" | "glob";

export interface Predicate {
  readonly kind: "predicate";
  readonly name: PredicateName;
  readonly matcher: MatcherKind;
  /** Without the matcher's own characters. */
  readonly value: string;
  readonly test: (candidate: string) => boolean;
  /** 1-based, of the value as written. */
  readonly column: number;
  readonly length: number;
}

export type FilterExpr =
  | Predicate
  | { readonly kind: "constant"; readonly value: boolean }
  | { readonly kind: "not"; readonly operand: FilterExpr }
  | { readonly kind: "and" | "or" | "minus"; readonly left: FilterExpr; readonly right: FilterExpr };

export interface FilterError {
  readonly ok: false;
  readonly message: string;
  /** 1-based, in UTF-16 units. */
  readonly column: number;
  /** At least 1. */
  readonly length: number;
  readonly help: string | null;
}

export type ParsedFilter = { readonly ok: true; readonly expr: FilterExpr } | FilterError;

/** Internal: unwinds the parser to `parseFilter`, which makes a value of it. */
class SyntaxFault extends Error {
  readonly error: FilterError;
  constructor(message: string, start: number, end: number, help: string | null = null) {
    super(message);
    this.error = { ok: false, message, column: start + 1, length: Math.max(1, end - start), help };
  }
}

type Operator = "and" | "or" | "minus" | "not";

interface Token {
  readonly kind: "operator" | "open" | "close" | "name" | "end" | "unknown";
  readonly operator: Operator | null;
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

const OPERATORS: Readonly<Record<string, Operator>> = {
  and: "and",
  "&": "and",
  "&&": "and",
  or: "or",
  "|": "or",
  "||": "or",
  "+": "or",
  not: "not",
  "!": "not",
  "-": "minus",
};

/** `a - b` is `a and not b`, and binds like it. */
const BINDING: Readonly<Record<Exclude<Operator, "not">, number>> = { or: 1, and: 2, minus: 2 };

const SPACE = /\s*/y;
const SYMBOL = /&&|\|\||[&|+!()-]/y;
const WORD = /[\p{Letter}_][\p{Letter}\p{Number}_-]*/uy;

function scan(pattern: RegExp, text: string, index: number): string | null {
  pattern.lastIndex = index;
  return pattern.exec(text)?.[0] ?? null;
}

class Parser {
  readonly text: string;
  index = 0;
  token: Token;

  constructor(text: string) {
    this.text = text;
    this.token = this.scanToken();
  }

  scanToken(): Token {
    this.index += scan(SPACE, this.text, this.index)?.length ?? 0;
    const start = this.index;
    if (start >= this.text.length) return { kind: "end", operator: null, text: "", start, end: start };
    const text = scan(SYMBOL, this.text, start) ?? scan(WORD, this.text, start);
    if (text === null) {
      const character = String.fromCodePoint(this.text.codePointAt(start) ?? 0);
      return { kind: "unknown", operator: null, text: character, start, end: start + character.length };
    }
    this.index = start + text.length;
    const operator = OPERATORS[text] ?? null;
    const kind = text === "(" ? "open" : text === ")" ? "close" : operator !== null ? "operator" : "name";
    return { kind, operator, text, start, end: this.index };
  }

  advance(): Token {
    const token = this.token;
    this.token = this.scanToken();
    return token;
  }

  parseExpr(binding: number): FilterExpr {
    let left = this.parseOperand();
    for (;;) {
      const { operator } = this.token;
      if (operator === null || operator === "not") return left;
      const power = BINDING[operator];
      if (power <= binding) return left;
      this.advance();
      left = { kind: operator, left, right: this.parseExpr(power) };
    }
  }

  parseOperand(): FilterExpr {
    const { token } = this;
    if (token.operator === "not") {
      this.advance();
      return { kind: "not", operand: this.parseOperand() };
    }
    if (token.kind === "open") {
      this.advance();
      const expr = this.parseExpr(0);
      if (this.token.kind === "close") {
        this.advance();
        return expr;
      }
      if (this.token.kind === "end") throw new SyntaxFault("this `(` is never closed", token.start, token.end, "add `)`");
      throw this.unexpected("expected `and`, `or`, `-` or `)`");
    }
    if (token.kind === "name") return this.parsePredicate(token);
    if (token.kind === "end")
      throw this.unexpected(token.start === 0 ? "the filter is empty" : "the filter ends too early", "name a predicate, such as tag(slow)");
    throw this.unexpected("expected a predicate, `not` or `(`", `predicates: ${PREDICATES.join(" ")}`);
  }

  unexpected(message: string, help: string | null = null): SyntaxFault {
    const { kind, text, start, end } = this.token;
    return new SyntaxFault(kind === "end" ? message : `${message}, found \`${text}\``, start, end, help);
  }

  parsePredicate(token: Token): FilterExpr {
    const { text: name } = token;
    const isOpened = this.text[scanSpace(this.text, token.end)] === "(";
    if (!isOpened) {
      const nearest = nearestName(name, PREDICATES);
      const example = PREDICATES.find((known) => known === name) ?? nearest ?? "test";
      throw new SyntaxFault(
        `\`${name}\` needs a value in parentheses`,
        token.start,
        token.end,
        example === name ? `write ${name}(VALUE)` : `to select by name, write test(${name})`,
      );
    }
    const open = scanSpace(this.text, token.end);
    const { value, start, end } = this.scanValue(open);
    if (name === "all" || name === "none") {
      if (value !== "") throw new SyntaxFault(`${name}() takes no value`, start, end);
      return this.after(end, { kind: "constant", value: name === "all" });
    }
    const known = PREDICATES.find((candidate) => candidate === name);
    if (known === undefined) {
      const help = didYouMean(name, [...PREDICATES, "all", "none"], `predicates: ${PREDICATES.join(" ")}`);
      throw new SyntaxFault(`there is no predicate \`${name}\``, token.start, token.end, help);
    }
    return this.after(end, known === "attr" ? parseAttribute(value, start) : parseMatcher(known, value, start));
  }

  /** Continues behind the `)` that ends a value. */
  after(closeAt: number, expr: FilterExpr): FilterExpr {
    this.index = this.text.indexOf(")", closeAt) + 1;
    this.token = this.scanToken();
    return expr;
  }

  /** The text up to the `)` that belongs to the `(` at `open`; parentheses inside pair up, `\` takes the next character as it is. */
  scanValue(open: number): { readonly value: string; readonly start: number; readonly end: number } {
    const { text } = this;
    const start = scanSpace(text, open + 1);
    const isRegexp = text[start] === "/";
    let depth = 0;
    let isInRegexp = isRegexp;
    for (let index = isRegexp ? start + 1 : start; index < text.length; index++) {
      const character = text[index];
      if (character === "\\") index++;
      else if (isInRegexp) isInRegexp = character !== "/";
      else if (character === "(") depth++;
      else if (character === ")" && depth-- === 0) {
        const value = text.slice(start, index).trimEnd();
        return { value, start, end: start + value.length };
      }
    }
    if (isInRegexp) throw new SyntaxFault("this regular expression is never closed", start, start + 1, "end it with `/`");
    throw new SyntaxFault("this `(` is never closed", open, open + 1, "add `)`; a `)` in the value is written `\\)` unless it has its `(`");
  }
}

function scanSpace(text: string, index: number): number {
  return index + (scan(SPACE, text, index)?.length ?? 0);
}

function unescape(text: string): string {
  return text.replace(/\\([\s\S])/g, "$1");
}

function parseMatcher(name: PredicateName, written: string, start: number): Predicate {
  const end = start + written.length;
  if (written === "" || written === "=" || written === "~" || written === "#")
    throw new SyntaxFault(`${name}(..) needs a value`, start - 1, end + 1, `write ${name}(part), ${name}(=whole), ${name}(/regexp/) or ${name}(#glob*)`);
  const make = (matcher: MatcherKind, value: string, test: (candidate: string) => boolean): Predicate => {
    return { kind: "predicate", name, matcher, value, test, column: start + 1, length: written.length };
  };
  const rest = written.slice(1).trimStart();
  switch (written.charAt(0)) {
    case "=": {
      const value = unescape(rest);
      return make("exact", value, (candidate) => candidate === value);
    }
    case "/": {
      if (!/^\/(\\[\s\S]|[^/\\])*\/$/.test(written)) {
        const close = /^\/(\\[\s\S]|[^/\\])*\//.exec(written)?.[0].length ?? 0;
        throw new SyntaxFault("text behind the regular expression", start + close, end, "write a `/` inside it as `\\/`");
      }
      const source = written.slice(1, -1);
      const pattern = compileRegexp(source, start, end);
      return make("regexp", source, (candidate) => pattern.test(candidate));
    }
    case "#": {
      const pattern = compileGlob(rest, name === "file" || name === "id", start, end);
      return make("glob", rest, (candidate) => pattern.test(candidate));
    }
    default: {
      const value = unescape(written[0] === "~" ? rest : written);
      return make("substring", value, (candidate) => candidate.includes(value));
    }
  }
}

/** From slow to fast: what `<` and `>` order. */
export const SPEED_ORDER: readonly string[] = ["very_slow", "slow", "normal"];

const COMPARISONS: Readonly<Record<string, (order: number) => boolean>> = {
  "<": (order) => order < 0,
  "<=": (order) => order <= 0,
  ">": (order) => order > 0,
  ">=": (order) => order >= 0,
};

/** `attr(owner)`, `attr(owner=net*)`, `attr(speed<normal)`. Candidates are `name=value`. */
function parseAttribute(written: string, start: number): FilterExpr {
  const end = start + written.length;
  const [, name, operator, rest = ""] = /^([A-Za-z_]\w*)\s*(?:(<=|>=|!=|=|<|>)\s*([\s\S]*))?$/.exec(written) ?? [];
  const help = "write attr(NAME), attr(NAME=VALUE), attr(NAME!=VALUE) or attr(speed<VALUE)";
  if (name === undefined) throw new SyntaxFault("attr(..) needs the name of an attribute", start - 1, end + 1, help);
  const valueOf = (candidate: string): string | null => (candidate.startsWith(`${name}=`) ? candidate.slice(name.length + 1) : null);
  const make = (matcher: MatcherKind, test: (value: string) => boolean): Predicate => ({
    kind: "predicate",
    name: "attr",
    matcher,
    value: written,
    test: (candidate) => {
      const value = valueOf(candidate);
      return value !== null && test(value);
    },
    column: start + 1,
    length: written.length,
  });
  if (operator === undefined) return make("exact", () => true);
  if (operator === "=" || operator === "!=") {
    const pattern = compileGlob(rest, false, start, end);
    const equal = make("glob", (value) => pattern.test(value));
    return operator === "=" ? equal : { kind: "not", operand: equal };
  }
  const bound = SPEED_ORDER.indexOf(rest);
  if (name !== "speed") throw new SyntaxFault(`\`${name}\` has no order: \`${operator}\` is for speed`, start, end, help);
  if (bound < 0) throw new SyntaxFault(`there is no speed \`${rest}\``, start, end, `speeds: ${SPEED_ORDER.join(" < ")}`);
  const holds = COMPARISONS[operator] ?? ((): boolean => false);
  return make("exact", (value) => holds(SPEED_ORDER.indexOf(value) - bound));
}

function compileRegexp(source: string, start: number, end: number): RegExp {
  try {
    return new RegExp(source, "u");
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    // V8: "Invalid regular expression: /(/u: Unterminated group".
    const reason = error.message.replace(/^Invalid regular expression: [\s\S]*\/u: /, "");
    throw new SyntaxFault(`not a regular expression: ${reason.toLowerCase()}`, start, end, "the syntax is JavaScript's, with the `u` flag");
  }
}

/** `*`, `?`, `[a-z]`, `[!a]`, `{a,b}`; in a path `*` and `?` stop at `/` and `**` does not. */
export function compileGlob(glob: string, isPath: boolean, start: number, end: number): RegExp {
  const any = isPath ? "[^/]" : "[\\s\\S]";
  let source = "";
  let alternatives = 0;
  for (let index = 0; index < glob.length; index++) {
    const character = String.fromCodePoint(glob.codePointAt(index) ?? 0);
    if (character === "*") {
      if (glob.startsWith("**/", index) && isPath) {
        source += "(?:[^/]*/)*";
        index += 2;
      } else if (glob[index + 1] === "*") {
        source += "[\\s\\S]*";
        index++;
      } else source += `${any}*`;
    } else if (character === "?") source += any;
    else if (character === "[") {
      const close = glob.indexOf("]", index + 2);
      if (close < 0) throw new SyntaxFault("this `[` is never closed", start, end, "a plain `[` is written `\\[`");
      const set = glob
        .slice(index + 1, close)
        .replace(/[\\[\]^&]/g, "\\$&")
        .replace(/^!/, "^");
      source += `[${set}]`;
      index = close;
    } else if (character === "{") {
      alternatives++;
      source += "(?:";
    } else if (character === "}" && alternatives > 0) {
      alternatives--;
      source += ")";
    } else if (character === "," && alternatives > 0) source += "|";
    else if (character === "\\" && index + 1 < glob.length) source += escapeRegexp(glob[++index] ?? "");
    else {
      source += escapeRegexp(character);
      index += character.length - 1;
    }
  }
  if (alternatives > 0) throw new SyntaxFault("this `{` is never closed", start, end, "a plain `{` is written `\\{`");
  return compileRegexp(`^${source}$`, start, end);
}

function escapeRegexp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}

export function parseFilter(text: string): ParsedFilter {
  try {
    const parser = new Parser(text);
    const expr = parser.parseExpr(0);
    if (parser.token.kind !== "end") {
      const isClose = parser.token.kind === "close";
      throw parser.unexpected(isClose ? "this `)` has no `(`" : "expected `and`, `or` or `-` between two predicates");
    }
    return { ok: true, expr };
  } catch (error) {
    if (error instanceof SyntaxFault) return error.error;
    throw error;
  }
}

/** The error as a person reads it: the filter, a caret below the place, the help. */
export function formatFilterError(text: string, error: FilterError): string[] {
  const lines = [`error: ${error.message}`, `  | ${text}`, `  | ${" ".repeat(error.column - 1)}${"^".repeat(error.length)}`];
  if (error.help !== null) lines.push(`  = help: ${error.help}`);
  return lines;
}
