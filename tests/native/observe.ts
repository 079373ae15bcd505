// What can be seen of a module's run, in one form for the interpreter and for machine code, so that equal runs are equal text: values,
// trap records with addresses relative to symbols, and the bytes of all symbols. What the two have each in their own way (code
// addresses, places of stacks and symbols, guest time) is not in it.

import { codeAddress, type Module } from "../../isa/bytecode/module.ts";
import { TRAP_CLASSES, type TrapClass } from "../../isa/bytecode/instructions.ts";
import { hexOf } from "../../runtime/cpus/bytecode/conformance/case.ts";
import { hexDigest } from "../../runtime/cpus/bytecode/conformance.ts";
import { interpreterFactory } from "../../runtime/cpus/bytecode/interpreter.ts";
import { createTestMachine, loadTestImage, readSymbol } from "../../runtime/cpus/bytecode/test-machine.ts";
import type { LoadedImage, Outcome, RunLimits, TrapRecord } from "../../runtime/machine/cpu-contract.ts";
import type { NativeOutcome, Places } from "../fixtures/native-run.ts";

export interface Observation {
  /** "returned 1, 2", "unhandled-trap divide_error" and so on. */
  readonly outcome: string;
  /** By name: hexadecimal digits, a digest of long ones, or a trap record. */
  readonly memory: ReadonlyMap<string, string>;
}

/** As the trap vector of conformance cases stores a record (TRAP_VECTOR in conformance/case.ts). */
const RECORD_SYMBOL = "info";
const RECORD_SIZE = 56;
/** As `SHORT` in modules.gspec. */
const SHORT = 64;
const ACCESSES = ["", "read", "write", "execute"] as const;
const EXECUTE = 3;
/** The class is the low byte of its field; above it native targets have their own number. */
const CLASS_MASK = 0xffn;

const LIMITS: RunLimits = { deadline: 1e9, grace: 1e6, instructions: 1e7 };

/** Text of an address that is none of a symbol's. */
type FormatAddress = (address: bigint, access: number) => string;

function formatTrap(fields: readonly bigint[], formatAddress: FormatAddress): string {
  const [trapClass = 0n, , address = 0n, access = 0n, width = 0n, value = 0n] = fields;
  const name = TRAP_CLASSES[Number(trapClass & CLASS_MASK)] ?? `class ${trapClass}`;
  const parts: string[] = [name];
  if (address !== 0n || access !== 0n) parts.push(`${ACCESSES[Number(access)] ?? access}${width} ${formatAddress(address, Number(access))}`);
  if (value !== 0n) parts.push(`value ${value}`);
  return parts.join(", ");
}

function addressIn(module: Module, symbolAddress: readonly bigint[], elsewhere: FormatAddress): FormatAddress {
  return (address, access) => {
    for (const [index, { name, size }] of module.symbols.entries()) {
      const start = symbolAddress[index] ?? 0n;
      if (address >= start && address < start + BigInt(size)) return `@${name}+${address - start}`;
    }
    return elsewhere(address, access);
  };
}

type ContentsOf = (name: string) => Uint8Array | string;

/** Bytes of symbols larger than `short` become a digest, as the guest tells them. */
function formatMemory(module: Module, contentsOf: ContentsOf, formatAddress: FormatAddress, short: number): ReadonlyMap<string, string> {
  const memory = new Map<string, string>();
  for (const { name, size, relocations } of module.symbols) {
    // Addresses are different in every image.
    if (relocations.length > 0) continue;
    const contents = contentsOf(name);
    const text = typeof contents === "string" ? contents : size > short ? `#${hexDigest(contents)}` : hexOf(contents);
    memory.set(name, name === RECORD_SYMBOL && size === RECORD_SIZE ? formatTrap(wordsOf(text), formatAddress) : text);
  }
  return memory;
}

/** Little-endian words of 8 bytes from hexadecimal digits. */
function wordsOf(text: string): readonly bigint[] {
  return (text.match(/.{16}/g) ?? []).map((digits) => BigInt(`0x${(digits.match(/../g) ?? []).reverse().join("")}`));
}

// ------------------------------------------------------------------------------------------------------------- the interpreter

export interface InterpreterRun {
  readonly observation: Observation;
  readonly kind: Outcome["kind"];
  /** Classes of the traps in the outcome and in the record that the vector left. */
  readonly traps: readonly TrapClass[];
}

function recordFields(trap: TrapRecord): readonly bigint[] {
  return [BigInt(TRAP_CLASSES.indexOf(trap.class)), 0n, trap.address, BigInt(trap.access), BigInt(trap.width), trap.value, 0n];
}

