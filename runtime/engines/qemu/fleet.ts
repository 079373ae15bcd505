// All tests of a run that QEMU runs. They are grouped by suite and shape of machine; so many machines as there are jobs take group after
// group, and keep to a shape while there is work for it, because a machine of another shape is another boot. Cases are given to a
// machine ahead of their turn. Everything a run leaves on the host - processes, one folder - is gone with it.

import { findEdges } from "../edges.ts";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestFinished } from "../../events.ts";
import { createCaseEngine, staticSkip, type BootSpan, type CaseEngine, type CaseHost, type CaseOptions, type WorkItem } from "../case-engine.ts";
import { cpusNeeded } from "../needs.ts";
import { openSerialSession } from "../serial/serial-session.ts";
import type { SerialMachine } from "../serial/serial-machine.ts";
import type { EngineImage } from "../session.ts";
import { openQemuMachine, type QemuOptions } from "./qemu-machine.ts";
import type { QemuShape } from "./qemu-shape.ts";

export interface FleetUnit extends WorkItem {
  /** In the plan. */
  readonly index: number;
  /** In `FleetOptions.images`. */
  readonly image: number;
}

export interface FleetOptions {
  readonly images: readonly EngineImage[];
  /** In the order of the plan. */
  readonly units: readonly FleetUnit[];
  readonly cases: CaseOptions;
  readonly host: CaseHost;
  readonly qemu: QemuOptions;
  /** The bytes of a file that boots these images, the first one first. */
  bootFile(images: readonly EngineImage[]): Promise<Uint8Array>;
  /** Most machines at once. */
  readonly jobs: number;
  /** No: what runs is brought to its end, nothing more begins. */
  mayStart(): boolean;
  onRunning(index: number, lane: number): void;
  onResult(index: number, result: TestFinished, lane: number): void;
  /** A machine that began with this image. */
  onBoot(image: number, span: BootSpan, lane: number): void;
  /** QEMU did not start. */
  onRefusal(): void;
}

export interface Fleet {
  /** Resolves when nothing runs any more. */
  readonly done: Promise<void>;
  running(): readonly { readonly worker: number; readonly index: number }[];
  /** Ends all machines at once; what they were at has no result. */
  terminate(): Promise<void>;
}

interface Group {
  readonly image: number;
  readonly shape: QemuShape;
  readonly shapeKey: string;
  readonly units: readonly FleetUnit[];
}

/** A machine that is up, with what runs cases of each image on it. */
interface Lane {
  readonly number: number;
  shapeKey: string | null;
  machine: SerialMachine | null;
  readonly engines: Map<number, CaseEngine>;
  current: number;
}

/** Cases that are on their way at once: a few more than a machine takes ahead. */
const AHEAD = 40;

/** Which of a group's cases open and close what: hooks run on the machine that runs the cases. */
function closeGroup(units: readonly FleetUnit[], image: EngineImage): readonly FleetUnit[] {
  const testOf = ({ suite, test }: FleetUnit) => image.manifest.suites[suite]?.tests[test];
  const runnable = units.filter((unit) => {
    const test = testOf(unit);
    const row = test?.cases[unit.case];
    return test !== undefined && row !== undefined && staticSkip(image, test, row) === null;
  });
  const edgesOf = findEdges(runnable, (unit) => testOf(unit)?.tableHooks ?? null);
  return units.map((unit) => ({ ...unit, ...edgesOf(unit) }));
}

export function groupUnits(units: readonly FleetUnit[], images: readonly EngineImage[]): readonly Group[] {
  const groups = new Map<string, { readonly image: number; readonly shape: QemuShape; readonly shapeKey: string; readonly units: FleetUnit[] }>();
  for (const unit of units) {
    const image = images[unit.image];
    const test = image?.manifest.suites[unit.suite]?.tests[unit.test];
    if (image === undefined || test === undefined) throw new Error(`the plan names a case that image ${unit.image} does not have`);
    const { machine } = image;
    // A test that asks for more CPUs than there are is skipped, on any machine.
    const cpus = Math.min(machine.cpus.max, cpusNeeded(test.needs) || 1);
    const shapeKey = `${machine.target} ${machine.name} ${cpus}`;
    const key = `${shapeKey} ${unit.image} ${unit.suite}`;
    let group = groups.get(key);
    if (group === undefined) groups.set(key, (group = { image: unit.image, shape: { machine, cpus }, shapeKey, units: [] }));
    group.units.push(unit);
  }
  return [...groups.values()].map((group) => {
    const image = images[group.image];
    return image === undefined ? group : { ...group, units: closeGroup(group.units, image) };
  });
}

