// The device tree of a RISC-V board, from the machine's file and what device models say of themselves: one description makes the board
// and tells guests about it. Equal in meaning to what QEMU's `virt` board tells, and equal in bytes property by property where both
// have one: tests/device-tree-qemu.isolated.test.ts compares them and lists what differs, with the reasons.
// Manuals: Devicetree Specification 0.4; Linux, Documentation/devicetree/bindings (riscv/cpus, sifive,plic-1.0.0, pci/host-generic-pci).

import type { DeviceDescription, MachineDescription } from "../../machines/description.ts";
import type { DeviceModel, TreeBinding } from "../devices/device.ts";
import { findDeviceModel, type DeviceConfig } from "../devices/index.ts";
import type { TreeNode, TreeValue } from "./flattened-tree.ts";
import { createRandomStream, STREAM_DEVICE_TREE } from "./random.ts";
import { resolveConfig } from "./wiring.ts";

export interface TreeOptions {
  readonly cpus: number;
  /** What the CPUs are, as the properties of their nodes say it: `riscv,isa` and the like. */
  readonly cpuProperties: Readonly<Record<string, TreeValue>>;
  /** `bootargs`. */
  readonly commandLine?: string;
  readonly initrd?: { readonly start: bigint; readonly end: bigint };
  /** Memory that firmware keeps for itself. */
  readonly reserved?: { readonly start: bigint; readonly size: bigint };
  /** Of `rng-seed`; what else is random on the machine does not hang on it. */
  readonly seed: bigint;
  readonly findModel?: (name: string) => DeviceModel<DeviceConfig> | undefined;
}

/** Interrupts at a hart's own controller (privileged architecture, table of `mcause`), by the names of lines. */
const HART_INTERRUPTS = { software: 3, timer: 7, external: 11, supervisor_external: 9 } as const;

const SEED_BYTES = 32;
const PCI_FUNCTION_SHIFT = 11;
const PCI_SLOT_MASK = 0x1800;
const PCI_PIN_MASK = 7;
const PCI_PINS = 4;
/** Spaces of a PCI address's first cell (IEEE 1275 binding, 2.2.1.1). */
const PCI_IO_SPACE = 0x0100_0000;
const PCI_MEMORY_SPACE = 0x0200_0000;
/** Commands of the finisher that power off and start again: 0x5555 and 0x7777. */
const FINISHER_PASS = 0x5555;
const FINISHER_RESET = 0x7777;

interface Described {
  readonly device: DeviceDescription;
  readonly binding: TreeBinding;
}

const named = (name: string, address: bigint | number): string => `${name}@${address.toString(16)}`;

/** Handles as QEMU numbers them, so that trees can be compared: CPUs and their controllers from the last CPU on, then what is referred to. */
interface Handles {
  readonly cpu: (cpu: number) => number;
  readonly controller: (cpu: number) => number;
  readonly device: (name: string) => number;
}

function numberHandles(cpus: number, referredTo: readonly string[]): Handles {
  const cpu = (index: number): number => 2 * (cpus - 1 - index) + 1;
  return {
    cpu,
    controller: (index) => cpu(index) + 1,
    device(name) {
      const index = referredTo.indexOf(name);
      if (index < 0) throw new Error(`nothing was said to refer to ${name}`);
      return 2 * cpus + 1 + index;
    },
  };
}

function cpuNodes(machine: MachineDescription, options: TreeOptions, handles: Handles): TreeNode {
  const cpus = Array.from({ length: options.cpus }, (_, cpu): TreeNode => ({
    name: named("cpu", cpu),
    properties: { phandle: handles.cpu(cpu), device_type: "cpu", reg: cpu, status: "okay", compatible: "riscv", ...options.cpuProperties },
    children: [
      {
        name: "interrupt-controller",
        properties: { "#interrupt-cells": 1, "interrupt-controller": true, compatible: "riscv,cpu-intc", phandle: handles.controller(cpu) },
        children: [],
      },
    ],
  }));
  const cores = cpus.map((_, cpu): TreeNode => ({ name: `core${cpu}`, properties: { cpu: handles.cpu(cpu) }, children: [] }));
  const map: TreeNode = { name: "cpu-map", properties: {}, children: [{ name: "cluster0", properties: {}, children: cores }] };
  return {
    name: "cpus",
    properties: { "#address-cells": 1, "#size-cells": 0, "timebase-frequency": machine.timebase },
    children: [...cpus, map],
  };
}

