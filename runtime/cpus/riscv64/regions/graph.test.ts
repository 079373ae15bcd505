// The control flow that regions are made of, from code in assembly text.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { assembleAt } from "../../../../tests/fixtures/riscv64.ts";
import type { Mnemonic } from "../../../../isa/riscv64/instructions.ts";
import { instructionLength } from "../../../../isa/riscv64/decode.ts";
import { decodeInstruction } from "../code-cache.ts";
import { groupAccesses } from "./access-groups.ts";
import { analyse } from "./flow.ts";
import { MODE } from "../hart.ts";
import { buildGraph, successorsOf, type RegionGraph } from "./graph.ts";

function graphOf(
  text: string,
  isSlow: (at: number) => boolean = () => false,
  targets: readonly number[] = [],
  transferTarget: (mnemonic: Mnemonic) => number | undefined = () => undefined,
): RegionGraph | undefined {
  const code = assembleAt(`.option norvc\n${text}`);
  const view = new DataView(code.buffer, code.byteOffset, code.byteLength);
  return buildGraph({
    width: 64,
    mode: MODE.machine,
    instructionAt(at) {
      if (at < 0 || at + 4 > code.length) return undefined;
      const low = view.getUint16(at, true);
      const bits = instructionLength(low) === 2 ? low : view.getUint32(at, true);
      const instruction = decodeInstruction(bits);
      return instruction === undefined ? undefined : { instruction, bits };
    },
    targetsOf: () => targets,
    isSlow,
    transferTarget,
  });
}

/** A line a block: where it begins, how it ends, where to. */
function shapeOf(graph: RegionGraph | undefined): readonly string[] {
  return (graph?.blocks ?? []).map(({ at, ending, length }) => {
    const to = successorsOf(ending).map((edge) => (edge.kind === "block" ? `b${edge.block}` : `out ${edge.at}`));
    return [`${at}+${length} ${ending.kind}`, ...to].join(" ");
  });
}

