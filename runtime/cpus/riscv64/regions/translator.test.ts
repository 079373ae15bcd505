// What becomes a region, and from where on, as programs on the board show it.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startGuest } from "../../../../tests/fixtures/riscv64.ts";

/** A function with a loop of `turns`, called again and again from a loop. */
const called = (turns: number): string => `
  turn:
    li a0, ${turns}
    jal ra, work
    addi s0, s0, 1
    j turn
  work:
    li a1, 0
  loop:
    add a1, a1, a0
    addi a0, a0, -1
    bnez a0, loop
    ret
`;

describe("what is hot", () => {
  test("in a function that was called before is translated with it, from its start, once", () => {
    const guest = startGuest(called(100));
    // 25 calls until the loop is hot; the loop around them is not.
    guest.run(20_000);
    assert.equal(guest.processor.regions(), 1);
    guest.run(5_000_000);
    assert.equal(guest.processor.regions(), 2, "the function, and the loop that calls it");
    guest.dispose();
  });

  test("in a function that was called once is a region of its own", () => {
    const guest = startGuest(called(1_000_000));
    guest.run(2_000_000);
    assert.equal(guest.processor.regions(), 1);
    assert.equal(guest.register("s0"), 0n, "it is still in the first call");
    guest.dispose();
  });

  test("is waited for longer where control comes seldom", () => {
    const far = "addi a0, a0, 1\n".repeat(2400);
    const guest = startGuest(`turn:\n${far}j turn`);
    guest.run(2_048 * 3_000);
    assert.equal(guest.processor.regions(), 0, "as often as would be enough");
    guest.run(16_384 * 2_600);
    assert.ok(guest.processor.regions() > 0);
    guest.dispose();
  });

  test("is not looked for by a link that is odd, and so was left by no call", () => {
    // The second to fifth byte at `call` would be `jal ra`, to the second byte in front of `loop`, from where the bytes are instructions, too.
    const guest = startGuest(`
        auipc ra, 0
        addi ra, ra, 37
        li a2, 3
        j call
        .zero 16
      call:
        ori t5, ra, 0x200
        nop
        li a0, 3000
        j before
        .zero 286
      before:
        c.addi gp, 1
      loop:
        addi a0, a0, -1
        bnez a0, loop
        li a0, 3000
        addi a2, a2, -1
        bnez a2, before
        li a3, 1
      end:
        j end
    `);
    guest.run(50_000);
    assert.deepEqual(
      ["a2", "a3", "gp"].map((name) => guest.register(name)),
      [0n, 1n, 3n],
    );
    guest.dispose();
  });
});
