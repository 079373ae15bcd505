// The report frames that a guest writes on its console when a host runs it: the guest's half is lib/report.gspec. A frame is
//   RS (0x1e)  verb and arguments  `*`  two hex digits: the xor of all bytes between RS and `*`  LF
// so that a guest which prints garbage cannot print a result. Numbers are hexadecimal without prefix. The host knows by the
// manifest what a site and its operands are; the guest sends numbers and bytes only. Everything outside frames is console text.

import type { GuestStack } from "../machine/cpu-contract.ts";

/** One frame, read. A `stack` is what a machine in this process knows when the frame comes: the guest does not send it. */
export type Frame =
  /** `p n`: phase n begins (index into PHASES). */
  | { readonly verb: "phase"; readonly phase: Phase }
  /** `f site cpu`: a check at the site failed; `calls`, `value`, `bytes`, `came` and `message` frames that follow belong to it. */
  | { readonly verb: "failed"; readonly site: number; readonly cpu: number; readonly stack?: GuestStack }
  /** `v slot value` */
  | { readonly verb: "value"; readonly slot: number; readonly value: bigint }
  /** `w slot length bytes`: memory of an operand, at most 256 of `length` bytes. */
  | { readonly verb: "bytes"; readonly slot: number; readonly length: number; readonly bytes: Uint8Array }
  /** `m text`: escapes \\ \n \xNN. */
  | { readonly verb: "message"; readonly text: string }
  /** `s site` / `i site`, each followed by a message. */
  | { readonly verb: "skip"; readonly site: number }
  | { readonly verb: "info"; readonly site: number }
  /** `n site`, followed by a message: a `warn` that nobody expected and that fails nothing. */
  | { readonly verb: "warning"; readonly site: number }
  /** `r class pc address access width value`: the trap that came where `expect trap` wanted another; class 0: none came. */
  | { readonly verb: "came"; readonly trap: FrameTrap }
  /** `t class pc address access width value cpu`: an unexpected trap ended the phase. */
  | { readonly verb: "trap"; readonly trap: FrameTrap; readonly cpu: number; readonly stack?: GuestStack; readonly others?: readonly GuestStack[] }
  /** `c start (distance value)*`: words of the stack from `start` on that may be return addresses, of what the failure or trap before tells. */
  | { readonly verb: "calls"; readonly words: StackWords }
  /** `o cpu`: its `cpu` block had not ended when the test did, because of a failure or of its limit. */
  | { readonly verb: "left-running"; readonly cpu: number }
  /** `a`: an assert ended the phase. */
  | { readonly verb: "aborted" }
  /** `e checks`: the case is over, cleanup included. A case without it crashed or hung. */
  | { readonly verb: "end"; readonly checks: number };

const PHASES = ["setup", "body", "teardown", "cleanup", "suite setup", "suite teardown", "table setup", "table teardown"] as const;
export type Phase = (typeof PHASES)[number];

/** What a guest of machine code has on its stack: the host knows the functions' frames (unwind.ts). */
export interface StackWords {
  /** Where the first of them was looked for. */
  readonly start: number;
  /** By address: the offset in the image of what the word there points to. */
  readonly words: ReadonlyMap<number, number>;
}

/** Numbers as in isa/bytecode: class indexes TRAP_CLASSES, access 0 none 1 read 2 write 3 execute. */
export interface FrameTrap {
  readonly class: number;
  /** The target's own number of it, where it has one. In a frame both are one number: class, and this plus one above bit 7. */
  readonly exception?: number;
  readonly pc: bigint;
  readonly address: bigint;
  readonly access: number;
  readonly width: number;
  readonly value: bigint;
}

/** Reads a guest's console as it comes. Frames and text are kept apart, each in the order in which they were written. */
export interface FrameReader {
  push(bytes: Uint8Array): void;
  /** Frames and text so far; a half-written frame is text when `isEnd`. Empties the reader. */
  take(isEnd?: boolean): { readonly frames: readonly Frame[]; readonly text: Uint8Array };
}

