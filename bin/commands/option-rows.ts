// Options that more than one command takes, `run`'s above all, as rows of bin/options.ts: parsing, `--help`, completions and `config show`
// come from them. They stand apart from the table of commands, which loads what runs, so that whoever reads a run's options (profiles,
// records, quarantine) can name them without the commands.

import type { OptionRow } from "../options.ts";

export const FILTER: OptionRow = {
  name: "filter",
  short: "E",
  value: "EXPR",
  multiple: true,
  help: "select by a filter expression, such as 'tag(slow) - device(edu)'",
};
export const FILTER_ACTION: OptionRow = {
  name: "filter-action",
  value: "WHAT",
  choices: ["drop", "skip"],
  help: "what -E leaves out is dropped (default), or stays in the results as skipped",
};
export const MACHINE: OptionRow = { name: "machine", value: "NAME", env: "GUESTSPEC_MACHINE", help: "machine to run on (default bytecode-virt)" };
export const TARGET: OptionRow = { name: "target", short: "t", value: "NAME", help: "instruction set: bytecode, x86_64, riscv64, aarch64" };
export const TARGETS: OptionRow = {
  ...TARGET,
  value: "NAME[,NAME]",
  multiple: true,
  help: "instruction sets: bytecode (default), x86_64, riscv64, aarch64, all",
};
export const ENGINE: OptionRow = {
  name: "engine",
  value: "NAME",
  help: "what makes the machines: embedded where it can, else qemu (auto, the default), all, or one of guestspec.yaml's `engines`",
};
export const QEMU: OptionRow = { name: "qemu", value: "BINARY", help: "instead of what QEMU_<target> names or qemu-system-<target>" };
export const PROFILE: OptionRow = {
  name: "profile",
  value: "NAME",
  env: "GUESTSPEC_PROFILE",
  help: "options of this profile of guestspec.yaml; those given go first",
};
export const NO_CACHE: OptionRow = { name: "no-cache", help: "compile anew, and keep nothing" };
export const JSON_OUTPUT: OptionRow = { name: "json", help: "write JSON" };

export const REPORTER: OptionRow = {
  name: "reporter",
  short: "r",
  value: "NAME[=FILE]",
  multiple: true,
  help: "human, tui, ktap, ktap-kernel, ktap2, tap14, tap13, raw, junit, lcov, ctrf, ndjson, html, trace, github; to standard output or a file",
};
/** Less than all, of the human reporter. */
export const SHOW: readonly OptionRow[] = [
  { name: "failed", help: "tell only of tests that failed, and the summary" },
  { name: "summary", help: "tell only the summary" },
];
export const VERBOSE: OptionRow = { name: "verbose", short: "v", help: "a line for each test, failures in full" };
/** Options that leave a part of what is selected. */
export const NARROWING: readonly OptionRow[] = [
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
  { name: "run-timeout", value: "DURATION", isDuration: true, help: "wall time of the whole run; then it is interrupted, with exit status 130" },
  { name: "timeout", value: "DURATION", isDuration: true, help: "guest time limit of tests without @timeout (default 10s)" },
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
  {
    name: "hang-after",
    value: "DURATION",
    isDuration: true,
    help: "QEMU: wall time without an answer after which a test has hung (default 20s, more for a longer @timeout)",
  },
  { ...PROFILE, heading: "options of a project, and caches" },
  { name: "reuse", help: "take good results of tests that nothing has changed for from earlier runs, marked `cached` (never in CI)" },
  NO_CACHE,
];
