// Puts a program, or firmware and a program, into a RISC-V board's RAM with what they are told (device tree, initial RAM disk, command
// line), where QEMU's `virt` board puts them, and says how each CPU starts. What does not fit is a value for the user. Without
// firmware CPUs start at the address that the machine's file gives for images, whatever an ELF file's entry is, as QEMU's reset
// vector does it; that only the built-in firmware starts one CPU alone is the caller's part.
// Manuals: QEMU 7.2, hw/riscv/boot.c; OpenSBI, docs/firmware/fw_dynamic.md.

import type { MachineDescription } from "../../machines/description.ts";
import { describeBoard } from "./device-tree.ts";
import { flattenTree, type TreeValue } from "./flattened-tree.ts";
import type { Machine } from "./machine.ts";
import type { CpuSetup, Privilege } from "./processor.ts";
import { FIRMWARE_SIZE } from "./sbi.ts";
import { EM_RISCV, type Program, type ProgramSegment, type ProgramSymbol } from "./read-program.ts";

/** A program with the name that messages call it by. */
export interface NamedProgram {
  readonly name: string;
  readonly program: Program;
}

export interface BootOptions {
  readonly image: NamedProgram;
  /** Runs first, in M-mode, and starts the image. */
  readonly firmware?: NamedProgram;
  readonly initrd?: { readonly name: string; readonly bytes: Uint8Array };
  readonly commandLine?: string;
  readonly cpuProperties: Readonly<Record<string, TreeValue>>;
  readonly seed: bigint;
}

export interface PreparedBoot {
  /** One for each CPU, all at the start; `isStopped` is for a built-in firmware to add. */
  readonly setups: readonly CpuSetup[];
  readonly symbols: readonly ProgramSymbol[];
  readonly deviceTree: bigint;
}

export type BootResult = { readonly ok: true; readonly boot: PreparedBoot } | { readonly ok: false; readonly problem: string };

const MEBIBYTE = 0x10_0000n;
/** Device trees begin at the last multiple of this that leaves them room. */
const TREE_ALIGN = 2n * MEBIBYTE;
/** Where QEMU puts the RAM disk, from the kernel on: half of RAM, at most this. */
const INITRD_DISTANCE = 128n * MEBIBYTE;
interface BootRules {
  /** Of a register, an address, and a field of `fw_dynamic_info`. */
  readonly bits: 32 | 64;
  /**
   * Kernels begin at the next multiple of this behind firmware: a page of the level above the lowest. So far into RAM firmware that is told
   * nothing starts one (OpenSBI's FW_JUMP_ADDR for generic boards).
   */
  readonly kernelAlign: bigint;
}

const RULES: Readonly<Record<string, BootRules>> = {
  riscv32: { bits: 32, kernelAlign: 4n * MEBIBYTE },
  riscv64: { bits: 64, kernelAlign: 2n * MEBIBYTE },
};

// struct fw_dynamic_info (OpenSBI, include/sbi/fw_dynamic.h).
const FW_DYNAMIC_MAGIC = 0x4942_534fn;
const FW_DYNAMIC_VERSION = 2n;
const NEXT_MODE_SUPERVISOR = 1n;

interface Piece {
  readonly name: string;
  readonly start: bigint;
  readonly bytes: Uint8Array;
  readonly size: bigint;
}

const hex = (value: bigint): string => `0x${value.toString(16)}`;

/**
 * A linker that is told only where code begins (`-Ttext=0x80000000`) puts the file's headers, and the notes behind them, in the page before it or
 * far below, which is not in RAM. QEMU drops whatever is written where nothing is; here that goes for headers, notes and padding, since code that
 * is lost would be missed later.
 */
function withoutHeaders(segment: ProgramSegment, ramBase: bigint): ProgramSegment {
  const { address, bytes, memorySize, headerBytes } = segment;
  if (headerBytes > 0 && address + BigInt(memorySize) <= ramBase && bytes.subarray(headerBytes).every((byte) => byte === 0)) {
    return { address: ramBase, bytes: bytes.subarray(bytes.length), memorySize: 0, headerBytes: 0 };
  }
  const before = Number(ramBase - address);
  if (headerBytes === 0 || before < headerBytes || before > bytes.length || bytes.subarray(headerBytes, before).some((byte) => byte !== 0)) return segment;
  return { address: ramBase, bytes: bytes.subarray(before), memorySize: memorySize - before, headerBytes: 0 };
}

