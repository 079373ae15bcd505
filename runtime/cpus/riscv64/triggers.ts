// Debug triggers: registers by which a guest asks to be stopped where it executes, loads or stores at an address. Manual: RISC-V Debug
// Specification 1.0, 5 (Sdtrig). There are QEMU's: two per hart, each a match of type 2 or 6 (mcontrol, mcontrol6) with action 0, the breakpoint
// exception, and nothing of what is optional (chains, other comparisons, data values, debug mode). What is armed costs what breakpoints
// and watchpoints of a debugger cost, who ask in the same places (code-cache.ts, access.ts); what is not armed costs nothing.

import type { RegisterWidth } from "../../../isa/riscv64/by-width.ts";
import { areSame } from "./words.ts";

export const TRIGGER_COUNT = 2;

/** Where execution is looked at. */
interface ExecuteMatch {
  readonly address: bigint;
  /** Bit n: in mode n. */
  readonly modes: number;
}

interface DataMatch extends ExecuteMatch {
  /** Of the access in bytes; 0: any. */
  readonly size: number;
  readonly onLoad: boolean;
  readonly onStore: boolean;
}

export interface Triggers {
  selected: number;
  /** tdata1 and tdata2 of each. */
  readonly controls: BigUint64Array<ArrayBuffer>;
  readonly addresses: BigUint64Array<ArrayBuffer>;
  /** What follows from those. */
  executes: readonly ExecuteMatch[];
  data: readonly DataMatch[];
}

/** What of a hart its triggers are about. */
interface Watched {
  readonly width: RegisterWidth;
  /** Its number, as `MODE` of hart.ts has them. */
  readonly mode: number;
  readonly triggers: Triggers;
}

const TYPE = { mcontrol: 2n, mcontrol6: 6n } as const;
/** Of both types alike (5.7.11, 5.7.12). `modes`: U, S and M, by their numbers above it. */
const CONTROL = { load: 1n << 0n, store: 1n << 1n, execute: 1n << 2n, modes: 3n, kept: 0x5fn } as const;
const SIZE_AT = 16n;
/** Bytes of an access by what `size` says; sizes that are missing become any. */
const SIZES: ReadonlyMap<bigint, number> = new Map([
  [0n, 0],
  [1n, 1],
  [2n, 2],
  [3n, 4],
  [5n, 8],
]);

/** Both can be selected as either (5.7.5). */
export const TRIGGER_TYPES = (1n << TYPE.mcontrol) | (1n << TYPE.mcontrol6);

const typeOf = (control: bigint, width: RegisterWidth): bigint => (control >> BigInt(width - 4)) & 15n;

/** Bits of `size` for this type: type 2 has them in two parts, of which RV32 lacks the upper one. */
function sizeBits(type: bigint, width: RegisterWidth): bigint {
  if (type === TYPE.mcontrol6) return 15n << SIZE_AT;
  return (3n << SIZE_AT) | (width === 64 ? 3n << 21n : 0n);
}

function sizeOf(control: bigint, width: RegisterWidth): bigint {
  const type = typeOf(control, width);
  const bits = control & sizeBits(type, width);
  return type === TYPE.mcontrol6 ? bits >> SIZE_AT : ((bits >> SIZE_AT) & 3n) | ((bits >> 21n) << 2n);
}

export const createTriggers = (width: RegisterWidth): Triggers => ({
  selected: 0,
  controls: new BigUint64Array(TRIGGER_COUNT).fill(TYPE.mcontrol << BigInt(width - 4)),
  addresses: new BigUint64Array(TRIGGER_COUNT),
  executes: [],
  data: [],
});

function arm(triggers: Triggers, width: RegisterWidth): void {
  const matches = Array.from(triggers.controls, (control, index) => ({
    control,
    address: triggers.addresses[index] ?? 0n,
    modes: Number((control & CONTROL.kept) >> CONTROL.modes),
  })).filter(({ modes }) => modes !== 0);
  triggers.executes = matches.filter(({ control }) => (control & CONTROL.execute) !== 0n);
  triggers.data = matches
    .map(({ control, address, modes }) => ({
      address,
      modes,
      size: SIZES.get(sizeOf(control, width)) ?? 0,
      onLoad: (control & CONTROL.load) !== 0n,
      onStore: (control & CONTROL.store) !== 0n,
    }))
    .filter(({ onLoad, onStore }) => onLoad || onStore);
}

/** Others than these two types are not written, nor is what a type does not have. */
export function writeControl({ triggers, width }: Watched, value: bigint): void {
  const type = typeOf(value, width);
  if (type !== TYPE.mcontrol && type !== TYPE.mcontrol6) return;
  const size = SIZES.has(sizeOf(value, width)) ? value & sizeBits(type, width) : 0n;
  triggers.controls[triggers.selected] = (type << BigInt(width - 4)) | size | (value & CONTROL.kept);
  arm(triggers, width);
}

export function writeAddress({ triggers, width }: Watched, value: bigint): void {
  triggers.addresses[triggers.selected] = value;
  arm(triggers, width);
}

const isIn = (modes: number, mode: number): boolean => ((modes >> mode) & 1) !== 0;

/** Whether the hart stops in front of the instruction at this address. */
export const firesAt = ({ triggers, mode }: Watched, pc: bigint): boolean =>
  triggers.executes.some(({ address, modes }) => address === pc && isIn(modes, mode));

/** The byte of the access at which the hart stops in front of it. An access of several bytes is at all their addresses. */
export function firesOn({ triggers, mode }: Watched, address: bigint, width: number, access: "read" | "write" | "update"): bigint | undefined {
  const end = address + BigInt(width);
  return triggers.data.find(
    (match) =>
      ((access !== "write" && match.onLoad) || (access !== "read" && match.onStore)) &&
      (match.size === 0 || match.size === width) &&
      match.address >= address &&
      match.address < end &&
      isIn(match.modes, mode),
  )?.address;
}

/** Accesses to the page have to be looked at. */
export const watchesPage = ({ triggers }: Watched, page: bigint, pageMask: bigint): boolean =>
  triggers.data.some(({ address }) => (address & ~pageMask) === page);

export function resetTriggers({ triggers, width }: Watched): void {
  const { controls, addresses } = createTriggers(width);
  restoreTriggers(triggers, width, { selected: 0, controls: [...controls], addresses: [...addresses] });
}

export interface SavedTriggers {
  readonly selected: number;
  readonly controls: readonly bigint[];
  readonly addresses: readonly bigint[];
}

export const saveTriggers = ({ selected, controls, addresses }: Triggers): SavedTriggers => ({
  selected,
  controls: [...controls],
  addresses: [...addresses],
});

/** True: what is armed may be other than before. */
export function restoreTriggers(triggers: Triggers, width: RegisterWidth, saved: SavedTriggers): boolean {
  const isSame = areSame(triggers.controls, saved.controls) && areSame(triggers.addresses, saved.addresses);
  triggers.selected = saved.selected;
  if (isSame) return false;
  triggers.controls.set(saved.controls);
  triggers.addresses.set(saved.addresses);
  arm(triggers, width);
  return true;
}
