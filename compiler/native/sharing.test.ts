// What the images of a compilation share: machine code, lines and frames of an image are the same, to the byte, whether it is compiled alone or
// behind others that had its functions first.

import assert from "node:assert/strict";
import { test } from "node:test";
import { loadMachineLanguage } from "../../isa/machine-language.ts";
import { loadMachine } from "../../machines/load-machine.ts";
import { readText } from "../../tests/fixtures/compile.ts";
import type { ParsedFiles } from "../program.ts";
import { loadNativeTarget } from "../targets/index.ts";
import { compileNative, type CompiledNative } from "./index.ts";

const SPECS: readonly string[] = ["specs/isolation/stubs.gspec", "specs/isolation/interfaces.gspec", "specs/smp/start.gspec", "specs/kunit/add.gspec"];

for (const name of ["riscv-virt", "x86-q35", "arm64-virt"]) {
  test(`images for ${name} do not depend on what is compiled with them`, async () => {
    const result = loadMachine(name);
    assert.ok(result?.ok === true);
    const { machine } = result;
    const target = await loadNativeTarget(machine.target);
    assert.ok(target !== null);
    const parsed: ParsedFiles = new Map();
    const options = { machine, readFile: readText, libDirectory: "lib/", language: await loadMachineLanguage(machine.target), parsed };
    const together = compileNative(SPECS, target, options).images;
    assert.equal(together.length, SPECS.length);
    for (const image of together) {
      const [alone] = compileNative([image.path], target, options).images as readonly [CompiledNative];
      assert.ok(Buffer.compare(alone.native.bytes, image.native.bytes) === 0, image.path);
      assert.deepEqual(alone.native.symbols, image.native.symbols);
      assert.deepEqual(alone.native.lines, image.native.lines);
      assert.deepEqual(alone.native.frames, image.native.frames);
    }
  });
}
