// The meaning of a machine file: YAML text -> checked `MachineDescription`. Checked by hand rather than by the schema (which
// serves editors), because most of what can be wrong lies between entries: overlapping regions, wires to nowhere, a slot taken
// twice. All errors are found in one go, each with line and column. Scalars stay source text until they are read here, since
// YAML would round 64-bit numbers. Left out: anchors, aliases and merges, which a board does not need.

import { isMap, isScalar, isSeq, type Node } from "yaml";
import { BOARD_MODELS } from "./board-models.ts";
import {
  CONFIG_PARAMETERS,
  CPU_LINES,
  guestConstants,
  OTHER_MODEL,
  type Capability,
  type ConfigRecord,
  type ConfigValue,
  type CpuLine,
  type DeviceDescription,
  type DmaWindow,
  type MachineDescription,
  type RegionPlace,
  type WireDescription,
} from "./description.ts";
import { openMachine, type OpenMachine } from "./extend-machine.ts";
import { NATIVE_KEYS, readArguments, readNative } from "./parse-native.ts";
import { parseInteger, suggest, type Field, type MachineFileError } from "./yaml-fields.ts";

export type MachineResult = { readonly ok: true; readonly machine: MachineDescription } | { readonly ok: false; readonly errors: readonly MachineFileError[] };

export interface ParseOptions {
  /** Names of the models that the embedded machine has; a board of QEMU's may have those of BOARD_MODELS too. Absent: not checked. */
  readonly models?: readonly string[];
  /** For files that extend another one. Absent: none may. */
  readonly open?: OpenMachine;
  /** Names that `extends` may name, for whoever misspells one. */
  readonly machines?: readonly string[];
}

const NAME = /^[a-z][a-z0-9_]*$/;
const MACHINE_NAME = /^[a-z][a-z0-9-]*$/;
const CAPABILITY = /^([a-z][a-z0-9_]*)(?:\(([^()]+)\))?$/;
const WIRE_TO_CPU = /^cpu(\*|[0-9]+)\.([a-z_]+)$/;
const WIRE_TO_DEVICE = /^([a-z][a-z0-9_]*):([0-9]+)$/;
const CONFIG_REFERENCE = /^\$([a-z]+)(?:\*([1-9][0-9]*))?$/;
const MAX_CPUS = 64;
const PCI_SLOTS = 32;
const PCI_FUNCTIONS = 8;

/** A wire as written, with its place for later complaints. */
interface PlacedWire {
  readonly wire: WireDescription;
  readonly node: Node;
}

interface PlacedDevice {
  readonly device: DeviceDescription;
  readonly node: Node;
  readonly wires: readonly PlacedWire[];
  readonly regions: readonly { readonly place: RegionPlace; readonly node: Node }[];
  readonly pci: Node | null;
}

