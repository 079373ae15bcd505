// Debian's gdb-multiarch on `guestspec exec --gdb`: symbols of an image of ours, breakpoints, watchpoints, single steps, control registers,
// writes, the reset by `monitor`, and the guest's end. Without gdb-multiarch it is skipped with the reason.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { assemble } from "../../isa/riscv64/assemble.ts";
import { root } from "../../tools/project.mjs";
import { runTool, toolCommand } from "../cli/transcripts.ts";
import { isRequired } from "../fixtures/required.ts";
import { debuggerPort } from "./exec-tool.ts";

const GDB = "gdb-multiarch";
const skip = spawnSync(GDB, ["--version"]).status === 0 || isRequired("gdb") ? false : `${GDB} cannot be run (Debian package gdb-multiarch)`;

let folder = "";
before(() => {
  folder = mkdtempSync(join(tmpdir(), "guestspec-gdb-"));
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** What gdb says to the commands, and the tool's exit code. */
async function debug(
  image: string,
  commands: readonly string[],
  symbols: readonly string[] = [],
  options: readonly string[] = [],
): Promise<{ readonly said: string; readonly code: number | null }> {
  const { words, cwd, env } = toolCommand(["exec", image, "--gdb", "0", ...options], { cwd: folder });
  const tool = spawn(process.execPath, words, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise<number | null>((resolve) => tool.on("close", resolve));
  const port = await debuggerPort(tool);
  const script = ["set confirm off", "set pagination off", `target remote localhost:${port}`, ...commands].flatMap((line) => ["-ex", line]);
  const gdb = spawn(GDB, ["-nx", "-batch", ...symbols, ...script], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [gdb.stdout, gdb.stderr]) stream.setEncoding("utf8").on("data", (text: string) => (said += text));
  await new Promise((resolve) => gdb.on("close", resolve));
  return { said, code: await ended };
}

test("a program without symbols: breakpoints, watchpoints, steps, registers, memory", { skip }, async () => {
  const assembly = assemble(
    `
    la a1, word
    li a0, 0
  loop: addi a0, a0, 1
    sw a0, (a1)
    li t0, 5
    bne a0, t0, loop
    li t0, 0x100000
    slli a0, a0, 16
    li t1, 0x3333
    or t1, t1, a0
    sw t1, (t0)
    j .
    .align 3
  word: .word 0, 0`,
    { origin: 0x8000_0000n },
  );
  assert.ok(assembly.ok);
  const image = join(folder, "program");
  writeFileSync(image, assembly.bytes);
  const word = 0x8000_0000n + BigInt(assembly.bytes.length - 8);
  const { said, code } = await debug(image, [
    "break *0x8000000c",
    "continue",
    "continue",
    'printf "a0 is %d at %#lx\\n", $a0, $pc',
    "delete",
    `watch *(int *) ${word}`,
    "continue",
    `printf "word is %d\\n", *(int *) ${word}`,
    "delete",
    "stepi",
    'printf "stepped to %#lx, mode %d, misa %#lx\\n", $pc, $priv, $misa',
    "set var $a0 = 4",
    `set var *(int *) (${word} + 4) = 77`,
    `printf "wrote %d\\n", *(int *) (${word} + 4)`,
    "info threads",
    "monitor reset",
    "maintenance flush register-cache",
    'printf "reset to %#lx\\n", $pc',
    "monitor help",
    "monitor dance",
    "continue",
  ]);
  const expected = [
    /Breakpoint 1, 0x000000008000000c in/,
    /a0 is 1 at 0x8000000c/,
    /Hardware watchpoint 2: [^]*Old value = 1\nNew value = 2/,
    /word is 2/,
    // GDB takes one step beyond an access that is watched, as RISC-V hardware needs it.
    /stepped to 0x8000000c, mode 3, misa 0x8000000000/,
    /wrote 77/,
    /Thread 1 \(CPU 0, running\)/,
    /reset to 0x80000000/,
    /^there is: reset, snapshot$/m,
    /no command dance; there is: reset/,
    /exited with code 05\]/,
  ];
  for (const pattern of expected) assert.match(said, pattern);
  assert.equal(code, 1, "the guest's code was 5");
});

test("CPUs of 32 bits: GDB takes their width from us, registers and addresses alike", { skip }, async () => {
  const assembly = assemble(
    `
    la a1, word
    li a0, -2
  loop: addi a0, a0, 1
    sw a0, (a1)
    c.jal next
  next: bltz a0, loop
    li t0, 0x100000
    li t1, 0x5555
    sw t1, (t0)
    j .
    .align 3
  word: .word 0`,
    { origin: 0x8000_0000n },
    32,
  );
  assert.ok(assembly.ok);
  const image = join(folder, "program32");
  writeFileSync(image, assembly.bytes);
  const { said, code } = await debug(
    image,
    [
      "break *0x80000010",
      "continue",
      'printf "a0 is %#x in %d bytes, pc %#x, misa %#x, mepc in %d\\n", $a0, sizeof($a0), $pc, $misa, sizeof($mepc)',
      "x/i $pc",
      "stepi",
      "x/i $pc",
      "stepi",
      'printf "ra is %#x\\n", $ra',
      "set var $a0 = 0x7fffffff",
      "delete",
      "print $cycleh",
      "continue",
    ],
    [],
    ["--machine", "riscv32-virt"],
  );
  const expected = [
    /Breakpoint 1, 0x80000010 in/,
    /a0 is 0xffffffff in 4 bytes, pc 0x80000010, misa 0x4014112d, mepc in 4/,
    /=> 0x80000010:\s+sw\s+a0,0\(a1\)/,
    /=> 0x80000014:\s+jal\s+0x80000016/,
    /ra is 0x80000016/,
    /exited normally\]/,
  ];
  for (const pattern of expected) assert.match(said, pattern);
  assert.equal(code, 0);
});

test("an image of ours: its functions and lines by name", { skip }, async () => {
  const built = await runTool(["build", join(root, "specs/kunit/add.gspec"), "--machine", "riscv-virt", "-o", "images"], { cwd: folder });
  const image = /\S+add\.riscv64(?=\s)/.exec(`${built.stdout} `)?.[0] ?? assert.fail(built.stdout + built.stderr);
  const { said, code } = await debug(image, ["info line add", "tbreak start", "continue", "info symbol $pc", "detach"], [image]);
  assert.match(said, /Line \d+ of "specs\/kunit\/add\.gspec"|Line \d+ of ".*add\.gspec"/);
  assert.match(said, /Temporary breakpoint 1, [^]*start in section/);
  assert.equal(code, 0, "it went on alone to its end");
});
