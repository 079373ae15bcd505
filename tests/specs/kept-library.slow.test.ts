// All of specs/ with the library's functions as an earlier compilation has kept them: every image is the same, to the byte.

import { test } from "node:test";
import { specFiles } from "../fixtures/compile.ts";
import { expectSameImages } from "../fixtures/kept-library.ts";

const specs = specFiles("specs");

for (const machine of ["bytecode-virt", "x86-q35", "riscv-virt", "arm64-virt"]) {
  test(`all images for ${machine}`, () =>
    expectSameImages(
      machine,
      specs,
      specs.filter((_, index) => index % 20 === 0),
    ));
}
