// Valid, terminating modules from a seed, for tests: round trips of the text and binary forms, and the differential check of the
// executors, which must agree on result, memory, instruction count and time. Arithmetic is picked from the instruction table, so a new row is
// covered as soon as it exists. Functions only call later ones and loops count down, so everything ends; what may trap does so
// under a guard of @main, and the trap vector mixes each record into @trace.

import { BYTECODE_VERSION, byteWidth } from "./module.ts";
import type { BytecodeFunction, DataLayout, DataSymbol, Instruction, Module, Relocation, ScalarType, Signature } from "./module.ts";
import { findInstruction, INSTRUCTIONS, RMW_OPERATIONS, TRAP_CLASSES, TRAP_FIELDS, type InstructionRow } from "./instructions.ts";

export interface GenerateOptions {
  readonly layout?: DataLayout;
  /** Functions besides @main and the vectors; 1 or more. */
  readonly functions?: number;
  /** Statements per function, roughly. */
  readonly statements?: number;
  /** A device that modules may use: bytes of storage at `base`, and a timer that raises a line of CPU 0. */
  readonly device?: {
    readonly base: bigint;
    readonly storageBytes: number;
    /** Offset of a 4-byte register: raises line 1 after so many ns. */
    readonly timer: number;
    /** Offset of a 4-byte register: lowers the lines given as bits. */
    readonly lower: number;
  };
}

/** Instructions that one run of a generated module may take, roughly. */
const COST_LIMIT = 20_000;
const TYPES: readonly ScalarType[] = ["i8", "i16", "i32", "i64", "addr"];
const PER_TYPE = 3;
const NAMES = ["plain", "with space", 'quo"te', "ünïcode", "a.b$c_9", "", "7", "line\nbreak"] as const;

interface Random {
  /** 0 .. limit - 1. */
  below(limit: number): number;
  chance(percent: number): boolean;
  pick<T>(items: readonly T[]): T;
  bits(): bigint;
}

/** Weyl sequence through a 32-bit finalizer: small, and good enough to pick test programs. */
function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x9e37_79b9) >>> 0;
    let x = state;
    x = Math.imul(x ^ (x >>> 16), 0x21f0_aaad);
    x = Math.imul(x ^ (x >>> 15), 0x735a_2d97);
    return (x ^ (x >>> 15)) >>> 0;
  };
  const below = (limit: number): number => next() % limit;
  return {
    below,
    chance: (percent) => below(100) < percent,
    pick: (items) => {
      const item = items[below(items.length)];
      if (item === undefined) throw new RangeError("nothing to pick from");
      return item;
    },
    bits: () => (BigInt(next()) << 32n) | BigInt(next()),
  };
}

const isOperation = (row: InstructionRow): boolean =>
  row.types !== undefined && row.imm.length === 0 && row.dst.length === 1 && row.src.length > 0 && row.src.every((kind) => kind === "T" || kind === "b") && row.structure === undefined;
const OPERATIONS = INSTRUCTIONS.filter(isOperation);
const CONVERSIONS = OPERATIONS.filter((row) => row.dst[0] === "U");
const ARITHMETIC = OPERATIONS.filter((row) => row.dst[0] !== "U");

interface Plan {
  readonly signature: Signature;
  /** Instructions that a call of it may take. */
  cost: number;
}

/** What the functions of one module share. */
interface World {
  readonly random: Random;
  readonly layout: DataLayout;
  readonly options: GenerateOptions;
  readonly symbols: readonly DataSymbol[];
  readonly plans: Plan[];
  readonly signatures: readonly Signature[];
  readonly locations: number;
}

const WRITABLE = 0;
const READ_ONLY = 1;
const TRACE = 2;

class FunctionGenerator {
  private readonly world: World;
  private readonly index: number;
  private readonly registers: ScalarType[];
  private readonly pool = new Map<ScalarType, number[]>();
  private readonly body: Instruction[] = [];
  private readonly frameSize: number;
  private cost = 0;
  /** Product of the trip counts of the loops around. */
  private repeat = 1;
  /** Open regions, innermost last; true: a loop. */
  private readonly regions: boolean[] = [];

