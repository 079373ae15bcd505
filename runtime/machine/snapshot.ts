// Snapshots of a machine, as a tree: power-on, after boot, after a suite's set-up, after a table's. A node keeps the pages written
// since its parent and shares everything else with it, devices that nobody touched included, so going back from a test costs
// its dirty pages and touched devices. Going to any other node of the tree costs the pages between the two, not a full copy.

import type { DeviceState, MachineExit } from "../devices/device.ts";
import type { ClockState } from "./clock.ts";
import type { GuestMemory } from "./cpu-contract.ts";
import type { PlacedImage } from "./load-image.ts";
import { copyPage, PAGE_SIZE, pageCount, takeDirtyPages, zeroPage } from "./memory.ts";

/** Everything of a machine besides RAM, as plain data. */
export interface MachineState {
  /** One per device, in the machine's order. */
  readonly devices: readonly DeviceState[];
  readonly clock: ClockState;
  /** Levels of the wired output pins. */
  readonly pins: Uint8Array;
  readonly schedulerRandom: Uint32Array;
  readonly deviceRandom: Uint32Array;
  readonly exit: MachineExit | null;
}

/** A page of RAM that is not all zeros. */
export interface PageContents {
  readonly page: number;
  readonly bytes: Uint8Array;
}

/** Everything of a machine, for another machine of the same description and number of CPUs, perhaps in another process. */
export interface MachineContents {
  readonly state: MachineState;
  /** In ascending order. */
  readonly pages: readonly PageContents[];
}

export interface PageSnapshot {
  readonly parent: PageSnapshot | null;
  readonly depth: number;
  /** Contents by page number, null for zeros; pages that equal the parent's are shared with it. */
  readonly pages: readonly (Uint8Array | null)[];
  /** The pages that may differ from the parent's; from an all-zero RAM for a root. */
  readonly ownPages: Uint32Array;
}

/** Opaque to users; valid for the machine that took it until that machine is disposed of. */
export interface Snapshot {
  readonly owner: symbol;
  readonly memory: PageSnapshot;
  readonly state: MachineState;
  readonly image: PlacedImage | null;
  readonly readOnlyStart: number;
  readonly readOnlyEnd: number;
}

/** The RAM's place in the tree: what it was taken from or restored to last, null for power-on (all zero). */
export interface PageTree {
  readonly current: () => PageSnapshot | null;
  /** Keeps what was written since the current node as a child of it and makes that the current node. */
  readonly capture: () => PageSnapshot;
  /** Makes RAM equal to the node's. */
  readonly restore: (target: PageSnapshot | null) => void;
  /** All pages that may hold something besides zeros. */
  readonly usedPages: () => Uint32Array;
}

export function createPageTree(memory: GuestMemory): PageTree {
  const count = pageCount(memory);
  const scratch = new Uint32Array(count);
  let current: PageSnapshot | null = null;

  function mark(pages: Uint32Array): void {
    for (const page of pages) memory.bytes[memory.dirtyOffset + page] = 1;
  }

  /** Marks the pages in which two nodes may differ: all those owned below their nearest common ancestor. */
  function markBetween(from: PageSnapshot | null, to: PageSnapshot | null): void {
    let a = from;
    let b = to;
    while (a !== b) {
      if (a !== null && (b === null || a.depth >= b.depth)) {
        mark(a.ownPages);
        a = a.parent;
      } else if (b !== null) {
        mark(b.ownPages);
        b = b.parent;
      }
    }
  }

  return {
    current: () => current,
    capture() {
      const dirty = takeDirtyPages(memory, scratch);
      const pages = current === null ? new Array<Uint8Array | null>(count).fill(null) : current.pages.slice();
      for (let i = 0; i < dirty; i++) {
        const page = scratch[i] ?? 0;
        pages[page] = copyPage(memory, page);
      }
      current = {
        parent: current,
        depth: current === null ? 0 : current.depth + 1,
        pages,
        ownPages: scratch.slice(0, dirty),
      };
      return current;
    },
    restore(target) {
      if (target !== current) markBetween(current, target);
      const dirty = takeDirtyPages(memory, scratch);
      for (let i = 0; i < dirty; i++) {
        const page = scratch[i] ?? 0;
        const contents = target?.pages[page] ?? null;
        if (contents === null) zeroPage(memory, page);
        else memory.bytes.set(contents, page * PAGE_SIZE);
        memory.onRestore?.(page);
      }
      current = target;
    },
    usedPages() {
      markBetween(current, null);
      const used = takeDirtyPages(memory, scratch);
      const pages = scratch.slice(0, used);
      mark(pages);
      return pages;
    },
  };
}
