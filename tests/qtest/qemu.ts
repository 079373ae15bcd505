// QEMU's side of the oracle: one `qemu-system-riscv64 -M virt` per script, its registers reached over the qtest protocol on stdio
// (QEMU documentation, "QTest Device Emulation Testing Framework"), stop, continue and reset over QMP.
//
// Time. Debian's packages come without the qtest accelerator, hence without `clock_step`. So TCG runs with
// `-icount shift=0,sleep=off` and every hart in WFI with its interrupts off: nothing executes, and while the machine runs, virtual time
// jumps from timer to timer and halts after the last one. To let n ns pass, the last hart's mtimecmp is set n ns ahead and the machine
// runs until mtime says so. A timer beyond that would be jumped to as well, hence the rule of the `pass` step in script.ts; a
// timer set "never" would make QEMU jump for ever. Boot takes a few instructions, i.e. nanoseconds; a first start counts them, and
// NOPs fill them up to a multiple of 100, so that timer counts begin on both sides at the same time.

import { spawn, spawnSync } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

import type { Width } from "../../runtime/devices/device.ts";
import { EPOCH_NANOSECONDS, HARTS, MTIMER, RAM, RTC } from "./board.ts";
import type { AccessStep, QtestScript, Watch } from "./script.ts";

export const QEMU = "qemu-system-riscv64";
/** The version whose registers the models follow. */
const QEMU_SERIES = "7.2";

const COMMAND_TIMEOUT_MS = 10_000;
/** Real time for QEMU's threads to run the timers that are due, where nothing tells that they have. */
const SETTLE_MS = 12;
const POLL_MS = 1;
const NANOSECONDS_PER_COUNT = 100;
const MTIME = BigInt(MTIMER + 0x7ff8);
const MIP_MTIP = 1 << 7;
const HELPER_MTIMECMP = BigInt(MTIMER + 8 * (HARTS - 1));

const LETTERS: Readonly<Record<Width, string>> = { 1: "b", 2: "w", 4: "l", 8: "q" };

function accessCommand(step: AccessStep): string {
  const target = `${step.kind}${LETTERS[step.width]} 0x${step.address.toString(16)}`;
  return step.kind === "read" ? target : `${target} 0x${step.value.toString(16)}`;
}

/** QOM type names of the devices whose output pins can be watched. */
const WATCHED_TYPES: Readonly<Record<Watch, string>> = {
  plic: "riscv.sifive.plic",
  mtimer: "riscv.aclint.mtimer",
  mswi: "riscv.aclint.swi",
};

/** Why QEMU cannot serve as the oracle here, or null. */
export function qemuProblem(): string | null {
  const probe = spawnSync(QEMU, ["--version"], { encoding: "utf8" });
  if (probe.error !== undefined) return `${QEMU} is not on the PATH (Debian: qemu-system-misc)`;
  const version = /version (\d+\.\d+)/.exec(probe.stdout)?.[1];
  return version === QEMU_SERIES ? null : `the models follow QEMU ${QEMU_SERIES}, found ${version ?? "an unknown version"}`;
}

/** QEMU was stopped too late, by the host's scheduler: this says nothing about the device. */
export class OvershootError extends Error {
  override readonly name = "OvershootError";
}

/** RV64 machine code: harts wait for ever, the first of them after `nops` instructions. */
function idleProgram(nops: number): { readonly words: readonly number[]; readonly idlePc: number } {
  const CSRR_T0_MHARTID = 0xf140_22f3;
  const NOP = 0x0000_0013;
  const WFI = 0x1050_0073;
  const JUMP_BACK = 0xffdf_f06f;
  const distance = 4 * (nops + 1);
  // bne t0, zero, distance (B-type).
  const branch = 0x0002_9063 | (((distance >> 5) & 0x3f) << 25) | (((distance >> 1) & 0xf) << 8);
  const words = [CSRR_T0_MHARTID, branch, ...Array.from({ length: nops }, () => NOP), WFI, JUMP_BACK];
  // A halted hart stands behind its WFI.
  return { words, idlePc: RAM + 4 * (words.length - 1) };
}

/** Begun by the first script; those beside it wait for it. */
let calibration: Promise<number> | null = null;

/** Levels of intercepted pins; those that have not moved are not in it. */
export type PinLevels = ReadonlyMap<number, boolean>;

