// Machine files: those that ship load, fit the schema that editors use and describe QEMU's `virt` board; each mistake that a file
// can hold is told at its line.

import { test } from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import Ajv from "ajv/dist/2020.js";
import { parse } from "yaml";
import { CAPABILITIES } from "../compiler/plan/capabilities.ts";
import { deviceModels } from "../runtime/devices/index.ts";
import { BOARD_MODELS } from "./board-models.ts";
import { capabilitiesOf, enginesOf, formatCapability, guestConstants, type MachineDescription } from "./description.ts";
import { listMachines, loadMachine } from "./load-machine.ts";
import { parseMachine, type ParseOptions } from "./parse-machine.ts";
import { formatMachineError, parseInteger } from "./yaml-fields.ts";

const HEAD = `machine: board
target: bytecode
summary: a board
cpus: { min: 1, max: 2, default: 1 }
ram: { base: 0x8000_0000, size: 1MiB }
timebase: 10_000_000
stack: 64KiB
console: uart0
`;
const UART = "  uart0: { model: uart-16550, at: { address: 0x1000_0000, size: 8 }, irq: 'plic0:10' }\n";
const PLIC = "  plic0: { model: plic, at: { address: 0xc00_0000, size: 0x60_0000 }, irq: cpu0.external }\n";

function errorsOf(text: string, options?: ParseOptions): string[] {
  const result = parseMachine(text, "board.yaml", options);
  return result.ok ? [] : result.errors.map(formatMachineError);
}

function machineOf(text: string): MachineDescription {
  const result = parseMachine(text, "board.yaml");
  assert.ok(result.ok, errorsOf(text).join("\n"));
  return result.machine;
}

test("every machine of the package loads, and its file fits the schema that editors use", () => {
  const schema = JSON.parse(readFileSync(new URL("../schemas/machine.schema.json", import.meta.url), "utf8"));
  const validate = new Ajv.default({ allErrors: true }).compile(schema);
  const names = listMachines();
  assert.ok(names.includes("bytecode-virt"));
  for (const name of names) {
    const result = loadMachine(name);
    assert.ok(result !== undefined);
    assert.ok(result.ok, result.ok ? "" : result.errors.map(formatMachineError).join("\n"));
    assert.equal(result.machine.name, name);
    const data = parse(readFileSync(new URL(`${name}.yaml`, import.meta.url), "utf8"));
    assert.ok(validate(data), JSON.stringify(validate.errors, null, 2));
  }
  assert.equal(loadMachine("no-such-board"), undefined);
});

test("bytecode-virt has the memory map of QEMU's virt board", () => {
  const result = loadMachine("bytecode-virt");
  assert.ok(result?.ok);
  const constants = new Map(guestConstants(result.machine).map(({ name, value }) => [name, value]));
  const expected = {
    "ram.base": 0x8000_0000n,
    "ram.size": 0x100_0000n,
    timebase: 10_000_000n,
    "finisher0.base": 0x10_0000n,
    "rtc0.base": 0x10_1000n,
    "rtc0.irq": 11n,
    "clint0.base": 0x200_0000n,
    "clint0.mtimer": 0x200_4000n,
    "msi0.base": 0x280_0000n,
    "msi0.irq": 64n,
    "msi0.irq_count": 16n,
    "plic0.base": 0xc00_0000n,
    "uart0.base": 0x1000_0000n,
    "uart0.irq": 10n,
    "virtio0.base": 0x1000_1000n,
    "virtio0.irq": 1n,
    "virtio7.base": 0x1000_8000n,
    "virtio7.irq": 8n,
    "pci0.ecam": 0x3000_0000n,
    "pci0.memory": 0x4000_0000n,
    "pci0.memory_size": 0x4000_0000n,
    "pci0.io": 0x300_0000n,
    "pci0.io_port": 0n,
    "pci0.irq": 32n,
    "pci0.irq_count": 4n,
    "edu0.slot": 2n,
  };
  for (const [name, value] of Object.entries(expected)) assert.equal(constants.get(name), value, name);
  assert.equal(constants.size, guestConstants(result.machine).length, "no name twice");
  const offered = capabilitiesOf(result.machine).map(({ capability, device }) => `${formatCapability(capability)}@${device ?? "machine"}`);
  for (const one of ["pci(0x1b36:0x0005)@testdev0", "pci(0x1234:0x11e8)@edu0", "virtio(console)@virtio0", "uart16550@uart0", "ports@machine"]) {
    assert.ok(offered.includes(one), one);
  }
});