export function startFleet(options: FleetOptions): Fleet {
  const { images } = options;
  const waiting = [...groupUnits(options.units, images)];
  /** By shape: the images of a run that its machines hold. */
  const payloads = new Map<string, number[]>();
  for (const { shapeKey, image } of waiting) {
    const known = payloads.get(shapeKey) ?? [];
    if (!known.includes(image)) payloads.set(shapeKey, [...known, image]);
  }
  const lanes: Lane[] = Array.from({ length: Math.max(1, Math.min(options.jobs, waiting.length)) }, (_, index) => ({
    number: index + 1,
    shapeKey: null,
    machine: null,
    engines: new Map(),
    current: -1,
  }));
  const terminated = Promise.withResolvers<void>();
  let isEnding = false;
  let folder: string | null = null;
  const bootFiles = new Map<string, Promise<string>>();

  function removeFolder(): void {
    if (folder !== null) rmSync(folder, { recursive: true, force: true });
    folder = null;
  }
  process.on("exit", removeFolder);

  function openFolder(): string {
    return (folder ??= mkdtempSync(join(tmpdir(), "guestspec-")));
  }

  async function writeBootFile(held: readonly number[]): Promise<string> {
    const path = join(openFolder(), `boot${bootFiles.size}`);
    const contents = held.flatMap((image) => images[image] ?? []);
    writeFileSync(path, await options.bootFile(contents));
    return path;
  }

  function bootFile(held: readonly number[]): Promise<string> {
    const key = held.join(" ");
    let path = bootFiles.get(key);
    if (path === undefined) bootFiles.set(key, (path = writeBootFile(held)));
    return path;
  }

  async function closeLane(lane: Lane): Promise<void> {
    lane.engines.clear();
    const { machine } = lane;
    lane.machine = lane.shapeKey = null;
    await machine?.close();
  }

  function engineFor(lane: Lane, image: number, machine: SerialMachine): CaseEngine {
    let engine = lane.engines.get(image);
    if (engine === undefined) {
      const contents = images[image];
      if (contents === undefined) throw new Error(`the plan names image ${image}`);
      engine = createCaseEngine(contents, options.cases, options.host, () => openSerialSession(machine, image));
      lane.engines.set(image, engine);
    }
    return engine;
  }

  async function runGroup(lane: Lane, { image, shape, shapeKey, units }: Group): Promise<void> {
    if (lane.machine === null || lane.shapeKey !== shapeKey) {
      await closeLane(lane);
      lane.machine = openQemuMachine(shape, payloads.get(shapeKey) ?? [image], options.qemu, {
        folder: openFolder(),
        bootFile,
        now: () => options.host.now(),
        onBoot: (first, span) => options.onBoot(first, span, lane.number),
        onRefusal: () => options.onRefusal(),
      });
      lane.shapeKey = shapeKey;
    }
    const { machine } = lane;
    if (options.qemu.isolation !== "none") machine.reload();
    const engine = engineFor(lane, image, machine);
    const under = new Set<Promise<void>>();
    for (const unit of units) {
      while (under.size >= AHEAD) await Promise.race(under);
      if (isEnding || !options.mayStart()) break;
      const onStart = (): void => {
        lane.current = unit.index;
        options.onRunning(unit.index, lane.number);
      };
      const running: Promise<void> = engine.run(unit, onStart).then((result) => {
        under.delete(running);
        if (!isEnding) options.onResult(unit.index, result, lane.number);
      });
      under.add(running);
    }
    await Promise.all(under);
    lane.current = -1;
  }

  /** Of the shape the lane has, then of one that no lane has, then any. */
  function nextGroup(lane: Lane): Group | null {
    if (isEnding || !options.mayStart()) return null;
    const own = waiting.findIndex(({ shapeKey }) => shapeKey === lane.shapeKey);
    const free = waiting.findIndex(({ shapeKey }) => lanes.every((other) => other.shapeKey !== shapeKey));
    const [group] = waiting.splice(own >= 0 ? own : Math.max(0, free), 1);
    return group ?? null;
  }

  async function runLane(lane: Lane): Promise<void> {
    for (let group = nextGroup(lane); group !== null; group = nextGroup(lane)) await runGroup(lane, group);
    await closeLane(lane);
  }

  async function runAll(): Promise<void> {
    try {
      await Promise.race([Promise.all(lanes.map(runLane)), terminated.promise]);
    } finally {
      isEnding = true;
      await Promise.all(lanes.map(closeLane));
      removeFolder();
      process.off("exit", removeFolder);
    }
  }

  return {
    done: runAll(),
    running: () => lanes.flatMap(({ number, current }) => (current < 0 ? [] : [{ worker: number, index: current }])),
    async terminate() {
      isEnding = true;
      terminated.resolve();
      await Promise.all(lanes.map(closeLane));
    },
  };
}
