// A guest that went through a file is the guest that went on: with four harts that race, timers, interrupts, typed bytes that wait, paged
// memory and firmware's state, split at many places. And every file that is not as it was written is refused with its code.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { assemble, formatProblem } from "../../isa/riscv64/assemble.ts";
import { loadMachine } from "../../machines/load-machine.ts";
import { createRandom, FUZZ_SEED } from "../../tests/fixtures/random.ts";
import { riscvVirt } from "../../tests/fixtures/machines.ts";
import { createRiscv64 } from "../cpus/riscv64/processor.ts";
import { createGuest, type Guest } from "./guest.ts";
import { checkContents, checkMachine, machineKeyOf, readSnapshot, SNAPSHOT_FORMAT, writeSnapshot, type SnapshotFile } from "./snapshot-file.ts";

const loaded = loadMachine("riscv-virt-sbi");
const board = loaded?.ok === true ? loaded.machine : assert.fail("there is no riscv-virt-sbi");
const CPUS = 4;
const VERSION = "1.2.3";

/** Their memory goes back to the pool. */
const guests: Guest[] = [];
function disposeAll(): void {
  for (const guest of guests.splice(0)) guest.dispose();
}
afterEach(disposeAll);

/**
 * Hart 0 starts the others over HSM. Each of them counts in shared memory with atomics, sets its timer, takes its interrupts and sometimes
 * waits; hart 0 runs with Sv39 on, one gigabyte page to itself, echoes what is typed and prints a letter now and then.
 */
const PROGRAM = `
  la t0, table
  li t1, 0x80000
  slli t1, t1, 10
  li t2, 0xcf
  or t1, t1, t2
  sd t1, 16(t0)
  li t1, 0xcf
  sd t1, 0(t0)
  srli t0, t0, 12
  li t1, 8
  slli t1, t1, 60
  or t0, t0, t1
  csrw satp, t0
  li s1, 1
start:
  li a7, 0x48534d
  li a6, 0
  mv a0, s1
  la a1, other
  mv a2, s1
  ecall
  addi s1, s1, 1
  li t0, ${CPUS}
  bne s1, t0, start
  li s2, 0x10000000
echo:
  lbu t1, 5(s2)
  andi t1, t1, 1
  beqz t1, spin
  lbu t1, 0(s2)
  sb t1, 0(s2)
spin:
  li t3, 331
1: addi t3, t3, -1
  bnez t3, 1b
  la t0, shared
  li t1, 1
  amoadd.d t1, t1, (t0)
  andi t1, t1, 63
  addi t1, t1, 48
  sb t1, 0(s2)
  j echo
other:
  la t0, handler
  csrw stvec, t0
  li t0, 0x20
  csrw sie, t0
  csrsi sstatus, 2
  fcvt.d.l fa0, a1
  mv s0, a1
again:
  rdtime a0
  li t0, 37
  mul t0, t0, s0
  add a0, a0, t0
  li a7, 0x54494d45
  li a6, 0
  ecall
  la t0, shared
  mv t1, s0
2: lr.d t2, (t0)
  add t2, t2, t1
  sc.d t3, t2, (t0)
  bnez t3, 2b
  fadd.d fa0, fa0, fa0
  wfi
  j again
  .align 2
handler:
  addi s3, s3, 1
  li t0, -1
  csrw stimecmp, t0
  sret
  .align 12
table: .zero 4096
shared: .dword 0
`;

const assembly = assemble(PROGRAM, { origin: board.boot?.base ?? 0n });
const image = { name: "program", bytes: assembly.ok ? assembly.bytes : assert.fail(assembly.problems.map(formatProblem).join("\n")) };

interface Started {
  readonly guest: Guest;
  readonly said: () => string;
  readonly trace: readonly string[];
}

function start(seed: bigint, isTraced = false): Started {
  let output = "";
  const trace: string[] = [];
  const created = createGuest({
    description: board,
    cpus: CPUS,
    seed,
    createProcessor: createRiscv64,
    boot: { image: { name: image.name, program: { kind: "raw", bytes: image.bytes } }, cpuProperties: {} },
    output: (bytes) => void (output += Buffer.from(bytes).toString("latin1")),
    ...(isTraced ? { trace: (cpu, pc, bits) => void trace.push(`${cpu} ${pc.toString(16)} ${bits.toString(16)}`) } : {}),
  });
  if (!created.ok) assert.fail(created.problem);
  guests.push(created.guest);
  return { guest: created.guest, said: () => output, trace };
}