/** What specs and the library rely on, board by board. */
const CONSTANTS: Readonly<Record<string, Readonly<Record<string, bigint>>>> = {
  "riscv-virt": {
    supervisor: 0n,
    "plic0.context": 0n,
    "uart0.irq": 10n,
    "virtio0.irq": 1n,
    "pci0.ecam": 0x3000_0000n,
    "pci0.io": 0x300_0000n,
    "edu0.slot": 2n,
  },
  "riscv-virt-sbi": { supervisor: 1n, "plic0.context": 1n, "uart0.irq": 10n, "testdev0.slot": 1n },
  "x86-q35": { "uart0.port": 0x3f8n, "uart1.port": 0x2f8n, "pci0.ecam": 0xb000_0000n, "pci0.io_port": 0xc000n, "pci0.irq": 20n, "exit0.port": 0xf4n },
  "x86-pc": { "pci0.config_port": 0xcf8n, "testdev0.slot": 3n, "edu0.slot": 2n, "ide0.function": 1n, "acpi0.timer_port": 0x608n },
  "x86-microvm": { "virtio0.base": 0xfeb0_0000n, "virtio7.irq": 23n, "pci0.memory": 0xc000_0000n, "pci0.irq": 12n },
  "arm64-virt": { "gic0.cpu": 0x801_0000n, "uart0.irq": 33n, "virtio0.irq": 48n, "msi0.irq": 80n, "pci0.irq": 35n, "timer.irq_virtual": 27n },
  "arm64-virt-gicv3": { "gic0.redistributors": 0x80a_0000n, "pci0.ecam": 0x3f00_0000n, "virtio31.irq": 79n },
};

for (const [name, expected] of Object.entries(CONSTANTS)) {
  test(`${name} says where its devices are`, () => {
    const result = loadMachine(name, { models: deviceModels.map((model) => model.name) });
    assert.ok(result?.ok);
    const constants = guestConstants(result.machine);
    for (const [key, value] of Object.entries(expected)) assert.equal(constants.find((constant) => constant.name === key)?.value, value, key);
    assert.deepEqual(enginesOf(result.machine), name.startsWith("riscv") ? ["embedded", "qemu"] : ["qemu"]);
  });
}

test("what machines provide is what tests may need", () => {
  const known = new Set(CAPABILITIES.map(({ name }) => name));
  for (const name of listMachines()) {
    const result = loadMachine(name);
    assert.ok(result?.ok);
    const unknown = capabilitiesOf(result.machine).filter(({ capability }) => !known.has(capability.name));
    assert.deepEqual(unknown, [], name);
  }
});

test("integers stay exact and take units", () => {
  assert.equal(parseInteger("0xffff_ffff_ffff_ffff"), 0xffff_ffff_ffff_ffffn);
  assert.equal(parseInteger("16MiB"), 16n << 20n);
  assert.equal(parseInteger("10_000"), 10_000n);
  for (const wrong of ["", "0x", "1__0", "_1", "1MB", "-1", "0b1", "1.5", "ten"]) assert.equal(parseInteger(wrong), null, wrong);
});

test("config values: numbers exact, booleans, texts, lists, what the machine fills in", () => {
  const machine = machineOf(
    `${HEAD}devices:\n${PLIC}  uart0: { model: uart-16550, at: { address: 0, size: 8 }, config: { a: 0xffff_ffff_ffff_ffff, b: 16, c: true, d: '16', e: [x, 1], f: $cpus*2, g: $timebase } }\n`,
  );
  const uart = machine.devices.find(({ name }) => name === "uart0");
  assert.deepEqual(uart?.config, {
    a: 0xffff_ffff_ffff_ffffn,
    b: 16,
    c: true,
    d: "16",
    e: ["x", 1],
    f: { parameter: "cpus", factor: 2 },
    g: { parameter: "timebase", factor: 1 },
  });
});

test("wires: short, counted, per CPU", () => {
  const machine = machineOf(
    `${HEAD}devices:\n${PLIC}  uart0:\n    model: uart-16550\n    at: { address: 0, size: 8 }\n    irq: [plic0:3, { pin: 1, count: 4, to: "plic0:8", trigger: edge }, { pin: 5, stride: 2, to: cpu*.timer }]\n`,
  );
  const uart = machine.devices.find(({ name }) => name === "uart0");
  assert.deepEqual(uart?.wires, [
    { kind: "device", pin: 0, count: 1, device: "plic0", input: 3, edge: false },
    { kind: "device", pin: 1, count: 4, device: "plic0", input: 8, edge: true },
    { kind: "cpus", pin: 5, stride: 2, line: "timer" },
  ]);
});

