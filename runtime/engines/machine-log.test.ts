// The machine's log in a failure report: accesses of the test, not those that carry the report.
import assert from "node:assert/strict";
import { test } from "node:test";
import { bytecodeVirt as description } from "../../tests/fixtures/machines.ts";
import type { AccessRecord } from "../machine/bus.ts";
import { encodeFrame } from "./frames.ts";
import { readMachineLog } from "./machine-log.ts";

function access(parts: Partial<AccessRecord>): AccessRecord {
  const base = { time: 1000, origin: "cpu", space: "memory", address: 0x1000_0000n, device: "uart0", region: "uart-16550", offset: 0, width: 1 } as const;
  return { ...base, direction: "write", value: 0, fault: false, ...parts };
}

/** What the guest's console driver does for each byte. */
function sending(bytes: Uint8Array): AccessRecord[] {
  return [...bytes].flatMap((value) => [access({ direction: "read", offset: 5, value: 0x60 }), access({ value })]);
}

function shown(accesses: readonly AccessRecord[]): readonly string[] {
  const log = readMachineLog({ description, accesses: () => accesses, interrupts: () => [], messages: () => [] }, 0);
  return log.accesses.map((line) => line.trim());
}

const edu = access({ device: "edu0", region: "edu", offset: 4, width: 4, direction: "read", value: 0xffff_fffe, time: 12_300 });

test("frames are left out, whole, under way, and cut at the log's start", () => {
  const line = "12.3 us  read   edu0.edu+0x4  width 4 = 0xffff_fffe";
  assert.deepEqual(shown([edu, ...sending(encodeFrame("p 1")), edu]), [line, line]);
  assert.deepEqual(shown([edu, ...sending(Uint8Array.of(0x1e, 0x66))]), [line]);
  for (let cut = 0; cut < 16; cut++) assert.deepEqual(shown([...sending(encodeFrame("p 1")).slice(cut), edu]), [line], `cut at ${cut}`);
});

test("what the test itself does with the console stays", () => {
  const [read, write] = sending(Uint8Array.of(0x41));
  assert.ok(read !== undefined && write !== undefined);
  assert.deepEqual(shown([read, write, ...sending(encodeFrame("f 0 0"))]), ["1 us  read   uart0+0x5  width 1 = 0x60", "1 us  write  uart0+0x0  width 1 = 0x41"]);
});

test("faults and accesses by DMA are told as such", () => {
  assert.deepEqual(
    shown([
      access({ device: null, region: null, address: 0xdead_0000n, direction: "read", value: null, fault: true, width: 4 }),
      access({ offset: 5, width: 8, value: 1n, fault: true }),
      access({ device: "msi0", region: "msi-frame", origin: "dma", width: 4, value: 66, offset: 0x40 }),
    ]),
    ["1 us  read   0xdead_0000  width 4 : nothing there", "1 us  write  uart0+0x5  width 8 : refused", "1 us  dma write  msi0+0x40  width 4 = 0x0000_0042"],
  );
});

test("interrupts and devices' messages have their time since the test began", () => {
  const log = readMachineLog(
    {
      description,
      accesses: () => [],
      interrupts: () => [{ time: 2500, device: "uart0", pin: 0, target: "plic0:10", level: true }],
      messages: () => [{ time: 3000, device: "edu0", text: "write of 2 bytes refused" }],
    },
    1000,
  );
  assert.deepEqual(
    log.interrupts.map((line) => line.trim()),
    ["1.5 us  uart0 pin 0 -> plic0:10 high"],
  );
  assert.deepEqual(
    log.messages.map((line) => line.trim()),
    ["2 us  edu0: write of 2 bytes refused"],
  );
});
