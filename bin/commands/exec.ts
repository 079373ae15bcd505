// `guestspec exec IMAGE`: boots any program on the embedded machine, with the console on the terminal. Checks the command line, reads the
// files, and then only lends the host to runtime/exec: terminal, clock, signals. What the guest prints goes to standard output and
// everything of ours to standard error, so that a guest's output can be piped.

import { accessSync, closeSync, constants, openSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { didYouMean } from "../../grammar/nearest-name.ts";
import type { MachineDescription } from "../../machines/description.ts";
import type { GdbOptions } from "../../runtime/debug/gdb-server.ts";
import type { ByteStore } from "../../runtime/devices/device.ts";
import { attachDisks } from "../../runtime/exec/attach-disks.ts";
import { describeAddress, describeCpus, describeInstruction, describeTrap } from "../../runtime/exec/describe-guest.ts";
import { createGuest, type Guest } from "../../runtime/exec/guest.ts";
import type { SnapshotFile, SnapshotInput } from "../../runtime/exec/snapshot-file.ts";
import { EMBEDDED_TARGETS, type EmbeddedTarget } from "../../runtime/exec/processors.ts";
import { runGuest, type ConsoleHost, type GuestEnd } from "../../runtime/exec/run-guest.ts";
import type { NamedProgram } from "../../runtime/machine/boot.ts";
import { readProgram, type ProgramSymbol } from "../../runtime/machine/read-program.ts";
import { CommandError, describeHostError, usageError } from "../errors.ts";
import { continueFrom, readSnapshotFile, requireMachine, writeSnapshotFile, type GuestSource } from "../exec-snapshots.ts";
import { openDisks } from "../exec-disks.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import { loadMachineDescription, machineOption, openImageCache } from "../load-specs.ts";
import { seedNumber, wholeNumber, type ParsedOptions } from "../options.ts";
import { readBytes } from "../read-text.ts";

const DEFAULT_MACHINE = "riscv-virt";

const readInput = (path: string): SnapshotInput => ({ name: path, bytes: readBytes(path) });

function programOf({ name, bytes }: SnapshotInput): NamedProgram {
  const read = readProgram(bytes);
  if (!read.ok) throw usageError(`${name} is ${read.problem}`, /\.gspec(\.yaml)?$/.test(name) ? `\`guestspec run ${name}\` runs specs` : null);
  return { name, program: read.program };
}

/** An address as it is written, or that of a symbol. */
function readPlace(text: string, symbols: readonly ProgramSymbol[]): bigint {
  if (/^(0x[0-9a-f]+|\d+)$/i.test(text)) return BigInt(text);
  const symbol = symbols.find(({ name }) => name === text);
  if (symbol !== undefined) return symbol.address;
  if (symbols.length === 0) throw usageError(`\`--break ${text}\` names a symbol, and the image has none`, "addresses are written 0x80000000");
  const known = symbols.map(({ name }) => name);
  throw usageError(`the image has no symbol \`${text}\``, didYouMean(text, known, null));
}

async function findTarget(machine: MachineDescription): Promise<EmbeddedTarget> {
  const target = EMBEDDED_TARGETS[machine.target];
  if (target !== undefined && machine.boot !== null) return target;
  const { listMachines, loadMachine } = await import("../../machines/load-machine.ts");
  const able = listMachines().filter((name) => {
    const loaded = loadMachine(name);
    return loaded?.ok === true && loaded.machine.boot !== null && EMBEDDED_TARGETS[loaded.machine.target] !== undefined;
  });
  const what = machine.target === "bytecode" ? "runs bytecode, which `guestspec run` does" : `has ${machine.target} CPUs, which only QEMU has`;
  throw usageError(`${machine.name} ${what}`, `machines for programs: ${able.join(", ")}`);
}

/** What a snapshot says and the command line must not say again. */
const OF_SNAPSHOT = ["firmware", "append", "initrd", "cpus", "seed"];

function sourceOfOptions(options: ParsedOptions, machine: MachineDescription): GuestSource {
  const [path] = options.positionals;
  if (path === undefined) throw usageError("an argument is missing: IMAGE, or `--restore FILE`", "usage: guestspec exec [OPTION...] IMAGE");
  const input = (name: string): SnapshotInput | null => {
    const file = options.value(name);
    return file === null ? null : readInput(file);
  };
  return {
    machine: options.value("machine") ?? DEFAULT_MACHINE,
    cpus: wholeNumber(options, "cpus", machine.cpus.min, machine.cpus.max) ?? machine.cpus.default,
    seed: seedNumber(options) ?? 0n,
    image: readInput(path),
    firmware: input("firmware"),
    initrd: input("initrd"),
    commandLine: options.value("append"),
  };
}

function sourceOfSnapshot({ about, image, firmware, initrd }: SnapshotFile, options: ParsedOptions): GuestSource {
  const [path] = options.positionals;
  const given = OF_SNAPSHOT.find((name) => options.has(name));
  if (path !== undefined) throw usageError(`\`--restore\` brings its image along, so \`${path}\` has no place`);
  if (given !== undefined) throw usageError(`\`--${given}\` and \`--restore\` exclude each other: the snapshot says it`);
  const { cpus, seed, commandLine } = about;
  return { machine: options.value("machine") ?? about.machine, cpus, seed, image, firmware, initrd, commandLine };
}

/** Before the guest runs for an hour. */
function requireWritable(path: string): void {
  try {
    accessSync(dirname(path), constants.W_OK);
  } catch (error) {
    throw new CommandError(EXIT.environment, `cannot write ${path}: ${describeHostError(error)}`);
  }
}

interface Tracer {
  readonly write: (line: string) => void;
  readonly flush: () => void;
  readonly close: () => void;
}

/** Lines go out in blocks: a trace is millions of them. */
function openTrace(path: string): Tracer {
  const block = 0x1_0000;
  let file: number;
  try {
    file = path === "-" ? 2 : openSync(path, "w");
  } catch (error) {
    throw new CommandError(EXIT.environment, `cannot write ${path}: ${describeHostError(error)}`);
  }
  let waiting = "";
  const flush = (): void => {
    const bytes = Buffer.from(waiting);
    waiting = "";
    for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
  };
  return {
    write(line) {
      waiting += `${line}\n`;
      if (waiting.length >= block) flush();
    },
    flush,
    close() {
      flush();
      if (file !== 2) closeSync(file);
    },
  };
}

// As in QEMU's `-nographic`: Ctrl-A begins a command, and twice is itself.
const ESCAPE = 0x01;
const QUIT = "x".charCodeAt(0);
const SAVE = "s".charCodeAt(0);

interface Terminal extends ConsoleHost {
  readonly close: () => void;
  readonly wasInterrupted: () => boolean;
  /** Whether the user has asked for a snapshot since the last call. */
  readonly takeSaveRequest: () => boolean;
}

/** Standard input as the far end of the guest's console; raw if it is a terminal, so that Ctrl-C reaches the guest. */
function openTerminal(): Terminal {
  const { stdin } = process;
  const isTerminal = stdin.isTTY;
  let typed: number[] = [];
  let isEscaped = false;
  let isOpen = true;
  let isStopped = false;
  let wasInterrupted = false;
  let wantsSave = false;
  let wake: (() => void) | null = null;

  function take(byte: number): void {
    if (isTerminal && isEscaped) {
      isEscaped = false;
      if (byte === QUIT) isStopped = true;
      else if (byte === SAVE) wantsSave = true;
      else if (byte === ESCAPE) typed.push(byte);
    } else if (isTerminal && byte === ESCAPE) isEscaped = true;
    else typed.push(byte);
  }
  const onData = (bytes: Buffer): void => {
    bytes.forEach(take);
    wake?.();
  };
  const onEnd = (): void => {
    isOpen = false;
    wake?.();
  };
  const onSignal = (): void => {
    isStopped = true;
    wasInterrupted = true;
    wake?.();
  };
  if (isTerminal) stdin.setRawMode(true);
  stdin.on("data", onData).on("end", onEnd).on("error", onEnd);
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  return {
    now: () => performance.now(),
    wait(ms) {
      const { promise, resolve } = Promise.withResolvers<void>();
      // Also without a wait the host's events come first.
      const timer = ms > 0 ? setTimeout(resolve, ms) : setImmediate(resolve);
      wake = resolve;
      return promise.finally(() => {
        wake = null;
        if (typeof timer === "object" && "hasRef" in timer) clearTimeout(timer as NodeJS.Timeout);
      });
    },
    takeInput() {
      const bytes = Uint8Array.from(typed);
      typed = [];
      return bytes;
    },
    hasInput: () => isOpen,
    isStopped: () => isStopped,
    wasInterrupted: () => wasInterrupted,
    takeSaveRequest() {
      const taken = wantsSave;
      wantsSave = false;
      return taken;
    },
    close() {
      if (isTerminal) stdin.setRawMode(false);
      stdin.off("data", onData).off("end", onEnd).off("error", onEnd).pause();
      process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
    },
  };
}

/** The last lines, and the exit code. */
function tellEnd(end: GuestEnd, guest: Guest, target: EmbeddedTarget, wasInterrupted: boolean, io: Io): ExitCode {
  const tell = (text: string, withCpus = true): void => io.err(`guestspec: ${text}\n${withCpus ? `${describeCpus(guest, target)}\n` : ""}`);
  switch (end.kind) {
    case "poweroff":
      if (end.code === 0) return EXIT.ok;
      tell(`the guest ended with code ${end.code}`, false);
      return EXIT.testsFailed;
    case "limit":
      tell(`stopped after ${guest.processor.instructions().toLocaleString("en-US")} instructions`);
      return EXIT.ok;
    case "breakpoint":
      tell(`cpu${end.cpu} is at ${describeAddress(guest.symbols, end.pc)}`);
      return EXIT.ok;
    case "watchpoint":
      tell(`cpu${end.cpu} ${end.access === "read" ? "read" : "wrote"} ${describeAddress(guest.symbols, end.address)}`);
      return EXIT.ok;
    case "idle":
      tell("every CPU waits, and nothing will wake one");
      return EXIT.testsFailed;
    case "stopped":
      // Whoever ends it from outside, as `timeout` does, asks where it hangs.
      tell("stopped", wasInterrupted);
      return wasInterrupted ? EXIT.interrupted : EXIT.ok;
  }
}

async function debug(
  guest: Guest,
  target: EmbeddedTarget,
  options: Pick<GdbOptions, "port" | "time" | "monitor">,
  terminal: ConsoleHost,
  io: Io,
): Promise<GuestEnd> {
  const { debugGuest } = await import("../../runtime/debug/gdb-server.ts");
  const onListening = (port: number): void => io.err(`guestspec: the machine waits for a debugger: target remote localhost:${port}\n`);
  try {
    return await debugGuest(guest, { ...options, ...(await target.loadDebugTarget()), onListening }, terminal);
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error)) throw error;
    throw new CommandError(EXIT.environment, `cannot listen on port ${options.port}: ${describeHostError(error)}`);
  }
}

