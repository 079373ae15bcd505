// The verifier: docs/bytecode.md, section 9. It runs behind every compiler pass and before an engine takes a module that it did not make, so
// that engines need no checks of their own. It reports every breach, not the first, and never throws, whatever the numbers in a module are.
// Registers are typed and there is no operand stack, so instructions are judged one by one; only depths and reachability need a walk.

import { findInstruction, RMW_OPERATIONS, TRAP_CLASSES, TRAP_FIELDS, type ImmediateKind, type InstructionRow } from "./instructions.ts";
import {
  BYTECODE_VERSION,
  byteWidth,
  SYS_ISAS,
  type AssemblyBlock,
  type BytecodeFunction,
  type DataSymbol,
  type Instruction,
  type Module,
  type ScalarType,
  type Signature,
} from "./module.ts";

export interface Problem {
  /** Index of the function, -1: the module. */
  readonly function: number;
  /** Index of the instruction, -1: the function or module as a whole. */
  readonly instruction: number;
  readonly message: string;
}

const MAX_FUNCTIONS = 0xffff;
const MAX_INSTRUCTIONS = 0x1_0000;
const MAX_FRAME_SIZE = 0xff_ffff;
const MAX_ALIGN = 4096;

type Report = (message: string) => void;

const isIndex = (value: number | bigint | undefined, count: number): boolean =>
  typeof value === "number" && value >= 0 && value < count && Number.isInteger(value);
const isOffset = (value: number | bigint | undefined): boolean =>
  typeof value === "number" && Number.isInteger(value) && value >= -0x8000_0000 && value <= 0x7fff_ffff;
const isU32 = (value: number | bigint | undefined): boolean => isIndex(value, 0x1_0000_0000);
const isCount = (value: number): boolean => Number.isInteger(value) && value >= 0;

function sameTypes(a: readonly ScalarType[], b: readonly ScalarType[]): boolean {
  return a.length === b.length && a.every((type, index) => type === b[index]);
}

/** Everything that is wrong with a module, in order; empty: it may run. `isWanted` leaves functions out that have been looked at elsewhere. */
export function verifyModule(module: Module, isWanted: (index: number) => boolean = () => true): Problem[] {
  const problems: Problem[] = [];
  const report = (message: string): void => void problems.push({ function: -1, instruction: -1, message });
  verifyTables(module, report);
  module.symbols.forEach((symbol, index) => verifySymbol(module, symbol, (message) => report(`symbol ${index} (${symbol.name}): ${message}`)));
  module.assembly.forEach((block, index) => verifyAssembly(module, block, (message) => report(`assembly block ${index}: ${message}`)));
  module.functions.forEach((fn, index) => {
    if (isWanted(index)) new FunctionVerifier(module, fn, index, problems).verify();
  });
  return problems;
}

function verifyNames(what: string, names: readonly string[], report: Report): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (!name.isWellFormed()) report(`${what} name is not well-formed Unicode`);
    if (seen.has(name)) report(`two ${what}s are named '${name}'`);
    seen.add(name);
  }
}

function verifyTables(module: Module, report: Report): void {
  if (module.version !== BYTECODE_VERSION) report(`version ${module.version}, expected ${BYTECODE_VERSION}`);
  if (module.functions.length > MAX_FUNCTIONS) report(`${module.functions.length} functions, at most ${MAX_FUNCTIONS}`);
  verifyNames(
    "function",
    module.functions.map((fn) => fn.name),
    report,
  );
  verifyNames(
    "symbol",
    module.symbols.map((symbol) => symbol.name),
    report,
  );
  verifyNames(
    "export",
    module.exports.map((entry) => entry.name),
    report,
  );
  for (const file of module.files) if (!file.isWellFormed()) report("file name is not well-formed Unicode");
  const files = module.files.length;
  module.locations.forEach(({ file, line, column }, index) => {
    if (!isIndex(file, files)) report(`location ${index}: no file ${file}`);
    if (!isU32(line) || line === 0 || !isU32(column) || column === 0) report(`location ${index}: line and column count from 1`);
  });
  for (const entry of module.exports) {
    if (!isIndex(entry.function, module.functions.length)) report(`export '${entry.name}': no function ${entry.function}`);
  }
  verifyVector(module, "trap vector", module.trapVector, { params: [], results: ["i32"] }, report);
  verifyVector(module, "interrupt vector", module.interruptVector, { params: ["i32"], results: [] }, report);
}

