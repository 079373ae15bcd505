// Virtual time of one machine: a count of nanoseconds and a binary heap of what devices want to happen later. Pending events are
// plain data (time, device, tag), so a snapshot copies them and a restore needs no closure of the past. Ties fire in the order
// in which they were scheduled, which makes a run depend on nothing but its inputs.

import type { StirCount } from "./interrupt-fabric.ts";

export interface PendingEvent {
  readonly time: number;
  /** Sequence number of the `schedule` call: decides between events of one time. */
  readonly order: number;
  readonly device: number;
  readonly tag: number;
}

export interface ClockState {
  readonly now: number;
  readonly order: number;
  /** In firing order. */
  readonly events: readonly PendingEvent[];
}

export interface VirtualClock {
  readonly now: () => number;
  /** Moves time on; fires nothing. */
  readonly advance: (ns: number) => void;
  /** Time of the earliest event, Infinity if there is none. */
  readonly nextEvent: () => number;
  /** An event of the same device and tag is replaced. */
  readonly schedule: (device: number, tag: number, delay: number) => void;
  readonly cancel: (device: number, tag: number) => void;
  /**
   * Fires all events due at or before now, in order. While one is delivered, `now()` is its due time, so that a periodic
   * device does not drift by the distance between poll points. Calls from inside a delivery do nothing.
   */
  readonly fire: () => void;
  readonly save: () => ClockState;
  readonly load: (state: ClockState) => void;
  /** Time 0, nothing pending. */
  readonly reset: () => void;
}

interface HeapEntry {
  time: number;
  order: number;
  readonly device: number;
  readonly tag: number;
  index: number;
}

/** More deliveries than this without time moving on is a model that reschedules itself with delay 0. */
const MAX_EVENTS_AT_ONE_TIME = 100_000;

function isBefore(a: PendingEvent, b: PendingEvent): boolean {
  return a.time < b.time || (a.time === b.time && a.order < b.order);
}

export function createClock(deliver: (device: number, tag: number) => void, stirred: StirCount = { count: 0 }): VirtualClock {
  const heap: HeapEntry[] = [];
  /** By device, then tag: one key of both would be no small integer, which a map takes ten times as long to look up. */
  const byTag: Map<number, HeapEntry>[] = [];
  /** Fields of a record on purpose: variables that closures share would be boxed anew with every change. */
  const current = { now: 0, next: Infinity };
  let order = 0;
  let isFiring = false;

  function place(entry: HeapEntry, index: number): void {
    heap[index] = entry;
    entry.index = index;
  }

  function siftUp(entry: HeapEntry): void {
    let index = entry.index;
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || !isBefore(entry, parent)) break;
      place(parent, index);
      index = above;
    }
    place(entry, index);
  }

  function siftDown(entry: HeapEntry): void {
    let index = entry.index;
    for (;;) {
      const left = heap[2 * index + 1];
      if (left === undefined) break;
      const right = heap[2 * index + 2];
      const child = right !== undefined && isBefore(right, left) ? right : left;
      if (!isBefore(child, entry)) break;
      const from = child.index;
      place(child, index);
      index = from;
    }
    place(entry, index);
  }

  function insert(time: number, at: number, device: number, tag: number): void {
    const entry = { time, order: at, device, tag, index: heap.length };
    heap.push(entry);
    (byTag[device] ??= new Map()).set(tag, entry);
    siftUp(entry);
    noteNext();
  }

  function noteNext(): void {
    current.next = heap[0]?.time ?? Infinity;
    stirred.count += 1;
  }

  /** To another time: timers that start anew with every byte of a line make no object each time. */
  function move(entry: HeapEntry, time: number, at: number): void {
    entry.time = time;
    entry.order = at;
    siftUp(entry);
    siftDown(entry);
    noteNext();
  }

  function remove(entry: HeapEntry): void {
    byTag[entry.device]?.delete(entry.tag);
    const last = heap.pop();
    if (last !== undefined && last !== entry) {
      place(last, entry.index);
      siftUp(last);
      siftDown(last);
    }
    noteNext();
  }

  function clear(): void {
    for (const { device, tag } of heap) byTag[device]?.delete(tag);
    heap.length = 0;
    noteNext();
  }

  function deliverDue(limit: number): void {
    let deliveries = 0;
    for (let first = heap[0]; first !== undefined && first.time <= limit; first = heap[0]) {
      if (first.time > current.now) deliveries = 0;
      if (++deliveries > MAX_EVENTS_AT_ONE_TIME) {
        throw new Error(`device ${first.device} schedules event ${first.tag} without end at time ${first.time}`);
      }
      remove(first);
      current.now = first.time;
      deliver(first.device, first.tag);
    }
  }

  return {
    now: () => current.now,
    advance(ns) {
      current.now += ns;
    },
    nextEvent: () => current.next,
    schedule(device, tag, delay) {
      const time = current.now + delay;
      if (!Number.isSafeInteger(delay) || delay < 0 || !Number.isSafeInteger(time)) {
        throw new RangeError(`device ${device} schedules event ${tag} after ${delay} ticks`);
      }
      if (!Number.isInteger(tag) || tag < 0 || tag > 0xffff_ffff) throw new RangeError(`device ${device}: ${tag} is no event tag`);
      const pending = byTag[device]?.get(tag);
      if (pending === undefined) insert(time, order++, device, tag);
      else move(pending, time, order++);
    },
    cancel(device, tag) {
      const pending = byTag[device]?.get(tag);
      if (pending !== undefined) remove(pending);
    },
    fire() {
      if (current.next > current.now || isFiring) return;
      const limit = current.now;
      isFiring = true;
      try {
        // What is due was due at some time since the last call: deliveries start from the first of these times.
        current.now = Math.min(current.now, current.next);
        deliverDue(limit);
      } finally {
        isFiring = false;
        current.now = limit;
      }
    },
    save() {
      const events = heap.map(({ time, order: at, device, tag }) => ({ time, order: at, device, tag }));
      return { now: current.now, order, events: events.sort((a, b) => a.time - b.time || a.order - b.order) };
    },
    load(state) {
      clear();
      current.now = state.now;
      order = state.order;
      for (const { time, order: at, device, tag } of state.events) insert(time, at, device, tag);
    },
    reset() {
      clear();
      current.now = 0;
      order = 0;
    },
  };
}
