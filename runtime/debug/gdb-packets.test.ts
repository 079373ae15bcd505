// Packets come whole out of any pieces, with interrupts and damage between them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createPacketReader, escapeBinary, unescapeBinary, writePacket, type GdbInput } from "./gdb-packets.ts";

test("a packet has its checksum", () => {
  assert.equal(writePacket("OK"), "$OK#9a");
  assert.equal(writePacket(""), "$#00");
});

test("whatever the pieces, the same packets come out", () => {
  const stream = `+$g#67+${writePacket("m80000000,4")}\u0003-$g#00noise${writePacket("c")}`;
  const expected: readonly GdbInput[] = [
    { kind: "packet", text: "g" },
    { kind: "packet", text: "m80000000,4" },
    { kind: "interrupt" },
    { kind: "repeat" },
    { kind: "damaged" },
    { kind: "packet", text: "c" },
  ];
  for (const size of [1, 2, 3, 7, stream.length]) {
    const read = createPacketReader();
    const inputs: GdbInput[] = [];
    for (let at = 0; at < stream.length; at += size) inputs.push(...read(stream.slice(at, at + size)));
    assert.deepEqual(inputs, expected, `in pieces of ${size}`);
  }
});

test("a packet without an end is given up", () => {
  const read = createPacketReader();
  assert.deepEqual(read(`$${"a".repeat(0x10_0001)}`), [{ kind: "damaged" }]);
  assert.deepEqual(read("$c#63"), [{ kind: "packet", text: "c" }]);
});

test("binary data survives", () => {
  const text = "a}b#c$d*e";
  assert.equal(unescapeBinary(escapeBinary(text)), text);
  assert.doesNotMatch(escapeBinary(text), /[#$*]/);
});