function fileOf({ guest, said }: Started, seed: bigint): SnapshotFile {
  return {
    about: {
      writtenBy: VERSION,
      machine: board.name,
      machineKey: machineKeyOf(board),
      cpus: CPUS,
      seed,
      commandLine: null,
      instructions: guest.processor.instructions(),
      time: guest.machine.now(),
      consoleBytes: said().length,
    },
    image,
    firmware: null,
    initrd: { name: "disk", bytes: Uint8Array.of(1, 2, 3) },
    contents: guest.contents(),
  };
}

function read(bytes: Uint8Array): SnapshotFile {
  const found = readSnapshot(bytes, "a.snap", VERSION);
  return found.ok ? found.snapshot : assert.fail(found.problem.message);
}

const TYPED = new TextEncoder().encode("what is typed waits in the line until somebody reads it");
function advance({ guest }: Started, instructions: number): void {
  assert.deepEqual(guest.run({ instructions, until: Infinity }), { kind: "limit" });
}

test("a run that goes through a file is the run that goes on: console, registers, counts, memory, time", () => {
  const random = createRandom(FUZZ_SEED);
  const interrupts = [0, 0, 0, 0];
  for (let round = 0; round < 12; round++) {
    const [first, second] = [1 + random.below(round < 6 ? 3000 : 50_000), 10_000 + random.below(30_000)];
    const seed = BigInt(random.u32());
    const whole = start(seed);
    whole.guest.receive(TYPED);
    advance(whole, first + second);
    const begun = start(seed);
    begun.guest.receive(TYPED);
    advance(begun, first);
    const continued = start(seed);
    continued.guest.setContents(read(writeSnapshot(fileOf(begun, seed))).contents);
    advance(continued, second);
    const what = `FUZZ_SEED ${FUZZ_SEED}, round ${round}: ${first} + ${second} instructions`;
    assert.equal(begun.said() + continued.said(), whole.said(), what);
    assert.deepEqual(continued.guest.contents(), whole.guest.contents(), what);
    for (const cpu of [1, 2, 3]) interrupts[cpu] = (interrupts[cpu] ?? 0) + Number(whole.guest.processor.readRegister(cpu, "s3"));
    // It was only looked at.
    advance(begun, second);
    assert.deepEqual(begun.guest.contents(), whole.guest.contents(), what);
    disposeAll();
  }
  assert.ok(
    interrupts.slice(1).every((count) => count > 12),
    `interrupts of the CPUs: ${interrupts.join(", ")}`,
  );
});

test("the trace goes on where it was, whether the first part was traced or not", () => {
  const seed = 5n;
  const whole = start(seed, true);
  advance(whole, 30_000);
  const begun = start(seed);
  advance(begun, 20_000);
  const continued = start(seed, true);
  continued.guest.setContents(read(writeSnapshot(fileOf(begun, seed))).contents);
  advance(continued, 10_000);
  assert.equal(continued.trace.length, 10_000);
  assert.deepEqual(continued.trace, whole.trace.slice(20_000));
});

test("a reset of a guest that goes on loads what the file brought, with the same seed", () => {
  const begun = start(9n);
  advance(begun, 50_000);
  const continued = start(9n);
  continued.guest.setContents(read(writeSnapshot(fileOf(begun, 9n))).contents);
  continued.guest.restart();
  const fresh = start(9n);
  for (const each of [continued, fresh]) advance(each, 40_000);
  assert.deepEqual(continued.guest.contents(), fresh.guest.contents());
});

test("a breakpoint that was told is not told again, one that was not is", () => {
  const place = (board.boot?.base ?? 0n) + 4n;
  const begun = start(1n);
  begun.guest.setBreakpoints([place]);
  const limits = { instructions: 1000, until: Infinity };
  assert.deepEqual(begun.guest.run(limits), { kind: "breakpoint", cpu: 0, pc: place });
  const file = writeSnapshot(fileOf(begun, 1n));
  const continued = start(1n);
  continued.guest.setContents(read(file).contents);
  continued.guest.setBreakpoints([place]);
  assert.deepEqual(continued.guest.run(limits), { kind: "limit" });
  const untold = start(1n);
  advance(untold, 1);
  const another = start(1n);
  another.guest.setContents(read(writeSnapshot(fileOf(untold, 1n))).contents);
  another.guest.setBreakpoints([place]);
  assert.deepEqual(another.guest.run(limits), { kind: "breakpoint", cpu: 0, pc: place });
});

