// Every file format on every loader of QEMU 7.2 that a machine of ours uses: the guest says one letter, which tells what has started
// it, and ends the machine. This is the evidence for what compiler/images writes where documents leave room.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { writeNativeElf } from "../../compiler/images/native-elf.ts";
import { manifestText } from "../../compiler/images/identity.ts";
import { needsTools, runTool } from "./outside-tools.ts";
import { bootableTinyImage, tinyManifest, type TinyTarget } from "./tiny-image.ts";

type Format = "elf" | "flat";

interface BootCase {
  readonly target: TinyTarget;
  readonly format: Format;
  readonly machine: string;
  /** What the guest says: M by Multiboot, P by PVH, otherwise the machine's letter. */
  readonly says: string;
}

const CASES: readonly BootCase[] = [
  { target: "x86_64", format: "elf", machine: "-M q35", says: "P" },
  { target: "x86_64", format: "elf", machine: "-M pc", says: "P" },
  { target: "x86_64", format: "elf", machine: "-M q35 -bios qboot.rom", says: "P" },
  { target: "x86_64", format: "elf", machine: "-M microvm", says: "P" },
  { target: "x86_64", format: "flat", machine: "-M q35", says: "M" },
  { target: "x86_64", format: "flat", machine: "-M microvm", says: "M" },
  { target: "riscv64", format: "elf", machine: "-M virt -bios none", says: "R" },
  { target: "riscv64", format: "flat", machine: "-M virt -bios none", says: "R" },
  { target: "aarch64", format: "elf", machine: "-M virt -cpu cortex-a57", says: "A" },
  { target: "aarch64", format: "flat", machine: "-M virt -cpu cortex-a57", says: "A" },
];

/** By QEMU's exit status: isa-debug-exit gives 2n + 1. */
const GOOD: Readonly<Record<TinyTarget, number>> = { x86_64: 1, riscv64: 0, aarch64: 0 };

function writeImage(context: TestContext, target: TinyTarget, format: Format, size: number): string {
  const folder = mkdtempSync(join(tmpdir(), "guestspec-boot-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const image = bootableTinyImage(target, { size });
  const path = join(folder, "image");
  writeFileSync(path, format === "flat" ? image.bytes : writeNativeElf(image, { manifest: manifestText(tinyManifest(target)), unit: "tiny.gspec" }));
  return path;
}

for (const { target, format, machine, says } of CASES) {
  test(`${target} ${format} boots with ${machine}`, needsTools(`qemu-system-${target}`), (context) => {
    // Several pages, so that the end of the file is seen to be loaded no less than its start.
    const path = writeImage(context, target, format, 0x8000);
    const exit = target === "x86_64" ? ["-device", "isa-debug-exit,iobase=0xf4,iosize=4"] : [];
    const common = ["-m", "64", "-display", "none", "-nodefaults", "-no-user-config", "-no-reboot", "-serial", "stdio"];
    const { status, stdout, stderr } = runTool(`qemu-system-${target}`, [...machine.split(" "), ...common, ...exit, "-kernel", path]);
    assert.equal(stderr, "");
    // Firmware may have cleared the screen before.
    assert.equal(stdout.at(-1), says);
    assert.equal(status, GOOD[target]);
  });
}
