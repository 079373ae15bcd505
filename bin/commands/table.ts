// The commands: one row each, from which come dispatch, help and validation. Rows are data. `run` comes with them, because each file
// that a run has to load costs it a millisecond; the others are loaded when called.

import type { Io } from "../io.ts";
import type { ExitCode } from "../exit-codes.ts";
import type { OptionRow, ParsedOptions } from "../options.ts";
import { run } from "./run.ts";

export interface CommandModule {
  readonly run: (options: ParsedOptions, io: Io) => Promise<ExitCode>;
}

export interface CommandRow {
  readonly name: string;
  readonly summary: string;
  /** Behind the command's name in its usage line. */
  readonly usage: string;
  /** Positional arguments it takes: [least, most]. */
  readonly positionals: readonly [number, number];
  readonly options: readonly OptionRow[];
  /** Paragraphs below the options. */
  readonly notes?: readonly string[];
  readonly load: () => Promise<CommandModule>;
}

const MANY = Number.POSITIVE_INFINITY;

const FILTER: OptionRow = {
  name: "filter",
  short: "E",
  value: "EXPR",
  multiple: true,
  help: "select by a filter expression, such as 'tag(slow) - device(edu)'",
};
const FILTER_ACTION: OptionRow = {
  name: "filter-action",
  value: "WHAT",
  choices: ["drop", "skip"],
  help: "what -E leaves out is dropped (default), or stays in the results as skipped",
};
const MACHINE: OptionRow = { name: "machine", value: "NAME", env: "GUESTSPEC_MACHINE", help: "machine to run on (default bytecode-virt)" };
const TARGET: OptionRow = { name: "target", short: "t", value: "NAME", help: "instruction set: bytecode, x86_64, riscv64, aarch64" };
const TARGETS: OptionRow = { ...TARGET, value: "NAME[,NAME]", multiple: true, help: "instruction sets: bytecode (default), x86_64, riscv64, aarch64, all" };
const ENGINE: OptionRow = {
  name: "engine",
  value: "NAME",
  help: "what makes the machines: embedded where it can, else qemu (auto, the default), all, or one of guestspec.yaml's `engines`",
};
const QEMU: OptionRow = { name: "qemu", value: "BINARY", help: "instead of what QEMU_<target> names or qemu-system-<target>" };
const PROFILE: OptionRow = {
  name: "profile",
  value: "NAME",
  env: "GUESTSPEC_PROFILE",
  help: "options of this profile of guestspec.yaml; those given go first",
};
const NO_CACHE: OptionRow = { name: "no-cache", help: "compile anew, and keep nothing" };
const JSON_OUTPUT: OptionRow = { name: "json", help: "write JSON" };

const SELECTION = [
  "WHAT is a place - a file, a folder, FILE:LINE (the test or row there), an id - a word that is part of ids, or a name by " +
    "wildcards, SUITE.TEST[ROW]: 'eeprom*', 'eeprom*.writes*', '*.*[wraps]'. Places add up, and so do words; words select within " +
    "the places, or else among all specs below the working directory. -E filters what they select.",
];

const REPORTER: OptionRow = {
  name: "reporter",
  short: "r",
  value: "NAME[=FILE]",
  multiple: true,
  help: "human, tui, ktap, ktap-kernel, ktap2, tap14, tap13, raw, junit, lcov, ctrf, ndjson, html, trace, github; to standard output or a file",
};
/** Less than all, of the human reporter. */
const SHOW: readonly OptionRow[] = [
  { name: "failed", help: "tell only of tests that failed, and the summary" },
  { name: "summary", help: "tell only the summary" },
];
const VERBOSE: OptionRow = { name: "verbose", short: "v", help: "a line for each test, failures in full" };
/** Options that leave a part of what is selected. */
const NARROWING: readonly OptionRow[] = [
  { name: "last-failed", help: "only what failed or did not run last time, and what is new; exit status 5 while others remain" },
  { name: "only-changed", value: "REF", implied: "HEAD", help: "only what is made of files that differ from a commit of git (default HEAD)" },
  { name: "shard", value: "PART", help: "a part of it: slice:1/4 (even) or hash:1/4 (a test stays where it is); `merge` puts results together" },
];

