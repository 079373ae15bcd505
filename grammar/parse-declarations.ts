// Rules for declarations that any language has: functions, constants, variables, structs, enums, and register blocks. A declaration names
// itself while it is read (`startDeclaration`), so that one that does not parse is kept in `File.lost`. Members, fields and registers have
// guards of their own, so that a list with three mistakes gives three reports.

import type {
  AccessWord,
  Block,
  ConstItem,
  Expr,
  FieldDecl,
  FnItem,
  Item,
  MethodSignature,
  Name,
  NamedType,
  Param,
  RegisterDecl,
  TypeExpr,
  VarItem,
} from "./ast.ts";
import { nameAndType } from "./foreign-words.ts";
import { didYouMean } from "./nearest-name.ts";
import type { Rule } from "./parse-core.ts";
import { StatementParser } from "./parse-statements.ts";
import * as T from "./tokens.ts";
import type { Token } from "./tokens.ts";

const accessWords: ReadonlySet<string> = new Set(["ro", "wo", "rw", "w1c", "w1s", "rc"] satisfies AccessWord[]);

function isAccessWord(text: string): text is AccessWord {
  return accessWords.has(text);
}

export class DeclarationParser extends StatementParser {
  /** The declaration being read: kept in `lost` when it fails. */
  protected declaring: string | null = null;

  override begin(...args: Parameters<StatementParser["begin"]>): void {
    this.declaring = null;
    super.begin(...args);
  }

  /** Names the declaration for notes and for `lost`. */
  protected startDeclaration(kind: string, name: Name): void {
    this.reading = `${kind} \`${name.text}\``;
    this.declaring = name.text;
  }

  protected tokenAt(offset: number): Token {
    return this.tokens.find((token) => token.startOffset === offset) ?? this.peek(1);
  }

  /** While the grammar is recorded a rule gives a placeholder instead of its list. */
  protected recorded<E>(list: readonly E[]): readonly E[] {
    return this.RECORDING_PHASE ? [] : list;
  }

  /** Names after the word `on`. */
  readonly targets: Rule<Name[]> = this.RULE("targets", (): Name[] => {
    const names = [this.needName(0, "a target")];
    this.repeat(
      0,
      () => this.isNext(T.Comma),
      () => {
        this.consume(0, T.Comma);
        names.push(this.needName(1, "a target"));
      },
    );
    return names;
  });

  // ---- Functions, constants, variables ----

  readonly fn: Rule<FnItem> = this.RULE("fn", (): FnItem => {
    const { startOffset } = this.need(0, T.Fn);
    const name = this.needName(0, "a function's name");
    this.startDeclaration("fn", name);
    return this.#fnAfterName(name, startOffset, null);
  });

