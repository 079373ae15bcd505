// How an access meets a region: refused by `valid`, then split or widened to `impl`, as QEMU's memory API has it.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Region, Width, Widths, WindowRegion } from "../devices/device.ts";
import { accessRead, accessWrite } from "../../tests/fixtures/access-region.ts";

interface Trace {
  readonly region: Region;
  readonly seen: string[];
}

/** A region whose byte at offset n reads as n, and which records what the model saw. */
function traced(valid: Widths, options: { impl?: Widths; unaligned?: boolean; size?: number } = {}): Trace {
  const seen: string[] = [];
  const bytes = (offset: number, width: number): bigint => {
    let value = 0n;
    for (let i = 0; i < width; i++) value |= BigInt((offset + i) & 0xff) << BigInt(i * 8);
    return value;
  };
  const region: Region = {
    name: "traced",
    size: options.size ?? 0x100,
    valid,
    ...(options.impl === undefined ? {} : { impl: options.impl }),
    ...(options.unaligned === undefined ? {} : { unaligned: options.unaligned }),
    read(offset: number, width: Width): number {
      seen.push(`r${width}@${offset.toString(16)}`);
      return Number(bytes(offset, width));
    },
    write(offset: number, width: Width, value: number): void {
      seen.push(`w${width}@${offset.toString(16)}=${value.toString(16)}`);
    },
    read64(offset: number): bigint {
      seen.push(`r8@${offset.toString(16)}`);
      return bytes(offset, 8);
    },
    write64(offset: number, value: bigint): void {
      seen.push(`w8@${offset.toString(16)}=${value.toString(16)}`);
    },
  };
  return { region, seen };
}

test("an access within valid and impl reaches the model as it is", () => {
  const { region, seen } = traced({ min: 1, max: 8 });
  assert.equal(accessRead(region, 0x10, 1), 0x10);
  assert.equal(accessRead(region, 0x10, 2), 0x1110);
  assert.equal(accessRead(region, 0xf0, 4), 0xf3f2f1f0);
  assert.equal(accessRead(region, 0xf8, 8), 0xfffefdfcfbfaf9f8n);
  assert.equal(accessWrite(region, 0x20, 4, 0xdeadbeef), true);
  assert.equal(accessWrite(region, 0x20, 8, 0xfedcba9876543210n), true);
  assert.deepEqual(seen, ["r1@10", "r2@10", "r4@f0", "r8@f8", "w4@20=deadbeef", "w8@20=fedcba9876543210"]);
});

test("widths outside valid fault and the model sees nothing", () => {
  const { region, seen } = traced({ min: 4, max: 4 });
  for (const width of [1, 2, 8] as const) {
    assert.equal(accessRead(region, 0, width), null);
    assert.equal(accessWrite(region, 0, width, 0), false);
  }
  assert.deepEqual(seen, []);
});

test("misaligned accesses fault unless the region takes them", () => {
  const strict = traced({ min: 1, max: 4 });
  assert.equal(accessRead(strict.region, 1, 2), null);
  assert.equal(accessWrite(strict.region, 2, 4, 0), false);
  assert.deepEqual(strict.seen, []);
  const lax = traced({ min: 1, max: 4 }, { unaligned: true });
  assert.equal(accessRead(lax.region, 1, 2), 0x0201);
  assert.deepEqual(lax.seen, ["r2@1"]);
});

test("an access that leaves the region faults", () => {
  const { region, seen } = traced({ min: 1, max: 8 }, { unaligned: true, size: 0x10 });
  assert.equal(accessRead(region, 0x0e, 4), null);
  assert.equal(accessRead(region, 0x10, 1), null);
  assert.equal(accessRead(region, -1, 1), null);
  assert.deepEqual(seen, []);
});

test("wide accesses are split to impl.max, low part first", () => {
  const { region, seen } = traced({ min: 1, max: 8 }, { impl: { min: 1, max: 4 } });
  assert.equal(accessRead(region, 0xf8, 8), 0xfffefdfcfbfaf9f8n);
  assert.equal(accessWrite(region, 8, 8, 0x8877665544332211n), true);
  assert.deepEqual(seen, ["r4@f8", "r4@fc", "w4@8=44332211", "w4@c=88776655"]);
  const bytes = traced({ min: 1, max: 4 }, { impl: { min: 1, max: 1 } });
  assert.equal(accessRead(bytes.region, 0xfc, 4), 0xfffefdfc);
  assert.equal(accessWrite(bytes.region, 0, 2, 0xa1b2), true);
  assert.deepEqual(bytes.seen, ["r1@fc", "r1@fd", "r1@fe", "r1@ff", "w1@0=b2", "w1@1=a1"]);
});

test("narrow accesses are widened to impl.min at the guest's offset, zero-extended", () => {
  const { region, seen } = traced({ min: 1, max: 4 }, { impl: { min: 4, max: 4 } });
  assert.equal(accessRead(region, 0x41, 1), 0x41);
  assert.equal(accessWrite(region, 0x42, 2, 0x1ffff), true);
  assert.deepEqual(seen, ["r4@41", "w4@42=ffff"]);
  const wide = traced({ min: 4, max: 8 }, { impl: { min: 8, max: 8 } });
  assert.equal(accessRead(wide.region, 0x80, 4), 0x83828180);
  assert.equal(accessWrite(wide.region, 0x80, 4, 0xffffffff), true);
  assert.deepEqual(wide.seen, ["r8@80", "w8@80=ffffffff"]);
});

test("a model without 64-bit entry points that claims 8-byte accesses is an internal fault", () => {
  const region: Region = { name: "liar", size: 8, valid: { min: 1, max: 8 }, read: () => 0, write: () => {} };
  assert.throws(() => accessRead(region, 0, 8), /liar.*read64/);
  assert.throws(() => accessWrite(region, 0, 8, 0n), /liar.*write64/);
});

test("a window hands the access to the region behind it, whose rules alone count", () => {
  const inner = traced({ min: 4, max: 4 }, { size: 0x10 });
  const outer = traced({ min: 1, max: 2 });
  const window: WindowRegion = {
    ...outer.region,
    resolve: (offset) => (offset >= 0x40 && offset < 0x50 ? { region: inner.region, offset: offset - 0x40 } : null),
  };
  assert.equal(accessRead(window, 0x44, 4), 0x07060504);
  assert.equal(accessRead(window, 0x44, 1), null);
  assert.equal(accessWrite(window, 0x48, 4, 1), true);
  assert.equal(accessWrite(window, 0x48, 2, 1), false);
  assert.deepEqual(inner.seen, ["r4@4", "w4@8=1"]);
  assert.equal(accessRead(window, 0x60, 2), 0x6160);
  assert.equal(accessRead(window, 0x60, 4), null);
  assert.deepEqual(outer.seen, ["r2@60"]);
});
