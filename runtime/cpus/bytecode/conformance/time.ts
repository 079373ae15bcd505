// Interrupts, poll points, guest time, idling and limits on one CPU: docs/bytecode.md, sections 3 and 5.

import { TEST_REGISTERS } from "../test-machine.ts";
import { guarded, infoCells, TRAP_VECTOR, type ConformanceCase } from "./case.ts";

const { RAISE, LOWER, EXIT_AFTER, NOW, TIMER } = TEST_REGISTERS;

/** @seen becomes seen * 8 + cause + 1; the handler lowers its line. Entry and 12 instructions: 13 ns. */
export const HANDLER = `
interrupt_vector @on_interrupt
data @seen size 4 align 4 writable
func @on_interrupt (i32) -> () {
  reg %1:addr, %2:i32, %3:i32, %4:addr
  %1 = symbol_addr @seen
  %2 = load.i32 %1
  %3 = const.i32 8
  %2 = mul.i32 %2, %3
  %2 = add.i32 %2, %0
  %3 = const.i32 1
  %2 = add.i32 %2, %3
  store.i32 %1, %2
  %3 = shl.i32 %3, %0
  %4 = const.addr 0x10000000
  store_volatile.i32 %4, %3, +${LOWER}
  return
}`;
const HANDLED = 13;

/** @main () -> results; %0 is the device, %1 the argument of stores, %2 and so on as declared. */
function program(registers: string, results: string, body: string, rest = ""): string {
  return `${rest}
func @main () -> (${results}) {
  reg %0:addr, %1:i32${registers === "" ? "" : `, ${registers}`}
  %0 = const.addr 0x10000000
  ${body}
}
func @nothing () -> () {
  return
}`;
}

const write = (value: number | string, register: number): string => `%1 = const.i32 ${value}\nstore_volatile.i32 %0, %1, +${register}`;
const SEEN = (...causes: readonly number[]): number => causes.reduce((sum, cause) => sum * 8 + cause + 1, 0);
const seen = (...causes: readonly number[]): Readonly<Record<string, [{ type: "i32"; values: number[] }]>> => ({
  seen: [{ type: "i32", values: [SEEN(...causes)] }],
});

