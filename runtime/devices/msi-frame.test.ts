// The MSI frame against Arm's Server Base System Architecture, appendix on GICv2m: writes of numbers become pulses of pins.

import assert from "node:assert/strict";
import { test } from "node:test";

import { msiFrame } from "./msi-frame.ts";
import { busRead, busWrite, makeTestEnv, registersOf } from "../../tests/fixtures/device-env.ts";
import type { Registers, TestEnv } from "../../tests/fixtures/device-env.ts";
import type { Device } from "./device.ts";

const MSI_TYPER = 0x008;
const MSI_SETSPI_NS = 0x040;
const MSI_IIDR = 0xfcc;

function makeFrame(): { env: TestEnv; device: Device; r: Registers } {
  const env = makeTestEnv();
  const device = msiFrame.create({ base: 80, count: 64 }, env);
  return { env, device, r: registersOf(device) };
}

test("MSI_TYPER tells base and count, MSI_IIDR the product", () => {
  const { r } = makeFrame();
  assert.equal(r.read(MSI_TYPER), (80 << 16) | 64);
  assert.equal(r.read(MSI_IIDR), 0x0510_0000);
  assert.equal(r.read(0xfe8), 0);
});

test("a write of base+n pulses pin n", () => {
  const { env, r } = makeFrame();
  r.write(MSI_SETSPI_NS, 80);
  r.write(MSI_SETSPI_NS, 143, 2);
  assert.deepEqual(env.takeIrqs(), [
    { pin: 0, level: true },
    { pin: 0, level: false },
    { pin: 63, level: true },
    { pin: 63, level: false },
  ]);
});

test("only ten bits of the number count", () => {
  const { env, r } = makeFrame();
  r.write(MSI_SETSPI_NS, 0xffff_fc00 + 81);
  assert.equal(env.takeIrqs()[0]?.pin, 1);
});

test("numbers outside the frame, other offsets and widths pulse nothing and are told", () => {
  const { env, device, r } = makeFrame();
  for (const spi of [79, 144, 0]) r.write(MSI_SETSPI_NS, spi);
  r.write(MSI_SETSPI_NS, 80, 1);
  r.write(MSI_TYPER, 80);
  assert.equal(r.read(MSI_SETSPI_NS), 0);
  assert.equal(r.read(MSI_TYPER, 2), 0);
  assert.deepEqual(env.takeIrqs(), []);
  assert.equal(env.logs.length, 7);
  const region = device.regions[0];
  assert.ok(region);
  assert.equal(busRead(region, 0x1000, 4), null);
  assert.equal(busWrite(region, 0x41, 2, 80n), false);
});

test("frames that MSI_TYPER cannot describe are refused", () => {
  for (const [base, count] of [
    [-1, 4],
    [0, 0],
    [1000, 25],
    [0.5, 1],
  ] as const) {
    assert.throws(() => msiFrame.create({ base, count }, makeTestEnv()), RangeError);
  }
});
