// 16550 UART against QEMU's serial_mm: registers, FIFO, loopback, interrupts (seen as the PLIC's pending bit), the receive time-out
// to the nanosecond, both directions of the console, and seeded random sequences.

import { PLIC, RTC, UART, UART_SOURCE } from "./board.ts";
import { createRandom } from "../fixtures/random.ts";
import { output, pass, read, readAllWidths, reset, send, settle, write } from "./script.ts";
import type { QtestScript, Step } from "./script.ts";

const [THR, IER, IIR, LCR, MCR, LSR, MSR, SCR] = [UART, UART + 1, UART + 2, UART + 3, UART + 4, UART + 5, UART + 6, UART + 7];
const FCR = IIR;
const PENDING = PLIC + 0x1000;
const CLAIM = PLIC + 0x20_0004;

const get = (register: number): Step => read(register, 1);
const put = (register: number, value: number): Step => write(register, value, 1);
const interrupt = read(PENDING);
const all = (): Step[] => [LSR, MSR, IER, IIR, LCR, MCR, SCR, THR].map(get);

/** Source 10 can be claimed by hart 0: the pending bit falls at a claim only. */
const enableInterrupt: readonly Step[] = [write(PLIC + 4 * UART_SOURCE, 1), write(PLIC + 0x2000, 1 << UART_SOURCE), write(PLIC + 0x20_0000, 0)];
const acknowledge: readonly Step[] = [read(CLAIM), write(CLAIM, UART_SOURCE), interrupt];

function timeout(divisor: number, lcr: number): QtestScript {
  return {
    name: `uart: receive time-out at divisor ${divisor}, LCR 0x${lcr.toString(16)}`,
    steps: [
      ...enableInterrupt,
      put(LCR, 0x80 | lcr),
      put(THR, divisor & 0xff),
      put(IER, divisor >> 8),
      put(LCR, lcr),
      put(MCR, 0x10),
      put(FCR, 0xc1),
      put(IER, 0x01),
      put(THR, 0x55),
      put(THR, 0xaa),
      get(IIR),
      settle,
      read(RTC),
      get(IIR),
      ...acknowledge,
      get(THR),
      get(IIR),
      settle,
      read(RTC),
      get(IIR),
      get(THR),
      ...all(),
    ],
  };
}

function random(seed: number, withConsole: boolean): QtestScript {
  const { below, chance, pick, u32 } = createRandom(seed);
  const steps: Step[] = [...enableInterrupt];
  if (!withConsole) steps.push(put(MCR, 0x10));
  const writers: readonly (() => Step[])[] = [
    () => Array.from({ length: 1 + below(20) }, () => put(THR, below(256))),
    () => [put(IER, below(256))],
    () => [put(FCR, chance(80) ? below(256) | 1 : below(256))],
    () => [put(LCR, chance(80) ? below(0x80) : below(256))],
    () => [put(MCR, withConsole ? below(0x10) : chance(80) ? 0x10 | below(16) : below(256))],
    () => [put(pick([LSR, MSR, SCR]), below(256))],
    // With the far end connected loopback stays off: in it QEMU goes on receiving, where the model follows the data sheet.
    () => [write(pick([UART, UART + 4]), withConsole ? u32() & ~0x10 : u32(), 4)],
    () => (withConsole ? [send(String.fromCharCode(...Array.from({ length: 1 + below(24) }, () => below(256))))] : [pass(100 * below(100_000) + 1e10), settle]),
  ];
  const count = withConsole ? 60 : 250;
  for (let i = 0; i < count; i++) {
    steps.push(...pick(writers)());
    for (let reads = below(4); reads > 0; reads--) steps.push(read(UART + below(8), 1));
    if (chance(10)) steps.push(read(UART + 4 * below(2), 4));
    if (chance(40)) steps.push(interrupt);
    if (chance(20)) steps.push(...acknowledge);
  }
  // Nothing may be left running at the end of a script without settle: compare the last time-out too.
  steps.push(settle, read(RTC), put(LCR, 3), ...all(), interrupt);
  if (withConsole) steps.push(output);
  return { name: `uart: random accesses, ${withConsole ? "console" : "loopback"}, seed ${seed}`, steps };
}

