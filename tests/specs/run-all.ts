// Runs spec files from the sources, as `guestspec run` does, and gives the recorded events: what the whole-suite oracles compare.

import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { compile, type Image } from "../../compiler/index.ts";
import { interpreterFactory } from "../../runtime/cpus/bytecode/interpreter.ts";
import type { DataLayout } from "../../isa/bytecode/module.ts";
import { loadMachine } from "../../machines/load-machine.ts";
import type { MachineDescription } from "../../machines/description.ts";
import type { EngineHost, ExecutorChoice } from "../../runtime/engines/embedded.ts";
import type { RunEvent, TestFinished } from "../../runtime/events.ts";
import { listCases, makePlan } from "../../runtime/runner/plan.ts";
import { startRun } from "../../runtime/runner/runner.ts";

export function machineNamed(name: string): MachineDescription {
  const result = loadMachine(name);
  if (result === undefined || !result.ok) throw new Error(`machine ${name} does not load`);
  return result.machine;
}

export const bytecodeVirt = machineNamed("bytecode-virt");

/** Every spec file below a folder, in order. */
export function specFiles(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".gspec") || path.endsWith(".gspec.yaml"))
    .map((path) => join(folder, path))
    .sort();
}

export function readText(path: string): string | null {
  return existsSync(path) ? readFileSync(path, "utf8") : null;
}

/** Compiles; throws with the first diagnostic when something is wrong. */
export function compileSpecs(paths: readonly string[], layout?: DataLayout): readonly Image[] {
  const { diagnostics, images } = compile(paths, {
    machine: bytecodeVirt,
    readFile: readText,
    libDirectory: "lib/",
    ...(layout === undefined ? {} : { layout }),
  });
  const error = diagnostics.find((diagnostic) => diagnostic.severity === "error");
  if (error !== undefined) throw new Error(`${error.labels[0].span.source.path}: ${error.code} ${error.message}`);
  return images;
}

const host: EngineHost = {
  readText,
  now: () => performance.now(),
  interpreter: interpreterFactory,
  loadWasm: async () => (await import("../../runtime/cpus/bytecode/wasm-executor.ts")).wasmFactory,
};

/** The recorded events of a run over images in this process, fields of wall time left out. */
export async function runImages(images: readonly Image[], options: { readonly executor: ExecutorChoice; readonly seed?: bigint }): Promise<readonly RunEvent[]> {
  const engineImages = images.map(({ module, manifest }) => ({ module, manifest, machine: bytecodeVirt }));
  const cases = listCases(engineImages);
  const events: RunEvent[] = [];
  const handle = startRun(
    {
      images: engineImages,
      plan: makePlan(engineImages, cases, null),
      deselected: 0,
      engine: { seed: options.seed ?? 0n, executor: options.executor, timeoutNs: null, maxInstructions: null, required: [], reproFlags: "" },
      host,
      jobs: 1,
      failFast: null,
      tool: "guestspec",
      isLive: false,
      exitCodeOf: () => 0,
    },
    (event) => events.push(withoutWallTime(event)),
  );
  await handle.finished;
  return events;
}

/** What must not differ between two runs with one seed. */
export function withoutWallTime(event: RunEvent): RunEvent {
  const kept = Object.entries(event).filter(([key]) => !key.startsWith("wall") && !key.endsWith("At"));
  return Object.fromEntries(kept) as unknown as RunEvent;
}

export function testsOf(events: readonly RunEvent[]): readonly TestFinished[] {
  return events.filter((event) => event.type === "test-finished");
}
