// Which tests of a suite run on the machine compiled for: needs that code implies are found however a test reaches it, what only
// skipped tests reach stays out of the image, and names of other targets are mistakes only where a test that runs reaches them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { loadMachineLanguage } from "../../isa/machine-language.ts";
import { BOARDS, compileFiles, readText, type TestCompileOptions } from "../../tests/fixtures/compile.ts";
import { bytecodeVirt } from "../../tests/fixtures/machines.ts";
import { compile, type Compilation } from "../index.ts";

/** Has what the board of the tests lacks: a second UART, and a port for the first one. */
const other = { ...bytecodeVirt, constants: ["uart9.base", "uart9.irq", "uart0.port"].map((name) => ({ name, value: 7n })) };

function compileText(text: string, options: TestCompileOptions = {}): Compilation {
  const path = "needs.gspec";
  return compileFiles([path], { texts: { [path]: `suite "needs"\n${text}` }, allMachines: [bytecodeVirt, other], ...options });
}

const problems = ({ diagnostics }: Compilation): readonly string[] => diagnostics.map(({ code, message }) => `${code} ${message}`);

/** The needs of each test by its name. */
function needsOf(text: string): Readonly<Record<string, string>> {
  const compilation = compileText(text);
  assert.deepEqual(problems(compilation), []);
  const tests = compilation.images.flatMap(({ manifest }) => manifest.suites.flatMap((suite) => suite.tests));
  return Object.fromEntries(tests.map(({ name, needs }) => [name, needs.map((need) => `${need.name}(${need.args.join()})`).join(" ")]));
}

const bodies = (compilation: Compilation): readonly string[] => compilation.images.flatMap(({ module }) => module.functions.map(({ name }) => name));

test("a constant of another machine makes a need of the test that uses it, and its code stays out of the image", () => {
  const text = `
    fn far() -> usize { return machine.uart9.base }
    test "uses it" { expect far() == 0 }
    test "runs" { expect 1 + 1 == 2 }`;
  assert.deepEqual(needsOf(text), { "uses it": "device(uart9)", runs: "" });
  const names = bodies(compileText(text));
  assert.ok(names.includes("runs") && !names.includes("uses it") && !names.includes("far"), names.join(" "));
});

test("needs are found through functions, methods, constants, variables, tables, closures, names and fixtures", () => {
  const needs = needsOf(`
    const BASE = machine.uart9.base
    const NEXT = BASE + 4
    var place: usize = NEXT
    struct Port {
      at: usize
      fn irq(self: *Port) -> u64 { return machine.uart9.irq }
    }
    table ports (at: usize) {
      NEXT
    }
    fn calls() -> u64 { return inner() }
    fn inner() -> u64 { return BASE }
    fn passed() -> u64 { return BASE }
    const FUNCTION = passed
    test "constant" { expect NEXT == 4 }
    test "variable" { expect place == 0 }
    test "method" {
      var port: Port
      expect port.irq() == 0
    }
    test "function" { expect calls() == 0 }
    test "function value" {
      let f = FUNCTION
      expect f() == 0
    }
    test "closure" {
      defer { poke.u8(BASE, 1) }
      expect trap { poke.u8(0, 1) }
    }
    test "row {p.at}" for p in ports { expect p.at > 0 }
    test "name {x + BASE}" for x in 0..2 { expect x < 2 }
    test "nothing" { expect 1 == 1 }`);
  assert.deepEqual(
    Object.entries(needs)
      .filter(([, need]) => need !== "device(uart9)")
      .map(([name]) => name),
    ["nothing"],
  );
});

test("what hooks and fixtures need is needed by all tests, what hooks of a table need by the tests over it", () => {
  assert.deepEqual(
    needsOf(`
    suite setup { poke.u8(machine.uart9.base, 1) }
    test "one" { expect 1 == 1 }
    test "two" { expect 1 == 1 }`),
    { one: "device(uart9)", two: "device(uart9)" },
  );
  assert.deepEqual(
    needsOf(`
    fixture { var at: usize = machine.uart9.base }
    test "one" { expect at == 0 }`),
    { one: "device(uart9)" },
  );
  assert.deepEqual(
    needsOf(`
    table widths (n: u32) { 1; 2 }
    table setup for widths { poke.u8(machine.uart9.base, 1) }
    test "over" for w in widths { expect w.n > 0 }
    test "not over" { expect 1 == 1 }`),
    { over: "device(uart9)", "not over": "" },
  );
});

