// Guest models: a window of slots, each of which a model written in the guest's own language may answer (lib/model.gspec). An access to
// a slot calls the function that the guest has put into the slot's control registers, on a stack of its own and in no guest time; a
// timer and an interrupt line belong to each slot. The model's state is guest memory, so a snapshot holds it like any other.
// Ours alone: no hardware and no other emulator has this device, so there is no manual but this file.
//
// Control, 64 bytes a slot, registers of 8 bytes: 0x00 READ, 0x08 WRITE, 0x10 EVENT (code addresses; READ 0: nobody is there),
// 0x18 OBJECT (the first argument of all), 0x20 STACK_TOP, 0x28 STACK_LIMIT, 0x30 LINE (bit 0 drives pin n),
// 0x38 TIMER (ns until EVENT is called; all ones: never). Behind the slots, at 0xf00, REFUSE: written while an access is
// answered, it makes that access a bus fault.
// From 0x800 eight faults of 32 bytes, for accesses of CPUs to any device: 0x00 ADDRESS, 0x08 NTH (such an access from now on; counts down,
// 0: none), 0x10 KIND (bit 0: of writes; bits 9:8: 0 bus fault, 1 the bits of DATA flip, 2 a write does not arrive), 0x18 DATA. With KIND
// bit 1 it is about the rises of line ADDRESS on its way into the interrupt controller: 2 one is lost, 3 it comes DATA ns late, if the line
// is still high then; NTH is all ones meanwhile.

import { defineDevice } from "./device.ts";
import type { Device, DeviceEnv, Interception, Width } from "./device.ts";

const REGISTERS = 8;
const SLOT_BYTES = 8 * REGISTERS;
const READ = 0;
const WRITE = 1;
const EVENT = 2;
const OBJECT = 3;
const STACK_TOP = 4;
const STACK_LIMIT = 5;
const LINE = 6;
const TIMER = 7;
const CONTROL_SIZE = 0x1000;
const REFUSE = 0xf00;
const MAX_SLOTS = 16;
const FAULTS = 0x800;
const FAULT_COUNT = 8;
/** Registers of a fault. */
const FAULT_WORDS = 4;
const ADDRESS = 0;
const NTH = 1;
const KIND = 2;
const DATA = 3;
const FLIP = 1n;
const DROP = 2n;
const DELAY = 3n;
const OF_INTERRUPTS = 2n;
/** NTH of a fault whose interrupt is on its way. */
const LATE = (1n << 64n) - 1n;
const NEVER = (1n << 64n) - 1n;
/** Delays beyond are as good as never: guest time is exact below 2^53. */
const MAX_DELAY = 1n << 50n;

export type GuestModelsConfig = {
  readonly slots: number;
  /** Bytes of each slot's window. */
  readonly slotSize: number;
};

