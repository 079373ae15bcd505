// A small machine for executor tests: real RAM, clock and random streams behind the `MachineCore` contract, and one made-up
// device whose registers drive everything an executor must react to (interrupt lines, events, the end of the machine). It keeps
// a log of accesses with the guest time that the device saw, so that tests can compare the order and time of effects exactly.

import type { Module } from "../../../isa/bytecode/module.ts";
import type { MachineExit, Width } from "../../devices/device.ts";
import { createClock } from "../../machine/clock.ts";
import { NO_ANSWER, type BusResult, type GuestMemory, type LoadedImage, type MachineCore } from "../../machine/cpu-contract.ts";
import { placeImage } from "../../machine/load-image.ts";
import { acquireMemory, pageCount, ramOffset, releaseMemory } from "../../machine/memory.ts";
import { createRandomStream, STREAM_SCHEDULER } from "../../machine/random.ts";

/** Where the device is; nothing else but RAM answers. Ports 0x10 to 0x17 are bytes of storage. */
export const DEVICE_BASE = 0x1000_0000n;

/**
 * Registers of the test device. STORAGE is 64 bytes that take every aligned width (a value of w bytes is stored little-endian,
 * whatever the guest's byte order). All others take 4 bytes only; other widths fault.
 */
export const TEST_REGISTERS = {
  STORAGE: 0x00,
  /** wo: raises lines; bits 2:0 lines, 15:8 CPU. */
  RAISE: 0x40,
  /** wo: lowers lines, same bits. */
  LOWER: 0x44,
  /** wo: ends the machine with this status. */
  EXIT: 0x48,
  /** wo: as EXIT, after so many ns. */
  EXIT_AFTER: 0x4c,
  /** ro: low word of the guest time that the device sees. */
  NOW: 0x50,
  /** wo: write 0x60 + 4 * n: raises the timer line of CPU n after so many ns. */
  TIMER: 0x60,
} as const;

const DEVICE_SIZE = 0x100n;
const TAG_EXIT = 100;
const RAM_SIZE = 0x10_0000;

interface TestMachineOptions {
  readonly addressBytes: 4 | 8;
  readonly cpuCount?: number;
  readonly seed?: bigint;
}

export interface TestMachine extends MachineCore {
  /** Accesses in order: "w4 +40=1 @17" (width, register, value, time), port accesses as "out1 10=5 @3". */
  readonly log: string[];
  readonly draws: () => number;
}

/** RAM lies above 4 GiB when addresses have 8 bytes: an executor that drops the upper half is found out. */
function ramBase(addressBytes: 4 | 8): bigint {
  return addressBytes === 8 ? 0x1_8000_0000n : 0x8000_0000n;
}

