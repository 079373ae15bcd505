// Several CPUs: starting and stopping, interleaving, inter-processor interrupts, joint time: docs/bytecode.md, section 4. Results hold for
// every seed; a case runs with several. How often a scheduler draws is fixed too, but only for executors that interleave
// (`draws`), so it is not compared here beyond "none as long as one CPU is ready".

import { TEST_REGISTERS } from "../test-machine.ts";
import { TRAP_VECTOR, type ConformanceCase } from "./case.ts";
import { HANDLER } from "./time.ts";

const { RAISE, TIMER } = TEST_REGISTERS;
const SEEDS: readonly bigint[] = Array.from({ length: 12 }, (_, index) => BigInt(index * 7919 + 1));
const ONE_SEED: readonly bigint[] = [3n];
const CELLS = "data @x size 4 align 4 writable\ndata @y size 4 align 4 writable\ndata @out size 8 align 8 writable";

/** Starts CPU %2 at @other with argument 0; result in %3. Registers %0:addr, %1:addr, %2:i32, %3:i32 are there. */
const START = "%0 = func_addr @other\n%2 = const.i32 1\n%3 = cpu_start %2, %0, %1";

/** Polls until CPU %2 has stopped; uses %4:i32, %5:i8. */
const JOIN = "loop\nrelax\n%4 = cpu_state %2\n%5 = trunc.i32.i8 %4\nbr_if %5, 0\nend";

const main = (results: string, body: string, rest: string, registers = ""): string => `
func @main () -> (${results}) {
  reg %0:addr, %1:addr, %2:i32, %3:i32, %4:i32, %5:i8${registers === "" ? "" : `, ${registers}`}
  ${body}
}
${rest}`;

const RETURNS = "func @other (addr) -> () {\nreturn\n}";
const SPINS = "func @other (addr) -> () {\nloop\nbr 0\nend\nreturn\n}";