/** What goes where: an ELF file's segments at their own addresses, other files at the given one. */
function piecesOf({ name, program }: NamedProgram, at: bigint, ramBase: bigint): readonly Piece[] {
  switch (program.kind) {
    case "elf":
      return program.segments
        .map((segment) => withoutHeaders(segment, ramBase))
        .map(({ address, bytes, memorySize }) => ({ name, start: address, bytes, size: BigInt(memorySize) }));
    case "linux": {
      const size = program.memorySize > BigInt(program.bytes.length) ? program.memorySize : BigInt(program.bytes.length);
      return [{ name, start: ramBase + program.textOffset > at ? ramBase + program.textOffset : at, bytes: program.bytes, size }];
    }
    case "raw":
      return [{ name, start: at, bytes: program.bytes, size: BigInt(program.bytes.length) }];
  }
}

function problemOfKind({ name, program }: NamedProgram, { bits }: BootRules): string | undefined {
  if (program.kind !== "elf") return undefined;
  if (program.machine !== EM_RISCV) return `${name} is an ELF file for another CPU: machine ${program.machine}, RISC-V is ${EM_RISCV}`;
  return program.addressBits === bits ? undefined : `${name} is an ELF file for riscv${program.addressBits}; this machine's CPUs are riscv${bits}`;
}

