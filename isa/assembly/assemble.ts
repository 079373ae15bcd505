// The two passes of every assembler: the first reads statements and gives every one its length, so labels have offsets; the second
// evaluates expressions and writes. An assembler does what is written: it chooses no length by looking at a later label.
// isa/NAME/assemble.ts calls this with its rules.

import { sizeDirective } from "./directives.ts";
import type { AssembleOptions, Assembly, AssemblyProblem } from "./instruction-set.ts";
import type { AssemblyRules, Output, Scope, SizedStatement } from "./output.ts";
import { AssemblyError, readStatements } from "./text.ts";
import type { Token } from "./text.ts";

export function assembleText<Kind extends string>(rules: AssemblyRules<Kind>, text: string, options: AssembleOptions): Assembly<Kind> {
  const read = readStatements(text, rules.notation);
  const problems: AssemblyProblem[] = [...read.problems];
  const attempt = (action: () => void): void => {
    try {
      action();
    } catch (error) {
      if (!(error instanceof AssemblyError)) throw error;
      problems.push(error.problem);
    }
  };

  const scope: Scope = {
    dialect: rules,
    labels: new Map(),
    numberedLabels: [],
    constants: new Map(options.constants),
    isOutsideSymbol: options.isOutsideSymbol,
  };
  const items: (SizedStatement<Kind> & { readonly offset: number; readonly line: number })[] = [];
  let offset = 0;
  for (const { labels, tokens } of read.statements) {
    attempt(() => {
      for (const label of labels) defineLabel(label, offset, scope);
      const [head, ...rest] = tokens;
      if (head === undefined) return;
      if (head.kind !== "name") throw new AssemblyError(head, `an instruction expected, found \`${head.text}\``);
      const sized = head.text.startsWith(".") ? sizeDirective(rules, head, rest, offset, scope) : rules.sizeInstruction(head, rest, offset, scope);
      if (sized === undefined) return;
      items.push({ ...sized, offset, line: head.line });
      offset += sized.length;
    });
  }

  const bytes = new Uint8Array(offset);
  const output: Output<Kind> = {
    bytes,
    view: new DataView(bytes.buffer),
    relocations: [],
    rules,
    scope,
    origin: options.origin,
    isRelocatable: options.isRelocatable === true,
  };
  // A statement that could not be read has no length: distances behind it would be wrong, so the second pass only looks for errors
  // when the first had none.
  if (problems.length === 0) for (const item of items) attempt(() => item.write(output, item.offset));
  if (problems.length > 0) return { ok: false, problems };
  return {
    ok: true,
    bytes,
    labels: scope.labels,
    relocations: output.relocations,
    lines: items.filter(({ length }) => length > 0).map((item) => ({ offset: item.offset, line: item.line })),
  };
}

/** "3:7: message; help", for people. */
export function formatProblem({ line, column, message, help }: AssemblyProblem): string {
  return `${line}:${column}: ${message}${help === undefined ? "" : `; ${help}`}`;
}

function defineLabel(name: Token, offset: number, scope: Scope): void {
  if (name.kind === "number" && /^\d+$/.test(name.text)) {
    scope.numberedLabels.push({ number: name.text, offset });
    return;
  }
  if (name.kind !== "name" || name.text === ".") throw new AssemblyError(name, `\`${name.text}\` cannot be a label`);
  if (scope.dialect.isRegister(name.text)) throw new AssemblyError(name, `\`${name.text}\` is a register, it cannot be a label`);
  if (scope.labels.has(name.text) || scope.constants.has(name.text)) {
    throw new AssemblyError(name, `\`${name.text}\` is defined already`);
  }
  scope.labels.set(name.text, offset);
}