export function parseMachine(text: string, file: string, options: ParseOptions = {}): MachineResult {
  const reader = openMachine(text, file, options.open, (name) => suggest(name, options.machines ?? []));
  if (reader.errors.length > 0) return { ok: false, errors: reader.errors };
  const { errors, complain, readFields, readText, readScalar, readMatching, readBig, readNumber, readItems, readOneOrMore } = reader;

  function readCapabilities(field: Field | undefined, what: string): readonly Capability[] {
    const capabilities: Capability[] = [];
    for (const node of readItems(field, what)) {
      const value = readScalar(node, what);
      if (value === null) continue;
      const match = CAPABILITY.exec(value);
      if (match === null) complain(node, `${what}: "${value}" is not a capability like uart16550 or pci(0x1b36:0x0005)`);
      else capabilities.push({ name: match[1] ?? "", argument: match[2] ?? null });
    }
    return capabilities;
  }

  function readConfigValue(node: Node | null, what: string): ConfigValue | null {
    if (isSeq(node)) {
      const values = (node.items as Node[]).map((item) => readConfigValue(item, what));
      return values.every((value) => value !== null) ? values : null;
    }
    const value = readScalar(node, what);
    if (value === null || !isScalar(node) || node.type !== "PLAIN") return value;
    if (value === "true" || value === "false") return value === "true";
    if (value.startsWith("$")) {
      const match = CONFIG_REFERENCE.exec(value);
      const parameter = CONFIG_PARAMETERS.find((candidate) => candidate === match?.[1]);
      if (parameter !== undefined) return { parameter, factor: Number(match?.[2] ?? 1) };
      complain(
        node,
        `${what}: unknown parameter "${value}"${suggest(
          value,
          CONFIG_PARAMETERS.map((name) => `$${name}`),
        )}`,
      );
      return null;
    }
    const number = parseInteger(value);
    if (number === null) return value;
    return number <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(number) : number;
  }

  function readConfig(field: Field | undefined, what: string): ConfigRecord {
    if (field === undefined) return {};
    if (!isMap(field.value)) {
      complain(field.value ?? field.key, `${what}: expected a mapping`);
      return {};
    }
    const config: Record<string, ConfigValue> = {};
    for (const { key, value } of field.value.items) {
      if (!isScalar(key) || typeof key.value !== "string") {
        complain(field.value, `${what}: keys must be plain names`);
        continue;
      }
      const read = readConfigValue((value ?? key) as Node, `${what}.${key.value}`);
      if (read !== null) config[key.value] = read;
    }
    return config;
  }

  function readPlace(node: Node, what: string, isOnly: boolean): { place: RegionPlace; node: Node } | null {
    const fields = readFields(node, what, isOnly ? ["size"] : ["region", "size"], isOnly ? ["region", "address", "port"] : ["address", "port"]);
    if (fields === null) return null;
    const region = fields.has("region") ? readMatching(fields.get("region"), `${what}.region`, NAME, "a name") : "base";
    const address = readBig(fields.get("address"), `${what}.address`, 0n, (1n << 53n) - 1n);
    const port = readNumber(fields.get("port"), `${what}.port`, 0, 0xffff);
    const size = readNumber(fields.get("size"), `${what}.size`, 1, 2 ** 52);
    if (!fields.has("address") && !fields.has("port")) complain(node, `${what}: needs an address, a port, or both`);
    if (region === null || size === null) return null;
    if (port !== null && port + size > 0x1_0000) complain(fields.get("port")?.value ?? node, `${what}: ends beyond port 0xffff`);
    return { place: { region, address, port, size }, node };
  }

  function readWire(node: Node, what: string): PlacedWire | null {
    const isShort = isScalar(node);
    const fields = isShort ? null : readFields(node, what, ["to"], ["pin", "count", "stride", "trigger"]);
    if (!isShort && fields === null) return null;
    const to = isShort ? readScalar(node, what) : readText(fields?.get("to"), `${what}.to`);
    const toNode = fields?.get("to")?.value ?? node;
    const pin = fields?.has("pin") === true ? readNumber(fields.get("pin"), `${what}.pin`, 0, 1023) : 0;
    const count = fields?.has("count") === true ? readNumber(fields.get("count"), `${what}.count`, 1, 1024) : 1;
    const stride = fields?.has("stride") === true ? readNumber(fields.get("stride"), `${what}.stride`, 1, 1024) : 1;
    const trigger = fields?.has("trigger") === true ? readMatching(fields.get("trigger"), `${what}.trigger`, /^(?:level|edge)$/, "level or edge") : "level";
    if (to === null || pin === null || count === null || stride === null || trigger === null) return null;

    const device = WIRE_TO_DEVICE.exec(to);
    if (device !== null) {
      if (fields?.has("stride") === true) complain(fields.get("stride")?.key ?? node, `${what}: "stride" is for wires to cpu*`);
      return {
        wire: {
          kind: "device",
          pin,
          count,
          device: device[1] ?? "",
          input: Number(device[2]),
          edge: trigger === "edge",
        },
        node: toNode,
      };
    }
    const cpu = WIRE_TO_CPU.exec(to);
    if (cpu === null) {
      complain(toNode, `${what}: "${to}" is not an input like plic0:10, cpu0.external or cpu*.timer`);
      return null;
    }
    for (const key of ["count", "trigger"]) {
      if (fields?.has(key) === true) complain(fields.get(key)?.key ?? node, `${what}: "${key}" is for wires to a device`);
    }
    const lineName = cpu[2] ?? "";
    const line: CpuLine | undefined = CPU_LINES.find((candidate) => candidate === lineName);
    if (line === undefined) {
      complain(toNode, `${what}: a CPU has no line "${lineName}"${suggest(lineName, CPU_LINES)}; lines: ${CPU_LINES.join(", ")}`);
      return null;
    }
    if (cpu[1] === "*") return { wire: { kind: "cpus", pin, stride, line }, node: toNode };
    if (fields?.has("stride") === true) complain(fields.get("stride")?.key ?? node, `${what}: "stride" is for wires to cpu*`);
    return { wire: { kind: "cpu", pin, cpu: Number(cpu[1]), line }, node: toNode };
  }

  function readDma(field: Field, what: string): DmaWindow | null {
    const fields = readFields(field.value, what, ["bus", "address", "size"], []);
    const bus = readBig(fields?.get("bus"), `${what}.bus`, 0n, (1n << 64n) - 1n);
    const address = readBig(fields?.get("address"), `${what}.address`, 0n, (1n << 64n) - 1n);
    const size = readNumber(fields?.get("size"), `${what}.size`, 1, 2 ** 52);
    return bus === null || address === null || size === null ? null : { bus, address, size };
  }

  function problemOfModel(model: string): string | null {
    const { models } = options;
    if (model === OTHER_MODEL) return isQemuBoard ? null : `"${OTHER_MODEL}" is for machines with a qemu section: nobody but QEMU knows the device`;
    if (models === undefined || models.includes(model)) return null;
    const boardModels = BOARD_MODELS.map((candidate) => candidate.name);
    if (isQemuBoard && boardModels.includes(model)) return null;
    if (boardModels.includes(model)) return `the embedded machine has no model "${model}", only a machine with a qemu section may name it`;
    return `there is no device model "${model}"${suggest(model, isQemuBoard ? [...models, ...boardModels] : models)}`;
  }

  function readDevice(name: string, node: Node | null, key: Node): PlacedDevice | null {
    const what = `device ${name}`;
    if (!NAME.test(name)) complain(key, `"${name}" is not a device name: lower-case letters, digits, _`);
    const fields = readFields(node, what, ["model"], ["at", "pci", "dma", "irq", "config", "provides", "qemu"]);
    if (fields === null) return null;
    const model = readMatching(fields.get("model"), `${what}: model`, MACHINE_NAME, "a model name");
    const modelProblem = model === null ? null : problemOfModel(model);
    if (modelProblem !== null) complain(fields.get("model")?.value ?? null, `${what}: ${modelProblem}`);
    const qemuField = fields.get("qemu");
    if (qemuField !== undefined && !isQemuBoard) complain(qemuField.key, `${what}: "qemu" is for machines with a qemu section`);
    const qemu = readArguments(reader, qemuField, `${what}: qemu`);

    const atField = fields.get("at");
    const atNodes = readOneOrMore(atField);
    const regions = atNodes
      .map((item, index) => readPlace(item, atNodes.length === 1 ? `${what}: at` : `${what}: at[${index}]`, atNodes.length === 1))
      .filter((place) => place !== null);
    regions.forEach(({ place, node: at }, index) => {
      if (regions.findIndex((other) => other.place.region === place.region) !== index) {
        complain(at, `${what}: two regions are called "${place.region}"`);
      }
    });

    const pciField = fields.get("pci");
    let pci: DeviceDescription["pci"] = null;
    if (pciField !== undefined) {
      if (atField !== undefined) complain(atField.key, `${what}: a PCI function has BARs, not "at"`);
      const pciFields = readFields(pciField.value, `${what}: pci`, ["bus", "slot"], ["function"]);
      const bus = readMatching(pciFields?.get("bus"), `${what}: pci.bus`, NAME, "a device name");
      const slot = readNumber(pciFields?.get("slot"), `${what}: pci.slot`, 1, PCI_SLOTS - 1);
      const number = pciFields?.has("function") === true ? readNumber(pciFields.get("function"), `${what}: pci.function`, 0, PCI_FUNCTIONS - 1) : 0;
      if (bus !== null && slot !== null && number !== null) pci = { bus, slot, function: number };
    } else if (atField === undefined) {
      complain(key, `${what}: needs "at" or "pci"`);
    }

    const dmaField = fields.get("dma");
    const dma = dmaField === undefined ? null : readDma(dmaField, `${what}: dma`);

    const wires = readOneOrMore(fields.get("irq"))
      .map((item) => readWire(item, `${what}: irq`))
      .filter((wire) => wire !== null);
    const config = readConfig(fields.get("config"), `${what}: config`);
    const provides = readCapabilities(fields.get("provides"), `${what}: provides`);
    if (model === null) return null;
    const device = {
      name,
      model,
      at: regions.map(({ place }) => place),
      pci,
      dma,
      wires: wires.map(({ wire }) => wire),
      config,
      provides,
      qemu,
    };
    return { device, node: key, wires, regions, pci: pciField?.value ?? null };
  }

  /** A board of QEMU's has devices that the embedded machine has not. */
  let isQemuBoard = false;

  /** Names of all devices, those with mistakes in them too: what refers to them is right. */
  const deviceNames: string[] = [];

  function readDevices(field: Field | undefined): readonly PlacedDevice[] {
    if (field === undefined) return [];
    if (!isMap(field.value)) {
      complain(field.value ?? field.key, "devices: expected a mapping from names to devices");
      return [];
    }
    const devices: PlacedDevice[] = [];
    for (const { key, value } of field.value.items) {
      if (!isScalar(key) || typeof key.value !== "string") {
        complain(field.value, "devices: keys must be plain names");
        continue;
      }
      deviceNames.push(key.value);
      const device = readDevice(key.value, value as Node | null, key);
      if (device !== null) devices.push(device);
    }
    return devices;
  }

  /** No two ranges of a space may share a byte. */
  function checkOverlaps(
    space: string,
    ranges: readonly {
      readonly what: string;
      readonly start: bigint;
      readonly size: number;
      readonly node: Node | null;
    }[],
  ): void {
    const sorted = [...ranges].sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
    let highest = sorted[0];
    for (const range of sorted.slice(1)) {
      if (highest !== undefined && range.start < highest.start + BigInt(highest.size)) {
        complain(range.node ?? highest.node, `${range.what} overlaps ${highest.what} in ${space} space at 0x${range.start.toString(16)}`);
      }
      if (highest === undefined || range.start + BigInt(range.size) > highest.start + BigInt(highest.size)) highest = range;
    }
  }

  function checkConnections(devices: readonly PlacedDevice[], maxCpus: number): void {
    const slots = new Map<string, string>();
    for (const { device, wires, pci } of devices) {
      for (const { wire, node } of wires) {
        if (wire.kind === "device" && !deviceNames.includes(wire.device)) {
          complain(node, `device ${device.name}: irq leads to "${wire.device}", which is no device of this machine${suggest(wire.device, deviceNames)}`);
        }
        if (wire.kind === "cpu" && wire.cpu >= maxCpus) complain(node, `device ${device.name}: irq leads to CPU ${wire.cpu}, but there are at most ${maxCpus}`);
      }
      if (device.pci === null) continue;
      const { bus, slot, function: number } = device.pci;
      const host = devices.find((candidate) => candidate.device.name === bus);
      if (!deviceNames.includes(bus)) complain(pci, `device ${device.name}: there is no bus "${bus}"${suggest(bus, deviceNames)}`);
      else if (host !== undefined && host.device.pci !== null) complain(pci, `device ${device.name}: "${bus}" is a PCI function, not a bus`);
      const place = `slot ${slot}${number === 0 ? "" : ` function ${number}`} of ${bus}`;
      const taken = slots.get(place);
      if (taken !== undefined) complain(pci, `device ${device.name}: ${place} is taken by ${taken}`);
      slots.set(place, device.name);
    }
  }

  const top = readFields(
    reader.root,
    "machine",
    ["machine", "target", "summary", "cpus", "ram", "timebase", "stack", "console", "devices"],
    ["extends", "provides", ...NATIVE_KEYS],
  );
  if (top === null) return { ok: false, errors };
  isQemuBoard = top.has("qemu");

  const name = readMatching(top.get("machine"), "machine", MACHINE_NAME, "a machine name: lower-case letters, digits, -");
  const target = readMatching(top.get("target"), "target", /^[a-z][a-z0-9_]*$/, "a target name");
  const summary = readText(top.get("summary"), "summary");
  const cpuFields = top.has("cpus") ? readFields(top.get("cpus")?.value ?? null, "cpus", ["min", "max", "default"], []) : null;
  const min = readNumber(cpuFields?.get("min"), "cpus.min", 1, MAX_CPUS);
  const max = readNumber(cpuFields?.get("max"), "cpus.max", 1, MAX_CPUS);
  const byDefault = readNumber(cpuFields?.get("default"), "cpus.default", 1, MAX_CPUS);
  if (min !== null && max !== null && byDefault !== null && !(min <= byDefault && byDefault <= max)) {
    complain(top.get("cpus")?.value ?? null, `cpus: expected min <= default <= max, got ${min}, ${byDefault}, ${max}`);
  }
  const ramFields = top.has("ram") ? readFields(top.get("ram")?.value ?? null, "ram", ["base", "size"], []) : null;
  const base = readBig(ramFields?.get("base"), "ram.base", 0n, (1n << 64n) - 1n);
  const size = readNumber(ramFields?.get("size"), "ram.size", 0x1_0000, 0x4000_0000);
  if (base !== null && base % 4096n !== 0n) complain(ramFields?.get("base")?.value ?? null, "ram.base: not a multiple of 4 KiB");
  if (size !== null && size % 0x1_0000 !== 0) complain(ramFields?.get("size")?.value ?? null, "ram.size: not a multiple of 64 KiB");
  const timebase = readNumber(top.get("timebase"), "timebase", 1, 1_000_000_000);
  const stackSize = readNumber(top.get("stack"), "stack", 4096, 0x400_0000);
  if (stackSize !== null && stackSize % 16 !== 0) complain(top.get("stack")?.value ?? null, "stack: not a multiple of 16 bytes");
  const provides = readCapabilities(top.get("provides"), "provides");
  const devices = readDevices(top.get("devices"));
  const native = readNative(reader, top);

  const consoleName = readText(top.get("console"), "console");
  if (consoleName !== null && !deviceNames.includes(consoleName)) {
    complain(top.get("console")?.value ?? null, `console: "${consoleName}" is no device of this machine${suggest(consoleName, deviceNames)}`);
  }
  checkConnections(devices, max ?? MAX_CPUS);
  const places = devices.flatMap(({ device, regions }) =>
    regions.map(({ place, node }) => ({
      ...place,
      node,
      what: place.region === "base" ? device.name : `${device.name}.${place.region}`,
    })),
  );
  const ram = base !== null && size !== null ? [{ what: "ram", start: base, size, node: null }] : [];
  checkOverlaps("memory", [
    ...ram,
    ...places.flatMap((place) => (place.address === null ? [] : [{ what: place.what, start: place.address, size: place.size, node: place.node }])),
  ]);
  checkOverlaps(
    "port",
    places.flatMap((place) => (place.port === null ? [] : [{ what: place.what, start: BigInt(place.port), size: place.size, node: place.node }])),
  );

  if (
    errors.length > 0 ||
    name === null ||
    target === null ||
    summary === null ||
    min === null ||
    max === null ||
    byDefault === null ||
    base === null ||
    size === null ||
    timebase === null ||
    stackSize === null ||
    consoleName === null
  ) {
    return { ok: false, errors: errors.sort((a, b) => Number(a.file !== file) - Number(b.file !== file) || a.line - b.line || a.column - b.column) };
  }
  const machine: MachineDescription = {
    name,
    target,
    summary,
    cpus: { min, max, default: byDefault },
    ram: { base, size },
    timebase,
    stackSize,
    console: consoleName,
    provides,
    devices: devices.map(({ device }) => device),
    ...native,
  };
  const names = guestConstants(machine).map((constant) => constant.name);
  const twice = names.find((constant, index) => names.indexOf(constant) !== index);
  if (twice !== undefined) {
    complain(top.get("constants")?.value ?? null, `constants: machine.${twice} is there already, made from the devices`);
    return { ok: false, errors };
  }
  return { ok: true, machine };
}
