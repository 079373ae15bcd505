// What SYS does under a name: cache maintenance (IC, DC), address translation (AT) and TLB maintenance (TLBI). A number holds op1,
// CRn, CRm and op2 as bits 18:5 of the instruction; those without an address or other argument leave its register as 31.
// Source: Arm Architecture Reference Manual DDI 0487 (I.a), C5, sections "A64 System instructions for cache maintenance", "... for
// address translation" and "... for TLB maintenance".
// Left out: operations on tags (MTE), of the realm (RPA*), nXS variants, stage 2 by range, prediction restriction (CFP, CPP, DVP).

export type SystemOperationKind = "at" | "dc" | "ic" | "tlbi";

export interface SystemOperation {
  readonly kind: SystemOperationKind;
  readonly name: string;
  readonly number: number;
  readonly takesRegister: boolean;
}

type Encoding = readonly [op1: number, crn: number, crm: number, op2: number];

const operations = (kind: SystemOperationKind, takesRegister: boolean, rows: readonly (readonly [string, Encoding])[]): readonly SystemOperation[] =>
  rows.map(([name, [op1, crn, crm, op2]]) => ({ kind, name, number: (op1 << 11) | (crn << 7) | (crm << 3) | op2, takesRegister }));

export const SYSTEM_OPERATIONS: readonly SystemOperation[] = [
  ...operations("ic", false, [
    ["ialluis", [0, 7, 1, 0]],
    ["iallu", [0, 7, 5, 0]],
  ]),
  ...operations("ic", true, [["ivau", [3, 7, 5, 1]]]),
  ...operations("dc", true, [
    ["zva", [3, 7, 4, 1]],
    ["ivac", [0, 7, 6, 1]],
    ["isw", [0, 7, 6, 2]],
    ["cvac", [3, 7, 10, 1]],
    ["csw", [0, 7, 10, 2]],
    ["cvau", [3, 7, 11, 1]],
    ["cvap", [3, 7, 12, 1]],
    ["cvadp", [3, 7, 13, 1]],
    ["civac", [3, 7, 14, 1]],
    ["cisw", [0, 7, 14, 2]],
  ]),
  ...operations("at", true, [
    ["s1e1r", [0, 7, 8, 0]],
    ["s1e1w", [0, 7, 8, 1]],
    ["s1e0r", [0, 7, 8, 2]],
    ["s1e0w", [0, 7, 8, 3]],
    ["s1e1rp", [0, 7, 9, 0]],
    ["s1e1wp", [0, 7, 9, 1]],
    ["s1e2r", [4, 7, 8, 0]],
    ["s1e2w", [4, 7, 8, 1]],
    ["s12e1r", [4, 7, 8, 4]],
    ["s12e1w", [4, 7, 8, 5]],
    ["s12e0r", [4, 7, 8, 6]],
    ["s12e0w", [4, 7, 8, 7]],
    ["s1e3r", [6, 7, 8, 0]],
    ["s1e3w", [6, 7, 8, 1]],
  ]),
  ...operations("tlbi", false, [
    ["vmalle1os", [0, 8, 1, 0]],
    ["vmalle1is", [0, 8, 3, 0]],
    ["vmalle1", [0, 8, 7, 0]],
    ["alle2os", [4, 8, 1, 0]],
    ["alle1os", [4, 8, 1, 4]],
    ["vmalls12e1os", [4, 8, 1, 6]],
    ["alle2is", [4, 8, 3, 0]],
    ["alle1is", [4, 8, 3, 4]],
    ["vmalls12e1is", [4, 8, 3, 6]],
    ["alle2", [4, 8, 7, 0]],
    ["alle1", [4, 8, 7, 4]],
    ["vmalls12e1", [4, 8, 7, 6]],
    ["alle3os", [6, 8, 1, 0]],
    ["alle3is", [6, 8, 3, 0]],
    ["alle3", [6, 8, 7, 0]],
  ]),
  ...operations("tlbi", true, [
    ["vae1os", [0, 8, 1, 1]],
    ["aside1os", [0, 8, 1, 2]],
    ["vaae1os", [0, 8, 1, 3]],
    ["vale1os", [0, 8, 1, 5]],
    ["vaale1os", [0, 8, 1, 7]],
    ["rvae1is", [0, 8, 2, 1]],
    ["rvaae1is", [0, 8, 2, 3]],
    ["rvale1is", [0, 8, 2, 5]],
    ["rvaale1is", [0, 8, 2, 7]],
    ["vae1is", [0, 8, 3, 1]],
    ["aside1is", [0, 8, 3, 2]],
    ["vaae1is", [0, 8, 3, 3]],
    ["vale1is", [0, 8, 3, 5]],
    ["vaale1is", [0, 8, 3, 7]],
    ["rvae1os", [0, 8, 5, 1]],
    ["rvaae1os", [0, 8, 5, 3]],
    ["rvale1os", [0, 8, 5, 5]],
    ["rvaale1os", [0, 8, 5, 7]],
    ["rvae1", [0, 8, 6, 1]],
    ["rvaae1", [0, 8, 6, 3]],
    ["rvale1", [0, 8, 6, 5]],
    ["rvaale1", [0, 8, 6, 7]],
    ["vae1", [0, 8, 7, 1]],
    ["aside1", [0, 8, 7, 2]],
    ["vaae1", [0, 8, 7, 3]],
    ["vale1", [0, 8, 7, 5]],
    ["vaale1", [0, 8, 7, 7]],
    ["ipas2e1is", [4, 8, 0, 1]],
    ["ipas2le1is", [4, 8, 0, 5]],
    ["vae2os", [4, 8, 1, 1]],
    ["vale2os", [4, 8, 1, 5]],
    ["vae2is", [4, 8, 3, 1]],
    ["vale2is", [4, 8, 3, 5]],
    ["ipas2e1os", [4, 8, 4, 0]],
    ["ipas2e1", [4, 8, 4, 1]],
    ["ipas2le1os", [4, 8, 4, 4]],
    ["ipas2le1", [4, 8, 4, 5]],
    ["vae2", [4, 8, 7, 1]],
    ["vale2", [4, 8, 7, 5]],
    ["vae3os", [6, 8, 1, 1]],
    ["vale3os", [6, 8, 1, 5]],
    ["vae3is", [6, 8, 3, 1]],
    ["vale3is", [6, 8, 3, 5]],
    ["vae3", [6, 8, 7, 1]],
    ["vale3", [6, 8, 7, 5]],
  ]),
];
