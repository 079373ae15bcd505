// How CPUs of both widths find the machine when they start, on QEMU's board and on the embedded one: a program in the place of firmware
// writes down its registers and what `fw_dynamic_info` tells it, and prints that to the console, on which QEMU and we can be compared.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { RegisterWidth } from "../../isa/riscv64/by-width.ts";
import { createGuest } from "../../runtime/exec/guest.ts";
import { EMBEDDED_TARGETS } from "../../runtime/exec/processors.ts";
import { riscv32Virt, riscvVirt } from "../fixtures/machines.ts";
import { assembleAt, RAM } from "../fixtures/riscv64.ts";
import { FINISH, qemuOf, skipWithoutQemu } from "../fixtures/riscv64-qemu.ts";

const MOVES = { 32: { load: "lw", bytes: 4 }, 64: { load: "ld", bytes: 8 } } as const;

/** Of hart 0: a0, a1, the first word of the tree, and the six fields behind a2, as hexadecimal numbers. */
const programOf = ({ load, bytes }: { readonly load: string; readonly bytes: number }): string => `
  bnez a0, stop
  mv s0, a2
  mv s1, a1
  li s3, 0x10000000
  call print
  mv a0, s1
  call print
  lw a0, (s1)
  call print
  li s2, 6
fields:
  ${load} a0, (s0)
  addi s0, s0, ${bytes}
  call print
  addi s2, s2, -1
  bnez s2, fields
  ${FINISH}
stop:
  wfi
  j stop
print:
  li t0, 28
digit:
  srl t1, a0, t0
  andi t1, t1, 15
  addi t1, t1, 48
  li t2, 58
  blt t1, t2, put
  addi t1, t1, 39
put:
  sb t1, (s3)
  addi t0, t0, -4
  bgez t0, digit
  li t1, 10
  sb t1, (s3)
  ret`;

const KERNEL = Uint8Array.from([0x6f, 0, 0, 0]);

function askQemu(width: RegisterWidth, firmware: Uint8Array): string {
  const folder = mkdtempSync(join(tmpdir(), "guestspec-boot-"));
  try {
    const bios = join(folder, "bios");
    const kernel = join(folder, "kernel");
    writeFileSync(bios, firmware);
    writeFileSync(kernel, KERNEL);
    const args = ["-M", "virt", "-m", "64M", "-smp", "2", "-bios", bios, "-kernel", kernel, "-display", "none", "-serial", "stdio", "-monitor", "none"];
    const ended = spawnSync(qemuOf(width), args, { timeout: 30_000, killSignal: "SIGKILL", encoding: "utf8" });
    assert.equal(ended.status, 0, ended.stderr);
    return ended.stdout;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function askOurs(width: RegisterWidth, firmware: Uint8Array): Promise<string> {
  const description = width === 64 ? riscvVirt : riscv32Virt;
  const target = EMBEDDED_TARGETS[description.target] ?? assert.fail(description.target);
  let text = "";
  const created = createGuest({
    description,
    cpus: 2,
    seed: 0n,
    createProcessor: await target.load(),
    boot: {
      image: { name: "kernel", program: { kind: "raw", bytes: KERNEL } },
      firmware: { name: "firmware", program: { kind: "raw", bytes: firmware } },
      cpuProperties: target.cpuProperties,
    },
    output: (bytes) => void (text += Buffer.from(bytes).toString("latin1")),
  });
  assert.ok(created.ok);
  assert.deepEqual(created.guest.run({ instructions: 1_000_000, until: Infinity }), { kind: "poweroff", code: 0 });
  created.guest.dispose();
  return text;
}

for (const width of [32, 64] as const) {
  test(`RV${width}: firmware finds what QEMU's finds`, { skip: skipWithoutQemu }, async () => {
    const firmware = assembleAt(programOf(MOVES[width]), RAM, width);
    const ours = await askOurs(width, firmware);
    assert.equal(ours.split("\n").length, 10);
    assert.equal(ours, askQemu(width, firmware));
  });
}