describe("the graph of a region", () => {
  test("a loop: its head is a block of its own, and what is behind it returns", () => {
    assert.deepEqual(shapeOf(graphOf("li a0, 0\nloop: addi a0, a0, 1\nbne a0, a1, loop\nret")), ["0+1 jump b1", "4+2 branch b1 b2", "12+1 jump-register"]);
  });

  test("a call ends a block and goes on behind it; a jump out of sight leaves", () => {
    const graph = graphOf("call 0x80200010\njal 0x80000010\nadd a0, a0, a1\nj 0x80080000");
    assert.deepEqual(shapeOf(graph), ["0+2 call b1", "8+1 call b2", "12+2 jump out 524288"]);
    const targets = graph?.blocks.map(({ ending }) => (ending.kind === "call" ? ending.target : undefined));
    assert.deepEqual(targets, [0x20_0010, 0x10, undefined]);
  });

  test("an edge into the middle of a loop leaves instead", () => {
    // Two heads, neither of which dominates the other.
    const shape = shapeOf(graphOf("beqz a0, second\nfirst: addi a1, a1, 1\nsecond: addi a2, a2, 1\nbnez a2, first\nret"));
    const leaving = shape.filter((line) => line.includes("out"));
    assert.equal(leaving.length, 1, shape.join("\n"));
  });

  test("calls of the entry are jumps, and returns lead behind them", () => {
    const frame = "addi sp, sp, -16\nsd ra, 0(sp)";
    const twice = graphOf(`own: beqz a0, done\n${frame}\njal ra, own\naddi a1, a1, 1\njal ra, own\nld ra, 0(sp)\naddi sp, sp, 16\ndone: ret`);
    assert.deepEqual(shapeOf(twice), ["0+1 branch b2 b1", "4+3 jump b0", "32+1 jump-register b3 b4", "16+2 jump b0", "24+2 jump b2"]);
    // A loop around the call would have a second way in.
    const loop = graphOf(`own: beqz a0, done\n${frame}\nagain: beqz a1, end\njal ra, own\nj again\nend: ld ra, 0(sp)\naddi sp, sp, 16\ndone: ret`);
    assert.deepEqual(shapeOf(loop), [
      "0+1 branch b6 b1",
      "4+2 jump b2",
      "12+1 branch b5 b3",
      "16+1 call b4",
      "20+1 jump b2",
      "24+2 jump b6",
      "32+1 jump-register",
    ]);
  });

  test("a jump through a register goes to where it has led before, if that is within reach; a return does not", () => {
    const text = "jr a1\nfirst: addi a0, a0, 1\nj back\nsecond: addi a0, a0, 2\nback: ret";
    const graph = graphOf(text, undefined, [4, 12, 0x8000]);
    assert.deepEqual(shapeOf(graph), ["0+1 jump-register b1 b2", "4+2 jump b3", "12+1 jump b3", "16+1 jump-register"]);
    assert.deepEqual(graph?.dominators.merges, [false, true, true, true], "each of its targets has a label");
  });

  test("a handler that is reached without a change of mode is part of the region, and returns behind the call", () => {
    const handler = "handler: csrr t6, mepc\naddi t6, t6, 4\ncsrw mepc, t6\nmret";
    const loop = "loop: ecall\naddi a0, a0, -1\nbnez a0, loop\nret";
    const whole = ["0+1 transfer b1", "16+4 transfer b2", "4+2 branch b0 b3", "12+1 jump-register"];
    const toHandler = (at: number) => (mnemonic: Mnemonic) => (mnemonic === "ecall" ? at : undefined);
    assert.deepEqual(shapeOf(graphOf(`${loop}\n${handler}`, undefined, [], toHandler(16))), whole);
    // From the handler on: by the call that it was entered for, if there is one.
    const fromHandler = (behind: number) => (mnemonic: Mnemonic) => (mnemonic === "ecall" ? 0 : behind);
    const turned = ["0+4 transfer b1", "20+2 branch b3 b2", "28+1 jump-register", "16+1 transfer b0"];
    assert.deepEqual(shapeOf(graphOf(`${handler}\n${loop}`, undefined, [], fromHandler(20))), turned);
    assert.deepEqual(shapeOf(graphOf(`${handler}\n${loop}`, undefined, [], fromHandler(24))), ["0+4 transfer"], "no call in front");
    // To another mode, beyond sight, or without a way back: they lead out of the region.
    const out = ["0+1 transfer"];
    assert.deepEqual(shapeOf(graphOf(`${loop}\n${handler}`)), out);
    assert.deepEqual(shapeOf(graphOf(`${loop}\n${handler}`, undefined, [], toHandler(0x8000))), out);
    assert.deepEqual(shapeOf(graphOf(`${loop}\nhandler: j handler`, undefined, [], toHandler(16))), out);
    const long = `handler: ${"addi t6, t6, 1\n".repeat(100)}mret`;
    assert.deepEqual(shapeOf(graphOf(`${loop}\n${long}`, undefined, [], toHandler(16))), out, "a copy for each call would be too much");
  });

  test("what changes mode ends the region; what TypeScript executes does not", () => {
    assert.deepEqual(shapeOf(graphOf("addi a0, a0, 1\nwfi")), ["0+2 exit"]);
    assert.deepEqual(shapeOf(graphOf("addi a0, a0, 1\nmret")), ["0+2 transfer"]);
    assert.deepEqual(shapeOf(graphOf("addi a0, a0, 1\ncsrw satp, a0\nret")), ["0+2 cold b1", "8+1 jump-register"]);
    assert.deepEqual(shapeOf(graphOf("lw a0, 0(a1)\nret", (at) => at === 0)), ["0+1 cold b1", "4+1 jump-register"]);
  });

  test("there is none where nothing could be executed", () => {
    assert.equal(graphOf("wfi"), undefined);
    assert.equal(graphOf(".word 0"), undefined);
  });
});

describe("what the emitter is told", () => {
  test("a loop's head asks for the budget of one turn, and every register that it has not saved is live there", () => {
    const graph = graphOf("li a0, 0\nloop: addi a0, a0, 1\nld a2, 0(a3)\nbne a0, a1, loop\nret");
    assert.ok(graph !== undefined);
    const [entry, head] = analyse(graph);
    assert.equal(entry?.checkpoint, 1);
    assert.equal(head?.checkpoint, 3 + 1);
    assert.equal(head?.isLoopHead, true);
    const [a0, a1, a2, a3] = [10, 11, 12, 13].map((register) => 1 << register);
    assert.equal(head?.dirtyIn, a0! | a2!);
    assert.equal((head?.liveIn ?? 0) & (a0! | a1! | a2! | a3!), a0! | a1! | a2! | a3!);
  });

  test("accesses by one value of a base register are one group, writes apart", () => {
    const graph = graphOf("sd ra, 24(sp)\nsd s0, 16(sp)\nld a0, 0(sp)\nld a1, 8(sp)\nld a2, 0(a0)\naddi sp, sp, 32\nld a3, 0(sp)\nret");
    const instructions = graph?.blocks[0]?.instructions ?? [];
    const groups = groupAccesses(instructions);
    const list = instructions
      .map((one) => groups.get(one))
      .map((group) => (group === undefined ? "-" : `${group.isWrite ? "w" : "r"}${group.low}..${group.high}`));
    assert.deepEqual(list, ["w16..32", "w16..32", "r0..16", "r0..16", "-", "-", "-"]);
  });
});
