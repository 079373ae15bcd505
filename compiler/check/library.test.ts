// The guest library is checked where specs reach it; here all of it is, for every machine of the package, so that a mistake in a function
// that no spec calls is found.
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { describe, test } from "node:test";
import { loadMachineLanguage } from "../../isa/machine-language.ts";
import type { MachineDescription } from "../../machines/description.ts";
import { listMachines, loadMachine } from "../../machines/load-machine.ts";
import { readText } from "../../tests/fixtures/compile.ts";
import { compile, type CompileOptions } from "../index.ts";
import { nativeOptions } from "../native/index.ts";
import type { ParsedFiles } from "../program.ts";
import { hasNativeTarget, loadNativeTarget } from "../targets/index.ts";

const parsed: ParsedFiles = new Map();
const PATH = "everything.gspec";

function modulesIn(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap((name) => /^(.*)\.gspec$/.exec(name)?.[1] ?? []);
}

async function optionsFor(name: string, library: (path: string) => string | null): Promise<CompileOptions> {
  const machine = descriptionOf(name);
  const modules = new Set(["", machine.target, ...machine.library].flatMap((folder) => modulesIn(`lib/${folder}`)));
  const uses = [...modules].map((module) => `use ${module}\n`).join("");
  const spec = `suite "everything"\n${uses}test "matches" { expect "abc" matches "a*" }\n`;
  const readFile = (path: string): string | null => (path === PATH ? spec : library(path));
  const options = { machine, readFile, libDirectory: "lib/", language: await loadMachineLanguage(machine.target), parsed, checksLibrary: true as const };
  const target = await loadNativeTarget(machine.target);
  return target === null ? options : nativeOptions(target, options);
}

function descriptionOf(name: string): MachineDescription {
  const result = loadMachine(name);
  if (result?.ok !== true) throw new Error(`no machine ${name}`);
  return result.machine;
}

/** Of the package's machines, those that only run programs of others have no library of their own. */
function hasCompiler(name: string): boolean {
  const { target } = descriptionOf(name);
  return target === "bytecode" || hasNativeTarget(target);
}

/** Called by nothing but what lowering makes of `matches`. */
const MATCHES = "\nfn matches(text: []u8, pattern: []u8) -> bool { return no_such_name }\n";

describe("the whole library is checked", () => {
  for (const name of listMachines().filter((machine) => hasCompiler(machine))) {
    test(name, async () => {
      const { diagnostics, images } = compile([PATH], await optionsFor(name, readText));
      assert.deepEqual(
        diagnostics.map(({ code, message, labels: [{ span }] }) => `${span.source.path}: ${code} ${message}`),
        [],
      );
      assert.equal(images.length, 1);
    });
  }
});

describe("a mistake in a library function", () => {
  const withMistake = (path: string): string | null => {
    const text = readText(path);
    return path === "lib/pci.gspec" && text !== null ? `${text}\nfn nobody_calls_this() -> u32 { return no_such_name }\n` : text;
  };

  test("is found where the whole library is checked", async () => {
    const { diagnostics } = compile([PATH], { ...(await optionsFor("bytecode-virt", withMistake)), parsed: new Map() });
    assert.deepEqual(
      diagnostics.map(({ code }) => code),
      ["E0401"],
    );
  });

  test("is nothing to specs that do not need it", async () => {
    const { checksLibrary: _, ...options } = await optionsFor("bytecode-virt", withMistake);
    assert.deepEqual(compile([PATH], { ...options, parsed: new Map() }).diagnostics, []);
  });

  test("is told, not thrown, when only lowering needs it", async () => {
    const { checksLibrary: _, ...options } = await optionsFor("bytecode-virt", (path) => {
      const text = readText(path);
      return path === "lib/text.gspec" && text !== null ? text.replace("fn matches(", "fn matches_not(").concat(MATCHES) : text;
    });
    const { diagnostics, images } = compile([PATH], { ...options, parsed: new Map() });
    assert.equal(images.length, 0);
    assert.deepEqual(
      diagnostics.map(({ code }) => code),
      ["E0401"],
    );
  });
});
