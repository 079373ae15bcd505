// What the YAML front end makes of each shape: the text of its tree, with the places in the YAML file.

import assert from "node:assert/strict";
import { printAst } from "../../grammar/print-ast.ts";
import { parseYamlFile } from "../../grammar/yaml/read-yaml-spec.ts";
import { goldenFolder } from "../goldens.ts";

goldenFolder({
  name: "YAML specs",
  folder: "tests/yaml",
  inputs: [".gspec.yaml"],
  expected: ".ast",
  produce: ({ path, text }) =>
    printAst(
      parseYamlFile({ path, text }, (diagnostic) => assert.fail(diagnostic.message)),
      { positions: true },
    ),
});