  constructor(world: World, index: number, signature: Signature, frameSize: number) {
    this.world = world;
    this.index = index;
    this.frameSize = frameSize;
    this.registers = [...signature.params];
    for (const type of TYPES) this.pool.set(type, []);
    signature.params.forEach((type, register) => this.pool.get(type)?.push(register));
    for (const type of TYPES) for (let count = 0; count < PER_TYPE; count++) this.pool.get(type)?.push(this.newRegister(type));
  }

  private get random(): Random {
    return this.world.random;
  }

  private newRegister(type: ScalarType): number {
    return this.registers.push(type) - 1;
  }

  private any(type: ScalarType): number {
    return this.random.pick(this.pool.get(type) ?? []);
  }

  private emit(op: string, parts: Partial<Omit<Instruction, "op" | "at">> = {}): void {
    const row = findInstruction(op);
    const at = row?.traps === true || this.random.chance(5) ? this.random.below(this.world.locations) : -1;
    this.body.push({ op, ...(parts.type === undefined ? {} : { type: parts.type }), ...(parts.to === undefined ? {} : { to: parts.to }), dst: parts.dst ?? [], src: parts.src ?? [], imm: parts.imm ?? [], at });
    this.cost += this.repeat * (row?.cost === 0 ? 0 : 1);
  }

  private setConstant(register: number, type: ScalarType, value: bigint): void {
    this.emit("const", { type, dst: [register], imm: [value] });
  }

  private constant(type: ScalarType): number {
    const register = this.any(type);
    const bits = BigInt(8 * byteWidth(type, this.world.layout));
    const top = 1n << (bits - 1n);
    const edges = [0n, 1n, -1n, top, -top, top - 1n, bits, 2n * top - 1n];
    const value = this.random.chance(50) ? this.random.pick(edges) : BigInt.asIntN(Number(bits), this.random.bits());
    this.setConstant(register, type, value);
    return register;
  }

  /** An address register that points into a symbol, with `room` bytes behind it. */
  private pointer(symbol: number, room: number, aligned = 70): number {
    const { size } = this.world.symbols[symbol]!;
    const address = this.newRegister("addr");
    const isAligned = this.random.chance(aligned);
    const limit = size - room;
    const offset = isAligned ? 8 * this.random.below(Math.floor(limit / 8) + 1) : this.random.below(limit + 1);
    this.emit("symbol_addr", { dst: [address], imm: [symbol, offset] });
    // A dynamic part: the low bits of some value, if there is room for them.
    const mask = 31;
    if (offset + mask + room <= size && this.random.chance(60)) {
      const index = this.newRegister("addr");
      this.setConstant(index, "addr", isAligned ? BigInt(mask & ~7) : BigInt(mask));
      this.emit("and", { type: "addr", dst: [index], src: [index, this.any("addr")] });
      this.emit("add", { type: "addr", dst: [address], src: [address, index] });
    }
    return address;
  }

  /** A place in a symbol or in the frame; `aligned` percent of them at multiples of 8. */
  private place(room: number, aligned = 70): number {
    const isFrame = this.frameSize >= room && this.random.chance(25);
    if (!isFrame) return this.pointer(this.random.pick([WRITABLE, WRITABLE, TRACE]), room, aligned);
    const address = this.newRegister("addr");
    const offset = this.random.below(this.frameSize - room + 1);
    this.emit("frame_addr", { dst: [address], imm: [this.random.chance(aligned) ? offset & ~7 : offset] });
    return address;
  }

