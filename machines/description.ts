// A machine as data: what a YAML file of this folder says, checked and typed. It is read by everyone who must agree on the
// board: the compiler (constants, capabilities), the linker (where images go), the embedded machine (devices, wires) and QEMU's
// command line (qemu-command.ts). Plain values only, so it can be cached, compared and sent to a worker.

export interface MachineDescription {
  readonly name: string;
  /** Instruction set of its CPUs: a folder of `isa/`. */
  readonly target: string;
  readonly summary: string;
  readonly cpus: { readonly min: number; readonly max: number; readonly default: number };
  readonly ram: { readonly base: bigint; readonly size: number };
  /** Ticks per second of the guest's time counter; on x86_64 of the local APIC's timer, for the TSC has to be measured. */
  readonly timebase: number;
  /** Bytes of stack for each CPU, the reserve for the trap vector not counted. */
  readonly stackSize: number;
  /** The device whose output is the console. */
  readonly console: string;
  /** Capabilities of the machine as a whole; those of its devices stand with them. */
  readonly provides: readonly Capability[];
  /** In the order of the file, which is the order of creation and reset. */
  readonly devices: readonly DeviceDescription[];
  /** What guest code must know beside its devices: `machine.supervisor`. */
  readonly constants: readonly GuestConstant[];
  /** Folders of `lib/` whose modules go before those of the target's folder. */
  readonly library: readonly string[];
  /** How QEMU makes this board; null: it is no board of QEMU's. */
  readonly qemu: QemuDescription | null;
  /** How native images start here; null: the machine runs bytecode. */
  readonly boot: BootDescription | null;
  /** What the exit status of the VMM's process says (docs/native.md, 7); null as for `boot`. */
  readonly exit: ExitDescription | null;
}

export interface QemuDescription {
  /** The end of `qemu-system-..`. */
  readonly binary: string;
  /** `-M`, with `properties` behind it. */
  readonly machine: string;
  readonly properties: Readonly<Record<string, string>>;
  /** `-cpu`, unless a hardware accelerator passes the host's on. */
  readonly cpu: string;
  /** `-bios`: a file of QEMU's data folder or `none`; null: what the board does by itself. */
  readonly firmware: string | null;
  /** Before those of the devices. */
  readonly arguments: readonly string[];
}

/** `image-header`: a flat image that begins with the Linux boot header of its architecture. */
export const IMAGE_KINDS = ["elf", "image-header"] as const;
export type ImageKind = (typeof IMAGE_KINDS)[number];

export const PRIVILEGES = ["machine", "supervisor"] as const;
export type Privilege = (typeof PRIVILEGES)[number];

export interface BootDescription {
  /** The address that images are linked for. */
  readonly base: bigint;
  readonly image: ImageKind;
  /** The mode that images start in: riscv64 M or S, x86_64 ring 0, aarch64 EL1. */
  readonly privilege: Privilege;
}

/** Exit statuses of the process for the three that `platform.exit` knows. */
export interface ExitDescription {
  readonly good: number;
  readonly failed: number;
  readonly crashed: number;
}

/** A device that nobody here knows: QEMU has it, and the specs that test it say what it does. */
export const OTHER_MODEL = "other";

export const ENGINES = ["embedded", "qemu"] as const;
export type EngineName = (typeof ENGINES)[number];

/** Instruction sets with CPUs in this process. */
const EMBEDDED_TARGETS: readonly string[] = ["bytecode", "riscv64", "riscv32"];

/** The engines that can run the machine. */
export function enginesOf(machine: MachineDescription): readonly EngineName[] {
  const isEmbedded = EMBEDDED_TARGETS.includes(machine.target) && machine.devices.every(({ model }) => model !== OTHER_MODEL);
  return ENGINES.filter((engine) => (engine === "qemu" ? machine.qemu !== null : isEmbedded));
}

export interface DeviceDescription {
  readonly name: string;
  readonly model: string;
  /** In the order of the model's regions. */
  readonly at: readonly RegionPlace[];
  readonly pci: { readonly bus: string; readonly slot: number; readonly function: number } | null;
  /** Where the functions behind this bus see memory at other addresses than the CPUs do; null: nowhere. */
  readonly dma: DmaWindow | null;
  readonly wires: readonly WireDescription[];
  readonly config: ConfigRecord;
  readonly provides: readonly Capability[];
  /** What QEMU must be told to have it; nothing for what the board always has. */
  readonly qemu: readonly string[];
}

/** Bus addresses [bus, bus + size) are the CPUs' [address, address + size), as `dma-ranges` of a device tree says it. */
export interface DmaWindow {
  readonly bus: bigint;
  readonly address: bigint;
  readonly size: number;
}

/** Where a region is visible: in memory, in port space, or in both. */
export interface RegionPlace {
  /** `base` for the only region of a device. */
  readonly region: string;
  readonly address: bigint | null;
  readonly port: number | null;
  readonly size: number;
}

/**
 * Output pins `pin`, `pin + 1`, .. (`count` of them) go to consecutive inputs of a device, or pin + n * stride to CPU n.
 * `edge`: the input latches what rises and never hears of the fall, as the gateway of an edge-triggered source does.
 */
