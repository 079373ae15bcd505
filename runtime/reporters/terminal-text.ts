// Text as a terminal shows it: how many cells it takes, cut to a width, and with the control characters that a guest printed made
// visible - a guest must be able neither to repaint the report nor to fake a line of it.

const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}|[\u{20000}-\u{3fffd}]/u;
const ZERO_WIDTH = /^[\p{Mark}\p{Format}]$/u;
/** Painted text holds no other control character than the escape of its colours. */
const SGR_CODE = /\p{Cc}\[[0-9;]*m/uy;

function cellsOf(character: string): number {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x300) return 1;
  if (ZERO_WIDTH.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}

/** Terminal cells of a text without control characters; colour codes take none. */
export function displayWidth(text: string): number {
  let width = 0;
  for (let index = 0; index < text.length;) {
    SGR_CODE.lastIndex = index;
    const code = SGR_CODE.exec(text);
    if (code !== null) {
      index += code[0].length;
      continue;
    }
    const character = String.fromCodePoint(text.codePointAt(index) ?? 0);
    width += cellsOf(character);
    index += character.length;
  }
  return width;
}

/** At most `width` cells, the last of them `~` when something was cut; colour codes stay, also those behind the cut. */
export function truncate(text: string, width: number): string {
  if (width <= 0) return "";
  if (displayWidth(text) <= width) return text;
  let result = "";
  let used = 0;
  let isCut = false;
  for (let index = 0; index < text.length;) {
    SGR_CODE.lastIndex = index;
    const code = SGR_CODE.exec(text);
    if (code !== null) {
      result += code[0];
      index += code[0].length;
      continue;
    }
    const character = String.fromCodePoint(text.codePointAt(index) ?? 0);
    index += character.length;
    if (isCut) continue;
    const cells = cellsOf(character);
    if (used + cells > width - 1) {
      result += "~";
      isCut = true;
      continue;
    }
    result += character;
    used += cells;
  }
  return result;
}

/**
 * What turns the order of the text around it or ends a line for some readers only (Unicode UAX 9, 2; UAX 14, BK), and controls that formats of
 * text let pass. Where a format has an escape for any character, these are written with it.
 */
export const HIDDEN = /[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

// Lone surrogates count as controls: UTF-8 has no form for them.
const CONTROL = /[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;
function escapeControl(character: string): string {
  const code = character.charCodeAt(0);
  if (character === "\t") return "    ";
  if (character === "\r") return "\\r";
  if (character === "\n") return "\\n";
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16)}`;
}

/** One line that is safe to print. */
export function printable(text: string): string {
  return text.replace(CONTROL, escapeControl);
}

/** Lines that are safe to print; CR LF counts as one line end. */
export function printableLines(text: string): string[] {
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  return lines.map(printable);
}
