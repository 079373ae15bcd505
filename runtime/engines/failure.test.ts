// Failures as a user reads them: from site, values and sources to message, code frame and diff.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Manifest, Site, SiteOperand, ValueType } from "../../compiler/images/manifest.ts";
import { createSourceLines, frameAt } from "./code-frame.ts";
import { mapBytecode } from "./code-map.ts";
import { describeCheck, describePc, describeTrap, withRow, type FailedCheck } from "./failure.ts";
import type { ReportContext } from "./report-context.ts";
import type { SlotValue } from "./values.ts";

const SOURCE = ['suite "s"', "", "table t (a: u32) {", "  5", "}", "", 'test "adds" {', "  expect add(1, 1) == 3", "}"].join("\n");
const u32: ValueType = { kind: "int", signed: false, bits: 32 };

function operand(text: string, type: ValueType, literal = false, from = text): SiteOperand {
  const start = SOURCE.indexOf(from);
  return { text, type, start, end: start + text.length, literal };
}

function makeSite(parts: Partial<Site>): Site {
  const text = "add(1, 1) == 3";
  return {
    kind: "expect",
    file: 0,
    line: 8,
    column: 10,
    start: SOURCE.indexOf(text),
    end: SOURCE.indexOf(text) + text.length,
    text,
    operator: "==",
    operands: [operand("add(1, 1)", u32), operand("3", u32, true, "3\n")],
    expectedTrap: null,
    ...parts,
  };
}

function makeContext(...sites: readonly Site[]): ReportContext {
  const manifest: Manifest = {
    version: 1,
    target: "bytecode",
    machine: "bytecode-virt",
    files: ["specs/a.gspec"],
    suites: [],
    sites,
    entry: { boot: 0, suiteSetup: 1, suiteTeardown: 2, runCase: 3, tableSetup: 4, tableTeardown: 5, main: 6 },
  };
  const instruction = (at: number) => ({ op: "load", dst: [], src: [], imm: [], at });
  return {
    manifest,
    layout: { addressBytes: 8, endian: "little" },
    code: mapBytecode({
      functions: [{ name: "add", signature: { params: [], results: [] }, registers: [], frameSize: 0, body: [instruction(-1), instruction(0)] }],
      files: ["specs/a.gspec"],
      locations: [{ file: 0, line: 8, column: 10 }],
    }),
    sources: createSourceLines((path) => (path === "specs/a.gspec" ? SOURCE : null)),
  };
}

function check(values: readonly (readonly [number, bigint])[], rest: Partial<FailedCheck> = {}): FailedCheck {
  const slots = new Map(values.map(([slot, value]): [number, SlotValue] => [slot, { kind: "number", value }]));
  return { site: 0, cpu: 0, values: slots, came: null, message: null, stack: null, ...rest };
}

test("a failed comparison says what was expected, what came, and where", () => {
  const failure = describeCheck(
    makeContext(makeSite({})),
    check(
      [
        [0, 2n],
        [1, 3n],
      ],
      { message: "row 4" },
    ),
    "body",
  );
  assert.equal(failure.kind, "check");
  assert.equal(failure.message, "expected add(1, 1) == 3, got 0x0000_0002");
  assert.equal(failure.note, "row 4");
  assert.deepEqual(failure.values, [{ text: "add(1, 1)", value: "0x0000_0002 (2)", type: "u32" }]);
  assert.deepEqual(failure.details, []);
  assert.deepEqual(failure.frame, {
    path: "specs/a.gspec",
    line: 8,
    column: 10,
    endColumn: 24,
    label: "was 0x0000_0002",
    lines: [
      { number: 7, text: 'test "adds" {' },
      { number: 8, text: "  expect add(1, 1) == 3" },
      { number: 9, text: "}" },
    ],
  });
});

test("a literal's value need not be sent; without literals both sides are told", () => {
  const context = makeContext(makeSite({}), makeSite({ operands: [operand("add(1, 1)", u32), operand("three", u32, false, "3\n")] }));
  assert.equal(describeCheck(context, check([[0, 2n]]), "body").message, "expected add(1, 1) == 3, got 0x0000_0002");
  assert.equal(
    describeCheck(
      context,
      check(
        [
          [0, 2n],
          [1, 3n],
        ],
        { site: 1 },
      ),
      "body",
    ).message,
    "expected add(1, 1) == 3, got 0x0000_0002, not 0x0000_0003",
  );
});

test("a literal is what was expected; of two, the one on the right", () => {
  const one = operand("1", u32, true, "add");
  const context = makeContext(
    makeSite({ text: "1 == 2", operands: [one, operand("2", u32, true, "3\n")] }),
    makeSite({ text: "1 == n", operands: [one, operand("n", u32, false, "3\n")] }),
  );
  const values = [
    [0, 1n],
    [1, 2n],
  ] as const;
  const told = [0, 1].map((site) => describeCheck(context, check(values, { site }), "body"));
  assert.deepEqual(
    told.map(({ message, frame }) => [message, frame?.label]),
    [
      ["expected 1 == 2, got 0x0000_0001", "was 0x0000_0001"],
      ["expected 1 == n, got 0x0000_0002", "was 0x0000_0002"],
    ],
  );
});

