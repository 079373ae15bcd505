// Renders docs/library.md, the reference of the guest library for authors of specs, from lib/*.gspec and the table of intrinsics, and
// docs/library-targets.md from the modules that one target alone has, so that they cannot fall behind. A `///` comment makes a declaration public: it is printed with its signature. Everything else is the
// library's own business. A file's first comment, up to an empty line of it, introduces the module. Lines of a `///` comment that are
// indented by four blanks are code of a test's body; tests/docs/library.slow.test.ts runs them and compares the documents, those of single
// targets run in tests/docs/library-targets.isolated.test.ts.

import { readdirSync, readFileSync } from "node:fs";
import type { Item, Param } from "../grammar/ast.ts";
import { parseFile } from "../grammar/parser.ts";
import { textOf, type Source, type Span } from "../grammar/source.ts";
import { INTRINSICS, type IntrinsicRow } from "../compiler/check/intrinsics.ts";

/** The order of a reader; modules that are not listed follow, in that of the alphabet. */
const ORDER = ["cpu", "time", "timer", "irq", "ipi", "trap", "cleanup", "heap", "console", "pci", "edu", "virtio"];
/** What the compiler calls on its own; specs may read it, and should not build on it. */
const INTERNAL = ["runtime", "report", "call_log", "format", "text", "console_watch"];

/** Folders of lib/ whose modules have no counterpart in the others, and those of them that are for specs; the rest serves the library. */
const TARGET_MODULES: readonly { readonly folder: string; readonly where: string; readonly machine: string; readonly names: readonly string[] }[] = [
  { folder: "x86_64", where: "x86_64", machine: "x86-q35", names: ["x86", "paging", "lapic", "acpi", "user"] },
  { folder: "riscv64", where: "riscv64", machine: "riscv-virt", names: ["user"] },
  { folder: "riscv64", where: "riscv64 in supervisor mode", machine: "riscv-virt-sbi", names: ["sbi"] },
  { folder: "riscv64-sbi", where: "riscv64 in supervisor mode", machine: "riscv-virt-sbi", names: ["paging"] },
  { folder: "aarch64", where: "aarch64", machine: "arm64-virt", names: ["paging", "gic", "user"] },
];

type Section = "functions" | "types" | "constants" | "variables";

interface Entry {
  readonly section: Section;
  /** The heading, null for a group of constants. */
  readonly title: string | null;
  /** Source text in a fence, null where the heading says all. */
  readonly declaration: string | null;
  readonly doc: readonly string[];
}

export interface ModuleDoc {
  readonly name: string;
  readonly introduction: string;
  readonly entries: readonly Entry[];
}

/** An example of a `///` comment: code of a test's body. */
export interface LibraryExample {
  readonly name: string;
  readonly code: string;
}

const FENCE = "```";

// ---- Reading ----

/** The comment lines that end on the line above `offset`, without their slashes; null where they are no `///` comment. */
function docAbove(source: Source, offset: number): readonly string[] | null {
  const above = source.text
    .slice(0, source.text.lastIndexOf("\n", offset - 1) + 1)
    .split("\n")
    .slice(0, -1);
  const lines: string[] = [];
  for (let line = above.pop()?.trim(); line?.startsWith("//") === true; line = above.pop()?.trim()) lines.unshift(line);
  return lines.length > 0 && lines.every((line) => line.startsWith("///")) ? lines.map((line) => line.slice(3).replace(/^ /, "").trimEnd()) : null;
}

function introductionOf(source: Source): string {
  const lines = source.text.split("\n");
  const end = lines.findIndex((line) => !line.startsWith("// "));
  return lines
    .slice(0, end)
    .map((line) => line.slice(3))
    .join("\n");
}

/** A declaration without its body, on one line. */
function headOf(span: Span, body: Span): string {
  return textOf({ ...span, end: body.start })
    .replace(/\s+/g, " ")
    .trim();
}

function fieldsOf(fields: readonly Param[]): string {
  const width = Math.max(0, ...fields.map(({ name }) => name.text.length));
  return fields.map(({ name, type }) => `  ${`${name.text}:`.padEnd(width + 1)} ${textOf(type.span)}\n`).join("");
}

function isAdjacent(source: Source, first: Span, second: Span): boolean {
  return source.text.slice(first.end, second.start).trim() === "" && !/\n\s*\n/.test(source.text.slice(first.end, second.start));
}

