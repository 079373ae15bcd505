// The bytecode of small functions, so that a change of lowering shows in the diff of what it does to real code. Only the functions
// of the spec itself are printed; numbers that the library around them shifts (locations, shared constants) are left out.

import { printAssembly, printFunction } from "../../isa/bytecode/text.ts";
import { compileFiles, type BOARDS } from "../fixtures/compile.ts";
import { goldenFolder, type GoldenInput } from "../goldens.ts";

/** `riscv64-asm.gspec` is compiled for riscv64. */
const targetOf = (path: string): keyof typeof BOARDS => (path.startsWith("tests/lower/riscv64-") ? "riscv64" : "bytecode");

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
  // Blocks in the order in which the functions name them: the library has others.
  const text = functions.join("\n");
  const blocks = [...new Set([...text.matchAll(/\basm(\d+)\b/g)].map(([, index]) => Number(index)))];
  const printed = blocks.map((index) => printAssembly(module, index, false));
  return [text, ...printed].join("\n").replaceAll(/\basm(\d+)\b/g, (_, index: string) => `asm${blocks.indexOf(Number(index))}`);
}

goldenFolder({ name: "lowering", folder: "tests/lower", inputs: [".gspec"], expected: ".gbc", produce: lower });