/** Wires to CPUs as pairs of a hart's controller and its input, CPU by CPU in the order of pins. */
function cpuInterrupts(device: DeviceDescription, cpus: number, handles: Handles): readonly number[] {
  const lines = device.wires.flatMap((wire) => {
    if (wire.kind === "device") return [];
    const ofWire = wire.kind === "cpu" ? [wire.cpu] : Array.from({ length: cpus }, (_, cpu) => cpu);
    return ofWire.filter((cpu) => cpu < cpus).map((cpu) => ({ cpu, pin: wire.kind === "cpu" ? wire.pin : wire.pin + cpu * wire.stride, line: wire.line }));
  });
  return lines.toSorted((a, b) => a.pin - b.pin).flatMap(({ cpu, line }) => [handles.controller(cpu), HART_INTERRUPTS[line]]);
}

/** Registers from the first region to the last, or what the board has set aside. */
function registers({ device, binding }: Described): readonly [address: bigint, size: bigint] {
  const starts = device.at.flatMap(({ address }) => (address === null ? [] : [address]));
  const [first] = starts;
  if (first === undefined) throw new Error(`${device.name} is nowhere in memory`);
  const end = device.at.reduce((highest, { address, size }) => (address !== null && address + BigInt(size) > highest ? address + BigInt(size) : highest), 0n);
  return [first, binding.aperture === undefined ? end - first : BigInt(binding.aperture)];
}

function regionOf(device: DeviceDescription, name: string): { readonly address: bigint; readonly size: number } | undefined {
  const place = device.at.find(({ region }) => region === name);
  return place === undefined || place.address === null ? undefined : { address: place.address, size: place.size };
}

/** The windows of a PCI host and the swizzle of its INTx (PCI-to-PCI Bridge Architecture Specification 1.2, 9.1). */
function pciProperties(device: DeviceDescription, handles: Handles): Readonly<Record<string, TreeValue>> {
  const io = regionOf(device, "io");
  const memory = regionOf(device, "memory");
  const ecam = regionOf(device, "ecam");
  const wire = device.wires.find((candidate) => candidate.kind === "device");
  const ranges = [
    ...(io === undefined ? [] : [PCI_IO_SPACE, 0n, io.address, BigInt(io.size)]),
    ...(memory === undefined ? [] : [PCI_MEMORY_SPACE, memory.address, memory.address, BigInt(memory.size)]),
  ];
  const routes = Array.from({ length: PCI_PINS }, (_, slot) =>
    Array.from({ length: PCI_PINS }, (__, pin) =>
      wire === undefined ? [] : [slot << PCI_FUNCTION_SHIFT, 0, 0, pin + 1, handles.device(wire.device), wire.input + ((slot + pin) % wire.count)],
    ),
  );
  return {
    ranges,
    ...(ecam === undefined ? {} : { reg: [ecam.address, BigInt(ecam.size)], "bus-range": [0, Math.floor(ecam.size / 2 ** 20) - 1] }),
    ...(wire === undefined ? {} : { "interrupt-map-mask": [PCI_SLOT_MASK, 0, 0, PCI_PIN_MASK], "interrupt-map": routes.flat(2) }),
  };
}

function deviceNode(described: Described, options: TreeOptions, handles: Handles, isReferredTo: boolean): TreeNode {
  const { device, binding } = described;
  const isPciHost = regionOf(device, "ecam") !== undefined;
  const [address, size] = registers(described);
  const wire = device.wires.find((candidate) => candidate.kind === "device");
  const toCpus = cpuInterrupts(device, options.cpus, handles);
  return {
    name: named(binding.node, address),
    properties: {
      ...(isReferredTo ? { phandle: handles.device(device.name) } : {}),
      compatible: binding.compatible,
      ...binding.properties,
      ...(isPciHost ? pciProperties(device, handles) : { reg: [address, size] }),
      ...(isPciHost || wire === undefined ? {} : { interrupts: wire.input, "interrupt-parent": handles.device(wire.device) }),
      ...(toCpus.length === 0 ? {} : { "interrupts-extended": toCpus }),
    },
    children: [],
  };
}

