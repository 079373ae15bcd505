// Machines that are started before their turn, with the fake guest in the place of QEMU: a run takes one, gets on
// without one whatever is wrong with it, and none of them outlives who has started it.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, test } from "node:test";
import { FAKE_GUEST, fakeImage, PASSES, runFake, type FakeRun } from "../../../tests/fixtures/fake-machine.ts";
import { REFUSALS } from "../../../tests/fixtures/fake-refusals.ts";
import { bytecodeVirt } from "../../../tests/fixtures/machines.ts";
import { processesWith, textIn, until } from "../../../tests/fixtures/processes.ts";
import type { QemuCommandOf, QemuShape } from "./qemu-shape.ts";
import type { GuestCommand } from "./guest-process.ts";
import { createSpares, type Spares } from "./spares.ts";

const folder = mkdtempSync(join(tmpdir(), "guestspec-spares-"));
const binary = join(folder, "qemu-system-fake");
symlinkSync(process.execPath, binary);
process.env.TMPDIR = folder;
after(() => rmSync(folder, { recursive: true, force: true }));

const onLinux = { skip: process.platform === "linux" ? false : "looks at /proc" };
const SHAPE: QemuShape = { machine: bytecodeVirt, cpus: 1 };
const IMAGE = fakeImage("a.gspec", [{ name: "s", tests: [{ name: "good", steps: PASSES }] }]);

const commandWith =
  (...words: readonly string[]): QemuCommandOf =>
  ({ imagePath, args }) => ({ binary, args: ["--disable-warning=ExperimentalWarning", FAKE_GUEST, "-kernel", imagePath, ...words, ...args] });

const runWith = (spares: Spares, command: QemuCommandOf): Promise<FakeRun> =>
  runFake([IMAGE], { onStart: (options) => Object.assign(options, { qemu: { ...options.qemu, command, spares } }) });

const startsOf = ({ log }: FakeRun): readonly string[] => log.filter((line) => line === "start" || line === "was ahead");
const waiting = (): readonly number[] => processesWith("-preconfig").filter((pid) => processesWith(folder).includes(pid));

beforeEach(() => assert.deepEqual(waiting(), []));

test("a run takes the machine that waits, and the next run another", onLinux, async () => {
  const spares = createSpares(2);
  const command = commandWith();
  spares.prepare(SHAPE, command);
  // Only one waits, whatever is asked for.
  spares.prepare(SHAPE, commandWith("other"));
  for (let round = 0; round < 2; round++) {
    const { results, log } = await runWith(spares, command);
    assert.deepEqual(
      results.map(({ verdict }) => verdict),
      ["pass"],
    );
    assert.deepEqual(startsOf({ results, log }), ["was ahead", "start"]);
    await until("no machine is left", () => waiting().length === 0);
    spares.refill();
    await until("one waits", () => waiting().length > 0);
  }
  spares.close();
  await until("no machine is left", () => processesWith(folder).length === 0);
  await until("no folder is left", () => readdirSync(folder).every((name) => !/^guestspec-(?!fake)/.test(name)));
});

test("an error of our own costs one test, and ends the machine that was taken and what looks after it", onLinux, async () => {
  const spares = createSpares(1);
  const command = commandWith();
  const go = (): void => {
    throw new Error("no way to it");
  };
  const broken: Spares = {
    ...spares,
    async take(shape, wanted) {
      const spare = await spares.take(shape, wanted);
      assert.ok(spare !== null);
      return { ...spare, go };
    },
  };
  const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
  const before = timers();
  spares.prepare(SHAPE, command);
  const { results } = await runWith(broken, command);
  assert.deepEqual(
    results.map(({ verdict, failures }) => [verdict, failures[0]?.message]),
    [["error", "internal error: no way to it"]],
  );
  await until("no machine is left", () => processesWith(folder).length === 0);
  assert.equal(timers(), before);
});

test("one that was started with other options is not taken, and given up when nobody wants it", onLinux, async () => {
  const spares = createSpares(2);
  spares.prepare(SHAPE, commandWith("other"));
  assert.deepEqual(startsOf(await runWith(spares, commandWith())), ["start"]);
  spares.refill();
  await until("only the wanted one waits", () => processesWith("other").length === 0 && waiting().length > 0);
  assert.deepEqual(startsOf(await runWith(spares, commandWith())), ["was ahead", "start"]);
  spares.close();
  await until("no machine is left", () => waiting().length === 0);
});

test("a QEMU that does not know how to wait, or to go on, is started as usual", onLinux, async () => {
  for (const word of Object.values(REFUSALS)) {
    const spares = createSpares(1);
    spares.prepare(SHAPE, commandWith(word));
    const run = await runWith(spares, commandWith(word));
    assert.deepEqual(
      run.results.map(({ verdict }) => verdict),
      ["pass"],
      word,
    );
    assert.deepEqual(startsOf(run), ["start"]);
    spares.close();
  }
});

