// Tier 1: decides what is translated, keeps what was, and takes it away again when its code changes. A jump whose target the interpreter
// has reached often enough makes a region of it; the decoded entry there then says so (code-cache.ts), and the interpreter enters by
// the cache of regions, which this file fills after it has seen that every page of the region is where it was when it was translated.
// When a region comes to be never shows: it executes the same instructions, takes the same from the budget, and stops at the same place.

import type { GuestMemory } from "../../../machine/cpu-contract.ts";
import { instructionLength } from "../../../../isa/riscv64/decode.ts";
import type { Mnemonic } from "../../../../isa/riscv64/instructions.ts";
import { decodeInstruction, type CodeCache } from "../code-cache.ts";
import type { DeviceSite } from "../device-access.ts";
import type { MemoryLayout } from "../emit-memory.ts";
import { JUMP_REGISTER } from "../operations.ts";
import { ENTRY, ENTRY_SHIFT, REGION_CACHE, TLB } from "../state.ts";
import type { Mode } from "../hart.ts";
import type { Transfer } from "../traps.ts";
import { addressAt } from "./emit-instruction.ts";
import { regionSlot } from "./emit-chain.ts";
import { writeRegion } from "./emit-region.ts";
import { buildGraph, type FetchedInstruction, type RegionGraph, type RegionInstruction } from "./graph.ts";
import { createJumpTargets } from "./jump-targets.ts";
import { REGION_IMPORTS, writeRegionModule } from "./region-module.ts";

/** When regions are made. */
export interface Eagerness {
  /** See `InterpreterOptions.heat`. */
  readonly heat: number;
  /** Arrivals at a place until it is translated. */
  readonly arrivals: (pc: bigint) => number;
  /** How many times as many it takes at a place that is within a region already. */
  readonly patience: number;
  /** The same where control comes seldom. */
  readonly doubt: number;
}

/** `eager` and `mixed` exist for tests: nothing but time may depend on the choice. */
export const EAGERNESS = {
  normal: { heat: 1, arrivals: () => 2048, patience: 16, doubt: 8 },
  eager: { heat: 256, arrivals: () => 1, patience: 1, doubt: 1 },
  mixed: { heat: 100, arrivals: (pc) => Number((pc >> 1n) % 7n) * 300, patience: 2, doubt: 2 },
  never: { heat: 1, arrivals: () => Infinity, patience: 1, doubt: 1 },
} as const satisfies Readonly<Record<string, Eagerness>>;
export type EagernessName = keyof typeof EAGERNESS;

/** Places that a table has to begin with. */
export const REGIONS_BEGIN = 64;
const PAGE_BYTES = 0x1000;
const PAGE_MASK = BigInt(PAGE_BYTES - 1);
/** Bytes on either side of the entry; within it pages of code never share a place in the translation cache. */
const REACH = 0x8000;
const MAX_REGIONS = 2048;
/**
 * Instructions from one arrival to the next, on average, beyond which a place is seldom come to: once a test, in a list of tests. What is translated
 * there is a small part of what is executed, and has to be looked up again in each test.
 */
const SELDOM = 1000;
const ECALL_BYTES = 4n;
/** Of a place in the cache of regions. */
const EMPTY_TAG = BigInt.asUintN(64, -1n);
/** A function that was called so often will be once more: what is hot in it is translated with it, from its start. */
const CALLS_TO_COME_BACK = 2;
/** Modules that are kept for machines to come. */
const MAX_MODULES = 4096;

