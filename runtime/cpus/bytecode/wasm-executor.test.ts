// Translated code against the conformance table, and what only this engine promises: one compiled module for several machines and
// threads, the host's stack never deciding about the guest's, exact counts where its fuel runs far below zero, and clear words about what
// it cannot run.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MessageChannel, receiveMessageOnPort } from "node:worker_threads";
import { INSTRUCTIONS } from "../../../isa/bytecode/instructions.ts";
import type { LoadedImage, Outcome, RunLimits } from "../../machine/cpu-contract.ts";
import { compileImage, type CompiledImage } from "./compiled-image.ts";
import { conformanceCases, formatOutcome, parseProgram, runConformanceCase } from "./conformance.ts";
import { interpreterFactory } from "./interpreter.ts";
import { createTestMachine, loadTestImage, readSymbol } from "./test-machine.ts";
import type { TestMachine } from "./test-machine.ts";
import { TRANSLATED_INSTRUCTIONS } from "./translate-body.ts";
import { HostStackError, NeedsInterpreterError, createWasmExecutor, createWasmFactory, wasmFactory } from "./wasm-executor.ts";

const LITTLE64 = { addressBytes: 8, endian: "little" } as const;
const LIMITS: RunLimits = { deadline: 1e9, grace: 1e9, instructions: 1e8 };

function load(program: string, cpuCount = 1): { image: LoadedImage; machine: TestMachine } {
  const machine = createTestMachine({ addressBytes: 8, cpuCount });
  return { machine, image: loadTestImage(parseProgram({ name: "", program, expect: { outcome: "" } }.program, LITTLE64), machine) };
}

function mainOf(image: LoadedImage): number {
  return image.module.functions.findIndex((fn) => fn.name === "main");
}

test("every instruction of the table is translated, and no other", () => {
  assert.deepEqual([...TRANSLATED_INSTRUCTIONS].sort(), INSTRUCTIONS.map((row) => row.name).sort());
});

for (const testCase of conformanceCases) {
  if ((testCase.cpus ?? 1) > 1) continue;
  test(`conformance: ${testCase.name}`, () => {
    assert.deepEqual(runConformanceCase(wasmFactory, testCase), []);
  });
}

const COUNTER = `
data @counter size 8 align 8 writable
func @main (i64) -> (i64) {
  reg %1:addr, %2:i64
  %1 = symbol_addr @counter
  %2 = load.i64 %1
  %2 = add.i64 %2, %0
  store.i64 %1, %2
  return %2
}`;

test("one executor serves many calls, and each starts its own count", () => {
  const { image, machine } = load(COUNTER);
  const executor = wasmFactory.create(image, machine);
  for (let call = 1; call <= 3; call++) {
    assert.deepEqual(executor.call(0, [5n], LIMITS), { kind: "returned", values: [BigInt(5 * call)] });
    assert.equal(executor.instructions(), 5);
    assert.equal(machine.now(), 5 * call);
  }
});

test("a compiled image goes through a message port and runs on another machine", () => {
  const first = load(COUNTER);
  const compiled = compileImage(first.image, first.machine);
  const { port1, port2 } = new MessageChannel();
  port1.postMessage(compiled);
  const received = receiveMessageOnPort(port2)?.message as CompiledImage;
  port1.close();
  const second = load(COUNTER);
  const executor = createWasmExecutor(second.image, second.machine, received);
  assert.deepEqual(executor.call(0, [7n], LIMITS), { kind: "returned", values: [7n] });
  assert.equal(readSymbol(second.image, second.machine, "counter")[0], 7);
  assert.equal(readSymbol(first.image, first.machine, "counter")[0], 0);
});

test("a factory compiles an image once for all machines that place it alike", () => {
  let compilations = 0;
  const factory = createWasmFactory((bytes) => {
    compilations += 1;
    return new WebAssembly.Module(bytes);
  });
  const { image, machine } = load(COUNTER);
  const other = createTestMachine({ addressBytes: 8 });
  const sameImage = loadTestImage(image.module, other);
  factory.create(image, machine);
  const executor = factory.create(sameImage, other);
  assert.equal(compilations, 1);
  assert.deepEqual(executor.call(0, [1n], LIMITS), { kind: "returned", values: [1n] });
});

test("a compiled image is refused where the loader put things elsewhere", () => {
  const { image, machine } = load(COUNTER);
  const compiled = compileImage(image, machine);
  const moved: LoadedImage = { ...image, symbolAddress: image.symbolAddress.map((address) => address + 0x1000n) };
  assert.throws(() => createWasmExecutor(moved, machine, compiled), /another placement/);
});

test("starting another CPU that exists asks for the interpreter", () => {
  const { image, machine } = load(
    `
func @second (addr) -> () {
  return
}
func @main () -> (i32) {
  reg %0:i32, %1:addr
  %1 = func_addr @second
  %0 = const.i32 1
  %0 = cpu_start %0, %1, %1
  return %0
}`,
    2,
  );
  const executor = wasmFactory.create(image, machine);
  assert.throws(() => executor.call(mainOf(image), [], LIMITS), NeedsInterpreterError);
});

