// Files whose bodies are parsed on demand are the files that are parsed in whole, once somebody has looked everywhere.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import type { File, FnItem, Item } from "./ast.ts";
import { DeferredBlock } from "./deferred-block.ts";
import type { Diagnostic } from "./diagnostic.ts";
import { parseFile, parseFileOnDemand } from "./parser.ts";
import { printAst } from "./print-ast.ts";

const library = readdirSync("lib", { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".gspec"))
  .map((name) => `lib/${name}`);

function reject({ message }: Diagnostic): never {
  assert.fail(message);
}

function wholeFunction(item: FnItem): FnItem {
  return item.body instanceof DeferredBlock ? { ...item, body: item.body.whole() } : item;
}

function wholeItem(item: Item): Item {
  if (item.kind === "fn") return wholeFunction(item);
  return item.kind === "struct" ? { ...item, methods: item.methods.map(wholeFunction) } : item;
}

/** With all places, and all bodies looked at. */
function show(file: File): string {
  return printAst({ ...file, items: file.items.map(wholeItem) }, { positions: true });
}

describe("bodies on demand", () => {
  for (const path of library) {
    test(path, () => {
      const source = { path, text: readFileSync(path, "utf8") };
      assert.equal(show(parseFileOnDemand(source, reject)), show(parseFile(source, reject)));
    });
  }

  const text = String.raw`
fn nothing() {}
fn texts(x: u32) -> str { return "}} {x} {{ {pick(x, "}} {x:x}", [1, 2], Pair { a: '}' })} \" }}" } // }
interface Door { fn open(self) -> bool fn shut(self) }
struct Gate: Door {
  hinge: fn(u32) -> u32
  fn open(self) -> bool { return self.hinge('\'' as u32) == '"' as u32 }
  fn shut(self) { asm x86_64 (clobber rax) { mov rax, 1 // don't }
    } }
}
const LATER = 1
fn on_target() on x86_64 { asm x86_64 { hlt } }
`;

  test("braces that close nothing", () => {
    const source = { path: "braces.gspec", text };
    const found: Diagnostic[] = [];
    const whole = parseFile(source, (diagnostic) => found.push(diagnostic));
    assert.deepEqual(found, []);
    assert.equal(show(parseFileOnDemand(source, reject)), show(whole));
  });

  for (const wrong of [
    "fn f() { let x = }\nconst A = 1\n",
    "fn f() { if true { }\nfn g() {}\n",
    'fn f() { "open }\nfn g() {}\n',
    "fn f( {}\n",
    "fn f() { } }\n",
  ]) {
    test(`mistakes are reported as ever: ${JSON.stringify(wrong)}`, () => {
      const source = { path: "wrong.gspec", text: wrong };
      const found: Diagnostic[] = [];
      const later: Diagnostic[] = [];
      parseFile(source, (diagnostic) => found.push(diagnostic));
      show(parseFileOnDemand(source, (diagnostic) => later.push(diagnostic)));
      assert.notEqual(found.length, 0);
      assert.deepEqual(later, found);
    });
  }
});
