// What RV32 and RV64 differ in. Tables of both kinds are made when somebody asks for one: a process that runs guests of one width has no use
// for the other's, and one test takes no longer than making them.

/** Bits of an integer register. */
export type RegisterWidth = 32 | 64;

export function byWidth<T>(make: (width: RegisterWidth) => T): (width: RegisterWidth) => T {
  const made: Partial<Record<RegisterWidth, T>> = {};
  return (width) => (made[width] ??= make(width));
}
