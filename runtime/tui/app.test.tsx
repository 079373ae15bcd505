// The component in Ink: history above, region below, keys in. No terminal.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { renderToString } from "ink";
import { render } from "ink-testing-library";
import { recordedRun } from "../../tests/fixtures/recorded-run.ts";
import { paintFor } from "../reporters/paint.ts";
import { App } from "./app.tsx";
import { createTuiStore, type TuiStore } from "./store.ts";

function createStore(calls: string[]): TuiStore {
  return createTuiStore({
    actions: {
      interrupt: () => void calls.push("interrupt"),
      rerunFailed: () => void calls.push("rerunFailed"),
      setFilter: (text) => (calls.push(`filter ${text}`), null),
      requestStatus: () => void calls.push("status"),
    },
    timers: {
      now: () => performance.now(),
      after: (ms, run) =>
        (
          (handle) => () =>
            clearTimeout(handle)
        )(setTimeout(run, ms).unref()),
    },
    paint: paintFor(false),
    isVerbose: false,
  });
}

const settle = (): Promise<void> => sleep(150);

test("the view of a store before anything happened is the empty region", () => {
  const store = createStore([]);
  const text = renderToString(<App store={store} paint={paintFor(false)} />, { columns: 60 });
  assert.match(text, /^ {2}0 % .*0\/0/);
  assert.match(text, /0 passed {2}0 failed/);
  store.close();
});

test("finished tests are written once, above the region, and keys reach the run", async (context) => {
  const calls: string[] = [];
  const store = createStore(calls);
  const app = render(<App store={store} paint={paintFor(false)} />);
  context.after(() => app.unmount());
  for (const event of recordedRun.slice(0, 6)) store.handle(event);
  await settle();
  const written = app.frames.join("");
  assert.equal([...written.matchAll(/specs\/alu\.gspec::alu::add@virt\/wasm/g)].length, 1);
  assert.match(app.lastFrame() ?? "", /4\/30/);

  app.stdin.write("?");
  await settle();
  assert.match(app.lastFrame() ?? "", /stop starting tests/);
  assert.doesNotMatch(app.lastFrame() ?? "", /alu::add/, "history is painted once");
  app.stdin.write("?");
  await settle();
  assert.doesNotMatch(app.lastFrame() ?? "", /stop starting tests/);

  app.stdin.write("/");
  await settle();
  app.stdin.write("tag(slow)");
  await settle();
  assert.match(app.lastFrame() ?? "", /filter: tag\(slow\)_/);
  app.stdin.write("\r");
  app.stdin.write("r");
  app.stdin.write("\x03");
  await settle();
  assert.deepEqual(calls, ["filter tag(slow)", "rerunFailed", "interrupt"]);

  store.close();
  await settle();
  assert.equal((app.lastFrame() ?? "").trim(), "");
});
