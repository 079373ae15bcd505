// Native images: what booting one costs beside a QEMU that starts an image which ends at once, what a whole run costs beside that, and
// beside that with an empty Node before it, which nothing that runs in Node can be below; one boot for all tests beside a boot for each,
// how long the compiler takes for all of specs/ on three targets, and how large images are. Targets without their QEMU are left out, and
// say so. CPU times of whole processes, QEMU's included.

import { spawn, spawnSync } from "node:child_process";
import { appendFileSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compileNative } from "../compiler/native/index.ts";
import type { ParsedFiles } from "../compiler/program.ts";
import { loadNativeTarget } from "../compiler/targets/index.ts";
import { NATIVE_TARGET_NAMES, type TargetName } from "../compiler/targets/names.ts";
import { loadMachineLanguage } from "../isa/machine-language.ts";
import { enginesOf, type MachineDescription } from "../machines/description.ts";
import { loadMachineFile } from "../machines/load-machine.ts";
import { qemuBinary, qemuCommand } from "../machines/qemu-command.ts";
import { compareParts, compareProcesses, cpuOf, reportLine, timeProcess, type Cost, type ProcessComparison } from "./measure.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const guestspec = join(root, "bin/guestspec");
const folder = mkdtempSync(join(tmpdir(), "guestspec-bench-"));
const env = { XDG_CACHE_HOME: join(folder, "cache"), CI: "true", NO_COLOR: "1" };

interface Subject {
  readonly machine: string;
  /** The shortest program that ends this machine with status 0. */
  readonly empty: string;
}

/** A target that is not here yet is left out. */
const SUBJECTS: Readonly<Partial<Record<TargetName, Subject>>> = {
  x86_64: {
    machine: "x86-q35",
    // Multiboot 1 header with addresses, then isa-debug-exit.
    empty:
      ".code32\nstart:\n.4byte 0x1badb002\n.4byte 0x10000\n.4byte 0xe4514ffe\n.4byte 0x100000\n.4byte 0x100000\n.4byte 0\n.4byte 0\n.4byte 0x100020\n" +
      "mov eax, 0\nout 0xf4, eax\nhlt\n",
  },
  riscv64: {
    machine: "riscv-virt",
    // SiFive test finisher.
    empty: "li t0, 0x100000\nli t1, 0x5555\nsw t1, 0(t0)\n",
  },
  aarch64: {
    machine: "arm64-virt",
    // Semihosting SYS_EXIT with ADP_Stopped_ApplicationExit.
    empty: "mov w0, #0x18\nadr x1, args\nhlt #0xf000\n.balign 8\nargs:\n.8byte 0x20026\n.8byte 0\n",
  },
};

function describeMachine(name: string): MachineDescription {
  const result = loadMachineFile(join(root, "machines", `${name}.yaml`));
  if (!result.ok) throw new Error(`${name} cannot be read`);
  return result.machine;
}

/** The status is the machine's word for good, whatever that is. */
const ANY_STATUS = '"$@" >/dev/null; true';

function boot(machine: MachineDescription, binary: string, image: string): Cost {
  const result = qemuCommand(machine, { image, binary, isDeterministic: true });
  if (!result.ok) throw new Error(result.problem);
  return timeProcess("bash", ["-c", ANY_STATUS, "bash", result.command.binary, ...result.command.args]);
}

const emptyNode = (): Cost => timeProcess(process.execPath, ["-e", "0"]);

function sum(...costs: readonly Cost[]): Cost {
  return { cpu: costs.reduce((total, { cpu }) => total + cpu, 0), wall: costs.reduce((total, { wall }) => total + wall, 0) };
}

function report(name: string, { cpu, wall }: ProcessComparison, peer: string, target = ""): void {
  reportLine(name, `${cpu.ratio.toFixed(2)}x ${peer} (${cpu.subject.toFixed(0)} ms of CPU to ${cpu.peer.toFixed(0)}; wall ${wall.ratio.toFixed(2)}x${target})`);
}