const interrupts: readonly ConformanceCase[] = [
  {
    name: "interrupts are taken at poll points, one at each, lowest cause first",
    program: program(
      "%2:i32, %3:i8, %4:i8",
      "i32, i8",
      `${write(7, RAISE)}
  %2 = irq_pending
  call @nothing
  %3 = irq_enable
  %1 = const.i32 1
  call @nothing
  loop
    %4 = ne.i32 %1, %2
    %2 = copy.i32 %1
    br_if %4, 0
  end
  return %2, %3`,
      HANDLER,
    ),
    expect: { outcome: "returned 1, 0", instructions: 17 + 3 * HANDLED, memory: seen(0, 1, 2) },
  },
  {
    name: "irq_mask keeps causes out, and gives the mask before",
    program: program(
      "%2:i32, %3:i32, %4:i8",
      "i32, i32",
      `${write(7, RAISE)}\n%1 = const.i32 -4\n%2 = irq_mask %1\n%4 = irq_enable\ncall @nothing\n%3 = irq_mask %2\nreturn %2, %3`,
      HANDLER,
    ),
    expect: { outcome: "returned 7, 4", instructions: 10 + HANDLED, memory: seen(2) },
  },
  {
    name: "irq_enable and irq_disable give the state before",
    program: program(
      "%2:i8, %3:i8, %4:i8, %5:i8",
      "i8, i8, i8, i8",
      "%2 = irq_disable\n%3 = irq_enable\n%4 = irq_enable\n%5 = irq_disable\nreturn %2, %3, %4, %5",
    ),
    expect: { outcome: "returned 0, 0, 1, 1", instructions: 6 },
  },
  {
    name: "interrupts are never taken without a vector",
    program: program("%2:i8, %3:i32", "i32", `${write(1, RAISE)}\n%2 = irq_enable\ncall @nothing\n%3 = irq_pending\nreturn %3`),
    expect: { outcome: "returned 1", instructions: 8 },
  },
  {
    name: "a line that stays high is taken at every poll point",
    program: program(
      "%2:i8, %3:i32, %4:i32, %5:addr",
      "i32",
      `${write(2, RAISE)}
  %2 = irq_enable
  %3 = const.i32 5
  %4 = const.i32 1
  loop
    %3 = sub.i32 %3, %4
    %2 = trunc.i32.i8 %3
    br_if %2, 0
  end
  %5 = symbol_addr @count
  %3 = load.i32 %5
  return %3`,
      `interrupt_vector @on_interrupt
data @count size 4 align 4 writable
func @on_interrupt (i32) -> () {
  reg %1:addr, %2:i32
  %1 = symbol_addr @count
  %2 = load.i32 %1
  %2 = add.i32 %2, %0
  store.i32 %1, %2
  call @nothing
  return
}`,
    ),
    expect: { outcome: "returned 5", instructions: 6 + 15 + 3 + 5 * 8 },
  },
  {
    name: "a handler may let other interrupts in",
    program: program(
      "%2:i8, %3:i32, %4:addr",
      "i32, i8",
      `${write(4, RAISE)}\n%2 = irq_enable\n%4 = symbol_addr @trace\n%3 = load.i32 %4\n%2 = irq_disable\nreturn %3, %2`,
      `interrupt_vector @on_interrupt
data @trace size 4 align 4 writable
func @on_interrupt (i32) -> () {
  reg %1:addr, %2:i32, %3:i32, %4:addr, %5:i8
  %4 = const.addr 0x10000000
  %3 = const.i32 1
  %3 = shl.i32 %3, %0
  store_volatile.i32 %4, %3, +${LOWER}
  %5 = const.i8 2
  %2 = const.i32 2
  %5 = eq.i32 %0, %2
  if %5
    %3 = const.i32 3
    store_volatile.i32 %4, %3, +${RAISE}
    %5 = irq_enable
    call @nothing
  end
  %1 = symbol_addr @trace
  %2 = load.i32 %1
  %3 = const.i32 8
  %2 = mul.i32 %2, %3
  %2 = add.i32 %2, %0
  %3 = const.i32 1
  %2 = add.i32 %2, %3
  store.i32 %1, %2
  return
}`,
    ),
    // Cause 2 is entered first; at its irq_enable comes 0, at the entry of @nothing 1; they finish in this order.
    expect: { outcome: `returned ${SEEN(0, 1, 2)}, 1` },
  },
  {
    name: "an interrupt at a loop's start comes before the next round",
    program: program(
      "%2:i8, %3:i32, %4:i32, %5:addr, %6:i32, %7:i32",
      "i32",
      `%5 = symbol_addr @seen
  %2 = irq_enable
  %3 = const.i32 1
  loop
    ${write(2, RAISE)}
    %4 = add.i32 %4, %3
    %6 = load.i32 %5
    %2 = eq.i32 %6, %7
    br_if %2, 0
  end
  return %4`,
      HANDLER,
    ),
    // The first round finds nothing seen; the branch back takes the interrupt, so the second round is the last.
    expect: { outcome: "returned 2", instructions: 4 + 2 * 6 + HANDLED + 1, memory: seen(1) },
  },
];