test("a property that only other machines' devices have is the need", () => {
  assert.deepEqual(needsOf(`test "ports" { port.out8(machine.uart0.port, 1) expect 1 == 1 }`), { ports: "device(uart0.port)" });
  assert.deepEqual(needsOf(`test "asks" needs device(uart9), device(uart0) { expect 1 == 1 }`), { asks: "device(uart9) device(uart0)" });
});

test("a constant that no machine has is an error, and so is one that no test can be skipped for", () => {
  assert.deepEqual(problems(compileText(`test "a" { expect machine.uart8.base == 0 }`)), ["E0414 the machine has no `uart8.base`"]);
  assert.deepEqual(problems(compileText(`test "a" needs device(uart8) { expect 1 == 1 }`)), ["E0601 `device` takes the name of a device, found `uart8`"]);
  assert.deepEqual(problems(compileText(`enum Line { first = machine.uart9.irq }\ntest "a" { expect Line.first as u32 == 0 }`)), [
    "E0414 this needs device(uart9), which the machine does not have",
  ]);
});

test("a user block needs user mode, also inside functions", () => {
  assert.deepEqual(
    needsOf(`
    fn enters() { user { cpu.syscall(1) } }
    test "in user mode" { expect trap syscall { enters() } }
    test "in the kernel" { expect 1 == 1 }`),
    { "in user mode": "user_mode()", "in the kernel": "" },
  );
});

test("where there is user mode, a user block is a call of the library", async () => {
  const path = "user.gspec";
  const texts: Readonly<Record<string, string>> = {
    [path]: `suite "user"\ntest "in user mode" {\n  var seen: u32 = 0\n  user { seen = 1 }\n  expect seen == 1\n}`,
    "lib/riscv64/user.gspec": "fn run(function: fn(usize), argument: usize) { function(argument) }",
  };
  const userMode = { name: "user_mode", argument: null };
  const readFile = (name: string): string | null => texts[name] ?? readText(name);
  const compileFor = async (target: keyof typeof BOARDS): Promise<Compilation> => {
    const machine = { ...BOARDS[target], provides: [...BOARDS[target].provides, userMode] };
    return compile([path], { machine, language: await loadMachineLanguage(target), readFile, libDirectory: "lib/" });
  };
  const there = await compileFor("riscv64");
  assert.deepEqual(problems(there), []);
  const names = there.images.flatMap(({ module }) => module.functions.map(({ name }) => name));
  assert.ok(names.includes("user.run") && names.includes("in user mode.user"), names.join(" "));
  assert.deepEqual(problems(await compileFor("bytecode")), ["E0602 there is no user mode on target `bytecode`"]);
});

test("the library of another target may be named in tests that are skipped here", () => {
  const texts = { "lib/riscv64/paging.gspec": "fn map() {}\nstruct Table { root: u64 }\n", "lib/riscv64/time.gspec": "fn wall() -> u64 { return 0 }\n" };
  const compileNeedy = (text: string): Compilation => {
    const path = "needs.gspec";
    return compileText("", { texts: { ...texts, [path]: `suite "needs"\nuse paging\n${text}` } });
  };
  const skipped = compileNeedy(`
    fn helper() { paging.map() }
    test "needs" needs mmu {
      var table: paging.Table
      helper()
      expect time.wall() == table.root
    }
    test "elsewhere" on riscv64 { paging.map() }`);
  assert.deepEqual(problems(skipped), []);
  assert.deepEqual(problems(compileNeedy(`fn helper() { paging.map() }\ntest "runs" { helper() expect time.wall() == 0 }`)).toSorted(), [
    "E0602 `paging` does not exist on target `bytecode`",
    "E0602 `time.wall` does not exist on target `bytecode`",
  ]);
});

test("another target's assembler, traps and registers are mistakes only where a test that runs reaches them", () => {
  const helpers = `
    fn waits() { asm riscv64 { pause } }
    fn reads() -> u64 { return riscv.csr.mcycle }
    fn traps() { expect trap riscv.breakpoint { cpu.breakpoint() } }`;
  const use = `{
      waits()
      traps()
      expect reads() > 0
    }`;
  assert.deepEqual(problems(compileText(`${helpers}\ntest "there" on riscv64 ${use}`)), []);
  assert.deepEqual(problems(compileText(`${helpers}\ntest "there" needs mmu ${use}`)), []);
  assert.deepEqual(
    problems(compileText(`${helpers}\ntest "here" ${use}`)).map((text) => text.slice(0, 5)),
    ["E0603", "E0607", "E0607"],
  );
});
