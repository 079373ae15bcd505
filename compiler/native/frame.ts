// A function's stack frame, from the stack pointer upwards: slots for arguments and results of calls that do not fit registers, spilled
// values, the bytecode's own frame, kept registers, and what the target stores for returning. Offsets are from the stack pointer
// as the prologue leaves it.

/**
 * What a debugger has to know to get from a function to its caller, by offset in the code. `depth`: bytes of stack that the function has
 * taken, what the call itself pushed not counted. `kept`: from here on a register of the caller is in memory, so many bytes below
 * where the stack pointer was before the call. What is said between `leave` and `stay` holds for the code of one return only.
 */
export type FrameEvent =
  | { readonly offset: number; readonly kind: "depth"; readonly bytes: number }
  | { readonly offset: number; readonly kind: "kept"; readonly register: number; readonly below: number }
  | { readonly offset: number; readonly kind: "leave" | "stay" }
  /** Nobody has called this code. */
  | { readonly offset: number; readonly kind: "outermost" };

/** Code of the entry assembly, from one label to another, as far as it is no leaf. */
export interface EntryFrame {
  readonly from: string;
  readonly to: string;
  readonly events: readonly FrameEvent[];
}

const OUTERMOST: readonly FrameEvent[] = [{ offset: 0, kind: "outermost" }];

export function outermost(from: string, to: string): EntryFrame {
  return { from, to, events: OUTERMOST };
}

/** Code that is looked at only while something that it has called runs: it has its whole frame then. */
export function calling(from: string, to: string, depth: number, kept: readonly (readonly [register: number, below: number])[]): EntryFrame {
  const places = kept.map(([register, below]): FrameEvent => ({ offset: 0, kind: "kept", register, below }));
  return { from, to, events: [{ offset: 0, kind: "depth", bytes: depth }, ...places] };
}

export interface Frame {
  /** Bytes that the prologue takes, a multiple of 16 together with what the call itself pushed. */
  readonly size: number;
  readonly outgoing: number;
  /** Where the bytecode's frame begins. */
  readonly local: number;
  /** Registers to keep for the caller, and where. */
  readonly saved: readonly { readonly register: number; readonly offset: number }[];
  /** Where a return address register is kept; targets whose calls push it have none. */
  readonly returnAddress: number | null;
  /** Stack slots of the caller: argument or result `n` beyond the registers is at `size + returnAddressBytes + 8 * n`. */
  readonly incoming: number;
  /** It calls nothing, so its return address is still where the caller put it. */
  readonly isLeaf: boolean;
  /** The stack limit must be compared. */
  readonly isChecked: boolean;
}
