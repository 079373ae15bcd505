// The ring of the last accesses: its order over the end of the ring and of 32 bits, and records that are overwritten before they are complete.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ACCESS_LOG, ACCESS_LOG_BYTES, createAccessLog, WHAT } from "./access-log.ts";

const PLACE = 64;

function setUp(count = 0n) {
  const buffer = new ArrayBuffer(PLACE + ACCESS_LOG_BYTES + 8);
  const log = createAccessLog(buffer, PLACE);
  new BigUint64Array(buffer)[PLACE / 8] = count;
  return { log, buffer };
}

test("keeps wide addresses and values, and offsets of large windows", () => {
  const { log } = setUp();
  log.answer(log.begin(8, 2 ** 40 + 1, 0xffff_ffff_ffff_f000n, 0, 0), 0x8000_0000_0000_0001n);
  log.accept(log.begin(4 | WHAT.write | (7 << WHAT.targetShift), 5, 2 ** 40 + 4, 2 ** 38, 0xffff_fffe));
  assert.deepEqual(log.records(), [
    { time: 2 ** 40 + 1, address: 0xffff_ffff_ffff_f000n, value: 0x8000_0000_0000_0001n, offset: 0, what: 8 },
    { time: 5, address: 2n ** 40n + 4n, value: 0xffff_fffen, offset: 2 ** 38, what: 4 | WHAT.write | (7 << WHAT.targetShift) },
  ]);
});

test("an access that nobody answered is a fault", () => {
  const { log } = setUp();
  log.begin(2, 0, 1, 0, 0);
  assert.equal(log.records()[0]?.what, 2 | WHAT.fault);
});

test("the last records are there in order, from the first on and beyond 2^32", () => {
  for (const count of [0n, 2n ** 32n - 40n, 2n ** 32n - 3n]) {
    const { log } = setUp(count);
    for (let n = 0; n < 70; n++) log.accept(log.begin(1, n, n, 0, n));
    assert.deepEqual(
      log.records().map(({ time }) => time),
      Array.from({ length: ACCESS_LOG.size }, (_, n) => 70 - ACCESS_LOG.size + n),
    );
    log.clear();
    assert.deepEqual(log.records(), []);
  }
});

test("what completes a record that is gone changes none", () => {
  const { log, buffer } = setUp();
  const first = log.begin(1, 0, 0, 0, 0);
  for (let n = 1; n < ACCESS_LOG.size; n++) log.begin(1, n, n, 0, 0);
  log.answer(first, 9);
  assert.equal(log.records()[0]?.value, 9n);
  log.begin(1, 99, 99, 0, 0);
  const before = new Uint8Array(buffer).slice();
  log.answer(first, 10);
  log.accept(first);
  assert.deepEqual(new Uint8Array(buffer), before);
});