export const RUN_OPTIONS: readonly OptionRow[] = [
  { ...FILTER, heading: "what runs" },
  FILTER_ACTION,
  ...NARROWING,
  { name: "quarantine", value: "FILE", help: "skip the tests in FILE, each with its reason (default: `quarantine` of guestspec.yaml; none: no file)" },
  { name: "quarantine-verify", help: "run only what is in quarantine, and fail if some of it passes" },
  { ...REPORTER, heading: "what is told" },
  VERBOSE,
  ...SHOW,
  {
    name: "coverage",
    value: "MIN",
    implied: "lines:0",
    help: "measure what is executed of the specs on the embedded machine; less than MIN, such as lines:90,branches:80, is exit status 1",
  },
  { name: "with-ktap", value: "FILE", multiple: true, help: "results of another tool, a log with KTAP or TAP, as suites of this run" },
  { name: "lenient", help: "with-ktap: what a log does against its format is told and does not fail" },
  {
    name: "record",
    value: "WHEN",
    implied: "always",
    choices: ["failed", "always", "never"],
    help: "keep the run for `replay` (default: when it is not green)",
  },
  { name: "seed", heading: "order and repetition", value: "N", env: "GUESTSPEC_SEED", help: "seed of the run, a 64-bit number or `random` (default 0)" },
  { name: "shuffle", help: "shuffle suites, tests and rows by the seed; without --seed a random one is drawn" },
  { name: "failed-first", help: "run what failed last before everything else" },
  { name: "longest-first", help: "let workers begin with the suites that took longest before; results are told in their usual order" },
  { name: "times", value: "FILE", help: "longest-first by the times in FILE, which is written anew after the run" },
  { name: "repeat", value: "N", help: "run every test N times with one seed; a result that differs is `nondeterministic`, on QEMU `flaky`" },
  { name: "until-fail", help: "run again and again, each time with the next seed, until a test fails; with --repeat at most N times" },
  { name: "retries", value: "N", help: "run failed tests up to N more times, but not on the embedded engine, which would only repeat itself" },
  { name: "watch", short: "w", help: "run again what a change of files touches, until q or ^C; on a terminal enter runs all, f what failed" },
  { name: "fail-fast", heading: "when it ends, and how", value: "N", implied: "1", help: "stop after the first failed test, or after N" },
  { name: "run-timeout", value: "DURATION", help: "wall time of the whole run; then it is interrupted, with exit status 130" },
  { name: "timeout", value: "DURATION", help: "guest time limit of tests without @timeout (default 10s)" },
  { name: "max-instructions", value: "N", help: "instruction limit of every test (default 20,000,000, more for a longer @timeout)" },
  { name: "flaky", value: "HOW", choices: ["pass", "fail"], help: "whether a test that passed in the end is good enough (default pass; with --repeat fail)" },
  { name: "require", value: "CAP", multiple: true, env: "GUESTSPEC_REQUIRE", help: "exit with 6 if a test that needs CAP is skipped; `all`: if any test is" },
  { name: "must-run", help: "exit with 6 if a test that `must-run` of guestspec.yaml promises did not run where it should" },
  { name: "compare", help: "tell where targets and engines disagree; a difference is exit status 1" },
  { ...TARGETS, heading: "where it runs" },
  ENGINE,
  MACHINE,
  { name: "executor", value: "NAME", choices: ["auto", "interpreter", "wasm"], help: "how guest code is executed; results are the same" },
  { name: "jobs", short: "j", value: "N", env: "GUESTSPEC_JOBS", help: "at most N worker threads; 1 runs all in one (default: the number of CPUs)" },
  { ...QEMU, heading: "QEMU" },
  { name: "qemu-arg", value: "ARG", multiple: true, help: "one more argument for QEMU" },
  { name: "append", value: "WORDS", multiple: true, help: "QEMU: more words of the guest's command line, which `args.text` and `args.number` read" },
  { name: "accel", value: "NAME", choices: ["tcg", "kvm", "hvf"], help: "QEMU: what runs the guest's code (default tcg, which counts its instructions)" },
  {
    name: "isolate",
    value: "HOW",
    choices: ["test", "suite", "none"],
    help: "QEMU: a machine for each test, memory as new for each suite (default), or neither",
  },
  { name: "hang-after", value: "DURATION", help: "QEMU: wall time without an answer after which a test has hung (default 20s, more for a longer @timeout)" },
  { ...PROFILE, heading: "options of a project, and caches" },
  { name: "reuse", help: "take good results of tests that nothing has changed for from earlier runs, marked `cached` (never in CI)" },
  NO_CACHE,
];

