// One seed is one run. A spec whose four CPUs race over plain memory, so that what it reports depends on every turn of the scheduler, is run
// a thousand times by the engine, as events, and as often alone, as an image whose console, counts, registers, devices and memory are
// compared, some of them with every instruction. Other seeds give other runs: the comparison sees what it is for.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { fillBootHeader } from "../../compiler/native/boot-header.ts";
import { compileNative } from "../../compiler/native/index.ts";
import { riscv64 } from "../../compiler/targets/riscv64/target.ts";
import { loadMachineLanguage } from "../../isa/machine-language.ts";
import { createRiscv64 } from "../../runtime/cpus/riscv64/processor.ts";
import { createGuest } from "../../runtime/exec/guest.ts";
import { encodePlainData } from "../../runtime/exec/plain-data.ts";
import { readText } from "../fixtures/compile.ts";
import { riscvVirt } from "../fixtures/machines.ts";
import { fuzzRounds } from "../fixtures/random.ts";
import { runEngineImages, testsOf } from "../specs/run-all.ts";

const RUNS = fuzzRounds(1000);
const TRACED_EACH = 250;
const OTHER_SEEDS = 20;
const CPUS = 4;

/** Nothing is atomic: updates get lost, and which ones is the scheduler's choice. */
const SPEC = `suite "race" needs cpus(${CPUS})

shared var order: u64
shared var sum: u32

fn scramble(turn: u32) {
  for i in 0 as u32..800 {
    order = (order << 3 | order >> 61) ^ (cpu.id() as u64 + 1) * i as u64
    sum += turn
  }
}

test "four CPUs, {n}" for n in 1 as u32..3 {
  cpu 0 { scramble(n) }
  cpu 1 { scramble(n) }
  cpu 2 { scramble(n) }
  cpu 3 { scramble(n) }
  print("{order:x} {sum}\\n")
  info "order {order:x}, sum {sum}"
  expect sum >= 800
}
`;

const NAME = "race.gspec";
const language = await loadMachineLanguage("riscv64");
const { images, diagnostics } = compileNative([NAME], riscv64, {
  machine: riscvVirt,
  language,
  readFile: (path) => (path === NAME ? SPEC : readText(path)),
  libDirectory: "lib/",
});
const [image] = images;
assert.ok(image !== undefined, diagnostics.map(({ message }) => message).join("\n"));

const digest = (text: string): string => createHash("sha256").update(text).digest("hex");

async function eventsOf(seed: bigint): Promise<string> {
  assert.ok(image !== undefined);
  const events = await runEngineImages([{ manifest: image.manifest, native: image.native, machine: riscvVirt }], {
    executor: "auto",
    seed,
    texts: { [NAME]: SPEC },
  });
  const tests = testsOf(events);
  assert.deepEqual(
    tests.map(({ verdict, infos }) => [verdict, infos.length]),
    [1, 2].map(() => ["pass", 1]),
    JSON.stringify(tests),
  );
  return JSON.stringify(events);
}

/** Events name the seed, which must not be what tells two seeds apart. */
const withoutSeed = (events: string, seed: bigint): string => events.replaceAll(new RegExp(`--seed ${seed}\\b|"seed":"?${seed}"?`, "g"), "");

test(`${RUNS} runs with one seed give the same events; other seeds give others`, async () => {
  const expected = await eventsOf(7n);
  for (let run = 1; run < RUNS; run++) assert.ok((await eventsOf(7n)) === expected, `run ${run} differs`);
  const others = new Set([withoutSeed(expected, 7n)]);
  for (let seed = 100n; seed < 100n + BigInt(OTHER_SEEDS); seed++) others.add(withoutSeed(await eventsOf(seed), seed));
  assert.equal(others.size, OTHER_SEEDS + 1);
});

interface Run {
  /** Of everything that can be seen when it has ended. */
  readonly end: string;
  /** Of what the seed itself is not in: the console, and how much each CPU did. */
  readonly said: string;
  /** Of every instruction, if they were asked for. */
  readonly trace: string;
}

const bootable = fillBootHeader(image.native, riscv64.bootHeader, riscvVirt.ram.base).bytes;

function runAlone(seed: bigint, isTraced: boolean): Run {
  let console = "";
  const trace = createHash("sha256");
  const created = createGuest({
    description: riscvVirt,
    cpus: CPUS,
    seed,
    createProcessor: createRiscv64,
    boot: { image: { name: NAME, program: { kind: "raw", bytes: bootable } }, cpuProperties: {} },
    output: (bytes) => void (console += Buffer.from(bytes).toString("latin1")),
    ...(isTraced ? { trace: (cpu, pc, bits) => void trace.update(`${cpu} ${pc} ${bits}\n`) } : {}),
  });
  if (!created.ok) assert.fail(created.problem);
  const { guest } = created;
  const stop = guest.run({ instructions: 50_000_000, until: Infinity });
  assert.deepEqual(stop, { kind: "poweroff", code: 0 }, console);
  assert.match(console, /ok 2 four CPUs, 2/);
  const { machine } = guest.contents();
  const pages = createHash("sha256");
  for (const { page, bytes } of machine.pages) pages.update(`${page}`).update(bytes);
  const registers = Array.from({ length: CPUS }, (_, cpu) =>
    ["pc", "privilege", "mstatus", "mcause", "mepc", "mip", "fcsr", ...Array.from({ length: 32 }, (_unused, n) => `x${n}`)].map((name) =>
      guest.processor.readRegister(cpu, name),
    ),
  );
  const counts = Array.from({ length: CPUS }, (_, cpu) => guest.processor.instructions(cpu));
  const end = digest(encodePlainData({ console, registers, counts, state: machine.state, pages: pages.digest("hex"), interrupts: guest.machine.interrupts() }));
  guest.dispose();
  return { end, said: digest(`${console}${counts.join()}`), trace: trace.digest("hex") };
}

test(`${RUNS} boots with one seed end in one state, by one trace; other seeds do not`, () => {
  const first = runAlone(7n, true);
  for (let run = 1; run < RUNS; run++) {
    const isTraced = run % TRACED_EACH === 0;
    const { end, trace } = runAlone(7n, isTraced);
    assert.equal(end, first.end, `run ${run}`);
    if (isTraced) assert.equal(trace, first.trace, `trace of run ${run}`);
  }
  const others = new Set([first.said]);
  for (let seed = 100n; seed < 100n + BigInt(OTHER_SEEDS); seed++) others.add(runAlone(seed, false).said);
  assert.equal(others.size, OTHER_SEEDS + 1);
  assert.notEqual(runAlone(100n, true).trace, first.trace);
});