export interface Answer {
  /** Of a read. */
  readonly value: bigint | null;
  /** When QEMU gave it: what moves a pin tells so before it answers. */
  readonly pins: PinLevels;
}

/** Of commands that went out together. */
interface Waiter {
  readonly commands: readonly string[];
  readonly answers: Answer[];
  readonly resolve: (answers: readonly Answer[]) => void;
  readonly reject: (error: Error) => void;
}

export interface QemuExit {
  readonly code: number | null;
  /** QMP's reason of the SHUTDOWN event, if the machine said one. */
  readonly reason: string | null;
}

export interface Qemu {
  /** All go out at once, and QEMU takes one after the other. */
  readonly access: (steps: readonly AccessStep[]) => Promise<readonly Answer[]>;
  readonly read: (address: bigint, width: Width) => Promise<bigint>;
  readonly pass: (nanoseconds: number) => Promise<void>;
  /** Runs until mtime is at least `count` and nothing is left to happen. */
  readonly settle: (count: bigint) => Promise<void>;
  readonly drivePlic: (source: number, level: boolean) => Promise<void>;
  readonly send: (bytes: Uint8Array) => Promise<void>;
  /** All bytes the UART sent, when at least `count` have come or a second has passed. */
  readonly output: (count: number) => Promise<readonly number[]>;
  readonly reset: () => Promise<void>;
  readonly exited: () => Promise<QemuExit>;
  readonly pins: () => PinLevels;
  /** Virtual time since power-on when the script starts. */
  readonly startTime: number;
  readonly close: () => void;
}

function withTimeout<T>(promise: Promise<T>, what: string): Promise<T> {
  const { promise: expired, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`QEMU: no answer to ${what} in ${COMMAND_TIMEOUT_MS} ms`)), COMMAND_TIMEOUT_MS);
  return Promise.race([promise, expired]).finally(() => clearTimeout(timer));
}

async function connectTo(path: string): Promise<Socket> {
  // QEMU makes its sockets before it answers the first qtest command, so a refusal here is final.
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = connect(path);
  socket.once("connect", () => resolve(socket));
  socket.on("error", reject);
  return promise;
}

/** QMP: one JSON object a line, a greeting first, events in between. */
function makeQmp(socket: Socket, onShutdown: (reason: string) => void): (command: string, args?: object) => Promise<unknown> {
  const waiters: { resolve(value: unknown): void; reject(error: Error): void }[] = [];
  const fail = (error: Error): void => {
    for (const waiter of waiters.splice(0)) waiter.reject(error);
  };
  // A QEMU that exits resets the connection; only a command that still waits has lost something by it.
  socket.on("close", () => fail(new Error("QMP: the connection is closed")));
  const lines = createInterface({ input: socket });
  lines.on("error", fail);
  lines.on("line", (line) => {
    const message = JSON.parse(line) as {
      return?: unknown;
      error?: { desc: string };
      event?: string;
      data?: { reason?: string };
    };
    if (message.event === "SHUTDOWN") onShutdown(message.data?.reason ?? "");
    if (message.error !== undefined) waiters.shift()?.reject(new Error(`QMP: ${message.error.desc}`));
    else if ("return" in message) waiters.shift()?.resolve(message.return);
  });
  return (command, args = {}) => {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    waiters.push({ resolve, reject });
    socket.write(`${JSON.stringify({ execute: command, arguments: args })}\n`);
    return withTimeout(promise, command);
  };
}

