// docs/howto/test-a-device-of-your-qemu.md: its two files are a board that QEMU makes and specs that pass there, on every target that it names.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import Ajv from "ajv/dist/2020.js";
import { parse } from "yaml";
import { root } from "../../tools/project.mjs";
import { runTool } from "../cli/transcripts.ts";
import { needsTools } from "../images/outside-tools.ts";

const document = readFileSync(join(root, "docs/howto/test-a-device-of-your-qemu.md"), "utf8");
const folder = mkdtempSync(join(tmpdir(), "guestspec-device-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function fence(language: string): string {
  const text = new RegExp(`^ {3}\`\`\`${language}\\n([^]*?)^ {3}\`\`\``, "m").exec(document)?.[1] ?? "";
  return text.replaceAll(/^ {3}/gm, "");
}

const board = fence("yaml");
before(() => writeFileSync(join(folder, "xhci.gspec"), fence("gspec")));

test("the board is one that editors take", () => {
  const schema: unknown = JSON.parse(readFileSync(join(root, "schemas/machine.schema.json"), "utf8"));
  const validate = new Ajv.default({ allErrors: true }).compile(schema as object);
  assert.ok(validate(parse(board)), JSON.stringify(validate.errors));
  assert.equal(validate(parse(board.replace("extends: x86-q35\n", ""))), false);
});

for (const [target, machine] of [
  ["x86_64", "x86-q35"],
  ["riscv64", "riscv-virt"],
  ["aarch64", "arm64-virt"],
] as const)
  test(`the specs pass on ${target}`, needsTools(`qemu-system-${target}`), async () => {
    writeFileSync(join(folder, "board.yaml"), board.replace("x86-q35", machine));
    const args = ["run", "xhci.gspec", "--target", target, "--machine", "board.yaml", "--require", "pci(0x1b36:0xd)", "--record=never"];
    const { code, stdout, stderr } = await runTool(args, { cwd: folder });
    assert.deepEqual([code, stderr], [0, ""], stdout);
    assert.match(stdout, /2 passed, 0 failed, 0 skipped/);
  });

test("what a machine extends is part of what is kept of it", needsTools("qemu-system-x86_64"), async () => {
  writeFileSync(join(folder, "middle.yaml"), board.replace("my-board", "middle"));
  writeFileSync(join(folder, "board.yaml"), "machine: top\nextends: ./middle.yaml\nsummary: on top\n");
  const run = async () => (await runTool(["run", "xhci.gspec", "--target", "x86_64", "--machine", "board.yaml", "--record=never"], { cwd: folder })).stdout;
  assert.match(await run(), /2 passed, 0 failed, 0 skipped/);
  writeFileSync(join(folder, "middle.yaml"), board.replace("my-board", "middle").replace("provides: [pci(0x1b36:0x000d)]", "provides: []"));
  assert.match(await run(), /0 passed, 0 failed, 2 skipped/);
});
