// SiFive test finisher: one write-only register that ends the machine; how a guest reports success on the riscv `virt` board.
// Manual: QEMU's "sifive_test" and the device tree binding sifive,test0 (no SiFive manual documents it). A write to offset 0 takes
// its command from bits 15:0 and, for FINISHER_FAIL, the exit code from bits 31:16. Reads give 0. A 2-byte write is allowed and has
// code 0. Nothing is left out; the machine stops after the instruction, where QEMU 7.2 leaves in the middle of it.

import { defineDevice } from "./device.ts";
import type { Device, DeviceEnv, MachineExit } from "./device.ts";

const FINISHER = 0;

const FINISHER_FAIL = 0x3333;
const FINISHER_PASS = 0x5555;
const FINISHER_RESET = 0x7777;

export type TestFinisherConfig = Readonly<Record<string, never>>;

function decode(value: number): MachineExit | null {
  switch (value & 0xffff) {
    case FINISHER_FAIL:
      return { kind: "poweroff", code: value >>> 16 };
    case FINISHER_PASS:
      return { kind: "poweroff", code: 0 };
    case FINISHER_RESET:
      return { kind: "reset", code: 0 };
    default:
      return null;
  }
}

function create(_config: TestFinisherConfig, env: DeviceEnv): Device {
  return {
    regions: [
      {
        name: "test-finisher",
        size: 0x1000,
        valid: { min: 2, max: 4 },
        read: () => 0,
        pureRead: () => "constant",
        write(offset, _width, value) {
          const exit = offset === FINISHER ? decode(value) : null;
          if (exit !== null) env.exit(exit);
          else env.log(`guest error: 0x${value.toString(16)} at offset 0x${offset.toString(16)} is no finisher command`);
        },
      },
    ],
    reset() {},
    save: () => null,
    load() {},
  };
}

export const testFinisher = defineDevice<TestFinisherConfig>({
  name: "test-finisher",
  summary: "SiFive test finisher: ends the machine with a status",
  manual: "QEMU hw/misc/sifive_test.c; Linux binding sifive,test0",
  create,
  describe: () => ({ node: "test", compatible: ["sifive,test1", "sifive,test0", "syscon"] }),
});