  private readonly statements: readonly (readonly [weight: number, emit: () => void])[] = [
    [30, () => this.arithmetic()],
    [6, () => this.conversion()],
    [6, () => void this.constant(this.random.pick(TYPES))],
    [10, () => this.load()],
    [10, () => this.store()],
    [4, () => this.atomic()],
    [3, () => this.blockMove()],
    [4, () => this.cpuState()],
    [5, () => this.conditional()],
    [8, () => this.loop()],
    [3, () => this.blocks()],
    [5, () => this.call()],
    [4, () => this.guard()],
    [4, () => this.device()],
    [1, () => this.wild()],
  ];

  private statement(): void {
    const total = this.statements.reduce((sum, [weight]) => sum + weight, 0);
    let at = this.random.below(total);
    for (const [weight, emit] of this.statements) {
      if (at < weight) {
        emit();
        return;
      }
      at -= weight;
    }
  }

  private statementsOf(count: number): void {
    for (let left = count; left > 0; left--) this.statement();
  }

  private arithmetic(): void {
    const row = this.random.pick(ARITHMETIC);
    const type = this.random.pick(row.types ?? TYPES);
    const kindOf = (kind: string): ScalarType => (kind === "b" ? "i8" : type);
    const src = row.src.map((kind) => this.any(kindOf(kind)));
    if (row.traps === true && this.random.chance(95)) {
      const odd = this.newRegister(type);
      this.setConstant(odd, type, 1n);
      this.emit("or", { type, dst: [odd], src: [odd, src[1]!] });
      src[1] = odd;
    }
    this.emit(row.name, { type, dst: row.dst.map((kind) => this.any(kindOf(kind))), src });
  }

  private conversion(): void {
    const row = this.random.pick(CONVERSIONS);
    const { layout } = this.world;
    const type = this.random.pick(TYPES);
    const width = byteWidth(type, layout);
    const targets = TYPES.filter((to) => (row.name === "trunc" ? byteWidth(to, layout) <= width : byteWidth(to, layout) >= width));
    const to = this.random.pick(targets);
    this.emit(row.name, { type, to, dst: [this.any(to)], src: [this.any(type)] });
  }

  private load(): void {
    const type = this.random.pick(TYPES);
    const isVolatile = this.random.chance(20);
    const aligned = isVolatile ? 97 : 60;
    const address = this.random.chance(20) ? this.pointer(READ_ONLY, 16, aligned) : this.place(16, aligned);
    this.emit(isVolatile ? "load_volatile" : "load", { type, dst: [this.any(type)], src: [address], imm: [isVolatile ? 8 : this.random.below(9)] });
  }

  private store(): void {
    const type = this.random.pick(TYPES);
    const isVolatile = this.random.chance(20);
    const aligned = isVolatile ? 97 : 60;
    const address = this.random.chance(2) ? this.pointer(READ_ONLY, 16, aligned) : this.place(16, aligned);
    this.emit(isVolatile ? "store_volatile" : "store", { type, src: [address, this.any(type)], imm: [isVolatile ? 8 : this.random.below(9)] });
  }

  private atomic(): void {
    const type = this.random.pick(TYPES);
    const address = this.place(8, 97);
    const value = this.any(type);
    const dst = [this.any(type)];
    switch (this.random.below(4)) {
      case 0:
        return this.emit("atomic_load", { type, dst, src: [address] });
      case 1:
        return this.emit("atomic_store", { type, src: [address, value] });
      case 2:
        return this.emit("atomic_cas", { type, dst, src: [address, value, this.any(type)] });
      default:
        return this.emit("atomic_rmw", { type, dst, src: [address, value], imm: [this.random.below(RMW_OPERATIONS.length)] });
    }
  }

  private blockMove(): void {
    const length = this.newRegister("addr");
    this.setConstant(length, "addr", BigInt(this.random.below(64)));
    const to = this.pointer(WRITABLE, 64);
    if (this.random.chance(50)) this.emit("mem_copy", { src: [to, this.pointer(this.random.pick([WRITABLE, READ_ONLY]), 64), length] });
    else this.emit("mem_fill", { src: [to, this.any("i8"), length] });
    this.cost += 8 * this.repeat;
  }

