// Split virtqueues against VIRTIO 1.2, 2.7: chains, indirect tables, notification suppression, and every mistake of a driver.

import assert from "node:assert/strict";
import { test } from "node:test";
import { makeTestEnv, type TestEnv } from "../../tests/fixtures/device-env.ts";
import { createVirtqueue, type PopResult, type Virtqueue } from "./virtqueue.ts";

const BASE = 0x8000_0000n;
const DESC = BASE + 0x1000n;
const AVAIL = BASE + 0x2000n;
const USED = BASE + 0x3000n;
const SIZE = 8;

interface Bench {
  readonly env: TestEnv;
  readonly ram: DataView;
  readonly queue: Virtqueue;
  readonly describe: (index: number, address: bigint, length: number, flags: number, next?: number, table?: number) => void;
  /** Makes `head` available. */
  readonly offer: (head: number) => void;
}

function bench(hasEventIndex = false): Bench {
  const env = makeTestEnv();
  const queue = createVirtqueue(env.dma, SIZE, () => hasEventIndex);
  assert.equal(queue.isPlaced(), false);
  assert.equal(queue.setRings({ desc: DESC, avail: AVAIL, used: USED }), null);
  const ram = new DataView(env.ram.buffer);
  let index = 0;
  return {
    env,
    ram,
    queue,
    describe(at, address, length, flags, next = 0, table = 0x1000) {
      const slot = table + at * 16;
      ram.setBigUint64(slot, address, true);
      ram.setUint32(slot + 8, length, true);
      ram.setUint16(slot + 12, flags, true);
      ram.setUint16(slot + 14, next, true);
    },
    offer(head) {
      ram.setUint16(0x2004 + (index % SIZE) * 2, head, true);
      index = (index + 1) & 0xffff;
      ram.setUint16(0x2002, index, true);
    },
  };
}

function chainOf(result: PopResult): Extract<PopResult, { kind: "chain" }>["chain"] {
  assert.equal(result.kind, "chain");
  return (result as Extract<PopResult, { kind: "chain" }>).chain;
}

test("an empty ring gives nothing", () => {
  assert.deepEqual(bench().queue.pop(), { kind: "empty" });
});

test("a chain is popped with its readable and writable parts and goes back by the used ring", () => {
  const { queue, describe, offer, ram } = bench();
  describe(3, 0x100n, 10, 1, 5);
  describe(5, 0x200n, 20, 1 | 2, 1);
  describe(1, 0x300n, 30, 2);
  offer(3);
  assert.deepEqual(chainOf(queue.pop()), {
    head: 3,
    readable: [{ address: 0x100n, length: 10 }],
    writable: [
      { address: 0x200n, length: 20 },
      { address: 0x300n, length: 30 },
    ],
  });
  assert.equal(queue.pop().kind, "empty");
  assert.equal(queue.push(3, 44), null);
  assert.equal(ram.getUint16(0x3002, true), 1);
  assert.equal(ram.getUint32(0x3004, true), 3);
  assert.equal(ram.getUint32(0x3008, true), 44);
});

test("an indirect table is followed", () => {
  const { queue, describe, offer } = bench();
  describe(2, BASE + 0x4000n, 32, 4);
  describe(0, 0x100n, 1, 1, 1, 0x4000);
  describe(1, 0x200n, 2, 2, 0, 0x4000);
  offer(2);
  const chain = chainOf(queue.pop());
  assert.equal(chain.head, 2);
  assert.deepEqual(chain.readable, [{ address: 0x100n, length: 1 }]);
  assert.deepEqual(chain.writable, [{ address: 0x200n, length: 2 }]);
});