  #fnAfterName(name: Name, start: number, owner: Name | null): FnItem {
    const { params, result } = this.subrule(0, this.signature, { ARGS: [owner === null ? null : this.typeNamed(null, owner)] });
    const on: Name[] = [];
    this.when(2, this.isWord(this.peek(1), "on"), () => {
      this.needWord(1, "on");
      on.push(...this.recorded(this.subrule(0, this.targets)));
    });
    const body = this.#body();
    return { kind: "fn", name, params, result, body, on, span: this.spanFrom(start) };
  }

  #body(): Block {
    if (!this.RECORDING_PHASE && this.isNext(T.Equal)) throw this.expected("`{`", { help: "a function has a block: `{ return .. }`" });
    const block = (): Block => this.subrule(0, this.block);
    const later = (): Block => {
      const token = this.peek(1);
      this.consume(6, T.Body);
      return this.readLater(this.spanOf(token), this.reading);
    };
    if (this.RECORDING_PHASE) return this.or(6, [{ ALT: () => this.consume(6, T.Body) }, { ALT: block }]) as Block;
    return this.isNext(T.Body) ? later() : block();
  }

  readonly constant: Rule<ConstItem> = this.RULE("constant", (): ConstItem => {
    const { startOffset } = this.need(0, T.Const);
    const name = this.needName(0, "a constant's name");
    this.startDeclaration("const", name);
    let type: TypeExpr | null = null;
    this.when(0, this.isNext(T.Colon), () => {
      this.consume(0, T.Colon);
      type = this.subrule(0, this.type);
    });
    const next = this.peek(1);
    const isTypeFirst = type === null && next.tokenType === T.Ident && !next.newline;
    this.need(0, T.Equal, "`=` and the constant's value", isTypeFirst ? { help: `write \`const ${nameAndType(name.text, next.image)} = ..\`` } : {});
    const value = this.subrule(0, this.expr);
    return { kind: "const", name, type, value, span: this.spanFrom(startOffset) };
  });

  readonly fileVariable: Rule<VarItem> = this.RULE("fileVariable", (): VarItem => {
    const first = this.peek(1);
    this.when(0, first.tokenType === T.SharedWord, () => this.consume(0, T.SharedWord));
    return this.variable(first);
  });

  protected variable(first: Token): VarItem {
    this.need(0, T.Var);
    const name = this.needName(0, "a variable's name");
    if (this.reading !== "fixture") this.startDeclaration("var", name);
    let type: TypeExpr | null = null;
    this.when(1, this.isNext(T.Colon), () => {
      this.consume(0, T.Colon);
      type = this.subrule(0, this.type);
    });
    let value: Expr | null = null;
    if (!this.RECORDING_PHASE && type === null && !this.isNext(T.Equal)) throw this.expected("`:` and a type, or `=` and a value");
    this.when(2, this.isNext(T.Equal), () => {
      this.consume(0, T.Equal);
      value = this.subrule(0, this.expr);
    });
    return { kind: "var", name, type, value, shared: first.tokenType === T.SharedWord, span: this.spanFrom(first.startOffset) };
  }

  // ---- struct, enum, regs ----

  /** Members between braces, each guarded, with or without commas between them. */
  protected members(open: Token, parse: () => void): void {
    this.repeat(
      5,
      () => !this.isNext(T.RCurly) && !this.isNext(T.EndOfFile) && !this.isItemBoundary(),
      () => {
        this.guarded(
          () => {
            parse();
            this.when(6, this.isNext(T.Comma) || this.isNext(T.Semi), () =>
              this.or(5, [{ ALT: () => this.consume(5, T.Comma) }, { ALT: () => this.consume(5, T.Semi) }]),
            );
          },
          (from) => this.skipLine(from),
        );
      },
    );
    this.needClose(5, T.RCurly, open);
  }

  readonly struct: Rule<Item> = this.RULE("struct", (): Item => {
    const { startOffset } = this.need(0, T.Struct);
    const name = this.needName(0, "a struct's name");
    this.startDeclaration("struct", name);
    const parents: NamedType[] = [];
    this.when(3, this.isNext(T.Colon), () => {
      this.consume(3, T.Colon);
      parents.push(...this.recorded(this.subrule(0, this.parents)));
    });
    const open = this.need(0, T.LCurly, "`{`");
    const fields: Param[] = [];
    const methods: FnItem[] = [];
    this.members(open, () => {
      const isMethod = this.isNext(T.Fn) && this.peek(2).tokenType !== T.Colon;
      if (this.RECORDING_PHASE) {
        this.or(0, [{ ALT: () => this.subrule(0, this.method) }, { ALT: () => this.subrule(0, this.typedMember), IGNORE_AMBIGUITIES: true }]);
      } else if (isMethod) methods.push(this.subrule(0, this.method, { ARGS: [name] }));
      else fields.push(this.subrule(0, this.typedMember));
    });
    return { kind: "struct", name, ...(parents.length === 0 ? {} : { parents }), fields, methods, span: this.spanFrom(startOffset) };
  });

  /** `Base, Iface` after the colon. */
  readonly parents = this.RULE("parents", (): readonly NamedType[] => {
    const parents: NamedType[] = [];
    const parse = (index: number): void => {
      if (!this.RECORDING_PHASE && this.peek(1).tokenType !== T.Ident) throw this.expected("a struct or an interface");
      const type = this.subrule(index, this.type);
      if (type.kind === "named-type") parents.push(type);
    };
    parse(0);
    this.repeat(
      0,
      () => this.isNext(T.Comma),
      () => {
        this.consume(0, T.Comma);
        parse(1);
      },
    );
    return parents;
  });

  readonly fake: Rule<Item> = this.RULE("fake", (): Item => {
    const { startOffset } = this.need(0, T.FakeWord);
    const name = this.needName(0, "a fake's name");
    this.startDeclaration("fake", name);
    this.need(0, T.Colon, "`:` and the interface that it fakes");
    const parents = this.recorded(this.subrule(0, this.parents));
    const open = this.need(0, T.LCurly, "`{`");
    const fields: Param[] = [];
    const methods: FnItem[] = [];
    this.members(open, () => {
      if (this.RECORDING_PHASE) {
        this.or(0, [
          { ALT: () => this.subrule(0, this.method) },
          {
            ALT: () => {
              this.consume(0, T.Var);
              this.subrule(0, this.typedMember);
            },
          },
        ]);
      } else if (this.isNext(T.Fn)) methods.push(this.subrule(0, this.method, { ARGS: [name] }));
      else {
        this.need(0, T.Var, "`var` or `fn`");
        fields.push(this.subrule(0, this.typedMember));
      }
    });
    return { kind: "struct", name, parents, isFake: true, fields, methods, span: this.spanFrom(startOffset) };
  });

  readonly interface: Rule<Item> = this.RULE("interface", (): Item => {
    const { startOffset } = this.need(0, T.InterfaceWord);
    const name = this.needName(0, "an interface's name");
    this.startDeclaration("interface", name);
    const open = this.need(0, T.LCurly, "`{`");
    const methods: MethodSignature[] = [];
    this.members(open, () => methods.push(this.subrule(0, this.methodSignature, { ARGS: [name] })));
    return { kind: "interface", name, methods, span: this.spanFrom(startOffset) };
  });

  readonly methodSignature = this.RULE("methodSignature", (owner: Name): MethodSignature => {
    const { startOffset } = this.need(0, T.Fn, "`fn` and a method's name");
    const name = this.needAnyWord(0, "a method's name");
    const { params, result } = this.subrule(0, this.signature, { ARGS: [this.typeNamed(null, owner)] });
    const span = this.spanFrom(startOffset);
    const brace = this.peek(1);
    if (!this.RECORDING_PHASE && brace.tokenType === T.LCurly) {
      throw this.faultAt(brace, "E0230", "a method of an interface has no body", "a body", { help: "the structs that implement the interface have it" });
    }
    return { name, params, result, span };
  });

  readonly method = this.RULE("method", (owner: Name): FnItem => {
    const { startOffset } = this.need(0, T.Fn);
    const name = this.needAnyWord(0, "a method's name");
    return this.#fnAfterName(name, startOffset, owner);
  });

  readonly typedMember: Rule<Param> = this.RULE("typedMember", (): Param => {
    const name = this.needAnyWord(0, "a field's name");
    this.need(0, T.Colon, "`:` and the field's type");
    return { name, type: this.subrule(0, this.type) };
  });

  readonly enumeration: Rule<Item> = this.RULE("enumeration", (): Item => {
    const { startOffset } = this.need(0, T.Enum);
    if (!this.RECORDING_PHASE && (this.isWord(this.peek(1), "class") || this.isNext(T.Struct)) && this.peek(2).tokenType === T.Ident) {
      throw this.expected("an enum's name", { help: `write \`enum ${this.peek(2).image}\`: its members are told by its name, too` });
    }
    const name = this.needName(0, "an enum's name");
    this.startDeclaration("enum", name);
    let type: TypeExpr | null = null;
    this.when(0, this.isNext(T.Colon), () => {
      this.consume(0, T.Colon);
      type = this.subrule(0, this.type);
    });
    const open = this.need(0, T.LCurly, "`{`");
    const members: { name: Name; value: Expr | null }[] = [];
    this.members(open, () => {
      const member = this.needAnyWord(0, "a member's name");
      let value: Expr | null = null;
      this.when(1, this.isNext(T.Equal), () => {
        this.consume(0, T.Equal);
        value = this.subrule(0, this.expr);
      });
      members.push({ name: member, value });
    });
    return { kind: "enum", name, type, members, span: this.spanFrom(startOffset) };
  });

  readonly regs: Rule<Item> = this.RULE("regs", (): Item => {
    const { startOffset } = this.need(0, T.RegsWord);
    const name = this.needName(0, "the name of a register block");
    this.startDeclaration("regs", name);
    const help = `a block has no place of its own: it is used at one, \`${name.text} at 0x1000\``;
    const open = this.need(0, T.LCurly, "`{`", this.isNext(T.At) || this.isWord(this.peek(1), "at") ? { help } : {});
    const registers: RegisterDecl[] = [];
    this.members(open, () => registers.push(this.subrule(0, this.register)));
    return { kind: "regs", name, registers, span: this.spanFrom(startOffset) };
  });

  readonly register: Rule<RegisterDecl> = this.RULE("register", (): RegisterDecl => {
    const form = { help: "a register is `status: u32 @0x04 ro { ready: 0, mode: 3..1 }`" };
    if (!this.RECORDING_PHASE && !this.isAnyWord(this.peek(1))) throw this.expected("a register's name", form);
    const name = this.needAnyWord(0, "a register's name");
    this.need(0, T.Colon, "`:` and the register's type", form);
    const type = this.subrule(0, this.type);
    this.need(0, T.At, "`@` and the register's offset", form);
    const offset = this.condition(0);
    const access = this.#access();
    let reset: Expr | null = null;
    this.when(0, this.isWord(this.peek(1), "reset") && !this.peek(1).newline, () => {
      this.needWord(0, "reset");
      this.need(0, T.Equal);
      reset = this.condition(1);
    });
    const fields: FieldDecl[] = [];
    const open = this.peek(1);
    this.when(1, open.tokenType === T.LCurly && !open.newline, () => {
      this.consume(0, T.LCurly);
      this.members(open, () => fields.push(this.subrule(0, this.field)));
    });
    return { name, type, offset, access, reset, fields, span: this.spanFrom(this.RECORDING_PHASE ? 0 : name.span.start) };
  });

  /** An access word; another word in its place on the same line is a slip. */
  #access(): AccessWord | null {
    const token = this.peek(1);
    const isWord = token.tokenType === T.Ident && !token.newline;
    let access: AccessWord | null = null;
    this.when(8, isWord && token.image !== "reset" && this.peek(2).tokenType !== T.Colon, () => {
      this.consume(8, T.Ident);
      if (isAccessWord(token.image)) access = token.image;
      else if (!this.RECORDING_PHASE) {
        this.complain(token, "E0221", `unknown access word \`${token.image}\``, "not an access word", {
          help: didYouMean(token.image, [...accessWords, "reset"], "the access words are `ro`, `wo`, `rw`, `w1c`, `w1s` and `rc`"),
        });
      }
    });
    return access;
  }

  readonly field: Rule<FieldDecl> = this.RULE("field", (): FieldDecl => {
    const name = this.needAnyWord(0, "a field's name");
    this.need(0, T.Colon, "`:` and the field's bits");
    const bits = this.condition(0);
    const access = this.#access();
    const span = this.spanFrom(this.RECORDING_PHASE ? 0 : name.span.start);
    if (this.RECORDING_PHASE || bits.kind !== "range") return { name, high: bits, low: null, access, span };
    if (bits.start === null || bits.end === null)
      throw this.faultAt(this.tokenAt(bits.span.start), "E0222", "a field has bits `high..low`", "one end is missing");
    if (bits.inclusive) this.complain(this.tokenAt(bits.span.start), "E0222", "the bits of a field are written `high..low`, both inclusive", "`..=` inside");
    return { name, high: bits.start, low: bits.end, access, span };
  });
}
