// What declarations mean, worked out when it is first asked for, so that order in a file does not matter and a cycle is found where
// it closes: signatures of functions, values of constants, first values of variables. Tables do so in tables.ts.

import type { Span } from "../../grammar/source.ts";
import type { ConstValue, Global } from "../hir.ts";
import { ERROR, VOID, type Type } from "../types.ts";
import { evaluate } from "./constants.ts";
import { fail, failTwice, moduleContext, type Context } from "./context.ts";
import { defaultType } from "./convert.ts";
import { resolveSized } from "./resolve-types.ts";
import type { ConstEntry, FnEntry, GlobalEntry } from "./scope.ts";
import { checkConstant, checkExpr } from "./values.ts";

/** The types of a function's parameters and result, on demand: the values of an enum may call it before its turn comes. */
export function resolveSignature(from: Context, entry: FnEntry): void {
  if (entry.state === "done") return;
  entry.state = "done";
  const { item } = entry;
  const context: Context = { ...moduleContext(from, entry.module), reach: null };
  const params = item.params.map((param) => resolveSized(context, param.type));
  const seen = new Map<string, Span>();
  for (const { name } of item.params) {
    const before = seen.get(name.text);
    if (before !== undefined) failTwice(context, name.span, `parameter \`${name.text}\``, before);
    seen.set(name.text, name.span);
  }
  const [self] = params;
  if (entry.owner !== null && self?.kind !== "error" && (item.params[0]?.name.text !== "self" || self?.kind !== "pointer" || self.target !== entry.owner)) {
    fail(context, item.params[0]?.name.span ?? item.name.span, "E0530", `the first parameter of method \`${item.name.text}\` is not \`self\``, {
      related: [{ span: entry.owner.declared, text: "the struct" }],
      help: `write \`fn ${item.name.text}(self${item.params.length > 0 ? ", .." : ""})\`, or move it out of the struct`,
    });
  }
  entry.function.type = { params, result: item.result === null ? VOID : resolveSized(context, item.result) };
}

const BOOT_INFO = "boot_info";

export function failCycle(context: Context, what: string, declared: Span, usedAt: Span | null): void {
  fail(context, declared, "E0508", `${what} depends on itself`, {
    label: "needs itself",
    related: usedAt === null ? [] : [{ span: usedAt, text: "needed again here" }],
  });
}

export function constantOf(context: Context, entry: ConstEntry, usedAt: Span | null = null): { readonly value: ConstValue | null; readonly type: Type } {
  if (entry.state === "working") {
    failCycle(context, `constant \`${entry.item.name.text}\``, entry.item.name.span, usedAt);
    return { value: null, type: ERROR };
  }
  if (entry.state === "waiting") {
    entry.state = "working";
    const inner: Context = { ...moduleContext(context, entry.module), reach: entry.reach };
    const expected = entry.item.type === null ? null : resolveSized(inner, entry.item.type);
    const constant = checkConstant(inner, entry.item.value, expected, "a constant");
    if (constant !== null) {
      entry.value = constant.value;
      entry.type = constant.type;
    } else if (expected !== null) {
      entry.type = expected;
    }
    entry.state = "done";
  }
  return { value: entry.value, type: entry.type };
}

export function globalOf(context: Context, entry: GlobalEntry, usedAt: Span | null = null): Global | null {
  if (entry.state === "done") return entry.global;
  if (entry.state === "working") {
    failCycle(context, `variable \`${entry.item.name.text}\``, entry.item.name.span, usedAt);
    return null;
  }
  entry.state = "working";
  const { libName } = entry.module;
  // The loader finds `boot_info` by its bare name.
  const prefix = libName === null || entry.item.name.text === BOOT_INFO ? "" : `${libName}.`;
  entry.global = createGlobal({ ...moduleContext(context, entry.module), reach: entry.reach }, entry.item, false, prefix);
  entry.state = "done";
  return entry.global;
}

/** A variable in guest memory from its declaration; null if it is wrong (reported). */
export function createGlobal(context: Context, item: GlobalEntry["item"], perTest: boolean, prefix: string): Global | null {
  const declared = item.type === null ? null : resolveSized(context, item.type);
  let type = declared;
  let initial: ConstValue | null = null;
  if (item.value !== null) {
    const checked = declared === null ? defaultType(context, checkExpr(context, item.value)) : null;
    const constant = checked === null ? checkConstant(context, item.value, declared, "the first value of a variable", "set it in `setup`") : null;
    initial = checked === null ? (constant?.value ?? null) : evaluate(checked, context.target.layout);
    type = declared ?? checked?.type ?? null;
    if (initial === null && checked !== null && checked.kind !== "error" && checked.type.kind !== "error") {
      fail(context, item.value.span, "E0507", "the first value of a variable must be known when compiling", {
        label: "depends on the running guest",
        help: "set it in `setup`",
      });
    }
  }
  // Without either the parser has complained.
  if (type === null || type.kind === "error") return null;
  return { name: `${prefix}${item.name.text}`, type, span: item.name.span, initial, shared: item.shared, perTest };
}
