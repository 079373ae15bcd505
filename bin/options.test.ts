// The option table: what it accepts, what it refuses and in which words.
import assert from "node:assert/strict";
import { test } from "node:test";
import { COMMANDS } from "./commands/table.ts";
import { CommandError } from "./errors.ts";
import { formatCommandHelp, formatMainHelp } from "./help.ts";
import { EXIT } from "./exit-codes.ts";
import { wantsColor } from "./io.ts";
import { duration, formatOptions, HELP_OPTION, parseOptions, wholeNumber, type OptionRow } from "./options.ts";

const rows: readonly OptionRow[] = [
  { name: "seed", value: "N", env: "SEED", help: "seed" },
  { name: "reporter", short: "r", value: "NAME", multiple: true, help: "reporter" },
  { name: "fail-fast", value: "N", implied: "1", help: "stop" },
  { name: "verbose", short: "v", help: "more" },
  { name: "executor", value: "NAME", choices: ["auto", "wasm"], env: "EXECUTOR", help: "how" },
  { name: "timeout", value: "DURATION", help: "limit" },
];

const parse = (args: readonly string[], env: Record<string, string> = {}) => parseOptions(rows, args, "run", env);

function messageOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof CommandError);
    assert.equal(error.exitCode, EXIT.usage);
    return `${error.message} | ${error.help}`;
  }
  return assert.fail("was accepted");
}

test("values, flags, repetition, abbreviations and positionals", () => {
  const options = parse(["a", "--seed=7", "-r", "ktap", "b", "--reporter", "junit=x.xml", "-v", "--", "--seed"]);
  assert.deepEqual(options.positionals, ["a", "b", "--seed"]);
  assert.equal(options.value("seed"), "7");
  assert.deepEqual(options.values("reporter"), ["ktap", "junit=x.xml"]);
  assert.equal(options.has("verbose"), true);
  assert.equal(options.value("executor"), null);
});

test("an implied value stands for a missing one and takes no following word", () => {
  const options = parse(["--fail-fast", "specs"]);
  assert.equal(options.value("fail-fast"), "1");
  assert.deepEqual(options.positionals, ["specs"]);
  assert.equal(parse(["--fail-fast=3"]).value("fail-fast"), "3");
});

test("variables fill in for absent options, and are checked too", () => {
  assert.equal(parse([], { SEED: "9" }).value("seed"), "9");
  assert.equal(parse(["--seed", "1"], { SEED: "9" }).value("seed"), "1");
  assert.equal(parse([], { SEED: "" }).value("seed"), null);
  assert.match(
    messageOf(() => parse([], { EXECUTOR: "wsm" })),
    /`EXECUTOR` takes auto, wasm, not `wsm` \| did you mean `wasm`\?/,
  );
  const options = parse(["--seed", "x"], { SEED: "y" });
  assert.equal(options.spelled("seed"), "`--seed`");
  assert.throws(() => wholeNumber(parse([], { SEED: "y" }), "seed", 0), /^CommandError: `SEED` takes a whole number from 0, not `y`$/);
});

test("mistakes are told with what was meant", () => {
  assert.equal(
    messageOf(() => parse(["--sed", "1"])),
    "there is no option `--sed` | did you mean `--seed`?",
  );
  assert.match(
    messageOf(() => parse(["--zzzzzz"])),
    /`guestspec run --help` lists them/,
  );
  assert.match(
    messageOf(() => parse(["--seed"])),
    /needs a value: N/,
  );
  assert.match(
    messageOf(() => parse(["--seed="])),
    /needs a value: N/,
  );
  assert.match(
    messageOf(() => parse(["--verbose=1"])),
    /takes no value/,
  );
  assert.match(
    messageOf(() => parse(["--seed", "1", "--seed", "2"])),
    /given twice/,
  );
});

test("numbers and durations", () => {
  assert.equal(wholeNumber(parse(["--seed", "1_000"]), "seed", 0), 1000);
  assert.equal(wholeNumber(parse(["--seed", "1,234,567"]), "seed", 0), 1_234_567);
  assert.equal(wholeNumber(parse(["--seed", "0x10"]), "seed", 0), 16);
  assert.equal(wholeNumber(parse([]), "seed", 0), null);
  for (const bad of ["1.5", "-1", "x", "1e3", "1,2", "1,2345"])
    assert.match(
      messageOf(() => wholeNumber(parse([`--seed=${bad}`]), "seed", 0)),
      /whole number/,
    );
  assert.throws(() => wholeNumber(parse(["--seed=9"]), "seed", 1, 8), /takes a whole number from 1 to 8, not `9`/);
  assert.equal(duration(parse(["--timeout", "1.5ms"]), "timeout"), 1_500_000);
  for (const [text, seconds] of Object.entries({ "2min": 120, "20m": 1200, "1h": 3600 })) {
    assert.equal(duration(parse(["--timeout", text]), "timeout"), seconds * 1e9);
  }
  for (const bad of ["10", "0s", "ms", "1d"])
    assert.match(
      messageOf(() => duration(parse([`--timeout=${bad}`]), "timeout")),
      /duration/,
    );
});

test("every command's table is well-formed, its names and letters unique", () => {
  for (const { name, options, positionals } of COMMANDS) {
    const all = [...options, HELP_OPTION];
    assert.equal(new Set(all.map((row) => row.name)).size, all.length, name);
    const letters = all.flatMap((row) => row.short ?? []);
    assert.equal(new Set(letters).size, letters.length, name);
    assert.ok(positionals[0] <= positionals[1], name);
    for (const line of formatOptions(all, 80)) assert.ok(/^(?: {2}.*|[a-zA-Z, ]+:|)$/.test(line), line);
    for (const row of all) if (row.implied !== undefined || row.choices !== undefined) assert.ok(row.value !== undefined, row.name);
  }
});

test("help fits the terminal, and lines stay readable on a wide one", () => {
  for (const [columns, widest] of [
    [60, 60],
    [80, 80],
    [300, 100],
  ] as const) {
    const texts = [formatMainHelp(columns), ...COMMANDS.map((command) => formatCommandHelp(command, columns))];
    for (const line of texts.join("").split("\n")) assert.ok(line.length <= widest, `${columns} columns: ${line}`);
  }
  const run = COMMANDS.find(({ name }) => name === "run") ?? assert.fail();
  assert.match(formatCommandHelp(run, 80), /\n +--fail-fast\[=N\] +stop after the first failed test, or after N\n/);
  assert.match(formatCommandHelp(run, 80), /\(default 0; or\n? *set GUESTSPEC_SEED\)/);
});

test("colour follows NO_COLOR, FORCE_COLOR, the terminal, and empty variables count as unset", () => {
  assert.equal(wantsColor({}, true), true);
  assert.equal(wantsColor({}, false), false);
  assert.equal(wantsColor({ NO_COLOR: "1" }, true), false);
  assert.equal(wantsColor({ NO_COLOR: "" }, true), true);
  assert.equal(wantsColor({ FORCE_COLOR: "1" }, false), true);
  assert.equal(wantsColor({ FORCE_COLOR: "0" }, true), false);
  assert.equal(wantsColor({ TERM: "dumb" }, true), false);
});
