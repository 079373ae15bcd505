// Lists of one small number: most operands, results and immediates of instructions are such lists, and a program has hundreds of
// thousands of them. They are made once.

/** Registers and functions are below it, and most offsets. */
const LIMIT = 4096;
const LISTS = new Array<readonly number[] | undefined>(LIMIT);

export function one(number: number): readonly number[] {
  if (number < 0 || number >= LIMIT) return [number];
  return (LISTS[number] ??= [number]);
}
