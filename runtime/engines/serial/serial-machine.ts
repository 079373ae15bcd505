// A machine behind a serial line that does not stay down: it takes calls, sends them ahead in a window, and when the machine dies it
// gives the death to the call that was at the front, starts the machine again, brings it back to the state that the next call wants -
// payload, set-up of suite and table - and goes on. A state is therefore a recipe as well as a level that the guest keeps.
//
// Only what does not come up twice in a row is given up: a payload, or all of them when the machine itself refuses.

import type { Phase } from "../frames.ts";
import { HOOK_LIMITS } from "../limits.ts";
import type { CallResult, EntryCall } from "../session.ts";
import { readTranscript } from "../transcript.ts";
import type { CallOutcome } from "../verdict.ts";
import { callLine, keepLine, loadLine, restoreLine, roundsOf } from "./host-lines.ts";
import type { AnswerVerb, Answered, Death, Exchange, LinkHandlers, Said, SerialLink } from "./serial-link.ts";

/** A level of the guest, and how to get there again. */
export interface SerialState {
  readonly payload: number;
  readonly level: number;
  /** Null: what the payload is after its start. */
  readonly made: { readonly from: SerialState; readonly call: EntryCall } | null;
}

/** How far apart tests are kept, at most and at least. */
export const ISOLATIONS = ["test", "suite", "none"] as const;
export type Isolation = (typeof ISOLATIONS)[number];

export interface SerialMachineOptions {
  readonly isolation: Isolation;
  /** Wall time that a call may take; its limits in guest time are the guest's own business. */
  limitMs(call: EntryCall | null): number;
  /** Starts a machine that holds these payloads, the first of which it begins with. */
  open(payloads: readonly number[], first: Exchange, onDeath: LinkHandlers["onDeath"]): Promise<SerialLink>;
  /** What a death means, where frames do not tell: exit status, standard error. */
  explain(death: Death): CallOutcome;
  /** It never was a machine: wrong options, no such program. */
  isRefusal(death: Death): boolean;
}

export interface SerialMachine {
  /** Resolves when the payload is up, or with why it is not. */
  start(payload: number): Promise<CallResult>;
  call(from: SerialState, call: EntryCall): Promise<CallResult>;
  /** The state that the last call from `from` has left, if `call` was that. */
  keep(from: SerialState, call: EntryCall): SerialState;
  /** The next call finds memory as new. */
  reload(): void;
  close(): Promise<void>;
  /** Machines that were started. */
  readonly starts: number;
}

interface Request {
  readonly payload: number;
  /** Null: just to be up. */
  readonly target: { readonly from: SerialState; readonly call: EntryCall } | null;
  resolve(result: CallResult): void;
  reject(error: unknown): void;
}

/** Calls that are under way at once: enough to hide the round trip, little to lose. */
const WINDOW = 32;
const MOST_FAILED_STARTS = 2;
const NO_LOG = { accesses: [], interrupts: [], messages: [] };
const NOTHING_SAID: Said = { frames: [], text: new Uint8Array(), wallMs: 0 };

export function rootState(payload: number): SerialState {
  return { payload, level: 0, made: null };
}

function resultOf(outcome: CallOutcome, said: Said, call: EntryCall | null, elapsedNs: number): CallResult {
  const { timeoutNs, instructions, graceNs } = call?.limits ?? HOOK_LIMITS;
  const phase: Phase = call?.phase ?? "setup";
  return {
    outcome,
    transcript: readTranscript(said.frames, phase),
    text: said.text,
    limits: { timeoutNs, instructions: roundsOf(instructions), graceNs, elapsedNs, executed: 0 },
    wallMs: said.wallMs,
    log: () => NO_LOG,
  };
}

