// `run --coverage` from outside: its tracefile against a golden that was read line by line beside the spec, its events against the schema, tests
// against their sum, and a run that is measured against one that is not.
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import type { CoverageMeasured, RunEvent } from "../../runtime/events.ts";
import { root } from "../../tools/project.mjs";
import { runTool, type Outcome } from "../cli/transcripts.ts";
import { compareGolden } from "../goldens.ts";

async function run(context: TestContext, ...args: readonly string[]): Promise<Outcome> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "guestspec-coverage-")));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  cpSync(join(root, "tests/measured/measured.gspec"), join(folder, "measured.gspec"));
  return runTool(["run", "measured.gspec", ...args], { cwd: folder });
}

async function record(context: TestContext, ...args: readonly string[]): Promise<readonly RunEvent[]> {
  const { stdout, stderr } = await run(context, "-r", "ndjson", ...args);
  assert.equal(stderr, "");
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as RunEvent);
}

test("lines and branches as lcov has them", async (context) => {
  const { stdout, code } = await run(context, "--coverage", "-r", "lcov");
  assert.equal(code, 1);
  compareGolden("tests/measured/measured.lcov", stdout);
});

test("the summary tells totals, and limits that are missed cost the status", async (context) => {
  const only = ["-E", "test(edu)", "--summary"];
  const plain = await run(context, ...only);
  assert.equal(plain.code, 0);
  assert.doesNotMatch(plain.stdout, /lines \d+ of/);
  const { stdout, stderr, code } = await run(context, ...only, "--coverage=registers:70,fields:100");
  assert.equal(code, 1);
  assert.match(stderr, /coverage of registers is 50 %, the limit is 70 %\n$/);
  assert.match(stdout, /coverage: lines 6 of 21 \(28\.5 %\), branches 0 of 14 \(0\.0 %\), registers 2 of 4 \(50\.0 %\), fields 2 of 2 \(100\.0 %\)\n$/);
  for (const other of ["--reuse", "--executor=wasm", "--target=riscv64"]) assert.equal((await run(context, ...only, "--coverage", other)).code, 2, other);
  const wrong = await run(context, "--coverage=functions:10");
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /what has a limit: lines, branches, registers, fields/);
});

test("events are those of the schema, and those of tests add up to that of the run", async (context) => {
  const events = await record(context, "--coverage");
  const schema = JSON.parse(readFileSync(join(root, "schemas/run-events.schema.json"), "utf8")) as object;
  const validate = new Ajv2020({ strict: true, strictTypes: false, strictRequired: false, discriminator: true, allowUnionTypes: true }).compile(schema);
  for (const event of events) assert.ok(validate(event), JSON.stringify(validate.errors));
  const measured = events.filter((event): event is CoverageMeasured => event.type === "coverage-measured");
  const [total] = measured.filter((event) => event.test === null);
  assert.ok(total !== undefined);
  const tests = measured.filter((event) => event.test !== null);
  assert.equal(tests.length, 5);
  for (const { line, hits } of total.files[0]?.lines ?? []) {
    const sum = tests.flatMap(({ files }) => files.flatMap((file) => file.lines.filter((own) => own.line === line))).reduce((all, own) => all + own.hits, 0);
    assert.equal(sum, hits, `line ${line}`);
  }
  const registers = total.registers[0]?.registers.map(({ name, reads, writes }) => [name, reads > 0, writes > 0]);
  assert.deepEqual(registers, [
    ["id", false, false],
    ["liveness", false, false],
    ["factorial", true, true],
    ["status", true, true],
  ]);
});

test("a run that is measured is the same run", async (context) => {
  const without = (event: RunEvent): string => JSON.stringify(event).replace(/"(wall\w*|\w+At)":("[^"]*"|[\d.e+-]+|\[[^\]]*\])/g, '"$1":0');
  const plain = (await record(context)).map(without);
  const measured = (await record(context, "--coverage")).filter(({ type }) => type !== "coverage-measured").map(without);
  assert.deepEqual(measured, plain);
});