const MISTAKES: readonly {
  readonly name: string;
  readonly devices: string;
  readonly head?: string;
  readonly expected: readonly string[];
}[] = [
  {
    name: "a misspelt key",
    devices: `${PLIC}  uart0:\n    modle: uart-16550\n    at: { address: 0, size: 8 }\n`,
    expected: ['board.yaml:12:5: device uart0: "model" is missing', 'board.yaml:12:5: device uart0: unknown key "modle"; did you mean "model"?'],
  },
  {
    name: "a wire to nowhere",
    devices: "  uart0: { model: uart-16550, at: { address: 0, size: 8 }, irq: 'plik0:10' }\n" + PLIC,
    expected: ['board.yaml:10:65: device uart0: irq leads to "plik0", which is no device of this machine; did you mean "plic0"?'],
  },
  {
    name: "a line that no CPU has",
    devices: `${UART}  plic0: { model: plic, at: { address: 1, size: 1 }, irq: cpu*.externl }\n`,
    expected: [
      'board.yaml:11:59: device plic0: irq: a CPU has no line "externl"; did you mean "external"?; lines: software, timer, external, supervisor_external',
    ],
  },
  {
    name: "a CPU that cannot be",
    devices: `${UART}  plic0: { model: plic, at: { address: 1, size: 1 }, irq: cpu2.external }\n`,
    expected: ["board.yaml:11:59: device plic0: irq leads to CPU 2, but there are at most 2"],
  },
  {
    name: "regions that overlap, RAM too",
    devices: `${UART}${PLIC}  x: { model: a, at: { address: 0x1000_0004, size: 8 } }\n  y: { model: a, at: { address: 0x800f_ffff, size: 8 } }\n`,
    expected: ["board.yaml:12:22: x overlaps uart0 in memory space at 0x10000004", "board.yaml:13:22: y overlaps ram in memory space at 0x800fffff"],
  },
  {
    name: "ports that overlap or end beyond the space",
    devices: `${UART}${PLIC}  x: { model: a, at: { port: 0x3f8, size: 8 } }\n  y: { model: a, at: { port: 0x3ff, size: 1 } }\n  z: { model: a, at: { port: 0xffff, size: 2 } }\n`,
    expected: ["board.yaml:13:22: y overlaps x in port space at 0x3ff", "board.yaml:14:30: device z: at: ends beyond port 0xffff"],
  },
  {
    name: "a slot taken twice, a bus that is none, a function with addresses",
    devices: `${UART}${PLIC}  pci0: { model: pci-host, at: { address: 0, size: 1 } }
  a: { model: edu, pci: { bus: pci0, slot: 2 } }
  b: { model: edu, pci: { bus: pci0, slot: 2 } }
  c: { model: edu, pci: { bus: pci1, slot: 3 } }
  d: { model: edu, at: { address: 2, size: 1 }, pci: { bus: pci0, slot: 4 } }
  e: { model: edu }
`,
    expected: [
      "board.yaml:14:25: device b: slot 2 of pci0 is taken by a",
      'board.yaml:15:25: device c: there is no bus "pci1"; did you mean "pci0"?',
      'board.yaml:16:20: device d: a PCI function has BARs, not "at"',
      'board.yaml:17:3: device e: needs "at" or "pci"',
    ],
  },
  {
    name: "numbers that are none or do not fit",
    head: HEAD.replace("size: 1MiB", "size: 1MB").replace("timebase: 10_000_000", "timebase: 0").replace("max: 2, default: 1", "max: 2, default: 3"),
    devices: UART + PLIC,
    expected: [
      "board.yaml:4:7: cpus: expected min <= default <= max, got 1, 3, 2",
      'board.yaml:5:33: ram.size: "1MB" is not a number',
      "board.yaml:6:11: timebase: 0 is out of range, expected 1..1000000000",
    ],
  },
  {
    name: "a parameter that does not exist, a capability that is none",
    devices: `${UART}${PLIC}  x: { model: a, at: { address: 0, size: 1 }, config: { harts: $cpu }, provides: [rtc, "pci(" ] }\n`,
    expected: [
      'board.yaml:12:64: device x: config.harts: unknown parameter "$cpu"; did you mean "$cpus"?',
      'board.yaml:12:88: device x: provides: "pci(" is not a capability like uart16550 or pci(0x1b36:0x0005)',
    ],
  },
  {
    name: "something else than a mapping",
    devices: `${UART}${PLIC}  x: 5\n`,
    expected: ["board.yaml:12:6: device x: expected a mapping"],
  },
];

