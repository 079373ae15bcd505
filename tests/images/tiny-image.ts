// The smallest images that boot: each says one letter on its machine's console and ends the machine. File formats are tested with
// them on real loaders, apart from compiler and guest library. Machine code is written as bytes, with the assembly beside it, so that
// no assembler of ours takes part.

import type { Manifest } from "../../compiler/images/manifest.ts";
import { fillBootHeader, type BootHeader } from "../../compiler/native/boot-header.ts";
import type { NativeImage, NativeLine } from "../../compiler/native/native-image.ts";
import { BOOT_HEADER as ARM64_IMAGE } from "../../compiler/targets/aarch64/boot-header.ts";
import { BOOT_HEADER as RISCV_IMAGE } from "../../compiler/targets/riscv64/boot-header.ts";
import { BOOT_HEADER as MULTIBOOT } from "../../compiler/targets/x86_64/boot-header.ts";

export type TinyTarget = "x86_64" | "riscv64" | "aarch64";

interface TinyMachine {
  readonly base: bigint;
  readonly ramBase: bigint;
  /** Space for the boot header, whose last word of magic stands at `magicAt`. */
  readonly magic: { readonly at: number; readonly value: number };
  readonly header: readonly number[];
  readonly headerSize: number;
  /** Offset at which loaders enter. */
  readonly entry: number;
  readonly code: Uint8Array;
  /** Offsets in the code: where the letter is said, and where the machine ends. */
  readonly steps: readonly [say: number, end: number];
}

function fromHex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "hex"));
}

function fromWords(words: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(words.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [index, word] of words.entries()) view.setUint32(4 * index, word, true);
  return bytes;
}

export const TINY_MACHINES: Readonly<Record<TinyTarget, TinyMachine>> = {
  // Says M when started by Multiboot, P by PVH, whose record at ebx begins with 0x336ec578. Port 0xf4 is isa-debug-exit.
  x86_64: {
    base: 0x10_0000n,
    ramBase: 0n,
    magic: { at: 0, value: 0x1bad_b002 },
    header: [],
    headerSize: 32,
    entry: 32,
    code: fromHex(
      [
        "813b78c56e33", // cmp dword [ebx], 0x336ec578
        "b050", // mov al, 'P'
        "7402", // je 1f
        "b04d", // mov al, 'M'
        "66baf803", // 1: mov dx, 0x3f8
        "ee", // out dx, al
        "30c0", // xor al, al
        "66baf400", // mov dx, 0xf4
        "ee", // out dx, al
        "f4", // 2: hlt
        "ebfd", // jmp 2b
      ].join(""),
    ),
    steps: [12, 17],
  },
  // UART of `virt` at 0x1000_0000, test finisher at 0x10_0000.
  riscv64: {
    base: 0x8000_0000n,
    ramBase: 0x8000_0000n,
    magic: { at: 56, value: 0x0543_5352 },
    header: [0x0400_006f], // j . + 64
    headerSize: 64,
    entry: 0,
    code: fromWords([
      0x1000_02b7, // lui t0, 0x10000
      0x0520_0313, // li t1, 'R'
      0x0062_8023, // sb t1, 0(t0)
      0x0010_02b7, // lui t0, 0x100
      0x0000_5337, // lui t1, 0x5
      0x5553_0313, // addi t1, t1, 0x555
      0x0062_a023, // sw t1, 0(t0)
      0x0000_006f, // j .
    ]),
    steps: [0, 12],
  },
  // PL011 of `virt` at 0x900_0000; PSCI SYSTEM_OFF (0x8400_0008) by hvc.
  aarch64: {
    base: 0x4020_0000n,
    ramBase: 0x4000_0000n,
    magic: { at: 56, value: 0x644d_5241 },
    header: [0x1400_0010], // b . + 64
    headerSize: 64,
    entry: 0,
    code: fromWords([
      0xd2a1_2001, // mov x1, #0x9000000
      0x5280_0822, // mov w2, #'A'
      0x3900_0022, // strb w2, [x1]
      0xd2b0_8000, // mov x0, #0x84000000
      0xf280_0100, // movk x0, #8
      0xd400_0002, // hvc #0
      0x1400_0000, // b .
    ]),
    steps: [0, 12],
  },
};

export interface TinyOptions {
  /** Size of the file's contents; the writable data are zeros. */
  readonly size?: number;
  readonly hasBootHeader?: boolean;
}

const BOOT_HEADERS: Readonly<Record<TinyTarget, BootHeader>> = { x86_64: MULTIBOOT, riscv64: RISCV_IMAGE, aarch64: ARM64_IMAGE };

/** With its boot header filled in, as the linker's images have it. */
export function bootableTinyImage(target: TinyTarget, options: TinyOptions = {}): NativeImage {
  return fillBootHeader(tinyImage(target, options), BOOT_HEADERS[target], TINY_MACHINES[target].ramBase);
}

export const TINY_FILES = ["tiny.gspec", "guestspec/lib/tiny.gspec"] as const;

export function tinyImage(target: TinyTarget, { size = 8192, hasBootHeader = true }: TinyOptions = {}): NativeImage {
  const { base, magic, header, headerSize, entry, code, steps } = TINY_MACHINES[target];
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  for (const [index, word] of header.entries()) view.setUint32(4 * index, word, true);
  if (hasBootHeader) view.setUint32(magic.at, magic.value, true);
  bytes.set(code, headerSize);
  const codeStart = base + BigInt(headerSize);
  const [say, end] = steps.map((step) => codeStart + BigInt(step)) as [bigint, bigint];
  const codeEnd = codeStart + BigInt(code.length);
  const line = (address: bigint, file: number, number: number): NativeLine => ({ address, file, line: number, column: 3 });
  return {
    target,
    machine: "tiny",
    layout: { addressBytes: 8, endian: "little" },
    base,
    bytes,
    readonlySize: 4096,
    writableOffset: 4096,
    writableBase: base + 4096n,
    writableSize: size - 4096 + 0x1_0000,
    pack: null,
    entry: base + BigInt(entry),
    labels: new Map([["guest_start", base + BigInt(entry)]]),
    symbols: [
      { name: "tiny.say", address: codeStart, size: Number(end - codeStart), kind: "function" },
      { name: "ends: {it}!", address: end, size: Number(codeEnd - end), kind: "function" },
      { name: "tiny.data", address: base + 4096n, size: 16, kind: "object" },
    ],
    lines: [line(codeStart, 1, 7), ...(say === codeStart ? [] : [line(say, 1, 8)]), line(end, 0, 3), line(codeEnd - 2n, -1, 0)],
    files: TINY_FILES,
    frames: [],
    codeStart,
    codeEnd,
    commandLineOffset: 4096,
  };
}

export function tinyManifest(target: string, suite = "tiny"): Manifest {
  return {
    version: 1,
    target,
    machine: "tiny",
    files: [...TINY_FILES],
    suites: [
      {
        name: suite,
        file: 0,
        hasSetup: false,
        hasTeardown: false,
        tests: [
          {
            index: 0,
            name: "ends",
            file: 0,
            line: 3,
            endLine: 5,
            tags: ["slow"],
            attributes: {},
            covers: [],
            needs: [],
            on: [],
            timeout: null,
            tableHooks: null,
            parameterised: false,
            cases: [{ row: 0, name: null, file: 0, line: 3, xfail: null, skip: null }],
          },
        ],
      },
    ],
    sites: [],
    entry: { boot: 0, suiteSetup: 1, suiteTeardown: 2, runCase: 3, tableSetup: 4, tableTeardown: 5, main: 6 },
  };
}
