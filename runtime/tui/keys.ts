// What each key does: one table for the keyboard and for the help. While the filter is being typed the keys are its text.
import type { Key } from "ink";
import type { TuiStore } from "./store.ts";

export interface KeyBinding {
  readonly key: string;
  readonly hint: string;
  readonly help: string;
  readonly run: (store: TuiStore) => void;
}

export const KEY_BINDINGS: readonly KeyBinding[] = [
  {
    key: "f",
    hint: "failures",
    help: "show failures only, or everything again",
    run: (store) => store.toggleFailuresOnly(),
  },
  {
    key: "t",
    hint: "status",
    help: "what the running tests do, as far as they tell",
    run: (store) => store.requestStatus(),
  },
  { key: "/", hint: "filter", help: "run only what a filter selects", run: (store) => store.setMode("filter") },
  { key: "r", hint: "rerun failed", help: "run the failed tests again", run: (store) => store.rerunFailed() },
  {
    key: "q",
    hint: "quit",
    help: "stop starting tests (as ^C); again: stop at once",
    run: (store) => store.interrupt(),
  },
  {
    key: "?",
    hint: "help",
    help: "show or hide this",
    run: (store) => store.setMode(store.getSnapshot().mode === "help" ? "watch" : "help"),
  },
];

/** The part of Ink's `Key` that matters here. */
export type Modifiers = Pick<Key, "return" | "escape" | "backspace" | "delete" | "ctrl" | "meta">;

const NO_MODIFIERS: Modifiers = {
  return: false,
  escape: false,
  backspace: false,
  delete: false,
  ctrl: false,
  meta: false,
};

/** Control characters within a chunk of several keys, which Ink hands over unread: fast typing, a paste, a slow connection. */
const CONTROL_KEYS: Readonly<Record<string, readonly [input: string, key: Partial<Modifiers>]>> = {
  "\r": ["", { return: true }],
  "\n": ["", { return: true }],
  "\x03": ["c", { ctrl: true }],
  "\x15": ["u", { ctrl: true }],
  "\x08": ["", { backspace: true }],
  "\x7f": ["", { backspace: true }],
};

function editFilter(store: TuiStore, input: string, key: Modifiers): void {
  const { filterText } = store.getSnapshot();
  if (key.escape) store.setMode("watch");
  else if (key.return) store.submitFilter();
  else if (key.backspace || key.delete) store.setFilterText(filterText.replace(/[\s\S]$/u, ""));
  else if (key.ctrl && input === "u") store.setFilterText("");
  else if (!key.ctrl && !key.meta) store.setFilterText(filterText + input);
}

function pressOne(store: TuiStore, input: string, key: Modifiers): void {
  if (key.ctrl && input === "c") return store.interrupt();
  const { mode } = store.getSnapshot();
  if (mode === "filter") return editFilter(store, input, key);
  if (mode === "help" && key.escape) return store.setMode("watch");
  if (key.ctrl || key.meta) return;
  KEY_BINDINGS.find((binding) => binding.key === input)?.run(store);
}

export function pressKey(store: TuiStore, input: string, key: Modifiers): void {
  if (input.length <= 1) return pressOne(store, input, key);
  // By code points: the `u` flag keeps surrogate pairs together.
  for (const [character] of input.matchAll(/[\s\S]/gu)) {
    const control = CONTROL_KEYS[character];
    if (control !== undefined) pressOne(store, control[0], { ...NO_MODIFIERS, ...control[1] });
    else if (character >= " ") pressOne(store, character, NO_MODIFIERS);
  }
}