const events: readonly ConformanceCase[] = [
  {
    name: "an event fires at the first poll point at or after its time",
    // The store starts at 5, so the timer is due at 25. Rounds of 3 from 6 on: polls at 9, 12, .. 27.
    program: program(
      "%2:i8, %3:i32, %4:i32, %5:i32",
      "",
      `%4 = const.i32 1
  %5 = const.i32 1000
  %2 = irq_enable
  ${write(20, TIMER)}
  loop
    %3 = add.i32 %3, %4
    %2 = ne.i32 %3, %5
    br_if %2, 0
  end
  return`,
      `interrupt_vector @on_interrupt
func @on_interrupt (i32) -> () {
  reg %1:addr, %2:i32, %3:i64
  %3 = time
  %2 = trunc.i64.i32 %3
  %1 = const.addr 0x10000000
  store_volatile.i32 %1, %2, +${TEST_REGISTERS.EXIT}
  return
}`,
    ),
    // Entry takes 1, then `time` reads its own start.
    expect: { outcome: "exit 28" },
  },
  {
    name: "device accesses fire due events first; nothing else between poll points does",
    program: program(
      "%2:i32, %3:i32, %4:i32, %5:i32",
      "i32, i32, i32, i32",
      `${write(3, TIMER)}
  %2 = irq_pending
  fence
  fence
  fence
  %3 = irq_pending
  %4 = load_volatile.i32 %0, +${NOW}
  %5 = irq_pending
  return %2, %3, %4, %5`,
    ),
    expect: { outcome: "returned 0, 0, 8, 2", instructions: 11 },
  },
  {
    name: "an event that is not due yet does not fire at an access",
    program: program("%2:i32, %3:i32", "i32, i32", `${write(3, TIMER)}\nfence\n%2 = load_volatile.i32 %0, +${NOW}\n%3 = irq_pending\nreturn %2, %3`),
    expect: { outcome: "returned 4, 0", instructions: 7 },
  },
  {
    name: "an event that ends the machine lets the accessing instruction complete",
    program: program(
      "%2:i32",
      "",
      `${write(9, EXIT_AFTER)}\n%2 = const.i32 1\n${"fence\n".repeat(10)}store_volatile.i32 %0, %2\nstore_volatile.i32 %0, %2\nreturn`,
    ),
    expect: { outcome: "exit 0", instructions: 15, log: [`w4 +${EXIT_AFTER.toString(16)}=9 @2`, "w4 +0=1 @14"] },
  },
  {
    name: "time counts instructions, structure free, block moves by their length",
    program: `data @area size 100 align 8 writable
func @main () -> (i64, i64, i64) {
  reg %0:i64, %1:i64, %2:i64, %3:addr, %4:addr, %5:i8
  %0 = time
  block
    loop
      if %5
      else
        %5 = const.i8 1
      end
    end
  end
  %1 = time
  %3 = symbol_addr @area
  %4 = const.addr 100
  mem_fill %3, %5, %4
  %2 = time
  return %0, %1, %2
}`,
    expect: { outcome: `returned 0, 3, ${3 + 1 + 2 + 14}`, instructions: 22, time: 22 },
  },
  {
    name: "relax without events passes 1000 ns",
    program: "func @main () -> (i64) {\nreg %0:i64\nrelax\n%0 = time\nreturn %0\n}",
    expect: { outcome: "returned 1001", instructions: 3, time: 1003 },
  },
  {
    name: "relax goes to the next event, and then polls",
    program: program("%2:i64, %3:i32", "i64, i32", `${write(300, TIMER)}\nrelax\n%2 = time\n%3 = irq_pending\nreturn %2, %3`),
    expect: { outcome: "returned 302, 2", instructions: 7, time: 305 },
  },
  {
    name: "relax passes at most 1000 ns at a time",
    program: program("%2:i64, %3:i32", "i64, i32", `${write(2500, TIMER)}\nrelax\nrelax\n%3 = irq_pending\n%2 = time\nreturn %2, %3`),
    expect: { outcome: "returned 2006, 0", instructions: 8 },
  },
  {
    name: "relax passes no time when an event is due",
    program: program("%2:i64, %3:i32", "i64, i32", `${write(0, TIMER)}\nrelax\n%2 = time\n%3 = irq_pending\nreturn %2, %3`),
    expect: { outcome: "returned 4, 2", instructions: 7 },
  },
  {
    name: "doze passes all time up to its operand at once",
    program: "func @main () -> (i64) {\nreg %0:i64\n%0 = const.i64 3600000000000\ndoze %0\n%0 = time\nreturn %0\n}",
    limits: { deadline: 7_200_000_000_000 },
    expect: { outcome: "returned 3600000000000", instructions: 4, time: 3_600_000_000_002 },
  },
  {
    name: "doze goes to the next event, and then polls",
    program: program("%2:i64, %3:i32", "i64, i32", `${write(3000, TIMER)}\n%2 = const.i64 4000\ndoze %2\n%2 = time\n%3 = irq_pending\nreturn %2, %3`),
    expect: { outcome: "returned 3002, 2", instructions: 8 },
  },
  {
    name: "doze to a time that has passed passes none",
    program: "func @main () -> (i64) {\nreg %0:i64\n%0 = const.i64 1\ndoze %0\n%0 = time\nreturn %0\n}",
    expect: { outcome: "returned 2", instructions: 4 },
  },
  {
    name: "doze takes its operand without a sign, and ends at the time limit",
    program: guarded("%1:i64", "%1 = const.i64 0xffffffffffffffff\ndoze %1"),
    limits: { deadline: 5000 },
    expect: (context) => ({ outcome: "returned 77", time: 5019, memory: { info: [infoCells(context, { class: "timeout", pc: 1 })] } }),
  },
];