function verifyVector(module: Module, what: string, index: number, wanted: Signature, report: Report): void {
  if (index === -1) return;
  const signature = module.functions[index]?.signature;
  if (signature === undefined) report(`${what}: no function ${index}`);
  else if (!sameTypes(signature.params, wanted.params) || !sameTypes(signature.results, wanted.results)) {
    report(`${what} must be (${wanted.params.join(", ")}) -> (${wanted.results.join(", ")})`);
  }
}

function verifySymbol(module: Module, symbol: DataSymbol, report: Report): void {
  if (!isU32(symbol.size)) report(`size ${symbol.size}`);
  if (!isCount(symbol.align) || symbol.align === 0 || symbol.align > MAX_ALIGN || (symbol.align & (symbol.align - 1)) !== 0)
    report(`alignment ${symbol.align} is no power of two up to ${MAX_ALIGN}`);
  if (symbol.bytes.length > symbol.size) report(`${symbol.bytes.length} bytes in a size of ${symbol.size}`);
  if (symbol.relocations.length === 0) return;
  const width = module.layout.addressBytes;
  const taken = new Set<number>();
  for (const relocation of symbol.relocations) {
    const { offset } = relocation;
    if (!isCount(offset) || offset + width > symbol.size) {
      report(`relocation at ${offset} is outside the symbol`);
      continue;
    }
    for (let at = offset; at < offset + width; at++) {
      if (taken.has(at)) {
        report(`relocation at ${offset} overlaps another`);
        break;
      }
    }
    for (let at = offset; at < offset + width; at++) taken.add(at);
    if (relocation.kind === "function") {
      if (!isIndex(relocation.function, module.functions.length)) report(`relocation at ${offset}: no function ${relocation.function}`);
    } else {
      if (!isIndex(relocation.symbol, module.symbols.length)) report(`relocation at ${offset}: no symbol ${relocation.symbol}`);
      if (!isOffset(relocation.addend)) report(`relocation at ${offset}: addend ${relocation.addend}`);
    }
  }
}

function verifyAssembly(module: Module, block: AssemblyBlock, report: Report): void {
  if (!SYS_ISAS.includes(block.isa)) report(`unknown instruction set '${String(block.isa)}'`);
  verifyNames("input", block.inputs, report);
  verifyNames("output", block.outputs, report);
  verifyNames("clobber", block.clobbers, report);
  let previous = -1;
  for (const { offset, location } of block.lines) {
    if (!isIndex(offset, block.bytes.length) || offset <= previous) report(`line at offset ${offset} is outside the code or out of order`);
    if (!isIndex(location, module.locations.length)) report(`no location ${location}`);
    previous = offset;
  }
}

interface OpenRegion {
  readonly op: string;
  hasElse: boolean;
  /** The region's start was reachable. */
  readonly entered: boolean;
  /** Something branches behind its end, or falls out of the first part of an `if`. */
  left: boolean;
}

class FunctionVerifier {
  private readonly module: Module;
  private readonly fn: BytecodeFunction;
  private readonly index: number;
  private readonly problems: Problem[];
  private at = -1;
  private readonly open: OpenRegion[] = [];
  private reachable = true;

  constructor(module: Module, fn: BytecodeFunction, index: number, problems: Problem[]) {
    this.module = module;
    this.fn = fn;
    this.index = index;
    this.problems = problems;
  }

  private report(message: string): void {
    this.problems.push({ function: this.index, instruction: this.at, message });
  }

  verify(): void {
    const { fn } = this;
    if (!sameTypes(fn.registers.slice(0, fn.signature.params.length), fn.signature.params)) this.report("the first registers are not the parameters");
    if (!isIndex(fn.frameSize, MAX_FRAME_SIZE + 1)) this.report(`frame of ${fn.frameSize} bytes, at most ${MAX_FRAME_SIZE}`);
    if (fn.body.length > MAX_INSTRUCTIONS) this.report(`${fn.body.length} instructions, at most ${MAX_INSTRUCTIONS}`);
    fn.body.forEach((instruction, at) => {
      this.at = at;
      const row = findInstruction(instruction.op);
      if (row === undefined) this.report(`unknown instruction '${instruction.op}'`);
      else this.verifyInstruction(instruction, row);
    });
    this.at = -1;
    if (this.open.length > 0) this.report(`${this.open.length} regions are not closed by 'end'`);
    else if (this.reachable) this.report("control can reach the end of the body");
  }

