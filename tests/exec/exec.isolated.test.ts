// `guestspec exec` as users start it: our own images in machine mode and under both kinds of firmware, OpenSBI to its banner, traces,
// breakpoints, piped input, and what it says to mistakes. OpenSBI is Debian's package; without it those tests say so.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { assemble, formatProblem } from "../../isa/riscv64/assemble.ts";
import { root } from "../../tools/project.mjs";
import { runTool, toolCommand, type Outcome } from "../cli/transcripts.ts";
import { openTerminal, skipWithoutTerminal } from "../fixtures/terminal.ts";
import { runExec, writeProgram } from "./exec-tool.ts";

const OPENSBI = "/usr/lib/riscv64-linux-gnu/opensbi/generic";
const skip = existsSync(OPENSBI) ? false : `there is no ${OPENSBI} (Debian package opensbi)`;

let folder = "";
before(() => {
  folder = mkdtempSync(join(tmpdir(), "guestspec-exec-"));
});
after(() => rmSync(folder, { recursive: true, force: true }));

const exec = (args: readonly string[], input = ""): Promise<Outcome> => runExec(folder, args, input);

function program(name: string, text: string): string {
  const path = join(folder, name);
  writeProgram(path, text);
  return path;
}

const POWER_OFF = (code: number): string => `li t0, 0x100000\nli t1, ${code === 0 ? 0x5555 : (code << 16) | 0x3333}\nsw t1, (t0)\nj .`;

/** Reads bytes of the console and writes them back, each one up, until a newline. */
const ECHO = `
  li t0, 0x10000000
wait: lbu t1, 5(t0)
  andi t1, t1, 1
  beqz t1, wait
  lbu t1, (t0)
  li t2, 10
  beq t1, t2, done
  addi t1, t1, 1
  sb t1, (t0)
  j wait
done:
${POWER_OFF(0)}`;

test("what is typed reaches the guest, what it says standard output", async () => {
  assert.deepEqual(await exec([program("echo", ECHO)], "HAL\n"), { code: 0, stdout: "IBM", stderr: "" });
});

test("on a terminal Ctrl-C is the guest's, and Ctrl-A x ends the machine", { skip: skipWithoutTerminal }, async () => {
  const terminal = openTerminal(toolCommand(["exec", program("echo-for-ever", ECHO)], { cwd: folder }));
  await terminal.shows("Ctrl-A x ends the machine");
  terminal.type("HAL\u0003");
  await terminal.shows("IBM\u0004");
  terminal.type("\u0001x");
  assert.equal(await terminal.ended, 0);
  assert.match(terminal.screen(), /guestspec: stopped/);
});

test("codes of the guest, deadlocks and limits are told", async () => {
  assert.deepEqual(await exec([program("fails", POWER_OFF(3))]), { code: 1, stdout: "", stderr: "guestspec: the guest ended with code 3\n" });
  const idle = await exec([program("idle", "wfi\nj .")]);
  assert.equal(idle.code, 1);
  assert.match(idle.stderr, /^guestspec: every CPU waits, and nothing will wake one\ncpu0: 0x80000004, machine mode, 1 instructions, waits for an interrupt\n/);
  const limited = await exec([program("busy", "li a0, 5\nj ."), "--until", "1000", "--cpus", "2"]);
  assert.equal(limited.code, 0);
  assert.match(limited.stderr, /^guestspec: stopped after 1,000 instructions\ncpu0: 0x8000000[04], machine mode, \d+ instructions\n[^]*\ncpu1: /);
  assert.match(limited.stderr, /a0 {6}0{15}5/);
});

test("a trace has every instruction, on standard error or in a file; a breakpoint stops in front of its own", async () => {
  const path = program("traced", `nop\nli a0, 7\n${POWER_OFF(0)}`);
  const traced = await exec([path, "--trace"]);
  const lines = traced.stderr.split("\n");
  assert.deepEqual(lines.slice(0, 2), ["cpu0 0x80000000: addi zero, zero, 0", "cpu0 0x80000004: addi a0, zero, 7"]);
  const trapping = await exec([program("trapping", `la t0, 1f\ncsrw mtvec, t0\necall\n.align 2\n1: lw a0, 8(zero)\n`), "--trace", "--until", "6"]);
  assert.deepEqual(trapping.stderr.split("\n").slice(3, 7), [
    "cpu0 0x8000000c: ecall",
    "cpu0 0x8000000c: takes ecall_from_m",
    "cpu0 0x80000010: lw a0, 8(zero)",
    "cpu0 0x80000010: takes load_access_fault, 0x8",
  ]);
  const file = join(folder, "trace");
  await exec([path, `--trace=${file}`]);
  assert.equal(readFileSync(file, "utf8"), traced.stderr);
  const stopped = await exec([path, "--break", "0x80000004"]);
  assert.equal(stopped.code, 0);
  assert.match(stopped.stderr, /^guestspec: cpu0 is at 0x80000004\n/);
  assert.match(stopped.stderr, /a0 {6}0{16}/);
});