export interface TranslatorHost {
  readonly memory: GuestMemory;
  readonly code: CodeCache;
  readonly table: WebAssembly.Table;
  /** A place for each of a cache of regions: what was remembered there last, of whatever cache. */
  readonly chain: WebAssembly.Table;
  readonly absent: unknown;
  /** Executes the instruction at the pc, whose budget was taken; 1 if the region may go on behind it. */
  readonly executeCold: (site: ColdSite) => number;
  /** The same for an access to a device at this physical address. */
  readonly accessDevice: (site: ColdSite, physical: number, value: number) => number;
  readonly siteOf: (instruction: FetchedInstruction["instruction"]) => DeviceSite | null;
  /** Pc of the hart that runs. */
  readonly pc: () => bigint;
  /** Its `ra`. */
  readonly link: () => bigint;
  /** Address of the translation caches that are in force. */
  readonly tlb: () => number;
  /** Something is entered there. */
  readonly noteUse: (caches: number) => void;
  readonly mode: () => Mode;
  /** Where this instruction would lead, and to which mode, if it were executed now. */
  readonly transferOf: (mnemonic: "ecall" | "mret" | "sret") => Transfer;
  /** Addresses are physical and nothing protects or watches them: only the code itself decides what it does. */
  readonly isBare: () => boolean;
  /** Instructions that were executed in all, as far as that is known now. */
  readonly lifetime: () => number;
  readonly forgetRegions: () => void;
}

/** An instruction that regions leave to TypeScript. */
export interface ColdSite {
  readonly instruction: FetchedInstruction["instruction"];
  readonly bits: number;
  readonly offset: number;
  /** If it may be an access to a device. */
  readonly access: DeviceSite | null;
}

export interface Translator {
  /** Control has come to the entry `arrivals` times more, this time from the entry `from`. */
  readonly hot: (entry: number, arrivals: number, from: number) => void;
  /** Whether the place in RAM is the entry of a region. */
  readonly hasRegion: (ramOffset: number) => boolean;
  /** Enters the region of this entry into the cache if it is valid as things are. */
  readonly remember: (entry: number, under: number) => void;
  /** The load or store at this place was seen to meet devices, or to do something else. */
  readonly learnDevice: (ramOffset: number, isLoad: boolean) => void;
  readonly forgetDevice: (ramOffset: number) => void;
  readonly isDevice: (ramOffset: number) => boolean;
  /** Code in RAM changed, or is not watched any more. */
  readonly changed: (ramOffset: number, length: number) => void;
  readonly clear: () => void;
  readonly regionCount: () => number;
}

/** A page of the region: its distance from the entry's, and its place in RAM. */
interface RegionPage {
  readonly distance: bigint;
  readonly offset: number;
}

