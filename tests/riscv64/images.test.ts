// Images that the tool builds for riscv64, run by themselves on the embedded board: they print their KTAP, and the finisher ends the
// machine with their status. No QEMU, no engine.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fillBootHeader } from "../../compiler/native/boot-header.ts";
import { compileNative } from "../../compiler/native/index.ts";
import { riscv64 } from "../../compiler/targets/riscv64/target.ts";
import { loadMachineLanguage } from "../../isa/machine-language.ts";
import { createRiscv64 } from "../../runtime/cpus/riscv64/processor.ts";
import { prepareBoot } from "../../runtime/machine/boot.ts";
import { createMachine } from "../../runtime/machine/machine.ts";
import { readText } from "../fixtures/compile.ts";
import { riscvVirt } from "../fixtures/machines.ts";

type ReadFile = typeof readText;

async function buildImage(spec: string, readFile: ReadFile): Promise<Uint8Array> {
  const language = await loadMachineLanguage("riscv64");
  const { images, diagnostics } = compileNative([spec], riscv64, { machine: riscvVirt, language, readFile, libDirectory: "lib/" });
  const [image] = images;
  assert.ok(image !== undefined, diagnostics.map(({ message }) => message).join("\n"));
  return fillBootHeader(image.native, riscv64.bootHeader, riscvVirt.ram.base).bytes;
}

interface Ended {
  readonly text: string;
  readonly code: number;
  readonly instructions: number;
}

async function runImage(spec: string, cpus = 1, readFile: ReadFile = readText): Promise<Ended> {
  const bytes = await buildImage(spec, readFile);
  let text = "";
  const machine = createMachine(riscvVirt, {
    cpus,
    output: (output, device) => (device === riscvVirt.console ? (text += Buffer.from(output).toString("latin1")) : undefined),
  });
  const prepared = prepareBoot(machine, { image: { name: spec, program: { kind: "raw", bytes } }, cpuProperties: {}, seed: 0n });
  assert.ok(prepared.ok);
  const processor = createRiscv64(machine);
  processor.reset(prepared.boot.setups);
  const reason = processor.run({ instructions: 200_000_000, until: Infinity });
  assert.equal(reason.kind, "exit", text);
  const instructions = processor.instructions();
  machine.dispose();
  return { text, code: reason.kind === "exit" ? reason.exit.code : -1, instructions };
}

test("an image prints its KTAP and ends the machine", async () => {
  const { text, code } = await runImage("specs/kunit/add.gspec");
  assert.equal(
    text.replaceAll("\r", ""),
    ["KTAP version 1", "1..1", "  KTAP version 1", "  1..4", "  ok 1 basic", "  ok 2 negative", "  ok 3 max", "  ok 4 overflow", "ok 1 add", ""].join("\n"),
  );
  assert.equal(code, 0);
});

test("one image, one run: the same text and the same count", async () => {
  const first = await runImage("specs/kunit/add.gspec");
  const second = await runImage("specs/kunit/add.gspec");
  assert.deepEqual(first, second);
});

test("images start CPUs, take interrupts and traps", async () => {
  for (const [spec, cpus] of [
    ["specs/smp/start.gspec", 8],
    ["specs/riscv64/exceptions.gspec", 1],
  ] as const) {
    const { text, code } = await runImage(spec, cpus);
    assert.equal(code, 0, text);
    assert.match(text, /^ok 1 /m);
  }
});

test("a sleep is one wake-up, however long", async () => {
  const count = async (duration: string): Promise<number> => {
    const spec = `suite "sleep"\n\ntest "sleeps" {\n  let start = time.now()\n  time.sleep(${duration})\n  expect time.now() - start >= ${duration}\n}\n`;
    const { text, code, instructions } = await runImage("sleep.gspec", 1, (path) => (path === "sleep.gspec" ? spec : readText(path)));
    assert.equal(code, 0, text);
    return instructions;
  };
  const difference = (await count("1s")) - (await count("1ms"));
  assert.ok(Math.abs(difference) < 1000, `${difference} instructions more`);
});