export const scripts: readonly QtestScript[] = [
  {
    name: "uart: power-on values, all widths and alignments",
    steps: [...readAllWidths(UART, 16), read(UART + 1, 4), read(UART + 3, 8)],
  },
  {
    name: "uart: what the registers keep",
    steps: [0xff, 0x55, 0xaa, 0x00].flatMap((value) => [
      ...[IER, FCR, MCR, LSR, MSR, SCR].map((register) => put(register, value)),
      ...all(),
      put(LCR, value),
      ...all(),
      put(LCR, 0),
    ]),
  },
  {
    name: "uart: wide writes reach one register",
    steps: [4, 8].flatMap((width) => [
      write(UART, 0x1122_3344_5566_7788n, width === 4 ? 4 : 8),
      write(UART + 4, 0xffff_ffff, 4),
      write(UART + 6, 0xffff, 2),
      ...all(),
    ]),
  },
  {
    name: "uart: transmit interrupt and its acknowledgement",
    steps: [
      ...enableInterrupt,
      put(IER, 2),
      interrupt,
      get(IIR),
      get(IIR),
      interrupt,
      ...acknowledge,
      put(THR, 0x41),
      interrupt,
      get(LSR),
      get(IIR),
      ...acknowledge,
      put(IER, 0),
      put(IER, 2),
      interrupt,
      put(IER, 3),
      get(IIR),
      put(FCR, 0x04),
      get(IIR),
      get(IIR),
      put(FCR, 0x01),
      get(IIR),
    ],
  },
  {
    name: "uart: loopback of modem lines",
    steps: Array.from({ length: 32 }, (_, value) => [put(MCR, value), get(MCR), get(MSR), get(IIR)]).flat(),
  },
  {
    name: "uart: overrun without FIFOs",
    steps: [
      ...enableInterrupt,
      put(MCR, 0x10),
      put(IER, 0x05),
      put(THR, 1),
      get(IIR),
      put(THR, 2),
      get(IIR),
      get(LSR),
      get(LSR),
      get(IIR),
      get(THR),
      ...all(),
      interrupt,
    ],
  },
  {
    name: "uart: FIFO fills, overruns and drains at every trigger level",
    steps: [0x01, 0x41, 0x81, 0xc1].flatMap((fcr) => [
      put(MCR, 0x10),
      put(IER, 0x01),
      put(FCR, fcr),
      ...Array.from({ length: 18 }, (_, i) => [put(THR, i), get(IIR), get(LSR)]).flat(),
      ...Array.from({ length: 18 }, () => [get(THR), get(IIR), get(LSR)]).flat(),
      put(FCR, 0x00),
      ...all(),
    ]),
  },
  {
    name: "uart: FIFO resets",
    steps: [
      put(MCR, 0x10),
      put(FCR, 0x01),
      put(THR, 9),
      put(FCR, 0x03),
      ...all(),
      put(THR, 8),
      put(FCR, 0x05),
      ...all(),
      put(THR, 7),
      put(FCR, 0x00),
      ...all(),
    ],
  },
  ...[
    [1, 0x03],
    [12, 0x03],
    [7, 0x00],
    [3, 0x1f],
    [1000, 0x04],
    [0, 0x03],
    [0xffff, 0x0b],
  ].map(([divisor, lcr]) => timeout(divisor ?? 0, lcr ?? 0)),
  {
    name: "uart: what is sent comes out",
    steps: [...Array.from("guestspec\n", (c) => put(THR, c.charCodeAt(0))), output],
  },
  {
    name: "uart: what the far end sends, without FIFOs",
    steps: [...enableInterrupt, put(IER, 1), send("abc"), interrupt, ...Array.from({ length: 4 }, () => [get(LSR), get(IIR), get(THR), ...acknowledge]).flat()],
  },
  {
    name: "uart: what the far end sends waits at the trigger level",
    steps: [
      ...enableInterrupt,
      put(IER, 1),
      put(FCR, 0x81),
      send("0123456789abcdefghijklmnopqrstuvwxyz"),
      interrupt,
      ...Array.from({ length: 30 }, () => [get(LSR), get(IIR), get(THR)]).flat(),
      settle,
      read(RTC),
      ...Array.from({ length: 8 }, () => [get(LSR), get(IIR), get(THR)]).flat(),
      ...all(),
    ],
  },
  {
    name: "uart: reset",
    steps: [...[IER, FCR, LCR, MCR, SCR].map((register) => put(register, 0x5f)), reset, ...all(), put(LCR, 0x80), get(THR), get(IER)],
  },
  ...[1, 2, 3, 4].map((seed) => random(seed, false)),
  ...[5, 6].map((seed) => random(seed, true)),
];
