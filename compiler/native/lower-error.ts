// A target that cannot lower something yet. While a target is being written this is what compiling for it ends with: `compileNative`
// makes a diagnostic of it, at the place in the spec or in the guest library that needs the operation. A complete target raises none.

import type { Diagnostic } from "../../grammar/diagnostic.ts";
import { offsetOfLine, type Source } from "../../grammar/source.ts";
import { LIBRARY_PREFIX, type Module } from "../../isa/bytecode/module.ts";
import type { NativeTarget } from "./target.ts";

export interface LowerPlace {
  readonly function: string;
  /** Index into the module's locations, -1: none. */
  readonly location: number;
}

/** `operation` is a bytecode instruction, or a function of the `NativeTarget` record such as `prologue`. */
export class LowerError extends Error {
  override readonly name = "LowerError";
  readonly operation: string;
  readonly place: LowerPlace | null;

  constructor(operation: string, place: LowerPlace | null = null) {
    super(`not lowered: ${operation}`);
    this.operation = operation;
    this.place = place;
  }

  at(place: LowerPlace): LowerError {
    return this.place === null ? new LowerError(this.operation, place) : this;
  }
}

type NotLowered = () => never;

const unwritten = new WeakMap<object, string>();

/** For what a target has not got yet; it fits wherever a function of the target belongs. */
export function notLowered(operation: string): NotLowered {
  const raise: NotLowered = () => {
    throw new LowerError(operation);
  };
  unwritten.set(raise, operation);
  return raise;
}

/** The same for several instructions, as a table to replace one by one: what a new target begins with (tools/target-skeleton). */
export function allNotLowered<Operation extends string>(operations: readonly Operation[]): Readonly<Record<Operation, NotLowered>> {
  return Object.fromEntries(operations.map((operation) => [operation, notLowered(operation)])) as Record<Operation, NotLowered>;
}

/** What a target has not got yet, its own functions before instructions. */
export function missingOperations(target: NativeTarget): readonly string[] {
  const values: readonly unknown[] = [...Object.values(target), ...Object.values(target.lower)];
  return values.flatMap((value) => (typeof value === "function" ? (unwritten.get(value) ?? []) : []));
}

/** `readSource` takes a path as the module has it; null: there is no such text. */
export function describeLowerError(error: LowerError, module: Module, target: NativeTarget, readSource: (path: string) => string | null): Diagnostic {
  const location = module.locations[error.place?.location ?? -1] ?? module.locations[0];
  const path = module.files[location?.file ?? 0] ?? "";
  const source: Source = { path, text: readSource(path) ?? "" };
  const start = location === undefined ? 0 : offsetOfLine(source, location.line) + location.column - 1;
  const missing = missingOperations(target);
  return {
    code: "E0801",
    severity: "error",
    message: `not lowered: \`${error.operation}\` for ${target.name}`,
    labels: [{ span: { source, start, end: start + 1 }, text: `\`${error.place?.function ?? "?"}\` needs it` }],
    ...(missing.length > 1 ? { notes: [`${missing.length} operations are not lowered: ${missing.join(", ")}`] } : {}),
    help: `write it in compiler/targets/${target.name}`,
  };
}

/** Where `files` of a module are: the library's by its directory, with a trailing slash. */
export function libraryPath(path: string, libDirectory: string): string {
  return path.startsWith(LIBRARY_PREFIX) ? `${libDirectory}${path.slice(LIBRARY_PREFIX.length)}` : path;
}
