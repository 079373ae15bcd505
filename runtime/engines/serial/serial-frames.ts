// The frames with which a machine behind a serial line answers its host, beside those of reports: docs/native.md, section 8. They say
// where one call ends and the next begins, and how a machine comes up and goes down. Same form and checksum as all frames, so that
// a guest which prints garbage cannot end a call.

import { frameBody, numbers, readTrap, small, unescape, type FrameTrap } from "../frames.ts";

export const PROTOCOL_VERSION = 1;

export type SerialFrame =
  /** `b version cpus identity`: ready for lines. */
  | { readonly verb: "ready"; readonly version: number; readonly cpus: number; readonly identity: bigint }
  /** `z result ns` */
  | { readonly verb: "called"; readonly value: bigint; readonly ns: number }
  /** `k level` */
  | { readonly verb: "kept"; readonly level: number }
  /** `u class pc address access width value sp cpu` */
  | { readonly verb: "unhandled"; readonly trap: FrameTrap; readonly cpu: number }
  /** `d` with seven numbers of the second trap, seven of the first, and the CPU. */
  | { readonly verb: "double-fault"; readonly trap: FrameTrap; readonly first: FrameTrap; readonly cpu: number }
  /** `x text` */
  | { readonly verb: "gave-up"; readonly text: string };

/** class, pc, address, access, width, value, sp; the stack pointer is not told. */
const TRAP_FIELDS = 7;

const VERBS: ReadonlyMap<string, (args: string) => SerialFrame | null> = new Map<string, (args: string) => SerialFrame | null>([
  [
    "b",
    (args) => {
      const [version, cpus, identity] = numbers(args, 3) ?? [];
      if (identity === undefined || small(version) < 0 || small(cpus) < 0) return null;
      return { verb: "ready", version: small(version), cpus: small(cpus), identity };
    },
  ],
  [
    "z",
    (args) => {
      const [value, ns] = numbers(args, 2) ?? [];
      return value === undefined || ns === undefined ? null : { verb: "called", value, ns: Number(ns) };
    },
  ],
  [
    "k",
    (args) => {
      const level = small(numbers(args, 1)?.[0]);
      return level < 0 ? null : { verb: "kept", level };
    },
  ],
  [
    "u",
    (args) => {
      const values = numbers(args, TRAP_FIELDS + 1) ?? [];
      const trap = readTrap(values);
      const cpu = small(values[TRAP_FIELDS]);
      return trap === null || cpu < 0 ? null : { verb: "unhandled", trap, cpu };
    },
  ],
  [
    "d",
    (args) => {
      const values = numbers(args, 2 * TRAP_FIELDS + 1) ?? [];
      const trap = readTrap(values);
      const first = readTrap(values.slice(TRAP_FIELDS));
      const cpu = small(values[2 * TRAP_FIELDS]);
      return trap === null || first === null || cpu < 0 ? null : { verb: "double-fault", trap, first, cpu };
    },
  ],
]);

const X = 0x78;
const BLANK = 0x20;

/** Reads what stands between RS and LF; null if it is no such frame. */
export function parseSerialFrame(bytes: Uint8Array): SerialFrame | null {
  const content = frameBody(bytes);
  if (content === null) return null;
  if (content[0] === X && (content.length === 1 || content[1] === BLANK)) {
    const text = unescape(content.subarray(2));
    return text === null ? null : { verb: "gave-up", text };
  }
  let body = "";
  for (const byte of content) body += String.fromCharCode(byte);
  const space = body.indexOf(" ");
  return space < 0 ? null : (VERBS.get(body.slice(0, space))?.(body.slice(space + 1)) ?? null);
}
