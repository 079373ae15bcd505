// Where files go and how CPUs start, on the board that QEMU has too; what does not fit is told and changes nothing.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { riscvVirt } from "../../tests/fixtures/machines.ts";
import { prepareBoot, type BootOptions } from "./boot.ts";
import { encodeValue, unflattenTree, type TreeNode } from "./flattened-tree.ts";
import { createMachine, type Machine } from "./machine.ts";
import { readProgram, type Program } from "./read-program.ts";

const RAM = riscvVirt.ram.base;
const code = Uint8Array.of(0x6f, 0, 0, 0);
const raw: Program = { kind: "raw", bytes: code };

/** Their memory goes back to the pool. */
const machines: Machine[] = [];
afterEach(() => {
  for (const machine of machines.splice(0)) machine.dispose();
});

function prepare(options: Partial<BootOptions>, cpus = 1) {
  const machine = createMachine(riscvVirt, { cpus });
  machines.push(machine);
  return { machine, result: prepareBoot(machine, { image: { name: "image", program: raw }, cpuProperties: {}, seed: 0n, ...options }) };
}

function readTree(machine: ReturnType<typeof createMachine>, at: bigint): TreeNode {
  const header = machine.readMemory(at, 8) ?? assert.fail("no memory");
  const size = new DataView(header.buffer).getUint32(4);
  return unflattenTree(machine.readMemory(at, size) ?? assert.fail("no memory"));
}

function property(tree: TreeNode, node: string, name: string): string {
  const found = tree.children.find((child) => child.name === node) ?? assert.fail(`no node ${node}`);
  return Buffer.from(encodeValue(found.properties[name] ?? assert.fail(`no ${name}`))).toString("latin1");
}

function problemOf(options: Partial<BootOptions>): string {
  const { result } = prepare(options);
  return result.ok ? assert.fail("it fits") : result.problem;
}

test("raw bytes start every CPU at the start of RAM, with its number and the device tree", () => {
  const { machine, result } = prepare({ commandLine: "quiet" }, 2);
  assert.ok(result.ok);
  assert.deepEqual(machine.readMemory(RAM, 4), code);
  assert.deepEqual(
    result.boot.setups,
    [0n, 1n].map((a0) => ({ pc: RAM, privilege: "machine", registers: { a0, a1: 0x83e0_0000n } })),
  );
  const tree = readTree(machine, result.boot.deviceTree);
  assert.equal(property(tree, "chosen", "bootargs"), "quiet\0");
  assert.equal(tree.children.find(({ name }) => name === "cpus")?.children.length, 3, "two CPUs and their map");
});

test("a RAM disk lies half of RAM behind the kernel, and the tree says where", () => {
  const { machine, result } = prepare({ initrd: { name: "disk", bytes: Uint8Array.of(1, 2, 3) } });
  assert.ok(result.ok);
  assert.deepEqual(machine.readMemory(RAM + 0x200_0000n, 4), Uint8Array.of(1, 2, 3, 0));
  const tree = readTree(machine, result.boot.deviceTree);
  assert.equal(property(tree, "chosen", "linux,initrd-end"), "\0\0\0\0\x82\0\0\x03");
});

test("firmware starts at the start of RAM, the image behind it, and is told where", () => {
  const { machine, result } = prepare({ firmware: { name: "firmware", program: raw } });
  assert.ok(result.ok);
  assert.deepEqual(machine.readMemory(RAM + 0x20_0000n, 4), code);
  const [setup] = result.boot.setups;
  assert.equal(setup?.privilege, "machine");
  const info = machine.readMemory(setup?.registers?.["a2"] ?? 0n, 32) ?? assert.fail("no memory");
  const words = new DataView(info.buffer);
  assert.deepEqual(
    [0, 8, 16, 24].map((at) => words.getBigUint64(at, true)),
    [0x4942_534fn, 2n, RAM + 0x20_0000n, 1n],
  );
});

