// What others read in our ELF files: readelf must find nothing to complain about, objdump must name functions, and gdb must know
// source lines, function names and breakpoints, also of a running guest over QEMU's stub.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { writeNativeElf } from "../../compiler/images/native-elf.ts";
import { manifestText } from "../../compiler/images/identity.ts";
import { needsTools, runTool } from "./outside-tools.ts";
import { bootableTinyImage, TINY_FILES, TINY_MACHINES, tinyManifest, type TinyTarget } from "./tiny-image.ts";

const TARGETS = Object.keys(TINY_MACHINES) as TinyTarget[];

/** A folder with `tiny.elf` and the sources that it names. */
function makeFolder(context: TestContext, target: TinyTarget): string {
  const folder = mkdtempSync(join(tmpdir(), "guestspec-images-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const image = bootableTinyImage(target);
  writeFileSync(join(folder, "tiny.elf"), writeNativeElf(image, { manifest: manifestText(tinyManifest(target)), unit: "tiny.gspec" }));
  writeFileSync(join(folder, TINY_FILES[0]), Array.from({ length: 9 }, (_, index) => `// line ${index + 1}\n`).join(""));
  return folder;
}

for (const target of TARGETS) {
  test(`readelf reads the ${target} file without a warning`, needsTools("readelf"), (context) => {
    const cwd = makeFolder(context, target);
    const { status, stdout, stderr } = runTool("readelf", ["-aW", "tiny.elf"], { cwd });
    assert.equal(status, 0);
    assert.equal(stderr, "");
    assert.doesNotMatch(stdout, /warning|corrupt/i);
    assert.match(stdout, /LOAD +0x002000 0x0*[0-9a-f]+ 0x0*[0-9a-f]+ 0x001000 0x001000 R E 0x1000/);
    assert.match(stdout, /FUNC +GLOBAL DEFAULT +1 tiny\.say/);
    assert.match(stdout, /FUNC +GLOBAL DEFAULT +1 ends: \{it\}!/);
    assert.match(stdout, /OBJECT +GLOBAL DEFAULT +3 tiny\.data/);
    assert.match(stdout, /guestspec +0x00000020/);
    const debug = runTool("readelf", ["--debug-dump=info,abbrev,decodedline", "-W", "tiny.elf"], { cwd });
    assert.equal(debug.stderr, "");
    assert.match(debug.stdout, /DW_AT_name +: (\(string\) )?tiny\.say\n/);
    assert.match(debug.stdout, /tiny\.gspec +3 +0x[0-9a-f]+/);
  });

  test(`objdump lists the functions of the ${target} file`, needsTools(`${target}-linux-gnu-objdump`), (context) => {
    const cwd = makeFolder(context, target);
    const { stdout } = runTool(`${target}-linux-gnu-objdump`, ["-d", "tiny.elf"], { cwd });
    assert.match(stdout, /<tiny\.say>:\n/);
    assert.match(stdout, /<ends: \{it\}!>:\n/);
    assert.doesNotMatch(stdout, /\(bad\)|<ends_it_>/);
  });

  test(`gdb knows functions and lines of the ${target} file`, needsTools("gdb-multiarch"), (context) => {
    const cwd = makeFolder(context, target);
    const { stdout, stderr } = debug(cwd, [
      "break tiny.say",
      "break tiny_say",
      'break -function "ends: {it}!"',
      "break ends_it_",
      "break tiny.gspec:3",
      "list tiny.gspec:3",
      "info line ends_it_",
    ]);
    assert.equal(stderr, "");
    for (const number of [1, 2]) assert.match(stdout, new RegExp(`Breakpoint ${number} at 0x[0-9a-f]+: file guestspec/lib/tiny\\.gspec, line [78]\\.`));
    for (const number of [3, 4, 5]) assert.match(stdout, new RegExp(`Breakpoint ${number} at 0x[0-9a-f]+: file tiny\\.gspec, line 3\\.`));
    assert.match(stdout, /^3\t\/\/ line 3$/m);
  });

  test(`gdb stops a ${target} guest where it is told to`, needsTools("gdb-multiarch", `qemu-system-${target}`), (context) => {
    const cwd = makeFolder(context, target);
    const machine =
      target === "x86_64"
        ? "-M microvm -m 32 -device isa-debug-exit,iobase=0xf4"
        : target === "riscv64"
          ? "-M virt -bios none -m 32"
          : "-M virt -cpu cortex-a57 -m 32";
    // QEMU is gdb's child and speaks the protocol over its standard streams, so both end together.
    const qemu = `qemu-system-${target} ${machine} -nodefaults -no-user-config -display none -serial none -no-reboot -S -gdb stdio -kernel tiny.elf`;
    const { stdout } = debug(cwd, [`target remote | exec ${qemu}`, 'hbreak -function "ends: {it}!"', "continue", "info symbol $pc", "frame", "kill"]);
    assert.match(stdout, /Breakpoint 1, (0x[0-9a-f]+ in )?ends: \{it\}! \(\) at tiny\.gspec:3\n3\t\/\/ line 3/);
    assert.match(stdout, /^ends: \{it\}!( \+ \d+)? in section \.text/m);
  });
}

function debug(cwd: string, commands: readonly string[]): { readonly stdout: string; readonly stderr: string } {
  const args = ["set pagination off", "set confirm off", ...commands].flatMap((command) => ["-ex", command]);
  return runTool("gdb-multiarch", ["-nx", "-batch", ...args, "tiny.elf"], { cwd });
}
