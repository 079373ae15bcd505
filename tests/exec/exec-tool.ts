// `guestspec exec` as these tests start it: to its end with input from a pipe, or waiting for a debugger; and programs for it.

import assert from "node:assert/strict";
import { spawn, type ChildProcessByStdio } from "node:child_process";
import { writeFileSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import { assemble, formatProblem } from "../../isa/riscv64/assemble.ts";
import { toolCommand, type Outcome } from "../cli/transcripts.ts";

export async function runExec(folder: string, args: readonly string[], input = ""): Promise<Outcome> {
  const { words, cwd, env } = toolCommand(["exec", ...args], { cwd: folder });
  const child = spawn(process.execPath, words, { cwd, env, stdio: ["pipe", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk));
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk));
  child.stdin.end(input);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  return { code, stdout, stderr };
}

/** Raw code for the start of RAM. */
export function writeProgram(path: string, text: string): void {
  const assembly = assemble(text, { origin: 0x8000_0000n });
  if (!assembly.ok) assert.fail(assembly.problems.map(formatProblem).join("\n"));
  writeFileSync(path, assembly.bytes);
}

/** The port that the tool says it waits on. */
export function debuggerPort(tool: ChildProcessByStdio<Writable | null, Readable, Readable>): Promise<string> {
  return new Promise((resolve, reject) => {
    let told = "";
    tool.stderr.setEncoding("utf8").on("data", (text: string) => {
      told += text;
      const found = /localhost:(\d+)/.exec(told);
      if (found !== null) resolve(found[1] ?? "");
    });
    tool.on("close", () => reject(new Error(`the tool ended: ${told}`)));
  });
}
