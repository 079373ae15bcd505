// Programs that tell an engine from one that believes more of a register than is true: a comparison holds for what its operands were, what
// was found out on one path does not hold on another, a loop's second round does not start as its first.

import type { ConformanceCase } from "./case.ts";

/** `@main (i32 %0) -> (i32)` gives, as 0 or 1, whether `%1` is below 8 at the end, which a branch asks; %2 is 8, %3 is 100, %5 is `%0 < 8`. */
function below8(body: string): string {
  return `
func @main (i32) -> (i32) {
  reg %1:i32, %2:i32, %3:i32, %4:i32, %5:i8, %6:i8
  %2 = const.i32 8
  %3 = const.i32 100
  %1 = copy.i32 %0
  %5 = lt_u.i32 %1, %2
  ${body}
  %5 = lt_u.i32 %1, %2
  if %5
    %0 = const.i32 1
    return %0
  end
  %0 = const.i32 0
  return %0
}`;
}

const ROUNDS = `
func @main (i32) -> (i32) {
  reg %1:i32, %2:i32, %3:i8, %4:i32
  %1 = const.i32 0
  %2 = const.i32 1
  loop
    %3 = lt_u.i32 %1, %2
    if %3
      %0 = add.i32 %0, %2
    end
    %1 = add.i32 %1, %2
    %2 = const.i32 5
    %3 = lt_u.i32 %1, %2
    %2 = const.i32 1
    br_if %3, 0
  end
  return %0
}`;

/** Stores through an index that a bounds check has let pass, and that the loop counts; the check's way out is never taken. */
const CHECKED_INDEX = `
data @table size 32 align 8 writable
func @main () -> (i32) {
  reg %0:addr, %1:addr, %2:i8, %3:addr, %4:addr, %5:i32, %6:i64
  block
    loop
      %1 = const.addr 8
      %2 = le_u.addr %1, %0
      br_if %2, 1
      %1 = const.addr 8
      %2 = le_u.addr %1, %0
      if %2
        %6 = zext.addr.i64 %0
        trap bounds, %6
      end
      %3 = symbol_addr @table
      %1 = const.addr 4
      %4 = mul.addr %0, %1
      %4 = add.addr %3, %4
      %5 = trunc.addr.i32 %0
      store.i32 %4, %5
      %1 = const.addr 1
      %0 = add.addr %0, %1
      br 0
    end
  end
  %3 = symbol_addr @table
  %5 = load.i32 %3, +28
  return %5
}`;

/** The same, but the index is written between the check and its use, on one path. */
const INDEX_WRITTEN = `
data @table size 32 align 8 writable
func @main (i32) -> (i32) {
  reg %1:addr, %2:addr, %3:i8, %4:addr, %5:i64
  %1 = zext.i32.addr %0
  %2 = const.addr 8
  %3 = le_u.addr %2, %1
  if %3
    %5 = zext.addr.i64 %1
    trap bounds, %5
  end
  %4 = symbol_addr @table
  %4 = add.addr %4, %1
  %3 = trunc.i32.i8 %0
  if %3
    %1 = const.addr 24
    %4 = add.addr %4, %1
  end
  store.i8 %4, %3
  %4 = symbol_addr @table
  %3 = load.i8 %4, +25
  %0 = zext.i8.i32 %3
  return %0
}`;

/** A small function that a loop calls: its registers are zero each time, what it is given is not what it was given before. */
const CALLED_IN_A_LOOP = `
func @count (i32, addr) -> (i32, addr) frame 16 {
  reg %2:i32, %3:i8, %4:addr, %5:i32
  %3 = trunc.i32.i8 %0
  if %3
    %2 = const.i32 7
  end
  %4 = frame_addr 8
  store.i32 %4, %2
  %5 = load.i32 %4
  if %3
    return %5, %4
  end
  return %5, %1
}
func @main () -> (i32, i32) {
  reg %0:i32, %1:i32, %2:i32, %3:i32, %4:addr, %5:addr, %6:i8, %7:i32
  %1 = const.i32 3
  loop
    %7 = const.i32 1
    %1 = sub.i32 %1, %7
    %2 = and.i32 %1, %7
    %3, %4 = call @count, %2, %5
    %0 = add.i32 %0, %3
    %3, %5 = call @count, %7, %4
    %0 = add.i32 %0, %3
    %6 = trunc.i32.i8 %1
    br_if %6, 0
  end
  %5 = sub.addr %5, %5
  %3 = trunc.addr.i32 %5
  return %0, %3
}`;

