// Reads the text form of guest bytecode: docs/bytecode.md, section 7. Conformance tables, goldens and people write it. `; ...` is a
// comment, but `;@N` names entry N of the location table. A text with neither `files` nor `locations` is a hand-written one: every
// instruction that may trap is then located at its own line of the text.

import { findInstruction, type ImmediateKind, type InstructionRow } from "./instructions.ts";
import {
  BYTECODE_VERSION,
  SYS_ISAS,
  type AssemblyBlock,
  type BytecodeFunction,
  type DataLayout,
  type DataSymbol,
  type Instruction,
  type Module,
  type Relocation,
  type ScalarType,
  type Signature,
  type SourceLocation,
} from "./module.ts";
import { IMMEDIATE_NAMES, TRAILING_IMMEDIATES } from "./text-print.ts";
import { TextFormatError, tokenize, type Token, type TokenKind } from "./text-tokens.ts";

const SCALARS: readonly string[] = ["i8", "i16", "i32", "i64", "addr"] satisfies readonly ScalarType[];

export interface ParseOptions {
  /** Name of the text for the locations of a hand-written module. */
  readonly fileName?: string;
}

interface Draft {
  readonly instructions: Instruction[];
  readonly registers: ScalarType[];
}

class Parser {
  private readonly tokens: readonly Token[];
  private position = 0;
  private readonly functionIndex: ReadonlyMap<string, number | "ambiguous">;
  private readonly symbolIndex: ReadonlyMap<string, number | "ambiguous">;
  /** Whether instructions take their own place in the text as their location. */
  private readonly selfLocated: boolean;
  private readonly locations: SourceLocation[] = [];

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens;
    this.functionIndex = this.indexNames("func");
    this.symbolIndex = this.indexNames("data");
    this.selfLocated = !tokens.some((token, index) => (token.text === "files" || token.text === "locations") && this.opensLine(index));
  }

  private opensLine(index: number): boolean {
    return this.tokens[index]?.kind === "word" && (index === 0 || this.tokens[index - 1]?.kind === "line");
  }

  /** References may come before definitions, so names are numbered first. */
  private indexNames(keyword: string): Map<string, number | "ambiguous"> {
    const names = new Map<string, number | "ambiguous">();
    let count = 0;
    this.tokens.forEach((token, index) => {
      const name = this.tokens[index + 1];
      if (token.text !== keyword || !this.opensLine(index) || name?.kind !== "name") return;
      names.set(name.text, names.has(name.text) ? "ambiguous" : count);
      count += 1;
    });
    return names;
  }

  private get token(): Token {
    return this.tokens[this.position] ?? this.tokens[this.tokens.length - 1]!;
  }

  private fail(message: string, token: Token = this.token): never {
    throw new TextFormatError(message, token.line, token.column);
  }

  private expected(what: string): never {
    const found = this.token.kind === "line" ? "the end of the line" : this.token.kind === "end" ? "the end of the text" : JSON.stringify(this.token.text);
    return this.fail(`expected ${what}, found ${found}`);
  }

  private take(kind: TokenKind, what: string): string {
    if (this.token.kind !== kind) this.expected(what);
    const { text } = this.token;
    this.position += 1;
    return text;
  }

  private accept(kind: TokenKind, text?: string): boolean {
    if (this.token.kind !== kind || (text !== undefined && this.token.text !== text)) return false;
    this.position += 1;
    return true;
  }

  private mark(text: string): void {
    if (!this.accept("mark", text)) this.expected(`'${text}'`);
  }

  private keyword(text: string): void {
    if (!this.accept("word", text)) this.expected(`'${text}'`);
  }

  private number(what: string): number {
    const at = this.token;
    const value = Number(this.take("number", what)) + 0; // no negative zero
    if (!Number.isSafeInteger(value)) this.fail(`${what} is out of range`, at);
    return value;
  }

  private type(): ScalarType {
    const at = this.token;
    const text = this.take("word", "a type");
    return this.asType(text, at);
  }

  private asType(text: string, at: Token): ScalarType {
    if (!SCALARS.includes(text)) this.fail(`unknown type '${text}'; types are ${SCALARS.join(", ")}`, at);
    return text as ScalarType;
  }

  private reference(index: ReadonlyMap<string, number | "ambiguous">, what: string): number {
    const at = this.token;
    if (at.kind === "index") return Number(this.take("index", what));
    const name = this.take("name", `a ${what} (@name or #index)`);
    const found = index.get(name);
    if (found === undefined) this.fail(`no ${what} is named '${name}'`, at);
    if (found === "ambiguous") this.fail(`'${name}' names several ${what}s; say which by #index`, at);
    return found;
  }

  private endLine(): void {
    if (this.token.kind === "end") return;
    this.take("line", "the end of the line");
    this.skipLines();
  }

  private skipLines(): void {
    while (this.accept("line"));
  }

  private types(): ScalarType[] {
    const types: ScalarType[] = [];
    this.mark("(");
    while (!this.accept("mark", ")")) {
      if (types.length > 0) this.mark(",");
      types.push(this.type());
    }
    return types;
  }

  private signature(): Signature {
    const params = this.types();
    this.mark("->");
    return { params, results: this.types() };
  }

  parse(fileName: string): Module {
    this.skipLines();
    this.keyword("gbc");
    const version = this.number("the version");
    if (version !== BYTECODE_VERSION) this.fail(`version ${version} is not ${BYTECODE_VERSION}`);
    const layout = this.layout();
    this.endLine();
    const functions: BytecodeFunction[] = [];
    const symbols: DataSymbol[] = [];
    const signatures: Signature[] = [];
    const assembly: AssemblyBlock[] = [];
    const exports: { name: string; function: number }[] = [];
    let files: string[] = [];
    let trapVector = -1;
    let interruptVector = -1;
    while (this.token.kind !== "end") {
      const at = this.token;
      const word = this.take("word", "func, data, assembly, export, signature, trap_vector, interrupt_vector, files or locations");
      switch (word) {
        case "func":
          functions.push(this.function());
          break;
        case "data":
          symbols.push(this.symbol());
          break;
        case "signature":
          this.keyword(`sig${signatures.length}`);
          signatures.push(this.signature());
          break;
        case "assembly":
          this.keyword(`asm${assembly.length}`);
          assembly.push(this.assembly());
          break;
        case "export": {
          const name = this.take("string", "a name in quotes");
          this.mark("=");
          exports.push({ name, function: this.reference(this.functionIndex, "function") });
          break;
        }
        case "trap_vector":
          trapVector = this.reference(this.functionIndex, "function");
          break;
        case "interrupt_vector":
          interruptVector = this.reference(this.functionIndex, "function");
          break;
        case "files":
          files = this.block(() => this.take("string", "a file name in quotes"));
          break;
        case "locations":
          this.locations.push(...this.block(() => this.location()));
          break;
        default:
          this.fail(`unknown declaration '${word}'`, at);
      }
      this.endLine();
    }
    if (this.selfLocated && this.locations.length > 0) files = [fileName];
    return { version, layout, functions, symbols, signatures, files, locations: this.locations, assembly, exports, trapVector, interruptVector };
  }

  private layout(): DataLayout {
    const at = this.token;
    const size = this.take("word", "addr32 or addr64");
    if (size !== "addr32" && size !== "addr64") this.fail("expected addr32 or addr64", at);
    const order = this.token;
    const endian = this.take("word", "little or big");
    if (endian !== "little" && endian !== "big") this.fail("expected little or big", order);
    return { addressBytes: size === "addr32" ? 4 : 8, endian };
  }

  private block<T>(item: () => T): T[] {
    const items: T[] = [];
    this.mark("{");
    this.skipLines();
    while (!this.accept("mark", "}")) {
      items.push(item());
      if (this.token.kind !== "mark" || this.token.text !== "}") this.endLine();
      if (this.token.kind === "end") this.expected("'}'");
    }
    return items;
  }

  private location(): SourceLocation {
    const file = this.number("a file index");
    this.mark(":");
    const line = this.number("a line");
    this.mark(":");
    return { file, line, column: this.number("a column") };
  }

  private symbol(): DataSymbol {
    const name = this.take("name", "a name (@name)");
    this.keyword("size");
    const size = this.number("the size");
    this.keyword("align");
    const align = this.number("the alignment");
    const at = this.token;
    const access = this.take("word", "writable or readonly");
    if (access !== "writable" && access !== "readonly") this.fail("expected writable or readonly", at);
    const bytes: number[] = [];
    const relocations: Relocation[] = [];
    if (this.token.kind === "mark" && this.token.text === "{") {
      this.block(() => {
        if (this.accept("word", "bytes")) this.bytes(bytes);
        else relocations.push(this.relocation());
      });
    }
    return { name, size, align, writable: access === "writable", bytes: Uint8Array.from(bytes), relocations };
  }

  private assembly(): AssemblyBlock {
    const at = this.token;
    const name = this.take("word", "an instruction set");
    const isa = SYS_ISAS.find((known) => known === name);
    if (isa === undefined) this.fail(`unknown instruction set '${name}'; one of ${SYS_ISAS.join(", ")}`, at);
    const inputs = this.registers("in");
    const outputs = this.registers("out");
    const clobbers = this.registers("clobber");
    const memory = this.accept("word", "memory");
    const bytes: number[] = [];
    const lines: { offset: number; location: number }[] = [];
    this.block(() => {
      if (this.accept("word", "bytes")) {
        this.bytes(bytes);
        return;
      }
      if (!this.accept("word", "line")) this.expected("bytes or line");
      lines.push({ offset: this.number("an offset"), location: this.number("a location") });
    });
    return { isa, bytes: Uint8Array.from(bytes), inputs, outputs, clobbers, memory, lines };
  }

  /** `in "a0", "a1"`, or nothing. */
  private registers(word: string): string[] {
    const names: string[] = [];
    if (!this.accept("word", word)) return names;
    do names.push(this.take("string", "a register in quotes"));
    while (this.accept("mark", ","));
    return names;
  }

  private bytes(into: number[]): void {
    const at = this.token;
    const hex = this.take("string", "hex digits in quotes").replaceAll(" ", "");
    if (!/^(?:[0-9a-fA-F]{2})*$/.test(hex)) this.fail("expected pairs of hex digits", at);
    for (let index = 0; index < hex.length; index += 2) into.push(Number.parseInt(hex.slice(index, index + 2), 16));
  }

  private relocation(): Relocation {
    if (!this.accept("word", "addr")) this.expected("bytes or addr");
    const offset = this.number("an offset");
    if (this.accept("word", "func")) return { kind: "function", offset, function: this.reference(this.functionIndex, "function") };
    this.keyword("data");
    const symbol = this.reference(this.symbolIndex, "symbol");
    return { kind: "data", offset, symbol, addend: this.offset() };
  }

  /** A signed offset; absent means 0. */
  private offset(): number {
    if (this.token.kind === "offset") return Number(this.take("offset", "an offset"));
    if (this.token.kind === "number") return this.number("an offset");
    return 0;
  }

  private function(): BytecodeFunction {
    const name = this.take("name", "a name (@name)");
    const signature = this.signature();
    const frameSize = this.accept("word", "frame") ? this.number("the frame size") : 0;
    const draft: Draft = { instructions: [], registers: [...signature.params] };
    this.block(() => {
      if (this.accept("word", "reg")) this.declareRegisters(draft.registers);
      else draft.instructions.push(this.instruction());
    });
    return { name, signature, registers: draft.registers, frameSize, body: draft.instructions };
  }

  private declareRegisters(registers: ScalarType[]): void {
    do {
      const at = this.token;
      const index = Number(this.take("register", "a register"));
      if (index !== registers.length) this.fail(`registers are declared in order; the next is %${registers.length}`, at);
      this.mark(":");
      registers.push(this.type());
    } while (this.accept("mark", ","));
  }

  private instruction(): Instruction {
    const start = this.token;
    const dst: number[] = [];
    if (start.kind === "register") {
      do dst.push(Number(this.take("register", "a register")));
      while (this.accept("mark", ","));
      this.mark("=");
    }
    const at = this.token;
    const [op = "", type, to, ...rest] = this.take("word", "an instruction").split(".");
    const row = findInstruction(op);
    if (row === undefined || rest.length > 0) this.fail(`unknown instruction '${op}'`, at);
    const imm = row.imm.map((): number | bigint => 0);
    const src: number[] = [];
    let operands = 0;
    const separate = (): void => {
      if (operands > 0) this.mark(",");
      operands += 1;
    };
    row.imm.forEach((kind, index) => {
      if (TRAILING_IMMEDIATES.has(kind)) return;
      separate();
      imm[index] = this.immediate(kind);
    });
    const more = (): boolean =>
      this.token.kind !== "line" && this.token.kind !== "at" && this.token.kind !== "end" && !(this.token.kind === "mark" && this.token.text === "}");
    const nextIsRegister = (): boolean => this.tokens[this.position + (operands > 0 ? 1 : 0)]?.kind === "register";
    while (more() && nextIsRegister()) {
      separate();
      src.push(Number(this.take("register", "a register")));
    }
    row.imm.forEach((kind, index) => {
      if (kind === "offset" && more()) {
        separate();
        imm[index] = this.offset();
      } else if (kind === "depth") {
        separate();
        imm[index] = this.number("a depth");
      } else if (kind === "depths") {
        imm.length = 0;
        while (more()) {
          separate();
          imm.push(this.number("a depth"));
        }
      }
    });
    return {
      op,
      ...(type === undefined ? {} : { type: this.asType(type, at) }),
      ...(to === undefined ? {} : { to: this.asType(to, at) }),
      dst,
      src,
      imm,
      at: this.instructionLocation(row, start),
    };
  }

  private instructionLocation(row: InstructionRow, start: Token): number {
    if (this.token.kind === "at") return Number(this.take("at", "a location"));
    if (!this.selfLocated || row.traps !== true) return -1;
    this.locations.push({ file: 0, line: start.line, column: start.column });
    return this.locations.length - 1;
  }

  private immediate(kind: ImmediateKind): number | bigint {
    const at = this.token;
    switch (kind) {
      case "constant": {
        const text = this.take("number", "a constant");
        return text.startsWith("-") ? -BigInt(text.slice(1)) : BigInt(text);
      }
      case "function":
        return this.reference(this.functionIndex, "function");
      case "symbol":
        return this.reference(this.symbolIndex, "symbol");
      case "signature": {
        const text = this.take("word", "a signature (sigN)");
        if (!/^sig\d+$/.test(text)) this.fail("expected a signature (sigN)", at);
        return Number(text.slice(3));
      }
      case "assembly": {
        const text = this.take("word", "an assembly block (asmN)");
        if (!/^asm\d+$/.test(text)) this.fail("expected an assembly block (asmN)", at);
        return Number(text.slice(3));
      }
      case "u32":
      case "depth":
      case "depths":
        return this.number("a number");
      case "offset":
        return this.offset();
      case "trap-class":
      case "rmw":
      case "trap-field":
      case "isa": {
        if (at.kind === "number") return this.number("an index");
        const names = IMMEDIATE_NAMES[kind] ?? [];
        const index = names.indexOf(this.take("word", `one of ${names.join(", ")}`));
        if (index < 0) this.fail(`unknown ${kind} '${at.text}'; one of ${names.join(", ")}`, at);
        return index;
      }
    }
  }
}

/** Reads a module; throws `TextFormatError`. The result has the right shape but is not verified. */
export function parseText(text: string, options: ParseOptions = {}): Module {
  return new Parser(tokenize(text)).parse(options.fileName ?? "text");
}