test("a file is what was written, twice the same, and holds no page of zeros", () => {
  const begun = start(3n);
  advance(begun, 20_000);
  const file = fileOf(begun, 3n);
  const bytes = writeSnapshot(file);
  assert.deepEqual(writeSnapshot(fileOf(begun, 3n)), bytes);
  const { contents, ...rest } = read(bytes);
  const { contents: written, ...restWritten } = file;
  assert.deepEqual(contents, written);
  assert.deepEqual({ ...rest, image: Buffer.from(rest.image.bytes).toString("hex") }, { ...restWritten, image: Buffer.from(image.bytes).toString("hex") });
  assert.ok(contents.machine.pages.every((page) => page.bytes.some((byte) => byte !== 0)));
  assert.ok(bytes.length < 0x1_0000, `${bytes.length} bytes`);
});

const problemOf = (bytes: Uint8Array, version = VERSION): string => {
  const found = readSnapshot(bytes, "a.snap", version);
  return found.ok ? assert.fail("it is read") : `${found.problem.code} ${found.problem.message}`;
};

test("a file that was cut anywhere, or of which any byte is another, is refused", () => {
  const begun = start(4n);
  advance(begun, 5000);
  const bytes = writeSnapshot(fileOf(begun, 4n));
  assert.match(problemOf(new Uint8Array()), /^E0901 .*the file is empty$/);
  assert.match(problemOf(bytes.subarray(0, 5)), /^E0903 .*expected a header of 52 bytes, found 5 bytes$/);
  for (const length of [8, 40, 51, 52, 60, 500, bytes.length - 1]) assert.match(problemOf(bytes.subarray(0, length)), /^E0903 a\.snap is damaged: expected/);
  assert.match(problemOf(Buffer.concat([bytes, Buffer.from("\n")])), /^E0903 .*expected [\d,]+ bytes, found [\d,]+ bytes$/);
  const random = createRandom(FUZZ_SEED);
  for (const at of [...Array.from({ length: 60 }, (_, index) => index), ...Array.from({ length: 60 }, () => random.below(bytes.length))]) {
    const changed = Uint8Array.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ (1 << random.below(8));
    assert.match(problemOf(changed), at < 8 ? /^E0901 / : at < 12 ? /^E0902 / : /^E0903 /, `byte ${at}`);
  }
});

test("other files, versions and machines are told apart", () => {
  const begun = start(4n);
  const file = fileOf(begun, 4n);
  const bytes = writeSnapshot(file);
  assert.match(problemOf(Buffer.from("\x7fELF\x02\x01\x01\0", "latin1")), /^E0901 .*but this is an ELF file$/);
  assert.match(problemOf(Buffer.from("hello, world")), /^E0901 .*begins with "hello, w"$/);
  assert.match(problemOf(bytes, "1.2.4"), /^E0902 a\.snap was written by guestspec 1\.2\.3: this is 1\.2\.4$/);
  const newer = Buffer.from(bytes);
  newer.writeUInt32LE(SNAPSHOT_FORMAT + 1, 8);
  assert.match(problemOf(newer), /^E0902 a\.snap has format 3: guestspec 1\.2\.3 reads format 2$/);
  const { about } = read(bytes);
  assert.equal(checkMachine(about, board, "a.snap"), null);
  assert.equal(checkMachine(about, { ...board, name: "a copy", summary: "of the same" }, "a.snap"), null);
  assert.equal(checkMachine(about, { ...board, ram: { ...board.ram, size: board.ram.size * 2 } }, "a.snap")?.code, "E0904");
  assert.match(checkMachine(about, riscvVirt, "a.snap")?.message ?? "", /^a\.snap was taken of riscv-virt-sbi, .*: riscv-virt has /);
});

test("state that does not fit is found before it is loaded", () => {
  const { guest } = start(4n);
  const fresh = guest.contents();
  const { machine } = fresh;
  const names = guest.machine.deviceNames;
  const withDevices = (devices: typeof machine.state.devices): typeof fresh => ({ ...fresh, machine: { ...machine, state: { ...machine.state, devices } } });
  assert.equal(checkContents(fresh, fresh, names, "a.snap"), null);
  const rows = [
    [withDevices(machine.state.devices.map((state, index) => (names[index] === "uart0" ? { msip: [] } : state))), /expected uart0 with \{/],
    [withDevices(machine.state.devices.slice(1)), /expected \w+ with /],
    [{ ...fresh, processor: { total: 1 } }, /expected the CPUs with \{active, .*found \{total\}$/],
    [{ ...fresh, firmware: null }, /expected firmware with .* found null$/],
    [{ ...fresh, toldAt: [-1] }, /expected the machine with 4 CPUs, found 1$/],
  ] as const;
  for (const [contents, message] of rows) {
    const problem = checkContents(contents, fresh, names, "a.snap");
    assert.match(problem?.message ?? "", message);
    assert.equal(problem?.code, "E0905");
  }
});
