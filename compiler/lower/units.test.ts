// Functions that images share: an image is the same, to the byte, whether it is compiled alone or behind others that had its functions first.
import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeModule } from "../../isa/bytecode/binary.ts";
import type { Module } from "../../isa/bytecode/module.ts";
import { loadMachineLanguage } from "../../isa/machine-language.ts";
import { loadMachine } from "../../machines/load-machine.ts";
import { compile, type CompileOptions } from "../index.ts";
import { nativeOptions } from "../native/index.ts";
import { loadNativeTarget } from "../targets/index.ts";
import { readText } from "../../tests/fixtures/compile.ts";

// The stubs of one suite are nothing to the next one.
const SPECS: readonly string[] = [
  "specs/isolation/stubs.gspec",
  "specs/isolation/interfaces.gspec",
  "specs/smp/start.gspec",
  "specs/interrupts/ipi.gspec",
  "specs/kunit/add.gspec",
];

async function optionsFor(name: string): Promise<CompileOptions> {
  const result = loadMachine(name);
  if (result?.ok !== true) throw new Error(`no machine ${name}`);
  const { machine } = result;
  const options = { machine, readFile: readText, libDirectory: "lib/", language: await loadMachineLanguage(machine.target), parsed: new Map() };
  const target = await loadNativeTarget(machine.target);
  return target === null ? options : nativeOptions(target, options);
}

/** With the instructions of all functions, which shared ones make when somebody looks. */
function written(module: Module): Module {
  const functions = module.functions.map(({ name, signature, registers, frameSize, body }) => ({ name, signature, registers, frameSize, body }));
  return { ...module, functions };
}

for (const machine of ["bytecode-virt", "riscv-virt"]) {
  test(`images for ${machine} do not depend on what is compiled with them`, async () => {
    const options = await optionsFor(machine);
    const together = compile(SPECS, options).images;
    assert.equal(together.length, SPECS.length);
    const shared = together.at(-1)?.origins.filter((origin) => origin !== null && origin.numbers !== null) ?? [];
    assert.ok(shared.length > 50, `${shared.length} functions are shared`);
    for (const { path, module, manifest } of together) {
      const [alone] = compile([path], options).images;
      assert.deepEqual(alone?.manifest, manifest, path);
      assert.deepEqual(written(alone.module), written(module), path);
      assert.deepEqual(encodeModule(alone.module), encodeModule(module), path);
    }
  });
}
