// `engines:` of guestspec.yaml: what is read, and every mistake at its line and column.

import assert from "node:assert/strict";
import { test } from "node:test";
import { CommandError } from "./errors.ts";
import { EXIT } from "./exit-codes.ts";
import { parseEngines } from "./project-engines.ts";

const ENTRY = `engines:
  bochs:
    target: x86_64
    machine: x86-pc
    image: disk
    command: [bochs, -f, "{config}"]
`;

test("an entry has defaults", () => {
  assert.deepEqual(parseEngines(`tags: [a]\n${ENTRY}    files: { config: "path={image}" }\n`), [
    {
      name: "bochs",
      target: "x86_64",
      machine: "x86-pc",
      image: "disk",
      cpus: 1,
      without: [],
      command: ["bochs", "-f", "{config}"],
      environment: {},
      files: { config: "path={image}" },
      consoleFile: null,
      exit: null,
      timeoutMs: 60_000,
      packages: [],
    },
  ]);
});

test("all keys", () => {
  const [engine] = parseEngines(`${ENTRY}    files: { config: a }
    cpus: 2
    without: [edu0]
    environment: { TERM: xterm }
    console: { file: "{dir}/com1.txt" }
    exit: { from: status, good: 33, failed: 35 }
    timeout: 2min
    packages: [bochs]
`);
  assert.deepEqual(engine?.exit, { good: 33, failed: 35 });
  assert.equal(engine?.consoleFile, "{dir}/com1.txt");
  assert.equal(engine?.timeoutMs, 120_000);
  assert.equal(engine?.environment.TERM, "xterm");
  assert.deepEqual([engine?.cpus, engine?.without, engine?.packages], [2, ["edu0"], ["bochs"]]);
});

test("no engines", () => {
  assert.deepEqual(parseEngines("tags: [a]\n"), []);
  assert.deepEqual(parseEngines(""), []);
});

const FILES = `    files: { config: "a" }\n`;
const MISTAKES: readonly (readonly [text: string, message: RegExp])[] = [
  ["engines: [bochs]\n", /^guestspec\.yaml:1:10: engines: expected a mapping$/],
  ["engines:\n  bochs:\n    target: x86_64\n", /^guestspec\.yaml:3:5: engines\.bochs: "machine" is missing$/m],
  [`${ENTRY}${FILES}    consol: stdout\n`, /^guestspec\.yaml:8:5: engines\.bochs: unknown key "consol"; did you mean "console"\?$/],
  [ENTRY, /^guestspec\.yaml:6:26: engines\.bochs\.command: there is nothing to put for \{config\}$/],
  [`${ENTRY}    files: { konfig: a }\n`, /there is nothing to put for \{config\}; did you mean "konfig"\?$/],
  [`${ENTRY}${FILES}`.replace("disk", "disc"), /^guestspec\.yaml:5:12: engines\.bochs\.image: "disc" is not elf, flat, disk; did you mean "disk"\?$/],
  [`${ENTRY}${FILES}`.replace("x86_64", "x86_46"), /^guestspec\.yaml:3:13: engines\.bochs\.target: "x86_46" is not x86_64, .*; did you mean "x86_64"\?$/],
  [`${ENTRY}${FILES}`.replace("x86-pc", "x86-cp"), /^guestspec\.yaml:4:14: engines\.bochs\.machine: there is no machine "x86-cp"; did you mean "x86-pc"\?$/],
  [`${ENTRY}${FILES}`.replace("x86-pc", "./board.yaml"), /: engines\.bochs\.machine: there is no machine "\.\/board\.yaml"$/],
  [`${ENTRY}${FILES}    console: serial\n`, /^guestspec\.yaml:8:14: engines\.bochs\.console: expected stdout, or a mapping/],
  [`${ENTRY}${FILES}    exit: { from: status, good: 0 }\n`, /^guestspec\.yaml:8:11: engines\.bochs\.exit: "failed" is missing/],
  [`${ENTRY}${FILES}    exit: { from: nowhere }\n`, /exit\.from: "nowhere" is not console or status$/],
  [`${ENTRY}${FILES}    timeout: soon\n`, /^guestspec\.yaml:8:14: engines\.bochs\.timeout: "soon" is not a duration like 60s$/],
  [`${ENTRY}${FILES}    cpus: 9\n`, /cpus: 9 is out of range, expected 1\.\.8$/],
  [`${ENTRY}${FILES}`.replace("[bochs, -f", "[-f").replace(`[-f, "{config}"]`, "[]"), /command: expected a program and its arguments$/],
  [`${ENTRY}${FILES}`.replace("  bochs:", "  qemu:"), /^guestspec\.yaml:2:3: engines: "qemu" is an engine of guestspec's own$/],
  [`${ENTRY}    files: { config: a, image: b }\n`, /\{image\} means something already$/],
];
for (const [text, message] of MISTAKES) {
  test(`${JSON.stringify(text.slice(0, 200))} is refused with its place`, () => {
    assert.throws(
      () => parseEngines(text),
      (error) => {
        assert.ok(error instanceof CommandError);
        assert.equal(error.exitCode, EXIT.compile);
        assert.match(error.message, message);
        return true;
      },
    );
  });
}
