// The PCI host: configuration space through ECAM, windows onto the BARs that decode now, swizzled INTx lines.

import assert from "node:assert/strict";
import { test } from "node:test";
import { accessRead, accessWrite } from "../../tests/fixtures/access-region.ts";
import type { Device, Region, Width } from "./device.ts";
import { createPciFunction, type PciFunctionKit } from "./pci.ts";
import { pciHost, swizzleIntx, type PciHostConfig } from "./pci-host.ts";
import { makeTestEnv, type TestEnv } from "../../tests/fixtures/device-env.ts";

interface Bench {
  readonly env: TestEnv;
  readonly host: Device;
  readonly ecam: Region;
  readonly memory: Region;
  readonly io: Region;
  /** Adds a function with a 4 KiB word-only memory BAR and a 32-byte port BAR, both plain storage; its kit. */
  readonly add: (slot: number, pin: number) => PciFunctionKit;
}

function storage(name: string, size: number, min: Width, max: Width): Region {
  const bytes = new DataView(new ArrayBuffer(size));
  const region: Region = {
    name,
    size,
    valid: { min, max },
    read: (offset, width) => (width === 1 ? bytes.getUint8(offset) : width === 2 ? bytes.getUint16(offset, true) : bytes.getUint32(offset, true)),
    write(offset, width, value) {
      if (width === 1) bytes.setUint8(offset, value);
      else if (width === 2) bytes.setUint16(offset, value, true);
      else bytes.setUint32(offset, value, true);
    },
  };
  return region;
}

function bench(config: PciHostConfig = {}): Bench {
  const env = makeTestEnv();
  const host = pciHost.create(config, env);
  const [ecam, memory, io] = host.regions;
  assert.ok(ecam && memory && io);
  return {
    env,
    host,
    ecam,
    memory,
    io,
    add(slot, pin) {
      const kit = createPciFunction(
        {
          vendor: 0x1000 + slot,
          device: 1,
          classCode: 0x00ff,
          interruptPin: pin,
          bars: [
            { kind: "memory32", region: storage(`mem${slot}`, 0x1000, 4, 4) },
            { kind: "io", region: storage(`io${slot}`, 0x20, 1, 4) },
          ],
        },
        makeTestEnv(),
      );
      host.attach?.(slot, kit.fn);
      return kit;
    },
  };
}

const config = (slot: number, register: number, fn = 0, bus = 0): number => (bus << 20) | (slot << 15) | (fn << 12) | register;

test("the regions are the ECAM window of 1 MiB a bus, the memory and the I/O window", () => {
  assert.deepEqual(
    bench().host.regions.map(({ size }) => size),
    [0x1000_0000, 0x4000_0000, 0x1_0000],
  );
  assert.equal(bench({ buses: 2 }).ecam.size, 0x20_0000);
  assert.throws(() => bench({ memoryBase: 0xf000_0000, memorySize: 0x2000_0000 }), /memorySize is 536870912/);
  assert.throws(() => bench({ buses: 257 }), /buses is 257, expected 1..256/);
});

test("slot 0 is the host bridge", () => {
  const { ecam } = bench();
  assert.equal(accessRead(ecam, config(0, 0x00), 4), 0x00081b36);
  assert.equal(accessRead(ecam, config(0, 0x08), 4), 0x06000000);
  assert.equal(accessRead(ecam, config(0, 0x00), 8), 0x81b36n);
  assert.equal(accessRead(ecam, config(0, 0x0a), 2), 0x0600);
});

test("absent slots, functions and buses, and offsets from 0x100, read all ones in every width", () => {
  const { ecam, add } = bench();
  add(1, 1);
  for (const offset of [config(2, 0), config(1, 0, 1), config(0, 0, 0, 1), config(1, 0, 0, 255), config(1, 0x100), config(1, 0xffc)]) {
    assert.equal(accessRead(ecam, offset, 1), 0xff);
    assert.equal(accessRead(ecam, offset, 2), 0xffff);
    assert.equal(accessRead(ecam, offset, 4), 0xffffffff);
    assert.equal(accessWrite(ecam, offset, 4, 0), true);
  }
  assert.equal(accessRead(ecam, config(1, 0), 4), 0x00011001);
  assert.equal(accessRead(ecam, config(1, 1), 2), null);
});