function entriesOf(module: string, source: Source, item: Item): readonly Entry[] {
  const doc = docAbove(source, item.span.start);
  if (doc === null) return [];
  switch (item.kind) {
    case "fn":
      return [{ section: "functions", title: `${module}.${headOf(item.span, item.body.span).replace(/^fn /, "")}`, declaration: null, doc }];
    case "struct": {
      const declaration = `struct ${item.name.text} {\n${fieldsOf(item.fields)}}`;
      const methods = item.methods.flatMap((method): Entry[] => {
        const text = docAbove(source, method.span.start);
        const title = `${module}.${item.name.text}.${headOf(method.span, method.body.span)
          .replace(/^fn /, "")
          .replace(/\(self(, )?/, "(")}`;
        return text === null ? [] : [{ section: "types", title, declaration: null, doc: text }];
      });
      return [{ section: "types", title: `${module}.${item.name.text}`, declaration, doc }, ...methods];
    }
    case "interface":
    case "enum":
    case "regs":
      return [{ section: "types", title: `${module}.${item.name.text}`, declaration: textOf(item.span), doc }];
    case "const":
      return [{ section: "constants", title: null, declaration: textOf(item.span), doc }];
    case "var":
      return [{ section: "variables", title: `${module}.${textOf(item.span).replace(/^var /, "")}`, declaration: null, doc }];
    case "use":
    case "table":
    case "test":
    case "fixture":
    case "suite-hook":
    case "table-hook":
      throw new Error(`${source.path}: a ${item.kind} cannot be documented`);
  }
}

export function readModule(name: string, source: Source): ModuleDoc {
  const file = parseFile(source, ({ code, message }) => {
    throw new Error(`${source.path}: ${code} ${message}`);
  });
  const entries: Entry[] = [];
  let before: Item | null = null;
  for (const item of file.items) {
    const last = entries.at(-1);
    const isOfGroup = item.kind === "const" && before?.kind === "const" && last?.section === "constants" && isAdjacent(source, before.span, item.span);
    // Constants directly below a documented one share its comment.
    if (isOfGroup && last !== undefined && last.declaration?.endsWith(textOf(before?.span ?? item.span)) === true) {
      entries[entries.length - 1] = { ...last, declaration: `${last.declaration}\n${textOf(item.span)}` };
    } else entries.push(...entriesOf(name, source, item));
    before = item;
  }
  return { name, introduction: introductionOf(source), entries };
}

