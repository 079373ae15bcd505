// Lines of KTAP and TAP, and what consoles put before them.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { createPrefixCutter } from "./console-prefix.ts";
import { readKtapLine } from "./ktap-line.ts";
import { KTAP_PROBLEMS } from "./ktap-problems.ts";

const result = (isOk: boolean, number: number | null, name: string, data = "", directive: object | null = null): object => ({
  kind: "result",
  isOk,
  number,
  name,
  directive,
  data,
});

test("result lines, with all that may be missing", () => {
  const cases: readonly (readonly [string, object])[] = [
    ["ok 1 a name", result(true, 1, "a name")],
    ["not ok 12 - a name", result(false, 12, "a name")],
    ["ok", result(true, null, "")],
    ["ok - only a name", result(true, null, "only a name")],
    ["ok 1 2 fast", result(true, 1, "2 fast")],
    ["ok 3", result(true, 3, "")],
    ["ok 4 -1 as u32", result(true, 4, "-1 as u32")],
    ["ok 1 a # SKIP no b", result(true, 1, "a", "SKIP no b", { kind: "SKIP", reason: "no b" })],
    ["ok 1 a # skipped: no b", result(true, 1, "a", "skipped: no b", { kind: "SKIP", reason: "no b" })],
    ["not ok 1 a # TODO", result(false, 1, "a", "TODO", { kind: "TODO", reason: "" })],
    ["not ok 1 a #TODO later", result(false, 1, "a", "TODO later", { kind: "TODO", reason: "later" })],
    ["not ok 1 a # TIMEOUT 45 seconds", result(false, 1, "a", "TIMEOUT 45 seconds", { kind: "TIMEOUT", reason: "45 seconds" })],
    ["not ok 1 a # error 7 # 8", result(false, 1, "a", "error 7 # 8")],
    ["ok 1 # XFAIL known", result(true, 1, "", "XFAIL known", { kind: "XFAIL", reason: "known" })],
    ["ok 1 c#sharp", result(true, 1, "c#sharp")],
    ["ok 1 a \\# b \\\\ c # SKIP", result(true, 1, "a # b \\ c", "SKIP", { kind: "SKIP", reason: "" })],
  ];
  for (const [line, wanted] of cases) assert.deepEqual(readKtapLine(line), wanted, line);
});

test("every other line", () => {
  const cases: readonly (readonly [string, object])[] = [
    ["KTAP version 1", { kind: "version", family: "ktap", version: 1 }],
    ["TAP version 13", { kind: "version", family: "tap", version: 13 }],
    ["1..0 # SKIP no KVM", { kind: "plan", count: 0, skipReason: "no KVM" }],
    ["1..7", { kind: "plan", count: 7, skipReason: null }],
    ["# Subtest: a: b", { kind: "subtest", name: "a: b" }],
    ["#:ktap_duration: 1.5s", { kind: "metadata", key: "ktap_duration", value: "1.5s" }],
    ["# a # b", { kind: "diagnostic", text: "a # b" }],
    ["#", { kind: "diagnostic", text: "" }],
    ["Bail out! no disk", { kind: "bail-out", reason: "no disk" }],
    ["pragma +strict", { kind: "pragma" }],
  ];
  for (const [line, wanted] of cases) assert.deepEqual(readKtapLine(line), wanted, line);
  for (const line of ["okay", "ok1", "not okay", "1..", "1..2 more", "KTAP version", "tap version 13", "nothing"])
    assert.deepEqual(readKtapLine(line), { kind: "text" }, line);
});

test("prefixes that are known are cut from any line, others where they are repeated", () => {
  const cutter = createPrefixCutter();
  assert.equal(cutter.learn("[    0.1] nothing yet"), false);
  assert.equal(cutter.learn("<6>[    0.125000][    T1] box> KTAP version 1"), true);
  const cases: readonly (readonly [string, string, number | null])[] = [
    ["<6>[   10.500000][  C12] box>     ok 1 a", "    ok 1 a", 10.5],
    ["[    0.250000] ok 1 a", "ok 1 a", 0.25],
    ["box> ok 1 a", "ok 1 a", null],
    ["ok 1 a\r", "ok 1 a", null],
    ["\x1b[1mok 1 \x1b[0ma", "ok 1 a", null],
    ["[1] no prefix", "[1] no prefix", null],
    ["10:11:12 ok 1", "ok 1", null],
  ];
  for (const [raw, text, seconds] of cases) assert.deepEqual(cutter.cut(raw), { text, seconds }, raw);
});

test("docs/kunit.md names every problem", () => {
  const text = readFileSync(new URL("../../docs/kunit.md", import.meta.url), "utf8");
  const named = [...text.matchAll(/^\| `([a-z-]+)`(?: !)? \|/gm)].map(([, name]) => name);
  assert.deepEqual(
    Object.keys(KTAP_PROBLEMS).filter((name) => !named.includes(name)),
    [],
  );
});
