// A supervisor binary interface without firmware: what an S-mode image asks of machine mode is answered here, in no guest time and
// without guest memory. It is for machines whose images start in supervisor mode when the user names no firmware of his own.
// Manual: RISC-V SBI specification 2.0; the numbers in brackets below are its chapters. The console is the board's UART, reached as
// OpenSBI reaches it. CPUs of 32 bits give numbers of 64 in two registers, the lower half first, and have control registers in halves. Left out: the legacy calls of SBI 0.1 (5), and counters besides cycle and instret; both answer that they are not there.

import type { MachineDescription } from "../../machines/description.ts";
import type { Machine } from "./machine.ts";
import type { EnvironmentCall, Processor } from "./processor.ts";

/** What the guest asked of the whole system: who runs the machine does it. */
export type SystemRequest = { readonly kind: "poweroff" | "reset"; readonly isFailure: boolean };

export interface SbiState {
  readonly stoppedCounters: readonly string[];
}

export interface Sbi {
  /** For `ProcessorHooks.environmentCall`. */
  readonly call: (cpu: number) => EnvironmentCall;
  /** What only machine mode can set up: delegation, protection, counters. For every CPU, whenever it starts. */
  readonly prepareCpu: (cpu: number) => void;
  /** Set by the call that stopped the run; taken once. */
  readonly takeRequest: () => SystemRequest | null;
  /** Power-on. */
  readonly reset: () => void;
  /** What it knows of the harts, as plain data. */
  readonly save: () => SbiState;
  readonly load: (state: SbiState) => void;
}

// Error codes (3, table 1).
const SUCCESS = 0n;
const ERR_FAILED = -1n;
const ERR_NOT_SUPPORTED = -2n;
const ERR_INVALID_PARAM = -3n;
const ERR_DENIED = -4n;
const ERR_INVALID_ADDRESS = -5n;
const ERR_ALREADY_AVAILABLE = -6n;
const ERR_ALREADY_STARTED = -7n;
const ERR_ALREADY_STOPPED = -8n;

const SPEC_VERSION = 2n << 24n;
/** No registered implementation: "gspc". */
const IMPLEMENTATION_ID = 0x6773_7063n;
const IMPLEMENTATION_VERSION = 1n;

const NEVER = 0xffff_ffff_ffff_ffffn;

// Bits of control registers (privileged architecture, Volume II).
const SSIP = 1n << 1n;
/** Every exception that can happen below machine mode but calls from supervisor mode, which come here. */
const DELEGATED_EXCEPTIONS = 0xb1ffn;
/** Software, timer and external interrupts of supervisor mode. */
const DELEGATED_INTERRUPTS = 0x222n;
/** cycle, time and instret for the modes below. */
const OPEN_COUNTERS = 7n;
/** STCE, the supervisor's own timer, by which set_timer works, and ADUE, accessed and dirty bits by the CPU; CBIE and the like stay off. */
const MENVCFG = (1n << 63n) | (1n << 61n);
/** Bytes at the start of RAM that an image cannot reach: where firmware that is a program has itself. The device tree says so. */
export const FIRMWARE_SIZE = 0x8_0000n;
/** Naturally aligned ranges (II, 3.7.1): no rights where firmware is, then all rights over everything. */
const PMP_NAPOT = 0x18n;
const PMP_ALL = { address: 0x3f_ffff_ffff_ffffn, config: 0x1fn };
const SSTATUS_SIE = 1n << 1n;

// UART registers that a console needs (PC16550D, 8).
const UART_DATA = 0n;
const UART_LSR = 5n;
const LSR_DATA_READY = 1;

// Hart states (9.3), and types of suspension (9.4).
const HART_STARTED = 0n;
const HART_STOPPED = 1n;
const HART_SUSPENDED = 4n;
const SUSPEND_RETENTIVE = 0n;
const SUSPEND_NON_RETENTIVE = 0x8000_0000n;

// Of PMU events (11.1) and of flags of start (11.8).
const EVENT_CPU_CYCLES = 1n;
const EVENT_INSTRUCTIONS = 2n;
const PMU_START_SET_VALUE = 1n;
/** Counter numbers are those of the CSRs from `cycle` (0xc00) on; 1 would be `time`, which counts no events. */
const PMU_COUNTERS: ReadonlyMap<bigint, { readonly event: bigint; readonly csr: string }> = new Map([
  [0n, { event: EVENT_CPU_CYCLES, csr: "mcycle" }],
  [2n, { event: EVENT_INSTRUCTIONS, csr: "minstret" }],
]);
const PMU_COUNTER_LIMIT = 3n;

