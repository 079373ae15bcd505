// One machine behind a serial line, from its start to its end: lines go out, frames come back, and each answer is matched with what was
// sent first. Lines may be sent ahead; whatever goes wrong is blamed on the exchange that is at the front, and the others are handed back
// for another machine. What ends a machine is decided here and nowhere else: its process is gone, it says so itself, no answer in
// time, a flood, answers out of order.

import { createFrameReader, type Frame } from "../frames.ts";
import type { Farewell } from "./farewell.ts";
import { parseSerialFrame, PROTOCOL_VERSION, type SerialFrame } from "./serial-frames.ts";

/** The process of a machine as the link needs it. */
export interface LineProcess {
  send(text: string): void;
  kill(): void;
  /** Resolves after the last output was delivered. */
  readonly exited: Promise<LineExit>;
}

export interface LineExit {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stderr: string;
  /** How it was started, to try by hand. */
  readonly command: string;
  /** Whether the guest asked for a reset; null: nobody could tell. */
  readonly isReset: boolean | null;
}

/** What a machine said between two answers. */
export interface Said {
  readonly frames: readonly Frame[];
  readonly text: Uint8Array;
  /** Since the exchange came to the front. */
  readonly wallMs: number;
}

export interface Answered extends Said {
  readonly frame: SerialFrame;
}

export type AnswerVerb = "ready" | "called" | "kept";

export interface Exchange {
  /** Nothing for the first one: the machine starts by itself. */
  readonly lines: string;
  readonly answer: AnswerVerb;
  /** Wall time from when it is at the front. */
  readonly limitMs: number;
  onStart?(): void;
  onAnswer(answer: Answered): void;
}

export type Cause =
  | { readonly kind: "exited" }
  | { readonly kind: "said"; readonly frame: Farewell }
  | { readonly kind: "silent"; readonly afterMs: number; readonly pcs: readonly bigint[] }
  | { readonly kind: "flooded"; readonly bytes: number }
  | { readonly kind: "disorder"; readonly what: string }
  /** By us. */
  | { readonly kind: "closed" };

export interface Death extends Said {
  readonly cause: Cause;
  readonly exit: LineExit;
}

export interface LinkHandlers {
  /** `front`: what it was at, null: nothing was asked of it; `rest`: what it was sent beyond that. */
  onDeath(death: Death, front: Exchange | null, rest: readonly Exchange[]): void;
  /** Where each CPU is; asked before a silent machine is stopped. Empty: nobody knows. */
  locate(): Promise<readonly bigint[]>;
}

export interface SerialLink {
  send(exchange: Exchange): void;
  /** Exchanges without an answer. */
  readonly pending: number;
  readonly isAlive: boolean;
  /** Ends the machine. Resolves when it is gone. */
  close(): Promise<void>;
}

/** What a machine may say in one exchange. */
export interface OutputLimits {
  /** Bytes of console text. */
  readonly text: number;
  /** A loop may fail checks for ever. */
  readonly frames: number;
}

const OUTPUT_LIMITS: OutputLimits = { text: 1024 * 1024, frames: 10_000 };
/** Of a flood of frames these are told. */
const FRAMES_TOLD = 100;

/** How often limits in wall time are looked at. */
const WATCH_MS = 50;
/** For a machine that has said that it ends. */
const FAREWELL_MS = 1000;

/** In ms. Not `performance`, whose module would have to be loaded. */
const now = (): number => Number(process.hrtime.bigint()) / 1e6;