test("windows dispatch to the BARs that decode, with the BAR's own widths; elsewhere they are open", () => {
  const { ecam, memory, io, add } = bench();
  add(3, 1);
  assert.equal(accessRead(memory, 0x5000, 4), 0xffffffff);
  accessWrite(ecam, config(3, 0x10), 4, 0x4000_5000);
  accessWrite(ecam, config(3, 0x14), 4, 0x0000_0040);
  assert.equal(accessRead(memory, 0x5000, 4), 0xffffffff);
  accessWrite(ecam, config(3, 0x04), 2, 3);

  assert.equal(accessWrite(memory, 0x5ffc, 4, 0x12345678), true);
  assert.equal(accessRead(memory, 0x5ffc, 4), 0x12345678);
  assert.equal(accessRead(memory, 0x5ffc, 2), null);
  assert.equal(accessWrite(memory, 0x5ffc, 1, 0), false);
  assert.equal(accessRead(memory, 0x5ff8, 8), null);
  assert.equal(accessRead(memory, 0x6000, 2), 0xffff);
  assert.equal(accessRead(memory, 0x4ff8, 8), 0xffff_ffff_ffff_ffffn);
  assert.equal(accessRead(memory, 0x6001, 2), null);
  assert.equal(accessWrite(memory, 0x6000, 4, 1), true);

  assert.equal(accessWrite(io, 0x41, 1, 0x5a), true);
  assert.equal(accessRead(io, 0x40, 4), 0x5a00);
  assert.equal(accessRead(io, 0x60, 1), 0xff);

  accessWrite(ecam, config(3, 0x04), 2, 1);
  assert.equal(accessRead(memory, 0x5ffc, 4), 0xffffffff);
  assert.equal(accessRead(io, 0x41, 1), 0x5a);
});

test("a BAR outside the memory window's addresses is not reachable through it", () => {
  const { ecam, memory, add } = bench({ memoryBase: 0x1000_0000, memorySize: 0x10_0000 });
  add(1, 1);
  accessWrite(ecam, config(1, 0x04), 2, 2);
  accessWrite(ecam, config(1, 0x10), 4, 0x1000_2000);
  accessWrite(memory, 0x2000, 4, 7);
  assert.equal(accessRead(memory, 0x2000, 4), 7);
  accessWrite(ecam, config(1, 0x10), 4, 0x2000);
  assert.equal(accessRead(memory, 0x2000, 4), 0xffffffff);
});

test("of overlapping BARs the one mapped last answers, also in a restored host", () => {
  const { host, ecam, memory, add } = bench();
  for (const slot of [1, 2]) add(slot, 1);
  for (const slot of [2, 1]) {
    accessWrite(ecam, config(slot, 0x10), 4, 0x4000_0000 + slot * 0x1000);
    accessWrite(ecam, config(slot, 0x04), 2, 2);
    accessWrite(memory, slot * 0x1000, 4, slot);
  }
  accessWrite(ecam, config(1, 0x10), 4, 0x4000_5000);
  accessWrite(ecam, config(2, 0x10), 4, 0x4000_5000);
  assert.equal(accessRead(memory, 0x5000, 4), 2);
  const state = structuredClone(host.save());
  accessWrite(ecam, config(1, 0x04), 2, 0);
  accessWrite(ecam, config(1, 0x04), 2, 2);
  assert.equal(accessRead(memory, 0x5000, 4), 1);
  accessWrite(ecam, config(2, 0x04), 2, 2);
  assert.equal(accessRead(memory, 0x5000, 4), 1);
  host.load(state);
  assert.equal(accessRead(memory, 0x5000, 4), 2);
});

test("INTx lines are swizzled by slot and shared as a wired OR", () => {
  assert.equal(swizzleIntx(0, 1), 0);
  assert.equal(swizzleIntx(1, 1), 1);
  assert.equal(swizzleIntx(2, 4), 1);
  assert.equal(swizzleIntx(31, 2), 0);
  const { host, env, add } = bench();
  add(1, 1);
  add(5, 1);
  add(2, 1);
  host.input?.(1, true);
  assert.deepEqual(
    [0, 1, 2, 3].map((pin) => env.level(pin)),
    [false, true, false, false],
  );
  host.input?.(5, true);
  host.input?.(1, false);
  assert.equal(env.level(1), true);
  host.input?.(2, true);
  assert.equal(env.level(2), true);
  host.input?.(5, false);
  assert.equal(env.level(1), false);
  assert.equal(env.level(2), true);
});

test("wiring mistakes are refused", () => {
  const { host, add } = bench();
  const kit = add(1, 1);
  assert.throws(() => host.attach?.(1, kit.fn), /slot 1 is taken/);
  assert.throws(() => host.attach?.(0, kit.fn), /no slot 0/);
  assert.throws(() => host.attach?.(32, kit.fn), /no slot 32/);
  assert.throws(() => host.input?.(9, true), /slot 9 has no interrupt pin/);
});

test("reset lowers the lines; a loaded host goes on with the saved levels", () => {
  const { host, env, add, ecam } = bench();
  add(1, 1);
  add(5, 1);
  accessWrite(ecam, config(0, 0x3c), 1, 0x2a);
  host.input?.(1, true);
  host.input?.(5, true);
  const state = structuredClone(host.save());
  host.reset();
  assert.equal(env.level(1), false);
  assert.equal(accessRead(ecam, config(0, 0x3c), 1), 0);
  host.load(state);
  assert.equal(accessRead(ecam, config(0, 0x3c), 1), 0x2a);
  host.input?.(1, false);
  assert.equal(env.level(1), true);
  host.input?.(5, false);
  assert.equal(env.level(1), false);
});