test("our own images run in machine mode, in supervisor mode, and over OpenSBI", async () => {
  const build = (machine: string, out: string) => runTool(["build", join(root, "specs/kunit/add.gspec"), "--machine", machine, "-o", out], { cwd: folder });
  for (const machine of ["riscv-virt", "riscv-virt-sbi"]) {
    const built = await build(machine, machine);
    assert.equal(built.code, 0, built.stderr);
    const path = /\S+add\.riscv64(?=\s)/.exec(`${built.stdout} `)?.[0] ?? assert.fail(built.stdout);
    const ended = await exec([path, "--machine", machine]);
    assert.match(ended.stdout, /ok 1 basic\n[^]*\nok 1 add\n/, ended.stderr);
    assert.equal(ended.code, 0, ended.stderr);
    if (machine !== "riscv-virt-sbi" || skip !== false) continue;
    const over = await exec([path, "--firmware", `${OPENSBI}/fw_dynamic.elf`]);
    assert.match(over.stdout, /OpenSBI v[^]*\nok 1 add\n/, over.stderr);
  }
});

/** An ELF file of 32 bits with one segment, whose bytes are behind the headers. */
function elf32(code: Uint8Array): Buffer {
  const base = 0x8000_0000;
  const at = 52 + 32;
  const bytes = Buffer.alloc(at + code.length);
  Buffer.from([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]).copy(bytes);
  // e_type EXEC, e_machine, e_phentsize, e_phnum.
  for (const [place, value] of [
    [16, 2],
    [18, 243],
    [42, 32],
    [44, 1],
  ] as const)
    bytes.writeUInt16LE(value, place);
  // e_entry, e_phoff; PT_LOAD: type, offset, virtual and physical address, sizes.
  for (const [place, value] of [
    [24, base],
    [28, 52],
  ] as const)
    bytes.writeUInt32LE(value, place);
  [1, at, base, base, code.length, code.length + 64].forEach((value, index) => bytes.writeUInt32LE(value, 52 + 4 * index));
  Buffer.from(code).copy(bytes, at);
  return bytes;
}

test("programs for riscv32: raw and ELF, traced, stopped, over firmware, and not on CPUs of 64 bits", async () => {
  const assembled = (text: string, origin = 0x8000_0000n): Uint8Array => {
    const assembly = assemble(text, { origin }, 32);
    return assembly.ok ? assembly.bytes : assert.fail(assembly.problems.map(formatProblem).join("\n"));
  };
  const file = (name: string, bytes: Uint8Array): string => {
    writeFileSync(join(folder, name), bytes);
    return join(folder, name);
  };
  const on32 = ["--machine", "riscv32-virt"];
  const code = assembled(`c.jal next\n j .\nnext: li a0, -1\n li a1, 0x10000000\n li a2, 0x33\n sb a2, (a1)\n ${POWER_OFF(0)}`);
  const raw = file("raw32", code);
  const elf = file("elf32", elf32(code));
  for (const path of [raw, elf]) assert.deepEqual(await exec([path, ...on32]), { code: 0, stdout: "3", stderr: "" });
  const traced = await exec([elf, ...on32, "--trace"]);
  assert.deepEqual(traced.stderr.split("\n").slice(0, 2), ["cpu0 0x80000000: c.jal . + 6", "cpu0 0x80000006: addi a0, zero, -1"]);
  const stopped = await exec([elf, ...on32, "--break", "0x8000000a"]);
  assert.match(stopped.stderr, /^guestspec: cpu0 is at 0x8000000a\n/);
  assert.match(stopped.stderr, / ra {6}80000002 .* a0 {6}ffffffff /s);
  // The kernel 4 MiB into RAM, where `fw_dynamic_info` says that it is.
  const firmware = file(
    "firmware32",
    assembled(
      "lw t0, 8(a2)\n li t1, 0x1800\n csrc mstatus, t1\n li t1, 0x800\n csrs mstatus, t1\n csrw mepc, t0\n li t0, -1\n csrw pmpaddr0, t0\n li t0, 0x1f\n csrw pmpcfg0, t0\n mret",
    ),
  );
  assert.deepEqual(await exec([raw, ...on32, "--firmware", firmware]), { code: 0, stdout: "3", stderr: "" });
  // In supervisor mode over the firmware that is built in: its debug console prints, and its reset call ends the machine with a failure.
  const supervisor = file(
    "supervisor32",
    assembled(
      "la a1, text\n li a0, 3\n li a2, 0\n li a6, 0\n li a7, 0x4442434e\n ecall\n li a0, 0\n li a1, 1\n li a7, 0x53525354\n ecall\ntext: .word 0x0a3233",
      0x8040_0000n,
    ),
  );
  assert.deepEqual(await exec([supervisor, "--machine", "riscv32-virt-sbi"]), { code: 1, stdout: "32\n", stderr: "guestspec: the guest ended with code 1\n" });
  const wrong = await exec([elf]);
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /is an ELF file for riscv32; this machine's CPUs are riscv64/);
});