/** `start`: gives the process, and is given its output. */
export function openLink(
  start: (onOutput: (bytes: Uint8Array) => void) => LineProcess,
  first: Exchange,
  handlers: LinkHandlers,
  limits = OUTPUT_LIMITS,
): SerialLink {
  const exchanges: Exchange[] = [];
  const gone = Promise.withResolvers<void>();
  let cause: Cause | null = null;
  let isAlive = true;
  let isAsked = false;
  let frontSince = now();
  let killAt = Infinity;
  /** Since the front exchange came there. */
  let bytes = 0;
  let frames: Frame[] = [];
  let texts: Uint8Array[] = [];
  let textLength = 0;

  const reader = createFrameReader((content) => {
    const frame = parseSerialFrame(content);
    if (frame !== null) onFrame(frame);
    return frame !== null;
  });

  function collect(isEnd: boolean): void {
    const taken = reader.take(isEnd);
    frames.push(...taken.frames);
    if (taken.text.length === 0) return;
    texts.push(taken.text);
    textLength += taken.text.length;
  }

  function takeSaid(isEnd: boolean): Said {
    collect(isEnd);
    const said: Said = { frames, text: Buffer.concat(texts), wallMs: now() - frontSince };
    frames = [];
    texts = [];
    textLength = bytes = 0;
    return said;
  }

  function beginFront(): void {
    frontSince = now();
    exchanges[0]?.onStart?.();
  }

  /** The first cause counts: what follows from it is no news. */
  function end(why: Cause): void {
    if (cause !== null) return;
    cause = why;
    if (why.kind === "said") killAt = now() + FAREWELL_MS;
    else line.kill();
  }

  function onFrame(frame: SerialFrame): void {
    if (cause !== null) return;
    if (frame.verb === "unhandled" || frame.verb === "double-fault" || frame.verb === "gave-up") {
      end({ kind: "said", frame });
      return;
    }
    const [front] = exchanges;
    if (front === undefined || front.answer !== frame.verb) {
      const wanted = front === undefined ? "nothing was asked of it" : `it was to say \`${front.answer}\``;
      end({ kind: "disorder", what: frame.verb === "ready" ? "the guest started anew" : `the guest said \`${frame.verb}\` when ${wanted}` });
      return;
    }
    if (frame.verb === "ready" && frame.version !== PROTOCOL_VERSION) {
      end({ kind: "disorder", what: `the guest speaks version ${frame.version} of the protocol, this host version ${PROTOCOL_VERSION}` });
      return;
    }
    exchanges.shift();
    const said = takeSaid(false);
    if (exchanges.length > 0) beginFront();
    front.onAnswer({ ...said, frame });
  }

  function onOutput(chunk: Uint8Array): void {
    // What a machine still says while it is being stopped is nobody's.
    if (cause !== null && cause.kind !== "said") return;
    bytes += chunk.length;
    reader.push(chunk);
    collect(false);
    if (frames.length > limits.frames) frames.length = FRAMES_TOLD;
    else if (textLength <= limits.text) return;
    end({ kind: "flooded", bytes });
  }

  async function giveUpOn(front: Exchange): Promise<void> {
    isAsked = true;
    const pcs = await handlers.locate();
    // It may have answered meanwhile; a second chance would make the limit depend on how long the question took.
    if (exchanges[0] === front) end({ kind: "silent", afterMs: front.limitMs, pcs });
    isAsked = false;
  }

  // Before the watch, which would go on for ever behind a start that throws.
  const line = start(onOutput);
  const watch = setInterval(() => {
    const time = now();
    if (time >= killAt) line.kill();
    const [front] = exchanges;
    if (front !== undefined && cause === null && !isAsked && time - frontSince > front.limitMs) void giveUpOn(front);
  }, WATCH_MS);

  exchanges.push(first);
  beginFront();

  async function waitForEnd(): Promise<void> {
    const exit = await line.exited;
    isAlive = false;
    clearInterval(watch);
    const said = takeSaid(true);
    const [front, ...rest] = exchanges.splice(0);
    handlers.onDeath({ ...said, cause: cause ?? { kind: "exited" }, exit }, front ?? null, rest);
    gone.resolve();
  }
  void waitForEnd();

  return {
    send(exchange) {
      exchanges.push(exchange);
      if (exchanges.length === 1) beginFront();
      line.send(exchange.lines);
    },
    get pending() {
      return exchanges.length;
    },
    get isAlive() {
      return isAlive && cause === null;
    },
    close() {
      end({ kind: "closed" });
      return gone.promise;
    },
  };
}
