// The component in Ink: history above, region below, keys in. No terminal.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { renderToString } from "ink";
import { render } from "ink-testing-library";
import { until } from "../../tests/fixtures/processes.ts";
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

/** Without them Ink starts `tput` and `resize` at each frame, for the rows of a terminal that there is none. */
const SIZE: Readonly<Record<string, string>> = { COLUMNS: "100", LINES: "24" };
const environment = Object.keys(SIZE).map((name) => [name, process.env[name]] as const);
before(() => void Object.assign(process.env, SIZE));
after(() => {
  for (const [name, value] of environment) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
});

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
  const shows = (pattern: RegExp) => (): boolean => pattern.test(app.lastFrame() ?? "");
  const help = /stop starting tests/;
  for (const event of recordedRun.slice(0, 6)) store.handle(event);
  await until("progress", shows(/4\/30/));
  const written = app.frames.join("");
  assert.equal([...written.matchAll(/specs\/alu\.gspec::alu::add@virt\/wasm/g)].length, 1);

  app.stdin.write("?");
  await until("help", shows(help));
  assert.doesNotMatch(app.lastFrame() ?? "", /alu::add/, "history is painted once");
  app.stdin.write("?");
  await until("no help", () => !shows(help)());

  app.stdin.write("/");
  await until("a filter is asked for", shows(/filter: _/));
  app.stdin.write("tag(slow)");
  await until("the filter", shows(/filter: tag\(slow\)_/));
  app.stdin.write("\r");
  app.stdin.write("r");
  app.stdin.write("\x03");
  await until("three calls", () => calls.length >= 3);
  assert.deepEqual(calls, ["filter tag(slow)", "rerunFailed", "interrupt"]);

  store.close();
  await until("nothing is left", () => (app.lastFrame() ?? "").trim() === "");
});
