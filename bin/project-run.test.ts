// Profiles, quarantine and must-run of guestspec.yaml: what is read, and the place of what is refused.

import assert from "node:assert/strict";
import { test } from "node:test";
import { CommandError } from "./errors.ts";
import { EXIT } from "./exit-codes.ts";
import { parseOptions, withLayer, type OptionRow } from "./options.ts";
import { parseProjectRun } from "./project-run.ts";

const rows: readonly OptionRow[] = [
  { name: "jobs", value: "N", env: "JOBS", help: "jobs" },
  { name: "reporter", value: "NAME", multiple: true, help: "reporter" },
  { name: "fail-fast", value: "N", implied: "1", help: "stop" },
  { name: "verbose", help: "more" },
  { name: "flaky", value: "HOW", choices: ["pass", "fail"], help: "flaky" },
  { name: "timeout", value: "DURATION", isDuration: true, help: "limit" },
];

test("profiles give values as the command line would", () => {
  const { profiles } = parseProjectRun(
    "profiles:\n  ci:\n    jobs: 4\n    reporter: [human, junit=x.xml]\n    fail-fast: true\n    verbose: true\n    flaky: fail\n  quick: { verbose: false, reporter: human, fail-fast: 3 }\n",
    rows,
  );
  const values = (name: string) => Object.fromEntries([...(profiles.get(name) ?? [])].map(([option, { values: given }]) => [option, given]));
  assert.deepEqual(values("ci"), { jobs: ["4"], reporter: ["human", "junit=x.xml"], "fail-fast": ["1"], verbose: [""], flaky: ["fail"] });
  assert.deepEqual(values("quick"), { verbose: [], reporter: ["human"], "fail-fast": ["3"] });
  assert.equal(profiles.get("ci")?.get("reporter")?.line, 4);
});

test("quarantine and must-run are read, and other keys left to others", () => {
  const project = parseProjectRun(
    "tags: [x]\nquarantine: q.yaml\nmust-run:\n  - filter: tag(smoke)\n    on: [riscv64, x86_64/qemu]\n  - { filter: all(), on: qemu }\n",
    rows,
  );
  assert.equal(project.quarantine, "q.yaml");
  assert.deepEqual(project.mustRun, [
    { filter: "tag(smoke)", on: ["riscv64", "x86_64/qemu"], line: 4 },
    { filter: "all()", on: ["qemu"], line: 6 },
  ]);
});

const mistakes: readonly (readonly [text: string, message: RegExp])[] = [
  ["profiles:\n  ci: { jbos: 4 }\n", /^guestspec\.yaml:2:9: profiles\.ci: `run` has no option "jbos"; did you mean "jobs"\?$/],
  ["profiles:\n  ci: { jobs: [1, 2] }\n", /:2:15: profiles\.ci\.jobs: takes one value, not a list$/],
  ["profiles:\n  ci: { verbose: loud }\n", /profiles\.ci\.verbose: expected true or false, found "loud"$/],
  ["profiles:\n  ci: { flaky: fial }\n", /profiles\.ci\.flaky: "fial" is not pass, fail; did you mean "fail"\?$/],
  ["profiles:\n  ci: { timeout: 5 }\n", /profiles\.ci\.timeout: "5" is no duration such as 500us, 10ms, 2s or 20m$/],
  ["profiles: ci\n", /^guestspec\.yaml:1:11: profiles: expected a mapping$/],
  ["profiles:\n  C I: { jobs: 1 }\n", /profiles: "C I" is not a name like ci$/],
  ["must-run: { filter: x }\n", /must-run: expected a list/],
  ["must-run:\n  - { filtre: x }\n", /must-run: .*"filtre"/],
];

for (const [text, message] of mistakes)
  test(`${JSON.stringify(text)} is refused with its place`, () => {
    assert.throws(
      () => parseProjectRun(text, rows),
      (error) => error instanceof CommandError && error.exitCode === EXIT.compile && message.test(error.message.split("\n")[0] ?? ""),
    );
  });

test("a layer fills in what is not given, and says where from", () => {
  const options = parseOptions(rows, ["--reporter", "ktap"], "run", { JOBS: "2" });
  const layered = withLayer(
    options,
    new Map([
      ["jobs", { values: ["9"], origin: "profile ci" }],
      ["reporter", { values: ["human"], origin: "profile ci" }],
      ["verbose", { values: [""], origin: "profile ci" }],
      ["flaky", { values: [], origin: "profile ci" }],
    ]),
  );
  assert.deepEqual([layered.value("jobs"), layered.origin("jobs")], ["2", "environment, JOBS"]);
  assert.deepEqual([layered.values("reporter"), layered.origin("reporter")], [["ktap"], "command line"]);
  assert.deepEqual([layered.has("verbose"), layered.origin("verbose")], [true, "profile ci"]);
  const below = withLayer(layered, new Map([["flaky", { values: ["fail"], origin: "profile default" }]]));
  assert.deepEqual([below.has("flaky"), below.origin("flaky"), below.origin("fail-fast")], [false, "profile ci", null]);
});