const RS = 0x1e;
const LF = 0x0a;
/** A `w` frame of 256 bytes has 540; messages are cut by the guest at 4 KiB and an escape takes four. */
const MAX_FRAME = 20_000;
const MAX_BYTES = 256;

const HEX = /^[0-9a-f]{1,16}$/i;
const decoder = new TextDecoder("utf-8");
const NOTHING = new Uint8Array();

/** Exactly `count` numbers, or null. */
export function numbers(args: string, count: number): readonly bigint[] | null {
  const parts = args === "" ? [] : args.split(" ");
  if (parts.length !== count) return null;
  const found: bigint[] = [];
  for (const part of parts) {
    const low = halfNumber(part, Math.max(part.length - HALF_DIGITS, 0), part.length);
    const high = part.length > HALF_DIGITS ? halfNumber(part, 0, part.length - HALF_DIGITS) : 0;
    if (part === "" || low < 0 || high < 0) return null;
    found.push(high === 0 ? BigInt(low) : (BigInt(high) << 32n) | BigInt(low));
  }
  return found;
}

/** Digits of 32 bits. */
const HALF_DIGITS = 8;

/** Of the digits from `start` to `end`; -1 if they are none, or too many. Each test that passes sends such numbers: a BigInt of text costs ten times as much. */
function halfNumber(text: string, start: number, end: number): number {
  if (end - start > HALF_DIGITS) return -1;
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = hexDigit(text.charCodeAt(at));
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

/** -1 for what does not fit into 32 bits. */
export function small(value: bigint | undefined): number {
  return value === undefined || value > 0xffff_ffffn ? -1 : Number(value);
}

export function readTrap(values: readonly bigint[]): FrameTrap | null {
  const [klass, pc = 0n, address = 0n, access, width, value = 0n] = values;
  const numbers = small(klass);
  const trap = { class: numbers & 0xff, pc, address, access: small(access), width: small(width), value };
  if (numbers < 0 || trap.access < 0 || trap.access > 3 || trap.width < 0) return null;
  return numbers > 0xff ? { ...trap, exception: (numbers >>> 8) - 1 } : trap;
}

function readBytes(args: string): Frame | null {
  const match = /^([0-9a-f]{1,8}) ([0-9a-f]{1,16})(?: ((?:[0-9a-f]{2})*))?$/i.exec(args);
  if (match === null) return null;
  const [, slot = "", length = "", digits = ""] = match;
  const bytes = Uint8Array.from({ length: digits.length / 2 }, (_, index) => parseInt(digits.slice(2 * index, 2 * index + 2), 16));
  const size = Number(BigInt(`0x${length}`));
  if (bytes.length > MAX_BYTES || bytes.length > size) return null;
  return { verb: "bytes", slot: parseInt(slot, 16), length: size, bytes };
}

/** Undoes the guest's escapes. Bytes, because an escaped message may be cut inside a UTF-8 sequence. */
export function unescape(bytes: Uint8Array): string | null {
  const out = new Uint8Array(bytes.length);
  let length = 0;
  for (let at = 0; at < bytes.length; at++) {
    let byte = bytes[at] ?? 0;
    if (byte === 0x5c) {
      const next = bytes[++at];
      if (next === 0x6e) byte = LF;
      else if (next === 0x78) {
        const digits = String.fromCharCode(bytes[at + 1] ?? 0, bytes[at + 2] ?? 0);
        if (!/^[0-9a-f]{2}$/i.test(digits)) return null;
        byte = parseInt(digits, 16);
        at += 2;
      } else if (next !== 0x5c) return null;
    }
    out[length++] = byte;
  }
  return decoder.decode(out.subarray(0, length));
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/** The one number behind the verb of the first `length` bytes; -1 for none, for more, and for what does not fit into 32 bits. */
function onlyNumber(content: Uint8Array, length: number): number {
  if (length < 3 || length > 18 || content[1] !== 0x20) return -1;
  let value = 0;
  for (let at = 2; at < length; at++) {
    const digit = hexDigit(content[at] ?? 0);
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value > 0xffff_ffff ? -1 : value;
}

/** By the verb's character: each test that passes sends four of these and nothing else, so they are read without making texts of them. */
const VERBS_OF_ONE_NUMBER: ReadonlyMap<number, (value: number) => Frame | null> = new Map(
  Object.entries<(value: number) => Frame | null>({
    p(index) {
      const phase = PHASES[index];
      return phase === undefined ? null : { verb: "phase", phase };
    },
    s: (site) => ({ verb: "skip", site }),
    i: (site) => ({ verb: "info", site }),
    n: (site) => ({ verb: "warning", site }),
    o: (cpu) => ({ verb: "left-running", cpu }),
    e: (checks) => ({ verb: "end", checks }),
  }).map(([verb, make]) => [verb.charCodeAt(0), make]),
);

/** A stack has no more, whatever a guest says. */
const MAX_WORDS = 0x4000;

function readCalls(args: string): Frame | null {
  const [start, ...pairs] = args.split(" ").map((part) => (HEX.test(part) ? parseInt(part, 16) : NaN));
  if (start === undefined || [start, ...pairs].some(Number.isNaN) || pairs.length % 2 !== 0) return null;
  const words = new Map<number, number>();
  let at = start - 8;
  let last: readonly [distance: number, value: number] | null = null;
  for (let index = 0; index < pairs.length; index += 2) {
    const distance = pairs[index] ?? 0;
    const value = pairs[index + 1] ?? 0;
    if (distance === 0 && last === null) return null;
    const [step, word]: readonly [number, number] = distance === 0 && last !== null ? last : [distance, value];
    const times = distance === 0 ? value : 1;
    if (words.size + times > MAX_WORDS) return null;
    for (let time = 0; time < times; time++) words.set((at += 8 * step), word);
    last = [step, word];
  }
  return { verb: "calls", words: { start, words } };
}

/** The others but `m`, whose argument is not ASCII. */
const VERBS: ReadonlyMap<string, (args: string) => Frame | null> = new Map([
  [
    "f",
    (args) => {
      const [site, cpu] = (numbers(args, 2) ?? []).map(small);
      return site === undefined || cpu === undefined || site < 0 || cpu < 0 ? null : { verb: "failed", site, cpu };
    },
  ],
  [
    "v",
    (args) => {
      const [slot, value] = numbers(args, 2) ?? [];
      return slot === undefined || value === undefined || small(slot) < 0 ? null : { verb: "value", slot: small(slot), value };
    },
  ],
  ["w", readBytes],
  [
    "r",
    (args) => {
      const trap = readTrap(numbers(args, 6) ?? []);
      return trap === null ? null : { verb: "came", trap };
    },
  ],
  [
    "t",
    (args) => {
      const values = numbers(args, 7) ?? [];
      const trap = readTrap(values);
      const cpu = small(values[6]);
      return trap === null || cpu < 0 ? null : { verb: "trap", trap, cpu };
    },
  ],
  ["c", readCalls],
  ["a", (args): Frame | null => (args === "" ? { verb: "aborted" } : null)],
]);

/** How much of the first `length` bytes, which stand between RS and LF, is before the checksum; -1 if that is wrong. A `*` of the text itself is not the last one. */
function bodyLength(bytes: Uint8Array, length: number): number {
  const star = length - 3;
  if (star < 1 || bytes[star] !== 0x2a) return -1;
  const high = hexDigit(bytes[star + 1] ?? 0);
  const low = hexDigit(bytes[star + 2] ?? 0);
  if (high < 0 || low < 0) return -1;
  let sum = 0;
  for (let at = 0; at < star; at++) sum ^= bytes[at] ?? 0;
  return sum === high * 16 + low ? star : -1;
}

/** What stands between RS and LF without its checksum; null if that is wrong. */
export function frameBody(bytes: Uint8Array): Uint8Array | null {
  const length = bodyLength(bytes, bytes.length);
  return length < 0 ? null : bytes.subarray(0, length);
}

/** Reads the first `length` bytes, which stand between RS and LF; null if they are no frame. */
export function parseFrame(bytes: Uint8Array, length = bytes.length): Frame | null {
  const bodyEnd = bodyLength(bytes, length);
  if (bodyEnd < 0) return null;
  const make = VERBS_OF_ONE_NUMBER.get(bytes[0] ?? 0);
  if (make !== undefined) {
    const value = onlyNumber(bytes, bodyEnd);
    return value < 0 ? null : make(value);
  }
  const content = bytes.subarray(0, bodyEnd);
  if (content[0] === 0x6d && (content.length === 1 || content[1] === 0x20)) {
    const text = unescape(content.subarray(2));
    return text === null ? null : { verb: "message", text };
  }
  const body = String.fromCharCode(...content);
  const space = body.indexOf(" ");
  const read = VERBS.get(space < 0 ? body : body.slice(0, space));
  return read === undefined ? null : read(space < 0 ? "" : body.slice(space + 1));
}

/** The bytes of a frame with the checksum they need: what the guest's library writes. For tests and fake guests. */
export function encodeFrame(body: string): Uint8Array {
  const bytes = new TextEncoder().encode(body);
  const sum = bytes.reduce((total, byte) => total ^ byte, 0);
  return Uint8Array.from([RS, ...bytes, ...new TextEncoder().encode(`*${sum.toString(16).padStart(2, "0")}\n`)]);
}

/** `annotate`: adds what only the moment knows at which a frame is whole. `takeOther`: for a line that carries more than reports; says whether it knows a frame that is no report. What came before can be taken then. */
export function createFrameReader(takeOther: (bytes: Uint8Array) => boolean = () => false, annotate: (frame: Frame) => Frame = (frame) => frame): FrameReader {
  let frames: Frame[] = [];
  let text = new Uint8Array(256);
  let textLength = 0;
  /** Bytes since RS, RS not included; -1: outside a frame. */
  const pending = new Uint8Array(MAX_FRAME);
  let pendingLength = -1;

  function addText(bytes: Uint8Array): void {
    if (textLength + bytes.length > text.length) {
      const grown = new Uint8Array(Math.max(2 * text.length, textLength + bytes.length));
      grown.set(text.subarray(0, textLength));
      text = grown;
    }
    text.set(bytes, textLength);
    textLength += bytes.length;
  }

  /** What looked like a frame was none: it is what the guest printed. */
  function giveUp(): void {
    if (pendingLength < 0) return;
    addText(Uint8Array.of(RS));
    addText(pending.subarray(0, pendingLength));
    pendingLength = -1;
  }

  return {
    push(bytes) {
      let at = 0;
      while (at < bytes.length) {
        if (pendingLength < 0) {
          // A UART sends bytes one by one.
          if (bytes.length === 1 && bytes[0] === RS) {
            pendingLength = 0;
            return;
          }
          const start = bytes.indexOf(RS, at);
          addText(bytes.subarray(at, start < 0 ? bytes.length : start));
          if (start < 0) return;
          pendingLength = 0;
          at = start + 1;
          continue;
        }
        const byte = bytes[at++] ?? 0;
        if (byte === RS) {
          giveUp();
          pendingLength = 0;
        } else if (byte === LF) {
          const frame = parseFrame(pending, pendingLength);
          if (frame !== null) {
            frames.push(annotate(frame));
            pendingLength = -1;
          } else if (takeOther(pending.subarray(0, pendingLength))) {
            pendingLength = -1;
          } else {
            giveUp();
            addText(Uint8Array.of(LF));
          }
        } else {
          if (pendingLength === MAX_FRAME) {
            giveUp();
            addText(Uint8Array.of(byte));
          } else pending[pendingLength++] = byte;
        }
      }
    },
    take(isEnd = false) {
      if (isEnd) giveUp();
      const taken = { frames, text: textLength === 0 ? NOTHING : text.slice(0, textLength) };
      frames = [];
      textLength = 0;
      return taken;
    },
  };
}
