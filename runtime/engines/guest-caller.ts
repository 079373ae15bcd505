// Who runs the guest's own models of devices (lib/model.gspec): for each an interpreter beside the machine's CPUs, on the model's stack.
// No time passes in it and interrupts go elsewhere, so that a model is to the code under test what a device in this process is.

import { functionOfAddress } from "../../isa/bytecode/module.ts";
import type { DeviceEnv } from "../devices/device.ts";
import type { Executor, ExecutorFactory, MachineCore, RunLimits } from "../machine/cpu-contract.ts";
import type { PlacedImage } from "../machine/load-image.ts";

export interface ModelWatch {
  enter(executor: Executor, answersAccess: boolean): void;
  leave(): void;
}

/** A model that does not come back within this is broken; no time passes in it, so the test's own limit would never come. */
const MODEL_LIMITS: RunLimits = { deadline: Infinity, grace: 0, instructions: 10_000_000 };

/** `around`: told of what runs a model, and whether an access waits for its answer, before and after it does; null: nobody is. */
export function createGuestCaller(
  placed: PlacedImage,
  machine: MachineCore,
  oracle: ExecutorFactory,
  around: ModelWatch | null = null,
): DeviceEnv["callGuest"] {
  /** By their stacks. */
  const cpus = new Map<bigint, Executor>();
  return (code, args, stack) => {
    let cpu = cpus.get(stack.top);
    if (cpu === undefined) {
      const core = { ...machine, cpuCount: 1, advance() {}, nextEvent: () => Infinity, fireEvents() {}, lines: () => 0 };
      cpu = oracle.create({ ...placed, stacks: [stack] }, core);
      cpus.set(stack.top, cpu);
    }
    const index = functionOfAddress(code);
    if (index < 0 || index >= placed.module.functions.length) return null;
    // An event has the object alone: nobody waits for it.
    around?.enter(cpu, args.length > 1);
    try {
      const outcome = cpu.call(index, args, MODEL_LIMITS);
      return outcome.kind === "returned" ? BigInt(outcome.values[0] ?? 0) : null;
    } finally {
      around?.leave();
    }
  };
}