async function start(script: QtestScript, nops: number): Promise<Qemu> {
  const directory = mkdtempSync(join(tmpdir(), "guestspec-qtest-"));
  const qmpPath = join(directory, "qmp");
  const consolePath = join(directory, "console");
  const usesConsole = script.steps.some(({ kind }) => kind === "send" || kind === "output");
  const machine = ["-M", "virt", "-smp", String(HARTS), "-m", "16M", "-bios", "none", "-display", "none", "-nodefaults"];
  const time = ["-S", "-icount", "shift=0,sleep=off", "-rtc", "base=2020-01-01T00:00:00,clock=vm"];
  const control = ["-qtest", "stdio", "-qtest-log", "none", "-qmp", `unix:${qmpPath},server=on,wait=off`];
  const serial = ["-chardev", `socket,id=console,path=${consolePath},server=on,wait=off`, "-serial", "chardev:console"];
  const child: ChildProcessWithoutNullStreams = spawn(QEMU, [...machine, ...time, ...control, ...(usesConsole ? serial : []), ...(script.qemuArguments ?? [])]);

  const waiters: Waiter[] = [];
  let pins: PinLevels = new Map();
  const received: number[] = [];
  const diagnostics: string[] = [];
  let shutdownReason: string | null = null;
  const exit = Promise.withResolvers<number | null>();
  const sockets: Socket[] = [];

  child.stderr.setEncoding("utf8").on("data", (text: string) => diagnostics.push(text));
  // A write into a QEMU that has just exited is told by `close` below.
  child.stdin.on("error", () => {});
  child.on("close", (code) => {
    exit.resolve(code);
    for (const waiter of waiters.splice(0)) waiter.reject(new Error(`QEMU has exited with status ${code}: ${diagnostics.join("").trim().slice(0, 400)}`));
    rmSync(directory, { recursive: true, force: true });
  });
  createInterface({ input: child.stdout }).on("line", (line) => {
    const moved = /^IRQ (raise|lower) (\d+)$/.exec(line);
    if (moved !== null) pins = new Map(pins).set(Number(moved[2]), moved[1] === "raise");
    else answered(line);
  });

  function answered(line: string): void {
    const waiter = waiters[0];
    if (waiter === undefined) return;
    const [verdict, value] = line.split(" ");
    if (verdict !== "OK") waiter.reject(new Error(`qtest: ${waiter.commands[waiter.answers.length]}: ${line}`));
    waiter.answers.push({ value: verdict === "OK" && value !== undefined ? BigInt(value) : null, pins });
    if (waiter.answers.length < waiter.commands.length) return;
    waiters.shift();
    waiter.resolve(waiter.answers);
  }

  /** One promise for all commands: Node's test runner watches each, which takes longer than the command. */
  async function ask(commands: readonly string[]): Promise<readonly Answer[]> {
    const { promise, resolve, reject } = Promise.withResolvers<readonly Answer[]>();
    waiters.push({ commands, answers: [], resolve, reject });
    child.stdin.write(commands.map((command) => `${command}\n`).join(""));
    return withTimeout(promise, commands[0] ?? "");
  }

  const close = (): void => {
    for (const socket of sockets) socket.destroy();
    child.kill("SIGKILL");
  };

  try {
    const read = async (address: bigint, width: Width): Promise<bigint> => {
      const [answer] = await ask([accessCommand({ kind: "read", address, width })]);
      return answer?.value ?? 0n;
    };
    const write = (address: bigint, width: Width, value: bigint): Promise<unknown> => ask([accessCommand({ kind: "write", address, width, value })]);

    await read(0n, 4);
    const qmpSocket = await connectTo(qmpPath);
    sockets.push(qmpSocket);
    const qmp = makeQmp(qmpSocket, (reason) => (shutdownReason = reason));
    const qmpClosed = new Promise<void>((resolve) => qmpSocket.once("close", () => resolve()));
    await qmp("qmp_capabilities");
    const console_ = usesConsole ? await connectTo(consolePath) : null;
    if (console_ !== null) {
      sockets.push(console_);
      console_.on("data", (bytes) => received.push(...bytes));
    }

    /** Lets QEMU's main loop turn: it takes in what waits on its sockets. */
    async function turn(): Promise<void> {
      for (let i = 0; i < 3; i++) await qmp("query-status");
    }

    /** One register of every hart, from QEMU's monitor. */
    async function hartRegisters(name: string): Promise<readonly number[]> {
      const text = await qmp("human-monitor-command", { "command-line": "info registers -a" });
      const pattern = new RegExp(`^ ${name} +([0-9a-f]+)`, "gm");
      return [...String(text).matchAll(pattern)].map(([, digits]) => Number.parseInt(digits ?? "", 16));
    }

    async function waitFor(what: string, holds: () => Promise<boolean>): Promise<void> {
      const deadline = performance.now() + COMMAND_TIMEOUT_MS;
      while (!(await holds())) {
        if (performance.now() > deadline) throw new Error(`QEMU: ${what}: not in ${COMMAND_TIMEOUT_MS} ms`);
        await sleep(POLL_MS);
      }
    }

    /** True when the timer of the last hart has fired, and with it every earlier one. */
    async function helperFired(): Promise<boolean> {
      if (intercepted === "mtimer") return pins.get(HARTS - 1) === true;
      const mip = (await hartRegisters("mip"))[HARTS - 1] ?? 0;
      return (mip & MIP_MTIP) !== 0;
    }

    // QEMU intercepts the pins of one device. Where the script does not care, those of the timers tell when time has passed.
    const intercepted = script.watch ?? "mtimer";

    const { words, idlePc } = idleProgram(nops);
    const program = Buffer.from(Uint32Array.from(words).buffer);
    await ask([`write 0x${RAM.toString(16)} 0x${program.length.toString(16)} 0x${program.toString("hex")}`]);
    await qmp("cont");
    await waitFor("harts idle", async () => (await hartRegisters("pc")).every((pc) => pc === idlePc));
    await qmp("stop");
    const startTime = Number((await read(BigInt(RTC), 4)) - (EPOCH_NANOSECONDS & 0xffff_ffffn));

    let plicPath = "";
    let watchedPath = "";
    const children = (await qmp("qom-list", { path: "/machine/unattached" })) as readonly {
      name: string;
      type: string;
    }[];
    for (const { name, type } of children) {
      const path = `/machine/unattached/${name}`;
      if (type === `child<${WATCHED_TYPES.plic}>`) plicPath = path;
      if (type === `child<${WATCHED_TYPES[intercepted]}>`) watchedPath = path;
    }
    await ask([`irq_intercept_out ${watchedPath}`]);

    return {
      async access(steps) {
        const answers = await ask(steps.map(accessCommand));
        if (console_ !== null) await turn();
        return answers;
      },
      read,
      async pass(nanoseconds) {
        const target = (await read(MTIME, 8)) + BigInt(nanoseconds / NANOSECONDS_PER_COUNT);
        await write(HELPER_MTIMECMP, 8, target);
        await qmp("cont");
        await waitFor(`mtime ${target}`, helperFired);
        await qmp("stop");
        await write(HELPER_MTIMECMP, 8, 0n);
        const reached = await read(MTIME, 8);
        if (reached !== target) {
          throw new OvershootError(`QEMU went on to ${reached} when ${target} was asked: a later timer was pending`);
        }
      },
      async settle(count) {
        await qmp("cont");
        await waitFor(`mtime ${count}`, async () => (await read(MTIME, 8)) >= count);
        await sleep(SETTLE_MS);
        await turn();
        await qmp("stop");
      },
      async drivePlic(source, level) {
        await ask([`set_irq_in ${plicPath} unnamed-gpio-in ${source} ${level ? 1 : 0}`]);
      },
      async send(bytes) {
        const { promise, resolve } = Promise.withResolvers<void>();
        if (console_ === null) throw new Error("the script has no console");
        console_.write(bytes, () => resolve());
        await promise;
        await turn();
      },
      async output(count) {
        await turn();
        for (let i = 0; i < 100 && received.length < count; i++) await sleep(10);
        return received;
      },
      async reset() {
        await qmp("system_reset");
        await turn();
      },
      async exited() {
        // The reason comes as an event over QMP: wait for the last of those too.
        const [code] = await withTimeout(Promise.all([exit.promise, qmpClosed]), "the exit");
        return { code, reason: shutdownReason };
      },
      pins: () => pins,
      startTime,
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

async function calibrate(): Promise<number> {
  const probe = await start({ name: "calibration", steps: [] }, 0);
  probe.close();
  return (NANOSECONDS_PER_COUNT - (probe.startTime % NANOSECONDS_PER_COUNT)) % NANOSECONDS_PER_COUNT;
}

/** Starts QEMU for a script, idle and stopped at a virtual time that is a multiple of 100 ns. */
export async function startQemu(script: QtestScript): Promise<Qemu> {
  calibration ??= calibrate();
  const calibratedNops = await calibration;
  const qemu = await start(script, calibratedNops);
  if (qemu.startTime % NANOSECONDS_PER_COUNT !== 0) {
    qemu.close();
    throw new Error(`QEMU idles at ${qemu.startTime} ns; ${calibratedNops} NOPs should have made that a multiple of 100`);
  }
  return qemu;
}
