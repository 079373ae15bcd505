// The UART against the 16550 data sheet and QEMU's model: registers, DLAB, interrupts and their priorities, FIFOs, loopback.

import assert from "node:assert/strict";
import { test } from "node:test";

import { busRead, busWrite, makeTestEnv, registersOf } from "../../tests/fixtures/device-env.ts";
import type { Registers, TestEnv } from "../../tests/fixtures/device-env.ts";
import { uart16550 } from "./uart-16550.ts";
import type { Device } from "./device.ts";

const THR = 0;
const RBR = 0;
const DLL = 0;
const IER = 1;
const DLM = 1;
const IIR = 2;
const FCR = 2;
const LCR = 3;
const MCR = 4;
const LSR = 5;
const MSR = 6;
const SCR = 7;

interface Uart {
  readonly env: TestEnv;
  readonly device: Device;
  readonly r: Registers;
  readonly send: (text: string) => void;
}

function makeUart(): Uart {
  const env = makeTestEnv();
  const device = env.connect(uart16550.create({}, env));
  return {
    env,
    device,
    r: registersOf(device, 0, 1),
    send: (text) => device.receive?.(new TextEncoder().encode(text)),
  };
}

test("power-on values", () => {
  const { r } = makeUart();
  const values = [RBR, IER, IIR, LCR, MCR, LSR, MSR, SCR].map((offset) => r.read(offset));
  assert.deepEqual(values, [0, 0, 0x01, 0, 0x08, 0x60, 0xb0, 0]);
});

test("bytes written to THR come out, and THRE and TEMT stay set", () => {
  const { r, env } = makeUart();
  for (const byte of new TextEncoder().encode("guest\n")) r.write(THR, byte);
  assert.equal(env.outputText(), "guest\n");
  assert.equal(r.read(LSR), 0x60);
});

test("DLAB banks the divisor latch over THR and IER", () => {
  const { r, env } = makeUart();
  r.write(IER, 0x0f);
  r.write(LCR, 0x83);
  r.write(DLL, 0x34);
  r.write(DLM, 0x12);
  assert.deepEqual([r.read(DLL), r.read(DLM), r.read(LCR)], [0x34, 0x12, 0x83]);
  r.write(LCR, 0x03);
  assert.equal(r.read(IER), 0x0f);
  assert.equal(env.outputText(), "");
});

test("IER, MCR and SCR keep the bits they have", () => {
  const { r } = makeUart();
  for (const offset of [IER, MCR, SCR]) r.write(offset, 0xff);
  assert.deepEqual([r.read(IER), r.read(MCR), r.read(SCR)], [0x0f, 0x1f, 0xff]);
});

test("LSR and MSR take no writes and say so", () => {
  const { r, env } = makeUart();
  r.write(LSR, 0);
  r.write(MSR, 0);
  assert.deepEqual([r.read(LSR), r.read(MSR)], [0x60, 0xb0]);
  assert.equal(env.logs.length, 2);
  assert.match(env.logs[0] ?? "", /read-only LSR/);
});

test("enabling THRI interrupts at once; reading IIR acknowledges it; the next byte raises it again", () => {
  const { r, env } = makeUart();
  r.write(IER, 0x02);
  assert.equal(env.level(0), true);
  assert.equal(r.read(IIR), 0x02);
  assert.equal(env.level(0), false);
  assert.equal(r.read(IIR), 0x01);
  r.write(THR, 0x41);
  assert.equal(env.level(0), true);
  assert.equal(r.read(IIR), 0x02);
});

test("an IIR read that shows another cause leaves THRE pending", () => {
  const { r, send, env } = makeUart();
  r.write(IER, 0x03);
  send("x");
  assert.equal(r.read(IIR), 0x04);
  assert.equal(r.read(RBR), 0x78);
  assert.equal(r.read(IIR), 0x02);
  assert.equal(env.level(0), false);
});

test("without FIFOs one byte is received at a time and none is lost", () => {
  const { r, send, env } = makeUart();
  r.write(IER, 0x01);
  send("abc");
  assert.equal(r.read(LSR), 0x61);
  assert.deepEqual([r.read(RBR), r.read(RBR)], [0x61, 0x62]);
  assert.equal(env.level(0), true);
  assert.equal(r.read(RBR), 0x63);
  assert.equal(r.read(LSR), 0x60);
  assert.equal(env.level(0), false);
});

for (const [bits, level] of [
  [0x00, 1],
  [0x40, 4],
  [0x80, 8],
  [0xc0, 14],
] as const) {
  test(`FIFO interrupt at trigger level ${level}`, () => {
    const { r, send, env } = makeUart();
    r.write(FCR, 0x01 | bits);
    r.write(IER, 0x01);
    send("x".repeat(level - 1));
    assert.equal(env.level(0), false);
    send("x");
    assert.equal(env.level(0), true);
    assert.equal(r.read(IIR), 0xc4);
  });
}

