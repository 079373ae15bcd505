// Images of random bytes on whole machines: machine mode, supervisor mode over the built-in firmware and user mode, on page tables that are
// partly right, with one hart and with four, devices in reach. The host never breaks, limits end every run, nothing is written outside of
// the guest's memory, and generated code, eagerly translated code and a run with a trace, which takes neither, end in one state.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { assemble, formatProblem } from "../../isa/riscv64/assemble.ts";
import type { RegisterWidth } from "../../isa/riscv64/by-width.ts";
import { instructionsOf } from "../../isa/riscv64/instructions.ts";
import { findCsr } from "../../isa/riscv64/registers.ts";
import type { MachineDescription } from "../../machines/description.ts";
import { loadMachine } from "../../machines/load-machine.ts";
import { createRiscv, createRiscv64, type RiscvProcessor } from "../../runtime/cpus/riscv64/processor.ts";
import type { EagernessName } from "../../runtime/cpus/riscv64/regions/translator.ts";
import { createGuest, type Guest } from "../../runtime/exec/guest.ts";
import { ACCESS_LOG_BYTES } from "../../runtime/machine/access-log.ts";
import { pageCount, STATE_BYTES } from "../../runtime/machine/memory.ts";
import type { CreateProcessor } from "../../runtime/machine/processor.ts";
import { inWidth, WIDTHS } from "../fixtures/riscv64.ts";
import { createRandom, FUZZ_SEED, fuzzRounds, type Random } from "../fixtures/random.ts";

function board(name: string): MachineDescription {
  const loaded = loadMachine(name);
  return loaded?.ok === true ? loaded.machine : assert.fail(`there is no ${name}`);
}

const MODES = ["machine", "supervisor", "user"] as const;
type Mode = (typeof MODES)[number];
/** User mode has machine mode above it, so that its traps end in random code too. */
const BOARDS: Readonly<Record<RegisterWidth, Readonly<Record<Mode, MachineDescription>>>> = {
  64: { machine: board("riscv-virt"), supervisor: board("riscv-virt-sbi"), user: board("riscv-virt") },
  32: { machine: board("riscv32-virt"), supervisor: board("riscv32-virt-sbi"), user: board("riscv32-virt") },
};
const MODE_NUMBERS: Readonly<Record<Mode, bigint>> = { machine: 3n, supervisor: 1n, user: 0n };

// Places in the image: code and data that page tables map, and the tables, which they do not.
const PAGE = 0x1000;
const MAPPED_PAGES = 8;
const CODE_BYTES = 6 * PAGE;
const HANDLERS = { machine: 7 * PAGE, supervisor: 7 * PAGE + 0x400 } as const;
const TABLES = 0x10 * PAGE;
const TABLE_PAGES = 5;
const IMAGE_BYTES = TABLES + TABLE_PAGES * PAGE;

function assembled(text: string, width: RegisterWidth, origin = 0n): Uint8Array {
  const assembly = assemble(inWidth(text, width), { origin }, width);
  return assembly.ok ? assembly.bytes : assert.fail(assembly.problems.map(formatProblem).join("\n"));
}

/** Firmware starts hart 0; it starts the others, and they all wait for what comes. */
const START_ALL = (harts: number): string => `
  li s1, 1
next: li t0, ${harts}
  bge s1, t0, ready
  li a7, 0x48534d
  li a6, 0
  mv a0, s1
  la a1, ready
  ecall
  addi s1, s1, 1
  j next
ready: j ready`;
const START_INSTRUCTIONS = 100_000;

/** Calls to firmware whose other arguments are whatever is there: every extension, and one that is none. */
const CALLS = [0x10, 0x5449_4d45, 0x73_5049, 0x5246_4e43, 0x48_534d, 0x5352_5354, 0x50_4d55, 0x4442_434e, 0x5355_5350, 0x1234].map(
  (extension) => (fid: number, width: RegisterWidth) => assembled(`li a7, ${extension}\nli a6, ${fid}\necall`, width),
);

/**
 * What begins at random places traps after a few instructions. A trap goes on somewhere else in the code, by a generator of full period
 * over the place it came from, and without the interrupts that brought it; it costs two registers.
 */
