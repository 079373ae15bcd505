// Exit codes: documented, stable, and an enumeration rather than a mask, because masks get read wrong.

export const EXIT = {
  ok: 0,
  testsFailed: 1,
  /** Options, arguments or a filter that make no sense. */
  usage: 2,
  /** Specs do not compile. */
  compile: 3,
  nothingSelected: 4,
  /** A test that `--require` promised was skipped. */
  promisedSkipped: 6,
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
  [EXIT.promisedSkipped, "a required test was skipped"],
  [EXIT.internal, "internal error"],
  [EXIT.environment, "the environment lacks something"],
  [EXIT.interrupted, "interrupted"],
];
