// Commands and options as other tools have them (cargo and nextest, vitest and jest, pytest, go test, kunit.py), and what is meant
// here. They are no names of ours: who writes one gets an error as for any other unknown name, and this as its help.

/** By the word; the help as a sentence behind `= help:`. */
const FOREIGN_COMMANDS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    test: "tests are run by `guestspec run`",
    tests: "tests are run by `guestspec run`, listed by `guestspec list`",
    bench: "what tests take is told by `guestspec run --reporter trace=FILE`",
    clean: "what is cached lies in $XDG_CACHE_HOME/guestspec; `--no-cache` does without",
    coverage: "coverage is measured by `guestspec run --coverage`",
    debug: "`guestspec build --target riscv64` makes an image, which waits for gdb by `guestspec exec IMAGE --gdb PORT`",
    diff: "targets and engines are compared by `guestspec run --target all --compare`",
    docs: "the language is told by docs/language.md beside this program, a diagnostic by `guestspec explain CODE`",
    doc: "the language is told by docs/language.md beside this program, a diagnostic by `guestspec explain CODE`",
    format: "files are formatted by `guestspec fmt`",
    history: "what is kept of earlier runs is told again by `guestspec replay`",
    init: 'nothing has to be set up: a file NAME.gspec that begins with `suite "NAME"` is a spec',
    new: 'nothing has to be set up: a file NAME.gspec that begins with `suite "NAME"` is a spec',
    create: 'nothing has to be set up: a file NAME.gspec that begins with `suite "NAME"` is a spec',
    lint: "mistakes and warnings are told by `guestspec check`",
    ls: "tests are listed by `guestspec list`",
    "list-tests": "tests are listed by `guestspec list`",
    machines: "machines are listed by `guestspec targets`",
    rerun: "what failed runs again by `guestspec run --last-failed`",
    watch: "files are watched by `guestspec run --watch`",
  }),
);

/** By the name without its dashes. */
const FOREIGN_OPTIONS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    bail: "the run stops at the first failed test by `--fail-fast`",
    "max-fail": "the run stops after N failed tests by `--fail-fast=N`",
    maxfail: "the run stops after N failed tests by `--fail-fast=N`",
    x: "the run stops at the first failed test by `--fail-fast`",
    color: "colours follow the variables NO_COLOR and FORCE_COLOR",
    colour: "colours follow the variables NO_COLOR and FORCE_COLOR",
    "no-color": "colours are switched off by the variable NO_COLOR=1",
    c: "options of a project stand in guestspec.yaml of the working directory",
    config: "options of a project stand in guestspec.yaml of the working directory",
    "dry-run": "`guestspec list` tells what would run",
    "collect-only": "`guestspec list` tells what would run",
    list: "`guestspec list` tells what would run",
    list_tests: "`guestspec list` tells what would run",
    "no-run": "`guestspec check` compiles and runs nothing",
    exclude: "tests are left out by a filter, such as -E '!test(WORD)'",
    k: "tests are selected by words of their ids, or by -E",
    grep: "tests are selected by words of their ids, or by -E",
    name: "tests are selected by words of their ids, or by -E",
    "test-name-pattern": "tests are selected by words of their ids, or by -E",
    format: "forms of results are chosen by `--reporter NAME[=FILE]`",
    json: "results as JSON are written by `--reporter ndjson`, or `ctrf` as one document",
    junit: "JUnit's XML is written by `--reporter junit=FILE`",
    output: "forms of results are chosen by `--reporter NAME[=FILE]`",
    o: "forms of results are chosen by `--reporter NAME[=FILE]`",
    nocapture: "what guests print is shown by `--reporter raw`",
    "no-capture": "what guests print is shown by `--reporter raw`",
    s: "what guests print is shown by `--reporter raw`",
    q: "less is told by `--failed` and `--summary`",
    quiet: "less is told by `--failed` and `--summary`",
    silent: "less is told by `--failed` and `--summary`",
    "run-ignored": "marks of `skip` and `xfail` stand in the spec",
    ignored: "marks of `skip` and `xfail` stand in the spec",
    since: "tests of changed files run by `--only-changed[=REF]`",
    "test-threads": "the number of workers is `--jobs N`",
    workers: "the number of workers is `--jobs N`",
    "test-timeout": "the limit of a test is `--timeout DURATION`, of the run `--run-timeout DURATION`",
    sequence: "tests are shuffled by `--shuffle`, and `--seed N` repeats that",
    "random-order": "tests are shuffled by `--shuffle`, and `--seed N` repeats that",
    rerun: "tests run again by `--repeat N`, those that failed by `--retries N`",
    reruns: "tests that failed run again by `--retries N`",
    count: "tests run several times by `--repeat N`",
  }),
);

export const foreignCommand = (word: string): string | null => FOREIGN_COMMANDS.get(word.toLowerCase()) ?? null;
export const foreignOption = (name: string): string | null => FOREIGN_OPTIONS.get(name) ?? null;