const HANDLER = (width: RegisterWidth, level: "m" | "s", start: bigint, status: bigint): string => `
  csrr t6, ${level}epc
  sh2add t6, t6, t6
  addi t6, t6, 1030
  slli t6, t6, ${width - 14}
  srli t6, t6, ${width - 14}
  li t5, ${start}
  add t6, t6, t5
  csrw ${level}epc, t6
  csrw ${level}ie, zero
  li t5, ${status}
  csrs ${level}status, t5
  ${level}ret`;
const FLOAT_ON = 1n << 13n;
/** mstatus.TSR: then handlers of S-mode do nothing but trap themselves. */
const RETURN_TRAPS = 1n << 22n;
const BACK_TO_MACHINE = 3n << 11n;

/** After them hardly anything can be executed: most images do without. */
const UPSETTING = new Set(["mtvec", "stvec", "satp", "pmpcfg0", "pmpaddr0", "pmpaddr1", "pmpcfg1", "mcountinhibit"]);
const CSRS = [
  ..."mstatus mie mip mtvec mscratch mepc mcause mtval medeleg mideleg mcounteren mcountinhibit menvcfg pmpcfg0 pmpaddr0 pmpaddr1 tselect tdata1 tdata2".split(
    " ",
  ),
  ..."sstatus sie sip stvec sscratch sepc scause stval scounteren senvcfg satp stimecmp fcsr cycle time instret".split(" "),
  // Of RV32 alone.
  ..."mstatush menvcfgh pmpcfg1 mcycleh minstreth timeh instreth stimecmph".split(" "),
];
const csrsOf = (width: RegisterWidth): readonly string[] => CSRS.filter((name) => findCsr(name, width) !== undefined);

/** Waits that nobody ends. */
const WAIT = "wfi";
const AUIPC = 0x17;

function writeCode(random: Random, width: RegisterWidth, bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer);
  const isWild = random.chance(20);
  const rows = instructionsOf(width).filter(({ mnemonic }) => isWild || mnemonic !== WAIT);
  const csrs = csrsOf(width).filter((name) => isWild || !UPSETTING.has(name));
  for (let at = 0; at + 16 <= CODE_BYTES;) {
    const kind = random.below(100);
    if (kind < 65) {
      const row = random.pick(rows);
      view.setUint32(at, ((random.u32() & ~row.mask) | row.match) >>> 0, true);
      at += row.length;
    } else if (kind < 78) {
      const csr = (findCsr(random.pick(csrs), width) ?? 0) << 20;
      view.setUint32(at, (csr | (random.below(32) << 15) | (random.pick([1, 2, 3, 5, 6, 7]) << 12) | (random.below(32) << 7) | 0x73) >>> 0, true);
      at += 4;
    } else if (kind < 86) {
      // An address of code, for loads, stores and jumps behind it.
      view.setUint32(at, (random.below(3) << 12) | (random.below(32) << 7) | AUIPC, true);
      at += 4;
    } else if (kind < 90) {
      const call = random.pick(CALLS)(random.below(6), width);
      bytes.set(call, at);
      at += call.length;
    } else {
      view.setUint32(at, random.u32(), true);
      at += random.pick([2, 4]);
    }
  }
}

interface Space {
  readonly satp: bigint;
  /** Where the mapped pages are seen. */
  readonly start: bigint;
}

/** Schemes of translation by their levels (Volume II, 4.3 to 4.6): entries in a table, their bytes, and what satp says. */
interface Paging {
  readonly levels: number;
  readonly entries: number;
  readonly entryBytes: 4 | 8;
  readonly mode: bigint;
}
const sv = (levels: number): Paging => ({ levels, entries: 512, entryBytes: 8, mode: BigInt(levels + 5) << 60n });
const PAGINGS: Readonly<Record<RegisterWidth, readonly Paging[]>> = {
  64: [sv(3), sv(4), sv(5)],
  32: [{ levels: 2, entries: 1024, entryBytes: 4, mode: 1n << 31n }],
};
const RIGHTS = 0xffn;
/** Valid, accessed, dirty; to be read, written and executed. */
const ALL_RIGHTS = 0xcfn;
const USER = 0x10n;