const NEVER = "%6 = const.i8 0";
const ALWAYS = "%6 = const.i8 3";

export const conditionCases: readonly ConformanceCase[] = [
  {
    name: "a condition is about what its operands were",
    program: below8("%6 = le_u.i32 %2, %1\n%1 = add.i32 %1, %3\nif %6\nreturn %3\nend"),
    args: [5],
    expect: { outcome: "returned 0" },
  },
  { name: "a condition's operand written inside", program: below8("if %5\n%1 = add.i32 %1, %3\nend"), args: [5], expect: { outcome: "returned 0" } },
  {
    name: "what one part of an if finds out is nothing to the other",
    program: below8("if %5\nelse\n%4 = copy.i32 %1\nend"),
    args: [9],
    expect: { outcome: "returned 0" },
  },
  {
    name: "behind a part that does not end the condition does not hold",
    program: below8("if %5\nelse\nreturn %3\nend"),
    args: [9],
    expect: { outcome: "returned 100" },
  },
  {
    name: "behind a part that leaves for its own end the condition may hold",
    program: below8("%6 = le_u.i32 %2, %1\nif %6\n%6 = le_u.i32 %3, %1\nbr_if %6, 0\nreturn %3\nend"),
    args: [200],
    expect: { outcome: "returned 0" },
  },
  {
    name: "a block's end is reached from all its branches",
    program: below8("block\n%6 = le_u.i32 %3, %1\nbr_if %6, 0\n%1 = const.i32 1\nend"),
    args: [200],
    expect: { outcome: "returned 0" },
  },
  {
    name: "a known range written on one path is not known behind it",
    program: below8("%4 = const.i32 7\n%1 = and.i32 %1, %4\n%4 = const.i32 3\n%6 = lt_u.i32 %1, %4\nif %6\n%1 = copy.i32 %3\nend"),
    args: [9],
    expect: { outcome: "returned 0" },
  },
  {
    name: "a range made smaller on one path is the old one behind it",
    program: below8("%4 = const.i32 15\n%1 = and.i32 %1, %4\n%6 = lt_u.i32 %1, %2\nif %6\n%4 = copy.i32 %1\nend"),
    args: [12],
    expect: { outcome: "returned 0" },
  },
  {
    name: "below 8 with a sign is not below 8 without",
    program: below8("%6 = lt_s.i32 %1, %2\nif %6\nelse\nreturn %3\nend"),
    args: [0xffff_fffe],
    expect: { outcome: "returned 0" },
  },
  {
    name: "less 8, what is below 8 is huge",
    program: below8("%1 = const.i32 7\n%1 = and.i32 %0, %1\n%1 = sub.i32 %1, %2"),
    args: [3],
    expect: { outcome: "returned 0" },
  },
  {
    name: "a condition that is not 0 or 1 holds",
    program: below8(`${ALWAYS}\nif %6\n%1 = const.i32 3\nelse\n%1 = copy.i32 %3\nend`),
    args: [9],
    expect: { outcome: "returned 1", instructions: 11 },
  },
  {
    name: "a part that never runs costs its condition",
    program: below8(`${NEVER}\nif %6\n%1 = const.i32 3\nend`),
    args: [9],
    expect: { outcome: "returned 0", instructions: 10 },
  },
  {
    name: "a branch that is never taken costs its condition",
    program: below8(`${NEVER}\nblock\nbr_if %6, 0\n%1 = const.i32 3\nend`),
    args: [9],
    expect: { outcome: "returned 1", instructions: 11 },
  },
  {
    name: "a branch that is always taken leaves its region",
    program: below8(`${ALWAYS}\nblock\nbr_if %6, 0\n%1 = const.i32 3\nend`),
    args: [9],
    expect: { outcome: "returned 0", instructions: 10 },
  },
  { name: "a loop's second round does not start as its first", program: ROUNDS, args: [0], expect: { outcome: "returned 1" } },
  { name: "a small function that a loop calls", program: CALLED_IN_A_LOOP, expect: { outcome: "returned 28, 0" } },
  { name: "a checked index that a loop counts", program: CHECKED_INDEX, expect: { outcome: "returned 7" } },
  { name: "an address written between its check and its use", program: INDEX_WRITTEN, args: [1], expect: { outcome: "returned 1" } },
];