  private cpuState(): void {
    switch (this.random.below(9)) {
      case 0:
        return this.emit("time", { dst: [this.any("i64")] });
      case 1:
        return this.emit("trap_info", { dst: [this.any("i64")], imm: [this.random.below(TRAP_FIELDS.length)] });
      case 2:
        return this.emit("irq_enable", { dst: [this.any("i8")] });
      case 3:
        return this.emit("irq_disable", { dst: [this.any("i8")] });
      case 4:
        return this.emit("irq_pending", { dst: [this.any("i32")] });
      case 5:
        return this.emit("irq_mask", { dst: [this.any("i32")], src: [this.any("i32")] });
      case 6:
        return this.emit("relax");
      case 7:
        return this.emit("func_addr", { dst: [this.any("addr")], imm: [this.random.below(this.world.plans.length)] });
      default:
        return this.emit(this.random.pick(["cpu_id", "cpu_count"]), { dst: [this.any("i32")] });
    }
  }

  private conditional(): void {
    if (this.regions.length > 4) return;
    this.emit("if", { src: [this.any("i8")] });
    this.regions.push(false);
    this.statementsOf(this.random.below(4));
    if (this.random.chance(50)) {
      if (this.random.chance(20)) this.leave();
      this.emit("else");
      this.statementsOf(1 + this.random.below(3));
    } else if (this.random.chance(20)) this.leave();
    this.regions.pop();
    this.emit("end");
  }

  /** A branch out of a region, or a return. */
  private leave(): void {
    const depths = this.regions.map((isLoop, index) => ({ isLoop, depth: this.regions.length - 1 - index })).filter(({ isLoop }) => !isLoop);
    if (depths.length === 0 || this.random.chance(15)) this.return();
    else this.emit("br", { imm: [this.random.pick(depths).depth] });
  }

  return(): void {
    const { results } = this.world.plans[this.index]!.signature;
    this.emit("return", { src: results.map((type) => this.any(type)) });
  }

  private loop(): void {
    const trips = 1 + this.random.below(4);
    if (this.regions.length > 3 || this.cost > COST_LIMIT / 8) return;
    const counter = this.newRegister("i32");
    const one = this.newRegister("i32");
    const flag = this.newRegister("i8");
    this.setConstant(counter, "i32", BigInt(trips));
    this.setConstant(one, "i32", 1n);
    this.emit("loop");
    this.regions.push(true);
    this.repeat *= trips;
    this.statementsOf(1 + this.random.below(4));
    this.emit("sub", { type: "i32", dst: [counter], src: [counter, one] });
    this.emit("trunc", { type: "i32", to: "i8", dst: [flag], src: [counter] });
    this.emit("br_if", { src: [flag], imm: [0] });
    this.repeat /= trips;
    this.regions.pop();
    this.emit("end");
  }

  /** Nested blocks with a br_table or br_if in the innermost. */
  private blocks(): void {
    const count = 1 + this.random.below(3);
    if (this.regions.length > 4) return;
    for (let left = count; left > 0; left--) {
      this.emit("block");
      this.regions.push(false);
    }
    if (this.random.chance(60)) {
      const selector = this.any("i32");
      if (this.random.chance(70)) {
        const mask = this.newRegister("i32");
        this.setConstant(mask, "i32", 3n);
        this.emit("and", { type: "i32", dst: [selector], src: [selector, mask] });
      }
      this.emit("br_table", { src: [selector], imm: Array.from({ length: 1 + this.random.below(4) }, () => this.random.below(count)) });
    } else {
      this.emit("br_if", { src: [this.any("i8")], imm: [this.random.below(count)] });
      this.statementsOf(1);
    }
    for (let left = count; left > 0; left--) {
      this.regions.pop();
      this.emit("end");
      this.statementsOf(this.random.below(2));
    }
  }