/** A path of tables to eight pages, most of which may be used, and entries of chance beside it. */
function writeTables(random: Random, width: RegisterWidth, bytes: Uint8Array, base: bigint, mode: Mode): Space {
  const view = new DataView(bytes.buffer);
  const paging = random.pick(PAGINGS[width]);
  const { levels, entries, entryBytes } = paging;
  const write = (at: number, value: bigint): void => (entryBytes === 8 ? view.setBigUint64(at, value, true) : view.setUint32(at, Number(value), true));
  const indexBits = Math.log2(entries);
  const tableAt = (level: number): number => TABLES + level * PAGE;
  const entryOf = (address: bigint, bits: bigint): bigint => ((address >> 12n) << 10n) | bits;
  let start = 0n;
  for (let level = 0; level < levels; level++) {
    const isLast = level === levels - 1;
    const index = random.below(isLast ? entries - MAPPED_PAGES : entries);
    start = (start << BigInt(indexBits)) | BigInt(index);
    for (let entry = 0; entry < entries; entry++) {
      if (!random.chance(8)) continue;
      const inRam = entryOf(base + BigInt(random.below(MAPPED_PAGES) * PAGE), BigInt(random.u32()) & 0x3ffn);
      write(
        tableAt(level) + entry * entryBytes,
        random.chance(70) ? inRam : BigInt.asUintN(8 * entryBytes, (BigInt(random.u32()) << 32n) | BigInt(random.u32())),
      );
    }
    if (!isLast) write(tableAt(level) + index * entryBytes, entryOf(base + BigInt(tableAt(level + 1)), 1n));
    else {
      for (let page = 0; page < MAPPED_PAGES; page++) {
        // Valid, and with every right or with some of them.
        const ofMode = page * PAGE < HANDLERS.machine && mode === "user" ? ALL_RIGHTS | USER : ALL_RIGHTS;
        const bits = random.chance(80) || page * PAGE === HANDLERS.machine ? ofMode : (BigInt(random.u32()) & RIGHTS) | 1n;
        write(tableAt(level) + (index + page) * entryBytes, entryOf(base + BigInt(page * PAGE), bits));
      }
    }
  }
  // What translation does not look at repeats the highest bit that it does.
  const bits = indexBits * levels;
  return { satp: paging.mode | ((base >> 12n) + BigInt(TABLES / PAGE)), start: BigInt.asUintN(width, BigInt.asIntN(bits, start) << 12n) };
}

interface Case {
  readonly width: RegisterWidth;
  readonly mode: Mode;
  readonly harts: number;
  readonly image: Uint8Array;
  readonly space: Space;
  readonly base: bigint;
  readonly isPaged: boolean;
  /** The rest of the case's choices. */
  readonly random: Random;
}

function makeCase(seed: number, width: RegisterWidth, mode: Mode, harts: number): Case {
  const random = createRandom(seed);
  const base = BOARDS[width][mode].boot?.base ?? 0n;
  const image = new Uint8Array(IMAGE_BYTES);
  writeCode(random, width, image);
  const space = writeTables(random, width, image, base, mode);
  const isPaged = mode !== "machine" && random.chance(75);
  const start = isPaged ? space.start : base;
  image.set(assembled(HANDLER(width, "m", start, mode === "machine" && random.chance(70) ? BACK_TO_MACHINE | FLOAT_ON : FLOAT_ON), width), HANDLERS.machine);
  image.set(assembled(HANDLER(width, "s", start, FLOAT_ON), width), HANDLERS.supervisor);
  return { width, mode, harts, image, space, base, isPaged, random };
}

