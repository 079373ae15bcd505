// A machine as data: what a YAML file of this folder says, checked and typed. It is read by everyone who must agree on the
// board: the compiler (constants, capabilities), the embedded machine (devices, wires) and later the QEMU command line and the
// device tree. Plain values only, so it can be cached, compared and sent to a worker.

export interface MachineDescription {
  readonly name: string;
  /** Instruction set of its CPUs: a folder of `isa/`. */
  readonly target: string;
  readonly summary: string;
  readonly cpus: { readonly min: number; readonly max: number; readonly default: number };
  readonly ram: { readonly base: bigint; readonly size: number };
  /** Ticks per second of the guest's time counter. */
  readonly timebase: number;
  /** Bytes of stack for each CPU, the reserve for the trap vector not counted. */
  readonly stackSize: number;
  /** The device whose output is the console. */
  readonly console: string;
  /** Capabilities of the machine as a whole; those of its devices stand with them. */
  readonly provides: readonly Capability[];
  /** In the order of the file, which is the order of creation and reset. */
  readonly devices: readonly DeviceDescription[];
}

export interface DeviceDescription {
  readonly name: string;
  readonly model: string;
  /** In the order of the model's regions. */
  readonly at: readonly RegionPlace[];
  readonly pci: { readonly bus: string; readonly slot: number } | null;
  /** Where the functions behind this bus see memory at other addresses than the CPUs do; null: nowhere. */
  readonly dma: DmaWindow | null;
  readonly wires: readonly WireDescription[];
  readonly config: ConfigRecord;
  readonly provides: readonly Capability[];
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

/** Interrupt lines of a CPU; the index is the cause (docs/bytecode.md). */
export const CPU_LINES = ["software", "timer", "external"] as const;
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
 * first wire leads to, `irq_count` the number of consecutive ones; `slot` that of a PCI function; `pci0.dma` the bus address at
 * which functions see `pci0.dma_address`.
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
    if (device.pci !== null) add(`${device.name}.slot`, device.pci.slot);
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
  return constants;
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

const BIGINT_TEXT = /^0x[0-9a-f]+n$/;

/**
 * A description as JSON text and back, for caches and image manifests: reading this costs a hundredth of reading YAML in a
 * fresh process. Bigints are strings like `"0x80000000n"`.
 */
export function encodeMachine(machine: MachineDescription): string {
  return JSON.stringify(machine, (_key, value: unknown) => (typeof value === "bigint" ? `0x${value.toString(16)}n` : value));
}

export function decodeMachine(text: string): MachineDescription {
  return JSON.parse(text, (_key, value: unknown) =>
    typeof value === "string" && BIGINT_TEXT.test(value) ? BigInt(value.slice(0, -1)) : value,
  ) as MachineDescription;
}
