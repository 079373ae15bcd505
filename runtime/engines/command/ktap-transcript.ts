// The diagnostics of a KTAP result as the transcript that frames would have given, so that the same judge tells the same story. A line
// `file:line:col: text` is a check of the manifest, lines `  operand = value` behind it are its values. What KTAP does not carry
// (counts of checks, CPUs, accesses of traps) stays unknown.

import type { Manifest, Site } from "../../../compiler/images/manifest.ts";
import type { FailedCheck } from "../failure.ts";
import type { Transcript, TranscriptEvent } from "../transcript.ts";
import type { SlotValue } from "../values.ts";

export interface KtapStory {
  readonly transcript: Transcript;
  /** What was told without a failure: infos, and the reason of a skip. */
  readonly remarks: readonly string[];
}

const SITE = /^(.+?):(\d+):(\d+): (.*)$/;
const TRAP = /^unexpected trap: class (\d+), pc 0x([0-9a-f]+), address 0x([0-9a-f]+)$/;
const NUMBER = /^0x[0-9a-f]{1,16}$/;
const BYTES = /^(?:[0-9a-f]{2})*$/;
/** Indented lines belong to the one before. */
const MORE = "  ";

function findSite({ sites, files }: Manifest, diagnostic: string): number {
  const [, path = "", line, column, text] = SITE.exec(diagnostic) ?? [];
  if (text === undefined) return -1;
  return sites.findIndex((site) => site.line === Number(line) && site.column === Number(column) && site.text === text && files[site.file] === path);
}

function readValue(text: string): SlotValue | null {
  if (NUMBER.test(text)) return { kind: "number", value: BigInt(text) };
  return BYTES.test(text) ? { kind: "memory", length: text.length / 2, bytes: Uint8Array.from(Buffer.from(text, "hex")) } : null;
}

/** The operand that a line tells of: the first of its name that has no value yet. */
function readOperand(site: Site | undefined, known: ReadonlyMap<number, SlotValue>, line: string): { readonly slot: number; readonly value: SlotValue } | null {
  for (const [slot, { text }] of site?.operands.entries() ?? []) {
    if (known.has(slot) || !line.startsWith(`${text} = `)) continue;
    const value = readValue(line.slice(text.length + 3));
    if (value !== null) return { slot, value };
  }
  return null;
}

/** `isEnded`: the result came. */
export function readKtapStory(manifest: Manifest, diagnostics: readonly string[], isEnded: boolean): KtapStory {
  const events: TranscriptEvent[] = [];
  const remarks: string[] = [];
  let check: (FailedCheck & { readonly values: Map<number, SlotValue>; message: string | null }) | null = null;
  for (const line of diagnostics) {
    const site = findSite(manifest, line);
    const trap = TRAP.exec(line);
    if (site >= 0) {
      check = { site, cpu: 0, values: new Map(), came: null, message: null, stack: null };
      events.push({ kind: "check", phase: "body", check });
    } else if (trap !== null) {
      const [, klass, pc, address] = trap;
      check = null;
      events.push({
        kind: "trap",
        phase: "body",
        cpu: 0,
        stack: null,
        trap: { class: Number(klass), pc: BigInt(`0x${pc}`), address: BigInt(`0x${address}`), access: 0, width: 0, value: 0n },
      });
    } else if (line.startsWith(MORE) && check !== null) {
      const operand = readOperand(manifest.sites[check.site], check.values, line.slice(MORE.length));
      if (operand !== null) check.values.set(operand.slot, operand.value);
      else if (line !== "  no trap came") check.message = line.slice(MORE.length);
    } else {
      remarks.push(line.trimStart());
    }
  }
  return { transcript: { events, skip: null, infos: [], phase: "body", leftRunning: [], checks: isEnded ? 0 : null }, remarks };
}
