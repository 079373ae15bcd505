// Transcripts: files in which `$ guestspec ...` is followed by everything it prints and its exit code. The tests run the commands again
// and compare, so that a transcript is at once a golden and the documentation of how the tool answers. Standard error follows
// standard output. What differs between two runs or two machines (wall time, paths, versions) is replaced by words in brackets.

import { spawn, type ChildProcessByStdio } from "node:child_process";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { root } from "../../tools/project.mjs";

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ToolOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** `shared`, the default, is one for all tests of a run, as new as the run; `own` lies in `cwd`, for what an empty or well-known one changes. */
  readonly cache?: "own" | "shared";
}

/** By tools/test.mjs; Node's test runner may have been started by hand. */
const sharedCache = process.env.GUESTSPEC_TEST_CACHE ?? join(root, "node_modules", ".cache", "guestspec-tests");

/** The tool in a process of its own: what is to be started, and in which environment. It is the bundle, as users have it: sources start
 * slowly and keep no cache. */
export function toolCommand(args: readonly string[], { cwd, env = {}, cache = "shared" }: ToolOptions) {
  const inherited = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(GUESTSPEC_|NODE_TEST|NO_COLOR|FORCE_COLOR|CI$|GITHUB_|NODE_OPTIONS)/.test(name)),
  );
  return {
    words: [join(root, "dist", "guestspec.mjs"), ...args],
    cwd,
    // Nothing of what the tests do reaches the user's cache, and nothing of it them.
    env: { ...inherited, XDG_CACHE_HOME: cache === "shared" ? sharedCache : join(cwd, ".cache"), ...env },
  };
}

/** Tools that run now. Those that a test has given up do not outlive the tests. */
const running = new Set<ReturnType<typeof startTool>>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** The tool as its users meet it: another process, no terminal. */
export function startTool(args: readonly string[], options: ToolOptions): ChildProcessByStdio<null, Readable, Readable> {
  const { words, cwd, env } = toolCommand(args, options);
  const child = spawn(process.execPath, words, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  child.on("exit", () => running.delete(child));
  return child;
}

export async function runTool(args: readonly string[], options: ToolOptions): Promise<Outcome> {
  const child = startTool(args, options);
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk));
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  return { code, stdout, stderr };
}

/** Splits like a shell does: quotes, no variables. */
export function splitCommand(line: string): { readonly env: Record<string, string>; readonly args: readonly string[] } {
  const words = [...line.matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"]+)+/g)].map(([word]) =>
    word.replace(/'([^']*)'|"([^"]*)"/g, (_, single?: string, double?: string) => single ?? double ?? ""),
  );
  const env: Record<string, string> = {};
  while (words[0] !== undefined && /^[A-Z_]+=/.test(words[0])) {
    const [assignment = ""] = words.splice(0, 1);
    const at = assignment.indexOf("=");
    env[assignment.slice(0, at)] = assignment.slice(at + 1);
  }
  if (words[0] !== "guestspec") throw new Error(`a transcript runs guestspec, not: ${line}`);
  return { env, args: words.slice(1) };
}

/** Replaces what may differ between two runs of the same thing. */
function normalise(text: string, folder: string): string {
  return text
    .replaceAll(folder, "[folder]")
    .replaceAll(root.replace(/\/$/, ""), "[package]")
    .replace(/ *\b\d[\d,.]* (ns|us|ms|s|min)\b(?! of guest time| after)/g, " [time]")
    .replace(/"(wall\w*|guestNs)":(\[[^\]]*\]|[\d.e+-]+)/g, '"$1":0')
    .replace(/"(\w+At)":"[^"]*"/g, '"$1":""')
    .replace(/[\d,]+ instructions,/g, "[n] instructions,")
    .replace(/"instructions":\d+/g, '"instructions":0')
    .replace(/\bpc 0x[0-9a-f_]+/g, "pc [address]")
    .replace(/\b\d{8}-\d{6}(\.\d+)?-[0-9a-f]{4}\b/g, "[run]")
    .replace(/\bruns\/[0-9a-f]{32}\b/g, "runs/[hash]")
    .replace(/guestspec \d+\.\d+\.\d+/g, "guestspec [version]");
}

const END = /^\[exit .*\]$/;

/** Where the old output of the command at `start` ends; a command that was just written has none. */
function endOfOutput(lines: readonly string[], start: number): number {
  for (let at = start + 1; at < lines.length && !lines[at]?.startsWith("$ "); at++) if (END.test(lines[at] ?? "")) return at;
  return start;
}

/** Runs the commands of a transcript and writes it anew. What stands between them stays. */
export async function replay(transcript: string, folder: string): Promise<string> {
  const old = transcript.trimEnd().split("\n");
  const lines: string[] = [];
  for (let at = 0; at < old.length; at++) {
    const line = old[at] ?? "";
    lines.push(line);
    if (!line.startsWith("$ ")) continue;
    const { env, args } = splitCommand(line.slice(2));
    const { code, stdout, stderr } = await runTool(args, { cwd: folder, env, cache: "own" });
    const output = normalise(stdout + stderr, folder)
      .replace(/[ \t]+$/gm, "")
      .trimEnd();
    lines.push(...(output === "" ? [] : output.split("\n")), `[exit ${code}]`);
    at = endOfOutput(old, at);
  }
  return `${lines.join("\n")}\n`;
}
