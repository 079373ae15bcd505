// `guestspec build` and `show` for machine code, from a spec to QEMU and gdb: what is written boots in every form, tells its verdict by
// exit status and KTAP, and is known by its own lines and names.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { runTool } from "../cli/transcripts.ts";
import { needsTools, runTool as runOutside } from "./outside-tools.ts";

const SPEC = `suite "adds"

fn add(a: u32, b: u32) -> u32 {
  return a + b
}

test "small numbers" {
  expect add(1, 2) == 3
}

test "wraps" {
  expect add(u32.max, 1) == 0
}
`;

async function build(context: TestContext, ...args: readonly string[]): Promise<string> {
  return buildWith("shared", context, args);
}

async function buildWith(cache: "own" | "shared", context: TestContext, args: readonly string[] = []): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "guestspec-build-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "adds.gspec"), SPEC);
  writeFileSync(join(folder, "wrong.gspec"), SPEC.replace('"adds"', '"wrong"').replace("== 3", "== 4"));
  const { code, stderr } = await runTool(["build", ".", "-o", "out", ...(args.includes("--target") ? [] : ["--target", "riscv64"]), ...args], {
    cwd: folder,
    cache,
  });
  assert.equal(code, 0, stderr);
  assert.equal(stderr, "");
  return folder;
}

const VIRT = ["-M", "virt", "-m", "64", "-bios", "none", "-nodefaults", "-display", "none", "-serial", "stdio"];
const PASSED = `KTAP version 1
1..1
  KTAP version 1
  1..2
  ok 1 small numbers
  ok 2 wraps
ok 1 adds
`;

test("images and scripts run by themselves", needsTools("qemu-system-riscv64", "bash"), async (context) => {
  const cwd = await build(context, "--standalone");
  assert.deepEqual(runOutside("qemu-system-riscv64", [...VIRT, "-kernel", "out/adds.riscv64"], { cwd }), { status: 0, stdout: PASSED, stderr: "" });
  assert.deepEqual(runOutside("out/adds.riscv64.sh", [], { cwd }), { status: 0, stdout: PASSED, stderr: "" });
  const wrong = runOutside("out/wrong.riscv64.sh", [], { cwd });
  assert.equal(wrong.status, 1);
  assert.match(wrong.stdout, / {2}not ok 1 small numbers\n {2}ok 2 wraps\nnot ok 1 wrong\n$/);
  assert.equal((JSON.parse(readFileSync(join(cwd, "out/adds.riscv64.json"), "utf8")) as { target: string }).target, "riscv64");
});

test("a flat image boots as it is", needsTools("qemu-system-riscv64"), async (context) => {
  const cwd = await build(context, "--format", "flat");
  assert.ok(!existsSync(join(cwd, "out/adds.riscv64")));
  assert.deepEqual(runOutside("qemu-system-riscv64", [...VIRT, "-kernel", "out/adds.riscv64.bin"], { cwd }), { status: 0, stdout: PASSED, stderr: "" });
});

test("equal specs give equal files", async (context) => {
  const [first, second] = [await buildWith("own", context), await buildWith("own", context)];
  for (const name of ["adds.riscv64", "adds.riscv64.json"]) assert.deepEqual(readFileSync(join(first, "out", name)), readFileSync(join(second, "out", name)));
});

const BOARDS = {
  riscv64: VIRT.join(" ").replace("stdio", "none"),
  x86_64: "-M q35 -m 64 -bios qboot.rom -nodefaults -display none -serial none -device isa-debug-exit,iobase=0xf4",
  aarch64: "-M virt,gic-version=2 -cpu max -m 64 -nodefaults -display none -serial none -semihosting-config enable=on,target=native",
} as const;

/** Less than docs/native.md, 10, promises, so that what makes every image larger shows up here. */
const ONE_TEST = 30 * 1024;

for (const target of ["riscv64", "x86_64", "aarch64"] as const) {
  test(`what is loaded for a suite of one test is small: ${target}`, async (context) => {
    const cwd = mkdtempSync(join(tmpdir(), "guestspec-build-"));
    context.after(() => rmSync(cwd, { recursive: true, force: true }));
    writeFileSync(join(cwd, "one.gspec"), 'suite "one"\n\ntest "adds" { expect 1 as u32 + 1 == 2 }\n');
    const { code, stderr } = await runTool(["build", "one.gspec", "--target", target, "--format", "flat", "-o", "."], { cwd });
    assert.equal(code, 0, stderr);
    const { size } = statSync(join(cwd, `one.${target}.bin`));
    assert.ok(size <= ONE_TEST, `${size} bytes`);
  });
}