  /** A later function that may still be called here, or -1. */
  private callee(wanted: (plan: Plan) => boolean): number {
    const { plans } = this.world;
    const found = plans.flatMap((plan, index) => (index > this.index && wanted(plan) && this.cost + this.repeat * plan.cost < COST_LIMIT ? [index] : []));
    return found.length === 0 ? -1 : this.random.pick(found);
  }

  /** Results go to different registers. */
  private resultRegisters(types: readonly ScalarType[]): number[] {
    return types.map((type) => this.newRegister(type));
  }

  private call(): void {
    const index = this.callee(() => true);
    const plan = this.world.plans[index];
    if (plan === undefined) return;
    const src = plan.signature.params.map((type) => this.any(type));
    const dst = this.resultRegisters(plan.signature.results);
    this.cost += this.repeat * plan.cost;
    const signature = this.world.signatures.findIndex((entry) => sameSignature(entry, plan.signature));
    if (signature >= 0 && this.random.chance(30)) {
      const target = this.newRegister("addr");
      this.emit("func_addr", { dst: [target], imm: [index] });
      this.emit("call_indirect", { dst, src: [target, ...src], imm: [signature] });
    } else this.emit("call", { dst, src, imm: [index] });
    dst.forEach((register) => {
      const type = this.registers[register]!;
      this.emit("copy", { type, dst: [this.any(type)], src: [register] });
    });
  }

  private guard(): void {
    const index = this.callee((plan) => sameSignature(plan.signature, GUARDED));
    const plan = this.world.plans[index];
    if (plan === undefined) return;
    this.cost += this.repeat * plan.cost;
    const target = this.newRegister("addr");
    this.emit("func_addr", { dst: [target], imm: [index] });
    this.emit("guard", { dst: [this.any("i32")], src: [target, this.any("addr")] });
  }

  private device(): void {
    const { device } = this.world.options;
    if (device === undefined) return;
    const address = this.newRegister("addr");
    const type = this.random.pick(TYPES);
    const width = byteWidth(type, this.world.layout);
    this.setConstant(address, "addr", device.base);
    const offset = width * this.random.below(device.storageBytes / width);
    switch (this.random.below(4)) {
      case 0:
        return this.emit("load_volatile", { type, dst: [this.any(type)], src: [address], imm: [offset] });
      case 1:
        return this.emit("store", { type, src: [address, this.any(type)], imm: [offset] });
      case 2:
        return this.emit("store_volatile", { type, src: [address, this.any(type)], imm: [offset] });
      default: {
        const delay = this.newRegister("i32");
        this.setConstant(delay, "i32", BigInt(this.random.below(300)));
        return this.emit("store_volatile", { type: "i32", src: [address, delay], imm: [device.timer] });
      }
    }
  }

  /** What most likely ends the innermost guard. */
  private wild(): void {
    const type = this.random.pick(TYPES);
    switch (this.random.below(7)) {
      case 0:
        return this.emit("load", { type, dst: [this.any(type)], src: [this.any("addr")], imm: [this.random.below(64) - 32] });
      case 1:
        return this.emit("store_volatile", { type, src: [this.constant("addr"), this.any(type)], imm: [0] });
      case 2:
        return this.emit("call_indirect", { dst: [], src: [this.any("addr"), this.any("addr")], imm: [0] });
      case 3:
        return this.emit("sys", { dst: [], src: [this.any(type)], imm: [1, this.random.below(100)] });
      case 4:
        return this.underCondition(() => this.emit("trap", { src: [this.any("i64")], imm: [1 + this.random.below(TRAP_CLASSES.length - 1)] }));
      case 5:
        return this.underCondition(() => this.emit("unwind", { src: [this.any("i32")] }));
      default: {
        // Beyond one end of the symbols' memory, or across it.
        const address = this.pointer(WRITABLE, 16);
        const length = this.constant("addr");
        return this.emit("mem_fill", { src: [address, this.any("i8"), length] });
      }
    }
  }

  private underCondition(emit: () => void): void {
    this.emit("if", { src: [this.any("i8")] });
    emit();
    this.emit("end");
  }

