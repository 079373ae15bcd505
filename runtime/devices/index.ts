// The list of device models: what `guestspec devices` shows, what machine files may name, and what the fuzz loop picks up.
// A model is known to the machine under its `name` only; adding one means writing its file and adding it here.

import { cfiFlash } from "./cfi-flash.ts";
import { clint } from "./clint.ts";
import type { DeviceModel } from "./device.ts";
import { edu } from "./edu.ts";
import { fwCfg } from "./fw-cfg.ts";
import { goldfishRtc } from "./goldfish-rtc.ts";
import { guestModels } from "./guest-models.ts";
import { msiFrame } from "./msi-frame.ts";
import { pciHost } from "./pci-host.ts";
import { pciTestdev } from "./pci-testdev.ts";
import { plic } from "./plic.ts";
import { testFinisher } from "./test-finisher.ts";
import { uart16550 } from "./uart-16550.ts";
import { virtioMmio } from "./virtio-mmio.ts";
import { virtioPci } from "./virtio-pci.ts";

/** A model's config as a machine file gives it; each model checks its own values in `create`. */
export type DeviceConfig = Readonly<Record<string, unknown>>;

/** A model of any config. `create` takes what the machine file said. */
export type AnyDeviceModel = DeviceModel<DeviceConfig>;

export const deviceModels: readonly AnyDeviceModel[] = [
  cfiFlash,
  clint,
  edu,
  fwCfg,
  goldfishRtc,
  guestModels,
  msiFrame,
  pciHost,
  pciTestdev,
  plic,
  testFinisher,
  uart16550,
  virtioMmio,
  virtioPci,
];

const byName: ReadonlyMap<string, AnyDeviceModel> = new Map(deviceModels.map((model) => [model.name, model]));

export function findDeviceModel(name: string): AnyDeviceModel | undefined {
  return byName.get(name);
}
