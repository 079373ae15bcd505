// Tables of numbers by register, block or item, which a pass over one function fills and the pass over the next fills again: functions are
// looked at one after the other, and a table of their own for each pass over each was a quarter of what the compiler allocated. Typed
// arrays, whose memory is outside of the heap, are too dear for one function, but not for all of them.

/** Gives the table with so many entries set to what it begins with; what was in it before is lost. It may be longer. */
export type SpareTable = (count: number) => Int32Array;

export function createSpareTable(initial: number): SpareTable {
  let memory = new Int32Array(1024);
  return (count) => {
    if (count > memory.length) memory = new Int32Array(2 * count);
    return memory.fill(initial, 0, count);
  };
}