test("an error of a device model leaves the call, and the executor stays usable", () => {
  const { image, machine } = load(
    `
func @main (i32) -> (i32) {
  reg %1:addr, %2:i32
  %1 = const.addr 0x10000000
  if %0_is_set
    %2 = load_volatile.i32 %1
  end
  return %2
}`
      .replace("if %0_is_set", "%3 = trunc.i32.i8 %0\n  if %3")
      .replace("%2:i32", "%2:i32, %3:i8"),
  );
  const broken: TestMachine = {
    ...machine,
    bus: {
      ...machine.bus,
      read: () => {
        throw new Error("model is broken");
      },
    },
  };
  const executor = wasmFactory.create(image, broken);
  assert.throws(() => executor.call(0, [1], LIMITS), /model is broken/);
  assert.deepEqual(executor.call(0, [0], LIMITS), { kind: "returned", values: [0] });
});

/** A function that keeps `live` values over a call of itself, without end; through a guard if asked. */
function endlessRecursion(live: number, guarded: boolean): string {
  const kept = Array.from({ length: live }, (_, n) => n + 2);
  const next = live + 2;
  const call = guarded ? `%${next + 1} = func_addr @guarded\n%${next + 2} = guard %${next + 1}, %0` : `%${next} = call @f, %0, %1`;
  return `
data @values size 4096 align 8 writable
func @f (addr, i64) -> (i64) {
  reg ${kept.map((register) => `%${register}:i64`).join(", ")}, %${next}:i64, %${next + 1}:addr, %${next + 2}:i32
  ${kept.map((register, n) => `%${register} = load.i64 %0, +${n * 8}`).join("\n")}
  ${call}
  ${kept.map((register) => `%1 = add.i64 %1, %${register}`).join("\n")}
  return %1
}
func @guarded (addr) -> () {
  reg %1:i64
  %1 = call @f, %0, %1
  return
}
func @main () -> (i64) {
  reg %0:addr, %1:i64
  %0 = symbol_addr @values
  %1 = call @f, %0, %1
  return %1
}`;
}

/** With a stack of 128 KiB instead of the test machine's 16. */
function runDeep(program: string, kind: "interpreter" | "wasm"): { outcome: string; instructions: number } {
  const { image, machine } = load(program);
  const stacks = image.stacks.map(({ limit }) => ({ limit, top: limit + 0x2_0000n }));
  const deep: LoadedImage = { ...image, stacks };
  const executor = (kind === "wasm" ? wasmFactory : interpreterFactory).create(deep, machine);
  const outcome: Outcome = executor.call(mainOf(image), [], LIMITS);
  return { outcome: formatOutcome(outcome, deep, machine), instructions: executor.instructions() };
}

test("2047 calls deep, the guest's stack ends before the host's", () => {
  const program = endlessRecursion(8, false);
  const { outcome, instructions } = runDeep(program, "wasm");
  assert.match(outcome, /^unhandled-trap stack_overflow f:8, /);
  assert.deepEqual({ outcome, instructions }, runDeep(program, "interpreter"));
});

for (const guarded of [false, true]) {
  test(`with 200 values kept over each ${guarded ? "guard" : "call"}, the host's stack may end first but decides nothing`, () => {
    const program = endlessRecursion(200, guarded);
    const expected = runDeep(program, "interpreter");
    try {
      assert.deepEqual(runDeep(program, "wasm"), expected);
    } catch (error) {
      // With Node's default stack of 984 KiB; with --stack-size=3900 the comparison holds.
      assert.ok(error instanceof HostStackError, String(error));
    }
  });
}

test("counts stay exact when copies run far over the time limit between two poll points", () => {
  const program = `
data @block size 524288 align 8 writable
func @main () -> (i64) {
  reg %0:addr, %1:addr, %2:i8, %3:i64
  %0 = symbol_addr @block
  %1 = const.addr 524288
  ${"mem_fill %0, %2, %1\n".repeat(40)}
  %3 = time
  return %3
}`;
  const run = (kind: "interpreter" | "wasm"): unknown => {
    const { image, machine } = load(program);
    const executor = (kind === "wasm" ? wasmFactory : interpreterFactory).create(image, machine);
    const outcome = executor.call(mainOf(image), [], { deadline: 10, grace: 10, instructions: 10 });
    return { outcome, instructions: executor.instructions(), time: machine.now() };
  };
  const expected = 2 + 40 * (1 + 65536);
  assert.deepEqual(run("wasm"), { outcome: { kind: "returned", values: [BigInt(expected)] }, instructions: expected + 2, time: expected + 2 });
  assert.deepEqual(run("wasm"), run("interpreter"));
});
