// Loops whose addresses an engine may follow by pointers, or compute before the loop: what is right of a counter that is only counted up is wrong
// of one that is written otherwise, on one path, by an inner loop, or that somebody has taken a copy of. Byte n of the table is n, so that
// the sum of what is loaded tells where the loads were.

import type { ConformanceCase } from "./case.ts";

const TABLE_BYTES = Array.from({ length: 64 }, (_, n) => n.toString(16).padStart(2, "0")).join("");

/** Adds byte `3 * register + %3 + offset` of the table to the sum %8, if the register is below 16; else leaves by depth `out`. */
function add(register: string, out = 1, offset = 0): string {
  return `%2 = const.addr 16
%5 = le_u.addr %2, ${register}
br_if %5, ${out}
%2 = const.addr 3
%2 = mul.addr ${register}, %2
%2 = add.addr %2, %3
%4 = symbol_addr @table, ${offset < 0 ? offset : `+${offset}`}
%4 = add.addr %4, %2
%6 = load.i8 %4
%7 = zext.i8.i32 %6
%8 = add.i32 %8, %7`;
}

function step(register: string, by: number): string {
  return `%2 = const.addr ${by}\n${register} = add.addr ${register}, %2`;
}

/** Goes through the table by an address that is counted with the index, as `for` does, and sums what it finds until the index is 16. */
function walk(steps: string): string {
  return rounds(
    `%2 = const.addr 16\n%5 = le_u.addr %2, %1\nbr_if %5, 1\n%6 = load.i8 %9\n%7 = zext.i8.i32 %6\n%8 = add.i32 %8, %7\n${steps}`,
    "%9 = symbol_addr @table\n%1 = const.addr 0",
  );
}

/** A loop in a block; the counter %1 starts as 0, as all registers do, %3 as 2. */
function rounds(body: string, before = ""): string {
  return `
data @table size 64 align 8 readonly {
  bytes "${TABLE_BYTES}"
}
func @main () -> (i32) frame 64 {
  reg %0:addr, %1:addr, %2:addr, %3:addr, %4:addr, %5:i8, %6:i8, %7:i32, %8:i32, %9:addr, %10:i32
  %3 = const.addr 2
  ${before}
  block
    loop
      ${body}
      br 0
    end
  end
  return %8
}`;
}

/** Sum of the bytes at 3 * n + 2 for the numbers. */
function sum(numbers: readonly number[]): { readonly outcome: string } {
  return { outcome: `returned ${numbers.reduce((total, n) => total + 3 * n + 2, 0)}` };
}

const upTo = (count: number, by = 1): readonly number[] => Array.from({ length: count }, (_, n) => n * by);

