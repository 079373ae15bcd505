// The whole tool with VMMs that a project describes, by the very entries that docs/engines.md has: Bochs, and QEMU from a disk. Their
// verdicts are those of QEMU's own engine. Skipped, with the reason, where a program is missing, unless GUESTSPEC_REQUIRE names it.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { tmpdir } from "node:os";
import { test, type TestContext } from "node:test";
import { isGood, type RunEvent, type TestFinished } from "../../runtime/events.ts";
import { root } from "../../tools/project.mjs";
import { runTool } from "../cli/transcripts.ts";
import { isRequired } from "../fixtures/required.ts";

function missing(engine: string, program: string): string | false {
  const isThere = (process.env.PATH ?? "").split(delimiter).some((folder) => existsSync(join(folder, program)));
  return isThere || isRequired(engine) ? false : `${program} is not installed`;
}

/** The entries of the document, one file. */
function projectFile(): string {
  const blocks = readFileSync(join(root, "docs/engines.md"), "utf8").matchAll(/^```yaml\nengines:\n([^]*?)^```$/gm);
  return `engines:\n${[...blocks].map(([, text = ""]) => text).join("")}`;
}

const BAD = `suite "bad"

test "first" { expect 1 + 1 == 2 }

test "adds up" {
  let sum: u32 = 1
  expect sum == 3
}

test "resets the machine" needs ports {
  port.out8(0x64, 0xfe)
  time.sleep(1s)
  expect false
}

test "prints a result" {
  print("  ok 5 last\\n")
  expect 1 == 1
}

test "last" { expect 2 + 2 == 4 }
`;

function makeFolder(context: TestContext): string {
  // VMMs have languages of their own for paths, in which a blank may be the end of one.
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "guestspec vmm-")));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, "tmp"));
  for (const part of ["specs/kunit", "specs/language"]) cpSync(join(root, part), join(folder, part), { recursive: true });
  writeFileSync(join(folder, "guestspec.yaml"), projectFile());
  return folder;
}

async function run(
  folder: string,
  args: readonly string[],
): Promise<{ readonly code: number | null; readonly results: readonly TestFinished[]; readonly stderr: string }> {
  const outcome = await runTool(["run", ...args, "--reporter", "ndjson=events"], { cwd: folder, env: { TMPDIR: join(folder, "tmp"), GUESTSPEC_REQUIRE: "" } });
  assert.deepEqual(readdirSync(join(folder, "tmp")), [], "nothing is left");
  assert.ok(existsSync(join(folder, "events")), outcome.stderr);
  const events = readFileSync(join(folder, "events"), "utf8").trimEnd().split("\n");
  const results = events.map((line) => JSON.parse(line) as RunEvent).filter((event) => event.type === "test-finished");
  return { code: outcome.code, results, stderr: outcome.stderr };
}

/** `file::suite::test[row]`, without where it ran. */
const nameOf = ({ id }: TestFinished): string => id.slice(0, id.lastIndexOf("@"));

for (const { engine, program, specs } of [
  { engine: "bochs", program: "bochs", specs: ["specs/kunit", "specs/language"] },
  { engine: "qemu-disk", program: "qemu-system-x86_64", specs: ["specs/kunit"] },
]) {
  test(`${engine} gives the verdicts of the embedded machine`, { skip: missing(engine, program) }, async (context) => {
    const folder = makeFolder(context);
    const there = await run(folder, [...specs, "--engine", engine]);
    const here = await run(folder, specs);
    // Models that a spec brings along run in this process only.
    const isPortable = ({ reason }: TestFinished): boolean => reason?.startsWith("needs device(models0)") !== true;
    const portable = new Set(there.results.filter(isPortable).map(nameOf));
    const verdicts = ({ results }: { readonly results: readonly TestFinished[] }): readonly string[] =>
      results.filter((result) => portable.has(nameOf(result))).map((result) => `${nameOf(result)} ${result.verdict}`);
    const bad = there.results.filter(({ verdict }) => !isGood(verdict));
    assert.deepEqual(
      bad.map(({ id, failures }) => `${id}: ${failures[0]?.message}`),
      [],
    );
    assert.equal(there.code, 0, there.stderr);
    assert.ok(portable.size > 100);
    assert.deepEqual(verdicts(there), verdicts(here));
  });

  test(`${engine}: what goes wrong costs one test`, { skip: missing(engine, program) }, async (context) => {
    const folder = makeFolder(context);
    writeFileSync(join(folder, "bad.gspec"), BAD);
    const { code, results } = await run(folder, ["bad.gspec", "--engine", engine]);
    assert.equal(code, 1);
    assert.deepEqual(
      results.map(({ test: name, verdict }) => `${name}: ${verdict}`),
      ["first: pass", "adds up: fail", "resets the machine: crash", "prints a result: crash", "last: pass"],
    );
    assert.equal(results[1]?.failures[0]?.message, "expected sum == 3, got 0x0000_0001");
    assert.equal(results[1]?.failures[0]?.values[0]?.value, "0x0000_0001 (1)");
    assert.match(results[3]?.failures[0]?.message ?? "", /^the console cannot be believed: a result came out of turn: `ok 5 last`/);
  });
}

test("one that is not installed", async (context) => {
  const folder = makeFolder(context);
  const path = join(folder, "guestspec.yaml");
  writeFileSync(path, readFileSync(path, "utf8").replace("[bochs, -q", "[no-such-vmm, -q"));
  const outcome = await runTool(["run", "specs/kunit/add.gspec", "--engine", "bochs"], { cwd: folder });
  assert.equal(outcome.code, 75);
  assert.match(outcome.stderr, /no-such-vmm is not there \(Debian: apt install bochs bochsbios vgabios bochs-term\)/);
});

test("a disk boots in QEMU by itself", { skip: missing("qemu", "qemu-system-x86_64") }, async (context) => {
  const folder = makeFolder(context);
  const built = await runTool(["build", "specs/kunit/add.gspec", "--target", "x86_64", "--machine", "x86-pc", "--format", "disk"], { cwd: folder });
  assert.equal(built.stdout, "build/specs/kunit/add.x86_64.img\n", built.stderr);
  const args = ["-machine", "pc", "-cpu", "max", "-m", "64", "-display", "none", "-serial", "stdio", "-device", "isa-debug-exit,iobase=0xf4,iosize=4"];
  let text = "";
  try {
    execFileSync("qemu-system-x86_64", [...args, "-drive", "file=build/specs/kunit/add.x86_64.img,format=raw,if=ide"], {
      cwd: folder,
      timeout: 60_000,
      stdio: ["ignore", "pipe", "pipe"],
    });
  } catch (error) {
    // isa-debug-exit has no status 0.
    const { status, stdout } = error as { readonly status: number | null; readonly stdout: Buffer };
    text = stdout.toString("latin1");
    assert.equal(status, 1, text);
  }
  assert.match(text, /^KTAP version 1$[^]*^ok 1 add\r?$/m);
});
