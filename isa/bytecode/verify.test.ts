// The verifier: what docs/bytecode.md allows is let through, and each rule that a module can break has its own problem.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { generateModule } from "../../tests/fixtures/generate-module.ts";
import type { Instruction, Module } from "./module.ts";
import { parseText } from "./text.ts";
import { formatProblem, verifyModule } from "./verify.ts";

const parse = (text: string): Module => parseText(`gbc 1 addr32 little\n${text}`);
const messages = (module: Module): string[] => verifyModule(module).map((problem) => formatProblem(module, problem));

test("generated modules are valid", () => {
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      assert.deepEqual(verifyModule(generateModule(seed)), []);
    }),
    { numRuns: 200 },
  );
});

/** A function (i32) -> (i32) with %1:i32, %2:i8, %3:addr, %4:i64, %5:i16. */
const fn = (body: string): string => `func @f (i32) -> (i32) frame 16 {\nreg %1:i32, %2:i8, %3:addr, %4:i64, %5:i16\n${body}\n}`;
const returning = (body: string): string => fn(`${body}\nreturn %0`);

const VALID: Readonly<Record<string, string>> = {
  "unreachable code behind a branch": fn("block\nbr 0\n%1 = copy.i32 %0\nend\nreturn %0\n%1 = copy.i32 %0\nreturn %1"),
  "an endless loop at the end": fn("loop\nbr 0\nend"),
  "both parts of an if return": fn("if %2\nreturn %0\nelse\nreturn %1\nend"),
  "a trap at the end": fn("trap bounds, %4"),
  "a block left by br_table only to outer places": fn("loop\nblock\nbr_table %0, 1\nend\nend"),
  "conversions of equal width": returning("%3 = zext.i32.addr %0\n%1 = trunc.addr.i32 %3\n%1 = sext.addr.i32 %3"),
  "constants from the signed minimum to the unsigned maximum": returning("%2 = const.i8 -128\n%2 = const.i8 255\n%4 = const.i64 0xffffffffffffffff"),
  "sys with any registers": returning("%1, %4 = sys riscv64, 7, %2, %3, %5"),
  "asm with any types": `assembly asm0 riscv64 in "a0", "a1" out "a0" memory {\nbytes "13000000"\nline 0 0\n}\n${returning("%4 = asm asm0, %2, %3")}`,
};

for (const [name, text] of Object.entries(VALID)) {
  test(`valid: ${name}`, () => assert.deepEqual(messages(parse(text)), []));
}

