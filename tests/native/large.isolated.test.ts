// What neither the conformance table nor generated modules have much of, because the interpreter does not care: frames beyond what
// an instruction's offset reaches, arguments and results on the stack, more values than registers, long bodies and tables. Again
// the interpreter says what is right.

import assert from "node:assert/strict";
import { test } from "node:test";
import { NATIVE_TARGET_NAMES } from "../../compiler/targets/names.ts";
import { parseText } from "../../isa/bytecode/text.ts";
import { guarded } from "../../runtime/cpus/bytecode/conformance/case.ts";
import { runModules } from "../fixtures/native-run.ts";
import { differences, interpret, observeNative, watchedSymbols } from "./observe.ts";
import { requireHost } from "./require-host.ts";

const range = (count: number, text: (index: number) => string, between = "\n"): string =>
  Array.from({ length: count }, (_, index) => text(index)).join(between);
const registers = (from: number, count: number): string => range(count, (index) => `%${from + index}`, ", ");
const types = (count: number, type: string): string => range(count, () => type, ", ");
const declare = (from: number, count: number, type: string): string => range(count, (index) => `%${from + index}:${type}`, ", ");

/** Nested blocks around a br_table with a way out for each, and for the rest. */
function table(count: number, index: number): string {
  return `func @main () -> (i32) {
  reg %0:i32, %1:i32
  %0 = const.i32 ${index}
  ${"block\n".repeat(count + 1)}
  br_table %0, ${range(count + 1, String, ", ")}
  end
  ${range(count, (each) => `%1 = const.i32 ${1000 + each}\nreturn %1\nend`)}
  %1 = const.i32 7
  return %1
}`;
}

/** 24 arguments and results, the results the arguments backwards, each with its number added. */
const MANY = `func @many (${types(24, "i64")}) -> (${types(24, "i64")}) frame 40 {
  reg %24:i64, %25:addr, ${declare(26, 24, "i64")}
  %25 = frame_addr 8
  store.i64 %25, %23
  ${range(24, (index) => `%24 = const.i64 ${index}\n%${26 + index} = add.i64 %${index}, %24`)}
  %49 = load.i64 %25
  return ${range(24, (index) => `%${49 - index}`, ", ")}
}`;

/** Calls @many twice with its own results, directly and by address, and mixes all of them. */
const callsMany = `signature sig0 (${types(24, "i64")}) -> (${types(24, "i64")})
func @main () -> (i64) {
  reg ${declare(0, 24, "i64")}, ${declare(24, 24, "i64")}, %48:addr, %49:i64, %50:i64
  ${range(24, (index) => `%${index} = const.i64 ${1n << BigInt(2 * index)}`)}
  ${registers(24, 24)} = call @many, ${registers(0, 24)}
  %48 = func_addr @many
  ${registers(24, 24)} = call_indirect sig0, %48, ${registers(24, 24)}
  %50 = const.i64 31
  ${range(24, (index) => `%49 = mul.i64 %49, %50\n%49 = add.i64 %49, %${24 + index}\n%49 = xor.i64 %49, %${index}`)}
  return %49
}
${MANY}`;

/** Narrow values keep their width on the stack. */
const NARROW = `func @main () -> (i8, i16, i32, i64) {
  reg ${declare(0, 16, "i64")}, %16:i8, %17:i16, %18:i32, %19:i64
  %16 = const.i8 -1
  %17 = const.i16 -2
  %18 = const.i32 -3
  %16, %17, %18, %19 = call @pass, ${registers(0, 16)}, %16, %17, %18
  return %16, %17, %18, %19
}
func @pass (${types(16, "i64")}, i8, i16, i32) -> (i8, i16, i32, i64) {
  reg %19:i64, %20:i8, %21:i16, %22:i32, %23:i32, %24:i64
  %20 = const.i8 3
  %20 = add.i8 %16, %20
  %21 = const.i16 3
  %21 = shr_s.i16 %17, %21
  %22 = const.i32 2
  %22 = shr_u.i32 %18, %22
  %19 = zext.i16.i64 %17
  %24 = sext.i32.i64 %18
  %19 = add.i64 %19, %24
  return %20, %21, %22, %19
}`;

/** Arguments on the stack, at every depth of a recursion. */
const RECURSIVE = `func @main () -> (i64) {
  reg ${declare(0, 12, "i64")}
  ${range(12, (index) => `%${index} = const.i64 ${index + 3}`)}
  %0 = call @down, ${registers(0, 12)}
  return %0
}
func @down (${types(12, "i64")}) -> (i64) {
  reg %12:i8, %13:i64, %14:i64
  %12 = eq.i64 %0, %13
  if %12
    return %11
  end
  %13 = const.i64 1
  %14 = sub.i64 %0, %13
  %14 = call @down, %14, ${range(11, (index) => `%${11 - index}`, ", ")}
  %14 = sub.i64 %14, %5
  %14 = mul.i64 %14, %1
  return %14
}`;