for (const { name, devices, head = HEAD, expected } of MISTAKES) {
  test(`mistake: ${name}`, () => {
    assert.deepEqual(errorsOf(`${head}devices:\n${devices}`).sort(), [...expected].sort());
  });
}

test("mistake: a model that there is not", () => {
  const text = `${HEAD}devices:\n${UART}${PLIC}`;
  assert.deepEqual(errorsOf(text, { models: ["uart-16550", "clint"] }), ['board.yaml:11:19: device plic0: there is no device model "plic"']);
  assert.deepEqual(errorsOf(text, { models: ["uart-16550", "plic"] }), []);
});

const BOARD = `qemu: { binary: riscv64, machine: virt, cpu: rv64 }
boot: { base: 0x8000_0000, image: elf, privilege: machine }
exit: { good: 0, failed: 1, crashed: 2 }
`;

const BOARD_MISTAKES: readonly { readonly name: string; readonly board: string; readonly expected: readonly string[] }[] = [
  {
    name: "a board that starts but cannot end",
    board: BOARD.replace(/exit:.*\n/, ""),
    expected: ["board.yaml:9:1: qemu and boot without exit: a board for native images has all three"],
  },
  {
    name: "an image kind and a privilege that there are not, a base off the page",
    board: BOARD.replace("elf", "efl").replace("privilege: machine", "privilege: user").replace("0x8000_0000", "0x8000_0800"),
    expected: [
      "board.yaml:10:15: boot.base: not a multiple of 4 KiB",
      'board.yaml:10:35: boot.image: "efl" is not one of elf, image-header; did you mean "elf"?',
      'board.yaml:10:51: boot.privilege: "user" is not one of machine, supervisor',
    ],
  },
  {
    name: "statuses that say the same or nothing",
    board: BOARD.replace("crashed: 2", "crashed: 1"),
    expected: ["board.yaml:11:7: exit: the three statuses must differ"],
  },
  {
    name: "a status beyond what a process has",
    board: BOARD.replace("failed: 1", "failed: 256"),
    expected: ["board.yaml:11:26: exit.failed: 256 is out of range, expected 0..255"],
  },
  {
    name: "QEMU without a CPU, properties that are a list",
    board: BOARD.replace("cpu: rv64", "properties: [a]"),
    expected: ['board.yaml:9:7: qemu: "cpu" is missing', "board.yaml:9:53: qemu.properties: expected a mapping"],
  },
  {
    name: "a constant whose name is none, or is taken",
    board: `${BOARD}constants: { Supervisor: 1 }\n`,
    expected: ['board.yaml:12:14: constants: "Supervisor" is not a constant\'s name like supervisor or timer.irq'],
  },
  {
    name: "a constant that the devices make already",
    board: `${BOARD}constants: { uart0.base: 1 }\n`,
    expected: ["board.yaml:12:12: constants: machine.uart0.base is there already, made from the devices"],
  },
  {
    name: "a library folder that can be none",
    board: `${BOARD}library: [../sbi]\n`,
    expected: ['board.yaml:12:11: library: "../sbi" is not a folder of lib/'],
  },
];

for (const { name, board, expected } of BOARD_MISTAKES) {
  test(`mistake: ${name}`, () => {
    assert.deepEqual(errorsOf(`${HEAD}${board}devices:\n${UART}${PLIC}`), expected);
  });
}

test("mistake: QEMU's devices and arguments on a machine that is no board of QEMU's", () => {
  const devices = `devices:\n${UART}${PLIC}  rtc0: { model: pl031, at: { address: 0, size: 8 }, qemu: [-device, x] }\n`;
  const models = ["uart-16550", "plic"];
  assert.deepEqual(errorsOf(`${HEAD}${devices}`, { models }), [
    'board.yaml:12:18: device rtc0: the embedded machine has no model "pl031", only a machine with a qemu section may name it',
    'board.yaml:12:54: device rtc0: "qemu" is for machines with a qemu section',
  ]);
  assert.deepEqual(errorsOf(`${HEAD}${BOARD}${devices}`, { models }), []);
});

test("a model is either the embedded machine's or one that QEMU alone has", () => {
  const embedded = deviceModels.map(({ name }) => name);
  const both = BOARD_MODELS.filter(({ name }) => embedded.includes(name));
  assert.deepEqual(both, []);
  const used = new Set(
    listMachines().flatMap((name) => {
      const result = loadMachine(name);
      return result?.ok === true ? result.machine.devices.map(({ model }) => model) : [];
    }),
  );
  assert.deepEqual(
    BOARD_MODELS.filter(({ name }) => !used.has(name)),
    [],
    "a model that no machine has",
  );
});

