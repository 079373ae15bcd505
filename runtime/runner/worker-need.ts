// Whether worker threads pay. Most runs are over before one would have started, and cheap tests are faster run here than sent away; a
// worker that was not worth it makes a run longer, by half on a busy machine. So tests run in the runner's own thread, and while they
// do, their rate is taken in trials; only a rate that has settled, on a machine with a CPU to spare, counts.

export interface WorkerPolicy {
  /** Length of a trial, ms. */
  readonly trialMs: number;
  /**
   * CPU time before which nothing is judged, ms. Tests get several times faster while V8 compiles what they use: by the first hundred, ten
   * thousand small ones seem to need 2 s, and they need 0.5 s.
   */
  readonly warmMs: number;
  /**
   * Work left, ms, for each worker. It costs 200 to 500 ms of CPU time to start, to receive its image, and to get as fast as this
   * thread is by then. Measured on two CPUs that others use as well, 1 s of work ends no sooner with a worker than without.
   */
  readonly worthMs: number;
  /** What a result that comes from a worker costs this thread, ms: as much as running a small test. */
  readonly transferMs: number;
  /** CPU time in a trial, as a part of its wall time, below which others need the CPUs. */
  readonly share: number;
}

export const WORKER_POLICY: WorkerPolicy = { trialMs: 100, warmMs: 1000, worthMs: 1500, transferMs: 0.03, share: 0.9 };

export interface Clocks {
  now(): number;
  cpuTime(): number;
}

export interface WorkerNeed {
  /** After each test. Gives how many workers `left` more such tests are worth, with the time that one takes; null: none, or not known yet. */
  judge(left: number): { readonly workers: number; readonly meanMs: number } | null;
}

export function createWorkerNeed(clocks: Clocks, policy: WorkerPolicy): WorkerNeed {
  const startedCpu = clocks.cpuTime();
  let trial = clocks.now();
  let trialCpu = startedCpu;
  let ran = 0;
  let previousMs = 0;
  return {
    judge(left) {
      ran++;
      const now = clocks.now();
      if (now - trial <= policy.trialMs) return null;
      const cpu = clocks.cpuTime();
      const wallMs = now - trial;
      const cpuMs = cpu - trialCpu;
      // Wall time counts what the rest of the machine does, CPU time what V8 compiles beside: the smaller one is nearer to the work.
      const meanMs = Math.min(wallMs, cpuMs) / ran;
      // Of two trials the faster one: the garbage collector can spoil one.
      const workers = Math.floor(((Math.min(meanMs, previousMs) - policy.transferMs) * left) / policy.worthMs);
      previousMs = meanMs;
      trial = now;
      trialCpu = cpu;
      ran = 0;
      const isJudged = cpu - startedCpu >= policy.warmMs && cpuMs >= policy.share * wallMs;
      return isJudged && workers > 0 ? { workers, meanMs } : null;
    },
  };
}
