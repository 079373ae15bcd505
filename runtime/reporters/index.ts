// The table of reporters. All but the default one are loaded when they are asked for and not before: a run that writes lines pays
// neither for XML nor, above all, for React and Ink.
import { createHumanReporter } from "./human.ts";
import type { DIALECTS as DialectTable } from "./ktap-dialects.ts";
import type { Reporter, ReporterOptions, Sink } from "./reporter.ts";

export type { Reporter, ReporterOptions, RunActions, Sink, TerminalStreams } from "./reporter.ts";

interface ReporterEntry {
  readonly name: string;
  readonly create: (sink: Sink, options: ReporterOptions) => Promise<Reporter>;
}

async function createKtap(sink: Sink, name: keyof typeof DialectTable): Promise<Reporter> {
  const [{ createKtapReporter }, { DIALECTS }] = await Promise.all([import("./ktap.ts"), import("./ktap-dialects.ts")]);
  return createKtapReporter(sink, DIALECTS[name]);
}

const REPORTERS: readonly ReporterEntry[] = [
  {
    name: "human",
    create: (sink, options) => Promise.resolve(createHumanReporter(sink, options)),
  },
  {
    name: "tui",
    create: async (sink, options) => {
      if (options.actions === undefined) throw new Error("the tui reporter needs the actions of a run");
      return (await import("../tui/reporter.tsx")).createTuiReporter(options.actions, {
        color: sink.color,
        verbose: options.verbose ?? false,
        ...options.streams,
      });
    },
  },
  {
    name: "ktap",
    create: (sink) => createKtap(sink, "ktap"),
  },
  {
    name: "ktap-kernel",
    create: (sink) => createKtap(sink, "kernel"),
  },
  {
    name: "ktap2",
    create: (sink) => createKtap(sink, "ktap2"),
  },
  {
    name: "tap14",
    create: (sink) => createKtap(sink, "tap14"),
  },
  {
    name: "tap13",
    create: async (sink) => (await import("./tap13.ts")).createTap13Reporter(sink),
  },
  {
    name: "raw",
    create: async (sink) => (await import("./raw.ts")).createRawReporter(sink),
  },
  {
    name: "junit",
    create: async (sink) => (await import("./junit.ts")).createJunitReporter(sink),
  },
  {
    name: "lcov",
    create: async (sink) => (await import("./lcov.ts")).createLcovReporter(sink),
  },
  {
    name: "ctrf",
    create: async (sink) => (await import("./ctrf.ts")).createCtrfReporter(sink),
  },
  {
    name: "ndjson",
    create: async (sink) => (await import("./ndjson.ts")).createNdjsonReporter(sink),
  },
  {
    name: "html",
    create: async (sink) => (await import("./html.ts")).createHtmlReporter(sink),
  },
  {
    name: "trace",
    create: async (sink) => (await import("./trace.ts")).createTraceReporter(sink),
  },
  {
    name: "github",
    create: async (sink, options) => (await import("./github.ts")).createGithubReporter(sink, options.summary ?? null),
  },
];

export const REPORTER_NAMES: readonly string[] = REPORTERS.map(({ name }) => name);

/** Null when there is no reporter of that name. */
export async function createReporter(name: string, sink: Sink, options: ReporterOptions = {}): Promise<Reporter | null> {
  const entry = REPORTERS.find((candidate) => candidate.name === name);
  return entry === undefined ? null : entry.create(sink, options);
}