/** The first piece that lies outside of RAM, or over another one. */
function problemOfPlace(pieces: readonly Piece[], machine: MachineDescription): string | undefined {
  const ramEnd = machine.ram.base + BigInt(machine.ram.size);
  const sorted = pieces.filter(({ size }) => size > 0n).toSorted((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
  for (const [index, { name, start, size }] of sorted.entries()) {
    if (start < machine.ram.base || start + size > ramEnd) {
      return `${name} needs ${hex(start)} to ${hex(start + size)}; RAM of ${machine.name} is ${hex(machine.ram.base)} to ${hex(ramEnd)}`;
    }
    const before = sorted[index - 1];
    if (before !== undefined && before.start + before.size > start)
      return `${name} at ${hex(start)} lies over ${before.name}, which ends at ${hex(before.start + before.size)}`;
  }
  return undefined;
}

const alignUp = (value: bigint, to: bigint): bigint => ((value + to - 1n) / to) * to;

const lowest = (pieces: readonly Piece[]): bigint => pieces.reduce((least, { start }) => (start < least ? start : least), pieces[0]?.start ?? 0n);

const highest = (pieces: readonly Piece[]): bigint => pieces.reduce((most, { start, size }) => (start + size > most ? start + size : most), 0n);

function dynamicInfo(nextAddress: bigint, { bits }: BootRules): Uint8Array {
  const words = [FW_DYNAMIC_MAGIC, FW_DYNAMIC_VERSION, nextAddress, NEXT_MODE_SUPERVISOR, 0n, 0n];
  const view = new DataView(new ArrayBuffer((words.length * bits) / 8));
  for (const [index, word] of words.entries()) {
    if (bits === 64) view.setBigUint64(8 * index, word, true);
    else view.setUint32(4 * index, Number(word), true);
  }
  return new Uint8Array(view.buffer);
}

/** Resets the machine and fills its RAM. */
export function prepareBoot(machine: Machine, options: BootOptions): BootResult {
  const { description } = machine;
  const { image, firmware, initrd } = options;
  const { boot, ram } = description;
  if (boot === null) return { ok: false, problem: `${description.name} does not say where images start` };
  const rules = RULES[description.target];
  if (rules === undefined)
    return { ok: false, problem: `${description.name} has ${description.target} CPUs; programs are for ${Object.keys(RULES).join(" and ")}` };
  const kindProblem = problemOfKind(image, rules) ?? (firmware === undefined ? undefined : problemOfKind(firmware, rules));
  if (kindProblem !== undefined) return { ok: false, problem: kindProblem };

  const firmwarePieces = firmware === undefined ? [] : piecesOf(firmware, ram.base, ram.base);
  const firmwareEnd = alignUp(highest(firmwarePieces), rules.kernelAlign);
  const leastKernel = ram.base + rules.kernelAlign;
  const kernelAt = firmware === undefined ? boot.base : firmwareEnd > leastKernel ? firmwareEnd : leastKernel;
  const imagePieces = piecesOf(image, kernelAt, ram.base);
  const kernelStart = lowest(imagePieces);
  const half = BigInt(ram.size / 2);
  const initrdAt = kernelStart + (half < INITRD_DISTANCE ? half : INITRD_DISTANCE);
  const initrdPieces = initrd === undefined ? [] : [{ name: initrd.name, start: initrdAt, bytes: initrd.bytes, size: BigInt(initrd.bytes.length) }];

  const tree = flattenTree(
    describeBoard(description, {
      cpus: machine.cpuCount,
      cpuProperties: options.cpuProperties,
      ...(options.commandLine === undefined ? {} : { commandLine: options.commandLine }),
      ...(initrd === undefined ? {} : { initrd: { start: initrdAt, end: initrdAt + BigInt(initrd.bytes.length) } }),
      ...(boot.privilege === "supervisor" && firmware === undefined ? { reserved: { start: ram.base, size: FIRMWARE_SIZE } } : {}),
      seed: options.seed,
    }),
  );
  const info = firmware === undefined ? new Uint8Array() : dynamicInfo(kernelStart, rules);
  const treeAt = ((ram.base + BigInt(ram.size) - BigInt(tree.length + info.length)) / TREE_ALIGN) * TREE_ALIGN;
  const infoAt = treeAt + BigInt(tree.length);
  const pieces: readonly Piece[] = [
    ...firmwarePieces,
    ...imagePieces,
    ...initrdPieces,
    { name: "the device tree", start: treeAt, bytes: tree, size: BigInt(tree.length) },
    { name: "what firmware is told", start: infoAt, bytes: info, size: BigInt(info.length) },
  ];
  const start = firmware === undefined ? boot.base : ram.base;
  const placeProblem =
    problemOfPlace(pieces, description) ?? problemOfStart(firmware ?? image, firmware === undefined ? imagePieces : firmwarePieces, start, description);
  if (placeProblem !== undefined) return { ok: false, problem: placeProblem };

  machine.reset();
  for (const { start: address, bytes } of pieces) machine.writeMemory(address, bytes);
  const privilege: Privilege = firmware === undefined ? boot.privilege : "machine";
  const setups = Array.from({ length: machine.cpuCount }, (_, cpu): CpuSetup => ({
    pc: start,
    privilege,
    registers: { a0: BigInt(cpu), a1: treeAt, ...(firmware === undefined ? {} : { a2: infoAt }) },
  }));
  const symbols = [image, ...(firmware === undefined ? [] : [firmware])]
    .flatMap(({ program }) => (program.kind === "elf" ? program.symbols : []))
    .toSorted((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
  return { ok: true, boot: { setups, symbols, deviceTree: treeAt } };
}

function problemOfStart({ name, program }: NamedProgram, pieces: readonly Piece[], start: bigint, machine: MachineDescription): string | undefined {
  const headers =
    program.kind === "elf" ? program.segments.find(({ address, headerBytes }) => start >= address && start < address + BigInt(headerBytes)) : undefined;
  if (headers !== undefined && program.kind === "elf") {
    return `${name} has its file headers at ${hex(start)}, where CPUs of ${machine.name} start; its entry is ${hex(program.entry)}: link it by a script, or with -Ttext=${hex(start)}`;
  }
  if (pieces.some((piece) => start >= piece.start && start < piece.start + piece.size)) return undefined;
  const entry = program.kind === "elf" ? `, its entry is ${hex(program.entry)}` : "";
  return `${name} has nothing at ${hex(start)}, where CPUs of ${machine.name} start; it lies from ${hex(lowest(pieces))} on${entry}`;
}
