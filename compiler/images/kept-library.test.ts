// Images are the same, to the byte, whether the library's functions were kept by an earlier compilation or made anew; and what is kept is read
// back as it was written, or not at all.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { expectSameImages } from "../../tests/fixtures/kept-library.ts";
import type { KeptFunction } from "../library-store.ts";
import { openCache } from "./cache.ts";
import { openKeptLibrary } from "./kept-library.ts";

const SPECS: readonly string[] = ["specs/kunit/add.gspec", "specs/isolation/stubs.gspec", "specs/devices/edu.gspec", "specs/smp/start.gspec"];

describe("images with a kept library", () => {
  for (const machine of ["bytecode-virt", "riscv-virt", "x86-q35"]) test(machine, () => expectSameImages(machine, SPECS, SPECS.slice(0, 1)));
});

describe("what is kept", () => {
  const folder = mkdtempSync(join(tmpdir(), "guestspec-kept-"));
  after(() => rmSync(folder, { recursive: true }));
  const open = (name: string) => openKeptLibrary(openCache({ env: { XDG_CACHE_HOME: join(folder, name) }, home: "/", stamp: "1" }), ["machine"]);
  const full: KeptFunction = {
    modules: ["text"],
    reach: { functions: ["text.matches"], needs: [{ name: "pci", args: ["0x1234:0x11e8"], start: 3, end: 8 }] },
    unit: {
      signature: { params: ["addr"], results: [] },
      instructionCount: 3,
      code: Uint8Array.of(1, 2, 3),
      places: [7, 9],
      requests: [
        { kind: "function", name: "text.matches" },
        { kind: "bytes", bytes: Uint8Array.of(0, 255), align: 1 },
        { kind: "constant", symbol: { name: "const.value", size: 2, align: 2, writable: false, bytes: Uint8Array.of(4, 5), relocations: [] } },
        { kind: "signature", signature: { params: [], results: ["i8"] } },
        {
          kind: "assembly",
          block: { isa: "x86_64", bytes: Uint8Array.of(0xf4), inputs: [], outputs: [], clobbers: ["rax"], memory: true, lines: [{ offset: 0, location: 1 }] },
        },
      ],
      addressed: [0],
    },
  };
  const other: KeptFunction = { modules: [], reach: null, unit: null };
  const unused: KeptFunction = { modules: [], reach: { functions: [], needs: [] }, unit: undefined };

  /** Bytes as what they are, whatever kind of array holds them. */
  function plain(fn: KeptFunction | undefined): string {
    return JSON.stringify(fn, (_, value: unknown) => {
      if (value instanceof Uint8Array) return [...value];
      // A buffer says this of itself before it is asked.
      return typeof value === "object" && value !== null && "type" in value && value.type === "Buffer" && "data" in value ? value.data : value;
    });
  }

  test("comes back, and grows", () => {
    open("grows").save();
    assert.equal(open("grows").find("a.full"), undefined);
    const first = open("grows");
    first.keep("a.full", full);
    assert.equal(first.find("a.full"), full);
    assert.ok(first.save());
    const second = open("grows");
    second.keep("a.other", other);
    second.keep("a.unused", unused);
    assert.ok(second.save());
    const third = open("grows");
    assert.equal(plain(third.find("a.full")), plain(full));
    assert.equal(plain(third.find("a.other")), plain(other));
    assert.equal(third.find("a.unused")?.unit, undefined);
    assert.equal(third.find("a.nothing"), undefined);
    assert.equal(third.findCode("a.full", "compact"), undefined);
    third.keepCode("a.full", "large", { code: Uint8Array.of(6, 7), facts: "{}", references: [0, -1], locations: [1] });
    assert.equal(third.isSaved, false);
    assert.ok(third.save());
    assert.equal(third.isSaved, true);
    const fourth = open("grows");
    for (const library of [third, fourth]) {
      const code = library.findCode("a.full", "large");
      assert.deepEqual({ ...code, code: [...(code?.code ?? [])] }, { code: [6, 7], facts: "{}", references: [0, -1], locations: [1] });
    }
    assert.equal(fourth.findCode("a.full", "compact"), undefined);
    assert.equal(plain(fourth.find("a.full")), plain(full));
  });

  for (const [name, tear] of [
    ["torn", (bytes: Buffer) => bytes.subarray(0, bytes.length - 1)],
    ["changed", (bytes: Buffer) => Buffer.from(bytes.toString("latin1").replace("text.matches", "text.MATCHES"), "latin1")],
    ["empty", () => Buffer.alloc(0)],
  ] as const) {
    test(`is none when its file is ${name}`, () => {
      const library = open(name);
      library.keep("a.full", full);
      library.save();
      const path = join(folder, name, "guestspec", readdirSync(join(folder, name, "guestspec"))[0] ?? "");
      writeFileSync(path, tear(readFileSync(path)));
      assert.equal(open(name).find("a.full"), undefined);
    });
  }

  test("two that write at a time: one of them stays", () => {
    const [one, two] = [open("race"), open("race")];
    one.keep("a.one", full);
    two.keep("a.two", other);
    assert.ok(one.save());
    assert.ok(two.save());
    assert.equal(open("race").find("a.one"), undefined);
    assert.equal(plain(open("race").find("a.two")), plain(other));
  });
});
