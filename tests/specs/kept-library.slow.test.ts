// Specs with the library's functions as an earlier compilation has kept them: every image is the same, to the byte. All of them as bytecode, and
// each as machine code for one of the targets.

import { test } from "node:test";
import { specFiles } from "../fixtures/compile.ts";
import { expectSameImages } from "../fixtures/kept-library.ts";

const specs = specFiles("specs");
const NATIVE_MACHINES = ["x86-q35", "riscv-virt", "arm64-virt"] as const;

const expectSame = (machine: string, some: readonly string[]): Promise<void> =>
  expectSameImages(
    machine,
    some,
    some.filter((_, index) => index % 20 === 0),
  );

test("all images for bytecode-virt", () => expectSame("bytecode-virt", specs));

NATIVE_MACHINES.forEach((machine, share) => {
  test(`a third of the images, for ${machine}`, () =>
    expectSame(
      machine,
      specs.filter((_, index) => index % NATIVE_MACHINES.length === share),
    ));
});
