// Coverage as lcov's tracefile (geninfo(1)), which genhtml, Codecov, Coveralls and editors read: lines and branches of each source, in all of the
// run. Registers have no place in it. Nothing is written of a run that was not asked for coverage, but a comment that says so.
import type { CoveredFile, RunEvent } from "../events.ts";
import type { Reporter, Sink } from "./reporter.ts";

function formatFile({ path, lines, branches }: CoveredFile): string[] {
  const blocks = [...new Set(branches.map(({ line, column }) => `${line}:${column}`))];
  const hits = new Map(lines.map((entry) => [entry.line, entry.hits]));
  return [
    `SF:${path}`,
    ...branches.map(({ line, column, way, hits: taken }) => {
      const block = blocks.indexOf(`${line}:${column}`);
      // `-`: the decision itself was never reached.
      return `BRDA:${line},${block},${way.replace(/,/g, " ")},${(hits.get(line) ?? 0) === 0 ? "-" : taken}`;
    }),
    `BRF:${branches.length}`,
    `BRH:${branches.filter(({ hits: taken }) => taken > 0).length}`,
    ...lines.map((entry) => `DA:${entry.line},${entry.hits}`),
    `LF:${lines.length}`,
    `LH:${lines.filter((entry) => entry.hits > 0).length}`,
    "end_of_record",
  ];
}

export function createLcovReporter(sink: Sink): Reporter {
  let files: readonly CoveredFile[] | null = null;
  return {
    handle(event: RunEvent): void {
      if (event.type === "coverage-measured" && event.test === null) ({ files } = event);
    },
    finish(): void {
      if (files === null) sink.write("# no coverage was measured: guestspec run --coverage\n");
      else sink.write(["TN:", ...files.flatMap(formatFile)].map((line) => `${line}\n`).join(""));
    },
  };
}
