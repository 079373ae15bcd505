// The device contract: what a device model is to the machine, and the whole of the world that a model may touch.
// A model is plain state behind regions of registers. It never sees a CPU, an engine, the host, or real time: interrupts,
// virtual time, DMA, randomness and the outside end of a console all come in through `DeviceEnv`, so that every model can be
// unit-tested without a CPU, saved, restored and fuzzed by one loop over `devices/index.ts`.

/** Bytes of one access. */
export type Width = 1 | 2 | 4 | 8;

/** The access widths a region takes, in bytes. */
export interface Widths {
  readonly min: Width;
  readonly max: Width;
}

/** What a read that changes nothing gives: the same until the device is heard of again, or the device's counter (`TimeCounter`), or its upper word. */
export type PureRead = "constant" | "counter" | "counter-high";

/**
 * A window of registers on a bus. The bus checks an access against `valid` (outside it: a bus fault, nothing reaches the model),
 * then splits or widens it to `impl` (little-endian), as QEMU's MemoryRegionOps do; an absent `impl` equals `valid`.
 * Misaligned accesses fault unless `unaligned`. Values up to 4 bytes are unsigned numbers, 8-byte ones go through `read64`/`write64`.
 */
export interface Region {
  readonly name: string;
  readonly size: number;
  readonly valid: Widths;
  readonly impl?: Widths;
  readonly unaligned?: boolean;
  readonly read: (offset: number, width: Width) => number;
  readonly write: (offset: number, width: Width, value: number) => void;
  readonly read64?: (offset: number) => bigint;
  readonly write64?: (offset: number, value: bigint) => void;
  /** `write64` of a value below 2^53, for registers that are written often: a bigint is an object. */
  readonly writeSmall64?: (offset: number, value: number) => void;
  /**
   * Whether a read changes nothing as the device is now: no state, no pin, no event, no message; null: it does, or might. Its value may
   * depend on the device's own state alone. CPUs then need not ask again until something has reached the device.
   */
  readonly pureRead?: (offset: number, width: Width) => PureRead | null;
  /** Asked after an access: the model has refused it, which is a bus fault. */
  readonly isRefused?: () => boolean;
}

/** Where an access to a window goes on. */
export interface WindowTarget {
  readonly region: Region;
  readonly offset: number;
}

/**
 * A region behind which other regions come and go (the memory and port windows of a PCI host). An access that `resolve`
 * can place is judged by the rules of the region found there alone; otherwise it goes to the window's own `read` and `write`.
 */
export interface WindowRegion extends Region {
  readonly resolve: (offset: number) => WindowTarget | null;
}

export function isWindow(region: Region): region is WindowRegion {
  return "resolve" in region;
}

/** State as plain data: what `save` returns must survive structuredClone, and no model may keep a reference into it. */
export type DeviceState = null | boolean | number | bigint | string | Uint8Array | readonly DeviceState[] | { readonly [key: string]: DeviceState };

/** How a guest asked the machine to stop. `code` is the guest's own status, 0 for success. */
export interface MachineExit {
  readonly kind: "poweroff" | "reset";
  readonly code: number;
}

/** A counter of time that CPUs read without an access to its registers (RISC-V's mtime, as `rdtime`). */
export interface TimeCounter {
  readonly read: () => bigint;
  /** Guest time of one count. */
  readonly nsPerCount: number;
  /** What guests have moved it by: `read` is whole counts of guest time, plus this, modulo 2^64. */
  readonly offset: () => bigint;
}

/** Virtual time. One tick is one nanosecond of guest time; ticks are exact integers below 2^53. */
export interface DeviceClock {
  readonly now: () => number;
  /** Calls the model's `onEvent(tag)` when `delay` ticks (>= 0) have passed. A pending event with the same tag is replaced. */
  readonly schedule: (tag: number, delay: number) => void;
  readonly cancel: (tag: number) => void;
}

/** Bytes that outlive a device: a disk's. Places are in range: who reads or writes has looked at `size`. */
export interface ByteStore {
  readonly size: number;
  readonly read: (offset: number, into: Uint8Array) => void;
  readonly write: (offset: number, from: Uint8Array) => void;
  readonly fill: (offset: number, length: number) => void;
  /** What was written is to be where it lasts. */
  readonly flush: () => void;
}

