// What the runner and its workers say to each other: plain data. A worker gets an image once, then batches of work, and answers each
// batch with its results. Which unit it is at stands in shared memory, where the runner can read it even when the worker hangs.

import type { TestFinished } from "../events.ts";
import type { BootSpan, WorkItem } from "../engines/case-engine.ts";
import type { EngineOptions } from "../engines/embedded.ts";
import type { EngineImage } from "../engines/session.ts";

export interface WorkerSetup {
  readonly options: EngineOptions;
  /** Int32Array of one: index of the unit of work that runs now, -1: none. */
  readonly progress: SharedArrayBuffer;
  /** Each unit runs so many times. */
  readonly repeat: number;
}

export interface WorkUnit extends WorkItem {
  /** In the plan. */
  readonly index: number;
}

export type ToWorker =
  | { readonly type: "image"; readonly image: number; readonly contents: EngineImage; readonly plannedCases: number }
  /** All of one image. */
  | { readonly type: "batch"; readonly image: number; readonly units: readonly WorkUnit[] }
  | { readonly type: "stop" };

export type FromWorker =
  | { readonly type: "ready" }
  | {
      readonly type: "results";
      readonly results: readonly { readonly index: number; readonly result: TestFinished }[];
      /** Of the batch's image. */
      readonly boots: readonly BootSpan[];
    };
