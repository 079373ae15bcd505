// Where a module lies in RAM, as docs/bytecode.md says it, and what is said of one that does not fit.

import { test } from "node:test";
import assert from "node:assert/strict";
import { BYTECODE_VERSION, codeAddress, type DataLayout, type DataSymbol, type Module } from "../../isa/bytecode/module.ts";
import { STACK_RESERVE, type GuestMemory } from "./cpu-contract.ts";
import { ImageLoadError, placeImage, writeBootSeed } from "./load-image.ts";
import { acquireMemory } from "./memory.ts";

const BASE = 0x8000_0000n;
const OPTIONS = { cpus: 2, stackSize: 0x4000, seed: 0x1122_3344_5566_7788n };
const LITTLE_64: DataLayout = { addressBytes: 8, endian: "little" };
const BIG_32: DataLayout = { addressBytes: 4, endian: "big" };

function symbol(name: string, size: number, rest: Partial<DataSymbol> = {}): DataSymbol {
  return { name, size, align: 4, writable: false, bytes: new Uint8Array(0), relocations: [], ...rest };
}

function moduleOf(symbols: readonly DataSymbol[], layout: DataLayout = LITTLE_64): Module {
  const main = { name: "main", signature: { params: [], results: [] }, registers: [], frameSize: 0, body: [] };
  return {
    version: BYTECODE_VERSION,
    layout,
    functions: [main, { ...main, name: "other" }],
    symbols,
    signatures: [],
    files: [],
    locations: [],
    assembly: [],
    exports: [],
    trapVector: -1,
    interruptVector: -1,
  };
}

function ram(size = 0x10_0000): GuestMemory {
  return acquireMemory(BASE, size);
}

test("read-only data fills pages of its own, then data, zeros, stacks, heap", () => {
  const memory = ram();
  const image = placeImage(
    memory,
    moduleOf([
      symbol("zeros", 100, { writable: true, align: 64 }),
      symbol("text", 3, { bytes: Uint8Array.of(1, 2, 3) }),
      symbol("counter", 8, { writable: true, bytes: Uint8Array.of(9), align: 8 }),
      symbol("table", 16, { align: 16, bytes: Uint8Array.of(7) }),
    ]),
    OPTIONS,
  );
  const [zeros, text, counter, table] = image.symbolAddress;
  assert.equal(text, BASE);
  assert.equal(table, BASE + 16n);
  assert.deepEqual([memory.readOnlyStart, memory.readOnlyEnd], [0, 4096]);
  assert.equal(counter, BASE + 4096n);
  assert.equal(zeros, BASE + 4096n + 64n);
  assert.deepEqual([...memory.bytes.subarray(0, 4)], [1, 2, 3, 0]);
  assert.equal(memory.bytes[4096], 9);

  const end = (zeros ?? 0n) + 100n;
  const [first, second] = image.stacks;
  assert.ok(first && second);
  assert.ok(first.limit - BigInt(STACK_RESERVE) >= end);
  assert.equal(first.top - first.limit, 0x4000n);
  assert.equal(second.limit - BigInt(STACK_RESERVE), first.top);
  assert.equal(first.top % 16n, 0n);
  assert.ok(image.heapStart >= second.top && image.heapStart % 4096n === 0n);
  assert.equal(image.heapEnd, BASE + 0x10_0000n);
});

test("without read-only symbols nothing is protected", () => {
  const memory = ram();
  placeImage(memory, moduleOf([symbol("x", 4, { writable: true })]), OPTIONS);
  assert.deepEqual([memory.readOnlyStart, memory.readOnlyEnd], [0, 0]);
});

test("relocations write addresses in the module's layout", () => {
  const relocations = [
    { kind: "data", offset: 0, symbol: 1, addend: 2 },
    { kind: "function", offset: 8, function: 1 },
  ] as const;
  const little = ram();
  placeImage(little, moduleOf([symbol("pointers", 16, { relocations }), symbol("target", 4)]), OPTIONS);
  assert.equal(little.view.getBigUint64(0, true), BASE + 16n + 2n);
  assert.equal(little.view.getBigUint64(8, true), BigInt(codeAddress(1, 0)));
  const big = ram();
  placeImage(big, moduleOf([symbol("pointers", 16, { relocations }), symbol("target", 4)], BIG_32), OPTIONS);
  assert.equal(big.view.getUint32(0, false), 0x8000_0012);
  assert.equal(big.view.getUint32(8, false), codeAddress(1, 0));
});

test("boot_info tells what the machine is, in both layouts", () => {
  for (const [layout, size, addr] of [
    [LITTLE_64, 48, 8],
    [BIG_32, 32, 4],
  ] as const) {
    const memory = ram();
    const image = placeImage(memory, moduleOf([symbol("boot_info", size, { writable: true, align: 8 })], layout), OPTIONS);
    const little = layout.endian === "little";
    const at = image.bootInfo;
    const address = (index: number): bigint =>
      addr === 8 ? memory.view.getBigUint64(at + index * 8, little) : BigInt(memory.view.getUint32(at + index * 4, little));
    assert.equal(address(0), BASE);
    assert.equal(address(1), 0x10_0000n);
    assert.equal(address(2), image.heapStart);
    assert.equal(address(3), image.heapEnd);
    assert.equal(memory.view.getUint32(at + 4 * addr, little), 2);
    assert.equal(memory.view.getUint32(at + 4 * addr + 4, little), 0);
    assert.equal(memory.view.getBigUint64(at + 4 * addr + 8, little), OPTIONS.seed);
    writeBootSeed(memory, image, 5n);
    assert.equal(memory.view.getBigUint64(at + 4 * addr + 8, little), 5n);
  }
});

test("what does not fit is said with sizes", () => {
  const big = moduleOf([symbol("huge", 0x10_0000, { writable: true })]);
  assert.throws(
    () => placeImage(ram(), big, OPTIONS),
    (error) => {
      assert.ok(error instanceof ImageLoadError);
      assert.match(error.message, /needs 1072 KiB of RAM \(1024 KiB data, 48 KiB stacks\), the machine has 1024 KiB/);
      return true;
    },
  );
  assert.throws(() => placeImage(ram(), moduleOf([symbol("boot_info", 4, { writable: true })]), OPTIONS), ImageLoadError);
  assert.throws(() => placeImage(ram(), moduleOf([symbol("boot_info", 48)]), OPTIONS), ImageLoadError);
});

test("a malformed module is an internal fault", () => {
  const outside = [{ kind: "data", offset: 12, symbol: 0, addend: 0 }] as const;
  assert.throws(() => placeImage(ram(), moduleOf([symbol("p", 16, { relocations: outside })]), OPTIONS), /lies outside/);
  const nowhere = [{ kind: "data", offset: 0, symbol: 4, addend: 0 }] as const;
  assert.throws(() => placeImage(ram(), moduleOf([symbol("p", 16, { relocations: nowhere })]), OPTIONS), /does not exist/);
  assert.throws(() => placeImage(ram(), moduleOf([symbol("p", 1, { bytes: Uint8Array.of(1, 2) })]), OPTIONS), /2 bytes for a size of 1/);
});
