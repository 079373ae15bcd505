// Prepares a function body for the interpreter: one closure per instruction, with registers, branch targets and immediates resolved.
// An operation returns the index of the next instruction, so structure costs nothing at run time: `next` already lies behind
// `block`, `end` and the like. Here are structure, control, values and the CPU; memory is in interpreter-memory.ts.

import { codeAddress, isThreadFunction, type Instruction, type ScalarType } from "../../../isa/bytecode/module.ts";
import { findInstruction, TRAP_CLASSES, TRAP_FIELDS } from "../../../isa/bytecode/instructions.ts";
import type { TrapRecord } from "../../machine/cpu-contract.ts";
import { NARROW, WIDE } from "./interpreter-arithmetic.ts";
import { HIGH, LOW, resumeAt, type Cpu, type Operation, type PreparedFunction } from "./interpreter-cpu.ts";
import { PREPARE_MEMORY } from "./interpreter-memory.ts";
import { bitsOf, maskOf, readBits, readNarrow, word, writeNarrow, type InterpreterCore, type Label, type Site } from "./interpreter-site.ts";

interface Region {
  /** Index of the `else`, or of the `end`. */
  readonly elseAt: number;
  readonly endAt: number;
}

// --------------------------------------------------------------------------------------------------------------- structure

function matchRegions(body: readonly Instruction[]): Map<number, Region> {
  const regions = new Map<number, Region>();
  const open: { start: number; elseAt: number }[] = [];
  body.forEach((instruction, index) => {
    const structure = findInstruction(instruction.op)?.structure;
    if (structure === "open") open.push({ start: index, elseAt: -1 });
    else if (structure === "else") open[open.length - 1]!.elseAt = index;
    else if (structure === "end") {
      const { start, elseAt } = open.pop()!;
      const region = { elseAt: elseAt < 0 ? index : elseAt, endAt: index };
      regions.set(start, region);
      if (elseAt >= 0) regions.set(elseAt, region);
    }
  });
  return regions;
}

/** The first instruction that is executed, not just passed, when control arrives at `index`. */
function skipStructure(body: readonly Instruction[], regions: ReadonlyMap<number, Region>, index: number): number {
  for (let at = index; ;) {
    const op = body[at]?.op;
    if (op === "block" || op === "loop" || op === "end") at += 1;
    else if (op === "else") at = regions.get(at)!.endAt + 1;
    else return at;
  }
}

/** Fills in the code of a function. */
export function prepareCode(m: InterpreterCore, prepared: PreparedFunction): void {
  const { body } = prepared.source;
  const regions = matchRegions(body);
  const arrive = (index: number): number => skipStructure(body, regions, index);
  const labels: Label[] = [];
  const code = body.map((instruction, index): Operation => {
    const structure = findInstruction(instruction.op)?.structure;
    if (structure === "open") {
      const isLoop = instruction.op === "loop";
      labels.push(
        isLoop ? { target: arrive(index + 1), loopPc: codeAddress(prepared.index, index) } : { target: arrive(regions.get(index)!.endAt + 1), loopPc: null },
      );
    } else if (structure === "end") labels.pop();
    const region = regions.get(index);
    return prepareInstruction({
      m,
      instruction,
      pc: codeAddress(prepared.index, index),
      next: arrive(index + 1),
      resume: resumeAt(arrive(index + 1), index),
      otherwise: region === undefined ? 0 : arrive(region.elseAt + 1),
      label: (depth) => labels[labels.length - 1 - depth]!,
    });
  });
  code.push(() => {
    throw new Error(`control reached the end of ${prepared.source.name}: the module was not verified`);
  });
  prepared.code = m.watch === null ? code : m.watch(m.image, prepared.index, code, [...body.map((_, index) => arrive(index + 1)), 0]);
  prepared.start = arrive(0);
}

function prepareInstruction(site: Site): Operation {
  const { op } = site.instruction;
  const prepare = PREPARE[op] ?? PREPARE_MEMORY[op] ?? (NARROW[op] === undefined ? undefined : prepareArithmetic);
  if (prepare === undefined) throw new Error(`the interpreter has no instruction ${op}`);
  return prepare(site);
}

/** Names of the instructions that this engine runs; a test compares it with the table. */
export function implementedInstructions(): readonly string[] {
  return [...Object.keys(PREPARE), ...Object.keys(PREPARE_MEMORY), ...Object.keys(NARROW)];
}

// ------------------------------------------------------------------------------------------------------------------ pieces

