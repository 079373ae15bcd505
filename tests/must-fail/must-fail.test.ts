// Tests that must fail, each in a known way: what a user sees of every one of them is compared as a whole, verdict, message, frame, values
// and console. Times, addresses of code and accesses to the console's UART say nothing here and are left out. The specs themselves
// say in a comment what is wrong with each test.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Image } from "../../compiler/index.ts";
import { interpreterFactory } from "../../runtime/cpus/bytecode/interpreter.ts";
import { createMachine } from "../../runtime/machine/machine.ts";
import { formatFailures } from "../../runtime/reporters/failure-block.ts";
import { paintFor } from "../../runtime/reporters/paint.ts";
import { formatInfos } from "../../runtime/reporters/result-line.ts";
import { isGood, type TestFinished } from "../../runtime/events.ts";
import { compileSpecs, specFiles } from "../fixtures/compile.ts";
import { bytecodeVirt } from "../fixtures/machines.ts";
import { goldenFolder } from "../goldens.ts";
import { runImages, testsOf } from "../specs/run-all.ts";

const FOLDER = "tests/must-fail";
const paint = paintFor(false);

/** As the report has it, but for what changes with every edit of the library. */
function reportOf(finished: TestFinished): string {
  const failures = finished.failures.map((failure) => ({ ...failure, accesses: [], interrupts: [] }));
  const shown = { ...finished, failures, repro: "", wallMs: 0 };
  const lines = isGood(shown.verdict)
    ? [...(shown.reason === null ? [] : [`  ${shown.reason}`]), ...formatInfos(shown, paint)]
    : formatFailures(shown, { paint, columns: 120, isFull: true });
  const head = `${shown.verdict.toUpperCase()} ${shown.test}${shown.row === null ? "" : `[${shown.row}]`}, ${shown.checks} checks`;
  return [head, ...lines]
    .join("\n")
    .replaceAll(/at pc 0x[0-9a-f_]+/g, "at pc [..]")
    .replaceAll(/(?<=\(guestspec\/lib\/[\w./]+:)\d+/g, "[..]");
}

/** Each spec is compiled once, and runs once on each executor, whatever of it is looked at. */
const compiled = new Map<string, readonly Image[]>();
function imagesOf(path: string): readonly Image[] {
  let images = compiled.get(path);
  if (images === undefined) compiled.set(path, (images = compileSpecs([path])));
  return images;
}

type Executor = "interpreter" | "wasm";
const runs: Readonly<Record<Executor, Map<string, Promise<readonly TestFinished[]>>>> = { interpreter: new Map(), wasm: new Map() };

function resultsOf(path: string, executor: Executor = "interpreter"): Promise<readonly TestFinished[]> {
  let run = runs[executor].get(path);
  if (run === undefined) runs[executor].set(path, (run = runAll(path, executor)));
  return run;
}

async function runAll(path: string, executor: Executor): Promise<readonly TestFinished[]> {
  return testsOf(await runImages(imagesOf(path), { executor }));
}

goldenFolder({
  name: "reports of tests that must fail",
  folder: FOLDER,
  inputs: [".gspec"],
  expected: ".report",
  produce: async ({ path }) => `${(await resultsOf(path)).map(reportOf).join("\n\n")}\n`,
});

/** A test says in its name if it is the one that is good beside those that fail. */
const isMeantToPass = (name: string): boolean => /^(but|skipped):/.test(name);

/** What an image that runs by itself does not have: limits, and here CPUs and models of devices. */
const NEEDS_HOST: readonly string[] = ["timeouts", "callers", "callers-around", "several-cpus", "hung"].map((name) => `${FOLDER}/${name}.gspec`);

for (const path of specFiles(FOLDER)) {
  test(`${path}: what must fail does`, async () => {
    const results = await resultsOf(path);
    assert.deepEqual(
      results.filter((finished) => isGood(finished.verdict) !== isMeantToPass(finished.test)).map((finished) => `${finished.verdict} ${finished.test}`),
      [],
    );
  });
  test(`${path}: the translation to WebAssembly tells the same`, async () => {
    const [interpreted, translated] = [await resultsOf(path), await resultsOf(path, "wasm")];
    assert.deepEqual(translated.map(reportOf), interpreted.map(reportOf));
    assert.deepEqual(
      translated.map(({ instructions }) => instructions),
      interpreted.map(({ instructions }) => instructions),
    );
  });
  if (NEEDS_HOST.includes(path)) continue;
  test(`${path}: an image that runs by itself says the same`, async () => {
    const results = await resultsOf(path);
    const [image] = imagesOf(path);
    assert.ok(image !== undefined);
    let text = "";
    const machine = createMachine(bytecodeVirt, {
      output: (bytes, device) => (device === "uart0" ? (text += Buffer.from(bytes).toString("utf8")) : undefined),
    });
    const outcome = interpreterFactory
      .create(machine.loadImage(image.module), machine)
      .call(image.manifest.entry.main, [], { deadline: 1e12, grace: 1, instructions: 1e9 });
    machine.dispose();
    assert.equal(outcome.kind === "exit" ? outcome.exit.code : outcome.kind, results.every(({ verdict }) => isGood(verdict)) ? 0 : 1, text);
    // Results of tests and rows, not of what they belong to, in order.
    const good = [...text.matchAll(/^ +(ok|not ok) \d+ (.*?)(?: # .*)?$/gm)].filter(([, , name]) => results.some((each) => (each.row ?? each.test) === name));
    assert.deepEqual(
      good.map(([, word, name]) => `${word} ${name}`),
      results.map((each) => `${isGood(each.verdict) ? "ok" : "not ok"} ${each.row ?? each.test}`),
    );
  });
}

test("CPUs that trap at one place at once are told with their own callers", async () => {
  const text = `suite "two"
fn touch(at: usize) -> u32 { return (at as *u32).* }
fn first(at: usize) -> u32 { return touch(at) + 1 }
fn second(at: usize) -> u32 { return touch(at) + 2 }
test "both" {
  cpu 0 { expect first(4) == 0 }
  cpu 1 { expect second(4) == 0 }
}
`;
  const images = compileSpecs(["two.gspec"], { texts: { "two.gspec": text } });
  const told: string[] = [];
  for (let seed = 1n; seed <= 6n; seed++) {
    const results = testsOf(await runImages(images, { executor: "interpreter", seed }));
    for (const { trap, cpu, callers } of results.flatMap(({ failures }) => failures)) {
      const [caller] = callers ?? [];
      if (trap !== null && caller?.kind === "call") told.push(`${cpu} ${caller.name}`);
    }
  }
  assert.deepEqual(new Set(told), new Set(["0 first", "1 second"]));
});

test("a trap of another CPU ends the test, and is told once", async () => {
  const text = `suite "one"
fn touch(at: usize) -> u32 { return (at as *u32).* }
test "other" {
  cpu 1 { expect touch(4) == 0 }
  fail "behind the block"
}
`;
  const [result] = testsOf(await runImages(compileSpecs(["one.gspec"], { texts: { "one.gspec": text } }), { executor: "interpreter" }));
  assert.deepEqual(
    result?.failures.map(({ message, cpu }) => `${cpu} ${message}`),
    ["1 unexpected trap access_fault: read of 4 bytes at 0x4 in touch"],
  );
});

test("CPUs that fail at once are all told", async () => {
  const text = `suite "two"
fn f(n: u32) -> u32 { return n + 1 }
test "asserts" {
  cpu 0 { assert f(4) == 0 }
  cpu 1 { assert f(4) == 1 }
}
test "checks" {
  cpu 0 { expect f(4) == 0 }
  cpu 1 { expect f(4) == 1 }
}
test "a trap" {
  cpu 0 { cpu.unreachable() }
  cpu 1 { assert f(4) == 1 }
}
`;
  const images = compileSpecs(["two.gspec"], { texts: { "two.gspec": text } });
  for (let seed = 1n; seed <= 24n; seed++) {
    const results = testsOf(await runImages(images, { executor: "interpreter", seed }));
    const told = results.map(({ verdict, failures, console: printed }) => [verdict, ...failures.map(({ cpu, kind }) => `${cpu} ${kind}`).sort(), printed]);
    assert.deepEqual(
      told,
      [
        ["fail", "0 assert", "1 assert", ""],
        ["fail", "0 check", "1 check", ""],
        ["crash", "0 trap", "1 assert", ""],
      ],
      `seed ${seed}`,
    );
  }
});
