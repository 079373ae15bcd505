// The targets' machine languages have one face: names of registers, exceptions and system registers mean what the compiler takes
// them for, and what each tells of itself is true of its own assembler.

import assert from "node:assert/strict";
import { test } from "node:test";
import { TRAP_CLASSES } from "./bytecode/instructions.ts";
import { loadMachineLanguage, SYSTEM_REGISTER_PATHS, TARGET_PREFIXES } from "./machine-language.ts";

/** An instruction that works on one register, whatever the operand's name. */
const ON_REGISTER: Readonly<Record<string, (register: string) => string>> = {
  x86_64: (register) => `inc ${register}`,
  riscv64: (register) => `addi ${register}, ${register}, 1`,
  aarch64: (register) => `add ${register}, ${register}, #1`,
};

for (const [prefix, isa] of TARGET_PREFIXES) {
  test(`the machine language of ${isa}`, async () => {
    const language = await loadMachineLanguage(isa);
    assert.ok(language !== null);
    assert.equal(language.isa, isa);
    for (const name of language.operandRegisters) {
      assert.deepEqual(language.findRegister(name), { name, use: "operand" });
      assert.equal(language.assemble(ON_REGISTER[isa]?.(name) ?? "", {}).ok, true, name);
    }
    assert.equal(language.findRegister("r99"), undefined);
    for (const { name, class: trapClass, code } of language.exceptions) {
      assert.ok(name.startsWith(`${prefix}.`) && TRAP_CLASSES.includes(trapClass), name);
      // With the class in one number of 32 bits.
      assert.ok(code >= 0 && code < 0x10000, name);
    }
    assert.equal(language.systemRegisters !== null, SYSTEM_REGISTER_PATHS.has(prefix));
    for (const name of language.systemRegisters?.names() ?? []) assert.ok(language.systemRegisters?.find(name) !== undefined, name);
  });
}

test("other names of a register are that register", async () => {
  const name = async (isa: string, written: string): Promise<string> => {
    const register = (await loadMachineLanguage(isa))?.findRegister(written);
    return register === undefined ? "none" : `${register.name} ${register.use}`;
  };
  assert.equal(await name("riscv64", "x10"), "a0 operand");
  assert.equal(await name("riscv64", "fp"), "s0 operand");
  assert.equal(await name("riscv64", "f10"), "fa0 clobber");
  assert.equal(await name("riscv64", "x4"), "tp reserved");
  assert.equal(await name("x86_64", "eax"), "rax operand");
  assert.equal(await name("x86_64", "r15d"), "r15 reserved");
  assert.equal(await name("x86_64", "xmm3"), "xmm3 clobber");
  assert.equal(await name("aarch64", "lr"), "x30 operand");
  assert.equal(await name("aarch64", "w5"), "x5 operand");
  assert.equal(await name("aarch64", "x18"), "x18 reserved");
  assert.equal(await name("aarch64", "d0"), "d0 clobber");
});

test("a target without a machine language has none", async () => {
  assert.equal(await loadMachineLanguage("bytecode"), null);
});
