// The body of a function as a range of its file's text, which is parsed when somebody looks at it. A spec reaches a part of the guest
// library, and of most of its functions it wants the signature only. A class, because hundreds of them are made in each run and a getter in an
// object literal gives each object a shape of its own. Once looked at, it is a block like any other.

import type { Block, Stmt } from "./ast.ts";
import type { Span } from "./source.ts";

export class DeferredBlock implements Block {
  readonly kind = "block";
  readonly span: Span;
  #parse: (() => Block) | null;
  #block: Block | null = null;

  constructor(span: Span, parse: () => Block) {
    this.span = span;
    this.#parse = parse;
  }

  /** As it is where bodies are parsed at once. */
  whole(): Block {
    if (this.#parse !== null) {
      this.#block = this.#parse();
      this.#parse = null;
    }
    if (this.#block === null) throw new Error("a body is looked at while it is parsed");
    return this.#block;
  }

  get statements(): readonly Stmt[] {
    return this.whole().statements;
  }

  get broken(): boolean {
    return this.whole().broken === true;
  }
}