  /** Frames are filled before they are read: their contents at entry are undefined. */
  private fillFrame(): void {
    if (this.frameSize === 0) return;
    const address = this.newRegister("addr");
    const length = this.newRegister("addr");
    this.emit("frame_addr", { dst: [address], imm: [0] });
    this.setConstant(length, "addr", BigInt(this.frameSize));
    this.emit("mem_fill", { src: [address, this.any("i8"), length] });
    this.cost += this.frameSize / 8;
  }

  generate(name: string): BytecodeFunction {
    this.fillFrame();
    for (const type of TYPES) for (let count = 0; count < 2; count++) this.constant(type);
    this.statementsOf(this.world.options.statements ?? 20);
    this.return();
    const plan = this.world.plans[this.index]!;
    plan.cost = Math.ceil(this.cost) + 1;
    return { name, signature: plan.signature, registers: this.registers, frameSize: this.frameSize, body: this.body };
  }
}

const GUARDED: Signature = { params: ["addr"], results: [] };

function sameSignature(a: Signature, b: Signature): boolean {
  return a.params.join() === b.params.join() && a.results.join() === b.results.join();
}

function makeSignature(random: Random): Signature {
  if (random.chance(40)) return GUARDED;
  const types = (most: number): ScalarType[] => Array.from({ length: random.below(most + 1) }, () => random.pick(TYPES));
  return { params: types(4), results: types(3) };
}

function makeSymbols(random: Random, layout: DataLayout, functions: number): DataSymbol[] {
  const bytes = (count: number): Uint8Array => Uint8Array.from({ length: count }, () => random.below(256));
  const relocations: Relocation[] = [
    { kind: "data", offset: 8, symbol: WRITABLE, addend: random.below(64) },
    { kind: "data", offset: 16, symbol: TRACE, addend: 0 - random.below(64) },
    { kind: "function", offset: 24, function: random.below(functions) },
  ];
  return [
    { name: "data", size: 4000 + random.below(5000), align: 8, writable: true, bytes: bytes(random.below(300)), relocations: [] },
    { name: "constants", size: 256, align: 16, writable: false, bytes: bytes(256), relocations },
    { name: "trace", size: 512, align: layout.addressBytes * 2, writable: true, bytes: new Uint8Array(0), relocations: [] },
  ];
}

/** A builder for the fixed functions: @main and the vectors. */
function makeAssembler(registers: readonly ScalarType[]): { readonly registers: readonly ScalarType[]; readonly body: Instruction[]; emit(op: string, parts?: Partial<Omit<Instruction, "op" | "at">>): void } {
  const body: Instruction[] = [];
  return {
    registers,
    body,
    emit(op, parts = {}) {
      body.push({ op, ...(parts.type === undefined ? {} : { type: parts.type }), ...(parts.to === undefined ? {} : { to: parts.to }), dst: parts.dst ?? [], src: parts.src ?? [], imm: parts.imm ?? [], at: findInstruction(op)?.traps === true ? 0 : -1 });
    },
  };
}

/** Mixes a value into the i64 at @trace + offset: trace = rotl(trace, 7) + value. Registers: address, value, trace, count. */
function mix(emit: ReturnType<typeof makeAssembler>["emit"], offset: number, [address, value, trace, count]: readonly [number, number, number, number]): void {
  emit("symbol_addr", { dst: [address], imm: [TRACE, offset] });
  emit("load", { type: "i64", dst: [trace], src: [address], imm: [0] });
  emit("const", { type: "i64", dst: [count], imm: [7n] });
  emit("rotl", { type: "i64", dst: [trace], src: [trace, count] });
  emit("add", { type: "i64", dst: [trace], src: [trace, value] });
  emit("store", { type: "i64", src: [address, trace], imm: [0] });
}

