// A machine that runs programs which we did not make: board, CPUs, what was loaded into it, and the firmware that is built in where the
// image wants one and the user names none. It can be started again as often as the guest asks for a reset. No host here: `run-guest.ts`
// paces it and feeds its console, the debugger's stub drives it by the same record.

import type { MachineDescription } from "../../machines/description.ts";
import type { ByteStore } from "../devices/device.ts";
import { prepareBoot, type BootOptions } from "../machine/boot.ts";
import { createMachine, type Machine } from "../machine/machine.ts";
import type { CreateProcessor, Processor, ProcessorHooks, ProcessorLimits, ProcessorState, StopReason } from "../machine/processor.ts";
import type { ProgramSymbol } from "../machine/read-program.ts";
import { createSbi, type Sbi, type SbiState } from "../machine/sbi.ts";
import type { MachineContents, Snapshot } from "../machine/snapshot.ts";

export interface GuestOptions {
  readonly description: MachineDescription;
  readonly cpus: number;
  readonly seed: bigint;
  readonly createProcessor: CreateProcessor;
  readonly boot: Omit<BootOptions, "seed">;
  /** Disks of the host, by their devices' names; snapshots do not hold what is in them. */
  readonly stores?: ReadonlyMap<string, ByteStore>;
  /** What the console's device sends. */
  readonly output: (bytes: Uint8Array) => void;
  readonly trace?: NonNullable<ProcessorHooks["trace"]>;
  readonly trapped?: NonNullable<ProcessorHooks["trapped"]>;
}

/** How a run ended; a reset that the guest asks for is no end. */
export type GuestStop =
  | { readonly kind: "poweroff"; readonly code: number }
  | { readonly kind: "reset" }
  | Extract<StopReason, { readonly kind: "limit" | "idle" | "request" | "breakpoint" | "watchpoint" }>;

/** Board, CPUs and firmware at one moment. */
export interface GuestState {
  readonly machine: Snapshot;
  readonly processor: ProcessorState;
  readonly firmware: SbiState | null;
}

/** The same for a guest of its own, in this process or another: plain data. */
export interface GuestContents {
  readonly machine: MachineContents;
  readonly processor: ProcessorState;
  readonly firmware: SbiState | null;
  /** Of each CPU the count of instructions at which somebody was told that it stands at a breakpoint; -1: nowhere. */
  readonly toldAt: readonly number[];
}

export interface Guest {
  readonly machine: Machine;
  readonly processor: Processor;
  readonly symbols: readonly ProgramSymbol[];
  /** Whether environment calls of supervisor mode are answered here. */
  readonly hasBuiltInFirmware: boolean;
  /** Slices of a run are one run: a breakpoint that a CPU reached with the last instruction of one is told, and told once. */
  readonly run: (limits: ProcessorLimits) => GuestStop;
  readonly setBreakpoints: (addresses: readonly bigint[]) => void;
  readonly step: (cpu: number) => GuestStop | null;
  /** Power-on, with everything loaded again. */
  readonly restart: () => void;
  readonly receive: (bytes: Uint8Array) => void;
  readonly save: () => GuestState;
  /** `seed` begins the random streams anew. */
  readonly restore: (state: GuestState, seed: bigint) => void;
  readonly contents: () => GuestContents;
  /** Goes on from where another guest made of the same options was. */
  readonly setContents: (contents: GuestContents) => void;
  readonly dispose: () => void;
}

export type CreateGuest = { readonly ok: true; readonly guest: Guest } | { readonly ok: false; readonly problem: string };

