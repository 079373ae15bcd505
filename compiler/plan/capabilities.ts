// What a test may ask for with `needs`, and the words it may be tagged with. A name that stands in neither table is an error, so
// that a slip cannot silently skip a test. Machines say in their files which of these they offer.

export interface Capability {
  readonly name: string;
  /** What stands in the parentheses: nothing, a number, a pci id, or a word. */
  readonly argument: "none" | "number" | "pci-id" | "word" | "optional-word";
  readonly summary: string;
}

export const CAPABILITIES: readonly Capability[] = [
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
  { name: "virtio", argument: "optional-word", summary: "virtio, or that device over it: console, rng, blk, net" },
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
  "virtio",
];
