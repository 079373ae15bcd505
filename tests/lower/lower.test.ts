// The bytecode of small functions, so that a change of lowering shows in the diff of what it does to real code. Only the functions
// of the spec itself are printed; numbers that the library around them shifts (locations, shared constants) are left out.

import { TARGETS } from "../../compiler/index.ts";
import { printAssembly, printFunction } from "../../isa/bytecode/text.ts";
import { compileFiles } from "../fixtures/compile.ts";
import { goldenFolder, type GoldenInput } from "../goldens.ts";

/** `riscv64-asm.gspec` is compiled for riscv64. */
const targetOf = (path: string): string => TARGETS.find((target) => path.startsWith(`tests/lower/${target}-`)) ?? "bytecode";

function lower({ path }: GoldenInput): string {
  const { diagnostics, images } = compileFiles([path], { target: targetOf(path) });
  const [image] = images;
  if (image === undefined) throw new Error(diagnostics.map(({ code, message }) => `${code} ${message}`).join("\n"));
  const { module } = image;
  const constants = new Map<string, string>();
  const stable = (name: string): string => {
    const known = constants.get(name) ?? `const.${String.fromCharCode(97 + constants.size)}`;
    constants.set(name, known);
    return known;
  };
  const functions = module.functions
    .flatMap((fn, index) => {
      // The test "is used" only keeps the functions alive; what is made around tests is the same for all.
      if (/^is used$|: (?:case|fixture variables)$/.test(fn.name)) return [];
      const location = module.locations[fn.body.find(({ at }) => at >= 0)?.at ?? -1];
      return location !== undefined && module.files[location.file] === path ? [printFunction(module, index)] : [];
    })
    .toSorted()
    .map((text) => text.replaceAll(/;@\d+ /g, "; ").replaceAll(/const\.\d+/g, stable));
  return [...functions, ...module.assembly.map((_, index) => printAssembly(module, index, false))].join("\n");
}

goldenFolder({ name: "lowering", folder: "tests/lower", inputs: [".gspec"], expected: ".gbc", produce: lower });