interface Piece {
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** Shared by machines: what was translated, from what. */
interface Translation {
  readonly module: WebAssembly.Module;
  readonly pieces: readonly Piece[];
  readonly coldInstructions: readonly RegionInstruction[];
  readonly slow: string;
}

/** What the code of a region depends on, besides the code that it is of. */
interface Setting {
  readonly pc: bigint;
  readonly mode: Mode;
  readonly isBare: boolean;
}

interface Region extends Setting {
  /** Where its first instruction lies in RAM. */
  readonly entry: number;
  readonly index: number;
  readonly pages: readonly RegionPage[];
  readonly pieces: readonly Piece[];
}

interface Arrivals {
  count: number;
  /** Lifetime when the first of them were told. */
  since: number;
}

const translations = new Map<string, Translation[]>();
let translationCount = 0;
const holds = ({ at, bytes }: Piece, distance: number): boolean => distance >= at && distance < at + bytes.length;

/** Places in the table, by the address that they are for; the same on all machines, so that modules can be shared. */
const calleeIndexes = new Map<bigint, number>();
let nextIndex = 0;

function calleeIndex(pc: bigint): number {
  let index = calleeIndexes.get(pc);
  if (index === undefined) {
    index = nextIndex++;
    calleeIndexes.set(pc, index);
  }
  return index;
}

export function createTranslator(host: TranslatorHost, options: MemoryLayout, eagerness: Eagerness): Translator {
  const { memory, code, table, chain } = host;
  const { view } = memory;
  const { width } = options;
  const regions = new Map<number, Region[]>();
  const regionsOfPage = new Map<number, Set<Region>>();
  const arrivalsAt = new Map<number, Arrivals>();
  const slow = new Set<number>();
  const jumps = createJumpTargets();
  const sites: ColdSite[] = [];
  /** For regions whose calls look every target up, and which so need no place that others know. */
  const freeIndexes: number[] = [];
  let count = 0;
  for (let n = 0; n < table.length; n++) table.set(n, host.absent);
  for (let n = 0; n < chain.length; n++) chain.set(n, host.absent);

  /** Makes room for all places that any module may name. */
  function growTable(): void {
    const before = table.length;
    if (nextIndex <= before) return;
    table.grow(Math.max(nextIndex - before, before));
    for (let n = before; n < table.length; n++) table.set(n, host.absent);
  }

  /** Where the page of code with this virtual address lies, if the hart may execute it and has done so. */
  function pageAt(page: bigint): number {
    const entry = host.tlb() + TLB.code + Number((page >> 12n) & BigInt(TLB.codeEntries - 1)) * TLB.entryBytes;
    if (view.getBigUint64(entry + TLB.tag, true) !== page) return -1;
    return code.offsetOf(view.getUint32(entry + TLB.addend, true));
  }

  /** Reads code by its distance from the entry. */
  function createReader(pc: bigint): {
    readonly half: (at: number) => number;
    readonly offsetOf: (at: number) => number;
    readonly pages: ReadonlyMap<bigint, number>;
  } {
    const pages = new Map<bigint, number>();
    const offsetOf = (at: number): number => {
      if (at < -REACH || at >= REACH) return -1;
      const address = addressAt(options, pc, at);
      const page = address & ~PAGE_MASK;
      let start = pages.get(page);
      if (start === undefined) {
        start = pageAt(page);
        if (start >= 0) pages.set(page, start);
      }
      return start < 0 ? -1 : start + Number(address & PAGE_MASK);
    };
    const half = (at: number): number => {
      const offset = offsetOf(at);
      return offset < 0 ? -1 : view.getUint16(offset, true);
    };
    return { half, offsetOf, pages };
  }

  type Reader = ReturnType<typeof createReader>;

  function instructionAt({ half }: Reader, at: number): FetchedInstruction | undefined {
    const low = half(at);
    if (low < 0) return undefined;
    const high = instructionLength(low) === 2 ? 0 : half(at + 2);
    if (high < 0) return undefined;
    const bits = (low | (high << 16)) >>> 0;
    const instruction = decodeInstruction(bits, width);
    return instruction === undefined ? undefined : { instruction, bits };
  }

  function piecesOf({ blocks }: RegionGraph, reader: Reader): readonly Piece[] {
    return blocks.map(({ at, end }) => {
      const bytes = new Uint8Array(end - at);
      const view = new DataView(bytes.buffer);
      for (let n = 0; n < bytes.length; n += 2) view.setUint16(n, reader.half(at + n), true);
      return { at, bytes };
    });
  }

  function isSame(piece: Piece, reader: Reader): boolean {
    for (let n = 0; n < piece.bytes.length; n += 2) {
      const wanted = (piece.bytes[n] ?? 0) | ((piece.bytes[n + 1] ?? 0) << 8);
      if (reader.half(piece.at + n) !== wanted) return false;
    }
    return true;
  }

  const slowAround = (reader: Reader, pieces: readonly Piece[]): string =>
    pieces
      .flatMap((piece) => Array.from({ length: piece.bytes.length / 2 }, (_, n) => piece.at + 2 * n))
      .filter((at) => slow.has(reader.offsetOf(at)))
      .join();

  /** Where handlers begin as things are, and behind the call that the one at hand was begun for. */
  function likelyTransfer(mnemonic: Mnemonic): Transfer {
    if (mnemonic === "ecall") return host.transferOf("ecall");
    if (mnemonic !== "mret" && mnemonic !== "sret") throw new Error(`${mnemonic} changes no mode`);
    const { pc, mode } = host.transferOf(mnemonic);
    return { pc: BigInt.asUintN(width, pc + ECALL_BYTES), mode };
  }

  function translate({ pc, mode, isBare }: Setting, reader: Reader, wanted: number): Translation | undefined {
    const graph = buildGraph({
      width,
      mode,
      instructionAt: (at) => instructionAt(reader, at),
      targetsOf: (at) => jumps.distancesFrom(reader.offsetOf(at)).map((distance) => at + distance),
      isSlow: (at) => slow.has(reader.offsetOf(at)),
      transferTarget(mnemonic) {
        const likely = likelyTransfer(mnemonic);
        return likely.mode === mode ? Number(BigInt.asIntN(width, likely.pc - pc)) : undefined;
      },
    });
    if (graph?.blocks.some(({ at, end }) => wanted >= at && wanted < end) !== true) return undefined;
    const coldInstructions: RegionInstruction[] = [];
    const body = writeRegion(graph, {
      ...options,
      pc,
      mode,
      bareRam: isBare ? memory : undefined,
      calleeOf: (target) => (target === pc ? "self" : isBare ? calleeIndex(target) : undefined),
      likelyTarget: ({ instruction: { mnemonic } }) => likelyTransfer(mnemonic).pc,
      siteOf: (instruction) => coldInstructions.push(instruction) - 1,
    });
    const pieces = piecesOf(graph, reader);
    return { module: new WebAssembly.Module(writeRegionModule(body)), pieces, coldInstructions, slow: slowAround(reader, pieces) };
  }

  /** `wanted`: a distance to an instruction that it executes. */
  function findTranslation(setting: Setting, reader: Reader, wanted: number): Translation | undefined {
    const key = `${width},${memory.base},${options.stateOffset},${setting.pc},${setting.mode},${setting.isBare ? 1 : 0}`;
    const known = translations.get(key) ?? [];
    const same = known.find((entry) => entry.pieces.every((piece) => isSame(piece, reader)) && entry.slow === slowAround(reader, entry.pieces));
    if (same !== undefined) return same.pieces.some((piece) => holds(piece, wanted)) ? same : undefined;
    const made = translate(setting, reader, wanted);
    if (made === undefined) return undefined;
    if (translationCount >= MAX_MODULES) {
      translations.clear();
      translationCount = 0;
    }
    translations.set(key, [made, ...(translations.get(key) ?? [])]);
    translationCount += 1;
    return made;
  }

  function siteAt(number: number): ColdSite {
    const site = sites[number];
    if (site === undefined) throw new RangeError(`no instruction ${number}`);
    return site;
  }

  function install(setting: Setting, entryOffset: number, reader: Reader, translation: Translation): void {
    const { pc, isBare } = setting;
    const first = sites.length;
    for (const { at, instruction, bits } of translation.coldInstructions)
      sites.push({ instruction, bits, offset: reader.offsetOf(at), access: host.siteOf(instruction) });
    const index = isBare ? calleeIndex(pc) : (freeIndexes.pop() ?? nextIndex++);
    growTable();
    const { exports } = new WebAssembly.Instance(translation.module, {
      [REGION_IMPORTS]: {
        cold: (site: number) => host.executeCold(siteAt(site)),
        device: (site: number, physical: number, value: number) => host.accessDevice(siteAt(site), physical >>> 0, value),
        memory: memory.memory,
        regions: table,
        chain,
        sites: first,
        index,
      },
    });
    table.set(index, exports["region"]);
    const pages = [...reader.pages].map(([page, offset]) => ({ distance: BigInt.asIntN(width, page - (pc & ~PAGE_MASK)), offset }));
    const region: Region = { ...setting, entry: entryOffset, index, pages, pieces: translation.pieces };
    regions.set(entryOffset, [...(regions.get(entryOffset) ?? []), region]);
    for (const { offset } of pages) {
      const there = regionsOfPage.get(offset / PAGE_BYTES) ?? new Set();
      there.add(region);
      regionsOfPage.set(offset / PAGE_BYTES, there);
    }
    count += 1;
  }

  const settingHere = (): Setting => ({ pc: host.pc(), mode: host.mode(), isBare: host.isBare() });
  const isOf = (region: Region, { pc, mode, isBare }: Setting): boolean => region.pc === pc && region.mode === mode && region.isBare === isBare;

  /** Some region executes this place too, and may be entered before long: regions of both would be compiled twice, optimised code and all. */
  function isWithin(offset: number, { pc, mode, isBare }: Setting): boolean {
    for (const region of regionsOfPage.get(Math.floor(offset / PAGE_BYTES)) ?? []) {
      if (region.mode !== mode || region.isBare !== isBare) continue;
      const distance = Number(pc - region.pc);
      if (region.pieces.some((piece) => holds(piece, distance))) return true;
    }
    return false;
  }

  /** Makes a region of the setting, which has to execute the instruction at `wanted`; false: there is one already, or it cannot be. */
  function makeRegion(setting: Setting, wanted: bigint): boolean {
    const reader = createReader(setting.pc);
    const offset = reader.offsetOf(0);
    if (offset < 0 || regions.get(offset)?.some((region) => isOf(region, setting)) === true) return false;
    const translation = findTranslation(setting, reader, Number(wanted - setting.pc));
    if (translation === undefined) return false;
    install(setting, offset, reader, translation);
    code.forgetEntry(offset);
    return true;
  }

  /**
   * The function that is executed, as far as `ra` tells: where it leads, a call stands in front. Undefined if that was not executed several
   * times, so that it may well be that the function is not called again.
   */
  function functionHere(): bigint | undefined {
    const link = host.link();
    // No call leaves an odd one: `ra` holds something else. What is decoded there is not entered, and its entry lies between two others.
    if ((link & 1n) !== 0n) return undefined;
    const reader = createReader(link);
    for (const at of [-4, -2]) {
      const { instruction } = instructionAt(reader, at) ?? {};
      if (instruction?.mnemonic !== "jal" || instruction.rd !== 1 || instruction.length !== -at) continue;
      const entry = entryAt(reader.offsetOf(at));
      return entry !== undefined && view.getUint8(entry + ENTRY.rs1) >= CALLS_TO_COME_BACK ? addressAt(options, link, at + instruction.imm) : undefined;
    }
    return undefined;
  }

  function entryAt(ramOffset: number): number | undefined {
    return code.hasPage(ramOffset) ? code.pageAt(ramOffset) + ((ramOffset % PAGE_BYTES) << ENTRY_SHIFT) : undefined;
  }

  const entryOf = (caches: number, slot: number): number => caches + REGION_CACHE.start + slot * REGION_CACHE.entryBytes;

  function isFree(caches: number, slot: number, pc: bigint): boolean {
    const tag = view.getBigUint64(entryOf(caches, slot) + REGION_CACHE.tag, true);
    return tag === pc || tag === EMPTY_TAG;
  }

  const isValid = (region: Region): boolean =>
    region.pages.every(({ distance, offset }) => pageAt(BigInt.asUintN(width, (region.pc & ~PAGE_MASK) + distance)) === offset);

  function drop(region: Region): void {
    for (const { offset } of region.pages) regionsOfPage.get(offset / PAGE_BYTES)?.delete(region);
    const rest = (regions.get(region.entry) ?? []).filter((other) => other !== region);
    if (rest.length > 0) regions.set(region.entry, rest);
    else {
      regions.delete(region.entry);
      code.forgetEntry(region.entry);
    }
    table.set(region.index, host.absent);
    if (!region.isBare) freeIndexes.push(region.index);
    count -= 1;
  }

  function clear(): void {
    for (const list of regions.values()) for (const region of list) drop(region);
    arrivalsAt.clear();
    slow.clear();
    jumps.clear();
    sites.length = 0;
    host.forgetRegions();
  }

  return {
    hot(entry, arrivals, from) {
      const offset = code.offsetOf(entry);
      // Without a link: what is left of those are returns, which regions know anyway.
      if (view.getUint8(from + ENTRY.operation) === JUMP_REGISTER) jumps.note(code.offsetOf(from), offset);
      const now = host.lifetime();
      const told = arrivalsAt.get(offset) ?? { count: 0, since: now };
      arrivalsAt.set(offset, told);
      told.count += arrivals;
      const pc = host.pc();
      const isSeldom = now - told.since > told.count * SELDOM;
      const wanted = eagerness.arrivals(pc) * (isSeldom ? eagerness.doubt : 1);
      if (told.count < wanted || !code.mayHaveRegions()) return;
      const setting = settingHere();
      if (regions.get(offset)?.some((region) => isOf(region, setting)) === true) return;
      if (told.count < wanted * eagerness.patience && isWithin(offset, setting)) return;
      // Whatever comes of it, it is not tried again at once.
      told.count = 0;
      told.since = now;
      if (count >= MAX_REGIONS) clear();
      const around = functionHere();
      if (around === undefined || !makeRegion({ ...setting, pc: around }, pc)) makeRegion(setting, pc);
    },
    hasRegion: (ramOffset) => regions.has(ramOffset),
    remember(entry, under) {
      const setting = settingHere();
      const { pc } = setting;
      const region = regions.get(code.offsetOf(entry))?.find((other) => isOf(other, setting) && isValid(other));
      if (region === undefined) return;
      const caches = host.tlb();
      host.noteUse(caches);
      const likely = regionSlot(pc);
      const slot = [likely, likely ^ 1].find((place) => isFree(caches, place, pc)) ?? likely;
      // Only there is it guessed; in the other place it is found by the cache.
      if (slot === likely) chain.set(slot, table.get(region.index));
      const at = entryOf(caches, slot);
      view.setBigUint64(at + REGION_CACHE.tag, pc, true);
      view.setUint32(at + REGION_CACHE.index, region.index, true);
      view.setUint32(at + REGION_CACHE.under, under, true);
    },
    learnDevice(ramOffset, isLoad) {
      // A load becomes another operation; also one that is known: its page may have been given up since then.
      if (isLoad) code.forgetEntry(ramOffset);
      if (slow.has(ramOffset)) return;
      slow.add(ramOffset);
      let isTouched = false;
      for (const region of regionsOfPage.get(Math.floor(ramOffset / PAGE_BYTES)) ?? []) {
        if (!covers(region, ramOffset, 1)) continue;
        drop(region);
        isTouched = true;
      }
      if (isTouched) host.forgetRegions();
    },
    forgetDevice(ramOffset) {
      if (slow.delete(ramOffset)) code.forgetEntry(ramOffset);
    },
    isDevice: (ramOffset) => slow.has(ramOffset),
    changed(ramOffset, length) {
      const last = Math.floor((ramOffset + length - 1) / PAGE_BYTES);
      let isTouched = false;
      for (let page = Math.floor(ramOffset / PAGE_BYTES); page <= last; page++) {
        for (const region of regionsOfPage.get(page) ?? []) {
          if (!covers(region, ramOffset, length)) continue;
          drop(region);
          isTouched = true;
        }
      }
      if (isTouched) host.forgetRegions();
    },
    clear,
    regionCount: () => count,
  };

  function covers(region: Region, ramOffset: number, length: number): boolean {
    return region.pieces.some((piece) => {
      for (const { distance, offset } of region.pages) {
        // The piece's place if its first byte's page is this one; what reaches beyond is taken with it.
        const start = Number((region.pc & PAGE_MASK) - distance) + piece.at + offset;
        if (start < ramOffset + length && start + piece.bytes.length > ramOffset && start + piece.bytes.length > offset && start < offset + PAGE_BYTES)
          return true;
      }
      return false;
    });
  }
}