const F = "function f, instruction";
const INVALID: readonly (readonly [text: string, problems: readonly string[]])[] = [
  [fn("%1 = copy.i32 %0"), ["function f: control can reach the end of the body"]],
  [fn("if %2\nreturn %0\nend"), ["function f: control can reach the end of the body"]],
  [fn("block\nbr_if %2, 0\nreturn %0\nend"), ["function f: control can reach the end of the body"]],
  [fn("block\nreturn %0"), ["function f: 1 regions are not closed by 'end'"]],
  [returning("end"), [`${F} 0: end without a region`]],
  [returning("block\nelse\nend"), [`${F} 1: else outside an if`]],
  [returning("if %2\nelse\nelse\nend"), [`${F} 2: else outside an if`]],
  [returning("br 0"), [`${F} 0: br: depth 0 does not exist`]],
  [returning("block\nbr_table %0, 0, 1\nend"), [`${F} 1: br_table: depth 1 does not exist`]],
  [returning("block\nbr_table %0\nend"), [`${F} 1: br_table takes at least one depth, has 0`]],
  [returning("%1 = add.i32 %0"), [`${F} 0: add has 1 operands, expected 2`]],
  [returning("%1 = add.i32 %0, %2"), [`${F} 0: add: %2 is i8, expected i32`]],
  [returning("%1 = add.i32 %0, %9"), [`${F} 0: add: no register %9`]],
  [returning("%2 = add.i32 %0, %0"), [`${F} 0: add: %2 is i8, expected i32`]],
  [returning("%1 = lt_u.i32 %0, %0"), [`${F} 0: lt_u: %1 is i32, expected i8`]],
  [returning("%1 = add %0, %0"), [`${F} 0: add lacks its type`]],
  [returning("fence.i8"), [`${F} 0: fence has no type i8`]],
  [returning("%4 = port_in.i64 %5"), [`${F} 0: port_in has no type i64`]],
  [returning("%1 = zext.i64.i32 %4"), [`${F} 0: zext from i64 to i32`]],
  [returning("%3 = sext.i64.addr %4"), [`${F} 0: sext from i64 to addr`]],
  [returning("%1 = trunc.i8.i32 %2"), [`${F} 0: trunc from i8 to i32`]],
  [returning("%2 = const.i8 256"), [`${F} 0: const: constant 256 is no i8`]],
  [returning("%2 = const.i8 -129"), [`${F} 0: const: constant -129 is no i8`]],
  [returning("%3 = frame_addr 16"), [`${F} 0: frame_addr 16 is outside the frame of 16 bytes`]],
  [returning("%3 = symbol_addr #0"), [`${F} 0: symbol_addr: symbol 0 does not exist`]],
  [returning("%3 = func_addr #7"), [`${F} 0: func_addr: function 7 does not exist`]],
  [returning("call_indirect sig0, %3"), [`${F} 0: call_indirect: signature 0 does not exist`]],
  [returning("trap none, %4"), [`${F} 0: trap none`]],
  [returning("call @f, %0"), [`${F} 0: call has 0 results, expected 1`]],
  [returning("%1 = call @f, %2"), [`${F} 0: call: %2 is i8, expected i32`]],
  [fn("return"), [`${F} 0: return has 0 operands, expected 1`]],
  [
    `func @g () -> (i8, i8) {\nreg %0:i8\nreturn %0, %0\n}\nfunc @f () -> () {\nreg %0:i8\n%0, %0 = call @g\nreturn\n}`,
    [`${F} 0: call writes a register twice`],
  ],
  [`trap_vector @f\n${returning("fence")}`, ["module: trap vector must be () -> (i32)"]],
  [`interrupt_vector @f\n${returning("fence")}`, ["module: interrupt vector must be (i32) -> ()"]],
  [`export "a" = @f\nexport "a" = #9\n${returning("fence")}`, ["module: two exports are named 'a'", "module: export 'a': no function 9"]],
  ["data @d size 4 align 3 writable", ["module: symbol 0 (d): alignment 3 is no power of two up to 4096"]],
  ['data @d size 1 align 1 readonly { bytes "0000" }', ["module: symbol 0 (d): 2 bytes in a size of 1"]],
  ["data @d size 7 align 1 readonly {\naddr 4 data @d\n}", ["module: symbol 0 (d): relocation at 4 is outside the symbol"]],
  [
    "data @d size 8 align 1 readonly {\naddr 0 data @d\naddr 3 data #5\n}",
    ["module: symbol 0 (d): relocation at 3 overlaps another", "module: symbol 0 (d): relocation at 3: no symbol 5"],
  ],
  ["data @d size 8 align 1 readonly {\naddr 0 func #5\n}", ["module: symbol 0 (d): relocation at 0: no function 5"]],
  ["data @d size 8 align 1 readonly\ndata @d size 8 align 1 readonly", ["module: two symbols are named 'd'"]],
  [
    `assembly asm0 riscv64 in "a0" out "a1", "a2" {\n}\n${returning("%1 = asm asm0, %0, %2")}`,
    [`${F} 0: asm has 1 results, expected 2`, `${F} 0: asm has 2 operands, expected 1`],
  ],
  [returning("asm asm0"), [`${F} 0: asm: assembly 0 does not exist`]],
  [
    'assembly asm0 riscv64 in "a0", "a0" {\nbytes "1300"\nline 0 0\nline 0 0\nline 2 5\n}\nfiles {\n"f"\n}\nlocations {\n0:1:1\n}',
    [
      "module: assembly block 0: two inputs are named 'a0'",
      "module: assembly block 0: line at offset 0 is outside the code or out of order",
      "module: assembly block 0: line at offset 2 is outside the code or out of order",
      "module: assembly block 0: no location 5",
    ],
  ],
  [
    `func @f () -> () {\nreg %0:i8\n%0 = div_u.i8 %0, %0 ;@3\n%0 = div_u.i8 %0, %0\nfence ;@0\nreturn\n}\nfiles {\n}\nlocations {\n1:0:1\n}`,
    [
      "module: location 0: no file 1",
      "module: location 0: line and column count from 1",
      `${F} 0: no location 3`,
      `${F} 1: div_u may trap and has no location`,
    ],
  ],
];

for (const [text, problems] of INVALID) {
  test(`invalid: ${problems.join("; ")}`, () => assert.deepEqual(messages(parse(text)), problems));
}

function withInstruction(change: Partial<Instruction>): Module {
  const module = parse(returning("%1 = const.i32 1"));
  const [f] = module.functions;
  const [first] = f!.body;
  return { ...module, functions: [{ ...f!, body: [{ ...first!, ...change }, ...f!.body.slice(1)] }] };
}

test("modules that no text can express are refused too", () => {
  assert.deepEqual(messages(withInstruction({ op: "frobnicate" })), [`${F} 0: unknown instruction 'frobnicate'`]);
  assert.deepEqual(messages(withInstruction({ imm: [1] })), [`${F} 0: const: constant 1 is no i32`]);
  assert.deepEqual(messages(withInstruction({ imm: [] })), [`${F} 0: const takes 1 immediates, has 0`]);
  assert.deepEqual(messages(withInstruction({ dst: [0.5] })), [`${F} 0: const: no register %0.5`]);
  assert.deepEqual(messages(withInstruction({ to: "i8" })), [`${F} 0: const has no target type`]);
  assert.deepEqual(messages(withInstruction({ at: 12 })), [`${F} 0: no location 12`]);
  const module = parse(returning("fence"));
  const [f] = module.functions;
  assert.deepEqual(messages({ ...module, version: 2 }), ["module: version 2, expected 1"]);
  assert.deepEqual(messages({ ...module, trapVector: 8 }), ["module: trap vector: no function 8"]);
  assert.deepEqual(messages({ ...module, functions: [{ ...f!, registers: ["i8"] }] }).slice(0, 1), ["function f: the first registers are not the parameters"]);
  assert.deepEqual(messages({ ...module, functions: [{ ...f!, frameSize: 0x100_0000 }] }), ["function f: frame of 16777216 bytes, at most 16777215"]);
  assert.deepEqual(messages({ ...module, functions: [{ ...f!, name: "\ud800" }] }), ["module: function name is not well-formed Unicode"]);
});

test("the layout decides which conversions of addr are allowed", () => {
  const text = returning("%3 = zext.i64.addr %4");
  assert.deepEqual(messages(parse(text)), [`${F} 0: zext from i64 to addr`]);
  assert.deepEqual(verifyModule(parseText(`gbc 1 addr64 little\n${text}`)), []);
});
