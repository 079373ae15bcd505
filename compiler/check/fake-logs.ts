// The last field of a fake, `calls`: its type is made of the interfaces that the fake implements, when the fake is laid out. What is
// written there, and by whom, is in fakes.ts.

import { textOf } from "../../grammar/source.ts";
import type { DataLayout } from "../../isa/bytecode/module.ts";
import { makeStruct, STR, USIZE, type InterfaceMethod, type StructType } from "../types.ts";
import { interfacesOf } from "./structs.ts";

/** The log of all calls of a fake. */
export const ALL = "all";

export function methodsFor(type: StructType): readonly InterfaceMethod[] {
  const methods = interfacesOf(type).flatMap((each) => each.methods);
  return methods.filter((method, i) => methods.findIndex(({ name }) => name === method.name) === i);
}

/** The type of a fake's `calls`: for each log the calls as a slice, and behind it for how many there is room. What the methods take is complete. */
export function callsOf(type: StructType, layout: DataLayout): StructType {
  const { declared } = type;
  const logs = methodsFor(type).map(({ name, params, places }) => {
    const args = params.map((param, i) => {
      const at = places[i];
      return { name: at === undefined ? `${i}` : textOf(at), type: param, declared };
    });
    return { name, record: makeStruct(`call of ${type.name}.${name}`, declared, [{ name: "sequence", type: USIZE, declared }, ...args], layout) };
  });
  const all = makeStruct(
    `call of ${type.name}`,
    declared,
    [
      { name: "sequence", type: USIZE, declared },
      { name: "method", type: STR, declared },
    ],
    layout,
  );
  const fields = [{ name: ALL, record: all }, ...logs].flatMap(({ name, record }) => [
    { name, type: { kind: "slice", element: record } as const, declared },
    { name: `${name}: capacity`, type: USIZE, declared },
  ]);
  return makeStruct(`calls of ${type.name}`, declared, fields, layout);
}
