// Machine files against QEMU itself: it takes the command line that qemu-command.ts makes, with every CPU and deterministic too, and maps
// every region and function where the file says. Asked through QEMU's monitor, which stands in for the console here. PCs get their
// windows from firmware, so there QEMU runs until it has handed over to an image that halts; the other boards stand at reset.
// Without QEMU it is skipped with the reason; with GUESTSPEC_REQUIRE=qemu that is a failure.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { findQemu } from "../bin/find-qemu.ts";
import type { MachineDescription } from "../machines/description.ts";
import { listMachines, loadMachine } from "../machines/load-machine.ts";
import { qemuCommand } from "../machines/qemu-command.ts";
import { isRequired } from "./fixtures/required.ts";

const POLL_MS = 100;
const DEADLINE_MS = 60_000;
const PROMPT = "(qemu) ";

const folder = mkdtempSync(join(tmpdir(), "guestspec-boards-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** An ELF file for i386 with a PVH note (Xen, docs/misc/pvh.pandoc) that says where to enter; the code halts for ever. */
function haltingImage(): string {
  const BASE = 0x10_0000;
  const NOTE = 84 + 32;
  const CODE = NOTE + 20;
  const bytes = Buffer.alloc(CODE + 3);
  Buffer.from([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]).copy(bytes);
  // e_type EXEC, e_machine 386, e_version, e_entry, e_phoff; sizes and number of the program headers.
  for (const [at, value] of [
    [18, 3],
    [16, 2],
    [40, 52],
    [42, 32],
    [44, 2],
  ] as const)
    bytes.writeUInt16LE(value, at);
  for (const [at, value] of [
    [20, 1],
    [24, BASE + CODE],
    [28, 52],
  ] as const)
    bytes.writeUInt32LE(value, at);
  // PT_LOAD of the whole file, PT_NOTE: type, offset, virtual and physical address, sizes, flags, alignment.
  [1, 0, BASE, BASE, bytes.length, bytes.length, 5, 4096].forEach((value, index) => bytes.writeUInt32LE(value, 52 + 4 * index));
  [4, NOTE, BASE + NOTE, BASE + NOTE, 20, 20, 4, 4].forEach((value, index) => bytes.writeUInt32LE(value, 84 + 4 * index));
  // XEN_ELFNOTE_PHYS32_ENTRY is 18.
  [4, 4, 18, Buffer.from("Xen\0").readUInt32LE(), BASE + CODE].forEach((value, index) => bytes.writeUInt32LE(value, NOTE + 4 * index));
  Buffer.from([0xf4, 0xeb, 0xfd]).copy(bytes, CODE);
  const path = join(folder, "halt.elf");
  writeFileSync(path, bytes);
  return path;
}

/** Boards that stand at reset need none: packages leave some out (Debian's has no OpenSBI for 32 bits). */
function withoutMissingFirmware(binary: string, args: readonly string[]): readonly string[] {
  const named = args.indexOf("-bios") + 1;
  const name = args[named] ?? "none";
  if (named === 0 || name === "none") return args;
  const folders = spawnSync(binary, ["-L", "help"], { encoding: "utf8" }).stdout.trim().split("\n");
  return folders.some((path) => existsSync(join(path, name))) ? args : args.with(named, "none");
}

interface Monitor {
  readonly ask: (command: string) => Promise<string>;
  readonly close: () => void;
}

async function startMonitor(machine: MachineDescription, binary: string, isDeterministic: boolean): Promise<Monitor> {
  const isPc = machine.target === "x86_64";
  const result = qemuCommand(machine, {
    binary,
    image: isPc ? haltingImage() : "unused",
    cpus: isDeterministic ? machine.cpus.max : machine.cpus.default,
    isDeterministic,
    extraArguments: ["-monitor", "stdio", ...(isPc ? [] : ["-S"])],
  });
  assert.ok(result.ok);
  const args = result.command.args.map((word) => word.replace(/^stdio,id=console,signal=off$/, "null,id=console"));
  const kernel = args.indexOf("-kernel");
  const child = spawn(binary, isPc ? args : withoutMissingFirmware(binary, args.toSpliced(kernel, 2)));
  let output = "";
  let errors = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
  let hasExited = false;
  child.on("close", () => (hasExited = true));
  const prompted = async (from: number): Promise<string> => {
    for (const deadline = performance.now() + DEADLINE_MS; performance.now() < deadline; await sleep(5)) {
      const end = output.indexOf(PROMPT, from);
      if (end >= 0) return output.slice(from, end);
      assert.ok(!hasExited, `${machine.name}: QEMU has exited: ${errors}`);
    }
    child.kill("SIGKILL");
    throw new Error(`${machine.name}: QEMU's monitor does not answer: ${errors}`);
  };
  await prompted(0);
  return {
    async ask(command) {
      const from = output.length;
      child.stdin.write(`${command}\n`);
      return prompted(from);
    },
    close: () => void child.kill("SIGKILL"),
  };
}

/** What the file places where QEMU has nothing. */
function missingRegions(machine: MachineDescription, tree: string): readonly string[] {
  const starts = new Set([...tree.matchAll(/^ +([0-9a-f]{16})-[0-9a-f]{16} \(prio/gm)].map(([, start]) => BigInt(`0x${start}`)));
  return machine.devices.flatMap(({ name, at }) =>
    at
      .filter(({ address, port }) => !starts.has(address ?? BigInt(port ?? 0)))
      .map(({ region, address, port }) => `${name}.${region} at ${address === null ? `port ${port?.toString(16)}` : address.toString(16)}`),
  );
}

/** PCI functions as `0:1.0 1b36:0005`. */
function functionsOf(text: string): readonly string[] {
  return [...text.matchAll(/Bus +(\d+), device +(\d+), function (\d+):[^]*?PCI device ([0-9a-f]{4}:[0-9a-f]{4})/g)].map(
    ([, bus, device, number, id]) => `${bus}:${device}.${number} ${id}`,
  );
}

function describedFunctions(machine: MachineDescription): readonly string[] {
  return machine.devices.flatMap(({ pci, provides }) => {
    const id = provides.find(({ name, argument }) => name === "pci" && argument !== null)?.argument?.replaceAll("0x", "");
    return pci === null || id === undefined ? [] : [`0:${pci.slot}.${pci.function} ${id}`];
  });
}

/** Where a PC's BARs may go QEMU has nothing until they are there. microvm, whose window is a region, is no such PC. */
const isOpenSpace = (machine: MachineDescription, line: string): boolean =>
  machine.devices.some(({ model }) => model === "q35-mch" || model === "i440fx-pmc") && /^pci0\.(?:io|memory) /.test(line);

for (const name of listMachines()) {
  const loaded = loadMachine(name);
  if (loaded?.ok !== true || loaded.machine.qemu === null) continue;
  const { machine } = loaded;
  test(`${name}: QEMU has what the file says`, async (context) => {
    const qemu = await findQemu(machine, process.env);
    if (qemu?.found !== true) {
      assert.ok(!isRequired("qemu"), qemu?.problem);
      return context.skip(qemu?.problem);
    }
    for (const isDeterministic of [false, true]) {
      const monitor = await startMonitor(machine, qemu.binary, isDeterministic);
      context.after(monitor.close);
      let missing: readonly string[] = [];
      for (const deadline = performance.now() + DEADLINE_MS; performance.now() < deadline; await sleep(POLL_MS)) {
        missing = missingRegions(machine, await monitor.ask("info mtree -f")).filter((line) => !isOpenSpace(machine, line));
        if (missing.length === 0) break;
      }
      assert.deepEqual(missing, []);
      const functions = functionsOf(await monitor.ask("info pci"));
      assert.deepEqual(
        describedFunctions(machine).filter((line) => !functions.includes(line)),
        [],
        functions.join(", "),
      );
      monitor.close();
    }
  });
}