/** Forty values that live across a call and a loop. */
const SPILLING = `func @main () -> (i64) {
  reg ${declare(0, 40, "i64")}, %40:i64, %41:i64, %42:i8
  ${range(40, (index) => `%${index} = const.i64 ${index * index + 1}`)}
  %40 = const.i64 5
  loop
    ${range(40, (index) => `%${index} = call @mix, %${index}, %${(index * 7 + 1) % 40}`)}
    %41 = const.i64 1
    %40 = sub.i64 %40, %41
    %42 = trunc.i64.i8 %40
    br_if %42, 0
  end
  ${range(40, (index) => `%41 = xor.i64 %41, %${index}\n%41 = rotl.i64 %41, %${(index + 1) % 40}`)}
  return %41
}
func @mix (i64, i64) -> (i64) {
  reg %2:i64
  %2 = mul.i64 %0, %1
  %2 = add.i64 %2, %0
  return %2
}`;

/** Both ends of a frame, with values of the caller around. */
function frame(size: number): string {
  return `func @main () -> (i64, i64, i8) {
  reg %0:i64, %1:i64, %2:i8
  %0 = const.i64 0x1122334455667788
  %0, %1, %2 = call @big, %0
  return %0, %1, %2
}
func @big (i64) -> (i64, i64, i8) frame ${size} {
  reg %1:addr, %2:addr, %3:i64, %4:i64, %5:i8
  %1 = frame_addr 0
  %2 = frame_addr ${size - 8}
  store.i64 %1, %0
  %3 = not.i64 %0
  store.i64 %2, %3
  call @nothing
  %3 = load.i64 %1
  %4 = load.i64 %2
  %2 = frame_addr ${size - 1}
  %5 = load.i8 %2
  return %3, %4, %5
}
func @nothing () -> () {
  return
}`;
}

/** A branch over so many instructions, one back, and one out of the middle. */
function long(count: number): string {
  return `func @main () -> (i32) {
  reg %0:i32, %1:i32, %2:i8, %3:i32, %4:i32
  %0 = const.i32 3
  %1 = const.i32 1
  block
    loop
      %2 = eq.i32 %0, %3
      br_if %2, 1
      ${range(count, (index) => `%4 = add.i32 %4, ${index % 2 === 0 ? "%0" : "%1"}\n%4 = rotl.i32 %4, %1`)}
      %0 = sub.i32 %0, %1
      br 0
    end
  end
  return %4
}`;
}

const overflow = (size: number, body = ""): string => `${guarded("", "call @big")}\nfunc @big () -> () frame ${size} {\n${body}\nreturn\n}`;

const PROGRAMS: Readonly<Record<string, string>> = {
  "a table of 200 ways: the first": table(200, 0),
  "a table of 200 ways: the last": table(200, 199),
  "a table of 200 ways: the rest": table(200, 200),
  "a table of 200 ways: far beyond": table(200, -1),
  "24 arguments and results": callsMany,
  "narrow arguments on the stack": NARROW,
  "arguments on the stack of a recursion": RECURSIVE,
  "more values than registers": SPILLING,
  "a frame of 300 bytes": frame(300),
  "a frame of 2040 bytes": frame(2040),
  "a frame of 4090 bytes": frame(4090),
  "a frame of 9000 bytes": frame(9000),
  "a body of 3000 instructions": long(1500),
  "a body of 30000 instructions": long(15_000),
  "a frame that no stack has": overflow(0xff_ffff),
  "a frame that no stack has, of a function that calls": overflow(0xff_fff0, "call @big"),
  "a frame of 2 MiB": overflow(0x20_0000),
};

const programs = Object.entries(PROGRAMS).map(([name, text]) => ({ name, module: parseText(`gbc 1 addr64 little\n${text}`, { fileName: name }) }));

for (const target of NATIVE_TARGET_NAMES) {
  test(`large things of ${target}`, async (context) => {
    const host = await requireHost(target, context);
    if (host === null) return;
    const outcomes = await runModules(
      host,
      programs.map(({ module }) => ({ module, args: [], watched: watchedSymbols(module) })),
    );
    const problems = programs.flatMap(({ name, module }, index) => {
      const outcome = outcomes[index];
      if (outcome === undefined) return [`${name}: did not run`];
      return differences(interpret(module, []).observation, observeNative(module, outcome)).map((problem) => `${name}: ${problem}`);
    });
    assert.deepEqual(problems, []);
  });
}