export function createTestMachine(options: TestMachineOptions): TestMachine {
  const cpuCount = options.cpuCount ?? 1;
  const memory: GuestMemory = acquireMemory(ramBase(options.addressBytes), RAM_SIZE);
  const schedule = createRandomStream(options.seed ?? 1n, STREAM_SCHEDULER);
  const lines = new Array<number>(cpuCount).fill(0);
  const storage = new Uint8Array(64);
  const ports = new Uint8Array(8);
  const log: string[] = [];
  let exit: MachineExit | null = null;
  let draws = 0;
  const clock = createClock((_device, tag) => {
    if (tag === TAG_EXIT) exit ??= { kind: "poweroff", code: 0 };
    else lines[tag] = (lines[tag] ?? 0) | 2;
  });

  const hex = (value: number | bigint): string => value.toString(16);
  const fits = (offset: number, width: number): boolean => offset % width === 0;

  function readBytes(bytes: Uint8Array, offset: number, width: Width): BusResult {
    let value = 0n;
    for (let index = width - 1; index >= 0; index--) value = (value << 8n) | BigInt(bytes[offset + index] ?? 0);
    return width === 8 ? value : Number(value);
  }

  function writeBytes(bytes: Uint8Array, offset: number, width: Width, value: number | bigint): void {
    let rest = BigInt(value);
    for (let index = 0; index < width; index++, rest >>= 8n) bytes[offset + index] = Number(rest & 0xffn);
  }

  function locate(address: bigint, width: Width): number {
    const offset = address - DEVICE_BASE;
    if (offset < 0n || offset >= DEVICE_SIZE || !fits(Number(offset), width)) return -1;
    return offset >= 0x40n && width !== 4 ? -1 : Number(offset);
  }

  function writeRegister(offset: number, value: number): boolean {
    const cpu = (value >>> 8) & 0xff;
    if (offset === TEST_REGISTERS.RAISE) lines[cpu] = (lines[cpu] ?? 0) | (value & 7);
    else if (offset === TEST_REGISTERS.LOWER) lines[cpu] = (lines[cpu] ?? 0) & ~(value & 7);
    else if (offset === TEST_REGISTERS.EXIT) exit ??= { kind: "poweroff", code: value };
    else if (offset === TEST_REGISTERS.EXIT_AFTER) clock.schedule(0, TAG_EXIT, value);
    else if (offset >= TEST_REGISTERS.TIMER && offset < TEST_REGISTERS.TIMER + 4 * cpuCount) clock.schedule(0, (offset - TEST_REGISTERS.TIMER) / 4, value);
    else return false;
    return true;
  }

  function read(address: bigint | number, width: Width): BusResult {
    const offset = locate(BigInt(address), width);
    if (offset < 0) return null;
    if (offset >= 0x40 && offset !== TEST_REGISTERS.NOW) return null;
    const value = offset < 0x40 ? readBytes(storage, offset, width) : clock.now() >>> 0;
    log.push(`r${width} +${hex(offset)} @${clock.now()}`);
    return value;
  }

  function write(address: bigint | number, width: Width, value: number | bigint): boolean {
    const offset = locate(BigInt(address), width);
    if (offset < 0) return false;
    if (offset < 0x40) writeBytes(storage, offset, width, value);
    else if (!writeRegister(offset, Number(value))) return false;
    log.push(`w${width} +${hex(offset)}=${hex(value)} @${clock.now()}`);
    return true;
  }

  return {
    memory,
    cpuCount,
    log,
    draws: () => draws,
    bus: {
      readNumber: (address, width) => Number(read(address, width) ?? NO_ANSWER),
      writeNumber: (address, width, value) => write(address, width, width === 8 ? BigInt(value) : value),
      read,
      write,
      portRead(port, width) {
        const offset = port - 0x10;
        if (offset < 0 || offset >= ports.length || !fits(offset, width)) return null;
        log.push(`in${width} ${hex(port)} @${clock.now()}`);
        return Number(readBytes(ports, offset, width));
      },
      portWrite(port, width, value) {
        const offset = port - 0x10;
        if (offset < 0 || offset >= ports.length || !fits(offset, width)) return false;
        writeBytes(ports, offset, width, value);
        log.push(`out${width} ${hex(port)}=${hex(value)} @${clock.now()}`);
        return true;
      },
      foresee: () => null,
    },
    now: clock.now,
    advance: clock.advance,
    nextEvent: clock.nextEvent,
    fireEvents: clock.fire,
    changes: () => 0,
    changesOf: () => 0,
    lines: (cpu) => lines[cpu] ?? 0,
    stirs: () => 0,
    exitRequest: () => exit,
    scheduleRandom() {
      draws += 1;
      return schedule.next();
    },
  };
}

/** Places a module as in a machine, with stacks of 16 KiB, and cleans the dirty map. */
export function loadTestImage(module: Module, machine: TestMachine): LoadedImage {
  const { memory } = machine;
  const image = placeImage(memory, module, { cpus: machine.cpuCount, stackSize: 0x4000, seed: 0n });
  memory.bytes.fill(0, memory.dirtyOffset, memory.dirtyOffset + pageCount(memory));
  return image;
}

/** Its RAM serves the next machine, which is much faster made that way. Nobody may use this one, nor views of its memory, any more. */
export function releaseTestMachine({ memory }: TestMachine): void {
  memory.bytes.fill(0, 0, memory.size);
  releaseMemory(memory, []);
}

/** The bytes of a symbol as they are in RAM now. */
export function readSymbol(image: LoadedImage, machine: TestMachine, name: string): Uint8Array {
  const index = image.module.symbols.findIndex((symbol) => symbol.name === name);
  const symbol = image.module.symbols[index];
  if (symbol === undefined) throw new Error(`no symbol ${name}`);
  const offset = ramOffset(machine.memory, image.symbolAddress[index] ?? 0n, symbol.size);
  return machine.memory.bytes.slice(offset, offset + symbol.size);
}