test("a kernel with a Linux header lies where the header says", () => {
  const bytes = new Uint8Array(64);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(8, 0x40_0000n, true);
  view.setBigUint64(16, 0x10_0000n, true);
  view.setUint32(56, 0x0543_5352, true);
  const read = readProgram(bytes);
  assert.ok(read.ok && read.program.kind === "linux");
  const { machine, result } = prepare({ image: { name: "Image", program: read.program }, firmware: { name: "firmware", program: raw } });
  assert.ok(result.ok);
  assert.deepEqual(machine.readMemory(RAM + 0x40_0000n, 64), bytes);
});

test("the file's headers may lie in front of RAM, code may not", () => {
  const bytes = new Uint8Array(0x1004);
  bytes.fill(0x7f, 0, 120);
  bytes.set(code, 0x1000);
  const image = (headerBytes: number) => {
    const segments = [{ address: RAM - 0x1000n, bytes, memorySize: 0x1010, headerBytes }];
    const program: Program = { kind: "elf", machine: 243, addressBits: 64, entry: RAM, segments, symbols: [] };
    return { image: { name: "image", program } };
  };
  const { machine, result } = prepare(image(120));
  assert.ok(result.ok);
  assert.deepEqual(machine.readMemory(RAM, 8), Uint8Array.of(...code, 0, 0, 0, 0));
  const outside = "image needs 0x7ffff000 to 0x80000010; RAM of riscv-virt is 0x80000000 to 0x84000000";
  assert.equal(problemOf(image(0)), outside);
  assert.equal(problemOf(image(119)), outside, "a byte behind the headers");
});

test("a segment far below RAM that is nothing but headers is left out", () => {
  const headers = { address: 0x1_0000n, bytes: new Uint8Array(380).fill(0x7f, 0, 376), memorySize: 380, headerBytes: 376 };
  const image = (first: typeof headers) => {
    const segments = [first, { address: RAM, bytes: code, memorySize: 4, headerBytes: 0 }];
    const program: Program = { kind: "elf", machine: 243, addressBits: 64, entry: RAM, segments, symbols: [] };
    return { image: { name: "image", program } };
  };
  const { machine, result } = prepare(image(headers));
  assert.ok(result.ok);
  assert.deepEqual(machine.readMemory(RAM, 4), code);
  assert.equal(problemOf(image({ ...headers, headerBytes: 375 })), "image needs 0x10000 to 0x1017c; RAM of riscv-virt is 0x80000000 to 0x84000000");
});

test("headers where CPUs start are no code", () => {
  const bytes = new Uint8Array(0x2000);
  bytes.set(code, 0x1000);
  const segments = [{ address: RAM, bytes, memorySize: 0x2000, headerBytes: 120 }];
  const program: Program = { kind: "elf", machine: 243, addressBits: 64, entry: RAM + 0x1000n, segments, symbols: [] };
  assert.equal(
    problemOf({ image: { name: "image", program } }),
    "image has its file headers at 0x80000000, where CPUs of riscv-virt start; its entry is 0x80001000: link it by a script, or with -Ttext=0x80000000",
  );
});

test("what does not fit is told", () => {
  const elf = (address: bigint, size: number): Program => ({
    kind: "elf",
    machine: 243,
    addressBits: 64,
    entry: address,
    segments: [{ address, bytes: code, memorySize: size, headerBytes: 0 }],
    symbols: [],
  });
  const image = (program: Program) => ({ image: { name: "image", program } });
  assert.equal(problemOf(image(elf(0x1000n, 4))), "image needs 0x1000 to 0x1004; RAM of riscv-virt is 0x80000000 to 0x84000000");
  assert.equal(problemOf(image(elf(RAM, 0x3f0_0000))), "the device tree at 0x83e00000 lies over image, which ends at 0x83f00000");
  assert.equal(
    problemOf(image(elf(RAM + 0x1000n, 4))),
    "image has nothing at 0x80000000, where CPUs of riscv-virt start; it lies from 0x80001000 on, its entry is 0x80001000",
  );
  assert.equal(problemOf(image({ ...elf(RAM, 4), machine: 62 } as Program)), "image is an ELF file for another CPU: machine 62, RISC-V is 243");
  assert.equal(problemOf(image({ ...elf(RAM, 4), addressBits: 32 } as Program)), "image is an ELF file for riscv32; this machine's CPUs are riscv64");
});