  private verifyInstruction(instruction: Instruction, row: InstructionRow): void {
    const { op, at } = instruction;
    if (row.types === undefined ? instruction.type !== undefined : instruction.type === undefined || !row.types.includes(instruction.type)) {
      this.report(instruction.type === undefined ? `${op} lacks its type` : `${op} has no type ${instruction.type}`);
    }
    const takesTarget = row.dst.includes("U");
    if (takesTarget !== (instruction.to !== undefined)) this.report(takesTarget ? `${op} lacks its target type` : `${op} has no target type`);
    else if (takesTarget) this.verifyConversion(instruction);
    if (at !== -1 && !isIndex(at, this.module.locations.length)) this.report(`no location ${at}`);
    if (row.traps === true && at === -1) this.report(`${op} may trap and has no location`);
    this.verifyImmediates(instruction, row);
    this.verifyRegisters(instruction, row);
    this.verifyStructure(instruction, row);
  }

  private verifyConversion({ op, type, to }: Instruction): void {
    if (type === undefined || to === undefined) return;
    const from = byteWidth(type, this.module.layout);
    const target = byteWidth(to, this.module.layout);
    if (op === "trunc" ? target > from : target < from) this.report(`${op} from ${type} to ${to}`);
  }

  // ---------------------------------------------------------------------------------------------------------- immediates

  private verifyImmediates(instruction: Instruction, row: InstructionRow): void {
    const { imm, op } = instruction;
    const isList = row.imm[0] === "depths";
    if (isList ? imm.length === 0 : imm.length !== row.imm.length) {
      this.report(`${op} takes ${isList ? "at least one depth" : `${row.imm.length} immediates`}, has ${imm.length}`);
      return;
    }
    for (let index = 0; index < imm.length; index++) {
      const kind = row.imm[isList ? 0 : index];
      const value = imm[index];
      if (kind !== undefined && value !== undefined && !this.isValid(kind, value, instruction))
        this.report(`${op}: ${describeKind(kind)} ${value} ${kind === "constant" ? `is no ${instruction.type}` : "does not exist"}`);
    }
    if (op === "frame_addr" && !isIndex(imm[0], this.fn.frameSize)) this.report(`frame_addr ${imm[0]} is outside the frame of ${this.fn.frameSize} bytes`);
    if (op === "trap" && imm[0] === 0) this.report("trap none");
  }

  private isValid(kind: ImmediateKind, value: number | bigint, instruction: Instruction): boolean {
    const { module } = this;
    switch (kind) {
      case "constant": {
        if (typeof value !== "bigint" || instruction.type === undefined) return false;
        // Powers of two, which numbers have exactly.
        const range = 2 ** (8 * byteWidth(instruction.type, module.layout));
        return value >= -range / 2 && value < range;
      }
      case "u32":
        return isU32(value);
      case "offset":
        return isOffset(value);
      case "depth":
      case "depths":
        return isIndex(value, this.open.length);
      case "function":
        return isIndex(value, module.functions.length);
      case "symbol":
        return isIndex(value, module.symbols.length);
      case "signature":
        return isIndex(value, module.signatures.length);
      case "trap-class":
        return isIndex(value, TRAP_CLASSES.length);
      case "rmw":
        return isIndex(value, RMW_OPERATIONS.length);
      case "trap-field":
        return isIndex(value, TRAP_FIELDS.length);
      case "isa":
        return isIndex(value, SYS_ISAS.length);
      case "assembly":
        return isIndex(value, module.assembly.length);
    }
  }

  // ----------------------------------------------------------------------------------------------------------- registers

  private verifyRegisters(instruction: Instruction, row: InstructionRow): void {
    const variable = this.variableTypes(instruction);
    this.verifyOperands(instruction, "result", instruction.dst, row.dst, variable?.results);
    this.verifyOperands(instruction, "operand", instruction.src, row.src, variable?.params);
    if (instruction.op === "asm") this.verifyAsm(instruction);
    if (instruction.dst.length > 1 && new Set(instruction.dst).size !== instruction.dst.length) this.report(`${instruction.op} writes a register twice`);
  }

