// What GDB can ask of a guest, packet by packet: registers, memory, breakpoints, threads (one for each CPU, numbered from 1), and in which
// way to go on. Answers are text; going on is left to gdb-server.ts, which has the connection. An empty answer says that a packet is not
// known, which GDB takes as it is. Memory is RAM alone: a debugger that looks at a device would change it.
// Manual: Debugging with GDB, appendix E, "Packets", "Stop Reply Packets", "General Query Packets".

import type { Watchpoint } from "../machine/processor.ts";
import type { Guest } from "../exec/guest.ts";
import { escapeBinary, unescapeBinary } from "./gdb-packets.ts";
import type { DebugFeature, DebugRegister } from "./riscv-registers.ts";

export type GdbAnswer =
  | { readonly kind: "reply"; readonly text: string }
  /** Reply, and no acknowledgements from then on. */
  | { readonly kind: "no-acknowledgements" }
  | { readonly kind: "continue" }
  | { readonly kind: "step"; readonly cpu: number }
  /** The guest goes on without us. */
  | { readonly kind: "detach" }
  | { readonly kind: "kill" };

export interface GdbCommands {
  readonly answer: (packet: string) => GdbAnswer;
  /** The CPU that the next commands are about: the one that stopped. */
  readonly select: (cpu: number) => void;
  readonly selected: () => number;
}

const reply = (text: string): GdbAnswer => ({ kind: "reply", text });
const OK = reply("OK");
const UNKNOWN = reply("");
/** EFAULT and EINVAL, as GDB's own stubs number errors. */
const BAD_ADDRESS = reply("E0e");
const BAD_REQUEST = reply("E16");

const PACKET_SIZE = 0x4000;
const PAGE = 0x1000n;
const ALL_THREADS = "-1";

const toHex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

function fromHex(text: string): Uint8Array | null {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text)) return null;
  return Uint8Array.from({ length: text.length / 2 }, (_, index) => Number.parseInt(text.slice(2 * index, 2 * index + 2), 16));
}

const fromText = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

/** Little-endian, as the target's memory. */
function wordToHex(value: bigint, bits: 32 | 64): string {
  const bytes = new DataView(new ArrayBuffer(8));
  bytes.setBigUint64(0, BigInt.asUintN(64, value), true);
  return toHex(new Uint8Array(bytes.buffer, 0, bits / 8));
}

