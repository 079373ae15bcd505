// Cuts what a console or a logger put before a line: printk's level, time and caller, the clock of a serial logger, terminal control. The kinds
// that are known are cut from any line that has them; what else stands before the first version line is cut where it is repeated, so that
// the columns behind it mean what the guest meant. Time stamps are kept: they tell how long a test took.

export interface PrefixCutter {
  /** Looks at a line for the first version line of a document; what stands before it is from now on a prefix. */
  learn(raw: string): boolean;
  cut(raw: string): CutLine;
}

export interface CutLine {
  readonly text: string;
  /** Seconds, by printk. */
  readonly seconds: number | null;
}

/** Each with the blank that separates it from what follows: only printk's level stands close. */
const PIECES = [
  /** A raw `/dev/kmsg` level. */
  /<\d{1,3}>/y,
  /** printk's time. */
  /\[ *(\d+\.\d+)\](?:(?=\[)| ?)/y,
  /** printk's caller: a task or a CPU. */
  /\[ *[TC]\d+\](?:(?=\[)| ?)/y,
  /** `dmesg -x`. */
  /(?:kern|user|daemon) *: *(?:emerg|alert|crit|err|warn|notice|info|debug) *: ?/y,
  /** `dmesg -T`. */
  /\[[A-Z][a-z]{2} [A-Z][a-z]{2} +\d+ \d\d:\d\d:\d\d \d{4}\] ?/y,
  /** Loggers of serial lines. */
  /\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?\]? ?/y,
  /\[?\d\d:\d\d:\d\d(?:[.,]\d+)?\]? /y,
] as const;

// eslint-disable-next-line no-control-regex -- escape sequences are made of them
const TERMINAL = /\x1b(?:\[[0-9;?]*[ -/]*[@-~]|[()][0-9A-B]|[=>78c])/g;

const VERSION_AT_END = /(?:# )*K?TAP version \d+\s*$/;

function cutPieces(text: string): { readonly at: number; readonly seconds: number | null } {
  let at = 0;
  let seconds: number | null = null;
  for (let moved = true; moved;) {
    moved = false;
    for (const piece of PIECES) {
      piece.lastIndex = at;
      const match = piece.exec(text);
      if (match === null) continue;
      at += match[0].length;
      if (match[1] !== undefined) seconds = Number(match[1]);
      moved = true;
    }
  }
  return { at, seconds };
}

export function createPrefixCutter(): PrefixCutter {
  let literal = "";

  return {
    learn(raw) {
      const text = raw.replace(/\r+$/, "").replace(TERMINAL, "");
      const found = VERSION_AT_END.exec(text);
      if (found === null) return false;
      const { at } = cutPieces(text);
      const before = text.slice(Math.min(at, found.index), found.index);
      // Blanks alone are indentation.
      literal = before.trim() === "" ? "" : before;
      return true;
    },
    cut(raw) {
      const text = raw.replace(/\r+$/, "").replace(TERMINAL, "");
      const { at, seconds } = cutPieces(text);
      const rest = text.slice(at);
      return { text: literal !== "" && rest.startsWith(literal) ? rest.slice(literal.length) : rest, seconds };
    },
  };
}
