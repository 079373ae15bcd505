// QEMU's pci-testdev (1b36:0005): counts guest writes, for tests and timing of MMIO and port I/O. One page of header per test kind:
// +0 select, +1 width, +4 offset, +8 data, +12 count, +16 name. Source of truth: QEMU 7.2 documentation, "docs/specs/pci-testdev",
// and the behaviour of that version without KVM. The eventfd kinds have a notifier that takes matching writes before
// the device sees them, so their count stays 0 unless the write has another shape (wider, or through the other BAR).
// Left out: RAM behind the optional BAR2 (as in 7.2, the window is there and nobody answers in it).

import { defineDevice, type Device, type DeviceState, type Region, type Width, type WindowRegion } from "./device.ts";
import { createPciFunction } from "./pci.ts";

export interface PciTestdevConfig {
  /** Size of BAR2, a 64-bit prefetchable window; absent or 0: no BAR2. */
  readonly membar?: number;
}

const HDR_TEST = 0x00;
const HDR_WIDTH = 0x01;
const HDR_OFFSET = 0x04;
const HDR_DATA = 0x08;
const HDR_COUNT = 0x0c;
const HDR_NAME = 0x10;

const IOTEST_DATAMATCH = 0xfa;
const IOTEST_NOMATCH = 0xce;
const IOTEST_IOSIZE = 128;
const IOTEST_MEMSIZE = 2048;
const IOTEST_ACCESS_WIDTH = 1;

const VENDOR_REDHAT = 0x1b36;
const DEVICE_TESTDEV = 0x0005;
const CLASS_OTHERS = 0x00ff;

const KINDS = ["no-eventfd", "wildcard-eventfd", "datamatch-eventfd"] as const;
const SPACES = ["mmio", "portio"] as const;
type Space = (typeof SPACES)[number];

interface IoTest {
  readonly space: Space;
  readonly offset: number;
  readonly data: number;
  readonly matchData: boolean;
  readonly hasNotifier: boolean;
  /** The header, all but the count. */
  readonly header: Uint8Array;
}

const TESTS: readonly IoTest[] = SPACES.flatMap((space) => KINDS.map((kind) => ({ space, kind }))).map(({ space, kind }, index) => {
  const offset = (space === "mmio" ? IOTEST_MEMSIZE : IOTEST_IOSIZE) + index * IOTEST_ACCESS_WIDTH;
  const matchData = kind !== "wildcard-eventfd";
  const data = matchData ? IOTEST_DATAMATCH : IOTEST_NOMATCH;
  const name = new TextEncoder().encode(`${space}-${kind}\0`);
  const header = new Uint8Array(HDR_NAME + name.length);
  const view = new DataView(header.buffer);
  view.setUint8(HDR_TEST, index);
  view.setUint8(HDR_WIDTH, IOTEST_ACCESS_WIDTH);
  view.setUint32(HDR_OFFSET, offset, true);
  view.setUint8(HDR_DATA, data);
  header.set(name, HDR_NAME);
  return { space, offset, data, matchData, hasNotifier: kind !== "no-eventfd", header };
});

type State = {
  readonly pci: DeviceState;
  readonly current: number;
  readonly count: number;
};

/** A window behind which there is nothing: what else decodes the address answers, or else nobody (all ones, writes vanish). */
function createEmptyWindow(name: string, size: number): WindowRegion {
  return {
    resolve: () => null,
    name,
    size,
    valid: { min: 1, max: 8 },
    impl: { min: 1, max: 4 },
    read: (_offset, width) => (width === 4 ? 0xffffffff : 2 ** (width * 8) - 1),
    write() {},
  };
}

export const pciTestdev = defineDevice<PciTestdevConfig>({
  name: "pci-testdev",
  summary: "PCI test device: counts writes to a memory and a port BAR (QEMU pci-testdev)",
  manual: "QEMU 7.2, docs/specs/pci-testdev",
  create(config, env): Device {
    /** Index into TESTS, -1 while none is selected. */
    let current = -1;
    let count = 0;

    function select(space: Space, value: number): void {
      current = -1;
      if (value >= KINDS.length) return;
      current = SPACES.indexOf(space) * KINDS.length + value;
      count = 0;
    }

    function readByte(offset: number): number {
      const test = TESTS[current];
      if (test === undefined || offset >= test.header.length) return 0;
      if (offset >= HDR_COUNT && offset < HDR_COUNT + 4) return (count >>> ((offset - HDR_COUNT) * 8)) & 0xff;
      return test.header[offset] ?? 0;
    }

    function writeByte(space: Space, offset: number, value: number): void {
      if (offset === HDR_TEST) {
        select(space, value);
        return;
      }
      const test = TESTS[current];
      if (test === undefined || offset !== test.offset) return;
      if (test.matchData && value !== test.data) return;
      count = (count + 1) >>> 0;
    }

    /** The notifier judges the guest's whole access; only what it lets pass is cut into bytes. */
    function notifierTakes(space: Space, offset: number, width: Width, value: number): boolean {
      const test = TESTS[current];
      return (
        test !== undefined &&
        test.hasNotifier &&
        test.space === space &&
        test.offset === offset &&
        width === IOTEST_ACCESS_WIDTH &&
        (!test.matchData || value === test.data)
      );
    }

    function createRegion(space: Space, size: number): Region {
      function read(offset: number, width: Width): number {
        let value = 0;
        for (let i = 0; i < width; i++) value |= readByte(offset + i) << (i * 8);
        return value >>> 0;
      }
      function write(offset: number, width: Width, value: number): void {
        if (notifierTakes(space, offset, width, value)) return;
        for (let i = 0; i < width; i++) writeByte(space, offset + i, (value >>> (i * 8)) & 0xff);
      }
      return {
        name: `pci-testdev-${space}`,
        size,
        valid: { min: 1, max: 8 },
        // An 8-byte access never matches a notifier, so cutting it in two shows no difference.
        impl: { min: 1, max: 4 },
        read,
        write,
        pureRead: () => "constant",
      };
    }

    const membar = config.membar ?? 0;
    // Sizes that no BAR has are refused by the kit.
    const pci = createPciFunction(
      {
        vendor: VENDOR_REDHAT,
        device: DEVICE_TESTDEV,
        classCode: CLASS_OTHERS,
        bars: [
          { kind: "memory32", region: createRegion("mmio", IOTEST_MEMSIZE * 2) },
          { kind: "io", region: createRegion("portio", IOTEST_IOSIZE * 2) },
          membar === 0 ? null : { kind: "memory64", prefetchable: true, region: createEmptyWindow("pci-testdev-membar", membar) },
        ],
      },
      env,
    );

    return {
      regions: [],
      pci: pci.fn,
      reset(): void {
        pci.reset();
        current = -1;
        count = 0;
      },
      save: () => ({ pci: pci.save(), current, count }),
      load(state: DeviceState): void {
        const saved = state as State;
        pci.load(saved.pci);
        current = saved.current;
        count = saved.count;
      },
    };
  },
});
