// The embedded engine: cases on the machine in this process. Which executor runs them is decided by how much there is to run, for a
// translation to WebAssembly costs tens of milliseconds and gives the same results faster.

import type { ExecutorFactory } from "../machine/cpu-contract.ts";
import { createCaseEngine, type BootSpan, type CaseEngine, type CaseHost, type CaseOptions } from "./case-engine.ts";
import type { EmbeddedTarget } from "../exec/processors.ts";
import { openEmbeddedSession, type ExecutorChooser } from "./embedded-session.ts";
import { openNativeSession } from "./embedded-native-session.ts";
import { after } from "./maybe-promise.ts";
import type { EngineImage, Session } from "./session.ts";

export type ExecutorChoice = "auto" | "interpreter" | "wasm";
export const EXECUTOR_CHOICES: readonly ExecutorChoice[] = ["auto", "interpreter", "wasm"];

/** Plain data: it travels to workers. */
export interface EngineOptions extends CaseOptions {
  readonly executor: ExecutorChoice;
}

export interface EngineHost extends CaseHost {
  /** CPU time of this process in ms: what work costs, whatever else the machine does. */
  cpuTime(): number;
  readonly interpreter: ExecutorFactory;
  /** The CPUs of an instruction set. */
  loadTarget(target: string): Promise<EmbeddedTarget>;
  /** Loaded when it pays. */
  loadWasm(): Promise<ExecutorFactory>;
}

/** From here on a translation to WebAssembly earns back its cost: 20 to 100 ms, in which the interpreter executes 1 to 6 million instructions. */
const WASM_CASES = 150;
const WASM_INSTRUCTIONS = 1_000_000;

/** `plannedCases`: how many cases of the image this process is going to run. */
export function createEmbeddedEngine(
  image: EngineImage,
  options: EngineOptions,
  host: EngineHost,
  plannedCases: number,
  onBoot: (span: BootSpan) => void = () => undefined,
): CaseEngine {
  const oracle = host.interpreter;
  let translator: ExecutorFactory | null = null;
  let interpreted = 0;
  const chooser: ExecutorChooser = {
    oracle,
    choose(cpus) {
      // Interleaving of CPUs is defined by the interpreter's scheduler; the translation runs one CPU.
      const isWorth = options.executor === "wasm" || (options.executor === "auto" && (plannedCases > WASM_CASES || interpreted > WASM_INSTRUCTIONS));
      if (cpus > 1 || !isWorth) return oracle;
      return translator ?? host.loadWasm().then((loaded) => (translator = loaded));
    },
    count(factory, executed) {
      if (factory === oracle) interpreted += executed;
    },
  };
  function timed<State>(open: () => Session<State>): Session<State> {
    const startMs = host.now();
    const session = open();
    return {
      ...session,
      boot: () =>
        after(session.boot(), (result) => {
          onBoot({ startMs, durationMs: host.now() - startMs });
          return result;
        }),
    };
  }
  if (image.native !== undefined)
    return createCaseEngine(image, options, host, (cpus) => timed(() => openNativeSession(image, cpus, options.seed, (target) => host.loadTarget(target))));
  return createCaseEngine(image, options, host, (cpus) => timed(() => openEmbeddedSession(image, cpus, options.seed, chooser)));
}
