// A worker thread of the runner: the same embedded engine, fed with batches. It knows neither the plan nor the reports.

import { parentPort, workerData } from "node:worker_threads";
import type { BootSpan, CaseEngine } from "../engines/case-engine.ts";
import { createEmbeddedEngine } from "../engines/embedded.ts";
import { engineHost } from "../engines/host.ts";
import type { EngineImage } from "../engines/session.ts";
import { runRepeatedly } from "./attempts.ts";
import type { FromWorker, ToWorker, WorkerSetup, WorkUnit } from "./protocol.ts";

const port = parentPort;
if (port === null) throw new Error("run.worker.ts is started by the runner only");
const { options, progress, repeat } = workerData as WorkerSetup;
const current = new Int32Array(progress);

const images = new Map<number, { readonly contents: EngineImage; readonly plannedCases: number }>();
let boots: BootSpan[] = [];
let active: { readonly image: number; readonly engine: CaseEngine } | null = null;

function engineFor(image: number): CaseEngine {
  if (active?.image === image) return active.engine;
  active?.engine.dispose();
  const known = images.get(image);
  if (known === undefined) throw new Error(`image ${image} was never sent`);
  active = { image, engine: createEmbeddedEngine(known.contents, options, engineHost, known.plannedCases, (span) => void boots.push(span)) };
  return active.engine;
}

async function runBatch(image: number, units: readonly WorkUnit[]): Promise<FromWorker> {
  boots = [];
  const engine = engineFor(image);
  const results: { index: number; result: Awaited<ReturnType<CaseEngine["run"]>> }[] = [];
  for (const unit of units) {
    Atomics.store(current, 0, unit.index);
    results.push({ index: unit.index, result: await runRepeatedly(engine, unit, repeat, true) });
  }
  Atomics.store(current, 0, -1);
  return { type: "results", results, boots };
}

let queue: Promise<void> = Promise.resolve();
port.on("message", (message: ToWorker) => {
  switch (message.type) {
    case "image":
      images.set(message.image, { contents: message.contents, plannedCases: message.plannedCases });
      break;
    case "batch":
      queue = queue.then(async () => port.postMessage(await runBatch(message.image, message.units)));
      // A fault of the runner itself: it ends the worker, and the runner reports it.
      queue.catch((error: unknown) => {
        throw error;
      });
      break;
    case "stop":
      active?.engine.dispose();
      port.close();
      break;
  }
});
port.postMessage({ type: "ready" } satisfies FromWorker);