test("bytes below the trigger level interrupt after four character times", () => {
  const { r, send, env } = makeUart();
  r.write(LCR, 0x80);
  r.write(DLL, 0x01);
  r.write(LCR, 0x03);
  r.write(FCR, 0xc1);
  r.write(IER, 0x01);
  send("hi");
  // 10 bits at 399193 baud, four times.
  assert.equal(env.nextEvent(), 4 * 25050);
  env.advance(100_199);
  assert.equal(env.level(0), false);
  env.advance(1);
  assert.equal(r.read(IIR), 0xcc);
  assert.equal(env.level(0), true);
  assert.equal(r.read(RBR), 0x68);
  assert.equal(env.level(0), false);
  env.advance(100_200);
  assert.equal(r.read(IIR), 0xcc);
  assert.equal(r.read(RBR), 0x69);
  env.advance(1_000_000);
  assert.equal(r.read(IIR), 0xc1);
});

test("loopback: THR comes back in RBR, nothing goes out, modem outputs show as inputs", () => {
  const { r, env } = makeUart();
  r.write(MCR, 0x10);
  r.write(THR, 0x5a);
  assert.equal(r.read(LSR), 0x61);
  assert.equal(r.read(RBR), 0x5a);
  assert.equal(env.outputText(), "");
  for (const [mcr, msr] of [
    [0x01, 0x20],
    [0x02, 0x10],
    [0x04, 0x40],
    [0x08, 0x80],
    [0x0f, 0xf0],
  ] as const) {
    r.write(MCR, 0x10 | mcr);
    assert.equal(r.read(MSR), msr);
  }
});

test("loopback keeps what the far end sends for later", () => {
  const { r, send } = makeUart();
  r.write(MCR, 0x10);
  send("q");
  assert.equal(r.read(LSR), 0x60);
  r.write(MCR, 0x00);
  assert.equal(r.read(RBR), 0x71);
});

test("overrun without FIFOs: the new byte wins, LSR.OE is read once and raises the line-status interrupt", () => {
  const { r, env } = makeUart();
  r.write(MCR, 0x10);
  r.write(IER, 0x04);
  r.write(THR, 1);
  assert.equal(env.level(0), false);
  r.write(THR, 2);
  assert.equal(r.read(IIR), 0x06);
  assert.equal(r.read(LSR), 0x63);
  assert.equal(r.read(LSR), 0x61);
  assert.equal(env.level(0), false);
  assert.equal(r.read(RBR), 2);
});

test("overrun with FIFOs: the seventeenth byte is lost", () => {
  const { r } = makeUart();
  r.write(MCR, 0x10);
  r.write(FCR, 0x01);
  for (let i = 1; i <= 17; i++) r.write(THR, i);
  assert.equal(r.read(LSR), 0x63);
  for (let i = 1; i <= 16; i++) assert.equal(r.read(RBR), i);
  assert.equal(r.read(LSR), 0x60);
  assert.equal(r.read(RBR), 0);
});

test("FCR resets the receive FIFO and its time-out", () => {
  const { r, env } = makeUart();
  r.write(MCR, 0x10);
  r.write(FCR, 0xc1);
  r.write(THR, 7);
  assert.notEqual(env.nextEvent(), null);
  r.write(FCR, 0xc3);
  assert.equal(r.read(LSR), 0x60);
  assert.equal(env.nextEvent(), null);
});

test("access widths: a wider access reaches one register; beyond the eight registers and misaligned it faults", () => {
  const { r, device } = makeUart();
  r.write(SCR, 0xab);
  r.write(LCR, 0x1b, 1);
  assert.equal(r.read(MCR, 4), 0x08);
  assert.equal(r.read(6, 2), 0xb0);
  r.write64(0, 0x4142n);
  r.write(4, 0x1f1f_1f1f, 4);
  assert.equal(r.read(MCR), 0x1f);
  assert.equal(r.read(SCR), 0xab);
  const region = device.regions[0];
  assert.ok(region);
  assert.equal(busRead(region, 8, 1), null);
  assert.equal(busRead(region, 1, 2), null);
  assert.equal(busRead(region, 4, 8), null);
  assert.equal(busWrite(region, 7, 2, 0n), false);
});

test("reset lowers the pin and restores power-on values", () => {
  const { r, env, device } = makeUart();
  r.write(IER, 0x02);
  r.write(FCR, 0xc1);
  device.reset();
  assert.equal(env.level(0), false);
  assert.deepEqual([r.read(IER), r.read(IIR), r.read(LSR)], [0, 0x01, 0x60]);
});

test("a saved state keeps the FIFO, the waiting bytes and the time-out", () => {
  const { r, env, device, send } = makeUart();
  r.write(FCR, 0x41);
  r.write(IER, 0x01);
  send("abcdefgh");
  const fork = env.fork();
  const copy = fork.connect(uart16550.create({}, fork));
  copy.load(structuredClone(device.save()));
  const rc = registersOf(copy, 0, 1);
  for (const byte of new TextEncoder().encode("abcdefgh")) {
    assert.equal(rc.read(IIR), r.read(IIR));
    assert.deepEqual([r.read(RBR), rc.read(RBR)], [byte, byte]);
  }
  assert.deepEqual([r.read(LSR), rc.read(LSR)], [0x60, 0x60]);
});
