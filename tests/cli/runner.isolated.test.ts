// Comforts of the runner that need a project of their own: its file, a repository, a terminal that goes away. A process for each command.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { root } from "../../tools/project.mjs";
import { runTool } from "./transcripts.ts";

function makeProject(context: TestContext, ...files: readonly string[]): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "guestspec-runner-")));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const file of files) cpSync(join(root, "tests", "cli", "project", file), join(folder, file));
  return folder;
}

test("profiles give options, and config show says where each comes from", { timeout: 120_000 }, async (context) => {
  const folder = makeProject(context, "good.gspec");
  writeFileSync(
    join(folder, "guestspec.yaml"),
    "tags: [own]\nprofiles:\n  default: { jobs: 1, verbose: true }\n  ci:\n    verbose: false\n    reporter: [human, junit=out.xml]\n",
  );
  const shown = await runTool(["config", "show", "--profile", "ci", "--seed", "7", "--json"], { cwd: folder, env: { GUESTSPEC_JOBS: "3" } });
  const { options } = JSON.parse(shown.stdout) as { options: readonly { readonly name: string; readonly value: unknown; readonly origin: string }[] };
  const told = (name: string) => options.find((option) => option.name === name);
  assert.deepEqual(told("jobs"), { name: "jobs", value: ["3"], origin: "environment, GUESTSPEC_JOBS" });
  assert.deepEqual(told("seed"), { name: "seed", value: ["7"], origin: "command line" });
  assert.deepEqual(told("verbose"), { name: "verbose", value: false, origin: "profile ci, guestspec.yaml:5" });
  assert.deepEqual(told("reporter"), { name: "reporter", value: ["human", "junit=out.xml"], origin: "profile ci, guestspec.yaml:6" });
  assert.deepEqual(told("timeout"), { name: "timeout", value: [], origin: "default" });
  assert.match((await runTool(["run", "good.gspec"], { cwd: folder })).stdout, /PASS .*good::adds/);
  const ci = await runTool(["run", "good.gspec"], { cwd: folder, env: { GUESTSPEC_PROFILE: "ci" } });
  assert.doesNotMatch(ci.stdout, /good::adds/);
  assert.match(readFileSync(join(folder, "out.xml"), "utf8"), /tests="5"/);
  const slip = await runTool(["run", "good.gspec", "--profile", "cj"], { cwd: folder });
  assert.deepEqual([slip.code, slip.stderr], [2, "error: there is no profile `cj`\n  = help: did you mean `ci`?\n"]);
  writeFileSync(join(folder, "guestspec.yaml"), "profiles:\n  default: { target: riscv64 }\n");
  writeFileSync(join(folder, "wrong.gspec"), 'suite "wrong"\n\ntest "adds" { expect 1 + 1 == 3 }\n');
  const failed = await runTool(["run", "wrong.gspec", "--target", "bytecode"], { cwd: folder });
  assert.match(failed.stdout, /^ {2}rerun .*@bytecode\/embedded' --target bytecode --seed 0$/m);
  writeFileSync(join(folder, "guestspec.yaml"), "profiles:\n  default:\n    jobs: many\n");
  const wrong = await runTool(["run", "good.gspec"], { cwd: folder });
  assert.deepEqual([wrong.code, wrong.stderr], [2, "error: guestspec.yaml:3: `jobs` takes a whole number from 1, not `many`\n"]);
});

/** Each is found at another time. */
const SLIPS: readonly (readonly [args: readonly string[], message: string])[] = [
  [["--sede", "1"], "there is no option `--sede`"],
  [["--executor", "wsm"], "`--executor` takes auto, interpreter, wasm, not `wsm`"],
  [["--profile", "nightly"], "there is no profile `nightly`"],
  [["--seed", "nonsense"], "`--seed` takes a number of at most 64 bits or `random`, not `nonsense`"],
  [["--require", "pci("], "`--require` takes what tests need"],
  [["--with-ktap", "none.log"], "cannot read none.log: no such file or directory"],
  [["--coverage=most"], "`--coverage` takes limits such as lines:90,branches:80, not `most`"],
];

test("a run that cannot begin says so in its reports, and leaves none of an earlier run", { timeout: 120_000 }, async (context) => {
  const folder = makeProject(context, "good.gspec");
  const reports = ["-r", "junit=out.xml", "-r", "ndjson=out.ndjson"];
  const read = () => ({ xml: readFileSync(join(folder, "out.xml"), "utf8"), ndjson: readFileSync(join(folder, "out.ndjson"), "utf8") });
  const green = await runTool(["run", ...reports], { cwd: folder });
  assert.equal(green.code, 0);
  assert.match(read().xml, /tests="5" failures="0" errors="0"/);
  const empty = await runTool(["run", "--shard", "slice:1/6", ...reports], { cwd: folder });
  assert.deepEqual([empty.code, empty.stdout], [0, ""]);
  assert.match(read().xml, /<testsuites name="guestspec" tests="0" failures="0" errors="0"/);
  assert.match(read().ndjson, /"shard":"slice:1\/6"/);
  const filter = await runTool(["run", "-E", "test(adsd)", ...reports], { cwd: folder });
  assert.equal(filter.code, 2);
  assert.match(read().xml, /<testcase name="begins".*\n[^]*<error type="error" message="test\(\.\.\) matches nothing/);
  for (const [args, message] of SLIPS) {
    rmSync(join(folder, "out.xml"));
    const slip = await runTool(["run", ...args, ...reports], { cwd: folder });
    assert.deepEqual([slip.code, slip.stdout], [2, ""]);
    assert.ok(slip.stderr.startsWith(`error: ${message}`), slip.stderr);
    assert.ok(read().xml.includes(`<error type="error" message="${message}`), read().xml);
  }
  writeFileSync(join(folder, "bad.gspec"), 'suite "bad"\ntest "a" {\n  let n: u32 = "s"\n  foo()\n}\n');
  const broken = await runTool(["run", ...reports], { cwd: folder });
  assert.deepEqual([broken.code, broken.stdout], [3, ""]);
  assert.match(broken.stderr, /^error\[E0501\]/);
  const { xml } = read();
  assert.match(xml, /tests="1" failures="0" errors="1"/);
  assert.match(xml, /<testcase name="compiles" classname="bad\.guestspec" file="bad\.gspec" line="3"/);
  assert.match(xml, /there is no `foo` here \(E0401\)/);
  const again = await runTool(["replay", "out.ndjson"], { cwd: folder });
  assert.match(again.stdout, /ERROR bad\.gspec::guestspec::compiles[^]*expected `u32`, found `str` \(E0501\)\n +--> bad\.gspec:3:16/);
  const targetsOf = () =>
    read()
      .ndjson.split("\n")
      .flatMap((line) => /"targets":(\[[^\]]*\])/.exec(line)?.[1] ?? []);
  await runTool(["run", ...reports, "--target", "riscv64,bytecode"], { cwd: folder });
  assert.deepEqual(targetsOf(), ['["riscv64"]']);
  assert.match(read().ndjson, /bad\.gspec::guestspec::compiles@riscv64\/compiler/);
  await runTool(["run", ...reports, "--machine", "riscv-virt-sbi"], { cwd: folder });
  assert.deepEqual(targetsOf(), ['["riscv64"]']);
  rmSync(join(folder, "bad.gspec"));
  await runTool(["run", ...reports, "-E", "test(adsd)", "--target", "riscv64,bytecode"], { cwd: folder });
  assert.deepEqual(targetsOf(), ['["riscv64","bytecode"]']);
  writeFileSync(join(folder, "bad.gspec"), 'suite "bad"\ntest "a" {\n  let n: u32 = "s"\n}\n');
  const annotated = await runTool(["run"], { cwd: folder, env: { GITHUB_ACTIONS: "true" } });
  assert.match(annotated.stdout, /^::error file=bad\.gspec,line=3,col=16/);
});

test("where there are no specs, a slip in a command is told as anywhere, and what a spec is", { timeout: 120_000 }, async (context) => {
  const folder = makeProject(context);
  const nothing = "error: there are no specs (*.gspec, *.gspec.yaml)";
  const spec = '  = help: a file NAME.gspec that begins with `suite "NAME"` is a spec\n';
  const answers: readonly (readonly [readonly string[], string])[] = [
    [["docter"], `${nothing} below the working directory\n  = help: did you mean the command \`doctor\`?\n`],
    [["run", "uart"], `${nothing} below the working directory\n`],
    [["run"], `${nothing} below the working directory\n${spec}`],
    [["list", "."], `${nothing} in .\n${spec}`],
    [["check"], `${nothing} here\n${spec}`],
  ];
  for (const [args, answer] of answers) {
    const { code, stderr } = await runTool(args, { cwd: folder });
    assert.deepEqual([code, stderr], [4, answer], args.join(" "));
  }
});

test("a mistake in an engine of the project is told to whoever compiles, also if no engine is named", { timeout: 120_000 }, async (context) => {
  const folder = makeProject(context, "good.gspec");
  assert.equal((await runTool(["run"], { cwd: folder })).code, 0);
  writeFileSync(join(folder, "guestspec.yaml"), "engines:\n  bochs:\n    target: x86_64\n    machine: x86-pc\n    image: disc\n    command: [bochs]\n");
  for (const command of ["run", "run", "list", "check"]) {
    const { code, stderr } = await runTool([command, "good.gspec"], { cwd: folder });
    assert.deepEqual([code, stderr], [3, 'error: guestspec.yaml:5:12: engines.bochs.image: "disc" is not elf, flat, disk; did you mean "disk"?\n'], command);
  }
});

test("a quarantine skips with its reason, and says when it is not needed any more", { timeout: 120_000 }, async (context) => {
  const folder = makeProject(context, "good.gspec", "verdicts.gspec");
  writeFileSync(join(folder, "guestspec.yaml"), "quarantine: held.yaml\n");
  writeFileSync(
    join(folder, "held.yaml"),
    "- { filter: suite(verdicts) - test(is skipped), reason: issue 12 }\n- { filter: test(adds), reason: was slow }\n- { filter: suite(gone), reason: no more }\n",
  );
  const run = await runTool(["run"], { cwd: folder });
  assert.equal(run.code, 0, run.stdout);
  assert.match(run.stdout, /^ +skipped "adds": in quarantine: was slow$/m);
  assert.match(run.stdout, /4 passed, 0 failed, 9 skipped/);
  assert.equal((await runTool(["run", "--quarantine", "none"], { cwd: folder })).code, 1);
  const verify = await runTool(["run", "--quarantine-verify"], { cwd: folder });
  assert.equal(verify.code, 1);
  assert.match(verify.stdout, /XPASS .*good::adds/);
  assert.match(verify.stdout, /XFAIL .*verdicts::traps.*\n +issue 12/);
  assert.doesNotMatch(verify.stdout, /finds the device/);
  assert.match(verify.stderr, /^held\.yaml:2: test\(adds\): 1 of 1 passes now: remove it$/m);
  assert.match(verify.stderr, /^held\.yaml:3: suite\(gone\) is no test of the project: remove it$/m);
  writeFileSync(join(folder, "held.yaml"), "- { filter: tset(x), reason: a }\n- { filter: test(x) }\n");
  const broken = await runTool(["run"], { cwd: folder });
  assert.equal(broken.code, 3);
  assert.match(broken.stderr, /^error: held\.yaml:1:13: filter: .*`test`\?\nheld\.yaml:2:3: .*"reason" is missing/);
});

test("what must run and does not is exit code 6", { timeout: 120_000 }, async (context) => {
  const folder = makeProject(context, "good.gspec", "verdicts.gspec");
  const require = (rules: string) => writeFileSync(join(folder, "guestspec.yaml"), `must-run:\n${rules}`);
  require("  - { filter: suite(good), on: [bytecode/embedded] }\n  - { filter: test(adds) }\n");
  const kept = await runTool(["run", "good.gspec", "--must-run"], { cwd: folder });
  assert.deepEqual([kept.code, kept.stderr], [0, ""]);
  require("  - { filter: suite(good), on: [bytecode, riscv64] }\n  - { filter: test(is skipped) }\n");
  const broken = await runTool(["run", "good.gspec", "verdicts.gspec::verdicts::is skipped", "--must-run"], { cwd: folder });
  assert.equal(broken.code, 6, broken.stderr);
  assert.deepEqual(broken.stderr.trimEnd().split("\n"), [
    "guestspec.yaml:2: this run has no test of suite(good) on riscv64",
    "guestspec.yaml:3: verdicts.gspec::verdicts::is skipped was skipped: nothing to do",
  ]);
  rmSync(join(folder, "guestspec.yaml"));
  assert.equal((await runTool(["run", "good.gspec", "--must-run"], { cwd: folder })).code, 2);
});

test("only what a change touches", { timeout: 120_000 }, async (context) => {
  const folder = makeProject(context, "good.gspec", "cpus.gspec");
  const git = (...args: readonly string[]) => execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@example.org", ...args], { cwd: folder });
  writeFileSync(join(folder, "shared.gspec"), "fn twice(a: u32) -> u32 { return a * 2 }\n");
  writeFileSync(join(folder, "user.gspec"), 'use "./shared.gspec" as shared\n\nsuite "user"\n\ntest "doubles" { expect shared.twice(2) == 4 }\n');
  writeFileSync(join(folder, ".gitignore"), ".cache\n");
  git("init", "-q");
  git("add", ".");
  git("commit", "-q", "-m", "first");
  const list = async (...args: readonly string[]) => runTool(["list", "--only-changed", ...args], { cwd: folder });
  const clean = await list();
  assert.deepEqual([clean.code, clean.stdout], [0, ""]);
  assert.equal(clean.stderr, "nothing that the selected tests are made of differs from HEAD\n");
  writeFileSync(join(folder, "shared.gspec"), "fn twice(a: u32) -> u32 { return a + a }\n");
  writeFileSync(join(folder, "new.gspec"), 'suite "new"\n\ntest "is new" { expect true }\n');
  const touched = await list();
  assert.deepEqual(
    touched.stdout.trimEnd().split("\n"),
    ["new.gspec::new::is new@bytecode/embedded", "user.gspec::user::doubles@bytecode/embedded"],
    touched.stderr,
  );
  git("add", ".");
  git("commit", "-q", "-m", "second");
  assert.equal((await list()).stdout, "");
  const since = await runTool(["list", "--only-changed=HEAD~1"], { cwd: folder });
  assert.equal(since.stdout, touched.stdout);
  const slip = await runTool(["list", "--only-changed=nowhere"], { cwd: folder });
  assert.equal(slip.code, 2);
  assert.match(slip.stderr, /^error: `--only-changed`: git says: /);
});