export const loopCases: readonly ConformanceCase[] = [
  { name: "a counter that is counted up", program: rounds(`${add("%1")}\n${step("%1", 1)}`), expect: sum(upTo(16)) },
  {
    name: "a counter that is counted up in two places",
    program: rounds(`${add("%1")}\n${step("%1", 1)}\n${add("%1")}\n${step("%1", 2)}`),
    expect: sum([0, 1, 3, 4, 6, 7, 9, 10, 12, 13, 15]),
  },
  {
    name: "a counter that is counted further on one path",
    program: rounds(`${add("%1")}\n%2 = const.addr 4\n%5 = lt_u.addr %1, %2\nif %5\n${step("%1", 2)}\nend\n${step("%1", 1)}`),
    expect: sum([0, 3, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]),
  },
  {
    name: "a counter that is set anew on one path",
    program: rounds(`${add("%1")}\n%2 = const.addr 2\n%5 = eq.addr %1, %2\nif %5\n%1 = const.addr 9\nend\n${step("%1", 1)}`),
    expect: sum([0, 1, 2, 10, 11, 12, 13, 14, 15]),
  },
  {
    name: "a counter that is counted by another one",
    program: rounds(`${add("%1")}\n${step("%9", 1)}\n%1 = add.addr %1, %9`),
    expect: sum([0, 1, 3, 6, 10, 15]),
  },
  {
    name: "a counter that is counted down",
    program: rounds(`${add("%1")}\n%2 = const.addr 1\n%1 = sub.addr %1, %2`, "%1 = const.addr 15"),
    expect: sum(upTo(16)),
  },
  {
    name: "a counter's copy from before the step",
    program: rounds(`%9 = copy.addr %1\n${step("%1", 1)}\n${add("%9")}`),
    expect: sum(upTo(16)),
  },
  {
    name: "a counter that two loops count",
    program: rounds(
      `block\nloop\n${add("%1", 3)}\n${step("%1", 1)}\n%2 = const.addr 3\n%2 = and.addr %1, %2\n%5 = trunc.addr.i8 %2\nbr_if %5, 0\nend\nend\n${step("%1", 3)}`,
    ),
    expect: sum([0, 1, 2, 3, 7, 11, 15]),
  },
  {
    name: "an inner loop that starts where the outer one is",
    program: rounds(
      `%9 = copy.addr %1\nblock\nloop\n${add("%9", 1)}\n${step("%9", 5)}\nbr 0\nend\nend\n${step("%1", 6)}\n%2 = const.addr 16\n%5 = le_u.addr %2, %1\nbr_if %5, 1`,
    ),
    expect: sum([0, 5, 10, 15, 6, 11, 12]),
  },
  {
    name: "a row that the loop writes",
    program: rounds(`${add("%1")}\n${step("%1", 1)}\n%2 = const.addr 7\n%3 = and.addr %1, %2`),
    expect: { outcome: `returned ${upTo(16).reduce((total, n) => total + 3 * n + (n === 0 ? 2 : n & 7), 0)}` },
  },
  {
    name: "an index below what it starts from",
    program: rounds(`${add("%1", 1, -3)}\n${step("%1", 1)}`, "%1 = const.addr 1"),
    expect: { outcome: `returned ${upTo(15).reduce((total, n) => total + 3 * n + 2, 0)}` },
  },
  {
    name: "a narrow counter that wraps around",
    program: rounds(
      `%9 = zext.i32.addr %10\n%2 = const.addr 7\n%9 = and.addr %9, %2\n${add("%9")}\n%7 = const.i32 0x20000001\n%10 = add.i32 %10, %7\n%7 = const.i32 9\n%5 = eq.i32 %10, %7\nbr_if %5, 1\n${step("%0", 1)}\n%2 = const.addr 12\n%5 = le_u.addr %2, %0\nbr_if %5, 1`,
    ),
    expect: sum(upTo(12).map((n) => n & 7)),
  },
  {
    name: "an array in the frame",
    program: rounds(
      `%2 = const.addr 12\n%5 = le_u.addr %2, %1\nbr_if %5, 1\n%2 = const.addr 4\n%2 = mul.addr %1, %2\n%4 = frame_addr 8\n%4 = add.addr %4, %2\n%7 = trunc.addr.i32 %1\nstore.i32 %4, %7\n%7 = load.i32 %4, -4\n%8 = add.i32 %8, %7\n${step("%1", 1)}`,
      "%4 = frame_addr 4\n%7 = const.i32 100\nstore.i32 %4, %7",
    ),
    expect: { outcome: `returned ${100 + upTo(11).reduce((total, n) => total + n, 0)}` },
  },
  { name: "an address that is counted with an index", program: walk(`${step("%1", 1)}\n${step("%9", 1)}`), expect: { outcome: "returned 120" } },
  { name: "an address that is counted twice as fast", program: walk(`${step("%9", 2)}\n${step("%1", 1)}`), expect: { outcome: "returned 240" } },
  {
    name: "a round that ends between the steps of index and address",
    program: walk(`${step("%1", 1)}\n%5 = trunc.addr.i8 %1\n%6 = const.i8 1\n%5 = and.i8 %5, %6\nbr_if %5, 0\n${step("%9", 1)}`),
    expect: { outcome: "returned 56" },
  },
  {
    name: "an address that is counted further on one path",
    program: walk(`${step("%1", 1)}\n${step("%9", 1)}\n%2 = const.addr 5\n%5 = eq.addr %1, %2\nif %5\n${step("%9", 1)}\nend`),
    expect: { outcome: "returned 131" },
  },
  {
    // The data lies at RAM's start (test-machine.ts): what is known of the index as it is now would say that the address is in RAM already.
    name: "an address below RAM, used between the steps of its index and its own",
    program: rounds(
      `%2 = const.addr 16\n%5 = le_u.addr %2, %1\nbr_if %5, 1\n${step("%1", 1)}\n%6 = load.i8 %9\n%7 = zext.i8.i32 %6\n%8 = add.i32 %8, %7\n${step("%9", 1)}`,
      "%9 = symbol_addr @table, -1\n%1 = const.addr 0",
    ),
    expect: ({ machine }) => ({
      outcome: `unhandled-trap access_fault main:10, read1 0x${(machine.memory.base - 1n).toString(16)}, cpu0 sp top-128`,
    }),
  },
  {
    name: "an index that starts anew on one path",
    program: walk(
      `${step("%1", 1)}\n${step("%9", 1)}\n%2 = const.addr 30\n%4 = symbol_addr @table\n%4 = sub.addr %9, %4\n%5 = eq.addr %4, %2\nif %5\n%1 = const.addr 16\nend\n%2 = const.addr 12\n%5 = eq.addr %1, %2\nif %5\n%1 = const.addr 0\nend`,
    ),
    expect: { outcome: "returned 435" },
  },
];
