// The embedded machine: devices built from a machine description around one memory, bus, clock and interrupt fabric. Executors see
// it as `MachineCore`; the runner loads an image, takes snapshots, restores one for each test and reads the logs. It depends on
// nothing but description, image, seed and what `receive` is given: the same inputs give the same trace, to the instruction.

import type { Module } from "../../isa/bytecode/module.ts";
import { CPU_LINES, type DeviceDescription, type DmaWindow, type MachineDescription } from "../../machines/description.ts";
import type { ByteStore, Device, DeviceEnv, DeviceModel, DeviceState, MachineExit, PciFunction, Region } from "../devices/device.ts";
import { findDeviceModel } from "../devices/index.ts";
import { createAccessLog } from "./access-log.ts";
import { createBus, type AccessRecord } from "./bus.ts";
import { createClock } from "./clock.ts";
import type { MachineCore } from "./cpu-contract.ts";
import { createDma } from "./dma.ts";
import { createInterruptFabric, type WireTarget } from "./interrupt-fabric.ts";
import { placeImage, writeBootSeed, type PlacedImage } from "./load-image.ts";
import { acquireMemory, copyPage, isZeroPage, markDirty, PAGE_SIZE, ramOffset, releaseMemory } from "./memory.ts";
import { createRandomStream, STREAM_DEVICES, STREAM_SCHEDULER } from "./random.ts";
import { hubPeersOf, mappingsOf, resolveConfig, wiresOf, type Placed } from "./wiring.ts";
import { createPageTree, type MachineContents, type MachineState, type Snapshot } from "./snapshot.ts";

export interface MachineOptions {
  /** Number of CPUs; the description's default if absent. */
  readonly cpus?: number;
  /** 64 bits count. Default 0. */
  readonly seed?: bigint | number;
  /** Bytes that a device sent out, with the device's name; `description.console` is the console. */
  readonly output?: (bytes: Uint8Array, device: string) => void;
  /** Runs guest code for a device; absent: there is nobody to run it. */
  readonly callGuest?: DeviceEnv["callGuest"];
  /** What devices keep their bytes in, by their names: others keep them in themselves. */
  readonly stores?: ReadonlyMap<string, ByteStore>;
  /** Where models come from; the built-in list if absent. */
  readonly findModel?: (name: string) => DeviceModel<Readonly<Record<string, unknown>>> | undefined;
}

/** A change of a wire: `uart0` pin 0 -> `plic0:10`, or -> `cpu0.external`. */
export interface InterruptEvent {
  readonly time: number;
  readonly device: string;
  readonly pin: number;
  readonly target: string;
  readonly level: boolean;
}

/** What a device said about a mistake of the guest. */
export interface DeviceMessage {
  readonly time: number;
  readonly device: string;
  readonly text: string;
}

export interface MachineRegion {
  readonly device: string;
  readonly region: Region;
  readonly space: "memory" | "port";
  readonly base: number;
}

export interface Machine extends MachineCore {
  readonly description: MachineDescription;
  /** Device names, in the order of `MachineState.devices`. */
  readonly deviceNames: readonly string[];
  /** What is mapped, windows unresolved. */
  readonly regions: readonly MachineRegion[];
  /** Power-on: RAM zero, devices reset, time 0, random streams from `seed` (default: the last one). */
  readonly reset: (seed?: bigint | number) => void;
  /** Resets and places the image. Throws `ImageLoadError` if it does not fit. */
  readonly loadImage: (module: Module) => PlacedImage;
  readonly snapshot: () => Snapshot;
  /** Goes back; `seed` starts the random streams (and `boot_info.seed`) afresh. Empties the logs. */
  readonly restore: (snapshot: Snapshot, options?: { readonly seed?: bigint | number }) => void;
  /** A copy of everything, for a machine of its own; not for machines that bytecode was placed in. */
  readonly contents: () => MachineContents;
  /** Becomes what another machine of the same description and number of CPUs was. Empties the logs. */
  readonly setContents: (contents: MachineContents) => void;
  /** Bytes from the far end of a device's line. */
  readonly receive: (device: string, bytes: Uint8Array) => void;
  /** A copy of RAM, or null if any byte is not RAM. */
  readonly readMemory: (address: bigint, length: number) => Uint8Array | null;
  readonly writeMemory: (address: bigint, bytes: Uint8Array) => boolean;
  /** The last 32 accesses to devices since power-on or restore, oldest first. */
  readonly accesses: () => readonly AccessRecord[];
  /** The last 32 changes of interrupt wires since then. */
  readonly interrupts: () => readonly InterruptEvent[];
  /** The last 32 messages of devices since then. */
  readonly messages: () => readonly DeviceMessage[];
  /** Everything but RAM, as plain data; every device is asked. */
  readonly state: () => MachineState;
  /** Gives the memory back for other machines; nothing may be called afterwards. */
  readonly dispose: () => void;
}

