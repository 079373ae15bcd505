// A board with disks of the user's instead of its own: those that specs test go, and each of the user's takes the first virtio transport that
// carries nothing then. Pure; who opens the files gives their bytes to the machine under the names of the devices (`stores`).

import type { DeviceDescription, MachineDescription } from "../../machines/description.ts";
import type { ByteStore } from "../devices/device.ts";

export interface Disk {
  /** What GET_ID tells: `/dev/disk/by-id/virtio-..` of Linux. */
  readonly serial: string;
  readonly isReadOnly: boolean;
  readonly store: ByteStore;
}

export type AttachResult =
  | { readonly ok: true; readonly machine: MachineDescription; readonly stores: ReadonlyMap<string, ByteStore> }
  | { readonly ok: false; readonly problem: string };

const TRANSPORT = "virtio-mmio";

function withoutDisk(device: DeviceDescription): DeviceDescription {
  return device.model === TRANSPORT && device.config["device"] === "blk" ? { ...device, config: { device: "none" } } : device;
}

export function attachDisks(machine: MachineDescription, disks: readonly Disk[]): AttachResult {
  const devices = machine.devices.filter(({ model, config }) => model !== "virtio-pci" || config["device"] !== "blk").map(withoutDisk);
  const free = devices.filter(({ model, config }) => model === TRANSPORT && config["device"] === "none");
  if (disks.length > free.length) return { ok: false, problem: `${machine.name} has room for ${free.length} disks, not for ${disks.length}` };
  const places = new Map(disks.map((disk, index) => [free[index]?.name, disk]));
  const stores = new Map<string, ByteStore>();
  const attached = devices.map((device): DeviceDescription => {
    const disk = places.get(device.name);
    if (disk === undefined) return device;
    stores.set(device.name, disk.store);
    return { ...device, config: { device: "blk", size: disk.store.size, readOnly: disk.isReadOnly, serial: disk.serial } };
  });
  return { ok: true, machine: { ...machine, devices: attached }, stores };
}
