// What a run goes on with when it is through: on a terminal the same process runs again what failed, or what another filter selects. Wishes
// are taken while tests run and granted when the round ends. Filters are compiled before they are needed, so that a bad one is refused
// while it is still on screen.

import type { EngineOptions } from "../runtime/engines/embedded.ts";
import type { compileFilter as compileFilterType } from "../runtime/runner/filter-match.ts";
import type { parseFilter as parseFilterType } from "../runtime/runner/filter.ts";
import type { RunActions } from "../runtime/reporters/index.ts";
import type { PlannedCase } from "../runtime/runner/plan.ts";
import { isCommandError } from "./errors.ts";
import type { Interruptions } from "./interruptions.ts";
import { applyFilter, type Selection } from "./select-tests.ts";

/** What runs next in this process. */
export interface Round {
  readonly cases: readonly PlannedCase[];
  readonly engine: EngineOptions;
}

export interface Rounds {
  /** For whoever watches. */
  readonly actions: RunActions;
  /** What was wished for before is forgotten. */
  begin(): void;
  /** Null: nobody has asked for another one. `failed`: ids of the round that has ended. */
  next(engine: EngineOptions, failed: ReadonlySet<string>): Promise<Round | null>;
}

export async function createRounds({ selected, universe }: Selection, interruptions: Interruptions, canFilter: boolean): Promise<Rounds> {
  const { parseFilter, compileFilter } = canFilter ? await loadFilterLanguage() : NO_FILTERS;
  let isRerunWanted = false;
  let wantedFilter: string | null = null;

  /** What is wrong with it, if anything. */
  function checkFilter(text: string): string | null {
    if (text.trim() === "") return null;
    const parsed = parseFilter(text);
    const filter = parsed.ok ? compileFilter(parsed.expr, universe) : parsed;
    if (!filter.ok) return filter.message;
    return selected.some((subject) => filter.matches(subject)) ? null : "the filter selects no test";
  }

  return {
    actions: {
      interrupt: () => interruptions.interrupt(),
      rerunFailed() {
        // Taken when the run ends: until then more may fail.
        isRerunWanted = true;
      },
      setFilter(text) {
        const problem = checkFilter(text);
        wantedFilter = problem === null ? text : null;
        if (problem === null) interruptions.current?.stop();
        return problem;
      },
      requestStatus: () => interruptions.current?.requestStatus(),
    },
    begin() {
      isRerunWanted = false;
      wantedFilter = null;
    },
    async next(engine, failed) {
      if (wantedFilter !== null) {
        try {
          return { cases: wantedFilter.trim() === "" ? selected : await applyFilter(wantedFilter, selected, universe), engine };
        } catch (error) {
          if (isCommandError(error)) return null;
          throw error;
        }
      }
      return isRerunWanted && failed.size > 0 ? { cases: selected.filter(({ id }) => failed.has(id)), engine } : null;
    },
  };
}

interface FilterLanguage {
  readonly parseFilter: typeof parseFilterType;
  readonly compileFilter: typeof compileFilterType;
}

const NO_FILTERS: FilterLanguage = {
  parseFilter: () => ({ ok: false, message: "this run takes no filter", column: 1, length: 1, help: null }),
  compileFilter: () => ({ ok: false, message: "this run takes no filter", column: 1, length: 1, help: null }),
};

async function loadFilterLanguage(): Promise<FilterLanguage> {
  const { parseFilter } = await import("../runtime/runner/filter.ts");
  const { compileFilter } = await import("../runtime/runner/filter-match.ts");
  return { parseFilter, compileFilter };
}
