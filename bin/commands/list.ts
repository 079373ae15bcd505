// `guestspec list`: the selected tests, one id a line, or as JSON for tools. Image files tell themselves what is in them (list-image.ts).

import type { ManifestCase, ManifestTest } from "../../compiler/images/manifest.ts";
import { formatJson } from "../../runtime/reporters/json-text.ts";
import { printable } from "../../runtime/reporters/terminal-text.ts";
import { staticSkip } from "../../runtime/engines/case-engine.ts";
import type { PlannedCase } from "../../runtime/runner/plan.ts";
import { usageError } from "../errors.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import type { LoadedImage } from "../load-specs.ts";
import type { ParsedOptions } from "../options.ts";
import { selectTests } from "../select-tests.ts";
import { isImageFile, listImages } from "./list-image.ts";

function describe(planned: PlannedCase, image: LoadedImage, test: ManifestTest, row: ManifestCase): object {
  const { id, file, line, endLine, suite, test: name, row: rowName, tags, needs, target, engine, covers } = planned;
  return {
    id,
    file,
    line,
    endLine,
    suite,
    test: name,
    row: rowName,
    rowFile: planned.rowFile ?? file,
    rowLine: planned.rowLine,
    tags,
    attributes: planned.attributes,
    needs,
    covers,
    target,
    engine,
    timeoutNs: row.timeout ?? test.timeout,
    xfail: row.xfail,
    skip: staticSkip(image, test, row),
  };
}

/** As `-E` selects by them: `attr(speed=slow)`, `tag(pci)`. */
function describeAttributes({ attributes, tags, needs, covers }: PlannedCase): readonly string[] {
  const lists = { tags, needs, covers };
  return [
    ...Object.entries(attributes ?? {}).map(([name, value]) => (value === "" ? `  ${name}` : `  ${name}: ${value}`)),
    ...Object.entries(lists).flatMap(([name, values]) => (values.length === 0 ? [] : [`  ${name}: ${values.join(", ")}`])),
  ];
}

export async function run(options: ParsedOptions, io: Io): Promise<ExitCode> {
  const files = options.positionals.filter(isImageFile);
  if (files.length > 0) {
    const other = options.positionals.find((word) => !files.includes(word));
    if (other !== undefined) throw usageError(`\`${other}\` is no image file; images are listed apart from specs`);
    listImages(files, options.has("json"), io);
    return EXIT.ok;
  }
  const { images, universe, selected, narrowed } = await selectTests(options, io);
  if (narrowed.whyNothing !== null) io.err(`${narrowed.whyNothing}\n`);
  if (!options.has("json")) {
    const linesOf = options.has("attributes") ? describeAttributes : (): readonly string[] => [];
    io.out(selected.map((planned) => [printable(planned.id), ...linesOf(planned), ""].join("\n")).join(""));
    return EXIT.ok;
  }
  const tests = selected.map((planned) => {
    const image = images[planned.image];
    const test = image?.manifest.suites[planned.suiteIndex]?.tests[planned.testIndex];
    const row = test?.cases[planned.caseIndex];
    if (image === undefined || test === undefined || row === undefined) throw new Error(`${planned.id} is not in its manifest`);
    return describe(planned, image, test, row);
  });
  io.out(`${formatJson({ version: 1, tests, deselected: universe.length - selected.length }, 2)}\n`);
  return EXIT.ok;
}
