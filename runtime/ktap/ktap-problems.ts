// What a document does against its format, by name: docs/kunit.md explains each. A problem makes a strict reading fail, for a document that breaks
// its own rules may also have lost a result; `--lenient` tells of it and goes on.

export const KTAP_PROBLEMS = {
  "no-document": "there is no version line: nothing here is KTAP or TAP",
  "no-results": "the document has no result",
  "bad-version": "a version that is none of KTAP 1 and 2, TAP 13 and 14",
  "late-plan": "a plan behind results; KTAP has it before the first",
  "second-plan": "a second plan for one block",
  "missing-number": "a KTAP result without a number",
  "wrong-number": "a result out of turn",
  "extra-result": "more results than the plan says",
  "missing-name": "a result without a name",
  "missing-parent": "a block whose own result never came",
  "other-name": "a block that begins with one name and ends with another",
  "good-parent": "a group that passed though something in it failed",
  contradiction: "a result that passed and timed out, or passed in error",
  "bail-out": "the producer gave up",
  "executor-error": "KUnit's executor could not do what it was asked for",
} as const;

export type KtapProblemName = keyof typeof KTAP_PROBLEMS;

export interface KtapProblem {
  readonly name: KtapProblemName;
  /** Of the log, from 1. */
  readonly line: number;
  readonly message: string;
  /** Lines of the log that end with the one meant. */
  readonly context: readonly string[];
}