const waiting: readonly ConformanceCase[] = [
  {
    name: "wait sleeps until the timer's line is high, interrupts disabled",
    program: program("%2:i64, %3:i32", "i64, i32", `${write(1_000_000, TIMER)}\nwait\n%2 = time\n%3 = irq_pending\nreturn %2, %3`, HANDLER),
    // The store starts at 2: due at 1000002.
    expect: { outcome: "returned 1000002, 2", instructions: 7, time: 1_000_005, memory: seen() },
  },
  {
    name: "wait takes the interrupt that ended it",
    program: program("%2:i64, %3:i8", "i64", `${write(1_000_000, TIMER)}\n%3 = irq_enable\nwait\n%2 = time\nreturn %2`, HANDLER),
    expect: { outcome: `returned ${1_000_002 + HANDLED}`, instructions: 7 + HANDLED, memory: seen(1) },
  },
  {
    name: "wait does not sleep when an unmasked line is high",
    program: program("%2:i64", "i64", `${write(4, RAISE)}\nwait\n%2 = time\nreturn %2`),
    expect: { outcome: "returned 4", instructions: 6 },
  },
  {
    name: "wait fires due events before it sleeps",
    program: program("%2:i64", "i64", `${write(0, TIMER)}\nwait\n%2 = time\nreturn %2`),
    expect: { outcome: "returned 4", instructions: 6 },
  },
  {
    name: "events that raise masked lines do not end a wait",
    program: program("%2:i32", "", `%1 = const.i32 5\n%2 = irq_mask %1\n${write(100, TIMER)}\nwait\nreturn`),
    expect: { outcome: "deadlock main:5", instructions: 6, time: 104 },
  },
  {
    name: "wait for nothing is a deadlock at once",
    program: "func @main () -> () {\nfence\nwait\nreturn\n}",
    limits: { deadline: 50 },
    expect: { outcome: "deadlock main:1", instructions: 2, time: 2 },
  },
  {
    name: "a device may end the machine while all CPUs wait",
    program: program("", "", `${write(5000, EXIT_AFTER)}\nwait\nreturn`),
    expect: { outcome: "exit 0", instructions: 4, time: 5002 },
  },
];

const GUARD_MAIN = `
func @main () -> (i32, i8, i32) {
  reg %0:addr, %1:addr, %2:i32, %3:i8, %4:i32, %5:i32
  %3 = irq_enable
  %0 = func_addr @body
  %2 = guard %0, %1
  %3 = irq_disable
  %5 = const.i32 7
  %4 = irq_mask %5
  return %2, %3, %4
}`;