test("the kind of a failure follows its site and phase", () => {
  const context = makeContext(makeSite({ kind: "assert" }), makeSite({ kind: "fail", operator: null, operands: [] }));
  assert.equal(describeCheck(context, check([]), "body").kind, "assert");
  assert.equal(describeCheck(context, check([]), "setup").kind, "setup");
  assert.match(describeCheck(context, check([]), "cleanup").message, / \(in cleanup\)$/);
  assert.equal(describeCheck(context, check([], { site: 1, message: "no device" }), "body").message, "no device");
  assert.equal(describeCheck(context, check([], { site: 9 }), "body").kind, "error");
});

test("an expected trap that did not come, or another one", () => {
  const site = makeSite({ kind: "expect-trap", text: "trap misaligned", operator: null, operands: [], expectedTrap: "trap misaligned" });
  const context = makeContext(site);
  assert.equal(describeCheck(context, check([]), "body").message, "expected trap misaligned, but nothing trapped");
  const came = { class: 5, pc: 0x1_0001n, address: 0xdead_0000n, access: 2, width: 4, value: 0n };
  const failure = describeCheck(context, check([], { came }), "body");
  assert.equal(failure.message, "expected trap misaligned, got access_fault: write of 4 bytes at 0xdead_0000");
  assert.deepEqual(failure.trap, { class: "access_fault", pc: "0x1_0001", function: "add", address: "0xdead_0000", access: "write of 4 bytes" });
});

test("a trap that the target has a name for is told by both", () => {
  const base = makeContext(makeSite({ kind: "expect-trap", operator: null, operands: [], expectedTrap: "trap misaligned" }));
  const context = { ...base, manifest: { ...base.manifest, target: "x86_64" } };
  const trap = { class: 7, exception: 13, pc: 0x1_0001n, address: 0n, access: 0, width: 0, value: 0n };
  assert.equal(describeTrap(context, trap, 0, "body").message, "unexpected trap protection (x86.gp) in add");
  assert.equal(describeCheck(context, check([], { came: trap }), "body").message, "expected trap misaligned, got protection (x86.gp)");
  assert.equal(describeTrap(context, { ...trap, exception: 99 }, 0, "body").message, "unexpected trap protection (x86_64 exception 99) in add");
});

test("an index beyond the end is told as one", () => {
  const trap = { class: 11, pc: 0x1_0000n, address: 0n, access: 0, width: 0, value: 5n };
  const failure = describeTrap(makeContext(), trap, 0, "body");
  assert.equal(failure.message, "unexpected trap bounds: index 5 in add");
  assert.equal(failure.frame?.label, "index 5 is beyond the end");
  assert.equal(describeTrap(makeContext(), { ...trap, value: 0n }, 0, "body").message, "unexpected trap bounds: index 0 in add");
  const wrapped = describeTrap(makeContext(), { ...trap, value: (1n << 64n) - 1n }, 0, "body");
  assert.equal(wrapped.message, "unexpected trap bounds: index 0xffff_ffff_ffff_ffff in add");
});

test("an unexpected trap is placed in its function and source line", () => {
  const context = makeContext();
  const trap = { class: 3, pc: 0x1_0000n, address: 0n, access: 0, width: 0, value: 0n };
  const failure = describeTrap(context, trap, 1, "body");
  assert.equal(failure.kind, "trap");
  assert.equal(failure.message, "unexpected trap divide_error in add");
  assert.equal(failure.frame?.line, 8);
  assert.equal(failure.cpu, 1);
  assert.equal(describeTrap(context, { ...trap, class: 12 }, 0, "teardown").message, "the stack overflowed in add during teardown");
  assert.equal(describeTrap(context, { ...trap, pc: 0xffff_ffff_ffff_ffffn }, 0, "body").frame, null);
  const { text, frame } = describePc(context, 0x1_0001, "waits here");
  assert.deepEqual([text, frame?.line, frame?.label], ["in add", 8, "waits here"]);
  assert.equal(describePc(context, 0x99_0001, "").text, "at pc 0x0099_0001");
});

test("the row that a failing case came from is shown", () => {
  const context = makeContext(makeSite({}));
  const failure = describeCheck(context, check([[0, 2n]]), "body");
  const row = { row: 0, name: "5", file: 0, line: 4, xfail: null, skip: null };
  const [related] = withRow(context, failure, row, 0, 7).related;
  assert.equal(related?.frame.line, 4);
  assert.deepEqual(related?.frame.lines, [{ number: 4, text: "  5" }]);
  assert.deepEqual(withRow(context, failure, { ...row, name: null }, 0, 7).related, []);
  assert.deepEqual(withRow(context, failure, { ...row, line: 7 }, 0, 7).related, []);
});

test("a frame for a file that is gone or a line beyond its end is left out", () => {
  const { sources } = makeContext();
  assert.equal(frameAt(sources, { path: "gone.gspec", line: 1, column: 1, length: 1 }, ""), null);
  assert.equal(frameAt(sources, { path: "specs/a.gspec", line: 99, column: 1, length: 1 }, ""), null);
  assert.deepEqual(frameAt(sources, { path: "specs/a.gspec", line: 1, column: 1, length: 500 }, "")?.endColumn, 10);
});
