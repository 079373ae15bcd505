// Words of the command line that select cases of an image which runs by itself: what is left out says so and keeps its place in the plan,
// and words that select nothing are a failure.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { runTool } from "../cli/transcripts.ts";
import { needsTools, runTool as runOutside } from "./outside-tools.ts";

const SPEC = `suite "words"

test "one thing" { expect true }
test "one more thing" { expect true }
test "{n} times" for n in [1, 2, 3] { expect n > 0 }
`;

const folder = mkdtempSync(join(tmpdir(), "guestspec-words-"));
after(() => rmSync(folder, { recursive: true, force: true }));
writeFileSync(join(folder, "words.gspec"), SPEC);

let isBuilt = false;

async function runWith(words: string): Promise<{ readonly ran: readonly string[]; readonly status: number | null; readonly stdout: string }> {
  if (!isBuilt) assert.equal((await runTool(["build", "words.gspec", "-o", ".", "--target", "riscv64"], { cwd: folder })).code, 0);
  isBuilt = true;
  const machine = "-M virt -m 64 -bios none -nodefaults -display none -no-reboot -serial stdio -kernel words.riscv64";
  const { status, stdout } = runOutside("qemu-system-riscv64", [...machine.split(" "), "-append", words], { cwd: folder });
  const results = stdout.split("\n").flatMap((line) => /^ {2,4}ok \d+ (.*)$/.exec(line)?.[1] ?? []);
  return { ran: results.filter((name) => !name.endsWith("# SKIP not selected") && name !== "{n} times"), status, stdout };
}

const CASES: readonly (readonly [string, readonly string[]])[] = [
  ["", ["one thing", "one more thing", "1 times", "2 times", "3 times"]],
  ["test=one_thing", ["one thing"]],
  ["test=one_", ["one thing", "one more thing"]],
  ["test={n}_times seed=1", ["1 times", "2 times", "3 times"]],
  ["case=1", ["one more thing"]],
  ["case=0,2:1-2:2", ["one thing", "2 times", "3 times"]],
  ["case=1-2:0", ["one more thing", "1 times"]],
];

for (const [words, expected] of CASES) {
  test(`\`${words}\` runs ${expected.join(", ")}`, needsTools("qemu-system-riscv64"), async () => {
    const { ran, status, stdout } = await runWith(words);
    assert.deepEqual(ran, expected, stdout);
    assert.equal(status, 0);
    assert.match(stdout, /^KTAP version 1\n1\.\.1\n {2}KTAP version 1\n {2}1\.\.3\n/);
  });
}

for (const words of ["test=another", "case=9", "case=one"]) {
  test(`\`${words}\` selects nothing`, needsTools("qemu-system-riscv64"), async () => {
    const { status, stdout } = await runWith(words);
    assert.deepEqual({ status, stdout }, { status: 1, stdout: "# the command line selects no test\n" });
  });
}
