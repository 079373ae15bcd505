// QEMU's command line as a pure function: what all boards share, what each option adds, and what is refused. That QEMU takes these
// lines and has the devices where the files say is shown by tests/machines-qemu.isolated.test.ts.

import { test } from "node:test";
import assert from "node:assert/strict";
import type { MachineDescription } from "./description.ts";
import { listMachines, loadMachine } from "./load-machine.ts";
import { qemuBinary, qemuCommand, type QemuOptions } from "./qemu-command.ts";

function load(name: string): MachineDescription {
  const result = loadMachine(name);
  assert.ok(result?.ok, name);
  return result.machine;
}

function argsOf(name: string, options: Partial<QemuOptions> = {}): readonly string[] {
  const result = qemuCommand(load(name), { image: "a.elf", binary: "qemu", ...options });
  assert.ok(result.ok, result.ok ? "" : result.problem);
  return result.command.args;
}

/** The value behind an option. */
function valueOf(args: readonly string[], option: string): string | undefined {
  return args.includes(option) ? args[args.indexOf(option) + 1] : undefined;
}

test("the smallest board: no default devices, the console on stdio, exactly the devices of the file", () => {
  const result = qemuCommand(load("riscv-virt"), { image: "a.elf", binary: "/opt/qemu", commandLine: "host=serial seed=1" });
  assert.ok(result.ok);
  assert.equal(result.command.binary, "/opt/qemu");
  assert.equal(
    result.command.args.join(" "),
    "-nodefaults -no-user-config -display none -no-reboot -M virt -accel tcg -cpu rv64 -smp 1 -m 64M -bios none" +
      " -rtc base=2026-01-01T00:00:00,clock=vm -chardev stdio,id=console,signal=off -global virtio-mmio.force-legacy=false -global virtio-mmio.ioeventfd=off" +
      " -serial chardev:console -chardev testdev,id=testdev -device virtio-serial-device,max_ports=1,bus=virtio-mmio-bus.0" +
      " -device virtconsole,chardev=testdev -device virtio-rng-device,bus=virtio-mmio-bus.1" +
      " -drive if=none,id=disk0,format=raw,file.driver=null-co,file.size=1M,file.read-zeroes=on,snapshot=on" +
      " -device virtio-blk-device,drive=disk0,serial=guestspec-disk,bus=virtio-mmio-bus.2" +
      " -netdev hubport,id=net0,hubid=0 -device virtio-net-device,netdev=net0,mac=52:54:00:12:34:56,bus=virtio-mmio-bus.3" +
      " -netdev hubport,id=net1,hubid=0 -device virtio-net-device,netdev=net1,mac=52:54:00:12:34:57,bus=virtio-mmio-bus.4" +
      " -drive if=none,id=disk1,format=raw,file.driver=null-co,file.size=64K,file.read-zeroes=on,readonly=on" +
      " -device virtio-blk-device,drive=disk1,bus=virtio-mmio-bus.5 -device pci-testdev,addr=1 -device edu,addr=2,dma_mask=0xffffffff" +
      " -chardev null,id=vserial -device virtio-serial-pci,id=vserial0,max_ports=1,addr=3,disable-legacy=on" +
      " -device virtconsole,chardev=vserial,bus=vserial0.0 -device virtio-rng-pci,addr=4,disable-legacy=on" +
      " -drive if=none,id=disk2,format=raw,file.driver=null-co,file.size=1M,file.read-zeroes=on,snapshot=on" +
      " -device virtio-blk-pci,drive=disk2,serial=guestspec-disk,num-queues=1,addr=5,disable-legacy=on" +
      " -netdev hubport,id=net2,hubid=1 -device virtio-net-pci,netdev=net2,mac=52:54:00:12:34:58,romfile=,addr=6,disable-legacy=on" +
      " -netdev hubport,id=net3,hubid=1 -device virtio-net-pci,netdev=net3,mac=52:54:00:12:34:59,romfile=,addr=7,disable-legacy=on" +
      " -kernel a.elf -append host=serial seed=1",
  );
});

test("options: CPUs, memory, determinism, accelerators, extra arguments last", () => {
  const args = argsOf("x86-q35", { cpus: 4, memory: 2 ** 27, isDeterministic: true, extraArguments: ["-bios", "bios-256k.bin"] });
  assert.equal(valueOf(args, "-M"), "q35,sata=off,smbus=off,vmport=off,smm=off");
  assert.equal(valueOf(args, "-smp"), "4");
  assert.equal(valueOf(args, "-m"), "128M");
  assert.equal(valueOf(args, "-icount"), "shift=0,sleep=off");
  assert.equal(valueOf(args, "-seed"), "0");
  assert.equal(valueOf(args, "-append"), undefined);
  assert.deepEqual(args.slice(-2), ["-bios", "bios-256k.bin"]);
  const accelerated = argsOf("x86-q35", { accelerator: "kvm" });
  assert.equal(valueOf(accelerated, "-cpu"), "host");
  assert.equal(valueOf(accelerated, "-icount"), undefined);
});

test("what cannot be is a problem, not a command", () => {
  const problemOf = (name: string, options: Partial<QemuOptions>): string => {
    const result = qemuCommand(load(name), { image: "a.elf", binary: "qemu", ...options });
    return result.ok ? "none" : result.problem;
  };
  assert.equal(problemOf("bytecode-virt", {}), "bytecode-virt is not a board of QEMU's");
  assert.equal(problemOf("arm64-virt", { cpus: 9 }), "arm64-virt has 1 to 8 CPUs, not 9");
  assert.equal(problemOf("arm64-virt", { memory: 1000 }), "QEMU's RAM comes in whole MiB, not in 1000 bytes");
  assert.equal(problemOf("x86-pc", { accelerator: "kvm", isDeterministic: true }), "instructions can be counted under tcg only, not under kvm");
});

test("a variable names the program, else it is looked for on the PATH", () => {
  const machine = load("riscv-virt-sbi");
  assert.equal(qemuBinary(machine, {}), "qemu-system-riscv64");
  assert.equal(qemuBinary(machine, { QEMU_riscv64: "" }), "qemu-system-riscv64");
  assert.equal(qemuBinary(machine, { QEMU_riscv64: "/opt/qemu" }), "/opt/qemu");
  assert.equal(qemuBinary(load("bytecode-virt"), {}), null);
});

test("every board of QEMU's has one device on the console's chardev, its console", () => {
  for (const machine of listMachines().map(load)) {
    const users = machine.devices.filter(({ qemu }) => qemu.includes("chardev:console")).map(({ name }) => name);
    assert.deepEqual(users, machine.qemu === null ? [] : [machine.console], machine.name);
  }
});