export function createSerialMachine(payloads: readonly number[], options: SerialMachineOptions): SerialMachine {
  const queue: Request[] = [];
  /** Requests by the exchange that carries them. */
  const carried = new Map<Exchange, Request>();
  const failedStarts = new Map<number, number>();
  /** Payloads that do not come up, and why. */
  const broken = new Map<number, Death>();
  let order = payloads;
  let link: SerialLink | null = null;
  let loaded: number | null = null;
  let levels: (SerialState | null)[] = [];
  /** Nothing has run since the payload was loaded, or since the machine was started. */
  let isMemoryNew = false;
  let isMachineNew = false;
  let wantsReload = false;
  let lastCall: EntryCall | null = null;
  /** A CPU runs on after its test: it would disturb the next one. */
  let isDisturbed = false;
  /** The last call wants nothing behind it. */
  let isAlone = false;
  let isPumping = false;
  let isClosed = false;
  let starts = 0;
  let changed = Promise.withResolvers<void>();

  function notify(): void {
    changed.resolve();
    changed = Promise.withResolvers<void>();
  }

  function onDeath(death: Death, front: Exchange | null, rest: readonly Exchange[]): void {
    link = null;
    loaded = null;
    levels = [];
    lastCall = null;
    isDisturbed = false;
    // A call that a state was to be kept for takes the blame for that, or this would begin anew for ever.
    const [blamed, ...others] = [front, ...rest].flatMap((each) => (each === null ? [] : (take(each) ?? [])));
    // In the order in which they were sent, before all that was not.
    queue.unshift(...others);
    blamed?.resolve(resultOf(options.explain(death), death, blamed.target?.call ?? null, 0));
    notify();
    void pump();
  }

  function take(exchange: Exchange): Request | null {
    const request = carried.get(exchange) ?? null;
    carried.delete(exchange);
    return request;
  }

  /** An exchange of our own, in which nothing else is under way: its answer, or how the machine died of it. */
  function exchange(on: SerialLink, lines: string, answer: AnswerVerb, call: EntryCall | null): Promise<Answered | Death> {
    return new Promise((resolve) => {
      dying = resolve;
      on.send({ lines, answer, limitMs: options.limitMs(call), onAnswer: resolve });
    });
  }
  /** Told of the next death. */
  let dying: ((death: Death) => void) | null = null;

  function deathOf(death: Death, front: Exchange | null, rest: readonly Exchange[]): void {
    // What follows from it may wait for another machine's death.
    const told = dying;
    dying = null;
    told?.(death);
    onDeath(death, front, rest);
  }

  function isDeath(ended: Answered | Death): ended is Death {
    return "cause" in ended;
  }

  async function drained(): Promise<void> {
    while (link !== null && link.pending > 0) await changed.promise;
  }

  /** The guest is up: keeps the state that everything starts from. */
  async function keepRoot(on: SerialLink, payload: number): Promise<void> {
    const ended = await exchange(on, keepLine(0), "kept", null);
    if (isDeath(ended)) {
      hasFailed(payload, ended);
      return;
    }
    failedStarts.delete(payload);
    loaded = payload;
    levels = [rootState(payload)];
    isMemoryNew = true;
    wantsReload = false;
  }

  function hasFailed(payload: number, death: Death): void {
    if (isClosed) return;
    if (options.isRefusal(death)) {
      for (const each of order) broken.set(each, death);
      return;
    }
    const count = (failedStarts.get(payload) ?? 0) + 1;
    failedStarts.set(payload, count);
    if (count < MOST_FAILED_STARTS) return;
    broken.set(payload, death);
    // A machine begins with its first payload, so that one must be good.
    order = order.filter((each) => each !== payload);
  }

  async function powerOn(): Promise<void> {
    const [first = 0] = order;
    starts++;
    const ended = await new Promise<Answered | Death>((resolve, reject) => {
      dying = resolve;
      options.open(order, { lines: "", answer: "ready", limitMs: options.limitMs(null), onAnswer: resolve }, deathOf).then((opened) => {
        // It may be dead already.
        if (opened.isAlive) link = opened;
        if (isClosed) void opened.close();
      }, reject);
    });
    if (isDeath(ended)) hasFailed(first, ended);
    else if (link !== null) {
      isMachineNew = true;
      await keepRoot(link, first);
    }
  }

  async function load(on: SerialLink, payload: number): Promise<void> {
    const ended = await exchange(on, loadLine(order.indexOf(payload)), "ready", null);
    if (isDeath(ended)) hasFailed(payload, ended);
    else await keepRoot(on, payload);
  }

  async function powerOff(): Promise<void> {
    await drained();
    await link?.close();
    link = null;
    isDisturbed = false;
  }

  /** Brings the guest to the level that a state is, by its recipe where the guest does not have it. */
  async function reach(on: SerialLink, state: SerialState, request: Request): Promise<boolean> {
    if (levels[state.level] === state || state.made === null) return true;
    const { from, call } = state.made;
    if (!(await reach(on, from, request))) return false;
    await drained();
    if (link !== on) return false;
    isMemoryNew = false;
    const ended = await exchange(on, restoreLine(from.level) + callLine(call), "called", call);
    if (isDeath(ended) || ended.frame.verb !== "called" || ended.frame.value === 0n) {
      const message = `the ${call.phase}, which had succeeded before, failed when it was run again`;
      const failed: CallOutcome = isDeath(ended) ? options.explain(ended) : { kind: "lost", verdict: "crash", message, details: [] };
      give(request, resultOf(failed, { ...ended, frames: [] }, request.target?.call ?? null, 0));
      return false;
    }
    keepLevel(on, state);
    return true;
  }

  function keepLevel(on: SerialLink, state: SerialState): void {
    levels.length = state.level;
    levels[state.level] = state;
    on.send({ lines: keepLine(state.level), answer: "kept", limitMs: options.limitMs(null), onAnswer: notify });
  }

  /** Answers a request that is still in the queue. */
  function give(request: Request, result: CallResult): void {
    const at = queue.indexOf(request);
    if (at >= 0) queue.splice(at, 1);
    request.resolve(result);
  }

  /** Everything that must be so before a request can be sent. False: something has changed, look again. */
  async function prepare(request: Request): Promise<boolean> {
    const { payload, target } = request;
    const why = broken.get(payload);
    if (why !== undefined) {
      give(request, resultOf(options.explain(why), why, target?.call ?? null, 0));
      return false;
    }
    if (link !== null && !link.isAlive) {
      await changed.promise;
      return false;
    }
    if (link === null) {
      await powerOn();
      return false;
    }
    if (isDisturbed || (target !== null && options.isolation === "test" && !isMachineNew)) {
      await powerOff();
      return false;
    }
    if (loaded !== payload || (wantsReload && !isMemoryNew)) {
      const on = link;
      await drained();
      if (link === on) await load(on, payload);
      return false;
    }
    wantsReload = false;
    return target === null || ((await reach(link, target.from, request)) && link?.isAlive === true);
  }

  function send(request: Request): void {
    const { target } = request;
    if (target === null) {
      request.resolve(resultOf({ kind: "returned", values: [] }, NOTHING_SAID, null, 0));
      return;
    }
    if (link === null) throw new Error("a call was to be sent to a machine that is down");
    const { from, call } = target;
    const isHook = call.role !== "runCase";
    const sent: Exchange = {
      lines: restoreLine(from.level) + callLine(call),
      answer: "called",
      limitMs: options.limitMs(call),
      ...(call.onStart === undefined ? {} : { onStart: call.onStart }),
      onAnswer(answer) {
        take(sent);
        if (answer.frame.verb !== "called") throw new Error(`a call was answered by ${answer.frame.verb}`);
        if (answer.frames.some(({ verb }) => verb === "left-running")) isDisturbed = true;
        const values = isHook ? [answer.frame.value] : [];
        request.resolve(resultOf({ kind: "returned", values }, answer, call, answer.frame.ns));
        notify();
      },
    };
    carried.set(sent, request);
    lastCall = call;
    ({ isAlone } = call);
    isMemoryNew = false;
    if (!isHook) isMachineNew = false;
    link.send(sent);
  }

  async function pump(): Promise<void> {
    if (isPumping) return;
    isPumping = true;
    try {
      for (let [request] = queue; request !== undefined && !isClosed; [request] = queue) {
        if (link !== null && (link.pending >= WINDOW || (isAlone && link.pending > 0))) {
          await changed.promise;
          continue;
        }
        if (!(await prepare(request)) || queue[0] !== request) continue;
        send(request);
        queue.shift();
      }
    } catch (error) {
      for (const request of queue.splice(0)) request.reject(error);
    } finally {
      isPumping = false;
    }
  }

  function ask(payload: number, target: Request["target"]): Promise<CallResult> {
    return new Promise((resolve, reject) => {
      queue.push({ payload, target, resolve, reject });
      void pump();
    });
  }

  return {
    start: (payload) => ask(payload, null),
    call: (from, call) => ask(from.payload, { from, call }),
    keep(from, call) {
      const state: SerialState = { payload: from.payload, level: from.level + 1, made: { from, call } };
      // If the guest has come elsewhere since, the recipe brings it back.
      if (link !== null && link.isAlive && lastCall === call && loaded === from.payload) keepLevel(link, state);
      return state;
    },
    reload() {
      wantsReload = true;
    },
    async close() {
      isClosed = true;
      notify();
      await link?.close();
    },
    get starts() {
      return starts;
    },
  };
}
