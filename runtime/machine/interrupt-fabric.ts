// The wires of a machine: from output pins of devices to input pins of other devices and to the interrupt lines of CPUs. A target
// that several pins drive sees their OR. Levels live here and not in the devices, so that a snapshot holds them once; a restore
// sets them without telling the devices, whose own state is restored beside it. An `edge` wire tells its target of rises only and
// forgets them at once: the gateway of an edge-triggered source, which message-signalled interrupts need at a level-sensitive PLIC.

export type WireTarget =
  | { readonly kind: "device"; readonly device: number; readonly pin: number }
  /** Line = interrupt cause: 0 software, 1 timer, 2 external. */
  | { readonly kind: "cpu"; readonly cpu: number; readonly line: number };

export interface Wire {
  readonly device: number;
  readonly pin: number;
  readonly target: WireTarget;
  readonly edge?: boolean;
}

export interface InterruptRecord {
  /** Guest time in ns. */
  readonly time: number;
  /** The device whose pin changed last. */
  readonly device: number;
  readonly pin: number;
  readonly target: WireTarget;
  readonly level: boolean;
}

export interface InterruptFabric {
  /** A device drives its output pin; a pin without wires goes nowhere. */
  readonly drive: (device: number, pin: number, level: boolean) => void;
  /** The lines of a CPU, bit n = cause n. */
  readonly lines: (cpu: number) => number;
  /** The level at the far end of a wire. */
  readonly inputLevel: (device: number, pin: number) => boolean;
  /** Levels of all wired output pins, in the order of the wires. */
  readonly save: () => Uint8Array;
  readonly load: (levels: Uint8Array) => void;
  /** All pins low; tells nobody. */
  readonly reset: () => void;
  /** The last changes of any line, oldest first. */
  readonly interrupts: () => readonly InterruptRecord[];
  readonly clearLog: () => void;
}

/** Counts what concerns CPUs (`MachineCore.stirs`). A record on purpose: a variable that closures share would be boxed anew with every change. */
export interface StirCount {
  count: number;
}

const LOG_SIZE = 32;

interface Net {
  readonly target: WireTarget;
  readonly edge: boolean;
  /** Pins that are high. */
  high: number;
  /** The level that the target was told. */
  level: boolean;
}

interface Source {
  level: boolean;
  readonly nets: Net[];
}

function targetKey(target: WireTarget): string {
  return target.kind === "cpu" ? `cpu${target.cpu}.${target.line}` : `device${target.device}.${target.pin}`;
}

export function createInterruptFabric(
  wires: readonly Wire[],
  cpuCount: number,
  deliver: (device: number, pin: number, level: boolean) => void,
  now: () => number,
  stirred: StirCount = { count: 0 },
): InterruptFabric {
  const lines = new Uint32Array(cpuCount);
  const nets = new Map<string, Net>();
  /** By device, then pin. */
  const sources: (Source | undefined)[][] = [];
  const ordered: Source[] = [];
  const log: InterruptRecord[] = [];

  for (const { device, pin, target, edge = false } of wires) {
    if (target.kind === "cpu" && (target.cpu >= cpuCount || target.line > 31)) throw new RangeError(`no line ${target.line} of CPU ${target.cpu}`);
    const key = targetKey(target);
    const net = nets.get(key) ?? { target, edge, high: 0, level: false };
    if (net.edge !== edge || (edge && target.kind === "cpu")) throw new Error(`${key} cannot be both edge- and level-triggered`);
    nets.set(key, net);
    const pins = (sources[device] ??= []);
    let source = pins[pin];
    if (source === undefined) {
      source = { level: false, nets: [] };
      pins[pin] = source;
      ordered.push(source);
    }
    source.nets.push(net);
  }

  function setLine(net: Net): void {
    if (net.target.kind !== "cpu") return;
    const bit = 1 << net.target.line;
    const before = lines[net.target.cpu] ?? 0;
    lines[net.target.cpu] = net.level ? before | bit : before & ~bit;
    stirred.count += 1;
  }

  return {
    drive(device, pin, level) {
      const source = sources[device]?.[pin];
      if (source === undefined || source.level === level) return;
      source.level = level;
      // All counts first: a target that answers by changing this very pin finds them right.
      for (const net of source.nets) net.high += level ? 1 : -1;
      for (const net of source.nets) {
        const present = net.high > 0;
        if (net.level === present) continue;
        net.level = present;
        if (net.edge && !present) continue;
        if (log.length === LOG_SIZE) log.shift();
        log.push({ time: now(), device, pin, target: net.target, level: present });
        if (net.target.kind === "cpu") setLine(net);
        else deliver(net.target.device, net.target.pin, present);
      }
    },
    lines: (cpu) => lines[cpu] ?? 0,
    inputLevel: (device, pin) => nets.get(targetKey({ kind: "device", device, pin }))?.level ?? false,
    save: () => Uint8Array.from(ordered, (source) => (source.level ? 1 : 0)),
    load(levels) {
      // Nets follow their sources, and most tests move none.
      if (ordered.every(({ level }, index) => level === (levels[index] === 1))) return;
      for (const net of nets.values()) net.high = 0;
      ordered.forEach((source, index) => {
        source.level = levels[index] === 1;
        if (source.level) for (const net of source.nets) net.high++;
      });
      for (const net of nets.values()) {
        net.level = net.high > 0;
        setLine(net);
      }
    },
    reset() {
      for (const source of ordered) source.level = false;
      for (const net of nets.values()) {
        net.high = 0;
        net.level = false;
      }
      lines.fill(0);
      stirred.count += 1;
    },
    interrupts: () => log.slice(),
    clearLog() {
      log.length = 0;
    },
  };
}