function makeTrapVector(): BytecodeFunction {
  const { registers, body, emit } = makeAssembler(["addr", "i64", "i64", "i64", "i32"]);
  TRAP_FIELDS.forEach((_field, index) => {
    emit("trap_info", { dst: [1], imm: [index] });
    mix(emit, 480, [0, 1, 2, 3]);
  });
  emit("trap_info", { dst: [1], imm: [0] });
  emit("trunc", { type: "i64", to: "i32", dst: [4], src: [1] });
  emit("return", { src: [4] });
  return { name: "on_trap", signature: { params: [], results: ["i32"] }, registers, frameSize: 0, body };
}

/** Lowers its line and mixes cause and time into the trace. */
function makeInterruptVector(options: GenerateOptions): BytecodeFunction {
  const { registers, body, emit } = makeAssembler(["i32", "addr", "i64", "i64", "i64", "i32"]);
  emit("time", { dst: [2] });
  mix(emit, 488, [1, 2, 3, 4]);
  emit("zext", { type: "i32", to: "i64", dst: [2], src: [0] });
  mix(emit, 488, [1, 2, 3, 4]);
  if (options.device !== undefined) {
    emit("const", { type: "addr", dst: [1], imm: [options.device.base] });
    emit("const", { type: "i32", dst: [5], imm: [7n] });
    emit("store_volatile", { type: "i32", src: [1, 5], imm: [options.device.lower] });
  }
  emit("return");
  return { name: "on_interrupt", signature: { params: ["i32"], results: [] }, registers, frameSize: 0, body };
}

/** Guards every function that can be guarded, mixes the statuses, and returns the trace. */
function makeMain(guarded: readonly number[]): BytecodeFunction {
  const { registers, body, emit } = makeAssembler(["addr", "i64", "i64", "i64", "addr", "i32", "i64"]);
  for (const index of guarded) {
    emit("func_addr", { dst: [0], imm: [index] });
    emit("symbol_addr", { dst: [4], imm: [WRITABLE, 64] });
    emit("guard", { dst: [5], src: [0, 4] });
    emit("sext", { type: "i32", to: "i64", dst: [6], src: [5] });
    mix(emit, 496, [0, 6, 2, 3]);
  }
  emit("return", { src: [2] });
  return { name: "main", signature: { params: [], results: ["i64"] }, registers, frameSize: 0, body };
}

/** A module with @main () -> (i64). The same seed and options give the same module. */
export function generateModule(seed: number, options: GenerateOptions = {}): Module {
  const random = createRandom(seed);
  const layout = options.layout ?? { addressBytes: random.pick([4, 8] as const), endian: random.pick(["little", "big"] as const) };
  const count = options.functions ?? 4;
  const plans: Plan[] = Array.from({ length: count }, (_, index) => ({ signature: index === 0 ? GUARDED : makeSignature(random), cost: 0 }));
  const symbols = makeSymbols(random, layout, count);
  const signatures = [GUARDED, ...plans.filter(() => random.chance(50)).map((plan) => plan.signature)];
  const locations = Array.from({ length: 8 }, () => ({ file: random.below(2), line: 1 + random.below(500), column: 1 + random.below(120) }));
  const world: World = { random, layout, options, symbols, plans, signatures, locations: locations.length };
  const functions = new Array<BytecodeFunction>(count);
  for (let index = count - 1; index >= 0; index--) {
    const frameSize = random.pick([0, 0, 16, 24, 100]);
    functions[index] = new FunctionGenerator(world, index, plans[index]!.signature, frameSize).generate(`${random.pick(NAMES)}${index}`);
  }
  const guarded = plans.flatMap((plan, index) => (sameSignature(plan.signature, GUARDED) ? [index] : []));
  functions.push(makeMain(guarded), makeTrapVector(), makeInterruptVector(options));
  return {
    version: BYTECODE_VERSION,
    layout,
    functions,
    symbols,
    signatures,
    files: ["a.gspec", 'b "quoted".gspec'],
    locations,
    exports: [{ name: "main", function: count }, { name: "also main", function: count }],
    trapVector: count + 1,
    interruptVector: count + 2,
  };
}
