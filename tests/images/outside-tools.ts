// Programs of others that judge our image files: readelf, objdump, gdb, QEMU. A test that needs one asks here; without
// it the test is skipped with the reason and the package, unless GUESTSPEC_REQUIRE names that package's word.

import { spawnSync } from "node:child_process";
import { isRequired } from "../fixtures/required.ts";

interface OutsideTool {
  /** The word in GUESTSPEC_REQUIRE. */
  readonly word: string;
  /** Of Debian. */
  readonly packageName: string;
}

const TOOLS = {
  readelf: { word: "binutils", packageName: "binutils" },
  "gdb-multiarch": { word: "gdb", packageName: "gdb-multiarch" },
  "x86_64-linux-gnu-objdump": { word: "binutils", packageName: "binutils" },
  "riscv64-linux-gnu-objdump": { word: "binutils", packageName: "binutils-riscv64-linux-gnu" },
  "aarch64-linux-gnu-objdump": { word: "binutils", packageName: "binutils-aarch64-linux-gnu" },
  "qemu-system-x86_64": { word: "qemu", packageName: "qemu-system-x86" },
  "qemu-system-riscv64": { word: "qemu", packageName: "qemu-system-misc" },
  "qemu-system-aarch64": { word: "qemu", packageName: "qemu-system-arm" },
  bash: { word: "bash", packageName: "bash" },
  shellcheck: { word: "shellcheck", packageName: "shellcheck" },
} as const satisfies Readonly<Record<string, OutsideTool>>;

export type OutsideToolName = keyof typeof TOOLS;

/** Null: it can be run. */
function problemOf(name: OutsideToolName): string | null {
  const { error, status } = spawnSync(name, ["--version"], { encoding: "utf8" });
  return error === undefined && status === 0 ? null : `${name} cannot be run (Debian: ${TOOLS[name].packageName})`;
}

/** Options for a test that needs these programs. */
export function needsTools(...names: readonly OutsideToolName[]): { readonly skip: string | false; readonly timeout: number } {
  const problems = names.flatMap((name) => {
    const problem = problemOf(name);
    if (problem === null) return [];
    if (isRequired(TOOLS[name].word)) throw new Error(problem);
    return [problem];
  });
  return { skip: problems.length === 0 ? false : problems.join("; "), timeout: 60_000 };
}

export interface ToolOutput {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function runTool(name: string, args: readonly string[], options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {}): ToolOutput {
  const result = spawnSync(name, args, { encoding: "utf8", timeout: 50_000, maxBuffer: 1 << 28, stdio: ["ignore", "pipe", "pipe"], ...options });
  if (result.error !== undefined) throw result.error;
  return { status: result.status, stdout: result.stdout, stderr: result.stderr };
}
