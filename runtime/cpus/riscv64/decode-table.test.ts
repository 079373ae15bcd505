// The interpreter's decoder against the one in TypeScript, byte by byte of the entries: every halfword, every row of the instruction table with
// operands of all kinds, every control register, and words of any bits.

import assert from "node:assert/strict";
import { test } from "node:test";
import { instructionLength } from "../../../isa/riscv64/decode.ts";
import type { RegisterWidth } from "../../../isa/riscv64/by-width.ts";
import { instructionsOf } from "../../../isa/riscv64/instructions.ts";
import { createRandom, FUZZ_SEED, type Random } from "../../../tests/fixtures/random.ts";
import { acquireMemory } from "../../machine/memory.ts";
import { decodeInstruction } from "./code-cache.ts";
import { DOORS } from "./emit-body.ts";
import { encodeInstruction, type EncodedInstruction } from "./encode.ts";
import { INTERPRETER_IMPORTS, writeInterpreter } from "./interpreter.ts";
import { operationNumber } from "./operations.ts";
import { EAGERNESS } from "./regions/translator.ts";
import { DECODER, DECODER_OFFSET, ENTRY, ENTRY_SHIFT, SLOT_INFO, SLOTS_OFFSET } from "./state.ts";

const RAM_BYTES = 0x10_0000;
const PAGE = 0x3000;
const PAGE_BYTES = 0x1000;
const REGISTER_BYTES = 8;
const FILLINGS = 100;
const WORDS = 10_000;

function createDecoder(width: RegisterWidth) {
  const memory = acquireMemory(0x8000_0000n, RAM_BYTES);
  const options = { ...memory, width, heat: EAGERNESS.normal.heat };
  const prepared = new Set<number>();
  const doors = Object.fromEntries(DOORS.map((door) => [door, (number: number) => (door === "prepare" && prepared.add(number), 0)]));
  const tables = { regions: new WebAssembly.Table({ element: "anyfunc", initial: 64 }), apart: new WebAssembly.Table({ element: "anyfunc", initial: 256 }) };
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(writeInterpreter(options)), {
    [INTERPRETER_IMPORTS]: { ...doors, ...tables, memory: memory.memory },
  });
  const decodeHere = exports["decodeHere"] as (entry: number, slot: number, into: number) => number;
  const slot = memory.stateOffset + SLOTS_OFFSET;
  memory.view.setUint32(slot + SLOT_INFO.ramOffset, PAGE, true);
  return {
    memory,
    prepared,
    /** What becomes of a word at this offset of a page. */
    decode: (word: number, offset: number): bigint => {
      memory.view.setUint32(PAGE + offset, word, true);
      const entry = slot + (offset << ENTRY_SHIFT);
      const before = memory.view.getBigUint64(entry, true);
      const into = slot + SLOT_INFO.spare;
      const number = decodeHere(entry, slot, into);
      assert.equal(number, memory.bytes[into + ENTRY.operation]);
      assert.equal(memory.view.getBigUint64(entry, true), before);
      return memory.view.getBigUint64(into, true);
    },
  };
}

/** The entry by the decoder in TypeScript. */
function expect(word: number, offset: number, width: RegisterWidth): bigint {
  const length = instructionLength(word);
  const instruction = offset + length > PAGE_BYTES ? undefined : decodeInstruction(word, width);
  const encoded = instruction === undefined ? ({ name: "cold" } as const) : encodeInstruction(instruction, offset, width);
  const { name, rd = 0, rs1 = 0, rs2 = 0, imm = 0 }: EncodedInstruction = encoded;
  const view = new DataView(new ArrayBuffer(ENTRY.bytes));
  [operationNumber(name, width), rd * REGISTER_BYTES, rs1 * REGISTER_BYTES, rs2 * REGISTER_BYTES].forEach((byte, at) => view.setUint8(at, byte));
  view.setInt32(ENTRY.imm, (imm << 8) | (length << ENTRY_SHIFT), true);
  return view.getBigUint64(0, true);
}

function compare(width: RegisterWidth, words: Iterable<number>, random: Random): number {
  const { decode } = createDecoder(width);
  let count = 0;
  for (const word of words) {
    const offset = random.below(0x7fe) * 2;
    const [found, wanted] = [decode(word, offset), expect(word, offset, width)];
    if (found !== wanted) assert.fail(`${word.toString(16)} at ${offset.toString(16)}: ${found.toString(16)} and not ${wanted.toString(16)}`);
    count += 1;
  }
  return count;
}

function* halfwords(): Generator<number> {
  for (let word = 0; word < 0x1_0000; word++) if ((word & 3) !== 3) yield word;
}

function* rows(width: RegisterWidth, random: Random): Generator<number> {
  for (const { mask, match, length } of instructionsOf(width)) {
    if (length === 4) for (let n = 0; n < FILLINGS; n++) yield (match | (random.u32() & ~mask)) >>> 0;
  }
}

function* controlRegisters(): Generator<number> {
  for (const funct3 of [1, 2, 3, 5, 6, 7]) {
    for (let csr = 0; csr < 0x1000; csr++)
      for (const registers of [1 << 7, (3 << 15) | (2 << 7)]) yield ((csr << 20) | registers | (funct3 << 12) | 0x73) >>> 0;
  }
}

for (const width of [32, 64] as const) {
  test(`all of the instruction table is decoded as in TypeScript, rv${width}`, () => {
    const random = createRandom(FUZZ_SEED);
    assert.equal(compare(width, halfwords(), random), 0xc000);
    assert.ok(compare(width, rows(width, random), random) > 150 * FILLINGS);
    assert.equal(compare(width, controlRegisters(), random), 6 * 0x1000 * 2);
    compare(
      width,
      Array.from({ length: WORDS }, () => random.u32() | 3),
      random,
    );
  });
}

test("an instruction that the page cuts is executed as a whole", () => {
  const addi = 0x13;
  assert.equal(createDecoder(64).decode(addi, 0xffe), expect(addi, 0xffe, 64));
});

test("operations apart are prepared until they are said to be ready", () => {
  const { memory, decode, prepared } = createDecoder(64);
  const csrrMscratch = 0x3400_2573;
  const number = Number(decode(csrrMscratch, 0) & 0xffn);
  assert.deepEqual([...prepared], [number]);
  prepared.clear();
  memory.bytes[memory.stateOffset + DECODER_OFFSET + DECODER.ready + number] = 1;
  decode(csrrMscratch, 8);
  assert.deepEqual([...prepared], []);
});