/** Registers of chance for every hart, most of them addresses that mean something. */
function scatter({ processor, machine }: Guest, { width, mode, harts, space, base, isPaged, random }: Case): void {
  const devices = machine.regions.filter((region) => region.space === "memory");
  const start = isPaged ? space.start : base;
  const anywhere = (): bigint => start + BigInt(random.below(CODE_BYTES / 2) * 2);
  function chosen(): bigint {
    const kind = random.below(100);
    if (kind < 55) return anywhere();
    if (kind < 70) return base + BigInt(random.below(machine.memory.size));
    if (kind < 85) return BigInt(random.pick(devices).base + random.below(64) * 4);
    return (BigInt(random.u32()) << 32n) | BigInt(random.u32());
  }
  for (let cpu = 0; cpu < harts; cpu++) {
    const write = (name: string, value: bigint): void => processor.writeRegister(cpu, name, BigInt.asUintN(name.startsWith("f") ? 64 : width, value));
    for (let n = 1; n < 32; n++) write(`x${n}`, chosen());
    for (let n = 0; n < 32; n++) write(`f${n}`, chosen());
    if (mode !== "supervisor") {
      write("mtvec", base + BigInt(HANDLERS.machine));
      write("pmpaddr0", (1n << 54n) - 1n);
      write("pmpcfg0", 0x1fn);
      write("medeleg", random.chance(50) ? 0xffffn : BigInt(random.u32()));
      write("mideleg", BigInt(random.u32()));
      write("mie", BigInt(random.u32()));
    }
    write("stvec", start + BigInt(HANDLERS.supervisor));
    write("mstatus", BigInt(random.u32()) & (random.chance(80) ? ~RETURN_TRAPS : -1n));
    write("satp", isPaged ? space.satp : 0n);
    write("privilege", MODE_NUMBERS[mode]);
    write("pc", anywhere());
  }
}

/** Bytes of a machine's memory that nobody has any business with: around the log of accesses, and behind the CPUs' state. */
function outside({ machine: { memory } }: Guest): readonly Uint8Array[] {
  const { bytes, dirtyOffset, logOffset, stateOffset } = memory;
  return [
    bytes.subarray(dirtyOffset + pageCount(memory), logOffset),
    bytes.subarray(logOffset + ACCESS_LOG_BYTES, stateOffset),
    bytes.subarray(stateOffset + STATE_BYTES),
  ];
}
const CANARY = 0xa5;

interface Execution {
  readonly name: string;
  readonly eagerness?: EagernessName;
  readonly isTraced?: true;
}
const EXECUTIONS: readonly Execution[] = [{ name: "as usual" }, { name: "translated at once", eagerness: "eager" }, { name: "traced", isTraced: true }];

const registersOf = (width: RegisterWidth): readonly string[] => [
  "pc",
  "privilege",
  ...csrsOf(width).filter((name) => name !== "sip" && name !== "cycle"),
  ...Array.from({ length: 32 }, (_, n) => [`x${n}`, `f${n}`]).flat(),
];
/** Some small, so that limits fall anywhere, and enough for code to become hot. */
const SLICES = [1, 7, 100, 1000, 2500];

interface Outcome {
  readonly stops: readonly string[];
  readonly console: string;
  readonly executed: number;
  readonly state: unknown;
}