const starting: readonly ConformanceCase[] = [
  {
    name: "cpu_id, cpu_count and cpu_state at reset",
    cpus: 3,
    program: `func @main () -> (i32, i32, i32, i32, i32, i32) {
  reg %0:i32, %1:i32, %2:i32, %3:i32, %4:i32, %5:i32
  %0 = cpu_id
  %1 = cpu_count
  %2 = cpu_state %0
  %3 = const.i32 2
  %3 = cpu_state %3
  %4 = const.i32 3
  %4 = cpu_state %4
  %5 = const.i32 -1
  %5 = cpu_state %5
  return %0, %1, %2, %3, %4, %5
}`,
    expect: { outcome: "returned 0, 3, 1, 0, 2, 2", instructions: 10, draws: 0 },
  },
  {
    name: "cpu_start refuses what it cannot start",
    cpus: 2,
    program: main(
      "i32, i32, i32, i32",
      `%2 = const.i32 2
  %6 = cpu_start %2, %0, %1
  %2 = const.i32 0
  %0 = func_addr @other
  %7 = cpu_start %2, %0, %1
  %2 = const.i32 1
  %8 = cpu_start %2, %1, %1
  %0 = func_addr @main
  %9 = cpu_start %2, %0, %1
  return %6, %7, %8, %9`,
      RETURNS,
      "%6:i32, %7:i32, %8:i32, %9:i32",
    ),
    expect: { outcome: "returned 1, 2, 3, 3", instructions: 10, draws: 0 },
  },
  {
    name: "a started CPU runs with its argument and identity, and stops when its function returns",
    cpus: 2,
    seeds: SEEDS,
    program: `${CELLS}
${main(
  "i32, i32, i32, i32",
  `%1 = symbol_addr @x
  ${START}
  ${JOIN}
  %4 = cpu_state %2
  %6 = load.i32 %1
  %0 = symbol_addr @y
  %7 = load.i32 %0
  return %3, %4, %6, %7`,
  `func @other (addr) -> () {
  reg %1:i32, %2:addr, %3:i8
  %1 = const.i32 55
  store.i32 %0, %1
  %1 = cpu_id
  %2 = symbol_addr @y
  store.i32 %2, %1
  return
}`,
  "%6:i32, %7:i32",
)}`,
    expect: { outcome: "returned 0, 0, 55, 1" },
  },
  {
    name: "a CPU that runs is not started again; a stopped one may be",
    cpus: 2,
    seeds: SEEDS,
    program: `${CELLS}
${main(
  "i32, i32, i32",
  `${START}
  %6 = cpu_start %2, %0, %1
  %1 = symbol_addr @x
  store.i32 %1, %2
  ${JOIN}
  %7 = cpu_start %2, %0, %1
  ${JOIN}
  return %3, %6, %7`,
  `func @other (addr) -> () {
  reg %1:addr, %2:i32, %3:i8, %4:i32
  %1 = symbol_addr @x
  loop
    %2 = load.i32 %1
    %3 = eq.i32 %2, %4
    br_if %3, 0
  end
  return
}`,
  "%6:i32, %7:i32",
)}`,
    expect: { outcome: "returned 0, 2, 0" },
  },
  {
    name: "the run ends when CPU 0 returns, whatever the others do",
    cpus: 2,
    seeds: ONE_SEED,
    program: main("i32", `${START}\nreturn %3`, SPINS),
    expect: { outcome: "returned 0" },
  },
  {
    name: "CPUs other than 0 are stopped at the start of a run",
    cpus: 2,
    program: main("i32", "%2 = const.i32 1\n%3 = cpu_state %2\nreturn %3", RETURNS),
    expect: { outcome: "returned 0", draws: 0 },
  },
  {
    name: "an unhandled trap of any CPU stops the machine",
    cpus: 2,
    seeds: SEEDS,
    program: `${TRAP_VECTOR}\n${main("i32", `${START}\nloop\nbr 0\nend\nreturn %3`, "func @other (addr) -> () {\nreg %1:i64\n%1 = const.i64 6\ntrap breakpoint, %1\n}")}`,
    expect: { outcome: "unhandled-trap breakpoint other:1, value 6, cpu1 sp top-64" },
  },
  {
    name: "a first function without stack is an unhandled trap of its CPU",
    cpus: 2,
    program: main("i32", `${START}\nreturn %3`, "func @other (addr) -> () frame 65536 {\nreturn\n}"),
    expect: { outcome: "unhandled-trap stack_overflow other:0, cpu1 sp top-0", instructions: 3, draws: 0 },
  },
  {
    name: "guards belong to their CPU",
    cpus: 2,
    seeds: SEEDS,
    program: `${TRAP_VECTOR}
${CELLS}
${main(
  "i32, i32",
  `${START}\n${JOIN}\n%0 = symbol_addr @x\n%4 = load.i32 %0\nreturn %3, %4`,
  `func @other (addr) -> () {
  reg %1:i32, %2:addr
  %2 = func_addr @faulty
  %1 = guard %2, %0
  %2 = symbol_addr @x
  store.i32 %2, %1
  return
}
func @faulty (addr) -> () {
  reg %1:i32
  %1 = load.i32 %0
  return
}`,
)}`,
    expect: { outcome: "returned 0, 77" },
  },
];

/** Each of CPUs 1 .. 3 and 0 adds 1 a hundred times to @x with `add`; @y counts those that are done. */
const COUNTERS = `${CELLS}
func @main () -> (i32) {
  reg %0:addr, %1:addr, %2:i32, %3:i32, %4:i8, %5:i32
  %0 = func_addr @count
  %3 = const.i32 1
  loop
    %2 = add.i32 %2, %3
    %5 = cpu_start %2, %0, %1
    %5 = cpu_count
    %5 = sub.i32 %5, %3
    %4 = lt_u.i32 %2, %5
    br_if %4, 0
  end
  call @count, %1
  %0 = symbol_addr @y
  %5 = cpu_count
  loop
    relax
    %2 = atomic_load.i32 %0
    %4 = ne.i32 %2, %5
    br_if %4, 0
  end
  %0 = symbol_addr @x
  %2 = load.i32 %0
  return %2
}
func @count (addr) -> () {
  reg %1:i32, %2:i32, %3:i32, %4:i8
  %0 = symbol_addr @x
  %1 = const.i32 1
  %2 = const.i32 100
  loop
    %3 = atomic_rmw.i32 add, %0, %1
    %2 = sub.i32 %2, %1
    %4 = trunc.i32.i8 %2
    br_if %4, 0
  end
  %0 = symbol_addr @y
  %3 = atomic_rmw.i32 add, %0, %1
  return
}`;

