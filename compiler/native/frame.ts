// A function's stack frame, from the stack pointer upwards: slots for arguments and results of calls that do not fit registers, spilled
// values, the bytecode's own frame, kept registers, and what the target stores for returning. Offsets are from the stack pointer
// as the prologue leaves it.

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
