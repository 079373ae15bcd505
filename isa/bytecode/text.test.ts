// The text form: docs/bytecode.md, section 7. Printing and parsing are each other's inverse, hand-written modules are located at their
// lines, and every mistake is told at its place.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { generateModule } from "../../tests/fixtures/generate-module.ts";
import { parseText, printText, TextFormatError } from "./text.ts";
import { verifyModule } from "./verify.ts";

test("printing and parsing gives the module back, for generated modules", () => {
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const module = generateModule(seed);
      assert.deepEqual(parseText(printText(module)), module);
    }),
    { numRuns: 100 },
  );
});

const SAMPLE = `gbc 1 addr32 big
trap_vector @trap
interrupt_vector #2
export "main" = @main
export "odd \\"name\\"" = @"odd name"
signature sig0 (addr, i32) -> (i64)

assembly asm0 riscv64 in "a0", "a1" out "a0" clobber "t0" memory {
  bytes "3305b50293020000"
  line 0 0
  line 4 1
}

assembly asm1 x86_64 {
}

data @text size 8 align 4 readonly {
  bytes "68690a00" ; hi..
  addr 4 data @space +12
}

data @space size 4096 align 16 writable

func @main (i32) -> (i32) frame 16 {
  reg %1:i32, %2:i8, %3:addr
  %1 = const.i32 -5
  block
    loop
      %1 = atomic_rmw.i32 xor, %3, %0        ;@0 7:1
      br_table %1, 0, 1, 0
    end
  end
  %3 = symbol_addr @text, -4
  store.i32 %3, %1, +8                       ;@1 8:2
  if %2
    unwind %1                                ;@0 7:1
  else
    return %1
  end
  %1 = sys x86_64, 9, %3, %2                 ;@0 7:1
  %1 = asm asm0, %3, %2                      ;@0 7:1
  asm asm1                                   ;@1 8:2
  return %1
}

func @"odd name" (addr, i32) -> (i64) {
  reg %2:i64
  %2 = zext.i32.i64 %1
  trap divide_error, %2                      ;@0 7:1
}

func @"#2" (i32) -> () {
  return
}

func @trap () -> (i32) {
  reg %0:i32, %1:i64
  %1 = trap_info address
  return %0
}

files {
  "a.gspec"
}
locations {
  0:7:1 ; @0
  0:8:2 ; @1
}
`;

test("the printed form is the canonical text", () => {
  const printed = printText(parseText(SAMPLE));
  assert.equal(printed, SAMPLE.replace("interrupt_vector #2", 'interrupt_vector @"#2"'));
});

test("names that are not unique are referred to by index", () => {
  const module = parseText("gbc 1 addr64 little\nfunc @f () -> () {\ncall #1\nreturn\n}\nfunc @f () -> () {\nreturn\n}\n");
  assert.match(printText(module), /call #1/);
  assert.deepEqual(parseText(printText(module)).functions, module.functions);
});

test("a hand-written module is located at its own lines", () => {
  const module = parseText("gbc 1 addr64 little\nfunc @f () -> (i32) {\n  reg %0:i32\n  %0 = div_u.i32 %0, %0\n  return %0\n}\n", { fileName: "by-hand.txt" });
  assert.deepEqual(module.files, ["by-hand.txt"]);
  assert.deepEqual(module.locations, [{ file: 0, line: 4, column: 3 }]);
  assert.deepEqual(
    module.functions[0]?.body.map((instruction) => instruction.at),
    [0, -1],
  );
  assert.deepEqual(verifyModule(module), []);
});

const body = (line: string): string => `gbc 1 addr32 little\nfunc @f (i32) -> () {\n  reg %1:addr\n  ${line}\n}\n`;

const MISTAKES: readonly (readonly [text: string, message: string])[] = [
  ["", "1:1: expected 'gbc', found the end of the text"],
  ["gbc 2 addr32 little", "1:7: version 2 is not 1"],
  ["gbc 1 addr16 little", "1:7: expected addr32 or addr64"],
  ["gbc 1 addr32 middle", "1:14: expected little or big"],
  ["gbc 1 addr32 little\nfunction @x", "2:1: unknown declaration 'function'"],
  ["gbc 1 addr32 little\ndata @x size 4 align 4 constant", "2:24: expected writable or readonly"],
  ['gbc 1 addr32 little\ndata @x size 4 align 4 readonly {\n bytes "123"\n}', "3:8: expected pairs of hex digits"],
  ["gbc 1 addr32 little\nfunc @f () -> () {\n return", "3:8: expected '}', found the end of the text"],
  [body("%0 = ad.i32 %0, %0"), "4:8: unknown instruction 'ad'"],
  [body("%0 = add.int %0, %0"), "4:8: unknown type 'int'; types are i8, i16, i32, i64, addr"],
  [body("reg %3:i8"), "4:7: registers are declared in order; the next is %2"],
  [body("call @g"), "4:8: no function is named 'g'"],
  [body("%1 = symbol_addr @g"), "4:20: no symbol is named 'g'"],
  [
    body("trap overflow, %0"),
    `4:8: unknown trap-class 'overflow'; one of none, illegal_instruction, breakpoint, divide_error, misaligned, access_fault, page_fault, protection, syscall, fp_exception, machine_check, bounds, stack_overflow, unreachable, timeout`,
  ],
  ["gbc 1 addr32 little\nassembly asm0 vax {", "2:15: unknown instruction set 'vax'; one of bytecode, x86_64, riscv64, aarch64"],
  ["gbc 1 addr32 little\nassembly asm0 riscv64 in a0 {", '2:26: expected a register in quotes, found "a0"'],
  [body("asm sig0"), "4:7: expected an assembly block (asmN)"],
  [body("br"), "4:5: expected a depth, found the end of the line"],
  [body("%0 = copy.i32 %0 %0"), '4:20: expected the end of the line, found "0"'],
  [body("%0 = const.i32 ?"), '4:18: unexpected character "?"'],
];

for (const [text, message] of MISTAKES) {
  test(`mistake: ${message}`, () => {
    assert.throws(
      () => parseText(text),
      (error) => error instanceof TextFormatError && error.message === message,
    );
  });
}
