// Scripts of the QEMU oracle: what to do to a board, step by step. tests/devices-qtest.isolated.test.ts plays each on our device models
// (board.ts) and on QEMU's (qemu.ts) and compares every value, the watched interrupt pins, the console and the exit.
// Every file `*.scripts.ts` in this folder is picked up; it exports `scripts: readonly QtestScript[]`.

import type { Width } from "../../runtime/devices/device.ts";
import type { Board } from "./board.ts";

export type AccessStep =
  | { readonly kind: "read"; readonly address: bigint; readonly width: Width }
  | { readonly kind: "write"; readonly address: bigint; readonly width: Width; readonly value: bigint };

export type Step =
  | AccessStep
  /** Virtual time passes: a multiple of 100 ns, and no event may be left pending after it (see qemu.ts). */
  | { readonly kind: "pass"; readonly nanoseconds: number }
  /** Virtual time passes until nothing is pending: it ends at the very tick of the last event. */
  | { readonly kind: "settle" }
  /** Real time passes until QEMU's register has these bits so: a thread of its own works there. Of the model nothing is asked. */
  | { readonly kind: "await"; readonly address: bigint; readonly mask: bigint; readonly bits: bigint }
  /** Drives an input pin of the PLIC, as a device would. */
  | { readonly kind: "input"; readonly source: number; readonly level: boolean }
  /** The far end of the UART sends. */
  | { readonly kind: "send"; readonly bytes: readonly number[] }
  /** Compares all that the UART has sent so far. */
  | { readonly kind: "output" }
  /** Resets the board. No time may pass afterwards: QEMU's harts start anew, ours have none. */
  | { readonly kind: "reset" }
  /** Compares how the machine ended; the last step of its script. */
  | { readonly kind: "exit" };

/** Whose output pins are compared after every step. */
export type Watch = "plic" | "mtimer" | "mswi";

export interface QtestScript {
  readonly name: string;
  readonly steps: readonly Step[];
  readonly watch?: Watch;
  /** Further options for QEMU, and the same devices on our side. */
  readonly qemuArguments?: readonly string[];
  readonly extend?: (board: Board) => void;
}

export const read = (address: number | bigint, width: Width = 4): Step => ({
  kind: "read",
  address: BigInt(address),
  width,
});

export const write = (address: number | bigint, value: number | bigint, width: Width = 4): Step => ({
  kind: "write",
  address: BigInt(address),
  width,
  value: BigInt.asUintN(8 * width, BigInt(value)),
});

export const pass = (nanoseconds: number): Step => ({ kind: "pass", nanoseconds });
/** 32 bits wide. */
export const awaitBits = (address: number, mask: number, bits: number): Step => ({
  kind: "await",
  address: BigInt(address),
  mask: BigInt(mask),
  bits: BigInt(bits),
});
export const settle: Step = { kind: "settle" };
export const input = (source: number, level: boolean): Step => ({ kind: "input", source, level });
export const send = (text: string): Step => ({ kind: "send", bytes: [...Buffer.from(text, "latin1")] });
export const output: Step = { kind: "output" };
export const reset: Step = { kind: "reset" };
export const exit: Step = { kind: "exit" };

/** Every aligned read of every width within `size` bytes from `base`. */
export function readAllWidths(base: number, size: number, widths: readonly Width[] = [1, 2, 4, 8]): Step[] {
  const steps: Step[] = [];
  for (const width of widths) {
    for (let offset = 0; offset < size; offset += width) steps.push(read(base + offset, width));
  }
  return steps;
}

export function describeStep(step: Step): string {
  switch (step.kind) {
    case "read":
      return `read${step.width * 8} 0x${step.address.toString(16)}`;
    case "write":
      return `write${step.width * 8} 0x${step.address.toString(16)} = 0x${step.value.toString(16)}`;
    case "pass":
      return `pass ${step.nanoseconds} ns`;
    case "await":
      return `await 0x${step.bits.toString(16)} of 0x${step.mask.toString(16)} at 0x${step.address.toString(16)}`;
    case "input":
      return `input ${step.source} ${step.level ? "high" : "low"}`;
    case "send":
      return `send [${step.bytes.join(" ")}]`;
    case "settle":
    case "output":
    case "reset":
    case "exit":
      return step.kind;
  }
}