const guardsAndInterrupts: readonly ConformanceCase[] = [
  {
    name: "a guard's end restores the interrupt-enable state, not the mask",
    program: `${GUARD_MAIN}\nfunc @body (addr) -> () {\nreg %1:i8, %2:i32\n%1 = irq_disable\n%2 = const.i32 6\n%2 = irq_mask %2\nreturn\n}`,
    expect: { outcome: "returned 0, 1, 6", instructions: 11 },
  },
  {
    name: "unwinding out of a handler ends the interrupted code's guard",
    program: `interrupt_vector @on_interrupt
${GUARD_MAIN}
func @on_interrupt (i32) -> () {
  reg %1:i32
  %1 = const.i32 40
  %1 = add.i32 %1, %0
  unwind %1
}
func @body (addr) -> () {
  reg %1:addr, %2:i32
  %1 = const.addr 0x10000000
  %2 = const.i32 4
  store_volatile.i32 %1, %2, +${RAISE}
  loop
    br 0
  end
  return
}`,
    expect: { outcome: "returned 42, 1, 7", instructions: 7 + 4 + 1 + 3 },
  },
  {
    name: "a trap in a handler goes to the interrupted code's guard",
    program: `${TRAP_VECTOR}
interrupt_vector @on_interrupt
${GUARD_MAIN}
func @on_interrupt (i32) -> () {
  reg %1:i64
  trap fp_exception, %1
}
func @body (addr) -> () {
  reg %1:addr, %2:i32
  %1 = const.addr 0x10000000
  %2 = const.i32 1
  store_volatile.i32 %1, %2, +${RAISE}
  loop
    br 0
  end
  return
}`,
    expect: (context) => ({
      outcome: "returned 77, 1, 7",
      instructions: 7 + 4 + 1 + 1 + 18,
      memory: { info: [infoCells(context, { class: "fp_exception", pc: context.pc("on_interrupt"), depth: 192 })] },
    }),
  },
  {
    name: "trap vectors run with interrupts disabled",
    program: `trap_vector @on_trap
interrupt_vector @on_interrupt
${GUARD_MAIN}
func @on_interrupt (i32) -> () {
  reg %1:i32
  %1 = const.i32 1
  unwind %1
}
func @on_trap () -> (i32) {
  reg %0:addr, %1:i32, %2:i8
  %0 = const.addr 0x10000000
  %1 = const.i32 1
  store_volatile.i32 %0, %1, +${RAISE}
  call @main2
  store_volatile.i32 %0, %1, +${LOWER}
  %2 = irq_disable
  %1 = zext.i8.i32 %2
  return %1
}
func @main2 () -> () {
  return
}
func @body (addr) -> () {
  reg %1:i64
  trap bounds, %1
}`,
    expect: { outcome: "returned 0, 1, 7" },
  },
  {
    name: "an interrupt vector without stack is a stack_overflow with interrupts disabled",
    program: `${TRAP_VECTOR}
interrupt_vector @on_interrupt
${GUARD_MAIN}
func @on_interrupt (i32) -> () frame 16384 {
  return
}
func @body (addr) -> () {
  reg %1:addr, %2:i32
  %1 = const.addr 0x10000000
  %2 = const.i32 1
  store_volatile.i32 %1, %2, +${RAISE}
  loop
    br 0
  end
  return
}`,
    expect: (context) => ({
      outcome: "returned 77, 1, 7",
      instructions: 7 + 4 + 18,
      memory: { info: [infoCells(context, { class: "stack_overflow", pc: 3 })] },
    }),
  },
  {
    name: "the poll point at a function's entry has the function's pc",
    program: `${TRAP_VECTOR}
interrupt_vector @on_interrupt
${GUARD_MAIN}
func @on_interrupt (i32) -> () frame 16384 {
  return
}
func @nothing () -> () {
  return
}
func @body (addr) -> () {
  reg %1:addr, %2:i32
  %1 = const.addr 0x10000000
  %2 = const.i32 1
  store_volatile.i32 %1, %2, +${RAISE}
  call @nothing
  return
}`,
    expect: (context) => ({
      outcome: "returned 77, 1, 7",
      memory: { info: [infoCells(context, { class: "stack_overflow", pc: context.pc("nothing"), depth: 192 })] },
    }),
  },
];

// ------------------------------------------------------------------------------------------------------------------- limits

const ENDLESS = "loop\nbr 0\nend";

