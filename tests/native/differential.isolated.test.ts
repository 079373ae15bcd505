// Machine code against the interpreter on generated modules: what @main returns, the trace of traps and guards, and the final bytes of
// all data must be equal. Each module exercises a few hundred instructions with traps in between; more of them run with
// GUESTSPEC_FUZZ_ROUNDS, others with GUESTSPEC_FUZZ_SEED. A failure names the seed and the options that bring the module back.

import assert from "node:assert/strict";
import { test } from "node:test";
import { NATIVE_TARGET_NAMES } from "../../compiler/targets/names.ts";
import type { Module } from "../../isa/bytecode/module.ts";
import { generateModule, type GenerateOptions } from "../fixtures/generate-module.ts";
import type { ForeignModule } from "../fixtures/native-modules.ts";
import { runForBytes, runModules, type NativeHost } from "../fixtures/native-run.ts";
import { createRandom, FUZZ_SEED, fuzzRounds } from "../fixtures/random.ts";
import { differences, interpret, observeNative, watchedSymbols } from "./observe.ts";
import { requireHost } from "./require-host.ts";

/** Page 0 is RAM on none of the machines, or not mapped. */
const HOLE = 0x400n;
const LAYOUT = { addressBytes: 8, endian: "little" } as const;
const COMMON: GenerateOptions = { layout: LAYOUT, portable: { hole: HOLE } };

/** What modules are like, and how many of a hundred. */
const SHAPES: readonly { readonly name: string; readonly percent: number; readonly options: GenerateOptions }[] = [
  { name: "usual", percent: 50, options: COMMON },
  { name: "arguments and results on the stack", percent: 30, options: { ...COMMON, functions: 6, arity: { params: 14, results: 12 } } },
  // Branches over more than the 4 KiB that the shortest ones of RISC-V reach, and more values than there are registers.
  { name: "long functions", percent: 20, options: { ...COMMON, functions: 2, statements: 250 } },
];

interface Generated {
  readonly name: string;
  readonly module: Module;
}

function generate(rounds: number): readonly Generated[] {
  const random = createRandom(FUZZ_SEED);
  return SHAPES.flatMap(({ name, percent, options }) =>
    Array.from({ length: Math.ceil((rounds * percent) / 100) }, (): Generated => {
      const seed = random.u32();
      return { name: `${name}, seed ${seed}`, module: generateModule(seed, options) };
    }),
  );
}

/** Index of the first digit that is another, -1 if none is. */
function firstDifference(a: string, b: string): number {
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return index;
  return -1;
}

/** The place of the first difference, where both have all bytes. */
async function whereBytesDiffer(host: NativeHost, { module }: Generated, foreign: ForeignModule): Promise<readonly string[]> {
  const again = await runForBytes(host, foreign);
  const expected = interpret(module, [], Infinity).observation;
  const actual = observeNative(module, again);
  const places = [...expected.memory].flatMap(([symbol, contents]) => {
    const other = actual.memory.get(symbol) ?? "";
    const at = firstDifference(contents, other);
    const word = (digits: string): string => digits.slice(at & ~15, (at & ~15) + 16);
    return at < 0 ? [] : [`@${symbol}+${at >> 1}: ${word(other)}, in the interpreter ${word(contents)}`];
  });
  return [`alone: ${actual.outcome}`, ...places];
}

/** Later modules may suffer from what an earlier one did: few are enough to look at. */
const MOST_REPORTED = 3;

async function compare(host: NativeHost, generated: readonly Generated[]): Promise<readonly string[]> {
  const foreign = generated.map(({ module }): ForeignModule => ({ module, args: [], watched: watchedSymbols(module) }));
  const outcomes = await runModules(host, foreign);
  const problems: string[] = [];
  let reported = 0;
  for (const [index, each] of generated.entries()) {
    const outcome = outcomes[index];
    const module = foreign[index];
    if (outcome === undefined || module === undefined) throw new Error(`${each.name} did not run`);
    const found = differences(interpret(each.module, []).observation, observeNative(each.module, outcome));
    if (found.length === 0) continue;
    reported += 1;
    const details = reported > MOST_REPORTED ? [] : await whereBytesDiffer(host, each, module);
    problems.push([`${each.name}:`, ...found, ...details].join("\n  "));
  }
  return problems;
}

for (const name of NATIVE_TARGET_NAMES) {
  test(`generated modules as machine code of ${name}`, async (context) => {
    const host = await requireHost(name, context);
    if (host === null) return;
    const problems = await compare(host, generate(fuzzRounds(100)));
    assert.equal(problems.join("\n"), "");
  });
}
