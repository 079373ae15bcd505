// The devices that a virtio transport can carry, by the name that machine files give them (`config: { device: blk, .. }`). Both
// transports ask here, so that a device that is added is on both.

import type { DeviceEnv } from "./device.ts";
import { virtioBlk, type BlkConfig } from "./virtio-blk.ts";
import { virtioConsole, type ConsoleConfig } from "./virtio-console.ts";
import type { VirtioDeviceKind } from "./virtio-device.ts";
import { virtioNet, type NetConfig } from "./virtio-net.ts";
import { virtioRng } from "./virtio-rng.ts";

export type VirtioKindConfig =
  | ({ readonly device: "console" } & ConsoleConfig)
  | { readonly device: "rng" }
  | ({ readonly device: "blk" } & BlkConfig)
  | ({ readonly device: "net" } & NetConfig);

export function virtioKind(config: VirtioKindConfig, env: DeviceEnv): VirtioDeviceKind {
  switch (config.device) {
    case "console":
      return virtioConsole(config, env);
    case "rng":
      return virtioRng(env);
    case "blk":
      return virtioBlk(config, env);
    case "net":
      return virtioNet(config, env);
    default:
      throw new RangeError(`virtio: device is ${JSON.stringify(config)}, expected console, rng, blk or net`);
  }
}
