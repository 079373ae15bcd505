// MSI-X of a PCI function: the capability, the table of messages and the pending bits, which lie together in a BAR of their own as in QEMU.
// Manual: PCI Local Bus Specification 3.0, 6.8.2; behaviour as QEMU 7.2's hw/pci/msix.c. A vector counts only while the model uses it.

import type { DeviceState, Region, WindowRegion } from "./device.ts";
import type { PciCapability, PciFunctionKit } from "./pci.ts";

export interface MsixOptions {
  /** Of the capability in configuration space. */
  readonly offset: number;
  readonly vectors: number;
  readonly bar: number;
}

export interface Msix {
  readonly capability: PciCapability;
  readonly region: WindowRegion;
  readonly isEnabled: () => boolean;
  /** Sends the vector's message now, or when it is unmasked. */
  readonly notify: (vector: number) => void;
  /** Whether the vector exists; it is used from now on. */
  readonly use: (vector: number) => boolean;
  readonly unuseAll: () => void;
  readonly afterConfigWrite: (offset: number, width: number) => void;
  readonly reset: () => void;
  readonly save: () => DeviceState;
  readonly load: (state: DeviceState) => void;
}

const PCI_CAP_ID_MSIX = 0x11;
const MSIX_FLAGS = 2;
const MSIX_TABLE = 4;
const MSIX_PBA = 8;
const CAP_SIZE = 12;
const FLAGS_MASKALL = 0x4000;
const FLAGS_ENABLE = 0x8000;
const ENTRY_SIZE = 16;
const ENTRY_DATA = 8;
const ENTRY_CONTROL = 12;
const ENTRY_CONTROL_MASK = 1;
const BAR_SIZE = 4096;
const PBA_OFFSET = BAR_SIZE / 2;
const PBA_SIZE = 8;

type State = { readonly table: Uint8Array; readonly pending: bigint; readonly used: readonly boolean[]; readonly wasMasked: boolean };

/** `kit` is asked when something happens, not before. */
export function createMsix({ offset, vectors, bar }: MsixOptions, kit: () => PciFunctionKit): Msix {
  const table = new Uint8Array(vectors * ENTRY_SIZE);
  const view = new DataView(table.buffer);
  /** Bit n: vector n waits to be unmasked. */
  let pending = 0n;
  let used = new Array<boolean>(vectors).fill(false);
  /** The whole function, as it was when last looked at. */
  let wasMasked = true;

  const flags = (): number => kit().getConfig(offset + MSIX_FLAGS, 2);
  const isEnabled = (): boolean => (flags() & FLAGS_ENABLE) !== 0;
  const isFunctionMasked = (): boolean => (flags() & (FLAGS_ENABLE | FLAGS_MASKALL)) !== FLAGS_ENABLE;
  const isEntryMasked = (vector: number): boolean => (view.getUint32(vector * ENTRY_SIZE + ENTRY_CONTROL, true) & ENTRY_CONTROL_MASK) !== 0;

  function notify(vector: number): void {
    if (used[vector] !== true) return;
    if (isFunctionMasked() || isEntryMasked(vector)) {
      pending |= 1n << BigInt(vector);
      return;
    }
    kit().sendMessage(view.getBigUint64(vector * ENTRY_SIZE, true), view.getUint32(vector * ENTRY_SIZE + ENTRY_DATA, true));
  }

  function sendPending(vector: number): void {
    const bit = 1n << BigInt(vector);
    if ((pending & bit) === 0n || isFunctionMasked() || isEntryMasked(vector)) return;
    pending &= ~bit;
    notify(vector);
  }

  function clearTable(): void {
    table.fill(0);
    for (let vector = 0; vector < vectors; vector++) view.setUint32(vector * ENTRY_SIZE + ENTRY_CONTROL, ENTRY_CONTROL_MASK, true);
  }

  const widths = { valid: { min: 4, max: 8 }, impl: { min: 4, max: 4 } } as const;
  const tableRegion: Region = {
    name: "msix-table",
    size: table.length,
    ...widths,
    read: (at) => view.getUint32(at, true),
    write(at, _width, value) {
      view.setUint32(at, value, true);
      sendPending(Math.floor(at / ENTRY_SIZE));
    },
  };
  const pbaRegion: Region = {
    name: "msix-pba",
    size: PBA_SIZE,
    ...widths,
    read: (at) => Number((pending >> BigInt(8 * at)) & 0xffff_ffffn),
    write() {},
  };
  // Table and pending bits, and nobody around them.
  const region: WindowRegion = {
    name: "msix",
    size: BAR_SIZE,
    valid: { min: 1, max: 8 },
    impl: { min: 1, max: 4 },
    resolve(at) {
      if (at < tableRegion.size) return { region: tableRegion, offset: at };
      if (at >= PBA_OFFSET && at < PBA_OFFSET + PBA_SIZE) return { region: pbaRegion, offset: at - PBA_OFFSET };
      return null;
    },
    read: (_at, width) => (width === 4 ? 0xffff_ffff : 2 ** (8 * width) - 1),
    write() {},
  };

  const bytes = new Uint8Array(CAP_SIZE);
  const capability = new DataView(bytes.buffer);
  capability.setUint8(0, PCI_CAP_ID_MSIX);
  capability.setUint16(MSIX_FLAGS, vectors - 1, true);
  capability.setUint32(MSIX_TABLE, bar, true);
  capability.setUint32(MSIX_PBA, PBA_OFFSET | bar, true);
  const writable = new Uint8Array(CAP_SIZE);
  writable[MSIX_FLAGS + 1] = (FLAGS_ENABLE | FLAGS_MASKALL) >>> 8;
  clearTable();

  return {
    capability: { offset, bytes, writable },
    region,
    isEnabled,
    notify,
    use(vector) {
      if (vector >= vectors) return false;
      used[vector] = true;
      return true;
    },
    unuseAll() {
      used.fill(false);
      pending = 0n;
    },
    afterConfigWrite(at, width) {
      if (at >= offset + CAP_SIZE || at + width <= offset) return;
      const masked = isFunctionMasked();
      const isUnmasked = wasMasked && !masked;
      wasMasked = masked;
      if (isEnabled()) kit().setIntx(false);
      if (isUnmasked) for (let vector = 0; vector < vectors; vector++) sendPending(vector);
    },
    reset() {
      clearTable();
      pending = 0n;
      used.fill(false);
      wasMasked = true;
    },
    save: (): State => ({ table: table.slice(), pending, used: [...used], wasMasked }),
    load(state) {
      const saved = state as State;
      table.set(saved.table);
      ({ pending, wasMasked } = saved);
      used = [...saved.used];
    },
  };
}
