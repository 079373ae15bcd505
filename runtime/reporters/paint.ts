// Colours of the reporters: ECMA-48 SGR codes (section 8.3.117) round a text, or nothing at all. Own code because the choice is the
// sink's (NO_COLOR, --color, a pipe), not the process's, and because a painted line must not change its words.

export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "magenta" | "cyan";

export type Paint = Readonly<Record<Style, (text: string) => string>>;

const SGR: Readonly<Record<Style, readonly [on: number, off: number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  magenta: [35, 39],
  cyan: [36, 39],
};

function createPaint(isColored: boolean): Paint {
  const style = (name: Style): ((text: string) => string) => {
    const [on, off] = SGR[name];
    return isColored ? (text) => (text === "" ? "" : `\x1b[${on}m${text}\x1b[${off}m`) : (text) => text;
  };
  return {
    bold: style("bold"),
    dim: style("dim"),
    red: style("red"),
    green: style("green"),
    yellow: style("yellow"),
    magenta: style("magenta"),
    cyan: style("cyan"),
  };
}

const PLAIN = createPaint(false);
const COLORED = createPaint(true);

export function paintFor(isColored: boolean): Paint {
  return isColored ? COLORED : PLAIN;
}
