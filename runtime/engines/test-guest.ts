// A guest for engine and runner tests, written in bytecode text: its cases say prepared bytes on the console and then do one thing
// (return, loop, wait for ever, power off, recurse, trap). It stands in for the compiler and lib/, so that what a host makes of
// good and bad guests can be tested case by case, on the real machine and executors.

import { parseText } from "../../isa/bytecode/text.ts";
import type { Manifest, ManifestCase, ManifestTest, Site } from "../../compiler/images/manifest.ts";
import type { MachineDescription } from "../../machines/description.ts";
import { encodeFrame } from "./frames.ts";
import type { EngineImage } from "./session.ts";

export type GuestAction = "return" | "loop" | "deadlock" | "power off" | "recurse" | "divide" | "count" | "draw";

export interface GuestCase {
  /** Frames (their bodies) and console text, in order. */
  readonly say: readonly (string | { readonly text: string })[];
  readonly action?: GuestAction;
  readonly name?: string | null;
  readonly xfail?: string;
  readonly skip?: string;
}

export interface GuestTest {
  readonly name: string;
  readonly cases: readonly GuestCase[];
  readonly needs?: ManifestTest["needs"];
  readonly on?: readonly string[];
  readonly timeout?: number;
  readonly tableHooks?: number;
}

export interface GuestHook {
  readonly say: readonly string[];
  readonly ok: boolean;
}

export interface GuestSuite {
  readonly name: string;
  readonly tests: readonly GuestTest[];
  readonly setup?: GuestHook;
  readonly teardown?: GuestHook;
}

export interface GuestOptions {
  readonly tableSetup?: GuestHook;
  readonly tableTeardown?: GuestHook;
  readonly boot?: GuestAction;
  readonly sites?: readonly Site[];
  readonly file?: string;
}

const UART = 0x1000_0000;
const FINISHER = 0x10_0000;

export const passes: GuestCase = { say: ["p 1", "e 1"] };
export const failing: GuestCase = { say: ["p 1", "f 0 0", "v 0 2", "e 2"] };

/** A case that never gets to say more. */
export function stuck(action: GuestAction): GuestCase {
  return { say: ["p 1"], action };
}

function bytesOf(parts: GuestCase["say"]): string {
  return parts
    .map((part) => Buffer.from(typeof part === "string" ? encodeFrame(part) : new TextEncoder().encode(part.text)).toString("hex"))
    .join("");
}

/** `count`: says what a word in memory was and adds one, so that a missing restore shows. `draw`: says a random word of the machine. */
const ACTIONS: Readonly<Record<GuestAction, string>> = {
  return: "",
  loop: "loop\nbr 0\nend",
  // The timer's line is high at reset, so everything is masked.
  deadlock: "%3 = irq_mask %3\nwait\nunwind %3",
  "power off": `%0 = const.addr ${FINISHER}\n%3 = const.i32 21845\nstore_volatile.i32 %0, %3`,
  recurse: "call @recurse",
  divide: "%3 = div_u.i32 %3, %3",
  count: "%0 = symbol_addr @counter\n%3 = load.i32 %0\n%4 = const.i32 48\n%4 = add.i32 %3, %4\n%5 = trunc.i32.i8 %4\ncall @put, %5\n%4 = const.i32 1\n%3 = add.i32 %3, %4\nstore.i32 %0, %3\ncall @end",
  draw: "%0 = symbol_addr @boot_info, +40\n%3 = load.i32 %0\n%4 = const.i32 63\n%3 = and.i32 %3, %4\n%4 = const.i32 48\n%4 = add.i32 %3, %4\n%5 = trunc.i32.i8 %4\ncall @put, %5\ncall @end",
};

const REGISTERS = "reg %0:addr, %1:addr, %2:addr, %3:i32, %4:i32, %5:i8";

/** Compares the parameter `register` with each number and calls the function of that number. */
function dispatch(register: string, names: readonly string[], result: boolean): string {
  return names
    .map((name, index) => `%2 = const.i32 ${index}\n%3 = eq.i32 ${register}, %2\nif %3\n${result ? `%4 = call @${name}\nreturn %4` : `call @${name}\nreturn`}\nend`)
    .join("\n");
}