function prepareArithmetic(site: Site): Operation {
  const { instruction, next, m, pc } = site;
  const { op, type } = instruction;
  const d = instruction.dst[0]!;
  const a = instruction.src[0]!;
  const b = instruction.src[1] ?? a;
  const bits = bitsOf(site, type);
  const divideError = (cpu: Cpu): number => m.raise(cpu, "divide_error", pc, {});
  if (bits === 64) return WIDE[op]!({ d, d32: word(d), a, b, next, divideError });
  return NARROW[op]!({ d: word(d), a: word(a), b: word(b), bits, mask: maskOf(bits), shift: 32 - bits, next, divideError });
}

/** Sets a register of any width to a value known now. */
function setConstant(register: number, value: bigint, bits: number, next: number): Operation {
  const unsigned = BigInt.asUintN(bits, value);
  const low = Number(unsigned & 0xffff_ffffn) | 0;
  const high = Number(unsigned >> 32n) | 0;
  const at = 2 * register;
  return (cpu) => {
    cpu.narrow[cpu.base32 + at + LOW] = low;
    cpu.narrow[cpu.base32 + at + HIGH] = high;
    return next;
  };
}

// ----------------------------------------------------------------------------------------------------------------- control

/** Takes a branch: a jump, or for a loop a poll point and then its start. */
function branchTo({ m }: Site, label: Label): Operation {
  const { target, loopPc } = label;
  return loopPc === null ? () => target : (cpu) => m.poll(cpu, target, loopPc);
}

function prepareBranchIf(site: Site): Operation {
  const { m, instruction, next } = site;
  const condition = word(instruction.src[0]!);
  const { target, loopPc } = site.label(Number(instruction.imm[0]));
  if (loopPc === null) return (cpu) => (cpu.narrow[cpu.base32 + condition]! !== 0 ? target : next);
  return (cpu) => (cpu.narrow[cpu.base32 + condition]! !== 0 ? m.poll(cpu, target, loopPc) : next);
}

function prepareBranchTable(site: Site): Operation {
  const { instruction } = site;
  const branches = instruction.imm.map((depth) => branchTo(site, site.label(Number(depth))));
  const last = branches.length - 1;
  return (cpu) => branches[Math.min(readNarrow(cpu, instruction.src[0]!) >>> 0, last)]!(cpu);
}

/** Calls with the registers `args` of the running frame as parameters. */
function callFunction(site: Site, cpu: Cpu, callee: PreparedFunction, args: readonly number[]): number {
  const { m, instruction, resume, pc } = site;
  if (!cpu.hasStackFor(callee)) return m.raise(cpu, "stack_overflow", pc, {});
  const from = cpu.base;
  m.enterFunction(cpu, callee, "call", instruction.dst, resume);
  for (let index = 0; index < args.length; index++) cpu.wide[cpu.base + index] = cpu.wide[from + args[index]!]!;
  return m.entryPoll(cpu, callee);
}

function prepareCall(site: Site): Operation {
  const { m, instruction } = site;
  const callee = m.functions[Number(instruction.imm[0])]!;
  return (cpu) => callFunction(site, cpu, callee, instruction.src);
}

function raiseExecute(site: Site, cpu: Cpu, address: bigint): number {
  return site.m.raise(cpu, "access_fault", site.pc, { address, access: 3 });
}

function prepareCallIndirect(site: Site): Operation {
  const { m, instruction } = site;
  const { module } = m.image;
  const signature = module.signatures[Number(instruction.imm[0])]!;
  const args = instruction.src.slice(1);
  const isEqual = (a: readonly ScalarType[], b: readonly ScalarType[]): boolean => a.length === b.length && a.every((type, index) => type === b[index]);
  return (cpu) => {
    const address = readBits(cpu, instruction.src[0]!, module.layout.addressBytes * 8);
    const callee = m.functionAt(address);
    if (callee === null) return raiseExecute(site, cpu, address);
    const found = callee.source.signature;
    if (!isEqual(found.params, signature.params) || !isEqual(found.results, signature.results)) return raiseExecute(site, cpu, address);
    return callFunction(site, cpu, callee, args);
  };
}

function prepareGuard(site: Site): Operation {
  const { m, instruction, resume, pc } = site;
  const [target = 0, argument = 0] = instruction.src;
  return (cpu) => {
    const address = readBits(cpu, target, m.image.module.layout.addressBytes * 8);
    const callee = m.functionAt(address);
    if (callee === null || !isThreadFunction(callee.source.signature)) return raiseExecute(site, cpu, address);
    if (!cpu.hasStackFor(callee)) return m.raise(cpu, "stack_overflow", pc, {});
    const from = cpu.base;
    m.enterGuard(cpu, callee, instruction.dst[0]!, resume);
    cpu.wide[cpu.base] = cpu.wide[from + argument]!;
    return m.entryPoll(cpu, callee);
  };
}

