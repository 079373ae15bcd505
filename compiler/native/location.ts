// Where a value is while machine code uses it: what the register allocator decides for virtual registers, what moves go between, and what a
// target's instructions take as operands. Constants and addresses are locations too, so that an operation takes them as they are.

/** Where a value is when code uses it. */
export type Location =
  | {
      readonly kind: "register";
      readonly register: number;
      /** Of 32 bits or less: where it is kept zero-extended, half of the register is enough to move. */
      readonly isNarrow?: boolean;
    }
  /** Bytes from the stack pointer inside the function. */
  | { readonly kind: "slot"; readonly offset: number }
  /** As a register holds it. */
  | { readonly kind: "constant"; readonly value: bigint }
  | { readonly kind: "symbol"; readonly symbol: number; readonly offset: number }
  | { readonly kind: "function"; readonly function: number }
  /** The address at this many bytes from the stack pointer. */
  | { readonly kind: "frame"; readonly offset: number };

export type Writable = Location & { readonly kind: "register" | "slot" };

/** There are few, and each function has hundreds of values. */
const narrowRegisters: Writable[] = [];
const wideRegisters: Writable[] = [];

export function inRegister(register: number, isNarrow: boolean): Writable {
  return ((isNarrow ? narrowRegisters : wideRegisters)[register] ??= { kind: "register", register, isNarrow });
}