test("OpenSBI boots to its banner, as an ELF file and as raw bytes", { skip }, async () => {
  for (const file of ["fw_jump.elf", "fw_jump.bin"]) {
    const { stdout, stderr } = await exec([`${OPENSBI}/${file}`, "--until", "40000000"]);
    assert.match(stdout, /Platform Name +: riscv-virtio,qemu\r?\n[^]*Platform Console Device +: uart8250\r?\n[^]*Boot HART MEDELEG/, stderr);
  }
});

test("mistakes are told in words", async () => {
  const path = program("nothing", "j .");
  const rows: readonly (readonly [readonly string[], RegExp])[] = [
    [[join(folder, "absent")], /cannot read .*absent: no such file or directory/],
    [["/bin/sh"], /ELF file for another CPU: machine \d+, RISC-V is 243/],
    [[path, "--machine", "x86-pc"], /x86-pc has x86_64 CPUs, which only QEMU has\n.*machines for programs: riscv-virt, riscv-virt-sbi/],
    [[path, "--machine", "bytecode-virt"], /bytecode-virt runs bytecode, which `guestspec run` does/],
    [[path, "--break", "main"], /`--break main` names a symbol, and the image has none/],
    [[path, "--cpus", "9"], /`--cpus` takes a whole number from 1 to 8, not `9`/],
    [[path, "--seed", "0x1_0000_0000_0000_0000"], /`--seed` takes a number of at most 64 bits, not/],
    [[path, "--until", "soon"], /`--until` takes a whole number from 1, not `soon`/],
    [[path, "--virtual-time", "--wall-time"], /exclude each other/],
  ];
  for (const [args, expected] of rows) {
    const { code, stderr } = await exec(args);
    assert.match(stderr, expected);
    assert.ok(code === 2 || code === 75, `${code}: ${stderr}`);
  }
});

/** Copies sector 0 of the first disk to sector 1, with its first byte one up, and prints that byte. Polls; status or anything else is not looked at. */
const COPY_SECTOR = `
  li s0, 0x10003000
  sw zero, 0x70(s0)
  li t0, 3
  sw t0, 0x70(s0)
  li t0, 1
  sw t0, 0x24(s0)
  sw t0, 0x20(s0)
  li t0, 0xb
  sw t0, 0x70(s0)
  sw zero, 0x30(s0)
  li t0, 8
  sw t0, 0x38(s0)
  li t0, 0x80010000
  sw t0, 0x80(s0)
  li t0, 0x80011000
  sw t0, 0x90(s0)
  li t0, 0x80012000
  sw t0, 0xa0(s0)
  li t0, 1
  sw t0, 0x44(s0)
  li t0, 0xf
  sw t0, 0x70(s0)
  li s1, 0x80010000
  li t0, 0x80020000
  sd t0, 0(s1)
  li t0, 0x0001000100000010
  sd t0, 8(s1)
  li t0, 0x80021000
  sd t0, 16(s1)
  li t0, 0x0002000300000200
  sd t0, 24(s1)
  li t0, 0x80022000
  sd t0, 32(s1)
  li t0, 0x0000000200000001
  sd t0, 40(s1)
  li s2, 0x80011000
  li t0, 1
  sh t0, 2(s2)
  sw zero, 0x50(s0)
  li s3, 0x80021000
  lbu s4, (s3)
  addi s4, s4, 1
  sb s4, (s3)
  li t1, 0x10000000
  sb s4, (t1)
  li t2, 0x80020000
  sw t0, 0(t2)
  sd t0, 8(t2)
  li t0, 0x0002000100000200
  sd t0, 24(s1)
  li t0, 2
  sh t0, 2(s2)
  sw zero, 0x50(s0)
${POWER_OFF(0)}`;

test("a disk is read; what is written to it stays in memory, or in the file if it is asked for", async () => {
  const image = program("copy-sector.bin", COPY_SECTOR);
  const disk = join(folder, "disk.img");
  const before = Buffer.alloc(1024);
  before[0] = 0x41;
  writeFileSync(disk, before);
  for (const argument of [disk, `${disk},ro`]) {
    assert.deepEqual(await exec([image, "--disk", argument]), { code: 0, stdout: "B", stderr: "" });
    assert.deepEqual(readFileSync(disk), before);
  }
  assert.deepEqual(await exec([image, "--disk", `${disk},save`]), { code: 0, stdout: "B", stderr: "" });
  assert.equal(readFileSync(disk)[512], 0x42);
});

test("disks that cannot be", async () => {
  const image = program("off.bin", POWER_OFF(0));
  const disk = join(folder, "odd.img");
  writeFileSync(disk, Buffer.alloc(513));
  const said = async (...args: readonly string[]): Promise<string> => (await exec([image, ...args])).stderr;
  assert.match(await said("--disk", disk), /whole sectors of 512 bytes, and .*odd\.img has 513 bytes/);
  assert.match(await said("--disk", join(folder, "missing.img")), /cannot read .*missing\.img: no such file/);
  writeFileSync(disk, Buffer.alloc(512));
  assert.match(await said("--disk", disk, "--snapshot", join(folder, "s")), /`--disk` and `--snapshot` exclude each other/);
  assert.match(await said(...Array.from({ length: 9 }, () => ["--disk", disk]).flat()), /riscv-virt has room for \d disks, not for 9/);
});
