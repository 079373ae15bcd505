// What a test may ask for with `needs`, and the words it may be tagged with. A name that stands in neither table is an error, so
// that a slip cannot silently skip a test. Machines say in their files which of these they offer.

export interface Capability {
  readonly name: string;
  /** What stands in the parentheses: nothing, a number, a pci id, a word, or `uart1` or `uart1.port`. */
  readonly argument: "none" | "number" | "pci-id" | "word" | "optional-word" | "device";
  readonly summary: string;
}

/** What each kind of argument looks like: in messages, as an example, and as a manifest has it, but for upper case and `_`. */
export const ARGUMENTS: Readonly<Record<Capability["argument"], { readonly wanted: string; readonly example: string; readonly form: RegExp }>> = {
  none: { wanted: "nothing", example: "", form: /^$/ },
  number: { wanted: "a number", example: "2", form: /^(0|[1-9]\d*)$/ },
  "pci-id": { wanted: "a `vendor:device` id", example: "0x1b36:0x0005", form: /^0x[0-9a-f]{1,4}:0x[0-9a-f]{1,4}$/ },
  word: { wanted: "a word", example: "console", form: /^[a-z]\w*$/ },
  "optional-word": { wanted: "a word", example: "console", form: /^[a-z]\w*$/ },
  device: { wanted: "the name of a device", example: "uart0", form: /^[a-z]\w*(\.[a-z]\w*)*$/ },
};

export const CAPABILITIES: readonly Capability[] = [
  { name: "device", argument: "device", summary: "a device by its name in the machine's file, or a constant of it" },
  { name: "cpus", argument: "number", summary: "at least that many CPUs" },
  { name: "ram", argument: "number", summary: "at least that many bytes of RAM" },
  { name: "timer", argument: "none", summary: "a timer interrupt for each CPU" },
  { name: "ipi", argument: "none", summary: "interrupts from CPU to CPU" },
  { name: "ports", argument: "none", summary: "an I/O port space" },
  { name: "mmu", argument: "none", summary: "address translation" },
  { name: "user_mode", argument: "none", summary: "an unprivileged mode" },
  { name: "uart16550", argument: "none", summary: "a 16550 UART" },
  { name: "rtc", argument: "none", summary: "a real-time clock" },
  { name: "clint", argument: "none", summary: "a SiFive CLINT" },
  { name: "plic", argument: "none", summary: "a SiFive PLIC" },
  { name: "console", argument: "none", summary: "a console that the host reads" },
  { name: "goldfish_rtc", argument: "none", summary: "a goldfish real-time clock" },
  { name: "chr_testdev", argument: "none", summary: "chr-testdev behind a virtio console" },
  { name: "finisher", argument: "none", summary: "the SiFive test finisher" },
  { name: "pci", argument: "pci-id", summary: "a PCI host, or a function with that vendor:device id" },
  { name: "msi", argument: "none", summary: "message-signalled interrupts" },
  { name: "virtio", argument: "optional-word", summary: "virtio over MMIO, or that device over it: console, rng, blk, net" },
  { name: "virtio_pci", argument: "optional-word", summary: "virtio over PCI, or that device over it" },
  { name: "ecam", argument: "none", summary: "PCI configuration space in memory" },
  { name: "exact_time", argument: "none", summary: "time that is the count of executed instructions, to the nanosecond" },
  { name: "fresh_devices", argument: "none", summary: "devices that are as at reset when each test starts" },
  { name: "bus_errors", argument: "none", summary: "accesses that a device refuses trap" },
  { name: "machine_mode", argument: "none", summary: "tests that run in RISC-V's machine mode" },
  { name: "supervisor_mode", argument: "none", summary: "tests that run in a kernel's mode: RISC-V S, ring 0, EL1" },
  { name: "device_tree", argument: "none", summary: "a flattened device tree from the boot loader" },
  { name: "acpi", argument: "none", summary: "ACPI tables" },
  { name: "acpi_pm", argument: "none", summary: "ACPI's fixed registers and timer" },
  { name: "acpi_ged", argument: "none", summary: "ACPI's generic event device" },
  { name: "fw_cfg", argument: "none", summary: "QEMU's firmware configuration device" },
  { name: "sbi", argument: "none", summary: "RISC-V SBI calls" },
  { name: "psci", argument: "none", summary: "Arm PSCI calls" },
  { name: "semihosting", argument: "none", summary: "Arm semihosting calls" },
  { name: "debug_exit", argument: "none", summary: "QEMU's isa-debug-exit" },
  { name: "debug_console", argument: "none", summary: "the Bochs debug port" },
  { name: "pc_testdev", argument: "none", summary: "QEMU's pc-testdev" },
  { name: "pl011", argument: "none", summary: "a PL011 UART" },
  { name: "pl031", argument: "none", summary: "a PL031 real-time clock" },
  { name: "gicv2", argument: "none", summary: "a GICv2" },
  { name: "gicv3", argument: "none", summary: "a GICv3" },
  { name: "its", argument: "none", summary: "an interrupt translation service of a GICv3" },
  { name: "lapic", argument: "none", summary: "local APICs" },
  { name: "ioapic", argument: "none", summary: "an I/O APIC" },
  { name: "pic", argument: "none", summary: "a pair of 8259 interrupt controllers" },
  { name: "pit", argument: "none", summary: "an 8254 interval timer" },
  { name: "hpet", argument: "none", summary: "a high precision event timer" },
  { name: "cmos_rtc", argument: "none", summary: "an MC146818 real-time clock" },
  { name: "i8042", argument: "none", summary: "a PS/2 controller" },
];

/** Tags of the suites that ship; a project adds its own in `guestspec.yaml`. */
export const TAGS: readonly string[] = [
  "arithmetic",
  "bytecode",
  "console",
  "control_flow",
  "cpu",
  "device",
  "dma",
  "example",
  "interrupts",
  "isolated",
  "kunit",
  "kvm_unit_tests",
  "memory",
  "mmio",
  "msi",
  "pci",
  "ports",
  "regression",
  "rtc",
  "slow",
  "smoke",
  "smp",
  "timer",
  "traps",
  "tutorial",
  "uart",
  "very_slow",
  "virtio",
];
