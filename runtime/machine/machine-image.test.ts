// Images on a machine: a tiny one, run by an executor that knows only straight-line code. What an executor needs from the machine is enough to boot.

import { test } from "node:test";
import assert from "node:assert/strict";
import { BYTECODE_VERSION, byteWidth, type DataSymbol, type Instruction, type Module, type ScalarType } from "../../isa/bytecode/module.ts";
import { SMALL, at, boot } from "../../tests/fixtures/bare-machine.ts";
import type { Width } from "../devices/device.ts";
import type { ExecutorFactory, LoadedImage, MachineCore, Outcome } from "./cpu-contract.ts";

const ADDR: ScalarType = "addr";

function instruction(op: string, rest: Partial<Instruction> = {}): Instruction {
  return { op, dst: [], src: [], imm: [], at: -1, ...rest };
}

const straightLine: ExecutorFactory = {
  name: "interpreter",
  create(image: LoadedImage, machine: MachineCore) {
    let executed = 0;

    function load(address: bigint, bytes: Width): bigint {
      const { memory } = machine;
      const offset = Number(address - memory.base);
      if (offset >= 0 && offset < memory.size) {
        if (bytes === 1) return BigInt(memory.view.getUint8(offset));
        assert.equal(bytes, 8);
        return memory.view.getBigUint64(offset, true);
      }
      const value = machine.bus.read(address, bytes);
      assert.ok(value !== null);
      return BigInt(value);
    }

    return {
      call(functionIndex): Outcome {
        const body = image.module.functions[functionIndex]?.body ?? [];
        const registers: bigint[] = [];
        executed = 0;
        for (const { op, type, dst, src, imm } of body) {
          machine.advance(1);
          executed++;
          const [a = 0n, b = 0n] = src.map((index) => registers[index] ?? 0n);
          const target = dst[0] ?? 0;
          const bytes = byteWidth(type ?? "i64", image.module.layout);
          if (op === "const") registers[target] = BigInt(imm[0] ?? 0);
          else if (op === "symbol_addr") registers[target] = (image.symbolAddress[Number(imm[0])] ?? 0n) + BigInt(imm[1] ?? 0);
          else if (op === "load") registers[target] = load(a + BigInt(imm[0] ?? 0), bytes);
          else if (op === "store_volatile") assert.ok(machine.bus.write(a + BigInt(imm[0] ?? 0), bytes, bytes === 8 ? b : Number(b)));
          else if (op === "return") return { kind: "returned", values: src.map((index) => registers[index] ?? 0n) };
          else assert.fail(`the straight-line executor has no ${op}`);
          const exit = machine.exitRequest();
          if (exit !== null) return { kind: "exit", exit };
        }
        return { kind: "returned", values: [] };
      },
      instructions: () => executed,
      stack: () => null,
      stackOfTrap: () => null,
      stacks: () => [],
    };
  },
};

/** Prints the two characters that `greeting` points to, then powers off. */
function helloModule(): Module {
  const symbols: DataSymbol[] = [
    { name: "text", size: 2, align: 1, writable: false, bytes: Uint8Array.of(0x6f, 0x6b), relocations: [] },
    {
      name: "greeting",
      size: 8,
      align: 8,
      writable: true,
      bytes: new Uint8Array(0),
      relocations: [{ kind: "data", offset: 0, symbol: 0, addend: 0 }],
    },
    { name: "boot_info", size: 48, align: 8, writable: true, bytes: new Uint8Array(0), relocations: [] },
  ];
  const body = [
    instruction("symbol_addr", { dst: [0], imm: [1, 0] }),
    instruction("load", { type: ADDR, dst: [1], src: [0], imm: [0] }),
    instruction("const", { type: ADDR, dst: [2], imm: [at("uart0.base")] }),
    instruction("load", { type: "i8", dst: [3], src: [1], imm: [0] }),
    instruction("store_volatile", { type: "i8", src: [2, 3], imm: [0] }),
    instruction("load", { type: "i8", dst: [3], src: [1], imm: [1] }),
    instruction("store_volatile", { type: "i8", src: [2, 3], imm: [0] }),
    instruction("const", { type: ADDR, dst: [4], imm: [at("finisher0.base")] }),
    instruction("const", { type: "i32", dst: [5], imm: [0x5555] }),
    instruction("store_volatile", { type: "i32", src: [4, 5], imm: [0] }),
    instruction("return"),
  ];
  return {
    version: BYTECODE_VERSION,
    layout: { addressBytes: 8, endian: "little" },
    functions: [
      {
        name: "main",
        signature: { params: [], results: [] },
        registers: [ADDR, ADDR, ADDR, "i8", ADDR, "i32"],
        frameSize: 0,
        body,
      },
    ],
    symbols,
    signatures: [],
    files: [],
    locations: [],
    assembly: [],
    exports: [{ name: "main", function: 0 }],
    trapVector: -1,
    interruptVector: -1,
  };
}

test("a tiny image boots, prints, powers off, and does it again from the snapshot", () => {
  const guest = boot({ cpus: 2, seed: 0xabcd });
  const { machine } = guest;
  const image = machine.loadImage(helloModule());
  const bootInfo = machine.memory.base + BigInt(image.bootInfo);
  assert.equal(image.stacks.length, 2);
  assert.equal(Buffer.from(machine.readMemory(bootInfo + 32n, 4) ?? []).readUInt32LE(), 2);
  assert.equal(Buffer.from(machine.readMemory(bootInfo + 40n, 8) ?? []).readBigUInt64LE(), 0xabcdn);
  const loaded = machine.snapshot();
  const executor = straightLine.create(image, machine);
  const limits = { deadline: 1e9, grace: 0, instructions: 1000 };
  for (const seed of [1n, 2n]) {
    assert.deepEqual(executor.call(0, [], limits), { kind: "exit", exit: { kind: "poweroff", code: 0 } });
    assert.equal(machine.now(), executor.instructions());
    machine.restore(loaded, { seed });
    assert.equal(machine.now(), 0);
    assert.equal(machine.exitRequest(), null);
    assert.equal(Buffer.from(machine.readMemory(bootInfo + 40n, 8) ?? []).readBigUInt64LE(), seed);
  }
  assert.equal(guest.text(), "okok");
  machine.dispose();
});

test("a disposed machine's memory comes back clean", () => {
  const { machine } = boot({}, SMALL);
  machine.loadImage(helloModule());
  machine.snapshot();
  machine.writeMemory(machine.memory.base + 0x5000n, Uint8Array.of(1, 2, 3));
  const { memory } = machine.memory;
  machine.dispose();
  const next = boot({}, SMALL).machine;
  assert.equal(next.memory.memory, memory);
  assert.ok(next.memory.bytes.subarray(0, next.memory.size).every((byte) => byte === 0));
});
