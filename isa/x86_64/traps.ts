// The vectors that x86 reserves for exceptions, and which of the target-neutral trap classes each is. A test may expect the class
// (`page_fault`) or the target's own name (`x86.pf`), and failure texts have that name; the guest's trap code is in lib/x86_64.
// Sources: Intel SDM volume 3, 6.3.1 and table 6-1 (vectors, error codes, fault, trap or abort), 6.13 (error code), 6.15 (each
// exception). Vectors 28 to 30 are AMD's: APM volume 2, 8.2 (#HV, #VC, #SX).

import type { TrapClass } from "../bytecode/instructions.ts";

export interface Exception {
  /** The vector. */
  readonly code: number;
  readonly name: `x86.${string}`;
  /** The processor pushes an error code. */
  readonly hasErrorCode: boolean;
  /** A fault leaves rip at the instruction, a trap behind it; nothing can be resumed after an abort. */
  readonly kind: "fault" | "trap" | "abort" | "interrupt";
  readonly class: TrapClass;
}

export const EXCEPTIONS: readonly Exception[] = [
  { code: 0, name: "x86.de", hasErrorCode: false, kind: "fault", class: "divide_error" },
  // A fault for instruction breakpoints, else a trap; DR6 tells.
  { code: 1, name: "x86.db", hasErrorCode: false, kind: "trap", class: "breakpoint" },
  { code: 2, name: "x86.nmi", hasErrorCode: false, kind: "interrupt", class: "machine_check" },
  { code: 3, name: "x86.bp", hasErrorCode: false, kind: "trap", class: "breakpoint" },
  { code: 4, name: "x86.of", hasErrorCode: false, kind: "trap", class: "bounds" },
  { code: 5, name: "x86.br", hasErrorCode: false, kind: "fault", class: "bounds" },
  { code: 6, name: "x86.ud", hasErrorCode: false, kind: "fault", class: "illegal_instruction" },
  // An x87 or SSE instruction while CR0.TS or CR0.EM forbids it.
  { code: 7, name: "x86.nm", hasErrorCode: false, kind: "fault", class: "illegal_instruction" },
  { code: 8, name: "x86.df", hasErrorCode: true, kind: "abort", class: "machine_check" },
  // No processor since the 386 raises it.
  { code: 9, name: "x86.coprocessor_segment_overrun", hasErrorCode: false, kind: "fault", class: "protection" },
  { code: 10, name: "x86.ts", hasErrorCode: true, kind: "fault", class: "protection" },
  { code: 11, name: "x86.np", hasErrorCode: true, kind: "fault", class: "protection" },
  { code: 12, name: "x86.ss", hasErrorCode: true, kind: "fault", class: "protection" },
  { code: 13, name: "x86.gp", hasErrorCode: true, kind: "fault", class: "protection" },
  { code: 14, name: "x86.pf", hasErrorCode: true, kind: "fault", class: "page_fault" },
  { code: 16, name: "x86.mf", hasErrorCode: false, kind: "fault", class: "fp_exception" },
  { code: 17, name: "x86.ac", hasErrorCode: true, kind: "fault", class: "misaligned" },
  { code: 18, name: "x86.mc", hasErrorCode: false, kind: "abort", class: "machine_check" },
  { code: 19, name: "x86.xm", hasErrorCode: false, kind: "fault", class: "fp_exception" },
  { code: 20, name: "x86.ve", hasErrorCode: false, kind: "fault", class: "protection" },
  // Control-flow enforcement: a return or branch that the shadow stack or endbr64 does not allow.
  { code: 21, name: "x86.cp", hasErrorCode: true, kind: "fault", class: "protection" },
  { code: 28, name: "x86.hv", hasErrorCode: false, kind: "interrupt", class: "machine_check" },
  { code: 29, name: "x86.vc", hasErrorCode: true, kind: "fault", class: "protection" },
  { code: 30, name: "x86.sx", hasErrorCode: true, kind: "fault", class: "protection" },
];
