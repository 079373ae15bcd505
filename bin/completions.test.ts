// Scripts for shells, run by the shells that are installed; the others are at least complete.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { completionTable } from "./commands/completions.ts";
import { COMPLETION_SCRIPTS } from "./completion-scripts.ts";

const table = completionTable();

function scriptOf(shell: string): string {
  return COMPLETION_SCRIPTS[shell]?.(table) ?? assert.fail(shell);
}

function isInstalled(shell: string): boolean {
  return spawnSync(shell, ["-c", "true"]).status === 0;
}

for (const shell of Object.keys(COMPLETION_SCRIPTS)) {
  test(`${shell}: every command and option is in the script`, () => {
    const script = scriptOf(shell);
    for (const { name, options } of table.commands) {
      assert.ok(script.includes(name), name);
      for (const option of options) assert.ok(script.includes(shell === "fish" ? `-l ${option.name}` : `--${option.name}`), option.name);
    }
  });

  test(`${shell} reads its script`, { skip: isInstalled(shell) ? false : `${shell} is not installed` }, () => {
    const { status, stderr } = spawnSync(shell, ["-n"], { input: scriptOf(shell), encoding: "utf8" });
    assert.equal(stderr, "");
    assert.equal(status, 0);
  });
}

/** What bash offers behind the words; the last one is being typed. */
function completeInBash(...words: readonly string[]): readonly string[] {
  const quoted = words.map((word) => `'${word}'`).join(" ");
  const script = `${scriptOf("bash")}\nCOMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}; _guestspec; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync("bash", ["--norc", "-s"], { input: script, encoding: "utf8" });
  assert.equal(stderr, "");
  return stdout.split("\n").filter((line) => line !== "");
}

test("bash completes commands, options and values", { skip: isInstalled("bash") ? false : "bash is not installed" }, () => {
  assert.deepEqual(completeInBash("guestspec", "comp"), ["completions"]);
  assert.deepEqual(completeInBash("guestspec", "completions", ""), ["bash", "zsh", "fish"]);
  assert.deepEqual(completeInBash("guestspec", "run", "--last"), ["--last-failed"]);
  // Options in front of a command belong to `run`.
  assert.deepEqual(completeInBash("guestspec", "--exec"), ["--executor"]);
  assert.deepEqual(completeInBash("guestspec", "run", "--executor", "i"), ["interpreter"]);
  assert.deepEqual(completeInBash("guestspec", "run", "-r", "jun"), ["junit"]);
  assert.deepEqual(completeInBash("guestspec", "run", "--flaky", "=", "f"), ["fail"]);
  assert.deepEqual(completeInBash("guestspec", "build", "--target", "risc"), ["riscv64"]);
  // Paths are the shell's.
  assert.deepEqual(completeInBash("guestspec", "run", "specs/dev"), []);
  assert.deepEqual(completeInBash("guestspec", "run", "--times", "t"), []);
});

test("fish offers them too", { skip: isInstalled("fish") ? false : "fish is not installed" }, () => {
  const { stdout } = spawnSync("fish", ["--no-config", "-c", `${scriptOf("fish")}\ncomplete -C 'guestspec run --executor i'`], { encoding: "utf8" });
  assert.match(stdout, /^interpreter/m);
});
