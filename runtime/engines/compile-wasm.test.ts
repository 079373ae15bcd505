// What V8 makes of a translated image, asked of V8 itself: a hint that it no longer reads would go unnoticed otherwise, for hints change
// speed only.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInThisContext } from "node:vm";
import { translationOptions } from "../cpus/bytecode/compiled-image.ts";
import { parseProgram } from "../cpus/bytecode/conformance.ts";
import { createTestMachine, loadTestImage } from "../cpus/bytecode/test-machine.ts";
import { FUNCTIONS_EXPORT, IMPORT_MODULE, translate } from "../cpus/bytecode/translate.ts";
import { ByteWriter, SECTION, writeCompilationHints, writeHeader, writeSection } from "../cpus/wasm/encoder.ts";
import { compileWithHints, hasHintFlags } from "./compile-wasm.ts";

const PROGRAM = `
func @straight (i32) -> (i32) {
  %0 = add.i32 %0, %0
  return %0
}
func @looping (i32) -> (i32) {
  reg %1:i32, %2:i8
  %1 = const.i32 1
  loop
    %0 = sub.i32 %0, %1
    %2 = trunc.i32.i8 %0
    br_if %2, 0
  end
  return %0
}
func @loop_without_branch (i32) -> (i32) {
  loop
    return %0
  end
  unwind %0
}`;

type GuestFunction = (sp: number, fuel: number, operand: number) => readonly [number, number];

/** The guest's functions, by name, in an instance whose imports do nothing. */
function instantiate(): ReadonlyMap<string, GuestFunction> {
  const machine = createTestMachine({ addressBytes: 8 });
  const image = loadTestImage(parseProgram(PROGRAM, { addressBytes: 8, endian: "little" }), machine);
  const compiled = compileWithHints(translate(image.module, translationOptions(image, machine)));
  const imports: { [name: string]: WebAssembly.ImportValue } = {};
  for (const { name, kind } of WebAssembly.Module.imports(compiled)) imports[name] = kind === "memory" ? new WebAssembly.Memory({ initial: 1 }) : () => 0;
  const table = new WebAssembly.Instance(compiled, { [IMPORT_MODULE]: imports }).exports[FUNCTIONS_EXPORT];
  assert.ok(table instanceof WebAssembly.Table);
  return new Map(image.module.functions.map((fn, index) => [fn.name, table.get(index) as GuestFunction]));
}

test("functions with loops run in optimized code from their first call on, others when they are hot", { skip: !hasHintFlags() }, (t) => {
  setFlagsFromString("--allow-natives-syntax");
  t.after(() => setFlagsFromString("--no-allow-natives-syntax"));
  const isOptimized = runInThisContext("(wasmFunction) => %IsTurboFanFunction(wasmFunction)") as (wasmFunction: GuestFunction) => boolean;
  const optimized: { [name: string]: boolean } = {};
  for (const [name, call] of instantiate()) {
    assert.ok(!isOptimized(call), `${name} is not compiled before it is called`);
    assert.equal(call(0x8000, 10_000, 3).length, 2);
    optimized[name] = isOptimized(call);
  }
  assert.deepEqual(optimized, { straight: false, looping: true, loop_without_branch: false });
});

test("V8's flags are put back", { skip: !hasHintFlags() }, () => {
  // One function, and two hints: an error where V8 reads hints at all.
  const w = new ByteWriter(64);
  writeHeader(w);
  for (const [section, bytes] of [
    [SECTION.type, [1, 0x60, 0, 0]],
    [SECTION.function, [1, 0]],
  ] as const) {
    writeSection(w, section, (contents) => contents.append(Uint8Array.from(bytes)));
  }
  writeCompilationHints(w, [true, true]);
  writeSection(w, SECTION.code, (contents) => contents.append(Uint8Array.of(1, 2, 0, 0x0b)));
  const bytes = w.view().slice();
  assert.throws(() => compileWithHints(bytes), /compilation hint/);
  assert.ok(new WebAssembly.Module(bytes));
});
