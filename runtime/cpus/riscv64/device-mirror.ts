// Registers of devices that guests poll, as values beside the CPU's state, where generated code finds them (emit-mirror.ts): a read that
// changes nothing needs no device. Which reads these are the devices say (`Region.pureRead`); the machine counts what reaches devices,
// and before generated code goes on after that, the values here are asked for anew. Only a few registers are kept, those that were read
// several times lately, so that asking costs nanoseconds.

import type { Width } from "../../devices/device.ts";
import type { MachineCore } from "../../machine/cpu-contract.ts";
import { emptyMirrorAddress, MIRROR, mirrorEntry } from "./state.ts";

export interface DeviceMirror {
  /** A device was read the long way. */
  readonly note: (address: number, width: Width) => void;
  /** Makes all values what they are now. */
  readonly refresh: () => void;
  readonly clear: () => void;
}

/** Reads of a register until it is kept. */
const READS = 4;
const MAX_KEPT = 8;
/** How many times in a row a value is asked for that nobody takes; then the register waits until it is read the long way again. */
const CREDIT = 8;

interface Kept {
  readonly address: number;
  readonly width: Width;
  /** Offset in the state memory. */
  readonly entry: number;
  credit: number;
  /** As `Foreseen.device`, and what had reached it when it was asked last. */
  device: number;
  changes: number;
}

const NEVER_ASKED = -1;

export function createDeviceMirror(machine: MachineCore): DeviceMirror {
  const { memory, stateOffset } = machine.memory;
  const doubles = new Float64Array(memory.buffer, stateOffset, MIRROR.end / 8);
  const longs = new BigInt64Array(memory.buffer, stateOffset, MIRROR.end / 8);
  const words = new Int32Array(memory.buffer, stateOffset, MIRROR.end / 4);
  /** The oldest first. */
  const kept: Kept[] = [];
  // By the place of an entry: what is kept there, and what was read last that would go there.
  const keptAt: (Kept | null)[] = new Array<Kept | null>(MIRROR.entries).fill(null);
  const lastRead = new Float64Array(MIRROR.entries);
  const reads = new Uint8Array(MIRROR.entries);
  const seen = { changes: -1 };

  const indexOf = (entry: number): number => (entry - MIRROR.start) / MIRROR.entryBytes;

  function setLong(at: number, value: number): void {
    words[at >>> 2] = value;
    words[(at >>> 2) + 1] = Math.floor(value / 0x1_0000_0000);
  }

  function empty(entry: number): void {
    setLong(entry + MIRROR.address, emptyMirrorAddress(entry));
  }

  /** Leaves the entry empty if the read would change something, as things are. */
  function fill(one: Kept): void {
    const { address, width, entry } = one;
    const found = machine.bus.foresee(address, width);
    one.device = found?.device ?? -1;
    one.changes = one.device < 0 ? NEVER_ASKED : machine.changesOf(one.device);
    if (found === null) {
      empty(entry);
      return;
    }
    const { kind, value, what, offset } = found;
    const at = entry + MIRROR.value;
    if (kind !== "constant") longs[at >>> 3] = width === 4 ? 0xffff_ffffn : -1n;
    else if (typeof value === "bigint") longs[at >>> 3] = value;
    else setLong(at, value);
    words[(entry + MIRROR.shift) >>> 2] = kind === "constant" ? -1 : kind === "counter" ? 0 : 32;
    doubles[(entry + MIRROR.offset) >>> 3] = offset;
    words[(entry + MIRROR.what) >>> 2] = what;
    words[(entry + MIRROR.isUsed) >>> 2] = 0;
    setLong(entry + MIRROR.address, address);
  }

  function forget(one: Kept): void {
    kept.splice(kept.indexOf(one), 1);
    keptAt[indexOf(one.entry)] = null;
    empty(one.entry);
  }

  function keep(address: number, width: Width, entry: number): void {
    if (machine.bus.foresee(address, width) === null) return;
    const there = keptAt[indexOf(entry)] ?? (kept.length === MAX_KEPT ? kept[0] : undefined);
    if (there !== undefined) forget(there);
    const one = { address, width, entry, credit: CREDIT, device: -1, changes: NEVER_ASKED };
    kept.push(one);
    keptAt[indexOf(entry)] = one;
  }

  return {
    // What is kept here gets its value from the refresh that follows the access.
    note(address, width) {
      const entry = mirrorEntry(address, width);
      const index = indexOf(entry);
      const one = keptAt[index];
      if (one?.address === address) one.credit = CREDIT;
      else if (lastRead[index] !== address) {
        lastRead[index] = address;
        reads[index] = 1;
      } else {
        // Eight bits: what cannot be kept is looked at again when they have gone round.
        const count = (reads[index] ?? 0) + 1;
        reads[index] = count;
        if (count === READS) keep(address, width, entry);
      }
    },
    refresh() {
      const changes = machine.changes();
      if (changes === seen.changes) return;
      seen.changes = changes;
      for (const one of kept) {
        if (one.credit === 0 || (one.device >= 0 && machine.changesOf(one.device) === one.changes)) continue;
        if (words[(one.entry + MIRROR.isUsed) >>> 2] !== 0) one.credit = CREDIT;
        else one.credit -= 1;
        if (one.credit > 0) fill(one);
        else {
          empty(one.entry);
          one.device = -1;
        }
      }
    },
    clear() {
      kept.length = 0;
      keptAt.fill(null);
      lastRead.fill(-1);
      for (let entry = MIRROR.start; entry < MIRROR.end; entry += MIRROR.entryBytes) empty(entry);
    },
  };
}