export function readLibrary(folder: URL): readonly ModuleDoc[] {
  const names = readdirSync(folder)
    .filter((file) => file.endsWith(".gspec"))
    .map((file) => file.slice(0, -".gspec".length))
    .sort();
  const rank = (name: string): number => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length);
  return names
    .toSorted((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
    .map((name) => readModule(name, { path: `lib/${name}.gspec`, text: readFileSync(new URL(`${name}.gspec`, folder), "utf8") }));
}

export interface TargetModules {
  readonly where: string;
  /** That has them. */
  readonly machine: string;
  readonly modules: readonly ModuleDoc[];
}

export function readTargetModules(folder: URL): readonly TargetModules[] {
  return TARGET_MODULES.map(({ folder: target, where, machine, names }) => ({
    where,
    machine,
    modules: names.map((name) =>
      readModule(name, { path: `lib/${target}/${name}.gspec`, text: readFileSync(new URL(`${target}/${name}.gspec`, folder), "utf8") }),
    ),
  }));
}

/** Indented lines of the comments, as they run. */
export function examplesOf(modules: readonly ModuleDoc[]): readonly LibraryExample[] {
  return modules.flatMap(({ name, entries }) =>
    entries.flatMap(({ title, doc }) => {
      const code = doc.filter((line) => line.startsWith("    ")).map((line) => line.slice(4));
      return code.length === 0 ? [] : [{ name: title ?? name, code: code.join("\n") }];
    }),
  );
}

// ---- Writing ----

/** Text as it stands, with indented lines in a fence. */
function renderDoc(doc: readonly string[]): string {
  const out: string[] = [];
  let isCode = false;
  for (const line of doc) {
    const isIndented = line.startsWith("    ");
    if (isIndented !== isCode) out.push(isIndented ? `${FENCE}gspec` : FENCE);
    isCode = isIndented;
    out.push(isIndented ? line.slice(4) : line);
  }
  if (isCode) out.push(FENCE);
  return out.join("\n").trim();
}

function renderEntry({ title, declaration, doc }: Entry): string {
  const parts = [
    ...(title === null ? [] : [`### \`${title}\``]),
    ...(title === null || declaration === null ? [] : [`${FENCE}text\n${declaration}\n${FENCE}`]),
    renderDoc(doc),
    ...(title === null && declaration !== null ? [`${FENCE}text\n${declaration}\n${FENCE}`] : []),
  ];
  return parts.join("\n\n");
}

const SECTIONS: readonly Section[] = ["functions", "types", "variables", "constants"];

function renderModule({ name, introduction, entries }: ModuleDoc, heading = name): string {
  const parts = SECTIONS.flatMap((section) => {
    const rendered = entries.filter((entry) => entry.section === section).map(renderEntry);
    return section === "constants" && rendered.length > 0 ? [`### Constants of ${name}`, ...rendered] : rendered;
  });
  return [`## ${heading}`, introduction, ...parts].join("\n\n");
}

/** A heading's link within its document, as GitHub makes it. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\w -]/g, "")
    .replaceAll(" ", "-");
}

export function renderTargetModules(targets: readonly TargetModules[]): string {
  const sections = targets.flatMap(({ where, modules }) => modules.map((module) => ({ module, heading: `${module.name} (${where})` })));
  return `${[
    `<!-- Generated by tools/library-doc.ts from lib/; \`GUESTSPEC_BLESS=1 npm test -- tests/docs/library\` writes it anew. -->
# The guest library of single targets

Modules that exist where the machine has what they are about. A test that uses one says \`on x86_64\`, or uses it within
\`when target x86_64 { .. }\`; on any other target the compiler tells which has it. What all targets have is in [library.md](library.md).`,
    `Contents: ${sections.map(({ heading }) => `[${heading}](#${anchorOf(heading)})`).join(",\n")}.`,
    ...sections.map(({ module, heading }) => renderModule(module, heading)),
  ].join("\n\n")}\n`;
}

interface Meaning {
  /** Matches names of intrinsics, which are one line of the document together. */
  readonly names: RegExp;
  /** With names for the parameters. */
  readonly title: string;
  readonly text: string;
}

const MEANINGS: readonly Meaning[] = [
  { names: /^peek\./, title: "peek.T(address: usize) -> T", text: "reads T at the address" },
  { names: /^poke\./, title: "poke.T(address: usize, value: T)", text: "writes T at the address" },
  { names: /^port\.in/, title: "port.inN(port: u16) -> uN", text: "reads N bits from an I/O port: `in8`, `in16`, `in32`" },
  { names: /^port\.out/, title: "port.outN(port: u16, value: uN)", text: "writes N bits to an I/O port: `out8`, `out16`, `out32`" },
  { names: /^atomic\.load$/, title: "atomic.load(place: *T) -> T", text: "reads" },
  { names: /^atomic\.store$/, title: "atomic.store(place: *T, value: T)", text: "writes" },
  {
    names: /^atomic\.(add|sub|and|or|xor|swap)$/,
    title: "atomic.OP(place: *T, value: T) -> T",
    text: "changes the place in one step and gives its old value; OP is `add`, `sub`, `and`, `or`, `xor` or `swap`",
  },
  {
    names: /^atomic\.cas$/,
    title: "atomic.cas(place: *T, expected: T, value: T) -> T",
    text: "writes the value if the place holds what is expected; gives the old value, which tells whether it did",
  },
  { names: /^atomic\.fence$/, title: "atomic.fence()", text: "orders all accesses to memory and devices before it against all after it" },
  { names: /^bits\.clz$/, title: "bits.clz(value: T) -> T", text: "zero bits above the highest one; the width for 0" },
  { names: /^bits\.ctz$/, title: "bits.ctz(value: T) -> T", text: "zero bits below the lowest one; the width for 0" },
  { names: /^bits\.popcnt$/, title: "bits.popcnt(value: T) -> T", text: "one bits" },
  { names: /^bits\.bswap$/, title: "bits.bswap(value: T) -> T", text: "the bytes in reverse order" },
  { names: /^bits\.rot[lr]$/, title: "bits.rotl(value: T, count: T) -> T, bits.rotr", text: "rotated left or right; the count is taken modulo the width" },
  { names: /^bits\.mulh$/, title: "bits.mulh(a: T, b: T) -> T", text: "the high half of the product, signed or unsigned as T is" },
];

