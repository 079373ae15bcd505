// PLIC: the platform-level interrupt controller of RISC-V boards, with the register layout of SiFive's as on the `virt` board.
// Manual: RISC-V PLIC specification 1.0 (memory map, chapter 3); where QEMU 7.2's hw/intc/sifive_plic.c differs it decides, checked by
// tests/devices-qtest.isolated.test.ts: a high input level latches the pending bit, and only a claim takes it back; a level that
// stays high over claim and complete is latched again only when the device drives it again; a write to the enables shows at the
// output pins with the next other event; the enable bits of absent sources can be set, to no effect.
// Input pin = source 1..`sources`; output pin = context (on `virt`: 2*hart machine mode, 2*hart+1 supervisor mode).
// Priorities and thresholds are 3 bits wide as on `virt`. Priorities above `sources` do not exist; QEMU 7.2 has one too many.

import { defineDevice } from "./device.ts";
import type { Device, DeviceEnv, DeviceState } from "./device.ts";

const PRIORITY = 0x00_0000;
const PENDING = 0x00_1000;
const ENABLE = 0x00_2000;
const ENABLE_STRIDE = 0x80;
const CONTEXT = 0x20_0000;
const CONTEXT_STRIDE = 0x1000;
const APERTURE = 0x60_0000;

// Within a context.
const THRESHOLD = 0x0;
const CLAIM_COMPLETE = 0x4;

const PRIORITY_MASK = 0x7;
const MAX_SOURCES = 1023;
const MAX_CONTEXTS = (APERTURE - CONTEXT) / CONTEXT_STRIDE;

export type PlicConfig = {
  /** The highest source number; source 0 does not exist. */
  readonly sources: number;
  readonly contexts: number;
};

interface State {
  readonly priority: Uint32Array;
  readonly pending: Uint32Array;
  readonly claimed: Uint32Array;
  /** `words` enable words for each context. */
  readonly enable: Uint32Array;
  readonly threshold: Uint32Array;
}

const STATE_KEYS = ["priority", "pending", "claimed", "enable", "threshold"] as const;

/** What a word-sized offset addresses: one of the array of that name, or of the contexts' claim registers. */
type Register = "priority" | "pending" | "enable" | "threshold" | "claim";

function setBit(words: Uint32Array, bit: number, on: boolean): void {
  const word = bit >> 5;
  const mask = 1 << (bit & 31);
  const old = words[word] ?? 0;
  words[word] = on ? old | mask : old & ~mask;
}

