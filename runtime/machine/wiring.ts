// What a machine description says about connections, resolved against the devices that were built from it: interrupt wires, places on
// the bus, values in configs. Pure functions of description and devices; `machine.ts` joins them into a running machine.

import { CPU_LINES, type ConfigValue, type DeviceDescription, type MachineDescription } from "../../machines/description.ts";
import type { Device } from "../devices/device.ts";
import type { Mapping } from "./bus.ts";
import type { Wire, WireTarget } from "./interrupt-fabric.ts";

/** A device as described and as built. */
export interface Placed {
  readonly description: DeviceDescription;
  readonly device: Device;
}

/** What the model gets for a config value: `$cpus` and the like filled in. */
export function resolveConfig(value: ConfigValue, parameters: Readonly<Record<"cpus" | "timebase", number>>): unknown {
  if (typeof value !== "object") return value;
  if ("parameter" in value) return parameters[value.parameter] * value.factor;
  return value.map((item) => resolveConfig(item, parameters));
}

function cpuLine(name: (typeof CPU_LINES)[number]): number {
  return CPU_LINES.indexOf(name);
}

/** The wires that the description names, and those from each PCI function's INTx (its pin 0) to its slot's input at the host. */
export function wiresOf(description: MachineDescription, cpuCount: number, indexOf: (name: string) => number): readonly Wire[] {
  const wires: Wire[] = [];
  description.devices.forEach((device, index) => {
    for (const wire of device.wires) {
      switch (wire.kind) {
        case "device":
          for (let i = 0; i < wire.count; i++) {
            const target: WireTarget = { kind: "device", device: indexOf(wire.device), pin: wire.input + i };
            wires.push({ device: index, pin: wire.pin + i, target, edge: wire.edge });
          }
          break;
        case "cpu":
          if (wire.cpu < cpuCount)
            wires.push({
              device: index,
              pin: wire.pin,
              target: { kind: "cpu", cpu: wire.cpu, line: cpuLine(wire.line) },
            });
          break;
        case "cpus":
          for (let cpu = 0; cpu < cpuCount; cpu++) {
            wires.push({
              device: index,
              pin: wire.pin + cpu * wire.stride,
              target: { kind: "cpu", cpu, line: cpuLine(wire.line) },
            });
          }
          break;
      }
    }
    if (device.pci !== null) {
      wires.push({
        device: index,
        pin: 0,
        target: { kind: "device", device: indexOf(device.pci.bus), pin: device.pci.slot },
      });
    }
  });
  return wires;
}

/** Where each region of each device is on the bus; the description must agree with the models on their number and sizes. */
export function mappingsOf(machine: string, placed: readonly Placed[]): readonly Mapping[] {
  return placed.flatMap(({ description, device }, index) => {
    if (description.at.length !== device.regions.length) {
      throw new Error(`${machine}: ${description.name} is placed with ${description.at.length} regions, its model has ${device.regions.length}`);
    }
    return device.regions.flatMap((region, number): Mapping[] => {
      const place = description.at[number];
      if (place === undefined) return [];
      if (place.size !== region.size) {
        throw new Error(
          `${machine}: ${description.name}.${place.region} has 0x${place.size.toString(16)} bytes, its model's region ${region.name} 0x${region.size.toString(16)}`,
        );
      }
      const mappings: Mapping[] = [];
      if (place.address !== null) mappings.push({ space: "memory", base: Number(place.address), device: index, region });
      if (place.port !== null) mappings.push({ space: "port", base: place.port, device: index, region });
      return mappings;
    });
  });
}

/** By device: the others on its hub, which hear what it sends; null for one on none. A hub is a number in the configs of network devices. */
export function hubPeersOf(description: MachineDescription): readonly (readonly number[] | null)[] {
  const hubs = description.devices.map(({ config }) => config["hub"]);
  return hubs.map((hub, index) => (hub === undefined ? null : hubs.flatMap((other, peer) => (other === hub && peer !== index ? [peer] : []))));
}
