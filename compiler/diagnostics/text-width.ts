// How many terminal columns a text takes, and a form of it that is safe to print. Used by the renderer of diagnostics, whose carets must
// stand under the right characters; source text may hold tabs, wide characters and control codes.

const tabWidth = 4;

/** First and last code points of characters that take two columns: the blocks of East Asian Wide and Fullwidth (UAX #11) and the pictographs. */
const wideRanges: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x231a, 0x231b],
  [0x2329, 0x232a],
  [0x23e9, 0x23ec],
  [0x25fd, 0x25fe],
  [0x2614, 0x2615],
  [0x2648, 0x2653],
  [0x26a1, 0x26a1],
  [0x2705, 0x2705],
  [0x2728, 0x2728],
  [0x274c, 0x274c],
  [0x2753, 0x2757],
  [0x2795, 0x2797],
  [0x27b0, 0x27b0],
  [0x2b1b, 0x2b1c],
  [0x2b50, 0x2b50],
  [0x2e80, 0x303e],
  [0x3041, 0x33ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xa000, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x1f300, 0x1f64f],
  [0x1f680, 0x1f6ff],
  [0x1f900, 0x1faff],
  [0x20000, 0x3fffd],
];

/** Marks that join the character before, and characters without any width. */
const zeroWidth = /^(?:\p{Mn}|\p{Me}|[\u200b-\u200f]|\u2060|\ufeff)$/u;

function widthOf(character: string): number {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x300) return 1;
  if (zeroWidth.test(character)) return 0;
  return wideRanges.some(([first, last]) => code >= first && code <= last) ? 2 : 1;
}

export interface Laid {
  readonly text: string;
  /** Column (from 0) at which each UTF-16 index of the line begins, and the width after its last. */
  readonly columns: readonly number[];
}

/** A line as it is printed: tabs as spaces, control characters as a visible mark. */
export function layLine(line: string): Laid {
  const columns: number[] = [];
  let text = "";
  let column = 0;
  for (const character of line) {
    for (let i = 0; i < character.length; i++) columns.push(column);
    if (character === "\t") {
      const width = tabWidth - (column % tabWidth);
      text += " ".repeat(width);
      column += width;
    } else if (/[\p{Cc}\p{Cs}]/u.test(character) || /[\u202a-\u202e\u2066-\u2069]/.test(character)) {
      text += "\ufffd";
      column += 1;
    } else {
      text += character;
      column += widthOf(character);
    }
  }
  columns.push(column);
  return { text, columns };
}

/** The part of a printed text between two columns. */
export function sliceColumns(text: string, from: number, to: number): string {
  let result = "";
  let column = 0;
  for (const character of text) {
    const width = widthOf(character);
    if (column >= from && column + width <= to) result += character;
    column += width;
    if (column >= to) break;
  }
  return result;
}