  /** As many registers as its block has; the types are free. */
  private verifyAsm({ imm, dst, src }: Instruction): void {
    const block = this.module.assembly[Number(imm[0])];
    if (block === undefined) return;
    if (dst.length !== block.outputs.length) this.report(`asm has ${dst.length} results, expected ${block.outputs.length}`);
    if (src.length !== block.inputs.length) this.report(`asm has ${src.length} operands, expected ${block.inputs.length}`);
  }

  /** What `...` stands for; undefined: any types (`sys`, `asm`), or unknown because of another problem. */
  private variableTypes({ op, imm }: Instruction): Signature | undefined {
    switch (op) {
      case "call":
        return this.module.functions[Number(imm[0])]?.signature;
      case "call_indirect":
        return this.module.signatures[Number(imm[0])];
      case "return":
        return { params: this.fn.signature.results, results: [] };
      default:
        return undefined;
    }
  }

  private verifyOperands(
    instruction: Instruction,
    what: string,
    registers: readonly number[],
    row: readonly string[],
    variable: readonly ScalarType[] | undefined,
  ): void {
    const { op } = instruction;
    // `...` comes last.
    const isVariable = row[row.length - 1] === "...";
    const fixed = isVariable ? row.length - 1 : row.length;
    const wanted = fixed + (isVariable ? (variable?.length ?? 0) : 0);
    const isOpen = isVariable && variable === undefined;
    if (isOpen ? registers.length < wanted : registers.length !== wanted) this.report(`${op} has ${registers.length} ${what}s, expected ${wanted}`);
    for (let index = 0; index < registers.length; index++) {
      const register = registers[index] ?? NaN;
      const type = this.fn.registers[register];
      const expected = index < fixed ? this.operandType(row[index] ?? "", instruction) : variable?.[index - fixed];
      if (type === undefined) this.report(`${op}: no register %${register}`);
      else if (expected !== undefined && type !== expected) this.report(`${op}: %${register} is ${type}, expected ${expected}`);
    }
  }

  private operandType(kind: string, instruction: Instruction): ScalarType | undefined {
    switch (kind) {
      case "T":
        return instruction.type;
      case "U":
        return instruction.to;
      case "b":
        return "i8";
      case "i8":
      case "i16":
      case "i32":
      case "i64":
      case "addr":
        return kind;
      default:
        return undefined;
    }
  }

  // ----------------------------------------------------------------------------------------------------------- structure

  private verifyStructure(instruction: Instruction, row: InstructionRow): void {
    const top = this.open[this.open.length - 1];
    switch (row.structure) {
      case "open":
        this.open.push({ op: instruction.op, hasElse: false, entered: this.reachable, left: false });
        return;
      case "else":
        if (top?.op !== "if" || top.hasElse) {
          this.report("else outside an if");
          return;
        }
        top.hasElse = true;
        top.left ||= this.reachable;
        this.reachable = top.entered;
        return;
      case "end":
        if (top === undefined) {
          this.report("end without a region");
          return;
        }
        this.open.pop();
        this.reachable ||= top.left || (top.op === "if" && !top.hasElse && top.entered);
        return;
      case "leave":
        this.leave(instruction);
        return;
      case undefined:
        return;
    }
  }

  private leave({ op, imm }: Instruction): void {
    if (this.reachable) {
      for (const depth of imm) {
        const target = op === "trap" ? undefined : this.open[this.open.length - 1 - Number(depth)];
        if (target !== undefined && target.op !== "loop") target.left = true;
      }
    }
    if (op !== "br_if") this.reachable = false;
  }
}

function describeKind(kind: ImmediateKind): string {
  return kind === "depths" ? "depth" : kind === "trap-class" ? "trap class" : kind === "trap-field" ? "trap field" : kind;
}

/** "function main, instruction 3: load.i32 ..." for logs and errors. */
export function formatProblem(module: Module, problem: Problem): string {
  const fn = module.functions[problem.function];
  if (fn === undefined) return `module: ${problem.message}`;
  return problem.instruction < 0 ? `function ${fn.name}: ${problem.message}` : `function ${fn.name}, instruction ${problem.instruction}: ${problem.message}`;
}
