// The conformance table of the bytecode (runtime/cpus/bytecode/conformance) as machine code: what the interpreter does, each native
// target must do. The interpreter itself is held to the table by its own test. Cases that are about the embedded machine and
// not about the bytecode are left out by the rules below; the counts of both are part of the test.

import assert from "node:assert/strict";
import { test } from "node:test";
import { NATIVE_TARGET_NAMES } from "../../compiler/targets/names.ts";
import { codeAddress, type Instruction, type Module } from "../../isa/bytecode/module.ts";
import { conformanceCases, parseProgram, type ConformanceCase } from "../../runtime/cpus/bytecode/conformance.ts";
import { DEVICE_BASE } from "../../runtime/cpus/bytecode/test-machine.ts";
import type { ForeignModule } from "../fixtures/native-modules.ts";
import { runAlone, runModules, type NativeHost, type NativeOutcome } from "../fixtures/native-run.ts";
import { differences, interpret, observeNative, watchedSymbols, type InterpreterRun } from "./observe.ts";
import { requireHost } from "./require-host.ts";

const LAYOUT = { addressBytes: 8, endian: "little" } as const;

interface Facts {
  readonly test: ConformanceCase;
  readonly module: Module;
  /** Made when it is asked for: what is left out need not run, and may run for long. */
  readonly expected: InterpreterRun;
}

function factsOf(each: ConformanceCase): Facts {
  const module = parseProgram(each.program, LAYOUT);
  let expected: InterpreterRun | null = null;
  return {
    test: each,
    module,
    get expected() {
      return (expected ??= interpret(module, each.args ?? []));
    },
  };
}

const instructions = ({ module }: Facts): readonly Instruction[] => module.functions.flatMap(({ body }) => body);
const uses = (facts: Facts, ...names: readonly string[]): boolean => instructions(facts).some(({ op }) => names.includes(op));
const constants = (facts: Facts): readonly bigint[] => instructions(facts).flatMap(({ op, imm }) => (op === "const" ? [BigInt(imm[0] ?? 0)] : []));
const hasConstant = (facts: Facts, matches: (value: bigint) => boolean): boolean => constants(facts).some(matches);
const inRange = (start: bigint, size: bigint) => (value: bigint) => value >= start && value < start + size;

/** The test machine's RAM in this layout, and as many bytes as it has. */
const RAM_BASE = 0x1_8000_0000n;
const RAM_SIZE = 0x10_0000n;

/** Frames from here on are about the stack's size, which is 64 KiB natively and 16 KiB in the test machine. */
const LARGE_FRAME = 4096;

/** Why a case is left out, the first rule that applies. */
const RULES: readonly (readonly [reason: string, applies: (facts: Facts) => boolean])[] = [
  ["needs several CPUs", ({ test: { cpus = 1 } }) => cpus > 1],
  ["uses the test machine's device", (facts) => hasConstant(facts, inRange(DEVICE_BASE, 0x100n))],
  ["uses the test machine's ports", (facts) => uses(facts, "port_in", "port_out")],
  ["is about guest time or interrupts", (facts) => facts.module.interruptVector >= 0 || uses(facts, "time", "wait", "relax", "doze", "irq_pending")],
  ["is about limits of a run", ({ test: { limits } }) => limits !== undefined],
  [
    "is about the number of a code address",
    (facts) => hasConstant(facts, (value) => facts.module.functions.some((_fn, index) => BigInt(codeAddress(index, 0)) === value)),
  ],
  [
    "is about what calls take of the stack",
    ({ module }) => module.functions.some(({ body, signature }) => signature.results.includes("addr") && body.some(({ op }) => op === "frame_addr")),
  ],
  ["is about stack sizes", ({ module }) => module.functions.some(({ frameSize }) => frameSize >= LARGE_FRAME)],
  [
    "is about the place or size of the test machine's RAM",
    (facts) =>
      facts.expected.traps.length > 0 &&
      (hasConstant(facts, inRange(RAM_SIZE, 2n * RAM_SIZE)) ||
        hasConstant(facts, inRange(RAM_BASE, RAM_SIZE)) ||
        hasConstant(facts, (value) => value === 0x8000_0000n)),
  ],
  ["traps without a trap vector", ({ module, expected }) => module.trapVector < 0 && expected.kind !== "returned"],
];

/** How deep a stack is differs: the depth at which it overflows too. */
const countsFrames = ({ expected }: Facts, symbol: string): boolean => expected.traps.includes("stack_overflow") && symbol === "count";

function leftOutBecause(facts: Facts): string | null {
  return RULES.find(([, applies]) => applies(facts))?.[0] ?? null;
}

interface Sorted {
  readonly run: readonly Facts[];
  readonly leftOut: ReadonlyMap<string, number>;
}

function sortCases(): Sorted {
  const run: Facts[] = [];
  const leftOut = new Map<string, number>();
  for (const each of conformanceCases) {
    const facts = factsOf(each);
    const reason = leftOutBecause(facts);
    if (reason === null) run.push(facts);
    else leftOut.set(reason, (leftOut.get(reason) ?? 0) + 1);
  }
  return { run, leftOut };
}

const { run: cases, leftOut } = sortCases();

const foreign = ({ test: { args = [] }, module }: Facts): ForeignModule => ({ module, args, watched: watchedSymbols(module) });

function problemsOf(facts: Facts, outcome: NativeOutcome | undefined): readonly string[] {
  if (outcome === undefined) return [`${facts.test.name}: did not run`];
  const found = differences(facts.expected.observation, observeNative(facts.module, outcome), (symbol) => !countsFrames(facts, symbol));
  return found.map((problem) => `${facts.test.name}: ${problem}`);
}

/** Assembly of another target traps; that of this one runs. */
const hasAssemblyOf = ({ module }: Facts, target: string): boolean => module.assembly.some(({ isa }) => isa === target);

async function runCases(host: NativeHost): Promise<readonly string[]> {
  const all = cases.filter((facts) => !hasAssemblyOf(facts, host.target.name));
  const returning = all.filter(({ expected }) => expected.kind === "returned");
  const ending = all.filter(({ expected }) => expected.kind !== "returned");
  const outcomes = await runModules(host, returning.map(foreign));
  const endings = await runAlone(host, ending.map(foreign));
  return [...returning.flatMap((facts, index) => problemsOf(facts, outcomes[index])), ...ending.flatMap((facts, index) => problemsOf(facts, endings[index]))];
}

test("what of the conformance table is about the embedded machine", () => {
  assert.deepEqual(Object.fromEntries(leftOut), {
    "needs several CPUs": 20,
    "uses the test machine's device": 40,
    "uses the test machine's ports": 7,
    "is about guest time or interrupts": 8,
    "is about limits of a run": 9,
    "is about the number of a code address": 1,
    "is about what calls take of the stack": 2,
    "is about stack sizes": 8,
    "is about the place or size of the test machine's RAM": 34,
    "traps without a trap vector": 2,
  });
  assert.equal(cases.length, 356);
  assert.deepEqual(
    NATIVE_TARGET_NAMES.map((name) => cases.filter((facts) => hasAssemblyOf(facts, name)).length),
    [1, 0, 0],
  );
});

for (const name of NATIVE_TARGET_NAMES) {
  test(`conformance of ${name}`, async (context) => {
    const host = await requireHost(name, context);
    if (host === null) return;
    const problems = await runCases(host);
    assert.deepEqual(problems, []);
  });
}
