// The commands: one row each, from which come dispatch, help and validation. Rows are data; options that several commands take are in
// option-rows.ts. `run` comes with them, because each file that a run has to load costs it a millisecond; the others are loaded when called.

import type { Io } from "../io.ts";
import type { CommandError } from "../errors.ts";
import type { ExitCode } from "../exit-codes.ts";
import type { OptionRow, ParsedOptions } from "../options.ts";
import {
  ENGINE,
  FILTER,
  FILTER_ACTION,
  JSON_OUTPUT,
  MACHINE,
  NARROWING,
  NO_CACHE,
  PROFILE,
  QEMU,
  REPORTER,
  RUN_OPTIONS,
  SHOW,
  TARGET,
  TARGETS,
  VERBOSE,
} from "./option-rows.ts";
import { run, tellMistake } from "./run.ts";

export interface CommandModule {
  readonly run: (options: ParsedOptions, io: Io) => Promise<ExitCode>;
  /** For a command whose reports tell also why there is nothing to report: a mistake in what it was given. */
  readonly tellMistake?: (mistake: CommandError, options: ParsedOptions, io: Io) => Promise<void>;
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

const SELECTION = [
  "WHAT is a place - a file, a folder, FILE:LINE (the test or row there), an id - a word that is part of ids, or a name by " +
    "wildcards, SUITE.TEST[ROW]: 'eeprom*', 'eeprom*.writes*', '*.*[wraps]'. Places add up, and so do words; words select within " +
    "the places, or else among all specs below the working directory. -E filters what they select.",
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
    load: () => Promise.resolve({ run, tellMistake }),
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
