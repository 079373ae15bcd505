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
/** How often a register's value is asked for until it has to be read the long way again: perhaps nobody reads it any more. */
const CREDIT = 256;

interface Kept {
  readonly address: number;
  readonly width: Width;
  /** Offset in the state memory. */
  readonly entry: number;
  credit: number;
}

export function createDeviceMirror(machine: MachineCore): DeviceMirror {
  const { memory, stateOffset } = machine.memory;
  const doubles = new Float64Array(memory.buffer, stateOffset, MIRROR.end / 8);
  const longs = new BigInt64Array(memory.buffer, stateOffset, MIRROR.end / 8);
  const words = new Int32Array(memory.buffer, stateOffset, MIRROR.end / 4);
  const candidates = new Float64Array(MIRROR.entries);
  const reads = new Uint8Array(MIRROR.entries);
  const kept: Kept[] = [];
  const seen = { changes: -1 };

  function setLong(at: number, value: number): void {
    words[at >>> 2] = value;
    words[(at >>> 2) + 1] = Math.floor(value / 0x1_0000_0000);
  }

  function empty(entry: number): void {
    setLong(entry + MIRROR.address, emptyMirrorAddress(entry));
  }

  /** False: the read would change something, as things are. */
  function fill({ address, width, entry }: Kept): boolean {
    const found = machine.bus.foresee(address, width);
    if (found === null) {
      empty(entry);
      return false;
    }
    const { kind, value, what, offset } = found;
    const at = entry + MIRROR.value;
    if (kind !== "constant") longs[at >>> 3] = width === 4 ? 0xffff_ffffn : -1n;
    else if (typeof value === "bigint") longs[at >>> 3] = value;
    else setLong(at, value);
    words[(entry + MIRROR.shift) >>> 2] = kind === "constant" ? -1 : kind === "counter" ? 0 : 32;
    doubles[(entry + MIRROR.offset) >>> 3] = offset;
    words[(entry + MIRROR.what) >>> 2] = what;
    setLong(entry + MIRROR.address, address);
    return true;
  }

  function forget(index: number): void {
    const [gone] = kept.splice(index, 1);
    if (gone !== undefined) empty(gone.entry);
  }

  function keep(address: number, width: Width, entry: number): void {
    const there = kept.findIndex((other) => other.entry === entry);
    const known = kept[there];
    if (known?.address === address) {
      known.credit = CREDIT;
      return;
    }
    const one = { address, width, entry, credit: CREDIT };
    if (!fill(one)) return;
    // The oldest goes.
    if (there >= 0) kept.splice(there, 1);
    else if (kept.length === MAX_KEPT) forget(0);
    kept.push(one);
  }

  return {
    note(address, width) {
      const entry = mirrorEntry(address, width);
      const index = (entry - MIRROR.start) / MIRROR.entryBytes;
      if (candidates[index] !== address) {
        candidates[index] = address;
        reads[index] = 1;
        return;
      }
      const count = (reads[index] ?? 0) + 1;
      reads[index] = count % READS;
      if (count === READS) keep(address, width, entry);
    },
    refresh() {
      const changes = machine.changes();
      if (changes === seen.changes) return;
      seen.changes = changes;
      for (let index = kept.length - 1; index >= 0; index--) {
        const one = kept[index];
        if (one === undefined) continue;
        if (--one.credit > 0) fill(one);
        else forget(index);
      }
    },
    clear() {
      kept.length = 0;
      candidates.fill(-1);
      for (let entry = MIRROR.start; entry < MIRROR.end; entry += MIRROR.entryBytes) empty(entry);
    },
  };
}