const limits: readonly ConformanceCase[] = [
  {
    name: "an endless loop takes the timeout trap at the deadline",
    program: guarded("", ENDLESS),
    limits: { deadline: 100 },
    expect: (context) => ({ outcome: "returned 77", instructions: 100 + 18 + 1, memory: { info: [infoCells(context, { class: "timeout", pc: 0 })] } }),
  },
  {
    name: "an endless loop takes the timeout trap at the instruction limit",
    program: guarded("", ENDLESS),
    limits: { instructions: 1000 },
    expect: (context) => ({ outcome: "returned 77", instructions: 1000 + 18 + 1, memory: { info: [infoCells(context, { class: "timeout", pc: 0 })] } }),
  },
  {
    name: "the timeout trap waits for a poll point",
    program: guarded("", "fence\nfence\nfence\nfence\nfence\ncall @nothing") + "\nfunc @nothing () -> () {\nreturn\n}",
    limits: { deadline: 4 },
    expect: (context) => ({
      outcome: "returned 77",
      instructions: 2 + 6 + 18 + 1,
      memory: { info: [infoCells(context, { class: "timeout", pc: context.pc("nothing"), depth: 192 })] },
    }),
  },
  {
    name: "endless recursion overflows the stack before its time",
    program: guarded("", "call @body, %0"),
    limits: { deadline: 10_000 },
    expect: (context) => ({ outcome: "returned 77", memory: { info: [infoCells(context, { class: "stack_overflow", pc: 0, depth: 0x4000 })] } }),
  },
  {
    name: "a timeout without a guard is unhandled",
    program: "func @main () -> () {\nloop\nfence\nbr 0\nend\nreturn\n}",
    limits: { deadline: 99 },
    expect: { outcome: "unhandled-trap timeout main:0, cpu0 sp top-64", instructions: 100 },
  },
  {
    name: "what goes on after its timeout hangs at the end of the grace",
    program: guarded("", ENDLESS, ENDLESS),
    limits: { deadline: 100, grace: 50 },
    expect: { outcome: "hung main:2", instructions: 150 },
  },
  {
    name: "the grace counts instructions as well",
    program: guarded("", ENDLESS, ENDLESS),
    limits: { instructions: 100, grace: 70 },
    expect: { outcome: "hung main:2", instructions: 170 },
  },
  {
    name: "a trap vector that never ends hangs",
    program: `trap_vector @on_trap\nfunc @on_trap () -> (i32) {\nreg %0:i32\n${ENDLESS}\nreturn %0\n}\nfunc @main () -> (i32) {\nreg %0:addr, %1:i32\n%0 = func_addr @body\n%1 = guard %0, %0\nreturn %1\n}\nfunc @body (addr) -> () {\nreg %1:i64\ntrap bounds, %1\n}`,
    limits: { deadline: 100, grace: 60 },
    expect: { outcome: "hung on_trap:0", instructions: 160 },
  },
  {
    name: "the timeout is held off while a trap vector runs, and taken behind it",
    program: `trap_vector @on_trap
func @on_trap () -> (i32) {
  reg %0:i64, %1:i64, %2:i8, %3:i32
  %1 = const.i64 200
  loop
    %0 = time
    %2 = lt_u.i64 %0, %1
    br_if %2, 0
  end
  %0 = trap_info class
  %3 = trunc.i64.i32 %0
  return %3
}
func @main () -> (i32) {
  reg %0:addr, %1:i32
  %0 = func_addr @outer
  %1 = guard %0, %0
  return %1
}
func @outer (addr) -> () {
  reg %1:i32
  %0 = func_addr @body
  %1 = guard %0, %0
  call @body, %0
  return
}
func @body (addr) -> () {
  reg %1:i64
  trap bounds, %1
}`,
    limits: { deadline: 100, grace: 10_000 },
    // The first vector outlasts the deadline; the call behind it then times out at its entry instead of trapping bounds.
    expect: { outcome: "returned 14" },
  },
  {
    name: "a sleeping CPU wakes for the timeout",
    program: guarded("%1:addr, %2:i32", `%1 = const.addr 0x10000000\n%2 = const.i32 1000000\nstore_volatile.i32 %1, %2, +${TIMER}\nwait`),
    limits: { deadline: 5000 },
    expect: (context) => ({
      outcome: "returned 77",
      instructions: 2 + 4 + 18 + 1,
      time: 5000 + 19,
      memory: { info: [infoCells(context, { class: "timeout", pc: 3 })] },
    }),
  },
  {
    name: "sleeping beyond the grace hangs",
    program: guarded("%1:addr, %2:i32", `%1 = const.addr 0x10000000\n%2 = const.i32 1000000\nstore_volatile.i32 %1, %2, +${TIMER}\nwait`, "wait"),
    limits: { deadline: 5000, grace: 600 },
    expect: { outcome: "hung main:2", time: 5600 },
  },
  {
    name: "a deadlock comes before any limit",
    program: guarded("", "wait"),
    limits: { deadline: 1000 },
    expect: { outcome: "deadlock body:0", instructions: 3, time: 3 },
  },
  {
    name: "a limit of 0 stops at the first poll point",
    program: "func @main () -> () {\nreturn\n}",
    limits: { deadline: 0, grace: 0 },
    expect: { outcome: "hung main:0", instructions: 0 },
  },
];

export const timeCases: readonly ConformanceCase[] = [...interrupts, ...events, ...waiting, ...guardsAndInterrupts, ...limits];