export function buildGuest(suites: readonly GuestSuite[], machine: MachineDescription, options: GuestOptions = {}): EngineImage {
  const functions: string[] = [];
  const data: string[] = [];
  const file = options.file ?? "specs/guest.gspec";

  function say(parts: GuestCase["say"], name: string): string {
    const hex = bytesOf(parts);
    if (hex === "") return "";
    data.push(`data @${name} size ${hex.length / 2} align 1 readonly {\n  bytes "${hex}"\n}`);
    return `%0 = symbol_addr @${name}\n%1 = const.addr ${hex.length / 2}\ncall @print, %0, %1`;
  }

  function addHook(hook: GuestHook | undefined, name: string): string {
    functions.push(`func @${name} () -> (i32) {\n${REGISTERS}\n${say(hook?.say ?? [], `${name}.text`)}\n%3 = const.i32 ${hook?.ok === false ? 0 : 1}\nreturn %3\n}`);
    return name;
  }

  const caseNames: string[] = [];
  const manifestSuites = suites.map((suite, suiteIndex) => ({
    name: suite.name,
    file: 0,
    hasSetup: suite.setup !== undefined,
    hasTeardown: suite.teardown !== undefined,
    tests: suite.tests.map((test, testIndex): ManifestTest => {
      const line = 10 * (suiteIndex + 1) + testIndex;
      return {
        index: testIndex,
        name: test.name,
        file: 0,
        line,
        endLine: line,
        tags: [],
        attributes: {},
        covers: [],
        needs: test.needs ?? [],
        on: test.on ?? [],
        timeout: test.timeout ?? null,
        tableHooks: test.tableHooks ?? null,
        parameterised: test.cases.length > 1,
        cases: test.cases.map((guestCase, position): ManifestCase => {
          const row = caseNames.length;
          const name = `case${row}`;
          caseNames.push(name);
          functions.push(`func @${name} () -> () {\n${REGISTERS}\n${say(guestCase.say, `${name}.text`)}\n${ACTIONS[guestCase.action ?? "return"]}\nreturn\n}`);
          const rowName = guestCase.name ?? (test.cases.length > 1 ? String(position) : null);
          return { row, name: rowName, file: 0, line, xfail: guestCase.xfail ?? null, skip: guestCase.skip ?? null };
        }),
      };
    }),
  }));
  const setups = suites.map((suite, index) => addHook(suite.setup, `setup${index}`));
  const teardowns = suites.map((suite, index) => addHook(suite.teardown, `teardown${index}`));
  const tableSetup = addHook(options.tableSetup, "table_setup");
  const tableTeardown = addHook(options.tableTeardown, "table_teardown");

  const text = `gbc 1 addr64 little
data @counter size 4 align 4 writable
data @boot_info size 48 align 8 writable
data @end.text size ${bytesOf(["e 1"]).length / 2} align 1 readonly {
  bytes "${bytesOf(["e 1"])}"
}
${data.join("\n")}
func @put (i8) -> () {
  reg %1:addr
  %1 = const.addr ${UART}
  store_volatile.i8 %1, %0
  return
}
func @print (addr, addr) -> () {
  reg %2:i8, %3:addr, %4:i8, %5:addr
  %3 = const.addr 1
  block
    loop
      %4 = eq.addr %1, %5
      br_if %4, 1
      %2 = load.i8 %0
      call @put, %2
      %0 = add.addr %0, %3
      %1 = sub.addr %1, %3
      br 0
    end
  end
  return
}
func @end () -> () {
  reg %0:addr, %1:addr
  %0 = symbol_addr @end.text
  %1 = const.addr ${bytesOf(["e 1"]).length / 2}
  call @print, %0, %1
  return
}
func @recurse () -> () frame 64 {
  call @recurse
  return
}
${functions.join("\n")}
func @boot () -> () {
${REGISTERS}
${ACTIONS[options.boot ?? "return"]}
return
}
func @suite_setup (i32) -> (i32) {
reg %1:i8, %2:i32, %3:i8, %4:i32
${dispatch("%0", setups, true)}
return %0
}
func @suite_teardown (i32) -> (i32) {
reg %1:i8, %2:i32, %3:i8, %4:i32
${dispatch("%0", teardowns, true)}
return %0
}
func @run_case (i32, i32) -> () {
reg %2:i32, %3:i8
${dispatch("%1", caseNames, false)}
return
}
func @table_setup_entry (i32) -> (i32) {
reg %1:i32
%1 = call @${tableSetup}
return %1
}
func @table_teardown_entry (i32) -> (i32) {
reg %1:i32
%1 = call @${tableTeardown}
return %1
}
`;
  const module = parseText(text, { fileName: "guest.text" });
  const indexOf = (name: string): number => module.functions.findIndex((candidate) => candidate.name === name);
  const manifest: Manifest = {
    version: 1,
    target: "bytecode",
    machine: machine.name,
    files: [file],
    suites: manifestSuites,
    sites: options.sites ?? [GUEST_SITE],
    entry: {
      boot: indexOf("boot"),
      suiteSetup: indexOf("suite_setup"),
      suiteTeardown: indexOf("suite_teardown"),
      runCase: indexOf("run_case"),
      tableSetup: indexOf("table_setup_entry"),
      tableTeardown: indexOf("table_teardown_entry"),
      main: indexOf("boot"),
    },
  };
  return { module, manifest, machine };
}

/** Site 0 of a guest: `expect value == 3`. */
const GUEST_SITE: Site = {
  kind: "expect",
  file: 0,
  line: 10,
  column: 8,
  start: 8,
  end: 18,
  text: "value == 3",
  operator: "==",
  operands: [{ text: "value", type: { kind: "int", signed: false, bits: 32 }, start: 8, end: 13, literal: false }],
  expectedTrap: null,
};
