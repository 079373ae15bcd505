// The last field of a fake, `calls`: its type is made of the interfaces that the fake implements, when the fake is laid out. What is
// written there, and by whom, is in fakes.ts.

import { layOutFields, STR, USIZE, type InterfaceMethod, type StructType, type Type } from "../types.ts";
import type { Context } from "./context.ts";
import { completeType } from "./resolve-types.ts";
import { interfacesOf } from "./structs.ts";

/** The log of all calls of a fake. */
export const ALL = "all";

function structOf(context: Context, name: string, of: StructType, fields: readonly { readonly name: string; readonly type: Type }[]): StructType {
  const placed = layOutFields(
    fields.map((field) => ({ ...field, declared: of.declared })),
    context.target.layout,
  );
  return { kind: "struct", name, declared: of.declared, ...placed };
}

export function methodsFor(type: StructType): readonly InterfaceMethod[] {
  const methods = interfacesOf(type).flatMap((each) => each.methods);
  return methods.filter((method, i) => methods.findIndex(({ name }) => name === method.name) === i);
}

/** The type of a fake's `calls`: for each log the calls as a slice, and behind it for how many there is room. */
export function callsOf(context: Context, type: StructType): StructType {
  if (type.calls !== undefined) return type.calls;
  const logs = methodsFor(type).map(({ name, params, places }) => ({
    name,
    record: structOf(context, `call of ${type.name}.${name}`, type, [
      { name: "sequence", type: USIZE },
      ...params.map((param, i) => {
        completeType(context, param);
        const at = places[i];
        return { name: at === undefined ? `${i}` : at.source.text.slice(at.start, at.end), type: param };
      }),
    ]),
  }));
  const all = structOf(context, `call of ${type.name}`, type, [
    { name: "sequence", type: USIZE },
    { name: "method", type: STR },
  ]);
  const fields = [{ name: ALL, record: all }, ...logs].flatMap(({ name, record }) => [
    { name, type: { kind: "slice", element: record } as const },
    { name: `${name}: capacity`, type: USIZE },
  ]);
  type.calls = structOf(context, `calls of ${type.name}`, type, fields);
  return type.calls;
}
