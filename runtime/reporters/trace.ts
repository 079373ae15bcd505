// The run as a trace that chrome://tracing, Perfetto and speedscope show: a process for the run, a thread for each worker, a slice for each
// boot and each test, in wall time. The format is the JSON array of Google's "Trace Event Format", whose closing bracket readers do not
// insist on: so events are written as they come, and a killed run leaves a trace of what it did.
import { VERDICTS, type Boot, type RunEvent, type RunFinished, type RunStarted, type TestFinished, type Verdict } from "../events.ts";
import { formatJson } from "./json-text.ts";
import type { Reporter, Sink } from "./reporter.ts";
import { shownName } from "./tally.ts";

/** The viewers' names of colours. */
const COLOURS: Readonly<Record<Verdict, string>> = {
  error: "terrible",
  nondeterministic: "terrible",
  crash: "terrible",
  hung: "terrible",
  timeout: "terrible",
  fail: "terrible",
  xpass: "terrible",
  flaky: "bad",
  pass: "good",
  xfail: "bad",
  skip: "grey",
};

/** Microseconds, the format's unit, to the nanosecond. */
function microseconds(ms: number): number {
  return Math.round(ms * 1e6) / 1000;
}

export function createTraceReporter(sink: Sink): Reporter {
  let isBegun = false;
  /** Runs of one process, as the live view makes them, stand side by side. */
  let pid = 0;
  let threads = new Map<string, number>();

  const write = (event: object): void => {
    sink.write(`${isBegun ? "," : "["}\n${formatJson(event)}`);
    isBegun = true;
  };

  const threadOf = (engine: string, worker: number): number => {
    const key = `${engine} ${worker}`;
    const known = threads.get(key);
    if (known !== undefined) return known;
    const tid = threads.size + 1;
    threads.set(key, tid);
    write({ ph: "M", name: "thread_name", pid, tid, args: { name: `${engine} ${worker === 0 ? "in the runner" : `worker ${worker}`}` } });
    write({ ph: "M", name: "thread_sort_index", pid, tid, args: { sort_index: tid } });
    return tid;
  };

  const begin = ({ tool, seed, targets, startedAt }: RunStarted): void => {
    pid++;
    threads = new Map();
    write({ ph: "M", name: "process_name", pid, args: { name: `${tool}, seed ${seed}` } });
    write({ ph: "M", name: "process_labels", pid, args: { labels: [...targets, startedAt].join(", ") } });
  };

  const addTest = (test: TestFinished): void => {
    const { id, verdict, reason, checks, guestNs, instructions, engine, wallWorker, wallStartMs, wallMs } = test;
    write({
      ph: "X",
      name: `${test.suite}::${shownName(test)}`,
      cat: verdict,
      cname: COLOURS[verdict],
      pid,
      tid: threadOf(engine, wallWorker),
      ts: microseconds(wallStartMs),
      dur: microseconds(wallMs),
      args: { id, verdict, ...(reason === null ? {} : { reason }), checks, guestNs, instructions },
    });
  };

  const addBoot = ({ engine, worker, target, machine, startMs, durationMs }: Boot): void =>
    write({
      ph: "X",
      name: `boot ${machine}`,
      cat: "boot",
      pid,
      tid: threadOf(engine, worker),
      ts: microseconds(startMs),
      dur: microseconds(durationMs),
      args: { target },
    });

  const end = ({ wallBoots, counts, wallMs, interrupted, exitCode }: RunFinished): void => {
    wallBoots.forEach(addBoot);
    const told = Object.fromEntries(VERDICTS.filter((verdict) => counts[verdict] > 0).map((verdict) => [verdict, counts[verdict]]));
    write({ ph: "i", name: "end of the run", s: "p", pid, tid: 0, ts: microseconds(wallMs), args: { ...told, interrupted, exitCode } });
  };

  return {
    handle(event: RunEvent): void {
      switch (event.type) {
        case "run-started":
          return begin(event);
        case "test-finished":
          return addTest(event);
        case "run-finished":
          return end(event);
        case "suite-started":
        case "suite-finished":
        case "coverage-measured":
        case "test-running":
        case "test-status":
          return;
      }
    },
    finish(): void {
      sink.write(isBegun ? "\n]\n" : "[]\n");
    },
  };
}