export const COMMANDS: readonly CommandRow[] = [
  {
    name: "run",
    summary: "run tests (the default: `guestspec specs` runs specs)",
    usage: "[WHAT...]",
    positionals: [0, MANY],
    options: RUN_OPTIONS,
    notes: [
      ...SELECTION,
      "The default reporter is tui on a terminal, human elsewhere and in CI, also when others write to files. The seed decides interleavings of CPUs and what " +
        "guests draw at random: with one seed every run is the same, and the line that reproduces a failure carries it.",
    ],
    load: () => Promise.resolve({ run }),
  },
  {
    name: "replay",
    summary: "tell a run of the past again, or run its failures again",
    usage: "[RUN | FILE]",
    positionals: [0, 1],
    options: [
      REPORTER,
      VERBOSE,
      ...SHOW,
      { name: "again", help: "run what failed again, with the run's options and seed, and compare" },
      { name: "list", help: "list the runs that are kept" },
      { name: "path", help: "print the run's folder: what a report of a bug needs is in it" },
    ],
    notes: [
      "RUN is the id of a kept run or its beginning, or the path of a run's folder; by default the last one. FILE holds events as " +
        "`--reporter ndjson` writes them. Runs that were not green are kept, the last ten of each folder; others with --record=always.",
    ],
    load: () => import("./replay.ts"),
  },
  {
    name: "merge",
    summary: "report several recorded runs as one: shards, or a run and the runs of its failures",
    usage: "FILE...",
    positionals: [1, MANY],
    options: [REPORTER, VERBOSE, ...SHOW, { name: "partial", help: "report although shards are missing; exit status 1 at best" }],
    notes: ["FILE is what `guestspec run --reporter ndjson=FILE` has written. Of a test that several files have, the last one counts."],
    load: () => import("./merge.ts"),
  },
  {
    name: "list",
    summary: "list tests without running them",
    usage: "[WHAT... | IMAGE...]",
    positionals: [0, MANY],
    options: [
      FILTER,
      FILTER_ACTION,
      ...NARROWING,
      PROFILE,
      { name: "attributes", help: "below each test its attributes, tags and needs, a line each" },
      JSON_OUTPUT,
      TARGETS,
      ENGINE,
      QEMU,
      MACHINE,
      NO_CACHE,
    ],
    notes: [...SELECTION, "Of an ELF image, what is in it, with the word of the guest's command line that selects it."],
    load: () => import("./list.ts"),
  },
  {
    name: "parse",
    summary: "report a log that holds KTAP or TAP, such as a kernel's console",
    usage: "[FILE]",
    positionals: [0, 1],
    options: [REPORTER, VERBOSE, ...SHOW, { name: "lenient", help: "what a document does against its format is told and does not fail" }],
    notes: [
      "Reads FILE, or standard input without one or for `-`: KTAP 1 and 2, TAP 13 and 14, among anything else that a console " +
        "prints and behind printk's prefixes. What a plan announced and the log does not hold has failed. docs/kunit.md tells more.",
    ],
    load: () => import("./parse.ts"),
  },
  {
    name: "why",
    summary: "tell how a test was reached: selection, needs, limits, seed",
    usage: "TEST...",
    positionals: [1, MANY],
    options: [
      FILTER,
      ...RUN_OPTIONS.filter(({ name }) =>
        ["seed", "timeout", "max-instructions", "require", "target", "engine", "qemu", "machine", "profile", "no-cache"].includes(name),
      ),
    ],
    load: () => import("./why.ts"),
  },
  {
    name: "check",
    summary: "check specs without running them",
    usage: "[PATH...]",
    positionals: [0, MANY],
    options: [MACHINE, { ...JSON_OUTPUT, help: "write the diagnostics as JSON, for editors" }],
    load: () => import("./check.ts"),
  },
  {
    name: "build",
    summary: "write images that boot by themselves, with their manifests",
    usage: "[PATH...]",
    positionals: [0, MANY],
    options: [
      { name: "output", short: "o", value: "DIR", help: "folder to write to (default build)" },
      { ...TARGET, value: "NAME[,NAME]", multiple: true },
      MACHINE,
      { name: "format", value: "NAME", choices: ["elf", "flat", "disk"], help: "of native images (default: what the machine's loader takes)" },
      { name: "standalone", help: "write scripts as well, which hold their image and need only QEMU" },
      NO_CACHE,
    ],
    notes: [
      "For specs/pci.gspec this writes DIR/specs/pci.bytecode.gbc and DIR/specs/pci.bytecode.json; of a native target the image " +
        "DIR/specs/pci.riscv64 (flat: pci.riscv64.bin), its manifest DIR/specs/pci.riscv64.json, and the script pci.riscv64.sh.",
    ],
    load: () => import("./build.ts"),
  },
  {
    name: "exec",
    summary: "boot a program on an embedded machine, its console on the terminal",
    usage: "IMAGE | --restore FILE",
    positionals: [0, 1],
    options: [
      {
        name: "machine",
        value: "NAME",
        help: "riscv-virt (machine mode, the default), riscv-virt-sbi (supervisor mode, firmware built in), riscv32-virt or riscv32-virt-sbi",
      },
      { name: "firmware", value: "FILE", help: "runs first, in machine mode, and starts IMAGE: OpenSBI and the like" },
      { name: "append", value: "TEXT", help: "command line for the guest, in its device tree" },
      { name: "initrd", value: "FILE", help: "initial RAM disk" },
      { name: "disk", value: "FILE[,ro|,save]", multiple: true, help: "a virtio disk; what the guest writes is kept in FILE with ,save only" },
      { name: "cpus", value: "N", help: "CPUs of the machine" },
      { name: "seed", value: "N", help: "of the interleaving of CPUs and of what the guest draws at random (default 0)" },
      { name: "until", value: "N", help: "stop after N instructions and tell where the CPUs are" },
      { name: "break", value: "PLACE", multiple: true, help: "stop in front of an address or a symbol and tell where the CPUs are" },
      { name: "snapshot", value: "FILE", help: "when the run stops before the guest ends, write the whole machine there" },
      { name: "restore", value: "FILE", help: "go on from a snapshot instead of booting an image; --until counts from there" },
      { name: "trace", value: "FILE", implied: "-", help: "write every instruction (default: to standard error)" },
      { name: "gdb", value: "PORT", help: "wait for a debugger on that port of this computer (0: one that is free)" },
      { name: "virtual-time", help: "as fast as it goes: waiting takes no time (default unless standard input is a terminal)" },
      { name: "wall-time", help: "guest time does not run ahead of the clock on the wall" },
    ],
    notes: [
      "IMAGE is an ELF file, a Linux kernel with its boot header, or raw bytes, for RISC-V of 64 or 32 bits, as the machine is. Bytes from standard input " +
        "go to the guest's console. With one seed and the same input every run is the same, to the instruction, in virtual time.",
      "Exit code 0: the guest switched off, or was stopped as asked; 1: it ended with an error, or waits for nothing.",
    ],
    load: () => import("./exec.ts"),
  },
  {
    name: "fmt",
    summary: "format .gspec files in place",
    usage: "[PATH...]",
    positionals: [0, MANY],
    options: [{ name: "check", help: "change nothing; exit with 1 if a file is not formatted" }],
    load: () => import("./fmt.ts"),
  },
  {
    name: "show",
    summary: "print a stage of the compiler, or what is in an image",
    usage: "STAGE FILE [FUNCTION]",
    positionals: [2, 3],
    options: [
      { name: "output", short: "o", value: "FILE", help: "write there; wasm is then binary" },
      { name: "function", short: "f", value: "NAME", help: "bytecode, asm: of one function only" },
      TARGET,
      MACHINE,
      NO_CACHE,
    ],
    notes: [
      "STAGE is ast, plan, bytecode or wasm; of a native target asm (machine code with the lines that it comes from) or symbols; " +
        "or image, for a file that `guestspec build` has made.",
    ],
    load: () => import("./show.ts"),
  },
  {
    name: "explain",
    summary: "explain a diagnostic by its code, such as E0401",
    usage: "[CODE]",
    positionals: [0, 1],
    options: [],
    notes: ["Without CODE all codes are listed."],
    load: () => import("./explain.ts"),
  },
  {
    name: "targets",
    summary: "list targets, machines and engines",
    usage: "",
    positionals: [0, 0],
    options: [JSON_OUTPUT],
    load: () => import("./targets.ts"),
  },
  {
    name: "devices",
    summary: "list device models, and where a machine has them",
    usage: "",
    positionals: [0, 0],
    options: [MACHINE, JSON_OUTPUT],
    load: () => import("./devices.ts"),
  },
  {
    name: "config",
    summary: "show the options that a run would have, and where each comes from",
    usage: "show",
    positionals: [1, 1],
    options: [...RUN_OPTIONS, JSON_OUTPUT],
    notes: ["The command line goes first, then the environment, the profile of --profile, the profile `default`, and what is built in."],
    load: () => import("./config.ts"),
  },
  {
    name: "completions",
    summary: "print the script that makes a shell complete commands and options",
    usage: "bash|zsh|fish",
    positionals: [1, 1],
    options: [],
    notes: ['For this shell: eval "$(guestspec completions bash)"; the script says where to keep it for others.'],
    load: () => import("./completions.ts"),
  },
  {
    name: "doctor",
    summary: "tell what this installation has and lacks",
    usage: "",
    positionals: [0, 0],
    options: [],
    load: () => import("./doctor.ts"),
  },
];
