// How a debugger gets from a function to its caller (`.debug_frame`): the rules for the stack pointer and kept registers, as the back end
// noted them while it wrote the code. Written after DWARF 4, 6.4; numbers of registers are those of the targets' DWARF mappings (isa/psabi.ts).

import { PSABIS, type Psabi } from "../../isa/psabi.ts";
import type { NativeImage } from "../native/native-image.ts";
import { createByteWriter, type ByteWriter } from "./byte-writer.ts";

/** DWARF 4, 7.23. */
const CFA = {
  advance: 0x40,
  offset: 0x80,
  advance1: 0x02,
  advance2: 0x03,
  advance4: 0x04,
  undefined: 0x07,
  rememberState: 0x0a,
  restoreState: 0x0b,
  defCfa: 0x0c,
  defCfaOffset: 0x0e,
} as const;
const CIE_ID = 0xffff_ffff;
const VERSION = 4;
const WORD = 8;

function advance(out: ByteWriter, bytes: number): void {
  if (bytes === 0) return;
  if (bytes < 0x40) out.u8(CFA.advance | bytes);
  else if (bytes <= 0xff) {
    out.u8(CFA.advance1);
    out.u8(bytes);
  } else if (bytes <= 0xffff) {
    out.u8(CFA.advance2);
    out.u16(bytes);
  } else {
    out.u8(CFA.advance4);
    out.u32(bytes);
  }
}

/** Entries are whole words long, so that each begins on one; what fills them up is DW_CFA_nop, 0. */
function writeEntry(section: ByteWriter, write: (out: ByteWriter) => void): void {
  section.withLength((out) => {
    write(out);
    out.align(WORD);
  });
}

function writeCommonEntry(section: ByteWriter, { dwarf: { stackPointer, returnAddress }, pushed }: Psabi): void {
  writeEntry(section, (out) => {
    out.u32(CIE_ID);
    out.u8(VERSION);
    out.text(""); // no augmentation
    out.u8(WORD); // bytes of an address
    out.u8(0); // and of a segment
    out.uleb(1); // unit of code
    out.sleb(-WORD); // and of data
    out.uleb(returnAddress);
    out.u8(CFA.defCfa);
    out.uleb(stackPointer);
    out.uleb(pushed);
    if (pushed > 0) keep(out, returnAddress, pushed);
  });
}

function keep(out: ByteWriter, register: number, below: number): void {
  out.u8(CFA.offset | register);
  out.uleb(below / WORD);
}

function writeFunctionEntry(section: ByteWriter, { address, size, events }: NativeImage["frames"][number], { dwarf, pushed }: Psabi): void {
  writeEntry(section, (out) => {
    out.u32(0); // the common entry is first
    out.u64(address);
    out.u64(size);
    let at = 0;
    for (const event of events) {
      advance(out, event.offset - at);
      at = event.offset;
      switch (event.kind) {
        case "depth":
          out.u8(CFA.defCfaOffset);
          out.uleb(event.bytes + pushed);
          break;
        case "kept":
          keep(out, dwarf.registers?.[event.register] ?? event.register, event.below);
          break;
        case "leave":
          out.u8(CFA.rememberState);
          break;
        case "stay":
          out.u8(CFA.restoreState);
          break;
        case "outermost":
          out.u8(CFA.undefined);
          out.uleb(dwarf.returnAddress);
      }
    }
  });
}

export function debugFrames({ target, frames }: Pick<NativeImage, "target" | "frames">): Uint8Array {
  const facts = PSABIS[target];
  if (facts === undefined) throw new Error(`no frame rules are known for target ${target}`);
  const out = createByteWriter();
  writeCommonEntry(out, facts);
  for (const frame of frames) writeFunctionEntry(out, frame, facts);
  return out.finish();
}