async function compileAll(files: readonly string[], machine: MachineDescription, parsed: ParsedFiles): Promise<number> {
  // Node strips the types of what it loads here, which the tool has behind it.
  const language = await loadMachineLanguage(machine.target);
  const target = await loadNativeTarget(machine.target);
  if (target === null) throw new Error(`there is no back end for ${machine.target}`);
  const start = process.cpuUsage();
  const { images } = compileNative(files, target, {
    machine,
    readFile(path) {
      try {
        return readFileSync(path, "utf8");
      } catch {
        return null;
      }
    },
    libDirectory: join(root, "lib/"),
    language,
    parsed,
  });
  if (images.length === 0) throw new Error(`nothing was compiled for ${machine.target}`);
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

const run = (...args: readonly string[]): Cost => timeProcess(guestspec, ["run", ...args], { env });

/** From a change of a spec to its verdict in a process that watches it and has compiled some changes before. */
async function openWatch(spec: string, edit: () => void, ...options: readonly string[]): Promise<{ edited(): Promise<Cost>; close(): void }> {
  const { CI: _ci, ...others } = { ...process.env, ...env };
  const child = spawn(guestspec, ["run", "--watch", ...options, spec], { cwd: folder, env: others, stdio: ["ignore", "pipe", "pipe"] });
  const { pid = 0, stdout, stderr } = child;
  let said = "";
  let wake = (): void => {};
  for (const stream of [stdout, stderr]) stream.setEncoding("utf8").on("data", (text: string) => ((said += text), wake()));
  child.once("exit", () => wake());
  /** When it has said so. */
  async function until(text: string): Promise<number> {
    while (!said.includes(text)) {
      if (child.exitCode !== null) throw new Error(`--watch ended with ${child.exitCode}: ${said.slice(-400)}`);
      await new Promise<void>((done) => (wake = done));
    }
    return performance.now();
  }
  async function edited(): Promise<Cost> {
    await until("watching");
    said = "";
    const cpu = cpuOf(pid);
    const start = performance.now();
    edit();
    const wall = (await until("Summary")) - start;
    // Processes that it started end before it watches again.
    await until("watching");
    return { wall, cpu: cpuOf(pid) - cpu };
  }
  for (let round = 0; round < WARM_ROUNDS; round++) await edited();
  return { edited, close: () => void child.kill() };
}

/** Until V8 has compiled most of what a changed spec takes. */
const WARM_ROUNDS = 15;

async function reportWatched(name: string, spec: string, edit: () => void, options: readonly string[], peer: () => Cost, peerName: string): Promise<void> {
  const watched = await openWatch(spec, edit, ...options);
  try {
    report(name, await compareParts(9, () => watched.edited(), peer), peerName, ", target 1.2");
  } finally {
    watched.close();
  }
}

try {
  const one = join(folder, "one.gspec");
  writeFileSync(one, 'suite "one"\n\ntest "adds" { expect 1 as u32 + 1 == 2 }\n');
  let edits = 0;
  const cases = join(folder, "cases.gspec");
  writeFileSync(cases, 'suite "cases"\n\ntest "{n} is a byte" for n in edges(u8) { expect n as u32 < 256 }\n');

  for (const target of NATIVE_TARGET_NAMES) {
    const subject = SUBJECTS[target];
    if (subject === undefined) {
      reportLine(target, "left out: there is no empty program for it");
      continue;
    }
    const back = await loadNativeTarget(target);
    const machine = describeMachine(subject.machine);
    const binary = qemuBinary(machine, process.env);
    if (back === null || binary === null || spawnSync(binary, ["--version"]).status !== 0) {
      reportLine(target, `left out: ${binary ?? "QEMU"} cannot be run`);
      continue;
    }
    const assembly = back.assemble(subject.empty, { origin: machine.boot?.base ?? 0n });
    if (!assembly.ok) throw new Error(`the empty image of ${target}: ${assembly.problems[0]?.message}`);
    const empty = join(folder, `empty.${target}`);
    writeFileSync(empty, assembly.bytes);
    timeProcess(guestspec, ["build", one, "--target", target, "-o", folder], { env, cwd: folder });
    const built = globSync(`one.${target}{,.bin}`, { cwd: folder })[0];
    if (built === undefined) throw new Error(`there is no image for ${target}`);

    report(
      `${target}: image to its verdict`,
      compareProcesses(
        11,
        () => boot(machine, binary, join(folder, built)),
        () => boot(machine, binary, empty),
      ),
      "an empty image",
      ", target 1.2",
    );
    const ways: readonly (readonly [when: string, prepare: () => void, ...options: string[]])[] = [
      ["compiled before", () => {}],
      ["just edited", () => appendFileSync(one, `// ${edits++}\n`)],
      ["first run on a machine", () => rmSync(env.XDG_CACHE_HOME, { recursive: true, force: true })],
      ["compiled now with all of the library", () => {}, "--no-cache"],
    ];
    for (const [when, prepare, ...options] of ways) {
      report(
        `${target}: spec to its verdict, ${when}`,
        compareProcesses(
          7,
          () => {
            prepare();
            return run("--target", target, "--engine", "qemu", ...options, one);
          },
          () => boot(machine, binary, empty),
        ),
        "an empty image",
        ", target 1.2",
      );
    }
    const edit = (): void => appendFileSync(one, `// ${edits++}\n`);
    const bootEmpty = (): Cost => boot(machine, binary, empty);
    await reportWatched(`${target}: spec to its verdict, watched`, one, edit, ["--target", target, "--engine", "qemu"], bootEmpty, "an empty image");
    if (enginesOf(machine).includes("embedded"))
      await reportWatched(`${target}: watched, without QEMU`, one, edit, ["--target", target, "--engine", "embedded"], emptyNode, "`node -e 0`");
    report(
      `${target}: an empty Node before an empty image`,
      compareProcesses(
        7,
        () => sum(emptyNode(), boot(machine, binary, empty)),
        () => boot(machine, binary, empty),
      ),
      "an empty image",
      ", the floor of what Node runs",
    );
    if (enginesOf(machine).includes("embedded")) {
      report(
        `${target}: the same without QEMU, compiled before`,
        compareProcesses(
          7,
          () => run("--target", target, "--engine", "embedded", one),
          () => boot(machine, binary, empty),
        ),
        "an empty image in QEMU",
      );
    }
    report(
      `${target}: a boot for all tests`,
      compareProcesses(
        3,
        () => run("--target", target, "--engine", "qemu", cases),
        () => run("--target", target, "--engine", "qemu", "--isolate", "test", cases),
      ),
      "a boot for each",
    );
    const size = spawnSync(guestspec, ["show", "image", join(folder, built)], { env: { ...process.env, ...env }, encoding: "utf8" }).stdout;
    const flat = join(folder, `one.${target}.bin`);
    timeProcess(guestspec, ["build", one, "--target", target, "--format", "flat", "-o", folder], { env, cwd: folder });
    reportLine(`${target}: one-test image`, `${(readFileSync(flat).length / 1024).toFixed(1)} KiB loaded (target 32); ${size.split("\n")[0] ?? ""}`);
  }

  await reportWatched("bytecode: watched", one, () => appendFileSync(one, `// ${edits++}\n`), [], emptyNode, "`node -e 0`");

  const files = globSync("specs/**/*.{gspec,gspec.yaml}", { cwd: root })
    .map((path) => join(root, path))
    .filter((path) => /^suite\b/m.test(readFileSync(path, "utf8")));
  const machines = Object.values(SUBJECTS).map(({ machine }) => describeMachine(machine));
  for (const round of ["cold", "warm"]) {
    let total = 0;
    // As the tool does for several targets: each file is parsed once.
    const parsed: ParsedFiles = new Map();
    const each: string[] = [];
    for (const machine of machines) {
      const cpu = await compileAll(files, machine, parsed);
      total += cpu;
      each.push(`${machine.target} ${cpu.toFixed(0)}`);
    }
    reportLine(`specs/ for ${machines.length} targets, ${round}`, `${total.toFixed(0)} ms of CPU (${each.join(", ")}; target 2,000)`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
