// What docs/bytecode.md says, as programs with expected outcomes: each executor runs this table (`runConformanceCase`), in all four data
// layouts. Expected results of operations come from a model in BigInt (conformance/operations.ts), not from any executor. Outcomes are
// compared as text, in which addresses are relative to symbols, RAM and stacks, so that one line states a result for every layout.

import { byteWidth, type DataLayout, type Module } from "../../../isa/bytecode/module.ts";
import { parseText } from "../../../isa/bytecode/text.ts";
import type { ExecutorFactory, LoadedImage, Outcome, RunLimits, TrapRecord } from "../../machine/cpu-contract.ts";
import { encodeCells, hexOf, LAYOUTS, type CaseContext, type ConformanceCase, type Expectation } from "./conformance/case.ts";
import { conditionCases } from "./conformance/conditions.ts";
import { controlCases } from "./conformance/control.ts";
import { cpuCases } from "./conformance/cpus.ts";
import { loopCases } from "./conformance/loops.ts";
import { memoryCases } from "./conformance/memory.ts";
import { operationCases } from "./conformance/operations.ts";
import { timeCases } from "./conformance/time.ts";
import { trapCases } from "./conformance/traps.ts";
import { createTestMachine, loadTestImage, readSymbol, releaseTestMachine, type TestMachine } from "./test-machine.ts";

export { LAYOUTS } from "./conformance/case.ts";
export type { ConformanceCase } from "./conformance/case.ts";

export const conformanceCases: readonly ConformanceCase[] = [
  ...operationCases,
  ...controlCases,
  ...conditionCases,
  ...loopCases,
  ...memoryCases,
  ...trapCases,
  ...timeCases,
  ...cpuCases,
];

const NO_LIMITS: RunLimits = { deadline: 1e9, grace: 1e9, instructions: 1e8 };

export function layoutName(layout: DataLayout): string {
  return `addr${layout.addressBytes * 8} ${layout.endian}`;
}

const parsed = new Map<string, Module>();

/** Each text is read once: the cases run with several seeds and on several executors. */
export function parseProgram(program: ConformanceCase["program"], layout: DataLayout): Module {
  const text = `gbc 1 ${layoutName(layout)}\n${typeof program === "string" ? program : program(layout)}`;
  const module = parsed.get(text) ?? parseText(text, { fileName: "conformance" });
  parsed.set(text, module);
  return module;
}

/** Short form of much memory (FNV-1a, 32 bits), for comparing. */
export function hexDigest(bytes: Uint8Array): string {
  let hash = 0x811c_9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x0100_0193);
  return (hash >>> 0).toString(16);
}

// -------------------------------------------------------------------------------------------------------- outcomes as text

function formatPc(pc: number, image: LoadedImage): string {
  const fn = image.module.functions[Math.floor(pc / 0x1_0000) - 1];
  return `${fn?.name ?? "?"}:${pc % 0x1_0000}`;
}

function formatAddress(address: bigint, image: LoadedImage, machine: TestMachine): string {
  const { base, size } = machine.memory;
  for (const [index, symbol] of image.module.symbols.entries()) {
    const start = image.symbolAddress[index] ?? 0n;
    if (address >= start && address < start + BigInt(symbol.size)) return `@${symbol.name}+${address - start}`;
  }
  return address >= base && address < base + BigInt(size) ? `ram+0x${(address - base).toString(16)}` : `0x${address.toString(16)}`;
}

function formatTrap(trap: TrapRecord, image: LoadedImage, machine: TestMachine): string {
  const parts = [`${trap.class} ${formatPc(trap.pc, image)}`];
  if (trap.address !== 0n || trap.access !== 0)
    parts.push(`${["", "read", "write", "execute"][trap.access]}${trap.width} ${formatAddress(trap.address, image, machine)}`);
  if (trap.value !== 0n) parts.push(`value ${trap.value}`);
  const top = image.stacks[trap.cpu]?.top ?? 0n;
  parts.push(`cpu${trap.cpu} sp top-${top - trap.sp}`);
  return parts.join(", ");
}

/** "returned 1, 2" - "exit 3" - "unhandled-trap divide_error main:3, cpu0 sp top-64" - "deadlock main:4" and so on. */
export function formatOutcome(outcome: Outcome, image: LoadedImage, machine: TestMachine): string {
  switch (outcome.kind) {
    case "returned":
      return ["returned", outcome.values.join(", ")].join(" ").trim();
    case "exit":
      return `exit ${outcome.exit.code}`;
    case "unhandled-trap":
      return `unhandled-trap ${formatTrap(outcome.trap, image, machine)}`;
    case "double-fault":
      return `double-fault ${formatTrap(outcome.trap, image, machine)}; first ${formatTrap(outcome.first, image, machine)}`;
    case "deadlock":
    case "hung":
      return `${outcome.kind} ${formatPc(outcome.pc, image)}`;
  }
}