interface Call {
  readonly cpu: number;
  readonly args: readonly [bigint, bigint, bigint, bigint, bigint, bigint];
}

/** Error and value; or what the hook has to say when registers are not to be touched. */
type Answer = readonly [error: bigint, value?: bigint] | EnvironmentCall;

type Handler = (call: Call) => Answer;

/** By extension, then by function number. */
type Extensions = ReadonlyMap<bigint, readonly Handler[]>;

const extensionId = (letters: string): bigint => [...new TextEncoder().encode(letters)].reduce((id, byte) => (id << 8n) | BigInt(byte), 0n);

const BASE = 0x10n;

function consoleAddress(machine: MachineDescription): bigint | null {
  return machine.devices.find(({ name }) => name === machine.console)?.at[0]?.address ?? null;
}

/** The processor is made with the hook, and so comes later than what the hook needs. */
export function createSbi(machine: Machine, processorOf: () => Processor): Sbi {
  const bits = machine.description.target === "riscv32" ? 32 : 64;
  const console = consoleAddress(machine.description);
  let request: SystemRequest | null = null;
  /** -1. */
  const allHarts = BigInt.asUintN(bits, -1n);

  /** A number of 64 bits that is given from this argument on. */
  function wideArgument({ args }: Call, first: number): bigint {
    const [low = 0n, high = 0n] = args.slice(first);
    return bits === 64 ? low : low | (high << 32n);
  }

  /**
   * A control register of 64 bits, whatever the width of others. A count that is written as two halves goes on between them: from the middle of
   * its lower half it carries nothing into the upper one.
   */
  function writeWide(cpu: number, csr: string, value: bigint): void {
    const write = (name: string, part: bigint): void => processorOf().writeRegister(cpu, name, BigInt.asUintN(bits, part));
    if (bits === 32) {
      write(csr, 1n << 31n);
      write(`${csr}h`, value >> 32n);
    }
    write(csr, value);
  }

  /** The harts of a mask, or null if one of them is not there (3.1). */
  function hartsOf(mask: bigint, base: bigint): readonly number[] | null {
    const all = Array.from({ length: machine.cpuCount }, (_, cpu) => cpu);
    if (base === allHarts) return all;
    const harts: number[] = [];
    for (let bit = 0n; mask >> bit !== 0n; bit++) {
      if (((mask >> bit) & 1n) === 0n) continue;
      const hart = base + bit;
      if (hart >= BigInt(machine.cpuCount)) return null;
      harts.push(Number(hart));
    }
    return harts;
  }

  const toHarts =
    (act: (processor: Processor, hart: number) => void): Handler =>
    ({ args: [mask, base] }) => {
      const harts = hartsOf(mask, base);
      if (harts === null) return [ERR_INVALID_PARAM];
      for (const hart of harts) act(processorOf(), hart);
      return [SUCCESS];
    };

  /** What a hart finds when it starts in supervisor mode, or comes back from a suspension that lost its registers (9.1, 9.4). */
  function restartAt(cpu: number, address: bigint, opaque: bigint): void {
    const processor = processorOf();
    processor.writeRegister(cpu, "sstatus", processor.readRegister(cpu, "sstatus") & ~SSTATUS_SIE);
    processor.writeRegister(cpu, "satp", 0n);
    processor.flushTranslations(cpu);
    processor.writeRegister(cpu, "a0", BigInt(cpu));
    processor.writeRegister(cpu, "a1", opaque);
    processor.writeRegister(cpu, "pc", address);
  }

  /** A hart may begin in RAM, but not where firmware is, which the PMP keeps from it (9.1). */
  const isExecutable = (address: bigint): boolean => machine.readMemory(address, 2) !== null && address >= machine.memory.base + FIRMWARE_SIZE;

  function startHart({ args: [hart, address, opaque] }: Call): Answer {
    if (hart >= BigInt(machine.cpuCount)) return [ERR_INVALID_PARAM];
    if (!isExecutable(address)) return [ERR_INVALID_ADDRESS];
    const cpu = Number(hart);
    if (processorOf().cpuState(cpu) !== "stopped") return [ERR_ALREADY_AVAILABLE];
    processorOf().startCpu(cpu, { pc: address, privilege: "supervisor", registers: {} });
    prepareCpu(cpu);
    // It may have been stopped: what it had in its registers then is there still.
    restartAt(cpu, address, opaque);
    return [SUCCESS];
  }

  function hartStatus({ args: [hart] }: Call): Answer {
    if (hart >= BigInt(machine.cpuCount)) return [ERR_INVALID_PARAM];
    switch (processorOf().cpuState(Number(hart))) {
      // A wait instruction is no suspension.
      case "running":
      case "waiting":
        return [SUCCESS, HART_STARTED];
      case "stopped":
        return [SUCCESS, HART_STOPPED];
      case "suspended":
        return [SUCCESS, HART_SUSPENDED];
    }
  }

  function suspendHart({ cpu, args: [type, address, opaque] }: Call): Answer {
    if (type === SUSPEND_RETENTIVE) {
      processorOf().suspendCpu(cpu);
      return [SUCCESS];
    }
    if (type !== SUSPEND_NON_RETENTIVE) return [ERR_INVALID_PARAM];
    return suspendAndRestart(cpu, address, opaque);
  }

  function suspendAndRestart(cpu: number, address: bigint, opaque: bigint): Answer {
    if (!isExecutable(address)) return [ERR_INVALID_ADDRESS];
    restartAt(cpu, address, opaque);
    processorOf().suspendCpu(cpu);
    return "moved";
  }

  /** To RAM (13.1): only with every other hart stopped. */
  function suspendSystem({ cpu, args: [type, address, opaque] }: Call): Answer {
    if (type !== 0n) return [ERR_INVALID_PARAM];
    const areOthersStopped = Array.from({ length: machine.cpuCount }, (_, other) => other).every(
      (other) => other === cpu || processorOf().cpuState(other) === "stopped",
    );
    return areOthersStopped ? suspendAndRestart(cpu, address, opaque) : [ERR_DENIED];
  }

  function resetSystem({ args: [type, reason] }: Call): Answer {
    if (type > 2n || reason > 1n) return [ERR_INVALID_PARAM];
    request = { kind: type === 0n ? "poweroff" : "reset", isFailure: reason === 1n };
    return "stop";
  }

  function writeConsole(bytes: Uint8Array): Answer {
    if (console === null) return [ERR_FAILED, 0n];
    for (const byte of bytes) if (!machine.bus.write(console + UART_DATA, 1, byte)) return [ERR_FAILED, 0n];
    return [SUCCESS, BigInt(bytes.length)];
  }

  function memoryOf(length: bigint, low: bigint, high: bigint): Uint8Array | null {
    return high !== 0n || length > BigInt(machine.memory.size) ? null : machine.readMemory(low, Number(length));
  }

  function readConsole(length: bigint, low: bigint, high: bigint): Answer {
    if (memoryOf(length, low, high) === null) return [ERR_INVALID_PARAM];
    if (console === null) return [ERR_FAILED, 0n];
    const bytes: number[] = [];
    while (BigInt(bytes.length) < length && (Number(machine.bus.read(console + UART_LSR, 1)) & LSR_DATA_READY) !== 0) {
      bytes.push(Number(machine.bus.read(console + UART_DATA, 1)));
    }
    machine.writeMemory(low, Uint8Array.from(bytes));
    return [SUCCESS, BigInt(bytes.length)];
  }

  /** Counters always run, so that to configure, start and stop one is to say which, and perhaps its value (11.7 to 11.9). */
  function matchCounter({ args: [base, mask, , event] }: Call): Answer {
    for (const [number, counter] of PMU_COUNTERS) {
      if (counter.event === event && number >= base && ((mask >> (number - base)) & 1n) !== 0n) return [SUCCESS, number];
    }
    return [ERR_NOT_SUPPORTED];
  }

  /** Of every hart the counters that were stopped and not started again. */
  const stoppedCounters = new Map<string, true>();

  function forCounters({ cpu, args: [base, mask] }: Call, act: (key: string, csr: string) => bigint): Answer {
    let answer = SUCCESS;
    for (let bit = 0n; mask >> bit !== 0n; bit++) {
      if (((mask >> bit) & 1n) === 0n) continue;
      const counter = PMU_COUNTERS.get(base + bit);
      if (counter === undefined) return [ERR_INVALID_PARAM];
      const error = act(`${cpu} ${counter.csr}`, counter.csr);
      if (error !== SUCCESS) answer = error;
    }
    return [answer];
  }

  const extensions: Extensions = new Map([
    // [4]
    [
      BASE,
      [
        () => [SUCCESS, SPEC_VERSION],
        () => [SUCCESS, IMPLEMENTATION_ID],
        () => [SUCCESS, IMPLEMENTATION_VERSION],
        ({ args: [id] }) => [SUCCESS, extensions.has(id) ? 1n : 0n],
        ...["mvendorid", "marchid", "mimpid"].map((csr): Handler => ({ cpu }) => [SUCCESS, processorOf().readRegister(cpu, csr)]),
      ],
    ],
    // [6]
    [
      extensionId("TIME"),
      [
        (call) => {
          writeWide(call.cpu, "stimecmp", wideArgument(call, 0));
          return [SUCCESS];
        },
      ],
    ],
    // [7]
    [extensionId("sPI"), [toHarts((processor, hart) => processor.writeRegister(hart, "mip", processor.readRegister(hart, "mip") | SSIP))]],
    // [8]; addresses are not looked at: everything is forgotten.
    [
      extensionId("RFNC"),
      [
        toHarts((processor) => processor.invalidateCode()),
        toHarts((processor, hart) => processor.flushTranslations(hart)),
        toHarts((processor, hart) => processor.flushTranslations(hart)),
      ],
    ],
    // [9]
    [
      extensionId("HSM"),
      [
        startHart,
        ({ cpu }) => {
          processorOf().stopCpu(cpu);
          return "moved";
        },
        hartStatus,
        suspendHart,
      ],
    ],
    // [10]
    [extensionId("SRST"), [resetSystem]],
    // [11]
    [
      extensionId("PMU"),
      [
        () => [SUCCESS, PMU_COUNTER_LIMIT],
        ({ args: [number] }) => (PMU_COUNTERS.has(number) ? [SUCCESS, (63n << 12n) | (0xc00n + number)] : [ERR_INVALID_PARAM]),
        matchCounter,
        (call) =>
          forCounters(call, (key, csr) => {
            if ((call.args[2] & PMU_START_SET_VALUE) !== 0n) writeWide(call.cpu, csr, wideArgument(call, 3));
            return stoppedCounters.delete(key) ? SUCCESS : ERR_ALREADY_STARTED;
          }),
        (call) =>
          forCounters(call, (key) => {
            if (stoppedCounters.has(key)) return ERR_ALREADY_STOPPED;
            stoppedCounters.set(key, true);
            return SUCCESS;
          }),
      ],
    ],
    // [12]
    [
      extensionId("DBCN"),
      [
        ({ args: [length, low, high] }) => {
          const bytes = memoryOf(length, low, high);
          return bytes === null ? [ERR_INVALID_PARAM] : writeConsole(bytes);
        },
        ({ args: [length, low, high] }) => readConsole(length, low, high),
        ({ args: [byte] }) => writeConsole(Uint8Array.of(Number(byte & 0xffn))),
      ],
    ],
    // [13]
    [extensionId("SUSP"), [suspendSystem]],
  ]);

  function prepareCpu(cpu: number): void {
    const processor = processorOf();
    const values: Readonly<Record<string, bigint>> = {
      medeleg: DELEGATED_EXCEPTIONS,
      mideleg: DELEGATED_INTERRUPTS,
      mcounteren: OPEN_COUNTERS,
      pmpaddr0: (machine.memory.base >> 2n) | ((FIRMWARE_SIZE >> 3n) - 1n),
      pmpaddr1: PMP_ALL.address,
      pmpcfg0: PMP_NAPOT | (PMP_ALL.config << 8n),
    };
    for (const [csr, value] of Object.entries(values)) processor.writeRegister(cpu, csr, BigInt.asUintN(bits, value));
    writeWide(cpu, "menvcfg", MENVCFG);
    writeWide(cpu, "stimecmp", NEVER);
  }

  return {
    call(cpu) {
      const processor = processorOf();
      const argument = (index: number): bigint => processor.readRegister(cpu, `a${index}`);
      const handler = extensions.get(argument(7))?.[Number(argument(6))];
      const answer: Answer = handler?.({ cpu, args: [argument(0), argument(1), argument(2), argument(3), argument(4), argument(5)] }) ?? [ERR_NOT_SUPPORTED];
      if (typeof answer === "string") return answer;
      const [error, value = 0n] = answer;
      processor.writeRegister(cpu, "a0", BigInt.asUintN(bits, error));
      processor.writeRegister(cpu, "a1", value);
      return "handled";
    },
    prepareCpu,
    takeRequest() {
      const taken = request;
      request = null;
      return taken;
    },
    reset() {
      request = null;
      stoppedCounters.clear();
    },
    save: () => ({ stoppedCounters: [...stoppedCounters.keys()] }),
    load(state) {
      request = null;
      stoppedCounters.clear();
      for (const counter of state.stoppedCounters) stoppedCounters.set(counter, true);
    },
  };
}