function execute(
  seed: number,
  width: RegisterWidth,
  mode: Mode,
  harts: number,
  { eagerness = "normal", isTraced }: Execution,
): Outcome & { readonly regions: number } {
  const chosen = makeCase(seed, width, mode, harts);
  const { image, base, random } = chosen;
  let console = "";
  const made: RiscvProcessor[] = [];
  const createProcessor: CreateProcessor = (machine, hooks = {}) => {
    const created = createRiscv(machine, hooks, { width, eagerness });
    made.push(created);
    return created;
  };
  const created = createGuest({
    description: BOARDS[width][mode],
    cpus: harts,
    seed: BigInt(seed),
    createProcessor,
    boot: {
      image: { name: "image", program: { kind: "raw", bytes: mode === "supervisor" ? assembled(START_ALL(harts), width, base) : image } },
      cpuProperties: {},
    },
    output: (bytes) => void (console += Buffer.from(bytes).toString("latin1")),
    ...(isTraced === undefined ? {} : { trace: () => undefined }),
  });
  if (!created.ok) assert.fail(created.problem);
  const { guest } = created;
  const { machine, processor } = guest;
  try {
    if (mode === "supervisor") {
      for (
        let left = START_INSTRUCTIONS;
        left > 0 && Array.from({ length: harts }, (_, cpu) => cpu).some((cpu) => processor.cpuState(cpu) !== "running");
        left -= 50
      )
        guest.run({ instructions: 50, until: Infinity });
      machine.writeMemory(base, image);
    }
    scatter(guest, chosen);
    for (const bytes of outside(guest)) bytes.fill(CANARY);
    const before = processor.instructions();
    const stops: string[] = [];
    for (const instructions of SLICES) {
      const at = processor.instructions();
      const stop = guest.run({ instructions, until: machine.now() + 1e9 });
      assert.ok(stop.kind === "reset" || processor.instructions() - at <= instructions, "a limit was passed");
      stops.push(stop.kind === "poweroff" ? `poweroff ${stop.code}` : stop.kind);
      if (stop.kind === "poweroff") break;
      if (stop.kind === "reset") guest.restart();
      if (random.chance(20)) guest.receive(Uint8Array.of(random.below(256)));
    }
    for (const bytes of outside(guest))
      assert.ok(
        bytes.every((byte) => byte === CANARY),
        "memory outside of the guest's was written",
      );
    const { machine: contents, firmware } = guest.contents();
    const names = registersOf(width);
    const registers = Array.from({ length: harts }, (_, cpu) => names.map((name) => `${name} ${processor.readRegister(cpu, name).toString(16)}`));
    const cpus = Array.from({ length: harts }, (_, cpu) => [processor.cpuState(cpu), processor.instructions(cpu)]);
    return { regions: made[0]?.regions() ?? 0, stops, console, executed: processor.instructions() - before, state: { registers, cpus, contents, firmware } };
  } finally {
    for (const bytes of outside(guest)) bytes.fill(0);
    guest.dispose();
  }
}

/** A machine that stands beside all others while they run. */
const bystander = createGuest({
  description: BOARDS[64].supervisor,
  cpus: 2,
  seed: 1n,
  createProcessor: createRiscv64,
  boot: {
    image: { name: "bystander", program: { kind: "raw", bytes: assembled("la t0, 1f\n1: addi t1, t1, 1\nsd t1, 64(t0)\nj 1b", 64, 0x8020_0000n) } },
    cpuProperties: {},
  },
  output: () => undefined,
});
after(() => {
  if (bystander.ok) bystander.guest.dispose();
});

for (const [width, mode] of WIDTHS.flatMap((each) => MODES.map((mode) => [each, mode] as const))) {
  for (const harts of [1, 4]) {
    test(`RV${width}: ${harts} hart${harts === 1 ? "" : "s"} in ${mode} mode: limits hold, nothing outside is written, all executions agree`, () => {
      const { guest: beside } = bystander.ok ? bystander : assert.fail(bystander.problem);
      beside.run({ instructions: 1000, until: Infinity });
      const { memory } = beside.machine;
      const image = Buffer.from(memory.bytes);
      const rounds = fuzzRounds(7);
      let executed = 0;
      let translated = 0;
      for (let round = 0; round < rounds; round++) {
        const what = `GUESTSPEC_FUZZ_SEED=${FUZZ_SEED}, RV${width}, ${harts} in ${mode} mode, round ${round}`;
        const seed = FUZZ_SEED * 100_000 + MODES.indexOf(mode) * 20_000 + harts * 2000 + round;
        const outcomes = EXECUTIONS.map((execution) => {
          try {
            const { regions, ...outcome } = execute(seed, width, mode, harts, execution);
            if (execution.eagerness === "eager") translated += regions;
            return outcome;
          } catch (error) {
            throw new Error(`${what}, ${execution.name}: ${String(error)}`, { cause: error });
          }
        });
        outcomes.forEach((outcome, index) => assert.deepEqual(outcome, outcomes[0], `${what}: ${EXECUTIONS[index]?.name}`));
        executed += outcomes[0]?.executed ?? 0;
      }
      assert.ok(executed > rounds * 300, `${executed} instructions in ${rounds} rounds`);
      assert.ok(translated > 0, `${translated} regions were translated in ${rounds} rounds`);
      assert.ok(image.equals(memory.bytes), "another machine's memory was written");
    });
  }
}