export interface DeviceEnv {
  /** Drives output pin `pin` of the device (wired by the machine file). Levels; repeating a level is harmless. */
  readonly irq: (pin: number, level: boolean) => void;
  readonly clock: DeviceClock;
  readonly dma: {
    /** Reads guest memory by physical address; false if any byte is not RAM (nothing is then copied). */
    readonly read: (address: bigint, into: Uint8Array) => boolean;
    /** Writes guest memory, or one 1/2/4-byte register of another device (an MSI); false on a bus fault. */
    readonly write: (address: bigint, from: Uint8Array) => boolean;
  };
  /** The far end of a console: bytes the guest sent. What the host sends arrives at the model's `receive`. */
  readonly output: (bytes: Uint8Array) => void;
  /** Ends the machine after the current instruction. */
  readonly exit: (exit: MachineExit) => void;
  /** What a register write or guest mistake meant, for the failure report ("guest error: write to a read-only register"). */
  readonly log: (message: string) => void;
  /** Seeded 32-bit unsigned random numbers; part of the machine's state. */
  readonly random: () => number;
  /**
   * Calls a function of the guest, on a stack of its own and in no guest time: for models that the guest brings along. Null where there is no
   * code to call, or if the function did not return. A function without result gives 0.
   */
  readonly callGuest: (code: bigint, args: readonly bigint[], stack: GuestStack) => bigint | null;
  /** Where the device keeps its bytes, if not in itself: what snapshots take is then not among them. */
  readonly store: ByteStore | null;
  /** Raises a line at the interrupt controller, past the wire that leads there: what `interceptInterrupt` has held back comes late. */
  readonly raiseLate: (line: number) => void;
}

/** The first address above a stack, and the lowest one in it. */
export interface GuestStack {
  readonly top: bigint;
  readonly limit: bigint;
}

/** What becomes of an access on purpose: a bus fault, a write that does not arrive, or bits that change on the way. */
export type Interception = { readonly kind: "refuse" } | { readonly kind: "drop" } | { readonly kind: "flip"; readonly bits: bigint };

export interface Device {
  /** In the order that the machine file's `at:` list gives their bases. PCI functions have none here, but BARs in `pci`. */
  readonly regions: readonly Region[];
  /** Power-on state. Pins that were driven high are lowered. */
  readonly reset: () => void;
  readonly save: () => DeviceState;
  /** Takes what `save` of the same model returned. Pins and scheduled events are restored by the machine, not here. */
  readonly load: (state: DeviceState) => void;
  readonly onEvent?: (tag: number) => void;
  /** Input pin `pin` changed its level (interrupt controllers, PCI host). */
  readonly input?: (pin: number, level: boolean) => void;
  readonly counter?: TimeCounter;
  /** Sees every access of a CPU to memory space before the device there does. Undefined: it waits for none; null: this one passes. */
  readonly intercept?: (address: number, isWrite: boolean) => Interception | null | undefined;
  /** Whether it waits for any. */
  readonly isIntercepting?: () => boolean;
  /** Sees every change of a line on its way into the interrupt controller. True: the line stays as it was there. Undefined: nobody waits for one. */
  readonly interceptInterrupt?: (line: number, level: boolean) => boolean | undefined;
  /** Bytes from the far end of the console. */
  readonly receive?: (bytes: Uint8Array) => void;
  /** The function's configuration space and BARs when this device sits on a PCI bus; see pci.ts. */
  readonly pci?: PciFunction;
  /** Called by the PCI host's machine wiring once for every function on the bus behind this device. */
  readonly attach?: (slot: number, fn: PciFunction) => void;
}

/** A BAR of a PCI function. */
export interface PciBar {
  readonly kind: "memory32" | "memory64" | "io";
  readonly prefetchable?: boolean;
  readonly region: Region;
}

/** What a PCI function shows to its host bridge. INTx is output pin 0 of the device; MSI is a `dma.write` by the model. */
export interface PciFunction {
  readonly bars: readonly (PciBar | null)[];
  /** Reads configuration space; widths 1, 2, 4; offset 0..255 (beyond: zeros; the host answers ~0 for absent functions). */
  readonly readConfig: (offset: number, width: Width) => number;
  readonly writeConfig: (offset: number, width: Width, value: number) => void;
  /** The address a BAR decodes now, or null while decoding is off or the BAR is unassigned. */
  readonly barAddress: (bar: number) => bigint | null;
  /** 1 = INTA .. 4 = INTD, 0 = none. */
  readonly interruptPin: number;
}

/** A property in a device tree: one cell, text, a list of texts, or true for one that only has to be there. */
export type BindingValue = number | string | readonly string[] | true;

/** What a device tree says of a device besides where it is and whom it interrupts (runtime/machine/device-tree.ts). */
export interface TreeBinding {
  /** Of the node, before its address. */
  readonly node: string;
  readonly compatible: readonly string[];
  readonly properties?: Readonly<Record<string, BindingValue>>;
  /** Bytes that the board has set aside for the device, if that is more than the registers. */
  readonly aperture?: number;
  /** Beside `soc`, and not in it. */
  readonly isOutsideSoc?: boolean;
}

/** A device model: one file exports one of these, `devices/index.ts` lists them all. */
export interface DeviceModel<Config = Readonly<Record<string, never>>> {
  readonly name: string;
  readonly summary: string;
  /** The manual or source of truth for the registers. */
  readonly manual: string;
  /** A method and not a property: parameters of methods are bivariant, so that one list can hold models of all configs. */
  create(config: Config, env: DeviceEnv): Device;
  /** For device trees; a model without is in none, or has a binding of a kind of its own. */
  describe?(config: Config): TreeBinding;
}

/** Types the model's config where it is defined, and keeps the record literal readable. */
export function defineDevice<Config>(model: DeviceModel<Config>): DeviceModel<Config> {
  return model;
}
