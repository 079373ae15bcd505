// Machine code of library functions as it is kept between compilations, in the form that the cache has for functions (images/stored-function.ts):
// references are counted as the code first uses them. Beside it stands what they and the code's places are in the unit's own lists, so that
// the code is the unit's whatever image it was made for.

import { loadFunction, rememberStored, storeFunction, type NamedPlace } from "../images/stored-function.ts";
import type { KeptCode } from "../library-store.ts";
import type { NumberedKind, Unit } from "../lower/units.ts";
import { numberOf, renumberReference, type NumberedReference } from "./emission.ts";
import type { NativeFunction } from "./lower-function.ts";

/** `fn` has the unit's numbers. */
export function keepCode(unit: Unit, fn: NativeFunction, placeOf: (location: number) => NamedPlace | undefined): KeptCode {
  const { code, facts, references } = storeFunction(fn, placeOf);
  const place = (kind: NumberedKind, number: number): number => {
    const found = unit.requestOrder[kind].get(number);
    if (found === undefined) throw new Error(`${unit.fn.name} names ${kind} ${number}, which it has not asked for`);
    return found;
  };
  const locations = [...new Set(fn.marks.map(({ location }) => location))].filter((location) => placeOf(location) !== undefined);
  return {
    code,
    facts,
    references: references.map((to) => (to.kind === "label" ? -1 : place(to.kind, numberOf(to)))),
    locations: locations.map((location) => unit.locationOrder.get(location) ?? -1),
  };
}

/** With places in the unit's lists for numbers. */
export function recallCode({ code, facts, references, locations }: KeptCode): NativeFunction {
  const { fn } = loadFunction({ code, facts });
  const meaning = (to: NumberedReference): number => references[numberOf(to)] ?? -1;
  const recalled = {
    ...fn,
    relocations: fn.relocations.map(({ offset, kind, to, addend }) => ({ offset, kind, to: renumberReference(to, meaning), addend })),
    marks: fn.marks.map(({ offset, location }) => ({ offset, location: locations[location] ?? -1 })),
  };
  // In the order in which relocations first name them, which is how they are counted.
  const counted = new Map(fn.relocations.map(({ to }, index) => [to, recalled.relocations[index]?.to ?? to]));
  rememberStored(recalled, { code, facts, references: [...counted.values()] });
  return recalled;
}
