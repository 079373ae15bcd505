// Which cases open and close a suite and its tables: the first one of those that run tells a failed set-up in full, behind the last
// one the teardown runs. Both the plan of a run and a machine that takes a part of it ask, each for the cases that it has.

export interface Edges {
  readonly opensSuite: boolean;
  readonly opensTable: boolean;
  readonly closesSuite: boolean;
  readonly closesTable: boolean;
}

/** `runnable`: the cases of one suite that will run, in order; `hooksOf`: the number of the table hooks round a case. */
export function findEdges<Case>(runnable: readonly Case[], hooksOf: (each: Case) => number | null): (each: Case) => Edges {
  const lastOfTable = new Map(runnable.map((each) => [hooksOf(each), each]));
  const firstOfTable = new Map(runnable.toReversed().map((each) => [hooksOf(each), each]));
  return (each) => {
    const hooks = hooksOf(each);
    return {
      opensSuite: each === runnable[0],
      opensTable: hooks !== null && each === firstOfTable.get(hooks),
      closesSuite: each === runnable.at(-1),
      closesTable: hooks !== null && each === lastOfTable.get(hooks),
    };
  };
}
