// Interfaces, and structs that extend others. A struct says after its colon what it extends and implements; the base is its first
// field, so that a pointer to it is one to its base, and a method of the base runs on it as it is (docs/adr/0020).
// A `*Iface` is that pointer beside the struct's method table, which is made where a pointer first becomes an interface (convert.ts).

import type { InterfaceItem, NamedType } from "../../grammar/ast.ts";
import { textOf, type Span } from "../../grammar/source.ts";
import { sameType, showType, VOID, type FnType, type InterfaceMethod, type InterfaceType, type StructType } from "../types.ts";
import { fail, failTwice, listNames, type Context } from "./context.ts";
import { quote } from "./convert.ts";
import { resolveSignature } from "./on-demand.ts";
import { resolveNamed, resolveSized } from "./resolve-types.ts";
import type { FnEntry, Module } from "./scope.ts";
import { isBaseOf, methodOf, parentsOf } from "./structs.ts";

// ---- Declarations ----

/** Which of a struct's parents is its base, and which are interfaces. All names are declared. */
export function resolveParents(context: Context, module: Module): void {
  for (const { type, parents } of module.structs) {
    const interfaces: InterfaceType[] = [];
    for (const [i, parent] of parents.entries()) {
      const named = resolveNamed(context, parent);
      if (named.kind === "interface") {
        if (interfaces.includes(named)) failParent(context, parent, `\`${type.name}\` names interface \`${named.name}\` twice`, "the second time");
        else interfaces.push(named);
      } else if (named.kind === "struct" && named.table === undefined) {
        if (i > 0) failParent(context, parent, "the struct that is extended comes first, and there is one", "a struct", parents[0]?.span);
        else if (isBaseOf(type, named)) {
          fail(context, parent.span, "E0517", `struct \`${type.name}\` contains itself`, {
            label: "extends it again",
            related: [{ span: named.declared, text: "declared here" }],
          });
        } else type.base = named;
      } else if (named.kind !== "error") failParent(context, parent, `a struct extends a struct and implements interfaces, found ${quote(named)}`, "neither");
    }
    if (interfaces.length > 0) type.interfaces = interfaces;
  }
}

function failParent(context: Context, parent: NamedType, message: string, label: string, first?: Span): void {
  fail(context, parent.span, "E0541", message, { label, related: first === undefined ? [] : [{ span: first, text: "the first one" }] });
}

export function resolveInterface(context: Context, item: InterfaceItem): void {
  const symbol = context.scope.module.names.get(item.name.text);
  if (symbol?.kind !== "type" || symbol.type.kind !== "interface" || symbol.type.declared !== item.name.span) return;
  const methods: InterfaceMethod[] = [];
  for (const { name, params, result } of item.methods) {
    const before = methods.find((method) => method.name === name.text);
    if (before !== undefined) {
      failTwice(context, name.span, `\`${name.text}\``, before.declared, `in \`${item.name.text}\``);
      continue;
    }
    const types = params.map((param) => resolveSized(context, param.type));
    const [self] = types;
    if (params[0]?.name.text !== "self" || self === undefined || (self !== symbol.type && self.kind !== "error")) {
      fail(context, params[0]?.name.span ?? name.span, "E0530", `the first parameter of method \`${name.text}\` is not \`self\``, {
        related: [{ span: item.name.span, text: "the interface" }],
        help: `write \`fn ${name.text}(self${params.length > 0 ? ", .." : ""})\``,
      });
      continue;
    }
    methods.push({
      name: name.text,
      params: types.slice(1),
      result: result === null ? VOID : resolveSized(context, result),
      declared: name.span,
      places: params.slice(1).map((param) => param.name.span),
    });
  }
  symbol.type.methods = methods;
}

// ---- Signatures ----

/** A method's type without `self`. */
function typeOf(context: Context, entry: FnEntry): FnType {
  resolveSignature(context, entry);
  const { params, result } = entry.function.type;
  return { kind: "fn", params: params.slice(1), result };
}

const signatureOf = ({ params, result }: InterfaceMethod): FnType => ({ kind: "fn", params, result });

/** A method takes the place of the base's: callers of either must not see a difference. */
export function checkOverride(context: Context, owner: StructType, entry: FnEntry): void {
  const name = entry.item.name.text;
  const before = owner.base === undefined ? undefined : methodOf(owner.base, name);
  if (before === undefined) return;
  const [own, other] = [typeOf(context, entry), typeOf(context, before)];
  if (!sameType(own, other)) {
    fail(context, entry.item.name.span, "E0540", `method \`${name}\` is not what \`${before.owner?.name ?? ""}\` has`, {
      label: `this is \`${showType(own)}\``,
      related: [{ span: before.item.name.span, text: `overrides \`${showType(other)}\`` }],
    });
  }
}

/** Every method of the interfaces that a struct names, with its types. */
export function checkImplements(context: Context, type: StructType): void {
  const parents = parentsOf(type)?.parents ?? [];
  for (const wanted of type.interfaces ?? []) {
    const missing: InterfaceMethod[] = [];
    for (const method of wanted.methods) {
      const entry = methodOf(type, method.name);
      if (entry === undefined) {
        missing.push(method);
        continue;
      }
      const own = typeOf(context, entry);
      if (sameType(own, signatureOf(method)) || [...own.params, own.result].some(({ kind }) => kind === "error")) continue;
      fail(context, entry.item.name.span, "E0540", `method \`${method.name}\` is not what interface \`${wanted.name}\` wants`, {
        label: `this is \`${showType(own)}\``,
        related: [{ span: method.declared, text: `wanted is \`${showType(signatureOf(method))}\`` }],
      });
    }
    const [first] = missing;
    if (first === undefined) continue;
    const place = parents.find((parent) => parent.name.text === wanted.name)?.span ?? type.declared;
    fail(context, place, "E0540", `\`${type.name}\` does not implement \`${wanted.name}\`: it lacks ${listNames(missing.map(({ name }) => name))}`, {
      label: "declared to implement it",
      related: missing.map(({ declared }) => ({ span: declared, text: "wanted by the interface" })),
      help: `add \`fn ${textOf({ ...first.declared, end: endOfSignature(first) })}\``,
    });
  }
}

/** Where a method's signature ends: with its line. */
function endOfSignature({ declared }: InterfaceMethod): number {
  const { text } = declared.source;
  const end = /[\n}]/.exec(text.slice(declared.start));
  return end === null ? text.length : declared.start + text.slice(declared.start, declared.start + end.index).trimEnd().length;
}
