// What the embedded engine takes from the host in a real run: files for code frames, a clock for `wallMs`, and the executors, of
// which the translating one is loaded when it pays and not before.

import { readFileSync } from "node:fs";
import { LIBRARY_PREFIX } from "../../isa/bytecode/module.ts";
import { interpreterFactory } from "../cpus/bytecode/interpreter.ts";
import type { EngineHost } from "./embedded.ts";

const LIBRARY = new URL("../../lib/", import.meta.url);

export const engineHost: EngineHost = {
  readText(path) {
    try {
      return readFileSync(path.startsWith(LIBRARY_PREFIX) ? new URL(path.slice(LIBRARY_PREFIX.length), LIBRARY) : path, "utf8");
    } catch {
      // Moved or deleted since it was compiled: the failure is told without its code frame.
      return null;
    }
  },
  // Not `performance`: its module costs 5 ms to load, more than many a run takes.
  now: () => Number(process.hrtime.bigint()) / 1e6,
  cpuTime() {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
  async loadTarget(target) {
    const { EMBEDDED_TARGETS } = await import("../exec/processors.ts");
    const found = EMBEDDED_TARGETS[target];
    if (found === undefined) throw new Error(`no CPU of ${target} is emulated in this process`);
    return found;
  },
  interpreter: interpreterFactory,
  loadWasm: async () => {
    const [{ createWasmFactory }, { compileWithHints }] = await Promise.all([import("../cpus/bytecode/wasm-executor.ts"), import("./compile-wasm.ts")]);
    return createWasmFactory(compileWithHints);
  },
};
