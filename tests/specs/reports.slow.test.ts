// The machine-readable reports of a real run, all of specs/ and tests that fail in every way: strict KTAP with rows as subtests,
// JUnit against its schema, CTRF against its rules, every event against the published schema.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { before, describe, test } from "node:test";
import { Ajv } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import type { RunEvent } from "../../runtime/events.ts";
import { report } from "../fixtures/memory-sink.ts";
import { ctrfSchema } from "../report/ctrf-schema.ts";
import { checkKtap, type KtapResult } from "../report/ktap-checker.ts";
import { compileSpecs, specFiles } from "../fixtures/compile.ts";
import { runImages, testsOf } from "./run-all.ts";

/** The fields of wall time that `runImages` leaves out, put back where the schema asks for them. */
function withTimes(event: RunEvent): RunEvent {
  switch (event.type) {
    case "run-started":
      return { ...event, startedAt: "2026-01-01T00:00:00.000Z" };
    case "run-finished":
      return { ...event, wallMs: 1500, wallBoots: [], finishedAt: "2026-01-01T00:00:01.500Z" };
    case "test-finished":
      return { ...event, wallMs: 1.5, wallStartMs: 0, wallWorker: 0 };
    case "suite-finished":
      return { ...event, wallMs: 1.5 };
    case "coverage-measured":
    case "suite-started":
    case "test-running":
    case "test-status":
      return event;
  }
}

const hasXmllint = spawnSync("xmllint", ["--version"]).error === undefined;

describe("reports of all specs", () => {
  let events: readonly RunEvent[] = [];

  before(async () => {
    const images = compileSpecs([...specFiles("specs"), "tests/fixtures/isolation.gspec"]);
    events = (await runImages(images, { executor: "auto" })).map(withTimes);
  });

  test("KTAP is strict, has every case as a line and every row as a subtest", async () => {
    const suites = checkKtap(await report("ktap", events));
    const leaves = (results: readonly KtapResult[]): number => results.reduce((sum, { children }) => sum + (children.length === 0 ? 1 : leaves(children)), 0);
    assert.equal(suites.length, events.filter(({ type }) => type === "suite-finished").length);
    assert.equal(leaves(suites), testsOf(events).length);
    const failed = suites.filter(({ isOk }) => !isOk);
    assert.deepEqual(
      failed.map(({ name }) => name),
      ["isolation"],
    );
    const depth = (result: KtapResult): number => 1 + Math.max(0, ...result.children.map(depth));
    assert.equal(Math.max(...suites.map(depth)), 3);
  });

  test("JUnit validates", { skip: hasXmllint ? false : "xmllint is not installed" }, async () => {
    const { status, stderr } = spawnSync("xmllint", ["--noout", "--huge", "--schema", "tests/report/junit.xsd", "-"], {
      input: await report("junit", events),
      encoding: "utf8",
    });
    assert.equal(status, 0, stderr.slice(0, 2000));
  });

  test("CTRF validates", async () => {
    const validate = new Ajv({ strict: true, allErrors: false }).compile(ctrfSchema);
    assert.ok(validate(JSON.parse(await report("ctrf", events))), JSON.stringify(validate.errors));
  });

  test("every event is one of the published schema", async () => {
    const validate = new Ajv2020({ strict: true, strictTypes: false, strictRequired: false, discriminator: true, allowUnionTypes: true }).compile(
      JSON.parse(readFileSync("schemas/run-events.schema.json", "utf8")) as object,
    );
    const lines = (await report("ndjson", events)).trimEnd().split("\n");
    assert.equal(lines.length, events.length);
    for (const line of lines) assert.ok(validate(JSON.parse(line)), `${JSON.stringify(validate.errors)} in ${line.slice(0, 300)}`);
  });
});
