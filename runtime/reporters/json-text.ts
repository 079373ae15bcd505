// JSON of reports and lists for programs. What a program reads out of it is what a spec or a guest wrote, to the character; but a person who looks
// at the file, or at a log that shows it, must not be misled by what turns the order of a line: JSON has an escape for each character.

import { HIDDEN } from "./terminal-text.ts";

/** `indent`: blanks a level; 0: on one line. Characters that cannot be seen are written as `\u202e`. */
export function formatJson(value: unknown, indent = 0): string {
  return JSON.stringify(value, null, indent).replace(HIDDEN, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
