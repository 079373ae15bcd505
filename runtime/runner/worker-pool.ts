// A pool of worker threads that run batches of work. A worker that dies, or gives no answer for longer than any test may take, is
// replaced; the unit it was at is reported as lost, the rest of its batch goes to others. Guest loops are bounded by limits, so
// that this happens through our own bugs only - but then it costs one test and not the run.

import { Worker } from "node:worker_threads";
import type { TestFinished } from "../events.ts";
import type { BootSpan } from "../engines/case-engine.ts";
import type { EngineOptions } from "../engines/embedded.ts";
import type { EngineImage } from "../engines/session.ts";
import type { FromWorker, ToWorker, WorkerSetup, WorkUnit } from "./protocol.ts";

export interface Batch {
  readonly image: number;
  readonly units: readonly WorkUnit[];
}

export interface PoolOptions {
  readonly workers: number;
  readonly engine: EngineOptions;
  /** Wall time without any progress after which a worker counts as hung. */
  readonly hangMs: number;
  /** Of the host, in milliseconds. */
  now(): number;
  /** Each test runs so many times. */
  readonly repeat: number;
  /** Cases of an image that are going to run in all workers together. */
  plannedCases(image: number): number;
  imageAt(image: number): EngineImage;
  /** The next batch for a worker, or null: nothing left. */
  nextBatch(worker: number): Batch | null;
  onResult(index: number, result: TestFinished, worker: number): void;
  /** A worker has booted an image. */
  onBoot?(image: number, span: BootSpan, worker: number): void;
  /** A unit that took its worker with it. */
  onLost(index: number, how: "died" | "hung", message: string, worker: number): void;
  /** A unit began; for live views. */
  onRunning?(index: number, worker: number): void;
}

/** The image as a message keeps it: functions may be objects that make their instructions when somebody looks, and those are lost on the way. */
function messageOf(image: EngineImage): EngineImage {
  const { module } = image;
  if (module === undefined) return image;
  const functions = module.functions.map(({ name, signature, registers, frameSize, body }) => ({ name, signature, registers, frameSize, body }));
  return { ...image, module: { ...module, functions } };
}

export interface WorkerPool {
  /** Resolves when every batch that `nextBatch` gave is done. Rejects if workers cannot be started at all. */
  readonly done: Promise<void>;
  /** At least one worker takes work. */
  readonly isReady: boolean;
  /** What each worker runs now. */
  running(): readonly { readonly worker: number; readonly index: number }[];
  /** Ends all workers at once. */
  terminate(): Promise<void>;
}

interface Member {
  readonly number: number;
  readonly thread: Worker;
  readonly progress: Int32Array;
  readonly images: Set<number>;
  batch: Batch | null;
  isReady: boolean;
  lastIndex: number;
  lastChange: number;
}

const WATCH_MS = 100;
/** A worker that dies this often before it is ready will not get better. */
const START_ATTEMPTS = 3;

export function startPool(options: PoolOptions): WorkerPool {
  const members = new Map<number, Member>();
  const requeued: Batch[] = [];
  let isReady = false;
  let isEnding = false;
  let failedStarts = 0;
  let settle: { resolve: () => void; reject: (error: Error) => void } | null = null;
  const done = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject };
  });

  function post(member: Member, message: ToWorker): void {
    member.thread.postMessage(message);
  }

  function endIfDone(): void {
    if (isEnding || requeued.length > 0 || [...members.values()].some(({ batch }) => batch !== null)) return;
    isEnding = true;
    clearInterval(watch);
    for (const member of members.values()) post(member, { type: "stop" });
    settle?.resolve();
  }

  function feed(member: Member): void {
    if (isEnding || !member.isReady || member.batch !== null) return;
    const batch = requeued.shift() ?? options.nextBatch(member.number);
    if (batch === null) {
      endIfDone();
      return;
    }
    if (!member.images.has(batch.image)) {
      member.images.add(batch.image);
      post(member, { type: "image", image: batch.image, contents: messageOf(options.imageAt(batch.image)), plannedCases: options.plannedCases(batch.image) });
    }
    member.batch = batch;
    member.lastIndex = -1;
    member.lastChange = options.now();
    post(member, { type: "batch", image: batch.image, units: batch.units });
  }

  /** The worker is gone: blame the unit it was at, give the others away. */
  function lose(member: Member, how: "died" | "hung", message: string): void {
    // Its place may have been taken already: a terminated thread still says that it ended.
    if (members.get(member.number) !== member) return;
    members.delete(member.number);
    if (isEnding) return;
    const { batch } = member;
    if (batch !== null) {
      const at = Atomics.load(member.progress, 0);
      const position = batch.units.findIndex(({ index }) => index === at);
      // Results come with the whole batch: those before the lost unit are gone too and run again, which gives the same results.
      const rest = batch.units.filter((_, index) => index !== position);
      if (position >= 0) options.onLost(at, how, message, member.number);
      if (rest.length > 0) requeued.push({ image: batch.image, units: rest });
    }
    if (!member.isReady && ++failedStarts >= START_ATTEMPTS) {
      isEnding = true;
      clearInterval(watch);
      settle?.reject(new Error(`worker threads do not start: ${message}`));
      return;
    }
    start(member.number);
    for (const other of members.values()) feed(other);
  }

  function start(number: number): void {
    const progress = new SharedArrayBuffer(4);
    const current = new Int32Array(progress);
    current[0] = -1;
    const thread = new Worker(new URL("./run.worker.ts", import.meta.url), {
      workerData: { options: options.engine, progress, repeat: options.repeat } satisfies WorkerSetup,
    });
    const member: Member = { number, thread, progress: current, images: new Set(), batch: null, isReady: false, lastIndex: -1, lastChange: options.now() };
    members.set(number, member);
    thread.on("message", (message: FromWorker) => {
      if (message.type === "ready") {
        member.isReady = isReady = true;
        failedStarts = 0;
      } else {
        const image = member.batch?.image ?? -1;
        member.batch = null;
        for (const span of message.boots) options.onBoot?.(image, span, member.number);
        for (const { index, result } of message.results) options.onResult(index, result, member.number);
      }
      feed(member);
    });
    thread.on("error", (error: unknown) => lose(member, "died", error instanceof Error ? error.message : String(error)));
    thread.on("exit", (code) => lose(member, "died", `it ended with code ${code}`));
  }

  const watch = setInterval(() => {
    const now = options.now();
    for (const member of members.values()) {
      if (member.batch === null) continue;
      const index = Atomics.load(member.progress, 0);
      if (index !== member.lastIndex) {
        member.lastIndex = index;
        member.lastChange = now;
        if (index >= 0) options.onRunning?.(index, member.number);
      } else if (now - member.lastChange > options.hangMs) {
        const { thread } = member;
        lose(member, "hung", `no answer for ${Math.round((now - member.lastChange) / 1000)} s`);
        void thread.terminate();
      }
    }
  }, WATCH_MS);

  for (let number = 1; number <= options.workers; number++) start(number);

  return {
    done,
    get isReady() {
      return isReady;
    },
    running: () =>
      [...members.values()].flatMap(({ number, progress }) => {
        const index = Atomics.load(progress, 0);
        return index < 0 ? [] : [{ worker: number, index }];
      }),
    async terminate() {
      isEnding = true;
      clearInterval(watch);
      await Promise.all([...members.values()].map(({ thread }) => thread.terminate()));
      settle?.resolve();
    },
  };
}
