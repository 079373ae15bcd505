// docs/language.md is the reference, so its examples must be true: every fence marked `gspec` or `yaml` parses and is formatted.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { ATTRIBUTES } from "../../compiler/check/attributes.ts";
import { listCodes } from "../../compiler/diagnostics/codes.ts";
import type { Diagnostic } from "../../grammar/diagnostic.ts";
import { formatText } from "../../grammar/format/format-text.ts";
import { parseYamlFile } from "../../grammar/yaml/read-yaml-spec.ts";
import { innerWords, itemWords, laterWords, reservedWords, statementWords } from "../../grammar/tokens.ts";
import { TRAP_CLASSES } from "../../isa/bytecode/instructions.ts";

const text = readFileSync(join(import.meta.dirname, "../../docs/language.md"), "utf8");

describe("docs/language.md", () => {
  for (const match of text.matchAll(/^```(gspec|yaml)\n([^]*?)^```$/gm)) {
    const [, kind, example = ""] = match;
    const line = text.slice(0, match.index).split("\n").length + 1;
    test(`${kind} at line ${line}`, () => {
      const reports: Diagnostic[] = [];
      const source = { path: "docs/language.md", text: example };
      if (kind === "yaml") parseYamlFile(source, (diagnostic) => reports.push(diagnostic));
      else {
        const formatted = formatText(source, (diagnostic) => reports.push(diagnostic));
        if (formatted !== null)
          assert.equal(
            formatText({ ...source, text: formatted }, () => {}),
            formatted,
          );
      }
      assert.deepEqual(
        reports.map(({ code, message }) => `${code} ${message}`),
        [],
      );
    });
  }

  test("names every reserved word, declaration and statement", () => {
    const reserved = /These words are reserved:\n\n```text\n(.*)\n```/.exec(text)?.[1]?.split(" ");
    assert.deepEqual(reserved?.toSorted(), [...reservedWords.keys()].toSorted());
    const grammar = [...text.matchAll(/^```text\n([^]*?)^```$/gm)].map((match) => match[1]).join("\n");
    for (const word of [...itemWords, ...statementWords]) assert.ok(grammar.includes(`"${word}"`), word);
    assert.ok(
      [...laterWords.keys()].every((word) => !grammar.includes(`"${word}"`)),
      "what comes later is no part of the reference",
    );
    for (const word of laterWords.keys()) assert.ok(text.includes(`\`${word}\``), word);
    const contextual = /free as names elsewhere:[^]*?```text\n([^]*?)```/.exec(text)?.[1]?.trim().split(/\s+/);
    const known = [...itemWords, ...statementWords, ...innerWords].filter((word) => !reservedWords.has(word));
    assert.deepEqual(contextual?.toSorted(), [...new Set(known)].toSorted());
  });

  test("names every attribute and trap class", () => {
    const attributes = [...text.matchAll(/^\| `@(\w+)/gm)].map(([, name = ""]) => name);
    assert.deepEqual(attributes.toSorted(), ATTRIBUTES.toSorted());
    const traps = /## 17\. Traps[^]*?## 18/.exec(text)?.[0] ?? "";
    for (const name of TRAP_CLASSES.slice(1)) assert.ok(traps.includes(`\`${name}\``), name);
  });

  test("refers to codes and sections that there are", () => {
    const codes = new Set(listCodes().map(({ code }) => code));
    assert.deepEqual(
      [...text.matchAll(/\b[EW]\d{4}\b/g)].map(([code]) => code).filter((code) => !codes.has(code)),
      [],
    );
    const sections = new Set([...text.matchAll(/^## (\d+)\. /gm)].map(([, number]) => number));
    assert.deepEqual(
      [...text.matchAll(/\bsection (\d+)/g)].map(([, number]) => number).filter((number) => !sections.has(number)),
      [],
    );
  });
});