const interleaving: readonly ConformanceCase[] = [
  {
    name: "atomic additions of four CPUs lose nothing",
    cpus: 4,
    seeds: SEEDS,
    program: COUNTERS,
    expect: { outcome: "returned 400", memory: { y: [{ type: "i32", values: [4] }] } },
  },
  { name: "atomic additions of eight CPUs lose nothing", cpus: 8, seeds: ONE_SEED, program: COUNTERS, expect: { outcome: "returned 800" } },
  {
    name: "store buffering does not exist: of two CPUs that store and then load, one sees the other",
    cpus: 2,
    seeds: SEEDS,
    program: `${CELLS}
${main(
  "i8",
  `${START}
  %2 = const.i32 1
  %0 = symbol_addr @x
  store.i32 %0, %2
  %0 = symbol_addr @y
  %6 = load.i32 %0
  ${JOIN}
  %0 = symbol_addr @out
  %7 = load.i32 %0
  %6 = or.i32 %6, %7
  %7 = const.i32 0
  %5 = ne.i32 %6, %7
  return %5`,
  `func @other (addr) -> () {
  reg %1:i32, %2:addr
  %1 = const.i32 1
  %2 = symbol_addr @y
  store.i32 %2, %1
  %2 = symbol_addr @x
  %1 = load.i32 %2
  %2 = symbol_addr @out
  store.i32 %2, %1
  return
}`,
  "%6:i32, %7:i32",
)}`,
    expect: { outcome: "returned 1" },
  },
  {
    name: "a message is seen behind its flag",
    cpus: 2,
    seeds: SEEDS,
    program: `${CELLS}
${main(
  "i32",
  `${START}
  %0 = symbol_addr @x
  %4 = const.i32 1234
  store.i32 %0, %4
  %0 = symbol_addr @y
  %4 = const.i32 1
  atomic_store.i32 %0, %4
  ${JOIN}
  %0 = symbol_addr @out
  %4 = load.i32 %0
  return %4`,
  `func @other (addr) -> () {
  reg %1:i32, %2:i8, %3:i32
  %0 = symbol_addr @y
  loop
    %1 = atomic_load.i32 %0
    %2 = eq.i32 %1, %3
    br_if %2, 0
  end
  %0 = symbol_addr @x
  %1 = load.i32 %0
  %0 = symbol_addr @out
  store.i32 %0, %1
  return
}`,
)}`,
    expect: { outcome: "returned 1234" },
  },
];

