// Exit codes: documented, stable, and an enumeration rather than a mask, because masks get read wrong.

export const EXIT = {
  ok: 0,
  testsFailed: 1,
  /** Options, arguments or a filter that make no sense. */
  usage: 2,
  /** Specs do not compile. */
  compile: 3,
  nothingSelected: 4,
  /** With `--last-failed`: what ran is good, and tests that failed earlier were not among it. */
  outstanding: 5,
  /** A test that `--require` or `must-run` promised was skipped or is not there. */
  promisedSkipped: 6,
  /** All passed in the end, some not at once, and `--flaky fail` is on. */
  flaky: 7,
  internal: 70,
  /** The environment lacks something: a file cannot be read or written, Node is too old. */
  environment: 75,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** For `--help`. */
export const EXIT_CODES: readonly (readonly [ExitCode, string])[] = [
  [EXIT.ok, "all good"],
  [EXIT.testsFailed, "tests failed"],
  [EXIT.usage, "usage, or a bad filter"],
  [EXIT.compile, "specs do not compile"],
  [EXIT.nothingSelected, "nothing was selected"],
  [EXIT.outstanding, "good so far, but tests that failed earlier were not run again (--last-failed)"],
  [EXIT.promisedSkipped, "a required test was skipped (--require, --must-run)"],
  [EXIT.flaky, "flaky tests (--flaky fail)"],
  [EXIT.internal, "internal error"],
  [EXIT.environment, "the environment lacks something"],
  [EXIT.interrupted, "interrupted"],
];
