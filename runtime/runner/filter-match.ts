// What a filter means for the tests at hand. A value that fits no test at all is taken for a slip and is an error with the nearest
// name, also below `not`: a filter with a typing mistake would otherwise select nothing, or everything, and look fine.
import { nearestName } from "../../grammar/nearest-name.ts";
import { SPEED_ORDER, STATUSES, type FilterError, type FilterExpr, type Predicate, type PredicateName } from "./filter.ts";

/** One case as filters see it. */
export interface FilterSubject {
  /** `file::suite::test[row]@target/engine` */
  readonly id: string;
  readonly file: string;
  readonly line: number;
  readonly endLine: number;
  readonly suite: string;
  readonly test: string;
  readonly row: string | null;
  /** Where the row stands; equal to `line` when it has no line of its own. */
  readonly rowLine: number;
  /** The file of the row, for rows of a table elsewhere; by default `file`. */
  readonly rowFile?: string;
  readonly tags: readonly string[];
  readonly target: string;
  readonly engine: string;
  readonly needs: readonly string[];
  readonly devices: readonly string[];
  readonly covers: readonly string[];
  /** By name, `speed` and `module` always among them. */
  readonly attributes?: Readonly<Record<string, string>>;
  /** Of `STATUSES`, from earlier runs. */
  readonly statuses?: readonly string[];
}

export type CompiledFilter = { readonly ok: true; readonly matches: (subject: FilterSubject) => boolean } | FilterError;

const VALUES: Readonly<Record<PredicateName, (subject: FilterSubject) => readonly string[]>> = {
  test: ({ test }) => [test],
  suite: ({ suite }) => [suite],
  file: ({ file }) => [file],
  tag: ({ tags }) => tags,
  target: ({ target }) => [target],
  engine: ({ engine }) => [engine],
  needs: ({ needs }) => needs,
  device: ({ devices }) => devices,
  covers: ({ covers }) => covers,
  attr: ({ attributes = {} }) => Object.entries(attributes).map(([name, value]) => `${name}=${value}`),
  row: ({ row }) => (row === null ? [] : [row]),
  id: ({ id }) => [id],
  status: ({ statuses }) => statuses ?? [],
};

function* predicatesOf(expr: FilterExpr): Generator<Predicate> {
  switch (expr.kind) {
    case "predicate":
      yield expr;
      return;
    case "constant":
      return;
    case "not":
      yield* predicatesOf(expr.operand);
      return;
    case "and":
    case "or":
    case "minus":
      yield* predicatesOf(expr.left);
      yield* predicatesOf(expr.right);
      return;
  }
}

function evaluate(expr: FilterExpr, subject: FilterSubject): boolean {
  switch (expr.kind) {
    case "predicate":
      return VALUES[expr.name](subject).some(expr.test);
    case "constant":
      return expr.value;
    case "not":
      return !evaluate(expr.operand, subject);
    case "and":
      return evaluate(expr.left, subject) && evaluate(expr.right, subject);
    case "or":
      return evaluate(expr.left, subject) || evaluate(expr.right, subject);
    case "minus":
      return evaluate(expr.left, subject) && !evaluate(expr.right, subject);
  }
}

/** Values that are known although no test may have them at the moment. */
const ALL_SPEEDS = SPEED_ORDER.map((speed) => `speed=${speed}`);

const LISTED_AT_MOST = 8;

function checkPredicate(predicate: Predicate, universe: readonly FilterSubject[]): FilterError | null {
  const { name, value, matcher, column, length } = predicate;
  const known = new Set<string>(name === "status" ? STATUSES : [...universe.flatMap(VALUES[name]), ...(name === "attr" ? ALL_SPEEDS : [])]);
  if ([...known].some(predicate.test)) return null;
  const nearest = matcher === "regexp" ? undefined : nearestName(value.replace(/[*?]/g, ""), known);
  const list = [...known].slice(0, LISTED_AT_MOST).join(", ");
  const help =
    nearest !== undefined
      ? `did you mean \`${nearest}\`?`
      : known.size === 0
        ? `no test has a value for \`${name}\``
        : `known: ${list}${known.size > LISTED_AT_MOST ? `, ... (${known.size} in all)` : ""}`;
  return { ok: false, message: `${name}(..) matches nothing: no test has it`, column, length, help };
}

/** `universe`: every test there is, before any filter. */
export function compileFilter(expr: FilterExpr, universe: readonly FilterSubject[]): CompiledFilter {
  if (universe.length > 0)
    for (const predicate of predicatesOf(expr)) {
      const error = checkPredicate(predicate, universe);
      if (error !== null) return error;
    }
  return { ok: true, matches: (subject) => evaluate(expr, subject) };
}