// ---------------------------------------------------------------------------------------------------------------- running

function makeContext(image: LoadedImage, machine: TestMachine): CaseContext {
  const { module } = image;
  const indexOf = (list: readonly { readonly name: string }[], name: string): number => {
    const index = list.findIndex((entry) => entry.name === name);
    if (index < 0) throw new Error(`conformance case: nothing is named ${name}`);
    return index;
  };
  return {
    layout: module.layout,
    image,
    machine,
    symbol: (name) => image.symbolAddress[indexOf(module.symbols, name)] ?? 0n,
    pc: (name, instruction = 0) => BigInt((indexOf(module.functions, name) + 1) * 0x1_0000 + instruction),
    stackTop: image.stacks[0]?.top ?? 0n,
  };
}

/** Values of the right host type for their width: an executor must not hand out a bigint for an i32 or a negative number. */
function checkValueTypes(outcome: Outcome, image: LoadedImage, main: number): string[] {
  if (outcome.kind !== "returned") return [];
  const results = image.module.functions[main]?.signature.results ?? [];
  return results.flatMap((type, index) => {
    const value = outcome.values[index];
    const width = byteWidth(type, image.module.layout);
    const right =
      width === 8 ? typeof value === "bigint" && value === BigInt.asUintN(64, value) : typeof value === "number" && value >= 0 && value < 2 ** (8 * width);
    return right ? [] : [`result ${index} is ${typeof value} ${value}, which is no ${type}`];
  });
}

function runOnce(factory: ExecutorFactory, test: ConformanceCase, layout: DataLayout, seed: bigint): string[] {
  const module = parseProgram(test.program, layout);
  const machine = createTestMachine({ addressBytes: layout.addressBytes, cpuCount: test.cpus ?? 1, seed });
  const image = loadTestImage(module, machine);
  const main = module.functions.findIndex((fn) => fn.name === "main");
  const expected = typeof test.expect === "function" ? test.expect(makeContext(image, machine)) : test.expect;
  const executor = factory.create(image, machine);
  const outcome = executor.call(main, test.args ?? [], { ...NO_LIMITS, ...test.limits });
  const problems = checkValueTypes(outcome, image, main);
  const compare = (what: string, actual: string | number, wanted: string | number | undefined): void => {
    if (wanted !== undefined && actual !== wanted) problems.push(`${what}: ${actual}, expected ${wanted}`);
  };
  compare("outcome", formatOutcome(outcome, image, machine), expected.outcome);
  compare("instructions", executor.instructions(), expected.instructions);
  compare("time", machine.now(), expected.time);
  compare("log", machine.log.join("; "), expected.log?.join("; "));
  compare("scheduler draws", machine.draws(), expected.draws ?? ((test.cpus ?? 1) === 1 ? 0 : undefined));
  for (const [name, cells] of Object.entries(expected.memory ?? {})) {
    compare(`memory of ${name}`, hexOf(readSymbol(image, machine, name)), hexOf(encodeCells(cells, layout)));
  }
  problems.push(...checkDirtyPages(image, machine, expected));
  releaseTestMachine(machine);
  return problems.map((problem) => `${test.name} [${layoutName(layout)}${test.seeds === undefined ? "" : ` seed ${seed}`}]: ${problem}`);
}

/** A page that differs from its initial contents must be marked: restoring a snapshot relies on it. */
function checkDirtyPages(image: LoadedImage, machine: TestMachine, expected: Expectation): string[] {
  const problems: string[] = [];
  for (const [index, symbol] of image.module.symbols.entries()) {
    if (expected.memory?.[symbol.name] === undefined || symbol.relocations.length > 0) continue;
    const start = Number((image.symbolAddress[index] ?? 0n) - machine.memory.base);
    for (let offset = 0; offset < symbol.size; offset++) {
      const changed = machine.memory.bytes[start + offset] !== (symbol.bytes[offset] ?? 0);
      if (changed && machine.memory.bytes[machine.memory.dirtyOffset + ((start + offset) >>> 12)] !== 1) {
        problems.push(`page of ${symbol.name}+${offset} was written but is not dirty`);
        break;
      }
    }
  }
  return problems;
}

/** Runs a case in all its layouts and seeds; what is wrong, empty if nothing. */
export function runConformanceCase(factory: ExecutorFactory, test: ConformanceCase): string[] {
  return (test.layouts ?? LAYOUTS).flatMap((layout) => (test.seeds ?? [1n]).flatMap((seed) => runOnce(factory, test, layout, seed)));
}
