// System registers to `sys` instructions: reads, writes, and where the target can change single bits in one instruction, `|=` and
// `&=` become that, so that an interrupt in between loses nothing.

import { SYS_ISAS } from "../../isa/bytecode/module.ts";
import type { HPlace } from "../hir.ts";
import type { FunctionBuilder } from "./function-builder.ts";

export type SystemRegister = HPlace & { kind: "system-register" };

export function system(
  b: FunctionBuilder,
  { registers: { isa } }: SystemRegister,
  number: number,
  registers: { readonly dst?: number; readonly src?: number },
): void {
  const { dst, src } = registers;
  b.emit("sys", { dst: dst === undefined ? [] : [dst], src: src === undefined ? [] : [src], imm: [SYS_ISAS.indexOf(isa), number] });
}

export function readSystemRegister(b: FunctionBuilder, place: SystemRegister): number {
  const dst = b.temp("i64");
  system(b, place, place.registers.operations.read(place.number), { dst });
  return dst;
}

export function writeSystemRegister(b: FunctionBuilder, place: SystemRegister, value: number): void {
  system(b, place, place.registers.operations.write(place.number), { src: value });
}
