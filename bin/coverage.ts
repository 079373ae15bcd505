// `run --coverage`: what of the specs' own code was executed, which ways decisions went, and which registers of `regs` blocks were touched, by test
// and in all. The interpreter counts instructions; their locations, and what the compiler notes for this purpose, make lines, decisions and
// registers of them. The library's code is left out: it is nobody's spec.

import type { Block } from "../grammar/ast.ts";
import { parseFile } from "../grammar/parser.ts";
import { positionAt, type Source } from "../grammar/source.ts";
import { findInstruction } from "../isa/bytecode/instructions.ts";
import { LIBRARY_PREFIX, type BytecodeFunction, type Module } from "../isa/bytecode/module.ts";
import { compile } from "../compiler/index.ts";
import { createCoverageNotes, DECISION_WAYS, placeKey, type CoverageNotes, type RegisterNote } from "../compiler/lower/coverage-notes.ts";
import { engineOf } from "../runtime/engines/session.ts";
import { createCodeCounts, type FunctionCounts } from "../runtime/cpus/bytecode/code-counts.ts";
import type { CoveredFile, CoveredRegisters, CoverageMeasured } from "../runtime/events.ts";
import type { ExecutorFactory } from "../runtime/machine/cpu-contract.ts";
import { COVERAGE_KINDS, coverageTotals, percentOf, type CoverageKind } from "../runtime/reporters/coverage-totals.ts";
import { usageError } from "./errors.ts";
import type { ParsedOptions } from "./options.ts";
import { readProjectWords, type LoadedImage } from "./load-specs.ts";
import { LIB_FOLDER } from "./places.ts";
import { readText } from "./read-text.ts";

export interface Coverage {
  /** What runs guests instead of the usual executors. */
  readonly factory: ExecutorFactory;
  /** What was executed since the last test. */
  takeTest(id: string): CoverageMeasured;
  /** Of all tests, with what none of them reached. */
  total(): CoverageMeasured;
}

interface Touch {
  reads: number;
  writes: number;
}

/** Counts by `placeKey`, but lines by path and line. */
interface Tally {
  readonly lines: Map<string, Map<number, number>>;
  /** Into the code behind the decision, and the other way. */
  readonly decisions: Map<string, [number, number]>;
  readonly registers: Map<string, Touch>;
}

const READS: ReadonlySet<string> = new Set(["load_volatile", "port_in"]);
const WRITES: ReadonlySet<string> = new Set(["store_volatile", "port_out"]);
const DECIDES: ReadonlySet<string> = new Set(["if", "br_if"]);
const LEAVES: ReadonlySet<string> = new Set(["br", "return", "unreachable", "unwind", "trap"]);

/** Instructions that control can come to and that do something: what follows a `return` is there for the verifier. */
function liveInstructions({ body }: BytecodeFunction): readonly number[] {
  const live: number[] = [];
  let isDead = false;
  body.forEach(({ op, at }, index) => {
    const structure = findInstruction(op)?.structure;
    if (structure === "end" || structure === "else") isDead = false;
    else if (!isDead && at >= 0 && op !== "block" && op !== "loop") live.push(index);
    if (LEAVES.has(op)) isDead = true;
  });
  // The end of a body without a value stands at the function's name, which is no line of its code.
  if (live.at(-1) === body.length - 1 && body.at(-1)?.src.length === 0) live.pop();
  return live;
}

function createTally(): Tally {
  return { lines: new Map(), decisions: new Map(), registers: new Map() };
}

function addTally(into: Tally, { lines, decisions, registers }: Tally): void {
  for (const [path, counts] of lines) {
    const known = into.lines.get(path) ?? new Map<number, number>();
    into.lines.set(path, known);
    for (const [line, hits] of counts) known.set(line, (known.get(line) ?? 0) + hits);
  }
  for (const [key, [into0, other]] of decisions) {
    const [known0, known1] = into.decisions.get(key) ?? [0, 0];
    into.decisions.set(key, [known0 + into0, known1 + other]);
  }
  for (const [key, { reads, writes }] of registers) {
    const known = into.registers.get(key);
    into.registers.set(key, { reads: (known?.reads ?? 0) + reads, writes: (known?.writes ?? 0) + writes });
  }
}