const waking: readonly ConformanceCase[] = [
  {
    name: "an inter-processor interrupt wakes a waiting CPU and runs its handler there",
    cpus: 2,
    seeds: SEEDS,
    program: `${CELLS}
${HANDLER.replace("%3 = shl.i32 %3, %0", "%3 = const.i32 257")}
${main(
  "i32",
  `${START}
  %0 = const.addr 0x10000000
  %4 = const.i32 257
  store_volatile.i32 %0, %4, +${RAISE}
  ${JOIN}
  %0 = symbol_addr @out
  %4 = load.i32 %0
  return %4`,
  `func @other (addr) -> () {
  reg %1:i8, %2:addr, %3:i32
  wait
  %1 = irq_enable
  %2 = symbol_addr @seen
  %3 = load.i32 %2
  %2 = symbol_addr @out
  store.i32 %2, %3
  return
}`,
)}`,
    expect: { outcome: "returned 1" },
  },
  {
    name: "a line that is high before the wait is not lost",
    cpus: 2,
    seeds: SEEDS,
    program: `${CELLS}
${main(
  "i32",
  `${START}
  %0 = const.addr 0x10000000
  %4 = const.i32 257
  store_volatile.i32 %0, %4, +${RAISE}
  ${JOIN}
  %0 = symbol_addr @out
  %4 = load.i32 %0
  return %4`,
  `func @other (addr) -> () {
  reg %1:i32
  wait
  %1 = irq_pending
  %0 = symbol_addr @out
  store.i32 %0, %1
  return
}`,
)}`,
    expect: { outcome: "returned 1" },
  },
  {
    name: "lines and masks belong to their CPU",
    cpus: 2,
    seeds: SEEDS,
    program: `${CELLS}
${main(
  "i32, i32",
  `${START}
  %0 = const.addr 0x10000000
  %4 = const.i32 258
  store_volatile.i32 %0, %4, +${RAISE}
  %3 = irq_pending
  ${JOIN}
  %0 = symbol_addr @out
  %4 = load.i32 %0
  return %3, %4`,
  `func @other (addr) -> () {
  reg %1:i32
  wait
  %1 = irq_pending
  %0 = symbol_addr @out
  store.i32 %0, %1
  return
}`,
)}`,
    expect: { outcome: "returned 0, 2" },
  },
  {
    name: "two CPUs that wait for nothing are a deadlock",
    cpus: 2,
    seeds: SEEDS,
    program: main("i32", `${START}\nwait\nreturn %3`, "func @other (addr) -> () {\nwait\nreturn\n}"),
    expect: { outcome: "deadlock main:3", instructions: 5, time: 5 },
  },
  {
    name: "time jumps when every CPU waits",
    cpus: 2,
    seeds: SEEDS,
    program: main(
      "i32",
      `${START}\n%0 = const.addr 0x10000000\n%4 = const.i32 100000\nstore_volatile.i32 %0, %4, +${TIMER}\nwait\n%4 = irq_pending\nreturn %4`,
      "func @other (addr) -> () {\nwait\nreturn\n}",
    ),
    expect: { outcome: "returned 2" },
  },
  {
    name: "CPU 0 wakes for its timeout while another CPU spins",
    cpus: 2,
    seeds: SEEDS,
    limits: { deadline: 20_000 },
    program: `${TRAP_VECTOR}
${main(
  "i32",
  `%0 = func_addr @body\n%4 = guard %0, %1\nreturn %4`,
  `func @body (addr) -> () {
  reg %1:addr, %2:i32, %3:i32
  %1 = func_addr @other
  %2 = const.i32 1
  %3 = cpu_start %2, %1, %0
  wait
  return
}
${SPINS}`,
)}`,
    expect: { outcome: "returned 77" },
  },
  {
    name: "relaxing CPUs pass time together",
    cpus: 2,
    seeds: SEEDS,
    limits: { instructions: 10_000 },
    program: `${TRAP_VECTOR}
${CELLS}
${main(
  "i32",
  `${START}
  %0 = const.addr 0x10000000
  %4 = const.i32 1000000
  store_volatile.i32 %0, %4, +${TIMER}
  loop
    relax
    %4 = irq_pending
    %5 = trunc.i32.i8 %4
    %5 = clz.i8 %5
    %6 = const.i8 8
    %5 = eq.i8 %5, %6
    br_if %5, 0
  end
  return %4`,
  "func @other (addr) -> () {\nloop\nrelax\nbr 0\nend\nreturn\n}",
  "%6:i8",
)}`,
    // A million ns by rounds of at most 1000 ns takes about 1000 rounds of 9 instructions: spinning would exceed the limit.
    expect: { outcome: "returned 2" },
  },
];

export const cpuCases: readonly ConformanceCase[] = [...starting, ...interleaving, ...waking];