test("scripts, programs of other names and QEMUs that were built anew are not waited for", onLinux, async () => {
  const spares = createSpares(1);
  const script = join(folder, "qemu-system-script");
  writeFileSync(script, "#!/bin/sh\nsleep 60\n", { mode: 0o755 });
  for (const each of [script, process.execPath, join(folder, "qemu-system-nowhere")]) {
    const command = (): GuestCommand => ({ binary: each, args: ["-preconfig", folder] });
    spares.prepare(SHAPE, command);
    assert.equal(await spares.take(SHAPE, command), null);
  }
  const built = join(folder, "qemu-system-built");
  const command = (): GuestCommand => ({ binary: built, args: ["60"] });
  copyFileSync("/bin/sleep", built);
  spares.prepare(SHAPE, command);
  assert.ok(processesWith(built).length > 0);
  rmSync(built);
  copyFileSync("/bin/true", built);
  assert.equal(await spares.take(SHAPE, command), null);
  await until("the old one is gone", () => processesWith(built).length === 0);
});

test("one that ends while it is taken is none, and does not hide the next", onLinux, async () => {
  const spares = createSpares(1);
  const sleeper = join(folder, "qemu-system-sleeper");
  copyFileSync("/bin/sleep", sleeper);
  const command = (): GuestCommand => ({ binary: sleeper, args: ["600"] });
  const sleepers = (): readonly number[] => processesWith(sleeper);
  spares.prepare(SHAPE, command);
  const before = sleepers();
  const taken = spares.take(SHAPE, command);
  spares.prepare(SHAPE, command);
  await until("two are there", () => sleepers().length > before.length);
  for (const pid of before) process.kill(pid, "SIGKILL");
  assert.equal(await taken, null);
  spares.close();
  await until("none is left", () => sleepers().length === 0);
});

test("without descriptors to spare nothing is begun, and what was to start says why it does not", onLinux, () => {
  const own = mkdtempSync(join(folder, "guestspec-fake-"));
  const modules = ["spares.ts", "guest-process.ts"].map((name) => JSON.stringify(new URL(name, import.meta.url).href));
  const script = `
    import { closeSync, openSync } from "node:fs";
    const [{ createSpares }, { startGuestProcess }] = [await import(${modules[0]}), await import(${modules[1]})];
    const open = [];
    try { for (;;) open.push(openSync("/dev/null")); } catch {}
    for (const descriptor of open.slice(-4)) closeSync(descriptor);
    const command = () => ({ binary: ${JSON.stringify(binary)}, args: [] });
    const spares = createSpares(1);
    spares.prepare({ machine: {}, cpus: 1 }, command);
    const spare = await spares.take({ machine: {}, cpus: 1 }, command);
    const { code, stderr } = await startGuestProcess(command(), { folder: "", onOutput: () => undefined }).exited;
    console.log(JSON.stringify({ spare, code, stderr }));`;
  const { stdout } = spawnSync("/bin/sh", ["-c", 'ulimit -n 128; exec "$0" "$@"', process.execPath, "--input-type=module", "-e", script], {
    encoding: "utf8",
    env: { ...process.env, TMPDIR: own, NODE_TEST_CONTEXT: undefined },
  });
  assert.deepEqual(JSON.parse(stdout), { spare: null, code: null, stderr: "spawn /bin/sh EMFILE\n" });
  assert.deepEqual(readdirSync(own), []);
});

for (const signal of ["SIGKILL", "SIGTERM"] as const) {
  test(`nothing waits for somebody who was ended by ${signal}`, onLinux, async () => {
    const own = mkdtempSync(join(folder, "guestspec-fake-"));
    const script = `
      const { createSpares } = await import(${JSON.stringify(new URL("spares.ts", import.meta.url).href)});
      const args = ${JSON.stringify(["--disable-warning=ExperimentalWarning", FAKE_GUEST])};
      createSpares(1).prepare({ machine: {}, cpus: 1 }, (start) => ({ binary: ${JSON.stringify(binary)}, args: [...args, "-kernel", start.imagePath, ...start.args] }));
      console.log("started");
      setInterval(() => undefined, 1000);`;
    const owner = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", "--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, TMPDIR: own, NODE_TEST_CONTEXT: undefined },
    });
    await once(owner.stdout, "data");
    await until("one waits", () => processesWith("-preconfig").some((pid) => textIn(`/proc/${pid}/cmdline`).includes(own)));
    owner.kill(signal);
    await until("no machine is left", () => processesWith(own).length === 0);
    await until("no folder is left", () => readdirSync(own).length === 0);
  });
}
