// The instruction sets whose machine code runs in process, and what their CPUs are in a device tree. A target that comes later is a row.

import type { RegisterWidth } from "../../isa/riscv64/by-width.ts";
import { nameOfTrap } from "../../isa/riscv64/traps.ts";
import type { DebugFeature } from "../debug/riscv-registers.ts";
import type { TreeValue } from "../machine/flattened-tree.ts";
import type { CreateProcessor } from "../machine/processor.ts";

/** What a debugger is told of the CPUs. */
export interface DebugTarget {
  readonly architecture: string;
  readonly features: readonly DebugFeature[];
}

export interface EmbeddedTarget {
  readonly load: () => Promise<CreateProcessor>;
  readonly cpuProperties: Readonly<Record<string, TreeValue>>;
  /** One instruction as text, for traces: `bits` are 16 or 32. */
  readonly loadDisassembler: () => Promise<(bits: number) => string>;
  /** The name of what a CPU traps for. */
  readonly nameOfTrap: (cause: number, isInterrupt: boolean) => string;
  readonly loadDebugTarget: () => Promise<DebugTarget>;
  /** Registers of a CPU as people look at them, in this order. */
  readonly registers: readonly string[];
  readonly registerBits: 32 | 64;
  readonly controlRegisters: readonly string[];
}

const X_REGISTERS = "ra sp gp tp t0 t1 t2 s0 s1 a0 a1 a2 a3 a4 a5 a6 a7 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 t3 t4 t5 t6".split(" ");

/** Both widths have the same extensions. */
function describeRiscv(width: RegisterWidth, mmu: string): EmbeddedTarget {
  return {
    async load() {
      const { riscvProcessor } = await import("./riscv-processor.ts");
      return riscvProcessor(width);
    },
    cpuProperties: {
      "riscv,isa": `rv${width}imafdc_zicsr_zifencei_zihintpause_zicond_zba_zbb_zbs_sdtrig_sstc_svadu_svinval`,
      "mmu-type": mmu,
    },
    async loadDisassembler() {
      const { disassembleWord } = await import("../../isa/riscv64/disassemble.ts");
      return (bits) => disassembleWord(bits, undefined, width);
    },
    nameOfTrap,
    async loadDebugTarget() {
      const { riscvArchitecture, riscvFeatures } = await import("../debug/riscv-registers.ts");
      const { hasCsr } = await import("../cpus/riscv64/csrs.ts");
      return { architecture: riscvArchitecture(width), features: riscvFeatures(width, (csr) => hasCsr(csr, width)) };
    },
    registers: X_REGISTERS,
    registerBits: width,
    controlRegisters: "mstatus mepc mcause mtval sstatus sepc scause stval satp".split(" "),
  };
}

export const EMBEDDED_TARGETS: Readonly<Record<string, EmbeddedTarget>> = {
  riscv64: describeRiscv(64, "riscv,sv57"),
  riscv32: describeRiscv(32, "riscv,sv32"),
};