/** Equal devices beside the SoC whose registers follow each other are one node with several ranges, as banks of flash are. */
function joinBanks(nodes: readonly TreeNode[]): readonly TreeNode[] {
  const kinds = Map.groupBy(nodes, ({ name }) => name.replace(/@.*/, ""));
  return [...kinds.values()].flatMap((banks) => {
    const [first] = banks;
    if (first === undefined) return [];
    const reg = banks.flatMap(({ properties }) => (Array.isArray(properties["reg"]) ? (properties["reg"] as readonly bigint[]) : []));
    return [{ ...first, properties: { ...first.properties, reg } }];
  });
}

function randomSeed(seed: bigint): Uint8Array {
  const stream = createRandomStream(seed, STREAM_DEVICE_TREE);
  return Uint8Array.from({ length: SEED_BYTES }, () => stream.next() & 0xff);
}

/** Devicetree Specification 0.4, 3.5. */
function reservedNode(start: bigint, size: bigint): TreeNode {
  return {
    name: "reserved-memory",
    properties: { "#address-cells": 2, "#size-cells": 2, ranges: true },
    children: [{ name: named("mmode_resv0", start), properties: { reg: [start, size], "no-map": true }, children: [] }],
  };
}

export function describeBoard(machine: MachineDescription, options: TreeOptions): TreeNode {
  const findModel = options.findModel ?? findDeviceModel;
  const parameters = { cpus: options.cpus, timebase: machine.timebase };
  const described = machine.devices.flatMap((device): Described[] => {
    const config = Object.fromEntries(Object.entries(device.config).map(([key, value]) => [key, resolveConfig(value, parameters)]));
    const binding = device.pci === null ? findModel(device.model)?.describe?.(config) : undefined;
    return binding === undefined ? [] : [{ device, binding }];
  });
  const controllers = new Set(machine.devices.flatMap(({ wires }) => wires.flatMap((wire) => (wire.kind === "device" ? [wire.device] : []))));
  const finisher = described.find(({ binding }) => binding.compatible.includes("syscon"))?.device.name;
  const referredTo = [...controllers, ...(finisher === undefined ? [] : [finisher])];
  const handles = numberHandles(options.cpus, referredTo);
  const nodeOf = (one: Described): TreeNode => deviceNode(one, options, handles, referredTo.includes(one.device.name));
  const nodesOf = (isOutside: boolean): readonly TreeNode[] => described.filter(({ binding }) => (binding.isOutsideSoc === true) === isOutside).map(nodeOf);
  const console = described.find(({ device }) => device.name === machine.console);
  const syscon = (name: string, value: number): readonly TreeNode[] =>
    finisher === undefined ? [] : [{ name, properties: { compatible: `syscon-${name}`, value, offset: 0, regmap: handles.device(finisher) }, children: [] }];
  return {
    name: "",
    properties: { "#address-cells": 2, "#size-cells": 2, compatible: "riscv-virtio", model: "riscv-virtio,qemu" },
    children: [
      {
        name: "chosen",
        properties: {
          ...(options.commandLine === undefined ? {} : { bootargs: options.commandLine }),
          ...(options.initrd === undefined ? {} : { "linux,initrd-start": options.initrd.start, "linux,initrd-end": options.initrd.end }),
          ...(console === undefined ? {} : { "stdout-path": `/soc/${named(console.binding.node, registers(console)[0])}` }),
          "rng-seed": randomSeed(options.seed),
        },
        children: [],
      },
      {
        name: named("memory", machine.ram.base),
        properties: { device_type: "memory", reg: [machine.ram.base, BigInt(machine.ram.size)] },
        children: [],
      },
      ...(options.reserved === undefined ? [] : [reservedNode(options.reserved.start, options.reserved.size)]),
      cpuNodes(machine, options, handles),
      ...joinBanks(nodesOf(true)),
      ...syscon("poweroff", FINISHER_PASS),
      ...syscon("reboot", FINISHER_RESET),
      { name: "soc", properties: { "#address-cells": 2, "#size-cells": 2, compatible: "simple-bus", ranges: true }, children: nodesOf(false) },
    ],
  };
}