function describeOutcome(outcome: Outcome, formatAddress: FormatAddress): string {
  switch (outcome.kind) {
    case "returned":
      return `returned ${outcome.values.join(", ")}`.trim();
    case "unhandled-trap":
      return `unhandled-trap ${formatTrap(recordFields(outcome.trap), formatAddress)}`;
    case "double-fault":
      return `double-fault ${formatTrap(recordFields(outcome.trap), formatAddress)}; first ${formatTrap(recordFields(outcome.first), formatAddress)}`;
    case "exit":
    case "deadlock":
    case "hung":
      return outcome.kind;
  }
}

function trapClasses(outcome: Outcome, image: LoadedImage, record: Uint8Array | null): readonly TrapClass[] {
  if (outcome.kind === "unhandled-trap") return [outcome.trap.class];
  if (outcome.kind === "double-fault") return [outcome.trap.class, outcome.first.class];
  const name = image.module.trapVector < 0 || record === null ? undefined : TRAP_CLASSES[record[0] ?? 0];
  return name === undefined || name === "none" ? [] : [name];
}

/** `short`: how large a symbol may be for its bytes to be told, not a digest. */
export function interpret(module: Module, args: readonly (number | bigint)[], short = SHORT): InterpreterRun {
  const machine = createTestMachine({ addressBytes: module.layout.addressBytes });
  const image = loadTestImage(module, machine);
  const main = module.functions.findIndex((fn) => fn.name === "main");
  const outcome = interpreterFactory.create(image, machine).call(main, args, LIMITS);
  const code = new Set(module.functions.map((_fn, index) => BigInt(codeAddress(index, 0))));
  const formatAddress = addressIn(module, image.symbolAddress, (address, access) =>
    access === EXECUTE && code.has(address) ? "code" : `0x${address.toString(16)}`,
  );
  const contentsOf = (name: string): Uint8Array => readSymbol(image, machine, name);
  const hasRecord = module.symbols.some(({ name, size }) => name === RECORD_SYMBOL && size === RECORD_SIZE);
  return {
    observation: { outcome: describeOutcome(outcome, formatAddress), memory: formatMemory(module, contentsOf, formatAddress, short) },
    kind: outcome.kind,
    traps: trapClasses(outcome, image, hasRecord ? contentsOf(RECORD_SYMBOL) : null),
  };
}

// --------------------------------------------------------------------------------------------------------------- machine code

/** Names of the symbols that a native run must tell about, in this order: all, because addresses are told relative to them. */
export function watchedSymbols(module: Module): readonly string[] {
  return module.symbols.map(({ name }) => name);
}

function outsideSymbols({ codeStart, codeEnd }: Places): FormatAddress {
  return (address, access) => (access === EXECUTE && address >= codeStart && address < codeEnd ? "code" : `0x${address.toString(16)}`);
}

export function observeNative(module: Module, outcome: NativeOutcome): Observation {
  switch (outcome.kind) {
    case "lost":
      return { outcome: `lost: ${outcome.reason}`, memory: new Map() };
    case "fatal": {
      const { kind, trap, first } = outcome.fatal;
      const formatAddress = outsideSymbols(outcome.places);
      const last = first.length === 0 ? "" : `; first ${formatTrap(first, formatAddress)}`;
      return { outcome: `${kind} ${formatTrap(trap, formatAddress)}${last}`, memory: new Map() };
    }
    case "ran": {
      const { status, values, lastTrap, memory } = outcome.run;
      const addresses = memory.map(({ address }) => address);
      const formatAddress = addressIn(module, addresses, outsideSymbols(outcome.places));
      const contents = new Map(module.symbols.map(({ name }, index) => [name, memory[index]?.contents ?? ""]));
      return {
        outcome: status === 0n ? `returned ${values.join(", ")}`.trim() : `left by status ${status}; last trap ${formatTrap(lastTrap, formatAddress)}`,
        memory: formatMemory(module, (name) => contents.get(name) ?? "", formatAddress, SHORT),
      };
    }
  }
}

/** What differs, a line each. */
export function differences(expected: Observation, actual: Observation, compares: (symbol: string) => boolean = () => true): readonly string[] {
  const problems: string[] = [];
  if (actual.outcome !== expected.outcome) problems.push(`${actual.outcome}, the interpreter: ${expected.outcome}`);
  for (const [name, contents] of expected.memory) {
    const other = actual.memory.get(name);
    if (other !== undefined && other !== contents && compares(name)) problems.push(`@${name} holds ${other}, in the interpreter ${contents}`);
  }
  return problems;
}
