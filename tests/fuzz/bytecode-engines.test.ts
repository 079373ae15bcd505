// Both executors of guest bytecode on the same generated modules, in all four data layouts: outcome, instruction count, guest time, the
// whole of RAM and what the device saw must be equal. Limits and an event that ends the machine are drawn too, so that runs end in the
// middle of loops, vectors and guards. GUESTSPEC_FUZZ_SEED and GUESTSPEC_FUZZ_ROUNDS widen the search; a failure names the seed and
// how to print its module.

import assert from "node:assert/strict";
import { test } from "node:test";
import { generateModule } from "../../isa/bytecode/generate.ts";
import type { DataLayout, Module } from "../../isa/bytecode/module.ts";
import { formatOutcome, layoutName } from "../../runtime/cpus/bytecode/conformance.ts";
import { interpreterFactory } from "../../runtime/cpus/bytecode/interpreter.ts";
import { createTestMachine, DEVICE_BASE, loadTestImage, TEST_REGISTERS } from "../../runtime/cpus/bytecode/test-machine.ts";
import { wasmFactory } from "../../runtime/cpus/bytecode/wasm-executor.ts";
import type { ExecutorFactory, RunLimits } from "../../runtime/machine/cpu-contract.ts";
import { PAGE_SIZE, pageCount, releaseMemory, takeDirtyPages } from "../../runtime/machine/memory.ts";

const ROUNDS = Number(process.env["GUESTSPEC_FUZZ_ROUNDS"] ?? 50);
const SEED = Number(process.env["GUESTSPEC_FUZZ_SEED"] ?? 1);

const LAYOUTS: readonly DataLayout[] = [
  { addressBytes: 4, endian: "little" },
  { addressBytes: 4, endian: "big" },
  { addressBytes: 8, endian: "little" },
  { addressBytes: 8, endian: "big" },
];

const DEVICE = { base: DEVICE_BASE, storageBytes: 64, timer: TEST_REGISTERS.TIMER, lower: TEST_REGISTERS.LOWER };

/** What besides the module makes a run. */
interface Circumstances {
  readonly limits: RunLimits;
  /** Guest time at which the machine is ended from outside the program, or null. */
  readonly exitAfter: number | null;
}

interface Observed {
  readonly outcome: string;
  readonly instructions: number;
  readonly time: number;
  readonly log: readonly string[];
  /** Pages that were changed and are not marked dirty: a restore would miss them. */
  readonly unmarked: readonly number[];
  readonly ram: Uint8Array;
}

function run(factory: ExecutorFactory, module: Module, { limits, exitAfter }: Circumstances): Observed {
  const machine = createTestMachine({ addressBytes: module.layout.addressBytes });
  const image = loadTestImage(module, machine);
  if (exitAfter !== null) assert.ok(machine.bus.write(DEVICE_BASE + BigInt(TEST_REGISTERS.EXIT_AFTER), 4, exitAfter));
  machine.log.length = 0;
  const { memory } = machine;
  const before = memory.bytes.slice(0, memory.size);
  const executor = factory.create(image, machine);
  const main = module.exports.find(({ name }) => name === "main");
  assert.ok(main !== undefined);
  const outcome = executor.call(main.function, [], limits);
  const ram = memory.bytes.slice(0, memory.size);
  const list = new Uint32Array(pageCount(memory));
  const dirty = new Set(list.subarray(0, takeDirtyPages(memory, list)));
  const isChanged = (page: number): boolean => Buffer.compare(ram.subarray(page * PAGE_SIZE, (page + 1) * PAGE_SIZE), before.subarray(page * PAGE_SIZE, (page + 1) * PAGE_SIZE)) !== 0;
  const unmarked = [...list.keys()].filter((page) => !dirty.has(page) && isChanged(page));
  const observed = { outcome: formatOutcome(outcome, image, machine), instructions: executor.instructions(), time: machine.now(), log: machine.log, unmarked, ram };
  releaseMemory(memory, list.keys());
  return observed;
}

/** Unlimited once, then cut short at places that the unlimited run shows to be inside it. */
function circumstancesOf(seed: number, whole: Observed | null): Circumstances {
  const open = { deadline: 1e12, grace: 1e12, instructions: 1e9 };
  if (whole === null) return { limits: open, exitAfter: null };
  const at = (part: number): number => Math.floor((whole.time * ((seed * 7919 * part) % 1000)) / 1000);
  switch (seed % 4) {
    case 0:
      return { limits: { deadline: at(1), grace: at(3) % 400, instructions: 1e9 }, exitAfter: null };
    case 1:
      return { limits: { deadline: 1e12, grace: at(3) % 400, instructions: at(1) }, exitAfter: null };
    case 2:
      return { limits: open, exitAfter: at(1) };
    default:
      return { limits: { deadline: at(1), grace: 1e6, instructions: at(2) }, exitAfter: at(3) };
  }
}

function compare(module: Module, circumstances: Circumstances): Observed {
  const expected = run(interpreterFactory, module, circumstances);
  const actual = run(wasmFactory, module, circumstances);
  const { ram, ...told } = actual;
  const { ram: expectedRam, ...expectedTold } = expected;
  assert.deepEqual(told, expectedTold);
  assert.deepEqual(told.unmarked, []);
  const at = ram.findIndex((byte, offset) => byte !== expectedRam[offset]);
  assert.equal(at, -1, `RAM differs at offset ${at}: ${ram[at]}, expected ${expectedRam[at]}`);
  return expected;
}

for (const layout of LAYOUTS) {
  test(`generated modules run alike on both executors, ${layoutName(layout)}`, () => {
    const kinds = new Map<string, number>();
    for (let seed = SEED; seed < SEED + ROUNDS; seed++) {
      const module = generateModule(seed, { layout, functions: 2 + (seed % 6), statements: 10 + (seed % 30), device: DEVICE });
      try {
        const whole = compare(module, circumstancesOf(seed, null));
        const cut = compare(module, circumstancesOf(seed, whole));
        for (const { outcome } of [whole, cut]) {
          const kind = outcome.split(" ", 1)[0] ?? "";
          kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
        }
      } catch (error) {
        throw new Error(`seed ${seed}, ${layoutName(layout)}: generateModule(${seed}, { functions: ${2 + (seed % 6)}, statements: ${10 + (seed % 30)}, .. })`, { cause: error });
      }
    }
    // A search that only ever sees one kind of end has lost its point.
    if (ROUNDS >= 50) for (const kind of ["returned", "exit"]) assert.ok((kinds.get(kind) ?? 0) > 0, `no run ended as ${kind}: ${[...kinds.keys()].join(", ")}`);
  });
}