const BASE = `${HEAD}provides: [ports]
qemu: { binary: riscv64, machine: virt, cpu: rv64, firmware: none, properties: { a: on, b: on }, arguments: [-one] }
boot: { base: 0x8000_0000, image: elf, privilege: machine }
exit: { good: 0, failed: 1, crashed: 2 }
devices:
${UART}${PLIC}  rtc0: { model: goldfish-rtc, at: { address: 0x10_1000, size: 0x24 }, irq: 'plic0:11' }
`;
const EXTENDING: ParseOptions = {
  models: [],
  machines: ["base", "loop"],
  open(name) {
    if (name === "base") return { text: BASE.replaceAll(/model: [a-z0-9-]+/g, "model: other"), file: "base.yaml" };
    return name === "loop" ? { text: "machine: loop\nextends: loop\nsummary: s\n", file: "loop.yaml" } : null;
  },
};
const OWN = "machine: own\nextends: base\nsummary: with more\n";

test("a machine that extends another one has its devices, and what it says itself", () => {
  const result = parseMachine(
    `${OWN}provides: [mmu]
ram: { base: 0x8000_0000, size: 2MiB }
qemu: { cpu: max, properties: { b: off, c: on }, arguments: [-two] }
devices:
  new0: { model: other, at: { address: 0x2000_0000, size: 16 }, irq: 'plic0:12', provides: [rtc] }
  uart0: { model: other, at: { address: 0x1000_0000, size: 16 }, irq: 'plic0:10' }
  rtc0:
`,
    "own.yaml",
    EXTENDING,
  );
  assert.ok(result.ok, result.ok ? "" : result.errors.map(formatMachineError).join("\n"));
  const { machine } = result;
  assert.deepEqual([machine.name, machine.summary, machine.target, machine.ram.size], ["own", "with more", "bytecode", 0x20_0000]);
  assert.deepEqual(
    machine.devices.map(({ name, at }) => [name, at[0]?.size]),
    [
      ["uart0", 16],
      ["plic0", 0x60_0000],
      ["new0", 16],
    ],
  );
  assert.deepEqual(machine.provides.map(formatCapability), ["mmu"]);
  assert.deepEqual([machine.qemu?.cpu, machine.qemu?.properties, machine.qemu?.arguments], ["max", { a: "on", b: "off", c: "on" }, ["-one", "-two"]]);
  assert.deepEqual(enginesOf(machine), ["qemu"]);
});

const EXTENDED_MISTAKES: readonly (readonly [text: string, errors: readonly string[]])[] = [
  [OWN.replace("base", "bose"), ['board.yaml:2:10: extends: there is no machine "bose"; did you mean "base"?']],
  [OWN.replace("base", "loop"), ['loop.yaml:2:10: extends: "loop" extends this file']],
  ["extends: base\n", ['board.yaml:1:1: machine: "machine" is missing', 'board.yaml:1:1: machine: "summary" is missing']],
  // Each in the file in which it stands.
  [
    `${OWN}devices:\n  a0: { model: other, at: { address: 0x10_1020, size: 8 } }\n  plic0:\n`,
    [
      "board.yaml:5:27: a0 overlaps rtc0 in memory space at 0x101020",
      'base.yaml:14:70: device uart0: irq leads to "plic0", which is no device of this machine',
      'base.yaml:16:70: device rtc0: irq leads to "plic0", which is no device of this machine',
    ],
  ],
  [`${OWN}devices:\n  a0: { model: others, at: { address: 0, size: 8 } }\n`, ['board.yaml:5:16: device a0: there is no device model "others"']],
];

for (const [text, errors] of EXTENDED_MISTAKES)
  test(`mistake in a file that extends another: ${errors[0]}`, () => {
    assert.deepEqual(errorsOf(text, EXTENDING), errors);
  });

test("mistake: broken YAML, a name twice, an empty file", () => {
  assert.match(errorsOf("machine: [")[0] ?? "", /^board\.yaml:1:\d+: /);
  assert.match(errorsOf(`${HEAD}devices:\n${UART}${UART}`)[0] ?? "", /^board\.yaml:11:3: Map keys must be unique/);
  assert.deepEqual(errorsOf(""), ["board.yaml:1:1: machine: expected a mapping"]);
});