/** Whether a machine that stopped so is one to go on with: not one that ended by itself, or that the user threw away. */
function leavesMachine(end: GuestEnd, wasInterrupted: boolean): boolean {
  return end.kind === "stopped" ? wasInterrupted : end.kind !== "poweroff";
}

export async function run(options: ParsedOptions, io: Io): Promise<ExitCode> {
  const restorePath = options.value("restore");
  const restored = restorePath === null ? null : readSnapshotFile(restorePath);
  const fromSnapshot = restored === null ? null : sourceOfSnapshot(restored, options);
  const { machine } = await loadMachineDescription(fromSnapshot?.machine ?? (await machineOption(options)) ?? DEFAULT_MACHINE, openImageCache(io));
  if (restored !== null && restorePath !== null) requireMachine(restored, machine, restorePath);
  const target = await findTarget(machine);
  if (options.has("virtual-time") && options.has("wall-time")) throw usageError("`--virtual-time` and `--wall-time` exclude each other");
  const disks = options.values("disk");
  const withDisk = disks.length === 0 ? undefined : ["snapshot", "restore"].find((name) => options.has(name));
  if (withDisk !== undefined) throw usageError(`\`--disk\` and \`--${withDisk}\` exclude each other: a snapshot does not hold what is on disks`);
  const source = fromSnapshot ?? sourceOfOptions(options, machine);
  const { cpus, seed, image, firmware, initrd, commandLine } = source;
  const until = wholeNumber(options, "until", 1);
  const port = wholeNumber(options, "gdb", 0, 0xffff);
  if (port !== null && (until !== null || options.values("break").length > 0))
    throw usageError("with `--gdb` the debugger says where to stop, not `--until` or `--break`");
  const snapshotPath = options.value("snapshot");
  if (snapshotPath !== null) requireWritable(snapshotPath);

  const { disks: opened, close: closeDisks } = openDisks(disks);
  const attached = opened.length === 0 ? { ok: true as const, machine, stores: new Map<string, ByteStore>() } : attachDisks(machine, opened);
  if (!attached.ok) throw usageError(attached.problem);

  const tracePath = options.value("trace");
  const disassemble = tracePath === null ? null : await target.loadDisassembler();
  const tracer = tracePath === null ? null : openTrace(tracePath);
  let consoleBytes = restored?.about.consoleBytes ?? 0;
  const created = createGuest({
    description: attached.machine,
    stores: attached.stores,
    cpus,
    seed,
    createProcessor: await target.load(),
    boot: {
      image: programOf(image),
      ...(firmware === null ? {} : { firmware: programOf(firmware) }),
      ...(initrd === null ? {} : { initrd }),
      ...(commandLine === null ? {} : { commandLine }),
      cpuProperties: target.cpuProperties,
    },
    output(bytes) {
      consoleBytes += bytes.length;
      process.stdout.write(bytes);
    },
    ...(tracer === null || disassemble === null
      ? {}
      : {
          trace: (cpu, pc, bits) => tracer.write(describeInstruction(symbols, cpu, pc, disassemble(bits))),
          trapped: (cpu, { pc, cause, isInterrupt, value }) => tracer.write(describeTrap(symbols, cpu, pc, target.nameOfTrap(cause, isInterrupt), value)),
        }),
  });
  if (!created.ok) throw usageError(created.problem);
  const { guest } = created;
  const { symbols } = guest;
  if (restored !== null && restorePath !== null) continueFrom(restored, guest, restorePath);
  guest.setBreakpoints(options.values("break").map((text) => readPlace(text, symbols)));

  const save = (path: string): string => writeSnapshotFile(path, guest, source, consoleBytes);
  /** While the machine lives, a file that cannot be written does not end it. */
  function trySave(): string {
    if (snapshotPath === null) return "no file to write a snapshot to: start with --snapshot FILE";
    try {
      return save(snapshotPath);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      return error.message;
    }
  }

  const terminal = openTerminal();
  const host: ConsoleHost = {
    ...terminal,
    atStandstill() {
      if (terminal.takeSaveRequest()) io.err(`guestspec: ${trySave()}\n`);
    },
  };
  const isWallTime = options.has("wall-time") || (!options.has("virtual-time") && process.stdin.isTTY);
  if (process.stdin.isTTY) io.err(`guestspec: Ctrl-A x ends the machine${snapshotPath === null ? "" : `, Ctrl-A s writes ${snapshotPath}`}\n`);
  try {
    const time = isWallTime ? "wall" : "virtual";
    const end =
      port === null
        ? await runGuest(guest, { time, instructions: until ?? Infinity }, host)
        : await debug(guest, target, { port, time, monitor: { snapshot: trySave } }, host, io);
    tracer?.flush();
    const code = tellEnd(end, guest, target, terminal.wasInterrupted(), io);
    if (snapshotPath === null) return code;
    if (leavesMachine(end, terminal.wasInterrupted())) io.err(`guestspec: ${save(snapshotPath)}\n`);
    else if (end.kind === "poweroff") io.err(`guestspec: no snapshot in ${snapshotPath}: the guest ended before it was stopped\n`);
    return code;
  } finally {
    terminal.close();
    tracer?.close();
    guest.dispose();
    closeDisks();
  }
}
