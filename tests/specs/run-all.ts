// Runs compiled specs in this process, as `guestspec run` does, and gives the recorded events: what the whole-suite oracles compare.

import type { Image } from "../../compiler/index.ts";
import type { EngineHost, ExecutorChoice } from "../../runtime/engines/embedded.ts";
import { engineHost } from "../../runtime/engines/host.ts";
import type { EngineImage } from "../../runtime/engines/session.ts";
import type { RunEvent, TestFinished } from "../../runtime/events.ts";
import { listCases, makePlan } from "../../runtime/runner/plan.ts";
import { startRun } from "../../runtime/runner/runner.ts";
import { readText } from "../fixtures/compile.ts";
import { bytecodeVirt } from "../fixtures/machines.ts";

const host: EngineHost = {
  ...engineHost,
  readText,
  now: () => performance.now(),
  cpuTime: () => performance.now(),
  loadWasm: async () => (await import("../../runtime/cpus/bytecode/wasm-executor.ts")).wasmFactory,
};

export interface RunImagesOptions {
  readonly executor: ExecutorChoice;
  readonly seed?: bigint;
  /** Sources that are no files. */
  readonly texts?: Readonly<Record<string, string>>;
}

/** The recorded events of a run over images in this process, fields of wall time left out. */
export function runImages(images: readonly Image[], options: RunImagesOptions): Promise<readonly RunEvent[]> {
  return runEngineImages(
    images.map(({ module, manifest }) => ({ module, manifest, machine: bytecodeVirt })),
    options,
  );
}

/** `loadTarget`: the CPUs of machine code, if they are to be other than usual. */
export async function runEngineImages(
  engineImages: readonly EngineImage[],
  options: RunImagesOptions & { readonly loadTarget?: EngineHost["loadTarget"] },
): Promise<readonly RunEvent[]> {
  const cases = listCases(engineImages);
  const events: RunEvent[] = [];
  const handle = startRun(
    {
      images: engineImages,
      plan: makePlan(engineImages, cases, null),
      deselected: 0,
      engine: { seed: options.seed ?? 0n, executor: options.executor, timeoutNs: null, maxInstructions: null, required: [], reproFlags: "" },
      host: {
        ...host,
        readText: (path) => options.texts?.[path] ?? readText(path),
        loadTarget: (target) => options.loadTarget?.(target) ?? host.loadTarget(target),
      },
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
function withoutWallTime(event: RunEvent): RunEvent {
  return JSON.parse(JSON.stringify(event, (key, value: unknown) => (key.startsWith("wall") || key.endsWith("At") ? undefined : value))) as RunEvent;
}

export function testsOf(events: readonly RunEvent[]): readonly TestFinished[] {
  return events.filter((event) => event.type === "test-finished");
}