/** Every function of a spec as the compiler knows it: what it would count, before anything has. */
function countFunction(module: Module, index: number, notes: CoverageNotes, counts: FunctionCounts | null, tally: Tally): void {
  const fn = module.functions[index];
  if (fn === undefined) return;
  const lines = new Map<string, Map<number, number>>();
  const decisions = new Map<string, [number, number]>();
  for (const at of liveInstructions(fn)) {
    const instruction = fn.body[at];
    const location = module.locations[instruction?.at ?? -1];
    const path = module.files[location?.file ?? -1];
    if (instruction === undefined || location === undefined || path === undefined || path.startsWith(LIBRARY_PREFIX)) continue;
    const executed = counts?.executed[at] ?? 0;
    const own = lines.get(path) ?? new Map<number, number>();
    lines.set(path, own);
    own.set(location.line, Math.max(own.get(location.line) ?? 0, executed));
    const key = placeKey(path, location.line, location.column);
    // Of several at one place the last one is the decision: the others work out what it decides by.
    if (DECIDES.has(instruction.op) && notes.decisions.has(key)) {
      const other = counts?.branched[at] ?? 0;
      decisions.set(key, [executed - other, other]);
    }
    const isRead = READS.has(instruction.op);
    if ((isRead || WRITES.has(instruction.op)) && notes.registers.has(key))
      addTally(tally, { ...createTally(), registers: new Map([[key, isRead ? { reads: executed, writes: 0 } : { reads: 0, writes: executed }]]) });
  }
  addTally(tally, { ...createTally(), lines, decisions });
}

/** Lines with statements of functions that no test reaches, so that they are no code of any image. */
function unreachedLines(path: string, text: string, known: ReadonlySet<number>): readonly number[] {
  if (!path.endsWith(".gspec")) return [];
  const source: Source = { path, text };
  // What does not parse has been reported when it was compiled.
  const { items } = parseFile(source, () => undefined);
  const linesOf = ({ statements }: Block): readonly number[] => statements.map(({ span }) => positionAt(source, span.start).line);
  const functions = items.flatMap((item) => (item.kind === "fn" && item.body !== null ? [item.body] : []));
  return functions
    .map(linesOf)
    .filter((lines) => lines.every((line) => !known.has(line)))
    .flat();
}

function compareKeys(a: readonly [line: number, column: number], b: readonly [line: number, column: number]): number {
  return a[0] - b[0] || a[1] - b[1];
}

function splitKey(key: string): readonly [path: string, line: number, column: number] {
  const [, path = "", line, column] = /^(.*):(\d+):(\d+)$/s.exec(key) ?? [];
  return [path, Number(line), Number(column)];
}

function filesOf({ lines, decisions }: Tally, notes: CoverageNotes, source: ((path: string) => readonly string[]) | null): readonly CoveredFile[] {
  const byFile = Map.groupBy([...decisions], ([key]) => splitKey(key)[0]);
  return [...lines]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, counts]): CoveredFile => {
      const branches = (byFile.get(path) ?? [])
        .map(([key, hits]) => ({ key, place: splitKey(key), hits }))
        .toSorted((a, b) => compareKeys([a.place[1], a.place[2]], [b.place[1], b.place[2]]))
        .flatMap(({ key, place: [, line, column], hits }) => {
          const kind = notes.decisions.get(key);
          return kind === undefined ? [] : DECISION_WAYS[kind].map((way, at) => ({ line, column, way: `${kind}: ${way}`, hits: hits[at] ?? 0 }));
        });
      return {
        path,
        source: source === null ? null : source(path),
        lines: [...counts].toSorted(([a], [b]) => a - b).map(([line, hits]) => ({ line, hits })),
        branches: source === null ? branches.filter(({ hits }) => hits > 0) : branches,
      };
    });
}

type CountedRegister = CoveredRegisters["registers"][number];

