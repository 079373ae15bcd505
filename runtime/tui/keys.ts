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
  { key: "f", hint: "failures", help: "show failures only, or everything again", run: (store) => store.toggleFailuresOnly() },
  { key: "t", hint: "status", help: "what the running tests do: pc, guest time, console", run: (store) => store.requestStatus() },
  { key: "/", hint: "filter", help: "run only what a filter selects", run: (store) => store.setMode("filter") },
  { key: "r", hint: "rerun failed", help: "run the failed tests again", run: (store) => store.rerunFailed() },
  { key: "q", hint: "quit", help: "stop starting tests (as ^C); again: stop at once", run: (store) => store.interrupt() },
  {
    key: "?",
    hint: "help",
    help: "show or hide this",
    run: (store) => store.setMode(store.getSnapshot().mode === "help" ? "watch" : "help"),
  },
];

function editFilter(store: TuiStore, input: string, key: Pick<Key, "return" | "escape" | "backspace" | "delete" | "ctrl" | "meta">): void {
  const { filterText } = store.getSnapshot();
  if (key.escape) store.setMode("watch");
  else if (key.return) store.submitFilter();
  else if (key.backspace || key.delete) store.setFilterText([...filterText].slice(0, -1).join(""));
  else if (key.ctrl && input === "u") store.setFilterText("");
  else if (!key.ctrl && !key.meta) store.setFilterText(filterText + input.replace(/[\u0000-\u001f\u007f]/g, ""));
}

export function pressKey(store: TuiStore, input: string, key: Pick<Key, "return" | "escape" | "backspace" | "delete" | "ctrl" | "meta">): void {
  if (key.ctrl && input === "c") return store.interrupt();
  const { mode } = store.getSnapshot();
  if (mode === "filter") return editFilter(store, input, key);
  if (mode === "help" && key.escape) return store.setMode("watch");
  if (key.ctrl || key.meta) return;
  KEY_BINDINGS.find((binding) => binding.key === input)?.run(store);
}