const MESSAGE_LIMIT = 32;
const CONTROLLER_MODEL = "plic";

function toSeed(seed: bigint | number): bigint {
  return BigInt.asUintN(64, BigInt(seed));
}

export function createMachine(description: MachineDescription, options: MachineOptions = {}): Machine {
  const cpuCount = options.cpus ?? description.cpus.default;
  if (!Number.isInteger(cpuCount) || cpuCount < description.cpus.min || cpuCount > description.cpus.max) {
    throw new RangeError(`${description.name} has ${description.cpus.min} to ${description.cpus.max} CPUs, not ${cpuCount}`);
  }
  const findModel = options.findModel ?? findDeviceModel;
  const owner = Symbol(description.name);
  const names = description.devices.map((device) => device.name);
  const touched = new Uint8Array(names.length);
  /** What has reached devices, all together, each alone (modulo 2^32), and all of them at once. */
  const heard = { count: 0, everywhere: 0 };
  const heardBy = new Uint32Array(names.length);
  const stirred = { count: 0 };
  const memory = acquireMemory(description.ram.base, description.ram.size);
  const pages = createPageTree(memory);
  const placed: Placed[] = [];
  const messages: DeviceMessage[] = [];
  let seed = toSeed(options.seed ?? 0n);
  let exit: MachineExit | null = null;
  let image: PlacedImage | null = null;
  /** States of the devices at the current node of the snapshot tree; a device that is not touched still has its one. */
  let known: readonly DeviceState[] | null = null;
  const schedulerRandom = createRandomStream(seed, STREAM_SCHEDULER);
  const deviceRandom = createRandomStream(seed, STREAM_DEVICES);

  function indexOf(name: string): number {
    const index = names.indexOf(name);
    if (index < 0) throw new Error(`${description.name} has no device ${name}`);
    return index;
  }

  function nameOf(index: number): string {
    const name = names[index];
    if (name === undefined) throw new Error(`${description.name} has no device number ${index}`);
    return name;
  }

  function deviceAt(index: number): Device {
    const entry = placed[index];
    if (entry === undefined) throw new Error(`${description.name}: device ${nameOf(index)} is used before it exists`);
    return entry.device;
  }

  /** Found when the devices exist. */
  let counterDevice = -1;

  /** Something has reached the device: what it says of itself may be another thing now. */
  function touch(index: number): void {
    touched[index] = 1;
    heard.count += 1;
    heardBy[index] = (heardBy[index] ?? 0) + 1;
    // It may have been set, which moves no line.
    if (index === counterDevice) stirred.count += 1;
  }

  function touchAll(): void {
    touched.fill(1);
    heard.count += 1;
    heard.everywhere += 1;
  }

  const clock = createClock((index, tag) => {
    const device = deviceAt(index);
    if (device.onEvent === undefined) throw new Error(`${nameOf(index)} scheduled event ${tag}, but takes none`);
    touch(index);
    device.onEvent(tag);
  }, stirred);

  function drive(index: number, pin: number, level: boolean): void {
    const device = deviceAt(index);
    if (device.input === undefined) throw new Error(`a wire leads to input ${pin} of ${nameOf(index)}, which has no inputs`);
    touch(index);
    device.input(pin, level);
  }

  /** Where lines of `on irq` are inputs. */
  const controller = description.devices.findIndex(({ model }) => model === CONTROLLER_MODEL);
  /** Set when the devices exist; wires may move before. */
  let interceptor = -1;

  const fabric = createInterruptFabric(
    wiresOf(description, cpuCount, indexOf),
    cpuCount,
    (index, pin, level) => {
      if (index === controller && interceptor >= 0) {
        const isHeld = deviceAt(interceptor).interceptInterrupt?.(pin, level);
        // It counts.
        if (isHeld !== undefined) touch(interceptor);
        if (isHeld === true) return;
      }
      drive(index, pin, level);
    },
    () => clock.now(),
    stirred,
  );

  function busAddress(window: DmaWindow | null, address: bigint, length: number): bigint {
    if (window === null) return address;
    const offset = address - window.bus;
    return offset >= 0n && offset + BigInt(length) <= BigInt(window.size) ? window.address + offset : address;
  }

  const dma = createDma({
    base: memory.base,
    ram: memory.bytes.subarray(0, memory.size),
    writeRegister: (address, width, value) => bus.dmaWrite(address, width, value),
    wrote: (offset, length) => markDirty(memory, offset, length),
  });

  function dmaOf(window: DmaWindow | null): DeviceEnv["dma"] {
    return {
      read: (address, into) => dma.read(busAddress(window, address, into.length), into),
      write: (address, from) => dma.write(busAddress(window, address, from.length), from),
    };
  }

  const hubPeers = hubPeersOf(description);

  function envOf(index: number, device: DeviceDescription): DeviceEnv {
    const host = device.pci === null ? undefined : description.devices[indexOf(device.pci.bus)];
    return {
      irq: (pin, level) => fabric.drive(index, pin, level),
      clock: {
        now: () => clock.now(),
        schedule: (tag, delay) => clock.schedule(index, tag, delay),
        cancel: (tag) => clock.cancel(index, tag),
      },
      dma: dmaOf(host?.dma ?? null),
      output(bytes) {
        const peers = hubPeers[index] ?? null;
        if (peers === null) {
          options.output?.(bytes, device.name);
          return;
        }
        for (const peer of peers) {
          touch(peer);
          deviceAt(peer).receive?.(bytes);
        }
      },
      exit(request) {
        // The first request counts: whatever comes after it belongs to the same instruction.
        exit ??= request;
        stirred.count += 1;
      },
      log(text) {
        if (messages.length === MESSAGE_LIMIT) messages.shift();
        messages.push({ time: clock.now(), device: device.name, text });
      },
      random: () => deviceRandom.next(),
      callGuest: (code, args, stack) => options.callGuest?.(code, args, stack) ?? null,
      store: options.stores?.get(device.name) ?? null,
      raiseLate(line) {
        if (controller >= 0) drive(controller, line, true);
      },
    };
  }

  const parameters = { cpus: cpuCount, timebase: description.timebase };
  description.devices.forEach((device, index) => {
    const model = findModel(device.model);
    if (model === undefined) throw new Error(`${description.name}: ${device.name} is a "${device.model}", and there is no such model`);
    const config = Object.fromEntries(Object.entries(device.config).map(([key, value]) => [key, resolveConfig(value, parameters)]));
    placed.push({ description: device, device: model.create(config, envOf(index, device)) });
  });

  const ownerOf = new Map<Region, number>();
  placed.forEach(({ description: device, device: { pci } }, index) => {
    if ((pci === undefined) !== (device.pci === null)) {
      throw new Error(`${description.name}: ${device.name} ${pci === undefined ? "is no PCI function, but has a slot" : "is a PCI function and needs a slot"}`);
    }
    if (pci === undefined || device.pci === null) return;
    for (const bar of pci.bars) if (bar !== null) ownerOf.set(bar.region, index);
    const host = deviceAt(indexOf(device.pci.bus));
    if (host.attach === undefined) throw new Error(`${description.name}: ${device.pci.bus} is no PCI bus`);
    // Configuration accesses reach the function through its host, past the bus: they are where it gets touched.
    const fn: PciFunction = {
      bars: pci.bars,
      interruptPin: pci.interruptPin,
      barAddress: (bar) => pci.barAddress(bar),
      readConfig(offset, width) {
        touch(index);
        return pci.readConfig(offset, width);
      },
      writeConfig(offset, width, value) {
        touch(index);
        pci.writeConfig(offset, width, value);
      },
    };
    host.attach(device.pci.slot, fn);
  });

  const mappings = mappingsOf(description.name, placed);
  interceptor = placed.findIndex(({ device }) => device.intercept !== undefined);
  counterDevice = placed.findIndex(({ device }) => device.counter !== undefined);
  const bus = createBus(mappings, createAccessLog(memory.memory.buffer, memory.logOffset), {
    now: () => clock.now(),
    settle() {
      if (clock.nextEvent() <= clock.now()) clock.fire();
    },
    touch,
    ownerOf: (region) => ownerOf.get(region) ?? -1,
    deviceName: nameOf,
    counterDevice,
    ...(interceptor < 0
      ? {}
      : {
          intercept(address, isWrite) {
            const found = deviceAt(interceptor).intercept?.(address, isWrite);
            // It counts.
            if (found !== undefined) touch(interceptor);
            return found ?? null;
          },
          isIntercepting: () => deviceAt(interceptor).isIntercepting?.() !== false,
        }),
  });

  const counter = placed[counterDevice]?.device.counter;

  function clearLogs(): void {
    bus.clearLog();
    fabric.clearLog();
    messages.length = 0;
  }

  function reseed(value: bigint): void {
    seed = value;
    schedulerRandom.seed(value);
    deviceRandom.seed(value);
  }

  function reset(newSeed: bigint | number = seed): void {
    pages.restore(null);
    memory.readOnlyStart = 0;
    memory.readOnlyEnd = 0;
    image = null;
    known = null;
    exit = null;
    clock.reset();
    fabric.reset();
    reseed(toSeed(newSeed));
    touchAll();
    for (const { device } of placed) device.reset();
    clearLogs();
  }

  /** What the devices say, or for those that were not touched what they said when they were asked last. */
  function saveTouched(): readonly DeviceState[] {
    return placed.map(({ device }, index) => (known === null || touched[index] !== 0 ? device.save() : (known[index] ?? null)));
  }

  function stateWith(devices: readonly DeviceState[]): MachineState {
    return {
      devices,
      clock: clock.save(),
      pins: fabric.save(),
      schedulerRandom: schedulerRandom.save(),
      deviceRandom: deviceRandom.save(),
      exit,
    };
  }

  /** Wires, time, chance: what is not in RAM, and not a device's own. `newSeed`: another chance than the saved one. */
  function loadSurroundings(saved: MachineState, newSeed?: bigint | number): void {
    clock.load(saved.clock);
    fabric.load(saved.pins);
    if (newSeed === undefined) {
      schedulerRandom.load(saved.schedulerRandom);
      deviceRandom.load(saved.deviceRandom);
    } else reseed(toSeed(newSeed));
    exit = saved.exit;
    clearLogs();
  }

  function targetName(target: WireTarget): string {
    if (target.kind === "device") return `${nameOf(target.device)}:${target.pin}`;
    return `cpu${target.cpu}.${CPU_LINES[target.line] ?? target.line}`;
  }

  reset();

  return {
    description,
    deviceNames: names,
    regions: mappings.map(({ device, region, space, base }) => ({ device: nameOf(device), region, space, base })),
    memory,
    bus,
    cpuCount,
    now: () => clock.now(),
    advance: (ns) => clock.advance(ns),
    nextEvent: () => clock.nextEvent(),
    fireEvents: () => clock.fire(),
    changes: () => heard.count,
    changesOf: (device) => (heardBy[device] ?? 0) + heard.everywhere,
    lines: (cpu) => fabric.lines(cpu),
    stirs: () => stirred.count,
    exitRequest: () => exit,
    ...(counter === undefined ? {} : { counter }),
    scheduleRandom: () => schedulerRandom.next(),
    reset,
    loadImage(module) {
      reset();
      image = placeImage(memory, module, { cpus: cpuCount, stackSize: description.stackSize, seed });
      return image;
    },
    snapshot() {
      const saved = stateWith(saveTouched());
      known = saved.devices;
      touched.fill(0);
      return {
        owner,
        memory: pages.capture(),
        state: saved,
        image,
        readOnlyStart: memory.readOnlyStart,
        readOnlyEnd: memory.readOnlyEnd,
      };
    },
    restore(snapshot, { seed: newSeed } = {}) {
      if (snapshot.owner !== owner) throw new Error(`a snapshot of another machine cannot be restored on ${description.name}`);
      const { state: saved } = snapshot;
      pages.restore(snapshot.memory);
      memory.readOnlyStart = snapshot.readOnlyStart;
      memory.readOnlyEnd = snapshot.readOnlyEnd;
      image = snapshot.image;
      for (let index = 0; index < placed.length; index++) {
        const target = saved.devices[index] ?? null;
        if (touched[index] !== 0 || known === null || known[index] !== target) deviceAt(index).load(target);
      }
      // After the devices: a model that drove a pin while loading has no say in the levels.
      touched.fill(0);
      heard.count += 1;
      heard.everywhere += 1;
      known = saved.devices;
      loadSurroundings(saved, newSeed);
      if (newSeed !== undefined && image !== null) writeBootSeed(memory, image, seed);
    },
    contents() {
      if (image !== null) throw new Error(`${description.name} runs an image of bytecode, whose place is not part of its contents`);
      const used = [...pages.usedPages()].filter((page) => !isZeroPage(memory, page));
      return { state: stateWith(placed.map(({ device }) => device.save())), pages: used.map((page) => ({ page, bytes: copyPage(memory, page) })) };
    },
    setContents(contents) {
      reset();
      for (const { page, bytes } of contents.pages) {
        memory.bytes.set(bytes, page * PAGE_SIZE);
        markDirty(memory, page * PAGE_SIZE, PAGE_SIZE);
      }
      contents.state.devices.forEach((state, index) => deviceAt(index).load(state));
      touchAll();
      // After the devices, as in `restore`.
      loadSurroundings(contents.state);
    },
    receive(name, bytes) {
      const index = indexOf(name);
      const device = deviceAt(index);
      if (device.receive === undefined) throw new Error(`${name} takes no bytes from outside`);
      clock.fire();
      touch(index);
      device.receive(bytes);
    },
    readMemory(address, length) {
      const offset = ramOffset(memory, address, length);
      return offset < 0 ? null : memory.bytes.slice(offset, offset + length);
    },
    writeMemory(address, bytes) {
      const offset = ramOffset(memory, address, bytes.length);
      if (offset < 0) return false;
      memory.bytes.set(bytes, offset);
      if (bytes.length > 0) markDirty(memory, offset, bytes.length);
      return true;
    },
    accesses: () => bus.accesses(),
    interrupts: () =>
      fabric.interrupts().map(({ time, device, pin, target, level }) => ({
        time,
        device: nameOf(device),
        pin,
        target: targetName(target),
        level,
      })),
    messages: () => messages.slice(),
    state: () => stateWith(placed.map(({ device }) => device.save())),
    dispose() {
      releaseMemory(memory, pages.usedPages());
    },
  };
}
