// The examples of docs/bytecode.md as conformance cases: each ```gbc block with its `; call:`, `; result:` and `; instructions:` lines.

import type { ConformanceCase } from "./case.ts";

const BLOCK = /```gbc\n(?<text>[^]*?)```/g;

function directive(text: string, name: string): string | undefined {
  return new RegExp(`^; ${name}: *(.*)$`, "m").exec(text)?.[1]?.trim();
}

function parseArgument(text: string): number | bigint {
  return text.endsWith("n") ? BigInt(text.slice(0, -1)) : Number(text);
}

export function exampleCases(markdown: string): ConformanceCase[] {
  return [...markdown.matchAll(BLOCK)].map((match, index) => {
    const text = match.groups?.["text"] ?? "";
    const outcome = directive(text, "result");
    if (outcome === undefined) throw new Error(`example ${index + 1} of the document has no result line:\n${text}`);
    const count = directive(text, "instructions");
    return {
      name: `example ${index + 1} of the document`,
      program: text,
      args: (directive(text, "call") ?? "")
        .split(",")
        .filter((part) => part !== "")
        .map((part) => parseArgument(part.trim())),
      expect: { outcome, ...(count === undefined ? {} : { instructions: Number(count) }) },
    };
  });
}
