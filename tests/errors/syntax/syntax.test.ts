// Whole rendered reports for texts that do not parse: every mistake once, at its place, with help.

import { renderDiagnostics } from "../../../compiler/diagnostics/render.ts";
import type { Diagnostic } from "../../../grammar/diagnostic.ts";
import { parseFile } from "../../../grammar/parser.ts";
import { parseYamlFile } from "../../../grammar/yaml/read-yaml-spec.ts";
import { goldenFolder } from "../../goldens.ts";

function report(
  parse: (source: { path: string; text: string }, report: (diagnostic: Diagnostic) => void) => unknown,
  source: { path: string; text: string },
): string {
  const list: Diagnostic[] = [];
  parse(source, (diagnostic) => list.push(diagnostic));
  return renderDiagnostics(list, { color: false, width: 100, limit: 100 });
}

goldenFolder({ name: "syntax errors", folder: "tests/errors/syntax", inputs: [".gspec"], expected: ".txt", produce: (source) => report(parseFile, source) });
goldenFolder({
  name: "YAML errors",
  folder: "tests/errors/yaml",
  inputs: [".gspec.yaml"],
  expected: ".txt",
  produce: (source) => report(parseYamlFile, source),
});