for (const target of ["riscv64", "x86_64", "aarch64"] as const) {
  test(
    `gdb stops at a function of the spec and knows who has called it, on ${target}`,
    needsTools("gdb-multiarch", `qemu-system-${target}`),
    async (context) => {
      const cwd = await build(context, "--format", "elf", "--target", target);
      const qemu = `qemu-system-${target} ${BOARDS[target]} -no-reboot -S -gdb stdio -kernel out/adds.${target}`;
      const commands = [
        "set pagination off",
        "set confirm off",
        "set remotetimeout 30",
        `target remote | exec ${qemu}`,
        "hbreak add",
        "continue",
        "backtrace",
        "kill",
      ];
      const { stdout } = runOutside("gdb-multiarch", ["-nx", "-batch", ...commands.flatMap((command) => ["-ex", command]), `out/adds.${target}`], { cwd });
      assert.match(stdout, /Breakpoint 1, add \(\) at adds\.gspec:4\n4\t {2}return a \+ b\n/);
      assert.match(stdout, /#1 .* in small numbers \(\) at adds\.gspec:8/);
      const callers = stdout.split("\n").flatMap((line) => /^#\d+ +(?:0x[0-9a-f]+ in )?(.*?) \(\)/.exec(line)?.[1] ?? []);
      assert.deepEqual(callers.slice(0, 5), ["add", "small numbers", "small numbers: case", "guest_guard", "runtime.guard"], stdout);
      // To the first function of the image, and then to the code that nobody has called.
      assert.deepEqual([callers.at(-3), callers.at(-2)], ["runtime.main", "platform.start"], stdout);
    },
  );
}

test("list tells what is in an image, and how to run it", { timeout: 180_000 }, async (context) => {
  const cwd = await build(context);
  const { code, stdout } = await runTool(["list", "out/adds.riscv64"], { cwd });
  assert.equal(code, 0);
  assert.equal(stdout, "adds.gspec::adds::small numbers  case=0\nadds.gspec::adds::wraps  case=1\n");
  const json = await runTool(["list", "--json", "out/adds.riscv64", "out/wrong.riscv64"], { cwd });
  const { tests } = JSON.parse(json.stdout) as { readonly tests: readonly { readonly image: string; readonly select: string; readonly line: number }[] };
  assert.deepEqual(
    tests.map(({ image, select, line }) => [image, select, line]),
    [
      ["out/adds.riscv64", "case=0", 7],
      ["out/adds.riscv64", "case=1", 11],
      ["out/wrong.riscv64", "case=0", 7],
      ["out/wrong.riscv64", "case=1", 11],
    ],
  );
  const mixed = await runTool(["list", "out/adds.riscv64", "adds.gspec"], { cwd });
  assert.equal(mixed.code, 2);
  assert.match(mixed.stderr, /`adds\.gspec` is no image file; images are listed apart from specs/);
});

test("show tells code, names and contents", { timeout: 180_000 }, async (context) => {
  const cwd = await build(context);
  const show = async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await runTool(["show", ...args], { cwd });
    assert.equal(code, 0, stderr);
    return stdout;
  };
  assert.match(
    await show("asm", "adds.gspec", "add", "--target", "riscv64"),
    /^[0-9a-f]{8} <add>:\n {2}; adds\.gspec:4 {2}return a \+ b\n {4}[0-9a-f]{8}: {2}[0-9a-f]{4} +c\.addw a0, a1\n/,
  );
  assert.match(await show("symbols", "adds.gspec", "--target", "riscv64"), /^[0-9a-f]{8} +[0-9a-f]+ {2}code {4}add$/m);
  assert.match(await show("image", "out/adds.riscv64"), /^target {2}riscv64\n[^]*adds\.gspec: adds {2}\(2 cases\)\n {4}small numbers\n {4}wraps\n$/);
});

test("what cannot be built or shown says why", { timeout: 180_000 }, async (context) => {
  const cwd = await build(context, "--format", "flat");
  for (const [args, message] of [
    [["build", "adds.gspec", "--target", "vax"], /images for `vax` cannot be made\n.*targets: bytecode, riscv64/],
    [["build", "adds.gspec", "--target", "riscv64", "--machine", "x86-q35"], /x86-q35 is a machine for x86_64, not for riscv64/],
    [["build", "adds.gspec", "--standalone"], /`--standalone` is for images of native targets/],
    [["show", "asm", "adds.gspec"], /images for bytecode-virt are bytecode\n.*--target/],
    [["show", "asm", "adds.gspec", "ad", "-t", "riscv64"], /the image has no function `ad`\n.*did you mean `add`\?/],
    [["show", "plan", "adds.gspec", "add"], /a function is named for bytecode and asm only/],
    [["show", "image", "out/adds.riscv64.bin"], /cannot be shown: it is no ELF file; flat images carry no manifest/],
  ] as const) {
    const { code, stderr } = await runTool(args, { cwd });
    assert.equal(code, 2, stderr);
    assert.match(stderr, message);
  }
});