export type WireDescription =
  | {
      readonly kind: "device";
      readonly pin: number;
      readonly count: number;
      readonly device: string;
      readonly input: number;
      readonly edge: boolean;
    }
  | { readonly kind: "cpu"; readonly pin: number; readonly cpu: number; readonly line: CpuLine }
  | { readonly kind: "cpus"; readonly pin: number; readonly stride: number; readonly line: CpuLine };

/**
 * Interrupt lines of a CPU; the index is the bit of `MachineCore.lines`, and the cause of bytecode CPUs (docs/bytecode.md), which have
 * the first three. `supervisor_external` is RISC-V's second line from its PLIC, the bit SEIP of mip.
 */
export const CPU_LINES = ["software", "timer", "external", "supervisor_external"] as const;
export type CpuLine = (typeof CPU_LINES)[number];

/** What a spec may `need`, as written: `pci(0x1b36:0x0005)` is name `pci`, argument `0x1b36:0x0005`. */
export interface Capability {
  readonly name: string;
  readonly argument: string | null;
}

/** Things that only the running machine knows, written `$cpus` or `$cpus*2` in a file. */
export const CONFIG_PARAMETERS = ["cpus", "timebase"] as const;
export type ConfigParameter = (typeof CONFIG_PARAMETERS)[number];

export interface ConfigReference {
  readonly parameter: ConfigParameter;
  readonly factor: number;
}

export type ConfigValue = string | number | bigint | boolean | ConfigReference | readonly ConfigValue[];
export type ConfigRecord = Readonly<Record<string, ConfigValue>>;

export interface GuestConstant {
  /** Dotted name below `machine`: `uart0.base`. */
  readonly name: string;
  readonly value: bigint;
}

/**
 * The constants that guest code sees as `machine.<name>`. For a region called `base`: `uart0.base`, `uart0.size`, `uart0.port`;
 * for others `pci0.ecam`, `pci0.ecam_size`, `pci0.io_port`. `irq` is the input of the interrupt controller that the device's
 * first wire leads to, `irq_count` the number of consecutive ones; `slot` that of a PCI function, `function` its number there if
 * that is not 0; `pci0.dma` the bus address at which functions see `pci0.dma_address`. Those that the file itself adds come last.
 *
 * The windows of a PCI host say how each space is reached: `pci0.ecam` is configuration space in memory, `pci0.config_port` the
 * ports 0xcf8 and 0xcfc; `pci0.memory` is where BARs in memory go; I/O BARs go to `pci0.io_port` and on if ports are instructions
 * of the CPU, and show at `pci0.io` + port if they are a window in memory. `pci0.irq` is the input of INTx 0: pin p (0: INTA) of
 * slot s raises input `irq` + (s + p) % `irq_count`.
 */
export function guestConstants(machine: MachineDescription): readonly GuestConstant[] {
  const constants: GuestConstant[] = [];
  const add = (name: string, value: bigint | number): void => void constants.push({ name, value: BigInt(value) });
  add("ram.base", machine.ram.base);
  add("ram.size", machine.ram.size);
  add("timebase", machine.timebase);
  add("cpus.max", machine.cpus.max);
  for (const device of machine.devices) {
    for (const { region, address, port, size } of device.at) {
      const isBase = region === "base";
      if (address !== null) add(`${device.name}.${region}`, address);
      if (port !== null) add(`${device.name}.${isBase ? "port" : `${region}_port`}`, port);
      add(`${device.name}.${isBase ? "size" : `${region}_size`}`, size);
    }
    if (device.pci !== null) {
      add(`${device.name}.slot`, device.pci.slot);
      if (device.pci.function !== 0) add(`${device.name}.function`, device.pci.function);
    }
    if (device.dma !== null) {
      add(`${device.name}.dma`, device.dma.bus);
      add(`${device.name}.dma_address`, device.dma.address);
      add(`${device.name}.dma_size`, device.dma.size);
    }
    const wire = device.wires.find((candidate) => candidate.kind === "device");
    if (wire !== undefined) {
      add(`${device.name}.irq`, wire.input);
      add(`${device.name}.irq_count`, wire.count);
    }
  }
  return [...constants, ...machine.constants];
}

export interface ProvidedCapability {
  readonly capability: Capability;
  /** Null: the machine itself. */
  readonly device: string | null;
}

/** Asked for each test of a run. */
const capabilities = new WeakMap<MachineDescription, readonly ProvidedCapability[]>();

/** Everything the machine offers to `needs`, with the device it comes from. */
export function capabilitiesOf(machine: MachineDescription): readonly ProvidedCapability[] {
  let provided = capabilities.get(machine);
  if (provided === undefined) {
    provided = [
      ...machine.provides.map((capability) => ({ capability, device: null })),
      ...machine.devices.flatMap((device) => device.provides.map((capability) => ({ capability, device: device.name }))),
    ];
    capabilities.set(machine, provided);
  }
  return provided;
}

/** The source spelling of a capability. */
export function formatCapability(capability: Capability): string {
  return capability.argument === null ? capability.name : `${capability.name}(${capability.argument})`;
}
