// What the parser makes of each construct, as the text of its tree.

import assert from "node:assert/strict";
import { parseFile } from "../../grammar/parser.ts";
import { printAst } from "../../grammar/print-ast.ts";
import { goldenFolder } from "../goldens.ts";

goldenFolder({
  name: "parse",
  folder: "tests/parse",
  inputs: [".gspec"],
  expected: ".ast",
  produce: ({ path, text }) => printAst(parseFile({ path, text }, (diagnostic) => assert.fail(diagnostic.message))),
});
