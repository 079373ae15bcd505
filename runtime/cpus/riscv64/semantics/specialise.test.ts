// What is known beforehand changes what is computed, not what comes out.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom, FUZZ_SEED } from "../../../../tests/fixtures/random.ts";
import { MODE } from "../hart.ts";
import { CSR_FIELDS, STATE_LONGS, STATE_WORDS } from "../state.ts";
import { evaluate, evaluateShared, type Leaves } from "./evaluate.ts";
import type { Expression, Leaf } from "./expressions.ts";
import type { Guarded } from "./guarded.ts";
import { describeAccesses, TRANSFERS } from "./privileged.ts";
import { specialiseGuarded } from "./specialise.ts";

const NAMES: readonly Leaf[] = ["rs1", "rs2", "imm", "pc", "remaining", ...CSR_FIELDS, ...STATE_WORDS, ...STATE_LONGS];

/** Everything that the instruction does to a state, or null where the guard does not hold. */
function effectsOf({ shared, guard, result, writes = [], transfer }: Guarded, leaves: Leaves): Readonly<Record<string, bigint>> | null {
  const bound = evaluateShared(shared, leaves);
  const value = (expression: Expression): bigint => evaluate(expression, leaves, bound);
  if (guard !== undefined && value(guard) === 0n) return null;
  return {
    ...leaves,
    ...Object.fromEntries(writes.map(([name, written]) => [name, value(written)])),
    ...(result === undefined ? {} : { result: value(result.value) }),
    ...(transfer === undefined ? {} : { target: value(transfer.target), nextMode: value(transfer.mode) }),
  };
}

test("traps, returns and accesses to control registers do the same when the mode is known", () => {
  const random = createRandom(FUZZ_SEED);
  const word = (): bigint => (BigInt(random.below(2 ** 32)) << 32n) | BigInt(random.below(2 ** 32));
  let held = 0;
  for (const [name, meaning] of [...TRANSFERS, ...describeAccesses(64)]) {
    for (const mode of Object.values(MODE)) {
      const special = specialiseGuarded(meaning, { mode: BigInt(mode) });
      for (let round = 0; round < 40; round++) {
        const leaves: Record<string, bigint> = Object.fromEntries(NAMES.map((leaf) => [leaf, word()]));
        // Most guards want these.
        const isLikely = random.below(4) > 0;
        Object.assign(leaves, { mode: BigInt(mode), quiet: isLikely ? 1n : 0n, answered: BigInt(random.below(16)), countLength: 100n });
        if (isLikely) leaves["mstatus"] = (leaves["mstatus"] ?? 0n) & ~((1n << 17n) | (1n << 22n));
        const effects = effectsOf(meaning, leaves);
        assert.deepEqual(effectsOf(special, leaves), effects, `${name} in mode ${mode}`);
        if (effects !== null) held += 1;
      }
    }
  }
  assert.ok(held > 1000, `only ${held} guards held`);
});

test("a call from M-mode is never delegated, and stays in its mode", () => {
  const call = TRANSFERS.get("ecall");
  assert.ok(call !== undefined);
  const { writes = [], transfer } = specialiseGuarded(call, { mode: BigInt(MODE.machine) });
  assert.deepEqual(
    writes.map(([name]) => name),
    ["mcause", "mepc", "mtval", "mstatus"],
  );
  assert.deepEqual(transfer?.mode, { kind: "constant", type: transfer?.mode.type, value: BigInt(MODE.machine) });
});