export function createGuest(options: GuestOptions): CreateGuest {
  const { description, seed } = options;
  const machine = createMachine(description, {
    cpus: options.cpus,
    seed,
    ...(options.stores === undefined ? {} : { stores: options.stores }),
    output: (bytes, device) => {
      if (device === description.console) options.output(bytes);
    },
  });
  const hasBuiltInFirmware = description.boot?.privilege === "supervisor" && options.boot.firmware === undefined;
  const sbi: Sbi | null = hasBuiltInFirmware ? createSbi(machine, () => processor) : null;
  const processor: Processor = options.createProcessor(machine, {
    ...(sbi === null ? {} : { environmentCall: sbi.call }),
    ...(options.trace === undefined ? {} : { trace: options.trace }),
    ...(options.trapped === undefined ? {} : { trapped: options.trapped }),
  });

  function load(): ReturnType<typeof prepareBoot> {
    const prepared = prepareBoot(machine, { ...options.boot, seed });
    if (!prepared.ok) return prepared;
    // Firmware starts one CPU, and the image the others.
    processor.reset(prepared.boot.setups.map((setup, cpu) => (sbi === null ? setup : { ...setup, isStopped: cpu > 0 })));
    if (sbi !== null) {
      sbi.reset();
      for (let cpu = 0; cpu < machine.cpuCount; cpu++) sbi.prepareCpu(cpu);
    }
    return prepared;
  }

  function toStop(reason: StopReason): GuestStop {
    if (reason.kind === "exit") return reason.exit.kind === "reset" ? { kind: "reset" } : { kind: "poweroff", code: reason.exit.code };
    if (reason.kind !== "request") return reason;
    const request = sbi?.takeRequest() ?? null;
    if (request === null) return reason;
    return request.kind === "reset" ? { kind: "reset" } : { kind: "poweroff", code: request.isFailure ? 1 : 0 };
  }

  let breakpoints: ReadonlySet<bigint> = new Set();
  /** Of each CPU the count of instructions at which a stop was told last: it stands there, and has not come there anew. */
  const toldAt = new Float64Array(machine.cpuCount).fill(-1);

  /** A CPU that has come to a breakpoint and that nobody was told of: the processor lets it pass when the next run begins. */
  function findArrival(): GuestStop | null {
    if (breakpoints.size === 0) return null;
    for (let cpu = 0; cpu < machine.cpuCount; cpu++) {
      const executed = processor.instructions(cpu);
      const pc = processor.readRegister(cpu, "pc");
      if (executed === toldAt[cpu] || processor.cpuState(cpu) !== "running" || !breakpoints.has(pc)) continue;
      toldAt[cpu] = executed;
      return { kind: "breakpoint", cpu, pc };
    }
    return null;
  }

  function run(limits: ProcessorLimits): GuestStop {
    const arrival = findArrival();
    if (arrival !== null) return arrival;
    const stop = toStop(processor.run(limits));
    if (stop.kind === "breakpoint") toldAt[stop.cpu] = processor.instructions(stop.cpu);
    return stop.kind === "limit" ? (findArrival() ?? stop) : stop;
  }

  const loaded = load();
  if (!loaded.ok) {
    machine.dispose();
    return loaded;
  }
  return {
    ok: true,
    guest: {
      machine,
      processor,
      symbols: loaded.boot.symbols,
      hasBuiltInFirmware,
      run,
      setBreakpoints(addresses) {
        breakpoints = new Set(addresses);
        processor.setBreakpoints(addresses);
      },
      step(cpu) {
        const reason = processor.step(cpu);
        toldAt[cpu] = processor.instructions(cpu);
        return reason === null ? null : toStop(reason);
      },
      restart() {
        const again = load();
        toldAt.fill(-1);
        if (!again.ok) throw new Error(`what was loaded once does not load again: ${again.problem}`);
      },
      receive: (bytes) => machine.receive(description.console, bytes),
      save: () => ({ machine: machine.snapshot(), processor: processor.save(), firmware: sbi?.save() ?? null }),
      restore(state, newSeed) {
        machine.restore(state.machine, { seed: newSeed });
        processor.load(state.processor);
        if (state.firmware !== null) sbi?.load(state.firmware);
      },
      contents: () => ({ machine: machine.contents(), processor: processor.save(), firmware: sbi?.save() ?? null, toldAt: [...toldAt] }),
      setContents(contents) {
        machine.setContents(contents.machine);
        processor.load(contents.processor);
        if (contents.firmware !== null) sbi?.load(contents.firmware);
        toldAt.set(contents.toldAt);
      },
      dispose: () => machine.dispose(),
    },
  };
}
