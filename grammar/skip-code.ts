// Where code ends that is not read as tokens: assembler text, whose inside has no tokens of ours, and bodies of functions that are read when somebody
// needs them. Only brackets are counted, past all in which a bracket is none: comments, characters, strings (with code in their holes)
// and assembler text. null: the bracket is never closed, and the scanner falls back on reading tokens, whose faults say why.

import { isOf, lineEnd, pastBlanks, wordEnd, wordStart } from "./characters.ts";

/** `asm`, which ends at `from`, is followed on its line by a target's name and a bracket. */
export function isAsm(text: string, from: number, end: number): boolean {
  const target = pastBlanks(text, from, end);
  if (target === from || !isOf(text.charCodeAt(target), wordStart)) return false;
  const after = text.charAt(pastBlanks(text, wordEnd(text, target, end), end));
  return after === "(" || after === "{";
}

/** Behind the bracket that closes the one at `start`, past strings and `//` comments. */
export function matchingEnd(text: string, start: number, end: number, open: string, close: string): number | null {
  let depth = 0;
  let at = start;
  while (at < end) {
    const character = text[at];
    if (character === "/" && text[at + 1] === "/") {
      while (at < end && text[at] !== "\n") at++;
      continue;
    }
    if (character === '"') {
      at++;
      while (at < end && text[at] !== '"' && text[at] !== "\n") at += text[at] === "\\" ? 2 : 1;
    } else if (character === open) depth++;
    else if (character === close && --depth === 0) return at + 1;
    at++;
  }
  return null;
}

/** Behind the brace that closes the one at `start`. */
export function pastBraces(text: string, start: number, end: number): number | null {
  let depth = 0;
  let at = start;
  while (at < end) {
    const code = text.charCodeAt(at);
    if (code === 123) depth++;
    else if (code === 125) {
      if (--depth === 0) return at + 1;
    } else if (code === 34) {
      const behind = pastString(text, at, end);
      if (behind === null) return null;
      at = behind;
      continue;
    } else if (code === 39) {
      // One character, or what a backslash stands before.
      at = text.indexOf("'", at + (text.charCodeAt(at + 1) === 92 ? 3 : 2));
      if (at < 0) return null;
    } else if (code === 47 && text.charCodeAt(at + 1) === 47) {
      at = lineEnd(text, at, end);
      continue;
    } else if (isOf(code, wordStart)) {
      const behind = wordEnd(text, at + 1, end);
      const textEnd = behind - at === 3 && text.startsWith("asm", at) && isAsm(text, behind, end) ? pastAsm(text, behind, end) : behind;
      if (textEnd === null) return null;
      at = textEnd;
      continue;
    }
    at++;
  }
  return null;
}

function pastString(text: string, start: number, end: number): number | null {
  const line = lineEnd(text, start, end);
  let at = start + 1;
  while (at < line) {
    const code = text.charCodeAt(at);
    if (code === 34) return at + 1;
    if (code === 92) at += 2;
    else if (code !== 123) at++;
    else if (text.charCodeAt(at + 1) === 123) at += 2;
    else {
      const hole = pastBraces(text, at, end);
      if (hole === null) return null;
      at = hole;
    }
  }
  return null;
}

function pastAsm(text: string, from: number, end: number): number | null {
  let at: number | null = pastBlanks(text, wordEnd(text, pastBlanks(text, from, end), end), end);
  if (text[at] === "(") at = matchingEnd(text, at, end, "(", ")");
  if (at === null) return null;
  const open = pastBlanks(text, at, end);
  return text[open] === "{" ? matchingEnd(text, open, end, "{", "}") : at;
}
