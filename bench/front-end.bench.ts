// Front-end throughput: 1 MB of DSL through parser, checker, lowering and verifier, against the time JSON.parse takes for the same
// number of bytes. Target: 0.5 MB/s or better for the whole way.

import { parseFile } from "../grammar/parser.ts";
import { compileFiles } from "../tests/fixtures/compile.ts";
import { generateSpec } from "./generate-spec.ts";
import { compare, reportLine, time } from "./measure.ts";

const path = "generated.gspec";
const text = generateSpec(1_000_000);
const json = JSON.stringify(Array.from({ length: 20_000 }, (_, n) => ({ name: `packet ${n}`, kind: n, list: [n, n + 1, "x"] }))).slice(0, 1_000_000);
const balanced = `${json.slice(0, json.lastIndexOf("},{"))}}]`;
const megabytes = text.length / 1e6;

const parsing = compare(
  5,
  () => time(() => parseFile({ path, text }, reject)),
  () => time(() => JSON.parse(balanced)),
);
reportLine("parse 1 MB", `${(megabytes / (parsing.subject / 1e3)).toFixed(2)} MB/s, ${parsing.ratio.toFixed(1)}x the time of JSON.parse`);

const whole = compare(
  5,
  () => time(compileAll),
  () => time(() => JSON.parse(balanced)),
);
reportLine(
  "parse, check, lower, verify 1 MB",
  `${(megabytes / (whole.subject / 1e3)).toFixed(2)} MB/s (target 0.5), ${whole.ratio.toFixed(1)}x the time of JSON.parse`,
);

function reject(diagnostic: { readonly message: string }): void {
  throw new Error(diagnostic.message);
}

function compileAll(): void {
  const { diagnostics, images } = compileFiles([path], { texts: { [path]: text } });
  if (images.length !== 1) throw new Error(diagnostics[0]?.message ?? "no image");
}