function trapField(trap: TrapRecord | null, field: (typeof TRAP_FIELDS)[number]): bigint {
  if (trap === null) return 0n;
  switch (field) {
    case "class":
      return BigInt(TRAP_CLASSES.indexOf(trap.class));
    case "pc":
    case "access":
    case "width":
      return BigInt(trap[field]);
    case "address":
    case "value":
    case "sp":
      return trap[field];
  }
}

// ------------------------------------------------------------------------------------------------------------------- table

/** For an instruction without operands that is never reached: control passes it, see `skipStructure`. */
const structural =
  (site: Site): Operation =>
  () =>
    site.next;

/** A conversion between types of 64 bits. */
function copyWide({ instruction, next }: Site): Operation {
  const [a = 0] = instruction.src;
  const [d = 0] = instruction.dst;
  return (cpu) => {
    cpu.wide[cpu.base + d] = cpu.wide[cpu.base + a]!;
    return next;
  };
}

const PREPARE: Readonly<Record<string, (site: Site) => Operation>> = {
  block: structural,
  loop: structural,
  else: structural,
  end: structural,
  if: ({ instruction, next, otherwise }) => {
    const condition = word(instruction.src[0]!);
    return (cpu) => (cpu.narrow[cpu.base32 + condition]! !== 0 ? next : otherwise);
  },
  br: (site) => branchTo(site, site.label(Number(site.instruction.imm[0]))),
  br_if: prepareBranchIf,
  br_table: prepareBranchTable,
  return:
    ({ m, instruction }) =>
    (cpu) =>
      m.returnFrom(cpu, instruction.src),
  call: prepareCall,
  call_indirect: prepareCallIndirect,
  guard: prepareGuard,
  unwind:
    ({ m, instruction, pc }) =>
    (cpu) =>
      m.unwind(cpu, readNarrow(cpu, instruction.src[0]!), pc),
  trap: ({ m, instruction, pc }) => {
    const trapClass = TRAP_CLASSES[Number(instruction.imm[0])]!;
    return (cpu) => m.raise(cpu, trapClass, pc, { value: cpu.wide[cpu.base + instruction.src[0]!]! });
  },

  const: (site) => setConstant(site.instruction.dst[0]!, BigInt(site.instruction.imm[0]!), bitsOf(site, site.instruction.type), site.next),
  select: (site) => {
    const { instruction, next } = site;
    const [condition = 0, yes = 0, no = 0] = instruction.src;
    const [d = 0] = instruction.dst;
    if (bitsOf(site, instruction.type) === 64) {
      return (cpu) => {
        cpu.wide[cpu.base + d] = cpu.wide[cpu.base + (readNarrow(cpu, condition) !== 0 ? yes : no)]!;
        return next;
      };
    }
    return (cpu) => {
      writeNarrow(cpu, d, readNarrow(cpu, readNarrow(cpu, condition) !== 0 ? yes : no));
      return next;
    };
  },
  zext: (site) => {
    const { instruction, next } = site;
    const from = bitsOf(site, instruction.type);
    const [a = 0] = instruction.src;
    const [d = 0] = instruction.dst;
    if (from === 64) return copyWide(site);
    return (cpu) => {
      cpu.narrow[cpu.base32 + 2 * d + LOW] = readNarrow(cpu, a);
      cpu.narrow[cpu.base32 + 2 * d + HIGH] = 0;
      return next;
    };
  },
  sext: (site) => {
    const { instruction, next } = site;
    const from = bitsOf(site, instruction.type);
    if (from === 64) return copyWide(site);
    const to = bitsOf(site, instruction.to);
    const shift = 32 - from;
    const mask = to === 64 ? -1 : maskOf(to);
    const [a = 0] = instruction.src;
    const [d = 0] = instruction.dst;
    return (cpu) => {
      const value = (readNarrow(cpu, a) << shift) >> shift;
      cpu.narrow[cpu.base32 + 2 * d + LOW] = value & mask;
      cpu.narrow[cpu.base32 + 2 * d + HIGH] = value >> 31;
      return next;
    };
  },
  trunc: (site) => {
    const { instruction, next } = site;
    const to = bitsOf(site, instruction.to);
    if (to === 64) return copyWide(site);
    const mask = maskOf(to);
    const [a = 0] = instruction.src;
    const [d = 0] = instruction.dst;
    return (cpu) => {
      writeNarrow(cpu, d, readNarrow(cpu, a) & mask);
      return next;
    };
  },
  symbol_addr: (site) => {
    const { m, instruction, next } = site;
    const address = m.image.symbolAddress[Number(instruction.imm[0])]! + BigInt(instruction.imm[1] ?? 0);
    return setConstant(instruction.dst[0]!, address, m.image.module.layout.addressBytes * 8, next);
  },
  frame_addr: (site) => {
    const { m, instruction, next } = site;
    const offset = m.base + Number(instruction.imm[0]);
    const [d = 0] = instruction.dst;
    return (cpu) => {
      const address = offset + cpu.sp;
      cpu.narrow[cpu.base32 + 2 * d + LOW] = address | 0;
      cpu.narrow[cpu.base32 + 2 * d + HIGH] = Math.floor(address / 0x1_0000_0000);
      return next;
    };
  },
  func_addr: ({ m, instruction, next }) =>
    setConstant(instruction.dst[0]!, BigInt(codeAddress(Number(instruction.imm[0]), 0)), m.image.module.layout.addressBytes * 8, next),

  cpu_id:
    ({ instruction, next }) =>
    (cpu) => (writeNarrow(cpu, instruction.dst[0]!, cpu.id), next),
  cpu_count:
    ({ m, instruction, next }) =>
    (cpu) => (writeNarrow(cpu, instruction.dst[0]!, m.cpus.length), next),
  cpu_start: ({ m, instruction, next }) => {
    const bits = m.image.module.layout.addressBytes * 8;
    const [id = 0, target = 0, argument = 0] = instruction.src;
    return (cpu) => (
      writeNarrow(cpu, instruction.dst[0]!, m.start(readNarrow(cpu, id) >>> 0, readBits(cpu, target, bits), readBits(cpu, argument, bits))),
      next
    );
  },
  cpu_state:
    ({ m, instruction, next }) =>
    (cpu) => {
      const other = m.cpus[readNarrow(cpu, instruction.src[0]!) >>> 0];
      writeNarrow(cpu, instruction.dst[0]!, other === undefined ? 2 : other.running ? 1 : 0);
      return next;
    },
  irq_enable:
    ({ m, instruction, next, pc }) =>
    (cpu) => {
      writeNarrow(cpu, instruction.dst[0]!, cpu.enabled ? 1 : 0);
      m.setEnabled(cpu, true);
      return m.poll(cpu, next, pc);
    },
  irq_disable:
    ({ m, instruction, next }) =>
    (cpu) => {
      writeNarrow(cpu, instruction.dst[0]!, cpu.enabled ? 1 : 0);
      m.setEnabled(cpu, false);
      return next;
    },
  irq_pending:
    ({ instruction, next }) =>
    (cpu) => (writeNarrow(cpu, instruction.dst[0]!, cpu.lines), next),
  irq_mask:
    ({ m, instruction, next }) =>
    (cpu) => {
      const mask = readNarrow(cpu, instruction.src[0]!) & 7;
      writeNarrow(cpu, instruction.dst[0]!, cpu.mask);
      cpu.mask = mask;
      m.updateInterruptible(cpu);
      return next;
    },
  wait:
    ({ m, next, pc }) =>
    (cpu) =>
      m.wait(cpu, next, pc),
  relax:
    ({ m, next, pc }) =>
    (cpu) =>
      m.relax(cpu, next, pc),
  doze:
    ({ m, instruction, next, pc }) =>
    (cpu) =>
      m.doze(cpu, next, pc, Number(BigInt.asUintN(64, cpu.wide[cpu.base + instruction.src[0]!]!))),
  time:
    ({ m, instruction, next }) =>
    (cpu) => {
      cpu.wide[cpu.base + instruction.dst[0]!] = BigInt(m.now());
      return next;
    },
  trap_info: ({ instruction, next }) => {
    const field = TRAP_FIELDS[Number(instruction.imm[0])]!;
    return (cpu) => {
      cpu.wide[cpu.base + instruction.dst[0]!] = trapField(cpu.trap, field);
      return next;
    };
  },
  sys: ({ m, instruction, pc }) => {
    const value = BigInt(instruction.imm[1]!);
    return (cpu) => m.raise(cpu, "illegal_instruction", pc, { value });
  },
  asm:
    ({ m, pc }) =>
    (cpu) =>
      m.raise(cpu, "illegal_instruction", pc, {}),
};