const mistakes: readonly { readonly name: string; readonly make: (b: Bench) => void; readonly message: RegExp }[] = [
  { name: "a head out of range", make: (b) => b.offer(SIZE), message: /index 8 is available/ },
  {
    name: "a loop",
    make(b) {
      b.describe(0, 1n, 1, 1, 0);
      b.offer(0);
    },
    message: /looped descriptor/,
  },
  {
    name: "a next out of range",
    make(b) {
      b.describe(0, 1n, 1, 1, 8);
      b.offer(0);
    },
    message: /desc next is 8/,
  },
  {
    name: "a readable part after a writable one",
    make(b) {
      b.describe(0, 1n, 1, 1 | 2, 1);
      b.describe(1, 1n, 1, 0);
      b.offer(0);
    },
    message: /incorrect order/,
  },
  {
    name: "a buffer without bytes",
    make(b) {
      b.describe(0, 1n, 0, 0);
      b.offer(0);
    },
    message: /zero sized/,
  },
  {
    name: "an indirect table of odd size",
    make(b) {
      b.describe(0, BASE, 24, 4);
      b.offer(0);
    },
    message: /indirect buffer table/,
  },
  {
    name: "an indirect table outside memory",
    make(b) {
      b.describe(0, 0n, 16, 4);
      b.offer(0);
    },
    message: /not in memory/,
  },
];
for (const { name, make, message } of mistakes) {
  test(`the driver's mistake is told: ${name}`, () => {
    const b = bench();
    make(b);
    const result = b.queue.pop();
    assert.equal(result.kind, "error");
    assert.match(result.kind === "error" ? result.message : "", message);
  });
}

test("an available index that runs ahead by more than the ring is followed", () => {
  const { queue, ram, describe } = bench();
  for (let index = 0; index < SIZE; index++) {
    describe(index, 1n, 1, 0);
    ram.setUint16(0x2004 + index * 2, index, true);
  }
  ram.setUint16(0x2002, SIZE + 2, true);
  const heads: number[] = [];
  for (let result = queue.pop(); result.kind === "chain"; result = queue.pop()) heads.push(result.chain.head);
  assert.deepEqual(heads, [0, 1, 2, 3, 4, 5, 6, 7, 0, 1]);
});

test("rings outside memory are refused, each by its name", () => {
  const { queue } = bench();
  const outside = BASE + 0xfffcn;
  assert.equal(queue.setRings({ desc: outside, avail: AVAIL, used: USED }), "cannot map desc");
  assert.equal(queue.setRings({ desc: DESC, avail: outside, used: USED }), "cannot map avail");
  assert.equal(queue.setRings({ desc: DESC, avail: AVAIL, used: outside }), "cannot map used");
});

test("without event index the driver suppresses notifications by a flag", () => {
  const { queue, ram } = bench();
  assert.equal(queue.shouldNotify(), true);
  ram.setUint16(0x2000, 1, true);
  assert.equal(queue.shouldNotify(), false);
});

test("with event index the device interrupts when it passes used_event, and asks for every kick by avail_event", () => {
  const { queue, ram, describe, offer } = bench(true);
  describe(0, 1n, 1, 0);
  const serve = (): boolean => {
    offer(0);
    chainOf(queue.pop());
    queue.push(0, 0);
    return queue.shouldNotify();
  };
  assert.equal(serve(), true);
  ram.setUint16(0x2004 + SIZE * 2, 2, true);
  assert.equal(serve(), false);
  assert.equal(serve(), true);
  assert.equal(serve(), false);
  assert.equal(ram.getUint16(0x3004 + SIZE * 8, true), 4);
  assert.equal(queue.shouldNotify(), false);
});

test("indices wrap at 2^16, and the state moves over to another queue", () => {
  const b = bench();
  b.describe(0, 1n, 1, 0);
  for (let i = 0; i < 0x1_0003; i++) {
    b.offer(0);
    chainOf(b.queue.pop());
    b.queue.push(0, i & 0xff);
  }
  assert.equal(b.ram.getUint16(0x3002, true), 3);
  const other = createVirtqueue(b.env.dma, SIZE, () => false);
  other.load(structuredClone(b.queue.save()));
  assert.deepEqual(other.pop(), { kind: "empty" });
  b.offer(0);
  assert.equal(other.pop().kind, "chain");
  other.reset();
  assert.equal(other.isPlaced(), false);
});