function registersOf({ registers }: Tally, notes: CoverageNotes, isComplete: boolean): readonly CoveredRegisters[] {
  const uses = [...registers].flatMap(([key, touch]) => {
    const note = notes.registers.get(key);
    return note === undefined ? [] : [{ note, touch }];
  });
  const sum = (of: readonly { readonly note: RegisterNote; readonly touch: Touch }[]): Touch => ({
    reads: of.reduce((total, { touch }) => total + touch.reads, 0),
    writes: of.reduce((total, { touch }) => total + touch.writes, 0),
  });
  const isTouched = ({ reads, writes }: Touch): boolean => isComplete || reads + writes > 0;
  return [...Map.groupBy(uses, ({ note }) => note.regs)].flatMap(([regs, own]): CoveredRegisters[] => {
    const { source, start } = regs.declared;
    const counted = [...regs.registers.values()].map((register): CountedRegister => {
      const here = own.filter(({ note }) => note.register === register.name);
      const fields = register.fields.map(({ name }) => {
        const those = here.filter(({ note }) => note.field === name);
        // Writing a field reads its register for the other bits; that is no read of the field.
        return { name, reads: sum(those.filter(({ touch }) => touch.writes === 0)).reads, writes: sum(those).writes };
      });
      return { name: register.name, ...sum(here), fields: fields.filter(isTouched) };
    });
    const told = counted.filter(isTouched);
    return told.length === 0 ? [] : [{ name: regs.name, file: source.path, line: positionAt(source, start).line, registers: told }];
  });
}

/** Machine code and images for other engines are left out: nobody counts there. */
export async function openCoverage(given: readonly LoadedImage[]): Promise<Coverage> {
  const images = given.filter((image) => engineOf(image) === "embedded" && image.module !== undefined);
  if (images.length === 0)
    throw usageError("`--coverage` is measured where bytecode runs on the embedded engine, and none does", "leave out `--target` and `--engine`");
  const notes = createCoverageNotes();
  const words = await readProjectWords();
  // Images may come from the cache, which has no notes: they are taken by compiling once more.
  for (const own of Map.groupBy(images, ({ machine }) => machine).values()) {
    const [first] = own;
    if (first !== undefined)
      compile([...new Set(own.map(({ path }) => path))], { machine: first.machine, readFile: readText, libDirectory: LIB_FOLDER, ...words, notes });
  }
  const counts = createCodeCounts();
  const modules = images.flatMap(({ module }) => module ?? []);
  const all = createTally();
  for (const module of modules) module.functions.forEach((_, index) => countFunction(module, index, notes, null, all));

  function take(): Tally {
    const tally = createTally();
    for (const module of modules) for (const taken of counts.take(module)) countFunction(module, taken.function, notes, taken, tally);
    addTally(all, tally);
    return tally;
  }

  function withoutMisses({ lines, decisions, registers }: Tally): Tally {
    const hit = [...lines].map(([path, own]) => [path, new Map([...own].filter(([, hits]) => hits > 0))] as const).filter(([, own]) => own.size > 0);
    return { lines: new Map(hit), decisions, registers };
  }

  function sourceOf(path: string): readonly string[] {
    return (readText(path) ?? "").replace(/\n$/, "").split("\n");
  }

  return {
    factory: counts.factory,
    takeTest(id) {
      const tally = withoutMisses(take());
      return { type: "coverage-measured", test: id, files: filesOf(tally, notes, null), registers: registersOf(tally, notes, false) };
    },
    total() {
      take();
      for (const [path, lines] of all.lines) for (const line of unreachedLines(path, readText(path) ?? "", new Set(lines.keys()))) lines.set(line, 0);
      return { type: "coverage-measured", test: null, files: filesOf(all, notes, sourceOf), registers: registersOf(all, notes, true) };
    },
  };
}

type Limits = Readonly<Partial<Record<CoverageKind, number>>>;

/** `lines:90,branches:80`, in percent. */
export function readCoverageLimits(options: ParsedOptions): Limits {
  const text = options.value("coverage") ?? "";
  return Object.fromEntries(
    text.split(",").map((part) => {
      const [, kind, percent] = /^(\w+):(\d+(?:\.\d+)?)%?$/.exec(part.trim()) ?? [];
      const known = COVERAGE_KINDS.find((name) => name === kind);
      if (known === undefined || Number(percent) > 100)
        throw usageError(
          `${options.spelled("coverage")} takes limits such as lines:90,branches:80, not \`${part}\``,
          `what has a limit: ${COVERAGE_KINDS.join(", ")}; in percent`,
        );
      return [known, Number(percent)];
    }),
  );
}

/** A sentence for each limit that was not reached. */
export function describeShortfall(options: ParsedOptions, measured: CoverageMeasured): readonly string[] {
  const totals = coverageTotals(measured);
  const limits = readCoverageLimits(options);
  return COVERAGE_KINDS.flatMap((kind) => {
    const [least, percent] = [limits[kind] ?? 0, percentOf(totals[kind])];
    return percent >= least ? [] : [`coverage of ${kind} is ${percent} %, the limit is ${least} %`];
  });
}
