// What a virtio network device lets through to its driver, and the control queue by which the driver says so. Manual: Virtual I/O Device
// (VIRTIO) Version 1.2, 5.1.6.5; commands, their errors and the order of the rules as QEMU 7.2's hw/net/virtio-net.c.
// Left out, as not offered: several queue pairs, RSS, offloads (their command is refused, as QEMU does on a hub), announcements of the device's own.

import type { DeviceState } from "./device.ts";

export const MAC_SIZE = 6;
const MAC_TABLE_ENTRIES = 64;
const MAX_VLAN = 4096;
const VLAN_TYPE = 0x8100;

const VIRTIO_NET_OK = 0;
const VIRTIO_NET_ERR = 1;

const CTRL_RX = 0;
const CTRL_MAC = 1;
const CTRL_MAC_TABLE_SET = 0;
const CTRL_MAC_ADDR_SET = 1;
const CTRL_VLAN = 2;
const CTRL_VLAN_ADD = 0;
const CTRL_VLAN_DEL = 1;

/** Modes by the number of their command. */
const RX_MODES = ["promiscuous", "allMulticast", "allUnicast", "noMulticast", "noUnicast", "noBroadcast"] as const;
type RxMode = (typeof RX_MODES)[number];

type State = {
  readonly mac: Uint8Array;
  readonly modes: Readonly<Record<RxMode, boolean>>;
  readonly unicast: readonly Uint8Array[] | null;
  readonly multicast: readonly Uint8Array[] | null;
  readonly vlans: Uint8Array;
};

export interface NetFilter {
  readonly mac: () => Uint8Array;
  readonly setMac: (mac: Uint8Array) => void;
  /** Whether the driver is to see the frame. */
  readonly accepts: (frame: Uint8Array) => boolean;
  /** A command without its last, writable byte; the answer is that byte. */
  readonly command: (bytes: Uint8Array) => number;
  /** All VLANs pass until the driver agrees to filter them. */
  readonly passVlans: (all: boolean) => void;
  readonly reset: () => void;
  readonly save: () => DeviceState;
  readonly load: (state: DeviceState) => void;
}

const START_MODES: Readonly<Record<RxMode, boolean>> = {
  promiscuous: true,
  allMulticast: false,
  allUnicast: false,
  noMulticast: false,
  noUnicast: false,
  noBroadcast: false,
};

const isSame = (frame: Uint8Array, mac: Uint8Array): boolean => mac.every((byte, index) => byte === frame[index]);

export function createNetFilter(ownMac: Uint8Array): NetFilter {
  let mac = ownMac;
  let modes = START_MODES;
  /** Null: more addresses than there is room for, so that all pass. */
  let unicast: readonly Uint8Array[] | null = [];
  let multicast: readonly Uint8Array[] | null = [];
  const vlans = new Uint8Array(MAX_VLAN / 8);

  function accepts(frame: Uint8Array): boolean {
    if (modes.promiscuous) return true;
    const type = ((frame[12] ?? 0) << 8) | (frame[13] ?? 0);
    if (type === VLAN_TYPE) {
      const vlan = (((frame[14] ?? 0) << 8) | (frame[15] ?? 0)) % MAX_VLAN;
      if (((vlans[vlan >>> 3] ?? 0) & (1 << (vlan & 7))) === 0) return false;
    }
    if (((frame[0] ?? 0) & 1) === 0) {
      if (modes.noUnicast) return false;
      return modes.allUnicast || unicast === null || isSame(frame, mac) || unicast.some((address) => isSame(frame, address));
    }
    if (frame.subarray(0, MAC_SIZE).every((byte) => byte === 0xff)) return !modes.noBroadcast;
    if (modes.noMulticast) return false;
    return modes.allMulticast || multicast === null || multicast.some((address) => isSame(frame, address));
  }

  function setMode(command: number, data: Uint8Array): number {
    const mode = RX_MODES[command];
    const [value] = data;
    if (mode === undefined || value === undefined) return VIRTIO_NET_ERR;
    modes = { ...modes, [mode]: value !== 0 };
    return VIRTIO_NET_OK;
  }

  /** Two lists of addresses, each behind their number (5.1.6.5.2). */
  function setTables(data: Uint8Array): number {
    const view = new DataView(data.buffer, data.byteOffset, data.length);
    if (data.length < 4) return VIRTIO_NET_ERR;
    const firstCount = view.getUint32(0, true);
    const second = 4 + firstCount * MAC_SIZE;
    if (data.length < second + 4) return VIRTIO_NET_ERR;
    const secondCount = view.getUint32(second, true);
    if (data.length !== second + 4 + secondCount * MAC_SIZE) return VIRTIO_NET_ERR;
    const list = (at: number, count: number): readonly Uint8Array[] =>
      Array.from({ length: count }, (_, index) => data.slice(at + index * MAC_SIZE, at + (index + 1) * MAC_SIZE));
    unicast = firstCount <= MAC_TABLE_ENTRIES ? list(4, firstCount) : null;
    multicast = (unicast?.length ?? 0) + secondCount <= MAC_TABLE_ENTRIES ? list(second + 4, secondCount) : null;
    return VIRTIO_NET_OK;
  }

  function setAddresses(command: number, data: Uint8Array): number {
    if (command === CTRL_MAC_TABLE_SET) return setTables(data);
    if (command !== CTRL_MAC_ADDR_SET || data.length !== MAC_SIZE) return VIRTIO_NET_ERR;
    mac = data.slice();
    return VIRTIO_NET_OK;
  }

  function setVlan(command: number, data: Uint8Array): number {
    const vlan = (data[0] ?? 0) | ((data[1] ?? 0) << 8);
    if (data.length < 2 || vlan >= MAX_VLAN || (command !== CTRL_VLAN_ADD && command !== CTRL_VLAN_DEL)) return VIRTIO_NET_ERR;
    const old = vlans[vlan >>> 3] ?? 0;
    vlans[vlan >>> 3] = command === CTRL_VLAN_ADD ? old | (1 << (vlan & 7)) : old & ~(1 << (vlan & 7));
    return VIRTIO_NET_OK;
  }

  return {
    mac: () => mac,
    setMac(value) {
      mac = value;
    },
    accepts,
    command(bytes) {
      const [kind = -1, command = 0] = bytes;
      const data = bytes.subarray(2);
      switch (kind) {
        case CTRL_RX:
          return setMode(command, data);
        case CTRL_MAC:
          return setAddresses(command, data);
        case CTRL_VLAN:
          return setVlan(command, data);
        default:
          return VIRTIO_NET_ERR;
      }
    },
    passVlans: (all) => void vlans.fill(all ? 0xff : 0),
    reset() {
      mac = ownMac;
      modes = START_MODES;
      unicast = [];
      multicast = [];
      vlans.fill(0);
    },
    save: (): State => ({
      mac: mac.slice(),
      modes,
      unicast: unicast?.map((address) => address.slice()) ?? null,
      multicast: multicast?.map((address) => address.slice()) ?? null,
      vlans: vlans.slice(),
    }),
    load(state) {
      const saved = state as State;
      mac = saved.mac.slice();
      ({ modes } = saved);
      unicast = saved.unicast?.map((address) => address.slice()) ?? null;
      multicast = saved.multicast?.map((address) => address.slice()) ?? null;
      vlans.set(saved.vlans);
    },
  };
}
