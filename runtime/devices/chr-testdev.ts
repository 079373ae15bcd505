// The far end of a console that ends the machine: QEMU's `testdev` character device, which kvm-unit-tests' lib/chr-testdev.c talks to.
// A packet is optional blanks, a decimal argument (none: 0), optional blanks and one letter; packets may be cut anywhere
// between writes. `q` exits with the argument; every other letter is dropped with its packet. Manual: kvm-unit-tests, lib/chr-testdev.c.
// The code of the `MachineExit` is the status with which QEMU ends: (n << 1 | 1) mod 256.
// Unlike QEMU, which spins for ever on 32 blanks or digits without a letter, a full buffer is dropped and reported.

import type { DeviceEnv, DeviceState } from "./device.ts";

const BUF_SIZE = 32;
const LETTER_QUIT = 0x71;

type State = { readonly buffer: Uint8Array };

export interface ChrTestdev {
  readonly write: (bytes: Uint8Array) => void;
  readonly reset: () => void;
  readonly save: () => DeviceState;
  readonly load: (state: DeviceState) => void;
}

/** The status that the machine ends with after `<n>q`. */
export function exitStatus(n: number): number {
  return ((n << 1) | 1) & 0xff;
}

/** The blanks of C's isspace: space, and \t \n \v \f \r. */
function isBlank(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

interface Packet {
  readonly length: number;
  readonly argument: number;
  readonly letter: number;
}

/** The packet at the start of `bytes`, or null if it is not all there. */
function parsePacket(bytes: readonly number[]): Packet | null {
  let at = 0;
  const skip = (matches: (byte: number) => boolean): void => {
    for (let byte = bytes[at]; byte !== undefined && matches(byte); byte = bytes[at]) at++;
  };
  skip(isBlank);
  const digits = at;
  skip(isDigit);
  // A C int: arguments wrap at 32 bits.
  const argument = bytes.slice(digits, at).reduce((sum, digit) => (Math.imul(sum, 10) + digit - 0x30) | 0, 0);
  skip(isBlank);
  const letter = bytes[at];
  return letter === undefined ? null : { length: at + 1, argument, letter };
}

export function createChrTestdev(env: Pick<DeviceEnv, "exit" | "log">): ChrTestdev {
  let buffer: number[] = [];

  function interpret(): void {
    for (let packet = parsePacket(buffer); packet !== null; packet = parsePacket(buffer)) {
      buffer.splice(0, packet.length);
      if (packet.letter === LETTER_QUIT) env.exit({ kind: "poweroff", code: exitStatus(packet.argument) });
      else env.log(`chr-testdev: packet with unknown letter 0x${packet.letter.toString(16)} dropped`);
    }
  }

  return {
    write(bytes: Uint8Array): void {
      for (const byte of bytes) {
        buffer.push(byte);
        interpret();
        if (buffer.length === BUF_SIZE) {
          env.log(`chr-testdev: ${BUF_SIZE} bytes without a packet dropped`);
          buffer = [];
        }
      }
    },
    reset(): void {
      buffer = [];
    },
    save: () => ({ buffer: Uint8Array.from(buffer) }),
    load(state: DeviceState): void {
      buffer = [...(state as State).buffer];
    },
  };
}