function meaningOf(row: IntrinsicRow): Meaning {
  const found = MEANINGS.filter(({ names }) => names.test(row.name));
  const [meaning] = found;
  const params = /\(([^)]*)\)/
    .exec(meaning?.title ?? "")?.[1]
    ?.split(", ")
    .filter((param) => param !== "").length;
  if (meaning === undefined || found.length > 1 || params !== row.params.length) throw new Error(`tools/library-doc.ts does not say what ${row.name} does`);
  return meaning;
}

function renderIntrinsics(prefixes: readonly string[]): string {
  const rows = INTRINSICS.filter(({ name }) => prefixes.includes(name.slice(0, name.indexOf("."))));
  const lines = [...new Set(rows.map(meaningOf))].map(({ title, text }) => `| \`${title}\` | ${text} |`);
  return ["| function | what it does |", "|---|---|", ...lines].join("\n");
}

function renderInternalIntrinsics(): string {
  const rows = INTRINSICS.filter(({ name }) => name.startsWith("intrinsic."));
  return rows.map(({ name, params, result }) => `${name}(${params.join(", ")})${result === "void" ? "" : ` -> ${result}`}`).join("\n");
}

function firstSentence(text: string): string {
  return /^[^]*?[.](?=\s|$)/.exec(text.replaceAll("\n", " "))?.[0] ?? text;
}

export function renderLibrary(modules: readonly ModuleDoc[]): string {
  const listed = modules.filter(({ name }) => !INTERNAL.includes(name));
  const internal = modules.filter(({ name }) => INTERNAL.includes(name));
  const types = INTRINSICS.flatMap(({ name }) => /^peek\.(\w+)$/.exec(name)?.[1] ?? []);
  return `${[
    `<!-- Generated by tools/library-doc.ts from lib/*.gspec; \`GUESTSPEC_BLESS=1 npm test -- tests/docs/library\` writes it anew. -->
# The guest library

What specs can call without declaring it. A module is reached by its name, \`timer.after(10us)\`, with or without \`use timer\`. The
language itself is in [language.md](language.md), modules of single targets, \`paging\` among them, in
[library-targets.md](library-targets.md); the built-in functions \`sizeof\`, \`edges\`, \`alloc\` and \`print\` are in its
section 13, the constants \`machine.uart0.base\` and their like in section 14.

All times are guest time in nanoseconds, as \`u64\`. \`10us\` and the other durations are such numbers. Whatever "ends the test" is an
\`assert\` in the library: the test has failed, and its cleanup runs. The examples are code of a test's body, and run in the project's
tests.`,
    `Contents: ${[`[memory, ports, atomics, bits](#memory-ports-atomics-bits)`, ...listed.map(({ name }) => `[${name}](#${name})`), "[internal](#internal)"].join(",\n")}.`,
    `## Memory, ports, atomics, bits

These namespaces are part of the language: each call is one instruction. T is any integer type:
${types.map((type) => `\`${type}\``).join(", ")}.

**Memory.** Each access is made exactly once and exactly that wide, in RAM or in a device. It traps \`misaligned\` off its alignment,
\`access_fault\` where nothing answers or a device refuses the width, and \`protection\` when it writes constant data.

${renderIntrinsics(["peek", "poke"])}

**Ports.** They trap \`access_fault\` where no device answers. A test that uses them says \`needs ports\`.

${renderIntrinsics(["port"])}

**Atomics** are sequentially consistent. They work in RAM only (elsewhere \`access_fault\`), at aligned places (\`misaligned\`).

${renderIntrinsics(["atomic"])}

**Bits.**

${renderIntrinsics(["bits"])}`,
    ...listed.map((module) => renderModule(module)),
    `## Internal

The compiler calls these modules on its own. What is in them may change with any version.

${internal.map(({ name, introduction }) => `- \`${name}\`: ${firstSentence(introduction)}`).join("\n")}

The namespace \`intrinsic\` is for the library too. \`fn\` is a function that takes a \`usize\`; docs/bytecode.md has the instructions.

${FENCE}text
${renderInternalIntrinsics()}
${FENCE}`,
  ].join("\n\n")}\n`;
}