function create(config: PlicConfig, env: DeviceEnv): Device {
  const { sources, contexts } = config;
  if (!Number.isInteger(sources) || sources < 1 || sources > MAX_SOURCES) {
    throw new RangeError(`plic: sources must be 1..${MAX_SOURCES}, not ${String(sources)}`);
  }
  if (!Number.isInteger(contexts) || contexts < 1 || contexts > MAX_CONTEXTS) {
    throw new RangeError(`plic: contexts must be 1..${MAX_CONTEXTS}, not ${String(contexts)}`);
  }
  const words = (sources >> 5) + 1;
  const s: State = {
    priority: new Uint32Array(sources + 1),
    pending: new Uint32Array(words),
    claimed: new Uint32Array(words),
    enable: new Uint32Array(words * contexts),
    threshold: new Uint32Array(contexts),
  };

  /** The source that a claim would return: highest priority above the threshold, lowest number among equals; 0 = none. */
  function bestSource(context: number): number {
    let best = 0;
    let bestPriority = s.threshold[context] ?? 0;
    for (let word = 0; word < words; word++) {
      let candidates = (s.pending[word] ?? 0) & ~(s.claimed[word] ?? 0) & (s.enable[context * words + word] ?? 0);
      while (candidates !== 0) {
        const bit = 31 - Math.clz32(candidates & -candidates);
        candidates &= candidates - 1;
        const source = word * 32 + bit;
        const priority = s.priority[source] ?? 0;
        if (priority > bestPriority) {
          best = source;
          bestPriority = priority;
        }
      }
    }
    return best;
  }

  function updateOutputs(): void {
    for (let context = 0; context < contexts; context++) env.irq(context, bestSource(context) !== 0);
  }

  function claim(context: number): number {
    const source = bestSource(context);
    if (source !== 0) {
      setBit(s.pending, source, false);
      setBit(s.claimed, source, true);
    }
    updateOutputs();
    return source;
  }

  function complete(source: number): void {
    if (source > sources) {
      env.log(`guest error: completion of source ${source}, which does not exist`);
      return;
    }
    // Any context may complete, enabled or not: QEMU does not look.
    setBit(s.claimed, source, false);
    updateOutputs();
  }

  /** Of the register that `locate` found. No object for each: every access comes by here. */
  let index = 0;

  function locate(offset: number): Register | null {
    if (offset >= CONTEXT) {
      index = Math.floor((offset - CONTEXT) / CONTEXT_STRIDE);
      if (index >= contexts) return null;
      const register = (offset - CONTEXT) % CONTEXT_STRIDE;
      if (register === THRESHOLD) return "threshold";
      return register === CLAIM_COMPLETE ? "claim" : null;
    }
    if (offset >= ENABLE) {
      const context = Math.floor((offset - ENABLE) / ENABLE_STRIDE);
      const word = ((offset - ENABLE) % ENABLE_STRIDE) >> 2;
      index = context * words + word;
      return context < contexts && word < words ? "enable" : null;
    }
    if (offset >= PENDING) {
      index = (offset - PENDING) >> 2;
      return index < words ? "pending" : null;
    }
    index = (offset - PRIORITY) >> 2;
    return index >= 1 && index <= sources ? "priority" : null;
  }

  function read(offset: number): number {
    const register = locate(offset);
    if (register === null) {
      env.log(`guest error: read of offset 0x${offset.toString(16)}: no register there`);
      return 0;
    }
    return register === "claim" ? claim(index) : (s[register][index] ?? 0);
  }

  function write(offset: number, value: number): void {
    const register = locate(offset);
    if (register === null) {
      env.log(`guest error: write to offset 0x${offset.toString(16)}: no register there`);
      return;
    }
    switch (register) {
      case "priority":
        s.priority[index] = value & PRIORITY_MASK;
        updateOutputs();
        return;
      case "pending":
        env.log("guest error: write to a pending word, which is read-only");
        return;
      case "enable":
        s.enable[index] = value;
        return;
      case "threshold":
        s.threshold[index] = value & PRIORITY_MASK;
        updateOutputs();
        return;
      case "claim":
        complete(value);
        return;
    }
  }

  return {
    regions: [
      {
        name: "plic",
        size: APERTURE,
        valid: { min: 4, max: 4 },
        read,
        write: (offset, _width, value) => write(offset, value),
        pureRead(offset) {
          const register = locate(offset);
          return register === null || register === "claim" ? null : "constant";
        },
      },
    ],
    reset() {
      for (const key of STATE_KEYS) s[key].fill(0);
      for (let context = 0; context < contexts; context++) env.irq(context, false);
    },
    save(): DeviceState {
      const saved: Record<string, readonly number[]> = {};
      for (const key of STATE_KEYS) saved[key] = Array.from(s[key]);
      return saved;
    },
    load(state) {
      const saved = state as Readonly<Record<string, readonly number[]>>;
      for (const key of STATE_KEYS) s[key].set(saved[key] ?? []);
    },
    input(source, level) {
      if (source < 0 || source > sources) throw new RangeError(`plic: no input pin ${source}`);
      if (!level) return;
      setBit(s.pending, source, true);
      updateOutputs();
    },
  };
}

export const plic = defineDevice<PlicConfig>({
  name: "plic",
  summary: "RISC-V platform-level interrupt controller",
  manual: "RISC-V PLIC specification 1.0; QEMU hw/intc/sifive_plic.c",
  create,
  describe: ({ sources }) => ({
    node: "plic",
    compatible: ["sifive,plic-1.0.0", "riscv,plic0"],
    properties: { "riscv,ndev": sources, "interrupt-controller": true, "#interrupt-cells": 1, "#address-cells": 0 },
  }),
});