function wordFromHex(text: string): bigint | null {
  const bytes = fromHex(text);
  if (bytes === null || bytes.length > 8) return null;
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

/** `ADDRESS,LENGTH`, both in hexadecimal. */
function readRange(text: string): { readonly address: bigint; readonly length: number } | null {
  const match = /^([0-9a-f]{1,16}),([0-9a-f]{1,8})$/i.exec(text);
  return match === null ? null : { address: BigInt(`0x${match[1]}`), length: Number.parseInt(match[2] ?? "", 16) };
}

function describeTarget(architecture: string, features: readonly DebugFeature[]): string {
  let number = 0;
  const parts = features.map(({ name, registers }) => {
    const rows = registers.map((register) => `<reg name="${register.name}" bitsize="${register.bits}" type="${register.type}" regnum="${number++}"/>`);
    return `<feature name="${name}">${rows.join("")}</feature>`;
  });
  return `<?xml version="1.0"?><!DOCTYPE target SYSTEM "gdb-target.dtd"><target><architecture>${architecture}</architecture>${parts.join("")}</target>`;
}

/** The access that each kind of watchpoint packet watches. */
const WATCH_KINDS: Readonly<Record<string, Watchpoint["access"]>> = { 2: "write", 3: "read", 4: "both" };

/** Words behind GDB's `monitor`: each does something and says what. */
export type MonitorCommands = Readonly<Record<string, () => string>>;

export function createGdbCommands(guest: Guest, architecture: string, features: readonly DebugFeature[], others: MonitorCommands = {}): GdbCommands {
  const { machine, processor } = guest;
  const monitor: MonitorCommands = {
    reset() {
      guest.restart();
      return "started again; the CPUs are at their first instructions";
    },
    ...others,
  };
  const registers: readonly DebugRegister[] = features.flatMap(({ registers: ofFeature }) => ofFeature);
  /** What `g` holds: integer registers and pc. GDB asks for the others one by one. */
  const general = features[0]?.registers ?? [];
  const description = describeTarget(architecture, features);
  const breakpoints = new Set<bigint>();
  const watchpoints = new Map<string, Watchpoint>();
  let current = 0;

  const cpuOfThread = (text: string): number | null => {
    const thread = Number.parseInt(text, 16);
    return thread >= 1 && thread <= processor.cpuCount ? thread - 1 : null;
  };

  /** Page by page, because neighbours in the guest's memory need not be neighbours in RAM. */
  function forPages(address: bigint, length: number, act: (physical: bigint, at: number, size: number) => boolean): number {
    let done = 0;
    while (done < length) {
      const virtual = BigInt.asUintN(64, address + BigInt(done));
      const size = Math.min(length - done, Number(PAGE - (virtual % PAGE)));
      const physical = processor.translate(current, virtual);
      if (physical === null || !act(physical, done, size)) break;
      done += size;
    }
    return done;
  }

  function readMemory(text: string): GdbAnswer {
    const range = readRange(text);
    if (range === null) return BAD_REQUEST;
    const bytes = new Uint8Array(Math.min(range.length, PACKET_SIZE / 2));
    const done = forPages(range.address, bytes.length, (physical, at, size) => {
      const part = machine.readMemory(physical, size);
      if (part !== null) bytes.set(part, at);
      return part !== null;
    });
    return done === 0 && range.length > 0 ? BAD_ADDRESS : reply(toHex(bytes.subarray(0, done)));
  }

  function writeMemory(rangeText: string, bytes: Uint8Array | null): GdbAnswer {
    const range = readRange(rangeText);
    if (range === null || bytes === null || bytes.length !== range.length) return BAD_REQUEST;
    const done = forPages(range.address, bytes.length, (physical, at, size) => machine.writeMemory(physical, bytes.subarray(at, at + size)));
    processor.invalidateCode();
    return done === bytes.length ? OK : BAD_ADDRESS;
  }

  function readRegister(number: number): string | null {
    const register = registers[number];
    return register === undefined ? null : wordToHex(processor.readRegister(current, register.source), register.bits);
  }

  function writeRegister(number: number, text: string): boolean {
    const register = registers[number];
    const value = wordFromHex(text);
    if (register === undefined || value === null) return false;
    processor.writeRegister(current, register.source, value);
    return true;
  }

  function writeAll(text: string): GdbAnswer {
    let at = 0;
    for (const [number, { bits }] of general.entries()) {
      const digits = text.slice(at, at + bits / 4);
      at += bits / 4;
      // The zero register is among them, and takes what it likes.
      if (digits.length === bits / 4 && !writeRegister(number, digits)) return BAD_REQUEST;
    }
    return OK;
  }

  /** `Z0,addr,kind` and the like; `isSet` for Z, not for z. */
  function changeStop(text: string, isSet: boolean): GdbAnswer {
    const [kind = "", address = "", length = ""] = text.split(/[,;]/);
    if (!/^[0-9a-f]{1,16}$/i.test(address)) return BAD_REQUEST;
    const at = BigInt(`0x${address}`);
    if (kind === "0" || kind === "1") {
      if (isSet) breakpoints.add(at);
      else breakpoints.delete(at);
      guest.setBreakpoints([...breakpoints]);
      return OK;
    }
    const access = WATCH_KINDS[kind];
    if (access === undefined) return UNKNOWN;
    const key = `${kind} ${address}`;
    if (isSet) watchpoints.set(key, { address: at, length: Number.parseInt(length, 16) || 1, access });
    else watchpoints.delete(key);
    processor.setWatchpoints([...watchpoints.values()]);
    return OK;
  }

  /** A part of a long text: `m` and more to come, or `l` and the last of it. */
  function part(text: string, rangeText: string): GdbAnswer {
    const [offset = 0, length = 0] = rangeText.split(",").map((number) => Number.parseInt(number, 16));
    const piece = text.slice(offset, offset + Math.min(length, PACKET_SIZE / 2));
    return reply((offset + piece.length < text.length ? "m" : "l") + escapeBinary(piece));
  }

  /** `monitor WORD`. */
  function command(text: string): GdbAnswer {
    const say = (words: string): GdbAnswer => reply(toHex(fromText(`${words}\n`)));
    const known = monitor[text];
    if (known !== undefined) return say(known());
    const words = `there is: ${Object.keys(monitor).join(", ")}`;
    return say(text === "" || text === "help" ? words : `no command ${text}; ${words}`);
  }

  function query(text: string): GdbAnswer {
    const [name = "", ...rest] = text.split(":");
    switch (name) {
      case "Supported":
        return reply(`PacketSize=${PACKET_SIZE.toString(16)};QStartNoAckMode+;qXfer:features:read+;vContSupported+`);
      case "C":
        return reply(`QC${(current + 1).toString(16)}`);
      case "fThreadInfo":
        return reply(`m${Array.from({ length: processor.cpuCount }, (_, cpu) => (cpu + 1).toString(16)).join(",")}`);
      case "sThreadInfo":
        return reply("l");
      case "Attached":
        return reply("1");
      case "Xfer":
        return rest[0] === "features" && rest[1] === "read" && rest[2] === "target.xml" ? part(description, rest[3] ?? "") : UNKNOWN;
      default:
        break;
    }
    const [verb = "", argument = ""] = text.split(",");
    if (verb === "ThreadExtraInfo") {
      const cpu = cpuOfThread(argument);
      return cpu === null ? BAD_REQUEST : reply(toHex(fromText(`CPU ${cpu}, ${processor.cpuState(cpu)}`)));
    }
    return verb === "Rcmd" ? command(new TextDecoder().decode(fromHex(argument) ?? new Uint8Array())) : UNKNOWN;
  }

  /** `vCont;s:2;c`: a step of one CPU, in which the others stand still, or all of them on. */
  function resume(text: string): GdbAnswer {
    if (text === "?") return reply("vCont;c;C;s;S");
    for (const action of text.split(";").slice(1)) {
      const [verb = "", thread] = action.split(":");
      if (!/^[sS]/.test(verb)) continue;
      const cpu = thread === undefined || thread === ALL_THREADS ? current : cpuOfThread(thread);
      return cpu === null ? BAD_REQUEST : { kind: "step", cpu };
    }
    return { kind: "continue" };
  }

  function selectThread(text: string): GdbAnswer {
    const thread = text.slice(1);
    if (thread === "0" || thread === ALL_THREADS) return OK;
    const cpu = cpuOfThread(thread);
    if (cpu === null) return BAD_REQUEST;
    current = cpu;
    return OK;
  }

  /** Packets by their first letter; what follows it is the argument. */
  const packets: Readonly<Record<string, (text: string) => GdbAnswer>> = {
    "?": () => reply(`T05thread:${(current + 1).toString(16)};`),
    g: () => reply(general.map((_register, number) => readRegister(number) ?? "").join("")),
    G: writeAll,
    p(text) {
      const value = readRegister(Number.parseInt(text, 16));
      return value === null ? BAD_REQUEST : reply(value);
    },
    P(text) {
      const [number = "", value = ""] = text.split("=");
      return writeRegister(Number.parseInt(number, 16), value) ? OK : BAD_REQUEST;
    },
    m: readMemory,
    M(text) {
      const [range = "", digits = ""] = text.split(":");
      return writeMemory(range, fromHex(digits));
    },
    X(text) {
      const colon = text.indexOf(":");
      return writeMemory(text.slice(0, colon), fromText(unescapeBinary(text.slice(colon + 1))));
    },
    Z: (text) => changeStop(text, true),
    z: (text) => changeStop(text, false),
    H: selectThread,
    T: (text) => (cpuOfThread(text) === null ? BAD_REQUEST : OK),
    q: query,
    Q: (text) => (text === "StartNoAckMode" ? { kind: "no-acknowledgements" } : UNKNOWN),
    v: (text) => (text.startsWith("Cont") ? resume(text.slice("Cont".length)) : UNKNOWN),
    c: () => ({ kind: "continue" }),
    s: () => ({ kind: "step", cpu: current }),
    D: () => ({ kind: "detach" }),
    k: () => ({ kind: "kill" }),
  };

  return {
    answer: (packet) => packets[packet[0] ?? ""]?.(packet.slice(1)) ?? UNKNOWN,
    select: (cpu) => void (current = cpu),
    selected: () => current,
  };
}
