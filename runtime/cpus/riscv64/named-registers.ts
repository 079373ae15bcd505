// Registers by name, for debuggers, firmware and tests: the manual's and the ABI's names, `pc`, `privilege`, and control registers, which are
// read and written as M-mode could, whatever mode the hart is in.

import type { RegisterWidth } from "../../../isa/riscv64/by-width.ts";
import { findCsr, findFRegister, findXRegister } from "../../../isa/riscv64/registers.ts";
import { hasCsr, readCsr, writeCsr, type CsrEnvironment } from "./csrs.ts";
import { MODE, type Hart, type Mode } from "./hart.ts";
import type { RegisterFile } from "./registers.ts";

type Found =
  | { readonly kind: "x" | "f"; readonly number: number }
  | { readonly kind: "csr"; readonly number: number }
  | { readonly kind: "pc" }
  | { readonly kind: "privilege" };

function find(name: string, width: RegisterWidth): Found {
  if (name === "pc" || name === "privilege") return { kind: name };
  const x = findXRegister(name);
  if (x !== undefined) return { kind: "x", number: x };
  const f = findFRegister(name);
  if (f !== undefined) return { kind: "f", number: f };
  const csr = findCsr(name, width);
  if (csr !== undefined && hasCsr(csr, width)) return { kind: "csr", number: csr };
  throw new RangeError(`no register ${name}`);
}

export interface NamedRegisters {
  readonly read: (hart: Hart, name: string) => bigint;
  readonly write: (hart: Hart, name: string, value: bigint) => void;
}

export function createNamedRegisters(registers: RegisterFile, csrs: CsrEnvironment, modeChanged: (hart: Hart) => void): NamedRegisters {
  return {
    read(hart, name) {
      const found = find(name, hart.width);
      switch (found.kind) {
        case "x":
          return registers.x(hart.index, found.number);
        case "f":
          return registers.f(hart.index, found.number);
        case "csr":
          return readCsr(hart, found.number, csrs);
        case "pc":
          return registers.pc(hart.index);
        case "privilege":
          return BigInt(hart.mode);
      }
    },
    write(hart, name, value) {
      const found = find(name, hart.width);
      const word = BigInt.asUintN(found.kind === "f" ? 64 : hart.width, value);
      switch (found.kind) {
        case "x":
          return registers.setX(hart.index, found.number, word);
        case "f":
          return registers.setF(hart.index, found.number, word);
        case "csr":
          return writeCsr(hart, found.number, word, csrs);
        case "pc":
          return registers.setPc(hart.index, word & ~1n);
        case "privilege":
          hart.mode = toMode(word);
          return modeChanged(hart);
      }
    },
  };
}

function toMode(value: bigint): Mode {
  for (const mode of Object.values(MODE)) if (BigInt(mode) === value) return mode;
  throw new RangeError(`no privilege mode ${value}`);
}
