// The report frames as the host reads them: every verb, and above all that nothing but a whole frame with its checksum counts.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createFrameReader, encodeFrame, parseFrame, type Frame } from "./frames.ts";

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
const asText = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

function read(...parts: readonly Uint8Array[]): { frames: readonly Frame[]; text: string } {
  const reader = createFrameReader();
  for (const part of parts) reader.push(part);
  const { frames, text } = reader.take(true);
  return { frames, text: asText(text) };
}

function frame(body: string): Frame | undefined {
  const { frames, text } = read(encodeFrame(body));
  assert.equal(text, frames.length === 1 ? "" : asText(encodeFrame(body)));
  return frames[0];
}

test("every verb is read", () => {
  const trap = { class: 5, pc: 0x20003n, address: 0xdead_0000_0000_0000n, access: 2, width: 4, value: 1n };
  const cases: readonly (readonly [string, Frame])[] = [
    ["p 1", { verb: "phase", phase: "body" }],
    ["f 1f 1", { verb: "failed", site: 31, cpu: 1 }],
    ["v 0 ffffffffffffffff", { verb: "value", slot: 0, value: 0xffff_ffff_ffff_ffffn }],
    ["w 1 3 00ff7f", { verb: "bytes", slot: 1, length: 3, bytes: Uint8Array.of(0, 255, 127) }],
    ["w 1 1000 00", { verb: "bytes", slot: 1, length: 4096, bytes: Uint8Array.of(0) }],
    ["w 1 0 ", { verb: "bytes", slot: 1, length: 0, bytes: new Uint8Array(0) }],
    ["w 1 0", { verb: "bytes", slot: 1, length: 0, bytes: new Uint8Array(0) }],
    ["m row a\\nb \\\\ \\x1e*", { verb: "message", text: "row a\nb \\ \x1e*" }],
    ["m ", { verb: "message", text: "" }],
    ["m grüße", { verb: "message", text: "grüße" }],
    ["s 2", { verb: "skip", site: 2 }],
    ["i 3", { verb: "info", site: 3 }],
    ["r 0 0 0 0 0 0", { verb: "came", trap: { class: 0, pc: 0n, address: 0n, access: 0, width: 0, value: 0n } }],
    ["t 5 20003 dead000000000000 2 4 1 1", { verb: "trap", trap, cpu: 1 }],
    ["t e05 20003 dead000000000000 2 4 1 1", { verb: "trap", trap: { ...trap, exception: 13 }, cpu: 1 }],
    ["c 9000", { verb: "calls", words: { start: 0x9000, words: new Map() } }],
    [
      "c 9000 1 10 2 20 0 2",
      {
        verb: "calls",
        words: {
          start: 0x9000,
          words: new Map([
            [0x9000, 0x10],
            [0x9010, 0x20],
            [0x9020, 0x20],
            [0x9030, 0x20],
          ]),
        },
      },
    ],
    ["a", { verb: "aborted" }],
    ["e a", { verb: "end", checks: 10 }],
  ];
  for (const [body, expected] of cases) assert.deepEqual(frame(body), expected, body);
});

test("what is no frame is console text, byte for byte", () => {
  const bad = [
    "",
    "q 1",
    "p 8",
    "p",
    "p 1 2",
    "f 1",
    "f 1 2 3",
    "v 0",
    "v 0 11112222333344445",
    "v 0 0x1",
    "v  0 1",
    "w 0 1 0",
    "w 0 1 0102",
    "w 0 2 0g",
    `w 0 200 ${"00".repeat(257)}`,
    "m \\q",
    "m \\x1",
    "a 1",
    "e",
    "e -1",
    "r 0 0 0 0 0",
    "t 5 0 0 4 0 0 0",
    "E 1",
    " e 1",
  ];
  for (const body of bad) assert.equal(frame(body), undefined, body);
});

test("a wrong or missing checksum makes a frame console text", () => {
  const right = encodeFrame("e 5");
  for (let at = 0; at < right.length; at++) {
    for (const flip of [1, 0x10, 0x80]) {
      const wrong = right.slice();
      wrong[at] = (wrong[at] ?? 0) ^ flip;
      const { frames, text } = read(wrong);
      // Of one flipped bit only the case of a checksum digit could matter, and `5` has none.
      assert.deepEqual(frames, [], `${at} ^ ${flip}`);
      assert.equal(text, asText(wrong));
    }
  }
  assert.deepEqual(read(ascii("\x1ee 5\n")), { frames: [], text: "\x1ee 5\n" });
  assert.deepEqual(read(ascii("\x1ee 5*")), { frames: [], text: "\x1ee 5*" });
});

test("text round frames stays, and a frame after half a frame counts", () => {
  const { frames, text } = read(ascii("boot\n"), encodeFrame("p 1"), ascii("noise \x1ef 1"), encodeFrame("e 0"), ascii("bye"));
  assert.deepEqual(frames, [
    { verb: "phase", phase: "body" },
    { verb: "end", checks: 0 },
  ]);
  assert.equal(text, "boot\nnoise \x1ef 1bye");
});

test("a frame without end is given up at the limit", () => {
  const long = new Uint8Array(50_000).fill(0x41);
  const { frames, text } = read(ascii("\x1em "), long, encodeFrame("a"));
  assert.equal(text.length, 50_003);
  assert.deepEqual(frames, [{ verb: "aborted" }]);
});

test("any bytes in any pieces: no throw, nothing lost, the pieces do not matter", () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.constantFrom("e 1", "f 1 0", "v 0 7", "m x", "zz").map(encodeFrame),
    fc.constantFrom("\x1e", "\n", "*", "\x1ee 1*", "54\n").map(ascii),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), fc.infiniteStream(fc.integer({ min: 1, max: 7 })), (pieces, sizes) => {
      const all = Uint8Array.from(pieces.flatMap((bytes) => [...bytes]));
      const whole = read(all);
      const parts: Uint8Array[] = [];
      for (let at = 0; at < all.length;) {
        const size = sizes.next().value ?? 1;
        parts.push(all.subarray(at, at + size));
        at += size;
      }
      assert.deepEqual(read(...parts), whole);
      assert.ok(whole.text.length <= all.length);
      if (whole.frames.length === 0) assert.equal(whole.text, asText(all));
    }),
    { numRuns: 500 },
  );
});

test("any message that the guest escapes arrives as it was", () => {
  // Not a string of unit "binary": it makes a table of all code points, for seconds, and few of its characters are ASCII.
  const range = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max });
  const char = fc.oneof(range(0, 0x7f), range(0x80, 0xd7ff), range(0xe000, 0x10_ffff)).map((code) => String.fromCodePoint(code));
  fc.assert(
    fc.property(
      fc.array(char).map((chars) => chars.join("")),
      (text) => {
        const escape = (char: string): string => {
          if (char === "\\") return "\\\\";
          if (char === "\n") return "\\n";
          return char < " " ? `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}` : char;
        };
        const escaped = Array.from(text, escape).join("");
        const bytes = encodeFrame(`m ${escaped}`);
        assert.deepEqual(parseFrame(bytes.subarray(1, -1)), { verb: "message", text: Buffer.from(text).toString() });
      },
    ),
  );
});

test("words of a stack that are none", () => {
  for (const body of ["c", "c 9000 1", "c 9000 0 5", "c 9000 1 g", "c 9000 1 10 0 ffffffff", "c -1 1 10"]) assert.equal(frame(body), undefined, body);
});