function create({ slots, slotSize }: GuestModelsConfig, env: DeviceEnv): Device {
  if (!Number.isInteger(slots) || slots < 1 || slots > MAX_SLOTS) throw new RangeError(`guest-models: ${String(slots)} slots; there are 1 to ${MAX_SLOTS}`);
  if (!Number.isInteger(slotSize) || slotSize < 8) throw new RangeError(`guest-models: a slot of ${String(slotSize)} bytes`);
  const faultsAt = slots * REGISTERS;
  const count = faultsAt + FAULT_COUNT * FAULT_WORDS;
  let registers = new BigUint64Array(count);
  /** A slot that is being answered: its model may not access itself. */
  const isBusy = Array.from({ length: slots }, () => false);
  /** Of the accesses that are being answered, the innermost last: a model may use another one. */
  let refusals: boolean[] = [];
  const refuse = (): void => {
    if (refusals.length > 0) refusals[refusals.length - 1] = true;
  };

  /** Some fault waits for an access. */
  let isWaiting = false;

  function noteFaults(): void {
    isWaiting = false;
    for (let at = faultsAt; at < count; at += FAULT_WORDS) {
      if (registers[at + NTH] !== 0n && ((registers[at + KIND] ?? 0n) & OF_INTERRUPTS) === 0n) isWaiting = true;
    }
  }

  const register = (slot: number, index: number): bigint => registers[slot * REGISTERS + index] ?? 0n;

  /** Null: nobody answers, or it did not come back. */
  function ask(slot: number, index: number, args: readonly bigint[]): bigint | null {
    const code = register(slot, index);
    if (code === 0n || isBusy[slot] === true) {
      env.log(code === 0n ? `no model is attached to slot ${slot}` : `the model in slot ${slot} was accessed by itself`);
      return null;
    }
    isBusy[slot] = true;
    const result = env.callGuest(code, [register(slot, OBJECT), ...args], { top: register(slot, STACK_TOP), limit: register(slot, STACK_LIMIT) });
    isBusy[slot] = false;
    if (result === null) env.log(`the model in slot ${slot} did not return`);
    return result;
  }

  function access(index: number, offset: number, width: Width, value: readonly bigint[]): bigint {
    refusals.push(false);
    const result = ask(Math.floor(offset / slotSize), index, [BigInt(offset % slotSize), BigInt(width), ...value]);
    if (result === null) refuse();
    return result ?? 0n;
  }

  function writeControl(offset: number, value: bigint): void {
    if (offset === REFUSE) {
      refuse();
      return;
    }
    if (offset >= FAULTS && offset < FAULTS + FAULT_COUNT * FAULT_WORDS * 8) {
      registers[faultsAt + (offset - FAULTS) / 8] = value;
      noteFaults();
      return;
    }
    const slot = Math.floor(offset / SLOT_BYTES);
    const index = (offset % SLOT_BYTES) / 8;
    if (slot >= slots || !Number.isInteger(index)) {
      env.log(`guest error: write to offset 0x${offset.toString(16)}: no register there`);
      return;
    }
    registers[slot * REGISTERS + index] = value;
    if (index === LINE) env.irq(slot, (value & 1n) === 1n);
    if (index !== TIMER) return;
    if (value === NEVER) env.clock.cancel(slot);
    else env.clock.schedule(slot, Number(value < MAX_DELAY ? value : MAX_DELAY));
  }

  /** The faults in their order: each counts the accesses that it is about, and one of them at most acts. */
  function intercept(address: number, isWrite: boolean): Interception | null | undefined {
    if (!isWaiting) return undefined;
    let acting: Interception | null | undefined;
    for (let at = faultsAt; at < count; at += FAULT_WORDS) {
      const nth = registers[at + NTH] ?? 0n;
      if (nth === 0n) continue;
      const kind = registers[at + KIND] ?? 0n;
      if ((kind & OF_INTERRUPTS) !== 0n) continue;
      acting ??= null;
      if (registers[at + ADDRESS] !== BigInt(address) || (kind & 1n) !== (isWrite ? 1n : 0n)) continue;
      registers[at + NTH] = nth - 1n;
      if (nth !== 1n || acting !== null) continue;
      const action = (kind >> 8n) & 3n;
      if (action === FLIP) acting = { kind: "flip", bits: registers[at + DATA] ?? 0n };
      else acting = { kind: action === DROP ? "drop" : "refuse" };
    }
    noteFaults();
    return acting;
  }

  /** The event of a fault, behind those of the slots. */
  const eventOf = (at: number): number => slots + (at - faultsAt) / FAULT_WORDS;

  function interceptInterrupt(line: number, level: boolean): boolean | undefined {
    let isHeld: boolean | undefined;
    for (let at = faultsAt; at < count; at += FAULT_WORDS) {
      const nth = registers[at + NTH] ?? 0n;
      const kind = registers[at + KIND] ?? 0n;
      if (nth === 0n || (kind & OF_INTERRUPTS) === 0n || registers[at + ADDRESS] !== BigInt(line)) continue;
      isHeld ??= false;
      if (nth === LATE) {
        // What went away before it came is not heard of.
        if (!level) registers[at + NTH] = 0n;
        if (!level) env.clock.cancel(eventOf(at));
        continue;
      }
      if (!level) continue;
      registers[at + NTH] = nth - 1n;
      if (nth !== 1n || isHeld) continue;
      isHeld = true;
      if (((kind >> 8n) & 3n) !== DELAY) continue;
      registers[at + NTH] = LATE;
      const delay = registers[at + DATA] ?? 0n;
      env.clock.schedule(eventOf(at), Number(delay < MAX_DELAY ? delay : MAX_DELAY));
    }
    return isHeld;
  }

  function readControl(offset: number): bigint {
    if (offset >= FAULTS && offset < FAULTS + FAULT_COUNT * FAULT_WORDS * 8) return registers[faultsAt + (offset - FAULTS) / 8] ?? 0n;
    return offset < slots * SLOT_BYTES ? (registers[offset / 8] ?? 0n) : 0n;
  }

  return {
    regions: [
      {
        name: "control",
        size: CONTROL_SIZE,
        valid: { min: 8, max: 8 },
        read: () => 0,
        write() {},
        read64: readControl,
        write64: writeControl,
      },
      {
        name: "slots",
        size: slots * slotSize,
        valid: { min: 1, max: 8 },
        read: (offset, width) => Number(BigInt.asUintN(8 * width, access(READ, offset, width, []))),
        write: (offset, width, value) => void access(WRITE, offset, width, [BigInt(value)]),
        read64: (offset) => access(READ, offset, 8, []),
        write64: (offset, value) => void access(WRITE, offset, 8, [value]),
        isRefused: () => refusals.pop() ?? false,
      },
    ],
    reset() {
      registers.fill(0n);
      noteFaults();
      refusals = [];
      for (let slot = 0; slot < slots; slot++) {
        registers[slot * REGISTERS + TIMER] = NEVER;
        env.irq(slot, false);
        env.clock.cancel(slot);
      }
      for (let at = faultsAt; at < count; at += FAULT_WORDS) env.clock.cancel(eventOf(at));
    },
    intercept,
    isIntercepting: () => isWaiting,
    interceptInterrupt,
    save: () => [...registers],
    load(state) {
      registers = new BigUint64Array(count);
      if (Array.isArray(state)) for (const [i, value] of state.entries()) registers[i] = BigInt(value as bigint);
      noteFaults();
    },
    onEvent(slot) {
      if (slot >= slots) {
        const at = faultsAt + (slot - slots) * FAULT_WORDS;
        registers[at + NTH] = 0n;
        env.raiseLate(Number(registers[at + ADDRESS] ?? 0n));
        return;
      }
      registers[slot * REGISTERS + TIMER] = NEVER;
      ask(slot, EVENT, []);
    },
  };
}

export const guestModels = defineDevice<GuestModelsConfig>({
  name: "guest-models",
  summary: "slots for device models that the guest brings along",
  manual: "runtime/devices/guest-models.ts",
  create,
});
